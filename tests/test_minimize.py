"""Every method on every classical problem, and what callers of a minimizer expect of it."""

from __future__ import annotations

import inspect
import time

import numpy as np
import pytest
from scipy import optimize, sparse
from scipy.optimize import (
    BFGS,
    OptimizeResult,
    OptimizeWarning,
    rosen,
    rosen_der,
    rosen_hess,
    rosen_hess_prod,
)
from scipy.sparse.linalg import aslinearoperator

import quasinewton as qn
from quasinewton import Status, minimize, problems
from quasinewton.methods import METHODS, QUASI_NEWTON

SCIPY_FACES = [getattr(qn, name) for name in METHODS]
X0 = np.array([-1.2, 1.0, 0.7])
# SciPy before 1.15 calls it seed.
RNG = "rng" if "rng" in inspect.signature(optimize.basinhopping).parameters else "seed"
VARIANTS = [
    *[(m, {}) for m in METHODS],
    ("trust_cg", {"enriched": False}),
    ("trust_hybrid", {"weight_rule": "ranganath"}),
    ("arc_lsr1", {"norm": "euclidean"}),
    ("arc_lsr1", {"weight_rule": "ranganath"}),
    ("arc_lsr1", {"memory": 3}),
]


def at_limits(result, options):
    """The status tells the truth."""
    status = Status(result.status)
    if status is Status.MAXITER:
        return result.nit >= options["maxiter"]
    return status in (Status.PRECISION, Status.UNBOUNDED)


@pytest.mark.parametrize("name", problems.names())
@pytest.mark.parametrize(("method", "options"), VARIANTS)
def test_gradient_is_small_or_the_status_says_why(method, options, name):
    p = problems.get(name)
    options = {"gtol": 1e-6, "grtol": 1e-8, "maxiter": 400, **options}
    hessp = p.hessp if method == "trust_cg" else None
    with np.errstate(all="ignore"):
        r = minimize(p.fun, p.x0, jac=p.grad, hessp=hessp, method=method, options=options)
        f, g = p.fun(r.x), p.grad(r.x)
    assert r.fun == f
    assert np.array_equal(r.jac, g)
    assert r.optimality == np.abs(g).max()
    assert r.fun <= p.fun(p.x0)
    if r.success:
        tolerance = max(1e-6, 1e-8 * np.abs(p.grad(p.x0)).max())
        assert r.status == 0
        assert np.abs(g).max() <= tolerance
    else:
        assert at_limits(r, options)


def solved(method, **options):
    count = 0
    for name in problems.names():
        p = problems.get(name)
        with np.errstate(all="ignore"):
            r = minimize(
                p.fun, p.x0, jac=p.grad, hessp=p.hessp if method == "trust_cg" else None,
                method=method, options={"gtol": 1e-6, "grtol": 1e-6, "maxiter": 2000, **options},
            )  # fmt: skip
        count += r.success
    return count / len(problems.names())


@pytest.mark.parametrize("method", METHODS)
def test_most_classical_problems_are_solved(method):
    assert solved(method) >= 0.95


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 10, 60])  # at 60 the pairs do not span the space
def test_rotation_changes_only_roundoff(method, n):
    rng = np.random.default_rng(n)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    x0 = rng.standard_normal(n)
    options = {"maxiter": 12, "gtol": 0.0, "history": True, "memory": 5 if n == 60 else 2 * n + 5}

    def hessp(x, p):
        return rosen_hess_prod(x, p)

    plain = minimize(rosen, x0, jac=rosen_der, hessp=hessp, method=method, options=options)
    turned = minimize(
        lambda z: rosen(q @ z), q.T @ x0, jac=lambda z: q.T @ rosen_der(q @ z),
        hessp=lambda z, p: q.T @ rosen_hess_prod(q @ z, q @ p), method=method, options=options,
    )  # fmt: skip
    assert np.allclose(plain.history["fun"], turned.history["fun"], rtol=1e-6)
    assert np.allclose(q @ turned.x, plain.x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 60])
