"""The file that a run is saved in.

A checkpoint is an uncompressed .npz archive: one member for each array of the state, a member
``header`` with everything else as JSON (the name and version of the format among it), and a
member ``sha256`` with the digest of all the others. It is written under a name of its own beside
its place and renamed into it, so that under the name stands a complete file or the one before it.
Nothing in it is pickled, and no size that a file claims is believed before the length of the file
bears it out.

A run locks the file in its place (flock), so that no other one writes there, and every file is
locked by its writer from before its first byte until it is in its place. So a temporary file that
nobody has locked was left by a writer that was killed, and is removed. The system drops the locks
of a process that ends. If there are no locks (Windows, some network folders) files are still
whole, but the last of two writers wins, and temporary files of killed runs stay.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import secrets
import stat
import time
import zipfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from ..options import Options

__all__ = ["CheckpointError", "Place", "Schedule", "read", "write"]

FORMAT, VERSION = "quasinewton checkpoint", 1

#: A temporary file is named after its place: so many characters of that, a token, and this.
_KEPT, _SUFFIX = 50, ".tmp"

#: More members than any state has.
_MOST_MEMBERS = 128


class CheckpointError(ValueError):
    """The file is no checkpoint that this version can read; the message says why."""


def write(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write a state of arrays, and of anything that JSON holds, whole or not at all.

    Raises
    ------
    OSError
        What stood under `path` still does.
    """
    with Place(path, hold=False) as place:
        place.write(state)


class Place:
    """The path that a run is saved in.

    Parameters
    ----------
    path : str or path
        A link is followed now, to where its target is or is to be.
    hold : bool, default True
        Whether to lock what is written, and to refuse a place that is locked.

    Raises
    ------
    OSError
        `path` is a directory, a device or anything else that is no file.
    """

    def __init__(self, path: str | os.PathLike[str], hold: bool = True) -> None:
        self._path = os.path.realpath(path)
        self._hold = hold and fcntl is not None
        self._held: list[int] = []  # descriptors of what is locked, what is in its place last
        self._folder, self._name = os.path.split(self._path)
        self._status()
        with contextlib.suppress(OSError):
            self._tidy()

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def write(self, state: dict[str, Any]) -> None:
        """Put a state in the place.

        Raises
        ------
        BlockingIOError
            An OSError: another run is saved here.
        OSError
            The file cannot be written. What stood here still does.
        """
        members = _members(state)
        before = self._status()
        if self._hold and before is not None:
            self._take(before)
        temporary = self._create(before)
        try:
            if before is not None and hasattr(os, "fchmod"):
                os.fchmod(self._held[-1], stat.S_IMODE(before.st_mode))
            with open(self._held[-1], "wb", closefd=False) as file:
                np.savez(file, **members)
                file.flush()
                os.fsync(file.fileno())
            if fcntl is None:  # Windows renames no open file
                self._release()
            os.replace(temporary, self._path)
        except BaseException:
            self._release()
            with contextlib.suppress(OSError):
                os.remove(temporary)
            raise
        self._release(self._held[-1:] if self._hold else [])
        if os.name == "posix":  # the new name itself must survive a loss of power
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _status(self) -> os.stat_result | None:
        """What stands in the place, which must be a file or nothing."""
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, f"is {_kind(found)}, no place for a checkpoint", self._path)
        return found

    def _take(self, found: os.stat_result) -> None:
        """Lock what stands in the place, unless that is ours."""
        if self._held and os.path.samestat(found, os.fstat(self._held[-1])):
            return
        try:
            self._held.append(_open_locked(self._path, os.O_RDONLY))
        except FileNotFoundError:
            return
        except BlockingIOError:
            raise BlockingIOError(
                errno.EAGAIN, "another run writes its checkpoints here", self._path
            ) from None

    def _create(self, before: os.stat_result | None) -> str:
        """A new file beside the place, with the permissions of what stands there."""
        mode = 0o666 if before is None else before.st_mode & 0o777
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        while True:
            name = f"{self._name[:_KEPT]}.{secrets.token_hex(8)}{_SUFFIX}"
            temporary = os.path.join(self._folder, name)
            try:
                self._held.append(_open_locked(temporary, flags, mode))
            except (BlockingIOError, FileExistsError, FileNotFoundError):
                if not os.path.isdir(self._folder):
                    raise
                continue  # somebody who tidies up was faster
            return temporary

    def _tidy(self) -> None:
        """Remove what killed writers have left: files that nobody has locked."""
        if fcntl is None:
            return
        for name in os.listdir(self._folder):
            start, _, token = name.removesuffix(_SUFFIX).rpartition(".")
            if start != self._name[:_KEPT] or len(token) != 16 or not name.endswith(_SUFFIX):
                continue
            path = os.path.join(self._folder, name)
            with contextlib.suppress(OSError):
                descriptor = _open_locked(path, os.O_RDONLY | os.O_NOFOLLOW, certain=True)
                try:
                    os.remove(path)
                finally:
                    os.close(descriptor)

    def _release(self, but: list[int] | None = None) -> None:
        """Unlock and close all that is held, but for some."""
        held, self._held = self._held, but or []
        for descriptor in held:
            if descriptor in self._held:
                continue
            if fcntl is not None:
                with contextlib.suppress(OSError):  # else a child process would hold it on
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _open_locked(path: str, flags: int, mode: int = 0, certain: bool = False) -> int:
    """Open a file that nobody else has locked, and lock it.

    `certain`: an OSError too if there are no locks here.
    """
    while True:
        descriptor = os.open(path, flags, mode)
        try:
            try:
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:
                if certain:
                    raise
            if fcntl is None or os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another one stands there by now


