"""The problems with bounds alone of Hock and Schittkowski.

W. Hock and K. Schittkowski, "Test Examples for Nonlinear Programming Codes", Lecture Notes in
Economics and Mathematical Systems 187, Springer, 1981, here HS.  A starting point that is not
within the bounds there is the nearest one within them here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from ._registry import Functions, Parts, Vector, register
from ._structure import Group, at, group_separable
from .chained import _WOOD, rosenbrock, wood
from .planar import mccormick

_INF = np.inf


@register(
    2,
    source="HS 1",
    description="100 (x2 - x1^2)^2 + (1 - x1)^2, x2 >= -1.5, which is not active at the minimiser",
    bounded=True,
)
def hs1() -> Parts:
    return Parts(
        rosenbrock(2).functions,
        x0=[-2.0, 1.0],
        fmin=0.0,
        minimizers=[[1.0, 1.0]],
        bounds=([-_INF, -1.5], _INF),
    )


@register(
    2,
    source="HS 2, the start (-2, 1) moved into the bounds",
    description="100 (x2 - x1^2)^2 + (1 - x1)^2, x2 >= 1.5, with a minimum on either side",
    bounded=True,
)
def hs2() -> Parts:
    # With x2 = 1.5 the stationary points are the roots of 400 x^3 - 598 x - 2.
    a = np.sqrt(598 / 1200)
    angle = np.arccos(1 / (400 * a**3)) / 3
    best, local = 2 * a * np.cos(angle), 2 * a * np.cos(angle + 2 * np.pi / 3)
    functions = rosenbrock(2).functions
    return Parts(
        functions,
        x0=[-2.0, 1.5],
        fmin=functions.fun(np.array([best, 1.5])),
        minimizers=[[best, 1.5]],
        other_minima=[functions.fun(np.array([local, 1.5]))],
        bounds=([-_INF, 1.5], _INF),
    )


@register(
    2,
    source="HS 3",
    description="x2 + 1e-5 (x2 - x1)^2, x2 >= 0",
    convex=True,
    bounded=True,
)
def hs3() -> Parts:
    a = 1e-5
    return Parts(
        group_separable(
            2,
            Group(
                (at(0), at(1)),
                lambda x, y: y + a * (y - x) ** 2,
                lambda x, y: (2 * a * (x - y), 1 + 2 * a * (y - x)),
                lambda x, y: {(0, 0): 2 * a, (0, 1): -2 * a, (1, 1): 2 * a},
            ),
        ),
        x0=[10.0, 1.0],
        fmin=0.0,
        minimizers=[[0.0, 0.0]],
        bounds=([-_INF, 0.0], _INF),
    )


@register(
    2,
    source="HS 4",
    description="(x1 + 1)^3 / 3 + x2, x1 >= 1, x2 >= 0, unbounded below without the bounds",
    convex=True,
    bounded=True,
)
def hs4() -> Parts:
    return Parts(
        group_separable(
            2,
            Group(
                (at(0), at(1)),
                lambda x, y: (x + 1) ** 3 / 3 + y,
                lambda x, y: ((x + 1) ** 2, 1.0),
                lambda x, y: {(0, 0): 2 * (x + 1)},
            ),
        ),
        x0=[1.125, 0.125],
        fmin=8 / 3,
        minimizers=[[1.0, 0.0]],
        bounds=([1.0, 0.0], _INF),
    )


@register(
    2,
    source="HS 5; McCormick (1976)",
    description="sin(x1 + x2) + (x1 - x2)^2 - 1.5 x1 + 2.5 x2 + 1, -1.5 <= x1 <= 4, -3 <= x2 <= 3",
    bounded=True,
)
def hs5() -> Parts:
    parts = mccormick()
    assert parts.fmin is not None
    return Parts(
        parts.functions,
        x0=[0.0, 0.0],
        fmin=parts.fmin,
        minimizers=parts.minimizers,
        other_minima=[parts.fmin + np.pi],
        bounds=([-1.5, -3.0], [4.0, 3.0]),
    )


@register(
    4,
    source="HS 38; MGH 14, the function of Wood and Colville",
    description=f"{_WOOD}, |x_i| <= 10",
    bounded=True,
)
def hs38() -> Parts:
    parts = wood()
    return Parts(
        parts.functions,
        x0=[-3.0, -1.0, -3.0, -1.0],
        fmin=0.0,
        minimizers=[np.ones(4)],
        other_minima=parts.other_minima,
        bounds=(-10.0, 10.0),
    )


@register(
    5,
    source="HS 45, the start (2, 2, 2, 2, 2) moved into the bounds",
    description="2 - x1 x2 x3 x4 x5 / 120, 0 <= x_i <= i, minimal at a corner",
    bounded=True,
)
def hs45() -> Parts:
    i = np.arange(1.0, 6.0)
    same = np.eye(5, dtype=bool)
    # Without a division by x, which may be zero: the products of all variables but one, but two.
    others = same[:, np.newaxis] | same

    def grad(x: Vector) -> Vector:
        return np.asarray(np.prod(np.where(same, 1, x), axis=-1) / -120)

    def hessp(x: Vector, p: Vector) -> Vector:
        pairs = np.where(same, 0, np.prod(np.where(others, 1, x), axis=-1))
        return np.asarray(-pairs @ p / 120)

    return Parts(
        Functions(lambda x: 2 - np.prod(x) / 120, grad, hessp),
        x0=[1.0, 2.0, 2.0, 2.0, 2.0],
        fmin=1.0,
        minimizers=[i],
        # Where two variables are zero, the gradient is.
        other_minima=[2.0],
        bounds=(0.0, i),
    )


@register(
    10,
    source="HS 110; Himmelblau (1972), Applied Nonlinear Programming",
    description="sum log(x_i - 2)^2 + log(10 - x_i)^2 - (prod x_i)^0.2, 2.001 <= x_i <= 9.999, "
    "without values for x_i <= 2 and x_i >= 10",
    bounded=True,
)
def hs110() -> Parts:
    def fun(x: Vector) -> Any:
        return np.sum(np.log(x - 2) ** 2 + np.log(10 - x) ** 2) - np.prod(x) ** 0.2

    def grad(x: Vector) -> Vector:
        slope = np.log(x - 2) / (x - 2) - np.log(10 - x) / (10 - x)
        return np.asarray(2 * slope - 0.2 * np.prod(x) ** 0.2 / x)

    def hessp(x: Vector, p: Vector) -> Vector:
        bend = (1 - np.log(x - 2)) / (x - 2) ** 2 + (1 - np.log(10 - x)) / (10 - x) ** 2
        power = 0.2 * np.prod(x) ** 0.2
        return np.asarray(2 * bend * p + power / x * (p / x - 0.2 * np.sum(p / x)))

    # The coordinates of the minimiser are equal.
    best = brentq(lambda t: grad(np.full(10, t))[0], 9.0, 9.9, xtol=1e-14)
    x = np.full(10, best)
    return Parts(
        Functions(fun, grad, hessp),
        x0=np.full(10, 9.0),
        fmin=fun(x),
        minimizers=[x],
        bounds=(2.001, 9.999),
    )