@pytest.mark.parametrize(("scale_f", "scale_x"), [(498, 0), (-498, 0), (0, 300), (0, -300)])
def test_extreme_scales(method, n, scale_f, scale_x):
    """f and x multiplied by powers of two up to 1e150: the path is the same, but for roundoff."""
    x0 = np.where(np.arange(n) % 2 == 0, 1.2, 0.9)

    def scaled(f, x):
        def fun(z):
            return f * rosen(z / x)

        def jac(z):
            return f * rosen_der(z / x) / x

        def hessp(z, p):
            return f * rosen_hess_prod(z / x, p / x) / x

        options = {"gtol": 0.0, "grtol": 1e-8, "maxiter": 3000, "history": True}
        return minimize(fun, x0 * x, jac=jac, hessp=hessp, method=method, options=options)

    plain, r = scaled(1.0, 1.0), scaled(2.0**scale_f, 2.0**scale_x)
    assert plain.success and r.success
    assert np.allclose(r.x / 2.0**scale_x, 1.0, atol=1e-4)
    assert np.allclose(r.history["fun"][:8] / 2.0**scale_f, plain.history["fun"][:8], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_affine_function_ends_with_a_true_message(method):
    c = np.array([1.0, -2.0, 0.5])
    r = minimize(
        lambda x: c @ x, np.zeros(3), jac=lambda x: c, hessp=lambda x, p: 0 * p, method=method,
        options={"maxiter": 5000},
    )  # fmt: skip
    assert not r.success
    assert r.status == Status.UNBOUNDED and "unbounded" in r.message
    assert np.isfinite(r.x).all()
    assert r.fun < -1e50


# --- SciPy's face ---------------------------------------------------------------------


@pytest.mark.parametrize("face", SCIPY_FACES)
@pytest.mark.parametrize("n", [2, 10, 1000])
def test_through_scipy(face, n):
    x0 = np.full(n, 1.3)
    x0[::2] = 0.7
    kept = x0.copy()
    hessp = rosen_hess_prod if face is qn.trust_cg else None
    r = optimize.minimize(
        rosen, x0, jac=rosen_der, hessp=hessp, method=face, options={"gtol": 1e-8}
    )
    assert isinstance(r, OptimizeResult)
    assert r.success and r.status == 0
    assert np.abs(rosen_der(r.x)).max() <= 1e-8
    assert np.array_equal(x0, kept)
    for field in ("x", "fun", "jac", "success", "status", "message", "nit", "nfev", "njev"):
        assert field in r
    assert r.message == "Optimization terminated successfully."


@pytest.mark.parametrize("face", SCIPY_FACES)
def test_tol_and_callable_method_in_our_own_minimize(face):
    r = minimize(rosen, X0, jac=rosen_der, method=face, tol=1e-9)
    assert r.success and r.method == face.__name__
    assert np.abs(rosen_der(r.x)).max() <= 1e-9
    r = optimize.minimize(rosen, X0, jac=rosen_der, method=face, tol=1e-9)
    assert np.abs(rosen_der(r.x)).max() <= 1e-9


def test_a_foreign_callable_method_is_called_by_the_protocol():
    def foreign(fun, x0, args=(), **kwargs):
        return OptimizeResult(x=x0, fun=fun(x0, *args), seen=kwargs)

    r = minimize(lambda x, a: a, [1.0], args=(3.0,), method=foreign, options={"answer": 42})
    assert r.fun == 3.0 and r.seen["answer"] == 42


@pytest.mark.parametrize("face", SCIPY_FACES)
def test_basinhopping(face):
    r = optimize.basinhopping(
        lambda x: np.cos(3 * x[0]) + x[0] ** 2 / 5 + x[1] ** 2, [2.0, 1.0], niter=15,
        minimizer_kwargs={"method": face}, **{RNG: 1},
    )  # fmt: skip
    assert r.fun == pytest.approx(-0.790022, abs=1e-5)


def test_dual_annealing():
    r = optimize.dual_annealing(  # which hands over its bounds
        lambda x: np.sum(x**2), [(-2, 2)] * 2, maxiter=20,
        minimizer_kwargs={"method": qn.arc_lsr1}, **{RNG: 1},
    )  # fmt: skip
    assert r.fun < 1e-8


@pytest.mark.parametrize("face", SCIPY_FACES)
def test_constraints_warn_in_scipys_words_and_bounds_do_not(face):
    with pytest.warns(RuntimeWarning, match="cannot handle constraints"):
        optimize.minimize(
            rosen, X0, jac=rosen_der, method=face,
            constraints={"type": "ineq", "fun": lambda x: x[0]},
        )  # fmt: skip
    optimize.minimize(rosen, X0, jac=rosen_der, method=face, bounds=[(None, None)] * 3)


# --- what the user gives --------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("jac", [rosen_der, None, False, "2-point", "3-point", "cs", True])
def test_forms_of_jac(method, jac):
    calls = 0

    def fun(x):
        nonlocal calls
        calls += 1
        return (rosen(x), rosen_der(x)) if jac is True else rosen(x)

    r = minimize(fun, X0, jac=jac, method=method, options={"gtol": 1e-4})
    assert r.success
    assert r.nfev == calls
    assert np.abs(rosen_der(r.x)).max() <= 1e-3


@pytest.mark.parametrize(
    "given",
    [
        {"hessp": rosen_hess_prod},
        {"hess": rosen_hess},
        {"hess": lambda x: sparse.csr_array(rosen_hess(x))},
        {"hess": lambda x: aslinearoperator(rosen_hess(x))},
        {"hess": BFGS()},
        {"hess": "2-point"},
        {"hess": "3-point"},
        {},
    ],
    ids=["hessp", "array", "sparse", "operator", "BFGS", "2-point", "3-point", "none"],
)
def test_sources_of_products(given):
    r = minimize(rosen, X0, jac=rosen_der, method="trust_cg", tol=1e-7, **given)
    assert r.success
    assert np.allclose(r.x, 1.0, atol=1e-4)
    by_user = "hessp" in given or callable(given.get("hess"))
    assert (r.nhev > 0) == by_user


def test_a_constant_matrix_as_hess():
    h = np.diag([1.0, 10.0])
    r = minimize(
        lambda x: 0.5 * x @ h @ x, [3.0, 1.0], jac=lambda x: h @ x, hess=h, method="trust_cg"
    )
    assert r.success and np.allclose(r.x, 0, atol=1e-5)


def test_default_methods():
    assert minimize(rosen, X0, jac=rosen_der).method != "trust_cg"
    assert minimize(rosen, X0, jac=rosen_der, hessp=rosen_hess_prod).method == "trust_cg"
    assert minimize(rosen, X0, jac=rosen_der, hess=rosen_hess).method == "trust_cg"


@pytest.mark.parametrize("method", METHODS)
def test_args_reach_every_function(method):
    def fun(x, a, b):
        return a * np.sum((x - b) ** 2)

    r = minimize(
        fun, np.zeros(4), args=(3.0, 2.0), jac=lambda x, a, b: 2 * a * (x - b),
        hessp=lambda x, p, a, b: 2 * a * p, method=method,
    )  # fmt: skip
    assert np.allclose(r.x, 2.0)
    r = minimize(lambda x, a: np.sum((x - a) ** 2), np.zeros(2), args=5.0, method=method)
    assert np.allclose(r.x, 5.0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("x0", [2.0, [2.0], (2, 3), np.array([1, 2, 3]), np.float32([1, 2])])
def test_forms_of_x0(method, x0):
    r = minimize(lambda x: float(np.sum(x**4 + x**2)), x0, jac=lambda x: 4 * x**3 + 2 * x,
                 method=method, tol=1e-4)  # fmt: skip
    assert r.success and r.x.ndim == 1
    assert r.x.dtype == (np.float32 if getattr(x0, "dtype", None) == np.float32 else float)


@pytest.mark.parametrize("method", METHODS)
def test_float32_stays_float32(method):
    seen = set()

    def fun(x):
        seen.add(x.dtype)
        return rosen(x)

    x0 = np.full(60, 0.8, np.float32)
    r = minimize(fun, x0, jac=lambda x: rosen_der(x).astype(x.dtype), method=method, tol=1e-2)
    assert seen == {np.dtype(np.float32)}
    assert r.x.dtype == r.jac.dtype == np.float32
    assert r.success


# --- callback, limits, records --------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_callback_forms(method):
    points, results = [], []

    def by_position(xk):
        points.append(xk)
        xk[:] = np.nan  # a copy: may be changed

    def by_keyword(*, intermediate_result):
        results.append(intermediate_result)

    r1 = minimize(rosen, X0, jac=rosen_der, method=method, callback=by_position)
    r2 = minimize(rosen, X0, jac=rosen_der, method=method, callback=by_keyword)
    assert r1.success and len(points) == r1.nit
    assert np.array_equal(results[-1].x, r2.x) and results[-1].fun == r2.fun
    assert [s.nit for s in results] == list(range(1, r2.nit + 1))


@pytest.mark.parametrize("method", METHODS)
def test_stop_iteration(method):
    def stop(intermediate_result):
        if intermediate_result.nit == 3:
            raise StopIteration

    r = minimize(rosen, X0, jac=rosen_der, method=method, callback=stop)
    assert r.status == 99 and not r.success and r.nit == 3
    assert r.message == "`callback` raised `StopIteration`."


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"maxiter": 4}, Status.MAXITER),
        ({"maxiter": 0}, Status.MAXITER),
        ({"maxfev": 5}, Status.MAXFEV),
        ({"f_target": 1.0}, Status.F_TARGET),
        ({"maxtime": 0.0}, Status.MAXTIME),
        ({"xtol": 10.0}, Status.XTOL),
        ({"ftol": 1.0}, Status.FTOL),
    ],
)
def test_limits(method, options, status):
    seen = []

    def fun(x):
        seen.append(rosen(x))
        return seen[-1]

    r = minimize(fun, X0, jac=rosen_der, method=method, options=options)
    assert r.status == status and not r.success
    assert r.fun == min(seen) == rosen(r.x)
    if "maxfev" in options:
        assert r.nfev <= 5
    if "maxiter" in options:
        assert r.nit == options["maxiter"]
    if "f_target" in options:
        assert r.fun <= 1.0


