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
#: Bounds on sums of squares that are taken without scaling: no square that counts has overflowed
#: or vanished.
SMALL, LARGE = 1e-280, 1e280
#: The bits of a float64 but for its sign.
_MAGNITUDE = 0x7FFFFFFFFFFFFFFF


@vector_kernel
def max_abs(v):
    # of the bits, whose order as integers is that of the numbers, with NaN above all: for a maximum
    # of floats LLVM uses no SIMD, as that would not keep NaN
    top = np.int64(0)
    for i in range(v.size):
        top = max(top, np.float64(v[i]).view(np.int64) & _MAGNITUDE)
    bits = np.int64(top)
    largest = bits.view(np.float64)
    return largest if largest <= HUGE else math.nan


@vector_kernel
def mean_abs(v):
    share = 1.0 / v.size
    total = 0.0
    for i in range(v.size):
        total += share * abs(np.float64(v[i]))
    return total


@vector_kernel
def width(lower, upper, most):
    square = 0.0
    for i in range(lower.size):
        room = np.float64(upper[i]) - np.float64(lower[i])
        square += room * room if room <= most else 0.0
    return math.sqrt(square)


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
    square = _sum_squares(v, 1.0)
    if SMALL < square < LARGE:
        return math.sqrt(square)
    largest = max_abs(v)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    inverse = 1.0 / max(largest, TINY)
    return math.sqrt(_sum_squares(v, inverse)) / inverse


@kernel
def norms(v):
    return max_abs(v), norm2(v)


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
def advance(z, t, d, r, alpha, hd):
    zz = 0.0
    rr = 0.0
    for i in range(z.size):
        z[i] = z[i] + t * d[i]
        r[i] = r[i] + alpha * hd[i]
        value, rest = np.float64(z[i]), np.float64(r[i])
        zz += value * value
        rr += rest * rest
    return zz, rr


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


# Rows are streamed four at a time: what they are multiplied with is read, and made float64, once
# for all four, and the memory is asked for four places at once.


@vector_kernel
def multiply_rows(rows, v, out):
    count, n = rows.shape
    fours = count - count % 4
    out[:] = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part = v[block]
        for j in range(0, fours, 4):
            ra, rb = rows[j, block], rows[j + 1, block]
            rc, rd = rows[j + 2, block], rows[j + 3, block]
            pa = pb = pc = pd = 0.0
            for i in range(part.size):
                value = np.float64(part[i])
                pa += value * np.float64(ra[i])
                pb += value * np.float64(rb[i])
                pc += value * np.float64(rc[i])
                pd += value * np.float64(rd[i])
            out[j] += pa
            out[j + 1] += pb
            out[j + 2] += pc
            out[j + 3] += pd
        for j in range(fours, count):
            row = rows[j, block]
            p = 0.0
            for i in range(part.size):
                p += np.float64(row[i]) * np.float64(part[i])
            out[j] += p


@vector_kernel
def multiply_rows_by_three(rows, a, b, c, out):
    count, n = rows.shape
    fours = count - count % 4
    out[:, :] = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part_a, part_b, part_c = a[block], b[block], c[block]
        for j in range(0, fours, 4):
            ra, rb = rows[j, block], rows[j + 1, block]
            rc, rd = rows[j + 2, block], rows[j + 3, block]
            aa = ab = ac = ad = ba = bb = bc = bd = ca = cb = cc = cd = 0.0
            for i in range(ra.size):
                va, vb, vc = np.float64(part_a[i]), np.float64(part_b[i]), np.float64(part_c[i])
                r = np.float64(ra[i])
                aa += r * va
                ba += r * vb
                ca += r * vc
                r = np.float64(rb[i])
                ab += r * va
                bb += r * vb
                cb += r * vc
                r = np.float64(rc[i])
                ac += r * va
                bc += r * vb
                cc += r * vc
                r = np.float64(rd[i])
                ad += r * va
                bd += r * vb
                cd += r * vc
            sums = ((aa, ab, ac, ad), (ba, bb, bc, bd), (ca, cb, cc, cd))
            for k in range(3):
                for l in range(4):
                    out[k, j + l] += sums[k][l]
        for j in range(fours, count):
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
    fours = count - count % 4
    changed = 0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part, old, new = v[block], base[block], out[block]
        size = part.size
        for i in range(size):
            buffer[i] = alpha * np.float64(part[i])
        for j in range(0, fours, 4):
            a, b, c, d = w[j], w[j + 1], w[j + 2], w[j + 3]
            if a != 0.0 or b != 0.0 or c != 0.0 or d != 0.0:
                ra, rb = rows[j, block], rows[j + 1, block]
                rc, rd = rows[j + 2, block], rows[j + 3, block]
                for i in range(size):
                    buffer[i] += (a * np.float64(ra[i]) + b * np.float64(rb[i])) + (
                        c * np.float64(rc[i]) + d * np.float64(rd[i])
                    )
        for j in range(fours, count):
            if w[j] != 0.0:
                row, a = rows[j, block], w[j]
                for i in range(size):
                    buffer[i] += a * np.float64(row[i])
        for i in range(size):
            x = old[i]
            new[i] = x + buffer[i]
            changed += new[i] != x
    return changed > 0


@vector_kernel
def subtract_from_two(rows, w, a, b, buffer):
    count, n = rows.shape
    fours = count - count % 4
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        part_a, part_b = a[block], b[block]
        size = part_a.size
        sum_a, sum_b = buffer[0, :size], buffer[1, :size]
        for i in range(size):
            sum_a[i] = sum_b[i] = 0.0
        for j in range(0, fours, 4):
            aa, ab, ac, ad = w[0, j], w[0, j + 1], w[0, j + 2], w[0, j + 3]
            ba, bb, bc, bd = w[1, j], w[1, j + 1], w[1, j + 2], w[1, j + 3]
            ra, rb = rows[j, block], rows[j + 1, block]
            rc, rd = rows[j + 2, block], rows[j + 3, block]
            for i in range(size):
                va, vb = np.float64(ra[i]), np.float64(rb[i])
                vc, vd = np.float64(rc[i]), np.float64(rd[i])
                sum_a[i] += (aa * va + ab * vb) + (ac * vc + ad * vd)
                sum_b[i] += (ba * va + bb * vb) + (bc * vc + bd * vd)
        for j in range(fours, count):
            row, wa, wb = rows[j, block], w[0, j], w[1, j]
            for i in range(size):
                value = np.float64(row[i])
                sum_a[i] += wa * value
                sum_b[i] += wb * value
        for i in range(size):
            part_a[i] -= sum_a[i]
            part_b[i] -= sum_b[i]


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
