"""The test problems with bounds: derivatives, minima, and that the methods find them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from oracles import projected_newton

import quasinewton
from quasinewton import problems

NAMES = problems.names(bounded=True)
KNOWN = [name for name in NAMES if problems.get(name).fmin is not None]


def sizes(name):
    if name not in problems.scalable(bounded=True):
        return [problems.get(name).n]
    candidates = (1, 2, 3, 4, 7, 12, 30, problems.get(name).n)
    return sorted({n for n in candidates if problems.admits(name, n)})


CASES = [(name, n) for name in NAMES for n in sizes(name)]


def limits(problem):
    return problem.bounds[:, 0], problem.bounds[:, 1]


def residual(problem, x):
    return np.abs(x - np.clip(x - problem.grad(x), *limits(problem))).max()


def test_there_are_enough_and_they_are_listed_apart():
    assert len(NAMES) >= 15 and len(KNOWN) >= 15
    assert not set(NAMES) & set(problems.names())
    assert all(p.bounds is None for p in problems.all())
    assert [p.name for p in problems.all(bounded=True)] == list(NAMES)


@pytest.mark.parametrize(("name", "n"), CASES)
def test_start_and_derivatives(name, n):
    problem = problems.get(name, n)
    lower, upper = limits(problem)
    assert problem.bounds.shape == (n, 2) and not problem.bounds.flags.writeable
    assert np.all(lower <= problem.x0) and np.all(problem.x0 <= upper)
    assert np.isfinite(problem.bounds).any()
    rng = np.random.default_rng(0)
    low, high = np.maximum(lower, problem.x0 - 1.0), np.minimum(upper, problem.x0 + 1.0)
    for _ in range(3):
        x = low + (high - low) * rng.uniform(0.2, 0.8, n)
        d = rng.standard_normal(n) * (high - low)
        h = 1e-6
        slope = (problem.fun(x + h * d) - problem.fun(x - h * d)) / (2 * h)
        size = abs(problem.grad(x)) @ abs(d) + 1e-8
        noise = 1e-16 * abs(problem.fun(x)) / h
        assert problem.grad(x) @ d == pytest.approx(slope, abs=1e-5 * size + 10 * noise)
        change = (problem.grad(x + h * d) - problem.grad(x - h * d)) / (2 * h)
        product = problem.hessp(x, d)
        size = np.abs(product).max() + 1e-6 * np.abs(problem.grad(x)).max() + 1e-8
        assert product == pytest.approx(change, abs=1e-4 * size)


@pytest.mark.parametrize(("name", "n"), [case for case in CASES if case[0] in KNOWN])
def test_the_minimum_is_one_of_the_box(name, n):
    problem = problems.get(name, n)
    for x in problem.minimizers:
        assert np.all(x >= problem.bounds[:, 0]) and np.all(x <= problem.bounds[:, 1])
        assert problem.fun(x) == pytest.approx(problem.fmin, rel=1e-9, abs=1e-12)
        scale = 1.0 + np.abs(problem.grad(problem.x0)).max()
        assert residual(problem, x) <= 1e-7 * scale


@pytest.mark.parametrize("method", ["trust_hybrid", "arc_lsr1", "trust_cg"])
@pytest.mark.parametrize("name", NAMES)
def test_methods_find_it(name, method):
    problem = problems.get(name)
    lower, upper = limits(problem)

    def inside(x):
        assert np.all(x >= lower) and np.all(x <= upper)
        return problem.fun(x)

    products = problem.hessp if method == "trust_cg" else None
    result = quasinewton.minimize(
        inside, problem.x0, jac=problem.grad, hessp=products, method=method,
        bounds=problem.bounds, tol=1e-7,
    )  # fmt: skip
    assert result.success, result.message
    assert residual(problem, result.x) <= 1e-7
    known = problem.other_minima
    if problem.fmin is not None:
        known = (problem.fmin, *known)
    if known:
        assert min(abs(result.fun - value) for value in known) <= 1e-5 * (1 + abs(result.fun))
    else:
        hess = lambda x: np.array([problem.hessp(x, e) for e in np.eye(problem.n)])  # noqa: E731
        best = projected_newton(
            problem.fun, problem.grad, hess, np.array(problem.x0), lower, upper
        )
        assert result.fun == pytest.approx(problem.fun(best), rel=1e-7, abs=1e-9)


def test_scipy_takes_the_same_bounds():
    problem = problems.get("hs5")
    result = scipy.optimize.minimize(
        problem.fun, problem.x0, jac=problem.grad, method="L-BFGS-B", bounds=problem.bounds
    )
    assert result.fun == pytest.approx(problem.fmin)
