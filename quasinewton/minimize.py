"""`minimize`, and every method as a callable for `scipy.optimize.minimize(method=...)`."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Never

import numpy as np
from scipy.optimize import HessianUpdateStrategy, OptimizeResult, OptimizeWarning

from .display.progress_bar import progress
from .methods import CONSTRAINED, METHODS, default_method, unknown_method
from .options import Options, refuse, users_level
from .status import Status

if TYPE_CHECKING:
    from .box import Box
    from .constraints import Constraints
    from .objective import HessianOperator

__all__ = [
    "arc_hybrid",
    "arc_lbfgs",
    "arc_lsr1",
    "minimize",
    "sqp_hybrid",
    "sqp_lsr1",
    "sqp_newton",
    "trust_cg",
    "trust_hybrid",
    "trust_lbfgs",
    "trust_lsr1",
]


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] | Any = (),
    method: str | Callable[..., OptimizeResult] | None = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Callable[..., Any] | None = None,
    callback: Callable[..., Any] | None = None,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    resume: str | os.PathLike[str] | None = None,
    *,
    bounds: Any = None,
    constraints: Any = (),
    workers: Any = None,
    **unexpected: Never,
) -> OptimizeResult:
    r"""Find a local minimiser of a smooth function, under bounds and constraints if there are any.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float`` with x of shape (n,). If `jac` is True, it returns the pair
        ``(f, g)``. If `fun` is compiled by numba, `jac` is True or compiled too, and there are no
        `args`, a quasi-Newton method runs in machine code between the evaluations too. If `jac`
        is True, such a `fun` may also be ``fun(x, g) -> f`` that fills g.
    x0 : array_like, shape (n,), or tensor
        Start; never changed. A run from float32 is in float32, from any other real dtype in
        float64. The functions are called in this precision. If it is a tensor of PyTorch or CuPy,
        float32 or float64, the functions get tensors and return them, on the same device, and
        the result holds tensors; see `quasinewton.Solver` for what there is not for tensors.
    args : tuple, default ()
        Further arguments of `fun`, `jac`, `hess` and `hessp`.
    method : str or callable, optional
        One of

        - ``'arc_hybrid'``: cubic regularization, with a model of the Hessian that is made by SR1
          updates where these keep it positive definite and change it moderately, by BFGS updates
          where the curvature is safely positive, and by SR1 updates elsewhere;
        - ``'arc_lsr1'``: the same with SR1 updates alone;
        - ``'arc_lbfgs'``: the same with BFGS updates alone;
        - ``'trust_hybrid'``, ``'trust_lsr1'``, ``'trust_lbfgs'``: these models in a trust region;
        - ``'trust_cg'``: Newton steps in a trust region by conjugate gradients, and steps of
          ``'trust_hybrid'`` in between, if they decrease f by more for each evaluation (see the
          option ``enriched``);
        - ``'sqp_hybrid'``, ``'sqp_lsr1'``: sequential quadratic programming with the models of
          ``'trust_hybrid'`` and ``'trust_lsr1'`` of the Lagrangian, for problems with
          `constraints`; ``'sqp_newton'``: with its Hessian itself;

        or a function of this package of that name. Default: ``'trust_cg'`` if `hess` or
        `hessp` is given, else ``'trust_hybrid'``; with constraints ``'sqp_newton'`` if second
        derivatives of f and of all constraints are given, else ``'sqp_hybrid'``.
    jac : callable, bool or {'2-point', '3-point', 'cs'}, optional
        ``jac(x, *args) -> array, shape (n,)``, (n, 1) or (1, n), for n = 1 a number too. True:
        `fun` returns the gradient too. A string, or nothing: the gradient is approximated by
        differences of `fun`, whose evaluations count in `nfev`. None takes forward ones, or
        central ones if x0 or the values of `fun` are in less than double precision. If x0 is a
        tensor there are no differences: with None PyTorch differentiates `fun`, also for
        products if neither `hess` nor `hessp` is given.
    hess : callable, matrix, HessianUpdateStrategy or {'2-point', '3-point', 'cs'}, optional
        ``hess(x, *args)`` returns an array, a sparse matrix or a LinearOperator of shape (n, n);
        for n = 1 a number too. Only `trust_cg`, `sqp_newton` and the option `check_curvature` use
        it. A string, or nothing: products are approximated by differences of the gradient.
    hessp : callable, optional
        ``hessp(x, p, *args) -> array, shape (n,)``, the product of the Hessian with p. If both
        are given, `hess` is not used.
    callback : callable, optional
        Called after every iteration: with an OptimizeResult if its only parameter is named
        ``intermediate_result``, else with a copy of the current point. If it raises
        StopIteration, the run ends.
    tol : float, optional
        `gtol`, if the options do not set it.
    options : dict, optional
        See `quasinewton.options.Options`.
    resume : str or path, optional
        A checkpoint (see the option `checkpoint`) of a run from the same `x0`. The run goes on
        from it bit for bit, as if it had not been interrupted. The method and the options are
        those of the file, but options that are given here replace them; if one of these cannot
        change, a ValueError names it. `maxiter`, `maxfev` and `maxtime` count from the first
        start. A run that was saved in a `checkpoint` goes on being saved in this file, or in the
        `checkpoint` given. A `HessianUpdateStrategy` as `hess` starts anew. `resume` may also be
        given as an option.
    bounds : scipy.optimize.Bounds or sequence of n pairs, optional
        Bounds lower <= x <= upper, in the forms of SciPy: `Bounds`, whose `lb` and `ub` may be
        numbers, or a pair (lower, upper) for each variable, with None or an infinity where there
        is no bound. No function is called outside of them, not for differences or checks either.
        An `x0` outside is moved into them, with an OptimizeWarning. If both bounds of a variable
        are the same, it stays there, and derivatives by differences along it are 0. Where x0 is
        float32, bounds are rounded to the inside. A run that is resumed has those of the file,
        and may go without.
    constraints : NonlinearConstraint, LinearConstraint, dict, or list of these, optional
        Constraints ``lb <= c(x) <= ub`` as `scipy.optimize.minimize` takes them; an equality has
        ``lb == ub``. A Jacobian may be a dense or sparse matrix, a LinearOperator, or the name of a
        scheme of differences, whose points keep the bounds. `hess` of a constraint,
        ``hess(x, v)``, is used by ``'sqp_newton'``, which takes differences of its `jac` if there
        is none. `keep_feasible` is kept by linear inequalities: f is evaluated where
        they hold, but for differences; x0 must meet them. A nonlinear constraint has an
        OptimizeWarning for it. Where one of these functions is not finite the trial is rejected.
        With `resume` the functions are to be given again.
    workers : int, executor or callable, optional
        The option `workers`: who evaluates the points of differences.

    Returns
    -------
    OptimizeResult
        ``x, fun, jac, success, status, message, nit, nfev, njev, nhev, optimality,
        execution_time, method``, ``hess`` and ``hess_inv`` (LinearOperators with a method
        ``todense``: the quasi-Newton model at the end; for `trust_cg` with ``enriched=False``,
        which has no model, products with the Hessian at x, made when they are asked for),
        ``curvature`` (is this a minimum? a `quasinewton.solver.curvature.Curvature`), and
        ``history`` and ``allvecs`` if an option asks for them. With bounds, `optimality` is
        max|x - P(x - g)|, where P projects into them, and there is ``active``, shape (n,): -1
        where x is at its lower bound (also if that is the upper one too), 1 where it is at its
        upper one, else 0. `jac` is the gradient as it is: where a bound is active at the end, its
        multiplier. With constraints there are ``constr`` and ``v``, lists of arrays: the values of
        each constraint and its multipliers, with which the gradient of the Lagrangian
        ``f + sum of v.c`` vanishes, but for bounds: v > 0 only at an upper side, v < 0 only at a
        lower one; ``constr_violation``, the largest; ``constr_nfev``, ``constr_njev`` and
        ``constr_nhev``, the evaluations of each. `optimality` is then max|x - P(x - grad L)|, or
        the largest ``min(|v_i|, distance of c_i from its side)``, and success means that it is at
        most `gtol` with the gradients and v divided by max(1, max|g| / 100), and the violation at
        most `constr_tol`. The model is one of the Hessian of the Lagrangian. If the constraints
        cannot be met, the run ends where their violation has a minimum, with the status
        `Status.INFEASIBLE`. For errors of estimates see `quasinewton.standard_errors`. `status` is
        a `quasinewton.Status`. Only a small gradient, with bounds a small projected one, counts as
        success. `x` is the best point found in any case; `jac` is NaN if its gradient is not known.

    Raises
    ------
    TypeError, ValueError
        If an argument makes no sense; it is named, and `fun` has not been called.
    BaseException
        What a function of yours has raised, the same object, with the best point so far in its
        attribute ``result``. It is in ``quasinewton_result`` too, and only there if the
        exception has a ``result`` of its own.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der
    >>> from quasinewton import minimize
    >>> result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, tol=1e-8)
    >>> result.success
    True
    """
    refuse("minimize", unexpected)
    given = dict(options or {})
    if resume is not None:
        given["resume"] = resume
    if workers is not None:
        given["workers"] = workers
    if method is None and given.get("resume") is None:
        from .solver import as_start

        second = hess is not None or hessp is not None
        constrained = _are_some(constraints)
        if second and constrained:
            from .constraints import have_second, listed

            constraints = listed(constraints)
            second = have_second(constraints)
        method = default_method(as_start(x0).shape[0], constrained, second)
    if callable(method):
        name = getattr(method, "__name__", "")
        if globals().get(name) is not method or name not in (*METHODS, *CONSTRAINED):
            # another callable by SciPy's protocol
            extra = given if tol is None else {"tol": tol, **given}
            return method(
                fun, x0, args=_as_tuple(args), jac=jac, hess=hess, hessp=hessp, bounds=bounds,
                constraints=constraints, callback=callback, **extra,
            )  # fmt: skip
        method = name
    if method is not None:
        if not isinstance(method, str):
            raise TypeError(f"`method` must be a string or callable, got {type(method).__name__}")
        if method.lower() not in (*METHODS, *CONSTRAINED):
            raise ValueError(unknown_method(method, (*METHODS, *CONSTRAINED)))
        method = method.lower()
        if method not in CONSTRAINED and _are_some(constraints):
            raise ValueError(
                f"`method` {method!r} takes no `constraints`; {', '.join(CONSTRAINED)} do"
            )
    return _run(
        method, fun, x0, _as_tuple(args), jac, hess, hessp, callback, given, tol, bounds,
        constraints,
    )  # fmt: skip


def _are_some(constraints: Any) -> bool:
    """Whether constraints are given, in whatever form."""
    return constraints is not None and not (
        isinstance(constraints, list | tuple) and not len(constraints)
    )


def _as_tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


def _run(
    method: str | None,
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...],
    jac: Any,
    hess: Any,
    hessp: Any,
    callback: Callable[..., Any] | None,
    options: dict[str, Any],
    tol: float | None,
    bounds: Any = None,
    constraints: Any = (),
) -> OptimizeResult:
    """Run a `Solver` with a user's functions."""
    notify = _callback(callback)
    if isinstance(hess, HessianUpdateStrategy) and options.get("resume") is None:
        options = {"enriched": False, **options}  # it wants to see every step
    constraints = constraints if _are_some(constraints) else None
    from .solver.loop import StopIterationRaised, open_solver

    solver = open_solver(method, x0, options, tol, bounds, constraints)

    if isinstance(callback, progress):
        solver.announce = callback.announce
    if solver.options.check_derivatives and np.isfinite(solver.x0).all():
        from .objective import require_derivatives
        from .solver.compiled import Evaluation

        evaluation = None
        if not args:
            evaluation = Evaluation.of(fun, jac, solver.x0.dtype, solver.announce)
        checked = fun if evaluation is None or not evaluation.joint else evaluation
        given = solver.options.check_derivatives
        tolerance = None if given is True else given
        require_derivatives(checked, solver.x0, args, jac, hess, hessp, tolerance, solver.box)
    try:
        steps = solver.run(fun, jac, hess, hessp, args, 1 if notify else 100, constraints)
        for state in steps:
            if notify is not None:
                try:
                    notify(state)
                except StopIteration:
                    if state.running:
                        state.stop(Status.CALLBACK)
    except BaseException as raised:  # an interrupt too: what was found is not lost
        error = raised
        if isinstance(raised, StopIterationRaised):
            assert raised.__cause__ is not None
            error = raised.__cause__
        solver.stop(Status.EXCEPTION)
        result = solver.result()
        attach(
            error, result,
            f"raised in iteration {solver.nit}; the best point so far, f = {result.fun:g},",
        )  # fmt: skip
        if error is raised:
            raise
        raise error from None
    finally:
        if isinstance(callback, progress):
            callback.end(solver.intermediate)
    result = solver.finish()
    if solver.options.disp and not result.success:  # SciPy's methods too warn then
        warnings.warn(result.message, OptimizeWarning, stacklevel=3)
    is_array = isinstance(result.x, np.ndarray)
    if is_array and "hess" not in result and np.isfinite(result.jac).all():
        result.hess = _hessian(
            result, fun, args, jac, hess, hessp, solver.options, solver.box, solver.constraints
        )
        result.hess_inv = result.hess.inverse()
    return result


