"""Sums over the workers of dask: the right ones, the same bits, and workers that die."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import quasinewton
from quasinewton import minimize

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
pytest.importorskip("dask.array")

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 4))
BLOCKS = [ROWS[i : i + 20] for i in range(0, 200, 20)]


def loss(x, rows):
    """Logistic loss of rows with the label 1, and a part of a quadratic term."""
    margin = rows @ x
    share = len(rows) / len(ROWS)
    f = np.logaddexp(0.0, -margin).sum() + 0.5 * share * (x @ x)
    return f, rows.T @ (-1.0 / (1.0 + np.exp(margin))) + share * x


def curvature(x, p, rows):
    s = 1.0 / (1.0 + np.exp(-rows @ x))
    return rows.T @ (s * (1.0 - s) * (rows @ p)) + len(rows) / len(ROWS) * p


def rows_of(i):
    return ROWS[i : i + 20]


@pytest.fixture
def client(dask_client):
    return dask_client


X = np.array([0.3, -0.2, 0.5, 0.1])


@pytest.mark.parametrize("kind", ["data", "futures", "delayed", "array", "one"])
def test_sums_are_those_of_a_loop(client, kind):
    import dask.array

    blocks = {
        "data": lambda: BLOCKS,
        "futures": lambda: client.scatter(BLOCKS),
        "delayed": lambda: [dask.delayed(rows_of)(i) for i in range(0, 200, 20)],
        "array": lambda: dask.array.from_array(ROWS, chunks=(20, 4)),
        "one": lambda: [ROWS],
    }[kind]()
    total = quasinewton.dask.Sum(loss, blocks, product=curvature)
    f, g = total(X)
    expected = loss(X, ROWS)
    np.testing.assert_allclose(f, expected[0], rtol=1e-13)
    np.testing.assert_allclose(g, expected[1], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(total.hessp(X, g), curvature(X, g, ROWS), rtol=1e-12, atol=1e-12)


def test_the_same_bits_every_time(client):
    total = quasinewton.dask.Sum(loss, BLOCKS, client=client)
    f, g = total.fun(X)
    for _ in range(3):
        again, gradient = total(X)
        assert again == f and np.array_equal(gradient, g)


def test_runs(client):
    total = quasinewton.dask.Sum(loss, BLOCKS, product=curvature)
    alone = minimize(lambda x: loss(x, ROWS), np.zeros(4), jac=True)
    for more in ({}, {"hessp": total.hessp}):
        result = minimize(total, np.zeros(4), jac=True, **more)
        assert result.success
        np.testing.assert_allclose(result.x, alone.x, atol=1e-5)


def loss_of(x, i):
    """The loss of a block that is read where it is wanted."""
    return loss(x, rows_of(i))


def test_a_worker_that_dies_in_the_middle_is_survived(client):
    """With blocks that have a recipe, and small ones that are their own."""
    starts = range(0, 200, 20)
    totals = [
        quasinewton.dask.Sum(loss, [dask.delayed(rows_of)(i) for i in starts]),
        quasinewton.dask.Sum(loss_of, list(starts)),
    ]
    alone = minimize(totals[0], np.zeros(4), jac=True)
    calls = 0

    def killing(x):
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        return totals[0](x)

    result = minimize(killing, np.zeros(4), jac=True)
    assert np.array_equal(result.x, alone.x) and result.nfev == alone.nfev == calls > 3
    (f, g), (again, gradient) = (total(alone.x) for total in totals)
    assert again == f and np.array_equal(gradient, g)


def test_blocks_come_aligned():
    from quasinewton.interop.dask import _aligned

    unaligned = np.frombuffer(b"?" + ROWS.tobytes(), np.uint8)[1:].view(float).reshape(ROWS.shape)
    assert not unaligned.flags.aligned
    one, (two,), three = _aligned([unaligned, (unaligned,), {"a": unaligned, "b": 3}])
    assert all(a.flags.aligned and np.array_equal(a, ROWS) for a in (one, two, three["a"]))
    assert three["b"] == 3 and _aligned(ROWS) is ROWS


def test_bad_arguments_are_named(client):
    import dask.array

    for arguments, error, message in (
        ((3, BLOCKS), TypeError, "`function` must be callable"),
        ((loss, []), ValueError, "at least one block"),
        ((loss, 3), TypeError, "`blocks` must be a dask collection"),
        ((loss, dask.array.ones((4, 4), chunks=2)), ValueError, "in one piece along"),
    ):
        with pytest.raises(error, match=message):
            quasinewton.dask.Sum(*arguments)
    with pytest.raises(TypeError, match="`product` was not given"):
        quasinewton.dask.Sum(loss, BLOCKS).hessp(X, X)


def test_an_exception_of_the_users_has_the_best_point(client):
    def breaks(x, rows):
        if x[0] != 0.0:
            raise ArithmeticError("mine")
        return loss(x, rows)

    with pytest.raises(ArithmeticError, match="mine") as caught:
        minimize(quasinewton.dask.Sum(breaks, BLOCKS), np.zeros(4), jac=True)
    assert caught.value.result.nit == 0 and np.isfinite(caught.value.result.fun)
