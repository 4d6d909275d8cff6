"""Every fault of a user's functions, in every method: what docs/robustness.md states."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

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
    assert saved.running and saved.f == result.fun and np.array_equal(saved.x, result.x)
    again = minimize(rosen, X0, jac=rosen_der, resume=path,
                     hessp=rosen_hess_prod if method in PRODUCTS else None)  # fmt: skip
    assert np.array_equal(again.x, run(method).x)


# An interrupt between `open` and `with` leaves the file to the garbage collector.
@pytest.mark.filterwarnings(r"ignore:unclosed file .*run\.npz\.tmp:ResourceWarning")
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
    word = {"fun": "objective function must return a scalar", "jac": "gradient must",
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

    began = time.perf_counter()
    r = run(method, fun=slow, jac=jac, maxtime=0.08, x0=np.sin(np.arange(20) + 1.0))
    assert r.status == Status.MAXTIME
    assert calls[-1] - began <= 0.08  # none begun too late
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
