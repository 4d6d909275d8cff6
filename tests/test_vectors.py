"""The passes over n-vectors: both implementations against plain formulas in long double.

For every function of the face `PASSES` has one that makes arguments and tells what is to become of
them: of the value returned, or of the argument of that number, what it should be, the size of the
terms that it is a sum of, and their precision.
"""

from __future__ import annotations

import math
import tracemalloc
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
    return pytest.mark.skipif(not all(map(find_spec, packages)), reason=f"needs {packages}")


#: `machine`, and what the arrays are that `standard` gets.
TENSORS = [
    pytest.param("numpy", marks=needs("array_api_compat")),
    pytest.param("torch", marks=needs("array_api_compat", "torch")),
]
every_kind = pytest.mark.parametrize("kind", ["machine", *TENSORS])
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])

RETURNED = "returned"
EPS = float(np.finfo(np.float64).eps)
#: Arguments that are NumPy's whatever the vectors are.
SMALL = {
    "multiply_rows": [2], "multiply_rows_by_three": [4], "subtract_from_two": [1, 4],
    "add_combination": [3, 6], "rotate_rows": [1, 2],
}  # fmt: skip
#: Where the workspace is.
BUFFER = {"add_combination": 6, "rotate_rows": 2, "subtract_from_two": 4}
#: Arguments that are compared for the value returned.
MOVED = {"move": (0, 2), "add_combination": (4, 5)}


def call(kind, name, arguments):
    """Call one implementation; the value returned, and the arguments as they are then."""
    if kind == "machine":
        # float64 to numba; without it a float takes the precision of what it is multiplied with
        arguments = [np.float64(v) if isinstance(v, float) else v for v in arguments]
        return getattr(machine, name)(*arguments), arguments
    from quasinewton.vectors import standard

    if kind == "torch":
        import torch

        made = {id(v): torch.tensor(v) for v in arguments if isinstance(v, np.ndarray)}
        small = SMALL.get(name, [])  # an array that is given twice is one tensor
        arguments = [v if i in small else made.get(id(v), v) for i, v in enumerate(arguments)]
    return getattr(standard, name)(*arguments), [np.asarray(v) for v in arguments]


class Maker:
    """Makes vectors of n elements, some of them `special`, with decimal exponents up to `top`."""

    def __init__(self, n, dtype, seed, special=()):
        self.n, self.dtype, self.special = n, dtype, special
        self.rng = np.random.default_rng(seed)
        self.eps = float(np.finfo(dtype).eps)
        self.top = 30.0 if dtype == np.float32 else 150.0

    def exponent(self):
        return self.rng.uniform(-self.top, self.top)

    def vector(self, exponent=None):
        exponent = self.exponent() if exponent is None else min(exponent, self.top)
        size = 10.0 ** (exponent - self.rng.uniform(0.0, 5.0, self.n))
        v = (self.rng.standard_normal(self.n) * size).astype(self.dtype)
        if self.rng.random() < 0.5:
            for value in self.special:
                v[self.rng.integers(self.n)] = value
        return v

    def out(self, v=None):
        """What to write to: v itself, every other time."""
        return np.full(self.n, 7.0, self.dtype) if v is None or self.rng.random() < 0.5 else v

    def rows(self):
        rows = self.rng.standard_normal((self.rng.integers(6), self.n)) / math.sqrt(self.n)
        rows[self.rng.random(len(rows)) < 0.3] = 0.0
        return rows.astype(self.dtype)

    def multiple(self):
        """A factor, v, their product and its exponent; the factor may be out of v's range."""
        start, end = self.exponent(), self.exponent()
        factor, v = 10.0 ** (end - start), self.vector(start)
        return factor, v, factor * wide(v), end

    def moves(self):
        """x, x_trial, g, g_trial; the differences; the inverses of their sizes."""
        points = []
        for _ in range(2):
            exponent = self.exponent()
            old = self.vector(exponent)
            points += [old, old + self.vector(exponent + self.rng.uniform(-9.0, 0.0))]
        differences = [wide(points[k + 1]) - points[k] for k in (0, 2)]
        sizes = [abs(d[np.isfinite(d)]).max(initial=1e-300) for d in differences]
        return points, differences, [1.0 / float(size) for size in sizes]


def wide(v):
    return v.astype(np.longdouble)


def largest(*vs):
    return [abs(v).max() if np.isfinite(vs).all() else math.nan for v in vs]


