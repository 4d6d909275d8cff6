"""Pictures: what they draw are the numbers of the runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

import quasinewton

pytest.importorskip("matplotlib")
from quasinewton.display import plot


@pytest.fixture(scope="module")
def results():
    options = {"history": True, "return_all": True}
    return {
        m: quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=m, options=options)
        for m in ("arc_lsr1", "trust_cg")
    }


@pytest.mark.parametrize("against", ["nfev", "time"])
def test_convergence(results, against, tmp_path):
    figure = plot.convergence(results, against)
    figure.savefig(tmp_path / "picture.png")
    for line, r in zip(figure.axes[1].get_lines(), results.values(), strict=True):
        assert np.array_equal(line.get_xdata(), r.history[against])
        assert np.array_equal(line.get_ydata(), r.history["optimality"])


def test_path_and_steps(results, tmp_path):
    figure = plot.path(rosen, results, points=20)
    figure.savefig(tmp_path / "path.png")
    for line, r in zip(figure.axes[0].get_lines(), results.values(), strict=True):
        assert np.array_equal(line.get_xydata(), r.allvecs)
    figure = plot.steps(results["arc_lsr1"])
    figure.savefig(tmp_path / "steps.png")
    drawn = sum(line.get_xdata().size for line in figure.axes[0].get_lines())
    assert drawn == results["arc_lsr1"].nit


def test_spectrum(tmp_path):
    x0 = np.linspace(-1.0, 1.0, 12)
    r = quasinewton.minimize(
        rosen, x0, jac=rosen_der, options={"history": "spectrum", "memory": 3, "maxiter": 30}
    )
    figure = plot.spectrum(r)
    figure.savefig(tmp_path / "spectrum.png")
    lam, gamma = r.history["eigenvalues"], r.history["gamma"]
    positive, negative, rest = figure.axes[0].get_lines()
    for line, sign in ((positive, 1.0), (negative, -1.0)):
        drawn = {(int(k), y) for k, y in line.get_xydata()}
        assert drawn == {(k, abs(v)) for k, row in enumerate(lam) for v in row if sign * v > 1e-6}
    assert np.array_equal(rest.get_ydata(), gamma)
    full = quasinewton.minimize(
        rosen, [-1.2, 1.0], jac=rosen_der, options={"history": "spectrum"}
    )
    # two variables: soon the pairs span all, and there is no rest
    assert np.isnan(plot.spectrum(full).axes[0].get_lines()[2].get_ydata()[-1])


def test_profiles():
    """Ratios to the cheapest and costs per variable, each share kept to the edge."""
    costs = {"a": np.array([1.0, 4.0, np.inf]), "b": np.array([3.0, 2.0, np.inf])}
    left, right = plot.profiles(costs, np.array([1, 1, 3])).axes
    assert [line.get_xdata().tolist() for line in left.get_lines()] == [[1, 2, 30], [1, 3, 30]]
    assert [line.get_xdata().tolist() for line in right.get_lines()] == [[0.5, 2, 2], [1, 1.5, 2]]
    assert left.get_lines()[0].get_ydata().tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_errors_name_what_is_missing(results):
    bare = quasinewton.minimize(rosen, [-1.2, 1.0], jac=rosen_der)
    with pytest.raises(ValueError, match="history"):
        plot.convergence({"bare": bare})
    with pytest.raises(ValueError, match="history"):
        plot.spectrum(bare)
    with pytest.raises(ValueError, match="'spectrum'"):
        plot.spectrum(results["arc_lsr1"])
    with pytest.raises(ValueError, match="return_all"):
        plot.path(rosen, {"bare": bare})
    with pytest.raises(ValueError, match="against"):
        plot.convergence(results, "nit")
