"""The passes over n-vectors: both implementations against plain formulas in long double.

`PASSES` has an entry for every function of the face. It makes arguments and says what is to become
of them: for the value returned, or the argument of that number, what it should be, and the size and
the precision of the terms that it is a sum of.
"""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasinewton import vectors
from quasinewton.kernels import VectorFunction
from quasinewton.vectors import BLOCK, machine

pytestmark = pytest.mark.kernels


def needs(*packages):
    missing = [name for name in packages if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


TENSORS = [
    pytest.param("numpy", marks=needs("array_api_compat")),
    pytest.param("torch", marks=needs("array_api_compat", "torch")),
]
#: `machine`, and what the arrays are that `standard` gets.
KINDS = ["machine", *TENSORS]
DTYPES = [np.float32, np.float64]
WIDE, RETURNED = np.longdouble, "returned"
EPS = float(np.finfo(np.float64).eps)
#: Arguments that are small and NumPy's whatever the vectors are.
SMALL = {"multiply_rows": [2], "multiply_rows_by_three": [4], "add_combination": [3, 6]}

#: What is compared with what for the value returned.
MOVED = {"move": (0, 2), "add_combination": (4, 5)}


def call(kind, name, arguments):
    """Call one implementation; the value returned, and the arguments as they are then."""
    small = SMALL.get(name, [])
    if kind == "machine":
        return getattr(machine, name)(*arguments), arguments
    from quasinewton.vectors import standard

    made = {}  # an array that is given twice is one tensor
    if kind == "torch":
        import torch

        for i, v in enumerate(arguments):
            if isinstance(v, np.ndarray) and i not in small and id(v) not in made:
                made[id(v)] = torch.tensor(v)
    given_ = [made.get(id(v), v) for v in arguments]
    return getattr(standard, name)(*given_), [np.asarray(v) for v in given_]


@dataclass
class Maker:
    """Draws the arguments of a pass."""

    n: int
    dtype: type
    seed: int
    top: float  # decimal exponents are between -top and top
    special: tuple[float, ...] = ()  # elements that some vectors have

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.eps = float(np.finfo(self.dtype).eps)

    def exponent(self):
        return self.rng.uniform(-self.top, self.top)

    def vector(self, exponent=None):
        exponent = self.exponent() if exponent is None else min(exponent, self.top)
        spread = 10.0 ** self.rng.uniform(-5.0, 0.0, self.n)
        v = (self.rng.standard_normal(self.n) * spread * 10.0**exponent).astype(self.dtype)
        if self.rng.random() < 0.5:
            for value in self.special:
                v[self.rng.integers(self.n)] = value
        return v

    def empty(self):
        return np.full(self.n, 7.0, self.dtype)

    def rows(self):
        rows = self.rng.standard_normal((self.rng.integers(6), self.n)) / math.sqrt(self.n)
        rows[self.rng.random(len(rows)) < 0.3] = 0.0
        return rows.astype(self.dtype)

    def multiple(self):
        """v, a factor, factor v and its exponent; the factor may be out of range of v's dtype."""
        start, end = self.exponent(), self.exponent()
        v, factor = self.vector(start), 10.0 ** (end - start)
        return v, factor, WIDE(factor) * v.astype(WIDE), end

    def moves(self):
        """x, x_trial, g, g_trial, and the differences in long double."""
        pairs = []
        for _ in range(2):
            exponent = self.exponent()
            old = self.vector(exponent)
            pairs += [old, old + self.vector(exponent + self.rng.uniform(-9.0, 0.0))]
        x, x_trial, g, g_trial = pairs
        return pairs, x_trial.astype(WIDE) - x, g_trial.astype(WIDE) - g


def largest(*differences):
    finite = all(np.isfinite(d).all() for d in differences)
    return [np.abs(d).max() if finite else math.nan for d in differences]


def extreme(m):
    v = m.vector()
    return [v], {RETURNED: (*largest(v), 0.0, 0.0)}


def norm(m):
    v = m.vector()
    exact = np.sqrt(np.sum(v.astype(WIDE) ** 2)) if np.isfinite(v).all() else math.nan
    return [v], {RETURNED: (exact, exact, m.n * EPS)}


def product(m):
    a, b = m.vector(), m.vector()
    terms = a.astype(WIDE) * b
    return [a, b], {RETURNED: (terms.sum(), np.abs(terms).sum(), m.n * EPS)}


def copied(m):
    v = m.vector()
    return [v, m.empty()], {1: (v, 0.0, 0.0)}


def scaled(m):
    v, factor, exact, _ = m.multiple()
    out = v if m.rng.random() < 0.5 else m.empty()
    return [factor, v, out], {2: (exact, np.abs(exact), m.eps)}


def divided(m):
    v, factor, _, _ = m.multiple()
    exact = v.astype(WIDE) / WIDE(1.0 / factor)
    return [v, 1.0 / factor, m.empty()], {2: (exact, np.abs(exact), m.eps)}


def added(m):
    v, factor, change, exponent = m.multiple()
    base = m.vector(exponent + m.rng.uniform(-2.0, 2.0))
    out = base if m.rng.random() < 0.5 else m.empty()
    exact, size = base + change, np.abs(base) + np.abs(change)
    square = np.sum(exact**2), np.sum(size**2), 4.0 * m.eps + m.n * EPS
    return [base, factor, v, out], {3: (exact, size, m.eps), RETURNED: square}


def moved(m):
    exponent = m.exponent()
    x, s = m.vector(exponent), m.vector(exponent + m.rng.uniform(-25.0, 2.0))
    exact = x.astype(WIDE) + s
    return [x, s, m.empty()], {2: (exact, np.abs(exact), m.eps)}


def conjugated(m):
    d, beta, change, exponent = m.multiple()
    r = m.vector(exponent + m.rng.uniform(-2.0, 2.0))
    return [d, beta, r], {0: (change - r, np.abs(change) + np.abs(r), m.eps)}


def sizes(m):
    pairs, s, y = m.moves()
    both = np.array(largest(s, y)) if np.isfinite([s, y]).all() else np.full(2, math.nan)
    return pairs, {RETURNED: (both, both, EPS)}


def products(m):
    pairs, s, y = m.moves()
    factors = [1.0 / float(np.abs(d[np.isfinite(d)]).max(initial=1e-300)) for d in (s, y)]
    s, y = s * WIDE(factors[0]), y * WIDE(factors[1])
    exact, size = [np.array([(v @ w) for v, w in p]) for p in (
        [(s, s), (s, y), (y, y)], [(abs(s), abs(s)), (abs(s), abs(y)), (abs(y), abs(y))]
    )]  # fmt: skip
    return [*pairs, *factors], {RETURNED: (exact, size, (m.n + 8) * EPS)}


def stored(m):
    pairs, s, y = m.moves()
    inverses = [1.0 / float(np.abs(d[np.isfinite(d)]).max(initial=1e-300)) for d in (s, y)]
    units, along = m.rng.uniform(0.1, 1.0, 2), m.rng.uniform(-1.0, 1.0)
    s, y = s * WIDE(inverses[0]) * units[0], y * WIDE(inverses[1]) * units[1]
    factors = [(i, float(unit)) for i, unit in zip(inverses, units, strict=True)]
    return [*pairs, *factors, along, m.empty(), m.empty()], {
        7: (s, np.abs(s), m.eps), 8: (y - along * s, np.abs(y) + np.abs(s), m.eps)
    }  # fmt: skip


def with_rows(m):
    rows, v = m.rows(), m.vector()
    size = np.abs(rows) @ np.abs(v.astype(WIDE))
    exact = rows.astype(WIDE) @ v
    return [rows, v, np.full(len(rows), 7.0)], {2: (exact, size, m.n * EPS)}


def with_three(m):
    rows, three = m.rows(), [m.vector() for _ in range(3)]
    wide = np.array(three, WIDE) @ rows.T
    size = np.abs(np.array(three, WIDE)) @ np.abs(rows.T)
    return [rows, *three, np.full(wide.shape, 7.0)], {4: (wide, size, m.n * EPS)}


def combined(m):
    v, alpha, change, exponent = m.multiple()
    rows, base = m.rows(), m.vector(exponent + m.rng.uniform(-2.0, 25.0))
    w = 10.0**exponent * m.rng.standard_normal(len(rows)) * (m.rng.random(len(rows)) < 0.7)
    out = base if m.rng.random() < 0.5 else m.empty()
    exact = base + (change + rows.T.astype(WIDE) @ w)
    size = np.abs(base) + np.abs(change) + np.abs(rows.T.astype(WIDE)) @ np.abs(w)
    return [alpha, v, rows, w, base, out, np.empty(BLOCK)], {5: (exact, size, m.eps)}


PASSES = {
    "max_abs": extreme, "norm2": norm, "dot": product, "copy": copied, "scale": scaled,
    "divide": divided, "add_multiple": added, "move": moved, "conjugate": conjugated,
    "difference_sizes": sizes, "difference_products": products, "store_pair": stored,
    "multiply_rows": with_rows, "multiply_rows_by_three": with_three, "add_combination": combined,
}  # fmt: skip


def check(kind, name, maker):
    with np.errstate(all="ignore"):
        arguments, expected = PASSES[name](maker)
        before = [np.copy(v) for v in arguments]
        returned, after = call(kind, name, arguments)
        for place, (value, size, eps) in expected.items():
            got = np.asarray(returned if place == RETURNED else after[place])
            want = np.asarray(value).astype(got.dtype)  # may overflow
            lost = maker.n * float(np.finfo(maker.dtype).smallest_subnormal)
            near = np.abs(got - np.asarray(value)) <= 8.0 * eps * np.asarray(size) + lost
            assert np.all(near | (got == want) | (np.isnan(got) & np.isnan(want))), (got, want)
        if name in MOVED:
            old, new = MOVED[name]
            assert returned == np.any(after[new] != before[old])
    changed = {place for place in expected if place != RETURNED}
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if not any(arguments[i] is arguments[place] for place in changed):
            assert i == 6 or np.array_equal(old, new, equal_nan=True)  # 6: the buffer


def test_every_pass_of_the_face_is_in_both_modules_and_here():
    pytest.importorskip("array_api_compat")
    from quasinewton.vectors import standard

    face = {name for name in dir(vectors) if isinstance(getattr(vectors, name), VectorFunction)}
    assert face == PASSES.keys() and face <= set(vectors.__all__)
    for name in face:
        assert callable(getattr(machine, name)) and callable(getattr(standard, name))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PASSES)
