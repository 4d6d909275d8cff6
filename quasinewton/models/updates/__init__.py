r"""What one pair does to a quasi-Newton matrix, in orthonormal coordinates: a page for each update.

An update changes :math:`B = \gamma I + C` and, where its inverse H is kept, that too. It is a
kernel with the arguments of `update`, a number in `KINDS`, and its line in `update`. The hybrid
takes SR1 where that keeps B definite and changes it by a bounded factor, a larger one where the
function looks quadratic; BFGS where its denominators are safely positive; and SR1 for any other
pair. So it sees negative curvature where the function has it, and keeps the safety of BFGS where
it has not.
"""

from __future__ import annotations

from ...kernels import inline_kernel
from ..symmetric import multiply_symmetric
from .bfgs import bfgs
from .sr1 import sr1

__all__ = ["KINDS", "SR1", "update"]

#: Updates by name, as the kernels number them.
KINDS = {"lsr1": 0, "lbfgs": 1, "hybrid": 2}

SR1, BFGS, HYBRID = KINDS["lsr1"], KINDS["lbfgs"], KINDS["hybrid"]

#: Factors by which the hybrid lets SR1 change the determinant of B, up and down: where the function
#: looks quadratic, and elsewhere. One above 1e8 would leave small curvatures less than half their
#: digits. What a pair shows to be stiffer than B says, BFGS learns better, unless B knows only
#: some directions.
_FREE = 1e8, 1e8
_MODERATE, _REDUCED = (4.0, 10.0), (10.0, 10.0)


@inline_kernel
def update(gamma, curvature, quadratic, k, lines, matrix, inverse, state):
    """Let the pair (s, y = t (c s + z)) change B = gamma I + matrix, and its inverse.

    Parameters
    ----------
    gamma : float
    curvature : (float, float)
        t and c; t and gamma in units of one curvature, see `pairs`.
    quadratic : bool
        Whether f looks quadratic around the pair. There SR1 keeps what all older pairs tell
        (Nocedal & Wright, theorem 6.1), which a BFGS update between loses.
    k : int
        Of so many coordinates.
    lines : float64 array, shape (>= 5, >= k)
        In the first two, s of length 1 and z. ``z = y/|y|`` - (multiple of s) is kept apart from
        that multiple: y - Bs then keeps its digits where y is nearly parallel to s. The others are
        workspace; all five are overwritten.
    matrix : float64 array, shape (>= k, >= k)
        Its first k rows and columns stay symmetric to the bit.
    inverse : float64 array, shape (>= k, >= k)
        Not touched unless `inverted`.
    state : STATE array
        `update` says which. `added` bounds the norm of all that ever was to `matrix`, hence
        the roundoff in its products. `inverted` says that `inverse` is that of B, and positive
        definite; it is unset where it is no longer.

    Returns
    -------
    used : bool
        False where the pair is skipped. One that B satisfies already counts as used.
    """
    t, c = curvature
    kind = state[0].update
    multiply_symmetric(matrix, lines[0, :k], lines[2, :k])
    used = False
    if kind == BFGS or kind == HYBRID:
        most = 0.0, 0.0
        if kind == HYBRID:
            most = _MODERATE if state[0].reduced == 0 else _REDUCED
            if quadratic:
                most = _FREE
        used = bfgs(gamma, t, c, k, lines, matrix, inverse, state, most)
    if kind == SR1 or (kind == HYBRID and not used):
        used = sr1(gamma, t, c, k, lines, matrix, inverse, state)
    return used
