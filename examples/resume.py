"""
Stopped, saved, resumed
=======================

A `Solver` is asked for points and told what was found there, by whoever evaluates the function. It
is all in its arrays: saved in the middle and loaded elsewhere it goes on bit for bit.
"""

# %%
# The caller's loop. `fun` and `jac` may be a simulation in a queue, or a measurement.
import os
import tempfile

import matplotlib.pyplot as plt
import numpy as np

from quasinewton import Solver, plot, problems

problem = problems.get("extended_wood", n=40)


def go_on(solver, iterations=None):
    """Evaluate until the run ends, or for some iterations."""
    last = solver.nit + iterations if iterations else None
    while solver.running and solver.nit != last:
        x = solver.ask()
        solver.tell(problem.fun(x), problem.grad(x))


# %%
# One run as a whole, and one that moves to another solver after 20 iterations.
options = {"gtol": 1e-8, "history": True}
whole = Solver(problem.x0, "arc_hybrid", options)
go_on(whole)

first = Solver(problem.x0, "arc_hybrid", options)
go_on(first, iterations=20)
path = os.path.join(tempfile.mkdtemp(), "run.npz")
first.save(path)

second = Solver.load(path)
go_on(second)
print("the same bits:", np.array_equal(second.result().x, whole.result().x))

# %%
# The history has gone along, too.
results = {"resumed": second.result(), "until saved": first.result()}
figure = plot.convergence(results)
plt.show()
