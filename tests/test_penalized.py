"""The elastic subproblem: its solution against the conditions that it must meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasinewton.subproblems.penalized import penalized_workspace, solve_penalized


def draw(seed, definite=True, scale=1.0):
    rng = np.random.default_rng(seed)
    n, p, rank = int(rng.integers(1, 13)), int(rng.integers(0, 9)), int(rng.integers(0, 6))
    rows = rng.standard_normal((rank, n))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    curvature = rng.standard_normal((rank, rank))
    curvature = scale * (curvature @ curvature.T if definite else curvature + curvature.T)
    gamma = scale * 10.0 ** rng.uniform(-2, 2)
    g = scale * rng.standard_normal(n)
    jac = rng.standard_normal((p, n)) * 10.0 ** rng.uniform(-2, 2, (p, 1))
    if p > 1 and rng.random() < 0.3:
        jac[1] = -2.0 * jac[0]  # dependent
    c = rng.standard_normal(p)
    lower = np.where(rng.random(p) < 0.5, -np.inf, -rng.random(p))
    upper = np.where(np.isinf(lower) | (rng.random(p) < 0.5), rng.random(p), np.inf)
    if p:
        lower[0] = upper[0] = 0.1
    radius = 10.0 ** rng.uniform(-1, 2)
    box = np.array([-radius * rng.random(n), radius * rng.random(n)])
    weights = scale * 10.0 ** rng.uniform(-1, 3, p)
    return g, (gamma, rows, curvature), (c, jac, np.array([lower, upper]), weights), box


def solve(g, model, linear, box, dense, tolerance=1e-11, basis=None):
    gamma, rows, curvature = model
    n, p = g.size, linear[0].size
    matrix = curvature
    if dense:
        matrix = gamma * np.eye(n) + rows.T @ curvature @ rows
    s, v = np.zeros(n), np.zeros(p)
    work = penalized_workspace(n, p, len(matrix), dense)
    used = np.zeros((0, n)) if dense else rows
    if basis is None:
        basis = np.eye(len(used))
    model = dense, matrix, gamma, basis, np.linalg.solve(basis.T, used)
    solve_penalized(
        g, model, linear, box, (tolerance * abs(g).max(), 0.0), s, v, work
    )
    return s, v


def value(g, model, linear, s):
    gamma, rows, curvature = model
    c, jac, (lower, upper), weights = linear
    r = c + jac @ s
    missed = np.maximum(np.maximum(lower - r, r - upper), 0.0)
    b = gamma * s + rows.T @ (curvature @ (rows @ s))
    return g @ s + 0.5 * s @ b + weights @ missed


def conditions(g, model, linear, box, s, v):
    """How far s and v are from what holds at a minimiser, relative to the terms."""
    gamma, rows, curvature = model
    c, jac, (lower, upper), weights = linear
    gradient = g + gamma * s + rows.T @ (curvature @ (rows @ s)) + v @ jac
    terms = abs(g) + gamma * abs(s) + abs(v) @ abs(jac)
    stationary = max(
        min(abs(d), (s_i - low) if d > 0 else (up - s_i)) / t
        for d, s_i, low, up, t in zip(gradient, s, *box, terms, strict=True)
    )
    r = c + jac @ s
    sizes = abs(c) + abs(jac) @ abs(s) + 1.0
    wrong = [0.0]
    for i in range(c.size):
        if r[i] > upper[i] + 1e-7 * sizes[i]:
            wrong.append(abs(v[i] - weights[i]) / weights[i])
        elif r[i] < lower[i] - 1e-7 * sizes[i]:
            wrong.append(abs(v[i] + weights[i]) / weights[i])
        elif lower[i] + 1e-7 * sizes[i] < r[i] < upper[i] - 1e-7 * sizes[i]:
            wrong.append(abs(v[i]) / weights[i])
        elif lower[i] < upper[i]:  # at a side
            wrong.append(max(0.0, -v[i] if abs(r[i] - upper[i]) < 1e-6 * sizes[i] else v[i]))
    return stationary, max(wrong)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), exponent=st.sampled_from([-100, -8, 0, 8, 100]))
def test_the_solution_of_a_convex_one_meets_its_conditions(seed, exponent):
    problem = draw(seed, scale=10.0**exponent)
    s, v = solve(*problem, True)
    _, _, (_, _, _, weights), box = problem
    assert np.all((box[0] <= s) & (s <= box[1])) and np.all(abs(v) <= weights)
    stationary, wrong = conditions(*problem, s, v)
    assert stationary < 1e-6
    assert wrong < 1e-5 * max(1.0, weights.max(initial=0.0))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_matrix_and_rows_give_the_same(seed):
    """Up to the roundoff of inner products of rows, which may be dependent: half of the digits."""
    problem = draw(seed)
    g, _, (c, jac, _, weights), box = problem
    values = [value(*problem[:3], solve(*problem, dense)[0]) for dense in (True, False)]
    size = weights @ (abs(c) + abs(jac) @ abs(box).max(axis=0)) + abs(g) @ abs(box).max(axis=0)
    assert values[0] == pytest.approx(values[1], rel=1e-4, abs=1e-7 * size)


def test_most_indefinite_ones_end_at_a_point_of_the_box_that_is_stationary():
    """Not all: the method of multipliers need not converge there, and SQP then makes B definite."""
    stationary = 0
    for seed in range(200):
        problem = draw(seed, definite=False)
        s, v = solve(*problem, True)
        box = problem[3]
        assert np.all((box[0] <= s) & (s <= box[1]))
        stationary += conditions(*problem, s, v)[0] < 1e-3
    assert stationary >= 180


def test_a_convex_one_is_not_beaten_by_points_near_by():
    rng = np.random.default_rng(1)
    for seed in range(40):
        problem = draw(seed)
        s, _ = solve(*problem, True)
        least = value(*problem[:3], s)
        for _ in range(200):
            t = s + 10.0 ** rng.uniform(-6, 1) * rng.standard_normal(s.size)
            t = np.clip(t, *problem[3])
            assert value(*problem[:3], t) >= least - 1e-8 * max(1.0, abs(least))


def draw_large(seed, n=1000, p=20):
    """Many bounds that hold, few rows, a B whose eigenvalues differ by up to 1e5."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(0, 20))
    rows = np.linalg.qr(rng.standard_normal((n, rank)))[0].T
    gamma = 10.0 ** rng.uniform(-2, 2)
    curvature = np.diag(gamma * 10.0 ** rng.uniform(-4, 1, rank) - gamma)
    jac = rng.standard_normal((p, n)) * (rng.random((p, n)) < rng.choice([0.05, 0.3, 1.0]))
    sizes = np.linalg.norm(jac, axis=1)
    lower = np.where(rng.random(p) < 0.5, -np.inf, -sizes)
    upper = np.where(np.isinf(lower) | (rng.random(p) < 0.5), sizes, np.inf)
    lower[:5] = upper[:5] = 0.1 * sizes[:5]
    c = sizes * rng.standard_normal(p) * 10.0 ** rng.uniform(-2, 1)
    box = 10.0 ** rng.uniform(-1, 3) * np.array([-rng.random(n), rng.random(n)])
    weights = 10.0 ** rng.uniform(-1, 5) / sizes
    linear = c, jac, np.array([lower, upper]), weights
    return rng.standard_normal(n), (gamma, rows, curvature), linear, box


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_few_rows_of_many_variables_meet_the_conditions(seed):
    problem = draw_large(seed)
    rank = len(problem[1][1])
    basis = np.random.default_rng(seed).standard_normal((rank, rank)) + 10.0 * np.eye(rank)
    s, v = solve(*problem, False, basis=basis)
    box, weights = problem[3], problem[2][3]
    assert np.all((box[0] <= s) & (s <= box[1])) and np.all(abs(v) <= weights)
    stationary, wrong = conditions(*problem, s, v)
    assert stationary < 1e-6 and wrong < 1e-5 * max(1.0, weights.max())
