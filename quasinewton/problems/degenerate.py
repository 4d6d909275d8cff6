"""Small problems with constraints that lack what theory asks for, made up here.

The solutions can be checked by hand; those of `infeasible_circles` and `unbounded_parabola` are
that there is none.  More: `hs13` has no multipliers, `hs55` dependent equations, `hs8` no freedom.
"""

from __future__ import annotations

import numpy as np

from ._formulas import constrained
from ._registry import Parts, register


@register(
    3,
    source="elementary: a constraint that stands there twice, once in other units",
    description="x1^2 + x2^2 + x3^2, x1 + x2^2 + x3 = 2, 3 (x1 + x2^2 + x3) = 6, x1 >= 1/2: equal "
    "gradients of two equalities, so that the multipliers are not unique",
    constrained=True,
)
def duplicate_equality() -> Parts:
    # With x2^2 = 2 - x1 - x3 the objective is separable: x1 and x3 are 1/2, x2 is 1.
    return constrained(
        lambda x1, x2, x3: x1**2 + x2**2 + x3**2,
        zero=lambda x1, x2, x3: (x1 + x2**2 + x3 - 2, 3 * x1 + 3 * x2**2 + 3 * x3 - 6),
        x0=[2.0, 2.0, 2.0],
        bounds=([0.5, -np.inf, -np.inf], np.inf),
        minimizers=[[0.5, 1.0, 0.5], [0.5, -1.0, 0.5]],
        other_minima=[2.0],
    )


@register(
    2,
    source="elementary: two discs that touch in the origin",
    description="x1 + x2, (x1 - 1)^2 + x2^2 <= 1, (x1 + 1)^2 + x2^2 <= 1: the only feasible point "
    "is the origin, without multipliers",
    convex=True,
    constrained=True,
)
def touching_discs() -> Parts:
    return constrained(
        lambda x1, x2: x1 + x2,
        nonnegative=lambda x1, x2: (1 - (x1 - 1) ** 2 - x2**2, 1 - (x1 + 1) ** 2 - x2**2),
        x0=[1.0, 1.0],
        minimizers=[[0.0, 0.0]],
    )


@register(
    3,
    source="elementary: as many linear inequalities as leave one corner",
    description="(x1 - 2)^2 + (x2 - 2)^2 + (x3 - 2)^2, x1 + x2 + x3 <= 3, x_i >= 1 as rows: the "
    "only feasible point is (1, 1, 1), with many multipliers",
    convex=True,
    constrained=True,
)
def single_point() -> Parts:
    return constrained(
        lambda x1, x2, x3: (x1 - 2) ** 2 + (x2 - 2) ** 2 + (x3 - 2) ** 2,
        nonnegative=lambda x1, x2, x3: (3 - x1 - x2 - x3, x1 - 1, x2 - 1, x3 - 1),
        x0=[0.0, 0.0, 0.0],
        minimizers=[[1.0, 1.0, 1.0]],
    )


@register(
    2,
    source="elementary: a constraint that touches the minimiser of the others",
    description="(x1 - 1)^2 + (x2 - 1)^2, x1^2 + x2^2 <= 2, x2 >= x1^2, x1 <= 1, all active at "
    "(1, 1), where the gradient is zero, and all multipliers are",
    convex=True,
    constrained=True,
)
def zero_multipliers() -> Parts:
    return constrained(
        lambda x1, x2: (x1 - 1) ** 2 + (x2 - 1) ** 2,
        nonnegative=lambda x1, x2: (2 - x1**2 - x2**2, x2 - x1**2),
        x0=[0.5, 2.0],
        bounds=(-np.inf, [1.0, np.inf]),
        minimizers=[[1.0, 1.0]],
    )


@register(
    3,
    source="elementary: a corner where more constraints meet than there are variables",
    description="-x1 - x2 - x3, x_i + x_j <= 1 for three pairs, x1 + x2 + x3 <= 3/2, x >= 0: a "
    "linear programme with four active rows at its only minimiser",
    convex=True,
    constrained=True,
)
def degenerate_corner() -> Parts:
    return constrained(
        lambda x1, x2, x3: -x1 - x2 - x3,
        nonnegative=lambda x1, x2, x3: (
            1 - x1 - x2,
            1 - x2 - x3,
            1 - x1 - x3,
            1.5 - x1 - x2 - x3,
        ),
        x0=[0.0, 0.0, 0.0],
        bounds=(0.0, np.inf),
        minimizers=[[0.5, 0.5, 0.5]],
    )


@register(
    2,
    source="elementary: two discs apart",
    description="x1^2 + x2^2, (x1 - 2)^2 + x2^2 <= 1, (x1 + 2)^2 + x2^2 <= 1: no point is "
    "feasible; the least violation is in the origin, 3 of either",
    constrained=True,
)
def infeasible_circles() -> Parts:
    return constrained(
        lambda x1, x2: x1**2 + x2**2,
        nonnegative=lambda x1, x2: (1 - (x1 - 2) ** 2 - x2**2, 1 - (x1 + 2) ** 2 - x2**2),
        x0=[1.0, 1.0],
    )


@register(
    2,
    source="elementary: linear equations that contradict each other",
    description="x1^2 + x2^2, x1 + x2 = 1, x1 + x2 = 2, |x_i| <= 10: no point is feasible",
    constrained=True,
)
def infeasible_lines() -> Parts:
    return constrained(
        lambda x1, x2: x1**2 + x2**2,
        zero=lambda x1, x2: (x1 + x2 - 1, x1 + x2 - 2),
        x0=[0.0, 0.0],
        bounds=(-10.0, 10.0),
    )


@register(
    2,
    source="elementary: a feasible set without end downhill",
    description="-x1 - x2, x2 = x1^2: unbounded below",
    constrained=True,
)
def unbounded_parabola() -> Parts:
    return constrained(
        lambda x1, x2: -x1 - x2,
        zero=lambda x1, x2: (x2 - x1**2,),
        x0=[0.0, 1.0],
    )
