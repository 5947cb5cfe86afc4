"""Which rows of a pass of k-means must be looked at: those whose bounds no longer tell their center apart.

Letters: n rows, d columns, k centers; rows are named by their number in the data.
Arrays come one by one and whole: each that is wrapped or cut inside a loop costs two locked instructions.
"""

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.tiles import LANES, ROUND

GROW, SHRINK = np.float32(1.000001), np.float32(0.999999)  # more than float32 loses by rounding


@jit()
def widen(state, centers, start, stop, todo):
    """Move the bounds of rows start..stop by what the centers moved; write to ``todo`` the rows whose upper
    bound passes the lower and half the way to the next center -> how many."""
    label, upper, lower = state.label[start:stop], state.upper[start:stop], state.lower[start:stop]
    shift, drop, apart = centers.shift, centers.drop, centers.apart
    left = 0
    for j in range(len(label)):
        own = np.uint32(label[j])
        far, near = (upper[j] + shift[own]) * GROW, (lower[j] - drop[own] * GROW) * SHRINK
        upper[j], lower[j] = far, near
        todo[left] = start + j
        left += not far < max(near, apart[own])
    return left


@jit()
def measure(rows, centers, state, todo, counts, longest):
    """Measure the own center of the rows in ``todo``; keep at its front those that stay in doubt -> how many.

    Where that does not pay, some blocks only go on telling whether it would: counts[1] of rows measured,
    counts[2] of those it spared.
    """
    flat, lanes, apart = rows.flat, centers.lanes, centers.apart
    label, upper, lower = state.label, state.upper, state.lower
    wide = np.float32(1.000001 + flat.shape[1] * ROUND)
    # what rounding to float32 moved the row (its length is at most this distance more than the center's)
    blur = np.float32(3 * ROUND * longest + 1e-18)
    left, measured = 0, 0
    for t in range(len(todo)):
        i = todo[t]
        todo[left] = i
        if not (centers.tighten or i // LANES % 16 == 0):
            left += 1
            continue
        own = np.uint32(label[i])
        far = np.sqrt(between(flat, i, lanes, own)) * wide + blur
        far = min(upper[i], far)
        upper[i] = far
        measured += 1
        left += not far < max(lower[i], apart[own])
    counts[1] += measured
    counts[2] += len(todo) - left
    return left


@jit(fastmath={"contract", "reassoc"})
def between(flat, i, lanes, j):
    """Squared distance of flat[i] (d,) and lanes[j], which is negated, in any order of summation."""
    total = np.float32(0)
    for c in range(flat.shape[1]):
        step = flat[i, c] + lanes[j, c]
        total += step * step
    return total
