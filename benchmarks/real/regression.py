"""Regression: generalised linear models, survival, robust and ordinal ones. Mostly convex."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.nn import log_softmax, softplus
from jax.scipy.special import gammaln, ndtr
from scipy.special import expit
from sklearn import datasets

from real.registry import frame, jaxed, register, splitter, standardise, with_one


def _logistic(a, y, l2, free_last=True):
    """Mean log loss + l2/2 |w|^2 as scikit-learn has it; y in -1, 1; a dense or sparse."""
    n, m = a.shape[1], a.shape[0]
    w = np.full(n, l2)
    w[-1] = 0.0 if free_last else l2
    at = a.T.tocsr() if sp.issparse(a) else a.T

    def fun(x):
        z = y * (a @ x)
        return np.logaddexp(0, -z).mean() + 0.5 * (w * x) @ x, at @ (-y * expit(-z)) / m + w * x

    def hessp(x, p):
        s = expit(a @ x)
        return at @ (s * (1 - s) * (a @ p)) / m + w * p

    return np.zeros(n), fun, hessp


def _cancer():
    """scikit-learn's breast-cancer data, y in -1, 1."""
    a, y = datasets.load_breast_cancer(return_X_y=True)
    return a, 2.0 * y - 1


@register("regression", "sklearn LogisticRegression on load_breast_cancer, standardised",
          convex=True)  # fmt: skip
def logit_cancer():
    """L2 logistic regression, C = 1."""
    a, y = _cancer()
    return _logistic(with_one(standardise(a)), y, 1 / len(y))


@register("regression", "`python -m quasinewton solve`", convex=True)
def logit_cancer_strong():
    """The same with l2 = 0.01 on all coefficients: the library's own example."""
    a, y = _cancer()
    return _logistic(with_one(standardise(a)), y, 1e-2, free_last=False)


@register("regression", "the same, features as they come (0.001 to 4000)", convex=True)
def logit_cancer_raw():
    """L2 logistic regression without scaling, C = 1: what the 'lbfgs failed to converge' warning
    is about."""
    a, y = _cancer()
    return _logistic(with_one(a), y, 1 / len(y))


def _multinomial(a, labels, l2):
    """Mean log loss of classes, the weights penalised, the biases not."""
    k = labels.max() + 1
    onehot = np.eye(k)[labels]
    n, split = splitter(w=(a.shape[1], k), b=(k,))

    def f(x):
        w, b = split(x)
        loss = -jnp.mean(jnp.sum(onehot * log_softmax(a @ w + b), 1))
        return loss + l2 / 2 * jnp.sum(w * w)

    return (np.zeros(n), *jaxed(f))


@register("regression", "sklearn LogisticRegression on load_iris", convex=True)
def multinomial_iris():
    """Multinomial logistic regression, C = 1, iris as it comes; the bias is a flat direction."""
    a, y = datasets.load_iris(return_X_y=True)
    return _multinomial(a, y, 1 / len(y))


@register("regression", "sklearn LogisticRegression on load_wine, not scaled", convex=True)
def multinomial_wine_raw():
    """Multinomial logistic regression, C = 1, features from 0.1 to 1700."""
    a, y = datasets.load_wine(return_X_y=True)
    return _multinomial(a, y, 1 / len(y))


@register("regression", "sklearn LogisticRegression on load_digits", convex=True)
def multinomial_digits():
    """Multinomial logistic regression, C = 1, pixels 0..1."""
    a, y = datasets.load_digits(return_X_y=True)
    return _multinomial(a / 16, y, 1 / len(y))


def _texts(seed, docs=3000, vocab=20_000, words=80):
    """tf-idf of made-up texts: Zipf's law, two classes that differ in some words."""
    rng = np.random.default_rng(seed)
    base = 1 / np.arange(1, vocab + 1) ** 1.05
    tilt = np.where(rng.random(vocab) < 0.05, rng.normal(0, 1.0, vocab), 0.0)
    y = np.where(rng.random(docs) < 0.5, -1.0, 1.0)
    p = {s: base * np.exp(s * tilt / 2) for s in (-1.0, 1.0)}
    lengths = rng.poisson(words, docs) + 5
    rows = np.repeat(np.arange(docs), lengths)
    cols = np.concatenate([
        rng.choice(vocab, k, p=p[s] / p[s].sum()) for k, s in zip(lengths, y, strict=True)
    ])  # fmt: skip
    counts = sp.csr_matrix((np.ones(rows.size), (rows, cols)), (docs, vocab))
    idf = np.log((1 + docs) / (1 + np.asarray((counts > 0).sum(0)).ravel())) + 1
    a = counts @ sp.diags(idf)
    a = sp.diags(1 / np.sqrt(np.asarray(a.multiply(a).sum(1)).ravel())) @ a
    return sp.csr_matrix(a), y


