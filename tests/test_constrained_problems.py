"""The test problems with constraints: derivatives, minima, multipliers, degenerate ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint, linprog, lsq_linear
from scipy.optimize import minimize as scipy_minimize

from quasinewton import problems
from quasinewton.__main__ import main
from quasinewton.objective import check_gradient, check_hessp
from quasinewton.problems._formulas import Jet, constrained, objective

NAMES = problems.names(constrained=True)
#: Without a solution.
UNSOLVABLE = ("infeasible_circles", "infeasible_lines", "unbounded_parabola")
#: With a solution that has no multipliers.
WITHOUT_MULTIPLIERS = ("hs13", "touching_discs")
SOLVABLE = [name for name in NAMES if name not in UNSOLVABLE]
every_name = pytest.mark.parametrize("name", NAMES)
every_solvable = pytest.mark.parametrize("name", SOLVABLE)

#: The least values as the book prints them.
PRINTED = {
    "hs6": 0, "hs7": -1.732050808, "hs8": -1, "hs9": -0.5, "hs10": -1, "hs11": -8.498464223,
    "hs12": -30, "hs13": 1, "hs14": 1.3934651, "hs15": 306.5, "hs16": 0.25, "hs17": 1, "hs18": 5,
    "hs19": -6961.81381, "hs20": 38.198730, "hs21": -99.96, "hs22": 1, "hs23": 2, "hs24": -1,
    "hs26": 0, "hs27": 0.04, "hs28": 0, "hs29": -22.627417, "hs30": 1, "hs31": 6, "hs32": 1,
    "hs33": -4.585786, "hs34": -0.83403245, "hs35": 1 / 9, "hs36": -3300, "hs37": -3456,
    "hs39": -1, "hs40": -0.25, "hs41": 1.9259259, "hs42": 13.8578643, "hs43": -44, "hs44": -15,
    "hs46": 0, "hs48": 0, "hs49": 0, "hs50": 0, "hs51": 0, "hs52": 5.3266475, "hs53": 4.0930232,
    "hs54": -0.90807475, "hs55": 6.3333333, "hs56": -3.456, "hs60": 0.03256820025,
    "hs61": -143.6461422, "hs62": -26272.51448, "hs63": 961.7151721, "hs64": 6299.842428,
    "hs65": 0.9535288567, "hs66": 0.5181632741, "hs71": 17.0140173, "hs72": 727.67937,
    "hs73": 29.894378, "hs74": 5126.4981, "hs75": 5174.4129, "hs76": -4.681818, "hs77": 0.24150513,
    "hs78": -2.91970041, "hs79": 0.0787768209, "hs80": 0.0539498478, "hs81": 0.0539498478,
    "hs83": -30665.53867, "hs86": -32.34867897, "hs93": 135.075961, "hs100": 680.6300573,
    "hs104": 3.9511634396, "hs106": 7049.248021, "hs108": -0.8660254038, "hs112": -47.76109,
    "hs113": 24.3062091, "hs114": -1768.80696, "hs116": 97.58751, "hs117": 32.348679,
    "hs118": 664.82045, "hs119": 244.899698,
}  # fmt: skip
#: The book prints zero, at a point that is no minimum.
LOWER_THAN_PRINTED = ("hs47",)


def box(problem: problems.Problem) -> tuple[np.ndarray, np.ndarray]:
    if problem.bounds is None:
        return np.full(problem.n, -np.inf), np.full(problem.n, np.inf)
    return problem.bounds.lb, problem.bounds.ub


def points(problem: problems.Problem, count: int = 3) -> list[np.ndarray]:
    """Return points near the start and the minimisers, inside of the bounds."""
    rng = np.random.default_rng(0)
    lower, upper = box(problem)
    width = np.where(np.isfinite(upper - lower), upper - lower, 2.0)
    found = []
    for x in (problem.x0, *problem.minimizers[:1]):
        for _ in range(count):
            near = x + rng.uniform(-0.1, 0.1, x.size) * np.minimum(width, 1 + abs(x))
            found.append(np.clip(near, lower + 0.02 * width, upper - 0.02 * width))
    return found


def violation(problem: problems.Problem, x: np.ndarray) -> float:
    """The largest violation of a row or a bound."""
    lower, upper = box(problem)
    rows = problem.constraints
    c = rows.fun(x)
    return max(0.0, *(np.max(d) for d in (rows.lb - c, c - rows.ub, lower - x, x - upper)))


def active(problem: problems.Problem, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of what is active, pointing inside, of length one; which are equations.

    Rows of an equation may have any multiplier, the others one of at least zero.
    """
    lower, upper = box(problem)
    rows = problem.constraints
    c, jac = rows.fun(x), rows.jac(x)
    size = 1e-7 * np.maximum(1.0, np.linalg.norm(jac, axis=1))
    small = 1e-7 * np.maximum(1.0, abs(x))
    equal = rows.lb == rows.ub
    unit = np.eye(problem.n)
    parts = (
        jac[equal],
        jac[~equal & (c - rows.lb < size)],
        -jac[~equal & (rows.ub - c < size)],
        unit[x - lower < small],
        -unit[upper - x < small],
    )
    gradients = np.concatenate(parts)
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients / np.where(length == 0, 1, length), np.arange(len(gradients)) < equal.sum()


