"""What each choice behind our methods is worth: the same run with one of them changed.

    python benchmarks/ablation.py
    python benchmarks/ablation.py --keep --smallest 100 --methods arc_hybrid    # other rows stay

The CUTEst problems, budgets and limits are those of run.py. Cost is the geometric mean of the
ratio to the method as it is, over the problems that both solve. What is no option of the library
(the pairs that gamma looks at, the update, constants of the rule) is a part of the method's recipe,
which is changed for the run. Writes results.csv and summary.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import cutest
import harness
import run

from quasinewton.globalization import RuleParameters
from quasinewton.methods import QUASI_NEWTON
from quasinewton.options import Options

METHODS = ("arc_lsr1", "arc_hybrid")
EVERY = 10**9

#: choice, alternative, and what makes it: options, constants of the rule, parts of the recipe.
VARIANTS: tuple[tuple[str, str, dict[str, Any], dict[str, float], dict[str, Any]], ...] = (
    ("norm of the cubic term", "shape-changing", {"norm": "shape"}, {}, {}),
    ("norm of the cubic term", "2-norm", {"norm": "euclidean"}, {}, {}),
    ("norm of the cubic term", "none: trust region", {}, {}, {"subproblem": "trust_region"}),
    ("sigma after a success", "0", {}, {"relax": 0.0}, {}),
    ("sigma after a success", "x 0.01", {}, {"relax": 0.01}, {}),
    ("sigma after a success", "x 0.5", {}, {"relax": 0.5}, {}),
    ("sigma after a success", "published rule", {"weight_rule": "ranganath"}, {}, {}),
    ("length after a good step", "x 2", {}, {"grow": 2.0, "grow_convex": 2.0}, {}),
    ("length after a good step", "x 4", {}, {"grow": 4.0, "grow_convex": 4.0}, {}),
    ("length after a good step", "x 4, convex x 10", {}, {"grow": 4.0, "grow_convex": 10.0}, {}),
    ("length after a good step", "x 10", {}, {"grow": 10.0, "grow_convex": 10.0}, {}),
    ("gamma = max y.y / s.y of", "the last pair", {}, {}, {"window": 1}),
    ("gamma = max y.y / s.y of", "7 pairs", {}, {}, {"window": 7}),
    ("gamma = max y.y / s.y of", "all pairs", {}, {}, {"window": EVERY}),
    ("pairs kept", "5", {"memory": 5}, {}, {}),
    ("pairs kept", "10", {"memory": 10}, {}, {}),
    ("pairs kept", "20", {"memory": 20}, {}, {}),
    ("pairs kept", "30", {"memory": 30}, {}, {}),
    ("pairs kept", "all for n <= 40, 20 for n < 100, else 10", {}, {}, {}),
    ("pair of a rejected trial", "used where rho > -10, from the second on", {},
     {"keep": -10.0, "patience": 1.0}, {}),
    ("pair of a rejected trial", "used where rho > -10", {}, {"keep": -10.0, "patience": 0.0}, {}),
    ("pair of a rejected trial", "always used", {}, {"keep": -math.inf, "patience": 0.0}, {}),
    ("pair of a rejected trial", "never used", {}, {"keep": math.inf}, {}),
    ("pair of a rejected trial",
     "never used where n <= 2 memory, else where rho > -10, from the second on",
     {}, {"keep": -10.0, "patience": 1.0}, {"dense_rule": {"keep": math.inf}}),
    ("secant pair", "of gradients", {}, {"secant": 0.0}, {}),
    ("secant pair", "of gradients and values", {}, {"secant": 1.0}, {}),
    ("secant pair", "of gradients and values where n <= 2 memory, else of gradients",
     {}, {"secant": 0.0}, {"dense_rule": {"secant": 1.0}}),
    ("update", "SR1", {}, {}, {"update": "lsr1"}),
    ("update", "BFGS", {}, {}, {"update": "lbfgs"}),
    ("update", "hybrid", {}, {}, {"update": "hybrid"}),
)  # fmt: skip


def variant(
    method: str, options: dict[str, Any], rule: dict[str, float], parts: dict[str, Any]
) -> tuple[object, Callable[..., Any]]:
    """All that the method then depends on, to be compared, and how to run it."""
    default = QUASI_NEWTON[method]
    dense_rule = {**default.dense_rule, **rule, **parts.get("dense_rule", {})}
    recipe = dataclasses.replace(
        default, **{**parts, "rule": {**default.rule, **rule}, "dense_rule": dense_rule}
    )
    constants = [
        RuleParameters(**changes).record().tolist()
        for changes in (recipe.rule, {**recipe.rule, **recipe.dense_rule})
    ]
    solve = harness.ours(method, **options)

    def runner(counter: harness.Counter, x0: Any) -> Any:
        with mock.patch.dict(QUASI_NEWTON, {method: recipe}):
            return solve(counter, x0)

    key = (recipe.update, recipe.subproblem, recipe.window, constants, Options.parse(options))
    return key, runner


def summary(records: list[harness.Record]) -> str:
    """A table for each method: solved, and cost beside the method as it is."""
    classes = [c for c in run.CLASSES if any(c[1] <= r.n <= c[2] for r in records)]
    lines = []
    for method in METHODS:
        lines += [
            f"### {method}", "",
            "| choice | alternative | " + " | ".join(f"{c[0]} | cost" for c in classes) + " |",
            "|" + "---|" * (2 + 2 * len(classes)),
        ]  # fmt: skip
        default, _ = variant(method, {}, {}, {})
        for choice, alternative, *changes in VARIANTS:
            same = variant(method, *changes)[0] == default
            cells = []
            for _, low, high, _ in classes:
                here = [r for r in records if low <= r.n <= high]
                base = [r for r in here if r.method == method]
                mine = [r for r in here if r.method == label(method, choice, alternative)]
                mine = base if same else mine
                cost, _ = harness.geometric_mean(mine, base)
                solved = f"{sum(r.solved for r in mine)} of {len(mine)} | {cost:.2f}"
                cells.append(solved if mine else "not run | ")
            name = f"**{alternative}**" if same else alternative
            lines.append(f"| {choice} | {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def label(method: str, choice: str, alternative: str) -> str:
    return f"{method}; {choice}: {alternative}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS)
    parser.add_argument("--keep", action="store_true", help="keep the old rows of other runs")
    parser.add_argument("--smallest", type=int, default=1)
    parser.add_argument("--largest", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=120.0, help="most processor time of a run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "ablation")
    arguments = parser.parse_args()
    runners = {}
    for method in arguments.methods:
        default, runners[method] = variant(method, {}, {}, {})
        for choice, alternative, *changes in VARIANTS:
            key, runner = variant(method, *changes)
            if key != default:
                runners[label(method, choice, alternative)] = runner
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = arguments.out / "results.csv"
    names = cutest.names(arguments.smallest, arguments.largest)
    old = harness.read(table) if arguments.keep and table.exists() else []
    records = [r for r in old if r.method not in runners or r.problem not in names]
    for name in names:
        problem = cutest.load(name, products=False)
        records += [
            harness.run(label, problem, run.budget(problem.n), arguments.seconds, runner)
            for label, runner in runners.items()
        ]
        harness.write(table, records)
        print(name, flush=True)
    text = summary(records)
    (arguments.out / "summary.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
