"""Hinge and insensitive losses to the end: the dual in a box by an interior point, for few columns.

Letters: n rows, k columns, u (m, n) dual variables in [0, c], sign (m, n), w (k,) = X' sum of sign u over m,
p (m, n): min 1/2 w'w - sum p u. Hinge: m = 1, sign = s, p = 1. Insensitive: m = 2, sign = +1 and -1, p =
sign y - width. Each iteration costs one weighted Gram matrix (Ferris and Munson 2002); some twenty do,
whatever the data.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve


def solve(design, sign, p, c, tol, most):
    """-> w (k,), iterations, converged: duality gap <= tol times the primal objective.

    ``design`` as in margin.py.
    """
    rows = np.arange(sign.shape[1])
    u = np.broadcast_to(c / 2, sign.shape).copy()
    w = design.back((sign * u).sum(axis=0))
    slope = sign * design.times(w) - p
    size = np.abs(slope).mean() + 1e-3
    low, high = np.maximum(slope, 0) + size, np.maximum(-slope, 0) + size  # prices of u >= 0 and u <= c
    for iteration in range(1, most + 1):
        slope = sign * design.times(w) - p
        primal = w @ w / 2 + (c * np.maximum(-slope, 0)).sum()
        gap = primal - ((p * u).sum() - w @ w / 2)
        if gap <= tol * max(primal, 1e-300):
            return w, iteration, True
        room = c - u
        D = low / u + high / room
        G, _ = design.gram((1 / D).sum(axis=0), np.zeros(len(rows)), rows)
        G[np.diag_indices(len(G))] += 1
        try:
            factor = cho_factor(G, check_finite=False)
        except np.linalg.LinAlgError:
            break
        state = (u, room, low, high, slope - low + high)
        mean = ((u * low).sum() + (room * high).sum()) / (2 * u.size)
        steps = _steps(design, factor, sign, D, state, (0.0, 0.0, 0.0))
        reach = _reach(state, steps)
        after = _mean(state, steps, reach)
        target = mean * (after / mean) ** 3
        steps = _steps(design, factor, sign, D, state, (target, steps[0] * steps[1], -steps[0] * steps[2]))
        reach = 0.995 * _reach(state, steps)
        u, low, high = u + reach * steps[0], low + reach * steps[1], high + reach * steps[2]
        w = w + reach * steps[3]
    return w, most, False


def _steps(design, factor, sign, D, state, aim):
    """Newton's changes of u, low, high, w towards u low = room high = target, less the cross terms."""
    u, room, low, high, off = state
    target, cross_low, cross_high = aim
    pull_low, pull_high = (target - cross_low) / u - low, (target - cross_high) / room - high
    right = -off + pull_low - pull_high
    dw = cho_solve(factor, design.back((sign * right / D).sum(axis=0)), check_finite=False)
    du = (right - sign * design.times(dw)) / D
    return du, pull_low - low / u * du, pull_high + high / room * du, dw


def _reach(state, steps):
    """Longest step (<= 1) that keeps u, room and both prices from falling below zero."""
    u, room, low, high, _ = state
    du, dlow, dhigh, _ = steps
    worst = 1.0
    for value, change in ((u, du), (room, -du), (low, dlow), (high, dhigh)):
        falls = change < 0
        if falls.any():
            worst = min(worst, (-value[falls] / change[falls]).min())
    return worst


def _mean(state, steps, reach):
    """Mean complementarity after the steps."""
    u, room, low, high, _ = state
    du, dlow, dhigh, _ = steps
    left = (u + reach * du) * (low + reach * dlow) + (room - reach * du) * (high + reach * dhigh)
    return left.sum() / (2 * u.size)
