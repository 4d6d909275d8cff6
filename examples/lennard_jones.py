"""
The geometry of a cluster
=========================

Thirteen atoms that attract each other from afar and repel each other when they are close: the
cluster of Lennard and Jones. It has about 1500 minima. Many runs from random starts find the
lowest one, an icosahedron with an atom in its centre.
"""

# %%
# The energy in units of the depth of one bond, and its gradient. The length of a bond in a pair is
# 1.12 units.
import matplotlib.pyplot as plt
import numpy as np

from quasinewton import minimize

ATOMS = 13
LOWEST = -44.326801  # Hoare and Pal, Adv. Phys. 20 (1971)
upper = np.triu_indices(ATOMS, 1)


def energy(x):
    """The energy of the atoms at the 39 coordinates in x, and its gradient."""
    r = x.reshape(ATOMS, 3)
    d = r[:, None] - r
    squares = (d * d).sum(axis=2)
    np.fill_diagonal(squares, 1.0)
    p = squares**-3.0
    np.fill_diagonal(p, 0.0)
    f = 2.0 * (p * p - p).sum()
    slope = -24.0 * (2.0 * p * p - p) / squares
    return f, (slope[:, :, None] * d).sum(axis=1).ravel()


# %%
# At a random place some atoms are very close, and the gradient is huge. By default the first step
# may be as long as the vector of all coordinates, which would scatter the atoms; so it is bounded.
rng = np.random.default_rng(0)
starts = rng.uniform(-1.4, 1.4, size=(60, 3 * ATOMS))
options = {"initial_trust_radius": 0.3, "maxiter": 2000}
results = [minimize(energy, start, jac=True, options=options) for start in starts]
print(f"{sum(result.success for result in results)} of {len(starts)} runs converged")
energies = np.array([result.fun for result in results if result.success])
best = min(results, key=lambda result: result.fun)
found = np.sum(energies < LOWEST + 1e-4)
print(f"lowest {best.fun:.6f}, known {LOWEST}; {found} runs found it")
print(f"evaluations: median {np.median([result.nfev for result in results]):.0f}")

# %%
# A gradient of zero does not make a minimum. The Hessian tells: of its 39 eigenvalues six are
# zero, for three shifts and three rotations of the whole cluster, and the others must be positive.
# Here it is made by differences of the gradient.
h = 1e-5
H = np.array([(energy(best.x + h * e)[1] - energy(best.x - h * e)[1]) / (2 * h)
              for e in np.eye(3 * ATOMS)])  # fmt: skip
eigenvalues = np.linalg.eigvalsh(0.5 * (H + H.T))
print("sizes of the eight smallest eigenvalues:", np.round(abs(eigenvalues[:8]), 3))

# %%
# The energies that were found, and the cluster with its bonds.
figure = plt.figure(figsize=(9.0, 4.0), layout="constrained")
axes = figure.add_subplot(1, 2, 1)
axes.hist(energies, bins=30, color="#0072B2")
axes.set(xlabel="energy of the minimum", ylabel="runs")
axes = figure.add_subplot(1, 2, 2, projection="3d")
r = best.x.reshape(ATOMS, 3)
for i, j in zip(*upper, strict=True):
    if np.linalg.norm(r[i] - r[j]) < 1.3:
        axes.plot(*r[[i, j]].T, color="0.6", lw=1)
axes.scatter(*r.T, s=120, color="#D55E00", depthshade=True)
axes.set_axis_off()
plt.show()
