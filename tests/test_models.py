"""Compact models against dense SR1 rebuilt from the pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense_bfgs, dense_sr1

from quasinewton import Solver
from quasinewton.models.compact import confine
from quasinewton.models.model import CompactModel
from quasinewton.models.operator import ModelOperator
from quasinewton.models.pairs import absorb
from quasinewton.models.reduced import split_both

pytestmark = pytest.mark.kernels


@st.composite
def histories(draw):
    """Pairs of every kind: repeated, reversed, dependent, with s.y <= 0 or y = Bs, and random."""
    n = draw(st.integers(1, 25))
    memory = draw(st.integers(1, 8))
    count = draw(st.integers(1, memory + 4))
    gamma = draw(st.sampled_from([1.0, -0.5, 1e-3, 30.0, 0.0]))
    exponent = draw(st.integers(-100, 100))  # of the curvature
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    hessian = rng.standard_normal((n, n))
    hessian = hessian + hessian.T
    pairs = []
    for _ in range(count):
        kind = draw(
            st.sampled_from(
                ["random", "quadratic", "repeat", "reverse", "dependent", "orthogonal",
                 "negative", "multiple", "zero y"]
            )
        )  # fmt: skip
        s, y = rng.standard_normal(n), rng.standard_normal(n)
        if kind == "quadratic":
            y = hessian @ s
        elif kind == "repeat" and pairs:
            s, y = (v.copy() for v in pairs[-1])
        elif kind == "reverse" and pairs:
            s, y = (-v for v in pairs[-1])
        elif kind == "dependent" and len(pairs) > 1:
            s = pairs[-1][0] - 0.5 * pairs[-2][0]
        elif kind == "orthogonal":
            y = y - (y @ s) / (s @ s) * s
        elif kind == "negative":
            y = y - (1 + abs(y @ s) / (s @ s)) * s
        elif kind == "multiple":
            y = gamma * s
        elif kind == "zero y":
            y = np.zeros(n)
        if s.any():
            pairs.append((s, y))
    return n, memory, gamma, exponent, pairs


def build(n, memory, gamma, pairs, scale_s=1.0, scale_y=1.0, dtype=np.float64, often=False):
    model = CompactModel(n, memory, "lsr1", dtype)
    zero = np.zeros(n, dtype)
    for s, y in pairs:
        model.push(zero, (s * scale_s).astype(dtype), zero, (y * scale_y).astype(dtype))
        if often:
            model.refresh(gamma * scale_y / scale_s)
    model.refresh(gamma * scale_y / scale_s)
    return model


def dense(model):
    return np.array([model.matvec(e) for e in np.eye(model.n, dtype=model.rows.dtype)]).T


def near_the_skip_threshold(pairs, gamma):
    """Whether a slightly different threshold would use other pairs: then nothing is to compare."""
    return dense_sr1(pairs, gamma, 1e-9)[1] != dense_sr1(pairs, gamma, 1e-7)[1]


@given(histories(), st.booleans())
def test_equals_dense_sr1(history, often):
    n, memory, gamma, exponent, pairs = history
    model = build(n, memory, gamma, pairs, scale_y=10.0**exponent, often=often)
    compare(model, pairs[-memory:], gamma, 10.0**exponent)


@given(histories())
def test_a_matrix_that_forgets_nothing_equals_dense_sr1_of_all_pairs(history):
    n, memory, gamma, exponent, pairs = history
    memory = max(memory, (n + 1) // 2)
    scale_y = 10.0**exponent
    model = CompactModel(n, memory)
    model.record.whole = 1
    zero = np.zeros(n)
    pairs = pairs * (memory // len(pairs) + 2)  # more than the ring holds
    rng = np.random.default_rng(len(pairs))
    kept = []
    for s, _ in pairs:
        y = rng.standard_normal(n) + s
        model.push(zero, s, zero, y * scale_y)
        model.refresh(gamma * scale_y)
        kept.append((s, y))
        if model.record.used < len(kept):  # it may have forgotten what the ring has lost
            return
    compare(model, kept, gamma, scale_y)


@pytest.mark.parametrize("kind", ["lsr1", "lbfgs", "hybrid"])
@given(
    n=st.integers(1, 25), curvature=st.floats(-1.0, 2.0), exponent=st.integers(-100, 100),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_inverse_follows_the_matrix_while_it_is_definite(kind, n, curvature, exponent, seed):
    rng = np.random.default_rng(seed)
    scale = 10.0**exponent
    model = CompactModel(n, 13, kind)
    model.record.whole = 1
    model.refresh(scale)
    model.gram[n:] = np.eye(n)
    model.record.inverted = 1
    zero = np.zeros(n)
    top, low = 1.0, 1.0  # of all that B was, and was made of
    for _ in range(20):
        s = rng.standard_normal(n)
        model.push(zero, s, zero, scale * (curvature * s + 0.5 * rng.standard_normal(n)))
        model.refresh(scale)
        if not model.record.inverted:  # indefinite or nearly, or made anew
            return
        b = dense(model) / scale
        lam = np.linalg.eigvalsh(b)
        assert lam[0] > -1e-12 * lam[-1]
        unit = model.record.unit / scale
        top, low = max(top, lam[-1], model.record.added * unit), min(low, lam[0])
        inverse = model.gram[n:] / unit
        assert np.abs(inverse @ b - np.eye(n)).max() <= 1e-13 * (top / low) ** 2
        assert np.array_equal(inverse, inverse.T)


def compare(model, kept, gamma, scale_y):
    """Hold a model to SR1 by its definition."""
    expected, used = dense_sr1(kept, gamma)
    if near_the_skip_threshold(kept, gamma):
        return
    n = model.n
    b = dense(model) / scale_y
    assert np.isfinite(b).all()
    # Each update may magnify the roundoff of those before it by |r|/|r.s| of its own.
    growth = 1.0
    size = max(abs(gamma), 1e-300)  # of the largest of them: they may cancel in the end
    partial = gamma * np.eye(n)
    for (s, y), ok in zip(kept, used, strict=True):
        if ok:
            r = y - partial @ s
            growth *= 1 + np.linalg.norm(r) * np.linalg.norm(s) / abs(r @ s)
            partial = partial + np.outer(r, r) / (r @ s)
            size = max(size, np.abs(partial).max())
    assert np.abs(b - expected).max() <= 1e-11 * min(growth, 1e9) * size
    assert np.abs(b - b.T).max() <= 1e-8 * size


@given(histories())
def test_last_secant_equation_holds(history):
    n, memory, gamma, exponent, pairs = history
    scale_y = 10.0**exponent
    model = build(n, memory, gamma, pairs, scale_y=scale_y)
    s, y = pairs[-1]
    if model.record.newest == 0:  # skipped: then dense SR1 has no sound update either
        _, used = dense_sr1(pairs[-memory:], gamma, 1e-7)
        assert not used[-1]
        return
    error = np.linalg.norm(model.matvec(s) / scale_y - y)
    # Roundoff is relative to the largest curvature on the way, which may have cancelled.
    size = max(abs(gamma), np.abs(model.lam / scale_y).max(initial=0.0))
    for count in range(1, len(pairs[-memory:])):
        b, _ = dense_sr1(pairs[-memory:][:count], gamma)
        size = max(size, np.abs(b).max())
    assert error <= 1e-8 * np.linalg.norm(y) + 1e-13 * size * np.linalg.norm(s)


@given(histories())
def test_spectrum_reproduces_b(history):
    n, memory, gamma, _, pairs = history
    model = build(n, memory, gamma, pairs)
    b = dense(model)
    eigenvalues = np.linalg.eigvalsh((b + b.T) / 2)
    k = model.rank
    claimed = np.sort(np.concatenate([model.lam[:k], np.full(n - k, gamma)]))
    curvatures = [np.linalg.norm(y) / np.linalg.norm(s) for s, y in pairs]
    top = max(np.abs(eigenvalues).max(), abs(gamma), *curvatures)
    assert np.abs(eigenvalues - claimed).max() <= 1e-7 * top
    u = np.array([model.combine(0.0, np.zeros(n), e) for e in np.eye(k)])
    if k:
        assert np.abs(u @ u.T - np.eye(k)).max() <= 1e-4  # see _INDEPENDENT


@given(histories())
def test_confined_eigenvalues_are_of_curvatures_that_the_pairs_show(history):
    n, memory, gamma, _, pairs = history
    model = build(n, memory, gamma, pairs)
    lam = model.lam
    shown = model.ring["tau"][: model.count].max(initial=0.0)
    confined = lam.copy()
    confine(model.ring, model.count, confined)
    within = (lam <= shown) & (lam >= -0.1 * shown)
    assert np.array_equal(confined[within], lam[within])
    assert np.all((confined <= shown) & (confined >= -0.1 * shown))
    assert np.all(confined * lam >= 0.0)  # the sign of a curvature is kept


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_scales(exponent_s, exponent_y):
    rng = np.random.default_rng(0)
    n, memory = 30, 4
    pairs = [(rng.standard_normal(n), rng.standard_normal(n)) for _ in range(4)]
    reference = dense(build(n, memory, 1.0, pairs))
    scale_s, scale_y = 10.0**exponent_s, 10.0**exponent_y
    b = dense(build(n, memory, 1.0, pairs, scale_s, scale_y)) / (scale_y / scale_s)
    assert np.abs(b - reference).max() <= 1e-9 * np.abs(reference).max()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pairs_that_cannot_be_used_change_nothing(bad):
    model = CompactModel(5, 3)
    zero, ones = np.zeros(5), np.ones(5)
    assert not model.push(zero, zero, zero, ones)
    assert not model.push(zero, ones, zero, np.full(5, bad))
    assert not model.push(zero, np.full(5, bad), zero, ones)
    assert model.count == 0
    model.refresh(2.0)
    assert np.array_equal(model.matvec(ones), 2.0 * ones)


def test_pair_and_exact_reverse():
    rng = np.random.default_rng(5)
    for n, memory in ((40, 5), (6, 5)):
        s, y = rng.standard_normal((2, n))
        one = build(n, memory, 1.0, [(s, y)])
        two = build(n, memory, 1.0, [(s, y), (-s, -y)])
        assert np.allclose(dense(one), dense(two), rtol=0, atol=1e-12 * np.abs(dense(one)).max())


def test_float32_vectors_float64_algebra():
    rng = np.random.default_rng(6)
    n = 50
    pairs = [(rng.standard_normal(n), rng.standard_normal(n)) for _ in range(3)]
    model = build(n, 5, 1.0, pairs, dtype=np.float32)
    assert model.rows.dtype == np.float32
    assert model.gram.dtype == model.lam.dtype == np.float64
    product = model.matvec(pairs[-1][0].astype(np.float32))
    assert product.dtype == np.float32
    assert np.linalg.norm(product - pairs[-1][1]) <= 1e-5 * np.linalg.norm(pairs[-1][1])


def test_new_gamma_needs_no_new_pass():
    rng = np.random.default_rng(7)
    n = 60
    pairs = [(rng.standard_normal(n), rng.standard_normal(n)) for _ in range(5)]
    model = build(n, 6, 1.0, pairs)
    rows = model.rows
    model.rows = np.full_like(rows, np.nan)  # a refresh that looked at the rows would show
    model.refresh(3.0)
    model.rows = rows
    fresh = build(n, 6, 3.0, pairs)
    assert np.allclose(dense(model), dense(fresh), rtol=1e-12, atol=1e-12)


@given(histories(), st.integers(0, 2**32 - 1))
def test_a_model_in_other_units(history, seed):
    n, memory, gamma, _, pairs = history
    model = build(n, max(memory, n), gamma, pairs)
    units = 2.0 ** np.random.default_rng(seed).integers(-3, 4, n)
    b = dense(model)
    expected = b / np.outer(units, units)
    atol = 1e-10 * max(abs(b).max(), abs(model.gamma)) / units.min() ** 2
    assert np.allclose(dense(model.in_units(units)), expected, rtol=0.0, atol=atol)
    assert np.array_equal(dense(model), b)


def test_operator_face():
    rng = np.random.default_rng(8)
    n = 30
    model = build(n, 4, 1.0, [(rng.standard_normal(n), rng.standard_normal(n))])
    operator = ModelOperator(model)
    v = rng.standard_normal(n)
    assert np.array_equal(operator @ v, model.matvec(v))
    assert np.array_equal(operator.H @ v, model.matvec(v))
    assert operator.shape == (n, n)


@pytest.mark.parametrize("kind", ["lsr1", "lbfgs"])
@given(histories())
def test_a_reduced_model_with_room_for_all_equals_the_dense_update(kind, history):
    n, memory, gamma, exponent, pairs = history
    gamma, scale_y = abs(gamma) or 1.0, 10.0**exponent
    model = CompactModel(n, memory, kind, gamma=gamma * scale_y, directions=n)
    for s, y in pairs:
        model.push(np.zeros(n), s, np.zeros(n), y * scale_y)
    model.refresh()
    if kind == "lsr1":
        compare(model, pairs, gamma, scale_y)
        return
    safe = [abs(s @ y) > 1e-6 * np.linalg.norm(s) * np.linalg.norm(y) for s, y in pairs]
    bends = [abs(s @ y) / (s @ s) for s, y in pairs if s.any()]
    # a curvature that is lost beside one that was there before leaves B singular
    if all(safe) and min(bends, default=gamma) > 1e-12 * max(gamma, *bends):
        b, expected = dense(model) / scale_y, dense_bfgs(pairs, gamma)
        worst = max([np.linalg.norm(y) ** 2 / abs(s @ y) for s, y in pairs] + [gamma])
        spread = worst / min(gamma, np.linalg.eigvalsh(expected)[0])
        assert np.abs(b - expected).max() <= 1e-12 * worst * max(1.0, spread)


@given(
    n=st.integers(1, 12), power=st.floats(0.0, 4.0), exponent=st.integers(-100, 100),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_the_hybrid_of_a_quadratic_is_its_hessian(n, power, exponent, seed):
    """After n independent steps of any kind (Nocedal & Wright, theorem 6.1); no BFGS between."""
    scale = 10.0**exponent
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    hessian = (q * np.logspace(0.0, power, n)) @ q.T
    steps, _ = np.linalg.qr(rng.standard_normal((n, n)))
    model = CompactModel(n, n, "hybrid", dense=True)
    x = zero = np.zeros(n)
    for s in steps + 0.1 * rng.standard_normal((n, n)):
        y = scale * (hessian @ s)
        # f tells of no bend: 6 (f - f_trial) + 6 g.s = -3 s.y
        absorb(x, x + s, zero, y, (-3.0 * (s @ y), 0.0), model.rows, model.ring, model.state)
    model.refresh(0.5 * scale)  # below all eigenvalues, so that SR1 stays definite
    assert np.abs(dense(model) / scale - hessian).max() <= 1e-9 * 10.0 ** (2.0 * power)


@pytest.mark.parametrize("bounded", [False, True])
@given(power=st.floats(0.5, 3.0), exponent=st.integers(-100, 100), seed=st.integers(0, 10**6))
def test_a_run_in_a_span_begins_with_the_gamma_of_now(bounded, power, exponent, seed):
    """While all pairs are kept, B is what the newest gamma and all of them give."""
    n, scale = 100, 10.0**exponent
    rng = np.random.default_rng(seed)
    stiffness = np.logspace(0.0, power, n)
    x0 = rng.standard_normal(n)
    # without bounds that hold, but with steps that may leave the span
    bounds = [(-1e9, 1e9)] * n if bounded else None
    solver = Solver(x0, method="trust_lbfgs", bounds=bounds, options={"gtol": 0.0})
    at, pairs = x0, []
    for _ in range(int(rng.integers(3, 25))):
        x = solver.ask().copy()
        if abs(x).max() < 1e-5:  # where pairs are roundoff
            break
        solver.tell(0.5 * scale * (stiffness @ x**2), scale * stiffness * x)
        if np.array_equal(solver.x, x) and not np.array_equal(at, x):
            pairs.append((x - at, stiffness * (x - at)))
            at = x
    s, y = pairs[-1]
    gamma = (y @ y) / (s @ y)
    model = solver._method.current_model()
    assert model.gamma == pytest.approx(scale * gamma, rel=1e-6)
    expected = dense_bfgs(pairs, gamma)
    assert np.abs(dense(model) / scale - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["lsr1", "lbfgs", "hybrid"])
@given(
    n=st.integers(6, 40), directions=st.integers(5, 12), gamma=st.floats(-3.0, 3.0),
    curvature=st.floats(-0.5, 2.0), exponent=st.integers(-100, 100), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_a_reduced_model_without_room_left(kind, n, directions, gamma, curvature, exponent, seed):
    """Its rows stay orthonormal, B is gamma outside of them, definite where BFGS made it."""
    rng = np.random.default_rng(seed)
    directions, scale = min(directions, n), 10.0**exponent
    gamma = 10.0**gamma
    model = CompactModel(n, 4, kind, gamma=gamma * scale, directions=directions)
    for _ in range(15):
        s = rng.standard_normal(n)
        y = scale * (curvature * s + 0.5 * rng.standard_normal(n))
        model.push(np.zeros(n), s, np.zeros(n), y)
        model.refresh()
        rank = int(model.record.rank)
        z = model.rows[:rank]
        assert rank <= directions
        assert np.abs(z @ z.T - np.eye(rank)).max() <= 1e-13
        b = dense(model) / scale
        rest = np.eye(n) - z.T @ z
        top = max(np.abs(b).max(), gamma)
        assert np.abs(rest @ b @ rest - gamma * rest).max() <= 1e-12 * top
        if kind == "lbfgs":
            lam = np.linalg.eigvalsh(b)
            assert lam[0] > -1e-12 * lam[-1]
        if model.record.newest and rank:
            # the secant equation, in the span: the newest pair has not been forgotten
            error = np.linalg.norm(b @ s - y / scale)
            size = max(top, float(model.record.added * model.record.unit) / scale)
            assert error <= 1e-9 * np.linalg.norm(y / scale) + 1e-12 * size * np.linalg.norm(s)


def test_pairs_go_from_any_model_to_any_other():
    rng = np.random.default_rng(3)
    n = 30
    steps = rng.standard_normal((4, n))
    changes = steps * np.linspace(1.0, 2.0, n)
    for shape in ({}, {"dense": True}, {"directions": 10}, {"directions": n}):
        first = CompactModel(n, 5, "lbfgs", **shape)
        for s, y in zip(steps, changes, strict=True):
            first.push(np.zeros(n), s, np.zeros(n), y)
        for other in ({}, {"dense": True}, {"directions": 10}, {"directions": n}):
            second = CompactModel(n, 5, "lbfgs", **other)
            second.take(first)
            second.refresh(1.0)
            assert second.count == 4
            assert np.allclose(second.matvec(steps[-1]), changes[-1], rtol=1e-10)


@given(
    n=st.integers(2, 40),
    rank=st.integers(0, 12),
    first=st.sampled_from(["any", "in", "near", "0"]),
    second=st.sampled_from(["any", "in", "near", "0", "along", "close"]),
    dtype=st.sampled_from("df"),
    exponent=st.integers(-140, 140),
    seed=st.integers(0, 2**32 - 1),
)
def test_two_vectors_are_split_as_one_after_the_other(
    n, rank, first, second, dtype, exponent, seed
):
    """Into coordinates on orthonormal rows, which the rests of both join."""
    rng = np.random.default_rng(seed)
    rank = min(rank, n - 2)
    eps = np.finfo(dtype).eps
    rows = np.zeros((rank + 2, n), dtype)
    rows[:rank] = np.linalg.qr(rng.standard_normal((n, n)))[0][:rank]
    scale = 10.0 ** (exponent if dtype == "d" else exponent / 10.0)

    def vector(kind, other=None):
        inside, outside = rng.standard_normal(rank) @ rows[:rank], rng.standard_normal(n)
        v = {"any": outside, "in": inside, "near": inside + 1e-3 * outside, "0": 0.0 * outside}
        v |= {} if other is None else {"along": -3.0 * other, "close": other + 1e-4 * outside}
        return v[kind]

    a = vector(first)
    b = vector(second, a)
    a, b = (scale * a).astype(dtype), (scale * b).astype(dtype)
    out = np.full((2, rank + 2), 7.0)
    lines = np.full((8, n + rank + 10), 7.0)
    lengths = split_both(a, b, rows, rank, out[0], out[1], lines)
    added = sum(length > 0.0 for length in lengths)
    kept = rows[: rank + added].astype(float)
    assert np.abs(kept @ kept.T - np.eye(len(kept))).max(initial=0.0) <= 1e2 * n * eps
    for v, coordinates in zip((a, b), out, strict=True):
        gap = np.abs(coordinates[: len(kept)] @ kept - v).max()
        assert gap <= max(1e2 * n * eps, 2e-10) * np.abs(v).max()
        assert not coordinates[len(kept) :].any()
    assert (lengths[0] > 0.0) >= (first in ("any", "near"))
    assert (lengths[0] > 0.0) <= (first != "0" and (dtype == "f" or first != "in"))
