"""Slow, plain answers that the fast code is held to."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import brentq


def dense_sr1(pairs, gamma, skip=1e-8):
    """SR1 by its definition, with the library's skip rule; B and which pairs were used."""
    n = pairs[0][0].size
    b = gamma * np.eye(n)
    used = []
    size = abs(gamma)  # of all that was ever added: the roundoff in b is relative to it
    for s, y in pairs:
        scale = np.linalg.norm(s)
        if scale == 0.0:
            used.append(False)
            continue
        s, y = s / scale, y / scale
        bs = b @ s
        r = y - bs
        noise = 1e-14 * (np.linalg.norm(y) + size)
        ok = np.linalg.norm(r) > noise and abs(r @ s) > skip * np.linalg.norm(r)
        used.append(bool(ok))
        if ok:
            size += r @ r / abs(r @ s)
            b = b + np.outer(r, r) / (r @ s)
    return b, used


def dense_bfgs(pairs, gamma, skip=1e-8):
    """BFGS by its definition, with the library's skip rule."""
    b = gamma * np.eye(pairs[0][0].size)
    for s, y in pairs:
        bs = b @ s
        if s @ y > skip * np.linalg.norm(s) * np.linalg.norm(y):
            b = b - np.outer(bs, bs) / (s @ bs) + np.outer(y, y) / (s @ y)
    return b


def cubic_value(lam, g, sigma, s, norm):
    """The cubic model at s, in the eigenbasis."""
    cube = np.sum(np.abs(s) ** 3) if norm == "shape" else np.linalg.norm(s) ** 3
    return g @ s + 0.5 * s @ (lam * s) + sigma / 3.0 * cube


def scalar_cubic(lam, g, sigma):
    """min of g t + lam t^2/2 + sigma |t|^3/3 from the roots of its two derivatives."""
    candidates = [0.0]
    for sign in (1.0, -1.0):  # g + lam t + sign sigma t^2 = 0 with sign t > 0
        for root in np.roots([sign * sigma, lam, g]):
            if abs(root.imag) < 1e-12 * (1 + abs(root)):
                candidates.append(float(root.real))
    return min(g * t + 0.5 * lam * t * t + sigma / 3 * abs(t) ** 3 for t in candidates)


def plane_trust_region(b, g, radius):
    """Least value of g.s + s.B s/2 over |s| <= radius in the plane of g and B^-1 g."""
    p = np.linalg.solve(b, g)
    q, _ = np.linalg.qr(np.array([g / np.linalg.norm(g), p / np.linalg.norm(p)]).T)
    lam, u = np.linalg.eigh(q.T @ b @ q)
    return dense_trust_region(lam, u.T @ (q.T @ g), radius)


def dense_trust_region(lam, g, radius):
    """Least value of g.s + s.diag(lam).s/2 over |s| <= radius, by bisection on mu."""
    low = max(0.0, -lam.min())

    def step(mu):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(g == 0.0, 0.0, -g / (lam + mu))

    def value(s):
        return g @ s + 0.5 * s @ (lam * s)

    inside = step(low)
    if np.abs(inside).max() < 1e150 and np.linalg.norm(inside) <= radius:
        if low > 0.0:
            rest = np.sqrt(max(0.0, radius**2 - inside @ inside))
            inside = inside + rest * (np.arange(lam.size) == np.argmin(lam))
        return value(inside)
    high = low + np.linalg.norm(g) / radius + 1.0
    a, b = low, high
    for _ in range(2000):
        middle = 0.5 * (a + b)
        if middle in (a, b):
            break
        if not np.abs(step(middle)).max() < 1e150 or np.linalg.norm(step(middle)) > radius:
            a = middle
        else:
            b = middle
    return value(step(b))


def dense_cubic_euclidean(lam, g, sigma):
    """Least value of the cubic model in the 2-norm: min over the radius of the trust region's."""
    top = 1.0
    while top**2 * sigma < 4.0 * (np.abs(lam).max() * top + np.linalg.norm(g)):
        top *= 2.0

    # m(r) = trust-region value on the sphere + sigma r^3/3; its minimiser solves mu = sigma r
    def gap(r):
        low = max(0.0, -lam.min())
        mu = sigma * r
        if mu <= low:
            return -1.0
        s = np.where(g == 0.0, 0.0, g / np.maximum(lam + mu, 1e-150))
        return r - np.linalg.norm(np.minimum(np.abs(s), 1e150))

    low = max(max(0.0, -lam.min()) / sigma, 0.0)
    start = np.nextafter(low, np.inf) if low > 0 else np.finfo(float).tiny * 1e10
    if gap(start) >= 0.0:  # hard case: the radius is -lam_min / sigma
        r = low
    else:
        r = brentq(gap, start, top, xtol=1e-300, rtol=8.9e-16, maxiter=1000)
    return dense_trust_region(lam, g, r) + sigma * r**3 / 3.0 if r > 0 else 0.0


def random_search(value, start, size, rng, rounds=40, samples=60):
    """Least of `value` over a shrinking cloud of samples around the best point so far."""
    best, least = start.copy(), value(start)
    spread = size
    for _ in range(rounds):
        cloud = best + spread * rng.standard_normal((samples, start.size))
        values = [value(p) for p in cloud]
        k = int(np.argmin(values))
        if values[k] < least:
            best, least = cloud[k], values[k]
        else:
            spread *= 0.6
    return least


def box_quadratic(b, g, low, high):
    """Least value of g.s + s.B s/2 over low <= s <= high, all faces of the box tried; and s."""
    n = g.size
    best, least = np.zeros(n), 0.0
    for face in itertools.product((-1, 0, 1), repeat=n):
        side = np.array(face)
        s = np.where(side < 0, low, np.where(side > 0, high, 0.0))
        if not np.all(np.isfinite(s)):
            continue
        free = side == 0
        if free.any():
            right = -(g + b @ s)[free]
            s[free] = np.linalg.lstsq(b[np.ix_(free, free)], right, rcond=None)[0]
        if np.all(s >= low - 1e-12) and np.all(s <= high + 1e-12):
            s = np.clip(s, low, high)
            value = g @ s + 0.5 * s @ (b @ s)
            if value < least:
                best, least = s, value
    return least, best


def projected_newton(fun, grad, hess, x, low, high, tolerance=1e-10):
    """A minimiser in a box by Newton steps on faces, with an Armijo search along the projection."""
    for _ in range(500):
        g = grad(x)
        held = ((x <= low) & (g > 0)) | ((x >= high) & (g < 0)) | (low >= high)
        if np.abs(x - np.clip(x - g, low, high)).max() <= tolerance or held.all():
            break
        d = np.zeros_like(x)
        lam, u = np.linalg.eigh(hess(x)[np.ix_(~held, ~held)])
        d[~held] = -u @ ((u.T @ g[~held]) / np.maximum(np.abs(lam), 1e-8))
        for direction in (d, np.where(held, 0.0, -g)):
            t = 1.0
            while t > 1e-18:
                trial = np.clip(x + t * direction, low, high)
                if fun(trial) <= fun(x) + 1e-4 * (g @ (trial - x)) and g @ (trial - x) < 0:
                    break
                t *= 0.5
            else:
                continue
            break
        else:
            break
        x = trial
    return x