def stationarity(problem: problems.Problem, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Return max|gradient of the Lagrangian|, least over the admissible multipliers, and those."""
    g = problem.grad(x)
    gradients, equal = active(problem, x)
    if not len(gradients):
        return float(np.max(abs(g))), np.zeros(0)
    least = np.where(equal, -np.inf, 0.0)
    found = lsq_linear(gradients.T, g, (least, np.inf), method="bvls", tol=1e-15, max_iter=500)
    return float(np.max(abs(gradients.T @ found.x - g))), found.x


def slsqp(problem: problems.Problem, x: np.ndarray) -> np.ndarray:
    rows = problem.constraints
    equal = rows.lb == rows.ub
    below, above = ~equal & np.isfinite(rows.lb), ~equal & np.isfinite(rows.ub)

    def part(kind: str, which: np.ndarray, sign: float, side: np.ndarray) -> dict:
        return {
            "type": kind,
            "fun": lambda x: sign * (rows.fun(x) - side)[which],
            "jac": lambda x: sign * rows.jac(x)[which],
        }

    parts = [
        part("eq", equal, 1.0, rows.lb),
        part("ineq", below, 1.0, rows.lb),
        part("ineq", above, -1.0, rows.ub),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scipy_minimize(
            problem.fun, x, jac=problem.grad, bounds=problem.bounds, method="SLSQP",
            constraints=[p for p, w in zip(parts, (equal, below, above), strict=True) if w.any()],
            options={"maxiter": 200, "ftol": 1e-12},
        ).x  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Table
# ---------------------------------------------------------------------------------------------


def test_the_three_lists_are_apart():
    assert list(NAMES) == sorted(set(NAMES))
    assert sum(name.startswith("hs") for name in NAMES) >= 75
    assert not set(NAMES) & {*problems.names(), *problems.names(bounded=True)}
    assert set(PRINTED) | set(LOWER_THAN_PRINTED) == {n for n in NAMES if n.startswith("hs")}
    assert [problem.name for problem in problems.all(constrained=True)] == list(NAMES)
    assert problems.scalable(constrained=True) == ()
    two = {problem.name for problem in problems.all(2, constrained=True)}
    assert {"hs6", "hs13"} <= two and "hs71" not in two and "hs1" not in two
    for other in (problems.all(), problems.all(bounded=True)):
        assert all(problem.constraints is None for problem in other)


@pytest.mark.parametrize("lists", [problems.names, problems.scalable])
def test_no_problem_is_of_two_kinds(lists):
    with pytest.raises(ValueError, match="exclude each other"):
        lists(bounded=True, constrained=True)


@every_name
def test_fields(name):
    problem = problems.get(name)
    rows = problem.constraints
    lower, upper = box(problem)
    assert isinstance(rows, NonlinearConstraint)
    assert rows.lb.shape == rows.ub.shape == rows.fun(problem.x0).shape
    assert rows.jac(problem.x0).shape == (rows.lb.size, problem.n)
    assert rows.hess(problem.x0, np.ones(rows.lb.size)).shape == (problem.n, problem.n)
    assert np.all(rows.lb <= rows.ub) and (np.isfinite(rows.lb) | np.isfinite(rows.ub)).all()
    assert np.all(lower < upper)
    assert np.all((problem.x0 >= lower) & (problem.x0 <= upper))
    assert np.isfinite(problem.fun(problem.x0)) and np.isfinite(rows.fun(problem.x0)).all()
    assert problem.source and "\n" not in problem.description
    assert (problem.fmin is None) is (not problem.minimizers) is (name in UNSOLVABLE)
    assert all(value > problem.fmin for value in problem.other_minima)


@every_name
def test_problems_are_independent_and_read_only(name):
    first, second = problems.get(name), problems.get(name)
    sides = first.constraints.lb, first.constraints.ub
    others = (second.constraints.lb, second.constraints.ub, second.x0)
    for array in (first.x0, *sides, *first.minimizers):
        assert not any(np.shares_memory(array, other) for other in others)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_wrong_shapes():
    rows = problems.get("hs71").constraints
    for call in (rows.fun, rows.jac, lambda x: rows.hess(x, np.ones(2))):
        with pytest.raises(ValueError, match=r"shape \(4,\)"):
            call(np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        rows.hess(np.ones(4), np.ones(3))
    assert rows.fun([1, 5, 5, 1]).dtype == rows.jac([1, 5, 5, 1]).dtype == np.float64


@every_solvable
def test_minima_are_those_printed(name):
    problem = problems.get(name)
    if name in PRINTED:
        assert problem.fmin == pytest.approx(PRINTED[name], rel=2e-7, abs=1e-12)
    elif name in LOWER_THAN_PRINTED:
        assert problem.fmin < 0 and 0.0 in problem.other_minima


# ---------------------------------------------------------------------------------------------
# Derivatives
# ---------------------------------------------------------------------------------------------


@every_name
def test_derivatives_agree_with_differences(name):
    problem = problems.get(name)
    rows = problem.constraints
    rng = np.random.default_rng(3)
    for x in points(problem, 2 if problem.n < 8 else 1):
        assert check_gradient(problem.fun, problem.grad, x, bounds=problem.bounds).ok
        assert check_hessp(problem.grad, problem.hessp, x, bounds=problem.bounds).ok
        # Rows may differ in size by many orders: each by itself, then all at once.
        for v in (*np.eye(rows.lb.size), rng.standard_normal(rows.lb.size)):

            def combined(x, v=v):
                return v @ rows.fun(x)

            def slope(x, v=v):
                return v @ rows.jac(x)

            def bend(x, p, v=v):
                return rows.hess(x, v) @ p

            assert check_gradient(combined, slope, x, bounds=problem.bounds).ok
            assert check_hessp(slope, bend, x, bounds=problem.bounds).ok


@every_name
def test_hessians_are_symmetric_and_linear(name):
    problem = problems.get(name)
    rows = problem.constraints
    rng = np.random.default_rng(1)
    for x in points(problem, 1):
        hessian = np.array([problem.hessp(x, e) for e in np.eye(problem.n)])
        np.testing.assert_allclose(hessian, hessian.T, rtol=0, atol=1e-12 * abs(hessian).max())
        u, v = rng.standard_normal((2, rows.lb.size))
        hu, hv = rows.hess(x, u), rows.hess(x, v)
        atol = 1e-12 * max(abs(hu).max(), abs(hv).max())
        np.testing.assert_allclose(hu, hu.T, rtol=0, atol=atol)
        np.testing.assert_allclose(rows.hess(x, 2 * u - v), 2 * hu - hv, rtol=0, atol=10 * atol)


@every_name
def test_arguments_are_left_alone_and_single_precision_is_kept(name):
    problem = problems.get(name)
    rows = problem.constraints
    x, v = points(problem, 1)[0], np.linspace(-1, 1, rows.lb.size)
    kept = x.copy(), v.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        double = rows.fun(x), rows.jac(x), rows.hess(x, v), problem.grad(x), problem.hessp(x, x)
        x32, v32 = x.astype(np.float32), v.astype(np.float32)
        single = (
            rows.fun(x32), rows.jac(x32), rows.hess(x32, v32),
            problem.grad(x32), problem.hessp(x32, x32),
        )  # fmt: skip
        assert type(problem.fun(x)) is type(problem.fun(x32)) is float
    for a, b in zip(double, single, strict=True):
        assert a.dtype == np.float64 and b.dtype == np.float32 and a.shape == b.shape
        assert a.flags.writeable and a.base is None
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(v, kept[1])


@every_name
def test_overflow_is_silent(name):
    problem = problems.get(name)
    rows = problem.constraints
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (np.full(problem.n, 1e200), np.full(problem.n, -1e200), np.zeros(problem.n)):
            assert isinstance(problem.fun(x), float)
            problem.grad(x)
            problem.hessp(x, np.ones(problem.n))
            rows.fun(x)
            rows.jac(x)
            rows.hess(x, np.ones(rows.lb.size))


@pytest.mark.parametrize("name", [p.name for p in problems.all(constrained=True) if p.convex])
def test_convex_problems_are(name):
    problem = problems.get(name)
    rows = problem.constraints
    equal = rows.lb == rows.ub
    assert not np.any(~equal & np.isfinite(rows.lb) & np.isfinite(rows.ub) & (name != "hs118"))
    lower, upper = box(problem)
    rng = np.random.default_rng(5)
    for _ in range(20):
        x = np.clip(problem.x0 + 3 * rng.standard_normal(problem.n), lower, upper)
        # Equations have to be linear, f convex, the others concave: they are to be positive.
        v = np.where(equal, rng.standard_normal(equal.size), -rng.uniform(size=equal.size))
        h = np.array([problem.hessp(x, e) for e in np.eye(problem.n)])
        for matrix in (h, rows.hess(x, v)):
            eigenvalues = np.linalg.eigvalsh((matrix + matrix.T) / 2)
            assert eigenvalues[0] >= -1e-12 * abs(eigenvalues).max()
        assert not rows.hess(x, np.where(equal, v, 0.0)).any()


# ---------------------------------------------------------------------------------------------
# Jets
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formula",
    [
        lambda x: x[0] / x[1] + 2 / x[2] - x[0] / 3,
        lambda x: np.sqrt(x[0] * x[1]) * np.exp(-x[2]) - (-x[1]) ** 3,
        lambda x: np.sin(x[0]) * np.cos(x[1] * x[2]) + np.log(x[2] + 1) + x[0] ** 1 + x[1] ** 0,
        lambda x: (np.arange(6.0).reshape(2, 3) @ (x**2 + 1) ** 1.5).sum(),
        lambda x: (np.arange(3.0) - x[0] + x * x[1]).sum() + (x[0] + np.ones(2)).sum(),
        lambda x: (x[::-1] / x).sum() + (x[:2] * x[1:] * [2.0, 3.0]).sum() + len(x) - 1,
    ],
)
def test_derivatives_by_jets(formula):
    functions = objective(formula)
    for x in np.random.default_rng(0).uniform(0.5, 2.0, (5, 3)):
        assert check_gradient(functions.fun, functions.grad, x).ok
        assert check_hessp(functions.grad, functions.hessp, x).ok


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_powers_of_zero(k):
    u = Jet.variables(np.zeros(1), True)[0] ** k
    assert u.grad[0] == (k == 1) and u.hess[0, 0] == 2 * (k == 2)


def test_what_jets_do_not_know_is_an_error():
    x = Jet.variables(np.ones(2), True)
    with pytest.raises(TypeError):
        np.tan(x)
    with pytest.raises(TypeError):
        np.add.reduce(x)


def test_least_value_is_that_of_the_first_minimizer():
    parts = constrained(
        lambda x, y: x + y, zero=lambda x, y: (x - 1, y - 2), x0=[0, 0], minimizers=[[1, 2]]
    )
    assert parts.fmin == 3.0 and parts.constraints is not None
    np.testing.assert_array_equal(parts.constraints.lb, [0.0, 0.0])


# ---------------------------------------------------------------------------------------------
# Minima
# ---------------------------------------------------------------------------------------------


@every_solvable
def test_minimizers_are_feasible_and_have_multipliers(name):
    problem = problems.get(name)
    for x in problem.minimizers:
        assert violation(problem, x) <= 1e-9
        assert problem.fun(x) == pytest.approx(problem.fmin, rel=1e-10, abs=1e-12)
        residual, _ = stationarity(problem, x)
        if name in WITHOUT_MULTIPLIERS:
            assert residual > 0.5
        else:
            assert residual <= 1e-8 * (1 + np.max(abs(problem.grad(x))))


@every_solvable
def test_no_feasible_point_nearby_is_lower(name):
    problem = problems.get(name)
    lower, upper = box(problem)
    rng = np.random.default_rng(0)
    starts = [problem.x0]
    for x in problem.minimizers[:1]:
        for size in (1e-3, 1e-2, 0.1):
            noise = size * rng.standard_normal(x.size) * (1 + abs(x))
            starts.append(np.clip(x + noise, lower, upper))
    # A violation within rounding buys a lower value at the price of the multipliers; where there
    # are none, of a root of it.
    _, multipliers = stationarity(problem, problem.minimizers[0])
    price = 1e-7 * (1 + abs(multipliers).sum())
    if name in WITHOUT_MULTIPLIERS:
        price = 1e-2
    for start in starts:
        x = slsqp(problem, start)
        if np.isfinite(x).all() and violation(problem, x) <= 1e-8:
            assert problem.fun(x) >= problem.fmin - price


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("hs15", [-0.7921232178, -1.262429798]),
        ("hs20", [-0.5, np.sqrt(3) / 2]),
        ("hs44", [3.0, 0.0, 4.0, 0.0]),
        ("hs47", np.ones(5)),
        ("hs55", [1.0, 5 / 3, 1 / 3, 0.0, 1 / 3, 5 / 3]),
        ("duplicate_equality", [1.0, 0.0, 1.0]),
    ],
)
def test_other_minima(name, x):
    problem = problems.get(name)
    x = np.array(x)
    assert violation(problem, x) <= 1e-7
    assert stationarity(problem, x)[0] <= 1e-5 * (1 + np.max(abs(problem.grad(x))))
    assert any(problem.fun(x) == pytest.approx(f, rel=1e-6, abs=1e-9) for f in problem.other_minima)


# ---------------------------------------------------------------------------------------------
# Degenerate problems
# ---------------------------------------------------------------------------------------------


def test_the_cusp_has_no_multipliers():
    """The gradients of the row and of a bound cancel, and leave the slope of f along x1."""
    problem = problems.get("hs13")
    gradients, equal = active(problem, problem.minimizers[0])
    assert not equal.any()
    np.testing.assert_array_equal(gradients, [[0.0, -1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(problem.grad(problem.minimizers[0]), [-2.0, 0.0])


@pytest.mark.parametrize(
    ("name", "rank", "count"),
    [("duplicate_equality", 1, 2), ("hs55", 5, 6), ("touching_discs", 1, 2)],
)
def test_dependent_rows(name, rank, count):
    problem = problems.get(name)
    for x in (*problem.minimizers, problem.x0)[: 1 + (name != "touching_discs")]:
        jac = problem.constraints.jac(x)
        assert len(jac) == count and np.linalg.matrix_rank(jac) == rank


def test_a_single_point_is_feasible():
    problem = problems.get("single_point")
    rows = problem.constraints
    jac, c = rows.jac(np.zeros(3)), rows.fun(np.zeros(3))
    for sign in (1, -1):
        for e in np.eye(3):
            found = linprog(sign * e, A_ub=-jac, b_ub=c - rows.lb, bounds=(None, None))
            np.testing.assert_allclose(found.x, problem.minimizers[0], rtol=0, atol=1e-12)


def test_discs_touch_in_one_point():
    # The mean of both rows is -|x|^2.
    problem = problems.get("touching_discs")
    for x in np.random.default_rng(0).standard_normal((20, 2)):
        assert problem.constraints.fun(x).mean() == pytest.approx(-(x @ x))


def test_multipliers_of_zero():
    problem = problems.get("zero_multipliers")
    x = problem.minimizers[0]
    gradients, _ = active(problem, x)
    assert len(gradients) == 3 and not problem.grad(x).any()


def test_more_active_rows_than_variables():
    problem = problems.get("degenerate_corner")
    gradients, _ = active(problem, problem.minimizers[0])
    assert gradients.shape == (4, 3) and np.linalg.matrix_rank(gradients) == 3


def test_problems_without_a_solution():
    circles = problems.get("infeasible_circles").constraints
    for x in np.random.default_rng(0).standard_normal((20, 2)):
        # Their mean is -3 - |x|^2: one at least is violated.
        assert circles.fun(x).mean() == pytest.approx(-3 - x @ x)
    lines = problems.get("infeasible_lines").constraints
    jac, c = lines.jac(np.zeros(2)), lines.fun(np.zeros(2))
    assert linprog(np.zeros(2), A_eq=jac, b_eq=-c, bounds=(-10, 10)).status == 2
    parabola = problems.get("unbounded_parabola")
    values = [parabola.fun(np.array([t, t * t])) for t in (1.0, 1e3, 1e6)]
    assert all(violation(parabola, np.array([t, t * t])) == 0 for t in (1.0, 1e3, 1e6))
    assert values[0] > values[1] > values[2] < -1e11
    for name in UNSOLVABLE:
        words = problems.get(name).description
        assert "no point is feasible" in words or "unbounded below" in words


# ---------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------


def test_command_line_lists_them_apart(capsys):
    assert main(["problems", "--constrained"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert set(NAMES) <= set(lines) and "rosenbrock" not in lines and "hs1" not in lines
    assert lines["hs71"][1:3] == ["4", "bc"] and lines["hs6"][1:3] == ["2", "c"]
    assert main(["problems"]) == 0
    assert set(NAMES) <= {line.split()[0] for line in capsys.readouterr().out.splitlines()}


@pytest.mark.parametrize("command", ["solve", "compare", "check"])
def test_command_line_takes_them(capsys, command):
    assert main([command, "hs43"]) == 0
    assert "hs43, n = 4" in capsys.readouterr().out
