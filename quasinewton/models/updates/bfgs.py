r"""BFGS: :math:`B \leftarrow B - B s s^T B/(s^T B s) + y y^T/(s^T y)` (Nocedal & Wright, eq. 6.19).

Where :math:`s^T y` is safely positive. With y scaled so that it enters as :math:`y y^T`, and s
alike, the inverse H of B changes by :math:`(1 + y^T H y)\, s s^T - s (H y)^T - H y\, s^T`
(eq. 6.17).
"""

from __future__ import annotations

import math

from ...kernels import kernel
from ..symmetric import multiply_symmetric

__all__ = ["bfgs"]

#: Cosine of s and y, and of s and Bs, below which a pair has no safe curvature.
_SKIP = 1e-8


@kernel
def bfgs(gamma, t, c, s, z, bs, matrix, inverse, state):
    """The BFGS update, which leaves s and z as they are where it is not made.

    Arguments of `updates.update`.
    """
    k = s.size
    multiply_symmetric(matrix, s, bs)
    ss = 0.0
    sy = 0.0
    sbs = 0.0
    bs_square = 0.0
    for i in range(k):
        full = bs[i] + gamma * s[i]
        ss += s[i] * s[i]
        sbs += s[i] * full
        bs_square += full * full
        sy += s[i] * (t * c * s[i] + t * z[i])
    s_norm = math.sqrt(ss)
    if not (sy > _SKIP * s_norm * t and sbs > _SKIP * s_norm * math.sqrt(bs_square)):
        return False
    y_root = 1.0 / math.sqrt(sy)
    b_root = 1.0 / math.sqrt(sbs)
    for i in range(k):
        z[i] = (t * c * s[i] + t * z[i]) * y_root
        bs[i] = (bs[i] + gamma * s[i]) * b_root
    for i in range(k):
        row, a, b = matrix[i], z[i], bs[i]
        for j in range(k):
            row[j] += a * z[j] - b * bs[j]
    record = state[0]
    record.size += t * t / sy + bs_square / sbs
    if record.inverted != 0:
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
    return True
