"""Seconds per iteration outside the user's function, beside L-BFGS-B and the memory floor.

    python benchmarks/overhead.py > benchmarks/results/overhead.md

n = 10^7 takes 3 GB and some minutes; --largest stops before.

The floor is the time to stream the 2 n m stored numbers twice: once for inner products with a
vector and once for a combination of them, which is what an iteration with m pairs cannot avoid.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import optimize

import quasinewton
from quasinewton import kernels
from quasinewton.vectors import BLOCK, add_combination, multiply_rows

kernels.PATIENCE = 0.0  # machine code is what is measured

MEMORY = 10


def function(timer):
    """A convex function with coupled variables, cheap beside the methods; its own time is taken."""

    def fg(x):
        start = time.perf_counter()
        d = np.diff(x)
        f = 0.5 * float(d @ d) + 0.25 * float(x @ x) ** 2 / x.size + float(x[0]) ** 2
        g = x * (float(x @ x) / x.size)
        g[1:] += d
        g[:-1] -= d
        g[0] += 2.0 * x[0]
        timer[0] += time.perf_counter() - start
        return f, g

    return fg


def per_iteration(run, n, repeats):
    best = np.inf
    x0 = np.sin(np.arange(n)) * 2.0
    for _ in range(repeats):
        timer = [0.0]
        start = time.perf_counter()
        iterations = run(function(timer), x0)
        best = min(best, (time.perf_counter() - start - timer[0]) / iterations)
    return best


def lbfgsb(fg, x0, iterations):
    options = {"maxcor": MEMORY, "maxiter": iterations, "maxfun": 10**9, "ftol": 0, "gtol": 0}
    return optimize.minimize(fg, x0, jac=True, method="L-BFGS-B", options=options).nit


def ours(method, memory):
    def run(fg, x0, iterations):
        options = {"memory": memory, "maxiter": iterations, "gtol": 0.0}
        return quasinewton.minimize(fg, x0, jac=True, method=method, options=options).nit

    return run


def floor(n, repeats):
    rows = np.ones((2 * MEMORY, n))
    v, out, w = np.ones(n), np.empty(n), np.ones(2 * MEMORY)
    h, buffer = np.empty(2 * MEMORY), np.empty(BLOCK)
    best = np.inf
    for _ in range(repeats + 1):
        start = time.perf_counter()
        multiply_rows(rows, v, h)
        add_combination(1.0, v, rows, w, v, out, buffer)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=10**7)
    arguments = parser.parse_args()
    methods = {"arc_lsr1": ours("arc_lsr1", MEMORY), "arc_lsr1 (default memory)":
               ours("arc_lsr1", None), "arc_hybrid": ours("arc_hybrid", MEMORY)}  # fmt: skip
    print(f"microseconds per iteration outside the function, memory {MEMORY}, one thread\n")
    print("| n | L-BFGS-B | " + " | ".join(methods) + " | floor | arc_lsr1 / L-BFGS-B | / floor |")
    print("|" + "---|" * (len(methods) + 5))
    n = 2
    for n in (2, 10, 100, 1000, 10**4, 10**5, 10**6, 10**7):
        if n > arguments.largest:
            break
        iterations = 60 if n <= 10**5 else 25
        repeats = 30 if n <= 1000 else 5 if n <= 10**5 else 2
        base = per_iteration(lambda f, x, k=iterations: lbfgsb(f, x, k), n, repeats)
        times = [
            per_iteration(lambda f, x, r=run, k=iterations: r(f, x, k), n, repeats)
            for run in methods.values()
        ]
        least = floor(n, repeats)
        cells = [f"{1e6 * t:.1f}" for t in (base, *times, least)]
        ratios = f"{times[0] / base:.2f} | {times[0] / least:.2f}"
        print(f"| {n} | " + " | ".join(cells) + f" | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
