"""Control, geometry, graphs, quantum circuits, finance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from real.registry import jaxed, register


def _rotate(r, p):
    """Rodrigues' formula: vectors p turned by rotation vectors r."""
    s = jnp.sum(r * r, -1, keepdims=True) + 1e-30
    a = jnp.sqrt(s)
    k = r / a
    return (p * jnp.cos(a) + jnp.cross(k, p) * jnp.sin(a)
            + k * jnp.sum(k * p, -1, keepdims=True) * (1 - jnp.cos(a)))  # fmt: skip


def _swing(state, u, h=0.05):
    """One Runge-Kutta step of a pendulum with friction under a torque."""

    def rate(s):
        return jnp.array([s[1], -9.81 * jnp.sin(s[0]) - 0.1 * s[1] + u])

    a = rate(state)
    b = rate(state + h / 2 * a)
    c = rate(state + h / 2 * b)
    return state + h / 6 * (a + 2 * b + 2 * c + rate(state + h * c))


@register("design", "optimal control: swing-up of a pendulum, single shooting")
def pendulum_shooting():
    """60 torques, weak penalty on them, heavy one on the end; from a small wiggle."""
    def f(u):
        end, _ = jax.lax.scan(lambda s, u: (_swing(s, u), None), jnp.zeros(2), u)
        return 0.025 * jnp.sum(u * u) + 50 * ((end[0] - jnp.pi) ** 2 + end[1] ** 2)

    return (0.5 * np.sin(np.arange(60) / 6), *jaxed(f))


@register("design", "the same by direct transcription with a quadratic penalty")
def pendulum_transcription():
    """States and torques of 60 steps, defects times 1e3; n = 180."""
    def f(x):
        s, u = x[:120].reshape(60, 2), x[120:]
        before = jnp.concatenate([jnp.zeros((1, 2)), s[:-1]])
        defect = jax.vmap(_swing)(before, u) - s
        end = s[-1] - jnp.array([jnp.pi, 0.0])
        return 0.025 * jnp.sum(u * u) + 1e3 * jnp.sum(defect**2) + 50 * jnp.sum(end * end)

    t = np.linspace(0, 1, 60)
    return (np.r_[np.column_stack([np.pi * t, np.full(60, 1.0)]).ravel(), np.zeros(60)], *jaxed(f))


@register("design", "cart with four masses on springs, LQ control, condensed", convex=True)
def lq_control():
    """Quadratic in 120 forces: a stiff prediction matrix, as in linear MPC."""
    k = 2 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)
    a = np.eye(8) + 0.1 * np.block([[np.zeros((4, 4)), np.eye(4)], [-k, -0.1 * np.eye(4)]])
    b = np.r_[np.zeros(4), 0.1, 0, 0, -0.05]
    powers = [b]
    for _ in range(119):
        powers.append(a @ powers[-1])
    m = np.zeros((120, 8, 120))
    for t in range(120):
        for s in range(t + 1):
            m[t, :, s] = powers[t - s]
    free = [np.linalg.matrix_power(a, t + 1) @ np.r_[1, -1, 2, 0, 0, 0, 0, 0] for t in range(120)]
    m, free = m.reshape(960, 120), np.concatenate(free)
    return (np.zeros(120), *jaxed(lambda u: 0.5 * jnp.sum((m @ u + free) ** 2) + 0.05 * u @ u))


@register("design", "bundle adjustment (COLMAP, SciPy cookbook), made up")
def bundle_adjustment():
    """8 cameras (rotation, translation, focal length), 100 points, 60 % seen, noise 1 px; a prior
    on the gauge; n = 356."""
    rng = np.random.default_rng(90)
    p = rng.uniform(-1, 1, (100, 3))
    r = np.column_stack([0.2 * rng.standard_normal(8), np.linspace(-0.7, 0.7, 8),
                         0.1 * rng.standard_normal(8)])  # fmt: skip
    cams = np.column_stack([r, 0.2 * rng.standard_normal((8, 2)), np.full(8, 5.0), np.full(8, 8.0)])
    i, j = np.nonzero(rng.random((8, 100)) < 0.6)

    def project(cams, p):
        q = _rotate(cams[i, :3], p[j]) + cams[i, 3:6]
        return 100 * cams[i, 6:] * q[:, :2] / q[:, 2:]

    y = np.asarray(project(jnp.asarray(cams), jnp.asarray(p))) + rng.standard_normal((i.size, 2))
    x0 = np.r_[(cams + 0.05 * rng.standard_normal(cams.shape)).ravel(),
               (p + 0.1 * rng.standard_normal(p.shape)).ravel()]  # fmt: skip

    def f(x):
        res = project(x[:56].reshape(8, 7), x[56:].reshape(100, 3)) - y
        return 0.5 * jnp.sum(res * res) + 0.5 * jnp.sum((x - x0) ** 2)

    return (x0, *jaxed(f))


