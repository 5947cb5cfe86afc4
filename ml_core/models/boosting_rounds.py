"""The rounds of boosting: gradients, a tree a class, its leaves' values onto the raw prediction.

Trees stay as the kernels left them until many are made into flat arrays by one pass.

Letters: n rows, d columns, q columns of raw, m nodes of a tree.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels.formulas import rough_units, units
from ml_core.kernels.records import NODE, Job, new_nodes, new_parts, room_for
from ml_core.kernels.trees import Trees
from ml_core.models.boosting_rules import most_leaves, rules_of
from ml_core.models.ensemble import Ensemble

POOL = 1 << 28  # bytes of histograms kept at once; beyond them a leaf's histogram is added up anew


@dataclass
class Grown:
    """One tree: nodes (m,) as records, their values (m,) shrunk by the learning rate, the column of raw."""

    nodes: np.ndarray
    values: np.ndarray
    column: int


class Rounds:
    """Boosting on encoded rows; ``step`` adds one round's trees and moves raw (n, q)."""

    def __init__(self, model, data, limits, engine):
        """data: (Table, y, weights); limits: (Bins, monotone (d,), groups (d, w), Loss); engine: (kernels,
        threads).
        """
        table, self.y, self.weights = data
        self.bins, monotone, groups, self.loss = limits
        self.kernels, threads = engine
        self.seed, self.learning_rate, self.subsample = model._seeds[1], model.learning_rate, model.subsample
        self.levels = model.quantized_levels
        self.codes, found = table.codes, table.found.copy()
        (n, d), found["monotone"] = self.codes.shape, monotone
        leaves, rules = most_leaves(model, n), rules_of(model, d, table.shift)
        s = table.bundled.shape[1] << table.shift
        slots = min(leaves if model.max_leaf_nodes else 64, max(4, POOL // (8 * s))) + 1
        self.job = Job(
            table.bundled, table.columns, np.empty(n, np.int64), rules, found, found.copy(),
            *_nodes(2 * leaves - 1, groups), np.empty(n, np.uint32), np.empty(n, np.uint32),
            np.empty((slots, s), np.int64), new_parts(threads, s), np.empty(256, np.int64),
            *room_for(leaves, slots, d),
        )  # fmt: skip
        self.grow = self.kernels.grower(self.job)
        self.slopes = np.empty((2, self.loss.q, n), np.float32)
        self.raw = np.empty((self.loss.q, n)).T  # a tree adds to one column: that lies together

    def rows(self, number):
        """Rows of round ``number`` into job.rows -> the job on them."""
        n = len(self.codes)
        if self.subsample == 1:
            self.kernels.restore(self.job.rows)
            return self.job
        rng = np.random.default_rng([self.seed, number])
        rows = np.sort(rng.choice(n, max(1, round(self.subsample * n)), replace=False))
        self.job.rows[: len(rows)] = rows
        return self.job._replace(rows=self.job.rows[: len(rows)], spare=self.job.spare[: len(rows)])

    def step(self, number):
        """Grow round ``number``'s trees -> list of Grown, one a column of raw."""
        gradient, hessian = self.slopes
        target, grown = (self.y, self.weights), []
        bend = self.loss.bend(self.y, self.raw[:, 0], self.weights)
        if self.loss.q > 1:
            self.kernels.softmax_slopes(self.raw, target, gradient, hessian)
            masses = [self.kernels.mass(gradient[k], hessian[k]) for k in range(self.loss.q)]
        else:
            slopes = (gradient[0], hessian[0])
            masses = [self.kernels.slopes(self.loss.code, self.raw[:, 0], target, bend, *slopes)]
        for k, mass in enumerate(masses):
            job = self.rows(number)
            self.pack(gradient[k], hessian[k], mass, number * self.loss.q + k)
            nodes = job.nodes[: self.grow(job)]
            if self.loss.renews:
                self.renew(job, nodes, bend)
            elif self.levels:
                self.kernels.settle_leaves(gradient[k], hessian[k], job.rows, nodes, job.rules)
            grown.append(Grown(nodes.copy(), nodes["value"] * self.learning_rate, k))
            self.move(job, grown[-1])
        return grown

    def pack(self, gradient, hessian, mass, number):
        """Round gradients and hessians to units, and tell the rules what a unit is."""
        rules, n, seed = self.job.rules, len(gradient), np.uint64(0)
        if self.levels or rules["max_columns"] < len(self.job.columns):  # else nothing is drawn
            seed = np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64)[0]
        if self.levels:
            largest = float(np.abs(gradient).max())
            unit_g, unit_h = rough_units(mass, largest, n, self.levels)
            self.kernels.pack_roughly(gradient, hessian, unit_g, unit_h, seed, self.job.packed)
        else:
            unit_g, unit_h = units(mass, n)
            self.kernels.pack(gradient, hessian, unit_g, unit_h, self.job.packed)
        rules["unit_g"], rules["unit_h"], rules["seed"] = unit_g, unit_h, seed
        rules["h_least"], rules["h_most"] = int(mass[3] / unit_h), int(mass[4] / unit_h + 1)
        if unit_h == mass[4]:
            rules["h_least"] = rules["h_most"] = 1

    def renew(self, job, nodes, bend):
        """Leaf values from the residuals of their rows."""
        for i in np.flatnonzero(nodes["left"] == 0):
            node = nodes[i]  # a view; rows picked by a mask would be copies
            rows = job.rows[node["start"] : node["start"] + node["rows"]]
            weights = self.weights[rows] if len(self.weights) else self.weights
            value = self.loss.leaf(self.y[rows] - self.raw[rows, 0], weights, bend)
            node["value"] = min(max(value, node["low"]), node["high"])

    def trees(self, grown):
        """[Grown] -> Trees, and their nodes' gain and number of rows (m,)."""
        words = NODE.itemsize // 8  # rows of numbers are copied faster than records
        nodes = np.concatenate([one.nodes.view(np.int64).reshape(-1, words) for one in grown])
        nodes = nodes.reshape(-1).view(NODE)
        start = np.cumsum([0, *(len(one.nodes) for one in grown)])
        inner, column = nodes["left"] > 0, np.maximum(nodes["column"], 0)
        sets = inner & self.bins.categorical[column]
        numeric = inner & ~sets
        cut, place = np.where(numeric, nodes["cut"], 0), np.arange(len(nodes))
        place -= np.repeat(start[:-1], np.diff(start))
        trees = Trees(
            column=np.where(inner, column, 0).astype(np.int32),
            cut=cut.astype(np.uint8),
            threshold=np.where(numeric, self.bins.thresholds(column, cut), np.nan),
            left=np.where(inner, nodes["left"], place).astype(np.int32),
            missing_left=nodes["missing"].astype(bool) & inner,
            set_of=np.where(sets, np.cumsum(sets) - 1, -1).astype(np.int32),
            sets=nodes["bits"][sets].copy(),
            value=np.concatenate([one.values for one in grown])[:, None],
            start=start,
            output=np.array([one.column for one in grown], np.int32),
        )
        return trees, np.where(inner, nodes["gain"], 0.0), nodes["rows"].copy()

    def move(self, job, grown):
        """Add a new tree's values to its column of raw."""
        nodes, k = grown.nodes, grown.column
        if len(job.rows) == len(self.codes):
            self.kernels.add_leaves(self.raw[:, k], job.rows, job.nodes, len(nodes), grown.values)
        else:
            own = Ensemble(self.bins, self.trees([grown])[0], self.loss.q)
            own.add_coded(self.codes, self.raw, self.kernels)


def _nodes(most, groups):
    nodes, reach = new_nodes(most, groups.shape[1])
    return nodes, groups, reach
