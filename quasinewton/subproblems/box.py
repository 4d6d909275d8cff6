r"""The subproblem in a box: the model's minimum over bounds on the variables and on the length.

.. math:: \min_s\ g^T s + \tfrac12 s^T B s, \qquad l - x \le s \le u - x, \quad \|s\| \le \Delta

By faces: with the variables held that the gradient pulls onto their bounds, the subproblem of the
free ones is solved as without bounds (`restrict`). Where the step leaves the box, the model is
searched along its projection; where that leads up, the step ends on the first bound that it meets.
The variables that the model's gradient then pulls off their bounds are freed, those it pulls onto
them are held, and so on, while that pays; no evaluation is needed in between (Lin & Moré 1999, Moré
& Toraldo 1991). Where the step decreases the model by less than half of what the generalised Cauchy
point does (Conn, Gould & Toint 1988), it is made anew from there.

All is in units in which |g| of the free variables is 1, and so is the model's `unit`.
"""

from __future__ import annotations

import math

from ..kernels import HUGE, PASSES, inline_kernel, kernel, vector_function
from ..models.compact import expand, project
from ..models.face import (
    add_at,
    begin_face,
    combine,
    coordinates_on_face,
    hold,
    leave_face,
    multiply_curvature,
    names,
    products_on_face,
    restrict,
)
from ..models.model import planes
from ..models.reduced import parts
from ..vectors import add_combination
from .definite import step_without_spectrum
from .spectral import step_by_spectrum

__all__ = ["step_in_box"]

#: Faces that one step looks at; and the part of what was gained so far that another has to gain.
_FACES, _GAIN = 12, 0.01
#: Part of the decrease along a projected path that its slope promises; halvings of the path.
_ARMIJO, _HALVINGS = 0.1, 12
#: The mark of a variable that a step has just put on its bound; relative distance of two bounds on
#: its way that are met at once.
_MET, _SAME = 2, 1e-12
#: Part of the decrease of the Cauchy point that makes it not needed.
_ENOUGH = 0.5
#: Part of the bound on the length that has to be left for the free variables.
_ROOM = 1e-6


@kernel
def _gradient_coordinates(g, ring, gram, work, lines, state, out):
    """out = Q g / |g|."""
    record = state[0]
    rank = record.rank
    if record.reduced != 0:
        _, h, _, _, _ = parts(gram, ring.size)
        for i in range(rank):
            out[i] = h[i] / record.g_norm
    elif record.dense != 0:
        for i in range(rank):
            out[i] = g[i]
    else:
        project(planes(work)[0], rank, gram[2 * ring.size], record.g_norm, lines[3], out)


@kernel
def _solve(ring, work, lines, state, rule, face):
    """The step of the model on the face, as `QuasiNewton` makes it of a whole one."""
    _, _, matrix, factor, _, _ = planes(work)
    alpha = step_without_spectrum(ring, face, matrix, factor, lines, state, rule)
    if math.isnan(alpha):
        alpha = step_by_spectrum(ring, face, work, lines, state, rule)
    return alpha


@kernel
def _choose_face(rows, work, lines, state, box, gamma):
    """List the variables that the model's gradient holds on their bounds, or that just met them.

    Returns how many are held, how many are free, how many were held and are free, and how many
    have changed sides, which are listed too.
    """
    vectors, marks, face, _, face_state = box
    low, high, s, r, gs = vectors[0], vectors[1], vectors[2], vectors[3], vectors[5]
    _, _, _, _, _, own = names(face)
    count = 0
    for i in range(s.size):
        if s[i] <= low[i] or s[i] >= high[i]:
            marks[3, count] = i
            r[i] = gs[i] + gamma * s[i]
            count += 1
    if face_state[0].moved != 0:
        add_at(rows, planes(work)[0], marks[3], count, own[5], state, own[2], r, lines[7])
    released = changed = 0
    for k in range(count):
        i = marks[3, k]
        held = (
            low[i] >= high[i] or (s[i] <= low[i] and r[i] > 0.0) or (s[i] >= high[i] and r[i] < 0.0)
            or marks[0, i] == _MET
        )  # fmt: skip
        if held != (marks[0, i] == 1):
            marks[5, changed] = i
            changed += 1
            released += 0 if held else 1
        marks[0, i] = 1 if held else 0
    held_now, free = hold(marks[0], marks)
    return held_now, free, released, changed


