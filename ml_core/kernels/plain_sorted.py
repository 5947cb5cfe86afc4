"""A small tree in NumPy without histograms: the rows of a node stand sorted by every column.

A histogram has a slot for every bin, however few the rows; running sums over sorted rows have one a row. The
order of all rows is the same for every tree, and a node's is what is left of its parent's.
Letters: n rows, d columns, r rows of a node.
"""

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ml_core.kernels.formulas import LOW32, TINY, score_of, value_of
from ml_core.kernels.plain_split import sums
from ml_core.kernels.records import NODE, NONE

MOST = 1500  # rows: with 2000, histograms are as fast at 31 leaves
FEW = 8  # cuts tried before all are asked whether they may be
WORDS = np.array(
    [[((1 << code + 1) - 1) >> 64 * word & (1 << 64) - 1 for word in range(4)] for code in range(256)],
    np.uint64,
)  # (256, 4): the set of all codes up to one


class Law(NamedTuple):
    """Rules as plain numbers; least: rows a child has at least, least_h: units of hessian; free: whether no
    penalty is asked and every row has a unit of hessian.
    """

    l1: float
    l2: float
    min_gain: float
    unit_g: float
    unit_h: float
    least: int
    least_h: int
    max_depth: int
    free: bool


class Split(NamedTuple):
    """The best split of a node: of its column, codes up to cut go left, that is so many of its sorted rows,
    with so many units of gradient and hessian.
    """

    gain: float
    column: int
    cut: int
    size: int
    G: int
    H: int


@dataclass(slots=True)
class Node:
    """A node's stretch of job.rows, units of gradient and hessian; left: its left child, 0 in a leaf; where
    it may split, order (d, r): its rows in that of each column; and the best split, if any gains.
    """

    start: int
    size: int
    G: int
    H: int
    depth: int
    left: int = 0
    order: np.ndarray | None = None
    split: Split | None = None


def sort(job):
    """All rows of job.columns in the order of each column (d, n); None where columns have constraints, sets
    or missing values, or a tree on so many rows grows faster by histograms.
    """
    rules, found, (d, n) = job.rules[0], job.found, job.columns.shape
    if not 0 < n <= MOST or rules["max_leaves"] == 0 or job.groups.shape[1]:
        return None
    if rules["max_columns"] < d or found["categorical"].any() or found["monotone"].any():
        return None
    if (job.columns == found["bins"][:, None]).any():
        return None
    return job.columns.argsort(axis=1, kind="stable")


