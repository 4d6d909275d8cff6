"""Many small solves of a numba function beside SciPy's L-BFGS-B in a loop.

    python benchmarks/many.py > benchmarks/results/many.md

Chained Rosenbrock from normal random starts, both to max|g_i| <= 1e-5; medians of five.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable

import numba
import numpy as np
import scipy.optimize

import quasinewton

#: Starts by n: every batch takes some tenths of a second.
STARTS = {2: 20000, 5: 20000, 10: 5000, 20: 1000}
PEER_STARTS = 100


@numba.njit
def rosenbrock(x):
    f = 0.0
    g = np.zeros_like(x)
    for i in range(x.size - 1):
        a = x[i + 1] - x[i] * x[i]
        b = 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i] -= 400.0 * a * x[i] + 2.0 * b
        g[i + 1] += 200.0 * a
    return f, g


def seconds(run: Callable[[], object]) -> float:
    return statistics.median(timeit.repeat(run, number=1, repeat=5))


def main() -> None:
    rng = np.random.default_rng(0)
    quasinewton.minimize_many(rosenbrock, np.zeros((1, 2)))
    print("| n | method | microseconds a solve | evaluations | L-BFGS-B / this | two threads |")
    print("|---|---|---|---|---|---|")
    for n, count in STARTS.items():
        starts = rng.normal(size=(count, n))

        def peer(starts: np.ndarray = starts) -> None:
            for x in starts[:PEER_STARTS]:
                scipy.optimize.minimize(
                    rosenbrock, x, jac=True, method="L-BFGS-B", options={"gtol": 1e-5, "ftol": 0.0}
                )

        theirs = seconds(peer) / PEER_STARTS
        for method in ("arc_lsr1", "arc_hybrid", "trust_hybrid"):

            def solve(
                workers: int = 1, starts: np.ndarray = starts, method: str = method
            ) -> scipy.optimize.OptimizeResult:
                return quasinewton.minimize_many(
                    rosenbrock, starts, method=method, workers=workers
                )

            result = solve()
            assert result.success.all()
            one, two = seconds(solve), seconds(lambda solve=solve: solve(2))
            print(
                f"| {n} | {method} | {one / count * 1e6:.0f} | {result.nfev.mean():.0f} "
                f"| {theirs / (one / count):.1f} | {one / two:.2f} |"
            )


if __name__ == "__main__":
    main()
