"""The decorators behind every numba kernel.

A kernel takes arrays, records and scalars, never calls a user's function, holds no
global state and releases the GIL. Kernels live beside the idea they implement
(`vectors`, `models`, `subproblems`, `globalization`, `methods`) and call each other across
files, so their on-disk cache is tied to *all* sources that may hold one: numba
itself looks only at the file of the outermost function, and would go on using
machine code compiled from an older version of a helper.

Numbers with names come in structured arrays (`records`): ``s = state[0]``, then ``s.f``. The array
is handed over, not its element, whose type takes numba as long to find out as those of ten arrays.
"""

from __future__ import annotations

import dis
import functools
import math
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core.event import install_timer
from numba.extending import typeof_impl

__all__ = [
    "CUBE", "EPS", "HUGE", "MANY", "PASSES", "PATIENCE", "SQUARE", "TINY", "WITHOUT_KERNELS",
    "VectorFunction", "inline_kernel", "interpreted", "is_compiled", "kernel", "patient", "plain",
    "pointer_kernel", "vector_function", "vector_kernel", "view_kernel",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
HUGE = float(np.finfo(np.float64).max)

#: Rooms without a kernel: a change there leaves machine code as it is.
WITHOUT_KERNELS = (
    "__main__.py", "box.py", "cli", "constraints.py", "display", "extras.py", "interop",
    "many", "minimize.py", "objective", "options.py", "problems", "sums.py", "torch.py",
    "workers.py",
)  # fmt: skip


def _fingerprint() -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of every source file that may hold a kernel."""
    root = Path(__file__).parent
    files = (path.relative_to(root) for path in sorted(root.rglob("*.py")))
    stats = [(path, (root / path).stat()) for path in files if path.parts[0] not in WITHOUT_KERNELS]
    return tuple((str(path), s.st_size, s.st_mtime_ns) for path, s in stats)


_STAMP = _fingerprint()


def _compile(func: F, **options: Any) -> F:
    # Kernels allocate nothing and return no array: without references to count they take half the
    # time on small problems. What is not said of a kernel it takes over from its caller, where that
    # is compiled first.
    own = {"fastmath": False, "forceinline": False}
    common = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
    options = {**common, **own, **options}
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
    dispatcher = getattr(dispatcher, "compiled", dispatcher)
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


def pointer_kernel(func: F) -> F:
    """A `kernel` that others may call through a pointer: they are compiled without it."""
    return _compile(func, no_cfunc_wrapper=False)


def inline_kernel(func: F) -> F:
    """A `kernel` that machine code holds in place of a call of it.

    A call hands over seven words an array; with the arrays of a whole method that takes as long
    as the iteration of a small problem. For kernels of many arrays that few others call.
    """
    return _compile(func, inline="always")


def vector_kernel(func: F) -> F:
    """Compile a loop over n-vectors, whose sums may be reordered to use SIMD.

    Only the order of additions is free; NaN and infinity keep their meaning, but a test like
    ``x - x != 0`` may be folded away: compare with `HUGE` instead.

    For plain loops over whole vectors, or blocks of `vectors.machine.BLOCK`, only. Every caller's
    machine code holds a copy of its own, and which copy a call is linked to depends on what was
    compiled in this process and what was loaded from the cache; short loops over short slices are
    optimised with their surroundings, so that their copies round differently, and a resumed run
    from the run it resumes.
    """
    return _compile(func, fastmath={"reassoc", "contract", "nsz"})


#: Seconds of a processor for which Python takes the place of patient kernels that are not compiled.
PATIENCE = 6.0
#: Elements of the vectors up to which it does: where a call takes the cube of it, the square, some
#: hundred passes, and where Python leaves all passes to `vector_kernel`s.
CUBE, SQUARE, PASSES, MANY = 30, 99, 1000, 10_000

#: What stands for `math` there: with IEEE arithmetic instead of exceptions, to the last bit as
#: machine code has it. NumPy's hypot is that of the C library, Python's is its own.
_IEEE = types.SimpleNamespace(**{**vars(math), "sqrt": np.sqrt, "hypot": np.hypot})


@functools.cache
def interpreted(kernel: Any) -> Any:
    """A kernel as a function of Python, as are those that it calls.

    But `vector_kernel` ones, whose order of additions machine code alone knows. For the rest to
    come to the same a kernel writes powers as products: those of machine code are, Python's not.
    """
    compiled = getattr(kernel, "compiled", kernel)
    if compiled.targetoptions["fastmath"]:
        return compiled
    func = compiled.py_func
    names = {**func.__globals__, "math": _IEEE}
    for name in (at.argval for at in dis.get_instructions(func) if at.opname == "LOAD_GLOBAL"):
        if hasattr(getattr(names.get(name), "compiled", names.get(name)), "py_func"):
            names[name] = interpreted(names[name])
    return types.FunctionType(func.__code__, names, func.__name__)


class VectorFunction:
    """A function of n-vectors: machine code for NumPy arrays, Python for arrays of any other kind.

    In a kernel the name of such a function stands for its machine code.

    Parameters
    ----------
    compiled : kernel
    general : callable
        Takes its place for arrays that are not NumPy's.
    which : int or None
        The argument that decides; None: from Python it is always the general one.
    patient : int
        Elements of vectors up to which Python takes the place of machine code that is not there
        yet, until all that has taken `PATIENCE` seconds: many a solve of few variables has then
        ended, where compiling takes some twenty. It comes to the same, to the last bit.
    """

    #: Seconds that Python has taken the place of machine code for.
    waited = 0.0

    def __init__(
        self, compiled: Any, general: Callable[..., Any], which: int | None, patient: int = 0
    ) -> None:
        self.compiled, self.general, self.which = compiled, general, which
        self.__name__, self.__doc__ = general.__name__, general.__doc__
        self._most = patient
        self._patient = patient > 0 and hasattr(compiled, "py_func")
        self._looked = False

    def __call__(self, *args: Any) -> Any:
        """Call the one or the other."""
        if self.which is not None and isinstance(args[self.which], np.ndarray):
            if self._patient:
                return self._call_patiently(args)
            return self.compiled(*args)
        return self.general(*args)

    def waits(self, size: int) -> bool:
        """Whether Python would take the place of machine code for vectors of so many elements."""
        if self._patient and not self._looked:
            self._patient, self._looked = not is_compiled(self), True
        return self._patient and self.waited < PATIENCE and size <= self._most

    def _call_patiently(self, args: tuple[Any, ...]) -> Any:
        assert self.which is not None
        if not self.waits(args[self.which].shape[-1]):
            self._patient = False
            return self.compiled(*args)
        arrays = list(_arrays(args))
        before = [array.copy() for array in arrays]
        began, compiling = time.thread_time(), [0.0]
        try:
            # the passes over vectors, which are compiled all the same
            with np.errstate(all="ignore"), install_timer("numba:compile", compiling.append):
                return _items(interpreted(self)(*args))
        except BaseException:  # Ctrl-C: all or nothing, as of machine code
            for array, content in zip(arrays, before, strict=True):
                array[...] = content
            raise
        finally:
            VectorFunction.waited += max(0.0, time.thread_time() - began - compiling[-1])


def _items(result: Any) -> Any:
    """Numbers of Python in the place of NumPy's, as machine code returns them."""
    if isinstance(result, tuple):
        return tuple(map(_items, result))
    return result.item() if isinstance(result, np.generic) else result


def _arrays(args: Any) -> Iterator[np.ndarray]:
    for arg in args:
        if isinstance(arg, np.ndarray):
            yield arg
        elif isinstance(arg, tuple):
            yield from _arrays(arg)


def patient(kernel: F, which: int, most: int) -> F:
    """A kernel that Python calls by itself, as a patient `VectorFunction`."""
    return VectorFunction(kernel, plain(kernel), which, most)  # type: ignore[return-value]


@typeof_impl.register(VectorFunction)
def _typeof(function: VectorFunction, _: Any) -> Any:
    compiled = function.compiled
    return numba.types.Dispatcher(compiled) if hasattr(compiled, "py_func") else None


def view_kernel(func: F) -> F:
    """Compile a function that returns parts of its arrays, which Python takes by itself."""
    return VectorFunction(_compile(func), func, None)  # type: ignore[return-value]


def vector_function(
    which: int, inline: bool = False, pointer: bool = False, patient: int = 0
) -> Callable[[F], F]:
    """Make a `VectorFunction` of a kernel that calls others, and be itself the general one.

    `pointer`: kernels may call it through a pointer, see `pointer_kernel`.
    """

    def decorate(func: F) -> F:
        compiled = _compile(func, forceinline=inline, no_cfunc_wrapper=not pointer)
        return VectorFunction(compiled, func, which, patient)  # type: ignore[return-value]

    return decorate
