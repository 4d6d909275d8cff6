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

#: Cosine of s and y, and of s and Bs, below which the curvature of a pair is roundoff. No more:
#: along a curved valley as steep as 1e16 times its floor true cosines are as small as 1e-12.
_SKIP = 1e-13
#: Cosine of s and y - Bs, below which those of SR1 are.
_SKIP_SR1 = 1e-8
#: Bound on the norm of the change that SR1 is preferred with, where B is not definite.
_CHANGE = 10.0


@kernel
def _prefers_sr1(sy, sbs, yhy, most):
    """Whether SR1 keeps a definite B so, and its determinant within these factors, up and down.

    SR1 multiplies the determinant by (yHy - sy)/(sy - sBs), which is at least 1 where sy > sBs, and
    at most 1 where sy < sBs and B stays definite.
    """
    up, down = most
    gap, growth = sy - sbs, yhy - sy
    if gap > 0.0:
        return growth < up * gap
    return growth < 0.0 and growth < gap / down and growth > up * gap


@kernel
def bfgs(gamma, t, c, k, lines, matrix, inverse, state, most):
    """The BFGS update, which leaves s and z as they are where it is not made.

    Arguments of `updates.update`, which has filled lines[2] with ``matrix s``; and the factors by
    which SR1 may change the determinant of B in its place, up and down, 0 for never.
    """
    record = state[0]
    s, z, bs, y, hy = lines[0, :k], lines[1, :k], lines[2, :k], lines[3, :k], lines[4, :k]
    ss = 0.0
    sy = 0.0
    yy = 0.0
    sbs = 0.0
    bs_square = 0.0
    residual_square = 0.0
    for i in range(k):
        full = bs[i] + gamma * s[i]
        y[i] = t * c * s[i] + t * z[i]
        residual = y[i] - full
        ss += s[i] * s[i]
        sbs += s[i] * full
        bs_square += full * full
        sy += s[i] * y[i]
        yy += y[i] * y[i]
        residual_square += residual * residual
    s_norm = math.sqrt(ss)
    if not (sy > _SKIP * s_norm * t and sbs > _SKIP * s_norm * math.sqrt(bs_square)):
        return False
    yhy = 0.0
    if record.inverted != 0:
        multiply_symmetric(inverse, y, hy)
        for i in range(k):
            yhy += y[i] * hy[i]
    if most[0] > 0.0 and abs(sy - sbs) > _SKIP_SR1 * s_norm * math.sqrt(residual_square):
        if record.inverted != 0:
            if _prefers_sr1(sy, sbs, yhy, most):
                return False
        elif record.dense != 0 and residual_square * sy <= _CHANGE * yy * abs(sy - sbs):
            return False
    y_root = 1.0 / math.sqrt(sy)
    b_root = 1.0 / math.sqrt(sbs)
    for i in range(k):
        y[i] *= y_root
        bs[i] = (bs[i] + gamma * s[i]) * b_root
    for i in range(k):
        row, a, b = matrix[i], y[i], bs[i]
        for j in range(k):
            row[j] += a * y[j] - b * bs[j]
    record.added += t * t / sy + bs_square / sbs
    if record.inverted != 0:
        half = 0.5 + 0.5 * yhy / sy
        for i in range(k):
            s[i] *= y_root
            bs[i] = half * s[i] - hy[i] * y_root
        for i in range(k):
            row, a, b = inverse[i], s[i], bs[i]
            for j in range(k):
                row[j] += a * bs[j] + b * s[j]
    return True
