"""Many variables, few constraints: what a run costs in evaluations, time and memory.

    python benchmarks/constraints/large.py                  # n = 100,000
    python benchmarks/constraints/large.py --n 10000 --methods sqp_hybrid sqp_lsr1

Three problems of any n, each with 20 constraints and bounds on all variables; f is not convex:

shares    shares of a whole, each with its price and a cost that saturates, under 19 dense limits
chain     Rosenbrock's function chained, with 20 dense linear constraints, one half equations
blocks    the same, with a nonlinear equation on each twentieth of the variables

A line says the points, seconds outside of the functions and inside, the most memory that was in
use outside of the functions beside what the problem holds, in vectors of n doubles (the Jacobian
of the run is p of them, and one that a function has just returned p more), the violation, and the
residual of the conditions of first order. Memory is that of a process that has nothing to compile:
run it twice.
"""

from __future__ import annotations

import argparse
import resource
import time
import tracemalloc

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

from quasinewton import Status, minimize

P = 20


def shares(n):
    rng = np.random.default_rng(0)
    price, cost = rng.standard_normal(n), rng.uniform(0.5, 2.0, n)
    limits = rng.standard_normal((P - 1, n)) / np.sqrt(n)
    a = np.vstack([np.full(n, 1.0 / n), limits])
    x0 = np.full(n, 0.5)
    level = a @ x0

    def fun(x):
        square = x * x
        below = 1.0 + square
        return float(price @ x + cost @ (square / below)), price + 2.0 * cost * x / below**2

    lower = np.r_[level[0], np.full(P - 1, -np.inf)]
    return fun, x0, Bounds(0.0, 1.0), LinearConstraint(a, lower, np.r_[level[0], level[1:] + 0.01])


def _rosenbrock(x):
    bend = x[1:] - x[:-1] ** 2
    away = 1.0 - x[:-1]
    g = np.zeros_like(x)
    g[1:] = 20.0 * bend
    g[:-1] -= 40.0 * x[:-1] * bend + 2.0 * away
    return float(10.0 * bend @ bend + away @ away), g


def chain(n):
    rng = np.random.default_rng(1)
    a = rng.standard_normal((P, n)) / np.sqrt(n)
    level = a @ rng.uniform(0.0, 1.0, n)
    lower = np.where(np.arange(P) < P // 2, level, -np.inf)
    return _rosenbrock, np.full(n, -0.5), Bounds(-1.0, 0.9), LinearConstraint(a, lower, level)


def blocks(n):
    edges = np.linspace(0, n, P + 1).astype(int)

    def c(x):
        return np.add.reduceat(x * x, edges[:-1]) / np.diff(edges) - 0.5

    def jac(x):
        j = np.zeros((P, n))
        for row, first, last in zip(j, edges[:-1], edges[1:], strict=True):
            row[first:last] = 2.0 * x[first:last] / (last - first)
        return j

    x0 = 0.5 + 0.3 * np.sin(np.arange(n))
    return _rosenbrock, x0, Bounds(-1.0, 0.9), NonlinearConstraint(c, 0.0, 0.0, jac=jac)


PROBLEMS = {f.__name__: f for f in (shares, chain, blocks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=PROBLEMS)
    parser.add_argument("--methods", nargs="+", default=["sqp_hybrid"])
    parser.add_argument("--maxtime", type=float, default=120.0)
    parser.add_argument("--memory", action="store_true", help="measure memory, which takes time")
    args = parser.parse_args()
    print(f"n = {args.n}, {P} constraints")
    for name in args.problems:
        for method in args.methods:
            fun, x0, bounds, constraints = PROBLEMS[name](min(args.n, 500))
            minimize(  # compiles
                fun, x0, jac=True, method=method, bounds=bounds, constraints=constraints,
                options={"maxiter": 30},
            )  # fmt: skip
            fun, x0, bounds, constraints = PROBLEMS[name](args.n)
            inside, most = 0.0, 0

            def timed(x, fun=fun):
                nonlocal inside, most
                most = max(most, tracemalloc.get_traced_memory()[1])
                began = time.process_time()
                result = fun(x)
                inside += time.process_time() - began
                tracemalloc.reset_peak()
                return result

            if args.memory:
                tracemalloc.start()
            began = time.process_time()
            result = minimize(
                timed, x0, jac=True, method=method, bounds=bounds, constraints=constraints,
                options={"maxtime": args.maxtime},
            )  # fmt: skip
            seconds = time.process_time() - began - inside
            vectors = f", {most / (8 * args.n):.1f} vectors" if args.memory else ""
            tracemalloc.stop()
            print(
                f"{name:7} {method}: {Status(result.status).name}, f = {result.fun:.8g}, "
                f"{result.nfev} points in {result.nit} iterations, {seconds:.1f} s outside and "
                f"{inside:.1f} inside{vectors}, violation {result.constr_violation:.1e}, "
                f"residual {result.optimality:.1e}, "
                f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB in all",
                flush=True,
            )


if __name__ == "__main__":
    main()
