"""The check of a point of the conditions of first order with constraints, and the way on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import null_space

from ..saving import fill, set_numbers
from .curvature import LENGTHS, SHORTER, Curvature, Examination

if TYPE_CHECKING:
    from ..methods.sqp import SQP

__all__ = ["CriticalExamination", "Glance"]

#: Eigenvectors that a search in the cone starts from, on both sides; directions tried at most.
_STARTS, _MOST = 3, 4
#: Steps of such a search, and the change at which it ends.
_STEPS, _SETTLED = 100, 1e-8
#: Directions whose cosine is more are one.
_SAME = 0.999
#: A `Glance`: distance of its points from x, beside that; curvature, beside the length of the
#: product, that is clearly negative; change of a direction from which on it is another.
_BESIDE, _CLEAR, _TILT = 1e-2, 1e-3, 1e-2
#: What is being asked for: a point, one more, trials of a direction of negative curvature, nothing.
_PROBE, _TILTED, _TRIALS, _END = range(4)
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
        """Size of the terms that f changes by from x to `trial`."""
        step = self.point.astype(np.float64) - self.x
        return self.largest * float(step @ step) + self.method.terms_along(step)

    @property
    def slack(self) -> float:
        """What f may change by along the slope that is left at x: less shows no curvature.

        Else flat valleys are gone down by many restarts, each for next to nothing.
        """
        step = self.point.astype(np.float64) - self.x
        slope = self.method.g + self.method.multipliers @ self.method.jac
        return 2.0 * abs(float(slope @ step))

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

    def reject(
        self, c: np.ndarray | None = None, g: np.ndarray | None = None,
        jac: np.ndarray | None = None,
    ) -> None:  # fmt: skip
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


class Glance(CriticalExamination):
    r"""A look at what the model knows nothing of, without products.

    Where the pairs of a run have told nothing of some directions along the constraints, as by
    symmetry, or where it was at the end at once, a point says more. It is at x + s, s along one of
    these, with the gradient there: if :math:`s^T y` with the change y of the gradient of the
    Lagrangian is clearly negative, x is a saddle, and trials along s on both sides follow. If not,
    one more s is looked at, tilted by y to where there is less curvature.

    Parameters
    ----------
    method : SQP
        At the point to look at, and `shows_unseen`.
    tolerance : float
        See `SQP.tangent`.
    """

    def __init__(self, method: SQP, tolerance: float) -> None:
        super().__init__(method, tolerance)
        self.tried = 0
        self.stage = _PROBE
        self.largest = float(abs(method.hessian.matrix).max())
        unseen = method.unseen(self.tangent) if self.count else np.zeros((0, self.x.size))
        if not len(unseen):
            self.stage = _END
            return
        # Multiples of the golden ratio: no symmetry has them.
        parts = (np.arange(1, self.x.size + 1) * (0.5 * (math.sqrt(5.0) - 1.0))) % 1.0
        along = (unseen @ (parts + np.where(parts < 0.5, 0.5, -1.5))) @ unseen
        along /= np.linalg.norm(along)
        inwards = -self.tangent.sides.sum(axis=0)
        if (size := float(np.linalg.norm(inwards))) > 0.0:
            along += 2.0 * inwards / size
        self._look_along(along)

    def _look_along(self, d: np.ndarray) -> None:
        """Have the point on that side asked for, or on the other."""
        for sign in (1.0, -1.0):
            self.candidates[0] = self._unit(sign * d)
            self.point[...] = self.method.beside(self.length * self.candidates[0], self.tolerance)
            if np.isfinite(self.point).all() and self._differ(self.point, self.x):
                return
        self.stage = _END

    @property
    def length(self) -> float:
        """About the distance of `trial` from x."""
        return _BESIDE * max(1.0, float(abs(self.x).max()))

    @property
    def wants_gradient(self) -> bool:
        """Whether the gradient at `trial` tells something, be f lower or not."""
        return self.stage in (_PROBE, _TILTED)

    @property
    def finished(self) -> bool:
        """Whether nothing more is looked at."""
        return self.stage == _END or (self.stage == _TRIALS and self.tried >= self.number)

    @np.errstate(all="ignore")
    def reject(
        self, c: np.ndarray | None = None, g: np.ndarray | None = None,
        jac: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """`trial`, which is not lower, has these constraints and this gradient."""
        if self.stage == _TRIALS:
            super().reject(c)
            return
        before, self.stage = self.stage, _END
        if g is None or jac is None:
            return
        s = self.point.astype(np.float64) - self.x
        y = self.method.lagrangian_change(g, jac)
        along = self.tangent.project(y)
        far, size = float(np.linalg.norm(s)), float(np.linalg.norm(along))
        if not 0.0 < size < math.inf:
            return
        if s @ y < -_CLEAR * far * size:
            self.stage, self.number = _TRIALS, 1
            other = self._unit(-self.candidates[0].astype(np.float64))
            if other.any():
                self.candidates[1], self.number = other, 2
            super().reject(c)
        elif before == _PROBE:
            d = self._unit(self.candidates[0].astype(np.float64))
            tilted = d - along / size
            if np.linalg.norm(tilted) > _TILT:  # else d is an eigenvector
                self.stage = _TILTED
                self._look_along(tilted)

    def conclusion(self) -> Curvature:
        """No verdict: what has not been looked at may be anything."""
        return Curvature()

    def saved(self) -> dict[str, Any]:
        """All that the rest of the look depends on, but for the method; arrays are not copies."""
        return super().saved() | {"stage": self.stage}

    @classmethod
    def restore_at(cls, state: Mapping[str, Any], method: SQP) -> Glance:
        """The look that was `saved`, at the same point; ValueError where it cannot be one."""
        glance = super().restore_at(state, method)
        assert isinstance(glance, cls)
        glance.stage = int(state["stage"])
        return glance


# What is saved beside that of an `Examination`.
_ARRAYS = ("candidates", "point")
_NUMBERS = ("tolerance", "number", "least", "corrected")
