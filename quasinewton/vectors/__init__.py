"""The passes over n-vectors: one face, two implementations.

Everything of size n that a quasi-Newton iteration touches goes through these functions; the small
algebra sees only what they return. NumPy arrays go to `machine`, whose loops numba compiles; what
else the array API standard describes (tensors of PyTorch, arrays of CuPy) goes to `standard` and
stays where it lives. The type of the vectors decides, and tests/test_vectors.py holds the second
to the first. In a kernel a name stands for the function of `machine`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import VectorFunction
from . import machine

__all__ = [
    "BLOCK", "LARGE", "SMALL", "add_combination", "add_multiple", "advance", "clone", "conjugate",
    "copy", "difference_products", "difference_sizes", "divide", "dot", "foresee", "forget",
    "is_tensor", "largest_number", "max_abs", "mean_abs", "move", "multiply_rows",
    "multiply_rows_by_three", "norm2", "norms", "projected_norms", "read_only", "rotate_rows",
    "scale", "slope_between", "step_to", "store_pair", "subtract_from_two", "width", "zeros",
]  # fmt: skip

BLOCK, SMALL, LARGE = machine.BLOCK, machine.SMALL, machine.LARGE


def _standard() -> Any:
    try:
        from . import standard
    except ImportError as error:
        raise ImportError(
            "tensors need the package array-api-compat: pip install 'quasinewton[tensors]'"
        ) from error
    return standard


def is_tensor(v: Any) -> bool:
    """Whether a vector is to stay of the library that it is of: PyTorch's or CuPy's."""
    return type(v).__module__.partition(".")[0] in ("torch", "cupy")


def clone(v: Any) -> Any:
    """A copy, apart from what the library may know of where v came from."""
    if isinstance(v, np.ndarray):
        return v.copy()
    return _standard().clone(v)


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    """An array of zeros of the kind, the dtype and the device of another."""
    if isinstance(like, np.ndarray):
        return np.zeros(shape, like.dtype)
    return _standard().zeros(shape, like)


def largest_number(like: Any) -> float:
    """The largest finite number of an array's dtype."""
    if isinstance(like, np.ndarray):
        return float(np.finfo(like.dtype).max)
    return float(_standard().largest_number(like))


def foresee(points: Any, g: Any, rows: Any, kept: int, pairs: int) -> None:
    """See `standard.foresee`."""
    _standard().foresee(points, g, rows, kept, pairs)


def forget() -> None:
    """What was foreseen holds no more."""
    _standard().forget()


def read_only(v: Any) -> Any:
    """A view of a vector through which NumPy lets nobody change it."""
    if isinstance(v, np.ndarray):
        v = v.view()
        v.flags.writeable = False
    return v


def _function(name: str, which: int, doc: str) -> Any:
    def general(*args: Any) -> Any:
        return getattr(_standard(), name)(*args)

    general.__name__, general.__doc__ = name, doc
    return VectorFunction(getattr(machine, name), general, which)


max_abs = _function("max_abs", 0, "Largest absolute value of v; NaN where one is not finite.")
mean_abs = _function("mean_abs", 0, "Mean of the absolute values of v.")
width = _function(
    "width", 0, "Euclidean norm of the widths upper - lower, of those that are at most `most`."
)
projected_norms = _function(
    "projected_norms", 0,
    """Of x - P(x - g): the largest absolute value and the norm; and the norm of g where no bound
    holds the variable.

    `lower` and `upper` are the bounds; NaN where an element of g is not finite.""",
)  # fmt: skip
norm2 = _function("norm2", 0, "Euclidean norm of v, without overflow or harmful underflow.")
norms = _function("norms", 0, "Both: the largest absolute value of v, and its norm.")
dot = _function("dot", 0, "a.b")
copy = _function("copy", 0, "out = v")
scale = _function("scale", 1, "out = factor v")
divide = _function("divide", 0, "out = v / divisor")
add_multiple = _function(
    "add_multiple", 0, "out = base + factor v, where out may be base; its squared norm."
)
advance = _function(
    "advance", 0, "z = z + t d and r = r + alpha hd; the squared norms of both."
)
slope_between = _function("slope_between", 0, "(x_trial - x).g")
step_to = _function("step_to", 0, "out = x_trial - x")
move = _function("move", 0, "out = x + s; whether that differs from x.")
conjugate = _function("conjugate", 0, "d = beta d - r")
difference_sizes = _function(
    "difference_sizes", 0,
    "max|x_trial - x| and max|g_trial - g|; NaN for both where an element is not finite.",
)  # fmt: skip
difference_products = _function(
    "difference_products", 0,
    "s.s, s.y, y.y of s = s_inverse (x_trial - x) and y = y_inverse (g_trial - g).",
)  # fmt: skip
store_pair = _function(
    "store_pair", 0,
    """s_row = a b (x_trial - x), z_row = c d (g_trial - g) - along s_row.

    (a, b) are `s_factors`, (c, d) `y_factors`: two each, so that none overflows.""",
)  # fmt: skip
multiply_rows = _function("multiply_rows", 0, "out = rows @ v, streaming `rows` once.")
multiply_rows_by_three = _function(
    "multiply_rows_by_three", 0,
    "out[0], out[1], out[2] = rows @ a, rows @ b, rows @ c, streaming `rows` once.",
)  # fmt: skip
rotate_rows = _function(
    "rotate_rows", 0,
    """The first rows of `rows` become q @ rows, in place.

    `buffer`, a float64 array of one row more than `rows` has, is workspace.""",
)  # fmt: skip
subtract_from_two = _function(
    "subtract_from_two", 0,
    """a = a - rows^T w[0] and b = b - rows^T w[1], streaming `rows` once.

    `buffer`, a float64 array of two rows of at least min(n, BLOCK) elements, is workspace.""",
)  # fmt: skip
add_combination = _function(
    "add_combination", 1,
    """out = base + (alpha v + rows^T w), streaming `rows` once; whether out differs from base.

    `buffer`, a float64 array of at least min(n, BLOCK) elements, is workspace.""",
)  # fmt: skip
