"""Runs of different methods on one target, counted alike, and tables of them."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from ..methods import COMPILING, CONSTRAINED, METHODS, is_ready
from ..minimize import minimize
from ..options import Options
from ..solver.loop import LARGE_GRADIENT
from ..status import Status
from .target import Target

__all__ = [
    "BOUNDED", "INTERRUPTED", "SCIPY", "SCIPY_CONSTRAINED", "Run", "Table", "best", "failed",
    "multiplier_table", "one_blas_thread", "run_ours", "run_scipy", "text_table",
]  # fmt: skip

#: SciPy's methods for comparison, with what each needs: products with the Hessian, n x n arrays.
SCIPY: dict[str, str] = {
    "L-BFGS-B": "",
    "BFGS": "matrix",
    "CG": "",
    "trust-ncg": "products",
    "trust-krylov": "products",
    "Newton-CG": "products",
}

#: Those of them that take bounds.
BOUNDED = ("L-BFGS-B",)

#: Those of SciPy's methods with gradients that take constraints other than bounds.
SCIPY_CONSTRAINED: dict[str, str] = {"SLSQP": "matrix", "trust-constr": "matrix"}

#: How many constraints are shown with their multipliers.
_SHOWN = 20

#: In SciPy's options there is no value for "no limit".
_NO_LIMIT = 10**9

#: The status of a run that Ctrl-C has ended.
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Run:
    """One line of a comparison.

    `nhev` counts products of the Hessian with a vector. With constraints, `optimality` is that of
    the Lagrangian with the multipliers v, and `violation` the largest of a constraint. `history`,
    where asked for, holds arrays as the option `history` of `minimize` does - ``fun, optimality,
    nfev, time`` - over the evaluations that found no higher f than all before.
    """

    method: str
    f: float
    optimality: float
    nit: int
    nfev: int
    njev: int
    nhev: int
    seconds: float
    converged: bool
    status: str
    history: dict[str, np.ndarray] | None = None
    violation: float = 0.0
    x: np.ndarray | None = None
    v: np.ndarray | None = None

    @property
    def evaluations(self) -> int:
        """Of f, of the gradient and of products with the Hessian, together."""
        return self.nfev + self.njev + self.nhev


class _Spent(Exception):
    """A budget that SciPy does not know of is spent; the message is the status."""


class _Counted:
    """The functions of a target with their calls counted, which SciPy does not do for products.

    With `record`, `rows` are what `Run.history` is made of. A call after `maxfev` or `maxtime`
    raises `_Spent`.
    """

    def __init__(
        self,
        target: Target,
        record: bool = False,
        maxfev: float = math.inf,
        maxtime: float = math.inf,
        clock: Callable[[], float] = time.perf_counter,
        constr_tol: float = 0.0,
    ) -> None:
        self._target = target
        self._clock, self._start = clock, clock()
        self._maxfev, self._until = maxfev, time.perf_counter() + maxtime
        self.best = target.x0, math.inf  # x and f, of the least violation
        self._constr_tol, self._least = constr_tol, (math.inf, math.inf)
        self.nit = 0
        self.rows: list[tuple[float, ...]] | None = [] if record else None
        self._last: tuple[np.ndarray, float] | None = None  # x and f
        self.nfev = self.njev = self.nhev = 0
        self._at: np.ndarray | None = None
        self._g = np.empty(0)
        jac: Any = "2-point"
        if target.joint:
            jac = True
        elif target.grad is not None:
            jac = self.grad
        self.functions = {
            "fun": self.fun,
            "jac": jac,
            "hessp": None if target.hessp is None else self.hessp,
        }

    def _check_budget(self) -> None:
        if self.nfev >= self._maxfev:
            raise _Spent(Status.MAXFEV.name.lower())
        if time.perf_counter() >= self._until:
            raise _Spent(Status.MAXTIME.name.lower())

    def fun(self, x: np.ndarray) -> Any:
        self._check_budget()
        self.nfev += 1
        value = self._target.fun(x)
        f = value[0] if self._target.joint else value
        violation = max(self._target.violation(x), self._constr_tol)
        if (violation, f) < self._least:
            self.best, self._least = (x.copy(), float(f)), (violation, float(f))
        if self._target.joint:
            self.njev += 1
            self._at, self._g = x.copy(), np.array(value[1])
        if self.rows is not None:
            self._last = x.copy(), float(value[0] if self._target.joint else value)
            if self._target.grad is None and not self._target.joint:
                self._note(x, np.full(x.shape, np.nan))
            elif self._at is not None and np.array_equal(self._at, x):
                self._note(x, self._g)
        return value

    def grad(self, x: np.ndarray) -> np.ndarray:
        # The stop test below asks where SciPy has asked or will ask.
        if self._at is None or not np.array_equal(self._at, x):
            self._check_budget()
            self.njev += 1
            self._at, self._g = x.copy(), np.array(self._target.gradient(x))
            if self._last is not None and np.array_equal(self._last[0], x):
                self._note(x, self._g)
        return self._g.copy()

    def seconds(self) -> float:
        """Since the start, by the clock that was given."""
        return self._clock() - self._start

    def _note(self, x: np.ndarray, g: np.ndarray) -> None:
        assert self.rows is not None and self._last is not None
        f = self._last[1]
        if f <= (self.rows[-1][0] if self.rows else math.inf):
            self.rows.append((f, self._target.optimality(x, g), self.nfev, self.seconds()))

    def hessp(self, x: np.ndarray, p: np.ndarray) -> Any:
        assert self._target.hessp is not None
        self._check_budget()
        self.nhev += 1
        return self._target.hessp(x, p)


    def ended(self, error: BaseException) -> optimize.OptimizeResult:
        """What there is of a run that did not return: the best point asked for."""
        given = getattr(error, "result", None)
        if given is not None:
            return given
        x, f = self.best
        return optimize.OptimizeResult(x=x, fun=f, nit=self.nit)


def run_ours(
    target: Target,
    method: str,
    options: Mapping[str, Any],
    tolerance: float,
    record: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    compiled: bool = True,
) -> Run:
    """Run a method of this package.

    Parameters
    ----------
    target : Target
    method : str
        A name in `quasinewton.methods.METHODS`.
    options : mapping
        As for `quasinewton.minimize`.
    tolerance : float
        `Run.converged` says whether max|g| <= tolerance.
    record : bool, default False
        Whether to keep `Run.history`.
    clock : callable
        What `Run.seconds` are of; default: the clock on the wall.
    compiled : bool, default True
        Whether to wait for machine code where Python may take its place.

    Returns
    -------
    Run
        Of status `INTERRUPTED` where the user has ended it.
    """
    if compiled or not _waits(method, target, options):
        _warm_ours(method, target, options)
    counted = _Counted(target, record, clock=clock)
    functions, given = dict(counted.functions), target.constraints
    if method in CONSTRAINED and not CONSTRAINED[method].second:
        functions["hessp"] = None
        if given is not None:
            given = optimize.NonlinearConstraint(given.fun, given.lb, given.ub, given.jac)
    try:
        result = minimize(
            x0=target.x0, method=method, options=options, bounds=target.box,
            constraints=given or (), **functions,
        )  # fmt: skip
        status = Status(result.status).name.lower()
    except KeyboardInterrupt as error:
        result, status = counted.ended(error), INTERRUPTED
    limits = tolerance, _constr_tol(options)
    return _run(method, target, counted, result, counted.seconds(), limits, status)


def run_scipy(
    target: Target,
    method: str,
    options: Mapping[str, Any],
    tolerance: float,
    record: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Run:
    """Run a method of SciPy, as `run_ours`; of the options those count that limit a run."""
    _warm_scipy(method, target.constraints)
    maxfev, maxtime = (options.get(key) or math.inf for key in ("maxfev", "maxtime"))
    counted = _Counted(target, record, maxfev, maxtime, clock, _constr_tol(options))
    functions = dict(counted.functions)
    # Where roundoff ends all progress, trust regions shrink on without end: our default limit.
    products = SCIPY.get(method) == "products"
    most = max(1000, 200 * target.x0.size) if products else _NO_LIMIT
    own: dict[str, Any] = {"maxiter": options.get("maxiter") or most, "gtol": tolerance}
    if method == "L-BFGS-B":
        own["ftol"] = 0.0
        own["maxfun"] = _NO_LIMIT
        if options.get("memory"):
            own["maxcor"] = options["memory"]
    elif method == "SLSQP":  # whose test is on f, from which it differs by the square of g
        del own["gtol"]
        own["ftol"] = tolerance**2
    elif method == "trust-constr":
        own["xtol"] = tolerance**2
    elif method == "Newton-CG":
        del own["gtol"]
        own["xtol"] = np.finfo(float).tiny  # old SciPy fails at 0
    seen = np.full_like(target.x0, np.nan)

    def callback(x: np.ndarray) -> None:
        counted.nit += 1
        # Newton's methods have another test: |g| in the 2-norm, or the length of the step.
        if not products or np.array_equal(x, seen):
            return  # the latter after a rejected step
        seen[:] = x
        if float(np.max(np.abs(counted.grad(x)))) <= tolerance:
            raise StopIteration

    # trust-constr gives its state too.
    watch = (lambda x, state: callback(x)) if method == "trust-constr" else callback
    if not products:
        functions["hessp"] = None
    if target.constraints is not None:
        functions["constraints"] = target.constraints
    if target.box is not None:
        functions["bounds"] = optimize.Bounds(target.box.lower, target.box.upper)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = optimize.minimize(
                x0=target.x0, method=method, options=own, callback=watch, **functions
            )
        status = str(result.message).partition("\n")[0].strip(" :.")
        if len(status) > 40:
            status = status[:37] + "..."
    except _Spent as error:
        result, status = counted.ended(error), str(error)
    except KeyboardInterrupt as error:
        result, status = counted.ended(error), INTERRUPTED
    limits = tolerance, _constr_tol(options)
    return _run(method, target, counted, result, counted.seconds(), limits, status)


def _constr_tol(options: Mapping[str, Any]) -> float:
    """The largest violation of a feasible point."""
    return float(options.get("constr_tol", Options().constr_tol))


def failed(method: str, error: BaseException) -> Run:
    """The line of a method that raised an exception."""
    status = f"{type(error).__name__}: {error}".partition("\n")[0]
    return Run(method, math.nan, math.nan, 0, 0, 0, 0, math.nan, False, status[:60])


def _run(
    method: str,
    target: Target,
    counted: _Counted,
    result: Any,
    seconds: float,
    limits: tuple[float, float],  # on the optimality, and on the violation
    status: str,
) -> Run:
    tolerance, constr_tol = limits
    differences = target.grad is None and not target.joint
    njev = counted.njev
    violation, v = 0.0, None
    if target.constraints is not None:
        x, g = result.x, target.gradient(result.x)
        violation = target.violation(x)
        within = max(constr_tol, math.sqrt(np.finfo(np.float64).eps))
        v = result.v[0] if "v" in result else target.multipliers(x, g, within)
        slope = target.lagrangian(x, g, v)
        optimality = target.optimality(x, slope)
        scale = max(1.0, float(abs(g).max()) / LARGE_GRADIENT)  # as the methods' own test has it
        near = target.optimality(x, slope / scale) <= tolerance and violation <= constr_tol
    elif differences:
        # the difference of differences would be another gradient than the one that was used
        optimality = _reached(target, result)
        njev = int(result.get("njev", 0))
    elif status == INTERRUPTED:  # nobody wants to wait for more
        optimality = _reached(target, result)
    else:
        optimality = target.optimality(result.x, target.gradient(result.x))
    if target.constraints is None:
        near = optimality <= tolerance
    converged = near and status != INTERRUPTED
    history = None
    if counted.rows is not None:
        last = math.nan if differences else optimality
        rows = [*counted.rows, (float(result.fun), last, counted.nfev, seconds)]
        names = ("fun", "optimality", "nfev", "time")
        history = dict(zip(names, np.array(rows).T, strict=True))
    return Run(
        method, float(result.fun), optimality, int(result.nit), counted.nfev, njev,
        counted.nhev, seconds, converged, "converged" if converged else status, history,
        violation, result.x, v,
    )  # fmt: skip


def _reached(target: Target, result: Any) -> float:
    """By the gradient that a run has left."""
    g = result.get("jac")
    return math.nan if g is None else target.optimality(result.x, g)


def _waits(method: str, target: Target, options: Mapping[str, Any]) -> bool:
    """Whether Python takes the place of machine code that is not there yet."""
    if method in CONSTRAINED:
        from ..methods.sqp import solve_subproblem

        return bool(solve_subproblem.waits(target.x0.size))
    from ..methods.quasi_newton import main_kernel

    parsed = Options.parse({key: options[key] for key in ("memory",) if key in options})
    kernel = main_kernel(target.x0, parsed, target.box is not None)
    waits: bool = kernel.waits(target.x0.size)
    return waits


def _warm_ours(method: str, target: Target, options: Mapping[str, Any]) -> None:
    """Have numba compile, or load, what such a run needs, before time is taken."""
    from .. import kernels
    from ..methods.quasi_newton import finder

    kernels.PATIENCE = 0.0  # machine code is what is compared
    deciding = ("memory", "norm", "weight_rule", "enriched")
    kept = {key: options[key] for key in deciding if key in options}
    x0, bounded, constrained = target.x0, target.box is not None, target.constraints is not None
    parsed = Options.parse(kept)
    if not is_ready(method, x0, parsed, bounded):
        print(COMPILING, file=sys.stderr, flush=True)
    # The kind of the model decides on the kernels; beyond that the size does not matter.
    starts = (np.resize(np.array([-1.2, 1.0], x0.dtype), n) for n in (2, 200, x0.size))
    start = next(x for x in starts if constrained or finder(x, parsed) is finder(x0, parsed))
    unused = constrained and not CONSTRAINED[method].second
    minimize(
        optimize.rosen, start, jac=optimize.rosen_der,
        hessp=None if unused else optimize.rosen_hess_prod,
        method=method, options={**kept, "maxiter": 60},
        bounds=[(-2.0, 1.0)] * start.size if bounded else None,
        constraints=optimize.LinearConstraint(np.eye(1, start.size), -0.5) if constrained else (),
    )  # fmt: skip


def _warm_scipy(method: str, constraints: Any = None) -> None:
    """Have SciPy import what it imports late."""
    hessp = optimize.rosen_hess_prod if SCIPY.get(method) == "products" else None
    some = {} if constraints is None else {"constraints": optimize.LinearConstraint([1, 1], -1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimize.minimize(
            optimize.rosen, [-1.2, 1.0], jac=optimize.rosen_der, hessp=hessp, method=method,
            options={"maxiter": 3}, **some,
        )  # fmt: skip


@contextmanager
def one_blas_thread() -> Iterator[bool]:
    """One thread for BLAS, so that processor time is comparable; False where that cannot be had."""
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        yield False
        return
    with threadpool_limits(1, user_api="blas"):
        yield True


def best(runs: Sequence[Run], f0: float) -> str:
    """Which of the methods converged to the lowest f at least cost, in two lines.

    Parameters
    ----------
    runs : sequence of Run
    f0 : float
        f at the start: what differs by less than 1e-6 of the decrease from there is as low.
    """
    converged = [run for run in runs if run.converged]
    if not converged:
        return "best: none, since no method converged"
    least = min(run.f for run in converged)
    lowest = [run for run in converged if run.f - least <= 1e-6 * abs(f0 - least)]
    calls = min(run.evaluations for run in lowest)
    few = [run.method for run in lowest if run.evaluations == calls]
    names = ", ".join(few[:2]) + (f" and {len(few) - 2} more" if len(few) > 2 else "")
    quick = min(lowest, key=lambda run: run.seconds)
    return (
        f"best: {names} with {calls} calls in all;\n"
        f"      {quick.method} with {quick.seconds:.4f} seconds"
    )


#: Columns of a table of runs: head, least width, text of a cell; and in which order they are left
#: out where the terminal is too narrow.
_COLUMNS: tuple[tuple[str, int, Callable[[Run], str]], ...] = (
    ("method", max(map(len, (*METHODS, *SCIPY, *SCIPY_CONSTRAINED))), lambda run: run.method),
    ("f", 14, lambda run: f"{run.f:.7e}"),
    ("max|g|", 7, lambda run: f"{run.optimality:.1e}"),
    ("violation", 9, lambda run: f"{run.violation:.1e}"),
    ("nit", 5, lambda run: str(run.nit)),
    ("nfev", 6, lambda run: str(run.nfev)),
    ("njev", 6, lambda run: str(run.njev)),
    ("nhev", 6, lambda run: str(run.nhev)),
    ("seconds", 7, lambda run: f"{run.seconds:.4f}"),
    ("status", 9, lambda run: run.status),
)
_LEFT_OUT = ("nit", "njev", "nhev", "status", "nfev", "seconds")


class Table:
    """Runs below each other, each a line of its own as soon as it is there.

    Parameters
    ----------
    width : int or None
        Of the terminal; None: of no limit. Columns are left out before a line is longer.
    constrained : bool, default False
        Whether there is a column for violations.
    """

    def __init__(self, width: int | None = None, constrained: bool = False) -> None:
        self._width = width
        names = [name for name, _, _ in _COLUMNS if constrained or name != "violation"]
        for name in _LEFT_OUT:
            if width is None or sum(w + 1 for n, w, _ in _COLUMNS if n in names) - 1 <= width:
                break
            names.remove(name)
        self._columns = [column for column in _COLUMNS if column[0] in names]

    def head(self) -> str:
        """The names of the columns."""
        return self._line([name for name, _, _ in self._columns])

    def row(self, run: Run) -> str:
        """One run."""
        return self._line([text(run) for _, _, text in self._columns])

    def _line(self, cells: Sequence[str]) -> str:
        parts = [
            f"{cell:{'<' if name in ('method', 'status') else '>'}{width}}"
            for cell, (name, width, _) in zip(cells, self._columns, strict=True)
        ]
        line = " ".join(parts).rstrip()
        if self._width is not None and self._columns[-1][0] == "status":
            return line[: max(self._width, len(line) - len(cells[-1]))]  # of the status only
        return line


def multiplier_table(target: Target, run: Run) -> str:
    """The constraints at the result of a run, their sides and multipliers: the largest ones."""
    assert target.constraints is not None and run.x is not None and run.v is not None
    c = np.asarray(target.constraints.fun(run.x))
    sides = zip(target.constraints.lb, c, target.constraints.ub, run.v, strict=True)
    rows = [
        (str(i), f"{low:g}", f"{value:.7g}", f"{up:g}", f"{v:.7g}")
        for i, (low, value, up, v) in enumerate(sides)
    ]
    largest = sorted(np.argsort(-abs(run.v), kind="stable")[:_SHOWN])
    head = ("constraint", "lower", "value", "upper", "multiplier")
    text = text_table(head, [rows[i] for i in largest], "<>>>>")
    more = len(rows) - len(largest)
    return f"{text}\n({more} more, of smaller multipliers)" if more else text


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Columns of text, aligned by the characters of `align`."""
    lines = [head, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            f"{cell:{how}{width}}" for cell, how, width in zip(line, align, widths, strict=True)
        ).rstrip()
        for line in lines
    )
