"""Mini-batches on the networks of examples/talk: `minimize_sum` beside Adam with its best rate.

    python benchmarks/sums.py      # fetches images, see examples/talk; writes results/sums.md

Training loss after 10 epochs: passes over all samples, of values with gradients. Adam takes batches
of 128 and the best of three rates, by that loss; `minimize_sum` has
theta = 0.9, else its defaults.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from examples.talk.data import load
from examples.talk.networks import Loss, Network
from quasinewton import minimize_sum

ROOT = Path(__file__).parent.parent
RATES = (1e-4, 1e-3, 1e-2)
METHODS = ("trust_hybrid", "arc_hybrid", "arc_lsr1")
EPOCHS, BATCH = 10, 128


def networks(quick: bool) -> list[tuple[str, Network]]:
    if quick:
        return [("digits", Network((64, 20, 10)))]
    return [
        ("mnist", Network((784, 500, 10))),
        ("cifar10", Network((3072, 128, 10))),
        ("mnist", Network((784, 250, 784), "tanh", "sigmoid", "mse")),
        ("mnist", Network((784, 256, 64, 16, 64, 256, 784), "tanh", "sigmoid", "mse")),
    ]


class Sum:
    """The training loss on some of the samples."""

    def __init__(self, data: Any, network: Network) -> None:
        self.inputs, self.network = data.x, network
        self.targets = data.labels if network.loss == "cross_entropy" else data.x

    def __call__(self, x: np.ndarray, batch: Any) -> tuple[float, np.ndarray]:
        loss = Loss(self.network, self.inputs[batch], self.targets[batch])
        return loss.value(x), loss.gradient(x)

    def whole(self, x: np.ndarray) -> float:
        return Loss(self.network, self.inputs, self.targets).value(x)


def adam(loss: Sum, x: np.ndarray, rate: float, seed: int) -> float:
    """The training loss after the epochs, by Adam as in examples/talk/training.py."""
    rng = np.random.default_rng(seed)
    samples = len(loss.inputs)
    first, second = np.zeros_like(x), np.zeros_like(x)
    step = 0
    for _ in range(EPOCHS):
        order = rng.permutation(samples)
        for at in range(0, samples - BATCH + 1, BATCH):
            _, g = loss(x, order[at : at + BATCH])
            step += 1
            first = np.float32(0.9) * first + np.float32(0.1) * g
            second = np.float32(0.999) * second + np.float32(0.001) * g * g
            scale = np.float32(rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
            x = x - scale * first / (np.sqrt(second) + np.float32(1e-8))
    return loss.whole(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="digits, no network")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "sums.md")
    args = parser.parse_args()
    seeds = range(args.seeds)
    command = f"python benchmarks/sums.py --samples {args.samples} --seeds {args.seeds}"
    lines = [
        "# Mini-batches\n",
        f"`{command}`: training loss after {EPOCHS} epochs of {args.samples} images, the median of "
        f"{args.seeds} seed(s); in brackets Adam's best rate, and of `minimize_sum` the iterations "
        "and the last batch; theta = 0.9.\n",
        "| network | Adam | " + " | ".join(METHODS) + " |",
        "|---|---|" + "---|" * len(METHODS),
    ]
    for name, network in networks(args.quick):
        data = load(name, args.samples, 10)
        loss = Sum(data, network)
        ends = {
            rate: float(
                np.median([adam(loss, network.start(s, np.float32), rate, s) for s in seeds])
            )
            for rate in RATES
        }
        best = min(ends, key=lambda rate: ends[rate])
        row = [f"{data.name}, {'-'.join(map(str, network.sizes))}", f"{ends[best]:.4g} ({best:g})"]
        for method in METHODS:
            began = time.process_time()
            runs = [
                minimize_sum(
                    loss, network.start(s, np.float32), len(data.x), method=method, tol=0.0,
                    maxepochs=EPOCHS, seed=s, theta=0.9,
                ) for s in seeds
            ]  # fmt: skip
            end = float(np.median([loss.whole(r.x) for r in runs]))
            row.append(f"{end:.4g} ({runs[0].nit}, {runs[0].batch})")
            print(row, f"{time.process_time() - began:.1f} s", flush=True)
        lines.append("| " + " | ".join(row) + " |")
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
