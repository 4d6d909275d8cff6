"""The passes over n-vectors in machine code, for NumPy arrays of float32 or float64.

Sums are taken in float64. Loops begin at 0, for which slices are made where need be: numba looks
out for negative indices where it does not know that there are none, and then LLVM uses no SIMD.
"""

from __future__ import annotations

import math

import numpy as np

from ..kernels import HUGE, TINY, kernel, vector_kernel

#: Elements of an n-vector that a blocked pass holds in the first-level cache.
BLOCK = 1024


@vector_kernel
def max_abs(v):
    largest = 0.0
    strange = 0
    for i in range(v.size):
        value = abs(np.float64(v[i]))
        if not value <= HUGE:
            strange += 1
        largest = max(largest, value)
    return largest if strange == 0 else math.nan


@kernel
def projected_norms(x, g, lower, upper):
    largest = 0.0
    square = 0.0
    free_max = 0.0
    strange = 0
    for i in range(x.size):
        here, slope = np.float64(x[i]), np.float64(g[i])
        if not abs(slope) <= HUGE:
            strange += 1
        below, above = np.float64(lower[i]), np.float64(upper[i])
        if below < above and not (here <= below and slope > 0.0) and not (
            here >= above and slope < 0.0
        ):
            part = abs(min(max(-slope, below - here), above - here))
            largest = max(largest, part)
            free_max = max(free_max, abs(slope))
    if strange:
        return math.nan, math.nan, math.nan
    if largest == 0.0:
        return 0.0, 0.0, free_max
    inner = 1.0 / max(largest, TINY)
    outer = 1.0 / max(free_max, TINY)
    total = 0.0
    for i in range(x.size):
        here, slope = np.float64(x[i]), np.float64(g[i])
        below, above = np.float64(lower[i]), np.float64(upper[i])
        if below < above and not (here <= below and slope > 0.0) and not (
            here >= above and slope < 0.0
        ):
            part = min(max(-slope, below - here), above - here) * inner
            square += part * part
            total += (slope * outer) * (slope * outer)
    return largest, math.sqrt(square) / inner, math.sqrt(total) / outer


@vector_kernel
def _sum_squares(v, inverse):
    total = 0.0
    for i in range(v.size):
        value = np.float64(v[i]) * inverse
        total += value * value
    return total


@kernel
def norm2(v):
    largest = max_abs(v)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    if 1e-140 < largest < 1e140:
        return math.sqrt(_sum_squares(v, 1.0))
    inverse = 1.0 / max(largest, TINY)
    return math.sqrt(_sum_squares(v, inverse)) / inverse


@kernel
def copy(v, out):
    # not out[:] = v, whose check of the shapes numba compiles for two seconds
    for i in range(v.size):
        out[i] = v[i]


@vector_kernel
def dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@vector_kernel
def scale(factor, v, out):
    for i in range(v.size):
        out[i] = factor * v[i]


@vector_kernel
def divide(v, divisor, out):
    for i in range(v.size):
        out[i] = v[i] / divisor


@vector_kernel
def add_multiple(base, factor, v, out):
    square = 0.0
    for i in range(base.size):
        out[i] = base[i] + factor * v[i]
        value = np.float64(out[i])
        square += value * value
    return square


@vector_kernel
def slope_between(x, x_trial, g):
    total = 0.0
    for i in range(x.size):
        total += (np.float64(x_trial[i]) - np.float64(x[i])) * np.float64(g[i])
    return total


@vector_kernel
def step_to(x, x_trial, out):
    for i in range(x.size):
        out[i] = x_trial[i] - x[i]


@vector_kernel
def move(x, s, out):
    moved = False
    for i in range(x.size):
        start = x[i]
        out[i] = start + s[i]
        moved = moved or out[i] != start
    return moved


@vector_kernel
def conjugate(d, beta, r):
    for i in range(d.size):
        d[i] = beta * d[i] - r[i]


