"""The command line: exit codes, messages and tables, in process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint

import quasinewton
from quasinewton import problems
from quasinewton.cli import main
from quasinewton.cli.tables import (
    SCIPY_CONSTRAINED,
    Run,
    Table,
    best,
    failed,
    multiplier_table,
)
from quasinewton.cli.target import Target
from quasinewton.methods import COMPILING, CONSTRAINED, METHODS, default_method

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
calls = 0
def stop_at(limit, error):
    def fun(x):
        global calls
        calls += 1
        if calls > limit:
            raise error
        return f(x)
    return fun
early_exit = stop_at(0, SystemExit(0))
late_exit = stop_at(3, SystemExit(0))
late_error = stop_at(3, ArithmeticError("two\\nlines"))
early_error = stop_at(0, ArithmeticError("mine"))
early_interrupt = stop_at(0, KeyboardInterrupt())
late_interrupt = stop_at(60, KeyboardInterrupt())
def no_gradient(x): raise ArithmeticError("mine")
def slow(x):
    import time
    time.sleep(0.02)
    return f(x)
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of a user, without and with a start."""
    (tmp_path / "userfunctions.py").write_text(MODULE)
    (tmp_path / "startless.py").write_text(MODULE.replace("x0 = ", "y0 = "))
    (tmp_path / "broken.py").write_text("import not_there_at_all\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("userfunctions", "startless", "broken", "leaving"):
        sys.modules.pop(name, None)


def rows(text: str) -> list[dict[str, str]]:
    """The lines of the last table, by method."""
    lines = text.splitlines()
    start = max(k for k, line in enumerate(lines) if line.startswith("method "))
    names = lines[start].split()
    out = []
    for line in lines[start + 1 :]:
        if line == "SciPy:":
            continue
        if not line or line.startswith(("left out", "wrote", "interrupted")):
            break
        cells = line.split(maxsplit=len(names) - 1)
        out.append(dict(zip(names, cells, strict=True)))
    return out


@pytest.mark.parametrize("method", METHODS)
def test_solve_with_every_method(method, capsys):
    assert main(["solve", "rosenbrock", "--method", method, "--gtol", "1e-7"]) == 0
    captured = capsys.readouterr()
    assert "max|g|" in captured.out and " ratio " in captured.out
    assert captured.err in ("", f"{COMPILING}\n")
    ours, scipy = rows(captured.out)
    assert ours["method"] == method and scipy["method"] == "L-BFGS-B"
    assert ours["status"] == "converged" and float(ours["max|g|"]) <= 1e-7
    assert float(ours["f"]) < 1e-10
    # the exact product reaches the method that uses it
    assert int(ours["nhev"]) > 0 or method != "trust_cg"


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
            assert int(row["nhev"]) > 0
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
    assert max(map(len, out.splitlines())) <= 80
    assert " ".join(out.split()).count("(needs gradient and products)") == 3


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
    kinds = ({}, {"bounded": True}, {"constrained": True})
    assert {name for kind in kinds for name in problems.names(**kind)} <= set(lines)
    assert " bc " in lines["hs71"] and " c " in lines["hs6"] and " b " in lines["hs45"]
    assert problems.get("wood").description in lines["wood"] and " 4 " in lines["wood"]


def test_a_problem_brings_its_bounds(capsys):
    assert main(["solve", "hs45"]) == 0
    out = capsys.readouterr().out
    assert "hs45" in out and "converged" in out.lower()


@pytest.mark.parametrize("method", CONSTRAINED)
def test_solve_with_constraints(method, capsys):
    assert main(["solve", "hs71", "--method", method, "--gtol", "1e-6"]) == 0
    out = capsys.readouterr().out
    assert "2 constraints" in out
    ours, scipy = rows(out)
    assert ours["method"] == method and scipy["method"] == "SLSQP"
    for row in (ours, scipy):
        assert row["status"] == "converged"
        assert float(row["f"]) == pytest.approx(problems.get("hs71").fmin, rel=1e-6)
        assert float(row["violation"]) <= 1e-6
    # hs71: x1 x2 x3 x4 >= 25 and |x|^2 = 40; both hold it, and move f by their multipliers
    table = out[out.index("constraint ") :].splitlines()[1:]
    product, sphere = (line.split() for line in table)
    assert float(product[4]) == pytest.approx(-0.5522937, rel=1e-4)
    assert float(sphere[4]) == pytest.approx(0.1614686, rel=1e-4)


def test_the_default_method_takes_constraints(capsys):
    assert main(["solve", "hs43", "--quiet", "--no-compare"]) == 0
    out = capsys.readouterr().out
    assert rows(out)[0]["method"] == default_method(4, constrained=True)


def test_constraints_that_cannot_be_met_are_1(capsys):
    assert main(["solve", "infeasible_circles", "--quiet", "--no-compare"]) == 1
    row = rows(capsys.readouterr().out)[0]
    assert row["status"] == "infeasible" and float(row["violation"]) > 1e-3


def test_compare_with_constraints(capsys):
    assert main(["compare", "hs43"]) == 0
    table = rows(capsys.readouterr().out)
    assert [row["method"] for row in table] == [*CONSTRAINED, *SCIPY_CONSTRAINED]
    for row in table:
        if row["method"] in CONSTRAINED or row["method"] == "SLSQP":
            assert row["status"] == "converged"
            assert float(row["f"]) == pytest.approx(problems.get("hs43").fmin, rel=1e-5)


def test_only_the_largest_multipliers_are_shown():
    count = 30
    constraints = NonlinearConstraint(
        lambda x: np.arange(count) * x[0], np.full(count, -np.inf), np.full(count, 9)
    )  # fmt: skip
    target = Target("f", lambda x: x[0], None, None, np.ones(1), constraints=constraints)
    v = np.where(np.arange(count) == 25, 1.0, 1e-3)
    run = Run("SLSQP", 0.0, 0.0, 1, 1, 1, 0, 0.0, True, "converged", x=np.ones(1), v=v)
    lines = multiplier_table(target, run).splitlines()
    assert len(lines) == 22 and "10 more" in lines[-1]
    assert any(line.split() == ["25", "-inf", "25", "9", "1"] for line in lines)


def test_multipliers_balance_the_gradient_and_have_the_right_signs():
    # min x1 + x2 in the disc of radius 2^0.5: v = 1/2 at (-1, -1); a side far off has none
    constraints = NonlinearConstraint(
        lambda x: np.array([x @ x, x[0]]), np.full(2, -np.inf), np.array([2.0, 9.0]),
        jac=lambda x: np.array([2 * x, [1.0, 0.0]]),
    )  # fmt: skip
    target = Target("f", lambda x: x.sum(), None, None, np.ones(2), constraints=constraints)
    x, g = -np.ones(2), np.ones(2)
    v = target.multipliers(x, g, 1e-8)
    assert v == pytest.approx([0.5, 0.0])
    assert target.lagrangian(x, g, v) == pytest.approx([0.0, 0.0])
    assert target.multipliers(x, -g, 1e-8) == pytest.approx([0.0, 0.0])  # the sign would be wrong
    assert target.violation(2 * x) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "solve, compare, check, problems"),
        (["slove"], "did you mean solve"),
        (["solve", "rosenbrok"], "did you mean rosenbrock"),
        (["compare", "rosenbrok"], "did you mean rosenbrock"),
        (["solve", "beale", "--n", "1000"], "needs n = 2"),
        (["solve", "rosenbrock", "--metod", "arc_lsr1"], "--method"),
        (["solve", "rosenbrock", "--method", "arc_lsr"], "did you mean 'arc_lsr1'"),
        (["solve", "rosenbrock", "--method", "BFGS"], "SciPy's: 'trust_hybrid' is nearest"),
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
        (["check", "rosenbrock", "--perturb", "nan"], "--perturb"),
        (["check", "rosenbrock", "--tolerance", "-1"], "tolerance"),
        (["solve", "leaving:f"], "SystemExit: 0"),
        (["solve", "userfunctions:early_exit"], "SystemExit: 0 (userfunctions.py, line "),
        (["solve", "userfunctions:early_error"], "ArithmeticError: mine (userfunctions.py, line "),
        (["solve", "userfunctions:f", "--jac", "userfunctions:no_gradient"], "gradient of"),
        (["solve", "rosenbrock", "--x0", "empty.npy"], "--x0"),
        (["solve", "rosenbrock", "--x0", "archive.npy"], "--x0"),
        (["solve", "rosenbrock", "--x0", "folder.npy"], "--x0"),
        (["compare", "rosenbrock", "--plot", "folder.png"], "cannot be written"),
        (["solve", "hs71", "--method", "trust_cg"], "takes no constraints, which hs71 has"),
        (["solve", "hs71", "--method", "sqp_hybird"], "did you mean 'sqp_hybrid'"),
        (["compare", "hs71", "--plot", "runs.png"], "no picture"),
    ],
)
def test_wrong_usage_is_one_line_and_2(arguments, expected, module, capsys):
    np.save("object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez("archive.npz", x0=np.ones(2))
    os.rename("archive.npz", "archive.npy")
    open("empty.npy", "w").close()
    for name in ("folder.npy", "folder.png"):
        os.mkdir(name)
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
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["userfunctions:late_exit"], 1, "called sys.exit(0)"),
        (["userfunctions:late_error"], 1, "ArithmeticError: two (userfunctions.py, line "),
        (["userfunctions:early_interrupt"], 130, "interrupted"),
        (["rosenbrock", "--option", "checkpoint=no/folder/run.npz"], 2, "no/folder"),
        (["rosenbrock", "--option", "resume=absent.npz"], 2, "absent.npz"),
        (["rosenbrock", "--option", "resume=userfunctions.py"], 2, "CheckpointError"),
    ],
)
def test_what_ends_a_run_is_one_line_and_no_success(arguments, code, expected, module, capsys):
    assert main(["solve", *arguments, "--quiet"]) == code
    err = capsys.readouterr().err.replace(f"{COMPILING}\n", "")
    assert expected in err and err.count("\n") == 1


