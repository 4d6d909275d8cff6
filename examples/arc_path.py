"""
The path of a run, and what its model has learnt
================================================

`arc_lsr1` on Rosenbrock's function: where it goes, how long its steps are, and how close the
SR1 model at the end is to the Hessian. The figures are matplotlib's: ``plt.show`` shows them, and
``figure.savefig`` keeps them.
"""

# %%
# Crosses in the second figure are rejected trials: they cost a value, mostly no gradient. The
# ratio of actual to predicted decrease tends to 1 as the model becomes exact.
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import rosen, rosen_der, rosen_hess

from quasinewton import minimize, plot

x0 = [-1.2, 1.0]
options = {"gtol": 1e-8, "history": "spectrum", "return_all": True}
results = {
    method: minimize(rosen, x0, jac=rosen_der, method=method, options=options)
    for method in ("arc_lsr1", "arc_lbfgs")
}
figure = plot.path(rosen, results)

# %%
result = results["arc_lsr1"]
figure = plot.steps(result)

# %%
# The model is a ``LinearOperator``; in two variables it is small enough to be looked at. On the way
# its eigenvalues are far off at times, and of the wrong sign; they settle as the steps get short.
figure = plot.spectrum(result)
print(np.round(result.hess @ np.eye(2), 2))
print(rosen_hess(result.x).round(2))

# %%
# A model that cannot be indefinite, arc_lbfgs, goes the same way here.
figure = plot.convergence(results)
plt.show()