@register("regression", "20-newsgroups-like tf-idf, made up", convex=True)
def logit_texts(seed=0):
    """L2 logistic regression on 3000 texts of 20,000 words, C = 10."""
    a, y = _texts(seed=0)
    a = sp.hstack([a, np.ones((a.shape[0], 1))]).tocsr()
    return _logistic(a, y, 1 / (10 * len(y)))


@register("regression", "liblinear's L2-loss SVM on the same texts", convex=True)
def svm_texts(seed=0):
    """Squared hinge loss, C = 1: second derivatives jump. n = 20,000."""
    a, y = _texts(seed=1)
    at = a.T.tocsr()

    def fun(x):
        r = np.maximum(0, 1 - y * (a @ x))
        return 0.5 * x @ x + r @ r, x - 2 * (at @ (y * r))

    def hessp(x, p):
        on = y * (a @ x) < 1
        return p + 2 * (at @ (on * (a @ p)))

    return np.zeros(a.shape[1]), fun, hessp


@register("regression", "click-through-like one-hot data, made up", convex=True)
def logit_clicks():
    """Logistic regression on 40,000 rows of 12 categories, one-hot: 100,000 columns, C = 1."""
    rng = np.random.default_rng(2)
    m, sizes = 40_000, [60_000, 25_000, 10_000, 3000, 1500, 300, 100, 60, 24, 10, 5]
    sizes.append(99_999 - sum(sizes))
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    cols = np.stack([s + np.minimum((k * rng.random(m) ** 3).astype(int), k - 1)
                     for s, k in zip(start, sizes, strict=True)], 1)  # fmt: skip
    a = sp.csr_matrix((np.ones(cols.size), (np.repeat(np.arange(m), 12), cols.ravel())),
                      (m, 99_999))  # fmt: skip
    a = sp.hstack([a, np.ones((m, 1))]).tocsr()
    score = a @ (0.4 * rng.standard_normal(100_000)) - 2
    return _logistic(a, np.where(score + rng.logistic(size=m) > 0, 1.0, -1.0), 1 / m)


@register("regression", "statsmodels star98, binomial GLM with interactions, raw features",
          convex=True)  # fmt: skip
def binomial_star98():
    """Binomial GLM of 303 districts, products of covariates up to 1e5, from 0."""
    d = frame("star98")
    y, m = d.NABOVE.to_numpy(float), (d.NABOVE + d.NBELOW).to_numpy(float)
    a = with_one(d.iloc[:, 2:].to_numpy(float))
    f = lambda x: jnp.mean(m * softplus(a @ x) - y * (a @ x))  # noqa: E731
    return (np.zeros(a.shape[1]), *jaxed(f))


@register("regression", "statsmodels fair, logit of affairs, raw features", convex=True)
def logit_fair():
    """Logistic regression, no penalty, sum of losses (statsmodels Logit)."""
    d = frame("fair")
    a, y = with_one(d.drop(columns="affairs").to_numpy(float)), (d.affairs > 0).to_numpy(float)
    return (np.zeros(a.shape[1]), *jaxed(lambda x: jnp.sum(softplus(a @ x) - y * (a @ x))))


@register("regression", "statsmodels spector, probit", convex=True)
def probit_spector():
    """Probit, 32 students, n = 4."""
    d = frame("spector")
    a, s = with_one(d[["GPA", "TUCE", "PSI"]].to_numpy(float)), 2 * d.GRADE.to_numpy(float) - 1
    return (np.zeros(4), *jaxed(lambda x: -jnp.sum(jnp.log(ndtr(s * (a @ x))))))


def _anes():
    """Covariates of voters, and the party of each in seven levels."""
    d = frame("anes96")
    return d[["logpopul", "selfLR", "age", "educ", "income"]].to_numpy(float), d.PID.to_numpy(int)


