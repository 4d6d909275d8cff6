"""Save, load, resume: bit for bit, at any instant, and nothing but a checkpoint is read."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize
from scipy.optimize import NonlinearConstraint, rosen, rosen_der, rosen_hess_prod
from stepping import step

import quasinewton as qn
from quasinewton import Solver, Status, minimize
from quasinewton.methods import METHODS, QUASI_NEWTON
from quasinewton.objective import DerivativeError
from quasinewton.options import Options
from quasinewton.solver import checkpoint
from quasinewton.solver.checkpoint import CheckpointError

#: Runs killed by `test_a_run_killed_at_any_instant_resumes_bit_for_bit`, for each method.
KILLS = int(os.environ.get("CHECKPOINT_KILLS", "6"))

X0 = np.array([-1.2, 1.0, 0.7, -0.4])


def same(a, b):
    """Two results, but for the time they took."""
    assert np.array_equal(a.x, b.x) and a.fun == b.fun and np.array_equal(a.jac, b.jac)
    for name in ("status", "nit", "nfev", "njev", "nhev", "method"):
        assert a[name] == b[name], name
    if "history" in a:
        for name in set(a.history) - {"time"}:
            assert np.array_equal(a.history[name], b.history[name], equal_nan=True), name
    if "allvecs" in a:
        assert np.array_equal(a.allvecs, b.allvecs)


@pytest.mark.parametrize(
    ("method", "more"), [*((m, {}) for m in METHODS), ("trust_cg", {"enriched": False})]
)
@pytest.mark.parametrize("n", [4, 60])
def test_saved_anywhere_and_loaded_it_is_the_same_solver(method, more, n, tmp_path):
    """Before the first value and in the middle of a conjugate-gradient run too."""
    history = True if method == "trust_cg" else "spectrum"
    options = {"history": history, "return_all": True, "gtol": 1e-8, "memory": 7, "maxiter": 30}
    options |= more
    path = tmp_path / "run.npz"
    x0 = np.sin(np.arange(n) + 1.0)
    whole, stopped = Solver(x0, method, options), Solver(x0, method, options)
    while whole.running:
        stopped.save(path)
        stopped = Solver.load(path)
        assert np.array_equal(whole.ask(), stopped.ask())
        step(whole)
        step(stopped)
        assert whole.nit == stopped.nit
    stopped.save(path)
    assert whole.nit > 10
    same(whole.result(), Solver.load(path).result())


def test_a_spectrum_that_was_not_recorded_from_the_start_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    for history in (True, "spectrum"):
        solver = Solver(X0, options={"history": history})
        step(solver)
        step(solver)
        solver.save(path)
        assert len(Solver.load(path, {"history": True}).result().history["fun"]) == 2
        if history is True:
            with pytest.raises(CheckpointError, match="`history`"):
                Solver.load(path, {"history": "spectrum"})


@pytest.mark.parametrize("method", METHODS)
def test_float32_and_a_start_without_value(method, tmp_path):
    path = tmp_path / "run.npz"
    solver = Solver(X0.astype(np.float32), method)
    step(solver)
    solver.save(path)
    again = Solver.load(path)
    assert again.x.dtype == again.ask().dtype == np.float32
    solver = Solver(X0, method)
    solver.tell(1.0, np.full(4, np.nan))
    solver.save(path)
    again = Solver.load(path)
    assert again.status is Status.NONFINITE_START and np.isnan(again.g).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("every", [{"checkpoint_every": 3}, {"checkpoint_seconds": 0.0}])
def test_an_exception_leaves_a_good_checkpoint(method, every, tmp_path):
    path = tmp_path / "run.npz"
    calls = 0

    def fun(x):
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KeyboardInterrupt
        return rosen(x)

    options = {"checkpoint": path, **every}
    with pytest.raises(KeyboardInterrupt):
        minimize(fun, X0, jac=rosen_der, method=method, options=options)
    saved = Solver.load(path)
    assert saved.running and 0 < saved.nit
    resumed = minimize(fun, X0, jac=rosen_der, resume=path)
    whole = minimize(rosen, X0, jac=rosen_der, method=method)
    assert resumed.success and np.array_equal(resumed.x, whole.x)
    assert resumed.nit == whole.nit and resumed.nfev == whole.nfev


@pytest.mark.parametrize("method", METHODS)
def test_a_limit_can_be_raised(method, tmp_path):
    path = tmp_path / "run.npz"
    options = {"gtol": 1e-9, "history": True}
    whole = minimize(rosen, X0, jac=rosen_der, method=method, options=options)
    first = minimize(
        rosen, X0, jac=rosen_der, method=method,
        options={**options, "maxiter": 5, "checkpoint": path},
    )  # fmt: skip
    assert first.status == Status.MAXITER and first.nit == 5
    again = minimize(rosen, X0, jac=rosen_der, resume=path)
    same(first, again)
    face = getattr(qn, method)
    resumed = optimize.minimize(
        rosen, X0, jac=rosen_der, method=face, options={"resume": path, "maxiter": 1000}
    )
    same(whole, resumed)
    tighter = minimize(rosen, X0, jac=rosen_der, resume=path, options={"gtol": 1e-11})
    assert np.abs(tighter.jac).max() <= 1e-11 or tighter.status == Status.PRECISION


def test_time_is_counted_from_the_first_start(tmp_path):
    path = tmp_path / "run.npz"

    def slow(x):
        time.sleep(0.01)
        return rosen(x)

    given = {"maxtime": 0.05, "checkpoint": path}
    first = minimize(slow, X0, jac=rosen_der, options=given)
    again = minimize(slow, X0, jac=rosen_der, resume=path)
    assert first.status == again.status == Status.MAXTIME
    assert again.nfev == first.nfev and again.execution_time >= given["maxtime"]


def test_what_a_checkpoint_cannot_serve_is_named(tmp_path):
    path = tmp_path / "run.npz"
    minimize(rosen, X0, jac=rosen_der, method="arc_lsr1",
             options={"checkpoint": path, "maxiter": 5})  # fmt: skip
    calls = []
    for change, word in [
        ({"method": "trust_lsr1"}, "method"),
        ({"x0": X0 + 1}, "x0"),
        ({"x0": X0[:2]}, "x0"),
        ({"options": {"memory": 3}}, "memory"),
        ({"options": {"gtol": -1}}, "gtol"),
    ]:
        with pytest.raises(ValueError, match=word):
            minimize(**{"fun": calls.append, "x0": X0, "resume": path, **change})
    with pytest.raises(FileNotFoundError):
        minimize(calls.append, X0, resume=tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError):  # before any work
        minimize(calls.append, X0, options={"checkpoint": tmp_path / "missing" / "run.npz"})
    for option in ({"checkpoint": 3.5}, {"resume": 3.5}, {"checkpoint_every": "often"}):
        with pytest.raises(TypeError, match=next(iter(option))):
            minimize(calls.append, X0, options=option)
    assert not calls


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.npz"
    solver = Solver(X0[:2], "trust_cg", {"maxiter": 5, "enriched": False})
    for _ in range(7):
        step(solver)
    solver.save(path)
    return path


def test_a_truncated_or_damaged_file_is_refused(saved):
    whole = saved.read_bytes()
    reference = Solver.load(saved)._state()
    rng = random.Random(1)
    cuts = [0, 1, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(40))]
    for cut in cuts:
        saved.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match="is not a readable"):
            Solver.load(saved)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        saved.write_bytes(damaged)
        try:
            state = Solver.load(saved)._state()
        except CheckpointError:
            refused += 1
        else:  # a date or an attribute of the archive: all that is read is as it was
            for name, value in reference.items():
                if name != "elapsed":
                    assert repr(state[name]) == repr(value), name
    assert refused > 150


def rewrite(path, monkeypatch, changes):
    """The file with other entries, its checksum right."""
    state = {**checkpoint.read(path), **changes}
    with monkeypatch.context() as patch:
        for name in ("format", "version"):
            patch.setattr(checkpoint, name.upper(), state.pop(name))
        checkpoint.write(path, {name: v for name, v in state.items() if v is not None})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": "other"}, "not written by quasinewton"),
        ({"version": 99}, "version 99"),
        ({"method": "simplex"}, "simplex"),
        ({"method": "arc_lsr1"}, "points"),
        ({"x0": np.zeros(3)}, "x0"),
        ({"method.g": np.zeros(3)}, "g has shape"),
        ({"method.cg.path": np.zeros((10**3, 2))}, "path"),
        ({"method.cg.values": [0.0] * 100}, "path"),
        ({"status": 1234}, "1234"),
        ({"nit": None}, "nit"),
        ({"options": {"gtol": -1}}, "gtol"),
        ({"options": [1]}, "run.npz"),
        ({"counts": ["a", 1, 2]}, "'a'"),
    ],
)
def test_a_foreign_or_future_file_is_refused(saved, changes, word, monkeypatch):
    rewrite(saved, monkeypatch, changes)
    with pytest.raises(CheckpointError, match=word):
        Solver.load(saved)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"method.quasi.ring": np.zeros(3)}, "memory"),
        ({"method.quasi.points": None}, "points"),
        ({"method.newton.cg.path": np.zeros((10**3, 3))}, "path"),
        ({"method.newton.radius": None}, "radius"),
        ({"method.by_newton": None}, "by_newton"),
        ({"method.phase": "long"}, "long"),
    ],
)
def test_parts_of_an_enriched_run_are_checked(changes, word, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    solver = Solver(X0, "trust_cg")
    while solver.direction is None:
        step(solver)
    solver.save(path)
    assert Solver.load(path).direction is not None
    with pytest.raises(CheckpointError, match="`enriched` is False"):
        Solver.load(path, {"enriched": False})
    rewrite(path, monkeypatch, changes)
    with pytest.raises(CheckpointError, match=word):
        Solver.load(path)


def test_slots_of_pairs_are_checked(tmp_path, monkeypatch):
    """A kernel would write where they point."""
    path = tmp_path / "run.npz"
    solver = Solver(X0, "arc_lsr1")
    for _ in range(7):
        step(solver)
    solver.save(path)
    ring = checkpoint.read(path)["method.ring"]
    ring["slot"] += 10**6
    rewrite(path, monkeypatch, {"method.ring": ring})
    with pytest.raises(CheckpointError, match="numbered"):
        Solver.load(path)


def test_other_files_are_refused(saved, tmp_path):
    path = tmp_path / "other"
    path.write_text("x = 1\n")
    with pytest.raises(CheckpointError, match="other"):
        Solver.load(path)
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(CheckpointError):
        Solver.load(tmp_path / "other.npz")
    np.savez(tmp_path / "other.npz", a=np.array([{}, 1], object))
    with pytest.raises(CheckpointError, match=r"false size|Object"):
        Solver.load(tmp_path / "other.npz")
    np.savez_compressed(tmp_path / "other.npz", a=np.zeros(10**6))  # a bomb
    with pytest.raises(CheckpointError, match=r"compressed|claim"):
        Solver.load(tmp_path / "other.npz")
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:  # an array that claims 8 TB
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
        magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        archive.writestr("x0.npy", magic + header)
    with pytest.raises(CheckpointError, match="false size"):
        Solver.load(tmp_path / "other.npz")


def test_a_write_that_fails_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        Solver(X0, "arc_lsr1").save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_every_file_keeps_its_mode_and_its_name(tmp_path):
    """A link is followed, also to where nothing is yet; what else is in the folder stays."""

    def save(name):
        Solver(X0, "arc_lsr1").save(tmp_path / name)
        Solver.load(tmp_path / name)

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "real.npz").write_bytes(b"old")
    (tmp_path / "link.npz").symlink_to("real.npz")
    (tmp_path / "dangling.npz").symlink_to(folder / "new.npz")
    (tmp_path / "run.npz.tmp").write_text("the user's")
    for name in ("link.npz", "dangling.npz", "run.npz"):
        save(name)
    assert (tmp_path / "link.npz").is_symlink() and (tmp_path / "dangling.npz").is_symlink()
    Solver.load(tmp_path / "real.npz")
    Solver.load(folder / "new.npz")
    assert (tmp_path / "run.npz.tmp").read_text() == "the user's"
    for mode in (0o600, 0o640, 0o666):
        (tmp_path / "run.npz").chmod(mode)
        save("run.npz")
        assert (tmp_path / "run.npz").stat().st_mode & 0o777 == mode
    umask = os.umask(0o027)
    try:
        save("another.npz")
    finally:
        os.umask(umask)
    assert (tmp_path / "another.npz").stat().st_mode & 0o777 == 0o640
    save("n" * 250 + ".npz")  # as long as a name may be
    assert not [p for p in tmp_path.rglob("*.tmp") if p.name != "run.npz.tmp"]


@pytest.mark.parametrize("what", ["directory", "pipe", "device", "circle"])
def test_what_is_no_file_is_refused_at_once(what, tmp_path):
    path = tmp_path / "place"
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)  # to open it would be to wait for ever
    elif what == "device":
        path.symlink_to(os.devnull)
    else:
        path.symlink_to(path)
    calls = []
    with pytest.raises(OSError, match="place for a checkpoint"):
        minimize(calls.append, X0, options={"checkpoint": path})
    with pytest.raises(OSError, match="place for a checkpoint"):
        Solver(X0).save(path)
    with pytest.raises((CheckpointError, OSError), match=r"not a checkpoint|symbolic links"):
        minimize(calls.append, X0, resume=path)
    assert not calls and path.is_symlink() == (what in ("device", "circle"))


def test_two_runs_on_one_path(tmp_path):
    """The second is told at once, and does no harm; after the first it may."""
    path, link = tmp_path / "run.npz", tmp_path / "link.npz"
    link.symlink_to(path)
    options = {"checkpoint": path, "checkpoint_every": 1}
    first = Solver(X0, "arc_lsr1", options).run(rosen, rosen_der)
    for _ in range(3):
        state = next(first)
        calls = []
        for place in (path, link):
            with pytest.raises(BlockingIOError, match="another run"):
                minimize(calls.append, X0, options={"checkpoint": place})
        assert not calls and Solver.load(path).nit == state.nit
    first.close()
    resumed = minimize(rosen, X0, jac=rosen_der, resume=path)
    assert np.array_equal(resumed.x, minimize(rosen, X0, jac=rosen_der, method="arc_lsr1").x)

    def fails(x):
        raise ZeroDivisionError

    for _ in range(2):  # an exception ends a run too
        with pytest.raises(ZeroDivisionError):
            minimize(fails, X0, jac=rosen_der, options=options)
    path.unlink()
    run = Solver(X0, "arc_lsr1", options).run(rosen, rosen_der)
    next(run)
    path.unlink()  # somebody tidied up: it is written again
    assert next(run).nit == Solver.load(path).nit == 2


@pytest.mark.filterwarnings(
    "ignore:os.fork",  # of JAX, if tests before this one have imported it
    "ignore:This process",  # of newer Pythons, if there are threads
)
def test_a_process_that_was_forked_does_not_hold_the_place(tmp_path):
    path = tmp_path / "run.npz"
    context = multiprocessing.get_context("fork")
    event = context.Event()
    children = []

    def fun(x):
        if not children:
            children.append(context.Process(target=event.wait))
            children[0].start()
        return rosen(x)

    options = {"checkpoint": path}
    try:
        minimize(fun, X0, jac=rosen_der, options=options)
        assert children[0].is_alive()
        assert minimize(fun, X0, jac=rosen_der, options=options).success
    finally:
        event.set()
        children[0].join()


SAVER = """
import sys
import numpy as np
from quasinewton import Solver
seed, path = int(sys.argv[1]), sys.argv[2]
solver = Solver(np.full(20000, float(seed)), "arc_hybrid")
while True:
    solver.save(path)
