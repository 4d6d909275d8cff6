"""`hess` and `hess_inv` of every result, and standard errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import BFGS, rosen, rosen_der, rosen_hess, rosen_hess_prod
from scipy.optimize import minimize as scipy_minimize
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import quasinewton
from quasinewton import LSR1, minimize, standard_errors
from quasinewton.methods import METHODS
from quasinewton.objective import covariance

VARIANTS = [*((m, {}) for m in METHODS), ("trust_cg", {"enriched": False})]
X0 = np.array([-1.2, 1.0, 0.7])


@pytest.mark.parametrize(("method", "options"), VARIANTS)
@pytest.mark.parametrize("n", [3, 120])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_result_has_both(method, options, n, dtype):
    h = np.linspace(1.0, 2.0, n).astype(dtype)
    r = minimize(lambda x: 0.5 * x @ (h * x), np.ones(n, dtype), jac=lambda x: h * x,
                 method=method, options=options)  # fmt: skip
    b, inverse = r.hess.todense(), r.hess_inv.todense()
    assert isinstance(r.hess, LinearOperator) and isinstance(r.hess_inv, LinearOperator)
    assert b.shape == inverse.shape == r.hess.shape == r.hess_inv.shape == (n, n)
    assert b.dtype == inverse.dtype == r.hess.dtype == dtype
    precise = {"rtol": 1e-3, "atol": 1e-3 if dtype == np.float32 else 1e-6}
    v = np.cos(np.arange(n)).astype(dtype)
    assert np.allclose(b, b.T, **precise)
    assert np.allclose(r.hess @ v, b @ v, **precise)
    assert np.allclose(b @ inverse, np.eye(n), atol=1e-2)
    assert np.allclose(r.hess_inv @ v, inverse @ v, **precise)
    assert np.allclose(r.hess_inv.T @ v, inverse @ v, **precise)
    assert np.allclose(r.hess @ (r.hess_inv @ np.stack([v, v], 1)), np.stack([v, v], 1), atol=1e-2)


SECOND = {
    "differences": {},
    "hessp": {"hessp": rosen_hess_prod},
    "hess": {"hess": rosen_hess},
    "sparse": {"hess": lambda x: sparse.csr_matrix(rosen_hess(x))},
    "operator": {"hess": lambda x: aslinearoperator(rosen_hess(x))},
}


@pytest.mark.parametrize("given", SECOND.values(), ids=SECOND)
def test_newton_steps_leave_the_hessian_at_the_end(given):
    calls = []

    def jac(x):
        calls.append(x)
        return rosen_der(x)

    r = minimize(rosen, X0, jac=jac, method="trust_cg", options={"enriched": False}, **given)
    made = len(calls)
    before = r.x.copy()
    r.hess @ np.zeros(3)
    assert len(calls) == made  # nothing before it is looked at
    r.x[:] = 0.0  # the caller's own
    assert np.allclose(r.hess.todense(), rosen_hess(before), rtol=1e-5, atol=1e-4)
    assert np.allclose(r.hess_inv.todense(), np.linalg.inv(rosen_hess(before)), rtol=1e-2)


def test_what_a_pickle_keeps_of_it():
    r = minimize(rosen, X0, jac=lambda x: rosen_der(x), method="trust_cg",
                 options={"enriched": False})  # fmt: skip
    with pytest.raises(RuntimeError, match="pickled without"):
        pickle.loads(pickle.dumps(r)).hess @ X0
    matrix = r.hess.todense()
    again = pickle.loads(pickle.dumps(r))
    assert np.array_equal(again.hess.todense(), matrix)
    assert np.array_equal(again.hess_inv @ X0, r.hess_inv @ X0)
    for same in (copy.copy(r.hess), copy.deepcopy(r).hess):
        assert np.array_equal(same @ X0, r.hess @ X0)


def test_pickled_inverses_of_models():
    r = minimize(rosen, X0, jac=rosen_der)
    again = pickle.loads(pickle.dumps(r.hess_inv))
    assert np.array_equal(again @ X0, r.hess_inv @ X0)


@pytest.mark.parametrize("strategy", [BFGS, LSR1])
def test_a_strategy_is_the_hessian(strategy):
    hess = strategy()
    r = minimize(rosen, X0, jac=rosen_der, hess=hess)
    assert np.allclose(r.hess.todense(), hess.get_matrix(), rtol=1e-6)


def test_a_singular_hessian_has_no_inverse():
    r = minimize(lambda x: x[0] ** 2, [3.0, 1.0], jac=lambda x: np.array([2 * x[0], 0.0]),
                 hessp=lambda x, p: np.array([2 * p[0], 0.0]), method="trust_cg",
                 options={"enriched": False})  # fmt: skip
    with pytest.raises(np.linalg.LinAlgError):
        r.hess_inv.todense()
    with pytest.raises(np.linalg.LinAlgError):
        r.hess_inv @ np.ones(2)


# --- standard errors -----------------------------------------------------------------

RNG = np.random.default_rng(5)
#: Units of the parameters, far apart as in practice.
UNITS = np.array([1.0, 1e-6, 1e3, 1.0])
DATA = np.c_[np.ones(300), RNG.normal(size=(300, 3))]
TARGET = (RNG.random(300) < 1 / (1 + np.exp(-DATA @ [0.2, 1.0, -1.0, 0.0]))).astype(float)


class Logistic:
    """The negative log-likelihood of a logistic regression, whose Hessian has a closed form."""

    def __init__(self, units=UNITS):
        self.data = DATA / units

    def fun(self, w):
        z = self.data @ w
        return float(np.logaddexp(0, z).sum() - TARGET @ z)

    def jac(self, w):
        return self.data.T @ (1 / (1 + np.exp(-self.data @ w)) - TARGET)

    def hess(self, w):
        p = 1 / (1 + np.exp(-self.data @ w))
        return (self.data * (p * (1 - p))[:, None]).T @ self.data

    def hessp(self, w, v):
        return self.hess(w) @ v


@pytest.fixture(scope="module")
def estimate():
    model = Logistic()
    w = np.zeros(4)
    for _ in range(20):
        w -= np.linalg.solve(model.hess(w), model.jac(w))
    return model, w, np.linalg.inv(model.hess(w))


@pytest.mark.parametrize("form", ["hess", "hessp", "jac", "joint", "fun", "sparse", "operator"])
def test_standard_errors_of_a_logistic_regression(estimate, form):
    model, w, exact = estimate
    fun, given, precise = model.fun, {"jac": model.jac}, 1e-5
    if form in ("hess", "hessp"):
        given[form] = getattr(model, form)
    elif form == "joint":
        fun, given = lambda w: (model.fun(w), model.jac(w)), {"jac": True}
    elif form == "fun":
        given, precise = {}, 1e-3
    elif form == "sparse":
        given["hess"] = lambda w: sparse.csr_matrix(model.hess(w))
    elif form == "operator":
        given["hess"] = lambda w: aslinearoperator(model.hess(w))
    errors = standard_errors(fun, w, **given)
    assert np.allclose(errors, np.sqrt(np.diag(exact)), rtol=precise, atol=0.0)
    scale = np.outer(errors, errors)
    assert np.allclose(covariance(fun, w, **given) / scale, exact / scale, atol=precise)


@pytest.mark.parametrize("method", METHODS)
def test_standard_errors_in_one_call_after_a_run(method):
    """They do not depend on the method, whose model may be of any quality."""
    model = Logistic(1.0)
    r = minimize(model.fun, np.zeros(4), jac=model.jac, method=method, tol=1e-6)
    exact = np.sqrt(np.diag(np.linalg.inv(model.hess(r.x))))
    assert np.allclose(standard_errors(model.fun, r, jac=model.jac), exact, rtol=1e-5)


def test_standard_errors_of_a_normal_sample():
    """With mean and log s estimated: s/sqrt(m) and 1/sqrt(2 m); through `args`, after SciPy."""
    sample = 5.0 + 2.0 * np.random.default_rng(0).standard_normal(200)

    def fun(p, data):
        return data.size * p[1] + np.sum((data - p[0]) ** 2) / (2 * np.exp(2 * p[1]))

    r = scipy_minimize(fun, [4.0, 0.0], args=(sample,), tol=1e-8)
    expected = np.exp(r.x[1]) / np.sqrt(200), 1 / np.sqrt(400)
    assert np.allclose(quasinewton.standard_errors(fun, r, sample), expected, rtol=1e-3)


def test_where_there_are_no_standard_errors():
    for fun in (lambda x: -(x @ x), lambda x: (x[0] - x[1]) ** 2, lambda x: x[0] ** 2):
        with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
            standard_errors(fun, [0.0, 0.0])
    with pytest.raises(ValueError, match="finite at `x`"):
        standard_errors(lambda x: np.nan, [0.0])
    with pytest.raises(ValueError, match="`x` must"):
        standard_errors(rosen, [[1.0, 2.0]])
    with pytest.raises(TypeError, match="`x` must"):
        standard_errors(rosen, "abc")
    with pytest.raises(TypeError, match="`jac` must"):
        standard_errors(rosen, [1.0, 1.0], jac=7)