@kernel
def _split_products(rows, basis, state, box, sizes, anew, known):
    """own[8] = Q_F g_F and own[6] = Q_A s_A, which change with the variables that changed sides.

    own[8] may be `known`.
    """
    vectors, marks, face, _, face_state = box
    s, target, gs, excess = vectors[2], vectors[3], vectors[5], vectors[6]
    _, _, _, _, _, own = names(face)
    held, free, changed = sizes
    rank = state[0].rank
    line, held_part, h_free, first = own[2], own[6], own[8], own[16]
    if not anew:
        for k in range(changed):
            i = marks[5, k]
            sign = 1.0 if marks[0, i] == 0 else -1.0
            target[i], excess[i] = sign * gs[i], -sign * s[i]
        combine(rows, basis, marks[5], changed, target, state, line, h_free)
        combine(rows, basis, marks[5], changed, excess, state, line, held_part)
        return
    h = own[3]
    if known:
        pass
    elif held <= free:
        for k in range(held):
            target[marks[1, k]] = -gs[marks[1, k]]
        for i in range(rank):
            h_free[i] = h[i]
        products_on_face(rows, basis, marks, 1, held, target, state, line, h_free, excess)
    else:
        for i in range(rank):
            h_free[i] = 0.0
        products_on_face(rows, basis, marks, 0, free, gs, state, line, h_free, excess)
    for i in range(rank):
        held_part[i] = 0.0
    if face_state[0].moved != 0:
        products_on_face(rows, basis, marks, 1, held, s, state, line, held_part, excess)
    else:
        for i in range(rank):
            first[i] = h_free[i]


@kernel
def _find_target(arrays, box, numbers, sizes, anew):
    """The minimiser on the face, in `target`, and its coordinates Q_F target; whether there is one.

    `sizes` are the numbers of variables that are held, that are free, and that changed sides since
    the face before, if this is not made `anew`. own[6] becomes Q_A s_A, own[11] the coordinates.
    """
    held, free, _ = sizes
    _, rows, ring, _, work, lines, state, rule = arrays
    vectors, marks, face, order, face_state = box
    gamma, longest, weight = numbers
    s, target, gs, zero = vectors[2], vectors[3], vectors[5], vectors[7]
    _, _, _, curvature, gram_face, own = names(face)
    record, on_face = state[0], face_state[0]
    rank = record.rank
    basis = planes(work)[0]
    in_variables = record.dense != 0 and record.reduced == 0
    held_part, z, h_free, v, e, image = own[6], own[7], own[8], own[9], own[10], own[11]
    taken = 0.0
    for k in range(held):
        taken += s[marks[1, k]] * s[marks[1, k]]
    room = longest
    if taken > 0.0:
        room = math.sqrt(max(0.0, longest * longest - taken))
    if room < _ROOM * longest:
        return False
    count, known = restrict(rows, basis, marks, held, free, state, face, order, vectors)
    _split_products(rows, basis, state, box, sizes, anew, known)
    multiply_curvature(curvature, held_part, rank, z)
    square = 0.0  # |g_F|^2
    for k in range(free):
        square += gs[marks[2, k]] * gs[marks[2, k]]
    # v, the gradient where the free variables do not move, is g_F + Q_F^T z
    for i in range(rank):
        v[i] = h_free[i]
    if in_variables:
        for k in range(free):
            i = marks[2, k]
            v[i] = gs[i] + z[i]
        for k in range(held):
            v[marks[1, k]] = 0.0
    elif held == 0:
        pass
    else:
        multiply_curvature(gram_face, z, rank, e)
        for i in range(rank):
            v[i] += e[i]
    coordinates_on_face(h_free, count, marks, held, state, face, order, own[12])
    coordinates_on_face(v, count, marks, held, state, face, order, own[13])
    outside = square
    inside = 0.0
    for i in range(count):
        outside -= own[12, i] * own[12, i]
        inside += own[13, i] * own[13, i]
    if not outside > 1e-15 * square or count == free or in_variables:
        outside = 0.0
    size = math.sqrt(outside + inside)
    alpha = 0.0
    for i in range(count):
        own[13, i] = 0.0 if size == 0.0 else own[13, i] / size
        lines[6, i] = own[13, i]
    if size > 0.0:
        on_face.n, on_face.update, on_face.rank = free, record.update, count
        on_face.dense, on_face.reduced, on_face.whole, on_face.inverted = 1, 0, 0, 0
        on_face.gamma = on_face.matrix_gamma = gamma
        on_face.unit = 1.0
        on_face.outside = 1 if outside > 0.0 else 0
        on_face.g_norm, on_face.length, on_face.weight = size, room, weight
        alpha = _solve(ring, work, lines, face_state, rule, face)
        if math.isnan(alpha):
            return False
    for i in range(count):
        own[12, i] = lines[6, i]
    leave_face(own[12], count, marks, held, state, face, order, e)
    # target = -alpha v_F + Q_F^T e
    if in_variables or held == 0:
        for i in range(rank):
            image[i] = e[i] - alpha * v[i]
    else:
        multiply_curvature(gram_face, e, rank, image)
        for i in range(rank):
            image[i] -= alpha * v[i]
    for i in range(rank):
        e[i] -= alpha * z[i]
    if in_variables:
        for i in range(rank):
            target[i] = e[i] - alpha * gs[i]
    elif record.reduced != 0:
        add_combination(-alpha, gs, rows[:rank], e[:rank], zero, target, lines[7])
    else:
        width = 2 * ring.size
        filled = ring.size + record.pairs
        expand(basis, rank, e, lines[3, :width])
        add_combination(-alpha, gs, rows[:filled], lines[3, :filled], zero, target, lines[7])
    return True


