"""Quasi-Newton methods: a compact model, a subproblem in its eigenbasis, a weight rule.

One call of `advance` is one iteration: it judges the trial, stores its pair, moves,
adapts the weight, renews the spectrum and makes the next trial, on plain arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..globalization import (
    ACCEPT,
    KEEP,
    NOISE,
    PATIENCE,
    RANGANATH,
    RELAX,
    RULES,
    SECANT,
    SHRINK_MAX,
    SHRINK_MIN,
    RuleParameters,
    first_length,
    interpolate,
    judge,
    next_length,
    ranganath_weight,
    ratio,
)
from ..kernels import (
    HUGE,
    block_length,
    copy,
    inline_kernel,
    kernel,
    max_abs,
    norm2,
    plain,
)
from ..models.compact import (
    APPLIED,
    INVERSE,
    LINES,
    PAIRS,
    ROTATION,
    WHOLE,
    CompactModel,
    absorb,
    add_combination,
    choose_gamma,
    confine,
    is_settled,
    multiply_rows,
    renew_matrix,
    spectrum,
)
from ..models.compact import INTEGERS as MODEL_INTEGERS
from ..models.updates import KINDS, SR1
from ..saving import check_shape, fill
from ..subproblems.cubic import cubic_euclidean, cubic_shape
from ..subproblems.definite import EXACT, NOTHING, PLANE, definite_step, invert

if TYPE_CHECKING:
    from ..options import Options
    from ..solver.compiled import Evaluation
    from . import Recipe

__all__ = ["SUBPROBLEMS", "QuasiNewton", "advance"]

#: Subproblems by name, as the kernels number them.
SUBPROBLEMS = {"shape": 0, "euclidean": 1, "trust_region": 2}

SHAPE, EUCLIDEAN, TRUST_REGION = 0, 1, 2

#: Variables up to which a trust region takes the exact step of a definite B: it costs some
#: hundreds of nanoseconds more than that in a plane.
_FEW = 8

# Scalars of the state, by their place in the array `q`.
(
    F,  # f at x
    F_TRIAL,  # f at the trial point
    G_MAX,  # largest |g_i| at x
    G_NORM,  # |g| at x
    S_NORM,  # |s| of the trial step
    SLOPE,  # g.s
    PREDICTED,  # decrease that the model predicts for the trial
    RHO,  # actual / predicted reduction of the last trial
    LENGTH,  # bound on |s|
    SIGMA,  # least cubic weight
    SIGMA_USED,  # the weight the trial solves its subproblem for; the multiplier mu of a radius
    F_BEST,  # least f of an accepted point that x has left for a better gradient
    GAMMA,  # B outside the span of the pairs
    LENGTH_MAX,  # bound on LENGTH
    F_SCALE,  # |f| at the start
) = range(15)
SCALARS = 15

# Integers of the state, after those of the model.
ACCEPTED, MOVED, REJECTIONS, CONVEX = range(MODEL_INTEGERS, MODEL_INTEGERS + 4)
INTEGERS = MODEL_INTEGERS + 4

# What `advance` is told: start from x, go on without or with the gradient at the trial, or go on
# from x with another objective.
START, WITHOUT_GRADIENT, WITH_GRADIENT, RENEW = range(4)


@inline_kernel
def step_without_spectrum(
    subproblem, rule, gamma, unit, x, g, trial, gram, work, order, q, ints
):  # fmt: skip
    """Write the trial of a positive definite dense B without its spectrum, if that can be."""
    if q[SIGMA] != 0.0 or rule == RANGANATH or not unit > 0.0:
        return False
    n = x.size
    g_norm = q[G_NORM]
    scaled, step, rest = work[LINES, 0, :n], work[LINES, 1, :n], work[LINES, 2, :n]
    for i in range(n):
        scaled[i] = np.float64(g[i]) / g_norm
    per_unit = g_norm / unit  # of the step
    beyond = EXACT
    if subproblem == SHAPE:
        beyond = NOTHING
    elif subproblem == TRUST_REGION and n > _FEW:
        beyond = PLANE
    # An inverse that is kept takes the place of a factorisation while no pair makes B anew.
    if ints[INVERSE] == 0 and is_settled(order, ints):
        ints[INVERSE] = 1 if invert(gram, gamma / unit, gram[n:]) else 0
    step_norm, slope, bend, mu, exact = definite_step(
        gram, gamma / unit, scaled, q[LENGTH] / per_unit, beyond, ints[INVERSE] != 0, gram[n:],
        work[ROTATION], work[LINES, 3, :n], step, rest,
    )  # fmt: skip
    if not exact:
        ints[INVERSE] = 0
    if not step_norm < math.inf:
        return False
    predicted = -(slope + 0.5 * bend)
    if not (predicted > 0.0 and step_norm > 0.0):
        return False
    moved = False
    for i in range(n):
        trial[i] = x[i] + step[i] * per_unit
        moved = moved or trial[i] != x[i]
    q[S_NORM] = step_norm * per_unit
    q[SLOPE] = slope * per_unit * g_norm
    q[PREDICTED] = predicted * per_unit * g_norm
    q[SIGMA_USED] = mu * unit
    if subproblem == EUCLIDEAN:
        q[SIGMA_USED] = min(q[SIGMA_USED] / q[S_NORM], HUGE)
    ints[CONVEX] = 1
    ints[MOVED] = 1 if moved else 0
    return True


@kernel
def step_by_spectrum(
    kind, subproblem, rule, gamma, rank, x, g, trial, rows, h, tau, order, lam, vectors, small, q,
    ints,
):  # fmt: skip
    """Write the trial from the eigenvalues and eigenvectors of B; False where B is of no use."""
    n = x.size
    m = order.size
    dense = n <= 2 * m
    g_norm = q[G_NORM]
    if kind == SR1 and not dense:
        confine(tau, order, ints[PAIRS], lam[:rank])
    # The eigenbasis of B, with one more direction for the gradient outside of it,
    # in units in which the largest eigenvalue and |g| are 1.
    size = rank if rank == n else rank + 1
    spectral, reduced, step = small[0, :size], small[1, :size], small[2, :size]
    top = gamma if rank < n else 0.0
    lowest = gamma if rank < n else math.inf
    inside = 0.0
    for i in range(rank):
        top = max(top, abs(lam[i]))
        lowest = min(lowest, lam[i])
        total = 0.0
        if dense:
            for j in range(n):
                total += vectors[i, j] * (np.float64(g[j]) / g_norm)
        else:
            for j in range(2 * m):
                total += vectors[i, j] * (h[j] / g_norm)
        reduced[i] = total
        inside += total * total
    if top == 0.0:
        top = 1.0
    for i in range(rank):
        spectral[i] = lam[i] / top
    if rank < n:
        spectral[rank] = gamma / top
        reduced[rank] = math.sqrt(max(0.0, 1.0 - inside))
    unit = g_norm / top  # of the step
    length = q[LENGTH] / unit
    ints[CONVEX] = 1 if lowest > 0.0 else 0
    sigma = q[SIGMA] * unit / top
    if subproblem == TRUST_REGION:
        step_norm, weight = cubic_euclidean(spectral, reduced, 0.0, length, step)
        q[SIGMA_USED] = weight * step_norm * top
    else:
        longest = math.inf if rule == RANGANATH else length
        if subproblem == SHAPE:
            step_norm, weight = cubic_shape(spectral, reduced, sigma, longest, step)
        else:
            step_norm, weight = cubic_euclidean(spectral, reduced, sigma, longest, step)
        # It may be out of range where f and x are not; as a least weight less will do.
        q[SIGMA_USED] = min(weight * top / unit, HUGE)
    slope = 0.0
    bend = 0.0
    cube = 0.0
    for i in range(size):
        slope += reduced[i] * step[i]
        bend += spectral[i] * step[i] * step[i]
        cube += abs(step[i]) ** 3
    predicted = -(slope + 0.5 * bend)
    if rule == RANGANATH and subproblem != TRUST_REGION:
        # the published ratio counts the cubic term
        predicted -= weight / 3.0 * (cube if subproblem == SHAPE else step_norm**3)
    if not (predicted > 0.0 and math.isfinite(step_norm) and step_norm > 0.0):
        return False
    q[S_NORM] = step_norm * unit
    q[SLOPE] = slope * unit * g_norm
    q[PREDICTED] = predicted * unit * g_norm

    # s = -alpha g + U (s_bar + alpha g_bar)
    alpha = 0.0
    if rank < n and reduced[rank] > 0.0:
        alpha = -step[rank] / (reduced[rank] * top)
    w = small[3, : vectors.shape[1]]
    for j in range(w.size):
        w[j] = 0.0
    for i in range(rank):
        c = step[i] * unit + alpha * (reduced[i] * g_norm)
        for j in range(w.size):
            w[j] += c * vectors[i, j]
    moved = False
    if dense:
        for j in range(n):
            trial[j] = x[j] + (w[j] - alpha * g[j])
            moved = moved or trial[j] != x[j]
    else:
        filled = m + ints[PAIRS]
        moved = add_combination(-alpha, g, rows[:filled], w[:filled], x, trial, small[4])
    ints[MOVED] = 1 if moved else 0
    return True


@inline_kernel
def receive(
    has_gradient, rule, x, g, trial, g_trial, x_best, g_best, rows, gram, h, tau, cosine, order,
    products, q, ints, par,
):  # fmt: skip
    """Judge the trial, store its pair, move to it if it is better, adapt the weight."""
    f, f_trial = q[F], q[F_TRIAL]
    g_max = math.nan
    g_norm = math.nan
    if has_gradient:
        g_max = max_abs(g_trial)
        if math.isfinite(g_max):
            g_norm = norm2(g_trial)
    rho, accepted, meaningful = judge(
        f, f_trial, q[PREDICTED], q[F_SCALE], q[G_NORM], g_norm, par
    )
    if has_gradient and not math.isfinite(g_max):
        has_gradient = False
        rho = -math.inf
    ints[ACCEPTED] = 1 if accepted else 0
    ints[REJECTIONS] = 0 if accepted else ints[REJECTIONS] + 1
    q[RHO] = rho
    shrink = interpolate(f, f_trial, q[SLOPE], par[SHRINK_MIN], par[SHRINK_MAX])
    if has_gradient and (accepted or rho > par[KEEP]):
        theta = math.nan
        if par[SECANT] > 0.0:
            theta = 6.0 * (f - f_trial) + 6.0 * q[SLOPE]
        noise = 10.0 * NOISE * max(abs(f), abs(f_trial))
        stored = absorb(
            x, trial, g, g_trial, g_trial if accepted else g, theta, noise, rows, gram, h, tau,
            cosine, order, products, ints,
        )  # fmt: skip
        if accepted and not stored and x.size > 2 * order.size:
            multiply_rows(rows, g_trial, h)
    if accepted:
        if f_trial > f and f < q[F_BEST]:  # within roundoff, for a smaller gradient
            q[F_BEST] = f
            copy(x, x_best)
            copy(g, g_best)
        copy(trial, x)
        copy(g_trial, g)
        q[F] = f_trial
        q[G_MAX] = g_max
        q[G_NORM] = g_norm
    convex = ints[CONVEX] != 0
    if rule == RANGANATH:
        q[SIGMA] = ranganath_weight(q[SIGMA], rho)
    else:
        if meaningful:
            q[LENGTH] = min(
                next_length(q[LENGTH], q[S_NORM], rho, accepted, shrink, convex, par),
                q[LENGTH_MAX],
            )
        if accepted:
            q[SIGMA] = par[RELAX] * q[SIGMA_USED]


@kernel
def begin(x, g, q):
    """Set the scalars; F, LENGTH, LENGTH_MAX and SIGMA are there, see `start_array`."""
    q[G_MAX], q[G_NORM] = max_abs(g), norm2(g)
    q[F_BEST] = math.inf
    q[F_SCALE] = abs(q[F])
    if q[LENGTH] == 0.0:
        q[LENGTH] = first_length(norm2(x), q[G_NORM])
    q[LENGTH] = min(q[LENGTH], q[LENGTH_MAX])


@inline_kernel
def advance(
    task, kind, subproblem, rule, window, x, g, trial, g_trial, x_best, g_best, rows, gram, h,
    tau, cosine, order, products, lam, vectors, work, small, q, ints, par,
):  # fmt: skip
    """One iteration: `receive` the trial's f (in q) and gradient, make the next trial.

    From Python it is called as a function of Python, see `plain`: machine code of a kernel holds
    that of all it calls, so that one around everything would take as long to compile as the rest.
    """
    if task == START:
        begin(x, g, q)
    elif task != RENEW:
        receive(
            task == WITH_GRADIENT, rule, x, g, trial, g_trial, x_best, g_best, rows, gram, h, tau,
            cosine, order, products, q, ints, par,
        )  # fmt: skip
    if not q[G_MAX] > 0.0:
        return
    for _attempt in range(2):
        # float: numba asks longer what a number of numpy's is
        gamma, rank, unit = renew_matrix(
            kind, window, float(q[G_NORM]), float(q[LENGTH]), rows, gram, h, tau, cosine, order,
            ints, work,
        )  # fmt: skip
        q[GAMMA] = gamma
        if x.size <= rows.shape[0] and step_without_spectrum(
            subproblem, rule, gamma, unit, x, g, trial, gram, work, order, q, ints
        ):
            return
        rank = spectrum(gamma, unit, rank, rows, gram, lam, vectors, work)
        if step_by_spectrum(
            kind, subproblem, rule, gamma, rank, x, g, trial, rows, h, tau, order, lam, vectors,
            small, q, ints,
        ):  # fmt: skip
            return
        # The model is of no use: start it anew.
        ints[PAIRS] = 0
        ints[APPLIED] = -1


@inline_kernel
def wants_gradient(f, q, ints, par):
    """Whether `advance` can use the gradient at a trial with the value f."""
    rho, in_noise = ratio(q[F], f, q[PREDICTED], q[F_SCALE])
    return in_noise or rho > par[ACCEPT] or (
        rho > par[KEEP] and ints[REJECTIONS] >= par[PATIENCE]
    )


_advance = plain(advance)


def codes(recipe: Recipe, options: Options) -> tuple[int, int, int, int]:
    """Update, subproblem and rule as the kernels number them, and the window of gamma."""
    subproblem = SUBPROBLEMS[recipe.subproblem or options.norm]
    # a radius has no weight that the other rules could adapt
    rule = "length" if subproblem == TRUST_REGION else options.weight_rule
    return KINDS[recipe.update], subproblem, RULES[rule], recipe.window


def rule_array(recipe: Recipe, options: Options, dense: bool) -> np.ndarray:
    """The constants of the globalization: the recipe's, changed by the options."""
    own = {**recipe.rule, **(recipe.dense_rule if dense else {})}
    return RuleParameters(**{**own, **options.rule_parameters}).array()


