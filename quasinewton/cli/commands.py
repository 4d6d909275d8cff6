"""The command line: ``python -m quasinewton solve | compare | check | problems``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import math
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..methods import CONSTRAINED, METHODS, default_method, unknown_method
from .target import Target, UsageError, find_options, find_target, located, unknown

if TYPE_CHECKING:
    from .tables import Run

__all__ = ["main"]

_PROGRAM = "python -m quasinewton"

#: From this size on, methods that keep an n x n array are left out.
_MATRIX_LIMIT = 2000

#: Seconds that `compare` gives each method, unless told otherwise.
_MAXTIME = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; default: those of the process.

    Returns
    -------
    int
        Exit code: 0 converged (or checks passed), 1 not, 2 for wrong usage, 130 after Ctrl-C, 141
        if the reader of the output has gone.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command = _parsed(arguments)  # which ends with SystemExit after --help and --version
        try:
            code = command()
        except SystemExit as error:
            _complain(f"a function of TARGET called sys.exit({error.code!r})")
            code = 1
        if sys.stdout is not None:
            sys.stdout.flush()  # whether the output arrives is part of the outcome
        return code
    except UsageError as error:
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # What the interpreter flushes at the end shall not raise again.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        _complain(located(error))
        return 1


def _complain(message: str) -> None:
    """One line on stderr."""
    print(f"{_PROGRAM}: {message}".replace("\n", " "), file=sys.stderr)


def _parsed(arguments: list[str]) -> Callable[[], int]:
    """The command that a command line asks for."""
    parser, commands = _parser()
    if not arguments:
        parser.print_help()
        raise UsageError(f"a command is expected: {', '.join(commands)}")
    if not arguments[0].startswith("-") and arguments[0] not in commands:
        raise UsageError(unknown("command", arguments[0], commands))
    args, rest = parser.parse_known_args(_join_negative(arguments))
    if rest:
        flags = commands[args.command]._option_string_actions
        raise UsageError(unknown("argument", rest[0].partition("=")[0], flags))
    run: Callable[[argparse.Namespace], int] = args.run
    return lambda: run(args)


def _width() -> int | None:
    """Of the terminal that is printed to; None where it is none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns  # 80 where the terminal does not know


# ---------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------


def _solve(args: argparse.Namespace) -> int:
    target = find_target(args)
    constrained = target.constraints is not None
    known = CONSTRAINED if constrained else METHODS
    method = args.method or default_method(target.x0.size, constrained, bool(args.hessp))
    if constrained and method in METHODS:
        raise UsageError(
            f"--method: {method} takes no constraints, which {target.label} has; expected one of "
            f"{', '.join(CONSTRAINED)}"
        )
    if method not in known:
        raise UsageError(unknown_method(method, known))
    options = find_options(args, _SHORTCUTS)
    if not args.quiet:
        options.setdefault("verbose", 3)
    from ..kernels import VectorFunction
    from ..solver.checkpoint import CheckpointError
    from .tables import INTERRUPTED, Table, multiplier_table, run_ours, run_scipy

    tolerance = _tolerance(target, options)
    print(f"{_sizes(target)}, method {method}, max|g| <= {tolerance:.3g}\n", flush=True)
    try:
        ours = run_ours(target, method, options, tolerance, compiled=False)
    except (OSError, CheckpointError) as error:
        if "checkpoint" in options or "resume" in options:
            raise UsageError(located(error)) from error
        raise
    if not args.quiet:
        print()
    table = Table(_width(), constrained)
    print(table.head(), table.row(ours), sep="\n", flush=True)
    interrupted = ours.status == INTERRUPTED
    if VectorFunction.waited > 0.0:
        print("(in Python: the machine code that takes its place is not compiled yet;\n"
              f"`{_PROGRAM} compare` does that, once for all)")  # fmt: skip
    if not args.no_compare and not interrupted:
        beside = "SLSQP" if constrained else "L-BFGS-B"
        theirs = _guarded(run_scipy, target, beside, options, tolerance)
        print(f"SciPy:\n{table.row(theirs)}")
        interrupted = theirs.status == INTERRUPTED
    if constrained and ours.v is not None:
        print(f"\n{multiplier_table(target, ours)}")
    if interrupted:
        return 130
    return 0 if ours.converged else 1


