"""Figures and tables from the files of the runs.

    python -m examples.talk.figures DIR [PICTURES]     # DIR of `python -m examples.talk --out DIR`

If there is DIR/runs, its files are first joined to DIR/<experiment>.csv, and the images that are
shown to DIR/reconstructions.npz. All figures and tables are made from these, so DIR/runs may be
deleted then. Pictures go to PICTURES, or DIR. Rosenbrock's are `rosenbrock`'s own.
"""

from __future__ import annotations

import csv
import os
import platform
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image  # matplotlib depends on it

__all__ = ["machine", "main", "save"]

# Okabe and Ito's palette, which colour-blind readers can tell apart, and dashes beside it.
STYLES = {
    "trust_cg": ("#000000", "-"),
    "trust_cg differences": ("#777777", "--"),
    "arc_lsr1": ("#D55E00", "-"),
    "arc_hybrid": ("#E69F00", "--"),
    "L-BFGS-B": ("#009E73", "-"),
    "SGD": ("#0072B2", ":"),
    "RMSProp": ("#CC79A7", "-."),
    "Adam": ("#56B4E9", "-"),
    "batch arc_lsr1 published": ("#CC79A7", "--"),
    "batch arc_lsr1": ("#D55E00", "-"),
    "batch arc_hybrid": ("#E69F00", "-"),
    "batch arc_hybrid overlap": ("#0072B2", ":"),
    "batch trust_cg": ("#000000", "-"),
}
NUMBERS = ("iteration", "epochs", "gradients", "seconds", "inside", "train", "test", "accuracy")
#: Epochs of the early phase.
EARLY = 12
ORDER = ("mnist", "fashion", "cifar10", "digits")


def machine() -> dict[str, object]:
    """Cores and versions."""
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "numba")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **versions}


class Curve:
    """The columns of one run as arrays, by attribute."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.method, self.rate = rows[0]["method"], rows[0]["rate"]
        for name in NUMBERS:
            # + 0.0: a loss of -0.0 is no loss
            setattr(self, name, np.array([float(row[name] or "nan") for row in rows]) + 0.0)

    @property
    def label(self) -> str:
        return f"{self.method} (rate {self.rate})" if self.rate else self.method

    def reaches(self, target: float, column: str) -> float:
        """The value of `column` in the first row whose training loss is at the target."""
        there = np.flatnonzero(self.train <= target)
        return float(getattr(self, column)[there[0]]) if there.size else float("nan")


def join(out: Path) -> None:
    """One CSV of each experiment from those of its runs, and one file of the images to be shown."""
    texts: dict[str, list[str]] = defaultdict(list)
    for path in sorted((out / "runs").glob("*.csv")):
        header, *rows = path.read_text().splitlines(keepends=True)
        lines = texts[path.name.split("_")[0]]
        lines += rows if lines else [header, *rows]
    for experiment, lines in texts.items():
        (out / f"{experiment}.csv").write_text("".join(lines))
    images: dict[str, np.ndarray] = {}
    for (data, network), curves in read(out, "autoencoder").items():
        for curve in curves:
            name = shown_name(data, network, curve)
            path = out / "runs" / f"{name}.npz"
            if is_deep(network) and path.exists():
                with np.load(path) as file:
                    images[f"inputs_{data}"] = _grey(file["inputs"])
                    images[name] = _grey(file["outputs"])
    if images:
        np.savez_compressed(out / "reconstructions.npz", **images)


def _grey(images: np.ndarray) -> np.ndarray:
    """Images with values from 0 to 1 in 256 levels, of which no more can be seen."""
    return np.rint(255.0 * np.clip(images, 0.0, 1.0)).astype(np.uint8)


def is_deep(network: str) -> bool:
    """Whether a network has more than one hidden layer; only these images are shown."""
    return network.count("-") > 2


def shown_name(data: str, network: str, curve: Curve) -> str:
    """The name of an autoencoder's run, in DIR/runs and in reconstructions.npz."""
    parts = ["autoencoder", data, network, curve.method.replace(" ", "-"), curve.rate]
    return "_".join(part for part in parts if part)


