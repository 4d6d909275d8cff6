"""The file that a run is saved in.

A checkpoint is an uncompressed .npz archive: one member for each array of the state, a member
``header`` with everything else as JSON (the name and version of the format among it), and a
member ``sha256`` with the digest of all the others. It is written beside its place and renamed
into it, so that under the name stands a complete file or the one before it. Nothing in it is
pickled, and no size that a file claims is believed before the length of the file bears it out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import zipfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..options import Options

__all__ = ["CheckpointError", "Schedule", "read", "write"]

FORMAT, VERSION = "quasinewton checkpoint", 1

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
    path = os.path.abspath(path)
    arrays = {name: v for name, v in state.items() if isinstance(v, np.ndarray)}
    header = {name: v for name, v in state.items() if name not in arrays}
    header |= {"format": FORMAT, "version": VERSION}
    text = json.dumps(header, default=np.generic.item)
    members: dict[str, Any] = {"header": np.frombuffer(text.encode(), np.uint8), **arrays}
    members["sha256"] = np.frombuffer(_digest(members), np.uint8)
    temporary = path + ".tmp"  # always the same: a run that is killed here leaves one at most
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **members)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
    if os.name == "posix":  # the new name itself must survive a loss of power
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state that `write` wrote.

    Raises
    ------
    OSError
        The file cannot be opened.
    CheckpointError
        It is damaged, truncated, of another program or of a newer version of this one.
    """
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
