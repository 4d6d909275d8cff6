"""What the user gives - fun, jac, hess, hessp in all their forms - made uniform and counted."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import HessianUpdateStrategy
from scipy.optimize._numdiff import approx_derivative
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from ..box import Box
from ..vectors import clone, is_tensor, norm2
from ..workers import Calls
from .autograd import autograd_pair, autograd_product
from .steps import NoisySteps, difference_in_box, parts_in_box

__all__ = [
    "Counts", "Objective", "OutOfBudget", "as_dense", "as_matrix", "as_pair", "as_value",
    "as_vector", "precision",
]  # fmt: skip

_DIFFERENCES = ("2-point", "3-point", "cs")

#: Relative precision of numbers that are not double, by the name of their dtype.
_PRECISION = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_DOUBLE = 2.0**-52


class Counts:
    """Evaluations of the objective, the gradient, and Hessians or their products."""

    __slots__ = ("nfev", "nhev", "njev")

    def __init__(self, nfev: int = 0, njev: int = 0, nhev: int = 0) -> None:
        self.nfev, self.njev, self.nhev = nfev, njev, nhev


class OutOfBudget(Exception):
    """No further evaluation is allowed, in the middle of a difference."""


class Objective:
    """An objective at one point after another.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``-> (float, array)`` where `jac` is True.
    x0 : array, shape (n,)
        Gives shape and dtype.
    args : tuple
    jac : callable, bool, None or one of '2-point', '3-point', 'cs'
    hess : callable, HessianUpdateStrategy, one of '2-point', '3-point', 'cs', or None
        A callable returns an array, a sparse matrix or a LinearOperator.
    hessp : callable or None
        ``hessp(x, p, *args) -> array``.
    rel_step : float, n floats or None
        Relative step of differences; by default that for the precision of what `fun`, or for
        products `jac`, returns.
    abs_step : float, n floats or None
        Absolute step for a gradient by differences, if `jac` and `rel_step` are None.
    counts : Counts, optional
        Where to go on counting.
    spent : callable, optional
        ``spent() -> bool``, asked before each evaluation of a difference: whether that is one
        too many. `OutOfBudget` is then raised.
    box : Box, optional
        No difference evaluates outside of it, if it is taken at a point of it. Derivatives by
        differences along variables whose bounds are the same are 0.
    workers : int, executor or callable, default 1
        Who evaluates the points of a difference; see `quasinewton.options.Options`. `close` ends
        what it has made.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        x0: np.ndarray,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        rel_step: float | tuple[float, ...] | None = None,
        abs_step: float | tuple[float, ...] | None = None,
        counts: Counts | None = None,
        spent: Callable[[], bool] = lambda: False,
        box: Box | None = None,
        workers: Any = 1,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"`fun` must be callable, got {type(fun).__name__}")
        if isinstance(jac, str):
            if jac not in _DIFFERENCES:
                raise ValueError(f"`jac` must be one of {_DIFFERENCES} as a string, got {jac!r}")
        elif not (jac is None or isinstance(jac, bool | np.bool_) or callable(jac)):
            raise TypeError(
                f"`jac` must be callable, a bool, None or one of {_DIFFERENCES}, got {jac!r}"
            )
        if hessp is not None and not callable(hessp):
            raise TypeError(f"`hessp` must be callable or None, got {type(hessp).__name__}")
        if isinstance(hess, str) and hess not in _DIFFERENCES:
            raise ValueError(f"`hess` must be one of {_DIFFERENCES} as a string, got {hess!r}")
        if not (
            hess is None or callable(hess) or isinstance(hess, str)
            or _is_strategy(hess) or _is_matrix(hess)
        ):  # fmt: skip
            raise TypeError(
                "`hess` must be callable, a matrix, a HessianUpdateStrategy, None or one of "
                f"{_DIFFERENCES}, got {type(hess).__name__}"
            )
        for name, steps in (("finite_diff_rel_step", rel_step), ("eps", abs_step)):
            shape = np.asarray(steps).shape
            if shape not in ((), x0.shape):
                raise ValueError(
                    f"option `{name}` must be a number or have shape {x0.shape}, got shape {shape}"
                )
        self.counts = Counts() if counts is None else counts
        self._spent = spent
        if is_tensor(x0) and jac is None and hasattr(x0, "requires_grad"):
            if hess is None and hessp is None:
                hessp = autograd_product(fun)
            fun, jac = autograd_pair(fun), True
        if is_tensor(x0) and not (callable(jac) or (isinstance(jac, bool | np.bool_) and jac)):
            raise ValueError(
                f"a run on tensors needs `jac`, got {jac!r}: there are no differences of `fun`; "
                "where `jac` is None, PyTorch differentiates it if `x0` is its tensor"
            )
        self.n = x0.shape[0]
        self._x0 = x0
        self._box = box
        self._fun, self._jac, self._hess, self._hessp = fun, jac, hess, hessp
        self._args = args
        self.joint = isinstance(jac, bool | np.bool_) and bool(jac)
        self.gives_gradient = callable(jac) or self.joint  # or differences of `fun` do
        self._scheme = jac if isinstance(jac, str) else None
        self._calls: Calls | None = None  # of that which differences are made of
        if workers != 1 and not is_tensor(x0):
            self._calls = Calls(jac if callable(jac) else fun, args, workers)
        # SciPy's methods too take absolute steps only where neither of the others is chosen.
        by_default = self._scheme is None and rel_step is None
        self._abs_step = np.asarray(abs_step) if by_default and abs_step is not None else None
        self._rel_step = None if rel_step is None else np.asarray(rel_step)
        self.steps: NoisySteps | None = None  # those of differences under noise
        # Relative precision in which `fun` and `jac` return what differences are made of: the worst
        # seen.
        self.precision = self._g_precision = precision(x0)
        self._x: np.ndarray | None = None  # where `fun` was called last
        self._f = math.nan
        self.held: Any = None  # the gradient, where it came with the value
        self._version = -1  # of the point whose Hessian is held
        self._matrix: Any = None
        self._previous: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def differences(self) -> bool:
        """Whether the gradient is made of differences of f."""
        return not self.gives_gradient

    def fun(self, x: np.ndarray) -> float:
        """The objective at x. x is handed to the user, who may keep or change it."""
        self.counts.nfev += 1
        self.held = None  # as it would be another vector beside the new one
        if not self.joint:
            self._x = clone(x)
        value = self._fun(x, *self._args)
        if self.joint:
            self.counts.njev += 1
            value, self.held = as_pair(value)
        self._f = self._value(value)
        if self.joint and self.held is None and math.isfinite(self._f):
            raise TypeError("`fun` must return (f, gradient) where `jac` is True, got (f, None)")
        return self._f

    def _value(self, value: Any) -> float:
        number = as_value(value)  # which says what is wrong with a value that is none
        if type(value) is not float:
            self.precision = max(self.precision, precision(value))
        return number

    def gradient(self) -> np.ndarray:
        """The gradient at the point of the last call of `fun`."""
        if self.joint:
            return self.held  # type: ignore[no-any-return]
        assert self._x is not None
        return self.gradient_at(self._x, self._f)

    def gradient_at(self, x: np.ndarray, f: float | None = None) -> np.ndarray:
        """The gradient at x, where `fun` is f if that is known."""
        if self.joint:
            self.counts.nfev += 1
            self.counts.njev += 1
            return self._fun(clone(x), *self._args)[1]  # type: ignore[no-any-return]
        self.counts.njev += 1
        if self.gives_gradient:
            return self._jac(clone(x), *self._args)  # type: ignore[no-any-return]

        scheme = self._scheme
        if scheme is None:
            # forward differences of values in single precision have two or three digits
            single = self.precision > _DOUBLE and self._abs_step is None
            single = single or self._noisy is not None
            scheme = "3-point" if single else "2-point"

        def checked(value: Any) -> Any:
            return value if scheme == "cs" else self._value(value)

        def counted(z: np.ndarray) -> Any:
            if not self._admit():
                raise OutOfBudget
            return checked(self._fun(z.copy(), *self._args))

        if self._calls is None:
            return self._learning(counted, x, f, scheme)
        # No point depends on a value, so they are found out first, and evaluated all at once.
        points: list[np.ndarray] = []

        def plan(z: np.ndarray) -> float:
            points.append(z.copy())
            return 0.0

        self._by_differences(plan, x, f, scheme)
        values = self._calls.values(points, self._admit, self._withdraw)
        known = zip(points, values, strict=False)

        def look_up(z: np.ndarray) -> Any:
            point, value = next(known, (np.empty(0), None))
            # Others if a value was of less precision than thought; none once the budget is spent.
            return checked(value) if np.array_equal(z, point) else counted(z)

        return self._learning(look_up, x, f, scheme)

    @property
    def _noisy(self) -> NoisySteps | None:
        """Steps for noise, where the user has chosen none."""
        return self.steps if self._rel_step is None and self._abs_step is None else None

    def _learning(
        self, fun: Callable[[np.ndarray], Any], x: np.ndarray, f: float | None, scheme: str
    ) -> np.ndarray:
        """`_by_differences`, from whose values the steps under noise learn."""
        if self._noisy is None or scheme != "3-point" or f is None:
            return self._by_differences(fun, x, f, scheme)
        seen: list[tuple[np.ndarray, float]] = []

        def seeing(z: np.ndarray) -> Any:
            seen.append((z.copy(), fun(z)))
            return seen[-1][1]

        gradient = self._by_differences(seeing, x, f, scheme)
        self._noisy.learn(x, f, seen)
        return gradient

    def _by_differences(
        self, fun: Callable[[np.ndarray], Any], x: np.ndarray, f: float | None, scheme: str
    ) -> np.ndarray:
        """The gradient at x by differences of `fun`, which is called at one point after another."""
        if scheme == "2-point" and f is None:
            f = fun(x)
        if self._box is not None:
            h = np.broadcast_to(self._steps(x, scheme), x.shape)
            return difference_in_box(fun, x, f, h, scheme, self._box)
        gradient = approx_derivative(
            fun, x, method=scheme, abs_step=self._steps(x, scheme),
            f0=math.nan if f is None else f,  # which only '2-point' looks at
        )  # fmt: skip
        return np.atleast_1d(gradient)

    def _admit(self) -> bool:
        """Count one more evaluation for a difference, unless it is one too many."""
        if self._spent():
            return False
        self.counts.nfev += 1
        return True

    def _withdraw(self, evaluations: int) -> None:
        self.counts.nfev -= evaluations

    def close(self, at_once: bool = False) -> None:
        """Close the pool of workers, if the objective has made one."""
        if self._calls is not None:
            self._calls.close(at_once)

    def _steps(self, x: np.ndarray, scheme: str) -> np.ndarray:
        """Steps for the elements of the gradient."""
        if self._abs_step is not None:
            return self._abs_step
        size = np.abs(x.astype(np.float64))
        sign = np.where(x < 0.0, -1.0, 1.0)
        if self._noisy is not None and scheme != "cs":
            return np.asarray(sign * self._noisy.steps(x, self._f, scheme))
        power = 1.0 / 3.0 if scheme == "3-point" else 0.5
        h = self.precision**power * np.maximum(size, 1.0)
        if self._rel_step is not None:
            relative = self._rel_step * size
            h = np.where(relative > self.precision * size, relative, h)
        return np.asarray(sign * h)

    def product(self, x: Any, g: Any, d: Any, version: int) -> Any:
        """H(x) d.

        Parameters
        ----------
        x, g, d : arrays, shape (n,)
            Point, gradient there, direction.
        version : int
            Changes whenever x does.
        """
        if self._hessp is not None:
            self.counts.nhev += 1
            product = self._hessp(clone(x), clone(d), *self._args)
            if product is None:
                raise TypeError("`hessp` returned None: is there a `return` at its end?")
            return product
        if self._hess is None or isinstance(self._hess, str):
            return self._difference(x, g, d)
        self._renew(x, g, version)
        if _is_strategy(self._matrix):
            return self._matrix.dot(d)
        return self._matrix @ d

    @property
    def has_matrix(self) -> bool:
        """Whether `hess` gives the Hessian as a matrix."""
        return self._hessp is None and (callable(self._hess) or _is_matrix(self._hess))

    def matrix(self, x: np.ndarray, g: np.ndarray, version: int) -> np.ndarray:
        """H(x), where `has_matrix`; arguments are those of `product`."""
        self._renew(x, g, version)
        return as_dense(self._matrix)

    def _renew(self, x: np.ndarray, g: np.ndarray, version: int) -> None:
        """Make the Hessian that `hess` stands for that of x, if it is another's."""
        if version == self._version:
            return
        self._make_matrix(x, g)
        self._version = version

    def _make_matrix(self, x: np.ndarray, g: np.ndarray) -> None:
        hess = self._hess
        if _is_strategy(hess):
            if self._previous is None:
                hess.initialize(self.n, "hess")
            else:
                hess.update(x - self._previous[0], g - self._previous[1])
            self._previous = (clone(x), clone(g))
            self._matrix = hess
            return
        if _is_matrix(hess):
            self._matrix = hess
        else:
            self.counts.nhev += 1
            self._matrix = hess(clone(x), *self._args)
            if self._matrix is None:
                raise TypeError("`hess` returned None: is there a `return` at its end?")
        self._matrix = as_matrix(self._matrix, self.n)

    def _difference(self, x: Any, g: Any, d: Any) -> Any:
        """(g(x + h d) - g(x)) / h."""
        if self._box is not None:
            return self._difference_in_box(x, g, d, self._box)
        known = self.precision, self._g_precision
        h = self._length(x, d)
        shifted = x + h * d
        gradient = self.gradient_at(shifted if is_tensor(x) else shifted.astype(x.dtype))
        if self.gives_gradient:
            self._g_precision = max(self._g_precision, precision(gradient))
        if (self.precision, self._g_precision) != known:  # worse than was thought
            return self._difference(x, g, d)
        if is_tensor(x):
            return (gradient - g) / h
        gradient = as_vector("gradient", gradient, x.shape)
        return np.asarray((gradient - g.astype(np.float64)) / h, x.dtype)

    def _difference_in_box(self, x: np.ndarray, g: np.ndarray, d: np.ndarray, box: Box) -> Any:
        """The same by points of a box, as a sum over parts of d where one of them does not do.

        Along the fixed variables, and to keep the Hessian symmetric in them too, it is 0.
        """
        free = ~box.fixed
        d = np.where(free, d, d.dtype.type(0.0))
        product = np.zeros(x.shape)
        if not d.any():
            return product.astype(x.dtype)
        known = self.precision, self._g_precision
        parts = list(parts_in_box(x, d, self._length(x, d), box))
        beside = self._gradients_at([z for z, _ in parts])
        for j, (shifted, h) in enumerate(parts):
            gradient = self.gradient_at(shifted) if beside is None else beside[j]
            if self.gives_gradient:
                self._g_precision = max(self._g_precision, precision(gradient))
            if (self.precision, self._g_precision) != known:
                return self._difference_in_box(x, g, d, box)
            gradient = as_vector("gradient", gradient, x.shape)
            product += (gradient - g.astype(np.float64)) / h
        return np.where(free, product, 0.0).astype(x.dtype)

    def _gradients_at(self, points: list[np.ndarray]) -> list[Any] | None:
        """The gradients at points, where workers evaluate several beside each other; else None."""
        if self._calls is None or not self.gives_gradient or len(points) == 1:
            return None
        self.counts.njev += len(points)
        self.counts.nfev += len(points) if self.joint else 0
        returned = self._calls.values(points, lambda: True, lambda _: None)
        return [value[1] for value in returned] if self.joint else returned

    def _length(self, x: Any, d: Any) -> float:
        """The h of `_difference`: h |d| in proportion to |x|, or to given steps."""
        steps, by_abs = self._rel_step, self._abs_step
        if not self.gives_gradient:  # a gradient of less precision asks for a longer step
            relative = self.precision ** (1.0 / 3.0)
            if self._noisy is not None and np.isfinite(self._noisy.widths).all():
                relative = 2.0 * float(self._noisy.widths.mean())
            if steps is not None and self._scheme != "3-point":
                steps = steps ** (2.0 / 3.0)
        else:
            relative = math.sqrt(self._g_precision)
        if by_abs is not None and by_abs.ndim:
            widths = by_abs * self.precision ** (1.0 / 3.0 - 0.5)
        elif steps is not None and steps.ndim:
            size = np.maximum(np.abs(x), np.abs(self._x0))
            widths = steps * np.where(size > 0.0, size, 1.0)
        else:
            scale = max(norm2(x), norm2(self._x0)) or 1.0
            return float((relative if steps is None else steps) * scale / norm2(d))
        return math.sqrt(self.n) / float(np.linalg.norm(d / widths))


