"""The methods as optimizers of PyTorch (the extra ``torch``): ``import quasinewton.torch``.

They are used as `torch.optim.LBFGS` is::

    optimizer = quasinewton.torch.ArcHybrid(net.parameters())

    def closure():
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        return loss

    for _ in range(100):
        loss = optimizer.step(closure)

The parameters that train are one vector to the solver, whose n-vectors live where the parameters
do. Parameters in the memory of the host are arrays of NumPy to it, which share that memory, so that
the passes over them run in machine code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .extras import needs
from .objective import precision
from .options import Options
from .records import RING, STATE
from .solver import Solver
from .status import Status

with needs("torch", "torch", "quasinewton.torch"):
    import torch

__all__ = ["ArcHybrid", "ArcLSR1", "TrustCG", "TrustHybrid"]

_Closure = Callable[[], Any]

#: Of the state that `state_dict` gives.
_FORMAT = 1


class _Optimizer(torch.optim.Optimizer):
    """What all methods share: parameters as a vector, closures as evaluations, the state."""

    method: str

    def __init__(
        self, params: Iterable[Any], lr: float, max_iter: int, renew: bool | None,
        process_group: Any, options: Mapping[str, Any],
    ) -> None:  # fmt: skip
        if not isinstance(max_iter, int) or max_iter < 1:
            raise ValueError(f"`max_iter` must be an integer >= 1, got {max_iter!r}")
        _check_renew(renew)
        # A limit of its own would end training at some step; the loop around `step` is one.
        self._options = Options.parse({**options, "maxiter": math.inf})
        self._renew, self._group = renew, process_group
        self._solver: Solver | None = None
        self._on_host: bool | None = None  # whether the vectors of the solver are NumPy's
        self._closure: _Closure | None = None  # of the last step
        self._renewed = False  # whether the last step began by `renew`
        self._stale = False  # whether f and g at x are of a function that is no more
        self._loaded = False  # whether the last step was in another process
        self._marks: list[tuple[int, int]] | None = None  # of the parameters as they were left
        self._leaves: list[Any] = []
        super().__init__(_unique(params), {"lr": lr, "max_iter": max_iter})
        self._leaves = self._trainable()
        if not self._leaves:
            raise ValueError("no parameter has `requires_grad`: there is nothing to train")
        first = self._leaves[0]
        for p in self._leaves:
            if p.dtype not in (torch.float32, torch.float64):
                raise TypeError(f"parameters must be float32 or float64, got {p.dtype}")
            if p.dtype != first.dtype or p.device != first.device:
                raise TypeError(
                    "parameters must have one dtype and one device, got "
                    f"{first.dtype} on {first.device} and {p.dtype} on {p.device}"
                )
            if p.layout != torch.strided:
                raise TypeError(f"parameters must be dense, got one of layout {p.layout}")
        self._sizes = [p.numel() for p in self._leaves]
        if sum(self._sizes) == 0:
            raise ValueError("the parameters have no elements")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; before the first step only.

        Raises
        ------
        ValueError
            After the construction, or for options of a group: all are one vector.
        """
        if self._leaves:
            raise ValueError(
                "parameters cannot be added to a solver of as many variables as there were: make "
                "a new optimizer"
            )
        own = {"weight_decay", *Options.__dataclass_fields__} & set(param_group)
        if own:
            raise ValueError(
                f"options of a parameter group: {', '.join(sorted(own))}; expected none, since "
                "all groups are one vector"
            )
        super().add_param_group(param_group)

    def _trainable(self) -> list[Any]:
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    # ---- the parameters as a vector ----

    def _parts(self, v: Any) -> list[Any]:
        """A vector of the solver in the shapes of the parameters, without a copy."""
        flat = torch.from_numpy(v) if isinstance(v, np.ndarray) else v
        pieces = flat.split(self._sizes)
        return [piece.view(p.shape) for piece, p in zip(pieces, self._leaves, strict=True)]

    def _vector(self, tensors: Iterable[Any]) -> Any:
        """The tensors, one for each parameter or None for zeros, as a vector of the solver."""
        flat = torch.cat(
            [
                torch.zeros_like(p).view(-1) if t is None else t.detach().reshape(-1)
                for t, p in zip(tensors, self._leaves, strict=True)
            ]
        )
        return flat.numpy() if self._on_host else flat

    def _place(self, v: Any) -> None:
        for p, part in zip(self._leaves, self._parts(v), strict=True):
            p.copy_(part)

    def _marks_now(self) -> list[tuple[int, int]]:
        return [(p._version, p.data_ptr()) for p in self._leaves]

    def _take_over(self) -> bool:
        """Go on from the parameters if they were changed from outside; whether they were."""
        assert self._solver is not None
        if self._marks == self._marks_now():
            return False
        x = self._vector(self._leaves)
        same = np.array_equal if self._on_host else torch.equal
        if same(x, self._solver.x):
            return False
        if not math.isfinite(float(abs(x).max())):
            raise ValueError("the parameters are not finite")
        self._solver.x[...] = x
        return True

    # ---- evaluations ----

    def _gradient(self, loss: Any) -> Any:
        """The gradient that the closure has left in the parameters."""
        grads = [p.grad for p in self._leaves]
        for g in grads:
            if g is not None and g.layout != torch.strided:
                raise TypeError(f"gradients must be dense, got one of layout {g.layout}")
        return self._vector(grads)

    def _evaluate(self, closure: _Closure) -> tuple[float, Any]:
        """The loss and the gradient at the parameters; None for that of a loss not finite."""
        with torch.enable_grad():
            loss = closure()
        if not torch.is_tensor(loss):
            if not isinstance(loss, float | int):
                raise TypeError(
                    f"the closure must return the loss, got {type(loss).__name__}"
                    + (": is there a `return` at its end?" if loss is None else "")
                )
        elif loss.numel() != 1 or loss.is_complex():
            raise TypeError(
                f"the loss must be one real number, got {loss.dtype} of shape {tuple(loss.shape)}"
            )
        value = float(loss.detach() if torch.is_tensor(loss) else loss)
        if self._group is not None:
            value = self._mean(torch.tensor(value, dtype=torch.float64)).item()
        self._seen(loss)
        return value, self._gradient(loss) if math.isfinite(value) else None

    def _seen(self, loss: Any) -> None:
        """Tell the solver in which precision losses are given."""
        if self._solver is not None and torch.is_tensor(loss):
            self._solver._precision = max(self._solver._precision, precision(loss))

    def _mean(self, tensor: Any) -> Any:
        """The mean over the processes of the group, on each of them bit for bit the same."""
        import torch.distributed as dist

        sent = tensor.to(self._leaves[0].device)
        dist.all_reduce(sent, group=self._group)
        return sent / dist.get_world_size(self._group)

    def _product(self, direction: Any, closure: _Closure) -> Any:
        raise NotImplementedError

    def _forget_graph(self) -> None:
        """The parameters are about to change."""

    # ---- steps ----

    @torch.no_grad()
    def step(self, closure: _Closure | None = None, renew: bool | None = None) -> Any:  # type: ignore[override]
        """Iterate `max_iter` times; the parameters then hold the last accepted point.

        Parameters
        ----------
        closure : callable
            Clears the gradients, computes the loss, calls its ``backward`` and returns it.
        renew : bool, optional
            That of this step, in the place of the optimizer's.

        Returns
        -------
        loss : tensor
            At the parameters as they are now, without a graph.

        Raises
        ------
        BaseException
            What the closure raises; the parameters then hold the last accepted point too.
        """
        if closure is None:
            raise TypeError("`step` needs a closure that computes the loss again")
        _check_renew(renew)
        if [id(p) for p in self._trainable()] != [id(p) for p in self._leaves]:
            raise ValueError(
                "other parameters have `requires_grad` than when the optimizer was made: make a "
                "new one"
            )
        try:
            value = self._open(closure, self._renew if renew is None else renew)
            if value is None:
                assert self._solver is not None
                self._run(self._solver, closure)
                value = self._solver.f
        finally:
            self._closure, self._loaded = closure, False
            self._settle()
        return torch.tensor(value, dtype=self._leaves[0].dtype, device=self._leaves[0].device)

    def _open(self, closure: _Closure, renew: bool | None) -> float | None:
        """Have f and g at the parameters known; the loss if it is not finite there."""
        if self._solver is None:
            first = self._leaves[0]
            self._on_host = first.device.type == "cpu" if self._on_host is None else self._on_host
            solver = Solver(self._vector(self._leaves), self.method, self._options)
            if solver.status is Status.NONFINITE_START:
                raise ValueError("the parameters are not finite")
            self._marks = self._marks_now()
            f, g = self._evaluate(closure)
            if g is None or not math.isfinite(float(abs(g).max())):
                return f if g is None else math.nan
            self._renewed = False
            self._solver = solver
            solver.tell(f, g)
            return None
        if renew is None:
            # One function for one closure; a run that was saved goes on as it did.
            renew = self._renewed if self._loaded else closure != self._closure
        if self._take_over() or renew or self._stale:
            self._forget_graph()
            self._stale = True
            self._marks = self._marks_now()
            f, g = self._evaluate(closure)
            if g is None or not math.isfinite(float(abs(g).max())):
                return f if g is None else math.nan
            self._solver.renew(f, g)
            self._stale = False
        self._renewed = renew
        return None

    def _run(self, solver: Solver, closure: _Closure) -> None:
        last = solver.nit + self.param_groups[0]["max_iter"]
        while solver.running and solver.nit < last:
            if solver._direction is not None:
                solver.tell_product(self._product(solver.direction, closure))
                continue
            accepted = solver.version
            self._forget_graph()
            self._marks = None  # they are at a trial
            self._place(solver._method.trial)
            f, g = self._evaluate(closure)
            solver.tell(f, g)
            if solver.version != accepted:
                self._marks = self._marks_now()
            else:
                self._forget_graph()
        if solver.running and solver._direction is not None:
            return  # the next step wants the graph
        self._forget_graph()

    def _settle(self) -> None:
        """Have the parameters at the last accepted point."""
        if self._marks is None and self._solver is not None:
            self._place(self._solver.x)
            self._marks = self._marks_now()

    @property
    def solver(self) -> Solver | None:
        """The solver, whose `counts`, `nit`, `status` and `result` tell of the run.

        None before the first step.
        """
        return self._solver

    # ---- the state ----

    def state_dict(self) -> dict[str, Any]:
        """The state as tensors, numbers, strings, lists and dictionaries.

        `torch.load` reads it with ``weights_only=True``. With it and the parameters a run goes
        on bit for bit.
        """
        state: dict[str, Any] = super().state_dict()
        solver = self._solver
        state["solver"] = {
            "format": _FORMAT, "method": self.method, "options": _pack(self._options.state()),
            "on_host": self._on_host, "renewed": self._renewed, "stale": self._stale,
            "state": None if solver is None else _pack(solver._state()),
        }  # fmt: skip
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave, with the options of that run.

        Load the parameters too: where they are not those of the state, the next step goes on
        from them, with the model and the bound on the step of the state.

        Raises
        ------
        ValueError
            For the state of another method or of other parameters.
        """
        saved = state_dict.get("solver")
        if saved is None:
            raise ValueError(f"the state is none of quasinewton.torch.{type(self).__name__}")
        if saved["format"] != _FORMAT:
            raise ValueError(f"the state has format {saved['format']}, expected {_FORMAT}")
        if saved["method"] != self.method:
            raise ValueError(f"the state is of {saved['method']!r}, expected {self.method!r}")
        options = Options.parse(_unpack(saved["options"], None))
        solver = None if saved["state"] is None else self._unpacked(saved, options)
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "solver"})
        self._forget_graph()
        self._solver, self._options, self._closure = solver, options, None
        self._renewed, self._stale = bool(saved["renewed"]), bool(saved["stale"])
        self._loaded = solver is not None
        self._on_host = saved["on_host"]
        self._marks = [] if self._loaded else None  # unknown: the next step compares

    def _unpacked(self, saved: Mapping[str, Any], options: Options) -> Solver:
        first, n = self._leaves[0], sum(self._sizes)
        if saved["on_host"] and first.device.type != "cpu":
            raise ValueError(f"the state is of a run on cpu, the parameters are on {first.device}")
        state = _unpack(saved["state"], first.device)
        x0 = state["x0"]
        dtype = str(x0.dtype).rpartition(".")[2]
        expected = str(first.dtype).rpartition(".")[2]
        if tuple(x0.shape) != (n,) or dtype != expected:
            raise ValueError(
                f"the state is of {x0.shape[0]} parameters in {dtype}, expected {n} in {expected}"
            )
        return Solver._restored(state, options)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take; closures and graphs are left behind."""
        own = {k: v for k, v in vars(self).items() if k not in ("_closure", "_graph")}
        own["_marks"] = None if self._solver is None else []
        return super().__getstate__() | own | {"_closure": None, "_graph": None, "_loaded": True}


