"""The talk's networks as PyTorch modules, against NumPy's, and how their runs are counted."""

from __future__ import annotations

import csv

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from examples.talk import modules, training  # noqa: E402
from examples.talk.networks import Loss, Network  # noqa: E402

CASES = [("relu", "identity", "cross_entropy"), ("tanh", "sigmoid", "mse")]


def both(hidden, output, loss, samples=23):
    """NumPy's loss, its start, and the samples of the module that starts there."""
    network = Network((6, 5, 6), hidden, output, loss)
    rng = np.random.default_rng(0)
    x = rng.random((samples, 6), np.float32)
    targets = rng.integers(0, 6, samples) if loss == "cross_entropy" else x
    module = modules.build(network, 3)
    return Loss(network, x, targets), network.start(3, np.float32), modules.Samples(
        module, network, x, targets
    )  # fmt: skip


def as_modules(network, w):
    """A vector of NumPy's in the order of the parameters of a module."""
    return np.concatenate([part for W, b in network.layers(w) for part in (W.T.ravel(), b)])


def gradient(samples):
    return torch.cat([p.grad.ravel() for p in samples.module.parameters()]).numpy()


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_numpy(case, monkeypatch):
    monkeypatch.setattr(modules, "CHUNK", 7)  # chunks add up to the whole, the last one too
    loss, w, samples = both(*case)
    value = samples.backward()
    assert not value.requires_grad
    assert float(value) == pytest.approx(loss.value(w), rel=1e-5)
    expected = as_modules(loss.network, loss.gradient(w))
    np.testing.assert_allclose(gradient(samples), expected, rtol=1e-4, atol=1e-7)
    assert samples.graph().item() == pytest.approx(float(value), rel=1e-6)
    for ours, numpys in zip(samples.evaluate(), loss.evaluate(w), strict=True):
        assert ours == (numpys if numpys is None else pytest.approx(numpys, rel=1e-5))
    chosen = np.array([4, 1, 9])
    part = Loss(loss.network, loss.inputs[chosen], loss.targets[chosen])
    assert float(samples[chosen].backward()) == pytest.approx(part.value(w), rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_trust_cg_walks_as_with_exact_products_of_numpy(case, tmp_path, monkeypatch):
    """A first epoch of Newton steps, whose products are by double backward or R-operator."""
    network = Network((64, 6, 10 if case[2] == "cross_entropy" else 64), *case)
    run = training.Run("test", network, "digits", 200, 50, "trust_cg", 12, 0)
    losses = []
    for has_torch in (True, False):
        monkeypatch.setattr(training, "HAS_TORCH", has_torch)
        training.train(run, tmp_path)
        with (tmp_path / f"{run.name}.csv").open(newline="") as file:
            losses.append([float(row["train"]) for row in csv.DictReader(file)][:4])
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_convolutions_see_rows_of_pixels_with_their_colours():
    network = modules.Convolutional((4,), 6, 3)
    x = np.random.default_rng(0).random((5, 108), np.float32)
    module = modules.build(network, 0)
    samples = modules.Samples(module, network, x, np.zeros(5, int))
    picture = x[2].reshape(6, 6, 3)
    assert np.array_equal(samples.inputs[2].numpy(), picture.transpose(2, 0, 1))
    first = module[0]
    # a kernel in the middle of the image
    patch = picture[1:4, 1:4].transpose(2, 0, 1)
    expected = (patch * first.weight[1].detach().numpy()).sum()
    assert first(samples.inputs)[2, 1, 1, 1].item() == pytest.approx(float(expected), rel=1e-4)
    assert samples.backward() > 0 and network.name == "conv-4"
    again = modules.build(network, 0)
    for p, q in zip(module.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)


def test_lbfgs_of_torch_takes_the_path_and_the_calls_of_one_long_step():
    """Steps of one iteration are there to record between them, and cost nothing."""
    calls, points = [], []
    for iterations in (1, 12):
        _, _, samples = both("tanh", "sigmoid", "mse")
        made = []
        parameters = list(samples.module.parameters())
        optimizer = torch.optim.LBFGS(
            parameters, max_iter=iterations, max_eval=10**9, history_size=10, tolerance_grad=0.0,
            tolerance_change=0.0, line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure(made=made, samples=samples):
            made.append(1)
            return samples.backward()

        remembered = modules._Remembered(closure, parameters)
        for _ in range(12 // iterations):
            optimizer.step(remembered if iterations == 1 else closure)
        calls.append(len(made))
        points.append(torch.cat([p.detach().ravel() for p in parameters]))
    assert calls[0] == calls[1] >= 13
    assert torch.equal(*points)


def test_every_pass_is_counted(tmp_path):
    """Epochs are calls of the closure, and products, which do not call it."""
    counts = {}
    for method in ("arc_hybrid", "trust_cg"):
        network = Network((64, 6, 10))
        run = training.Run("test", network, "digits", 200, 50, method, 9, 0)
        samples = modules.Samples(
            modules.build(network, 0), network, run.data.x, run.data.labels
        )  # fmt: skip
        recorder = training.Recorder(run, tmp_path / "file", lambda w: (1.0, 0.5), None)
        optimizer, *_ = modules._optimizer(run, recorder, samples.module)
        loss = samples.graph if method == "trust_cg" else samples.backward
        closure = recorder.counted(loss, 1.0)
        for _ in range(4):
            optimizer.step(closure)
        recorder.close()
        counts = optimizer.solver.counts
        assert recorder.epochs == counts.nfev + counts.nhev
        assert (counts.nhev > 0) == (method == "trust_cg")
