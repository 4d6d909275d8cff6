"""The passes over n-vectors by the array API standard, for tensors that live elsewhere.

The package array-api-compat (the extra ``tensors``) irons out where libraries differ. Numbers come
back as floats of Python, small results in arrays of NumPy; nothing of size n leaves its device.
Sums are taken in float64 where the device has it.
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
    return v if v.dtype == xp.float64 else xp.astype(v, xp.float64)


def _on_host(v: Any) -> np.ndarray:
    return np.asarray(to_device(v, "cpu"))


def _blocks(v: Any) -> Iterator[slice]:
    """Slices of an n-vector: one where it is float64 already."""
    n = v.shape[-1]
    length = n if v.dtype == array_namespace(v).float64 else BLOCK
    for start in range(0, n, max(length, 1)):
        yield slice(start, start + length)


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    return array_namespace(like).zeros(shape, dtype=like.dtype, device=device(like))


def clone(v: Any) -> Any:
    v = v.detach() if hasattr(v, "detach") else v
    return array_namespace(v).asarray(v, copy=True)


def largest_number(like: Any) -> float:
    return float(array_namespace(like).finfo(like.dtype).max)


def max_abs(v: Any) -> float:
    xp = array_namespace(v)
    if v.shape[0] == 0:
        return 0.0
    largest = float(xp.max(xp.abs(v)))
    return largest if math.isfinite(largest) else math.nan


def _sum_products(a: Any, b: Any) -> float:
    xp = array_namespace(a)
    return sum(float(xp.vecdot(_wide(a[block]), _wide(b[block]))) for block in _blocks(a))


def norm2(v: Any) -> float:
    largest = max_abs(v)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    if 1e-140 < largest < 1e140:
        return math.sqrt(_sum_products(v, v))
    inverse = 1.0 / max(largest, TINY)
    scaled = _wide(v) * inverse
    return math.sqrt(_sum_products(scaled, scaled)) / inverse


def copy(v: Any, out: Any) -> None:
    out[...] = v


def dot(a: Any, b: Any) -> float:
    return _sum_products(a, b)


def scale(factor: float, v: Any, out: Any) -> None:
    out[...] = factor * v


def divide(v: Any, divisor: float, out: Any) -> None:
    out[...] = v / divisor


def add_multiple(base: Any, factor: float, v: Any, out: Any) -> float:
    out[...] = base + factor * v
    return _sum_products(out, out)


def move(x: Any, s: Any, out: Any) -> bool:
    out[...] = x + s
    return bool(array_namespace(x).any(out != x))


def conjugate(d: Any, beta: float, r: Any) -> None:
    d[...] = beta * d - r


def difference_sizes(x: Any, x_trial: Any, g: Any, g_trial: Any) -> tuple[float, float]:
    s_max, y_max = max_abs(_wide(x_trial) - _wide(x)), max_abs(_wide(g_trial) - _wide(g))
    if math.isnan(s_max) or math.isnan(y_max):
        return math.nan, math.nan
    return s_max, y_max


def difference_products(
    x: Any, x_trial: Any, g: Any, g_trial: Any, s_inverse: float, y_inverse: float
) -> tuple[float, float, float]:
    s = (_wide(x_trial) - _wide(x)) * s_inverse
    y = (_wide(g_trial) - _wide(g)) * y_inverse
    return _sum_products(s, s), _sum_products(s, y), _sum_products(y, y)


def store_pair(
    x: Any, x_trial: Any, g: Any, g_trial: Any, s_factors: tuple[float, float],
    y_factors: tuple[float, float], along: float, s_row: Any, z_row: Any,
) -> None:  # fmt: skip
    xp = array_namespace(x)
    s = (_wide(x_trial) - _wide(x)) * s_factors[0] * s_factors[1]
    z = (_wide(g_trial) - _wide(g)) * y_factors[0] * y_factors[1] - along * s
    s_row[...] = xp.astype(s, s_row.dtype)
    z_row[...] = xp.astype(z, z_row.dtype)


def multiply_rows(rows: Any, v: Any, out: np.ndarray) -> None:
    out[:] = 0.0
    for block in _blocks(rows):
        out += _on_host(_wide(rows[:, block]) @ _wide(v[block]))


def multiply_rows_by_three(rows: Any, a: Any, b: Any, c: Any, out: np.ndarray) -> None:
    xp = array_namespace(rows)
    out[:, :] = 0.0
    for block in _blocks(rows):
        three = xp.stack([_wide(a[block]), _wide(b[block]), _wide(c[block])])
        out += _on_host(three @ _wide(rows[:, block]).T)


def add_combination(
    alpha: float, v: Any, rows: Any, w: np.ndarray, base: Any, out: Any, buffer: np.ndarray
) -> bool:
    xp = array_namespace(v)
    weights = xp.asarray(w, dtype=xp.float64, device=device(v))
    moved = False
    for block in _blocks(v):
        step = alpha * _wide(v[block])
        if w.size:
            step = step + weights @ _wide(rows[:, block])
        new = xp.astype(_wide(base[block]) + step, out.dtype)
        moved = moved or bool(xp.any(new != base[block]))
        out[block] = new
    return moved
