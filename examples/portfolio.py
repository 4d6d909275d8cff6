"""
Constraints: the efficient frontier of a portfolio
==================================================

How much risk does a return cost? Money is to be spread over ten assets. The shares add up to one,
none is negative, and the expected return is to be at least so much. Among all such portfolios the
one of least variance is wanted (Markowitz 1952), for each return that is possible. The budget and
the return are constraints, one an equation and one an inequality.
"""

# %%
# Ten made-up assets: yearly returns and deviations that rise together, and correlations from three
# factors, as of a market, of interest rates and of one branch.
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

from quasinewton import Status, minimize

rng = np.random.default_rng(4)
n = 10
deviation = np.linspace(0.04, 0.30, n)
mean = 0.02 + 0.35 * deviation + rng.normal(0.0, 0.012, n)
loadings = rng.normal([0.7, 0.0, 0.0], [0.2, 0.4, 0.3], (n, 3))
correlation = loadings @ loadings.T
scale = np.sqrt(np.diag(correlation) + 0.4)
correlation = (correlation + 0.4 * np.eye(n)) / np.outer(scale, scale)
cov = correlation * np.outer(deviation, deviation)


# %%
# Half of the variance, and its gradient. The shares are bounded by 0 and 1, and kept there at each
# evaluation. The number of interest is small, so ``gtol`` is too.
def fun(w):
    """Half of the variance of the return, and its gradient."""
    return 0.5 * w @ cov @ w, cov @ w


def portfolio(*constraints):
    """The portfolio of least variance."""
    budget = LinearConstraint(np.ones(n), 1.0, 1.0)
    return minimize(
        fun,
        np.full(n, 1.0 / n),
        jac=True,
        bounds=Bounds(0.0, 1.0),
        constraints=[budget, *constraints],
        options={"gtol": 1e-8},
    )


def at_least(wanted):
    """The constraint on the expected return."""
    return LinearConstraint(mean, wanted, np.inf)


# %%
# The frontier begins at the portfolio of least variance of all, and ends where everything is in the
# asset of the highest return. Here it is followed to nine tenths of that return. More than all of
# it cannot be had, and the run says so.
safest = portfolio()
wanted = np.linspace(mean @ safest.x, 0.9 * mean.max(), 25)
frontier = [portfolio(at_least(value)) for value in wanted]
risks = [np.sqrt(2.0 * result.fun) for result in frontier]
refused = portfolio(at_least(1.1 * mean.max()))
assert refused.status == Status.INFEASIBLE
print(f"{sum(result.success for result in frontier)} of {len(frontier)} portfolios found")
print(f"evaluations of each: {[result.nfev for result in frontier]}")
print(f"a return of {1.1 * mean.max():.3f}: {refused.message}")

# %%
# The multiplier of the return says what the next bit of return costs in half of the variance. It is
# negative, as of any constraint at its lower side, and is the slope of the frontier.
price = np.array([-result.v[1][0] for result in frontier])
halves = np.array([result.fun for result in frontier])
slopes = np.diff(halves) / np.diff(wanted)
between = 0.5 * (price[1:] + price[:-1])
apart = abs(between / slopes - 1)[1:].max()
print(f"price and slope of the frontier differ by {apart:.1%} at most")

# %%
# A rule that is not linear: no more than a third of the variance may come from any one asset. That
# is a constraint with ten values, whose Jacobian is written down too.


def parts(w):
    """What each asset adds to the variance, above a third of it."""
    return w * (cov @ w) - (w @ cov @ w) / 3.0


def parts_jac(w):
    """The Jacobian of this."""
    return np.diag(cov @ w) + w[:, None] * cov - 2.0 / 3.0 * (cov @ w)


spread = NonlinearConstraint(parts, -np.inf, 0.0, jac=parts_jac)
middle = 0.5 * (wanted[0] + wanted[-1])
free, even = portfolio(at_least(middle)), portfolio(at_least(middle), spread)
shares = [w * (cov @ w) / (w @ cov @ w) for w in (free.x, even.x)]
print(f"largest part of the variance: {shares[0].max():.3f}, with the rule {shares[1].max():.3f}")
print(f"deviation: {np.sqrt(2 * free.fun):.4f}, with the rule {np.sqrt(2 * even.fun):.4f}")

# %%
# Left: the frontier, to the left of all single assets. Right: what it is made of. Assets come and
# leave where a bound ends or begins to hold them.
figure, panels = plt.subplots(1, 2, figsize=(10.0, 4.2), layout="constrained")
panels[0].plot(risks, wanted, label="frontier")
panels[0].scatter(deviation, mean, color="C7", label="single assets")
panels[0].scatter(np.sqrt(2 * even.fun), mean @ even.x, color="C1", label="with the rule", zorder=3)
panels[0].set(xlabel="deviation", ylabel="expected return", xlim=(0.0, None))
panels[0].legend()
held = np.array([result.x for result in frontier])
panels[1].stackplot(wanted, held.T, colors=plt.cm.tab10.colors)
panels[1].set(xlabel="expected return", ylabel="shares", ylim=(0.0, 1.0))
panels[1].margins(x=0.0)
plt.show()
