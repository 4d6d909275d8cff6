"""Functions of other libraries: values, derivatives and structures; skipped where not installed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

import quasinewton
from quasinewton.interop import from_autograd, from_jax, from_torch
from quasinewton.objective import check_gradient, check_hessp

MAKERS = {"jax": from_jax, "autograd": from_autograd, "torch": from_torch}


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


def network(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1, bias=False)
    )


def test_a_torch_module():
    torch = pytest.importorskip("torch")
    model = network(torch).double()
    model[0].bias.requires_grad_(False)  # frozen
    bias = model[0].bias.clone()
    inputs = torch.linspace(-1.0, 1.0, 40, dtype=torch.float64).reshape(20, 2)
    targets = torch.sin(3.0 * inputs.sum(axis=1, keepdims=True))

    def loss(net):
        squares = sum((p**2).sum() for p in net.parameters())
        return ((net(inputs) - targets) ** 2).mean() + 1e-3 * squares

    f = from_torch(loss, model)
    assert f.x0.shape == (12,) and f.x0.dtype == np.float64
    assert np.array_equal(f.x0[:8], model[0].weight.detach().numpy().reshape(-1))
    assert check_gradient(lambda x: f.fun(x)[0], lambda x: f.fun(x)[1], f.x0).ok
    assert check_hessp(lambda x: f.fun(x)[1], f.hessp, f.x0).ok
    result = quasinewton.minimize(f.fun, f.x0, jac=True, hessp=f.hessp, tol=1e-8)
    assert result.success
    fitted = f.unravel(result.x)
    assert fitted is model and loss(model).item() == pytest.approx(result.fun, rel=1e-12)
    assert torch.equal(model[0].bias, bias)
    assert all(p.grad is None for p in model.parameters())


def test_torch_computes_in_float64_or_says_so():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"module\.double.*0\.weight is torch\.float32"):
        from_torch(lambda net: net(torch.ones(2)).sum(), network(torch))
    f = from_torch(lambda x: (x**2).sum().float(), np.ones(2))
    with pytest.raises(TypeError, match="`fun` must compute in float64"):
        f.fun(np.ones(2))
    f = from_torch(lambda x: ((x - 1e-9) ** 2).sum(), np.float32([1.0, 2.0]))
    assert f.fun(f.x0 + 1e-12)[0] != 5.0 and f.x0.dtype == np.float64


def test_torch_without_second_derivatives_and_under_no_grad():
    """Of a function that is linear, or does not use a parameter, torch gives no derivative."""
    torch = pytest.importorskip("torch")
    f = from_torch(lambda q: 3.0 * q[0].sum() + 0.0 * q[1], [np.ones(2), 0.1, np.ones(3)])
    assert f.x0.tolist() == [1, 1, 0.1, 1, 1, 1]
    assert f.fun(f.x0)[1].tolist() == [3, 3, 0, 0, 0, 0]
    assert f.hessp(f.x0, np.ones(6)).tolist() == [0] * 6
    f = from_torch(lambda q: (q[0] ** 2).sum() + q[1], [np.ones(2), 1.0])
    with torch.no_grad():
        assert f.hessp(f.x0, np.ones(3)).tolist() == [2, 2, 0]
