"""
Maximum likelihood with standard errors
=======================================

How often do people see a doctor in a year? Counts like these vary more than a Poisson distribution
allows. Here a negative binomial regression is fitted by maximum likelihood, and the Hessian at the
maximum gives standard errors and confidence intervals.
"""

# %%
# The data are simulated, so that the truth is known: 800 people, with an intercept, age (in units
# of its standard deviation) and a yes-or-no variable.
import numpy as np
from scipy.special import digamma, gammaln

from quasinewton import minimize, standard_errors

rng = np.random.default_rng(1)
m = 800
A = np.column_stack([np.ones(m), rng.normal(size=m), rng.random(m) < 0.3])
truth = np.array([0.7, 0.4, -0.5, np.log(0.6)])  # three coefficients, log of the overdispersion
mean, shape = np.exp(A @ truth[:3]), np.exp(-truth[3])
visits = rng.poisson(mean * rng.gamma(shape, 1.0 / shape, size=m))


# %%
# The objective is minus the log of the likelihood. The overdispersion must be positive, so its
# logarithm is the variable.
def fun(x):
    """Minus the log of the likelihood, and its gradient."""
    eta, r = A @ x[:3], np.exp(-x[3])
    mu = np.exp(eta)
    log_p = (
        gammaln(visits + r) - gammaln(r) - gammaln(visits + 1.0)
        + r * np.log(r / (r + mu)) + visits * np.log(mu / (r + mu))
    )  # fmt: skip
    by_eta = (visits - mu) * r / (r + mu)
    by_r = digamma(visits + r) - digamma(r) + np.log(r / (r + mu)) + 1.0 - (visits + r) / (r + mu)
    return -log_p.sum(), -np.append(A.T @ by_eta, -r * by_r.sum())


result = minimize(fun, np.zeros(4), jac=True, tol=1e-6, options={"check_derivatives": True})
print(result.message, result.nfev, "evaluations")

# %%
# The inverse of the Hessian at the maximum estimates the covariance of the coefficients.
# `quasinewton.standard_errors` makes this Hessian by differences of the gradient and returns the
# square roots of the diagonal. (``result.hess_inv``, the model that the steps have left, is not
# exact enough for this: no step had to know all of it.) The page :doc:`/howto/errors` says when to
# believe such errors.
errors = standard_errors(fun, result, jac=True)
print(f"{'':18}{'truth':>9}{'estimate':>10}{'std. error':>12}{'95 % interval':>20}")
for name, true, x, e in zip(
    ("intercept", "age", "yes-or-no", "log overdispersion"), truth, result.x, errors, strict=True
):
    print(f"{name:18}{true:9.3f}{x:10.3f}{e:12.3f}{x - 1.96 * e:12.3f}{x + 1.96 * e:8.3f}")

# %%
# Can these errors be believed? They hold if the likelihood is close to a quadratic within a few
# standard errors of the maximum. That is easy to see: fix one variable, maximise over the others,
# and compare with the parabola. Each fit starts from the one before.
import matplotlib.pyplot as plt  # noqa: E402

k = 3  # the overdispersion
steps = np.linspace(-3.0, 3.0, 13)
profile, free = [], np.delete(result.x, k)
for step in steps:
    fixed = result.x[k] + step * errors[k]

    def rest(z, fixed=fixed):
        f, g = fun(np.insert(z, k, fixed))
        return f, np.delete(g, k)

    fit = minimize(rest, free, jac=True)
    free = fit.x
    profile.append(fit.fun - result.fun)

figure, axes = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
axes.plot(steps, 0.5 * steps**2, color="0.5", label="parabola")
axes.plot(steps, profile, "o", color="#0072B2", label="likelihood")
axes.axhline(0.5 * 1.96**2, color="#D55E00", lw=0.8, ls="--", label="95 %")
axes.set(xlabel="log overdispersion, in standard errors from the estimate",
         ylabel="loss of log-likelihood")  # fmt: skip
axes.legend()
plt.show()
