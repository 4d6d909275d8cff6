"""The check of a point of the conditions of first order with constraints, and the way on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import null_space

from ..saving import fill, set_numbers
from .curvature import LENGTHS, SHORTER, Examination

if TYPE_CHECKING:
    from ..methods.sqp import SQP

__all__ = ["CriticalExamination"]

#: Eigenvectors that a search in the cone starts from, on both sides; directions tried at most.
_STARTS, _MOST = 3, 4
#: Steps of such a search, and the change at which it ends.
_STEPS, _SETTLED = 100, 1e-8
#: Directions whose cosine is more are one.
_SAME = 0.999
#: Change of a trial, beside x, below which it is none.
_NONE = 1e-12


class CriticalExamination(Examination):
    """The same on the critical cone, with the Hessian of the Lagrangian.

    Products are made on the subspace that the cone is in. If sides without multiplier are active,
    directions of negative curvature in the cone are looked for by a local search among what the
    products have told: that there is none is not proved where it finds none.

    Each length is tried twice: at a point of the linearised constraints, and, unless that is
    lower, at one that is moved by what the constraints at the first one miss of the sides that
    hold.

    Parameters
    ----------
    method : SQP
        At the point to look at.
    tolerance : float
        See `SQP.tangent`.
    seed : int
        Of the first product. A point that was reached along what an earlier check has found may
        have no part of what that one began with.
    """

    def __init__(self, method: SQP, tolerance: float, seed: int = 0) -> None:
        self.method, self.tolerance = method, tolerance
        self.box, self.free = method.box, None
        self.tangent = method.tangent(tolerance)
        n, dtype = method.x.size, method.x.dtype
        self.candidates = np.zeros((_MOST, n), dtype)
        self.point: np.ndarray = method.x.copy()
        self.number = 0  # of the candidates
        self.least = math.nan  # curvature along the first of them
        self.corrected = False
        self._begin(method.x, method.f, self.tangent.size, seed)

    def _masked(self, v: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # products may be anything
            along: np.ndarray = self.tangent.project(v)
        return along

    @property
    def multipliers(self) -> np.ndarray:
        """Those of the Lagrangian, shape (p,)."""
        multipliers: np.ndarray = self.method.multipliers.copy()
        return multipliers

    def receive_product(self, hd: np.ndarray) -> None:
        """Take the product of `direction`."""
        super().receive_product(hd)
        if self.tried == 0 and not (self.positive or math.isnan(self.eigenvalue)):
            found = self._find_candidates()
            self.number = len(found)
            self.least = found[0][0] if found else math.nan
            for row, (_, d) in zip(self.candidates, found, strict=False):
                row[...] = d
            self._aim()

    def _find_candidates(self) -> list[tuple[float, np.ndarray]]:
        """Directions with their curvatures, the most negative first."""
        lowest = self.vector.astype(np.float64)
        if not len(self.tangent.sides):
            return [(self.eigenvalue, lowest), (self.eigenvalue, -lowest)]
        found: list[tuple[float, np.ndarray]] = []
        for start in self._starts():
            for sign in (1.0, -1.0):
                value, d = self._descend(sign * start)
                if value <= self.zero * self.largest:
                    found.append((value, d))
        found.sort(key=lambda pair: pair[0])
        chosen: list[tuple[float, np.ndarray]] = []
        for value, d in found:
            if len(chosen) < _MOST and all(d @ other < _SAME for _, other in chosen):
                chosen.append((value, d))
        return chosen

    def _starts(self) -> list[np.ndarray]:
        """Eigenvectors of no positive curvature, first that along all active sides."""
        k = len(self.alpha)
        basis, matrix = self.basis[:k].astype(np.float64), self._matrix()
        along = null_space(self.tangent.sides @ basis.T)
        starts = []
        for span, most in ((along, 1), (np.eye(k), _STARTS)):
            if span.size:
                values, vectors = np.linalg.eigh(span.T @ matrix @ span)
                some = np.flatnonzero(values <= self.zero * self.largest)[:most]
                starts += [span @ vectors[:, j] @ basis for j in some]
        return starts

    def _matrix(self) -> Any:
        """The Hessian in the coordinates of the products."""
        beside = np.array(self.beta[: len(self.alpha) - 1])
        matrix = np.diag(self.alpha) + np.diag(beside, 1) + np.diag(beside, -1)
        return matrix

    def _descend(self, d: np.ndarray) -> tuple[float, np.ndarray]:
        """Less and less curvature in the cone, and where that ends.

        Powers of a shifted matrix that is definite, projected: the quadratic form is convex and
        grows along with them.
        """
        basis, matrix = self.basis[: len(self.alpha)].astype(np.float64), self._matrix()
        d = self._unit(d)
        for _ in range(_STEPS):
            along = basis @ d
            after = self._unit(self.largest * d - (matrix @ along) @ basis)
            moved = float(abs(after - d).max())
            if not after.any():
                break
            d = after
            if moved <= _SETTLED:
                break
        along = basis @ d
        return (float(along @ matrix @ along) if d.any() else math.inf), d

    def _unit(self, d: np.ndarray) -> np.ndarray:
        """The vector of length 1 of the cone next to d; 0 where there is none on that side."""
        size = float(np.linalg.norm(d))
        d = self.tangent.into_cone(d)
        length = float(np.linalg.norm(d))
        return d / length if length > _NONE * size else np.zeros_like(d)

    @property
    def finished(self) -> bool:
        """Whether nothing more can be found out."""
        return self.tried >= 0 and (
            self.positive or math.isnan(self.eigenvalue) or self.tried >= self.number * LENGTHS
        )

    @property
    def length(self) -> float:
        """About the distance of `trial` from x, before it was moved onto the constraints."""
        return self._scale() * float(SHORTER ** (max(self.tried, 0) // max(self.number, 1)))

    @property
    def trial(self) -> np.ndarray:
        """The next point to evaluate, a new array."""
        return self.point.copy()

    @property
    def change(self) -> float:
        """Size of the terms of second order between x and `trial`."""
        far = float(np.linalg.norm(self.point.astype(np.float64) - self.x))
        return self.largest * far * far

    def _aim(self) -> None:
        """Set the next trial: a point on the linearised constraints other than x."""
        self.corrected = False
        while not self.finished:
            direction = self.candidates[self.tried % self.number].astype(np.float64)
            self.point[...] = self.method.beside(self.length * direction, self.tolerance)
            if np.isfinite(self.point).all() and self._differ(self.point, self.x):
                return
            self.tried += 1
        self.point[...] = self.x

    def _differ(self, a: np.ndarray, b: np.ndarray) -> bool:
        return bool(abs(a - b).max() > _NONE * max(1.0, float(abs(self.x).max())))

    def reject(self, c: np.ndarray | None = None) -> None:
        """`trial`, where the constraints are c, is not lower."""
        if not self.corrected and c is not None and np.isfinite(c).all():
            point = self.method.beside(np.zeros(self.x.size), self.tolerance, self.point, c)
            change = float(np.linalg.norm(point - self.point))
            far = float(np.linalg.norm(self.point - self.x))
            if np.isfinite(point).all() and self._differ(point, self.point) and change <= far:
                self.point[...], self.corrected = point, True
                return
        self.tried += 1
        self._aim()

    def _is_saddle(self) -> bool:
        if self.tried < 0:
            return self.negative and not self.tangent.is_cone
        return not self.finished and self.least < -self.zero * self.largest

    def saved(self) -> dict[str, Any]:
        """All that the rest of the check depends on, but for the method; arrays are not copies."""
        own = {name: getattr(self, name) for name in (*_ARRAYS, *_NUMBERS)}
        return super().saved() | own

    @classmethod
    def restore_at(cls, state: Mapping[str, Any], method: SQP) -> CriticalExamination:
        """The check that was `saved`, at the same point; ValueError where it cannot be one."""
        examination = cls(method, float(state["tolerance"]))
        if not np.array_equal(state["x"], method.x):
            raise ValueError("the examination is of another point")
        examination._fill(state)
        for name in _ARRAYS:
            fill(getattr(examination, name), name, state)
        set_numbers(examination, _NUMBERS, state)
        if not 0 <= examination.number <= _MOST:
            raise ValueError("the candidates are numbered wrong")
        if method.box is not None and not method.box.contains(examination.point):
            raise ValueError("the trial is outside of the bounds")
        return examination


# What is saved beside that of an `Examination`.
_ARRAYS = ("candidates", "point")
_NUMBERS = ("tolerance", "number", "least", "corrected")
