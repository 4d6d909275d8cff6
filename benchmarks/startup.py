"""Start-up: what importing the package and the first solve of a process cost.

    python benchmarks/startup.py --cold > benchmarks/results/startup.md

Each figure is the median of five fresh processes. With --cold also the very first solve, with
numba's cache in an empty folder (one process).
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
began = time.perf_counter()
import quasinewton
print(time.perf_counter() - began)
"""

SOLVE = """
import time, scipy.optimize
from scipy.optimize import rosen, rosen_der
import quasinewton
began = time.perf_counter()
quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der, method="arc_lsr1")
print(time.perf_counter() - began)
"""


def seconds(code: str, **environment: str) -> float:
    process = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return float(process.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cold", action="store_true", help="also compile everything once")
    args = parser.parse_args()
    seconds(SOLVE)  # fills the cache
    rows = [
        ("import quasinewton, beyond scipy.optimize", IMPORT),
        ("first solve of a process, warm cache", SOLVE),
    ]
    print("| what | seconds |\n|---|---|")
    for name, code in rows:
        print(f"| {name} | {statistics.median(seconds(code) for _ in range(5)):.3f} |")
    if args.cold:
        with tempfile.TemporaryDirectory() as folder:
            cold = seconds(SOLVE, NUMBA_CACHE_DIR=folder)
        print(f"| first solve ever | {cold:.3f} |")


if __name__ == "__main__":
    main()