def _compare(args: argparse.Namespace) -> int:
    from .tables import (
        BOUNDED,
        INTERRUPTED,
        SCIPY,
        SCIPY_CONSTRAINED,
        Table,
        best,
        one_blas_thread,
        run_ours,
        run_scipy,
    )

    if args.plot is not None:
        _check_picture(args.plot)
    target = find_target(args)
    constrained = target.constraints is not None
    if constrained and args.plot is not None:
        raise UsageError(f"--plot: no picture is made of problems with constraints: {target.label}")
    options = {"maxtime": _MAXTIME, **find_options(args, _SHORTCUTS)}
    tolerance = _tolerance(target, options)
    ours = CONSTRAINED if constrained else METHODS
    theirs, left_out = [], []
    for name, needs in (SCIPY_CONSTRAINED if constrained else SCIPY).items():
        if not constrained and target.box is not None and name not in BOUNDED:
            left_out.append(f"{name} (takes no bounds)")
        elif needs == "matrix" and target.x0.size > _MATRIX_LIMIT:
            left_out.append(f"{name} (an n x n matrix at n > {_MATRIX_LIMIT})")
        elif needs == "products" and (
            target.hessp is None or (target.grad is None and not target.joint)
        ):
            left_out.append(f"{name} (needs gradient and products)")
        else:
            theirs.append(name)
    f0 = float(target.value(target.x0))
    table, runs = Table(_width(), constrained), []
    interrupted = False
    with one_blas_thread() as alone:
        threads = "one thread" if alone else "all threads (one: pip install threadpoolctl)"
        print(f"{_sizes(target)}, max|g| <= {tolerance:.3g}\n"
              f"at most {options['maxtime']:g} s a method\n"
              f"seconds of the processor, BLAS with {threads}\n\n{table.head()}",
              flush=True)  # fmt: skip
        try:
            for name in (*ours, *theirs):
                run = run_ours if name in ours else run_scipy
                if name == next(iter(theirs), None):
                    print("SciPy:")
                runs.append(
                    _guarded(
                        run, target, name, options, tolerance, args.plot is not None,
                        time.process_time,
                    )
                )  # fmt: skip
                print(table.row(runs[-1]), flush=True)
                if runs[-1].status == INTERRUPTED:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:  # what is there so far is not lost
            interrupted = True
            print(f"interrupted after {len(runs)} of {len(ours) + len(theirs)} methods")
    print(f"\n{best(runs, f0)}")
    if left_out:
        print(textwrap.fill(f"left out: {', '.join(left_out)}", _width() or 80,
                            subsequent_indent="  ", break_on_hyphens=False))  # fmt: skip
    if args.plot is not None:
        _draw(runs, args.plot)
    if interrupted:
        return 130
    return 0 if all(run.converged for run in runs if run.method in ours) else 1


def _sizes(target: Target) -> str:
    """The name of a target and how large it is."""
    text = f"{target.label}, n = {target.x0.size}"
    if target.constraints is None:
        return text
    count = target.constraints.lb.size
    return f"{text}, {count} constraint{'' if count == 1 else 's'}"


def _draw(runs: Sequence[Run], file: str) -> None:
    """A picture of runs that were recorded."""
    import matplotlib
    from scipy.optimize import OptimizeResult

    from ..display.plot import convergence

    pictured = {
        run.method if run.method in METHODS else f"SciPy {run.method}":
            OptimizeResult(history=run.history)
        for run in runs
        if run.history is not None
    }  # fmt: skip
    if not pictured:
        return
    matplotlib.use("agg")  # nothing is shown
    try:
        convergence(pictured).savefig(file, dpi=120)
    except OSError as error:
        raise UsageError(f"--plot {file}: {error}") from error
    print(f"wrote {file}")


