"""Problems with two variables.

Except for the first, they are collected in M. Jamil and X.-S. Yang, "A literature survey of
benchmark functions for global optimisation problems", Int. J. Math. Modelling Numer. Optim. 4
(2013), pp. 150-194.  Where that survey gives no starting point, one is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ._registry import Functions, Parts, register
from ._structure import Group, at, group_separable


def _planar(
    value: Callable[..., Any],
    grad: Callable[..., tuple[Any, ...]],
    hess: Callable[..., Mapping[tuple[int, int], Any]],
) -> Functions:
    return group_separable(2, Group((at(0), at(1)), value, grad, hess))


@register(
    2,
    source="the talk's example: Rosenbrock (1960) without the factor 100",
    description="(1 - x1)^2 + (x2 - x1^2)^2",
)
def talk_rosenbrock() -> Parts:
    return Parts(
        _planar(
            lambda x, y: (1 - x) ** 2 + (y - x * x) ** 2,
            lambda x, y: (2 * (x - 1) - 4 * x * (y - x * x), 2 * (y - x * x)),
            lambda x, y: {(0, 0): 2 - 4 * y + 12 * x * x, (0, 1): -4 * x, (1, 1): 2.0},
        ),
        x0=[-1.2, 1.0],
        fmin=0.0,
        minimizers=[[1.0, 1.0]],
    )


@register(
    2,
    source="Jamil and Yang (2013)",
    description="(x1 + 2 x2 - 7)^2 + (2 x1 + x2 - 5)^2",
    convex=True,
)
def booth() -> Parts:
    return Parts(
        _planar(
            lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2,
            lambda x, y: (10 * x + 8 * y - 34, 8 * x + 10 * y - 38),
            lambda x, y: {(0, 0): 10.0, (0, 1): 8.0, (1, 1): 10.0},
        ),
        x0=[-5.0, -4.0],
        fmin=0.0,
        minimizers=[[1.0, 3.0]],
    )


@register(
    2,
    source="Jamil and Yang (2013)",
    description="0.26 (x1^2 + x2^2) - 0.48 x1 x2",
    convex=True,
)
def matyas() -> Parts:
    return Parts(
        _planar(
            lambda x, y: 0.26 * (x * x + y * y) - 0.48 * x * y,
            lambda x, y: (0.52 * x - 0.48 * y, 0.52 * y - 0.48 * x),
            lambda x, y: {(0, 0): 0.52, (0, 1): -0.48, (1, 1): 0.52},
        ),
        x0=[10.0, 5.0],
        fmin=0.0,
        minimizers=[[0.0, 0.0]],
    )


@register(
    2,
    source="Himmelblau (1972), Applied Nonlinear Programming; Jamil and Yang (2013)",
    description="(x1^2 + x2 - 11)^2 + (x1 + x2^2 - 7)^2",
)
def himmelblau() -> Parts:
    return Parts(
        _planar(
            lambda x, y: (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
            lambda x, y: (
                4 * x * (x * x + y - 11) + 2 * (x + y * y - 7),
                2 * (x * x + y - 11) + 4 * y * (x + y * y - 7),
            ),
            lambda x, y: {
                (0, 0): 12 * x * x + 4 * y - 42,
                (0, 1): 4 * (x + y),
                (1, 1): 12 * y * y + 4 * x - 26,
            },
        ),
        x0=[1.0, 1.0],
        fmin=0.0,
        minimizers=[
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286170],
            [3.584428340330492, -1.848126526964404],
        ],
    )


@register(
    2,
    source="Dixon and Szego (1978); Jamil and Yang (2013)",
    description="2 x1^2 - 1.05 x1^4 + x1^6 / 6 + x1 x2 + x2^2",
)
def three_hump_camel() -> Parts:
    # Eliminating x2 = -x1/2 leaves x1 (x1^4 - 4.2 x1^2 + 3.5) = 0 for the stationary points.
    z = 2.1 + np.sqrt(2.1**2 - 3.5)
    side = 1.75 * z - 1.05 * z**2 + z**3 / 6
    return Parts(
        _planar(
            lambda x, y: 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y * y,
            lambda x, y: (4 * x - 4.2 * x**3 + x**5 + y, x + 2 * y),
            lambda x, y: {
                (0, 0): 4 - 12.6 * x**2 + 5 * x**4,
                (0, 1): 1.0,
                (1, 1): 2.0,
            },
        ),
        x0=[-1.0, 2.0],
        fmin=0.0,
        minimizers=[[0.0, 0.0]],
        other_minima=[side],
    )


@register(
    2,
    source="Dixon and Szego (1978); Jamil and Yang (2013)",
    description="(4 - 2.1 x1^2 + x1^4 / 3) x1^2 + x1 x2 + (4 x2^2 - 4) x2^2",
)
def six_hump_camel() -> Parts:
    x, y = 0.08984201310031806, -0.7126564030207396
    return Parts(
        _planar(
            lambda x, y: (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2,
            lambda x, y: (
                8 * x - 8.4 * x**3 + 2 * x**5 + y,
                x - 8 * y + 16 * y**3,
            ),
            lambda x, y: {
                (0, 0): 8 - 25.2 * x**2 + 10 * x**4,
                (0, 1): 1.0,
                (1, 1): 48 * y**2 - 8,
            },
        ),
        x0=[-1.0, 1.0],
        fmin=-1.031628453489877,
        minimizers=[[x, y], [-x, -y]],
        other_minima=[-0.21546382438371764, 2.1042503103112583],
    )


@register(
    2,
    source="McCormick (1976); Jamil and Yang (2013), here without bounds",
    description="sin(x1 + x2) + (x1 - x2)^2 - 1.5 x1 + 2.5 x2 + 1, unbounded below, fmin local",
)
def mccormick() -> Parts:
    # Moving both coordinates by k pi moves the value by k pi: one local minimum for each k.
    fmin = -np.sqrt(3) / 2 - np.pi / 3
    return Parts(
        _planar(
            lambda x, y: np.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1,
            lambda x, y: (
                np.cos(x + y) + 2 * (x - y) - 1.5,
                np.cos(x + y) - 2 * (x - y) + 2.5,
            ),
            lambda x, y: {
                (0, 0): 2 - np.sin(x + y),
                (0, 1): -2 - np.sin(x + y),
                (1, 1): 2 - np.sin(x + y),
            },
        ),
        x0=[0.0, 0.0],
        fmin=fmin,
        minimizers=[[0.5 - np.pi / 3, -0.5 - np.pi / 3]],
        other_minima=[fmin + k * np.pi for k in (-3, -2, -1, 1, 2, 3)],
    )


@register(
    2,
    source="Goldstein and Price (1971); Jamil and Yang (2013)",
    description="A(x1 + x2) B(2 x1 - 3 x2), A(s) = 1 + (s + 1)^2 (19 - 14 s + 3 s^2), "
    "B(d) = 30 + d^2 (18 - 16 d + 3 d^2)",
)
def goldstein_price() -> Parts:
    def a(s: Any) -> Any:
        return 1 + (s + 1) ** 2 * (19 - 14 * s + 3 * s**2)

    def a1(s: Any) -> Any:
        return 12 * (s - 2) * (s - 1) * (s + 1)

    def a2(s: Any) -> Any:
        return 12 * (3 * s**2 - 4 * s - 1)

    def b(d: Any) -> Any:
        return 30 + d**2 * (18 - 16 * d + 3 * d**2)

    def b1(d: Any) -> Any:
        return 12 * d * (d - 1) * (d - 3)

    def b2(d: Any) -> Any:
        return 12 * (3 * d**2 - 8 * d + 3)

    def grad(x: Any, y: Any) -> tuple[Any, ...]:
        s, d = x + y, 2 * x - 3 * y
        ds, dd = a1(s) * b(d), a(s) * b1(d)
        return ds + 2 * dd, ds - 3 * dd

    def hess(x: Any, y: Any) -> Mapping[tuple[int, int], Any]:
        s, d = x + y, 2 * x - 3 * y
        ss, sd, dd = a2(s) * b(d), a1(s) * b1(d), a(s) * b2(d)
        return {
            (0, 0): ss + 4 * sd + 4 * dd,
            (0, 1): ss - sd - 6 * dd,
            (1, 1): ss - 6 * sd + 9 * dd,
        }

    return Parts(
        _planar(lambda x, y: a(x + y) * b(2 * x - 3 * y), grad, hess),
        x0=[-0.5, -1.5],
        fmin=3.0,
        minimizers=[[0.0, -1.0]],
        # A has its minima at s = -1, 2 and B at d = 0, 3.
        other_minima=[30.0, 84.0, 840.0],
    )


@register(
    2,
    source="Branin (1972); Jamil and Yang (2013)",
    description="(x2 - 5.1 x1^2 / (4 pi^2) + 5 x1 / pi - 6)^2 + 10 (1 - 1 / (8 pi)) cos x1 + 10",
)
def branin() -> Parts:
    b, c, k = 5.1 / (4 * np.pi**2), 5 / np.pi, 10 * (1 - 1 / (8 * np.pi))
    minimizers = [[x, b * x**2 - c * x + 6] for x in (-np.pi, np.pi, 3 * np.pi)]

    def r(x: Any, y: Any) -> Any:
        return y - b * x**2 + c * x - 6

    return Parts(
        _planar(
            lambda x, y: r(x, y) ** 2 + k * np.cos(x) + 10,
            lambda x, y: (2 * r(x, y) * (c - 2 * b * x) - k * np.sin(x), 2 * r(x, y)),
            lambda x, y: {
                (0, 0): 2 * (c - 2 * b * x) ** 2 - 4 * b * r(x, y) - k * np.cos(x),
                (0, 1): 2 * (c - 2 * b * x),
                (1, 1): 2.0,
            },
        ),
        x0=[6.0, 14.0],
        fmin=10 / (8 * np.pi),
        minimizers=minimizers,
    )


@register(
    2,
    source="elementary: the negative curvature at x0 is orthogonal to the gradient there",
    description="x1^2 - x2^2 + x2^4 / 4, started on the stable manifold of the saddle point 0",
)
def saddle_quartic() -> Parts:
    root = np.sqrt(2.0)
    return Parts(
        _planar(
            lambda x, y: x**2 - y**2 + y**4 / 4,
            lambda x, y: (2 * x, y**3 - 2 * y),
            lambda x, y: {(0, 0): 2.0, (1, 1): 3 * y**2 - 2},
        ),
        x0=[1.0, 0.0],
        fmin=-1.0,
        minimizers=[[0.0, root], [0.0, -root]],
        other_minima=[0.0],
    )


@register(
    2,
    source="elementary: the monkey saddle made bounded below",
    description="x1^3 - 3 x1 x2^2 + (x1^2 + x2^2)^2, with zero Hessian at the saddle point 0",
)
def monkey_saddle() -> Parts:
    # In polar coordinates r^3 cos(3 t) + r^4, least at r = 3/4 where cos(3 t) = -1.
    angles = np.pi * np.array([1 / 3, 1.0, 5 / 3])
    return Parts(
        _planar(
            lambda x, y: x**3 - 3 * x * y**2 + (x * x + y * y) ** 2,
            lambda x, y: (
                3 * (x**2 - y**2) + 4 * x * (x * x + y * y),
                -6 * x * y + 4 * y * (x * x + y * y),
            ),
            lambda x, y: {
                (0, 0): 6 * x + 12 * x**2 + 4 * y**2,
                (0, 1): -6 * y + 8 * x * y,
                (1, 1): -6 * x + 4 * x**2 + 12 * y**2,
            },
        ),
        x0=[0.1, 0.1],
        fmin=-27 / 256,
        minimizers=[0.75 * np.array([np.cos(t), np.sin(t)]) for t in angles],
        other_minima=[0.0],
    )
