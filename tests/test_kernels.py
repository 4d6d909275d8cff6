"""What the kernels share, and how they are compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quasinewton
from quasinewton import kernels, minimize, problems
from quasinewton.globalization import NOISE, interpolate, noise_between, ratio, term_size
from quasinewton.methods import COMPILING, quasi_newton
from quasinewton.vectors import max_abs, norm2


@pytest.mark.kernels
@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e150, 1e300])
@pytest.mark.parametrize("n", [1, 7, 5000])
def test_norm2(n, scale):
    v = np.linspace(-1.0, 0.7, n) if n > 1 else np.array([-0.3])
    assert norm2(v * scale) / scale == pytest.approx(np.linalg.norm(v), rel=1e-13)
    assert max_abs(v * scale) == np.abs(v * scale).max()


@pytest.mark.kernels
def test_norm2_of_special_values():
    assert norm2(np.zeros(3)) == 0.0
    assert not np.isfinite(norm2(np.array([1.0, np.inf])))
    assert not np.isfinite(max_abs(np.array([np.nan, 1.0])))
    assert norm2(np.array([5e-324])) > 0.0


@pytest.mark.kernels
def test_ratio():
    double = (NOISE, 0.0)
    assert ratio(2.0, 1.0, 0.5, 2.0, *double) == (2.0, False, False)
    for f, predicted in ((np.nan, 0.5), (np.inf, 0.5), (1.0, 0.0), (1.0, -1.0), (1.0, np.nan)):
        assert ratio(2.0, f, predicted, 2.0, *double) == (-np.inf, False, False)
    assert ratio(1.0, 1.0 + 1e-16, 1e-17, 1.0, *double)[1:] == (True, True)
    assert ratio(1.0, 2.0, 1e-17, 1.0, *double)[1:] == (True, False)  # it rose
    assert not ratio(1.0, 1.0, 1e-3, 1.0, *double)[1]  # it should have been seen
    assert ratio(1.0, 1.0, 1e-7, 1.0, 1e-6, 0.0)[2]  # but not in single precision
    assert ratio(1.0, 1.0, 1e-7, 1.0, NOISE, 1e-6)[2]  # nor in values of six decimals
    assert ratio(0.0, 0.0, 1e-12, 1e4, *double)[2]  # terms of size 1e4 that cancel
    assert term_size(1e18, 1.1, True) < 1e18  # a decrease that is seen is none in its noise
    assert term_size(1e18, 1.1, False) == term_size(1e18, 30.0, True) == 1e18


@given(
    a=st.floats(-3.0, 3.0), b=st.floats(0.0, 3.0), c=st.floats(-0.5, 0.5),
    noise=st.sampled_from([0.0, 1e-4, 1e-6]), sign=st.sampled_from([-1.0, 1.0]),
    exponent=st.integers(-8, 0),
)  # fmt: skip
def test_noise_is_seen_where_the_slopes_prove_it(a, b, c, noise, sign, exponent):
    """f = 100 + a t + b t^2/2 + c b t^3/6 from 0 to t, with an error of the value there."""
    t = 10.0**exponent
    change = a * t + b * t * t / 2.0 + c * b * t**3 / 6.0
    slopes = a * t, a * t + b * t * t + c * b * t**3 / 2.0
    found = noise_between(100.0, 100.0 + change + sign * noise, *slopes)
    curved = abs(slopes[1] - slopes[0])
    assert found <= noise * (1.0 + 1e-12) + curved + 1e-13
    if noise > 4.0 * curved + 1e-12 and curved <= abs(slopes[0]):
        assert found >= 0.5 * noise
    if noise == 0.0:
        assert found <= 1e-13


@pytest.mark.kernels
def test_interpolate_minimises_the_parabola():
    # f(t) = 1 - t + 3 t^2 has f(1) = 3 and its minimum at 1/6
    assert interpolate(1.0, 3.0, -1.0, 0.1, 0.5) == pytest.approx(1 / 6)
    assert interpolate(1.0, np.inf, -1.0, 0.1, 0.5) == 0.5
    assert interpolate(1.0, 1e9, -1.0, 0.1, 0.5) == 0.1
    assert interpolate(1.0, 0.5, -1.0, 0.1, 0.5) == 0.5


SOLVE = textwrap.dedent(
    """
    import warnings
    warnings.simplefilter("error")
    from scipy.optimize import rosen, rosen_der
    import quasinewton
    for method in ("arc_lsr1", "trust_lsr1", "trust_cg"):
        r = quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=method)
        assert r.success
    print("solved")
    """
)


def run(code, **environment):
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )


def test_without_jit():
    done = run(SOLVE, NUMBA_DISABLE_JIT="1")
    assert done.stdout == "solved\n", done.stderr


def test_where_no_cache_can_be_written():
    # numba finds no place for a cache: the decorator must compile in memory
    code = (
        "import numba.core.caching as c; c.CacheImpl._locator_classes = []\n"
        "import quasinewton.vectors as v, numpy as np\n"
        "assert v.norm2(np.array([3.0, 4.0])) == 5.0; print('solved')"
    )
    done = run(code)
    assert done.stdout == "solved\n", done.stderr


def test_editing_a_helper_makes_cached_callers_stale(tmp_path):
    """numba looks only at the file of the outermost kernel; the package at all of them."""
    package = tmp_path / "quasinewton"
    package.mkdir()
    source = __import__("quasinewton.kernels").kernels.__file__
    (package / "__init__.py").write_text("")
    (package / "kernels.py").write_text(Path(source).read_text())
    (package / "helper.py").write_text(
        "from .kernels import kernel\n@kernel\ndef helper(x):\n    return x + 1\n"
    )
    (package / "caller.py").write_text(
        "from .kernels import kernel\nfrom .helper import helper\n"
        "@kernel\ndef caller(x):\n    return helper(x)\n"
    )
    code = "from quasinewton.caller import caller; print(caller(1))"
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code]

    def call():
        return subprocess.run(
            command, env={**os.environ, **environment}, cwd=tmp_path, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    assert call().stdout == "2\n"
    helper = package / "helper.py"
    helper.write_text(helper.read_text().replace("x + 1", "x + 100"))
    assert call().stdout == "101\n"


PATIENT = [
    getattr(quasi_newton, name)
    for name in (
        "begin", "find_trial_dense", "receive", "renew_dense_in_box", "solve_by_spectrum",
        "step_in_box", "wants_gradient", "renew_reduced", "make_room", "find_trial_reduced",
    )
]  # fmt: skip


@pytest.fixture
def patience(monkeypatch):
    """Have Python take the place of machine code, or not."""
    for function in PATIENT:
        monkeypatch.setattr(function, "_looked", True)

    def set_to(seconds):
        monkeypatch.setattr(kernels, "PATIENCE", seconds)
        for function in PATIENT:
            monkeypatch.setattr(function, "_patient", True)

    return set_to


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("method", ["trust_hybrid", "arc_lsr1"])
def test_python_in_the_place_of_machine_code_does_the_same(
    method, bounded, patience, monkeypatch
):
    """To the last bit; also where values overflow, for which machine code has no exceptions."""
    for name in ("_ROWS_WITHIN", "_ROWS_IN_BOX"):  # that 120 variables need room
        monkeypatch.setattr(quasi_newton, name, ((200, 3000 if name == "_ROWS_WITHIN" else 1500),))
    sizes = {"chained_rosenbrock": 40, "fletchcr": 120}
    for name in ("beale", "rosenbrock", "wood", "biggs_exp6", *sizes):
        problem = problems.get(name, sizes.get(name))
        bounds = [(0.0, 2.0)] * problem.x0.size if bounded else None
        for start in (problem.x0, 1e3 * problem.x0, 1e160 * problem.x0):
            ends = []
            start = np.clip(start, 0.0, 2.0) if bounded else start
            for seconds in (0.0, np.inf):
                patience(seconds)
                with np.errstate(all="ignore"):
                    r = minimize(
                        problem.fun, start, jac=problem.grad, method=method, bounds=bounds,
                        options={"maxiter": 40},
                    )  # fmt: skip
                ends.append((r.x.tobytes(), r.fun, r.nit, r.nfev, r.status))
            assert ends[0] == ends[1]


def test_what_is_interrupted_has_changed_nothing(patience, monkeypatch):
    def interrupted(kernel):
        def begin(points, state):
            points[:] = 1.0
            state["f"] = 7.0
            raise KeyboardInterrupt

        return begin

    patience(np.inf)
    monkeypatch.setattr(kernels, "interpreted", interrupted)
    points, state = np.zeros((5, 2)), quasi_newton.new_state(f=3.0)
    with pytest.raises(KeyboardInterrupt):
        quasi_newton.begin(points, state)
    assert not points.any() and state["f"] == 3.0


def test_a_first_solve_of_few_variables_compiles_no_method(tmp_path):
    code = (
        "import numba\n"
        "from scipy.optimize import rosen, rosen_der\n"
        "from quasinewton import kernels, minimize\n"
        "kernels.PATIENCE = 60.0\n"
        "assert minimize(rosen, [-1.2, 1.0], jac=rosen_der).success\n"
        "from quasinewton.methods.quasi_newton import find_trial_dense, receive\n"
        "print(receive.compiled.signatures, find_trial_dense.compiled.signatures)\n"
    )
    done = run(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.stdout == "[] []\n", done.stderr


def test_bounds_of_many_variables_say_that_they_compile(tmp_path):
    """Python takes the place of the kernels without bounds there, but not of that of a face."""
    code = (
        "import numpy as np\n"
        "from quasinewton import Solver, methods\n"
        "from quasinewton.methods import quasi_newton\n"
        "quasi_newton.CompactModel = None  # the line comes before any work\n"
        "solver = Solver(np.ones(2000), bounds=[(0.0, 9.0)] * 2000, options={'verbose': 1})\n"
        "try:\n"
        "    solver.tell(1.0, np.ones(2000))\n"
        "except TypeError:\n"
        "    pass\n"
    )
    done = run(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert "Compiling" in done.stderr + done.stdout


def test_import_does_not_load_numba():
    done = run("import quasinewton, sys; print('numba' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


FRONT_ENDS = {
    "nobody": "minimize(fun, [1.0], jac=True)",
    "disp": "minimize(fun, [1.0], jac=True, options={'disp': True})",
    "Solver": "Solver([1.0], options={'verbose': 1}).tell(*fun(np.ones(1)))",
    "progress": "minimize(fun, [1.0], jac=True, callback=quasinewton.progress())",
    "solve": "main(['solve', 'booth', '--quiet'])",
    "compare": "main(['compare', 'booth'])",
}


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_first_run_of_all_says_that_it_compiles(front_end, tmp_path):
    """On stderr, in a process whose cache folder is empty; a quiet run does not even look.

    Where nothing is patient; see the next test.
    """
    code = (
        "import numpy as np\n"
        "import quasinewton\n"
        "from quasinewton import Solver, kernels, methods, minimize\n"
        "from quasinewton.cli import main\n"
        "from quasinewton.methods import quasi_newton\n"
        "quasi_newton.CompactModel = None  # the line comes before any work\n"
        "kernels.PATIENCE = 0.0\n"
        "looked, look = [], kernels.is_compiled\n"
        "kernels.is_compiled = lambda kernel: looked.append(kernel) or look(kernel)\n"
        "def fun(x): return float(x @ x), 2.0 * x\n"
        "try:\n"
        f"    {FRONT_ENDS[front_end]}\n"
        "finally:\n"
        "    print('looked', len(looked))\n"
    )
    root = str(Path(quasinewton.__file__).parent.parent)
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": root}
    process = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    # ended where the model would be made, which `compare` puts into its table
    assert "TypeError" in process.stderr + process.stdout
    quiet = front_end == "nobody"
    assert (COMPILING in process.stderr) == (not quiet)
    assert COMPILING not in process.stdout and ("looked 0\n" in process.stdout) == quiet