@register("regression", "statsmodels OrderedModel (probit) on anes96, party identification")
def ordered_probit_anes():
    """Ordered probit of 7 levels; thresholds by log increments, mean loss, from statsmodels' kind
    of start."""
    a, y = _anes()

    def f(x):
        cut = jnp.concatenate([x[5:6], x[5] + jnp.cumsum(jnp.exp(x[6:]))])
        edge = jnp.concatenate([jnp.array([-1e3]), cut, jnp.array([1e3])])
        z = a @ x[:5]
        return -jnp.mean(jnp.log(ndtr(edge[y + 1] - z) - ndtr(edge[y] - z) + 1e-300))

    return (np.r_[np.zeros(5), -1.0, np.full(5, -1.0)], *jaxed(f))


@register("regression", "McFadden's conditional logit on statsmodels modechoice", convex=True)
def conditional_logit():
    """Choice of travel mode: 4 covariates of the modes, 3 constants, income for air."""
    d = frame("modechoice")
    a = d[["ttme", "invc", "invt", "gc"]].to_numpy(float).reshape(210, 4, 4)
    choice = d.choice.to_numpy(int).reshape(210, 4)
    income = d.hinc.to_numpy(float).reshape(210, 4)[:, :1]

    def f(x):
        u = a @ x[:4] + jnp.append(x[4:7], 0.0) + jnp.array([1.0, 0, 0, 0]) * income * x[7]
        return -jnp.sum(choice * log_softmax(u))

    return (np.zeros(8), *jaxed(f))


def _cox(n, p, l2, seed):
    """Partial likelihood of made-up lifetimes, a fifth of them censored late."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, p)) * np.exp(rng.normal(0, 0.5, p))
    a[:, : p // 3] = a[:, : p // 3] > 0.5
    t = rng.exponential(np.exp(-a @ (rng.normal(0, 0.5, p) * (rng.random(p) < 0.5))))
    censor = rng.exponential(np.quantile(t, 0.8), n)
    order = np.argsort(-np.minimum(t, censor))
    a, event = a[order], (t <= censor)[order]

    def f(x):
        z = a @ x
        top = jnp.max(z)
        risk = jnp.log(jnp.cumsum(jnp.exp(z - top))) + top
        return -jnp.sum(event * (z - risk)) / n + l2 / 2 * jnp.sum(x * x)

    return (np.zeros(p), *jaxed(f))


@register("regression", "Cox partial likelihood (lifelines, PHReg), made-up survival data",
          convex=True)  # fmt: skip
def cox_small():
    """500 patients, 12 covariates, no penalty."""
    return _cox(500, 12, 0.0, 3)


@register("regression", "Cox partial likelihood with ridge (scikit-survival), made up", convex=True)
def cox_ridge():
    """400 patients, 300 covariates, l2 = 0.01."""
    return _cox(400, 300, 1e-2, 4)


@register("regression", "Student-t regression on diabetes, scale and degrees of freedom free")
def student_diabetes():
    """Robust regression, log sigma and log nu free, a weak prior on nu."""
    a, y = datasets.load_diabetes(return_X_y=True)
    a = with_one(standardise(a))

    def f(x):
        s, nu = jnp.exp(x[-2]), jnp.exp(x[-1])
        r = (y - a @ x[:-2]) / s
        norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(jnp.pi * nu) - x[-2]
        prior = x[-1] - 0.1 * nu  # Gamma(2, 0.1), as Stan's manual has it
        return -jnp.mean(norm - (nu + 1) / 2 * jnp.log1p(r * r / nu)) - prior / len(y)

    return (np.r_[np.zeros(11), np.log(y.std()), np.log(5.0)], *jaxed(f))


@register("regression", "quantile regression on statsmodels engel, pinball loss smoothed",
          convex=True)  # fmt: skip
def quantile_engel():
    """Median of food expenditure on income, raw (300 to 5000), smoothed over 10 units; n = 2."""
    d = frame("engel").to_numpy(float)

    def f(x):
        r = d[:, 1] - x[0] - x[1] * d[:, 0]
        return jnp.mean(jnp.sqrt(r * r + 100.0)) / 2

    return (np.zeros(2), *jaxed(f))


@register("regression", "Bradley-Terry ratings (chess, football), made up", convex=True)
def bradley_terry():
    """100 players, 3000 games, a weak prior."""
    rng = np.random.default_rng(6)
    i, j = rng.integers(100, size=(2, 3000))
    i, j = i[i != j], j[i != j]
    skill = rng.normal(0, 1.2, 100)
    s = np.where(skill[i] - skill[j] + rng.logistic(size=i.size) > 0, 1.0, -1.0)
    f = lambda x: jnp.sum(softplus(-s * (x[i] - x[j]))) + 0.05 * jnp.sum(x * x)  # noqa: E731
    return (np.zeros(100), *jaxed(f))
