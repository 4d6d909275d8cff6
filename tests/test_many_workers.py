"""Many starts by every engine: the same results, nothing lost, nothing done twice."""

from __future__ import annotations

import io
import math
import multiprocessing
import os
import re
import signal
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from multiprocessing.pool import ThreadPool

import numba
import numpy as np
import pytest
from scipy.optimize import OptimizeWarning
from scipy.optimize import rosen as scipy_rosen

import quasinewton
from quasinewton import Status, minimize, minimize_many
from quasinewton.solver.checkpoint import CheckpointError, read, write
from quasinewton.workers import Pool

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

K, N = 11, 3
STARTS = np.random.default_rng(0).normal(size=(K, N))
KILLER = 5  # the start that a process dies of


@numba.njit
def compiled(x):
    f = 0.0
    g = np.zeros_like(x)
    for i in range(x.size - 1):
        a = x[i + 1] - x[i] * x[i]
        b = 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i] -= 400.0 * a * x[i] + 2.0 * b
        g[i + 1] += 200.0 * a
    return f, g


def joint(x):
    return compiled.py_func(x)


def raises(x):
    if np.array_equal(x, STARTS[KILLER]):
        raise ArithmeticError("mine")
    return joint(x)


class Odd(Exception):
    """Cannot be unpickled."""

    def __init__(self, a, b):
        super().__init__(f"odd {a} {b}")


def raises_odd(x):
    raise Odd(1, 2)


def kills(x):
    if np.array_equal(x, STARTS[KILLER]):
        os.kill(os.getpid(), signal.SIGKILL)
    return joint(x)


class KillsOnce:
    def __init__(self, path):
        self.path = path

    def __call__(self, x):
        if np.array_equal(x, STARTS[KILLER]):
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return joint(x)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.002)
        return joint(x)


