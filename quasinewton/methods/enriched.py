"""Newton steps by conjugate gradients, with quasi-Newton steps between where they pay.

A product with the Hessian costs about as much as a gradient, and a quasi-Newton step one gradient.
Which of the two methods decreases f by more for that is found out on the way: phases of
quasi-Newton steps, each twice as long as the one before, with one Newton step between, which is
followed by others while these do better than the last phase. The pairs of all steps make the
model. Such methods are the enriched ones of Morales & Nocedal (2002).
"""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..saving import part, set_numbers
from .quasi_newton import QuasiNewton
from .recipes import QUASI_NEWTON
from .trust_cg import TrustCG

if TYPE_CHECKING:
    from ..box import Box
    from ..models.model import CompactModel
    from ..options import Options

__all__ = ["Enriched"]

#: Evaluations of the first phase of quasi-Newton steps, and of those after Newton steps that paid.
PHASE = 3
#: Most products of a Newton step where no other was better than quasi-Newton steps.
PRODUCTS = 20
_MOST = 2**30

_QUASI = QUASI_NEWTON["trust_hybrid"]

# What is saved of a run, beside their states.
_NUMBERS = (
    "phase", "spent", "f_middle", "rate", "products", "newton_first", "stuck", "accepted", "rho",
)  # fmt: skip


