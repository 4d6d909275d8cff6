"""Quasi-Newton methods: a model of pairs, a subproblem in its eigenbasis, a rule for the length.

An iteration is `receive`, which judges the trial, stores its pair, moves and adapts the bound, and
then `find_trial_dense` or `find_trial_compact`, which renews the model and makes the next trial.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..globalization import (
    IDLE,
    NOISE,
    RuleParameters,
    count_idle,
    first_length,
    interpolate,
    interpolate_cubic,
    is_clear,
    judge,
    level,
    next_length,
    noise_between,
    ranganath_weight,
    ratio,
    room,
    term_size,
)
from ..kernels import (
    CUBE,
    EPS,
    MANY,
    PASSES,
    SQUARE,
    inline_kernel,
    kernel,
    patient,
    pointer_kernel,
    vector_function,
    view_kernel,
)
from ..models.compact import expand, project, renew_compact
from ..models.dense import renew_dense
from ..models.face import face_workspace, names
from ..models.model import CompactModel, planes
from ..models.pairs import LARGEST, LEAST_ALONG, absorb, bring_up_to_date
from ..models.reduced import make_room, parts, renew_reduced
from ..models.updates import KINDS
from ..records import new_state
from ..saving import check_shape, fill
from ..subproblems.box import step_in_box
from ..subproblems.definite import step_without_spectrum
from ..subproblems.spectral import step_by_spectrum
from ..subproblems.table import SUBPROBLEMS, Subproblem
from ..vectors import (
    add_combination,
    copy,
    foresee,
    forget,
    is_tensor,
    mean_abs,
    norm2,
    norms,
    projected_norms,
    scale,
    slope_between,
    step_to,
    zeros,
)

if TYPE_CHECKING:
    from ..box import Box
    from ..options import Options
    from .recipes import Recipe

__all__ = [
    "GIVEN",
    "OFFERED",
    "OWN_ROWS",
    "OWN_ROWS_IN_BOX",
    "REPORTED",
    "WANTED",
    "WITHOUT",
    "InBox",
    "QuasiNewton",
    "begin",
    "finder",
    "give_up_model",
    "goes_on",
    "main_kernel",
    "make_no_room",
    "named",
    "receive",
    "renew_nothing",
    "solve_by_spectrum",
    "start_state",
    "step_in_box",
    "wants_gradient",
]  # fmt: skip

#: What `receive` has of the gradient at the trial: nothing; a gradient to be used if it is wanted;
#: a gradient that was asked for.
WITHOUT, OFFERED, GIVEN = range(3)

#: Variables from which on no matrix in them is kept without being asked for, and a first step takes
#: none of them further than they are from 0 in the mean: |x0| grows with their number, and g may be
#: that of a few.
_MANY = 100
#: What `pending` says of a trial that is not written yet: the spectrum is wanted, or has solved it.
WANTED, SOLVED = 1, 2
#: Rows of `points` that are a method's own: see `named`; and in a box the bounds and the last step.
OWN_ROWS, OWN_ROWS_IN_BOX = 5, 8
#: Numbers that `report` gives.
REPORTED = 9
#: Ratio from which on an actual decrease is doubted.
_DOUBTFUL = 10.0


@view_kernel
def named(points):
    """x, g, trial, x_best, g_best: the first rows of `points`."""
    return points[0], points[1], points[2], points[3], points[4]


@inline_kernel
def _least_ratio(record, constants):
    """The ratio that a step must have, but for noise: the first a fair one.

    It goes along -g as far as x0 is from the origin. Where that means nothing it may lead off to
    where f is a little lower, and flat or without curvature.
    """
    if record.pairs == 0 and constants.published == 0:
        return max(constants.accept, constants.poor)
    return constants.accept


@vector_function(1, patient=MANY)
def wants_gradient(f, state, rule):
    """Whether `receive` can use the gradient at a trial with the value f."""
    record, constants = state[0], rule[0]
    rho, _, in_noise = ratio(
        record.f, f, record.predicted, record.f_scale, record.noise, record.seen, record.given
    )
    return in_noise or rho > _least_ratio(record, constants) or (
        rho > constants.keep and record.rejections >= constants.patience
    )


@vector_function(2, pointer=True, patient=MANY)
def receive(f_trial, gradient, points, g_trial, rows, ring, state, rule):
    """Judge the trial, store its pair, move to it if it is better, adapt the bound.

    Parameters
    ----------
    f_trial : float
        The objective at the trial.
    gradient : int
        WITHOUT, OFFERED or GIVEN.
    points : array, shape (>= 5, n)
        See `named`.
    g_trial : array, shape (n,)
    rows, ring, state
        See `absorb`.
    rule : RULE array
    """
    x, g, trial, x_best, g_best = named(points)
    record, constants = state[0], rule[0]
    f = record.f
    has_gradient = gradient == GIVEN or (
        gradient == OFFERED and wants_gradient(f_trial, state, rule)
    )
    g_max = math.nan
    g_norm = math.nan
    residual = math.nan
    if has_gradient:
        g_max, residual, g_norm = _norms(points, trial, g_trial, state)
    rho, small, in_noise = ratio(
        f, f_trial, record.predicted, record.f_scale, record.noise, record.seen, record.given
    )
    accepted, meaningful = judge(
        rho, in_noise, record.residual, residual, _least_ratio(record, constants), constants.good
    )
    if has_gradient and not math.isfinite(g_max):
        has_gradient = False
        rho = -math.inf
    record.pending = 0  # an interrupt may have left another
    record.accepted = 1 if accepted else 0
    record.rejections = 0 if accepted else record.rejections + 1
    record.rho = rho
    shrink = interpolate(f, f_trial, record.slope, constants.shrink_min, constants.shrink_max)
    if not math.isfinite(f_trial) and record.rejections > 1:
        shrink = 0.2 * shrink  # f may be far from where it is finite
    doubtful = not (accepted and constants.poor <= rho <= _DOUBTFUL)
    if doubtful and gradient != WITHOUT and math.isfinite(f_trial):
        slope = slope_between(x, trial, g_trial)
        if constants.cubic > 0.0 and not accepted:
            shrink = interpolate_cubic(
                f, f_trial, record.slope, slope, constants.shrink_min, constants.shrink_max
            )
        record.seen = max(record.seen, noise_between(f, f_trial, record.slope, slope))
    record.idle, record.g_least, record.f_least = count_idle(
        record.idle, (record.g_least, record.f_least), f_trial, residual, (accepted, small),
        record.given,
    )  # fmt: skip
    if accepted and not small:
        record.revived = -abs(record.revived)
    if (
        has_gradient and (accepted or rho > constants.keep)
        and (record.g_noise == 0.0 or is_clear(x, trial, g, g_trial, record.g_noise))
    ):  # fmt: skip
        theta = math.nan
        if constants.secant > 0.0:
            theta = 6.0 * (f - f_trial) + 6.0 * record.slope
        noise = 10.0 * max(record.noise * max(abs(f), abs(f_trial)), record.seen)
        if record.reduced == 0:
            absorb(x, trial, g, g_trial, (theta, noise), rows, ring, state)
        elif accepted:  # in coordinates, once they are known
            record.theta, record.theta_noise, record.stored = theta, noise, 1
    if accepted:
        if f_trial > f and f <= record.f_best:  # within roundoff, for a smaller gradient
            record.f_best = f
            copy(x, x_best)
            copy(g, g_best)
        if record.bounded != 0:
            step_to(x, trial, points[7])
        copy(trial, x)
        copy(g_trial, g)
        record.outdated = 1
        record.f_scale = term_size(record.f_scale, rho, small)
        record.seen = max(term_size(record.seen, rho, small), level(record.given))
        record.f = f_trial
        record.g_max, record.residual, record.g_norm = g_max, residual, g_norm
    elif math.isfinite(f_trial) and f_trial < min(f, record.f_best):  # but no gradient
        record.f_best = f_trial
        copy(trial, x_best)
        scale(math.nan, trial, g_best)
    if constants.published != 0:
        record.weight = ranganath_weight(record.weight, rho)
    else:
        if meaningful:
            record.length = min(
                next_length(
                    record.length, record.step_norm, rho, accepted, shrink, record.convex != 0,
                    rule, record.refused,
                ),
                record.length_max,
            )  # fmt: skip
        record.refused = 0.0 if accepted else record.step_norm
        if accepted:
            record.weight = constants.relax * record.multiplier
    if record.idle >= IDLE:
        revive(points, state)


@vector_function(1, inline=True, patient=MANY)
def _norms(points, x, g, state):
    """max|x - P(x - g)|_i and |x - P(x - g)|, and |g| where no bound holds the variable.

    Without bounds max|g_i| and |g|, twice. NaN where g is not finite.
    """
    if state[0].bounded != 0:
        return projected_norms(x, g, points[5], points[6])
    g_max, g_norm = norms(g)
    return g_max, g_norm, g_norm


@inline_kernel
def _scale_gradient(g, g_norm, out):
    """out = g / |g|, in float64."""
    for i in range(g.size):
        out[i] = np.float64(g[i]) / g_norm


@inline_kernel
def _move(x, g, alpha, c, trial):
    """trial = x + (c - alpha g); whether that differs from x."""
    moved = False
    for i in range(x.size):
        trial[i] = x[i] + (c[i] - alpha * g[i])
        moved = moved or trial[i] != x[i]
    return moved


@vector_function(0, patient=MANY)
def begin(points, state):
    """Set the scalars; f, the length, its bound and the weight are there, see `start_state`."""
    x, g, _, _, _ = named(points)
    record = state[0]
    record.g_max, record.residual, record.g_norm = _norms(points, x, g, state)
    record.f_best = math.inf
    record.f_scale = abs(record.f)
    record.seen, record.g_least, record.idle = level(record.given), math.inf, 0
    record.f_least = record.f
    record.revived = 0
    if record.length == 0.0:
        size = norm2(x)
        if size == 0.0 and record.bounded != 0:
            size = room(points[5], points[6])
        elif record.n >= _MANY and record.g_max > 0.0:
            size = min(size, mean_abs(x) * (record.g_norm / record.g_max))
        record.length = first_length(size, record.f, record.g_norm)
    record.length = min(record.length, record.length_max)


@vector_function(0, inline=True)
def revive(points, state):
    """Begin a dense model anew where it sees nothing to gain, once until f falls again.

    What the pairs tell it keeps. Where they tell nothing, the curvature that they have elsewhere
    may be any number of times too large, and the way down be hidden by roundoff for that alone:
    there -g leads as far as from a start.

    Returns
    -------
    revived : bool
    """
    record = state[0]
    if record.whole == 0 or record.reduced != 0 or record.revived > 0 or record.given > 0.0:
        return False
    length = first_length(norm2(points[0]), record.f, record.g_norm)
    record.length = min(length, record.length_max)
    record.matrix_gamma = record.g_norm / record.length
    record.revived, record.applied, record.idle = 1, -1, 0
    return True


@inline_kernel
def goes_on(record):
    """Whether the trial may gain something."""
    return record.moved != 0 and record.idle < IDLE and record.predicted > 0.0


@kernel
def report(state):
    """What Python wants to know of an iteration, all in one call: see `QuasiNewton._read`.

    The last number is whether the run goes on, or -1 while there is no trial yet.
    """
    r = state[0]
    goes = 1.0 if goes_on(r) else 0.0
    return (
        r.f, r.g_max, float(r.accepted), r.rho, r.step_norm, r.predicted, r.multiplier, r.length,
        -1.0 if r.pending != 0 else goes,
    )  # fmt: skip


@vector_function(1, pointer=True, patient=CUBE)
def solve_by_spectrum(ring, gram, work, lines, state, rule):
    """The step for the model and the bound of now by its spectrum, where `find_trial_x` wants it.

    A kernel of its own for all kinds of models: a run whose model stays definite never compiles it.
    Where the model is of no use it loses its pairs.
    """
    record = state[0]
    alpha = step_by_spectrum(ring, gram, work, lines, state, rule)
    record.pending = SOLVED
    if math.isnan(alpha):
        record.moved = 0
        if record.pairs == 0:  # there is no step at all
            alpha = record.predicted = 0.0
            for i in range(record.rank):
                lines[6, i] = 0.0
        else:
            record.pending = record.pairs = 0
            record.applied = -1
    record.alpha = alpha


#: The same for a reduced model, whose rank is small while Python takes its place.
_solve_reduced_by_spectrum: Any = patient(solve_by_spectrum.compiled, 1, PASSES)  # type: ignore


@inline_kernel
def _solve_definite(ring, gram, work, lines, state, rule):
    """The step of a definite model, -alpha g + U c with c in lines[6]; NaN if that cannot be."""
    record = state[0]
    _, _, matrix, factor, _, _ = planes(work)
    record.alpha = step_without_spectrum(ring, gram, matrix, factor, lines, state, rule)


@inline_kernel
def _is_ready(record):
    """Whether there is a step to write; the spectrum is asked for otherwise."""
    ready = not math.isnan(record.alpha)
    record.pending = 0 if ready else WANTED
    return ready


@vector_function(0, pointer=True, patient=SQUARE)
def find_trial_dense(points, rows, ring, gram, work, lines, state, rule):
    """Prepare a dense model at x and write the trial for it and the bound of now.

    `pending` is WANTED afterwards if the spectrum has to decide: `solve_by_spectrum` is to be
    called then, and this once more, see `QuasiNewton`.

    Parameters
    ----------
    points, rows, ring, state, rule
        As in `receive`.
    gram : float64 array
        See `renew_dense`, and for a limited-memory model `bring_up_to_date`.
    work, lines : float64 arrays
        See `quasinewton.models.model.workspace`.

    Returns
    -------
    numbers : tuple of float
        See `report`.
    """
    x, g, trial, _, _ = named(points)
    record = state[0]
    for _ in range(2 if record.g_max > 0.0 else 0):
        if record.pending != SOLVED:
            renew_dense(record.g_norm / record.length, rows, ring, gram, lines, state)
            _scale_gradient(g, record.g_norm, lines[6])
            _solve_definite(ring, gram, work, lines, state, rule)
        if not _is_ready(record):
            break
        record.moved = 1 if _move(x, g, record.alpha, lines[6], trial) else 0
        if record.moved != 0 or not revive(points, state):
            break
    return report(state)


@vector_function(0, pointer=True)
def find_trial_compact(points, rows, ring, gram, work, lines, state, rule):
    """The same as `find_trial_dense` of a limited-memory model."""
    x, g, trial, _, _ = named(points)
    record = state[0]
    basis, coordinates, matrix, _, _, _ = planes(work)
    width = 2 * ring.size
    w = lines[3, :width]
    if record.stored > 0 or record.outdated != 0:
        bring_up_to_date(g, rows, ring, gram, state)
    if record.g_max > 0.0:
        if record.pending != SOLVED:
            fallback = record.g_norm / record.length
            renew_compact(fallback, ring, gram, coordinates, basis, matrix, lines, state)
            project(basis, record.rank, gram[width], record.g_norm, lines[3], lines[6])
            _solve_definite(ring, gram, work, lines, state, rule)
        if _is_ready(record):
            expand(basis, record.rank, lines[6], w)
            filled = width // 2 + record.pairs
            moved = add_combination(
                -record.alpha, g, rows[:filled], w[:filled], x, trial, lines[7]
            )
            record.moved = 1 if moved else 0
    return report(state)


@vector_function(0, pointer=True, patient=MANY)
def find_trial_reduced(points, rows, ring, gram, work, lines, state, rule):
    """The same of a model in coordinates of the span of the gradients, once it is renewed."""
    x, g, trial, _, _ = named(points)
    record = state[0]
    _, h, step, _, _ = parts(gram, ring.size)
    if record.g_max > 0.0:
        if record.pending != SOLVED:
            for i in range(record.rank):
                lines[6, i] = h[i] / record.g_norm
            _solve_definite(ring, gram, work, lines, state, rule)
        if _is_ready(record):
            rank = record.rank
            for i in range(step.size):
                step[i] = lines[6, i] if i < rank else 0.0
            moved = add_combination(0.0, g, rows[:rank], step[:rank], x, trial, lines[7])
            record.moved = 1 if moved else 0
    return report(state)


def find_trial_in_span(
    points: Any, rows: Any, ring: Any, gram: Any, work: Any, lines: Any, state: Any, rule: Any
) -> tuple[float, ...]:
    """`find_trial_reduced` after what renews the model: three kernels, compiled one by one."""
    if state["g_max"][0] > 0.0:
        _renew(renew_reduced, points, rows, ring, gram, work, lines, state)
    numbers: tuple[float, ...] = find_trial_reduced(
        points, rows, ring, gram, work, lines, state, rule
    )
    return numbers


def _renew(
    renew: Any, points: Any, rows: Any, ring: Any, gram: Any, work: Any, lines: Any, state: Any
) -> None:
    if renew(points, rows, ring, gram, work, lines, state):
        basis, product, *_ = planes(work)
        make_room(rows, ring, gram, basis, product, lines, state)


@pointer_kernel
def renew_nothing(points, rows, ring, gram, work, lines, state):
    """Stand in place of `renew_reduced` for models that are renewed where the trial is made."""
    return False


@pointer_kernel
def make_no_room(rows, ring, gram, basis, product, lines, state):
    """Stand in place of `make_room` for models that never need it."""


@vector_function(0, pointer=True, patient=SQUARE)
def renew_dense_in_box(points, rows, ring, gram, work, lines, state):
    """Prepare a dense model of a run in a box, as `renew_reduced` does a reduced one."""
    record = state[0]
    renew_dense(record.g_norm / record.length, rows, ring, gram, lines, state)
    return False


@pointer_kernel
def renew_compact_in_box(points, rows, ring, gram, work, lines, state):
    """The same of a limited-memory model."""
    record = state[0]
    basis, coordinates, matrix, _, _, _ = planes(work)
    if record.stored > 0 or record.outdated != 0:
        bring_up_to_date(points[1], rows, ring, gram, state)
    fallback = record.g_norm / record.length
    renew_compact(fallback, ring, gram, coordinates, basis, matrix, lines, state)
    return False


@inline_kernel
def give_up_model(state):
    """Lose a model that was of no use."""
    record = state[0]
    record.moved = record.pairs = 0
    record.applied = -1
    record.outdated = 1


#: Pairs of which a dense model takes the least curvature for gamma.
_WINDOW = 7


def _subproblem(recipe: Recipe, options: Options) -> Subproblem:
    return SUBPROBLEMS[recipe.subproblem or options.norm]


def start_state(
    model: CompactModel, recipe: Recipe, options: Options, bounded: bool = False
) -> np.ndarray:
    """The record that `begin` finds, but for f: a length of 0 stands for the default."""
    weight = 0.0
    if not _subproblem(recipe, options).radius:
        weight = 100.0 if options.weight_rule == "ranganath" else 0.0
        if options.initial_weight is not None:
            weight = options.initial_weight
    rule, window = LARGEST, recipe.window
    whole = model.dense or model.reduced
    if model.reduced:
        window = 1
    elif model.dense:
        rule, window = LEAST_ALONG, _WINDOW
    return new_state(
        n=model.n, update=KINDS[recipe.update], dense=whole, reduced=model.reduced, gamma=1.0,
        noise=NOISE, bounded=bounded, given=options.f_noise, g_noise=options.g_noise,
        window=window, gamma_rule=rule, whole=whole and options.memory is None, weight=weight,
        length=options.initial_trust_radius or 0.0, length_max=options.max_trust_radius,
    )  # fmt: skip


def rule_record(recipe: Recipe, options: Options, dense: bool) -> np.ndarray:
    """The constants of the globalization: the recipe's, changed by the options."""
    own = {**recipe.rule, **(recipe.dense_rule if dense else {})}
    subproblem = _subproblem(recipe, options)
    published = options.weight_rule == "ranganath" and not subproblem.radius
    parameters = RuleParameters(**{**own, **options.rule_parameters})
    return parameters.record(subproblem, published)


