"""An objective that is a sum over blocks of data on the workers of dask.distributed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..extras import needs

__all__ = ["Sum"]

#: How many partial sums one task adds: trees of few levels, and no worker gets many gradients.
_FAN = 8
#: Data of at most so many bytes, such as a path, is its own recipe, and survives a lost worker.
_SMALL = 10_000


class Sum:
    """The sum of a function over blocks, and its gradient, computed where the blocks are.

    Parameters
    ----------
    function : callable
        ``function(x, block) -> (f, g)``, with g of shape (n,).
    blocks : dask collection, or sequence of futures, delayed objects or data
        A dask array gives its blocks along the first axis, a bag or a dataframe its partitions.
        What is not computed yet is computed once, and kept by the workers.
    client : dask.distributed.Client, optional
        Default: the current one.
    product : callable, optional
        ``product(x, p, block) -> array, shape (n,)``, the product of the block's Hessian with p.

    Attributes
    ----------
    blocks : list of futures

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense.

    Notes
    -----
    x is sent to each worker once, and terms are added on the workers, in a tree whose shape depends
    on the number of blocks alone. So the sums are the same bit for bit whatever the order in which
    terms arrive, and whoever computes them, as long as the function itself gives the same bits on
    each worker. Arrays in a block, also in a list, tuple or dict, come to it aligned.

    If a worker is lost, dask computes what it held from its recipe. Data that was handed over as
    such has none if it is more than 10 kB, so give data that is to survive as delayed calls that
    load it. Blocks that no worker can hold are best given as what says where they are, such as the
    paths of files, for the function to read.

    Examples
    --------
    ::

        total = quasinewton.dask.Sum(logistic_loss, dask.array.from_zarr("rows.zarr"))
        result = quasinewton.minimize(total, x0, jac=True)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        blocks: Any,
        *,
        client: Any = None,
        product: Callable[..., Any] | None = None,
    ) -> None:
        with needs("distributed", "dask", "quasinewton.dask"):
            import distributed
        for name, given in (("function", function), ("product", product)):
            if not callable(given) and (given is not None or name == "function"):
                raise TypeError(f"`{name}` must be callable, got {type(given).__name__}")
        self._client = distributed.get_client() if client is None else client
        self._function, self._product = function, product
        self.blocks = _futures(blocks, self._client)
        if not self.blocks:
            raise ValueError("`blocks` must hold at least one block")

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum and its gradient at x."""
        f, g = self._sum(_term, self._function, (x,))
        return float(f), g

    fun = __call__

    def hessp(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The product of the sum's Hessian at x with p, where `product` was given."""
        if self._product is None:
            raise TypeError("`product` was not given, so there is no `hessp`")
        product: np.ndarray = self._sum(_product_term, self._product, (x, p))[0]
        return product

    def _sum(self, term: Any, function: Any, vectors: tuple[np.ndarray, ...]) -> Any:
        # A task and not scattered: lost with a worker, it is computed again. Each worker gets it
        # once, from the scheduler or another worker, and keeps it while tasks want it.
        sent = [self._client.submit(np.array, vector, pure=False) for vector in vectors]
        level = [
            self._client.submit(term, function, block, *sent, pure=False) for block in self.blocks
        ]
        while len(level) > 1:
            level = [
                self._client.submit(_add, level[i : i + _FAN], pure=False)
                for i in range(0, len(level), _FAN)
            ]
        return level[0].result()


def _term(function: Any, block: Any, x: np.ndarray) -> tuple[Any, ...]:
    f, g = function(x.copy(), _aligned(block))  # a copy: dask's arrays may not be writable
    return f, np.asarray(g)


def _product_term(function: Any, block: Any, x: np.ndarray, p: np.ndarray) -> tuple[Any, ...]:
    return (np.asarray(function(x.copy(), p.copy(), _aligned(block))),)


def _aligned(block: Any) -> Any:
    """The block, arrays in which begin at a multiple of the size of their numbers.

    What has come from another worker may begin anywhere. NumPy then takes other loops, or no BLAS,
    which round differently, so that a sum would depend on where its blocks have been.
    """
    if isinstance(block, np.ndarray):
        return np.require(block, requirements="A")
    if type(block) in (list, tuple):
        return type(block)(map(_aligned, block))
    if type(block) is dict:
        return {key: _aligned(value) for key, value in block.items()}
    return block


def _add(terms: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The sum of terms in their order."""
    total = terms[0]
    for term in terms[1:]:
        total = tuple(a + b for a, b in zip(total, term, strict=True))
    return total


def _futures(blocks: Any, client: Any) -> list[Any]:
    """A future for each block, of what it computes to."""
    import distributed
    from dask.sizeof import sizeof

    if hasattr(blocks, "to_delayed"):  # an array, a bag, a dataframe
        parts = blocks.to_delayed()
        if isinstance(parts, np.ndarray):
            if parts.ndim > 1 and parts.size != len(parts):
                raise ValueError(
                    "`blocks` as an array must be in one piece along all axes but the first, got "
                    f"{parts.shape} pieces"
                )
            parts = parts.ravel().tolist()
        blocks = parts
    if not isinstance(blocks, Sequence):
        raise TypeError(
            f"`blocks` must be a dask collection or a sequence, got {type(blocks).__name__}"
        )
    found = []
    for block in blocks:
        if isinstance(block, distributed.Future):
            found.append(block)
        elif hasattr(block, "__dask_graph__"):
            found.append(client.compute(block))
        else:
            small = sizeof(block) <= _SMALL
            found.append(
                client.submit(_itself, block, pure=False) if small
                else client.scatter(block, hash=False)
            )  # fmt: skip
    return found


def _itself(block: Any) -> Any:
    return block


def __dir__() -> list[str]:
    return list(__all__)
