"""The one loop: a solver that is asked for points and told what was found there."""

from __future__ import annotations

import copy
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Never

import numpy as np
from scipy.optimize import OptimizeResult, OptimizeWarning

from ..box import Box, violations
from ..constraints import Constraints
from ..display.table import ProgressTable
from ..globalization import RuleParameters
from ..kernels import EPS, plain
from ..methods import (
    COMPILING,
    CONSTRAINED,
    METHODS,
    QUASI_NEWTON,
    build,
    default_method,
    is_ready,
    restore,
    unknown_method,
)
from ..objective import Counts, NoisySteps, Objective, OutOfBudget, as_value, as_vector, precision
from ..options import Options, refuse, users_level
from ..saving import check_shape, fill, part
from ..status import MESSAGES, Status
from ..vectors import clone, is_tensor, largest_number, max_abs, norm2, zeros
from . import checkpoint
from .advice import Rejections
from .critical import CriticalExamination, Glance
from .curvature import Curvature, Examination, ModelCurvature
from .noise import NoiseEstimate
from .stopping import Limits, start, stop

if TYPE_CHECKING:
    from .compiled import Evaluation

__all__ = ["Solver", "StopIterationRaised", "as_start", "open_solver"]

_start_limits, _stop = plain(start), plain(stop)
_RUNNING = int(Status.RUNNING)


