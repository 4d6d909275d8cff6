"""What a person sees of a run: pictures, a progress bar, a table of iterations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import plot

__all__ = ["plot"]


def __getattr__(name: str) -> Any:
    if name != "plot":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(".plot", __name__)


def __dir__() -> list[str]:
    return list(__all__)
