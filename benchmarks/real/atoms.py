"""Atoms, spins, fields: energies of physics and chemistry."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from real.registry import jaxed, register


def _emt(atoms, free=None):
    """ASE's EMT; x holds the positions of the atoms that may move."""
    from ase.calculators.emt import EMT

    atoms = atoms.copy()
    atoms.calc = EMT()
    free = np.ones(len(atoms), bool) if free is None else free

    def fun(x):
        p = atoms.get_positions()
        p[free] = x.reshape(-1, 3)
        atoms.set_positions(p)
        return atoms.get_potential_energy(), -atoms.get_forces()[free].ravel()

    return atoms.get_positions()[free].ravel(), fun


@register("atoms", "ASE: EMT relaxation of a gold cluster")
def emt_au55():
    """Au55, rattled by 0.1 A."""
    from ase.cluster import Icosahedron

    a = Icosahedron("Au", 3)
    a.rattle(0.1, seed=2)
    return _emt(a)


@register("atoms", "ASE: alloy nanoparticle, EMT")
def emt_cuau_alloy():
    """A truncated octahedron of 79 atoms, Cu and Au at random, from the copper lattice."""
    from ase.cluster import Octahedron

    a = Octahedron("Cu", 5, 1, 3.8)
    symbols = np.array(["Cu", "Au"])[np.random.default_rng(3).integers(2, size=len(a))]
    a.set_chemical_symbols(list(symbols))
    a.rattle(0.02, seed=3)
    return _emt(a)


@register("atoms", "ASE tutorial: adatom on a gold slab, EMT")
def emt_adatom_slab():
    """Au(100), 3 x 3 x 3, an adatom off its site, lowest layer fixed."""
    from ase.build import add_adsorbate, fcc100

    slab = fcc100("Au", size=(3, 3, 3), vacuum=10.0)
    add_adsorbate(slab, "Au", 2.2, "hollow", offset=(0.15, 0.1))
    slab.rattle(0.05, seed=4)
    return _emt(slab, slab.get_tags() < 3)


@register("atoms", "ASE: a molecule, EMT (its toy potential for C, H, O)")
def emt_ethanol():
    """CH3CH2OH from the g2 geometry, rattled by 0.05 A."""
    from ase.build import molecule

    a = molecule("CH3CH2OH")
    a.rattle(0.05, seed=6)
    return _emt(a)


def _pairs(k, energy):
    """Sum over pairs of energy(r^2), as a function of flat positions."""
    i, j = np.triu_indices(k, 1)

    def f(x):
        p = x.reshape(k, 3)
        return jnp.sum(energy(jnp.sum((p[i] - p[j]) ** 2, 1)))

    return f


def _lj(r2):
    s = 1 / r2**3
    return 4 * (s * s - s)


def _icosahedron(shells, bond):
    from ase.cluster import Icosahedron

    p = Icosahedron("Cu", shells).get_positions()
    r = np.sort(np.linalg.norm(p[:, None] - p[None], axis=-1).ravel())
    return p * bond / r[r > 1e-6][0]


@register("atoms", "Lennard-Jones cluster LJ13, from a perturbed icosahedron")
def lj13():
    """Icosahedron at 1.05 of its bond, every coordinate off by 0.1."""
    p = _icosahedron(2, 1.15)
    return (p + 0.1 * np.random.default_rng(50).standard_normal(p.shape), *jaxed(_pairs(13, _lj)))


def _compact(k, spacing, seed):
    """k points of a jittered lattice nearest to its centre."""
    rng = np.random.default_rng(seed)
    g = spacing * np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    g = g + 0.06 * spacing * rng.standard_normal(g.shape)
    return g[np.argsort((g**2).sum(1))[:k]]


@register("atoms", "bead-spring polymer (coarse-grained chain: bonds, angles, Lennard-Jones)")
def polymer():
    """100 beads, stiff bonds (k = 1000), from a self-avoiding coil off by 0.1."""
    i, j = np.triu_indices(100, 3)

    def f(x):
        p = x.reshape(100, 3)
        b = p[1:] - p[:-1]
        bond = 500 * jnp.sum((jnp.sqrt(jnp.sum(b * b, 1)) - 1) ** 2)
        angle = 5 * jnp.sum((jnp.sum(b[1:] * b[:-1], 1) - 0.4) ** 2)
        return bond + angle + 0.5 * jnp.sum(_lj(jnp.sum((p[i] - p[j]) ** 2, 1)))

    t = np.arange(100) * 0.55
    helix = np.column_stack([1.8 * np.cos(t), 1.8 * np.sin(t), 0.12 * np.arange(100)])
    return (helix + 0.05 * np.random.default_rng(57).standard_normal((100, 3)), *jaxed(f))
