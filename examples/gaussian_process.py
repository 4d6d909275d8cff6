"""
Hyperparameters of a Gaussian process
=====================================

A Gaussian process smooths noisy data. How smooth it is depends on three numbers: the amplitude and
the length of the kernel, and the level of noise. The most likely values are found here by
maximising the marginal likelihood, which has more than one maximum.
"""

# %%
# Twelve noisy points of a curve.
import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import cho_factor, cho_solve

from quasinewton import minimize

rng = np.random.default_rng(3)
N = 12
t = np.sort(rng.uniform(0.0, 10.0, N))
y = np.sin(t) + 0.3 * t - 1.5 + 0.5 * rng.standard_normal(N)
squares = (t[:, None] - t) ** 2


# %%
# The variables are logarithms, because the three numbers are positive. With K the matrix of the
# kernel plus the noise, minus the log of the likelihood is ``y.K^-1 y / 2 + log det K / 2`` and a
# constant, and each component of the gradient is ``trace((K^-1 - a a^T) dK) / 2`` with ``a = K^-1
# y``.
def fun(x):
    """Minus the log of the marginal likelihood, and its gradient."""
    amplitude, length, noise = np.exp(2.0 * x)  # squares
    smooth = amplitude * np.exp(-0.5 * squares / length)
    try:
        factor = cho_factor(smooth + (noise + 1e-10) * np.eye(N), lower=True)
    except np.linalg.LinAlgError:
        return np.inf, np.zeros(3)  # too close to singular: the step is rejected and shortened
    a, inverse = cho_solve(factor, y), cho_solve(factor, np.eye(N))
    f = 0.5 * y @ a + np.log(np.diag(factor[0])).sum() + 0.5 * N * np.log(2.0 * np.pi)
    W = inverse - np.outer(a, a)
    changes = 2.0 * smooth, smooth * squares / length, 2.0 * noise * np.eye(N)
    return f, np.array([0.5 * np.sum(W * change) for change in changes])


# %%
# Several starts, because the likelihood has several maxima. One explains the data by a curve that
# bends quickly and hardly any noise, the other by a smooth curve and noise.
starts = np.log([(1.0, 1.0, 0.3), (1.0, 5.0, 1.0), (1.0, 0.3, 0.1), (3.0, 30.0, 1.0)])
results = [minimize(fun, start, jac=True) for start in starts]
print(f"{'-log likelihood':>16}{'amplitude':>11}{'length':>9}{'noise':>8}{'evaluations':>13}")
for result in results:
    amplitude, length, noise = np.exp(result.x)
    print(f"{result.fun:16.4f}{amplitude:11.3g}{length:9.3g}{noise:8.3g}{result.nfev:13d}")
results.sort(key=lambda result: result.fun)
best, other = results[0], next(r for r in results if r.fun > results[0].fun + 0.01)

# %%
# Both curves, with two standard deviations around them. The likelihood of the first is higher by
# so little that the data do not decide: one should average over both, or know more of the noise.
grid = np.linspace(-0.5, 10.5, 300)
figure, panels = plt.subplots(1, 2, figsize=(10.0, 3.8), layout="constrained", sharey=True)
for axes, result in zip(panels, (best, other), strict=True):
    amplitude, length, noise = np.exp(2.0 * result.x)
    between = amplitude * np.exp(-0.5 * (grid[:, None] - t) ** 2 / length)
    factor = cho_factor(amplitude * np.exp(-0.5 * squares / length) + noise * np.eye(N))
    mean = between @ cho_solve(factor, y)
    variance = amplitude - np.sum(between * cho_solve(factor, between.T).T, axis=1)
    spread = 2.0 * np.sqrt(np.maximum(variance, 0.0))
    axes.fill_between(grid, mean - spread, mean + spread, color="#56B4E9", alpha=0.4, lw=0)
    axes.plot(grid, mean, color="#0072B2", label="Gaussian process")
    axes.plot(grid, np.sin(grid) + 0.3 * grid - 1.5, "--", color="0.4", label="truth")
    axes.plot(t, y, "o", color="#D55E00", ms=4, label="data")
    axes.set(title=f"-log likelihood {result.fun:.2f}, noise {np.exp(result.x[2]):.2f}")
panels[0].legend()
plt.show()
