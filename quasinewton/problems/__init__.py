"""Classical test problems for smooth optimization: without constraints, with bounds, with others.

Each problem carries its objective, gradient, exact Hessian-vector product, standard starting
point and, where known, its minimum and minimisers; see `Problem`.  The lists `names`, `scalable`
and `all` are those of the problems without bounds; with ``bounded=True`` those of the problems
with bounds alone, with ``constrained=True`` those of the problems with other constraints.

>>> from quasinewton import problems
>>> problem = problems.get("rosenbrock")
>>> problem.fun(problem.x0)
24.199999999999996
>>> problems.get("hs2").bounds
Bounds(array([-inf,  1.5]), array([inf, inf]))
>>> problem = problems.get("hs71")
>>> problem.constraints.fun(problem.x0) - problem.constraints.lb
array([ 0., 12.])
"""

from . import (
    bounded,
    chained,
    coupled,
    data,
    degenerate,
    hs,
    hs_applied,
    hs_constrained,
    membranes,
    mgh,
    planar,
)
from ._registry import Problem, admits, get, names, scalable
from ._registry import iterate as all

__all__ = ["Problem", "admits", "all", "get", "names", "scalable"]

# The modules enter their problems into the table when imported.
del bounded, chained, coupled, data, degenerate, hs, hs_applied, hs_constrained
del membranes, mgh, planar


def __dir__() -> list[str]:
    return list(__all__)
