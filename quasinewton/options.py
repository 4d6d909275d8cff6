"""The options of every method: names, defaults, checks."""

from __future__ import annotations

import contextlib
import difflib
import math
import numbers
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from scipy.optimize import OptimizeWarning

from .workers import as_workers

__all__ = ["Options", "refuse", "users_level"]


@dataclass(frozen=True)
class Options:
    """What `options` may hold, with the defaults.

    Attributes
    ----------
    gtol : float, default 1e-5
        Converged when ``max|g_i| <= gtol`` ...
    constr_tol : float, default 1e-7
        Largest violation of a constraint with which a point counts as feasible.
    grtol : float, default 0
        ... or when ``max|g_i|`` is at most grtol times its value at x0.
    xtol, ftol : float, default 0
        Stop, without success, after an accepted step s with ``|s| <= xtol (xtol + |x|)``, or
        with a decrease of at most ``ftol max(|f|, |f_new|)``.
    maxiter : int, default max(1000, 200 n)
        Limit on the number of iterations, which are trial steps, also rejected ones; inf for no
        limit.
    maxfev : int, default no limit
        Limit on the number of evaluations of the objective, also those for differences. A
        fraction is cut off, here and in `maxiter`.
    maxtime : float, default no limit
        Limit on the time, in seconds.
    f_target : float, default -inf
        Stop, without success, once f <= f_target.
    memory : int
        Number of pairs (steps and changes of the gradient) that the quasi-Newton methods keep; if
        n <= 2 memory, in an n x n matrix. Without it their model is for n < 100 an n x n matrix
        that forgets no pair, and for larger n a matrix on the span of the gradients seen, at most
        200 directions and 10^6 numbers (8 MB; with bounds half of that), but at least 40
        directions, and 20 where 40 have more than 2 10^7 numbers or with bounds. `maxcor` is
        another name for it.
    norm : {'shape', 'euclidean'}, default 'shape'
        Norm of the cubic term.
    weight_rule : {'length', 'ranganath'}, default 'length'
        How the cubic weight is adapted: by the length of steps, or by the rule of
        arXiv:2502.12298.
    enriched : bool, default True
        Whether `trust_cg` puts quasi-Newton steps between its Newton steps if they decrease f by
        more for each evaluation. False for `minimize` with a HessianUpdateStrategy as `hess`.
    initial_weight : float
        First cubic weight, finite. Default: 0 with 'length' (the first step is then bounded by
        its length alone), 100 with 'ranganath', where it must be positive.
    initial_trust_radius : float
        Bound on the length of the first step, finite, in the units of x. Default: the norm of
        x0, for quasi-Newton methods and n >= 100 at most ``mean|x0| |g| / max|g|``; at least
        ``1e-4 |f| / |g|``; if x0 is 0, the norm of the widths of bounds that are at most 1e4, or
        without any ``min(1, |g|)``. With constraints ``max(1, max|x0|)``, the largest change of a
        variable, in units of variables if these are unlike; one that is given, like
        `max_trust_radius`, has all of them measured in the units of x.
    max_trust_radius : float, default inf
        Bound on the length of every step.
    finite_diff_rel_step : float or array_like, shape (n,)
        Relative steps of the differences that stand in for a missing derivative; one of a product
        is as much longer as the noise of a gradient by differences demands. Default: by the
        precision in which the function returns its values.
    eps : float or array_like, shape (n,)
        Absolute steps of the forward differences by which a gradient is made if `jac` is None and
        `finite_diff_rel_step` too.
    workers : int, executor or callable, default 1
        Who evaluates the points of a difference, beside each other. A number: so many processes
        (-1: one for each core), which the run makes with the first difference and closes at its
        end. An executor of `concurrent.futures`, or of another library in its form, or a callable
        like `map`: where that calls it. Results are the same bit for bit; see
        ``docs/howto/beyond_one_machine.md``. Not kept in checkpoints.
    noise : float, (float, float) or 'estimate', optional
        Standard deviation of the noise in f; of a pair, the second number is that of the noise in
        the gradient, as the norm of a vector: root of the sum of the variances of its elements.
        Acceptance, the pairs, the steps of differences and the end of a run allow for it, see
        ``docs/howto/noise.md``. 'estimate': found out at the start, by f, and the gradient if
        that is given, at 7 points beside x0, or 14 or 21 if their distance does not suit
        (Moré & Wild 2011, ECnoise). These count as evaluations. Not for runs with constraints;
        'estimate' not for tensors. Default: f is exact but for rounding.
    check_derivatives : bool or float, default False
        Compare the gradient, and the products of `hessp` or `hess`, with differences at x0 before
        the run. If they differ, raise a `quasinewton.objective.DerivativeError` with a table. A
        number is the largest relative error that passes (True: 1e-5, in single precision 5e-3).
        These evaluations are not counted.
    disp : bool, default False
        Print the message and the counts at the end; an `OptimizeWarning` without success.
    verbose : {0, 1, 2, 3}, default 0
        1: as `disp`; 2: a line for every tenth iteration too; 3: for every iteration. If the
        logger ``quasinewton`` is set to INFO, the lines go there, else to stdout.
    return_all : bool, default False
        Keep every accepted point in `result.allvecs`.
    history : bool or 'spectrum', default False
        Keep arrays in `result.history`, with a value for the start and for each iteration.
        'spectrum', for quasi-Newton methods: the spectrum of the model too, as ``eigenvalues``,
        shape (nit + 1, k), increasing, then NaN where there are fewer than k, and ``gamma``, the
        eigenvalue in all other directions.
    model : LinearOperator, optional
        A warm start: `result.hess` of an earlier run in as many variables and of the same dtype,
        whose newest pairs start the model. For quasi-Newton methods.
    check_curvature : bool, default False
        When the gradient has become small, look at the Hessian by at most 40 products (from
        `hessp`, `hess` or differences of gradients), and leave a point that is no minimum; see
        `quasinewton.solver.curvature.Curvature`. The products and trials count. With constraints
        it is about the Hessian of the Lagrangian along those that hold.
    checkpoint : str or path, optional
        File that the run is saved in: at the start, after iterations as the next two options say,
        and at the end, unless an exception ends the run. BlockingIOError if another run is saved
        there.
    checkpoint_every : int, optional
        Iterations between two saves.
    checkpoint_seconds : float, optional
        Seconds between two saves; 60 if `checkpoint_every` is not given either.
    resume : str or path, optional
        Checkpoint to go on from, see `quasinewton.minimize`.
    rule_parameters : dict, default {}
        Changes to the constants of the globalization, see
        `quasinewton.globalization.RuleParameters`.

    Notes
    -----
    None stands for the default of every option. The names of SciPy's methods are taken too:
    ``maxcor`` for `memory`, ``maxfun`` for `maxfev`, ``xrtol`` for `xtol`, ``initial_tr_radius``
    for `initial_trust_radius`. Options of its methods that mean nothing here, as of a line search,
    are passed over, with an `OptimizeWarning` that names them if they are not at their default.
    """

    gtol: float = 1e-5
    constr_tol: float = 1e-7
    grtol: float = 0.0
    xtol: float = 0.0
    ftol: float = 0.0
    maxiter: float | None = None
    maxfev: int | None = None
    maxtime: float = math.inf
    f_target: float = -math.inf
    memory: int | None = None
    norm: str = "shape"
    weight_rule: str = "length"
    enriched: bool = True
    initial_weight: float | None = None
    initial_trust_radius: float | None = None
    max_trust_radius: float = math.inf
    finite_diff_rel_step: float | tuple[float, ...] | None = None
    eps: float | tuple[float, ...] | None = None
    workers: Any = 1
    noise: Any = None
    check_derivatives: bool | float = False
    disp: bool = False
    verbose: int = 0
    return_all: bool = False
    history: bool | str = False
    model: Any = None
    check_curvature: bool = False
    checkpoint: str | None = None
    checkpoint_every: int | None = None
    checkpoint_seconds: float | None = None
    resume: str | None = None
    rule_parameters: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, options: Mapping[str, Any] | None, tol: float | None = None) -> Options:
        """Check the options of a call; unknown ones draw an `OptimizeWarning`.

        Parameters
        ----------
        options : mapping or None
        tol : float, optional
            The value of `gtol` where that is not among the options.

        Raises
        ------
        TypeError, ValueError
            Naming the option, what was given and what is expected.
        """
        values = cls.named(options, tol)
        for name, interval in _RANGES.items():
            if name in values:
                values[name] = _number(name, values[name], *interval)
        for name in _STEPS:
            if name in values:
                values[name] = _steps(name, values[name])
        for name in _SWITCHES:
            if name in values:
                values[name] = _switch(name, values[name])
        for name, choices in _CHOICES.items():
            if name not in values:
                continue
            values[name] = _scalar(values[name])
            if values[name] not in choices:
                raise ValueError(
                    f"option `{name}` must be one of {', '.join(map(repr, choices))}, "
                    f"got {values[name]!r}"
                )
        if "noise" in values:
            values["noise"] = _noise(values["noise"])
        tolerance = values.get("check_derivatives", False)
        if tolerance in (False, True):  # 0 and 1 too
            values["check_derivatives"] = bool(tolerance)
        else:
            values["check_derivatives"] = _number(
                "check_derivatives", tolerance, float, 0.0, True, False
            )  # fmt: skip
        if "workers" in values:
            values["workers"] = as_workers("option `workers`", values["workers"])
        for name in ("checkpoint", "resume"):
            if name in values:
                values[name] = _path(name, values[name])
        if values.get("initial_weight") == 0.0 and values.get("weight_rule") == "ranganath":
            raise ValueError(
                "option `initial_weight` must be > 0 where `weight_rule` is 'ranganath', which "
                "multiplies it, got 0"
            )
        return cls(**values)

    @classmethod
    def named(cls, options: Mapping[str, Any] | None, tol: float | None = None) -> dict[str, Any]:
        """The options that are given, not checked, by their names here and without any None.

        What is unknown, or an option of SciPy's that means nothing here, draws an
        `OptimizeWarning`.
        """
        given = {name: value for name, value in dict(options or {}).items() if value is not None}
        if tol is not None:
            given.setdefault("gtol", tol)
        for alias, name in _ALIASES.items():
            if alias in given:
                value = given.pop(alias)
                if given.setdefault(name, value) != value:
                    raise ValueError(
                        f"options `{alias}` and `{name}` are two names of one, "
                        f"got {value!r} and {given[name]!r}"
                    )
        known = {f.name for f in fields(cls)}
        unknown = [name for name in given if name not in known and name not in _FOREIGN]
        idle = [
            name for name, values in _FOREIGN.items()
            if name in given and _scalar(given[name]) not in values
        ]  # fmt: skip
        if isinstance(_scalar(given.get("norm")), numbers.Real):
            # SciPy's: the order of the norm of the gradient in the test of convergence
            if given.pop("norm") != math.inf:
                idle.append("norm")
        unknown = [f"{name}{_suggestion(name, {*known, *_ALIASES})}" for name in unknown]
        for what, names in (
            ("Unknown solver options", unknown),
            ("Options of other solvers that mean nothing here", idle),
        ):
            if names:
                text = f"{what}: {', '.join(names)}"
                warnings.warn(text, OptimizeWarning, stacklevel=users_level())
        return {name: value for name, value in given.items() if name in known}

    @property
    def f_noise(self) -> float:
        """The noise in f as it is told."""
        return float(self.noise[0]) if isinstance(self.noise, tuple) else 0.0

    @property
    def g_noise(self) -> float:
        """The noise in the gradient as it is told."""
        return float(self.noise[1]) if isinstance(self.noise, tuple) else 0.0

    def __getstate__(self) -> dict[str, Any]:
        """What pickle takes: executors are of one process."""
        workers = self.workers if isinstance(self.workers, int) else 1
        return {**self.__dict__, "workers": workers}

    def state(self) -> dict[str, Any]:
        """The options that a checkpoint keeps, as JSON holds them."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _UNSAVED}


#: (type, least value, least value excluded, infinity allowed)
_RANGES: dict[str, tuple[type, float, bool, bool]] = {
    "gtol": (float, 0.0, False, True),
    "constr_tol": (float, 0.0, False, False),
    "grtol": (float, 0.0, False, True),
    "xtol": (float, 0.0, False, True),
    "ftol": (float, 0.0, False, True),
    "maxiter": (int, 0, False, True),
    "maxfev": (int, 1, False, True),
    "maxtime": (float, 0.0, False, True),
    "f_target": (float, -math.inf, False, True),
    "memory": (int, 1, False, False),
    "initial_weight": (float, 0.0, False, False),
    "initial_trust_radius": (float, 0.0, True, False),
    "max_trust_radius": (float, 0.0, True, True),
    "checkpoint_every": (int, 1, False, False),
    "checkpoint_seconds": (float, 0.0, False, True),
    "verbose": (int, 0, False, False),
}

#: Numbers of which a fraction is cut off.
_CUT = ("maxiter", "maxfev")

#: A number > 0, or one for each variable.
_STEPS = ("finite_diff_rel_step", "eps")

_SWITCHES = ("check_curvature", "disp", "return_all")

_CHOICES: dict[str, tuple[Any, ...]] = {
    "norm": ("shape", "euclidean"),
    "weight_rule": ("length", "ranganath"),
    "enriched": (False, True),
    "history": (False, True, "spectrum"),
}

#: Options that a checkpoint does not keep as such: the pairs of `model` are in its state.
_UNSAVED = ("model", "resume", "workers")

#: What SciPy's methods call some options.
_ALIASES = {
    "maxcor": "memory",
    "maxfun": "maxfev",
    "xrtol": "xtol",
    "initial_tr_radius": "initial_trust_radius",
}

#: Options of SciPy's methods that mean nothing here, and the values with which they say nothing.
_FOREIGN: dict[str, tuple[Any, ...]] = {
    "c1": (1e-4,), "c2": (0.9, 0.4), "maxls": (20,), "iprint": (-1,),  # line searches
    "hess_inv0": (), "eta": (0.15,), "inexact": (True,),
    "subproblem_maxiter": (), "barrier_tol": (1e-8,), "sparse_jacobian": (),
    "factorization_method": (), "initial_constr_penalty": (1.0,),
    "initial_barrier_parameter": (0.1,), "initial_barrier_tolerance": (0.1,),
}  # fmt: skip


def refuse(function: str, unexpected: Mapping[str, Any]) -> None:
    """Raise the TypeError for keywords that a function does not take, and say where they belong.

    Parameters
    ----------
    function : str
        Its name.
    unexpected : mapping
        The keywords and their values.
    """
    known = {f.name for f in fields(Options)}
    code = sys._getframe(1).f_code
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for name, value in unexpected.items():
        close = difflib.get_close_matches(name, (*known, *parameters), n=1)
        message = f"{function}() got an unexpected keyword argument {name!r}"
        if name in known:
            message += f", which is an option: options={{{name!r}: {value!r}}}"
        elif name == "constraints":
            message += ": `quasinewton.minimize` takes constraints"
        elif close and close[0] in parameters:
            message += f" (did you mean {close[0]!r}?)"
        else:
            message += _suggestion(name, known)
        raise TypeError(message)


def _suggestion(name: Any, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean the option {close[0]!r}?)" if close else ""


def users_level() -> int:
    """The `stacklevel` of a warning that points at the line of the user who called this package.

    SciPy's lines, where it calls a method of ours, are not the user's either.
    """
    frame, level = sys._getframe(1), 1
    ours = {__name__.partition(".")[0], "scipy"}
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ours:
        frame, level = frame.f_back, level + 1
    return level


def _path(name: str, value: Any) -> str:
    try:
        return os.path.abspath(os.fsdecode(value))
    except TypeError as error:
        raise TypeError(f"option `{name}` must be a path, got {value!r}") from error


def _scalar(value: Any) -> Any:
    """The number in an array or a tensor that holds one; anything else as it is."""
    if hasattr(value, "item") and not isinstance(value, numbers.Real):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            return value.item()
    return value


def _number(
    name: str, value: Any, kind: type, low: float, open_low: bool, infinite: bool
) -> float | int:
    expected = "an integer" if kind is int else "a number" if infinite else "a finite number"
    value = _scalar(value)
    if not isinstance(value, numbers.Real):
        raise TypeError(f"option `{name}` must be {expected}, got {value!r}")
    number = float(value)
    if math.isnan(number) or number < low or (open_low and number == low) or (
        number == math.inf and not infinite
    ):  # fmt: skip
        relation = ">" if open_low else ">="
        raise ValueError(f"option `{name}` must be {expected} {relation} {low:g}, got {value!r}")
    if kind is float or number == math.inf:
        return number
    if number % 1 != 0 and name not in _CUT:
        raise TypeError(f"option `{name}` must be {expected}, got {value!r}")
    return int(number)


def _switch(name: str, value: Any) -> bool:
    value = _scalar(value)
    if not isinstance(value, numbers.Real):
        raise TypeError(f"option `{name}` must be a bool, got {value!r}")
    return float(value) > 0.0  # SciPy's old methods take an integer for `disp`


def _noise(value: Any) -> str | tuple[float, float]:
    """'estimate', or the noise in f and in the gradient."""
    if isinstance(value, str):
        if value != "estimate":
            raise ValueError(
                f"option `noise` must be a number, a pair of them or 'estimate', got {value!r}"
            )
        return value
    pair = value if isinstance(value, tuple | list) else (value, 0.0)
    if len(pair) != 2:
        raise ValueError(f"option `noise` must have one number or two, got {value!r}")
    f, g = (_number("noise", number, float, 0.0, False, False) for number in pair)
    return f, g


def _steps(name: str, value: Any) -> float | tuple[float, ...]:
    try:
        steps = np.asarray(_scalar(value), np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"option `{name}` must be a number or one for each variable, got {value!r}"
        ) from error
    if steps.ndim > 1 or not (np.isfinite(steps) & (steps > 0.0)).all() or steps.size == 0:
        raise ValueError(
            f"option `{name}` must be a finite number > 0 or one for each variable, got {value!r}"
        )
    return float(steps) if steps.ndim == 0 else tuple(steps.tolist())
