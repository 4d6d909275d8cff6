r"""Limited-memory quasi-Newton matrices in spectral form.

Every model is :math:`B = \gamma I + C`, where C is symmetric and lives on the span of the
stored pairs. What is stored of a pair is

* the direction :math:`\hat s = s/\|s\|`,
* the curvature :math:`\tau = \|y\|/\|s\|` and the cosine :math:`c = s^T y/(\|s\|\|y\|)`,
* the rest :math:`z = y/\|y\| - c\,\hat s`,

so :math:`y/\|s\| = \tau (c\,\hat s + z)`. This scaling changes no model (each is invariant
under (s, y) -> (a s, a y)), keeps every inner product of order one at any scale of the
problem, and keeps the digits of y - (multiple of s), which Psi = Y - gamma S would lose
where y is nearly parallel to s.

From the Gram matrix of the rows [S; Z] a Cholesky factorisation gives orthonormal
coordinates of the pairs: rows^T = U X with orthonormal U = rows^T T, neither formed. In
these coordinates the updates run as dense recursions on k x k matrices (`updates`), an
eigendecomposition yields the spectrum, and a new gamma costs no pass over n-vectors.
When n <= 2m the coordinates are the variables themselves and no Gram matrix is needed.

This is the compact representation of Byrd, Nocedal & Schnabel (1994) with its partial
eigendecomposition as in Brust, Erway & Marcia (2017), for any sequence of updates.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernels import HUGE, block_length, inline_kernel, kernel, vector_kernel
from .eigen import diagonalise, tridiagonalise
from .updates import KINDS, update

__all__ = [
    "CompactModel", "absorb", "add_combination", "confine", "multiply_rows", "renew_matrix",
    "spectrum",
]  # fmt: skip

#: A row whose part outside the span of the others is smaller than this is dependent.
_INDEPENDENT = 1e-6
#: Eigenvalues of C below this fraction of the largest are roundoff.
_NULL = 1e-13
#: Bound on negative eigenvalues, as a part of that on positive ones.
_NEGATIVE = 0.1
#: Pairs after which a matrix that forgets nothing keeps its gamma.
_SETTLED = 10
#: ... while |y|/|s| of some pair kept is above this part of the largest, or of gamma.
_DIGITS = 1e-6

# Integers of a model, by their place in the array `ints`: pairs in the ring; whether the newest is
# used, and how many are; how many of the ring a dense matrix holds, -1 where it is to be made
# anew; whether it keeps what the ring has lost; whether its inverse is there.
PAIRS, NEWEST, USED, APPLIED, WHOLE, INVERSE = range(6)
INTEGERS = 6
#: What stands in `h` where n <= 2m.
UNIT, MATRIX_GAMMA, SIZE = range(3)
#: The planes of the workspace.
BASIS, COORDINATES, MATRIX, ROTATION, LINES = range(5)


@vector_kernel
def _largest_differences(x, x_trial, g, g_trial):
    """max|x_trial - x|, max|g_trial - g|; NaN where an element is not finite."""
    s_max = 0.0
    y_max = 0.0
    strange = 0
    for i in range(x.size):
        s = abs(np.float64(x_trial[i]) - np.float64(x[i]))
        y = abs(np.float64(g_trial[i]) - np.float64(g[i]))
        s_max = max(s_max, s)
        y_max = max(y_max, y)
        if not (s <= HUGE and y <= HUGE):
            strange += 1
    if strange:
        return math.nan, math.nan
    return s_max, y_max


@vector_kernel
def _pair_products(x, x_trial, g, g_trial, s_inverse, y_inverse):
    ss = 0.0
    sy = 0.0
    yy = 0.0
    for i in range(x.size):
        s = (np.float64(x_trial[i]) - np.float64(x[i])) * s_inverse
        y = (np.float64(g_trial[i]) - np.float64(g[i])) * y_inverse
        ss += s * s
        sy += s * y
        yy += y * y
    return ss, sy, yy


@vector_kernel
def _store_rows(x, x_trial, g, g_trial, s_inverse, y_inverse, s_unit, y_unit, along, s_row, z_row):
    """s_row = s/|s|, z_row = y/|y| - along s/|s|; two factors each, so that none overflows."""
    for i in range(x.size):
        s = (np.float64(x_trial[i]) - np.float64(x[i])) * s_inverse * s_unit
        s_row[i] = s
        z_row[i] = (np.float64(g_trial[i]) - np.float64(g[i])) * y_inverse * y_unit - along * s


@vector_kernel
def _three_products(rows, a, b, c, out):
    """out[j] = (rows[j].a, rows[j].b, rows[j].c) for all j, streaming `rows` once."""
    count, n = rows.shape
    out[:, :] = 0.0
    for start in range(0, n, block_length):
        block = slice(start, start + block_length)
        part_a, part_b, part_c = a[block], b[block], c[block]
        for j in range(count):
            row = rows[j, block]
            pa = 0.0
            pb = 0.0
            pc = 0.0
            for i in range(row.size):
                r = np.float64(row[i])
                pa += r * np.float64(part_a[i])
                pb += r * np.float64(part_b[i])
                pc += r * np.float64(part_c[i])
            out[j, 0] += pa
            out[j, 1] += pb
            out[j, 2] += pc


@vector_kernel
def multiply_rows(rows, v, out):
    """out = rows @ v, streaming `rows` once.

    Loops begin at 0, here and below, which slices are made for: numba looks out for negative
    indices where it does not know that there are none, and then LLVM uses no SIMD.
    """
    count, n = rows.shape
    out[:] = 0.0
    for start in range(0, n, block_length):
        block = slice(start, start + block_length)
        part = v[block]
        for j in range(count):
            row = rows[j, block]
            p = 0.0
            for i in range(row.size):
                p += np.float64(row[i]) * np.float64(part[i])
            out[j] += p


@vector_kernel
def add_combination(alpha, v, rows, w, base, out, buffer):
    """out = base + (alpha v + rows^T w), streaming `rows` once; whether out differs from base.

    `buffer`, shape (block_length,), is workspace.
    """
    count, n = rows.shape
    moved = False
    for start in range(0, n, block_length):
        block = slice(start, start + block_length)
        part, old, new = v[block], base[block], out[block]
        size = part.size
        for i in range(size):
            buffer[i] = alpha * np.float64(part[i])
        j = 0
        while j + 1 < count:
            a = w[j]
            b = w[j + 1]
            if a != 0.0 or b != 0.0:
                first, second = rows[j, block], rows[j + 1, block]
                for i in range(size):
                    buffer[i] += a * np.float64(first[i]) + b * np.float64(second[i])
            j += 2
        if j < count and w[j] != 0.0:
            a = w[j]
            first = rows[j, block]
            for i in range(size):
                buffer[i] += a * np.float64(first[i])
        for i in range(size):
            x = old[i]
            new[i] = x + buffer[i]
            moved = moved or new[i] != x
    return moved


@inline_kernel
def absorb(
    x, x_trial, g, g_trial, g_next, theta, noise, rows, gram, h, tau, cosine, order, products,
    ints,
):  # fmt: skip
    """Store the pair (x_trial - x, g_trial - g) in place of the oldest.

    Parameters
    ----------
    x, x_trial, g, g_trial : arrays, shape (n,)
    g_next : array, shape (n,)
        The gradient at the point the solver goes on from.
    theta, noise : float
        6 (f - f_trial) + 6 g.s and its roundoff. With 3 s.y added it is what the change in f
        tells beyond the change in g; the pair is then (s, y + theta/(s.s) s), with which the
        model reproduces f as well along s (Zhang, Deng & Chen 1999). A theta that is roundoff,
        NaN, or not small beside s.y is not used.
    rows : array, shape (2m, n)
        Directions s in rows 0..m-1 and rests z in rows m..2m-1, by slot.
    gram : float64 array, shape (2m, 2m)
        Inner products of the rows.
    h : float64 array, shape (max(2m, 3),)
        Becomes rows @ g_next. When n <= 2m neither is touched: `gram`, of shape (2n, n), and h
        then hold what `renew_matrix` makes.
    tau, cosine : float64 arrays, shape (m,)
    order : int64 array, shape (m,)
        Slots from the oldest pair to the newest.
    products : float64 array, shape (2m, 3)
        Workspace.
    ints : int64 array
        Of the model, see above.

    Returns
    -------
    stored : bool
        False, and nothing has changed, where the pair is zero or not finite.
    """
    n = x.size
    m = order.size
    s_max, y_max = _largest_differences(x, x_trial, g, g_trial)
    if s_max == 0.0 or not (math.isfinite(s_max) and math.isfinite(y_max)):
        return False
    s_inverse = 1.0 / s_max
    y_inverse = 1.0 / y_max if y_max > 0.0 else 0.0
    if not math.isfinite(s_inverse):
        return False
    if not math.isfinite(y_inverse):
        y_inverse = 0.0
        y_max = 0.0
    ss, sy, yy = _pair_products(x, x_trial, g, g_trial, s_inverse, y_inverse)
    s_norm = math.sqrt(ss)
    y_norm = math.sqrt(yy)
    curvature = (y_max / s_max) * (y_norm / s_norm)
    if not math.isfinite(curvature):
        return False
    c = min(max(sy / (s_norm * y_norm), -1.0), 1.0) if y_norm > 0.0 else 0.0
    along = c  # of the multiple of s to take from y
    if y_norm > 0.0:
        unit = s_max * y_max
        theta = theta / unit + 3.0 * sy
        if abs(theta) <= 0.9 * abs(sy) and abs(theta) > noise / unit + 1e-14 * abs(sy):
            # y changes along s only: by this multiple of |y| s/|s|
            change = theta / (s_norm * y_norm)
            stretch = math.sqrt(1.0 + change * (2.0 * c + change))
            c = min(max((c + change) / stretch, -1.0), 1.0)
            along /= stretch
            curvature *= stretch
            y_norm *= stretch

    count = ints[PAIRS]
    if count < m:
        slot = count
        ints[PAIRS] = count + 1
    else:
        slot = order[0]
        for j in range(m - 1):
            order[j] = order[j + 1]
        count = m - 1
        ints[APPLIED] = ints[APPLIED] - 1 if ints[WHOLE] else -1
    order[count] = slot
    tau[slot] = curvature
    cosine[slot] = c
    y_unit = 1.0 / y_norm if y_norm > 0.0 else 0.0
    _store_rows(
        x, x_trial, g, g_trial, s_inverse, y_inverse, 1.0 / s_norm, y_unit, along, rows[slot],
        rows[m + slot],
    )  # fmt: skip
    if n > 2 * m:
        used = ints[PAIRS]
        _three_products(rows[:used], rows[slot], rows[m + slot], g_next, products[:used])
        _three_products(
            rows[m : m + used], rows[slot], rows[m + slot], g_next, products[m : m + used]
        )
        for part in range(2):
            for j in range(part * m, part * m + used):
                gram[j, slot] = gram[slot, j] = products[j, 0]
                gram[j, m + slot] = gram[m + slot, j] = products[j, 1]
                h[j] = products[j, 2]
    return True


@kernel
def _orthonormalise(gram, order, count, coordinates, basis, residual, pivots):
    """Pivoted Cholesky of the Gram matrix, the newest pair first.

    Fills coordinates[:, 2j] and [:, 2j+1] with those of the direction and the rest of
    the j-th oldest pair, and basis[i] with the coefficients, by row of `rows`, of the
    i-th orthonormal vector. Returns how many there are.
    """
    m = order.size
    columns = 2 * count
    for i in range(basis.shape[0]):
        for j in range(basis.shape[1]):
            basis[i, j] = 0.0
    for j in range(columns):
        row = order[j // 2] + (j % 2) * m
        residual[j] = 1.0 if gram[row, row] > 0.0 else -1.0
    rank = 0
    while rank < columns:
        # The newest pair keeps its exact coordinates; the others by their residuals.
        pivot = -1
        if rank == 0:
            pivot = columns - 2
        elif residual[columns - 1] > _INDEPENDENT**2:
            pivot = columns - 1
        else:
            best = _INDEPENDENT**2
            for j in range(columns):
                if residual[j] > best:
                    best = residual[j]
                    pivot = j
        if pivot < 0:
            break
        root = math.sqrt(residual[pivot])
        pivot_row = order[pivot // 2] + (pivot % 2) * m
        pivot_scale = math.sqrt(gram[pivot_row, pivot_row])
        for j in range(columns):
            if residual[j] == -2.0:  # an earlier pivot: triangular zero
                coordinates[rank, j] = 0.0
                continue
            row = order[j // 2] + (j % 2) * m
            scale = math.sqrt(gram[row, row])
            if scale == 0.0:
                coordinates[rank, j] = 0.0
                continue
            value = gram[pivot_row, row] / (pivot_scale * scale)
            for i in range(rank):
                value -= coordinates[i, pivot] * coordinates[i, j]
            value /= root
            coordinates[rank, j] = value
            if residual[j] > 0.0:
                residual[j] -= value * value
        coordinates[rank, pivot] = root
        residual[pivot] = -2.0
        # u = (row/|row| - sum coordinates[i] u_i) / root
        basis[rank, pivot_row] = 1.0 / pivot_scale
        for i in range(rank):
            factor = coordinates[i, pivot]
            if factor != 0.0:
                for l in range(rank):
                    row = int(pivots[l])
                    basis[rank, row] -= factor * basis[i, row]
        pivots[rank] = pivot_row
        for l in range(rank + 1):
            basis[rank, int(pivots[l])] /= root
        rank += 1
    for j in range(columns):  # undo the equilibration
        row = order[j // 2] + (j % 2) * m
        scale = math.sqrt(gram[row, row])
        for i in range(rank):
            coordinates[i, j] *= scale
    return rank


@inline_kernel
def is_settled(order, ints):
    """Whether pairs to come are worked into a dense matrix, which is not made anew for them."""
    return ints[WHOLE] != 0 and ints[APPLIED] >= min(_SETTLED, order.size)


@inline_kernel
def choose_gamma(h, tau, cosine, order, ints, window, fallback):
    """max of y.y / s.y over the last `window` pairs of positive curvature.

    Where B forgets nothing, its first pairs settle gamma, as long as the curvatures of now keep
    some digits beside the largest there was.
    """
    count = ints[PAIRS]
    if is_settled(order, ints):
        recent = 0.0
        for j in range(count):
            recent = max(recent, tau[order[j]])
        if recent >= _DIGITS * h[UNIT]:
            return h[MATRIX_GAMMA]
    best = 0.0
    for j in range(max(0, count - window), count):
        slot = order[j]
        if cosine[slot] > 1e-8:
            best = max(best, tau[slot] / cosine[slot])
    return best if best > 0.0 and math.isfinite(best) else fallback


@inline_kernel
def renew_matrix(kind, window, gamma, length, rows, gram, h, tau, cosine, order, ints, work):
    """Bring C = B - gamma I up to date, in the coordinates of the pairs.

    Where n <= 2m, only the pairs that C does not hold yet are worked in, unless gamma changed.

    Parameters
    ----------
    kind : int
        Which update, see `updates.KINDS`.
    window : int
        gamma is chosen from so many pairs, see `choose_gamma`; 0 for the gamma that is given.
    gamma, length : float
        gamma / length is B on the complement of the pairs, the last resort where that is chosen.
    rows, gram, h, tau, cosine, order, ints
        As `absorb` leaves them.
    work : float64 array of the shape `workspace(n, m)`

    Returns
    -------
    gamma : float
    rank : int
        C is the first so many rows and columns of `gram` where n <= 2m, else of work[MATRIX].
        In the first case the last rows of `gram` are B's inverse if ints[INVERSE].
    unit : float
        The unit of C; its reciprocal is that of the inverse.

    ints[USED] becomes the number of pairs that passed the skip rule, ints[NEWEST] whether the
    newest did.
    """
    n = rows.shape[1]
    m = order.size
    count = ints[PAIRS]
    dense = n <= 2 * m
    coordinates = work[COORDINATES]
    gamma = gamma / length
    for _attempt in range(2):
        if window > 0:
            gamma = choose_gamma(h, tau, cosine, order, ints, window, gamma)
        first = -1
        if dense:
            rank = n
            matrix = gram
            if gamma == h[MATRIX_GAMMA]:
                first = ints[APPLIED]
        else:
            rank = _orthonormalise(
                gram, order, count, coordinates, work[BASIS], work[LINES, 0], work[LINES, 1]
            )
            matrix = work[MATRIX]
        anew = first < 0
        unit = h[UNIT]
        size = h[SIZE]
        if anew:
            first = 0
            unit = abs(gamma)
            size = 0.0
            for i in range(rank):
                for j in range(rank):
                    matrix[i, j] = 0.0
            ints[NEWEST] = 0
            ints[USED] = 0
            ints[INVERSE] = 0
        inverse = gram[n:] if dense else matrix
        definite = ints[INVERSE] != 0
        largest = unit
        for j in range(first, count):
            largest = max(largest, tau[order[j]])
        if largest > unit:
            for i in range(rank):
                for j in range(rank):
                    matrix[i, j] *= unit / largest
                    if definite:
                        inverse[i, j] *= largest / unit
            size *= unit / largest
        s, z, bs = work[LINES, 0, :rank], work[LINES, 1, :rank], work[LINES, 2, :rank]
        for pair in range(first, count):
            if largest == 0.0:
                break
            slot = order[pair]
            if dense:
                for i in range(n):
                    s[i] = rows[slot, i]
                    z[i] = rows[m + slot, i]
            else:
                for i in range(rank):
                    s[i] = coordinates[i, 2 * pair]
                    z[i] = coordinates[i, 2 * pair + 1]
            used, size, definite = update(
                kind, gamma / largest, tau[slot] / largest, cosine[slot], s, z, bs, matrix, size,
                definite, inverse,
            )  # fmt: skip
            ints[NEWEST] = 1 if used else 0
            ints[USED] += 1 if used else 0
        if not dense:
            break
        ints[INVERSE] = 1 if definite else 0
        ints[APPLIED] = count
        h[UNIT] = largest
        h[MATRIX_GAMMA] = gamma
        h[SIZE] = size
        if anew or first == count or ints[NEWEST] or not ints[WHOLE]:
            break
        # A matrix that does not take the newest pair is no model of what is here: it forgets all
        # but the pairs of the ring.
        ints[APPLIED] = -1
    return gamma, rank, largest


@kernel
def spectrum(gamma, unit, rank, rows, gram, lam, vectors, work):
    """Eigenvalues of B off gamma, and their eigenvectors as combinations of `rows`.

    Parameters
    ----------
    gamma : float
        B on the complement of the pairs.
    unit, rank
        As `renew_matrix` returns them.
    rows, gram : arrays
        As `absorb` leaves them.
    lam : float64 array, shape (r_max,), r_max = min(n, 2m)
        Filled with eigenvalues of B.
    vectors : float64 array, shape (r_max, 2m) or (n, n) when n <= 2m
        vectors[i] are the coefficients of the i-th eigenvector on the rows, or the
        eigenvector itself when n <= 2m.
    work : float64 array of the shape `workspace(n, m)`

    Returns
    -------
    kept : int
        Number of eigenvalues filled.
    """
    width, n = rows.shape
    dense = n <= width
    if rank == 0:
        return 0
    matrix, rotation, basis = work[MATRIX], work[ROTATION], work[BASIS]
    values = work[LINES, 3, :rank]
    if dense:
        for i in range(n):
            for j in range(n):
                matrix[i, j] = gram[i, j]
    beside = work[LINES, 0, :rank]
    tridiagonalise(
        matrix, values, beside, rotation, work[LINES, 1, :rank], work[LINES, 2, :rank]
    )
    diagonalise(values, beside, rotation)
    top = 0.0
    for i in range(rank):
        top = max(top, abs(values[i]))
    kept = 0
    for i in range(rank):
        if abs(values[i]) <= _NULL * top:
            continue
        lam[kept] = gamma + values[i] * unit
        if dense:
            for j in range(n):
                vectors[kept, j] = rotation[i, j]
        else:
            for j in range(width):
                vectors[kept, j] = 0.0
            for l in range(rank):
                factor = rotation[i, l]
                for j in range(width):
                    vectors[kept, j] += factor * basis[l, j]
        kept += 1
    return kept


@kernel
def confine(tau, order, count, lam):
    """Bring eigenvalues into [-0.1 t, t], where t is the largest |y|/|s| of the pairs.

    |y|/|s| is the length of the mean Hessian times a unit vector: no pair shows a curvature
    beyond t, but small denominators of SR1 updates do make such eigenvalues.
    """
    largest = 0.0
    for j in range(count):
        largest = max(largest, tau[order[j]])
    for i in range(lam.size):
        lam[i] = min(max(lam[i], -_NEGATIVE * largest), largest)


def workspace(n: int, m: int) -> tuple[int, int, int]:
    """Shape of the workspace `work`: planes of matrices with room for four columns beside them.

    In the last plane the rows are vectors.
    """
    most = min(n, 2 * m)
    return 5, max(most, 4), max(2 * m, most + 4)


class CompactModel:
    """A limited-memory quasi-Newton matrix B of n variables from the last m pairs.

    Parameters
    ----------
    n, memory : int
        Number of variables; number of pairs kept.
    kind : {'lsr1', 'lbfgs', 'hybrid'}
        The update, see `quasinewton.models.updates`.
    dtype : float32 or float64
        Of the n-vectors; everything of size m is float64.
    gamma : float, default 1
        B = gamma I where no pair says otherwise.

    Attributes
    ----------
    rows : array, shape (2m, n)
        The pairs, scaled; see `quasinewton.models.compact`.
    lam, vectors : arrays
        After `refresh`: the first `rank` eigenvalues of B off gamma and the coefficients
        of their eigenvectors.
    """

    def __init__(
        self, n: int, memory: int, kind: str = "lsr1", dtype: Any = np.float64, gamma: float = 1.0
    ) -> None:
        m = memory
        most = min(n, 2 * m)
        self.n, self.memory, self.kind, self.gamma = n, m, kind, float(gamma)
        self.dense = n <= 2 * m
        self.rows = np.zeros((2 * m, n), dtype)
        self.gram = np.zeros((2 * n, n) if self.dense else (2 * m, 2 * m))
        self.h = np.zeros(max(2 * m, 3))
        self.tau = np.zeros(m)
        self.cosine = np.zeros(m)
        self.order = np.zeros(m, np.int64)
        self.ints = np.zeros(INTEGERS, np.int64)
        self.lam = np.zeros(most)
        self.vectors = np.zeros((most, n if self.dense else 2 * m))
        self.products = np.zeros((2 * m, 3))
        self.work = np.zeros(workspace(n, m))
        self.rank = 0

    @property
    def count(self) -> int:
        """Number of stored pairs."""
        return int(self.ints[PAIRS])

    def push(self, x: np.ndarray, x_trial: np.ndarray, g: np.ndarray, g_trial: np.ndarray) -> bool:
        """Store the pair (x_trial - x, g_trial - g); False where it is zero or not finite."""
        return bool(
            absorb(
                x, x_trial, g, g_trial, g_trial, math.nan, 0.0, self.rows, self.gram, self.h,
                self.tau, self.cosine, self.order, self.products, self.ints,
            )
        )  # fmt: skip

    def take(self, other: CompactModel) -> None:
        """Take over the newest pairs of another model of as many variables."""
        m = self.memory
        count = min(other.count, m)
        for j, slot in enumerate(other.order[other.count - count : other.count]):
            self.rows[j] = other.rows[slot]
            self.rows[m + j] = other.rows[other.memory + slot]
            self.tau[j], self.cosine[j] = other.tau[slot], other.cosine[slot]
            self.order[j] = j
        self.ints[PAIRS] = count
        self.ints[APPLIED] = -1
        if not self.dense:
            for j in range(2 * m):
                multiply_rows(self.rows, self.rows[j], self.gram[j])

    def refresh(self, gamma: float | None = None) -> int:
        """Recompute the spectrum, with a new gamma if given; the number of pairs used."""
        if gamma is not None:
            self.gamma = float(gamma)
        _, rank, unit = renew_matrix(
            KINDS[self.kind], 0, self.gamma, 1.0, self.rows, self.gram, self.h, self.tau,
            self.cosine, self.order, self.ints, self.work,
        )  # fmt: skip
        self.rank = spectrum(
            self.gamma, unit, rank, self.rows, self.gram, self.lam, self.vectors, self.work
        )
        return int(self.ints[USED])

    def coordinates(self, v: np.ndarray) -> np.ndarray:
        """U^T v for the eigenvectors U off gamma, shape (rank,)."""
        if self.dense:
            h = np.asarray(v, np.float64)
        else:
            h = np.empty(2 * self.memory)
            multiply_rows(self.rows, v, h)
        return self.vectors[: self.rank] @ h

    def combine(self, alpha: float, v: np.ndarray, c: np.ndarray) -> np.ndarray:
        """alpha v + U c."""
        w = c @ self.vectors[: self.rank]
        if self.dense:
            return alpha * v + w
        out = np.zeros(self.n, self.rows.dtype)
        add_combination(alpha, v, self.rows, w, out, out, np.empty(block_length))
        return out

    def matvec(self, v: np.ndarray) -> np.ndarray:
        """B v in O(nm)."""
        lam = self.lam[: self.rank]
        return self.combine(self.gamma, v, (lam - self.gamma) * self.coordinates(v))
