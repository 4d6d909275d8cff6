"""Bounds: how they are given, that nothing is evaluated outside of them, and what comes out."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import Bounds, OptimizeWarning, rosen, rosen_der, rosen_hess, rosen_hess_prod

import quasinewton
from quasinewton import Solver, Status, minimize, minimize_many
from quasinewton.box import Box
from quasinewton.cli import main
from quasinewton.methods import METHODS, QUASI_NEWTON
from quasinewton.objective import DerivativeError, Objective, check_gradient, check_hessp
from quasinewton.objective.steps import parts_in_box
from quasinewton.solver.curvature import Examination

INF = np.inf
X0 = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
#: One variable has no bounds, one is fixed, one has a bound that is active at the end.
LIMITS = Bounds([-2.0, 0.5, -INF, 1.9, -3.0], [2.0, 0.8, INF, 1.9, INF])


class Outside(AssertionError):
    """A function was called outside of the bounds."""


def kept(fun, box):
    """A function that may be called in a box only."""

    def inside(x, *args):
        if not box.contains(np.real(x)):
            raise Outside(f"{box.lower - x}, {x - box.upper}")
        return fun(x, *args)

    return inside


def the_box(bounds, n=5, dtype=np.float64):
    box = Box.parse(bounds, n, dtype)
    assert box is not None
    return box


def reference(fun, x0, jac, bounds):
    return scipy.optimize.minimize(
        fun, x0, jac=jac, method="L-BFGS-B", bounds=bounds, options={"ftol": 0.0, "gtol": 1e-9}
    )


# --- how they are given ---------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds([0.0, -INF, 1.0], [1.0, 2.0, INF]),
        Bounds([0.0, -INF, 1.0], [1.0, 2.0, INF], keep_feasible=True),
        [(0, 1), (None, 2), (1, None)],
        ((0.0, 1.0), (-INF, 2.0), (1.0, INF)),
        np.array([[0.0, 1.0], [-INF, 2.0], [1.0, INF]]),
        zip([0.0, None, 1], [1, 2, None], strict=True),
        [[np.array([0.0]), 1], (None, np.float32(2)), (True, None)],
        Box(np.array([0.0, -INF, 1.0]), np.array([1.0, 2.0, INF])),
    ],
)
def test_all_forms_of_scipy(bounds):
    box = the_box(bounds, 3)
    assert box.lower.tolist() == [0.0, -INF, 1.0] and box.upper.tolist() == [1.0, 2.0, INF]
    assert box.lower.dtype == box.upper.dtype == np.float64
    assert box.lower.flags.c_contiguous and box.upper.flags.c_contiguous


def test_numbers_are_for_all_variables():
    assert the_box(Bounds(0.0, [1.0, 2.0]), 2).lower.tolist() == [0.0, 0.0]
    assert the_box(Bounds([-1], 3), 2).upper.tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "bounds", [None, Bounds(), [(None, None)] * 2, [(-INF, INF)] * 2, Bounds(-INF, [INF, INF])]
)
def test_no_bounds(bounds):
    assert Box.parse(bounds, 2) is None
    assert "active" not in minimize(rosen, [2.0, 1.0], jac=rosen_der, bounds=bounds)


WRONG = [
    ([(0, 1), (2, 1)], ValueError, "lower bound of variable 1 is 2.0, the upper one 1.0"),
    (Bounds([0, 0], [1, np.nan]), ValueError, "upper bound of variable 1 is NaN"),
    ([(INF, None), (0, 1)], ValueError, "lower bound of variable 0 is inf"),
    ([(0, 1), (None, -INF)], ValueError, "upper bound of variable 1 is -inf"),
    ([(0, 1)], ValueError, "got 1 for 2 variables"),
    ([(0, 1)] * 3, ValueError, "got 3 for 2 variables"),
    ([(0, 1), 2], ValueError, "got 2 for variable 1"),
    ([(0, 1), (0, 1, 2)], ValueError, r"got \(0, 1, 2\) for variable 1"),
    (Bounds([0, 0, 0], 1), ValueError, r"2 numbers as the lower ones.*got shape \(3,\)"),
    (Bounds(0, [[1], [1]]), ValueError, r"got shape \(2, 1\)"),
    ([("a", 1), (0, 1)], TypeError, "lower"),
    ([(0, 1j), (0, 1)], TypeError, "upper bound is 1j"),
    (Bounds([0, 1], ["a", "b"]), TypeError, "dtype <U1"),
    ([(0, [1, 2]), (0, 1)], (TypeError, ValueError), "upper"),
    ("ab", TypeError, "got 'ab'"),
    (1.0, TypeError, "got float"),
]


@pytest.mark.parametrize(("bounds", "error", "words"), WRONG)
@pytest.mark.parametrize("face", ["minimize", "callable", "scipy", "many", "Solver"])
def test_wrong_bounds_are_named_before_any_work(bounds, error, words, face):
    def fun(x):
        raise AssertionError("called")

    call = {
        "minimize": lambda: minimize(fun, [0.5, 0.5], jac=True, bounds=bounds),
        "callable": lambda: quasinewton.arc_lsr1(fun, [0.5, 0.5], jac=True, bounds=bounds),
        "scipy": lambda: scipy.optimize.minimize(
            fun, [0.5, 0.5], jac=True, method=quasinewton.trust_cg, bounds=bounds
        ),
        "many": lambda: minimize_many(fun, [[0.5, 0.5]], bounds=bounds),
        "Solver": lambda: Solver([0.5, 0.5], bounds=bounds),
    }[face]
    with pytest.raises(error, match=f"`bounds`.*{words}"):
        call()


def test_float32_bounds_are_rounded_to_the_inside():
    box = the_box(Bounds([0.1, 0.3, -1e300, -INF], [0.3, 1.0, 1e300, INF]), 4, np.float32)
    assert box.lower.dtype == box.upper.dtype == np.float32
    lower, upper = box.lower.astype(float), box.upper.astype(float)
    assert (lower >= [0.1, 0.3, -1e300, -INF]).all() and np.isfinite(lower[:3]).all()
    assert (upper <= [0.3, 1.0, 1e300, INF]).all() and np.isfinite(upper[:3]).all()
    assert np.nextafter(box.lower[0], np.float32(-INF)) < 0.1 < lower[0]
    for pair in ((0.1, 0.1), (0.1, np.nextafter(0.1, 1.0)), (1e300, None), (None, -1e300)):
        with pytest.raises(ValueError, match="no float32 number between the bounds of variable 0"):
            Box.parse([pair], 1, np.float32)


def test_a_tensor_takes_none_yet():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="`bounds` are not for runs on tensors"):
        Solver(torch.ones(2, dtype=torch.float64), bounds=[(0, 1)] * 2)


# --- the box --------------------------------------------------------------------------


def test_projection_residual_and_what_is_active():
    box = the_box([(0.0, 1.0), (None, 2.0), (3.0, 3.0), (None, None), (-1.0, None)])
    x = np.array([-1.0, 5.0, 0.0, 7.0, -1.0])
    p = box.project(x)
    assert p.tolist() == [0.0, 2.0, 3.0, 7.0, -1.0] and p is not x
    assert box.project(x.astype(np.float32)).dtype == np.float32
    assert box.contains(p) and not box.contains(x)
    assert not box.contains(np.array([np.nan, 0.0, 3.0, 0.0, 0.0]))
    assert box.active(p).tolist() == [-1, 1, -1, 0, -1] and box.active(p).dtype == np.int64
    g = np.array([0.5, -3.0, 9.0, 1e-20, -2.0])
    assert box.residual(p, g).tolist() == [0.0, 0.0, 0.0, 1e-20, -2.0]
    assert box.optimality(p, g) == 2.0
    assert box.free(p, g).tolist() == [False, False, False, True, True]
    assert box.free(p, g, least=1.0).tolist() == [True, False, False, True, True]
    inside = np.array([0.25, 0.0, 3.0, 0.0, 0.0])
    assert box.residual(inside, np.array([4.0, -5.0, 1.0, 1.0, 0.5])).tolist() == [
        0.25, -2.0, 0.0, 1.0, 0.5,
    ]  # fmt: skip


def test_the_residual_is_that_of_projected_points():
    rng = np.random.default_rng(0)
    box = the_box(Bounds(-rng.random(50), rng.random(50)), 50)
    x, g = box.project(rng.standard_normal(50)), rng.standard_normal(50)
    assert np.allclose(box.residual(x, g), x - box.project(x - g), rtol=0, atol=1e-15)
    single = the_box(box, 50, np.float32)
    assert single.residual(x.astype(np.float32), g.astype(np.float32)).dtype == np.float64


# --- a start outside, and the state ---------------------------------------------------


def test_a_start_outside_is_moved_with_a_warning_in_scipys_words():
    given = np.array([3.0, -5.0])
    with pytest.warns(OptimizeWarning, match="Initial guess is not within the spec") as caught:
        solver = Solver(given, bounds=[(0, 1), (-4, None)])
    assert caught[0].filename == __file__
    assert solver.x0.tolist() == [1.0, -4.0] and given.tolist() == [3.0, -5.0]
    solver = Solver([np.nan, 9.0], bounds=[(0, 1)] * 2)  # no start at all, and no warning
    assert solver.status is Status.NONFINITE_START
    assert "2 lower and 2 upper bounds" in repr(solver.box)


def test_what_the_solver_says_of_a_start():
    solver = Solver([0.0, 0.5], bounds=[(0, 1)] * 2)
    solver.tell(1.0, np.array([7.0, -0.25]))
    assert solver.intermediate().optimality == 0.25 and "max|g| = 0.25" in repr(solver)
    result = solver.result()
    assert result.optimality == 0.25
    assert result.jac.tolist() == [7.0, -0.25] and result.active.tolist() == [-1, 0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_box_is_saved_and_copied(method, dtype, tmp_path):
    x0 = X0.astype(dtype)
    solver = Solver(x0, method, {"gtol": 1e-2}, bounds=Bounds(-0.1, 200.1))
    path = tmp_path / "run.npz"

    def advance(solver, steps):
        for _ in range(steps):
            if solver.running and solver.direction is not None:
                solver.tell_product(rosen_hess_prod(solver.x, solver.direction))
            elif solver.running:
                x = solver.ask()
                solver.tell(float(rosen(x)), rosen_der(x))
        return solver

    for steps in (0, 1, 8):
        advance(solver, steps)
        solver.save(path)
        for again in (
            Solver.load(path), pickle.loads(pickle.dumps(solver)), copy.deepcopy(solver),
        ):  # fmt: skip
            assert np.array_equal(again.box.lower, solver.box.lower)
            assert np.array_equal(again.box.upper, solver.box.upper)
            assert again.box.lower.dtype == dtype
            one, two = advance(copy.copy(solver), 9), advance(again, 9)
            assert one.nit == two.nit and np.array_equal(one.x, two.x) and one.f == two.f


@pytest.mark.parametrize("method", ["trust_hybrid", "arc_lsr1"])
def test_the_face_is_saved_and_copied(method, tmp_path):
    """A model of many variables carries its face from step to step."""
    problem = quasinewton.problems.get("torsion", n=144)
    solver = Solver(problem.x0, method, {"gtol": 1e-9}, bounds=problem.bounds)
    path = tmp_path / "run.npz"

    def advance(solver, steps):
        for _ in range(steps):
            if solver.running:
                x = solver.ask()
                solver.tell(problem.fun(x), problem.grad(x))
        return solver

    carried = 0
    for _ in range(8):
        advance(solver, 5)
        carried += bool(solver._method.state["changes"][0] > 0)
        solver.save(path)
        copies = [Solver.load(path), pickle.loads(pickle.dumps(solver)), copy.deepcopy(solver)]
        one = advance(copy.copy(solver), 12)
        for again in copies:
            advance(again, 12)
            assert one.nit == again.nit and np.array_equal(one.x, again.x) and one.f == again.f
    assert carried >= 3


def test_a_run_is_resumed_in_its_own_bounds(tmp_path):
    path = tmp_path / "run.npz"
    x0, bounds = np.array([9.0, 1.0]), [(-3.0, 3.0), (None, 10.0)]
    options = {"maxiter": 5, "checkpoint": path}
    with pytest.warns(OptimizeWarning, match="Initial guess"):
        minimize(rosen, x0, jac=rosen_der, options=options, bounds=bounds)
    whole = minimize(rosen, [3.0, 1.0], jac=rosen_der, bounds=bounds)
    more = {"maxiter": 1000}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in (None, bounds, Bounds([-3.0, -INF], [3.0, 10.0])):
            again = minimize(rosen, x0, jac=rosen_der, resume=path, bounds=given, options=more)
            assert again.success and np.array_equal(again.x, whole.x)
            minimize(rosen, [3.0, 1.0], jac=rosen_der, options=options, bounds=bounds)
    for other in ([(-3.0, 3.0), (None, 11.0)], [(None, None)] * 2):
        with pytest.raises(ValueError, match="`bounds` are not those of the run"):
            minimize(rosen, x0, jac=rosen_der, resume=path, bounds=other)
    with pytest.raises(ValueError, match="`x0` is not the start"):
        minimize(rosen, [2.0, 1.0], jac=rosen_der, resume=path, bounds=bounds)
    free = tmp_path / "free.npz"
    minimize(rosen, [2.0, 1.0], jac=rosen_der, options={"maxiter": 5, "checkpoint": free})
    with pytest.raises(ValueError, match="`bounds` are not those of the run"):
        minimize(rosen, [2.0, 1.0], jac=rosen_der, resume=free, bounds=bounds)


def test_a_file_whose_points_are_outside_is_refused():
    solver = Solver([0.5, 0.5], bounds=[(0, 1)] * 2)
    solver.tell(1.0, np.ones(2))
    state = solver._state()
    state["upper"] = np.array([1.0, 0.25])
    with pytest.raises(ValueError, match="x0 is outside"):
        Solver._restored(state, solver.options)
    state["upper"] = np.array([1.0, np.nan])
    with pytest.raises(ValueError):
        Solver._restored(state, solver.options)


# --- derivatives ----------------------------------------------------------------------


def corners(n, dtype, seed):
    """A point and a box with room to both sides, to one, of an ulp, of none."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)).astype(dtype)
    lower, upper = np.full(n, -INF, dtype), np.full(n, INF, dtype)
    for i, kind in enumerate(rng.integers(0, 8, n)):
        width = dtype(10.0 ** rng.integers(-13, 3))
        if kind in (1, 3, 5, 7):
            lower[i] = x[i]
        if kind in (2, 3):
            upper[i] = x[i]
        if kind == 4:
            lower[i], upper[i] = x[i] - dtype(0.3) * width, x[i] + dtype(0.7) * width
        if kind == 5:
            upper[i] = np.nextafter(x[i], dtype(INF))
        if kind == 6:
            lower[i], upper[i] = x[i] - width, x[i]
        if kind == 7:
            upper[i] = x[i] + width
    return x, Box(lower, upper)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scheme", [None, "2-point", "3-point", "cs"])
