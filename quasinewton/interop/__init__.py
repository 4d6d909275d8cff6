"""Other libraries: functions from JAX, PyTorch and autograd, strategies for SciPy, optimagic.

Each library is an optional extra and is imported only when called.
"""

from .autodiff import Functions, from_autograd, from_jax, from_torch

__all__ = ["Functions", "from_autograd", "from_jax", "from_torch"]