class Solver:
    """A run of a method that asks for points, and is told f and the gradient there.

    Call `ask` for a point and `tell` what was found there, while `running`; `result` is the best
    point so far at any time. `run` does this with functions. A method that uses products of the
    Hessian (`trust_cg`) asks for them by `direction`.

    Parameters
    ----------
    x0 : array_like, shape (n,), or tensor
        First point. float32 stays float32; any other real dtype becomes float64. A tensor must
        be float32 or float64; the run then works on tensors of the same device.
    method : str, optional
        A method of `quasinewton.minimize`; default that which it takes without products.
    options : Options or mapping, optional
        See `quasinewton.options.Options`.
    bounds : scipy.optimize.Bounds or sequence of n pairs, optional
        As in `quasinewton.minimize`; not for tensors. What `ask` gives is within them.
    constraints : scipy.optimize.Bounds, or as in `quasinewton.minimize`
        `Bounds` stand for the sides of values that `tell` will be given. Only for a method that
        takes constraints, which is the default then. Not for tensors.

    Attributes
    ----------
    box : Box or None
        The bounds, `lower` and `upper`, in the dtype of x0; None where nothing is bounded.
    status : Status
        `Status.RUNNING` until the run has ended.
    nit : int
        Trial steps judged so far.
    counts : Counts
        Evaluations so far: what was told, or what `run` called.

    Examples
    --------
    >>> import numpy as np
    >>> from quasinewton import Solver
    >>> solver = Solver([3.0, -1.0], method="arc_lsr1")
    >>> while solver.running:
    ...     x = solver.ask()
    ...     solver.tell(float(x @ x), 2 * x)
    >>> solver.result().success
    True
    """

    def __init__(
        self,
        x0: Any,
        method: str | None = None,
        options: Options | Mapping[str, Any] | None = None,
        bounds: Any = None,
        constraints: Any = None,
        **unexpected: Never,
    ) -> None:
        refuse("Solver", unexpected)
        if method is not None and method not in METHODS and method not in CONSTRAINED:
            raise ValueError(unknown_method(method, (*METHODS, *CONSTRAINED)))
        self.options = options if isinstance(options, Options) else Options.parse(options)
        self.x0 = as_start(x0)
        self.box: Box | None = None
        if not is_tensor(self.x0):
            self.box = Box.parse(bounds, self.x0.shape[0], self.x0.dtype)
        elif bounds is not None:
            raise TypeError("`bounds` are not for runs on tensors, expected `x0` as an array")
        self.constraints = Constraints.parse(constraints, self.x0.shape[0], self.box)
        if method is None:
            method = default_method(self.x0.shape[0], self.constraints is not None)
        self.method = method
        if method in CONSTRAINED:
            _check_constrained(self.options, self.x0)
            if self.constraints is None:
                self.constraints = Constraints([], box=self.box)
                self.constraints.settle([])
            if CONSTRAINED[method].second:
                self.constraints.check_second()
        elif self.constraints is not None:
            raise ValueError(
                f"`method` {method!r} takes no `constraints`; {', '.join(CONSTRAINED)} do"
            )
        RuleParameters(**self.options.rule_parameters)  # a wrong name is an error before any work
        if is_tensor(self.x0):
            _check_tensor_options(self.options)
        if self.box is not None:
            self.x0 = self.box.start(self.x0)
        if self.constraints is not None:
            self.constraints.check_start(self.x0)
        if self.options.model is not None:
            _check_model(self.options.model, method, self.x0)
        if self.options.history == "spectrum" and method not in QUASI_NEWTON:
            raise ValueError(
                f"option `history` = 'spectrum' is for quasi-Newton methods, not for {method}"
            )
        self.n = self.x0.shape[0]
        self.counts = Counts()
        self.status = Status.RUNNING if _is_finite(self.x0) else Status.NONFINITE_START
        self.nit = 0
        self._method: Any = None
        self._c: Any = np.zeros(0)  # of the constraints, as told last
        self._jacobian: Any = None
        self._examination: Examination | None = None
        self._curvature: Curvature | None = None  # of `x`, where that has been examined
        self._looked = False  # whether a `Glance` was at `x`
        self._estimate: NoiseEstimate | None = None
        if self.options.noise == "estimate":
            self._estimate = NoiseEstimate(self.x0, self.box)
        self._steps: NoisySteps | None = None  # of the differences of `run`
        self._accepted = 0
        self._rejections = Rejections()
        self._differences = False  # whether `run` makes the gradient of them
        self._f0 = math.nan
        self._g0: np.ndarray | None = None
        self._started_at = time.perf_counter()
        largest = largest_number(self.x0)
        self._limits = Limits.of(self.options, self.n, largest)
        self._eps = float(np.finfo(np.float32 if largest < 1e39 else np.float64).eps)
        self._optimality0 = math.nan
        self._table = ProgressTable(self.options)
        #: Told before a wait for the compiler; nobody is, and nothing looked up, in a quiet run.
        self.announce: Callable[[str], None] | None = (
            self._table.announce if self._table.level >= 1 else None
        )
        self._announced = False
        self._history: dict[str, list[Any]] | None = None
        if self.options.history:
            names = HISTORY + (SPECTRUM if self.options.history == "spectrum" else ())
            names += VIOLATION if self.constraints is not None else ()
            self._history = {name: [] for name in names}
        self._allvecs = [clone(self.x0)] if self.options.return_all else None
        self._recorded = self._history is not None or self._allvecs is not None
        self._timed = self.options.maxtime < math.inf
        self._precision = EPS  # of the values of f, the worst seen
        self._expected = EPS  # what the method takes it to be

    def __repr__(self) -> str:
        """What it is and how far: no vectors, which may be long."""
        text = f"<Solver {self.method}, n = {self.n}, {self.status.name}, iteration {self.nit}"
        if self.g is not None:
            text += f", f = {self.f:.6g}, max|g| = {self._optimality_at(self.x, self.g):.2g}"
        return f"{text}>"

    def _optimality_at(self, x: Any, g: Any) -> float:
        """What the test of convergence is on: max|g_i|, in a box that of the projected gradient."""
        if self.constraints is not None:
            here = self._method is not None and x is self._method.x
            return float(self._method.optimality) if here else math.nan
        return float(abs(g).max()) if self.box is None else self.box.optimality(x, g)

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        return self.status is Status.RUNNING

    @property
    def version(self) -> int:
        """Number of accepted steps: changes whenever `x` does."""
        return self._accepted

    def intermediate(self) -> OptimizeResult:
        """What a callback gets: x and jac (copies), fun, optimality, nit, the counts and status.

        `budget` is the share, from 0 to 1, that is used of `maxiter`, `maxfev` or `maxtime`,
        whichever share is the largest.
        """
        assert self.g is not None
        state = OptimizeResult(
            x=clone(self.x),
            fun=self.f,
            jac=clone(self.g),
            nit=self.nit,
            nfev=self.counts.nfev,
            njev=self.counts.njev,
            nhev=self.counts.nhev,
            optimality=self._optimality_at(self.x, self.g),
            status=self.status,
            budget=self._budget(),
        )
        if self.constraints is not None:
            state.constr_violation = self._method.violation
        return state

    def _budget(self) -> float:
        seconds = time.perf_counter() - self._started_at
        shares = [
            used / limit
            for used, limit in (
                (self.nit, self._limits.maxiter),
                (self.counts.nfev, self.options.maxfev or math.inf),
                (seconds, self.options.maxtime),
            )
            if limit > 0
        ]
        return min(1.0, float(max(shares, default=1.0)))

    @property
    def direction(self) -> Any:
        """A vector if the solver waits for its product by the Hessian at `x`, else None.

        If it is a vector (a copy), call `tell_product`; if it is None, call `ask` and `tell`.
        """
        direction = self._direction
        return None if direction is None else clone(direction)

    @property
    def _direction(self) -> Any:
        if self._examination is not None:
            return self._examination.direction
        return None if self._method is None else self._method.direction

    @property
    def x(self) -> Any:
        """The current point (not a copy)."""
        return self.x0 if self._method is None else self._method.x

    @property
    def f(self) -> float:
        """The objective at `x`."""
        return self._f0 if self._method is None else self._method.f

    @property
    def g(self) -> Any:
        """The gradient at `x` (not a copy)."""
        return self._g0 if self._method is None else self._method.g

    @property
    def multipliers(self) -> np.ndarray:
        """Those of the constraints in the Lagrangian whose products are wanted, shape (p,)."""
        if self._method is None or self.constraints is None:
            return np.zeros(0 if self.constraints is None else len(self.constraints))
        if isinstance(self._examination, CriticalExamination):
            return self._examination.multipliers
        multipliers: np.ndarray = self._method.v.copy()
        return multipliers

    @property
    def _estimating(self) -> NoiseEstimate | None:
        """What asks for points before the run starts."""
        estimate = self._estimate
        return None if estimate is None or estimate.finished else estimate

    @property
    def noise(self) -> tuple[float, float]:
        """The noise in f and in the gradient, as it was given or has been estimated."""
        if self._estimate is not None:
            return self._estimate.f_noise, self._estimate.g_noise
        return self.options.f_noise, self.options.g_noise

    def ask(self) -> Any:
        """The point to evaluate next; a copy that the caller may keep or change."""
        if self._estimating is not None:
            return self._estimating.trial
        if self._method is None:
            return clone(self.x0)
        if self._examination is not None:
            return self._examination.trial
        return clone(self._method.trial)

    def tell(
        self,
        f: float,
        g: np.ndarray | Callable[[], np.ndarray] | None,
        c: Any = None,
        jacobian: Any = None,
    ) -> None:
        """Take the objective and the gradient at the point of `ask`.

        Parameters
        ----------
        f : float
            NaN and infinity are allowed: the trial is rejected.
        g : array, shape (n,), or callable
            The gradient; a callable is called only if the gradient is needed.
        c, jacobian : array, shape (p,), and array, shape (p, n), or callable
            In a run with constraints their values and their Jacobian, like `g`.

        Raises
        ------
        ValueError
            After the end of the run, or while a product is wanted.
        TypeError, ValueError
            For values of another kind or shape.

        Whatever is raised, by a callable too, the solver is as it was before.
        """
        self._check_running("tell")
        if self._direction is not None:
            raise ValueError("`tell` where a product is wanted: `tell_product` takes that")
        noise, f = precision(f), as_value(f)
        counted = g is not None and not callable(g)
        if self.constraints is None and (c is not None or jacobian is not None):
            raise TypeError("`tell` got constraints, of which the solver was not told")
        self._see(c)
        g = self._gradient(f, g)
        self._see_jacobian(g, jacobian)
        self._precision = max(self._precision, noise)
        self.counts.nfev += 1
        self.counts.njev += counted or g is not None
        self._take(f, g)

    def _check_running(self, name: str) -> None:
        if not self.running:
            raise ValueError(f"`{name}` after the end of the run ({self.status.name})")

    def _gradient(self, f: float, g: Any, offered: bool = False) -> Any:
        """The gradient at the point of `ask` as the methods take it; None if it is not wanted.

        Changes nothing. `offered`: g came with f, and is looked at only if f is finite.
        """
        if g is None or (offered and not math.isfinite(f)):
            return None
        if callable(g):
            if not self._wants_gradient(f):
                return None
            g = g()
        return self._vector("gradient", g)

    def _wants_gradient(self, f: float) -> bool:
        if self._estimating is not None:
            return not self._differences
        if self._method is None:
            return math.isfinite(f)
        if self._examination is not None:
            wanted = self._examination.wants_gradient and math.isfinite(f)
            return wanted or self._is_lower(f)
        return bool(self._method.needs_gradient(f))

    def _see(self, c: Any) -> None:
        """Take the values of the constraints at the point of `ask`."""
        if self.constraints is not None:
            self._c, self._jacobian = self.constraints.check_told(c), None
            if self._method is not None:
                self._method.see(self._c, None)

    def _see_jacobian(self, g: Any, jacobian: Any) -> None:
        """And their Jacobian, where the gradient is wanted."""
        if self.constraints is not None and g is not None:
            jacobian = jacobian() if callable(jacobian) else jacobian
            self._jacobian = self.constraints.check_jacobian(jacobian, self.n)
            if self._method is not None:
                self._method.see(self._c, self._jacobian)

    def _evaluated(
        self, f: float, g: Any, offered: bool, c: Any = None, jacobian: Any = None
    ) -> None:
        """`tell` of `run`, which counts by itself and loses no value if the gradient fails."""
        try:
            self._see(c)
            g = self._gradient(f, g, offered)
            if offered and self.constraints is not None and not self._wants_gradient(f):
                g = None
            self._see_jacobian(g, jacobian)
        except BaseException:
            self._keep(f)
            raise
        self._take(f, g, offered)

    def _keep(self, f: float) -> None:
        """Remember the point of `ask` if it is the lowest; its gradient is not known."""
        if self._estimating is not None:
            return
        if self._method is None:
            self._f0 = f
        elif self._examination is not None:
            self._method.keep(self._examination.trial, f)
        else:
            self._method.keep(self._method.trial, f)

    def _take(self, f: float, g: Any, offered: bool = False) -> None:
        """Move on, by what `_gradient` has made of the gradient."""
        method = self._method
        if self._estimating is not None:
            if np.array_equal(self._estimating.trial, self.x0):
                self._f0 = f
            self._estimating.receive(f, g)
            self._spent()
            return
        if method is not None and self._precision > self._expected:
            self._expected = self._precision
            method.expect(self._precision)
        if method is None:
            self._start(f, g)
            return
        self._tell_noise()
        if self._examination is not None:
            self._take_probe(self._examination, f, g)
            return
        self._looked = False
        step, weight, before = method.step_norm, method.weight, method.f
        feasible = self.constraints is not None and method.violation <= self.options.constr_tol
        self._announce_compiling()
        self._jacobian = None
        method.receive(f, g, offered)
        self.nit += 1
        if method.accepted:
            self._accepted += 1
            self._rejections.in_a_row = 0
        elif not self.constraints:
            self._rejections.note(
                step, before, f, norm2(self._slopes()), norm2(method.x), self._eps
            )
        if self._recorded:
            self._note(step, weight)
        f_now, optimality = method.f, method.optimality
        if self.constraints is not None:
            f_now, optimality = self._if_feasible()
            before = before if feasible else math.inf
            f = f if self._violation(self._c) <= self.options.constr_tol else math.nan
        status = _stop(
            self._limits, method.x, f_now, f, before, step, optimality, method.accepted, self.nit,
            self.counts.nfev,
        )  # fmt: skip
        if status != _RUNNING or self._timed or not self._has_trial():
            self._settle(status)
        if self._table.verbose:
            self._table.row(self, step, method.rho, weight)

    @np.errstate(invalid="ignore")
    def _violation(self, c: np.ndarray) -> float:
        assert self.constraints is not None
        return float(violations(self.constraints.sides, c).max(initial=0.0))

    def _if_feasible(self) -> tuple[float, float]:
        """f and what the test of convergence is on, or infinities where `x` is not feasible."""
        method = self._method
        if not method.violation <= self.options.constr_tol:
            falls = method.f < -ABYSS * max(1.0, abs(self._f0))
            if falls and method.violation <= ABOUT_MET * abs(method.f):
                return -math.inf, math.inf
            return math.inf, math.inf
        return method.f, method.scaled_optimality(self._gradient_scale())

    def _gradient_scale(self) -> float:
        """What gradients and multipliers are divided by in the test of convergence."""
        return max(1.0, float(abs(self._method.g).max()) / LARGE_GRADIENT)

    def _slopes(self) -> Any:
        """The elements of the gradient along which a step may lead."""
        x, g = self._method.x, self._method.g
        return g if self.box is None else np.where(self.box.free(x, g), g, g.dtype.type(0.0))

    def _iterate_compiled(self, evaluation: Evaluation, most: int) -> None:
        """At most `most` iterations in machine code; one where each is recorded, timed or saved."""
        if (
            self._recorded or self._table.verbose or self._timed
            or self.options.checkpoint is not None
        ):  # fmt: skip
            most = 1
        from .compiled import iterate

        method, counts = self._method, self.counts
        step, weight = method.step_norm, method.weight
        record = method.state[0]
        record.nfev, record.njev, record.nit = counts.nfev, counts.njev, self.nit
        limits = self._limits.record(evaluation.joint, most)
        try:
            status = iterate(method, evaluation, limits)
        except BaseException:
            self._keep(float(limits["value"][0]))
            raise
        finally:  # the objective may raise
            counts.nfev, counts.njev, self.nit = map(int, (record.nfev, record.njev, record.nit))
            method.read()
        if most == 1:
            self._accepted += method.accepted
            self._note(step, weight)
        self._settle(status)
        if self._table.verbose:
            self._table.row(self, step, method.rho, weight)

    def tell_product(self, hd: np.ndarray) -> None:
        """Take the product of the Hessian at `x` with `direction`.

        With constraints it is the Hessian of the Lagrangian ``f + v.c``, v being `multipliers`.

        Raises
        ------
        ValueError
            If the run has ended, or if no product was asked for.
        TypeError, ValueError
            For values of another kind or shape. Whatever is raised, the solver is as it was.
        """
        self._check_running("tell_product")
        if self._direction is None:
            raise ValueError("`tell_product` where no product was asked for")
        hd = self._vector("Hessian product", hd)
        self.counts.nhev += 1
        self._take_product(hd)

    def _take_product(self, hd: Any) -> None:
        if self._examination is not None:
            self._examination.receive_product(hd)
            self._conclude()
            return
        self._method.receive_product(hd)
        self._check_product()

    def _check_product(self) -> None:
        """What follows a product."""
        if self.constraints is not None and self._direction is None:
            self._check_limits(self._method.f)  # with other multipliers x may be a solution
        elif not self._spent():
            self._check_trial()

    def renew(self, f: float, g: np.ndarray) -> None:
        """Go on from `x` with another objective, such as the next batch of a sum of many terms.

        The model of the Hessian, the cubic weight and the bound on the step are kept. A run that
        had ended goes on.

        Parameters
        ----------
        f : float
        g : array, shape (n,)
            The new objective and its gradient at `x`, finite.

        Raises
        ------
        ValueError
            If nothing was told yet, or a value is not finite.
        """
        if self._method is None:
            raise ValueError("`renew` needs a solver that was told f and g at x0")
        f, g = as_value(f), self._vector("gradient", g)
        if not (math.isfinite(f) and _is_finite(g)):
            raise ValueError(f"f and g must be finite, got f = {f!r}")
        self.counts.nfev += 1
        self.counts.njev += 1
        self._method.renew(f, g)
        self._examination = self._curvature = None  # of the old objective
        self._looked = False
        self.status = Status.RUNNING
        self._check_limits(f)

    def stop(self, status: Status) -> None:
        """End the run, with this status in its result."""
        self.status = status

    def run(
        self,
        fun: Callable[..., Any],
        jac: Any = None,
        hess: Any = None,
        hessp: Callable[..., Any] | None = None,
        args: tuple[Any, ...] = (),
        every: int = 1,
        constraints: Any = None,
    ) -> Iterator[Solver]:
        """Ask and tell with functions until the run ends; an iterator over the iterations.

        Parameters
        ----------
        fun, jac, hess, hessp, args
            As in `quasinewton.minimize`.
        every : int, default 1
            Number of iterations between two yields, if they run in machine code. If they are
            slow, it yields sooner, because Ctrl-C has no effect before.
        constraints
            As in `quasinewton.minimize`, if the solver does not have them with their functions.

        Yields
        ------
        Solver
            This one, after every iteration, with its current `x`, `f`, `g` and `nit`. If you
            leave the loop, the solver can be saved, or run on later.

        Examples
        --------
        >>> from scipy.optimize import rosen, rosen_der
        >>> from quasinewton import Solver
        >>> solver = Solver([-1.2, 1.0])
        >>> for state in solver.run(rosen, rosen_der):
        ...     if state.f < 0.1:
        ...         break
        >>> solver.running
        True
        """
        evaluation = None
        self._take_functions(constraints)
        if self.method in QUASI_NEWTON and not args:
            from .compiled import Evaluation

            evaluation = Evaluation.of(fun, jac, self.x0.dtype, self.announce)
            if evaluation is not None and evaluation.joint:
                fun = evaluation
        objective = Objective(
            fun, self.x0, args, jac, hess, hessp, self.options.finite_diff_rel_step,
            self.options.eps, self.counts, self._spent, self.box,
            1 if evaluation is not None else self.options.workers,
        )  # fmt: skip
        self._differences = objective.differences
        uses_second = CONSTRAINED.get(self.method) and CONSTRAINED[self.method].second
        if self.constraints is not None and not (uses_second or self.options.check_curvature):
            unused = [name for name, v in (("hess", hess), ("hessp", hessp)) if v is not None]
            unused += [f"{c.name}.hess" for c in self.constraints.parts or () if callable(c.hess)]
            if unused:  # SciPy's methods too warn then
                warnings.warn(
                    f"method {self.method} does not use `{unused[0]}`; sqp_newton does",
                    OptimizeWarning, stacklevel=users_level(),
                )  # fmt: skip
        steps = self._iterate(objective, evaluation, every)
        if self.options.workers != 1:
            steps = _closing(objective, steps)
        path = self.options.checkpoint
        return steps if path is None else self._saved_between(steps, path)

    def _take_functions(self, constraints: Any) -> None:
        """The functions of the constraints, which a solver that was loaded does not have."""
        known = self.constraints
        given = Constraints.parse(constraints, self.n, self.box) if constraints else None
        if given is not None:
            if known is None:
                raise ValueError("`constraints` must be given to the solver when it is made")
            if known.settled and known.parts is None:
                if given.parts is not None and len(given.parts) == len(known.sizes):
                    given.settle(known.sizes)
                if not np.array_equal(given.sides, known.sides):
                    raise ValueError("the sides of `constraints` are not those of this run")
            if given is not known:
                self.constraints = given
        elif known is not None and known.parts is None:
            raise ValueError("`run` needs the functions of the `constraints`")

    def _saved_between(self, steps: Iterator[Solver], path: str) -> Iterator[Solver]:
        with checkpoint.Place(path) as place:
            place.write(self._state())  # tells, before any work, whether that can be done
            schedule = checkpoint.Schedule(self.options)
            for _ in steps:
                if schedule.due(self.nit):
                    place.write(self._state())
                yield self
            place.write(self._state())

    def _iterate(
        self, objective: Objective, evaluation: Evaluation | None, every: int
    ) -> Iterator[Solver]:
        most = every
        while self.running:
            iterations, began = self.nit, time.perf_counter()
            direction = self._direction
            try:
                if direction is not None:
                    assert self.g is not None
                    self._multiply(objective, direction)
                elif (
                    evaluation is None or self._method is None or self._examination is not None
                    or self._method.waits()
                ):  # fmt: skip
                    if self._estimating is None and self._differences:
                        objective.steps = self._noisy_steps()
                    self._evaluate(objective)
                else:
                    self._iterate_compiled(evaluation, most)
            except OutOfBudget:  # and the status says so
                if isinstance(self._examination, Glance):  # but x is what was sought
                    self.status, self._examination = Status.CONVERGED, None
                continue
            except StopIteration as error:  # of the user; Python would hide it in a RuntimeError
                raise StopIterationRaised("a function raised StopIteration") from error
            if evaluation is not None:
                seconds = (time.perf_counter() - began) / max(1, self.nit - iterations)
                most = max(1, min(every, int(MACHINE_SECONDS / max(seconds, 1e-9))))
            if self.nit > iterations:
                yield self

    def _evaluate(self, objective: Objective) -> None:
        f = objective.fun(self.ask())
        self._precision = objective.precision
        gradient = objective.held if objective.joint else objective.gradient
        if self.constraints is None:
            self._evaluated(f, gradient, objective.joint)
            return
        constraints = self.constraints
        self._evaluated(  # each at a point of its own, which f may have changed, and none is held
            f, gradient, objective.joint, constraints.values(self.ask()),
            lambda: constraints.jacobian(self.ask()),
        )  # fmt: skip

    def _multiply(self, objective: Objective, direction: Any) -> None:
        """Have the method told the product that it waits for, or the whole matrix."""
        x, g, version = self.x, self.g, self._accepted
        constraints, method = self.constraints, self._method
        if constraints is None:
            hd = objective.product(x, g, direction, version)
            self._take_product(self._vector("Hessian product", hd))
        elif self._examination is not None:
            hd = self._vector("Hessian product", objective.product(x, g, direction, version))
            # Other multipliers than those the method has had a Hessian with at this x.
            with_others = -2 - version
            self._take_product(
                hd + constraints.product(x, self.multipliers, direction, with_others)
            )
        elif method.wants_whole and objective.has_matrix and constraints.has_second:
            method.receive_whole(
                objective.matrix(x, g, version) + constraints.hessian(x, method.v, version)
            )
            self._check_product()
        else:
            hd = self._vector("Hessian product", objective.product(x, g, direction, version))
            self._take_product(hd + constraints.product(x, method.v, direction, version))

    def _noisy_steps(self) -> NoisySteps | None:
        """The steps of differences, where f is noisy."""
        if self._steps is None and self.noise[0] > 0.0:
            self._steps = NoisySteps(self.noise[0], self.n)
        return self._steps

    def _tell_noise(self) -> None:
        """Let the method know the noise that differences give to the gradient."""
        if self._steps is not None and self._method is not None:
            self._method.expect_noise(self.noise[0], self._steps.gradient_noise)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole state to one .npz file; a file that is there is replaced at the end.

        `load` gives a solver that goes on bit for bit as this one would. Call it at any time
        between the calls of other methods.
        """
        if is_tensor(self.x0):
            raise TypeError("a run on tensors cannot be saved")
        checkpoint.write(path, self._state())

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], options: Mapping[str, Any] | None = None
    ) -> Solver:
        """The solver that `save` wrote.

        Parameters
        ----------
        path : str or path
        options : mapping, optional
            Options in the place of those it was made with. A run that had converged, or was
            ended by a limit, `f_target` or the callback, goes on if these options allow it. A
            run that was saved in a `checkpoint` goes on being saved in `path`, if the options do
            not name another.

        Raises
        ------
        CheckpointError
            A ValueError: the file is damaged, truncated, foreign or of a newer version.
        ValueError
            An option that cannot be changed: `memory`, `enriched`, `weight_rule`, `noise`, and of
            a run that was told f at x0 those of the start: `initial_weight`,
            `initial_trust_radius` and `model`.
        """
        return cls._load(path, checkpoint.read(path), options)

    @classmethod
    def _load(
        cls, path: str | os.PathLike[str], state: dict[str, Any],
        options: Mapping[str, Any] | None,
    ) -> Solver:  # fmt: skip
        try:
            stored = dict(state["options"])
            if stored.get("checkpoint") is not None:
                stored["checkpoint"] = path  # what it was called is no matter, and may be a trap
            before = Options.parse(stored)
            now = Options.parse({**before.state(), **(options or {})})
            started = any(name.startswith("method.") for name in state)
            for name in FIXED + OF_THE_START if started else FIXED:
                old, new = getattr(before, name), getattr(now, name)
                if new is not old and new != old:
                    raise ValueError(
                        f"option `{name}` is {new!r}, the run was started with {old!r}"
                    )
            solver = cls._restored(state, now)
            solver._change_options(before)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise checkpoint.CheckpointError(f"{os.fspath(path)}: {error}") from error
        if options is not None and solver.status in REOPENED and solver._method is not None:
            solver.status = Status.RUNNING
            solver._check_limits(solver.f)
        return solver

    def _change_options(self, before: Options) -> None:
        """Bring a state that comes from other options under those of now."""
        now = self.options
        if now.max_trust_radius != before.max_trust_radius and self._method is not None:
            self._method.bound()
        glances = isinstance(self._examination, Glance)
        if self._examination is not None and glances is now.check_curvature:
            self._examination = None
            self._check_limits(self.f)

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle and copy take: the state that a checkpoint has."""
        return _restored, (type(self), self._state(), self.options)

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "method": self.method,
            "options": self.options.state(),
            "x0": self.x0,
            "status": int(self.status),
            "nit": self.nit,
            "counts": [self.counts.nfev, self.counts.njev, self.counts.nhev],
            "accepted": self._accepted,
            "looked": self._looked,
            "f0": self._f0,
            "elapsed": time.perf_counter() - self._started_at,
            "optimality0": self._optimality0,
            "rejections": self._rejections.saved(),
        }
        if self.box is not None:
            state["lower"], state["upper"] = self.box.lower, self.box.upper
        if self._estimate is not None:
            state |= {f"noise.{name}": v for name, v in self._estimate.saved().items()}
        if self._steps is not None:
            state["difference_steps"] = self._steps.widths
        if self._g0 is not None:
            state["g0"] = self._g0
        if self.constraints is not None and self.constraints.settled:
            state["sizes"], state["sides"] = self.constraints.sizes, self.constraints.sides
        if self._method is not None:
            state |= {f"method.{name}": value for name, value in self._method.saved().items()}
        elif self.options.model is not None:
            model = self.options.model.model.as_pairs()
            state["model.kind"], state["model.rows"] = model.kind, model.rows
            state["model.ring"] = model.ring[: model.count]
        if self._examination is not None:
            examination = self._examination.saved()
            state |= {f"examination.{name}": value for name, value in examination.items()}
        if self._curvature is not None:
            state["curvature"] = [self._curvature.verdict, self._curvature.eigenvalue]
            state["curvature_direction"] = self._curvature.direction
        if self._history is not None:
            state |= {f"history.{name}": np.array(v) for name, v in self._history.items()}
        if self._allvecs is not None:
            kept = self._allvecs
            state["allvecs"] = kept if is_tensor(self.x0) else np.array(kept)
        return state

    @classmethod
    def _restored(cls, state: dict[str, Any], options: Options) -> Solver:
        if "model.rows" in state and options.model is None:
            options = replace(options, model=_model(part(state, "model."), state["x0"]))
        box = Box(state["lower"], state["upper"]) if "lower" in state else None
        if box is not None and np.isfinite(state["x0"]).all() and not box.contains(state["x0"]):
            raise ValueError("x0 is outside of the bounds")
        constraints = None
        if "sizes" in state:
            constraints = Constraints(None, state["sides"][0], state["sides"][1], box)
            constraints.settle([len(state["sides"][0])])
            constraints.sizes = [int(size) for size in state["sizes"]]
            if sum(constraints.sizes) != len(constraints):
                raise ValueError("the sizes of the constraints are wrong")
        elif state["method"] in CONSTRAINED:
            raise ValueError("a run that was saved before its constraints were known")
        solver = cls(state["x0"], state["method"], options, box, constraints)
        solver.status = Status(state["status"])
        solver.nit = int(state["nit"])
        solver.counts = Counts(*map(int, state["counts"]))
        solver._accepted = int(state["accepted"])
        solver._looked = bool(state.get("looked", False))
        solver._f0 = float(state["f0"])
        solver._started_at -= float(state["elapsed"])
        solver._optimality0 = float(state["optimality0"])
        solver._rejections = Rejections(*map(float, state.get("rejections", ())))
        estimate = part(state, "noise.")
        if estimate:
            solver._estimate = NoiseEstimate(solver.x0, solver.box)
            solver._estimate.restore(estimate)
        if "difference_steps" in state:
            solver._steps = NoisySteps(solver.noise[0], solver.n)
            solver._steps.restore(state["difference_steps"])
        if "g0" in state:
            solver._g0 = solver._vector("gradient", state["g0"])
        method_state = part(state, "method.")
        if method_state:
            solver._method = restore(solver.method, method_state, solver.options, solver.box)
            if solver.x.shape != solver.x0.shape or solver.x.dtype != solver.x0.dtype:
                raise ValueError("x is not of the kind of x0")
            if solver.box is not None and not solver.box.contains(solver.x):
                raise ValueError("x is outside of the bounds")
            _start_limits(solver._limits, solver._f0, solver._optimality0)
        examination = part(state, "examination.")
        if examination:
            if solver._method is None:
                raise ValueError("an examination of no point")
            if solver.constraints is not None:
                kind = Glance if "stage" in examination else CriticalExamination
                solver._examination = kind.restore_at(examination, solver._method)
            else:
                solver._examination = Examination.restore(examination, solver.box)
            if examination["x"].shape != solver.x0.shape:
                raise ValueError("the examination is of another size")
        if "curvature" in state:
            verdict, eigenvalue = state["curvature"]
            direction = state["curvature_direction"]
            if direction is not None:  # as where no variable is free
                direction = solver._vector("direction", direction)
            source = "none" if direction is None else "products"
            solver._curvature = Curvature(str(verdict), float(eigenvalue), direction, source)
        if solver._history is not None and "history.fun" in state:
            if "gamma" in solver._history and "history.gamma" not in state:
                raise ValueError("option `history` is 'spectrum', the run was recorded without")
            solver._history = {name: list(state[f"history.{name}"]) for name in solver._history}
        if solver._allvecs is not None and "allvecs" in state:
            solver._allvecs = list(state["allvecs"])
        return solver

    def result(self) -> OptimizeResult:
        """The best point so far, as the OptimizeResult that `quasinewton.minimize` returns."""
        status = self.status
        method = self._method
        elapsed = time.perf_counter() - self._started_at
        x, f, g = self.x, self.f, self.g
        if method is not None and status is not Status.CONVERGED:
            x, f, g = method.best
        optimality = math.nan if g is None else self._optimality_at(x, g)
        fixed = self.box is not None and bool(self.box.fixed.all())
        words = FIXED_MESSAGE if fixed and status is Status.CONVERGED else MESSAGES[status]
        advice = ""
        if status is Status.PRECISION and method is not None and self.noise[0] > 0.0:
            advice = (
                f"The decreases that are predicted have come below the noise in f, "
                f"{self.noise[0]:.1e}."
            )
        elif not self.constraints:
            advice = self._rejections.advice(status, self.nit, optimality, self._differences)
        result = OptimizeResult(
            x=clone(x),
            fun=f,
            jac=zeros((self.n,), self.x0) + math.nan if g is None else clone(g),
            success=status is Status.CONVERGED,
            status=int(status),
            message=f"{words} {advice}".rstrip(),
            nit=self.nit,
            nfev=self.counts.nfev,
            njev=self.counts.njev,
            nhev=self.counts.nhev,
            optimality=optimality,
            execution_time=elapsed,
            method=self.method,
        )
        if self._estimate is not None:
            result.message = f"{result.message} {self._estimate.message()}".rstrip()
        if self.options.noise is not None:
            result.noise, result.gradient_noise = self.noise
            if self._steps is not None:
                result.gradient_noise = self._steps.gradient_noise
        if self.box is not None:
            result.active = self.box.active(result.x)
        if self.constraints is not None:
            self._add_constraints(result, x)
        result.curvature = self._curvature or Curvature()
        model = method.current_model() if hasattr(method, "current_model") else None
        if model is not None:
            from ..models.operator import ModelOperator

            if self.running:  # it goes on changing its model
                model = copy.deepcopy(model)
            if self._curvature is None and self.constraints is None:
                free = None
                if self.box is not None and g is not None:
                    free = self.box.free(x, g, self._limits.tolerance)
                result.curvature = ModelCurvature(model, result.success, free)
            if not is_tensor(self.x0):
                result.hess = ModelOperator(model)
                result.hess_inv = result.hess.inverse()
        if self._history is not None:
            result.history = {key: np.array(v) for key, v in self._history.items()}
        if self._allvecs is not None:
            result.allvecs = Points(self._allvecs)
        return result

    def _add_constraints(self, result: OptimizeResult, x: Any) -> None:
        """What a result has beside the rest in a run with constraints."""
        constraints, method = self.constraints, self._method
        assert constraints is not None
        p = len(constraints)
        c = v = np.full(p, math.nan)
        if method is not None:
            here = x is method.x
            c = method.c if here else method.constraints_at_best
            v = method.multipliers if here else method.v
        result.constr, result.v = constraints.split(c), constraints.split(v)
        result.constr_violation = self._violation(c) if p else 0.0
        if constraints.parts is not None:
            result.constr_nfev = [part.nfev for part in constraints.parts]
            result.constr_njev = [part.njev for part in constraints.parts]
            result.constr_nhev = [part.nhev for part in constraints.parts]

    def finish(self) -> OptimizeResult:
        """`result`; also prints the closing lines, if `disp` or `verbose` asks for them."""
        result = self.result()
        self._table.close(result)
        return result

    def _vector(self, name: str, v: Any) -> Any:
        """What the user returned as an array of the dtype of x0, contiguous."""
        if v is None:
            raise TypeError(
                f"the {name} is None: is there a `return` at the end of the function that gives it?"
            )
        if is_tensor(self.x0):
            return _tensor(name, v, self.x0)
        v = as_vector(name, v, self.x0.shape)
        if v.dtype != self.x0.dtype or not v.flags.c_contiguous:
            if v.dtype.kind not in "biufO":
                raise TypeError(f"the {name} must be real, got an array of dtype {v.dtype}")
            try:
                with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
                    v = np.ascontiguousarray(v, self.x0.dtype)
            except (TypeError, ValueError) as error:
                raise TypeError(f"the {name} must be real, got {v!r:.200}") from error
        vector: np.ndarray = v
        return vector

    def _start(self, f: float, g: Any) -> None:
        self._f0 = f
        self._g0 = None if g is None else clone(g)
        finite = g is not None and math.isfinite(f) and _is_finite(g)
        if self.constraints is not None:
            told_all = (self._c, self._jacobian)
            finite = finite and all(bool(np.isfinite(a).all()) for a in told_all)
        if not finite:
            self.status = Status.NONFINITE_START
            return
        self._announce_compiling()
        options = self.options
        if self._estimate is not None:
            options = replace(options, noise=self.noise)
        told: tuple[Any, ...] = ()
        if self.constraints is not None:
            told = (
                self.constraints.sides, self._c, self._jacobian, self.constraints.kept()
            )  # fmt: skip
        self._method = build(self.method)(self.x0, self._f0, g, options, self.box, *told)
        self._tell_noise()
        self._g0 = self._jacobian = None  # the method holds them from now on
        self._optimality0 = self._method.optimality
        _start_limits(self._limits, self._f0, self._optimality0)
        if self._history is not None:
            self._record(0.0, math.nan, math.nan, False)
        self._check_limits(f)
        if self._table.verbose:
            self._table.row(self, math.nan, math.nan, math.nan)

    def _announce_compiling(self) -> None:
        if self.announce is not None and not self._announced:
            bounded = self.box is not None
            self._announced = not is_ready(self.method, self.x0, self.options, bounded)
            if self._announced:
                self.announce(COMPILING)

    def _settle(self, status: int) -> None:
        """Take what `stop` says, and what it does not know of: time, curvature, the trial."""
        if status != _RUNNING:
            self.status = Status(status)
        if self.status is Status.CONVERGED:
            if self.options.check_curvature and self._curvature is None:
                self.status = Status.RUNNING
                self._examination = self._new_examination()
                self._conclude()
            elif self.constraints is not None and self._curvature is None and not self._looked:
                self._look()
        elif self.running and not self._spent():
            self._check_trial()

    def _look(self) -> None:
        """Take a glance at `x` before the run ends."""
        self._looked = True
        if self._method.shows_unseen:
            glance = Glance(self._method, self._limits.tolerance * self._gradient_scale())
            if not glance.finished:
                self.status, self._examination = Status.RUNNING, glance
                self._conclude()

    def _new_examination(self) -> Examination:
        tolerance = self._limits.tolerance
        if self.constraints is not None:
            tolerance *= self._gradient_scale()
            return CriticalExamination(self._method, tolerance, self.nit)
        free = None if self.box is None else self.box.free(self.x, self.g, tolerance)
        return Examination(self.x, self.f, self.box, free)

    def _check_limits(self, f: float) -> None:
        """Whether to stop at `x`; f is the last value told."""
        method = self._method
        f_now, optimality = method.f, method.optimality
        if self.constraints is not None:
            f_now, optimality = self._if_feasible()
            f = f_now
        self._settle(
            _stop(
                self._limits, method.x, f_now, f, math.inf, math.inf, optimality, False, self.nit,
                self.counts.nfev,
            )
        )  # fmt: skip

    def _has_trial(self) -> bool:
        """Whether there is a trial that cannot overflow, or a product is wanted."""
        method = self._method
        if method.direction is not None:
            return True
        return not method.stalled and 0.0 < method.step_norm <= self._limits.harmless

    def _check_trial(self) -> None:
        """Whether there is a next trial. One that overflows is rejected without being asked."""
        method = self._method
        for _ in range(1000):
            if self._has_trial():
                return
            if method.stalled:
                break
            if _is_finite(method.trial):
                return
            method.receive(math.inf, None)
        infeasible = self.constraints is not None and method.infeasible
        self.status = Status.INFEASIBLE if infeasible else Status.PRECISION

    def _is_lower(self, f: float) -> bool:
        if isinstance(self._examination, CriticalExamination):
            size, slack = self._examination.change, self._examination.slack
            return bool(self._method.is_lower(f, self._precision, size, slack))
        return f < self.f - 10.0 * self._precision * max(abs(f), abs(self.f))

    def _take_probe(self, examination: Examination, f: float, g: np.ndarray | None) -> None:
        """Judge a point beside a stationary one; start the method anew there if it is lower."""
        step = examination.length
        lower = False
        if g is not None and math.isfinite(f) and self._is_lower(f):
            lower = _is_finite(g)
            if self.constraints is not None:
                lower = lower and bool(np.isfinite(self._jacobian).all())
        self.nit += 1
        if lower:
            assert g is not None
            self._accepted += 1
            self._begin_at(examination.trial, f, g)
            self._examination, self._looked = None, False
        else:
            self._keep(f)
            examination.reject(self._c, g, self._jacobian)
        if self._history is not None:
            self._record(step, math.nan, math.nan, lower)
        if self._allvecs is not None and lower:
            self._allvecs.append(clone(self.x))
        if lower or (f == -math.inf and self.constraints is None):
            self._examination = None
            self._check_limits(f)
        else:
            self._conclude()
        if self._table.verbose:
            self._table.row(self, step, math.nan, math.nan)

    def _begin_at(self, x: np.ndarray, f: float, g: np.ndarray) -> None:
        """Start the method anew at x, with the best point of before."""
        before = self._method
        if self.constraints is None:
            options = replace(self.options, model=None, noise=self.noise)
            self._method = build(self.method)(x, f, g, options, self.box)
            self._method.keep(*before.best)
            return
        constraints = self.constraints
        self._method = build(self.method)(
            x, f, g, self.options, self.box, constraints.sides, self._c, self._jacobian,
            constraints.kept(),
        )  # fmt: skip
        self._method.see(before.constraints_at_best, None)
        self._method.keep(*before.best)
        self._method.see(self._c, self._jacobian)

    def _conclude(self) -> None:
        """End the examination where nothing more can or may be found out."""
        examination = self._examination
        assert examination is not None
        if self.nit >= self._limits.maxiter:
            self.status = Status.MAXITER
        if not (self._spent() or examination.finished):
            return
        self._examination = None
        curvature = examination.conclusion()
        if not isinstance(examination, Glance):
            self._curvature = curvature
        if curvature.verdict != "saddle":
            self.status = Status.CONVERGED

    def _spent(self) -> bool:
        """Whether the evaluations or the time have run out; the status then says so."""
        options = self.options
        if options.maxfev is not None and self.counts.nfev >= options.maxfev:
            self.status = Status.MAXFEV
        elif (
            options.maxtime < math.inf
            and time.perf_counter() - self._started_at >= options.maxtime
        ):
            self.status = Status.MAXTIME
        return not self.running

    def _note(self, step: float, weight: float) -> None:
        """Record the iteration just ended."""
        method = self._method
        if self._history is not None:
            self._record(step, method.rho, weight, method.accepted)
        if self._allvecs is not None and method.accepted:
            self._allvecs.append(clone(method.x))

    def _record(self, step: float, rho: float, weight: float, accepted: bool) -> None:
        assert self._history is not None
        row: tuple[Any, ...] = (
            self._method.f, self._method.optimality, step, rho, weight, accepted,
            self.counts.nfev, self.counts.njev, self.counts.nhev,
            time.perf_counter() - self._started_at,
        )  # fmt: skip
        if "gamma" in self._history:
            model = self._method.current_model()
            lam = np.full(model.most, np.nan)
            lam[: model.rank] = np.sort(model.lam)
            row += lam, model.gamma
        if self.constraints is not None:
            row += (self._method.violation,)
        for record, value in zip(self._history.values(), row, strict=True):
            record.append(value)


