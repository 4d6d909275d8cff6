"""The test problems with bounds: formulas, derivatives in the box, minima and their multipliers."""

from __future__ import annotations

import sys
import tracemalloc
import warnings
from math import cos, pi, sin

import numpy as np
import pytest
from scipy.optimize import Bounds
from scipy.optimize import minimize as scipy_minimize

from quasinewton import minimize, problems
from quasinewton.__main__ import main
from quasinewton.objective import check_gradient, check_hessp

NAMES = problems.names(bounded=True)
GRIDS = ("journal_bearing", "obstacle", "torsion", "two_obstacles")
LEAST = {"bounded_powell_singular": 4, **dict.fromkeys(GRIDS, 1)}


def sizes(name: str) -> list[int | None]:
    """Return the standard size and, where there is a choice, the least one and two more."""
    if name not in problems.scalable(bounded=True):
        return [None]
    found = {LEAST.get(name, 2), 12, 16, problems.get(name).n}
    return [n for n in sorted(found) if problems.admits(name, n)]


CASES = [
    pytest.param(name, n, id=name if n is None else f"{name}-{n}")
    for name in NAMES
    for n in sizes(name)
]
every_case = pytest.mark.parametrize(("name", "n"), CASES)
every_name = pytest.mark.parametrize("name", NAMES)


def sides(problem: problems.Problem) -> tuple[np.ndarray, np.ndarray]:
    assert problem.bounds is not None
    return problem.bounds.lb, problem.bounds.ub


def points(problem: problems.Problem, count: int = 4) -> list[np.ndarray]:
    """Return the start and points near it and near the minimiser, inside of the bounds."""
    rng = np.random.default_rng(0)
    lower, upper = sides(problem)
    width = np.where(np.isfinite(upper - lower), upper - lower, 2.0)
    found = [np.array(problem.x0)]
    for x in (problem.x0, *problem.minimizers[:1]):
        for _ in range(count):
            near = x + rng.uniform(-0.2, 0.2, x.size) * np.minimum(width, 1 + abs(x))
            found.append(np.clip(near, lower + 0.05 * width, upper - 0.05 * width))
    return found


def hessian(problem: problems.Problem, x: np.ndarray) -> np.ndarray:
    return np.array([problem.hessp(x, e) for e in np.eye(problem.n)])


def residual(problem: problems.Problem, x: np.ndarray) -> float:
    """The largest element of the projected gradient."""
    return float(np.max(np.abs(x - np.clip(x - problem.grad(x), *sides(problem)))))


def reaches(value: float, target: float) -> bool:
    return abs(value - target) <= 1e-8 * max(1.0, abs(target))


# ---------------------------------------------------------------------------------------------
# Table
# ---------------------------------------------------------------------------------------------


def test_lists_of_problems_with_bounds_and_without_are_apart():
    assert len(NAMES) >= 15 and list(NAMES) == sorted(set(NAMES))
    hock_schittkowski = {f"hs{k}" for k in (1, 2, 3, 4, 5, 38, 45, 110)}
    assert hock_schittkowski | set(GRIDS) < set(NAMES)
    assert not set(NAMES) & set(problems.names())
    assert set(problems.scalable(bounded=True)) < set(NAMES)
    assert not set(problems.scalable()) & set(NAMES)
    assert all(problem.bounds is None for problem in problems.all())
    assert [problem.name for problem in problems.all(bounded=True)] == list(NAMES)
    two = {problem.name for problem in problems.all(2, bounded=True)}
    assert {"hs1", "bounded_rosenbrock"} <= two and "hs45" not in two and "rosenbrock" not in two


@every_case
def test_fields(name, n):
    problem = problems.get(name, n)
    lower, upper = sides(problem)
    assert isinstance(problem.bounds, Bounds)
    assert lower.shape == upper.shape == problem.x0.shape == (problem.n,)
    assert np.all(lower < upper) and (np.isfinite(lower) | np.isfinite(upper)).any()
    for x in (problem.x0, *problem.minimizers):
        assert np.all((x >= lower) & (x <= upper))
    assert problem.minimizers and isinstance(problem.fmin, float)
    assert problem.source and "\n" not in problem.description
    assert all(value > problem.fmin for value in problem.other_minima)
    assert problem.fun(problem.x0) > problem.fmin


