"""
A network trained in two processes
==================================

Each process has half of the data. ``DistributedDataParallel`` averages the gradients, and with
``process_group`` the optimizer averages the losses: every process takes the same steps, and they
are those of one process with all the data, but for roundoff.

Run it by ``python examples/torch_distributed.py``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from quasinewton.torch import ArcHybrid

STEPS = 15


def data():
    torch.manual_seed(0)
    inputs = torch.rand(200, 3, dtype=torch.float64)
    return inputs, torch.sin(inputs.sum(1, keepdim=True) * 3.0)


def network():
    torch.manual_seed(1)
    layers = torch.nn.Linear(3, 12), torch.nn.Tanh(), torch.nn.Linear(12, 1)
    return torch.nn.Sequential(*layers).double()


def train(net, inputs, targets, group=None):
    """The loss at the end, on all data if there is a group."""
    optimizer = ArcHybrid(net.parameters(), process_group=group)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(inputs), targets)
        loss.backward()
        return loss

    for _ in range(STEPS):
        loss = optimizer.step(closure)
    return loss.item()


def worker(rank, size, folder):
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size
    )
    try:
        inputs, targets = (part.chunk(size)[rank] for part in data())
        net = DistributedDataParallel(network())
        loss = train(net, inputs, targets, dist.group.WORLD)
        torch.save((loss, net.module.state_dict()), f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


def main():
    net = network()
    loss = train(net, *data())
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(worker, (2, folder), nprocs=2)
        results = [torch.load(Path(folder, f"{rank}.pt")) for rank in range(2)]
    print(f"one process: {loss:.10f}, two: {results[0][0]:.10f}")
    for name, value in net.state_dict().items():
        assert torch.equal(results[0][1][name], results[1][1][name])
        print(f"{name}: they differ by {float((value - results[0][1][name]).abs().max()):.1e}")


if __name__ == "__main__":
    main()
