"""
A simulation on a queue
=======================

On a cluster nobody waits for a simulation: jobs are handed to a queue, and a small program looks in
now and then. That program holds nothing in memory. The state of the run is a checkpoint, jobs and
their results are files, and each visit goes on from what it finds. It may be killed at any time.
"""

# %%
# The job is a program of its own. It reads a point from a file and leaves the result in another,
# which it renames into place: a file that is there is whole. Here it is a little model of a
# population, of which two rates are sought.
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from quasinewton import Solver

JOB = '''
import json, math, os, sys

with open(sys.argv[1] + ".job") as file:
    growth, death = map(math.exp, json.load(file))
size, misfit = 1.0, 0.0
try:
    for hour in range(1, 24 * 20 + 1):
        size += (growth * size * (1.0 - size / 10.0) - death * size) / 24.0
        if hour % 24 == 0:
            seen = 7.5 / (1.0 + 6.5 * math.exp(-0.45 * hour / 24.0))
            misfit += 0.5 * (size - seen) ** 2
except OverflowError:  # a simulation that fails says so: the solver then takes a shorter step
    misfit = math.nan
with open(sys.argv[1] + ".tmp", "w") as file:
    json.dump(misfit, file)
os.replace(sys.argv[1] + ".tmp", sys.argv[1] + ".result")
'''

folder = Path(tempfile.mkdtemp())
(folder / "job.py").write_text(JOB)


# %%
# What hands a job to the queue: ``sbatch`` or ``qsub`` on a cluster, a process here. A job gets its
# name from its point, so the same point is never simulated twice, whoever asks. If no result has
# come a while after a job was handed over, its machine has died, and it is handed over once more.
PATIENCE = 60.0  # seconds; on a cluster some days, or ask the queue whether it knows the job
submitted = []


def submit(name):
    submitted.append(subprocess.Popen([sys.executable, str(folder / "job.py"), str(name)]))


def result_of(x):
    """The result of the simulation at a point; None where it has still to come."""
    name = folder / "-".join(float(v).hex() for v in x)
    job, result = name.with_name(name.name + ".job"), name.with_name(name.name + ".result")
    if result.exists():
        return json.loads(result.read_text())
    if not job.exists() or time.time() - job.stat().st_mtime > PATIENCE:
        job.write_text(json.dumps(list(x)))
        submit(name)
    return None


# %%
# A visit: ask for the point, look for the results of all simulations that its gradient takes, and
# if they are all there, tell the solver. The points of central differences do not depend on each
# other, so they are in the queue together.
STEP = 1e-4


def visit():
    """Go on as far as results are there; whether the run has ended."""
    path = folder / "run.npz"
    options = {"gtol": 1e-6}
    solver = Solver.load(path) if path.exists() else Solver(np.log([0.4, 0.05]), None, options)
    while solver.running:
        x = solver.ask()
        shifts = STEP * np.eye(x.size)
        values = [result_of(point) for point in (x, *(x + shifts), *(x - shifts))]
        if None in values:
            return False
        n = x.size
        ahead, behind = np.array(values[1 : 1 + n]), np.array(values[1 + n :])
        solver.tell(values[0], (ahead - behind) / (2.0 * STEP))
        solver.save(path)
    return True


# %%
# A line in ``cron`` would look in every ten minutes. Here it is a loop.
while not visit():
    time.sleep(0.02)

result = Solver.load(folder / "run.npz").result()
print(result.message)
print("rates", np.exp(result.x).round(4), "misfit", round(result.fun, 6))
print(len(submitted), "jobs,", len(os.listdir(folder)), "files")
for job in submitted:
    job.wait()
