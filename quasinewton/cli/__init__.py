"""The command line: ``python -m quasinewton solve | compare | check | problems``."""

from .commands import main

__all__ = ["main"]


def __dir__() -> list[str]:
    return list(__all__)
