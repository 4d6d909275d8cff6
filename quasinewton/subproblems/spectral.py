r"""The step by the spectrum of the model: every subproblem of any B, in its eigenbasis.

In the eigenbasis of B, with one more direction for the gradient outside of it, a subproblem has at
most 2m + 1 variables. The step in n variables is

.. math:: s = -\alpha g + U (\bar s + \alpha \bar g),

with :math:`\alpha` from the component outside: one pass over the rows, and no cancellation.
"""

from __future__ import annotations

import math

from ..kernels import HUGE, inline_kernel
from ..models.compact import confine
from ..models.eigen import from_eigenbasis, to_eigenbasis
from ..models.model import decompose, planes
from ..models.updates import SR1
from .table import solve

__all__ = ["step_by_spectrum"]


@inline_kernel
def _solve_scaled(spectral, reduced, step, unit, top, state, rule):
    """The step, in units of `unit`, of a problem whose largest eigenvalue and |g| are 1.

    Sets what the record says of the step; False where it is none.
    """
    record, constants = state[0], rule[0]
    published = constants.published != 0
    longest = math.inf if published else record.length / unit
    step_norm, weight = solve(
        constants.subproblem, spectral, reduced, record.weight * unit / top, longest, step
    )
    slope = 0.0
    bend = 0.0
    cube = 0.0
    for i in range(spectral.size):
        slope += reduced[i] * step[i]
        bend += spectral[i] * step[i] * step[i]
        size = abs(step[i])
        cube += size * size * size
    predicted = -(slope + 0.5 * bend)
    if published:  # its ratio counts the cubic term
        if constants.euclidean != 0:
            cube = step_norm * step_norm * step_norm
        predicted -= weight / 3.0 * cube
    if constants.radius != 0:
        record.multiplier = weight * step_norm * top
    else:
        # It may be out of range where f and x are not; as a least weight less will do.
        record.multiplier = min(weight * top / unit, HUGE)
    if not (predicted > 0.0 and math.isfinite(step_norm) and step_norm > 0.0):
        return False
    record.step_norm = step_norm * unit
    record.slope = slope * unit * record.g_norm
    record.predicted = predicted * unit * record.g_norm
    return True


@inline_kernel
def step_by_spectrum(ring, gram, work, lines, state, rule):
    """The step for the current bound, from the eigenvalues and eigenvectors of B.

    Parameters
    ----------
    ring, gram, work, lines, state
        As `renew_dense` or `renew_compact` leaves them, and in lines[6] the coordinates of
        ``g/|g|``.
    rule : RULE array

    Returns
    -------
    alpha : float
        The step is -alpha g + U c with c in lines[6]; NaN where B is of no use.
    """
    record = state[0]
    rank, gamma, g_norm = record.rank, record.gamma, record.g_norm
    kept = decompose(gram, work, lines, state)
    lam, places, vector = lines[0, :kept], lines[1, :kept], lines[6, :rank]
    if record.update == SR1 and record.dense == 0:
        confine(ring, record.pairs, lam)
    _, _, matrix, _, cosines, sines = planes(work)
    to_eigenbasis(matrix, lines[2], cosines, sines, record.sweeps, vector)
    # In units in which the largest eigenvalue and |g| are 1.
    outside = kept < rank or record.outside != 0
    size = kept + 1 if outside else kept
    spectral, reduced, step = lines[3, :size], lines[4, :size], lines[5, :size]
    top = gamma if outside else 0.0
    lowest = gamma if outside else math.inf
    inside = 0.0
    for i in range(kept):
        top = max(top, abs(lam[i]))
        lowest = min(lowest, lam[i])
        reduced[i] = vector[int(places[i])]
        inside += reduced[i] * reduced[i]
    if top == 0.0:
        top = 1.0
    for i in range(kept):
        spectral[i] = lam[i] / top
    if outside:
        spectral[kept] = gamma / top
        reduced[kept] = math.sqrt(max(0.0, 1.0 - inside))
    unit = g_norm / top  # of the step
    record.convex = 1 if lowest > 0.0 else 0
    if not _solve_scaled(spectral, reduced, step, unit, top, state, rule):
        return math.nan
    alpha = 0.0
    if outside and reduced[kept] > 0.0:
        alpha = -step[kept] / (reduced[kept] * top)
    for i in range(rank):
        vector[i] = 0.0
    for i in range(kept):
        vector[int(places[i])] = step[i] * unit + alpha * (reduced[i] * g_norm)
    from_eigenbasis(matrix, lines[2], cosines, sines, record.sweeps, vector)
    return alpha
