"""The optimizers of PyTorch: steps of the solver, closures, parameters, states, processes."""

from __future__ import annotations

import copy
import io
import math
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("array_api_compat")

# After the line that skips where torch is missing.
from torch import nn  # noqa: E402

import quasinewton.torch as qt  # noqa: E402
from quasinewton import Solver, Status  # noqa: E402

OPTIMIZERS = [qt.ArcHybrid, qt.ArcLSR1, qt.TrustHybrid, qt.TrustCG]
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS)
everywhere = pytest.mark.parametrize("on_host", [True, False])

_rng = np.random.default_rng(0)
INPUTS = torch.from_numpy(_rng.standard_normal((60, 4)))
TARGETS = torch.sin(INPUTS.sum(1, keepdim=True))


def network(dtype=torch.float64, width=6):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1)).to(dtype)


class Closure:
    """A closure of a network on some data; `count` is how often it was called."""

    def __init__(self, net, optimizer, inputs=INPUTS, targets=TARGETS):
        self.net, self.optimizer = net, optimizer
        dtype = next(net.parameters()).dtype
        self.inputs, self.targets = inputs.to(dtype), targets.to(dtype)
        self.count = 0

    def loss(self):
        return nn.functional.mse_loss(self.net(self.inputs), self.targets)

    def __call__(self):
        self.count += 1
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward(retain_graph=isinstance(self.optimizer, qt.TrustCG))
        return loss


def begun(make, on_host=True, dtype=torch.float64, **options):
    net = network(dtype)
    optimizer = make(net.parameters(), **options)
    optimizer._on_host = on_host
    return net, optimizer, Closure(net, optimizer)


def flat(net):
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()]).clone()


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@every_optimizer
@everywhere
def test_steps_are_those_of_the_solver(make, on_host):
    """With exact products, one closure an iteration, and the parameters at the accepted point."""
    net, optimizer, closure = begun(make, on_host, gtol=1e-9)
    x0 = flat(net)
    solver = Solver(
        x0.numpy() if on_host else x0, make.method, {"gtol": 1e-9, "maxiter": math.inf}
    )
    other = network()

    def at(x):
        with torch.no_grad():
            nn.utils.vector_to_parameters(torch.as_tensor(x), other.parameters())
        loss = nn.functional.mse_loss(other(INPUTS), TARGETS)
        return loss, torch.autograd.grad(loss, list(other.parameters()), create_graph=True)

    def vector(tensors):
        v = torch.cat([t.detach().reshape(-1) for t in tensors])
        return v.numpy() if on_host else v

    def tell(solver):
        loss, g = at(solver.ask())
        solver.tell(loss.item(), vector(g))

    tell(solver)
    for step in range(1, 31):
        loss = optimizer.step(closure)
        while solver.direction is not None:
            _, g = at(solver.x)
            d = list(torch.as_tensor(solver.direction).split([p.numel() for p in g]))
            d = [part.view(p.shape) for part, p in zip(d, g, strict=True)]
            solver.tell_product(vector(torch.autograd.grad(g, list(other.parameters()), d)))
        tell(solver)
        if step <= 12:  # afterwards roundoff has grown
            np.testing.assert_allclose(flat(net), solver.x, rtol=1e-7, atol=1e-9)
        assert float(loss) == optimizer.solver.f == pytest.approx(closure.loss().item(), rel=1e-12)
        assert np.array_equal(flat(net), np.asarray(optimizer.solver.x))
    assert closure.count <= 31 + (15 if make is qt.TrustCG else 0)
    assert type(optimizer.solver.x) is (np.ndarray if on_host else torch.Tensor)
    assert loss < 0.3 * nn.functional.mse_loss(network()(INPUTS), TARGETS)
    assert not loss.requires_grad and loss.dtype == torch.float64 and loss.shape == ()


@every_optimizer
@everywhere
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_saved_run_goes_on_bit_for_bit(make, on_host, dtype):
    net, optimizer, closure = begun(make, on_host, dtype, memory=4)
    for at in range(14):
        stream = io.BytesIO()
        torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, stream)
        stream.seek(0)
        saved = torch.load(stream, weights_only=True)
        twin, second, again = begun(make, on_host, dtype)
        twin.load_state_dict(saved["net"])
        second.load_state_dict(saved["optimizer"])
        ahead = copy.deepcopy((net, optimizer))
        pickled = pickle.loads(pickle.dumps((net, optimizer)))
        copies = [(twin, second, again)]
        copies += [(n, o, Closure(n, o)) for n, o in (ahead, pickled)]
        losses = [[o.step(c).item() for _ in range(6)] for _, o, c in copies]
        assert losses[0] == losses[1] == losses[2], at
        assert all(same(n, twin) for n, _, _ in copies)
        for _ in range(1 if at % 2 else 2):
            loss = optimizer.step(closure).item()
        assert loss == losses[0][0 if at % 2 else 1]


