"""
Beside scikit-learn's own solvers
=================================

Two models of scikit-learn on data that come with it, fitted by its own solvers and by this
library: a multinomial logistic regression, where the objective is written out and the coefficients
are compared, and a Gaussian process, whose regressor takes any optimizer as an argument.
"""

# %%
# Handwritten digits: 1797 images of 64 pixels, 10 classes. The objective of
# ``LogisticRegression`` is the mean of -log p(label) plus the squares of the coefficients, without
# the intercepts, times 1 / (2 C m) for m samples. It has 650 variables.
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import log_softmax
from sklearn.datasets import load_diabetes, load_digits
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression

from quasinewton import minimize, plot

TOLERANCE = 1e-7  # on max|g|, for all solvers

pixels, digits = load_digits(return_X_y=True)
m = len(digits)
A = np.column_stack([pixels / 16.0, np.ones(m)])
Y = np.eye(10)[digits]
penalty = np.append(np.full(64, 1.0 / m), 0.0)[:, None]  # C = 1


def fun(x):
    """The objective and its gradient."""
    W = x.reshape(65, 10)
    log_p = log_softmax(A @ W, axis=1)
    f = -(Y * log_p).sum() / m + 0.5 * (penalty * W**2).sum()
    return f, (A.T @ (np.exp(log_p) - Y) / m + penalty * W).ravel()


def hessp(x, p):
    """The product of the Hessian with p."""
    V = p.reshape(65, 10)
    probability = np.exp(log_softmax(A @ x.reshape(65, 10), axis=1))
    change = A @ V
    change -= (probability * change).sum(axis=1, keepdims=True)
    return (A.T @ (probability * change) / m + penalty * V).ravel()


def show(name, f, g, evaluations, start):
    """A line of the table."""
    seconds = time.perf_counter() - start
    print(f"{name:28}{f:16.10f}{np.abs(g).max():10.1e}{evaluations:>16}{seconds:9.2f}")


def head(objective):
    print(f"{'':28}{objective:>16}{'max|g|':>10}{'evaluations':>16}{'seconds':>9}")


# numba compiles, or loads, the methods before time is taken
for method in ("arc_hybrid", "arc_lsr1", "trust_cg"):
    for n in (2, 650):
        minimize(lambda x: (x @ x, 2.0 * x), np.ones(n), jac=True, method=method)

# %%
# scikit-learn tells its iterations only; ``trust_cg`` has products with the Hessian beside its
# evaluations.
head("objective")
coefficients = {}
for solver in ("lbfgs", "newton-cg"):
    start = time.perf_counter()
    model = LogisticRegression(solver=solver, tol=TOLERANCE, max_iter=10_000)
    model.fit(A[:, :64], digits)
    x = np.column_stack([model.coef_, model.intercept_]).T.ravel()
    show(f"scikit-learn {solver}", *fun(x), f"{model.n_iter_[0]} iterations", start)
    coefficients[solver] = x

results = {}
for method, products in (("arc_hybrid", None), ("trust_cg", hessp)):
    start = time.perf_counter()
    result = minimize(
        fun, np.zeros(650), jac=True, hessp=products, method=method, tol=TOLERANCE,
        options={"history": True},
    )  # fmt: skip
    cost = f"{result.nfev} + {result.nhev}" if products else str(result.nfev)
    show(method, result.fun, result.jac, cost, start)
    results[method] = result
    coefficients[method] = result.x

# %%
# The optimum is one point: all coefficients agree as far as the tolerance determines them.
best = coefficients["trust_cg"]
for name, x in coefficients.items():
    print(f"{name:12} largest difference {np.abs(x - best).max():.1e} of {np.abs(best).max():.2f}")
figure = plot.convergence(results)

# %%
# A Gaussian process on a fourth of the diabetes data. Its kernel has a length for each of the ten
# features, an amplitude and a level of noise; the logarithms of these twelve are the variables, and
# the objective is minus the log of the marginal likelihood. ``optimizer`` takes a function of the
# objective, the start and bounds. The likelihood has several maxima; from lengths of 10 both
# solvers find the same one.
features, progression = (v[::4] for v in load_diabetes(return_X_y=True))
features = features / features.std(axis=0)
progression = (progression - progression.mean()) / progression.std()


class Counting(GaussianProcessRegressor):
    """A regressor that counts evaluations of the likelihood."""

    evaluations = 0

    def log_marginal_likelihood(self, *args, **kwargs):
        self.evaluations += 1
        return super().log_marginal_likelihood(*args, **kwargs)


def arc_lsr1(objective, start, bounds):
    result = minimize(objective, start, jac=True, method="arc_lsr1", tol=1e-4)
    return result.x, result.fun


# Bounds of scikit-learn's solver so wide that they do not matter.
kernel = ConstantKernel() * RBF(np.full(10, 10.0), (1e-5, 1e30)) + WhiteKernel()
head("-log likelihood")
regressors = {}
for name, optimizer in (("scikit-learn fmin_l_bfgs_b", "fmin_l_bfgs_b"), ("arc_lsr1", arc_lsr1)):
    start = time.perf_counter()
    regressor = Counting(kernel, optimizer=optimizer).fit(features, progression)
    evaluations = regressor.evaluations
    value, slope = regressor.log_marginal_likelihood(regressor.kernel_.theta, eval_gradient=True)
    show(name, -value, slope, evaluations, start)
    regressors[name] = regressor

# %%
# Lengths beyond 100 standard deviations say that a feature does not matter; how far beyond, the
# likelihood does not say, and each solver stops where its gradient is small.
names = load_diabetes().feature_names
for name, regressor in regressors.items():
    lengths = regressor.kernel_.k1.k2.length_scale
    used = [f"{n} {v:.2f}" for n, v in zip(names, lengths, strict=True) if v < 100.0]
    print(f"{name:28}{', '.join(used)}")
plt.show()
