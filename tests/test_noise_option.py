"""The option `noise`: what is given or estimated is known to all that judges values of f."""

from __future__ import annotations

import copy
import math
import pickle

import numba
import numpy as np
import pytest
from scipy.optimize import Bounds, rosen, rosen_der, rosen_hess_prod
from scipy.optimize import minimize as scipy_minimize

import quasinewton
from quasinewton import Solver, Status, minimize, minimize_many, problems
from quasinewton.methods import METHODS
from quasinewton.options import Options
from quasinewton.solver.checkpoint import CheckpointError
from quasinewton.solver.noise import POINTS, NoiseEstimate, noise_of

X0 = [-1.2, 1.0]
NAMES = ("beale", "helical_valley", "brown_almost_linear", "himmelblau", "branin", "matyas")


def noisy(fun, sigma, seed=0):
    rng = np.random.default_rng(seed)
    return lambda x: float(fun(x)) + sigma * rng.standard_normal()


def distance(problem, x, sigma):
    """f - min f in units of the noise, from the nearest known minimum below."""
    f = problem.fun(x)
    return (f - max(m for m in (problem.fmin, *problem.other_minima) if m <= f + 1e-9)) / sigma


@pytest.mark.parametrize(
    ("method", "level"), [("trust_hybrid", 1e-6), *((method, 1e-2) for method in METHODS)]
)
def test_differences_that_know_the_noise_end_near_the_minimum(method, level):
    """Half of all runs within the noise itself; those that are not told it are lost at once."""
    told, not_told, estimated = [], [], []
    names = NAMES if method == "trust_hybrid" else NAMES[::2]
    for name in names:
        problem = problems.get(name)
        sigma = level * (problem.fun(problem.x0) - problem.fmin)
        for kept, noise in ((told, sigma), (not_told, None), (estimated, "estimate")):
            fun = noisy(problem.fun, sigma)
            r = minimize(fun, problem.x0, method=method, options={"noise": noise, "maxfev": 3000})
            kept.append(distance(problem, r.x, sigma))
            if noise is not None:
                assert r.status in (Status.PRECISION, Status.CONVERGED)
                assert sigma / 4 <= r.noise <= 4 * sigma and r.gradient_noise > 0.0
    assert np.median(told) <= 2.0 and np.median(estimated) <= 4.0
    assert np.median(not_told) > 10.0 * np.median(told)


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_that_is_exact_goes_far_below_the_noise(method):
    for seed in range(3):
        r = minimize(
            noisy(rosen, 0.01, seed), X0, jac=rosen_der, hessp=rosen_hess_prod, method=method,
            options={"noise": 0.01},
        )  # fmt: skip
        assert r.success and rosen(r.x) <= 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_a_tolerance_below_the_noise_ends_the_run_and_says_why(method):
    rng = np.random.default_rng(0)

    def fun(x):
        return (
            rosen(x) + 1e-3 * rng.standard_normal(),
            rosen_der(x) + 1e-2 * rng.standard_normal(x.size),
        )

    r = minimize(fun, X0, jac=True, method=method, options={"noise": (1e-3, 1.4e-2), "gtol": 1e-9})
    assert r.status == Status.PRECISION and "below the noise in f, 1.0e-03" in r.message
    assert r.nfev + r.nhev <= 600 and rosen(r.x) <= 0.05
    assert (r.noise, r.gradient_noise) == (1e-3, 1.4e-2)


def test_the_default_is_a_run_without_noise():
    a, b = (
        minimize(rosen, X0, jac=rosen_der, options={"noise": noise, "history": True})
        for noise in (None, 0.0)
    )
    assert np.array_equal(a.x, b.x) and np.array_equal(a.history["rho"], b.history["rho"], True)
    assert "noise" not in a and b.noise == 0.0