@kernel
def _clip(value, low, high):
    return min(max(value, low), high)


@kernel
def _project_step(arrays, box, gamma, t, held, free, value):
    """The point of the path s + t (target - s), projected: own[14] becomes its coordinates.

    Returns the model's value there, whether that is a sufficient decrease, and whether the path
    has left the box.
    """
    _, rows, _, _, work, _, state, _ = arrays
    vectors, marks, face, _, _ = box
    low, high, s, target, trial, gs, excess = (
        vectors[0], vectors[1], vectors[2], vectors[3], vectors[4], vectors[5], vectors[6],
    )
    _, _, _, curvature, _, own = names(face)
    rank = state[0].rank
    clipped = 0
    linear = 0.0
    square = 0.0
    slope = 0.0
    for k in range(held):
        i = marks[1, k]
        trial[i] = s[i]
        linear += gs[i] * s[i]
        square += s[i] * s[i]
    for k in range(free):
        i = marks[2, k]
        inside = target[i] if t == 1.0 else s[i] + t * (target[i] - s[i])
        new = _clip(inside, low[i], high[i])
        if new != inside:
            marks[3, clipped] = i
            excess[i] = new - inside
            clipped += 1
        trial[i] = new
        linear += gs[i] * new
        square += new * new
        slope += (gs[i] + gamma * s[i]) * (new - s[i])
    c, cs = own[14], own[4]
    for i in range(rank):
        c[i] = own[6, i] + (1.0 - t) * (cs[i] - own[6, i]) + t * own[11, i]
    combine(rows, planes(work)[0], marks[3], clipped, excess, state, own[2], c)
    multiply_curvature(curvature, c, rank, own[15])
    bend = 0.0
    for i in range(rank):
        bend += c[i] * own[15, i]
        slope += own[5, i] * (c[i] - cs[i])
    new_value = linear + 0.5 * (gamma * square + bend)
    enough = new_value < value and new_value <= value + _ARMIJO * slope
    return new_value, enough, clipped > 0


@kernel
def _part_to_bound(s, target, low, high):
    """The part of the way from s to the target on which a variable is in its bounds."""
    if target < low:
        return (low - s) / (target - s)
    if target > high:
        return (high - s) / (target - s)
    return 1.0


@kernel
def _first_bound(box, free):
    """The part of the way to the target that is in the box."""
    vectors, marks, _, _, _ = box
    low, high, s, target = vectors[0], vectors[1], vectors[2], vectors[3]
    t = 1.0
    for k in range(free):
        i = marks[2, k]
        t = min(t, _part_to_bound(s[i], target[i], low[i], high[i]))
    return t


