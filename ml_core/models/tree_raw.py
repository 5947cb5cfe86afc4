"""Trees that ask about raw numbers, for models fitted elsewhere: their cuts are too many for bins.

Letters: n rows, d columns, t trees, m nodes, q columns of the result.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import trees as flat
from ml_core.kernels import workers
from ml_core.kernels.trees import Trees
from ml_core.models.engine import kernels_for

STEP = 6e-8  # seconds NumPy takes for a row in a tree a level
BATCH = 1 << 20  # (row, tree) pairs walked at once
ROWS = 4096
UNKNOWN = 255  # the code of a category that is missing or too large


@dataclass
class RawEnsemble:
    """As ``Ensemble``, without bins. width: q; single: whether numbers are rounded to float32 first, as
    scikit-learn's trees do; n_columns: d; categorical: columns whose whole parts are codes of sets.
    """

    bins: None
    trees: Trees
    width: int = 1
    single: bool = False
    n_columns: int = 0
    categorical: tuple = ()

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "trees"} | {
            "trees": tuple(self.trees)
        }

    def __setstate__(self, state):
        """From a file: every index is checked, so that compiled code may follow it."""
        vars(self).update(state, trees=Trees(*state["trees"]))
        self.check()

    def check(self):
        """ValueError where a tree points outside of itself."""
        flat.refuse(self.trees, self.n_columns, np.full(self.n_columns, UNKNOWN), self.width)
        if not all(0 <= column < self.n_columns for column in self.categorical):
            raise ValueError(f"categorical columns are {self.categorical}, of {self.n_columns}")

    def codes(self, X):
        """X (n, d) -> codes (n, d) uint8 of the categorical columns; UNKNOWN where there is none."""
        codes = np.zeros(X.shape, np.uint8)
        for column in self.categorical:
            whole = np.trunc(X[:, column])
            codes[:, column] = np.where((whole >= 0) & (whole < UNKNOWN), whole, UNKNOWN)
        return codes

    def _read(self, X):
        return np.ascontiguousarray(X.astype(np.float32) if self.single else X, np.float64)

    def add(self, X, raw):
        """raw (n, q) += the leaves' values of X (n, d) float, nan for missing, tree after tree."""
        X = self._read(X)
        with kernels_for(STEP * 8 * len(X) * len(self.trees.output)) as (kernels, threads):
            if kernels.__name__.endswith("plain"):
                self._add_plainly(X, raw)
                return
            none = np.zeros((ROWS, X.shape[1]), np.uint8)

            def work(rows):
                part = X[rows]
                codes = self.codes(part) if self.categorical else none[: len(part)]
                kernels.add_raw_values(self.trees, part, codes, raw[rows])

            workers.each(work, workers.slices(len(X), ROWS), threads)

    def _add_plainly(self, X, raw):
        width, rows = self.trees.value.shape[1], max(1, BATCH // max(1, len(self.trees.output)))
        for first in range(0, len(X), rows):
            found = self._reached(X[first : first + rows])
            for tree, column in enumerate(self.trees.output):
                raw[first : first + rows, column : column + width] += self.trees.value[found[:, tree]]

    def _reached(self, X):
        """The leaf each row of X reaches in each tree (n, t), an index among all m nodes."""
        trees, n, t, codes = self.trees, len(X), len(self.trees.output), self.codes(X)
        node = np.tile(trees.start[:-1], n)
        row, root = np.repeat(np.arange(n), t), node.copy()
        active = np.flatnonzero(trees.left[node] + root != node)
        while len(active):
            at, first = node[active], root[active]
            where = row[active], trees.column[at]
            at = trees.left[at] + first + ~goes_left(trees, at, X[where], codes[where])
            node[active] = at
            active = active[trees.left[at] + first != at]
        return node.reshape(n, t)

    def leaves(self, X):
        """X (n, d) -> the leaf each row reaches in each tree, an index within the tree (n, t) int32."""
        return (self._reached(self._read(X)) - self.trees.start[:-1]).astype(np.int32)


def goes_left(trees, at, x, codes):
    """Whether nodes at (k,) send numbers x (k,) left, and where they have sets, codes (k,)."""
    left = np.where(np.isnan(x), trees.missing_left[at], x <= trees.threshold[at])
    some = np.flatnonzero(trees.set_of[at] >= 0)
    if len(some):
        left[some] = flat.in_set(trees, at[some], codes[some])
    return left
