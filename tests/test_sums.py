"""Means over samples: batches that grow, counts that are true, and the sum over all at the end."""

from __future__ import annotations

import copy
import importlib.util
import math

import numpy as np
import pytest

from quasinewton import Status, minimize, minimize_sum
from quasinewton.methods import QUASI_NEWTON
from quasinewton.solver import checkpoint

N, n = 1000, 5
RNG = np.random.default_rng(0)
A = RNG.normal(size=(N, n))
B = A @ np.arange(1.0, n + 1.0) + RNG.normal(size=N)
BEST = np.linalg.lstsq(A, B, rcond=None)[0]


def squares(x, batch):
    r = A[batch] @ x - B[batch]
    return r @ r / len(batch), 2.0 * r @ A[batch] / len(batch)


def squares_alone(x, batch):
    return squares(x, batch)[0]


def slope(x, batch):
    return squares(x, batch)[1]


@pytest.mark.parametrize("method", QUASI_NEWTON)
@pytest.mark.parametrize("more", [{}, {"test": "inner"}, {"overlap": 0.5}, {"steps": 1}])
def test_least_squares_are_solved_on_all_samples(method, more):
    r = minimize_sum(squares, np.zeros(n), N, method=method, tol=1e-8, **more)
    assert r.success and r.status == Status.CONVERGED and r.batch == N
    np.testing.assert_allclose(r.x, BEST, atol=1e-8)
    assert r.fun == pytest.approx(squares(BEST, np.arange(N))[0])
    sizes = r.batches["size"]
    assert sizes[0] == 32 and sizes[-1] == N and (np.diff(sizes) >= 0).all()
    assert len({len(values) for values in r.batches.values()}) == 1
    assert r.batches["error"][-1] == 0.0 and (r.batches["error"][:-1] > 0.0).all()


@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_a_run_on_all_samples_is_that_of_minimize(method):
    everything = np.arange(N)
    whole = minimize(lambda x: squares(x, everything), np.zeros(n), jac=True, method=method)
    for more in ({"batch": N}, {"batch": 10 * N}, {"full_after": 0}):
        r = minimize_sum(squares, np.zeros(n), N, method=method, **more)
        assert np.array_equal(r.x, whole.x) and r.nit == whole.nit
        assert r.nfev == N * whole.nfev and r.epochs == whole.nfev and r.status == whole.status


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_epochs_are_the_samples_asked_for_and_each_has_its_turn(overlap):
    asked = []

    def fun(x, batch):
        assert batch.dtype == np.int64 and len(set(batch)) == len(batch)
        assert batch.min() >= 0 and batch.max() < N
        asked.append(batch)
        return squares(x, batch)

    seen = []
    r = minimize_sum(
        fun, np.zeros(n), N, overlap=overlap, theta=100.0, batch=100, maxepochs=7.0,
        callback=lambda state: seen.append((state.nfev, state.epochs, state.batch, state.nit)),
    )  # fmt: skip
    assert r.status == Status.MAXFEV and "epochs are spent" in r.message and not r.success
    assert r.nfev == sum(map(len, asked)) == r.njev and r.epochs == r.nfev / N
    assert 7.0 <= r.epochs < 7.2
    assert [s[3] for s in seen] == list(range(1, r.nit + 1))
    assert seen[-1][0] == r.nfev - 200 and {s[2] for s in seen} == {100}
    counts = np.bincount(np.concatenate(asked), minlength=N)
    assert counts.min() >= 1


def test_overlapping_groups_are_not_evaluated_again():
    """With half of the groups taken over, a batch of one step costs 1.5 batches and not 2.

    The choice at the end costs two.
    """
    steps = {}
    for overlap in (0.0, 0.5):
        r = minimize_sum(
            squares, np.zeros(n), N, overlap=overlap, theta=100.0, batch=100, steps=1,
            maxepochs=10.0,
        )  # fmt: skip
        steps[overlap] = r.nit
    assert steps[0.0] == 49 and 60 <= steps[0.5] <= 66


@pytest.mark.parametrize("bounds", [None, [(None, 2.0)] * n])
@pytest.mark.parametrize("seed", range(3))
def test_on_batches_the_mean_of_the_iterates_is_returned_where_it_is_lower(bounds, seed):
    asked, iterates = [], []

    def fun(x, batch):
        asked.append((x, batch))
        return squares(x, batch)

    r = minimize_sum(
        fun, np.zeros(n), N, theta=100.0, batch=20, maxepochs=3.0, seed=seed, bounds=bounds,
        callback=lambda state: iterates.append(state.x.copy()),
    )  # fmt: skip
    k = np.arange(1, r.nit + 1)
    # The recurrence, solved: the weight of x_k is k (k + 1) ... (k + 19).
    weights = np.exp([sum(math.log(j + i) for i in range(20)) for j in k])
    mean = weights @ np.array(iterates) / weights.sum()
    (last, batch), (other, same) = asked[-2:]
    assert np.array_equal(last, iterates[-1]) and np.array_equal(batch, same) and len(batch) == 20
    np.testing.assert_allclose(other, mean, rtol=1e-10)
    values = [squares(x, batch)[0] for x in (last, other)]
    assert np.array_equal(r.x, (last, other)[int(np.argmin(values))]) and r.fun == min(values)
    assert np.array_equal(r.jac, squares(r.x, batch)[1])
    everything = np.arange(N)
    if bounds is None:
        assert squares(r.x, everything)[0] < squares(last, everything)[0]
    else:
        assert r.x.max() <= 2.0 and np.array_equal(r.active, np.where(r.x == 2.0, 1, 0))


