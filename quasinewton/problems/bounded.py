"""Problems with bounds that are no quadratics on a grid, see `membranes`, and not of `hs`.

For CUTEst and MGH see `chained`.  Where bounds were put on a function here, or a quadratic was made
up, it was done so that the minimiser is known: a point with the right signs of the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import Functions, Parts, Size, Vector, register
from ._structure import group_separable
from .chained import _linear, _valley, extended_powell_singular, extended_rosenbrock
from .data import _breast_cancer, _logistic

_INF = np.inf


@register(
    Size(100, least=2, multiple=2),
    source="MGH 21 with bounds",
    description="sum over pairs 100 (x_{2i} - x_{2i-1}^2)^2 + (1 - x_{2i-1})^2, x_{2i-1} <= 1/2",
    bounded=True,
)
def bounded_rosenbrock(n: int) -> Parts:
    parts = extended_rosenbrock(n)
    return Parts(
        parts.functions,
        x0=parts.x0,
        fmin=n / 8,
        minimizers=[np.tile([0.5, 0.25], n // 2)],
        bounds=(-_INF, np.tile([0.5, _INF], n // 2)),
    )


@register(
    Size(100, least=4, multiple=4),
    source="MGH 22 with bounds",
    description="sum over groups of four, (x1 + 10 x2)^2 + 5 (x3 - x4)^2 + (x2 - 2 x3)^4 "
    "+ 10 (x1 - x4)^4, x1 >= 0, x3 >= 0, with zero multipliers and a singular Hessian at the "
    "minimiser",
    convex=True,
    bounded=True,
)
def bounded_powell_singular(n: int) -> Parts:
    parts = extended_powell_singular(n)
    return Parts(
        parts.functions,
        x0=parts.x0,
        fmin=0.0,
        minimizers=parts.minimizers,
        bounds=(np.tile([0.0, -_INF, 0.0, -_INF], n // 4), _INF),
    )


@register(
    Size(100, least=2),
    source="Lescrenier (1989); CUTEst NONSCOMP",
    description="(x_1 - 1)^2 + 4 sum_{i>=2} (x_i - x_{i-1}^2)^2, |x_i| <= 100, x_i >= 1 for odd "
    "i, whose multipliers are zero",
    bounded=True,
)
def nonscomp(n: int) -> Parts:
    first = _linear((slice(0, 1),), 1.0, shift=1.0)
    odd = np.arange(n) % 2 == 0
    return Parts(
        group_separable(n, first, _valley(slice(0, n - 1), slice(1, n), 2.0)),
        x0=np.full(n, 3.0),
        fmin=0.0,
        minimizers=[np.ones(n)],
        bounds=(np.where(odd, 1.0, -100.0), 100.0),
    )


@register(
    Size(100, least=2),
    source="Bartholomew-Biggs and Hernandez (1992); CUTEst BIGGSB1",
    description="(x_1 - 1)^2 + sum_{i>=2} (x_i - x_{i-1})^2 + (1 - x_n)^2, 0 <= x_i <= 0.9 for "
    "i < n, where all but two multipliers are zero",
    convex=True,
    bounded=True,
)
def biggsb1(n: int) -> Parts:
    ends = [_linear((slice(k, k + 1),), 1.0, shift=1.0) for k in (0, n - 1)]
    inner = np.arange(n) < n - 1
    return Parts(
        group_separable(n, *ends, _linear((slice(1, n), slice(0, n - 1)), 1.0, -1.0)),
        x0=np.zeros(n),
        fmin=0.015,
        minimizers=[np.where(inner, 0.9, 0.95)],
        bounds=(np.where(inner, 0.0, -_INF), np.where(inner, 0.9, _INF)),
    )


@register(
    Size(100, least=2),
    source="CUTEst CVXBQP1",
    description="(1/2) sum i (x_i + x_j + x_k)^2, j = (2 i - 1) mod n + 1, "
    "k = (3 i - 1) mod n + 1, 0.1 <= x_i <= 10, minimal at a corner",
    convex=True,
    bounded=True,
)
def cvxbqp1(n: int) -> Parts:
    i = np.arange(1, n + 1)
    j, k, weight = (2 * i - 1) % n, (3 * i - 1) % n, i.astype(np.float64)

    def forward(x: Vector) -> Vector:
        return np.asarray(x + x[j] + x[k])

    def product(x: Vector) -> Vector:
        u = weight * forward(x)
        return np.asarray(u + np.bincount(j, u, minlength=n) + np.bincount(k, u, minlength=n))

    def fun(x: Vector) -> Any:
        return weight @ forward(x) ** 2 / 2

    return Parts(
        Functions(fun, product, lambda x, p: product(p)),
        x0=np.full(n, 0.5),
        fmin=0.0225 * n * (n + 1),
        minimizers=[np.full(n, 0.1)],
        bounds=(0.1, 10.0),
    )


def _spectral(n: int, condition: float) -> Any:
    """The product with ``Q D Q``, Q = I - (2 / n) 1 1^T, D from 1 to condition."""
    eigenvalues = np.geomspace(1.0, condition, n)

    def reflect(v: Vector) -> Vector:
        return np.asarray(v - 2 * np.mean(v))

    return lambda v: reflect(eigenvalues * reflect(v))


def _quadratic(x: Vector, multipliers: Vector, product: Any) -> Functions:
    """``multipliers . d + (1/2) d . product(d)``, d the distance from x."""
    return Functions(
        lambda y: multipliers @ (y - x) + (y - x) @ product(y - x) / 2,
        lambda y: multipliers + product(y - x),
        lambda y, p: product(p),
    )


@register(
    Size(100, least=2),
    source="elementary: of every five variables two are at bounds with a multiplier of zero",
    description="(1/2) (x - c)^T H (x - c) + z . (x - c), 0 <= x_i <= 1, H as in quadratic, with "
    "the condition number as a parameter; c is the minimiser",
    convex=True,
    bounded=True,
)
def degenerate_box_qp(n: int, condition: float = 1e3) -> Parts:
    kind = np.arange(n) % 5
    c = np.choose(kind, [0.25, 0.0, 0.0, 1.0, 1.0])
    z = np.choose(kind, [0.0, 1.0, 0.0, -1.0, 0.0])
    return Parts(
        _quadratic(c, z, _spectral(n, condition)),
        x0=np.full(n, 0.5),
        fmin=0.0,
        minimizers=[c],
        bounds=(0.0, 1.0),
    )


@register(
    Size(100, least=2),
    source="elementary: z_i outweighs the negative curvature of the variables at bounds",
    description="(1/2) (x - c)^T (H - 50 E) (x - c) + z . (x - c), 0 <= x_i <= 1, H as in "
    "quadratic, E the unit matrix where c_i is at a bound, |z_i| = 55 there; c is the only "
    "stationary point",
    bounded=True,
)
def nonconvex_box_qp(n: int, condition: float = 1e2) -> Parts:
    # At a stationary point x, with d = x - c, the gradient times -d is at least zero.  But it is
    # -sum_i (55 |d_i| - 50 d_i^2) - d^T H d < 0 unless d = 0, where the sum is over the bounds.
    kind = np.arange(n) % 3
    c = np.choose(kind, [0.25, 0.0, 1.0])
    z = np.choose(kind, [0.0, 55.0, -55.0])
    convex, concave = _spectral(n, condition), np.where(kind == 0, 0.0, 50.0)
    return Parts(
        _quadratic(c, z, lambda v: convex(v) - concave * v),
        x0=np.full(n, 0.5),
        fmin=0.0,
        minimizers=[c],
        bounds=(0.0, 1.0),
    )


@register(
    Size(50, least=2, most=1000),
    source="made up, with a fixed seed: a Gaussian A of 2 n rows",
    description="(1/2) |A x - b|^2, x >= 0, b such that every other variable is zero at the "
    "minimiser, with seed as a parameter",
    convex=True,
    bounded=True,
)
def nonnegative_least_squares(n: int, seed: int = 0) -> Parts:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((2 * n, n)) / np.sqrt(2 * n)
    held = np.arange(n) % 2 == 1
    x = np.where(held, 0.0, rng.uniform(0.5, 1.5, n))
    multipliers = np.where(held, rng.uniform(0.1, 1.0, n), 0.0)
    # The shortest residual with these multipliers as its product with A^T.
    residual = a @ np.linalg.solve(a.T @ a, multipliers)
    b = a @ x - residual

    def fun(x: Vector) -> Any:
        r = a @ x - b
        return r @ r / 2

    return Parts(
        Functions(fun, lambda x: a.T @ (a @ x - b), lambda x, p: a.T @ (a @ p)),
        x0=np.ones(n),
        fmin=residual @ residual / 2,
        minimizers=[x],
        bounds=(0.0, _INF),
    )


def _least_in_box(functions: Functions, lower: Vector, upper: Vector, x: Vector) -> Vector:
    """Return the minimiser of a strictly convex function of few variables within bounds.

    This is the projected Newton method of D. P. Bertsekas, SIAM J. Control Optim. 20 (1982),
    pp. 221-246.
    """
    f, g = functions.fun(x), functions.grad(x)
    for _ in range(200):
        residual = np.max(np.abs(x - np.clip(x - g, lower, upper)))
        near = min(residual, 1e-3)
        held = ((x <= lower + near) & (g > 0)) | ((x >= upper - near) & (g < 0))
        free = np.flatnonzero(~held)
        hessian = [functions.hessp(x, e)[free] for e in np.eye(x.size)[free]]
        d = -g
        d[free] = np.linalg.solve(np.reshape(hessian, (free.size, free.size)), d[free])
        length = 1.0
        while length > 1e-12:
            trial = np.clip(x + length * d, lower, upper)
            value, slope = functions.fun(trial), functions.grad(trial)
            least = np.max(np.abs(trial - np.clip(trial - slope, lower, upper)))
            # Close to the minimum f cannot show a decrease any more.
            if (value <= f - 1e-4 * (g @ (x - trial)) and value < f) or least < residual / 2:
                break
            length /= 2
        else:
            break
        x, f, g = trial, value, slope
    return x


@register(
    31,
    source="the breast cancer data of scikit-learn (Wisconsin diagnostic), standardised",
    description="mean_i log(1 + exp(-y_i a_i . x)), |x_j| <= radius but for the last feature, "
    "which is constant, with radius as a parameter",
    convex=True,
    bounded=True,
)
def bounded_logistic(radius: float = 0.5) -> Parts:
    if not 0 < radius < _INF:
        raise ValueError(f"radius must be positive and finite, not {radius}")
    features, labels = _breast_cancer()
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features = np.column_stack([features, np.ones(labels.size)])
    functions = _logistic(lambda x: features @ x, lambda u: features.T @ u, labels, 0.0)
    upper = np.full(31, radius)
    upper[-1] = _INF
    x = _least_in_box(functions, -upper, upper, np.zeros(31))
    return Parts(
        functions,
        x0=np.zeros(31),
        fmin=functions.fun(x),
        minimizers=[x],
        bounds=(-upper, upper),
    )
