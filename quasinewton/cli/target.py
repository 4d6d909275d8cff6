"""What a command line names: a problem or a user's functions, and options."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import NonlinearConstraint, lsq_linear

from ..box import Box, violations

__all__ = ["Target", "UsageError", "find_options", "find_target", "located", "unknown"]


class UsageError(Exception):
    """The message says in one line what is wrong and what is expected."""


@dataclass(frozen=True)
class Target:
    """What is to be minimised.

    Attributes
    ----------
    label : str
    fun : callable
        ``fun(x) -> float``, or ``-> (f, g)`` where `joint`.
    grad : callable or None
        ``grad(x) -> array``; None for differences, or where `joint`.
    hessp : callable or None
        ``hessp(x, p) -> array``.
    x0 : array, shape (n,)
    joint : bool
    box : Box or None
        The bounds, with x0 in them.
    constraints : scipy.optimize.NonlinearConstraint or None
        The other ones, with `jac` and `hess`; x0 need not meet them.
    """

    label: str
    fun: Callable[[Any], Any]
    grad: Callable[[Any], Any] | None
    hessp: Callable[[Any, Any], Any] | None
    x0: np.ndarray
    joint: bool = False
    box: Box | None = None
    constraints: NonlinearConstraint | None = None

    def value(self, x: np.ndarray) -> Any:
        """The objective alone."""
        value = self.fun(x.copy())
        return value[0] if self.joint else value

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient alone; by differences where there is none."""
        if self.joint:
            return np.asarray(self.fun(x.copy())[1])
        if self.grad is not None:
            return np.asarray(self.grad(x.copy()))
        from ..objective import Objective

        x = np.asarray(x, np.float64)
        return Objective(self.fun, x, jac="2-point", box=self.box).gradient_at(x)

    def optimality(self, x: np.ndarray, g: np.ndarray) -> float:
        """max|g|, or with bounds that of the projected gradient."""
        return float(np.max(np.abs(g))) if self.box is None else self.box.optimality(x, g)

    def violation(self, x: np.ndarray) -> float:
        """The largest amount by which a constraint is missed."""
        if self.constraints is None:
            return 0.0
        missed = violations(self._sides(), self.constraints.fun(x))
        return float(missed.max(initial=0.0))

    def multipliers(self, x: np.ndarray, g: np.ndarray, within: float) -> np.ndarray:
        """Those v of the right signs with which the gradient of f + v.c is least, squared.

        They are 0 for constraints that are farther than `within` from their sides. For methods
        that tell none, or tell others.
        """
        assert self.constraints is not None
        c, jac = np.asarray(self.constraints.fun(x)), np.asarray(self.constraints.jac(x))
        lower, upper = self._sides()
        v = np.zeros(c.size)
        low, up = c - lower <= within, upper - c <= within
        active = low | up
        if not (active.any() and np.isfinite(jac).all() and np.isfinite(g).all()):
            return v
        rows = jac[active]
        signs = np.where(low[active], -np.inf, 0.0), np.where(up[active], np.inf, 0.0)
        if self.box is not None:  # bounds are constraints too
            below = np.where(x - self.box.lower <= within, -np.inf, 0.0)
            above = np.where(self.box.upper - x <= within, np.inf, 0.0)
            held = np.flatnonzero((below != 0.0) | (above != 0.0))
            rows = np.concatenate([rows, np.eye(x.size)[held]])
            signs = np.append(signs[0], below[held]), np.append(signs[1], above[held])
        sizes = np.linalg.norm(rows, axis=1)
        sizes[sizes == 0.0] = 1.0
        found = lsq_linear((rows / sizes[:, None]).T, -g, bounds=signs, method="bvls")
        v[active] = (found.x / sizes)[: int(active.sum())]
        return v

    def lagrangian(self, x: np.ndarray, g: np.ndarray, v: Any) -> np.ndarray:
        """The gradient of f + v.c, or of f where v is None."""
        if self.constraints is None or v is None:
            return g
        return np.asarray(g + v @ self.constraints.jac(x))

    def _sides(self) -> np.ndarray:
        assert self.constraints is not None
        return np.array([self.constraints.lb, self.constraints.ub])


