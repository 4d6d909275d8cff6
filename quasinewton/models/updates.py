r"""What one pair does to a quasi-Newton matrix, in orthonormal coordinates.

* SR1: :math:`B \leftarrow B + r r^T/(r^T s)`, :math:`r = y - Bs` (Nocedal & Wright 2006,
  eq. 6.24), unless the denominator is roundoff (eq. 6.26).
* BFGS: :math:`B \leftarrow B - B s s^T B/(s^T B s) + y y^T/(s^T y)` (eq. 6.19), where
  :math:`s^T y` is safely positive.
* hybrid: BFGS where both of its denominators are safely positive, SR1 for any other pair.
"""

from __future__ import annotations

import math

from ..kernels import EPS, kernel

__all__ = ["KINDS", "recursion"]

#: Updates by name, as the kernels number them.
KINDS = {"lsr1": 0, "lbfgs": 1, "hybrid": 2}

SR1, BFGS, HYBRID = 0, 1, 2

#: r of the skip rules.
_SKIP = 1e-8


@kernel
def recursion(
    kind, gamma, unit, coordinates, columns, tau, cosine, order, matrix, scratch, ints
):
    """Run the updates of all pairs, oldest first, from B = gamma I.

    Parameters
    ----------
    kind : int
        One of `KINDS`.
    gamma, unit : float
        The result is (B - gamma I) / unit; `unit` > 0 is the scale of the curvatures.
    coordinates : float64 array, shape (rank, >= columns)
        Columns 2j, 2j+1: direction s and rest z of the j-th oldest pair;
        y = tau (cosine s + z).
    columns : int
        Twice the number of pairs.
    tau, cosine, order
        As in `CompactModel`.
    matrix : float64 array, shape (rank, rank)
        Filled.
    scratch : float64 array, shape (3, >= rank)
    ints : int64 array
        ints[1] is set to 1 if the newest pair was used, 0 if skipped.

    Returns
    -------
    used : int
    """
    rank = matrix.shape[0]
    matrix[:, :] = 0.0
    used = 0
    size = 0.0  # bounds the norm of `matrix`, hence the roundoff in its products
    s, rest, bs = scratch[0], scratch[1], scratch[2]
    gamma = gamma / unit
    for pair in range(columns // 2):
        t = tau[order[pair]] / unit
        c = cosine[order[pair]]
        ss = 0.0
        sbs = 0.0
        bs_square = 0.0
        for i in range(rank):
            s[i] = coordinates[i, 2 * pair]
            rest[i] = t * coordinates[i, 2 * pair + 1]
        # rest = y - (multiple of s) is kept apart from that multiple: y - Bs then keeps
        # its digits where y is nearly parallel to s.
        bs[:] = 0.0
        for i in range(rank):
            for j in range(rank):  # by rows of a symmetric matrix: no chain of additions
                bs[j] += s[i] * matrix[i, j]
        for i in range(rank):
            ss += s[i] * s[i]
            full = bs[i] + gamma * s[i]
            sbs += s[i] * full
            bs_square += full * full
        sy = 0.0
        residual_square = 0.0
        residual_s = 0.0
        shift = t * c - gamma
        for i in range(rank):
            residual = (shift * s[i] - bs[i]) + rest[i]
            residual_square += residual * residual
            residual_s += residual * s[i]
            sy += s[i] * (t * c * s[i] + rest[i])
        s_norm = math.sqrt(ss)
        bs_norm = math.sqrt(bs_square)
        y_norm = t
        if s_norm == 0.0:
            continue
        bfgs = (
            kind != SR1 and sy > _SKIP * s_norm * y_norm and sbs > _SKIP * s_norm * bs_norm
        )
        last = pair == columns // 2 - 1
        if bfgs:
            for i in range(rank):
                y_i = t * c * s[i] + rest[i]
                b_i = bs[i] + gamma * s[i]
                for j in range(rank):
                    y_j = t * c * s[j] + rest[j]
                    b_j = bs[j] + gamma * s[j]
                    matrix[i, j] += y_i * y_j / sy - b_i * b_j / sbs
            size += y_norm * y_norm / sy + bs_square / sbs
            used += 1
            if last:
                ints[1] = 1
            continue
        if kind == BFGS:
            continue
        residual_norm = math.sqrt(residual_square)
        if residual_norm <= 8.0 * EPS * (y_norm + bs_norm + size * s_norm):
            continue
        if abs(residual_s) <= _SKIP * s_norm * residual_norm:
            continue
        size += residual_square / abs(residual_s)
        for i in range(rank):
            rest[i] += shift * s[i] - bs[i]
        for i in range(rank):
            factor = rest[i] / residual_s
            for j in range(rank):
                matrix[i, j] += factor * rest[j]
        used += 1
        if last:
            ints[1] = 1
    return used
