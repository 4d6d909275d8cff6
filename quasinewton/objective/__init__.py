"""What the user gives, made uniform and counted; checks of its derivatives."""

from .derivatives import (
    Comparison,
    DerivativeCheck,
    DerivativeError,
    check_gradient,
    check_hessp,
)
from .derivatives import require_derivatives as require_derivatives
from .objective import Counts as Counts
from .objective import Objective as Objective
from .objective import OutOfBudget as OutOfBudget
from .objective import as_value as as_value

__all__ = [
    "Comparison",
    "DerivativeCheck",
    "DerivativeError",
    "check_gradient",
    "check_hessp",
]


def __dir__() -> list[str]:
    return list(__all__)