@every_optimizer
def test_a_state_before_the_first_step(make):
    net, optimizer, closure = begun(make)
    state = optimizer.state_dict()
    twin, second, again = begun(make)
    second.load_state_dict(state)
    for _ in range(3):
        optimizer.step(closure)
        second.step(again)
    assert same(net, twin)


@every_optimizer
def test_parameters_changed_between_steps(make):
    net, optimizer, closure = begun(make)
    for _ in range(4):
        optimizer.step(closure)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(0.5)
    before = closure.loss().item()
    count = closure.count
    assert optimizer.step(closure) <= before
    assert closure.count >= count + 2
    for _ in range(20):
        loss = optimizer.step(closure)
    assert loss < 0.8 * before and loss == pytest.approx(closure.loss().item(), rel=1e-12)


@every_optimizer
def test_batches(make):
    """A closure for each batch is evaluated where the parameters are, and never compared."""
    net = network()
    optimizer = make(net.parameters())
    seen = []
    for _ in range(12):
        for k in range(3):
            closure = Closure(net, optimizer, INPUTS[k::3], TARGETS[k::3])
            before = closure.loss().item()
            after = optimizer.step(closure)
            seen.append(closure.count)
            assert after <= before * (1.0 + 1e-12)
            assert after == pytest.approx(closure.loss().item(), rel=1e-12)
    assert seen[0] == 2 and set(seen[1:]) <= {2, 3}  # 3 where a graph is made anew
    whole = nn.functional.mse_loss(net(INPUTS), TARGETS)
    assert whole < 0.5 * nn.functional.mse_loss(network()(INPUTS), TARGETS)


def test_renew_is_said_or_seen():
    net, optimizer, closure = begun(qt.ArcHybrid)
    counts = []
    for renew in (None, None, True, None, False):
        count = closure.count
        optimizer.step(closure, renew=renew)
        counts.append(closure.count - count)
    assert counts == [2, 1, 2, 1, 1]
    other = Closure(net, optimizer)
    optimizer.step(other, renew=False)
    assert other.count == 1
    always = qt.ArcHybrid(net.parameters(), renew=True)
    closure = Closure(net, always)
    for _ in range(3):
        always.step(closure)
    assert closure.count == 6


@every_optimizer
@everywhere
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_a_rejected_trial(make, on_host, bad):
    net, optimizer, closure = begun(make, on_host)
    for _ in range(3):
        loss = optimizer.step(closure)
    before, nit = flat(net), optimizer.solver.nit

    def spoiled():
        return closure() * bad

    again = optimizer.step(spoiled, renew=False)
    assert again == loss and torch.equal(flat(net), before)
    assert optimizer.solver.nit == nit + 1 and not optimizer.solver._method.accepted
    for _ in range(10):
        last = optimizer.step(closure, renew=False)
    assert last < loss


@every_optimizer
def test_a_loss_that_is_not_finite_at_the_parameters(make):
    net, optimizer, closure = begun(make)
    before = flat(net)

    def spoiled():
        return closure() * math.nan

    assert math.isnan(optimizer.step(spoiled)) and torch.equal(flat(net), before)
    loss = optimizer.step(closure)
    after = flat(net)
    assert math.isnan(optimizer.step(spoiled)) and torch.equal(flat(net), after)
    assert optimizer.step(closure) <= loss


@every_optimizer
def test_what_a_closure_raises_leaves_the_accepted_point(make):
    net, optimizer, closure = begun(make)
    for _ in range(3):
        optimizer.step(closure)
    before = flat(net)

    def failing():
        closure()
        raise KeyError("data")

    with pytest.raises(KeyError, match="data"):
        optimizer.step(failing, renew=False)
    assert torch.equal(flat(net), before)
    for _ in range(5):
        optimizer.step(closure)
    assert closure.loss() < nn.functional.mse_loss(network()(INPUTS), TARGETS)


