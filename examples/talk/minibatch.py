"""A finite sum, some of its terms at a time: settings, batches, and NumPy's steppable solver.

On every batch the solver makes a few steps. Both ends of a pair, and the ratio of actual to
predicted reduction, come from the same batch; what the solver has learnt stays when the next one
comes, by `Solver.renew`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from quasinewton import Solver

__all__ = ["BATCHED", "batches", "train_in_batches"]

#: Settings by name: the published one (arXiv:2502.12298: batch 1000, m = 10, several inner
#: iterations, its weight rule), the same with the default rule, and others.
BATCHED: dict[str, dict[str, Any]] = {
    "batch arc_lsr1 published": {
        "method": "arc_lsr1", "batch": 1000, "inner": 5, "overlap": 0.0,
        "options": {"memory": 10, "weight_rule": "ranganath"},
    },
    "batch arc_lsr1": {
        "method": "arc_lsr1", "batch": 1000, "inner": 5, "overlap": 0.0,
        "options": {"memory": 10},
    },
    "batch arc_hybrid": {
        "method": "arc_hybrid", "batch": 1000, "inner": 5, "overlap": 0.0,
        "options": {"memory": 10},
    },
    "batch arc_hybrid overlap": {
        "method": "arc_hybrid", "batch": 1000, "inner": 2, "overlap": 0.5,
        "options": {"memory": 10},
    },
    "batch trust_cg": {
        "method": "trust_cg", "batch": 1000, "inner": 1, "overlap": 0.0,
        "options": {"enriched": False},
    },
}  # fmt: skip


def batches(
    samples: int, batch: int, overlap: float, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Indices of one batch after another, without end.

    Parameters
    ----------
    samples, batch : int
        A batch is never more than all samples.
    overlap : float
        Share of a batch that the next one takes over, 0 <= overlap < 1; not where the samples
        have all had their turn and are shuffled anew.
    """
    batch = min(batch, samples)
    fresh = max(1, round((1.0 - overlap) * batch))
    while True:
        order = rng.permutation(samples)
        for at in range(0, samples - batch + 1, fresh):
            yield order[at : at + batch]


def train_in_batches(
    recorder, loss_on: Callable, samples: int, w: np.ndarray, seed: int, method: str, batch: int,
    inner: int, overlap: float, options: dict[str, Any],
) -> None:  # fmt: skip
    """Drive a `Solver` with `inner` steps a batch until the recorder ends the run.

    Parameters
    ----------
    recorder : Recorder
        Raises when the epochs are spent.
    loss_on : callable
        Indices of samples to the loss on them.
    samples : int
        Of them all.
    w : array
        The start; the weights of the last step are written into it.
    seed : int
    method, options
        Of the `Solver`.
    batch, inner : int
    overlap : float
        See `batches`.
    """
    solver = Solver(w, method, {"gtol": 0, "maxiter": 10**6, **options})
    for chosen in batches(samples, batch, overlap, np.random.default_rng(seed)):
        loss = loss_on(chosen)
        x = solver.x
        f, g = loss.value(x), loss.gradient(x)
        if solver.g is None:
            solver.tell(f, g)
        else:
            solver.renew(f, g)
        steps = solver.nit + inner
        while solver.running and solver.nit < steps:
            if solver.direction is not None:
                solver.tell_product(loss.product(solver.x, solver.direction))
                continue
            x = solver.ask()
            solver.tell(loss.value(x), lambda loss=loss, x=x: loss.gradient(x))
            w[:] = solver.x
            recorder.step(w)
