"""Solver driven by arbitrary answers: values, gradients, products, exceptions, saves, limits.

For a longer run: ``HYPOTHESIS_EXAMPLES=20000 python -m pytest tests/test_fuzz.py``.
"""

from __future__ import annotations

import copy
import math
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quasinewton import Solver, Status
from quasinewton.methods import METHODS

NUMBERS = st.one_of(
    st.floats(-10.0, 10.0),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1e-310, 1e308, -1e308, 1e-300, math.nan, math.inf, -math.inf]),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "gtol": st.sampled_from([0.0, 1e-5, 1e300]),
        "grtol": st.sampled_from([0.0, 0.5]),
        "xtol": st.sampled_from([0.0, 1e-3]),
        "ftol": st.sampled_from([0.0, 1e-3]),
        "maxiter": st.integers(0, 30),
        "maxfev": st.integers(1, 30),
        "memory": st.integers(1, 6),
        "norm": st.sampled_from(["shape", "euclidean"]),
        "weight_rule": st.sampled_from(["length", "ranganath"]),
        "initial_weight": st.floats(0.0, 1e300),
        "initial_trust_radius": st.floats(1e-300, 1e300),
        "max_trust_radius": st.floats(1e-300, 1e300),
        "history": st.booleans(),
        "return_all": st.booleans(),
        "check_curvature": st.booleans(),
    },
)


