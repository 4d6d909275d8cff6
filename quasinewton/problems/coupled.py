"""Problems of any size in which all variables are coupled, and quadratics.

MGH is J. J. More, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization
software", ACM Trans. Math. Softw. 7 (1981), pp. 17-41.  The couplings there are sums, products,
bands and cumulative sums, so that products with the Hessian matrix cost no more than O(n), except
for `watson` and `chebyquad`, where they cost as much as the function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import Functions, Parts, Size, Vector, register
from ._structure import least_squares

# Minimum values without closed form by n, computed by Newton's method; compare MGH.
_WATSON = {6: 2.28767005355245e-03, 9: 1.3997601381e-06, 12: 4.722381106e-10}
_PENALTY_2 = {4: 9.376293007355446e-06, 10: 2.93660537456746e-04}
_TRIGONOMETRIC = {
    10: (2.795056121879e-05,),
    20: (6.8618593165876e-06, 1.3492270337382e-06),
}
# MGH has the higher minimum for n = 10; for n = 8 and n >= 10 there is no zero.
_CHEBYQUAD = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 9), 0.0),
    8: 3.51687372567793e-03,
    10: 4.772713696375345e-03,
}
_CHEBYQUAD_LOCAL = {10: (6.503954800882309e-03,)}


def _below(v: Vector, k: int = 1) -> Vector:
    """Return the vector of v_{i-k}, zero where there is none."""
    out = np.zeros_like(v)
    out[k:] = v[:-k]
    return out


def _above(v: Vector, k: int = 1) -> Vector:
    """Return the vector of v_{i+k}, zero where there is none."""
    out = np.zeros_like(v)
    out[:-k] = v[k:]
    return out


@register(
    Size(6, least=2, most=31),
    source="MGH 20",
    description="r_i = sum_{j>=2} (j - 1) x_j t_i^(j-2) - (sum_j x_j t_i^(j-1))^2 - 1, "
    "t_i = i / 29, i = 1..29, r_30 = x1, r_31 = x2 - x1^2 - 1",
)
def watson(n: int) -> Parts:
    t, j = np.arange(1.0, 30.0) / 29, np.arange(n)
    # The two last residuals have the same form, with other coefficients.
    inner = np.zeros((31, n))
    inner[:29] = t[:, np.newaxis] ** j
    inner[30, 0] = 1.0
    outer = np.zeros((31, n))
    outer[:29, 1:] = j[1:] * t[:, np.newaxis] ** (j[1:] - 1)
    outer[29, 0] = outer[30, 1] = 1.0
    shift = np.ones(31)
    shift[29] = 0.0
    return Parts(
        least_squares(
            lambda x: outer @ x - (inner @ x) ** 2 - shift,
            lambda x, v: outer @ v - 2 * (inner @ x) * (inner @ v),
            lambda x, u: outer.T @ u - 2 * inner.T @ ((inner @ x) * u),
            lambda x, r, v: -2 * inner.T @ (r * (inner @ v)),
        ),
        x0=np.zeros(n),
        fmin=_WATSON.get(n),
    )


@register(
    Size(10),
    source="MGH 23, CUTEst PENALTY1",
    description="1e-5 sum (x_i - 1)^2 + (sum x_i^2 - 1/4)^2",
)
def penalty_1(n: int) -> Parts:
    a = 1e-5
    # By (a + 2 (s - 1/4)) x_i = a the coordinates of a stationary point are equal, to a root of
    # a cubic.
    roots = np.roots([2 * n, 0.0, a - 0.5, -a])
    best = float(np.max(roots.real[np.abs(roots.imag) < 1e-9 * np.abs(roots)]))
    for _ in range(3):
        best -= (2 * n * best**3 + (a - 0.5) * best - a) / (6 * n * best**2 + a - 0.5)

    def fun(x: Vector) -> Any:
        return a * np.sum((x - 1) ** 2) + (x @ x - 0.25) ** 2

    return Parts(
        Functions(
            fun,
            lambda x: 2 * a * (x - 1) + 4 * (x @ x - 0.25) * x,
            lambda x, p: (2 * a + 4 * (x @ x - 0.25)) * p + 8 * (x @ p) * x,
        ),
        x0=np.arange(1.0, n + 1),
        fmin=fun(np.full(n, best)),
        minimizers=[np.full(n, best)],
    )


@register(
    # The data grow like exp(n / 10).
    Size(10, least=2, most=1000),
    source="MGH 24, CUTEst PENALTY2",
    description="(x_1 - 0.2)^2 + 1e-5 sum_{i>=2} (exp(x_i / 10) + exp(x_{i-1} / 10) - y_i)^2 "
    "+ 1e-5 sum_{i>=2} (exp(x_i / 10) - exp(-1 / 10))^2 + (sum (n - i + 1) x_i^2 - 1)^2, "
    "y_i = exp(i / 10) + exp((i - 1) / 10)",
)
def penalty_2(n: int) -> Parts:
    root, i = np.sqrt(1e-5), np.arange(1.0, n + 1)
    y = np.exp(i[1:] / 10) + np.exp(i[:-1] / 10)
    w = n + 1 - i

    def residual(x: Vector) -> Vector:
        e = np.exp(x / 10)
        return np.concatenate(
            [
                x[:1] - 0.2,
                root * (e[1:] + e[:-1] - y),
                root * (e[1:] - np.exp(-0.1)),
                [w @ (x * x) - 1],
            ]
        )

    def jvp(x: Vector, v: Vector) -> Vector:
        d = root / 10 * np.exp(x / 10) * v
        return np.concatenate([v[:1], d[1:] + d[:-1], d[1:], [2 * (w * x) @ v]])

    def pulled(u: Vector) -> Vector:
        # The transpose of the map from exp(x / 10) to the residuals in the middle.
        out = np.zeros(n)
        out[1:] = u[1:n] + u[n : 2 * n - 1]
        out[:-1] += u[1:n]
        return np.asarray(root * out)

    def vjp(x: Vector, u: Vector) -> Vector:
        out = np.asarray(np.exp(x / 10) / 10 * pulled(u) + 2 * u[-1] * w * x)
        out[0] += u[0]
        return out

    def curvature(x: Vector, r: Vector, v: Vector) -> Vector:
        return np.asarray((np.exp(x / 10) / 100 * pulled(r) + 2 * r[-1] * w) * v)

    return Parts(
        least_squares(residual, jvp, vjp, curvature),
        x0=np.full(n, 0.5),
        fmin=_PENALTY_2.get(n),
    )


@register(
    Size(10),
    source="MGH 25, CUTEst VARDIM",
    description="sum (x_i - 1)^2 + s^2 + s^4, s = sum i (x_i - 1)",
    convex=True,
)
def variably_dimensioned(n: int) -> Parts:
    i = np.arange(1.0, n + 1)

    def fun(x: Vector) -> Any:
        d = x - 1
        s = i @ d
        return d @ d + s**2 + s**4

    def grad(x: Vector) -> Vector:
        s = i @ (x - 1)
        return np.asarray(2 * (x - 1) + (2 * s + 4 * s**3) * i)

    def hessp(x: Vector, p: Vector) -> Vector:
        s = i @ (x - 1)
        return np.asarray(2 * p + (2 + 12 * s**2) * (i @ p) * i)

    return Parts(
        Functions(fun, grad, hessp),
        x0=1 - i / n,
        fmin=0.0,
        minimizers=[np.ones(n)],
    )


@register(
    Size(10),
    source="MGH 26",
    description="r_i = n - sum_j cos x_j + i (1 - cos x_i) - sin x_i",
)
def trigonometric(n: int) -> Parts:
    i = np.arange(1.0, n + 1)
    return Parts(
        least_squares(
            lambda x: np.sum(1 - np.cos(x)) + i * (1 - np.cos(x)) - np.sin(x),
            lambda x, v: np.sin(x) @ v + (i * np.sin(x) - np.cos(x)) * v,
            lambda x, u: np.sin(x) * np.sum(u) + (i * np.sin(x) - np.cos(x)) * u,
            lambda x, r, v: (np.cos(x) * np.sum(r) + (i * np.cos(x) + np.sin(x)) * r) * v,
        ),
        x0=np.full(n, 1 / n),
        fmin=0.0,
        minimizers=[np.zeros(n)],
        other_minima=_TRIGONOMETRIC.get(n, ()),
    )


def _product_grad(x: Vector) -> Vector:
    """Return the gradient of the product of all entries."""
    zero = np.flatnonzero(x == 0)
    if zero.size == 0:
        return np.asarray(np.prod(x) / x)
    out = np.zeros_like(x)
    if zero.size == 1:
        out[zero] = np.prod(np.delete(x, zero))
    return out


def _product_hessp(x: Vector, v: Vector) -> Vector:
    """Return the Hessian matrix of the product of all entries times v."""
    zero = np.flatnonzero(x == 0)
    if zero.size == 0:
        ratio = v / x
        return np.asarray(np.prod(x) / x * (np.sum(ratio) - ratio))
    out = np.zeros_like(x)
    others = np.prod(np.delete(x, zero))
    if zero.size == 1:
        # Only the pairs with the vanishing entry count.
        rest = np.ones(x.size, dtype=bool)
        rest[zero] = False
        out[rest] = others / x[rest] * v[zero]
        out[zero] = others * np.sum(v[rest] / x[rest])
    elif zero.size == 2:
        out[zero] = others * v[zero[::-1]]
    return out


@register(
    Size(10, least=2),
    source="MGH 27, CUTEst BROWNAL",
    description="r_i = x_i + sum_j x_j - (n + 1), i < n, r_n = prod_j x_j - 1",
)
def brown_almost_linear(n: int) -> Parts:
    def residual(x: Vector) -> Vector:
        r = x + np.sum(x) - (n + 1)
        r[-1] = np.prod(x) - 1
        return np.asarray(r)

    def jvp(x: Vector, v: Vector) -> Vector:
        out = np.asarray(v + np.sum(v))
        out[-1] = _product_grad(x) @ v
        return out

    def vjp(x: Vector, u: Vector) -> Vector:
        out = np.full_like(x, np.sum(u[:-1])) + u[-1] * _product_grad(x)
        out[:-1] += u[:-1]
        return np.asarray(out)

    flat = np.zeros(n)
    flat[-1] = n + 1
    return Parts(
        least_squares(residual, jvp, vjp, lambda x, r, v: r[-1] * _product_hessp(x, v)),
        x0=np.full(n, 0.5),
        fmin=0.0,
        minimizers=[np.ones(n)],
        # At (0, ..., 0, n + 1).
        other_minima=[1.0],
    )


@register(
    Size(10),
    source="MGH 28, CUTEst MOREBV",
    description="r_i = 2 x_i - x_{i-1} - x_{i+1} + h^2 (x_i + t_i + 1)^3 / 2, h = 1 / (n + 1), "
    "t_i = i h, x_0 = x_{n+1} = 0",
)
def discrete_boundary_value(n: int) -> Parts:
    h = 1 / (n + 1)
    t = h * np.arange(1.0, n + 1)

    def jacobian(x: Vector, v: Vector) -> Vector:
        return np.asarray((2 + 1.5 * h**2 * (x + t + 1) ** 2) * v - _below(v) - _above(v))

    return Parts(
        least_squares(
            lambda x: 2 * x - _below(x) - _above(x) + h**2 / 2 * (x + t + 1) ** 3,
            jacobian,
            jacobian,
            lambda x, r, v: 3 * h**2 * (x + t + 1) * r * v,
        ),
        x0=t * (t - 1),
        fmin=0.0,
    )


@register(
    Size(10),
    source="MGH 29, CUTEst INTEQNE",
    description="r_i = x_i + (h / 2) ((1 - t_i) sum_{j<=i} t_j c_j + t_i sum_{j>i} (1 - t_j) "
    "c_j), c_j = (x_j + t_j + 1)^3, h = 1 / (n + 1), t_i = i h",
)
def discrete_integral_equation(n: int) -> Parts:
    h = 1 / (n + 1)
    t = h * np.arange(1.0, n + 1)

    def kernel(c: Vector) -> Vector:
        # The kernel min(t_i, t_j) (1 - max(t_i, t_j)) is symmetric.
        tail = np.cumsum(((1 - t) * c)[::-1])[::-1]
        return np.asarray(h / 2 * ((1 - t) * np.cumsum(t * c) + t * (tail - (1 - t) * c)))

    return Parts(
        least_squares(
            lambda x: x + kernel((x + t + 1) ** 3),
            lambda x, v: v + kernel(3 * (x + t + 1) ** 2 * v),
            lambda x, u: u + 3 * (x + t + 1) ** 2 * kernel(u),
            lambda x, r, v: 6 * (x + t + 1) * kernel(r) * v,
        ),
        x0=t * (t - 1),
        fmin=0.0,
    )


@register(
    Size(10),
    source="MGH 30, CUTEst BROYDN3D",
    description="r_i = (3 - 2 x_i) x_i - x_{i-1} - 2 x_{i+1} + 1, x_0 = x_{n+1} = 0",
)
def broyden_tridiagonal(n: int) -> Parts:
    return Parts(
        least_squares(
            lambda x: (3 - 2 * x) * x - _below(x) - 2 * _above(x) + 1,
            lambda x, v: (3 - 4 * x) * v - _below(v) - 2 * _above(v),
            lambda x, u: (3 - 4 * x) * u - _above(u) - 2 * _below(u),
            lambda x, r, v: -4 * r * v,
        ),
        x0=np.full(n, -1.0),
        fmin=0.0,
    )


@register(
    Size(10),
    source="MGH 31, CUTEst BRYBND",
    description="r_i = x_i (2 + 5 x_i^2) + 1 - sum_j x_j (1 + x_j) over j = i-5..i-1, i+1",
)
def broyden_banded(n: int) -> Parts:
    width = range(1, min(5, n - 1) + 1)

    def band(q: Vector) -> Vector:
        return _above(q) + sum((_below(q, k) for k in width), np.zeros_like(q))

    def band_transposed(u: Vector) -> Vector:
        return _below(u) + sum((_above(u, k) for k in width), np.zeros_like(u))

    return Parts(
        least_squares(
            lambda x: x * (2 + 5 * x * x) + 1 - band(x * (1 + x)),
            lambda x, v: (2 + 15 * x * x) * v - band((1 + 2 * x) * v),
            lambda x, u: (2 + 15 * x * x) * u - (1 + 2 * x) * band_transposed(u),
            lambda x, r, v: (30 * x * r - 2 * band_transposed(r)) * v,
        ),
        x0=np.full(n, -1.0),
        fmin=0.0,
    )


@register(
    Size(10),
    source="MGH 32 with m = 2 n",
    description="r_i = x_i - (2 / m) sum_j x_j - 1, i <= n, r_i = -(2 / m) sum_j x_j - 1, "
    "n < i <= m",
    convex=True,
)
def linear_full_rank(n: int) -> Parts:
    # With c = (sum x) / n + 1 the objective is sum (x_i - c)^2 + n c^2.
    def fun(x: Vector) -> Any:
        c = np.sum(x) / n + 1
        return np.sum((x - c) ** 2) + n * c**2

    # The columns of the Jacobian matrix are orthonormal.
    return Parts(
        Functions(fun, lambda x: 2 * (x + 1), lambda x, p: 2 * p),
        x0=np.ones(n),
        fmin=n,
        minimizers=[np.full(n, -1.0)],
    )


def _rank_one(weights: Vector, rows: Vector, rest: float) -> Parts:
    """Return the problem ``sum_i (rows_i weights . x - 1)^2 + rest``."""
    a, b, m = rows @ rows, np.sum(rows), rows.size
    best = b / a
    fmin = m - b * best + rest

    # Completing the square avoids the cancellation in the sum of the large residuals.
    return Parts(
        Functions(
            lambda x: a * (weights @ x - best) ** 2 + fmin,
            lambda x: 2 * a * (weights @ x - best) * weights,
            lambda x, p: 2 * a * (weights @ p) * weights,
        ),
        x0=np.ones(weights.size),
        fmin=fmin,
        minimizers=[best * weights / (weights @ weights)],
    )


@register(
    Size(10),
    source="MGH 33 with m = 2 n",
    description="r_i = i sum_j j x_j - 1, i = 1..m",
    convex=True,
)
def linear_rank_1(n: int) -> Parts:
    return _rank_one(np.arange(1.0, n + 1), np.arange(1.0, 2 * n + 1), 0.0)


@register(
    Size(10, least=3),
    source="MGH 34 with m = 2 n",
    description="r_i = (i - 1) sum_{2<=j<n} j x_j - 1, 1 < i < m, r_1 = r_m = -1",
    convex=True,
)
def linear_rank_1_zero(n: int) -> Parts:
    weights = np.arange(1.0, n + 1)
    weights[0] = weights[-1] = 0.0
    return _rank_one(weights, np.arange(1.0, 2 * n - 1), 2.0)


@register(
    # Each residual involves all variables, hence a table of n x n values.
    Size(8, most=1000),
    source="MGH 35 with m = n",
    description="r_i = (1/n) sum_j T_i(x_j) - c_i, T_i the Chebyshev polynomials moved to [0, 1], "
    "c_i their integrals, 0 for odd i, -1 / (i^2 - 1) for even i",
)
def chebyquad(n: int) -> Parts:
    i = np.arange(1, n + 1)
    integral = np.zeros(n)
    integral[1::2] = -1 / (i[1::2] ** 2 - 1.0)

    def table(x: Vector, order: int) -> list[Vector]:
        """Return the values and the derivatives up to the order, by degree and variable."""
        y = 2 * x - 1
        tables = [np.zeros((n + 1, n), dtype=x.dtype) for _ in range(order + 1)]
        tables[0][0], tables[0][1] = 1.0, y
        if order > 0:
            tables[1][1] = 1.0
        for k in range(1, n):
            for d, t in enumerate(tables):
                t[k + 1] = 2 * y * t[k] - t[k - 1]
                if d:
                    t[k + 1] += 2 * d * tables[d - 1][k]
        # The inner derivative is 2.
        return [2**d * t[1:] / n for d, t in enumerate(tables)]

    return Parts(
        least_squares(
            lambda x: np.sum(table(x, 0)[0], axis=1) - integral,
            lambda x, v: table(x, 1)[1] @ v,
            lambda x, u: u @ table(x, 1)[1],
            lambda x, r, v: (r @ table(x, 2)[2]) * v,
        ),
        x0=i / (n + 1),
        fmin=_CHEBYQUAD.get(n),
        other_minima=_CHEBYQUAD_LOCAL.get(n, ()),
    )


@register(
    Size(100),
    source="elementary: H = Q D Q, Q = I - (2 / n) 1 1^T, D from 1 to condition, geometrically",
    description="(1/2) (x - 1)^T H (x - 1), with the condition number as a parameter",
    convex=True,
)
def quadratic(n: int, condition: float = 1e4) -> Parts:
    eigenvalues = np.geomspace(1.0, condition, n)

    def reflect(v: Vector) -> Vector:
        return np.asarray(v - 2 * np.mean(v))

    def product(v: Vector) -> Vector:
        return reflect(eigenvalues * reflect(v))

    # The starting point has the same component along each eigenvector.
    return Parts(
        Functions(
            lambda x: (x - 1) @ product(x - 1) / 2,
            lambda x: product(x - 1),
            lambda x, p: product(p),
        ),
        x0=np.zeros(n),
        fmin=0.0,
        minimizers=[np.ones(n)],
    )


@register(
    Size(100),
    source="elementary: D from 1 to condition, geometrically",
    description="(1/2) x^T D x, D diagonal, with the condition number as a parameter",
    convex=True,
)
def diagonal_quadratic(n: int, condition: float = 1e6) -> Parts:
    eigenvalues = np.geomspace(1.0, condition, n)
    return Parts(
        Functions(
            lambda x: x @ (eigenvalues * x) / 2,
            lambda x: eigenvalues * x,
            lambda x, p: eigenvalues * p,
        ),
        x0=np.ones(n),
        fmin=0.0,
        minimizers=[np.zeros(n)],
    )


@register(
    Size(100),
    source="CUTEst POWER",
    description="(sum i x_i^2)^2, with zero Hessian at the minimiser",
    convex=True,
)
def power(n: int) -> Parts:
    i = np.arange(1.0, n + 1)

    def hessp(x: Vector, p: Vector) -> Vector:
        ix = i * x
        return np.asarray(4 * (x @ ix) * i * p + 8 * (ix @ p) * ix)

    return Parts(
        Functions(
            lambda x: (x @ (i * x)) ** 2,
            lambda x: 4 * (x @ (i * x)) * i * x,
            hessp,
        ),
        x0=np.ones(n),
        fmin=0.0,
        minimizers=[np.zeros(n)],
    )
