"""Names and texts: what tab completion offers, what is named as missing, how things print."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

import quasinewton
from quasinewton import Solver, minimize, problems
from quasinewton.objective import check_gradient

PUBLIC = [
    "quasinewton", "quasinewton.cli", "quasinewton.display", "quasinewton.display.plot",
    "quasinewton.interop", "quasinewton.interop.dask", "quasinewton.methods",
    "quasinewton.objective", "quasinewton.problems", "quasinewton.solver",
]  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_completion_offers_the_public_names_and_no_others(name):
    module = importlib.import_module(name)
    assert dir(module) == sorted(module.__all__)
    for public in module.__all__:
        getattr(module, public)
    assert not [n for n in dir(module) if n.startswith("_") and n != "__version__"]
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


def test_parts_load_when_they_are_first_used():
    code = (
        "import sys, quasinewton as q\n"
        "late = ['numba', 'matplotlib', 'quasinewton.problems', 'quasinewton.display.plot',\n"
        "        'quasinewton.interop', 'quasinewton.solver']\n"
        "assert not [m for m in late if m in sys.modules]\n"
        "q.plot.convergence, q.problems.get, q.interop.from_jax, q.objective.check_gradient\n"
        "q.display.plot.path, q.interop.LSR1, q.Solver\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=None)


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("matplotlib", "plot", lambda: quasinewton.plot.profiles({"a": np.ones(1)}, np.ones(1))),
        ("jax", "jax", lambda: quasinewton.interop.from_jax(rosen, np.ones(2))),
        ("torch", "torch", lambda: quasinewton.interop.from_torch(rosen, np.ones(2))),
        ("autograd", "autograd", lambda: quasinewton.interop.from_autograd(rosen, np.ones(2))),
        ("optimagic", "optimagic", lambda: quasinewton.interop.optimagic),
    ],
)
def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    package, extra, use, monkeypatch
):
    for name in [*sys.modules]:
        if name.partition(".")[0] == package or name == "quasinewton.interop.optimagic":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(quasinewton.interop, "optimagic", raising=False)

    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(ImportError, match=rf"python -m pip install 'quasinewton\[{extra}\]'"):
        use()


def test_what_a_package_itself_lacks_is_not_taken_for_it():
    from quasinewton.extras import needs

    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        with needs("scipy", "plot", "it"):
            importlib.import_module("no_such_module")


def test_how_things_print():
    solver = Solver(np.ones(500), "arc_lsr1")
    assert repr(solver) == "<Solver arc_lsr1, n = 500, RUNNING, iteration 0>"
    solver.tell(4.0, np.full(500, 2.0))
    assert repr(solver).endswith("iteration 0, f = 4, max|g| = 2>")
    text = repr(problems.get("chained_rosenbrock", n=1000))
    assert text.startswith("<Problem chained_rosenbrock, n = 1000, fmin = 0: ") and len(text) < 200
    check = check_gradient(rosen, rosen_der, np.ones(50) * 1.5)
    assert repr(check).startswith("<DerivativeCheck ok: gradient") and len(repr(check)) < 120
    options = {"return_all": True, "history": True}
    result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, options=options)
    assert f"allvecs: <{len(result.allvecs)} points of shape (2,)>" in repr(result)
    assert max(map(len, repr(result).splitlines())) < 120
