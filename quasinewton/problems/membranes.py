"""Variational inequalities on a square grid: convex quadratics with bounds, of any size.

The energy of a function v on a rectangle that is zero on its boundary, and within given bounds,
is minimised over continuous functions that are linear on the triangles of a grid.  The variables
are the values at the inner points of the grid, row by row.

References
----------
More and Toraldo : J. J. More and G. Toraldo, "On the solution of large quadratic programming
    problems with bound constraints", SIAM J. Optim. 1 (1991), pp. 93-113.
MINPACK-2 : B. M. Averick, R. G. Carter, J. J. More and G.-L. Xue, "The MINPACK-2 test problem
    collection", Report MCS-P153-0692, Argonne National Laboratory, 1992.
CUTEst : see `chained`.  Its obstacle and torsion problems count the edges to the boundary half,
    which moves the values by a term of the order of the width of the grid; ``rim=0.5`` gives them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ._registry import Functions, Parts, Size, Vector, register

_SIZE = Size(400, square=True)

#: The minimiser is computed with the problem, which takes tenths of a second for so many variables.
_KNOWN = 10_000


class _Membrane:
    """``q(v) = (1/2) v^T A v - load . v`` on a grid of m x m inner points.

    A is that of the sum over the edges of the grid, with ends at inner points or at the boundary,
    of a weight times the squared difference of the values at the two ends.

    Parameters
    ----------
    down : array, shape (m + 1,)
        The weights of the edges from each row, and the boundary above, to the next one.
    across : array, shape (m,)
        The weights of the edges within each row.
    load : array, shape (m,)
        The load at the points of each row.
    rim : float
        A factor of the weights of the edges to the boundary.
    """

    def __init__(self, down: Vector, across: Vector, load: Vector, rim: float = 1.0) -> None:
        self.m = across.size
        self.rim = np.ones(self.m + 1)
        self.rim[[0, -1]] = rim
        self.down = (self.rim * down)[:, np.newaxis]
        self.across = across[:, np.newaxis]
        self.load = np.repeat(load, self.m)

    def _product(self, v: Vector) -> Vector:
        padded = np.zeros((self.m + 2, self.m + 2), dtype=v.dtype)
        padded[1:-1, 1:-1] = v.reshape(self.m, self.m)
        falls = self.down * np.diff(padded[:, 1:-1], axis=0)
        turns = self.across * self.rim * np.diff(padded[1:-1], axis=1)
        return np.asarray(-np.diff(falls, axis=0) - np.diff(turns, axis=1)).ravel()

    def functions(self) -> Functions:
        return Functions(
            lambda x: x @ (self._product(x) / 2 - self.load),
            lambda x: self._product(x) - self.load,
            lambda x, p: self._product(p),
        )

    def _matrix(self) -> Any:
        def chain(weights: Vector) -> Any:
            inner = -weights[1:-1]
            return sparse.diags([weights[:-1] + weights[1:], inner, inner], [0, 1, -1])

        within = sparse.kron(sparse.diags(self.across[:, 0]), chain(self.rim))
        return sparse.kron(chain(self.down[:, 0]), sparse.eye(self.m)) + within

    def least(self, lower: Vector, upper: Vector) -> Vector | None:
        """Return the minimiser within the bounds, None if it was not found.

        This is the primal-dual active set method of M. Hintermueller, K. Ito and K. Kunisch, SIAM
        J. Optim. 13 (2002), pp. 865-888, which ends at the solution itself after finitely many
        linear systems.
        """
        a = sparse.csc_array(self._matrix())
        scale = a.diagonal()
        x = np.clip(splu(a).solve(self.load), lower, upper)
        multiplier = a @ x - self.load
        below = above = np.zeros(x.size, dtype=bool)
        for k in range(20 + 4 * self.m):
            # To the one side of the bound or to the other, by what a step of Jacobi's would do.
            trial = x - multiplier / scale
            kept = below, above
            below, above = trial < lower, trial > upper
            if k and np.array_equal(below, kept[0]) and np.array_equal(above, kept[1]):
                return np.asarray(np.clip(x, lower, upper))
            x = np.where(below, lower, np.where(above, upper, 0.0))
            free = np.flatnonzero(~(below | above))
            if free.size:
                rest = self.load - a @ x
                x[free] = splu(sparse.csc_array(a[free][:, free])).solve(rest[free])
            multiplier = a @ x - self.load
            multiplier[free] = 0.0
        return None

    def parts(self, lower: Vector, upper: Vector, x0: Vector) -> Parts:
        functions, sides = self.functions(), (lower.ravel(), upper.ravel())
        best = self.least(*sides) if self.m**2 <= _KNOWN else None
        if best is None:
            return Parts(functions, x0.ravel(), bounds=sides)
        return Parts(functions, x0.ravel(), functions.fun(best), [best], bounds=sides)


def _uniform(n: int, force: float, rim: float) -> tuple[_Membrane, Vector]:
    """The membrane of the unit square under a constant force, and the coordinates of its rows."""
    m = math.isqrt(n)
    membrane = _Membrane(np.ones(m + 1), np.ones(m), np.full(m, force / (m + 1) ** 2), rim)
    return membrane, np.arange(1.0, m + 1) / (m + 1)


@register(
    _SIZE,
    source="More and Toraldo (1991), problem A; CUTEst OBSTCLAE, OBSTCLAL",
    description="a membrane over an obstacle: integral of |grad v|^2 / 2 - force v, "
    "v >= sin(3.2 s) sin(3.3 t) on the unit square; the minimum is known for n <= 10000",
    convex=True,
    bounded=True,
)
def obstacle(n: int, force: float = 1.0, rim: float = 1.0) -> Parts:
    membrane, t = _uniform(n, force, rim)
    lower = np.outer(np.sin(3.2 * t), np.sin(3.3 * t))
    return membrane.parts(lower, np.full_like(lower, np.inf), np.maximum(lower, 1.0))


@register(
    _SIZE,
    source="More and Toraldo (1991), problem B; CUTEst OBSTCLBL, OBSTCLBM, OBSTCLBU",
    description="a membrane between two obstacles: integral of |grad v|^2 / 2 - force v, "
    "w^3 <= v <= w^2 + 0.02, w = sin(9.2 s) sin(9.3 t); the minimum is known for n <= 10000",
    convex=True,
    bounded=True,
)
def two_obstacles(n: int, force: float = 1.0, rim: float = 1.0) -> Parts:
    membrane, t = _uniform(n, force, rim)
    w = np.outer(np.sin(9.2 * t), np.sin(9.3 * t))
    lower, upper = w**3, w**2 + 0.02
    return membrane.parts(lower, upper, (lower + upper) / 2)


@register(
    _SIZE,
    source="MINPACK-2 EPT; More and Toraldo (1991); CUTEst TORSION1 to TORSION6",
    description="elastic-plastic torsion of a bar: integral of |grad v|^2 / 2 - force v, |v| at "
    "most the distance to the boundary; the minimum is known for n <= 10000",
    convex=True,
    bounded=True,
)
def torsion(n: int, force: float = 5.0, rim: float = 1.0) -> Parts:
    membrane, t = _uniform(n, force, rim)
    side = np.minimum(t, t[::-1])
    distance = np.minimum.outer(side, side)
    return membrane.parts(-distance, distance, distance)


@register(
    _SIZE,
    source="MINPACK-2 PJB; More and Toraldo (1991); CUTEst JNLBRNG1",
    description="pressure in a journal bearing: integral of (1 + e cos s)^3 |grad v|^2 / 2 "
    "- e sin(s) v, v >= 0, 0 < s < 2 pi, 0 < t < 20, e = eccentricity; the minimum is known for "
    "n <= 10000",
    convex=True,
    bounded=True,
)
def journal_bearing(n: int, eccentricity: float = 0.1) -> Parts:
    m = math.isqrt(n)
    hs, ht = 2 * np.pi / (m + 1), 20.0 / (m + 1)
    s = hs * np.arange(m + 2)
    # On each triangle the coefficient is the mean of its values at the corners.
    w = (1 + eccentricity * np.cos(s)) ** 3
    membrane = _Membrane(
        ht / hs * (w[:-1] + w[1:]) / 2,
        hs / ht * (w[:-2] + 4 * w[1:-1] + w[2:]) / 6,
        hs * ht * eccentricity * np.sin(s[1:-1]),
    )
    x0 = np.repeat(np.maximum(np.sin(s[1:-1]), 0.0), m)
    return membrane.parts(np.zeros(m * m), np.full(m * m, np.inf), x0)