def read(out: Path, experiment: str) -> dict[tuple[str, str], list[Curve]]:
    """The curves by (data, network); of first-order methods that of the best rate only."""
    path = out / f"{experiment}.csv"
    if not path.exists():
        return {}
    runs: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            runs[row["data"], row["network"], row["method"], row["rate"]].append(row)
    best: dict[tuple[str, str, str], Curve] = {}
    for (data, network, method, _), rows in runs.items():
        curve = Curve(rows)
        key = data, network, method
        if key not in best or not best[key].train[-1] <= curve.train[-1]:
            best[key] = curve
    groups: dict[tuple[str, str], list[Curve]] = defaultdict(list)
    order = list(STYLES)
    for (data, network, _), curve in sorted(best.items(), key=lambda i: order.index(i[0][2])):
        groups[data, network].append(curve)
    return dict(sorted(groups.items(), key=lambda group: ORDER.index(group[0][0])))


def draw(axes, curve: Curve, x: str, y: str, **style) -> None:
    """One curve."""
    colour, dashes = STYLES[curve.method]
    style = {"color": colour, "linestyle": dashes, "label": curve.label, "linewidth": 1.8, **style}
    axes.plot(getattr(curve, x), getattr(curve, y), **style)


def legend(figure, axes, columns: int = 4) -> None:
    """One legend below all panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def save(figure, path: Path) -> None:
    """Write in 128 colours, a third of the size, and close."""
    figure.savefig(path, dpi=75)
    plt.close(figure)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def classification(out: Path, pictures: Path) -> None:
    """Training loss and test accuracy against epochs, gradients and seconds."""
    for (data, network), curves in read(out, "classification").items():
        figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained", sharey="row")
        for column, x in enumerate(("epochs", "gradients", "seconds")):
            for curve in curves:
                draw(axes[0, column], curve, x, "train")
                draw(axes[1, column], curve, x, "accuracy")
            axes[0, column].set(yscale="log")
            axes[1, column].set(xlabel="gradients and products" if x == "gradients" else x)
        # a line search that fails at the end of its digits is not worth the room
        most = 1.1 * float(np.median([curve.epochs[-1] for curve in curves]))
        axes[0, 0].set_xlim(0, most)
        axes[1, 0].set_xlim(0, most)
        # the rise at the start would hide the differences at the end
        best = max(np.nanmax(curve.accuracy) for curve in curves)
        axes[1, 0].set(ylim=(0.7 * best, 1.03 * best), ylabel="test accuracy")
        axes[0, 0].set(ylabel="training loss")
        # a run that overfits to zero should not squeeze the others
        low = min(curve.train[-1] for curve in curves)
        axes[0, 0].set(ylim=(max(low, 1e-4) / 1.5, 1.3 * curves[0].train[0]))
        figure.suptitle(f"{data}, {network}, cross-entropy")
        legend(figure, axes[0, 0])
        save(figure, pictures / f"classification_{data}.png")


def autoencoder(out: Path, pictures: Path) -> None:
    """Training and test error in the early and the late phase."""
    groups = read(out, "autoencoder")
    for data in dict.fromkeys(data for data, _ in groups):
        chosen = [(network, curves) for (d, network), curves in groups.items() if d == data]
        figure, axes = plt.subplots(
            len(chosen), 4, figsize=(16, 4.2 * len(chosen)), layout="constrained", squeeze=False
        )
        for row, (network, curves) in zip(axes, chosen, strict=True):
            for ax, part, y in zip(row, ("early", "early", "late", "late"),
                                   ("train", "test") * 2, strict=True):  # fmt: skip
                for curve in curves:  # the best rate need not be the same for both networks
                    draw(ax, curve, "epochs", y, label=curve.method)
                last = max(curve.epochs[-1] for curve in curves)
                early = min(EARLY, last / 4)
                limits = (0, early) if part == "early" else (early, last)
                shown = np.concatenate([
                    getattr(c, y)[(c.epochs >= limits[0]) & (c.epochs <= limits[1])]
                    for c in curves
                ])  # fmt: skip
                shown = shown[np.isfinite(shown)]
                if shown.size:
                    ax.set_ylim(shown.min() * 0.95, min(shown.max(), curves[0].train[0]) * 1.05)
                ax.set(xlim=limits, yscale="log", xlabel="epochs",
                       title=f"{part}: {'training' if y == 'train' else 'test'} error")  # fmt: skip
                ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%.3f"))
                ax.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
                low, high = ax.get_ylim()
                ax.set_yticks(np.geomspace(low * 1.05, high * 0.95, 5))
            row[0].set_ylabel(f"{network}\nmean square error")
        figure.suptitle(f"Autoencoders, {data}")
        legend(figure, axes[0, 0])
        save(figure, pictures / f"autoencoder_{data}.png")


def reconstructions(out: Path, pictures: Path) -> None:
    """Test images beside what the autoencoders of each method make of them."""
    if not (out / "reconstructions.npz").exists():
        return
    with np.load(out / "reconstructions.npz") as file:
        stored = dict(file)
    for (data, network), curves in read(out, "autoencoder").items():
        rows = [
            (f"{curve.label}: {curve.test[-1]:.4f}", stored[name])
            for curve in curves
            if (name := shown_name(data, network, curve)) in stored
        ]
        if not rows:
            continue
        inputs = stored[f"inputs_{data}"]
        rows.insert(0, ("input", inputs))
        side = round(inputs.shape[1] ** 0.5)
        figure, axes = plt.subplots(len(rows), 1, figsize=(11, 0.78 * len(rows)))
        figure.subplots_adjust(left=0.3, right=0.99, bottom=0.02, top=0.92, hspace=0.1)
        for ax, (label, images) in zip(axes, rows, strict=True):
            strip = np.hstack(images.reshape(-1, side, side))
            ax.imshow(strip, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_ylabel(label, rotation=0, ha="right", va="center")
        figure.suptitle(f"{data}, {network}: test images and reconstructions (test error)")
        save(figure, pictures / f"reconstructions_{data}.png")


def minibatch(out: Path, pictures: Path) -> None:
    """Mini-batch runs, with the best full-batch and first-order runs beside them."""
    groups = read(out, "minibatch")
    if not groups:
        return
    others = read(out, "classification")
    figure, axes = plt.subplots(
        2, len(groups), figsize=(max(12, 7 * len(groups)), 8), layout="constrained", squeeze=False
    )
    for column, (key, curves) in zip(axes.T, groups.items(), strict=True):
        extra = [c for c in others.get(key, []) if c.method in ("L-BFGS-B", "Adam")]
        for curve in curves + extra:
            # the best rate of Adam need not be the same for both data
            label = curve.method if curve in curves else f"{curve.method} (see classification)"
            draw(column[0], curve, "epochs", "train", label=label)
            draw(column[1], curve, "epochs", "accuracy")
        low = min(np.nanmin(c.train) for c in curves)
        column[0].set(yscale="log", title=f"{key[0]}, {key[1]}", ylabel="training loss",
                      ylim=(max(low, 1e-4) / 3, 1.3 * curves[0].train[0]))  # fmt: skip
        for ax in column:
            ax.set_xlim(0, 1.05 * float(np.median([c.epochs[-1] for c in curves])))
        best = max(np.nanmax(c.accuracy) for c in curves + extra)
        column[1].set(xlabel="epochs", ylabel="test accuracy", ylim=(0.7 * best, 1.03 * best))
    legend(figure, axes[0, 0], 3)
    save(figure, pictures / "minibatch.png")


def timings(out: Path, pictures: Path) -> list[dict[str, object]]:
    """Seconds per iteration and epoch, the share outside the loss, and the race to a target."""
    rows: list[dict[str, object]] = []
    for experiment in ("classification", "autoencoder", "minibatch"):
        for (data, network), curves in read(out, experiment).items():
            # the least loss that every method has got to
            target = max(float(np.nanmin(c.train)) for c in curves)
            for c in curves:
                steps = max(c.iteration[-1], 1)
                accuracy = c.accuracy[np.isfinite(c.accuracy)]
                rows.append({
                    "experiment": experiment, "data": data, "network": network,
                    "method": c.method, "rate": c.rate,
                    "train": f"{c.train[-1]:.5g}", "test": f"{c.test[-1]:.5g}",
                    "accuracy": f"{accuracy[-1]:.4f}" if accuracy.size else "",
                    "best accuracy": f"{accuracy.max():.4f}" if accuracy.size else "",
                    "ms/iteration": f"{1000 * c.seconds[-1] / steps:.1f}",
                    "s/epoch": f"{c.seconds[-1] / c.epochs[-1]:.3f}",
                    "outside": f"{100 * (1 - c.inside[-1] / c.seconds[-1]):.0f} %",
                    "target": f"{target:.4g}",
                    "steps to it": f"{c.reaches(target, 'iteration'):.0f}",
                    "epochs to it": f"{c.reaches(target, 'epochs'):.0f}",
                    "gradients to it": f"{c.reaches(target, 'gradients'):.0f}",
                    "seconds to it": f"{c.reaches(target, 'seconds'):.1f}",
                    "test there": f"{c.reaches(target, 'test'):.4g}",
                })  # fmt: skip
    if not rows:
        return rows
    with (out / "timings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    groups = list(dict.fromkeys((r["experiment"], r["data"], r["network"]) for r in rows))
    first = [r for r in rows if (r["experiment"], r["data"], r["network"]) == groups[0]]
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained", sharey=True)
    names = [str(r["method"]) for r in first]
    colours = [STYLES[name][0] for name in names]
    for ax, (column, title) in zip(
        axes,
        (("s/epoch", "seconds per epoch"), ("outside", "% of them outside the loss"),
         ("seconds to it", f"seconds to a training loss of {first[0]['target']}")),
        strict=True,
    ):  # fmt: skip
        values = [float(str(r[column]).removesuffix(" %")) for r in first]
        bars = ax.barh(names, np.nan_to_num(values), color=colours)
        labels = ["not reached" if np.isnan(v) else f"{v:g}" for v in values]
        ax.bar_label(bars, labels, padding=3)
        ax.set_title(title)
        ax.margins(x=0.25)
    for ax in axes:
        ax.grid(False)
    axes[0].invert_yaxis()
    figure.suptitle(f"{groups[0][1]}, {groups[0][2]}")
    save(figure, pictures / "timings.png")
    return rows


def summary(out: Path, rows: list[dict[str, object]]) -> None:
    """The timings as tables in Markdown."""
    lines = ["Target: the least training loss that every method of the table has got to.", ""]
    for experiment in dict.fromkeys(r["experiment"] for r in rows):
        chosen = [r for r in rows if r["experiment"] == experiment]
        columns = list(dict.fromkeys((r["data"], r["network"]) for r in chosen))
        score = "best accuracy" if any(r["accuracy"] for r in chosen) else "test"
        title = score if score != "test" else "test error"
        lines += [f"### {experiment}: training loss at the end, {title}", "",
                  "| method | " + " | ".join(f"{d}, {n}" for d, n in columns) + " |",
                  "|---" * (len(columns) + 1) + "|"]  # fmt: skip
        for method in dict.fromkeys(r["method"] for r in chosen):
            cells = {(r["data"], r["network"]): f"{r['train']}, {r[score]}"
                     for r in chosen if r["method"] == method}  # fmt: skip
            lines.append(f"| {method} | " + " | ".join(cells.get(c, "") for c in columns) + " |")
        lines.append("")
    hidden = ("experiment", "data", "network", "rate", "target")
    for group in dict.fromkeys((r["experiment"], r["data"], r["network"]) for r in rows):
        chosen = [r for r in rows if (r["experiment"], r["data"], r["network"]) == group]
        columns = [c for c in chosen[0] if c not in hidden and any(r[c] for r in chosen)]
        lines += [f"### {group[0]}, {group[1]}, {group[2]} (target {chosen[0]['target']})", ""]
        lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        for r in chosen:
            name = f"{r['method']}, {r['rate']}" if r["rate"] else r["method"]
            cells = [str(name), *(str(r[c]).replace("nan", "-") for c in columns[1:])]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    (out / "summary.md").write_text("\n".join(lines))


def main(out: Path, pictures: Path | None = None) -> None:
    """Every figure and table that the files in `out` allow."""
    plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.25})
    pictures = pictures or out
    pictures.mkdir(parents=True, exist_ok=True)
    join(out)
    for draw_all in (classification, autoencoder, reconstructions, minibatch):
        draw_all(out, pictures)
    rows = timings(out, pictures)
    if rows:
        summary(out, rows)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
