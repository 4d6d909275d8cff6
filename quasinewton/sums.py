r"""Means over many samples: `minimize_sum`, whose batches grow when their noise hides the decrease.

Every batch is evaluated in a few groups, which costs no more than the whole. The spread of their
gradients says how far the gradient of the batch is from that of all samples; where that is too
far (Byrd, Chin, Nocedal & Wu, Math. Program. 134, 2012; Bollapragada, Byrd & Nocedal, SIAM J.
Optim. 28, 2018), the next batch is larger. A `Solver` makes the steps, and `renew` takes it from
one batch to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Never

import numpy as np
from scipy.optimize import OptimizeResult

from . import saving
from .methods import QUASI_NEWTON, unknown_method
from .objective import as_pair, as_value
from .options import Options, refuse
from .solver import Solver, as_start, checkpoint, open_solver
from .status import Status
from .vectors import clone, dot

__all__ = ["minimize_sum"]

#: Of the inner-product test the bound on the part of the gradient across, in norms of the mean.
_ACROSS = 5.84
#: After so many batches of one size their mean gradient is looked at too, and if it is so much
#: smaller than that of the batch, it takes its place in the test.
_MANY, _SMALLER = 10, 0.38
#: A batch becomes at most so many times as large at once.
_GROWTH = 2.0
#: The mean of the iterates weighs the k-th by about k^20: the last tenth of them has most weight.
_DECAY = 20
_TESTS = ("norm", "inner")
#: Options of `minimize` that a run over batches cannot serve.
_REFUSED = ("noise", "check_curvature", "check_derivatives")
#: Generators of random numbers whose state a checkpoint may hold.
_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
#: What ends a run on a batch too.
_FINAL = (Status.MAXITER, Status.MAXTIME, Status.UNBOUNDED, Status.NONFINITE_START, Status.CALLBACK)

#: What leaves a choice between the last iterate and the mean.
_CHOOSING = (Status.MAXFEV, Status.MAXITER, Status.MAXTIME, Status.CALLBACK)


def minimize_sum(
    fun: Callable[..., Any],
    x0: Any,
    samples: int,
    args: tuple[Any, ...] = (),
    method: str = "trust_hybrid",
    jac: Any = True,
    callback: Callable[[OptimizeResult], Any] | None = None,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    bounds: Any = None,
    batch: int | None = None,
    groups: int = 4,
    steps: int = 3,
    overlap: float = 0.0,
    test: str = "norm",
    theta: float = 0.5,
    maxepochs: float = 100.0,
    full_after: float = math.inf,
    seed: Any = 0,
    **unexpected: Never,
) -> OptimizeResult:
    r"""Minimise the mean of a function over N samples, by batches of them that grow.

    There is no learning rate. On each batch the method makes a few steps; both ends of a step, of
    its pair and of its ratio of actual to predicted reduction are on this batch. To both reductions
    a multiple of the noise that the batch gives to the actual one is added (Sun & Nocedal 2023).
    Once the batch is of all samples, the run goes on as `quasinewton.minimize` does.

    Where it ends before, the last iterate has the noise of the last batches, of which a mean of
    iterates has less. With :math:`x_k` the iterates and :math:`\eta = 20`,

    .. math:: m_k = m_{k-1} + \frac{\eta + 1}{k + \eta} (x_k - m_{k-1})

    weighs the last ones most (polynomial-decay averaging, Shamir & Zhang 2013). Both :math:`m_k`
    and :math:`x_k` are evaluated on a new batch, and the lower one is returned.

    Parameters
    ----------
    fun : callable
        ``fun(x, batch, *args)``, with ``batch`` an int64 array of indices from 0 to N - 1, all
        different: the mean over these samples, and where `jac` is True the pair of it and its
        gradient, shape (n,). A term that all samples share, such as a penalty on x, belongs to
        every mean.
    x0 : array_like, shape (n,), or tensor
        Start. If it is a tensor, the functions get tensors, and return them.
    samples : int
        N.
    args : tuple, default ()
    method : str, default 'trust_hybrid'
        A quasi-Newton method of `quasinewton.minimize`.
    jac : callable, True or None, default True
        ``jac(x, batch, *args)``, the gradient. None, for tensors of PyTorch only: PyTorch
        differentiates `fun`.
    callback : callable, optional
        Called after every iteration with an OptimizeResult: x, fun and jac on the batch, nit,
        epochs and batch, its size. StopIteration ends the run.
    tol, options
        As in `quasinewton.minimize`; `gtol` and what else is about f counts on all samples only.
        Limits of iterations are off by default. ``noise``, ``check_curvature`` and
        ``check_derivatives`` are refused, and `maxfev` is `maxepochs`. A run that goes on by
        ``resume`` is given the same arguments; `batch` and `seed` are those of its start.
    bounds : optional
        As in `quasinewton.minimize`.
    batch : int, optional
        Samples of the first batch; default min(N, max(32, N // 50)).
    groups : int, default 4
        Into how many a batch is divided to see its noise, at the first point; >= 2.
    steps : int, default 3
        Iterations on a batch. Each takes one evaluation of it, and the first point another one.
    overlap : float, default 0
        The share of the groups, 0 <= overlap < 1, that a batch takes over from the one before.
        These are not evaluated anew.
    test : {'norm', 'inner'}, default 'norm'
        When a batch grows: with g the gradient of the batch and V the variance of its error,
        where ``V > theta^2 |g|^2``; or (the augmented inner-product test) where the variance of the
        error along g is larger than that, or across it than ``5.84^2 |g|^2``. Of the latter the
        mean of the last 10 gradients takes the place of g, if it is shorter than ``0.38 |g|``.
    theta : float, default 0.5
        With three steps on a batch, 0.7 and more may never let batches grow: the steps fit one
        batch, and half of the next gradient's square is then noise.
    maxepochs : float, default 100
        The run ends when as many values of terms as in so many sums over all samples have been
        computed, those of the end included.
    full_after : float, default inf
        Epochs after which the batch is of all samples; 0 for a run without batches.
    seed : int or numpy.random.Generator, default 0
        Of the batches. The same seed gives the same run.

    Returns
    -------
    OptimizeResult
        As of `quasinewton.minimize`, with these differences. If ``batch == samples``, `fun`,
        `jac` and `optimality` are those on all samples; `success` needs that. Else they are those
        on one more batch of this size, and `x` is the last iterate or the mean of iterates,
        whichever is lower there. `nfev` and `njev` count samples, and `epochs` is
        ``nfev / samples``. If `maxepochs` ends the run, `status` is `Status.MAXFEV`. `batches` is a
        dict of arrays with a value for each batch: ``size``, ``epochs`` at its end, ``fun`` on it
        at its end, and ``error``, the root of the variance of its gradient over its norm (0 for all
        samples).

    Raises
    ------
    TypeError, ValueError
        If an argument makes no sense, before `fun` is called; or where f or its gradient is not
        finite at the point of the run on another batch.

    Examples
    --------
    >>> import numpy as np
    >>> from quasinewton import minimize_sum
    >>> a = np.random.default_rng(0).normal(size=(1000, 3))
    >>> def loss(x, batch):
    ...     r = a[batch] @ x - 1.0
    ...     return r @ r / len(batch), 2.0 * r @ a[batch] / len(batch)
    >>> result = minimize_sum(loss, np.zeros(3), 1000)
    >>> result.success, bool(result.epochs < 30)
    (True, True)
    """
    refuse("minimize_sum", unexpected)
    start = as_start(x0)
    size = _checked(
        fun, jac, start, samples, method, callback, batch, groups, steps, overlap, test, theta,
        maxepochs, full_after,
    )  # fmt: skip
    given = {"maxiter": math.inf, **Options.named(options, tol)}
    for name in _REFUSED:
        if given.get(name):
            raise ValueError(f"option `{name}` is not for `minimize_sum`")
    if "maxfev" in given:
        raise ValueError("option `maxfev` is not for `minimize_sum`: give `maxepochs`")
    resume = Options.parse(given).resume
    state = None if resume is None else checkpoint.read(resume)
    solver = open_solver(method, start, given, bounds=bounds, state=state)
    run = _Run(_Functions(fun, jac, args, start), solver, samples, np.random.default_rng(seed))
    run.groups, run.steps, run.wanted = groups, steps, size
    run.kept = min(groups - 1, round(overlap * groups))
    run.inner, run.theta = test == "inner", theta
    run.most, run.full_after = maxepochs * samples, full_after * samples
    run.callback = callback
    if state is not None:
        try:
            run.restore(state)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise checkpoint.CheckpointError(f"{resume}: {error}") from error
    return run.go()


def _checked(
    fun: Any, jac: Any, x0: Any, samples: Any, method: Any, callback: Any, batch: Any, groups: Any,
    steps: Any, overlap: Any, test: Any, theta: Any, maxepochs: Any, full_after: Any,
) -> int:  # fmt: skip
    """The size of the first batch, if all arguments make sense."""
    for name, function in (("fun", fun), ("callback", callback)):
        if not callable(function) and (name == "fun" or function is not None):
            raise TypeError(f"`{name}` must be callable, got {type(function).__name__}")
    if not (jac is True or callable(jac) or (jac is None and hasattr(x0, "requires_grad"))):
        raise ValueError(
            f"`jac` must be True or callable, or None for a tensor of PyTorch, got {jac!r}"
        )
    if method not in QUASI_NEWTON:
        raise ValueError(unknown_method(method, QUASI_NEWTON))
    batch = max(32, samples // 50) if batch is None and _is_integer(samples) else batch
    for name, number, least in (
        ("samples", samples, 1), ("batch", batch, 1), ("groups", groups, 2), ("steps", steps, 1),
    ):  # fmt: skip
        if not _is_integer(number):
            raise TypeError(f"`{name}` must be an integer, got {number!r}")
        if number < least:
            raise ValueError(f"`{name}` must be >= {least}, got {number}")
    if test not in _TESTS:
        raise ValueError(f"`test` must be one of {', '.join(map(repr, _TESTS))}, got {test!r}")
    for name, value, fits in (
        ("overlap", overlap, lambda v: 0.0 <= v < 1.0), ("theta", theta, lambda v: v > 0.0),
        ("maxepochs", maxepochs, lambda v: v > 0.0), ("full_after", full_after, lambda v: v >= 0.0),
    ):  # fmt: skip
        if not isinstance(value, int | float) or not fits(value):
            expected = {"overlap": ">= 0 and < 1", "full_after": ">= 0"}.get(name, "> 0")
            raise ValueError(f"`{name}` must be a number {expected}, got {value!r}")
    return min(int(samples), int(batch))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


class _Functions:
    """The mean over some samples and its gradient, and how many of either were computed."""

    def __init__(self, fun: Any, jac: Any, args: tuple[Any, ...], x0: Any) -> None:
        self.nfev = self.njev = 0
        self._fun, self._jac, self._args = fun, jac, args
        if jac is None:
            from .objective.autograd import autograd_pair

            self._fun, self._jac = autograd_pair(fun), True

    def __call__(self, x: Any, batch: np.ndarray) -> tuple[float, Any]:
        self.nfev += len(batch)
        self.njev += len(batch)
        value = self._fun(clone(x), batch, *self._args)
        if self._jac is not True:
            return as_value(value), self._jac(clone(x), batch, *self._args)
        f, g = as_pair(value)
        return as_value(f), g


class _Part:
    """A group of samples, and the mean over it and its gradient where they were computed last."""

    def __init__(self, batch: np.ndarray, f: float, g: Any) -> None:
        self.batch, self.f, self.g = batch, f, g


class _Run:
    """The state of a run over batches.

    Parameters
    ----------
    functions : _Functions
    solver : Solver
    samples : int
    rng : numpy.random.Generator
    """

    groups, steps, kept, inner, theta = 4, 3, 0, False, 0.5
    most = full_after = math.inf
    callback: Callable[[OptimizeResult], Any] | None = None

    def __init__(
        self, functions: _Functions, solver: Solver, samples: int, rng: np.random.Generator
    ) -> None:
        self.functions, self.solver, self.samples, self.rng = functions, solver, samples, rng
        self.status = Status.RUNNING
        self.order = np.empty(0, np.int64)  # of the samples whose turn has not come
        self.parts: list[_Part] = []  # of the batch, at the point of the solver
        self.slopes: list[Any] = []  # their gradients at the first point of the batch
        self.size = 0  # of the batch, 0 between two
        self.wanted = 0  # the size of the next one
        self.error = 0.0  # of the gradient of the batch, as a part of it
        self.end: float = 0  # the iteration after which the batch ends
        self.total: Any = None  # of the gradients of the last batches of one size
        self.summed = 0
        self.mean: Any = None  # of the iterates on batches
        self.averaged = 0  # how many
        self.batches: dict[str, list[float]] = {
            name: [] for name in ("size", "epochs", "fun", "error")
        }

    def go(self) -> OptimizeResult:
        """Run to the end; what `minimize_sum` returns."""
        path = self.solver.options.checkpoint
        if path is None:
            for _ in self._iterate():
                pass
            return self._result()
        with checkpoint.Place(path) as place:
            place.write(self.state())  # tells, before any work, whether that can be done
            schedule = checkpoint.Schedule(self.solver.options)
            for _ in self._iterate():
                if schedule.due(self.solver.nit):
                    place.write(self.state())
            place.write(self.state())
        return self._result()

    def _iterate(self) -> Iterator[None]:
        """Iterations to the end, which `status` tells; `state` may be taken between them."""
        solver = self.solver
        while self.status is Status.RUNNING:
            if not self.size:
                self._begin_batch()
            while solver.running and solver.nit < self.end and not self._spent:
                self._step()
                yield
            everything = self.size == self.samples
            if solver.status in _FINAL or (everything and not solver.running):
                self.status = solver.status
            elif self._spent:
                self.status = Status.MAXFEV
            else:
                self.batches = self._batches()
                # on all samples no batch is evaluated twice at a point
                if self.wanted * (self.steps + 1) >= self.samples * self.steps:
                    self.wanted = self.samples
                self.size = 0

    @property
    def _spent(self) -> bool:
        """Whether the epochs are, but for what `_choose` takes."""
        reserve = 0 if self.mean is None else 2 * self.size
        return self.functions.nfev + reserve >= self.most

    def _batches(self) -> dict[str, list[float]]:
        """What is to be told of the batches, with the one of now."""
        here = {
            "size": self.size, "epochs": self.functions.nfev / self.samples, "fun": self.solver.f,
            "error": self.error,
        }  # fmt: skip
        return {name: [*values, here[name]] for name, values in self.batches.items()}

    def _begin_batch(self) -> None:
        """Draw a batch and let the solver know of it."""
        solver = self.solver
        full = self.functions.nfev >= self.full_after
        self.size = self.samples if full else self.wanted
        everything = self.size == self.samples
        if everything:
            self.mean, self.averaged = None, 0  # there is no noise to average
            divided = [np.arange(self.samples)]
            kept: list[_Part] = []
        else:
            kept = self.parts[-self.kept :] if self.kept and len(self.parts) > 1 else []
            held = np.concatenate([part.batch for part in kept]) if kept else self.order[:0]
            fresh = self._draw(max(self.groups - len(kept), self.size - len(held)), held)
            divided = np.array_split(fresh, self.groups - len(kept))
        x = solver.x
        self.parts = kept + self._evaluate(x, [some for some in divided if len(some)])
        self.slopes = [part.g for part in self.parts]
        f, g = _mean(self.parts)
        if solver.g is None:
            solver.tell(f, g)
        else:
            solver.renew(f, g)
        self.error, self.wanted = (0.0, self.size) if everything else self._size_wanted()
        if solver.status is Status.CONVERGED:
            self.wanted = max(self.wanted, 2 * self.size)
        self.end = math.inf if everything else solver.nit + self.steps

    def _draw(self, count: int, held: np.ndarray) -> np.ndarray:
        """So many samples that are not held, of which each has its turn before any has another."""
        count = min(count, self.samples - len(held))
        fresh = self.order[~np.isin(self.order, held)]
        if len(fresh) < count:
            self.order = self.rng.permutation(self.samples)
            fresh = self.order[~np.isin(self.order, held)]
        fresh = fresh[:count]
        self.order = self.order[~np.isin(self.order, fresh)]
        return fresh

    def _evaluate(self, x: Any, divided: list[np.ndarray]) -> list[_Part]:
        vector = self.solver._vector
        parts = []
        for some in divided:
            f, g = self.functions(x, some)
            parts.append(_Part(some, f, vector("gradient", g)))
        return parts

    def _size_wanted(self) -> tuple[float, int]:
        """The relative error of the gradient, and the size of the next batch."""
        g = _mean(self.parts)[1]
        parts, box = [part.g for part in self.parts], self.solver.box
        if box is not None:  # what bounds hold back decreases nothing
            free = box.free(self.solver.x, g)
            g, *parts = (np.where(free, v, v.dtype.type(0.0)) for v in (g, *parts))
        square = dot(g, g)
        if self.inner:
            square = min(square, self._square_of_many(g, square))
        k = len(self.parts)
        if k < 2 or not square > 0.0:
            return 0.0, 2 * self.size
        # of the mean over the batch, of which each group is a share; and of samples that are finite
        shares = [len(part.batch) / self._held for part in self.parts]
        finite = k / (k - 1.0) * (1.0 - self._held / self.samples)
        rests = [v - g for v in parts]
        along = finite * sum(
            (w * dot(rest, g)) ** 2 for w, rest in zip(shares, rests, strict=True)
        ) / dot(g, g)  # fmt: skip
        whole = finite * sum(w * w * dot(r, r) for w, r in zip(shares, rests, strict=True))
        if self.inner:
            across = max(0.0, whole - along) / _ACROSS**2
            excess = max(along / self.theta**2, across) / square
        else:
            excess = whole / self.theta**2 / square
        size = self.size
        if excess > 1.0:
            size = math.ceil(min(_GROWTH, excess) * size)
        return math.sqrt(whole / square), size

    def _square_of_many(self, g: Any, square: float) -> float:
        """The square of the mean gradient of many batches where that shows g to be noise."""
        if self.total is None or self.size != self.batches["size"][-1]:
            self.total, self.summed = g, 1
            return square
        self.total, self.summed = self.total + g, self.summed + 1
        if self.summed < _MANY:
            return square
        many = dot(self.total, self.total) / self.summed**2
        self.total = None
        return many if many < _SMALLER**2 * square else square

    @property
    def _held(self) -> int:
        return sum(len(part.batch) for part in self.parts)

    def _step(self) -> None:
        """One iteration on the batch as it is."""
        solver, everything = self.solver, self.size == self.samples
        x = solver.ask()
        if everything:
            solver._method.expect_noise(0.0, 0.0)
            parts = self._evaluate(x, [self.parts[0].batch])
        else:
            solver._method.expect_noise(_noise(self.slopes, x - solver.x), 0.0)
            divided = [part.batch for part in self.parts]
            if not self.kept:
                divided = [np.concatenate(divided)]
            parts = self._evaluate(x, divided)
        before = solver.version
        solver.tell(*_mean(parts))
        if solver.version != before and (self.kept or everything):
            self.parts = parts
        if not everything:
            self._average()
        self._report()

    def _average(self) -> None:
        """Include the iterate in the mean."""
        self.averaged += 1
        if self.mean is None:
            self.mean = clone(self.solver.x)
        else:
            share = (_DECAY + 1.0) / (self.averaged + _DECAY)
            self.mean += share * (self.solver.x - self.mean)

    def _report(self) -> None:
        if self.callback is None:
            return
        state = self.solver.intermediate()
        state.epochs, state.batch = self.functions.nfev / self.samples, self.size
        state.nfev, state.njev = self.functions.nfev, self.functions.njev
        try:
            self.callback(state)
        except StopIteration:
            self.solver.stop(Status.CALLBACK)

    def _result(self) -> OptimizeResult:
        solver = self.solver
        solver.stop(self.status)
        result = solver.finish()
        if self.mean is not None and self.status in _CHOOSING:
            self._choose(result)
        result.nfev, result.njev = self.functions.nfev, self.functions.njev
        result.epochs, result.batch = self.functions.nfev / self.samples, self.size
        if self.status is Status.MAXFEV:
            result.message = f"The epochs are spent, {result.epochs:.6g} of them (`maxepochs`)."
        result.batches = {name: np.array(values) for name, values in self._batches().items()}
        return result

    def _choose(self, result: OptimizeResult) -> None:
        """Put the last iterate or the mean into the result, whichever is lower on a new batch."""
        solver, lowest = self.solver, math.inf
        mean = self.mean if solver.box is None else solver.box.project(self.mean)
        batch = self._draw(self.size, self.order[:0])
        for x in (solver.x, mean):
            part = self._evaluate(x, [batch])[0]
            if part.f < lowest and bool(abs(part.g).max() < math.inf):
                result.x, result.fun, result.jac = clone(x), part.f, part.g
                lowest = part.f
        if lowest < math.inf:
            result.optimality = solver._optimality_at(result.x, result.jac)
            if solver.box is not None:
                result.active = solver.box.active(result.x)

    def state(self) -> dict[str, Any]:
        """All that the iterations to come depend on, as a checkpoint holds it."""
        generator = self.rng.bit_generator
        state: dict[str, Any] = {
            "samples": self.samples, "size": self.size, "wanted": self.wanted,
            "error": self.error, "end": self.end, "batches": self.batches, "order": self.order,
            "counts": [self.functions.nfev, self.functions.njev],
            "generator": _plain(generator.state), "summed": self.summed, "total": self.total,
            "mean": self.mean, "averaged": self.averaged,
            "lengths": [len(part.batch) for part in self.parts],
            "values": [part.f for part in self.parts],
        }  # fmt: skip
        if self.parts:
            state["parts"] = np.concatenate([part.batch for part in self.parts])
            state["gradients"] = np.array([part.g for part in self.parts])
            state["slopes"] = np.array(self.slopes)
        return self.solver._state() | {f"sum.{name}": value for name, value in state.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`; ValueError or another where it cannot be one of this run."""
        saved = saving.part(dict(state), "sum.")
        if not saved:
            raise ValueError("this run is none of `minimize_sum`")
        if saved["samples"] != self.samples:
            raise ValueError(f"the run has {saved['samples']} samples, got {self.samples}")
        self.functions.nfev, self.functions.njev = map(int, saved["counts"])
        self.size, self.wanted, self.summed = (
            int(saved[name]) for name in ("size", "wanted", "summed")
        )
        self.error, self.end = float(saved["error"]), float(saved["end"])
        self.batches = {name: list(map(float, saved["batches"][name])) for name in self.batches}
        self.order = self._indices(saved["order"])
        self.rng = _generator(saved["generator"])
        x = self.solver.x0
        if saved["total"] is not None:
            self.total = self.solver._vector("sum of gradients", saved["total"])
        if saved["mean"] is not None:
            self.mean, self.averaged = (
                self.solver._vector("mean of iterates", saved["mean"]), int(saved["averaged"])
            )
        lengths = [int(length) for length in saved["lengths"]]
        if not lengths:
            return
        for name in ("gradients", "slopes"):
            saving.check_shape(name, saved, (len(lengths), *x.shape))
            if saved[name].dtype != x.dtype:
                raise ValueError(f"{name} have dtype {saved[name].dtype}, expected {x.dtype}")
        saving.check_shape("parts", saved, (sum(lengths),))
        batches = np.split(self._indices(saved["parts"]), np.cumsum(lengths)[:-1])
        self.parts = [
            _Part(batch, float(f), g)
            for batch, f, g in zip(batches, saved["values"], saved["gradients"], strict=True)
        ]
        self.slopes = list(saved["slopes"])

    def _indices(self, array: np.ndarray) -> np.ndarray:
        if array.dtype != np.int64 or array.ndim != 1 or np.any(array // self.samples):
            raise ValueError("the samples are numbered wrong")
        return array


def _plain(state: Any) -> Any:
    """The state of a generator of random numbers as JSON holds it."""
    if isinstance(state, Mapping):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _generator(state: Mapping[str, Any]) -> np.random.Generator:
    """The generator whose state it was."""
    name = state["bit_generator"]
    if name not in _GENERATORS:
        raise ValueError(f"the generator of random numbers {name!r} is not known")
    made = getattr(np.random, name)()
    made.state = _like(state, made.state)
    return np.random.Generator(made)


def _like(state: Any, example: Any) -> Any:
    """A state from JSON, with arrays where the example has some."""
    if isinstance(example, Mapping):
        return {name: _like(state[name], value) for name, value in example.items()}
    return np.array(state, example.dtype) if isinstance(example, np.ndarray) else state


def _mean(parts: list[_Part]) -> tuple[float, Any]:
    """The mean over all samples of the parts, and its gradient."""
    if len(parts) == 1:
        return parts[0].f, parts[0].g
    count = sum(len(part.batch) for part in parts)
    f, g = 0.0, parts[0].g * (len(parts[0].batch) / count)
    for part in parts:
        f += part.f * (len(part.batch) / count)
    for part in parts[1:]:
        g = g + part.g * (len(part.batch) / count)
    return f, g


def _noise(gradients: list[Any], step: Any) -> float:
    """Noise of each of the two values of f at the ends of a step, by the gradients of the parts.

    On the batch f changes by another amount than on all samples; that is shared between the two.
    """
    k = len(gradients)
    if k < 2:
        return 0.0
    slopes = [dot(g, step) for g in gradients]
    noise = float(np.std(slopes, ddof=1)) / math.sqrt(2.0 * k)
    return noise if math.isfinite(noise) else 0.0
