"""Inverse problems: images, waves, parameters of differential equations, data assimilation."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from real.registry import jaxed, register


def _photo(k, row=100, column=200):
    """A grey k x k part of scikit-learn's china.jpg, 0..1, every second pixel."""
    from sklearn.datasets import load_sample_image

    a = load_sample_image("china.jpg").mean(-1) / 255
    return a[row : row + 2 * k : 2, column : column + 2 * k : 2]


def _tv(u, eps):
    a, b = jnp.diff(u, axis=0)[:, :-1], jnp.diff(u, axis=1)[:-1]
    return jnp.sum(jnp.sqrt(a * a + b * b + eps * eps))


@register("inverse", "TV denoising (skimage users), smoothed, a photo of scikit-learn", convex=True)
def tv_denoise():
    """128 x 128, noise 0.1, weight 0.1, eps 1e-2; from the noisy image."""
    y = _photo(128) + 0.1 * np.random.default_rng(70).standard_normal((128, 128))

    def f(x):
        u = x.reshape(128, 128)
        return 0.5 * jnp.sum((u - y) ** 2) + 0.1 * _tv(u, 1e-2)

    return (y, *jaxed(f))


def _blur(k, width):
    z = np.minimum(np.arange(k), k - np.arange(k))
    g = np.exp(-0.5 * (z / width) ** 2)
    kernel = np.outer(g, g) / g.sum() ** 2
    hat = np.fft.rfft2(kernel)
    return lambda u: jnp.fft.irfft2(hat * jnp.fft.rfft2(u), s=(k, k))


@register("inverse", "phase retrieval (Wirtinger flow), intensities of random masks")
def phase_retrieval():
    """A complex signal of 64 from 6 x 64 intensities; spectral-like start; n = 128."""
    rng = np.random.default_rng(74)
    z = rng.standard_normal(64) + 1j * rng.standard_normal(64)
    masks = np.exp(1j * rng.choice([0, np.pi / 2, np.pi, 3 * np.pi / 2], (6, 64)))
    y = np.abs(np.fft.fft(masks * z, axis=1)) ** 2 / 64
    start = z + 0.8 * (rng.standard_normal(64) + 1j * rng.standard_normal(64))

    def f(x):
        w = jnp.fft.fft(masks * (x[:64] + 1j * x[64:]), axis=1)
        return 0.25 * jnp.mean((jnp.abs(w) ** 2 / 64 - y) ** 2)

    return (np.r_[start.real, start.imag], *jaxed(f))


def _rays(k, angles):
    """Radon transform by linear interpolation between the bins of a detector, sparse."""
    c = np.arange(k) - (k - 1) / 2
    px, py = np.meshgrid(c, c)
    rows, cols, values = [], [], []
    for t, phi in enumerate(np.pi * np.arange(angles) / angles):
        s = (px * np.cos(phi) + py * np.sin(phi)).ravel() + (k - 1) / 2
        low = np.floor(s).astype(int)
        for b, w in ((low, 1 - (s - low)), (low + 1, s - low)):
            ok = (b >= 0) & (b < k)
            rows.append(t * k + b[ok]), cols.append(np.flatnonzero(ok)), values.append(w[ok])
    return sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))),
                         (angles * k, k * k))  # fmt: skip


@register("inverse", "coefficient of an elliptic equation by the adjoint (FEniCS users)")
def pde_coefficient():
    """-div(exp(m) grad u) = f on 32 x 32, u seen at every third point; m has n = 1024."""
    k = 32
    rng = np.random.default_rng(76)
    d = sp.diags([-1.0, 1.0], [0, 1], (k - 1, k)) * k
    grad = sp.vstack([sp.kron(sp.eye(k), d), sp.kron(d, sp.eye(k))]).tocsr()  # by edges
    mean = abs(grad) * (0.5 / k)  # exp(m) on edges
    robin = sp.diags(np.asarray(np.add.outer(*[np.r_[1.0, np.zeros(k - 2), 1.0]] * 2)).ravel() * k)
    load = np.ones(k * k)
    zx, zy = np.meshgrid(*[np.linspace(0, 1, k)] * 2)
    true = np.sin(3 * zx) * np.cos(4 * zy) + 1.0 * (zx > 0.6)
    seen = np.flatnonzero(np.arange(k * k) % 3 == 0)

    def solve(m):
        lu = splu((grad.T @ sp.diags(mean @ np.exp(m)) @ grad + robin).tocsc())
        return lu, lu.solve(load)

    y = solve(true.ravel())[1][seen]
    y = y + 0.002 * np.abs(y).max() * rng.standard_normal(y.size)
    weight = 1 / (0.002 * np.abs(y).max()) ** 2
    prior = (0.5 * grad.T @ grad / k**2 + 1e-3 * sp.eye(k * k)).tocsr()

    def fun(m):
        lu, u = solve(m)
        r = u[seen] - y
        rhs = np.zeros(k * k)
        rhs[seen] = weight * r
        p = lu.solve(rhs)
        g = -np.exp(m) * (mean.T @ ((grad @ u) * (grad @ p)))
        return 0.5 * weight * r @ r + 0.5 * m @ (prior @ m), g + prior @ m

    return np.zeros(k * k), fun