def test_limits_hold_between_products():
    n = 50
    x0 = np.sin(np.arange(n) + 1.0)

    def slow(x, p):
        time.sleep(0.02)
        return rosen_hess_prod(x, p)

    r = minimize(rosen, x0, jac=rosen_der, hessp=slow, options={"maxtime": 0.1})
    assert r.status == Status.MAXTIME and r.nhev <= 6
    r = minimize(rosen, x0, method="trust_cg", options={"maxfev": 300})
    assert r.status == Status.MAXFEV
    assert r.nfev <= 300 + n + 1  # one gradient by differences may be under way


@pytest.mark.parametrize("method", METHODS)
def test_grtol_is_relative_to_the_start(method):
    r = minimize(rosen, X0, jac=rosen_der, method=method, options={"gtol": 0, "grtol": 1e-3})
    assert r.success
    assert np.abs(r.jac).max() <= 1e-3 * np.abs(rosen_der(X0)).max()


@pytest.mark.parametrize("method", METHODS)
def test_records(method):
    r = minimize(rosen, X0, jac=rosen_der, method=method,
                 options={"history": True, "return_all": True})  # fmt: skip
    h = r.history
    assert len(h["fun"]) == r.nit + 1
    assert h["fun"][-1] == r.fun and h["nfev"][-1] == r.nfev
    assert np.all(np.diff(h["fun"]) <= 1e-12)
    assert len(r.allvecs) == 1 + int(np.sum(h["accepted"]))
    assert np.array_equal(r.allvecs[0], X0) and np.array_equal(r.allvecs[-1], r.x)


