"""The derivative checks: right derivatives pass, wrong ones are found and located."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

from quasinewton import minimize, problems
from quasinewton.objective import DerivativeError, check_gradient, check_hessp

X = np.linspace(-1.3, 1.7, 6)


def wrong_in(i, factor=1.001):
    """The gradient of Rosenbrock with one coordinate off."""

    def grad(x):
        g = rosen_der(x)
        g[i] *= factor
        return g

    return grad


@pytest.mark.parametrize("name", problems.names())
def test_right_derivatives_pass(name):
    problem = problems.get(name)
    noise = np.random.default_rng(0).standard_normal(problem.n)
    near = problem.x0 + 0.01 * np.maximum(1, abs(problem.x0)) * noise
    # At a minimiser every derivative is about zero, and only roundoff is left to compare.
    for x in (problem.x0, near, *problem.minimizers[:1]):
        assert check_gradient(problem.fun, problem.grad, x).ok
        assert check_hessp(problem.grad, problem.hessp, x).ok


@settings(max_examples=30, deadline=None)
@given(i=st.integers(0, 5), factor=st.sampled_from([-1.0, 0.0, 0.99, 1.001, 2.0]))
def test_one_wrong_coordinate_is_found_and_located(i, factor):
    grad = wrong_in(i, factor)
    check = check_gradient(rosen, grad, X)
    failing = [row.label for row in check.rows if not row.error <= check.tolerance]
    assert not check.ok
    assert [label for label in failing if label.startswith("x")] == [f"x[{i}]"]
    # random directions alone find it too
    assert not check_gradient(rosen, grad, X, coordinates=0).ok


def test_a_coordinate_outside_the_sample_is_found_by_bisection():
    x = np.random.default_rng(1).standard_normal(300)
    check = check_gradient(rosen, wrong_in(217), x, coordinates=2, seed=3)
    assert not check.ok
    assert [row.label for row in check.rows if row.note] == ["x[217]"]
    assert "x[217]" in str(check) and "bisection" in str(check)


def test_the_error_is_that_of_the_wrong_factor():
    assert check_gradient(rosen, lambda x: 1.1 * rosen_der(x), X).worst == pytest.approx(1 / 11)
    check = check_hessp(rosen_der, lambda x, p: 0.9 * rosen_hess_prod(x, p), X)
    assert check.worst == pytest.approx(0.1)


def test_wrong_products_are_found_in_their_component():
    def hessp(x, p):
        out = rosen_hess_prod(x, p)
        out[4] += 0.5 * p[1]
        return out

    check = check_hessp(rosen_der, hessp, X)
    assert not check.ok
    assert any(row.label == "x[1]" and row.note.endswith("component 4") for row in check.rows)
    # not symmetric either
    assert any(row.label.startswith("sym") and row.error > check.tolerance for row in check.rows)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_the_verdict_does_not_depend_on_the_scale_of_f(scale, shift):
    def fun(x):
        return scale * (rosen(x) + shift)

    assert check_gradient(fun, lambda x: scale * rosen_der(x), X).ok
    assert not check_gradient(fun, lambda x: scale * wrong_in(2, 1.01)(x), X).ok


def test_a_constant_function_passes_and_a_gradient_that_it_has_not_fails():
    assert check_gradient(lambda x: 7.0, np.zeros_like, X).ok
    assert not check_gradient(lambda x: 7.0, lambda x: np.full_like(x, 1e-3), X).ok


def test_single_precision():
    problem = problems.get("wood")
    x = (problem.x0 * 1.01).astype(np.float32)
    check = check_gradient(problem.fun, problem.grad, x)
    assert check.ok and check.tolerance == 5e-3
    assert check_hessp(problem.grad, problem.hessp, x).ok
    assert not check_gradient(problem.fun, lambda x: 1.1 * problem.grad(x), x).ok


def test_a_domain_near_by_is_no_error():
    # log is NaN from a distance of 0.05 on
    def fun(x):
        return -float(np.sum(np.log(x)))

    assert check_gradient(fun, lambda x: -1 / x, np.full(3, 0.05)).ok


def test_nan_in_a_derivative_fails():
    def grad(x):
        g = rosen_der(x)
        g[3] = math.nan
        return g

    check = check_gradient(rosen, grad, X)
    assert not check.ok and check.worst == math.inf
    assert [r.label for r in check.rows if r.label[0] == "x" and r.error == math.inf] == ["x[3]"]
    assert not check_hessp(rosen_der, lambda x, p: np.full_like(p, math.nan), X).ok


def test_the_functions_cannot_change_x():
    def spoil(function):
        def spoilt(x, *p):
            value = function(x, *p)
            x[:] = 0
            return value

        return spoilt

    x = X.copy()
    assert check_gradient(spoil(rosen), spoil(rosen_der), x).ok
    assert check_hessp(spoil(rosen_der), spoil(rosen_hess_prod), x).ok
    assert np.array_equal(x, X)


def test_a_reused_output_array_does_no_harm():
    out = np.empty_like(X)

    def grad(x):
        out[:] = rosen_der(x)
        return out

    assert check_gradient(rosen, grad, X).ok
    assert check_hessp(grad, rosen_hess_prod, X).ok


def test_rows_and_table():
    check = check_gradient(rosen, rosen_der, X, directions=3, coordinates=4, seed=5)
    labels = [row.label for row in check.rows]
    assert labels[:3] == ["direction 1", "direction 2", "direction 3"]
    assert labels[3] == "x[0]" and labels[-1] == "x[5]" and len(labels) == 7
    assert str(check).splitlines()[-1].startswith("ok: ")
    failed = str(check_gradient(rosen, wrong_in(0), X))
    assert failed.splitlines()[-1].startswith("FAILED: ") and "FAILS" in failed
    assert max(map(len, failed.splitlines())) <= 100


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("coordinates", [0, 1, 2, 3])
def test_few_variables(n, coordinates):
    def fun(x):
        return float(np.sum(np.exp(x)))

    check = check_gradient(fun, np.exp, np.ones(n), directions=1, coordinates=coordinates)
    assert check.ok and len(check.rows) == 1 + min(n, coordinates)
    assert check_hessp(np.exp, lambda x, p: np.exp(x) * p, np.ones(n), coordinates=coordinates).ok


@pytest.mark.parametrize(
    ("changes", "error", "name"),
    [
        ({"fun": 3}, TypeError, "fun"),
        ({"grad": None}, TypeError, "grad"),
        ({"x": [[1.0]]}, ValueError, "x"),
        ({"x": []}, ValueError, "x"),
        ({"x": [1.0, math.nan]}, ValueError, "x"),
        ({"x": ["a"]}, TypeError, "x"),
        ({"x": [1j]}, TypeError, "x"),
        ({"directions": -1}, ValueError, "directions"),
        ({"directions": 1.5}, TypeError, "directions"),
        ({"coordinates": "all"}, TypeError, "coordinates"),
        ({"coordinates": 0, "directions": 0}, ValueError, "coordinates"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": "x"}, TypeError, "seed"),
        ({"tolerance": 0.0}, ValueError, "tolerance"),
        ({"tolerance": "x"}, TypeError, "tolerance"),
        ({"fun": lambda x: x}, ValueError, "fun"),
        ({"fun": lambda x: math.inf}, ValueError, "fun"),
        ({"grad": lambda x: x[:1]}, ValueError, "grad"),
        ({"grad": lambda x: ["a", "b"]}, TypeError, "grad"),
    ],
)
def test_bad_input_names_the_argument(changes, error, name):
    arguments = {"fun": rosen, "grad": rosen_der, "x": [1.0, 2.0], **changes}
    with pytest.raises(error, match=f"`{name}`"):
        check_gradient(**arguments)


def test_bad_products_name_the_argument():
    with pytest.raises(ValueError, match="`hessp`"):
        check_hessp(rosen_der, lambda x, p: 1.0, X)
    with pytest.raises(TypeError, match="`hessp`"):
        check_hessp(rosen_der, None, X)
    with pytest.raises(ValueError, match="`grad`"):
        check_hessp(lambda x: x * math.nan, rosen_hess_prod, X)


def test_option_of_minimize():
    options = {"check_derivatives": True}
    arguments = {"jac": rosen_der, "hessp": rosen_hess_prod, "options": options}
    result = minimize(rosen, X, **arguments)
    assert result.success
    assert result.nfev == minimize(rosen, X, jac=rosen_der, hessp=rosen_hess_prod).nfev
    with pytest.raises(DerivativeError, match=r"`jac` differs.*most at x\[2\]") as caught:
        minimize(rosen, X, jac=wrong_in(2, 1.5), options=options)
    assert not caught.value.check.ok and "FAILS" in str(caught.value)
    with pytest.raises(DerivativeError, match="`hessp` differs"):
        minimize(rosen, X, **{**arguments, "hessp": lambda x, p: 2 * rosen_hess_prod(x, p)})
    with pytest.raises(DerivativeError, match="`hess` differs"):
        minimize(rosen, X, jac=rosen_der, hess=lambda x: np.eye(6), options=options)

    def joint(x):
        return rosen(x), wrong_in(0)(x)

    with pytest.raises(DerivativeError, match="`jac`"):
        minimize(joint, X, jac=True, options=options)


@pytest.mark.parametrize("start", [1e-3, 1e-5, 1e-6])
def test_the_edge_of_a_domain_is_no_error_and_hides_none(start):
    """x - log x + y^2 from close to x = 0, where the derivatives are large."""

    def fun(x):
        return x[0] - np.log(x[0]) + x[1] ** 2

    def grad(x):
        return np.array([1.0 - 1.0 / x[0], 2.0 * x[1]])

    def hessp(x, p):
        return np.array([p[0] / x[0] ** 2, 2.0 * p[1]])

    x = [start, 1.0]
    assert check_gradient(fun, grad, x).ok
    assert check_hessp(grad, hessp, x).ok
    assert not check_gradient(fun, lambda x: grad(x) * [1.001, 1.0], x).ok
    assert not check_hessp(grad, lambda x, p: 1.001 * hessp(x, p), x).ok


@pytest.mark.parametrize("shift", [1e3, 1e9])
def test_short_steps_that_roundoff_hides_do_not_pass_a_gradient(shift):
    """f does not change along them, as a gradient of zero says."""
    check = check_gradient(lambda x: shift + 3e4 * x.sum(), np.zeros_like, np.ones(3))
    assert not check.ok


@pytest.mark.parametrize("as_float", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_in_single_precision(dtype, as_float):
    """Whatever x is, and also where their value comes as a float of Python."""
    value = float if as_float else np.float32
    fun = lambda x: value(np.float32(rosen(np.asarray(x, np.float32))))  # noqa: E731
    grad = lambda x: rosen_der(np.asarray(x, np.float32))  # noqa: E731
    hessp = lambda x, p: rosen_hess_prod(np.asarray(x, np.float32), p)  # noqa: E731
    x = np.array([-1.2, 1.0], dtype)
    check = check_gradient(fun, grad, x)
    assert check.ok and check.tolerance == 5e-3
    assert check_hessp(grad, hessp, x).ok
    assert not check_gradient(fun, lambda x: grad(x) * np.float32(1.05), x).ok


def test_the_option_is_a_tolerance_too():
    off = lambda x: 1.001 * rosen_der(x)  # noqa: E731
    for tolerance in (1e-2, 1e-4):
        check = {"options": {"check_derivatives": tolerance}}
        if tolerance < 1e-3:
            with pytest.raises(DerivativeError, match=r"0\.0001 passes"):
                minimize(rosen, [-1.2, 1.0], jac=off, **check)
        else:
            minimize(rosen, [-1.2, 1.0], jac=off, **check)
    for wrong in (-1e-3, "yes", np.nan):
        with pytest.raises((TypeError, ValueError), match="check_derivatives"):
            minimize(rosen, [-1.2, 1.0], options={"check_derivatives": wrong})
