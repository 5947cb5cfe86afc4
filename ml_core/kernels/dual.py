"""The dual of a kernel machine: a quadratic program with a box and one sum (or two) held.

Letters: n points, b (n,) signed dual coefficients, lo <= b <= hi, p (n,) linear term, F (n,) = -p - K b,
side (n,) 0 or 1 (see smo.py). ``rows`` is similarity.Rows or similarity.Given. min 1/2 b'Kb + p'b.

Small problems are solved ``plainly``, which needs no compiler, and past some patience ``wholly``, the same
compiled; large ones ``blockwise``: a few hundred of the worst violators at a time are solved in cache
(smo.py), then one pass over their rows brings F up to date (Joachims 1998; Wen et al. 2018, "ThunderSVM").
"""

from dataclasses import dataclass, field

import numpy as np

from ml_core.kernels.similarity import each
from ml_core.kernels.workers import slices

SMALL = 1500  # points up to which the plain way is tried first
PATIENCE = 6000  # its steps, some 0.15 s, before the compiled way takes over where it stands
WORKING = 512  # rows of a working set: 1 MB of float32
RUNS = 8  # stretches of neighbouring points up to which each is multiplied where it lies
TAU = 1e-12


@dataclass
class Problem:
    """One program and how far its solution has come."""

    rows: object
    b: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    side: np.ndarray
    F: np.ndarray
    steps: int = 0
    converged: bool = field(default=False)

    def violation(self):
        """Largest F where b may rise less smallest F where it may fall, the worse side of two."""
        worst = -np.inf
        for s in range(int(self.side.max()) + 1):
            up = self.F[(self.b < self.hi) & (self.side == s)]
            down = self.F[(self.b > self.lo) & (self.side == s)]
            if len(up) and len(down):
                worst = max(worst, up.max() - down.min())
        return worst

    def offset(self, s):
        """F of the free coefficients of side s, averaged; without any, the middle of what the bound allow."""
        of = self.side == s
        free = of & (self.b > self.lo) & (self.b < self.hi)
        if free.any():
            return self.F[free].mean()
        up, down = of & (self.b < self.hi), of & (self.b > self.lo)
        least = self.F[up].max() if up.any() else None
        most = self.F[down].min() if down.any() else None
        if least is None or most is None:
            return 0.0 if least is most else (most if least is None else least)
        return (least + most) / 2


def start(rows, b, lo, hi, p, side, compiled=None):  # noqa: PLR0913
    """A Problem at b, F computed from the rows that b needs; ``compiled`` as in ``solve``."""
    problem = Problem(rows, b.copy(), lo, hi, side, -np.asarray(p, dtype=np.float64))
    moved = np.flatnonzero(b)
    ends = np.flatnonzero(np.diff(moved) != 1) + 1
    runs = np.split(moved, ends) if len(ends) < RUNS else [moved]
    plain = len(b) <= SMALL and not compiled
    if plain and len(ends) >= RUNS:
        runs = [np.arange(len(b))]  # some rows times zero cost less than a copy of the others
    for run in runs:
        for part in slices(len(run), max(1, min(len(rows.table), 4 * WORKING))):
            _bring_up_to_date(problem, rows.need(run[part]), b[run[part]], plain)
    return problem


def _bring_up_to_date(problem, slots, change, plain=False):
    """F after the coefficients whose rows lie in ``slots`` changed by ``change``."""
    table = problem.rows.table
    if plain:
        first, stop = slots[0], slots[-1] + 1
        if stop - first == len(slots) and (np.diff(slots) == 1).all():
            slots = slice(first, stop)  # a view: no copy of what may be half of the matrix
        problem.F -= change @ table[slots].astype(np.float64, copy=False)
        return
    from ml_core.kernels import smo

    def work(cut):
        smo.subtract(problem.F, table, slots, change, cut.start, cut.stop)

    each(work, slices(len(problem.b), 4096))


