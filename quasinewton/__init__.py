"""Smooth optimization, under bounds and constraints or without, small and large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .minimize import (
    arc_hybrid,
    arc_lbfgs,
    arc_lsr1,
    minimize,
    sqp_hybrid,
    sqp_lsr1,
    sqp_newton,
    trust_cg,
    trust_hybrid,
    trust_lbfgs,
    trust_lsr1,
)
from .status import Status

if TYPE_CHECKING:
    from . import interop, objective, problems
    from .display import plot
    from .display.progress_bar import progress
    from .interop import dask
    from .interop.scipy import LBFGS, LSR1, LHybrid
    from .many import minimize_many, multistart
    from .objective import standard_errors
    from .solver import Solver
    from .sums import minimize_sum

__version__ = "0.1.0"

__all__ = [
    "LBFGS",
    "LSR1",
    "LHybrid",
    "Solver",
    "Status",
    "__version__",
    "arc_hybrid",
    "arc_lbfgs",
    "arc_lsr1",
    "dask",
    "interop",
    "minimize",
    "minimize_many",
    "minimize_sum",
    "multistart",
    "objective",
    "plot",
    "problems",
    "progress",
    "sqp_hybrid",
    "sqp_lsr1",
    "sqp_newton",
    "standard_errors",
    "trust_cg",
    "trust_hybrid",
    "trust_lbfgs",
    "trust_lsr1",
]


#: What a plain `minimize` does not need is imported on first use: module, and the name in it.
_LAZY = {
    "LBFGS": ("interop.scipy", "LBFGS"),
    "LHybrid": ("interop.scipy", "LHybrid"),
    "LSR1": ("interop.scipy", "LSR1"),
    "Solver": ("solver", "Solver"),
    "dask": ("interop.dask", None),
    "interop": ("interop", None),
    "minimize_many": ("many", "minimize_many"),
    "minimize_sum": ("sums", "minimize_sum"),
    "multistart": ("many", "multistart"),
    "objective": ("objective", None),
    "plot": ("display.plot", None),
    "problems": ("problems", None),
    "progress": ("display.progress_bar", "progress"),
    "standard_errors": ("objective", "standard_errors"),
}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    imported = importlib.import_module(f".{module}", __name__)
    return imported if attribute is None else getattr(imported, attribute)


def __dir__() -> list[str]:
    return list(__all__)
