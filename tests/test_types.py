"""A user's calls type-check, against the annotations that the package carries (py.typed)."""

from __future__ import annotations

from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api")

ROOT = Path(__file__).parent.parent

CALLS = """
import numpy as np
from scipy.optimize import OptimizeResult, rosen, rosen_der

import quasinewton

x0 = np.array([-1.2, 1.0])


def fun(x: np.ndarray, scale: float = 1.0) -> float:
    return scale * float(x @ x)


def jac(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    return 2.0 * scale * x


def both(x: np.ndarray) -> tuple[float, np.ndarray]:
    return fun(x), jac(x)


def hessp(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    return 2.0 * p


def report(intermediate_result: OptimizeResult) -> None:
    print(intermediate_result.fun)


result: OptimizeResult = quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der)
quasinewton.minimize(fun, x0, args=(2.0,), jac=jac, method="arc_lsr1", options={"gtol": 1e-8})
quasinewton.minimize(both, x0, jac=True, method=quasinewton.arc_hybrid, callback=report)
quasinewton.minimize(fun, x0, jac=jac, hessp=hessp, tol=1e-6, resume="run.npz")
solver = quasinewton.Solver(x0, method="arc_lsr1")
while solver.running:
    x: np.ndarray = solver.ask()
    solver.tell(fun(x), jac(x))
status: quasinewton.Status = quasinewton.Status(solver.result().status)
"""


def check(tmp_path, text):
    file = tmp_path / "user.py"
    file.write_text(text)
    # SciPy and numba carry no types, and a plain np.ndarray is no error of ours.
    ignore = ["--disable-error-code", "type-arg", "--disable-error-code", "import-untyped"]
    cache = ["--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent"]
    return api.run(["--config-file", "", "--strict", *ignore, *cache, str(file)])


def test_calls_of_a_user_type_check(tmp_path, monkeypatch):
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    output, errors, code = check(tmp_path, CALLS)
    assert code == 0, output + errors
    output, _, code = check(tmp_path, CALLS + "quasinewton.minimize(fun)\n")
    assert code == 1 and 'Missing positional argument "x0"' in output
    output, _, code = check(tmp_path, CALLS + "quasinewton.minimize(fun, x0, option={})\n")
    assert code == 1 and "option" in output
