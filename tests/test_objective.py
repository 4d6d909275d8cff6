"""Values, gradients and Hessians in the forms in which users bring them; differences."""

from __future__ import annotations

import fractions

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod

from quasinewton import Solver, Status, minimize
from quasinewton.methods import METHODS
from quasinewton.objective import Objective, check_gradient

X0 = np.array([-1.2, 1.0, 0.7])


def columns(v):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"g": v})


def series(v):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(v, list("abc"))


FORMS = {
    "(n, 1)": lambda v: v[:, None],
    "(1, n)": lambda v: v[None, :],
    "(1, n, 1)": lambda v: v[None, :, None],
    "list of arrays": lambda v: [np.array([e]) for e in v],
    "matrix": np.matrix,
    "DataFrame": columns,
    "Series": series,
    "Fractions": lambda v: [fractions.Fraction(float(e)) for e in v],
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_gradients_and_products_in_a_row_or_a_column(form):
    for method, given in (("trust_hybrid", {}), ("trust_cg", {"hessp": 1}), ("trust_cg", {})):
        def hessp(x, p):
            return form(rosen_hess_prod(x, p))

        plain = minimize(rosen, X0, jac=rosen_der, method=method,
                         **{k: rosen_hess_prod for k in given})  # fmt: skip
        r = minimize(rosen, X0, jac=lambda x: form(rosen_der(x)), method=method,
                     **{k: hessp for k in given})  # fmt: skip
        assert np.array_equal(r.x, plain.x) and r.nfev == plain.nfev
        both = minimize(lambda x: (rosen(x), form(rosen_der(x))), X0, jac=True, method=method,
                        options={"check_derivatives": True})  # fmt: skip
        assert both.success
    assert check_gradient(rosen, lambda x: form(rosen_der(x)), X0).ok


def test_as_many_numbers_in_another_shape_are_refused():
    for wrong in (lambda x: np.ones((2, 2)), lambda x: [np.ones(2), np.ones(2)]):
        with pytest.raises(ValueError, match=r"gradient must have shape \(4,\), got \(2, 2\)"):
            minimize(rosen, np.zeros(4), jac=wrong)


ONE = [lambda v: v, lambda v: np.array(v), lambda v: np.array([v]), lambda v: np.array([[v]])]


@pytest.mark.parametrize("method", [*METHODS, None])
@pytest.mark.parametrize("form", ONE, ids=["number", "()", "(1,)", "(1, 1)"])
def test_one_variable(method, form):
    """f = (x - 1)^4 + x^2, whose gradient is zero at 0.41024549..."""

    def fun(x):
        return float((x[0] - 1) ** 4 + x[0] ** 2)

    def jac(x):
        return form(4 * (x[0] - 1) ** 3 + 2 * x[0])

    def second(x):
        return 12 * (x[0] - 1) ** 2 + 2

    options = {"check_derivatives": True, "gtol": 1e-8}
    by_hess = {"hess": lambda x: form(second(x))}
    by_products = {"hessp": lambda x, p: form(second(x) * p[0])}
    for given in ({}, by_hess, by_products):
        if method not in (None, "trust_cg") and given:
            continue
        with np.errstate(all="ignore"):
            r = minimize(fun, 5.0, jac=jac, method=method, options=options, **given)
        assert r.success and r.x.shape == (1,) and abs(r.x[0] - 0.4102454876985) < 1e-8


def test_a_solver_of_one_variable_is_told_numbers():
    solver = Solver(3.0)
    while solver.running:
        x = solver.ask()
        solver.tell(x * x, 2 * x[0])
    assert solver.result().success


def test_x0_of_dtype_object():
    for x0 in (np.array([-1.2, 1], object), [fractions.Fraction(1, 2), 1.0]):
        r = minimize(rosen, x0, jac=rosen_der)
        assert r.success and r.x.dtype == np.float64
    for bad in ([None, 1.0], ["1", 2.0], [1j, fractions.Fraction(1)], [[1.0], 2.0]):
        with pytest.raises((TypeError, ValueError), match="`x0` must"):
            minimize(rosen, np.array(bad, object), jac=rosen_der)


# --- differences ---------------------------------------------------------------------


def himmelblau(p):
    """In the precision of p."""
    return (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2


def himmelblau_der(p):
    a, b = p[0] ** 2 + p[1] - 11, p[0] + p[1] ** 2 - 7
    return np.array([4 * a * p[0] + 2 * b, 2 * a + 4 * b * p[1]])


def single(x):
    """In single precision, whatever x is in."""
    return himmelblau(np.asarray(x, np.float32))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("jac", [None, "2-point", "3-point"])
@pytest.mark.parametrize(("fun", "dtype"), [(himmelblau, np.float32), (single, np.float64)])
def test_single_precision_without_a_gradient(method, jac, fun, dtype):
    """Steps as long as that precision demands: no gradients of noise."""
    seen = set()

    def spy(x):
        seen.add(x.dtype)
        return fun(x)

    start = np.array([1.1, 1.3], dtype)
    r = minimize(spy, start, jac=jac, method=method)
    first = minimize(fun, start, jac=jac, method=method, options={"maxiter": 0})
    exact = himmelblau_der(start.astype(float))
    assert np.allclose(first.jac, exact, rtol=1e-2 if jac == "2-point" else 1e-3)
    assert seen == {np.dtype(dtype)} and r.x.dtype == dtype
    assert himmelblau(r.x.astype(float)) < (1e-3 if jac == "2-point" else 1e-5)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_products_by_differences_of_gradients_of_low_precision(kind):
    objective = Objective(rosen, X0, jac=lambda x: rosen_der(x).astype(kind))
    d = np.array([0.3, -0.5, 0.2])
    g = rosen_der(X0).astype(kind).astype(float)
    product, exact = objective.product(X0, g, d, 0), rosen_hess(X0) @ d
    error = np.linalg.norm(product - exact) / np.linalg.norm(exact)
    assert error < 30 * np.sqrt(np.finfo(kind).eps)
    again = objective.product(X0, g, d, 0)
    assert np.array_equal(again, product) and objective.counts.njev == 3  # it knows by then


def test_single_precision_of_other_libraries():
    for name in ("jax.numpy", "torch"):
        library = pytest.importorskip(name)

        def fun(x, library=library):
            return himmelblau(library.asarray(np.asarray(x, np.float32)))

        r = minimize(fun, [1.1, 1.3])
        assert himmelblau(r.x) < 1e-5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("jac", [True, None])
def test_single_precision_without_a_minimum(method, jac):
    """f is finite wherever x is, since it is computed in double precision."""

    def value(x):
        return -float(np.sqrt(1.0 + x.astype(np.float64) ** 2).sum())

    def both(x):
        return value(x), -x / np.sqrt(1.0 + x.astype(np.float64) ** 2)

    r = minimize(both if jac else value, np.float32([1.0, -2.0]), jac=jac, method=method)
    assert r.status == Status.UNBOUNDED


SCALES = np.array([1e-6, 1e3])


def scaled(x):
    """A third derivative shows the length of the steps."""
    return float((np.exp(x / SCALES) - x / SCALES).sum())


def scaled_der(x):
    return (np.exp(x / SCALES) - 1.0) / SCALES


def scaled_hess(x):
    return np.diag(np.exp(x / SCALES) / SCALES**2)


@pytest.mark.parametrize(
    ("options", "jac"),
    [({"eps": 1e-7 * SCALES}, None), ({"finite_diff_rel_step": [1e-7, 1e-7]}, None),
     ({"finite_diff_rel_step": [1e-5, 1e-5]}, "3-point")],
)  # fmt: skip
def test_steps_for_each_variable(options, jac):
    x = 2.0 * SCALES
    r = minimize(scaled, x, jac=jac, options={**options, "maxiter": 0})
    assert np.allclose(r.jac, scaled_der(x), rtol=1e-5)
    steps = {"rel_step": options.get("finite_diff_rel_step"), "abs_step": options.get("eps")}
    objective = Objective(scaled, x, jac=jac, **steps)
    objective.fun(x)
    for d in SCALES * np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]):
        product = objective.product(x, objective.gradient(), d, 0)
        assert np.allclose(SCALES * product, SCALES * (scaled_hess(x) @ d), atol=1e-2)


def test_products_of_gradients_by_steps_for_each_variable():
    x = 2.0 * SCALES
    objective = Objective(scaled, x, jac=scaled_der, rel_step=[1e-7, 1e-7])
    for d in SCALES * np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]):
        product = objective.product(x, scaled_der(x), d, 0)
        assert np.allclose(SCALES * product, SCALES * (scaled_hess(x) @ d), atol=1e-4)


def test_eps_is_the_step_of_forward_differences_alone():
    """As in SciPy: a string as `jac`, or relative steps, leave it out."""
    def points(**given):
        seen = []
        minimize(lambda x: seen.append(x) or float(x @ x), [1.0, 2.0], **given)
        return np.array(seen[1:]) - [1.0, 2.0]

    only = {"maxfev": 3}
    assert np.allclose(points(options={"eps": 0.25, **only}), 0.25 * np.eye(2))
    assert np.allclose(points(options={"eps": [0.5, 0.25], **only}), np.diag([0.5, 0.25]))
    relative = {"finite_diff_rel_step": 0.125}
    assert np.allclose(points(options={"eps": 0.25, **relative, **only}), np.diag([0.125, 0.25]))
    assert np.abs(points(jac="2-point", options={"eps": 0.25, **only})).max() < 1e-6
