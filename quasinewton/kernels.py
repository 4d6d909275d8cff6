"""The decorator behind every numba kernel, and the few vector kernels they share.

A kernel takes plain arrays and scalars, never calls a user's function, holds no
global state and releases the GIL. Kernels live beside the idea they implement
(`models`, `subproblems`, `globalization`, `methods`) and call each other across
files, so their on-disk cache is tied to *all* of the package's sources: numba
itself looks only at the file of the outermost function, and would go on using
machine code compiled from an older version of a helper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

__all__ = [
    "EPS", "HUGE", "TINY", "block_length", "copy", "inline_kernel", "is_compiled", "kernel",
    "max_abs", "multiply_symmetric", "norm2", "plain", "vector_kernel",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
HUGE = float(np.finfo(np.float64).max)

#: Elements of an n-vector that a blocked pass holds in the first-level cache.
block_length = 1024


def _fingerprint() -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of every source file that may hold a kernel."""
    root = Path(__file__).parent.parent
    files = sorted(root.rglob("*.py"))
    stats = [(path, path.stat()) for path in files]
    return tuple((str(p.relative_to(root)), s.st_size, s.st_mtime_ns) for p, s in stats)


_STAMP = _fingerprint()


def _compile(func: F, **options: Any) -> F:
    # Kernels allocate nothing and return no array: without references to count they take half the
    # time on small problems. What is not said of a kernel it takes over from its caller, where that
    # is compiled first.
    own = {"fastmath": False, "forceinline": False}
    options = {"nogil": True, "error_model": "numpy", "_nrt": False, **own, **options}
    try:
        dispatcher = numba.njit(cache=True, **options)(func)
    except RuntimeError:  # no folder to write a cache to: compile in memory
        return numba.njit(**options)(func)  # type: ignore[no-any-return]
    cache_file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = (cache_file._source_stamp, _STAMP)
    return dispatcher  # type: ignore[no-any-return]


def is_compiled(dispatcher: Any) -> bool:
    """Whether machine code of a kernel is in memory or, up to date, on disk."""
    if not hasattr(dispatcher, "signatures"):  # NUMBA_DISABLE_JIT
        return True
    cache_file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    on_disk = getattr(cache_file, "_load_index", dict)
    return bool(dispatcher.signatures or on_disk())


def plain(dispatcher: F) -> F:
    """The function of Python that a kernel was made of, which needs no compiling of its own."""
    return getattr(dispatcher, "py_func", dispatcher)


def kernel(func: F) -> F:
    """Compile scalar algebra and small dense loops; IEEE semantics throughout."""
    return _compile(func)


def inline_kernel(func: F) -> F:
    """A `kernel` that machine code holds in place of a call of it.

    A call hands over seven words an array; with the arrays of a whole method that takes longer
    than the iteration of a small problem. For kernels of many arrays that few others call.
    """
    return _compile(func, forceinline=True)


def vector_kernel(func: F) -> F:
    """Compile a loop over n-vectors, whose sums may be reordered to use SIMD.

    Only the order of additions is free; NaN and infinity keep their meaning, but a test like
    ``x - x != 0`` may be folded away: compare with `HUGE` instead.

    For plain loops over whole vectors, or blocks of `block_length`, only. Every caller's machine
    code holds a copy of its own, and which copy a call is linked to depends on what was compiled
    in this process and what was loaded from the cache; short loops over short slices are optimised
    with their surroundings, so that their copies round differently, and a resumed run from the run
    it resumes.
    """
    return _compile(func, fastmath={"reassoc", "contract", "nsz"})


@vector_kernel
def max_abs(a):
    """Largest absolute value of a vector; NaN where an element is not finite."""
    largest = 0.0
    strange = 0
    for i in range(a.size):
        value = abs(np.float64(a[i]))
        if not value <= HUGE:
            strange += 1
        largest = max(largest, value)
    return largest if strange == 0 else math.nan


@kernel
def copy(a, out):
    """out[:] = a, whose check of the shapes numba compiles for two seconds."""
    for i in range(a.size):
        out[i] = a[i]


@kernel
def multiply_symmetric(matrix, v, out):
    """out = matrix v for a small symmetric matrix: by its rows, which is no chain of additions."""
    n = v.size
    single = n % 4
    for j in range(n):
        out[j] = 0.0
    for i in range(single):
        row, factor = matrix[i], v[i]
        for j in range(n):
            out[j] += factor * row[j]
    for i in range(single, n, 4):
        row_a, row_b, row_c, row_d = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        a, b, c, d = v[i], v[i + 1], v[i + 2], v[i + 3]
        for j in range(n):
            out[j] += (a * row_a[j] + b * row_b[j]) + (c * row_c[j] + d * row_d[j])


@vector_kernel
def _sum_squares(a, inverse):
    total = 0.0
    for i in range(a.size):
        value = np.float64(a[i]) * inverse
        total += value * value
    return total


@kernel
def norm2(a):
    """Euclidean norm without overflow or harmful underflow."""
    largest = max_abs(a)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    if 1e-140 < largest < 1e140:
        return math.sqrt(_sum_squares(a, 1.0))
    inverse = 1.0 / max(largest, TINY)
    return math.sqrt(_sum_squares(a, inverse)) / inverse
