"""The methods: what `ask` and `tell` move on. They are listed in `recipes`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .recipes import CONSTRAINED, METHODS, QUASI_NEWTON, Recipe, default_method

if TYPE_CHECKING:
    from ..box import Box
    from ..options import Options

__all__ = [
    "COMPILING", "CONSTRAINED", "METHODS", "QUASI_NEWTON", "Recipe", "build", "default_method",
    "is_ready", "restore", "unknown_method",
]  # fmt: skip

#: What a front end says before the machine code of a method is made, see `is_ready`.
COMPILING = "Compiling, for up to half a minute; the machine code is kept for later runs."

#: What here is nearest to a method of SciPy; None: nothing, since that needs no gradient.
_SCIPYS = {
    "bfgs": "trust_hybrid", "l-bfgs-b": "trust_hybrid", "cg": "trust_hybrid",
    "newton-cg": "trust_cg", "trust-ncg": "trust_cg", "trust-krylov": "trust_cg",
    "trust-exact": "trust_cg", "dogleg": "trust_cg", "nelder-mead": None, "powell": None,
    "cobyla": None, "cobyqa": None, "slsqp": "sqp_hybrid", "tnc": "trust_hybrid",
    "trust-constr": "sqp_hybrid",
}  # fmt: skip


def unknown_method(name: Any, methods: Iterable[str] = METHODS) -> str:
    """The message for a name that is none of the methods."""
    methods = list(methods)
    message = f"Unknown solver {name!r}; expected one of {', '.join(methods)}"
    key = str(name).lower()
    if str(name) in (*METHODS, *CONSTRAINED):
        return f"{message}. `quasinewton.minimize` takes {name!r}."
    if key in _SCIPYS:
        nearest = _SCIPYS[key]
        if nearest not in methods:
            return f"{message}. SciPy has {name}; here is no method of its kind."
        return (
            f"{message}. {name} is SciPy's: {nearest!r} is nearest to it, and without `method` "
            "the one is taken that measures best."
        )
    key = key.replace("-", "_")
    close = [known for known in methods if len(key) > 2 and key in known]
    close = close or difflib.get_close_matches(key, methods, n=1)
    return f"{message}; did you mean {close[0]!r}?" if close else message


def build(method: str) -> Callable[..., Any]:
    """The function that starts a method from (x0, f, g, options, box).

    One of `CONSTRAINED` from the sides, values and Jacobian of the constraints too.
    """
    # Imported here: numba comes in when a run starts, not with the package.
    if method == "trust_cg":
        return lambda x0, f, g, options, box: _trust_cg(options)(x0, f, g, options, box=box)
    if method in CONSTRAINED:
        from .sqp import SQP

        own = CONSTRAINED[method]
        return lambda x0, f, g, options, *rest: SQP(x0, f, g, own, options, *rest)
    from .quasi_newton import QuasiNewton

    recipe = QUASI_NEWTON[method]
    return lambda x0, f, g, options, box: QuasiNewton(x0, f, g, recipe, options, box)


def _trust_cg(options: Options) -> Any:
    if options.enriched:
        from .enriched import Enriched

        return Enriched
    from .trust_cg import TrustCG

    return TrustCG


def is_ready(method: str, x0: Any, options: Options, bounded: bool = False) -> bool:
    """Whether the machine code of a method is in memory or on disk, or not needed so far."""
    from ..kernels import is_compiled
    from .quasi_newton import main_kernel

    if method == "trust_cg" and not options.enriched:
        return True  # its kernels are small
    if method in CONSTRAINED:
        from .sqp import solve_subproblem

        return solve_subproblem.waits(x0.shape[0]) or is_compiled(solve_subproblem)
    kernel = main_kernel(x0, options, bounded)
    return kernel.waits(x0.shape[0]) or is_compiled(kernel)


def restore(method: str, state: dict[str, Any], options: Options, box: Box | None = None) -> Any:
    """The method that was `saved`, with the box that it was built with.

    Raises
    ------
    LookupError, TypeError, ValueError
        Where it is the state of no such method.
    """
    if method == "trust_cg":
        enriched = any(name.startswith("quasi.") for name in state)
        if enriched != options.enriched:
            raise ValueError(
                f"option `enriched` is {options.enriched}, the run was started with {enriched}"
            )
        return _trust_cg(options).restore(state, options, box=box)
    if method in CONSTRAINED:
        from .sqp import SQP

        return SQP.restore(state, CONSTRAINED[method], options, box)
    from .quasi_newton import QuasiNewton

    return QuasiNewton.restore(state, QUASI_NEWTON[method], options, box)


def __dir__() -> list[str]:
    return list(__all__)
