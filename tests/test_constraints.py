"""Constraints: SciPy's forms of them, the methods on problems with known solutions, the loop."""

from __future__ import annotations

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, OptimizeWarning
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import quasinewton
from quasinewton import Solver, Status, minimize, problems
from quasinewton.constraints import Constraints
from quasinewton.methods import CONSTRAINED

#: Without multipliers, or at more than one stationary point that is no minimum; what is asserted of
#: them is below.
WITHOUT_MULTIPLIERS = {"hs13", "touching_discs"}
NAMES = problems.names(constrained=True)


def hs71(**changes):
    """Problem 71 of Hock and Schittkowski: two constraints, and bounds."""

    def fun(x):
        return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]

    def jac(x):
        total = x[0] + x[1] + x[2]
        return np.array([x[3] * (x[0] + total), x[0] * x[3], x[0] * x[3] + 1, x[0] * total])

    constraints = [
        NonlinearConstraint(lambda x: x @ x, 40, 40, jac=lambda x: 2 * x),
        NonlinearConstraint(lambda x: np.prod(x), 25, np.inf, jac=lambda x: np.prod(x) / x),
    ]
    call = {"fun": fun, "x0": [1.0, 5.0, 5.0, 1.0], "jac": jac, "bounds": [(1, 5)] * 4}
    return call | {"constraints": constraints} | changes


FMIN_71 = 17.0140172891


class Watched:
    """A problem's functions, which refuse points outside of the bounds."""

    def __init__(self, problem):
        self.problem = problem

    def _inside(self, x):
        b = self.problem.bounds
        assert b is None or np.all((b.lb <= x) & (x <= b.ub))
        return x

    def run(self, method, **options):
        p, c = self.problem, self.problem.constraints
        constraints = NonlinearConstraint(
            lambda x: c.fun(self._inside(x)), c.lb, c.ub, lambda x: c.jac(self._inside(x))
        )
        return minimize(
            lambda x: p.fun(self._inside(x)), p.x0, jac=p.grad, bounds=p.bounds, method=method,
            constraints=constraints, options={"maxfev": 1000, **options},
        )  # fmt: skip


def assert_stationary(problem, result, tolerance=1e-4):
    """The conditions of first order with the multipliers of the result."""
    c, x, (v,) = problem.constraints, result.x, result.v
    values = c.fun(x)
    lower, upper = (np.broadcast_to(side, values.shape) for side in (c.lb, c.ub))
    assert np.all(values >= lower - 1e-6) and np.all(values <= upper + 1e-6)
    gradient = problem.grad(x) + v @ c.jac(x)
    if problem.bounds is not None:
        b = problem.bounds
        gradient = x - np.clip(x - gradient, b.lb, b.ub)
    assert abs(gradient).max() <= tolerance * max(1.0, abs(problem.grad(x)).max())
    for v_i, c_i, low, up in zip(v, values, lower, upper, strict=True):
        gap = up - c_i if v_i > 0 else c_i - low
        assert min(abs(v_i), abs(gap)) <= tolerance * max(1.0, abs(problem.grad(x)).max())


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("name", NAMES)
def test_problems_with_known_solutions(name, method):
    problem = problems.get(name)
    result = Watched(problem).run(method)
    if name.startswith("infeasible"):
        assert result.status == Status.INFEASIBLE
        assert result.constr_violation > 0.1
        return
    if name.startswith("unbounded"):
        assert result.status == Status.UNBOUNDED
        return
    assert result.constr_violation <= 1e-6
    if name in WITHOUT_MULTIPLIERS:  # no success is claimed, or a point that is nearly stationary
        assert result.fun == pytest.approx(problem.fmin, abs=0.05)
        return
    assert result.success, result.message
    assert_stationary(problem, result)
    known = [] if problem.fmin is None else [problem.fmin, *problem.other_minima]
    if known:
        assert result.fun >= problem.fmin - 1e-5 * max(1.0, abs(problem.fmin))


def test_most_end_at_the_least_value():
    """Where there are several minima a local method may end at any; mostly it ends at the best."""
    best = known = 0
    for problem in problems.all(constrained=True):
        if problem.fmin is not None:
            known += 1
            f = Watched(problem).run(None).fun
            best += f <= problem.fmin + 1e-5 * max(1.0, abs(problem.fmin))
    assert best >= 0.85 * known


JACOBIANS = {
    "dense": lambda x: np.array([2 * x, np.prod(x) / x]),
    "sparse": lambda x: csr_array(np.array([2 * x, np.prod(x) / x])),
    "operator": lambda x: aslinearoperator(np.array([2 * x, np.prod(x) / x])),
    "2-point": "2-point",
    "3-point": "3-point",
    "cs": "cs",
}


