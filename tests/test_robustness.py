"""Threads, processes, memory, scales: what holds for every method at once."""

from __future__ import annotations

import ast
import gc
import os
import re
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

import quasinewton
from quasinewton import minimize, problems
from quasinewton.methods import METHODS, QUASI_NEWTON

#: Solves in a row of the leak test; docs/robustness.md gives the figure for 10,000.
SOLVES = int(os.environ.get("LEAK_SOLVES", "2000"))


def solve(task):
    method, name, n = task
    p = problems.get(name, n)
    with np.errstate(all="ignore"):
        return minimize(
            p.fun, p.x0, jac=p.grad, hessp=p.hessp if method == "trust_cg" else None,
            method=method, options={"maxiter": 60, "gtol": 1e-9},
        )  # fmt: skip


TASKS = [
    (method, name, n)
    for method in METHODS
    for name, n in [
        ("rosenbrock", None), ("beale", None), ("wood", None), ("extended_rosenbrock", 200),
        ("chained_rosenbrock", 300), ("helical_valley", None), ("powell_singular", None),
        ("chained_rosenbrock", 50),
    ]
]  # fmt: skip


def test_eight_threads_give_the_serial_results_bit_for_bit():
    serial = [solve(task) for task in TASKS]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for a, b in zip(serial, pool.map(solve, TASKS), strict=True):
                assert np.array_equal(a.x, b.x) and a.fun == b.fun
                assert (a.nit, a.nfev, a.status) == (b.nit, b.nfev, b.status)


def script(text, *, check=True):
    """Run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", text], capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_processes_after_use(how, tmp_path):
    (tmp_path / "task.py").write_text(
        "import sys, multiprocessing\n"
        "from scipy.optimize import rosen, rosen_der\n"
        "from quasinewton import minimize\n"
        "def work(method):\n"
        "    r = minimize(rosen, [-1.2, 1.0] * 30, jac=rosen_der, method=method)\n"
        "    return r.x.tobytes(), r.nfev\n"
        "if __name__ == '__main__':\n"
        f"    methods = {list(METHODS)!r}\n"
        "    here = [work(m) for m in methods]\n"
        f"    with multiprocessing.get_context({how!r}).Pool(2) as pool:\n"
        "        assert pool.map(work, methods) == here\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "task.py"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("method", ["arc_hybrid", "trust_cg"])
def test_the_interpreter_may_exit_in_the_middle(method):
    done = script(
        "import threading, time\n"
        "from scipy.optimize import rosen, rosen_der\n"
        "from quasinewton import minimize\n"
        f"kwargs = dict(jac=rosen_der, method={method!r})\n"
        "minimize(rosen, [0.5] * 5000, options={'maxiter': 3}, **kwargs)\n"
        "begun = threading.Event()\n"
        "def work():\n"
        "    while True:\n"
        "        minimize(rosen, [0.5] * 5000, callback=lambda x: begun.set(), **kwargs)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "begun.wait()\n"
        "time.sleep(0.05)\n"
        "print('exit')\n"
    )
    assert done.stdout == "exit\n" and done.stderr == ""


def resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def traced():
    """Bytes that lines of this package and of those below it hold; dask's threads have others."""
    files = [f"*/{name}/*" for name in ("quasinewton", "numpy", "scipy", "numba")] + [__file__]
    filters = [tracemalloc.Filter(True, name) for name in files]
    kept = tracemalloc.take_snapshot().filter_traces(filters).statistics("filename")
    return sum(line.size for line in kept)


def test_many_solves_leak_nothing():
    """Neither Python objects nor memory that Python does not know of."""

    def batch(count):
        for k in range(count):
            method = METHODS[k % len(METHODS)]
            minimize(rosen, [0.9, 1.1], jac=rosen_der, hessp=rosen_hess_prod, method=method,
                     options={"maxiter": 4, "check_curvature": k % 3 == 0})  # fmt: skip
        gc.collect()

    batch(200)
    before_resident = resident()
    batch(SOLVES)
    grown = resident() - before_resident
    tracemalloc.start()
    batch(20)
    before = traced()
    batch(SOLVES)
    objects = traced() - before
    tracemalloc.stop()
    print(f"{SOLVES} solves: {objects} bytes of Python objects, {grown / 1e6:.1f} MB resident")
    assert objects <= 50_000  # NumPy's free lists fill up
    assert grown <= 8_000_000


