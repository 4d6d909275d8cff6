"""The subproblems by name: each is a function of the spectrum and the gradient in its basis."""

from __future__ import annotations

from ..kernels import inline_kernel
from .cubic import cubic_euclidean, cubic_shape

__all__ = ["EUCLIDEAN", "SHAPE", "SUBPROBLEMS", "TRUST_REGION", "solve"]

#: Subproblems by name, as the kernels number them.
SUBPROBLEMS = {"shape": 0, "euclidean": 1, "trust_region": 2}

SHAPE, EUCLIDEAN, TRUST_REGION = (
    SUBPROBLEMS["shape"], SUBPROBLEMS["euclidean"], SUBPROBLEMS["trust_region"],
)  # fmt: skip


@inline_kernel
def solve(subproblem, lam, g, weight, longest, step):
    """Fill `step` with the minimiser; its 2-norm and the weight that it was solved for.

    Parameters
    ----------
    subproblem : int
        A number of `SUBPROBLEMS`.
    lam, g : float64 arrays, shape (k,)
        Spectrum of B and gradient in its eigenbasis, scaled to be of order one.
    weight, longest : float
        Least cubic weight, and bound on the 2-norm of the step: the radius of a trust region.
    step : float64 array, shape (k,)
    """
    if subproblem == SHAPE:
        return cubic_shape(lam, g, weight, longest, step)
    if subproblem == EUCLIDEAN:
        return cubic_euclidean(lam, g, weight, longest, step)
    return cubic_euclidean(lam, g, 0.0, longest, step)