@pytest.mark.parametrize("jac", JACOBIANS)
def test_every_kind_of_jacobian(jac):
    def fun(x):
        if not np.iscomplexobj(x):
            assert np.all((x >= 1.0) & (x <= 5.0))
        return np.array([x @ x, np.prod(x)])

    both = NonlinearConstraint(fun, [40, 25], [40, np.inf], jac=JACOBIANS[jac])
    result = minimize(**hs71(constraints=both))
    assert result.success
    assert result.fun == pytest.approx(FMIN_71, rel=1e-6)


def test_differences_are_in_a_box_of_one_point_too():
    seen = []
    bounds = Bounds([0.5, 0.5, -1], [0.5, 2, 1])
    constraint = NonlinearConstraint(lambda x: seen.append(x.copy()) or x[0] + x[1] * x[2], 1, 1)
    result = minimize(
        lambda x: ((x - 1) @ (x - 1), 2 * (x - 1)), [0.5, 0.5, 1], jac=True, bounds=bounds,
        constraints=constraint,
    )  # fmt: skip
    assert result.success
    assert all(np.all((bounds.lb <= x) & (x <= bounds.ub)) for x in seen)


def test_all_of_scipys_forms_are_one_problem():
    linear = np.array([[1.0, 1.0], [1.0, -1.0]])
    forms = [
        LinearConstraint(linear, [1, -0.2], [1, 0.2]),
        LinearConstraint(csr_array(linear), [1, -0.2], [1, 0.2]),
        [
            {"type": "eq", "fun": lambda x, a: x[0] + x[1] - a, "args": (1.0,)},
            {"type": "ineq", "fun": lambda x: 0.2 - (x[0] - x[1]), "jac": lambda x: [-1.0, 1.0]},
            {"type": "ineq", "fun": lambda x: x[0] - x[1] + 0.2},
        ],
        (
            LinearConstraint(linear[0], 1, 1),
            NonlinearConstraint(lambda x: linear[1] @ x, -0.2, 0.2),
        ),
    ]  # fmt: skip
    for constraints in forms:
        result = minimize(
            lambda x: (x[0] ** 2 + 4 * x[1] ** 2, np.array([2 * x[0], 8 * x[1]])), [3.0, 0.0],
            jac=True, constraints=constraints,
        )  # fmt: skip
        assert result.success
        np.testing.assert_allclose(result.x, [0.6, 0.4], atol=1e-6)
        assert sum(len(v) for v in result.v) == sum(len(c) for c in result.constr)


def test_through_scipy_it_is_the_same_run():
    direct = minimize(**hs71(), method="sqp_hybrid")
    through = scipy.optimize.minimize(**hs71(), method=quasinewton.sqp_hybrid)
    assert direct.x.tobytes() == through.x.tobytes()
    assert minimize(**hs71(), method=quasinewton.sqp_lsr1).method == "sqp_lsr1"


def test_multipliers_have_the_signs_that_the_page_says():
    def f(x):
        return x @ x, 2 * x

    for low, up, sign in ((1, np.inf, -1), (-np.inf, -1, 1)):
        result = minimize(
            f, [3.0, 1.0], jac=True, constraints=LinearConstraint([[1, 0]], low, up)
        )
        assert result.success
        assert result.v[0][0] == pytest.approx(2 * sign, rel=1e-5)
        np.testing.assert_allclose(result.jac + result.v[0][0] * np.array([1, 0]), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("constraints", "error", "words"),
    [
        (3, TypeError, "NonlinearConstraint"),
        ([3], TypeError, r"constraints\[0\]"),
        ({"type": "less", "fun": abs}, ValueError, "'eq' or 'ineq'"),
        ({"type": "eq"}, TypeError, "'fun' must be callable"),
        (LinearConstraint(np.eye(3), 0, 1), ValueError, r"shape \(3, 3\) for 4 variables"),
        (NonlinearConstraint(sum, 1, 0), ValueError, "lower sides <= upper sides"),
        (NonlinearConstraint(sum, np.nan, 0), ValueError, "lower sides <= upper sides"),
        (NonlinearConstraint(sum, 0, 1, jac="4-point"), TypeError, "`jac`"),
        (LinearConstraint([[np.nan, 0, 0, 0]], 0, 1), ValueError, "not finite"),
    ],
)
def test_nonsense_is_an_error_before_any_work(constraints, error, words):
    def fun(x):
        raise AssertionError("evaluated")

    with pytest.raises(error, match=words):
        minimize(**hs71(fun=fun, jac=None, constraints=constraints))