def _check_picture(file: str) -> None:
    """That a picture can be written to this file."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(
            "--plot needs matplotlib: python -m pip install 'quasinewton[plot]'"
        )
    from matplotlib.backend_bases import FigureCanvasBase

    folder, suffix = os.path.dirname(file) or ".", os.path.splitext(file)[1]
    types = FigureCanvasBase.get_supported_filetypes()
    if suffix[1:].lower() not in types:
        raise UsageError(f"--plot {file}: {suffix!r} is none of .{', .'.join(sorted(types))}")
    if not os.path.isdir(folder):
        raise UsageError(f"--plot {file}: there is no folder {folder}")
    if os.path.isdir(file) or not os.access(file if os.path.exists(file) else folder, os.W_OK):
        raise UsageError(f"--plot {file}: it cannot be written")


def _check(args: argparse.Namespace) -> int:
    from ..objective import check_gradient, check_hessp

    target = find_target(args)
    if target.grad is None and not target.joint:
        raise UsageError(
            f"no gradient to check for {args.target}; expected --jac package.module:function "
            "or --joint"
        )
    # At a standard start, often zero or symmetric, errors can vanish with their factor.
    if not 0.0 <= args.perturb < math.inf:
        raise UsageError(f"--perturb: expected a number >= 0, got {args.perturb}")
    x = target.x0
    noise = np.random.default_rng(0).standard_normal(x.size)
    moved = x + args.perturb * np.maximum(1.0, np.abs(x)) * noise
    if target.box is not None:
        moved = target.box.project(moved)
    if np.isfinite(target.value(moved)) and np.isfinite(target.gradient(moved)).all():
        x = moved
    try:
        how: dict[str, Any] = {"tolerance": args.tolerance, "bounds": target.box}
        checks = [check_gradient(target.value, target.gradient, x, **how)]
        if target.hessp is not None:
            checks.append(check_hessp(target.gradient, target.hessp, x, **how))
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    print(f"{target.label}, n = {x.size}")
    for check in checks:
        print(f"\n{check}")
    return 0 if all(check.ok for check in checks) else 1


def _problems(args: argparse.Namespace) -> int:
    from .. import problems
    from .tables import text_table

    rows = []
    kinds: list[dict[str, bool]] = [{"constrained": True}]
    if not args.constrained:
        kinds += [{}, {"bounded": True}]
    scalable = [name for kind in kinds for name in problems.scalable(**kind)]
    for name in sorted(name for kind in kinds for name in problems.names(**kind)):
        problem = problems.get(name)
        marks = ("*" if name in scalable else " ") + (" " if problem.bounds is None else "b")
        marks += " " if problem.constraints is None else "c"
        rows.append((name, f"{problem.n} {marks}", problem.description))
    text = text_table(("name", "n    ", "description"), rows, "<><")
    text = "\n".join(line[:_width()] for line in text.splitlines())
    print(text)
    print("* in other sizes too, with --n\nb with bounds\nc with constraints other than bounds")
    return 0


def _guarded(run: Callable[..., Run], target: Target, method: str, *args: Any) -> Run:
    """A run whose exception becomes its status, so that the others still appear."""
    from .tables import failed

    try:
        return run(target, method, *args)
    except (Exception, SystemExit) as error:
        return failed(method, error)


def _tolerance(target: Target, options: dict[str, Any]) -> float:
    """The bound on max|g| that holds for every method alike."""
    gtol, grtol = float(options.get("gtol", 1e-5)), float(options.get("grtol", 0.0))
    if grtol == 0.0:
        return gtol
    return max(gtol, grtol * target.optimality(target.x0, target.gradient(target.x0)))


# ---------------------------------------------------------------------------------------------
# The parser
# ---------------------------------------------------------------------------------------------

#: Options of `minimize` with a flag of their own.
_SHORTCUTS = {
    "gtol": (float, "converged when max|g| <= GTOL (default 1e-5)"),
    "maxiter": (int, "most iterations"),
    "maxfev": (int, "most evaluations of the function"),
    "maxtime": (float, "most seconds"),
    "memory": (int, "pairs kept by the quasi-Newton methods"),
    "norm": (str, "norm of the cubic term: shape or euclidean"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


#: Flags that are followed by numbers.
_VECTORS = ("--x0", "--lower", "--upper")


def _join_negative(arguments: list[str]) -> list[str]:
    """``--x0 -1,2`` as ``--x0=-1,2``: argparse takes the value for a flag."""
    joined: list[str] = []
    for text in arguments:
        if joined and joined[-1] in _VECTORS and re.match(r"-(\d|\.|inf)", text):
            joined[-1] += f"={text}"
        else:
            joined.append(text)
    return joined


def _parser() -> tuple[_Parser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog=_PROGRAM,
        description="Smooth optimization from the command line, with constraints or without.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = sys.modules[__name__.partition(".")[0]].__version__
    parser.add_argument("--version", action="version", version=f"quasinewton {version}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], summary: str, text: str
    ) -> argparse.ArgumentParser:
        description, _, examples = text.partition("\n\n")
        child = commands.add_parser(
            name, help=summary, description=description, epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip
        child.set_defaults(run=run)
        return child

    solve = command("solve", _solve, "minimise a function, beside SciPy's L-BFGS-B", _SOLVE)
    _add_target(solve)
    solve.add_argument("--method", metavar="M", help=f"{', '.join(METHODS)} (default: "
                       f"trust_cg with --hessp, else trust_hybrid); with constraints "
                       f"{', '.join(CONSTRAINED)} (default: sqp_hybrid)")  # fmt: skip
    for key, (kind, text) in _SHORTCUTS.items():
        solve.add_argument(f"--{key}", type=kind, metavar=key.upper(), help=text)
    solve.add_argument("--option", action="append", default=[], metavar="KEY=VALUE",
                       help="any option of quasinewton.minimize, several times if need "
                       "be; constants of the rules as rule_parameters.NAME")  # fmt: skip
    solve.add_argument("--no-compare", action="store_true", help="do without SciPy")
    solve.add_argument("--quiet", action="store_true", help="the results only, no iterations")

    compare = command("compare", _compare, "all methods and SciPy's side by side", _COMPARE)
    _add_target(compare)
    for key in ("gtol", "maxiter", "maxfev", "maxtime"):
        kind, text = _SHORTCUTS[key]
        if key != "gtol":
            text += " of each method"
        if key == "maxtime":
            text += f" (default {_MAXTIME:g})"
        compare.add_argument(f"--{key}", type=kind, metavar=key.upper(), help=text)
    compare.add_argument("--plot", metavar="FILE", help="a picture of f and max|g| against "
                         "evaluations; its type by the suffix (needs matplotlib)")  # fmt: skip

    check = command("check", _check, "compare derivatives with differences", _CHECK)
    _add_target(check)
    check.add_argument("--perturb", type=float, default=0.01, metavar="S",
                       help="move x0 at random by S max(|x0|, 1) first (default 0.01)")  # fmt: skip
    check.add_argument("--tolerance", type=float, metavar="T", help="largest relative error that "
                       "passes (default 1e-5, in single precision 5e-3)")  # fmt: skip

    listing = command("problems", _problems, "list the test problems", _PROBLEMS)
    listing.add_argument("--constrained", action="store_true", help="only those with constraints "
                         "other than bounds")  # fmt: skip
    return parser, dict(commands.choices)


def _add_target(parser: argparse.ArgumentParser) -> None:
    function = "package.module:function"
    parser.add_argument("target", nargs="?", metavar="TARGET",
                        help=f"a problem's name, or {function}")  # fmt: skip
    for flag, name, text in (
        ("--x0", "X0", "start: 1,2,3 or file.npy or file.txt; default: x0 of problem or module"),
        ("--jac", "GRADIENT", f"{function} with the gradient at x; default: differences"),
        ("--hessp", "PRODUCT", f"{function}, called as hessp(x, p)"),
        ("--lower", "L", "lower bounds: one number for all variables, or as --x0; -inf for none"),
        ("--upper", "U", "upper bounds; default of both: those of the problem, if it has any"),
    ):
        parser.add_argument(flag, metavar=name, help=text)
    parser.add_argument("--joint", action="store_true", help="TARGET returns (f, gradient)")
    parser.add_argument("--n", type=int, help="number of variables of a problem")


_EXAMPLES = f"""examples:
  {_PROGRAM} solve             logistic regression, a first look
  {_PROGRAM} solve extended_rosenbrock --n 10000 --quiet
  {_PROGRAM} compare rosenbrock   every method on one problem
  {_PROGRAM} check mymodule:f --jac mymodule:gradient --x0 1,2
  {_PROGRAM} problems          what can be named

