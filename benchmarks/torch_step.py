"""Optimizers of `quasinewton.torch` beside torch.optim.LBFGS: time outside of closures, and calls.

    OMP_NUM_THREADS=1 python benchmarks/torch_step.py

The first table has the time a step takes beside its closures, on a 784-500-10 network in float32
with batches of 1000, at a history of ten pairs: the least of the repeats, and the median of the
shares of the first optimizer's time in the same repeat. The second has the calls of the closure
until the loss of two small networks is as low as given, from the same weights.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import torch
from torch import nn

import quasinewton.torch as qt

HISTORY = 10


class Timed:
    """A closure that counts its calls and the time in them."""

    def __init__(self, net, loss, keep=False):
        self.net, self.loss, self.keep = net, loss, keep
        self.calls, self.seconds, self.least = 0, 0.0, float("inf")

    def __call__(self):
        began = time.perf_counter()
        self.net.zero_grad()
        loss = self.loss(self.net)
        loss.backward(retain_graph=self.keep)
        self.least = min(self.least, loss.item())
        self.calls += 1
        self.seconds += time.perf_counter() - began
        return loss


def wide(seed):
    """A 784-500-10 network, and its loss on a batch of 1000 with labels by another network."""
    torch.manual_seed(seed)
    inputs = torch.rand(1000, 784)
    with torch.no_grad():
        teacher = nn.Sequential(nn.Linear(784, 30), nn.Tanh(), nn.Linear(30, 10))
        labels = teacher(inputs).argmax(1)
    net = nn.Sequential(nn.Linear(784, 500), nn.Tanh(), nn.Linear(500, 10))
    return net, lambda net: nn.functional.cross_entropy(net(inputs), labels)


def regression(seed):
    """A small network that fits a function of two variables, in float64."""
    torch.manual_seed(seed)
    inputs = torch.rand(400, 2, dtype=torch.float64) * 2.0 - 1.0
    targets = torch.sin(3.0 * inputs[:, :1]) * torch.cos(2.0 * inputs[:, 1:])
    net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
    return net.double(), lambda net: nn.functional.mse_loss(net(inputs), targets)


def classification(seed):
    """A small network that tells two spirals apart, in float64."""
    torch.manual_seed(seed)
    angle = torch.linspace(0.5, 9.0, 200, dtype=torch.float64)
    arm = torch.stack([angle * torch.cos(angle), angle * torch.sin(angle)], 1) / 9.0
    inputs = torch.cat([arm, -arm])
    labels = torch.cat([torch.zeros(200), torch.ones(200)]).long()
    net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 2))
    return net.double(), lambda net: nn.functional.cross_entropy(net(inputs), labels)


def lbfgs(params, max_iter, **options):
    return torch.optim.LBFGS(
        params, max_iter=max_iter, max_eval=10**9, history_size=HISTORY, tolerance_grad=0.0,
        tolerance_change=0.0, **options,
    )  # fmt: skip


STEPS = {
    "torch.optim.LBFGS, strong_wolfe": lambda p: lbfgs(p, 60, line_search_fn="strong_wolfe"),
    "torch.optim.LBFGS, no line search": lambda p: lbfgs(p, 60, lr=0.1),
    "ArcHybrid, 60 iterations a step": lambda p: qt.ArcHybrid(p, max_iter=60, memory=HISTORY),
    "ArcHybrid": lambda p: qt.ArcHybrid(p, memory=HISTORY),
    "TrustHybrid": lambda p: qt.TrustHybrid(p, memory=HISTORY),
}


def outside(name, seed):
    """Seconds beside the closures, an iteration and a call, with the history full.

    None if the run has ended before.
    """
    net, loss = wide(seed)
    closure, optimizer = Timed(net, loss), STEPS[name](net.parameters())

    def run(iterations):
        before = count(optimizer)
        began, inner, calls = time.perf_counter(), closure.seconds, closure.calls
        while count(optimizer) < before + iterations:
            reached = count(optimizer)
            optimizer.step(closure)
            if count(optimizer) == reached:
                break  # it has ended
        spent = time.perf_counter() - began - (closure.seconds - inner)
        made = count(optimizer) - before
        return (spent / made, spent / (closure.calls - calls)) if made else None

    run(20)
    return run(60)


def count(optimizer):
    if isinstance(optimizer, torch.optim.LBFGS):
        return optimizer.state[optimizer.param_groups[0]["params"][0]].get("n_iter", 0)
    return 0 if optimizer.solver is None else optimizer.solver.nit


CALLS = {
    "torch.optim.LBFGS": lambda p: lbfgs(p, 20, line_search_fn="strong_wolfe"),
    "ArcHybrid(memory=10)": lambda p: qt.ArcHybrid(p, memory=HISTORY),
    "ArcHybrid": qt.ArcHybrid,
    "TrustHybrid": qt.TrustHybrid,
    "ArcLSR1": qt.ArcLSR1,
    "TrustCG": qt.TrustCG,
}


def calls_to(make, problem, level, seed, limit):
    """Calls of the closure, and products, until the loss is at most `level`; None if it is not."""
    net, loss = problem(seed)
    optimizer = make(net.parameters())
    closure = Timed(net, loss, keep=isinstance(optimizer, qt.TrustCG))
    while closure.least > level:
        before = closure.calls
        optimizer.step(closure)
        if closure.calls == before or closure.calls > limit:
            return None
    products = optimizer.solver.counts.nhev if hasattr(optimizer, "solver") else 0
    return closure.calls + products


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=5000)
    arguments = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    # in turns, so that what else runs on the machine slows all of them
    times = {name: [] for name in STEPS}
    for seed in range(arguments.repeats):
        for name, of in times.items():
            of.append(outside(name, seed) or (math.nan, math.nan))
    first = np.array(times[next(iter(STEPS))])
    print("| optimizer | ms an iteration | of the first | ms a call |\n|---|---|---|---|")
    for name, of in times.items():
        iteration, call = 1e3 * np.nanmin(of, axis=0)
        share = np.nanmedian(np.array(of)[:, 0] / first[:, 0])
        print(f"| {name} | {iteration:.2f} | {share:.0%} | {call:.2f} |", flush=True)
    levels = ((regression, 1e-5), (classification, 1e-3))
    heads = " | ".join(f"{problem.__name__}, {level:g}" for problem, level in levels)
    print(f"\n| optimizer | {heads} |\n|---|---|---|")
    for name, make in CALLS.items():
        cells = []
        for problem, level in levels:
            found = [
                calls_to(make, problem, level, seed, arguments.limit)
                for seed in range(arguments.seeds)
            ]
            reached = sorted(calls for calls in found if calls is not None)
            median = (reached + [float("inf")] * len(found))[len(found) // 2]
            missed = f" ({len(found) - len(reached)} not)" if len(reached) < len(found) else ""
            cells.append(f"{median:g}{missed}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
