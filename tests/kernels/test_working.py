"""Working sets of a lasso: what is not asked of a column must not matter."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csc_array, random_array

from ml_core.kernels.working import Working


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_slopes_are_exact_wherever_they_may_reach_the_penalty(sparse, weighted):
    rng = np.random.default_rng(0)
    n, d = 300, 2500
    X = csc_array(random_array((n, d), density=0.05, rng=0))
    X.data *= 10.0 ** rng.integers(-4, 3, d)[np.repeat(np.arange(d), np.diff(X.indptr))]
    s = rng.uniform(0, 2, n) if weighted else np.ones(n)
    m = np.asarray(X.T @ s) / s.sum()
    whole = (X.toarray() - m) * np.sqrt(s)[:, None]  # centred and weighted, as a dense X comes
    y = rng.normal(size=n)
    if sparse:
        source = Working(X, s, m, y)
    else:
        source = Working(np.asfortranarray(whole), np.ones(n), np.zeros(d), np.sqrt(s) * y)
    screened = 0
    for reach in np.geomspace(1e-3, 1.0, 12):
        r = source.y + reach * rng.normal(size=n)
        true = whole.T @ (np.sqrt(s) * r if sparse else r)
        for l1 in np.abs(true).max() * np.array([1.0, 0.3, 1e-3]):
            found = source.slopes(r, l1)
            differs = np.flatnonzero(np.abs(found - true) > 1e-9 * np.abs(true).max())
            screened += len(differs)
            assert (np.maximum(np.abs(found), np.abs(true))[differs] < l1).all()
    assert screened > 1000  # else nothing was spared, and the test shows nothing


def test_lengths_of_columns_are_no_shorter_than_they_are():
    rng = np.random.default_rng(1)
    X = csc_array(random_array((400, 1500), density=0.03, rng=1))
    X.data *= np.repeat(10.0 ** rng.integers(-8, 8, 1500), np.diff(X.indptr))
    s = rng.uniform(0.5, 2, 400)
    for m in (np.zeros(1500), np.asarray(X.T @ s) / s.sum()):
        true = np.sqrt(s @ (X.toarray() - m) ** 2)
        found = Working(X, s, m, rng.normal(size=400))._lengths()
        assert (found >= true).all()
        assert_allclose(found[true > 1e-3], true[true > 1e-3], rtol=1e-3)  # nor out of all proportion
