"""A quasi-Newton model whole: what a method's kernels call, and the same as an object of Python."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ..kernels import CUBE, SQUARE, inline_kernel, patient, view_kernel
from ..records import RING, new_state
from ..vectors import BLOCK, add_combination, is_tensor, multiply_rows, zeros
from .compact import renew_compact
from .dense import renew_dense, work_in
from .eigen import diagonalise, from_eigenbasis, tridiagonalise
from .pairs import absorb, bring_up_to_date, choose_gamma, gram_rows
from .reduced import append, make_room, parts, rows_of, split
from .updates import KINDS

__all__ = ["CompactModel", "decompose", "planes", "workspace"]

#: Eigenvalues of C below this fraction of the largest are roundoff.
_NULL = 1e-13
#: Planes of the workspace: four matrices, and four each for the cosines and the sines.
_PLANES = 12


def workspace(n: int, m: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The arrays `work`, whose rows `planes` names, and `lines`, eight long vectors.

    Of a model of n variables and m pairs that has at most so many eigenvalues off gamma.
    """
    width = max(2 * m, most + 5)
    return np.zeros((_PLANES * (most + 1), width)), np.zeros((8, max(width, min(n, BLOCK)) + 8))


@view_kernel
def planes(work):
    """basis, coordinates, matrix, factor, cosines, sines: matrices to work in."""
    k = work.shape[0] // _PLANES
    return (
        work[:k], work[k : 2 * k], work[2 * k : 3 * k], work[3 * k : 4 * k], work[4 * k : 8 * k],
        work[8 * k :],
    )  # fmt: skip


@inline_kernel
def decompose(gram, work, lines, state):
    """Eigenvalues of B off gamma.

    Returns how many there are: lines[0] has them, lines[1] their places among the coordinates that
    `to_eigenbasis` gives, and lines[2] what that takes as `p`.
    """
    record = state[0]
    rank, gamma, unit = record.rank, record.matrix_gamma, record.unit
    if rank == 0:
        return 0
    _, _, matrix, _, cosines, sines = planes(work)
    if record.dense != 0:
        for i in range(rank):
            for j in range(rank):
                matrix[i, j] = gram[i, j]
    lam, beside = lines[0, :rank], lines[1, :rank]
    tridiagonalise(matrix, lam, beside, lines[2, :rank], lines[3, :rank])
    sweeps = diagonalise(lam, beside, cosines, sines)
    record.sweeps = sweeps if sweeps >= 0 else cosines.shape[0]
    top = 0.0
    for i in range(rank):
        top = max(top, abs(lam[i]))
    kept = 0
    for i in range(rank):
        if record.reduced != 0 or abs(lam[i]) > _NULL * top:
            lam[kept] = gamma + lam[i] * unit
            lines[1, kept] = i
            kept += 1
    return kept


_decompose, _from_eigenbasis = patient(decompose, 0, CUBE), patient(from_eigenbasis, 0, CUBE)
_renew_dense = patient(renew_dense, 1, SQUARE)