class Enriched:
    """The state of both methods, and the calls that move them on: those of `TrustCG`.

    Parameters
    ----------
    x0 : array, shape (n,)
        Not kept; its dtype is that of every n-vector.
    f : float
    g : array, shape (n,)
        Objective and gradient at x0, finite.
    options : Options
    """

    def __init__(
        self, x0: Any, f: float, g: Any, options: Options, box: Box | None = None
    ) -> None:
        self._start(QuasiNewton(x0, f, g, _QUASI, options, box), options, box)

    def _start(self, quasi: QuasiNewton, options: Options, box: Box | None) -> None:
        self.options, self.box = options, box
        self.quasi = quasi
        self.newton: TrustCG | None = None  # made when it is wanted first
        self.now: QuasiNewton | TrustCG = quasi
        self.x, self.g, self.trial = quasi.x, quasi.g, quasi.trial
        self.phase = PHASE
        self.spent = 0  # evaluations of this phase, or evaluations and products of a Newton step
        self.f_middle = quasi.f  # at half of this phase
        self.rate = 0.0  # decrease of f an evaluation, in the second half of the last phase
        self.products = PRODUCTS  # that a Newton step may take
        self.newton_first = False  # whether no Newton step of these has been accepted yet
        self.stuck = False  # whether no quasi-Newton step can move x
        self.accepted = False
        self.rho = math.nan

    direction = property(
        attrgetter("now.direction"),
        doc="What to multiply by the Hessian at `x`; None when `trial` is ready.",
    )

    def receive_product(self, hd: Any) -> None:
        """Take the Hessian product of `direction`."""
        assert self.newton is not None
        self.spent += 1
        self.newton.receive_product(hd)
        if self.direction is None and self.stalled and not self.stuck:
            self._begin_quasi(self.newton, pays=False)

    def renew(self, f: float, g: Any) -> None:
        """Go on from `x` with another objective: f and g are its values there."""
        radius = self.now.radius
        self.now = self.quasi
        self.quasi.renew(f, g, radius)
        self.phase, self.spent, self.f_middle = PHASE, 0, f

    def expect(self, precision: float) -> None:
        """Take f to be given in this relative precision."""
        self.quasi.expect(precision)
        if self.newton is not None:
            self.newton.expect(precision)

    def expect_noise(self, f_noise: float, g_noise: float) -> None:
        """Take f and the gradient to have this noise: see the option `noise`."""
        self.quasi.expect_noise(f_noise, g_noise)
        if self.newton is not None:
            self.newton.expect_noise(f_noise, g_noise)

    def needs_gradient(self, f: float) -> bool:
        """Whether `receive` can use the gradient at a trial with this value."""
        return self.now.needs_gradient(f)

    def receive(self, f: float, g: Any, offered: bool = False) -> None:
        """One iteration, as of `QuasiNewton`."""
        method, before = self.now, self.f
        method.receive(f, g, offered)
        self.spent += 1
        self.accepted, self.rho = method.accepted, method.rho
        if method is self.newton:
            self._judge_newton(method, before)
            return
        half = self.phase // 2
        if self.spent == half:
            self.f_middle = self.f
        ended = self.accepted and self.spent >= self.phase
        if (ended or method.stalled) and self.optimality > 0.0:
            since = half if self.spent >= half else 0
            self.rate = max(0.0, self.f_middle - self.f) / max(1, self.spent - since)
            self.stuck = method.stalled
            self._begin_newton()

    def _begin_newton(self) -> None:
        quasi = self.quasi
        if self.newton is None:
            self.newton = TrustCG(self.x, self.f, self.g, self.options, self.quasi, self.box)
        self.products = max(self.products, self.phase)
        self.newton.most = min(self.products, 2 * self.x.shape[0] + 10)
        self.newton.f_scale, self.newton.rho = quasi.f_scale, math.nan
        self.newton.noise = quasi.noise
        self.newton.expect_noise(quasi.f_noise, quasi.g_noise)
        self.newton.go_on(quasi.f, quasi.f_best, quasi.radius)
        self.now, self.spent, self.newton_first = self.newton, 0, True

    def _judge_newton(self, newton: TrustCG, before: float) -> None:
        """Whether another Newton step is to follow."""
        pays = False
        if newton.accepted:
            self.quasi.learn()
            self.stuck = False
            pays = before - newton.f > self.rate * self.spent
            if pays:
                self.phase = PHASE
                self.products = min(2 * self.products, _MOST)
                newton.most = min(self.products, 2 * self.x.shape[0] + 10)
        elif not newton.stalled and self.spent <= 2 * newton.most:
            return  # a shorter step on the same path
        if pays and not newton.stalled:
            self.spent, self.newton_first = 0, False
        else:
            self._begin_quasi(newton, pays)

    def _begin_quasi(self, newton: TrustCG, pays: bool) -> None:
        if self.newton_first and not pays:
            self.phase = min(2 * self.phase, _MOST)
            self.products = PRODUCTS
        self.now, self.spent, self.f_middle = self.quasi, 0, newton.f
        self.quasi.go_on(newton.f, newton.f_best, newton.radius)

    def keep(self, x: Any, f: float, g: Any = math.nan) -> None:
        """Remember a point if it is the lowest, without its gradient where that is not known."""
        self.now.keep(x, f, g)

    def bound(self) -> None:
        """Make the trial anew if it is farther than the options let it be."""
        self.now.bound()

    def current_model(self) -> CompactModel:
        """The model that the pairs of all steps make."""
        return self.quasi.current_model()

    def saved(self) -> dict[str, Any]:
        """All that the iterations to come depend on; arrays are not copies."""
        state = {name: getattr(self, name) for name in _NUMBERS}
        state |= {f"quasi.{k}": v for k, v in self.quasi.saved().items()}
        if self.newton is not None:
            state |= {f"newton.{k}": v for k, v in self.newton.saved().items()}
            state["by_newton"] = self.now is self.newton
        return state

    @classmethod
    def restore(
        cls, state: dict[str, Any], options: Options, box: Box | None = None
    ) -> Enriched:
        """The method that was `saved`; ValueError where it cannot be one."""
        quasi = QuasiNewton.restore(part(state, "quasi."), _QUASI, options, box)
        method = cls.__new__(cls)
        method._start(quasi, options, box)
        set_numbers(method, _NUMBERS, state)
        newton = part(state, "newton.")
        if newton:
            method.newton = TrustCG.restore(newton, options, quasi, box)
            if state["by_newton"]:
                method.now = method.newton
        return method

    f = property(attrgetter("now.f"), doc="Objective at `x`.")
    optimality = property(
        attrgetter("now.optimality"), doc="Largest absolute component of the gradient at `x`."
    )
    stalled = property(
        attrgetter("now.stalled"), doc="Whether the next trial cannot be told from `x`."
    )
    step_norm = property(attrgetter("now.step_norm"), doc="Length of the step to `trial`.")
    predicted = property(
        attrgetter("now.predicted"), doc="Decrease that the model predicts for the step to `trial`."
    )
    weight = property(attrgetter("now.radius"), doc="The trust radius.")
    best = property(
        attrgetter("now.best"),
        doc="The point of least f, with its f and gradient, NaN if that is not known.",
    )