def test_wrong_shapes_are_errors_that_name_the_constraint():
    two = NonlinearConstraint(lambda x: x[:2], [0, 0, 0], 1)
    with pytest.raises(ValueError, match=r"constraints\[0\].*2 values"):
        minimize(**hs71(constraints=two))
    wrong = NonlinearConstraint(lambda x: x[:2], 0, 1, jac=lambda x: np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"constraints\[0\].*\(2, 4\)"):
        minimize(**hs71(constraints=wrong))
    none = NonlinearConstraint(lambda x: None, 0, 1)
    with pytest.raises(TypeError, match=r"constraints\[0\]"):
        minimize(**hs71(constraints=none))


def test_a_method_without_constraints_says_so():
    with pytest.raises(ValueError, match="sqp_hybrid"):
        minimize(**hs71(), method="trust_hybrid")
    with pytest.warns(RuntimeWarning, match="cannot handle constraints"):
        scipy.optimize.minimize(**hs71(), method=quasinewton.trust_hybrid)
    with pytest.raises(ValueError, match="noise"):
        minimize(**hs71(), options={"noise": 1e-3})
    kept = NonlinearConstraint(lambda x: x[0] * x[1], 0, 9, keep_feasible=True)
    with pytest.warns(OptimizeWarning, match="keep_feasible"):
        minimize(**hs71(constraints=kept))


def told(solver):
    call = hs71()
    while solver.running:
        x = solver.ask()
        c, jac = np.array([x @ x, np.prod(x)]), np.array([2 * x, np.prod(x) / x])
        solver.tell(call["fun"](x), call["jac"](x), c, jac)
        yield solver


def new_solver(**options):
    sides = Bounds([40, 25], [40, np.inf])
    return Solver(
        [1.0, 5.0, 5.0, 1.0], options=options, bounds=[(1, 5)] * 4, constraints=sides
    )


def test_ask_and_tell_is_the_same_run():
    solver = new_solver()
    for _ in told(solver):
        pass
    result = solver.result()
    direct = minimize(**hs71())
    assert result.success and result.nfev == direct.nfev
    assert result.x.tobytes() == direct.x.tobytes()
    with pytest.raises(ValueError, match="needs the functions"):
        next(new_solver().run(hs71()["fun"], hs71()["jac"]))


def test_tell_takes_callables_and_refuses_what_does_not_fit():
    call, solver, asked = hs71(), new_solver(), []
    x = solver.ask()
    with pytest.raises(TypeError, match="told their values"):
        solver.tell(1.0, np.ones(4))
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        solver.tell(1.0, np.ones(4), [40.0, 25.0], np.ones((3, 4)))
    assert solver.counts.nfev == 0
    while solver.running:
        x = solver.ask()
        solver.tell(
            call["fun"](x), lambda x=x: call["jac"](x), [x @ x, np.prod(x)],
            lambda x=x: asked.append(x) or np.array([2 * x, np.prod(x) / x]),
        )  # fmt: skip
    assert solver.status is Status.CONVERGED
    assert len(asked) <= solver.counts.nfev
    with pytest.raises(TypeError, match="of which the solver was not told"):
        Solver([1.0]).tell(1.0, [1.0], [1.0], [[1.0]])


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("name", ["hs71", "hs100", "hs93", "hs116"])
@pytest.mark.filterwarnings("ignore:method sqp_.* does not use")
def test_saved_runs_go_on_bit_for_bit(name, method, tmp_path):
    problem = problems.get(name)

    def solve(k):
        solver = Solver(problem.x0, method, None, problem.bounds, problem.constraints)
        for state in solver.run(problem.fun, problem.grad):
            if state.nit == k:
                break
        return solver

    whole = solve(-1).result()
    for k in (1, 3, 6):
        solver = solve(k)
        solver.save(tmp_path / "run.npz")
        for again in (Solver.load(tmp_path / "run.npz"), pickle.loads(pickle.dumps(solver))):
            for _ in again.run(problem.fun, problem.grad, constraints=problem.constraints):
                pass
            result = again.result()
            assert result.x.tobytes() == whole.x.tobytes()
            assert (result.nfev, result.nit, result.status) == (whole.nfev, whole.nit, whole.status)
            assert np.array_equal(result.v[0], whole.v[0])


def test_resume_by_minimize(tmp_path):
    path = tmp_path / "run.npz"
    whole = minimize(**hs71())
    minimize(**hs71(), options={"checkpoint": path, "maxiter": 3})
    again = minimize(**hs71(), resume=path, options={"maxiter": 100})
    assert again.x.tobytes() == whole.x.tobytes() and again.nfev == whole.nfev
    other = NonlinearConstraint(lambda x: np.array([x @ x, np.prod(x)]), 0, 1)
    with pytest.raises(ValueError, match="sides"):
        minimize(**hs71(constraints=other), resume=path, options={"maxiter": 100})


