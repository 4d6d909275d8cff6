"""Functions of other libraries: values, derivatives and structures; skipped where not installed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

import quasinewton
from quasinewton.derivatives import check_gradient, check_hessp
from quasinewton.interop import from_autograd, from_jax

MAKERS = {"jax": from_jax, "autograd": from_autograd}


@pytest.fixture(params=MAKERS)
def maker(request):
    pytest.importorskip(request.param)
    return MAKERS[request.param]


def test_flat_vectors(maker):
    x0 = np.linspace(-1.2, 1.0, 5)
    f = maker(lambda x: (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum(), x0)
    assert np.array_equal(f.x0, x0) and f.x0.dtype == np.float64
    value, gradient = f.fun(x0)
    assert value == pytest.approx(rosen(x0), rel=1e-14)
    assert np.allclose(gradient, rosen_der(x0), rtol=1e-12, atol=1e-12)
    p = np.cos(np.arange(5.0))
    assert np.allclose(f.hessp(x0, p), rosen_hess_prod(x0, p), rtol=1e-12, atol=1e-12)
    gradient[:] = 0.0  # the caller's own


def test_structures(maker):
    params = {"w": np.ones((2, 3)), "b": [np.zeros(3), 0.5]}

    def loss(q):
        return ((q["w"] - 2.0) ** 4).sum() + ((q["b"][0] + 1.0) ** 2).sum() + q["b"][1] ** 2

    f = maker(loss, params)
    assert f.x0.shape == (10,)
    x = np.linspace(0.3, 1.5, 10)
    assert check_gradient(lambda x: f.fun(x)[0], lambda x: f.fun(x)[1], x).ok
    assert check_hessp(lambda x: f.fun(x)[1], f.hessp, x).ok
    result = quasinewton.minimize(f.fun, f.x0, jac=True, hessp=f.hessp, tol=1e-10)
    assert result.success
    best = f.unravel(result.x)
    assert np.allclose(best["w"], 2.0, atol=2e-3) and best["w"].shape == (2, 3)
    assert np.allclose(best["b"][0], -1.0) and abs(best["b"][1]) < 1e-8


def test_jax_keeps_its_global_precision():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    f = from_jax(lambda x: ((x - 1e-9) ** 2).sum(), np.float32([1.0, 2.0]))
    value, gradient = f.fun(f.x0 + 1e-12)
    assert value != 5.0 and gradient.dtype == np.float64
    assert jax.config.jax_enable_x64 == before
