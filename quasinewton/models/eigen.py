"""Eigenvalues of the small symmetric matrices of a model, and their eigenvectors as a product.

Householder tridiagonalisation and implicit QL (Golub & Van Loan 2013, secs. 8.3.1, 8.3.3). The
eigenvectors stay the product of reflections and rotations that they are: a step needs the gradient
in their basis and itself out of it, which takes as many operations as two products with the matrix,
where forming them takes two thirds of all the time.
"""

from __future__ import annotations

import math

from ..kernels import EPS, inline_kernel, kernel

__all__ = ["diagonalise", "from_eigenbasis", "to_eigenbasis", "tridiagonalise"]


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
def tridiagonalise(a, d, e, p, q):
    """a = Q T Q^T with tridiagonal T, for `diagonalise` to go on from.

    Parameters
    ----------
    a : float64 array, shape (>= k, >= k)
        Of order one; its first k rows and columns are a symmetric matrix. Overwritten: beside the
        diagonal, in row i, with the vector of the i-th reflection.
    d, e : float64 arrays, shape (k,)
        Filled with the diagonal of T and, but for the last, with what stands beside it.
    p : float64 array, shape (k,)
        Filled: the i-th reflection is I - u u^T / p[i], or I where p[i] = 0.
    q : float64 array, shape (k,)
        Workspace.
    """
    k = d.size
    top = 0.0
    for i in range(k - 2):
        u, rest = a[i, i + 1 : k], q[i + 1 : k]
        square = 0.0
        for j in range(u.size):
            square += u[j] * u[j]
        d[i] = a[i, i]
        norm = math.sqrt(square)
        top = max(top, abs(d[i]), norm)
        h = square + abs(u[0]) * norm  # u.u / 2 of the reflector I - u u^T / h
        p[i] = h
        if not norm > 0.5 * EPS * top:  # the roundoff that is left of a matrix of lower rank
            p[i] = 0.0
            e[i] = 0.0
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


@kernel
def diagonalise(d, e, cosines, sines):
    """Implicit QL on tridiagonal(d, e): d becomes the eigenvalues of a, in no order.

    Parameters
    ----------
    d, e : float64 arrays, shape (k,)
        As `tridiagonalise` leaves them. Overwritten.
    cosines, sines : float64 arrays, shape (sweeps, >= k + 2)
        Filled: a row for each sweep, with the rotation of components i and i + 1 in column i, from
        the last to the first, whose columns stand in the last two of `cosines`.

    Returns
    -------
    sweeps : int
        How many there were; -1 where they did not suffice.
    """
    k = d.size
    # What the sweeps leave of small elements beside large ones is roundoff of these.
    floor = 0.0
    for i in range(k):
        floor = max(floor, 0.5 * EPS * (abs(d[i]) + abs(e[i])))
    sweeps = 0
    for l in range(k):
        while True:
            m = l
            while m < k - 1 and abs(e[m]) > max(EPS * (abs(d[m]) + abs(d[m + 1])), floor):
                m += 1
            if m == l:
                break
            if sweeps == cosines.shape[0]:
                return -1
            cos, sin = cosines[sweeps], sines[sweeps]
            sweeps += 1
            g = (d[l + 1] - d[l]) / (2.0 * e[l])
            r = math.hypot(g, 1.0)
            g = d[m] - d[l] + e[l] / (g + (r if g >= 0.0 else -r))
            s = c = 1.0
            p = 0.0
            first = l
            for i in range(m - 1, l - 1, -1):
                f = s * e[i]
                b = c * e[i]
                r = math.sqrt(f * f + g * g)  # of order one: what vanishes is roundoff
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    first = i + 1
                    break
                inverse = 1.0 / r
                s = f * inverse
                c = g * inverse
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                cos[i], sin[i] = c, s
            cos[k], cos[k + 1] = m - 1, first
            if first == l:
                d[l] -= p
                e[l] = g
                e[m] = 0.0
    return sweeps


@inline_kernel
def _reflect(a, p, i, v):
    """v <- (I - u u^T / p[i]) v with the u of row i."""
    if p[i] != 0.0:
        u, rest = a[i, i + 1 : v.size], v[i + 1 :]
        product = 0.0
        for j in range(u.size):
            product += u[j] * rest[j]
        product /= p[i]
        for j in range(u.size):
            rest[j] -= product * u[j]


@kernel
def to_eigenbasis(a, p, cosines, sines, sweeps, v):
    """v becomes its coordinates in the eigenvectors of a, in the order of the eigenvalues.

    The first arguments as `tridiagonalise` and `diagonalise` leave them; v has shape (k,).
    """
    k = v.size
    for i in range(k - 2):
        _reflect(a, p, i, v)
    for sweep in range(sweeps):
        cos, sin = cosines[sweep], sines[sweep]
        for i in range(int(cos[k]), int(cos[k + 1]) - 1, -1):
            f = v[i + 1]
            v[i + 1] = sin[i] * v[i] + cos[i] * f
            v[i] = cos[i] * v[i] - sin[i] * f


@kernel
def from_eigenbasis(a, p, cosines, sines, sweeps, v):
    """The way back: v becomes the vector with these coordinates."""
    k = v.size
    for sweep in range(sweeps - 1, -1, -1):
        cos, sin = cosines[sweep], sines[sweep]
        for i in range(int(cos[k + 1]), int(cos[k]) + 1):
            f = v[i + 1]
            v[i + 1] = cos[i] * f - sin[i] * v[i]
            v[i] = cos[i] * v[i] + sin[i] * f
    for i in range(k - 3, -1, -1):
        _reflect(a, p, i, v)
