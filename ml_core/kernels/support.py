"""Support vector classification of two classes: how C-SVC and nu-SVC become the program of dual.py.

Letters: n points, s (n,) +1 or -1, C (n,) upper bounds, b (n,) signed dual coefficients of
f(x) = sum of b K(., x) + offset, a (n,) their sizes.

A machine may go on from a ``path`` of others on the same points, of lesser C or nu: b bends only where a
point reaches a bound (Hastie et al. 2004, "The entire regularization path for the support vector machine").
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import dual

SAMPLE = 8  # a nu-SVM starts from the solution for every eighth point
WORTH = 4000  # points from which that pays


@dataclass
class Machine:
    """Coefficients b (n,), the offset, how many steps they took, whether they converged."""

    b: np.ndarray
    offset: float
    steps: int
    converged: bool
    problem: dual.Problem  # its b is on the scale of its bounds
    nu: float | None = None


def c_machine(rows, s, C, tol, most, compiled=None, path=()):  # noqa: PLR0913
    """C-SVC."""
    zero = np.zeros(len(s))
    lo, hi = np.where(s > 0, zero, -C), np.where(s > 0, C, zero)
    before = _last(path, rows)
    if before is None:
        problem = dual.start(rows, zero, lo, hi, -s, np.zeros(len(s), np.int8))
    else:
        problem = _scaled(before.problem, (lo, hi), s, C)
    dual.solve(problem, tol, most, compiled)
    return Machine(problem.b, problem.offset(0), problem.steps, problem.converged, problem)


def _last(path, rows):
    """The machine to go on from, if any."""
    return path[-1] if len(path) and path[-1].converged and path[-1].problem.rows is rows else None


def _scaled(before, bounds, s, C):
    """A program with the coefficients of another times what makes its objective least within the bounds."""
    a = np.abs(before.b)
    some = a > 0
    curve = before.b @ (s - before.F)  # F = s - K b
    most = (C[some] / a[some]).min(initial=np.inf)
    share = min(most, a.sum() / curve) if curve > 0 else most
    if not np.isfinite(share):
        share = 0.0
    b, F = share * before.b, s - share * (s - before.F)
    full = np.abs(b) >= C * (1 - 1e-12)  # rounding must not free a coefficient
    b[full] = s[full] * C[full]
    return dual.Problem(before.rows, b, *bounds, before.side, F)


def fill(order, C, total):
    """Give the points their bound C in this order until ``total`` is spent -> (n,)."""
    b = np.zeros(len(C))
    before = np.cumsum(C[order]) - C[order]
    b[order] = np.clip(total - before, 0, C[order])
    return b


def infeasible(s, C, nu):
    """The largest nu these classes allow where nu is above it, else None."""
    bound = 2 * min(C[s > 0].sum(), C[s < 0].sum()) / C.sum()
    return bound if nu > bound * (1 + 1e-12) else None


def nu_machine(rows, s, C, nu, tol, most, compiled=None, path=()):  # noqa: PLR0913
    """nu-SVC, scaled to a margin of one as libsvm does; tol is on the scale before that."""
    a = _extended(path, rows, C, nu)
    problem = (
        _nu_start(rows, s, C, nu, tol, compiled) if a is None else _nu_problem(rows, s * a, s, C, compiled)
    )
    dual.solve(problem, tol, most, compiled)
    low, high = problem.offset(1), problem.offset(0)  # side 1 is the class of +1: F = offset - r there
    r = (high - low) / 2
    scale = 1 / r if r > 0 else np.inf
    with np.errstate(invalid="ignore"):
        b, offset = problem.b * scale, (high + low) / 2 * scale
    return Machine(b, offset, problem.steps, problem.converged, problem, nu)


def _extended(path, rows, C, nu):
    """Sizes a (n,) on the line through the last two machines, made feasible; None where that cannot be."""
    last = _last(path, rows)
    if last is None or not nu >= last.nu:
        return None
    a = np.abs(last.problem.b)
    if len(path) > 1 and path[-2].problem.rows is rows and last.nu > path[-2].nu:
        share = min(1.0, (nu - last.nu) / (last.nu - path[-2].nu))
        a += share * (a - np.abs(path[-2].problem.b))
    a = np.clip(a, 0, C)
    for side in (0, 1):
        of = np.flatnonzero(last.problem.side == side)
        need = nu * C.sum() / 2 - a[of].sum()
        free = of[(a[of] > 0) & (a[of] < C[of])]
        room = C[free] - a[free] if need > 0 else a[free]
        if need < -room.sum():
            return None
        if need > room.sum():  # then the points of least margin that carry nothing
            a[free] = C[free]
            out = of[a[of] == 0]
            order = np.argsort(-last.problem.F[out] if side else last.problem.F[out], kind="stable")
            a[out] = fill(order, C[out], need - room.sum())
        elif need != 0:
            a[free] += need / room.sum() * room
    return np.clip(a, 0, C)


def _nu_start(rows, s, C, nu, tol, compiled):
    """The margin's worst points carry a nu-SVM: guess them by a machine on a sample, else take the first."""
    side = (s > 0).astype(np.int8)
    scores = np.zeros(len(s))
    if len(s) >= WORTH:
        few = np.sort(np.concatenate([np.flatnonzero(side == k)[::SAMPLE] for k in (0, 1)]))
        if infeasible(s[few], C[few], nu) is None:
            part = nu_machine(rows.part(few), s[few], C[few], nu, 10 * tol, 20 * len(s), compiled)
            begun = np.zeros(len(s))
            begun[few] = part.b
            scores = -s * dual.start(rows, begun, None, None, np.zeros(len(s)), side).F
    b = np.zeros(len(s))
    for k, sign in ((0, -1.0), (1, 1.0)):
        of = np.flatnonzero(side == k)
        order = np.argsort(scores[of], kind="stable")
        b[of] = sign * fill(order, C[of], nu * C.sum() / 2)
    return _nu_problem(rows, b, s, C, compiled)


def _nu_problem(rows, b, s, C, compiled):
    zero = np.zeros(len(s))
    bounds = np.where(s > 0, zero, -C), np.where(s > 0, C, zero)
    return dual.start(rows, b, *bounds, zero, (s > 0).astype(np.int8), compiled)
