"""A state as a mapping of names to arrays and numbers: parts of it, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["check_shape", "fill", "part", "set_numbers"]


def part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The entries under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def fill(array: Any, name: str, state: Mapping[str, Any]) -> None:
    """Set an array to the entry of a state; ValueError where that is not of its shape and kind."""
    value = state[name]
    if type(value) is not type(array):  # else it may be a tensor
        value = np.asarray(value)
    check_shape(name, state, array.shape)
    if value.dtype != array.dtype:
        raise ValueError(f"{name} has dtype {value.dtype}, expected {array.dtype}")
    array[...] = value


def set_numbers(method: Any, names: tuple[str, ...], state: Mapping[str, Any]) -> None:
    """Set attributes to entries of a state, of the types that they have."""
    for name in names:
        setattr(method, name, type(getattr(method, name))(state[name]))


def check_shape(name: str, state: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """ValueError where the entry of a state has another shape."""
    found = np.shape(state[name])
    if found != shape:
        raise ValueError(f"{name} has shape {found}, expected {shape}")
