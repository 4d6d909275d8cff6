"""Starts that are spread over a box, and minima told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds

from quasinewton import Status, minimize_many, multistart

BOX = [(-2.0, 2.0), (-3.0, 1.5)]


def wells(x):
    """Four minima, of values that the linear term sets apart."""
    return ((x * x - 1.0) ** 2).sum() + 0.1 * x[0] + 0.01 * x[1], (
        4.0 * x * (x * x - 1.0) + np.array([0.1, 0.01])
    )


@pytest.mark.parametrize("sampler", ["sobol", "latin"])
@pytest.mark.parametrize("k", [1, 17, 64])
def test_starts_are_spread_and_the_same_for_the_same_seed(sampler, k):
    first = multistart(wells, BOX, k, sampler=sampler, seed=3)
    second = multistart(wells, Bounds([-2.0, -3.0], [2.0, 1.5]), k, sampler=sampler, seed=3)
    assert first.starts.shape == (k, 2) and np.array_equal(first.starts, second.starts)
    lower, upper = np.transpose(BOX)
    assert np.all((first.starts >= lower) & (first.starts <= upper))
    if k == 64:  # as many in each half
        assert np.all((first.starts > (lower + upper) / 2).sum(axis=0) == 32)


def test_minima_are_told_apart():
    result = multistart(wells, BOX, 64, seed=0)
    assert result.success and result.status == Status.CONVERGED and result.counts.sum() == 64
    assert len(result.minima) == 4 and np.all(np.diff(result.minima_fun) > 0)
    assert np.array_equal(result.minima[0], result.x) and result.minima_fun[0] == result.fun
    np.testing.assert_allclose(np.sign(result.minima), [[-1, -1], [-1, 1], [1, -1], [1, 1]])
    for x, count in zip(result.minima, result.counts, strict=True):
        assert count == (np.abs(result.ends.x - x).max(axis=1) < 0.1).sum()
    assert result.nfev == result.ends.nfev.sum()
    assert len(multistart(wells, BOX, 64, seed=0, xtol=1.0, ftol=1.0).minima) == 1


def test_where_nothing_converges():
    result = multistart(wells, BOX, 8, seed=0, options={"maxiter": 1})
    assert not result.success and result.minima.shape == (0, 2) and result.counts.shape == (0,)
    assert result.fun == result.ends.fun.min()
    result = multistart(lambda x: (np.nan, x), BOX, 4, seed=0)
    assert result.status == Status.NONFINITE_START


def test_a_sampler_of_ones_own():
    def where(k, rng):
        return rng.normal(size=(k, 2)) + 5.0

    result = multistart(wells, where, 20, seed=1, bounds=[(0.5, None)] * 2, workers=2)
    assert len(result.minima) == 1 and np.all(result.starts > 0)
    same = minimize_many(wells, result.starts, bounds=[(0.5, None)] * 2)
    assert np.array_equal(result.ends.x, same.x)


def test_ends_may_leave_the_box():
    box = [(2.0, 3.0)] * 2
    inside, free = (multistart(wells, box, 8, seed=0, bounded=b) for b in (True, False))
    assert np.all(inside.minima == 2.0) and np.all(free.minima < 1.5)


@pytest.mark.parametrize(
    ("where", "more", "error", "message"),
    [
        ([(0.0, None)], {}, ValueError, "`where` must be finite bounds"),
        ([(0.0, 1.0)], {"sampler": "grid"}, ValueError, "`sampler` must be one of"),
        ([(0.0, 1.0)], {"k": 0}, ValueError, "`k` must be an integer"),
        ([(0.0, 1.0)], {"xtol": -1.0}, ValueError, "`xtol` must be"),
        ([(0.0, 1.0)], {"bounds": []}, TypeError, "`bounds` are given by `where`"),
        (lambda k, rng: np.ones(3), {}, ValueError, "`X0` must be an array"),
    ],
)
def test_bad_arguments_are_named(where, more, error, message):
    with pytest.raises(error, match=message):
        multistart(wells, where, **more)
