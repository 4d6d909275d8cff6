"""
A differential equation in JAX
==============================

Hares and lynx, as furs that the Hudson's Bay Company bought, in thousands: the classical example of
the equations of Lotka and Volterra,

    u' = (a - b v) u,    v' = (d u - c) v.

The model is written in JAX, with its parameters in a dictionary; ``from_jax`` makes of it the
value, the gradient and exact products with the Hessian, through the solution of the differential
equation.
"""

# %%
# The years 1900 to 1920 (C. Elton and M. Nicholson, Journal of Animal Ecology 11, 1942).
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from quasinewton import minimize
from quasinewton.interop import from_jax

years = np.arange(1900, 1921)
hares = [30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3,
         19.5, 11.2, 7.6, 14.6, 16.2, 24.7]  # fmt: skip
lynx = [4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1,
        29.7, 15.8, 9.7, 10.1, 8.6]  # fmt: skip
furs = np.column_stack([hares, lynx])

# %%
# The variables are logarithms, so that rates, numbers of animals and noise stay positive. Each year
# is 20 steps of the classical Runge-Kutta method.
STEPS = 20


def change(log_animals, rates):
    a, b, c, d = rates
    hare, cat = jnp.exp(log_animals)
    return jnp.array([a - b * cat, d * hare - c])


def solution(params, steps=STEPS):
    """The logarithms of hares and lynx, shape (21, 2)."""
    rates, h = jnp.exp(params["rates"]), 1.0 / steps

    def step(z, _):
        k1 = change(z, rates)
        k2 = change(z + 0.5 * h * k1, rates)
        k3 = change(z + 0.5 * h * k2, rates)
        k4 = change(z + h * k3, rates)
        return z + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), z

    _, path = jax.lax.scan(step, params["start"], length=20 * steps + 1)
    return path[::steps]


def loss(params):
    """Minus the log of the likelihood, for errors of the logarithms that are normal."""
    z = (np.log(furs) - solution(params)) / jnp.exp(params["noise"])
    return 0.5 * (z**2).sum() + len(furs) * params["noise"].sum()


guess = {
    "rates": np.log([0.5, 0.02, 1.0, 0.02]),
    "start": np.log(furs[0]),
    "noise": np.log([0.5, 0.5]),
}
f = from_jax(loss, guess)

# %%
# ``trust_cg`` uses the products, ``arc_hybrid`` the gradient alone. The first call of each function
# compiles it, before time is taken.
f.fun(f.x0), f.hessp(f.x0, f.x0)
for method in ("trust_cg", "arc_hybrid"):
    minimize(lambda x: (x @ x, 2.0 * x), np.ones(2), jac=True, method=method)  # numba's share
print(f"{'':12}{'-log likelihood':>17}{'max|g|':>10}{'f and g':>9}{'products':>10}{'seconds':>9}")
results = {}
for method, products in (("trust_cg", f.hessp), ("arc_hybrid", None)):
    start = time.perf_counter()
    result = minimize(f.fun, f.x0, jac=True, hessp=products, method=method, tol=1e-5)
    seconds = time.perf_counter() - start
    print(f"{method:12}{result.fun:17.9f}{result.optimality:10.1e}{result.nfev:9}"
          f"{result.nhev:10}{seconds:9.3f}")  # fmt: skip
    results[method] = result

# %%
# The Hessian at the optimum is the observed information: its inverse holds the squares of the
# standard errors of the logarithms, thus relative errors of the parameters.
x = results["trust_cg"].x
hessian = np.array([f.hessp(x, e) for e in np.eye(x.size)])
errors = f.unravel(np.sqrt(np.diag(np.linalg.inv(hessian))))
best = f.unravel(x)
for name, value, error in zip("abcd", np.exp(best["rates"]), errors["rates"], strict=True):
    print(f"{name} = {value:.4f} to {100 * error:.0f} %")

# %%
figure, axes = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
fitted = np.exp(solution(best))
for k, (name, colour, marker) in enumerate((("hares", "#0072B2", "o"), ("lynx", "#D55E00", "s"))):
    axes.plot(years, furs[:, k], marker, color=colour, label=f"{name}, furs")
    axes.plot(years, fitted[:, k], color=colour, label=f"{name}, model")
axes.set(xlabel="year", ylabel="thousands", xticks=years[::5])
figure.legend(loc="outside lower center", ncols=4)
plt.show()