def test_results_travel_and_history_has_the_violation():
    result = minimize(**hs71(), options={"history": True, "return_all": True})
    assert result.history["violation"][0] == 12.0
    assert len(result.history["violation"]) == result.nit + 1
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.v[0], result.v[0])
    seen = []
    minimize(**hs71(), callback=lambda intermediate_result: seen.append(intermediate_result))
    assert all("constr_violation" in state for state in seen)


def test_what_is_not_finite_is_a_rejected_trial():
    def c(x):
        return np.array([np.nan if not 0 < x[0] <= 1.5 else np.log(x[0]), x[1]])

    result = minimize(
        lambda x: ((x[0] - 2) ** 2 + x[1] ** 2, np.array([2 * (x[0] - 2), 2 * x[1]])), [0.5, 2.0],
        jac=True, constraints=NonlinearConstraint(
            c, [-5, 0.5], [np.log(1.4), 3], jac=lambda x: np.diag([1 / x[0], 1.0])
        ),
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [1.4, 0.5], atol=1e-5)
    start = minimize(
        lambda x: (x[0], np.ones(1)), [0.0], jac=True,
        constraints=NonlinearConstraint(lambda x: np.array([np.inf]), 0, 1),
    )  # fmt: skip
    assert start.status == Status.NONFINITE_START


def test_an_exception_leaves_the_best_point():
    count = 0

    def c(x):
        nonlocal count
        count += 1
        if count == 5:
            raise RuntimeError("stop")
        return np.array([x @ x, np.prod(x)])

    constraint = NonlinearConstraint(c, [40, 25], [40, np.inf], jac=JACOBIANS["dense"])
    with pytest.raises(RuntimeError) as caught:
        minimize(**hs71(constraints=constraint))
    result = caught.value.result
    assert result.status == Status.EXCEPTION
    assert result.constr_violation < 12.0


def test_limits_end_with_the_best_point_and_a_true_status():
    for options, status in (({"maxfev": 4}, Status.MAXFEV), ({"maxiter": 2}, Status.MAXITER)):
        result = minimize(**hs71(), options=options)
        assert result.status == status and not result.success
        c = np.array([result.x @ result.x, np.prod(result.x)])
        np.testing.assert_array_equal(np.concatenate(result.constr), c)


@pytest.mark.parametrize("exponent", [-60, -6, 6, 60])
def test_the_unit_of_f_does_not_matter(exponent):
    unit, call = 10.0**exponent, hs71()
    result = minimize(
        lambda x: unit * call["fun"](x), call["x0"], jac=lambda x: unit * call["jac"](x),
        bounds=call["bounds"], constraints=call["constraints"],
        options={"gtol": 1e-5 * unit},
    )  # fmt: skip
    assert result.fun / unit == pytest.approx(FMIN_71, rel=1e-5)


def test_float32_and_one_variable():
    result = minimize(
        lambda x: (x[0] ** 2, 2 * x), np.float32([3.0]), jac=True,
        constraints=LinearConstraint([[1.0]], 1, 2), options={"constr_tol": 1e-5},
    )  # fmt: skip
    assert result.x.dtype == np.float32
    assert result.success and result.x[0] == pytest.approx(1.0, abs=1e-5)


def test_no_constraints_and_only_bounds():
    result = minimize(
        scipy.optimize.rosen, [-1.2, 1.0], jac=scipy.optimize.rosen_der, method="sqp_hybrid",
        bounds=[(-2, 0.5), (-2, 2)], options={"maxfev": 200},
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-4)
    assert Constraints.parse([], 2) is None and Constraints.parse(None, 2) is None


def test_a_solver_without_constraints_is_told_no_values():
    solver = Solver([-1.2, 1.0], method="sqp_hybrid")
    while solver.running:
        x = solver.ask()
        solver.tell(scipy.optimize.rosen(x), scipy.optimize.rosen_der(x))
    assert solver.result().success


def test_a_wrong_gradient_is_pointed_at():
    result = minimize(
        scipy.optimize.rosen, [-1.2, 1.0], jac=lambda x: scipy.optimize.rosen_der(x) * [1, -1],
        method="sqp_hybrid", options={"maxiter": 50},
    )  # fmt: skip
    assert not result.success and "check_derivatives" in result.message


