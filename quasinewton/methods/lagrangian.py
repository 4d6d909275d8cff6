"""What `SQP` knows of the Hessian of the Lagrangian: by pairs of gradients, or by products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import EPS
from ..models.model import CompactModel
from ..saving import fill, set_numbers
from ..vectors import multiply_rows

if TYPE_CHECKING:
    from ..options import Options
    from .recipes import Recipe

__all__ = ["LagrangianByPairs", "LagrangianByProducts"]

#: Variables from which on no matrix in them is kept; pairs that are kept there, and products.
MANY, _PAIRS, _PRODUCTS = 200, 10, 20
#: Pairs in a model that is a matrix: those that gamma is looked up in.
_RECENT = 20
#: Cosine of s and y below which a pair is damped, and what s.y is then of s.Bs.
_FLAT, _DAMPED = 1e-8, 0.2
#: Curvature of B, beside the largest, that is roundoff.
_NONE = 1e-14
#: Part of B, beside the largest, by which a direction is not known to differ from gamma.
_UNTOLD = 1e-10
#: Negative curvature of B, beside the largest, that is not roundoff.
_BENT = 1e-6
#: Residual of conjugate gradients, beside the first one, at which no more products are made.
_FORCING = 1e-2
#: Part of a vector outside of those before it below which it is none.
_INDEPENDENT = 1e-8


class LagrangianByPairs:
    """A quasi-Newton model, of which `SQP` takes :math:`B = \\gamma I + Q^T K Q`, or a matrix.

    Attributes
    ----------
    units : array, shape (n,), or None
        Where set, all of `matrix` is of variables in these units: B_ij units_i units_j.
    dense : bool
        Whether `matrix` is B itself; else it is K, and Q = `basis`^T `rows`.
    lowest : float
        The least eigenvalue of B, or 0 where B is known to be definite.
    direction : None
        Products are not asked for.
    """

    direction = None

    units: Any = None

    def __init__(self, n: int, dtype: Any, recipe: Recipe, options: Options) -> None:
        memory = options.memory
        self.dense = n < MANY if memory is None else n <= 2 * memory
        pairs = memory or (_RECENT if self.dense else _PAIRS)
        self.model = CompactModel(
            n, pairs, recipe.update, dtype, window=0 if self.dense else recipe.window,
            dense=self.dense,
        )  # fmt: skip
        self.model.record.whole = self.dense and memory is None
        self.matrix = np.zeros((n, n) if self.dense else (2 * pairs, 2 * pairs))
        self.basis = np.zeros((0, 0) if self.dense else (2 * pairs, 2 * pairs))
        self.rows = self.model.rows[:0] if self.dense else self.model.rows
        self.first = 1.0  # gamma before the first pair
        self.lowest = 0.0

    @property
    def gamma(self) -> float:
        """B where no pair says otherwise."""
        return self.model.gamma

    def begin(self, gamma: float) -> None:
        """Start from gamma I."""
        self.first = self.model.record.gamma = gamma
        self.renew()

    def push(self, x: Any, trial: Any, old: Any, new: Any, scratch: Any) -> None:
        """Take the step from x to `trial`, and the gradients of the Lagrangian at both.

        `scratch` has two n-vectors to work in.
        """
        if self.units is not None:
            x, trial = x / self.units, trial / self.units
            old, new = old * self.units, new * self.units
        self._bend(np.subtract(trial, x, out=scratch[0]), old, new, scratch[1])
        stored = self.model.push(x, trial, old, new)
        pair = self.model.ring[0]
        if stored and self.model.count == 1 and pair.cosine > 1e-8 and pair.tau > 0.0:
            self.first = float(pair.tau)

    def _bend(self, s: Any, old: Any, new: Any, y: Any) -> None:
        """Have a pair of no positive curvature keep B definite, if that is to be (Powell 1978).

        Along the constraints' gradients the Lagrangian may be concave at a minimum, and a model
        that says so makes the subproblem one of many minima.
        """
        np.subtract(new, old, out=y)
        sy, ss, yy = float(s @ y), float(s @ s), float(y @ y)
        if not sy <= _FLAT * math.sqrt(ss) * math.sqrt(yy):
            return
        takes_all = self.model.kind == "lsr1"
        sbs = _quadratic(self, s)
        none = _NONE * max(abs(self.gamma), float(abs(self.matrix).max()))
        if abs(sbs) <= none * ss and not (takes_all and math.sqrt(yy) > none * math.sqrt(ss)):
            # Pairs cannot make that less, and steps would be as short as roundoff has them.
            self.model.record.pairs, self.model.record.applied = 0, -1
            self.begin(max(abs(sbs) / ss, EPS * none))
            sbs = _quadratic(self, s)
        if sy < _DAMPED * sbs and not takes_all:
            theta = (1.0 - _DAMPED) * sbs / (sbs - sy)
            y *= theta
            np.add(old, y, out=new)
            new += self._multiply(1.0 - theta, s)

    def _multiply(self, factor: float, s: Any) -> Any:
        """factor B s."""
        if self.dense:
            return factor * (self.matrix @ s)
        curved = self.basis @ (self.matrix @ _products(self, s))
        return self.model.combine_rows(factor * curved, factor * self.gamma, s)

    def renew(self) -> None:
        """B from the pairs, as `solve_penalized` takes it."""
        model, record = self.model, self.model.record
        if self.dense:
            model.renew(self.first)
            np.multiply(model.gram[: model.n], record.unit, out=self.matrix)
            np.fill_diagonal(self.matrix, self.matrix.diagonal() + record.matrix_gamma)
            self.lowest = 0.0 if record.inverted else float(np.linalg.eigvalsh(self.matrix)[0])
            return
        model.refresh(model.choose_gamma())
        self.lowest = float(model.lam.min(initial=model.gamma))
        # Eigenvectors, and not the pairs themselves, of which some may be all but dependent.
        rank = model.rank
        self.basis[:, :rank], self.basis[:, rank:] = model.vectors.T, 0.0
        self.matrix[...] = 0.0
        np.fill_diagonal(self.matrix[:rank, :rank], model.lam - model.gamma)

    def quadratic(self, s: Any) -> float:
        """s.B s."""
        return _quadratic(self, s if self.units is None else s / self.units)

    def unseen(self, basis: Any) -> Any:
        """Orthonormal rows that span what of those of `basis` a `matrix` B has left as gamma I."""
        matrix = self.matrix
        told = matrix - self.model.record.matrix_gamma * np.eye(len(matrix))
        if self.units is not None:
            matrix, told = (a / np.outer(self.units, self.units) for a in (matrix, told))
        _, values, along = np.linalg.svd(told @ basis.T)
        least = _UNTOLD * max(float(abs(matrix).max()), EPS)
        return along[int((values > least).sum()) :] @ basis

    def saved(self) -> dict[str, Any]:
        """All that the iterations to come depend on; not copies."""
        model = self.model
        return {
            "gamma": self.first, "rows": model.rows, "gram": model.gram, "ring": model.ring,
            "state": model.state,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take what was `saved`; ValueError where it cannot be that."""
        for name, array in self.saved().items():
            if isinstance(array, np.ndarray):
                fill(array, name, state)
        self.first = float(state["gamma"])
        self.renew()

    def current_model(self) -> CompactModel:
        """The model itself."""
        self.model.outdate()
        return self.model if self.units is None else self.model.in_units(self.units)


