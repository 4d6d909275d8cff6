"""The examples run, and what they show is so."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from quasinewton.objective import check_gradient

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


def test_gaussian_process(monkeypatch):
    shown = run("gaussian_process.py", monkeypatch)
    assert all(result.success for result in shown["results"])
    assert shown["best"].fun < shown["other"].fun
    fun, x = shown["fun"], shown["other"].x + 0.1
    assert check_gradient(lambda x: fun(x)[0], lambda x: fun(x)[1], x).ok
    shown["plt"].close("all")


def test_maximum_likelihood(monkeypatch):
    shown = run("maximum_likelihood.py", monkeypatch)
    result, errors = shown["result"], shown["errors"]
    assert result.success
    assert np.all(np.abs(result.x - shown["truth"]) < 3.0 * errors)
    # the errors of a Poisson regression would be too small: its variance is the mean
    A, mean = shown["A"], np.exp(shown["A"] @ result.x[:3])
    poisson = np.sqrt(np.diag(np.linalg.inv(A.T @ (mean[:, None] * A))))
    assert np.all(errors[:3] > poisson)
    loss = np.array(shown["profile"])
    assert abs(loss[6]) < 1e-6 and np.all(np.diff(loss[6:]) > 0) and np.all(np.diff(loss[:7]) < 0)
    shown["plt"].close("all")


def test_lennard_jones(monkeypatch):
    shown = run("lennard_jones.py", monkeypatch)
    assert shown["best"].fun == pytest.approx(shown["LOWEST"], abs=1e-5)
    assert sum(result.success for result in shown["results"]) > 55
    sizes = np.sort(np.abs(shown["eigenvalues"]))
    assert sizes[5] < 1e-3 < 1.0 < sizes[6] and shown["eigenvalues"][0] > -1e-3
    shown["plt"].close("all")


def test_inverse_problem(monkeypatch):
    monkeypatch.setattr("sys.argv", ["inverse_problem.py", "64"])
    shown = run("inverse_problem.py", monkeypatch)
    assert shown["result"].success and shown["error"] < 0.6 * shown["before"]
    shown["plt"].close("all")


def test_obstacle(monkeypatch):
    monkeypatch.setattr("sys.argv", ["obstacle.py", "40"])
    shown = run("obstacle.py", monkeypatch)
    result, contact, force = shown["result"], shown["contact"], shown["force"]
    fun, x = shown["fun"], shown["start"] + 0.1
    assert check_gradient(lambda x: fun(x)[0], lambda x: fun(x)[1], x).ok
    gtol = 1e-3 * shown["LOAD"] * shown["width"] ** 2
    assert result.success and result.optimality <= gtol
    # the obstacle pushes where there is contact, at each of the two, and only there
    assert force[contact].min() > 0 and abs(result.jac[~contact.ravel()]).max() <= gtol
    left = shown["u"] < 0.6
    assert contact[left].sum() > 50 and contact[~left].sum() > 20
    assert np.all(shown["height"] >= shown["obstacle"])
    # it bears more than the load, since the edge pulls too, and the wall bears at its rim
    assert force.sum() > shown["LOAD"] * (40 * shown["width"]) ** 2
    assert force[~left].max() > 5 * force[left].max()
    shown["plt"].close("all")


def test_portfolio(monkeypatch):
    shown = run("portfolio.py", monkeypatch)
    frontier, wanted = shown["frontier"], shown["wanted"]
    assert all(result.success for result in (*frontier, shown["safest"], shown["even"]))
    for result, least in zip(frontier, wanted, strict=True):
        assert result.x.min() >= 0 and abs(result.x.sum() - 1) < 1e-7
        assert shown["mean"] @ result.x >= least - 1e-7
    assert np.all(np.diff(shown["risks"]) > 0) and np.all(np.diff(shown["slopes"]) > 0)
    assert np.allclose(shown["between"][1:], shown["slopes"][1:], rtol=0.1)
    parts, jac, x = shown["parts"], shown["parts_jac"], shown["even"].x
    mix = np.arange(1.0, 11.0)
    assert check_gradient(lambda w: mix @ parts(w), lambda w: mix @ jac(w), x).ok
    assert shown["shares"][1].max() < 1 / 3 + 1e-4 < 0.5 < shown["shares"][0].max()
    shown["plt"].close("all")


def test_expensive_simulation(monkeypatch):
    shown = run("expensive_simulation.py", monkeypatch)
    result = shown["result"]
    assert result.success and shown["jobs"] == 5 * result.nfev
    assert np.allclose(np.exp(result.x), [0.8, 0.25], atol=0.03)


def test_job_queue(monkeypatch):
    shown = run("job_queue.py", monkeypatch)
    result, folder = shown["result"], shown["folder"]
    assert result.success and np.allclose(np.exp(result.x), [0.6, 0.15], atol=0.01)
    # no point was simulated twice
    jobs = list(folder.glob("*.job"))
    assert len(jobs) == len(list(folder.glob("*.result"))) == len(shown["submitted"])
