"""Sums and products of counts: compiled, SciPy's and dense, at any number of threads."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from ml_core.kernels import categories, counts, threads


@pytest.mark.parametrize("threshold", [None, 0.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8])
def test_compiled_counts_are_scipys(dtype, threshold, monkeypatch):
    rng = np.random.default_rng(0)
    X = csr_matrix(rng.poisson(0.2, (3000, 40)).astype(dtype))
    codes, weight = rng.integers(5, size=3000), rng.uniform(size=3000)
    table = rng.normal(size=(40, 7))
    found = []
    for large in (np.inf, 0):
        monkeypatch.setattr(counts, "LARGE", large)
        found.append([counts.class_counts(X, codes, 5, w, threshold)[1] for w in (None, weight)])
        found[-1].append(counts.times(X, table, threshold))
        found[-1].append(counts.times(X, table[:, :1], threshold))
    dense = X.toarray() if threshold is None else (X.toarray() > threshold)
    found.append([counts.class_counts(dense.astype(float), codes, 5, w)[1] for w in (None, weight)])
    found[-1] += [dense @ table, dense @ table[:, :1]]
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert_allclose(two, one, rtol=1e-12, atol=1e-12)


def test_one_and_two_threads_give_the_same_bits(monkeypatch):
    rng = np.random.default_rng(0)
    X = csr_matrix(rng.poisson(0.2, (40_000, 9)) * rng.uniform(size=(40_000, 9)))
    codes, table = rng.integers(3, size=40_000), rng.normal(size=(9, 3))
    cells, first = rng.integers(6, size=(40_000, 9)), np.arange(0, 54, 6)
    for large in (np.inf, 0):
        monkeypatch.setattr(counts, "LARGE", large)
        found = []
        for count in (1, 2):
            with threads.alone():
                monkeypatch.setitem(threads._inside, "threads", count)
                sums = [counts.class_counts(part, codes, 3, None)[1] for part in (X, X.toarray())]
                sums.append(categories.category_counts(cells, codes, codes + 0.1, first, (54, 3)))
                found.append([*sums, counts.times(X, table), categories.sums(cells, first, sums[-1])])
        for one, two in zip(*found, strict=True):
            assert_array_equal(one, two)


def test_categories_are_counted_and_looked_up_as_by_a_loop():
    rng = np.random.default_rng(1)
    X, codes, weight = rng.integers(4, size=(50, 2)), rng.integers(3, size=50), rng.uniform(size=50)
    first = np.array([0, 4])
    slow = np.zeros((8, 3))
    for row, code, w in zip(X, codes, weight, strict=True):
        for j in range(2):
            slow[first[j] + row[j], code] += w
    assert_allclose(categories.category_counts(X, codes, weight, first, (8, 3)), slow)
    looked = [sum(slow[first[j] + row[j]] for j in range(2)) for row in X]
    assert_allclose(categories.sums(X, first, slow), looked)
