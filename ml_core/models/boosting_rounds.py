"""The rounds of boosting: gradients, a tree a class, its leaves' values onto the raw prediction.

Letters: n rows, d columns, q columns of raw, s histogram slots.
"""

from dataclasses import dataclass, field

import numpy as np

from ml_core.kernels import records
from ml_core.kernels.records import Forest, Job, new_nodes

POOL = 1 << 28  # bytes of histograms kept at once; beyond them a leaf's histogram is added up anew


@dataclass
class Trees:
    """Grown trees: a list of dicts of arrays, one a tree, in the order of rounds and of raw's columns."""

    grown: list = field(default_factory=list)

    def forest(self, q, first=0, last=None):
        """Trees of raw's q columns as the kernels want them."""
        some = self.grown[first:last]
        sizes = [len(tree["left"]) for tree in some]
        joined = [
            np.concatenate([tree[name] for tree in some]) if some else np.zeros(shape, kind)
            for name, shape, kind in (
                ("column", 0, np.int32), ("left", 0, np.int32), ("bits", (0, 4), np.uint64),
                ("value", 0, np.float64),
            )
        ]  # fmt: skip
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Forest(*joined, start, (np.arange(len(some)) + first) % q)


def rules_of(model, d):
    """An estimator's parameters as the kernels' record (1,)."""
    rules = np.zeros(1, records.RULES)
    leaves, depth = model.max_leaf_nodes, model.max_depth
    chosen = {
        "l1": model.l1_regularization,
        "l2": model.l2_regularization,
        "min_gain": model.min_gain,
        "min_hessian": model.min_hessian,
        "cat_smooth": model.cat_smooth,
        "cat_l2": model.cat_l2,
        "max_leaves": leaves or 0,
        "max_depth": depth or 0,
        "min_rows": model.min_samples_leaf,
        "max_columns": max(1, int(model.max_features * d)),
        "max_categories": model.max_cat_threshold,
    }
    for name, value in chosen.items():
        rules[name] = value
    return rules


