"""Sequential minimal optimization on a few rows at once, compiled.

Letters: n points, q rows of the working set, b (n,) signed dual coefficients in [lo, hi], F (n,) = -p - K
b, where p is the linear term; side (n,) 0 or 1: only coefficients of one side may move against each other
(nu-SVM has two sides, C-SVM one). At the optimum F <= offset where b could rise and F >= offset where it
could fall, for each side.
"""

import numpy as np

from ml_core.kernels.jit import jit

TAU = 1e-12  # libsvm's floor for the curvature of a pair, met with kernels that are not positive definite


@jit()
def _riser(F, b, hi, side, s):
    """Of side s, the point that may rise with the largest F, and that F; -1 where none may."""
    best, i = -np.inf, -1
    for t in range(len(F)):
        value = F[t] if (b[t] < hi[t]) & (side[t] == s) else -np.inf
        if value > best:
            best, i = value, t
    return i, best


@jit()
def _partner(row, diagonal, F, b, lo, side, i, s):  # noqa: PLR0913
    """Of side s, the point that may fall of greatest gain with i; that gain; and the largest violation."""
    best, most, j, worst = F[i], 0.0, -1, np.inf
    for t in range(len(F)):
        value = F[t] if (b[t] > lo[t]) & (side[t] == s) else np.inf
        gap = best - value
        worst = min(worst, value)
        curve = max(diagonal[i] + diagonal[t] - 2.0 * row[t], TAU)
        gain = gap * gap / curve if (gap > 0) & (value < np.inf) else 0.0
        if gain > most:
            most, j = gain, t
    return j, most, best - worst


@jit()
def solve(K, diagonal, F, b, lo, hi, side, tol, most):  # noqa: PLR0913
    """Move pairs of b until no pair of a side violates by more than tol; K (q, q) -> number of steps.

    F and b change in place. The second of a pair is the one of greatest gain (Fan, Chen and Lin 2005).
    """
    q = len(F)
    sides = side.max() + 1
    for step in range(most):
        first, second, top, gain = -1, -1, 0.0, 0.0
        for s in range(sides):
            i, best = _riser(F, b, hi, side, s)
            if i < 0:
                continue
            j, won, gap = _partner(K[i], diagonal, F, b, lo, side, i, s)
            if gap > tol and won > gain:
                gain, first, second, top = won, i, j, best
        if second < 0:
            return step
        i, j = first, second
        curve = max(diagonal[i] + diagonal[j] - 2.0 * K[i, j], TAU)
        room_up, room_down, wish = hi[i] - b[i], b[j] - lo[j], (top - F[j]) / curve
        move = min(wish, room_up, room_down)
        b[i] = hi[i] if move == room_up else b[i] + move
        b[j] = lo[j] if move == room_down else b[j] - move
        up, down = K[i], K[j]
        for t in range(q):
            F[t] -= move * (up[t] - down[t])
    return most


@jit()
def subtract(F, table, slots, change, start, stop):
    """F[start:stop] -= sum of change[w] * table[slots[w], start:stop], in float64.

    Four rows a turn: F is read and written a quarter as often, and four streams hide the memory's delay.
    """
    whole = len(slots) // 4 * 4
    for w in range(0, whole, 4):
        k0, k1, k2, k3 = table[slots[w]], table[slots[w + 1]], table[slots[w + 2]], table[slots[w + 3]]
        c0, c1, c2, c3 = change[w], change[w + 1], change[w + 2], change[w + 3]
        for t in range(start, stop):
            F[t] -= (c0 * k0[t] + c1 * k1[t]) + (c2 * k2[t] + c3 * k3[t])
    for w in range(whole, len(slots)):
        row, c = table[slots[w]], change[w]
        for t in range(start, stop):
            F[t] -= c * row[t]


@jit()
def gather(table, slots, columns):
    """table[slots][:, columns], without a copy of whole rows."""
    out = np.empty((len(slots), len(columns)), table.dtype)
    for w in range(len(slots)):
        row = table[slots[w]]
        for t in range(len(columns)):
            out[w, t] = row[columns[t]]
    return out
