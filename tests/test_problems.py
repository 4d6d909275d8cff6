"""The test problems: formulas, derivatives, minima, and the table of them by name."""

from __future__ import annotations

import sys
import tracemalloc
import warnings
from math import cos, exp, log, pi, prod, sin, sqrt, tan

import numpy as np
import pytest
from numpy.polynomial import chebyshev
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess_prod

from quasinewton import problems

STEPS = 10.0 ** np.arange(-8.0, -1.4, 0.5)


def sizes(name: str) -> list[int | None]:
    """Return the standard size and, where there is a choice, the least size, 12 and 24."""
    if name not in problems.scalable():
        return [None]
    least = next(n for n in range(1, 100) if problems.admits(name, n))
    standard = problems.get(name).n
    return [n for n in sorted({least, 12, 24, standard}) if problems.admits(name, n)]


CASES = [
    pytest.param(name, n, id=name if n is None else f"{name}-{n}")
    for name in problems.names()
    for n in sizes(name)
]
STANDARD = [pytest.param(name, None, id=name) for name in problems.names()]
every_case = pytest.mark.parametrize(("name", "n"), CASES)


def points(problem: problems.Problem, seed: int = 0) -> list[np.ndarray]:
    """Return the starting point and some points near it."""
    rng = np.random.default_rng(seed)
    x = problem.x0
    noise = 0.05 * rng.standard_normal((3, problem.n))
    return [x, *(x + e * np.maximum(1, abs(x)) for e in noise)]


