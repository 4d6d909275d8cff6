"""Problems with bounds on the variables.

Those named hs are of W. Hock and K. Schittkowski, "Test examples for nonlinear programming codes",
Lecture Notes in Economics and Mathematical Systems 187, Springer 1981. Where their start is
outside of the bounds it is moved onto them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._registry import Functions, Parts, Size, Vector, register

INF = math.inf


def _dense(fun: Any, grad: Any, hess: Any) -> Functions:
    """Functions of few variables, from lists of derivatives."""

    def gradient(x: Vector) -> Vector:
        return np.array(grad(*x), np.result_type(x, np.float32))

    def product(x: Vector, p: Vector) -> Vector:
        return np.array(hess(*x), np.result_type(x, np.float32)) @ p

    return Functions(lambda x: fun(*x), gradient, product)


def _rosenbrock() -> Functions:
    return _dense(
        lambda x, y: 100 * (y - x * x) ** 2 + (1 - x) ** 2,
        lambda x, y: [-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)],
        lambda x, y: [[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200.0]],
    )


@register(
    2, source="Hock and Schittkowski (1981), 1",
    description="Rosenbrock's function, x2 >= -1.5", bounded=True,
)  # fmt: skip
def hs1() -> Parts:
    return Parts(
        _rosenbrock(), x0=[-2.0, 1.0], fmin=0.0, minimizers=[[1.0, 1.0]],
        lower=[-INF, -1.5], upper=INF,
    )  # fmt: skip


@register(
    2, source="Hock and Schittkowski (1981), 2",
    description="Rosenbrock's function, x2 >= 1.5", bounded=True,
)  # fmt: skip
def hs2() -> Parts:
    functions = _rosenbrock()
    # the derivative along the bound has three roots: 2 a cos(t + 2 pi k/3)
    a = math.sqrt(598.0 / 1200.0)
    angle = math.acos(1.0 / (400.0 * a**3)) / 3.0
    best, other = (2.0 * a * math.cos(angle + k) for k in (0.0, 2.0 * math.pi / 3.0))
    at = np.array([best, 1.5])
    return Parts(
        functions, x0=[-2.0, 1.5], fmin=functions.fun(at), minimizers=[at],
        other_minima=[functions.fun(np.array([other, 1.5]))], lower=[-INF, 1.5], upper=INF,
    )  # fmt: skip


def _valley(steepness: float) -> Functions:
    t = 2.0 * steepness
    return _dense(
        lambda x, y: y + steepness * (y - x) ** 2,
        lambda x, y: [-t * (y - x), 1.0 + t * (y - x)],
        lambda x, y: [[t, -t], [-t, t]],
    )


@register(
    2, source="Hock and Schittkowski (1981), 3",
    description="x2 + 1e-5 (x2 - x1)^2, x2 >= 0", convex=True, bounded=True,
)  # fmt: skip
def hs3() -> Parts:
    return Parts(
        _valley(1e-5), x0=[10.0, 1.0], fmin=0.0, minimizers=[[0.0, 0.0]], lower=[-INF, 0.0],
        upper=INF,
    )  # fmt: skip


@register(
    2, source="Hock and Schittkowski (1981), 3, as scaled in CUTEst",
    description="x2 + (x2 - x1)^2, x2 >= 0", convex=True, bounded=True,
)  # fmt: skip
def hs3_scaled() -> Parts:
    return Parts(
        _valley(1.0), x0=[10.0, 1.0], fmin=0.0, minimizers=[[0.0, 0.0]], lower=[-INF, 0.0],
        upper=INF,
    )  # fmt: skip


@register(
    2, source="Hock and Schittkowski (1981), 4",
    description="(x1 + 1)^3/3 + x2, x1 >= 1, x2 >= 0", bounded=True,
)  # fmt: skip
def hs4() -> Parts:
    return Parts(
        _dense(
            lambda x, y: (x + 1) ** 3 / 3 + y,
            lambda x, y: [(x + 1) ** 2, 1.0],
            lambda x, y: [[2 * (x + 1), 0.0], [0.0, 0.0]],
        ),
        x0=[1.125, 0.125], fmin=8.0 / 3.0, minimizers=[[1.0, 0.0]], lower=[1.0, 0.0], upper=INF,
    )  # fmt: skip


@register(
    2, source="Hock and Schittkowski (1981), 5; McCormick (1976)",
    description="sin(x1 + x2) + (x1 - x2)^2 - 1.5 x1 + 2.5 x2 + 1 in [-1.5, 4] x [-3, 3]",
    bounded=True,
)  # fmt: skip
def hs5() -> Parts:
    def hess(x: float, y: float) -> list[list[float]]:
        s = -math.sin(x + y)
        return [[s + 2, s - 2], [s - 2, s + 2]]

    third = math.pi / 3.0
    return Parts(
        _dense(
            lambda x, y: np.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1,
            lambda x, y: [
                np.cos(x + y) + 2 * (x - y) - 1.5, np.cos(x + y) - 2 * (x - y) + 2.5,
            ],
            hess,
        ),
        x0=[0.0, 0.0], fmin=-math.sqrt(3.0) / 2.0 - third,
        minimizers=[[0.5 - third, -0.5 - third]], other_minima=[1.228369694986756],
        lower=[-1.5, -3.0], upper=[4.0, 3.0],
    )  # fmt: skip


@register(
    4, source="Hock and Schittkowski (1981), 38; Colville (1968)",
    description="Wood's function in [-10, 10]^4", bounded=True,
)  # fmt: skip
def hs38() -> Parts:
    def fun(a: float, b: float, c: float, d: float) -> float:
        return (
            100 * (b - a * a) ** 2 + (1 - a) ** 2 + 90 * (d - c * c) ** 2 + (1 - c) ** 2
            + 10.1 * ((b - 1) ** 2 + (d - 1) ** 2) + 19.8 * (b - 1) * (d - 1)
        )  # fmt: skip

    def grad(a: float, b: float, c: float, d: float) -> list[float]:
        return [
            -400 * a * (b - a * a) - 2 * (1 - a),
            200 * (b - a * a) + 20.2 * (b - 1) + 19.8 * (d - 1),
            -360 * c * (d - c * c) - 2 * (1 - c),
            180 * (d - c * c) + 20.2 * (d - 1) + 19.8 * (b - 1),
        ]

    def hess(a: float, b: float, c: float, d: float) -> list[list[float]]:
        return [
            [1200 * a * a - 400 * b + 2, -400 * a, 0.0, 0.0],
            [-400 * a, 220.2, 0.0, 19.8],
            [0.0, 0.0, 1080 * c * c - 360 * d + 2, -360 * c],
            [0.0, 19.8, -360 * c, 200.2],
        ]

    return Parts(
        _dense(fun, grad, hess), x0=[-3.0, -1.0, -3.0, -1.0], fmin=0.0,
        minimizers=[[1.0, 1.0, 1.0, 1.0]], other_minima=[7.8769658], lower=-10.0, upper=10.0,
    )  # fmt: skip


@register(
    5, source="Hock and Schittkowski (1981), 45",
    description="2 - x1 x2 x3 x4 x5/120, 0 <= xi <= i", bounded=True,
)  # fmt: skip
def hs45() -> Parts:
    def without(x: Vector, *left: int) -> Any:
        return np.prod(np.delete(x, left))

    def grad(x: Vector) -> Vector:
        return np.array([-without(x, i) / 120 for i in range(5)])

    def hessp(x: Vector, p: Vector) -> Vector:
        return np.array(
            [-sum(without(x, i, j) * p[j] for j in range(5) if j != i) / 120 for i in range(5)]
        )

    upper = np.arange(1.0, 6.0)
    return Parts(
        Functions(lambda x: 2 - np.prod(x) / 120, grad, hessp), x0=[1.0, 2.0, 2.0, 2.0, 2.0],
        fmin=1.0, minimizers=[upper], other_minima=[2.0], lower=0.0, upper=upper,
    )  # fmt: skip


@register(
    10, source="Hock and Schittkowski (1981), 110",
    description="sum (ln(xi - 2))^2 + (ln(10 - xi))^2 - (x1 ... x10)^0.2 in [2.001, 9.999]^10",
    bounded=True,
)  # fmt: skip
def hs110() -> Parts:
    def fun(x: Vector) -> Any:
        return np.sum(np.log(x - 2) ** 2 + np.log(10 - x) ** 2) - np.prod(x) ** 0.2

    def grad(x: Vector) -> Vector:
        slopes = 2 * np.log(x - 2) / (x - 2) - 2 * np.log(10 - x) / (10 - x)
        return np.asarray(slopes - 0.2 * np.prod(x) ** 0.2 / x)

    def hessp(x: Vector, p: Vector) -> Vector:
        a, b = x - 2, 10 - x
        bends = 2 * (1 - np.log(a)) / a**2 + 2 * (1 - np.log(b)) / b**2
        power = np.prod(x) ** 0.2
        return np.asarray(bends * p - 0.04 * power * np.sum(p / x) / x + 0.2 * power * p / x**2)

    return Parts(
        Functions(fun, grad, hessp), x0=np.full(10, 9.0), fmin=-45.77846970744629,
        minimizers=[np.full(10, 9.350265833069052)], lower=2.001, upper=9.999,
    )  # fmt: skip


@register(
    2, source="Branin (1972), in its box",
    description="(x2 - 5.1 x1^2/(4 pi^2) + 5 x1/pi - 6)^2 + 10 (1 - 1/(8 pi)) cos x1 + 10",
    bounded=True,
)  # fmt: skip
def bounded_branin() -> Parts:
    a, b, c = 5.1 / (4 * math.pi**2), 5 / math.pi, 10 * (1 - 1 / (8 * math.pi))

    def inner(x: float, y: float) -> float:
        return y - a * x * x + b * x - 6

    def hess(x: float, y: float) -> list[list[float]]:
        s = b - 2 * a * x
        return [[2 * s * s - 4 * a * inner(x, y) - c * math.cos(x), 2 * s], [2 * s, 2.0]]

    return Parts(
        _dense(
            lambda x, y: inner(x, y) ** 2 + c * np.cos(x) + 10,
            lambda x, y: [
                2 * inner(x, y) * (b - 2 * a * x) - c * np.sin(x), 2 * inner(x, y),
            ],
            hess,
        ),
        x0=[-1.0, 1.0], fmin=10 - c,
        minimizers=[[-math.pi, 12.275], [math.pi, 2.275], [3 * math.pi, 2.475]],
        lower=[-5.0, 0.0], upper=[10.0, 15.0],
    )  # fmt: skip


@register(
    Size(10, least=2, multiple=2),
    source="Rosenbrock's function in pairs, with bounds that are active",
    description="sum 100 (x2i - x2i-1^2)^2 + (1 - x2i-1)^2, x2i-1 <= 1/2",
    bounded=True,
)  # fmt: skip
def bounded_rosenbrock(n: int) -> Parts:
    def fun(x: Vector) -> Any:
        a, b = x[::2], x[1::2]
        return np.sum(100 * (b - a * a) ** 2 + (1 - a) ** 2)

    def grad(x: Vector) -> Vector:
        a, b = x[::2], x[1::2]
        g = np.empty_like(x)
        g[::2] = -400 * a * (b - a * a) - 2 * (1 - a)
        g[1::2] = 200 * (b - a * a)
        return g

    def hessp(x: Vector, p: Vector) -> Vector:
        a, b = x[::2], x[1::2]
        product = np.empty_like(x)
        product[::2] = (1200 * a * a - 400 * b + 2) * p[::2] - 400 * a * p[1::2]
        product[1::2] = -400 * a * p[::2] + 200 * p[1::2]
        return product

    return Parts(
        Functions(fun, grad, hessp), x0=np.tile([-1.2, 1.0], n // 2), fmin=n / 8,
        minimizers=[np.tile([0.5, 0.25], n // 2)], lower=-INF, upper=np.tile([0.5, INF], n // 2),
    )  # fmt: skip


@register(
    Size(20, least=1), source="by construction: the solution and its multipliers are drawn",
    description="|A x - b|^2/2, x >= 0, half of the variables at 0", convex=True, bounded=True,
)  # fmt: skip
def nonnegative_least_squares(n: int) -> Parts:
    rng = np.random.default_rng(n)
    a = rng.standard_normal((2 * n, n)) * 10.0 ** rng.uniform(-1.0, 1.0, n)
    x = np.where(np.arange(n) % 2 == 0, rng.uniform(0.1, 2.0, n), 0.0)
    multipliers = np.where(x == 0.0, rng.uniform(0.1, 2.0, n), 0.0)
    rest = a @ np.linalg.solve(a.T @ a, multipliers)  # A'(A x - b) are the multipliers
    b = a @ x - rest

    def fun(z: Vector) -> Any:
        return 0.5 * np.sum((a @ z - b) ** 2)

    return Parts(
        Functions(fun, lambda z: a.T @ (a @ z - b), lambda _, p: a.T @ (a @ p)), x0=np.ones(n),
        fmin=0.5 * float(rest @ rest), minimizers=[x], lower=0.0, upper=INF,
    )  # fmt: skip


@register(
    Size(10, least=1), source="random data",
    description="mean of log(1 + exp(-y a.x)) + l2 |x|^2/2, -1/4 <= xi <= 1/4", convex=True,
    bounded=True,
)  # fmt: skip
def box_logistic_regression(n: int, l2: float = 1e-3) -> Parts:
    rng = np.random.default_rng(n)
    rows = 20 * n
    a = rng.standard_normal((rows, n))
    truth = rng.standard_normal(n)
    a *= np.where(a @ truth + rng.standard_normal(rows) > 0.0, 1.0, -1.0)[:, None]

    def fun(x: Vector) -> Any:
        return np.mean(np.logaddexp(0.0, -(a @ x))) + 0.5 * l2 * (x @ x)

    def chances(x: Vector) -> Vector:
        return np.asarray(0.5 - 0.5 * np.tanh(0.5 * (a @ x)))  # of the wrong label

    def grad(x: Vector) -> Vector:
        return np.asarray(-(a.T @ chances(x)) / rows + l2 * x)

    def hessp(x: Vector, p: Vector) -> Vector:
        q = chances(x)
        return np.asarray(a.T @ (q * (1 - q) * (a @ p)) / rows + l2 * p)

    return Parts(
        Functions(fun, grad, hessp), x0=np.zeros(n), lower=-0.25, upper=0.25
    )


@register(
    Size(20, least=1), source="by construction: it is separable",
    description="sum di (xi - ai)^2/2 in [0, 1]^n, every other di < 0", bounded=True,
)  # fmt: skip
def indefinite_box_quadratic(n: int) -> Parts:
    i = np.arange(n)
    d = 10.0 ** (2.0 * i / max(1, n - 1)) * np.where(i % 2 == 0, 1.0, -1.0)
    a = 0.5 + 0.7 * np.sin(1.0 + 3.0 * i)
    x = np.where(d > 0.0, np.clip(a, 0.0, 1.0), np.where(a < 0.5, 1.0, 0.0))
    return Parts(
        Functions(
            lambda z: 0.5 * np.sum(d * (z - a) ** 2), lambda z: d * (z - a), lambda _, p: d * p
        ),
        x0=np.full(n, 0.5), fmin=0.5 * np.sum(d * (x - a) ** 2), minimizers=[x], lower=0.0,
        upper=1.0,
    )  # fmt: skip


@register(
    Size(20, least=2), source="by construction: multipliers of zero",
    description="(x - a)'T(x - a)/2, T tridiagonal, xi >= ai for every other i", convex=True,
    bounded=True,
)  # fmt: skip
def degenerate_box_quadratic(n: int) -> Parts:
    a = np.cos(np.arange(n))

    def product(p: Vector) -> Vector:
        out = 2.1 * p
        out[1:] -= p[:-1]
        out[:-1] -= p[1:]
        return out

    lower = np.where(np.arange(n) % 2 == 0, a, -INF)
    return Parts(
        Functions(
            lambda x: 0.5 * (x - a) @ product(x - a), lambda x: product(x - a),
            lambda _, p: product(p),
        ),
        x0=a + 1.0 + np.sin(np.arange(n)) ** 2, fmin=0.0, minimizers=[a], lower=lower, upper=INF,
    )  # fmt: skip


@register(
    Size(20, least=3), source="CUTEst, BDEXP (Conn, Gould and Toint 1988)",
    description="sum (xi + xi+1) exp(-xi+2 (xi + xi+1)), x >= 0", bounded=True,
)  # fmt: skip
def bounded_exponential(n: int) -> Parts:
    def parts(x: Vector) -> tuple[Vector, Vector, Vector]:
        s, t = x[:-2] + x[1:-1], x[2:]
        return s, t, np.exp(-t * s)

    def fun(x: Vector) -> Any:
        s, _, e = parts(x)
        return np.sum(s * e)

    def scatter(x: Vector, along_s: Vector, along_t: Vector) -> Vector:
        out = np.zeros_like(x)
        out[:-2] += along_s
        out[1:-1] += along_s
        out[2:] += along_t
        return out

    def grad(x: Vector) -> Vector:
        s, t, e = parts(x)
        return scatter(x, (1 - s * t) * e, -s * s * e)

    def hessp(x: Vector, p: Vector) -> Vector:
        s, t, e = parts(x)
        ps, pt = p[:-2] + p[1:-1], p[2:]
        mixed = (s * s * t - 2 * s) * e
        return scatter(
            x, (s * t * t - 2 * t) * e * ps + mixed * pt, mixed * ps + s**3 * e * pt
        )

    return Parts(
        Functions(fun, grad, hessp), x0=np.ones(n), fmin=0.0, minimizers=[np.zeros(n)], lower=0.0,
        upper=INF,
    )  # fmt: skip


def _grid(n: int) -> tuple[int, int]:
    """The rectangle of n points that is nearest to a square."""
    rows = next(k for k in range(math.isqrt(n), 0, -1) if n % k == 0)
    return rows, n // rows


def _membrane(n: int, load: float) -> tuple[Functions, Vector, Vector]:
    """``int |grad v|^2/2 - load int v`` over the unit square, v = 0 around; the points inside."""
    rows, columns = _grid(n)
    hx, hy = 1.0 / (columns + 1), 1.0 / (rows + 1)

    def product(v: Vector) -> Vector:
        u = np.zeros((rows + 2, columns + 2), v.dtype)
        u[1:-1, 1:-1] = v.reshape(rows, columns)
        inner = u[1:-1, 1:-1]
        out = (hy / hx) * (2 * inner - u[1:-1, 2:] - u[1:-1, :-2])
        out += (hx / hy) * (2 * inner - u[2:, 1:-1] - u[:-2, 1:-1])
        return np.asarray(out.ravel())

    weight = load * hx * hy
    functions = Functions(
        lambda v: 0.5 * v @ product(v) - weight * np.sum(v), lambda v: product(v) - weight,
        lambda _, p: product(p),
    )
    y, x = np.meshgrid(hy * np.arange(1, rows + 1), hx * np.arange(1, columns + 1), indexing="ij")
    return functions, x.ravel(), y.ravel()


@register(
    Size(100, least=1), source="MINPACK-2; Moré and Toraldo (1991), obstacle problem B",
    description="energy of a membrane over the unit square, between two obstacles", convex=True,
    bounded=True,
)  # fmt: skip
def obstacle(n: int) -> Parts:
    functions, x, y = _membrane(n, 1.0)
    wave = np.sin(9.2 * x) * np.sin(9.3 * y)
    lower, upper = wave**3, wave**2 + 0.02
    return Parts(functions, x0=lower, lower=lower, upper=upper)


@register(
    Size(100, least=1), source="MINPACK-2; Moré and Toraldo (1991), elastic-plastic torsion",
    description="stress of a twisted bar over the unit square, |v| <= distance to its border",
    convex=True, bounded=True,
)  # fmt: skip
def torsion(n: int, load: float = 5.0) -> Parts:
    functions, x, y = _membrane(n, load)
    distance = np.minimum.reduce([x, 1 - x, y, 1 - y])
    return Parts(functions, x0=np.zeros(n), lower=-distance, upper=distance)
