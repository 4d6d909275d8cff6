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
    from .solver import Solver

__version__ = "0.1.0"

__all__ = [
    "Solver",
    "Status",
    "__version__",
    "arc_hybrid",
    "arc_lbfgs",
    "arc_lsr1",
    "minimize",
    "minimize_many",
    "problems",
    "trust_cg",
    "trust_hybrid",
    "trust_lbfgs",
    "trust_lsr1",
]


def __getattr__(name: str) -> Any:
    # What a plain `minimize` does not need is imported on first use.
    import importlib

    if name == "Solver":
        return importlib.import_module(".solver", __name__).Solver
    if name == "minimize_many":
        return importlib.import_module(".many", __name__).minimize_many
    if name == "problems":
        return importlib.import_module(".problems", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
