"""What each engine of `workers` costs, and what it gains, on this machine.

    python benchmarks/workers.py > benchmarks/results/workers.md

The gain: a gradient by differences of a function that takes 50 ms (it sleeps), with two workers
beside one. The cost: the same of a function that takes nothing, in many variables, and solves of a
small function from many starts. Medians of five; what an engine does once, such as starting its
processes, is in a column of its own.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np

import quasinewton
from quasinewton.objective import Objective

SECONDS = 0.05
SLOW, FAST = 10, 400  # variables
STARTS, WARM = 2000, 100
WORKERS = 2


def slow(x: np.ndarray) -> float:
    time.sleep(SECONDS)
    return float(x @ x)


def fast(x: np.ndarray) -> float:
    return float(x @ x)


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x[1:] - x[:-1] ** 2, 1.0 - x[:-1]
    g = np.zeros_like(x)
    g[:-1] = -400.0 * a * x[:-1] - 2.0 * b
    g[1:] += 200.0 * a
    return float(100.0 * a @ a + b @ b), g


@contextmanager
def nothing() -> Iterator[Any]:
    yield 1


@contextmanager
def number() -> Iterator[Any]:
    yield WORKERS


@contextmanager
def loky() -> Iterator[Any]:
    from joblib.externals.loky import get_reusable_executor

    executor = get_reusable_executor(max_workers=WORKERS)
    yield executor
    executor.shutdown()


@contextmanager
def dask() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


@contextmanager
def pool_map() -> Iterator[Any]:
    with get_context("spawn").Pool(WORKERS) as pool:
        yield pool.map


@contextmanager
def mpi() -> Iterator[Any]:
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor(WORKERS) as pool:
        yield pool


ENGINES: dict[str, Callable[[], Any]] = {
    "none": nothing,
    f"{WORKERS}": number,
    "ThreadPoolExecutor": lambda: ThreadPoolExecutor(WORKERS),
    "ProcessPoolExecutor, spawn": lambda: ProcessPoolExecutor(WORKERS, get_context("spawn")),
    "loky (joblib)": loky,
    "dask.distributed": dask,
    "multiprocessing.Pool.map, spawn": pool_map,
    "mpi4py.futures": mpi,
}


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def gradient(fun: Callable[..., Any], n: int, workers: Any) -> tuple[float, float]:
    """Seconds of the first gradient, and of the following ones."""
    x = np.linspace(1.0, 2.0, n)
    objective = Objective(fun, x, workers=workers)
    f = objective.fun(x)
    first = seconds(lambda: objective.gradient_at(x, f), 1)
    later = seconds(lambda: objective.gradient_at(x, f))
    objective.close()
    return first, later


def main() -> None:
    starts = np.random.default_rng(0).normal(size=(STARTS, 5))
    quasinewton.minimize_many(rosenbrock, starts[:1])
    print("| workers | first gradient, s | 50 ms a call: gradient, s | times faster |"
          " free calls: ms a gradient | µs a point | many starts: ms a start |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    base = float("nan")
    for name, make in ENGINES.items():
        try:
            with make() as workers:
                first, later = gradient(slow, SLOW, workers)
                _, free = gradient(fast, FAST, workers)
                quasinewton.minimize_many(rosenbrock, starts[:WARM], workers=workers)
                many = seconds(
                    lambda w=workers: quasinewton.minimize_many(  # type: ignore[misc]
                        rosenbrock, starts, workers=w
                    ),
                    3,
                )
        except (ImportError, RuntimeError) as error:  # no MPI: the second
            print(f"{name}: {error}", file=sys.stderr)
            continue
        base = later if name == "none" else base
        print(
            f"| {name} | {first:.2f} | {later:.3f} | {base / later:.2f} | {1e3 * free:.1f} "
            f"| {1e6 * free / FAST:.0f} | {1e3 * many / STARTS:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
