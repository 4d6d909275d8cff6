"""The directions along which a point of the conditions of first order may be left."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import nnls

__all__ = ["Tangent", "row_space"]

#: Singular value, beside the largest, below which gradients of constraints are dependent.
_DEPENDENT = 1e-10
#: Part of a side's gradient along the others below which it leaves a direction free.
_ALONG = 1e-8
#: Sides without multiplier up to which the cone between them is looked at.
_SIDES = 200


def row_space(rows: Any) -> tuple[Any, Any, Any]:
    """Rows of length 1 as ``u diag(values) across``, without what is dependent."""
    u, values, across = np.linalg.svd(rows, full_matrices=False)
    kept = values > _DEPENDENT * values.max(initial=0.0)
    return u[:, kept], values[kept], across[kept]


class Tangent:
    r"""The critical cone :math:`\{d : A d = 0, \; W d \le 0\}` and the subspace that it is in.

    A has the gradients of the sides that have a multiplier and of the equations, W those of the
    sides that are active without one, of length 1 and positive outwards (Nocedal & Wright,
    eq. 12.53).

    Parameters
    ----------
    rows : array, shape (k, n)
        Gradients of the constraints that hold by a multiplier, or are equations.
    free : array of bool, shape (n,)
        The variables that no bound holds by a multiplier.
    sides : array, shape (l, n)
        The rows of W that are gradients of constraints.
    active : array of int, shape (n,)
        -1 and 1 where W has a lower or an upper bound, else 0.

    Attributes
    ----------
    size : int
        Dimension of the subspace.
    is_cone : bool
        Whether W has rows that are not zero on the subspace.
    sides : array, shape (l', n)
        These rows there, of length 1; empty if they would be too many.
    """

    def __init__(self, rows: Any, free: Any, sides: Any, active: Any) -> None:
        rows = np.where(free, rows, 0.0)
        lengths = np.linalg.norm(rows, axis=1)
        rows = rows[lengths > 0.0] / lengths[lengths > 0.0, None]
        self._free, self._across = free, row_space(rows)[2]
        self.size = int(free.sum()) - len(self._across)
        at = np.flatnonzero(np.where(free, active, 0))
        many = len(sides) + len(at) > _SIDES
        self.is_cone, self.sides = many, np.zeros((0, free.size))
        if many or not self.size:
            return
        bounds = np.zeros((len(at), free.size))
        bounds[np.arange(len(at)), at] = active[at]
        sides = self.project(np.concatenate((bounds, sides)))
        lengths = np.linalg.norm(sides, axis=1)
        some = lengths > _ALONG
        self.sides = sides[some] / lengths[some, None]
        self.is_cone = bool(some.any())

    def project(self, v: Any) -> Any:
        """v, or rows of it, on the subspace."""
        along = np.where(self._free, v, 0.0)
        return along - (along @ self._across.T) @ self._across

    def basis(self) -> Any:
        """Orthonormal rows that span the subspace, shape (size, n); for few variables."""
        n = self._free.size
        return np.linalg.eigh(self.project(np.eye(n)))[1].T[n - self.size :]

    def into_cone(self, v: Any) -> Any:
        """The point of the cone next to a v of the subspace (Moreau's decomposition)."""
        if not len(self.sides) or (self.sides @ v <= 0.0).all():
            return v
        try:
            v = v - nnls(self.sides.T, v)[0] @ self.sides
        except RuntimeError:  # it has gone round in a circle
            pass
        return v
