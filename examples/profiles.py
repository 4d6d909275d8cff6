"""
Beside SciPy's methods
======================

How many evaluations do the methods need on many problems? A performance profile shows it at a
glance. Here are the small test problems of the library, with SciPy's BFGS, L-BFGS-B and CG. A
problem counts as solved if the gradient at the end is small, whatever the solver says of itself.
The large comparison, on the problems of CUTEst and with more solvers, is on the page of
benchmarks. ``python examples/profiles.py FILE`` saves the picture.
"""

# %%
# The problems have two to 31 variables. Each is solved from its standard start.
import sys

import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize

from quasinewton import minimize, plot, problems

chosen = [problem for problem in problems.all() if 2 <= problem.n <= 31]
print(len(chosen), "problems")

#: Wanted is max|g| <= TOLERANCE max(1, max|g| at the start).
TOLERANCE = 1e-6
MOST = 1000  # evaluations, or iterations of SciPy's methods that take no such limit


def own(products):
    def solve(problem, gtol):
        return minimize(
            problem.fun, problem.x0, jac=problem.grad, hessp=problem.hessp if products else None,
            options={"gtol": gtol, "maxfev": MOST},
        )  # fmt: skip

    return solve


def scipys(method, **extra):
    def solve(problem, gtol):
        return scipy.optimize.minimize(
            problem.fun, problem.x0, jac=problem.grad, method=method,
            options={"gtol": gtol, "maxiter": MOST, **extra},
        )  # fmt: skip

    return solve


solvers = {
    "default": own(products=False),
    "default with hessp": own(products=True),
    "SciPy BFGS": scipys("BFGS"),
    "SciPy L-BFGS-B": scipys("L-BFGS-B", ftol=0.0, maxfun=MOST),
    "SciPy CG": scipys("CG"),
}

# %%
# The default without second derivatives is ``trust_hybrid``, with products of the Hessian
# ``trust_cg``. The cost of a run is the number of evaluations, of f or of the gradient, whichever
# is larger, plus the number of products.
costs = {name: np.full(len(chosen), np.inf) for name in solvers}
with np.errstate(all="ignore"):  # trials of SciPy's line searches may overflow
    for k, problem in enumerate(chosen):
        gtol = TOLERANCE * max(1.0, np.abs(problem.grad(problem.x0)).max())
        for name, solve in solvers.items():
            result = solve(problem, gtol)
            if np.abs(problem.grad(result.x)).max() <= gtol:
                products = result.nhev if name == "default with hessp" else 0
                costs[name][k] = max(result.nfev, result.njev) + products
figure = plot.profiles(costs, np.array([problem.n for problem in chosen]), "2 <= n <= 31")

# %%
# In the left picture, the height of a curve at 1 is the share of problems on which that method is
# cheapest. At 2 it is the share that the method solves with at most twice the evaluations of the
# cheapest method, and so on. The last column of the table is the geometric mean of the cost beside
# L-BFGS-B, over the problems that both solve.
least = np.min(list(costs.values()), axis=0)
table = f"{'method':20}{'solved':>8}{'cheapest':>10}{'mean cost':>11}\n"
means = {}
for name, cost in costs.items():
    both = np.isfinite(cost) & np.isfinite(costs["SciPy L-BFGS-B"])
    means[name] = np.exp(np.mean(np.log(cost[both] / costs["SciPy L-BFGS-B"][both])))
    cheapest = (cost == least)[np.isfinite(least)].sum()
    table += f"{name:20}{np.isfinite(cost).sum():8d}{cheapest:10d}{means[name]:11.2f}\n"
print(table)

if len(sys.argv) > 1 and __name__ == "__main__":
    figure.savefig(sys.argv[1], dpi=80, metadata={"Comment": table})
else:
    plt.show()
