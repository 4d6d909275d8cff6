"""The cubic and trust-region subproblems against dense solutions and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracles import (
    cubic_value,
    dense_cubic_euclidean,
    dense_trust_region,
    plane_trust_region,
    random_search,
    scalar_cubic,
)

from quasinewton.models.symmetric import invert
from quasinewton.subproblems.cubic import cubic_euclidean, cubic_shape
from quasinewton.subproblems.definite import EXACT, NOTHING, PLANE, definite_step

pytestmark = pytest.mark.kernels


def trust_region(lam, g, radius, s):
    """Length and multiplier of the step of the trust region, the cubic one without a weight."""
    length, weight = cubic_euclidean(lam, g, 0.0, radius, s)
    return length, weight * length


@st.composite
def eigenproblems(draw):
    """Spectra and gradients with every awkward feature: repeats, zeros, tiny parts, any sign."""
    k = draw(st.integers(1, 7))
    value = st.one_of(
        st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
        st.floats(-1.0, 1.0),
        st.builds(lambda a, e: a * 10.0**e, st.floats(-1.0, 1.0), st.integers(-12, 0)),
    )
    lam = np.array(draw(st.lists(value, min_size=k, max_size=k)))
    g = np.array(draw(st.lists(value, min_size=k, max_size=k)))
    lam[np.abs(lam) < 1e-200] = 0.0
    g[np.abs(g) < 1e-200] = 0.0
    return lam, g


weights = st.builds(lambda a, e: a * 10.0**e, st.floats(1.0, 9.0), st.integers(-4, 4))


def scale_of(lam, g, s):
    """Size of the terms that cancel in the model's value: what roundoff is relative to."""
    return np.abs(g * s).sum() + np.abs(lam * s * s).sum() + 1e-300


@given(eigenproblems(), weights)
def test_trust_region_optimality_and_value(problem, radius):
    lam, g = problem
    s = np.empty_like(g)
    length, mu = trust_region(lam, g, radius, s)
    assert length <= radius * (1 + 1e-10)
    assert np.linalg.norm(s) == pytest.approx(length, rel=1e-12, abs=1e-300)
    assert mu >= 0.0
    assert mu + lam.min() >= -1e-14
    residual = np.abs((lam + mu) * s + g)
    assert residual.max() <= 1e-8 * np.abs(g).max() + 1e-14 * np.abs(lam).max() * length
    assert mu * (radius - length) <= 1e-8 * mu * radius
    value = g @ s + 0.5 * s @ (lam * s)
    assert value <= dense_trust_region(lam, g, radius) + 1e-10 * scale_of(lam, g, s)


@given(eigenproblems(), weights)
def test_cubic_euclidean_optimality_and_value(problem, sigma):
    lam, g = problem
    s = np.empty_like(g)
    length, used = cubic_euclidean(lam, g, sigma, np.inf, s)
    assert used == sigma
    mu = sigma * length
    assert mu + lam.min() >= -1e-8 * max(1.0, mu)
    residual = np.abs((lam + mu) * s + g)
    assert residual.max() <= 1e-8 * np.abs(g).max() + 1e-13 * np.abs(lam).max() * length
    value = cubic_value(lam, g, sigma, s, "euclidean")
    scale = scale_of(lam, g, s) + sigma * length**3
    assert value <= dense_cubic_euclidean(lam, g, sigma) + 1e-9 * scale


@given(eigenproblems(), weights)
def test_cubic_shape_is_the_sum_of_scalar_minima(problem, sigma):
    lam, g = problem
    s = np.empty_like(g)
    length, used = cubic_shape(lam, g, sigma, np.inf, s)
    assert used == sigma
    assert length == pytest.approx(np.linalg.norm(s), rel=1e-12, abs=1e-300)
    gradient = g + lam * s + sigma * np.abs(s) * s
    assert np.all(np.abs(gradient) <= 1e-8 * (np.abs(g) + np.abs(lam * s)))
    for i in range(lam.size):
        value = cubic_value(lam[i : i + 1], g[i : i + 1], sigma, s[i : i + 1], "shape")
        scale = abs(g[i] * s[i]) + abs(lam[i]) * s[i] ** 2 + sigma * abs(s[i]) ** 3
        assert value <= scalar_cubic(lam[i], g[i], sigma) + 1e-10 * scale


