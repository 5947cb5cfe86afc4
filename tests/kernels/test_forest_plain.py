"""NumPy's trees are the compiled ones, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ml_core.kernels.forest_grow import grow
from ml_core.models import forest_fit
from ml_core.models.forest_fit import Draw, Ground
from ml_core.models.forest_job import Limits, Target

FIELDS = ("column", "left", "cut", "missing_left", "rows", "depth", "gain", "spread", "key")


def ground_of(codes, y, q, draw, **limits):
    """A table (n, d) ready to grow on."""
    n, d = codes.shape
    target = Target(y, q) if q else Target.of_values(y, draw.weight, "squared_error", draw.count or None)
    limits = Limits(**{"criterion": "gini" if q else "squared_error", "columns": d} | limits)
    missing = np.full(d, 40, np.uint8)
    return Ground(
        np.ascontiguousarray(codes.T.astype(np.uint8)), missing, np.zeros(d, np.int8), target, limits, draw
    )


def check_alike(ground, seeds):
    """Both kernels grow the same trees."""
    pairs = zip(*(forest_fit.grow_all(ground, seeds, 1, how) for how in (grow, None)), strict=True)
    for compiled, plain in pairs:
        assert_array_equal(compiled.sums, plain.sums)
        for name in FIELDS:
            assert_array_equal(compiled.nodes[name], plain.nodes[name], err_msg=name)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 120), st.integers(1, 6), st.sampled_from([0, 2, 3]), st.integers(0, 10**6),
    st.booleans(), st.sampled_from([0.0, 0.3, 1.0]), st.booleans(),
)  # fmt: skip
def test_any_table_grows_the_same_trees(n, d, q, seed, random, lost, bootstrap):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, rng.integers(1, 41), (n, d))
    codes[rng.random((n, d)) < lost * 0.5] = 40
    y = rng.integers(0, q, n) if q else rng.normal(size=n)
    weight = rng.integers(0, 4, n).astype(float) + rng.random(n) * (rng.random() < 0.5)
    draw = Draw(n, counted=True, count=n) if bootstrap else Draw(n, weight + (weight.sum() == 0))
    limits = {
        "columns": int(rng.integers(1, d + 1)), "leaf": int(rng.integers(1, 4)), "random": random,
        "depth": int(rng.integers(0, 6)), "weight_share": 0.02 * (rng.random() < 0.3),
    }  # fmt: skip
    check_alike(ground_of(codes, y, q, draw, **limits), rng.integers(0, 2**62, 3).astype(np.uint64))


@pytest.mark.parametrize("q", [0, 2])
def test_a_table_large_enough_for_kept_histograms_grows_the_same_trees(q):
    rng = np.random.default_rng(q)
    codes = rng.integers(0, 40, (6000, 3))
    y = rng.integers(0, q, 6000) if q else codes[:, 0] + rng.normal(size=6000)
    check_alike(ground_of(codes, y, q, Draw(6000)), np.array([5], np.uint64))