class InBox:
    """Makes the trials of a run in a box, as `find_trial_dense` makes those of a free one.

    Kernels of the model's kind and one for all: nothing is compiled for kinds that are not used.
    """

    def __init__(self, x0: Any, options: Options, most: int) -> None:
        _, dense, directions = shape_of_model(x0, options, True)
        self.renew = renew_reduced if directions else renew_compact_in_box
        if dense:
            self.renew = renew_dense_in_box
        self.box = face_workspace(x0.shape[0], most)

    def saved(self) -> dict[str, Any]:
        """What a step takes over from the one before, where `covered` is not 0; not copies."""
        _, marks, face, _, _ = self.box
        return {"held": marks[4], "inner": names(face)[4]}

    def __call__(
        self, points: Any, rows: Any, ring: Any, gram: Any, work: Any, lines: Any, state: Any,
        rule: Any,
    ) -> tuple[float, ...]:  # fmt: skip
        attempts = 2 if state["g_max"][0] > 0.0 else 0
        for _ in range(attempts):
            _renew(self.renew, points, rows, ring, gram, work, lines, state)
            if step_in_box(points, rows, ring, gram, work, lines, state, rule, self.box):
                break
            give_up_model(state)
        numbers: tuple[float, ...] = report(state)
        return numbers


class QuasiNewton:
    """The state of a quasi-Newton method, and the calls that move it on.

    Parameters
    ----------
    x0 : array, shape (n,)
        Not kept; its dtype (float32 or float64) is that of every n-vector, and so is its kind:
        a NumPy array, or what else the array API standard describes.
    f : float
    g : array, shape (n,)
        Objective and gradient at x0, finite.
    recipe : Recipe
    options : Options
    box : Box, optional
        Bounds on the variables, which x0 keeps, and every trial.

    Attributes
    ----------
    x, g, trial : arrays, shape (n,)
        The point, the gradient there, and the next point to evaluate.
    f, optimality : float
        The objective and max|g_i|, or max|x - P(x - g)|_i, at `x`.
    accepted : bool
        Whether the last trial was accepted.
    rho : float
        Actual over predicted reduction of the last trial.
    step_norm, predicted : float
        Length of the step to `trial`, and the decrease that the model predicts for it.
    weight : float
        The cubic weight of that step, or the multiplier of the trust region.
    radius : float
        Bound on the length of the step, the radius of a trust region.
    stalled : bool
        Whether `trial` cannot be told from `x` in floating point.
    """

    direction = None  # never asks for a Hessian product

    def __init__(
        self, x0: Any, f: float, g: Any, recipe: Recipe, options: Options, box: Box | None = None
    ) -> None:
        n = x0.shape[0]
        memory, dense, most = shape_of_model(x0, options, box is not None)
        self.model = model = CompactModel(
            n, memory, recipe.update, like=x0, dense=dense, directions=most
        )
        self.state = model.state = start_state(model, recipe, options, box is not None)
        self.state["f"] = f
        self._own = OWN_ROWS if box is None else OWN_ROWS_IN_BOX
        self._name(zeros((self._own, n), x0))
        self.x[...], self.g[...] = x0, g
        if box is not None:
            self.points[5], self.points[6] = box.lower, box.upper
        self.rule = rule_record(recipe, options, model.dense or model.reduced)
        self.arrays = (
            model.rows, model.ring, model.gram, model.work, model.lines, self.state, self.rule
        )
        self.kernel = main_kernel(x0, options, box is not None)
        self.find = self.kernel
        if box is not None:
            self.find = InBox(x0, options, model.most)
        elif model.reduced:
            self.find = find_trial_in_span
        if options.model is not None:
            model.take(options.model.model)
        begin(self.points, self.state)
        self._find_trial()

    def waits(self) -> bool:
        """Whether Python takes the place of machine code that is not there yet."""
        waits: bool = self.kernel.waits(self.model.n)
        return waits

    def _find_trial(self) -> None:
        self._read(self._next_trial())

    def _next_trial(self) -> tuple[float, ...]:
        numbers: tuple[float, ...] = self.find(self.points, *self.arrays)
        while numbers[-1] < 0.0:
            _, ring, gram, work, lines, state, rule = self.arrays
            solve = _solve_reduced_by_spectrum if self.model.reduced else solve_by_spectrum
            solve(ring, gram, work, lines, state, rule)
            numbers = self.find(self.points, *self.arrays)
        return numbers

    def _read(self, numbers: tuple[float, ...]) -> None:
        (
            self.f, self.optimality, accepted, self.rho, self.step_norm, self.predicted,
            self.weight, self.radius, goes,
        ) = numbers  # fmt: skip
        self.accepted = accepted != 0.0
        self.stalled = goes == 0.0

    def read(self) -> None:
        """Bring the attributes up to date where kernels have moved the method on."""
        self._read(report(self.state))

    def make_room(self, spare: int) -> None:
        """Have so many rows in `points` after those of the method."""
        if len(self.points) < self._own + spare:
            points = zeros((self._own + spare, self.model.n), self.points)
            points[: self._own] = self.points[: self._own]
            self._name(points)

    def _name(self, points: Any) -> None:
        self.points = points
        self.x, self.g, self.trial, self.x_best, self.g_best = named(points)

    def renew(self, f: float, g: Any, radius: float | None = None) -> None:
        """Go on from `x` with another objective: f and g are its values there."""
        self.g[...] = g
        self.begin_noise(f)
        self.go_on(f, math.inf, self.radius if radius is None else radius)

    def begin_noise(self, f: float) -> None:
        """Forget what noise another objective has."""
        record = self.state[0]
        record.f_scale, record.seen, record.g_least = abs(f), level(record.given), math.inf
        record.f_least, record.idle = f, 0
        record.revived = 0

    def expect(self, precision: float) -> None:
        """Take f to be given in this relative precision."""
        self.state[0].noise = precision / EPS * NOISE

    def expect_noise(self, f_noise: float, g_noise: float) -> None:
        """Take f and the gradient to have this noise: see the option `noise`."""
        record = self.state[0]
        if f_noise != record.given:
            record.given, record.seen = f_noise, level(f_noise)
        record.g_noise = g_noise

    def go_on(self, f: float, f_best: float, radius: float) -> None:
        """Go on where `x` and `g` have been changed from outside."""
        record = self.state[0]
        lower = record.f - f > record.noise * abs(f)
        if record.given > 0.0:
            lower = record.f_least - f > level(record.given)
        if lower:
            record.g_least, record.f_least, record.idle = math.inf, f, 0
        record.f = f
        norms = _norms(self.points, self.x, self.g, self.state)
        record.g_max, record.residual, record.g_norm = norms
        record.f_best = f_best
        record.length = min(radius, record.length_max)
        record.rejections, record.outdated, record.pending = 0, 1, 0
        record.refused = 0.0
        self._find_trial()

    def learn(self) -> None:
        """Work the newest pair into a dense matrix, which would else lose it with the ring."""
        if self.model.dense and not self.model.reduced:
            record = self.state[0]
            self.model.renew(record.g_norm / record.length)

    def needs_gradient(self, f: float) -> bool:
        """Whether `receive` can use the gradient at a trial with this value."""
        return bool(wants_gradient(f, self.state, self.rule))

    def receive(self, f: float, g: Any, offered: bool = False) -> None:
        """One iteration, from the objective at `trial` and the gradient there, or None.

        `offered`: the gradient is at hand, and to be used if `needs_gradient`.
        """
        rows, ring, _, _, _, state, rule = self.arrays
        points = self.points
        if g is None:
            receive(f, WITHOUT, points, self.g, rows, ring, state, rule)
            self._read(self._next_trial())
            return
        gradient = OFFERED if offered else GIVEN
        tensors = is_tensor(points)
        try:
            if tensors:
                record, reduced = state[0], self.model.reduced
                kept = record.rank if reduced and record.rank < len(rows) else 0
                # the slot of the oldest is written anew in a ring that is full
                pairs = 0 if reduced else min(int(record.pairs) + 1, len(ring))
                foresee(points, g, rows, int(kept), pairs)
            receive(f, gradient, points, g, rows, ring, state, rule)
            self._read(self._next_trial())
        finally:
            if tensors:
                forget()

    def keep(self, x: Any, f: float, g: Any = math.nan) -> None:
        """Remember a point if it is the lowest, without its gradient where that is not known."""
        if math.isfinite(f) and f < self.best[1]:
            self.state["f_best"] = math.inf  # an interrupt may come between
            copy(x, self.x_best)
            self.g_best[...] = g
            self.state["f_best"] = f

    def bound(self) -> None:
        """Make the trial anew if it is farther than the options let it be."""
        if self.radius > self.state["length_max"][0]:
            self.go_on(self.f, self.f_best, self.radius)

    def saved(self) -> dict[str, Any]:
        """All that the iterations to come depend on; not copies."""
        model = self.model
        saved = {
            "points": self.points[:5], "rows": model.filled_rows, "gram": model.gram,
            "ring": model.ring, "state": self.state,
        }  # fmt: skip
        if model.reduced and isinstance(self.find, InBox):
            saved |= self.find.saved()
        return saved

    @classmethod
    def restore(
        cls, saved: Mapping[str, np.ndarray], recipe: Recipe, options: Options,
        box: Box | None = None,
    ) -> QuasiNewton:  # fmt: skip
        """The method that was `saved`; ValueError where it cannot be one."""
        _, n = saved["points"].shape
        m, _, most = shape_of_model(saved["points"][0], options, box is not None)
        pairs = len(saved["ring"])
        if pairs != m:
            raise ValueError(f"option `memory` is {m}, the run was started with {pairs}")
        check_shape("points", saved, (5, n))  # before anything is allocated
        filled = 2 * m
        if most:
            filled = min(most, len(saved["rows"]))
        check_shape("rows", saved, (filled, n))
        x = saved["points"][0]
        method = cls(x, 0.0, zeros((n,), x), recipe, options, box)
        model = method.model
        fill(model.rows[:filled], "rows", saved)
        for name, array in method.saved().items():
            if name != "rows":
                fill(array, name, saved)
        fresh = start_state(model, recipe, options, box is not None)
        for name in (
            "n", "update", "window", "gamma_rule", "dense", "reduced", "whole", "length_max",
            "bounded",
        ):  # fmt: skip
            method.state[name] = fresh[name]
        method.read()
        if most and not 0 <= model.record.covered <= model.record.rank == filled:
            raise ValueError("the rows do not fit their number")
        slots = model.ring["slot"]
        if not 0 <= model.count <= m or not np.all((slots >= 0) & (slots < m)):
            raise ValueError("the pairs are numbered wrong")
        return method

    def current_model(self) -> CompactModel:
        """The model of the Hessian at `x`; its spectrum is made when it is looked at."""
        self.model.outdate()
        return self.model

    f_scale = property(lambda self: float(self.state["f_scale"][0]))
    noise = property(lambda self: float(self.state["noise"][0]))
    f_noise = property(lambda self: float(self.state["given"][0]))
    g_noise = property(lambda self: float(self.state["g_noise"][0]))
    f_best = property(lambda self: float(self.state["f_best"][0]))

    @property
    def best(self) -> tuple[Any, float, Any]:
        """The point of least f, with its f and gradient, NaN if that is not known."""
        # of the record, which changes together with x: an interrupt may come before `_read`
        f, f_best = float(self.state["f"][0]), self.f_best
        if f_best < f:
            return self.x_best, f_best, self.g_best
        return self.x, f, self.g


