"""The algorithms for optimagic: its parameters, its option names, its own kind of problem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

om = pytest.importorskip("optimagic")

from quasinewton.optimagic import ArcHybrid, ArcLSR1, TrustCG  # noqa: E402

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

    assert solve(stopping_maxiter=3).n_iterations == 3
    assert solve(stopping_maxfun=4).n_fun_evals == 4
    assert not solve(stopping_maxfun=4).success
    loose, tight = solve(convergence_gtol_abs=1.0), solve(convergence_gtol_abs=1e-10)
    assert tight.success and np.abs(rosen_der(tight.params)).max() <= 1e-10
    assert loose.n_fun_evals < tight.n_fun_evals
