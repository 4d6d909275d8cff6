"""Differences whose points are evaluated beside each other: the same bits, and true counts."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
from scipy.optimize import OptimizeWarning, rosen, rosen_der
from scipy.optimize import minimize as scipy_minimize

from quasinewton import Solver, Status, minimize, trust_hybrid
from quasinewton.options import Options
from quasinewton.workers import Pool, as_workers

X0 = np.array([-1.2, 1.0, 0.7, -0.4])
BOUNDS = [(-1.2, 2.0), (None, 1.0), (0.7, 0.7), (-1.0, 0.9)]


def shifted(x, by):
    return rosen(x - by)


def single(x):
    return np.float32(rosen(x))


def complexly(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def breaks(x):
    if x[0] > -1.0:
        raise ArithmeticError("mine")
    return rosen(x)


def killed_once(x, parent, path):
    """The first process but ours that comes here is killed."""
    if os.getpid() != parent:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass
    return rosen(x)


@pytest.fixture(scope="module")
def engines(processes):
    with ThreadPoolExecutor(3) as threads, ThreadPool(2) as old:
        yield {"threads": threads, "ThreadPool.map": old.map, "map": map, "processes": processes}


ENGINES = ("threads", "ThreadPool.map", "map", "processes")


def equal(a, b):
    assert np.array_equal(a.x, b.x) and np.array_equal(a.jac, b.jac, True) and a.fun == b.fun
    assert (a.nit, a.nfev, a.njev, a.nhev, a.status) == (b.nit, b.nfev, b.njev, b.nhev, b.status)


CASES = {
    "2-point": {},
    "3-point": {"jac": "3-point"},
    "complex": {"fun": complexly, "jac": "cs"},
    "relative steps": {"options": {"finite_diff_rel_step": [1e-7, 1e-6, 2e-7, 1e-8]}},
    "relative steps, 3-point": {"jac": "3-point", "options": {"finite_diff_rel_step": 1e-5}},
    "absolute steps": {"options": {"eps": [1e-7, 1e-6, 2e-7, 1e-8]}},
    "arguments": {"fun": shifted, "args": (0.5,)},
    "single": {"fun": single},
    "single in a box": {"fun": single, "bounds": BOUNDS},
    "bounds": {"bounds": BOUNDS},
    "bounds, 3-point": {"bounds": BOUNDS, "jac": "3-point"},
    "bounds, complex": {"fun": complexly, "bounds": BOUNDS, "jac": "cs"},
    "products": {"method": "trust_cg", "options": {"enriched": False}},
    "products in a box": {
        "method": "trust_cg", "jac": rosen_der, "bounds": BOUNDS, "options": {"enriched": False},
    },
    "maxfev": {"options": {"maxfev": 33}},
    "maxfev in a product": {"method": "trust_cg", "options": {"enriched": False, "maxfev": 28}},
    "curvature": {"options": {"check_curvature": True}},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_bits_and_counts_as_without(engines, engine, case):
    given = {"fun": rosen, "x0": X0, **CASES[case]}
    one = minimize(**given)
    many = minimize(**given, workers=engines[engine])
    equal(one, many)


def test_nothing_is_evaluated_outside_of_bounds(engines):
    lower, upper = (np.array([-np.inf if b is None else b for b in side]) for side in
                    zip(*((lo, np.inf if up is None else up) for lo, up in BOUNDS), strict=True))
    points = []

    def fun(x):
        points.append(x.copy())
        return rosen(x)

    result = minimize(fun, X0, bounds=BOUNDS, workers=engines["threads"])
    assert len(points) == result.nfev
    assert all(np.all(x >= lower) and np.all(x <= upper) for x in points)


@pytest.mark.parametrize("maxfev", range(1, 13))
def test_no_evaluation_is_one_too_many(engines, maxfev):
    lock, count = threading.Lock(), 0

    def fun(x):
        nonlocal count
        with lock:
            count += 1
        return rosen(x)

    result = minimize(fun, X0, workers=engines["threads"], options={"maxfev": maxfev})
    assert count == result.nfev == maxfev and result.status == Status.MAXFEV


def test_a_number_is_processes_of_the_run():
    before = set(multiprocessing.active_children())
    result = minimize(shifted, X0, args=(0.1,), workers=2)
    equal(result, minimize(shifted, X0, args=(0.1,)))
    assert set(multiprocessing.active_children()) <= before


def test_scipys_way_of_saying_it(engines):
    options = {"workers": engines["ThreadPool.map"]}
    ours = scipy_minimize(rosen, X0, method=trust_hybrid, options=options)
    equal(ours, minimize(rosen, X0))
    assert scipy_minimize(rosen, X0, method=trust_hybrid, options={"workers": 1}).success


def test_points_are_evaluated_beside_each_other(engines):
    barrier = threading.Barrier(2, timeout=10)
    first = True

    def fun(x):
        nonlocal first
        if first:  # the start
            first = False
            return rosen(x)
        barrier.wait()
        return rosen(x)

    minimize(fun, X0, workers=engines["ThreadPool.map"], options={"maxfev": 5})
    first = True
    with ThreadPoolExecutor(2) as two:
        minimize(fun, X0, workers=two, options={"maxfev": 5})


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_is_the_users_with_the_best_point(engines, engine):
    with pytest.raises(ArithmeticError, match="mine") as caught:
        minimize(breaks, X0, workers=engines[engine])
    assert np.isfinite(caught.value.result.fun)
    assert "raised in iteration" in "".join(caught.value.__notes__)


def test_an_exception_withdraws_what_has_not_begun():
    count, lock = 0, threading.Lock()

    def fun(x):
        nonlocal count
        with lock:
            count += 1
            mine = count
        if mine == 3:
            raise ArithmeticError
        time.sleep(0.01)
        return rosen(x)

    with ThreadPoolExecutor(2) as two, pytest.raises(ArithmeticError) as caught:
        minimize(fun, np.full(50, 0.5), workers=two)
    assert caught.value.result.nfev == count < 10


def test_a_lost_worker_of_the_run_is_made_anew(tmp_path):
    path = tmp_path / "claimed"
    args = os.getpid(), str(path)
    result = minimize(killed_once, X0, args=args, workers=2)
    assert path.exists()
    equal(result, minimize(rosen, X0))


def test_a_map_that_loses_a_worker_is_called_again():
    calls = 0

    def healing(function, items):
        nonlocal calls
        calls += 1
        if calls in broken:
            raise BrokenExecutor("lost")
        return map(function, items)

    broken = {2}
    equal(minimize(rosen, X0, workers=healing), minimize(rosen, X0))
    calls, broken = 0, {3, 4}
    with pytest.raises(BrokenExecutor, match="lost") as caught:
        minimize(rosen, X0, workers=healing)
    assert np.isfinite(caught.value.result.fun)


def test_a_function_that_cannot_be_sent_is_named_before_a_process_begins():
    with pytest.raises(TypeError, match="`workers` as a number means processes"):
        minimize(lambda x: rosen(x), X0, workers=2)


@pytest.mark.parametrize(
    ("workers", "error"),
    [(0, ValueError), (-2, ValueError), (True, TypeError), ("2", TypeError), (2.0, TypeError)],
)
def test_workers_that_make_no_sense(workers, error):
    with pytest.raises(error, match="option `workers` must be"):
        minimize(rosen, X0, workers=workers)


def test_a_pool_of_multiprocessing_is_told_of_its_map():
    class Pool:
        def map(self, function, items):
            return list(map(function, items))

    with pytest.raises(TypeError, match="give its method `map`"):
        minimize(rosen, X0, workers=Pool())


def test_workers_are_in_no_checkpoint_and_no_pickle(engines, tmp_path):
    path = tmp_path / "run.npz"
    options = {"maxiter": 9, "checkpoint": path}
    minimize(rosen, X0, options=options, workers=engines["threads"])
    resumed = minimize(rosen, X0, resume=path, workers=engines["map"], options={"maxiter": 1000})
    equal(resumed, minimize(rosen, X0))
    solver = Solver(X0, options={"workers": engines["threads"]})
    for made in (pickle.loads(pickle.dumps(solver)), copy.deepcopy(solver)):
        assert made.options.workers == 1
    assert Options(workers=3) == pickle.loads(pickle.dumps(Options(workers=3)))


def test_a_broken_executor_of_the_users_has_a_twin():
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as executor:
        pool = Pool(as_workers("w", executor), ThreadPoolExecutor)
        with pytest.raises(BrokenExecutor):
            pool.submit(os.kill, os.getpid(), 0).result()
            pool.submit(os._exit, 1).result()
        assert pool.replace() and pool.submit(max, 1, 2).result() == 2
        pool.close()


def test_nothing_is_warned_of():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", OptimizeWarning)
        minimize(rosen, X0, jac=rosen_der, options={"workers": 4})
