"""Paths on Rosenbrock's function with and without the factor 100, and the loss they cost.

    python -m examples.talk --only rosenbrock
"""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize

from quasinewton import minimize, problems

from .figures import save

__all__ = ["METHODS", "main", "path"]

# Wide lines first, so that a path stays visible below another one that takes the same way.
METHODS = {
    "gradient descent": ("#56B4E9", "v", 4.0),
    "Newton": ("#CC79A7", "D", 3.2),
    "L-BFGS-B": ("#009E73", "^", 2.6),
    "trust_cg": ("#000000", "s", 2.0),
    "arc_lsr1": ("#D55E00", "o", 1.4),
}
FUNCTIONS = {
    "talk_rosenbrock": r"$(1-x_1)^2 + (x_2-x_1^2)^2$",
    "rosenbrock": r"$(1-x_1)^2 + 100\,(x_2-x_1^2)^2$",
}
#: The talk's, the classical one, and one in which the Hessian of both functions is indefinite.
STARTS = ((-1.3, 1.9), (-1.2, 1.0), (0.0, 2.2))
GTOL = 1e-6
MOST = 200


def path(method: str, problem: problems.Problem, start) -> tuple[np.ndarray, np.ndarray]:
    """Iterates of a method, and the evaluations spent when it was there.

    Returns
    -------
    points : array, shape (k, 2)
    spent : array, shape (k,)
        Functions (each with its gradient where the method takes it) and Hessian products; a
        Newton step costs two of these, the columns of its Hessian.
    """
    spent = [0]

    def count(call):
        def counted(*arguments):
            spent[0] += 1
            return call(*arguments)

        return counted

    fun, hessp = count(problem.fun), count(problem.hessp)
    x = np.array(start)
    points, costs = [x.copy()], [1]

    def reached(x):
        points.append(np.array(x))
        costs.append(spent[0])

    if method == "L-BFGS-B":
        scipy.optimize.minimize(
            fun, x, jac=problem.grad, method=method, callback=reached, options={"gtol": GTOL}
        )
    elif method in ("trust_cg", "arc_lsr1"):
        minimize(
            fun, x, jac=problem.grad, hessp=hessp if method == "trust_cg" else None,
            method=method, callback=reached, options={"gtol": GTOL, "enriched": False},
        )  # fmt: skip
    else:
        f, length = fun(x), 1.0
        while spent[0] < MOST and np.abs(g := problem.grad(x)).max() > GTOL:
            if method == "Newton":
                hessian = np.column_stack([hessp(x, e) for e in np.eye(2)])
                x = x - np.linalg.solve(hessian, g)
                f = fun(x)
            else:  # Armijo's rule, from twice the last length
                length *= 2.0
                while (f_new := fun(x - length * g)) > f - 1e-4 * length * (g @ g):
                    length *= 0.5
                x, f = x - length * g, f_new
            reached(x)
    return np.array(points), np.array(costs)


def main(out: Path, pictures: Path | None = None) -> None:
    """Write rosenbrock_paths.png, rosenbrock_loss.png and rosenbrock.csv."""
    plt.rcParams.update({"font.size": 12, "axes.grid": False})
    size = {"figsize": (14, 9), "layout": "constrained"}
    paths, path_axes = plt.subplots(len(FUNCTIONS), len(STARTS), **size)
    for folder in (out, pictures or out):
        folder.mkdir(parents=True, exist_ok=True)
    losses, loss_axes = plt.subplots(len(FUNCTIONS), len(STARTS), **size)
    rows = []
    for i, (name, title) in enumerate(FUNCTIONS.items()):
        problem = problems.get(name)
        for j, start in enumerate(STARTS):
            _contours(path_axes[i, j], problem)
            for method, (colour, marker, width) in METHODS.items():
                points, spent = path(method, problem, start)
                f = [problem.fun(x) for x in points]
                path_axes[i, j].plot(
                    *points.T, color=colour, marker=marker, linewidth=width, label=method,
                    markersize=2.5 + width, markeredgecolor="white", markeredgewidth=0.4,
                )  # fmt: skip
                loss_axes[i, j].plot(
                    spent, np.maximum(f, 1e-18), color=colour, marker=marker, label=method,
                    markersize=4, linewidth=1.4,
                )  # fmt: skip
                rows += [
                    (name, *start, method, k, cost, *x, value)
                    for k, (cost, x, value) in enumerate(zip(spent, points, f, strict=True))
                ]
            path_axes[i, j].plot(*start, "o", markersize=9, markerfacecolor="white",
                                 markeredgecolor="black", zorder=5)  # fmt: skip
            path_axes[i, j].plot(1, 1, "*", markersize=14, color="#F0E442",
                                 markeredgecolor="black", zorder=5)  # fmt: skip
            for axes in (path_axes, loss_axes):
                axes[i, j].set_title(f"{title}, from {start}", fontsize=10)
            loss_axes[i, j].set(yscale="log", xlim=(0, 100), ylim=(1e-16, 1e3))
            loss_axes[i, j].grid(alpha=0.25)
    for axes in loss_axes[:, 0]:
        axes.set_ylabel("loss")
    for axes in loss_axes[-1]:
        axes.set_xlabel("evaluations and products")
    for figure, axes, file in ((paths, path_axes, "paths"), (losses, loss_axes, "loss")):
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
        save(figure, (pictures or out) / f"rosenbrock_{file}.png")
    with (out / "rosenbrock.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("problem", "start_1", "start_2", "method", "iteration", "evaluations",
                         "x_1", "x_2", "loss"))  # fmt: skip
        writer.writerows(
            [*row[:4], row[4], row[5], *(f"{v:.7g}" for v in row[6:])] for row in rows
        )


def _contours(axes, problem) -> None:
    x, y = np.meshgrid(np.linspace(-1.9, 1.9, 200), np.linspace(-1.0, 2.8, 200))
    f = np.array([problem.fun(np.array(p)) for p in zip(x.ravel(), y.ravel(), strict=True)])
    log_f = np.log10(np.maximum(f, 1e-3)).reshape(x.shape)
    axes.contourf(x, y, log_f, levels=20, cmap="Greys", alpha=0.28)
    axes.set(xlim=(-1.9, 1.9), ylim=(-1.0, 2.8), xlabel="$x_1$", ylabel="$x_2$")