def directions(x: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    """Return random directions whose entries have the scale of those of x."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, x.size)) * np.maximum(1, abs(x))


def hessian(problem: problems.Problem, x: np.ndarray) -> np.ndarray:
    return np.array([problem.hessp(x, e) for e in np.eye(problem.n)])


# ---------------------------------------------------------------------------------------------
# Formulas
# ---------------------------------------------------------------------------------------------

# The squares of the initial residual norms in the output of the MINPACK test programs.
INITIAL_NORMS = {
    ("rosenbrock", None): 4.91934955049954,
    ("helical_valley", None): 50.0,
    ("powell_singular", None): 14.6628782986152,
    ("freudenstein_roth", None): 20.0124960961895,
    ("bard", None): 6.45613629515967,
    ("kowalik_osborne", None): 0.0728915102882945,
    ("meyer", None): 41153.4665543031,
    ("watson", 6): 5.47722557505166,
    ("watson", 9): 5.47722557505166,
    ("box_3d", None): 32.1115837449572,
    ("jennrich_sampson", None): 64.5856498144943,
    ("brown_dennis", None): 2815.43839161816,
    ("chebyquad", 8): 0.196513862833975,
    ("brown_almost_linear", 10): 16.5302162063499,
    ("osborne_1", None): 0.937564021037838,
    ("osborne_2", None): 1.44686540984712,
}


@pytest.mark.parametrize(("name", "n"), INITIAL_NORMS)
def test_initial_value_is_that_of_minpack(name, n):
    problem = problems.get(name, n)
    assert np.sqrt(problem.fun(problem.x0)) == pytest.approx(INITIAL_NORMS[name, n], rel=1e-10)


def naive_dixon_maany(alpha, beta, gamma, delta, k):
    def f(x, n):
        m = n // 3
        return (
            1
            + sum(alpha * (i / n) ** k * x[i] ** 2 for i in range(1, n + 1))
            + sum(beta * x[i] ** 2 * (x[i + 1] + x[i + 1] ** 2) ** 2 for i in range(1, n))
            + sum(gamma * x[i] ** 2 * x[i + m] ** 4 for i in range(1, 2 * m + 1))
            + sum(delta * (i / n) ** k * x[i] * x[i + 2 * m] for i in range(1, m + 1))
        )

    return f


def naive_wood(x, n):
    return sum(
        100 * (x[i + 1] - x[i] ** 2) ** 2
        + (1 - x[i]) ** 2
        + 90 * (x[i + 3] - x[i + 2] ** 2) ** 2
        + (1 - x[i + 2]) ** 2
        + 10 * (x[i + 1] + x[i + 3] - 2) ** 2
        + (x[i + 1] - x[i + 3]) ** 2 / 10
        for i in range(1, n, 4)
    )


def naive_powell(x, n):
    return sum(
        (x[i] + 10 * x[i + 1]) ** 2
        + 5 * (x[i + 2] - x[i + 3]) ** 2
        + (x[i + 1] - 2 * x[i + 2]) ** 4
        + 10 * (x[i] - x[i + 3]) ** 4
        for i in range(1, n, 4)
    )


def naive_watson(x, n):
    total = x[1] ** 2 + (x[2] - x[1] ** 2 - 1) ** 2
    for i in range(1, 30):
        t = i / 29
        a = sum((j - 1) * x[j] * t ** (j - 2) for j in range(2, n + 1))
        b = sum(x[j] * t ** (j - 1) for j in range(1, n + 1))
        total += (a - b**2 - 1) ** 2
    return total


def naive_penalty_2(x, n):
    total = (x[1] - 0.2) ** 2 + (sum((n - j + 1) * x[j] ** 2 for j in range(1, n + 1)) - 1) ** 2
    for i in range(2, n + 1):
        y = exp(i / 10) + exp((i - 1) / 10)
        total += 1e-5 * (exp(x[i] / 10) + exp(x[i - 1] / 10) - y) ** 2
    for i in range(n + 1, 2 * n):
        total += 1e-5 * (exp(x[i - n + 1] / 10) - exp(-1 / 10)) ** 2
    return total


def naive_integral_equation(x, n):
    h = 1 / (n + 1)
    total = 0.0
    for i in range(1, n + 1):
        t = i * h
        a = sum(j * h * (x[j] + j * h + 1) ** 3 for j in range(1, i + 1))
        b = sum((1 - j * h) * (x[j] + j * h + 1) ** 3 for j in range(i + 1, n + 1))
        total += (x[i] + h * ((1 - t) * a + t * b) / 2) ** 2
    return total


def naive_boundary_value(x, n):
    h = 1 / (n + 1)
    z = [0.0, *x[1:], 0.0]
    return sum(
        (2 * z[i] - z[i - 1] - z[i + 1] + h**2 * (z[i] + i * h + 1) ** 3 / 2) ** 2
        for i in range(1, n + 1)
    )


def naive_broyden_tridiagonal(x, n):
    z = [0.0, *x[1:], 0.0]
    return sum(((3 - 2 * z[i]) * z[i] - z[i - 1] - 2 * z[i + 1] + 1) ** 2 for i in range(1, n + 1))


def naive_broyden_banded(x, n):
    total = 0.0
    for i in range(1, n + 1):
        band = [j for j in range(max(1, i - 5), min(n, i + 1) + 1) if j != i]
        total += (x[i] * (2 + 5 * x[i] ** 2) + 1 - sum(x[j] * (1 + x[j]) for j in band)) ** 2
    return total


def naive_chebyquad(x, n):
    total = 0.0
    for i in range(1, n + 1):
        t = chebyshev.Chebyshev.basis(i, domain=[0, 1])
        total += (sum(t(z) for z in x[1:]) / n - t.integ(lbnd=0)(1.0)) ** 2
    return total


def naive_cragg_levy(x, n):
    return sum(
        (exp(x[i]) - x[i + 1]) ** 4
        + 100 * (x[i + 1] - x[i + 2]) ** 6
        + tan(x[i + 2] - x[i + 3]) ** 4
        + x[i] ** 8
        + (x[i + 3] - 1) ** 2
        for i in range(1, n - 2, 2)
    )


def naive_linear(rows, weights):
    def f(x, n):
        s = sum(weights(j, n) * x[j] for j in range(1, n + 1))
        return sum((rows(i, 2 * n) * s - 1) ** 2 for i in range(1, 2 * n + 1))

    return f


def inner(i, last):
    return 1 < i < last


NAIVE = {
    "chained_rosenbrock": lambda x, n: sum(
        100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(1, n)
    ),
    "rosenbrock": lambda x, n: sum(
        100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(1, n)
    ),
    "extended_rosenbrock": lambda x, n: sum(
        100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(1, n, 2)
    ),
    "extended_powell_singular": naive_powell,
    "extended_wood": naive_wood,
    "dixon_maany_a": naive_dixon_maany(1, 0, 0.125, 0.125, 0),
    "dixon_maany_b": naive_dixon_maany(1, 0.0625, 0.0625, 0.0625, 0),
    "dixon_maany_c": naive_dixon_maany(1, 0.125, 0.125, 0.125, 0),
    "dixon_maany_d": naive_dixon_maany(1, 0.26, 0.26, 0.26, 0),
    "dixon_maany_e": naive_dixon_maany(1, 0, 0.125, 0.125, 1),
    "dixon_maany_f": naive_dixon_maany(1, 0.0625, 0.0625, 0.0625, 1),
    "dixon_maany_g": naive_dixon_maany(1, 0.125, 0.125, 0.125, 1),
    "dixon_maany_h": naive_dixon_maany(1, 0.26, 0.26, 0.26, 1),
    "dixon_maany_i": naive_dixon_maany(1, 0, 0.125, 0.125, 2),
    "dixon_maany_j": naive_dixon_maany(1, 0.0625, 0.0625, 0.0625, 2),
    "dixon_maany_k": naive_dixon_maany(1, 0.125, 0.125, 0.125, 2),
    "dixon_maany_l": naive_dixon_maany(1, 0.26, 0.26, 0.26, 2),
    "cragg_levy": naive_cragg_levy,
    "engval1": lambda x, n: sum(
        (x[i] ** 2 + x[i + 1] ** 2) ** 2 - 4 * x[i] + 3 for i in range(1, n)
    ),
    "arwhead": lambda x, n: sum((x[i] ** 2 + x[n] ** 2) ** 2 - 4 * x[i] + 3 for i in range(1, n)),
    "nondquar": lambda x, n: (
        (x[1] - x[2]) ** 2
        + sum((x[i] + x[i + 1] + x[n]) ** 4 for i in range(1, n - 1))
        + (x[n - 1] + x[n]) ** 2
    ),
    "dqrtic": lambda x, n: sum((x[i] - i) ** 4 for i in range(1, n + 1)),
    "bdqrtic": lambda x, n: sum(
        (3 - 4 * x[i]) ** 2 + (sum((k + 1) * x[i + k] ** 2 for k in range(4)) + 5 * x[n] ** 2) ** 2
        for i in range(1, n - 3)
    ),
    "edensch": lambda x, n: (
        16
        + sum(
            (x[i] - 2) ** 4 + (x[i] * x[i + 1] - 2 * x[i + 1]) ** 2 + (x[i + 1] + 1) ** 2
            for i in range(1, n)
        )
    ),
    "tointgss": lambda x, n: sum(
        (10 / (n + 2) + x[i + 2] ** 2)
        * (2 - exp(-((x[i] - x[i + 1]) ** 2) / (0.1 + x[i + 2] ** 2)))
        for i in range(1, n - 1)
    ),
    "liarwhd": lambda x, n: sum(
        4 * (x[i] ** 2 - x[1]) ** 2 + (x[i] - 1) ** 2 for i in range(1, n + 1)
    ),
    "tridia": lambda x, n: (
        (x[1] - 1) ** 2 + sum(i * (2 * x[i] - x[i - 1]) ** 2 for i in range(2, n + 1))
    ),
    "nondia": lambda x, n: sum(
        100 * (x[1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(2, n + 1)
    ),
    "cosine": lambda x, n: sum(cos(x[i] ** 2 - x[i + 1] / 2) for i in range(1, n)),
    "fletchcr": lambda x, n: sum(100 * (x[i + 1] - x[i] + 1 - x[i] ** 2) ** 2 for i in range(1, n)),
    "raydan_1": lambda x, n: sum(i / 10 * (exp(x[i]) - x[i]) for i in range(1, n + 1)),
    "hager": lambda x, n: sum(exp(x[i]) - sqrt(i) * x[i] for i in range(1, n + 1)),
    "styblinski_tang": lambda x, n: sum(z**4 - 16 * z**2 + 5 * z for z in x[1:]) / 2,
    "watson": naive_watson,
    "penalty_1": lambda x, n: (
        1e-5 * sum((z - 1) ** 2 for z in x[1:]) + (sum(z**2 for z in x[1:]) - 0.25) ** 2
    ),
    "penalty_2": naive_penalty_2,
    "variably_dimensioned": lambda x, n: (
        sum((z - 1) ** 2 for z in x[1:])
        + sum(i * (x[i] - 1) for i in range(1, n + 1)) ** 2
        + sum(i * (x[i] - 1) for i in range(1, n + 1)) ** 4
    ),
    "trigonometric": lambda x, n: sum(
        (n - sum(map(cos, x[1:])) + i * (1 - cos(x[i])) - sin(x[i])) ** 2 for i in range(1, n + 1)
    ),
    "brown_almost_linear": lambda x, n: (
        sum((x[i] + sum(x[1:]) - (n + 1)) ** 2 for i in range(1, n)) + (prod(x[1:]) - 1) ** 2
    ),
    "discrete_boundary_value": naive_boundary_value,
    "discrete_integral_equation": naive_integral_equation,
    "broyden_tridiagonal": naive_broyden_tridiagonal,
    "broyden_banded": naive_broyden_banded,
    "linear_full_rank": lambda x, n: (
        sum((z - sum(x[1:]) / n - 1) ** 2 for z in x[1:]) + n * (sum(x[1:]) / n + 1) ** 2
    ),
    "linear_rank_1": naive_linear(lambda i, m: i, lambda j, n: j),
    "linear_rank_1_zero": naive_linear(
        lambda i, m: (i - 1) * inner(i, m), lambda j, n: j * inner(j, n)
    ),
    "chebyquad": naive_chebyquad,
    "diagonal_quadratic": lambda x, n: (
        sum(1e6 ** ((i - 1) / max(n - 1, 1)) * x[i] ** 2 for i in range(1, n + 1)) / 2
    ),
    "power": lambda x, n: sum(i * x[i] ** 2 for i in range(1, n + 1)) ** 2,
}
NOT_NAIVE = {"quadratic", "logistic_synthetic"}


def test_every_scalable_formula_is_checked():
    assert set(NAIVE) | NOT_NAIVE == set(problems.scalable())


def test_rosenbrock_at_any_n_is_the_chained_one():
    x, p = np.random.default_rng(4).standard_normal((2, 9))
    one, other = problems.get("rosenbrock", 9), problems.get("chained_rosenbrock", 9)
    assert one.fun(x) == other.fun(x)
    assert np.array_equal(one.grad(x), other.grad(x))
    assert np.array_equal(one.hessp(x, p), other.hessp(x, p))


@pytest.mark.parametrize(("name", "n"), [case for case in CASES if case.values[0] in NAIVE])
def test_formula(name, n):
    problem = problems.get(name, n)
    for x in points(problem):
        expected = NAIVE[name]([None, *map(float, x)], problem.n)
        assert problem.fun(x) == pytest.approx(expected, rel=1e-10, abs=1e-14)


def test_chained_rosenbrock_is_that_of_scipy():
    problem = problems.get("chained_rosenbrock", 7)
    x, p = np.random.default_rng(3).standard_normal((2, 7))
    assert problem.fun(x) == pytest.approx(rosen(x))
    np.testing.assert_allclose(problem.grad(x), rosen_der(x))
    np.testing.assert_allclose(problem.hessp(x, p), rosen_hess_prod(x, p))


@pytest.mark.parametrize("name", ["quadratic", "diagonal_quadratic"])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e7])
def test_condition_number(name, condition):
    problem = problems.get(name, 9, condition=condition)
    assert np.linalg.cond(hessian(problem, problem.x0)) == pytest.approx(condition, rel=1e-6)


# ---------------------------------------------------------------------------------------------
# Derivatives
# ---------------------------------------------------------------------------------------------


@every_case
def test_gradient(name, n):
    problem = problems.get(name, n)
    for x in points(problem):
        g = problem.grad(x)
        assert g.shape == x.shape
        for v in directions(x, 3):
            errors = [
                abs((problem.fun(x + h * v) - problem.fun(x - h * v)) / (2 * h) - g @ v)
                for h in STEPS
            ]
            assert min(errors) <= 1e-6 * (abs(g) @ abs(v)) + 1e-14


@every_case
def test_hessian_vector_product(name, n):
    problem = problems.get(name, n)
    for x in points(problem):
        for v in directions(x, 3):
            product = problem.hessp(x, v)
            assert product.shape == x.shape
            errors = [
                np.linalg.norm(
                    (problem.grad(x + h * v) - problem.grad(x - h * v)) / (2 * h) - product
                )
                for h in STEPS
            ]
            assert min(errors) <= 1e-6 * np.linalg.norm(product) + 1e-14


@every_case
def test_hessian_is_symmetric_and_linear(name, n):
    problem = problems.get(name, n)
    for x in points(problem):
        u, v = directions(x, 2)
        hu, hv = problem.hessp(x, u), problem.hessp(x, v)
        scale = abs(u) @ abs(hv) + abs(v) @ abs(hu)
        assert abs(u @ hv - v @ hu) <= 1e-11 * scale
        combined = problem.hessp(x, 2 * u - 3 * v)
        np.testing.assert_allclose(
            combined, 2 * hu - 3 * hv, rtol=0, atol=1e-11 * (abs(hu) + abs(hv)).max()
        )


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_derivatives_of_product_with_vanishing_factors(zeros):
    # Brown's almost linear function contains the product of all variables.
    problem = problems.get("brown_almost_linear", 6)
    rng = np.random.default_rng(4)
    x = 1 + 0.3 * rng.standard_normal(6)
    x[[4, 1, 3][:zeros]] = 0.0
    v, h = rng.standard_normal(6), 1e-4
    slope = (problem.fun(x + h * v) - problem.fun(x - h * v)) / (2 * h)
    assert problem.grad(x) @ v == pytest.approx(slope, rel=1e-6)
    product = (problem.grad(x + h * v) - problem.grad(x - h * v)) / (2 * h)
    np.testing.assert_allclose(problem.hessp(x, v), product, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [p.name for p in problems.all() if p.convex])
def test_convex_problems_have_no_negative_curvature(name):
    n = None if name not in problems.scalable() or not problems.admits(name, 12) else 12
    problem = problems.get(name, n)
    rng = np.random.default_rng(5)
    for _ in range(20):
        x = 3 * rng.standard_normal(problem.n)
        h = hessian(problem, x)
        eigenvalues = np.linalg.eigvalsh((h + h.T) / 2)
        assert eigenvalues[0] >= -1e-10 * abs(eigenvalues).max()


# ---------------------------------------------------------------------------------------------
# Minima
# ---------------------------------------------------------------------------------------------


@every_case
def test_minimizers(name, n):
    problem = problems.get(name, n)
    for x in problem.minimizers:
        assert x.shape == (problem.n,)
        assert problem.fun(x) == pytest.approx(problem.fmin, rel=1e-12, abs=1e-12)
        h = hessian(problem, x)
        eigenvalues = np.linalg.eigvalsh((h + h.T) / 2)
        # The gradient at the rounded minimiser is that of a point at a distance of an ulp or so.
        assert np.linalg.norm(problem.grad(x)) <= 1e-12 * (
            1 + abs(eigenvalues).max() * (1 + np.linalg.norm(x))
        )
        assert eigenvalues[0] >= -1e-12 * max(abs(eigenvalues).max(), 1e-3)


def reaches(value: float, target: float) -> bool:
    """Return whether a minimum of the value was found, up to the tolerance of the solver."""
    return abs(value - target) <= (1e-6 * abs(target) if target else 1e-9)


def solutions(problem: problems.Problem):
    """Yield the final values of several solvers from the starting point, with restarts."""
    for method in ("BFGS", "trust-exact", "trust-ncg", "Newton-CG"):
        options = {"maxiter": 2000}
        options |= {"xtol": 1e-12} if method == "Newton-CG" else {"gtol": 1e-10}
        second = {} if method == "BFGS" else {"hess": lambda x: hessian(problem, x)}
        x = np.array(problem.x0)
        for _ in range(3):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                x = minimize(
                    problem.fun, x, jac=problem.grad, method=method, options=options, **second
                ).x
        yield problem.fun(x)


MINIMA = [
    *STANDARD,
    *[
        pytest.param(name, n, id=f"{name}-{n}")
        for name, n in [
            ("watson", 9),
            ("watson", 12),
            ("penalty_1", 4),
            ("penalty_2", 4),
            ("trigonometric", 20),
            ("chebyquad", 7),
            ("chebyquad", 9),
            ("chebyquad", 10),
            ("chained_rosenbrock", 4),
            ("chained_rosenbrock", 10),
            ("chained_rosenbrock", 21),
            ("cragg_levy", 4),
            ("cragg_levy", 10),
            ("cragg_levy", 36),
            ("cragg_levy", 50),
            ("engval1", 2),
            ("engval1", 10),
            ("engval1", 71),
            ("bdqrtic", 10),
            ("bdqrtic", 36),
            ("bdqrtic", 50),
            ("bdqrtic", 120),
            ("edensch", 10),
            ("edensch", 36),
            ("edensch", 80),
            ("cragg_levy", 160),
            ("tointgss", 10),
        ]
    ],
]


@pytest.mark.parametrize(("name", "n"), MINIMA)
def test_solver_reaches_a_known_minimum(name, n):
    problem = problems.get(name, n)
    assert problem.fmin is not None
    targets = (problem.fmin, *problem.other_minima)
    found = []
    for value in solutions(problem):
        found.append(value)
        if any(reaches(value, target) for target in targets):
            break
    else:
        pytest.fail(f"found {found}, known are {targets}")
    if name != "mccormick":
        assert min(found) >= problem.fmin - 1e-9 * max(1.0, abs(problem.fmin))


def test_other_minima_exceed_the_minimum():
    for problem in problems.all():
        if problem.name != "mccormick":
            assert all(value > problem.fmin for value in problem.other_minima)


def newton(problem: problems.Problem, x) -> np.ndarray:
    x = np.array(x, dtype=float)
    for _ in range(40):
        x = x - np.linalg.solve(hessian(problem, x), problem.grad(x))
    return x


@pytest.mark.parametrize(
    ("name", "n", "near", "definite"),
    [
        ("freudenstein_roth", None, [11.4, -0.9], True),
        ("three_hump_camel", None, [1.75, -0.87], True),
        ("six_hump_camel", None, [1.7, -0.8], True),
        ("six_hump_camel", None, [1.61, 0.57], True),
        ("goldstein_price", None, [-0.6, -0.4], True),
        ("goldstein_price", None, [1.8, 0.2], True),
        ("goldstein_price", None, [1.2, 0.8], True),
        ("mccormick", None, [2.6, 1.6], True),
        ("saddle_quartic", None, [0.1, 0.1], False),
        ("wood", None, [-0.97, 0.95, -0.97, 0.95], False),
        ("chained_rosenbrock", 4, [-0.77, 0.61, 0.38, 0.14], True),
        ("chained_rosenbrock", 30, [-0.99, *[1.0] * 29], True),
        ("extended_wood", 8, [-0.97, 0.95, -0.97, 0.95] * 2, False),
    ],
)
def test_other_stationary_values(name, n, near, definite):
    problem = problems.get(name, n)
    x = newton(problem, near)
    assert np.linalg.norm(x - near) < 0.2
    assert any(problem.fun(x) == pytest.approx(f, rel=1e-9) for f in problem.other_minima) or (
        problem.fun(x) == pytest.approx(0.0, abs=1e-12) and 0.0 in problem.other_minima
    )
    assert (np.linalg.eigvalsh(hessian(problem, x))[0] > 0) is np.bool_(definite)


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        # Limits at infinity.
        ("beale", [1e7, 1 - 0.9910714285714286e-7], 0.4520),
        ("jennrich_sampson", [0.33148528, -50.0], 259.5802),
        ("bard", [0.8406666666666667, -1e9, -1e9], 17.42869),
        (
            "biggs_exp6",
            [1.22755595, 500.0, 1.66540613 / 2, 0.0, 1.22755595, 1.66540613 / 2],
            0.3063668,
        ),
        ("kowalik_osborne", [1e8, -14.07588286, -45.25718936e8, -28.231496e8], 1.02734e-3),
    ],
)
def test_values_at_infinity(name, x, value):
    problem = problems.get(name)
    assert problem.fun(np.array(x)) == pytest.approx(value, rel=1e-4)
    assert any(value == pytest.approx(known, rel=1e-4) for known in problem.other_minima)


def test_dixon_maany_value_at_the_start():
    # All weights are one in the family A, so that its value at the start is in closed form.
    for m in (5, 30):
        n = 3 * m
        value = 1 + 4 * n + 0.125 * 2 * m * 64 + 0.125 * m * 4
        problem = problems.get("dixon_maany_a", n)
        assert problem.fun(problem.x0) == pytest.approx(value)


# ---------------------------------------------------------------------------------------------
# Arguments
# ---------------------------------------------------------------------------------------------


@every_case
def test_arguments_are_left_alone_and_single_precision_is_kept(name, n):
    problem = problems.get(name, n)
    x = problem.x0 * 1.01
    p = directions(x, 1)[0]
    kept = x.copy(), p.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f, g, h = problem.fun(x), problem.grad(x), problem.hessp(x, p)
        x32, p32 = x.astype(np.float32), p.astype(np.float32)
        f32, g32, h32 = problem.fun(x32), problem.grad(x32), problem.hessp(x32, p32)
        integer = np.rint(x).astype(int)
        assert problem.grad(integer).dtype == np.float64
        assert problem.fun(integer) == problem.fun(integer.astype(float))
    assert type(f) is float and type(f32) is float
    assert g.dtype == h.dtype == np.float64
    assert g32.dtype == h32.dtype == np.float32
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(p, kept[1])
    assert not np.shares_memory(g, x) and not np.shares_memory(h, p)
    assert np.isfinite(f) and np.isfinite(g).all() and np.isfinite(h).all()
    assert f32 == pytest.approx(f, rel=1e-2, abs=1e-5)
    assert np.linalg.norm(g32 - g) <= 1e-2 * np.linalg.norm(g) + 1e-5
    assert np.linalg.norm(h32 - h) <= 1e-2 * np.linalg.norm(h) + 1e-5


@pytest.mark.parametrize("name", problems.names())
def test_overflow_is_silent(name):
    problem = problems.get(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (np.full(problem.n, 1e200), np.full(problem.n, -1e200), np.zeros(problem.n)):
            assert isinstance(problem.fun(x), float)
            problem.grad(x)
            problem.hessp(x, np.ones(problem.n))


@pytest.mark.parametrize("name", problems.scalable())
def test_memory_is_linear_in_n(name):
    n = 99996
    if not problems.admits(name, n):
        pytest.skip("bounded size")
    tracemalloc.start()
    try:
        problem = problems.get(name, n)
        f, g = problem.fun(problem.x0), problem.grad(problem.x0)
        h = problem.hessp(problem.x0, g)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 8 * n
    assert np.isfinite(f) and np.isfinite(g).all() and np.isfinite(h).all()


# ---------------------------------------------------------------------------------------------
# Table
# ---------------------------------------------------------------------------------------------


def test_names():
    names = problems.names()
    assert len(names) >= 45
    assert list(names) == sorted(set(names))
    assert set(problems.scalable()) < set(names)
    assert list(problems.scalable()) == sorted(problems.scalable())


def test_fields():
    for problem in problems.all():
        assert problem.name in problems.names()
        assert problem.x0.shape == (problem.n,)
        assert problem.x0.dtype == np.float64
        assert problem.source and problem.description and "\n" not in problem.description
        assert isinstance(problem.minimizers, tuple) and isinstance(problem.other_minima, tuple)
        assert isinstance(problem.fmin, float)


def test_all_of_one_size():
    found = {problem.name: problem.n for problem in problems.all(12)}
    assert set(found.values()) == {12}
    assert set(found) == {name for name in problems.names() if problems.admits(name, 12)}
    assert "rosenbrock" in {problem.name for problem in problems.all(2)}
    assert [problem.name for problem in problems.all()] == list(problems.names())


@pytest.mark.parametrize("name", problems.names())
def test_problems_are_independent(name):
    first, second = problems.get(name), problems.get(name)
    arrays = [first.x0, *first.minimizers]
    for a in arrays:
        assert not any(np.shares_memory(a, b) for b in (second.x0, *second.minimizers))
        with pytest.raises(ValueError, match="read-only"):
            a[0] = 1.0
    np.testing.assert_array_equal(first.x0, second.x0)
    assert first.fun(first.x0) == second.fun(second.x0)


def test_unknown_name():
    with pytest.raises(ValueError, match=r"unknown problem 'rosenbrok'.*rosenbrock"):
        problems.get("rosenbrok")
    with pytest.raises(ValueError, match="names"):
        problems.get("qqqqqq")


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [
        ("extended_powell_singular", 6, "multiple of 4"),
        ("dixon_maany_a", 4, "multiple of 3"),
        ("chained_rosenbrock", 1, "n >= 2"),
        ("watson", 32, "2 <= n <= 31"),
        ("watson", 1, "2 <= n <= 31"),
        ("beale", 3, "n = 2"),
        ("dqrtic", 0, "n >= 1"),
        ("dqrtic", -5, "n >= 1"),
        ("dqrtic", 2.5, "n >= 1"),
    ],
)
def test_wrong_size(name, n, message):
    with pytest.raises(ValueError, match=message):
        problems.get(name, n)


def test_wrong_arguments():
    problem = problems.get("rosenbrock")
    for call in (problem.fun, problem.grad, lambda x: problem.hessp(x, problem.x0)):
        with pytest.raises(ValueError, match="shape"):
            call(np.zeros(3))
    with pytest.raises(ValueError, match="shape"):
        problem.hessp(problem.x0, np.zeros(1))
    with pytest.raises(TypeError, match="rosenbrock"):
        problems.get("rosenbrock", l2=1.0)
    for name in ("logistic_breast_cancer", "logistic_synthetic"):
        with pytest.raises(ValueError, match="l2"):
            problems.get(name, l2=0.0)


def test_size_of_fixed_problem_may_be_given():
    assert problems.get("rosenbrock", 2).n == 2


# ---------------------------------------------------------------------------------------------
# Data
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [1e-6, 1e-2, 10.0])
@pytest.mark.parametrize("name", ["logistic_breast_cancer", "logistic_synthetic"])
def test_regularisation_is_a_parameter(name, l2):
    problem = problems.get(name, l2=l2)
    x = problem.minimizers[0]
    assert np.linalg.norm(problem.grad(x)) <= 1e-12
    assert problem.fun(x) == problem.fmin < problem.fun(problem.x0)
    # The modulus of strong convexity.
    assert np.linalg.eigvalsh(hessian(problem, x))[0] >= l2 * (1 - 1e-8)


def test_logistic_function():
    # With zero coefficients all probabilities are one half, far out the loss is linear.
    problem = problems.get("logistic_synthetic", 20)
    assert problem.fun(np.zeros(20)) == pytest.approx(log(2))
    x = 1e5 * problem.minimizers[0]
    assert np.isfinite(problem.fun(x)) and np.isfinite(problem.grad(x)).all()


def test_breast_cancer_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    problem = problems.get("logistic_breast_cancer")
    assert problem.n == 31
    assert np.linalg.norm(problem.grad(problem.minimizers[0])) <= 1e-12
    assert problem.fmin < log(2)


def test_branin_value():
    assert problems.get("branin").fmin == pytest.approx(5 / (4 * pi))
