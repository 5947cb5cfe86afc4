"""The rows of k-means as float32 tiles, for many: the passes are compiled, our threads share slabs of blocks.

Letters: n rows, d columns, k centers. Slabs depend on the shape only and their sums are added in order.
"""

import numpy as np

from ml_core.kernels import closer, rank, sweep
from ml_core.kernels.extent import scale_of
from ml_core.kernels.tiles import LANES, fill
from ml_core.kernels.workers import each, slices

SLABS = 64  # partial sums at most
ROWS = 1 << 14  # rows of a slab at least: k centers take k / ROWS of the rows' memory
CHUNK = 1 << 19  # numbers of a chunk that all runs go through while it is in cache
SCORE, MEASURE = 0.025, 0.4  # nanoseconds a number, to score all centers and to measure one
PATIENCE = 1e-6  # bounds are kept this much apart: float32 rounds them


class Tiled:
    """Rows as tiles, with the same methods as ``lloyd.Held``."""

    def __init__(self, X, weight, extent, n_threads):
        self.X, self.weight, self.n_threads = X, weight, n_threads
        n, d = X.shape
        self.centre, self.scale = extent.centre, scale_of(extent.reach)
        self.n_blocks = -(-n // LANES)
        self.slabs = slices(self.n_blocks, -(-self.n_blocks // max(1, min(SLABS, n // ROWS))))
        lanes = np.empty((self.n_blocks, d, LANES), np.float32)
        half = np.empty((self.n_blocks, LANES), np.float32)
        self.rows = sweep.Rows(X, weight, self.centre, lanes, half)

        def write(cut):
            part = X[cut.start * LANES : cut.stop * LANES]
            fill(part, (self.centre, self.scale), lanes[cut], half[cut])

        each(write, slices(self.n_blocks, 64), n_threads)

    def sweep(self, runs):
        """Label the rows for each run -> [(sums (k, d) about centre, mass (k,), labels changed)]."""
        if not runs:
            return []
        slabs = self.slabs
        passes = [self._prepare(run, len(slabs)) for run in runs]
        chunk = max(1, CHUNK // (self.X.shape[1] * LANES))

        def work(s):
            for cut in slices(slabs[s].stop - slabs[s].start, chunk):
                first, last = slabs[s].start + cut.start, slabs[s].start + cut.stop
                for run, (centers, longest) in zip(runs, passes, strict=True):
                    state, totals = run.state[0], tuple(part[s] for part in run.state[1])
                    sweep.sweep(self.rows, centers, state, (first, last, longest), totals)

        each(work, range(len(slabs)), self.n_threads)
        found = []
        for run in runs:
            sums, mass, counts = (part.sum(axis=0) for part in run.state[1])
            found.append((sums, mass, counts[0]))
        return found

    def _prepare(self, run, n_slabs):
        """Centers of a run for the next pass, and the length of the longest in the frame."""
        k, d = run.centers.shape
        if run.state is None or len(run.state[1][0]) != n_slabs:
            n = len(self.X)
            run.label = np.full(n, sweep.NOBODY, np.int32)
            state = sweep.State(run.label, np.full(n, np.inf, np.float32), np.zeros(n, np.float32))
            totals = np.zeros((n_slabs, k, d)), np.zeros((n_slabs, k)), np.zeros((n_slabs, 3), np.int64)
            run.state = state, totals, run.centers, (False, False)
        state, totals, before, (tighten, doubled) = run.state
        _, measured, spared = totals[2].sum(axis=0)
        if measured:
            tighten = spared * (30 + SCORE * k * d) > measured * MEASURE * d
        totals[2][:] = 0
        lanes, longest = _lanes(run.centers, self.centre, self.scale)
        if doubled:  # a repeated center was no one's other: the lower bounds know nothing of it
            state.lower[:] = 0
        run.state = state, totals, run.centers, (tighten, bool(np.isinf(lanes.half).any()))
        moved = np.sqrt((((run.centers - before) * self.scale) ** 2).sum(axis=1)) * (1 + PATIENCE)
        most = np.argsort(-moved, kind="stable")[:2]
        drop = np.where(np.arange(k) == most[0], moved[most[-1]] if k > 1 else 0.0, moved[most[0]])
        apart = _apart((run.centers - self.centre) * self.scale)
        arrays = moved.astype(np.float32), (drop * (1 + PATIENCE)).astype(np.float32), apart
        rest = np.ascontiguousarray(run.centers), float(self.scale), bool(tighten)
        return sweep.Centers(*lanes, *arrays, *rest), longest

    def own_distance(self, label, centers):
        """Squared distance (n,) of each row to its center."""
        return own_distance(self.X, centers, label, self.n_threads)

    def tally(self, label, keep, k):
        """Sums (k, d) about centre and mass (k,) of the kept rows."""
        slabs = self.slabs
        sums, mass = np.zeros((len(slabs), k, self.X.shape[1])), np.zeros((len(slabs), k))
        counts = np.zeros(3, np.int64)

        def work(s):
            span = slabs[s].start * LANES, min(slabs[s].stop * LANES, len(label))
            sweep.tally(self.rows, label, keep, span, (sums[s], mass[s], counts))

        each(work, range(len(slabs)), self.n_threads)
        return sums.sum(axis=0), mass.sum(axis=0)

    def closer(self, asked):
        """[(closest (n,), points (t,))] -> [(nearer (t, n), shares (t, blocks))]; see ``lloyd.Held``."""
        n, found = len(self.X), []
        for closest, points in asked:
            lanes = ((self.X[points] - self.centre) * self.scale).astype(np.float32)
            room = np.empty((len(points), n), np.float32), np.empty((len(points), self.n_blocks))
            found.append((closest.astype(np.float32, copy=False), lanes, room))

        def work(cut):
            for closest, lanes, room in found:
                closer.closer(self.rows, lanes, closest, (cut.start, cut.stop), room)

        each(work, slices(self.n_blocks, max(1, CHUNK // (self.X.shape[1] * LANES))), self.n_threads)
        return [room for _, _, room in found]

    def draw(self, far, shares, places):
        """Rows at ``places`` (t,) in 0..1 along the cumulated weight times far (n,), which ``shares`` sum a
        block."""
        along = np.cumsum(shares)
        target = places * along[-1]
        blocks = np.minimum(np.searchsorted(along, target, side="right"), np.searchsorted(along, along[-1]))
        index = np.empty(len(places), np.int64)
        for i, b in enumerate(blocks):
            cut = slice(b * LANES, (b + 1) * LANES)
            mass = np.cumsum(self.weight[cut] * far[cut])
            inside = np.searchsorted(mass, target[i] - (along[b - 1] if b else 0.0), side="right")
            index[i] = cut.start + min(inside, np.searchsorted(mass, mass[-1]))
        return index


def assign(X, centers, n_threads):
    """Label (n,) of the nearest of centers (k, d), read once and kept nowhere."""
    label, centre = np.empty(len(X), np.int32), centers.mean(axis=0)
    scale = scale_of(np.abs(centers - centre).max())
    lanes, longest = _lanes(centers, centre, scale)

    def work(cut):
        rank.assign(X, lanes, (centre, scale, longest), (cut.start, cut.stop), label)

    each(work, slices(-(-len(X) // LANES), 64), n_threads)
    return label


def own_distance(X, centers, label, n_threads):
    """Squared distance (n,) of each row to its own of centers (k, d)."""
    far, centers = np.empty(len(X)), np.ascontiguousarray(centers)

    def work(cut):
        rank.own_distance(X[cut], centers, label[cut], far[cut])

    each(work, slices(len(far), ROWS), n_threads)
    return far


def _lanes(centers, centre, scale):
    """Centers as rank.Lanes in the frame, and the length of the longest there."""
    lanes = -((centers - centre) * scale).astype(np.float32)
    square = np.einsum("kd,kd->k", lanes, lanes, dtype=np.float64)
    half = (0.5 * square).astype(np.float32)
    first = np.unique(centers, axis=0, return_index=True)[1]
    half[np.setdiff1d(np.arange(len(centers)), first)] = np.inf
    return rank.Lanes(np.ascontiguousarray(centers.T), lanes, half), float(np.sqrt(square.max()))


def _apart(wide):
    """Half the distance of each center (k, d) to the nearest other, rounded down."""
    square = np.einsum("kd,kd->k", wide, wide)
    far = square[:, None] + square - 2 * wide @ wide.T
    far -= 1e-14 * (wide.shape[1] + 4) * (square[:, None] + square)
    np.fill_diagonal(far, np.inf)
    nearest = np.sqrt(np.maximum(far.min(axis=1), 0)) / 2 * (1 - PATIENCE)
    return np.minimum(nearest, 3e38).astype(np.float32)
