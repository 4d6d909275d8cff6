"""The step in the variables, against the dense model it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import (
    cubic_value,
    dense_cubic_euclidean,
    dense_trust_region,
    plane_trust_region,
    scalar_cubic,
)

from quasinewton import Solver, minimize, problems
from quasinewton.methods import QUASI_NEWTON, Recipe
from quasinewton.methods.quasi_newton import QuasiNewton
from quasinewton.models.compact import confine
from quasinewton.options import Options

pytestmark = pytest.mark.kernels


@st.composite
def runs(draw):
    """A method some steps into an indefinite quartic, with more or fewer variables than pairs."""
    n = draw(st.integers(1, 30))
    memory = draw(st.one_of(st.none(), st.integers(1, 6)))
    steps = draw(st.integers(0, 30))
    kind = draw(st.sampled_from(["lsr1", "lbfgs", "hybrid"]))
    scale = 10.0 ** draw(st.integers(-60, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    a = rng.standard_normal((n, n))
    a = (a + a.T) / 2
    return n, memory, steps, kind, scale, a, rng.standard_normal(n)


def test_hess_of_the_result_is_the_model_at_the_end():
    """On a quadratic SR1 finds the Hessian on the steps taken; all of it where n <= memory."""
    h = np.diag([1.0, 3.0, 7.0, 10.0])
    result = minimize(
        lambda x: 0.5 * x @ h @ x, [4.0, -3.0, 2.0, -1.0], jac=lambda x: h @ x, tol=1e-9,
        method="arc_lsr1",
    )  # fmt: skip
    assert np.allclose(result.hess @ np.eye(4), h, atol=1e-5)
    solver = Solver([4.0, -3.0, 2.0, -1.0], "arc_lsr1")
    for _ in range(4):
        x = solver.ask()
        solver.tell(0.5 * x @ h @ x, h @ x)
    early = solver.result().hess
    before = early @ np.eye(4)
    x = solver.ask()
    solver.tell(0.5 * x @ h @ x, h @ x)
    assert np.array_equal(early @ np.eye(4), before)


def advance(run, subproblem):
    _, memory, steps, kind, scale, a, x0 = run

    def f(x):
        return scale * (0.5 * x @ a @ x + 0.25 * np.sum(x**4))

    def g(x):
        return scale * (a @ x + x**3)

    options = Options(memory=memory)
    method = QuasiNewton(x0, f(x0), g(x0), Recipe(kind, subproblem, 7), options)
    for _ in range(steps):
        method.receive(f(method.trial), g(method.trial))
    return method


@pytest.mark.parametrize("subproblem", ["shape", "euclidean", "trust_region"])
@given(run=runs())
def test_step_solves_the_dense_subproblem(subproblem, run):
    method = advance(run, subproblem)
    if method.optimality == 0.0 or method.stalled:
        return
    n, scale = run[0], run[4]
    model, g = method.current_model(), method.g / scale
    if model.kind == "lsr1" and not model.dense:
        confine(model.ring, model.count, model.lam)
    b = np.array([model.matvec(e) for e in np.eye(n)]) / scale
    b = (b + b.T) / 2
    s = method.trial - method.x
    weight = method.weight / scale
    value = g @ s + 0.5 * s @ b @ s
    terms = np.abs(g * s).sum() + np.abs(s) @ np.abs(b) @ np.abs(s)
    noise = 1e-15 * np.abs(method.x).max() * (np.abs(g).sum() + np.abs(b).sum() * np.abs(s).max())
    noise += 4.0 * np.nextafter(0.0, 1.0) / min(1.0, scale)  # the spacing of numbers near 0
    assert method.predicted / scale == pytest.approx(-value, rel=1e-6, abs=1e-7 * terms + noise)
    assert method.step_norm == pytest.approx(np.linalg.norm(s), rel=1e-6, abs=1e-13)
    assert method.step_norm <= method.radius * (1 + 1e-8)
    lam, u = np.linalg.eigh(b)
    if subproblem == "trust_region":
        best = dense_trust_region(lam, u.T @ g, method.radius)
        if model.dense and n > 8 and lam[0] > 1e-9 * lam[-1]:
            best = plane_trust_region(b, g, method.radius)
        assert value <= best + 1e-6 * terms + noise
    elif subproblem == "euclidean" and weight > 0.0:
        value += weight * np.linalg.norm(s) ** 3 / 3
        best = dense_cubic_euclidean(lam, u.T @ g, weight)
        assert value <= best + 1e-6 * terms + noise
    elif subproblem == "shape" and weight > 0.0:
        # The norm of the talk: eigenvectors off gamma one by one, the complement as one.
        rank = model.rank
        inside = np.array([model.combine(0.0, np.zeros(n), e) for e in np.eye(rank)])
        inside = inside.reshape(rank, n)

        def reduce(v):
            part = inside @ v
            rest = np.linalg.norm(v - inside.T @ part)
            return np.append(part, rest) if rank < n else part

        spectrum = np.append(model.lam[:rank] / scale, model.gamma / scale)
        spectrum = spectrum[: rank + (rank < n)]
        reduced_g = reduce(g)
        reduced_s = -np.sign(reduced_g) * np.abs(reduce(s))
        ours = cubic_value(spectrum, reduced_g, weight, reduced_s, "shape")
        best = sum(
            scalar_cubic(li, gi, weight) for li, gi in zip(spectrum, reduced_g, strict=True)
        )
        assert ours <= best + 1e-6 * terms + noise


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_a_first_step_that_gains_little_of_what_it_should_is_not_taken(method, joint):
    """From 1.3 a step to 0 decreases f by 0.006 where 0.23 is predicted; the minimum is near 1."""

    def fun(x):
        well = np.exp(-50.0 * (x - 1.0) ** 2)
        return float(1.0 - well + 0.01 * x**2), 100.0 * (x - 1.0) * well + 0.02 * x

    def value(x):
        return fun(x[0])[0]

    def slope(x):
        return np.array([fun(x[0])[1]])

    if joint:
        result = minimize(lambda x: (value(x), slope(x)), [1.3], jac=True, method=method)
    else:
        result = minimize(value, [1.3], jac=slope, method=method)
    assert result.success and result.fun < 0.02 and abs(result.x[0] - 1.0) < 0.01


def test_small_curvatures_keep_their_digits_where_the_function_looks_quadratic():
    """Variables in units of 1e-6 and 1e3, noise in f, differences with a step for each variable."""
    units = np.array([1e-6, 1e3])

    def fun(x):
        z = x / units
        return float(((z - 1.0) ** 2).sum()) + 1e-10 * np.sin(1e9 * z.sum())

    for options in ({"finite_diff_rel_step": [1e-5, 1e-6]}, {"eps": 1e-5 * units}):
        assert minimize(fun, 3.0 * units, options=options).fun < 1e-6


@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_what_was_too_long_is_not_tried_again_at_once(method):
    """After a rejection and a good step the next is no longer than the rejected one, or doubled."""
    checked = 0
    for name in ("rosenbrock", "wood", "beale", "brown_dennis"):
        problem = problems.get(name)
        r = minimize(
            problem.fun, problem.x0, jac=problem.grad, method=method, options={"history": True}
        )
        steps, accepted = r.history["step"], r.history["accepted"]
        for k in range(3, len(steps)):
            if accepted[k - 1] and not accepted[k - 2]:
                checked += 1
                bound = max(steps[k - 2], 2.0 * steps[k - 1])
                assert steps[k] <= bound * (1.0 + 1e-9), (name, k)
    assert checked > 10