def plainly(problem, tol, most):
    """Pairs one at a time in NumPy; stops after ``most`` steps."""
    K = problem.rows.whole()
    b, lo, hi, F, side = problem.b, problem.lo, problem.hi, problem.F, problem.side
    diagonal = problem.rows.diagonal
    sides = [np.where(side == s, 0.0, np.inf) for s in range(int(side.max()) + 1)]
    # blocked[k] is inf where a coefficient may not move, so that masks are one addition
    rise = [np.where(b < hi, 0.0, np.inf) + apart for apart in sides]
    fall = [np.where(b > lo, 0.0, np.inf) + apart for apart in sides]
    for step in range(most):
        i, j, gap = _pair(K, diagonal, F, rise, fall, tol)
        if j < 0:
            problem.converged = True
            problem.steps += step
            return
        curve = max(diagonal[i] + diagonal[j] - 2 * K[i, j], TAU)
        move = min(gap / curve, hi[i] - b[i], b[j] - lo[j])
        b[i] = hi[i] if move == hi[i] - b[i] else b[i] + move
        b[j] = lo[j] if move == b[j] - lo[j] else b[j] - move
        F -= move * (K[i] - K[j])
        s = int(side[i])
        for t in (i, j):
            rise[s][t] = 0.0 if b[t] < hi[t] else np.inf
            fall[s][t] = 0.0 if b[t] > lo[t] else np.inf
    problem.steps += most


def _pair(K, diagonal, F, rise, fall, tol):
    """Most violating i, its partner j of greatest gain (-1 at the optimum), by how much they violate."""
    best = (-1, -1, 0.0)
    most_gain = 0.0
    for up, down in zip(rise, fall, strict=True):
        i = int(np.argmax(F - up))
        if up[i] == np.inf:
            continue
        gap = np.maximum(F[i] - (F + down), 0.0)
        if not gap.max() > tol:
            continue
        gain = gap * gap / np.maximum(diagonal[i] + diagonal - 2 * K[i], TAU)
        j = int(np.argmax(gain))
        if gain[j] > most_gain:
            most_gain, best = gain[j], (i, j, gap[j])
    return best


def worst(problem, count):
    """Points (<= count) that may rise of the largest F, and fall of the smallest, a share a side."""
    n_sides = int(problem.side.max()) + 1
    share = max(1, count // (2 * n_sides))
    chosen = []
    for s in range(n_sides):
        of = problem.side == s
        for may, value in (
            (of & (problem.b < problem.hi), -problem.F),
            (of & (problem.b > problem.lo), problem.F),
        ):
            where = np.flatnonzero(may)
            if len(where) > share:
                where = where[np.argpartition(value[where], share - 1)[:share]]
            chosen.append(where)
    return np.unique(np.concatenate(chosen))


def blockwise(problem, tol, most):
    """Working sets until no pair violates by more than tol, or ``most`` steps in all."""
    from ml_core.kernels import smo

    rows, b = problem.rows, problem.b
    size = min(WORKING, len(rows.table))
    old = np.empty(0, np.int64)
    gap = problem.violation()
    while gap > tol and problem.steps < most:
        chosen = worst(problem, size if not len(old) else size // 2)
        old = np.concatenate([chosen, old[~np.isin(old, chosen)][: size - len(chosen)]])  # the newest first
        chosen = np.sort(old)  # sides that lie apart stay so
        slots = rows.need(chosen)
        K = smo.gather(rows.table, slots, chosen)
        F, part = problem.F[chosen], b[chosen]
        taken = smo.solve(
            K, rows.diagonal[chosen], F, part, problem.lo[chosen], problem.hi[chosen], problem.side[chosen],
            max(0.1 * gap, 0.5 * tol), min(most - problem.steps, 100 * size),
        )  # fmt: skip
        problem.steps += max(int(taken), 1)
        change = part - b[chosen]
        moved = np.flatnonzero(change)
        b[chosen] = part
        _bring_up_to_date(problem, slots[moved], change[moved])
        gap = problem.violation()
    problem.converged = gap <= tol


def wholly(problem, tol, most):
    """All points as one working set, compiled: step for step, and bit for bit, what ``plainly`` does."""
    from ml_core.kernels import smo

    K = problem.rows.cells()
    taken = smo.solve(
        K, problem.rows.diagonal, problem.F, problem.b, problem.lo, problem.hi, problem.side, tol, most
    )
    problem.steps += int(taken)
    problem.converged = taken < most


def solve(problem, tol, most, compiled=None):
    """Bring a Problem to its optimum; ``compiled`` forces the way, None lets the size decide."""
    n = len(problem.b)
    if n > SMALL:
        blockwise(problem, tol, most)
        return problem
    if not compiled:
        plainly(problem, tol, most if compiled is False else min(most, PATIENCE))
    if not problem.converged and problem.steps < most:
        wholly(problem, tol, most - problem.steps)
    return problem
