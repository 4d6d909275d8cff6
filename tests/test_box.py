"""Steps in a box against dense models and faces that are all tried, and whole runs in one."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import box_quadratic, projected_newton

from quasinewton.box import Box
from quasinewton.methods import METHODS, QUASI_NEWTON, build
from quasinewton.models import face
from quasinewton.models.face import names
from quasinewton.options import Options
from quasinewton.subproblems.box import step_in_box

SEEDS = st.integers(0, 2**31)


class Quartic:
    """A smooth function whose Hessian may be indefinite, and has a minimum in every box."""

    def __init__(self, n, seed, negative=0.3, spread=2.0):
        rng = np.random.default_rng(seed)
        u = np.linalg.qr(rng.standard_normal((n, n)))[0]
        d = 10.0 ** rng.uniform(-spread, spread, n) * np.where(rng.random(n) < negative, -1, 1)
        self.a = (u * d) @ u.T
        self.b = rng.standard_normal(n) * 3.0
        self.c = np.abs(d).max()

    def fun(self, x):
        return 0.5 * x @ self.a @ x + self.b @ x + 0.25 * self.c * np.sum(x**4)

    def grad(self, x):
        return self.a @ x + self.b + self.c * x**3

    def hess(self, x):
        return self.a + np.diag(3.0 * self.c * x * x)


def boxes(rng, n):
    """Bounds of every kind: none, one, both, equal ones, some through the origin."""
    lower, upper = np.full((2, n), np.inf)
    lower = -lower
    kind = rng.integers(0, 6, n)
    centre = rng.standard_normal(n)
    width = 10.0 ** rng.uniform(-3, 1, n)
    lower = np.where(np.isin(kind, (1, 3, 4)), centre - width, lower)
    upper = np.where(np.isin(kind, (2, 3)), centre + width, upper)
    upper = np.where(kind == 4, lower, upper)
    lower = np.where(kind == 5, 0.0, lower)
    return lower, upper


def dense(method):
    model = copy.deepcopy(method.model)
    model.outdate()
    n = model.n
    return np.array([model.matvec(e) for e in np.eye(n)])


def start(problem, lower, upper, rng, name, **options):
    x = np.clip(rng.standard_normal(lower.size), lower, upper)
    corner = rng.random(x.size) < 0.5
    x = np.where(corner & np.isfinite(lower), lower, x)
    return build(name)(
        x, problem.fun(x), problem.grad(x), Options.parse(options), Box(lower, upper)
    )


def cauchy_value(b, g, low, high, longest):
    """The model at the projected gradient point by backtracking from the minimum on the line."""
    held = ((low >= 0) & (g > 0)) | ((high <= 0) & (g < 0))
    d = np.where(held, 0.0, -g)
    square, bend = d @ d, d @ b @ d
    t = longest / np.sqrt(square)
    if bend > 0:
        t = min(t, square / bend)
    for _ in range(40):
        s = np.clip(-t * g, low, high)
        value = g @ s + 0.5 * s @ b @ s
        if value <= 0.1 * (g @ s):
            break
        t *= 0.25
    return value


def check_step(method, lower, upper):
    x, g, trial = method.x, method.g, method.trial
    record = method.state[0]
    assert np.all(trial >= lower) and np.all(trial <= upper)
    s = trial - x
    b, n = dense(method), x.size
    size = np.linalg.norm(s)
    rounding = 1e-15 * (1.0 + abs(x).max())  # of s, a difference
    assert size <= record.length * (1 + 1e-8) + n * rounding
    value = g @ s + 0.5 * s @ b @ s
    steep = np.linalg.norm(g) + np.abs(b).sum() * (size + rounding)
    noise = 1e-9 * (abs(g) @ abs(s) + np.abs(b).max() * size**2) + steep * rounding
    noise += 1e-14 * record.unit * size**2  # of B, what is left of larger numbers
    assert value == pytest.approx(-record.predicted, rel=1e-6, abs=noise)
    least = cauchy_value(b, g, lower - x, upper - x, float(record.length))
    assert value <= 0.9 * least + noise
    return b, value


#: Ways to keep a model: dense; in coordinates of the pairs; on the span of steps and gradients.
KINDS = {"dense": {}, "compact": {"memory": 2}, "few": {"memory": 1}}


@pytest.mark.parametrize("name", sorted(set(QUASI_NEWTON) - {"arc_lsr1", "trust_lsr1"}))
@pytest.mark.parametrize("kind", sorted(KINDS))
@given(n=st.integers(1, 9), seed=SEEDS)
@settings(deadline=None, max_examples=25)
def test_a_step_decreases_the_model_as_the_cauchy_point_does(name, kind, n, seed):
    rng = np.random.default_rng(seed)
    problem = Quartic(n, seed)
    lower, upper = boxes(rng, n)
    method = start(problem, lower, upper, rng, name, **KINDS[kind])
    for _ in range(12):
        if method.optimality == 0.0 or method.stalled:
            break
        check_step(method, lower, upper)
        trial = method.trial.copy()
        method.receive(problem.fun(trial), problem.grad(trial))


@given(n=st.integers(1, 4), seed=SEEDS)
@settings(deadline=None, max_examples=60)
def test_a_convex_model_is_nearly_minimised_over_all_faces(n, seed):
    rng = np.random.default_rng(seed)
    problem = Quartic(n, seed, negative=0.0)
    lower, upper = boxes(rng, n)
    method = start(problem, lower, upper, rng, "trust_lbfgs")
    for _ in range(12):
        if method.optimality <= 1e-8 or method.stalled:
            break
        b, value = check_step(method, lower, upper)
        least, s = box_quadratic(b, method.g, lower - method.x, upper - method.x)
        if np.linalg.norm(s) <= method.state[0].length and np.linalg.eigvalsh(b)[0] > 0:
            assert value <= 0.9 * least
        trial = method.trial.copy()
        method.receive(problem.fun(trial), problem.grad(trial))


@given(
    n=st.integers(2, 6),
    spread=st.floats(0.0, 10.0),
    near=st.floats(-14.0, 0.0),
    seed=SEEDS,
)
@settings(deadline=None, max_examples=60)
def test_a_valley_beside_bounds_is_followed(n, spread, near, seed):
    """The step to the minimum of an ill-conditioned model leaves the box at once; faces go on."""
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.standard_normal((n, n)))[0]
    a = (u * 10.0 ** np.linspace(0.0, -spread, n)) @ u.T

    class Problem:
        fun = staticmethod(lambda x: 0.5 * x @ a @ x)
        grad = staticmethod(lambda x: a @ x)

    x = u[:, -1] + u[:, 0] * 10.0**-spread
    kind = rng.integers(0, 3, n)  # some bounds are near to x, on either side of it
    lower = np.where(kind == 1, x - 10.0**near * rng.random(n), -np.inf)
    upper = np.where(kind == 2, x + 10.0**near * rng.random(n), np.inf)
    method = build("trust_lsr1")(
        x, Problem.fun(x), Problem.grad(x), Options.parse({}), Box(lower, upper)
    )
    record = method.state[0]
    record.length = 10.0 * np.linalg.norm(x)
    record.unit, record.rank, record.inverted = 1.0, n, 0
    record.gamma = record.matrix_gamma = 0.0
    method.model.gram[:n, :n] = a
    assert step_in_box(method.points, *method.arrays, method.find.box)
    s = method.trial - x
    assert np.all(method.trial >= lower) and np.all(method.trial <= upper)
    value = method.g @ s + 0.5 * s @ a @ s
    least, _ = box_quadratic(a, method.g, lower - x, upper - x)
    noise = 1e-15 * (abs(method.g) @ abs(s) + abs(s) @ abs(a) @ abs(s))
    assert value <= 0.9 * least + noise


def solve(problem, x, lower, upper, name, most=3000, gtol=1e-7, **options):
    """Drive a method to the end; every point is in the box."""
    method = build(name)(
        x, problem.fun(x), problem.grad(x), Options.parse(options), Box(lower, upper)
    )
    for _ in range(most):
        if method.optimality <= gtol or method.stalled:
            break
        if method.direction is not None:
            d = method.direction
            g = method.g
            held = ((method.x <= lower) & (g > 0)) | ((method.x >= upper) & (g < 0))
            assert not np.any(d[(lower >= upper) | held & (d != d)])
            method.receive_product(problem.hess(method.x) @ d)
            continue
        trial = method.trial.copy()
        assert np.all(trial >= lower) and np.all(trial <= upper)
        method.receive(problem.fun(trial), problem.grad(trial))
    return method


@pytest.mark.parametrize("name", METHODS)
@given(n=st.integers(1, 12), seed=SEEDS)
@settings(deadline=None, max_examples=25)
def test_runs_end_at_a_stationary_point_that_newton_keeps(name, n, seed):
    rng = np.random.default_rng(seed)
    problem = Quartic(n, seed, spread=1.0)
    lower, upper = boxes(rng, n)
    x = np.clip(rng.standard_normal(n), lower, upper)
    method = solve(problem, x, lower, upper, name)
    scale = 1.0 + np.abs(problem.a).max()
    assert method.optimality <= 1e-6 * scale
    there = projected_newton(problem.fun, problem.grad, problem.hess, method.x.copy(), lower, upper)
    assert problem.fun(there) >= method.f - 1e-6 * (1 + abs(method.f)) * scale or not np.allclose(
        there, method.x, atol=1e-3
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("width", [1e-12, 1.0, 1e12])
def test_boxes_of_any_width(name, width):
    n = 6
    problem = Quartic(n, 3, spread=1.0)
    centre = np.linspace(-1.0, 1.0, n)
    lower, upper = centre - width, centre + width
    x = np.clip(np.full(n, 2.0), lower, upper)
    method = solve(problem, x, lower, upper, name, gtol=1e-6)
    assert method.optimality <= 1e-6


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("factor", [1e-120, 1e-30, 1e30, 1e120])
def test_a_problem_in_any_units_is_the_same_problem(name, factor):
    """With f, and g with it, in other units the first steps go to the same points."""
    n = 5
    problem = Quartic(n, 8, spread=1.0)
    lower, upper = np.full(n, -0.4), np.full(n, 0.3)
    x = np.full(n, 0.1)

    class Scaled:
        fun = staticmethod(lambda z: factor * problem.fun(z))
        grad = staticmethod(lambda z: factor * problem.grad(z))
        hess = staticmethod(lambda z: factor * problem.hess(z))

    plain = solve(problem, x, lower, upper, name, gtol=1e-6)
    # in large units the residual is as small as the box long before g is
    gtol = 1e-6 * factor if factor < 1.0 else 0.0
    scaled = solve(Scaled, x, lower, upper, name, gtol=gtol, most=500)
    assert problem.fun(scaled.x) <= plain.f + 1e-6 * (1 + abs(plain.f))


@pytest.mark.parametrize("name", METHODS)
def test_a_variable_of_one_value_stays(name):
    problem = Quartic(4, 5, spread=1.0)
    lower, upper = np.array([-1.0, 0.25, -np.inf, 2.0]), np.array([1.0, 0.25, np.inf, 2.0])
    x = np.array([0.5, 0.25, 0.0, 2.0])
    method = solve(problem, x, lower, upper, name)
    assert method.optimality <= 1e-6
    assert method.x[1] == 0.25 and method.x[3] == 2.0
    everything = solve(problem, x, x, x, name)
    assert everything.optimality == 0.0 and np.array_equal(everything.x, x)


@pytest.mark.parametrize("name", METHODS)
@given(seed=SEEDS)
@example(seed=0)
@settings(deadline=None, max_examples=10)
def test_multipliers_of_zero(name, seed):
    """The free minimum lies on the bounds: their multipliers vanish, and they are met both ways."""
    n = 8
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, n))
    a = a @ a.T + 0.1 * np.eye(n)

    class Problem:
        fun = staticmethod(lambda x: 0.5 * x @ a @ x)
        grad = staticmethod(lambda x: a @ x)
        hess = staticmethod(lambda x: a)

    lower, upper = np.zeros(n), np.full(n, np.inf)
    method = solve(Problem, np.abs(rng.standard_normal(n)), lower, upper, name)
    assert method.f <= 1e-10


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("n, memory", [(150, None), (150, 5), (300, None)])
def test_larger_ones(name, n, memory):
    """An obstacle problem, whose minimum a dense method knows."""
    h = 1.0 / (n + 1)
    a = (np.diag(np.full(n, 2.0)) - np.diag(np.ones(n - 1), 1) - np.diag(np.ones(n - 1), -1)) / h**2
    t = np.linspace(h, 1.0 - h, n)
    lower, upper = np.sin(9.0 * t) * 0.02 - 0.03, np.full(n, np.inf)

    class Problem:
        fun = staticmethod(lambda x: (0.5 * x @ a @ x + x.sum()) * h)
        grad = staticmethod(lambda x: (a @ x + 1.0) * h)
        hess = staticmethod(lambda x: a * h)

    options = {} if memory is None else {"memory": memory}
    start = np.zeros(n)
    method = solve(Problem, start, lower, upper, name, gtol=1e-6, **options)
    there = projected_newton(Problem.fun, Problem.grad, Problem.hess, start, lower, upper)
    assert method.optimality <= 1e-6
    assert method.f == pytest.approx(Problem.fun(there), rel=1e-7)


@pytest.mark.parametrize("n, dtype", [(110, float), (300, float), (300, np.float32)])
def test_the_products_on_a_face_are_carried_from_step_to_step(n, dtype):
    """Q_F Q_F^T of the rows and the face that it is said to be of, and steps as good as anew."""
    problem = Quartic(n, 7, negative=0.2, spread=1.0)
    rng = np.random.default_rng(n)
    lower, upper = (bound.astype(dtype) for bound in boxes(rng, n))

    class Rounded:
        fun = staticmethod(lambda x: float(problem.fun(x.astype(float))))
        grad = staticmethod(lambda x: problem.grad(x.astype(float)).astype(dtype))

    method = start(Rounded, lower, upper, rng, "trust_hybrid")
    _, marks, face, _, _ = method.find.box
    inner, before = names(face)[4], marks[4]
    carried = 0
    for _ in range(120):
        if method.optimality <= 1e-4 or method.stalled:
            break
        record = method.state[0]
        k = record.covered
        free = method.model.rows[:k, before == 0].astype(float)
        close = 1e-12 if dtype is float else 1e-6
        assert np.abs(inner[:k, :k] - free @ free.T).max(initial=0.0) <= close
        if dtype is float:
            check_step(method, lower, upper)
        carried += record.changes > 0
        trial = method.trial.copy()
        method.receive(Rounded.fun(trial), Rounded.grad(trial))
    assert carried >= 10


@pytest.mark.parametrize("norm", ["shape", "euclidean"])
@pytest.mark.parametrize("memory", [None, 2])
def test_the_published_weight(norm, memory):
    """A rule that bounds no step: the cubic weight alone does."""
    problem = Quartic(6, 4, spread=1.0)
    lower, upper = np.full(6, -0.4), np.full(6, 0.3)
    options = {"weight_rule": "ranganath", "norm": norm} | ({"memory": memory} if memory else {})
    method = solve(problem, np.zeros(6), lower, upper, "arc_lsr1", gtol=1e-6, **options)
    assert method.optimality <= 1e-6


@pytest.mark.parametrize("name", METHODS)
def test_single_precision(name):
    problem = Quartic(6, 2, spread=1.0)
    lower, upper = np.full(6, -0.3, np.float32), np.full(6, 0.2, np.float32)

    class Single:
        fun = staticmethod(lambda x: float(problem.fun(x.astype(np.float64))))
        grad = staticmethod(lambda x: problem.grad(x.astype(np.float64)).astype(np.float32))
        hess = staticmethod(lambda x: problem.hess(x.astype(np.float64)).astype(np.float32))

    method = solve(Single, np.zeros(6, np.float32), lower, upper, name, gtol=1e-3)
    assert method.trial.dtype == np.float32
    assert method.optimality <= 1e-3


@settings(max_examples=50)
@given(SEEDS, st.integers(1, 6), st.floats(0.0, 1.0))
def test_new_rows_come_into_the_gram_matrix_of_a_face(seed, new, share):
    rng, n, rank = np.random.default_rng(seed), 60, 7
    q = np.linalg.qr(rng.standard_normal((n, rank)))[0].T.copy()
    vectors, marks, arrays, _, _ = face.face_workspace(n, rank)
    _, _, _, _, gram, own = names(arrays)
    vectors[5] = rng.standard_normal(n)
    marks[0] = rng.random(n) < share
    held, free = face.hold(marks[0], marks)
    q_free = q[:, marks[0] == 0]
    expected = q_free @ q_free.T
    gram[: rank - new, : rank - new] = expected[: rank - new, : rank - new]
    known = face._add_rows(q, rank - new, rank, marks, held, free, own, gram, vectors)
    np.testing.assert_allclose(np.tril(gram[:rank, :rank]), np.tril(expected), atol=1e-13)
    if known:
        products = q_free @ vectors[5][marks[0] == 0]
        np.testing.assert_allclose(own[8, :rank], products, atol=1e-13)
