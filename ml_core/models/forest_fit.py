"""Grow the trees of a model: which rows each draws, which thread grows it, and what is kept of it.

Letters: n rows, d columns, t trees, m nodes of all trees, q columns of a leaf's value.
A tree is grown by one thread, and trees are spread over threads. A single tree of many rows is grown from
the top to nodes of an eighth of them, and those are spread; whether it is depends on its rows alone.
"""

from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from ml_core.kernels import forest_records as records
from ml_core.kernels import workers
from ml_core.kernels.trees import Trees, join
from ml_core.models import forest_job
from ml_core.models.forest_job import Grown, Limits, Target

LARGE = 1 << 16  # rows from which on a single tree is shared out
SHARES = 8
ENTRIES = 1 << 17  # rows of all trees that NumPy takes down at once
KEPT = 1 << 26  # bytes of drawn rows that are kept for the fits to come
NODES = 1 << 15  # that are described at once: many small trees by one pass


@dataclass
class Draw:
    """Which rows a tree is grown on: all with their weights (n,), or ``count`` draws by them.

    counted: whether rows are drawn; balance: whether classes then weigh alike; kept: what trees began with,
    for the fits to come that draw alike.
    """

    n: int
    weight: np.ndarray | None = None
    counted: bool = False
    count: int = 0
    balance: bool = False
    kept: dict | None = None

    def of(self, seed, target):
        """Weights (n,) float64 of the tree with this seed; 0 where it does not see a row."""
        if not self.counted:
            return np.ones(self.n) if self.weight is None else self.weight
        rng = np.random.default_rng(int(seed))
        if self.weight is None:
            rows = rng.integers(0, self.n, self.count)
        else:
            reached = np.cumsum(self.weight)
            rows = np.searchsorted(reached, rng.random(self.count) * reached[-1], side="right")
        times = np.bincount(np.minimum(rows, self.n - 1), minlength=self.n).astype(np.float64)
        if self.balance:
            drawn = np.bincount(target.what, times, target.q)
            share = np.where(
                drawn > 0, drawn.sum() / (np.count_nonzero(drawn) * np.maximum(drawn, 1e-300)), 0
            )
            times *= share[target.what]
        return times

    def packed(self, seed, target, shift):
        """The tree's rows as ``forest_job.packed`` has them, its own to reorder."""
        if self.kept is None or not self.counted:
            return forest_job.packed(target, self.of(seed, target), shift)
        if seed not in self.kept:
            began = forest_job.packed(target, self.of(seed, target), shift)
            if (len(self.kept) + 1) * sum(part.nbytes for part in began[:3]) > KEPT:
                return began
            self.kept[seed] = began
        rows, what, weight, sums, unit = self.kept[seed]
        return rows.copy(), what.copy(), weight.copy(), sums, unit


@dataclass
class Ground:
    """What all trees of a fit share. columns (d, n) uint8, missing (d,) uint8, monotone (d,) int8."""

    columns: np.ndarray
    missing: np.ndarray
    monotone: np.ndarray
    target: Target
    limits: Limits
    draw: Draw
    local: bool = field(init=False)

    def __post_init__(self):
        # copying codes pays where most of them are looked at
        d = len(self.columns)
        self.local = d <= 64 or 8 * self.limits.columns >= d

    @property
    def shift(self):
        """Bits of a packed weight: what rows, each counted once, leave of 62."""
        return 62 - max(int(self.draw.n).bit_length(), 1)


def grow_all(ground, seeds, n_threads, grow, guides=()):
    """Trees of these seeds -> [Grown], in their order; grow: ``forest_grow.grow``, or None for NumPy.

    guides: [Grown] of the first seeds, where all is the same but ``limits.leaf``, which is smaller: splits
    that may be are taken from them.
    """
    if grow is None:
        return _grow_plainly(ground, seeds)
    jobs = [(seed, guides[i].nodes if i < len(guides) else None) for i, seed in enumerate(seeds)]
    if len(seeds) == 1 and ground.draw.n >= LARGE and ground.limits.leaves == 0:
        return [_grow_large(ground, jobs[0], n_threads, grow)]
    return workers.each(lambda job: _grow(ground, job, grow), jobs, n_threads)


