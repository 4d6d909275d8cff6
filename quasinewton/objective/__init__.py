"""What the user gives, made uniform and counted; checks of its derivatives."""

from .derivatives import (
    Comparison,
    DerivativeCheck,
    DerivativeError,
    check_gradient,
    check_hessp,
    require_derivatives,
)
from .hessian import HessianOperator, covariance, standard_errors
from .objective import Counts, Objective, OutOfBudget, as_value, as_vector, precision

__all__ = [
    "Comparison",
    "Counts",
    "DerivativeCheck",
    "DerivativeError",
    "HessianOperator",
    "Objective",
    "OutOfBudget",
    "as_value",
    "as_vector",
    "check_gradient",
    "check_hessp",
    "covariance",
    "precision",
    "require_derivatives",
    "standard_errors",
]
