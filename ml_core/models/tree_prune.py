"""Make grown trees smaller: by depth, by rows, by what splits gain, by cost-complexity pruning.

Letters: m nodes of a tree. Limits that only stop a branch earlier leave the splits above it as they are, so
one tree of loose limits holds all trees of stricter ones.
"""

import heapq

import numpy as np

from ml_core.models.forest_job import Grown


def levels(nodes):
    """Inner nodes by depth, the root first: [indexes]."""
    inner = np.flatnonzero(nodes["left"] >= 0)
    inner = inner[np.argsort(nodes["depth"][inner], kind="stable")]
    return np.split(inner, np.flatnonzero(np.diff(nodes["depth"][inner])) + 1) if len(inner) else []


def cut_back(grown, leaf):
    """The tree in which the nodes of leaf (m,) bool are leaves, whatever they were."""
    nodes, keep, spread = grown.nodes, np.zeros(len(grown.nodes), bool), grown.nodes["spread"].copy()
    keep[0] = True
    by_depth = levels(nodes)
    for some in by_depth:
        left = nodes["left"][some]
        keep[left] = keep[left + 1] = keep[some] & ~leaf[some]
    for some in by_depth[::-1]:
        left = nodes["left"][some]
        spread[some] = spread[left] + spread[left + 1]
    place = np.cumsum(keep) - 1
    inner = (nodes["left"] >= 0) & ~leaf
    own = nodes[keep]
    own["spread"] = np.where(inner[keep], 0, spread[keep])
    own["left"] = np.where(inner, place[np.maximum(nodes["left"], 0)], -1)[keep]
    own["gain"] *= own["left"] >= 0
    return Grown(own, grown.sums[keep], grown.unit, grown.shift)


def stopped(grown, limits, min_gain):
    """The tree that stricter limits of depth, rows to split or gain (in the kernel's units) give."""
    nodes = grown.nodes
    leaf = (nodes["rows"] < limits.split) | (nodes["gain"] < min_gain)
    if limits.depth:
        leaf |= nodes["depth"] >= limits.depth
    leaf &= nodes["left"] >= 0
    return cut_back(grown, leaf) if leaf.any() else grown


def weakest_links(left, loss):
    """Cost-complexity pruning. left (m,): left child or -1; loss (m,): what a node's split gains.

    -> when (m,): the alpha from which on an inner node is a leaf, inf for leaves; alphas of the path, and the
    impurity of the leaves after each of its steps, less that of the whole tree.
    """
    m = len(left)
    parent = np.full(m, -1)
    inner = np.flatnonzero(left >= 0)
    parent[left[inner]] = parent[left[inner] + 1] = inner
    gain, leaves = np.where(left >= 0, loss, 0.0).tolist(), (left < 0).astype(int).tolist()
    parent, left = parent.tolist(), left.tolist()
    for node in range(m - 1, 0, -1):  # children stand behind their parents
        gain[parent[node]] += gain[node]
        leaves[parent[node]] += leaves[node]
    when = np.full(m, np.inf)
    heap = [(gain[node] / (leaves[node] - 1), node, leaves[node]) for node in inner.tolist()]
    heapq.heapify(heap)
    gone = [at < 0 for at in left]
    alphas, lost, total, alpha = [0.0], [0.0], 0.0, 0.0
    while heap:
        found, node, counted = heapq.heappop(heap)
        if gone[node] or counted != leaves[node]:
            continue
        alpha = max(alpha, found)
        total += gain[node]
        less, fewer, waiting = gain[node], leaves[node] - 1, [node]
        while waiting:
            one = waiting.pop()
            if not gone[one]:
                gone[one], when[one] = True, alpha
                waiting += [left[one], left[one] + 1]
        up = node
        while up >= 0:
            gain[up] -= less
            leaves[up] -= fewer
            if up != node and not gone[up]:
                heapq.heappush(heap, (gain[up] / (leaves[up] - 1), up, leaves[up]))
            up = parent[up]
        alphas.append(alpha)
        lost.append(total)
    return when, np.array(alphas), np.array(lost)


def pruned(grown, loss, alpha):
    """The smallest subtree of least impurity + alpha * leaves; loss (m,): what a node's split gains."""
    when = weakest_links(grown.nodes["left"], loss)[0]
    return cut_back(grown, (when <= alpha) & (grown.nodes["left"] >= 0))