@every_name
def test_problems_are_independent(name):
    first, second = problems.get(name), problems.get(name)
    others = [second.x0, *sides(second), *second.minimizers]
    for array in (first.x0, *sides(first), *first.minimizers):
        assert not any(np.shares_memory(array, other) for other in others)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [
        ("obstacle", 10, "n >= 1, n a square"),
        ("torsion", -4, "n a square"),
        ("torsion", 0, "n a square"),
        ("bounded_powell_singular", 6, "multiple of 4"),
        ("hs1", 3, "n = 2"),
    ],
)
def test_wrong_size(name, n, message):
    with pytest.raises(ValueError, match=message):
        problems.get(name, n)


@pytest.mark.parametrize("radius", [0.0, -1.0, np.inf, np.nan])
def test_wrong_radius(radius):
    with pytest.raises(ValueError, match="radius"):
        problems.get("bounded_logistic", radius=radius)


# ---------------------------------------------------------------------------------------------
# Formulas
# ---------------------------------------------------------------------------------------------


def naive_membrane(load, weight=lambda s: 1.0, width=1.0, height=1.0):
    """The energy as a sum over the triangles, each the half of a rectangle of the grid."""

    def f(x, n):
        m = round(n**0.5)
        hs, ht = width / (m + 1), height / (m + 1)
        v = {(i, j): 0.0 for i in range(m + 2) for j in range(m + 2)}
        v.update({(i, j): x[(i - 1) * m + j] for i in range(1, m + 1) for j in range(1, m + 1)})
        total = -sum(load(i * hs) * value for (i, _), value in v.items()) * hs * ht
        for i in range(m + 1):
            for j in range(m + 1):
                for a, b, towards in ((i, j, 1), (i + 1, j + 1, -1)):
                    along = (v[a + towards, b] - v[a, b]) / hs
                    across = (v[a, b + towards] - v[a, b]) / ht
                    mean = (2 * weight(a * hs) + weight((a + towards) * hs)) / 3
                    total += mean * (along**2 + across**2) / 2 * hs * ht / 2
        return total

    return f


NAIVE = {
    "bounded_rosenbrock": lambda x, n: sum(
        100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(1, n, 2)
    ),
    "bounded_powell_singular": lambda x, n: sum(
        (x[i] + 10 * x[i + 1]) ** 2
        + 5 * (x[i + 2] - x[i + 3]) ** 2
        + (x[i + 1] - 2 * x[i + 2]) ** 4
        + 10 * (x[i] - x[i + 3]) ** 4
        for i in range(1, n, 4)
    ),
    "nonscomp": lambda x, n: (
        (x[1] - 1) ** 2 + 4 * sum((x[i] - x[i - 1] ** 2) ** 2 for i in range(2, n + 1))
    ),
    "biggsb1": lambda x, n: (
        (x[1] - 1) ** 2 + sum((x[i] - x[i - 1]) ** 2 for i in range(2, n + 1)) + (1 - x[n]) ** 2
    ),
    "cvxbqp1": lambda x, n: sum(
        i * (x[i] + x[(2 * i - 1) % n + 1] + x[(3 * i - 1) % n + 1]) ** 2 / 2
        for i in range(1, n + 1)
    ),
    "hs3": lambda x, n: x[2] + 1e-5 * (x[2] - x[1]) ** 2,
    "hs4": lambda x, n: (x[1] + 1) ** 3 / 3 + x[2],
    "hs45": lambda x, n: 2 - x[1] * x[2] * x[3] * x[4] * x[5] / 120,
    "hs110": lambda x, n: (
        sum(np.log(z - 2) ** 2 + np.log(10 - z) ** 2 for z in x[1:]) - np.prod(x[1:]) ** 0.2
    ),
    "obstacle": naive_membrane(lambda s: 1.0),
    "two_obstacles": naive_membrane(lambda s: 1.0),
    "torsion": naive_membrane(lambda s: 5.0),
    "journal_bearing": naive_membrane(
        lambda s: 0.1 * sin(s), lambda s: (1 + 0.1 * cos(s)) ** 3, 2 * pi, 20.0
    ),
}
SAME = {"hs1": "rosenbrock", "hs2": "rosenbrock", "hs5": "mccormick", "hs38": "wood"}
#: Those that are what their constructions below say, or a fit to data.
NOT_NAIVE = {
    "bounded_logistic", "degenerate_box_qp", "nonconvex_box_qp", "nonnegative_least_squares",
}  # fmt: skip


