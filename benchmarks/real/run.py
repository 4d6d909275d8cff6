"""Methods x what users bring: who solves what, for how many points.

    python benchmarks/real/run.py --out benchmarks/results/real
    python benchmarks/real/run.py --out DIR --half A --largest 999 --seconds 10
    python benchmarks/real/run.py --out DIR --names gp_co2 lj13 --methods trust_hybrid L-BFGS-B

Cost is the number of distinct points at which f and the gradient, together, are asked for, plus
the Hessian products. A run ends at max|g| <= 1e-9 max(1, max|g0|), at its budget, at the method's
own end, or by its processor time. Two measures of success, each at 1e-5 and at 1e-8:

- *gradient*: max|g| <= 1e-5 max(1, max|g0|), at a point as good as any before;
- *best f*: f - f_best <= 1e-5 (f0 - f_best), with the least f that any method found. Where there
  are several minima, this counts who finds the best one.

DIR/runs/ keeps what is done, a file a problem; a run that is there is not run again. Every problem
has a process of its own, so that a crash or a method that hangs costs itself alone. Writes
DIR/results.csv, about.json and summary.md, of all that DIR holds.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from real import problems  # isort: skip  # first: sets the number of threads

import harness
import numpy as np
from scipy import optimize

BASE = "L-BFGS-B"
BUDGET = 5000
TOLERANCES = {"1e-5": 1e-5, "1e-8": 1e-8}
END = 1e-9
METHODS = {
    "trust_hybrid": harness.ours("trust_hybrid", joint=True),
    "arc_hybrid": harness.ours("arc_hybrid", joint=True),
    "trust_lbfgs": harness.ours("trust_lbfgs", joint=True),
    "arc_lsr1": harness.ours("arc_lsr1", joint=True),
    "trust_lsr1": harness.ours("trust_lsr1", joint=True),
    "trust_cg": harness.ours("trust_cg", products=True, joint=True),
    **{
        peer: harness.METHODS[peer]
        for peer in ("L-BFGS-B", "L-BFGS-B 30", "BFGS", "nlopt LBFGS", "Newton-CG", "trust-ncg")
    },
}
NEED_PRODUCTS = ("trust_cg", "Newton-CG", "trust-ncg")
BANDS = (("n < 20", 1, 19), ("20-99", 20, 99), ("100-999", 100, 999), ("n >= 1000", 1000, 10**9))
MEASURES = tuple(f"{kind} {name}" for kind in ("gradient", "best f") for name in TOLERANCES)
FIELDS = ("problem", "domain", "n", "method", *MEASURES, "points", "products", "f", "max|g|",
          "end", "seconds", "outside")  # fmt: skip


class Counter(harness.Points):
    """Distinct points; when the gradient was small, and how the least f fell."""

    def __init__(self, problem, budget: int, seconds: float) -> None:
        self.scale = max(1.0, float(np.abs(problem.fg(problem.x0)[1]).max()))
        if problem.hessp is not None:
            problem.hessp(problem.x0, np.ones(problem.n))  # compiled outside of the clock
        super().__init__(problem, budget, seconds)
        self.f, self.g = np.inf, np.inf
        self.reached: dict[str, int] = {}
        self.trace: list[tuple[int, float]] = []

    def note(self, x, f, g):
        largest = float(np.abs(g).max())
        if not (np.isfinite(f) and np.isfinite(largest)):
            return
        if f < self.f:
            self.f, self.g = f, largest
            self.trace.append((self.cost, f))
        if f > self.f + 1e-9 * max(1.0, abs(self.f)):
            return  # flat, but no minimum: far out on a plateau
        for name, tolerance in TOLERANCES.items():
            if largest <= tolerance * self.scale:
                self.reached.setdefault(name, self.cost)
        if largest <= END * self.scale:
            self.end = "solved"


def thin(trace: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The steps of the least f that matter at a hundredth of the finest accuracy, and the last."""
    if not trace:
        return []
    small = 1e-2 * min(TOLERANCES.values()) * (trace[0][1] - trace[-1][1])
    kept = [trace[0]]
    for cost, f in trace[1:]:
        if kept[-1][1] - f > small:
            kept.append((cost, f))
    return kept if kept[-1] == trace[-1] else [*kept, trace[-1]]


