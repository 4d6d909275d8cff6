"""The options of every method: names, defaults, checks."""

from __future__ import annotations

import math
import numbers
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from scipy.optimize import OptimizeWarning

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What `options` may hold, with the defaults.

    Attributes
    ----------
    gtol : float, default 1e-5
        Converged when ``max|g_i| <= gtol`` ...
    grtol : float, default 0
        ... or when ``max|g_i|`` is at most grtol times its value at x0.
    xtol, ftol : float, default 0
        Stop, without success, after an accepted step s with ``|s| <= xtol (xtol + |x|)``, or
        with a decrease of at most ``ftol max(|f|, |f_new|)``.
    maxiter : int, default max(1000, 200 n)
        Limit on the number of iterations, which are trial steps, also rejected ones.
    maxfev : int, default no limit
        Limit on the number of evaluations of the objective, also those for differences.
    maxtime : float, default no limit
        Limit on the time, in seconds.
    f_target : float, default -inf
        Stop, without success, once f <= f_target.
    memory : int
        Number of pairs (steps and changes of the gradient) that the quasi-Newton methods keep.
        Default: for n < 100 all of them, in an n x n matrix; else 10. If n <= 2 memory, they
        are kept in an n x n matrix too. `maxcor` is another name for it.
    norm : {'shape', 'euclidean'}, default 'shape'
        Norm of the cubic term.
    weight_rule : {'length', 'ranganath'}, default 'length'
        How the cubic weight is adapted: by the length of steps, or by the rule of
        arXiv:2502.12298.
    enriched : bool, default True
        Whether `trust_cg` puts quasi-Newton steps between its Newton steps if they decrease f by
        more for each evaluation. False for `minimize` with a HessianUpdateStrategy as `hess`.
    initial_weight : float
        First cubic weight. Default: 0 with 'length' (the first step is then bounded by its length
        alone), 100 with 'ranganath'.
    initial_trust_radius : float
        Bound on the length of the first step, in the units of x. Default: the norm of x0, or
        ``min(1, |g|)`` if that is 0.
    max_trust_radius : float, default inf
        Bound on the length of every step.
    finite_diff_rel_step : float
        Relative step of the differences that stand in for a missing derivative.
    check_derivatives : bool, default False
        Compare the gradient, and the products of `hessp` or `hess`, with differences at x0 before
        the run. If they differ, raise a `quasinewton.objective.DerivativeError` with a table.
        These evaluations are not counted.
    disp : bool, default False
        Print the message and the counts at the end.
    verbose : {0, 1, 2, 3}, default 0
        1: as `disp`; 2: a line for every tenth iteration too; 3: for every iteration. If the
        logger ``quasinewton`` is set to INFO, the lines go there, else to stdout.
    return_all : bool, default False
        Keep every accepted point in `result.allvecs`.
    history : bool or 'spectrum', default False
        Keep arrays in `result.history`, with a value for the start and for each iteration.
        'spectrum', for quasi-Newton methods: the spectrum of the model too, as ``eigenvalues``,
        shape (nit + 1, n or 2 memory), increasing, then NaN, and ``gamma``, the eigenvalue in
        all other directions.
    model : LinearOperator, optional
        A warm start: `result.hess` of an earlier run in as many variables and of the same dtype,
        whose newest pairs start the model. For quasi-Newton methods.
    check_curvature : bool, default False
        When the gradient has become small, look at the Hessian by at most 40 products (from
        `hessp`, `hess` or differences of gradients), and leave a point that is no minimum; see
        `quasinewton.solver.curvature.Curvature`. The products and trials count.
    checkpoint : str or path, optional
        File that the run is saved in: at the start, after iterations as the next two options say,
        and at the end, unless an exception ends the run.
    checkpoint_every : int, optional
        Iterations between two saves.
    checkpoint_seconds : float, optional
        Seconds between two saves; 60 if `checkpoint_every` is not given either.
    resume : str or path, optional
        Checkpoint to go on from, see `quasinewton.minimize`.
    rule_parameters : dict, default {}
        Changes to the constants of the globalization, see
        `quasinewton.globalization.RuleParameters`.
    """

    gtol: float = 1e-5
    grtol: float = 0.0
    xtol: float = 0.0
    ftol: float = 0.0
    maxiter: int | None = None
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
    finite_diff_rel_step: float | None = None
    check_derivatives: bool = False
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
        given = dict(options or {})
        if "maxcor" in given:
            given.setdefault("memory", given.pop("maxcor"))
            given.pop("maxcor", None)
        if tol is not None:
            given.setdefault("gtol", tol)
        known = {f.name for f in fields(cls)}
        unknown = [name for name in given if name not in known]
        if unknown:
            warnings.warn(
                f"Unknown solver options: {', '.join(unknown)}", OptimizeWarning, stacklevel=4
            )
        values = {name: given[name] for name in given if name in known}
        for name in _OPTIONAL:
            if name in values and values[name] is None:
                del values[name]
        for name, (kind, low, open_low) in _RANGES.items():
            if name in values:
                values[name] = _number(name, values[name], kind, low, open_low)
        for name, choices in _CHOICES.items():
            if name in values and values[name] not in choices:
                raise ValueError(
                    f"option `{name}` must be one of {', '.join(map(repr, choices))}, "
                    f"got {values[name]!r}"
                )
        for name in ("checkpoint", "resume"):
            if values.get(name) is not None:
                values[name] = _path(name, values[name])
        return cls(**values)

    def state(self) -> dict[str, Any]:
        """The options that a checkpoint keeps, as JSON holds them."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _UNSAVED}


