"""The small eigendecomposition, against LAPACK's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasinewton.models.eigen import (
    diagonalise,
    from_eigenbasis,
    to_eigenbasis,
    tridiagonalise,
)

pytestmark = pytest.mark.kernels


def decompose(a):
    """Eigenvalues, and by rows the eigenvectors; products with them and back agree."""
    k = len(a)
    d, e, p, q = np.empty((4, k))
    reflections = a.copy()
    tridiagonalise(reflections, d, e, p, q)
    cosines, sines = np.empty((2, 4 * (k + 1), k + 2))
    sweeps = diagonalise(d, e, cosines, sines)
    assert sweeps >= 0
    v = np.eye(k)
    for row in v:
        from_eigenbasis(reflections, p, cosines, sines, sweeps, row)
    w = np.cos(np.arange(k))
    coordinates = w.copy()
    to_eigenbasis(reflections, p, cosines, sines, sweeps, coordinates)
    assert np.abs(coordinates - v @ w).max() <= 1e-13 * k
    return d, v


def check(a):
    d, v = decompose(a)
    k, size = len(a), np.abs(a).max()
    tolerance = 1e-14 * k
    assert np.abs(v @ v.T - np.eye(k)).max() <= tolerance
    assert np.abs((v.T * d) @ v - a).max() <= tolerance * k * size
    assert np.abs(np.sort(d) - np.linalg.eigvalsh(a)).max() <= tolerance * k * size


@given(
    k=st.integers(1, 60), rank=st.integers(0, 60), spread=st.floats(0.0, 300.0),
    zeros=st.floats(0.0, 1.0), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_any_symmetric_matrix(k, rank, spread, zeros, seed):
    """Graded, of any rank, with many zeros, with clusters."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(k, min(rank, k)))
    a = (factor * 10.0 ** -np.linspace(0.0, spread, factor.shape[1])) @ factor.T
    mask = np.triu(rng.random((k, k)) >= zeros)
    check(a * (mask | mask.T))


@pytest.mark.parametrize("k", [1, 2, 3, 20, 47, 48, 60])
def test_special_matrices(k):
    check(np.zeros((k, k)))
    check(np.eye(k))
    check(np.ones((k, k)))
    check(np.diag(np.arange(k) - 3.0))
    check(np.eye(k)[::-1].copy())
    check(np.diag(np.ones(k - 1), 1) + np.diag(np.ones(k - 1), -1))
    wilkinson = np.diag(np.abs(np.arange(k) - k // 2) * 1.0)
    check(wilkinson + np.diag(np.ones(k - 1), 1) + np.diag(np.ones(k - 1), -1))
