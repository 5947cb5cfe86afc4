"""How often an equal and a better model are promoted: simulated pairs, fixed seeds, as bench/ reports."""

import sys

import numpy as np
import pytest
from closure import ROOT

from ml_core.measure.delong import delong


@pytest.fixture(scope="module")
def case():
    """bench/cases/promotion_rate.py, whose figures stand in docs/numbers.md."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        import side
    finally:
        sys.path.remove(str(ROOT / "bench"))
    return side.load(ROOT / "bench/cases/promotion_rate.py")


def test_an_equal_model_is_seldom_promoted(case):
    pairs = case.data()[0.0]
    assert len(pairs) == 400 and len(pairs[0][0]) == 2000
    assert 0.01 < case.rate(pairs) <= 0.07


@pytest.mark.slow
def test_a_better_model_is_promoted_as_often_as_delongs_test_finds_it(case):
    data = case.data()
    mine, theirs = case.ours(data), case.delong(data)
    assert case.equal(mine, theirs, data), case.figures(mine, theirs, data)
    assert mine[0.010] >= 0.30 and mine[0.020] >= 0.75


def test_the_simulation_is_what_it_says(case):
    """The AUC and its gain are the true ones, and the other DeLong agrees with ours."""
    for gain, pairs in case.data(pairs=60).items():
        found = np.array([delong(truth == 1, new, old) for truth, old, new, _ in pairs])
        assert found[:, 1].mean() == pytest.approx(case.AUC, abs=0.004)
        assert (found[:, 0] - found[:, 1]).mean() == pytest.approx(gain, abs=0.003)
        truth, old, new, _ = pairs[0]
        assert case.error(truth, new, old) == pytest.approx(
            (found[0, 0] - found[0, 1], found[0, 2]), abs=1e-12
        )