@pytest.mark.parametrize("method", QUASI_NEWTON)
@pytest.mark.parametrize("n, memory", [(2, 9), (40, 4)])
def test_recorded_spectra_are_those_of_runs_ended_there(method, n, memory):
    x0 = np.linspace(-1.0, 1.0, n)

    def solve(**options):
        return minimize(rosen, x0, jac=rosen_der, method=method,
                        options={"memory": memory, **options})  # fmt: skip

    whole = solve(history="spectrum")
    h = whole.history
    assert h["eigenvalues"].shape == (whole.nit + 1, min(n, 2 * memory))
    assert h["gamma"].shape == (whole.nit + 1,)
    for k in (0, 1, 5, 12):
        lam, gamma = solve(maxiter=k).hess.eigenvalues()
        row = h["eigenvalues"][k]
        assert np.array_equal(row[: lam.size], lam) and np.isnan(row[lam.size :]).all()
        assert h["gamma"][k] == gamma


def test_the_spectrum_needs_a_model():
    with pytest.raises(ValueError, match=r"`history`.*trust_cg"):
        minimize(rosen, X0, jac=rosen_der, method="trust_cg", options={"history": "spectrum"})
    with pytest.raises(ValueError, match=r"`history`.*'spectra'"):
        minimize(rosen, X0, jac=rosen_der, options={"history": "spectra"})


