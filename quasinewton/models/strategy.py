"""A compact model behind SciPy's faces."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator

from .compact import CompactModel

__all__ = ["ModelOperator"]


class ModelOperator(LinearOperator):  # type: ignore[misc]
    """The symmetric matrix B of a `CompactModel` as a LinearOperator; products in O(nm)."""

    def __init__(self, model: CompactModel) -> None:
        self.model = model
        super().__init__(np.dtype(np.float64), (model.n, model.n))

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        return self.model.matvec(np.asarray(v, self.model.rows.dtype).reshape(-1))

    def _adjoint(self) -> ModelOperator:
        return self
