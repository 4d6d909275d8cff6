"""`check_curvature` with constraints: the verdict on the critical cone, and the way on."""

from __future__ import annotations

import dataclasses
import pickle
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, lsq_linear

from quasinewton import Solver, Status, minimize
from quasinewton.methods import CONSTRAINED
from quasinewton.methods.tangent import Tangent

CHECK = {"check_curvature": True}
INF = np.inf


@dataclasses.dataclass
class Case:
    """A problem whose start meets the conditions of first order and is no minimum."""

    name: str
    x0: list[float]
    least: float
    f: Callable
    g: Callable
    h: Callable
    c: Callable
    jac: Callable
    ch: Callable  # (x, v) -> the sum of v_i Hess c_i
    sides: tuple
    lower: list[float]
    upper: list[float]
    strict: bool = True  # whether the least f is at a point with definite second derivatives

    def inside(self, x):
        assert np.all(self.lower <= x) and np.all(x <= self.upper)
        return x

    def call(self, by="products"):
        second = {"hess": lambda x, v: self.ch(self.inside(x), v)} if by == "products" else {}
        jac = {} if by == "values" else {"jac": lambda x: self.jac(self.inside(x))}
        constraint = NonlinearConstraint(
            lambda x: self.c(self.inside(x)), *self.sides, **jac, **second
        )
        call = {
            "fun": lambda x: self.f(self.inside(x)), "x0": self.x0,
            "bounds": Bounds(self.lower, self.upper), "constraints": constraint,
        }  # fmt: skip
        if by != "values":
            call["jac"] = lambda x: self.g(self.inside(x))
        if by == "products":
            call["hessp"] = lambda x, d: self.h(self.inside(x)) @ d
        return call


def flat(n):
    return lambda x: np.zeros((n, n))


