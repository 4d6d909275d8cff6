"""Run one method on one problem and count what it asks for.

Cost is the number of gradients plus Hessian products; a run has solved its problem when a
gradient it was given has max|g| <= 1e-6 max(1, max|g0|). Counting and stopping happen in
the functions handed to the method, so every method is measured the same way. Times are those of
the processor, so that other work on the machine decides nothing.

`Counter` counts f and g apart, as the tables of CUTEst's problems do; `Points` counts distinct
points, f and g together, as the tables of problems with bounds and of what users bring do.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import importlib
import importlib.metadata
import os
import platform
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

import quasinewton
from quasinewton import kernels

TOLERANCE = 1e-6
kernels.PATIENCE = 0.0  # machine code is what is measured


@dataclass
class Problem:
    """One problem: `fg(x) -> (f, g)`, `hessp(x, p)` or None, start."""

    name: str
    x0: np.ndarray
    fg: Callable[[np.ndarray], tuple[float, np.ndarray]]
    hessp: Callable[[np.ndarray, np.ndarray], np.ndarray] | None

    @property
    def n(self) -> int:
        return self.x0.size


#: Whose versions `about` tells.
PACKAGES = ("quasinewton", "numpy", "scipy", "numba", "jax", "sif2jax", "nlopt", "fides",
            "galahad-optrove")  # fmt: skip


def about() -> dict[str, Any]:
    """Machine, versions and date; `kept`: methods whose rows are of an earlier date."""
    facts: dict[str, Any] = {
        "kept": {},
        "date": datetime.date.today().isoformat(),
        "machine": platform.processor() or platform.machine(),
        "cpus": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        facts["machine"] = next(x.split(":")[1].strip() for x in lines if "model name" in x)
    except (OSError, StopIteration):
        pass
    for name in PACKAGES:
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts[name] = "not installed"
    return facts


def half(name: str) -> int:
    """0 for the problems to develop on, 1 for those to test on."""
    return zlib.crc32(name.encode()) % 2


class Done(Exception):
    """The run has solved its problem or spent its budget or its time."""


class Counter:
    """The functions of a problem, counted; raises `Done` at the end of the race."""

    def __init__(self, problem, budget: int, seconds: float) -> None:
        self.problem, self.budget = problem, budget
        self.nfev = self.njev = self.nhev = 0
        self.end = ""  # what ended the race: "solved", "budget" or "time"
        self.best = np.inf
        self.deadline = time.process_time() + seconds
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
        if self.end:
            raise Done
        if self.njev + self.nhev > self.budget or self.nfev > 2 * self.budget:
            self.end = "budget"
        elif time.process_time() > self.deadline:
            self.end = "time"
        if self.end:
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
        if not self.end and np.isfinite(g).all() and np.abs(g).max() <= self.target:
            self.end = "solved"
        self._spend()
        return g.copy()

    def hessp(self, x, p):
        self.nhev += 1
        self._spend()
        return self.problem.hessp(np.asarray(x, np.float64), np.asarray(p, np.float64))

    def hess(self, x, products):
        """The Hessian, counted as so many products."""
        self.nhev += products
        self._spend()
        return np.array([self.problem.hessp(x, e) for e in np.eye(self.problem.n)])

    @property
    def cost(self) -> int:
        return self.njev + self.nhev


class Points:
    """The functions of a problem, counted at distinct points, f and g together.

    A point that is asked for again costs nothing, also later and for the gradient alone. What a
    race is over for, `note` decides.
    """

    def __init__(self, problem, budget: int, seconds: float) -> None:
        self.problem, self.budget = problem, budget
        self.points = self.products = 0
        self.end = ""  # what ended the race
        self.inside = 0.0  # processor time in the problem's functions
        self._seen: set[bytes] = set()
        self._recent: dict[bytes, tuple[float, np.ndarray]] = {}
        self.deadline = time.process_time() + seconds

    @property
    def cost(self) -> int:
        return self.points + self.products

    def evaluate(self, x: np.ndarray) -> tuple:
        """What is to be had at a point: f, g, and what else a problem has."""
        f, g = self.problem.fg(x)
        return float(f), np.asarray(g, np.float64)

    def note(self, x: np.ndarray, f: float, g: np.ndarray) -> None:
        """Look at what was found at a point; a race that is to end here sets `end`."""

    def _spend(self) -> None:
        if not self.end and self.cost >= self.budget:
            self.end = "budget"
        if not self.end and time.process_time() > self.deadline:
            self.end = "time"
        if self.end:
            raise Done

    def _at(self, x):
        x = np.array(x, np.float64)
        key = hashlib.blake2b(x.tobytes(), digest_size=16).digest()
        if key not in self._recent:
            if key not in self._seen:
                self._spend()
                self.points += 1
                self._seen.add(key)
            began = time.process_time()
            values = self.evaluate(x)
            self.inside += time.process_time() - began
            self._recent[key] = values
            if len(self._recent) > 3:  # enough for f and g of a point, and of the one before
                del self._recent[next(iter(self._recent))]
            self.note(x, *values)
        return self._recent[key]

    def fg(self, x):
        f, g = self._at(x)[:2]
        return f, g.copy()

    def fun(self, x):
        return self._at(x)[0]

    def jac(self, x):
        return self._at(x)[1].copy()

    def hessp(self, x, p):
        self._spend()
        self.products += 1
        began = time.process_time()
        product = self.problem.hessp(np.array(x, np.float64), np.array(p, np.float64))
        self.inside += time.process_time() - began
        return product


class InBox(Points):
    """`Points` of a problem with `lower` and `upper`, from the point of its box next to x0."""

    def __init__(self, problem, budget: int, seconds: float, x0: np.ndarray | None = None) -> None:
        super().__init__(problem, budget, seconds)
        self.lower, self.upper = problem.lower, problem.upper
        x0 = self.x0 = np.clip(problem.x0 if x0 is None else x0, self.lower, self.upper)
        g0 = problem.fg(x0)[1]
        held = ((x0 <= self.lower) & (g0 > 0)) | ((x0 >= self.upper) & (g0 < 0))
        largest = float(np.abs(np.where(held, 0.0, g0)).max())
        #: max(1, max|g0|), g0 where no bound holds the variable.
        self.scale = max(1.0, largest) if np.isfinite(largest) else 1.0

    def residual(self, x: np.ndarray, g: np.ndarray) -> float:
        """The largest element of x - P(x - g)."""
        return float(np.abs(x - np.clip(x - g, self.lower, self.upper)).max())


def ipopt(counter: Points, lower, upper, functions=None, sides=((), ())):
    """Ipopt with a limited-memory Hessian by cyipopt; `functions` are constraints and jacobian."""
    import cyipopt
    from scipy import optimize

    m, n = len(sides[0]), counter.problem.n
    functions = {
        "objective": counter.fun, "gradient": counter.jac,
        **(functions or {"constraints": lambda x: np.zeros(0), "jacobian": lambda x: np.zeros(0)}),
    }  # fmt: skip
    after = {
        "objective": 0.0, "gradient": np.zeros(n), "constraints": np.zeros(m),
        "jacobian": np.zeros(m * n),
    }  # fmt: skip

    def guarded(name):
        # The end of a race is told by `intermediate`; an exception would be printed.
        def call(x):
            if not counter.end:
                try:
                    return functions[name](x)
                except Done:
                    pass
            return after[name]

        return call

    class Functions:
        def intermediate(self, *_):
            return not counter.end

    told = Functions()
    for name in functions:
        setattr(told, name, guarded(name))
    solver = cyipopt.Problem(
        n=n, m=m, problem_obj=told, lb=lower, ub=upper, cl=np.asarray(sides[0]),
        cu=np.asarray(sides[1]),
    )  # fmt: skip
    for name, value in {
        "hessian_approximation": "limited-memory", "print_level": 0, "sb": "yes", "tol": 1e-8,
        "max_iter": 10**5,
    }.items():  # fmt: skip
        solver.add_option(name, value)
    x, info = solver.solve(counter.x0)
    return optimize.OptimizeResult(
        x=x, success=info["status"] == 0, message=info["status_msg"].decode()
    )


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

    @classmethod
    def parse(cls, row: dict[str, str]) -> Record:
        """The record that a row of a CSV file was written from."""
        kinds = {"n": int, "cost": int, "nfev": int, "njev": int, "nhev": int, "f": float,
                 "seconds": float, "solved": lambda text: text == "True"}  # fmt: skip
        return cls(**{name: kinds.get(name, str)(text) for name, text in row.items()})


def read(path: Path) -> list[Record]:
    with path.open(newline="") as file:
        return [Record.parse(row) for row in csv.DictReader(file)]


def write(path: Path, records: list[Record]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, Record.__dataclass_fields__)
        writer.writeheader()
        writer.writerows(asdict(r) for r in records)


BIG = 10**9


def _scipy(method, **options):
    def run(counter, x0):
        hessp = counter.hessp if method in ("trust-ncg", "trust-krylov", "Newton-CG") else None
        return optimize.minimize(
            counter.fun, x0, jac=counter.jac, hessp=hessp, method=method, options=options
        )

    return run


def ours(method, products=False, joint=False, **options):
    """A runner of one of our methods, without its own test for convergence.

    `joint`: f and g come together, as from most users' functions; else each when it is asked for.
    """
    options = {"gtol": 0.0, "maxiter": BIG, **options}

    def run(counter, x0):
        return quasinewton.minimize(
            counter.fg if joint else counter.fun,
            x0,
            jac=True if joint else counter.jac,
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


def _galahad(solver, products=None):
    """GALAHAD's Python interface takes whole Hessians: each counts as n products, or `products`."""

    def run(counter, x0):
        module = importlib.import_module(f"galahad.{solver}")
        n = x0.size
        lower = np.tril_indices(n)

        def guarded(function, after):
            # An exception does not stop GALAHAD; a stationary point of no bound below does.
            def call(x):
                if not counter.end:
                    try:
                        return function(x)
                    except Done:
                        pass
                return after

            return call

        def hess(x):
            return counter.hess(x, products or n)[lower]

        options = module.initialize()
        # The iterative solver of its subproblem, the default, hangs in arc on NELSONLS.
        options.update(error=-1, maxit=10**6, subproblem_direct=True, stop_g_relative=0.0)
        options["alive_unit"] = 0  # no file in the working folder, which two runs would share
        options["stop_g_absolute"] = counter.target  # of the 2-norm: not before `counter` stops
        size = lower[0].size
        module.load(n, "dense", size, None, None, None, options)
        try:
            module.solve(
                n,
                size,
                x0,
                guarded(counter.fun, -1e300),
                guarded(counter.jac, np.zeros(n)),
                guarded(hess, np.zeros(size)),
            )
            return module.information()
        finally:
            module.terminate()

    return run


