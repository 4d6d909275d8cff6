"""Where functions are called beside the program: threads, processes, other machines."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import numbers
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from typing import Any

__all__ = ["Calls", "Pool", "as_workers", "is_loss"]

#: About how long a task is to be where functions are fast: long beside sending it.
_TASK_SECONDS = 0.01


def as_workers(name: str, value: Any) -> Any:
    """A number of workers, an executor or a map-like callable, as given.

    Parameters
    ----------
    name : str
        What the message of an error calls it.
    value : int, executor, callable or dask.distributed.Client
        -1 stands for as many as this process may use cores.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        count = int(value)
        if count == -1:
            return _cores()
        if count >= 1:
            return count
        raise ValueError(f"{name} must be an integer >= 1, or -1 for all cores, got {value!r}")
    if hasattr(value, "get_executor"):  # a Client of dask.distributed
        value = value.get_executor()
    if callable(getattr(value, "submit", None)) or callable(value):
        return value
    hint = ""
    if callable(getattr(value, "map", None)):
        hint = " (give its method `map`)"
    raise TypeError(
        f"{name} must be an integer, an executor of concurrent.futures or a callable like `map`, "
        f"got {type(value).__name__}{hint}"
    )


def is_loss(error: BaseException) -> bool:
    """Whether a task has failed because the process that it ran in did."""
    dask = any(base.__name__ == "KilledWorker" for base in type(error).__mro__)
    return dask or isinstance(error, BrokenExecutor)


class Pool:
    """An executor, ours or the user's, or a function like `map`.

    Parameters
    ----------
    workers : int, executor or callable
        As from `as_workers`.
    make : callable
        ``make(workers) -> Executor`` where that is a number. It is called when a task is first
        submitted.

    Attributes
    ----------
    map : callable or None
        The function like `map`; there is then no `submit`.
    """

    def __init__(self, workers: Any, make: Callable[[int], Executor]) -> None:
        self._make = make
        self._count = workers if isinstance(workers, int) else 0
        self._executor: Any = None
        self._ours = self._count > 0
        self.map: Callable[..., Any] | None = None
        if not self._ours:
            if hasattr(workers, "submit"):
                self._executor = workers
            else:
                self.map = workers

    @property
    def size(self) -> int:
        """About how many tasks run at a time; a guess where an executor does not say."""
        if self._ours and self._count:
            return self._count
        for name in ("_max_workers", "num_workers"):  # of concurrent.futures and loky, of mpi4py
            size = getattr(self._executor, name, None)
            if isinstance(size, int) and size > 0:
                return size
        try:  # of dask.distributed
            return max(1, int(sum(self._executor._client.ncores().values())))
        except Exception:
            return max(4, _cores())

    @property
    def shares_memory(self) -> bool:
        """Whether tasks are surely threads of this process."""
        return isinstance(self._open(), ThreadPoolExecutor)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = self._open().submit(function, *args)
        return future

    def _open(self) -> Any:
        if self._executor is None and self._ours:
            self._executor = self._make(self._count)
        return self._executor

    def replace(self) -> bool:
        """Put a new pool of processes in the place of a broken one; False if that cannot be.

        A broken executor of the user's is left as it is. Its twin is closed by us.
        """
        broken = self._executor
        if self._ours and self._count:
            twin: Any = self._make(self._count)
        else:
            twin = _twin(broken)
        if twin is None:
            return False
        if self._ours:
            broken.shutdown(wait=False)
        self._executor, self._ours = twin, True
        return True

    def close(self, at_once: bool = False) -> None:
        """Close the pool if it is ours, `at_once` without waiting for what runs in processes."""
        if self._ours and self._executor is not None:
            threads = isinstance(self._executor, ThreadPoolExecutor)
            self._executor.shutdown(wait=threads or not at_once)
            self._executor = None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _twin(executor: Any) -> Executor | None:
    """A new executor like one that is broken."""
    size = getattr(executor, "_max_workers", None)
    module = sys.modules.get(type(executor).__module__)
    reusable = getattr(module, "get_reusable_executor", None)  # of loky
    if reusable is not None:
        twin: Executor = reusable(max_workers=size)
        return twin
    if not isinstance(executor, ProcessPoolExecutor):
        return None
    return ProcessPoolExecutor(
        size,
        mp_context=getattr(executor, "_mp_context", None),
        initializer=getattr(executor, "_initializer", None),
        initargs=getattr(executor, "_initargs", ()),
    )