def as_pair(value: Any) -> tuple[Any, Any]:
    """f and the gradient from what `fun` returned where `jac` is True."""
    try:
        f, g = value
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`fun` must return (f, gradient) where `jac` is True, got {value!r}"
        ) from error
    return f, g


def as_value(value: Any) -> float:
    """A float from what `fun` returned: a number or an array of one."""
    if type(value) is float:
        return value
    if hasattr(value, "detach"):  # a tensor of PyTorch, with the graph that made it
        value = value.detach()
    try:
        if is_tensor(value):  # it may be on a device that NumPy cannot read
            return float(value.item())
        return float(np.asarray(value).item())
    except (TypeError, ValueError, RuntimeError) as error:
        hint = ""
        if value is None:
            hint = ": is there a `return` at its end?"
        elif isinstance(value, tuple) and len(value) == 2:
            hint = "; if it returns (f, gradient), pass `jac=True`"
        raise ValueError(
            f"The user-provided objective function must return a scalar value, got {value!r}{hint}"
        ) from error


def as_vector(name: str, value: Any, shape: tuple[int]) -> np.ndarray:
    """An array of shape (n,) from what a function returned: n numbers in a row or a column."""
    if hasattr(value, "detach"):
        value = value.detach()
    v = np.asarray(value)
    if v.shape != shape:
        (n,) = shape
        if v.size != n or max(v.shape, default=1) != n:
            raise ValueError(f"the {name} must have shape {shape}, got {v.shape}")
        v = v.reshape(shape)
    return v


