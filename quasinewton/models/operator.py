"""A compact model as a LinearOperator of SciPy's, and solves with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from .model import CompactModel

__all__ = ["ModelInverse", "ModelOperator", "shifted_solve"]

#: An eigenvalue of B + shift I that is smaller beside the largest than this is zero.
_SINGULAR = 1e-14
#: Refinements of a solve.
_REFINEMENTS = 3


def shifted_solve(model: CompactModel, b: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """x with (B + shift I) x = b, shape (n,), in O(nm).

    Raises
    ------
    numpy.linalg.LinAlgError
        Where B + shift I is singular to working precision.
    """
    lam = model.lam + shift
    rest = model.gamma + shift
    if model.rank == model.n:
        rest = math.inf  # there is nothing outside of the pairs
    eigenvalues = np.append(lam, rest)
    smallest = eigenvalues[np.argmin(np.abs(eigenvalues))]
    top = max(np.abs(model.lam).max(initial=0.0), abs(model.gamma), abs(shift))
    if abs(smallest) <= _SINGULAR * top:
        raise np.linalg.LinAlgError(
            f"B + shift I is singular for shift = {shift:g}: it has the eigenvalue {smallest:.1e} "
            f"beside others of size {top:.1e}"
        )
    weights = 1.0 / lam - 1.0 / rest

    def approximate(v: np.ndarray) -> Any:
        return model.combine(1.0 / rest, v, weights * model.coordinates(v))

    # Where pairs are nearly dependent, U is orthonormal to few digits: refine.
    x: np.ndarray = approximate(b)
    residual = b - model.matvec(x) - shift * x
    for _ in range(_REFINEMENTS):
        better = x + approximate(residual)
        left = b - model.matvec(better) - shift * better
        if not np.linalg.norm(left) < np.linalg.norm(residual):
            break
        x, residual = better, left
    return x


class ModelOperator(LinearOperator):  # type: ignore[misc]
    """The symmetric matrix B of a quasi-Newton model as a LinearOperator; O(nm) a product.

    Parameters
    ----------
    model : CompactModel
        With its spectrum up to date.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import rosen, rosen_der
    >>> import quasinewton
    >>> result = quasinewton.minimize(rosen, np.zeros(4), jac=rosen_der)
    >>> b = np.ones(4)
    >>> x = result.hess.solve(b, shift=1.0)
    >>> np.allclose(result.hess @ x + x, b)
    True
    """

    def __init__(self, model: CompactModel) -> None:
        self.model = model
        super().__init__(model.rows.dtype, (model.n, model.n))

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        product = self.model.matvec(np.asarray(v, self.dtype).reshape(-1))
        return np.asarray(product, self.dtype)

    def _adjoint(self) -> ModelOperator:
        return self

    def eigenvalues(self) -> tuple[np.ndarray, float]:
        """The spectrum of B.

        Returns
        -------
        lam : array, shape (r,), r <= n
            The eigenvalues on the span of the pairs, or of the gradients, increasing. With the
            option `memory` r <= 2 memory.
        gamma : float
            The eigenvalue everywhere else, n - r times.
        """
        return np.sort(self.model.lam), self.model.gamma

    def solve(self, b: np.ndarray, shift: float = 0.0) -> np.ndarray:
        """Solve (B + shift I) x = b in O(nm) for each right-hand side.

        Parameters
        ----------
        b : array, shape (n,) or (n, k)
        shift : float, default 0

        Returns
        -------
        x : array of the shape of b

        Raises
        ------
        ValueError
            For a `b` of another shape.
        numpy.linalg.LinAlgError
            Where B + shift I is singular to working precision.
        """
        b = np.asarray(b, self.dtype)
        if b.ndim not in (1, 2) or b.shape[0] != self.model.n:
            n = self.model.n
            raise ValueError(f"`b` must have shape ({n},) or ({n}, k), got {b.shape}")
        if b.ndim == 1:
            return shifted_solve(self.model, b, shift)
        columns = [shifted_solve(self.model, np.ascontiguousarray(c), shift) for c in b.T]
        return np.array(columns, self.dtype).reshape(b.T.shape).T

    def todense(self) -> np.ndarray:
        """B as a matrix, shape (n, n)."""
        return np.asarray(self @ np.eye(self.model.n, dtype=self.dtype))

    def inverse(self, shift: float = 0.0) -> ModelInverse:
        """(B + shift I)^-1 as a LinearOperator, by `solve`."""
        return ModelInverse(self, shift)


class ModelInverse(LinearOperator):  # type: ignore[misc]
    """(B + shift I)^-1 of a `ModelOperator` as a LinearOperator; O(nm) a product.

    Parameters
    ----------
    operator : ModelOperator
    shift : float, default 0

    Raises
    ------
    numpy.linalg.LinAlgError
        By products and `todense`, where B + shift I is singular to working precision.
    """

    def __init__(self, operator: ModelOperator, shift: float = 0.0) -> None:
        self.operator, self.shift = operator, shift
        super().__init__(operator.dtype, operator.shape)

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        x = self.operator.solve(np.asarray(v).reshape(-1), self.shift)
        return np.asarray(x, self.dtype)

    def _adjoint(self) -> ModelInverse:
        return self

    def todense(self) -> np.ndarray:
        """The matrix, shape (n, n)."""
        return np.asarray(self @ np.eye(self.shape[0], dtype=self.dtype))
