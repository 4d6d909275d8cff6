r"""What one pair does to a quasi-Newton matrix, in orthonormal coordinates.

* SR1: :math:`B \leftarrow B + r r^T/(r^T s)`, :math:`r = y - Bs` (Nocedal & Wright 2006,
  eq. 6.24), unless the denominator is roundoff (eq. 6.26).
* BFGS: :math:`B \leftarrow B - B s s^T B/(s^T B s) + y y^T/(s^T y)` (eq. 6.19), where
  :math:`s^T y` is safely positive.
* hybrid: BFGS where both of its denominators are safely positive, SR1 for any other pair.

With :math:`r` and :math:`y` scaled so that they enter as :math:`\pm r r^T` and :math:`y y^T`, and s
like y, the inverse H of B changes by

* SR1: :math:`\mp H r (H r)^T/(1 \pm r^T H r)`, and stays positive definite with that denominator
  (Sherman & Morrison);
* BFGS: :math:`(1 + y^T H y)\, s s^T - s (H y)^T - H y\, s^T` (eq. 6.17).
"""

from __future__ import annotations

import math

from ..kernels import EPS, kernel, multiply_symmetric

__all__ = ["KINDS", "update"]

#: Updates by name, as the kernels number them.
KINDS = {"lsr1": 0, "lbfgs": 1, "hybrid": 2}

SR1, BFGS, HYBRID = 0, 1, 2

#: r of the skip rules.
_SKIP = 1e-8


@kernel
def update(kind, gamma, t, c, s, z, bs, matrix, size, definite, inverse):
    """Let the pair (s, y = t (c s + z)) change B = gamma I + matrix, and its inverse.

    Parameters
    ----------
    kind : int
        One of `KINDS`.
    gamma, t, c : float
        In units of one curvature, see `CompactModel`.
    s, z : float64 arrays, shape (k,)
        s of length 1; overwritten. z = y/|y| - (multiple of s) is kept apart from that
        multiple: y - Bs then keeps its digits where y is nearly parallel to s.
    bs : float64 array, shape (k,)
        Workspace.
    matrix : float64 array, shape (k, k)
        Stays symmetric to the bit.
    size : float
        Bounds the norm of all that was ever added to `matrix`, hence the roundoff in its products.
    definite : bool
        Whether `inverse` is that of B, and positive definite; else it is not touched.
    inverse : float64 array, shape (k, k)

    Returns
    -------
    used : bool
        False where the pair is skipped. One that B satisfies already counts as used.
    size : float
    definite : bool
        Whether it still is.
    """
    k = s.size
    multiply_symmetric(matrix, s, bs)
    ss = 0.0
    sbs = 0.0
    bs_square = 0.0
    sy = 0.0
    residual_square = 0.0
    residual_s = 0.0
    shift = t * c - gamma
    for i in range(k):
        full = bs[i] + gamma * s[i]
        residual = (shift * s[i] - bs[i]) + t * z[i]
        ss += s[i] * s[i]
        sbs += s[i] * full
        bs_square += full * full
        residual_square += residual * residual
        residual_s += residual * s[i]
        sy += s[i] * (t * c * s[i] + t * z[i])
    s_norm = math.sqrt(ss)
    bs_norm = math.sqrt(bs_square)
    if s_norm == 0.0:
        return False, size, definite
    if kind != SR1 and sy > _SKIP * s_norm * t and sbs > _SKIP * s_norm * bs_norm:
        y_root = 1.0 / math.sqrt(sy)
        b_root = 1.0 / math.sqrt(sbs)
        for i in range(k):
            z[i] = (t * c * s[i] + t * z[i]) * y_root
            bs[i] = (bs[i] + gamma * s[i]) * b_root
        for i in range(k):
            row, a, b = matrix[i], z[i], bs[i]
            for j in range(k):
                row[j] += a * z[j] - b * bs[j]
        if definite:
            multiply_symmetric(inverse, z, bs)
            yhy = 0.0
            for i in range(k):
                yhy += z[i] * bs[i]
                s[i] *= y_root
            half = 0.5 + 0.5 * yhy
            for i in range(k):
                bs[i] = half * s[i] - bs[i]
            for i in range(k):
                row, a, b = inverse[i], s[i], bs[i]
                for j in range(k):
                    row[j] += a * bs[j] + b * s[j]
        return True, size + t * t / sy + bs_square / sbs, definite
    if kind == BFGS:
        return False, size, definite
    residual_norm = math.sqrt(residual_square)
    if residual_norm <= 8.0 * EPS * (t + bs_norm + size * s_norm):
        return True, size, definite
    if abs(residual_s) <= _SKIP * s_norm * residual_norm:
        return False, size, definite
    root = 1.0 / math.sqrt(abs(residual_s))
    sign = 1.0 if residual_s > 0.0 else -1.0
    for i in range(k):
        z[i] = ((shift * s[i] - bs[i]) + t * z[i]) * root
    for i in range(k):
        factor = sign * z[i]
        for j in range(k):
            matrix[i, j] += factor * z[j]
    if definite:
        multiply_symmetric(inverse, z, bs)
        growth = 1.0  # of the determinant of B
        for i in range(k):
            growth += sign * z[i] * bs[i]
        definite = growth > _SKIP
        if definite:
            root = 1.0 / math.sqrt(growth)
            for i in range(k):
                bs[i] *= root
            for i in range(k):
                factor = -sign * bs[i]
                for j in range(k):
                    inverse[i, j] += factor * bs[j]
    return True, size + residual_square / abs(residual_s), definite
