"""What a newcomer tries first: valleys, bowls, old test functions, small networks.

    python benchmarks/real/newcomer.py --out benchmarks/results/real

Distinct points, at which f and the gradient are asked for together, until max|g| <= 1e-5, the
tolerance that all three have as their default; a dash where that is not reached within the budget,
or where the method gives up before. Of the random starts, uniform in [-2, 2]^2, the median, mean
and largest number. Writes DIR/newcomer.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from real.registry import jaxed  # isort: skip  # first: sets the number of threads

import harness
import jax.numpy as jnp
import numpy as np
from harness import Problem
from scipy import optimize

from quasinewton import problems
from real.learning import network

TOLERANCE = 1e-5
BUDGET, SECONDS = 20_000, 60.0
METHODS = {
    "trust_hybrid": harness.ours("trust_hybrid", joint=True),
    "L-BFGS-B": harness.METHODS["L-BFGS-B"],
    "BFGS": harness.METHODS["BFGS"],
}
SIZES = (2, 5, 10, 20, 50, 99, 150, 400, 1000)
CONDITIONS = (10, 100, 1e3, 1e4, 1e5, 1e6)
STARTS = 200


class Counter(harness.Points):
    """Distinct points, until the gradient is as small as the defaults want it."""

    def note(self, x, f, g):
        if np.isfinite(f) and np.abs(g).max() <= TOLERANCE:
            self.end = "solved"


def count(method: str, problem: Problem) -> int | None:
    """Points until the gradient is small, or None."""
    counter = Counter(problem, BUDGET, SECONDS)
    harness.race(lambda: METHODS[method](counter, problem.x0.copy()))
    return counter.cost if counter.end == "solved" else None


def rosenbrock(n: int, x0: np.ndarray | None = None) -> Problem:
    """SciPy's chained function of n variables, from (-1.2, 1, -1.2, ...) or x0."""
    x0 = np.resize([-1.2, 1.0], n) if x0 is None else x0
    return Problem(
        f"Rosenbrock, n = {n}", x0, lambda x: (optimize.rosen(x), optimize.rosen_der(x)), None
    )


def quadratic(condition: float, n: int = 50) -> Problem:
    """Half x.D x, eigenvalues spread evenly in logarithms from 1 to the condition, from ones."""
    d = np.geomspace(1.0, condition, n)
    return Problem(
        f"quadratic, n = {n}, condition {condition:.0e}", np.ones(n),
        lambda x: (0.5 * float(x @ (d * x)), d * x), None,
    )  # fmt: skip


def classical(name: str, label: str) -> Problem:
    """One of `quasinewton.problems`, at its standard size and start."""
    p = problems.get(name)
    return Problem(f"{label}, n = {p.n}", p.x0, lambda x: (p.fun(x), p.grad(x)), None)


def fitted(label: str, sizes: list[int], a: np.ndarray, y: np.ndarray) -> Problem:
    """A tanh network, fitted in the mean square, with a weight decay of 1e-4."""
    x0, forward = network(sizes, seed=0)
    fg, _ = jaxed(lambda x: 0.5 * jnp.mean((forward(x, a) - y) ** 2) + 5e-5 * jnp.sum(x * x))
    return Problem(f"{label}, n = {x0.size}", x0, fg, None)


def networks() -> Iterator[Problem]:
    """Small networks on data that need no file."""
    corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    parity = corners.sum(1, keepdims=True) % 2
    yield fitted("network 2-4-1, exclusive or", [2, 4, 1], corners, parity)
    t = np.linspace(-3, 3, 100)[:, None]
    yield fitted("network 1-10-1, a sine", [1, 10, 1], t, np.sin(2 * t))
    angle = np.linspace(0.5, 3 * np.pi, 100)
    arm = np.column_stack([angle * np.cos(angle), angle * np.sin(angle)]) / 8
    sides = np.repeat([[1.0], [-1.0]], 100, axis=0)
    yield fitted("network 2-16-16-1, two spirals", [2, 16, 16, 1], np.vstack([arm, -arm]), sides)


def singles() -> Iterator[Problem]:
    """The problems that are run from one start."""
    yield from map(rosenbrock, SIZES)
    for name, label in (
        ("powell_singular", "Powell's singular function"), ("beale", "Beale"), ("wood", "Wood"),
        ("helical_valley", "helical valley"),
        ("logistic_breast_cancer", "README's job, `python -m quasinewton solve`"),
    ):  # fmt: skip
        yield classical(name, label)
    yield from map(quadratic, CONDITIONS)
    yield from networks()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    lines = [f"| problem | {' | '.join(METHODS)} |", "|---" * (len(METHODS) + 1) + "|"]
    logs = []
    for problem in singles():
        counts = [count(method, problem) for method in METHODS]
        if counts[0] and counts[1]:
            logs.append(np.log(counts[0] / counts[1]))
        lines.append(f"| {problem.name} | {' | '.join(str(c or '-') for c in counts)} |")
        print(lines[-1], flush=True)
    mean = f"{np.exp(np.mean(logs)):.2f} of L-BFGS-B's, on {len(logs)}"
    starts = np.random.default_rng(0).uniform(-2, 2, (STARTS, 2))
    cells = []
    for method in METHODS:
        counts = [count(method, rosenbrock(2, x0)) for x0 in starts]
        good = [c for c in counts if c]
        failed = f", {len(counts) - len(good)} not solved" if len(good) < len(counts) else ""
        cells.append(f"{np.median(good):.0f}, {np.mean(good):.1f}, {max(good)}{failed}")
    lines.append(f"| Rosenbrock, n = 2, {STARTS} random starts | {' | '.join(cells)} |")
    lines += ["", f"Points of {next(iter(METHODS))} in the geometric mean without the last line: "
              f"{mean} that both solve."]  # fmt: skip
    text = "\n".join(lines) + "\n"
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "newcomer.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
