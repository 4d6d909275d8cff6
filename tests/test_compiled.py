"""Solves around an objective that numba has compiled, one and many."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quasinewton
from quasinewton import Status, minimize, minimize_many
from quasinewton.methods import QUASI_NEWTON
from quasinewton.objective import DerivativeError


@numba.njit
def rosen(x):
    g = np.zeros_like(x)
    f = 0.0
    for i in range(x.size - 1):
        a = x[i + 1] - x[i] * x[i]
        b = 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i] -= 400.0 * a * x[i] + 2.0 * b
        g[i + 1] += 200.0 * a
    return f, g


@numba.njit
def rosen_filling(x, g):
    f, gradient = rosen(x)
    g[:] = gradient
    x[:] = np.nan  # an argument is the function's to change
    return f


@numba.njit
def value(x):
    return rosen(x)[0]


@numba.njit
def gradient(x):
    return rosen(x)[1]


@numba.njit
def raises_near_minimum(x):
    f, g = rosen(x)
    if f < 1e-2:
        raise ArithmeticError("too near")
    return f, g


@numba.njit
def barrier(x):
    if (x <= 0.0).any():
        return np.inf, np.full_like(x, np.nan)
    return (x - np.log(x)).sum(), 1.0 - 1.0 / x


FORMS = [(rosen, True), (rosen_filling, True), (value, gradient)]


def starts(k, n, seed=0):
    return np.random.default_rng(seed).normal(size=(k, n))


@pytest.mark.parametrize(("fun", "jac"), FORMS)
@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_every_form_and_method_ends_at_a_stationary_point(fun, jac, method):
    x0 = starts(1, 4)[0]
    before = x0.copy()
    result = minimize(fun, x0, jac=jac, method=method, tol=1e-8)
    f, g = rosen(result.x)
    assert result.success and result.status == Status.CONVERGED
    assert np.abs(g).max() <= 1e-8
    assert result.fun == f and np.array_equal(result.jac, g)
    assert result.optimality == np.abs(g).max()
    assert np.array_equal(x0, before)
    assert result.nfev >= result.njev >= 1 or jac is True


@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_it_agrees_with_the_loop_in_python(method):
    """The same kernels: not one evaluation more, and the same point."""
    for x0 in starts(5, 3):
        compiled = minimize(rosen, x0, jac=True, method=method)
        python = minimize(rosen.py_func, x0, jac=True, method=method)
        assert compiled.status == python.status
        np.testing.assert_allclose(compiled.x, python.x, rtol=1e-6)
        assert compiled.nit == compiled.nfev - 1


def test_float32_stays_float32():
    result = minimize(rosen, np.array([-1.2, 1.0], np.float32), jac=True, options={"gtol": 1e-2})
    assert result.success and result.x.dtype == result.jac.dtype == np.float32


def test_records_and_limits(capsys):
    x0 = [-1.2, 1.0]
    result = minimize(
        rosen, x0, jac=True, options={"history": True, "return_all": True, "verbose": 3}
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(result.history["fun"]) == result.nit + 1
    assert sum(line.split()[0].isdigit() for line in lines) == result.nit + 1
    assert np.array_equal(result.allvecs[-1], result.x)
    assert minimize(rosen, x0, jac=True, options={"maxfev": 7}).nfev == 7
    assert minimize(rosen, x0, jac=True, options={"maxiter": 3}).nit == 3
    assert minimize(rosen, x0, jac=True, options={"maxtime": 0.0}).status == Status.MAXTIME
    assert minimize(rosen, x0, jac=True, options={"f_target": 1.0}).status == Status.F_TARGET


def test_the_spectrum_is_recorded_as_by_a_function_that_is_not_compiled():
    x0 = np.linspace(-1.0, 1.0, 12)
    options = {"history": "spectrum", "memory": 4}
    compiled = minimize(rosen, x0, jac=True, options=options).history
    plain = minimize(rosen.py_func, x0, jac=True, options=options).history
    k = 20  # before roundoff has grown between the two
    np.testing.assert_allclose(compiled["eigenvalues"][:k], plain["eigenvalues"][:k], rtol=1e-6)
    np.testing.assert_allclose(compiled["gamma"][:k], plain["gamma"][:k], rtol=1e-6)


def test_a_barrier_is_minimised():
    result = minimize(barrier, [3.0, 0.01, 40.0], jac=True, tol=1e-8)
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-6)


def test_an_exception_brings_the_best_point():
    with pytest.raises(ArithmeticError) as caught:
        minimize(raises_near_minimum, [-1.2, 1.0], jac=True)
    result = caught.value.result
    assert result.status == Status.EXCEPTION
    assert 1e-2 <= result.fun == rosen(result.x)[0] < 24.2
    assert result.nfev > 1


@numba.njit
def gradient_that_raises(x):
    if value(x) < 1.0:
        raise ArithmeticError("too near")
    return gradient(x)


@numba.njit
def gradient_that_is_nan(x):
    f, g = rosen(x)
    if f < 1.0:
        g[0] = np.nan
    return f, g


@pytest.mark.parametrize("solve", [minimize, minimize_many])
def test_a_value_whose_gradient_raises_is_not_lost(solve):
    with pytest.raises(ArithmeticError) as caught:
        solve(value, [-1.2, 1.0] if solve is minimize else [[-1.2, 1.0]] * 2,
              jac=gradient_that_raises)  # fmt: skip
    result = caught.value.result
    x, f, g, nfev = result.x, result.fun, result.jac, result.nfev
    if solve is minimize_many:
        assert np.isnan(f[1]) and nfev[1] == 0  # not begun
        x, f, g, nfev = x[0], f[0], g[0], nfev[0]
    assert rosen(x)[0] == f < 1.0 and np.isnan(g).all() and nfev > 1


def test_a_value_whose_gradient_is_not_finite_is_not_lost():
    options = {"maxiter": 60}
    one = minimize(gradient_that_is_nan, [-1.2, 1.0], jac=True, options=options)
    many = minimize_many(gradient_that_is_nan, [[-1.2, 1.0]], options=options)
    plain = minimize(gradient_that_is_nan.py_func, [-1.2, 1.0], jac=True, options=options)
    for x, f, g in ((one.x, one.fun, one.jac), (many.x[0], many.fun[0], many.jac[0])):
        assert rosen(x)[0] == f < 1.0 and np.isnan(g).all()
    assert plain.fun < 1.0 and np.isnan(plain.jac).all()


@pytest.mark.parametrize("jac", [True, None])
@pytest.mark.parametrize("cause", ["exception", "interrupt"])
@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor, ThreadPool])
def test_threads_end_with_the_evaluations_under_way(jac, cause, pool):
    workers, count, lock = 4, 0, threading.Lock()
    barrier = threading.Barrier(workers)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # not so in a background job

    def fun(x):
        nonlocal count
        with lock:
            count += 1
            mine = count
        barrier.wait()
        if mine == 1 and cause == "exception":
            raise ArithmeticError("mine")
        if mine == 1:
            time.sleep(0.1)  # Python may miss a signal just when its main thread begins to wait
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        f, g = rosen.py_func(x)
        return (f, g) if jac else f

    def solve(engine):
        with pytest.raises((ArithmeticError, KeyboardInterrupt)) as caught:
            minimize_many(fun, starts(50, 3), jac=jac, workers=engine)
        return caught

    if pool is None:
        caught = solve(workers)
    else:  # of the user's, which is not waited for
        with pool(workers) as threads:
            caught = solve(threads.map)
            time.sleep(1.0)
    assert count == workers
    result = caught.value.result
    assert (result.status == Status.EXCEPTION).all()
    assert "after 0 of 50 starts" in caught.value.__notes__[0]
    assert np.isfinite(result.fun).sum() <= workers


@numba.njit
def slow_rosen(x):
    total = 0.0
    for i in range(2_000_000):
        total += np.sin(i * 1e-9)
    f, g = rosen(x)
    return f + 0.0 * total, g


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_interrupt_ends_machine_code(workers):
    """In one run (no workers) and in many: long before their end."""
    options = {"gtol": 0.0, "maxfev": 2}
    minimize(slow_rosen, [-1.2, 1.0], jac=True, options=options)  # compiled
    minimize_many(slow_rosen, [[-1.2, 1.0]], options=options)
    options["maxfev"] = 10_000
    signal.signal(signal.SIGINT, signal.default_int_handler)  # not so in a background job
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        if workers:
            minimize_many(slow_rosen, starts(1000, 12), options=options, workers=workers)
        else:
            minimize(slow_rosen, np.linspace(-2.0, 2.0, 60), jac=True, options=options)
    timer.join()
    result = caught.value.result
    assert 0 < np.sum(result.nfev) < (200 if workers else 100)
    assert np.all(np.asarray(result.status) == Status.EXCEPTION)


def test_a_function_of_another_shape_is_refused_by_name():
    @numba.njit
    def scalar(x):
        return (x * x).sum()

    with pytest.raises(TypeError, match="`fun` as a numba function must"):
        minimize(scalar, [1.0], jac=True)


@given(
    n=st.integers(1, 8), k=st.integers(1, 5), workers=st.integers(1, 3),
    method=st.sampled_from(sorted(QUASI_NEWTON)), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_many_equal_one_by_one(n, k, workers, method, seed):
    x = starts(k, n, seed)
    many = minimize_many(rosen, x, method=method, workers=workers)
    for i in range(k):
        one = minimize(rosen, x[i], jac=True, method=method)
        assert np.array_equal(many.x[i], one.x) and np.array_equal(many.jac[i], one.jac)
        assert (many.fun[i], many.status[i], many.success[i]) == (one.fun, one.status, one.success)
        assert (many.nfev[i], many.njev[i], many.nit[i]) == (one.nfev, one.njev, one.nit)
        assert many.optimality[i] == one.optimality


def test_many_starts_of_a_python_function():
    x = starts(3, 2)
    many = minimize_many(rosen.py_func, x, workers=2)
    assert many.success.all() and many.x.shape == (3, 2)


def test_many_with_bad_starts_and_exceptions():
    x = starts(4, 2)
    x[1, 0] = np.nan
    many = minimize_many(rosen, x)
    assert many.status.tolist() == [0, Status.NONFINITE_START, 0, 0]
    for fun in (raises_near_minimum, raises_near_minimum.py_func):
        with pytest.raises(ArithmeticError) as caught:
            minimize_many(fun, starts(4, 2))
        result = caught.value.result
        assert (result.status == Status.EXCEPTION).all()
        assert result.fun[0] == rosen(result.x[0])[0] >= 1e-2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X0": [1.0, 2.0]}, "`X0` must be an array"),
        ({"X0": [["a"]]}, "`X0` must be an array"),
        ({"X0": [[1.0]], "workers": 0}, "`workers` must be"),
        ({"X0": [[1.0]], "method": "trust_cg"}, "`method`: Unknown solver"),
        ({"X0": [[1.0]], "options": {"history": True}}, "does not take the option `history`"),
        ({"X0": [[1.0]], "options": {"checkpoint": "a"}}, "does not take the option `checkpoint`"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        minimize_many(rosen, **arguments)


def test_default_method():
    f = rosen.py_func
    assert minimize(f, np.ones(2), jac=True).method == "trust_hybrid"
    assert minimize(f, np.ones(200), jac=True).method == "trust_hybrid"
    assert quasinewton.minimize_many is minimize_many


@numba.njit
def double_well(x, g):
    g[:] = 4.0 * x * (x * x - 1.0)
    return ((x * x - 1.0) ** 2).sum()


def test_a_saddle_is_left_where_the_curvature_is_checked():
    result = minimize(
        double_well, np.zeros(3), jac=True, method="arc_lsr1", options={"check_curvature": True}
    )
    assert result.success and result.curvature.verdict == "minimum"
    np.testing.assert_allclose(np.abs(result.x), 1.0, rtol=1e-4)
    many = minimize_many(double_well, np.zeros((2, 3)), options={"check_curvature": True})
    np.testing.assert_allclose(np.abs(many.x), 1.0, rtol=1e-4)


def test_many_take_the_options_of_one():
    @numba.njit
    def wrong(x):
        return (x * x).sum(), x

    with pytest.raises(DerivativeError):
        minimize_many(wrong, np.ones((2, 3)), options={"check_derivatives": True})
    cold = minimize(rosen, np.full(2, -1.2), jac=True)
    warm = minimize_many(
        rosen, [cold.x + 0.1], method=cold.method, options={"model": cold.hess}
    )
    alone = minimize(
        rosen, cold.x + 0.1, jac=True, method=cold.method, options={"model": cold.hess}
    )
    assert warm.nfev[0] == alone.nfev and np.array_equal(warm.x[0], alone.x)


def test_no_point_out_of_range_is_asked_for():
    @numba.njit
    def falling(x):
        if not np.isfinite(x).all():
            raise ArithmeticError("asked for a point out of range")
        return -x.sum(), -np.ones_like(x)

    result = minimize(falling, np.full(2, 1e300), jac=True, options={"maxiter": 300})
    assert np.isfinite(result.x).all() and not result.success


def test_checkpoints_are_kept_and_resumed(tmp_path):
    path = tmp_path / "run.npz"
    x0 = [-1.2, 1.0, 0.5]
    whole = minimize(rosen, x0, jac=True)
    minimize(
        rosen, x0, jac=True,
        options={"checkpoint": path, "checkpoint_every": 5, "maxiter": whole.nit // 2},
    )  # fmt: skip
    rest = minimize(rosen, x0, jac=True, resume=path, options={"maxiter": 1000})
    assert np.array_equal(rest.x, whole.x) and rest.nfev == whole.nfev


@numba.njit
def shifted(x, a=2.0):
    """Default arguments; f as an array of one number, the gradient as a column."""
    return np.array([((x - a) ** 2).sum()]), (2.0 * (x - a)).reshape(-1, 1)


@numba.njit
def value_of_one(x):
    return np.array((x[0] - 2.0) ** 2)


@numba.njit
def slope_of_one(x, a=2.0):
    return 2.0 * (x[0] - a)


@numba.njit
def one_for_all(x):
    return (x * x).sum(), np.ones(1)


def test_compiled_functions_return_what_those_of_python_may():
    for fun, jac, x0 in ((shifted, True, [1.0, -3.0]), (value_of_one, slope_of_one, [5.0])):
        plain = jac if jac is True else jac.py_func
        expected = minimize(fun.py_func, x0, jac=plain)
        r = minimize(fun, x0, jac=jac)
        assert r.success and np.array_equal(r.x, expected.x) and r.nfev == expected.nfev
    for fun, jac in ((one_for_all, True), (value_of_one, slope_of_one)):
        with pytest.raises(ValueError, match="gradient must have shape"):
            minimize(fun, [1.0, 2.0, 3.0], jac=jac)
