"""Eigendecomposition of the small symmetric matrices of a model.

Householder tridiagonalisation and implicit QL (Golub & Van Loan 2013, secs. 8.3.1, 8.3.3). Up to
80 rows it takes 0.6 to 1.1 times as long as LAPACK, whose call from machine code numba compiles
for four seconds.
"""

from __future__ import annotations

import math

from ..kernels import EPS, kernel

__all__ = ["diagonalise", "tridiagonalise"]

@kernel
def _combine(factors, a, first, out):
    """out = block^T factors for the square block of `a` that begins at row and column `first`"""
    for j in range(out.size):
        out[j] = 0.0
    for i in range(factors.size):
        row = a[first + i]
        factor = factors[i]
        for j in range(out.size):
            out[j] += factor * row[first + j]


@kernel
def _subtract(row, alpha, a, beta, b):
    """row -= alpha a + beta b"""
    for j in range(row.size):
        row[j] -= alpha * a[j] + beta * b[j]


@kernel
def _rotate(low, high, k, c, s):
    """(low, high) <- (c low - s high, s low + c high)"""
    for j in range(k):
        f = high[j]
        high[j] = s * low[j] + c * f
        low[j] = c * low[j] - s * f


@kernel
def tridiagonalise(a, d, e, v, p, q):
    """a = v^T T v with orthogonal v and tridiagonal T, for `diagonalise` to go on from.

    Parameters
    ----------
    a : float64 array, shape (>= k, >= k)
        Of order one; its first k rows and columns are a symmetric matrix. Overwritten.
    d, e : float64 arrays, shape (k,)
        Filled with the diagonal of T and, but for the last, with what stands beside it.
    v : float64 array, shape (>= k, >= k)
        Filled.
    p, q : float64 arrays, shape (k,)
        Workspace.
    """
    k = d.size
    for i in range(k - 2):
        u, rest = a[i, i + 1 : k], q[i + 1 : k]
        square = 0.0
        for j in range(u.size):
            square += u[j] * u[j]
        d[i] = a[i, i]
        norm = math.sqrt(square)
        h = square + abs(u[0]) * norm  # u.u / 2 of the reflector I - u u^T / h
        p[i] = h
        if not h > 0.0:
            p[i] = 0.0
            e[i] = u[0]
            continue
        e[i] = -norm if u[0] > 0.0 else norm
        u[0] -= e[i]
        _combine(u, a, i + 1, rest)
        half = 0.0
        for j in range(u.size):
            rest[j] /= h
            half += u[j] * rest[j]
        half /= 2.0 * h
        for j in range(u.size):
            rest[j] -= half * u[j]
        for j in range(u.size):
            _subtract(a[i + 1 + j, i + 1 : k], u[j], rest, rest[j], u)
    for i in range(max(k - 2, 0), k):
        d[i] = a[i, i]
        if i < k - 1:
            e[i] = a[i, i + 1]
    e[k - 1] = 0.0
    for i in range(k):
        for j in range(k):
            v[i, j] = 0.0
        v[i, i] = 1.0
    for i in range(k - 3, -1, -1):  # v^T, by rows
        if p[i] != 0.0:
            u, rest = a[i, i + 1 : k], q[i + 1 : k]
            _combine(u, v, i + 1, rest)
            for j in range(u.size):
                _subtract(v[i + 1 + j, i + 1 : k], u[j] / p[i], rest, 0.0, rest)
    for i in range(k):
        for j in range(i):
            v[i, j], v[j, i] = v[j, i], v[i, j]


@kernel
def diagonalise(d, e, v):
    """Implicit QL on tridiagonal(d, e), applied to the rows of v; whether it converged.

    After `tridiagonalise`, d becomes the eigenvalues of a, in no order, and v[i] the eigenvectors.
    """
    k = d.size
    # What the sweeps leave of small elements beside large ones is roundoff of these.
    floor = 0.0
    for i in range(k):
        floor = max(floor, 0.5 * EPS * (abs(d[i]) + abs(e[i])))
    for l in range(k):
        for sweep in range(60):
            m = l
            while m < k - 1 and abs(e[m]) > max(EPS * (abs(d[m]) + abs(d[m + 1])), floor):
                m += 1
            if m == l:
                break
            if sweep == 59:
                return False
            g = (d[l + 1] - d[l]) / (2.0 * e[l])
            r = math.hypot(g, 1.0)
            g = d[m] - d[l] + e[l] / (g + (r if g >= 0.0 else -r))
            s = c = 1.0
            p = 0.0
            whole = True
            for i in range(m - 1, l - 1, -1):
                f = s * e[i]
                b = c * e[i]
                r = math.sqrt(f * f + g * g)  # of order one: what vanishes is roundoff
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    whole = False
                    break
                s = f / r
                c = g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                _rotate(v[i], v[i + 1], k, c, s)
            if whole:
                d[l] -= p
                e[l] = g
                e[m] = 0.0
    return True