def find_target(args: argparse.Namespace) -> Target:
    """The problem or the user's functions that a command line names, tried out once at x0.

    Raises
    ------
    UsageError
    """
    name, n = args.target, args.n
    if name is None:
        name, n = _default(n)
    target = _bounded(args, _imported(args) if ":" in name else _problem(args, name, n))
    value = _called(name, target, target.fun, target.x0.copy())
    pair = isinstance(value, tuple) and len(value) == 2
    if target.joint and not pair:
        raise UsageError(f"--joint: {name} must return (f, gradient), got {_brief(value)}")
    if pair and not target.joint:
        raise UsageError(f"{name} returns a pair; expected a number, or --joint for (f, gradient)")
    f = value[0] if pair else value
    if np.size(f) != 1 or np.asarray(f).dtype.kind not in "biuf":
        raise UsageError(f"{name} must return one real number, got {_brief(f)}")
    if target.grad is not None or target.joint:
        g = _called(f"the gradient of {name}", target, target.gradient, target.x0)
        if g.dtype.kind not in "biuf":
            raise UsageError(f"the gradient must be an array of real numbers, got {_brief(g)}")
        if g.shape != target.x0.shape:
            raise UsageError(
                f"the gradient must have the shape of x0, {target.x0.shape}, got {g.shape}"
            )
    if target.hessp is not None:
        expected = f"expected hessp(x, p), an array of shape {target.x0.shape}"
        ones = np.ones_like(target.x0)
        product = np.asarray(_called(f"--hessp: {expected}; it", target, target.hessp,
                                     target.x0.copy(), ones))  # fmt: skip
        if product.shape != target.x0.shape:
            raise UsageError(f"--hessp: {expected}, got {_brief(product)}")
    return target


def _called(name: str, target: Target, function: Callable[..., Any], *args: Any) -> Any:
    """What a function of the user returns at x0."""
    try:
        return function(*args)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{name} fails at x0 of shape {target.x0.shape}: {located(error)}"
        ) from error


def located(error: BaseException) -> str:
    """An exception in a line, with the user's line that raised it or led there."""
    package = os.path.dirname(os.path.dirname(__file__))
    libraries = os.path.dirname(os.path.dirname(np.__file__)), os.path.dirname(os.__file__)
    frames = traceback.extract_tb(error.__traceback__)
    users = [f for f in frames if not f.filename.startswith((package, *libraries, "<"))]
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    if not users:
        return text
    return f"{text} ({os.path.basename(users[-1].filename)}, line {users[-1].lineno})"


def _default(n: int | None) -> tuple[str, int | None]:
    from importlib.util import find_spec

    if find_spec("sklearn") is not None and n is None:
        print("no TARGET given: logistic regression on scikit-learn's breast-cancer data")
        return "logistic_breast_cancer", None
    why = "scikit-learn is not installed" if n is None else "--n asks for a size"
    print(f"no TARGET given, and {why}: the extended Rosenbrock function")
    return "extended_rosenbrock", n or 1000


def _problem(args: argparse.Namespace, name: str, n: int | None) -> Target:
    from .. import problems
    for option in ("jac", "hessp", "joint"):
        if getattr(args, option):
            raise UsageError(f"--{option} goes with a TARGET of the form package.module:function")
    kinds: tuple[dict[str, bool], ...] = ({}, {"bounded": True}, {"constrained": True})
    names = [known for kind in kinds for known in problems.names(**kind)]
    if name not in names:
        raise UsageError(
            f"{unknown('problem', name, names)} The command `problems` lists them; a "
            "function is named as package.module:function"
        )
    try:
        problem = problems.get(name, n)
    except ValueError as error:
        sizes = [known for kind in kinds for known in problems.scalable(**kind)]
        others = [other for other in sizes if name in other]
        hint = f"; other sizes: {', '.join(others)}" if name not in others and others else ""
        raise UsageError(f"--n: {error}{hint}") from error
    x0 = np.array(problem.x0)
    if args.x0 is not None:
        x0 = _numbers("--x0", args.x0)
        if x0.shape != problem.x0.shape:
            raise UsageError(f"--x0: expected {problem.n} numbers for {name}, got {x0.size}")
    box = _box("bounds", problem.bounds, x0)
    return Target(
        name, problem.fun, problem.grad, problem.hessp, x0, box=box,
        constraints=problem.constraints,
    )  # fmt: skip


def _imported(args: argparse.Namespace) -> Target:
    if args.n is not None:
        raise UsageError("--n goes with a problem's name; the size of a function is that of --x0")
    if args.jac is not None and args.joint:
        raise UsageError("--jac and --joint exclude each other: --joint returns the gradient too")
    fun, module = _load("TARGET", args.target)
    grad = None if args.jac is None else _load("--jac", args.jac)[0]
    hessp = None if args.hessp is None else _load("--hessp", args.hessp)[0]
    if args.x0 is not None:
        x0 = _numbers("--x0", args.x0)
    elif hasattr(module, "x0"):
        x0 = _vector("x0", module.x0)
    else:
        raise UsageError(
            f"no start: expected --x0 1,2,3 or --x0 file.npy, or x0 in module {module.__name__}"
        )
    return Target(args.target, fun, grad, hessp, x0, args.joint)


def _box(option: str, bounds: Any, x0: np.ndarray) -> Box | None:
    try:
        return Box.parse(bounds, x0.size, x0.dtype)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{option}: {error}") from error


