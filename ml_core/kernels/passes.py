"""Passes of Lloyd's algorithm one after another, compiled: on few rows, the way back to Python costs as much.

Letters: n rows, d columns, k centers. For rows of one slab, whose sums need no order.
"""

from ml_core.kernels.jit import jit
from ml_core.kernels.sweep import Centers, prepare, sweep

SCORE, MEASURE = 0.025, 0.4  # nanoseconds a number, to score all centers and to measure one


@jit()
def walk(rows, arrays, state, moving, limits):
    """Passes until one ends the run or needs help (an empty center), ``most`` at most -> how many.

    moving = (now, before (k, d), flags (2,): tighten, doubled) and totals (sums (k, d), mass (k,), counts
    (3,)) change in place; limits = (most, tol, scale). What the last pass has summed up moves no center yet.
    """
    now, before, flags, totals = moving
    most, tol, scale = limits
    for step in range(1, most + 1):
        flags[0] = pays(totals[2], now.shape, flags[0])
        totals[2][:] = 0
        if flags[1]:
            state.lower[:] = 0
        centers = Centers(
            arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], now, scale, bool(flags[0])
        )
        longest, flags[1] = prepare(centers, before, rows.centre)
        before[:] = now
        sweep(rows, centers, state, (0, len(rows.lanes), longest), totals)
        if step == most or totals[2][0] == 0 or not moved(now, totals, rows.centre, tol):
            return step
    return 0


@jit()
def pays(counts, shape, before):
    """Whether to measure the own center before all others are scored, by what that spared a pass ago."""
    measured, spared = counts[1], counts[2]
    if measured == 0:
        return before
    k, d = shape
    return spared * (30 + SCORE * k * d) > measured * MEASURE * d


@jit()
def moved(now, totals, centre, tol):
    """Move all centers to their means, unless one has no rows or all together move by no more than tol."""
    sums, mass, _ = totals
    k, d = now.shape
    total = 0.0
    for j in range(k):
        if not mass[j] > 0:
            return False
        for c in range(d):
            step = sums[j, c] / mass[j] + centre[c] - now[j, c]
            total += step * step
    if not total > tol:
        return False
    for j in range(k):
        for c in range(d):
            now[j, c] = sums[j, c] / mass[j] + centre[c]
    return True
