"""Smooth unconstrained optimization: cubic regularization and trust regions at any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .minimize import (
    arc_hybrid,
    arc_lbfgs,
    arc_lsr1,
    minimize,
    trust_cg,
    trust_hybrid,
    trust_lbfgs,
    trust_lsr1,
)
from .status import Status

if TYPE_CHECKING:
    from . import problems
    from .many import minimize_many
    from .models.strategy import LBFGS, LSR1, LHybrid
    from .progress_bar import progress
    from .solver import Solver

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
    "minimize",
    "minimize_many",
    "problems",
    "progress",
    "trust_cg",
    "trust_hybrid",
    "trust_lbfgs",
    "trust_lsr1",
]


#: What a plain `minimize` does not need is imported on first use.
_LAZY = {
    "LBFGS": "models.strategy",
    "LHybrid": "models.strategy",
    "LSR1": "models.strategy",
    "Solver": "solver",
    "minimize_many": "many",
    "problems": "",
    "progress": "progress_bar",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _LAZY[name]:
        return importlib.import_module(f".{name}", __name__)
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
