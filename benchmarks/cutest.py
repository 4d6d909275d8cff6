"""Unconstrained CUTEst problems from the package sif2jax, as NumPy functions.

Jitted value and gradient, and Hessian products, in float64, with JAX's compile cache kept
in a folder of the user's so that a second run starts in seconds.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
from harness import Problem

LIST = Path(__file__).with_name("cutest_problems.txt")


def names(smallest: int = 1, largest: int = 10**9) -> list[str]:
    """Names in the development list with n in a range."""
    rows = (line.split() for line in LIST.read_text().splitlines() if line.strip())
    return [name for name, n in rows if smallest <= int(n) <= largest]


def _import():
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    jax.config.update("jax_compilation_cache_dir", str(home / "quasinewton-benchmarks" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # One constrained problem takes 90 s to import: a stub stands in for it.
    stub = types.ModuleType("sif2jax.cutest._constrained_minimisation.cleuven7")
    stub.CLEUVEN7 = type("CLEUVEN7", (), {"name": "CLEUVEN7"})
    sys.modules.setdefault(stub.__name__, stub)
    import sif2jax

    return jax, sif2jax


def load(name: str, products: bool = True) -> Problem:
    """Build and compile one problem at its standard size."""
    jax, sif2jax = _import()
    from jax.flatten_util import ravel_pytree

    problem = {p.name: p for p in sif2jax.unconstrained_minimisation_problems}.get(name)
    if problem is None:
        raise KeyError(f"no unconstrained problem {name} in sif2jax")
    flat, unravel = ravel_pytree(problem.y0)
    args = problem.args
    x0 = np.array(flat, np.float64)

    def f(x):
        return problem.objective(unravel(x), args)

    value_and_grad = jax.jit(jax.value_and_grad(f))
    product = jax.jit(lambda x, p: jax.jvp(jax.grad(f), (x,), (p,))[1])

    def fg(x):
        value, gradient = value_and_grad(x)
        return float(value), np.asarray(gradient)

    def hessp(x, p):
        return np.asarray(product(x, p))

    fg(x0)
    if products:
        hessp(x0, x0)
    return Problem(name, x0, fg, hessp)
