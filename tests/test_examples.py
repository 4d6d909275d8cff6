"""The examples run, and what they show is so."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_examples_show_or_save_what_they_draw():
    """Whatever is drawn, a call of `plt.show` comes after it."""
    drawing = set()
    for path in EXAMPLES.glob("*.py"):
        lines = path.read_text().splitlines()
        drawn = [k for k, line in enumerate(lines) if re.search(r"= plot\.|subplots\(", line)]
        shown = [k for k, line in enumerate(lines) if "plt.show()" in line]
        if drawn:
            drawing.add(path.name)
            assert shown and shown[-1] > drawn[-1], path.name
    assert {"arc_path.py", "profiles.py", "rosenbrock_paths.py", "saddle.py"} <= drawing


def run(name, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "agg")
    return runpy.run_path(str(EXAMPLES / name))


def test_sklearn_fits(monkeypatch, capsys):
    pytest.importorskip("sklearn")
    shown = run("sklearn_fits.py", monkeypatch)
    assert all(result.success for result in shown["results"].values())
    for x in shown["coefficients"].values():
        assert np.allclose(x, shown["best"], atol=5e-3)
        assert shown["fun"](x)[0] == pytest.approx(shown["fun"](shown["best"])[0], abs=1e-8)
    theirs, ours = shown["regressors"].values()
    likelihoods = [r.log_marginal_likelihood_value_ for r in (theirs, ours)]
    assert likelihoods[1] == pytest.approx(likelihoods[0], abs=1e-3)
    assert capsys.readouterr().out.count("arc_lsr1") == 2


def test_jax_model(monkeypatch, capsys):
    pytest.importorskip("jax")
    shown = run("jax_model.py", monkeypatch)
    first, second = shown["results"].values()
    assert first.success and second.success and first.nhev > 0 == second.nhev
    assert np.allclose(first.x, second.x, atol=1e-5)
    assert np.linalg.eigvalsh(shown["hessian"])[0] > 0.0
    shown["plt"].close("all")