METHODS = {
    "arc_lsr1": ours("arc_lsr1"),
    "arc_lsr1 2-norm": ours("arc_lsr1", norm="euclidean"),
    "trust_lsr1": ours("trust_lsr1"),
    "arc_hybrid": ours("arc_hybrid"),
    "trust_hybrid": ours("trust_hybrid"),
    "arc_lbfgs": ours("arc_lbfgs"),
    "trust_cg": ours("trust_cg", products=True),
    "trust_cg differences": ours("trust_cg"),
    "trust_cg Newton": ours("trust_cg", products=True, enriched=False),
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
    "GALAHAD tru": _galahad("tru"),
    "GALAHAD arc": _galahad("arc"),
    "GALAHAD tru, Hessian as 1": _galahad("tru", products=1),
    "GALAHAD arc, Hessian as 1": _galahad("arc", products=1),
}

#: Where methods are not run any more: n x n matrices take O(n^3) an iteration, and a whole Hessian
#: that counts as one takes n products all the same.
LARGEST = {
    name: 99 if name.endswith("Hessian as 1") else 999
    for name in METHODS
    if name.startswith(("BFGS", "fides", "GALAHAD"))
}

#: Left out of the pictures, which more lines would make unreadable.
VARIANTS = ("arc_lsr1 2-norm", "trust_lsr1", "trust_hybrid", "trust_cg differences",
            "trust_cg Newton", "L-BFGS-B 30", "fides SR1", "GALAHAD tru, Hessian as 1",
            "GALAHAD arc, Hessian as 1")  # fmt: skip


