"""Packages that the core does without: what to install where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs"]


@contextmanager
def needs(package: str, extra: str, what: str) -> Iterator[None]:
    """Name the command that installs an optional package, if an import inside fails for its lack.

    Parameters
    ----------
    package : str
        What is imported.
    extra : str
        The extra of this package that brings it.
    what : str
        What needs it, the subject of the message.

    Raises
    ------
    ImportError
        With the command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise  # it is there, and something that it needs itself is not
        raise ImportError(
            f"{what} needs {package}, which is not installed: "
            f"python -m pip install 'quasinewton[{extra}]'",
            name=package,
        ) from error
