"""Messages: each says what was seen, or what was meant and how to say it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import OptimizeWarning, rosen, rosen_der

import quasinewton
from quasinewton import Solver, Status, minimize
from quasinewton.solver.advice import Rejections

X0 = [-1.2, 1.0]


def wrong(x):
    return rosen_der(x) * [1.0, -1.0]


def single(x):
    return float(np.float32(1.0 + rosen(np.asarray(x, np.float32))))


@pytest.mark.parametrize("method", ["trust_hybrid", "arc_lsr1", "trust_cg"])
@pytest.mark.parametrize(
    ("fun", "jac", "n", "word"),
    [
        (rosen, wrong, 2, "check_derivatives"),
        ("noisy", rosen_der, 10, "noise"),
        (single, rosen_der, 10, "precision than x|noise"),
    ],
)
def test_a_run_that_got_stuck_says_what_it_saw(fun, jac, n, word, method):
    if fun == "noisy":
        rng = np.random.default_rng(0)
        fun = lambda x: rosen(x) + 1e-4 * rng.standard_normal()  # noqa: E731
    x0 = X0 if n == 2 else np.linspace(-1.0, 1.0, n)
    result = minimize(fun, x0, jac=jac, method=method, options={"gtol": 1e-9})
    assert result.status in (Status.PRECISION, Status.MAXITER)
    assert re.search(word, result.message)


def test_a_run_to_the_last_digit_and_one_of_differences():
    x0 = np.linspace(-1.0, 1.0, 10)

    def tilted(x):  # no point that numbers can name has a gradient of 0
        return rosen(x) + 0.1 * x.sum(), rosen_der(x) + 0.1

    exact = minimize(tilted, x0, jac=True, method="trust_cg", options={"gtol": 1e-300})
    assert exact.status == Status.PRECISION and "rounding" in exact.message
    coarse = minimize(rosen, X0, method="arc_lsr1", options={"gtol": 1e-300})
    assert coarse.status == Status.PRECISION and "give `jac`" in coarse.message


def test_what_is_seen_is_saved(tmp_path):
    """A run that moves to another process ends with the same words."""
    solver = Solver(X0)
    for state in solver.run(rosen, wrong):
        if state.nit == 20:
            break
    solver.save(tmp_path / "run.npz")
    moved = Solver.load(tmp_path / "run.npz")
    ends = []
    for one in (solver, moved):
        for _ in one.run(rosen, wrong):
            pass
        ends.append(one.result())
    assert ends[0].message == ends[1].message and "check_derivatives" in ends[0].message


def rejected(*trials, f=1.0, g_norm=1.0, x_norm=1.0):
    """What is made of trials at these lengths and changes of f, rejected in a row."""
    seen = Rejections()
    for step, change in trials:
        seen.note(step, f, f + change, g_norm, x_norm, 2.0**-52)
    return seen


def test_rejections_that_curvature_explains_are_no_fault():
    """f = x^2 / 2 + g x with steps that are too long by far: up to where they are right."""
    steps = 10.0 ** -np.arange(8.0)
    seen = rejected(*[(s, 1e6 * s**2 / 2 - s) for s in steps if 1e6 * s / 2 > 1.0])
    assert (seen.jumps, seen.flat, seen.rises) == (0, 0, 0) and seen.total == 6
    assert "scaling" in seen.advice(Status.MAXITER, 10, 1.0, False)
    assert seen.advice(Status.MAXITER, 100, 1.0, False) == ""
    assert seen.advice(Status.CONVERGED, 6, 1.0, False) == ""


def test_rejections_that_it_does_not_explain():
    steps = 10.0 ** -np.arange(8.0)
    advice = {
        "check_derivatives": rejected(*[(s, 0.5 * s) for s in steps]),
        "noise": rejected(*[(s, 1e-3) for s in steps]),
        "precision than x": rejected(*[(s, 0.0) for s in steps]),
        "not finite": rejected(*[(s, np.inf) for s in steps]),
    }
    for word, seen in advice.items():
        assert word in seen.advice(Status.PRECISION, 8, 1.0, False), word
        same = Rejections(*seen.saved())
        assert same.advice(Status.PRECISION, 8, 1.0, False) == seen.advice(
            Status.PRECISION, 8, 1.0, False
        )
    most = advice["check_derivatives"].advice(Status.MAXITER, 10, 1.0, False)
    assert most.startswith("8 of 10 trials") and "check_derivatives" in most


def joint(x):
    return rosen(x), rosen_der(x)


SAID = [
    (lambda: minimize(joint, X0), ValueError, "pass `jac=True`"),
    (lambda: minimize(joint, X0, method="trust_cg"), ValueError, "pass `jac=True`"),
    (lambda: minimize(lambda x: None, X0), ValueError, "got None: is there a `return`"),
    (lambda: minimize(rosen, X0, jac=lambda x: None), TypeError, "gradient is None: is there a"),
    (lambda: minimize(lambda x: (rosen(x), None), X0, jac=True), TypeError, r"got \(f, None\)"),
    (
        lambda: minimize(rosen, X0, jac=rosen_der, hessp=lambda x, p: None),
        TypeError,
        "`hessp` returned None",
    ),
    (
        lambda: minimize(rosen, X0, jac=rosen_der, hess=lambda x: None),
        TypeError,
        "`hess` returned None",
    ),
    (lambda: minimize(rosen, X0, maxiter=5), TypeError, r"options=\{'maxiter': 5\}"),
    (lambda: minimize(rosen, X0, gtoll=5), TypeError, "mean the option 'gtol'"),
    (lambda: minimize(rosen, X0, calback=print), TypeError, "mean 'callback'"),
    (lambda: Solver(X0, maxiter=5), TypeError, r"Solver\(\) .* options=\{'maxiter': 5\}"),
    (lambda: Solver(X0, constraint=[]), TypeError, "mean 'constraints'"),
    (
        lambda: quasinewton.minimize_sum(joint, X0, 5, maxiter=5),
        TypeError,
        r"minimize_sum\(\) .* options=\{'maxiter': 5\}",
    ),
    (
        lambda: minimize(rosen, X0, method="trust_hybrid", constraints={"type": "eq", "fun": sum}),
        ValueError,
        "'trust_hybrid' takes no `constraints`; sqp_hybrid",
    ),
    (
        lambda: quasinewton.minimize_many(joint, [X0], constraints=[]),
        TypeError,
        "`quasinewton.minimize` takes constraints",
    ),
    (lambda: minimize(rosen, X0, bounds=[]), ValueError, "`bounds`: .* got 0 for"),
    (
        lambda: quasinewton.minimize_many(joint, [X0], maxiter=5),
        TypeError,
        r"minimize_many\(\) .* options=\{'maxiter': 5\}",
    ),
    (lambda: minimize(rosen, X0, method="BFGS"), ValueError, "SciPy's: 'trust_hybrid' is nearest"),
    (lambda: minimize(rosen, X0, method="Newton-CG"), ValueError, "'trust_cg' is nearest"),
    (lambda: minimize(rosen, X0, method="Powell"), ValueError, "no method of its kind"),
    (lambda: minimize(rosen, X0, method="arc-lrs1"), ValueError, "did you mean 'arc_lsr1'"),
    (lambda: minimize(rosen, X0, method="LSR1"), ValueError, "did you mean 'arc_lsr1'"),
    (lambda: Solver(X0, "L-BFGS-B"), ValueError, "'trust_hybrid' is nearest"),
    (
        lambda: quasinewton.minimize_many(joint, [X0], method="trust_cg"),
        ValueError,
        "`quasinewton.minimize` takes 'trust_cg'",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), SAID)
def test_what_was_meant_and_how_to_say_it(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_gradient_of_none_where_f_is_infinite_is_nobodys_fault():
    def fun(x):
        return (np.inf, None) if x[0] < 0.5 else (rosen(x), rosen_der(x))

    assert minimize(fun, [2.0, 1.0], jac=True).success


@pytest.mark.parametrize(
    "call",
    [
        lambda options: minimize(rosen, X0, jac=rosen_der, options=options),
        lambda options: minimize(
            rosen, X0, jac=rosen_der, method=quasinewton.trust_cg, options=options
        ),
        lambda options: scipy.optimize.minimize(
            rosen, X0, jac=rosen_der, method=quasinewton.trust_cg, options=options
        ),
        lambda options: Solver(X0, options=options),
        lambda options: quasinewton.minimize_many(joint, [X0], options=options),
    ],
)
def test_a_misspelt_option_is_shown_at_the_line_of_the_user(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call({"maxitr": 5})
    assert caught
    for warning in caught:
        assert warning.category is OptimizeWarning
        assert "maxitr (did you mean the option 'maxiter'?)" in str(warning.message)
        assert warning.filename == __file__
