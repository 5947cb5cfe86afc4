"""A small tree in NumPy, a level at a time: rows sorted by every column, all its nodes in one pass.

Where min_rows leaves room for few more leaves than are wanted, growing all of them and then choosing in the
order of gains costs less than a histogram a node. Letters: n rows, d columns, k nodes of a level.
"""

from typing import NamedTuple

import numpy as np

from ml_core.kernels.formulas import LOW32, score_of, value_of
from ml_core.kernels.plain_split import sums
from ml_core.kernels.records import NONE

MOST = 63  # leaves wanted at most, so that the nodes of a level are numbers of 8 bits, which sort fast
WORDS = np.array(
    [[((1 << code + 1) - 1) >> 64 * word & (1 << 64) - 1 for word in range(4)] for code in range(256)],
    np.uint64,
)  # (256, 4): the set of all codes up to one


class Level(NamedTuple):
    """Nodes that may split: rows (k,), packed totals (k,), depth, and where their rows stand in flat (d, n)
    tables: order (d, n), node after node and in order of each column.
    """

    sizes: np.ndarray
    totals: np.ndarray
    depth: int
    order: np.ndarray


class Split(NamedTuple):
    """The best split of a node; ``left``: where its left child stands among all, the right one follows."""

    gain: float
    column: int
    cut: int
    rows: int
    total: int
    left: int


def fits(job):
    """Whether a tree is small, and of numeric columns free of constraints and of missing values."""
    rules, found, n = job.rules[0], job.found, len(job.rows)
    most, least = int(rules["max_leaves"]), int(rules["min_rows"])
    if not 0 < n <= 2 * most * least or n < max(2, 2 * least) or most > MOST or job.groups.shape[1]:
        return False
    if rules["max_columns"] < len(found) or found["categorical"].any() or found["monotone"].any():
        return False
    return not (job.columns[:, job.rows] == found["bins"][:, None]).any()


def grow(job):
    """As ``plain.grow`` for a job that ``fits``."""
    codes = job.columns[:, job.rows]
    sizes, totals, splits = plan(codes, job.packed[job.rows], job.rules[0])
    at, left, start, rows = choose(codes, sizes, splits, job)
    job.rows[:] = job.rows[rows]
    enter(job, (at, left, start), (sizes, totals, splits))
    return len(at)


def plan(codes, packed, rules):
    """codes (d, n) and packed (n,) -> sizes, packed totals and splits (None in a leaf) of every node that may
    be, the root first.
    """
    d, n = codes.shape
    sizes, totals, splits = [n], [int(packed.sum())], [None]
    order = np.argsort(codes, axis=1, kind="stable") + n * np.arange(d)[:, None]
    level, numbers = Level(np.array(sizes), np.array(totals), 0, order), [0]
    tables = codes.ravel(), np.tile(packed, d)
    while numbers:
        label, kept = np.full(n, 255, np.uint8), []
        begins = np.cumsum(level.sizes) - level.sizes
        for i, (gain, column, n_left, total) in best_of(level, *tables, rules):
            rows = level.order[column, begins[i] : begins[i] + level.sizes[i]] - column * n
            child, cut = len(sizes), int(codes[column, rows[n_left - 1]])
            splits[numbers[i]] = Split(gain, column, cut, n_left, total, child)
            sizes += [n_left, len(rows) - n_left]
            totals += [total, int(level.totals[i]) - total]
            splits += [None, None]
            for number, part in heirs(child, rows, n_left, (level.depth + 1, rules)):
                label[part] = len(kept)
                kept.append(number)
        level, numbers = below(level, np.tile(label, d), kept, (sizes, totals)), kept
    return sizes, totals, splits


def heirs(child, rows, n_left, law):
    """Number and rows of those of the two new nodes ``child`` and ``child + 1`` that may split; law: their
    depth, and the rules.
    """
    depth, rules = law
    if 0 < rules["max_depth"] <= depth:
        return []
    both = ((child, rows[:n_left]), (child + 1, rows[n_left:]))
    return [(number, part) for number, part in both if len(part) >= max(2, 2 * rules["min_rows"])]


def below(level, label, kept, known):
    """The next level: nodes by label (d * n,), 255 for those of leaves; kept: the nodes' numbers."""
    sizes, totals = (np.array([part[i] for i in kept], np.int64) for part in known)
    by_node = np.argsort(label[level.order], axis=1, kind="stable")[:, : sizes.sum()]
    by_node += level.order.shape[1] * np.arange(len(by_node))[:, None]
    return Level(sizes, totals, level.depth + 1, level.order.ravel()[by_node])


