"""What a problem of a user's is, the list of them, and what their files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

# Before NumPy and JAX: one thread each, so that methods are timed alike.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import harness
import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


@dataclass
class Problem(harness.Problem):
    """A problem of the harness, and what it is about.

    Attributes
    ----------
    domain : str
        The field it comes from.
    convex : bool
    about, source : str
        What it is; whose users bring such problems, or whose data they are.
    """

    domain: str
    convex: bool
    about: str
    source: str


@dataclass(frozen=True)
class Entry:
    """How to build a problem."""

    build: Callable
    domain: str
    source: str
    convex: bool


ENTRIES: dict[str, Entry] = {}


def register(domain: str, source: str, convex: bool = False) -> Callable[[Callable], Callable]:
    """Decorate a function of no arguments that returns (x0, fg) or (x0, fg, hessp)."""

    def decorate(build):
        ENTRIES[build.__name__] = Entry(build, domain, source, convex)
        return build

    return decorate


def load(name: str) -> Problem:
    """Build a problem; `ImportError` if a package that brings its data is not installed."""
    entry = ENTRIES[name]
    x0, fg, *hessp = entry.build()
    about = " ".join((entry.build.__doc__ or "").split())
    return Problem(
        name, np.array(x0, np.float64).ravel(), fg, hessp[0] if hessp else None, entry.domain,
        entry.convex, about, entry.source,
    )  # fmt: skip


def jaxed(f: Callable) -> tuple[Callable, Callable]:
    """fg and hessp of a JAX function of a flat vector; what is not finite becomes (inf, 0)."""
    value_and_grad = jax.jit(jax.value_and_grad(f))
    product = jax.jit(lambda x, p: jax.jvp(jax.grad(f), (x,), (p,))[1])

    def fg(x):
        value, g = value_and_grad(x)
        value, g = float(value), np.array(g, np.float64)
        if not (np.isfinite(value) and np.isfinite(g).all()):
            return np.inf, np.zeros_like(g)
        return value, g

    return fg, lambda x, p: np.array(product(x, p), np.float64)


def frame(name):
    """A data set of statsmodels."""
    import statsmodels.api as sm

    return getattr(sm.datasets, name).load_pandas().data


def standardise(a):
    """The columns of a with mean 0 and standard deviation 1."""
    return (a - a.mean(0)) / a.std(0)


def with_one(a):
    """The columns of a, and one of ones behind them."""
    return np.column_stack([a, np.ones(len(a))])


def splitter(**shapes):
    """The size of a flat vector of such parts, and the function that takes it apart."""
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}

    def split(x):
        parts, i = [], 0
        for name, shape in shapes.items():
            parts.append(x[i : i + sizes[name]].reshape(shape))
            i += sizes[name]
        return parts

    return sum(sizes.values()), split
