"""Lloyd's algorithm for many runs at once (starts, numbers of clusters) over one copy of the rows.

Letters: n rows X (n, d), k centers C (k, d), s runs.
The rows are held by ``Held`` (NumPy, no compiler) or, from LARGE rows times centers on, by ``Tiled``
(compiled). Labels are exact on both: of equally near centers the first, by sums in float64, column after
column.
"""

import sys
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from ml_core.kernels.distance import between, pairs
from ml_core.kernels.seeding import draw
from ml_core.kernels.sparse_rows import SparseRows
from ml_core.kernels.workers import slices

LARGE = 1e6  # rows times centers of all runs from which compiled code repays the time to load it
BLOCK = 2048  # rows at once in NumPy
SLABS = 64  # partial sums at most
ROWS = 1 << 14  # rows of a slab at least: k centers take k / ROWS of the rows' memory
MANY = 24  # centers from which a row of scores is long enough to search at once
STRIDE = 256  # a slab is so many rows, or a multiple


@dataclass
class Run:
    """One run: where it starts and stops, and what it has reached."""

    centers: np.ndarray  # (k, d) float64
    max_iter: int = 300
    tol: float = 0.0  # squared movement of all centers together at which to stop
    trim: float = 0.0  # share of the rows, the farthest, that the centers do not follow
    label: np.ndarray | None = None  # (n,) int32
    far: np.ndarray | None = None  # (n,) squared distance to the own center
    n_iter: int = 0
    settled: bool = False  # the last pass changed no label
    done: bool = False
    state: object = None  # what the rows' holder keeps of it


def hold(X, weight, found, large, n_threads):
    """The rows as Held, or as Tiled where they are ``large``, or as SparseRows; ``found`` is their extent."""
    if issparse(X):
        return SparseRows(X, weight)
    if not large:
        return Held(X, weight, found.centre)
    from ml_core.kernels.tiled import Tiled

    return Tiled(X, weight, found, n_threads)


def assign(X, centers, n_threads):
    """Label (n,) of the nearest of centers (k, d) float64; of equally near ones the first."""
    if issparse(X):
        return SparseRows(X, np.ones(X.shape[0])).assign(centers)
    if _plain(X, centers):
        run = Run(centers)
        Held(X, np.ones(len(X)), centers.mean(axis=0)).sweep([run])
        return run.label
    from ml_core.kernels import tiled

    return tiled.assign(X, centers, n_threads)


def own_distance(X, centers, label, n_threads):
    """Squared distance (n,) of each row to its own of centers (k, d) float64."""
    if issparse(X):
        return SparseRows(X, np.ones(X.shape[0])).own_distance(label, centers)
    if _plain(X, centers):
        return pairs(X, centers, np.arange(len(X)), label)
    from ml_core.kernels import tiled

    return tiled.own_distance(X, centers, label, n_threads)


def _plain(X, centers):
    """Whether NumPy is to do it: few rows, and the compiled code, which gives the same bits, not loaded."""
    return len(X) * len(centers) <= LARGE and "ml_core.kernels.tiled" not in sys.modules


def lloyd(rows, runs):
    """Move the centers of each run until they rest; leaves label, far and n_iter in the runs."""
    active = [run for run in runs if run.max_iter > 0]
    while active:
        for run, (sums, mass, changed) in zip(active, rows.walk(active), strict=True):
            run.n_iter += 1
            new = _means(rows, run, sums, mass)
            moved = np.cumsum((new - run.centers) ** 2)[-1]  # one after another, as passes.py adds
            run.centers = new
            run.settled = changed == 0
            run.done = run.settled or moved <= run.tol or run.n_iter == run.max_iter
        active = [run for run in active if not run.done]
    finish(rows, runs)


def finish(rows, runs):
    """Labels and distances for the centers as they are, rounded to what the rows' type can hold."""
    stirred = []
    for run in runs:
        rounded = run.centers.astype(rows.X.dtype).astype(np.float64)
        if not run.settled or (rounded != run.centers).any():
            stirred.append(run)
        run.centers = rounded
    rows.sweep(stirred)
    for run in runs:
        run.far = rows.own_distance(run.label, run.centers)


