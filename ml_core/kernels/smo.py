"""Sequential minimal optimization on a few rows at once, compiled.

Letters: n points, b (n,) signed dual coefficients in [lo, hi], F (n,) = -p - K b, where p is the linear
term; side (n,) 0 or 1: only coefficients of one side may move against each other (nu-SVM has two sides,
C-SVM one). At the optimum F <= offset where b could rise and F >= offset where it could fall, for each side.
``rise`` and ``fall`` (sides, n) are 0 where a coefficient of that side may move so, else minus and plus
infinity: a mask is one addition, and every loop over the points runs in vectors.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ml_core.kernels.jit import jit

TAU = 1e-12  # libsvm's floor for the curvature of a pair, met with kernels that are not positive definite
STRETCH = 64  # points searched at once


def _extreme(name):
    """LLVM's larger or smaller of two numbers, none nan; unlike Python's, a loop of it runs in vectors."""

    @intrinsic
    def pick(context, a, b):
        def generate(context, builder, signature, args):
            number = args[0].type
            kind = ir.FunctionType(number, [number, number])
            function = builder.module.declare_intrinsic(name, [number], kind)
            return builder.call(function, args, fastmath=("nnan", "nsz"))

        return types.float64(types.float64, types.float64), generate

    return pick


_larger, _smaller = _extreme("llvm.maxnum"), _extreme("llvm.minnum")


@jit()
def _largest(F, rise):
    """The largest F of those that may rise; minus infinity where none may."""
    top = -np.inf
    for t in range(len(F)):
        top = _larger(top, F[t] + rise[t])
    return top


@jit()
def _any(F, rise, value):
    """Whether F + rise is ``value`` anywhere; without a branch, in vectors."""
    met = False
    for t in range(len(F)):
        met |= F[t] + rise[t] == value
    return met


@jit()
def _place(F, rise, value):
    """The first point where F + rise is ``value``; -1 without one."""
    start = 0
    while start < len(F) and not _any(F[start : start + STRETCH], rise[start : start + STRETCH], value):
        start += STRETCH
    for t in range(start, len(F)):
        if F[t] + rise[t] == value:
            return t
    return -1


@jit()
def _gains(curves, F, fall, top, gain):
    """Fill what a pair with each point would gain (n,) -> the most, and the smallest F that may fall.

    ``top`` is F of the point that rises, ``curves`` is (row of K, diagonal, the point's own diagonal).
    """
    row, diagonal, own = curves
    most, low = 0.0, np.inf
    for t in range(len(F)):
        value = F[t] + fall[t]
        low = _smaller(low, value)
        gap = _larger(top - value, 0.0)
        gain[t] = gap * gap / _larger(own + diagonal[t] - 2.0 * row[t], TAU)
        most = _larger(most, gain[t])
    return most, low


@jit()
def _ends(side, sides):
    """Where the points of each side start and stop (sides, 2): all points where the sides are mixed."""
    ends = np.zeros((sides, 2), np.int64)
    ends[:, 1] = len(side)
    split = np.sum(side == side[0])
    if sides == 2 and np.all(side[:split] == side[0]):
        ends[side[0], 1] = ends[1 - side[0], 0] = split
    return ends


@jit()
def solve(K, diagonal, F, b, lo, hi, side, tol, most):  # noqa: PLR0913
    """Move pairs of b until no pair of a side violates by more than tol; K (n, n) -> number of steps.

    F and b change in place. The second of a pair is the one of greatest gain (Fan, Chen and Lin 2005).
    """
    n, sides = len(F), side.max() + 1
    rise, fall = np.full((sides, n), -np.inf), np.full((sides, n), np.inf)
    for t in range(n):
        rise[side[t], t] = 0.0 if b[t] < hi[t] else -np.inf
        fall[side[t], t] = 0.0 if b[t] > lo[t] else np.inf
    gain, nothing = np.empty(n), np.zeros(n)
    ends = _ends(side, sides)
    for step in range(most):
        i, j, best = -1, -1, 0.0
        for s in range(sides):
            start, stop = ends[s]
            own = F[start:stop]
            top = _largest(own, rise[s, start:stop])
            first = _place(own, rise[s, start:stop], top) + start
            if top == -np.inf or first < start:
                continue
            curves = K[first, start:stop], diagonal[start:stop], diagonal[first]
            won, low = _gains(curves, own, fall[s, start:stop], top, gain)
            if top - low > tol and won > best:
                best, i, j = won, first, _place(gain[: stop - start], nothing, won) + start
        if j < 0:
            return step
        curve = max(diagonal[i] + diagonal[j] - 2.0 * K[i, j], TAU)
        room_up, room_down, wish = hi[i] - b[i], b[j] - lo[j], (F[i] - F[j]) / curve
        move = min(wish, room_up, room_down)
        b[i] = hi[i] if move == room_up else b[i] + move
        b[j] = lo[j] if move == room_down else b[j] - move
        for t in (i, j):
            rise[side[t], t] = 0.0 if b[t] < hi[t] else -np.inf
            fall[side[t], t] = 0.0 if b[t] > lo[t] else np.inf
        up, down = K[i], K[j]
        for t in range(n):
            F[t] -= move * (np.float64(up[t]) - np.float64(down[t]))
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
