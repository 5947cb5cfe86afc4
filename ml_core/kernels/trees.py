"""Trees as flat arrays, what may stand in them, and how to walk them with NumPy alone.

Letters: n rows, d columns, t trees, m nodes of all trees end to end, k category sets, w numbers a leaf holds,
q columns of the result. Codes are those of ``bins``: column j's bins are 0..b[j]-1, and b[j], its highest
code, means missing.

A node asks whether ``code <= cut``, which is the same as ``x <= threshold`` of the raw number, or, where
set_of is not -1, whether the code's bit is in that set. The right child stands after the left one. A leaf is
its own left child, so that walking on from it stays there.
"""

from collections import namedtuple

import numpy as np

# column (m,) int32 in 0..d-1, 0 in a leaf; cut (m,) uint8; threshold (m,) float64, inf where only missing
# goes right; left (m,) int32 within the node's own tree; missing_left (m,) bool; set_of (m,) int32, a row of
# sets or -1; sets (k, 4) uint64: bit c of the 256 says that code c goes left, missing as well; value (m, w)
# float64; start (t + 1,) int64, where each tree's nodes begin; output (t,) int32: a tree adds its leaf's w
# numbers to the result's columns output .. output + w - 1
Trees = namedtuple("Trees", "column cut threshold left missing_left set_of sets value start output")
KINDS = {
    "column": np.int32, "cut": np.uint8, "threshold": np.float64, "left": np.int32, "missing_left": np.bool_,
    "set_of": np.int32, "sets": np.uint64, "value": np.float64, "start": np.int64, "output": np.int32,
}  # fmt: skip
MOST_COLUMNS = MOST_NODES = 1 << 24  # of a table, and of one tree: ``words`` has room for so many
BATCH = 1 << 20  # (row, tree) pairs walked at once


def empty(width=1):
    """No trees, whose leaves would hold ``width`` numbers."""
    shapes = {"sets": (0, 4), "value": (0, width), "start": 1}
    return Trees(**{name: np.zeros(shapes.get(name, 0), kind) for name, kind in KINDS.items()})


def join(some, width=1):
    """Trees end to end, from several such ends in turn."""
    some = [trees for trees in some if len(trees.output)]
    if not some:
        return empty(width)
    nodes = np.cumsum([0, *(len(trees.left) for trees in some)])
    sets = np.cumsum([0, *(len(trees.sets) for trees in some)])
    joined = {name: np.concatenate([getattr(trees, name) for trees in some]) for name in KINDS}
    joined["start"] = np.concatenate(
        [[0], *(trees.start[1:] + at for trees, at in zip(some, nodes, strict=False))]
    )
    shifted = [np.where(one.set_of < 0, -1, one.set_of + at) for one, at in zip(some, sets, strict=False)]
    joined["set_of"] = np.concatenate(shifted)
    return Trees(**{name: joined[name].astype(kind, copy=False) for name, kind in KINDS.items()})


def part(trees, first, last):
    """Trees first .. last - 1, views where that is possible."""
    a, b = trees.start[first], trees.start[last]
    own = {name: getattr(trees, name)[a:b] for name in KINDS if name not in ("sets", "start", "output")}
    return Trees(
        **own, sets=trees.sets, start=trees.start[first : last + 1] - a, output=trees.output[first:last]
    )


def side_by_side(left, right):
    """Children anywhere, left < 0 in leaves -> the nodes level by level (m,), and their left (m,), own index
    in a leaf, so that right is left + 1.
    """
    order, new_left, level, at, end = [], [], np.zeros(1, np.int64), 0, 1
    while len(level):
        inner = left[level] >= 0
        below = np.arange(inner.sum()) * 2 + end
        own = np.arange(at, at + len(level))
        own[inner] = below
        order.append(level)
        new_left.append(own)
        at, end = at + len(level), end + 2 * len(below)
        level = np.column_stack([left[level[inner]], right[level[inner]]]).ravel()
    return np.concatenate(order), np.concatenate(new_left)


def refuse(trees, n_columns, bins, width):
    """ValueError unless every index stays inside its array and every walk ends.

    n_columns: d; bins (d,): how many each column has; width: columns of the result.
    """
    trees = Trees(*(np.asarray(one) for one in trees))
    _must([one.dtype == KINDS[name] for name, one in trees._asdict().items()])
    m, t = len(trees.left), len(trees.output)
    shapes = {
        "sets": (len(trees.sets), 4),
        "value": (m, *trees.value.shape[1:]),
        "start": (t + 1,),
        "output": (t,),
    }
    _must(
        [one.shape == shapes.get(name, (m,)) for name, one in trees._asdict().items()]
        + [trees.value.ndim == 2]
    )
    sizes = np.diff(trees.start)
    _must(
        [
            trees.start[0] == 0,
            trees.start[-1] == m,
            sizes.min(initial=1) > 0,
            sizes.max(initial=1) < MOST_NODES,
        ]
    )
    place = np.arange(m) - np.repeat(trees.start[:-1], sizes)
    inner = trees.left != place
    # a child comes after its parent, so a walk ends
    _must((trees.left > place)[inner] & (trees.left + 1 < np.repeat(sizes, sizes))[inner])
    _must((trees.column >= 0) & (trees.column < min(n_columns, MOST_COLUMNS)))
    _must((trees.set_of >= -1) & (trees.set_of < len(trees.sets)))
    _must((trees.cut < np.maximum(bins[trees.column], 1))[inner & (trees.set_of < 0)])
    _must((trees.output >= 0) & (trees.output + trees.value.shape[1] <= width))


