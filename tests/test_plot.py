"""Pictures: what they draw are the numbers of the runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, rosen, rosen_der

import quasinewton

plt = pytest.importorskip("matplotlib.pyplot")
from quasinewton.display import plot  # noqa: E402


@pytest.fixture(autouse=True)
def _closed():
    """Figures of pyplot live until they are closed."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


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
    with pytest.raises(ValueError, match="at least one"):
        plot.convergence([])
    with pytest.raises(TypeError, match="`ax`"):
        plot.convergence(results, ax=[1, 2])
    with pytest.raises(ValueError, match="at most 8"):
        plot.path(rosen, [results["arc_lsr1"]] * 9)


def test_pyplot_knows_the_figure_until_a_notebook_has_shown_it(results, monkeypatch):
    """IPython displays it in its own way, and the inline backend not once more."""
    figure = plot.convergence(results)
    assert plt.fignum_exists(figure.number)
    with pytest.raises(NotImplementedError):  # what IPython takes for "as you would without me"
        figure._ipython_display_()
    assert plt.fignum_exists(figure.number)
    monkeypatch.setattr(plt, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert not plt.fignum_exists(figure.number)


def test_one_result_or_many(results):
    ours = list(results.values())
    for given, labels in (
        (ours[0], ["arc_lsr1"]),
        (ours, ["arc_lsr1", "trust_cg"]),
        ([ours[0], ours[0]], ["arc_lsr1", "arc_lsr1 (2)"]),
    ):
        for figure in (plot.convergence(given), plot.path(rosen, given, points=5)):
            assert [line.get_label() for line in figure.axes[0].get_lines()] == labels


def test_axes_and_titles_of_the_caller(results):
    r = results["arc_lsr1"]
    _, axes = plt.subplots(2, 4)
    before = plt.get_fignums()
    draw = {
        "convergence": lambda **k: plot.convergence(results, **k),
        "steps": lambda **k: plot.steps(r, **k),
        "path": lambda **k: plot.path(rosen, results, 5, **k),
    }
    for k, function in enumerate(draw.values()):
        assert function(ax=axes[0, k], title="mine") is axes[0, 0].figure
        assert axes[0, k].get_title() == "mine" and axes[0, k].get_lines()
    plot.convergence(results, ax=axes[1, :2])
    assert axes[1, 1].get_ylabel() == "max|g|"
    plot.profiles({"a": np.ones(2)}, np.ones(2), ax=axes[1, 2])
    assert axes[1, 2].get_lines() and not axes[1, 3].get_lines()
    assert plt.get_fignums() == before
    assert plot.convergence(results, title="mine").get_suptitle() == "mine"


def test_curves_differ_without_colour_and_are_at_most_eight(results):
    r = results["arc_lsr1"]
    figure = plot.convergence({f"run {k}": r for k in range(11)})
    *lines, rest = figure.axes[0].get_lines()
    looks = {(line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len({line.get_color() for line in lines}) == len(lines) == 8
    assert rest.get_label() == "(3 others not drawn)"
    costs = {f"method {k}": np.array([k + 1.0, np.inf]) for k in range(9)}
    costs["best"] = np.array([5.0, 1.0])
    labels = [line.get_label() for line in plot.profiles(costs, np.ones(2)).axes[0].get_lines()]
    assert "best" in labels and "method 0" in labels and "method 8" not in labels


def test_a_run_of_ten_times_the_length_gets_a_logarithmic_axis(results):
    r = results["arc_lsr1"]
    assert plot.convergence(results).axes[0].get_xscale() == "linear"
    history = {**r.history, "nfev": 20 * r.history["nfev"]}
    figure = plot.convergence({"short": r, "long": OptimizeResult(history=history)})
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
