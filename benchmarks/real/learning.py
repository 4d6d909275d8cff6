"""Machine learning: networks, factorisations, embeddings."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from sklearn import datasets

from real.registry import jaxed, register, splitter, standardise


def network(sizes, seed):
    """Size, Glorot start and forward function of a tanh network."""
    shapes = {}
    for k, (a, b) in enumerate(pairwise(sizes)):
        shapes[f"w{k}"], shapes[f"b{k}"] = (a, b), (b,)
    _, split = splitter(**shapes)
    rng = np.random.default_rng(seed)
    x0 = np.concatenate([
        np.r_[rng.uniform(-1, 1, a * b) * np.sqrt(6 / (a + b)), np.zeros(b)]
        for a, b in pairwise(sizes)])  # fmt: skip

    def forward(x, z):
        parts = split(x)
        for k in range(0, len(parts), 2):
            z = z @ parts[k] + parts[k + 1]
            z = jnp.tanh(z) if k + 2 < len(parts) else z
        return z

    return x0, forward


@register("learning", "MLPRegressor on Friedman's function 1")
def mlp_friedman():
    """10-16-16-1, 400 samples without noise, l2 = 1e-6: the fit goes far down."""
    a, y = datasets.make_friedman1(400, 10, random_state=1)
    a, y = standardise(a), standardise(y)
    x0, forward = network([10, 16, 16, 1], 31)
    f = lambda x: 0.5 * jnp.mean((forward(x, a)[:, 0] - y) ** 2) + 5e-7 * jnp.sum(x * x)  # noqa: E731
    return (x0, *jaxed(f))


@register("learning", "MLPClassifier(solver='lbfgs', tanh) on digits")
def mlp_digits():
    """64-20-10, cross entropy of 600 digits, l2 = 1e-3."""
    a, y = datasets.load_digits(return_X_y=True)
    a, y = a[:600] / 16, np.eye(10)[y[:600]]
    x0, forward = network([64, 20, 10], 32)

    def f(x):
        return -jnp.mean(jnp.sum(y * log_softmax(forward(x, a)), 1)) + 5e-4 * jnp.sum(x * x)

    return (x0, *jaxed(f))


@register("learning", "PINN for Burgers' equation (DeepXDE's L-BFGS phase), from scratch")
def pinn_burgers():
    """2-20-20-1, 400 collocation points, initial and boundary conditions; n = 501."""
    rng = np.random.default_rng(34)
    t, s = rng.random(400), rng.uniform(-1, 1, 400)
    s0 = np.linspace(-1, 1, 50)
    x0, forward = network([2, 20, 20, 1], 34)

    def f(x):
        u = lambda t, s: forward(x, jnp.stack([t, s]))[0]  # noqa: E731
        us = jax.grad(u, 1)

        def residual(t, s):
            return jax.grad(u)(t, s) + u(t, s) * us(t, s) - 0.05 * jax.grad(us, 1)(t, s)

        inside = jnp.mean(jax.vmap(residual)(t, s) ** 2)
        start = jnp.mean((jax.vmap(u)(0 * s0, s0) + np.sin(np.pi * s0)) ** 2)
        ends = jnp.mean(jax.vmap(u)(t, jnp.sign(s)) ** 2)
        return inside + start + ends

    return (x0, *jaxed(f))


def _ratings(users, items, rank, count, seed, l2):
    """Matrix factorisation with biases from incomplete ratings, sum of squares."""
    rng = np.random.default_rng(seed)
    i = (users * rng.random(count) ** 1.5).astype(int)
    j = (items * rng.random(count) ** 2).astype(int)
    p, q = rng.normal(0, 0.6, (users, rank)), rng.normal(0, 0.6, (items, rank))
    y = np.clip(np.round(3.5 + np.sum(p[i] * q[j], 1) + rng.normal(0, 0.5, count)), 1, 5) - 3.5
    _, split = splitter(p=(users, rank), q=(items, rank), b=(users,), c=(items,))

    def adder(keys, size):
        """A function that sums rows by their key; np.add.at takes ten times as long."""
        order = np.argsort(keys, kind="stable")
        edge = np.searchsorted(keys[order], np.arange(size + 1))

        def add(rows):
            total = np.vstack([np.zeros((1, rows.shape[1])), np.cumsum(rows[order], 0)])
            return total[edge[1:]] - total[edge[:-1]]

        return add

    by_user, by_item = adder(i, users), adder(j, items)

    def fun(x):
        p, q, b, c = split(x)
        pi, qj = p[i], q[j]
        r = np.einsum("kr,kr->k", pi, qj) + b[i] + c[j] - y
        gi = by_user(np.column_stack([r[:, None] * qj, r]))
        gj = by_item(np.column_stack([r[:, None] * pi, r]))
        g = np.concatenate([gi[:, :-1].ravel(), gj[:, :-1].ravel(), gi[:, -1], gj[:, -1]])
        return 0.5 * r @ r + l2 / 2 * x @ x, g + l2 * x

    x0 = np.r_[0.1 * rng.standard_normal((users + items) * rank), np.zeros(users + items)]

    def hessp(x, d):
        p, q, b, c = split(x)
        dp, dq, db, dc = split(d)
        pi, qj, dpi, dqj = p[i], q[j], dp[i], dq[j]
        r = np.einsum("kr,kr->k", pi, qj) + b[i] + c[j] - y
        dr = np.einsum("kr,kr->k", dpi, qj) + np.einsum("kr,kr->k", pi, dqj) + db[i] + dc[j]
        hi = by_user(np.column_stack([dr[:, None] * qj + r[:, None] * dqj, dr]))
        hj = by_item(np.column_stack([dr[:, None] * pi + r[:, None] * dpi, dr]))
        h = np.concatenate([hi[:, :-1].ravel(), hj[:, :-1].ravel(), hi[:, -1], hj[:, -1]])
        return h + l2 * d

    return x0, fun, hessp


@register("learning", "matrix factorisation with missing data (MovieLens-like), made up")
def factorisation_small():
    """200 users, 150 items, rank 5, 4000 ratings, l2 = 1; n = 2100."""
    return _ratings(200, 150, 5, 4000, 35, 1.0)


@register("learning", "t-SNE at fixed P (sklearn TSNE), 250 digits")
def tsne_digits():
    """KL divergence, perplexity 20, from a random start of 1e-4; n = 500."""
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold._t_sne import _joint_probabilities

    a = datasets.load_digits().data[:250]
    p = squareform(_joint_probabilities(squareform(pdist(a, "sqeuclidean")).astype(np.float32),
                                        20, 0))  # fmt: skip

    def f(x):
        y = x.reshape(250, 2)
        s = jnp.sum(y * y, 1)
        w = (1 / (1 + jnp.maximum(s[:, None] + s - 2 * y @ y.T, 0))) * (1 - jnp.eye(250))
        return -jnp.sum(p * jnp.log(w + jnp.eye(250))) + jnp.log(jnp.sum(w))

    return (1e-4 * np.random.default_rng(39).standard_normal(500), *jaxed(f))


@register("learning", "neighbourhood components analysis (sklearn, which calls L-BFGS-B), wine")
def nca_wine():
    """Linear map of 13 standardised features to the plane; n = 26; from the identity."""
    a, y = datasets.load_wine(return_X_y=True)
    a, same = standardise(a), (y[:, None] == y[None]) * 1.0

    def f(x):
        z = a @ x.reshape(2, 13).T
        s = jnp.sum(z * z, 1)
        d = s[:, None] + s - 2 * z @ z.T + 1e10 * jnp.eye(len(y))
        return -jnp.sum(jnp.exp(log_softmax(-d, axis=1)) * same) + 1e-2 * jnp.sum(x * x)

    return (np.eye(2, 13), *jaxed(f))


@register("learning", "GloVe word vectors from made-up co-occurrences")
def glove():
    """400 words, dimension 16, weighted squares of logs; n = 13,600."""
    rng = np.random.default_rng(40)
    v, k = 400, 16
    topic = rng.normal(0, 0.5, (v, 6))
    rate = np.exp(topic @ topic.T) * np.outer(*[1 / np.arange(1, v + 1) ** 0.8] * 2) * 300
    c = rng.poisson(rate)
    weight, logs = np.minimum(1, (c / 50) ** 0.75), np.log(np.maximum(c, 1))
    n, split = splitter(p=(v, k), q=(v, k), b=(v,), c=(v,))

    def f(x):
        p, q, b, c = split(x)
        return jnp.sum(weight * (p @ q.T + b[:, None] + c - logs) ** 2) + 1e-3 * jnp.sum(x * x)

    return (rng.uniform(-0.5, 0.5, n) / k, *jaxed(f))


@register("learning", "radial basis function network with free centres (a deep-free surrogate)")
def rbf_network():
    """15 Gaussians with centres, log widths and weights fitted to 400 values of peaks(); n = 61."""
    rng = np.random.default_rng(41)
    a = rng.uniform(-3, 3, (400, 2))
    u, v = a.T
    y = 3 * (1 - u) ** 2 * np.exp(-(u**2) - (v + 1) ** 2) - 10 * (u / 5 - u**3 - v**5) * np.exp(
        -(u**2) - v**2) - np.exp(-((u + 1) ** 2) - v**2) / 3  # fmt: skip

    def f(x):
        c, s, w = x[:30].reshape(15, 2), x[30:45], x[45:60]
        phi = jnp.exp(-jnp.sum((a[:, None] - c) ** 2, -1) * jnp.exp(s))
        return 0.5 * jnp.mean((phi @ w + x[60] - y) ** 2) + 1e-5 * jnp.sum(x * x)

    return (np.r_[rng.uniform(-3, 3, 30), np.zeros(31)], *jaxed(f))