def max_abs(m):
    v = m.vector()
    return [v], {RETURNED: (*largest(v), 0.0, 0.0)}


def mean_abs(m):
    v = m.vector()
    exact = np.mean(abs(wide(v)))
    return [v], {RETURNED: (exact, exact, m.n * EPS)}


def norm2_of(v):
    return np.sqrt(np.sum(wide(v) ** 2)) if np.isfinite(v).all() else math.nan


def norm2(m):
    v = m.vector()
    exact = norm2_of(v)
    return [v], {RETURNED: (exact, exact, m.n * EPS)}


def projected_norms(m):
    exponent = m.exponent()
    x, g = 10.0**exponent * m.rng.standard_normal(m.n), m.vector(exponent)
    x = x.astype(m.dtype)
    lower, upper = (
        (x + side * 10.0**exponent * m.rng.choice([0.0, 1e-3, 1.0, np.inf], m.n)).astype(m.dtype)
        for side in (-1.0, 1.0)
    )
    held = (lower >= upper) | ((x <= lower) & (g > 0)) | ((x >= upper) & (g < 0))
    free = np.where(held, 0.0, wide(g))
    part = np.where(held, 0.0, np.clip(-free, wide(lower) - x, wide(upper) - x))
    exact = np.array([abs(part).max(), np.sqrt(part @ part), np.sqrt(free @ free)])
    if not np.isfinite(g).all():
        exact[:] = math.nan
    return [x, g, lower, upper], {RETURNED: (exact, exact, (m.n + 4) * EPS)}


def width(m):
    exponent = m.exponent()
    lower = (10.0**exponent * m.rng.standard_normal(m.n)).astype(m.dtype)
    rooms = 10.0**exponent * m.rng.choice([0.0, 1e-3, 1.0, 10.0, np.inf], m.n)
    upper, most = (lower + rooms).astype(m.dtype), 3.0 * 10.0**exponent
    rooms = wide(upper) - wide(lower)
    rooms = rooms[rooms <= most]
    exact = np.sqrt(rooms @ rooms)
    return [lower, upper, most], {RETURNED: (exact, exact, (m.n + 4) * EPS)}


def step_to(m):
    points, (s, _), _ = m.moves()
    return [*points[:2], m.out()], {2: (s, abs(s), m.eps)}


def dot(m):
    a, b = m.vector(), m.vector()
    return [a, b], {RETURNED: (wide(a) @ wide(b), abs(wide(a)) @ abs(wide(b)), m.n * EPS)}


def slope_between(m):
    points, (s, _), _ = m.moves()
    g = m.vector()
    return [*points[:2], g], {RETURNED: (s @ wide(g), abs(s) @ abs(wide(g)), m.n * EPS)}


def copy(m):
    v = m.vector()
    return [v, m.out()], {1: (v, 0.0, 0.0)}


def scale(m):
    factor, v, exact, _ = m.multiple()
    return [factor, v, m.out(v)], {2: (exact, abs(exact), m.eps)}


def divide(m):
    factor, v, exact, _ = m.multiple()
    return [v, 1.0 / factor, m.out()], {2: (exact, abs(exact), m.eps)}


def add_multiple(m):
    factor, v, change, exponent = m.multiple()
    base = m.vector(exponent + m.rng.uniform(-2.0, 2.0))
    exact, size = base + change, abs(base) + abs(change)
    square = exact @ exact, size @ size, 4.0 * m.eps + m.n * EPS
    return [base, factor, v, m.out(base)], {3: (exact, size, m.eps), RETURNED: square}


def norms(m):
    v = m.vector()
    exact = np.array([*largest(v), norm2_of(v)])
    return [v], {RETURNED: (exact, exact, m.n * EPS)}


def advance(m):
    moves, ends = [], []
    for _ in range(2):
        factor, v, change, exponent = m.multiple()
        base = m.vector(exponent + m.rng.uniform(-2.0, 2.0))
        moves.append([base, factor, v])
        ends.append((base + change, abs(base) + abs(change)))
    (z, z_size), (r, r_size) = ends
    squares = np.array([z @ z, r @ r]), np.array([z_size @ z_size, r_size @ r_size])
    return [*moves[0], *moves[1]], {
        0: (z, z_size, m.eps), 3: (r, r_size, m.eps), RETURNED: (*squares, 4.0 * m.eps + m.n * EPS)
    }  # fmt: skip


