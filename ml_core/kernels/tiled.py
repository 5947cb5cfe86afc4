"""The rows of k-means as float32 tiles, for many: the passes are compiled, our threads share slabs of blocks.

Letters: n rows, d columns, k centers. Slabs depend on the shape only and their sums are added in order.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import closer, passes, rank, sweep
from ml_core.kernels.extent import scale_of
from ml_core.kernels.lloyd import slabs
from ml_core.kernels.tiles import LANES, fill
from ml_core.kernels.workers import each, slices

ROWS = 1 << 14  # rows at once where nothing is summed
CHUNK = 1 << 19  # numbers of a chunk that all runs go through while it is in cache
FEW = 8  # slabs up to which threads share the runs as well


class Tiled:
    """Rows as tiles, with the same methods as ``lloyd.Held``."""

    def __init__(self, X, weight, extent, n_threads):
        self.X, self.weight, self.n_threads = X, weight, n_threads
        n, d = X.shape
        self.centre, self.scale = extent.centre, scale_of(extent.reach)
        self.n_blocks = -(-n // LANES)
        self.slabs = [slice(cut.start // LANES, -(-cut.stop // LANES)) for cut in slabs(n)]
        lanes = np.empty((self.n_blocks, d, LANES), np.float32)
        half = np.empty((self.n_blocks, LANES), np.float32)
        flat = np.empty((self.n_blocks * LANES, d), np.float32)
        self.rows = sweep.Rows(X, weight, self.centre, lanes, half, flat)

        def write(cut):
            part = X[cut.start * LANES : cut.stop * LANES]
            fill(part, (self.centre, self.scale), lanes[cut], half[cut])
            flat.reshape(lanes.transpose(0, 2, 1).shape)[cut] = lanes[cut].transpose(0, 2, 1)

        each(write, slices(self.n_blocks, 64), n_threads)

    def sweep(self, runs):
        """Label the rows for each run -> [(sums (k, d) about centre, mass (k,), labels changed)]."""
        if not runs:
            return []
        ready = [self._prepare(run) for run in runs]
        chunk = max(1, CHUNK // (self.X.shape[1] * LANES))
        groups = slices(len(runs), len(runs) if len(self.slabs) > FEW else -(-len(runs) // FEW))

        def work(job):
            s, group = job
            for cut in slices(self.slabs[s].stop - self.slabs[s].start, chunk):
                first, last = self.slabs[s].start + cut.start, self.slabs[s].start + cut.stop
                for run, (centers, longest) in zip(runs[group], ready[group], strict=True):
                    totals = tuple(part[s] for part in run.state.totals)
                    sweep.sweep(self.rows, centers, run.state.rows, (first, last, longest), totals)

        each(work, [(s, group) for s in range(len(self.slabs)) for group in groups], self.n_threads)
        return [_summed(run) for run in runs]

    def walk(self, runs):
        """``sweep``, and on rows of one slab those after it of each run that change centers alone."""
        if len(self.slabs) > 1:
            return self.sweep(runs)

        def work(run):
            state = self._known(run)
            now, totals = run.centers.copy(), tuple(part[0] for part in state.totals)
            most = run.max_iter - run.n_iter if run.trim == 0 else 1
            moving, limits = (now, state.before, state.flags, totals), (most, run.tol, float(self.scale))
            run.n_iter += passes.walk(self.rows, state.centers, state.rows, moving, limits) - 1
            run.centers = now

        each(work, sorted(runs, key=lambda run: -len(run.centers)), self.n_threads)
        return [_summed(run) for run in runs]

    def _known(self, run):
        """What is kept of a run; of a new one, nothing yet."""
        if not isinstance(run.state, _Known):
            run.state = _known(len(self.X), *run.centers.shape, len(self.slabs))
            run.label = run.state.rows.label
            run.state.before[:] = run.centers
        return run.state

    def _prepare(self, run):
        """Centers of a run for the next pass, and the length of the longest in the frame."""
        state = self._known(run)
        state.flags[0] = passes.pays(state.totals[2].sum(axis=0), run.centers.shape, state.flags[0])
        state.totals[2][:] = 0
        if state.flags[1]:  # a repeated center was no one's other: the lower bounds know nothing of it
            state.rows.lower[:] = 0
        rest = np.ascontiguousarray(run.centers), float(self.scale), bool(state.flags[0])
        centers = sweep.Centers(*state.centers, *rest)
        longest, state.flags[1] = sweep.prepare(centers, state.before, self.centre)
        state.before[:] = run.centers
        return centers, longest

    def dense(self, rows):
        """Some rows as they are."""
        return self.X[rows]

    def own_distance(self, label, centers):
        """Squared distance (n,) of each row to its center."""
        return own_distance(self.X, centers, label, self.n_threads)

    def tally(self, label, keep, k):
        """Sums (k, d) about centre and mass (k,) of the kept rows."""
        cuts = slabs(len(label))
        sums, mass = np.zeros((len(cuts), k, self.X.shape[1])), np.zeros((len(cuts), k))
        counts = np.zeros(3, np.int64)

        def work(s):
            sweep.tally(self.rows, label, keep, (cuts[s].start, cuts[s].stop), (sums[s], mass[s], counts))

        each(work, range(len(cuts)), self.n_threads)
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


@dataclass
class _Known:
    """What the tiles keep of a run from one pass to the next."""

    rows: sweep.State
    totals: tuple  # sums (slabs, k, d), mass (slabs, k), counts (slabs, 3)
    centers: tuple  # arrays of sweep.Centers, filled anew for each pass
    before: np.ndarray  # centers (k, d) of the pass before
    flags: np.ndarray  # (2,) bool: measure the own center first (tighten), a center repeats another (doubled)


def _known(n, k, d, n_slabs):
    rows = np.full(n, sweep.NOBODY, np.int32), np.full(n, sweep.NOBODY, np.int32)
    bounds = np.full(n, np.inf, np.float32), np.zeros(n, np.float32)
    totals = np.zeros((n_slabs, k, d)), np.zeros((n_slabs, k)), np.zeros((n_slabs, 3), np.int64)
    centers = np.empty((d, k)), np.empty((k, d), np.float32), *np.empty((4, k), np.float32)
    return _Known(sweep.State(*rows, *bounds), totals, centers, np.empty((k, d)), np.zeros(2, np.bool_))


def _summed(run):
    """Sums (k, d), mass (k,) and how many labels changed in the last pass of a run."""
    sums, mass, counts = (part.sum(axis=0) for part in run.state.totals)
    return sums, mass, counts[0]


def _lanes(centers, centre, scale):
    """Centers as rank.Lanes in the frame, and the length of the longest there."""
    lanes = -((centers - centre) * scale).astype(np.float32)
    square = np.einsum("kd,kd->k", lanes, lanes, dtype=np.float64)
    half = (0.5 * square).astype(np.float32)
    first = np.unique(centers, axis=0, return_index=True)[1]
    half[np.setdiff1d(np.arange(len(centers)), first)] = np.inf
    return rank.Lanes(np.ascontiguousarray(centers.T), lanes, half), float(np.sqrt(square.max()))