@kernel
def _meet_bounds(box, free, t):
    """Put those on their bounds that the way to the target meets first, after this part of it.

    `trial` is the point there. The next face holds them.
    """
    vectors, marks, _, _, _ = box
    low, high, s, target, trial = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    for k in range(free):
        i = marks[2, k]
        if _part_to_bound(s[i], target[i], low[i], high[i]) <= t + _SAME * t:
            trial[i] = low[i] if target[i] < low[i] else high[i]
            marks[0, i] = _MET


@inline_kernel
def _descend(arrays, box, numbers, value):
    """From s on, whose coordinates are own[4], face after face.

    Returns the model's value at the end, and whether a path has left the box; NaN where the model
    is of no use.
    """
    _, rows, _, _, work, lines, state, _ = arrays
    vectors, marks, face, _, face_state = box
    gamma, _, _ = numbers
    s, trial = vectors[2], vectors[4]
    _, _, _, curvature, _, own = names(face)
    rank = state[0].rank
    on_face = face_state[0]
    cs = own[4]
    left = False
    full = False
    gained = 0.0
    for i in range(s.size):
        marks[0, i] = 0
    for step in range(_FACES):
        multiply_curvature(curvature, cs, rank, own[5])
        held, free, released, changed = _choose_face(rows, work, lines, state, box, gamma)
        if free == 0 or (full and released == 0):
            break
        sizes = (held, free, changed)
        if not _find_target(arrays, box, numbers, sizes, step == 0):
            if step == 0 and on_face.moved == 0:
                value = math.nan
            break
        first = _first_bound(box, free)
        left = left or first < 1.0
        t = 1.0
        enough = False
        new_value = value
        clipped = False
        for _ in range(_HALVINGS):
            if t <= first < 1.0:
                break
            new_value, enough, clipped = _project_step(arrays, box, gamma, t, held, free, value)
            if enough:
                break
            t *= 0.5
        cut = not enough and first < 1.0
        if cut:
            t = first
            new_value, enough, _ = _project_step(arrays, box, gamma, t, held, free, value)
            if not enough and t > 0.0:
                break
            _meet_bounds(box, free, t)
            if not enough:
                continue
        elif not enough:
            break
        for i in range(s.size):
            s[i] = trial[i]
        for i in range(rank):
            cs[i] = own[14, i]
        gain = value - new_value
        gained += gain
        value = new_value
        on_face.moved = 1
        full = t == 1.0 and not clipped
        if gain < _GAIN * gained and not cut:
            break
    return value, left


@inline_kernel
def _is_held(low, high, g):
    """Whether g holds a variable on a bound that it is on, or both bounds do."""
    return (low >= 0.0 and g > 0.0) or (high <= 0.0 and g < 0.0) or low >= high


@kernel
def _cauchy_point(arrays, box, numbers):
    """Put s = P(-t g) for the t of a sufficient decrease; the model's value there.

    own[16] has Q_F g_F of the first face, which held the same variables.
    """
    _, rows, _, _, work, _, state, _ = arrays
    vectors, marks, face, _, _ = box
    gamma, longest, _ = numbers
    low, high, s, gs, excess = vectors[0], vectors[1], vectors[2], vectors[5], vectors[6]
    _, _, _, curvature, _, own = names(face)
    rank = state[0].rank
    basis = planes(work)[0]
    cs, h_free = own[4], own[16]
    square = 0.0
    for i in range(s.size):
        s[i] = 0.0
        if not _is_held(low[i], high[i], gs[i]):
            square += gs[i] * gs[i]
    multiply_curvature(curvature, h_free, rank, own[15])
    bend = gamma * square
    for i in range(rank):
        bend += h_free[i] * own[15, i]
    size = math.sqrt(square)
    t = longest / size if math.isfinite(longest) else 1.0 / max(abs(gamma), 1e-3)
    if bend > 0.0:
        t = min(t, square / bend)
    value = 0.0
    for _ in range(40):
        clipped = 0
        linear = 0.0
        length = 0.0
        for i in range(s.size):
            inside = -t * gs[i]
            new = _clip(inside, low[i], high[i])
            s[i] = new
            linear += gs[i] * new
            length += new * new
            if new != inside and not _is_held(low[i], high[i], gs[i]):
                marks[3, clipped] = i
                excess[i] = new - inside
                clipped += 1
        for i in range(rank):
            cs[i] = -t * h_free[i]
        combine(rows, basis, marks[3], clipped, excess, state, own[2], cs)
        multiply_curvature(curvature, cs, rank, own[15])
        bend = gamma * length
        for i in range(rank):
            bend += cs[i] * own[15, i]
        value = linear + 0.5 * bend
        if value <= _ARMIJO * linear:
            break
        t *= 0.25
    return value


