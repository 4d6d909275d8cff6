"""The Hessian at a point by products, and the standard errors that it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from scipy.optimize._numdiff import approx_derivative
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, cg

from .objective import Objective, as_matrix, as_vector

__all__ = ["HessianOperator", "covariance", "standard_errors"]

#: Up to so many variables a solve makes the matrix; with more it is by conjugate gradients.
_DENSE = 100
#: Steps of differences, in units of the standard error that is sought: where the gradient is
#: given, and where it is itself a difference.
_STEP, _LONG_STEP = 1e-3, 1e-2


class HessianOperator(LinearOperator):  # type: ignore[misc]
    """The symmetric Hessian at a point as a LinearOperator, by the functions of a run.

    They are called when a product is asked for, and stay behind where it is pickled: what has
    been looked at as a matrix goes on without them.

    Parameters
    ----------
    product : callable
        ``product(d) -> array, shape (n,)``, with d of shape (n,).
    x : array, shape (n,)
        The point, whose dtype is that of the products.
    """

    def __init__(self, product: Callable[[np.ndarray], Any], x: np.ndarray) -> None:
        self._product: Callable[[np.ndarray], Any] | None = product
        self._dense: np.ndarray | None = None
        super().__init__(x.dtype, (x.size, x.size))

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        v = np.asarray(v, self.dtype).reshape(-1)
        if self._dense is not None:
            return np.asarray(self._dense @ v)
        if self._product is None:
            raise RuntimeError(
                "this Hessian was pickled without the functions that its products call; "
                "`todense()` before that keeps it"
            )
        if not v.any():
            return v.copy()
        return as_vector("Hessian product", self._product(v), v.shape)

    def _adjoint(self) -> HessianOperator:
        return self

    def todense(self) -> np.ndarray:
        """The matrix, shape (n, n), by n products at the first time."""
        if self._dense is None:
            columns = np.array([self._matvec(e) for e in np.eye(self.shape[0], dtype=self.dtype)])
            self._dense = 0.5 * (columns + columns.T)
        return self._dense.copy()

    def inverse(self) -> InverseHessian:
        """The inverse as a LinearOperator."""
        return InverseHessian(self)

    # A view of what stays as it is.
    def __copy__(self) -> HessianOperator:
        return self

    def __deepcopy__(self, memo: Any) -> HessianOperator:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_product": None}


class InverseHessian(LinearOperator):  # type: ignore[misc]
    """The inverse of a `HessianOperator`: by its matrix for n <= 100, else by conjugate gradients.

    `numpy.linalg.LinAlgError` is raised where it is singular, or too ill-conditioned for them.
    """

    def __init__(self, hessian: HessianOperator) -> None:
        self.hessian = hessian
        super().__init__(hessian.dtype, hessian.shape)

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        v = np.asarray(v, self.dtype).reshape(-1)
        if self.shape[0] <= _DENSE:
            return np.asarray(np.linalg.solve(self.hessian.todense(), v))
        x, failed = cg(self.hessian, v, rtol=1e-8)
        if failed:
            raise np.linalg.LinAlgError("conjugate gradients do not solve with this Hessian")
        return np.asarray(x)

    def _adjoint(self) -> InverseHessian:
        return self

    def todense(self) -> np.ndarray:
        """The matrix, shape (n, n)."""
        return np.asarray(np.linalg.inv(self.hessian.todense()))


def standard_errors(
    fun: Callable[..., Any],
    x: Any,
    args: tuple[Any, ...] | Any = (),
    jac: Any = None,
    hess: Any = None,
    hessp: Callable[..., Any] | None = None,
) -> np.ndarray:
    r"""Standard errors of maximum-likelihood estimates: the call of `minimize` with its result.

    Parameters
    ----------
    fun : callable
        The negative logarithm of the likelihood, summed over the data - not its mean, and not
        twice it - as `minimize` takes it.
    x : OptimizeResult or array_like, shape (n,)
        The estimates, where `fun` is least.
    args, jac, hess, hessp
        As in `quasinewton.minimize`.

    Returns
    -------
    array, shape (n,)
        :math:`\sqrt{(H^{-1})_{ii}}`, in the units of x, with H the Hessian at x.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, and where `fun` or its gradient is not finite at `x`.
    numpy.linalg.LinAlgError
        Where H is not positive definite: x is no minimum, or the data do not tell its parameters
        apart.

    Notes
    -----
    H is made anew: from `hess`, from n products of `hessp`, else by differences of the gradient,
    about 4 n of them, with steps in proportion to the errors. (Without `jac` each of these takes
    2 n values of `fun`.) The model in `result.hess_inv` costs nothing but is not used: no method
    promises that it is the Hessian where the run ends, and errors from it may be off by some
    percent or by a factor, more so after few iterations and with many variables.

    They can be believed where the estimates are about normal: many data for each parameter, a
    likelihood that is smooth and about quadratic over some standard errors around x, x not at a
    limit of what is allowed, and a model of the data that is right. With a penalty or a prior in
    `fun` they are the widths of the posterior at its mode. For least squares divide the sum of
    squares by twice the variance of the noise first.

    Examples
    --------
    The mean of 100 numbers with standard deviation 2:

    >>> import numpy as np
    >>> import quasinewton
    >>> data = 5.0 + 2.0 * np.random.default_rng(0).standard_normal(100)
    >>> def fun(m):
    ...     return np.sum((data - m) ** 2) / (2 * 2.0**2)
    >>> result = quasinewton.minimize(fun, [0.0])
    >>> round(float(quasinewton.standard_errors(fun, result)[0]), 6)  # 2 / sqrt(100)
    0.2
    """
    return np.asarray(np.sqrt(np.diag(covariance(fun, x, args, jac, hess, hessp))))


def covariance(
    fun: Callable[..., Any],
    x: Any,
    args: tuple[Any, ...] | Any = (),
    jac: Any = None,
    hess: Any = None,
    hessp: Callable[..., Any] | None = None,
) -> np.ndarray:
    """The covariance of maximum-likelihood estimates, shape (n, n): the inverse Hessian.

    Parameters, errors and when to believe it are those of `standard_errors`.
    """
    if isinstance(x, OptimizeResult):
        x = x.x
    try:
        point = np.atleast_1d(np.asarray(x)).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`x` must be a result or hold real numbers, got {x!r}") from error
    if point.ndim != 1 or point.size == 0 or not np.isfinite(point).all():
        raise ValueError(f"`x` must have shape (n,) and be finite, got {x!r}")
    args = args if isinstance(args, tuple) else (args,)
    matrix = _hessian(fun, point, args, jac, hess, hessp)
    # Scaled, so that the units of x do not matter to the test.
    with np.errstate(all="ignore"):
        scale = np.sqrt(np.diag(matrix))
        scaled = matrix / np.outer(scale, scale)
    values = np.linalg.eigvalsh(scaled) if np.isfinite(scaled).all() else np.array([math.nan])
    if not values[0] > 1e-10:
        raise np.linalg.LinAlgError(
            "the Hessian at `x` is not positive definite: `x` is no minimum, or there are "
            f"parameters that `fun` does not tell apart (least eigenvalue {values[0]:.1e}, in "
            "units in which its diagonal is 1)"
        )
    return np.asarray(np.linalg.inv(scaled) / np.outer(scale, scale))


def _hessian(
    fun: Callable[..., Any], x: np.ndarray, args: tuple[Any, ...], jac: Any, hess: Any, hessp: Any
) -> np.ndarray:
    objective = Objective(fun, x, args, jac, hess, hessp)
    if hessp is not None:
        columns = [
            as_vector("Hessian product", hessp(x.copy(), e, *args), x.shape) for e in np.eye(x.size)
        ]
        matrix = np.array(columns, np.float64)
    elif callable(hess):
        matrix = as_matrix(hess(x.copy(), *args), x.size)
        if issparse(matrix):
            matrix = matrix.toarray()
        elif not isinstance(matrix, np.ndarray):
            matrix = matrix @ np.eye(x.size)
    else:
        matrix = _by_differences(objective, x)
    return np.asarray(0.5 * (matrix + matrix.T))


def _by_differences(objective: Objective, x: np.ndarray) -> Any:
    given = objective.gives_gradient

    def value(z: np.ndarray) -> float:
        return objective.fun(z.copy())

    def gradient(z: np.ndarray, steps: Any = None) -> np.ndarray:
        if not given:
            return np.atleast_1d(approx_derivative(value, z, method="3-point", abs_step=steps))
        return as_vector("gradient", objective.gradient_at(z), z.shape).astype(np.float64)

    if not (math.isfinite(value(x)) and np.isfinite(gradient(x)).all()):
        raise ValueError("`fun` and its gradient must be finite at `x`")
    # The rough curvature along each axis says which step is neither noise nor far away.
    rough = np.diag(np.atleast_2d(approx_derivative(gradient, x, method="3-point")))
    with np.errstate(all="ignore"):
        steps = (_STEP if given else _LONG_STEP) / np.sqrt(rough)
    if not np.isfinite(steps).all():
        return np.diag(rough)  # no minimum
    return np.atleast_2d(
        approx_derivative(lambda z: gradient(z, steps), x, method="3-point", abs_step=steps)
    )
