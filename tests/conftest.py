import os

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Examples differ widely in cost (the first one compiles), and CI must not depend on time.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "150")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _plain_python_kernels():
    """Without the JIT the kernels' IEEE infinities would draw NumPy's warnings."""
    with np.errstate(**({"all": "ignore"} if numba.config.DISABLE_JIT else {})):
        yield
