"""From a scalar function in JAX or autograd to fun, jac and hessp for `quasinewton.minimize`.

Each library is an optional extra and is imported only when called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Functions", "from_autograd", "from_jax"]


@dataclass(frozen=True)
class Functions:
    """A function of flat float64 vectors and its derivatives.

    Attributes
    ----------
    fun : callable
        ``fun(x) -> (f, g)`` with x, g of shape (n,); to be used with ``jac=True``.
    hessp : callable
        ``hessp(x, p) -> array, shape (n,)``.
    x0 : array, shape (n,)
        The parameters given, flat.
    unravel : callable
        ``unravel(x)`` has the structure of the parameters given, with NumPy arrays for leaves.
    """

    fun: Callable[[np.ndarray], tuple[float, np.ndarray]]
    hessp: Callable[[np.ndarray, np.ndarray], np.ndarray]
    x0: np.ndarray
    unravel: Callable[[np.ndarray], Any]


def from_jax(fun: Callable[[Any], Any], params: Any) -> Functions:
    """Compile a JAX function with its gradient and Hessian products, in float64.

    Parameters
    ----------
    fun : callable
        ``fun(params) -> scalar``, of JAX operations.
    params : array or pytree of arrays
        The start. Integers and lower precisions become float64.

    Returns
    -------
    Functions
        They compute in float64 whatever JAX's global setting is, and do not change it.

    Examples
    --------
    >>> import quasinewton
    >>> from quasinewton.interop import from_jax
    >>> def loss(p):
    ...     return ((p["w"] - 2.0) ** 2).sum() + (p["b"] + 1.0) ** 4
    >>> f = from_jax(loss, {"w": np.zeros(3), "b": 0.0})
    >>> result = quasinewton.minimize(f.fun, f.x0, jac=True, hessp=f.hessp)
    >>> np.allclose(f.unravel(result.x)["w"], 2.0)
    True
    """
    import jax
    from jax.flatten_util import ravel_pytree

    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, np.float64), params)
        flat, unravel = ravel_pytree(params)

        def scalar(x: Any) -> Any:
            return fun(unravel(x))

        value_and_grad = jax.jit(jax.value_and_grad(scalar))
        product = jax.jit(lambda x, p: jax.jvp(jax.grad(scalar), (x,), (p,))[1])

    def joint(x: np.ndarray) -> tuple[float, np.ndarray]:
        with jax.enable_x64(True):
            f, g = value_and_grad(np.asarray(x, np.float64))
            return float(f), np.array(g)

    def hessp(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            return np.array(product(np.asarray(x, np.float64), np.asarray(p, np.float64)))

    def restore(x: np.ndarray) -> Any:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, unravel(jax.numpy.asarray(x, np.float64)))

    return Functions(joint, hessp, np.array(flat), restore)


def from_autograd(fun: Callable[[Any], Any], params: Any) -> Functions:
    """The same for a function of autograd's NumPy and nested lists, tuples, dicts of arrays."""
    from autograd import make_hvp, value_and_grad
    from autograd.misc import flatten

    flat, unravel = flatten(params)

    def scalar(x: Any) -> Any:
        return fun(unravel(x))

    both = value_and_grad(scalar)
    products = make_hvp(scalar)

    def joint(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = both(np.asarray(x, np.float64))
        return float(f), np.asarray(g)

    def hessp(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.asarray(products(np.asarray(x, np.float64))[0](p))

    return Functions(joint, hessp, np.asarray(flat, np.float64), unravel)
