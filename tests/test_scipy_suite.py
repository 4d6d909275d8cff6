"""SciPy's own tests of its minimizers, with methods of this package in their place.

They run in a process of their own, in which this file is a plugin of pytest:
`scipy.optimize.minimize` hands the methods of REPLACED to ours, unless there are constraints.
What a version of SciPy has of these tests counts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import quasinewton

REPLACED = {
    "bfgs": "trust_hybrid", "cg": "arc_lsr1", "l-bfgs-b": "arc_hybrid", "tnc": "trust_lbfgs",
    "newton-cg": "trust_cg", "trust-ncg": "trust_cg", "trust-krylov": "trust_cg",
    "trust-exact": "trust_cg", "dogleg": "trust_cg", "trust-constr": "trust_cg",
}  # fmt: skip

FILES = ("test_optimize", "test_trustregion", "test_trustregion_krylov")

#: Tests of other things, or of functions beside `minimize`.
ELSEWHERE = (
    "NoWrapper", "Scalar", "Brute", "Bracket", "Rosen", "powell", "neldermead",
    "cobyla", "cobyqa", "slsqp", "shgo", "differential_evolution", "Limits",
    "too_many_open_files", "linesearch", "line_for_search", "brent", "constraints",
    "_fun", "show_options", "basinhopping", "curve_fit", "brute", "dual_annealing", "Global",
    "Workers", "interruption",  # which take seconds
)  # fmt: skip

#: What cannot hold, and why.
REASONS = {
    "counts or iterates of SciPy's algorithm": (
        "test_cg", "test_bfgs", "test_ncg", "test_ncg_hess", "test_ncg_hessp",
        "test_initial_step_scaling", "test_solver_concordance", "test_bfgs_xrtol",
    ),
    "options of a line search, or a first inverse: there is none; a warning names them": (
        "test_bfgs_c1", "test_bfgs_c2", "test_invalid_c1_c2", "test_minimize_l_bfgs_maxls",
        "test_bfgs_hess_inv0_neg", "test_bfgs_hess_inv0_semipos",
    ),
    "the run ends as unbounded while f is finite": ("test_bfgs_infinite",),
    "the best point is returned, not the last": ("test_bfgs_nan_return",),
    "a negative limit is an error": ("test_ncg_negative_maxiter",),
    "products are made by differences where no Hessian is given": ("test_finite_differences_hess",),
    "a message of L-BFGS-B's own": ("test_l_bfgs_b_maxiter",),
    "a status of trust-constr's own": (r"test_callback_stopiteration\[\d-trust-constr\]",),
    "a warning of another class": ("test_dogleg_user_warning",),
    "allvecs has the accepted points, not one for each iteration": ("test_dogleg_callback",),
}  # fmt: skip

FAIL = "|".join(name for names in REASONS.values() for name in names)


def test_scipys_own_tests(tmp_path):
    pytest.importorskip("scipy.optimize.tests")
    if importlib.util.find_spec("scipy.optimize.tests.test_optimize") is None:
        pytest.skip("SciPy is installed without its tests")
    record = tmp_path / "outcomes"
    places = (Path(__file__).parent, Path(quasinewton.__file__).parent.parent)
    path = os.pathsep.join([*map(str, places), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", Path(__file__).stem,
            "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), "--pyargs",
            *(f"scipy.optimize.tests.{name}" for name in FILES),
        ],
        env={**os.environ, "PYTHONPATH": path, "OUTCOMES": str(record), "PYTEST_ADDOPTS": ""},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert record.exists(), run.stdout + run.stderr
    outcomes = json.loads(record.read_text())
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    new = [name for name in failed if not re.search(rf"::({FAIL})(\[|$)", name)]
    assert new == [], run.stdout
    assert sum(outcome == "passed" for outcome in outcomes.values()) > 50


# --- the plugin, in the other process --------------------------------------------------

_calls = [0]
_outcomes = {}


def pytest_configure(config):
    if "OUTCOMES" not in os.environ:
        return
    import scipy.optimize
    from scipy.optimize import minimize as theirs

    def minimize(fun, x0, args=(), method=None, **given):
        name = method.lower() if isinstance(method, str) else method
        if not given.get("constraints") and (name or "bfgs") in REPLACED:
            _calls[0] += 1
            method = getattr(quasinewton, REPLACED[name or "bfgs"])
        return theirs(fun, x0, args, method, **given)

    scipy.optimize.minimize = minimize


def pytest_collection_modifyitems(config, items):
    def ours(item):
        method = getattr(item, "callspec", None) and item.callspec.params.get("method")
        chosen = method is None or str(method).lower() in REPLACED
        return chosen and not any(word in item.nodeid for word in ELSEWHERE)

    items[:] = filter(ours, items)


def pytest_runtest_setup(item):
    _calls[0] = 0


def pytest_runtest_logreport(report):
    if report.when == "call" and (_calls[0] or report.failed):
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish(session):
    if "OUTCOMES" in os.environ:
        Path(os.environ["OUTCOMES"]).write_text(json.dumps(_outcomes))