@every_optimizer
def test_frozen_tied_and_unused_parameters_and_groups(make):
    net = network()
    net[0].bias.requires_grad_(False)
    unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    tied = net[2].weight
    frozen = net[0].bias.clone()
    optimizer = make(
        [{"params": list(net[2].parameters())}, {"params": [*net[0].parameters(), unused]}]
    )
    with pytest.raises(ValueError, match="make a new optimizer"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    closure = Closure(net, optimizer)
    for _ in range(8):
        loss = optimizer.step(closure)
    assert loss < nn.functional.mse_loss(network()(INPUTS), TARGETS)
    assert torch.equal(net[0].bias, frozen) and torch.equal(unused, torch.ones(3).double())
    assert optimizer.solver.n == 24 + 6 + 1 + 3
    twice = make([tied, net[0].weight, tied])
    assert sum(p.numel() for p in twice.param_groups[0]["params"]) == 6 + 24
    net[0].bias.requires_grad_(True)
    net[0].weight.requires_grad_(False)
    with pytest.raises(ValueError, match="requires_grad"):
        optimizer.step(closure)


@every_optimizer
def test_max_iter_and_convergence(make):
    one, steps, closure = begun(make, gtol=1e-3)
    other, whole, again = begun(make, gtol=1e-3, max_iter=3000)
    loss = whole.step(again)
    assert whole.solver.status is Status.CONVERGED and whole.solver.nit <= 3000
    while not (steps.solver and steps.solver.status is Status.CONVERGED):
        steps.step(closure)
    assert same(one, other) and steps.solver.nit == whole.solver.nit
    count = again.count
    assert whole.step(again) == loss and again.count == count


@every_optimizer
def test_schedulers_do_no_harm(make):
    net, optimizer, closure = begun(make)
    other, second, again = begun(make)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(6):
        optimizer.step(closure)
        scheduler.step()
        second.step(again)
    assert same(net, other) and optimizer.param_groups[0]["lr"] == 0.5**6


def parameter(dtype=torch.float64, **kind):
    return nn.Parameter(torch.ones(3, dtype=dtype, **kind))


@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        (lambda: [parameter(torch.complex128)], TypeError, "complex128"),
        (lambda: [parameter(torch.float16)], TypeError, "float32 or float64, got torch.float16"),
        (lambda: [parameter(), parameter(torch.float32)], TypeError, "float64.*float32"),
        (lambda: [parameter(), parameter(device="meta")], TypeError, "cpu.*meta"),
        (lambda: [torch.ones(3)], ValueError, "requires_grad"),
        (lambda: nn.Linear(2, 2), TypeError, "Linear"),
        (lambda: parameter(), TypeError, "iterable"),
        (lambda: [{"params": [parameter()], "memory": 3}], ValueError, "memory"),
        (lambda: [{"params": [parameter()], "weight_decay": 0.1}], ValueError, "weight_decay"),
        (lambda: [], ValueError, "empty"),
    ],
)
def test_parameters_that_are_refused(params, error, says):
    with pytest.raises(error, match=says):
        qt.ArcHybrid(params())


def test_options_that_are_refused():
    with pytest.raises(ValueError, match=r"max_iter.*0"):
        qt.ArcHybrid([parameter()], max_iter=0)
    with pytest.raises(TypeError, match=r"renew.*'no'"):
        qt.ArcHybrid([parameter()], renew="no")
    with pytest.raises(ValueError, match="memory"):
        qt.ArcHybrid([parameter()], memory=0)
    with pytest.raises(ValueError, match=r"norm.*'max'"):
        qt.ArcLSR1([parameter()], norm="max")


@every_optimizer
def test_closures_that_are_refused(make):
    p = parameter()
    optimizer = make([p])
    with pytest.raises(TypeError, match="closure"):
        optimizer.step()
    with pytest.raises(TypeError, match=r"NoneType.*return"):
        optimizer.step(lambda: None)
    with pytest.raises(TypeError, match=r"shape.*3"):
        optimizer.step(lambda: p * 2.0)

    def sparse():
        p.grad = torch.ones(3, dtype=torch.float64).to_sparse()
        return p.sum()

    with pytest.raises(TypeError, match=r"dense.*sparse_coo"):
        optimizer.step(sparse)
    assert torch.equal(p, torch.ones(3).double())