def test_no_difference_of_f_is_outside(dtype, scheme):
    for seed in range(150):
        x, box = corners(1 + seed % 6, dtype, seed)
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, x.size))
        objective = Objective(
            kept(lambda z, a=a, b=b: (a * z * z).sum() + b @ z, box), x, jac=scheme, box=box,
            rel_step=0.5 if scheme and seed % 2 else None,
        )  # fmt: skip
        f = objective.fun(x.copy())
        objective._x = x.copy()
        g = objective.gradient()
        assert np.isfinite(g).all() and (g[box.fixed] == 0.0).all()
        wide = box.upper.astype(float) - box.lower > 1e-3 * (1.0 + np.abs(x))
        steps = 0.5 * np.abs(x) if scheme == "2-point" and seed % 2 else 0.0
        off = np.abs(g - (2 * a * x + b))
        size = 1.0 + abs(f) + np.abs(a * x).max() + np.abs(b).max()
        coarse = 1e-5 if dtype is np.float64 else 3e-2
        assert (off <= coarse * size + 1.01 * np.abs(a) * steps)[wide & ~box.fixed].all()
        objective.product(x, g.astype(dtype), np.ones_like(x), 0)  # differences of differences


def test_a_fixed_variable_takes_no_evaluation():
    box = the_box([(1.3, 1.3), (0, 1), (0, None), (1.9, 1.9), (None, None)])
    for scheme, calls in (("2-point", 3), ("3-point", 6), ("cs", 3)):
        objective = Objective(kept(rosen, box), X0, jac=scheme, box=box)
        objective.fun(X0.copy())
        g = objective.gradient()
        assert objective.counts.nfev == 1 + calls
        assert (g[[0, 3]] == 0.0).all()
        assert np.allclose(g[[1, 2, 4]], rosen_der(X0)[[1, 2, 4]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [-1, 1])
def test_differences_to_one_side_are_of_second_order(side):
    x = np.array([1.0, -2.0])
    box = the_box([(1.0, None), (-2.0, None)] if side > 0 else [(None, 1.0), (None, -2.0)], 2)
    objective = Objective(kept(lambda z: np.exp(z).sum(), box), x, jac="3-point", box=box)
    objective.fun(x.copy())
    assert np.allclose(objective.gradient(), np.exp(x), rtol=1e-9)
    narrow = the_box([(1.0, 1.0 + 1e-6), (-2.0 - 1e-6, -2.0 + 1e-6)], 2)
    objective = Objective(kept(lambda z: np.exp(z).sum(), narrow), x, jac="3-point", box=narrow)
    objective.fun(x.copy())
    assert np.allclose(objective.gradient(), np.exp(x), rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_difference_of_gradients_is_outside(dtype):
    for seed in range(200):
        n = 1 + seed % 7
        x, box = corners(n, dtype, seed)
        rng = np.random.default_rng(seed)
        h = rng.standard_normal((n, n))
        h, calls = h + h.T, []

        def fun(z, h=h, calls=calls):
            calls.append(z)
            return 0.5 * z @ h @ z, h @ z

        objective = Objective(kept(fun, box), x, jac=True, box=box)
        d = rng.standard_normal(n).astype(dtype)
        product = objective.product(x, (h @ x).astype(dtype), d, 0)
        assert product.dtype == dtype and np.isfinite(product).all() and len(calls) <= 16
        assert (product[box.fixed] == 0.0).all()
        wide = box.upper.astype(float) - box.lower > 0.1 * (1.0 + np.abs(x))
        if (wide | box.fixed).all():
            expected = np.where(box.fixed, 0.0, h @ np.where(box.fixed, 0.0, d))
            size = np.abs(h).max() * np.abs(d).max() * n
            assert np.abs(product - expected).max() <= (1e-5 if dtype is np.float64 else 0.3) * size
            assert len(calls) <= 4


def test_how_many_parts_a_product_takes():
    x, d = np.zeros(4), np.array([1.0, -1.0, 2.0, 1.0])

    def lengths(*pairs):
        box = the_box([*pairs[:-1], (None, 1e6)], 4)
        parts = list(parts_in_box(x, d, 1e-3, box))
        assert all(box.contains(z) for z, _ in parts)
        assert np.allclose(sum(z / t for z, t in parts), d)
        return [t for _, t in parts]

    free = (None, None)
    assert lengths(free, free, free, free) == [1e-3]
    assert lengths((0, None), free, free, free) == [1e-3]  # ahead
    assert lengths(free, (0, None), free, free) == [-1e-3]  # behind
    assert lengths((-5e-4, 5e-4), free, free, free) == [5e-4]  # a shorter one
    assert lengths((0, None), (0, None), free, free) == [1e-3, -1e-3]  # each to its side
    assert lengths((-1e-6, 1e-6), free, free, free) == pytest.approx([1e-3, 1e-6])
    fixed = the_box([(0, 0), free, (0, np.nextafter(0, 1)), free], 4)
    moved = [z for z, _ in parts_in_box(x, d, 1e-3, fixed)]
    assert all(z[0] == 0.0 == z[2] for z in moved)  # where nothing can be seen


def test_a_product_is_zero_where_all_is_fixed():
    box = the_box([(2, 2), (3, 3)], 2)
    objective = Objective(kept(rosen, box), np.array([2.0, 3.0]), box=box)
    assert (objective.product(np.array([2.0, 3.0]), np.zeros(2), np.ones(2), 0) == 0.0).all()
    assert objective.counts.nfev == 0


def test_checks_of_derivatives_stay_inside():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        _, box = corners(2 + seed % 9, np.float64, seed)
        box.lower[0], box.upper[0] = (-INF, INF) if seed % 2 else (-1.0, -1.0 + 1e-3)
        box = Box(box.lower, box.upper)
        x = box.project(2.0 * rng.standard_normal(box.lower.size))
        fun, grad, hessp = kept(rosen, box), kept(rosen_der, box), kept(rosen_hess_prod, box)
        check = check_gradient(fun, grad, x, bounds=box)
        assert check.ok, f"{check}"
        check = check_hessp(grad, hessp, x, bounds=box)
        assert check.ok, f"{check}"
        first = np.arange(x.size) == 0
        wrong = kept(lambda x, first=first: rosen_der(x) * (1.0 + 0.5 * first), box)
        assert not check_gradient(fun, wrong, x, bounds=box).ok
    with pytest.raises(ValueError, match="`x` must be within `bounds`"):
        check_gradient(rosen, rosen_der, X0, bounds=[(0, 1)] * 5)
    with pytest.raises(ValueError, match="leave no variable"):
        check_gradient(rosen, rosen_der, X0, bounds=Bounds(X0, X0))


def test_check_derivatives_of_a_run_stays_inside():
    box = the_box(Bounds(X0, INF))
    options = {"check_derivatives": True, "maxiter": 0}
    for hess in ({"hessp": kept(rosen_hess_prod, box)}, {"hess": kept(rosen_hess, box)}, {}):
        minimize(
            kept(rosen, box), X0, jac=kept(rosen_der, box), bounds=box, options=options, **hess
        )
        with pytest.raises(DerivativeError):
            minimize(
                kept(rosen, box), X0, jac=lambda x: 1.1 * rosen_der(x), bounds=box,
                options=options,
            )  # fmt: skip
    minimize(rosen, X0, jac=rosen_der, bounds=Bounds(X0, X0), options=options)


# --- the check of a stationary point --------------------------------------------------


def examined(hessian, x, box, free):
    """The conclusion of an examination of a quadratic function, and its trials."""
    examination = Examination(x, 0.0, box, free)
    trials = []
    while not examination.finished:
        if examination.direction is not None:
            assert not examination.direction[~free].any()
            again = Examination.restore(examination.saved(), box)
            assert np.array_equal(again.direction, examination.direction)
            examination.receive_product(hessian @ examination.direction)
        else:
            trials.append(examination.trial)
            examination.reject()
    return examination.conclusion(), trials


def test_the_check_looks_at_the_free_variables():
    box = the_box([(0.0, 1.0), (None, 2.0), (3.0, 3.0), (None, None)], 4)
    x = np.array([0.0, 2.0, 3.0, 1.0])
    free = box.free(x, np.array([1.0, -1.0, 0.0, 0.0]), 1e-5)
    assert free.tolist() == [False, False, False, True]
    curvature, trials = examined(np.diag([-5.0, -5.0, -5.0, 2.0]), x, box, free)
    assert curvature.verdict == "minimum" and not trials
    assert curvature.eigenvalue == pytest.approx(2.0)
    assert np.abs(curvature.direction).tolist() == [0.0, 0.0, 0.0, 1.0]
    free = box.free(x, np.array([0.0, -1.0, 0.0, 0.0]), 1e-5)  # no multiplier holds the first
    curvature, trials = examined(np.diag([-5.0, -5.0, -5.0, 2.0]), x, box, free)
    assert curvature.eigenvalue == pytest.approx(-5.0) and len(trials) == 16
    assert all(box.contains(trial) for trial in trials)
    assert any(trial[0] > 0.0 for trial in trials)


def test_where_nothing_is_free_multipliers_make_a_minimum():
    box = the_box([(0.0, 1.0), (3.0, 3.0)], 2)
    free = box.free(np.array([0.0, 3.0]), np.array([1.0, 0.0]))
    curvature, trials = examined(-np.eye(2), np.array([0.0, 3.0]), box, free)
    assert curvature.verdict == "minimum" and curvature.direction is None and not trials

    def fun(x):
        return float(x[0] - 4.0 * x[0] ** 2), np.array([1.0 - 8.0 * x[0], 0.0])

    options = {"check_curvature": True}
    result = minimize(fun, [0.0, 3.0], jac=True, bounds=box, options=options)
    assert result.success and result.curvature.verdict == "minimum" and result.nfev == 1
    solver = Solver([0.0, 3.0], options=options, bounds=box)
    solver.tell(*fun(np.array([0.0, 3.0])))
    again = pickle.loads(pickle.dumps(solver))
    assert again.result().curvature.verdict == "minimum"


@pytest.mark.parametrize("method", METHODS)
def test_a_saddle_on_the_boundary_is_left_into_the_box(method):
    def fun(x):
        return (
            x[0] ** 2 - x[1] ** 2 + 0.5 * x[1] ** 4 + x[2],
            np.array([2 * x[0], -2 * x[1] + 2 * x[1] ** 3, 1.0]),
        )

    box = the_box([(-1.0, 1.0), (0.0, 3.0), (2.0, None)], 3)
    result = minimize(
        kept(fun, box), [0.0, 0.0, 2.0], jac=True, method=method, bounds=box,
        options={"check_curvature": True},
    )  # fmt: skip
    assert result.success and np.allclose(result.x, [0.0, 1.0, 2.0], atol=1e-4)
    assert result.curvature.verdict == "minimum"
    assert result.active.tolist() == [0, 0, -1] and result.jac[2] == 1.0


# --- runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("jac", ["given", None, "3-point", "cs"])
def test_runs_end_at_the_constrained_minimum(method, jac):
    box = the_box(LIMITS)
    derivative = kept(rosen_der, box) if jac == "given" else jac
    result = minimize(
        kept(rosen, box), X0, jac=derivative, method=method, bounds=LIMITS, tol=1e-4
    )
    theirs = reference(rosen, result.x, rosen_der, LIMITS)  # which has several minima
    assert result.success and result.optimality <= 1e-4
    assert np.allclose(result.x, theirs.x, atol=1e-3)
    assert box.contains(result.x) and result.active.tolist() == box.active(result.x).tolist()
    assert result.active[1] != 0 and result.active[3] == -1
    if jac == "given":
        assert np.array_equal(result.jac, rosen_der(result.x))
        assert result.jac[1] * result.active[1] < 0.0  # its multiplier
    assert np.abs(box.residual(result.x, result.jac)).max() == result.optimality
    result.hess.todense()  # products may be differences, which stay inside too


@pytest.mark.parametrize("method", METHODS)
def test_scipys_minimize_hands_its_bounds_on(method):
    box = the_box(LIMITS)
    face = getattr(quasinewton, method)
    for bounds in (LIMITS, list(zip(LIMITS.lb, LIMITS.ub, strict=True))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = scipy.optimize.minimize(
                kept(rosen, box), X0, jac=kept(rosen_der, box), method=face, bounds=bounds
            )
        ours = minimize(rosen, X0, jac=rosen_der, method=method, bounds=bounds)
        assert result.success and np.array_equal(result.x, ours.x)


def test_another_callable_gets_the_bounds():
    seen = {}

    def method(fun, x0, bounds=None, **rest):
        seen["bounds"] = bounds
        return scipy.optimize.OptimizeResult(x=x0)

    minimize(rosen, X0, method=method, bounds=LIMITS)
    assert seen["bounds"] is LIMITS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [3, 300])
def test_from_zero_the_first_step_may_go_as_far_as_the_box(method, n):
    slope = -np.arange(1.0, n + 1.0)
    for upper, reached in ((2.0, True), (1e5, False), (INF, False)):
        solver = Solver(np.zeros(n), method, bounds=Bounds(0.0, upper))
        solver.tell(1e6 * slope[0], 1e6 * slope)  # whatever the unit of f
        while solver.direction is not None:
            solver.tell_product(np.zeros(n))
        length = np.linalg.norm(solver.ask())
        expected = upper * np.sqrt(n) if reached else 1.0
        assert 0.3 * expected <= length <= 1.001 * expected


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_start_in_a_corner_and_one_outside(method, dtype):
    box = the_box(Bounds(-0.7, 0.1), 4, dtype)
    fun, jac = kept(rosen, box), kept(rosen_der, box)
    tol = 1e-6 if dtype is np.float64 else 1e-3
    theirs = reference(rosen, np.full(4, -0.7), rosen_der, [(-0.7, 0.1)] * 4)
    for start in (np.full(4, 0.1), np.full(4, -0.7), np.full(4, 9.0)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            result = minimize(
                fun, start.astype(dtype), jac=jac, method=method, bounds=Bounds(-0.7, 0.1), tol=tol
            )
        assert result.success and result.x.dtype == dtype
        assert np.allclose(result.x, theirs.x, atol=10 * tol)


@pytest.mark.parametrize("method", METHODS)
def test_all_variables_fixed(method):
    for jac in (rosen_der, None):
        result = minimize(rosen, X0, jac=jac, method=method, bounds=Bounds(X0, X0))
        assert result.success and result.nfev == 1 and result.optimality == 0.0
        assert (result.active == -1).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_many_starts_by_python(workers):
    box = the_box(LIMITS)
    starts = box.project(np.random.default_rng(0).standard_normal((3, 5)))
    many = minimize_many(
        kept(rosen, box), starts, jac=kept(rosen_der, box), bounds=LIMITS, workers=workers
    )
    for i, start in enumerate(starts):
        one = minimize(rosen, start, jac=rosen_der, bounds=LIMITS)
        assert np.array_equal(many.x[i], one.x) and many.optimality[i] == one.optimality
        assert many.active[i].tolist() == one.active.tolist()


def test_many_starts_in_machine_code():
    numba = pytest.importorskip("numba")

    @numba.njit
    def fun(x):
        return ((x - 2.0) ** 2).sum(), 2.0 * (x - 2.0)

    with pytest.warns(OptimizeWarning, match="Initial guess") as caught:
        many = minimize_many(
            fun, np.array([[0.0, 0.5], [9.0, 0.0], [1.0, -9.0]]), bounds=[(None, 1.0), (-1.0, 3.0)]
        )
    assert len(caught) == 1
    assert many.success.all() and np.allclose(many.x, [1.0, 2.0], atol=1e-5)
    assert (many.active == [1, 0]).all() and np.allclose(many.jac[:, 0], -2.0)


@pytest.mark.parametrize("method", sorted(QUASI_NEWTON))
def test_machine_code_goes_where_python_does(method):
    numba = pytest.importorskip("numba")

    @numba.njit
    def fun(x):
        g, f = np.zeros_like(x), 0.0
        for i in range(x.size - 1):
            a, b = x[i + 1] - x[i] ** 2, 1.0 - x[i]
            f += 100.0 * a * a + b * b
            g[i] += -400.0 * a * x[i] - 2.0 * b
            g[i + 1] += 200.0 * a
        return f, g

    compiled = minimize(fun, X0, jac=True, method=method, bounds=LIMITS)
    python = minimize(fun.py_func, X0, jac=True, method=method, bounds=LIMITS)
    assert compiled.success and np.allclose(compiled.x, python.x, atol=1e-5)
    assert the_box(LIMITS).contains(compiled.x)


# --- the command line -----------------------------------------------------------------

MODULE = """
import numpy as np
x0 = [0.5, 0.5, 0.5]
lower, upper = np.array([0.0, -np.inf, 0.25]), np.array([1.0, 2.0, np.inf])
def f(x):
    assert (lower <= x).all() and (x <= upper).all()
    return float(np.sum((x - [3.0, 1.0, 0.0]) ** 2))
def g(x):
    f(x)
    return 2.0 * (x - [3.0, 1.0, 0.0])
"""


@pytest.fixture
def bounded(tmp_path, monkeypatch):
    (tmp_path / "bounded_functions.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


FLAGS = ("--lower", "0,-inf,0.25", "--upper", "1,2,inf")


@pytest.mark.parametrize("jac", [(), ("--jac", "bounded_functions:g")])
def test_solve_with_bounds(bounded, capsys, jac):
    assert main(["solve", "bounded_functions:f", *jac, *FLAGS, "--quiet", "--no-compare"]) == 0
    assert "4.0625000e+00" in capsys.readouterr().out


def test_compare_with_bounds(bounded, capsys):
    assert main(["compare", "bounded_functions:f", "--jac", "bounded_functions:g", *FLAGS]) == 0
    out = capsys.readouterr().out
    assert out.count("4.0625000e+00") == len(METHODS) + 1  # with L-BFGS-B
    assert "BFGS (takes no bounds)" in out.replace("\n ", "")


def test_check_stays_within_bounds(bounded, capsys):
    command = ["check", "bounded_functions:f", "--jac", "bounded_functions:g"]
    assert main([*command, *FLAGS, "--x0", "1,2,0.25"]) == 0
    assert "ok" in capsys.readouterr().out


def test_a_start_outside_is_moved_and_said(bounded, capsys):
    command = ["check", "bounded_functions:f", "--jac", "bounded_functions:g"]
    assert main([*command, *FLAGS, "--x0", "-7,0,1"]) == 0
    assert "x0 is not within the bounds; it is moved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--lower", "1,2"), "--lower: expected one number or 3"),
        (("--upper", "x"), "--upper: "),
        (("--lower", "2", "--upper", "1"), "lower bound of variable 0 is 2.0, the upper one 1.0"),
        (("--lower", "inf"), "is inf"),
        (("--upper", "nan"), "NaN"),
    ],
)
def test_wrong_bounds_on_the_command_line(bounded, capsys, flags, words):
    assert main(["solve", "bounded_functions:f", *flags]) == 2
    assert words in capsys.readouterr().err