def _means(rows, run, sums, mass):
    """New centers (k, d): means of their rows; an empty one takes the row farthest from its center."""
    if run.trim > 0:
        sums, mass = rows.tally(run.label, _kept(rows, run), len(mass))
    empty = np.flatnonzero(mass <= 0)
    if len(empty):
        sums, mass = sums.copy(), mass.copy()
        far = rows.own_distance(run.label, run.centers)
        far[rows.weight == 0] = 0
        if run.trim > 0:
            far[~_kept(rows, run)] = 0
        for j, i in zip(empty, np.argsort(-far, kind="stable"), strict=False):
            if far[i] == 0:
                break
            share = rows.weight[i] * (rows.dense([i])[0].astype(np.float64) - rows.centre)
            sums[run.label[i]] -= share
            mass[run.label[i]] -= rows.weight[i]
            sums[j], mass[j] = share, rows.weight[i]
    some = mass > 0
    new = run.centers.copy()
    new[some] = sums[some] / mass[some, None] + rows.centre
    return new


def _kept(rows, run):
    """Mask (n,) of the rows that are not among the farthest ``trim`` of the weight."""
    far = rows.own_distance(run.label, run.centers)
    return ~farthest(far, rows.weight, run.trim)


def farthest(far, weight, trim):
    """Mask (n,) of the rows farthest away that together weigh at most the share ``trim``; later rows first
    if equal."""
    most = trim * weight.sum() * (1 + 1e-12)
    few = min(len(far), int(most / max(weight[weight > 0].min(), 1e-300)) + 1)
    far = np.where(weight > 0, far, -1)
    last = np.argpartition(far, len(far) - few)[len(far) - few :]
    edge = far[last].min()
    last = np.flatnonzero(far >= edge)
    order = last[np.lexsort((-last, -far[last]))]
    out = np.zeros(len(far), bool)
    out[order[np.cumsum(weight[order]) <= most]] = True
    return out


