"""The tree kernels in NumPy, for data so small that a compiler's import would take longer than the work.

Every function does what its compiled namesake in ``compiled`` does, to the last bit: which of the two ran
cannot be told from the model. Letters as there.
"""

from contextlib import contextmanager
from functools import partial

import numpy as np

from ml_core.kernels import plain_sorted
from ml_core.kernels.bins import encode
from ml_core.kernels.formulas import LOW32, value_of
from ml_core.kernels.plain_losses import mass, pack, pack_roughly, settle_leaves, slopes, softmax_slopes
from ml_core.kernels.plain_split import best_split, forget, penalty, sums
from ml_core.kernels.records import NONE, lay_out
from ml_core.kernels.trees import add_raw_values, add_values, leaves

__all__ = [
    "add_leaves", "add_raw_values", "add_values", "bundle", "encode", "grow", "grower", "leaves", "mass",
    "pack", "pack_roughly", "restore", "settle_leaves", "slopes", "softmax_slopes", "threads", "together",
    "turn",
]  # fmt: skip


@contextmanager
def threads(most=None):
    """One thread, whatever is allowed."""
    yield 1


def together():
    """Not worth it: NumPy holds the interpreter's lock most of the time."""
    return False


def turn(codes, columns):
    """columns (d, n) = codes (n, d) turned."""
    columns[:] = codes.T


def restore(rows):
    """rows (n,) uint32 = 0 .. n - 1."""
    rows[:] = np.arange(len(rows), dtype=np.uint32)


def bundle(codes, columns, found):
    """codes (n, d) as they are, and the shift of histograms: only compiled sums gain by bundles."""
    return codes, lay_out(found)


def histogram(rows, job):
    """Packed sums (s,) and numbers of rows (s,)."""
    d, shift = len(job.columns), int(job.rules[0]["shift"])
    place = (job.columns[:, rows].T.astype(np.int64) + (np.arange(d) << shift)).ravel()
    packed, s = job.packed[rows], d << shift
    up, low = (
        np.bincount(place, np.repeat(part.astype(np.float64), d), s)
        for part in (packed >> 32, packed & LOW32)
    )  # whole numbers below 2**53 add up exactly in floats
    return (up.astype(np.int64) << 32) + low.astype(np.int64), np.bincount(place, minlength=s)


def rows_of(node, job):
    """The rows of a node, a view."""
    return job.rows[node["start"] : node["start"] + node["rows"]]


def consider(index, hists, job):
    """Find the best split of a node."""
    best_split(index, *hists[index], job)
    if job.nodes[index]["column"] == NONE:
        del hists[index]


def begin_node(node, parent, rules):
    """What follows for a new node from its total."""
    forget(node)
    node["depth"], node["low"], node["high"] = parent["depth"] + 1, parent["low"], parent["high"]
    value = value_of(*sums(node["total"], rules), rules["l1"], node["l2"])
    node["value"] = min(max(value, node["low"]), node["high"])


def divide(index, at, job):
    """Part a node's rows between two new nodes, ``at`` and ``at + 1``."""
    parent, left, right = job.nodes[index], job.nodes[at], job.nodes[at + 1]
    rows, j = rows_of(parent, job), parent["column"]
    table = np.unpackbits(parent["bits"].astype("<u8").view(np.uint8), bitorder="little").astype(bool)
    goes = table[job.columns[j, rows]]
    n_left = int(goes.sum())
    rows[:] = np.concatenate([rows[goes], rows[~goes]])
    if 2 * n_left >= len(rows) and parent["unseen"].any():  # what no row can tell goes with the majority
        parent["bits"] |= parent["unseen"]
        parent["missing"] = 1
    parent["left"] = at
    left["start"], left["rows"], left["total"] = parent["start"], n_left, parent["sum_left"]
    right["start"], right["rows"] = parent["start"] + n_left, len(rows) - n_left
    right["total"] = parent["total"] - parent["sum_left"]
    left["l2"] = right["l2"] = penalty(job.found[j], job.rules[0])
    begin_node(left, parent, job.rules[0])
    begin_node(right, parent, job.rules[0])
    job.reach[at] = job.reach[at + 1] = job.reach[index] & job.groups[j]
    middle = (left["value"] + right["value"]) / 2
    if job.found[j]["monotone"] > 0:
        left["high"] = right["low"] = middle
    elif job.found[j]["monotone"] < 0:
        left["low"] = right["high"] = middle


def may_split(index, job):
    """Whether looking for a split is worth it at all."""
    node, rules = job.nodes[index], job.rules[0]
    deep = rules["max_depth"] > 0 and node["depth"] >= rules["max_depth"]
    return not deep and node["rows"] >= max(2, 2 * rules["min_rows"])


def smaller(index, nodes):
    """The child with fewer rows, and the other."""
    left = int(nodes[index]["left"])
    return (left, left + 1) if nodes[left]["rows"] <= nodes[left + 1]["rows"] else (left + 1, left)


def begin(hists, job):
    """Make node 0 of all rows in job.rows and look for its split."""
    root = job.nodes[0]
    root["start"], root["rows"], root["l2"] = 0, len(job.rows), job.rules[0]["l2"]
    hists[0] = histogram(job.rows, job)
    root["total"] = hists[0][0][: int(job.found[0]["bins"]) + 1].sum()
    begin_node(root, {"depth": -1, "low": -np.inf, "high": np.inf}, job.rules[0])
    if may_split(0, job):
        consider(0, hists, job)


def grower(job):
    """``grow`` for many trees on the columns of a job, which may not change between them."""
    order = plain_sorted.sort(job)
    return grow if order is None else partial(plain_sorted.grow, order=order)


def grow(job):
    """Grow a tree on job.rows into job.nodes -> number of nodes."""
    nodes, limit = job.nodes, int(job.rules[0]["max_leaves"])
    most = min(limit if limit > 0 else len(nodes), (len(nodes) + 1) // 2)
    hists, n_leaves = {}, 1
    begin(hists, job)
    queue = [0] if nodes[0]["column"] != NONE else []
    while queue and n_leaves < most:
        index = max(queue, key=lambda i: (nodes[i]["gain"], -i)) if limit > 0 else queue[-1]
        queue.remove(index)
        divide(index, 2 * n_leaves - 1, job)
        n_leaves += 1
        if n_leaves == most:
            break
        small, big = smaller(index, nodes)
        whole = hists.pop(index)
        if may_split(big, job):
            hists[small] = histogram(rows_of(nodes[small], job), job)
            hists[big] = tuple(all_of - part for all_of, part in zip(whole, hists[small], strict=True))
            for child in filter(lambda child: may_split(child, job), (small, big)):
                consider(child, hists, job)
        queue += [child for child in (big, small) if nodes[child]["column"] != NONE]
    return 2 * n_leaves - 1


def add_leaves(raw, rows, nodes, n_nodes, values):
    """raw (n,)[rows of each leaf] += values (m,)."""
    ends = np.flatnonzero(nodes["left"][:n_nodes] == 0)
    ends = ends[np.argsort(nodes["start"][ends])]  # their stretches follow each other
    raw[rows] += np.repeat(values[ends], nodes["rows"][ends])
