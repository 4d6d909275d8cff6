"""The table that `verbose` prints, through `logging` where that takes it."""

from __future__ import annotations

import logging
import math
import sys
from typing import TYPE_CHECKING, Any, TextIO

from scipy.optimize import OptimizeResult

if TYPE_CHECKING:
    from ..options import Options

__all__ = ["ProgressTable"]

_HEAD = (
    f"{'iter':>6} {'f':>16} {'max|g|':>10} {'|step|':>9} {'ratio':>9} {'weight':>9} "
    f"{'nfev':>6} {'products':>8}"
)


logger = logging.getLogger("quasinewton")
logger.addHandler(logging.NullHandler())


def _say(line: str, file: TextIO | None = None) -> None:
    """To the logger where it takes INFO, else to stdout or another stream; never to both."""
    if logger.isEnabledFor(logging.INFO):
        logger.info(line)
    else:
        print(line, file=file, flush=True)


def _short(value: float, width: int = 9) -> str:
    return " " * (width - 1) + "-" if math.isnan(value) else f"{value:{width}.2e}"


class ProgressTable:
    """Prints nothing, the end, every tenth iteration or every one, as `verbose` says."""

    def __init__(self, options: Options) -> None:
        self.level = max(options.verbose, int(options.disp))
        self.verbose = self.level >= 2
        self._rows = 0

    def announce(self, what: str) -> None:
        """Say what the run is about to wait for; on stderr, since it is no part of the table."""
        _say(what, sys.stderr)

    def row(self, solver: Any, step: float, rho: float, weight: float) -> None:
        """One line for the iteration just ended."""
        if self.level < 3 and solver.nit % 10 and solver.running:
            return
        if self._rows % 30 == 0:
            _say(_HEAD)
        self._rows += 1
        optimality = solver._method.optimality
        _say(
            f"{solver.nit:6d} {solver.f:16.8e} {optimality:10.3e} {_short(step)} {_short(rho)} "
            f"{_short(weight)} {solver.counts.nfev:6d} {solver.counts.nhev:8d}"
        )

    def close(self, result: OptimizeResult) -> None:
        """The message and the counts, in SciPy's layout."""
        if self.level < 1:
            return
        _say(result.message)
        _say(f"         Current function value: {result.fun:f}")
        _say(f"         Iterations: {result.nit:d}")
        _say(f"         Function evaluations: {result.nfev:d}")
        _say(f"         Gradient evaluations: {result.njev:d}")
        _say(f"         Hessian evaluations: {result.nhev:d}")