def test_ctrl_c_keeps_what_there_is(module, capsys):
    """One method after the other; the interrupt comes in the middle."""
    assert main(["compare", "userfunctions:late_interrupt"]) == 130
    out = capsys.readouterr().out
    *done, last = rows(out)
    assert done and all(row["status"] == "converged" for row in done)
    assert last["status"] == "interrupted" and float(last["f"]) >= 3.0
    assert f"interrupted after {len(done) + 1} of " in out
    assert out.partition("best: ")[2].split()[0].strip(",") in [row["method"] for row in done]
    sys.modules["userfunctions"].calls = 50
    assert main(["solve", "userfunctions:late_interrupt", "--no-compare"]) == 130
    assert rows(capsys.readouterr().out)[0]["status"] == "interrupted"


def test_every_method_has_a_budget(module, capsys):
    assert main(["compare", "extended_rosenbrock", "--n", "40", "--maxfev", "9"]) == 1
    table = rows(capsys.readouterr().out)
    assert len(table) == len(METHODS) + len(SCIPY)
    for row in table:
        assert int(row["nfev"]) <= 9 and row["status"] == "maxfev", row
    main(["compare", "userfunctions:slow", "--maxtime", "0.05", "--gtol", "1e-300"])
    table = rows(capsys.readouterr().out)
    assert {row["status"] for row in table} == {"maxtime"}
    assert all(int(row["nfev"]) < 10 for row in table)


