"""The talk's experiments, beside other methods.

    python -m examples.talk [--quick | --full] [--seed S] [--only NAME] [--out DIR]
                            [--pictures DIR] [--jobs N]

Every run is one thread, --jobs of them at a time, and writes DIR/runs/<run>.csv as it goes. At
the end the runs of an experiment become one DIR/<experiment>.csv, from which the figures are drawn;
DIR/runs may be deleted then.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

# Before NumPy is loaded, here and in the processes started: seconds then compare.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# ruff: noqa: E402
from . import figures, rosenbrock
from .data import load
from .minibatch import BATCHED
from .networks import Network
from .training import FIRST_ORDER, FULL_BATCH, Run, train

#: training samples, test samples (None: all), epochs
SIZES = {"quick": (400, 200, 6), "default": (5000, 5000, 80), "full": (None, None, 200)}

EXPERIMENTS = ("rosenbrock", "classification", "autoencoder", "minibatch")
_DATA = {
    "classification": ("mnist", "fashion", "cifar10"),
    "autoencoder": ("mnist", "fashion"),
    "minibatch": ("mnist", "fashion"),
}


def networks(experiment: str, pixels: int) -> list[Network]:
    """The networks of an experiment for images of so many pixels."""
    if experiment == "autoencoder":
        hidden = ((250,), (256, 64, 16, 64, 256)) if pixels > 64 else ((16,), (32, 8, 32))
        return [
            Network((pixels, *layers, pixels), "tanh", "sigmoid", "mse") for layers in hidden
        ]
    width = {784: 500, 3072: 128}.get(pixels, 32)
    return [Network((pixels, width, 10))]


def runs(size: str, seed: int, only: str | None) -> list[Run]:
    """Every run, the longest experiments' data loaded once."""
    train_samples, test_samples, epochs = SIZES[size]
    names = {name for e, names in _DATA.items() if only in (None, e) for name in names}
    if size == "quick" and names:
        names = {"digits"}
    sets = {name: load(name, train_samples, test_samples, seed) for name in sorted(names)}
    listed = []
    for experiment, wanted in _DATA.items():
        if only not in (None, experiment):
            continue
        for data in [sets[name] for name in wanted if name in sets] or [sets["digits"]]:
            for network in networks(experiment, data.x.shape[1]):
                if experiment == "minibatch":
                    methods = [(method, None) for method in BATCHED]
                else:
                    methods = [(method, None) for method in FULL_BATCH] + [
                        (method, rate)
                        for method, rates in FIRST_ORDER.items()
                        for rate in rates[network.loss]
                    ]
                listed += [
                    Run(experiment, network, data, method, epochs, seed, rate)
                    for method, rate in methods
                ]
    return listed


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser("python -m examples.talk", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="digits only, in two minutes")
    size.add_argument("--full", action="store_true", help="all samples, as in the talk; hours")
    parser.add_argument("--seed", type=int, default=0, help="of data, start and batches")
    parser.add_argument("--only", choices=EXPERIMENTS)
    parser.add_argument("--out", type=Path, default=Path("talk-results"), metavar="DIR")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="default: as --out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    given = parser.parse_args(arguments)
    if given.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {given.jobs}")
    name = "quick" if given.quick else "full" if given.full else "default"
    folder = given.out / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()

    if given.only in (None, "rosenbrock"):
        rosenbrock.main(given.out, given.pictures)
    todo = runs(name, given.seed, given.only)
    failed = 0
    with tqdm(total=len(todo), unit="run") as bar:
        for answer in _all(todo, folder, given.jobs):
            try:
                bar.set_postfix_str(answer())
            except Exception as error:
                failed += 1
                tqdm.write(f"a run failed: {error!r}", file=sys.stderr)
            bar.update()
    about = {
        "size": name, "seed": given.seed, "samples, test samples, epochs": SIZES[name],
        "minutes": round((time.perf_counter() - began) / 60, 1), "jobs": given.jobs,
        "runs": len(todo), "failed": failed, **figures.machine(),
    }  # fmt: skip
    if todo:
        (given.out / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    figures.main(given.out, given.pictures)
    return 1 if failed else 0


def _all(todo: list[Run], folder: Path, jobs: int):
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
