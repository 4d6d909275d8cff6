"""
Methods beside each other
=========================

Performance and data profiles on the small test problems of the library, with SciPy's BFGS and
L-BFGS-B. The cost of a run is its gradients and Hessian products; a problem counts as solved where
the gradient at the end is small, whatever the solver says of itself. The large comparison, on the
problems of CUTEst and with more solvers, is on the page of benchmarks.
"""

# %%
# Two to ten variables, each from its standard start. A run has 1000 evaluations.
import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize

from quasinewton import minimize, plot, problems

chosen = [problem for problem in problems.all() if 2 <= problem.n <= 10]
print(len(chosen), "problems")

#: max|g| at the end, relative to the start where that is large.
TOLERANCE = 1e-6


def own(method):
    def solve(problem, gtol):
        return minimize(
            problem.fun, problem.x0, jac=problem.grad, hessp=problem.hessp, method=method,
            options={"gtol": gtol, "maxfev": 1000},
        )  # fmt: skip

    return solve


def scipys(method):
    def solve(problem, gtol):
        return scipy.optimize.minimize(
            problem.fun, problem.x0, jac=problem.grad, method=method,
            options={"gtol": gtol, "maxiter": 1000} | extra[method],
        )  # fmt: skip

    return solve


extra = {"BFGS": {}, "L-BFGS-B": {"ftol": 0.0, "maxfun": 1000}}
solvers = {name: own(name) for name in ("arc_lsr1", "arc_hybrid", "trust_cg")}
solvers |= {name: scipys(name) for name in extra}

# %%
costs = {name: np.full(len(chosen), np.inf) for name in solvers}
for k, problem in enumerate(chosen):
    gtol = TOLERANCE * max(1.0, np.abs(problem.grad(problem.x0)).max())
    for name, solve in solvers.items():
        result = solve(problem, gtol)
        if np.abs(problem.grad(result.x)).max() <= gtol:
            costs[name][k] = result.njev + result.get("nhev", 0)
figure = plot.profiles(costs, np.array([problem.n for problem in chosen]), "2 <= n <= 10")

# %%
# Left, at 1: the share of problems on which a method is cheapest; further right, how robust it is.
print(f"{'method':12}{'solved':>8}{'cheapest':>10}")
least = np.min(list(costs.values()), axis=0)
for name, cost in costs.items():
    print(f"{name:12}{np.isfinite(cost).sum():8d}{(cost == least)[np.isfinite(least)].sum():10d}")
plt.show()
