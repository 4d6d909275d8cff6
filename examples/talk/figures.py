def machine():
    """Cores and versions, no names."""
    import importlib.metadata as metadata
    import os
    import platform

    versions = {p: metadata.version(p) for p in ("numpy", "scipy", "numba")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **versions}


def main(out):
    pass
