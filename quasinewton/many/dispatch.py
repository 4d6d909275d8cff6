"""Which starts go where, when, and what becomes of those whose worker was lost."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import partial
from typing import Any

import numpy as np

from ..workers import Pool, is_loss
from .batch import Batch
from .tasks import Piece, Stop, Stopped, Task

__all__ = ["Dispatch", "in_order", "mapped"]

#: About how long a piece is to take where solves are fast: long beside sending it to a machine.
_PIECE_SECONDS = 0.2
#: By how much more starts the next piece may have: the first may have waited for a compiler.
_GROWTH = 8
#: A function like `map` says nothing of time: it gets about so many pieces.
_MAPPED_PIECES = 256
#: So many losses in a row, with nothing found in between, are no fault of single starts.
_MOST_LOSSES = 5


class _Sizes:
    """How many starts the next piece has."""

    def __init__(self, first: int = 1) -> None:
        self._size = first

    def next(self, remaining: int, workers: int) -> int:
        # towards the end smaller, so that all end at a time, but still long beside being sent
        return max(1, self._size // 10, min(self._size, math.ceil(remaining / (2 * workers))))

    def took(self, starts: int, seconds: float) -> None:
        """Learn how long a piece has taken."""
        best = int(min(1e9, _PIECE_SECONDS * starts / max(seconds, 1e-9)))
        self._size = max(1, min(best, _GROWTH * max(starts, self._size)))


def in_order(task: Task, batch: Batch, stop: Stop) -> None:
    """Solve in this thread, start by start, or all in step."""
    todo = batch.todo
    for piece in [todo] if task.batched else [todo[i : i + 1] for i in range(len(todo))]:
        if len(piece):
            _take(batch, piece, task(batch.starts[piece], stop))


def mapped(task: Task, batch: Batch, function: Any, stop: Stop) -> list[int]:
    """Solve by a function like `map`.

    What `fun` raises is in the pieces. If the function itself raises, as some do if a process of
    theirs is killed, what has not come back is tried again, first together, then in halves, down to
    the starts that raise alone.

    Returns
    -------
    list of int
        The starts that were given up.

    Raises
    ------
    Exception
        What the function raises, where it fails with anything, or nothing has ever come back.
    """
    lost: list[int] = []
    groups = [(batch.todo, False)]
    call = partial(task, stop=stop)
    came, in_a_row = False, 0
    failure: Exception | None = None
    while groups:
        indices, again = groups.pop()
        before = batch.done
        error = _mapped_once(call, batch, function, indices)
        if batch.done > before:
            came, in_a_row = True, 0
        if error is None:
            continue
        rest = indices[np.isin(indices, batch.todo)]
        half = len(rest) // 2
        if not again:
            groups.append((rest, True))
        elif half:
            groups += [(rest[half:], True), (rest[:half], True)]
        else:
            in_a_row += 1
            if in_a_row > _MOST_LOSSES or not _works(function):
                raise error
            lost += rest.tolist()
            failure = error
    if failure is not None and not came:
        raise failure
    return lost


def _mapped_once(
    call: partial[Piece], batch: Batch, function: Any, indices: np.ndarray
) -> Exception | None:
    """Solve from some starts; what the function like `map` raises."""
    size = max(1, math.ceil(len(indices) / _MAPPED_PIECES))
    pieces = [indices[i : i + size] for i in range(0, len(indices), size)]
    error: BaseException | None = None
    try:
        found = function(call, [batch.starts[piece] for piece in pieces])
        parts = iter(found)
    except Exception as raised:
        return raised
    try:
        for piece in pieces:
            try:
                part = next(parts)
            except StopIteration:
                raise ValueError(
                    "`workers`, a function like `map`, must return as many results as it is given "
                    "items"
                ) from None
            except Exception as raised:
                if error is None:
                    return raised
                break
            ended = isinstance(part.error, Stopped)  # by a start whose error comes too
            batch.put(piece, part, ended)
            error = error or (None if ended else part.error)
            if error is not None and not isinstance(found, list | tuple):
                break  # a list has all of them, and they are not to be lost
    finally:
        if hasattr(parts, "close"):  # what an executor has not begun
            parts.close()
    if error is not None:
        raise error
    return None


def _works(function: Any) -> bool:
    """Whether a function like `map` can still call anything."""
    try:
        return list(function(abs, [-1])) == [1]
    except Exception:
        return False


def _take(batch: Batch, piece: np.ndarray, found: Piece) -> None:
    batch.put(piece, found)
    if found.error is not None:
        raise found.error


class Dispatch:
    """Solve by an executor.

    A process that dies takes its pieces with it, and breaks most executors: these are replaced,
    and the starts that were under way are solved again, singly. Whoever is lost a second time
    waits till nothing else runs, since it may have been another that broke the executor; one that
    is lost alone is given up.

    Parameters
    ----------
    pool : Pool
    task : Task
    batch : Batch
    stop : Stop

    Attributes
    ----------
    lost : list of int
        The starts that were given up.
    """

    def __init__(self, pool: Pool, task: Task, batch: Batch, stop: Stop) -> None:
        self._pool, self._task, self._batch, self._stop = pool, task, batch, stop
        self._fresh = batch.todo
        self._again: deque[int] = deque()
        self._alone: deque[int] = deque()
        self._flying: dict[Future[Any], np.ndarray] = {}
        self._losses: dict[int, int] = {}
        self._in_a_row = 0
        self.lost: list[int] = []

    def run(self, whole: bool = False) -> None:
        """Solve from all starts, `whole` in as few pieces as there are workers."""
        size = self._pool.size
        sizes = _Sizes(len(self._fresh)) if whole or self._task.batched else _Sizes()
        fixed = math.ceil(len(self._fresh) / size) if whole or self._task.batched else 0
        extra = (self._stop,) if self._pool.shares_memory else ()
        try:
            while True:
                broken = None
                while len(self._flying) < 2 * size:
                    piece = self._next(fixed or sizes.next(len(self._fresh), size))
                    if piece is None:
                        break
                    try:
                        future = self._pool.submit(
                            self._task, self._batch.starts[piece], *extra
                        )
                    except BrokenExecutor as raised:
                        broken = raised
                        self._again.extendleft(piece[::-1].tolist())  # not to blame
                        break
                    self._flying[future] = piece
                if broken is not None:
                    self._replace(broken)
                    continue
                if not self._flying:
                    return
                done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                for future in done:
                    error = future.exception()
                    if error is None:
                        self._in_a_row = 0
                        found: Piece = future.result()
                        if isinstance(found.error, Stopped):  # whose error ended it, comes too
                            self._batch.put(self._flying.pop(future), found, ended=True)
                            continue
                        indices = self._flying.pop(future)
                        _take(self._batch, indices, found)
                        sizes.took(len(indices), found.seconds)
                    elif not is_loss(error):
                        raise error
                    elif isinstance(error, BrokenExecutor):
                        self._replace(error)
                        break
                    else:  # of dask, which has tried several workers and says whose fault it was
                        self._lose(self._flying.pop(future), True)
        except BaseException:
            self._end()
            raise

    def _next(self, size: int) -> np.ndarray | None:
        """The next starts; None while nothing more may run beside what does."""
        flying = list(self._flying.values())
        if any(len(piece) == 1 and self._losses.get(int(piece[0]), 0) > 1 for piece in flying):
            return None
        if self._again:
            return np.array([self._again.popleft()])
        if len(self._fresh):
            piece, self._fresh = self._fresh[:size], self._fresh[size:]
            return piece
        if self._alone and not flying:
            return np.array([self._alone.popleft()])
        return None

    def _replace(self, error: BaseException) -> None:
        """Go on with a new executor."""
        flying, self._flying = self._flying, {}
        wait(flying)  # a broken one has ended them all
        alone = len(flying) == 1
        lost = []
        for future, piece in flying.items():
            if future.cancelled() or future.exception() is not None:
                lost.append(piece)
            else:
                self._in_a_row = 0
                _take(self._batch, piece, future.result())
        self._in_a_row += 1
        for piece in lost:
            self._lose(piece, alone)
        if self._in_a_row > _MOST_LOSSES:
            raise error
        if not self._pool.replace():
            raise error

    def _lose(self, piece: np.ndarray, certain: bool) -> None:
        """Have starts solved again; `certain`: nothing else can have ended their worker."""
        for i in map(int, piece):
            self._losses[i] = self._losses.get(i, 0) + 1
            if self._losses[i] == 1:
                self._again.append(i)
            elif certain and len(piece) == 1:
                self.lost.append(i)
            else:
                self._alone.append(i)

    def _end(self) -> None:
        """End all that has not begun; what threads have found so far is taken."""
        self._stop.stop()
        for future in self._flying:
            future.cancel()
        if not self._pool.shares_memory:
            return  # nothing reaches them; they end by themselves
        wait(self._flying)
        for future, piece in self._flying.items():
            if not future.cancelled() and future.exception() is None:
                self._batch.put(piece, future.result(), ended=True)