def as_matrix(value: Any, n: int) -> Any:
    """The matrix of shape (n, n) that `hess` returned; for n = 1 a number is one too."""
    matrix = value if _is_matrix(value) or is_tensor(value) else np.asarray(value)
    if n == 1 and matrix.shape in ((), (1,)):
        matrix = np.reshape(matrix, (1, 1))
    if matrix.shape != (n, n):
        raise ValueError(f"the Hessian must have shape {(n, n)}, got {matrix.shape}")
    return matrix


def as_dense(matrix: Any) -> np.ndarray:
    """An array of shape (n, n) from what `as_matrix` gives."""
    if issparse(matrix):
        return np.asarray(matrix.toarray())
    return np.asarray(matrix @ np.eye(matrix.shape[1]) if _is_operator(matrix) else matrix)


def precision(value: Any) -> float:
    """Relative precision of a number or an array by its dtype."""
    if type(value) in (float, np.float64):
        return _DOUBLE
    dtype = getattr(value, "dtype", None)
    return _precision_of(np.asarray(value).dtype if dtype is None else dtype)


@functools.lru_cache(maxsize=64)
def _precision_of(dtype: Any) -> float:
    name = getattr(dtype, "name", None) or str(dtype)  # of NumPy; of others, such as torch.float32
    return _PRECISION.get(name.rpartition(".")[2], _DOUBLE)


def _is_strategy(hess: Any) -> bool:
    return isinstance(hess, HessianUpdateStrategy)


def _is_operator(hess: Any) -> bool:
    return isinstance(hess, LinearOperator)


def _is_matrix(hess: Any) -> bool:
    return isinstance(hess, np.ndarray) or _is_operator(hess) or issparse(hess)
