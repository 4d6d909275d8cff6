"""
Leaving a saddle
================

A small gradient does not make a minimum. With ``check_curvature`` a run that has ended looks at the
Hessian by a few products, and goes on where it finds a way down.
"""

# %%
# The start is on a ridge along which the gradient leads into the saddle at 0, and nowhere else.
import matplotlib.pyplot as plt
import numpy as np

from quasinewton import minimize


def fun(x):
    return 0.5 * x[0] ** 2 - 0.5 * x[1] ** 2 + 0.25 * x[1] ** 4


def jac(x):
    return np.array([x[0], x[1] ** 3 - x[1]])


def hessp(x, p):
    return np.array([p[0], (3.0 * x[1] ** 2 - 1.0) * p[1]])


def run(**options):
    return minimize(
        fun, [1.5, 0.0], jac=jac, hessp=hessp, method="arc_lsr1",
        options={"return_all": True, **options},
    )  # fmt: skip


stuck, left = run(), run(check_curvature=True)
for result in (stuck, left):
    print(result.message, result.x.round(6), f"{result.nfev} evaluations, {result.nhev} products")
    print(result.curvature)

# %%
# Both runs report success, since the gradient is small at both points; ``result.curvature`` says
# what is known of the Hessian there.
x, y = np.meshgrid(np.linspace(-1.8, 1.8, 200), np.linspace(-1.5, 1.5, 200))
figure, axes = plt.subplots(layout="constrained")
axes.contour(x, y, fun(np.array([x, y])), levels=30, colors="0.6", linewidths=0.6)
axes.plot(*np.array(left.allvecs).T, "o-", color="#0072B2", label="with check_curvature")
axes.plot(*np.array(stuck.allvecs).T, "x--", color="#D55E00", label="without")
axes.set(xlabel="$x_1$", ylabel="$x_2$")
axes.legend(loc="upper right")
plt.show()
