"""
Bounds, thousands of them: a membrane over an obstacle
======================================================

A membrane is clamped at the edge of a square. A load pulls it down, and under it there are a dome
and a wall. Where does it touch them? The unknowns are its heights at the inner points of a grid,
and the obstacle is a lower bound on each of them. ``python examples/obstacle.py 200`` takes 40,000
points; here it is 4900.
"""

# %%
# The obstacle: a dome, and a wall of half its height.
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import Bounds

from quasinewton import minimize

side = int(sys.argv[1]) if len(sys.argv) > 1 else 70
width = 1.0 / (side + 1)
grid = width * np.arange(1, side + 1)
u, v = np.meshgrid(grid, grid)
dome = 0.3 - 6.0 * ((u - 0.33) ** 2 + (v - 0.6) ** 2)
wall = np.where((abs(u - 0.75) < 0.03) & (abs(v - 0.45) < 0.2), 0.15, -1.0)
obstacle = np.maximum(np.maximum(dome, wall), -1.0)

# %%
# The energy is that of stretching, half of the integral of the squared slope, plus that of the
# load. Its gradient is the force at each point, as five numbers of the grid give it.
LOAD = 2.0


def fun(x):
    """The energy of the membrane, and its gradient."""
    height = np.zeros((side + 2, side + 2))  # with the clamped edge
    height[1:-1, 1:-1] = x.reshape(side, side)
    right, down = np.diff(height, axis=1), np.diff(height, axis=0)
    energy = 0.5 * (np.sum(right**2) + np.sum(down**2)) + LOAD * width**2 * x.sum()
    g = -np.diff(right, axis=1)[1:-1] - np.diff(down, axis=0)[:, 1:-1] + LOAD * width**2
    return energy, g.ravel()


# %%
# The start is a flat membrane, raised to the obstacle where that is higher: about half of the
# points that touch it then have to leave it. The elements of the gradient are forces on squares of
# the grid, so ``gtol`` is given in the size of the load on one.
start = np.maximum(obstacle, 0.0).ravel()
started = time.perf_counter()
result = minimize(
    fun,
    start,
    jac=True,
    bounds=Bounds(obstacle.ravel(), np.inf),
    options={"gtol": 1e-3 * LOAD * width**2},
)
seconds = time.perf_counter() - started
contact = (result.active == -1).reshape(side, side)
print(f"{result.x.size} unknowns, {result.method}: {result.message}")
touching = np.sum(start == obstacle.ravel())
print(f"{touching} of them touch the obstacle at the start, {contact.sum()} at the end")
print(f"{result.nfev} evaluations in {seconds:.1f} s")

# %%
# At the points of contact the gradient is not zero. It is the multiplier of the bound: the force
# with which the obstacle holds the membrane. Elsewhere there is none, and nowhere does the obstacle
# pull.
force = np.where(contact, result.jac.reshape(side, side), 0.0)
print(f"smallest and largest force of the obstacle: {force[contact].min():.1e}, {force.max():.1e}")
print(f"largest force left elsewhere: {abs(result.jac[~contact.ravel()]).max():.1e}")
print(f"the obstacle bears {force.sum():.2f}, the load is {LOAD * (side * width) ** 2:.2f}")

# %%
# It bears more than the load, because the clamped edge pulls down too. On the dome the pressure is
# spread evenly, as its curvature is. On the wall the membrane hangs at the rim.
height = result.x.reshape(side, side)
figure, panels = plt.subplots(1, 3, figsize=(11.0, 3.7), layout="constrained")
extent = (0.0, 1.0, 0.0, 1.0)
picture = panels[0].imshow(height, origin="lower", extent=extent, cmap="viridis")
panels[0].contour(u, v, height, levels=12, colors="white", linewidths=0.6)
panels[0].set_title("height of the membrane")
figure.colorbar(picture, ax=panels[0], shrink=0.8)
panels[1].imshow(contact, origin="lower", extent=extent, cmap="Greys", vmax=1.5)
panels[1].contour(u, v, obstacle, levels=[0.0], colors="C1", linewidths=1.0)
panels[1].set_title("contact, and the obstacle above 0")
pressure = np.log10(np.maximum(force / width**2, 1.0))
picture = panels[2].imshow(pressure, origin="lower", extent=extent, cmap="magma")
panels[2].set_title("pressure, log10")
figure.colorbar(picture, ax=panels[2], shrink=0.8)
for axes in panels:
    axes.set(xticks=[], yticks=[])
plt.show()