def _bounded(args: argparse.Namespace, target: Target) -> Target:
    """The target with the bounds of the command line before its own, and its start in them."""
    lower, upper = _side(args, "lower", target), _side(args, "upper", target)
    box, x0 = target.box, target.x0
    if lower is not None or upper is not None:
        if lower is None:
            lower = np.full(x0.shape, -np.inf) if box is None else box.lower
        if upper is None:
            upper = np.full(x0.shape, np.inf) if box is None else box.upper
        pairs = list(zip(lower, upper, strict=True))
        box = _box("--lower, --upper", pairs, x0)
    if box is not None and np.isfinite(x0).all() and not box.contains(x0):
        print("x0 is not within the bounds; it is moved into them")
        x0 = box.project(x0)
    return replace(target, x0=x0, box=box)


def _side(args: argparse.Namespace, name: str, target: Target) -> Any:
    """What --lower or --upper gives, for each variable; None where it is not given."""
    text = getattr(args, name, None)
    if text is None:
        return None
    values = _numbers(f"--{name}", text)
    if values.size not in (1, target.x0.size):
        raise UsageError(
            f"--{name}: expected one number or {target.x0.size} for {target.label}, got "
            f"{values.size}"
        )
    return np.broadcast_to(values, target.x0.shape)


def _load(option: str, text: str) -> tuple[Any, Any]:
    """The function and the module that ``package.module:function`` names."""
    from importlib import import_module

    path, _, name = text.partition(":")
    if not re.fullmatch(r"\w+(\.\w+)*", path) or not name.isidentifier():
        raise UsageError(f"{option}: expected package.module:function, got {text!r}")
    if os.getcwd() not in sys.path and "" not in sys.path:  # as `python -m` has it
        sys.path.insert(0, os.getcwd())
    try:
        module = import_module(path)
    except (Exception, SystemExit) as error:
        # whatever a user's module raises
        raise UsageError(
            f"{option}: importing {path} failed: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, name):
        functions = [key for key, value in vars(module).items() if callable(value)]
        raise UsageError(f"{option}: {unknown(f'function of {path}', name, functions)}")
    function = getattr(module, name)
    if not callable(function):
        raise UsageError(f"{option}: {text} is not a function but {_brief(function)}")
    return function, module


def _numbers(option: str, text: str) -> np.ndarray:
    """The vector that an option gives or names."""
    expected = "expected numbers with commas between, or a file that ends in .npy or .txt"
    try:
        if text.endswith(".npy"):
            return _vector(option, np.load(text, allow_pickle=False))
        if text.endswith(".txt"):
            return _vector(option, np.loadtxt(text, ndmin=1))
        return _vector(option, [float(part) for part in text.split(",")])
    except UsageError:
        raise
    except Exception as error:  # NumPy's are many: of zip files, of pickles, of text
        raise UsageError(f"{option}: {error or type(error).__name__}; {expected}") from error


def _vector(option: str, value: Any) -> np.ndarray:
    x = np.atleast_1d(np.asarray(value))
    if x.ndim != 1 or x.size == 0 or x.dtype.kind not in "biuf":
        raise UsageError(f"{option}: expected a vector of real numbers, got {_brief(value)}")
    return x.astype(np.float32 if x.dtype == np.float32 else np.float64)


def find_options(args: argparse.Namespace, shortcuts: Iterable[str]) -> dict[str, Any]:
    """The options for `minimize` of a command line, checked.

    Parameters
    ----------
    args : Namespace
    shortcuts : iterable of str
        Options with a flag of their own.

    Raises
    ------
    UsageError
    """
    from dataclasses import fields

    from ..options import Options

    known = [field.name for field in fields(Options)]
    given = {key: getattr(args, key, None) for key in shortcuts}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for text in getattr(args, "option", ()):
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--option: expected KEY=VALUE, got {text!r}")
        if key.startswith("rule_parameters."):
            rule = options.setdefault("rule_parameters", {})
            rule[key.partition(".")[2]] = _literal(value)
        elif key not in known or key == "rule_parameters":
            raise UsageError(f"--option: {unknown('key', key, known)}")
        else:
            options[key] = _literal(value)
    try:
        parsed = Options.parse(options)
        if parsed.rule_parameters:
            from ..globalization import RuleParameters

            RuleParameters(**parsed.rule_parameters)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    return options


def _literal(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """The message for a name that is none of the known ones, with those close to it."""
    known = list(known)
    close = difflib.get_close_matches(given, known, n=3)
    message = f"unknown {what} {given!r}"
    if close:
        return f"{message}; did you mean {', '.join(close)}?"
    if 0 < len(known) <= 10:
        return f"{message}; expected one of {', '.join(known)}."
    return f"{message}."


def _brief(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.60}".partition("\n")[0]