@pytest.mark.parametrize("sigma", [1e-12, 1e-3, 10.0])
def test_a_table_of_differences_finds_noise(sigma):
    t = np.linspace(-1e-4, 1e-4, 9)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = 1000.0 + np.sin(t) + sigma * rng.standard_normal(9)
        found, fault = noise_of(values)
        assert fault or sigma / 4 <= found <= 4 * sigma
        scaled, _ = noise_of(2.0**40 * values)
        assert scaled == 2.0**40 * found or math.isnan(found)


def test_a_table_says_what_is_wrong_with_its_points():
    assert noise_of(np.ones(7)) == pytest.approx((math.nan, "near"), nan_ok=True)
    assert noise_of([1.0, 1.0, 1.0, 1.0, 1.0, 1.01, 1.01])[1] == "near"
    assert noise_of(np.linspace(1.0, 2.0, 7))[1] == "far"
    assert noise_of([1.0, math.nan, 1.0, 1.0, 1.0, 2.0, 2.0])[1] == "far"
    assert noise_of(np.zeros(7))[1] == "near"


def test_the_points_go_nearer_and_farther_until_the_noise_is_seen():
    def estimate(fun, x0=(1.1, 2.3, 3.7)):
        table = NoiseEstimate(np.array(x0), None)
        while not table.finished:
            table.receive(fun(table.trial), None)
        return table

    rng = np.random.default_rng(1)
    once = estimate(lambda x: x @ x + 1e-4 * rng.standard_normal())
    assert once.tries == 1 and 2e-5 <= once.f_noise <= 4e-4 and once.message() == ""
    coarse = estimate(lambda x: round(float(x @ x), 3))
    assert coarse.tries > 1 and 5e-5 <= coarse.f_noise <= 2e-3
    steep = estimate(lambda x: float(np.exp(3e5 * (x[0] - 1.1))) + 1e-3 * rng.standard_normal())
    assert steep.tries > 1 and 2e-4 <= steep.f_noise <= 4e-3
    flat = estimate(lambda x: 7.0)
    assert flat.tries == 3 and flat.f_noise == 0.0 and "hardly changes" in flat.message()


def test_a_run_whose_noise_is_not_found_goes_on_and_says_so():
    r = minimize(lambda x: float(abs(x).max() > 9.0), X0, options={"noise": "estimate"})
    assert "noise of f could not be estimated" in r.message and r.noise == 0.0


@pytest.mark.parametrize("jac", [None, True, rosen_der])
def test_estimates_count_and_stay_in_the_bounds(jac):
    bounds = Bounds([-1.2, 0.999999], [-1.2 + 1e-9, 3.0])
    calls = 0
    rng = np.random.default_rng(3)

    def fun(x):
        nonlocal calls
        calls += 1
        assert (x >= bounds.lb).all() and (x <= bounds.ub).all()
        f = rosen(x) + 1e-3 * rng.standard_normal()
        return (f, rosen_der(x) + 1e-2 * rng.standard_normal(2)) if jac is True else f

    r = minimize(fun, X0, jac=jac, bounds=bounds, options={"noise": "estimate"})
    assert r.nfev == calls and 2e-4 <= r.noise <= 5e-3
    if jac is True:
        assert 2e-3 <= r.gradient_noise <= 7e-2
    few = minimize(fun, X0, jac=jac, bounds=bounds, options={"noise": "estimate", "maxfev": 5})
    assert few.nfev == 5 and few.status == Status.MAXFEV


def sequence(solver, told, most=200):
    """The points that a solver asks for, from a list of random numbers."""
    asked = []
    while solver.running and len(asked) < most:
        if solver.direction is not None:
            solver.tell_product(rosen_hess_prod(solver.x, solver.direction))
            continue
        x = solver.ask()
        asked.append(x)
        solver.tell(rosen(x) + 1e-3 * next(told), rosen_der(x))
    return asked


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stop", [3, POINTS, 12])
def test_a_solver_saved_anywhere_goes_on_bit_for_bit(method, stop, tmp_path):
    numbers = np.random.default_rng(0).standard_normal(500)
    whole = sequence(Solver(X0, method, {"noise": "estimate"}), iter(numbers))
    solver = Solver(X0, method, {"noise": "estimate"})
    before = sequence(solver, iter(numbers), stop)
    solver.save(tmp_path / "run.npz")
    others = pickle.loads(pickle.dumps(solver)), copy.deepcopy(solver)
    for other in (Solver.load(tmp_path / "run.npz"), *others):
        after = sequence(other, iter(numbers[len(before) :]))
        assert np.array_equal([*before, *after], whole)
        assert other.noise == pytest.approx((1e-3, other.noise[1]), rel=3.0)


