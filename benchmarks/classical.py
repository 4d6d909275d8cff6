"""The classical problems of `quasinewton.problems`, from n = 2 to 10^6."""

from __future__ import annotations

import numpy as np
from harness import Problem

from quasinewton import problems

#: Sizes of the scalable problems beside their standard ones, and every which problem: the larger,
#: the fewer, so that a run of all methods ends in a quarter of an hour.
SIZES = {1000: 1, 10_000: 4, 100_000: 8, 1_000_000: 16}

#: Work or memory for f grows faster than n: only at their standard size.
HEAVY = ("chebyquad", "logistic_synthetic", "penalty_2", "watson")


def names(smallest: int = 1, largest: int = 10**9) -> list[str]:
    """The problems at their standard sizes, and as name:n at those of `SIZES`."""
    found = [p.name for p in problems.all() if smallest <= p.n <= largest]
    for n, every in SIZES.items():
        if smallest <= n <= largest:
            scalable = [x for x in problems.scalable() if x not in HEAVY and problems.admits(x, n)]
            found += [f"{name}:{n}" for name in scalable[every - 1 :: every]]
    return found


def load(name: str) -> Problem:
    base, _, n = name.partition(":")
    problem = problems.get(base, int(n) if n else None)
    return Problem(
        name, np.array(problem.x0), lambda x: (problem.fun(x), problem.grad(x)), problem.hessp
    )
