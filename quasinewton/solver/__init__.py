"""The one loop, what ends it, and the file that it is saved in."""

from .loop import Solver
from .loop import as_start as as_start
from .loop import open_solver as open_solver

__all__ = ["Solver"]


def __dir__() -> list[str]:
    return list(__all__)