def run_of(method, f, calls, seconds, converged=True):
    status = "converged" if converged else "maxiter"
    return Run(method, f, 1e-6, 5, calls - 2, 1, 1, seconds, converged, status)


def test_the_best_is_lowest_then_cheapest():
    """Not a method that did not converge, nor one in a higher minimum."""
    runs = [
        run_of("a", 1.0 + 1e-9, 20, 0.3), run_of("b", 1.0, 30, 0.2), run_of("c", 3.0, 10, 0.1),
        run_of("d", 0.5, 5, 0.01, converged=False), failed("e", ValueError("broken")),
    ]  # fmt: skip
    line = best(runs, 100.0)
    assert line.startswith("best: a with 20 calls") and "b with 0.2000 seconds" in line
    assert "no method converged" in best(runs[3:], 100.0)


@pytest.mark.parametrize("width", [None, 100, 80, 60, 20])
def test_a_table_fits_its_terminal_and_keeps_its_numbers_whole(width):
    table = Table(width)
    run = Run(
        "trust_hybrid", -1.2345678e100, 1e-100, 99999, 99999, 99999, 99999, 9999.1234, False,
        "a long text of SciPy's that says why",
    )  # fmt: skip
    head, line = table.head(), table.row(run)
    assert "-1.2345678e+100" in line.split() and "1.0e-100" in line.split()
    if width in (None, 80, 100):
        assert head.split() == [
            "method", "f", "max|g|", "nit", "nfev", "njev", "nhev", "seconds", "status",
        ]  # fmt: skip
        assert "9999.1234" in line.split() and line.split().count("99999") == 4
    if width in (60, 80, 100):
        assert max(len(head), len(line)) <= width
    assert len(head.split()) >= 3
    rounded = table.row(run_of("arc_lsr1", 1.0, 5, 0.1))
    assert len(rounded) <= max(width or 80, 40)


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"quasinewton {quasinewton.__version__}\n"


ENVIRONMENT = {
    **os.environ, "PYTHONPATH": str(Path(quasinewton.__file__).parents[1]), "NUMBA_DISABLE_JIT": "1"
}  # fmt: skip


def test_the_console_script_finds_modules_in_the_current_folder(tmp_path):
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "quasinewton"
    script.write_text("import sys\nfrom quasinewton.cli import main\nsys.exit(main())\n")
    (tmp_path / "mine.py").write_text("def f(x): return x @ x\n")
    run = subprocess.run(
        [sys.executable, str(script), "solve", "mine:f", "--x0", "1,2", "--quiet", "--no-compare"],
        cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert run.returncode == 0 and "converged" in run.stdout, run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGPIPE and no pseudo-terminal")
def test_a_reader_that_goes_and_a_terminal_without_a_width():
    command = [sys.executable, "-m", "quasinewton", "problems"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        run = subprocess.run(
            command, stdout=closed, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert (run.returncode, run.stderr) == (141, "")
    ours, theirs = os.openpty()  # whose size is 0 x 0 until somebody sets it
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "COLUMNS"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the end, on Linux
                break
            if not part:
                break
            text += part
    os.close(ours)
    lines = text.decode().split("\r\n")
    assert process.returncode == 0 and any(line.startswith("rosenbrock ") for line in lines)
    assert 70 < max(map(len, lines)) <= 80


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
            assert f"{h['fun'][-1]:.7e}" == line["f"]
            assert len(h["fun"]) > int(line["nit"]) / 2
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
    assert "pip install 'quasinewton[plot]'" in capsys.readouterr().err
