"""The verdict on the curvature, and the way on from a saddle or a maximum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod
from stepping import step

from quasinewton import Solver, Status, minimize, problems
from quasinewton.methods import METHODS, QUASI_NEWTON


def saddle(x):
    """x0^2 - x1^2, bounded by a quartic: minima at (0, +-1)."""
    return x[0] ** 2 - x[1] ** 2 + 0.5 * x[1] ** 4


def saddle_grad(x):
    return np.array([2 * x[0], -2 * x[1] + 2 * x[1] ** 3])


def saddle_hessp(x, p):
    return np.array([2 * p[0], (-2 + 6 * x[1] ** 2) * p[1]])


def monkey(x):
    return x[0] ** 3 - 3 * x[0] * x[1] ** 2 + 0.25 * (x @ x) ** 2


def monkey_grad(x):
    return np.array([3 * x[0] ** 2 - 3 * x[1] ** 2, -6 * x[0] * x[1]]) + (x @ x) * x


def monkey_hessp(x, p):
    h = np.array([[6 * x[0], -6 * x[1]], [-6 * x[1], -6 * x[0]]])
    return h @ p + (x @ x) * p + 2 * x * (x @ p)


def sines(x):
    return float(np.sum(np.sin(x)))


def sines_hessp(x, p):
    return -np.sin(x) * p


LEFT = [
    (saddle, saddle_grad, saddle_hessp, np.zeros(2), -0.5),
    (monkey, monkey_grad, monkey_hessp, np.zeros(2), -6.75),
    (sines, np.cos, sines_hessp, np.full(3, np.pi / 2), -3.0),
    (sines, np.cos, sines_hessp, np.array([np.pi / 2, -np.pi / 2]), -2.0),
]
IDS = ["saddle", "monkey", "maximum of sin", "saddle of sin"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("fun", "jac", "hessp", "x0", "least"), LEFT, ids=IDS)
@pytest.mark.parametrize("by", ["products", "gradients", "values"])
def test_what_is_no_minimum_is_left(method, fun, jac, hessp, x0, least, by):
    given = {"products": {"jac": jac, "hessp": hessp}, "gradients": {"jac": jac}, "values": {}}[by]
    r = minimize(fun, x0, method=method, options={"check_curvature": True}, **given)
    assert r.success
    assert r.fun == pytest.approx(least, abs=1e-6)
    assert r.curvature.verdict == "minimum"
    assert r.curvature.source == "products" and r.curvature.eigenvalue > 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("fun", "jac", "hessp", "x0", "least"), LEFT[:3], ids=IDS[:3])
def test_without_the_check_it_is_only_undetermined(method, fun, jac, hessp, x0, least):
    r = minimize(fun, x0, jac=jac, method=method)
    assert r.success and r.nit == 0
    assert r.curvature.verdict == "undetermined" and np.isnan(r.curvature.eigenvalue)
    assert r.curvature.direction is None and "undetermined" in repr(r.curvature)


DEGENERATE = [
    (lambda x: np.sum(x**4), lambda x: 4 * x**3, lambda x, p: 12 * x**2 * p),
    (lambda x: x[0] ** 2, lambda x: 2 * x * [1, 0, 0], lambda x, p: 2 * p * [1, 0, 0]),
    (lambda x: 1.0, np.zeros_like, lambda x, p: 0 * p),
    (lambda x: np.sum(x) ** 2, lambda x: 2 * np.sum(x) * np.ones(3), None),
    (problems.get("powell_singular").fun, problems.get("powell_singular").grad, None),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", [0.0, 0.7])
@pytest.mark.parametrize("k", range(len(DEGENERATE)))
def test_a_degenerate_minimum_is_no_saddle(method, start, k):
    fun, jac, hessp = DEGENERATE[k]
    x0 = np.full(4 if k == 4 else 3, start)
    for check in (False, True):
        r = minimize(fun, x0, jac=jac, hessp=hessp, method=method,
                     options={"check_curvature": check})  # fmt: skip
        assert r.success
        assert r.curvature.verdict != "saddle"
        if check and start == 0.0:
            assert r.fun == fun(x0) and r.curvature.verdict == "undetermined"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 5, 30])
def test_eigenvalue_against_the_dense_hessian(method, n):
    r = minimize(rosen, np.full(n, 1.1), jac=rosen_der, hessp=rosen_hess_prod, method=method,
                 options={"check_curvature": True, "gtol": 1e-8})  # fmt: skip
    values, _ = np.linalg.eigh(rosen_hess(r.x))
    assert r.success
    if n <= 5:
        assert r.curvature.verdict == "minimum"
    if r.curvature.verdict == "minimum":
        assert r.curvature.eigenvalue == pytest.approx(values[0], rel=0.1)
    assert r.curvature.eigenvalue >= values[0] * (1 - 1e-6)  # Ritz values lie above
    v = r.curvature.direction
    assert np.linalg.norm(v) == pytest.approx(1.0)
    assert v @ rosen_hess_prod(r.x, v) == pytest.approx(r.curvature.eigenvalue, rel=1e-6)


@pytest.mark.parametrize("method", sorted(QUASI_NEWTON))
def test_the_model_speaks_where_nothing_was_checked(method):
    h = np.diag([1.0, 4.0, 9.0])
    r = minimize(lambda x: 0.5 * x @ h @ x, np.ones(3), jac=lambda x: h @ x, method=method,
                 options={"gtol": 1e-10})  # fmt: skip
    assert r.success and r.curvature.source == "model"
    if method.endswith("lsr1"):  # exact on quadratics, and free to be indefinite
        assert r.curvature.verdict == "minimum"
        assert r.curvature.eigenvalue == pytest.approx(1.0, rel=1e-6)
        assert abs(r.curvature.direction[0]) == pytest.approx(1.0, abs=1e-5)
    else:
        assert r.curvature.verdict == "undetermined"


@pytest.mark.parametrize("method", METHODS)
def test_stepped_by_hand_and_saved_within_the_check(method, tmp_path):
    """A check is driven by `direction` and `ask`, as all is."""

    options = {"check_curvature": True, "history": True, "return_all": True}
    solver, other = Solver(np.zeros(2), method, options), Solver(np.zeros(2), method, options)
    while solver.running:
        other.save(tmp_path / "run.npz")
        other = Solver.load(tmp_path / "run.npz")
        step(solver, saddle, saddle_grad, saddle_hessp)
        step(other, saddle, saddle_grad, saddle_hessp)
    other.save(tmp_path / "run.npz")
    a, b = solver.result(), Solver.load(tmp_path / "run.npz").result()
    assert a.success and a.fun == pytest.approx(-0.5)
    assert np.array_equal(a.x, b.x) and a.nit == b.nit and a.nfev == b.nfev and a.nhev == b.nhev
    assert a.curvature.verdict == b.curvature.verdict == "minimum"
    assert a.curvature.eigenvalue == b.curvature.eigenvalue
    assert np.array_equal(a.curvature.direction, b.curvature.direction)
    assert len(a.allvecs) == 1 + int(np.sum(a.history["accepted"]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("limit", range(1, 12))
def test_limits_hold_within_the_check(method, limit):
    calls = 0

    def fun(x):
        nonlocal calls
        calls += 1
        return saddle(x)

    r = minimize(fun, np.zeros(2), method=method,
                 options={"check_curvature": True, "maxfev": limit})  # fmt: skip
    assert calls == r.nfev <= limit
    assert (r.status == Status.MAXFEV) != r.success
    r = minimize(saddle, np.zeros(2), jac=saddle_grad, method=method,
                 options={"check_curvature": True, "maxiter": limit})  # fmt: skip
    assert r.nit <= limit and (r.status == Status.MAXITER) != r.success


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_products_that_are_not_finite_leave_it_undetermined(method, bad):
    r = minimize(saddle, np.zeros(2), jac=saddle_grad, hessp=lambda x, p: bad * p, method=method,
                 options={"check_curvature": True})  # fmt: skip
    assert r.success and r.curvature.verdict == "undetermined"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_any_scale(method, scale):
    r = minimize(
        lambda x: scale * saddle(x), np.zeros(2), jac=lambda x: scale * saddle_grad(x),
        hessp=lambda x, p: scale * saddle_hessp(x, p), method=method,
        options={"check_curvature": True, "gtol": 1e-6 * scale},
    )  # fmt: skip
    assert r.success and r.fun == pytest.approx(-0.5 * scale)
    assert r.curvature.verdict == "minimum"


# --- warm start -----------------------------------------------------------------------


@pytest.mark.parametrize("method", sorted(QUASI_NEWTON))
@pytest.mark.parametrize("n", [3, 60])
def test_the_model_of_an_earlier_result_starts_a_new_one(method, n):
    options = {"memory": 8}
    x0 = np.linspace(0.7, 1.3, n)
    first = minimize(rosen, x0, jac=rosen_der, method=method, options={**options, "maxiter": 15})
    for memory in (3, 8, 20):  # the newest pairs that there is room for
        solver = Solver(first.x, method, {"model": first.hess, "memory": memory})
        solver.tell(first.fun, first.jac)
        new, old = solver._method.model, first.hess.model
        assert new.count == min(old.count, memory)
        for j in range(1, new.count + 1):
            a, b = new.ring["slot"][new.count - j], old.ring["slot"][old.count - j]
            assert np.array_equal(new.rows[a], old.rows[b])
            assert np.array_equal(new.rows[memory + a], old.rows[8 + b])
        if memory == 8:
            v = np.sin(np.arange(n))
            assert np.allclose(solver.result().hess @ v, first.hess @ v, rtol=1e-6)
    warm = minimize(rosen, first.x, jac=rosen_der, method=method,
                    options={"model": first.hess, **options})  # fmt: skip
    cold = minimize(rosen, first.x, jac=rosen_der, method=method, options=options)
    assert warm.success and cold.success
    assert np.abs(rosen_der(warm.x)).max() <= 1e-5


def test_a_quadratic_is_solved_by_one_warm_step():
    """The pairs of the first solve hold the whole Hessian."""
    h = np.diag([1.0, 4.0, 9.0])

    def solve(x0, **options):
        return minimize(
            lambda x: 0.5 * x @ h @ x, x0, jac=lambda x: h @ x, method="arc_lsr1",
            options={"gtol": 1e-8, **options},
        )  # fmt: skip

    first = solve([1.0, -2.0, 3.0])
    warm = solve([-3.0, 1.0, 2.0], model=first.hess)
    assert warm.success and warm.nit < solve([-3.0, 1.0, 2.0]).nit


def test_a_model_that_does_not_fit_is_named():
    model = minimize(rosen, np.zeros(3), jac=rosen_der, method="arc_lsr1").hess
    for x0, method, given, error, word in [
        (np.zeros(4), "arc_lsr1", model, ValueError, "3 variables"),
        (np.zeros(3, np.float32), "arc_lsr1", model, ValueError, "float32"),
        (np.zeros(3), "trust_cg", model, ValueError, "trust_cg"),
        (np.zeros(3), "arc_lsr1", np.eye(3), TypeError, "ndarray"),
    ]:
        with pytest.raises(error, match=word):
            minimize(rosen, x0, method=method, options={"model": given})
