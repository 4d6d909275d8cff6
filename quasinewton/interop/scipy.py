"""Limited-memory models as `HessianUpdateStrategy` objects for SciPy's solvers."""

from __future__ import annotations

import math
import numbers
import warnings

import numpy as np
from scipy.optimize import HessianUpdateStrategy

from ..models.model import CompactModel
from ..models.operator import ModelOperator, shifted_solve

__all__ = ["LBFGS", "LSR1", "LHybrid", "LimitedMemoryStrategy"]

class LimitedMemoryStrategy(HessianUpdateStrategy):  # type: ignore[misc]
    """A limited-memory quasi-Newton matrix as SciPy's solvers update it.

    It works as `hess` of SciPy's trust-ncg, trust-krylov, trust-constr and Newton-CG and of
    `trust_cg`, and is accepted by `scipy.sparse.linalg.aslinearoperator`. Memory is
    (2 memory + 1) n numbers, and a product costs O(n memory), where SciPy's `SR1` and `BFGS`
    take n^2 of both. trust-krylov holds some 4 n^2 numbers of its own whatever
    the Hessian, and needs a good `init_scale`, of SciPy's strategies as of these.

    Parameters
    ----------
    memory : int, default 10
        Number of pairs kept.
    init_scale : float or 'auto', default 'auto'
        The multiple of the identity that the pairs update, of the Hessian or of its inverse as
        `initialize` is told. 'auto' chooses it anew from the last pairs after every update, as
        the methods of this package do.
    """

    # Not also a LinearOperator: SciPy takes an object that has __call__ for a function `hess`.

    kind = ""  # of the update, see `quasinewton.models.updates`
    window = 1  # of the pairs that 'auto' looks at

    def __init__(self, memory: int = 10, init_scale: float | str = "auto") -> None:
        if not isinstance(memory, numbers.Integral):
            raise TypeError(f"`memory` must be an integer, got {memory!r}")
        if memory < 1:
            raise ValueError(f"`memory` must be an integer >= 1, got {memory!r}")
        if isinstance(init_scale, str) and init_scale != "auto":
            raise ValueError(f"`init_scale` must be a number or 'auto', got {init_scale!r}")
        if not isinstance(init_scale, str):
            if not isinstance(init_scale, numbers.Real):
                raise TypeError(f"`init_scale` must be a number or 'auto', got {init_scale!r}")
            if not math.isfinite(init_scale) or init_scale == 0.0:
                raise ValueError(f"`init_scale` must be finite and not 0, got {init_scale!r}")
        self.memory: int = int(memory)
        self.init_scale: float | str = init_scale
        self.approx_type: str | None = None
        self._model: CompactModel | None = None

    def initialize(self, n: int, approx_type: str) -> None:
        """Start from a multiple of the identity.

        Parameters
        ----------
        n : int
            Number of variables.
        approx_type : {'hess', 'inv_hess'}
            Whether products are with B or with its inverse.
        """
        if approx_type not in ("hess", "inv_hess"):
            raise ValueError(f"`approx_type` must be 'hess' or 'inv_hess', got {approx_type!r}")
        self.approx_type = approx_type
        scale = 1.0 if isinstance(self.init_scale, str) else float(self.init_scale)
        gamma = scale if approx_type == "hess" else 1.0 / scale
        self._model = CompactModel(n, self.memory, self.kind, gamma=gamma, window=self.window)
        self._origin = np.zeros(n)

    def update(self, delta_x: np.ndarray, delta_grad: np.ndarray) -> None:
        """Take the pair of a step and the change of the gradient along it.

        A zero `delta_x` changes nothing; nor does a zero `delta_grad`, which draws a UserWarning
        as with SciPy's strategies.
        """
        model = self._initialized()
        s = np.ascontiguousarray(delta_x, np.float64)
        y = np.ascontiguousarray(delta_grad, np.float64)
        if not s.any():
            return
        if not y.any():
            warnings.warn(
                "delta_grad == 0.0: the function looks linear, whose Hessian is zero.",
                UserWarning,
                stacklevel=2,
            )
            return
        model.push(self._origin, s, self._origin, y)
        model.refresh(model.choose_gamma() if isinstance(self.init_scale, str) else None)

    def dot(self, p: np.ndarray) -> np.ndarray:
        """The product of the matrix with a vector of shape (n,).

        Raises
        ------
        numpy.linalg.LinAlgError
            For 'inv_hess', where B is singular.
        """
        model = self._initialized()
        p = np.ascontiguousarray(p, np.float64).reshape(-1)
        return model.matvec(p) if self.approx_type == "hess" else shifted_solve(model, p)

    # What `aslinearoperator` looks for; the matrix is symmetric.
    matvec = rmatvec = dot
    dtype = np.dtype(np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        n = self._initialized().n
        return n, n

    def get_matrix(self) -> np.ndarray:
        """The dense matrix, shape (n, n)."""
        n = self._initialized().n
        matrix: np.ndarray = np.array([self.dot(e) for e in np.eye(n)])
        return np.asarray(0.5 * (matrix + matrix.T))

    def as_operator(self) -> ModelOperator:
        """B, of either `approx_type`, as it is now and after later updates."""
        return ModelOperator(self._initialized())

    def _initialized(self) -> CompactModel:
        if self._model is None:
            raise RuntimeError(f"{type(self).__name__}: `initialize(n, approx_type)` comes first")
        return self._model


class LSR1(LimitedMemoryStrategy):
    """Limited-memory SR1 Hessian for SciPy's solvers; it may be indefinite.

    Parameters, memory and cost are those of `LimitedMemoryStrategy`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> import quasinewton
    >>> hess = quasinewton.LSR1(memory=5)
    >>> minimize(rosen, np.full(100, 0.9), jac=rosen_der, method="trust-ncg", hess=hess).success
    True
    """

    kind = "lsr1"
    window = 7


class LBFGS(LimitedMemoryStrategy):
    """Limited-memory BFGS Hessian for SciPy's solvers; positive definite.

    Parameters, memory and cost are those of `LimitedMemoryStrategy`.
    """

    kind = "lbfgs"


class LHybrid(LimitedMemoryStrategy):
    """Limited-memory Hessian for SciPy's solvers: BFGS updates from pairs of safe curvature, SR1
    updates from any other.

    Parameters, memory and cost are those of `LimitedMemoryStrategy`.
    """

    kind = "hybrid"
