"""The problems 71 to 119 of Hock and Schittkowski with constraints other than bounds.

Many come from applications, have more variables and are badly scaled.  For their form see
`hs_constrained`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._formulas import constrained
from ._registry import Parts, register

_INF = np.inf


@register(
    4,
    source="HS 71; Bartholomew-Biggs (1976)",
    description="x1 x4 (x1 + x2 + x3) + x3, x1 x2 x3 x4 >= 25, "
    "x1^2 + x2^2 + x3^2 + x4^2 = 40, 1 <= x_i <= 5",
    constrained=True,
)
def hs71() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: x1 * x4 * (x1 + x2 + x3) + x3,
        nonnegative=lambda x1, x2, x3, x4: (x1 * x2 * x3 * x4 - 25,),
        zero=lambda x1, x2, x3, x4: (x1**2 + x2**2 + x3**2 + x4**2 - 40,),
        x0=[1.0, 5.0, 5.0, 1.0],
        bounds=(1.0, 5.0),
        minimizers=[[1.0, 4.742999637264417, 3.821149984184874, 1.3794082931726723]],
        other_minima=[27.14642819948, 30.6969384567, 32.94438717062],
    )


@register(
    4,
    source="HS 72; Bracken and McCormick (1968)",
    description="1 + x1 + x2 + x3 + x4, 4 / x1 + 2.25 / x2 + 1 / x3 + 0.25 / x4 <= 0.0401, "
    "0.16 / x1 + 0.36 / x2 + 0.64 / x3 + 0.64 / x4 <= 0.010085, 0.001 <= x_i <= (5 - i) 1e5",
    convex=True,
    constrained=True,
)
def hs72() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: 1 + x1 + x2 + x3 + x4,
        nonnegative=lambda x1, x2, x3, x4: (
            0.0401 - 4 / x1 - 2.25 / x2 - 1 / x3 - 0.25 / x4,
            0.010085 - 0.16 / x1 - 0.36 / x2 - 0.64 / x3 - 0.64 / x4,
        ),
        x0=[1.0, 1.0, 1.0, 1.0],
        bounds=(0.001, [4e5, 3e5, 2e5, 1e5]),
        minimizers=[
            [
                193.40742727194635, 179.54707603227456, 185.01806335815152, 168.70679112724056,
            ],
        ],
    )


@register(
    4,
    source="HS 73; Bracken and McCormick (1968), cattle feed",
    description="24.55 x1 + 26.75 x2 + 39 x3 + 40.5 x4, one linear inequality, one with a square "
    "root, x1 + x2 + x3 + x4 = 1, x >= 0",
    convex=True,
    constrained=True,
)
def hs73() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: 24.55 * x1 + 26.75 * x2 + 39 * x3 + 40.5 * x4,
        nonnegative=lambda x1, x2, x3, x4: (
            2.3 * x1 + 5.6 * x2 + 11.1 * x3 + 1.3 * x4 - 5,
            12 * x1 + 11.9 * x2 + 41.8 * x3 + 52.1 * x4 - 21
            - 1.645 * np.sqrt(0.28 * x1**2 + 0.19 * x2**2 + 20.5 * x3**2 + 0.62 * x4**2),
        ),
        zero=lambda x1, x2, x3, x4: (x1 + x2 + x3 + x4 - 1,),
        x0=[1.0, 1.0, 1.0, 1.0],
        bounds=(0.0, _INF),
        minimizers=[[0.6355215686350697, 0.0, 0.3127018807515235, 0.051776550613406726]],
    )  # fmt: skip


def _power_flow(width: float, minimizer: list[float]) -> Parts:
    sin = np.sin
    return constrained(
        lambda x1, x2, x3, x4: 3 * x1 + 1e-6 * x1**3 + 2 * x2 + 2e-6 / 3 * x2**3,
        between=(lambda x1, x2, x3, x4: (x4 - x3,), -width, width),
        zero=lambda x1, x2, x3, x4: (
            1000 * (sin(-x3 - 0.25) + sin(-x4 - 0.25)) + 894.8 - x1,
            1000 * (sin(x3 - 0.25) + sin(x3 - x4 - 0.25)) + 894.8 - x2,
            1000 * (sin(x4 - 0.25) + sin(x4 - x3 - 0.25)) + 1294.8,
        ),
        x0=[0.0, 0.0, 0.0, 0.0],
        bounds=([0.0, 0.0, -width, -width], [1200.0, 1200.0, width, width]),
        minimizers=[minimizer],
    )


_POWER_FLOW = (
    "3 x1 + 1e-6 x1^3 + 2 x2 + 2e-6 x2^3 / 3, three equations in sines, "
    "|x4 - x3|, |x3|, |x4| <= {}, 0 <= x1, x2 <= 1200"
)


@register(
    4,
    source="HS 74; Beuneu (1979)",
    description=_POWER_FLOW.format(0.55),
    constrained=True,
)
def hs74() -> Parts:
    return _power_flow(
        0.55,
        [679.9453198512062, 1026.0671326104705, 0.11887636449310576, -0.3962335532032084],
    )


@register(
    4,
    source="HS 75; Beuneu (1979)",
    description=_POWER_FLOW.format(0.48),
    constrained=True,
)
def hs75() -> Parts:
    return _power_flow(
        0.48,
        [776.1590265860691, 925.195138469082, 0.051108928538344624, -0.42889107146165206],
    )


@register(
    4,
    source="HS 76; Murtagh and Sargent (1973)",
    description="x1^2 + x2^2 / 2 + x3^2 + x4^2 / 2 - x1 x3 + x3 x4 - x1 - 3 x2 + x3 - x4, "
    "x1 + 2 x2 + x3 + x4 <= 5, 3 x1 + x2 + 2 x3 - x4 <= 4, x2 + 4 x3 >= 1.5, x >= 0",
    convex=True,
    constrained=True,
)
def hs76() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4: (
            x1**2 + x2**2 / 2 + x3**2 + x4**2 / 2 - x1 * x3 + x3 * x4 - x1 - 3 * x2 + x3 - x4
        ),
        nonnegative=lambda x1, x2, x3, x4: (
            5 - x1 - 2 * x2 - x3 - x4,
            4 - 3 * x1 - x2 - 2 * x3 + x4,
            x2 + 4 * x3 - 1.5,
        ),
        x0=[0.5, 0.5, 0.5, 0.5],
        bounds=(0.0, _INF),
        fmin=-103 / 22,
        minimizers=[[3 / 11, 23 / 11, 0.0, 6 / 11]],
    )


@register(
    5,
    source="HS 77",
    description="(x1 - 1)^2 + (x1 - x2)^2 + (x3 - 1)^2 + (x4 - 1)^4 + (x5 - 1)^6, "
    "x1^2 x4 + sin(x4 - x5) = 2 sqrt 2, x2 + x3^4 x4^2 = 8 + sqrt 2",
    constrained=True,
)
def hs77() -> Parts:
    s = np.sqrt(2)
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6
        ),
        zero=lambda x1, x2, x3, x4, x5: (
            x1**2 * x4 + np.sin(x4 - x5) - 2 * s,
            x2 + x3**4 * x4**2 - 8 - s,
        ),
        x0=[2.0, 2.0, 2.0, 2.0, 2.0],
        minimizers=[
            [
                1.1661721897092985, 1.1821113888027044, 1.3802570431454597, 1.5060362736230457,
                0.6109201960430908,
            ],
        ],
        other_minima=[4.602561512118, 5.533357278641, 9.9087601967],
    )


def _powell_rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    return (
        x1**2 + x2**2 + x3**2 + x4**2 + x5**2 - 10,
        x2 * x3 - 5 * x4 * x5,
        x1**3 + x2**3 + 1,
    )


_POWELL_ROWS = "x1^2 + ... + x5^2 = 10, x2 x3 = 5 x4 x5, x1^3 + x2^3 = -1"
_POWELL_BOX = [2.3, 2.3, 3.2, 3.2, 3.2]
_POWELL_X = [
    -1.7171435703943823, 1.5957096901835544, 1.8272457529271946, -0.7636430781841304,
    -0.7636430781841304,
]
#: The signs of the last three may change in pairs.
_POWELL_SIGNS = ([1, 1, 1, 1, 1], [1, 1, -1, 1, -1], [1, 1, -1, -1, 1], [1, 1, 1, -1, -1])


@register(
    5,
    source="HS 78; Powell (1969)",
    description=f"x1 x2 x3 x4 x5, {_POWELL_ROWS}",
    constrained=True,
)
def hs78() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: x1 * x2 * x3 * x4 * x5,
        zero=_powell_rows,
        x0=[-2.0, 1.5, 2.0, -1.0, -1.0],
        minimizers=[np.multiply(signs, _POWELL_X) for signs in _POWELL_SIGNS],
        other_minima=[-0.823594830085, 0.0],
    )


@register(
    5,
    source="HS 79",
    description="(x1 - 1)^2 + (x1 - x2)^2 + (x2 - x3)^2 + (x3 - x4)^4 + (x4 - x5)^4, "
    "x1 + x2^2 + x3^3 = 2 + 3 sqrt 2, x2 - x3^2 + x4 = 2 sqrt 2 - 2, x1 x5 = 2",
    constrained=True,
)
def hs79() -> Parts:
    s = np.sqrt(2)
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 4
        ),
        zero=lambda x1, x2, x3, x4, x5: (
            x1 + x2**2 + x3**3 - 2 - 3 * s,
            x2 - x3**2 + x4 + 2 - 2 * s,
            x1 * x5 - 2,
        ),
        x0=[2.0, 2.0, 2.0, 2.0, 2.0],
        minimizers=[
            [
                1.1911274563110514, 1.3626031649617423, 1.4728179315120877, 1.6350166191679931,
                1.6790814361664075,
            ],
        ],
        other_minima=[
            13.96682490039, 27.45200409471, 27.5219614544, 86.52753971593, 649.5048649678,
        ],
    )  # fmt: skip


@register(
    5,
    source="HS 80; Powell (1969)",
    description=f"exp(x1 x2 x3 x4 x5), {_POWELL_ROWS}, |x1|, |x2| <= 2.3, |x3|, |x4|, |x5| <= 3.2",
    constrained=True,
)
def hs80() -> Parts:
    box = np.array(_POWELL_BOX)
    return constrained(
        lambda x1, x2, x3, x4, x5: np.exp(x1 * x2 * x3 * x4 * x5),
        zero=_powell_rows,
        x0=[-2.0, 2.0, 2.0, -1.0, -1.0],
        bounds=(-box, box),
        minimizers=[np.multiply(signs, _POWELL_X) for signs in _POWELL_SIGNS],
        other_minima=[0.4388512199428, 1.0],
    )


@register(
    5,
    source="HS 81",
    description="exp(x1 x2 x3 x4 x5) - (x1^3 + x2^3 + 1)^2 / 2, with the constraints of hs80",
    constrained=True,
)
def hs81() -> Parts:
    box = np.array(_POWELL_BOX)
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            np.exp(x1 * x2 * x3 * x4 * x5) - (x1**3 + x2**3 + 1) ** 2 / 2
        ),
        zero=_powell_rows,
        x0=[-2.0, 2.0, 2.0, -1.0, -1.0],
        bounds=(-box, box),
        minimizers=[np.multiply(signs, _POWELL_X) for signs in _POWELL_SIGNS],
        other_minima=[0.4388512199428, 1.0],
    )


@register(
    5,
    source="HS 83; Colville (1968), problem 3",
    description="5.3578547 x3^2 + 0.8356891 x1 x5 + 37.293239 x1 - 40792.141, three quadratics "
    "between bounds, with bounds",
    constrained=True,
)
def hs83() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5: (
            5.3578547 * x3**2 + 0.8356891 * x1 * x5 + 37.293239 * x1 - 40792.141
        ),
        between=(
            lambda x1, x2, x3, x4, x5: (
                85.334407 + 0.0056858 * x2 * x5 + 0.0006262 * x1 * x4 - 0.0022053 * x3 * x5,
                80.51249 + 0.0071317 * x2 * x5 + 0.0029955 * x1 * x2 + 0.0021813 * x3**2,
                9.300961 + 0.0047026 * x3 * x5 + 0.0012547 * x1 * x3 + 0.0019085 * x3 * x4,
            ),
            [0.0, 90.0, 20.0],
            [92.0, 110.0, 25.0],
        ),
        x0=[78.0, 33.0, 27.0, 27.0, 27.0],
        bounds=([78.0, 33.0, 27.0, 27.0, 27.0], [102.0, 45.0, 45.0, 45.0, 45.0]),
        minimizers=[[78.0, 33.0, 29.995256025682234, 45.0, 36.77581290578733]],
    )


# The data of the first problem of Colville, and of the second, its dual.
_COLVILLE_E = np.array([-15.0, -27.0, -36.0, -18.0, -12.0])
_COLVILLE_C = np.array([
    [30.0, -20.0, -10.0, 32.0, -10.0],
    [-20.0, 39.0, -6.0, -31.0, 32.0],
    [-10.0, -6.0, 10.0, -6.0, -10.0],
    [32.0, -31.0, -6.0, 39.0, -20.0],
    [-10.0, 32.0, -10.0, -20.0, 30.0],
])  # fmt: skip
_COLVILLE_D = np.array([4.0, 8.0, 10.0, 6.0, 2.0])
_COLVILLE_A = np.array([
    [-16.0, 2.0, 0.0, 1.0, 0.0],
    [0.0, -2.0, 0.0, 0.4, 2.0],
    [-3.5, 0.0, 2.0, 0.0, 0.0],
    [0.0, -2.0, 0.0, -4.0, -1.0],
    [0.0, -9.0, -2.0, 1.0, -2.8],
    [2.0, 0.0, -4.0, 0.0, 0.0],
    [-1.0, -1.0, -1.0, -1.0, -1.0],
    [-1.0, -2.0, -3.0, -2.0, -1.0],
    [1.0, 2.0, 3.0, 4.0, 5.0],
    [1.0, 1.0, 1.0, 1.0, 1.0],
])  # fmt: skip
_COLVILLE_B = np.array([-40.0, -2.0, -0.25, -4.0, -4.0, -1.0, -40.0, -60.0, 5.0, 1.0])


@register(
    5,
    source="HS 86; Colville (1968), problem 1",
    description="e . x + x . C x + sum d_j x_j^3, A x >= b with ten rows, x >= 0",
    convex=True,
    constrained=True,
)
def hs86() -> Parts:
    return constrained(
        lambda x: (x * (_COLVILLE_E + _COLVILLE_C @ x) + _COLVILLE_D * x**3).sum(),
        nonnegative=lambda x: _COLVILLE_A @ x - _COLVILLE_B,
        x0=[0.0, 0.0, 0.0, 0.0, 1.0],
        bounds=(0.0, _INF),
        minimizers=[[0.3, 0.3334676065346071, 0.4, 0.42831010478169884, 0.22396487356079814]],
        whole=True,
    )


@register(
    6,
    source="HS 93; Bartholomew-Biggs (1976), the design of a transformer",
    description="a sum of four monomials with factors, x1 ... x6 >= 2070, one more inequality, "
    "x >= 0",
    constrained=True,
)
def hs93() -> Parts:
    def both(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
        return x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)

    def f(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
        u, v = both(x1, x2, x3, x4)
        return (0.0204 + 0.0607 * x5**2) * u + (0.0187 + 0.0437 * x6**2) * v

    def nonnegative(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
        u, v = both(x1, x2, x3, x4)
        return (
            0.001 * x1 * x2 * x3 * x4 * x5 * x6 - 2.07,
            1 - 0.00062 * x5**2 * u - 0.00058 * x6**2 * v,
        )

    return constrained(
        f,
        nonnegative=nonnegative,
        x0=[5.54, 4.4, 12.02, 11.82, 0.702, 0.852],
        bounds=(0.0, _INF),
        minimizers=[
            [
                5.33266633553157, 4.656744059174431, 10.432991940473675, 12.082306340069964,
                0.7526074362231663, 0.8786508746582344,
            ],
        ],
    )


@register(
    7,
    source="HS 100; Wong (1969)",
    description="(x1 - 10)^2 + 5 (x2 - 12)^2 + x3^4 + 3 (x4 - 11)^2 + 10 x5^6 + 7 x6^2 + x7^4 "
    "- 4 x6 x7 - 10 x6 - 8 x7, four inequalities",
    constrained=True,
)
def hs100() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5, x6, x7: (
            (x1 - 10) ** 2 + 5 * (x2 - 12) ** 2 + x3**4 + 3 * (x4 - 11) ** 2 + 10 * x5**6
            + 7 * x6**2 + x7**4 - 4 * x6 * x7 - 10 * x6 - 8 * x7
        ),
        nonnegative=lambda x1, x2, x3, x4, x5, x6, x7: (
            127 - 2 * x1**2 - 3 * x2**4 - x3 - 4 * x4**2 - 5 * x5,
            282 - 7 * x1 - 3 * x2 - 10 * x3**2 - x4 + x5,
            196 - 23 * x1 - x2**2 - 6 * x6**2 + 8 * x7,
            -4 * x1**2 - x2**2 + 3 * x1 * x2 - 2 * x3**2 - 5 * x6 + 11 * x7,
        ),
        x0=[1.0, 2.0, 0.0, 4.0, 0.0, 1.0, 1.0],
        minimizers=[
            [
                2.33049937287957, 1.9513723728968888, -0.47754139238887167, 4.36572623365581,
                -0.6244869705268175, 1.0381310186079584, 1.5942267116118685,
            ],
        ],
    )  # fmt: skip


@register(
    8,
    source="HS 104; Rijckaert (1973), the design of a reactor",
    description="0.4 (x1 / x7)^0.67 + 0.4 (x2 / x8)^0.67 + 10 - x1 - x2, between 1 and 4.2 and "
    "with four inequalities in powers, 0.1 <= x_i <= 10",
    constrained=True,
)
def hs104() -> Parts:
    def f(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any) -> Any:
        return 0.4 * x1**0.67 * x7**-0.67 + 0.4 * x2**0.67 * x8**-0.67 + 10 - x1 - x2

    return constrained(
        f,
        nonnegative=lambda x1, x2, x3, x4, x5, x6, x7, x8: (
            1 - 0.0588 * x5 * x7 - 0.1 * x1,
            1 - 0.0588 * x6 * x8 - 0.1 * x1 - 0.1 * x2,
            1 - 4 * x3 / x5 - 2 * x3**-0.71 / x5 - 0.0588 * x3**-1.3 * x7,
            1 - 4 * x4 / x6 - 2 * x4**-0.71 / x6 - 0.0588 * x4**-1.3 * x8,
        ),
        between=(lambda *x: (f(*x),), 1.0, 4.2),
        x0=[6.0, 3.0, 0.4, 0.2, 6.0, 6.0, 1.0, 0.5],
        bounds=(0.1, 10.0),
        minimizers=[
            [
                6.465114028369099, 2.23270864798523, 0.6673974912866294, 0.595756422900371,
                5.932675677909848, 5.527234564976939, 1.0133220089025616, 0.4006682291257031,
            ],
        ],
    )


@register(
    8,
    source="HS 106; Avriel and Williams (1971), the design of heat exchangers",
    description="x1 + x2 + x3, three linear and three quadratic inequalities, with bounds",
    constrained=True,
)
def hs106() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5, x6, x7, x8: x1 + x2 + x3,
        nonnegative=lambda x1, x2, x3, x4, x5, x6, x7, x8: (
            1 - 0.0025 * (x4 + x6),
            1 - 0.0025 * (x5 + x7 - x4),
            1 - 0.01 * (x8 - x5),
            x1 * x6 - 833.33252 * x4 - 100 * x1 + 83333.333,
            x2 * x7 - 1250 * x5 - x2 * x4 + 1250 * x4,
            x3 * x8 - 1250000 - x3 * x5 + 2500 * x5,
        ),
        x0=[5000.0, 5000.0, 5000.0, 200.0, 350.0, 150.0, 225.0, 425.0],
        bounds=([100.0, 1000.0, 1000.0, *[10.0] * 5], [*[1e4] * 3, *[1e3] * 5]),
        minimizers=[
            [
                579.3066844253549, 1359.9706680516551, 5109.970668051655, 182.0176995811199,
                295.6011732779338, 217.9823004188801, 286.4165263031861, 395.6011732779338,
            ],
        ],
    )


@register(
    9,
    source="HS 108; Himmelblau (1972), the largest area of a hexagon of unit diameter",
    description="-(x1 x4 - x2 x3 + x3 x9 - x5 x9 + x5 x8 - x6 x7) / 2, nine distances of at most "
    "one, four signs, x9 >= 0; the minimiser is not unique",
    constrained=True,
)
def hs108() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5, x6, x7, x8, x9: (
            -(x1 * x4 - x2 * x3 + x3 * x9 - x5 * x9 + x5 * x8 - x6 * x7) / 2
        ),
        nonnegative=lambda x1, x2, x3, x4, x5, x6, x7, x8, x9: (
            1 - x3**2 - x4**2,
            1 - x9**2,
            1 - x5**2 - x6**2,
            1 - x1**2 - (x2 - x9) ** 2,
            1 - (x1 - x5) ** 2 - (x2 - x6) ** 2,
            1 - (x1 - x7) ** 2 - (x2 - x8) ** 2,
            1 - (x3 - x5) ** 2 - (x4 - x6) ** 2,
            1 - (x3 - x7) ** 2 - (x4 - x8) ** 2,
            1 - x7**2 - (x8 - x9) ** 2,
            x1 * x4 - x2 * x3,
            x3 * x9,
            -x5 * x9,
            x5 * x8 - x6 * x7,
        ),
        x0=np.ones(9),
        bounds=([-_INF] * 8 + [0.0], _INF),
        fmin=-np.sqrt(3) / 2,
        minimizers=[
            [
                -0.016303845029129547, -0.2747433561684235, 0.8577583721915032,
                -0.5140530857172074, -0.016303845029129554, -0.9998670834852331,
                0.8577583721915032, 0.2110706415996022, 0.7251237273168096,
            ],
        ],
        other_minima=[-0.6749814429301, -0.5],
    )


@register(
    10,
    source="HS 112; Bracken and McCormick (1968), chemical equilibrium",
    description="sum x_j (c_j + log(x_j / sum_k x_k)), three linear equations, x_j >= 1e-6",
    convex=True,
    constrained=True,
)
def hs112() -> Parts:
    c = np.array(
        [-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179]
    )
    a = np.array([
        [1.0, 2.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 1.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 1.0],
    ])  # fmt: skip
    b = np.array([2.0, 1.0, 1.0])
    return constrained(
        lambda x: (x * (c + np.log(x) - np.log(x.sum()))).sum(),
        zero=lambda x: a @ x - b,
        x0=np.full(10, 0.1),
        bounds=(1e-6, _INF),
        minimizers=[
            [
                0.04066808735569006, 0.14773035434082155, 0.7831533540092347,
                0.0014142198090301185, 0.48524664869927286, 0.0006931720784210622,
                0.027399310714003186, 0.017947279584925365, 0.037314365913030195,
                0.09687132386577646,
            ],
        ],
        whole=True,
    )


@register(
    10,
    source="HS 113; Wong (1969)",
    description="a convex quadratic of ten variables, three linear and five quadratic inequalities",
    convex=True,
    constrained=True,
)
def hs113() -> Parts:
    return constrained(
        lambda x1, x2, x3, x4, x5, x6, x7, x8, x9, x10: (
            x1**2 + x2**2 + x1 * x2 - 14 * x1 - 16 * x2 + (x3 - 10) ** 2 + 4 * (x4 - 5) ** 2
            + (x5 - 3) ** 2 + 2 * (x6 - 1) ** 2 + 5 * x7**2 + 7 * (x8 - 11) ** 2
            + 2 * (x9 - 10) ** 2 + (x10 - 7) ** 2 + 45
        ),
        nonnegative=lambda x1, x2, x3, x4, x5, x6, x7, x8, x9, x10: (
            105 - 4 * x1 - 5 * x2 + 3 * x7 - 9 * x8,
            -10 * x1 + 8 * x2 + 17 * x7 - 2 * x8,
            8 * x1 - 2 * x2 - 5 * x9 + 2 * x10 + 12,
            -3 * (x1 - 2) ** 2 - 4 * (x2 - 3) ** 2 - 2 * x3**2 + 7 * x4 + 120,
            -5 * x1**2 - 8 * x2 - (x3 - 6) ** 2 + 2 * x4 + 40,
            -((x1 - 8) ** 2) / 2 - 2 * (x2 - 4) ** 2 - 3 * x5**2 + x6 + 30,
            -(x1**2) - 2 * (x2 - 2) ** 2 + 2 * x1 * x2 - 14 * x5 + 6 * x6,
            3 * x1 - 6 * x2 - 12 * (x9 - 8) ** 2 + 7 * x10,
        ),
        x0=[2.0, 3.0, 5.0, 5.0, 1.0, 2.0, 7.0, 3.0, 6.0, 10.0],
        minimizers=[
            [
                2.171996371255455, 2.3636829736972804, 8.77392573847685, 5.095984487948453,
                0.9906547649638593, 1.4305739789363159, 1.3216442081617028, 9.828725807886322,
                8.280091670098345, 8.375926663921323,
            ],
        ],
    )  # fmt: skip


@register(
    10,
    source="HS 114; Bracken and McCormick (1968), an alkylation process",
    description="5.04 x1 + 0.035 x2 + 10 x3 + 3.36 x5 - 0.063 x4 x7, eight inequalities, three "
    "equations, with bounds",
    constrained=True,
)
def hs114() -> Parts:
    a, b = 0.99, 0.9

    def fits(x1: Any, x4: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any) -> Any:
        yield 35.82 - 0.222 * x10, x9, b
        yield -133 + 3 * x7, x10, a
        yield 1.12 * x1 + 0.13167 * x1 * x8 - 0.00667 * x1 * x8**2, x4, a
        yield 57.425 + 1.098 * x8 - 0.038 * x8**2 + 0.325 * x6, x7, a

    def nonnegative(
        x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any
    ) -> Any:
        found = list(fits(x1, x4, x6, x7, x8, x9, x10))
        below = [value - k * y for value, y, k in found]
        above = [y / k - value for value, y, k in found]
        return (*below[:2], *above[:2], *below[2:], *above[2:])

    return constrained(
        lambda x1, x2, x3, x4, x5, x6, x7, x8, x9, x10: (
            5.04 * x1 + 0.035 * x2 + 10 * x3 + 3.36 * x5 - 0.063 * x4 * x7
        ),
        nonnegative=nonnegative,
        zero=lambda x1, x2, x3, x4, x5, x6, x7, x8, x9, x10: (
            1.22 * x4 - x1 - x5,
            98000 * x3 / (x4 * x9 + 1000 * x3) - x6,
            (x2 + x5) / x1 - x8,
        ),
        x0=[1745.0, 12000.0, 110.0, 3048.0, 1974.0, 89.2, 92.8, 8.0, 3.6, 145.0],
        bounds=(
            [1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 85.0, 90.0, 3.0, 1.2, 145.0],
            [2000.0, 16000.0, 120.0, 5000.0, 2000.0, 93.0, 95.0, 12.0, 4.0, 162.0],
        ),
        minimizers=[
            [
                1698.0947651889683, 15818.614924182953, 54.1026823332474, 3031.2252173680067,
                2000.0, 90.11542219898668, 95.0, 10.493298306705547, 1.561636363636363,
                153.53535353535355,
            ],
        ],
    )


@register(
    13,
    source="HS 116; Himmelblau (1972), a membrane separator of three stages",
    description="x11 + x12 + x13, between 50 and 250 and with 13 inequalities, of which ten are "
    "quadratic, with bounds",
    constrained=True,
)
def hs116() -> Parts:
    def nonnegative(*x: Any) -> Any:
        x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13 = x
        return (
            x3 - x2,
            x2 - x1,
            1 - 0.002 * x7 + 0.002 * x8,
            x13 - 1.262626 * x10 + 1.231059 * x3 * x10,
            x5 - 0.03475 * x2 - 0.975 * x2 * x5 + 0.00975 * x2**2,
            x6 - 0.03475 * x3 - 0.975 * x3 * x6 + 0.00975 * x3**2,
            x5 * x7 - x1 * x8 - x4 * x7 + x4 * x8,
            1 - 0.002 * (x2 * x9 + x5 * x8 - x1 * x8 - x6 * x9) - x5 - x6,
            x2 * x9 - x3 * x10 - x6 * x9 - 500 * x2 + 500 * x6 + x2 * x10,
            x2 - 0.9 - 0.002 * (x2 * x10 - x3 * x10),
            x4 - 0.03475 * x1 - 0.975 * x1 * x4 + 0.00975 * x1**2,
            x11 - 1.262626 * x8 + 1.231059 * x1 * x8,
            x12 - 1.262626 * x9 + 1.231059 * x2 * x9,
        )

    return constrained(
        lambda *x: x[10] + x[11] + x[12],
        nonnegative=nonnegative,
        between=(lambda *x: (x[10] + x[11] + x[12],), 50.0, 250.0),
        x0=[0.5, 0.8, 0.9, 0.1, 0.14, 0.5, 489.0, 80.0, 650.0, 450.0, 150.0, 150.0, 150.0],
        bounds=(
            [0.1, 0.1, 0.1, 1e-4, 0.1, 0.1, 0.1, 0.1, 500.0, 0.1, 1.0, 1e-4, 1e-4],
            [1.0, 1.0, 1.0, 0.1, 0.9, 0.9, 1e3, 1e3, 1e3, 500.0, 150.0, 150.0, 150.0],
        ),
        minimizers=[
            [
                0.8037731573762439, 0.8999858006730972, 0.9709824353475854, 0.1,
                0.19081317621564112, 0.46065478326112647, 574.0775735827265, 74.07757358300374,
                500.0161601689828, 0.1, 20.233090697480037, 77.34768992728227,
                0.006728933426553474,
            ],
        ],
        other_minima=[97.59103466369],
    )


@register(
    15,
    source="HS 117; Colville (1968), problem 2, the dual of the first, which is hs86",
    description="-b . y + z . C z + 2 sum d_j z_j^3, 2 C z + 3 d z^2 + e >= A^T y, x = (y, z) >= 0",
    constrained=True,
)
def hs117() -> Parts:
    x0 = np.full(15, 0.001)
    x0[6] = 60.0
    c, d = _COLVILLE_C, _COLVILLE_D
    return constrained(
        lambda x: (
            (x[10:] * (c @ x[10:]) + 2 * d * x[10:] ** 3).sum() - (_COLVILLE_B * x[:10]).sum()
        ),
        nonnegative=lambda x: (
            2 * (c @ x[10:]) + 3 * d * x[10:] ** 2 + _COLVILLE_E - _COLVILLE_A.T @ x[:10]
        ),
        x0=x0,
        bounds=(0.0, _INF),
        minimizers=[
            [
                0.0, 0.0, 5.174040727698177, 0.0, 3.0611086877584492, 11.839545664800733, 0.0,
                0.0, 0.10389619077061556, 0.0, 0.29999999999999977, 0.3334676065346074,
                0.39999999999999997, 0.428310104781699, 0.22396487356079794,
            ],
        ],
        whole=True,
    )


@register(
    15,
    source="HS 118; Bartholomew-Biggs (1976), production in five periods",
    description="sum over five periods 2.3 x + 1e-4 x^2 + 1.7 y + 1e-4 y^2 + 2.2 z + 1.5e-4 z^2, "
    "twelve differences between bounds, five sums of three at least 60, 50, 70, 85, 100, with "
    "bounds",
    convex=True,
    constrained=True,
)
def hs118() -> Parts:
    linear, square = np.tile([2.3, 1.7, 2.2], 5), np.tile([1e-4, 1e-4, 1.5e-4], 5)
    sums, demand = np.kron(np.eye(5), np.ones(3)), np.array([60.0, 50.0, 70.0, 85.0, 100.0])
    x0 = np.tile([20.0, 60.0, 20.0], 5)
    x0[1:3] = 55.0, 15.0
    return constrained(
        lambda x: (x * (linear + square * x)).sum(),
        nonnegative=lambda x: sums @ x - demand,
        between=(lambda x: x[3:] - x[:12], -7.0, np.tile([6.0, 7.0, 6.0], 4)),
        x0=x0,
        bounds=(
            [8.0, 43.0, 3.0, *[0.0] * 12],
            [21.0, 57.0, 16.0, *[90.0, 120.0, 60.0] * 4],
        ),
        minimizers=[
            [
                8.0, 49.0, 3.0, 1.0, 56.0, 0.0, 1.0, 63.0, 6.0, 3.0, 70.0, 12.0, 5.0, 77.0, 18.0,
            ],
        ],
        whole=True,
    )


@register(
    16,
    source="HS 119, the start (10, ..., 10) moved into the bounds; Colville (1968), problem 7",
    description="sum over 46 pairs u_i u_j, u_i = x_i^2 + x_i + 1, eight linear equations, "
    "0 <= x_i <= 5",
    constrained=True,
)
def hs119() -> Parts:
    second = {
        1: (1, 4, 7, 8, 16), 2: (2, 3, 7, 10), 3: (3, 7, 9, 10, 14), 4: (4, 7, 11, 15),
        5: (5, 6, 10, 12, 16), 6: (6, 8, 15), 7: (7, 11, 13), 8: (8, 10, 15), 9: (9, 12, 16),
        10: (10, 14), 11: (11, 13), 12: (12, 14), 13: (13, 14), 14: (14,), 15: (15,), 16: (16,),
    }  # fmt: skip
    pairs = np.zeros((16, 16))
    for i, many in second.items():
        pairs[i - 1, np.array(many) - 1] = 1.0
    b = np.array([
        [0.22, 0.20, 0.19, 0.25, 0.15, 0.11, 0.12, 0.13],
        [-1.46, 0.0, -1.30, 1.82, -1.15, 0.0, 0.80, 0.0],
        [1.29, -0.89, 0.0, 0.0, -1.16, -0.96, 0.0, -0.49],
        [-1.10, -1.06, 0.95, -0.54, 0.0, -1.78, -0.41, 0.0],
        [0.0, 0.0, 0.0, -1.43, 1.51, 0.59, -0.33, -0.43],
        [0.0, -1.72, -0.33, 0.0, 1.62, 1.24, 0.21, -0.26],
        [1.12, 0.0, 0.0, 0.31, 0.0, 0.0, 1.12, 0.0],
        [0.0, 0.45, 0.26, -1.10, 0.58, 0.0, -1.03, 0.10],
    ])  # fmt: skip
    b = np.hstack([b, np.eye(8)])
    b[6, 8] = -0.36
    c = np.array([2.5, 1.1, -3.1, -3.5, 1.3, 2.1, 2.3, -1.5])

    def f(x: Any) -> Any:
        u = x**2 + x + 1
        return (u * (pairs @ u)).sum()

    return constrained(
        f,
        zero=lambda x: b @ x - c,
        x0=np.full(16, 5.0),
        bounds=(0.0, 5.0),
        minimizers=[
            [
                0.03984735141112246, 0.791983155688381, 0.2028703302510362, 0.844357916365675,
                1.2699064528665027, 0.9347387078246431, 1.681961969246919, 0.15530087738956863,
                1.5678703335518007, 0.0, 0.0, 0.0, 0.6602040660869547, 0.0, 0.6742559268682823,
                0.0,
            ],
        ],
        whole=True,
    )
