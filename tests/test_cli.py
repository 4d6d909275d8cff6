"""The command line: exit codes, messages and tables, in process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import quasinewton
from quasinewton import problems
from quasinewton.cli import main
from quasinewton.methods import METHODS

SCIPY = ("L-BFGS-B", "BFGS", "CG", "trust-ncg", "trust-krylov", "Newton-CG")

MODULE = '''
import numpy as np
x0 = [1.0, 2.0, 3.0]
number = 3
def f(x): return float(np.sum(np.cosh(x - 1)))
def g(x): return np.sinh(x - 1)
def wrong(x): return np.sinh(x - 1) * [1, 1, 1.01]
def hp(x, p): return np.cosh(x - 1) * p
def fg(x): return f(x), g(x)
def flat(x): return float(np.sum(x))
def ones(x): return np.ones_like(x)
def vector(x): return x
def zero(x, p): return 0.0
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of a user, without and with a start."""
    (tmp_path / "userfunctions.py").write_text(MODULE)
    (tmp_path / "startless.py").write_text(MODULE.replace("x0 = ", "y0 = "))
    (tmp_path / "broken.py").write_text("import not_there_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("userfunctions", "startless", "broken"):
        sys.modules.pop(name, None)


def rows(text: str) -> list[dict[str, str]]:
    """The lines of the last table, by method."""
    lines = text.splitlines()
    start = max(k for k, line in enumerate(lines) if line.startswith("method "))
    names = lines[start].split()
    out = []
    for line in lines[start + 1 :]:
        if not line or line.startswith(("left out", "wrote")):
            break
        cells = line.removeprefix("SciPy ").split(maxsplit=len(names) - 1)
        out.append(dict(zip(names, cells, strict=True)))
    return out


@pytest.mark.parametrize("method", METHODS)
def test_solve_with_every_method(method, capsys):
    assert main(["solve", "rosenbrock", "--method", method, "--gtol", "1e-7"]) == 0
    captured = capsys.readouterr()
    assert "max|g|" in captured.out and " ratio " in captured.out and not captured.err
    ours, scipy = rows(captured.out)
    assert ours["method"] == method and scipy["method"] == "L-BFGS-B"
    assert ours["status"] == "converged" and float(ours["max|g|"]) <= 1e-7
    assert float(ours["f"]) < 1e-10
    # the exact product reaches the method that uses it
    assert int(ours["products"]) > 0 or method != "trust_cg"


def test_quiet_and_no_compare(capsys):
    assert main(["solve", "wood", "--quiet", "--no-compare"]) == 0
    out = capsys.readouterr().out
    assert " ratio " not in out and len(rows(out)) == 1


def test_default_target(capsys):
    assert main(["solve", "--quiet"]) == 0
    out = capsys.readouterr().out
    name = "logistic_breast" if importlib.util.find_spec("sklearn") else "extended_rosenbrock"
    assert "no TARGET given" in out and name in out


def test_default_target_without_sklearn(capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sklearn" else find(name)
    )
    assert main(["solve", "--quiet", "--no-compare"]) == 0
    out = capsys.readouterr().out
    assert "scikit-learn is not installed" in out and "n = 1000" in out


@pytest.mark.parametrize("limit", ["--maxiter", "--maxfev"])
def test_exit_code_1_without_convergence(limit, capsys):
    assert main(["solve", "rosenbrock", limit, "3", "--quiet"]) == 1
    ours = rows(capsys.readouterr().out)[0]
    assert ours["status"] == limit.removeprefix("--")


def test_options_reach_the_solver(capsys):
    code = main(
        ["solve", "wood", "--norm", "euclidean", "--memory", "3", "--option", "verbose=1",
         "--option", "rule_parameters.grow=2", "--option", "initial_trust_radius=none",
         "--option", "weight_rule=length", "--option", "grtol=1e-3"]
    )  # fmt: skip
    out = capsys.readouterr().out
    # 1e-3 of the gradient at the start, 12008 + 0.4 in its largest element
    assert code == 0 and "max|g| <= 12" in out
    assert " ratio " not in out and "Function evaluations" in out


def test_compare_shows_every_method(capsys):
    assert main(["compare", "rosenbrock", "--gtol", "1e-6"]) == 0
    table = rows(capsys.readouterr().out)
    assert [row["method"] for row in table] == [*METHODS, *SCIPY]
    for row in table:
        assert (float(row["max|g|"]) <= 1e-6) == (row["status"] == "converged")
        if row["method"] in ("trust_cg", "trust-ncg", "trust-krylov", "Newton-CG"):
            assert int(row["products"]) > 0
        assert int(row["nfev"]) > 0 and int(row["njev"]) > 0


def test_compare_leaves_out_matrices_at_large_n(capsys):
    assert main(["compare", "arwhead", "--n", "2500"]) == 0
    out = capsys.readouterr().out
    names = [row["method"] for row in rows(out)]
    assert "BFGS" not in names and "L-BFGS-B" in names and "left out: BFGS" in out


def test_compare_without_products(module, capsys):
    assert main(["compare", "userfunctions:f"]) == 0
    out = capsys.readouterr().out
    assert [r["method"] for r in rows(out)] == [*METHODS, "L-BFGS-B", "BFGS", "CG"]


def test_compare_survives_a_method_that_raises(monkeypatch, capsys):
    import quasinewton.cli.tables as report

    plain = report.run_ours

    def run(target, method, *args):
        if method == METHODS[0]:
            raise RuntimeError("broken")
        return plain(target, method, *args)

    monkeypatch.setattr(report, "run_ours", run)
    assert main(["compare", "booth"]) == 1
    table = rows(capsys.readouterr().out)
    assert table[0]["status"] == "RuntimeError: broken" and table[1]["status"] == "converged"


@pytest.mark.parametrize(
    "arguments",
    [
        ["userfunctions:f"],
        ["userfunctions:f", "--jac", "userfunctions:g"],
        ["userfunctions:fg", "--joint"],
        ["userfunctions:f", "--jac", "userfunctions:g", "--hessp", "userfunctions:hp"],
        ["userfunctions:fg", "--joint", "--hessp", "userfunctions:hp", "--x0", "0,1"],
        ["startless:f", "--x0", "-1.5,2"],
        ["startless:f", "--x0", "start.npy"],
        ["startless:f", "--x0", "start.txt"],
    ],
)
def test_functions_of_a_module(arguments, module, capsys):
    np.save("start.npy", [0.0, 4.0])
    np.savetxt("start.txt", [0.0, 4.0])
    assert main(["solve", *arguments, "--quiet"]) == 0
    ours, scipy = rows(capsys.readouterr().out)
    assert ours["status"] == scipy["status"] == "converged"
    # products given by the user are used
    assert (ours["method"] == "trust_cg") == ("--hessp" in arguments)
    assert float(ours["f"]) == pytest.approx(float(scipy["f"]), abs=1e-8)


def test_counts_are_those_of_the_functions(module, capsys):
    assert main(["solve", "userfunctions:fg", "--joint", "--quiet"]) == 0
    ours, _ = rows(capsys.readouterr().out)
    assert ours["nfev"] == ours["njev"]


def test_an_unbounded_function_is_1(module, capsys):
    code = main(
        ["solve", "userfunctions:flat", "--jac", "userfunctions:ones", "--quiet", "--maxiter", "9",
         "--maxfev", "20"]
    )  # fmt: skip
    assert code == 1
    assert rows(capsys.readouterr().out)[0]["status"] != "converged"


def test_check(module, capsys):
    good = ["--jac", "userfunctions:g", "--hessp", "userfunctions:hp"]
    assert main(["check", "userfunctions:f", *good]) == 0
    out = capsys.readouterr().out
    assert out.count("ok: ") == 2 and "symmetry" in out
    assert main(["check", "userfunctions:fg", "--joint"]) == 0
    capsys.readouterr()
    assert main(["check", "userfunctions:f", "--jac", "userfunctions:wrong"]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out and any("x[2]" in s and "FAILS" in s for s in out.splitlines())
    assert main(["check", "helical_valley", "--perturb", "0"]) == 0


def test_problems(capsys):
    assert main(["problems"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert set(problems.names()) <= set(lines)
    assert problems.get("wood").description in lines["wood"] and " 4 " in lines["wood"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "solve, compare, check, problems"),
        (["slove"], "did you mean solve"),
        (["solve", "rosenbrok"], "did you mean rosenbrock"),
        (["compare", "rosenbrok"], "did you mean rosenbrock"),
        (["solve", "beale", "--n", "1000"], "needs n = 2"),
        (["solve", "rosenbrock", "--metod", "arc_lsr1"], "--method"),
        (["solve", "rosenbrock", "--method", "arc_lsr"], "did you mean arc_lsr1"),
        (["solve", "rosenbrock", "--method", "zzz"], METHODS[0]),
        (["solve", "rosenbrock", "beale"], "'beale'"),
        (["solve", "rosenbrock", "--gtol", "small"], "--gtol"),
        (["solve", "rosenbrock", "--gtol", "-1"], "`gtol`"),
        (["solve", "rosenbrock", "--norm", "max"], "'shape', 'euclidean'"),
        (["solve", "rosenbrock", "--memory", "0"], "`memory`"),
        (["solve", "rosenbrock", "--option", "gtol"], "KEY=VALUE"),
        (["solve", "rosenbrock", "--option", "gtl=1"], "did you mean gtol"),
        (["solve", "rosenbrock", "--option", "rule_parameters.gro=1"], "grow"),
        (["solve", "rosenbrock", "--option", "rule_parameters=1"], "rule_parameters"),
        (["solve", "rosenbrock", "--x0", "1,2,3"], "expected 2 numbers"),
        (["solve", "rosenbrock", "--x0", "1,b"], "numbers with commas"),
        (["solve", "rosenbrock", "--x0", "absent.npy"], "absent.npy"),
        (["solve", "rosenbrock", "--x0", "object.npy"], "--x0"),
        (["solve", "rosenbrock", "--jac", "userfunctions:g"], "package.module:function"),
        (["solve", "rosenbrock", "--joint"], "--joint"),
        (["solve", "userfunctions:h"], "userfunctions"),
        (["solve", "userfunctions:number"], "not a function"),
        (["solve", "userfunctions:"], "package.module:function"),
        (["solve", "user functions:f"], "package.module:function"),
        (["solve", "userfunctions:f", "--n", "3"], "--n"),
        (["solve", "userfunctions:f", "--joint"], "(f, gradient)"),
        (["solve", "userfunctions:fg"], "--joint"),
        (["solve", "userfunctions:vector"], "one real number"),
        (["solve", "userfunctions:f", "--jac", "userfunctions:f"], "shape of x0"),
        (["solve", "userfunctions:f", "--jac", "userfunctions:gg"], "--jac"),
        (["solve", "userfunctions:fg", "--joint", "--hessp", "userfunctions:g"], "--hessp"),
        (["solve", "userfunctions:fg", "--joint", "--hessp", "userfunctions:zero"], "--hessp"),
        (["solve", "userfunctions:fg", "--joint", "--jac", "userfunctions:g"], "exclude"),
        (["solve", "startless:f"], "no start"),
        (["solve", "broken:f"], "not_there_at_all"),
        (["solve", "nowhere_at_all:f"], "nowhere_at_all"),
        (["check", "userfunctions:f"], "no gradient"),
    ],
)
def test_wrong_usage_is_one_line_and_2(arguments, expected, module, capsys):
    np.save("object.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert expected in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["solve", "compare", "check", "problems"])
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    assert f"python -m quasinewton {command}" in out.partition("example")[2]
    assert max(map(len, out.splitlines())) <= 100


def test_as_a_process():
    run = subprocess.run(
        [sys.executable, "-m", "quasinewton", "solve", "booth", "--quiet"],
        capture_output=True, text=True, check=False, cwd=Path(quasinewton.__file__).parents[1],
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "trust_hybrid" in run.stdout and "L-BFGS-B" in run.stdout


def test_compare_draws_every_method(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    from quasinewton.display import plot

    drawn = {}
    convergence = plot.convergence

    def spy(results):
        drawn.update(results)
        return convergence(results)

    monkeypatch.setattr(plot, "convergence", spy)
    for target, suffix in (("beale", "png"), ("scipy.optimize:rosen --x0=-1.2,1", "svg")):
        drawn.clear()
        file = tmp_path / f"picture.{suffix}"
        main(["compare", *target.split(), "--plot", str(file)])
        out = capsys.readouterr().out
        assert file.stat().st_size > 10_000 and f"wrote {file}" in out
        lines = rows(out)
        assert [m.removeprefix("SciPy ") for m in drawn] == [line["method"] for line in lines]
        for line, result in zip(lines, drawn.values(), strict=True):
            h = result.history
            assert h["nfev"][-1] == int(line["nfev"])
            assert f"{h['fun'][-1]:.8e}" == line["f"]
            assert len(h["fun"]) > int(line["iterations"]) / 2
            assert np.all(np.diff(h["nfev"]) >= 0) and np.all(np.diff(h["time"]) >= 0)
            if target == "beale":
                assert f"{h['optimality'][-1]:.1e}" == line["max|g|"]


@pytest.mark.parametrize(
    "file, expected",
    [("picture.xyz", "'.xyz' is none of"), ("picture", "'' is none of"), ("no/p.png", "folder no")],
)
def test_a_picture_that_cannot_be_written_is_an_error(
    file, expected, capsys, monkeypatch, tmp_path
):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "no_such_problem", "--plot", file]) == 2  # before the target is sought
    captured = capsys.readouterr()
    assert f"--plot {file}" in captured.err and expected in captured.err and not captured.out


def test_a_picture_needs_matplotlib(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["compare", "beale", "--plot", "p.png"]) == 2
    assert "--plot needs matplotlib" in capsys.readouterr().err