@vector_kernel
def difference_sizes(x, x_trial, g, g_trial):
    s_max = 0.0
    y_max = 0.0
    strange = 0
    for i in range(x.size):
        s = abs(np.float64(x_trial[i]) - np.float64(x[i]))
        y = abs(np.float64(g_trial[i]) - np.float64(g[i]))
        s_max = max(s_max, s)
        y_max = max(y_max, y)
        if not (s <= HUGE and y <= HUGE):
            strange += 1
    if strange:
        return math.nan, math.nan
    return s_max, y_max


@vector_kernel
def difference_products(x, x_trial, g, g_trial, s_inverse, y_inverse):
    ss = 0.0
    sy = 0.0
    yy = 0.0
    for i in range(x.size):
        s = (np.float64(x_trial[i]) - np.float64(x[i])) * s_inverse
        y = (np.float64(g_trial[i]) - np.float64(g[i])) * y_inverse
        ss += s * s
        sy += s * y
        yy += y * y
    return ss, sy, yy


@vector_kernel
def store_pair(x, x_trial, g, g_trial, s_factors, y_factors, along, s_row, z_row):
    s_inverse, s_unit = s_factors
    y_inverse, y_unit = y_factors
    for i in range(x.size):
        s = (np.float64(x_trial[i]) - np.float64(x[i])) * s_inverse * s_unit
        s_row[i] = s
        z_row[i] = (np.float64(g_trial[i]) - np.float64(g[i])) * y_inverse * y_unit - along * s


@vector_kernel
def multiply_rows(rows, v, out):
    count, n = rows.shape
    out[:] = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part = v[block]
        for j in range(count):
            row = rows[j, block]
            p = 0.0
            for i in range(row.size):
                p += np.float64(row[i]) * np.float64(part[i])
            out[j] += p


@vector_kernel
def multiply_rows_by_three(rows, a, b, c, out):
    count, n = rows.shape
    out[:, :] = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part_a, part_b, part_c = a[block], b[block], c[block]
        for j in range(count):
            row = rows[j, block]
            pa = 0.0
            pb = 0.0
            pc = 0.0
            for i in range(row.size):
                r = np.float64(row[i])
                pa += r * np.float64(part_a[i])
                pb += r * np.float64(part_b[i])
                pc += r * np.float64(part_c[i])
            out[0, j] += pa
            out[1, j] += pb
            out[2, j] += pc


@vector_kernel
def add_combination(alpha, v, rows, w, base, out, buffer):
    count, n = rows.shape
    moved = False
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part, old, new = v[block], base[block], out[block]
        size = part.size
        for i in range(size):
            buffer[i] = alpha * np.float64(part[i])
        j = 0
        while j + 1 < count:
            a = w[j]
            b = w[j + 1]
            if a != 0.0 or b != 0.0:
                first, second = rows[j, block], rows[j + 1, block]
                for i in range(size):
                    buffer[i] += a * np.float64(first[i]) + b * np.float64(second[i])
            j += 2
        if j < count and w[j] != 0.0:
            a = w[j]
            first = rows[j, block]
            for i in range(size):
                buffer[i] += a * np.float64(first[i])
        for i in range(size):
            x = old[i]
            new[i] = x + buffer[i]
            moved = moved or new[i] != x
    return moved


@vector_kernel
def rotate_rows(rows, q, buffer):
    count, n = rows.shape
    width = buffer.shape[1]
    for start in range(0, n, width):
        block = slice(start, start + width)
        size = min(width, n - start)
        for j in range(count):
            old, row = buffer[j], rows[j, block]
            for i in range(size):
                old[i] = row[i]
        new = buffer[count]
        single = count % 4
        for j in range(q.shape[0]):
            for i in range(size):
                new[i] = 0.0
            for l in range(single):
                factor, old = q[j, l], buffer[l]
                for i in range(size):
                    new[i] += factor * old[i]
            for l in range(single, count, 4):  # a quarter of the passes over what is summed up
                qa, qb, qc, qd = q[j, l], q[j, l + 1], q[j, l + 2], q[j, l + 3]
                a, b, c, d = buffer[l], buffer[l + 1], buffer[l + 2], buffer[l + 3]
                for i in range(size):
                    new[i] += (qa * a[i] + qb * b[i]) + (qc * c[i] + qd * d[i])
            row = rows[j, block]
            for i in range(size):
                row[i] = new[i]