CASES = [
    Case(
        "along a linear equation", [0.0, 1.0], 0.75,
        lambda x: -(x[0] ** 2) + x[1] + x[0] ** 4,
        lambda x: np.array([-2 * x[0] + 4 * x[0] ** 3, 1.0]),
        lambda x: np.diag([12 * x[0] ** 2 - 2, 0.0]),
        lambda x: x[1], lambda x: np.array([[0.0, 1.0]]), lambda x, v: np.zeros((2, 2)),
        (1.0, 1.0), [-INF] * 2, [INF] * 2,
    ),
    Case(
        "the maximum on a circle", [0.0, 1.0], -1.0,
        lambda x: x[1], lambda x: np.array([0.0, 1.0]), flat(2),
        lambda x: x @ x, lambda x: 2 * x[None], lambda x, v: 2 * v[0] * np.eye(2),
        (1.0, 1.0), [-INF] * 2, [INF] * 2,
    ),
    Case(
        "a saddle on a sphere", [0.0, 1.0, 0.0], 1.0,
        lambda x: x @ ([1.0, 2.0, 3.0] * x), lambda x: 2 * np.array([1.0, 2.0, 3.0]) * x,
        lambda x: np.diag([2.0, 4.0, 6.0]),
        lambda x: x @ x, lambda x: 2 * x[None], lambda x, v: 2 * v[0] * np.eye(3),
        (1.0, 1.0), [-INF] * 3, [INF] * 3,
    ),
    Case(  # f is linear: all the curvature is that of the constraint, whose side must be kept
        "out of a ball", [0.0, 2.0], -2.0,
        lambda x: x[1], lambda x: np.array([0.0, 1.0]), flat(2),
        lambda x: x @ x, lambda x: 2 * x[None], lambda x, v: 2 * v[0] * np.eye(2),
        (4.0, INF), [-3.0, -2.0], [3.0, 5.0], False,
    ),
    Case(
        "problem 33 of Hock and Schittkowski", [0.0, 0.0, 2.0], np.sqrt(2) - 6,
        lambda x: (x[0] - 1) * (x[0] - 2) * (x[0] - 3) + x[2],
        lambda x: np.array([3 * x[0] ** 2 - 12 * x[0] + 11, 0.0, 1.0]),
        lambda x: np.diag([6 * x[0] - 12, 0.0, 0.0]),
        lambda x: np.array([x[2] ** 2 - x[0] ** 2 - x[1] ** 2, x @ x]),
        lambda x: np.array([[-2 * x[0], -2 * x[1], 2 * x[2]], 2 * x]),
        lambda x, v: np.diag(2 * (v[0] * np.array([-1, -1, 1]) + v[1])),
        ([0, 4], [INF, INF]), [0.0, 0.0, 0.0], [INF, INF, 5.0],
    ),
    Case(
        "a vertex without multipliers", [0.0] * 4, -16.0,
        lambda x: -x[0] * x[2] - x[1] * x[3], lambda x: -x[[2, 3, 0, 1]],
        lambda x: -np.eye(4)[[2, 3, 0, 1]],
        lambda x: np.array([x[0] + x[1], x[1] + x[2], x[2] + x[3], x.sum()]),
        lambda x: np.array([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]]),
        lambda x, v: np.zeros((4, 4)), (-INF, [5, 5, 5, 8]), [0.0] * 4, [5.0] * 4,
    ),
    Case(  # the eigenvector of -1 points out on both sides; a direction in the cone has less
        "a wedge of constraints without multipliers", [0.0, 0.0, 1.0], -1.25,
        lambda x: -x[0] * x[1] - 0.25 * x[0] ** 2 + x[2],
        lambda x: np.array([-x[1] - 0.5 * x[0], -x[0], 1.0]),
        lambda x: np.array([[-0.5, -1, 0], [-1, 0, 0], [0, 0, 0]]),
        lambda x: np.array([x[1] - 2 * x[0], x[1] + 2 * x[0], x[2], x[0], x[1]]),
        lambda x: np.array([[-2.0, 1, 0], [2, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        lambda x, v: np.zeros((3, 3)),
        ([-INF, -INF, 1, -2, -2], [0, 0, 1, 2, 2]), [-INF] * 3, [INF] * 3,
    ),
]  # fmt: skip


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("by", ["products", "gradients", "values"])
def test_what_is_no_minimum_is_left(case, method, by):
    if by == "values" and CONSTRAINED[method].second:
        pytest.skip("sqp_newton needs the Jacobian")
    start = np.array(case.x0)
    result = minimize(**case.call(by), method=method, options=CHECK)
    assert result.success and result.constr_violation <= 1e-7
    assert result.fun < case.f(start) - 1e-3
    assert result.curvature.verdict != "saddle"
    assert result.fun == pytest.approx(case.least, abs=1e-5)
    if case.strict:
        assert result.curvature.verdict == "minimum"
    if by == "products":
        assert result.nhev > 0


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_model_knows_nothing_of_is_glanced_at(case, method):
    """Without the option too: the start meets the conditions of first order."""
    start = np.array(case.x0)
    stuck = minimize(**case.call("gradients"), method=method, options={"maxfev": 1})
    assert stuck.success and np.array_equal(stuck.x, start) and stuck.nfev == 1
    assert stuck.curvature.verdict == "undetermined"
    result = minimize(**case.call("gradients"), method=method)
    assert result.success and result.constr_violation <= 1e-7
    assert result.fun == pytest.approx(case.least, abs=1e-5)
    assert result.curvature.verdict == "undetermined" and result.curvature.source == "none"


def bowl(x):
    return 0.5 * x @ ([1.0, 2.0, 3.0] * x), [1.0, 2.0, 3.0] * x


@pytest.mark.parametrize("method", CONSTRAINED)
def test_a_glance_at_a_minimum_takes_two_points_at_most(method):
    second = {"hess": lambda x: np.diag([1.0, 2.0, 3.0])} if CONSTRAINED[method].second else {}
    plane = LinearConstraint([[1.0, 1.0, 1.0]], 0.0, 0.0)
    points = []

    def fun(x):
        points.append(x.copy())
        return bowl(x)

    result = minimize(fun, np.zeros(3), jac=True, constraints=plane, method=method, **second)
    assert result.success and not result.x.any() and result.nfev == len(points) == 3
    assert result.nit == 2
    np.testing.assert_allclose(np.sum(points, axis=1), 0.0, atol=1e-10)  # on the constraint
    # What pairs have told of is not looked at, nor is anything where no point is left.
    for x0 in (np.array([3.1, -1.0, 0.7]), np.array([-1.0, 3.0, 2.0])):
        result = minimize(bowl, x0, jac=True, constraints=plane, method=method, **second, tol=1e-9)
        steps = minimize(bowl, x0, jac=True, constraints=plane, method=method, tol=1e-9, **second,
                         options={"maxiter": result.nit - 1})  # fmt: skip
        assert result.success and not steps.success  # the last iteration was a step
    limited = minimize(bowl, np.zeros(3), jac=True, constraints=plane, method=method, **second,
                       options={"maxfev": 1})  # fmt: skip
    assert limited.success and limited.nfev == 1
    limited = minimize(bowl, np.zeros(3), jac=True, constraints=plane, method=method, **second,
                       options={"maxiter": 1})  # fmt: skip
    assert limited.success and limited.nit == 1
    vertex = LinearConstraint(np.eye(3), 1.0, 2.0)
    result = minimize(bowl, np.ones(3), jac=True, constraints=vertex, method=method, **second)
    assert result.success and result.nfev == 1


def test_a_glance_of_newton_sees_what_bends_down():
    """Stationary along the way after one step from x0, by symmetry; no step had a part along x0."""

    def fun(x):
        f = -(x[0] ** 2) + x[0] ** 4 + (x[1] - 1) ** 2 + x[2]
        return f, np.array([-2 * x[0] + 4 * x[0] ** 3, 2 * (x[1] - 1), 1.0])

    seen = []

    def watched(x):
        seen.append(x.copy())
        return fun(x)

    result = minimize(
        watched, [0.0, 3.0, 0.0], jac=True, method="sqp_newton",
        hess=lambda x: np.diag([12 * x[0] ** 2 - 2, 2.0, 0.0]),
        constraints=LinearConstraint([[0.0, 0.0, 1.0]], 0, 0),
    )  # fmt: skip
    assert any(np.allclose(x, [0.0, 1.0, 0.0], atol=1e-6) for x in seen)  # the saddle
    assert result.success and result.fun == pytest.approx(-0.25, abs=1e-8)


@settings(max_examples=40, deadline=None)
@example(958)
@given(st.integers(0, 10**6))
def test_a_glance_does_no_harm_to_convex_problems(seed):
    """Semidefinite, so that any direction may be flat: nothing looks lower, and x stays."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    half = rng.integers(-1, 2, (int(rng.integers(0, n)), n)).astype(float)
    h = half.T @ half
    rows = rng.integers(-1, 2, (int(rng.integers(1, 4)), n)).astype(float)
    g = rng.integers(0, 2) * rng.standard_normal(len(rows)) @ rows
    x0 = np.zeros(n)

    def fun(x):
        return 0.5 * x @ h @ x + g @ x, h @ x + g

    box = Bounds(-rng.integers(0, 2, n), np.ones(n))
    constraints = LinearConstraint(rows, 0.0, 0.0)
    call = {"fun": fun, "x0": x0, "jac": True, "bounds": box, "constraints": constraints}
    if minimize(**call, options={"maxfev": 1}).success:  # but for multipliers that are not exact
        result = minimize(**call)
        assert result.success and np.array_equal(result.x, x0) and result.nfev <= 3


def test_a_minimum_on_the_cone_is_no_saddle():
    """H has the eigenvalue -1, along a direction that is feasible on neither side."""

    def fun(x):
        return x[0] * x[1], np.array([x[1], x[0], 0.0])

    for sides in (LinearConstraint(np.eye(2, 3), 0, INF), LinearConstraint([[0, 0, 1.0]], 0, 0)):
        result = minimize(
            fun, np.zeros(3), jac=True, constraints=sides, options=CHECK,
            bounds=Bounds([0, 0, -INF], INF) if sides.A.shape[0] == 1 else None,
        )  # fmt: skip
        assert result.success and result.fun == 0.0
        assert result.curvature.verdict == "undetermined"
        assert result.curvature.eigenvalue == pytest.approx(-1.0, rel=0.01)


def test_multipliers_alone_make_a_minimum():
    """A vertex: no direction is left, whatever the curvature."""
    result = minimize(
        lambda x: (x.sum() - x @ x, 1 - 2 * x), np.zeros(2), jac=True,
        constraints=LinearConstraint(np.eye(2), 0, 0.25), options=CHECK,
    )  # fmt: skip
    assert result.success and result.nfev == 1
    assert result.curvature.verdict == "minimum" and result.curvature.direction is None


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("bounds", [None, [(-1.0, 2.0), (0.0, None)]])
def test_without_any_constraint(method, bounds):
    def fun(x):
        return x[0] ** 2 - x[1] ** 2 + 0.5 * x[1] ** 4, np.array(
            [2 * x[0], -2 * x[1] + 2 * x[1] ** 3]
        )

    result = minimize(fun, [0.0, 0.0], jac=True, method=method, bounds=bounds, options=CHECK)
    assert result.success and result.fun == pytest.approx(-0.5, abs=1e-8)
    assert result.curvature.verdict == "minimum"


def random_problem(seed):
    """An indefinite quadratic with equations, sides and a box, and its parts."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))
    h = rng.standard_normal((n, n))
    h = h + h.T
    g = rng.standard_normal(n) * (rng.random(n) < 0.5)
    p = int(rng.integers(1, n + 1))
    rows = rng.integers(-2, 3, (p, n)).astype(float)
    lower = np.where(rng.random(p) < 0.4, 0.0, -1.0)
    upper = np.where((lower == 0.0) & (rng.random(p) < 0.5), 0.0, rng.integers(0, 3, p))
    return h, g, rows, lower, upper, Bounds(-np.ones(n) * rng.integers(0, 2, n), np.ones(n))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(CONSTRAINED)))
