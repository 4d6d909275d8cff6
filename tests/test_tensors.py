"""Runs on tensors of PyTorch: those on NumPy arrays, but that no n-vector leaves its kind."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from stepping import step

from quasinewton import Solver, Status, minimize
from quasinewton.methods import METHODS, QUASI_NEWTON

torch = pytest.importorskip("torch")
pytest.importorskip("array_api_compat")

CASES = [*((method, {}) for method in METHODS), ("trust_cg", {"enriched": False})]
every_case = pytest.mark.parametrize(("method", "options"), CASES)
every_method = pytest.mark.parametrize("method", METHODS)


# Chained squares, of arrays of either kind; the minimum is at ones.


def fun(x):
    a, b = x[1:] - x[:-1] ** 2, 1.0 - x
    return 4.0 * (a * a).sum() + (b * b).sum()


def grad(x):
    a, g = x[1:] - x[:-1] ** 2, 2.0 * x - 2.0
    g[1:] += 8.0 * a
    g[:-1] -= 16.0 * a * x[:-1]
    return g


def hessp(x, p):
    a, da, product = x[1:] - x[:-1] ** 2, p[1:] - 2.0 * x[:-1] * p[:-1], 2.0 * p
    product[1:] += 8.0 * da
    product[:-1] -= 16.0 * (da * x[:-1] + a * p[:-1])
    return product


def start(n, dtype=torch.float64):
    return torch.linspace(-1.0, 2.0, n, dtype=dtype)


def drive(solver, evaluations=10**6, fun=fun):
    """Go on for so many evaluations; the trials."""
    trials = []
    while solver.running and len(trials) < evaluations:
        if solver.direction is None:
            trials.append(solver.ask())
        step(solver, fun, grad, hessp)
    return trials


def begun(method="arc_lsr1", options=None, n=50):
    """A solver that waits for f and the gradient at its sixth point."""
    solver = Solver(start(n), method, options)
    drive(solver, 5)
    while solver.direction is not None:
        step(solver, fun, grad, hessp)
    return solver


@every_case
def test_the_path_is_that_of_arrays(method, options):
    options = {"memory": 5, **options}
    x0 = start(120)
    ours, theirs = Solver(x0, method, options), Solver(x0.numpy(), method, options)
    for a, b in zip(drive(ours)[:15], drive(theirs)[:15], strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=0.0, atol=1e-6 * np.abs(b).max())
    a, b = ours.result(), theirs.result()
    assert a.success and b.success
    assert a.fun == pytest.approx(b.fun, abs=1e-9) and a.fun < 1e-9


@every_case
@pytest.mark.parametrize("n", [2, 7])
def test_few_variables(method, options, n):
    solver = Solver(start(n), method, options)
    drive(solver)
    result = solver.result()
    assert result.success
    np.testing.assert_allclose(result.x.numpy(), np.ones(n), atol=1e-4)
    assert result.curvature.verdict in ("minimum", "undetermined")


def test_one_variable():
    solver = Solver(torch.tensor([3.0], dtype=torch.float64))
    while solver.running:
        x = solver.ask()
        solver.tell(x**4 + x, 4.0 * x**3 + 1.0)
    assert solver.x.item() == pytest.approx(-(0.25 ** (1 / 3)), rel=1e-4)


@every_case
@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle"])
def test_a_copy_of_a_solver_goes_on(method, options, way):
    def make(value):
        return pickle.loads(pickle.dumps(value)) if way == "pickle" else getattr(copy, way)(value)

    options = {"history": True, "return_all": True, "maxiter": 12, **options}
    whole = Solver(start(50), method, options)
    drive(whole)
    solver = Solver(start(50), method, options)
    while solver.running:
        twin = make(solver)
        drive(twin)
        for a, b in ((twin.result(), whole.result()), (make(twin.result()), whole.result())):
            assert torch.equal(a.x, b.x) and torch.equal(a.jac, b.jac) and a.fun == b.fun
            assert (a.nit, a.nfev, a.nhev, a.status) == (b.nit, b.nfev, b.nhev, b.status)
            assert all(map(torch.equal, a.allvecs, b.allvecs))
            assert a.curvature.verdict == b.curvature.verdict
        step(solver, fun, grad, hessp)


@every_case
@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_run_with_functions_of_tensors(method, options, joint, dtype):
    """Functions get tensors, which they may change; products are given, a matrix or differences."""
    dtypes = set()

    def value(x):
        dtypes.add(x.dtype)
        f = fun(x)
        return (f, gradient(x)) if joint else f

    def gradient(x):
        g = grad(x)
        x.fill_(math.nan)
        return g

    def product(x, p):
        hp = hessp(x, p)
        x.fill_(math.nan)
        p.fill_(math.nan)
        return hp

    def hess(x):
        return torch.stack([hessp(x, e) for e in torch.eye(len(x), dtype=x.dtype)])

    second = [{}] if method != "trust_cg" else [{}, {"hessp": product}, {"hess": hess}]
    gtol = 1e-6 if dtype == torch.float64 else 1e-2
    for given in second:
        solver = Solver(start(12, dtype), method, {"gtol": gtol, **options})
        for state in solver.run(value, True if joint else gradient, **given):
            assert isinstance(state.x, torch.Tensor)
        result = solver.result()
        assert result.success and abs(grad(result.x)).max() <= gtol
    assert dtypes == {dtype}


def test_a_run_on_tensors_needs_a_gradient():
    for jac in (False, "3-point"):
        with pytest.raises(ValueError, match="needs `jac`"):
            Solver(start(5)).run(fun, jac)
    for value in (lambda x: fun(x.detach()), lambda x: float(fun(x.detach()))):
        with pytest.raises(TypeError, match=r"differentiate by x.*`jac`"):
            minimize(value, start(5))


@every_case
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_minimize_keeps_tensors(method, options, dtype):
    """With a gradient or by autograd: functions and callbacks get tensors, the result has them."""
    seen = []
    tol = 1e-6 if dtype == torch.float64 else 1e-2
    for given in ({"jac": grad}, {}):
        result = minimize(
            fun, start(40, dtype), method=method, tol=tol, options=options,
            callback=lambda x: seen.append(x), **given,
        )  # fmt: skip
        assert result.success and "hess" not in result
        for v in (result.x, result.jac, *seen):
            assert type(v) is torch.Tensor and v.dtype == dtype and not v.requires_grad
        assert abs(grad(result.x)).max() <= tol
    array = minimize(fun, start(40).numpy(), method=method, jac=grad, tol=1e-8)
    tensor = minimize(fun, start(40), method=method, tol=1e-8)
    np.testing.assert_allclose(tensor.x.numpy(), array.x, atol=1e-6)


def test_minimize_takes_arguments_and_a_linear_part():
    def value(x, a):
        return a * (x[0] - 1.0) ** 2 + 0.0 * x[1]

    result = minimize(value, start(2), args=(3.0,), method="trust_cg")
    assert result.success and result.x[0] == pytest.approx(1.0, abs=1e-5)


@every_case
@pytest.mark.parametrize("n", [7, 200])
def test_float32(method, options, n):
    solver = Solver(start(n, torch.float32), method, {"gtol": 2e-4, **options})
    trials = drive(solver)
    result = solver.result()
    assert result.success
    assert abs(grad(result.x.double())).max() <= 3e-4
    assert {v.dtype for v in (*trials, result.x, result.jac)} == {torch.float32}


@every_case
def test_vectors_handed_out_are_tensors_of_their_own(method, options):
    x0 = start(50)
    solver = Solver(x0, method, {"return_all": True, **options})
    drive(solver, 6)
    solver.ask().fill_(math.nan)
    if solver.direction is None:
        assert torch.isfinite(solver.ask()).all()
    state, early = solver.intermediate(), solver.result()
    vectors = [state.x, state.jac, early.x, early.jac, *early.allvecs]
    kept = [v.clone() for v in vectors]
    drive(solver)
    late = solver.result()
    assert late.success and "hess" not in late
    for v in (*vectors, late.x, late.jac):
        assert type(v) is torch.Tensor and v.dtype == torch.float64 and v.shape == (50,)
    assert all(torch.equal(v, old) for v, old in zip(vectors, kept, strict=True))
    assert torch.equal(x0, start(50))


@every_method
def test_graphs_are_left_behind(method):
    solver = Solver(start(50).requires_grad_(), method)
    while solver.running:
        if solver.direction is not None:
            solver.tell_product(hessp(solver.x, solver.direction).requires_grad_())
            continue
        x = solver.ask().requires_grad_()
        f = fun(x)
        (g,) = torch.autograd.grad(f, x, create_graph=True)
        assert g.requires_grad
        solver.tell(f, g)
    result = solver.result()
    assert result.success
    assert not any(v.requires_grad for v in (result.x, result.jac, solver.x, solver.ask()))


WRONG = [
    (ValueError, "50.*49", lambda g: g[:-1]),
    (ValueError, "50.*25", lambda g: g.reshape(2, 25)),
    (TypeError, "float64.*float32", lambda g: g.float()),
    (TypeError, "float64.*meta", lambda g: g.to("meta")),
    (TypeError, "ndarray", lambda g: g.numpy()),
    (TypeError, "list", lambda g: g.tolist()),
]


@pytest.mark.parametrize(("error", "says", "spoil"), WRONG)
@every_case
def test_a_wrong_gradient_is_an_error_and_changes_nothing(method, options, error, says, spoil):
    solver, other = begun(method, options), begun(method, options)
    for deferred in (False, True):
        x = solver.ask()
        g = spoil(grad(x))
        with pytest.raises(error, match=f"gradient.*{says}"):
            solver.tell(solver.f - 1.0, (lambda g=g: g) if deferred else g)  # lower: g is wanted
    with pytest.raises(error, match=f"gradient.*{says}"):
        solver.renew(solver.f, g)
    assert (solver.nit, solver.f) == (other.nit, other.f)
    for a, b in zip(drive(solver), drive(other), strict=True):
        assert torch.equal(a, b)


def test_a_wrong_product_is_an_error_and_changes_nothing():
    solver = begun("trust_cg", {"enriched": False})
    x = solver.ask()
    solver.tell(fun(x), grad(x))
    direction = solver.direction.clone()
    for error, says, spoil in WRONG:
        with pytest.raises(error, match=f"product.*{says}"):
            solver.tell_product(spoil(hessp(solver.x, direction)))
    assert torch.equal(solver.direction, direction)
    drive(solver)
    assert solver.result().success


@pytest.mark.parametrize(
    ("x0", "error", "says"),
    [
        (torch.ones(2, 3), ValueError, "2.*3"),
        (torch.tensor(1.0), ValueError, "shape"),
        (torch.ones(0), ValueError, "0"),
        (torch.ones(3, dtype=torch.int64), TypeError, "int64"),
        (torch.ones(3, dtype=torch.float16), TypeError, "float16"),
        (torch.ones(3, dtype=torch.complex128), TypeError, "complex128"),
    ],
)
def test_tensors_that_are_no_start(x0, error, says):
    with pytest.raises(error, match=f"x0.*{says}"):
        Solver(x0)


def test_a_start_that_is_not_finite():
    assert Solver(torch.tensor([1.0, math.nan])).status is Status.NONFINITE_START
    solver = Solver(start(5))
    solver.tell(math.nan, grad(start(5)))
    result = solver.result()
    assert result.status == Status.NONFINITE_START and torch.equal(result.x, start(5))


@pytest.mark.parametrize(
    ("name", "value"),
    [("check_curvature", True), ("check_derivatives", True), ("checkpoint", "c.npz"),
     ("resume", "c.npz"), ("model", Solver(np.ones(3)))],
)  # fmt: skip
def test_options_that_are_not_for_tensors(name, value):
    with pytest.raises(ValueError, match=f"`{name}`.*tensors"):
        Solver(start(3), options={name: value})


def test_save(tmp_path):
    with pytest.raises(TypeError, match="tensors"):
        begun().save(tmp_path / "run.npz")
    assert not list(tmp_path.iterdir())


@every_case
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_rejected(method, options, bad):
    for f, element in ((bad, 1.0), (-1.0, bad)):
        solver = begun(method, options)
        x, before, trial = solver.x.clone(), solver.f, solver.ask()
        g = torch.full((50,), element, dtype=torch.float64)
        solver.tell(f, g)
        assert torch.equal(solver.x, x) and solver.f == before
        assert solver.direction is not None or not torch.equal(solver.ask(), trial)
        drive(solver)
        assert solver.result().success


@every_case
def test_limits(method, options):
    for name, status in (("maxiter", Status.MAXITER), ("maxfev", Status.MAXFEV)):
        solver = Solver(start(50), method, {name: 4, **options})
        drive(solver)
        result = solver.result()
        assert result.status == status
        assert (result.nit if name == "maxiter" else result.nfev) == 4
        assert result.fun == fun(result.x) and torch.equal(result.jac, grad(result.x))


@every_case
def test_records(method, options, capsys):
    spectrum = method in QUASI_NEWTON
    options = {"history": "spectrum" if spectrum else True, "verbose": 3, **options}
    solver = Solver(start(50), method, {"return_all": True, "memory": 5, **options})
    drive(solver)
    result = solver.finish()
    assert all(type(values) is np.ndarray for values in result.history.values())
    assert len(result.history["fun"]) == result.nit + 1
    assert result.history["fun"][-1] == result.fun
    assert len(result.allvecs) == result.history["accepted"].sum() + 1
    assert torch.equal(result.allvecs[0], start(50)) and torch.equal(result.allvecs[-1], result.x)
    if spectrum:
        assert result.history["eigenvalues"].shape == (result.nit + 1, 10)
    out = capsys.readouterr().out
    assert f"\n{result.nit:6d} " in out and result.message in out


@every_case
def test_renew_goes_on_with_another_objective(method, options):
    solver = begun(method, options)
    shift = torch.linspace(0.0, 1.0, 50, dtype=torch.float64)

    def other(solver):
        return step(
            solver, lambda x: fun(x - shift), lambda x: grad(x - shift),
            lambda x, p: hessp(x - shift, p),
        )  # fmt: skip

    solver.renew(fun(solver.x - shift), grad(solver.x - shift))
    while solver.running:
        other(solver)
    assert solver.result().success
    np.testing.assert_allclose(solver.x.numpy(), 1.0 + shift.numpy(), atol=1e-4)
    with pytest.raises(ValueError, match="finite"):
        solver.renew(1.0, math.nan * shift)


@every_case
def test_a_gradient_in_a_column_is_taken(method, options):
    solver, other = begun(method, options), begun(method, options)
    x = solver.ask()
    solver.tell(fun(x), grad(x)[:, None])
    other.tell(fun(x), grad(x))
    assert torch.equal(solver.ask(), other.ask())


@pytest.fixture
def waits(monkeypatch):
    """The calls by which the host waits for a device, each counted once."""
    found, inside = [], []

    def watch(name):
        original = getattr(torch.Tensor, name)

        def watched(self, *args, **kwargs):
            if not inside:
                found.append((name, self.numel()))
            inside.append(name)
            try:
                return original(self, *args, **kwargs)
            finally:
                inside.pop()

        monkeypatch.setattr(torch.Tensor, name, watched)

    for name in ("item", "__float__", "__bool__", "__int__", "tolist", "cpu", "numpy", "__array__"):
        watch(name)
    return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("options", [{}, {"memory": 10}], ids=["reduced", "pairs"])
@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_the_host_waits_twice_in_an_iteration(method, options, dtype, waits):
    """... whose trial is accepted, for few numbers, beside the value of the objective."""
    n = 500
    solver = Solver(start(n, dtype), method, {"gtol": 0.0, **options})
    accepted = most = 0
    for evaluation in range(40):
        x = solver.ask()
        f, g, version = float(fun(x)), grad(x), solver.version
        waits.clear()
        solver.tell(f, g)
        if evaluation > 0:
            assert all(count < n for _, count in waits)
            if solver.version > version:
                accepted += 1
                most = max(most, len(waits))
            else:
                assert len(waits) <= 9
    assert accepted > 20 and most <= 2, most


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_host_waits_twice_for_a_product(dtype, waits):
    """... two times more for the trial after the last one, and once for a trial's gradient."""
    n = 500
    solver = Solver(start(n, dtype), "trust_cg", {"gtol": 0.0, "enriched": False})
    solver.tell(float(fun(solver.ask())), grad(solver.ask()))
    products = accepted = 0
    while solver.running and products + accepted < 100:
        direction, version = solver.direction, solver.version
        if direction is not None:
            hd = hessp(solver.x, direction)
            waits.clear()
            solver.tell_product(hd)
            assert len(waits) <= (2 if solver.direction is not None else 4)
            products += 1
        else:
            x = solver.ask()
            f, g = float(fun(x)), grad(x)
            waits.clear()
            solver.tell(f, g)
            if solver.version > version:
                assert len(waits) <= 1
                accepted += 1
        assert all(count < n for _, count in waits)
    assert products > 20 and accepted > 5


@pytest.mark.parametrize("options", [{}, {"memory": 4}], ids=["reduced", "pairs"])
@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_what_is_foreseen_is_what_is_found(method, options, monkeypatch):
    """Steps are those of a run that asks for every number by itself."""
    from quasinewton.methods import quasi_newton

    options = {"gtol": 1e-9, **options}
    ours = drive(Solver(start(120), method, options), 30)
    monkeypatch.setattr(quasi_newton, "foresee", lambda *args: None)
    theirs = drive(Solver(start(120), method, options), 30)
    for a, b in zip(ours[:15], theirs[:15], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0.0, atol=1e-8)
