"""Trust-region Newton with Steihaug's conjugate gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..globalization import (
    IDLE,
    NOISE,
    RuleParameters,
    count_idle,
    first_length,
    interpolate,
    is_clear,
    judge,
    level,
    next_length,
    ratio,
    room,
    term_size,
)
from ..kernels import EPS, TINY
from ..saving import fill, set_numbers
from ..subproblems.projected_cg import ProjectedCG
from ..subproblems.steihaug import SteihaugCG
from ..vectors import copy, largest_number, move, norm2, norms, projected_norms, zeros

if TYPE_CHECKING:
    from ..box import Box
    from ..options import Options
    from .quasi_newton import QuasiNewton

__all__ = ["TrustCG"]

#: CG stops at a residual of the first fraction of |g| where the last ratio of actual to predicted
#: reduction was within CLOSE of 1, else at the second, and after ten products at the second anyhow:
#: a better minimiser of the model pays where the model is right, and many products seldom do.
#: Forcing terms by this ratio are those of An, Mo & Liu (2007); the numbers are chosen on the
#: problems of benchmarks/.
FORCING, LOOSE_FORCING, CLOSE = 0.1, 0.3, 0.05

# What is saved of a run, beside the state of CG.
_ARRAYS = ("x", "g", "trial", "x_best", "g_best")
_NUMBERS = (
    "f", "f_scale", "noise", "optimality", "residual", "g_norm", "f_best", "radius", "rho",
    "accepted", "stalled", "most", "f_noise", "g_noise", "g_least", "f_least", "idle",
)  # fmt: skip


class TrustCG:
    """The state of the method, and the calls that move it on.

    Where `direction` is an array the method waits for `receive_product(H d)`, H the
    Hessian at `x`; else for `receive(f, g)` at `trial`.

    Parameters
    ----------
    x0 : array, shape (n,)
        Not kept; its dtype is that of every n-vector.
    f : float
    g : array, shape (n,)
        Objective and gradient at x0, finite.
    options : Options
    beside : QuasiNewton, optional
        A method at x0 whose arrays it shares, and whose model gets the pairs of its steps.
    box : Box, optional
        Bounds on the variables, which x0 keeps, and every trial.
    """

    def __init__(
        self, x0: Any, f: float, g: Any, options: Options,
        beside: QuasiNewton | None = None, box: Box | None = None,
    ) -> None:  # fmt: skip
        if beside is None:
            self.x, self.g, self.trial, self.x_best, self.g_best = zeros((5, x0.shape[0]), x0)
            self.x[...], self.g[...], self.trial[...] = x0, g, x0
        else:
            for name in _ARRAYS:
                setattr(self, name, getattr(beside, name))
        self.pairs = None if beside is None else beside.model
        self.box = box
        self.f, self.f_scale, self.noise = f, abs(f), NOISE
        self.f_noise, self.g_noise = options.f_noise, options.g_noise
        self.g_least, self.f_least, self.idle = math.inf, f, 0  # as in `QuasiNewton`
        self.optimality, self.residual, self.g_norm = self._norms(self.x, self.g)
        self.f_best = math.inf
        self.parameters = RuleParameters(**options.rule_parameters)
        self.rule = self.parameters.record()
        self.most = 2 * x0.shape[0] + 10  # products a point
        self.cg: Any = SteihaugCG(self.x)
        if box is not None:
            self.cg = ProjectedCG(self.x, box.lower, box.upper)
        # The radius is the unit of CG's points, which have the dtype of x0.
        self.radius_max = min(options.max_trust_radius, 0.1 * largest_number(self.x))
        size = norm2(self.x)
        if size == 0.0 and box is not None:
            size = room(box.lower, box.upper)
        radius = options.initial_trust_radius or first_length(size, f, self.g_norm)
        self.radius = min(radius, self.radius_max)
        self.rho = math.nan
        self.accepted = False
        self.stalled = False
        self._prepare()

    @property
    def direction(self) -> Any:
        """What to multiply by the Hessian at `x`; None when `trial` is ready."""
        return self.cg.direction

    def receive_product(self, hd: Any) -> None:
        """Take the Hessian product of `direction`."""
        self.cg.receive(hd)
        if self.cg.direction is None:
            self._set_trial()

    def renew(self, f: float, g: Any) -> None:
        """Go on from `x` with another objective: f and g are its values there."""
        self.g[...] = g
        self.f_scale, self.g_least, self.f_least, self.idle = abs(f), math.inf, f, 0
        self.go_on(f, math.inf, self.radius)

    def go_on(self, f: float, f_best: float, radius: float) -> None:
        """Go on where `x` and `g` have been changed from outside."""
        if f < self.f_least - level(self.f_noise):
            self.g_least, self.f_least, self.idle = math.inf, f, 0
        self.f, self.f_best = f, f_best
        self.optimality, self.residual, self.g_norm = self._norms(self.x, self.g)
        self.radius = max(min(radius, self.radius_max), TINY)
        self.stalled = False
        self._prepare()

    def needs_gradient(self, f: float) -> bool:
        """Whether `receive` can use the gradient at a trial with this value."""
        rho, _, in_noise = self._ratio(f)
        return bool(rho > self.parameters.accept or in_noise)

    def receive(self, f: float, g: Any, offered: bool = False) -> None:
        """One iteration, as of `QuasiNewton`."""
        if offered and not self.needs_gradient(f):
            g = None
        cg = self.cg
        g_max = residual = g_norm = math.nan
        if g is not None:
            g_max, residual, g_norm = self._norms(self.trial, g)
        rho, small, in_noise = self._ratio(f)
        constants = self.parameters
        accepted, meaningful = judge(
            rho, in_noise, self.residual, residual, constants.accept, constants.good
        )
        if g is not None and not math.isfinite(g_max):
            rho = -math.inf
        again, self.rho, self.accepted = self.rho == -math.inf, rho, accepted
        shrink = interpolate(
            self.f, f, cg.slope, self.parameters.shrink_min, self.parameters.shrink_max
        )
        if again and not math.isfinite(f):
            shrink *= 0.2  # f may be far from where it is finite
        if meaningful:
            radius = next_length(
                self.radius, cg.length, rho, accepted, shrink, not cg.negative_curvature, self.rule
            )
            self.radius = max(min(radius, self.radius_max), TINY)
        if self.f_noise > 0.0:
            self.idle, self.g_least, self.f_least = count_idle(
                self.idle, (self.g_least, self.f_least), f, residual, (accepted, small),
                self.f_noise,
            )  # fmt: skip
        if not accepted:
            self.keep(self.trial, f)
            cg.recut(self.radius)
            self._set_trial()
            return
        assert g is not None
        if f > self.f and self.f <= self.f_best:  # within roundoff, for a smaller gradient
            self.f_best = self.f
            copy(self.x, self.x_best)
            copy(self.g, self.g_best)
        if self.pairs is not None and (
            self.g_noise == 0.0 or is_clear(self.x, self.trial, self.g, g, self.g_noise)
        ):
            self.pairs.push(self.x, self.trial, self.g, g)
        copy(self.trial, self.x)
        copy(g, self.g)
        self.f_scale = term_size(self.f_scale, rho, small)
        self.f, self.optimality, self.residual, self.g_norm = f, g_max, residual, g_norm
        self._prepare()

    def _norms(self, x: Any, g: Any) -> tuple[float, float, float]:
        """max|x - P(x - g)|_i and |x - P(x - g)|, and |g| where no bound holds the variable."""
        if self.box is not None:
            return projected_norms(x, g, self.box.lower, self.box.upper)  # type: ignore[no-any-return]
        g_max, g_norm = norms(g)
        return g_max, g_norm, g_norm

    def _ratio(self, f: float) -> Any:
        given = self.f_noise
        return ratio(
            self.f, f, self.cg.predicted, self.f_scale, self.noise, level(given), given
        )

    def expect(self, precision: float) -> None:
        """Take f to be given in this relative precision."""
        self.noise = precision / EPS * NOISE

    def expect_noise(self, f_noise: float, g_noise: float) -> None:
        """Take f and the gradient to have this noise: see the option `noise`."""
        self.f_noise, self.g_noise = f_noise, g_noise

    def keep(self, x: Any, f: float, g: Any = math.nan) -> None:
        """Remember a point if it is the lowest, without its gradient where that is not known."""
        if math.isfinite(f) and f < min(self.f, self.f_best):
            self.f_best = math.inf  # an interrupt may come between
            copy(x, self.x_best)
            self.g_best[...] = g
            self.f_best = f

    def bound(self) -> None:
        """Make the trial anew if it is farther than the options let it be."""
        if self.radius > self.radius_max:
            self.go_on(self.f, self.f_best, self.radius)

    def saved(self) -> dict[str, Any]:
        """All that the iterations to come depend on; arrays are not copies."""
        shared = self.pairs is not None
        arrays = {} if shared else {name: getattr(self, name) for name in _ARRAYS}
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return arrays | numbers | {f"cg.{k}": v for k, v in self.cg.saved().items()}

    @classmethod
    def restore(
        cls, state: Mapping[str, Any], options: Options, beside: QuasiNewton | None = None,
        box: Box | None = None,
    ) -> TrustCG:  # fmt: skip
        """The method that was `saved`; ValueError where it cannot be one."""
        if beside is None:
            (n,) = state["x"].shape
            method = cls(state["x"], 0.0, zeros((n,), state["x"]), options, box=box)
            for name in _ARRAYS:
                fill(getattr(method, name), name, state)
        else:
            method = cls(beside.x, 0.0, beside.g, options, beside, box)
        set_numbers(method, _NUMBERS, state)
        method.cg.restore({k.removeprefix("cg."): v for k, v in state.items()}, method.g)
        return method

    def _prepare(self) -> None:
        if self.optimality == 0.0:
            return
        forcing = LOOSE_FORCING if abs(self.rho - 1.0) > CLOSE else FORCING
        self.cg.prepare(self.g, self.g_norm, self.radius, forcing, self.most, LOOSE_FORCING)

    def _set_trial(self) -> None:
        if self.box is not None:
            moved = self.cg.move(self.trial)
        else:
            moved = move(self.x, self.cg.step, self.trial)
        self.stalled = not (moved and self.cg.predicted > 0.0 and self.idle < IDLE)

    @property
    def step_norm(self) -> float:
        """Length of the step to `trial`."""
        return float(self.cg.length)

    @property
    def predicted(self) -> float:
        """Decrease that the model predicts for the step to `trial`."""
        return float(self.cg.predicted)

    @property
    def weight(self) -> float:
        """The trust radius."""
        return self.radius

    @property
    def best(self) -> tuple[Any, float, Any]:
        """The point of least f, with its f and gradient, NaN if that is not known."""
        if self.f_best < self.f:
            return self.x_best, self.f_best, self.g_best
        return self.x, self.f, self.g
