"""Pictures of runs (the extra ``plot``: matplotlib). Each function returns the figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

__all__ = ["convergence", "path", "profiles", "spectrum", "steps"]

#: Okabe and Ito's palette, which colour-blind readers can tell apart; yellow is too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":")


def _style(k: int) -> dict[str, Any]:
    return {"color": COLOURS[k % 7], "ls": _DASHES[k // 7 % 3]}


def _figure(columns: int, rows: int = 1) -> Any:
    # No pyplot: the caller's backend and open figures stay as they are.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5 * columns, 2.2 + 2.6 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, sharex="col", squeeze=False)


def _history(name: str, result: OptimizeResult) -> Mapping[str, np.ndarray]:
    history: Mapping[str, np.ndarray] | None = result.get("history")
    if history is None:
        raise ValueError(f"{name} has no history; run with options={{'history': True}}")
    return history


def convergence(results: Mapping[str, OptimizeResult], against: str = "nfev") -> Any:
    """f above the least value of all runs, and max|g| where that is known.

    Parameters
    ----------
    results : mapping
        Results by label, of runs with ``options={'history': True}``.
    against : {'nfev', 'time'}, default 'nfev'
        Evaluations of f, or seconds.
    """
    if against not in ("nfev", "time"):
        raise ValueError(f"`against` must be 'nfev' or 'time', got {against!r}")
    histories = {label: _history(repr(label), result) for label, result in results.items()}
    if not histories:
        raise ValueError("`results` must hold at least one result, got none")
    least = min(float(h["fun"].min()) for h in histories.values() if h["fun"].size)
    known = any(np.isfinite(h["optimality"]).any() for h in histories.values())
    figure, (panels,) = _figure(2 if known else 1)
    for k, (label, h) in enumerate(histories.items()):
        gap = h["fun"] - least
        panels[0].plot(h[against], np.where(gap > 0.0, gap, np.nan), label=label, **_style(k))
        if known:
            panels[1].plot(h[against], h["optimality"], **_style(k))
    for axes, name in zip(panels, ("f - least f", "max|g|"), strict=False):
        axes.set(yscale="log", ylabel=name, xlabel={"nfev": "evaluations of f",
                 "time": "seconds"}[against])  # fmt: skip
    figure.legend(loc="outside lower center", ncols=4 if known else 3)
    return figure


def path(
    fun: Callable[[np.ndarray], float], results: Mapping[str, OptimizeResult], points: int = 200
) -> Any:
    """The accepted points of runs in two variables over contours of log(f - least f).

    Parameters
    ----------
    fun : callable
        ``fun(x) -> float``.
    results : mapping
        Results by label, of runs with ``options={'return_all': True}``.
    points : int, default 200
        Points of the grid in each direction.
    """
    paths = {}
    for label, result in results.items():
        if "allvecs" not in result:
            raise ValueError(f"{label!r} has no allvecs; run with options={{'return_all': True}}")
        paths[label] = np.array(result.allvecs)
        if paths[label].shape[1] != 2:
            raise ValueError(f"{label!r} has {paths[label].shape[1]} variables, expected 2")
    if not paths:
        raise ValueError("`results` must hold at least one result, got none")
    every = np.concatenate(list(paths.values()))
    margin = 0.15 * np.maximum(np.ptp(every, axis=0), 1e-3)
    x, y = (np.linspace(a, b, points) for a, b in zip(every.min(0) - margin,
            every.max(0) + margin, strict=True))  # fmt: skip
    f = np.array([[fun(np.array([a, b])) for a in x] for b in y])
    gap = f - np.nanmin(f)
    log_gap = np.log10(gap + 1e-6 * np.nanmax(gap) + np.finfo(float).tiny)
    figure, ((axes,),) = _figure(1)
    axes.contourf(x, y, log_gap, levels=24, cmap="Greys", alpha=0.28)
    for k, (label, p) in enumerate(paths.items()):
        axes.plot(*p.T, marker="o", ms=4, mec="white", mew=0.4, label=label, **_style(k))
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def steps(result: OptimizeResult) -> Any:
    """Lengths of the trial steps, and actual over predicted decrease, by iteration.

    Parameters
    ----------
    result : OptimizeResult
        Of a run with ``options={'history': True}``. Rejected trials are crosses.
    """
    history = _history("`result`", result)
    h = {key: history[key][1:] for key in ("step", "rho", "accepted")}  # without the start
    iteration = np.arange(1, h["step"].size + 1)
    taken = h["accepted"].astype(bool)
    figure, ((above,), (below,)) = _figure(1, 2)
    for axes, key in ((above, "step"), (below, "rho")):
        axes.plot(iteration[taken], h[key][taken], "o", ms=4, color=COLOURS[0], label="accepted")
        axes.plot(iteration[~taken], h[key][~taken], "x", color=COLOURS[1], label="rejected")
    above.set(yscale="log", ylabel="length of the step")
    below.axhline(1.0, color="0.6", lw=0.8, zorder=0)
    below.set(ylabel="ratio (clipped to [-1, 3])", xlabel="iteration", ylim=(-1.1, 3.1))
    for line in below.get_lines()[:2]:
        line.set_ydata(np.clip(line.get_ydata(), -1.0, 3.0))
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def spectrum(result: OptimizeResult) -> Any:
    """Eigenvalues of the model of the Hessian, by iteration.

    Parameters
    ----------
    result : OptimizeResult
        Of a run of a quasi-Newton method with ``options={'history': 'spectrum'}``. The line is
        gamma, the eigenvalue of all that the pairs do not span, where there is such a rest.
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
    figure, ((axes,),) = _figure(1)
    for label, sign, look in (
        ("positive", 1.0, {"marker": "o", "color": COLOURS[0], "mew": 0.0}),
        ("negative", -1.0, {"marker": "x", "color": COLOURS[1], "mew": size / 4.0}),
    ):
        chosen = sign * lam > 1e-12 * top[:, None]  # others are roundoff
        axes.plot(at[chosen], np.abs(lam[chosen]), ls="", ms=size, label=label, **look)
    gamma = np.where(rank < result.x.size, history["gamma"], np.nan)
    axes.plot(iteration, gamma, color=COLOURS[6], lw=1.0, label="gamma")
    axes.set(yscale="log", ylabel="|eigenvalue|", xlabel="iteration")
    figure.legend(loc="outside lower center", ncols=3, markerscale=4.0 / size,
                  columnspacing=1.0, handlelength=1.2)  # fmt: skip
    return figure


