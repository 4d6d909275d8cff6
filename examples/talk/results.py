"""The files of the runs: joined, and read as curves.

DIR/<experiment>.csv has the rows of all runs of an experiment. The first columns say which run a
row is of, and are empty where it is that of the row above.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from .minibatch import BATCHED
from .training import COLUMNS, FIRST_ORDER, FULL_BATCH, KEYS, file_name

__all__ = ["Curve", "best_rates", "join", "known", "read"]

EXPERIMENTS = ("classification", "autoencoder", "minibatch")
Key = tuple[str, ...]


class Curve:
    """The columns of one run as arrays, by attribute: those of `COLUMNS` but the first."""

    def __init__(self, key: Key, rows: list[str]) -> None:
        self.key, self.method, self.rate = key, key[3], key[4]
        columns = zip(*(row.split(",") for row in rows), strict=True)
        for name, column in zip(COLUMNS[len(KEYS) :], columns, strict=True):
            # + 0.0: a loss of -0.0 is no loss
            setattr(self, name, np.array([float(value or "nan") for value in column]) + 0.0)

    def reaches(self, target: float, column: str) -> float:
        """The value of `column` in the first row with it whose training loss is at the target."""
        values = getattr(self, column)
        there = np.flatnonzero((self.train <= target) & np.isfinite(values))
        return float(values[there[0]]) if there.size else float("nan")


def join(out: Path) -> None:
    """The files of runs into one CSV of each experiment, and one file of the images shown.

    What these have already stays. Of runs that choose a rate the last row is kept.
    """
    fresh: dict[str, dict[Key, list[str]]] = defaultdict(dict)
    for path in sorted((out / "runs").glob("*.csv")):
        for key, rows in _runs(path).items():
            fresh[key[0]][key] = rows[-1:] if key[0] == "rates" else rows
    for experiment, runs in fresh.items():
        joined = out / f"{experiment}.csv"
        lines = [",".join(COLUMNS)]
        for key, rows in sorted({**_runs(joined), **runs}.items()):
            lines += [f"{','.join(key)},{rows[0]}", *("," * len(KEYS) + row for row in rows[1:])]
        joined.write_text("\n".join(lines) + "\n")
    _join_images(out)


def _runs(file: Path) -> dict[Key, list[str]]:
    """The rows of a file by run, without the columns that say of which."""
    runs: dict[Key, list[str]] = {}
    for row in file.read_text().splitlines()[1:] if file.exists() else ():
        *first, rest = row.split(",", len(KEYS))
        if first[0]:
            rows = runs.setdefault(tuple(first), [])
        rows.append(rest)
    return runs


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
        np.savez_compressed(stored, **images)


def _grey(images: np.ndarray) -> np.ndarray:
    """Images with values from 0 to 1 in 256 levels, of which no more can be seen."""
    return np.rint(255.0 * np.clip(images, 0.0, 1.0)).astype(np.uint8)


def is_deep(network: str) -> bool:
    """Whether a network has more than one hidden layer; only these images are shown."""
    return network.count("-") > 2


def inputs_name(group: tuple[str, str, str]) -> str:
    """The name of the images shown of a group, in reconstructions.npz."""
    return f"inputs_{group[0]}_{group[2]}"


def known(out: Path) -> set[Key]:
    """The runs that the joined files have."""
    return {key for name in ("rates", *EXPERIMENTS) for key in _runs(out / f"{name}.csv")}


def best_rates(out: Path) -> dict[Key, float]:
    """The rate of least training loss by (data, network, method)."""
    tried: dict[Key, list[tuple[float, float]]] = defaultdict(list)
    for key, rows in _runs(out / "rates.csv").items():
        loss = float(Curve(key, rows).train[-1])
        tried[key[1:4]].append((np.inf if np.isnan(loss) else loss, float(key[4])))
    return {key: min(losses)[1] for key, losses in tried.items()}


def read(out: Path, experiment: str) -> dict[tuple[str, str, str], dict[str, list[Curve]]]:
    """The curves of all seeds by (data, network, samples) and method."""
    order = [*FULL_BATCH, "torch LBFGS", *FIRST_ORDER, *BATCHED]
    data = ("mnist", "fashion", "cifar10", "digits")
    curves = sorted(
        (Curve(key, rows) for key, rows in _runs(out / f"{experiment}.csv").items()),
        key=lambda c: (c.key[5] != "all", data.index(c.key[1]), c.key[2], order.index(c.method),
                       int(c.key[6])),
    )  # fmt: skip
    groups: dict[tuple[str, str, str], dict[str, list[Curve]]] = {}
    for curve in curves:
        _, data_name, network, _, _, samples, _ = curve.key
        methods = groups.setdefault((data_name, network, samples), {})
        methods.setdefault(curve.method, []).append(curve)
    return groups
