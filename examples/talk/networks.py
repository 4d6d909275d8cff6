"""Fully connected networks in NumPy: loss, gradient and exact Hessian products.

    python -m examples.talk.networks      # what a product costs beside a gradient

The product follows B. Pearlmutter, *Fast exact multiplication by the Hessian*, Neural
Computation 6 (1994): the operator R{.} = d/dr (.) at weights w + r d, r = 0, is applied to every
line of the forward and the backward pass, so H d costs a small multiple of a gradient, has no
step to choose, and is as exact as the gradient.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import log_softmax

__all__ = ["ACTIVATIONS", "LOSSES", "Loss", "Network"]


@dataclass(frozen=True)
class Activation:
    """phi, and its derivatives as functions of the output y = phi(a).

    Attributes
    ----------
    value : callable
        phi(a).
    slope : callable
        phi'(a), from y.
    bend : callable
        phi''(a)/phi'(a), from y: this ratio is a polynomial in y where phi'' is not.
    """

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    bend: Callable[[np.ndarray], np.ndarray] | None


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * a))  # no overflow; faster than expit in float32


#: `bend` is None where phi'' = 0 (for ReLU almost everywhere).
ACTIVATIONS = {
    "tanh": Activation(np.tanh, lambda y: 1 - y * y, lambda y: -2 * y),
    "sigmoid": Activation(_sigmoid, lambda y: y * (1 - y), lambda y: 1 - 2 * y),
    "relu": Activation(lambda a: np.maximum(a, 0), lambda y: (y > 0).astype(y.dtype), None),
    "identity": Activation(lambda a: a, lambda y: np.ones_like(y), None),
}

LOSSES = ("cross_entropy", "mse")


class Network:
    """Layers y_l = phi_l(y_{l-1} W_l + b_l) with all weights in one vector.

    Parameters
    ----------
    sizes : sequence of int
        Width of every layer, the input first.
    hidden, output : str, default 'relu', 'identity'
        Keys of `ACTIVATIONS`; `output` is of the last layer.
    loss : {'cross_entropy', 'mse'}, default 'cross_entropy'
        Mean over the samples of -log softmax(y_L)[label], or mean over samples and outputs of
        (y_L - target)^2. The cross-entropy takes `output` 'identity'.

    Attributes
    ----------
    n : int
        Number of weights.
    names : list of str
        Of the activations of every layer but the input.
    """

    def __init__(
        self, sizes, hidden: str = "relu", output: str = "identity", loss: str = "cross_entropy"
    ) -> None:
        sizes = tuple(int(size) for size in sizes)
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"`sizes` must be two or more positive integers, got {sizes}")
        for argument, name in (("hidden", hidden), ("output", output)):
            if name not in ACTIVATIONS:
                raise ValueError(
                    f"`{argument}` must be one of {', '.join(ACTIVATIONS)}, got {name!r}"
                )
        if loss not in LOSSES:
            raise ValueError(f"`loss` must be one of {', '.join(LOSSES)}, got {loss!r}")
        if loss == "cross_entropy" and output != "identity":
            raise ValueError(f"`output` must be 'identity' with cross_entropy, got {output!r}")
        self.sizes, self.loss = sizes, loss
        self.names = [hidden] * (len(sizes) - 2) + [output]
        self.n = sum((a + 1) * b for a, b in pairwise(sizes))

    @property
    def name(self) -> str:
        """Its widths."""
        return "-".join(map(str, self.sizes))

    @property
    def activations(self) -> list[Activation]:
        """Of every layer but the input. By name, so that a network can be pickled."""
        return [ACTIVATIONS[name] for name in self.names]

    def layers(self, w: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The parts of `w` as (W_l, b_l) of every layer; views."""
        if w.shape != (self.n,):
            raise ValueError(f"the weights must have shape ({self.n},), got {w.shape}")
        parts, at = [], 0
        for a, b in pairwise(self.sizes):
            parts.append((w[at : at + a * b].reshape(a, b), w[at + a * b : at + (a + 1) * b]))
            at += (a + 1) * b
        return parts

    def start(self, seed: int, dtype=np.float64) -> np.ndarray:
        """Random weights by Glorot & Bengio (2010): uniform, variance 2/(fan in + fan out)."""
        rng = np.random.default_rng(seed)
        w = np.zeros(self.n, dtype)
        for weights, _ in self.layers(w):
            limit = np.sqrt(6.0 / sum(weights.shape))
            weights[:] = rng.uniform(-limit, limit, weights.shape)
        return w

    def forward(self, w: np.ndarray, inputs: np.ndarray) -> list[np.ndarray]:
        """Outputs of every layer, `inputs` first."""
        outputs = [inputs]
        for (weights, bias), phi in zip(self.layers(w), self.activations, strict=True):
            a = outputs[-1] @ weights
            a += bias
            outputs.append(phi.value(a))
        return outputs

    def output(self, w: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Output of the last layer, shape (samples, sizes[-1])."""
        return self.forward(w, inputs)[-1]


class Loss:
    """The loss of a network on given samples, as a function of its weights.

    The passes at the last point are kept: the gradient there needs no second forward pass,
    and Hessian products, of which conjugate gradients ask many at one point, need neither
    the forward nor the backward pass again.

    Parameters
    ----------
    network : Network
    inputs : array, shape (samples, sizes[0])
        Its dtype, float32 or float64, is that of all the work; values are summed in float64.
    targets : array
        Labels, shape (samples,), for the cross-entropy; shape (samples, sizes[-1]) for 'mse'.
    """

    def __init__(self, network: Network, inputs: np.ndarray, targets: np.ndarray) -> None:
        samples = inputs.shape[0]
        labels = network.loss == "cross_entropy"
        shape = (samples,) if labels else (samples, network.sizes[-1])
        if samples == 0 or inputs.shape != (samples, network.sizes[0]):
            raise ValueError(
                f"`inputs` must have shape (samples, {network.sizes[0]}), got {inputs.shape}"
            )
        if targets.shape != shape:
            raise ValueError(f"`targets` must have shape {shape}, got {targets.shape}")
        self.network, self.inputs, self.targets = network, inputs, targets
        self.samples = samples
        self._w: np.ndarray | None = None

    def value(self, w: np.ndarray) -> float:
        """The loss at `w`."""
        self._move(w)
        return self._value

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """The gradient at `w`, shape (n,)."""
        self._move(w)
        if self._gradient is None:
            self._backward()
        return self._gradient.copy()

    def product(self, w: np.ndarray, d: np.ndarray) -> np.ndarray:
        """The product of the Hessian at `w` with `d`, shape (n,)."""
        self._move(w)
        if self._gradient is None:
            self._backward()
        network = self.network
        layers, outputs, deltas = network.layers(self._w), self._outputs, self._deltas
        d = np.ascontiguousarray(d, self._w.dtype)
        directions = network.layers(d)
        result = np.empty_like(d)

        r_inputs: list[np.ndarray | None] = [None]  # R{y_0} = 0
        r_sums = []  # R{a_l}
        for l, ((weights, _), (v, v_bias)) in enumerate(zip(layers, directions, strict=True)):
            r_sum = outputs[l] @ v
            r_sum += v_bias
            if r_inputs[l] is not None:
                r_sum += r_inputs[l] @ weights
            r_sums.append(r_sum)
            if l + 1 < len(layers):
                r_inputs.append(self._slopes[l] * r_sum)

        r_delta = self._output_r_delta(r_sums[-1])
        for l in reversed(range(len(layers))):
            r_weights, r_bias = network.layers(result)[l]
            np.matmul(outputs[l].T, r_delta, out=r_weights)
            if l > 0:
                r_weights += r_inputs[l].T @ deltas[l]
            np.sum(r_delta, axis=0, out=r_bias)
            if l > 0:
                r_error = r_delta @ layers[l][0].T
                r_error += deltas[l] @ directions[l][0].T
                r_error *= self._slopes[l - 1]
                bend = network.activations[l - 1].bend
                if bend is not None:
                    r_error += bend(outputs[l]) * deltas[l - 1] * r_sums[l - 1]
                r_delta = r_error
        return result

    def evaluate(self, w: np.ndarray) -> tuple[float, float | None]:
        """The loss, and the share of labels that are right."""
        value = self.value(w)
        if self.network.loss == "mse":
            return value, None
        return value, float(np.mean(self._outputs[-1].argmax(axis=1) == self.targets))

    def _move(self, w: np.ndarray) -> None:
        """Make `w` the point whose passes are kept."""
        w = np.asarray(w, self.inputs.dtype)
        if self._w is not None and np.array_equal(w, self._w):
            return
        self._w = w.copy()
        self._gradient = None
        self._outputs = self.network.forward(self._w, self.inputs)
        last = self._outputs[-1]
        if self.network.loss == "mse":
            self._error = last - self.targets
            self._value = float(np.mean(np.square(self._error), dtype=np.float64))
            return
        log_p = log_softmax(last, axis=1)
        self._softmax = np.exp(log_p)
        log_likelihood = log_p[np.arange(self.samples), self.targets]
        self._value = -float(np.mean(log_likelihood, dtype=np.float64))

    def _backward(self) -> None:
        network, outputs = self.network, self._outputs
        layers = network.layers(self._w)
        gradient = np.empty_like(self._w)
        self._slopes = [
            phi.slope(y) for phi, y in zip(network.activations, outputs[1:], strict=True)
        ]
        self._deltas = [np.empty(0)] * len(layers)
        if network.loss == "mse":
            delta = (2 / self._error.size) * self._error * self._slopes[-1]
        else:
            delta = self._softmax.copy()
            delta[np.arange(self.samples), self.targets] -= 1
            delta /= self.samples
        for l in reversed(range(len(layers))):
            self._deltas[l] = delta
            g_weights, g_bias = network.layers(gradient)[l]
            np.matmul(outputs[l].T, delta, out=g_weights)
            np.sum(delta, axis=0, out=g_bias)
            if l > 0:
                delta = delta @ layers[l][0].T
                delta *= self._slopes[l - 1]
        self._gradient = gradient

    def _output_r_delta(self, r_sum: np.ndarray) -> np.ndarray:
        """R{delta_L}, delta_L the derivative of the loss by the last a_L."""
        if self.network.loss == "mse":
            slope = self._slopes[-1]
            r_delta = (2 / self._error.size) * slope * slope * r_sum
            bend = self.network.activations[-1].bend
            if bend is not None:
                r_delta += bend(self._outputs[-1]) * self._deltas[-1] * r_sum
            return r_delta
        p = self._softmax
        r_delta = p * (r_sum - np.sum(p * r_sum, axis=1, keepdims=True))
        r_delta /= self.samples
        return r_delta


def cost_of_products(samples: int = 2000, repeats: int = 5) -> list[dict[str, object]]:
    """Seconds of a gradient and of a product, each from scratch, and of a further product.

    Returns
    -------
    list of dict
        One row for a network and dtype; times are the least of `repeats`.
    """
    networks = (
        Network((784, 500, 10)),
        Network((3072, 128, 10)),
        Network((784, 250, 784), "tanh", "sigmoid", "mse"),
        Network((784, 256, 64, 16, 64, 256, 784), "tanh", "sigmoid", "mse"),
    )
    rng = np.random.default_rng(0)
    rows = []
    for network in networks:
        for dtype in (np.float32, np.float64):
            inputs = rng.random((samples, network.sizes[0])).astype(dtype)
            labels = rng.integers(0, network.sizes[-1], samples)
            loss = Loss(network, inputs, labels if network.loss == "cross_entropy" else inputs)
            points = [network.start(seed, dtype) for seed in range(2)]
            seconds: dict[str, list[float]] = {"gradient": [], "product": [], "further": []}
            for _ in range(repeats):
                for name, call, arguments in (
                    ("gradient", loss.gradient, points[:1]),
                    ("product", loss.product, points[::-1]),
                    ("further", loss.product, points[::-1]),
                ):
                    began = time.perf_counter()
                    call(*arguments)
                    seconds[name].append(time.perf_counter() - began)
            least = {name: min(values) for name, values in seconds.items()}
            rows.append(
                {
                    "network": network.name, "dtype": np.dtype(dtype).name,
                    "gradient": least["gradient"],
                    "product": least["product"] / least["gradient"],
                    "further": least["further"] / least["gradient"],
                }
            )  # fmt: skip
    return rows


if __name__ == "__main__":
    print(f"{'network':<32}{'dtype':<10}{'gradient (s)':>13}{'product / gradient':>20}"
          f"{'next one at the point':>23}")  # fmt: skip
    for row in cost_of_products():
        print(f"{row['network']:<32}{row['dtype']:<10}{row['gradient']:>13.4f}"
              f"{row['product']:>20.2f}{row['further']:>23.2f}")  # fmt: skip