Each command has a --help of its own. Exit codes: 0 converged, 1 not, 2 wrong
usage, 130 after Ctrl-C, 141 if the reader of the output has gone."""

_SOLVE = f"""\
Minimise a function and show the iterations, then the result beside SciPy's
L-BFGS-B with the same gtol, run until it converges or gives up. TARGET is the
name of a test problem or a function f(x) of your own, found from the current
folder like any module. Without TARGET: logistic regression on scikit-learn's
breast-cancer data, or the extended Rosenbrock function without.

examples:
  {_PROGRAM} solve rosenbrock --method trust_cg
  {_PROGRAM} solve extended_rosenbrock --n 100000 --memory 20
  {_PROGRAM} solve scipy.optimize:rosen --x0 -1.2,1 \\
      --jac scipy.optimize:rosen_der
  {_PROGRAM} solve mymodule:loss_and_gradient --joint --x0 start.npy
  {_PROGRAM} solve rosenbrock --lower -2 --upper 0.5,inf
  {_PROGRAM} solve hs71        with constraints, beside SLSQP
  {_PROGRAM} solve wood --option verbose=2 \\
      --option rule_parameters.grow=2

In the table of iterations, ratio is the actual over the predicted decrease;
verbose=2 shows every tenth line. In the last table, nit are iterations, nfev
and njev calls of the function and its gradient, nhev products of the Hessian
with a vector; numba's compilation is not in the seconds, but the first runs on
a machine with few variables are made in Python, which takes longer. With
bounds, max|g| is that of the projected gradient, x - P(x - g). With constraints
g is the gradient of the Lagrangian f + v.c, for SciPy's methods with the
multipliers v that make it least; violation is the largest of a constraint, and
a table of the constraints shows their sides and multipliers.