def best_of(level, codes, packed, rules):
    """codes, packed (d * n,) -> (node, (gain, column, rows left, packed sum left)) of each node of a level
    that gains, one by one.
    """
    sizes, least = level.sizes, max(1, int(rules["min_rows"]))
    begins, k = np.cumsum(sizes) - sizes, len(sizes)
    wide = sizes - 2 * least + 1  # places where both sides have rows enough
    node = np.repeat(np.arange(k), wide)
    firsts = np.cumsum(wide) - wide
    at = np.arange(len(node)) + (begins - firsts + least - 1)[node]
    before = np.cumsum(level.totals) - level.totals
    lefts = np.cumsum(packed[level.order], axis=1)[:, at] - before[node]
    ends = codes[level.order[:, at]] != codes[level.order[:, at + 1]]  # a cut parts codes, not rows
    low, whole = lefts & LOW32, (level.totals & LOW32)[node]
    if rules["min_hessian"] > 0:
        ends &= np.minimum(low, whole - low) * rules["unit_h"] >= rules["min_hessian"]
    (G, H), GL, HL = sums(level.totals, rules), (lefts >> 32) * rules["unit_g"], low * rules["unit_h"]
    l1, l2 = rules["l1"], rules["l2"]
    gain = score_of(GL, HL, l1, l2)
    gain += score_of(G[node] - GL, H[node] - HL, l1, l2)
    gain = np.where(ends, gain, -np.inf)
    best = np.maximum.reduceat(gain, firsts, axis=1)
    columns, score = best.argmax(axis=0), score_of(G, H, l1, l2)
    gained = (best[columns, np.arange(k)] - score) / 2
    for i in np.flatnonzero(gained > np.maximum(rules["min_gain"], 1e-12 * score)):
        j, first = columns[i], firsts[i]
        place = first + gain[j, first : first + wide[i]].argmax()
        yield i, (gained[i], int(j), int(at[place] - begins[i]) + 1, int(lefts[j, place]))


def choose(codes, sizes, splits, job):
    """Split in order of gains until there are leaves enough -> for each node of the tree its number in the
    plan, its left child (0 in a leaf) and where its rows start; and the rows' order (n,). A node whose
    split was never looked for stands as the negative of its number.
    """
    most = min(int(job.rules[0]["max_leaves"]), (len(job.nodes) + 1) // 2)
    rows = np.arange(codes.shape[1])
    at, left, start, n_leaves = [0], [0], [0], 1
    queue = [0] if splits[0] else []
    while queue and n_leaves < most:
        index = max(queue, key=lambda i: (splits[at[i]].gain, -i))
        queue.remove(index)
        split, begin = splits[at[index]], start[index]
        stretch = rows[begin : begin + sizes[at[index]]]
        goes = codes[split.column, stretch] <= split.cut
        stretch[:] = np.concatenate([stretch[goes], stretch[~goes]])
        left[index] = child = len(at)
        n_leaves += 1
        sign = -1 if n_leaves == most else 1
        at += [sign * split.left, sign * (split.left + 1)]
        left += [0, 0]
        start += [begin, begin + split.rows]
        if n_leaves < most:
            queue += [i for i in (child, child + 1) if splits[at[i]]]
    return at, left, start, rows


def enter(job, tree, known):
    """Write a tree into job.nodes; tree: as ``choose`` gives it, known: as ``plan`` does."""
    rules, (at, left, start), (sizes, totals, splits) = job.rules[0], tree, known
    nodes = job.nodes[: len(at)]
    numbers = np.abs(at)
    nodes["rows"], nodes["total"] = np.array(sizes)[numbers], np.array(totals)[numbers]
    nodes["left"], nodes["start"] = left, start
    for name, value in (("column", NONE), ("cut", 0), ("missing", 0), ("gain", -np.inf), ("l2", rules["l2"])):
        nodes[name] = value
    nodes["bits"], nodes["unseen"], nodes["low"], nodes["high"], nodes["depth"] = 0, 0, -np.inf, np.inf, 0
    nodes["value"] = value_of(*sums(nodes["total"], rules), rules["l1"], rules["l2"])
    for parent in np.flatnonzero(nodes["left"]):
        nodes["depth"][left[parent] : left[parent] + 2] = nodes["depth"][parent] + 1
    looked = np.array([i for i, number in enumerate(at) if number >= 0 and splits[number]], np.int64)
    if not len(looked):
        return
    best = [splits[at[i]] for i in looked]
    for name in ("gain", "column", "cut"):
        nodes[name][looked] = [getattr(split, name) for split in best]
    nodes["sum_left"][looked] = [split.total for split in best]
    absent = job.found["bins"][nodes["column"][looked]]
    nodes["unseen"][looked] = WORDS[absent] ^ WORDS[absent - 1]
    nodes["bits"][looked] = WORDS[nodes["cut"][looked]]
    twice = 2 * np.array([split.rows for split in best])
    major = looked[(nodes["left"][looked] > 0) & (twice >= nodes["rows"][looked])]
    nodes["bits"][major] |= nodes["unseen"][major]  # what no row can tell goes with the majority
    nodes["missing"][major] = 1
