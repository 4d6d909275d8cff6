"""Write docs/benchmarks.md from benchmarks/results/: nothing in it is typed by hand.

    python benchmarks/run.py --largest 99 --out benchmarks/results/small
    python benchmarks/run.py --smallest 100 --seconds 8 --out benchmarks/results/large
    python benchmarks/overhead.py > benchmarks/results/overhead.md
    python benchmarks/page.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"

HEAD = """# Benchmarks

*Cost* is gradients plus Hessian products until max|g| <= 1e-6 max(1, max|g0|), as the geometric
mean of the ratio to SciPy's L-BFGS-B (10 pairs) over the problems that both solve; lower is
better. A run that needs more than 1500 (n < 100) or 5000 gradients and products, or more than
20 s (n < 100) or 8 s, has not solved its problem, and every problem counts in "solved". The column
"f counted too" takes the larger of the numbers of functions and gradients, plus products: our
methods need no gradient where a trial is rejected, if it does not come with f. The problems are
the development half of the unconstrained CUTEst problems in the package sif2jax; constants of
the methods were chosen on them, so expect somewhat less elsewhere. "On a random half" shows how
much the mean depends on the choice of problems.

Machine: {machine}, {cpus} cores; {date}; Python {python}, NumPy {numpy}, SciPy {scipy}, numba
{numba}, JAX {jax}, sif2jax {sif2jax}, nlopt {nlopt}, fides {fides}. One thread.

Made by:

```
{commands}
```
"""

SETS = (("small", ("profile_1.png",)), ("large", ("profile_100.png", "profile_1000.png")))


def main() -> None:
    commands = "\n".join(line.strip() for line in __doc__.splitlines() if "python " in line)
    facts = json.loads((HERE / "results" / "small" / "about.json").read_text())
    parts = [HEAD.format(commands=commands, **facts)]
    for folder, pictures in SETS:
        results = HERE / "results" / folder
        summary = (results / "summary.md").read_text().replace("### ", "## ")
        parts.append(summary.replace("## Not", "### Not"))
        for picture in pictures:
            shutil.copy(results / picture, DOCS / "images" / picture)
            parts.append(f"![Profiles](images/{picture})\n")
    parts.append("## Time per iteration\n")
    parts.append((HERE / "results" / "overhead.md").read_text())
    (DOCS / "benchmarks.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
