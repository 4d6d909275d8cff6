"""A solver driven by hand."""

from __future__ import annotations

from scipy.optimize import rosen, rosen_der, rosen_hess_prod


def step(solver, fun=rosen, grad=rosen_der, hessp=rosen_hess_prod):
    """Answer what the solver asks for; returns whether that was an evaluation, not a product."""
    if solver.direction is not None:
        solver.tell_product(hessp(solver.x, solver.direction))
        return False
    x = solver.ask()
    solver.tell(fun(x), lambda: grad(x))
    return True
