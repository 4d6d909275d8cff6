"""What is known of the Hessian where the gradient vanishes, and the way on from a saddle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from ..box import Box
from ..vectors import norm2

if TYPE_CHECKING:
    from ..models.model import CompactModel

__all__ = ["Curvature", "Examination", "ModelCurvature"]

#: An eigenvalue of less than this fraction of the largest one counts as zero.
ZERO = 1e-6
#: Products of a check at most; and before a smallest eigenvalue that is positive is believed.
MOST_PRODUCTS, LEAST_PRODUCTS = 40, 10
#: Lengths tried along a direction, each this fraction of the one before.
LENGTHS, SHORTER = 8, 0.125
#: Up to so many variables a model is made a matrix to see what it is in the free ones.
_DENSE = 100


class Curvature:
    """What is known of the Hessian at a point.

    With bounds it speaks of the free variables: those that no bound holds, where it is one over
    which -g leads with ``|g_i|`` above the tolerance of the run. What holds the others is their
    multiplier ``|g_i|``, so that no curvature matters along them.

    With constraints it speaks of the Hessian of the Lagrangian, on the subspace of the directions
    along the constraints and bounds that hold by a multiplier, and the equations. Where others are
    active without one, not every direction of it stays feasible: 'minimum' is then still true,
    and 'saddle' is said only of a direction that does.

    Attributes
    ----------
    verdict : {'minimum', 'saddle', 'undetermined'}
        'saddle' is any stationary point with a direction of negative curvature, maxima included.
    eigenvalue : float
        Estimate of the smallest eigenvalue; NaN if there is none.
    direction : array, shape (n,), or None
        A unit vector along which the curvature is about `eigenvalue`; None where no variable is
        free.
    source : {'products', 'model', 'none'}
        Products with the Hessian, or the model that the steps have left, which is no proof:
        it may remember where x has been.
    """

    def __init__(
        self,
        verdict: str = "undetermined",
        eigenvalue: float = math.nan,
        direction: Any = None,
        source: str = "none",
    ) -> None:
        self.verdict, self.eigenvalue, self.source = verdict, eigenvalue, source
        self.direction = direction

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(verdict={self.verdict!r}, eigenvalue={self.eigenvalue:.6g}, "
            f"source={self.source!r})"
        )


class ModelCurvature(Curvature):
    """What a quasi-Newton model tells, in O(memory), when it is asked.

    It never makes a point a saddle: negative eigenvalues stay in a model from where x has been.
    It makes it a minimum where it was free to be indefinite (SR1), its pairs span all n
    variables, and every eigenvalue is positive.

    Parameters
    ----------
    model : CompactModel
    stationary : bool
        Whether the gradient is small.
    free : array of bool, shape (n,), optional
        The variables that bounds leave free; None for all of them.
    """

    def __init__(
        self, model: CompactModel, stationary: bool, free: np.ndarray | None = None
    ) -> None:
        self._model, self._stationary = model, stationary
        self._free = None if free is None or free.all() else free

    def __getattr__(self, name: str) -> Any:
        if name not in ("verdict", "eigenvalue", "direction", "source"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().__init__(*self._look())
        return self.__dict__[name]

    def _look(self) -> tuple[str, float, Any, str]:
        model = self._model
        if self._free is not None:
            return self._look_at(self._free)
        lam, rank, n = model.lam, model.rank, model.n
        if rank == 0:
            return "undetermined", math.nan, None, "none"
        lowest = int(np.argmin(lam))
        eigenvalue = float(lam[lowest])
        if rank < n and model.gamma <= eigenvalue:
            return "undetermined", model.gamma, None, "model"
        minimum = (
            self._stationary and rank == n and model.kind == "lsr1"
            and eigenvalue > ZERO * float(np.max(np.abs(lam)))
        )  # fmt: skip
        unit = np.eye(1, rank, lowest)[0]
        direction = model.combine(0.0, 0.0 * model.rows[0], unit)
        return "minimum" if minimum else "undetermined", eigenvalue, direction, "model"

    def _look_at(self, free: np.ndarray) -> tuple[str, float, Any, str]:
        """The same in some of the variables."""
        model = self._model
        if not free.any():
            return "minimum" if self._stationary else "undetermined", math.nan, None, "none"
        if model.rank == 0 or model.n > _DENSE:
            return "undetermined", math.nan, None, "none"
        columns = [model.matvec(unit) for unit in np.eye(model.n, dtype=model.rows.dtype)[free]]
        values, vectors = np.linalg.eigh(np.array(columns, np.float64)[:, free])
        direction = np.zeros(model.n, model.rows.dtype)
        direction[free] = vectors[:, 0]
        eigenvalue = float(values[0])
        minimum = (
            self._stationary and model.rank == model.n and model.kind == "lsr1"
            and eigenvalue > ZERO * float(np.max(np.abs(values)))
        )  # fmt: skip
        return "minimum" if minimum else "undetermined", eigenvalue, direction, "model"


class Examination:
    """The check of a stationary point x, in reverse communication like the methods.

    First `direction` is to be multiplied by the Hessian, for a Lanczos run with full
    reorthogonalisation from a fixed start. Where that leaves the smallest eigenvalue negative or
    zero, `trial` is then to be evaluated: points x ± t v along its vector v, for shorter and
    shorter t.

    Parameters
    ----------
    x : array, shape (n,)
    f : float
        The objective at x.
    box : Box, optional
        Each `trial` is in it.
    free : array of bool, shape (n,), optional
        The variables to look at, where others are held by their bounds. If there are none, x is a
        minimum by its multipliers.
    """

    def __init__(
        self, x: np.ndarray, f: float, box: Box | None = None, free: np.ndarray | None = None
    ) -> None:
        self.box, self.free = box, None if free is None or free.all() else free
        self._begin(x, f, x.size if self.free is None else int(self.free.sum()))

    def _begin(self, x: np.ndarray, f: float, count: int, seed: int = 0) -> None:
        """Get ready for products in a subspace of this dimension."""
        self.x, self.f, self.count = x.copy(), f, count
        self.zero = max(ZERO, 10.0 * float(np.finfo(x.dtype).eps))
        start = self._masked(np.random.default_rng(seed).standard_normal(x.size))
        self.basis = np.zeros((min(self.count, MOST_PRODUCTS), x.size), x.dtype)
        self.alpha: list[float] = []
        self.beta: list[float] = []
        self.eigenvalue = self.largest = math.nan
        self.vector = np.zeros_like(x)
        self.tried = -1  # trials used up; -1 while products are wanted
        self.positive = False
        if self.count:
            self.basis[0] = start / norm2(start)
        else:
            self.tried, self.positive = 0, True

    def _masked(self, v: np.ndarray) -> np.ndarray:
        """v on the subspace that is looked at: in the free variables, else 0."""
        return v if self.free is None else np.where(self.free, v, v.dtype.type(0.0))

    @property
    def direction(self) -> np.ndarray | None:
        """What to multiply by the Hessian at x; None when enough is known."""
        return None if self.tried >= 0 else self.basis[len(self.alpha)].copy()

    @property
    def negative(self) -> bool:
        """Whether a direction of negative curvature is known."""
        return self.eigenvalue < -self.zero * self.largest

    @property
    def finished(self) -> bool:
        """Whether nothing more can be found out."""
        return self.tried >= 0 and (
            self.positive or math.isnan(self.eigenvalue) or self.tried >= 2 * LENGTHS
        )

    @property
    def wants_gradient(self) -> bool:
        """Whether the gradient at `trial` tells something, be f lower or not."""
        return False

    def receive_product(self, hd: np.ndarray) -> None:
        """Take the product of `direction`."""
        k = len(self.alpha)
        used = self.basis[: k + 1]
        residual = self._masked(np.asarray(hd, np.float64).copy())
        size = norm2(residual)
        if not math.isfinite(size):
            self.eigenvalue = self.largest = math.nan
            self.tried = 0
            return
        self.alpha.append(float(self.basis[k] @ residual))
        for _ in range(2):
            residual -= used.T @ (used @ residual)
        beta = norm2(residual)
        values, vectors = eigh_tridiagonal(self.alpha, self.beta)
        self.eigenvalue = float(values[0])
        self.largest = max(abs(self.eigenvalue), abs(float(values[-1])))
        error = beta * abs(float(vectors[-1, 0]))
        self.vector[:] = vectors[:, 0] @ used
        self.positive = self.eigenvalue > self.zero * self.largest
        complete = k + 1 == self.count or beta <= 1e-3 * self.zero * self.largest
        if self.negative:
            enough = error <= 0.5 * abs(self.eigenvalue)
        else:
            enough = self.positive and error <= 0.1 * self.eigenvalue and k + 1 >= LEAST_PRODUCTS
        if complete or enough or k + 1 == len(self.basis):
            self.positive = self.positive and (complete or enough)
            self.tried = 0
            return
        self.beta.append(beta)
        self.basis[k + 1] = residual / beta

    @property
    def length(self) -> float:
        """Distance of `trial` from x."""
        return self._scale() * float(SHORTER ** (max(self.tried, 0) // 2))

    def _scale(self) -> float:
        """The longest."""
        scale = norm2(self.x)
        if scale == 0.0 and self.f != 0.0 and self.largest > 0.0:
            scale = math.sqrt(abs(self.f)) / math.sqrt(self.largest)
        if not 0.0 < scale < math.inf:
            scale = 1.0
        return float(scale)

    @property
    def trial(self) -> np.ndarray:
        """The next point to evaluate, a new array; x itself where that would not be finite."""
        sign = 1.0 if self.tried % 2 == 0 else -1.0
        with np.errstate(over="ignore", invalid="ignore"):
            trial: np.ndarray = (self.x + sign * self.length * self.vector).astype(self.x.dtype)
        if self.box is not None:
            trial = self.box.project(trial)
        return trial if np.isfinite(trial).all() else self.x.copy()

    def reject(
        self, c: np.ndarray | None = None, g: np.ndarray | None = None,
        jac: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """`trial` is not lower. What constraints and gradients are there is not looked at."""
        self.tried += 1

    def _is_saddle(self) -> bool:
        """Whether it is to be said: not if the values of f have not borne it out."""
        return self.negative and self.tried < 2 * LENGTHS

    def conclusion(self) -> Curvature:
        """What is known so far."""
        verdict = "undetermined"
        if self.tried >= 0 and self.positive:
            verdict = "minimum"
        elif self._is_saddle():
            verdict = "saddle"
        if self.count == 0:
            return Curvature(verdict)
        return Curvature(verdict, self.eigenvalue, self.vector.copy(), "products")

    def saved(self) -> dict[str, Any]:
        """All that the rest of the check depends on; arrays are not copies."""
        names = (*_ARRAYS, *_NUMBERS, "alpha", "beta", *(["free"] if self.free is not None else []))
        return {name: getattr(self, name) for name in names}

    def _fill(self, state: Mapping[str, Any]) -> None:
        from ..saving import fill, set_numbers

        for name in _ARRAYS:
            fill(getattr(self, name), name, state)
        set_numbers(self, _NUMBERS, state)
        self.alpha = [float(value) for value in state["alpha"]]
        self.beta = [float(value) for value in state["beta"]]
        if not len(self.alpha) <= len(self.basis) - (self.tried < 0):
            raise ValueError("alpha has a false length")

    @classmethod
    def restore(cls, state: Mapping[str, Any], box: Box | None = None) -> Examination:
        """The check that was `saved`, in the same box; ValueError where it cannot be one."""
        free = state.get("free")
        if free is not None and (np.shape(free) != np.shape(state["x"]) or free.dtype != bool):
            raise ValueError("the free variables are no bools, one for each")
        if box is not None and box.lower.shape != np.shape(state["x"]):
            raise ValueError("the examination is of another size")
        examination = cls(state["x"], 0.0, box, free)
        examination._fill(state)
        return examination


# What is saved of a check.
_ARRAYS = ("x", "basis", "vector")
_NUMBERS = ("f", "eigenvalue", "largest", "tried", "positive")
