"""The solves from some of many starts, wherever that is done."""

from __future__ import annotations

import copy
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..methods import QUASI_NEWTON
from ..minimize import attached, forget, minimize
from ..options import Options
from ..solver import Solver
from ..status import Status
from .in_step import solve_in_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..box import Box

__all__ = ["Piece", "Stop", "Stopped", "Task"]


class Stopped(BaseException):
    """Another start has ended them all."""


class Stop:
    """What tells the threads of a batch to end, in Python and in machine code.

    Sent to another process, which it does not reach, it is one of that process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[np.ndarray] = []
        self.stopped = False

    def __reduce__(self) -> Any:
        return Stop, ()

    def stop(self) -> None:
        """Have every thread end."""
        with self._lock:
            self.stopped = True
            for limits in self._limits:
                limits["stopped"] = 1.0

    def check(self, _: Any = None) -> None:
        """Raise where the threads are to end."""
        if self.stopped:
            raise Stopped

    def checking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is called no more once the threads are to end."""

        def checked(*args: Any) -> Any:
            self.check()
            return function(*args)

        return checked

    @contextmanager
    def watching(self, limits: np.ndarray) -> Iterator[None]:
        """Have `stop` end the machine code that has these limits."""
        with self._lock:
            if self.stopped:
                limits["stopped"] = 1.0
            self._limits.append(limits)
        try:
            yield
        finally:
            with self._lock:
                self._limits = [other for other in self._limits if other is not limits]


class Piece:
    """What was found from some of the starts.

    Attributes
    ----------
    x, jac : arrays, shape (k, n)
    fun, status : arrays, shape (k,)
        Status EXCEPTION where a solve has not ended.
    counts : array of int, shape (k, 3)
        nfev, njev and nit.
    error : BaseException or None
        What ended the piece.
    seconds : float
    """

    def __init__(self, starts: np.ndarray) -> None:
        k = len(starts)
        self.x = np.array(starts, order="C")
        self.jac = np.full_like(self.x, np.nan)
        self.fun = np.full(k, np.nan)
        self.status = np.full(k, int(Status.EXCEPTION), np.int64)  # until it is known better
        self.counts = np.zeros((k, 3), np.int64)
        self.error: BaseException | None = None
        self.seconds = 0.0

    def keep(self, i: int, result: OptimizeResult) -> None:
        """Take the result of one solve."""
        self.x[i], self.fun[i], self.jac[i] = result.x, result.fun, result.jac
        self.status[i] = result.status
        self.counts[i] = result.nfev, result.njev, result.nit


@dataclass
class Task:
    """Solves from the rows of an array; it can be sent to another process.

    Attributes
    ----------
    fun, jac, method
        As in `minimize_many`.
    options : Options
        Without what is of one process.
    box : Box or None
    batched : bool
    guarded : bool
        Whether functions of Python are kept from being called once the batch is to end.
    process : int
        That of the batch.
    """

    fun: Callable[..., Any]
    jac: Any
    method: str
    options: Options
    box: Box | None
    batched: bool
    guarded: bool
    process: int

    def __call__(self, starts: np.ndarray, stop: Stop | None = None) -> Piece:
        """Solve from each row; what is raised is in the piece."""
        piece = Piece(starts)
        began = time.perf_counter()
        try:
            if self.batched:
                self._in_step(piece, stop or Stop())
            else:
                self._solve(piece, stop or Stop())
        except BaseException as error:
            if stop is not None:  # before this thread takes another piece
                stop.stop()
            piece.error = error
            if os.getpid() != self.process:
                piece.error = _sendable(error)
        piece.seconds = time.perf_counter() - began
        return piece

    def _solve(self, piece: Piece, stop: Stop) -> None:
        from ..solver.compiled import Evaluation, many_limits, solve_many

        options, box = self.options, self.box
        evaluation = Evaluation.of(self.fun, self.jac, piece.x.dtype)
        looked_at = (
            options.check_curvature or options.check_derivatives or options.model is not None
            or options.noise == "estimate"
        )
        if evaluation is None or looked_at:
            self._one_by_one(piece, stop, evaluation is not None)
            return
        limits = many_limits(evaluation, piece.x, options, 1)
        with stop.watching(limits):
            piece.x, piece.jac, ends, error = solve_many(
                evaluation, piece.x, QUASI_NEWTON[self.method], options, limits,
                *(() if box is None else (box,)),
            )  # fmt: skip
        piece.fun, piece.status = ends["f"].copy(), ends["status"].astype(np.int64)
        for column, name in enumerate(("nfev", "njev", "nit")):
            piece.counts[:, column] = ends[name]
        if error is not None:
            raise error

    def _bounds(self) -> list[Any] | None:
        box = self.box
        return None if box is None else list(zip(box.lower, box.upper, strict=True))

    def _in_step(self, piece: Piece, stop: Stop) -> None:
        solvers = [
            Solver(start, self.method, self.options, self._bounds()) for start in piece.x
        ]
        try:
            solve_in_step(self.fun, self.jac, solvers, stop.check)
        finally:
            for i, solver in enumerate(solvers):
                if solver.counts.nfev:
                    piece.keep(i, solver.result())
                piece.status[i] = Status.EXCEPTION if solver.running else solver.status

    def _one_by_one(self, piece: Piece, stop: Stop, compiled: bool) -> None:
        fun, jac, callback = self.fun, self.jac, None
        if compiled:
            callback = stop.check
        elif self.guarded:
            fun, jac = stop.checking(fun), stop.checking(jac) if callable(jac) else jac
        for i, start in enumerate(piece.x.copy()):
            try:
                result = minimize(
                    fun, start, jac=jac, method=self.method, options=_as_given(self.options),
                    callback=callback, bounds=self._bounds(),
                )  # fmt: skip
            except BaseException as error:
                partial = attached(error)
                if partial is not None:
                    piece.keep(i, partial)
                raise
            piece.keep(i, result)


def _as_given(options: Options) -> Mapping[str, Any]:
    """Options that were checked as a mapping: what was warned of once is not warned of again."""
    return {**options.state(), "model": options.model}


def _sendable(error: BaseException) -> BaseException:
    """An exception that gets through to another process, with a note of where it was raised."""
    text = "".join(traceback.format_exception(error))
    forget(error)  # a result, which the piece holds
    try:  # copied by the means by which it is sent
        copy.deepcopy(error)
        sendable = "<locals>" not in type(error).__qualname__
    except Exception:
        sendable = False
    if not sendable:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"raised in another process:\n{text}")
    return error
