"""Sequential quadratic programming: the models and lengths of the other methods, with constraints.

An iteration minimises the model of the Lagrangian, with the constraints linearised, in the box and
the length, see `subproblems.penalized`; the trial is judged by an exact penalty. A step that
the curvature of the constraints spoils (Maratos 1978) is corrected once by their values there
(Nocedal & Wright 2006, section 18.3; Fletcher 1982).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..box import violations
from ..globalization import NOISE, WIDEST, judge, ratio
from ..kernels import CUBE, EPS, TINY, patient
from ..saving import check_shape, fill, set_numbers
from ..subproblems.penalized import penalized_workspace, sizes_of_products, solve_penalized
from ..vectors import max_abs, projected_norms
from .lagrangian import LagrangianByPairs, LagrangianByProducts
from .tangent import Tangent, row_space

if TYPE_CHECKING:
    from ..box import Box
    from ..models.model import CompactModel
    from ..options import Options
    from .recipes import Recipe

__all__ = ["SQP", "solve_subproblem"]

solve_subproblem: Any = patient(solve_penalized, 0, CUBE)
_sizes_of_products: Any = patient(sizes_of_products, 1, CUBE)


#: Ratios above which a trial is accepted, a corrected one is, and from which on a step is good.
_ACCEPT, _CORRECTED, _GOOD, _EXCELLENT, _POOR = 0.05, 0.1, 0.75, 0.9, 0.25
#: Factors on the length: after a good step that it held back, and a better one; after a rejected
#: one, and one whose trial is far from what was predicted or not finite; after a poor one.
_GROW, _GROW_MORE, _SHRINK, _SHRINK_MORE, _TIGHTEN = 2.0, 3.0, 0.4, 0.25, 0.5
#: Weights of constraints that are to be met, in units of the gradient of f beside theirs; what the
#: first and the least ones are; by how much more than a multiplier they are.
_FIRM, _LEAST, _MORE = 1e4, 0.1, 1.1
#: Where the constraints cannot be met within the length, the weights grow until the violation falls
#: by this part of what it can.
_STEERING = 0.5
#: Part of the violation that may remain where the linearised constraints count as met.
_MET = 1e-6
#: What is missed of a constraint, beside the terms of its sum, that cannot be told from none.
_ROUNDOFF = 1e-12
#: ... and beside the tolerance; how exactly the linearised ones are met.
_TINY, _EXACT = 1e-2, 1e-4
#: By how much more than roundoff a constraint that is kept is met; halvings of steps that miss it.
_INSIDE, _HALVINGS = 4.0, 40
#: A constraint that is as near to its side, beside its size, is active where directions are sought.
_NEAR = 1e-6
#: A length, beside |x|, in which the multipliers at x can be seen.
_WIDE = 1e-3
#: Part of its weight from which on a multiplier is that.
_FREE = 0.999
#: Smaller boxes that are tried where a step of the subproblem gains nothing.
_RETRIES = 3
#: Steps in a row that add to the violation, after which no weight falls; the least part of it that
#: stays of a weight while constraints are missed.
_DRIFT, _SLOWLY = 2, 0.1
#: How often a stationary point of the violation is left, the part of the violation at the one
#: before that it may have, and how far from it a run goes on, beside the variables.
_LEAVES, _LEFT, _BESIDE = 3, 0.9, 1e-2
#: Rows of a matrix that are factorised at a time.
_LONG = 10_000
#: How many times larger one variable is than another in units that are not alike.
_UNLIKE = 1e3
#: A step, beside |x|, at the end of a run.
_SHORT = 1e-6
#: B is I before the first pair, as of most codes, but for an f whose unit is so far from that.
_FAR_FROM_ONE = 1e3
#: Projected gradient of the model, beside |g|, at its minimiser.
_TOLERANCE = 1e-10
#: Where the violation cannot fall by this part of itself in the length, nor the penalty, it is
#: least.
_STATIONARY = 1e-7

_ARRAYS = (
    "x", "g", "c", "jac", "trial", "x_best", "g_best", "c_best", "v", "weights", "lengths", "s",
    "multipliers", "kept", "holds", "units",
)  # fmt: skip
_NUMBERS = (
    "f", "f_best", "violation_best", "violation", "optimality", "radius", "rho", "accepted",
    "stalled", "infeasible", "step_norm", "predicted", "steepest", "noise", "corrected",
    "rejected_rho", "met", "drift", "leaves", "leaving", "violation_left",
)  # fmt: skip


def _units(x: Any, box: Box | None) -> Any:
    """What variables are measured in: the width of their bounds, else |x0| but at least 1.

    All ones where these are alike. Else divided by their geometric mean, since only what variables
    are to each other counts, and rounded to powers of two, by which nothing is rounded.
    """
    units = np.maximum(1.0, abs(x.astype(np.float64)))
    free = np.ones(x.size, np.bool_)
    if box is not None:
        width = box.upper.astype(np.float64) - box.lower
        bounded = (width > 0.0) & (width <= WIDEST * units)
        units[bounded] = width[bounded]
        free = width > 0.0
    if units[free].max(initial=0.0) < _UNLIKE * units[free].min(initial=math.inf):
        return np.ones(x.size)
    exponents = np.log2(units)
    return 2.0 ** np.round(exponents - exponents.mean())


class SQP:
    """The state of the method, and the calls that move it on.

    Before each `receive`, and at the start, the constraints at the point are given by `see`.

    Parameters
    ----------
    x0 : array, shape (n,)
        Not kept; its dtype is that of every n-vector of points.
    f : float
    g : array, shape (n,)
        Objective and gradient at x0, finite.
    recipe : Recipe
    options : Options
    box : Box or None
    sides : array, shape (2, p)
        The constraints are ``sides[0] <= c <= sides[1]``.
    c : array, shape (p,)
    jac : array, shape (p, n)
        The constraints at x0 and their Jacobian, finite.
    kept : array of bool, shape (p,), optional
        Linear constraints that x0 meets, and every trial does.
    kept : array of bool, shape (p,), optional
        Which constraints, linear ones, no trial may miss. x0 does not.

    Attributes
    ----------
    v : array, shape (p,)
        Multipliers: the Lagrangian is f + v.c, so v_i > 0 only at an upper side.
    weights : array, shape (p,)
        Of the violations in the penalty.
    violation : float
        The largest by which a constraint is missed at `x`.
    optimality : float
        max|x - P(x - g - J^T v)|, or the largest ``min(|v_i|, distance of c_i from its side)``.
    infeasible : bool
        Whether the violation seems to have a minimum that is not 0 at `x`.
    leaving : bool
        Whether the trial is a point beside such an `x`, which is moved to whatever f is there.
    """

    def __init__(
        self, x0: Any, f: float, g: Any, recipe: Recipe, options: Options, box: Box | None,
        sides: np.ndarray, c: np.ndarray, jac: np.ndarray, kept: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        n, p = x0.shape[0], c.shape[0]
        # Of these there is one, which `hessian` is.
        self.pairs: LagrangianByPairs | None = None
        self.products: LagrangianByProducts | None = None
        self.hessian: LagrangianByPairs | LagrangianByProducts
        if recipe.second:
            self.hessian = self.products = LagrangianByProducts(n, x0.dtype, options)
        else:
            self.hessian = self.pairs = LagrangianByPairs(n, x0.dtype, recipe, options)
        self._held: tuple[Any, Callable[[Any], Any]]
        self._least_step: Any
        self.sides, self.box = sides, box
        self.kept = np.zeros(p, np.bool_) if kept is None else kept
        self.holds = np.zeros(p, np.bool_)
        self._inside = bool(self.kept.any())
        self.limit = options.constr_tol
        self.x, self.g, self.trial = np.zeros((3, n), x0.dtype)
        # Without memory of their own until there is one: mostly `x` is the best point.
        self.x_best, self.g_best = np.broadcast_to(x0.dtype.type(0), (2, n))
        self.x[...], self.g[...], self.trial[...] = x0, g, x0
        self.c, self.c_best = c.copy(), np.full(p, math.nan)
        self.jac = np.array(jac)
        self.v, self.weights, self.multipliers = np.zeros((3, p))
        self.lengths = np.zeros(p)  # the largest |grad c_i| seen
        self.s = np.zeros(n)
        scalable = self.pairs is not None and self.pairs.dense
        self.units: Any = np.ones(n if scalable else 1)
        given = options.initial_trust_radius is not None or options.max_trust_radius < math.inf
        if scalable and not given:  # such lengths are in the units of x
            self.units = _units(self.x, box)
        self._take_units()
        self._seen: tuple[Any, Any] = c, None
        self._judged: tuple[float, Any] | None = None  # f there, and its ratio
        # At x, and not saved: the sizes of the constraints' terms, what of them is roundoff, and by
        # how much more than that each is missed.
        self._sizes, self._little, self._now = np.zeros((3, p))
        self._step_box = np.zeros((2, n))
        self._work = penalized_workspace(n, p, len(self.hessian.matrix), self.hessian.dense)
        # Between the subproblems: each n-vector made anew would be one more that a run holds.
        self._scratch = self._work[0]
        self.f, self.f_best, self.violation_best = float(f), math.inf, math.inf
        self.violation = self._largest(self.c)
        self.noise = NOISE
        self.rho, self.rejected_rho = math.nan, -math.inf
        self.drift = self.leaves = 0
        self.violation_left = math.inf
        self.leaving = False
        self.accepted = self.stalled = self.infeasible = self.corrected = self.met = False
        self.step_norm = self.predicted = self.optimality = 0.0
        self.steepest = max_abs(self._by_units(self.g)) or 1.0
        radius = options.initial_trust_radius or max(1.0, self._size(self.x))
        self.radius_max = options.max_trust_radius
        self.radius = min(radius, self.radius_max)
        usual = self.steepest / self.radius
        self.hessian.begin(min(max(1.0, usual / _FAR_FROM_ONE), usual * _FAR_FROM_ONE))
        self._prepare()
        if self.products is not None:  # that step has told multipliers
            self.v[...] = self.multipliers
            self._look()

    @property
    def direction(self) -> Any:
        """What to multiply by the Hessian of the Lagrangian at `x` and `v`, or None."""
        return self.hessian.direction

    def receive_product(self, hd: Any) -> None:
        """Take the Hessian product of `direction`."""
        assert self.products is not None
        self.products.receive(hd, *self._held)
        if self.direction is None:
            self._prepare()

    @property
    def wants_whole(self) -> bool:
        """Whether `receive_whole` will do in the place of the products to come."""
        products = self.products
        return products is not None and products.dense and products.count == 0

    def receive_whole(self, matrix: Any) -> None:
        """Take the Hessian of the Lagrangian, shape (n, n), in the place of products with it."""
        assert self.products is not None
        self.products.receive_whole(matrix)
        self._prepare()

    def _look(self) -> None:
        """Have B brought up to date at a new `x`, and make the step then."""
        if self.products is None:
            assert self.pairs is not None
            self.pairs.renew()
            self._prepare()
            return
        self.infeasible = self.stalled = False
        self._set_optimality()
        # What is missed has its weight as a multiplier, and is but a term of the objective.
        np.logical_or(self.v != 0.0, self.sides[0] == self.sides[1], out=self.holds)
        self.holds &= abs(self.v) < _FREE * self.weights
        self._hold()
        slope, project = self._held
        self.products.ask(slope, self._least_step, project)
        if self.direction is None:
            self._prepare()

    def see(self, c: Any, jac: Any) -> None:
        """Take the constraints, and their Jacobian or None, at `trial`."""
        self._seen = c, jac
        if jac is None:  # else of the same point
            self._judged = None

    @np.errstate(all="ignore")
    def needs_gradient(self, f: float) -> bool:
        """Whether `receive` can use the gradient and the Jacobian at a trial with this value.

        The values of the constraints there have been seen.
        """
        rho, _, in_noise = self._ratio(f)
        return bool(self.leaving or in_noise or rho > self._least())

    @np.errstate(all="ignore")
    def receive(self, f: float, g: Any, offered: bool = False) -> None:
        """One iteration, from f and g at `trial`, or None for g, and what was seen there."""
        c, jac = self._seen
        self._seen = c, None  # whose rows would be others beside those of the next point
        known = g is not None and jac is not None
        known = known and bool(np.isfinite(g).all() and np.isfinite(jac).all())
        rho, _, in_noise = self._ratio(f)
        finite = rho > -math.inf
        residuals = math.nan, math.nan
        if known:
            residuals = (
                self._residual(self.x, self.g, self.c, self.jac),
                self._residual(self.trial, g, c, jac),
            )
        elif g is not None:
            rho, finite = -math.inf, False
        accepted, meaningful = judge(
            rho, in_noise, residuals[0], residuals[1], self._least(), _GOOD
        )
        self.rho, self.accepted = rho, accepted
        length = self._size(np.subtract(self.trial, self.x, out=self._scratch[0]))
        if self.leaving:
            self.leaving, self.accepted = False, known
            if known:
                self._move(f, g, c, jac)
                self._look()
            else:
                self.keep(self.trial, f)
                self.stalled = True
            return
        if accepted:
            if self.pairs is not None:
                self._push(self.pairs, g, jac)
            change = self._missed(c, self._little) - self._now
            self.drift = self.drift + 1 if self._measure() @ change > 0.0 else 0
            self._move(f, g, c, jac)
            if meaningful:
                self._adapt(rho, length)
            self._look()
            return
        self.keep(self.trial, f)
        if self.corrected:
            self.corrected = False
            rho, length = self.rejected_rho, self._size(self.s)
        elif finite and self._correction(c):
            self.corrected, self.rejected_rho = True, rho
            return
        factor = _SHRINK if rho >= -1.0 else _SHRINK_MORE
        self.radius = max(factor * length, TINY)
        self._prepare()

    def _least(self) -> float:
        return max(_CORRECTED, self.rejected_rho) if self.corrected else _ACCEPT

    def _move(self, f: float, g: Any, c: Any, jac: Any) -> None:
        if self._is_better(self.f, self.violation, f, self._largest(c)):
            self._remember(self.x, self.f, self.g, self.c)
        self.x[...], self.g[...] = self.trial, g
        self.c[...], self.jac[...] = c, jac
        self.f, self.violation = f, self._largest(c)
        self.v[...] = self.multipliers
        self.corrected = False

    def _adapt(self, rho: float, length: float) -> None:
        if rho > _GOOD and length >= 0.8 * self.radius:
            self.radius *= _GROW if rho < _EXCELLENT else _GROW_MORE
        elif rho < _POOR:
            self.radius = max(_TIGHTEN * length, 0.25 * self.radius)
        self.radius = min(self.radius, self.radius_max)

    def _push(self, pairs: LagrangianByPairs, g: Any, jac: Any) -> None:
        """The pair of the step to `trial` and the change of the gradient of the Lagrangian."""
        old = self._slope(self.g, self.multipliers, self.jac, self._scratch[0])
        new = self._slope(g, self.multipliers, jac, self._scratch[1])
        dtype = self.x.dtype
        pairs.push(
            self.x, self.trial, old.astype(dtype, copy=False), new.astype(dtype, copy=False),
            self._scratch[2:],
        )  # fmt: skip

    def _slope(self, g: Any, v: Any, jac: Any, out: Any) -> Any:
        """The gradient of the Lagrangian, g + J^T v, in `out`."""
        return np.add(g, np.matmul(v, jac, out=out), out=out)

    def _hold(self) -> None:
        """The gradient of the Lagrangian, the least step to what is to hold, and how to keep that.

        `_held` and `_least_step` are not saved, but made again.
        """
        gradient = self.g + self.v @ self.jac
        free = np.ones(self.x.size, np.bool_)
        if self.box is not None:
            free = self.box.free(self.x, gradient)
        holds = self.holds
        side = np.where(self.v > 0.0, self.sides[1], self.sides[0])
        rows = np.where(free, self.jac[holds], 0.0)
        sizes = np.linalg.norm(rows, axis=1)
        rows = rows[sizes > 0.0] / sizes[sizes > 0.0, None]
        u, values, across = row_space(rows)
        missed = ((side - self.c)[holds][sizes > 0.0]) / sizes[sizes > 0.0]
        self._least_step = ((missed @ u) / values) @ across

        def project(v: Any) -> Any:
            along = np.where(free, v, 0.0)
            return along - (along @ across.T) @ across

        self._held = gradient, project

    def _take_units(self) -> None:
        self._scaled = bool((self.units != 1.0).any())
        if self.pairs is not None:
            self.pairs.units = self.units if self._scaled else None

    def _by_units(self, slopes: Any) -> Any:
        """Derivatives with respect to variables in their units."""
        return slopes * self.units if self._scaled else slopes

    def _size(self, vector: Any) -> float:
        """The largest part of a point or a step, in the units of the variables."""
        return float(max_abs(vector / self.units if self._scaled else vector))

    def _solve(self, c: Any, weights: Any, s: Any, v: Any, shift: float = 0.0) -> None:
        """`solve_penalized` for B + shift I."""
        hessian = self.hessian
        matrix = hessian.matrix
        if shift and hessian.dense:
            matrix = matrix + shift * np.eye(len(matrix))
        model = hessian.dense, matrix, hessian.gamma + shift, hessian.basis, hessian.rows
        sides = self._sides_inside(self.sides)
        g, jac, box, size = self.g, self.jac, self._step_box, max_abs(self.g)
        if self._scaled:
            g, jac, box = g * self.units, jac * self.units, box / self.units
            size *= float(self.units.min())  # as exact as a run ends by every part of the gradient
            s /= self.units
        self._solve_with(g, size, model, (c, jac, sides, weights), box, s, v)
        if self._scaled:
            s *= self.units

    def _solve_with(
        self, g: Any, size: float, model: Any, linear: Any, box: Any, s: Any, v: Any
    ) -> None:
        g = np.asarray(g, np.float64)
        exact = _TOLERANCE * max(size, TINY), _EXACT * self.limit
        solve_subproblem(g, model, linear, box, exact, s, v, self._work)

    def _sides_inside(self, sides: Any) -> Any:
        """The sides, those that are kept moved so that roundoff does not take the trial out."""
        if not self._inside:
            return sides
        margin = np.where(self.kept, _INSIDE * self._exact(), 0.0)
        margin = np.minimum(margin, 0.25 * (sides[1] - sides[0]))
        return sides + np.array([margin, -margin])

    def _bound_step(self) -> None:
        low, up = self._step_box
        radius: Any = self.radius
        if self._scaled:
            radius = np.minimum(radius * self.units, self.radius_max)
        if self.box is None:
            low[...], up[...] = -radius, radius
            return
        np.subtract(self.box.lower, self.x, out=low, dtype=np.float64)
        np.subtract(self.box.upper, self.x, out=up, dtype=np.float64)
        np.maximum(low, -radius, out=low)
        np.minimum(up, radius, out=up)

    @np.errstate(all="ignore")
    def _prepare(self) -> None:
        """The step at x within the length, its multipliers, the weights, and the next trial."""
        self.leaving = False
        self._bound_step()
        jac = self._by_units(self.jac)
        np.maximum(self.lengths, np.sqrt(np.einsum("ij,ij->i", jac, jac)), out=self.lengths)
        measure = self._measure()
        base = self.steepest * measure
        if not self.weights.any():  # the first time
            self.weights[...] = base
        before = self.weights.copy()
        self._size_up()
        most = self._solve_elastic(base, measure, 0.0)
        for _ in range(_RETRIES):
            if self.predicted > 0.0 or self._optimality() <= self.limit * self.steepest:
                break
            # The subproblem's faces went round in a circle: in a smaller box they are others.
            self.weights[...] = before
            self.radius *= _SHRINK_MORE
            self._bound_step()
            most = self._solve_elastic(base, measure, 0.0)
        if self.hessian.lowest < 0.0 and not (self.met and self.predicted > 0.0):
            # An indefinite model has many minima, of which this is none that helps.
            self.weights[...] = before
            most = self._solve_elastic(base, measure, -2.0 * self.hessian.lowest)
        self._set_optimality()
        self._set_trial(self.s)
        if self.stalled and self._inside:
            # What is a little smaller than a point, or than a face, may be empty.
            self._inside = False
            self.weights[...] = before
            self.radius = max(self.radius, _WIDE * max(1.0, self._size(self.x)))
            self._bound_step()
            most = self._solve_elastic(base, measure, 0.0)
            self._set_optimality()
            self._set_trial(self.s)
            self._inside = True
        now = self._violations(self.c)
        self.infeasible = False
        if not self.met and self.violation > self.limit:
            reach = min(1.0, self.radius / max(1.0, self._size(self.x)))
            penalty = float(self.weights @ now)
            self.infeasible = (
                most <= _STATIONARY * reach * (measure @ now)
                and self.predicted <= _STATIONARY * max(abs(self.f), penalty)
            )
            self.stalled = self.stalled or self.infeasible
            if self.infeasible:
                self._leave(float(measure @ now))

    def _leave(self, violation: float) -> None:
        """Have a run go on beside `x`, which may be a saddle or a maximum of the violation.

        Like those points where gradients of constraints vanish or cancel out by symmetry. A minimum
        has the run come back; so it is left only where less is violated than at the one before.
        """
        if self.leaves == _LEAVES or self._inside or not violation <= _LEFT * self.violation_left:
            return
        sizes = _BESIDE * np.maximum(1.0, abs(self.x.astype(np.float64)))
        # Multiples of the golden ratio: a direction that no symmetry has, and that is no secret.
        parts = np.arange(1, self.x.size + 1) * (0.5 * (math.sqrt(5.0) - 1.0) * (self.leaves + 1))
        parts %= 1.0
        step = sizes * np.where(parts < 0.5, parts + 0.5, -parts)
        trial = self.x + step
        if self.box is not None:
            beyond = (trial < self.box.lower) | (trial > self.box.upper)
            trial = self.box.project(np.where(beyond, self.x - step, trial))
        if (trial == self.x).all():
            return
        self.trial[...] = trial
        self.s[...] = self.trial - self.x
        self.step_norm = float(np.linalg.norm(self.s))
        self.radius = min(max(self.radius, self._size(sizes) / _BESIDE), self.radius_max)
        self.leaves, self.violation_left = self.leaves + 1, violation
        self.leaving, self.corrected, self.stalled = True, False, False

    def _size_up(self) -> None:
        self._sizes = self._terms(self.x)
        self._little = self._small(self._sizes)
        self._now = self._missed(self.c, self._little)

    def _measure(self) -> Any:
        """What violations are multiplied by, so that the unit of a constraint does not matter."""
        return 1.0 / np.where(self.lengths > 0.0, self.lengths, 1.0)

    def _solve_elastic(self, base: Any, measure: Any, shift: float) -> float:
        """The step, its multipliers, the weights and the decrease predicted, for B + shift I.

        Returns by how much the violation can fall within the length.
        """
        s, v = self.s, self.multipliers
        s[...], v[...] = 0.0, self.v
        drifts = self.drift >= _DRIFT
        firm = _FIRM * np.minimum(np.maximum(base, self.weights), _FIRM * base)
        self._solve(self.c, firm, s, v, shift)
        now, left = self._now, self._left(s)
        most = float(measure @ (now - left))
        self.met = bool(
            measure @ left <= _MET * (measure @ now) or left.max(initial=0.0) <= self.limit
        )
        if self.met:
            size = abs(v)
            # While the length holds steps back multipliers are too small, and the penalty may fall
            # without end along points that are violated more and more.
            kept = self.weights if drifts else 0.5 * (self.weights + size)
            np.maximum(_MORE * size, kept, out=self.weights)
        else:
            least = self.weights if drifts else np.minimum(self.weights, base)
            weights = np.maximum(np.maximum(least, _SLOWLY * self.weights), _LEAST * base)
            while True:
                self._solve(self.c, weights, s, v, shift)
                left = self._left(s)
                if measure @ (now - left) >= _STEERING * most or (weights > firm).all():
                    break
                weights = 10.0 * weights
            self.weights[...] = weights
        # Where a constraint is met J s is what c lacks: by the Lagrangian g.s keeps its digits.
        side = np.where(v > 0.0, self.sides[1], self.sides[0])
        exact = (v != 0.0) & (left == 0.0)
        lacking = np.where(exact, np.where(exact, side, 0.0) - self.c, self.jac @ s)
        lacking[exact & (abs(lacking) <= self._little)] = 0.0
        slope = self._slope(self.g, v, self.jac, self._scratch[0]) @ s - v @ lacking
        quadratic = slope + 0.5 * self.hessian.quadratic(s)
        self.predicted = float(self.weights @ (now - left) - quadratic)
        return most

    def _left(self, s: Any) -> Any:
        """The violations of the linearised constraints, but for roundoff."""
        added = np.zeros(self.c.size)
        _sizes_of_products(self.jac, s, added)
        return self._missed(self.c + self.jac @ s, self._small(self._sizes + added))

    def _correction(self, c: Any) -> bool:
        """Make `trial` the step for the constraints as they are at the trial; False if it is that.

        Its multipliers are not kept.
        """
        if not self._violations(c).max(initial=0.0) > 1e-12:
            return False
        s = self.s.copy()
        weights = _FIRM * self.weights if self.met else self.weights
        self._solve(c - self.jac @ self.s, weights, s, self.multipliers.copy())
        if self._size(s - self.s) <= 1e-12 * max(1.0, self._size(self.x)):
            return False
        self._set_trial(s)
        return not self.stalled

    def _set_trial(self, s: Any) -> None:
        self.trial[...] = self._place(s)
        self.step_norm = float(np.linalg.norm(s))
        moved = bool((self.trial != self.x).any())
        self.stalled = not (moved and self.predicted > 0.0 and math.isfinite(self.predicted))

    def _exact(self) -> Any:
        """How exactly the linearised constraints are met."""
        return _EXACT * self.limit + _ROUNDOFF * self._sizes

    def _place(self, s: Any) -> Any:
        """x + s, but for roundoff: in the box, and shorter until it meets what is kept."""
        trial = np.asarray(self.x + s, self.x.dtype)
        if self.box is not None:
            np.clip(trial, self.box.lower, self.box.upper, out=trial)
        if not self.kept.any():
            return trial
        rows, sides = self.jac[self.kept], self.sides[:, self.kept]
        step = trial - self.x
        for halving in range(_HALVINGS + 1):
            c = rows @ trial
            if ((sides[0] <= c) & (c <= sides[1])).all():
                break
            factor = 0.5**halving if halving < _HALVINGS else 0.0
            trial = np.asarray(self.x + (factor * (1.0 - _ROUNDOFF)) * step, self.x.dtype)
        return trial

    def _set_optimality(self) -> None:
        self.optimality = self._optimality()
        if not self._size(self.s) <= _SHORT * max(1.0, self._size(self.x)):
            return
        # At the end the roundoff of stiff constraints is in their multipliers: those that balance
        # the gradient best have none.
        v, before = self.multipliers, self.multipliers.copy()
        active = v != 0.0
        free = np.ones(self.x.size, np.bool_)
        if self.box is not None:
            free = self.box.free(self.x, self.g + v @ self.jac)
        if not (active.any() and free.any()):
            return
        part = self._balance(np.flatnonzero(active), free)
        scale = np.linalg.norm(part[:, :-1], axis=0)
        scale[scale == 0.0] = 1.0
        best = np.linalg.lstsq(part[:, :-1] / scale, part[:, -1], rcond=None)[0] / scale
        if not np.isfinite(best).all():
            return
        equal = self.sides[0] == self.sides[1]
        kept = (best * before[active] > 0.0) | equal[active]
        v[active] = np.where(kept, best, 0.0)
        optimality = self._optimality()
        if optimality < self.optimality:
            self.optimality = optimality
        else:
            v[...] = before

    def _balance(self, active: Any, free: Any) -> Any:
        """The matrix of J^T and -g, of these constraints and variables; its R where it is long."""
        parts = []
        for first in range(0, free.size, _LONG):
            of = slice(first, first + _LONG)
            some = np.empty((int(free[of].sum()), active.size + 1))
            for j, i in enumerate(active):
                some[:, j] = self.jac[i, of][free[of]]
            some[:, -1] = -self.g[of][free[of]]
            parts.append(np.linalg.qr(some, mode="r") if free.size > _LONG else some)
        return np.concatenate(parts)

    def scaled_optimality(self, scale: float) -> float:
        """`optimality` with gradients and multipliers divided by `scale`; distances are not."""
        return self.optimality if scale == 1.0 else self._optimality(scale)

    def _optimality(self, scale: float = 1.0) -> float:
        size = abs(self.multipliers) / scale
        above = np.where(self.multipliers > 0.0, self.sides[1] - self.c, self.c - self.sides[0])
        gaps = np.minimum(size, np.maximum(above, 0.0))
        if not self.met:  # what is missed has its weight as a multiplier
            gaps = np.where(self._violations(self.c) > 0.0, 0.0, gaps)
        gradient = self._slope(self.g, self.multipliers, self.jac, self._scratch[0])
        gradient /= scale
        return max(self._projected(self.x, gradient), float(gaps.max(initial=0.0)))

    def _projected(self, x: Any, gradient: Any) -> float:
        if self.box is not None:
            return float(projected_norms(x, gradient, self.box.lower, self.box.upper)[0])
        return float(max_abs(gradient))

    def _residual(self, x: Any, g: Any, c: Any, jac: Any) -> float:
        """How far a point is from the conditions of first order with the multipliers of now."""
        gradient = self._slope(g, self.multipliers, jac, self._scratch[0])
        return self._projected(x, gradient) + float(self.weights @ self._violations(c))

    def _violations(self, c: Any) -> Any:
        return violations(self.sides, c)

    def _largest(self, c: Any) -> float:
        return float(self._violations(c).max(initial=0.0))

    def _ratio(self, f: float) -> Any:
        if self._judged is None or self._judged[0] != f:
            merit, trial = self.f + self._penalty(self.c), f + self._penalty(self._seen[0])
            scale = abs(self.f) + float(abs(self.multipliers) @ self._sizes)
            self._judged = f, ratio(merit, trial, self.predicted, scale, self.noise, 0.0)
        return self._judged[1]

    def _penalty(self, c: Any) -> float:
        """The weighted violations; of those too small to count their part of the Lagrangian.

        f changes by as much as a step brings those down.
        """
        v = self.multipliers
        side = np.where(v > 0.0, self.sides[1], np.where(v < 0.0, self.sides[0], c))
        gap = c - side
        gap[abs(gap) > self._little] = 0.0
        return float(self.weights @ self._missed(c, self._little) + v @ gap)

    def _small(self, terms: Any) -> Any:
        return np.maximum(_ROUNDOFF * terms, _TINY * self.limit)

    def _terms(self, s: Any) -> Any:
        """Sizes of the sums that the linearised constraints are."""
        sizes = np.zeros(self.c.size)
        _sizes_of_products(self.jac, s, sizes)
        sizes += abs(self.c)
        return sizes

    def _missed(self, c: Any, small: Any) -> Any:
        """The violations, but for roundoff and what is far below the tolerance."""
        missed = self._violations(c)
        missed[~(missed > small)] = 0.0
        return missed

    def _strong(self, tolerance: float) -> Any:
        """The constraints that hold at `x`: equations, and those with a multiplier that counts."""
        v = self.multipliers
        norms = np.sqrt(np.einsum("ij,ij->i", self.jac, self.jac))
        # A multiplier above the tolerance has its side near, by the test of convergence.
        near = self._near(np.where(v > 0.0, self.sides[1], self.sides[0])) | (abs(v) > tolerance)
        return (self.sides[0] == self.sides[1]) | (near & (abs(v) * norms > tolerance))

    def _near(self, side: Any) -> Any:
        """Whether the constraints are at this side of theirs."""
        return abs(self.c - side) <= np.maximum(self.limit, _NEAR * np.maximum(1.0, abs(self.c)))

    def tangent(self, tolerance: float) -> Tangent:
        """The critical cone at `x`, a point of the conditions of first order.

        Parameters
        ----------
        tolerance : float
            What ``|v_i| |grad c_i|``, or the multiplier of a bound, is more than where it counts.
        """
        n, strong = self.x.size, self._strong(tolerance)
        gradient = self.g + self.multipliers @ self.jac
        free, active = np.ones(n, np.bool_), np.zeros(n, np.int64)
        if self.box is not None:
            free, active = self.box.free(self.x, gradient, tolerance), self.box.active(self.x)
        parts = []
        for sign, side in ((-1.0, self.sides[0]), (1.0, self.sides[1])):
            weak = ~strong & self._near(side)
            norms = np.linalg.norm(self.jac[weak], axis=1)
            parts.append(sign * self.jac[weak] / np.where(norms > 0.0, norms, 1.0)[:, None])
        return Tangent(self.jac[strong], free, np.concatenate(parts), active)

    @property
    def shows_unseen(self) -> bool:
        """Whether the model can tell what is to be looked at: one that is a matrix."""
        return self.hessian.dense

    def unseen(self, tangent: Tangent) -> Any:
        """Rows that span the directions of `tangent` that the model has learned nothing of.

        With second derivatives those that bend down by the model.
        """
        return self.hessian.unseen(tangent.basis())

    def lagrangian_change(self, g: Any, jac: Any) -> Any:
        """The gradient of the Lagrangian where f and c have these, less that at `x`."""
        v = self.multipliers
        return (g - self.g.astype(np.float64)) + v @ (jac - self.jac)

    @np.errstate(all="ignore")
    def beside(self, step: Any, tolerance: float, at: Any = None, c: Any = None) -> Any:
        """A point near x + `step`, which the linearised constraints hold, and the bounds.

        Its step is that next to `step` with ``c + J s`` within the sides, and at the side of the
        constraints that `tangent` has hold. With `at` and the constraints there, those are
        linearised about that point (by the Jacobian at x), from which `step` leads.

        Returns
        -------
        array, shape (n,)
            New; perhaps x itself, or not finite.
        """
        sides = self._sides_inside(self.sides)
        side = np.where(self.multipliers > 0.0, sides[1], sides[0])
        sides = np.where(self._strong(tolerance), side, sides)
        before = np.zeros(self.x.size)
        if at is not None:
            before = (at - self.x).astype(np.float64)
        start = self.c if c is None else c - self.jac @ before
        goal = before + step
        size = float(abs(goal).max())
        if not (0.0 < size < math.inf and np.isfinite(start).all()):
            return self._place(goal)
        box = np.array([np.full(self.x.size, -2.0 * size), np.full(self.x.size, 2.0 * size)])
        if self.box is not None:
            np.maximum(box[0], self.box.lower - self.x.astype(np.float64), out=box[0])
            np.minimum(box[1], self.box.upper - self.x.astype(np.float64), out=box[1])
        hessian = self.hessian
        matrix = np.eye(len(hessian.matrix)) if hessian.dense else 0.0 * hessian.matrix
        model = hessian.dense, matrix, 1.0, hessian.basis, hessian.rows
        s, weights = np.clip(goal, box[0], box[1]), _FIRM * size * self._measure()
        linear = start, self.jac, sides, weights
        self._solve_with(-goal, max_abs(goal), model, linear, box, s, np.zeros(start.size))
        return self._place(s)

    def terms_along(self, step: Any) -> float:
        """Size of the terms of first order that the Lagrangian changes by along a step from `x`."""
        of_c = self._terms(abs(step))
        return float(abs(self.g) @ abs(step) + abs(self.multipliers) @ of_c)

    @np.errstate(all="ignore")
    def is_lower(self, f: float, precision: float, size: float, slack: float = 0.0) -> bool:
        """Whether a point, of which the constraints were seen, is better by the merit function.

        By more than roundoff, and than f at `x` and what its multipliers make of what is missed
        there: else a point could be lower by its violation alone.

        Parameters
        ----------
        f : float
            At that point.
        precision : float
            Of f, relative.
        size : float
            Of the terms that f has changed by, which may cancel.
        slack : float, default 0
            By how much more it must be lower.
        """
        merit = f + self._penalty(self._seen[0])
        v = self.multipliers
        side = np.where(v > 0.0, self.sides[1], self.sides[0])
        gap = np.where(v != 0.0, self.c - side, 0.0)
        gap[~(abs(gap) <= self.limit)] = 0.0
        here = min(self.f + self._penalty(self.c), self.f + float(v @ gap))
        scale = max(abs(f), abs(self.f)) + float(abs(v) @ self._sizes) + size
        return bool(merit < here - slack - 10.0 * precision * scale)

    def expect(self, precision: float) -> None:
        """Take f to be given in this relative precision."""
        self.noise, self._judged = precision / EPS * NOISE, None

    def _is_better(self, f: float, violation: float, than: float, violated: float) -> bool:
        """Whether a point is better than another: less violated, or both hardly and lower."""
        a, b = max(violation, self.limit), max(violated, self.limit)
        return a < b or (a == b and f < than)

    def _remember(self, x: Any, f: float, g: Any, c: Any) -> None:
        violation = self._largest(c)
        if self._is_better(f, violation, self.f_best, self.violation_best):
            self.violation_best, self.f_best = math.inf, math.inf  # an interrupt may come between
            self.x_best, self.g_best, self.c_best[...] = x.copy(), np.empty_like(x), c
            self.g_best[...] = g
            self.f_best, self.violation_best = f, violation

    @np.errstate(all="ignore")
    def keep(self, x: Any, f: float, g: Any = math.nan) -> None:
        """Remember a point, of which the constraints were seen, if it is better than `x`."""
        c = self._seen[0]
        if math.isfinite(f) and np.isfinite(c).all():
            if self._is_better(f, self._largest(c), self.f, self.violation):
                self._remember(x, f, g, c)

    def renew(self, f: float, g: Any) -> None:
        """Go on from `x` with another problem: what was seen are its constraints there."""
        self.g[...], self.f = g, float(f)
        self.c[...], self.jac[...] = self._seen
        self.violation = self._largest(self.c)
        self.f_best = self.violation_best = self.violation_left = math.inf
        self.drift = self.leaves = 0
        self.corrected = False
        self._look()

    def bound(self) -> None:
        """Make the trial anew if it is farther than the options let it be."""
        if self.radius > self.radius_max:
            self.radius, self.corrected = self.radius_max, False
            self._prepare()

    def saved(self) -> dict[str, Any]:
        """All that the iterations to come depend on; not copies."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return arrays | numbers | {"sides": self.sides} | self.hessian.saved()

    @classmethod
    def restore(
        cls, state: Mapping[str, Any], recipe: Recipe, options: Options, box: Box | None
    ) -> SQP:
        """The method that was `saved`; ValueError where it cannot be one."""
        (n,), (p,) = state["x"].shape, state["c"].shape
        check_shape("jac", state, (p, n))
        check_shape("sides", state, (2, p))
        x = state["x"]
        method = cls(
            x, 0.0, np.zeros_like(x), recipe, options, box, state["sides"], np.zeros(p),
            np.zeros((p, n)),
        )  # fmt: skip
        method.x_best, method.g_best = np.zeros((2, n), x.dtype)
        method.units = np.zeros_like(method.units)
        for name in _ARRAYS:
            fill(getattr(method, name), name, state)
        method._take_units()
        method._inside = bool(method.kept.any())
        set_numbers(method, _NUMBERS, state)
        if method.pairs is not None:
            method.pairs.restore(state)
        if method.products is not None:
            method._hold()
            method.products.restore(state, method._held[1])
        method._bound_step()
        method._size_up()
        return method

    def current_model(self) -> CompactModel | None:
        """The model of the Hessian of the Lagrangian at `x`, where there is one."""
        return None if self.pairs is None else self.pairs.current_model()

    @property
    def weight(self) -> float:
        """The bound on the length of a step, in the units of the variables."""
        return self.radius

    @property
    def best(self) -> tuple[Any, float, Any]:
        """The best point, with its f and gradient, NaN if that is not known."""
        if self._best_is_kept():
            return self.x_best, self.f_best, self.g_best
        return self.x, self.f, self.g

    def _best_is_kept(self) -> bool:
        return self._is_better(self.f_best, self.violation_best, self.f, self.violation)

    @property
    def constraints_at_best(self) -> Any:
        """The constraints at the point of `best`."""
        return self.c_best if self._best_is_kept() else self.c
