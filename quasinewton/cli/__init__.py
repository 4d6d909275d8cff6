"""The command line: ``python -m quasinewton solve | compare | check | problems``."""

from .commands import main

__all__ = ["main"]