def _check_renew(renew: Any) -> None:
    if renew is not None and not isinstance(renew, bool):
        raise TypeError(f"`renew` must be a bool or None, got {renew!r}")


def _unique(params: Iterable[Any]) -> list[Any]:
    """The parameters or groups, each parameter once."""
    if torch.is_tensor(params) or isinstance(params, torch.nn.Module):
        raise TypeError(
            f"`params` must be an iterable of parameters or groups, got {type(params).__name__}"
        )
    seen: set[int] = set()

    def once(found: Any) -> list[Any]:
        found = [found] if torch.is_tensor(found) else list(found)
        fresh = []
        for p in found:
            name, p = p if isinstance(p, tuple) else (None, p)
            if torch.is_tensor(p) and p.is_complex() and p.requires_grad:
                raise TypeError(f"parameters must be real, got {p.dtype}")
            if id(p) not in seen:
                seen.add(id(p))
                fresh.append(p if name is None else (name, p))
        return fresh

    given = list(params)
    if given and isinstance(given[0], dict):
        groups = [{**group, "params": once(group["params"])} for group in given]
        return [group for group in groups if group["params"]]
    return once(given)


_RECORDS = {"state": STATE, "ring": RING}


def _pack(value: Any) -> Any:
    """A state of plain tensors, numbers, strings, lists and dictionaries."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        kind = next(name for name, dtype in _RECORDS.items() if dtype == value.dtype)
        fields = {name: value[name].tolist() for name in value.dtype.names}
        return {"kind": kind, "fields": fields}
    if isinstance(value, np.ndarray):
        return {"kind": "array", "values": torch.from_numpy(value.copy())}
    if torch.is_tensor(value):
        return {"kind": "vectors", "values": value.detach().clone()}
    if isinstance(value, Mapping):
        return {"kind": "mapping", "values": {k: _pack(v) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        return [_pack(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def _unpack(value: Any, device: Any) -> Any:
    """What `_pack` was given."""
    if isinstance(value, list):
        return [_unpack(v, device) for v in value]
    if not isinstance(value, Mapping):
        return value
    kind = value["kind"]
    if kind == "mapping":
        return {k: _unpack(v, device) for k, v in value["values"].items()}
    if kind == "array":
        return value["values"].cpu().numpy().copy()
    if kind == "vectors":
        return value["values"].detach().to(device, copy=True)
    fields, dtype = value["fields"], _RECORDS[kind]
    if set(fields) != set(dtype.names or ()):
        raise ValueError("the state is of another version of quasinewton")
    array = np.zeros(len(next(iter(fields.values()))), dtype)
    for name, column in fields.items():
        array[name] = column
    return array


_PARAMETERS = """
    Parameters
    ----------
    params : iterable of parameters or of groups
        Those with ``requires_grad`` are one vector, and each is taken once; others are left
        alone. All must be float32 or all float64, on one device.
    lr : float, default 1
        Not used; there for schedulers, whose steps do no harm.
    max_iter : int, default 1
        Iterations a call of `step`. One is a trial step, accepted or not, and calls the closure
        once.
    renew : bool, optional
        Whether a step begins by a call of the closure at the parameters as they are, because its
        function is another than in the last step. None: where the closure is another object than
        in the last step. So a closure that is made for each batch costs two calls a step, and
        one for all data, made before the loop, costs one call. Say True if one closure reads
        batches from elsewhere.
    process_group : torch.distributed.ProcessGroup, optional
        The loss is averaged over its processes, as `DistributedDataParallel` averages gradients.
        For example ``torch.distributed.group.WORLD``. Not needed where the closure returns a
        loss that is the same on all.
    memory : int, optional
        Pairs of steps and gradients that are kept: 2 memory vectors as long as the parameters.
        Default: see `quasinewton.options.Options`; for many parameters 20 such vectors.
    gtol : float, default 1e-7
        Converged when no element of the gradient is larger; steps then do nothing, unless they
        `renew`.
    initial_trust_radius, max_trust_radius : float
        Bounds on the length of the first step and of every step. Default: the norm of the
        parameters; none.
    rule_parameters : dict, optional
        See `quasinewton.globalization.RuleParameters`."""

_NOTES = """

    Notes
    -----
    A loss that is not finite, or higher than the model can explain, is a rejected trial: the
    parameters stay where they were, and the next step is shorter. Changes of the parameters
    between steps are noticed if PyTorch counts them, as all but those through ``.data`` are; the
    next step goes on from there. If the loss is not finite at the parameters themselves, a step
    leaves them and returns it. `grad` is that of the last call of the closure, which may be at
    a rejected trial."""


class ArcHybrid(_Optimizer):
    __doc__ = f"""Cubic regularization with a hybrid model of BFGS and SR1 updates.
{_PARAMETERS}
    norm, weight_rule, initial_weight
        See `quasinewton.options.Options`.
{_NOTES}
    """

    method = "arc_hybrid"

    def __init__(
        self, params: Iterable[Any], lr: float = 1.0, *, max_iter: int = 1,
        renew: bool | None = None, process_group: Any = None, memory: int | None = None,
        gtol: float = 1e-7, initial_trust_radius: float | None = None,
        max_trust_radius: float = math.inf, norm: str = "shape", weight_rule: str = "length",
        initial_weight: float | None = None, rule_parameters: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        options = {
            "memory": memory, "gtol": gtol, "initial_trust_radius": initial_trust_radius,
            "max_trust_radius": max_trust_radius, "norm": norm, "weight_rule": weight_rule,
            "initial_weight": initial_weight, "rule_parameters": rule_parameters or {},
        }  # fmt: skip
        super().__init__(params, lr, max_iter, renew, process_group, options)


class ArcLSR1(ArcHybrid):
    __doc__ = f"""Cubic regularization with a limited-memory SR1 model.
{_PARAMETERS}
    norm, weight_rule, initial_weight
        See `quasinewton.options.Options`.
{_NOTES}
    """

    method = "arc_lsr1"


class TrustHybrid(_Optimizer):
    __doc__ = f"""A trust region around a hybrid model: the default method of the library.
{_PARAMETERS}
{_NOTES}
    """

    method = "trust_hybrid"

    def __init__(
        self, params: Iterable[Any], lr: float = 1.0, *, max_iter: int = 1,
        renew: bool | None = None, process_group: Any = None, memory: int | None = None,
        gtol: float = 1e-7, initial_trust_radius: float | None = None,
        max_trust_radius: float = math.inf, rule_parameters: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        options = {
            "memory": memory, "gtol": gtol, "initial_trust_radius": initial_trust_radius,
            "max_trust_radius": max_trust_radius, "rule_parameters": rule_parameters or {},
        }  # fmt: skip
        super().__init__(params, lr, max_iter, renew, process_group, options)


class TrustCG(_Optimizer):
    __doc__ = f"""Newton steps by conjugate gradients, with exact Hessian products.

    The closure must leave the graph of the loss that it returns, from which products are made by
    a second backward pass. Either it does not call ``backward`` at all::

        def closure():
            return criterion(net(inputs), targets)

    or it calls ``loss.backward(retain_graph=True)``, as it must under `DistributedDataParallel`
    or where it changes the gradients itself. The gradient is then the one it leaves in `grad`.
    With a `process_group` products are averaged too, and the gradient if the closure does not
    call ``backward``.
{_PARAMETERS}
    enriched : bool, default True
        Whether there are quasi-Newton steps between Newton steps if they decrease the loss by
        more for each evaluation.
{_NOTES}
    The graph of the last loss is kept between steps if the next one begins by products.
    """

    method = "trust_cg"

    def __init__(
        self, params: Iterable[Any], lr: float = 1.0, *, max_iter: int = 1,
        renew: bool | None = None, process_group: Any = None, memory: int | None = None,
        gtol: float = 1e-7, initial_trust_radius: float | None = None,
        max_trust_radius: float = math.inf, enriched: bool = True,
        rule_parameters: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self._graph: Any = None  # the loss at the parameters, later its gradient
        options = {
            "memory": memory, "gtol": gtol, "initial_trust_radius": initial_trust_radius,
            "max_trust_radius": max_trust_radius, "enriched": enriched,
            "rule_parameters": rule_parameters or {},
        }  # fmt: skip
        super().__init__(params, lr, max_iter, renew, process_group, options)

    def _forget_graph(self) -> None:
        self._graph = None

    def _evaluate(self, closure: _Closure) -> tuple[float, Any]:
        for p in self._leaves:  # tells whether the closure calls `backward`
            p.grad = None
        return super()._evaluate(closure)

    def _gradient(self, loss: Any) -> Any:
        if not torch.is_tensor(loss) or not loss.requires_grad:
            raise TypeError("the closure must return the loss with its graph, got one without")
        self._graph = (loss, None)
        if any(p.grad is not None for p in self._leaves):
            return super()._gradient(loss)
        with torch.enable_grad():
            grads = torch.autograd.grad(
                loss, self._leaves, retain_graph=True, allow_unused=True
            )
        for p, g in zip(self._leaves, grads, strict=True):
            p.grad = g
        g = super()._gradient(loss)
        if self._group is None:
            return g
        mean = self._mean(torch.from_numpy(g) if self._on_host else g)
        return mean.numpy() if self._on_host else mean

    def _product(self, direction: Any, closure: _Closure) -> Any:
        if self._graph is None:  # the last call was elsewhere, or in another process
            assert self._solver is not None
            if self._marks is None:
                self._settle()
            self._evaluate(closure)
        loss, grads = self._graph
        with torch.enable_grad():
            if grads is None:
                try:
                    grads = torch.autograd.grad(
                        loss, self._leaves, create_graph=True, allow_unused=True
                    )
                except RuntimeError as error:
                    if "second time" not in str(error):
                        raise
                    raise RuntimeError(
                        "products of the Hessian need the graph of the loss, which `backward` has "
                        "freed: let the closure not call it, or with retain_graph=True"
                    ) from error
                self._graph = (loss, grads)
            # None where the loss does not depend on a parameter, no graph where it is linear
            parts = self._parts(direction)
            curved = [k for k, g in enumerate(grads) if g is not None and g.requires_grad]
            products: Any = [None] * len(parts)
            if curved:
                products = torch.autograd.grad(
                    [grads[k] for k in curved], self._leaves, [parts[k] for k in curved],
                    retain_graph=True, allow_unused=True,
                )  # fmt: skip
        product = self._vector(products)
        if self._group is None:
            return product
        mean = self._mean(torch.from_numpy(product) if self._on_host else product)
        return mean.numpy() if self._on_host else mean


def __dir__() -> list[str]:
    return list(__all__)