def test_every_formula_is_checked():
    assert set(NAIVE) | set(SAME) | NOT_NAIVE == set(NAMES)


@pytest.mark.parametrize(("name", "n"), [case for case in CASES if case.values[0] in NAIVE])
def test_formula(name, n):
    problem = problems.get(name, n)
    for x in points(problem, 2):
        expected = NAIVE[name]([None, *map(float, x)], problem.n)
        assert problem.fun(x) == pytest.approx(expected, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize(("name", "other"), SAME.items())
def test_bounds_on_another_problem(name, other):
    problem, without = problems.get(name), problems.get(other)
    for x in points(problem):
        assert problem.fun(x) == without.fun(x)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hs1", 0.0), ("hs2", 0.0504261879), ("hs3", 0.0), ("hs4", 8 / 3), ("hs5", -1.91322),
        ("hs38", 0.0), ("hs45", 1.0), ("hs110", -45.77846971), ("nonscomp", 0.0),
        ("biggsb1", 0.015), ("cvxbqp1", 227.25),
    ],
)  # fmt: skip
def test_minima_are_those_printed(name, value):
    assert problems.get(name).fmin == pytest.approx(value, rel=2e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("side", "value"),
    [(2, -0.2247400), (8, -0.1789600), (21, -0.1800500), (30, -0.1803000), (73, -0.1805500)],
)
def test_minima_of_the_journal_bearing_are_those_of_cutest(side, value):
    assert problems.get("journal_bearing", side**2).fmin == pytest.approx(value, abs=6e-6)


@pytest.mark.parametrize(
    ("name", "side", "force", "value"),
    [
        ("torsion", 72, 5.0, -4.30275769e-01),
        ("torsion", 72, 10.0, -1.21695608),
        ("torsion", 72, 20.0, -2.86337797),
        ("obstacle", 98, 1.0, 1.88646121),
        ("two_obstacles", 98, 1.0, 7.27215590),
    ],
)
def test_minima_of_membranes_are_those_of_cutest(name, side, force, value):
    # As other solvers find them, with a projected gradient of 1e-6.
    found = problems.get(name, side**2, force=force, rim=0.5).fmin
    assert found == pytest.approx(value, rel=1e-7)


# ---------------------------------------------------------------------------------------------
# Derivatives
# ---------------------------------------------------------------------------------------------


@every_case
def test_derivatives_agree_with_differences_inside_the_box(name, n):
    problem = problems.get(name, n)
    for x in points(problem, 1):
        assert check_gradient(problem.fun, problem.grad, x, bounds=problem.bounds).ok
        assert check_hessp(problem.grad, problem.hessp, x, bounds=problem.bounds).ok


@every_case
def test_hessian_is_symmetric_and_linear(name, n):
    problem = problems.get(name, n)
    rng = np.random.default_rng(1)
    for x in points(problem, 1):
        u, v = rng.standard_normal((2, problem.n))
        hu, hv = problem.hessp(x, u), problem.hessp(x, v)
        assert abs(u @ hv - v @ hu) <= 1e-11 * (abs(u) @ abs(hv) + abs(v) @ abs(hu))
        both = problem.hessp(x, 2 * u - 3 * v)
        atol = 1e-11 * (abs(hu) + abs(hv)).max()
        np.testing.assert_allclose(both, 2 * hu - 3 * hv, rtol=0, atol=atol)


def test_derivatives_of_a_product_with_zeros():
    problem = problems.get("hs45")
    for zeros in ([], [4], [1, 3], [0, 1, 2]):
        x = np.array([0.5, 1.0, 2.0, 3.0, 4.0])
        x[zeros] = 0.0
        assert check_gradient(problem.fun, problem.grad, x).ok
        assert check_hessp(problem.grad, problem.hessp, x).ok


@pytest.mark.parametrize("name", [p.name for p in problems.all(bounded=True) if p.convex])
def test_convex_problems_have_no_negative_curvature_in_the_box(name):
    sized = name in problems.scalable(bounded=True)
    problem = problems.get(name, 16 if sized else None)
    lower, upper = sides(problem)
    rng = np.random.default_rng(5)
    for _ in range(20):
        x = np.clip(3 * rng.standard_normal(problem.n), lower, upper)
        h = hessian(problem, x)
        eigenvalues = np.linalg.eigvalsh((h + h.T) / 2)
        assert eigenvalues[0] >= -1e-10 * abs(eigenvalues).max()