def start_array(recipe: Recipe, options: Options) -> np.ndarray:
    """The scalars `q` before `begin`: LENGTH 0 stands for the default."""
    q = np.zeros(SCALARS)
    if recipe.subproblem != "trust_region":
        q[SIGMA] = 100.0 if options.weight_rule == "ranganath" else 0.0
        if options.initial_weight is not None:
            q[SIGMA] = options.initial_weight
    q[LENGTH], q[LENGTH_MAX] = options.initial_trust_radius or 0.0, options.max_trust_radius
    return q


def start_integers(options: Options, n: int) -> np.ndarray:
    """The integers `ints` of a state without pairs."""
    ints = np.zeros(INTEGERS, np.int64)
    ints[WHOLE] = options.memory is None and forgets_nothing(n)
    return ints


class QuasiNewton:
    """The state of a quasi-Newton method, and the calls that move it on.

    Parameters
    ----------
    x0 : array, shape (n,)
        Not kept; its dtype (float32 or float64) is that of every n-vector.
    f : float
    g : array, shape (n,)
        Objective and gradient at x0, finite.
    recipe : Recipe
    options : Options
    """

    direction = None  # never asks for a Hessian product

    def __init__(
        self, x0: np.ndarray, f: float, g: np.ndarray, recipe: Recipe, options: Options
    ) -> None:
        n = x0.size
        memory = options.memory or default_memory(n)
        self.model = model = CompactModel(n, memory, recipe.update, x0.dtype)
        model.ints = start_integers(options, n)
        self.x = x0.copy()
        self.g = np.array(g, x0.dtype)
        self.trial = np.empty_like(self.x)
        self.x_best = np.zeros_like(self.x)
        self.g_best = np.zeros_like(self.x)
        self.q = start_array(recipe, options)
        self.par = rule_array(recipe, options, model.dense)
        self._window = recipe.window
        if options.model is not None:
            model.take(options.model.model)
            self._inner_products()
        self._before = (*codes(recipe, options), self.x, self.g, self.trial)
        self._between = (
            self.x_best, self.g_best, model.rows, model.gram, model.h, model.tau, model.cosine,
            model.order, model.products, model.lam, model.vectors, model.work,
            np.zeros((5, max(2 * memory + 1, min(n, block_length)))), self.q, model.ints, self.par,
        )  # fmt: skip
        self.q[F] = f
        _advance(START, *self._before, self.g, *self._between)

    def _inner_products(self) -> None:
        if not self.model.dense:
            multiply_rows(self.model.rows, self.g, self.model.h)

    def renew(self, f: float, g: np.ndarray) -> None:
        """Go on from `x` with another objective: f and g are its values there."""
        self.g[:] = g
        self.q[F_SCALE] = abs(f)
        self.go_on(f, math.inf, self.radius)

    def go_on(self, f: float, f_best: float, radius: float) -> None:
        """Go on where `x` and `g` have been changed from outside."""
        q = self.q
        q[F], q[G_MAX], q[G_NORM] = f, max_abs(self.g), norm2(self.g)
        q[F_BEST] = f_best
        self.radius = radius
        self.model.ints[REJECTIONS] = 0
        self._inner_products()
        _advance(RENEW, *self._before, self.g, *self._between)

    def learn(self) -> None:
        """Work the newest pair into a dense matrix, which would else lose it with the ring."""
        model = self.model
        if model.dense:
            kind, _, _, window = self._before[:4]
            renew_matrix(
                kind, window, float(self.q[G_NORM]), self.radius, model.rows, model.gram, model.h,
                model.tau, model.cosine, model.order, model.ints, model.work,
            )  # fmt: skip

    def needs_gradient(self, f: float) -> bool:
        """Whether `receive` can use the gradient at a trial with this value."""
        return bool(wants_gradient(f, self.q, self.model.ints, self.par))

    def receive(self, f: float, g: np.ndarray | None) -> None:
        """One iteration, from the objective (and gradient) at `trial`."""
        self.q[F_TRIAL] = f
        if g is None:
            _advance(WITHOUT_GRADIENT, *self._before, self.g, *self._between)
        else:
            _advance(WITH_GRADIENT, *self._before, g, *self._between)

    def iterate(
        self, evaluation: Evaluation, most: int, limits: np.ndarray, counts: np.ndarray
    ) -> int:
        """At most `most` iterations in machine code, see `compiled.iterate`; the status."""
        from ..solver.compiled import call, iterate

        asked, g_trial = np.empty_like(self.x), np.empty_like(self.x)
        status: int = call(
            iterate, evaluation, self.x.dtype, most, limits, counts, asked, g_trial,
            *self._before, *self._between,
        )  # fmt: skip
        return status

    @classmethod
    def solve_many(
        cls, evaluation: Evaluation, limits: np.ndarray, progress: np.ndarray,
        starts: np.ndarray, f: np.ndarray, jac: np.ndarray, status: np.ndarray,
        counts: np.ndarray, recipe: Recipe, options: Options,
    ) -> None:  # fmt: skip
        """Solve from every row of `starts` in machine code, see `compiled.solve_many`."""
        from ..solver.compiled import call, solve_many

        zero = np.zeros_like(starts[0])
        method = cls(zero, 0.0, zero, recipe, options)
        call(
            solve_many, evaluation, zero.dtype, limits, start_array(recipe, options),
            start_integers(options, zero.size), progress, starts, f, jac, status, counts,
            np.empty_like(zero), np.empty_like(zero), *method._before, *method._between,
        )  # fmt: skip

    def state(self) -> dict[str, np.ndarray]:
        """All that the iterations to come depend on; not copies."""
        model = self.model
        return {
            "x": self.x, "g": self.g, "trial": self.trial, "x_best": self.x_best,
            "g_best": self.g_best, "rows": model.rows, "gram": model.gram, "h": model.h,
            "tau": model.tau, "cosine": model.cosine, "order": model.order, "ints": model.ints,
            "q": self.q,
        }  # fmt: skip

    @classmethod
    def restore(
        cls, state: Mapping[str, np.ndarray], recipe: Recipe, options: Options
    ) -> QuasiNewton:
        """The method whose `state` this is; ValueError where it cannot be one."""
        (n,) = state["x"].shape
        m = options.memory or default_memory(n)
        pairs = len(state["tau"])
        if pairs != m:
            raise ValueError(f"option `memory` is {m}, the run was started with {pairs}")
        check_shape("rows", state, (2 * m, n))  # before anything is allocated
        check_shape("gram", state, (2 * n, n) if n <= 2 * m else (2 * m, 2 * m))
        method = cls(state["x"], 0.0, np.zeros(n), recipe, options)
        for name, array in method.state().items():
            fill(array, name, state)
        model = method.model
        if not 0 <= model.count <= m or not np.all((model.order >= 0) & (model.order < m)):
            raise ValueError("the pairs are numbered wrong")
        return method

    def current_model(self) -> CompactModel:
        """The model of the Hessian at `x`, its spectrum up to date."""
        model = self.model
        gamma = choose_gamma(
            model.h, model.tau, model.cosine, model.order, model.ints, self._window,
            self.q[GAMMA] or model.gamma,
        )  # fmt: skip
        model.refresh(gamma)
        return model

    @property
    def f(self) -> float:
        """Objective at `x`."""
        return float(self.q[F])

    @property
    def optimality(self) -> float:
        """Largest absolute component of the gradient at `x`."""
        return float(self.q[G_MAX])

    @property
    def accepted(self) -> bool:
        """Whether the last trial was accepted."""
        return bool(self.model.ints[ACCEPTED])

    @property
    def stalled(self) -> bool:
        """Whether the next trial cannot be told from `x` in floating point."""
        return not self.model.ints[MOVED] or not self.q[PREDICTED] > 0.0

    @property
    def step_norm(self) -> float:
        """Length of the step to `trial`."""
        return float(self.q[S_NORM])

    @property
    def predicted(self) -> float:
        """Decrease that the model predicts for the step to `trial`."""
        return float(self.q[PREDICTED])

    @property
    def rho(self) -> float:
        """Actual over predicted reduction of the last trial."""
        return float(self.q[RHO])

    @property
    def weight(self) -> float:
        """Cubic weight, or multiplier of the trust region, of the step to `trial`."""
        return float(self.q[SIGMA_USED])

    @property
    def radius(self) -> float:
        """Bound on the length of the step, the radius of a trust region."""
        return float(self.q[LENGTH])

    @radius.setter
    def radius(self, radius: float) -> None:
        self.q[LENGTH] = min(radius, self.q[LENGTH_MAX])

    @property
    def best(self) -> tuple[np.ndarray, float, np.ndarray]:
        """The accepted point of least f, with its f and gradient."""
        if self.q[F_BEST] < self.q[F]:
            return self.x_best, float(self.q[F_BEST]), self.g_best
        return self.x, self.f, self.g


def default_memory(n: int) -> int:
    """Pairs kept where the user does not say: for small n all curvature, at little cost."""
    return 20 if n < 100 else 10


def forgets_nothing(n: int) -> bool:
    """Whether all pairs count where the user does not say: the matrix takes less room than they."""
    return n <= 2 * default_memory(n)