@kernel
def _take(arrays, box, scale):
    """Write the trial: exactly on the bounds that s is on. Whether it differs from x."""
    points, _, _, _, _, _, _, _ = arrays
    vectors, _, _, _, _ = box
    x, trial, lower, upper = points[0], points[2], points[5], points[6]
    low, high, s, gs = vectors[0], vectors[1], vectors[2], vectors[5]
    moved = False
    square = 0.0
    linear = 0.0
    for i in range(x.size):
        if s[i] <= low[i]:
            trial[i] = lower[i]
        elif s[i] >= high[i]:
            trial[i] = upper[i]
        else:
            trial[i] = min(max(x[i] + s[i] / scale, lower[i]), upper[i])
        moved = moved or trial[i] != x[i]
        square += s[i] * s[i]
        linear += gs[i] * s[i]
    return moved, math.sqrt(square), linear


@vector_function(0, pointer=True, patient=PASSES)
def step_in_box(points, rows, ring, gram, work, lines, state, rule, box):
    """Write the trial of the model and the bounds of now.

    Parameters
    ----------
    points, rows, ring, gram, work, lines, state, rule
        As in `find_trial_dense`; `points` has the bounds in rows 5 and 6.
    box : tuple
        See `quasinewton.models.face.face_workspace`.

    Returns
    -------
    used : bool
        False where the model is of no use.
    """
    arrays = (points, rows, ring, gram, work, lines, state, rule)
    record, constants = state[0], rule[0]
    x, g, lower, upper = points[0], points[1], points[5], points[6]
    vectors, _, face, _, face_state = box
    low, high, s, gs, first = vectors[0], vectors[1], vectors[2], vectors[5], vectors[8]
    _, _, _, _, _, own = names(face)
    unit, gamma = begin_face(ring, gram, work, lines, state, face)
    if record.reduced == 0:
        record.covered = 0  # of other directions
    g_norm = record.g_norm
    scale = min(max(unit / g_norm, 1e-300), 1e300)  # of the steps
    for i in range(x.size):
        gs[i] = g[i] / g_norm
        to_lower = (lower[i] - x[i]) * scale
        to_upper = (upper[i] - x[i]) * scale
        low[i] = min(to_lower, 0.0)
        high[i] = max(to_upper, 0.0)
        s[i] = 0.0
    _gradient_coordinates(gs, ring, gram, work, lines, state, own[3])
    for i in range(record.rank):
        own[4, i] = 0.0
    published = constants.published != 0
    longest = math.inf if published else record.length * scale
    weight = min(record.weight / unit * (g_norm / unit), HUGE)
    numbers = (gamma, longest, weight)
    value = start = 0.0
    best = math.inf
    face_state[0].moved = 0
    for attempt in range(2):
        value, left = _descend(arrays, box, numbers, start)
        if math.isnan(value):
            return False
        if attempt == 1 or not left:
            break
        best = value
        for i in range(x.size):
            first[i] = s[i]
        start = _cauchy_point(arrays, box, numbers)
        if best <= _ENOUGH * start:
            value = math.inf
            break
        face_state[0].moved = 1
    if best <= value:
        value = best
        for i in range(x.size):
            s[i] = first[i]
    moved, size, linear = _take(arrays, box, scale)
    record.moved = 1 if moved else 0
    predicted = -value
    if published:
        predicted -= weight / 3.0 * (size * size * size)
    record.step_norm = size / scale if published else min(size / scale, record.length)
    record.slope = linear / scale * g_norm
    record.predicted = predicted / scale * g_norm
    record.convex = face_state[0].convex
    record.multiplier = face_state[0].multiplier * unit
    if constants.radius == 0:
        record.multiplier = min(face_state[0].multiplier * unit * (unit / g_norm), HUGE)
    return predicted > 0.0 and size > 0.0
