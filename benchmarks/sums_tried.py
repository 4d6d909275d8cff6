"""Means to be at Adam's training loss after ten epochs that were tried, and did not do.

    python benchmarks/sums_tried.py      # fetches images, see examples/talk; some 15 minutes

Networks, data, budget and the loss reported are those of benchmarks/sums.py. A row of the table is
a method, a cell the loss of each seed.

- scaled: the variables of `minimize_sum` are times the fourth root of the mean square of gradients
  on 20 batches of 32 at the start: Adam's metric (as H0 of L-BFGS in adaQN, Keskar & Berahas 2016)
- prodigy: Adam whose rate is estimated (Mishchenko & Defazio, ICML 2024)
- tested length: the directions of Adam with one length for all steps, which grows and shrinks by
  the ratio of actual to predicted decrease over `span` steps, the actual one on a batch of its own
- full: `trust_hybrid` on all samples at once, the epochs not counted: what noise costs
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from sums import BATCH, EPOCHS, Sum, adam, networks

from examples.talk.data import load
from quasinewton import Solver, minimize_sum

F = np.float32


def scales(loss: Sum, x: np.ndarray, seed: int, batches: int = 20, size: int = 32) -> np.ndarray:
    """Factors for the variables by the squares of gradients, their mean square 1."""
    rng = np.random.default_rng(seed)
    square = np.zeros_like(x)
    for _ in range(batches):
        g = loss(x, rng.choice(len(loss.inputs), size, replace=False))[1]
        square += g * g / batches
    root = np.sqrt(square)
    factors = np.sqrt(root + F(0.1) * np.sqrt(square.mean()))
    return (factors / np.sqrt(np.mean(factors**2))).astype(F)


def in_units(loss: Sum, d: np.ndarray) -> Any:
    def scaled(z: np.ndarray, batch: Any) -> tuple[float, np.ndarray]:
        f, g = loss(z / d, batch)
        return f, g / d

    return scaled


def ours(loss: Sum, x: np.ndarray, seed: int, scaled: bool = False, **more: Any) -> np.ndarray:
    d = scales(loss, x, seed + 100) if scaled else np.ones_like(x)
    samples = len(loss.inputs)
    epochs = EPOCHS - 20 * 32 / samples if scaled else EPOCHS
    result = minimize_sum(
        in_units(loss, d), d * x, samples, tol=0.0, maxepochs=epochs, seed=seed,
        **{"theta": 0.9, **more},
    )  # fmt: skip
    return result.x / d


def full(loss: Sum, x: np.ndarray, seed: int, iterations: int, scaled: bool) -> np.ndarray:
    d = scales(loss, x, seed + 100) if scaled else np.ones_like(x)
    solver, function = Solver(d * x, "trust_hybrid"), in_units(loss, d)
    while solver.running and solver.nit < iterations:
        solver.tell(*function(solver.ask(), np.arange(len(loss.inputs))))
    return solver.x / d


def batches(samples: int, size: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(samples)
        for at in range(0, samples - size + 1, size):
            yield order[at : at + size]


class Directions:
    """Those of Adam, without a rate."""

    def __init__(self, like: np.ndarray) -> None:
        self.first, self.second, self.step = np.zeros_like(like), np.zeros_like(like), 0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        self.step += 1
        self.first = F(0.9) * self.first + F(0.1) * g
        self.second = F(0.999) * self.second + F(0.001) * g * g
        scale = np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        return F(scale) * self.first / (np.sqrt(self.second) + F(1e-12))


def prodigy(loss: Sum, x: np.ndarray, seed: int, size: int = BATCH) -> np.ndarray:
    start, d, total = x, 1e-6, 0.0
    first, second, weighted = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    decay, samples = 0.999**0.5, len(loss.inputs)
    of = batches(samples, size, seed)
    for step in range(1, EPOCHS * (samples // size) + 1):
        _, g = loss(x, next(of))
        total = decay * total + (1 - decay) * d * d * float(g @ (start - x))
        weighted = F(decay) * weighted + F((1 - decay) * d * d) * g
        first = F(0.9) * first + F(0.1 * d) * g
        second = F(0.999) * second + F(0.001 * d * d) * g * g
        scale = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        x = x - F(d * scale) * first / (np.sqrt(second) + F(1e-8 * d))
        d = max(d, total / max(float(abs(weighted).sum()), 1e-300))
    return x


def tested_length(
    loss: Sum, x: np.ndarray, seed: int, grow: float = 0.5, shrink: float = -np.inf, span: int = 10
) -> np.ndarray:
    """At first the length is doubled every two steps, while they gain half of what is predicted."""
    direction, of = Directions(x), batches(len(loss.inputs), BATCH, seed)
    length, at_first, steps, spent = 1e-5, True, 2, 0
    start, done, predicted = x, 0, 0.0
    actual_sum = predicted_sum = 0.0
    while spent < EPOCHS * len(loss.inputs):
        batch = next(of)
        f, g = loss(x, batch)
        spent += len(batch)
        if done == steps:
            actual = loss(start, batch)[0] - f
            spent += len(batch)
            if at_first:
                at_first = actual > 0.5 * predicted
                length *= 2.0 if at_first else 0.5
            else:
                actual_sum = 0.8 * actual_sum + actual
                predicted_sum = 0.8 * predicted_sum + predicted
                ratio = actual_sum / predicted_sum
                if ratio > grow or ratio < shrink:
                    factor = 1.5 if ratio > grow else 1 / 1.5
                    length *= factor
                    if factor > 1.0:
                        actual_sum, predicted_sum = factor * actual_sum, factor * predicted_sum
            start, done, predicted = x, 0, 0.0
            steps = 2 if at_first else span
        step = F(length) * direction(g)
        predicted += float(g @ step)
        x, done = x - step, done + 1
    return x


TRIED: dict[str, Any] = {
    "Adam, 0.01": lambda *a: adam_end(*a, 0.01),
    "Adam, 0.001": lambda *a: adam_end(*a, 0.001),
    "minimize_sum": ours,
    "batch=64, steps=1": lambda *a: ours(*a, batch=64, steps=1),
    "batch=500": lambda *a: ours(*a, batch=500),
    "scaled": lambda *a: ours(*a, scaled=True),
    "scaled, batch=500, steps=6": lambda *a: ours(*a, scaled=True, batch=500, steps=6),
    "prodigy": prodigy,
    "prodigy, batches of 64": lambda *a: prodigy(*a, size=64),
    "tested length": tested_length,
    "tested length, 0.3 and 0": lambda *a: tested_length(*a, grow=0.3, shrink=0.0),
    "full, 100 iterations": lambda *a: full(*a, 100, False),
    "full, 100 iterations, scaled": lambda *a: full(*a, 100, True),
}


def adam_end(loss: Sum, x: np.ndarray, seed: int, rate: float) -> float:
    return adam(loss, x, rate, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="digits, no network")
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    args = parser.parse_args()
    cases = []
    for name, network in networks(args.quick):
        data = load(name, args.samples, 10)
        cases.append((f"{data.name} {'-'.join(map(str, network.sizes))}", network, data))
    print("| | " + " | ".join(case[0] for case in cases) + " |\n|---|" + "---|" * len(cases))
    for name, method in TRIED.items():
        if args.only not in name:
            continue
        cells = []
        for _, network, data in cases:
            ends = []
            for seed in range(args.seeds):
                loss = Sum(data, network)
                end = method(loss, network.start(seed, F), seed)
                ends.append(end if isinstance(end, float) else loss.whole(end))
            cells.append(", ".join(f"{end:.4g}" for end in ends))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
