"""The table that `verbose` prints, through `logging` where that takes it."""

from __future__ import annotations

import logging
import math
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO

from scipy.optimize import OptimizeResult

if TYPE_CHECKING:
    from ..options import Options

__all__ = ["ProgressTable"]

#: Columns and their widths, 80 characters in all; and which of them a narrower terminal is spared.
_COLUMNS = {
    "iter": 6, "f": 16, "max|g|": 10, "|step|": 9, "ratio": 9, "weight": 9, "nfev": 6,
    "products": 8,
}  # fmt: skip
_SPARED = ("weight", "products", "|step|", "ratio", "nfev")


def _fitting() -> list[str]:
    """The columns that fit in a line of the terminal; all where the lines go elsewhere."""
    names = list(_COLUMNS)
    if logger.isEnabledFor(logging.INFO) or sys.stdout is None or not sys.stdout.isatty():
        return names
    width = shutil.get_terminal_size().columns
    for name in _SPARED:
        if sum(_COLUMNS[k] + 1 for k in names) - 1 <= width:
            break
        names.remove(name)
    return names


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
        self._names: list[str] = []

    def announce(self, what: str) -> None:
        """Say what the run is about to wait for; on stderr, since it is no part of the table."""
        _say(what, sys.stderr)

    def row(self, solver: Any, step: float, rho: float, weight: float) -> None:
        """One line for the iteration just ended."""
        if self.level < 3 and solver.nit % 10 and solver.running:
            return
        if self._rows % 30 == 0:
            self._names = _fitting()
            _say(" ".join(f"{name:>{_COLUMNS[name]}}" for name in self._names))
        self._rows += 1
        cells = {
            "iter": f"{solver.nit:6d}", "f": f"{solver.f:16.8e}",
            "max|g|": f"{solver._method.optimality:10.3e}", "|step|": _short(step),
            "ratio": _short(rho), "weight": _short(weight), "nfev": f"{solver.counts.nfev:6d}",
            "products": f"{solver.counts.nhev:8d}",
        }  # fmt: skip
        _say(" ".join(cells[name] for name in self._names))

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
