"""One training run: a method on a network and data, recorded as it goes.

Where PyTorch is installed the networks are modules (`modules`), else NumPy's (`networks`).

An *epoch* is one pass over the training samples of any kind: value, value and gradient, or
Hessian product. *gradients* counts gradients and products, in units of all samples. Seconds are
those of the processor in this process; recording is not in them.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize

import quasinewton
from quasinewton.methods import METHODS

from .data import Data, load
from .minibatch import BATCHED, batches, train_in_batches
from .networks import Loss

__all__ = ["COLUMNS", "FIRST_ORDER", "FULL_BATCH", "HAS_TORCH", "KEYS", "Run", "file_name", "train"]

#: The columns that say which run a row is of.
KEYS = ("experiment", "data", "network", "method", "rate", "samples", "seed")
COLUMNS = (
    *KEYS, "iteration", "epochs", "gradients", "seconds", "inside", "train", "test", "accuracy",
)

HAS_TORCH = importlib.util.find_spec("torch") is not None

FULL_BATCH = (
    "trust_cg", "arc_lsr1", "arc_hybrid", "arc_hybrid r=1", "trust_hybrid", "L-BFGS-B",
)
#: Options of own methods. The talk's trust-region method makes Newton steps alone. A first step of
#: length 1 is what L-BFGS takes at most; by default it may be as long as all the weights.
OPTIONS: dict[str, dict[str, Any]] = {
    "trust_cg": {"enriched": False},
    "arc_hybrid r=1": {"initial_trust_radius": 1.0},
}
if HAS_TORCH:
    FULL_BATCH += ("torch LBFGS",)
#: Learning rates tried. The mean over 784 pixels makes gradients of the autoencoders so much
#: smaller.
FIRST_ORDER = {
    "SGD": {"cross_entropy": (0.01, 0.1, 1.0), "mse": (1.0, 10.0, 100.0)},
    "RMSProp": {"cross_entropy": (1e-4, 1e-3, 1e-2), "mse": (1e-4, 1e-3, 1e-2)},
    "Adam": {"cross_entropy": (1e-4, 1e-3, 1e-2), "mse": (1e-4, 1e-3, 1e-2)},
}
FIRST_ORDER_BATCH = 128
#: Options of SciPy's L-BFGS-B, which the recorder ends.
LBFGSB = {"maxcor": 10, "maxiter": 10**6, "maxfun": 10**6, "ftol": 0, "gtol": 0}


@dataclass(frozen=True)
class Run:
    """What to run: a network on data by a method; `rate` is of first-order methods.

    `samples` and `test_samples` are numbers of images, None for all.
    """

    experiment: str
    network: Any
    dataset: str
    samples: int | None
    test_samples: int | None
    method: str
    epochs: float
    seed: int
    rate: float | None = None

    @property
    def data(self) -> Data:
        """Loaded here, so that processes need not be sent it."""
        return _load(self.dataset, self.samples, self.test_samples, self.seed)

    @property
    def key(self) -> tuple[str, ...]:
        """The first columns of its rows."""
        return (
            self.experiment, self.dataset, self.network.name, self.method,
            "" if self.rate is None else f"{self.rate:g}", str(self.samples or "all"),
            str(self.seed),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Of its file."""
        return file_name(self.key)


def file_name(key: tuple[str, ...]) -> str:
    """The name of the file of a run whose rows begin so."""
    return "_".join(part.replace(" ", "-") for part in key if part)


_load = functools.lru_cache(maxsize=1)(load)


class Spent(Exception):
    """The run has had its epochs."""


