"""Truncated CG and its re-cut path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasinewton.subproblems.steihaug import SteihaugCG


def solve(h, g, radius, tolerance=1e-12, most=10**6, points=9):
    cg = SteihaugCG(g, points)
    cg.prepare(g, float(np.linalg.norm(g)), radius, tolerance, most)
    while cg.direction is not None:
        cg.receive(h @ cg.direction)
    return cg


def model(h, g, s):
    return g @ s + 0.5 * s @ (h @ s)


@st.composite
def quadratics(draw):
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    positive = draw(st.booleans())
    eigenvalues = 10.0 ** rng.uniform(-3, 1, n) * (1 if positive else rng.choice([-1, 1], n))
    return (q * eigenvalues) @ q.T, rng.standard_normal(n), positive


@given(quadratics(), st.floats(0.01, 100.0))
def test_step_is_inside_and_no_worse_than_the_cauchy_point(problem, radius):
    h, g, _ = problem
    cg = solve(h, g, radius)
    s = cg.step
    assert np.linalg.norm(s) <= radius * (1 + 1e-10)
    assert cg.length == pytest.approx(np.linalg.norm(s), rel=1e-9)
    assert cg.predicted == pytest.approx(-model(h, g, s), rel=1e-7)
    assert cg.slope == pytest.approx(g @ s, rel=1e-9)
    bend = g @ h @ g
    g_norm = np.linalg.norm(g)
    t = radius / g_norm if bend <= 0 else min(radius / g_norm, g_norm**2 / bend)
    assert model(h, g, s) <= model(h, g, -t * g) * (1 - 1e-9)


@given(quadratics())
def test_a_wide_region_gives_the_newton_step(problem):
    h, g, positive = problem
    if not positive:
        return
    cg = solve(h, g, 1e6, most=10 * g.size + 50)
    assert not cg.on_boundary
    assert np.linalg.norm(h @ cg.step + g) <= 1e-6 * np.linalg.norm(g)


@given(quadratics(), st.floats(0.05, 50.0), st.floats(0.05, 0.95), st.sampled_from([3, 5, 9]))
def test_a_recut_step_is_a_cg_step_of_the_smaller_radius(problem, radius, factor, points):
    h, g, _ = problem
    cg = solve(h, g, radius, points=points)
    full = cg.length
    for _ in range(3):
        smaller = factor * cg.length
        products = cg.products
        before = cg.predicted
        cg.recut(smaller)
        assert cg.products == products  # at no cost
        s = cg.step
        assert np.linalg.norm(s) == pytest.approx(smaller, rel=1e-7)
        assert cg.predicted == pytest.approx(-model(h, g, s), rel=1e-6, abs=1e-12 * full)
        assert 0.0 < cg.predicted < before
    if points == 9 and cg.products < 8:  # nothing was thinned: the very step CG would take
        again = solve(h, g, smaller)
        assert np.allclose(again.step, s, rtol=1e-6, atol=1e-9 * smaller)


def test_negative_curvature_reaches_the_boundary():
    cg = solve(-np.eye(3), np.array([1.0, 0.0, 0.0]), 2.0)
    assert cg.negative_curvature and cg.on_boundary
    assert np.allclose(cg.step, [-2.0, 0.0, 0.0])


def test_a_first_product_that_is_not_finite_gives_steepest_descent():
    cg = SteihaugCG(np.zeros(2))
    cg.prepare(np.array([1.0, 2.0]), np.sqrt(5.0), 1.0, 0.0, 10)
    cg.receive(np.array([np.nan, 0.0]))
    assert cg.direction is None
    assert np.allclose(cg.step, np.array([-1.0, -2.0]) / np.sqrt(5.0))


@pytest.mark.parametrize("scale_g", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("scale_h", [1e-150, 1.0, 1e150])
def test_extreme_scales(scale_g, scale_h):
    h, g = np.diag([1.0, 4.0]), np.array([1.0, -2.0])
    size = scale_g / scale_h
    cg = solve(h * scale_h, g * scale_g, 1e3 * size)
    assert np.allclose(cg.step / size, np.linalg.solve(h, -g))
    cg = solve(h * scale_h, g * scale_g, 0.1 * size)
    assert cg.on_boundary and np.linalg.norm(cg.step / size) == pytest.approx(0.1)


def test_the_direction_cannot_be_changed_by_the_caller():
    cg = SteihaugCG(np.zeros(2))
    cg.prepare(np.array([1.0, 2.0]), np.sqrt(5.0), 1.0, 0.0, 10)
    with pytest.raises(ValueError, match="read-only"):
        cg.direction[0] = 0.0
