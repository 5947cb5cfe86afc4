"""Fitted trees with the bins they ask about: walked over rows, kept in files, refused when tampered with.

Letters: n rows, d columns, t trees, q columns of the result.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import trees as flat
from ml_core.kernels.trees import Trees
from ml_core.models.binning import Bins
from ml_core.models.engine import kernels_for, loaded, threads_for

STEP = 4e-8  # seconds NumPy takes for a row in a tree a level, and for a value to be binned, on one core
FEW = 8  # rows that go one by one


@dataclass
class Ensemble:
    """bins: Bins; trees: ``kernels.trees.Trees``; width: q."""

    bins: Bins
    trees: Trees
    width: int = 1

    def __getstate__(self):
        return {"bins": self.bins, "trees": tuple(self.trees), "width": self.width}

    def __setstate__(self, state):
        """From a file: every index is checked, so that compiled code may follow it."""
        self.__init__(state["bins"], Trees(*state["trees"]), state["width"])
        self.check()

    def check(self):
        """ValueError where a tree points outside of itself."""
        flat.refuse(self.trees, len(self.bins.edges), self.bins.counts, self.width)

    @property
    def walk(self):
        """The trees packed for compiled code, once."""
        if "_walk" not in self.__dict__:
            self.__dict__["_walk"] = flat.packed(self.trees, self.bins.counts)
        return self.__dict__["_walk"]

    def seconds(self, n_rows):
        """What NumPy takes about for so many rows."""
        return STEP * n_rows * (len(self.bins.edges) + 8 * len(self.trees.output))

    def kernels(self, n_rows):
        """``engine.kernels_for`` walking so many rows."""
        size = n_rows * (len(self.bins.edges) + len(self.trees.output))
        return kernels_for(self.seconds(n_rows), threads_for(size))

    def add(self, X, raw):
        """raw (n, q) += the leaves' values of X (n, d) float, nan for missing."""
        if len(X) <= FEW and (kernels := loaded()):
            bins = self.bins.table, self.bins.counts, self.bins.categorical
            kernels.add_few_values(self.walk, bins, np.ascontiguousarray(X, np.float64), raw)
            return
        with self.kernels(len(X)) as (kernels, _):
            self.add_coded(self.bins.codes(X, kernels), raw, kernels)

    def add_coded(self, codes, raw, kernels):
        """As ``add``, from codes (n, d)."""
        if kernels.__name__.endswith("plain"):
            kernels.add_values(self.trees, self.bins.counts, codes, raw)
        else:
            kernels.add_values(self.walk, codes, raw)

    def leaves(self, X):
        """X (n, d) -> the leaf each row reaches in each tree, an index within the tree (n, t) int32."""
        with self.kernels(len(X)) as (kernels, _):
            codes = self.bins.codes(X, kernels)
            if kernels.__name__.endswith("plain"):
                found = kernels.leaves(self.trees, codes, self.bins.counts) - self.trees.start[:-1]
                return found.astype(np.int32)
            found = np.empty((len(X), len(self.trees.output)), np.int32)
            kernels.leaves(self.walk, codes, found)
        return found