def move(m):
    exponent = m.exponent()
    x, s = m.vector(exponent), m.vector(exponent + m.rng.uniform(-25.0, 2.0))
    return [x, s, m.out()], {2: (wide(x) + s, abs(wide(x) + s), m.eps)}


def conjugate(m):
    beta, d, change, exponent = m.multiple()
    r = m.vector(exponent + m.rng.uniform(-2.0, 2.0))
    return [d, beta, r], {0: (change - r, abs(change) + abs(r), m.eps)}


def difference_sizes(m):
    points, differences, _ = m.moves()
    exact = np.array(largest(*differences))
    return points, {RETURNED: (exact, exact, EPS)}


def difference_products(m):
    points, differences, inverses = m.moves()
    s, y = (d * inverse for d, inverse in zip(differences, inverses, strict=True))
    exact = np.array([s @ s, s @ y, y @ y])
    size = np.array([s @ s, abs(s) @ abs(y), y @ y])
    return [*points, *inverses], {RETURNED: (exact, size, (m.n + 8) * EPS)}


def store_pair(m):
    points, (s, y), (a, c) = m.moves()
    b, d, along = m.rng.uniform(0.1, 1.0, 3).tolist()
    s, y = s * a * b, y * c * d
    return [*points, (a, b), (c, d), along, m.out(), m.out()], {
        7: (s, abs(s), m.eps), 8: (y - along * s, abs(y) + abs(s), m.eps)
    }  # fmt: skip


def multiply_rows(m):
    rows, v = m.rows(), m.vector()
    exact, size = wide(rows) @ v, abs(rows) @ abs(wide(v))
    return [rows, v, np.full(len(rows), 7.0)], {2: (exact, size, m.n * EPS)}


def multiply_rows_by_three(m):
    rows, three = m.rows(), np.array([m.vector() for _ in range(3)])
    exact, size = wide(three) @ rows.T, abs(wide(three)) @ abs(rows).T
    return [rows, *three, np.full((3, len(rows)), 7.0)], {4: (exact, size, m.n * EPS)}


def rotate_rows(m):
    rows = m.rows()
    q = m.rng.standard_normal((m.rng.integers(len(rows) + 1), len(rows)))
    exact, size = wide(q) @ rows, abs(wide(q)) @ abs(rows)
    rest = rows[len(q) :]
    exact, size = np.concatenate([exact, rest]), np.concatenate([size, 0.0 * rest])
    buffer = np.empty((len(rows) + 1, m.rng.integers(1, m.n + 2)))
    return [rows, q, buffer], {0: (exact, size, m.eps)}


def subtract_from_two(m):
    rows, exponent = m.rows(), m.exponent()
    a, b = (m.vector(exponent + m.rng.uniform(-2.0, 2.0)) for _ in range(2))
    w = 10.0**exponent * m.rng.standard_normal((2, len(rows)))
    change, size = wide(w) @ rows, abs(wide(w)) @ abs(rows)
    return [rows, w, a, b, np.empty((2, BLOCK))], {
        2: (a - change[0], abs(a) + size[0], m.eps), 3: (b - change[1], abs(b) + size[1], m.eps)
    }  # fmt: skip


def add_combination(m):
    alpha, v, change, exponent = m.multiple()
    rows, base = m.rows(), m.vector(exponent + m.rng.uniform(-2.0, 25.0))
    w = 10.0**exponent * m.rng.standard_normal(len(rows)) * (m.rng.random(len(rows)) < 0.7)
    exact = base + (change + wide(w) @ rows)
    size = abs(base) + abs(change) + abs(wide(w)) @ abs(rows)
    arguments = [alpha, v, rows, w, base, m.out(base), np.empty(BLOCK)]
    return arguments, {5: (exact, size, m.eps)}


PASSES = {
    f.__name__: f
    for f in (
        max_abs, mean_abs, norm2, norms, width, projected_norms, dot, copy, scale, divide,
        add_multiple, advance, step_to, move, slope_between, conjugate, difference_sizes,
        difference_products, store_pair, multiply_rows, multiply_rows_by_three,
        subtract_from_two, rotate_rows, add_combination,
    )
}  # fmt: skip


