"""Run one method on one problem and count what it asks for.

Cost is the number of gradients plus Hessian products; a run has solved its problem when a
gradient it was given has max|g| <= 1e-6 max(1, max|g0|). Counting and stopping happen in
the functions handed to the method, so every method is measured the same way.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from dataclasses import asdict, dataclass

import numpy as np
from scipy import optimize

import quasinewton

TOLERANCE = 1e-6


class Done(Exception):
    """The run has solved its problem or spent its budget."""


class Counter:
    """The functions of a problem, counted; raises `Done` at the end of the race."""

    def __init__(self, problem, budget: int, seconds: float) -> None:
        self.problem, self.budget = problem, budget
        self.nfev = self.njev = self.nhev = 0
        self.solved = False
        self.best = np.inf
        self.deadline = time.perf_counter() + seconds
        self._x = np.full(problem.n, np.nan)
        self._f, self._g = np.nan, None
        g0 = problem.fg(problem.x0)[1]
        self.target = TOLERANCE * max(1.0, float(np.abs(g0).max()))

    def _at(self, x):
        if not np.array_equal(x, self._x):
            self._x = np.array(x, np.float64)
            self._f, self._g = self.problem.fg(self._x)
        return self._f, self._g

    def _spend(self):
        if self.njev + self.nhev > self.budget or self.nfev > 2 * self.budget:
            raise Done
        if time.perf_counter() > self.deadline:
            raise Done

    def fun(self, x):
        self.nfev += 1
        self._spend()
        return self._at(x)[0]

    def jac(self, x):
        self.njev += 1
        f, g = self._at(x)
        if np.isfinite(f):
            self.best = min(self.best, f)
        if np.isfinite(g).all() and np.abs(g).max() <= self.target:
            self.solved = True
            raise Done
        self._spend()
        return g.copy()

    def hessp(self, x, p):
        self.nhev += 1
        self._spend()
        return self.problem.hessp(np.asarray(x, np.float64), np.asarray(p, np.float64))

    @property
    def cost(self) -> int:
        return self.njev + self.nhev


@dataclass
class Record:
    """One row of the results."""

    method: str
    problem: str
    n: int
    solved: bool
    cost: int
    nfev: int
    njev: int
    nhev: int
    f: float
    seconds: float
    note: str = ""

    def row(self) -> dict:
        return asdict(self)


BIG = 10**9


def _scipy(method, **options):
    def run(counter, x0):
        hessp = counter.hessp if method in ("trust-ncg", "trust-krylov", "Newton-CG") else None
        return optimize.minimize(
            counter.fun, x0, jac=counter.jac, hessp=hessp, method=method, options=options
        )

    return run


def _ours(method, products=False, **options):
    options = {"gtol": 0.0, "maxiter": BIG, **options}

    def run(counter, x0):
        return quasinewton.minimize(
            counter.fun,
            x0,
            jac=counter.jac,
            hessp=counter.hessp if products else None,
            method=method,
            options=options,
        )

    return run


def _nlopt(counter, x0):
    import nlopt

    def f(x, grad):
        value = counter.fun(x)
        if grad.size:
            grad[:] = counter.jac(x)
        return value

    opt = nlopt.opt(nlopt.LD_LBFGS, x0.size)
    opt.set_min_objective(f)
    opt.set_vector_storage(10)
    return opt.optimize(x0)


def _fides(update):
    def run(counter, x0):
        import fides

        opt = fides.Optimizer(
            lambda x: (counter.fun(x), counter.jac(x)),
            ub=np.full(x0.size, np.inf),
            lb=np.full(x0.size, -np.inf),
            verbose=50,
            options={"maxiter": 100000, "fatol": 0.0, "frtol": 0.0, "gatol": 0.0, "grtol": 0.0},
            hessian_update=getattr(fides, update)(),
        )
        return opt.minimize(x0)

    return run


METHODS = {
    "arc_lsr1": _ours("arc_lsr1"),
    "arc_lsr1 2-norm": _ours("arc_lsr1", norm="euclidean"),
    "trust_lsr1": _ours("trust_lsr1"),
    "arc_hybrid": _ours("arc_hybrid"),
    "trust_hybrid": _ours("trust_hybrid"),
    "arc_lbfgs": _ours("arc_lbfgs"),
    "trust_cg": _ours("trust_cg", products=True),
    "trust_cg differences": _ours("trust_cg"),
    "L-BFGS-B": _scipy("L-BFGS-B", maxiter=BIG, maxfun=BIG, ftol=0.0, gtol=0.0),
    "L-BFGS-B 30": _scipy("L-BFGS-B", maxcor=30, maxiter=BIG, maxfun=BIG, ftol=0.0, gtol=0.0),
    "BFGS": _scipy("BFGS", maxiter=BIG, gtol=0.0),
    "CG": _scipy("CG", maxiter=BIG, gtol=0.0),
    "trust-ncg": _scipy("trust-ncg", maxiter=BIG, gtol=0.0),
    "trust-krylov": _scipy("trust-krylov", maxiter=BIG, gtol=0.0),
    "Newton-CG": _scipy("Newton-CG", maxiter=BIG, xtol=0.0),
    "nlopt LBFGS": _nlopt,
    "fides BFGS": _fides("BFGS"),
    "fides SR1": _fides("SR1"),
}


def run(name: str, problem, budget: int, seconds: float = 60.0, runner=None) -> Record:
    """Run a method of `METHODS` (or `runner`) on a problem."""
    counter = Counter(problem, budget, seconds)
    note = ""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            outcome = (runner or METHODS[name])(counter, problem.x0.copy())
        note = str(getattr(outcome, "message", ""))
    except Done:
        pass
    except Exception as error:  # a peer's failure is a result too
        note = f"{type(error).__name__}: {error}"[:200]
    return Record(
        name, problem.name, problem.n, counter.solved, counter.cost, counter.nfev, counter.njev,
        counter.nhev, counter.best, time.perf_counter() - start, note,
    )  # fmt: skip


def geometric_mean(records, base, cost=lambda r: r.cost) -> tuple[float, int]:
    """Mean of cost / cost of `base` over the problems both solve, and how many those are."""
    ours = {r.problem: r for r in records if r.solved}
    logs = [
        np.log(cost(ours[b.problem]) / cost(b)) for b in base if b.solved and b.problem in ours
    ]
    return float(np.exp(np.mean(logs))) if logs else np.nan, len(logs)


def available(name: str) -> bool:
    """Whether the package behind a method is installed."""
    package = name.split()[0]
    return package not in ("nlopt", "fides") or importlib.util.find_spec(package) is not None


def dense(name: str) -> bool:
    """Whether a method holds n x n matrices."""
    return name in ("BFGS", "fides BFGS", "fides SR1")
