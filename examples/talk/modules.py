"""The networks as PyTorch modules, trained by optimizers: quasinewton.torch's and torch.optim's.

Only L-BFGS-B is not one: SciPy's gets the parameters as a vector.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import quasinewton.torch as qt

from .minibatch import BATCHED, batches
from .networks import Network
from .training import FIRST_ORDER_BATCH, LBFGSB, OPTIONS

__all__ = ["Convolutional", "Samples", "build", "train_module"]

#: Samples in one pass through the layers. What a layer returns then fits the cache, and large
#: blocks of memory are not asked of the system each time: convolutions take a third of the time.
CHUNK = 1000


@dataclass(frozen=True)
class Convolutional:
    """Layers of 3 x 3 convolutions with stride 2 and ReLU, then a linear layer to 10 classes.

    Attributes
    ----------
    channels : tuple of int
        Of every convolution.
    side, colours : int
        Of the square images, whose rows have the colours of a pixel side by side.
    """

    channels: tuple[int, ...] = (8, 16)
    side: int = 32
    colours: int = 3
    loss: str = "cross_entropy"

    @property
    def name(self) -> str:
        return "conv-" + "-".join(map(str, self.channels))


def build(network: Network | Convolutional, seed: int) -> nn.Module:
    """The module with its start: that of NumPy's `Network.start`, or Glorot's for convolutions."""
    if isinstance(network, Convolutional):
        layers: list[nn.Module] = []
        side, before = network.side, network.colours
        for channels in network.channels:
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.ReLU()]
            side, before = (side + 1) // 2, channels
        module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * side * side, 10))
        generator = torch.Generator().manual_seed(seed)
        for p in module.parameters():
            if p.ndim > 1:
                nn.init.xavier_uniform_(p, generator=generator)
            else:
                nn.init.zeros_(p)
        return module
    activations = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
    module = nn.Sequential()
    start = network.layers(network.start(seed, np.float32))
    for (weights, bias), name in zip(start, network.names, strict=True):
        layer = nn.Linear(*weights.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weights.T))
            layer.bias.copy_(torch.from_numpy(bias))
        module.extend([layer, activations[name]()])
    return module


class Samples:
    """The mean loss of a module over samples.

    Parameters
    ----------
    module : Module
    network : Network or Convolutional
    x : array, shape (samples, pixels)
    targets : array
        Labels, or `x` itself for autoencoders.
    """

    def __init__(
        self, module: nn.Module, network: Network | Convolutional, x: np.ndarray,
        targets: np.ndarray,
    ) -> None:  # fmt: skip
        self.module = module
        self.inputs = torch.from_numpy(x)
        if isinstance(network, Convolutional):
            shape = (len(x), network.side, network.side, network.colours)
            self.inputs = self.inputs.view(shape).permute(0, 3, 1, 2).contiguous()
        self.targets = self.inputs if targets is x else torch.from_numpy(targets)
        self.criterion = F.cross_entropy if network.loss == "cross_entropy" else F.mse_loss

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: Any) -> Samples:
        """Some of the samples."""
        part = object.__new__(Samples)
        part.module, part.criterion = self.module, self.criterion
        chosen = torch.from_numpy(chosen)
        part.inputs = self.inputs[chosen]
        part.targets = part.inputs if self.targets is self.inputs else self.targets[chosen]
        return part

    def graph(self) -> torch.Tensor:
        """The loss with its graph."""
        return sum(loss for loss, _ in self._parts())

    def backward(self) -> torch.Tensor:
        """The loss without a graph, and its gradient in the parameters."""
        self.module.zero_grad()
        total = 0.0
        for loss, _ in self._parts():
            loss.backward()
            total += loss.item()
        return torch.tensor(total)

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float | None]:
        """The loss, and the share of labels that are right."""
        total, right = 0.0, 0
        labels = iter(self.targets.split(CHUNK))
        for loss, outputs in self._parts():
            total += loss.item()
            if self.criterion is F.cross_entropy:
                right += int((outputs.argmax(1) == next(labels)).sum())
        return total, right / len(self) if self.criterion is F.cross_entropy else None

    def _parts(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every chunk's part of the loss, and its outputs."""
        for inputs, targets in zip(
            self.inputs.split(CHUNK), self.targets.split(CHUNK), strict=True
        ):
            outputs = self.module(inputs)
            yield self.criterion(outputs, targets) * (len(inputs) / len(self)), outputs