def open_solver(
    method: str | None, x0: Any, options: Mapping[str, Any], tol: float | None = None,
    bounds: Any = None, constraints: Any = None, state: dict[str, Any] | None = None,
) -> Solver:  # fmt: skip
    """A new solver, or the one of the checkpoint that the option `resume` names.

    `state` is what that file holds, if it has been read. Without `resume` the method is not None.
    """
    given = Options.named(options, tol)
    parsed = Options.parse(given)
    resume = parsed.resume
    if resume is None:
        return Solver(x0, method, parsed, bounds, constraints)
    # None takes back what the file says
    changes = dict.fromkeys(options.keys() & parsed.state().keys()) | given
    solver = Solver._load(resume, checkpoint.read(resume) if state is None else state, changes)
    if method is not None and method != solver.method:
        raise ValueError(f"`method` is {method!r}, {resume} is a run of {solver.method!r}")
    start = as_start(x0)
    if bounds is not None:
        box = Box.parse(bounds, start.shape[0], start.dtype)
        if box is not solver.box and (box is None or not box.equals(solver.box)):
            raise ValueError(f"`bounds` are not those of the run in {resume}")
    if solver.box is not None and start.shape == solver.x0.shape and np.isfinite(start).all():
        start = solver.box.project(start)  # as where the run began
    if start.dtype != solver.x0.dtype or not np.array_equal(start, solver.x0, equal_nan=True):
        raise ValueError(f"`x0` is not the start of the run in {resume}")
    return solver