class Recorder:
    """Counts what a run asks for, and writes its rows.

    Of a method that takes all samples at once there is a row an iteration, since its training
    loss is known. The test set, and the training loss of others, are looked at now and then.

    Parameters
    ----------
    run : Run
    file : Path
    test, whole : callables
        The weights, or None where a module has them, to loss and accuracy on the test set and
        on all training samples.
    """

    def __init__(self, run: Run, file: Path, test: Callable, whole: Callable) -> None:
        self.run, self._test, self._whole = run, test, whole
        self.epochs = self.gradients = self.inside = 0.0
        self.iteration = 0
        self._mark = 0.0
        self._aside = 0.0
        self._file = file.open("w", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)
        self.began = time.process_time()

    def counted(self, call: Callable, share: float, epochs: float = 1, gradients: float = 1):
        """`call`, counted as so many epochs and gradients on a share of the samples, and timed."""

        def counted(*arguments):
            began = time.process_time()
            answer = call(*arguments)
            self.inside += time.process_time() - began
            self.epochs += epochs * share
            self.gradients += gradients * share
            return answer

        counted.share = share
        return counted

    def step(self, w: np.ndarray | None = None, train: float | None = None) -> None:
        """To be called after every iteration with the weights, and the training loss if known."""
        self.iteration += 1
        spent = self.epochs >= self.run.epochs
        if spent or self.epochs >= self._mark or train is not None:
            self.record(w, train, spent)
        if spent:
            raise Spent

    def record(
        self, w: np.ndarray | None = None, train: float | None = None, last: bool = True
    ) -> None:
        """Write a row."""
        began = time.process_time()
        test = accuracy = ""
        if last or self.epochs >= self._mark:
            self._mark = max(self.epochs + 1, 1.12 * self.epochs)
            loss, share = self._test(w)
            test, accuracy = f"{loss:.5g}", "" if share is None else f"{share:.4f}"
            if train is None:
                train, _ = self._whole(w)
        self._rows.writerow((
            *self.run.key, self.iteration, f"{self.epochs:.2f}", f"{self.gradients:.2f}",
            f"{began - self.began - self._aside:.4g}", f"{self.inside:.4g}",
            f"{train + 0.0:.6g}", test, accuracy,
        ))  # fmt: skip
        self._file.flush()
        self._aside += time.process_time() - began

    def close(self) -> None:
        """No more rows."""
        self._file.close()


def train(run: Run, folder: Path) -> str:
    """Run, writing folder/<name>.csv, and of an autoencoder some images as it returns them.

    The network works in float32 whatever the method. The file has its name when it is whole.
    Returns the name of the run.
    """
    _compile(run.method)
    part = folder / f"{run.name}.part"
    targets, targets_test = (
        (run.data.labels, run.data.labels_test) if run.network.loss == "cross_entropy"
        else (run.data.x, run.data.x_test)
    )  # fmt: skip
    shown = run.data.x_test[:10]
    if HAS_TORCH:
        import torch

        from .modules import Samples, build, train_module

        torch.set_num_threads(1)
        module = build(run.network, run.seed)
        samples = Samples(module, run.network, run.data.x, targets)
        test = Samples(module, run.network, run.data.x_test, targets_test)
        recorder = Recorder(run, part, lambda w: test.evaluate(), lambda w: samples.evaluate())
        _ended(recorder, None, lambda: train_module(run, recorder, module, samples))
        with torch.no_grad():
            outputs = module(torch.from_numpy(shown)).numpy() if targets is run.data.x else None
    else:
        w = run.network.start(run.seed, np.float32)
        whole = Loss(run.network, run.data.x, targets)
        test = Loss(run.network, run.data.x_test, targets_test)
        recorder = Recorder(run, part, test.evaluate, whole.evaluate)
        _ended(recorder, w, lambda: _train(run, recorder, w, targets))
        outputs = run.network.output(w, shown)
    if run.experiment == "autoencoder":
        np.savez(folder / f"{run.name}.npz", inputs=shown, outputs=outputs)
    part.rename(part.with_suffix(".csv"))
    return run.name


def _ended(recorder: Recorder, w: np.ndarray | None, trained: Callable[[], None]) -> None:
    """Train, and close the record."""
    recorder.record(w)
    try:
        with np.errstate(all="ignore"):  # a rate that is too high
            trained()
        recorder.record(w)  # it gave up before
    except Spent:
        pass
    finally:
        recorder.close()