def _hessian(
    result: OptimizeResult,
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    jac: Any,
    hess: Any,
    hessp: Any,
    options: Options,
    box: Box | None,
    constraints: Constraints | None = None,
) -> HessianOperator:
    """The Hessian at the end of a run whose method keeps no model of it: of the Lagrangian."""
    from .objective import HessianOperator, Objective

    x, g = result.x.copy(), result.jac.copy()
    if isinstance(hess, HessianUpdateStrategy) and hessp is None:
        return HessianOperator(hess.dot, x)
    objective = Objective(
        fun, x, args, jac, hess, hessp, options.finite_diff_rel_step, options.eps, box=box
    )
    if constraints is None:
        return HessianOperator(lambda d: objective.product(x, g, d, 0), x)
    v = np.concatenate([np.zeros(0), *result.v])
    return HessianOperator(
        lambda d: np.asarray(objective.product(x, g, d, 0)) + constraints.product(x, v, d, -2), x
    )


#: The attribute of an exception that always is what `attach` has put there.
_OURS = "quasinewton_result"


def attach(error: BaseException, result: OptimizeResult, what: str) -> None:
    """Give an exception, whose class is the user's, a result and a note of where it is.

    Written past `__setattr__`, which may refuse it, and over nothing that the user has put there.
    """
    names = error.__dict__
    taken = inspect.getattr_static(error, "result", error)
    if taken is error or taken is names.get(_OURS, error):  # else an inner run's
        names["result"] = result
    place = "result" if names.get("result") is result else _OURS
    names[_OURS] = result
    notes = names.get("__notes__", [])
    if isinstance(notes, list):
        prefix = "quasinewton: "
        others = [note for note in notes if not str(note).startswith(prefix)]
        text = f"{prefix}{what} is in the attribute `{place}` of this exception."
        names["__notes__"] = [*others, text]