def profiles(costs: Mapping[str, np.ndarray], n: np.ndarray, title: str = "") -> Any:
    """Performance profile (Dolan & More 2002) and data profile (More & Wild 2009).

    Parameters
    ----------
    costs : mapping
        By method, the cost on each problem, shape (problems,); inf where it was not solved.
    n : array, shape (problems,)
        Number of variables of each problem.
    """
    table = np.array(list(costs.values()), np.float64)
    n = np.asarray(n)
    if table.ndim != 2 or table.shape[1:] != n.shape or not n.size:
        raise ValueError(f"`costs` has shape {table.shape}, expected (methods, {n.size})")
    least = table.min(axis=0)
    per_variable = table / (n + 1)
    widest = np.max(per_variable, where=np.isfinite(per_variable), initial=0.0)
    share = np.arange(1, n.size + 1) / n.size
    figure, ((left, right),) = _figure(2)
    for k, (method, values) in enumerate(zip(costs, table, strict=True)):
        with np.errstate(invalid="ignore"):
            ratios = np.where(np.isfinite(values), values / least, np.inf)
        for axes, x, edge in ((left, ratios, 30.0), (right, per_variable[k], widest)):
            x = np.sort(x[np.isfinite(x)])
            # the share stays what it is to the edge of the picture
            ends = np.append(x, max(edge, x[-1])) if x.size else x
            axes.step(ends, share[np.minimum(np.arange(ends.size), x.size - 1)], where="post",
                      label=method, **_style(k))  # fmt: skip
    left.set(xscale="log", xlim=(1, 30), ylim=(0, 1), xlabel="cost / least cost")
    left.set(ylabel="share of problems solved", title=f"Performance profile {title}".strip())
    right.set(xscale="log", ylim=(0, 1), xlabel="cost / (n + 1)")
    right.set(title=f"Data profile {title}".strip())
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
