"""The instrument counts what it says it counts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
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