@register("design", "circle packing by squared overlaps, in a square")
def circle_packing():
    """40 circles of radius 0.075 in the unit square, a little too tight; random start; n = 80."""
    i, j = np.triu_indices(40, 1)
    r = 0.0805

    def f(x):
        p = x.reshape(40, 2)
        d = jnp.sqrt(jnp.sum((p[i] - p[j]) ** 2, 1) + 1e-18)
        wall = jnp.maximum(0, r - p) ** 2 + jnp.maximum(0, p - 1 + r) ** 2
        return 1e3 * (jnp.sum(jnp.maximum(0, 2 * r - d) ** 2) + jnp.sum(wall))

    return (np.random.default_rng(93).random(80), *jaxed(f))


def _pauli(k, which):
    """Matrix of a product of Pauli matrices on k qubits, which = {qubit: letter}."""
    m = {"X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]], "Z": [[1, 0], [0, -1]], "I": np.eye(2)}
    out = np.eye(1)
    for q in range(k):
        out = np.kron(out, np.array(m[which.get(q, "I")]))
    return out


@register("design", "variational quantum eigensolver (PennyLane, Qiskit users), exact state vector")
def vqe_ising():
    """6 spins in a transverse field, 4 layers of Ry, Rz and a ring of CZ; n = 48."""
    k = 6
    h = sum(-_pauli(k, {q: "Z", (q + 1) % k: "Z"}) - 0.9 * _pauli(k, {q: "X"}) for q in range(k))
    h, bits = jnp.asarray(h.real), (np.arange(64)[:, None] >> np.arange(5, -1, -1)) & 1
    cz = np.prod([(-1.0) ** (bits[:, q] * bits[:, (q + 1) % k]) for q in range(k)], 0)

    def f(x):
        s = jnp.zeros(64, complex).at[0].set(1.0)
        # Ry(a) then Rz(b) of all qubits: one Kronecker product a layer
        c, d, e = jnp.cos(x[0::2] / 2), jnp.sin(x[0::2] / 2), jnp.exp(0.5j * x[1::2])
        gates = jnp.stack([jnp.stack([c / e, -d / e], -1), jnp.stack([d * e, c * e], -1)], -2)
        for layer in gates.reshape(4, k, 2, 2):
            s = jnp.einsum("abcdef,ga,hb,ic,jd,ke,lf->ghijkl", s.reshape((2,) * k), *layer)
            s = cz * s.reshape(-1)
        return jnp.real(jnp.vdot(s, h @ s))

    return (np.random.default_rng(95).uniform(-0.5, 0.5, 48), *jaxed(f))


@register("design", "quantum gate by shaped pulses (GRAPE, QuTiP, which calls L-BFGS-B)")
def grape_cnot():
    """CNOT of two coupled qubits by 4 controls in 25 slots: infidelity and a little power."""
    drift = 2 * np.pi * 0.1 * _pauli(2, {0: "Z", 1: "Z"})
    controls = np.stack([_pauli(2, {q: c}) for q in (0, 1) for c in "XY"])
    goal = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])

    def f(x):
        def step(u, c):
            a = -1j * 0.2 * (drift + jnp.einsum("k,kij->ij", c, controls))
            term = total = jnp.eye(4, dtype=complex)
            for k in range(1, 13):  # exp(a), |a| < 1
                term = term @ a / k
                total = total + term
            return total @ u, None

        u, _ = jax.lax.scan(step, jnp.eye(4, dtype=complex), x.reshape(25, 4))
        return 1 - jnp.abs(jnp.trace(goal.T @ u)) ** 2 / 16 + 1e-4 * jnp.mean(x * x)

    return (np.random.default_rng(96).uniform(-0.5, 0.5, 100), *jaxed(f))


@register("design", "antenna array pattern synthesis (phases only)")
def antenna_phases():
    """Phases of 32 elements: a main lobe kept, side lobes down, log-sum-exp of the pattern."""
    theta = np.linspace(-np.pi / 2, np.pi / 2, 181)
    steer = np.exp(1j * np.pi * np.outer(np.sin(theta), np.arange(32)))
    goal = np.abs(theta - 0.35) < 0.07
    outside = np.abs(theta - 0.35) > 0.12

    def f(x):
        power = jnp.abs(steer @ jnp.exp(1j * x)) ** 2 / 32**2
        side = jax.scipy.special.logsumexp(40 * power[outside]) / 40
        return 10 * side - jnp.log(jnp.mean(power[goal]) + 1e-9)

    return (np.random.default_rng(98).uniform(-0.3, 0.3, 32), *jaxed(f))