def test_a_resumed_run_of_differences_is_the_same_and_keeps_its_noise(tmp_path):
    path = tmp_path / "run.npz"

    def fun(x):  # the same noise at the same point
        return rosen(x) + 1e-3 * math.sin(1e7 * float(x @ [1.0, math.pi]))

    options = {"noise": "estimate"}
    whole = minimize(fun, X0, options=options)
    minimize(fun, X0, options={**options, "checkpoint": path, "maxiter": 7})
    resumed = minimize(fun, X0, resume=path, options={"maxiter": 1000})
    assert np.array_equal(resumed.x, whole.x) and resumed.nfev == whole.nfev
    assert resumed.gradient_noise == whole.gradient_noise and resumed.noise == whole.noise
    with pytest.raises(CheckpointError, match="option `noise`"):
        Solver.load(path, {"noise": 1e-3})


def test_single_precision_and_scipys_callables_take_it():
    r = minimize(noisy(rosen, 1e-2), np.float32(X0), options={"noise": 1e-2})
    assert r.x.dtype == np.float32 and rosen(r.x) <= 0.5
    r = scipy_minimize(
        noisy(rosen, 1e-3), X0, method=quasinewton.trust_hybrid, options={"noise": 1e-3}
    )
    assert rosen(r.x) <= 0.05 and r.noise == 1e-3


def test_machine_code_knows_the_noise_too():
    """In a compiled function that is the same one at every call, as in Python."""

    def fun(x):
        f = 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2
        g = np.array([
            -400.0 * x[0] * (x[1] - x[0] ** 2) - 2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] ** 2)
        ])  # fmt: skip
        return f + 1e-3 * math.sin(1e7 * (x[0] + math.pi * x[1])), g

    compiled = numba.njit(fun)
    options = {"noise": (1e-3, 1e-6), "gtol": 1e-14}
    for noise in ((1e-3, 1e-6), "estimate"):
        options = {"noise": noise, "gtol": 1e-14}
        a, b = (minimize(f, X0, jac=True, options=options) for f in (fun, compiled))
        np.testing.assert_allclose(a.x, b.x, atol=1e-6)
        assert a.noise == pytest.approx(b.noise) and rosen(b.x) <= 1e-3
        many = minimize_many(compiled, [X0, [2.0, 2.0]], jac=True, options=options)
        np.testing.assert_allclose(many.x[0], b.x, atol=1e-6)


REFUSED = [
    (-1.0, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("guess", ValueError),
    ((1.0, 2.0, 3.0), ValueError), ((1.0, -2.0), ValueError), ([1.0, "a"], TypeError),
    (np.ones(3), TypeError),
]  # fmt: skip


@pytest.mark.parametrize(("value", "error"), REFUSED)
def test_what_is_no_noise_is_named(value, error):
    def fun(x):
        raise AssertionError

    with pytest.raises(error, match="option `noise` must"):
        minimize(fun, X0, options={"noise": value})


def test_forms_of_the_option():
    assert Options.parse({"noise": np.float32(0.5)}).noise == (0.5, 0.0)
    assert Options.parse({"noise": [0.5, 2]}).noise == (0.5, 2.0)
    assert Options.parse(Options.parse({"noise": (1, 2)}).state()).noise == (1.0, 2.0)


def test_constraints_refuse_it():
    with pytest.raises(ValueError, match="option `noise`"):
        minimize(rosen, X0, constraints={"type": "ineq", "fun": sum}, options={"noise": 1.0})
