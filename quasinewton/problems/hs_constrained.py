"""The problems 6 to 66 of Hock and Schittkowski with constraints other than bounds.

For the book see `hs`, for the problems from 71 on `hs_applied`.  The rows stand in the order of
the book: inequalities, then equalities.  A starting point that is not within the bounds there is
the nearest one within them here; it need not meet the other constraints.  Minimisers that have no
closed form were computed by Newton's method on the active constraints.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._formulas import constrained
from ._registry import Parts, register

_INF = np.inf
_ROSENBROCK = "100 (x2 - x1^2)^2 + (1 - x1)^2"


def _valley(x1: Any, x2: Any) -> Any:
    return 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2


@register(
    2,
    source="HS 6",
    description="(1 - x1)^2, 10 (x2 - x1^2) = 0",
    constrained=True,
)
def hs6() -> Parts:
    return constrained(
        lambda x1, x2: (1 - x1) ** 2,
        zero=lambda x1, x2: (10 * (x2 - x1**2),),
        x0=[-1.2, 1.0],
        minimizers=[[1.0, 1.0]],
    )


@register(
    2,
    source="HS 7",
    description="log(1 + x1^2) - x2, (1 + x1^2)^2 + x2^2 = 4",
    constrained=True,
)
def hs7() -> Parts:
    return constrained(
        lambda x1, x2: np.log(1 + x1**2) - x2,
        zero=lambda x1, x2: ((1 + x1**2) ** 2 + x2**2 - 4,),
        x0=[2.0, 2.0],
        minimizers=[[0.0, np.sqrt(3)]],
        other_minima=[np.sqrt(3)],
    )


@register(
    2,
    source="HS 8",
    description="-1, x1^2 + x2^2 = 25, x1 x2 = 9: two equations in two variables",
    constrained=True,
)
def hs8() -> Parts:
    a, b = (np.sqrt((25 + s * np.sqrt(301)) / 2) for s in (1, -1))
    return constrained(
        lambda x1, x2: 0 * x1 - 1,
        zero=lambda x1, x2: (x1**2 + x2**2 - 25, x1 * x2 - 9),
        x0=[2.0, 1.0],
        minimizers=[[a, b], [b, a], [-a, -b], [-b, -a]],
    )


@register(
    2,
    source="HS 9",
    description="sin(pi x1 / 12) cos(pi x2 / 16), 4 x1 - 3 x2 = 0, with many minima",
    constrained=True,
)
def hs9() -> Parts:
    return constrained(
        lambda x1, x2: np.sin(np.pi / 12 * x1) * np.cos(np.pi / 16 * x2),
        zero=lambda x1, x2: (4 * x1 - 3 * x2,),
        x0=[0.0, 0.0],
        fmin=-0.5,
        minimizers=[[-3.0, -4.0], [9.0, 12.0]],
    )


@register(
    2,
    source="HS 10",
    description="x1 - x2, -3 x1^2 + 2 x1 x2 - x2^2 + 1 >= 0",
    convex=True,
    constrained=True,
)
def hs10() -> Parts:
    return constrained(
        lambda x1, x2: x1 - x2,
        nonnegative=lambda x1, x2: (-3 * x1**2 + 2 * x1 * x2 - x2**2 + 1,),
        x0=[-10.0, 10.0],
        minimizers=[[0.0, 1.0]],
    )


@register(
    2,
    source="HS 11",
    description="(x1 - 5)^2 + x2^2 - 25, x2 - x1^2 >= 0",
    convex=True,
    constrained=True,
)
def hs11() -> Parts:
    return constrained(
        lambda x1, x2: (x1 - 5) ** 2 + x2**2 - 25,
        nonnegative=lambda x1, x2: (x2 - x1**2,),
        x0=[4.9, 0.1],
        minimizers=[[1.234772825053297, 1.5246639294900999]],
    )


@register(
    2,
    source="HS 12",
    description="x1^2 / 2 + x2^2 - x1 x2 - 7 x1 - 7 x2, 25 - 4 x1^2 - x2^2 >= 0",
    convex=True,
    constrained=True,
)
def hs12() -> Parts:
    return constrained(
        lambda x1, x2: x1**2 / 2 + x2**2 - x1 * x2 - 7 * x1 - 7 * x2,
        nonnegative=lambda x1, x2: (25 - 4 * x1**2 - x2**2,),
        x0=[0.0, 0.0],
        minimizers=[[2.0, 3.0]],
    )


@register(
    2,
    source="HS 13, the start (-2, -2) moved into the bounds",
    description="(x1 - 2)^2 + x2^2, (1 - x1)^3 - x2 >= 0, x >= 0; the minimiser is in a cusp, "
    "where no constraint qualification holds and there are no multipliers",
    constrained=True,
)
def hs13() -> Parts:
    return constrained(
        lambda x1, x2: (x1 - 2) ** 2 + x2**2,
        nonnegative=lambda x1, x2: ((1 - x1) ** 3 - x2,),
        x0=[0.0, 0.0],
        bounds=(0.0, _INF),
        minimizers=[[1.0, 0.0]],
    )


@register(
    2,
    source="HS 14",
    description="(x1 - 2)^2 + (x2 - 1)^2, 1 - x1^2 / 4 - x2^2 >= 0, x1 - 2 x2 + 1 = 0",
    convex=True,
    constrained=True,
)
def hs14() -> Parts:
    root = np.sqrt(7)
    return constrained(
        lambda x1, x2: (x1 - 2) ** 2 + (x2 - 1) ** 2,
        nonnegative=lambda x1, x2: (-(x1**2) / 4 - x2**2 + 1,),
        zero=lambda x1, x2: (x1 - 2 * x2 + 1,),
        x0=[2.0, 2.0],
        fmin=9 - 2.875 * root,
        minimizers=[[(root - 1) / 2, (root + 1) / 4]],
    )


@register(
    2,
    source="HS 15",
    description=f"{_ROSENBROCK}, x1 x2 >= 1, x1 + x2^2 >= 0, x1 <= 1/2",
    constrained=True,
)
def hs15() -> Parts:
    return constrained(
        _valley,
        nonnegative=lambda x1, x2: (x1 * x2 - 1, x1 + x2**2),
        x0=[-2.0, 1.0],
        bounds=(-_INF, [0.5, _INF]),
        minimizers=[[0.5, 2.0]],
        other_minima=[360.3797671743],
    )


@register(
    2,
    source="HS 16, the start (-2, 1) moved into the bounds",
    description=f"{_ROSENBROCK}, x1 + x2^2 >= 0, x1^2 + x2 >= 0, |x1| <= 1/2, x2 <= 1",
    constrained=True,
)
def hs16() -> Parts:
    return constrained(
        _valley,
        nonnegative=lambda x1, x2: (x1 + x2**2, x1**2 + x2),
        x0=[-0.5, 1.0],
        bounds=([-0.5, -_INF], [0.5, 1.0]),
        minimizers=[[0.5, 0.25]],
        other_minima=[2.25 + 25 * (np.sqrt(2) - 0.5) ** 2],
    )


@register(
    2,
    source="HS 17, the start (-2, 1) moved into the bounds",
    description=f"{_ROSENBROCK}, x2^2 - x1 >= 0, x1^2 - x2 >= 0, |x1| <= 1/2, x2 <= 1",
    constrained=True,
)
def hs17() -> Parts:
    return constrained(
        _valley,
        nonnegative=lambda x1, x2: (x2**2 - x1, x1**2 - x2),
        x0=[-0.5, 1.0],
        bounds=([-0.5, -_INF], [0.5, 1.0]),
        minimizers=[[0.0, 0.0]],
    )


@register(
    2,
    source="HS 18",
    description="x1^2 / 100 + x2^2, x1 x2 >= 25, x1^2 + x2^2 >= 25, 2 <= x1 <= 50, 0 <= x2 <= 50",
    constrained=True,
)
def hs18() -> Parts:
    return constrained(
        lambda x1, x2: x1**2 / 100 + x2**2,
        nonnegative=lambda x1, x2: (x1 * x2 - 25, x1**2 + x2**2 - 25),
        x0=[2.0, 2.0],
        bounds=([2.0, 0.0], 50.0),
        fmin=5.0,
        minimizers=[[np.sqrt(250), np.sqrt(2.5)]],
    )


@register(
    2,
    source="HS 19",
    description="(x1 - 10)^3 + (x2 - 20)^3, (x1 - 5)^2 + (x2 - 5)^2 >= 100, "
    "(x1 - 6)^2 + (x2 - 5)^2 <= 82.81, 13 <= x1 <= 100, 0 <= x2 <= 100",
    constrained=True,
)
def hs19() -> Parts:
    # Both circles meet where x1 is 14.095.
    return constrained(
        lambda x1, x2: (x1 - 10) ** 3 + (x2 - 20) ** 3,
        nonnegative=lambda x1, x2: (
            (x1 - 5) ** 2 + (x2 - 5) ** 2 - 100,
            -((x1 - 6) ** 2) - (x2 - 5) ** 2 + 82.81,
        ),
        x0=[20.1, 5.84],
        bounds=([13.0, 0.0], 100.0),
        minimizers=[[14.095, 5 - np.sqrt(100 - 9.095**2)]],
    )


@register(
    2,
    source="HS 20, the start (-2, 1) moved into the bounds",
    description=f"{_ROSENBROCK}, x1 + x2^2 >= 0, x1^2 + x2 >= 0, x1^2 + x2^2 >= 1, |x1| <= 1/2",
    constrained=True,
)
def hs20() -> Parts:
    return constrained(
        _valley,
        nonnegative=lambda x1, x2: (x1 + x2**2, x1**2 + x2, x1**2 + x2**2 - 1),
        x0=[-0.5, 1.0],
        bounds=([-0.5, -_INF], [0.5, _INF]),
        fmin=81.5 - 25 * np.sqrt(3),
        minimizers=[[0.5, np.sqrt(3) / 2]],
        other_minima=[83.5 - 25 * np.sqrt(3)],
    )


@register(
    2,
    source="HS 21, the start (-1, -1) moved into the bounds",
    description="x1^2 / 100 + x2^2 - 100, 10 x1 - x2 >= 10, 2 <= x1 <= 50, |x2| <= 50",
    convex=True,
    constrained=True,
)
def hs21() -> Parts:
    return constrained(
        lambda x1, x2: x1**2 / 100 + x2**2 - 100,
        nonnegative=lambda x1, x2: (10 * x1 - x2 - 10,),
        x0=[2.0, -1.0],
        bounds=([2.0, -50.0], 50.0),
        minimizers=[[2.0, 0.0]],
    )


@register(
    2,
    source="HS 22",
    description="(x1 - 2)^2 + (x2 - 1)^2, x1 + x2 <= 2, x2 >= x1^2",
    convex=True,
    constrained=True,
)
def hs22() -> Parts:
    return constrained(
        lambda x1, x2: (x1 - 2) ** 2 + (x2 - 1) ** 2,
        nonnegative=lambda x1, x2: (2 - x1 - x2, x2 - x1**2),
        x0=[2.0, 2.0],
        minimizers=[[1.0, 1.0]],
    )


@register(
    2,
    source="HS 23",
    description="x1^2 + x2^2, x1 + x2 >= 1, x1^2 + x2^2 >= 1, 9 x1^2 + x2^2 >= 9, x1^2 >= x2, "
    "x2^2 >= x1, |x_i| <= 50",
    constrained=True,
)
def hs23() -> Parts:
    return constrained(
        lambda x1, x2: x1**2 + x2**2,
        nonnegative=lambda x1, x2: (
            x1 + x2 - 1,
            x1**2 + x2**2 - 1,
            9 * x1**2 + x2**2 - 9,
            x1**2 - x2,
            x2**2 - x1,
        ),
        x0=[3.0, 1.0],
        bounds=(-50.0, 50.0),
        minimizers=[[1.0, 1.0]],
        other_minima=[5 + 2 * np.sqrt(5)],
    )


@register(
    2,
    source="HS 24",
    description="((x1 - 3)^2 - 9) x2^3 / (27 sqrt 3), x1 / sqrt 3 >= x2, x1 + sqrt 3 x2 >= 0, "
    "x1 + sqrt 3 x2 <= 6, x >= 0",
    constrained=True,
)
def hs24() -> Parts:
    s = np.sqrt(3)
    return constrained(
        lambda x1, x2: ((x1 - 3) ** 2 - 9) * x2**3 / (27 * s),
        nonnegative=lambda x1, x2: (x1 / s - x2, x1 + s * x2, 6 - x1 - s * x2),
        x0=[1.0, 0.5],
        bounds=(0.0, _INF),
        fmin=-1.0,
        minimizers=[[3.0, s]],
        other_minima=[0.0],
    )


@register(
    3,
    source="HS 26",
    description="(x1 - x2)^2 + (x2 - x3)^4, (1 + x2^2) x1 + x3^4 = 3, with a singular Hessian of "
    "the Lagrangian at the minimisers",
    constrained=True,
)
def hs26() -> Parts:
    # With equal coordinates the constraint is t^4 + t^3 + t - 3 = (t - 1) (t^3 + 2 t^2 + 2 t + 3).
    other = next(t.real for t in np.roots([1.0, 2.0, 2.0, 3.0]) if t.imag == 0)
    return constrained(
        lambda x1, x2, x3: (x1 - x2) ** 2 + (x2 - x3) ** 4,
        zero=lambda x1, x2, x3: ((1 + x2**2) * x1 + x3**4 - 3,),
        x0=[-2.6, 2.0, 2.0],
        minimizers=[np.ones(3), np.full(3, other)],
    )


@register(
    3,
    source="HS 27",
    description="(x1 - 1)^2 / 100 + (x2 - x1^2)^2, x1 + x3^2 = -1",
    constrained=True,
)
def hs27() -> Parts:
    return constrained(
        lambda x1, x2, x3: (x1 - 1) ** 2 / 100 + (x2 - x1**2) ** 2,
        zero=lambda x1, x2, x3: (x1 + x3**2 + 1,),
        x0=[2.0, 2.0, 2.0],
        minimizers=[[-1.0, 1.0, 0.0]],
    )


@register(
    3,
    source="HS 28",
    description="(x1 + x2)^2 + (x2 + x3)^2, x1 + 2 x2 + 3 x3 = 1",
    convex=True,
    constrained=True,
)
def hs28() -> Parts:
    return constrained(
        lambda x1, x2, x3: (x1 + x2) ** 2 + (x2 + x3) ** 2,
        zero=lambda x1, x2, x3: (x1 + 2 * x2 + 3 * x3 - 1,),
        x0=[-4.0, 1.0, 1.0],
        minimizers=[[0.5, -0.5, 0.5]],
    )


@register(
    3,
    source="HS 29",
    description="-x1 x2 x3, x1^2 + 2 x2^2 + 4 x3^2 <= 48",
    constrained=True,
)
def hs29() -> Parts:
    a, b, c = 4.0, 2 * np.sqrt(2), 2.0
    return constrained(
        lambda x1, x2, x3: -x1 * x2 * x3,
        nonnegative=lambda x1, x2, x3: (48 - x1**2 - 2 * x2**2 - 4 * x3**2,),
        x0=[1.0, 1.0, 1.0],
        fmin=-16 * np.sqrt(2),
        minimizers=[[a, b, c], [a, -b, -c], [-a, b, -c], [-a, -b, c]],
        other_minima=[0.0],
    )


@register(
    3,
    source="HS 30",
    description="x1^2 + x2^2 + x3^2, x1^2 + x2^2 >= 1, 1 <= x1 <= 10, |x2|, |x3| <= 10",
    constrained=True,
)
def hs30() -> Parts:
    return constrained(
        lambda x1, x2, x3: x1**2 + x2**2 + x3**2,
        nonnegative=lambda x1, x2, x3: (x1**2 + x2**2 - 1,),
        x0=[1.0, 1.0, 1.0],
        bounds=([1.0, -10.0, -10.0], 10.0),
        minimizers=[[1.0, 0.0, 0.0]],
    )


@register(
    3,
    source="HS 31",
    description="9 x1^2 + x2^2 + 9 x3^2, x1 x2 >= 1, |x1| <= 10, 1 <= x2 <= 10, -10 <= x3 <= 1",
    constrained=True,
)
def hs31() -> Parts:
    s = np.sqrt(3)
    return constrained(
        lambda x1, x2, x3: 9 * x1**2 + x2**2 + 9 * x3**2,
        nonnegative=lambda x1, x2, x3: (x1 * x2 - 1,),
        x0=[1.0, 1.0, 1.0],
        bounds=([-10.0, 1.0, -10.0], [10.0, 10.0, 1.0]),
        fmin=6.0,
        minimizers=[[1 / s, s, 0.0]],
    )


@register(
    3,
    source="HS 32",
    description="(x1 + 3 x2 + x3)^2 + 4 (x1 - x2)^2, 6 x2 + 4 x3 - x1^3 >= 3, x1 + x2 + x3 = 1, "
    "x >= 0",
    convex=True,
    constrained=True,
)
def hs32() -> Parts:
    return constrained(
        lambda x1, x2, x3: (x1 + 3 * x2 + x3) ** 2 + 4 * (x1 - x2) ** 2,
        nonnegative=lambda x1, x2, x3: (6 * x2 + 4 * x3 - x1**3 - 3,),
        zero=lambda x1, x2, x3: (1 - x1 - x2 - x3,),
        x0=[0.1, 0.7, 0.2],
        bounds=(0.0, _INF),
        minimizers=[[0.0, 0.0, 1.0]],
    )


@register(
    3,
    source="HS 33",
    description="(x1 - 1) (x1 - 2) (x1 - 3) + x3, x3^2 >= x1^2 + x2^2, x1^2 + x2^2 + x3^2 >= 4, "
    "x >= 0, x3 <= 5",
    constrained=True,
)
def hs33() -> Parts:
    s = np.sqrt(2)
    return constrained(
        lambda x1, x2, x3: (x1 - 1) * (x1 - 2) * (x1 - 3) + x3,
        nonnegative=lambda x1, x2, x3: (
            x3**2 - x2**2 - x1**2,
            x1**2 + x2**2 + x3**2 - 4,
        ),
        x0=[0.0, 0.0, 3.0],
        bounds=(0.0, [_INF, _INF, 5.0]),
        fmin=s - 6,
        minimizers=[[0.0, s, s]],
        other_minima=[-4.0, 14 * s - 18, 2.0],
    )


@register(
    3,
    source="HS 34",
    description="-x1, x2 >= exp(x1), x3 >= exp(x2), 0 <= x_i <= 100, x3 <= 10",
    convex=True,
    constrained=True,
)
def hs34() -> Parts:
    return constrained(
        lambda x1, x2, x3: -x1,
        nonnegative=lambda x1, x2, x3: (x2 - np.exp(x1), x3 - np.exp(x2)),
        x0=[0.0, 1.05, 2.9],
        bounds=(0.0, [100.0, 100.0, 10.0]),
        minimizers=[[np.log(np.log(10)), np.log(10), 10.0]],
    )


@register(
    3,
    source="HS 35; Beale (1967)",
    description="9 - 8 x1 - 6 x2 - 4 x3 + 2 x1^2 + 2 x2^2 + x3^2 + 2 x1 x2 + 2 x1 x3, "
    "x1 + x2 + 2 x3 <= 3, x >= 0",
    convex=True,
    constrained=True,
)
def hs35() -> Parts:
    return constrained(
        lambda x1, x2, x3: (
            9 - 8 * x1 - 6 * x2 - 4 * x3 + 2 * x1**2 + 2 * x2**2 + x3**2 + 2 * x1 * (x2 + x3)
        ),
        nonnegative=lambda x1, x2, x3: (3 - x1 - x2 - 2 * x3,),
        x0=[0.5, 0.5, 0.5],
        bounds=(0.0, _INF),
        fmin=1 / 9,
        minimizers=[[4 / 3, 7 / 9, 4 / 9]],
    )


@register(
    3,
    source="HS 36",
    description="-x1 x2 x3, x1 + 2 x2 + 2 x3 <= 72, x >= 0, x1 <= 20, x2 <= 11, x3 <= 42",
    constrained=True,
)
def hs36() -> Parts:
    return constrained(
        lambda x1, x2, x3: -x1 * x2 * x3,
        nonnegative=lambda x1, x2, x3: (72 - x1 - 2 * x2 - 2 * x3,),
        x0=[10.0, 10.0, 10.0],
        bounds=(0.0, [20.0, 11.0, 42.0]),
        minimizers=[[20.0, 11.0, 15.0]],
        other_minima=[0.0],
    )


@register(
    3,
    source="HS 37",
    description="-x1 x2 x3, 0 <= x1 + 2 x2 + 2 x3 <= 72, 0 <= x_i <= 42",
    constrained=True,
)
def hs37() -> Parts:
    return constrained(
        lambda x1, x2, x3: -x1 * x2 * x3,
        nonnegative=lambda x1, x2, x3: (72 - x1 - 2 * x2 - 2 * x3, x1 + 2 * x2 + 2 * x3),
        x0=[10.0, 10.0, 10.0],
        bounds=(0.0, 42.0),
        minimizers=[[24.0, 12.0, 12.0]],
        other_minima=[0.0],
    )


@register(
    4,
    source="HS 39",
    description="-x1, x2 - x1^3 - x3^2 = 0, x1^2 - x2 - x4^2 = 0",
    constrained=True,
)
def hs39() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: -x1,
        zero=lambda x1, x2, x3, x4: (x2 - x1**3 - x3**2, x1**2 - x2 - x4**2),
        x0=[2.0, 2.0, 2.0, 2.0],
        minimizers=[[1.0, 1.0, 0.0, 0.0]],
    )


@register(
    4,
    source="HS 40",
    description="-x1 x2 x3 x4, x1^3 + x2^2 = 1, x1^2 x4 = x3, x4^2 = x2",
    constrained=True,
)
def hs40() -> Parts:
    a, b, c = 2 ** (-1 / 3), 2 ** (-1 / 4), 2 ** (-11 / 12)
    return constrained(
        lambda x1, x2, x3, x4: -x1 * x2 * x3 * x4,
        zero=lambda x1, x2, x3, x4: (x1**3 + x2**2 - 1, x1**2 * x4 - x3, x4**2 - x2),
        x0=[0.8, 0.8, 0.8, 0.8],
        fmin=-0.25,
        minimizers=[[a, b**2, s * c, s * b] for s in (1, -1)],
        other_minima=[0.0],
    )


@register(
    4,
    source="HS 41, the start (2, 2, 2, 2) moved into the bounds",
    description="2 - x1 x2 x3, x1 + 2 x2 + 2 x3 = x4, 0 <= x_i <= 1, x4 <= 2",
    constrained=True,
)
def hs41() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: 2 - x1 * x2 * x3,
        zero=lambda x1, x2, x3, x4: (x1 + 2 * x2 + 2 * x3 - x4,),
        x0=[1.0, 1.0, 1.0, 2.0],
        bounds=(0.0, [1.0, 1.0, 1.0, 2.0]),
        fmin=52 / 27,
        minimizers=[[2 / 3, 1 / 3, 1 / 3, 2.0]],
        other_minima=[2.0],
    )


@register(
    4,
    source="HS 42",
    description="(x1 - 1)^2 + (x2 - 2)^2 + (x3 - 3)^2 + (x4 - 4)^2, x1 = 2, x3^2 + x4^2 = 2",
    constrained=True,
)
def hs42() -> Parts:
    s = np.sqrt(2)
    return constrained(
        lambda x1, x2, x3, x4: (x1 - 1) ** 2 + (x2 - 2) ** 2 + (x3 - 3) ** 2 + (x4 - 4) ** 2,
        zero=lambda x1, x2, x3, x4: (x1 - 2, x3**2 + x4**2 - 2),
        x0=[1.0, 1.0, 1.0, 1.0],
        fmin=28 - 10 * s,
        minimizers=[[2.0, 2.0, 0.6 * s, 0.8 * s]],
    )


@register(
    4,
    source="HS 43; Rosen and Suzuki (1965)",
    description="x1^2 + x2^2 + 2 x3^2 + x4^2 - 5 x1 - 5 x2 - 21 x3 + 7 x4, within three quadrics",
    convex=True,
    constrained=True,
)
def hs43() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: (
            x1**2 + x2**2 + 2 * x3**2 + x4**2 - 5 * x1 - 5 * x2 - 21 * x3 + 7 * x4
        ),
        nonnegative=lambda x1, x2, x3, x4: (
            8 - x1**2 - x2**2 - x3**2 - x4**2 - x1 + x2 - x3 + x4,
            10 - x1**2 - 2 * x2**2 - x3**2 - 2 * x4**2 + x1 + x4,
            5 - 2 * x1**2 - x2**2 - x3**2 - 2 * x1 + x2 + x4,
        ),
        x0=[0.0, 0.0, 0.0, 0.0],
        minimizers=[[0.0, 1.0, 2.0, -1.0]],
    )


@register(
    4,
    source="HS 44; Konno (1973)",
    description="x1 - x2 - x3 - x1 x3 + x1 x4 + x2 x3 - x2 x4, six linear inequalities, x >= 0, "
    "indefinite, with several minima at corners",
    constrained=True,
)
def hs44() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: x1 - x2 - x3 - x1 * x3 + x1 * x4 + x2 * x3 - x2 * x4,
        nonnegative=lambda x1, x2, x3, x4: (
            8 - x1 - 2 * x2,
            12 - 4 * x1 - x2,
            12 - 3 * x1 - 4 * x2,
            8 - 2 * x3 - x4,
            8 - x3 - 2 * x4,
            5 - x3 - x4,
        ),
        x0=[0.0, 0.0, 0.0, 0.0],
        bounds=(0.0, _INF),
        minimizers=[[0.0, 3.0, 0.0, 4.0]],
        other_minima=[-13.0],
    )


@register(
    5,
    source="HS 46",
    description="(x1 - x2)^2 + (x3 - 1)^2 + (x4 - 1)^4 + (x5 - 1)^6, "
    "x1^2 x4 + sin(x4 - x5) = 1, x2 + x3^4 x4^2 = 2, with a singular Hessian at the minimiser",
    constrained=True,
)
def hs46() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6
        ),
        zero=lambda x1, x2, x3, x4, x5: (
            x1**2 * x4 + np.sin(x4 - x5) - 1,
            x2 + x3**4 * x4**2 - 2,
        ),
        x0=[np.sqrt(2) / 2, 1.75, 0.5, 2.0, 2.0],
        minimizers=[np.ones(5)],
        other_minima=[0.02108892862747, 3.950247039974, 105.7193330693, 109.0850739511],
    )


@register(
    5,
    source="HS 47",
    description="(x1 - x2)^2 + (x2 - x3)^3 + (x3 - x4)^4 + (x4 - x5)^4, x1 + x2^2 + x3^3 = 3, "
    "x2 - x3^2 + x4 = 1, x1 x5 = 1; the solution of the book, (1, ..., 1) with f = 0, is no "
    "minimiser, but methods end there",
    constrained=True,
)
def hs47() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (x1 - x2) ** 2 + (x2 - x3) ** 3 + (x3 - x4) ** 4 + (x4 - x5) ** 4
        ),
        zero=lambda x1, x2, x3, x4, x5: (
            x1 + x2**2 + x3**3 - 3,
            x2 - x3**2 + x4 - 1,
            x1 * x5 - 1,
        ),
        x0=[2.0, np.sqrt(2), -1.0, 2 - np.sqrt(2), 0.5],
        minimizers=[
            [
                0.6770043948666401, 0.7260894726520318, 1.2154912142370975, 1.751329419235542,
                1.4770952856177326,
            ],
        ],
        other_minima=[0.0, 10.06991028413, 275.7619735453],
    )  # fmt: skip


@register(
    5,
    source="HS 48",
    description="(x1 - 1)^2 + (x2 - x3)^2 + (x4 - x5)^2, x1 + x2 + x3 + x4 + x5 = 5, "
    "x3 - 2 (x4 + x5) = -3",
    convex=True,
    constrained=True,
)
def hs48() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (x1 - 1) ** 2 + (x2 - x3) ** 2 + (x4 - x5) ** 2,
        zero=lambda x1, x2, x3, x4, x5: (x1 + x2 + x3 + x4 + x5 - 5, x3 - 2 * (x4 + x5) + 3),
        x0=[3.0, 5.0, -3.0, 2.0, -2.0],
        minimizers=[np.ones(5)],
    )


@register(
    5,
    source="HS 49",
    description="(x1 - x2)^2 + (x3 - 1)^2 + (x4 - 1)^4 + (x5 - 1)^6, x1 + x2 + x3 + 4 x4 = 7, "
    "x3 + 5 x5 = 6, with a singular Hessian at the minimiser",
    convex=True,
    constrained=True,
)
def hs49() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6
        ),
        zero=lambda x1, x2, x3, x4, x5: (x1 + x2 + x3 + 4 * x4 - 7, x3 + 5 * x5 - 6),
        x0=[10.0, 7.0, 2.0, -3.0, 0.8],
        minimizers=[np.ones(5)],
    )


@register(
    5,
    source="HS 50",
    description="(x1 - x2)^2 + (x2 - x3)^2 + (x3 - x4)^4 + (x4 - x5)^2, x1 + 2 x2 + 3 x3 = 6, "
    "x2 + 2 x3 + 3 x4 = 6, x3 + 2 x4 + 3 x5 = 6",
    convex=True,
    constrained=True,
)
def hs50() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 2
        ),
        zero=lambda x1, x2, x3, x4, x5: (
            x1 + 2 * x2 + 3 * x3 - 6,
            x2 + 2 * x3 + 3 * x4 - 6,
            x3 + 2 * x4 + 3 * x5 - 6,
        ),
        x0=[35.0, -31.0, 11.0, 5.0, -5.0],
        minimizers=[np.ones(5)],
    )


def _tied(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    return (x1 - x2) ** 2 + (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2


_TIES = "x3 + x4 - 2 x5 = 0, x2 = x5"


@register(
    5,
    source="HS 51",
    description=f"(x1 - x2)^2 + (x2 + x3 - 2)^2 + (x4 - 1)^2 + (x5 - 1)^2, x1 + 3 x2 = 4, {_TIES}",
    convex=True,
    constrained=True,
)
def hs51() -> Parts:
    return constrained(
        _tied,
        zero=lambda x1, x2, x3, x4, x5: (x1 + 3 * x2 - 4, x3 + x4 - 2 * x5, x2 - x5),
        x0=[2.5, 0.5, 2.0, -1.0, 0.5],
        minimizers=[np.ones(5)],
    )


@register(
    5,
    source="HS 52",
    description="(4 x1 - x2)^2 + (x2 + x3 - 2)^2 + (x4 - 1)^2 + (x5 - 1)^2, x1 + 3 x2 = 0, "
    f"{_TIES}",
    convex=True,
    constrained=True,
)
def hs52() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (4 * x1 - x2) ** 2 + (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2
        ),
        zero=lambda x1, x2, x3, x4, x5: (x1 + 3 * x2, x3 + x4 - 2 * x5, x2 - x5),
        x0=[2.0, 2.0, 2.0, 2.0, 2.0],
        fmin=1859 / 349,
        minimizers=[np.array([-33.0, 11.0, 180.0, -158.0, 11.0]) / 349],
    )


@register(
    5,
    source="HS 53",
    description="(x1 - x2)^2 + (x2 + x3 - 2)^2 + (x4 - 1)^2 + (x5 - 1)^2, x1 + 3 x2 = 0, "
    f"{_TIES}, |x_i| <= 10",
    convex=True,
    constrained=True,
)
def hs53() -> Parts:
    return constrained(
        _tied,
        zero=lambda x1, x2, x3, x4, x5: (x1 + 3 * x2, x3 + x4 - 2 * x5, x2 - x5),
        x0=[2.0, 2.0, 2.0, 2.0, 2.0],
        bounds=(-10.0, 10.0),
        fmin=176 / 43,
        minimizers=[np.array([-33.0, 11.0, 27.0, -5.0, 11.0]) / 43],
    )


@register(
    6,
    source="HS 54",
    description="-exp(-h / 2), h a quadratic of scales from 1e-3 to 1e8, x1 + 4000 x2 = 17600, "
    "with bounds; flat far from the minimiser",
    constrained=True,
)
def hs54() -> Parts:
    def f(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
        u, v = (x1 - 1e4) / 8e3, x2 - 1
        h = (u**2 + 0.4 * u * v + v**2) / 0.96 + ((x3 - 2e6) / 7e6) ** 2
        h = h + ((x4 - 10) / 50) ** 2 + ((x5 - 1e-3) / 0.05) ** 2 + ((x6 - 1e8) / 5e8) ** 2
        return -np.exp(-h / 2)

    return constrained(
        f,
        zero=lambda x1, x2, x3, x4, x5, x6: (x1 + 4e3 * x2 - 1.76e4,),
        x0=[6e3, 1.5, 4e6, 2.0, 3e-3, 5e7],
        bounds=([0.0, -10.0, 0.0, 0.0, -1.0, 0.0], [2e4, 10.0, 1e7, 20.0, 1.0, 2e8]),
        fmin=-np.exp(-27 / 280),
        minimizers=[[91600 / 7, 79 / 70, 2e6, 10.0, 1e-3, 1e8]],
        other_minima=[0.0],
    )


@register(
    6,
    source="HS 55",
    description="x1 + 2 x2 + 4 x5 + exp(x1 x4), six linear equations of which one follows from "
    "the others, x >= 0, x1 <= 1, x4 <= 1",
    constrained=True,
)
def hs55() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5, x6: x1 + 2 * x2 + 4 * x5 + np.exp(x1 * x4),
        zero=lambda x1, x2, x3, x4, x5, x6: (
            x1 + 2 * x2 + 5 * x5 - 6,
            x1 + x2 + x3 - 3,
            x4 + x5 + x6 - 2,
            x1 + x4 - 1,
            x2 + x5 - 2,
            x3 + x6 - 2,
        ),
        x0=[1.0, 2.0, 0.0, 0.0, 0.0, 2.0],
        bounds=(0.0, [1.0, _INF, _INF, 1.0, _INF, _INF]),
        fmin=19 / 3,
        minimizers=[[0.0, 4 / 3, 5 / 3, 1.0, 2 / 3, 1 / 3]],
        other_minima=[20 / 3, 6.80584635174],
    )


@register(
    7,
    source="HS 56; Brusch and Schappelle (1973)",
    description="-x1 x2 x3, x_i = 4.2 sin^2 x_{i+3}, x1 + 2 x2 + 2 x3 = 7.2 sin^2 x7: "
    "inequalities written as equalities, with many minima",
    constrained=True,
)
def hs56() -> Parts:
    a, b = np.arcsin(np.sqrt(1 / 4.2)), np.arcsin(np.sqrt(5 / 7.2))
    c, d = np.arcsin(np.sqrt(4 / 7)), np.arcsin(np.sqrt(2 / 7))
    return constrained(
        lambda x1, x2, x3, x4, x5, x6, x7: -x1 * x2 * x3,
        zero=lambda x1, x2, x3, x4, x5, x6, x7: (
            x1 - 4.2 * np.sin(x4) ** 2,
            x2 - 4.2 * np.sin(x5) ** 2,
            x3 - 4.2 * np.sin(x6) ** 2,
            x1 + 2 * x2 + 2 * x3 - 7.2 * np.sin(x7) ** 2,
        ),
        x0=[1.0, 1.0, 1.0, a, a, a, b],
        fmin=-3.456,
        minimizers=[[2.4, 1.2, 1.2, c, d, d, np.pi / 2]],
        other_minima=[0.0],
    )


@register(
    3,
    source="HS 60",
    description="(x1 - 1)^2 + (x1 - x2)^2 + (x2 - x3)^4, x1 (1 + x2^2) + x3^4 = 4 + 3 sqrt 2, "
    "|x_i| <= 10",
    constrained=True,
)
def hs60() -> Parts:
    return constrained(
        lambda x1, x2, x3: (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 4,
        zero=lambda x1, x2, x3: (x1 * (1 + x2**2) + x3**4 - 4 - 3 * np.sqrt(2),),
        x0=[2.0, 2.0, 2.0],
        bounds=(-10.0, 10.0),
        minimizers=[[1.1048590197333166, 1.1966741822882572, 1.535262260325326]],
        other_minima=[2.189660587582],
    )


@register(
    3,
    source="HS 61",
    description="4 x1^2 + 2 x2^2 + 2 x3^2 - 33 x1 + 16 x2 - 24 x3, 3 x1 - 2 x2^2 = 7, "
    "4 x1 - x3^2 = 11",
    constrained=True,
)
def hs61() -> Parts:
    return constrained(
        lambda x1, x2, x3: (
            4 * x1**2 + 2 * x2**2 + 2 * x3**2 - 33 * x1 + 16 * x2 - 24 * x3
        ),
        zero=lambda x1, x2, x3: (3 * x1 - 2 * x2**2 - 7, 4 * x1 - x3**2 - 11),
        x0=[0.0, 0.0, 0.0],
        minimizers=[[5.326770135563928, -2.118998632218976, 3.2104642253505506]],
        other_minima=[-81.91909609463],
    )


@register(
    3,
    source="HS 62",
    description="-32.174 (255 log((x1 + x2 + x3 + 0.03) / (0.09 x1 + x2 + x3 + 0.03)) + "
    "280 log((x2 + x3 + 0.03) / (0.07 x2 + x3 + 0.03)) + "
    "290 log((x3 + 0.03) / (0.13 x3 + 0.03))), x1 + x2 + x3 = 1, 0 <= x_i <= 1",
    constrained=True,
)
def hs62() -> Parts:
    def f(x1: Any, x2: Any, x3: Any) -> Any:
        first = np.log(x1 + x2 + x3 + 0.03) - np.log(0.09 * x1 + x2 + x3 + 0.03)
        second = np.log(x2 + x3 + 0.03) - np.log(0.07 * x2 + x3 + 0.03)
        third = np.log(x3 + 0.03) - np.log(0.13 * x3 + 0.03)
        return -32.174 * (255 * first + 280 * second + 290 * third)

    return constrained(
        f,
        zero=lambda x1, x2, x3: (x1 + x2 + x3 - 1,),
        x0=[0.7, 0.2, 0.1],
        bounds=(0.0, 1.0),
        minimizers=[[0.6178126908126923, 0.32820222311966923, 0.0539850860676385]],
    )


@register(
    3,
    source="HS 63",
    description="1000 - x1^2 - 2 x2^2 - x3^2 - x1 x2 - x1 x3, 8 x1 + 14 x2 + 7 x3 = 56, "
    "x1^2 + x2^2 + x3^2 = 25, x >= 0",
    constrained=True,
)
def hs63() -> Parts:
    return constrained(
        lambda x1, x2, x3: 1000 - x1**2 - 2 * x2**2 - x3**2 - x1 * x2 - x1 * x3,
        zero=lambda x1, x2, x3: (
            8 * x1 + 14 * x2 + 7 * x3 - 56,
            x1**2 + x2**2 + x3**2 - 25,
        ),
        x0=[2.0, 2.0, 2.0],
        bounds=(0.0, _INF),
        minimizers=[[3.51212134187472, 0.2169879415152233, 3.5521711548270165]],
    )


@register(
    3,
    source="HS 64; Best (1975)",
    description="5 x1 + 50000 / x1 + 20 x2 + 72000 / x2 + 10 x3 + 144000 / x3, "
    "4 / x1 + 32 / x2 + 120 / x3 <= 1, x_i >= 1e-5",
    convex=True,
    constrained=True,
)
def hs64() -> Parts:
    return constrained(
        lambda x1, x2, x3: (
            5 * x1 + 50000 / x1 + 20 * x2 + 72000 / x2 + 10 * x3 + 144000 / x3
        ),
        nonnegative=lambda x1, x2, x3: (1 - 4 / x1 - 32 / x2 - 120 / x3,),
        x0=[1.0, 1.0, 1.0],
        bounds=(1e-5, _INF),
        minimizers=[[108.73470491089891, 85.1262127908938, 204.32459661260555]],
    )


@register(
    3,
    source="HS 65, the start (-5, 5, 0) moved into the bounds",
    description="(x1 - x2)^2 + (x1 + x2 - 10)^2 / 9 + (x3 - 5)^2, x1^2 + x2^2 + x3^2 <= 48, "
    "|x1|, |x2| <= 4.5, |x3| <= 5",
    convex=True,
    constrained=True,
)
def hs65() -> Parts:
    return constrained(
        lambda x1, x2, x3: (x1 - x2) ** 2 + (x1 + x2 - 10) ** 2 / 9 + (x3 - 5) ** 2,
        nonnegative=lambda x1, x2, x3: (48 - x1**2 - x2**2 - x3**2,),
        x0=[-4.5, 4.5, 0.0],
        bounds=([-4.5, -4.5, -5.0], [4.5, 4.5, 5.0]),
        minimizers=[[3.6504617252130362, 3.6504617252130362, 4.620417555320008]],
    )


@register(
    3,
    source="HS 66",
    description="0.2 x3 - 0.8 x1, x2 >= exp(x1), x3 >= exp(x2), 0 <= x_i <= 100, x3 <= 10",
    convex=True,
    constrained=True,
)
def hs66() -> Parts:
    return constrained(
        lambda x1, x2, x3: 0.2 * x3 - 0.8 * x1,
        nonnegative=lambda x1, x2, x3: (x2 - np.exp(x1), x3 - np.exp(x2)),
        x0=[0.0, 1.05, 2.9],
        bounds=(0.0, [100.0, 100.0, 10.0]),
        minimizers=[[0.18412648792284175, 1.2021678731970484, 3.3273223225991684]],
    )
