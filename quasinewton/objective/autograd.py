"""Derivatives of a function of a tensor by PyTorch, where the user gives none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["autograd_pair", "autograd_product"]


def _value(fun: Callable[..., Any], x: Any, args: tuple[Any, ...]) -> Any:
    import torch

    value = fun(x.requires_grad_(), *args)
    if not torch.is_tensor(value) or not value.requires_grad:
        what = f"a tensor of {value.dtype}" if torch.is_tensor(value) else type(value).__name__
        raise TypeError(
            "where `x0` is a tensor and `jac` is None, `fun` must return a tensor that PyTorch can "
            f"differentiate by x, got {what} without a graph; pass `jac`"
        )
    return value


def autograd_pair(fun: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """``fun(x, *args) -> (f, gradient)`` by a backward pass."""

    def pair(x: Any, *args: Any) -> tuple[Any, Any]:
        import torch

        with torch.enable_grad():
            value = _value(fun, x, args)
            (g,) = torch.autograd.grad(value, x, allow_unused=True)
        return value.detach(), torch.zeros_like(x) if g is None else g

    return pair


def autograd_product(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``hessp(x, p, *args)`` by two backward passes."""

    def product(x: Any, p: Any, *args: Any) -> Any:
        import torch

        with torch.enable_grad():
            value = _value(fun, x, args)
            (g,) = torch.autograd.grad(value, x, create_graph=True, allow_unused=True)
            if g is None or not g.requires_grad:  # linear in x
                return torch.zeros_like(p)
            (hp,) = torch.autograd.grad(g, x, p, allow_unused=True)
        return torch.zeros_like(p) if hp is None else hp

    return product
