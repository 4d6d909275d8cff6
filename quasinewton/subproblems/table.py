"""The subproblems by name: each is a function of the spectrum and the gradient in its basis."""

from __future__ import annotations

from dataclasses import dataclass

from ..kernels import inline_kernel
from .cubic import cubic_euclidean, cubic_shape

__all__ = ["SUBPROBLEMS", "Subproblem", "solve"]


@dataclass(frozen=True)
class Subproblem:
    """What the kernels know of a subproblem.

    Attributes
    ----------
    number : int
        Its number in `solve`.
    radius : bool
        Whether the bound on the step is all there is, and no cubic weight.
    euclidean : bool
        Whether its norm is the 2-norm.
    """

    number: int
    radius: bool
    euclidean: bool


SHAPE, EUCLIDEAN, TRUST_REGION = range(3)

SUBPROBLEMS = {
    "shape": Subproblem(SHAPE, radius=False, euclidean=False),
    "euclidean": Subproblem(EUCLIDEAN, radius=False, euclidean=True),
    "trust_region": Subproblem(TRUST_REGION, radius=True, euclidean=True),
}


@inline_kernel
def solve(subproblem, lam, g, weight, longest, step):
    """Fill `step` with the minimiser; its length and the weight that it was solved for.

    Parameters
    ----------
    subproblem : int
        The number of one of `SUBPROBLEMS`.
    lam, g : float64 arrays, shape (k,)
        Spectrum of B and gradient in its eigenbasis, scaled to be of order one.
    weight, longest : float
        Least cubic weight, and bound on the length of the step: the radius of a trust region.
    step : float64 array, shape (k,)

    Returns
    -------
    length, weight : float
        The length is in the norm of the bound, which the rule adapts by it.
    """
    if subproblem == SHAPE:
        return cubic_shape(lam, g, weight, longest, step)
    if subproblem == EUCLIDEAN:
        return cubic_euclidean(lam, g, weight, longest, step)
    return cubic_euclidean(lam, g, 0.0, longest, step)
