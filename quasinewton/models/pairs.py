r"""The stored pairs (s, y), scaled, and their inner products.

What is stored of a pair is

* the direction :math:`\hat s = s/\|s\|`,
* the curvature :math:`\tau = \|y\|/\|s\|` and the cosine :math:`c = s^T y/(\|s\|\|y\|)`,
* the rest :math:`z = y/\|y\| - c\,\hat s`,

so :math:`y/\|s\| = \tau (c\,\hat s + z)`. This scaling changes no model (each is invariant
under (s, y) -> (a s, a y)), keeps every inner product of order one at any scale of the
problem, and keeps the digits of y - (multiple of s), which Psi = Y - gamma S would lose
where y is nearly parallel to s.
"""

from __future__ import annotations

import math

from ..kernels import SQUARE, inline_kernel, vector_function
from ..vectors import (
    LARGE,
    SMALL,
    difference_products,
    difference_sizes,
    multiply_rows,
    multiply_rows_by_three,
    store_pair,
)

__all__ = [
    "LARGEST", "LEAST_ALONG", "absorb", "bring_up_to_date", "choose_gamma",
    "gram_rows", "is_settled",
]  # fmt: skip

#: How gamma is chosen: the largest y.y/s.y, or the least s.y/s.s.
LARGEST, LEAST_ALONG = range(2)

#: Pairs after which a matrix that forgets nothing keeps its gamma.
_SETTLED = 10
#: ... while |y|/|s| of some pair kept is above this part of the largest, or of gamma.
_DIGITS = 1e-12


def gram_rows(m: int) -> int:
    """Rows of `gram` for m pairs: 2m of the Gram matrix, the products with g, three to work in."""
    return 2 * m + 4


@inline_kernel
def _next_slot(ring, state):
    """The row of the pair to come: a free one, or that of the oldest, which leaves the ring."""
    s = state[0]
    m = ring.size
    if s.pairs < m:
        slot = s.pairs
        s.pairs += 1
    else:
        slot = ring[0].slot
        for j in range(m - 1):
            older, newer = ring[j], ring[j + 1]
            older.tau, older.cosine, older.slot = newer.tau, newer.cosine, newer.slot
            older.bend = newer.bend
        s.applied = s.applied - 1 if s.whole != 0 else -1
    ring[s.pairs - 1].slot = slot
    return slot


@vector_function(0, inline=True, patient=SQUARE)
def absorb(x, x_trial, g, g_trial, change, rows, ring, state):
    """Store the pair (x_trial - x, g_trial - g) in place of the oldest.

    Parameters
    ----------
    x, x_trial, g, g_trial : arrays, shape (n,)
    change : (float, float)
        theta = 6 (f - f_trial) + 6 g.s and its roundoff. With 3 s.y added it is what the change
        in f tells beyond the change in g; the pair is then (s, y + theta/(s.s) s), with which the
        model reproduces f as well along s (Zhang, Deng & Chen 1999). A theta that is roundoff,
        NaN, or not small beside s.y is not used. `bend` keeps |theta|/|s.y|, but for roundoff: 0
        where f is quadratic along s, and infinite where nothing is known.
    rows : array, shape (2m, n)
        Directions s in rows 0..m-1 and rests z in rows m..2m-1, by slot.
    ring : RING array, shape (m,)
        The pairs from the oldest to the newest.
    state : STATE array
        `stored` counts the pair.

    Returns
    -------
    stored : bool
        False, and nothing has changed, where the pair is zero or not finite.
    """
    m = ring.size
    s_max = y_max = s_inverse = y_inverse = 1.0
    ss, sy, yy = difference_products(x, x_trial, g, g_trial, s_inverse, y_inverse)
    if not (SMALL < ss < LARGE and SMALL < yy < LARGE):
        s_max, y_max = difference_sizes(x, x_trial, g, g_trial)
        if s_max == 0.0 or not (math.isfinite(s_max) and math.isfinite(y_max)):
            return False
        s_inverse = 1.0 / s_max
        y_inverse = 1.0 / y_max if y_max > 0.0 else 0.0
        if not math.isfinite(s_inverse):
            return False
        if not math.isfinite(y_inverse):
            y_inverse = 0.0
            y_max = 0.0
        ss, sy, yy = difference_products(x, x_trial, g, g_trial, s_inverse, y_inverse)
    s_norm = math.sqrt(ss)
    y_norm = math.sqrt(yy)
    curvature = (y_max / s_max) * (y_norm / s_norm)
    if not math.isfinite(curvature):
        return False
    c = min(max(sy / (s_norm * y_norm), -1.0), 1.0) if y_norm > 0.0 else 0.0
    bend = math.inf
    along = c  # of the multiple of s to take from y
    if y_norm > 0.0:
        theta, noise = change
        unit = s_max * y_max
        theta = theta / unit + 3.0 * sy
        if math.isfinite(theta) and sy != 0.0:
            bend = max(0.0, abs(theta) - noise / unit) / abs(sy)
        if abs(theta) <= 0.9 * abs(sy) and abs(theta) > noise / unit + 1e-14 * abs(sy):
            # y changes along s only: by this multiple of |y| s/|s|
            extra = theta / (s_norm * y_norm)
            stretch = math.sqrt(1.0 + extra * (2.0 * c + extra))
            c = min(max((c + extra) / stretch, -1.0), 1.0)
            along /= stretch
            curvature *= stretch
            y_norm *= stretch
    slot = _next_slot(ring, state)
    record = state[0]
    record.stored += 1
    pair = ring[record.pairs - 1]
    pair.tau = curvature
    pair.cosine = c
    pair.bend = bend
    y_unit = 1.0 / y_norm if y_norm > 0.0 else 0.0
    store_pair(
        x, x_trial, g, g_trial, (s_inverse, 1.0 / s_norm), (y_inverse, y_unit), along, rows[slot],
        rows[m + slot],
    )  # fmt: skip
    return True