def test_against_the_dense_reduced_hessian(seed, method):
    h, g, rows, lower, upper, box = random_problem(seed)
    n = len(g)

    def fun(x):
        assert np.all(box.lb <= x) and np.all(x <= box.ub)
        return 0.5 * x @ h @ x + g @ x, h @ x + g

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = minimize(
            fun, np.zeros(n), jac=True, hess=lambda x: h, bounds=box, method=method,
            constraints=LinearConstraint(rows, lower, upper), options={**CHECK, "gtol": 1e-7},
        )  # fmt: skip
    assert result.curvature.verdict != "saddle"
    if not result.success:
        return
    x, (v,) = result.x, result.v
    multipliers = h @ x + g + v @ rows
    held = [r for r, v_i, low, up in zip(rows, v, lower, upper, strict=True)
            if low == up or abs(v_i) * np.linalg.norm(r) > 1e-7]  # fmt: skip
    held += [e for e, z, s in zip(np.eye(n), multipliers, result.active, strict=True)
             if s and abs(z) > 1e-7]  # fmt: skip
    z = null_space(np.array(held)) if held else np.eye(n)
    least = np.linalg.eigvalsh(z.T @ h @ z)[0] if z.size else np.nan
    if result.curvature.verdict == "minimum":
        assert not z.size or least > 0.0
    if result.curvature.verdict == "minimum" and z.shape[1]:
        assert result.curvature.eigenvalue == pytest.approx(least, rel=1e-4, abs=1e-6)
    if z.size and least > 1e-3:
        assert result.curvature.verdict == "minimum"
    # No direction along all that is active, which is feasible on both sides, bends down.
    values = rows @ x
    active = [r for r, c, low, up in zip(rows, values, lower, upper, strict=True)
              if min(abs(c - low), abs(c - up)) <= 1e-6]  # fmt: skip
    active += [e for e, s in zip(np.eye(n), result.active, strict=True) if s]
    z = null_space(np.array(active)) if active else np.eye(n)
    if z.size:
        assert np.linalg.eigvalsh(z.T @ h @ z)[0] >= -1e-5 * np.abs(h).max()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_cone_against_least_squares(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 8))
    rows = rng.standard_normal((int(rng.integers(0, n + 1)), n))
    if len(rows) > 1:
        rows[-1] = rows[0]  # dependent
    sides = rng.standard_normal((int(rng.integers(0, 4)), n))
    free, active = rng.random(n) < 0.8, rng.integers(-1, 2, n)
    tangent = Tangent(rows, free, sides, active)
    held = np.concatenate([rows, np.eye(n)[~free]])
    z = null_space(held) if len(held) else np.eye(n)
    assert tangent.size == z.shape[1]
    v = rng.standard_normal(n)
    along = tangent.project(v)
    np.testing.assert_allclose(along, z @ (z.T @ v), atol=1e-10)
    np.testing.assert_allclose(tangent.project(np.array([v, v]))[1], along, atol=1e-12)
    d = tangent.into_cone(along)
    np.testing.assert_allclose(tangent.project(d), d, atol=1e-10)
    bounds = np.eye(n)[free & (active != 0)] * active[free & (active != 0)][:, None]
    all_sides = np.concatenate([sides, bounds])
    assert np.all(all_sides @ d <= 1e-8)
    # Next to v: what is left is a sum of the sides' gradients that are active, outwards.
    normals = (all_sides @ z)[np.abs(all_sides @ d) <= 1e-8].T
    left = z.T @ (along - d)
    if normals.size:
        left = left - normals @ lsq_linear(normals, left, (0, INF), method="bvls").x
    assert np.abs(left).max(initial=0.0) <= 1e-6