class LagrangianByProducts:
    r"""The Hessian itself, as far as products with it tell.

    For many variables it is asked about the span of a Krylov sequence, that of conjugate
    gradients in the variables that no bound holds and along the constraints that do: with
    orthonormal rows Q, the products Y = Q H, T = Q Y^T and N what Y has across the constraints,

    .. math:: B = \gamma (I - Q^T Q) + Q^T T Q + Q^T N + N^T Q,

    which is H on that span, and :math:`\gamma`, the mean of the eigenvalues of T without their
    signs, elsewhere. The step that meets the constraints is the first row where there is one.

    Attributes
    ----------
    direction : array, shape (n,), or None
        What `receive` wants the product with.

    Others as of `LagrangianByPairs`.
    """

    def __init__(self, n: int, dtype: Any, options: Options) -> None:
        self.dense = n < MANY
        most = n if self.dense else min(n, options.memory or _PRODUCTS)
        self.directions, self.products = np.zeros((2, most, n))
        self.matrix = np.zeros((n, n) if self.dense else (2 * most, 2 * most))
        self.basis = np.eye(0 if self.dense else 2 * most)
        self.rows = np.zeros((0 if self.dense else 2 * most, n))
        self.gamma, self.lowest = 1.0, 0.0
        self.dtype = dtype
        self.count = self.normal = 0  # products made; of them for the step to the constraints
        self.waits = self.whole = False
        self.shift = self.first = 0.0  # length of that step, and of the first residual

    @property
    def direction(self) -> Any:
        """The row of `directions` that comes next."""
        return self.directions[self.count].astype(self.dtype) if self.waits else None

    def begin(self, gamma: float) -> None:
        """Start from gamma I."""
        self.gamma, self.count = gamma, 0
        self._assemble(lambda v: v)

    def ask(self, slope: Any, step: Any, project: Callable[[Any], Any]) -> None:
        """Begin to look at another point.

        Parameters
        ----------
        slope : array, shape (n,)
            The gradient of the Lagrangian.
        step : array, shape (n,)
            The least one to the constraints that are to hold.
        project : callable
            Onto the directions along these, for vectors or rows of them.
        """
        self.count = self.normal = 0
        self.whole = False
        if self._add(step):
            self.normal, self.shift = 1, float(np.linalg.norm(step))
            return
        residual = project(slope)
        self.first = float(np.linalg.norm(residual))
        if not self._add(residual):
            self._assemble(project)

    def receive(self, product: Any, slope: Any, project: Callable[[Any], Any]) -> None:
        """The product of `direction`; the other arguments are those of `ask`."""
        self.waits = False
        if not np.isfinite(product).all():
            self.normal = min(self.normal, self.count)  # that step is none of the rows
            self._assemble(project)
            return
        self.products[self.count] = product
        self.count += 1
        if self.count == self.normal:
            residual = project(slope + self.shift * self.products[0])
            self.first = float(np.linalg.norm(residual))
        else:
            residual = project(self.products[self.count - 1])
        if self.count == len(self.directions) or not self._add(residual):
            self._assemble(project)

    def receive_whole(self, matrix: Any) -> None:
        """The Hessian as a matrix."""
        self.count, self.waits, self.whole = len(matrix), False, True
        self.products[...] = 0.5 * (matrix + matrix.T)
        self._take_whole()

    def _take_whole(self) -> None:
        self.matrix[...] = self.products
        self._find_lowest()

    def _find_lowest(self) -> None:
        if np.isfinite(self.matrix).all():
            self.lowest = float(np.linalg.eigvalsh(self.matrix)[0])

    def unseen(self, basis: Any) -> Any:
        """Orthonormal rows: of those of `basis` all if no product was made, else what bends down.

        B is mostly the Hessian at the point before.
        """
        if (self.matrix == self.gamma * np.eye(len(self.matrix))).all():
            return basis
        values, vectors = np.linalg.eigh(basis @ self.matrix @ basis.T)
        return vectors[:, values < -_BENT * abs(values).max()].T @ basis

    def _add(self, v: Any) -> bool:
        """Ask for what v has outside of the rows before, if that is something."""
        before = self.directions[: self.count]
        size = left = float(np.linalg.norm(v))
        row = np.array(v, np.float64)
        for _ in range(2):
            row -= (before @ row) @ before
            left = float(np.linalg.norm(row))
        if not (math.isfinite(left) and left > _INDEPENDENT * size) or self._settled(left):
            return False
        np.divide(row, left, out=self.directions[self.count])
        self.waits = True
        return True

    def _settled(self, left: float) -> bool:
        """Whether conjugate gradients would end with a residual of that part of a new row."""
        along = slice(self.normal, self.count)
        t = self.products[along] @ self.directions[along].T
        if not len(t):
            return False
        try:
            np.linalg.cholesky(0.5 * (t + t.T))
        except np.linalg.LinAlgError:
            return False
        right = np.zeros(len(t))
        right[0] = self.first
        last = np.linalg.solve(0.5 * (t + t.T), right)[-1]
        return bool(left * abs(last) <= _FORCING * self.first)

    def _assemble(self, project: Callable[[Any], Any]) -> None:
        self.waits = False
        k = self.count
        q, y = self.directions[:k], self.products[:k]
        t = y @ q.T
        t = 0.5 * (t + t.T)
        values = np.linalg.eigvalsh(t) if np.isfinite(t).all() else np.zeros(1)
        mean = float(abs(values).mean()) if k else 0.0
        if mean > 0.0:
            self.gamma = mean
        self.lowest = min(float(values.min(initial=self.gamma)), self.gamma)
        across = y - t @ q
        across -= project(across)
        if self.dense:
            part = q.T @ (t - self.gamma * np.eye(k)) @ q + q.T @ across + across.T @ q
            self.matrix[...] = 0.5 * (part + part.T)
            np.fill_diagonal(self.matrix, self.matrix.diagonal() + self.gamma)
            self._find_lowest()
            return
        sizes = np.linalg.norm(across, axis=1)
        self.rows[...] = 0.0
        self.matrix[...] = 0.0
        self.rows[:k] = q
        self.rows[k : 2 * k] = across / np.where(sizes > 0.0, sizes, 1.0)[:, None]
        self.matrix[:k, :k] = t - self.gamma * np.eye(k)
        beside = np.arange(k)
        self.matrix[beside, k + beside] = self.matrix[k + beside, beside] = sizes

    def quadratic(self, s: Any) -> float:
        """s.B s."""
        return _quadratic(self, s)

    def saved(self) -> dict[str, Any]:
        """All that the iterations to come depend on; not copies."""
        arrays, numbers = ("directions", "products"), ("gamma", "count", "normal", "shift", "first")
        names = (*arrays, *numbers, "waits", "whole")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: Mapping[str, Any], project: Callable[[Any], Any]) -> None:
        """Take what was `saved`; ValueError where it cannot be that."""
        fill(self.directions, "directions", state)
        fill(self.products, "products", state)
        numbers = tuple(name for name in self.saved() if name not in ("directions", "products"))
        set_numbers(self, numbers, state)
        if not 0 <= self.normal <= self.count + self.waits <= len(self.directions):
            raise ValueError("the products are numbered wrong")
        if self.whole:
            self._take_whole()
        elif not self.waits:
            self._assemble(project)


def _products(hessian: LagrangianByPairs | LagrangianByProducts, s: Any) -> Any:
    """Q s."""
    products = np.empty(len(hessian.rows))
    multiply_rows(hessian.rows, s, products)
    return products @ hessian.basis


def _quadratic(hessian: LagrangianByPairs | LagrangianByProducts, s: Any) -> float:
    if hessian.dense:
        return float(s @ (hessian.matrix @ s))
    products = _products(hessian, s)
    return float(hessian.gamma * (s @ s) + products @ (hessian.matrix @ products))
