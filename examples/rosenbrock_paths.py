"""
Four methods in Rosenbrock's valley
===================================

Left the classical function, right a tame variant without the factor 100. Each marker is an iterate.
The legend counts evaluations of f and of the gradient g, and Hessian-vector products Hv. `trust_cg`
takes Newton steps alone here (``enriched=False``), so that its path is that of Newton's method. On
the classical function SciPy's L-BFGS-B needs the fewest evaluations, if products are counted too.
``python examples/rosenbrock_paths.py FILE`` saves the picture, without FILE it is shown.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize as scipy_minimize

from quasinewton import minimize, problems

# Okabe and Ito's palette, which colour-blind readers can tell apart. Wide lines are drawn first,
# so that a path stays visible below another one that takes the same way.
STYLES = {
    "SciPy CG": ("#56B4E9", "D", 4.2),
    "SciPy L-BFGS-B": ("#009E73", "^", 3.1),
    "trust_cg": ("#000000", "s", 2.1),
    "arc_lsr1": ("#D55E00", "o", 1.4),
}

PANELS = (
    # problem, title, start, range of x1, range of x2
    ("rosenbrock", r"$(1-x_1)^2 + 100\,(x_2-x_1^2)^2$", (-1.2, 1.0), (-1.4, 1.5), (-0.35, 1.45)),
    ("talk_rosenbrock", r"$(1-x_1)^2 + (x_2-x_1^2)^2$", (-1.3, 1.9), (-1.75, 1.5), (-0.6, 2.3)),
)


def path(name: str, problem: problems.Problem, start: tuple[float, float]):
    """The iterates of a method, and what they cost."""
    # The path of trust_cg is that of Newton steps alone.
    options = {"gtol": 1e-6, "return_all": True, "enriched": False}
    if name.startswith("SciPy"):
        points = [np.array(start)]
        result = scipy_minimize(
            problem.fun, start, jac=problem.grad, method=name.removeprefix("SciPy "),
            options={"gtol": 1e-6}, callback=lambda x: points.append(x.copy()),
        )  # fmt: skip
    else:
        # Only trust_cg uses the products.
        result = minimize(
            problem.fun, start, jac=problem.grad, hessp=problem.hessp, method=name,
            options=options,
        )  # fmt: skip
        points = result.allvecs
    cost = f"{result.nfev} f, {result.njev} g"
    if result.get("nhev"):
        cost += f", {result.nhev} Hv"
    return np.array(points), cost


def panel(axes, name, title, start, x_range, y_range):
    """One function with the four paths over its contours."""
    problem = problems.get(name)
    x, y = np.meshgrid(np.linspace(*x_range, 400), np.linspace(*y_range, 400))
    f = np.array([[problem.fun(np.array(p)) for p in zip(*row, strict=True)]
                  for row in zip(x, y, strict=True)])  # fmt: skip
    log_f = np.log10(np.maximum(f, 1e-3))
    axes.contourf(x, y, log_f, levels=24, cmap="Greys", alpha=0.28)
    axes.contour(x, y, log_f, levels=12, colors="0.5", linewidths=0.4)
    for method, (colour, marker, width) in STYLES.items():
        points, cost = path(method, problem, start)
        axes.plot(
            *points.T, color=colour, marker=marker, markersize=3 + width, linewidth=width,
            markeredgecolor="white", markeredgewidth=0.5, label=f"{method}: {cost}",
        )  # fmt: skip
    axes.plot(*start, "o", markersize=9, markerfacecolor="white", markeredgecolor="black", zorder=5)
    axes.plot(1, 1, "*", markersize=15, color="#F0E442", markeredgecolor="black", zorder=5)
    axes.annotate("start", start, xytext=(0, 10), textcoords="offset points", ha="center")
    axes.annotate("minimum", (1, 1), xytext=(10, -12), textcoords="offset points")
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xlim=x_range, ylim=y_range)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)


def main(*output: str) -> None:
    """Draw the picture, and save it where a file is named."""
    plt.rcParams.update({"font.size": 11, "legend.fontsize": 11})
    figure, axes = plt.subplots(1, 2, figsize=(14, 6.5), layout="constrained")
    for ax, arguments in zip(axes, PANELS, strict=True):
        panel(ax, *arguments)
    if output:
        figure.savefig(*output, dpi=100)
        plt.close(figure)
    else:
        plt.show()


if __name__ == "__main__":
    main(*sys.argv[1:])
