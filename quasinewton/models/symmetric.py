"""Products and inverses of small symmetric matrices."""

from __future__ import annotations

from ..kernels import kernel

__all__ = ["invert", "multiply_symmetric"]


@kernel
def multiply_symmetric(matrix, v, out):
    """out = matrix v: by the rows of the matrix, which is no chain of additions."""
    n = v.size
    single = n % 4
    for j in range(n):
        out[j] = 0.0
    for i in range(single):
        row, factor = matrix[i], v[i]
        for j in range(n):
            out[j] += factor * row[j]
    for i in range(single, n, 4):
        row_a, row_b, row_c, row_d = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        a, b, c, d = v[i], v[i + 1], v[i + 2], v[i + 3]
        for j in range(n):
            out[j] += (a * row_a[j] + b * row_b[j]) + (c * row_c[j] + d * row_d[j])


@kernel
def invert(matrix, shift, n, inverse):
    """inverse = (matrix + shift I)^-1 by Gauss & Jordan; False where that is not positive definite.

    Of the first n rows and columns. `inverse` becomes symmetric to the bit.
    """
    for i in range(n):
        for j in range(n):
            inverse[i, j] = matrix[i, j]
        inverse[i, i] += shift
    for k in range(n):
        a = inverse[k]
        if not a[k] > 0.0:
            return False
        pivot = 1.0 / a[k]
        a[k] = 1.0
        for j in range(n):
            a[j] *= pivot
        for i in range(n):
            if i != k:
                row = inverse[i]
                factor = row[k]
                row[k] = 0.0
                for j in range(n):
                    row[j] -= factor * a[j]
    for i in range(n):
        for j in range(i):
            inverse[i, j] = inverse[j, i] = 0.5 * (inverse[i, j] + inverse[j, i])
    return True
