"""Other libraries: functions from JAX, PyTorch and autograd, strategies for SciPy, optimagic.

Each library is an optional extra and is imported only when called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .autodiff import Functions, from_autograd, from_jax, from_torch

if TYPE_CHECKING:
    from . import optimagic as optimagic
    from .scipy import LBFGS, LSR1, LHybrid

__all__ = ["LBFGS", "LSR1", "Functions", "LHybrid", "from_autograd", "from_jax", "from_torch"]


def __getattr__(name: str) -> Any:  # `optimagic` needs its extra, so that `*` leaves it out
    if name == "optimagic":
        return importlib.import_module(".optimagic", __name__)
    if name in ("LBFGS", "LSR1", "LHybrid"):
        return getattr(importlib.import_module(".scipy", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