#: Rows of a reduced model: the least; and where they have no more than so many elements. Networks
#: are trained in fewer steps with 40 than with 20, and in about as many with 60 or 100.
_LEAST_ROWS = 20
_ROWS_WITHIN = ((40, 20_000_000), (200, 1_000_000))
#: The same in a box.
_ROWS_IN_BOX = ((200, 500_000),)
#: Bound on the pairs kept beside: until they are that many the model is made anew from them.
_MOST_PAIRS = 50


def shape_of_model(x0: Any, options: Options, bounded: bool = False) -> tuple[int, bool, int]:
    """Pairs kept, whether in a matrix in the variables, and the directions of a reduced model.

    As many pairs as the user says; else all that can be kept for small n, and for larger n the
    span of as many gradients as 8 MB hold, or of half as many in a box, where steps are in it too;
    but of 40 (in a box 20), and of 20 where 40 took more than 160 MB.
    """
    n = x0.shape[0]
    if options.memory:
        return options.memory, n <= 2 * options.memory and not is_tensor(x0), 0
    if n < _MANY and not is_tensor(x0):
        return 20, True, 0
    within = _ROWS_IN_BOX if bounded else _ROWS_WITHIN
    most = min(n, max(_LEAST_ROWS, *(min(rows, elements // n) for rows, elements in within)))
    return max(1, min(_MOST_PAIRS, most // 2)), False, most


def main_kernel(x0: Any, options: Options, bounded: bool) -> Any:
    """The kernel that takes most of what a run has to compile."""
    return step_in_box if bounded else finder(x0, options)


def finder(x0: Any, options: Options) -> Any:
    """The function that makes the trials with such a model."""
    _, dense, most = shape_of_model(x0, options)
    if most:
        return find_trial_reduced
    return find_trial_dense if dense else find_trial_compact