def slabs(n):
    """Cut n rows into the slabs whose sums are added in order, by n alone."""
    blocks = -(-n // STRIDE)
    return slices(n, STRIDE * -(-blocks // max(1, min(SLABS, n // ROWS))))


class Held:
    """Rows in NumPy, no compiler; the same bits as ``tiled.Tiled``."""

    def __init__(self, X, weight, centre):
        self.X, self.weight, self.centre = X, weight, centre
        self.slabs = slabs(len(X))
        self.square = None

    @cached_property
    def off(self):
        """The rows about centre (n, d), made when a pass needs them."""
        return self.X - self.centre

    def sweep(self, runs):
        """Label the rows for each run -> [(sums (k, d) about centre, mass (k,), labels changed)]."""
        found = []
        for run in runs:
            counted = run.label
            if counted is None:
                k, d = run.centers.shape
                run.state = np.zeros((len(self.slabs), k, d)), np.zeros((len(self.slabs), k))
            run.label = self._label(run.centers)
            changed = 0
            for s, cut in enumerate(self.slabs):
                before = None if counted is None else counted[cut]
                changed += self._follow(cut, (before, run.label[cut]), run.state[0][s], run.state[1][s])
            found.append((run.state[0].sum(axis=0), run.state[1].sum(axis=0), changed))
        return found

    walk = sweep

    def _label(self, centers):
        label, centers_off = np.empty(len(self.X), np.int32), centers - self.centre
        half = 0.5 * np.einsum("kd,kd->k", centers_off, centers_off)
        for cut in slices(len(self.X), BLOCK):
            label[cut] = _nearest(self.off[cut], (self.X[cut], centers), centers_off, half)
        return label

    def _follow(self, cut, labels, sums, mass):
        """Bring sums (k, d) and mass (k,) up to the labels (before or None, now), row after row."""
        before, now = labels
        rows = np.arange(len(now)) if before is None else np.flatnonzero(before != now)
        if len(rows) == 0:
            return 0
        weight = self.weight[cut][rows]
        share = weight[:, None] * self.off[cut][rows]
        group = now[rows].astype(np.int64)
        if before is not None:  # to the new center, then from the old one
            group = np.stack([group, before[rows]], axis=1).ravel()
            weight = np.stack([weight, -weight], axis=1).ravel()
            share = np.stack([share, -share], axis=1).reshape(len(weight), -1)
        _add(group, share, sums)
        _add(group, weight[:, None], mass[:, None])
        return len(rows)

    def dense(self, rows):
        """Some rows as they are."""
        return self.X[rows]

    def own_distance(self, label, centers):
        """Squared distance (n,) of each row to its center."""
        return pairs(self.X, centers, np.arange(len(self.X)), label)

    def tally(self, label, keep, k):
        """Sums (k, d) about centre and mass (k,) of the kept rows."""
        sums, mass = np.zeros((len(self.slabs), k, self.X.shape[1])), np.zeros((len(self.slabs), k))
        for s, cut in enumerate(self.slabs):
            rows = cut.start + np.flatnonzero(keep[cut])
            _add(label[rows].astype(np.int64), self.weight[rows, None] * self.off[rows], sums[s])
            _add(label[rows].astype(np.int64), self.weight[rows, None], mass[s, :, None])
        return sums.sum(axis=0), mass.sum(axis=0)

    def closer(self, asked):
        """[(closest (n,), points (t,))] -> [(nearer (t, n), shares (t, blocks))].

        Nearer is the lesser of closest and the squared distance to row ``points[i]``; the shares add up to
        its weighted sum.
        """
        if self.square is None:
            self.square = np.einsum("nd,nd->n", self.off, self.off)
        found = []
        for closest, points in asked:
            far = self.off[points] @ self.off.T
            far *= -2
            far += self.square
            far += self.square[points][:, None]
            nearer = np.minimum(np.maximum(far, 0, out=far), closest, out=far)
            found.append((nearer, (nearer @ self.weight)[:, None]))
        return found

    def draw(self, far, shares, places):
        """Rows at ``places`` (t,) in 0..1 along the cumulated weight times far (n,)."""
        return draw(self.weight * far, places)


def _add(group, share, sums):
    """Add share (m, d) to sums (k, d) by group (m,), one row after another: bincount keeps their order."""
    k, d = sums.shape
    index = np.concatenate([np.arange(k * d), (group[:, None] * d + np.arange(d)).ravel()])
    sums[:] = np.bincount(index, np.concatenate([sums.ravel(), share.ravel()]), k * d).reshape(k, d)


def _one_by_one(A, centers, half):
    """Label, least and second least score of rows A: all rows at once, a center after another."""
    score = half[:, None] - centers @ A.T
    best, second = score[0].copy(), np.full(len(A), np.inf)
    label = np.zeros(len(A), np.int32)
    for j in range(1, len(score)):
        below = score[j] < best
        np.minimum(second, np.maximum(best, score[j]), out=second)
        np.copyto(label, j, where=below)
        np.minimum(best, score[j], out=best)
    return label, best, second


def _row_by_row(A, centers, half):
    """The same, all centers of a row at once."""
    score = A @ centers.T
    np.subtract(half, score, out=score)
    label = score.argmin(axis=1).astype(np.int32)
    own = np.arange(len(A)), label
    best = score[own]
    score[own] = np.inf
    return label, best, score.min(axis=1)


def _nearest(A, exact, centers, half):
    """Labels (b,) of rows A less centre; ``exact`` holds rows and centers as given, for what is too near to
    call."""
    label, best, second = (
        _one_by_one(A, centers, half) if len(half) <= MANY else _row_by_row(A, centers, half)
    )
    reach = np.sqrt(np.einsum("bd,bd->b", A, A)) + np.sqrt(2 * half.max())
    close = np.flatnonzero(second - best <= 1e-15 * (A.shape[1] + 8) * reach**2)
    if len(close):
        label[close] = between(exact[0][close], exact[1]).argmin(axis=1)
    return label
