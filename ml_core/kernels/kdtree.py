"""A balanced k-d tree with boxes, compiled: neighbours in few dimensions, or where a product is no help.

Letters: n points, m queries, d columns, k neighbours, L levels. Node i has the children 2i + 1 and 2i + 2;
the last 2**L nodes are leaves of at most LEAF points, side by side, column after column: a leaf is one
vector loop. A box's distance adds the same terms in the same order as a point's, and rounding keeps order:
no point in a box can come out nearer than its box, and no slack is needed. Points and boxes keep the type
of X, and indices are as small as n allows; queries are float64, and so is every distance.
"""

from typing import NamedTuple

import numpy as np

from ml_core.kernels.distance import LARGEST, LEAF, POWERS, SQUARES, SUMS
from ml_core.kernels.heap import push, settle
from ml_core.kernels.jit import jit

NEAR = 8  # levels whose rows, some thousands, stay in cache while all of them are divided
NONE = -1  # index of nobody


class Tree(NamedTuple):
    """Boxes of the nodes and points of the leaves."""

    low: np.ndarray  # (nodes, d)
    high: np.ndarray  # (nodes, d)
    least: np.ndarray  # (nodes,) smallest index inside
    points: np.ndarray  # (leaves, d, LEAF)
    member: np.ndarray  # (leaves, LEAF) index, NONE where the place is empty


def plant(X, share):
    """X (n, d) float -> Tree; ``share(work, jobs)`` calls work(job) for each job, on any threads."""
    n, d = X.shape
    levels = 0
    while n > LEAF << levels:
        levels += 1
    leaves, nodes = 1 << levels, (2 << levels) - 1
    index = np.int32 if n <= np.iinfo(np.int32).max else np.int64
    tree = Tree(
        np.empty((nodes, d), X.dtype),
        np.empty((nodes, d), X.dtype),
        np.empty(nodes, index),
        np.empty((leaves, d, LEAF), X.dtype),
        np.full((leaves, LEAF), NONE, index),
    )
    cut = np.zeros((nodes, 2), np.int64)
    cut[0] = 0, n
    room = tree.points.reshape(-1)  # values to divide by, until the points come
    work = cut, np.ascontiguousarray(X), np.arange(n, dtype=index), room
    top = min(levels, 3)  # eight subtrees to share out
    divide(work, 0, top)
    jobs = range((1 << top) - 1, (2 << top) - 1)
    share(lambda root: divide(work, root, levels - top), jobs)
    share(lambda root: wrap(tree, work, root, levels - top), jobs)
    wrap(tree, work, 0, top)
    return tree


@jit()
def divide(work, root, levels):
    """Halve the rows of each node under ``root``, ``levels`` deep, the last of them subtree by subtree."""
    upper = max(levels - NEAR, 0)
    divide_levels(work, root, upper)
    for node in range(((root + 1) << upper) - 1, ((root + 2) << upper) - 1):
        divide_levels(work, node, levels - upper)


@jit()
def divide_levels(work, root, levels):
    """Halve level by level, each node across the column of largest spread."""
    cut, X, order, room = work
    for level in range(levels):
        for node in range(((root + 1) << level) - 1, ((root + 2) << level) - 1):
            start, stop = cut[node]
            middle = (start + stop) // 2
            widest(X, order[start:stop], room[start:stop])
            halve(room[start:stop], order[start:stop], middle - start)
            cut[2 * node + 1] = start, middle
            cut[2 * node + 2] = middle, stop


