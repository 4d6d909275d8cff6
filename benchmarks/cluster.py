"""Logistic regression over a table that no worker can hold, beside the solvers of dask-ml.

    python benchmarks/cluster.py --folder /somewhere/with/3/GB

The table of 2.1 GB is made in blocks in the folder, if it is not there, and removed at the end but
for ``--keep``. Two processes on this machine work on it; dask lets neither have more than 0.6 GB.
Rows of the result that are in ``benchmarks/results/cluster.jsonl`` are not measured again, so a
run that was ended goes on; ``--fresh`` begins anew. The table of results goes to
``benchmarks/results/cluster.md``.

All solvers minimise the mean logistic loss, without a penalty, from zero; dask-ml without its
normalisation of columns, which would be another problem for the solver. An evaluation goes once
over the table; Newton's method of dask-glm has one an iteration, which also computes the Hessian.
What is left of the gradient is computed for all of them by the same function, after the time has
been taken. Processor seconds are those of all processes; they say more than seconds where others
use the machine. The operating system may hold the table in its cache: then reading is a copy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
from distributed import Client, LocalCluster
from scipy.optimize import minimize as scipy_minimize
from scipy.special import expit

import quasinewton

BLOCKS, LENGTH, COLUMNS = 66, 40_000, 100
WORKERS, LIMIT = 2, 600_000_000  # bytes of memory a worker
GTOL = 1e-6  # of the mean
RESULTS = Path(__file__).parent / "results"


def make(folder: Path, blocks: int, length: int) -> list[str]:
    """Blocks of rows: a label, 0 or 1, an intercept, and columns that are correlated."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    mix = np.eye(COLUMNS - 1) + 0.3 * rng.normal(size=(COLUMNS - 1, COLUMNS - 1)) / np.sqrt(COLUMNS)
    mix *= np.logspace(-0.25, 0.25, COLUMNS - 1)
    truth = rng.normal(size=COLUMNS) / np.sqrt(COLUMNS)
    paths = []
    for i in range(blocks):
        path = folder / f"{length}x{COLUMNS}-{i:03d}.npy"
        if not path.exists():
            rng = np.random.default_rng([1, i])
            rows = np.empty((length, 1 + COLUMNS))
            rows[:, 1] = 1.0
            rows[:, 2:] = rng.normal(size=(length, COLUMNS - 1)) @ mix
            rows[:, 0] = rng.random(length) < expit(rows[:, 1:] @ truth)
            half = path.with_suffix(".half")
            with half.open("wb") as file:
                np.save(file, rows)
            half.rename(path)
        paths.append(str(path))
    return paths


