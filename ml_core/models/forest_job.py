"""A table and what is to be learned from it as the whole numbers that trees are grown on, and back.

Letters: n rows, d columns, q classes, m nodes of a tree, S and W the sums of ``kernels.forest_split``.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import forest_records as records

FINE = 40  # bits of the sum of weights that are no whole numbers
KINDS = {
    "gini": records.GINI, "entropy": records.ENTROPY, "log_loss": records.ENTROPY,
    "squared_error": records.SQUARED, "poisson": records.POISSON,
}  # fmt: skip


@dataclass
class Target:
    """What is learned. what (n,): class, or value; q: classes, 0 for values.

    A value is center + unit * what; what is whole where weights are.
    """

    what: np.ndarray
    q: int
    center: float = 0.0
    unit: float = 1.0

    @classmethod
    def of_values(cls, y, weight, criterion, draws):
        """From y (n,) float64 in units so small that no sum of weights times values leaves 62 bits.

        weight (n,) or None; draws: rows a tree draws, or None where it takes all with their weights.
        """
        seen = y if weight is None else y[weight > 0]
        # told by the values there are, not by how many rows have them: rows twice are a weight of two
        center = 0.0 if criterion == "poisson" else float(seen.min() * 0.5 + seen.max() * 0.5)
        most = float(np.abs(seen - center).max(initial=0.0))
        total = 2.0**FINE if draws is None else float(draws)
        if draws is None and whole(weight):
            total = float(len(y)) if weight is None else max(float(weight.sum()), 1.0)
        unit = 2.0 ** np.ceil(np.log2(most * total / 2.0**61)) if most > 0 else 1.0
        what = np.clip((y - center) / max(unit, 2.0**-1000), -(2.0**61), 2.0**61)
        counted = draws is not None or whole(weight)
        return cls(np.rint(what).astype(np.int64) if counted else what, 0, center, max(unit, 2.0**-1000))


def whole(weight):
    """Whether weights are whole numbers that can be counted with."""
    return weight is None or (bool((weight == np.rint(weight)).all()) and float(weight.sum()) < 2.0**FINE)


def in_units(weight):
    """weight (k,) float64 >= 0 -> whole (k,) int64 and the weight of one unit, a power of two."""
    if whole(weight):
        return weight.astype(np.int64), 1.0
    unit = 2.0 ** np.ceil(np.log2(weight.sum() / 2.0 ** (FINE - 1)))
    return np.where(weight > 0, np.maximum(np.rint(weight / unit), 1), 0).astype(np.int64), float(unit)


@dataclass
class Limits:
    """What every tree of a model obeys, scikit-learn's parameters made numbers.

    columns: looked at in each split; leaves, depth: 0 for no limit; weight_share, decrease: of a leaf's
    weight, and of impurity; random: cuts at random.
    """

    criterion: str
    columns: int
    depth: int = 0
    split: int = 2
    leaf: int = 1
    leaves: int = 0
    weight_share: float = 0.0
    decrease: float = 0.0
    random: bool = False


@dataclass
class Grown:
    """One tree: nodes (m,) records, sums (m, c) of the rows in each, and what a unit of weight weighs."""

    nodes: np.ndarray
    sums: np.ndarray
    unit: float
    shift: int


def rules_of(limits, target, shift, weights):
    """The limits as a kernel's record; weights: (total in units)."""
    rules = np.zeros(1, records.RULES)[0]
    kind = KINDS[limits.criterion]
    rules["kind"], rules["shift"] = kind, shift
    rules["channels"], rules["pair"], rules["binary"] = target.q or 2, target.q == 0, target.q == 2
    rules["max_columns"], rules["max_depth"], rules["max_leaves"] = (
        limits.columns,
        limits.depth,
        limits.leaves,
    )
    rules["min_split"], rules["min_leaf"], rules["random"] = limits.split, limits.leaf, limits.random
    scale = scale_of(target, limits.criterion)
    rules["min_weight"] = limits.weight_share * weights
    # as scikit-learn: a split that lowers the impurity by the limit but for rounding is taken
    rules["min_gain"] = (limits.decrease - 2.0**-52) * weights / scale
    return rules


def root_of(rows, sums, key):
    """Room for a tree of ``rows`` rows, its root made: nodes (2 rows,), sums (2 rows, c)."""
    nodes, room = np.empty(2 * rows, records.NODE), np.empty((2 * rows, len(sums)), np.int64)
    nodes[0] = np.zeros(1, records.NODE)[0]
    root = nodes[0]
    root["column"] = root["left"] = root["slot"] = root["guide"] = records.NONE
    root["rows"], root["key"], root["low"], root["high"] = rows, key, -np.inf, np.inf
    room[0] = sums
    return nodes, room


def packed(target, weight, shift):
    """Rows of weight (n,) float64 > 0 as a kernel takes them: rows, what, packed weight, sums (c,), unit."""
    units, unit = in_units(weight)
    rows = np.flatnonzero(units).astype(np.uint32)
    units, what = units[rows], target.what[rows]
    heavy = units + (np.int64(1) << np.int64(shift))
    if target.q == 0:
        what = np.rint(what * units).astype(np.int64)  # whole already, or a fraction of a tiny unit
        return rows, what, heavy, np.array([what.sum(), heavy.sum()]), unit
    sums = np.array([heavy[what == k].sum() for k in range(target.q)], np.int64)
    return rows, what, heavy, sums, unit


def scale_of(target, criterion):
    """What a kernel's unit of weight times impurity is, where weights count ones."""
    return {records.SQUARED: target.unit**2, records.POISSON: target.unit}.get(KINDS[criterion], 1.0)


def described(grown, target, criterion):
    """A tree's nodes in plain numbers: value (m, q or 1), weight and gain (m,).

    gain: by how much the split lowers weight times impurity, in scikit-learn's units of impurity.
    """
    nodes, mask = grown.nodes, (np.int64(1) << np.int64(grown.shift)) - 1
    weights = grown.sums & mask
    gain = np.maximum(nodes["gain"], 0) * (scale_of(target, criterion) * grown.unit)
    if target.q:
        weight = weights.sum(axis=1)
        return weights / weight[:, None], weight * grown.unit, gain
    weight, total = weights[:, 1], grown.sums[:, 0].astype(np.float64)
    mean = np.clip(total / weight, nodes["low"], nodes["high"])
    return (target.center + target.unit * mean)[:, None], weight * grown.unit, gain


def impurity(grown, target, criterion):
    """Impurity of each node (m,), as scikit-learn's criterion."""
    value, weight, gain = described(grown, target, criterion)
    nodes, kind = grown.nodes, KINDS[criterion]
    if target.q:
        terms = value * np.log2(np.where(value > 0, value, 1)) if kind == records.ENTROPY else value**2
        return np.maximum(-terms.sum(axis=1) if kind == records.ENTROPY else 1 - terms.sum(axis=1), 0)
    units, total = weight / grown.unit, grown.sums[:, 0].astype(np.float64)
    inside = total**2 / units
    if kind == records.POISSON:
        inside = np.where(total > 0, total * np.log(np.where(total > 0, total, 1) / units), 0)
    disorder = np.maximum(nodes["spread"] - inside, 0) * (scale_of(target, criterion) * grown.unit)
    inner = np.flatnonzero(nodes["left"] >= 0)
    inner = inner[np.argsort(nodes["depth"][inner], kind="stable")]
    levels = np.split(inner, np.flatnonzero(np.diff(nodes["depth"][inner])) + 1)
    for some in levels[::-1]:
        left = nodes["left"][some]
        disorder[some] = disorder[left] + disorder[left + 1] + gain[some]
    return disorder / weight