class CountedLoss:
    """NumPy's loss on some of the training samples, whose calls a `Recorder` counts."""

    def __init__(self, run: Run, recorder: Recorder, targets: np.ndarray, samples) -> None:
        loss = Loss(run.network, run.data.x[samples], targets[samples])
        share = loss.samples / len(run.data.x)
        self.value = recorder.counted(loss.value, share, 1, 0)
        #: The gradient where the value was just asked for: the second half of one pass.
        self.gradient = recorder.counted(loss.gradient, share, 0, 1)
        self.product = recorder.counted(loss.product, share)


def _train(run: Run, recorder: Recorder, w: np.ndarray, targets: np.ndarray) -> None:
    """Train NumPy's network; `w` becomes the weights."""

    def loss_on(samples) -> CountedLoss:
        return CountedLoss(run, recorder, targets, samples)

    if run.rate is not None:
        _first_order(run, recorder, loss_on, w)
    elif run.method in BATCHED:
        train_in_batches(recorder, loss_on, len(targets), w, run.seed, **BATCHED[run.method])
    else:
        _full_batch(run.method, recorder, loss_on(slice(None)), w)


def _full_batch(method: str, recorder: Recorder, loss: CountedLoss, w: np.ndarray) -> None:
    def after(intermediate_result):
        w[:] = intermediate_result.x
        recorder.step(w, intermediate_result.fun)

    if method == "L-BFGS-B":
        scipy.optimize.minimize(
            lambda x: (loss.value(x), loss.gradient(x).astype(np.float64)),
            w.astype(np.float64), jac=True, method=method, callback=after,
            options=LBFGSB,
        )  # fmt: skip
        return
    quasinewton.minimize(
        loss.value, w.copy(), jac=loss.gradient, callback=after, method=method.split()[0],
        hessp=loss.product if method == "trust_cg" else None,
        options={"gtol": 0, "maxiter": 10**6, **OPTIONS.get(method, {})},
    )  # fmt: skip


def _first_order(run: Run, recorder: Recorder, loss_on: Callable, w: np.ndarray) -> None:
    """SGD with momentum 0.9; RMSProp (decay 0.9); Adam (0.9, 0.999); in place on `w`."""
    assert run.rate is not None
    rng = np.random.default_rng(run.seed)
    first, second = np.zeros_like(w), np.zeros_like(w)
    rate, step = np.float32(run.rate), 0
    for chosen in batches(len(run.data.x), FIRST_ORDER_BATCH, 0.0, rng):
        loss = loss_on(chosen)
        loss.value(w)
        g = loss.gradient(w)
        step += 1
        if run.method == "SGD":
            first *= np.float32(0.9)
            first -= rate * g
            w += first
        else:
            decay = np.float32(0.999 if run.method == "Adam" else 0.9)
            second *= decay
            second += (1 - decay) * g * g
            if run.method == "Adam":
                first *= np.float32(0.9)
                first += np.float32(0.1) * g
                scale = rate * np.sqrt(1 - float(decay) ** step) / (1 - 0.9**step)
                w -= np.float32(scale) * first / (np.sqrt(second) + np.float32(1e-8))
            else:
                w -= rate * g / (np.sqrt(second) + np.float32(1e-8))
        recorder.step(w)


def _compile(method: str) -> None:
    """Compile what the method needs on a smaller problem, outside the clock."""
    if method in BATCHED:
        method = BATCHED[method]["method"]
    method = method.split()[0]
    if method in METHODS:
        x = np.linspace(1, 2, 2000, dtype=np.float32)
        quasinewton.minimize(
            lambda x: float(x @ x + np.cos(5 * x).sum()), x, method=method,
            jac=lambda x: 2 * x - 5 * np.sin(5 * x),
            hessp=(lambda x, d: (2 - 25 * np.cos(5 * x)) * d) if method == "trust_cg" else None,
            options={"maxiter": 50, "gtol": 0},
        )  # fmt: skip
