"""The one loop: a solver that is asked for points and told what was found there."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import OptimizeResult

from .globalization import RuleParameters
from .methods import METHODS, build
from .options import Options
from .progress_table import ProgressTable
from .status import MESSAGES, Status
from .stopping import limits, start, stop

if TYPE_CHECKING:
    from .methods.compiled import Evaluation

__all__ = ["Counts", "Solver"]


class Counts:
    """Evaluations of the objective, the gradient, and Hessians or their products."""

    __slots__ = ("nfev", "nhev", "njev")

    def __init__(self) -> None:
        self.nfev = self.njev = self.nhev = 0


class Solver:
    """Minimise a function that someone else evaluates.

    Parameters
    ----------
    x0 : array_like, shape (n,)
        First point. float32 stays float32; any other real dtype becomes float64.
    method : str
        A name in `quasinewton.methods.METHODS`.
    options : Options or mapping, optional
        See `quasinewton.options.Options`.
    counts : Counts, optional
        Where the evaluations are counted by someone else; else they are counted here.

    Attributes
    ----------
    status : Status
        `Status.RUNNING` until the run has ended.
    nit : int
        Trial steps judged so far.

    Examples
    --------
    >>> import numpy as np
    >>> from quasinewton import Solver
    >>> solver = Solver([3.0, -1.0], method="arc_lsr1")
    >>> while solver.running:
    ...     x = solver.ask()
    ...     solver.tell(float(x @ x), 2 * x)
    >>> solver.result().success
    True
    """

    def __init__(
        self,
        x0: Any,
        method: str = "arc_lsr1",
        options: Options | dict[str, Any] | None = None,
        counts: Counts | None = None,
    ) -> None:
        if method not in METHODS:
            raise ValueError(f"unknown method {method!r}; expected one of {', '.join(METHODS)}")
        self.method = method
        self.options = options if isinstance(options, Options) else Options.parse(options)
        self.x0 = as_start(x0)
        RuleParameters(**self.options.rule_parameters)  # a wrong name is an error before any work
        self.n = self.x0.size
        self.counts = Counts() if counts is None else counts
        self._counting = counts is None
        self.status = Status.RUNNING
        self.nit = 0
        self._method: Any = None
        self._accepted = 0
        self._f0 = math.nan
        self._g0: np.ndarray | None = None
        self._started_at = time.perf_counter()
        self._elapsed = 0.0
        self._limits = np.empty(0)
        self._table = ProgressTable(self.options)
        self._history: dict[str, list[float]] | None = (
            {key: [] for key in HISTORY} if self.options.history else None
        )
        self._allvecs = [self.x0.copy()] if self.options.return_all else None

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        return self.status is Status.RUNNING

    @property
    def version(self) -> int:
        """Number of accepted steps: changes whenever `x` does."""
        return self._accepted

    def intermediate(self) -> OptimizeResult:
        """What a callback gets: x (a copy), fun, jac (a copy), nit and the counts."""
        assert self.g is not None
        return OptimizeResult(
            x=self.x.copy(),
            fun=self.f,
            jac=self.g.copy(),
            nit=self.nit,
            nfev=self.counts.nfev,
            njev=self.counts.njev,
            nhev=self.counts.nhev,
        )

    @property
    def direction(self) -> np.ndarray | None:
        """Where not None, the solver waits for `tell_product`, not for `tell`."""
        return None if self._method is None else self._method.direction

    @property
    def x(self) -> np.ndarray:
        """The current point (not a copy)."""
        return self.x0 if self._method is None else self._method.x

    @property
    def f(self) -> float:
        """The objective at `x`."""
        return self._f0 if self._method is None else self._method.f

    @property
    def g(self) -> np.ndarray | None:
        """The gradient at `x` (not a copy)."""
        return self._g0 if self._method is None else self._method.g

    def ask(self) -> np.ndarray:
        """The point to evaluate next; a copy that the caller may keep or change."""
        if self._method is None:
            return self.x0.copy()
        trial: np.ndarray = self._method.trial
        return trial.copy()

    def tell(self, f: float, g: np.ndarray | Callable[[], np.ndarray] | None) -> None:
        """Take the objective and the gradient at the point of `ask`.

        Parameters
        ----------
        f : float
            NaN and infinity are allowed: the trial is rejected.
        g : array, shape (n,), or callable
            The gradient; a callable is called only if the gradient is needed.
        """
        if self._counting:
            self.counts.nfev += 1
        method = self._method
        if method is None:
            self._start(f, g)
            return
        if g is not None and callable(g):
            g = g() if method.needs_gradient(f) else None
        if g is not None:
            if self._counting:
                self.counts.njev += 1
            g = self._gradient(g)
        step = method.step_norm
        weight = method.weight
        before = method.f
        method.receive(f, g)
        self.nit += 1
        self._note(step, weight)
        self._check(before, step, f)
        if self._table.verbose:
            self._table.row(self, step, method.rho, weight)

    def iterate(self, evaluation: Evaluation) -> None:
        """Iterations in machine code: one where each is to be seen or timed, else a hundred.

        Parameters
        ----------
        evaluation : quasinewton.methods.compiled.Evaluation
            The objective. The solver must have been told f and g at x0.
        """
        watched = (
            self._history is not None or self._allvecs is not None or self._table.verbose
            or self.options.maxtime < math.inf
        )  # fmt: skip
        method, counts = self._method, self.counts
        step, weight = method.step_norm, method.weight
        numbers = np.array([counts.nfev, counts.njev, self.nit])
        try:
            status = method.iterate(evaluation, 1 if watched else 100, self._limits, numbers)
        finally:  # the objective may raise
            counts.nfev, counts.njev, self.nit = numbers.tolist()
        if watched:
            self._note(step, weight)
        self.status = Status(status)
        if self.running:
            self._spent()
        if self._table.verbose:
            self._table.row(self, step, method.rho, weight)

    def tell_product(self, hd: np.ndarray) -> None:
        """Take the product of the Hessian at `x` with `direction`."""
        if self._counting:
            self.counts.nhev += 1
        hd = np.asarray(hd)
        if hd.shape != self.x0.shape:
            raise ValueError(
                f"the Hessian product must have shape {self.x0.shape}, got {hd.shape}"
            )
        self._method.receive_product(hd)
        if self._spent():
            return
        if self._method.direction is None and self._method.stalled:
            self.status = Status.PRECISION

    def renew(self, f: float, g: np.ndarray) -> None:
        """Go on from `x` with another objective, as the next batch of a finite sum is one.

        The pairs, the cubic weight and the bound on the step stay; a run that had ended goes on.

        Parameters
        ----------
        f : float
        g : array, shape (n,)
            The new objective and its gradient at `x`, finite.

        Raises
        ------
        ValueError
            Before the first `tell`, and for values that are not finite.
        """
        if self._method is None:
            raise ValueError("`renew` needs a solver that was told f and g at x0")
        g = self._gradient(g)
        if not (math.isfinite(f) and np.isfinite(g).all()):
            raise ValueError(f"f and g must be finite, got f = {f!r}")
        if self._counting:
            self.counts.nfev += 1
            self.counts.njev += 1
        self._method.renew(float(f), g)
        self.status = Status.RUNNING
        self._check(math.inf, math.inf, float(f))

    def stop(self, status: Status) -> None:
        """End the run from outside."""
        self.status = status

    def result(self) -> OptimizeResult:
        """The best point so far and how it was reached."""
        status = self.status
        method = self._method
        elapsed = time.perf_counter() - self._started_at
        x, f, g = self.x, self.f, self.g
        if method is not None and status is not Status.CONVERGED:
            x, f, g = method.best
        result = OptimizeResult(
            x=x.copy(),
            fun=f,
            jac=np.full_like(self.x0, np.nan) if g is None else g.copy(),
            success=status is Status.CONVERGED,
            status=int(status),
            message=MESSAGES[status],
            nit=self.nit,
            nfev=self.counts.nfev,
            njev=self.counts.njev,
            nhev=self.counts.nhev,
            optimality=math.nan if g is None else float(np.max(np.abs(g))),
            execution_time=elapsed,
            method=self.method,
        )
        if hasattr(method, "current_model"):
            from .models.strategy import ModelOperator

            model = method.current_model()
            # A run that goes on goes on changing its model.
            result.hess = ModelOperator(copy.deepcopy(model) if self.running else model)
        if self._history is not None:
            result.history = {key: np.array(v) for key, v in self._history.items()}
        if self._allvecs is not None:
            result.allvecs = self._allvecs
        return result

    def finish(self) -> OptimizeResult:
        """`result`, and the closing lines that `disp` and `verbose` ask for."""
        result = self.result()
        self._table.close(result)
        return result

    def _gradient(self, g: Any) -> np.ndarray:
        g = np.asarray(g)
        if g.shape != self.x0.shape:
            raise ValueError(f"the gradient must have shape {self.x0.shape}, got {g.shape}")
        if g.dtype != self.x0.dtype or not g.flags.c_contiguous:
            if np.iscomplexobj(g):
                raise TypeError("the gradient must be real, got a complex array")
            g = np.ascontiguousarray(g, self.x0.dtype)
        gradient: np.ndarray = g
        return gradient

    def _start(self, f: float, g: Any) -> None:
        self._f0 = float(f)
        finite = math.isfinite(self._f0)
        if g is not None and callable(g):
            g = g() if finite else None
        if g is not None:
            if self._counting:
                self.counts.njev += 1
            g = self._gradient(g)
            self._g0 = g.copy()
        if g is None or not finite or not np.isfinite(g).all():
            self.status = Status.NONFINITE_START
            return
        self._method = build(self.method)(self.x0, self._f0, g, self.options)
        self._g0 = None  # the method holds the gradient from now on
        self._limits = limits(self.options, self.n)
        start(self._limits, self._f0, self._method.optimality)
        if self._history is not None:
            self._record(0.0, math.nan, math.nan)
        self._check(math.inf, math.inf, self._f0)
        if self._table.verbose:
            self._table.row(self, math.nan, math.nan, math.nan)

    def _check(self, before: float, step: float, f: float) -> None:
        """Whether to stop, after an iteration."""
        method = self._method
        stalled = method.direction is None and method.stalled
        status = stop(
            self._limits, method.x, method.f, f, before, step, method.optimality, method.accepted,
            stalled, self.nit, self.counts.nfev,
        )  # fmt: skip
        self.status = Status(status)
        if self.running:
            self._spent()

    def _spent(self) -> bool:
        """Whether the evaluations or the time have run out; the status then says so."""
        options = self.options
        if options.maxfev is not None and self.counts.nfev >= options.maxfev:
            self.status = Status.MAXFEV
        elif (
            options.maxtime < math.inf
            and time.perf_counter() - self._started_at >= options.maxtime
        ):
            self.status = Status.MAXTIME
        return not self.running

    def _note(self, step: float, weight: float) -> None:
        """Record the iteration just ended."""
        method = self._method
        if method.accepted:
            self._accepted += 1
        if self._history is not None:
            self._record(step, method.rho, weight)
        if self._allvecs is not None and method.accepted:
            self._allvecs.append(method.x.copy())

    def _record(self, step: float, rho: float, weight: float) -> None:
        assert self._history is not None
        row = (
            self._method.f, self._method.optimality, step, rho, weight, self._method.accepted,
            self.counts.nfev, self.counts.njev, self.counts.nhev,
            time.perf_counter() - self._started_at,
        )  # fmt: skip
        for key, value in zip(HISTORY, row, strict=True):
            self._history[key].append(value)


#: What `history` records after each iteration.
HISTORY = (
    "fun", "optimality", "step", "rho", "weight", "accepted", "nfev", "njev", "nhev", "time",
)  # fmt: skip


def as_start(x0: Any) -> np.ndarray:
    """`x0` as a fresh float32 or float64 vector.

    Raises
    ------
    TypeError, ValueError
        For values that are not real numbers, more than one dimension, or no elements.
    """
    try:
        x = np.atleast_1d(np.asarray(x0))
    except ValueError as error:
        raise ValueError(f"`x0` must be a vector of real numbers, got {x0!r}") from error
    if x.dtype.kind == "c":
        raise TypeError("`x0` must be real, got a complex array")
    if x.dtype.kind not in "biuf":
        raise TypeError(f"`x0` must hold real numbers, got an array of dtype {x.dtype}")
    if x.ndim != 1:
        raise ValueError(f"'x0' must only have one dimension, got shape {x.shape}")
    if x.size == 0:
        raise ValueError("`x0` must have at least one element, got none")
    return np.array(x, np.float32 if x.dtype == np.float32 else np.float64, order="C")