@pytest.mark.parametrize("norm", ["shape", "euclidean"])
@given(problem=eigenproblems(), sigma=weights, longest=weights)
@example(problem=(np.array([-1.0, 1.0]), np.array([0.0, -1.0])), sigma=1.0, longest=1.0)
def test_bound_on_the_length_uses_the_smallest_weight(norm, problem, sigma, longest):
    lam, g = problem
    solve = cubic_shape if norm == "shape" else cubic_euclidean
    s = np.empty_like(g)
    free, _ = solve(lam, g, sigma, np.inf, s)
    length, used = solve(lam, g, sigma, longest, s)
    assert length <= longest * (1 + 1e-9)
    if free <= longest:
        assert used == sigma
    else:
        assert used >= sigma
        assert length >= longest * (1 - 1e-6)  # a smaller weight would overstep
    again = np.empty_like(g)
    if 0.0 < used < 1e250:
        solve(lam, g, used, np.inf, again)
        assert np.linalg.norm(again) == pytest.approx(length, rel=1e-6, abs=1e-300)


def test_an_inverse_knows_curvatures_that_the_matrix_has_lost():
    """The step is that of the inverse where eigenvalues of the matrix are below its roundoff."""
    u, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    lam = np.array([1e10, 1.0, 1e-10])
    matrix, inverse = (u * lam) @ u.T, (u / lam) @ u.T
    matrix, inverse = (matrix + matrix.T) / 2, (inverse + inverse.T) / 2
    g = u @ np.ones(3) / np.sqrt(3)
    lines = np.empty((3, 3))
    *_, exact = definite_step(
        matrix, 0.0, g, np.inf, NOTHING, inverse, True, 1e10, np.empty((3, 7)), lines
    )
    assert exact
    assert np.allclose(lines[0], -inverse @ g, rtol=1e-12)


@given(
    n=st.integers(1, 9), spread=st.floats(0.0, 12.0), shift=st.floats(-0.5, 0.5),
    exponent=st.floats(-3.0, 6.0), beyond=st.sampled_from([NOTHING, EXACT, PLANE]),
    inverted=st.sampled_from(["no", "yes", "wrong"]), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_step_without_the_spectrum_is_the_one_by_it(
    n, spread, shift, exponent, beyond, inverted, seed
):
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((n, n)))
    lam = 10.0 ** -np.linspace(0.0, spread, n) - max(shift, 0.0)
    matrix = (u * (lam - shift)) @ u.T
    matrix = (matrix + matrix.T) / 2
    g = rng.standard_normal(n)
    g /= np.linalg.norm(g)
    radius = 10.0**exponent
    inverse = np.empty((n, n))
    has_inverse = inverted != "no" and invert(matrix, shift, n, inverse)
    if inverted == "wrong":
        inverse *= 1.001
    lines = np.empty((3, n))
    length, slope, bend, mu, exact = definite_step(
        matrix, shift, g, radius, beyond, inverse, has_inverse, np.linalg.norm(matrix),
        np.empty((n, n + 4)), lines,
    )  # fmt: skip
    s = lines[0]
    if exact and inverted == "wrong":  # within the roundoff of the product that shows it
        assert lam.min() < 1e-10
        return
    assert not (exact and inverted == "no")
    if has_inverse and inverted == "yes" and lam.min() > 1e-6:
        assert exact
    b = matrix + shift * np.eye(n)
    if length == np.inf:
        newton = np.linalg.norm(np.linalg.solve(b, g)) if lam.min() > 1e-13 else np.inf
        assert lam.min() < 1e-13 or (beyond == NOTHING and newton > radius * (1 - 1e-2))
        return
    assert lam.min() > -1e-14
    assert length <= radius * (1 + 1e-14)
    assert length == pytest.approx(np.linalg.norm(s), rel=1e-9)
    assert mu >= 0.0
    assert slope == pytest.approx(g @ s, rel=1e-9)
    terms = np.abs(s) @ np.abs(b) @ np.abs(s)
    assert bend == pytest.approx(s @ b @ s, rel=1e-6, abs=1e-12 * terms)
    best = dense_trust_region(lam, u.T @ g, radius)
    if beyond == PLANE and n > 2 and lam.min() > 1e-13:
        best = plane_trust_region(b, g, radius)
    assert slope + 0.5 * bend <= best + 1e-7 * abs(best) + 1e-14 * terms


