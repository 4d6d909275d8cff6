"""The one loop, what ends it, and the file that it is saved in."""

from .loop import Solver, StopIterationRaised, as_start

__all__ = ["Solver", "StopIterationRaised", "as_start"]