def most_nodes(model, n):
    """Nodes a tree can have at most."""
    leaves = max(1, n // max(1, model.min_samples_leaf))
    if model.max_leaf_nodes:
        leaves = min(leaves, model.max_leaf_nodes)
    if model.max_depth:
        leaves = min(leaves, 2 ** min(model.max_depth, 40))
    return 2 * leaves - 1


class Rounds:
    """Boosting on encoded rows; ``step`` adds one round's trees and moves raw (n, q)."""

    def __init__(self, model, data, limits, kernels, threads):
        """data: (codes, columns, y, weights); limits: (Bins, monotone (d,), groups (d, w), Loss)."""
        self.codes, self.columns, self.y, self.weights = data
        bins, monotone, groups, self.loss = limits
        self.seed = model._seeds[1]
        self.kernels, self.learning_rate, self.subsample = kernels, model.learning_rate, model.subsample
        (n, d), offsets = self.codes.shape, bins.offsets()
        found = np.zeros(d, records.FOUND)
        found["first"], found["last"] = offsets[:-1], offsets[1:]
        found["categorical"], found["monotone"] = bins.categorical, monotone
        nodes, reach = new_nodes(most_nodes(model, n), groups.shape[1])
        s = int(offsets[-1])
        slots = min(len(nodes) // 2 + 1 if model.max_leaf_nodes else 64, max(4, POOL // (8 * s))) + 1
        self.job = Job(
            self.codes, self.columns, offsets, np.empty(n, np.int64), rules_of(model, d), found, nodes,
            groups, reach, np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty((slots, s), np.int64),
            np.empty((threads, s), np.int64), np.empty(s, np.int64),
        )  # fmt: skip
        self.slopes = np.empty((2, self.loss.q, n), np.float32)
        self.raw = np.empty((n, self.loss.q))
        self.bins, self.all = bins, np.arange(n, dtype=np.uint32)

    def rows(self, number):
        """Rows of round ``number`` into job.rows -> the job on them."""
        n = len(self.codes)
        if self.subsample == 1:
            self.job.rows[:] = self.all
            return self.job
        rng = np.random.default_rng([self.seed, number])
        rows = np.sort(rng.choice(n, max(1, round(self.subsample * n)), replace=False))
        self.job.rows[: len(rows)] = rows
        return self.job._replace(rows=self.job.rows[: len(rows)], spare=self.job.spare[: len(rows)])

    def step(self, number):
        """Grow round ``number``'s trees -> list of them."""
        gradient, hessian = self.slopes
        target, grown = (self.y, self.weights), []
        bend = self.loss.bend(self.y, self.raw[:, 0], self.weights)
        if self.loss.q > 1:
            self.kernels.softmax_slopes(self.raw, target, gradient, hessian)
        else:
            self.kernels.slopes(self.loss.code, self.raw[:, 0], target, bend, gradient[0], hessian[0])
        for k in range(self.loss.q):
            job = self.rows(number)
            self.pack(gradient[k], hessian[k], number * self.loss.q + k)
            n_nodes = self.kernels.grow(job)
            nodes = job.nodes[:n_nodes]
            if self.loss.renews:
                self.renew(job, nodes, bend)
            grown.append(self.keep(nodes))
            self.move(job, nodes, grown[-1], k)
        return grown

    def pack(self, gradient, hessian, number):
        """Round gradients and hessians to units, and tell the rules what a unit is."""
        from ml_core.kernels.units import units

        rules, mass = self.job.rules, self.kernels.mass(gradient, hessian)
        unit_g, unit_h = units(mass, len(gradient))
        self.kernels.pack(gradient, hessian, unit_g, unit_h, self.job.packed)
        rules["unit_g"], rules["unit_h"] = unit_g, unit_h
        rules["h_least"], rules["h_most"] = int(mass[3] / unit_h), int(mass[4] / unit_h + 1)
        rules["seed"] = np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64)[0]
        if unit_h == mass[4]:
            rules["h_least"] = rules["h_most"] = 1

    def renew(self, job, nodes, bend):
        """Leaf values from the residuals of their rows."""
        for node in nodes[nodes["left"] == 0]:
            rows = job.rows[node["start"] : node["start"] + node["rows"]]
            weights = self.weights[rows] if len(self.weights) else self.weights
            if len(weights) and not weights.any():
                continue
            value = self.loss.leaf(self.y[rows] - self.raw[rows, 0], weights, bend)
            node["value"] = min(max(value, node["low"]), node["high"])

    def keep(self, nodes):
        """A tree's arrays, values shrunk by the learning rate."""
        inner, column = nodes["left"] > 0, nodes["column"]
        threshold = np.full(len(nodes), np.nan)
        for i in np.flatnonzero(inner & ~self.bins.categorical[column]):
            edges, cut = self.bins.edges[column[i]], nodes["cut"][i]
            threshold[i] = edges[cut] if cut < len(edges) else np.inf
        return {
            "column": np.where(inner, column, 0).astype(np.int32),
            "left": nodes["left"].astype(np.int32),
            "bits": nodes["bits"].copy(),
            "value": nodes["value"] * self.learning_rate,
            "threshold": threshold,
            "missing_left": nodes["missing"].astype(bool) & inner,
            "gain": np.where(inner, nodes["gain"], 0.0),
            "rows": nodes["rows"].copy(),
        }

    def move(self, job, nodes, tree, k):
        """Add a new tree's values to raw[:, k]."""
        if len(job.rows) == len(self.codes):
            self.kernels.add_leaves(self.raw[:, k], job.rows, job.nodes, len(nodes), tree["value"])
        else:
            one = Trees([tree]).forest(1)
            self.kernels.add_values(one, self.codes, self.raw[:, k : k + 1])