def race(method: str, problem, budget: int, seconds: float) -> dict:
    """The record of one run."""
    counter = Counter(problem, budget, seconds)
    began = time.process_time()
    _, note = harness.race(lambda: METHODS[method](counter, problem.x0.copy()))
    spent = time.process_time() - began
    return {
        "gradient": counter.reached, "points": counter.points, "products": counter.products,
        "f": counter.f, "g": counter.g, "end": counter.end or note or "gave up",
        "seconds": round(spent, 4), "trace": thin(counter.trace),
        "outside": round(1e6 * (spent - counter.inside) / max(1, counter.cost), 1),
    }  # fmt: skip


def failure(why: str, seconds: float) -> dict:
    """The record of a run that left none."""
    return {"gradient": {}, "points": 0, "products": 0, "f": None, "g": None, "end": why,
            "seconds": seconds, "trace": [], "outside": None}  # fmt: skip


def applies(method: str, problem: dict) -> bool:
    """Whether a method is run on a problem, by what is known of that."""
    if method in NEED_PRODUCTS and not problem["products"]:
        return False
    return problem["n"] <= harness.LARGEST.get(method, problem["n"])


def warm(n: int, methods: list[str]) -> None:
    """Load the kernels that a problem of this size needs, outside of the clock."""
    valley = harness.Problem(
        "", np.resize([-1.2, 1.0], n), lambda x: (optimize.rosen(x), optimize.rosen_der(x)),
        optimize.rosen_hess_prod,
    )  # fmt: skip
    for method in methods:
        harness.race(lambda m=method: METHODS[m](harness.Points(valley, 60, 60.0), valley.x0))


def work(path: Path, name: str, methods: list[str], args: argparse.Namespace) -> None:
    """What the process of a problem does: race the methods, and write after each of them."""
    data = read(path)
    try:
        problem = problems.load(name)
    except ImportError as missing:
        print(f"{name}: {missing}", flush=True)
        sys.exit(2)
    data |= {
        "problem": name, "domain": problem.domain, "n": problem.n, "convex": problem.convex,
        "products": problem.hessp is not None, "f0": problem.fg(problem.x0)[0],
    }  # fmt: skip
    write(path, data)
    if problem.n > args.largest:
        return
    methods = [m for m in methods if applies(m, data)]
    warm(problem.n, methods)
    for method in methods:
        write(path, data | {"at": method})
        data["runs"][method] = r = race(method, problem, args.budget, args.seconds)
        print(
            f"{name:22s} {method:12s} {r['gradient']} {r['points']}+{r['products']} "
            f"f {r['f']:.9g} {r['end'][:50]} {r['seconds']:.1f} s", flush=True,
        )  # fmt: skip
    write(path, data | {"at": ""})


def read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.exists() else {"runs": {}, "at": ""}


