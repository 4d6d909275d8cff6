"""Problems that fit a model to data."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from scipy.optimize import root
from scipy.special import expit

from ._registry import Functions, Parts, Size, Vector, register
from ._structure import SQUARE, Group, at, group_separable


def _logistic(
    forward: Callable[[Vector], Vector],
    adjoint: Callable[[Vector], Vector],
    labels: Vector,
    l2: float,
) -> Functions:
    """Return ``mean log(1 + exp(-labels (A x))) + (l2 / 2) |x|^2``, given A x and A^T u."""
    m = labels.size

    def fun(x: Vector) -> Any:
        return np.sum(np.logaddexp(0, -labels * forward(x))) / m + l2 / 2 * (x @ x)

    def grad(x: Vector) -> Vector:
        return adjoint(-labels * expit(-labels * forward(x))) / m + l2 * x

    def hessp(x: Vector, p: Vector) -> Vector:
        z = forward(x)
        return adjoint(expit(z) * expit(-z) * forward(p)) / m + l2 * p

    return Functions(fun, grad, hessp)


def _stationary(functions: Functions, x: Vector) -> Vector:
    """Return the minimiser of a strongly convex function of few variables.

    The minimum depends on the parameters and on the data, hence is computed with the problem.
    """

    def hessian(x: Vector) -> Vector:
        return np.column_stack([functions.hessp(x, e) for e in np.eye(x.size)])

    return np.asarray(root(functions.grad, x, jac=hessian, tol=1e-15).x)


def _check_l2(l2: float) -> None:
    if not l2 > 0:
        raise ValueError(f"l2 must be positive for the objective to have a minimiser, not {l2}")


def _breast_cancer() -> tuple[Vector, Vector]:
    """Return 569 samples of 30 features and labels -1, 1, made up if scikit-learn is absent."""
    try:
        datasets = import_module("sklearn.datasets")
    except ImportError:
        rng = np.random.default_rng(569)
        features = rng.standard_normal((569, 30)) @ rng.standard_normal((30, 30))
        score = features @ rng.standard_normal(30) / 30
        return features, np.where(score + rng.logistic(size=569) > 0, 1.0, -1.0)
    features, target = datasets.load_breast_cancer(return_X_y=True)
    return features, 2.0 * target - 1


@register(
    31,
    source="the breast cancer data of scikit-learn (Wisconsin diagnostic), standardised",
    description="mean_i log(1 + exp(-y_i a_i . x)) + (l2 / 2) |x|^2, the last feature constant, "
    "with l2 as a parameter",
    convex=True,
)
def logistic_breast_cancer(l2: float = 1e-2) -> Parts:
    _check_l2(l2)
    features, labels = _breast_cancer()
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features = np.column_stack([features, np.ones(labels.size)])
    functions = _logistic(lambda x: features @ x, lambda u: features.T @ u, labels, l2)
    x = _stationary(functions, np.zeros(31))
    return Parts(functions, x0=np.zeros(31), fmin=functions.fun(x), minimizers=[x])


@register(
    Size(100),
    source="made up, with a fixed seed: 2 n samples of at most five nonzero features",
    description="mean_i log(1 + exp(-y_i a_i . x)) + (l2 / 2) |x|^2, a_i sparse, with l2 and seed "
    "as parameters; the minimum is known for n <= 200",
    convex=True,
)
def logistic_synthetic(n: int, l2: float = 1e-3, seed: int = 0) -> Parts:
    _check_l2(l2)
    rng = np.random.default_rng(seed)
    shape = (2 * n, min(n, 5))
    # Entries whose column repeats within a row add up.
    columns, entries = rng.integers(n, size=shape), rng.standard_normal(shape)

    def forward(x: Vector) -> Vector:
        return np.asarray(np.sum(entries * x[columns], axis=1))

    def adjoint(u: Vector) -> Vector:
        return np.bincount(columns.ravel(), (entries * u[:, np.newaxis]).ravel(), minlength=n)

    score = forward(rng.standard_normal(n))
    labels = np.where(score + rng.logistic(size=2 * n) > 0, 1.0, -1.0)
    functions = _logistic(forward, adjoint, labels, l2)
    x0 = np.zeros(n)
    if n > 200:
        return Parts(functions, x0)
    x = _stationary(functions, x0)
    return Parts(functions, x0, fmin=functions.fun(x), minimizers=[x])


@register(
    3,
    source="made up: a decay with an offset, perturbed by a fixed oscillation",
    description="r_i = x1 exp(-x2 t_i) + x3 - y_i, t_i = i / 10, "
    "y_i = 5 exp(-1.5 t_i) + 1 + cos(7 t_i) / 10, i = 0..40",
)
def exponential_decay() -> Parts:
    t = np.arange(41.0) / 10
    y = 5 * np.exp(-1.5 * t) + 1 + np.cos(7 * t) / 10

    def grad(a: Any, b: Any, c: Any) -> tuple[Any, ...]:
        e = np.exp(-b * t)
        return e, -t * a * e, 1.0

    return Parts(
        group_separable(
            3,
            Group(
                (at(0), at(1), at(2)),
                lambda a, b, c: a * np.exp(-b * t) + c - y,
                grad,
                lambda a, b, c: {(0, 1): -t * np.exp(-b * t), (1, 1): t * t * a * np.exp(-b * t)},
                SQUARE,
                terms=41,
            ),
        ),
        x0=[1.0, 1.0, 0.0],
        fmin=0.2013600058226361,
    )