@jit()
def widest(X, order, values):
    """Fill in the values of rows ``order`` in the column of largest spread.

    Of some rows where there are many: the boxes are exact whatever column it is.
    """
    step = max(1, len(order) // 64)
    best, axis = -1.0, 0
    for k in range(X.shape[1]):
        low = high = X[order[0], k]
        for i in range(0, len(order), step):
            low = min(low, X[order[i], k])
            high = max(high, X[order[i], k])
        if high - low > best:
            best, axis = high - low, k
    for i in range(len(order)):
        values[i] = X[order[i], axis]


@jit()
def halve(values, order, middle):
    """Reorder so that nothing before ``middle`` is larger than what follows (Hoare's quickselect)."""
    left, right = 0, len(order) - 1
    while left < right:
        i, j = part(values, order, left, right)
        if middle <= j:
            right = j
        elif middle >= i:
            left = i
        else:
            return


@jit()
def part(values, order, left, right):
    """Bring smaller values before larger ones, from left to right -> where the halves start and end."""
    i, j = left, right
    a, b, c = values[i], values[(i + j) // 2], values[j]
    pivot = max(min(a, b), min(max(a, b), c))
    while i <= j:
        while values[i] < pivot:
            i += 1
        while values[j] > pivot:
            j -= 1
        if i <= j:
            order[i], order[j] = order[j], order[i]
            values[i], values[j] = values[j], values[i]
            i += 1
            j -= 1
    return i, j


@jit()
def hang(tree, work, node, leaf):
    """Fill a leaf and its box."""
    cut, X, order, _ = work
    start, stop = cut[node]
    tree.least[node] = order[start:stop].min()
    tree.member[leaf, : stop - start] = order[start:stop]
    tree.points[leaf] = 0
    for j in range(stop - start):
        for k in range(X.shape[1]):
            tree.points[leaf, k, j] = X[order[start + j], k]
    for k in range(X.shape[1]):
        tree.low[node, k] = tree.points[leaf, k, : stop - start].min()
        tree.high[node, k] = tree.points[leaf, k, : stop - start].max()


@jit()
def wrap(tree, work, root, levels):
    """Leaves and boxes under ``root``, from below; nodes further down have theirs already."""
    n_inner = len(tree.points) - 1
    for node in range(((root + 1) << levels) - 1, ((root + 2) << levels) - 1):
        if node >= n_inner:
            hang(tree, work, node, node - n_inner)
    for level in range(levels - 1, -1, -1):
        for node in range(((root + 1) << level) - 1, ((root + 2) << level) - 1):
            left, right = 2 * node + 1, 2 * node + 2
            tree.least[node] = min(tree.least[left], tree.least[right])
            for k in range(tree.low.shape[1]):
                tree.low[node, k] = min(tree.low[left, k], tree.low[right, k])
                tree.high[node, k] = max(tree.high[left, k], tree.high[right, k])


@jit()
def term(total, step, kind, p):
    """Add one column's difference to a distance."""
    if kind == SQUARES:
        return total + step * step
    if kind == SUMS:
        return total + abs(step)
    if kind == LARGEST:
        return max(total, abs(step))
    return total + abs(step) ** p


@jit()
def away(point, low, high, metric):
    """Distance of a point (d,) from a box."""
    kind, p = metric
    total = 0.0
    for k in range(len(point)):
        total = term(total, max(max(low[k] - point[k], point[k] - high[k]), 0.0), kind, p)
    return total * (1 - 1e-12) if kind == POWERS else total  # a power need not round in order


@jit()
def leaf_of(tree, Q, leaf):
    """Leaf (m,) a query falls into: queries of one leaf are neighbours and share the cache."""
    n_inner = len(tree.points) - 1
    for q in range(len(Q)):
        node = 0
        while node < n_inner:
            left = away(Q[q], tree.low[2 * node + 1], tree.high[2 * node + 1], (SQUARES, 2.0))
            right = away(Q[q], tree.low[2 * node + 2], tree.high[2 * node + 2], (SQUARES, 2.0))
            node = 2 * node + 1 + (right < left)
        leaf[q] = node - n_inner


@jit()
def look(leaf, point, metric, best):
    """Bring a heap up to date with the points of a leaf (points (d, LEAF), member (LEAF,))."""
    kind, p = metric
    points, member = leaf
    distance, index = best
    far = np.zeros(LEAF)
    for k in range(len(point)):
        value, lane = point[k], points[k]
        if kind == SQUARES:
            for j in range(LEAF):
                step = lane[j] - value
                far[j] += step * step
        else:
            for j in range(LEAF):
                far[j] = term(far[j], lane[j] - value, kind, p)
    for j in range(LEAF):
        if member[j] == NONE:
            break
        if far[j] < distance[0] or (far[j] == distance[0] and member[j] < index[0]):
            push(distance, index, far[j], member[j])


@jit()
def find(tree, point, metric, best):
    """Fill one heap best = (distance (k,), index (k,)); returns how many leaves were looked at.

    A box as far as the worst neighbour still matters while it may hold an earlier index.
    """
    distance, index = best
    n_inner, looked = len(tree.points) - 1, 0
    nodes, bounds = np.empty(128, np.int64), np.empty(128)
    nodes[0], bounds[0], depth = 0, 0.0, 1
    while depth:
        depth -= 1
        node, bound = nodes[depth], bounds[depth]
        while bound < distance[0] or (bound == distance[0] and tree.least[node] < index[0]):
            if node >= n_inner:
                look((tree.points[node - n_inner], tree.member[node - n_inner]), point, metric, best)
                looked += 1
                break
            near, other = 2 * node + 1, 2 * node + 2
            bound = away(point, tree.low[near], tree.high[near], metric)
            beyond = away(point, tree.low[other], tree.high[other], metric)
            if beyond < bound:
                near, other, bound, beyond = other, near, beyond, bound
            nodes[depth], bounds[depth] = other, beyond
            depth += 1
            node = near
    return looked


@jit()
def search(tree, Q, rows, best, metric):
    """Fill and settle the heaps best = (distance (m, k), index (m, k)) of queries ``rows`` -> leaves seen."""
    looked = 0
    for q in rows:
        heap = best[0][q], best[1][q]
        looked += find(tree, Q[q], metric, heap)
        settle(heap[0], heap[1])
    return looked