def advance(solver, case):
    """Answer what the solver asks for."""
    if (d := solver.direction) is not None:
        x = solver.x
        solver.tell_product((case.h(x) + case.ch(x, solver.multipliers)) @ d)
        return
    x = case.inside(solver.ask())
    solver.tell(case.f(x), lambda: case.g(x), np.atleast_1d(case.c(x)), lambda: case.jac(x))


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_stepped_by_hand_and_saved_within_the_check(case, method, check, tmp_path):
    """And within the glance that a run takes without the option."""
    options = {"check_curvature": check, "history": True, "return_all": True}

    def new():
        values = np.atleast_1d(case.c(np.array(case.x0)))
        sides = Bounds(*np.broadcast_arrays(*case.sides, values)[:2])
        return Solver(case.x0, method, options, Bounds(case.lower, case.upper), sides)

    solver, other = new(), new()
    steps = 0
    while solver.running:
        if steps:  # before the first value no state has the constraints
            other.save(tmp_path / "run.npz")
            other = Solver.load(tmp_path / "run.npz")
        advance(solver, case)
        advance(other, case)
        steps += 1
    other.save(tmp_path / "run.npz")
    a, b = solver.result(), Solver.load(tmp_path / "run.npz").result()
    assert a.success and a.fun < case.f(np.array(case.x0)) - 1e-3
    assert a.x.tobytes() == b.x.tobytes()
    assert (a.nit, a.nfev, a.njev, a.nhev) == (b.nit, b.nfev, b.njev, b.nhev)
    assert a.curvature.verdict == b.curvature.verdict
    assert np.array_equal(a.curvature.eigenvalue, b.curvature.eigenvalue, equal_nan=True)
    if a.curvature.direction is not None:
        assert np.array_equal(a.curvature.direction, b.curvature.direction)
    assert len(a.allvecs) == 1 + int(np.sum(a.history["accepted"]))


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("limit", range(1, 12))
def test_limits_hold_within_the_check(method, limit):
    case, points = CASES[4], []
    call = case.call("gradients")
    fun = call.pop("fun")
    result = minimize(lambda x: points.append(x) or fun(x), **call, method=method,
                      options={**CHECK, "maxfev": limit})  # fmt: skip
    assert len(points) == result.nfev <= limit
    assert (result.status == Status.MAXFEV) != result.success
    assert result.constr_violation <= 1e-7 and result.fun <= -4.0
    result = minimize(fun, **call, method=method, options={**CHECK, "maxiter": limit})
    assert result.nit <= limit and (result.status == Status.MAXITER) != result.success


