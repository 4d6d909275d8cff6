"""The methods by name: each a model, a subproblem and a rule, said in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..options import Options

__all__ = ["METHODS", "QUASI_NEWTON", "build"]

#: Quasi-Newton methods: the update of the model, and the subproblem (None: the cubic one in
#: the norm that `options` name).
QUASI_NEWTON: dict[str, tuple[str, str | None]] = {
    "arc_lsr1": ("lsr1", None),
    "trust_lsr1": ("lsr1", "trust_region"),
}

#: Every method, in the order in which help texts list them.
METHODS: tuple[str, ...] = (*QUASI_NEWTON, "trust_cg")


def build(method: str) -> Callable[[np.ndarray, float, np.ndarray, Options], Any]:
    """The function that starts a method from (x0, f, g, options)."""
    # Imported here: numba comes in when a run starts, not with the package.
    if method == "trust_cg":
        from .trust_cg import TrustCG

        return TrustCG
    from .quasi_newton import QuasiNewton

    kind, subproblem = QUASI_NEWTON[method]

    def start(x0: np.ndarray, f: float, g: np.ndarray, options: Options) -> QuasiNewton:
        return QuasiNewton(x0, f, g, kind, subproblem or options.norm, options)

    return start
