"""Models behind SciPy's faces: against dense updates and SciPy's own strategies and solvers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from oracles import dense_bfgs, dense_sr1
from scipy import optimize
from scipy.optimize import rosen, rosen_der
from scipy.sparse.linalg import aslinearoperator, cg, eigsh

import quasinewton
from quasinewton.methods import QUASI_NEWTON
from quasinewton.models.operator import ModelOperator

STRATEGIES = {"lsr1": quasinewton.LSR1, "lbfgs": quasinewton.LBFGS, "hybrid": quasinewton.LHybrid}


def pairs(n, count, convex=True, seed=0):
    """Steps and changes of the gradient of a quadratic."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, n))
    hessian = a @ a.T / n + np.eye(n) if convex else a + a.T
    steps = rng.standard_normal((count, n))
    return [(s, hessian @ s) for s in steps]


def updated(strategy, history, n, approx_type="hess"):
    strategy.initialize(n, approx_type)
    for s, y in history:
        strategy.update(s, y)
    return strategy


@pytest.mark.parametrize("n", [6, 40])
@pytest.mark.parametrize("approx_type", ["hess", "inv_hess"])
@pytest.mark.parametrize(
    "ours, theirs", [(quasinewton.LSR1, optimize.SR1), (quasinewton.LBFGS, optimize.BFGS)]
)
def test_equals_scipy_while_no_pair_is_dropped(ours, theirs, approx_type, n):
    history = pairs(n, 5)
    mine = updated(ours(memory=5, init_scale=0.7), history, n, approx_type)
    full = updated(theirs(init_scale=0.7), history, n, approx_type)
    assert np.allclose(mine.get_matrix(), full.get_matrix(), rtol=1e-9, atol=1e-9)
    v = np.arange(n, dtype=float)
    assert np.allclose(mine.dot(v), full.dot(v), rtol=1e-9, atol=1e-9 * n)


