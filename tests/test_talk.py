"""The talk's experiments: the networks' derivatives, and the quick run."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import struct
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from examples.talk import data
from examples.talk.minibatch import BATCHED, batches
from examples.talk.networks import ACTIVATIONS, Loss, Network, cost_of_products
from quasinewton.objective import check_gradient

CASES = [
    pytest.param(hidden, output, loss, id=f"{hidden}-{output}-{loss}")
    for hidden in ("tanh", "sigmoid", "relu", "identity")
    for output, loss in (("identity", "cross_entropy"), ("identity", "mse"), ("sigmoid", "mse"),
                         ("tanh", "mse"))
]  # fmt: skip


def make(hidden, output, loss, dtype=np.float64, samples=11):
    """A small loss and two weight vectors; ReLU sits away from its kinks almost surely."""
    network = Network((5, 7, 4, 3), hidden, output, loss)
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((samples, 5)).astype(dtype)
    if loss == "cross_entropy":
        targets = rng.integers(0, 3, samples)
    else:
        targets = rng.random((samples, 3)).astype(dtype)
    w = network.start(0, dtype)
    w += 0.1 * rng.standard_normal(w.size).astype(dtype)
    return Loss(network, inputs, targets), w, rng


@pytest.mark.parametrize("hidden, output, loss", CASES)
def test_gradient_against_differences(hidden, output, loss):
    loss, w, rng = make(hidden, output, loss)
    d = rng.standard_normal(w.size)
    h = 1e-6
    slope = (loss.value(w + h * d) - loss.value(w - h * d)) / (2 * h)
    assert loss.gradient(w) @ d == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert check_gradient(loss.value, loss.gradient, w).ok


@pytest.mark.parametrize("hidden, output, loss", CASES)
def test_product_against_differences_and_symmetry(hidden, output, loss):
    loss, w, rng = make(hidden, output, loss)
    u, v = rng.standard_normal((2, w.size))
    h = 1e-6
    differences = (loss.gradient(w + h * v) - loss.gradient(w - h * v)) / (2 * h)
    product = loss.product(w, v)
    assert np.linalg.norm(product) > 0
    np.testing.assert_allclose(product, differences, rtol=1e-5, atol=1e-7)
    assert u @ product == pytest.approx(v @ loss.product(w, u), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("hidden, output, loss", CASES)
def test_single_precision_agrees_with_double(hidden, output, loss):
    single, w, rng = make(hidden, output, loss, np.float32)
    double = Loss(
        single.network, single.inputs.astype(np.float64),
        single.targets if loss == "cross_entropy" else single.targets.astype(np.float64),
    )  # fmt: skip
    d = rng.standard_normal(w.size)
    for name, arguments in (("gradient", ()), ("product", (d.astype(np.float32),))):
        got = getattr(single, name)(w, *arguments)
        expected = getattr(double, name)(w.astype(np.float64), *arguments)
        assert got.dtype == np.float32
        assert np.linalg.norm(got - expected) <= 1e-5 * np.linalg.norm(expected)
    assert single.value(w) == pytest.approx(double.value(w), rel=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_kept_passes_belong_to_the_point_asked_for(loss):
    loss, w, rng = make("tanh", "identity", loss)
    other, d = rng.standard_normal((2, w.size))
    fresh = Loss(loss.network, loss.inputs, loss.targets)
    expected = fresh.product(w, d), fresh.gradient(w), fresh.value(w)
    loss.gradient(other)
    gradient = loss.gradient(w)
    gradient[:] = np.nan  # the caller's own
    loss.value(other)
    w_given = w.copy()
    assert np.array_equal(loss.product(w_given, d), expected[0])
    w_given[:] = 0.0  # the caller's own too
    assert np.array_equal(loss.gradient(w), expected[1]) and loss.value(w) == expected[2]


def test_batches_add_up_to_the_whole():
    whole, w, rng = make("tanh", "identity", "cross_entropy", samples=12)
    d = rng.standard_normal(w.size)
    parts = [
        Loss(whole.network, whole.inputs[i::3], whole.targets[i::3]) for i in range(3)
    ]
    for name, arguments in (("value", (w,)), ("gradient", (w,)), ("product", (w, d))):
        mean = sum(getattr(part, name)(*arguments) for part in parts) / 3
        np.testing.assert_allclose(mean, getattr(whole, name)(*arguments), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_product_against_jax(hidden, loss):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", True)
    ours, w, rng = make(hidden, "identity", loss)
    phi = {"tanh": jnp.tanh, "relu": jax.nn.relu}[hidden]

    def value(w):
        y, at = ours.inputs, 0
        sizes = ours.network.sizes
        for l, (a, b) in enumerate(pairwise(sizes)):
            y = y @ w[at : at + a * b].reshape(a, b) + w[at + a * b : at + (a + 1) * b]
            y = phi(y) if l + 2 < len(sizes) else y
            at += (a + 1) * b
        if loss == "mse":
            return jnp.mean((y - ours.targets) ** 2)
        return -jnp.mean(jax.nn.log_softmax(y)[jnp.arange(ours.samples), ours.targets])

    d = rng.standard_normal(w.size)
    gradient, product = jax.jvp(jax.grad(value), (w,), (d,))
    np.testing.assert_allclose(ours.gradient(w), gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.product(w, d), product, rtol=1e-10, atol=1e-12)


def test_cross_entropy_does_not_overflow():
    network = Network((1, 2))
    loss = Loss(network, np.array([[1.0]]), np.array([1]))
    w = np.array([1e4, -1e4, 0.0, 0.0])
    assert loss.value(w) == pytest.approx(2e4)
    assert np.isfinite(loss.gradient(w)).all() and np.isfinite(loss.product(w, w)).all()


def test_cost_of_products_is_reported_for_both_precisions():
    rows = cost_of_products(samples=4, repeats=1)
    assert {row["dtype"] for row in rows} == {"float32", "float64"}
    assert all(row["product"] > 0 for row in rows)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sizes": (3,)}, "sizes"),
        ({"sizes": (3, 2), "hidden": "softplus"}, "softplus"),
        ({"sizes": (3, 2), "loss": "hinge"}, "hinge"),
        ({"sizes": (3, 2), "output": "tanh"}, "identity"),
    ],
)
def test_bad_networks(arguments, message):
    with pytest.raises(ValueError, match=message):
        Network(**arguments)


def test_bad_samples_and_weights():
    network = Network((3, 2))
    with pytest.raises(ValueError, match="inputs"):
        Loss(network, np.zeros((4, 2)), np.zeros(4, int))
    with pytest.raises(ValueError, match="targets"):
        Loss(network, np.zeros((4, 3)), np.zeros(5, int))
    with pytest.raises(ValueError, match="weights"):
        Loss(network, np.zeros((4, 3)), np.zeros(4, int)).value(np.zeros(7))
    assert set(ACTIVATIONS) == {"tanh", "sigmoid", "relu", "identity"}


def test_batches_have_their_size_and_overlap_and_miss_no_sample():
    rng = np.random.default_rng(0)
    some = list(islice(batches(100, 20, 0.5, rng), 9))
    assert all(len(set(batch)) == 20 for batch in some)
    assert all(len(set(a) & set(b)) == 10 for a, b in pairwise(some))
    assert set(np.concatenate(some)) == set(range(100))
    disjoint = list(islice(batches(100, 20, 0.0, rng), 5))
    assert sorted(np.concatenate(disjoint)) == list(range(100))
    assert len(next(batches(7, 20, 0.0, rng))) == 7


def test_digits_are_split_by_the_seed():
    digits = data.load("digits", 300, 100, seed=4)
    again, other = data.load("digits", 300, 100, seed=4), data.load("digits", 300, 100, seed=5)
    assert digits.x.shape == (300, 64) and digits.x_test.shape == (100, 64)
    assert digits.x.dtype == np.float32 and digits.x.min() == 0 and digits.x.max() == 1
    assert np.array_equal(digits.x, again.x) and not np.array_equal(digits.x, other.x)
    together = {row.tobytes() for row in digits.x} & {row.tobytes() for row in digits.x_test}
    assert not together
    with pytest.raises(ValueError, match="letters"):
        data.load("letters")


def test_digits_where_nothing_can_be_fetched(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QUASINEWTON_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no package client
    got = data.load("mnist", 50, 20)
    assert got.name == "digits" and got.x.shape == (50, 64)
    assert "digits instead" in capsys.readouterr().err


def test_idx_files_and_checks(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = bytes([0, 0, 8, 3]) + struct.pack(">3i", 2, 3, 4) + array.tobytes()
    (tmp_path / "a-ubyte").write_bytes(content)
    (tmp_path / "a-ubyte.gz").write_bytes(gzip.compress(content))
    assert np.array_equal(data._idx(tmp_path / "a-ubyte"), array)
    assert np.array_equal(data._idx(tmp_path / "a-ubyte.gz"), array)
    with pytest.raises(ValueError, match="mean"):
        data._check("fashion", array, np.arange(2), array, np.arange(2))


def quick(out, *arguments):
    from examples.talk.__main__ import main

    return main(["--quick", "--jobs", "1", "--out", str(out), *arguments])


def test_quick_run(tmp_path):
    """Every method trains on the digits, and every figure is drawn, without a network."""
    pytest.importorskip("tqdm")
    from examples.talk import results
    from examples.talk.training import FIRST_ORDER, FULL_BATCH

    assert quick(tmp_path) == 0
    found = set()
    for experiment in results.EXPERIMENTS:
        for (images, _, samples), methods in results.read(tmp_path, experiment).items():
            assert (images, samples) == ("digits", "400")
            for method, (curve,) in methods.items():
                found.add(method)
                assert curve.train[-1] < curve.train[0], curve.key
                assert curve.epochs[-1] >= 5
                assert curve.seconds[-1] >= curve.inside[-1] > 0
                assert curve.test[-1] > 0  # the last row has all columns
    assert found == {*FULL_BATCH, *FIRST_ORDER, *BATCHED}
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert {"classification_digits_64-32-10_400", "autoencoder_digits_400", "minibatch", "timings",
            "reconstructions_digits_400", "rosenbrock_paths", "rosenbrock_loss"} <= drawn
    assert "| arc_lsr1 |" in (tmp_path / "summary.md").read_text()


def test_what_was_run_is_not_run_again(tmp_path, monkeypatch):
    """Even without the files of single runs. Another seed is, with the rates chosen before."""
    pytest.importorskip("tqdm")
    from examples.talk import __main__ as talk
    from examples.talk import results

    monkeypatch.setattr(talk, "FULL_BATCH", ("arc_hybrid",))
    network = Network((64, 4, 10))
    monkeypatch.setattr(talk, "networks", lambda experiment, data: [network])
    made = []
    train = talk.train

    def counted(run, folder):
        made.append(run)
        return train(run, folder)

    monkeypatch.setattr(talk, "train", counted)
    assert quick(tmp_path, "--only", "classification") == 0
    assert len(made) == 9 + 4
    before = results._runs(tmp_path / "classification.csv")
    shutil.rmtree(tmp_path / "runs")
    assert quick(tmp_path, "--only", "classification", "--seeds", "0", "1") == 0
    assert len(made) == 9 + 8 and {run.seed for run in made[13:]} == {1}
    after = results._runs(tmp_path / "classification.csv")
    assert len(before) == 4 and len(after) == 8
    assert {key: after[key] for key in before} == before
    assert " to " in (tmp_path / "summary.md").read_text()  # the spread of the seeds


def test_figures_and_tables_come_from_the_files_kept(tmp_path):
    """What the page shows is made from the committed files alone, without those of the runs."""
    from examples.talk import figures

    talk = Path(figures.__file__).parent
    out, pictures = tmp_path / "results", tmp_path / "pictures"
    shutil.copytree(talk / "results", out, ignore=shutil.ignore_patterns("runs", "*.md"))
    figures.main(out, pictures)
    summary = (talk / "results" / "summary.md").read_text()
    assert (out / "summary.md").read_text() == summary
    docs = talk.parent.parent / "docs"
    drawn = {path.name for path in pictures.glob("*.png")}
    kept = {path.name for path in (docs / "images" / "talk").glob("*.png")}
    assert drawn == {name for name in kept if not name.startswith("rosenbrock")}
    page = (docs / "talk.md").read_text()
    tables = page[page.index("## The marks") : page.index("## Timings")]
    rows = re.findall(r"^\| (?!method).*\|$", tables, re.MULTILINE)
    assert len(rows) > 20 and [row for row in rows if row not in summary] == []


def test_spread_of_seeds():
    from examples.talk.figures import spread

    assert spread([0.125]) == "0.125"
    assert spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert spread([np.nan, 40.0, np.nan], most=80) == "> 80 (40 to > 80)"


@pytest.mark.parametrize("method", ["trust_cg", "arc_lsr1", "L-BFGS-B", "Adam", "batch trust_cg"])
def test_without_torch(method, tmp_path, monkeypatch):
    """NumPy's networks train where PyTorch is not installed."""
    from examples.talk import training

    monkeypatch.setattr(training, "HAS_TORCH", False)
    rate = 1e-2 if method == "Adam" else None
    run = training.Run(
        "autoencoder", Network((64, 8, 64), "tanh", "sigmoid", "mse"), "digits", 200, 100, method,
        12, 0, rate,
    )  # fmt: skip
    training.train(run, tmp_path)
    with (tmp_path / f"{run.name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["train"]) < float(rows[0]["train"])
    assert float(rows[-1]["epochs"]) >= 12
    with np.load(tmp_path / f"{run.name}.npz") as file:
        assert file["outputs"].shape == (10, 64)
