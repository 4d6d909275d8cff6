"""Statistics beyond regression: processes, latent variables, time series, mixed effects."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_sigmoid, log_softmax, softplus
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp
from sklearn import datasets

from real.registry import frame, jaxed, register, splitter, standardise, with_one


def _gaussian_nll(k, y):
    """-log N(y; 0, k) by Cholesky."""
    c = jnp.linalg.cholesky(k)
    z = solve_triangular(c, y, lower=True)
    return 0.5 * z @ z + jnp.sum(jnp.log(jnp.diag(c))) + 0.5 * len(y) * np.log(2 * np.pi)


def _ard(a, y):
    """GP regression, ARD squared exponential kernel; logs of lengths, amplitude, noise."""
    n, p = a.shape

    def f(x):
        b = a / jnp.exp(x[:p])
        s = jnp.sum(b * b, 1)
        d = jnp.maximum(s[:, None] + s[None] - 2 * b @ b.T, 0)
        k = jnp.exp(2 * x[p]) * jnp.exp(-0.5 * d) + jnp.exp(2 * x[p + 1]) * jnp.eye(n)
        return _gaussian_nll(k, y)

    return (np.r_[np.zeros(p + 1), np.log(0.3)], *jaxed(f))


@register("likelihood", "GP on Friedman's function 1 (BoTorch, GPy users)")
def gp_ard_friedman():
    """Marginal likelihood, 10 length scales of which 5 matter: the others go to infinity."""
    a, y = datasets.make_friedman1(200, 10, noise=1.0, random_state=0)
    return _ard(standardise(a), standardise(y))


@register("likelihood", "sklearn's example: GP on Mauna Loa CO2 (statsmodels co2)")
def gp_co2():
    """Sum of four kernels, 11 hyperparameters in logs, from the example's start; 176 months."""
    d = frame("co2").co2.resample("MS").mean().dropna()[::3]
    t = (d.index.year + (d.index.month - 1) / 12).to_numpy(float)
    y = d.to_numpy(float) - d.mean()
    r = np.abs(t[:, None] - t[None])

    def f(x):
        p = jnp.exp(x)
        k = p[0] ** 2 * jnp.exp(-0.5 * (r / p[1]) ** 2)
        season = jnp.exp(-2 * (jnp.sin(jnp.pi * r) / p[4]) ** 2)
        k += p[2] ** 2 * jnp.exp(-0.5 * (r / p[3]) ** 2) * season
        k += p[5] ** 2 * (1 + r * r / (2 * p[6] * p[7] ** 2)) ** (-p[6])
        k += p[8] ** 2 * jnp.exp(-0.5 * (r / p[9]) ** 2) + p[10] ** 2 * jnp.eye(len(y))
        return _gaussian_nll(k, y)

    start = [50, 50, 2, 100, 1, 0.5, 1, 1, 0.1, 0.1, 0.3]
    return (np.log(start), *jaxed(f))


@register("likelihood", "Gaussian HMM (hmmlearn's model by gradient), made-up returns")
def hmm_gauss():
    """3 states, 1000 points: means, log scales, transition logits, initial logits."""
    rng = np.random.default_rng(7)
    z = np.cumsum(rng.random(1000) < 0.03) % 3
    y = np.array([0.05, -0.1, 0.4])[z] + np.array([0.3, 1.2, 0.6])[z] * rng.standard_normal(1000)
    _, split = splitter(mean=(3,), scale=(3,), trans=(3, 3), first=(3,))

    def f(x):
        mean, scale, trans, first = split(x)
        e = -0.5 * ((y[:, None] - mean) / jnp.exp(scale)) ** 2 - scale
        t = log_softmax(trans, axis=1)

        def step(a, e):
            return logsumexp(a[:, None] + t, axis=0) + e, None

        a, _ = jax.lax.scan(step, log_softmax(first) + e[0], e[1:])
        return -logsumexp(a)

    x0 = np.r_[np.quantile(y, [0.2, 0.5, 0.8]), np.zeros(3), (2 * np.eye(3)).ravel(), np.zeros(3)]
    return (x0, *jaxed(f))


def _mixture(a, k, means):
    """Full covariances by log-Cholesky factors of the precisions, mean log-likelihood."""
    m, p = a.shape
    low = np.tril_indices(p, -1)
    n, split = splitter(logits=(k,), means=(k, p), diag=(k, p), low=(k, len(low[0])))

    def f(x):
        logits, mu, diag, off = split(x)
        c = jnp.zeros((k, p, p)).at[:, low[0], low[1]].set(off)
        c += jnp.exp(diag)[:, :, None] * jnp.eye(p)
        z = jnp.einsum("kij,mkj->mki", c, a[:, None] - mu)
        e = log_softmax(logits) + jnp.sum(diag, 1) - 0.5 * jnp.sum(z * z, -1)
        return -jnp.mean(logsumexp(e, axis=1)) + 1e-3 * jnp.sum(jnp.exp(2 * diag)) / m

    return (np.r_[np.zeros(k), means.ravel(), np.zeros(n - k - k * p)], *jaxed(f))


