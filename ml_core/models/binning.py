"""A table's columns as small whole numbers, the only form in which trees see them.

Letters: n rows, d columns. Column j has b[j] bins, codes 0..b[j]-1; b[j], its highest code, means missing, or
a category never seen. ``code <= cut`` holds exactly where ``x <= threshold(j, cut)`` does.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import bins as binning

SAMPLE = 200_000  # rows looked at for edges; more move an edge by less than a bin's share


@dataclass
class Bins:
    """Learned bins: edges, a list of d float64 arrays (a categorical column's: its known values, ascending);
    categorical (d,) bool. From them: table (d, 256) and counts (d,) int64, b, as ``kernels.bins.table_of``.
    """

    edges: list
    categorical: np.ndarray

    def __post_init__(self):
        """Lay the edges out for the kernels; ValueError where they are no bins."""
        self.edges = [np.asarray(edges, np.float64) for edges in self.edges]
        self.categorical = np.asarray(self.categorical, bool)
        sizes = [edges.size + (not kind) for edges, kind in zip(self.edges, self.categorical, strict=True)]
        fine = all(edges.ndim == 1 and (np.diff(edges) > 0).all() for edges in self.edges)
        if not fine or max(sizes, default=0) > binning.MOST:
            raise ValueError(f"bins must have rising edges, and be {binning.MOST} a column at most")
        self.table, self.counts = binning.table_of(self.edges, self.categorical)

    def __getstate__(self):
        return {"edges": self.edges, "categorical": self.categorical}

    def __setstate__(self, state):
        self.__init__(state["edges"], state["categorical"])

    @classmethod
    def learn(cls, X, weights, most, categorical, rng):
        """From X (n, d), nan for missing, or a sample of its rows where there are many; at most ``most`` bins
        a column, weights (n,) or None, categorical (d,) bool.
        """
        if len(X) > SAMPLE:
            rows = np.sort(rng.choice(len(X), SAMPLE, replace=False))
            X, weights = X[rows], None if weights is None else weights[rows]
        return cls(binning.find_edges(X, weights, most, categorical), categorical)

    def offsets(self):
        """Each column's stretch of a histogram (d + 1,) uint64: its bins and one for missing."""
        return np.concatenate([[0], np.cumsum(self.counts + 1)]).astype(np.uint64)

    def codes(self, X, kernels):
        """X (n, d) float64 or float32, or shards of it -> codes (n, d) uint8; kernels: ``kernels.plain`` or
        ``.compiled``.
        """
        codes, first = np.empty(X.shape, np.uint8), 0
        for part in X.parts() if hasattr(X, "parts") else [X]:
            own = codes[first : first + len(part)]
            kernels.encode(part, self.table, self.counts, self.categorical, own)
            first += len(part)
        return codes

    def thresholds(self, column, cut):
        """column (k,), cut (k,) of numeric splits -> the numbers (k,) that ``x <= threshold`` asks for."""
        inside = np.minimum(cut, binning.MOST)
        return np.where(cut < self.counts[column] - 1, self.table[column, inside], np.inf)
