import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from quasinewton import kernels

# Examples differ widely in cost (the first one compiles), and CI must not depend on time.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "150")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("default")

# Machine code is what is tested, whether it was there before or not.
kernels.PATIENCE = 0.0

# Processes that begin by forkserver are forked from one that has imported the package.
multiprocessing.set_forkserver_preload(["quasinewton.solver.compiled"])


@pytest.fixture(autouse=True)
def _plain_python_kernels():
    """Without the JIT the kernels' IEEE infinities would draw NumPy's warnings."""
    with np.errstate(**({"all": "ignore"} if numba.config.DISABLE_JIT else {})):
        yield


@pytest.fixture(scope="session")
def processes():
    """A process, begun by spawn, for all tests."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="session")
def dask_client():
    """Two workers of dask, for all tests."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client
