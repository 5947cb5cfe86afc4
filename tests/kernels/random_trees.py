"""Random trees that the tests of walks share."""

import numpy as np

from ml_core.kernels import trees


def some_trees(rng, d, width, bins=None):
    """(trees, bins (d,)): up to four random trees on d columns, some nodes with sets."""
    bins = rng.integers(2, 256, d) if bins is None else bins
    grown = [_one(rng, bins, width) for _ in range(rng.integers(1, 5))]
    return trees.join(grown, width), bins


def _one(rng, bins, width):
    inner, size = {}, 1
    for node in range(int(rng.integers(1, 40))):
        if node < size and rng.random() < 0.7:
            inner[node], size = size, size + 2
    column = np.zeros(size, np.int32)
    left = np.arange(size, dtype=np.int32)
    for node, child in inner.items():
        column[node], left[node] = rng.integers(len(bins)), child
    own = left != np.arange(size)
    mixed = rng.random() < 0.5
    set_of = np.where(own & mixed & (rng.random(size) < 0.5), rng.integers(0, 3, size), -1).astype(np.int32)
    cut = (rng.random(size) * bins[column]).astype(np.uint8)
    sets = rng.integers(0, 2**63, (3, 4)).astype(np.uint64) * np.uint64(2)
    return trees.Trees(
        column, cut, cut.astype(float), left, own & (rng.random(size) < 0.5), set_of, sets,
        rng.normal(size=(size, width)), np.array([0, size]), rng.integers(0, 2, 1).astype(np.int32),
    )  # fmt: skip
