"""Exact k nearest neighbours; of equally far points the one with the smaller index comes first.

Letters: n points X (n, d), m queries Q (m, d), k neighbours.
Up to SMALL pairs (m times n) NumPy alone does it, and Numba is not even imported; beyond, compiled code
does: ``scan`` for squared distances, ``kdtree`` in few dimensions and for other metrics. Which one ran
cannot be told from the result: all measure with the same sums in float64.
"""

import importlib
import sys

import numpy as np

from ml_core.kernels import kept
from ml_core.kernels.distance import POWERS, SQUARES, between, pairs, root
from ml_core.kernels.workers import each, slices

SMALL = 2e8  # pairs; importing Numba costs as much as NumPy needs for them
SMALL_LOADED = 1e6  # the same where compiled code is loaded already
ROWS = 256  # queries at once in NumPy
WIDTH = 4096  # points at once in NumPy: what is touched again and again stays in cache
TILE = 128  # queries at once in the compiled scan
CHUNK = 1 << 20  # numbers of X held as tiles at once, 4 MB: they stay in cache, and memory bounded whatever n
FEW = 16  # columns up to which a tree is tried
MANY = 4000  # queries from which it may pay to grow a tree for them alone
SCAN, TREE, COMPILER = "ml_core.kernels.scan", "ml_core.kernels.kdtree", "ml_core.kernels.jit"
NOBODY = np.iinfo(np.int64).max  # index of an empty place: later than every point
LEAVES = 700  # a leaf looked at costs as much as this many points of a scan


def search(X, Q, k, metric, tree=None, n_threads=1):
    """Distances (m, k) ascending and indices (m, k); ``tree`` is what ``planted`` gave for X, or None."""
    largest = float(max(part for whole in (X, Q) for part in (whole.max(initial=0), -whole.min(initial=0))))
    if largest > 1e140 or 0 < largest < 1e-140:
        # powers would overflow or vanish; a power of two changes no digit
        scale = 2.0 ** -np.frexp(largest)[1]
        total, index = _search(X * scale, Q * scale, k, metric, None, n_threads)
        return root(total, metric) / scale, index
    total, index = _search(X, Q, k, metric, tree, n_threads)
    return root(total, metric), index


def expect(pairs):
    """Load compiled code where searches over so many pairs in all are to come, each small by itself."""
    if pairs > SMALL / 4:
        importlib.import_module(SCAN)


def _at_hand(metric):
    """Whether compiled code is kept and its compiler is loaded: then a small search need not wait for it."""
    return COMPILER in sys.modules and kept.holds("scan.scan" if metric[0] == SQUARES else "kdtree.search")


def _search(X, Q, k, metric, tree, n_threads):
    loaded = SCAN in sys.modules or TREE in sys.modules
    slower = {SQUARES: 1, POWERS: max(1, X.shape[1])}.get(metric[0], max(1, X.shape[1] / 8))
    size = len(X) * len(Q) * slower
    if SMALL_LOADED < size <= SMALL:
        loaded = loaded or _at_hand(metric)
    small = size <= (SMALL_LOADED if loaded else SMALL)
    if small and (tree is None or not loaded):
        return _small(X, Q, k, metric, n_threads)
    if tree is None and X.shape[1] <= FEW and len(Q) >= MANY:
        tree = planted(X, k, metric, n_threads)
    if tree is None and metric[0] == SQUARES:
        found = _scan(X, Q, k, n_threads)
        if found is not None:
            return found
    return _climb(X if tree is None else tree, Q, k, metric, n_threads)


