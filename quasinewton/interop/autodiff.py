"""From a scalar function in JAX, PyTorch or autograd to the functions that `minimize` takes.

Each library is an optional extra and is imported only when called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..extras import needs

__all__ = ["Functions", "from_autograd", "from_jax", "from_torch"]


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
        ``unravel(x)`` has the structure of the parameters given, with NumPy arrays for leaves;
        a torch module is the module given, with x in its parameters.
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
    with needs("jax", "jax", "from_jax"):
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
    """The gradient and exact Hessian products of a function that uses autograd's NumPy.

    Parameters
    ----------
    fun : callable
        ``fun(params) -> scalar``, of operations of ``autograd.numpy``.
    params : array, or nested lists, tuples and dicts of arrays
        The start.

    Returns
    -------
    Functions
    """
    with needs("autograd", "autograd", "from_autograd"):
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


def from_torch(fun: Callable[[Any], Any], params: Any) -> Functions:
    """The gradient and exact Hessian products, by two backward passes, of a PyTorch function.

    Parameters
    ----------
    fun : callable
        ``fun(params) -> scalar tensor``, of operations that torch differentiates twice.
    params : array, tensor, nested lists, tuples and dicts of these, or `torch.nn.Module`
        The start. `fun` gets float64 tensors in this structure, on the devices of the tensors
        given; or the module itself, after x has been written into those of its parameters
        that have ``requires_grad``.

    Returns
    -------
    Functions

    Raises
    ------
    TypeError
        For a module, or a value of `fun`, of another precision than float64.

    Examples
    --------
    ::

        net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        f = from_torch(lambda net: ((net(x) - y) ** 2).mean(), net.double())
        result = quasinewton.minimize(f.fun, f.x0, jac=True, hessp=f.hessp)
        net = f.unravel(result.x)
    """
    with needs("torch", "torch", "from_torch"):
        import torch
        from torch.utils._pytree import tree_flatten, tree_unflatten

    module = params if isinstance(params, torch.nn.Module) else None
    if module is None:
        leaves, structure = tree_flatten(params)
        leaves = [
            leaf.detach() if torch.is_tensor(leaf) else torch.as_tensor(np.asarray(leaf))
            for leaf in leaves
        ]
    else:
        leaves = [p for p in module.parameters() if p.requires_grad]
        for name, p in module.named_parameters():
            if p.dtype != torch.float64:
                raise TypeError(
                    f"`params` must be a module in float64 (module.double()), {name} is {p.dtype}"
                )
    ends = np.cumsum([leaf.numel() for leaf in leaves])

    def split(x: np.ndarray) -> list[Any]:
        parts = np.split(np.array(x, np.float64), ends[:-1])
        return [
            torch.as_tensor(part, device=leaf.device).reshape(leaf.shape)
            for part, leaf in zip(parts, leaves, strict=True)
        ]

    def flat(tensors: Any) -> np.ndarray:
        return np.concatenate(
            [
                np.zeros(leaf.numel()) if t is None else t.detach().cpu().numpy().reshape(-1)
                for t, leaf in zip(tensors, leaves, strict=True)
            ],
            dtype=np.float64,
        )

    def place(x: np.ndarray) -> Any:
        """x in the module."""
        with torch.no_grad():
            for leaf, part in zip(leaves, split(x), strict=True):
                leaf.copy_(part)
        return module

    def differentiate(x: np.ndarray, twice: bool) -> tuple[Any, Any, Any]:
        """The variables at x, the value, and its gradient."""
        with torch.enable_grad():
            if module is None:
                variables = [part.requires_grad_() for part in split(x)]
                value = fun(tree_unflatten(variables, structure))
            else:
                variables = leaves
                value = fun(place(x))
            if value.dtype != torch.float64:
                raise TypeError(f"`fun` must compute in float64, it returned {value.dtype}")
            g = torch.autograd.grad(value, variables, create_graph=twice, allow_unused=True)
            return variables, value, g

    def joint(x: np.ndarray) -> tuple[float, np.ndarray]:
        _, value, g = differentiate(x, twice=False)
        return float(value.detach()), flat(g)

    def hessp(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        variables, _, g = differentiate(x, twice=True)
        # torch has no gradient (None) for what `fun` does not use, no graph where it is linear
        curved = [k for k, t in enumerate(g) if t is not None and t.requires_grad]
        if not curved:
            return np.zeros(ends[-1])
        direction = split(p)
        return flat(
            torch.autograd.grad(
                [g[k] for k in curved], variables, [direction[k] for k in curved],
                allow_unused=True,
            )
        )  # fmt: skip

    def unravel(x: np.ndarray) -> Any:
        if module is not None:
            return place(x)
        return tree_unflatten([part.cpu().numpy() for part in split(x)], structure)

    return Functions(joint, hessp, flat(leaves), unravel)