def race(call: Callable[[], object]) -> tuple[object, str]:
    """What a method returns, or None, and what is to be said of it; the end of a race is no error.

    Warnings are left out: what a method makes of its numbers shows in the counts.
    """
    outcome, note = None, ""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            outcome = call()
        if isinstance(outcome, dict):
            note = str(outcome.get("message") or outcome.get("status", ""))
    except Done:
        pass
    except Exception as error:  # a peer's failure is a result too
        note = f"{type(error).__name__}: {error}"[:200]
    return outcome, note


def run(name: str, problem, budget: int, seconds: float = 60.0, runner=None) -> Record:
    """Run a method of `METHODS` (or `runner`) on a problem."""
    counter = Counter(problem, budget, seconds)
    start = time.process_time()
    _, note = race(lambda: (runner or METHODS[name])(counter, problem.x0.copy()))
    return Record(
        name, problem.name, problem.n, counter.end == "solved", counter.cost, counter.nfev,
        counter.njev, counter.nhev, counter.best, time.process_time() - start, counter.end or note,
    )  # fmt: skip


def geometric_mean(records, base, cost=lambda r: r.cost) -> tuple[float, int]:
    """Mean of cost / cost of `base` over the problems both solve, and how many those are."""
    ours = {r.problem: r for r in records if r.solved}
    logs = [np.log(cost(ours[b.problem]) / cost(b)) for b in base if b.solved and b.problem in ours]
    return float(np.exp(np.mean(logs))) if logs else np.nan, len(logs)


def available(name: str) -> bool:
    """Whether the package behind a method can be imported."""
    package = name.split()[0].lower()
    if package not in ("nlopt", "fides", "galahad", "cyipopt"):
        return True
    try:
        importlib.import_module(package)
    except Exception:  # also a library that it needs and that is not there
        return False
    return True