def planted(X, k, metric, n_threads, anyway=False):
    """A k-d tree of X as a tuple of arrays; None where a scan is faster, by the leaves some queries meet."""
    from ml_core.kernels import kdtree

    tree = kdtree.plant(X, lambda work, jobs: each(work, jobs, n_threads))
    if metric[0] == SQUARES and not anyway:
        some = X[:: max(1, len(X) // 64)].astype(np.float64)
        leaves = _climb_rows(tree, some, np.arange(len(some)), heaps(len(some), min(k, len(X))), metric)
        if leaves / len(some) * LEAVES > len(X):
            return None
    return tuple(tree)


def _small(X, Q, k, metric, n_threads):
    """NumPy only."""
    best = heaps(len(Q), k)
    frame = _frame(X, Q)

    def work(rows):
        found = _sift(X, Q[rows], k, frame) if metric[0] == SQUARES else None
        best[0][rows], best[1][rows] = _plain(X, Q[rows], k, metric) if found is None else found

    each(work, slices(len(Q), ROWS), n_threads if len(X) * len(Q) > 1e6 else 1)
    return best


def heaps(m, k):
    """Empty places: distances (m, k) of inf and indices (m, k) later than every point."""
    return np.full((m, k), np.inf), np.full((m, k), NOBODY)


def _frame(X, Q):
    """Centre (d,) and scale (a power of two) in which no float32 overflows."""
    centre = X[:: max(1, len(X) // 1024)].astype(np.float64).mean(axis=0)
    largest = max(np.abs(part - centre).max(initial=0.0) for whole in (X, Q) for part in _pieces(whole))
    return centre, 2.0 ** -np.frexp(largest)[1] if largest > 0 else 1.0


def _pieces(X):
    size = max(1, (1 << 17) // X.shape[1])
    return (X[cut] for cut in slices(len(X), size))


def _lanes(X, frame):
    """Rows in the frame, as float32, and their exact squared lengths."""
    rows = ((X - frame[0]) * frame[1]).astype(np.float32)
    wide = rows.astype(np.float64)
    return rows, np.einsum("ij,ij->i", wide, wide)


def _sift(X, Q, k, frame):
    """Sums and indices (m, k) of a block of queries; None where float32 tells too few points apart.

    The chunks double, so that each brings few points nearer than the k nearest before it.
    """
    lanes, square = _lanes(Q, frame)
    length, unit = np.sqrt(square), frame[1] ** 2
    best = heaps(len(Q), k)
    start, size = 0, max(1024, 4 * k)
    # memory costs most when touched first: one room for all chunks
    room = np.empty(len(Q) * min(max(size, WIDTH), len(X)), np.float32)
    while start < len(X):
        cut = slice(start, min(start + size, len(X)))
        part, far = _lanes(X[cut], frame)
        score = np.matmul(lanes, part.T, out=room[: len(Q) * len(part)].reshape(len(Q), -1))
        np.subtract((0.5 * far).astype(np.float32), score, out=score)
        if start == 0 and score.shape[1] > k:
            bound = np.partition(score, k - 1, axis=1)[:, k - 1].astype(np.float64) * 2 + square
            bound = np.maximum(bound, 0) + 4 * _blur(length, np.sqrt(far.max()), X.shape[1])
        else:
            bound = best[0][:, -1] * unit
        rows, columns = where(score <= _limit(bound, length, np.sqrt(far.max()), X.shape[1])[:, None])
        if len(rows) > len(Q) * (16 * k + 256):
            return None
        best = merge(best, rows, columns + start, pairs(Q, X, rows, columns + start))
        start, size = cut.stop, max(size, min(2 * size, WIDTH))
    return best


def where(few):
    """Rows and columns of what is true; NumPy searches one dimension several times as fast as two."""
    return np.divmod(np.flatnonzero(few), few.shape[1])


def _blur(length, radius, d):
    """How far half a squared distance by float32 may be off, by lengths of query and point (scan.limit)."""
    return (d + 6) * 6.1e-8 * (length + radius) ** 2 + 1e-36


def _limit(bound, length, radius, d):
    """Scores above this belong to points farther than ``bound``; float32 (m,)."""
    with np.errstate(invalid="ignore"):
        value = (
            0.5 * bound
            - 0.5 * length**2
            + _blur(length, radius, d)
            + np.sqrt(bound) * 6.1e-8 * (length + radius)
        )
        value += 3e-7 * np.abs(value)
    return np.where(np.isfinite(bound), value, 3e38).astype(np.float32)


def merge(best, rows, index, total):
    """The k nearest of best (m, k) and of candidates (c,) in order of rows, then index."""
    m, k = best[0].shape
    counts = np.bincount(rows, minlength=m)
    width = k + counts.max(initial=0)
    place = k + np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    far, who = heaps(m, width)
    far[:, :k], who[:, :k] = best
    far[rows, place], who[rows, place] = total, index
    order = np.argsort(far, axis=1, kind="stable")[:, :k]  # stable: those before have the smaller index
    return np.take_along_axis(far, order, axis=1), np.take_along_axis(who, order, axis=1)


def _plain(X, Q, k, metric):
    """The same by all distances, a chunk of points at a time."""
    best = heaps(len(Q), k)
    size = max(k, (1 << 21) // len(Q))
    for cut in slices(len(X), size):
        total = between(Q, X[cut], metric)
        rows, columns = first(total, k)
        best = merge(best, rows, columns + cut.start, total[rows, columns])
    return best


def first(total, k):
    """Rows and columns of the k smallest of each row of total (m, n); of equal ones the first columns."""
    if total.shape[1] <= k:
        return np.divmod(np.arange(total.size), total.shape[1])
    kth = np.partition(total, k - 1, axis=1)[:, k - 1, None]
    keep = total <= kth
    if keep.sum() > len(total) * k:
        keep &= (total < kth) | (np.cumsum(total == kth, axis=1) <= k - (total < kth).sum(axis=1)[:, None])
    return where(keep)


def _scan(X, Q, k, n_threads):
    """Compiled scan; None where too many points had to be looked at one by one."""
    from ml_core.kernels import scan, tiles

    frame, d = _frame(X, Q), X.shape[1]
    negated, square = _lanes(Q, frame)
    np.negative(negated, out=negated)
    queries = scan.Queries(Q, negated, np.sqrt(square))
    best = scan.Best(*heaps(len(Q), k))
    cuts = [(rows.start, rows.stop) for rows in slices(len(Q), TILE)]
    size = max(1, CHUNK // (d * tiles.LANES))
    blocks = min(size, -(-len(X) // tiles.LANES))
    lanes = np.empty((blocks, d, tiles.LANES), np.float32)
    half, radius = np.empty((blocks, tiles.LANES), np.float32), np.empty(blocks)
    for rows in slices(len(X), size * tiles.LANES):
        used = -(-(rows.stop - rows.start) // tiles.LANES)

        def fill(some, begin=rows.start, last=rows.stop):
            part = X[begin + some.start * tiles.LANES : min(begin + some.stop * tiles.LANES, last)]
            radius[some] = tiles.fill(part, frame, lanes[some], half[some])

        each(fill, slices(used, 64), n_threads)
        points = scan.Points(X, rows.start, lanes[:used], half[:used], radius[:used])

        def work(cut, points=points):
            return scan.scan(queries, points, best, cut, frame[1] ** 2)

        todo = cuts
        if rows.start == 0:
            looked = each(work, cuts[:1], 1)[0]
            if looked > (cuts[0][1] - cuts[0][0]) * (0.03 * (rows.stop - rows.start) + 30 * k):
                return None
            todo = cuts[1:]
        each(work, todo, n_threads)
    each(lambda cut: scan.settle_all(best, cut), cuts, 1)
    return best.distance, best.index


def _climb(tree, Q, k, metric, n_threads):
    """Compiled tree search; queries of one leaf together."""
    from ml_core.kernels import kdtree

    if not isinstance(tree, tuple):
        tree = kdtree.plant(tree, lambda work, jobs: each(work, jobs, n_threads))
    tree, Q = kdtree.Tree(*tree), Q.astype(np.float64)
    if tree.points.shape[2] != kdtree.LEAF:
        raise ValueError(
            f"a search tree has leaves of {tree.points.shape[2]} points, not {kdtree.LEAF}: fit anew"
        )
    best = heaps(len(Q), k)
    leaf = np.empty(len(Q), np.int64)
    kdtree.leaf_of(tree, Q, leaf)
    order = np.argsort(leaf, kind="stable")
    each(lambda some: _climb_rows(tree, Q, order[some], best, metric), slices(len(Q), 1024), n_threads)
    return best


def _climb_rows(tree, Q, rows, best, metric):
    from ml_core.kernels import kdtree

    return kdtree.search(tree, Q, rows, best, metric)