@pytest.mark.parametrize("ours", STRATEGIES.values())
def test_automatic_scale_of_one_pair_is_scipys(ours):
    history = pairs(30, 1)
    theirs = optimize.SR1 if ours is quasinewton.LSR1 else optimize.BFGS
    mine, full = updated(ours(), history, 30), updated(theirs(), history, 30)
    assert np.allclose(mine.get_matrix(), full.get_matrix(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("memory", [3, 7])
def test_equals_dense_updates_of_the_last_pairs(memory):
    n = 25
    for convex in (True, False):
        history = pairs(n, 7, convex, seed=memory)
        mine = updated(quasinewton.LSR1(memory, init_scale=2.0), history, n)
        expected, used = dense_sr1(history[-memory:], 2.0)
        assert all(used)
        size = np.abs(expected).max()
        assert np.allclose(mine.get_matrix(), expected, rtol=0, atol=1e-8 * size)
        mine = updated(quasinewton.LBFGS(memory, init_scale=2.0), history, n)
        expected = dense_bfgs(history[-memory:], 2.0)
        size = np.abs(expected).max()
        assert np.allclose(mine.get_matrix(), expected, rtol=0, atol=1e-8 * size)
        assert np.linalg.eigvalsh(mine.get_matrix())[0] > 0.0


def test_hybrid_is_bfgs_where_convex_and_keeps_negative_curvature_where_not():
    n = 25
    history = pairs(n, 5)
    mine = updated(quasinewton.LHybrid(init_scale=1.0), history, n).get_matrix()
    assert np.allclose(mine, dense_bfgs(history, 1.0), rtol=0, atol=1e-9)
    s, y = pairs(n, 1)[0]
    mine = updated(quasinewton.LHybrid(init_scale=1.0), [(s, -y)], n)
    assert np.allclose(mine.dot(s), -y)


def test_strategies_choose_their_scale_as_the_methods_do():
    for recipe in QUASI_NEWTON.values():
        assert STRATEGIES[recipe.update].window == recipe.window


def test_updates_that_change_nothing():
    n = 12
    history = pairs(n, 3)
    strategy = updated(quasinewton.LSR1(), history, n)
    before = strategy.get_matrix()
    strategy.update(np.zeros(n), np.ones(n))
    with pytest.warns(UserWarning, match="delta_grad == 0.0"):
        strategy.update(np.ones(n), np.zeros(n))
    assert np.array_equal(strategy.get_matrix(), before)
    strategy.initialize(5, "hess")  # a second run starts afresh
    assert np.array_equal(strategy.get_matrix(), np.eye(5))


@pytest.mark.parametrize("ours", STRATEGIES.values())
@pytest.mark.parametrize("method", ["trust-ncg", "trust-krylov", "trust-constr", "Newton-CG"])
def test_scipys_solvers(ours, method):
    # Convex, and the scale given: trust-krylov ends with "a bad approximation" on Rosenbrock's
    # function, or from a smaller scale, with SciPy's own strategies too.
    scale = np.linspace(1.0, 50.0, 12)

    def fun(x):
        return float(0.5 * scale @ x**2 + 0.25 * np.sum(x**4) - np.sum(x))

    def jac(x):
        return scale * x + x**3 - 1.0

    options = {"xtol": 1e-8} if method == "Newton-CG" else {"gtol": 1e-6}
    result = optimize.minimize(
        fun, np.ones(12), jac=jac, hess=ours(40, 60.0), method=method, options=options
    )
    # Newton-CG's own test is on the step; its line search may meet roundoff before.
    assert result.success or method == "Newton-CG", result.message
    assert np.abs(jac(result.x)).max() < 1e-5


@pytest.mark.parametrize("ours", STRATEGIES.values())
def test_our_trust_cg(ours):
    result = quasinewton.minimize(
        rosen, np.linspace(0.7, 1.2, 12), jac=rosen_der, hess=ours(), method="trust_cg"
    )
    assert result.success
    assert np.abs(rosen_der(result.x)).max() <= 1e-5


# trust-krylov holds some 4 n^2 numbers of its own, whatever the Hessian.
@pytest.mark.parametrize("method", ["trust-ncg", "trust-constr", "Newton-CG"])
def test_twenty_thousand_variables(method):
    n, memory = 20_000, 5
    scale = np.linspace(1.0, 10.0, n)

    def fun(x):
        return 0.5 * float(scale @ (x - 1.0) ** 2)

    def jac(x):
        return scale * (x - 1.0)

    kwargs = {"jac": jac, "method": method, "options": {"maxiter": 30}}
    tracemalloc.start()
    result = optimize.minimize(fun, np.zeros(n), hess=quasinewton.LSR1(memory), **kwargs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.fun < 1e-3 * fun(np.zeros(n))
    assert peak < 100 * 8 * n  # an n x n array would be 20,000 vectors


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"memory": 0}, ValueError, "`memory` must be an integer >= 1, got 0"),
        ({"memory": 2.5}, TypeError, "`memory` must be an integer, got 2.5"),
        ({"init_scale": "large"}, ValueError, "`init_scale`.*'large'"),
        ({"init_scale": 0.0}, ValueError, "`init_scale`.*0.0"),
        ({"init_scale": np.eye(2)}, TypeError, "`init_scale`"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        quasinewton.LBFGS(**arguments)


def test_bad_use():
    strategy = quasinewton.LSR1()
    with pytest.raises(RuntimeError, match="initialize"):
        strategy.dot(np.ones(2))
    with pytest.raises(ValueError, match="approx_type"):
        strategy.initialize(2, "inverse")


# ------------------------------------------------------------------------------ result.hess


@pytest.mark.parametrize("method", ["arc_lsr1", "arc_hybrid", "arc_lbfgs"])
@pytest.mark.parametrize("n, dtype", [(1, float), (4, float), (30, float), (60, np.float32)])
def test_shifted_systems_and_the_inverse(n, dtype, method):
    fun = rosen if n > 1 else lambda x: float((x[0] ** 2 - 1) ** 2)
    jac = rosen_der if n > 1 else lambda x: 4 * x * (x**2 - 1)
    operator = quasinewton.minimize(
        fun, np.linspace(-1.0, 2.0, n).astype(dtype), jac=jac, method=method,
        options={"memory": 4, "maxiter": 12},
    ).hess  # fmt: skip
    rng = np.random.default_rng(n)
    b = operator @ np.eye(n)
    tolerance = 2e-4 if operator.dtype == np.float32 else 1e-9
    lam, gamma = operator.eigenvalues()
    assert np.all(np.diff(lam) >= 0.0) and lam.size <= min(n, 8)
    everything = np.sort(np.append(lam, np.full(n - lam.size, gamma)))
    size = np.abs(everything).max()
    assert np.abs(everything - np.linalg.eigvalsh(b)).max() <= tolerance * size
    for shift in (0.0, 1.5 * size, -2.0 * size):
        rhs = rng.standard_normal((n, 2))
        x = operator.solve(rhs, shift)
        assert np.abs(b @ x + shift * x - rhs).max() <= tolerance * size * np.abs(x).max()
        assert np.allclose(operator.solve(rhs[:, 0], shift), x[:, 0])
        inverse = operator.inverse(shift)
        assert np.allclose(inverse @ rhs, x) and np.allclose(inverse.T @ rhs, x)


def test_iterative_solvers_take_the_operator():
    result = quasinewton.minimize(
        rosen, np.full(50, 0.5), jac=rosen_der, method="arc_lbfgs", options={"maxiter": 20}
    )
    operator = result.hess
    assert aslinearoperator(operator) is operator
    lam, gamma = operator.eigenvalues()
    top = eigsh(operator, k=1, which="LA", return_eigenvectors=False)[0]
    assert top == pytest.approx(max(lam.max(), gamma))
    b = np.ones(50)
    x, failed = cg(operator, b, rtol=1e-10, M=operator.inverse())
    assert not failed and np.allclose(x, operator.solve(b), rtol=1e-6)
    strategy = updated(quasinewton.LSR1(), pairs(50, 4), 50)
    assert np.allclose(aslinearoperator(strategy) @ b, strategy.dot(b))
    assert np.allclose(strategy.as_operator() @ b, strategy.dot(b))


def test_singular_systems():
    strategy = quasinewton.LSR1(init_scale=2.0)
    strategy.initialize(40, "hess")
    s = np.zeros(40)
    s[3] = 1.0
    strategy.update(s, -3.0 * s)
    operator = strategy.as_operator()
    for shift in (3.0, -2.0):
        with pytest.raises(np.linalg.LinAlgError, match="singular for shift"):
            operator.solve(np.ones(40), shift)
        with pytest.raises(np.linalg.LinAlgError):
            operator.inverse(shift) @ np.ones(40)
    with pytest.raises(ValueError, match=r"`b` must have shape \(40,\)"):
        operator.solve(np.ones(39))


def test_zero_is_singular():
    from quasinewton.models.model import CompactModel

    operator = ModelOperator(CompactModel(5, 2, gamma=0.0))
    with pytest.raises(np.linalg.LinAlgError):
        operator.solve(np.ones(5))
    assert np.allclose(operator.solve(np.ones(5), shift=2.0), 0.5)