@register("likelihood", "two-dimensional mixture (Old Faithful-like), made up")
def mixture_plane():
    """4 components where 3 made the data."""
    rng = np.random.default_rng(9)
    a = np.concatenate([rng.multivariate_normal(m, c, 150) for m, c in (
        ([0, 0], [[1, 0.8], [0.8, 1]]), ([4, 1], [[0.3, 0], [0, 2]]), ([1, 5], np.eye(2) / 2))])
    return _mixture(a, 4, a[[3, 155, 310, 400]])


@register("likelihood", "sklearn FactorAnalysis on wine, by gradient")
def factor_wine():
    """3 factors of 13 standardised variables: loadings (rotations are free) and log variances."""
    a = standardise(datasets.load_wine().data)
    s, n = a.T @ a / len(a), 13
    rng = np.random.default_rng(10)

    def f(x):
        w, psi = x[: 3 * n].reshape(n, 3), jnp.exp(x[3 * n :])
        c = jnp.linalg.cholesky(w @ w.T + jnp.diag(psi))
        return jnp.sum(jnp.log(jnp.diag(c))) + 0.5 * jnp.trace(
            jax.scipy.linalg.cho_solve((c, True), s)
        )

    return (np.r_[0.3 * rng.standard_normal(3 * n), np.zeros(n)], *jaxed(f))


def _returns(n, seed):
    rng = np.random.default_rng(seed)
    h, e, out = 1.0, 0.0, []
    for _ in range(n):
        h = 0.02 + 0.08 * e * e + 0.9 * h
        e = np.sqrt(h) * rng.standard_t(7) * np.sqrt(5 / 7)
        out.append(0.03 + e)
    return np.array(out)


def _garch_variance(e, omega, alpha, beta):
    def step(h, e):
        return omega + alpha * e * e + beta * h, h

    return jax.lax.scan(step, jnp.mean(e * e), e)[1]


@register("likelihood", "GARCH(1,1) with Student-t errors, returns not scaled (0.01)")
def garch_t_raw():
    """As users feed it: returns of 1 per cent as 0.01, the mean in the same units; mean loss."""
    y = _returns(1500, 13) / 100

    def f(x):
        w = jnp.exp(log_softmax(jnp.append(x[2:4], 0.0)))
        nu, e = 2 + jnp.exp(x[4]), y - x[0]
        h = _garch_variance(e, jnp.exp(x[1]), w[0], w[1])
        norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(jnp.pi * (nu - 2) * h)
        return -jnp.mean(norm - (nu + 1) / 2 * jnp.log1p(e * e / (h * (nu - 2))))

    return ([0.0, np.log(0.1 * y.var()), np.log(0.5), np.log(8.0), np.log(6.0)], *jaxed(f))


def _kalman(y, transition, noise, observation, h, first, spread):
    """Minus the log-likelihood of a linear Gaussian state-space model."""
    def step(state, y):
        a, p = state
        v, pz = y - observation @ a, p @ observation
        s = observation @ pz + h
        a, p = a + pz * v / s, p - jnp.outer(pz, pz) / s
        ll = jnp.log(2 * jnp.pi * s) + v * v / s
        return (transition @ a, transition @ p @ transition.T + noise), ll

    return 0.5 * jnp.sum(jax.lax.scan(step, (first, spread), y)[1])


@register("likelihood", "ARMA(2,2) by state space (statsmodels ARIMA) on sunspots")
def arma_sunspots():
    """Mean, 2 AR and 2 MA by partial autocorrelations (tanh), log variance; 309 years, raw."""
    y = frame("sunspots").SUNACTIVITY.to_numpy(float)

    def stable(u):
        p = jnp.tanh(u)
        return jnp.array([p[0] * (1 - p[1]), p[1]])

    def f(x):
        ar, ma = stable(x[1:3]), -stable(x[3:5])
        t = jnp.array([[ar[0], 1.0, 0], [ar[1], 0, 1.0], [0.0, 0, 0]])
        r = jnp.array([1.0, ma[0], ma[1]])
        q = jnp.exp(x[5]) * jnp.outer(r, r)
        p = jnp.linalg.solve(jnp.eye(9) - jnp.kron(t, t), q.ravel()).reshape(3, 3)
        return _kalman(y - x[0], t, q, jnp.array([1.0, 0, 0]), 0.0, jnp.zeros(3), p)

    return ([y.mean(), 0.5, 0.0, 0.1, 0.0, np.log(y.var())], *jaxed(f))


@register("likelihood", "local level model (statsmodels UnobservedComponents) on nile")
def local_level_nile():
    """Two log variances, n = 2."""
    y = frame("nile").volume.to_numpy(float)
    one = jnp.ones(1)

    def f(x):
        return _kalman(y[1:], jnp.eye(1), jnp.exp(x[1]) * jnp.eye(1), one, jnp.exp(x[0]),
                       y[0] * one, (jnp.exp(x[0]) + jnp.exp(x[1])) * jnp.eye(1))  # fmt: skip

    return ([np.log(y.var()), np.log(y.var())], *jaxed(f))