def attached(error: BaseException) -> OptimizeResult | None:
    """The result that an exception was given last."""
    result: OptimizeResult | None = error.__dict__.get(_OURS)
    return result


def forget(error: BaseException) -> None:
    """Take from an exception the result that `attach` has given it."""
    names = error.__dict__
    result = names.pop(_OURS, None)
    if result is not None and names.get("result") is result:
        del names["result"]


def _callback(callback: Callable[..., Any] | None) -> Callable[[Any], Any] | None:
    """The user's callback in the form in which it wants to be called."""
    if callback is None:
        return None
    from .vectors import clone

    if not callable(callback):
        raise TypeError(f"`callback` must be callable, got {type(callback).__name__}")
    try:
        names = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):
        names = set()
    if names == {"intermediate_result"}:
        return lambda solver: callback(intermediate_result=solver.intermediate())
    return lambda solver: callback(clone(solver.x))


def _scipy_method(
    name: str, doc: str, constrained: bool = False
) -> Callable[..., OptimizeResult]:
    def method(
        fun: Callable[..., Any],
        x0: Any,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callable[..., Any] | None = None,
        tol: float | None = None,
        **options: Any,
    ) -> OptimizeResult:
        if _are_some(constraints) and not constrained:
            constraints = ()
            warnings.warn(
                f"Method {name} cannot handle constraints.",
                RuntimeWarning,
                stacklevel=users_level(),
            )
        return _run(
            name, fun, x0, _as_tuple(args), jac, hess, hessp, callback, options, tol, bounds,
            constraints,
        )  # fmt: skip

    method.__name__ = method.__qualname__ = name
    text = "" if constrained else _WITHOUT_CONSTRAINTS
    method.__doc__ = doc + _SCIPY_DOC.format(name=name, text=text)
    return method