def forked(workers=2):
    """Processes that are forked from one that has imported the package."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver"))


def loky_executor():
    loky = pytest.importorskip("joblib.externals.loky")
    return loky.get_reusable_executor(max_workers=2, timeout=300)  # they wait for the next test


HERE = ("number", "all cores", "threads", "ThreadPool.map", "map")
ENGINES = (*HERE, "processes", "dask", "loky")


@pytest.fixture
def engine(request):
    name = request.param
    if name == "none":
        yield 1
    elif name == "number":
        yield 3
    elif name == "all cores":
        yield -1
    elif name == "map":
        yield map
    elif name == "processes":
        yield request.getfixturevalue("processes")
    elif name == "dask":
        yield request.getfixturevalue("dask_client").get_executor()
    elif name == "loky":
        yield loky_executor()
    elif name == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    else:
        with ThreadPool(2) as pool:
            yield pool.map


def equal(a, b):
    for name in ("x", "fun", "jac", "status", "success", "nit", "nfev", "njev", "optimality"):
        assert np.array_equal(a[name], b[name], equal_nan=True), name


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize(
    ("fun", "more"),
    [
        (joint, {}),
        (scipy_rosen, {"jac": None, "bounds": [(-0.5, 0.9)] * N, "options": {"maxfev": 30}}),
        (joint, {"options": {"check_curvature": True}, "method": "arc_lsr1"}),
    ],
    ids=["python", "differences", "curvature"],
)
@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
def test_the_same_results_in_order(engine, fun, more):
    equal(minimize_many(fun, STARTS, workers=engine, **more), minimize_many(fun, STARTS, **more))


# Other processes compile once more, so one is enough.
@pytest.mark.parametrize("engine", [*HERE, "processes"], indirect=True)
def test_the_same_results_of_compiled_functions(engine):
    equal(minimize_many(compiled, STARTS, workers=engine), minimize_many(compiled, STARTS))


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_an_exception_of_the_users_with_what_was_found(engine):
    with pytest.raises(ArithmeticError, match="mine") as caught:
        minimize_many(raises, STARTS, workers=engine)
    result = caught.value.result
    assert result.status[KILLER] == Status.EXCEPTION and result.x.shape == STARTS.shape
    done = int((result.status != Status.EXCEPTION).sum())
    assert any(f"after {done} of {K} starts" in note for note in caught.value.__notes__)


def test_an_exception_from_elsewhere_says_where_it_was_raised(processes):
    with pytest.raises(ArithmeticError) as caught:
        minimize_many(raises, STARTS, workers=processes)
    assert any("in raises" in note for note in caught.value.__notes__)
    with pytest.raises(RuntimeError, match="Odd: odd 1 2"):
        minimize_many(raises_odd, STARTS, workers=processes)


def test_a_client_of_dask_is_an_executor(dask_client):
    equal(minimize_many(joint, STARTS, workers=dask_client), minimize_many(joint, STARTS))


@pytest.mark.parametrize("make", [forked, loky_executor])
def test_a_lost_worker_costs_a_second_try(make, tmp_path):
    executor = make()
    fun = KillsOnce(str(tmp_path / "claimed"))
    equal(minimize_many(fun, STARTS, workers=executor), minimize_many(joint, STARTS))
    assert os.path.exists(fun.path)
    executor.shutdown(wait=True)


def others_equal(many, others):
    """Whether the others are as if they were alone, and the one that kills is marked."""
    one = minimize_many(joint, STARTS)
    assert (many.status[~others] == Status.EXCEPTION).all() and np.isnan(many.fun[~others]).all()
    assert np.array_equal(many.x[others], one.x[others])
    assert np.array_equal(many.status[others], one.status[others])


def test_a_start_that_kills_is_reported_and_costs_no_other():
    with forked(1) as pool, pytest.warns(RuntimeWarning, match=rf"starts \[{KILLER}\]"):
        many = minimize_many(kills, STARTS, workers=pool)
    others_equal(many, np.arange(K) != KILLER)


def test_a_map_that_loses_a_process_is_called_again(tmp_path):
    def healing(function, items):
        with forked(1) as pool:
            yield from pool.map(function, items)

    fun = KillsOnce(str(tmp_path / "claimed"))
    equal(minimize_many(fun, STARTS, workers=healing), minimize_many(joint, STARTS))
    assert os.path.exists(fun.path)


class Mapped:
    """A function like `map` that raises if it gets certain starts, `lazy`: after what is before."""

    def __init__(self, bad, lazy, times=math.inf):
        self.bad, self.lazy, self.times, self.items = bad, lazy, times, 0

    def __call__(self, function, items):
        return self._each(function, items) if self.lazy else list(self._each(function, items))

    def _each(self, function, items):
        for item in items:
            self.items += 1
            if self.times and any(np.array_equal(item, [STARTS[i]]) for i in self.bad):
                self.times -= 1
                raise TimeoutError("lost")
            yield function(item)


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("bad", [[KILLER], [0], [2, 3, K - 1]])
def test_a_map_that_raises_costs_only_the_starts_that_it_raises_for(bad, lazy):
    engine = Mapped(bad, lazy)
    with pytest.warns(RuntimeWarning, match=re.escape(f"the starts {bad}")):
        many = minimize_many(joint, STARTS, workers=engine)
    others_equal(many, ~np.isin(np.arange(K), bad))
    once = Mapped(bad, lazy, times=1)
    equal(minimize_many(joint, STARTS, workers=once), minimize_many(joint, STARTS))


@pytest.mark.parametrize("lazy", [True, False])
def test_a_map_that_always_raises_is_no_fault_of_the_starts(lazy):
    engine = Mapped(range(K), lazy)
    with pytest.raises(TimeoutError) as caught:
        minimize_many(joint, STARTS, workers=engine)
    assert (caught.value.result.status == Status.EXCEPTION).all()
    assert engine.items < 3 * K

    def breaks_for_good(function, items):
        for number, item in enumerate(items):
            if number == KILLER or len(done) >= KILLER:
                raise BrokenExecutor
            done.append(function(item))
            yield done[-1]

    done = []
    with pytest.raises(BrokenExecutor) as caught:
        minimize_many(joint, STARTS, workers=breaks_for_good)
    assert (caught.value.result.status != Status.EXCEPTION).sum() == KILLER


def test_a_map_that_returns_too_little():
    with pytest.raises(ValueError, match="as many results as it is given items"):
        minimize_many(joint, STARTS, workers=lambda function, items: [function(items[0])])


class Distant(Executor):
    """An executor that says nothing of itself, and counts."""

    def __init__(self):
        self.tasks = []

    def submit(self, function, /, *args):
        future = Future()
        self.tasks.append(args)
        try:
            future.set_result(function(*args))
        except BaseException as error:
            future.set_exception(error)
        return future


class Broken(Distant):
    """Each of its workers dies at once."""

    def submit(self, function, /, *args):
        return super().submit(self._die, *args)

    def _die(self, *args):
        raise BrokenExecutor("dead")


def test_an_executor_that_always_breaks_is_no_fault_of_the_starts(monkeypatch):
    executor = Broken()
    with pytest.raises(BrokenExecutor) as caught:  # where there is no twin
        minimize_many(joint, STARTS, workers=executor)
    assert (caught.value.result.status == Status.EXCEPTION).all()
    monkeypatch.setattr(Pool, "replace", lambda self: True)
    executor.tasks.clear()
    with pytest.raises(BrokenExecutor):
        minimize_many(joint, STARTS, workers=executor)
    assert len(executor.tasks) < 100


def test_fast_starts_go_many_at_a_time():
    starts = np.random.default_rng(1).normal(size=(2000, 2))
    minimize_many(compiled, starts[:1])
    executor = Distant()
    result = minimize_many(compiled, starts, workers=executor)
    assert result.success.all() and len(executor.tasks) < 200
    sizes = [len(args[0]) for args in executor.tasks]
    assert sizes[0] == 1 and sum(sizes) == 2000 and max(sizes) > 20


@pytest.mark.parametrize("workers", [1, 2, "processes"])
@pytest.mark.parametrize("fun", [joint, compiled])
def test_a_batch_goes_on_where_it_was(fun, workers, tmp_path, request):
    if workers == "processes":
        workers = request.getfixturevalue("processes")
    path = tmp_path / "batch.npz"
    done = 0

    def stop(intermediate_result):
        nonlocal done
        done = intermediate_result.done
        if done >= 4:
            raise StopIteration

    first = minimize_many(fun, STARTS, workers=workers, checkpoint=path, callback=stop)
    ended = first.status != Status.CALLBACK
    assert ended.sum() >= 4  # threads may have ended more before they are told
    assert workers != 1 or fun is not joint or ended.sum() == 4
    whole = minimize_many(joint, STARTS)
    seen = []

    def counted(x):
        seen.append(x.copy())
        return joint(x)

    second = minimize_many(counted, STARTS, checkpoint=path)
    if fun is joint:
        equal(second, whole)
    assert second.success.all()
    begun = {x.tobytes() for x in seen}
    assert not any(STARTS[i].tobytes() in begun for i in np.flatnonzero(ended))
    seen.clear()
    again = minimize_many(counted, STARTS, checkpoint=path)
    equal(again, second)
    assert not seen


def test_a_checkpoint_after_an_exception(tmp_path):
    path = tmp_path / "batch.npz"
    with pytest.raises(ArithmeticError):
        minimize_many(raises, STARTS, checkpoint=path)
    equal(minimize_many(joint, STARTS, checkpoint=path), minimize_many(joint, STARTS))


def test_a_checkpoint_of_another_batch_is_refused(tmp_path):
    path = tmp_path / "batch.npz"
    box = [(-9.0, 9.0)] * N
    minimize_many(joint, STARTS, checkpoint=path, bounds=box)
    for more, message in (
        ({"X0": STARTS[1:]}, "`X0` are not"),
        ({"X0": STARTS.astype(np.float32)}, "`X0` are not"),
        ({"bounds": None}, "`bounds` are not"),
        ({"method": "arc_lsr1"}, "`method` is 'arc_lsr1'"),
        ({"tol": 1e-9}, "option `gtol` is 1e-09"),
    ):
        with pytest.raises(ValueError, match=message):
            minimize_many(joint, **{"X0": STARTS, "checkpoint": path, "bounds": box, **more})
    minimize(joint, STARTS[0], jac=True, options={"checkpoint": tmp_path / "run.npz"})
    with pytest.raises(CheckpointError, match="not written by `minimize_many`"):
        minimize_many(joint, STARTS, checkpoint=tmp_path / "run.npz")
    state = read(path)
    for name, value in (
        ("ended", np.array([K])), ("ended", np.array([0.5])), ("x", state["x"][:, 1:]),
        ("ends", state["ends"] + 50), ("fun", state["fun"].astype(np.float32)),
    ):  # fmt: skip
        write(path, {**state, name: value})
        with pytest.raises(CheckpointError, match="does not fit"):
            minimize_many(joint, STARTS, checkpoint=path, bounds=box)


@pytest.mark.parametrize("engine", ["none", *ENGINES], indirect=True)
def test_the_callback_is_told_how_far_it_is(engine):
    told, file = [], io.StringIO()
    bar = quasinewton.progress(file=file, interval=0)

    def callback(intermediate_result):
        told.append(intermediate_result)
        bar(intermediate_result)

    result = minimize_many(joint, STARTS, workers=engine, callback=callback)
    done = [r.done for r in told]
    assert done == sorted(done) and done[-1] == K == told[-1].starts
    assert told[-1].fun == result.fun.min() and told[-1].nfev == result.nfev.sum()
    assert told[-1].status == Status.CONVERGED and told[0].budget == done[0] / K
    lines = file.getvalue().splitlines()
    assert len(lines) == len(told) and lines[0].startswith(f"{done[0]} of 11 starts, lowest f ")
    assert "budget 100%: CONVERGED" in lines[-1]


def test_progress_ends_with_an_exception():
    file = io.StringIO()
    with pytest.raises(ArithmeticError):
        minimize_many(raises, STARTS, callback=quasinewton.progress(file=file, interval=0))
    assert "EXCEPTION" in file.getvalue().splitlines()[-1]


def together(X):
    f, g = zip(*map(joint, X), strict=True)
    return np.array(f), np.array(g)


def values_together(X):
    return together(X)[0]


def gradients_together(X):
    return together(X)[1]


@pytest.mark.parametrize("bounds", [None, [(-2.0, 0.8)] * N])
@pytest.mark.parametrize("workers", [1, 2, "processes"])
@pytest.mark.parametrize("jac", [True, gradients_together])
@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
def test_in_step_equals_one_by_one(workers, jac, bounds, request):
    if workers == "processes":
        workers = request.getfixturevalue("processes")
    fun = together if jac is True else values_together
    many = minimize_many(fun, STARTS, jac=jac, batched=True, workers=workers, bounds=bounds)
    apart = {"fun": joint} if jac is True else {
        "fun": lambda x: joint(x)[0], "jac": lambda x: joint(x)[1]
    }  # fmt: skip
    equal(many, minimize_many(X0=STARTS, bounds=bounds, **apart))


def test_in_step_asks_for_few_shapes():
    shapes = []

    def fun(X):
        shapes.append(X.shape)
        return together(X)

    result = minimize_many(fun, STARTS, batched=True)
    assert len(shapes) == result.nfev.max() and shapes == sorted(shapes, reverse=True)
    assert {m for m, _ in shapes} <= {11, 6, 3, 2, 1}


def test_in_step_with_bad_starts_and_exceptions():
    starts = STARTS.copy()
    starts[1, 0] = np.nan
    result = minimize_many(together, starts, batched=True)
    assert result.status[1] == Status.NONFINITE_START and result.success.sum() == K - 1
    calls = 0

    def breaks(X):
        nonlocal calls
        calls += 1
        if calls == 5:
            raise ArithmeticError
        return together(X)

    with pytest.raises(ArithmeticError) as caught:
        minimize_many(breaks, STARTS, batched=True)
    assert np.isfinite(caught.value.result.fun).all()
    assert (caught.value.result.nfev == 4).all()


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"batched": True, "jac": None}, ValueError, "`jac` must be True or callable"),
        ({"batched": True, "options": {"check_curvature": True}}, ValueError, "checks no curv"),
        ({"workers": "two"}, TypeError, "`workers` must be"),
        ({"options": {"workers": 2}}, ValueError, "does not take the option `workers`"),
        ({"callback": 3}, TypeError, "`callback` must be callable"),
        ({"fun": lambda X: (X[:, 0], X[:1]), "batched": True}, ValueError, "the gradients must"),
        ({"fun": lambda X: X[0, 0], "batched": True}, ValueError, "values, gradients"),
    ],
)
def test_bad_arguments_are_named(more, error, message):
    with pytest.raises(error, match=message):
        minimize_many(**{"fun": joint, "X0": STARTS, **more})


def test_starts_outside_of_bounds_are_warned_of_once():
    with pytest.warns(OptimizeWarning) as caught:
        minimize_many(joint, STARTS, bounds=[(0.0, 0.5)] * N, workers=2)
    assert len(caught) == 1