def test_all_samples_need_no_mean():
    """Nor epochs for a choice at the end."""
    asked = []

    def fun(x, batch):
        asked.append((x, len(batch)))
        return squares(x, batch)

    r = minimize_sum(fun, np.zeros(n), N, maxepochs=6.0, full_after=2.0, tol=0.0)
    full = [x for x, size in asked if size == N]
    assert r.status == Status.MAXFEV and r.batch == N and 6.0 <= r.epochs < 7.0
    assert len(full) >= 4 and any(np.array_equal(r.x, x) for x in full)


def test_a_mean_that_cannot_be_evaluated_is_not_returned():
    last = []

    def fun(x, batch):
        f, g = squares(x, batch)
        return (f, g) if len(last) < 9 or np.array_equal(x, last[-1]) else (math.nan, g)

    def callback(state):
        last.append(state.x.copy())
        return len(last) == 9

    options = {"maxiter": 9}
    r = minimize_sum(fun, np.zeros(n), N, callback=callback, options=options)
    assert r.status == Status.MAXITER and np.array_equal(r.x, last[-1])


def test_the_same_seed_is_the_same_run():
    runs = [minimize_sum(squares, np.zeros(n), N, seed=seed, maxepochs=2) for seed in (1, 1, 2)]
    generator = minimize_sum(squares, np.zeros(n), N, seed=np.random.default_rng(1), maxepochs=2)
    assert np.array_equal(runs[0].x, runs[1].x) and np.array_equal(runs[0].x, generator.x)
    assert not np.array_equal(runs[0].x, runs[2].x)


def test_batches_grow_with_their_noise():
    """Samples that are all alike have no noise: the batch stays as small as it was."""
    alike = minimize_sum(
        lambda x, batch: (float(np.cosh(x - 1.0).sum()), np.sinh(x - 1.0)), np.zeros(3), N,
        maxepochs=2.0, steps=1, tol=1e-300,
    )  # fmt: skip
    assert alike.batches["size"][:3].max() == 32
    tight, loose = (
        minimize_sum(squares, np.zeros(n), N, theta=theta, full_after=math.inf, maxepochs=3.0)
        for theta in (0.3, 3.0)
    )
    assert len(tight.batches["size"]) < len(loose.batches["size"])


def test_jac_options_bounds_and_args():
    r = minimize_sum(squares_alone, np.zeros(n), N, jac=slope, tol=1e-8)
    np.testing.assert_allclose(r.x, BEST, atol=1e-8)
    assert r.nfev == r.njev
    r = minimize_sum(
        lambda x, batch, scale: tuple(scale * part for part in squares(x, batch)), np.zeros(n), N,
        (2.0,), bounds=[(None, 2.0)] * n, options={"gtol": 1e-8, "history": True},
    )  # fmt: skip
    assert r.success and (r.x <= 2.0).all() and r.active[-1] == 1
    assert len(r.history["fun"]) == r.nit + 1
    few = minimize_sum(squares, np.zeros(n), N, options={"maxiter": 4})
    assert few.status == Status.MAXITER and few.nit == 4


def test_a_callback_ends_the_run_and_the_start_must_be_finite():
    def callback(state):
        if state.nit == 5:
            raise StopIteration

    r = minimize_sum(squares, np.zeros(n), N, callback=callback)
    assert r.status == Status.CALLBACK and r.nit == 5
    r = minimize_sum(lambda x, batch: (math.nan, x), np.zeros(n), N)
    assert r.status == Status.NONFINITE_START and not r.success


REFUSED = [
    ({"fun": None}, TypeError, "`fun`"), ({"samples": 0}, ValueError, "`samples`"),
    ({"samples": 1.5}, TypeError, "`samples`"), ({"batch": 0}, ValueError, "`batch`"),
    ({"groups": 1}, ValueError, "`groups`"), ({"steps": 0}, ValueError, "`steps`"),
    ({"overlap": 1.0}, ValueError, "`overlap`"), ({"theta": 0.0}, ValueError, "`theta`"),
    ({"maxepochs": math.nan}, ValueError, "`maxepochs`"), ({"test": "t"}, ValueError, "`test`"),
    ({"full_after": -1}, ValueError, "`full_after`"), ({"jac": None}, ValueError, "`jac`"),
    ({"method": "trust_cg"}, ValueError, "trust_cg"), ({"callback": 1}, TypeError, "`callback`"),
    ({"options": {"noise": 1.0}}, ValueError, "option `noise`"),
    ({"options": {"maxfev": 3}}, ValueError, "`maxepochs`"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "error", "name"), REFUSED)
