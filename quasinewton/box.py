"""Bounds on the variables: a box that no point of a run leaves."""

from __future__ import annotations

from typing import Any

__all__ = ["Box"]


class Box:
    """The points x with lower <= x <= upper.

    Attributes
    ----------
    lower, upper : arrays, shape (n,)
        Of the dtype of x0; infinite where there is no bound.
    """

    def __init__(self, lower: Any, upper: Any) -> None:
        self.lower, self.upper = lower, upper