"""


def test_two_processes_that_save_and_are_killed(tmp_path):
    """Every file that is seen is whole; what is left of a write under way is removed later."""
    path = tmp_path / "run.npz"
    savers = [subprocess.Popen([sys.executable, "-c", SAVER, str(i), path]) for i in range(2)]
    try:
        seen = set()
        while len(seen) < 2:
            assert all(saver.poll() is None for saver in savers)
            if path.exists():
                seen.add(Solver.load(path).x0[0])
        for _ in range(100):
            Solver.load(path)
    finally:
        for saver in savers:
            saver.kill()
            saver.wait()
    (tmp_path / f"run.npz.{'0' * 16}.tmp").write_bytes(b"left by a kill")
    Solver.load(path).save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("method", METHODS)
def test_the_place_is_the_one_given_now_or_the_file_resumed_from(method, tmp_path):
    victim, friend, other = (tmp_path / name for name in ("thesis.txt", "friend.npz", "other.npz"))
    solver = Solver(X0, method, {"checkpoint": victim})
    step(solver)
    solver.save(friend)
    minimize(rosen, X0, jac=rosen_der, resume=friend, options={"maxiter": 4})
    assert not victim.exists() and Solver.load(friend).nit == 4
    minimize(rosen, X0, jac=rosen_der, resume=friend, options={"maxiter": 6, "checkpoint": other})
    assert Solver.load(friend).nit == 4 and Solver.load(other).nit == 6
    moved = tmp_path / "folder" / "moved.npz"
    moved.parent.mkdir()
    other.rename(moved)
    minimize(rosen, X0, jac=rosen_der, resume=moved, options={"maxiter": 8})
    assert Solver.load(moved).nit == 8 and not other.exists() and not victim.exists()
    before = moved.read_bytes()
    minimize(rosen, X0, jac=rosen_der, resume=moved, options={"maxiter": 9, "checkpoint": None})
    assert moved.read_bytes() == before
    solver = Solver(X0, method)  # one that was not saved by itself is not now
    solver.save(friend)
    before = friend.read_bytes()
    minimize(rosen, X0, jac=rosen_der, resume=friend)
    assert friend.read_bytes() == before


@pytest.mark.parametrize(
    ("method", "options"), [*((m, {}) for m in METHODS), ("trust_cg", {"enriched": False})]
)
def test_a_bound_on_the_steps_is_obeyed_from_the_first_step_on(method, options, tmp_path):
    path = tmp_path / "run.npz"
    for told in range(1, 9):
        solver = Solver(X0, method, options)
        for _ in range(told):
            step(solver)
        solver.save(path)
        r = minimize(
            rosen, X0, jac=rosen_der, resume=path, hessp=rosen_hess_prod,
            options={"max_trust_radius": 1e-3, "history": True, "maxiter": solver.nit + 10},
        )  # fmt: skip
        steps = r.history["step"]
        assert steps.size and np.nanmax(steps) <= 1e-3 * (1.0 + 1e-6)
        assert np.linalg.norm(r.x - solver.x) <= 1e-2 * (1.0 + 1e-6)


#: What may be given to a run that goes on, and a value that is not the default.
CHANGES = {
    "gtol": 1e-1, "constr_tol": 1e3, "grtol": 0.5, "xtol": 0.5, "ftol": 0.5, "maxiter": 6,
    "maxfev": 7, "maxtime": 0.0, "f_target": 1e3, "memory": 20, "norm": "euclidean",
    "weight_rule": "ranganath",
    "enriched": False, "initial_weight": 1.0, "initial_trust_radius": 1.0,
    "max_trust_radius": 1e-2, "finite_diff_rel_step": 1e-7, "check_derivatives": True,
    "eps": 1e-6, "disp": True, "verbose": 3, "return_all": True, "history": True, "model": None,
    "check_curvature": True, "checkpoint": "other.npz", "checkpoint_every": 1,
    "checkpoint_seconds": 0.0, "rule_parameters": {"accept": 0.9}, "noise": 1e-3,
    "workers": lambda function, points: WORKED.append(len(points)) or list(map(function, points)),
}  # fmt: skip
WORKED: list[int] = []
REFUSED = (
    "memory", "weight_rule", "enriched", "initial_weight", "initial_trust_radius", "model", "noise",
)  # fmt: skip


def assert_tolerance_of_constraints_is_obeyed(value):
    circle = NonlinearConstraint(lambda x: x @ x, 1, 1, jac=lambda x: 2 * x)
    call = {"fun": rosen, "x0": X0, "jac": rosen_der, "constraints": circle}
    minimize(**call, options={"maxiter": 1, "checkpoint": "run.npz"})
    options = {"maxiter": 100, "gtol": 1e9, "checkpoint": None}
    plain = minimize(**call, resume="run.npz", options=options)
    changed = minimize(**call, resume="run.npz", options=options | {"constr_tol": value})
    assert changed.success and plain.success
    assert plain.constr_violation <= 1e-7 < changed.constr_violation <= value


@pytest.mark.parametrize("name", sorted({f.name for f in dataclasses.fields(Options)} - {"resume"}))
def test_every_option_is_obeyed_or_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    value = CHANGES[name]
    if name == "constr_tol":
        assert_tolerance_of_constraints_is_obeyed(value)
        return
    solver = Solver(X0, "arc_lsr1")
    for _ in range(5):
        step(solver)
    solver.save("run.npz")
    if name == "model":
        value = minimize(rosen, X0, jac=rosen_der, method="arc_lsr1").hess
    if name in REFUSED:
        with pytest.raises(ValueError, match=f"`{name}`"):
            minimize(rosen, X0, jac=rosen_der, resume="run.npz", options={name: value})
        return

    def resume(jac=rosen_der, **options):
        return minimize(rosen, X0, jac=jac, resume="run.npz", options=options)

    plain, changed = resume(), resume(**{name: value})
    printed = capsys.readouterr().out
    if name in ("disp", "verbose"):
        assert printed
    elif name in ("history", "return_all"):
        assert len(changed["history"]["fun"] if name == "history" else changed.allvecs) > 5
    elif name == "check_curvature":
        assert changed.curvature.source == "products" != plain.curvature.source
    elif name == "check_derivatives":
        with pytest.raises(DerivativeError):
            resume(lambda x: 2.0 * rosen_der(x), check_derivatives=True)
    elif name == "checkpoint":
        assert Solver.load("other.npz").status == changed.status
    elif name.startswith("checkpoint_"):
        with pytest.raises(ZeroDivisionError):
            resume(Fails(rosen_der, 4), checkpoint="other.npz", **{name: value})
        assert Solver.load("other.npz").nit > solver.nit
    elif name == "workers":
        assert not WORKED  # where the gradient is given
        assert np.array_equal(resume(None).x, resume(None, workers=value).x) and WORKED
    elif name in ("finite_diff_rel_step", "eps"):
        assert not np.array_equal(resume(None).x, resume(None, **{name: value}).x)
    else:
        assert not np.array_equal(changed.x, plain.x)


class Fails:
    """A function that raises at some call."""

    def __init__(self, function, at):
        self.function, self.left = function, at

    def __call__(self, x):
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError
        return self.function(x)


@pytest.mark.parametrize("n", [4, 150])
@pytest.mark.parametrize("method", QUASI_NEWTON)
def test_the_model_of_a_warm_start_is_saved_before_the_first_value_too(method, n, tmp_path):
    path = tmp_path / "run.npz"
    x0 = np.sin(np.arange(n) + 1.0)
    options = {"model": minimize(rosen, x0, jac=rosen_der, options={"maxiter": 12}).hess}
    whole = Solver(x0, method, {**options, "maxiter": 5})
    whole.save(path)
    again = Solver.load(path)
    again.save(path)
    again = Solver.load(path)
    for solver in (whole, again):
        while solver.running:
            step(solver)
    same(whole.result(), again.result())
    cold = minimize(rosen, x0, jac=rosen_der, method=method, options={"maxiter": 5})
    assert not np.array_equal(cold.x, whole.x)


WORKER = """
import sys, numpy as np
from pathlib import Path
from scipy.optimize import rosen, rosen_der
from quasinewton import kernels, minimize
kernels.PATIENCE = 0.0
method, path, out = sys.argv[1:]
n = 3000
x0 = np.sin(np.arange(n) + 1.0)
options = {"checkpoint": path, "checkpoint_every": 1, "maxiter": 60, "gtol": 0.0, "history": True}
resume = path if Path(path).exists() else None
print("start", flush=True)
r = minimize(rosen, x0, jac=rosen_der, method=method, options=options, resume=resume)
np.savez(out, x=r.x, jac=r.jac, fun=r.history["fun"], weight=r.history["weight"], nit=r.nit)
"""


@pytest.mark.parametrize("method", ["arc_hybrid", "trust_cg"])
def test_a_run_killed_at_any_instant_resumes_bit_for_bit(method, tmp_path):
    """Most of the time of these runs is writing: most kills come in the middle of it."""
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)

    def start(folder):
        folder.mkdir(exist_ok=True)
        command = [sys.executable, worker, method, folder / "run.npz", folder / "out.npz"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    for folder in ("compiling", "whole"):  # the first may take much longer
        process = start(tmp_path / folder)
        began = time.perf_counter()
        assert process.wait() == 0
        process.stdout.close()
        seconds = time.perf_counter() - began
    rng = random.Random(0)
    kills = 0
    while kills < KILLS:
        process = start(tmp_path / "killed")
        try:
            process.wait(rng.uniform(0.0, 0.5 * seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        process.stdout.close()
        if (tmp_path / "killed" / "run.npz").exists():
            Solver.load(tmp_path / "killed" / "run.npz")
        if process.returncode == 0:  # it came to its end: the next run starts anew
            compare(tmp_path)
            shutil.rmtree(tmp_path / "killed")
    process = start(tmp_path / "killed")
    assert process.wait() == 0
    process.stdout.close()
    compare(tmp_path)
    names = {p.name for p in (tmp_path / "killed").iterdir()}
    assert names == {"run.npz", "out.npz"}


def test_compiled_now_or_loaded_machine_code_gives_the_same_bits(tmp_path):
    """The copies of a kernel in its callers must round alike, or a resumed run may differ."""
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    cache = tmp_path / "cache"
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
        place = [tmp_path / folder / name for name in ("run.npz", "out.npz")]
        subprocess.run([sys.executable, worker, "arc_hybrid", *place], check=True, env=env)
        assert any(cache.rglob("*find_trial*.nbc"))
    compare(tmp_path)


def compare(folder: Path):
    with np.load(folder / "whole" / "out.npz") as a, np.load(folder / "killed" / "out.npz") as b:
        for name in a.files:
            assert np.array_equal(a[name], b[name], equal_nan=True), name
