"""What was found from many starts: the arrays of a result, the file they are saved in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..box import Box
from ..display.progress_bar import progress
from ..options import Options
from ..solver import checkpoint
from ..status import Status
from .tasks import Piece

__all__ = ["Batch", "CallbackStopped"]

_EXCEPTION = int(Status.EXCEPTION)
#: A file is written at most so often, and for at most this share of the time.
_SECONDS, _SHARE = 1.0, 0.05


class CallbackStopped(Exception):
    """The callback wants no more."""


class Batch:
    """The solves from many starts, and how far they are.

    Parameters
    ----------
    starts : array, shape (k, n)
        float32 or float64.
    box : Box or None
    method : str
    options : Options
        These and the starts are what a file must agree with.
    path : path or None
        The file that what has ended is saved in, and read from if it is there.
    callback : callable or None
        Called with what is known after each piece.
    """

    def __init__(
        self,
        starts: np.ndarray,
        box: Box | None,
        method: str,
        options: Options,
        path: str | os.PathLike[str] | None,
        callback: Callable[..., Any] | None,
    ) -> None:
        self.starts, self.box = starts, box
        self.found = Piece(starts)
        self._method, self._options = method, options
        self._callback = callback
        self._began = time.perf_counter()
        self._place: checkpoint.Place | None = None
        self._due = 0.0
        if path is not None:
            path = os.path.abspath(os.fspath(path))
            if os.path.exists(path):
                self._read(path)
            self._place = checkpoint.Place(path)

    def __enter__(self) -> Batch:
        if self._place is not None:
            self._place.__enter__()
            self._write()  # tells, before any work, whether that can be done
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            if isinstance(self._callback, progress) and raised[0] is not None:
                self._callback.end(lambda: self._intermediate(Status.EXCEPTION))
        finally:
            if self._place is not None:
                try:
                    self._write()
                finally:
                    self._place.__exit__(*raised)

    @property
    def todo(self) -> np.ndarray:
        """The starts that have not ended, by number."""
        return np.flatnonzero(self.found.status == _EXCEPTION)

    @property
    def done(self) -> int:
        """How many have ended."""
        return len(self.starts) - len(self.todo)

    def put(self, indices: np.ndarray, piece: Piece, ended: bool = False) -> None:
        """Take what was found from some starts; `ended`: the callback is to be told no more.

        Raises
        ------
        CallbackStopped
            If the callback raises StopIteration.
        """
        found = self.found
        for name in ("x", "jac", "fun", "status", "counts"):
            getattr(found, name)[indices] = getattr(piece, name)
        if ended or piece.error is not None:
            return
        if self._place is not None and time.perf_counter() >= self._due:
            self._write()
        if self._callback is not None:
            all_done = not (found.status == _EXCEPTION).any()
            try:
                self._callback(
                    self._intermediate(Status.CONVERGED if all_done else Status.RUNNING)
                )
            except StopIteration as raised:
                raise CallbackStopped from raised

    def stopped(self) -> None:
        """Say of the starts that have not ended that the callback has ended them."""
        self.found.status[self.todo] = int(Status.CALLBACK)

    def _intermediate(self, status: Status) -> OptimizeResult:
        k, done = len(self.starts), self.done
        finite = np.where(np.isfinite(self.found.fun), self.found.fun, np.inf)
        i = int(np.argmin(finite))
        g = self.found.jac[i : i + 1]
        if self.box is not None:
            g = self.box.residual(self.found.x[i : i + 1], g)
        nfev, njev, nit = map(int, self.found.counts.sum(axis=0))
        return OptimizeResult(
            x=self.found.x[i].copy(), fun=float(self.found.fun[i]), jac=self.found.jac[i].copy(),
            optimality=float(np.abs(g).max()), nit=nit, nfev=nfev, njev=njev, status=status,
            done=done, starts=k, budget=done / k,
        )  # fmt: skip

    def result(self) -> OptimizeResult:
        """What `minimize_many` returns."""
        found, gradients, more = self.found, self.found.jac, {}
        if self.box is not None:
            gradients = self.box.residual(found.x, found.jac)
            more["active"] = self.box.active(found.x)
        return OptimizeResult(
            x=found.x,
            fun=found.fun,
            jac=found.jac,
            optimality=np.max(np.abs(gradients), axis=1),
            status=found.status,
            success=found.status == int(Status.CONVERGED),
            nfev=found.counts[:, 0],
            njev=found.counts[:, 1],
            nit=found.counts[:, 2],
            execution_time=time.perf_counter() - self._began,
            **more,
        )

    def _write(self) -> None:
        assert self._place is not None
        began = time.perf_counter()
        found = self.found
        ended = found.status != _EXCEPTION
        state: dict[str, Any] = {
            "many": 1, "method": self._method, "options": self._options.state(),
            "starts": self.starts, "ended": np.flatnonzero(ended),
            "x": found.x[ended], "jac": found.jac[ended], "fun": found.fun[ended],
            "ends": found.status[ended], "counts": found.counts[ended],
        }  # fmt: skip
        if self.box is not None:
            state["lower"], state["upper"] = self.box.lower, self.box.upper
        self._place.write(state)
        now = time.perf_counter()
        self._due = now + max(_SECONDS, (now - began) / _SHARE)

    def _read(self, path: str) -> None:
        """Take what an earlier batch of the same starts has saved."""
        state = checkpoint.read(path)
        if state.get("many") != 1:
            raise checkpoint.CheckpointError(f"{path} was not written by `minimize_many`")
        if not np.array_equal(state.get("starts", np.zeros(0)), self.starts, equal_nan=True) or (
            state["starts"].dtype != self.starts.dtype
        ):
            raise ValueError(f"`X0` are not the starts of the batch in {path}")
        box = Box(state["lower"], state["upper"]) if "lower" in state else None
        if box is not self.box and (box is None or not box.equals(self.box)):
            raise ValueError(f"`bounds` are not those of the batch in {path}")
        if state.get("method") != self._method:
            raise ValueError(
                f"`method` is {self._method!r}, {path} is a batch of {state.get('method')!r}"
            )
        before = Options.parse(state.get("options")).state()
        for name, value in self._options.state().items():
            if value != before[name]:
                raise ValueError(
                    f"option `{name}` is {value!r}, the batch in {path} has {before[name]!r}"
                )
        ended = state.get("ended")
        k, found = len(self.starts), self.found
        if not (
            isinstance(ended, np.ndarray) and ended.dtype.kind == "i" and ended.ndim == 1
            and np.all((ended >= 0) & (ended < k))
        ):  # fmt: skip
            raise checkpoint.CheckpointError(f"{path}: `ended` does not fit")
        names = {"x": "x", "jac": "jac", "fun": "fun", "status": "ends", "counts": "counts"}
        for name, saved in names.items():
            array, value = getattr(found, name), state.get(saved)
            if not (
                isinstance(value, np.ndarray) and value.dtype == array.dtype
                and value.shape == (len(ended), *array.shape[1:])
            ):  # fmt: skip
                raise checkpoint.CheckpointError(f"{path}: `{saved}` does not fit")
            array[ended] = value
        if not set(np.unique(found.status)) <= set(map(int, Status)):
            raise checkpoint.CheckpointError(f"{path}: `ends` does not fit")
