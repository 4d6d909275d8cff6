"""The algorithms for optimagic: its parameters, its option names, its own kind of problem."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

om = pytest.importorskip("optimagic")

# After the line that skips where optimagic is missing.
from optimagic.benchmarking.get_benchmark_problems import get_benchmark_problems  # noqa: E402

from quasinewton import Status  # noqa: E402
from quasinewton.interop.optimagic import ArcHybrid, ArcLSR1, TrustCG  # noqa: E402

EXAMPLES = get_benchmark_problems("example")
ALGORITHMS = [ArcLSR1, ArcHybrid, TrustCG]


def squares(params):
    return (params["a"] - 1.0) ** 2 + ((params["b"] + np.arange(3.0)) ** 4).sum()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nested_parameters_and_numerical_derivatives(algorithm):
    start = {"a": 0.0, "b": np.ones(3)}
    result = om.minimize(squares, start, algorithm=algorithm())
    assert result.success
    assert result.params["a"] == pytest.approx(1.0, abs=1e-4)
    assert np.allclose(result.params["b"], -np.arange(3.0), atol=0.05)
    assert result.n_iterations > 0 and result.n_fun_evals > 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_own_gradient_maximize_and_fixed_parameters(algorithm):
    result = om.maximize(
        lambda x: -rosen(x), np.array([1.0, -1.0, 2.0]), jac=lambda x: -rosen_der(x),
        algorithm=algorithm(convergence_gtol_abs=1e-9),
        constraints=om.FixedConstraint(lambda x: x[0]),
    )  # fmt: skip
    assert result.success and np.allclose(result.params, 1.0, atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_option_names(algorithm):
    def solve(**options):
        return om.minimize(
            rosen, np.array([-1.2, 1.0]), jac=rosen_der, algorithm=algorithm,
            algo_options=options,
        )  # fmt: skip

    def largest(result):
        return np.abs(rosen_der(result.params)).max()

    assert solve(stopping_maxiter=3).n_iterations == 3
    assert solve(stopping_maxfun=4).n_fun_evals == 4
    assert not solve(stopping_maxfun=4).success
    assert solve(stopping_maxtime=0.0).status == Status.MAXTIME
    loose, tight = solve(convergence_gtol_abs=1.0), solve(convergence_gtol_abs=1e-10)
    assert tight.success and largest(tight) <= 1e-10
    assert loose.n_fun_evals < tight.n_fun_evals
    scaled = solve(convergence_gtol_abs=0.0, convergence_gtol_scaled=1e-3)
    assert scaled.success and 0.0 < largest(scaled) <= 1e-3 * 232.9
    for option, status in (("xtol_rel", Status.XTOL), ("ftol_rel", Status.FTOL)):
        ended = solve(convergence_gtol_abs=0.0, **{f"convergence_{option}": 0.1})
        assert not ended.success and ended.status == status
    options = {f.name for f in dataclasses.fields(algorithm)}
    assert ("memory" in options) == (algorithm is not TrustCG)
    if "memory" in options:
        assert solve(memory=1).n_fun_evals != solve(memory=9).n_fun_evals
    assert options - {"memory"} == {
        "convergence_gtol_abs", "convergence_gtol_scaled", "convergence_xtol_rel",
        "convergence_ftol_rel", "stopping_maxiter", "stopping_maxfun", "stopping_maxtime",
    }  # fmt: skip


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_optimagics_problems(name, algorithm):
    """To Moré and Wild's test with a tight tolerance, or as near as optimagic's L-BFGS-B."""
    problem = EXAMPLES[name]
    best = problem["solution"]["value"]
    result = om.minimize(**problem["inputs"], algorithm=algorithm())
    theirs = om.minimize(**problem["inputs"], algorithm="scipy_lbfgsb")
    assert result.success or result.status == Status.PRECISION  # of the differences
    assert result.fun - best <= max(theirs.fun - best, 1e-7 * (result.start_fun - best))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, in optimagic
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_bounds_and_constraints_are_kept(algorithm):
    def solve(start=(1.0, 1.0, 1.0), **kind):
        target = np.array([0.5, 1.0, 2.0])
        return om.minimize(
            lambda x: ((x - target) ** 2).sum(), np.array(start), algorithm=algorithm(), **kind
        ).params

    def everything(x):
        return x

    equal = solve(constraints=om.EqualityConstraint(lambda x: x[:2]))
    assert equal == pytest.approx([0.75, 0.75, 2.0], abs=1e-5)
    plane = om.LinearConstraint(everything, weights=np.ones(3), value=3.0)
    assert solve(constraints=plane) == pytest.approx([1 / 3, 5 / 6, 11 / 6], abs=1e-5)
    free = om.Bounds(lower=np.full(3, -np.inf), upper=np.full(3, np.inf))
    assert solve(bounds=free) == pytest.approx([0.5, 1.0, 2.0], abs=1e-5)
    bounds = om.Bounds(lower=np.zeros(3), upper=np.array([np.inf, 0.8, np.inf]))
    assert solve((0.1, 0.1, 0.1), bounds=bounds) == pytest.approx([0.5, 0.8, 2.0], abs=1e-5)
    assert solve(bounds=om.Bounds(upper=np.full(3, 1.0))) == pytest.approx(
        [0.5, 1.0, 1.0], abs=1e-5
    )
    least = om.LinearConstraint(everything, weights=np.ones(3), lower_bound=5.0)
    assert solve((2.0, 2.0, 2.0), constraints=least).sum() == pytest.approx(5.0, abs=1e-4)
    rising = om.IncreasingConstraint(everything)
    assert solve((1.0, 2.0, 3.0), constraints=rising) == pytest.approx([0.5, 1.0, 2.0], abs=1e-4)
    shares = om.ProbabilityConstraint(everything)
    assert solve((0.2, 0.3, 0.5), constraints=shares).sum() == pytest.approx(1.0)
    ball = om.NonlinearConstraint(everything, func=lambda x: x @ x, upper_bound=9.0)
    with pytest.raises(ValueError, match="does not support nonlinear"):
        solve(constraints=ball)