_SCIPY_DOC = """

    For ``scipy.optimize.minimize(fun, x0, method={name}, options=...)``, or to be called by
    itself. Arguments, options and result are those of `quasinewton.minimize`.{text}
    """

_WITHOUT_CONSTRAINTS = """ Constraints other
    than bounds are not kept, with a RuntimeWarning."""


arc_lsr1 = _scipy_method(
    "arc_lsr1",
    """Adaptive cubic regularization with an SR1 Hessian.

    Minimises g.s + s.B s/2 + (sigma/3) phi(s)^3 at each iteration, in closed form in the
    shape-changing norm or by a secular equation in the 2-norm (Ranganath et al.,
    arXiv:2502.12298).""",
)
trust_lsr1 = _scipy_method(
    "trust_lsr1",
    """An SR1 Hessian in a trust region.

    With limited memory the subproblem is solved to full accuracy in the eigenbasis (Brust, Erway
    & Marcia 2017).""",
)
arc_hybrid = _scipy_method(
    "arc_hybrid",
    """Adaptive cubic regularization with a hybrid model.

    SR1 updates where they keep it positive definite and change it moderately, BFGS updates where
    the curvature is safely positive, SR1 updates elsewhere. With limited memory (the option
    `memory`) BFGS updates come first.""",
)
trust_hybrid = _scipy_method(
    "trust_hybrid",
    """A trust region around the hybrid model of `arc_hybrid`.""",
)
arc_lbfgs = _scipy_method(
    "arc_lbfgs",
    """Adaptive cubic regularization with a BFGS model.""",
)
trust_lbfgs = _scipy_method(
    "trust_lbfgs",
    """A trust region around a BFGS model (Burdakov et al. 2017, with limited memory).""",
)
sqp_hybrid = _scipy_method(
    "sqp_hybrid",
    """Sequential quadratic programming with a hybrid model of the Hessian of the Lagrangian.

    The quadratic subproblem is elastic and is solved in the bounds and a trust region, and steps
    are judged by an exact penalty (Nocedal & Wright 2006, chapter 18).""",
    constrained=True,
)
sqp_lsr1 = _scipy_method(
    "sqp_lsr1",
    """The same as `sqp_hybrid` with an SR1 model, which may be indefinite.""",
    constrained=True,
)
sqp_newton = _scipy_method(
    "sqp_newton",
    """The same as `sqp_hybrid` with the Hessian of the Lagrangian itself.

    By `hess` of the objective and of the constraints, or by products as conjugate gradients make
    them: of `hess` or `hessp`, and of differences of gradients and Jacobians.""",
    constrained=True,
)
trust_cg = _scipy_method(
    "trust_cg",
    """Trust-region Newton with Steihaug's conjugate gradients (Nocedal & Wright 2006,
    Algorithm 7.2), with products from `hessp`, `hess`, or differences of the gradient; enriched
    by quasi-Newton steps (Morales & Nocedal 2002), unless the option `enriched` is False.""",
)
