"""The talk's experiments, beside other methods.

    python -m examples.talk [--quick | --full] [--seeds S ...] [--only NAME] [--data NAME ...]
                            [--out DIR] [--pictures DIR] [--jobs N]

Every run is one thread, --jobs of them at a time, and leaves DIR/runs/<run>.csv. At the end, and
if it is interrupted, the runs of an experiment are joined to DIR/<experiment>.csv, from which the
figures are drawn; DIR/runs may be deleted then. What is in these files is not run again: delete
them to begin anew.

First the learning rates of the first-order methods are tried, by runs of the default size with
seed 0. They are in DIR/rates.csv; the one of least training loss is used for all sizes and seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# Before NumPy is loaded, here and in the processes started: seconds then compare.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# ruff: noqa: E402
from . import figures, results, rosenbrock
from .data import load
from .minibatch import BATCHED
from .networks import Network
from .training import FIRST_ORDER, FULL_BATCH, HAS_TORCH, Run, train

#: Training samples, test samples (None: all), epochs, epochs of methods that take batches.
SIZES = {
    "quick": (400, 200, 6, 6),
    "default": (5000, 5000, 80, 40),
    "full": (None, None, 80, 20),
}
#: Epochs of the runs that choose a learning rate.
RATE_EPOCHS = {"quick": 3, "default": 40, "full": 40}

EXPERIMENTS = ("rosenbrock", "classification", "autoencoder", "minibatch")
_DATA = {
    "classification": ("mnist", "cifar10", "fashion"),
    "autoencoder": ("mnist", "fashion"),
    "minibatch": ("mnist", "fashion"),
}


def networks(experiment: str, data: str) -> list[Any]:
    """The networks of an experiment for such images."""
    pixels = {"cifar10": 3072, "digits": 64}.get(data, 784)
    if experiment == "autoencoder":
        hidden = ((250,), (256, 64, 16, 64, 256)) if pixels > 64 else ((16,), (32, 8, 32))
        return [
            Network((pixels, *layers, pixels), "tanh", "sigmoid", "mse") for layers in hidden
        ]
    found: list[Any] = [Network((pixels, {784: 500, 3072: 128, 64: 32}[pixels], 10))]
    if HAS_TORCH and experiment == "classification" and data in ("cifar10", "digits"):
        from .modules import Convolutional

        found.append(Convolutional() if data == "cifar10" else Convolutional((4,), 8, 1))
    return found


def cases(size: str, only: str | None, wanted: list[str]) -> list[tuple[str, str, Any]]:
    """(experiment, data, network) of all that is asked for; digits where data cannot be had."""
    if size == "quick":
        wanted = ["digits"]
    asked = {
        experiment: [name for name in (*names, "digits") if name in wanted]
        for experiment, names in _DATA.items() if only in (None, experiment)
    }  # fmt: skip
    had = {name: load(name, 1, 1).name for names in asked.values() for name in names}
    return [
        (experiment, data, network)
        for experiment, names in asked.items()
        for data in dict.fromkeys(had[name] for name in names)
        for network in networks(experiment, data)
    ]


def rate_runs(size: str, chosen: list[tuple[str, str, Any]]) -> list[Run]:
    """The runs by which learning rates are chosen."""
    sizes = SIZES["quick" if size == "quick" else "default"][:2]
    return [
        Run("rates", network, data, *sizes, method, RATE_EPOCHS[size], 0, rate)
        for experiment, data, network in chosen if experiment != "minibatch"
        for method, rates in FIRST_ORDER.items() for rate in rates[network.loss]
    ]  # fmt: skip


def runs(
    size: str, seeds: list[int], chosen: list[tuple[str, str, Any]],
    rates: dict[tuple[str, ...], float],
) -> list[Run]:  # fmt: skip
    """Every run, those of one seed and network together."""
    *sizes, epochs, batch_epochs = SIZES[size]
    listed = []
    for seed in seeds:
        for experiment, data, network in chosen:
            methods: list[tuple[str, float | None]]
            if experiment == "minibatch":
                methods = [(method, None) for method in BATCHED]
            else:
                methods = [(method, None) for method in FULL_BATCH] + [
                    (method, rates[data, network.name, method]) for method in FIRST_ORDER
                ]
            for method, rate in methods:
                spent = epochs if method in FULL_BATCH else batch_epochs
                listed.append(Run(experiment, network, data, *sizes, method, spent, seed, rate))
    return listed


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser("python -m examples.talk", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true", help="digits only, in two minutes")
    group.add_argument("--full", action="store_true", help="all images, as in the talk; hours")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="S",
                        help="of images drawn, start and batches; default: 0")
    parser.add_argument("--only", choices=EXPERIMENTS)
    images = sorted({name for names in _DATA.values() for name in names})
    parser.add_argument("--data", nargs="+", choices=images, default=images)
    parser.add_argument("--out", type=Path, default=Path("talk-results"), metavar="DIR")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="default: as --out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    given = parser.parse_args(arguments)
    if given.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {given.jobs}")
    size = "quick" if given.quick else "full" if given.full else "default"
    folder = given.out / "runs"
    folder.mkdir(parents=True, exist_ok=True)

    if given.only in (None, "rosenbrock"):
        rosenbrock.main(given.out, given.pictures)
    chosen = cases(size, given.only, given.data)
    failed = 0
    try:
        failed += _run(rate_runs(size, chosen), given.out, given.jobs)
        rates = results.best_rates(given.out)
        failed += _run(runs(size, given.seeds, chosen, rates), given.out, given.jobs)
    finally:
        results.join(given.out)
    (given.out / "about.json").write_text(json.dumps(figures.machine(), indent=1) + "\n")
    figures.main(given.out, given.pictures)
    return 1 if failed else 0


def _run(asked: list[Run], out: Path, jobs: int) -> int:
    """Make the runs that there are not yet; how many failed."""
    from tqdm import tqdm

    results.join(out)
    known = results.known(out)
    todo = [run for run in asked if run.key not in known]
    failed = 0
    with tqdm(total=len(todo), unit="run") as bar:
        for answer in _all(todo, out / "runs", jobs):
            try:
                bar.set_postfix_str(answer())
            except Exception as error:
                failed += 1
                tqdm.write(f"a run failed: {error!r}", file=sys.stderr)
            bar.update()
    results.join(out)
    return failed


def _all(todo: list[Run], folder: Path, jobs: int) -> Iterator[Any]:
    """A callable for every run, as they end; it returns the run's name or raises its error."""
    if jobs == 1:
        for run in todo:
            yield lambda run=run: train(run, folder)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for future in as_completed([pool.submit(train, run, folder) for run in todo]):
            yield future.result


if __name__ == "__main__":
    sys.exit(main())