def grow(job, order):
    """As ``plain.grow``, with the order that ``sort`` found."""
    n, rows = order.shape[1], job.rows
    values = np.empty(n, np.complex128)  # whole numbers below 2**53 add up exactly in floats
    values.real, values.imag = job.packed >> 32, job.packed & LOW32
    law, total = law_of(job.rules[0], values.imag.min()), values[rows].sum()
    root = Node(0, len(rows), int(total.real), int(total.imag), 0)
    if may_split(root, law):
        root.order = order if len(rows) == n else chosen(order, members(rows, n))
    full = 2 * min(int(job.rules[0]["max_leaves"]), (len(job.nodes) + 1) // 2) - 1
    tree, queue, new = [root], [], [0]
    while True:
        for index in new:
            look(tree[index], (job.columns, values), law)
            if tree[index].split:
                heapq.heappush(queue, (-tree[index].split.gain, index))
        if not queue or len(tree) >= full:
            break
        parent = tree[heapq.heappop(queue)[1]]
        parent.left = len(tree)
        tree += divide(parent, rows, n, law)
        new = [parent.left, parent.left + 1] if len(tree) < full else []
    enter(job, tree)
    return len(tree)


def law_of(rules, least_h_row):
    """Law from a record of rules and the units of hessian that a row has at least."""
    unit_h, wanted = float(rules["unit_h"]), float(rules["min_hessian"])
    least_h = max(0, math.ceil(wanted / unit_h) - 2)
    while least_h * unit_h < wanted:  # the division may be a rounding off
        least_h += 1
    l1, l2, min_gain, unit_g = (float(rules[name]) for name in ("l1", "l2", "min_gain", "unit_g"))
    free = l1 == l2 == 0 and least_h_row >= 1 and unit_h > 2 * TINY
    least, max_depth = max(1, int(rules["min_rows"])), int(rules["max_depth"])
    return Law(l1, l2, min_gain, unit_g, unit_h, least, least_h, max_depth, free)


def members(rows, n):
    """Which of n rows are among some (n,)."""
    found = np.zeros(n, bool)
    found[rows] = True
    return found


def chosen(order, kept):
    """order (d, r) of those rows alone that are kept (n,) bool."""
    return order.compress(kept.take(order.ravel())).reshape(len(order), -1)


def may_split(node, law):
    """Whether there may be two children with rows and hessian enough."""
    deep = 0 < law.max_depth <= node.depth
    return not deep and min(node.size - 2 * law.least, node.H - 2 * law.least_h) >= 0


def look(node, table, law):
    """Find the best split of a node, the first of equals, if it may have one and one gains; table: codes
    (d, n), and units of gradient and hessian (n,) as real and imaginary parts.
    """
    (codes, values), order, first, last = table, node.order, law.least - 1, node.size - law.least
    if order is None:
        return
    lefts = values.take(order[:, :last]).cumsum(axis=1)[:, first:]  # where both sides have rows enough
    gain, high = gains(lefts, node, law), node.H - law.least_h
    score = float(score_of(node.G * law.unit_g, node.H * law.unit_h, law.l1, law.l2))
    for tried in itertools.count():
        column, place = divmod(int(gain.argmax()), last - first)
        gained = (float(gain[column, place]) - score) / 2
        if not gained > max(law.min_gain, 1e-12 * score):
            return
        at, left = first + place, lefts[column, place]
        cut, following = codes[column, order[column, at : at + 2]].tolist()
        if cut != following and law.least_h <= left.imag <= high:
            break
        gain[column, place] = -np.inf
        if tried == FEW:  # to ask everywhere costs more than to find the best cut, which is good most often
            own = np.take_along_axis(codes, order[:, first : last + 1], axis=1)
            bad = (own[:, 1:] == own[:, :-1]) | (lefts.imag < law.least_h) | (lefts.imag > high)
            gain[bad] = -np.inf
    node.split = Split(gained, column, cut, at + 1, int(left.real), int(left.imag))


def gains(lefts, node, law):
    """Sum of both children's scores for so many units of gradient and hessian to the left (d, w)."""
    GL, HL = lefts.real * law.unit_g, lefts.imag * law.unit_h
    GR, HR = node.G * law.unit_g - GL, node.H * law.unit_h - HL
    if not law.free:
        return score_of(GL, HL, law.l1, law.l2) + score_of(GR, HR, law.l1, law.l2)
    for g, h in ((GL, HL), (GR, HR)):  # the same less what changes nothing
        g *= g
        g /= h
    GL += GR
    return GL


def divide(parent, rows, n, law):
    """Part a node's stretch of rows, of n in all -> its two children."""
    split, depth = parent.split, parent.depth + 1
    side = members(parent.order[split.column, : split.size], n)
    own = rows[parent.start : parent.start + parent.size]
    goes = side[own]
    own[:] = np.concatenate([own[goes], own[~goes]])
    left = Node(parent.start, split.size, split.G, split.H, depth)
    size, middle = parent.size - split.size, parent.start + split.size
    right = Node(middle, size, parent.G - split.G, parent.H - split.H, depth)
    for child, kept in ((left, side), (right, ~side)):
        if may_split(child, law):
            child.order = chosen(parent.order, kept)
    parent.order = None
    return left, right


def enter(job, tree):
    """Write a tree into job.nodes."""
    rules, nodes = job.rules[0], job.nodes[: len(tree)]
    blank = np.zeros(1, NODE)
    blank["column"], blank["gain"], blank["l2"] = NONE, -np.inf, rules["l2"]
    blank["low"], blank["high"] = -np.inf, np.inf
    nodes[:] = blank
    nodes["rows"], nodes["start"] = [node.size for node in tree], [node.start for node in tree]
    nodes["depth"], nodes["left"] = [node.depth for node in tree], [node.left for node in tree]
    nodes["total"] = [(node.G << 32) + node.H for node in tree]
    nodes["value"] = value_of(*sums(nodes["total"], rules), rules["l1"], rules["l2"])
    looked = np.array([i for i, node in enumerate(tree) if node.split], np.int64)
    if not len(looked):
        return
    best = [tree[i].split for i in looked]
    for name in ("gain", "column", "cut"):
        nodes[name][looked] = [getattr(split, name) for split in best]
    nodes["sum_left"][looked] = [(split.G << 32) + split.H for split in best]
    absent = job.found["bins"][nodes["column"][looked]]
    nodes["unseen"][looked] = WORDS[absent] ^ WORDS[absent - 1]
    nodes["bits"][looked] = WORDS[nodes["cut"][looked]]
    twice = 2 * np.array([split.size for split in best])
    major = looked[(nodes["left"][looked] > 0) & (twice >= nodes["rows"][looked])]
    nodes["bits"][major] |= nodes["unseen"][major]  # what no row can tell goes with the majority
    nodes["missing"][major] = 1