@register("inverse", "image registration by a free-form deformation (elastix, ANTs), B-splines")
def registration():
    """A photo and its warp, 64 x 64, 8 x 8 control points of displacement in pixels; n = 128."""
    k = 64
    import scipy.ndimage as nd

    a = nd.gaussian_filter(_photo(k), 1.0)
    g = np.arange(k)
    knots = (g[:, None] + 5) / 10 - np.arange(8)
    b = np.maximum(0, 1 - np.abs(knots)) ** 1  # linear hats
    b = nd.gaussian_filter1d(b, 3, axis=0)
    gy, gx = np.meshgrid(g, g, indexing="ij")
    move = 2.0 * np.stack([np.sin(gx / 15.0) * np.cos(gy / 20.0), np.sin(gy / 12.0)])
    fixed = nd.map_coordinates(a, [gy + move[0], gx + move[1]], order=3, mode="nearest")
    # the moving image as a smooth function: cubic B-spline coefficients on the grid
    coefficient = jnp.asarray(nd.spline_filter(np.pad(a, 8, mode="edge"), order=3))

    def cubic(t):
        t = jnp.abs(t)
        return jnp.where(t < 1, 2 / 3 - t * t * (1 - t / 2), jnp.maximum(2 - t, 0) ** 3 / 6)

    def f(x):
        c = x.reshape(2, 8, 8)
        u = jnp.einsum("iy,cyx,jx->cij", b, c, b)
        py, px = gy + u[0] + 8.0, gx + u[1] + 8.0
        iy, ix = jnp.floor(py).astype(int), jnp.floor(px).astype(int)
        value = 0.0
        for p in range(-1, 3):
            for q in range(-1, 3):
                value += cubic(py - iy - p) * cubic(px - ix - q) * coefficient[
                    jnp.clip(iy + p, 0, k + 15), jnp.clip(ix + q, 0, k + 15)]
        rough = jnp.sum(jnp.diff(c, axis=1) ** 2) + jnp.sum(jnp.diff(c, axis=2) ** 2)
        return jnp.sum((value - fixed) ** 2) + 1e-3 * rough

    return (np.zeros(128), *jaxed(f))


@register("inverse", "spectrum of six overlapping peaks (lmfit users), made up")
def peak_fit():
    """Amplitudes, centres, log widths of Gaussians and a line: 20 parameters, 300 channels."""
    rng = np.random.default_rng(79)
    t = np.linspace(0, 100, 300)
    amp, mid, width = [50, 30, 80, 40, 20, 60], [15, 30, 36, 55, 70, 74], [3, 4, 2.5, 6, 3, 2]

    def curve(a, c, w, line):
        peaks = sum(a[i] * jnp.exp(-0.5 * ((t - c[i]) / w[i]) ** 2) for i in range(6))
        return peaks + line[0] + line[1] * t

    y = np.asarray(curve(amp, mid, width, [5, 0.05])) + rng.standard_normal(300)

    def f(x):
        r = curve(x[:6], x[6:12], jnp.exp(x[12:18]), x[18:]) - y
        return 0.5 * jnp.sum(r * r)

    centres = np.array(mid) + rng.normal(0, 1.0, 6)
    x0 = np.r_[np.full(6, 40.0), centres, np.full(6, np.log(3.0)), 0, 0]
    return (x0, *jaxed(f))


@register("inverse", "pharmacokinetics: two compartments, oral dose (SciPy users), made up")
def pharmacokinetics():
    """Log rate constants and volume from 14 concentrations, relative error; n = 5."""
    t = np.array([0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 36])

    def curve(x):
        ka, k10, k12, k21, v = jnp.exp(x)
        s = k10 + k12 + k21
        d = jnp.sqrt(s * s - 4 * k10 * k21)
        a, b = (s + d) / 2, (s - d) / 2
        term = lambda p, q, r: (k21 - p) / ((q - p) * (r - p)) * jnp.exp(-p * t)  # noqa: E731
        return 100 * ka / v * (term(a, b, ka) + term(b, a, ka) + term(ka, a, b))

    true = np.log(np.array([1.4, 0.25, 0.4, 0.15, 12.0]))
    y = np.asarray(curve(true)) * np.exp(0.05 * np.random.default_rng(80).standard_normal(14))
    f = lambda x: 0.5 * jnp.sum((jnp.log(jnp.maximum(curve(x), 1e-9) / y) / 0.05) ** 2)  # noqa: E731
    return (np.log([1.0, 0.1, 0.1, 0.05, 20.0]), *jaxed(f))