#: (type, least value, least value excluded)
_RANGES: dict[str, tuple[type, float, bool]] = {
    "gtol": (float, 0.0, False),
    "grtol": (float, 0.0, False),
    "xtol": (float, 0.0, False),
    "ftol": (float, 0.0, False),
    "maxiter": (int, 0, False),
    "maxfev": (int, 1, False),
    "maxtime": (float, 0.0, False),
    "f_target": (float, -math.inf, False),
    "memory": (int, 1, False),
    "initial_weight": (float, 0.0, False),
    "initial_trust_radius": (float, 0.0, True),
    "max_trust_radius": (float, 0.0, True),
    "finite_diff_rel_step": (float, 0.0, True),
    "checkpoint_every": (int, 1, False),
    "checkpoint_seconds": (float, 0.0, False),
    "verbose": (int, 0, False),
}

_CHOICES: dict[str, tuple[Any, ...]] = {
    "norm": ("shape", "euclidean"),
    "weight_rule": ("length", "ranganath"),
    "enriched": (False, True),
    "history": (False, True, "spectrum"),
}

#: Options that a checkpoint does not keep: the pairs of `model` are in its state.
_UNSAVED = ("model", "resume")

#: Options for which None means the default.
_OPTIONAL = (
    "maxiter", "maxfev", "maxtime", "f_target", "memory", "initial_weight",
    "initial_trust_radius", "max_trust_radius", "finite_diff_rel_step", "gtol", "grtol",
    "checkpoint_every", "checkpoint_seconds",
)  # fmt: skip


def _path(name: str, value: Any) -> str:
    try:
        return os.path.abspath(os.fsdecode(value))
    except TypeError as error:
        raise TypeError(f"option `{name}` must be a path, got {value!r}") from error


def _number(name: str, value: Any, kind: type, low: float, open_low: bool) -> float | int:
    expected = "an integer" if kind is int else "a number"
    if not isinstance(value, numbers.Real) or (
        kind is int and not isinstance(value, numbers.Integral) and float(value) % 1 != 0
    ):
        raise TypeError(f"option `{name}` must be {expected}, got {value!r}")
    number: float | int = int(float(value)) if kind is int else float(value)
    if math.isnan(number) or number < low or (open_low and number == low):
        relation = ">" if open_low else ">="
        raise ValueError(f"option `{name}` must be {expected} {relation} {low:g}, got {value!r}")
    return number
