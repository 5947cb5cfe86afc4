"""Loss, slope and Hessian of many two-class logistic regressions, as columns of one product.

Letters: n rows, d columns, k problems, f folds; ``rows`` is a ``newton.Rows``; m rows in a block, signed:
each times its label's sign, with a last column for the intercept. Rows that a fold leaves out cost it
nothing, and problems of several folds that stand at the same line cost one.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import threads
from ml_core.kernels.gram import dense


@dataclass(frozen=True)
class Plan:
    """Which columns a fold's problems are, and what its weights are like in each block.

    ``groups`` holds (fold, place of its problems in ``order``, place of their lines); ``least`` and ``most``
    (blocks, groups) bound the weights. Problems in ``order`` have the folds in a row. ``known`` keeps what
    ``_needed`` found.
    """

    lines: np.ndarray
    order: np.ndarray
    groups: list
    shared: bool
    least: np.ndarray
    most: np.ndarray
    known: dict


def signed(X, sign, cut, out):
    """Fill out (m, d + 1) with rows of X times their sign, and the sign."""
    np.multiply(dense(X, cut), sign[cut, None], out=out[:, :-1], casting="same_kind")
    out[:, -1] = sign[cut]


def evaluate_columns(rows, W, b, wanted, kind):
    """What ``logloss.evaluate`` gives; ``kind`` is the precision of the products."""
    k, d = W.shape
    # a block's products and what is made of them stay in the second-level cache
    width = max(d, 3 * k * np.dtype(kind).itemsize // 8)
    slabs = threads.slabs(len(rows.sign), width, least=256)
    cuts = [cut for slab in slabs for cut in slab]
    plan = _plan(rows, -np.column_stack([W, b - W @ rows.centre]).astype(kind), cuts)
    place = {cut.start: i for i, cut in enumerate(cuts)}
    known = rows.signed if kind is np.float32 else None
    rooms = []  # of the threads, used again and again: fresh memory costs as much as a pass
    most = max(cut.stop - cut.start for cut in cuts)

    def work(cuts):
        loss, slope = np.zeros(k), np.zeros((k, d + 1))
        curves = np.zeros((len(wanted), d + 1, d + 1))
        try:
            room, own = rooms.pop()
        except IndexError:
            room = [np.empty(most * len(plan.lines), kind) for _ in range(2)]
            own = np.empty((most, d + 1), kind) if known is None else None
        for cut in cuts:
            Xb = own[: cut.stop - cut.start] if known is None else known[cut]
            if known is None:
                signed(rows.X, rows.sign, cut, Xb)
            _add(Xb, (rows, cut, place[cut.start]), (plan, room, wanted), (loss, slope, curves))
        rooms.append((room, own))
        return loss, slope, curves

    loss, slope, curves = threads.total(work, slabs)
    back = np.argsort(plan.order, kind="stable")
    loss, slope = loss[back], -slope[back]
    slope[:, :d] -= slope[:, d:] * rows.centre
    sums = rows.sums
    return loss / sums, slope / sums[:, None], curves / sums[list(wanted), None, None]


def _plan(rows, lines, cuts):
    order = np.argsort(rows.of, kind="stable")
    folds, first = np.unique(rows.of[order], return_index=True)
    places = [slice(a, b) for a, b in zip(first, [*first[1:], len(order)], strict=True)]
    lines, which = lines[order], None
    distinct, inverse = np.unique(lines, axis=0, return_inverse=True)
    if 2 * len(distinct) <= len(lines):
        lines, which = distinct, inverse.ravel()
    groups = [
        (fold, place, place if which is None else which[place])
        for fold, place in zip(folds, places, strict=True)
    ]
    starts = [cut.start for cut in cuts]
    bounds = [part.reduceat(rows.weight[folds], starts, axis=1).T for part in (np.minimum, np.maximum)]
    return Plan(np.ascontiguousarray(lines), order, groups, which is not None, *bounds, {})


def _add(Xb, at, asked, sums):
    """Add a block's part to sums = (loss, slope, curves), problems in the plan's order."""
    (rows, cut, number), (plan, room, wanted) = at, asked
    loss, slope, curves = sums
    live, lines = _needed(plan, number)
    if not live:
        return
    # rows first: that way both products take a quarter less time than the other
    E, total = (part[: len(Xb) * lines.shape[1]].reshape(len(Xb), -1) for part in room)
    np.matmul(Xb, lines, out=E)
    _wrong(E, total)
    for j, column in enumerate(wanted):
        curves[j] += _curve(Xb, E, (rows, cut), _column_of(plan, live, column))
    np.log(total, out=total)
    if all(plan.least[number, i] == plan.most[number, i] for *_, i in live):
        lost, add = np.ones(len(Xb), E.dtype) @ total, (Xb.T @ E).T
        for _, mine, here, i in live:
            share = plan.most[number, i]
            loss[mine] += share * lost[here]
            slope[mine] += share * add[here]
        return
    for fold, mine, here, _ in live:
        share = rows.weight[fold, cut].astype(E.dtype, copy=False)
        loss[mine] += share @ total[:, here]
        slope[mine] += (Xb.T @ (E[:, here] * share[:, None])).T


def _needed(plan, number):
    """[(fold, place of its problems, place of their lines, group)] of a block, and these lines (d + 1, k)."""
    at = tuple(np.flatnonzero(plan.most[number] > 0))
    if at not in plan.known:
        live, lines = [(*plan.groups[i], i) for i in at], plan.lines
        if live and not plan.shared and len(live) < len(plan.groups):
            lines, end = np.concatenate([lines[mine] for _, mine, _, _ in live]), 0
            for j, (fold, mine, _, i) in enumerate(live):
                first, end = end, end + mine.stop - mine.start
                live[j] = fold, mine, slice(first, end), i
        plan.known[at] = live, np.ascontiguousarray(lines.T)
    return plan.known[at]


def _column_of(plan, live, column):
    """(fold, column of E) of a problem, None where its fold leaves the block out."""
    place = int(np.flatnonzero(plan.order == column)[0])
    for fold, mine, here, _ in live:
        if mine.start <= place < mine.stop:
            offset = place - mine.start
            return fold, here.start + offset if isinstance(here, slice) else here[offset]
    return None


def _wrong(E, total):
    """Margins E, negated, become probabilities of the wrong label; total the reciprocals of the right's."""
    np.minimum(E, 500.0 if E.dtype == np.float64 else 80.0, out=E)  # whose exponential is still a number
    np.exp(E, out=E)
    np.add(E, 1, out=total)
    E /= total


def _curve(Xb, E, at, found):
    """Hessian's part of one problem: X' diag(weight p (1 - p)) X about the centre, d columns and ones."""
    if found is None:
        return 0.0
    (rows, cut), (fold, column) = at, found
    wrong = E[:, column].astype(np.float64)
    root = np.sqrt(wrong * (1 - wrong) * rows.weight[fold, cut])
    B = Xb * rows.sign[cut, None]
    B[:, :-1] -= rows.centre
    B = B * root[:, None]
    return B.T @ B