def _must(fine):
    if not np.all(fine):
        raise ValueError(
            "a tree points outside of itself: it was changed after it was made. Fit the model anew"
        )


def goes_left(trees, at, code, bins):
    """Whether nodes at (k,) send codes (k,) left; bins (d,): how many each column has."""
    missing = code == bins[trees.column[at]]
    left = np.where(missing, trees.missing_left[at], code <= trees.cut[at])
    some = np.flatnonzero(trees.set_of[at] >= 0)
    if len(some):
        left[some] = in_set(trees, at[some], code[some])
    return left


def in_set(trees, at, code):
    """Whether codes (k,) are in the sets of nodes at (k,), which all have one."""
    words = trees.sets[trees.set_of[at], code >> 6]
    return words >> (code & 63).astype(np.uint64) & np.uint64(1) == 1


def leaves(trees, codes, bins):
    """codes (n, d) uint8 -> the leaf each row reaches in each tree (n, t), an index among all m nodes."""
    n, t = len(codes), len(trees.output)
    node = np.tile(trees.start[:-1], n)
    row, root = np.repeat(np.arange(n), t), node.copy()
    active = np.flatnonzero(trees.left[node] + root != node)
    while len(active):
        at, first = node[active], root[active]
        goes = goes_left(trees, at, codes[row[active], trees.column[at]], bins)
        at = trees.left[at] + first + ~goes
        node[active] = at
        active = active[trees.left[at] + first != at]
    return node.reshape(n, t)


def add_values(trees, bins, codes, raw):
    """raw (n, q) += the leaves' values of codes (n, d), tree after tree."""
    width, rows = trees.value.shape[1], max(1, BATCH // max(1, len(trees.output)))
    for first in range(0, len(codes), rows):
        own = raw[first : first + rows]
        found = leaves(trees, codes[first : first + rows], bins)
        for tree, column in enumerate(trees.output):
            own[:, column : column + width] += trees.value[found[:, tree]]


def add_raw_values(trees, X, codes, raw):
    """As ``add_values``, from numbers X (n, d), nan for missing, of columns without sets; codes (n, d): those
    of the columns with sets.
    """
    width = trees.value.shape[1]
    for i, x in enumerate(X):
        for tree, column in enumerate(trees.output):
            node = root = trees.start[tree]
            while trees.left[node] + root != node:
                node = trees.left[node] + root + ~_number_goes_left(trees, node, x, codes[i])
            raw[i, column : column + width] += trees.value[node]


def _number_goes_left(trees, node, x, codes):
    j = trees.column[node]
    if trees.set_of[node] >= 0:
        code = int(codes[j])
        return np.bool_(int(trees.sets[trees.set_of[node], code >> 6]) >> (code & 63) & 1)
    return trees.missing_left[node] if np.isnan(x[j]) else x[j] <= trees.threshold[node]


# What compiled code walks: words (m,) uint64 as ``packed`` makes them; mixed (t,) bool: whether a tree has
# sets
Walk = namedtuple("Walk", "words set_of sets value start output mixed")


def packed(trees, bins):
    """Trees as ``Walk``: a node in one word, left << 40 | column << 16 | above << 8 | span.

    A code goes right when the byte ``code - above`` is less than span: from above on, up to what missing
    values allow. Span is 0 in a leaf.
    """
    cut, missing = trees.cut.astype(np.int64), bins[trees.column].astype(np.int64)
    sizes = np.diff(trees.start)
    leaf = trees.left == np.arange(len(cut)) - np.repeat(trees.start[:-1], sizes)
    span = np.where(leaf, 0, np.where(trees.missing_left, missing - 1 - cut, 255 - cut))
    words = trees.left.astype(np.int64) << 40 | trees.column.astype(np.int64) << 16
    words = (words | np.where(leaf, 0, cut + 1) << 8 | span).astype(np.uint64)
    mixed = np.array(
        [(trees.set_of[a:b] >= 0).any() for a, b in zip(trees.start, trees.start[1:], strict=False)], bool
    )
    return Walk(words, trees.set_of, trees.sets, trees.value, trees.start, trees.output, mixed)