@given(n=st.integers(1, 25), spread=st.floats(0.0, 6.0), seed=st.integers(0, 10**6))
def test_inverse(n, spread, seed):
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((n, n)))
    lam = 10.0 ** -np.linspace(0.0, spread, n)
    matrix = (u * lam) @ u.T
    matrix = (matrix + matrix.T) / 2
    inverse = np.empty((n, n))
    assert invert(matrix, 0.25, len(inverse), inverse)
    b = matrix + 0.25 * np.eye(n)
    assert np.abs(inverse @ b - np.eye(n)).max() <= 1e-13
    assert np.array_equal(inverse, inverse.T)
    assert not invert(matrix, -lam[-1] - 0.1, len(inverse), inverse)


@pytest.mark.parametrize("norm", ["shape", "euclidean", "trust_region"])
def test_no_worse_than_random_search(norm):
    rng = np.random.default_rng(3)
    for _ in range(15):
        k = int(rng.integers(1, 5))
        lam, g = rng.standard_normal(k), rng.standard_normal(k)
        weight = 10.0 ** rng.uniform(-1, 1)
        s = np.empty(k)
        if norm == "trust_region":
            trust_region(lam, g, weight, s)

            def value(p, lam=lam, g=g, weight=weight):
                if np.linalg.norm(p) > weight:
                    return np.inf
                return g @ p + 0.5 * p @ (lam * p)
        else:
            (cubic_shape if norm == "shape" else cubic_euclidean)(lam, g, weight, np.inf, s)

            def value(p, lam=lam, g=g, weight=weight):
                return cubic_value(lam, g, weight, p, norm)

        inward = s * (1 - 1e-12)
        assert value(inward) <= random_search(value, np.zeros(k), 1 / weight, rng) + 1e-9


HARD = [
    # lam, g: the gradient has no part along the lowest eigenvalue
    ([-1.0, 2.0], [0.0, 1.0]),
    ([-1.0, -1.0, 3.0], [0.0, 0.0, 0.3]),
    ([-2.0], [0.0]),
    ([-1.0, 1.0], [1e-300, 0.1]),  # nearly
    ([-1.0, 1.0], [1e-17, 0.1]),
    ([0.0, 1.0], [0.0, 0.1]),  # singular, not indefinite
    ([0.0], [0.0]),
]


@pytest.mark.parametrize(("lam", "g"), HARD)
@pytest.mark.parametrize("weight", [1e-3, 1.0, 50.0])
def test_hard_case(lam, g, weight):
    lam, g = np.array(lam), np.array(g)
    s = np.empty_like(g)
    length, mu = trust_region(lam, g, weight, s)
    assert length <= weight * (1 + 1e-12)
    if lam.min() < 0:
        assert length == pytest.approx(weight)
        assert mu >= -lam.min() * (1 - 1e-12)
    assert g @ s + 0.5 * s @ (lam * s) <= dense_trust_region(lam, g, weight) + 1e-12
    length, _ = cubic_euclidean(lam, g, weight, np.inf, s)
    assert cubic_value(lam, g, weight, s, "euclidean") <= (
        dense_cubic_euclidean(lam, g, weight) + 1e-10 * scale_of(lam, g, s)
    )
    if lam.min() < 0:
        assert weight * length >= -lam.min() * (1 - 1e-10)
    cubic_shape(lam, g, weight, np.inf, s)
    for i in np.flatnonzero((g == 0) & (lam < 0)):
        assert abs(s[i]) == pytest.approx(-lam[i] / weight)


def test_empty_eigenbasis():
    none = np.empty(0)
    assert trust_region(none, none, 1.0, none)[0] == 0.0
    assert cubic_shape(none, none, 1.0, 1.0, none)[0] == 0.0
    assert cubic_euclidean(none, none, 1.0, 1.0, none)[0] == 0.0
