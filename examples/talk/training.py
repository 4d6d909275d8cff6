"""One training run: a method on a network and data, recorded as it goes.

An *epoch* is one pass over the training samples of any kind: value, value and gradient, or
Hessian product. *gradients* counts gradients and products, in units of all samples. Seconds are
those of the processor in this process; recording is not in them.
"""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.optimize

import quasinewton
from quasinewton.methods import METHODS

from .data import Data
from .minibatch import BATCHED, train_in_batches
from .networks import Loss, Network

__all__ = ["COLUMNS", "FIRST_ORDER", "FULL_BATCH", "Run", "train"]

COLUMNS = (
    "experiment", "data", "network", "method", "rate", "seed", "iteration", "epochs", "gradients",
    "seconds", "inside", "train", "test", "accuracy",
)  # fmt: skip

FULL_BATCH = ("trust_cg", "trust_cg differences", "arc_lsr1", "arc_hybrid", "L-BFGS-B")
#: Learning rates tried; of each method the one of least training loss at the end is shown.
#: The mean over 784 pixels makes gradients of the autoencoders so much smaller.
FIRST_ORDER = {
    "SGD": {"cross_entropy": (0.01, 0.1, 1.0), "mse": (1.0, 10.0, 100.0)},
    "RMSProp": {"cross_entropy": (1e-4, 1e-3, 1e-2), "mse": (1e-4, 1e-3, 1e-2)},
    "Adam": {"cross_entropy": (1e-4, 1e-3, 1e-2), "mse": (1e-4, 1e-3, 1e-2)},
}
FIRST_ORDER_BATCH = 128


@dataclass(frozen=True)
class Run:
    """What to run: a network on data by a method; `rate` is of first-order methods."""

    experiment: str
    network: Network
    data: Data
    method: str
    epochs: float
    seed: int
    rate: float | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        parts = (self.experiment, self.data.name, _sizes(self.network), self.method,
                 "" if self.rate is None else f"{self.rate:g}")  # fmt: skip
        return "_".join(part.replace(" ", "-") for part in parts if part)


class Spent(Exception):
    """The run has had its epochs."""


class Recorder:
    """Counts what a run asks for, and writes a row of its CSV now and then.

    Parameters
    ----------
    run : Run
    file : Path
        Written row by row, so a run that is stopped keeps what it had.
    """

    def __init__(self, run: Run, file: Path) -> None:
        self.run = run
        self.network, self.data = run.network, run.data
        self.labelled = run.network.loss == "cross_entropy"
        self.epochs = self.gradients = self.inside = 0.0
        self.iteration = 0
        self._mark = 0.0
        self._aside = 0.0
        self._file = file.open("w", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)
        targets_test = self.data.labels_test if self.labelled else self.data.x_test
        self._test = Loss(self.network, self.data.x_test, targets_test)
        self._train = self.loss(slice(None))
        self.began = time.process_time()

    def loss(self, samples) -> CountedLoss:
        """The loss on some of the training samples."""
        targets = self.data.labels if self.labelled else self.data.x
        return CountedLoss(self, Loss(self.network, self.data.x[samples], targets[samples]))

    def step(self, w: np.ndarray, train: float | None = None) -> None:
        """To be called after every iteration with the weights, and the training loss if known."""
        self.iteration += 1
        spent = self.epochs >= self.run.epochs
        if spent or self.epochs >= self._mark:
            self.record(w, train)
        if spent:
            raise Spent

    def record(self, w: np.ndarray, train: float | None = None) -> None:
        """Write a row."""
        began = time.process_time()
        self._mark = max(self.epochs + 1, 1.12 * self.epochs)
        w = np.asarray(w, np.float32)
        if train is None:
            train = self._train.loss.value(w)
        test = self._test.value(w)
        accuracy = ""
        if self.labelled:
            outputs = self._test._outputs[-1]
            accuracy = f"{np.mean(outputs.argmax(axis=1) == self.data.labels_test):.4f}"
        run = self.run
        self._rows.writerow((
            run.experiment, self.data.name, _sizes(self.network), run.method,
            "" if run.rate is None else f"{run.rate:g}", run.seed, self.iteration,
            f"{self.epochs:.3f}", f"{self.gradients:.3f}",
            f"{began - self.began - self._aside:.4f}", f"{self.inside:.4f}",
            f"{train + 0.0:.7g}", f"{test:.7g}", accuracy,
        ))  # fmt: skip
        self._file.flush()
        self._aside += time.process_time() - began

    def close(self) -> None:
        """No more rows."""
        self._file.close()


