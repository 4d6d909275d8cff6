"""The progress callback, on streams that are a terminal and streams that are not."""

from __future__ import annotations

import io

import numba
import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import rosen, rosen_der

import quasinewton
from quasinewton.display import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def solve(callback, **options):
    return quasinewton.minimize(
        rosen, [-1.2, 1.0], jac=rosen_der, callback=callback, options=options
    )


def test_intermediate_result_has_optimality_budget_and_status():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)

    result = solve(callback, maxfev=10)
    assert [r.status == quasinewton.Status.RUNNING for r in seen] == [True] * (len(seen) - 1) + [
        False
    ]
    assert seen[-1].status == result.status == quasinewton.Status.MAXFEV
    assert [r.budget for r in seen] == [r.nfev / 10 for r in seen]
    assert all(r.optimality == abs(r.jac).max() for r in seen)


def test_log_file_has_plain_throttled_lines():
    stream = io.StringIO()
    show = quasinewton.progress(stream, interval=1000.0)
    result = solve(show)
    solve(show)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4  # first and last of two runs
    assert lines[0].startswith("iteration 1, f ") and lines[2].startswith("iteration 1, f ")
    assert lines[1].startswith(f"iteration {result.nit}, f ") and lines[1].endswith("CONVERGED")
    assert "budget" in lines[0]
    assert stream.getvalue().replace("\n", "").isprintable()
    every = io.StringIO()
    result = solve(quasinewton.progress(every, interval=0.0))
    assert len(every.getvalue().splitlines()) == result.nit


def test_terminal_has_a_bar():
    pytest.importorskip("tqdm")
    stream = Terminal()
    result = solve(quasinewton.progress(stream, interval=0.0))
    text = stream.getvalue()
    assert "\r" in text and text.endswith("\n")
    assert f"iteration {result.nit}, f " in text and "budget" in text


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_run_that_ends_between_iterations_is_shown_to_its_end(stream):
    """In the middle of conjugate gradients, and by an exception of the objective."""
    pytest.importorskip("tqdm")
    file = stream()
    show = quasinewton.progress(file, interval=0.0)
    x0 = np.linspace(-1.0, 1.0, 5)
    options = {"maxfev": 100}  # reached in differences of gradients
    result = quasinewton.minimize(
        rosen, x0, jac="2-point", method="trust_cg", callback=show, options=options
    )
    assert result.status == quasinewton.Status.MAXFEV
    first = file.getvalue()
    assert first.endswith("\n") and "budget 100%" in first
    assert ("MAXFEV" in first) == (stream is io.StringIO)

    def broken(x):
        if result.nfev > 5:
            raise ArithmeticError
        result.nfev += 1
        return rosen(x)

    result.nfev = 0
    with pytest.raises(ArithmeticError):
        quasinewton.minimize(broken, [-1.2, 1.0], jac=rosen_der, callback=show)
    second = file.getvalue()[len(first):]
    assert second.endswith("\n") and ("EXCEPTION" in second) == (stream is io.StringIO)
    solve(show)  # and a new run begins anew
    assert file.getvalue()[len(first) + len(second):].count("iteration 1,") == 1


def test_scipy_calls_it_too():
    file = io.StringIO()
    scipy.optimize.minimize(
        rosen, [-1.2, 1.0], jac="2-point", method=quasinewton.trust_cg,
        callback=quasinewton.progress(file), options={"maxfev": 20},
    )  # fmt: skip
    assert file.getvalue().endswith("MAXFEV\n")


def test_a_wrong_interval_is_an_error():
    with pytest.raises(ValueError, match="interval"):
        quasinewton.progress(interval=-1.0)


def test_without_tqdm_a_terminal_gets_lines(monkeypatch):
    monkeypatch.setattr(progress_bar, "find_spec", lambda name: None)
    stream = Terminal()
    result = solve(quasinewton.progress(stream))
    text = stream.getvalue()
    assert text.replace("\n", "").isprintable()
    assert f"iteration {result.nit}, f " in text and text.endswith("CONVERGED\n")


def test_a_numba_objective_is_announced_once(capsys):
    """It is compiled in every process, and not again for the next run."""

    @numba.njit
    def sphere(x):
        return (x * x).sum(), 2.0 * x

    for _ in range(2):
        quasinewton.minimize(sphere, [1.0, 2.0], jac=True, options={"disp": True})
    captured = capsys.readouterr()
    assert captured.err.count("Compiling the objective") == (not numba.config.DISABLE_JIT)
    assert "Compiling" not in captured.out

    @numba.njit
    def quiet(x):
        return (x * x).sum(), 2.0 * x

    quasinewton.minimize(quiet, [1.0, 2.0], jac=True)
    assert capsys.readouterr() == ("", "")
