"""Lasso and elastic net from a Gram matrix: coordinate descent finds the support, Cholesky finishes on it.

Letters: d columns, G (d, d) = X'X, q (d,) = X'y, yy = y'y, w (d,) coefficients, h = q - G w, l1 and l2
penalties: min 1/2 |y - X w|^2 + l1 |w|_1 + l2 / 2 |w|^2. Once descent has found which coefficients live and
their signs, the rest is a linear system; its solution is checked against the optimality conditions, so
speed is all that guess decides. ``gap`` is the duality gap, the bound on how far the objective is from its
minimum.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

COMPILED = 256  # columns from which descent is worth numba's import
LARGEST = 3000  # of a support solved by Cholesky
CHEAP = 300  # of a support tried each time, settled or not
DROPS = 100  # coefficients that may fall to zero in one attempt
SWEEPS = 4  # between two attempts


@dataclass(frozen=True)
class Penalty:
    """l1, l2, and whether coefficients must be >= 0."""

    l1: float
    l2: float = 0.0
    positive: bool = False

    def excess(self, g):
        """How far each |g| (g where positive) is above l1.

        Descent moves a zero coefficient where this is > 0.
        """
        return (g if self.positive else np.abs(g)) - self.l1


def gap(yy, q, h, w, penalty):
    """Duality gap at w by the scaled residual, for X'r = h."""
    l1, l2 = penalty.l1, penalty.l2
    slope = h - l2 * w if l2 else h
    norm = max(slope.max(initial=0.0), 0.0 if penalty.positive else -slope.min(initial=0.0))
    live = np.flatnonzero(w)  # of many columns, few
    w, q, h = w[live], q[live], h[live]
    residual = max(yy - w @ (q + h), 0.0)  # |y - X w|^2
    ridge = l2 * (w @ w)
    if norm <= l1 or norm == 0:
        return residual + l1 * np.abs(w).sum() - (yy - q @ w) + ridge
    scale = l1 / norm
    shrunk = 0.5 * (residual + ridge) * (1 + scale**2)
    return shrunk + l1 * np.abs(w).sum() - scale * (yy - q @ w)


def sweep(G, h, w, live, l1, l2, positive):  # noqa: PLR0913
    """One pass over the columns ``live``.

    W and h change in place -> largest change in a prediction.
    """
    largest = 0.0
    for j in live:
        curve = G[j, j]
        if curve + l2 <= 0.0:
            continue
        old = w[j]
        wish = h[j] + curve * old
        size = (wish if positive else abs(wish)) - l1
        new = 0.0
        if size > 0.0:
            new = (size if wish > 0 else -size) / (curve + l2)
        change = new - old
        if change != 0.0:
            w[j] = new
            h -= change * G[j]
            largest = max(largest, abs(change) * curve**0.5)
    return largest


def finish(G, q, w, penalty):
    """w exact on its support and signs -> w, whether that worked.

    A coefficient that would change its sign stops at zero, and the rest is solved again: each such step
    goes downhill.
    """
    live = np.flatnonzero(w)
    if len(live) > LARGEST:
        return w, False
    w = w.copy()
    for _ in range(DROPS):
        if not len(live):
            return w, True
        exact = _on_support(G, q, live, np.sign(w[live]), penalty)
        if exact is None and len(live) > CHEAP:
            return w, False
        if exact is None:
            live = _thin_out(G, w, live, penalty)
            continue
        now = w[live]
        crosses = exact * now <= 0
        if not crosses.any():
            w[live] = exact
            return w, True
        reach = now[crosses] / (now[crosses] - exact[crosses])
        w[live] = now + reach.min() * (exact - now)
        w[live[crosses][reach <= reach.min()]] = 0.0
        live = np.flatnonzero(w)
    return w, False


def _thin_out(G, w, live, penalty):
    """Drop one of dependent columns: along their null vector only the penalty changes, so go where it falls.

    Changes w in place -> the columns still live.
    """
    scale = 1 / np.sqrt(np.maximum(G[live, live], np.finfo(float).tiny))
    system = G[np.ix_(live, live)] * scale * scale[:, None]
    step = np.linalg.eigh(system)[1][:, 0] * scale
    signs = np.sign(w[live])
    if (penalty.l1 * signs + penalty.l2 * w[live]) @ step > 0 or not (signs * step < 0).any():
        step = -step
    shrinks = signs * step < 0
    reach = np.full(len(live), np.inf)
    reach[shrinks] = -w[live][shrinks] / step[shrinks]
    first = int(np.argmin(reach))
    w[live] += reach[first] * step
    w[live[first]] = 0.0
    return live[w[live] != 0]


def _on_support(G, q, live, signs, penalty):
    """Coefficients (live,) that solve the linear system of these signs, None where it is ill-posed."""
    system = G[np.ix_(live, live)]
    system[np.diag_indices(len(live))] += penalty.l2
    scale = 1 / np.sqrt(system.diagonal())
    system *= scale
    system *= scale[:, None]
    # symmetric, so that its transpose is what LAPACK calls in order: factored in place, without a copy
    L, failed = lapack.dpotrf(system.T, lower=1, overwrite_a=1, clean=0)
    if failed or L.diagonal().min() < 1e-5:
        return None
    right = (q[live] - penalty.l1 * signs) * scale
    return lapack.dpotrs(L, right[:, None], lower=1)[0][:, 0] * scale


def slopes(G, q, w):
    """h = q - G w (d,), from the few rows of G that count where most of w is zero."""
    live = np.flatnonzero(w)
    return q - (w[live] @ G[live] if 4 * len(live) < len(w) else G @ w)


def solve(G, q, yy, w, penalty, tol, most, h=None):  # noqa: PLR0913
    """From w, and its slopes h (d,) where they are known -> w (d,), h (d,), gap, sweeps.

    Ends at the exact minimum, or where gap <= tol * yy if that fails.
    """
    if len(q) < COMPILED:
        one_pass = sweep
    else:
        from ml_core.kernels.descent_jit import sweep as one_pass
    w = w.copy()
    h = slopes(G, q, w) if h is None else h.copy()
    floor = 1e-11 * np.abs(q).max(initial=0.0)
    sweeps, signs = 0, None
    while True:
        live = np.flatnonzero((w != 0) | (penalty.excess(h) > 0))
        for _ in range(min(SWEEPS, max(most - sweeps, 1))):
            sweeps += 1
            one_pass(G, h, w, live, penalty.l1, penalty.l2, penalty.positive)
        exact = False
        if signs is None or len(live) < CHEAP or np.array_equal(signs, np.sign(w)):
            w, exact = finish(G, q, w, penalty)
        signs = np.sign(w)
        h = slopes(G, q, w)
        missing = penalty.excess(h)[w == 0].max(initial=-np.inf)
        if (exact and missing <= floor) or sweeps >= most:
            break
        if not exact and gap(yy, q, h, w, penalty) <= tol * 1e-3 * yy:
            break
    return w, h, max(gap(yy, q, h, w, penalty), 0.0), sweeps


def top(q, l1_ratio, positive):
    """The least l1 + l2 at which all coefficients are zero."""
    return (q if positive else np.abs(q)).max(initial=0.0) / l1_ratio