@np.errstate(all="ignore")
def check(kind, name, maker):
    arguments, expected = PASSES[name](maker)
    before = [np.copy(v) for v in arguments]
    returned, after = call(kind, name, arguments)
    lost = maker.n * float(np.finfo(maker.dtype).smallest_subnormal)
    for place, (value, size, eps) in expected.items():
        got, value = np.asarray(returned if place == RETURNED else after[place]), np.asarray(value)
        rounded = value.astype(got.dtype)  # may have overflowed
        near = abs(got - value) <= 8.0 * eps * size + lost
        assert np.all(near | (got == rounded) | (np.isnan(got) & np.isnan(rounded)))
    if name in MOVED:
        old, new = MOVED[name]
        assert returned == np.any(after[new] != before[old])
    written = [arguments[place] for place in expected if place != RETURNED]
    for i, v in enumerate(arguments):
        if i != BUFFER.get(name) and not any(v is w for w in written):
            assert np.array_equal(before[i], after[i], equal_nan=True)


def test_every_pass_of_the_face_is_in_both_modules_and_here():
    pytest.importorskip("array_api_compat")
    from quasinewton.vectors import standard

    face = {name for name in dir(vectors) if isinstance(getattr(vectors, name), VectorFunction)}
    assert face == PASSES.keys() and face <= set(vectors.__all__)
    assert all(callable(getattr(module, name)) for module in (machine, standard) for name in face)


@every_dtype
@every_kind
@pytest.mark.parametrize("name", PASSES)
@given(
    n=st.integers(1, 40) | st.sampled_from([1, BLOCK, BLOCK + 1, 3000]),
    seed=st.integers(0, 2**32 - 1),
    special=st.sampled_from([(), (0.0,), (math.nan,), (math.inf,), (math.inf, -math.inf)]),
)
def test_pass(name, kind, dtype, n, seed, special):
    check(kind, name, Maker(n, dtype, seed, special))


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.parametrize("name", PASSES)
def test_pass_in_blocks_of_rows_that_are_made_wider(name, kind):
    from quasinewton.vectors import standard

    for seed in range(3):
        check(kind, name, Maker(standard.BLOCK + 3, np.float32, seed))


@every_dtype
@every_kind
@np.errstate(all="ignore")
def test_sizes_of_special_vectors(kind, dtype):
    def sizes(*values):
        return [call(kind, name, [np.array(values, dtype)])[0] for name in ("max_abs", "norm2")]

    tiny, top = np.finfo(dtype).tiny, np.finfo(dtype).max
    for v in (0.0, -0.0, np.finfo(dtype).smallest_subnormal, tiny, tiny**0.5 / 1e3, -1.5, -top):
        for values in ((v,), (0.0, v, 0.0)):
            size = abs(float(dtype(v)))
            assert sizes(*values) == [size, pytest.approx(size, rel=1e-15, abs=0.0)]
    for bad in (math.nan, math.inf, -math.inf):
        for values in ((bad,), (1.0, bad), (bad, top, math.inf)):
            assert np.isnan(sizes(*values)).all()


@every_dtype
@every_kind
def test_one_change_is_a_move_and_one_below_roundoff_is_none(kind, dtype):
    x, rows = np.ones(3000, dtype), np.zeros((2, 3000), dtype)
    for change, moved in ((0.0, False), (1e-30, False), (1e-3, True), (math.nan, True)):
        s, out = np.zeros_like(x), np.zeros_like(x)
        s[1500] = change
        assert call(kind, "move", [x, s, out])[0] == moved
        combination = [1.0, s, rows, np.zeros(2), x, out, np.empty(BLOCK)]
        assert call(kind, "add_combination", combination)[0] == moved


@every_dtype
@pytest.mark.parametrize("name", SMALL)
def test_rows_are_not_copied(name, dtype):
    """Beside them no more is made than some vectors, and blocks of rows in float64."""
    pytest.importorskip("array_api_compat")
    from quasinewton.vectors import standard

    n, count = 3 * standard.BLOCK, 20
    rows, v = np.ones((count, n), dtype), np.ones(n, dtype)
    out, w = np.zeros((3, count)), np.ones(count)
    arguments = {
        "multiply_rows": [rows, v, out[0]], "multiply_rows_by_three": [rows, v, v, v, out],
        "subtract_from_two": [rows, out[:2], v, v, np.empty((2, BLOCK))],
        "add_combination": [1.0, v, rows, w, v, 0.0 * v, np.empty(BLOCK)],
        "rotate_rows": [rows, np.eye(count - 1, count), None],
    }[name]  # fmt: skip
    tracemalloc.start()
    getattr(standard, name)(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    blocks = (dtype == np.float32) + (name == "rotate_rows")
    assert peak <= 6 * 8 * n + 1.1 * blocks * count * standard.BLOCK * 8
