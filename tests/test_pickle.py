"""Results and solvers are pickled and copied, and sent to other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der
from stepping import step

from quasinewton import LSR1, Solver, Status, minimize
from quasinewton.methods import METHODS, QUASI_NEWTON
from quasinewton.models.operator import ModelOperator

CASES = [*((method, {}) for method in METHODS), ("trust_cg", {"enriched": False})]
X0 = np.array([-1.2, 1.0, 0.7, -0.4])


def through_pickle(value):
    return pickle.loads(pickle.dumps(value))


every_case = pytest.mark.parametrize(("method", "options"), CASES)
every_way = pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, through_pickle])


def drive(solver, steps=10**6, **functions):
    while solver.running and steps > 0:
        step(solver, **functions)
        steps -= 1
    return solver


def same(a, b):
    """Two results, but for the time they took."""
    assert a.keys() == b.keys()
    for name in a.keys() - {"hess", "hess_inv", "curvature", "history", "execution_time"}:
        assert np.array_equal(a[name], b[name], equal_nan=name in ("jac", "optimality")), name
    for name in a.get("history", {}).keys() - {"time"}:
        assert np.array_equal(a.history[name], b.history[name], equal_nan=True), name
    assert repr(a.curvature) == repr(b.curvature)
    assert np.array_equal(a.curvature.direction, b.curvature.direction)
    if isinstance(a.get("hess"), ModelOperator):
        (lam, gamma), (other, gamma_other) = a.hess.eigenvalues(), b.hess.eigenvalues()
        assert np.array_equal(lam, other) and gamma == gamma_other
        v = np.linspace(1.0, 2.0, a.x.size)
        assert np.array_equal(a.hess @ v, b.hess @ v)


@every_case
@every_way
@pytest.mark.parametrize("n", [4, 60])
def test_a_copy_of_a_solver_goes_on_bit_for_bit(method, options, make, n):
    """In every phase: before the first value, between ask and tell, while a product is wanted."""
    options = {"memory": 7, "maxiter": 9, "history": True, "return_all": True, **options}
    x0 = np.sin(np.arange(n) + 1.0)
    whole = drive(Solver(x0, method, options)).result()
    solver, wanted = Solver(x0, method, options), set()
    while True:
        wanted.add(solver.direction is not None)
        solver.ask()
        same(drive(make(solver)).result(), whole)  # and leaves the original alone
        if not solver.running:
            break
        step(solver)
    same(solver.result(), whole)
    assert wanted == {False, True} if method == "trust_cg" else {False}


def well(x):
    return np.sum((x * x - 1.0) ** 2)


def well_der(x):
    return 4.0 * x * (x * x - 1.0)


def well_product(x, p):
    return (12.0 * x * x - 4.0) * p


@every_way
@pytest.mark.parametrize("method", ["arc_lsr1", "trust_cg"])
def test_in_the_middle_of_the_check_of_a_stationary_point(method, make):
    functions = {"fun": well, "grad": well_der, "hessp": well_product}
    options = {"check_curvature": True}
    whole = drive(Solver(np.zeros(3), method, options), **functions).result()
    assert whole.curvature.source == "products" and np.allclose(np.abs(whole.x), 1.0, atol=1e-3)
    solver = Solver(np.zeros(3), method, options)
    while solver.running:
        same(drive(make(solver), **functions).result(), whole)
        step(solver, **functions)


@every_case
@every_way
def test_a_copy_of_a_result_is_equal(method, options, make):
    options = {"history": True, "return_all": True, **options}
    result = minimize(rosen, X0, jac=rosen_der, method=method, options=options)
    copied = make(result)
    same(copied, result)
    if method in QUASI_NEWTON:
        b = np.linspace(1.0, 2.0, 4)
        assert np.array_equal(make(result.hess).solve(b, 1.0), result.hess.solve(b, 1.0))
        assert np.array_equal(make(result.hess.inverse(1.0)) @ b, result.hess.inverse(1.0) @ b)
        again = minimize(rosen, X0, jac=rosen_der, method=method, options={"model": copied.hess})
        warm = minimize(rosen, X0, jac=rosen_der, method=method, options={"model": result.hess})
        assert np.array_equal(again.x, warm.x) and again.nfev == warm.nfev


@every_way
def test_a_copy_of_a_hessian_for_scipy_goes_on(make):
    rng = np.random.default_rng(0)
    hess = LSR1(memory=3)
    hess.initialize(8, "hess")
    for _ in range(5):
        hess.update(rng.standard_normal(8), rng.standard_normal(8))
    copied = copy.deepcopy(hess) if make is copy.copy else make(hess)
    s, y, p = rng.standard_normal((3, 8))
    for each in (hess, copied):
        each.update(s, y)
    assert np.array_equal(copied.dot(p), hess.dot(p))


def test_a_pickle_is_not_much_larger_than_the_pairs():
    n = 5000
    result = minimize(rosen, np.full(n, 0.5), jac=rosen_der, options={"maxiter": 15})
    small = 8 * 610 * 200  # of the model, whatever n is
    assert len(pickle.dumps(result)) <= 8 * n * (16 + 4) + small


# --- other processes ------------------------------------------------------------------


def solve(x0):
    return minimize(rosen, x0, jac=rosen_der, method="arc_lsr1")


def finish(solver):
    return drive(solver)


def fails(x):
    raise ArithmeticError("mine")


def solve_what_fails(x0):
    return minimize(fails, x0, jac=rosen_der)


# JAX and newer Pythons warn of a fork beside threads, which these processes do not use.
@pytest.mark.filterwarnings("ignore:os.fork", "ignore:This process")
@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    halfway = [drive(Solver(X0, method, options), 8) for method, options in CASES]
    with multiprocessing.get_context(start).Pool(1) as pool:
        same(pool.apply(solve, (X0,)), solve(X0))
        for theirs, ours in zip(pool.map(finish, halfway), map(drive, halfway), strict=True):
            assert not theirs.running
            same(theirs.result(), ours.result())
        with pytest.raises(ArithmeticError, match="mine") as caught:
            pool.apply(solve_what_fails, (X0,))
    assert caught.value.result.status == Status.EXCEPTION
    assert np.array_equal(caught.value.result.x, X0)