@pytest.mark.parametrize("method", METHODS)
def test_a_solve_holds_at_most_2m_plus_12_vectors(method):
    """With all that comes and goes, but for what the user's own functions allocate."""
    n, memory = 1_000_000, 10
    work = np.empty(n)
    gradient = np.empty(n)

    def fun(x):
        np.subtract(x, 1.0, out=work)
        return float(work @ work)

    def jac(x):
        np.subtract(x, 1.0, out=gradient)
        np.multiply(gradient, 2.0 + np.abs(np.sin(gradient[0])), out=gradient)
        return gradient

    def hessp(x, p):
        np.multiply(p, 2.0, out=work)
        return work

    def run():
        given = {"hessp": hessp} if method not in QUASI_NEWTON else {}
        options = {"memory": memory, "maxiter": 14, "gtol": 0.0}
        return minimize(fun, x0, jac=jac, method=method, options=options, **given)

    x0 = np.linspace(0.0, 3.0, n)
    run()  # compiled, all of it: numba's own memory is not what counts
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bound = 2 * memory + 12 + 14 * (method == "trust_cg")
    print(f"{method}: {peak / 8 / n:.2f} n numbers, bound {bound}")
    assert peak <= bound * n * 8
    page = (Path(__file__).parent.parent / "docs" / "robustness.md").read_text()
    others, trust_cg = re.search(r"(\d+), `trust_cg` (\d+) \|.*-k vectors", page).groups()
    assert peak / 8 / n == pytest.approx(int(trust_cg if method == "trust_cg" else others), abs=0.5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("power_f", [-498, 0, 498])
@pytest.mark.parametrize("power_x", [-498, -200, 0, 200, 498])
def test_scales_keep_the_path(method, power_f, power_x):
    """f and x times powers of two between 1e-150 and 1e150, products in range."""
    if abs(power_f - 2 * power_x) > 996:
        pytest.skip("the Hessian itself is out of range")
    x0 = np.array([1.2, 0.9, 1.2, 0.9])
    f_scale, x_scale = 2.0**power_f, 2.0**power_x

    def scaled(f, x):
        options = {"gtol": 0.0, "grtol": 1e-7, "history": True, "maxiter": 500}
        return minimize(
            lambda z: f * rosen(z / x), x0 * x, jac=lambda z: f * rosen_der(z / x) / x,
            hessp=lambda z, p: f * rosen_hess_prod(z / x, p / x) / x, method=method,
            options=options,
        )  # fmt: skip

    plain, r = scaled(1.0, 1.0), scaled(f_scale, x_scale)
    assert plain.success and r.success
    assert np.allclose(r.history["fun"][:8] / f_scale, plain.history["fun"][:8], rtol=1e-6)
    assert np.allclose(r.x / x_scale, 1.0, atol=1e-4)


def sources():
    return sorted(Path(quasinewton.__file__).parent.rglob("*.py"))


def test_nothing_is_pickled_or_evaluated():
    modules, functions = {"pickle", "marshal", "shelve"}, {"eval", "exec", "compile", "__import__"}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                assert not modules & {name.name.partition(".")[0] for name in node.names}, where
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in modules, where
            elif isinstance(node, ast.Name):
                assert node.id not in functions, where
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                pickles = [word.value for word in node.keywords if word.arg == "allow_pickle"]
                assert [ast.unparse(value) for value in pickles] == ["False"], where
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", where


def test_solve_imports_only_what_is_named(tmp_path):
    """`solve package.module:function` runs that module and no other of the folder."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "named.py").write_text("def function(x):\n    return float(x @ x)\n")
    (package / "other.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('imported')\n")
    command = [sys.executable, "-m", "quasinewton", "solve", "--x0", "1,2"]
    root = str(Path(quasinewton.__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, str(tmp_path)])}

    def call(target):
        return subprocess.run(
            [*command, target], capture_output=True, text=True, cwd=tmp_path, env=env, timeout=300
        )

    assert call("package.named:function").returncode == 0
    for bad in ("package.named:__import__('os').system('true')", "package/named:function",
                "package.named:function()", "..named:function"):  # fmt: skip
        done = call(bad)
        assert done.returncode == 2 and "package.module:function" in done.stderr
