"""The passes over n-vectors by the array API standard, for tensors that live elsewhere.

The package array-api-compat (the extra ``tensors``) irons out where libraries differ. Numbers come
back as floats of Python, small results in arrays of NumPy; nothing of size n leaves its device.
All is computed in float64, which the device must have: in sums digits would be lost, and a factor
may be out of range of float32 where the result is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, to_device

from ..kernels import TINY

#: Elements of a vector for which rows of lower precision are made float64 at a time.
BLOCK = 65536


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
    largest = float(_largest(v))
    return largest if math.isfinite(largest) else math.nan


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
    square = dot(v, v)
    if 1e-280 < square < 1e280:  # no square that counts has overflowed or vanished
        return math.sqrt(square)
    largest = max_abs(v)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    inverse = 1.0 / max(largest, TINY)
    scaled = _wide(v) * inverse
    return math.sqrt(dot(scaled, scaled)) / inverse


def copy(v: Any, out: Any) -> None:
    out[...] = v


def dot(a: Any, b: Any) -> float:
    return float(_product(a, b))


def scale(factor: float, v: Any, out: Any) -> None:
    _put(factor * _wide(v), out)


def divide(v: Any, divisor: float, out: Any) -> None:
    _put(_wide(v) / divisor, out)


def add_multiple(base: Any, factor: float, v: Any, out: Any) -> float:
    _put(_wide(base) + factor * _wide(v), out)
    return dot(out, out)


def slope_between(x: Any, x_trial: Any, g: Any) -> float:
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
    s = (_wide(x_trial) - _wide(x)) * s_inverse
    y = (_wide(g_trial) - _wide(g)) * y_inverse
    ss, sy, yy = _numbers(s @ s, s @ y, y @ y)
    return ss, sy, yy


def store_pair(
    x: Any, x_trial: Any, g: Any, g_trial: Any, s_factors: tuple[float, float],
    y_factors: tuple[float, float], along: float, s_row: Any, z_row: Any,
) -> None:  # fmt: skip
    s = (_wide(x_trial) - _wide(x)) * s_factors[0] * s_factors[1]
    z = (_wide(g_trial) - _wide(g)) * y_factors[0] * y_factors[1] - along * s
    _put(s, s_row)
    _put(z, z_row)


def multiply_rows(rows: Any, v: Any, out: np.ndarray) -> None:
    out[:] = _on_host(_product(rows, v))


def multiply_rows_by_three(rows: Any, a: Any, b: Any, c: Any, out: np.ndarray) -> None:
    xp = array_namespace(rows)
    products = sum(
        xp.stack([_wide(a[block]), _wide(b[block]), _wide(c[block])]) @ _wide(rows[:, block]).T
        for block in _blocks(rows)
    )
    out[:, :] = _on_host(products)


def add_combination(
    alpha: float, v: Any, rows: Any, w: np.ndarray, base: Any, out: Any, buffer: np.ndarray
) -> bool:
    xp = array_namespace(v)
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
