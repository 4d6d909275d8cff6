"""Write docs/benchmarks.md from benchmarks/results/: nothing in it is typed by hand.

    python benchmarks/run.py --largest 99 --out benchmarks/results/small
    python benchmarks/run.py --smallest 100 --out benchmarks/results/large
    python benchmarks/run.py --set classical --out benchmarks/results/classical
    python benchmarks/ablation.py
    python benchmarks/overhead.py > benchmarks/results/overhead.md
    python benchmarks/many.py > benchmarks/results/many.md
    python benchmarks/startup.py --cold > benchmarks/results/startup.md
    python benchmarks/page.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"

HEAD = """# Benchmarks

*Cost* is gradients plus Hessian products until max|g| <= 1e-6 max(1, max|g0|), as the geometric
mean of the ratio to SciPy's L-BFGS-B (10 pairs) over the problems that both solve; lower is
better. A run is ended by its budget of gradients and products, which each table names, or after
120 s of processor time, and the lists below say which ended by time. Every problem counts in
"solved", also for a method that was not run on it. The column "f counted too" takes the larger of
the numbers of functions and gradients, plus products: our methods need no gradient after a rejected
trial, if it does not come with f. "On a random half" shows how much the mean depends on the
choice of problems.

**All figures are of {date}.** The code may have changed since, and need more or fewer evaluations.
The picture on the first page is drawn with the code as it is.

Machine: {machine}, {cpus} cores; Python {python}, NumPy {numpy}, SciPy {scipy},
numba {numba}, JAX {jax}, sif2jax {sif2jax}, nlopt {nlopt}, fides {fides}, GALAHAD
{galahad-optrove}. One thread, but in "Many small solves" where it says so.

"trust_cg differences" makes its products by differences of gradients; "trust_cg Newton" is trust_cg
with `enriched=False`, Newton steps alone.

The peers are called through their own public Python interfaces:

- GALAHAD's takes whole Hessians only, no products. A Hessian counts as the n products that it
  takes to make it; the rows "Hessian as 1" (n < 100) count it as one gradient, for problems whose
  second derivatives come for little.
- BFGS, fides and GALAHAD hold n x n matrices, at O(n^3) operations an iteration, and are not run
  from n = 1000 on.

Made by these commands:

```
{commands}
```
"""

CUTEST = """## CUTEst problems

The development half of the unconstrained CUTEst problems in the package sif2jax, at their
standard sizes; constants of our methods were chosen on them, so expect somewhat less elsewhere.
"""

CLASSICAL = """## Classical problems

Those of `quasinewton.problems` at their standard sizes, the scalable ones also at n = 1000, every
fourth at 10^4, every eighth at 10^5, every sixteenth at 10^6.
"""

ABLATION = """## What each choice is worth

One choice changed at a time, on the CUTEst problems; what the method does is in bold. Cost is
here the ratio to the method as it is, over the problems that both solve.
"""

OVERHEAD = """## Time per iteration
"""

MANY = """## Many small solves

`minimize_many` beside L-BFGS-B in a loop, on the same numba function (chained Rosenbrock) from the
same random starts. The last column is the gain in throughput from a second thread.
"""

STARTUP = """## Start-up

Medians of five fresh processes; the first solve ever, which compiles, is one process.
"""

#: heading, folder of results, pictures and what to call them in docs/images
SETS = (
    (CUTEST, "small", {"profile_1.png": "profile_1.png"}),
    ("", "large", {"profile_100.png": "profile_100.png", "profile_1000.png": "profile_1000.png"}),
    (CLASSICAL, "classical", {"profile_1.png": "classical_1.png",
                              "profile_1000.png": "classical_1000.png"}),
)  # fmt: skip
TABLES = (
    (ABLATION, "ablation/summary.md"),
    (OVERHEAD, "overhead.md"),
    (MANY, "many.md"),
    (STARTUP, "startup.md"),
)


def main() -> None:
    commands = "\n".join(line.strip() for line in __doc__.splitlines() if "python " in line)
    facts = json.loads((RESULTS / "small" / "about.json").read_text())
    parts = [HEAD.format(commands=commands, **facts)]
    for heading, folder, pictures in SETS:
        parts += [heading] if heading else []
        parts.append((RESULTS / folder / "summary.md").read_text().replace("### Not", "#### Not"))
        for picture, name in pictures.items():
            shutil.copy(RESULTS / folder / picture, DOCS / "images" / name)
            parts.append(f"![Profiles](images/{name})\n")
        kept = json.loads((RESULTS / folder / "about.json").read_text())["kept"]
        if kept:
            dated = ", ".join(f"{method} ({date})" for method, date in kept.items())
            parts.append(f"Rows of an earlier run: {dated}.\n")
    for heading, path in TABLES:
        if (RESULTS / path).exists():
            parts += [heading, (RESULTS / path).read_text()]
    (DOCS / "benchmarks.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