@given(
    n=st.integers(1, 40) | st.sampled_from([1, BLOCK, BLOCK + 1, 3000]),
    seed=st.integers(0, 2**32 - 1),
    special=st.sampled_from([(), (0.0,), (math.nan,), (math.inf,), (math.inf, -math.inf)]),
)
def test_pass(name, kind, dtype, n, seed, special):
    top = 30.0 if dtype == np.float32 else 150.0
    check(kind, name, Maker(n, dtype, seed, top, special))


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.parametrize("name", PASSES)
def test_pass_in_blocks_of_rows_that_are_made_wider(name, kind):
    from quasinewton.vectors import standard

    for seed in range(3):
        check(kind, name, Maker(standard.BLOCK + 3, np.float32, seed, 30.0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_sizes_of_special_vectors(kind, dtype):
    def size(name, *values):
        return call(kind, name, [np.array(values, dtype)])[0]

    finfo = np.finfo(dtype)
    for v in (0.0, -0.0, finfo.smallest_subnormal, finfo.tiny, -1.5, finfo.max, -finfo.max):
        for values in ((v,), (0.0, v, 0.0)):
            assert size("max_abs", *values) == abs(float(v))
            assert size("norm2", *values) == pytest.approx(abs(float(v)), rel=1e-15, abs=0.0)
    for bad in (math.nan, math.inf, -math.inf):
        for values in ((bad,), (1.0, bad), (bad, finfo.max, math.inf)):
            with np.errstate(all="ignore"):
                assert math.isnan(size("max_abs", *values)) and math.isnan(size("norm2", *values))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_change_is_a_move_and_one_below_roundoff_is_none(kind, dtype):
    x, rows = np.ones(3000, dtype), np.zeros((2, 3000), dtype)
    for change, expected in ((0.0, False), (1e-30, False), (1e-3, True), (math.nan, True)):
        s = np.zeros_like(x)
        s[1500] = change
        w, buffer = np.zeros(2), np.empty(BLOCK)
        assert call(kind, "move", [x, s, 0.0 * x])[0] == expected
        combination = [1.0, s, rows, w, x, 0.0 * x, buffer]
        assert call(kind, "add_combination", combination)[0] == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["multiply_rows", "multiply_rows_by_three", "add_combination"])
def test_rows_are_not_copied(name, dtype):
    """Beside the rows no more is held than some vectors, and a block of rows in float64."""
    standard = pytest.importorskip("quasinewton.vectors.standard")
    n, count = 4 * standard.BLOCK, 40
    rows, v = np.ones((count, n), dtype), np.ones(n, dtype)
    out, w = np.zeros((3, count)), np.ones(count)
    arguments = {
        "multiply_rows": [rows, v, out[0]], "multiply_rows_by_three": [rows, v, v, v, out],
        "add_combination": [1.0, v, rows, w, v, 0.0 * v, np.empty(BLOCK)],
    }[name]  # fmt: skip
    tracemalloc.start()
    getattr(standard, name)(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    block = count * standard.BLOCK * 8 if dtype == np.float32 else 0
    assert peak <= 6 * 8 * n + 1.1 * block
