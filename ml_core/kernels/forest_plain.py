"""Trees in NumPy, level by level and all at once, for tables so small that a compiler would take longer.

To the last bit the trees of ``forest_grow``, for Gini's criterion and squared errors without monotone columns
and without a limit of leaves (``able``).

Letters: n rows, d columns, e entries (a row in a tree), a nodes of a level, g groups (a code in a node).
"""

import numpy as np

from ml_core.kernels.forest_records import GINI, NODE, NONE, SQUARED

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
NEVER = -np.inf


def able(rules):
    """Whether trees under these rules can be grown here."""
    return rules["kind"] in (GINI, SQUARED) and not rules["monotone"] and rules["max_leaves"] == 0


def mix(key, step):
    """As ``forest_draw.mix``, for arrays of uint64."""
    with np.errstate(over="ignore"):
        z = key + (np.asarray(step, np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(FIRST)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(SECOND)
    return z ^ (z >> np.uint64(31))


def below(number, n):
    """As ``forest_draw.below``, for arrays."""
    return (((number >> np.uint64(32)) * np.asarray(n).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


class Level:
    """The nodes of one level: nodes (a,) records, sums (a, c), tree and place (a,) of each; its entries (e,):
    node, row, what, weight, grouped by node and in the order of rows.
    """

    def __init__(self, nodes, sums, tree, entries):
        self.nodes, self.sums, self.tree = nodes, sums, tree
        self.node, self.row, self.what, self.weight = entries
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(self.node, minlength=len(nodes)))])

    def keep(self, some):
        """The level with only some (a,) bool of its nodes."""
        entry, place = some[self.node], np.cumsum(some) - 1
        entries = place[self.node[entry]], self.row[entry], self.what[entry], self.weight[entry]
        return Level(self.nodes[some], self.sums[some], self.tree[some], entries)


def may_split(level, rules):
    """Which nodes (a,) are worth a look."""
    nodes = level.nodes
    fine = (nodes["rows"] >= rules["min_split"]) & (nodes["rows"] >= 2 * rules["min_leaf"])
    if rules["max_depth"] > 0:
        fine &= nodes["depth"] < rules["max_depth"]
    if not rules["pair"]:
        return fine & ((level.sums != 0).sum(axis=1) > 1)
    value = level.what / (level.weight & ((1 << int(rules["shift"])) - 1))
    first = value[level.starts[:-1]]
    far = np.maximum.reduceat(np.abs(value - first[level.node]), level.starts[:-1])
    return fine & (far > 1e-11 * np.abs(first))


class Groups:
    """A column of each node, entries grouped by code: node, code (g,), sums (g, c), first and last (a,), the
    last group before the missing ones, and whether there are missing ones (a,).
    """

    def __init__(self, level, column, columns, missing, rules):
        code = columns[column[level.node], level.row]
        by_code = np.argsort(code, kind="stable")
        order = by_code[np.argsort(level.node[by_code].astype(np.uint16), kind="stable")]
        node, code = level.node[order], code[order].astype(np.int64)
        new = np.empty(len(node), bool)
        new[0], new[1:] = True, (node[1:] != node[:-1]) | (code[1:] != code[:-1])
        starts = np.flatnonzero(new)
        self.node, self.code = node[starts], code[starts]
        what, weight = level.what[order], level.weight[order]
        if rules["pair"]:
            self.sums = np.column_stack([np.add.reduceat(what, starts), np.add.reduceat(weight, starts)])
        else:
            one = np.where(what[:, None] == np.arange(rules["channels"]), weight[:, None], 0)
            self.sums = np.add.reduceat(one, starts, axis=0)
        counts = np.bincount(self.node, minlength=len(level.nodes))
        self.first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.last = self.first + counts - 1
        self.gaps = self.code[self.last] == missing[column]
        self.known = self.last - self.gaps
        self.varied = counts > 1


def gains(left, level, node, rules):
    """What cuts with sums left (g, c) in nodes (g,) gain; NEVER where a side is too small."""
    mask, shift = (1 << int(rules["shift"])) - 1, int(rules["shift"])
    whole = level.sums[node]
    pair = rules["pair"] or rules["binary"]
    packed_left = left[:, 1] if rules["pair"] else left.sum(axis=1)
    packed = whole[:, 1] if rules["pair"] else whole.sum(axis=1)
    rows, n_left = packed >> shift, packed_left >> shift
    W, WL = (packed & mask).astype(np.float64), (packed_left & mask).astype(np.float64)
    fine = np.minimum(n_left, rows - n_left) >= max(1, rules["min_leaf"])
    with np.errstate(divide="ignore", invalid="ignore"):
        if pair:
            S, SL = (
                (sums[:, 0] if rules["pair"] else sums[:, 1] & mask).astype(np.float64)
                for sums in (whole, left)
            )
            apart = SL - S * (WL / W)
            gain = apart * apart * W / (WL * (W - WL))
            gain = gain + gain if rules["kind"] == GINI else gain
        else:
            after = unlike(left & mask, WL) + unlike((whole & mask) - (left & mask), W - WL)
            gain = np.maximum(0.0, unlike(whole & mask, W) - after)
    return np.where(fine & ~(np.minimum(WL, W - WL) < rules["min_weight"]), gain, NEVER)


def unlike(weights, W):
    """Weight times Gini's impurity of class weights (g, c), added up class by class as compiled code does."""
    total = np.zeros(len(weights))
    for k in range(weights.shape[1]):
        w = weights[:, k].astype(np.float64)
        total += w * w
    return W - total / W


def best_of(gain, groups):
    """The first largest of each node's gains (g,) -> gain (a,), group (a,)."""
    most = np.maximum.reduceat(gain, groups.first)
    at = np.where(gain == most[groups.node], np.arange(len(gain)), len(gain))
    return most, np.minimum.reduceat(at, groups.first)


def try_column(level, column, columns, missing, rules):
    """The best cut of one column a node: gain, cut, missing left (-1: none missing), varied, each (a,)."""
    groups = Groups(level, column, columns, missing, rules)
    running = np.cumsum(groups.sums, axis=0)
    left = running - (running[groups.first] - groups.sums[groups.first])[groups.node]
    place, known = np.arange(len(groups.node)), groups.known[groups.node]
    allowed = (place < known) | ((place == known) & groups.gaps[groups.node])
    also = place < known
    drawn = None
    if rules["random"]:
        drawn, chosen, side = draw_cuts(level, column, groups)
        several = (groups.known > groups.first)[groups.node]
        picked = np.where(several, place == chosen[groups.node], True)
        allowed &= picked & (~several | ~groups.gaps[groups.node] | (side[groups.node] == 0))
        also &= picked & (side[groups.node] == 1)
    gain, at = best_of(np.where(allowed, gains(left, level, groups.node, rules), NEVER), groups)
    went = np.where(groups.gaps, 0, -1)
    if groups.gaps.any():
        lost = np.where(groups.gaps[:, None], groups.sums[groups.last], 0)
        also &= groups.gaps[groups.node]
        told = gains(left + lost[groups.node], level, groups.node, rules)
        other, where = best_of(np.where(also, told, NEVER), groups)
        better = other > gain
        gain, at = np.where(better, other, gain), np.where(better, where, at)
        went = np.where(better, 1, went)
    at = np.minimum(at, len(groups.code) - 1)
    following = groups.code[np.minimum(at + 1, len(groups.code) - 1)]
    cut = np.where(
        at >= groups.known, missing[column].astype(np.int64) - 1, (groups.code[at] + following) // 2
    )
    if drawn is not None:
        cut = np.where(groups.known > groups.first, drawn, cut)
    return np.where(groups.varied, gain, NEVER), cut, went, groups.varied


def draw_cuts(level, column, groups):
    """Random cuts (a,), the last group at or below each (a,), and which side missing values go (a,)."""
    key = mix(level.nodes["key"], (2 * column + 1).astype(np.uint64) << np.uint64(32))
    low, high = groups.code[groups.first], groups.code[groups.known]
    cut = low + below(key, np.maximum(high - low, 1))
    under = (groups.code <= cut[groups.node]) & (np.arange(len(groups.node)) <= groups.known[groups.node])
    chosen = groups.first + np.bincount(groups.node, under, len(level.nodes)).astype(np.int64) - 1
    return cut, chosen, (key & np.uint64(1)).astype(np.int64)


def consider(level, columns, missing, rules):
    """Put the best split of each node into its record; column NONE where there is none."""
    a, d = len(level.nodes), len(columns)
    order = np.tile(np.arange(d), (a, 1))
    best, varied = np.full(a, -1.0), np.zeros(a, bool)
    column, cut, went = np.full(a, NONE), np.zeros(a, np.int64), np.full(a, -1)
    for t in range(d):
        open_ = np.flatnonzero(~varied) if t >= rules["max_columns"] else np.arange(a)
        if not len(open_):
            break
        pick = t + below(mix(level.nodes["key"][open_], t), d - t)
        mine = order[open_, pick]
        order[open_, pick] = order[open_, t]
        own = level if len(open_) == a else level.keep(np.isin(np.arange(a), open_))
        gain, at, side, told = try_column(own, mine, columns, missing, rules)
        won = gain > best[open_]
        some = open_[won]
        best[some], column[some], cut[some], went[some] = gain[won], mine[won], at[won], side[won]
        varied[open_] |= told
    fine = (column != NONE) & ~(best < rules["min_gain"])
    nodes = level.nodes
    nodes["column"], nodes["gain"] = np.where(fine, column, NONE), np.where(fine, best, 0)
    nodes["cut"], nodes["missing_left"] = np.where(fine, cut, 0), np.where(fine, went, 0)
    return fine


def divide(level, columns, missing, rules):
    """The next level: the children of this one's nodes, side by side."""
    nodes, mask = level.nodes, (1 << int(rules["shift"])) - 1
    j = nodes["column"][level.node]
    code = columns[j, level.row]
    lost = code == missing[j]
    left = np.where(lost, nodes["missing_left"][level.node] == 1, code <= nodes["cut"][level.node])
    child = 2 * level.node + ~left
    order = np.argsort(child, kind="stable")
    child, row, what, weight = child[order], level.row[order], level.what[order], level.weight[order]
    a, starts = len(nodes), np.flatnonzero(np.diff(child, prepend=-1))
    if rules["pair"]:
        sums = np.column_stack([np.add.reduceat(what, starts), np.add.reduceat(weight, starts)])
        packed = sums[:, 1]
    else:
        one = np.where(what[:, None] == np.arange(rules["channels"]), weight[:, None], 0)
        sums = np.add.reduceat(one, starts, axis=0)
        packed = sums.sum(axis=1)
    whole, light = packed[::2] + packed[1::2], 2 * (packed[::2] & mask)
    untold = nodes["missing_left"] < 0
    nodes["missing_left"] = np.where(untold, light > (whole & mask), nodes["missing_left"])
    fresh = np.zeros(2 * a, NODE)
    fresh["column"] = fresh["left"] = NONE
    fresh["rows"], fresh["depth"] = packed >> int(rules["shift"]), np.repeat(nodes["depth"], 2) + 1
    fresh["low"], fresh["high"] = -np.inf, np.inf
    side = np.tile(np.arange(2, dtype=np.uint64), a) + np.uint64(1 << 40)
    fresh["key"] = mix(np.repeat(nodes["key"], 2), side)
    return Level(fresh, sums, np.repeat(level.tree, 2), (child, row, what, weight))


def set_spread(level, leaf, rules):
    """Sum of weight times squared value of leaves (a,) bool, added row by row as compiled code does."""
    mask = (1 << int(rules["shift"])) - 1
    value, weight = level.what.astype(np.float64), (level.weight & mask).astype(np.float64)
    spread = np.bincount(level.node, value * value / weight, len(level.nodes))
    level.nodes["spread"] = np.where(leaf, spread, 0)


def grow_level(level, columns, missing, rules):
    """Split what may be split -> the next level, or None; ``left`` counts among all the children."""
    fine = np.zeros(len(level.nodes), bool)
    asked = may_split(level, rules)
    if asked.any():
        own = level.keep(asked)
        fine[asked] = consider(own, columns, missing, rules)
        level.nodes[asked] = own.nodes
    if rules["pair"]:
        set_spread(level, ~fine, rules)
    if not fine.any():
        return None
    own = level.keep(fine)
    following = divide(own, columns, missing, rules)
    level.nodes[fine] = own.nodes
    level.nodes["left"][fine] = 2 * np.arange(fine.sum())
    return following


def grow_level_by_level(jobs, rules, keys):
    """jobs [(rows, what, weight, sums)] -> [(nodes, sums)]; rules: (columns, missing, record).

    All trees of a batch go down together. Nodes stand level by level, children in the order of parents.
    """
    columns, missing, rules = rules
    roots = np.zeros(len(jobs), NODE)
    roots["column"] = roots["left"] = NONE
    roots["rows"], roots["key"] = [len(job[0]) for job in jobs], keys
    roots["low"], roots["high"] = -np.inf, np.inf
    node = np.repeat(np.arange(len(jobs)), roots["rows"])
    entries = node, *(np.concatenate([job[k] for job in jobs]).astype(np.int64) for k in range(3))
    level = Level(roots, np.stack([job[3] for job in jobs]), np.arange(len(jobs)), entries)
    levels = []
    while level is not None:
        levels.append(level)
        level = grow_level(level, columns, missing, rules)
    return [gather(levels, tree) for tree in range(len(jobs))]


def gather(levels, tree):
    """A tree's nodes and sums out of all levels, ``left`` counted within the tree."""
    nodes, sums, done = [], [], 0
    for level, below_ in zip(levels, [*levels[1:], None], strict=True):
        own = level.tree == tree
        mine, done = level.nodes[own], done + own.sum()
        if below_ is not None:
            place = np.cumsum(below_.tree == tree) - 1 + done
            inner = mine["left"] >= 0
            mine["left"][inner] = place[mine["left"][inner]]
        nodes.append(mine)
        sums.append(level.sums[own])
        if not len(mine):
            break
    return np.concatenate(nodes), np.concatenate(sums)
