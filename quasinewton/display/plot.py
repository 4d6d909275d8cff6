"""Pictures of runs (the extra ``plot``: matplotlib).

Each function returns the figure, a new one of `matplotlib.pyplot` unless `ax` says where to draw: a
notebook shows it, a script by ``plt.show()``. Curves differ in colour, dashes and marks, so there
are at most eight in a picture; of more runs the legend says how many are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import OptimizeResult

from ..extras import needs

__all__ = ["convergence", "path", "profiles", "spectrum", "steps"]

#: Okabe and Ito's palette, which colour-blind readers can tell apart; yellow is too pale for lines.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F",
)  # fmt: skip
_DASHES = ("-", "--", "-.", ":")
_MARKS = "os^DvPX*"
MOST = len(COLOURS)

#: Where the longest of several curves is so many times the shortest, their axis is logarithmic.
_LONG = 10.0

Results: TypeAlias = OptimizeResult | Mapping[str, OptimizeResult] | Iterable[OptimizeResult]


def _style(k: int, points: int, marks: int = 10) -> dict[str, Any]:
    """The look of curve k, with about so many marks on it, shifted against those of others."""
    every = max(1, points // marks)
    return {
        "color": COLOURS[k], "ls": _DASHES[k % len(_DASHES)], "marker": _MARKS[k], "ms": 4.0,
        "mec": "white", "mew": 0.4, "markevery": (k * every // MOST, every),
    }  # fmt: skip


def _panels(ax: Any, title: str, columns: int = 1, rows: int = 1) -> tuple[Any, list[Any]]:
    """The figure and its axes in reading order: new ones, or those given, which may be fewer."""
    most = columns * rows
    if ax is not None:
        given = [ax] if hasattr(ax, "plot") else list(np.ravel(ax))
        if not 1 <= len(given) <= most or not all(hasattr(one, "plot") for one in given):
            expected = "Axes of matplotlib" if most == 1 else f"one or {most} Axes of matplotlib"
            raise TypeError(f"`ax` must be {expected}, got {ax!r:.100}")
        figure = given[0].figure
        if title:
            given[0].set_title(title)
        return figure, given
    with needs("matplotlib", "plot", "a picture"):
        from matplotlib import pyplot
    figure = pyplot.figure(figsize=(6.5 * columns, 2.2 + 2.6 * rows), layout="constrained")
    vars(figure)["_ipython_display_"] = partial(_show, figure)
    if title:
        figure.suptitle(title)
    return figure, list(figure.subplots(rows, columns, sharex="col", squeeze=False).flat)


def _show(figure: Any) -> None:
    """Called by IPython where it displays a figure: as the value of a cell, or for the backend.

    The inline backend displays at the end of a cell what pyplot knows, which would be once more.
    """
    from matplotlib import pyplot

    if "inline" in pyplot.get_backend():
        pyplot.close(figure)
    raise NotImplementedError  # IPython's own way to display a figure is the right one


def _legend(figure: Any, panels: Sequence[Any], ax: Any, ncols: int, **look: Any) -> None:
    """Below a figure of our own, or inside of axes that the caller has."""
    handles, labels = panels[0].get_legend_handles_labels()
    if ax is None:
        figure.legend(handles, labels, loc="outside lower center", ncols=ncols, **look)
    else:
        panels[0].legend(handles, labels, **look)


def _labelled(results: Results) -> dict[str, OptimizeResult]:
    """One result or many by label."""
    if isinstance(results, OptimizeResult):  # which is a mapping too
        results = [results]
    if not isinstance(results, Mapping):
        results = list(results)
        labels: list[str] = []
        for k, result in enumerate(results, 1):
            name = str(result.get("method", f"run {k}"))
            same = sum(label.partition(" (")[0] == name for label in labels)
            labels.append(f"{name} ({same + 1})" if same else name)
        results = dict(zip(labels, results, strict=True))
    if not results:
        raise ValueError("`results` must hold at least one result, got none")
    return dict(results)


def _history(name: str, result: OptimizeResult) -> Mapping[str, np.ndarray]:
    history: Mapping[str, np.ndarray] | None = result.get("history")
    if history is None:
        raise ValueError(f"{name} has no history; run with options={{'history': True}}")
    return history


def _fit_length(axes: Any, lengths: Sequence[float]) -> None:
    """A logarithmic axis where one curve would press the others to the edge."""
    known = [length for length in lengths if length > 0.0]
    if known and max(known) >= _LONG * min(known):
        axes.set_xscale("log", nonpositive="mask")


def convergence(
    results: Results, against: str = "nfev", *, ax: Any = None, title: str = ""
) -> Any:
    """f above the least value of all runs, and max|g| where that is known.

    Parameters
    ----------
    results : OptimizeResult, mapping or sequence of them
        One result, results by label, or results that their methods name; of runs with
        ``options={'history': True}``. Of more than eight, those are drawn that get lowest.
    against : {'nfev', 'time'}, default 'nfev'
        Evaluations of f, or seconds; on a logarithmic axis where one run takes ten times as long
        as another.
    ax : Axes, or two of them, optional
        Where to draw f and max|g|; if it is one, f alone. Default: a new figure.
    title : str, default ''
    """
    if against not in ("nfev", "time"):
        raise ValueError(f"`against` must be 'nfev' or 'time', got {against!r}")
    histories = {k: _history(repr(k), r) for k, r in _labelled(results).items()}
    least = min(float(h["fun"].min()) for h in histories.values() if h["fun"].size)
    chosen = list(histories)
    if len(chosen) > MOST:  # those that get lowest; of equals those that took less
        ends = {k: (float(h["fun"].min()), float(h[against][-1])) for k, h in histories.items()}
        best = set(sorted(chosen, key=ends.__getitem__)[:MOST])
        chosen = [label for label in chosen if label in best]
    known = any(np.isfinite(histories[label]["optimality"]).any() for label in chosen)
    figure, panels = _panels(ax, title, 2 if known else 1)
    for k, label in enumerate(chosen):
        h = histories[label]
        gap = h["fun"] - least
        style = _style(k, len(gap))
        panels[0].plot(h[against], np.where(gap > 0.0, gap, np.nan), label=label, **style)
        if len(panels) > 1:
            panels[1].plot(h[against], h["optimality"], **style)
    for axes, name in zip(panels, ("f - least f", "max|g|"), strict=False):
        axes.set(yscale="log", ylabel=name, xlabel={"nfev": "evaluations of f",
                 "time": "seconds"}[against])  # fmt: skip
        _fit_length(axes, [float(histories[label][against][-1]) for label in chosen])
    if len(histories) > MOST:
        panels[0].plot([], [], " ", label=f"({len(histories) - MOST} others not drawn)")
    _legend(figure, panels, ax, 4 if known else 3)
    return figure


def path(
    fun: Callable[[np.ndarray], float],
    results: Results,
    points: int = 200,
    *,
    ax: Any = None,
    title: str = "",
) -> Any:
    """The accepted points of runs in two variables over contours of log(f - least f).

    Parameters
    ----------
    fun : callable
        ``fun(x) -> float``.
    results : OptimizeResult, mapping or sequence of them
        As in `convergence`, of runs with ``options={'return_all': True}``; at most eight.
    points : int, default 200
        Points of the grid in each direction.
    ax : Axes, optional
        Where to draw; default: a new figure.
    title : str, default ''
    """
    paths = {}
    for label, result in _labelled(results).items():
        if "allvecs" not in result:
            raise ValueError(f"{label!r} has no allvecs; run with options={{'return_all': True}}")
        paths[label] = np.array(result.allvecs)
        if paths[label].shape[1] != 2:
            raise ValueError(f"{label!r} has {paths[label].shape[1]} variables, expected 2")
    if len(paths) > MOST:
        raise ValueError(f"`results` must hold at most {MOST} paths, got {len(paths)}")
    every = np.concatenate(list(paths.values()))
    margin = 0.15 * np.maximum(np.ptp(every, axis=0), 1e-3)
    x, y = (np.linspace(a, b, points) for a, b in zip(every.min(0) - margin,
            every.max(0) + margin, strict=True))  # fmt: skip
    f = np.array([[fun(np.array([a, b])) for a in x] for b in y])
    gap = f - np.nanmin(f)
    log_gap = np.log10(gap + 1e-6 * np.nanmax(gap) + np.finfo(float).tiny)
    figure, panels = _panels(ax, title)
    axes = panels[0]
    axes.contourf(x, y, log_gap, levels=24, cmap="Greys", alpha=0.28)
    for k, (label, p) in enumerate(paths.items()):
        axes.plot(*p.T, label=label, **{**_style(k, len(p)), "markevery": 1})
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    _legend(figure, panels, ax, 4)
    return figure


def steps(result: OptimizeResult, *, ax: Any = None, title: str = "") -> Any:
    """Lengths of the trial steps, and actual over predicted decrease, by iteration.

    Parameters
    ----------
    result : OptimizeResult
        Of a run with ``options={'history': True}``. Rejected trials are crosses.
    ax : Axes, or two of them, optional
        Where to draw lengths and ratios; if it is one, lengths alone. Default: a new figure.
    title : str, default ''
    """
    history = _history("`result`", result)
    h = {key: history[key][1:] for key in ("step", "rho", "accepted")}  # without the start
    h["rho"] = np.clip(h["rho"], -1.0, 3.0)
    iteration = np.arange(1, h["step"].size + 1)
    taken = h["accepted"].astype(bool)
    figure, panels = _panels(ax, title, 1, 2)
    for axes, key in zip(panels, ("step", "rho"), strict=False):
        axes.plot(iteration[taken], h[key][taken], "o", ms=4, color=COLOURS[0], label="accepted")
        axes.plot(iteration[~taken], h[key][~taken], "x", color=COLOURS[1], label="rejected")
    panels[0].set(yscale="log", ylabel="length of the step")
    if len(panels) > 1:
        panels[1].axhline(1.0, color="0.6", lw=0.8, zorder=0)
        panels[1].set(ylabel="ratio (clipped to [-1, 3])", ylim=(-1.1, 3.1))
    panels[-1].set(xlabel="iteration")
    _legend(figure, panels, ax, 2)
    return figure


def spectrum(result: OptimizeResult, *, ax: Any = None, title: str = "") -> Any:
    """Eigenvalues of the model of the Hessian, by iteration.

    Parameters
    ----------
    result : OptimizeResult
        Of a run of a quasi-Newton method with ``options={'history': 'spectrum'}``. The line is
        gamma, the eigenvalue of all that the pairs do not span, where there is such a rest.
    ax : Axes, optional
        Where to draw; default: a new figure.
    title : str, default ''
    """
    history = _history("`result`", result)
    if "eigenvalues" not in history:
        raise ValueError("`result` has no spectrum; run with options={'history': 'spectrum'}")
    lam = history["eigenvalues"]
    rank = np.sum(~np.isnan(lam), axis=1)
    iteration = np.arange(rank.size)
    at = np.broadcast_to(iteration[:, None], lam.shape)
    top = np.fmax(np.abs(lam).max(axis=1, initial=0.0, where=~np.isnan(lam)), history["gamma"])
    size = min(4.0, max(1.5, 60.0 / rank.size**0.5)) if rank.size else 4.0
    figure, panels = _panels(ax, title)
    axes = panels[0]
    for label, sign, look in (
        ("positive", 1.0, {"marker": "o", "color": COLOURS[0], "mew": 0.0}),
        ("negative", -1.0, {"marker": "x", "color": COLOURS[1], "mew": size / 4.0}),
    ):
        chosen = sign * lam > 1e-12 * top[:, None]  # others are roundoff
        axes.plot(at[chosen], np.abs(lam[chosen]), ls="", ms=size, label=label, **look)
    gamma = np.where(rank < result.x.size, history["gamma"], np.nan)
    axes.plot(iteration, gamma, color=COLOURS[6], lw=1.0, label="gamma")
    axes.set(yscale="log", ylabel="|eigenvalue|", xlabel="iteration")
    _legend(figure, panels, ax, 3, markerscale=4.0 / size, columnspacing=1.0, handlelength=1.2)
    return figure


def profiles(
    costs: Mapping[str, np.ndarray], n: np.ndarray, title: str = "", *, ax: Any = None
) -> Any:
    """Performance profile (Dolan & More 2002) and data profile (More & Wild 2009).

    Parameters
    ----------
    costs : mapping
        By method, the cost on each problem, shape (problems,); inf where it was not solved. The
        least cost is that of all methods; of more than eight, those are drawn that solve most,
        and of equals the cheapest ones.
    n : array, shape (problems,)
        Number of variables of each problem.
    title : str, default ''
    ax : Axes, or two of them, optional
        Where to draw the two profiles; if it is one, the performance profile alone. Default: a new
        figure.
    """
    table = np.array(list(costs.values()), np.float64)
    n = np.asarray(n)
    if table.ndim != 2 or table.shape[1:] != n.shape or not n.size:
        raise ValueError(f"`costs` has shape {table.shape}, expected (methods, {n.size})")
    least = table.min(axis=0)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(table), table / least, np.inf)
    per_variable = table / (n + 1)
    order = [(-int(np.isfinite(r).sum()), float(r[np.isfinite(r)].sum())) for r in ratios]
    drawn = sorted(sorted(range(len(order)), key=order.__getitem__)[:MOST])
    widest = np.max(per_variable, where=np.isfinite(per_variable), initial=0.0)
    share = np.arange(1, n.size + 1) / n.size
    figure, panels = _panels(ax, "", 2)
    labels = list(costs)
    for k, row in enumerate(drawn):
        for axes, values, edge in zip(
            panels, (ratios, per_variable), (30.0, widest), strict=False
        ):
            x = np.sort(values[row][np.isfinite(values[row])])
            # the share stays what it is to the edge of the picture
            ends = np.append(x, max(edge, x[-1])) if x.size else x
            axes.step(ends, share[np.minimum(np.arange(ends.size), x.size - 1)], where="post",
                      label=labels[row], **_style(k, ends.size, 6))  # fmt: skip
    panels[0].set(xscale="log", xlim=(1, 30), ylim=(0, 1), xlabel="cost / least cost")
    panels[0].set(ylabel="share of problems solved", title=f"Performance profile {title}".strip())
    if len(panels) > 1:
        panels[1].set(xscale="log", ylim=(0, 1), xlabel="cost / (n + 1)")
        panels[1].set(title=f"Data profile {title}".strip())
    if len(labels) > MOST:
        panels[0].plot([], [], " ", label=f"({len(labels) - MOST} others not drawn)")
    _legend(figure, panels, ax, 4)
    return figure


def __dir__() -> list[str]:
    return list(__all__)
