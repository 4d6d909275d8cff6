"""Newton steps with quasi-Newton steps between: two methods that share a point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import BFGS, rosen, rosen_der, rosen_hess_prod
from stepping import step

from quasinewton import Solver, Status, minimize
from quasinewton.methods.enriched import Enriched
from quasinewton.methods.quasi_newton import QuasiNewton
from quasinewton.options import Options


def start(n, scale, seed, **options):
    """A method on a quartic that is indefinite at the start, and its functions."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, n))
    a = (a + a.T) / 2

    def f(x):
        return scale * (0.5 * x @ a @ x + 0.25 * np.sum(x**4))

    def g(x):
        return scale * (a @ x + x**3)

    def h(x, d):
        return scale * (a @ d + 3.0 * x * x * d)

    x0 = rng.standard_normal(n)
    return Enriched(x0, f(x0), g(x0), Options(**options)), f, g, h


def iterate(method, f, g, h):
    """To the end of an iteration."""
    while method.direction is not None:
        method.receive_product(h(method.x, method.direction))
    method.receive(f(method.trial), g(method.trial))


@given(
    n=st.integers(1, 50), exponent=st.integers(-60, 60), seed=st.integers(0, 2**32 - 1),
    memory=st.one_of(st.none(), st.integers(1, 6)),
)  # fmt: skip
def test_both_methods_go_on_from_the_same_point(n, exponent, seed, memory):
    method, f, g, h = start(n, 10.0**exponent, seed, memory=memory)
    lowest = method.f
    kinds = set()
    for _ in range(40):
        if method.optimality == 0.0 or method.stalled:
            break
        by_newton = method.now is method.newton
        kinds.add(by_newton)
        x, before = method.x.copy(), method.f
        iterate(method, f, g, h)
        assert method.f == f(method.x) and np.array_equal(method.g, g(method.x))
        assert method.optimality == np.abs(method.g).max()
        assert method.accepted != np.array_equal(method.x, x)
        assert method.f <= before + 1e-14 * abs(before)
        lowest = min(lowest, method.f)
        assert method.best[1] <= lowest
        if method.newton is not None:
            assert method.newton.x is method.quasi.x and method.newton.trial is method.trial
        if by_newton and method.accepted:  # the newest pair is that of the step
            model = method.quasi.model
            s = method.x - x
            newest = model.rows[model.ring["slot"][model.count - 1]]
            assert newest @ s == pytest.approx(np.linalg.norm(s), rel=1e-6)
        if method.direction is None and method.optimality > 0.0 and not method.stalled:
            assert method.predicted > 0.0
            step = np.linalg.norm(method.trial - method.x)
            assert step == pytest.approx(method.step_norm, rel=1e-6, abs=1e-12)
            assert method.step_norm <= method.weight * (1 + 1e-8)
    else:
        assert kinds == {False, True}


def test_a_model_of_no_use_gives_way_to_newton_steps(monkeypatch):
    method, f, g, h = start(6, 1.0, 0)
    read = QuasiNewton._read

    def stall(self, numbers):
        read(self, numbers)
        self.stalled = True

    monkeypatch.setattr(QuasiNewton, "_read", stall)
    iterate(method, f, g, h)
    assert method.now is method.newton and not method.stalled and method.stuck
    before = method.f
    for _ in range(5):
        iterate(method, f, g, h)
        if method.accepted:
            break
    assert method.f < before and not method.stuck


def test_products_of_no_use_give_way_to_quasi_newton_steps():
    """A step along -g that such a curvature makes does not move x."""
    result = minimize(
        rosen, np.full(8, -1.2), jac=rosen_der, hessp=lambda x, p: 1e300 * p, method="trust_cg"
    )
    assert result.success


def test_the_weight_rule_of_cubic_steps_is_none_of_a_radius():
    for method in ("trust_hybrid", "trust_lsr1", "trust_cg"):
        a, b = (
            minimize(
                rosen, np.full(8, -1.2), jac=rosen_der, hessp=rosen_hess_prod, method=method,
                options=options,
            )
            for options in ({}, {"weight_rule": "ranganath", "initial_weight": 3.0})
        )  # fmt: skip
        assert a.success and np.array_equal(a.x, b.x)


def test_pairs_of_many_newton_steps_are_not_forgotten():
    """More of them than the ring holds, before the model is used again."""
    method, f, g, h = start(12, 1.0, 3, memory=None)
    while method.now is not method.newton:
        iterate(method, f, g, h)
    rng = np.random.default_rng(0)
    quasi, used = method.quasi, method.quasi.model.record.used
    for _ in range(45):
        s = rng.standard_normal(12)
        quasi.model.push(method.x, method.x + s, method.g, method.g + h(method.x, s))
        quasi.learn()
    assert quasi.model.record.used > used + 20


def test_products_that_were_not_asked_for_are_refused():
    solver = Solver([-1.2, 1.0], "trust_cg")
    with pytest.raises(ValueError, match="no product was asked for"):
        solver.tell_product(np.ones(2))
    while solver.direction is None:
        step(solver)
    solver.renew(solver.f, solver.g)  # in the middle of a Newton step
    point = solver.ask()
    with pytest.raises(ValueError, match="no product was asked for"):
        solver.tell_product(np.ones(2))
    assert np.array_equal(point, solver.ask()) and solver.counts.nhev == 0


def test_where_neither_can_move_the_run_ends():
    """At the roundoff of f both give up, and say so."""
    result = minimize(
        rosen, [-1.2, 1.0], jac=rosen_der, hessp=rosen_hess_prod, method="trust_cg",
        options={"gtol": 0.0},
    )  # fmt: skip
    assert result.status in (Status.PRECISION, Status.CONVERGED)
    assert result.fun < 1e-20


def test_newton_steps_alone_ask_for_products_at_every_point():
    def run(**options):
        return minimize(
            rosen, np.full(8, -1.2), jac=rosen_der, hessp=rosen_hess_prod, method="trust_cg",
            options=options,
        )  # fmt: skip

    alone, enriched = run(enriched=False), run()
    assert alone.success and enriched.success
    assert alone.nhev >= alone.njev - 1
    assert 0 < enriched.nhev < alone.nhev


def test_a_strategy_as_hess_sees_every_step():
    def run(**options):
        return minimize(
            rosen, np.full(8, -1.2), jac=rosen_der, hess=BFGS(), method="trust_cg",
            options=options,
        )  # fmt: skip

    assert np.array_equal(run().x, run(enriched=False).x)


@pytest.mark.parametrize("value", [2, "yes"])
def test_a_wrong_option_is_named(value):
    with pytest.raises(ValueError, match="`enriched` must be one of False, True"):
        minimize(rosen, [-1.2, 1.0], jac=rosen_der, options={"enriched": value})


@pytest.mark.parametrize("n", [50, 300])
def test_ill_conditioned_quadratics_are_solved_with_products(n):
    h = np.logspace(0.0, 4.0, n)
    result = minimize(
        lambda x: 0.5 * x @ (h * x), np.ones(n), jac=lambda x: h * x,
        hessp=lambda x, p: h * p, method="trust_cg", tol=1e-6,
    )  # fmt: skip
    assert result.success and result.nhev > 0
    assert np.abs(result.x).max() <= 1e-6
