"""Values of f that tell less than their digits: single precision, rounding, differences, origins.

A run neither creeps nor crawls: it ends within some hundreds of evaluations, near the minimum.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

from quasinewton import Solver, Status, minimize
from quasinewton.methods import METHODS

D = np.logspace(0.0, 3.0, 200)
#: Evaluations that suffice, with room to spare.
ENOUGH = 2000


def quadratic(x):
    return 1.0 + 0.5 * float(D @ (x * x)), D * x


def single(x):
    d = D.astype(np.float32)
    return np.float32(1.0) + np.float32(0.5) * np.sum(d * x * x, dtype=np.float32), d * x


def rounded(x):
    f, g = quadratic(x)
    return round(f, 6), g


def printed(x):
    f, g = quadratic(x)
    return float(f"{f:.4g}"), g


#: ... and the last digit of f near its minimum, 1.
KINDS = {
    "single": (single, np.ones(200, np.float32), 2.0**-23),
    "single f": (lambda x: (np.float32(quadratic(x)[0]), D * x), np.ones(200), 2.0**-23),
    "rounded": (rounded, np.ones(200), 1e-6),
    "printed": (printed, np.ones(200), 1e-3),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_noise_of_a_value_ends_a_run_near_the_minimum(kind, method):
    """Within a hundred units of the last digit, of f = 14642 at the start."""
    fun, x0, digit = KINDS[kind]
    result = minimize(fun, x0, jac=True, method=method, tol=1e-12)
    assert result.status in (Status.PRECISION, Status.CONVERGED)
    assert result.nfev + result.nhev <= ENOUGH
    assert quadratic(result.x.astype(float))[0] - 1.0 <= 100.0 * digit


@pytest.mark.parametrize("seed", range(8))
def test_differences_that_cannot_reach_the_tolerance_end_the_run(seed):
    x0 = np.random.default_rng(seed).uniform(-2.0, 2.0, 6)
    result = minimize(rosen, x0, tol=1e-9)
    assert result.status in (Status.PRECISION, Status.CONVERGED)
    assert result.nfev <= ENOUGH
    assert result.fun <= 1e-6 or abs(result.fun - 3.97394) < 1e-3  # the other minimum


def test_a_start_beside_the_origin_is_as_good_as_one_at_it():
    h = np.arange(1.0, 6.0)

    def fun(x):
        return 0.5 * float(h @ (x - 1.0) ** 2), h * (x - 1.0)

    for tiny in (0.0, 1e-18, 1e-300):
        result = minimize(fun, np.full(5, tiny), jac=True)
        assert result.success and result.nfev <= 30


@pytest.mark.parametrize("factor", [1e-100, 1.0, 1e100])
def test_a_value_of_the_start_that_is_huge_hides_nothing_later(factor):
    """Terms as large as that of the start are gone: what f decreases by afterwards counts."""

    def fun(x):
        r = np.sqrt(x @ x)
        return factor * (r**-12 + rosen(x)), factor * (-12.0 * r**-14 * x + rosen_der(x))

    result = minimize(fun, np.array([0.02, 0.03]), jac=True, options={"grtol": 1e-30, "gtol": 0.0})
    best = minimize(fun, np.array([1.1, 1.1]), jac=True, tol=1e-8 * factor)
    assert result.fun <= best.fun * (1.0 + 1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_solver_takes_the_precision_of_the_values_it_is_told(method):
    solver = Solver(np.ones(200), method, {"gtol": 1e-12})
    while solver.running:
        if solver.direction is not None:
            solver.tell_product(D * solver.direction)
            continue
        f, g = quadratic(solver.ask())
        solver.tell(np.float32(f), g)
    result = solver.result()
    assert result.nfev + result.nhev <= ENOUGH
    assert quadratic(result.x)[0] - 1.0 <= 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_nan_in_a_quarter_of_all_values_is_lived_with(method):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x0 = rng.uniform(-2.0, 2.0, 5)
        calls = 0

        def fun(x, rng=rng):
            nonlocal calls
            calls += 1
            f, g = rosen(x), rosen_der(x)
            if calls > 1 and rng.random() < 0.25:
                f = np.nan
            if calls > 1 and rng.random() < 0.25:
                g[rng.integers(5)] = np.nan
            return f, g

        products = rosen_hess_prod if method == "trust_cg" else None
        result = minimize(fun, x0, jac=True, hessp=products, method=method)
        assert result.success and result.nfev + result.nhev <= 1500


def hyperbola(x):
    """Half the sum of squares of b0 b1 t/(1 + b1 t) - y: NIST's Misra1d with data of its kind."""
    t = np.linspace(80.0, 760.0, 14)
    y = 437.0 * 3e-4 * t / (1.0 + 3e-4 * t) + 0.1 * np.sin(t)
    u = x[1] * t
    residual = x[0] * u / (1.0 + u) - y
    jacobian = np.array([u / (1.0 + u), x[0] * t / (1.0 + u) ** 2])
    return 0.5 * float(residual @ residual), jacobian @ residual


@pytest.mark.parametrize("start", [(450.0, 3e-4), (500.0, 1e-4), (300.0, 1e-3)])
@pytest.mark.parametrize("method", ["trust_hybrid", "arc_hybrid", "trust_lbfgs"])
def test_a_direction_hidden_behind_a_stiff_one_is_found(method, start):
    """Curvatures of 1e12 and 1e-4: at the floor of the first nothing can be gained along it."""
    scale = np.array([400.0, 3e-4])

    def scaled(u):
        f, g = hyperbola(scale * u)
        return f, scale * g

    least = minimize(scaled, np.ones(2), jac=True, tol=1e-9).fun
    result = minimize(hyperbola, start, jac=True, method=method, tol=0.0)
    assert result.status == Status.PRECISION
    assert result.fun <= least * (1.0 + 1e-6)
    assert result.nfev <= 400
