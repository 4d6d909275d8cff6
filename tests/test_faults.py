"""Every fault of a user's functions, in every method: what docs/robustness.md states."""

from __future__ import annotations

import dataclasses
import inspect
import os
import signal
import threading
import time

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, rosen, rosen_der, rosen_hess_prod

from quasinewton import Solver, Status, minimize
from quasinewton.methods import METHODS

X0 = np.array([-1.2, 1.0, 0.7])
#: What a function may return in place of the value that is wanted.
NOT_FINITE = [np.nan, np.inf, -np.inf]


#: "newton" is trust_cg without quasi-Newton steps.
VARIANTS = (*METHODS, "newton")
PRODUCTS = ("trust_cg", "newton")


def run(method, fun=rosen, jac=rosen_der, hessp=rosen_hess_prod, x0=X0, **options):
    given = {"hessp": hessp} if method in PRODUCTS else {}
    if method == "newton":
        method, options["enriched"] = "trust_cg", False
    return minimize(fun, x0, jac=jac, method=method, options=options, **given)


class Faulty:
    """A function that goes wrong at the calls named, counted from 1."""

    def __init__(self, function, wrong, at):
        self.function, self.wrong, self.at, self.calls = function, wrong, at, 0

    def __call__(self, *args):
        self.calls += 1
        value = self.function(*args)
        return self.wrong(value) if self.calls in self.at else value


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("bad", NOT_FINITE)
@pytest.mark.parametrize("where", ["fun", "jac", "hessp"])
def test_not_finite_is_a_rejected_step(method, bad, where):
    functions = {"fun": rosen, "jac": rosen_der, "hessp": rosen_hess_prod}
    functions[where] = Faulty(functions[where], lambda v: v * 0 + bad, {3, 4, 9})
    if where == "jac":  # one element
        functions[where].wrong = lambda v: np.where(np.arange(v.size) == 1, bad, v)
    with np.errstate(invalid="ignore"):
        r = run(method, **functions, history=True)
    assert np.isfinite(r.x).all() and np.isfinite(r.fun) and np.isfinite(r.jac).all()
    assert r.fun == rosen(r.x)
    assert np.all(np.diff(r.history["fun"]) <= 0)
    if bad == -np.inf and where == "fun":
        assert r.status == Status.UNBOUNDED
    else:
        assert r.success


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_products_that_are_never_finite_leave_steepest_descent(bad):
    h = np.array([1.0, 2.0, 4.0])
    r = minimize(lambda x: 0.5 * x @ (h * x), np.ones(3), jac=lambda x: h * x,
                 hessp=lambda x, p: bad * p)  # fmt: skip
    assert r.success


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("where", ["fun", "jac", "hessp"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_raises(method, where, error, tmp_path):
    """The exception, with the best point; and a checkpoint from which the run goes on."""
    if where == "hessp" and method not in PRODUCTS:
        pytest.skip("calls no products")

    def raises(value):
        raise error("mine")

    functions = {"fun": rosen, "jac": rosen_der, "hessp": rosen_hess_prod}
    functions[where] = Faulty(functions[where], raises, {6})
    path = tmp_path / "run.npz"
    with pytest.raises(error, match="mine") as caught:
        run(method, **functions, checkpoint=path, checkpoint_every=1)
    result = caught.value.result
    assert result.status == Status.EXCEPTION and result.fun == rosen(result.x) <= rosen(X0)
    saved = Solver.load(path)
    assert saved.running
    if where == "jac":  # f at the trial was lower, and is not lost
        assert result.fun < saved.f
    else:
        assert saved.f == result.fun and np.array_equal(saved.x, result.x)
    again = minimize(rosen, X0, jac=rosen_der, resume=path,
                     hessp=rosen_hess_prod if method in PRODUCTS else None)  # fmt: skip
    assert np.array_equal(again.x, run(method).x)


@pytest.mark.parametrize("method", VARIANTS)
def test_an_interrupt_from_the_keyboard(method, tmp_path):
    path = tmp_path / "run.npz"
    x0 = np.sin(np.arange(30) + 1.0)
    # What Python does by itself, but in the background jobs of a shell, which ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))

    def noisy(x):  # never at its end
        if not timer.is_alive() and not timer.finished.is_set():
            timer.start()
        return rosen(x) + 1e-3 * np.random.default_rng(int(abs(x[0]) * 1e9) % 2**32).random()

    with pytest.raises(KeyboardInterrupt) as caught:
        while True:
            run(method, fun=noisy, x0=x0, checkpoint=path, checkpoint_every=1, gtol=0.0)
    timer.join()
    Solver.load(path)
    if hasattr(caught.value, "result"):  # else between two runs
        assert caught.value.result.fun == noisy(caught.value.result.x)


class Seen:
    """An objective that remembers the points of the run, apart from those of differences."""

    def __init__(self, x0):
        self.last, self.values = x0, {}

    def __call__(self, x):
        f = rosen(x)
        # a difference moves one coordinate by little, a trial all of them
        if np.sum(x != self.last) > 1 or not self.values:
            self.last, self.values[f] = x.copy(), x.copy()
        return f

    def check(self, result):
        least = min(self.values)
        assert result.fun == least and np.array_equal(result.x, self.values[least])


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("jac", [None, "3-point"])
def test_a_budget_that_ends_in_a_gradient_loses_no_point(method, jac):
    unknown = 0
    for maxfev in range(1, 40):
        seen = Seen(X0)
        r = run(method, seen, jac, maxfev=maxfev)
        seen.check(r)
        unknown += bool(np.isnan(r.jac).all())
    assert unknown > 5  # the gradient there was not known


@pytest.mark.parametrize("method", VARIANTS)
def test_time_that_ends_in_a_gradient_loses_no_point(method):
    seen = Seen(X0)

    def slow(x):
        time.sleep(0.005)
        return seen(x)

    for maxtime in (0.03, 0.05, 0.07):
        seen.__init__(X0)
        seen.check(run(method, slow, None, maxtime=maxtime))


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("jac", [None, rosen_der])
def test_an_exception_in_a_gradient_loses_no_point(method, error, jac):
    for at in range(1, 12 if jac else 30):
        seen = Seen(X0)
        calls = Faulty(rosen if jac is None else jac, None, ())

        def fails(x, at=at, calls=calls):
            calls(x)
            if calls.calls == at:
                raise error
            return seen(x) if jac is None else rosen_der(x)  # noqa: B023

        with pytest.raises(error) as caught:
            run(method, fails if jac is None else seen, jac and fails, gtol=0.0)
        if seen.values:
            seen.check(caught.value.result)


@pytest.mark.parametrize("method", VARIANTS)
def test_a_point_without_its_gradient_is_the_result_if_it_is_the_lowest(method):
    def jac(x):
        return rosen_der(x) if rosen(x) > 20.0 else np.full(3, np.nan)

    seen = Seen(X0)
    r = run(method, seen, jac, maxiter=30)
    seen.check(r)
    assert r.fun <= 20.0 and np.isnan(r.jac).all() and not r.success


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


class Slots(Exception):
    __slots__ = ("code",)


class HasResult(Exception):
    @property
    def result(self):
        return "the user's"


class ClassResult(Exception):
    result = None


class RaisesOnResult(Exception):
    @property
    def result(self):
        raise RuntimeError("not ready")


class OddNotes(Exception):
    __notes__ = "no list"


class Refuses(Exception):
    def __setattr__(self, name, value):
        raise RuntimeError("no attributes")


class Stop(StopIteration):
    pass


def with_result():
    error = ValueError("mine")
    error.result = "the user's"
    return error


ERRORS = [
    Frozen(3), Slots("mine"), HasResult("mine"), ClassResult(), RaisesOnResult(), OddNotes(),
    Refuses(), Stop(), RuntimeError("generator raised StopIteration"), with_result(), SystemExit(1),
    GeneratorExit(),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["fun", "jac", "callback"])
def test_an_exception_of_any_class_stays_what_it_is(error, where):
    if (where, type(error)) == ("callback", Stop):
        return  # that is how a callback ends a run
    own = inspect.getattr_static(error, "result", "free")
    if isinstance(own, OptimizeResult):  # of the case before
        own = "free"

    def fails(*_):
        raise error

    functions = {"fun": rosen, "jac": rosen_der, "callback": None, where: fails}
    try:
        minimize(functions.pop("fun"), X0, **functions)
    except BaseException as raised:
        caught = raised
    assert caught is error
    result = error.quasinewton_result
    assert result.status == Status.EXCEPTION
    if own == "free":
        assert error.result is result
    else:
        assert inspect.getattr_static(error, "result") is own


def test_the_cause_of_an_exception_stays(recwarn):
    """A user's error from a StopIteration is no StopIteration."""

    def fails(x):
        raise LookupError("no more data") from StopIteration()

    with pytest.raises(LookupError, match="no more data"):
        minimize(fails, X0, jac=rosen_der)


def test_an_exception_through_two_runs_has_the_result_of_the_outer_one():
    def inner(z):
        raise ZeroDivisionError

    def outer(x):
        if rosen(x) < 10.0:
            minimize(inner, [0.0])
        return rosen(x)

    with pytest.raises(ZeroDivisionError) as caught:
        minimize(outer, X0, jac=rosen_der)
    error = caught.value
    assert error.result is error.quasinewton_result
    assert error.result.x.shape == (3,) and error.result.fun == rosen(error.result.x)
    assert len(error.__notes__) == 1 and f"{error.result.fun:g}" in error.__notes__[0]


WRONG_SHAPES = {
    "fun": [lambda v: np.ones(2), lambda v: [], lambda v: None, lambda v: "f", lambda v: 1j * v],
    "jac": [lambda v: v[:2], lambda v: v[None, :2], lambda v: 1.0, lambda v: None, lambda v: 1j * v,
            lambda v: list("abc"), lambda v: np.array([{}, 1, 2], object)],
    "hessp": [lambda v: v[:2], lambda v: 1.0, lambda v: 1j * v],
}  # fmt: skip


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize(
    ("where", "k"), [(where, k) for where in WRONG_SHAPES for k in range(len(WRONG_SHAPES[where]))]
)
@pytest.mark.parametrize("call", [1, 4])
def test_wrong_shape_or_kind_is_named(method, where, k, call):
    if where == "hessp" and method not in PRODUCTS:
        pytest.skip("calls no products")
    functions = {"fun": rosen, "jac": rosen_der, "hessp": rosen_hess_prod}
    functions[where] = Faulty(functions[where], WRONG_SHAPES[where][k], {call})
    word = {"fun": "objective function must return a scalar", "jac": "gradient (must|is None)",
            "hessp": "Hessian product must"}[where]  # fmt: skip
    with pytest.raises((TypeError, ValueError), match=word) as caught:
        run(method, **functions)
    assert caught.value.result.status == Status.EXCEPTION


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize(
    "cast",
    [
        lambda v: np.asarray(v, object), lambda v: np.asarray(v, np.longdouble),
        lambda v: np.asarray(v, ">f8"), lambda v: np.asarray(v).reshape(-1)[::1].tolist(),
        lambda v: np.repeat(v, 2)[::2],
    ],
    ids=["object", "longdouble", "big-endian", "list", "strided"],
)  # fmt: skip
def test_other_real_types_are_taken(method, cast):
    clean = run(method)
    r = run(method, fun=lambda x: cast(rosen(x)), jac=lambda x: cast(rosen_der(x)),
            hessp=lambda x, p: cast(rosen_hess_prod(x, p)))  # fmt: skip
    assert np.array_equal(r.x, clean.x) and r.nfev == clean.nfev


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_low_precision_values_end_with_a_true_status(method, dtype):
    r = run(method, fun=lambda x: dtype(rosen(x)), jac=lambda x: rosen_der(x).astype(dtype),
            maxiter=300)  # fmt: skip
    assert r.fun <= float(dtype(rosen(X0))) and np.isfinite(r.x).all()
    g = rosen_der(r.x).astype(dtype)
    assert r.success == bool(np.abs(g).max() <= 1e-5)


@pytest.mark.parametrize("method", VARIANTS)
def test_changing_the_argument_and_returning_one_array_do_no_harm(method):
    shared, product = np.empty(3), np.empty(3)
    kept = []

    def fun(x):
        kept.append(x)
        value = rosen(x)
        x[:] = np.nan
        return value

    def jac(x):
        shared[:] = rosen_der(x)
        x[:] = np.nan
        return shared

    def hessp(x, p):
        product[:] = rosen_hess_prod(x, p)
        x[:] = p[:] = np.nan
        return product

    for given in (jac, True):
        # a gradient that comes with f is looked at after a rejection too: another path
        both = {"fun": lambda x: (rosen(x), rosen_der(x)), "jac": True} if given is True else {}
        clean = run(method, **both)
        joint = (lambda x: (fun(x.copy()), jac(x))) if given is True else fun
        r = run(method, fun=joint, jac=given, hessp=hessp)
        assert np.array_equal(r.x, clean.x) and r.nfev == clean.nfev


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("noise", [1e-12, 1e-9, 1e-6, 1e-3])
def test_relative_noise(method, noise):
    """It ends, by itself or by maxiter, and f is as low as the noise lets one see."""
    rng = np.random.default_rng(5)

    def noisy(function):
        def called(*args):
            value = function(*args)
            return value * (1.0 + noise * rng.standard_normal(np.shape(value)))

        return called

    def quartic(x):
        return 1.0 + np.sum((x - 1) ** 2) + np.sum((x - 1) ** 4)

    def gradient(x):
        return 2 * (x - 1) + 4 * (x - 1) ** 3

    def product(x, p):
        return (2 + 12 * (x - 1) ** 2) * p

    r = run(method, fun=noisy(quartic), jac=noisy(gradient), hessp=noisy(product), x0=3.0 + X0,
            maxiter=500)  # fmt: skip
    assert r.status in (Status.CONVERGED, Status.PRECISION, Status.MAXITER)
    assert quartic(r.x) <= 1.0 + 100.0 * noise + 1e-8


@pytest.mark.parametrize("method", VARIANTS)
def test_not_deterministic(method):
    """Nothing is believed but what was told: the result is the lowest accepted of it."""
    rng = np.random.default_rng(3)
    told = []

    def fun(x):
        told.append(rng.standard_normal())
        return told[-1]

    r = run(method, fun=fun, jac=lambda x: rng.standard_normal(3),
            hessp=lambda x, p: rng.standard_normal(3), maxiter=200)  # fmt: skip
    assert r.fun == min(told)
    assert np.isfinite(r.x).all()


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("jac", [rosen_der, None, "3-point"])
def test_slow(method, jac):
    """`maxtime` is passed by no more than the one evaluation under way."""
    calls = []

    def slow(x):
        calls.append(time.perf_counter())
        time.sleep(0.01)
        return rosen(x)

    r = run(method, fun=slow, jac=jac, maxtime=0.08, x0=np.sin(np.arange(20) + 1.0))
    assert r.status == Status.MAXTIME
    assert calls[-1] - calls[0] <= 0.08  # none begun too late
    assert len(calls) == r.nfev


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("maxfev", [1, 2, 7, 30])
@pytest.mark.parametrize("jac", [rosen_der, None, "3-point", "cs", True])
def test_maxfev_is_never_passed(method, maxfev, jac):
    fun = Faulty((lambda x: (rosen(x), rosen_der(x))) if jac is True else rosen, None, ())
    r = run(method, fun, jac, None, np.sin(np.arange(20) + 1.0), maxfev=maxfev, gtol=0.0)
    assert r.status == Status.MAXFEV and not r.success
    assert fun.calls == r.nfev <= maxfev
    assert np.isfinite(r.x).all() and r.fun == rosen(r.x)


@pytest.mark.parametrize("method", VARIANTS)
def test_an_objective_that_minimises(method):
    """The inner run is by the same method, in the middle of the outer one."""

    def fun(x):
        inner = run(method, lambda z: (z[0] - x[0]) ** 2, None, None, [0.0], gtol=1e-10)
        return inner.fun + x @ x

    r = run(method, fun=fun, jac=lambda x: 2 * x, hessp=lambda x, p: 2 * p)
    plain = run(method, fun=lambda x: x @ x, jac=lambda x: 2 * x, hessp=lambda x, p: 2 * p)
    assert r.success and np.allclose(r.x, plain.x, atol=1e-6)


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("outside", [np.inf, np.nan])
def test_a_log_barrier(method, outside):
    """min c.x - mu sum(log x_i) - mu log(1 - sum x): each x_i = mu / (c_i + mu/slack)."""
    c, mu = np.array([1.0, -2.0, 0.5]), 1e-3

    def fun(x):
        slack = 1.0 - np.sum(x)
        if slack <= 0.0 or np.min(x) <= 0.0:
            return outside
        return c @ x - mu * (np.sum(np.log(x)) + np.log(slack))

    def jac(x):
        return c - mu / x + mu / (1.0 - np.sum(x))

    def hessp(x, p):
        return mu * p / x**2 + mu * np.sum(p) / (1.0 - np.sum(x)) ** 2

    r = run(method, fun=fun, jac=jac, hessp=hessp, x0=np.full(3, 0.2), gtol=1e-6)
    assert r.success
    assert np.min(r.x) > 0.0 and np.sum(r.x) < 1.0
    assert np.allclose(r.x, mu / (c + mu / (1.0 - np.sum(r.x))), rtol=1e-2)


@pytest.mark.parametrize("method", VARIANTS)
@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_gradients_of_any_size(method, size):
    """A gradient of 1e-300 is no overflow, no division by zero and, with gtol = 0, no success."""
    h = np.array([1.0, 2.0, 3.0])
    r = run(method, fun=lambda x: size * (0.5 * x @ (h * x)), jac=lambda x: size * (h * x),
            hessp=lambda x, p: size * (h * p), x0=np.ones(3), gtol=0.0, grtol=1e-6)  # fmt: skip
    assert r.success
    assert np.abs(r.x).max() <= 1e-5