def _closing(objective: Objective, steps: Iterator[Solver]) -> Iterator[Solver]:
    """The steps of a run, whose workers end with it."""
    at_once = True
    try:
        yield from steps
        at_once = False
    finally:
        objective.close(at_once)


class StopIterationRaised(RuntimeError):
    """A user's function raised StopIteration, which may not leave a generator: the `__cause__`."""

class Points(list[Any]):
    """A list of points that is printed by its size."""

    def __repr__(self) -> str:
        """The number of points and their shape."""
        return f"<{len(self)} points of shape {tuple(self[0].shape)}>" if self else "[]"


#: What SciPy says where no variable is free.
FIXED_MESSAGE = "All independent variables were fixed by bounds."

#: Endings after which a run may go on with other options.
REOPENED = (
    Status.CONVERGED, Status.MAXITER, Status.MAXFEV, Status.MAXTIME, Status.F_TARGET,
    Status.CALLBACK,
)  # fmt: skip

#: About how long machine code runs before Python can see an interrupt.
MACHINE_SECONDS = 0.02

#: Options that a state depends on, and those that only a start looks at: a run that goes on has
#: them as they were.
FIXED = ("memory", "enriched", "weight_rule", "noise")
OF_THE_START = ("initial_weight", "initial_trust_radius", "model")