def _grow_plainly(ground, seeds):
    from ml_core.kernels import forest_plain

    found, step = [], max(1, ENTRIES // max(1, ground.draw.n))
    for first in range(0, len(seeds), step):
        some = seeds[first : first + step]
        starts = [_start(ground, seed) for seed in some]
        jobs = [(job.rows, job.what, job.weight, sums) for job, _, sums, _ in starts]
        rules = ground.columns, ground.missing, starts[0][1]
        for (_, _, _, unit), tree in zip(
            starts, forest_plain.grow_level_by_level(jobs, rules, np.array(some, np.uint64)), strict=True
        ):
            found.append(Grown(*tree, unit, ground.shift))
    return found


def _level_by_level(nodes, sums):
    """A tree's nodes and sums level by level, children in the order of parents, as NumPy grows them."""
    from ml_core.kernels.forest_grow import line_up

    ordered, ordered_sums = np.empty(len(nodes), nodes.dtype), np.empty(sums.shape, sums.dtype)
    line_up(nodes, sums, ordered, ordered_sums)
    return ordered, ordered_sums


def _start(ground, seed):
    target, shift = ground.target, ground.shift
    rows, what, weight, sums, unit = ground.draw.packed(seed, target, shift)
    total = int((sums if target.q else sums[1:]).sum()) & ((1 << shift) - 1)
    rules = forest_job.rules_of(ground.limits, target, shift, total)
    columns = ground.columns
    job = records.Job(columns, columns.reshape(-1), ground.missing, ground.monotone, rows, what, weight)
    rules["monotone"] = ground.monotone.any()
    return job, rules, sums, unit


def _guided_start(ground, seed, guide):
    """As ``_start``, and what ``root_of`` makes."""
    job, rules, sums, unit = _start(ground, seed)
    nodes, stats = forest_job.root_of(len(job.rows), sums, seed)
    if guide is not None:
        job, nodes[0]["guide"] = job._replace(guide=guide), 0
    return job, rules, unit, nodes, stats


def _grow(ground, seed_guide, grow):
    job, rules, unit, nodes, stats = _guided_start(ground, *seed_guide)
    room = records.new_room(len(job.rows), len(job.columns), rules, ground.local)
    m = grow(job, rules, nodes, stats, room)
    return Grown(*_level_by_level(nodes[:m], stats[:m]), unit, ground.shift)


def _grow_large(ground, seed_guide, n_threads, grow):
    start = _guided_start(ground, *seed_guide)
    top = _grow_top(ground, start, grow)
    waiting = np.flatnonzero(top[0]["left"] == records.OPEN)
    order = waiting[np.argsort(-top[0]["rows"][waiting], kind="stable")]  # the largest first: none lags
    parts = _grow_below(ground, (start, top, order), n_threads, grow)
    unit = start[2]
    del start  # before the copies of the whole tree
    return Grown(*_level_by_level(*_spliced(*top, order, parts)), unit, ground.shift)


def _grow_top(ground, start, grow):
    """Nodes and sums of a tree down to nodes of a share of its rows, which are left OPEN."""
    job, rules, _, nodes, stats = start
    rules["open_rows"] = max(len(job.rows) // SHARES, records.COMPACT)  # codes not copied yet
    room = records.new_room(len(job.rows), len(job.columns), rules, ground.local)
    m = grow(job, rules, nodes, stats, room)
    rules["open_rows"] = 0
    return nodes[:m].copy(), stats[:m].copy()


def _grow_below(ground, begun, n_threads, grow):
    """[nodes and sums] of the trees below some nodes of a top; begun: (its start, top, those nodes)."""
    (job, rules, *_), (top, sums), places = begun
    most, spaces = int(top["rows"][places].max(initial=0)), SimpleQueue()
    for _ in range(min(n_threads, len(places))):  # made here and used by turns: what a thread frees stays its
        spaces.put(_Space.of(most, sums.shape[1], rules, ground))

    def below(node):
        stretch = slice(int(top["start"][node]), int(top["start"][node] + top["rows"][node]))
        own = job._replace(rows=job.rows[stretch], what=job.what[stretch], weight=job.weight[stretch])
        space = spaces.get()
        try:
            return space.grow(own, (top[node], sums[node]), rules, grow)
        finally:
            spaces.put(space)

    return workers.each(below, places.tolist(), n_threads)


@dataclass
class _Space:
    """Where a thread grows the trees below a top, one after the other."""

    nodes: np.ndarray
    sums: np.ndarray
    room: records.Room

    @classmethod
    def of(cls, rows, channels, rules, ground):
        """For trees of at most so many rows."""
        nodes, sums = forest_job.root_of(rows, np.zeros(channels, np.int64), 0)
        return cls(nodes, sums, records.new_room(rows, len(ground.columns), rules, ground.local))

    def grow(self, job, top, rules, grow):
        """The nodes and sums below an open node ``top`` (record, sums (c,)) of the job's rows."""
        self.nodes[0], self.sums[0] = top
        self.nodes[0]["start"], self.nodes[0]["left"] = 0, records.NONE
        m = grow(job, rules, self.nodes, self.sums, self.room)
        return self.nodes[:m].copy(), self.sums[:m].copy()


def _spliced(top, top_sums, places, parts):
    """One tree of a top and the trees below some of its nodes: a part's root takes its place there."""
    at, nodes, sums = len(top), [top], [top_sums]
    for place, (own, own_sums) in zip(places, parts, strict=True):
        own["left"] = np.where(own["left"] >= 0, own["left"] + at - 1, records.NONE)
        top[place] = own[0]
        nodes.append(own[1:])
        sums.append(own_sums[1:])
        at += len(own) - 1
    return np.concatenate(nodes), np.concatenate(sums)


def trees_of(grown, ground, bins):
    """[Grown] -> Trees and what else is known of their nodes: gain, weight (m,) float64, rows (m,) int32."""
    flat, facts, some, size = [], [], [], 0
    for i, one in enumerate(grown):
        some.append(one)
        size += len(one.nodes)
        if size >= NODES or i == len(grown) - 1:
            trees, own = _described(some, ground, bins)
            flat.append(trees)
            facts.append(own)
            some, size = [], 0
    gain, weight, rows = (np.concatenate(some) for some in zip(*facts, strict=True))
    return join(flat, ground.target.q or 1), {"gain": gain, "weight": weight, "rows": rows}


def _described(some, ground, bins):
    """As ``trees_of``, of trees few enough for one pass: Trees, (gain, weight, rows)."""
    sizes = np.array([len(one.nodes) for one in some])
    start = np.concatenate([[0], np.cumsum(sizes)])
    words = records.NODE.itemsize // 8  # rows of numbers are copied faster than records
    nodes = np.concatenate([one.nodes.view(np.int64).reshape(-1, words) for one in some])
    nodes = nodes.reshape(-1).view(records.NODE)
    sums = np.concatenate([one.sums for one in some])
    whole = Grown(nodes, sums, np.repeat([one.unit for one in some], sizes), ground.shift)
    value, weight, gain = forest_job.described(whole, ground.target, ground.limits.criterion)
    leaf, m = nodes["left"] < 0, len(nodes)
    column = np.where(leaf, 0, nodes["column"]).astype(np.int32)
    cut = np.where(leaf, 0, nodes["cut"]).astype(np.uint8)
    threshold = np.where(leaf, 0.0, bins.thresholds(column, cut.astype(np.int64)))
    left = np.where(leaf, np.arange(m) - np.repeat(start[:-1], sizes), nodes["left"]).astype(np.int32)
    missing_left = ~leaf & (nodes["missing_left"] == 1)
    trees = Trees(
        column, cut, threshold, left, missing_left, np.full(m, -1, np.int32),
        np.zeros((0, 4), np.uint64), value, start, np.zeros(len(some), np.int32),
    )  # fmt: skip
    return trees, (np.where(leaf, 0.0, gain), weight, nodes["rows"].astype(np.int32))