@register("likelihood", "basic structural model on monthly CO2 (statsmodels)")
def structural_co2():
    """Level, slope, 12 seasons, noise: 4 log variances, from 0; 13 states, 180 months."""
    d = frame("co2").co2.resample("MS").mean().interpolate()[-180:]
    y = d.to_numpy(float) - d.iloc[0]
    t = np.zeros((13, 13))
    t[0, :2], t[1, 1], t[2, 2:] = 1, 1, -1
    t[3:, 2:12] = np.eye(10)
    z = np.zeros(13)
    z[[0, 2]] = 1

    def f(x):
        q = jnp.zeros(13).at[:3].set(jnp.exp(x[:3]))
        return _kalman(y, t, jnp.diag(q), z, jnp.exp(x[3]), jnp.zeros(13), 100.0 * jnp.eye(13))

    return (np.zeros(4), *jaxed(f))


@register("likelihood", "linear mixed model (lme4's sleepstudy, made up), log-Cholesky")
def mixed_slopes():
    """Random intercepts and slopes of 60 subjects: 2 effects, 3 of the factor, log sigma."""
    rng = np.random.default_rng(14)
    days = np.arange(10.0)
    z = np.column_stack([np.ones(10), days])
    b = rng.multivariate_normal([250, 10], [[600, 9], [9, 35]], 60)
    y = b @ z.T + 25 * rng.standard_normal((60, 10))

    def f(x):
        c = jnp.array([[jnp.exp(x[2]), 0.0], [x[3], jnp.exp(x[4])]])
        v = z @ (c @ c.T) @ z.T + jnp.exp(2 * x[5]) * jnp.eye(10)
        k = jnp.linalg.cholesky(v)
        r = solve_triangular(k, (y - x[:2] @ z.T).T, lower=True)
        return 60 * jnp.sum(jnp.log(jnp.diag(k))) + 0.5 * jnp.sum(r * r)

    return ([y.mean(), 0.0, 3.0, 0.0, 1.0, np.log(y.std())], *jaxed(f))


@register("likelihood", "logistic mixed model, penalised mode (lme4's inner problem), made up",
          convex=True)  # fmt: skip
def glmm_mode():
    """3 fixed effects and 200 + 100 crossed random effects of 3000 answers, variances fixed."""
    rng = np.random.default_rng(15)
    i, j = rng.integers(200, size=3000), rng.integers(100, size=3000)
    a = rng.standard_normal((3000, 3))
    eta = a @ [1, -0.5, 0.2] + rng.normal(0, 1, 200)[i] + rng.normal(0, 0.7, 100)[j]
    s = np.where(eta + rng.logistic(size=3000) > 0, 1.0, -1.0)

    def f(x):
        u, v = x[3:203], x[203:]
        z = a @ x[:3] + u[i] + v[j]
        return jnp.sum(softplus(-s * z)) + 0.5 * jnp.sum(u * u) + jnp.sum(v * v)

    return (np.zeros(303), *jaxed(f))


@register("likelihood", "ADVI with fixed noise (Stan, PyMC; sample average), breast cancer")
def elbo_logistic():
    """Mean-field Gaussian for a Bayesian logistic regression, 20 fixed draws: n = 62."""
    a, y = datasets.load_breast_cancer(return_X_y=True)
    a, s = with_one(standardise(a)), 2.0 * y - 1
    z = np.random.default_rng(16).standard_normal((20, 31))

    def f(x):
        w = x[:31] + jnp.exp(x[31:]) * z
        log_p = -jnp.sum(softplus(-s * (w @ a.T)), 1) - 0.5 * jnp.sum(w * w, 1)
        return -jnp.mean(log_p) - jnp.sum(x[31:])

    return (np.r_[np.zeros(31), np.full(31, -1.0)], *jaxed(f))


@register("likelihood", "item response theory (2PL), joint MAP, made up")
def irt_2pl():
    """300 persons, 40 items: abilities, log discriminations, difficulties."""
    rng = np.random.default_rng(17)
    theta, a, b = rng.normal(size=300), np.exp(rng.normal(0, 0.4, 40)), rng.normal(size=40)
    s = np.where(a * (theta[:, None] - b) + rng.logistic(size=(300, 40)) > 0, 1.0, -1.0)

    def f(x):
        t, la, d = x[:300], x[300:340], x[340:]
        z = jnp.exp(la) * (t[:, None] - d)
        return -jnp.sum(log_sigmoid(s * z)) + 0.5 * jnp.sum(t * t) + jnp.sum(2 * la**2 + d * d / 8)

    return (np.zeros(380), *jaxed(f))


@register("likelihood", "Weibull fit with censoring (lifelines WeibullFitter), made up")
def weibull_censored():
    """200 lifetimes in days (about 1000), log scale and log shape from 0; mean loss. n = 2."""
    rng = np.random.default_rng(19)
    t = 1000 * rng.weibull(1.7, 200)
    c = rng.uniform(200, 3000, 200)
    y, d = np.minimum(t, c), t <= c

    def f(x):
        k, lz = jnp.exp(x[1]), np.log(y) - x[0]
        return -jnp.mean(d * (x[1] - x[0] + (k - 1) * lz) - jnp.exp(k * lz))

    return (np.zeros(2), *jaxed(f))
