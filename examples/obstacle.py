"""
A membrane over an obstacle
===========================

A membrane is stretched over a square and pressed onto what is below it. Where it rests on that,
bounds on the variables are active: some hundreds, and nobody knows beforehand which.
"""

# %%
# The energy of a membrane, discretised on a grid, is a quadratic function of its heights.
import matplotlib.pyplot as plt
import numpy as np

from quasinewton import minimize

m = 70  # points a side
h = 1.0 / (m + 1)
t = np.linspace(h, 1.0 - h, m)
x, y = np.meshgrid(t, t)


def stiffness(v):
    u = np.pad(v.reshape(m, m), 1)  # the border is fixed at 0
    inner = u[1:-1, 1:-1]
    return (4.0 * inner - u[2:, 1:-1] - u[:-2, 1:-1] - u[1:-1, 2:] - u[1:-1, :-2]).ravel()


def fun(v):
    k = stiffness(v)
    return 0.5 * v @ k + 3.0 * h**2 * v.sum(), k + 3.0 * h**2


obstacle = 0.2 * np.exp(-60.0 * ((x - 0.35) ** 2 + (y - 0.6) ** 2)) - 0.06
obstacle = np.maximum(obstacle, 0.15 * np.exp(-80.0 * ((x - 0.7) ** 2 + (y - 0.3) ** 2)) - 0.06)
lower = obstacle.ravel()

# %%
# The bounds are arrays. ``active`` tells where the membrane rests, and the gradient there is the
# force with which the obstacle holds it.
result = minimize(
    fun, np.maximum(lower, 0.0), jac=True, bounds=np.stack([lower, np.full(m * m, np.inf)], 1),
    tol=1e-7,
)  # fmt: skip
rests = result.active.reshape(m, m) == -1
print(result.message, f"{result.nfev} evaluations, {rests.sum()} of {m * m} points rest")
print(f"largest force on a point: {result.jac.max():.2g}")

# %%
# The height of the membrane, and what it touches.
figure, axes = plt.subplots(layout="constrained")
heights = axes.contourf(x, y, result.x.reshape(m, m), levels=20, cmap="Blues_r")
axes.contour(x, y, rests.astype(float), levels=[0.5], colors="#D55E00")
axes.set(xlabel="$x$", ylabel="$y$", aspect="equal", title="orange: where it touches")
figure.colorbar(heights)
plt.show()