def test_trust_cg_says_that_it_needs_a_graph():
    _, optimizer, closure = begun(qt.TrustCG, enriched=False)

    def freed():
        optimizer.zero_grad()
        loss = closure.loss()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="retain_graph=True"):
        optimizer.step(freed)
    with pytest.raises(TypeError, match="with its graph"):
        optimizer.step(lambda: closure.loss().detach())


def test_trust_cg_without_backward():
    net, optimizer, closure = begun(qt.TrustCG)
    other, second, again = begun(qt.TrustCG)
    for _ in range(10):
        optimizer.step(closure)
        second.step(again.loss)
    assert same(net, other) and optimizer.solver.counts.nhev > 0


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_states_that_are_refused(make):
    _, optimizer, closure = begun(make)
    optimizer.step(closure)
    state = optimizer.state_dict()
    wrong = qt.ArcLSR1 if make is not qt.ArcLSR1 else qt.TrustCG
    with pytest.raises(ValueError, match=f"{make.method}.*{wrong.method}"):
        wrong(network().parameters()).load_state_dict(state)
    with pytest.raises(ValueError, match=r"37 parameters.*51"):
        make(nn.Linear(50, 1).double().parameters()).load_state_dict(state)
    with pytest.raises(ValueError, match=r"float64.*float32"):
        make(network(torch.float32).parameters()).load_state_dict(state)
    with pytest.raises(ValueError, match="none of"):
        make(network().parameters()).load_state_dict(
            torch.optim.SGD(network().parameters()).state_dict()
        )
    with pytest.raises(ValueError, match="format"):
        make(network().parameters()).load_state_dict(
            {**state, "solver": {**state["solver"], "format": 99}}
        )
    assert optimizer.step(closure) <= closure.loss() * (1.0 + 1e-12)


def test_the_names():
    assert dir(qt) == sorted(qt.__all__)
    code = "import sys, quasinewton, quasinewton.interop; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "try:\n    import quasinewton.torch\n"
        "except ImportError as error:\n    assert 'quasinewton[torch]' in str(error)\n"
        "else:\n    raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


PROCESSES = """
import sys
import torch
import torch.distributed as dist
sys.path[:0] = [{tests!r}, {root!r}]
from test_torch import *

rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{{folder}}/meeting", rank=rank, world_size=2)
found = []
for make in OPTIMIZERS:
    for way in ("ddp", "by hand"):
        net = network()
        model = nn.parallel.DistributedDataParallel(net) if way == "ddp" else net
        group = dist.group.WORLD if way == "ddp" or make is qt.TrustCG else None
        optimizer = make(net.parameters(), process_group=group)
        closure = Closure(model, optimizer, INPUTS[rank::2], TARGETS[rank::2])

        def reduced():
            loss = closure()
            if way == "ddp":
                return loss
            for p in net.parameters():
                dist.all_reduce(p.grad)
                p.grad /= 2
            value = loss.detach().clone()
            dist.all_reduce(value)
            return loss + (value / 2 - loss.detach())

        losses = [optimizer.step(reduced).item() for _ in range(15)]
        found.append((losses, flat(net)))
torch.save(found, f"{{folder}}/{{rank}}.pt")
dist.destroy_process_group()
"""


needs_gloo = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torch.distributed with gloo",
)


@needs_gloo
def test_the_example_of_two_processes():
    root = Path(__file__).parent.parent
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [sys.executable, str(root / "examples" / "torch_distributed.py")]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    alone, together = map(float, re.findall(r": (0\.\d+)", done.stdout)[:2])
    assert alone == pytest.approx(together, rel=1e-6)
    apart = re.findall(r"differ by (\S+)", done.stdout)
    assert len(apart) == 4 and all(float(number) < 1e-6 for number in apart)


@needs_gloo
def test_two_processes_train_as_one(tmp_path):
    tests = Path(__file__).parent
    code = PROCESSES.format(tests=str(tests), root=str(tests.parent))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(rank), str(tmp_path)], env=env)
        for rank in range(2)
    ]
    try:
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for k, ((losses, x), (others, y)) in enumerate(zip(first, second, strict=True)):
        assert losses == others and torch.equal(x, y)
        net, optimizer, closure = begun(OPTIMIZERS[k // 2])
        alone = [optimizer.step(closure).item() for _ in range(15)]
        np.testing.assert_allclose(losses, alone, rtol=1e-6)
        np.testing.assert_allclose(x, flat(net), rtol=1e-5, atol=1e-6)
