"""Group partially separable problems of any size: each term has a few neighbouring variables.

References
----------
MGH : J. J. More, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization software",
    ACM Trans. Math. Softw. 7 (1981), pp. 17-41.
CUTEst : N. I. M. Gould, D. Orban and Ph. L. Toint, "CUTEst: a constrained and unconstrained
    testing environment with safe threads", Comput. Optim. Appl. 60 (2015), pp. 545-557.
Luksan and Vlcek : "Test problems for unconstrained optimization", Technical Report 897, Institute
    of Computer Science, Academy of Sciences of the Czech Republic, 2003.
Andrei : "An unconstrained optimization test functions collection", Adv. Model. Optim. 10 (2008),
    pp. 147-161.
Dixon and Maany : "A family of test problems with sparse Hessians for unconstrained optimization",
    Technical Report 206, Numerical Optimisation Centre, Hatfield Polytechnic, 1988.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._registry import Functions, Parts, Size, register
from ._structure import QUARTIC, SQUARE, Group, Outer, at, group_separable

_SIXTH: Outer = (lambda r: r**6, lambda r: 6 * r**5, lambda r: 30 * r**4)
_EIGHTH: Outer = (lambda r: r**8, lambda r: 8 * r**7, lambda r: 56 * r**6)

# Minimum values without closed form, computed by Newton's method.  The influence of either end on
# the terms in the middle decays geometrically, hence from the first n of the second pair on the
# value is affine in n to about nine digits, and interpolated.
_Minima = tuple[dict[int, float], tuple[int, float], tuple[int, float]]

_CRAGG_LEVY: _Minima = (
    {4: 0.0, 10: 0.9209317454986492, 36: 7.834159056671374, 50: 11.634273151786234},
    (100, 25.20612946312987),
    (1000, 269.49954348720865),
)
_ENGVAL1: _Minima = (
    {2: 0.0, 10: 9.177469957181389},
    (50, 53.58221488520762),
    (1000, 1108.1947187850135),
)
_BDQRTIC: _Minima = (
    {10: 18.281161753593537, 36: 122.41016896297049, 50: 178.48870521047033},
    (100, 378.76919180868424),
    (1000, 3983.8179505765343),
)
_EDENSCH: _Minima = (
    {10: 63.28460010526341},
    (36, 219.28459202076465),
    (1000, 6003.284592020765),
)


def _minimum(n: int, minima: _Minima) -> float | None:
    table, (n0, f0), (n1, f1) = minima
    if n < n0:
        return table.get(n)
    return f0 + (n - n0) * (f1 - f0) / (n1 - n0)


def _linear(
    where: tuple[slice, ...],
    *weights: float,
    shift: float = 0.0,
    scale: Any = 1.0,
    outer: Outer = SQUARE,
) -> Group:
    """Return the group of the powers of ``scale * (weights . arguments - shift)``."""
    return Group(
        where,
        lambda *x: scale * (sum(w * z for w, z in zip(weights, x, strict=True)) - shift),
        lambda *x: tuple(scale * w for w in weights),
        None,
        outer,
    )


def _valley(x: slice, y: slice, factor: float) -> Group:
    """Return the group of ``(factor (y - x^2))^2``."""
    return Group(
        (x, y),
        lambda x, y: factor * (y - x * x),
        lambda x, y: (-2 * factor * x, factor),
        lambda x, y: {(0, 0): -2 * factor},
        SQUARE,
    )


_LOCAL_ROSENBROCK = (
    3.701428610430018, 3.930839434133028, 3.973940500930295, 3.983600536424854, 3.985887769599489,
    3.986442823247814, 3.986579112347139, 3.986612769450976, 3.986621104720593, 3.986623171864493,
    3.986623684872238, 3.986623812230603, 3.986623843853806, 3.986623851706553, 3.986623853656647,
    3.986623854140931, 3.986623854261198, 3.986623854300934,
)  # fmt: skip


@register(
    Size(100, least=2),
    source="Toint; the form of scipy.optimize.rosen",
    description="sum_{i<n} 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2",
)
def chained_rosenbrock(n: int) -> Parts:
    x0 = np.ones(n)
    x0[::2] = -1.2
    head, tail = slice(0, n - 1), slice(1, n)
    return Parts(
        group_separable(n, _valley(head, tail, 10.0), _linear((head,), 1.0, shift=1.0)),
        x0=x0,
        fmin=0.0,
        minimizers=[np.ones(n)],
        # The local minimum for n >= 4, near (-1, 1, ..., 1); it has converged at n = 20.
        other_minima=_LOCAL_ROSENBROCK[n - 4 : n - 3] or _LOCAL_ROSENBROCK[-1:] * (n > 3),
    )


@register(
    Size(2, least=2),
    source="MGH 1 at n = 2; the form of scipy.optimize.rosen at any n",
    description="sum_{i<n} 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2",
)
def rosenbrock(n: int) -> Parts:
    return chained_rosenbrock(n)


@register(
    Size(100, least=2, multiple=2),
    source="MGH 21, CUTEst SROSENBR",
    description="sum over pairs 100 (x_{2i} - x_{2i-1}^2)^2 + (1 - x_{2i-1})^2",
)
def extended_rosenbrock(n: int) -> Parts:
    odd, even = slice(0, n, 2), slice(1, n, 2)
    return Parts(
        group_separable(n, _valley(odd, even, 10.0), _linear((odd,), 1.0, shift=1.0)),
        x0=np.tile([-1.2, 1.0], n // 2),
        fmin=0.0,
        minimizers=[np.ones(n)],
    )


def _powell_singular(n: int) -> Parts:
    a, b, c, d = (slice(k, n, 4) for k in range(4))
    return Parts(
        group_separable(
            n,
            _linear((a, b), 1.0, 10.0),
            _linear((c, d), 1.0, -1.0, scale=np.sqrt(5.0)),
            _linear((b, c), 1.0, -2.0, outer=QUARTIC),
            _linear((a, d), 1.0, -1.0, scale=10**0.25, outer=QUARTIC),
        ),
        x0=np.tile([3.0, -1.0, 0.0, 1.0], n // 4),
        fmin=0.0,
        minimizers=[np.zeros(n)],
    )


@register(
    4,
    source="MGH 13",
    description="(x1 + 10 x2)^2 + 5 (x3 - x4)^2 + (x2 - 2 x3)^4 + 10 (x1 - x4)^4",
    convex=True,
)
def powell_singular() -> Parts:
    return _powell_singular(4)


@register(
    Size(100, least=4, multiple=4),
    source="MGH 22, CUTEst POWELLSG",
    description="sum over blocks of four (x1 + 10 x2)^2 + 5 (x3 - x4)^2 + (x2 - 2 x3)^4 "
    "+ 10 (x1 - x4)^4",
    convex=True,
)
def extended_powell_singular(n: int) -> Parts:
    return _powell_singular(n)


def _wood(n: int) -> Parts:
    a, b, c, d = (slice(k, n, 4) for k in range(4))
    return Parts(
        group_separable(
            n,
            _valley(a, b, 10.0),
            _linear((a,), 1.0, shift=1.0),
            _valley(c, d, np.sqrt(90.0)),
            _linear((c,), 1.0, shift=1.0),
            _linear((b, d), 1.0, 1.0, shift=2.0, scale=np.sqrt(10.0)),
            _linear((b, d), 1.0, -1.0, scale=1 / np.sqrt(10.0)),
        ),
        x0=np.tile([-3.0, -1.0, -3.0, -1.0], n // 4),
        fmin=0.0,
        minimizers=[np.ones(n)],
        # A saddle point in each block, near (-1, 1, -1, 1), where methods are known to stall.
        other_minima=[7.876967165176868 * (n // 4)],
    )


_WOOD = (
    "100 (x2 - x1^2)^2 + (1 - x1)^2 + 90 (x4 - x3^2)^2 + (1 - x3)^2 + 10 (x2 + x4 - 2)^2 "
    "+ (x2 - x4)^2 / 10"
)


@register(4, source="MGH 14", description=_WOOD)
def wood() -> Parts:
    return _wood(4)


@register(
    Size(100, least=4, multiple=4),
    source="CUTEst WOODS",
    description=f"sum over blocks of four {_WOOD}",
)
def extended_wood(n: int) -> Parts:
    return _wood(n)


_DIXON_MAANY = {
    # alpha, beta, gamma, delta, exponent of i / n in the first and the last sum
    "a": (1.0, 0.0, 0.125, 0.125, 0),
    "b": (1.0, 0.0625, 0.0625, 0.0625, 0),
    "c": (1.0, 0.125, 0.125, 0.125, 0),
    "d": (1.0, 0.26, 0.26, 0.26, 0),
    "e": (1.0, 0.0, 0.125, 0.125, 1),
    "f": (1.0, 0.0625, 0.0625, 0.0625, 1),
    "g": (1.0, 0.125, 0.125, 0.125, 1),
    "h": (1.0, 0.26, 0.26, 0.26, 1),
    "i": (1.0, 0.0, 0.125, 0.125, 2),
    "j": (1.0, 0.0625, 0.0625, 0.0625, 2),
    "k": (1.0, 0.125, 0.125, 0.125, 2),
    "l": (1.0, 0.26, 0.26, 0.26, 2),
}


def _dixon_maany(letter: str) -> Callable[[int], Parts]:
    alpha, beta, gamma, delta, k = _DIXON_MAANY[letter]

    def build(n: int) -> Parts:
        m = n // 3
        weight = (np.arange(1.0, n + 1) / n) ** k
        root_alpha, coupling = np.sqrt(alpha * weight), delta * weight[:m]
        b, c = np.sqrt(beta), np.sqrt(gamma)
        groups = [
            _linear((slice(0, n),), 1.0, scale=root_alpha),
            Group(
                (slice(0, 2 * m), slice(m, n)),
                lambda x, y: c * x * y * y,
                lambda x, y: (c * y * y, 2 * c * x * y),
                lambda x, y: {(0, 1): 2 * c * y, (1, 1): 2 * c * x},
                SQUARE,
            ),
            Group(
                (slice(0, m), slice(2 * m, n)),
                lambda x, y: coupling * x * y,
                lambda x, y: (coupling * y, coupling * x),
                lambda x, y: {(0, 1): coupling},
            ),
        ]
        if beta:
            groups.append(
                Group(
                    (slice(0, n - 1), slice(1, n)),
                    lambda x, y: b * x * y * (1 + y),
                    lambda x, y: (b * y * (1 + y), b * x * (1 + 2 * y)),
                    lambda x, y: {(0, 1): b * (1 + 2 * y), (1, 1): 2 * b * x},
                    SQUARE,
                )
            )
        return Parts(
            group_separable(n, *groups, constant=1.0),
            x0=np.full(n, 2.0),
            fmin=1.0,
            minimizers=[np.zeros(n)],
        )

    return build


for _letter, (_alpha, _beta, _gamma, _delta, _k) in _DIXON_MAANY.items():
    register(
        Size(90, least=3, multiple=3),
        name=f"dixon_maany_{_letter}",
        source=f"Dixon and Maany (1988), CUTEst DIXMAAN{_letter.upper()}",
        description=f"1 + sum_n {_alpha} w_i x_i^2 + sum_{{n-1}} {_beta} x_i^2 (x_{{i+1}} "
        f"+ x_{{i+1}}^2)^2 + sum_2m {_gamma} x_i^2 x_{{i+m}}^4 + sum_m {_delta} w_i x_i x_{{i+2m}}"
        f", w_i = (i/n)^{_k}, n = 3m",
    )(_dixon_maany(_letter))


@register(
    Size(100, least=4, multiple=2),
    source="Cragg and Levy (1969); Luksan and Vlcek (2003); CUTEst CRAGGLVY but for its tangent "
    "term",
    description="sum over overlapping blocks of four (exp x1 - x2)^4 + 100 (x2 - x3)^6 "
    "+ tan^4(x3 - x4) + x1^8 + (x4 - 1)^2",
)
def cragg_levy(n: int) -> Parts:
    a, b, c, d = (slice(k, n - 3 + k, 2) for k in range(4))

    def tangent_hess(x: Any, y: Any) -> dict[tuple[int, int], Any]:
        t = np.tan(x - y)
        h = 2 * t * (1 + t * t)
        return {(0, 0): h, (0, 1): -h, (1, 1): h}

    x0 = np.full(n, 2.0)
    x0[0] = 1.0
    return Parts(
        group_separable(
            n,
            Group(
                (a, b),
                lambda x, y: np.exp(x) - y,
                lambda x, y: (np.exp(x), -1.0),
                lambda x, y: {(0, 0): np.exp(x)},
                QUARTIC,
            ),
            _linear((b, c), 1.0, -1.0, scale=100 ** (1 / 6), outer=_SIXTH),
            Group(
                (c, d),
                lambda x, y: np.tan(x - y),
                lambda x, y: (1 + np.tan(x - y) ** 2, -1 - np.tan(x - y) ** 2),
                tangent_hess,
                QUARTIC,
            ),
            _linear((a,), 1.0, outer=_EIGHTH),
            _linear((d,), 1.0, shift=1.0),
        ),
        x0=x0,
        fmin=_minimum(n, _CRAGG_LEVY),
        minimizers=[[0.0, 1.0, 1.0, 1.0]] if n == 4 else [],
    )


@register(
    Size(100, least=2),
    source="CUTEst ENGVAL1; Luksan and Vlcek (2003)",
    description="sum_{i<n} (x_i^2 + x_{i+1}^2)^2 - 4 x_i + 3",
    convex=True,
)
def engval1(n: int) -> Parts:
    head, tail = slice(0, n - 1), slice(1, n)
    return Parts(
        group_separable(n, _circle(head, tail), _drop(head)),
        x0=np.full(n, 2.0),
        fmin=_minimum(n, _ENGVAL1),
        minimizers=[[1.0, 0.0]] if n == 2 else [],
    )


def _circle(x: slice, y: slice) -> Group:
    """Return the group of ``(x^2 + y^2)^2``."""
    return Group(
        (x, y),
        lambda x, y: x * x + y * y,
        lambda x, y: (2 * x, 2 * y),
        lambda x, y: {(0, 0): 2.0, (1, 1): 2.0},
        SQUARE,
    )


def _drop(x: slice) -> Group:
    """Return the group of ``-4 x + 3``."""
    return Group((x,), lambda x: 3 - 4 * x, lambda x: (-4.0,))


@register(
    Size(100, least=2),
    source="CUTEst ARWHEAD",
    description="sum_{i<n} (x_i^2 + x_n^2)^2 - 4 x_i + 3",
    convex=True,
)
def arwhead(n: int) -> Parts:
    head = slice(0, n - 1)
    solution = np.ones(n)
    solution[-1] = 0.0
    return Parts(
        group_separable(n, _circle(head, at(n - 1)), _drop(head)),
        x0=np.ones(n),
        fmin=0.0,
        minimizers=[solution],
    )


@register(
    Size(100, least=3),
    source="CUTEst NONDQUAR",
    description="(x1 - x2)^2 + sum_{i<=n-2} (x_i + x_{i+1} + x_n)^4 + (x_{n-1} + x_n)^2",
    convex=True,
)
def nondquar(n: int) -> Parts:
    x0 = np.ones(n)
    x0[1::2] = -1.0
    return Parts(
        group_separable(
            n,
            _linear((at(0), at(1)), 1.0, -1.0),
            _linear((slice(0, n - 2), slice(1, n - 1), at(n - 1)), 1.0, 1.0, 1.0, outer=QUARTIC),
            _linear((at(n - 2), at(n - 1)), 1.0, 1.0),
        ),
        x0=x0,
        fmin=0.0,
        minimizers=[np.zeros(n)],
    )


@register(
    Size(100),
    source="CUTEst DQRTIC",
    description="sum (x_i - i)^4",
    convex=True,
)
def dqrtic(n: int) -> Parts:
    i = np.arange(1.0, n + 1)
    return Parts(
        group_separable(n, Group((slice(0, n),), lambda x: x - i, lambda x: (1.0,), None, QUARTIC)),
        x0=np.full(n, 2.0),
        fmin=0.0,
        minimizers=[i],
    )


@register(
    Size(100, least=5),
    source="CUTEst BDQRTIC",
    description="sum_{i<=n-4} (3 - 4 x_i)^2 + (x_i^2 + 2 x_{i+1}^2 + 3 x_{i+2}^2 + 4 x_{i+3}^2 "
    "+ 5 x_n^2)^2",
    convex=True,
)
def bdqrtic(n: int) -> Parts:
    weights = (1.0, 2.0, 3.0, 4.0, 5.0)
    where = (*(slice(k, n - 4 + k) for k in range(4)), at(n - 1))
    return Parts(
        group_separable(
            n,
            _linear((where[0],), -4.0, shift=-3.0),
            Group(
                where,
                lambda *x: sum(w * z * z for w, z in zip(weights, x, strict=True)),
                lambda *x: tuple(2 * w * z for w, z in zip(weights, x, strict=True)),
                lambda *x: {(k, k): 2 * w for k, w in enumerate(weights)},
                SQUARE,
            ),
        ),
        x0=np.ones(n),
        fmin=_minimum(n, _BDQRTIC),
    )


@register(
    Size(100, least=2),
    source="Li (1988); CUTEst EDENSCH",
    description="16 + sum_{i<n} (x_i - 2)^4 + (x_i x_{i+1} - 2 x_{i+1})^2 + (x_{i+1} + 1)^2",
)
def edensch(n: int) -> Parts:
    head, tail = slice(0, n - 1), slice(1, n)
    return Parts(
        group_separable(
            n,
            _linear((head,), 1.0, shift=2.0, outer=QUARTIC),
            Group(
                (head, tail),
                lambda x, y: (x - 2) * y,
                lambda x, y: (y, x - 2),
                lambda x, y: {(0, 1): 1.0},
                SQUARE,
            ),
            _linear((tail,), 1.0, shift=-1.0),
            constant=16.0,
        ),
        x0=np.zeros(n),
        fmin=_minimum(n, _EDENSCH),
    )


@register(
    Size(100, least=3),
    source="Toint (1983), CUTEst TOINTGSS",
    description="sum_{i<=n-2} (10 / (n + 2) + x_{i+2}^2) (2 - exp(-(x_i - x_{i+1})^2 "
    "/ (0.1 + x_{i+2}^2)))",
)
def tointgss(n: int) -> Parts:
    c = 10 / (n + 2)

    # With d = x - y and q = 0.1 + z^2 the element is (c + z^2) (2 - e), e = exp(-d^2 / q).
    def value(x: Any, y: Any, z: Any) -> Any:
        return (c + z * z) * (2 - np.exp(-((x - y) ** 2) / (0.1 + z * z)))

    def grad(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
        d, q, w = x - y, 0.1 + z * z, c + z * z
        e = np.exp(-d * d / q)
        slope = 2 * w * e * d / q
        return slope, -slope, 2 * z * (2 - e - w * e * d * d / q**2)

    def hess(x: Any, y: Any, z: Any) -> dict[tuple[int, int], Any]:
        d, q, w = x - y, 0.1 + z * z, c + z * z
        e = np.exp(-d * d / q)
        u = d * d / q
        dd = 2 * w * e / q * (1 - 2 * u)
        dz = 4 * z * d * e / q * (1 - w / q + w * u / q)
        # Derivatives with respect to s = z^2, of the element and of its slope.
        s1 = 2 - e - w * e * u / q
        s2 = e * u / q * (-2 + 2 * w / q - w * u / q)
        return {
            (0, 0): dd, (0, 1): -dd, (1, 1): dd,
            (0, 2): dz, (1, 2): -dz, (2, 2): 2 * s1 + 4 * z * z * s2,
        }  # fmt: skip

    where = (slice(0, n - 2), slice(1, n - 1), slice(2, n))
    return Parts(
        group_separable(n, Group(where, value, grad, hess)),
        x0=np.full(n, 3.0),
        fmin=c * (n - 2),
        minimizers=[np.zeros(n)],
        # When some differences go to infinity, each of these exponentials is lost.
        other_minima=[c * (n - 2 + k) for k in range(1, min(n - 2, 5) + 1)],
    )


@register(
    Size(100, least=2),
    source="Li (1988); CUTEst LIARWHD",
    description="sum 4 (x_i^2 - x_1)^2 + (x_i - 1)^2",
)
def liarwhd(n: int) -> Parts:
    # The first term has both arguments in x_1, hence a group of its own.
    every, rest = slice(0, n), slice(1, n)
    return Parts(
        group_separable(
            n,
            _valley(rest, at(0), 2.0),
            Group(
                (at(0),),
                lambda x: 2 * (x * x - x),
                lambda x: (4 * x - 2,),
                lambda x: {(0, 0): 4.0},
                SQUARE,
            ),
            _linear((every,), 1.0, shift=1.0),
        ),
        x0=np.full(n, 4.0),
        fmin=0.0,
        minimizers=[np.ones(n)],
    )


@register(
    Size(100, least=2),
    source="CUTEst TRIDIA",
    description="(x_1 - 1)^2 + sum_{i>=2} i (2 x_i - x_{i-1})^2",
    convex=True,
)
def tridia(n: int) -> Parts:
    return Parts(
        group_separable(
            n,
            _linear((at(0),), 1.0, shift=1.0),
            _linear(
                (slice(1, n), slice(0, n - 1)), 2.0, -1.0, scale=np.sqrt(np.arange(2.0, n + 1))
            ),
        ),
        x0=np.ones(n),
        fmin=0.0,
        minimizers=[0.5 ** np.arange(n)],
    )


@register(
    Size(100, least=2),
    source="Shanno's nondiagonal Rosenbrock function; CUTEst NONDIA is a variant",
    description="sum_{i>=2} 100 (x_1 - x_i^2)^2 + (1 - x_i)^2",
)
def nondia(n: int) -> Parts:
    rest = slice(1, n)
    return Parts(
        group_separable(n, _valley(rest, at(0), 10.0), _linear((rest,), 1.0, shift=1.0)),
        x0=np.full(n, -1.0),
        fmin=0.0,
        minimizers=[np.ones(n)],
    )


@register(
    Size(100, least=2),
    source="CUTEst COSINE; Luksan and Vlcek (2003)",
    description="sum_{i<n} cos(x_i^2 - x_{i+1} / 2)",
)
def cosine(n: int) -> Parts:
    def hess(x: Any, y: Any) -> dict[tuple[int, int], Any]:
        c, s = np.cos(x * x - y / 2), np.sin(x * x - y / 2)
        return {(0, 0): -4 * x * x * c - 2 * s, (0, 1): x * c, (1, 1): -c / 4}

    # The fixed point of x^2 - x / 2 = pi is one of many minimisers.
    fixed = (0.5 + np.sqrt(0.25 + 4 * np.pi)) / 2
    return Parts(
        group_separable(
            n,
            Group(
                (slice(0, n - 1), slice(1, n)),
                lambda x, y: np.cos(x * x - y / 2),
                lambda x, y: (-2 * x * np.sin(x * x - y / 2), np.sin(x * x - y / 2) / 2),
                hess,
            ),
        ),
        x0=np.ones(n),
        fmin=-(n - 1.0),
        minimizers=[np.full(n, fixed)],
    )


@register(
    Size(100, least=2),
    source="Andrei (2008), FLETCHCR; CUTEst FLETCHCR",
    description="sum_{i<n} 100 (x_{i+1} - x_i + 1 - x_i^2)^2",
)
def fletchcr(n: int) -> Parts:
    return Parts(
        group_separable(
            n,
            Group(
                (slice(0, n - 1), slice(1, n)),
                lambda x, y: 10 * (y - x + 1 - x * x),
                lambda x, y: (-10 - 20 * x, 10.0),
                lambda x, y: {(0, 0): -20.0},
                SQUARE,
            ),
        ),
        x0=np.zeros(n),
        fmin=0.0,
        minimizers=[np.ones(n), -np.ones(n)],
    )


def _separable(
    n: int, value: Callable[[Any], Any], first: Callable[[Any], Any], second: Callable[[Any], Any]
) -> Functions:
    return group_separable(
        n, Group((slice(0, n),), value, lambda x: (first(x),), lambda x: {(0, 0): second(x)})
    )


@register(
    Size(100),
    source="Andrei (2008), Raydan 1",
    description="sum (i / 10) (exp x_i - x_i)",
    convex=True,
)
def raydan_1(n: int) -> Parts:
    w = np.arange(1.0, n + 1) / 10
    return Parts(
        _separable(
            n,
            lambda x: w * (np.exp(x) - x),
            lambda x: w * np.expm1(x),
            lambda x: w * np.exp(x),
        ),
        x0=np.ones(n),
        fmin=n * (n + 1) / 20,
        minimizers=[np.zeros(n)],
    )


@register(
    Size(100),
    source="Andrei (2008), Hager",
    description="sum exp(x_i) - i^(1/2) x_i",
    convex=True,
)
def hager(n: int) -> Parts:
    root = np.sqrt(np.arange(1.0, n + 1))
    return Parts(
        _separable(n, lambda x: np.exp(x) - root * x, lambda x: np.exp(x) - root, np.exp),
        x0=np.ones(n),
        fmin=np.sum(root * (1 - np.log(root))),
        minimizers=[np.log(root)],
    )


@register(
    Size(10),
    source="Styblinski and Tang (1990), Neural Networks 3, pp. 467-483",
    description="(1/2) sum x_i^4 - 16 x_i^2 + 5 x_i",
)
def styblinski_tang(n: int) -> Parts:
    def quartic(x: float) -> float:
        return (x**4 - 16 * x**2 + 5 * x) / 2

    left, right = -2.903534027771177, 2.746802770924846
    # Any number of the coordinates may end in the higher of the two wells.
    return Parts(
        _separable(
            n,
            lambda x: (x**4 - 16 * x**2 + 5 * x) / 2,
            lambda x: 2 * x**3 - 16 * x + 2.5,
            lambda x: 6 * x**2 - 16,
        ),
        x0=np.full(n, -1.0),
        fmin=n * quartic(left),
        minimizers=[np.full(n, left)],
        other_minima=[
            (n - k) * quartic(left) + k * quartic(right) for k in range(1, min(n, 100) + 1)
        ],
    )