def test_what_makes_no_sense_is_named_before_any_work(changes, error, name):
    def fun(x, batch):
        raise AssertionError

    with pytest.raises(error, match=name):
        minimize_sum(**{"fun": fun, "x0": np.zeros(n), "samples": N} | changes)


@pytest.mark.skipif(
    not (importlib.util.find_spec("torch") and importlib.util.find_spec("array_api_compat")),
    reason="needs PyTorch",
)
def test_tensors_agree_with_arrays():
    import torch

    a, b = torch.from_numpy(A), torch.from_numpy(B)

    def mean(x, batch):
        return ((a[batch] @ x - b[batch]) ** 2).mean()

    r = minimize_sum(squares, np.zeros(n), N, options={"memory": 4}, tol=1e-7)
    t = minimize_sum(
        mean, torch.zeros(n, dtype=torch.float64), N, jac=None, options={"memory": 4}, tol=1e-7
    )
    assert torch.is_tensor(t.x) and t.success
    np.testing.assert_allclose(t.x.numpy(), r.x, atol=1e-6)
    assert np.array_equal(t.batches["size"][:2], r.batches["size"][:2])


RUNS = [
    {}, {"overlap": 0.5}, {"test": "inner", "steps": 1, "theta": 3.0}, {"full_after": 1.0},
    {"seed": np.random.Generator(np.random.MT19937(3))}, {"bounds": [(None, 2.5)] * n},
]  # fmt: skip


def same(a, b):
    for name in ("x", "jac"):
        assert np.array_equal(a[name], b[name])
    for name in ("fun", "nit", "nfev", "njev", "status", "batch"):
        assert a[name] == b[name]
    assert a.batches.keys() == b.batches.keys()
    assert all(np.array_equal(a.batches[name], b.batches[name]) for name in a.batches)


@pytest.mark.parametrize("more", RUNS)
@pytest.mark.parametrize("method", ["trust_hybrid", "arc_lsr1"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(method, more, tmp_path):
    """After each iteration, in a batch and between two, by the callback, or by the epochs."""

    def run(stop_at=math.inf, maxepochs=40.0, **options):
        def callback(state):
            if state.nit == stop_at:
                raise StopIteration

        return minimize_sum(
            squares, np.zeros(n), N, method=method, options={"gtol": 1e-8, **options},
            callback=callback, maxepochs=maxepochs, **{**more, "seed": copy.deepcopy(seed)},
        )  # fmt: skip

    seed, path = more.get("seed", 0), tmp_path / "run.npz"
    whole = run()
    assert whole.nit > 8
    for stop_at in range(1, whole.nit, 4):  # in any part of a batch
        stopped = run(stop_at, checkpoint=path)
        assert stopped.nit == stop_at and stopped.status == Status.CALLBACK
        same(run(resume=path), whole)
    run(maxepochs=1.0, checkpoint=path)
    for maxepochs in (2.0, 3.5, 40.0):
        resumed = run(maxepochs=maxepochs, resume=path)
    same(resumed, whole)


def test_a_run_that_died_goes_on_bit_for_bit_from_its_last_checkpoint(tmp_path):
    path, calls = tmp_path / "run.npz", []

    def fun(x, batch):
        calls.append(None)
        if len(calls) == 23:
            raise RuntimeError("the power failed")
        return squares(x, batch)

    whole = minimize_sum(squares, np.zeros(n), N)
    with pytest.raises(RuntimeError, match="power"):
        minimize_sum(fun, np.zeros(n), N, options={"checkpoint": path, "checkpoint_every": 2})
    same(minimize_sum(fun, np.zeros(n), N, options={"resume": path}), whole)


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    path, other = tmp_path / "run.npz", tmp_path / "other.npz"
    minimize_sum(squares, np.zeros(n), N, maxepochs=1.0, options={"checkpoint": path})
    minimize(
        squares, np.zeros(n), (np.arange(N),), jac=True, method="trust_hybrid",
        options={"checkpoint": other},
    )  # fmt: skip
    for changes, file, message in (
        ({}, other, "none of `minimize_sum`"), ({"samples": N - 1}, path, "1000 samples"),
        ({"method": "arc_lsr1"}, path, "`method` is"), ({"x0": np.ones(n)}, path, "`x0` is not"),
    ):  # fmt: skip
        call = {"x0": np.zeros(n), "samples": N, **changes}
        with pytest.raises(ValueError, match=message):
            minimize_sum(squares, options={"resume": file}, **call)
    state = checkpoint.read(path)
    for name, value in (
        ("parts", state["sum.parts"] + N), ("order", np.zeros((2, 2), np.int64)),
        ("slopes", state["sum.slopes"][:1]), ("gradients", state["sum.gradients"] * 1j),
        ("generator", {"bit_generator": "seed"}), ("counts", ["many"]), ("values", []),
        ("batches", {}), ("lengths", [-1]),
    ):  # fmt: skip
        checkpoint.write(path, {**state, f"sum.{name}": value})
        with pytest.raises(checkpoint.CheckpointError):
            minimize_sum(squares, np.zeros(n), N, options={"resume": path})