def _members(state: dict[str, Any]) -> dict[str, Any]:
    arrays = {name: v for name, v in state.items() if isinstance(v, np.ndarray)}
    header = {name: v for name, v in state.items() if name not in arrays}
    header |= {"format": FORMAT, "version": VERSION}
    text = json.dumps(header, default=np.generic.item)
    members: dict[str, Any] = {"header": np.frombuffer(text.encode(), np.uint8), **arrays}
    members["sha256"] = np.frombuffer(_digest(members), np.uint8)
    return members


def _kind(found: os.stat_result) -> str:
    names = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
             stat.S_IFLNK: "a link in a circle"}  # fmt: skip
    return names.get(stat.S_IFMT(found.st_mode), "a device")


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state that `write` wrote.

    Raises
    ------
    OSError
        The file cannot be opened.
    CheckpointError
        It is damaged, truncated, of another program or of a newer version of this one, or no file
        but a directory, a pipe or a device.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):  # a pipe may never be opened
        raise CheckpointError(f"{os.fspath(path)} is {_kind(found)}, not a checkpoint")
    with open(path, "rb") as file:
        try:
            _check_sizes(file)
            with np.load(file, allow_pickle=False) as archive:
                members = {name: archive[name] for name in archive.files}
            digest = members.pop("sha256")
            if "header" not in members:
                raise CheckpointError("it has no header")
            header = json.loads(members["header"].tobytes())
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise CheckpointError("it was not written by quasinewton")
            if header.get("version") != VERSION:
                raise CheckpointError(
                    f"its format has version {header.get('version')}, this program reads {VERSION}"
                )
            if digest.tobytes() != _digest(members):
                raise CheckpointError("its checksum is wrong: the file is damaged")
        except Exception as error:  # a damaged archive can raise anything
            raise CheckpointError(f"{os.fspath(path)} is not a readable checkpoint: {error}") from (
                None if isinstance(error, CheckpointError) else error
            )
    del members["header"]
    return header | members


def _digest(members: dict[str, np.ndarray]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(members):
        array = np.ascontiguousarray(members[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.digest()


def _check_sizes(file: IO[bytes]) -> None:
    """Refuse an archive whose members claim more than the file holds."""
    length = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if len(infos) > _MOST_MEMBERS or sum(info.file_size for info in infos) > length:
            raise CheckpointError("its members claim more than the file holds")
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise CheckpointError(f"its member {info.filename} is compressed")
            with archive.open(info) as member:
                if np.lib.format.read_magic(member) != (1, 0):
                    raise CheckpointError(f"its member {info.filename} is no array")
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
                size = math.prod(shape) * dtype.itemsize
                if dtype.hasobject or size != info.file_size - member.tell():
                    raise CheckpointError(f"its member {info.filename} has a false size")
    file.seek(0)


class Schedule:
    """When the next checkpoint of a run is due.

    Parameters
    ----------
    options : Options
        With `checkpoint_every` (iterations) or `checkpoint_seconds`, or both: what comes first.
    """

    def __init__(self, options: Options) -> None:
        self._every = options.checkpoint_every or math.inf
        seconds = options.checkpoint_seconds
        default = 60.0 if options.checkpoint_every is None else math.inf
        self._seconds = default if seconds is None else seconds
        self._nit = 0
        self._time = time.perf_counter()

    def due(self, nit: int) -> bool:
        """Whether to save after iteration `nit`."""
        now = time.perf_counter()
        if nit - self._nit < self._every and now - self._time < self._seconds:
            return False
        self._nit, self._time = nit, now
        return True