class Drive(RuleBasedStateMachine):
    @initialize(
        data=st.data(),
        n=st.integers(1, 15),
        method=st.sampled_from(METHODS),
        dtype=st.sampled_from([np.float64, np.float32]),
        options=OPTIONS,
    )
    def start(self, data, n, method, dtype, options):
        self.n, self.dtype = n, dtype
        x0 = self.vector(data)
        with np.errstate(over="ignore"):
            self.solver = Solver(x0.astype(dtype), method, options)
        self.taken = 0  # values told without an exception
        self.told = {}  # the finite values told, with their points
        self.folder = tempfile.TemporaryDirectory()

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def vector(self, data):
        if data.draw(st.booleans()):  # mostly tame
            scale = 10.0 ** data.draw(st.sampled_from([0, 0, 0, -200, 200]))
            rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
            return rng.standard_normal(self.n) * scale
        return np.array(data.draw(st.lists(NUMBERS, min_size=self.n, max_size=self.n)))

    def value(self, data):
        """Often below the best one, so that trials are accepted."""
        best = min(self.told, default=1.0)
        change = data.draw(st.sampled_from([-1.0, -1e-3, 0.0, 1.0, None]))
        return data.draw(NUMBERS) if change is None else best + change * max(1.0, abs(best))

    @precondition(lambda self: self.solver.running and self.solver.direction is None)
    @rule(data=st.data(), form=st.sampled_from(["array", "callable", "none", "raises"]))
    def tell(self, data, form):
        solver = self.solver
        x, f, g = solver.ask(), self.value(data), self.vector(data)

        def raises():
            raise ZeroDivisionError

        gradient = {"array": g, "callable": lambda: g, "none": None, "raises": raises}[form]
        before = self.numbers()
        try:
            solver.tell(f, gradient)
        except ZeroDivisionError:
            assert solver.running and self.numbers() == before
            return
        self.note(f, x)

    def note(self, f, x):
        """A value was taken."""
        self.taken += 1
        if self.solver.status is not Status.NONFINITE_START and math.isfinite(f):
            self.told.setdefault(f, []).append(x)

    @precondition(lambda self: self.solver.running and self.solver.direction is not None)
    @rule(data=st.data())
    def tell_product(self, data):
        if data.draw(st.booleans()):
            factor = data.draw(st.sampled_from([1.0, -1.0, 1e-300, 1e200]))
            hd = factor * self.solver.direction.astype(np.float64)
        else:
            hd = self.vector(data)
        with np.errstate(all="ignore"):
            self.solver.tell_product(hd)

    @precondition(lambda self: self.solver.running)
    @rule(wrong=st.sampled_from(["text", 1j, None, np.ones((2, 2)), [1.0] * 99]))
    def nonsense(self, wrong):
        solver = self.solver
        before = self.numbers()
        try:
            if solver.direction is not None:
                solver.tell_product(wrong)
            else:
                solver.tell(wrong, np.ones(self.n))
        except (TypeError, ValueError):
            assert self.numbers() == before
        else:
            raise AssertionError("taken")

    @precondition(lambda self: self.solver.running and self.solver.direction is None)
    @rule(wrong=st.sampled_from(["text", 1j, None, np.ones((2, 2)), [1.0] * 99]))
    def gradient_of_nonsense(self, wrong):
        called = []
        x, f, trial = self.solver.x.copy(), self.value_below(), self.solver.ask()
        before = self.numbers()
        try:
            self.solver.tell(f, lambda: called.append(1) or wrong)
        except (TypeError, ValueError):
            assert self.solver.running and self.numbers() == before
        else:
            assert not called  # and the trial is rejected
            self.note(f, trial)
        assert np.array_equal(self.solver.x, x)

    def numbers(self):
        """All that the solver is, in a form that can be compared."""
        state = self.solver._state()
        del state["elapsed"]
        return {k: v.tobytes() if isinstance(v, np.ndarray) else repr(v) for k, v in state.items()}

    @precondition(lambda self: not self.solver.running or self.solver.direction is not None)
    @rule()
    def tell_out_of_turn(self):
        before = self.numbers()
        calls = [lambda: self.solver.tell(-1.0, np.ones(self.n))]
        if not self.solver.running:
            calls.append(lambda: self.solver.tell_product(np.ones(self.n)))
        for call in calls:
            try:
                call()
            except ValueError:
                assert self.numbers() == before
            else:
                raise AssertionError("taken")

    @rule(make=st.sampled_from([copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]))
    def copied(self, make):
        before = self.numbers()
        self.solver = make(self.solver)
        assert self.numbers() == before

    def value_below(self):
        return 2.0 * min(self.told, default=-1.0) - 1.0

    @rule()
    def save_and_load(self):
        path = Path(self.folder.name) / "run.npz"
        self.solver.save(path)
        again = Solver.load(path)
        a, b = self.solver._state(), again._state()
        assert a.keys() == b.keys()
        for name in a.keys() - {"elapsed"}:
            if isinstance(a[name], np.ndarray):
                assert a[name].tobytes() == np.asarray(b[name]).tobytes(), name
            else:
                assert repr(a[name]) == repr(b[name]), name
        self.solver = again

    @precondition(lambda self: self.solver.running)
    @rule(status=st.sampled_from([Status.CALLBACK, Status.EXCEPTION]))
    def interrupt(self, status):
        self.solver.stop(status)
        assert self.solver.result().status == status
        self.solver.status = Status.RUNNING

    @invariant()
    def no_point_asked_for_is_not_finite(self):
        if hasattr(self, "solver") and self.solver.running:
            assert np.isfinite(self.solver.ask()).all()
            assert self.solver.ask().dtype == self.dtype
            direction = self.solver.direction
            assert direction is None or np.isfinite(direction).all()

    @invariant()
    def the_best_point_is_kept(self):
        if not hasattr(self, "solver"):
            return
        result = self.solver.result()
        assert result.success == (self.solver.status is Status.CONVERGED)
        if self.told:
            least = min(self.told)
            if not result.success:
                assert result.fun == least
                assert any(np.array_equal(result.x, x) for x in self.told[least])
            if np.array_equal(result.x, self.solver.x):
                assert np.isfinite(result.jac).all()
        if self.solver.options.maxfev is not None and self.solver.status is Status.RUNNING:
            assert self.taken < self.solver.options.maxfev


TestDrive = Drive.TestCase
TestDrive.settings = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "150")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