@every_name
def test_arguments_are_left_alone_and_single_precision_is_kept(name):
    problem = problems.get(name)
    x = points(problem, 1)[1]
    p = np.random.default_rng(2).standard_normal(problem.n)
    kept = x.copy(), p.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f, g, h = problem.fun(x), problem.grad(x), problem.hessp(x, p)
        x32, p32 = x.astype(np.float32), p.astype(np.float32)
        f32, g32, h32 = problem.fun(x32), problem.grad(x32), problem.hessp(x32, p32)
    assert type(f) is float and type(f32) is float
    assert g.dtype == h.dtype == np.float64 and g32.dtype == h32.dtype == np.float32
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(p, kept[1])
    assert f32 == pytest.approx(f, rel=1e-2, abs=1e-5)
    assert np.linalg.norm(g32 - g) <= 1e-2 * np.linalg.norm(g) + 1e-5
    assert np.linalg.norm(h32 - h) <= 1e-2 * np.linalg.norm(h) + 1e-5


@every_name
def test_overflow_is_silent(name):
    problem = problems.get(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (np.full(problem.n, 1e200), np.full(problem.n, -1e200), np.zeros(problem.n)):
            assert isinstance(problem.fun(x), float)
            problem.grad(x)
            problem.hessp(x, np.ones(problem.n))


@pytest.mark.parametrize("name", problems.scalable(bounded=True))
def test_memory_is_linear_in_n(name):
    n = 316**2  # a square, and a multiple of 4
    if not problems.admits(name, n):
        pytest.skip("bounded size")
    tracemalloc.start()
    try:
        problem = problems.get(name, n)
        g = problem.grad(problem.x0)
        h = problem.hessp(problem.x0, g)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 8 * n
    assert np.isfinite(problem.fun(problem.x0)) and np.isfinite(g).all() and np.isfinite(h).all()
    assert (problem.fmin is None) is (not problem.minimizers) is (name in GRIDS)


# ---------------------------------------------------------------------------------------------
# Minima
# ---------------------------------------------------------------------------------------------


@every_case
def test_minimizers_are_minima_of_the_box(name, n):
    """Right signs of the multipliers, no slope and no negative curvature in the free variables."""
    problem = problems.get(name, n)
    lower, upper = sides(problem)
    for x in problem.minimizers:
        assert problem.fun(x) == pytest.approx(problem.fmin, rel=1e-12, abs=1e-12)
        h = hessian(problem, x)
        assert residual(problem, x) <= 1e-12 * (1 + abs(h).max())
        free = (x > lower) & (x < upper)
        if free.any():
            inner = h[np.ix_(free, free)]
            eigenvalues = np.linalg.eigvalsh((inner + inner.T) / 2)
            assert eigenvalues[0] >= -1e-12 * max(abs(eigenvalues).max(), 1e-3)


@pytest.mark.parametrize("method", ["trust_hybrid", "trust_cg"])
@every_case
def test_methods_reach_the_minimum(name, n, method):
    problem = problems.get(name, n)
    lower, upper = sides(problem)

    def fun(x):
        assert np.all((x >= lower) & (x <= upper))
        return problem.fun(x)

    result = minimize(
        fun, problem.x0, jac=problem.grad, bounds=problem.bounds, method=method,
        options={"gtol": 1e-9},
    )  # fmt: skip
    assert result.success and residual(problem, result.x) <= 1e-9
    assert any(reaches(result.fun, f) for f in (problem.fmin, *problem.other_minima))
    assert result.fun >= problem.fmin - 1e-12 * max(1.0, abs(problem.fmin))
    if not problem.other_minima:
        assert reaches(result.fun, problem.fmin)


@pytest.mark.parametrize("name", NAMES)
def test_products_of_the_problem_lead_to_the_minimum(name):
    problem = problems.get(name)
    result = minimize(
        problem.fun, problem.x0, jac=problem.grad, hessp=problem.hessp, bounds=problem.bounds,
        method="trust_cg", options={"gtol": 1e-9},
    )  # fmt: skip
    assert result.success
    assert any(reaches(result.fun, f) for f in (problem.fmin, *problem.other_minima))


@every_name
def test_a_solver_of_scipy_takes_the_problem_and_finds_the_same(name):
    problem = problems.get(name)
    result = scipy_minimize(
        problem.fun, problem.x0, jac=problem.grad, bounds=problem.bounds, method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 5000, "maxfun": 20000},
    )  # fmt: skip
    known = (problem.fmin, *problem.other_minima)
    assert any(abs(result.fun - f) <= 1e-6 * max(1.0, abs(f)) for f in known)


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        ("hs2", [-1.22102, 1.5], 4.9412293),
        ("hs5", [0.5 + 2 * pi / 3, -0.5 + 2 * pi / 3], 1.2283697),
    ],
)
def test_other_minima(name, x, value):
    problem = problems.get(name)
    x = np.array(x)
    assert problem.fun(x) == pytest.approx(value, rel=1e-6) == problem.other_minima[0]
    assert residual(problem, x) <= 1e-2
    noise = 1e-3 * np.random.default_rng(0).standard_normal((50, 2))
    around = np.clip(x + noise, *sides(problem))
    assert min(map(problem.fun, around)) >= problem.other_minima[0]