@pytest.mark.parametrize("method", METHODS)
def test_verbose_table(method, capsys):
    minimize(rosen, X0, jac=rosen_der, method=method, options={"verbose": 3})
    out = capsys.readouterr().out
    assert "max|g|" in out and "Optimization terminated successfully." in out
    minimize(rosen, X0, jac=rosen_der, method=method, options={"disp": True})
    out = capsys.readouterr().out
    assert "Gradient evaluations" in out and "max|g|" not in out
    minimize(rosen, X0, jac=rosen_der, method=method)
    assert capsys.readouterr().out == ""


# --- trouble --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_infinite_outside_a_region(method):
    def barrier(x):
        inside = 1 - x @ x
        return -np.log(inside) - 5 * x[0] if inside > 0 else np.inf

    def gradient(x):
        return 2 * x / (1 - x @ x) - np.array([5.0, 0.0])

    r = minimize(barrier, [0.0, 0.3], jac=gradient, method=method, tol=1e-8)
    assert r.success
    assert r.x[0] == pytest.approx((np.sqrt(26) - 1) / 5, abs=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_at_the_start(method, bad):
    r = minimize(lambda x: bad, X0, jac=rosen_der, method=method)
    assert r.status == Status.NONFINITE_START and r.nfev == 1 and r.nit == 0
    r = minimize(rosen, X0, jac=lambda x: np.full(3, bad), method=method)
    assert r.status == Status.NONFINITE_START
    r = minimize(rosen, [0.0, bad], jac=rosen_der, method=method)
    assert r.status == Status.NONFINITE_START and r.nfev == 0
    assert "not finite" in r.message


@pytest.mark.parametrize("method", METHODS)
def test_gradient_not_finite_on_the_way(method):
    def gradient(x):
        g = rosen_der(x)
        return g * np.nan if np.abs(x - 1).max() > 2.0 else g

    r = minimize(rosen, [-0.9, 0.9], jac=gradient, method=method)
    assert r.success


@pytest.mark.parametrize("method", METHODS)
def test_start_at_a_minimum(method):
    r = minimize(rosen, np.ones(3), jac=rosen_der, method=method)
    assert r.success and r.nit == 0 and r.nfev == 1
    r = minimize(lambda x: 1.0, np.ones(3), jac=np.zeros_like, method=method,
                 options={"gtol": 0.0})  # fmt: skip
    assert r.success and r.nit == 0


BAD = [
    ({"fun": 3}, TypeError, "fun"),
    ({"x0": "abc"}, TypeError, "x0"),
    ({"x0": [1j, 2]}, TypeError, "x0"),
    ({"x0": [[1.0, 2.0], [3.0, 4.0]]}, ValueError, "x0"),
    ({"x0": [[1.0], [2.0, 3.0]]}, ValueError, "x0"),
    ({"x0": []}, ValueError, "x0"),
    ({"x0": [None, 1.0]}, TypeError, "x0"),
    ({"jac": 7}, TypeError, "jac"),
    ({"jac": "4-point"}, ValueError, "jac"),
    ({"hessp": 7}, TypeError, "hessp"),
    ({"hess": 7}, TypeError, "hess"),
    ({"hess": "secant"}, ValueError, "hess"),
    ({"callback": 7}, TypeError, "callback"),
    ({"method": "newton"}, ValueError, "arc_lsr1"),
    ({"method": 7}, TypeError, "method"),
    ({"tol": -1.0}, ValueError, "gtol"),
    ({"options": {"gtol": "small"}}, TypeError, "gtol"),
    ({"options": {"gtol": np.nan}}, ValueError, "gtol"),
    ({"options": {"grtol": -1}}, ValueError, "grtol"),
    ({"options": {"memory": 0}}, ValueError, "memory"),
    ({"options": {"memory": 2.5}}, TypeError, "memory"),
    ({"options": {"maxiter": -1}}, ValueError, "maxiter"),
    ({"options": {"maxfev": 0}}, ValueError, "maxfev"),
    ({"options": {"norm": "max"}}, ValueError, "norm"),
    ({"options": {"weight_rule": "none"}}, ValueError, "weight_rule"),
    ({"options": {"initial_trust_radius": 0}}, ValueError, "initial_trust_radius"),
    ({"options": {"rule_parameters": {"nonsense": 1}}}, TypeError, "nonsense"),
]


@pytest.mark.parametrize(("change", "error", "word"), BAD)
def test_bad_input_is_named_before_any_work(change, error, word):
    calls = []

    def fun(x):
        calls.append(x)
        return rosen(x)

    given = {"fun": fun, "x0": X0, "jac": rosen_der, **change}
    with pytest.raises(error, match=word):
        minimize(**given)
    assert not calls


@pytest.mark.parametrize("method", METHODS)
def test_wrong_shapes_are_named_at_the_first_call(method):
    with pytest.raises(ValueError, match=r"gradient must have shape \(3,\), got \(4,\)"):
        minimize(rosen, X0, jac=lambda x: np.ones(4), method=method)
    with pytest.raises(ValueError, match="scalar"):
        minimize(lambda x: x, X0, jac=rosen_der, method=method)
    with pytest.raises(ValueError, match="jac"):
        minimize(rosen, X0, jac=True, method=method)
    with pytest.raises(TypeError, match="complex"):
        minimize(rosen, X0, jac=lambda x: 1j * x, method=method)


def test_wrong_products_are_named():
    with pytest.raises(ValueError, match="product must have shape"):
        minimize(rosen, X0, jac=rosen_der, hessp=lambda x, p: np.ones(2))
    with pytest.raises(ValueError, match="Hessian must have shape"):
        minimize(rosen, X0, jac=rosen_der, hess=lambda x: np.ones((2, 2)))


def test_unknown_options_warn():
    with pytest.warns(OptimizeWarning, match="Unknown solver options: frobnicate"):
        minimize(rosen, X0, jac=rosen_der, options={"frobnicate": 1})
    r = minimize(rosen, X0, jac=rosen_der, options={"maxcor": 4})
    assert r.hess.model.memory == 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("where", ["fun", "jac", "callback"])
def test_exceptions_of_the_user_bring_the_best_point(method, error, where):
    if (error, where) == (StopIteration, "callback"):
        return  # that is how a callback ends a run
    seen = []

    def raise_at(place, k):
        if place == where and k >= 6:
            raise error("mine")

    def fun(x):
        seen.append(rosen(x))
        raise_at("fun", len(seen))
        return seen[-1]

    def jac(x):
        raise_at("jac", len(seen))
        return rosen_der(x)

    def callback(x):
        raise_at("callback", len(seen))

    x0 = np.full(3, 1.3)
    with pytest.raises(error, match="mine") as caught:
        minimize(fun, x0, jac=jac, method=method, callback=callback)
    result = caught.value.result
    assert result.status == Status.EXCEPTION and not result.success
    finished = seen[:-1] if where == "fun" else seen
    assert result.fun == min(finished) == rosen(result.x)
    assert "best point so far" in caught.value.__notes__[0]


def test_an_exception_at_the_first_call_comes_through():
    def fun(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        minimize(fun, X0, jac=rosen_der)
    assert np.array_equal(caught.value.result.x, X0)


def test_large_scale_memory_and_progress():
    n = 200_000
    x0 = np.full(n, 0.5)
    r = minimize(rosen, x0, jac=rosen_der, options={"memory": 10, "maxiter": 10})
    assert r.nit == 10 and r.fun < rosen(x0)
    assert r.hess.model.rows.shape == (20, n)


def test_verbose_goes_to_the_logger_or_to_stdout_but_not_to_both(capsys, caplog):
    arguments = {"jac": rosen_der, "options": {"verbose": 3}}
    minimize(rosen, [-1.2, 1.0], **arguments)
    printed = capsys.readouterr().out.splitlines()
    assert "max|g|" in printed[0] and not caplog.records
    with caplog.at_level("INFO", logger="quasinewton"):
        minimize(rosen, [-1.2, 1.0], **arguments)
    assert capsys.readouterr().out == ""
    assert [record.getMessage() for record in caplog.records] == printed


@pytest.mark.parametrize("columns", [100, 80, 60, 30])
def test_the_table_of_iterations_fits_the_terminal(columns, monkeypatch, capsys):
    """Columns go, digits stay."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    minimize(rosen, [-1.2, 1.0], jac=rosen_der, options={"verbose": 3})
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert max(len(head), len(first)) <= max(columns, 34)
    assert "2.42000000e+01" in first and len(head.split()) == len(first.split())
    assert len(head.split()) == 8 or columns < 80
