"""Support vector classification of two classes: how C-SVC and nu-SVC become the program of dual.py.

Letters: n points, s (n,) +1 or -1, C (n,) upper bounds, b (n,) signed dual coefficients of
f(x) = sum of b K(., x) + offset.
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


def c_machine(rows, s, C, tol, most, compiled=None, begin=None):  # noqa: PLR0913
    """C-SVC; ``begin`` (n,) is a feasible b to start from."""
    zero = np.zeros(len(s))
    b = zero if begin is None else begin
    problem = dual.start(
        rows, b, np.where(s > 0, zero, -C), np.where(s > 0, C, zero), -s, np.zeros(len(s), np.int8)
    )
    dual.solve(problem, tol, most, compiled)
    return Machine(problem.b, problem.offset(0), problem.steps, problem.converged)


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


def nu_machine(rows, s, C, nu, tol, most, compiled=None):  # noqa: PLR0913
    """nu-SVC, scaled to a margin of one as libsvm does; tol is on the scale before that."""
    problem = _nu_start(rows, s, C, nu, tol, compiled)
    dual.solve(problem, tol, most, compiled)
    low, high = problem.offset(1), problem.offset(0)  # side 1 is the class of +1: F = offset - r there
    r = (high - low) / 2
    scale = 1 / r if r > 0 else np.inf
    with np.errstate(invalid="ignore"):
        return Machine(problem.b * scale, (high + low) / 2 * scale, problem.steps, problem.converged)


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
    zero = np.zeros(len(s))
    return dual.start(rows, b, np.where(s > 0, zero, -C), np.where(s > 0, C, zero), zero, side)
