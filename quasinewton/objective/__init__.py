"""What the user gives, made uniform and counted; checks of its derivatives."""

from .derivatives import (
    Comparison,
    DerivativeCheck,
    DerivativeError,
    check_gradient,
    check_hessp,
)
from .derivatives import require_derivatives as require_derivatives
from .hessian import HessianOperator, covariance, standard_errors
from .objective import Counts as Counts
from .objective import Objective as Objective
from .objective import OutOfBudget as OutOfBudget
from .objective import as_dense as as_dense
from .objective import as_matrix as as_matrix
from .objective import as_pair as as_pair
from .objective import as_value as as_value
from .objective import as_vector as as_vector
from .objective import precision as precision
from .steps import NoisySteps as NoisySteps

__all__ = [
    "Comparison",
    "DerivativeCheck",
    "DerivativeError",
    "HessianOperator",
    "check_gradient",
    "check_hessp",
    "covariance",
    "standard_errors",
]


def __dir__() -> list[str]:
    return list(__all__)
