"""A callback that shows how far a run is, in a terminal, a notebook or a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TextIO

from scipy.optimize import OptimizeResult

from ..status import Status

__all__ = ["progress"]


class progress:  # used as a function: callback=progress()
    """Show iteration, f, max|g|, iterations a second and the share of the budget used.

    A bar of tqdm (the extra ``progress``) in a terminal or a notebook; plain lines, without
    control characters, where the stream is neither or tqdm is not installed. Before a run that
    has to wait for numba's compiler a line says so.

    Parameters
    ----------
    file : text stream, optional
        Default: stderr.
    interval : float, optional
        Least seconds between two updates; default 0.1 for a bar, 10 for lines. The first
        iteration and the end are always shown.

    Notes
    -----
    In `quasinewton.minimize_many` it shows how many starts have ended, and the lowest f.

    The budget is that of `maxiter`, `maxfev` and `maxtime` of which most is used. A run mostly
    converges long before it is spent.

    Examples
    --------
    >>> import sys
    >>> from scipy.optimize import rosen, rosen_der
    >>> import quasinewton
    >>> show = quasinewton.progress(file=sys.stdout)
    >>> result = quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der,
    ...                               callback=show)  # doctest: +ELLIPSIS
    iteration 1, f ...
    """

    def __init__(self, file: TextIO | None = None, interval: float | None = None) -> None:
        if interval is not None and not interval >= 0.0:
            raise ValueError(f"`interval` must be a number of seconds >= 0, got {interval!r}")
        self._file = sys.stderr if file is None else file
        self._notebook = file is None and "ipykernel" in sys.modules
        shown = self._notebook or self._file.isatty()
        self._lines = not shown or find_spec("tqdm") is None
        self._interval = interval if interval is not None else 10.0 if self._lines else 0.1
        self._bar: Any = None
        self._nit = 0
        self._first = (0, 0.0)  # iteration and time of the run's first call
        self._shown_at = 0.0

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        now = time.perf_counter()
        result = intermediate_result
        if "starts" in result:  # of a batch, which counts what has ended
            result = OptimizeResult(result, nit=result.done)
        ended = result.status != Status.RUNNING
        new = self._nit == 0 or result.nit < self._nit + (not ended)
        self._nit = result.nit
        if new:
            self._first = (result.nit, now)
            self._close()
        if new or ended or now - self._shown_at >= self._interval:
            self._shown_at = now
            self._show(result, now)
        if ended:
            self._close("success" if result.status == Status.CONVERGED else "danger")
            self._nit = 0

    def end(self, intermediate: Callable[[], OptimizeResult]) -> None:
        """Show the end of a run that did not end with an iteration; `minimize` calls this."""
        if self._nit:
            self(intermediate())

    def announce(self, what: str) -> None:
        """Say what is about to be waited for; `minimize` calls this before the first iteration."""
        print(what, file=self._file, flush=True)

    def _show(self, result: OptimizeResult, now: float) -> None:
        numbers = f"f {result.fun:.6e}, max|g| {result.optimality:.2e}"
        first, since = self._first
        rate = (result.nit - first) / (now - since) if result.nit > first else 0.0
        done, unit = f"iteration {result.nit}", "it"
        if "starts" in result:
            done, unit = f"{result.nit} of {result.starts} starts, lowest", "starts"
        comma = "" if "starts" in result else ","
        numbers = f"{done}{comma} {numbers}" + (f", {rate:.3g} {unit}/s" if rate else "")
        if self._lines:
            end = "" if result.status == Status.RUNNING else f": {Status(result.status).name}"
            print(f"{numbers}, budget {result.budget:.0%}{end}", file=self._file, flush=True)
            return
        if self._bar is None:
            self._bar = self._open()
        self._bar.n = round(100 * result.budget)
        self._bar.set_postfix_str(numbers, refresh=False)
        self._bar.refresh()

    def _open(self) -> Any:
        if self._notebook:
            from tqdm.auto import tqdm
        else:
            from tqdm import tqdm
        return tqdm(
            total=100, desc="budget", file=None if self._notebook else self._file,
            bar_format="{desc} {percentage:3.0f}%|{bar:10}| {elapsed}{postfix}",
        )  # fmt: skip

    def _close(self, style: str = "") -> None:
        if self._bar is None:
            return
        self._bar.close()
        widgets = getattr(self._bar, "container", None)  # in a notebook
        if widgets is not None:  # where tqdm colours what is below 100% as failed
            widgets.children[1].bar_style = style
        self._bar = None
