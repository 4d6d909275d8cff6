"""The values of options, and the options of SciPy's methods under their names."""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import pytest
from scipy.optimize import OptimizeWarning, rosen, rosen_der

from quasinewton import Solver, Status, minimize
from quasinewton.options import Options

X0 = [-1.2, 1.0]
INF = float("inf")

#: What SciPy's documentation shows as the options of its methods, with the defaults.
DOCUMENTED = {
    "L-BFGS-B": {
        "disp": None, "maxcor": 10, "ftol": 2.220446049250313e-09, "gtol": 1e-05, "eps": 1e-08,
        "maxfun": 15000, "maxiter": 15000, "iprint": -1, "maxls": 20, "finite_diff_rel_step": None,
        "workers": None,
    },
    "BFGS": {
        "gtol": 1e-05, "norm": INF, "eps": 1.4901161193847656e-08, "maxiter": None, "disp": False,
        "return_all": False, "finite_diff_rel_step": None, "xrtol": 0, "c1": 1e-4, "c2": 0.9,
        "hess_inv0": None, "workers": None,
    },
    "CG": {
        "gtol": 1e-05, "norm": INF, "eps": 1.4901161193847656e-08, "maxiter": None, "disp": False,
        "return_all": False, "finite_diff_rel_step": None, "c1": 1e-4, "c2": 0.4, "workers": None,
    },
    "Newton-CG": {
        "xtol": 1e-05, "eps": 1.4901161193847656e-08, "maxiter": None, "disp": False,
        "return_all": False, "c1": 1e-4, "c2": 0.9, "workers": None,
    },
    "trust-ncg": {
        "initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.15, "gtol": 1e-4,
        "maxiter": None, "disp": False, "return_all": False, "workers": None,
    },
    "trust-krylov": {
        "initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.15, "gtol": 1e-4,
        "maxiter": None, "disp": False, "return_all": False, "inexact": True, "workers": None,
    },
    "trust-exact": {
        "initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.15, "gtol": 1e-4,
        "subproblem_maxiter": None,
    },
    "trust-constr": {
        "gtol": 1e-08, "xtol": 1e-08, "barrier_tol": 1e-08, "sparse_jacobian": None,
        "maxiter": 1000, "verbose": 0, "finite_diff_rel_step": None, "initial_tr_radius": 1.0,
        "initial_constr_penalty": 1.0, "initial_barrier_parameter": 0.1,
        "initial_barrier_tolerance": 0.1, "factorization_method": None, "disp": False,
        "workers": None,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.parametrize("jac", [rosen_der, None])
def test_the_options_in_scipys_documentation_are_taken(name, jac):
    r = minimize(rosen, X0, jac=jac, options=DOCUMENTED[name])  # a warning would be an error
    assert r.status in (Status.CONVERGED, Status.XTOL, Status.FTOL, Status.PRECISION)
    assert r.fun < 1e-6


IDLE = {
    "norm": 2, "c1": 0.1, "c2": 0.7, "maxls": 5, "iprint": 1, "hess_inv0": np.eye(2),
    "eta": 0.1, "inexact": False, "barrier_tol": 1.0, "sparse_jacobian": True,
    "factorization_method": "QRFactorization", "subproblem_maxiter": 3,
    "initial_constr_penalty": 2.0, "initial_barrier_parameter": 2.0,
    "initial_barrier_tolerance": 2.0,
}  # fmt: skip


def test_one_warning_names_what_means_nothing_here():
    with pytest.warns(OptimizeWarning) as caught:
        minimize(rosen, X0, jac=rosen_der, options=IDLE)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert set(str(caught[0].message).split(": ")[1].split(", ")) == set(IDLE)


def test_none_is_every_default():
    given = dict.fromkeys(f for f in Options.__dataclass_fields__)
    assert Options.parse(given) == Options()


def scalars():
    yield np.array
    yield np.float32
    if importlib.util.find_spec("jax"):
        import jax.numpy

        yield jax.numpy.float32
    if importlib.util.find_spec("torch"):
        import torch

        yield torch.tensor


@pytest.mark.parametrize("kind", list(scalars()))
def test_numbers_of_any_library(kind):
    options = {"maxiter": kind(7), "grtol": kind(0.5), "memory": kind(3), "disp": kind(0)}
    parsed = Options.parse(options, tol=kind(0.25))
    assert parsed == Options(maxiter=7, grtol=0.5, memory=3, gtol=0.25)
    assert type(parsed.maxiter) is int and type(parsed.gtol) is float and parsed.disp is False


def test_limits_that_are_infinite_or_no_integers():
    assert minimize(rosen, X0, jac=rosen_der, options={"maxiter": INF, "maxfev": INF}).success
    for name in ("maxiter", "maxfev", "maxfun"):
        r = minimize(rosen, X0, jac=rosen_der, options={name: 4.9})
        assert r["nit" if name == "maxiter" else "nfev"] == 4


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [("maxcor", "memory", 4), ("maxfun", "maxfev", 9), ("xrtol", "xtol", 0.1),
     ("initial_tr_radius", "initial_trust_radius", 0.5)],
)  # fmt: skip
def test_two_names_of_one_option(alias, name, value, tmp_path):
    assert Options.parse({alias: value}) == Options(**{name: value})
    assert Options.parse({alias: value, name: value}) == Options(**{name: value})
    assert Options.parse({alias: None, name: value}) == Options(**{name: value})
    assert Options.parse({alias: value, name: None}) == Options(**{name: value})
    with pytest.raises(ValueError, match=f"`{alias}` and `{name}`"):
        Options.parse({alias: value, name: value + 1})


def test_resume_takes_the_other_names(tmp_path):
    path = tmp_path / "run.npz"
    options = {"maxfun": 5, "checkpoint": path}
    assert minimize(rosen, X0, jac=rosen_der, options=options).nfev == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        r = minimize(rosen, X0, jac=rosen_der, resume=path, options={"maxfun": 8, "maxls": 20})
    assert r.nfev == 8 and Solver.load(path).options.maxfev == 8
    assert minimize(rosen, X0, jac=rosen_der, resume=path, options={"maxfun": INF}).success


REFUSED = [
    ({"initial_trust_radius": INF}, ValueError, "initial_trust_radius"),
    ({"initial_weight": INF}, ValueError, "initial_weight"),
    ({"initial_weight": 0.0, "weight_rule": "ranganath"}, ValueError, "initial_weight"),
    ({"memory": INF}, ValueError, "memory"),
    ({"verbose": INF}, ValueError, "verbose"),
    ({"maxiter": np.nan}, ValueError, "maxiter"),
    ({"maxiter": np.ones(2)}, TypeError, "maxiter"),
    ({"maxfev": "many"}, TypeError, "maxfev"),
    ({"eps": 0.0}, ValueError, "eps"),
    ({"eps": [1e-8, -1e-8]}, ValueError, "eps"),
    ({"eps": "small"}, TypeError, "eps"),
    ({"eps": [1e-8] * 3}, ValueError, "eps"),
    ({"finite_diff_rel_step": [1e-8] * 3}, ValueError, "finite_diff_rel_step"),
    ({"finite_diff_rel_step": [[1e-8, 1e-8]]}, ValueError, "finite_diff_rel_step"),
    ({"finite_diff_rel_step": INF}, ValueError, "finite_diff_rel_step"),
    ({"disp": "yes"}, TypeError, "disp"),
]


@pytest.mark.parametrize(("options", "error", "name"), REFUSED)
def test_values_that_make_no_sense_are_named_before_any_work(options, error, name):
    def fun(x):
        raise AssertionError

    with pytest.raises(error, match=f"option `{name}` must"):
        minimize(fun, X0, options=options)


def test_a_first_weight_of_zero_bounds_the_first_step_by_its_length():
    zero, default = (
        minimize(rosen, X0, jac=rosen_der, method="arc_lsr1", options=options)
        for options in ({"initial_weight": 0.0}, {})
    )
    assert np.array_equal(zero.x, default.x) and zero.nit == default.nit


def test_disp_warns_where_there_is_no_success(capsys):
    with pytest.warns(OptimizeWarning, match="Maximum number of iterations"):
        minimize(rosen, X0, jac=rosen_der, options={"disp": True, "maxiter": 2})
    assert "Maximum number of iterations" in capsys.readouterr().out