class CompactModel:
    """A quasi-Newton matrix B of n variables from the last m pairs.

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
    window : int, default 0
        `choose_gamma` takes gamma from so many pairs.
    like : array, optional
        An array whose kind and device the n-vectors are to have; default NumPy's.
    dense : bool, optional
        Whether B is a matrix in the variables themselves; default where n <= 2 memory.
    directions : int, default 0
        Where positive, B is reduced: a matrix in coordinates of the span of as many gradients, of
        which the last m pairs are those kept where there is no more room.

    Attributes
    ----------
    rows : array, shape (2m, n), or (directions, n)
        The pairs, scaled; see `quasinewton.models.pairs`. Of a reduced model orthonormal ones.
    """

    def __init__(
        self, n: int, memory: int, kind: str = "lsr1", dtype: Any = np.float64,
        gamma: float = 1.0, window: int = 0, like: Any = None, dense: bool | None = None,
        directions: int = 0,
    ) -> None:  # fmt: skip
        m = memory
        self.n, self.memory, self.kind = n, m, kind
        if dense is None:
            dense = not directions and n <= 2 * m and not is_tensor(like)
        self.dense, self.reduced = dense, directions > 0
        self.rows = zeros((directions or 2 * m, n), np.empty(0, dtype) if like is None else like)
        if self.reduced:
            self.gram = np.zeros((rows_of(directions, m), directions))
        else:
            self.gram = np.zeros((2 * n, n) if dense else (gram_rows(m), 2 * m))
        self.ring = np.zeros(m, RING)
        self.most = directions or (n if dense else min(n, 2 * m))
        self.work, self.lines = workspace(n, m, self.most)
        self.state = new_state(
            n=n, update=KINDS[kind], window=window, dense=dense or self.reduced,
            reduced=self.reduced, whole=self.reduced, gamma=gamma,
        )  # fmt: skip
        self._lam = np.zeros(0)
        self._vectors = np.zeros((0, n if dense else len(self.rows)))
        self._stale = False

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take: all but the workspace, and rows that nothing is in yet."""
        state = {name: v for name, v in vars(self).items() if name not in ("work", "lines")}
        return state | {"rows": self.filled_rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.work, self.lines = workspace(self.n, self.memory, self.most)
        if self.reduced:
            self.rows = zeros((self.most, self.n), self.rows)
            self.rows[: len(state["rows"])] = state["rows"]

    @property
    def filled_rows(self) -> Any:
        """The rows that may hold something."""
        return self.rows[: int(self.record.rank)] if self.reduced else self.rows

    def as_pairs(self) -> CompactModel:
        """A model of the same newest pairs which keeps them as n-vectors."""
        if not self.reduced:
            return self
        model = CompactModel(self.n, self.memory, self.kind, like=self.rows, dense=False)
        model.take(self)
        return model

    @property
    def record(self) -> Any:
        """The numbers of the model by name: an element of a STATE array."""
        return self.state[0]

    @property
    def count(self) -> int:
        """Number of stored pairs."""
        return int(self.state["pairs"][0])

    def outdate(self) -> None:
        """Have the next look at the spectrum choose gamma and `refresh`: the pairs have changed."""
        self._stale = True

    def _fresh(self) -> None:
        if self._stale:
            self.refresh(self.choose_gamma())

    @property
    def gamma(self) -> float:
        """B outside of the span of the pairs."""
        self._fresh()
        return float(self.state["gamma"][0])

    @property
    def lam(self) -> np.ndarray:
        """The eigenvalues of B off gamma, after `refresh`, shape (rank,)."""
        self._fresh()
        return self._lam

    @property
    def vectors(self) -> np.ndarray:
        """Their eigenvectors: coefficients on `rows`, or the vectors themselves where `dense`."""
        self._fresh()
        return self._vectors

    @property
    def rank(self) -> int:
        """Number of eigenvalues off gamma."""
        return self.lam.size

    def push(self, x: Any, x_trial: Any, g: Any, g_trial: Any) -> bool:
        """Store the pair (x_trial - x, g_trial - g); False where it is zero or not finite."""
        if self.reduced:
            return self._work_in(x_trial - x, g_trial - g)
        stored = absorb(
            x, x_trial, g, g_trial, (math.nan, 0.0), self.rows, self.ring, self.state
        )
        if stored and not self.dense:
            bring_up_to_date(g_trial, self.rows, self.ring, self.gram, self.state)
        return bool(stored)

    def _work_in(self, s: Any, y: Any) -> bool:
        """Let any pair, whose step need not lie in the span, change a reduced model."""
        state, gram, ring, lines = self.state, self.gram, self.ring, self.lines
        record = self.record
        pairs, _, step, change, zero = parts(gram, self.memory)
        if record.applied < 0:
            record.applied = record.rank = 0
        if record.rank + 2 > len(self.rows) < self.n:
            basis, product, *_ = planes(self.work)
            make_room(self.rows, ring, gram, basis, product, lines, state)
        for v, out in ((s, step), (y, change)):
            if split(v, self.rows, record.rank, out, lines[0], lines[7]) > 0.0:
                append(float(record.gamma), gram, state)
        stored = absorb(zero, step, zero, change, (math.nan, 0.0), pairs, ring, state)
        record.stored, record.outdated = 0, 1
        if stored:
            record.gamma = choose_gamma(ring, state, float(record.gamma))
            work_in(0.0, record.applied, record.rank, pairs, ring, gram, lines, state)
        return bool(stored)

    def pair(self, j: int) -> tuple[Any, Any]:
        """s and z of the j-th oldest pair, as n-vectors."""
        slot, m = int(self.ring[j].slot), self.memory
        if not self.reduced:
            return self.rows[slot], self.rows[m + slot]
        pairs, *_ = parts(self.gram, m)
        return self.combine_rows(pairs[slot]), self.combine_rows(pairs[m + slot])

    def take(self, other: CompactModel) -> None:
        """Take over the newest pairs of another model of as many variables."""
        m = self.memory
        count = min(other.count, m)
        first = other.count - count
        if self.reduced:
            for j in range(first, other.count):
                (s, z), of = other.pair(j), other.ring[j]
                self._work_in(s, float(of.tau) * (float(of.cosine) * s + z))
            return
        for j in range(count):
            self.rows[j], self.rows[m + j] = other.pair(first + j)
            self.ring[j] = other.ring[first + j]
            self.ring[j].slot = j
        record = self.record
        record.pairs, record.applied, record.outdated = count, -1, 1
        if not self.dense:
            for j in range(2 * m):
                multiply_rows(self.rows, self.rows[j], self.gram[j])

    def in_units(self, units: np.ndarray) -> CompactModel:
        """A dense B for variables that are so many times larger, to be looked at."""
        scaled = self.vectors / units
        matrix = (scaled.T * (self.lam - self.gamma)) @ scaled
        np.fill_diagonal(matrix, matrix.diagonal() + self.gamma / units**2)
        model = copy.copy(self)
        model._lam, vectors = np.linalg.eigh(matrix)
        model._vectors = vectors.T
        return model

    def choose_gamma(self) -> float:
        """gamma from the last `window` pairs; the one of now where they tell nothing."""
        return float(choose_gamma(self.ring, self.state, float(self.state["gamma"][0])))

    def renew(self, gamma: float) -> None:
        """Bring B up to date; gamma is the last resort, or gamma itself where `window` is 0."""
        if self.reduced:
            self.record.gamma = gamma
        elif self.dense:
            _renew_dense(gamma, self.rows, self.ring, self.gram, self.lines, self.state)
        else:
            basis, coordinates, matrix, _, _, _ = planes(self.work)
            renew_compact(
                gamma, self.ring, self.gram, coordinates, basis, matrix, self.lines, self.state
            )

    def refresh(self, gamma: float | None = None) -> int:
        """Recompute B and its spectrum, with a new gamma if given; the number of pairs used."""
        self._stale = False
        record = self.record
        window, record.window = record.window, 0
        self.renew(float(record.gamma if gamma is None else gamma))
        record.window = window
        kept = _decompose(self.gram, self.work, self.lines, self.state)
        self._lam = self.lines[0, :kept].copy()
        basis, _, matrix, _, cosines, sines = planes(self.work)
        vectors = np.zeros((kept, record.rank))
        for vector, place in zip(vectors, self.lines[1, :kept], strict=True):
            vector[int(place)] = 1.0
            _from_eigenbasis(matrix, self.lines[2], cosines, sines, record.sweeps, vector)
        if self.reduced:
            vectors = np.pad(vectors, ((0, 0), (0, len(self.rows) - record.rank)))
        elif not self.dense:
            vectors = vectors @ basis[: record.rank, : 2 * self.memory]
        self._vectors = vectors
        return int(record.used)

    def coordinates(self, v: Any) -> Any:
        """U^T v for the eigenvectors U off gamma, shape (rank,)."""
        if self.dense:
            products = np.asarray(v, np.float64)
        else:
            products = np.empty(len(self.rows))
            multiply_rows(self.rows, v, products)
        return self.vectors @ products

    def combine(self, alpha: float, v: Any, c: np.ndarray) -> Any:
        """alpha v + U c."""
        w = c @ self.vectors
        if self.dense:
            return alpha * v + w
        return self.combine_rows(w, alpha, v)

    def combine_rows(self, w: np.ndarray, alpha: float = 0.0, v: Any = None) -> Any:
        """alpha v + w @ rows."""
        out = zeros((self.n,), self.rows)
        add_combination(alpha, out if v is None else v, self.rows, w, out, out, np.empty(BLOCK))
        return out

    def matvec(self, v: Any) -> Any:
        """B v in O(nm)."""
        return self.combine(self.gamma, v, (self.lam - self.gamma) * self.coordinates(v))