def train_module(run, recorder, module: nn.Module, samples: Samples) -> None:
    """Train until the recorder ends it by an exception, or the optimizer does no more."""
    if run.method == "L-BFGS-B":
        _scipy(recorder, module, samples)
        return
    optimizer, whole, batch, overlap = _optimizer(run, recorder, module)

    def closure_of(part: Samples) -> Callable[[], torch.Tensor]:
        loss = part.graph if isinstance(optimizer, qt.TrustCG) else part.backward
        return recorder.counted(loss, len(part) / len(samples))

    if whole:
        closure = closure_of(samples)
        if isinstance(optimizer, torch.optim.LBFGS):
            closure = _Remembered(closure, list(module.parameters()))
        while True:
            spent = recorder.epochs
            loss = optimizer.step(closure)
            if isinstance(closure, _Remembered):
                loss = closure()  # LBFGS returns that where the step began
            recorder.step(train=float(loss))
            if recorder.epochs == spent:
                return
    rng = np.random.default_rng(run.seed)
    for chosen in batches(len(samples), batch, overlap, rng):
        optimizer.step(closure_of(samples[chosen]))
        recorder.step()


def _optimizer(run, recorder, module: nn.Module) -> tuple[Any, bool, int, float]:
    """The optimizer; whether it takes all samples at once, else the batch and its overlap."""
    parameters = list(module.parameters())
    if run.rate is not None:
        options: dict[str, Any] = {
            "SGD": {"momentum": 0.9}, "RMSProp": {"alpha": 0.9}, "Adam": {},
        }[run.method]  # fmt: skip
        first_order = getattr(torch.optim, run.method.replace("RMSProp", "RMSprop"))
        return first_order(parameters, lr=run.rate, **options), False, FIRST_ORDER_BATCH, 0.0
    if run.method == "torch LBFGS":
        lbfgs = torch.optim.LBFGS(
            parameters, max_iter=1, max_eval=10**9, tolerance_grad=0.0, tolerance_change=0.0,
            history_size=10, line_search_fn="strong_wolfe",
        )  # fmt: skip
        return lbfgs, True, 0, 0.0

    class TimedCG(qt.TrustCG):
        """Products do not call the closure, so they are counted here."""

        def _product(self, direction, closure):
            share = getattr(closure, "share", 1.0)
            product = recorder.counted(super()._product, share)
            return product(direction, closure)

    classes = {
        "trust_cg": TimedCG, "arc_lsr1": qt.ArcLSR1, "arc_hybrid": qt.ArcHybrid,
        "trust_hybrid": qt.TrustHybrid,
    }  # fmt: skip
    if run.method in BATCHED:
        how = BATCHED[run.method]
        optimizer = classes[how["method"]](
            parameters, max_iter=how["inner"], gtol=0.0, **how["options"]
        )
        return optimizer, False, how["batch"], how["overlap"]
    optimizer = classes[run.method.split()[0]](
        parameters, gtol=0.0, **OPTIONS.get(run.method, {})
    )
    return optimizer, True, 0, 0.0


class _Remembered:
    """A closure that is not evaluated again where it was a moment ago.

    Each step of torch.optim.LBFGS begins by a call where the line search of the last one has
    ended. In a step of many iterations it would not, but between them nothing can be recorded.
    """

    def __init__(
        self, closure: Callable[[], torch.Tensor], parameters: list[nn.Parameter]
    ) -> None:
        self.closure, self.parameters = closure, parameters
        # a line search of LBFGS has at most 25 calls
        self._known: deque[tuple[torch.Tensor, ...]] = deque(maxlen=30)

    def __call__(self) -> torch.Tensor:
        x = parameters_to_vector(self.parameters).detach()
        for point, loss, *gradient in self._known:
            if torch.equal(point, x):
                for p, g in zip(self.parameters, gradient, strict=True):
                    p.grad = g.clone()
                return loss
        loss = self.closure()
        self._known.append((x, loss, *(p.grad.clone() for p in self.parameters)))
        return loss


def _scipy(recorder, module: nn.Module, samples: Samples) -> None:
    """SciPy's L-BFGS-B, which works in float64 itself."""
    import scipy.optimize

    parameters = list(module.parameters())
    closure = recorder.counted(samples.backward, 1.0)

    def place(x: np.ndarray) -> None:
        vector_to_parameters(torch.from_numpy(x.astype(np.float32)), parameters)

    def fun(x: np.ndarray) -> tuple[float, np.ndarray]:
        place(x)
        loss = float(closure())
        gradient = parameters_to_vector([p.grad for p in parameters])
        return loss, gradient.double().numpy()

    def after(intermediate_result) -> None:
        place(intermediate_result.x)
        recorder.step(train=intermediate_result.fun)

    x = parameters_to_vector(parameters).detach().double().numpy()
    scipy.optimize.minimize(
        fun, x, jac=True, method="L-BFGS-B", callback=after,
        options=LBFGSB,
    )  # fmt: skip
