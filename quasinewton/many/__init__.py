"""One function from many starts."""

from .multistart import multistart
from .solve import minimize_many

__all__ = ["minimize_many", "multistart"]
