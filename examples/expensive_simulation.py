"""
An expensive simulation, asked and told
=======================================

A simulation takes hours, runs elsewhere and has no gradient. `Solver` asks for a point, and is
told what was found there, by a program that may stop at any time and be started again. Here the
simulation is a small one of chemical kinetics, so that this page can be built.
"""

# %%
# A -> B -> C: the concentration of B, which is measured, depends on two rates. The simulation gets
# the logarithms of the rates and returns half the sum of squares of the misfit.
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.integrate import solve_ivp

from quasinewton import Solver

times = np.linspace(0.5, 12.0, 24)


def concentration(rates):
    a, b = rates
    path = solve_ivp(lambda t, c: [-a * c[0], a * c[0] - b * c[1]], (0.0, 12.0), [1.0, 0.0],
                     t_eval=times, rtol=1e-10, atol=1e-12)  # fmt: skip
    return path.y[1]


measured = concentration((0.8, 0.25)) + 0.01 * np.random.default_rng(0).standard_normal(24)


def simulate(x):
    """The job: in practice a script that is sent to a queue."""
    return 0.5 * float(np.sum((concentration(np.exp(x)) - measured) ** 2))


# %%
# Without a gradient, central differences need four simulations in two variables. They do not
# depend on each other, so all five are run at once. What was simulated is kept in a file: a job
# whose result is known is never run again.
folder = tempfile.mkdtemp()
checkpoint, journal = os.path.join(folder, "run.npz"), os.path.join(folder, "journal.json")
STEP = 1e-4
jobs = 0


def run_jobs(points):
    """The results of simulations at these points, those in the journal included."""
    global jobs
    known = {}
    if os.path.exists(journal):
        with open(journal) as file:
            known = json.load(file)
    names = [" ".join(float(v).hex() for v in point) for point in points]
    missing = [i for i, name in enumerate(names) if name not in known]
    with ThreadPoolExecutor(5) as pool:
        values = list(pool.map(simulate, [points[i] for i in missing]))
    jobs += len(missing)
    known |= {names[i]: value for i, value in zip(missing, values, strict=True)}
    with open(journal, "w") as file:
        json.dump(known, file)
    return np.array([known[name] for name in names])


def go_on(iterations):
    """Load the run, or begin it; go on for some iterations; save after each."""
    if os.path.exists(checkpoint):
        solver = Solver.load(checkpoint)
    else:
        solver = Solver(np.log([0.3, 0.6]), "trust_hybrid", {"gtol": 1e-7})
    last = solver.nit + iterations
    while solver.running and solver.nit < last:
        x = solver.ask()
        shifts = STEP * np.eye(x.size)
        values = run_jobs([x, *(x + shifts), *(x - shifts)])
        gradient = (values[1 : 1 + x.size] - values[1 + x.size :]) / (2.0 * STEP)
        solver.tell(values[0], gradient)
        solver.save(checkpoint)
        size = np.abs(solver.g).max()
        print(f"{solver.nit:3d}  f {solver.f:.6e}  max|g| {size:.1e}  jobs {jobs}")
    return solver


# %%
# On Monday the machine is switched off after four iterations.
go_on(4)

# %%
# On Tuesday the same program goes on where it stopped.
solver = go_on(100)
result = solver.result()
print(result.message)
print("rates", np.exp(result.x).round(4), "of 0.8 and 0.25, from", jobs, "jobs")
