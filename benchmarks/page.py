"""Write docs/benchmarks.md from benchmarks/results/: nothing in it is typed by hand.

    python benchmarks/real/run.py --out benchmarks/results/real --seconds 10
    python benchmarks/real/nist.py --out benchmarks/results/real
    python benchmarks/real/newcomer.py --out benchmarks/results/real
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

import csv
import json
import shutil
from pathlib import Path

import harness

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"

REAL = """# Benchmarks

On {problems} problems as users bring them (statistics, learning, inverse problems, atoms, design;
n = {smallest} to {largest}), the default method, `trust_hybrid`, brings the gradient to 1e-5 of
max(1, max|g0|) on {coarse} and to 1e-8 on {solved}, L-BFGS-B on {base_coarse} and {base_solved};
where both get there, it evaluates {coarse_ratio} and {ratio} times as many points as L-BFGS-B.
Of NIST's 54 regressions, 27 from two starts each, it finds six digits of the certified sum on
{given} in the variables as given (L-BFGS-B {base_given}, BFGS {bfgs_given}: there BFGS is ahead)
and on {scaled} in variables divided by the start (L-BFGS-B {base_scaled}, BFGS {bfgs_scaled}).
The figures of users' problems, here and in the next section, are of the code of 2026-11-26, on the
machine and with the packages named below. NIST's regressions, the newcomer's list and, for n < 100,
the hybrids' lines for CUTEst and the classical problems are of 2026-11-28; what else follows is
older, and says so. Six changes came after the users' table ([theory](theory.md)): with n < 100 the
hybrids take SR1 where the function looks quadratic, and let it stiffen the matrix less elsewhere;
from n = 100 on their matrix is no longer scaled where a step meets little curvature, and a first
step moves no variable further than they are from 0 in the mean; for 25,000 to 500,000 variables
their matrix has 40 rows, not 20; and in all quasi-Newton methods what was too long a step is not
tried again at once. With all of them
(`benchmarks/real/run.py --methods trust_hybrid "L-BFGS-B" --seconds 10`) `trust_hybrid` brings the
gradient to 1e-5 on all 61 of the users' problems and to 1e-8 on 58 (L-BFGS-B 57 and 38), with 0.53
and 0.52 times the points of L-BFGS-B; to 1e-5 that is 0.47 for n < 20, 0.45 for 20 to 99, 0.67 for
100 to 999 and 0.63 for n >= 1000. With the first five, on CUTEst's 32 problems of 1000 to 99,999
variables (`benchmarks/run.py --smallest 1000 --largest 99999 --methods trust_hybrid L-BFGS-B`) it
was 0.75, 0.80 with f counted too, and 27 were solved (L-BFGS-B 25).

## What users bring

`python benchmarks/real/run.py --out benchmarks/results/real --seconds 10`, and
`python benchmarks/real/problems.py` for a list of the problems. They were at hand when our methods
were developed, so expect somewhat less elsewhere. A run may take 5000 points and products, and
10 s of processor time.

{real}
## NIST's nonlinear regressions

`python benchmarks/real/nist.py --out benchmarks/results/real`

{nist}
## What a newcomer tries

`python benchmarks/real/newcomer.py --out benchmarks/results/real`: distinct points until max|g| <=
1e-5; a dash where that is not reached. Of the random starts the median, mean and largest number.

{newcomer}
"""

HEAD = """## Earlier measurements

*Cost* is gradients plus Hessian products until max|g| <= 1e-6 max(1, max|g0|), as the geometric
mean of the ratio to SciPy's L-BFGS-B (10 pairs) over the problems that both solve; lower is
better. A run is ended by its budget of gradients and products, which each table names, or after
120 s of processor time, and the lists below say which ended by time. Every problem counts in
"solved", also for a method that was not run on it. The column "f counted too" takes the larger of
the numbers of functions and gradients, plus products: our methods need no gradient after a rejected
trial, if it does not come with f. "On a random half" shows how much the mean depends on the
choice of problems.

**All figures from here on are of {date}.** The code may have changed since, and need more or fewer
evaluations.
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


def real() -> str:
    """The first sections: what users bring, today."""
    folder = RESULTS / "real"
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    def runs(method, measure):
        return [
            harness.Record(method, r["problem"], int(r["n"]), bool(r[measure]),
                           int(r[measure] or 0), 0, 0, 0, 0.0, 0.0)
            for r in rows if r["method"] == method
        ]  # fmt: skip

    def solved(method, measure):
        return sum(r.solved for r in runs(method, measure))

    with (folder / "nist.csv").open(newline="") as file:
        regressions = list(csv.DictReader(file))

    def certified(method, scaled):
        return sum(r["solved"] == "True" for r in regressions
                   if r["method"] == method and r["scaled"] == str(scaled))  # fmt: skip

    sizes = [int(r["n"]) for r in rows]
    fine, coarse = "gradient 1e-8", "gradient 1e-5"
    ratio, coarse_ratio = (
        harness.geometric_mean(runs("trust_hybrid", measure), runs("L-BFGS-B", measure))[0]
        for measure in (fine, coarse)
    )
    texts = {
        name: (folder / f"{file}.md").read_text()
        for name, file in (("real", "summary"), ("nist", "nist"), ("newcomer", "newcomer"))
    }
    return REAL.format(
        problems=len({r["problem"] for r in rows}), smallest=min(sizes), largest=f"{max(sizes):,}",
        solved=solved("trust_hybrid", fine), base_solved=solved("L-BFGS-B", fine),
        coarse=solved("trust_hybrid", coarse), base_coarse=solved("L-BFGS-B", coarse),
        ratio=f"{ratio:.2f}", coarse_ratio=f"{coarse_ratio:.2f}",
        given=certified("trust_hybrid", False), scaled=certified("trust_hybrid", True),
        base_given=certified("L-BFGS-B", False), base_scaled=certified("L-BFGS-B", True),
        bfgs_given=certified("BFGS", False), bfgs_scaled=certified("BFGS", True),
        date=json.loads((folder / "about.json").read_text())["date"], **texts,
    )  # fmt: skip


def main() -> None:
    commands = "\n".join(line.strip() for line in __doc__.splitlines() if "python " in line)
    facts = json.loads((RESULTS / "small" / "about.json").read_text())
    parts = [real(), HEAD.format(commands=commands, **facts)]
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