@pytest.mark.parametrize("condition", [1.0, 1e5])
def test_degenerate_multipliers(condition):
    problem = problems.get("degenerate_box_qp", 15, condition=condition)
    x, (lower, upper) = problem.minimizers[0], sides(problem)
    active = (x == lower) | (x == upper)
    assert active.sum() == 12 and np.sum(active & (problem.grad(x) == 0)) == 6
    assert np.linalg.cond(hessian(problem, x)) == pytest.approx(condition, rel=1e-6)


def test_nonconvex_quadratic_has_one_stationary_point():
    problem = problems.get("nonconvex_box_qp", 12)
    assert np.linalg.eigvalsh(hessian(problem, problem.x0))[0] < -10
    rng = np.random.default_rng(0)
    for x in [*rng.uniform(size=(10, 12)), *rng.integers(2, size=(10, 12)).astype(float)]:
        result = minimize(
            problem.fun, x, jac=problem.grad, bounds=problem.bounds, options={"gtol": 1e-8}
        )
        assert np.allclose(result.x, problem.minimizers[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("radius", [1e-3, 0.1, 2.0])
def test_radius_of_the_logistic_regression(radius):
    problem = problems.get("bounded_logistic", radius=radius)
    assert residual(problem, problem.minimizers[0]) <= 1e-12


def test_logistic_regression_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    problem = problems.get("bounded_logistic")
    assert residual(problem, problem.minimizers[0]) <= 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_least_squares_with_other_seeds(seed):
    problem = problems.get("nonnegative_least_squares", 20, seed=seed)
    x = problem.minimizers[0]
    assert residual(problem, x) <= 1e-12
    assert np.all(problem.grad(x)[1::2] > 0.09) and np.all(x[1::2] == 0)


@pytest.mark.parametrize("name", GRIDS)
def test_minima_on_many_grids(name):
    for side in range(1, 14):
        problem = problems.get(name, side**2)
        assert residual(problem, problem.minimizers[0]) <= 1e-13


@pytest.mark.parametrize("force", [-8.0, 0.0, 0.5, 40.0])
@pytest.mark.parametrize("name", ["obstacle", "two_obstacles", "torsion"])
def test_minima_with_other_forces(name, force):
    problem = problems.get(name, 225, force=force)
    assert residual(problem, problem.minimizers[0]) <= 1e-13


# ---------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------


def test_command_line_solves_within_the_bounds(capsys):
    assert main(["solve", "hs2", "--quiet", "--no-compare"]) == 0
    assert "5.0426188e-02" in capsys.readouterr().out
    assert main(["solve", "torsion", "--n", "49", "--quiet", "--no-compare"]) == 0
    assert "torsion, n = 49" in capsys.readouterr().out
    assert main(["check", "hs110"]) == 0
    capsys.readouterr()


def test_command_line_marks_the_problems_with_bounds(capsys):
    assert main(["problems"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert set(NAMES) | set(problems.names()) <= set(lines)
    assert lines["hs1"][1:3] == ["2", "b"] and lines["obstacle"][1:3] == ["400", "*b"]
    assert lines["wood"][1] == "4" and lines["wood"][2] not in ("b", "*b")
    assert "b with bounds" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["hs1100"], "did you mean hs110"), (["torsion", "--n", "50"], "n a square")],
)
def test_command_line_knows_the_names(capsys, arguments, words):
    assert main(["solve", *arguments]) == 2
    assert words in capsys.readouterr().err