def test_the_bounds_of_a_problem_are_used_and_replaced(monkeypatch, capsys):
    from quasinewton import problems

    rosenbrock = problems.get("rosenbrock")

    class Bounded:
        name, fun, grad, hessp, x0, n = (
            "rosenbrock", rosenbrock.fun, rosenbrock.grad, rosenbrock.hessp, rosenbrock.x0, 2,
        )  # fmt: skip
        bounds, constraints = Bounds(-2.0, [0.5, INF]), None

    monkeypatch.setattr(problems, "get", lambda name, n=None: Bounded)
    command = ["solve", "rosenbrock", "--quiet", "--no-compare"]
    assert main(command) == 0
    assert "2.5000000e-01" in capsys.readouterr().out
    assert main([*command, "--upper", "0,inf"]) == 0
    assert "1.0000000e+00" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, in optimagic
def test_optimagic():
    om = pytest.importorskip("optimagic")
    from quasinewton.interop.optimagic import ArcHybrid

    result = om.minimize(
        lambda x: ((x - 2.0) ** 2).sum(), np.zeros(2), algorithm=ArcHybrid(),
        bounds=om.Bounds(upper=np.array([1.0, np.inf])),
    )  # fmt: skip
    assert result.success and np.allclose(result.params, [1.0, 2.0], atol=1e-4)
