"""The problems of fixed size of More, Garbow and Hillstrom.

J. J. More, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization software", ACM
Trans. Math. Softw. 7 (1981), pp. 17-41, here MGH; the objective is the sum of the squares of the
residuals r_i.  Minimum values beyond the digits printed there were computed from these formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._registry import Parts, register
from ._structure import SQUARE, Group, at, group_separable

_PAIR = (at(0), at(1))


def _variables(n: int) -> tuple[slice, ...]:
    return tuple(at(i) for i in range(n))


@register(
    2,
    source="MGH 2",
    description="r1 = -13 + x1 + ((5 - x2) x2 - 2) x2, r2 = -29 + x1 + ((x2 + 1) x2 - 14) x2",
)
def freudenstein_roth() -> Parts:
    # Eliminating x1 leaves (r2 - r1)^2 / 2, whose stationary points besides the zero are those
    # of the cubic r2 - r1.
    y = (2 - np.sqrt(22.0)) / 3
    local = (2 * y**3 - 4 * y**2 - 12 * y - 16) ** 2 / 2
    return Parts(
        group_separable(
            2,
            Group(
                _PAIR,
                lambda x, y: -13 + x + ((5 - y) * y - 2) * y,
                lambda x, y: (1.0, (10 - 3 * y) * y - 2),
                lambda x, y: {(1, 1): 10 - 6 * y},
                SQUARE,
            ),
            Group(
                _PAIR,
                lambda x, y: -29 + x + ((y + 1) * y - 14) * y,
                lambda x, y: (1.0, (3 * y + 2) * y - 14),
                lambda x, y: {(1, 1): 6 * y + 2},
                SQUARE,
            ),
        ),
        x0=[0.5, -2.0],
        fmin=0.0,
        minimizers=[[5.0, 4.0]],
        other_minima=[local],
    )


@register(
    2,
    source="MGH 3",
    description="r1 = 10^4 x1 x2 - 1, r2 = exp(-x1) + exp(-x2) - 1.0001",
)
def powell_badly_scaled() -> Parts:
    return Parts(
        group_separable(
            2,
            Group(
                _PAIR,
                lambda x, y: 1e4 * x * y - 1,
                lambda x, y: (1e4 * y, 1e4 * x),
                lambda x, y: {(0, 1): 1e4},
                SQUARE,
            ),
            Group(
                _PAIR,
                lambda x, y: np.exp(-x) + np.exp(-y) - 1.0001,
                lambda x, y: (-np.exp(-x), -np.exp(-y)),
                lambda x, y: {(0, 0): np.exp(-x), (1, 1): np.exp(-y)},
                SQUARE,
            ),
        ),
        x0=[0.0, 1.0],
        fmin=0.0,
        minimizers=[[1.0981593296998174e-05, 9.106146739866524]],
    )


@register(
    2,
    source="MGH 4",
    description="r1 = x1 - 10^6, r2 = x2 - 2e-6, r3 = x1 x2 - 2",
)
def brown_badly_scaled() -> Parts:
    return Parts(
        group_separable(
            2,
            Group((at(0),), lambda x: x - 1e6, lambda x: (1.0,), None, SQUARE),
            Group((at(1),), lambda y: y - 2e-6, lambda y: (1.0,), None, SQUARE),
            Group(
                _PAIR,
                lambda x, y: x * y - 2,
                lambda x, y: (y, x),
                lambda x, y: {(0, 1): 1.0},
                SQUARE,
            ),
        ),
        x0=[1.0, 1.0],
        fmin=0.0,
        minimizers=[[1e6, 2e-6]],
    )


@register(
    2,
    source="MGH 5",
    description="r_i = y_i - x1 (1 - x2^i), i = 1, 2, 3, y = (1.5, 2.25, 2.625)",
)
def beale() -> Parts:
    y, i = np.array([1.5, 2.25, 2.625]), np.arange(1, 4)
    return Parts(
        group_separable(
            2,
            Group(
                _PAIR,
                lambda a, b: y - a * (1 - b**i),
                lambda a, b: (b**i - 1, a * i * b ** (i - 1)),
                lambda a, b: {
                    (0, 1): i * b ** (i - 1),
                    (1, 1): a * np.concatenate([0 * b, 2 + 0 * b, 6 * b]),
                },
                SQUARE,
                terms=3,
            ),
        ),
        x0=[1.0, 1.0],
        fmin=0.0,
        minimizers=[[3.0, 0.5]],
        # For x1 going to infinity while x1 (1 - x2) stays k the residuals tend to y_i - i k.
        other_minima=[y @ y - (i @ y) ** 2 / (i @ i)],
    )


@register(
    2,
    source="MGH 6 with m = 10",
    description="r_i = 2 + 2 i - (exp(i x1) + exp(i x2)), i = 1..10",
)
def jennrich_sampson() -> Parts:
    i = np.arange(1.0, 11.0)
    return Parts(
        group_separable(
            2,
            Group(
                _PAIR,
                lambda x, y: 2 + 2 * i - (np.exp(i * x) + np.exp(i * y)),
                lambda x, y: (-i * np.exp(i * x), -i * np.exp(i * y)),
                lambda x, y: {(0, 0): -i * i * np.exp(i * x), (1, 1): -i * i * np.exp(i * y)},
                SQUARE,
                terms=10,
            ),
        ),
        x0=[0.3, 0.4],
        fmin=124.3621823556148,
        # As one of the variables goes to -inf.
        other_minima=[259.5801901342538],
    )


@register(
    3,
    source="MGH 7",
    description="r1 = 10 (x3 - 10 theta(x1, x2)), r2 = 10 ((x1^2 + x2^2)^(1/2) - 1), r3 = x3; "
    "theta is the angle over 2 pi, from -1/4 to 3/4",
)
def helical_valley() -> Parts:
    def theta(x: Any, y: Any) -> Any:
        # The half-line along which the angle jumps is that of MGH, the negative x2 axis.
        turn = np.arctan2(y, x) / (2 * np.pi)
        return np.where(turn < -0.25, turn + 1, turn)

    def spiral_grad(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
        k = 100 / (2 * np.pi * (x * x + y * y))
        return k * y, -k * x, 10.0

    def spiral_hess(x: Any, y: Any, z: Any) -> Mapping[tuple[int, int], Any]:
        k = 100 / (2 * np.pi * (x * x + y * y) ** 2)
        return {
            (0, 0): -2 * k * x * y,
            (0, 1): k * (x * x - y * y),
            (1, 1): 2 * k * x * y,
        }

    def ring_hess(x: Any, y: Any) -> Mapping[tuple[int, int], Any]:
        k = 10 / np.hypot(x, y) ** 3
        return {(0, 0): k * y * y, (0, 1): -k * x * y, (1, 1): k * x * x}

    return Parts(
        group_separable(
            3,
            Group(
                _variables(3),
                lambda x, y, z: 10 * (z - 10 * theta(x, y)),
                spiral_grad,
                spiral_hess,
                SQUARE,
            ),
            Group(
                _PAIR,
                lambda x, y: 10 * (np.hypot(x, y) - 1),
                lambda x, y: (10 * x / np.hypot(x, y), 10 * y / np.hypot(x, y)),
                ring_hess,
                SQUARE,
            ),
            Group((at(2),), lambda z: z, lambda z: (1.0,), None, SQUARE),
        ),
        x0=[-1.0, 0.0, 0.0],
        fmin=0.0,
        minimizers=[[1.0, 0.0, 0.0]],
    )


@register(
    3,
    source="MGH 8",
    description="r_i = y_i - (x1 + u_i / (v_i x2 + w_i x3)), u_i = i, v_i = 16 - i, "
    "w_i = min(u_i, v_i), i = 1..15",
)
def bard() -> Parts:
    y = np.array(
        [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    )
    u = np.arange(1.0, 16.0)
    v = 16 - u
    w = np.minimum(u, v)

    def grad(a: Any, b: Any, c: Any) -> tuple[Any, ...]:
        k = u / (v * b + w * c) ** 2
        return -1.0, k * v, k * w

    def hess(a: Any, b: Any, c: Any) -> Mapping[tuple[int, int], Any]:
        k = -2 * u / (v * b + w * c) ** 3
        return {(1, 1): k * v * v, (1, 2): k * v * w, (2, 2): k * w * w}

    return Parts(
        group_separable(
            3,
            Group(
                _variables(3),
                lambda a, b, c: y - (a + u / (v * b + w * c)),
                grad,
                hess,
                SQUARE,
                terms=15,
            ),
        ),
        x0=[1.0, 1.0, 1.0],
        fmin=8.21487730657898e-03,
        # As x2 and x3 go to -inf only the mean of y is fitted.
        other_minima=[np.sum((y - np.mean(y)) ** 2)],
    )


@register(
    3,
    source="MGH 9",
    description="r_i = x1 exp(-x2 (t_i - x3)^2 / 2) - y_i, t_i = (8 - i) / 2, i = 1..15",
)
def gaussian() -> Parts:
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    y = np.array([*half, 0.3989, *half[::-1]])
    t = (8 - np.arange(1.0, 16.0)) / 2

    def value(a: Any, b: Any, c: Any) -> Any:
        return a * np.exp(-b * (t - c) ** 2 / 2) - y

    def grad(a: Any, b: Any, c: Any) -> tuple[Any, ...]:
        s = t - c
        e = np.exp(-b * s**2 / 2)
        return e, -a * s**2 * e / 2, a * b * s * e

    def hess(a: Any, b: Any, c: Any) -> Mapping[tuple[int, int], Any]:
        s = t - c
        e = np.exp(-b * s**2 / 2)
        return {
            (0, 1): -(s**2) * e / 2,
            (0, 2): b * s * e,
            (1, 1): a * s**4 * e / 4,
            (1, 2): a * s * e * (1 - b * s**2 / 2),
            (2, 2): a * b * e * (b * s**2 - 1),
        }

    return Parts(
        group_separable(3, Group(_variables(3), value, grad, hess, SQUARE, terms=15)),
        x0=[0.4, 1.0, 0.0],
        fmin=1.127932769619e-08,
    )


@register(
    3,
    source="MGH 10",
    description="r_i = x1 exp(x2 / (t_i + x3)) - y_i, t_i = 45 + 5 i, i = 1..16",
)
def meyer() -> Parts:
    y = np.array(
        [
            34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744,
            8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872,
        ]
    )  # fmt: skip
    t = 45 + 5 * np.arange(1.0, 17.0)

    def value(a: Any, b: Any, c: Any) -> Any:
        return a * np.exp(b / (t + c)) - y

    def grad(a: Any, b: Any, c: Any) -> tuple[Any, ...]:
        q = 1 / (t + c)
        e = np.exp(b * q)
        return e, a * q * e, -a * b * q**2 * e

    def hess(a: Any, b: Any, c: Any) -> Mapping[tuple[int, int], Any]:
        q = 1 / (t + c)
        e = np.exp(b * q)
        return {
            (0, 1): q * e,
            (0, 2): -b * q**2 * e,
            (1, 1): a * q**2 * e,
            (1, 2): -a * q**2 * (1 + b * q) * e,
            (2, 2): a * b * q**3 * (2 + b * q) * e,
        }

    return Parts(
        group_separable(3, Group(_variables(3), value, grad, hess, SQUARE, terms=16)),
        x0=[0.02, 4000.0, 250.0],
        fmin=87.94585517085112,
    )


@register(
    3,
    source="MGH 11 with m = 99, the misprint there mended",
    description="r_i = exp(-|y_i - x2|^x3 / x1) - t_i, t_i = i / 100, "
    "y_i = 25 + (-50 log t_i)^(2/3), i = 1..99",
)
def gulf() -> Parts:
    t = np.arange(1.0, 100.0) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)

    def power(b: Any, c: Any) -> tuple[Any, Any, Any]:
        s = np.abs(y - b)
        return s**c, y - b, np.log(s)

    def value(a: Any, b: Any, c: Any) -> Any:
        return np.exp(-power(b, c)[0] / a) - t

    def grad(a: Any, b: Any, c: Any) -> tuple[Any, ...]:
        w, s, log = power(b, c)
        k = -np.exp(-w / a) / a
        return -k * w / a, -k * c * w / s, k * w * log

    def hess(a: Any, b: Any, c: Any) -> Mapping[tuple[int, int], Any]:
        w, s, log = power(b, c)
        e = np.exp(-w / a) / a
        # First and second derivatives of w, those of exp(-w / a) with respect to a and w.
        wb, wc = -c * w / s, w * log
        wbb, wbc, wcc = c * (c - 1) * w / s**2, -w / s * (1 + c * log), w * log**2
        mixed = e / a * (1 - w / a)
        return {
            (0, 0): e * w / a**2 * (w / a - 2),
            (0, 1): mixed * wb,
            (0, 2): mixed * wc,
            (1, 1): e * (wb**2 / a - wbb),
            (1, 2): e * (wb * wc / a - wbc),
            (2, 2): e * (wc**2 / a - wcc),
        }

    return Parts(
        group_separable(3, Group(_variables(3), value, grad, hess, SQUARE, terms=99)),
        x0=[5.0, 2.5, 0.15],
        fmin=0.0,
        minimizers=[[50.0, 25.0, 1.5]],
    )


@register(
    3,
    source="MGH 12 with m = 10",
    description="r_i = exp(-t_i x1) - exp(-t_i x2) - x3 (exp(-t_i) - exp(-10 t_i)), "
    "t_i = i / 10, i = 1..10",
)
def box_3d() -> Parts:
    t = np.arange(1.0, 11.0) / 10
    k = np.exp(-t) - np.exp(-10 * t)
    return Parts(
        group_separable(
            3,
            Group(
                _variables(3),
                lambda a, b, c: np.exp(-t * a) - np.exp(-t * b) - c * k,
                lambda a, b, c: (-t * np.exp(-t * a), t * np.exp(-t * b), -k),
                lambda a, b, c: {(0, 0): t**2 * np.exp(-t * a), (1, 1): -(t**2) * np.exp(-t * b)},
                SQUARE,
                terms=10,
            ),
        ),
        x0=[0.0, 10.0, 20.0],
        fmin=0.0,
        minimizers=[[1.0, 10.0, 1.0], [10.0, 1.0, -1.0], [1.0, 1.0, 0.0]],
    )


@register(
    4,
    source="MGH 15",
    description="r_i = y_i - x1 (u_i^2 + u_i x2) / (u_i^2 + u_i x3 + x4), i = 1..11",
)
def kowalik_osborne() -> Parts:
    y = np.array(
        [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    )
    u = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.1670, 0.1250, 0.1, 0.0833, 0.0714, 0.0625])

    def grad(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, ...]:
        top, q = u**2 + u * b, 1 / (u**2 + u * c + d)
        return -top * q, -a * u * q, a * top * u * q**2, a * top * q**2

    def hess(a: Any, b: Any, c: Any, d: Any) -> Mapping[tuple[int, int], Any]:
        top, q = u**2 + u * b, 1 / (u**2 + u * c + d)
        return {
            (0, 1): -u * q,
            (0, 2): top * u * q**2,
            (0, 3): top * q**2,
            (1, 2): a * u**2 * q**2,
            (1, 3): a * u * q**2,
            (2, 2): -2 * a * top * u**2 * q**3,
            (2, 3): -2 * a * top * u * q**3,
            (3, 3): -2 * a * top * q**3,
        }

    return Parts(
        group_separable(
            4,
            Group(
                _variables(4),
                lambda a, b, c, d: y - a * (u**2 + u * b) / (u**2 + u * c + d),
                grad,
                hess,
                SQUARE,
                terms=11,
            ),
        ),
        x0=[0.25, 0.39, 0.415, 0.39],
        fmin=3.0750560384923775e-04,
        # At infinity, see MGH.
        other_minima=[1.0273430486954598e-03],
    )


@register(
    4,
    source="MGH 16 with m = 20",
    description="r_i = (x1 + t_i x2 - exp t_i)^2 + (x3 + x4 sin t_i - cos t_i)^2, t_i = i / 5, "
    "i = 1..20",
    convex=True,
)
def brown_dennis() -> Parts:
    t = np.arange(1.0, 21.0) / 5
    s, exp, cos = np.sin(t), np.exp(t), np.cos(t)

    def grad(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, ...]:
        p, q = 2 * (a + t * b - exp), 2 * (c + d * s - cos)
        return p, t * p, q, s * q

    second = {
        (0, 0): 2.0, (0, 1): 2 * t, (1, 1): 2 * t * t,
        (2, 2): 2.0, (2, 3): 2 * s, (3, 3): 2 * s * s,
    }  # fmt: skip
    return Parts(
        group_separable(
            4,
            Group(
                _variables(4),
                lambda a, b, c, d: (a + t * b - exp) ** 2 + (c + d * s - cos) ** 2,
                grad,
                lambda a, b, c, d: second,
                SQUARE,
                terms=20,
            ),
        ),
        x0=[25.0, 5.0, -5.0, -1.0],
        fmin=85822.20162635628,
    )


@register(
    5,
    source="MGH 17",
    description="r_i = y_i - (x1 + x2 exp(-t_i x4) + x3 exp(-t_i x5)), t_i = 10 (i - 1), i = 1..33",
)
def osborne_1() -> Parts:
    y = np.array(
        [
            0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751,
            0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490,
            0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
        ]
    )  # fmt: skip
    t = 10 * np.arange(33.0)

    def value(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return y - (a + b * np.exp(-t * d) + c * np.exp(-t * e))

    def grad(a: Any, b: Any, c: Any, d: Any, e: Any) -> tuple[Any, ...]:
        p, q = np.exp(-t * d), np.exp(-t * e)
        return -1.0, -p, -q, t * b * p, t * c * q

    def hess(a: Any, b: Any, c: Any, d: Any, e: Any) -> Mapping[tuple[int, int], Any]:
        p, q = t * np.exp(-t * d), t * np.exp(-t * e)
        return {(1, 3): p, (2, 4): q, (3, 3): -t * b * p, (4, 4): -t * c * q}

    return Parts(
        group_separable(5, Group(_variables(5), value, grad, hess, SQUARE, terms=33)),
        x0=[0.5, 1.5, -1.0, 0.01, 0.02],
        fmin=5.464894697482687e-05,
    )


@register(
    6,
    source="MGH 18 with m = 13",
    description="r_i = x3 exp(-t_i x1) - x4 exp(-t_i x2) + x6 exp(-t_i x5) - y_i, t_i = i / 10, "
    "y_i = exp(-t_i) - 5 exp(-10 t_i) + 3 exp(-4 t_i), i = 1..13",
)
def biggs_exp6() -> Parts:
    t = np.arange(1.0, 14.0) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)

    def value(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
        return c * np.exp(-t * a) - d * np.exp(-t * b) + f * np.exp(-t * e) - y

    def grad(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> tuple[Any, ...]:
        p, q, s = np.exp(-t * a), np.exp(-t * b), np.exp(-t * e)
        return -t * c * p, t * d * q, p, -q, -t * f * s, s

    def hess(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Mapping[tuple[int, int], Any]:
        p, q, s = t * np.exp(-t * a), t * np.exp(-t * b), t * np.exp(-t * e)
        return {
            (0, 0): t * c * p, (0, 2): -p,
            (1, 1): -t * d * q, (1, 3): q,
            (4, 4): t * f * s, (4, 5): -s,
        }  # fmt: skip

    return Parts(
        group_separable(6, Group(_variables(6), value, grad, hess, SQUARE, terms=13)),
        x0=[1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        fmin=0.0,
        minimizers=[[1.0, 10.0, 1.0, 5.0, 4.0, 3.0], [4.0, 10.0, 3.0, 5.0, 1.0, 1.0]],
        # A saddle point, and a value at infinity.
        other_minima=[5.65564992549995e-03, 0.3063667726247898],
    )


@register(
    11,
    source="MGH 19",
    description="r_i = y_i - (x1 exp(-t_i x5) + x2 exp(-(t_i - x9)^2 x6) "
    "+ x3 exp(-(t_i - x10)^2 x7) + x4 exp(-(t_i - x11)^2 x8)), t_i = (i - 1) / 10, i = 1..65",
)
def osborne_2() -> Parts:
    y = np.array(
        [
            1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746,
            0.679, 0.608, 0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649,
            0.694, 0.644, 0.624, 0.661, 0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395,
            0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562, 0.607, 0.653,
            0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739,
            0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
        ]
    )  # fmt: skip
    t = np.arange(65.0) / 10
    # Indices of height, width and centre of the three bumps.
    bumps = [(1, 5, 8), (2, 6, 9), (3, 7, 10)]

    def value(*x: Any) -> Any:
        model = x[0] * np.exp(-t * x[4])
        for i, j, k in bumps:
            model = model + x[i] * np.exp(-x[j] * (t - x[k]) ** 2)
        return y - model

    def grad(*x: Any) -> tuple[Any, ...]:
        e = np.exp(-t * x[4])
        out: list[Any] = [0.0] * 11
        out[0], out[4] = -e, t * x[0] * e
        for i, j, k in bumps:
            s = t - x[k]
            e = np.exp(-x[j] * s**2)
            out[i], out[j], out[k] = -e, x[i] * s**2 * e, -2 * x[i] * x[j] * s * e
        return tuple(out)

    def hess(*x: Any) -> Mapping[tuple[int, int], Any]:
        e = np.exp(-t * x[4])
        out = {(0, 4): t * e, (4, 4): -(t**2) * x[0] * e}
        for i, j, k in bumps:
            a, b, s = x[i], x[j], t - x[k]
            e = np.exp(-b * s**2)
            out[i, j] = s**2 * e
            out[i, k] = -2 * b * s * e
            out[j, j] = -a * s**4 * e
            out[j, k] = 2 * a * s * (b * s**2 - 1) * e
            out[k, k] = 2 * a * b * (1 - 2 * b * s**2) * e
        return out

    return Parts(
        group_separable(11, Group(_variables(11), value, grad, hess, SQUARE, terms=65)),
        x0=[1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5],
        fmin=4.0137736293547776e-02,
    )