#: What `history` records after each iteration.
HISTORY = (
    "fun", "optimality", "step", "rho", "weight", "accepted", "nfev", "njev", "nhev", "time",
)  # fmt: skip

#: What it records beside that in a run with constraints.
VIOLATION = ("violation",)

#: A gradient of f above this, which that of the constraints balances, relaxes the test of
#: convergence; an f so far below its start is unbounded where the constraints are about met.
LARGE_GRADIENT, ABYSS, ABOUT_MET = 100.0, 1e12, 1e-2

#: What it records beside that where it is 'spectrum'.
SPECTRUM = ("eigenvalues", "gamma")


def _restored(cls: type[Solver], state: dict[str, Any], options: Options) -> Solver:
    return cls._restored(state, options)


def _model(saved: dict[str, Any], x0: np.ndarray) -> Any:
    """The option `model` of a run that was saved before it looked at that."""
    from ..models.model import CompactModel
    from ..models.operator import ModelOperator

    memory, ring = len(saved["rows"]) // 2, saved["ring"]
    check_shape("rows", saved, (2 * memory, *x0.shape))  # before anything is allocated
    model = CompactModel(x0.size, memory, saved["kind"], x0.dtype, dense=False)
    fill(model.rows, "rows", saved)
    fill(model.ring[: len(ring)], "ring", saved)
    if not np.all((ring["slot"] >= 0) & (ring["slot"] < memory)):
        raise ValueError("the pairs of `model` are numbered wrong")
    model.record.pairs = len(ring)
    return ModelOperator(model)