def test_many_variables_and_few_constraints():
    """With more variables than a matrix is kept for: rows of pairs and of the Jacobian."""
    n, p = 3000, 4
    target = np.sin(np.arange(n) * 0.01)
    jac = np.kron(np.eye(p), np.ones(n // p)) / (n // p)

    result = minimize(
        lambda x: (0.5 * (x - target) @ (x - target), x - target), np.zeros(n), jac=True,
        bounds=Bounds(-0.9, 0.9),
        constraints=[
            LinearConstraint(jac[:2], 0.3, 0.3),
            NonlinearConstraint(
                lambda x: np.array([np.mean(x[n // 2 :] ** 2)]), -np.inf, 0.1,
                jac=lambda x: (np.r_[np.zeros(n // 2), x[n // 2 :]] * 4 / n)[None, :],
            ),
        ],
    )  # fmt: skip
    assert result.success
    assert result.constr_violation <= 1e-7
    v = np.concatenate(result.v)
    full = np.vstack([jac[:2], np.r_[np.zeros(n // 2), result.x[n // 2 :]] * 4 / n])
    gradient = result.x - target + v @ full
    assert abs(result.x - np.clip(result.x - gradient, -0.9, 0.9)).max() < 1e-4


def test_warnings_are_none_on_the_way():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minimize(**hs71())


def second_71():
    """Second derivatives of f and of the constraints, as one `NonlinearConstraint`."""

    def hess(x):
        h = np.zeros((4, 4))
        h[0] = 2 * x[3], x[3], x[3], 2 * x[0] + x[1] + x[2]
        h[3] = h[0, 3], x[0], x[0], 0.0
        return np.where(h, h, h.T)

    def c_hess(x, v):
        h = np.prod(x) / np.outer(x, x)
        np.fill_diagonal(h, 0.0)
        return v[0] * h + 2 * v[1] * np.eye(4)

    constraint = NonlinearConstraint(
        lambda x: [np.prod(x), x @ x], [25, 40], [np.inf, 40],
        jac=lambda x: np.array([np.prod(x) / x, 2 * x]), hess=c_hess,
    )  # fmt: skip
    return hess, constraint


def test_second_derivatives_choose_newton():
    hess, constraint = second_71()
    call = hs71(constraints=constraint)
    result = minimize(**call, hess=hess)
    assert result.method == "sqp_newton" and result.success
    assert result.fun == pytest.approx(FMIN_71, rel=1e-6)
    assert result.nhev > 0 and result.constr_nhev == [result.nhev]
    (v,) = result.v
    lagrangian = hess(result.x) + constraint.hess(result.x, v)
    np.testing.assert_allclose(result.hess.todense(), lagrangian, atol=1e-10)
    with pytest.warns(OptimizeWarning, match=r"does not use `constraints\[0\].hess`; sqp_newton"):
        assert minimize(**call).method == "sqp_hybrid"  # f has none
    with pytest.warns(OptimizeWarning, match="does not use `hess`; sqp_newton"):
        assert minimize(**hs71(), hess=hess).method == "sqp_hybrid"  # the constraints have none
    for form in (csr_array, aslinearoperator):  # of f, and of the constraints
        of_c = NonlinearConstraint(
            constraint.fun, constraint.lb, constraint.ub, constraint.jac,
            lambda x, v, form=form: form(constraint.hess(x, v)),
        )  # fmt: skip
        again = minimize(**hs71(constraints=of_c), hess=lambda x, form=form: form(hess(x)))
        np.testing.assert_allclose(again.x, result.x, rtol=1e-8)
    through = scipy.optimize.minimize(**call, hess=hess, method=quasinewton.sqp_newton)
    assert through.x.tobytes() == result.x.tobytes()


def test_second_derivatives_by_products_and_differences():
    hess, constraint = second_71()
    call = hs71(constraints=constraint)
    products = []

    def hessp(x, p):
        products.append(p)
        return hess(x) @ p

    result = minimize(**call, hessp=hessp)
    assert result.method == "sqp_newton" and result.success and len(products) == result.nhev
    assert result.fun == pytest.approx(FMIN_71, rel=1e-6)
    by_differences = minimize(**hs71(), method="sqp_newton")
    assert by_differences.success and by_differences.constr_nhev == [0, 0]
    assert by_differences.fun == pytest.approx(FMIN_71, rel=1e-6)
    with pytest.warns(OptimizeWarning, match="sqp_newton"):
        minimize(**call, hess=hess, method="sqp_hybrid")
    without = NonlinearConstraint(constraint.fun, constraint.lb, constraint.ub)
    with pytest.raises(ValueError, match=r"constraints\[0\].*hess"):
        minimize(**hs71(constraints=without), method="sqp_newton")


def test_products_are_told():
    hess, constraint = second_71()
    call = hs71()
    sides = Bounds(constraint.lb, constraint.ub)
    solver = Solver(call["x0"], "sqp_newton", None, call["bounds"], sides)
    while solver.running:
        if (d := solver.direction) is not None:
            lagrangian = hess(solver.x) + constraint.hess(solver.x, solver.multipliers)
            solver.tell_product(lagrangian @ d)
        else:
            x = solver.ask()
            solver.tell(call["fun"](x), call["jac"](x), constraint.fun(x), constraint.jac(x))
    assert solver.result().fun == pytest.approx(FMIN_71, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_newton_with_many_variables(seed):
    """Strictly convex, of which few products tell the step: a dense Newton method is the oracle."""
    rng = np.random.default_rng(seed)
    n, p = 250, 3
    rows = rng.standard_normal((p, n))
    curvature = np.r_[np.linspace(1.0, 2.0, n - 5), 30.0, 50.0, 80.0, 100.0, 300.0]
    goal = rng.standard_normal(n)
    products = []

    def hessp(x, d):
        products.append(d)
        return curvature * d

    result = minimize(
        lambda x: (0.5 * (x - goal) @ (curvature * (x - goal)), curvature * (x - goal)),
        np.zeros(n), jac=True, hessp=hessp, tol=1e-8,
        constraints=LinearConstraint(rows, np.full(p, 1.0), np.full(p, 1.0)),
    )  # fmt: skip
    assert result.method == "sqp_newton" and result.success
    v = np.linalg.solve(rows / curvature @ rows.T, rows @ goal - 1.0)
    np.testing.assert_allclose(result.x, goal - rows.T @ v / curvature, atol=1e-7)
    np.testing.assert_allclose(result.v[0], v, atol=1e-6)
    assert len(products) < n


@pytest.mark.parametrize("seed", range(20))
def test_linear_inequalities_are_kept(seed):
    """In polytopes, also those that are a point; x0 is inside, at a face, or at a corner."""
    rng = np.random.default_rng(seed)
    n, p = 4, 7
    rows, x0 = rng.standard_normal((2, p, n))[0], rng.standard_normal(n)
    room = rng.choice([0.0, 0.1, 5.0], p) if seed % 4 else np.zeros(p)
    top = rows @ x0 + room
    scale = 10.0 ** rng.integers(-3, 4)

    def fun(x):
        return scale * (np.sum((x - 3.0) ** 2) + np.sum(x**4)), scale * (2 * (x - 3.0) + 4 * x**3)

    def inside(x):
        assert (rows @ x <= top).all()
        return fun(x)

    result = minimize(
        inside, x0, jac=True, options={"gtol": 1e-5 * scale},
        constraints=LinearConstraint(rows, -np.inf, top, keep_feasible=True),
    )  # fmt: skip
    assert result.success
    free = minimize(
        fun, x0, jac=True, options={"gtol": 1e-5 * scale},
        constraints=LinearConstraint(rows, -np.inf, top),
    )  # fmt: skip
    assert result.fun == pytest.approx(free.fun, rel=1e-6)


def test_a_start_outside_of_what_is_kept():
    kept = LinearConstraint(np.ones(2), -np.inf, 1.0, keep_feasible=True)
    with pytest.raises(ValueError, match=r"x0.*constraints\[0\].*keep_feasible"):
        minimize(lambda x: x @ x, [1.0, 1.0], jac=lambda x: 2 * x, constraints=kept)
    with pytest.raises(ValueError, match="keep_feasible"):
        wrong = LinearConstraint(np.eye(2), 0.0, 1.0, keep_feasible=[True] * 3)
        minimize(lambda x: x @ x, [1.0, 1.0], jac=lambda x: 2 * x, constraints=wrong)


@pytest.mark.parametrize("method", CONSTRAINED)
def test_bounds_alone_and_nothing_at_all(method):
    def fun(x):
        return (x - 1.0) @ (x - 1.0), 2.0 * (x - 1.0)

    for bounds, best in ([(2.0, 4.0), (None, None)], [2.0, 1.0]), (None, [1.0, 1.0]):
        hess = (lambda x: 2.0 * np.eye(2)) if method == "sqp_newton" else None
        for second in {None, hess}:
            result = minimize(fun, [3.0, 0.0], jac=True, hess=second, method=method, bounds=bounds)
            assert result.success and result.constr == [] and result.v == []
            np.testing.assert_allclose(result.x, best, atol=1e-5)
            np.testing.assert_allclose(result.hess.todense(), result.hess.todense().T)


@pytest.mark.parametrize("method", ["sqp_hybrid", "sqp_lsr1"])
@pytest.mark.parametrize("n", [3, 300])  # a matrix, and pairs
@pytest.mark.parametrize("sides", [None, "a bound", "a line"])
def test_a_linear_f_that_nothing_holds_is_unbounded(method, n, sides):
    """Though B is but roundoff along its gradient after some steps; also with a minimum in x0."""
    call = {}
    if sides == "a bound":
        call["bounds"] = Bounds(0.0, np.r_[1.0, np.full(n - 1, np.inf)])
    if sides == "a line":
        row = np.r_[0.0, 1.0, -1.0, np.zeros(n - 3)]
        call["constraints"] = LinearConstraint(row, 0.0, 0.0)
    for start, weight in ((0.0, 0.0), (1.0, 0.0), (0.0, 1e3)):

        def fun(x, weight=weight):
            return weight * x[0] ** 2 - x[1:].sum(), np.r_[2.0 * weight * x[0], -np.ones(n - 1)]

        result = minimize(fun, np.full(n, start), jac=True, method=method, **call)
        assert result.status == Status.UNBOUNDED and result.fun < -1e99


def test_a_run_of_many_variables_holds_few_vectors_beside_its_rows():
    """The 2m rows of the pairs, those of the Jacobian, and about 20."""
    n, p = 30_000, 5
    a = np.random.default_rng(0).standard_normal((p, n)) / np.sqrt(n)
    target = np.sin(np.arange(n))

    def run(n):
        solver = Solver(
            np.zeros(n), "sqp_hybrid", bounds=Bounds(-0.9, 0.9), constraints=Bounds(-0.1, 0.1)
        )
        for _ in range(15):
            if solver.running:
                x = solver.ask()
                away = x - target[:n]
                c = a[:, :n] @ x
                solver.tell(away @ away + np.sum(away**4), 2 * away + 4 * away**3, c, a[:, :n])
        return solver

    run(300)  # compiled
    tracemalloc.start()
    solver = run(n)
    peak = tracemalloc.get_traced_memory()[1] / 8 / n
    tracemalloc.stop()
    assert solver.nit > 3
    assert peak <= 20 + p + 25


@pytest.mark.parametrize("method", CONSTRAINED)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.filterwarnings("ignore:method sqp_.* does not use")
def test_a_start_where_the_violation_is_largest_is_left(method, scale):
    # |x|^2 = 1 from its middle: the gradient of the constraint is 0, no first-order step helps
    circle = NonlinearConstraint(
        lambda x: scale * (x @ x), scale, scale, jac=lambda x: 2 * scale * x,
        hess=lambda x, v: 2 * scale * v[0] * np.eye(2),
    )  # fmt: skip
    second = {"hess": lambda x: np.zeros((2, 2))} if method == "sqp_newton" else {}
    result = minimize(
        lambda x: (x[0] + 2 * x[1], np.array([1.0, 2.0])), np.zeros(2), jac=True, method=method,
        constraints=circle, **second,
    )  # fmt: skip
    assert result.success and result.fun == pytest.approx(-np.sqrt(5.0), abs=1e-5)


def test_a_saddle_of_the_violation_is_left():
    # LOOTSMA's problem of CUTEst: at its start both gradients cancel out
    cone = NonlinearConstraint(
        lambda x: np.array([x[2] ** 2 - x[0] ** 2 - x[1] ** 2, x @ x - 4.0]), 0.0, np.inf,
        jac=lambda x: 2.0 * np.array([[-x[0], -x[1], x[2]], x]),
    )  # fmt: skip
    result = minimize(
        lambda x: x[0] ** 3 - 6 * x[0] ** 2 + 11 * x[0] + x[2], [1.0, 1.0, 0.0],
        jac=lambda x: np.array([3 * x[0] ** 2 - 12 * x[0] + 11, 0.0, 1.0]),
        bounds=[(0, None), (0, None), (0, 5)], constraints=cone,
    )  # fmt: skip
    assert result.success and result.fun == pytest.approx(np.sqrt(2.0), abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_minimum_of_the_violation_stays_infeasible(shift):
    # two half-planes apart: whatever is left, the run comes back and says so
    apart = LinearConstraint([[1.0, 1.0], [1.0, 1.0]], [1.0, -np.inf], [np.inf, -1.0])
    result = minimize(
        lambda x: (x @ x, 2 * x), np.array([shift, 0.3]), jac=True, constraints=apart
    )
    assert result.status == Status.INFEASIBLE and not result.success
    assert result.constr_violation == pytest.approx(1.0, abs=0.2)


def test_runs_that_leave_a_point_are_saved_bit_for_bit(tmp_path):
    circle = NonlinearConstraint(lambda x: x @ x, 1.0, 1.0, jac=lambda x: 2 * x)

    def solve(solver, k=-1):
        run = solver.run(
            lambda x: (x[0] + 2 * x[1], np.array([1.0, 2.0])), True, constraints=circle
        )
        for state in run:
            if state.nit == k:
                break
        return solver

    whole = solve(Solver(np.zeros(2), "sqp_hybrid", constraints=circle))
    for k in (0, 1):  # at first the point beside the start is the trial
        part = solve(Solver(np.zeros(2), "sqp_hybrid", constraints=circle), k)
        part.save(tmp_path / "run.npz")
        again = solve(Solver.load(tmp_path / "run.npz"))
        assert again.status == whole.status == Status.CONVERGED
        assert np.array_equal(again.x, whole.x) and again.nit == whole.nit


def test_weights_do_not_fall_while_the_violation_grows():
    # Rosen & Suzuki's problem as a minimax of four functions under a free variable (CUTEst's
    # ROSENMMX): far off the multipliers of steps that the length cuts are next to nothing
    def functions(x):
        a, b, c, d, u = x
        f = a**2 + b**2 + 2 * c**2 + d**2 - 5 * a - 5 * b - 21 * c + 7 * d
        more = np.array([
            0.0,
            a**2 + b**2 + c**2 + d**2 + a - b + c - d - 8,
            a**2 + 2 * b**2 + c**2 + 2 * d**2 - a - d - 10,
            2 * a**2 + b**2 + c**2 + 2 * a - b - d - 5,
        ])  # fmt: skip
        return f + 10.0 * more - u

    def slopes(x):
        a, b, c, d, _ = x
        f = np.array([2 * a - 5, 2 * b - 5, 4 * c - 21, 2 * d + 7])
        more = np.array([
            np.zeros(4),
            [2 * a + 1, 2 * b - 1, 2 * c + 1, 2 * d - 1],
            [2 * a - 1, 4 * b, 2 * c, 4 * d - 1],
            [4 * a + 2, 2 * b - 1, 2 * c, -1.0],
        ])  # fmt: skip
        return np.column_stack([f + 10.0 * more, -np.ones(4)])

    last = np.eye(5)[4]
    result = minimize(
        lambda x: (x[4], last), np.zeros(5), jac=True,
        constraints=NonlinearConstraint(functions, -np.inf, 0.0, jac=slopes),
    )  # fmt: skip
    assert result.success and result.fun == pytest.approx(-44.0, abs=1e-5)


def test_a_large_gradient_is_no_licence_for_distances():
    # the room to the bound is 2e-4, which no size of f's unit makes small
    result = minimize(
        lambda x: (1e9 * x.sum(), np.full(2, 1e9)), np.full(2, 2e-4), jac=True,
        bounds=[(0, 1)] * 2, constraints=LinearConstraint([[1.0, 1.0]], -1.0),
    )  # fmt: skip
    assert result.success and np.array_equal(result.x, np.zeros(2))


def in_units(units):
    """Problem 71, its variables so many times larger."""
    call, units = hs71(), np.asarray(units)
    fun, jac = call["fun"], call["jac"]
    constraints = [
        NonlinearConstraint(
            lambda u, c=c: c.fun(u / units), c.lb, c.ub, jac=lambda u, c=c: c.jac(u / units) / units
        )
        for c in call["constraints"]
    ]
    return {
        "fun": lambda u: fun(u / units), "jac": lambda u: jac(u / units) / units,
        "x0": np.array(call["x0"]) * units, "bounds": Bounds(units, 5 * units),
        "constraints": constraints,
    }  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-6.0, 6.0), min_size=4, max_size=4))
def test_the_units_of_variables_with_bounds_do_not_matter(exponents):
    units = 10.0 ** np.array(exponents)
    result = minimize(**in_units(units), options={"gtol": 1e-13, "maxiter": 200})
    assert abs(result.fun - FMIN_71) <= 1e-6 and result.constr_violation <= 1e-7
    assert result.hess.shape == (4, 4)


def test_runs_in_units_are_saved_bit_for_bit(tmp_path):
    call = in_units(np.array([2.0**20, 1.0, 2.0**-10, 2.0**5]))
    x0, bounds, constraints = (call.pop(name) for name in ("x0", "bounds", "constraints"))
    solver = Solver(x0, None, {"gtol": 1e-12}, bounds=bounds, constraints=constraints)
    for _, _step in zip(range(3), solver.run(**call, constraints=constraints), strict=False):
        pass
    path = str(tmp_path / "units.npz")
    solver.save(path)
    other = Solver.load(path)
    for one in (solver, other):
        for _step in one.run(**call, constraints=constraints):
            pass
    assert np.array_equal(solver.x, other.x) and solver.nit == other.nit
