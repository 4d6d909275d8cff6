"""Start-up: what importing the package and the first solve of a process cost.

    python benchmarks/startup.py --cold > benchmarks/results/startup.md

Each figure is the median of three fresh processes, in seconds of the processor. With --cold also
the very first solves, with numba's cache in an empty folder (one process each).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

IMPORT = """
import time, scipy.optimize
began = time.process_time()
import quasinewton
print(time.process_time() - began)
"""

SOLVE = """
import time, scipy.optimize
from scipy.optimize import rosen, rosen_der
import quasinewton
began = time.process_time()
quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der, {})
print(time.process_time() - began)
"""

#: A logistic regression with many coefficients, of some 80 iterations.
LOGISTIC = """
import time, numpy as np, scipy.optimize
import quasinewton
rng = np.random.default_rng(0)
a = rng.standard_normal((4 * {n}, {n}))
b = np.sign(a @ rng.standard_normal({n}) + rng.standard_normal(4 * {n}))
def fun(x):
    margins = b * (a @ x)
    weights = np.exp(-np.logaddexp(0.0, margins))
    return np.logaddexp(0.0, -margins).sum() + 0.05 * x @ x, 0.1 * x - a.T @ (b * weights)
began = time.process_time()
quasinewton.minimize(fun, np.zeros({n}), jac=True)
print(time.process_time() - began)
"""

NUMBA = """
import time, numba, numpy as np
import quasinewton
@numba.njit
def rosen(x):
    a, b = x[1] - x[0] ** 2, 1.0 - x[0]
    return 100.0 * a * a + b * b, np.array([-400.0 * a * x[0] - 2.0 * b, 200.0 * a])
began = time.process_time()
quasinewton.minimize(rosen, [-1.2, 1.0], jac=True)
print(time.process_time() - began)
"""

#: Begins a process that compiles at once.
IMPATIENT = "import quasinewton.kernels; quasinewton.kernels.PATIENCE = 0.0\n"


def seconds(code: str, **environment: str) -> float:
    process = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return float(process.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cold", action="store_true", help="also begin without a cache")
    args = parser.parse_args()
    solve = SOLVE.format("")
    seconds(IMPATIENT + solve), seconds(IMPATIENT + NUMBA)  # fill the cache
    rows = [
        ("import quasinewton, beyond scipy.optimize", IMPORT),
        ("first solve of a process, warm cache", solve),
        ("the same of a numba objective", NUMBA),
    ]
    print("| what | seconds |\n|---|---|")
    for name, code in rows:
        print(f"| {name} | {statistics.median(seconds(code) for _ in range(3)):.3f} |", flush=True)
    if args.cold:
        for name, code in (
            ("first solve ever", solve),
            ("first solve ever, with bounds", SOLVE.format("bounds=[(-2.0, 1.0)] * 2")),
            ("first solve ever, of a numba objective", NUMBA),
            ("first solve ever, a logistic regression of 300 coefficients", LOGISTIC.format(n=300)),
            ("the same of 1000 coefficients", LOGISTIC.format(n=1000)),
            ("first solve ever, compiled at once", IMPATIENT + solve),
            ("the same of 300 coefficients", IMPATIENT + LOGISTIC.format(n=300)),
        ):
            with tempfile.TemporaryDirectory() as folder:
                print(f"| {name} | {seconds(code, NUMBA_CACHE_DIR=folder):.3f} |", flush=True)


if __name__ == "__main__":
    main()
