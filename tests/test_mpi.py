"""Executors of mpi4py.futures, in programs of their own, where mpi4py and an MPI are there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
from mpi4py.futures import MPIPoolExecutor
from scipy.optimize import rosen, rosen_der
from quasinewton import minimize, minimize_many

STARTS = np.random.default_rng(0).normal(size=(11, 3))

def joint(x):
    return rosen(x), rosen_der(x)

def raises(x):
    if np.array_equal(x, STARTS[5]):
        raise ArithmeticError("mine")
    return joint(x)

if __name__ == "__main__":
    alone, run = minimize_many(joint, STARTS), minimize(rosen, STARTS[0])
    with MPIPoolExecutor(2) as pool:
        assert pool.num_workers == 2
        for workers in (pool, pool.map):
            many = minimize_many(joint, STARTS, workers=workers)
            for name in ("x", "fun", "jac", "status", "nit", "nfev"):
                assert np.array_equal(many[name], alone[name]), name
            beside = minimize(rosen, STARTS[0], workers=workers)
            assert np.array_equal(beside.x, run.x) and beside.nfev == run.nfev
            try:
                minimize_many(raises, STARTS, workers=workers)
            except ArithmeticError as error:
                assert error.result.x.shape == STARTS.shape
                assert any("in raises" in note for note in error.__notes__)
            else:
                raise AssertionError("nothing was raised")
    print("all well")
"""

#: Open MPI starts no more processes than there are cores, and none for root, unless it is told to.
LEAVE = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}  # fmt: skip


def run(*command):
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **LEAVE}
    )


@pytest.mark.parametrize("how", ["spawned by the program", "mpiexec"])
def test_the_same_results_by_processes_of_mpi(how, tmp_path):
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed")
    if run(sys.executable, "-c", "from mpi4py import MPI").returncode:
        pytest.skip("there is no MPI")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program)]
    if how == "mpiexec":
        mpiexec = shutil.which("mpiexec")
        if mpiexec is None:
            pytest.skip("there is no mpiexec")
        command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(program)]
    ended = run(*command)
    assert ended.returncode == 0 and "all well" in ended.stdout, ended.stdout + ended.stderr
