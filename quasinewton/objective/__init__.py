"""What the user gives, made uniform and counted; checks of its derivatives."""

from .derivatives import (
    Comparison,
    DerivativeCheck,
    DerivativeError,
    check_gradient,
    check_hessp,
    require_derivatives,
)
from .objective import Counts, Objective, OutOfBudget, as_value

__all__ = [
    "Comparison",
    "Counts",
    "DerivativeCheck",
    "DerivativeError",
    "Objective",
    "OutOfBudget",
    "as_value",
    "check_gradient",
    "check_hessp",
    "require_derivatives",
]
