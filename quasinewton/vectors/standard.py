"""The passes over n-vectors by the array API standard, for tensors that live elsewhere.

The package array-api-compat (the extra ``tensors``) irons out where libraries differ. Numbers come
back as floats of Python, small results in arrays of NumPy; nothing of size n leaves its device.
All is computed in float64, which the device must have: in sums digits would be lost, and a factor
may be out of range of float32 where the result is not.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, to_device

from ..kernels import TINY
from .machine import LARGE, SMALL

#: Elements of a vector for which rows of lower precision are made float64 at a time.
BLOCK = 65536


class _Foreseen(threading.local):
    """What the passes of an iteration will ask for, by the place in memory of their vectors.

    On a device every number that is asked for by itself is waited for. `foresee` asks for all that
    an accepted trial needs, and the passes find it here.
    """

    def __init__(self) -> None:
        self.about: dict[int, dict[str, Any]] = {}  # numbers of a vector
        self.pair: dict[str, Any] | None = None  # those of the pair

    def of(self, v: Any, name: str) -> Any:
        if not self.about:
            return None
        known = self.about.get(_place(v))
        return None if known is None else known.get(name)


_foreseen = _Foreseen()


def _place(v: Any) -> int:
    return v.data_ptr() if hasattr(v, "data_ptr") else id(v)


def foresee(points: Any, g: Any, rows: Any, kept: int, pairs: int) -> None:
    """Have at hand what an iteration takes that accepts the trial, for which it is waited once.

    Parameters
    ----------
    points : tensor, shape (>= 5, n)
        x, the gradient there, and the trial in its first rows.
    g : tensor, shape (n,)
        The gradient at the trial.
    rows : tensor
    kept : int
        Rows of a reduced model on which g is to be split; 0 for another.
    pairs : int
        Pairs in the rows of a limited-memory model; 0 for another.
    """
    forget()
    if not hasattr(g, "data_ptr"):
        return
    xp = array_namespace(g)
    x, g_old, trial = _wide(points[0]), _wide(points[1]), _wide(points[2])
    wide = _wide(g)
    s = trial - x
    asked = [_largest(g)[None], (wide @ wide)[None], (s @ wide)[None]]
    rests = []
    if kept:
        basis = _wide(rows[:kept])
        rest = g
        for _ in range(2):  # as `split` goes on until the rest is orthogonal to the rows
            products = basis @ _wide(rest)
            rest = xp.astype(_wide(rest) - products @ basis, g.dtype, copy=False)
            square = _wide(rest) @ _wide(rest)
            asked += [products, square[None]]
            rests.append(rest)
    else:
        y = wide - g_old
        ss, sy, yy = s @ s, s @ y, y @ y
        s_unit, y_norm = s / xp.sqrt(ss), xp.sqrt(yy)
        cosine = xp.clip(sy / (xp.sqrt(ss) * y_norm), -1.0, 1.0)
        direction = xp.astype(s_unit, rows.dtype, copy=False)
        other = xp.astype(y / y_norm - cosine * s_unit, rows.dtype, copy=False)
        three = xp.stack([_wide(direction), _wide(other), wide])
        half = rows.shape[0] // 2
        asked += [ss[None], sy[None], yy[None]]
        for part in (rows[:pairs], rows[half : half + pairs]):
            asked.append(xp.reshape(three @ _wide(part).T, (-1,)))
        asked.append(xp.reshape(three @ three.T, (-1,)))
    numbers = _on_host(xp.concat([xp.astype(v, xp.float64, copy=False) for v in asked]))
    g_max, gg, slope = map(float, numbers[:3])
    if not (math.isfinite(g_max) and SMALL < gg < LARGE):
        return
    known: dict[str, Any] = {"largest": g_max, "square": gg}
    _foreseen.about[_place(g)] = known
    if kept:
        for rest in rests:  # how each is split, and what then is known of its rest
            width = kept + 1
            first, numbers = numbers[3 : 3 + width], numbers[width:]
            known["products"] = first[:kept]
            known["rest"] = rest, {"square": float(first[kept])}
            known = known["rest"][1]
        known.clear()
        known.update(square=float(first[kept]))
    else:
        ss, sy, yy = map(float, numbers[3:6])
        if not (SMALL < ss < LARGE and SMALL < yy < LARGE):
            return
        inner = numbers[-9:].reshape(3, 3)
        first, second = numbers[6:-9].reshape(2, 3, pairs)
        _foreseen.pair = {
            "products": (ss, sy, yy), "rows": (direction, other), "inner": inner,
            "parts": (first, second),
        }  # fmt: skip
    _foreseen.about[_place(g)]["slope"] = slope


def forget() -> None:
    """Know no more than vectors say: they are about to change."""
    _foreseen.about.clear()
    _foreseen.pair = None


def _wide(v: Any) -> Any:
    xp = array_namespace(v)
    return xp.astype(v, xp.float64, copy=False)


def _put(value: Any, out: Any) -> None:
    out[...] = array_namespace(value).astype(value, out.dtype, copy=False)


def _on_host(v: Any) -> np.ndarray:
    return np.asarray(to_device(v, "cpu"))


def _numbers(*values: Any) -> list[float]:
    """Scalars of the device as floats, for which it is waited once."""
    numbers: list[float] = _on_host(array_namespace(values[0]).stack(values)).tolist()
    return numbers


def _blocks(v: Any) -> Iterator[slice]:
    """Slices of an n-vector: one where it is float64 already."""
    n = v.shape[-1]
    length = n if v.dtype == array_namespace(v).float64 else BLOCK
    for start in range(0, n, length):
        yield slice(start, start + length)


def _product(a: Any, b: Any) -> Any:
    """a @ b in float64, on the device."""
    return sum(_wide(a[..., block]) @ _wide(b[block]) for block in _blocks(a))


def _largest(v: Any) -> Any:
    """Largest absolute value of v, on the device; NaN or infinite where one is not finite."""
    xp = array_namespace(v)
    return xp.max(xp.abs(v))


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    return array_namespace(like).zeros(shape, dtype=like.dtype, device=device(like))


def clone(v: Any) -> Any:
    v = v.detach() if hasattr(v, "detach") else v
    return array_namespace(v).asarray(v, copy=True)


def largest_number(like: Any) -> float:
    return float(array_namespace(like).finfo(like.dtype).max)


def max_abs(v: Any) -> float:
    known = _foreseen.of(v, "largest")
    if known is not None:
        return float(known)
    largest = float(_largest(v))
    return largest if math.isfinite(largest) else math.nan


def mean_abs(v: Any) -> float:
    xp = array_namespace(v)
    return float(xp.sum(xp.abs(_wide(v)) / v.shape[0]))


def width(lower: Any, upper: Any, most: float) -> float:
    xp = array_namespace(lower)
    room = _wide(upper) - _wide(lower)
    return norm2(xp.where(room <= most, room, xp.zeros_like(room)))


def projected_norms(x: Any, g: Any, lower: Any, upper: Any) -> tuple[float, float, float]:
    xp = array_namespace(x)
    here, slope = _wide(x), _wide(g)
    below, above = _wide(lower), _wide(upper)
    held = (below >= above) | ((here <= below) & (slope > 0)) | ((here >= above) & (slope < 0))
    zero = xp.zeros_like(slope)
    free = xp.where(held, zero, slope)
    part = xp.minimum(xp.maximum(-free, below - here), above - here)
    part = xp.where(held, zero, part)
    if not math.isfinite(max_abs(g)):
        return math.nan, math.nan, math.nan
    return max_abs(part), norm2(part), norm2(free)


def norm2(v: Any) -> float:
    square = _foreseen.of(v, "square")
    if square is None:
        square = dot(v, v)
    if SMALL < square < LARGE:  # no square that counts has overflowed or vanished
        return math.sqrt(square)
    largest = max_abs(v)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    inverse = 1.0 / max(largest, TINY)
    scaled = _wide(v) * inverse
    return math.sqrt(dot(scaled, scaled)) / inverse


def norms(v: Any) -> tuple[float, float]:
    if _foreseen.of(v, "square") is None:
        largest, square = _numbers(_largest(_wide(v)), _product(v, v))
        if largest == 0.0 or SMALL < square < LARGE:
            return largest, math.sqrt(square)
    return max_abs(v), norm2(v)


def copy(v: Any, out: Any) -> None:
    out[...] = v
    if _foreseen.about:
        known = _foreseen.about.get(_place(v))
        if known is None:
            _foreseen.about.pop(_place(out), None)
        else:
            _foreseen.about[_place(out)] = known


def dot(a: Any, b: Any) -> float:
    return float(_product(a, b))


def scale(factor: float, v: Any, out: Any) -> None:
    _put(factor * _wide(v), out)


def divide(v: Any, divisor: float, out: Any) -> None:
    if _foreseen.about:
        _foreseen.about.pop(_place(out), None)
    _put(_wide(v) / divisor, out)


def add_multiple(base: Any, factor: float, v: Any, out: Any) -> float:
    _put(_wide(base) + factor * _wide(v), out)
    return dot(out, out)


def advance(z: Any, t: float, d: Any, r: Any, alpha: float, hd: Any) -> tuple[float, float]:
    _put(_wide(z) + t * _wide(d), z)
    _put(_wide(r) + alpha * _wide(hd), r)
    zz, rr = _numbers(_product(z, z), _product(r, r))
    return zz, rr


def slope_between(x: Any, x_trial: Any, g: Any) -> float:
    known = _foreseen.of(g, "slope")
    if known is not None:
        return float(known)
    return dot(_wide(x_trial) - _wide(x), _wide(g))


def step_to(x: Any, x_trial: Any, out: Any) -> None:
    out[...] = x_trial - x


def move(x: Any, s: Any, out: Any) -> bool:
    new = x + s
    moved = bool(array_namespace(x).any(new != x))
    out[...] = new
    return moved


def conjugate(d: Any, beta: float, r: Any) -> None:
    _put(beta * _wide(d) - _wide(r), d)


def difference_sizes(x: Any, x_trial: Any, g: Any, g_trial: Any) -> tuple[float, float]:
    s_max, y_max = _numbers(
        _largest(_wide(x_trial) - _wide(x)), _largest(_wide(g_trial) - _wide(g))
    )
    if math.isfinite(s_max) and math.isfinite(y_max):
        return s_max, y_max
    return math.nan, math.nan


def difference_products(
    x: Any, x_trial: Any, g: Any, g_trial: Any, s_inverse: float, y_inverse: float
) -> tuple[float, float, float]:
    if _foreseen.pair is not None:
        ss, sy, yy = _foreseen.pair["products"]
        return ss * s_inverse * s_inverse, sy * s_inverse * y_inverse, yy * y_inverse * y_inverse
    s = (_wide(x_trial) - _wide(x)) * s_inverse
    y = (_wide(g_trial) - _wide(g)) * y_inverse
    ss, sy, yy = _numbers(s @ s, s @ y, y @ y)
    return ss, sy, yy


def store_pair(
    x: Any, x_trial: Any, g: Any, g_trial: Any, s_factors: tuple[float, float],
    y_factors: tuple[float, float], along: float, s_row: Any, z_row: Any,
) -> None:  # fmt: skip
    if _foreseen.pair is not None:
        pair = _foreseen.pair
        direction, other = pair["rows"]
        # the rest of y + a s is that of y, in units of another length
        stretch = y_factors[0] * y_factors[1] * math.sqrt(pair["products"][2])
        s_row[...] = direction
        z_row[...] = other if stretch == 1.0 else other * stretch
        pair["stretch"], pair["places"] = stretch, (_place(s_row), _place(z_row))
        return
    s = (_wide(x_trial) - _wide(x)) * s_factors[0] * s_factors[1]
    z = (_wide(g_trial) - _wide(g)) * y_factors[0] * y_factors[1] - along * s
    _put(s, s_row)
    _put(z, z_row)


def multiply_rows(rows: Any, v: Any, out: np.ndarray) -> None:
    known = _foreseen.of(v, "products")
    if known is not None and len(known) == len(out):
        out[:] = known
        return
    out[:] = _on_host(_product(rows, v))


def multiply_rows_by_three(rows: Any, a: Any, b: Any, c: Any, out: np.ndarray) -> None:
    if _three_foreseen(rows, (a, b, c), out):
        return
    xp = array_namespace(rows)
    products = sum(
        xp.stack([_wide(a[block]), _wide(b[block]), _wide(c[block])]) @ _wide(rows[:, block]).T
        for block in _blocks(rows)
    )
    out[:, :] = _on_host(products)


def _three_foreseen(rows: Any, vectors: tuple[Any, Any, Any], out: np.ndarray) -> bool:
    """Fill `out` if these are the pair just stored and the gradient; whether they are."""
    pair = _foreseen.pair
    if pair is None or "places" not in pair:
        return False
    s_place, z_place = pair["places"]
    if (_place(vectors[0]), _place(vectors[1])) != (s_place, z_place) or _foreseen.of(
        vectors[2], "slope"
    ) is None:
        return False
    length = rows[0].element_size() * rows.shape[1] if len(rows) else 1
    own = [(place - _place(rows)) // length for place in (s_place, z_place)]
    part = 0 if 0 <= own[0] < len(rows) else 1  # the rows are directions or rests
    slot = own[part]
    products = pair["parts"][part]
    scales = np.array([1.0, pair["stretch"], 1.0])
    if not 0 <= slot < len(rows) or products.shape[1] < len(rows) - 1:
        return False
    known = min(len(rows), products.shape[1])
    out[:, :known] = products[:, :known] * scales[:, None]
    out[:, slot] = pair["inner"][:, part] * scales * scales[part]
    return True


def subtract_from_two(rows: Any, w: np.ndarray, a: Any, b: Any, buffer: np.ndarray) -> None:
    xp = array_namespace(rows)
    weights = xp.asarray(w, dtype=xp.float64, device=device(rows))
    for block in _blocks(rows):
        sums = weights @ _wide(rows[:, block])
        for vector, total in ((a, sums[0]), (b, sums[1])):
            vector[block] = xp.astype(_wide(vector[block]) - total, vector.dtype, copy=False)


def add_combination(
    alpha: float, v: Any, rows: Any, w: np.ndarray, base: Any, out: Any, buffer: np.ndarray
) -> bool:
    rest = _foreseen.of(v, "rest") if alpha == 0.0 and out is v else None
    if rest is not None:
        out[...] = rest[0]
        _foreseen.about[_place(out)] = rest[1]
        return True
    xp = array_namespace(v)
    if _foreseen.about:
        _foreseen.about.pop(_place(out), None)
    weights = xp.asarray(w, dtype=xp.float64, device=device(v))
    moved: Any = False
    for block in _blocks(v):
        old = base[block]
        new = alpha * _wide(v[block])
        if w.size:
            new += weights @ _wide(rows[:, block])
        new += _wide(old)
        new = xp.astype(new, out.dtype, copy=False)
        moved = xp.any(new != old) | moved
        out[block] = new
    return bool(moved)


def rotate_rows(rows: Any, q: np.ndarray, buffer: np.ndarray) -> None:
    xp = array_namespace(rows)
    factors = xp.asarray(q, dtype=xp.float64, device=device(rows))
    for start in range(0, rows.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        _put(factors @ _wide(rows[:, block]), rows[: len(q), block])
