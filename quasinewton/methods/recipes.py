"""The methods by name: each a model, a subproblem and a rule, said in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CONSTRAINED", "METHODS", "QUASI_NEWTON", "Recipe", "default_method"]


@dataclass(frozen=True)
class Recipe:
    """What makes a quasi-Newton method.

    Attributes
    ----------
    update : str
        How one pair changes the model, a key of `quasinewton.models.updates.KINDS`; 'products'
        where the Hessian itself is asked for.
    subproblem : str or None
        A key of `quasinewton.subproblems.table.SUBPROBLEMS`; None is the cubic one in the
        norm that the options name.
    window : int
        gamma is the largest y.y / s.y of this many pairs in a limited-memory model: where the user
        sets `memory` and n > 2 memory. A dense one takes the least s.y / s.s of the last seven,
        a reduced one y.y / s.y of the last.
    rule : mapping
        Its own defaults of `quasinewton.globalization.RuleParameters`.
    dense_rule : mapping
        More of them, where the model is dense.
    """

    update: str
    subproblem: str | None
    window: int
    rule: Mapping[str, float] = field(default_factory=dict)
    dense_rule: Mapping[str, float] = field(default_factory=dict)

    @property
    def second(self) -> bool:
        """Whether it uses second derivatives."""
        return self.update == "products"


# Chosen on the problems of benchmarks/. A model that is positive definite by construction
# may be trusted with long steps; an SR1 model that happens to be, may not. Pairs of rejected
# trials make models worse, but for SR1 ones of few pairs beside n; so do values of f in theirs.
_SR1: dict[str, Any] = {
    "window": 7,
    "rule": {"cubic": 1.0, "shrink_min": 0.02},
    "dense_rule": {"secant": 1.0, "keep": math.inf},
}
_SAFE: dict[str, Any] = {
    "window": 1,
    "rule": {
        "grow_convex": 10.0, "secant": 1.0, "keep": math.inf, "cubic": 1.0, "shrink_min": 0.02,
    },
}

QUASI_NEWTON: dict[str, Recipe] = {
    "arc_lsr1": Recipe("lsr1", None, **_SR1),
    "trust_lsr1": Recipe("lsr1", "trust_region", **_SR1),
    "arc_lbfgs": Recipe("lbfgs", None, **_SAFE),
    "trust_lbfgs": Recipe("lbfgs", "trust_region", **_SAFE),
    "arc_hybrid": Recipe("hybrid", None, **_SAFE),
    "trust_hybrid": Recipe("hybrid", "trust_region", **_SAFE),
}

#: The methods that take constraints.
CONSTRAINED: dict[str, Recipe] = {
    "sqp_hybrid": Recipe("hybrid", "trust_region", **_SAFE),
    "sqp_lsr1": Recipe("lsr1", "trust_region", **_SR1),
    "sqp_newton": Recipe("products", "trust_region", 0),
}

#: Every other method, in the order in which help texts list them.
METHODS: tuple[str, ...] = (*QUASI_NEWTON, "trust_cg")


def default_method(n: int, constrained: bool = False, second: bool = False) -> str:
    """The method, by whether there are second derivatives: the same at every n measures best."""
    if constrained:
        return "sqp_newton" if second else "sqp_hybrid"
    return "trust_cg" if second else "trust_hybrid"
