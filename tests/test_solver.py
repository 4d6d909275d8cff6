"""The steppable solver."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod
from stepping import step

from quasinewton import Solver, Status, minimize
from quasinewton.methods import METHODS

X0 = np.array([-1.2, 1.0])


def drive(solver, steps=10**6):
    while solver.running and steps > 0:
        steps -= step(solver)
    return solver


@pytest.mark.parametrize("method", METHODS)
def test_ask_and_tell_is_minimize(method):
    stepped = drive(Solver(X0, method)).result()
    whole = minimize(rosen, X0, jac=rosen_der, hessp=rosen_hess_prod, method=method)
    assert stepped.success
    assert np.array_equal(stepped.x, whole.x)
    assert stepped.nfev == whole.nfev and stepped.nit == whole.nit


@pytest.mark.parametrize("method", METHODS)
def test_a_callable_gradient_is_called_only_when_needed(method):
    calls = 0

    def gradient(x):
        nonlocal calls
        calls += 1
        return rosen_der(x)

    solver = Solver(X0, method)
    while solver.running:
        step(solver, grad=gradient)
    result = solver.result()
    assert result.njev == calls <= result.nfev
    if method == "trust_cg":  # a rejected trial needs no gradient
        assert calls < result.nfev


@pytest.mark.parametrize("method", METHODS)
def test_asked_points_are_copies(method):
    solver = Solver(X0, method)
    first = solver.ask()
    first[:] = np.nan
    assert np.array_equal(solver.ask(), X0)


@pytest.mark.parametrize("method", METHODS)
def test_result_at_any_time(method):
    solver = Solver(X0, method)
    assert solver.result().status == Status.RUNNING
    drive(solver, 5)
    result = solver.result()
    assert result.status == Status.RUNNING and not result.success
    assert result.fun == rosen(result.x) <= rosen(X0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 60])
def test_renew_goes_on_with_another_objective(method, n):
    """The minimum of the second function is found, and the first step on it descends."""
    scale = np.linspace(1.0, 3.0, n)
    solver = Solver(np.full(n, 2.0), method, {"gtol": 1e-8})

    def run(centre, steps):
        while solver.running and steps > 0:
            steps -= step(
                solver, lambda x: 0.5 * (x - centre) @ (scale * (x - centre)),
                lambda x: scale * (x - centre), lambda x, p: scale * p,
            )  # fmt: skip

    run(0.0, 4)
    centre = np.linspace(-1.0, 1.0, n)
    d = solver.x - centre
    f = 0.5 * float(d @ (scale * d))
    solver.renew(f, scale * d)
    assert solver.f == f and np.array_equal(solver.g, scale * d)
    assert solver._method.predicted > 0 or solver.direction is not None
    run(centre, 500)
    result = solver.result()
    assert result.success
    np.testing.assert_allclose(result.x, centre, atol=1e-7)


def test_renew_revives_a_run_that_has_ended():
    solver = drive(Solver(X0, "arc_lsr1"))
    assert solver.status is Status.CONVERGED
    solver.renew(1.0, np.array([1.0, 0.0]))
    assert solver.running
    with pytest.raises(ValueError, match="finite"):
        solver.renew(np.nan, np.zeros(2))
    with pytest.raises(ValueError, match="x0"):
        Solver(X0).renew(1.0, np.ones(2))


def test_unknown_method():
    with pytest.raises(ValueError, match="arc_lsr1"):
        Solver(X0, "simplex")


@pytest.mark.parametrize("method", METHODS)
def test_a_better_trial_without_its_gradient_is_not_moved_to(method):
    solver = drive(Solver(X0, method), 1)
    before, point = solver.f, solver.x.copy()
    while solver.direction is not None:
        solver.tell_product(rosen_hess_prod(solver.x, solver.direction))
    trial = solver.ask()
    solver.tell(before - 1.0, None)
    assert solver.f == before and np.array_equal(solver.x, point)
    assert np.isfinite(solver.g).all()
    result = solver.result()  # but it is the best point seen
    assert result.fun == before - 1.0 and np.array_equal(result.x, trial)
    assert np.isnan(result.jac).all() and np.isnan(result.optimality)


def state_of(solver):
    state = solver._state()
    del state["elapsed"]
    return {k: v.tobytes() if isinstance(v, np.ndarray) else repr(v) for k, v in state.items()}


@pytest.mark.parametrize("method", METHODS)
def test_an_answer_that_cannot_be_taken_changes_nothing(method):
    """Not even the counts; and the right answer is taken afterwards."""

    def raises():
        raise ZeroDivisionError

    solver, untroubled = Solver(X0, method), Solver(X0, method)
    told = 0
    while solver.running:
        before = state_of(solver)
        if solver.direction is not None:
            wrong = [
                lambda: solver.tell(-1.0, np.ones(2)), lambda: solver.tell_product(np.ones(3)),
                lambda: solver.tell_product(None),
            ]  # fmt: skip
        else:
            wrong = [
                lambda: solver.tell("text", np.ones(2)), lambda: solver.tell(-1e9, np.ones(3)),
                lambda: solver.tell(-1e9, lambda: np.ones(3)), lambda: solver.tell(-1e9, raises),
                lambda: solver.tell_product(np.ones(2)),
            ]  # fmt: skip
        for call in wrong:
            with pytest.raises((TypeError, ValueError, ZeroDivisionError)):
                call()
            assert state_of(solver) == before
            told += 1
        step(solver)
        step(untroubled)
    assert told > 20 and state_of(solver) == state_of(untroubled)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_told_after_the_end(method):
    solver = drive(Solver(X0, method))
    before = state_of(solver)
    for call in (solver.tell, solver.tell_product):
        with pytest.raises(ValueError, match="after the end of the run"):
            call(*((-1.0, np.ones(2)) if call == solver.tell else (np.ones(2),)))
    assert state_of(solver) == before and solver.result().success
    solver = Solver(X0, "trust_cg", {"enriched": False})
    drive(solver, 1)
    solver.stop(Status.CALLBACK)  # while a product is wanted
    with pytest.raises(ValueError, match="CALLBACK"):
        solver.tell_product(np.ones(2))


@pytest.mark.parametrize("options", [{}, {"enriched": False}])
def test_directions_are_copies(options):
    solver, untroubled = (Solver(np.linspace(-1.0, 1.0, 5), "trust_cg", options) for _ in range(2))
    kept = []
    while solver.running:
        if solver.direction is not None:
            kept.append((solver.direction, solver.direction.copy()))
            solver.direction[:] = np.nan
        step(solver)
        step(untroubled)
    assert kept and all(np.array_equal(d, copy) for d, copy in kept)
    assert state_of(solver) == state_of(untroubled)


@pytest.mark.parametrize(
    ("method", "options"), [*((m, {}) for m in METHODS), ("trust_cg", {"enriched": False})]
)
def test_vectors_held(method, options):
    """2m + 6 vectors, 13 more for trust_cg, 19 for its Newton steps alone: see architecture."""
    n, memory = 100_000, 10

    def run():
        solver = Solver(np.full(n, 0.5), method, {"memory": memory, "maxiter": 15, **options})
        while solver.running:
            if solver.direction is not None:
                solver.tell_product(2.0 * solver.direction)
                continue
            x = solver.ask()
            solver.tell(float((x - 1) @ (x - 1)) + float(np.sum(x**4)), 2 * (x - 1) + 4 * x**3)
        return solver

    run()  # compiled
    tracemalloc.start()
    solver = run()
    held, peak = (size / 8 / n for size in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    assert solver.nit > 3
    expected = 19 if options else 2 * memory + 6 + 13 * (method == "trust_cg")
    assert held == pytest.approx(expected, abs=0.5)
    assert peak <= expected + 6