@pytest.mark.parametrize("limit", range(3, 16))
def test_a_limit_within_a_glance_is_no_failure(limit):
    """The start is stationary, as three values tell; so is the saddle if that cannot be left."""
    case, points = CASES[1], []
    call = case.call("values")
    fun = call.pop("fun")
    result = minimize(lambda x: points.append(x) or fun(x), **call, options={"maxfev": limit})
    assert len(points) == result.nfev <= limit
    assert result.success or (result.nfev == limit and result.status == Status.MAXFEV)
    if result.nit < 2:
        assert result.success and np.array_equal(result.x, case.x0)
    assert result.fun <= 1.0 + 1e-9


def test_a_limit_within_the_check_leaves_the_verdict_that_is_known():
    """The first trial from the top of a circle misses it by as much as it is long."""
    case = CASES[1]
    result = minimize(**case.call(), options={**CHECK, "maxiter": 1})
    assert result.status == Status.MAXITER and np.array_equal(result.x, case.x0)
    assert result.curvature.verdict == "saddle"
    # f + v (x.x - 1) with v = -1/2
    assert result.curvature.eigenvalue == pytest.approx(-1.0)
    np.testing.assert_allclose(abs(result.curvature.direction), [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_leaves_it_undetermined(method, bad):
    case = CASES[1]
    call = case.call("gradients")
    call["hessp"] = lambda x, d: np.full(2, bad)
    result = minimize(**call, method=method, options=CHECK)
    assert result.curvature.verdict == "undetermined"
    start = np.array(case.x0)

    def fun(x):  # none but the start has a value
        return (case.f(x) if np.array_equal(x, start) else bad), case.g(x)

    result = minimize(**(call | {"fun": fun, "jac": True}), method=method, options=CHECK)
    assert result.success and np.array_equal(result.x, start)
    assert result.curvature.verdict == "undetermined"
    constraint = NonlinearConstraint(
        lambda x: x @ x if np.array_equal(x, start) else bad, 1, 1, jac=case.jac
    )
    result = minimize(**(call | {"constraints": constraint}), method=method, options=CHECK)
    assert result.success and np.array_equal(result.x, start)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
@pytest.mark.parametrize("case", CASES[:6], ids=lambda case: case.name)
def test_the_unit_of_f_does_not_matter(case, scale):
    call = case.call("gradients")
    fun, jac = call["fun"], call["jac"]
    call |= {"fun": lambda x: scale * fun(x), "jac": lambda x: scale * jac(x)}
    result = minimize(**call, options={**CHECK, "gtol": 1e-5 * scale})
    assert result.success and result.fun == pytest.approx(scale * case.least, rel=1e-4)


def test_trials_keep_linear_constraints():
    """f has no value outside of the half-planes, on whose edge the saddle is."""
    rows = np.array([[0.0, 1.0], [1.0, 1.0]])

    def fun(x):
        assert np.all(rows @ x <= [1.0, 1.5])
        return -(x[0] ** 2) - x[1], np.array([-2 * x[0], -1.0])

    kept = LinearConstraint(rows, -INF, [1.0, 1.5], keep_feasible=True)
    call = {"x0": [0.0, 1.0], "jac": True, "bounds": [(-2, 3), (-2, 2)], "constraints": kept}

    def hessp(x, d):  # differences of gradients would keep the bounds only
        return np.array([-2 * d[0], 0.0])

    for method in CONSTRAINED:
        result = minimize(fun, **call, hessp=hessp, options=CHECK, method=method)
        assert result.success and result.fun <= -5.0 + 1e-5
        assert result.curvature.verdict == "minimum"
    result = minimize(fun, **call)
    assert result.success and result.fun <= -5.0 + 1e-5


@pytest.mark.parametrize("method", CONSTRAINED)
def test_many_variables(method):
    """n = 300: no matrix in the variables. On a sphere x^T D x has its saddles along the axes."""
    n = 300
    weights = 1.0 + np.arange(n) % 4
    sphere = NonlinearConstraint(lambda x: x @ x, 1, 1, jac=lambda x: 2 * x)
    x0 = np.zeros(n)
    x0[2] = 1.0
    call = {
        "fun": lambda x: (x @ (weights * x), 2 * weights * x), "x0": x0, "jac": True,
        "constraints": sphere, "method": method,
    }  # fmt: skip
    assert minimize(**call).fun == 3.0
    result = minimize(**call, options=CHECK)
    assert result.success and result.fun == pytest.approx(1.0, abs=1e-6)
    assert result.curvature.verdict == "undetermined"  # 75 coordinates have the least weight


def test_single_precision():
    case = CASES[4]
    call = case.call("gradients") | {"x0": np.array(case.x0, np.float32)}
    result = minimize(**call, options={**CHECK, "gtol": 1e-3, "constr_tol": 1e-4})
    assert result.x.dtype == np.float32
    assert result.fun == pytest.approx(case.least, abs=1e-2)


def test_a_check_is_ended_by_the_option(tmp_path):
    case = CASES[2]
    sides = Bounds([1.0], [1.0])
    for method in CONSTRAINED:
        solver = Solver(case.x0, method, CHECK, constraints=sides)
        advance(solver, case)
        assert solver.running and solver.direction is not None
        solver.save(tmp_path / "run.npz")
        ended = Solver.load(tmp_path / "run.npz", {"check_curvature": False})
        assert ended.direction is None and ended.result().curvature.verdict == "undetermined"
        assert ended.running  # a glance is what is left
        ended.save(tmp_path / "run.npz")
        checked = Solver.load(tmp_path / "run.npz", {"check_curvature": True})
        assert checked.direction is not None
        assert np.array_equal(checked.direction, solver.direction)


def test_second_derivatives_are_used_without_a_warning():
    case, products = CASES[1], []

    def hessp(x, d):
        products.append(d)
        return case.h(x) @ d

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = minimize(**(case.call() | {"hessp": hessp}), method="sqp_hybrid", options=CHECK)
    assert len(products) == result.nhev > 0 and result.constr_nhev == [2]  # at two points


@settings(max_examples=60, deadline=None)
@example(8217, "sqp_newton")  # a first product that is not finite, of the step to the constraints
@given(st.integers(0, 10**6), st.sampled_from(sorted(CONSTRAINED)))
def test_any_answers(seed, method):
    """Whatever is told, points are in the bounds, and the run that is saved goes on the same."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    lower = rng.integers(-1, 1, n).astype(float)
    box = Bounds(lower, lower + rng.integers(0, 3, n))
    sides = Bounds(np.zeros(p), rng.integers(0, 2, p))
    scale = 10.0 ** rng.choice([-100, 0, 0, 0, 100])
    options = {"gtol": rng.choice([1e-5, 1.0, 1e300]), "constr_tol": 10.0, "maxiter": 20,
               "check_curvature": bool(rng.integers(0, 2))}  # fmt: skip

    def number(*shape):
        values = scale * rng.integers(-2, 3, shape)
        return np.where(rng.random(shape) < 0.03, rng.choice([np.nan, INF, -INF], shape), values)

    with np.errstate(all="raise", under="ignore"):
        solver = Solver(box.lb, method, options, box, sides)
        for _ in range(60):
            if not solver.running:
                break
            other = pickle.loads(pickle.dumps(solver)) if solver.counts.nfev else None
            if (d := solver.direction) is not None:
                assert np.isfinite(d).all() and np.isfinite(solver.multipliers).all()
                told = [number(n)]
            else:
                x = solver.ask()
                assert np.all(box.lb <= x) and np.all(x <= box.ub)
                told = [float(number()), number(n), number(p), number(p, n)]
            for one in (solver, other) if other else (solver,):
                (one.tell_product if len(told) == 1 else one.tell)(*told)
            if other is not None:
                assert other.status == solver.status and np.array_equal(other.x, solver.x)
                if solver.running and solver.direction is None:
                    assert np.array_equal(other.ask(), solver.ask())
    assert solver.result().curvature.verdict in ("minimum", "saddle", "undetermined")
