r"""Limited-memory quasi-Newton matrices: B = gamma I + C, with C on the span of the stored pairs.

From the Gram matrix of the rows [S; Z] (`pairs`) a Cholesky factorisation gives orthonormal
coordinates of the pairs: rows^T = U X with orthonormal U = rows^T T, neither formed. In
these coordinates the updates run as dense recursions on k x k matrices (`updates`), and a new
gamma costs no pass over n-vectors.

This is the compact representation of Byrd, Nocedal & Schnabel (1994) with its partial
eigendecomposition as in Brust, Erway & Marcia (2017), for any sequence of updates.
"""

from __future__ import annotations

import math

from ..kernels import inline_kernel, kernel
from .pairs import choose_gamma
from .updates import update

__all__ = ["confine", "expand", "project", "renew_compact"]

#: A row whose part outside the span of the others is smaller than this is dependent.
_INDEPENDENT = 1e-6
#: Bound on negative eigenvalues, as a part of that on positive ones.
_NEGATIVE = 0.1
#: What stands in the place of the residual of a column that has been a pivot.
_TAKEN = -2.0


@kernel
def _orthonormalise(ring, gram, coordinates, basis, lines, state):
    """Pivoted Cholesky of the Gram matrix, the newest pair first.

    Fills coordinates[:, 2j] and [:, 2j+1] with those of the direction and the rest of
    the j-th oldest pair, and basis[i] with the coefficients, by row of `rows`, of the
    i-th orthonormal vector. Returns how many there are.
    """
    m = ring.size
    columns = 2 * state[0].pairs
    residual, scale, inverse = lines[0, :columns], lines[1, :columns], lines[2, :columns]
    for j in range(columns):
        row = ring[j // 2].slot + (j % 2) * m
        scale[j] = math.sqrt(gram[row, row])
        inverse[j] = 1.0 / scale[j] if scale[j] > 0.0 else 0.0
        residual[j] = 1.0 if scale[j] > 0.0 else -1.0
    rank = 0
    while rank < min(columns, coordinates.shape[0]):
        # The newest pair keeps its exact coordinates; the others by their residuals.
        pivot = -1
        if rank == 0:
            pivot = columns - 2
        elif residual[columns - 1] > _INDEPENDENT**2:
            pivot = columns - 1
        else:
            best = _INDEPENDENT**2
            for j in range(columns):
                if residual[j] > best:
                    best = residual[j]
                    pivot = j
        if pivot < 0:
            break
        pivot_row = ring[pivot // 2].slot + (pivot % 2) * m
        inner, new, own = gram[pivot_row], coordinates[rank, :columns], basis[rank, : 2 * m]
        for pair in range(columns // 2):
            slot = ring[pair].slot
            new[2 * pair] = inner[slot] * (inverse[pivot] * inverse[2 * pair])
            new[2 * pair + 1] = inner[m + slot] * (inverse[pivot] * inverse[2 * pair + 1])
        for j in range(2 * m):
            own[j] = 0.0
        own[pivot_row] = inverse[pivot]
        # u = (row/|row| - sum coordinates[i] u_i) / root
        for i in range(rank):
            old, row, factor = coordinates[i, :columns], basis[i, : 2 * m], coordinates[i, pivot]
            for j in range(columns):
                new[j] -= factor * old[j]
            for j in range(2 * m):
                own[j] -= factor * row[j]
        root = math.sqrt(residual[pivot])
        for j in range(2 * m):
            own[j] /= root
        for j in range(columns):
            value = new[j] / root if residual[j] != _TAKEN and scale[j] > 0.0 else 0.0
            new[j] = value
            if residual[j] > 0.0:
                residual[j] -= value * value
        new[pivot] = root
        residual[pivot] = _TAKEN
        rank += 1
    for i in range(rank):  # undo the equilibration
        new = coordinates[i, :columns]
        for j in range(columns):
            new[j] *= scale[j]
    return rank


@inline_kernel
def renew_compact(gamma, ring, gram, coordinates, basis, matrix, lines, state):
    """Make C = B - gamma I anew, in the coordinates of the pairs.

    Parameters
    ----------
    gamma : float
        The last resort where gamma is chosen; gamma itself where `window` is 0.
    ring, gram
        As `absorb` leaves them.
    coordinates, basis, matrix : float64 arrays, shape (min(n, 2m) + 1, >= 2m)
        Filled. C is the first `rank` rows and columns of `matrix`, in units of `unit`.
    lines : float64 array, shape (>= 5, >= 2m)
        Workspace.
    state : STATE array
        `gamma`, `unit`, `rank`, `used` and `newest` are brought up to date.
    """
    record = state[0]
    if record.window > 0:
        gamma = choose_gamma(ring, state, gamma)
    rank = _orthonormalise(ring, gram, coordinates, basis, lines, state)
    for i in range(rank):
        row = matrix[i]
        for j in range(rank):
            row[j] = 0.0
    unit = abs(gamma)
    for j in range(record.pairs):
        unit = max(unit, ring[j].tau)
    record.gamma, record.unit, record.rank = gamma, unit, rank
    record.matrix_gamma = gamma
    record.outside = 1 if rank < record.n else 0
    record.added = 0.0
    record.newest = record.used = record.inverted = 0
    s, z = lines[0, :rank], lines[1, :rank]
    for j in range(record.pairs):
        if unit == 0.0:
            break
        for i in range(rank):
            s[i] = coordinates[i, 2 * j]
            z[i] = coordinates[i, 2 * j + 1]
        used = update(
            gamma / unit, (ring[j].tau / unit, ring[j].cosine), False, rank, lines, matrix, matrix,
            state,
        )  # fmt: skip
        record.newest = 1 if used else 0
        record.used += 1 if used else 0


@inline_kernel
def project(basis, rank, products, divisor, scaled, out):
    """out = U^T v / divisor, from the products of the rows with v; `scaled` is workspace."""
    for j in range(products.size):
        scaled[j] = products[j] / divisor
    for i in range(rank):
        row = basis[i]
        total = 0.0
        for j in range(products.size):
            total += row[j] * scaled[j]
        out[i] = total


@inline_kernel
def expand(basis, rank, c, out):
    """out = the coefficients of U c on the rows."""
    for j in range(out.size):
        out[j] = 0.0
    for i in range(rank):
        row, factor = basis[i], c[i]
        for j in range(out.size):
            out[j] += factor * row[j]


@kernel
def confine(ring, count, lam):
    """Bring eigenvalues into [-0.1 t, t], where t is the largest |y|/|s| of the pairs.

    |y|/|s| is the length of the mean Hessian times a unit vector: no pair shows a curvature
    beyond t, but small denominators of SR1 updates do make such eigenvalues.
    """
    largest = 0.0
    for j in range(count):
        largest = max(largest, ring[j].tau)
    for i in range(lam.size):
        lam[i] = min(max(lam[i], -_NEGATIVE * largest), largest)
