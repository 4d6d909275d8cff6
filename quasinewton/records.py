"""The records that kernels share: what a quasi-Newton method is, beside its arrays, by name.

A record is an element of a structured array: ``s = state[0]``, then ``s.f``, in machine code and
in Python. The array is handed over, of which the first element is the record in use.
No field has the name of an attribute that NumPy's scalars have, such as `size`: Python would get
that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["RING", "RULE", "STATE", "new_state"]

_FIELDS = {
    # the model
    "n": "i8",  # variables
    "update": "i8",  # which update, a number of `updates.KINDS`
    "window": "i8",  # gamma is chosen from so many pairs; 0 for the one that is given
    "gamma_rule": "i8",  # ... by which of the rules of `pairs`
    "dense": "i8",  # whether B is a matrix in the variables themselves
    "reduced": "i8",  # whether in coordinates of the span of the gradients
    "whole": "i8",  # ... that keeps what the ring has lost
    "pairs": "i8",  # pairs in the ring
    "stored": "i8",  # newest pairs that are not in the inner products yet
    "outdated": "i8",  # whether the products of the rows with g are those of another g
    "newest": "i8",  # whether the newest pair is used
    "used": "i8",  # how many pairs passed the skip rule
    "applied": "i8",  # pairs of the ring that a dense matrix holds; -1: to be made anew
    "inverted": "i8",  # whether the inverse of B is kept beside it
    "outside": "i8",  # whether the gradient may have a part outside of the coordinates
    "rank": "i8",  # orthonormal directions outside of which B is gamma I
    "covered": "i8",  # ... of which the inner products over the free variables are there
    "changes": "i8",  # of that matrix since it was made anew
    "sweeps": "i8",  # of the QL algorithm in the last eigendecomposition
    "gamma": "f8",
    "unit": "f8",  # the curvature in whose units the matrix of B - gamma I is
    "matrix_gamma": "f8",  # the gamma that a dense matrix was made with
    "theta": "f8",  # what f tells of the newest pair of a reduced model, see `absorb`
    "theta_noise": "f8",
    "added": "f8",  # bound on the norm of all that was ever added to the matrix
    # the iteration
    "f": "f8",  # f at x
    "f_best": "f8",  # least f of an accepted point that x has left for a better gradient
    "f_scale": "f8",  # size of the terms that f is a sum of
    "noise": "f8",  # relative roundoff to be expected in f
    "seen": "f8",  # noise that values of f have shown
    "given": "f8",  # standard deviation of the noise in f, as far as it is told
    "g_noise": "f8",  # norm of the noise in g, as far as it is told
    "g_least": "f8",  # least |g| since f hides what is gained
    "f_least": "f8",  # f when it last showed a gain
    "idle": "i8",  # iterations since then
    "revived": "i8",  # 1: the model was begun anew and f has not fallen since; -1: it has
    "g_max": "f8",  # largest |g_i| at x, or |x - P(x - g)|_i
    "g_norm": "f8",  # |g| at x, of the variables that no bound holds
    "bounded": "i8",  # whether there are bounds on the variables
    "residual": "f8",  # |x - P(x - g)|, which is |g| without bounds
    "step_norm": "f8",  # |s| of the step to the trial
    "slope": "f8",  # g.s
    "predicted": "f8",  # decrease that the model predicts
    "multiplier": "f8",  # the cubic weight that s solves its subproblem for; mu, for a radius
    "rho": "f8",  # actual / predicted reduction of the last trial
    "length": "f8",  # bound on |s|
    "refused": "f8",  # |s| of the last trial if it was rejected, else 0
    "length_max": "f8",  # bound on `length`
    "weight": "f8",  # least cubic weight
    "accepted": "i8",  # whether the last trial was
    "rejections": "i8",  # in a row
    "alpha": "f8",  # the step is -alpha g + U c
    "pending": "i8",  # what the trial waits for
    "moved": "i8",  # whether the trial differs from x
    "convex": "i8",  # whether no negative eigenvalue was seen in B
    # a run in machine code
    "nit": "i8",
    "nfev": "i8",
    "njev": "i8",
    "status": "i8",
}

#: Scalars and integers of a quasi-Newton method.
STATE = np.dtype((np.record, list(_FIELDS.items())), align=True)

#: What is constant over a run: of the globalization, see `globalization.RuleParameters`; of the
#: subproblem, see `subproblems.table.Subproblem`; and whether the weight follows the published
#: rule, which bounds no step and whose ratio counts the cubic term.
RULE = np.dtype(
    (
        np.record,
        [
            *((name, "f8") for name in (
                "accept", "poor", "good", "grow", "grow_convex", "shrink_min", "shrink_max",
                "relax", "keep", "patience", "secant", "cubic",
            )),
            ("subproblem", "i8"), ("radius", "i8"), ("euclidean", "i8"), ("published", "i8"),
        ],
    ),
    align=True,
)  # fmt: skip

#: A stored pair: |y|/|s|, the cosine of s and y, how far f is from quadratic along s, see `absorb`,
#: and the row of its direction.
RING = np.dtype(
    (np.record, [("tau", "f8"), ("cosine", "f8"), ("bend", "f8"), ("slot", "i8")]), align=True
)


_ZERO = dict.fromkeys(_FIELDS, 0)


def new_state(**values: Any) -> np.ndarray:
    """A STATE array of one record, zero but for the fields given."""
    # of one tuple: to set a field of a record by its name takes a microsecond
    return np.array([tuple((_ZERO | values).values())], STATE)
