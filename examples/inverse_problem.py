"""
A million unknowns: a blurred image
===================================

A picture was blurred and got noisy. The unknowns are its pixels, a million of them for 1024 x 1024
pixels. The gradient costs four Fourier transforms, whatever the number of unknowns is. ``python
examples/inverse_problem.py 1024`` solves it at that size, in about 140 evaluations; here it is 128
x 128.
"""

# %%
# The true picture, and the blurred one with noise.
import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.fft import irfft2, rfft2

from quasinewton import Solver, minimize

side = int(sys.argv[1]) if len(sys.argv) > 1 else 128
u, v = np.meshgrid(np.linspace(-1.0, 1.0, side), np.linspace(-1.0, 1.0, side))
picture = 1.0 * (np.hypot(u + 0.3, v) < 0.4) + 0.6 * ((abs(u - 0.5) < 0.25) & (abs(v) < 0.6))
picture += 0.3 * np.clip(1.0 - np.hypot(u, v - 0.6) / 0.3, 0.0, None)

frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
blurring = np.exp(-0.5 * (0.02 * side * 2.0 * np.pi * frequency) ** 2)


def blur(image):
    return irfft2(blurring * rfft2(image), s=image.shape)


data = blur(picture) + 0.02 * np.random.default_rng(0).standard_normal(picture.shape)

# %%
# To undo the blur alone would blow up the noise. So the objective also has the total variation:
# the length of the gradient of the image, rounded off at 0, which keeps edges and removes noise.
# Blurring is symmetric, so that its adjoint is blurring again.
WEIGHT, ROUND = 0.004, 0.01


def fun(x):
    """Half of the squared misfit plus the total variation, and the gradient."""
    image = x.reshape(side, side)
    misfit = blur(image) - data
    right = np.diff(image, axis=1, append=image[:, :1])
    down = np.diff(image, axis=0, append=image[:1])
    length = np.sqrt(right**2 + down**2 + ROUND**2)
    right, down = WEIGHT * right / length, WEIGHT * down / length
    g = blur(misfit) + np.roll(right, 1, axis=1) - right + np.roll(down, 1, axis=0) - down
    return 0.5 * np.sum(misfit**2) + WEIGHT * length.sum(), g.ravel()


# %%
# The default method is ``trust_hybrid``. For 50,000 unknowns and more its model knows 20
# directions, which takes 20 vectors of the length of x; for fewer unknowns it knows up to 200.
# ``grtol`` is relative to the gradient at the start, so it need not be changed with the size.
options = {"gtol": 0.0, "grtol": 1e-2, "maxfev": 300}
result = minimize(fun, data.ravel(), jac=True, options=options)
error = np.linalg.norm(result.x - picture.ravel()) / np.linalg.norm(picture)
before = np.linalg.norm(data - picture) / np.linalg.norm(picture)
print(f"{result.x.size} unknowns, {result.method}: {result.message}")
print(f"{result.nfev} evaluations in {result.execution_time:.1f} s")
print(f"error of the image: {before:.3f} blurred, {error:.3f} restored")

# %%
# How much of the time is the function's? A `Solver` can be stepped, and its own work timed.
import time  # noqa: E402

solver, outside = Solver(data.ravel(), "trust_hybrid", options), 0.0
while solver.running and solver.nit < 50:
    started = time.process_time()
    x = solver.ask()
    outside += time.process_time() - started
    f, g = fun(x)
    started = time.process_time()
    solver.tell(f, g)
    outside += time.process_time() - started
print(f"{1000 * outside / solver.nit:.2f} ms an iteration outside of the function")

# %%
figure, panels = plt.subplots(1, 3, figsize=(10.0, 3.6), layout="constrained")
images = {"truth": picture, "data": data, "restored": result.x.reshape(side, side)}
for axes, (title, image) in zip(panels, images.items(), strict=True):
    axes.imshow(image, cmap="gray", vmin=-0.1, vmax=1.1)
    axes.set(title=title, xticks=[], yticks=[])
plt.show()
