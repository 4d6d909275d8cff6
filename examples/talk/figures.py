"""Figures and tables from the files of the runs.

    python -m examples.talk.figures DIR [PICTURES]     # DIR of `python -m examples.talk --out DIR`

If there is DIR/runs, its files are first joined to DIR/<experiment>.csv, and the images that are
shown to DIR/reconstructions.npz. All figures and tables are made from these, so DIR/runs may be
deleted then. Pictures go to PICTURES, or DIR; tables to DIR/summary.md. Rosenbrock's pictures are
`rosenbrock`'s own.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image  # matplotlib depends on it

from .results import Curve, inputs_name, join, read
from .training import HAS_TORCH, file_name

__all__ = ["machine", "main", "save"]

# Okabe and Ito's palette, which colour-blind readers can tell apart, and dashes beside it.
STYLES = {
    "trust_cg": ("#000000", "-"),
    "arc_lsr1": ("#D55E00", "-"),
    "arc_hybrid": ("#E69F00", "--"),
    "arc_hybrid r=1": ("#0072B2", "-"),
    "trust_hybrid": ("#E69F00", "-"),
    "L-BFGS-B": ("#009E73", "-"),
    "torch LBFGS": ("#009E73", "--"),
    "SGD": ("#0072B2", ":"),
    "RMSProp": ("#CC79A7", "-."),
    "Adam": ("#56B4E9", "-"),
    "batch arc_lsr1 published": ("#CC79A7", "--"),
    "batch arc_lsr1": ("#D55E00", "-"),
    "batch arc_hybrid": ("#E69F00", "-"),
    "batch arc_hybrid overlap": ("#0072B2", ":"),
    "batch trust_cg": ("#000000", "-"),
}
#: Epochs of the early phase.
EARLY = 12
#: Epochs after which the loss of L-BFGS-B is a mark.
MARKS = (40, 80)
#: Epochs of a run, at least.
EPOCHS = 80
#: Methods of this library that take no Hessian products.
OWN = ("arc_lsr1", "arc_hybrid", "arc_hybrid r=1", "trust_hybrid")

Group = tuple[str, str, str]
Methods = dict[str, list[Curve]]


def machine() -> dict[str, object]:
    """Cores and versions."""
    names = ("numpy", "scipy", "numba", *(("torch",) if HAS_TORCH else ()))
    versions = {name: metadata.version(name) for name in names}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **versions}


def images_of(samples: str) -> str:
    """The size of a training set, in words."""
    return f"{samples} images"


def label_of(curves: list[Curve]) -> str:
    method, rate = curves[0].method, curves[0].rate
    return f"{method} (rate {rate})" if rate else method


def draw(axes, curves: list[Curve], x: str, y: str, **style) -> None:
    """The curves of a method, one a seed."""
    colour, dashes = STYLES[curves[0].method]
    style = {"color": colour, "linestyle": dashes, "label": label_of(curves),
             "linewidth": 1.8 if len(curves) == 1 else 1.1, **style}  # fmt: skip
    for curve in curves:
        values = getattr(curve, y)
        known = np.isfinite(values)
        axes.plot(getattr(curve, x)[known], values[known], **style)
        style["label"] = None


def ends(methods: Methods, name: str, best: str = "") -> list[float]:
    """The last values of a column of all curves, or with best='max' or 'min' the best."""
    found = []
    for curve in (c for curves in methods.values() for c in curves):
        values = getattr(curve, name)
        values = values[np.isfinite(values)]
        if values.size:
            found.append(float(getattr(values, best)() if best else values[-1]))
    return found


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
    """Training loss and test accuracy against epochs and seconds."""
    for (data, network, samples), methods in read(out, "classification").items():
        figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained", sharey="row")
        for column, x in enumerate(("epochs", "seconds")):
            for curves in methods.values():
                draw(axes[0, column], curves, x, "train")
                draw(axes[1, column], curves, x, "accuracy")
            axes[0, column].set(yscale="log")
            axes[1, column].set(xlabel=x)
        # a line search that fails at the end of its digits is not worth the room
        most = 1.1 * float(np.median(ends(methods, "epochs")))
        axes[0, 0].set_xlim(0, most)
        axes[1, 0].set_xlim(0, most)
        # the rise at the start would hide the differences at the end
        best = max(ends(methods, "accuracy", "max"))
        axes[1, 0].set(ylim=(0.7 * best, 1.03 * best), ylabel="test accuracy")
        # a run that overfits to zero should not squeeze the others
        low = max(min(ends(methods, "train")), 1e-4) / 1.5
        start = next(iter(methods.values()))[0].train[0]
        axes[0, 0].set(ylim=(low, 1.3 * start), ylabel="training loss")
        figure.suptitle(f"{data}, {network}, cross-entropy, {images_of(samples)}")
        legend(figure, axes[0, 0], 5)
        save(figure, pictures / f"classification_{data}_{network}_{samples}.png")


def autoencoder(out: Path, pictures: Path) -> None:
    """Training and test error in the early and the late phase."""
    groups = read(out, "autoencoder")
    for data, samples in dict.fromkeys((data, samples) for data, _, samples in groups):
        chosen = [(g[1], methods) for g, methods in groups.items() if g[::2] == (data, samples)]
        figure, axes = plt.subplots(
            len(chosen), 4, figsize=(16, 4.2 * len(chosen)), layout="constrained", squeeze=False
        )
        for row, (network, methods) in zip(axes, chosen, strict=True):
            all_curves = [c for curves in methods.values() for c in curves]
            for ax, part, y in zip(row, ("early", "early", "late", "late"),
                                   ("train", "test") * 2, strict=True):  # fmt: skip
                for curves in methods.values():  # rates need not be the same for both networks
                    draw(ax, curves, "epochs", y, label=curves[0].method)
                last = max(ends(methods, "epochs"))
                early = min(EARLY, last / 4)
                limits = (0, early) if part == "early" else (early, last)
                shown = np.concatenate([
                    getattr(c, y)[(c.epochs >= limits[0]) & (c.epochs <= limits[1])]
                    for c in all_curves
                ])  # fmt: skip
                shown = shown[np.isfinite(shown)]
                if shown.size:
                    most = min(shown.max(), all_curves[0].train[0])
                    ax.set_ylim(shown.min() * 0.95, most * 1.05)
                ax.set(xlim=limits, yscale="log", xlabel="epochs",
                       title=f"{part}: {'training' if y == 'train' else 'test'} error")  # fmt: skip
                ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%.3f"))
                ax.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
                low, high = ax.get_ylim()
                ax.set_yticks(np.geomspace(low * 1.05, high * 0.95, 5))
            row[0].set_ylabel(f"{network}\nmean square error")
        figure.suptitle(f"Autoencoders, {data}, {images_of(samples)}")
        legend(figure, axes[0, 0], 5)
        save(figure, pictures / f"autoencoder_{data}_{samples}.png")


def reconstructions(out: Path, pictures: Path) -> None:
    """Test images beside what the autoencoders of each method make of them."""
    if not (out / "reconstructions.npz").exists():
        return
    with np.load(out / "reconstructions.npz") as file:
        stored = dict(file)
    for group, methods in read(out, "autoencoder").items():
        data, network, samples = group
        rows = [
            (f"{label_of(curves)}: {curves[0].test[-1]:.4f}", stored[name])
            for curves in methods.values()
            if (name := file_name(curves[0].key)) in stored
        ]
        if not rows:
            continue
        inputs = stored[inputs_name(group)]
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
        figure.suptitle(f"{data}, {network}, {images_of(samples)}: test images, reconstructions "
                        "(test error)")  # fmt: skip
        save(figure, pictures / f"reconstructions_{data}_{samples}.png")


def minibatch(out: Path, pictures: Path) -> None:
    """Mini-batch runs, with the best full-batch and first-order runs beside them."""
    groups = read(out, "minibatch")
    if not groups:
        return
    others = read(out, "classification")
    figure, axes = plt.subplots(
        2, len(groups), figsize=(max(12, 7 * len(groups)), 8), layout="constrained", squeeze=False
    )
    for column, (key, methods) in zip(axes.T, groups.items(), strict=True):
        beside = others.get(key, {})
        extra = {name: beside[name] for name in ("trust_hybrid", "Adam") if name in beside}
        for name, curves in {**methods, **extra}.items():
            # the best rate of Adam need not be the same for both data
            label = name if name in methods else f"{name} (see classification)"
            draw(column[0], curves, "epochs", "train", label=label)
            draw(column[1], curves, "epochs", "accuracy")
        low = min(ends(methods, "train", "min"))
        start = next(iter(methods.values()))[0].train[0]
        column[0].set(yscale="log", title=", ".join(key[:2]), ylabel="training loss",
                      ylim=(max(low, 1e-4) / 3, 1.3 * start))  # fmt: skip
        for ax in column:
            ax.set_xlim(0, 1.05 * float(np.median(ends(methods, "epochs"))))
        best = max(ends({**methods, **extra}, "accuracy", "max"))
        column[1].set(xlabel="epochs", ylabel="test accuracy", ylim=(0.7 * best, 1.03 * best))
    legend(figure, axes[0, 0], 3)
    save(figure, pictures / "minibatch.png")


def number(value: float, form: str = ".3g") -> str:
    """Without a power of ten where it can be; '-' for what is not known."""
    if np.isnan(value):
        return "-"
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:{form}}"


def spread(values: Iterable[float], form: str = ".3g", most: float = np.inf) -> str:
    """The median, and in brackets the least and the largest; '> most' where it is not reached."""
    values = [np.inf if np.isnan(v) and np.isfinite(most) else v for v in values]
    words = [f"> {most:.0f}" if np.isinf(v) else number(v, form) for v in sorted(values)]
    middle = words[len(words) // 2]
    return middle if len(set(words)) == 1 else f"{middle} ({words[0]} to {words[-1]})"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown, and an empty line."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def results(groups: dict[Group, Methods], experiment: str) -> list[str]:
    """For each size a table of methods by networks."""
    lines: list[str] = []
    for samples in dict.fromkeys(group[2] for group in groups):
        chosen = {group: methods for group, methods in groups.items() if group[2] == samples}
        labelled = experiment != "autoencoder"
        score = "best test accuracy" if labelled else "test error at the end"
        lines += [f"### {experiment}, {images_of(samples)}: training loss at the end, {score}", ""]
        rows = []
        for method in dict.fromkeys(m for methods in chosen.values() for m in methods):
            row = [method]
            for methods in chosen.values():
                curves = methods.get(method, [])
                form = ".4f" if labelled else ".3g"
                scores = [np.nanmax(c.accuracy) if labelled else c.test[-1] for c in curves]
                row.append(f"{spread(c.train[-1] for c in curves)}; {spread(scores, form)}"
                           if curves else "")  # fmt: skip
            rows.append(row)
        lines += table(["method", *(f"{group[0]}, {group[1]}" for group in chosen)], rows)
    return lines


def target_of(methods: Methods) -> float:
    """The least loss that every method has got to, by the medians of the seeds."""
    return max(
        float(np.median([np.nanmin(curve.train) for curve in curves]))
        for curves in methods.values()
    )


def median(values: Iterable[float]) -> float:
    """That of the seeds; nan, for what was not reached, is more than any number."""
    middle = float(np.median([np.inf if np.isnan(v) else v for v in values]))
    return middle if np.isfinite(middle) else float("nan")


def marks(groups: dict[Group, Methods], epochs: int) -> list[str]:
    """Epochs to the loss of L-BFGS-B after so many epochs, seed by seed."""
    shown = (*OWN, "L-BFGS-B", "torch LBFGS", "trust_cg")
    rows = []
    for (data, network, samples), methods in groups.items():
        peers = {c.key[6]: c.train[c.epochs <= epochs] for c in methods.get("L-BFGS-B", [])}
        targets = {seed: losses[-1] for seed, losses in peers.items()}
        reached = {
            method: [
                curve.reaches(targets[curve.key[6]], "epochs")
                for curve in methods.get(method, []) if curve.key[6] in targets
            ]
            for method in shown
        }  # fmt: skip
        if targets:
            rows.append([
                f"{data}, {network}, {samples}", spread(targets.values()),
                *(spread(reached[m], ".0f", EPOCHS) if reached[m] else "" for m in shown),
            ])  # fmt: skip
    title = f"### Epochs to the training loss of L-BFGS-B after {epochs} epochs"
    return [title, "", *table(["network, images", "loss", *shown], rows)] if rows else []


def race(group: Group, methods: Methods, experiment: str) -> list[str]:
    """Cost of every method, and of getting to a loss that all get to; medians over the seeds."""
    target = target_of(methods)
    header = ["method", "rate", "steps", "ms a step", "s an epoch", "outside", "steps to it",
              "epochs to it", "seconds to it", "test there"]  # fmt: skip
    rows = []
    for method, curves in methods.items():
        columns = [
            [c.iteration[-1] for c in curves],
            [1000 * c.seconds[-1] / max(c.iteration[-1], 1) for c in curves],
            [c.seconds[-1] / c.epochs[-1] for c in curves],
            [100 * (1 - c.inside[-1] / c.seconds[-1]) for c in curves],
            *([c.reaches(target, name) for c in curves]
              for name in ("iteration", "epochs", "seconds", "test")),
        ]  # fmt: skip
        cells = [number(median(values)) for values in columns]
        cells[3] = f"{median(columns[3]):.0f} %"
        rows.append([method, curves[0].rate, *cells])
    title = f"### {experiment}, {', '.join(group[:2])}, {images_of(group[2])} (target {target:.4g})"
    return [title, "", *table(header, rows)]


def timings(groups: dict[Group, Methods], pictures: Path) -> None:
    """Bars for the first network: seconds an epoch, the share outside the loss, and of the race."""
    (data, network, samples), methods = next(iter(groups.items()))
    target = target_of(methods)
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained", sharey=True)
    panels = (
        ("seconds an epoch", lambda c: c.seconds[-1] / c.epochs[-1]),
        ("% of them outside the loss", lambda c: 100 * (1 - c.inside[-1] / c.seconds[-1])),
        (f"seconds to a training loss of {target:.3g}", lambda c: c.reaches(target, "seconds")),
    )
    for ax, (title, value) in zip(axes, panels, strict=True):
        values = [median(value(c) for c in curves) for curves in methods.values()]
        bars = ax.barh(list(methods), np.nan_to_num(values),
                       color=[STYLES[name][0] for name in methods])  # fmt: skip
        ax.bar_label(bars, [number(v, ".2g") for v in values], padding=3)
        ax.set_title(title)
        ax.margins(x=0.25)
        ax.grid(False)
    axes[0].invert_yaxis()
    figure.suptitle(f"{data}, {network}, {images_of(samples)}")
    save(figure, pictures / "timings.png")


def summary(out: Path, pictures: Path) -> None:
    """All tables, and the bars of timings."""
    every = {name: read(out, name) for name in ("classification", "autoencoder", "minibatch")}
    every = {name: groups for name, groups in every.items() if groups}
    if not every:
        return
    lines = [
        "Of several seeds the median, and in brackets the least and the largest.", "",
    ]  # fmt: skip
    full_batch = {**every.get("classification", {}), **every.get("autoencoder", {})}
    for epochs in MARKS:
        lines += marks(full_batch, epochs)
    for experiment, groups in every.items():
        lines += results(groups, experiment)
    lines += ["## Cost", "", "Target: the least training loss that every method of the table has "
              "got to. Outside: share of the seconds outside the loss. Medians of the seeds.", ""]
    for experiment, groups in every.items():
        for group, methods in groups.items():
            lines += race(group, methods, experiment)
    (out / "summary.md").write_text("\n".join(lines))
    timings(next(iter(every.values())), pictures)


def main(out: Path, pictures: Path | None = None) -> None:
    """Every figure and table that the files in `out` allow."""
    plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.25})
    pictures = pictures or out
    pictures.mkdir(parents=True, exist_ok=True)
    join(out)
    for draw_all in (classification, autoencoder, reconstructions, minibatch, summary):
        draw_all(out, pictures)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
