"""The files of the runs: joined, and read as curves.

DIR/<experiment>.csv has the rows of all runs of an experiment. A run is known by its first columns.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from .training import FIRST_ORDER, FULL_BATCH, KEYS, file_name

__all__ = ["Curve", "best_rates", "join", "known", "read"]

EXPERIMENTS = ("classification", "autoencoder", "minibatch")
NUMBERS = ("iteration", "epochs", "gradients", "seconds", "inside", "train", "test", "accuracy")


class Curve:
    """The columns of one run as arrays, by attribute."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.key = tuple(rows[0][name] for name in KEYS)
        self.method, self.rate = rows[0]["method"], rows[0]["rate"]
        for name in NUMBERS:
            # + 0.0: a loss of -0.0 is no loss
            setattr(self, name, np.array([float(row[name] or "nan") for row in rows]) + 0.0)

    def reaches(self, target: float, column: str) -> float:
        """The value of `column` in the first row with it whose training loss is at the target."""
        values = getattr(self, column)
        there = np.flatnonzero((self.train <= target) & np.isfinite(values))
        return float(values[there[0]]) if there.size else float("nan")


def join(out: Path) -> None:
    """The files of runs into one CSV of each experiment, and one file of the images shown.

    What these have already stays. Of runs that choose a rate the last row is kept.
    """
    fresh: dict[str, list[str]] = defaultdict(list)
    header = ""
    for path in sorted((out / "runs").glob("*.csv")):
        header, *rows = path.read_text().splitlines(keepends=True)
        experiment = path.name.split("_")[0]
        fresh[experiment] += rows[-1:] if experiment == "rates" else rows
    for experiment, rows in fresh.items():
        joined = out / f"{experiment}.csv"
        there = {_key(row) for row in rows}
        kept = joined.read_text().splitlines(keepends=True)[1:] if joined.exists() else []
        rows += [row for row in kept if _key(row) not in there]
        joined.write_text("".join([header, *sorted(rows, key=_key)]))
    _join_images(out)


def _join_images(out: Path) -> None:
    stored = out / "reconstructions.npz"
    images: dict[str, np.ndarray] = {}
    if stored.exists():
        with np.load(stored) as file:
            images.update(file)
    before = len(images)
    for group, methods in read(out, "autoencoder").items():
        for curves in methods.values():
            name = file_name(curves[0].key)
            path = out / "runs" / f"{name}.npz"
            if is_deep(group[1]) and name not in images and path.exists():
                with np.load(path) as file:
                    images[inputs_name(group)] = _grey(file["inputs"])
                    images[name] = _grey(file["outputs"])
    if len(images) > before:
        np.savez_compressed(stored, **images)  # type: ignore[arg-type]


def _grey(images: np.ndarray) -> np.ndarray:
    """Images with values from 0 to 1 in 256 levels, of which no more can be seen."""
    return np.rint(255.0 * np.clip(images, 0.0, 1.0)).astype(np.uint8)


def is_deep(network: str) -> bool:
    """Whether a network has more than one hidden layer; only these images are shown."""
    return network.count("-") > 2


def inputs_name(group: tuple[str, str, str]) -> str:
    """The name of the images shown of a group, in reconstructions.npz."""
    return f"inputs_{group[0]}_{group[2]}"


def _key(row: str) -> tuple[str, ...]:
    """The first columns of a row, which say of which run it is."""
    return tuple(row.split(",")[: len(KEYS)])


def known(out: Path) -> set[tuple[str, ...]]:
    """The runs that the joined files have."""
    files = [out / f"{name}.csv" for name in ("rates", *EXPERIMENTS)]
    return {
        _key(row) for file in files if file.exists() for row in file.read_text().splitlines()[1:]
    }


def best_rates(out: Path) -> dict[tuple[str, ...], float]:
    """The rate of least training loss by (data, network, method)."""
    tried: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    if (out / "rates.csv").exists():
        with (out / "rates.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                loss = float(row["train"])
                key = row["data"], row["network"], row["method"]
                tried[key].append((np.inf if np.isnan(loss) else loss, float(row["rate"])))
    return {key: min(losses)[1] for key, losses in tried.items()}


def read(out: Path, experiment: str) -> dict[tuple[str, str, str], dict[str, list[Curve]]]:
    """The curves of all seeds by (data, network, samples) and method."""
    from .minibatch import BATCHED

    path = out / f"{experiment}.csv"
    if not path.exists():
        return {}
    runs: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            runs[tuple(row[name] for name in KEYS)].append(row)
    order = [*FULL_BATCH, "torch LBFGS", *FIRST_ORDER, *BATCHED]
    data = ("mnist", "fashion", "cifar10", "digits")
    curves = sorted(
        map(Curve, runs.values()),
        key=lambda c: (c.key[5] != "all", data.index(c.key[1]), c.key[2], order.index(c.method),
                       int(c.key[6])),
    )  # fmt: skip
    groups: dict[tuple[str, str, str], dict[str, list[Curve]]] = {}
    for curve in curves:
        _, data_name, network, _, _, samples, _ = curve.key
        methods = groups.setdefault((data_name, network, samples), {})
        methods.setdefault(curve.method, []).append(curve)
    return groups