class CountedLoss:
    """A `Loss` whose calls a `Recorder` counts and times."""

    def __init__(self, recorder: Recorder, loss: Loss) -> None:
        self.recorder, self.loss = recorder, loss
        self.share = loss.samples / len(recorder.data.x)

    def value(self, w: np.ndarray) -> float:
        self.recorder.epochs += self.share
        return self._timed(self.loss.value, w)

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """The gradient where the value was just asked for: the second half of one pass."""
        self.recorder.gradients += self.share
        return self._timed(self.loss.gradient, w)

    def gradient_alone(self, w: np.ndarray) -> np.ndarray:
        """The gradient anywhere: a pass of its own."""
        self.recorder.epochs += self.share
        return self.gradient(w)

    def product(self, w: np.ndarray, d: np.ndarray) -> np.ndarray:
        self.recorder.epochs += self.share
        self.recorder.gradients += self.share
        return self._timed(self.loss.product, w, d)

    def _timed(self, call, *arguments):
        began = time.process_time()
        answer = call(*arguments)
        self.recorder.inside += time.process_time() - began
        return answer


def train(run: Run, folder: Path) -> str:
    """Run, writing folder/<name>.csv, and of an autoencoder some images as it returns them.

    The network works in float32 whatever the method. Returns the name of the run.
    """
    w = run.network.start(run.seed, np.float32)
    _compile(run.method)
    recorder = Recorder(run, folder / f"{run.name}.csv")
    recorder.record(w)
    try:
        if run.rate is not None:
            with np.errstate(all="ignore"):  # a rate that is too high
                _first_order(run, recorder, w)
        elif run.method in BATCHED:
            train_in_batches(recorder, w, run.seed, **BATCHED[run.method])
        else:
            w = _full_batch(run.method, recorder, w)
    except Spent:
        pass
    finally:
        recorder.close()
    if run.experiment == "autoencoder":
        shown = run.data.x_test[:10]
        np.savez(folder / f"{run.name}.npz", inputs=shown, outputs=run.network.output(w, shown))
    return run.name


def _full_batch(method: str, recorder: Recorder, w: np.ndarray) -> np.ndarray:
    loss = recorder.loss(slice(None))
    last = [w]

    def after(intermediate_result):
        last[0] = np.asarray(intermediate_result.x, np.float32)
        recorder.step(last[0], intermediate_result.fun)

    try:
        if method == "L-BFGS-B":
            scipy.optimize.minimize(
                lambda x: (loss.value(x), loss.gradient(x).astype(np.float64)),
                w.astype(np.float64), jac=True, method=method, callback=after,
                options={"maxcor": 10, "maxiter": 10**6, "maxfun": 10**6, "ftol": 0, "gtol": 0},
            )  # fmt: skip
        else:
            _drive(recorder, loss, w, method, after)
        recorder.record(last[0])  # it gave up before
    except Spent:
        pass
    return last[0]


def _drive(recorder, loss, w, method, after) -> None:
    """A method of this package; differences of gradients where its name says so."""
    name = method.removesuffix(" differences")
    differences = name != method
    here = [w]

    def gradient(x):
        # a gradient away from the last value is one of a difference
        return loss.gradient(x) if np.array_equal(x, here[0]) else loss.gradient_alone(x)

    def value(x):
        here[0] = x.copy()
        return loss.value(x)

    hessp = loss.product if name == "trust_cg" and not differences else None
    quasinewton.minimize(
        value, w, jac=gradient, hessp=hessp, method=name, callback=after,
        options={"gtol": 0, "maxiter": 10**6, "memory": 10, "enriched": False},
    )  # fmt: skip


def _first_order(run: Run, recorder: Recorder, w: np.ndarray) -> None:
    """SGD with momentum 0.9; RMSProp (decay 0.9); Adam (0.9, 0.999); in place on `w`."""
    rng = np.random.default_rng(run.seed)
    samples = len(run.data.x)
    batch = min(FIRST_ORDER_BATCH, samples)
    first, second = np.zeros_like(w), np.zeros_like(w)
    rate, step = np.float32(run.rate), 0
    while True:
        order = rng.permutation(samples)
        for at in range(0, samples - batch + 1, batch):
            loss = recorder.loss(order[at : at + batch])
            g = loss.gradient_alone(w)
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
    """Compile what the method needs on a small problem, outside the clock."""
    if method in BATCHED:
        method = BATCHED[method]["method"]
    method = method.removesuffix(" differences")
    if method in METHODS:
        quasinewton.minimize(
            lambda x: float(x @ x + np.cos(5 * x).sum()), np.linspace(1, 2, 100, dtype=np.float32),
            jac=lambda x: 2 * x - 5 * np.sin(5 * x), method=method, options={"maxiter": 50},
        )  # fmt: skip


def _sizes(network: Network) -> str:
    return "-".join(map(str, network.sizes))