class Calls:
    """Calls of one function at many points, beside each other.

    Parameters
    ----------
    function : callable
        ``function(x, *args)``.
    args : tuple
    workers : int, executor or callable
        As from `as_workers`; a number of them are processes, which get `function` and `args` once.
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], workers: Any
    ) -> None:
        self._function, self._args = function, args
        self._ours = isinstance(workers, int)
        self._pool = Pool(workers, self._processes)
        self._seconds = math.inf  # of one call

    def values(
        self,
        points: Sequence[Any],
        admit: Callable[[], bool],
        withdraw: Callable[[int], None],
    ) -> list[Any]:
        """What the function returns at the points, or at the first of them.

        Parameters
        ----------
        points : sequence of arrays
        admit : callable
            ``admit() -> bool``, asked before each call; after the first False there are no more.
        withdraw : callable
            ``withdraw(count)``: so many calls that were admitted have not been made.

        Raises
        ------
        BaseException
            What the function raises.
        """
        if self._pool.map is not None:
            admitted = list(itertools.takewhile(lambda _: admit(), points))
            tasks = [admitted[i : i + 1] for i in range(len(admitted))]
            call = _Call(self._function, self._args)
            try:
                returned = list(self._pool.map(call, tasks))
            except Exception as raised:
                if not is_loss(raised):
                    raise
                returned = list(self._pool.map(call, tasks))  # some make their processes anew
            return [values[0] for values, _ in returned]
        size = self._pool.size
        window = 2 * size
        most = max(1, min(_whole(_TASK_SECONDS / self._seconds), math.ceil(len(points) / size)))
        found: list[Any] = [None] * len(points)
        flying: dict[Future[Any], tuple[int, int]] = {}
        begun, end, whole = 0, len(points), True
        again: list[tuple[int, int]] = []
        try:
            while True:
                while again:
                    self._submit(points, again.pop(), flying)
                while begun < end and len(flying) < window:
                    stop = begun
                    while stop < min(begun + most, end) and admit():
                        stop += 1
                    if stop < min(begun + most, end):
                        end = stop
                    if stop > begun:
                        self._submit(points, (begun, stop), flying)
                    begun = stop
                if not flying:
                    return found[:end]
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    error = future.exception()
                    if error is not None and whole and isinstance(error, BrokenExecutor):
                        wait(flying)  # they all end now
                        again = [place for f, place in flying.items() if f.exception()]
                        kept = {f: place for f, place in flying.items() if not f.exception()}
                        if not self._pool.replace():
                            raise error
                        flying, whole = kept, False
                        break
                    first, last = flying.pop(future)
                    found[first:last], seconds = future.result()
                    self._seconds = seconds / (last - first)
        except BaseException:
            cancelled = [future for future in flying if future.cancel()]
            withdraw(sum(last - first for first, last in map(flying.__getitem__, cancelled)))
            if self._pool.shares_memory:
                wait(flying)
            raise

    def _submit(
        self, points: Sequence[Any], place: tuple[int, int],
        flying: dict[Future[Any], tuple[int, int]],
    ) -> None:  # fmt: skip
        part = list(points[slice(*place)])
        call = _call_kept if self._ours else _Call(self._function, self._args)
        flying[self._pool.submit(call, part)] = place

    def _processes(self, count: int) -> Executor:
        """A pool whose processes hold the function."""
        pool = ProcessPoolExecutor(
            count, _context(), _keep_call, (_Call(self._function, self._args),)
        )
        try:
            pool.submit(_call_kept, [])  # begins a process, to which the call is sent
        except OSError:
            raise
        except Exception as error:
            pool.shutdown(wait=False, cancel_futures=True)
            raise TypeError(
                "option `workers` as a number means processes, and to these the function and "
                f"`args` cannot be sent ({error}): define it at the top of a module, or give "
                "`workers` a ThreadPoolExecutor"
            ) from error
        return pool

    def close(self, at_once: bool = False) -> None:
        """Close the pool if it is ours."""
        self._pool.close(at_once)


def _whole(x: float) -> int:
    return int(min(x, 1e9))


def _context() -> Any:
    """How processes begin: never by fork, which copies locks that threads hold."""
    method = multiprocessing.get_start_method(allow_none=True)
    if method != "spawn" and "forkserver" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


class _Call:
    """A function and its further arguments, as a task takes them along."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._function, self._args = function, args

    def __call__(self, points: list[Any]) -> tuple[list[Any], float]:
        began = time.perf_counter()
        # copies, since threads are handed what we keep
        values = [self._function(point.copy(), *self._args) for point in points]
        return values, time.perf_counter() - began


#: In a process of our own: what it calls.
_kept: Any = None


def _keep_call(call: _Call) -> None:
    global _kept
    _kept = call


def _call_kept(points: list[Any]) -> tuple[list[Any], float]:
    result: tuple[list[Any], float] = _kept(points)
    return result
