"""Methods of this package as algorithms of optimagic (the extra ``optimagic``).

>>> import optimagic as om
>>> from quasinewton.interop.optimagic import ArcLSR1
>>> result = om.minimize(lambda x: x @ x, params=np.ones(3), algorithm=ArcLSR1())
>>> bool(result.success)
True

Constraints that optimagic removes by a change of variables - fixed and equal parameters, linear
equations - are kept, as are bounds, and what it turns into bounds: linear inequalities, increasing
or decreasing parameters, probabilities, covariance matrices. Nonlinear constraints raise
ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds

from ..extras import needs
from ..minimize import minimize

with needs("optimagic", "optimagic", "quasinewton.interop.optimagic"):
    from optimagic import mark
    from optimagic.optimization.algorithm import Algorithm, InternalOptimizeResult
    from optimagic.optimization.internal_optimization_problem import InternalOptimizationProblem
    from optimagic.typing import AggregationLevel, NonNegativeFloat, PositiveInt

__all__ = ["ArcHybrid", "ArcLSR1", "TrustCG"]


def _minimizer(name: str) -> Any:
    return mark.minimizer(
        name=name, solver_type=AggregationLevel.SCALAR, is_available=True, is_global=False,
        needs_jac=True, needs_hess=False, needs_bounds=False, supports_parallelism=False,
        supports_bounds=True, supports_infinite_bounds=True, supports_linear_constraints=False,
        supports_nonlinear_constraints=False,
    )  # fmt: skip


@dataclass(frozen=True)
class _Method(Algorithm):
    """Options by optimagic's names; those of `quasinewton.options.Options` are in brackets.

    Attributes
    ----------
    convergence_gtol_abs : float, default 1e-5
        Converged when max|g_i| is at most this (`gtol`) ...
    convergence_gtol_scaled : float, default 0
        ... or at most this times its value at the start (`grtol`).
    convergence_xtol_rel, convergence_ftol_rel : float, default 0
        `xtol` and `ftol`: end the run without success.
    stopping_maxiter, stopping_maxfun : int, optional
        `maxiter` and `maxfev`.
    stopping_maxtime : float, default no limit
        Seconds (`maxtime`).
    """

    convergence_gtol_abs: NonNegativeFloat = 1e-5
    convergence_gtol_scaled: NonNegativeFloat = 0.0
    convergence_xtol_rel: NonNegativeFloat = 0.0
    convergence_ftol_rel: NonNegativeFloat = 0.0
    stopping_maxiter: PositiveInt | None = None
    stopping_maxfun: PositiveInt | None = None
    stopping_maxtime: NonNegativeFloat = np.inf

    def _solve_internal_problem(
        self, problem: InternalOptimizationProblem, x0: np.ndarray
    ) -> InternalOptimizeResult:
        lower, upper = problem.bounds.lower, problem.bounds.upper
        bounds = Bounds(-np.inf if lower is None else lower, np.inf if upper is None else upper)
        options = {
            "gtol": self.convergence_gtol_abs,
            "grtol": self.convergence_gtol_scaled,
            "xtol": self.convergence_xtol_rel,
            "ftol": self.convergence_ftol_rel,
            "maxiter": self.stopping_maxiter,
            "maxfev": self.stopping_maxfun,
            "maxtime": self.stopping_maxtime,
        }
        if hasattr(self, "memory"):
            options["memory"] = self.memory
        result = minimize(
            problem.fun_and_jac, x0, jac=True, method=self.name.removeprefix("quasinewton_"),
            options=options, bounds=bounds,
        )  # fmt: skip
        return InternalOptimizeResult(
            x=result.x, fun=result.fun, jac=result.jac, success=bool(result.success),
            message=result.message, status=int(result.status), n_fun_evals=result.nfev,
            n_jac_evals=result.njev, n_hess_evals=result.nhev, n_iterations=result.nit,
        )  # fmt: skip


@_minimizer("quasinewton_arc_lsr1")
@dataclass(frozen=True)
class ArcLSR1(_Method):
    """Cubic regularization with a limited-memory SR1 model; `memory` is the pairs kept."""

    memory: PositiveInt | None = None


@_minimizer("quasinewton_arc_hybrid")
@dataclass(frozen=True)
class ArcHybrid(_Method):
    """Cubic regularization with BFGS and SR1 updates; `memory` is the pairs kept."""

    memory: PositiveInt | None = None


@_minimizer("quasinewton_trust_cg")
@dataclass(frozen=True)
class TrustCG(_Method):
    """Trust-region conjugate gradients, with Hessian products by differences of gradients."""