def _check_model(model: Any, method: str, x0: np.ndarray) -> None:
    from ..models.operator import ModelOperator

    if method not in QUASI_NEWTON:
        raise ValueError(f"option `model` is for quasi-Newton methods, not for {method}")
    if not isinstance(model, ModelOperator):
        raise TypeError(
            f"option `model` must be the `hess` of an earlier result, got {type(model).__name__}"
        )
    if model.model.n != x0.size:
        raise ValueError(f"option `model` has {model.model.n} variables, `x0` has {x0.size}")
    if model.model.rows.dtype != x0.dtype:
        raise ValueError(f"option `model` is {model.model.rows.dtype}, `x0` is {x0.dtype}")


def _check_constrained(options: Options, x0: Any) -> None:
    if is_tensor(x0):
        raise TypeError("`constraints` are not for runs on tensors, expected `x0` as an array")
    for name in ("model", "noise"):
        if getattr(options, name):
            raise ValueError(f"option `{name}` is not for runs with constraints")


def _check_tensor_options(options: Options) -> None:
    for name in ("check_curvature", "check_derivatives", "checkpoint", "model", "resume"):
        if getattr(options, name):
            raise ValueError(f"option `{name}` is not for runs on tensors")
    if options.noise == "estimate":
        raise ValueError("option `noise` = 'estimate' is not for runs on tensors: give a number")