@inline_kernel
def _enter(gram, slot, used):
    """Put what the last rows of `gram` hold in place: the products with a pair and with g."""
    m = gram.shape[1] // 2
    for part in range(2):
        for j in range(part * m, part * m + used):
            gram[j, slot] = gram[slot, j] = gram[2 * m + 1, j]
            gram[j, m + slot] = gram[m + slot, j] = gram[2 * m + 2, j]
            gram[2 * m, j] = gram[2 * m + 3, j]


@vector_function(0, inline=True)
def bring_up_to_date(g, rows, ring, gram, state):
    """Take the pairs that were stored, and the gradient g, into the inner products.

    Parameters
    ----------
    g : array, shape (n,)
    rows, ring
        As `absorb` leaves them.
    gram : float64 array, shape (gram_rows(m), 2m)
        Inner products of the rows, and in the next row ``rows @ g``.
    state : STATE array
        `stored` tells how many of the newest pairs are new; it becomes 0, as does `outdated`.
    """
    record = state[0]
    m = ring.size
    used = record.pairs
    if record.stored == 0:
        multiply_rows(rows, g, gram[2 * m])
    products = gram[2 * m + 1 :]
    for j in range(max(0, used - record.stored), used):
        slot = ring[j].slot
        s_row, z_row = rows[slot], rows[m + slot]
        multiply_rows_by_three(rows[:used], s_row, z_row, g, products[:, :used])
        multiply_rows_by_three(rows[m : m + used], s_row, z_row, g, products[:, m : m + used])
        _enter(gram, slot, used)
    record.stored = record.outdated = 0


@inline_kernel
def is_settled(ring, state):
    """Whether pairs to come are worked into a dense matrix, which is not made anew for them."""
    s = state[0]
    return s.reduced != 0 or (s.whole != 0 and s.applied >= min(_SETTLED, ring.size))


@inline_kernel
def choose_gamma(ring, state, fallback):
    """By `gamma_rule` the largest y.y/s.y, or the least s.y/s.s.

    Of the last `window` pairs where s.y > 0.

    Where B forgets nothing, its first pairs settle gamma, as long as the curvatures of now keep
    some digits beside the largest there was. That of a model which was begun anew, see `revive`,
    stays.
    """
    s = state[0]
    count = s.pairs
    if s.revived != 0:
        return s.matrix_gamma
    if s.reduced == 0 and is_settled(ring, state):
        recent = 0.0
        for j in range(count):
            recent = max(recent, ring[j].tau)
        if recent >= _DIGITS * s.unit:
            return s.matrix_gamma
    rule = s.gamma_rule
    best = 0.0 if rule == LARGEST else math.inf
    for j in range(max(0, count - s.window), count):
        tau, cosine = ring[j].tau, ring[j].cosine
        if cosine > 1e-8:
            if rule == LARGEST:
                best = max(best, tau / cosine)
            else:
                best = min(best, tau * cosine)
    return best if best > 0.0 and math.isfinite(best) else fallback