class Loss:
    """A block's part of the mean loss and its gradient; a block may be the path of its file."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, x: np.ndarray, block: Any) -> tuple[float, np.ndarray]:
        rows = np.load(block) if isinstance(block, str) else block
        labels, features = rows[:, 0], rows[:, 1:]
        margin = features @ x
        f = (np.logaddexp(0.0, margin) - labels * margin).sum()
        return f / self.count, features.T @ (expit(margin) - labels) / self.count


class Counting:
    """An objective that counts, and does something once before one of its calls."""

    def __init__(self, total: Any, at: int = 0, event: Callable[[], object] | None = None) -> None:
        self.total, self.calls, self._at, self._event = total, 0, at, event

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.calls += 1
        if self.calls == self._at and self._event is not None:
            self._event()
        pair: tuple[float, np.ndarray] = self.total(x)
        return pair


class Problem:
    """The table, and the processes that work on it."""

    def __init__(self, paths: list[str], length: int, client: Client) -> None:
        self.paths, self.length, self.client = paths, length, client
        self.loss = Loss(length * len(paths))

    def delayed(self) -> list[Any]:
        return [dask.delayed(np.load)(path) for path in self.paths]

    def array(self) -> Any:
        import dask.array as da

        shape = (self.length, 1 + COLUMNS)
        return da.concatenate([da.from_delayed(part, shape, float) for part in self.delayed()])

    def summed(self, blocks: Any) -> Any:
        return quasinewton.dask.Sum(self.loss, blocks, client=self.client)

    def run(self, total: Counting, method: str | None = None) -> tuple[np.ndarray, int]:
        x0 = np.zeros(COLUMNS)
        result = quasinewton.minimize(total, x0, method=method, jac=True, options={"gtol": GTOL})
        assert result.success, result.message
        return result.x, total.calls

    def paths_read(self) -> tuple[np.ndarray, int]:
        return self.run(Counting(self.summed(self.paths)))

    def kept(self) -> tuple[np.ndarray, int]:
        return self.run(Counting(self.summed(self.delayed())))

    def killed(self) -> tuple[np.ndarray, int]:
        def kill() -> None:
            os.kill(next(iter(self.client.run(os.getpid).values())), signal.SIGKILL)

        return self.run(Counting(self.summed(self.paths), 10, kill))

    def scipys(self) -> tuple[np.ndarray, int]:
        total = Counting(self.summed(self.paths))
        result = scipy_minimize(
            total, np.zeros(COLUMNS), jac=True, method="L-BFGS-B",
            options={"gtol": GTOL, "ftol": 1e7 * np.finfo(float).eps},
        )  # fmt: skip
        return result.x, total.calls

    def dask_ml(self, solver: str) -> tuple[np.ndarray, int]:
        import dask_glm.algorithms as algorithms
        from dask_ml.linear_model import LogisticRegression

        count = [0]

        def counting(function: Callable[..., Any], name: str) -> Callable[..., Any]:
            def counted(*args: Any, **more: Any) -> Any:
                if name == "fmin":
                    *found, info = function(*args, **more)
                    count[0] = info["funcalls"]
                    return (*found, info)
                count[0] += 1
                return function(*args, **more)

            return counted

        old = algorithms.fmin_l_bfgs_b, np.linalg.lstsq
        algorithms.fmin_l_bfgs_b = counting(old[0], "fmin")
        np.linalg.lstsq = counting(old[1], "lstsq")  # once an iteration of Newton's method
        try:
            table = self.array()
            tol = GTOL * self.loss.count if solver == "lbfgs" else 1e-8  # Newton's is that of x
            model = LogisticRegression(
                penalty=None, solver=solver, fit_intercept=False, tol=tol,
                solver_kwargs={"normalize": False},
            )  # fmt: skip
            model.fit(table[:, 1:], table[:, 0])
        finally:
            algorithms.fmin_l_bfgs_b, np.linalg.lstsq = old
        return np.asarray(model.coef_), count[0]


ROWS: dict[str, Callable[[Problem], tuple[np.ndarray, int]]] = {
    "quasinewton, `Sum` of paths": Problem.paths_read,
    "the same, a worker killed in evaluation 10": Problem.killed,
    "quasinewton, `Sum` of blocks that dask keeps": Problem.kept,
    "SciPy's L-BFGS-B, `Sum` of paths": Problem.scipys,
    "dask-ml, lbfgs": lambda problem: problem.dask_ml("lbfgs"),
    "dask-ml, newton": lambda problem: problem.dask_ml("newton"),
}


def processor_seconds() -> float:
    """Of this process and all that it has begun."""
    living = psutil.Process().children(recursive=True)
    return sum(os.times()[:4]) + sum(sum(child.cpu_times()[:4]) for child in living)


def cluster() -> LocalCluster:
    return LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=":0"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the table is made")
    parser.add_argument("--keep", action="store_true", help="leave the table there")
    parser.add_argument("--fresh", action="store_true", help="measure all rows again")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="fewer: a trial, not recorded")
    arguments = parser.parse_args()
    record = RESULTS / "cluster.jsonl"
    trial = arguments.blocks != BLOCKS
    if trial:
        record = arguments.folder / "trial.jsonl"
    folder = arguments.folder / "table"
    paths = make(folder, arguments.blocks, LENGTH)
    if arguments.fresh or trial:
        record.unlink(missing_ok=True)
    lines = record.read_text().splitlines() if record.exists() else []
    rows = {row["name"]: row for row in map(json.loads, lines)}
    for name, run in ROWS.items():
        if name in rows:
            continue
        with cluster() as local, Client(local) as client:
            problem = Problem(paths, LENGTH, client)
            began, before = time.perf_counter(), processor_seconds()
            try:
                x, calls = run(problem)
            except Exception as error:
                if trial:
                    raise
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            seconds, processor = time.perf_counter() - began, processor_seconds() - before
            f, g = problem.summed(paths)(x)
        row = {
            "name": name, "calls": calls, "seconds": seconds, "processor": processor,
            "f": f, "g": float(np.abs(g).max()), "x": x.tolist(),
        }  # fmt: skip
        rows[name] = row
        with record.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{name}: {calls} evaluations, {seconds:.1f} s, f {f:.12f}", file=sys.stderr)
    text = table(rows, sum(map(os.path.getsize, paths)))
    print(text)
    if not trial:
        (RESULTS / "cluster.md").write_text(text)
    if not arguments.keep:
        shutil.rmtree(folder)


def table(rows: dict[str, dict[str, Any]], size: int) -> str:
    best = min(rows.values(), key=lambda row: float(row["f"]))
    lines = [
        f"{size / 1e9:.2f} GB on disk, {WORKERS} workers of {LIMIT / 1e9:.1f} GB.", "",
        "| | evaluations | seconds | processor seconds | an evaluation | f - lowest f "
        "| max abs of g | distance of x from that of the lowest f |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in ((name, rows[name]) for name in ROWS if name in rows):
        distance = np.abs(np.subtract(row["x"], best["x"])).max()
        processor = row.get("processor", np.nan)  # some rows were recorded without
        lines.append(
            f"| {name} | {row['calls']} | {row['seconds']:.0f} "
            f"| {processor:.0f} | {processor / row['calls']:.1f} "
            f"| {row['f'] - best['f']:.1e} | {row['g']:.1e} | {distance:.1e} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