def _is_finite(v: Any) -> bool:
    return math.isfinite(max_abs(v))


def _tensor(name: str, v: Any, like: Any) -> Any:
    """What the user returned for a tensor: one of the same kind, shape, dtype and device."""
    if not is_tensor(v):
        raise TypeError(f"the {name} must be a tensor as `x0` is, got {type(v).__name__}")
    if v.shape != like.shape:
        if max(v.shape, default=1) != like.shape[0] or math.prod(v.shape) != like.shape[0]:
            raise ValueError(f"the {name} must have shape {like.shape}, got {v.shape}")
        v = v.reshape(like.shape)
    if v.dtype != like.dtype or v.device != like.device:
        raise TypeError(
            f"the {name} must be {like.dtype} on {like.device}, got {v.dtype} on {v.device}"
        )
    return v.detach() if hasattr(v, "detach") else v


def _real(v: Any) -> float:
    try:
        if isinstance(v, str | bytes):
            raise TypeError("a string is no number")
        return float(v)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"`x0` must hold real numbers, got {v!r}") from error


def as_start(x0: Any) -> Any:
    """`x0` as a fresh float32 or float64 vector: of NumPy, or the tensor that it is.

    Raises
    ------
    TypeError, ValueError
        For values that are not real numbers, more than one dimension, or no elements.
    """
    if is_tensor(x0):
        if len(x0.shape) != 1 or x0.shape[0] == 0:
            raise ValueError(f"`x0` as a tensor must have shape (n,), n >= 1, got {x0.shape}")
        if str(x0.dtype).rpartition(".")[2] not in ("float32", "float64"):
            raise TypeError(f"`x0` as a tensor must be float32 or float64, got {x0.dtype}")
        return clone(x0)
    try:
        x = np.atleast_1d(np.asarray(x0))
    except ValueError as error:
        raise ValueError(f"`x0` must be a vector of real numbers, got {x0!r}") from error
    if x.dtype.kind == "c":
        raise TypeError("`x0` must be real, got a complex array")
    if x.dtype.kind == "O":  # as rows of a table of pandas are
        x = np.array([_real(v) for v in x.flat]).reshape(x.shape)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"`x0` must hold real numbers, got an array of dtype {x.dtype}")
    if x.ndim != 1:
        raise ValueError(f"'x0' must only have one dimension, got shape {x.shape}")
    if x.size == 0:
        raise ValueError("`x0` must have at least one element, got none")
    return np.array(x, np.float32 if x.dtype == np.float32 else np.float64, order="C")
