"""A quasi-Newton matrix in the variables themselves, for few of them.

Each pair updates B - gamma I, in O(n^2), in the first n rows of `gram`. Where nobody asked for a
number of pairs it forgets none. In the rows after those stands the inverse of B, while it is
definite and no pair makes B anew.
"""

from __future__ import annotations

import math

from ..kernels import inline_kernel, kernel
from .pairs import choose_gamma
from .updates import update

#: Part of the curvature up to which it may differ where f is taken to be quadratic.
_QUADRATIC = 0.03

__all__ = ["begin_matrix", "renew_dense", "work_in"]


@inline_kernel
def begin_matrix(gamma, k, gram, state):
    """B = gamma I in k coordinates, and its inverse where that is definite."""
    record = state[0]
    n = gram.shape[1]
    record.unit = abs(gamma)
    record.added = 0.0
    record.newest = record.used = 0
    record.inverted = 1 if gamma > 0.0 else 0
    for i in range(k):
        row, inverse = gram[i], gram[n + i]
        for j in range(k):
            row[j] = inverse[j] = 0.0
        inverse[i] = 1.0


@kernel
def _is_symmetric(pair, older, rows, m, k):
    """Whether one symmetric matrix explains both pairs: s_1.y_2 = s_2.y_1, in its own norm."""
    s, z = rows[pair.slot], rows[m + pair.slot]
    s_old, z_old = rows[older.slot], rows[m + older.slot]
    s_s = 0.0
    s_z = 0.0
    z_s = 0.0
    for i in range(k):
        s_s += s[i] * s_old[i]
        s_z += s[i] * z_old[i]
        z_s += z[i] * s_old[i]
    relative = older.tau / pair.tau if pair.tau > 0.0 else math.inf
    gap = relative * (older.cosine * s_s + s_z) - (pair.cosine * s_s + z_s)
    return gap * gap <= _QUADRATIC * _QUADRATIC * relative * abs(pair.cosine * older.cosine)


@inline_kernel
def work_in(gamma, first, k, rows, ring, gram, lines, state):
    """Let the pairs of the ring, from the given one on, change B = gamma I + unit * matrix.

    Parameters
    ----------
    gamma : float
    first, k : int
        The first of the pairs; the number of coordinates.
    rows : array, shape (2m, >= k)
        The pairs in these coordinates.
    ring, gram, lines, state
        As in `renew_dense`.
    """
    record = state[0]
    n = gram.shape[1]
    m = ring.size
    count = record.pairs
    matrix, inverse = gram[:n], gram[n:]
    unit = record.unit
    largest = max(unit, abs(gamma))
    for j in range(first, count):
        largest = max(largest, ring[j].tau)
    if largest > unit:
        for i in range(k):
            for j in range(k):
                matrix[i, j] *= unit / largest
                if record.inverted != 0:
                    inverse[i, j] *= largest / unit
        record.added *= unit / largest
        record.unit = largest
    for j in range(first, count):
        if largest == 0.0:
            break
        pair = ring[j]
        s_row, z_row = rows[pair.slot], rows[m + pair.slot]
        for i in range(k):
            lines[0, i] = s_row[i]
            lines[1, i] = z_row[i]
        quadratic = (
            record.reduced == 0 and pair.bend <= _QUADRATIC
            and (j == 0 or _is_symmetric(pair, ring[j - 1], rows, m, k))
        )  # fmt: skip
        curvature = pair.tau / largest, pair.cosine
        used = update(
            gamma / largest, curvature, quadratic, k, lines, matrix, inverse, state
        )
        record.newest = 1 if used else 0
        record.used += 1 if used else 0
    record.applied = count


@inline_kernel
def renew_dense(gamma, rows, ring, gram, lines, state):
    """Work the pairs into B that it does not hold yet, or all of the ring where gamma changed.

    Parameters
    ----------
    gamma : float
        The last resort where gamma is chosen; gamma itself where `window` is 0.
    rows, ring
        As `absorb` leaves them.
    gram : float64 array, shape (2n, n)
        B - gamma I and, where `inverted`, the inverse of B; in units of `unit` and 1 / `unit`.
    lines : float64 array, shape (>= 5, >= n)
        Workspace.
    state : STATE array
        `gamma`, `unit`, `rank`, `used`, `newest`, `inverted` and `applied` are brought up to date.
    """
    n = rows.shape[1]
    record = state[0]
    count = record.pairs
    for _attempt in range(2):
        if record.window > 0:
            gamma = choose_gamma(ring, state, gamma)
        first = record.applied if gamma == record.matrix_gamma else -1
        anew = first < 0
        if anew:
            first = 0
            begin_matrix(gamma, n, gram, state)
        work_in(gamma, first, n, rows, ring, gram, lines, state)
        record.matrix_gamma = gamma
        if anew or first == count or record.newest != 0 or record.whole == 0:
            break
        # A matrix that does not take the newest pair is no model of what is here: it forgets all
        # but the pairs of the ring.
        record.applied = -1
    record.gamma = gamma
    record.rank = n
    record.outside = 0