exit code: 0 if our method reached gtol, else 1; 2 for wrong usage"""

_COMPARE = f"""\
Run every method of this package and SciPy's on one target, to the same
max|g| <= gtol, and show the cost of each. Methods that keep an n x n matrix are
left out for n > {_MATRIX_LIMIT}, SciPy's with Hessian products if there are none,
and with bounds, or other constraints, those that take none.

examples:
  {_PROGRAM} compare rosenbrock
  {_PROGRAM} compare extended_wood --n 1000 --gtol 1e-8 --maxtime 5
  {_PROGRAM} compare mymodule:f --jac mymodule:gradient \\
      --hessp mymodule:hessp
  {_PROGRAM} compare beale --plot beale.png
  {_PROGRAM} compare hs71

Calls are counted in the functions themselves, and max|g| is evaluated at each
result, for all alike: nfev of the function, njev of its gradient, nhev of
products with the Hessian; nit are iterations. Seconds are those of the
processor, with one thread for BLAS, after a first run of each method that
compiles and imports; --maxtime is on the clock. SciPy's trust-region and
Newton-CG methods, whose own tests differ, stop at the first iterate with
max|g| <= gtol. Ctrl-C ends the comparison with what it has. Best is the method
that takes fewest calls, or seconds, to the lowest f found. The picture shows
the least f so far, and max|g| there, of at most eight methods.

exit code: 0 if every method of this package converged, else 1; 2 for wrong
usage; 130 after Ctrl-C"""

_CHECK = f"""\
Compare a gradient, and Hessian products where there are any, with central
differences along random directions and some coordinates, and say where they
differ.

examples:
  {_PROGRAM} check mymodule:f --jac mymodule:gradient --x0 1,2,3
  {_PROGRAM} check mymodule:loss_and_gradient --joint
  {_PROGRAM} check osborne_2

exit code: 0 if every derivative passes, else 1; 2 for wrong usage"""

_PROBLEMS = f"""\
List the classical test problems that solve, compare and check know by name.

examples:
  {_PROGRAM} problems
  {_PROGRAM} problems --constrained"""