def write(path: Path, data: dict) -> None:
    """Replace a file at once, so that one that is killed leaves none that cannot be read."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(data))
    new.replace(path)


def solve(path: Path, name: str, methods: list[str], args: argparse.Namespace) -> None:
    """Run what is missing of a problem, in processes that may crash or hang."""
    while True:
        data = read(path)
        if "n" in data:  # built before
            if data["n"] > args.largest:
                return
            methods = [m for m in methods if applies(m, data)]
        missing = [m for m in methods if m not in data["runs"]]
        if not missing:
            return
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=work, args=(path, name, missing, args))
        process.start()
        # Compiling takes its time; other work on the machine may double that of a run.
        process.join(300.0 + 3.0 * args.seconds * len(missing))
        if process.is_alive():
            process.kill()
            process.join()
        if process.exitcode == 2:
            return  # what it needs is not installed: the process has said so
        data = read(path)
        if process.exitcode:
            if not data["at"]:
                print(f"{name}: cannot be built", flush=True)
                return
            print(f"{name} {data['at']}: killed or crashed ({process.exitcode})", flush=True)
            why = "hang" if process.exitcode == -9 else "crash"
            data["runs"][data["at"]] = failure(why, args.seconds)
            write(path, data | {"at": ""})


@dataclass(frozen=True)
class Result:
    """One run by one measure of success, as `harness.geometric_mean` takes it."""

    problem: str
    n: int
    cost: int
    solved: bool


def results(folder: Path) -> list[dict]:
    """A row of `FIELDS` for every run in DIR; what was not reached is None."""
    rows = []
    for path in sorted((folder / "runs").glob("*.json")):
        data = read(path)
        found = [r["f"] for r in data["runs"].values() if r["f"] is not None]
        best = min(found, default=np.inf)
        for method in METHODS:
            if method not in data["runs"]:
                continue
            r = data["runs"][method]
            row = {"problem": data["problem"], "domain": data["domain"], "n": data["n"],
                   "method": method, "max|g|": r["g"]}  # fmt: skip
            row |= {k: r[k] for k in ("points", "products", "f", "seconds", "outside")}
            row["end"] = " ".join(r["end"].split())[:80]  # a message may have several lines
            for name, tolerance in TOLERANCES.items():
                row[f"gradient {name}"] = r["gradient"].get(name)
                goal = best + tolerance * (data["f0"] - best)
                row[f"best f {name}"] = next((cost for cost, f in r["trace"] if f <= goal), None)
            rows.append(row)
    return rows


def ratio(rows: list[dict], base: list[dict], measure: str, failed: int = 0) -> tuple[float, int]:
    """Mean of cost / cost of `base`, and on how many; a failure counts as `failed`, or not."""

    def judged(rows):
        return [
            Result(r["problem"], r["n"], r[measure] or failed, bool(r[measure] or failed))
            for r in rows
        ]

    return harness.geometric_mean(judged(rows), judged(base))


def summary(rows: list[dict]) -> str:
    """For each measure a table: a line a method."""
    bands = [b for b in (*BANDS, ("all", 1, 10**9)) if any(b[1] <= r["n"] <= b[2] for r in rows)]
    count = {label: len({r["problem"] for r in rows if low <= r["n"] <= high})
             for label, low, high in bands}  # fmt: skip
    lines = [
        f"Points and products, as the geometric mean of the ratio to {BASE} (10 pairs) over the "
        f"problems that both solve; in brackets solved, of those run. A failure as {2 * BUDGET}: "
        "the same mean over all that both were run on. Seconds are processor time of all the runs "
        f"of a method, and of {BASE} on the same problems; microseconds those a point outside of "
        "f, gradient and products, the median.\n"
    ]
    for measure in MEASURES:
        lines += [
            f"### {measure}\n",
            f"| method | {' | '.join(f'{label} ({count[label]})' for label, *_ in bands)} "
            f"| a failure as {2 * BUDGET} | seconds | of {BASE} | microseconds |",
            "|" + "---|" * (len(bands) + 5),
        ]
        for method in dict.fromkeys(r["method"] for r in rows):
            cells = []
            for _, low, high in bands:
                here = [r for r in rows if low <= r["n"] <= high]
                mine = [r for r in here if r["method"] == method]
                value, both = ratio(mine, [r for r in here if r["method"] == BASE], measure)
                solved = f"({sum(bool(r[measure]) for r in mine)} of {len(mine)})"
                cells.append(f"{value:.2f} {solved}" if both else solved if mine else "")
            mine = {r["problem"]: r for r in rows if r["method"] == method}
            base = [r for r in rows if r["method"] == BASE and r["problem"] in mine]
            everywhere, both = ratio(list(mine.values()), base, measure, failed=2 * BUDGET)
            outside = [r["outside"] for r in mine.values() if r["outside"] is not None]
            cells += [
                f"{everywhere:.2f}" if both else "",
                f"{sum(r['seconds'] for r in mine.values()):.0f}",
                f"{sum(r['seconds'] for r in base):.0f}",
                f"{np.median(outside):.0f}" if outside else "",
            ]
            lines.append(f"| {method} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--names", nargs="+", default=list(problems.NAMES), choices=problems.NAMES)
    parser.add_argument("--largest", type=int, default=10**9, help="largest n")
    parser.add_argument("--half", choices=("A", "B"), help="A: to develop on; B: to test on")
    parser.add_argument("--seconds", type=float, default=20.0, help="most processor time of a run")
    parser.add_argument("--budget", type=int, default=BUDGET, help="most points and products")
    args = parser.parse_args()
    runs = args.out / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    methods = [m for m in args.methods if harness.available(m)]
    for name in args.names:
        if args.half and harness.half(name) != "AB".index(args.half):
            continue
        solve(runs / f"{name}.json", name, methods, args)
    rows = results(args.out)
    with (args.out / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    facts = harness.about() | {"seconds": args.seconds, "budget": args.budget}
    (args.out / "about.json").write_text(json.dumps(facts, indent=1) + "\n")
    text = summary(rows)
    (args.out / "summary.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
