r"""SR1: :math:`B \leftarrow B + r r^T/(r^T s)`, :math:`r = y - Bs`.

Nocedal & Wright (2006), eq. 6.24. Not where the denominator is roundoff (eq. 6.26). With r scaled
so that it enters as :math:`\pm r r^T` the inverse H of B changes by
:math:`\mp H r (H r)^T/(1 \pm r^T H r)`, and stays positive definite with that
denominator (Sherman & Morrison).
"""

from __future__ import annotations

import math

from ...kernels import EPS, kernel
from ..symmetric import multiply_symmetric

__all__ = ["sr1"]

#: r of the skip rule.
_SKIP = 1e-8


@kernel
def sr1(gamma, t, c, k, lines, matrix, inverse, state):
    """The SR1 update. Arguments of `updates.update`, which has made lines[2] ``matrix s``."""
    s, z, bs = lines[0, :k], lines[1, :k], lines[2, :k]
    ss = 0.0
    bs_square = 0.0
    residual_square = 0.0
    residual_s = 0.0
    shift = t * c - gamma
    for i in range(k):
        full = bs[i] + gamma * s[i]
        residual = (shift * s[i] - bs[i]) + t * z[i]
        z[i] = residual
        ss += s[i] * s[i]
        bs_square += full * full
        residual_square += residual * residual
        residual_s += residual * s[i]
    s_norm = math.sqrt(ss)
    bs_norm = math.sqrt(bs_square)
    residual_norm = math.sqrt(residual_square)
    if s_norm == 0.0:
        return False
    record = state[0]
    if residual_norm <= 8.0 * EPS * (t + bs_norm + record.added * s_norm):
        return True
    if abs(residual_s) <= _SKIP * s_norm * residual_norm:
        return False
    root = 1.0 / math.sqrt(abs(residual_s))
    sign = 1.0 if residual_s > 0.0 else -1.0
    for i in range(k):
        z[i] *= root
    for i in range(k):
        row, factor = matrix[i], sign * z[i]
        for j in range(k):
            row[j] += factor * z[j]
    record.added += residual_square / abs(residual_s)
    if record.inverted != 0:
        multiply_symmetric(inverse, z, bs)
        growth = 1.0  # of the determinant of B
        for i in range(k):
            growth += sign * z[i] * bs[i]
        if growth > _SKIP:
            root = 1.0 / math.sqrt(growth)
            for i in range(k):
                bs[i] *= root
            for i in range(k):
                row, factor = inverse[i], -sign * bs[i]
                for j in range(k):
                    row[j] += factor * bs[j]
        else:
            record.inverted = 0
    return True
