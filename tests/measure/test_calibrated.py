"""Calibration errors and fairness differences against loops, known cases, and their laws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import brier_score_loss

from ml_core.measure import classification, fairness
from ml_core.measure.calibrated import calibration_error, compare_errors, spiegelhalter
from ml_core.measure.predictions import Predictions


def chances(seed, n=400, sharper=1.0):
    """Truths drawn with true chances; what is said is sharper (> 1) or duller than these."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=n)
    truth = (rng.uniform(size=n) < 1 / (1 + np.exp(-logit))).astype(int)
    said = 1 / (1 + np.exp(-sharper * logit))
    return Predictions(
        "binary", (said > 0.5).astype(int), truth, ["no", "yes"], np.column_stack([1 - said, said]), None
    )


def whole(of, n):
    return {name: value[0] for name, value in of(np.ones((1, n))).items()}


def test_the_error_is_the_one_that_evaluate_reports():
    p = chances(0)
    assert whole(calibration_error(p), 400)["error"] == pytest.approx(classification.calibration(p)[1])
    rng = np.random.default_rng(0)
    spread = rng.dirichlet(np.ones(3), size=90)
    many = Predictions(
        "multiclass", spread.argmax(axis=1), rng.integers(3, size=90), list("abc"), spread, spread
    )
    assert whole(calibration_error(many), 90)["error"] == pytest.approx(classification.calibration(many)[1])


def test_counts_of_rows_are_copies_of_rows():
    p = chances(1, 50)
    W = np.random.default_rng(0).integers(3, size=(6, 50)).astype(float)
    found = calibration_error(p)(W)
    for b, counts in enumerate(W):
        copies = p.take(np.repeat(np.arange(50), counts.astype(int)))
        alone = whole(calibration_error(copies), len(copies))
        assert all(found[name][b] == pytest.approx(value) for name, value in alone.items())


def test_brier_is_reliability_less_resolution_plus_uncertainty():
    p = chances(2, 3000)
    # said in steps of the bins: then nothing is left within a bin
    said = np.floor(p.probability[:, 1] * 10) / 10 + 0.05
    p = Predictions("binary", p.answer, p.truth, p.classes, np.column_stack([1 - said, said]), None)
    parts = whole(calibration_error(p), 3000)
    wanted = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    assert wanted == pytest.approx(brier_score_loss(p.truth, said), abs=1e-12)


def test_spiegelhalter_has_its_size_and_finds_overconfidence():
    small = [spiegelhalter(chances(seed, 300)) < 0.05 for seed in range(300)]
    assert 0.02 < np.mean(small) < 0.09
    assert spiegelhalter(chances(0, 2000, sharper=2.0)) < 1e-6
    certain = Predictions("binary", np.ones(4, int), np.ones(4, int), ["n", "y"], np.eye(2)[[1] * 4], None)
    assert np.isnan(spiegelhalter(certain))


def test_an_overconfident_model_is_the_worse_calibrated_one():
    good, bad = chances(3, 1500), chances(3, 1500, sharper=2.5)
    new, old, drawn = compare_errors(bad, good, resamples=300)
    assert new > old and np.quantile(drawn, 0.01) > 0
    again, mirrored, back = compare_errors(good, bad, resamples=300)
    assert (again, mirrored) == (old, new)
    assert_allclose(back, -drawn)


def test_values_are_measured_in_the_spread_of_the_truth():
    truth = np.random.default_rng(0).normal(50, 7, size=300)
    off = Predictions("regression", truth + 7.0, truth)
    assert whole(calibration_error(off), 300)["error"] == pytest.approx(7.0 / truth.std())
    with pytest.raises(KeyError, match="without probabilities"):
        calibration_error(Predictions("binary", truth > 50, truth > 50))


def grouped(seed, n=120, q=2):
    rng = np.random.default_rng(seed)
    task = "binary" if q == 2 else "multiclass"
    p = Predictions(task, rng.integers(q, size=n), rng.integers(q, size=n), list("abcd"[:q]))
    return p, np.equal.outer(np.arange(3), rng.integers(3, size=n))


def differences_slowly(p, groups):
    """The definitions, group by group and class by class."""
    gaps, odds = [], []
    for k in [p.positive] if p.task == "binary" else range(len(p.classes)):
        selected = [(p.answer[m] == k).mean() for m in groups]
        found = [(p.answer[m & (p.truth == k)] == k).mean() for m in groups]
        accused = [(p.answer[m & (p.truth != k)] == k).mean() for m in groups]
        gaps.append(max(selected) - min(selected))
        odds += [max(found) - min(found), max(accused) - min(accused)]
    return max(gaps), max(odds)


@pytest.mark.parametrize("q", [2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_differences_equal_their_definition(seed, q):
    p, groups = grouped(seed, q=q)
    found = fairness.measured(p, groups, resamples=100)
    assert_allclose([found[name][0] for name in found], differences_slowly(p, groups), atol=1e-12)
    assert all(low <= high for _, low, high in found.values())


def test_the_same_for_all_groups_is_fair_and_the_opposite_is_not():
    p, groups = grouped(0)
    fair = Predictions("binary", p.truth, p.truth, p.classes)
    assert fairness.measured(fair, groups, 50)["equalized_odds"][0] == 0.0
    torn = Predictions("binary", groups[0].astype(int), p.truth, p.classes)
    assert fairness.measured(torn, groups, 50)["demographic_parity"][0] == 1.0
    alone = fairness.measured(p, groups[:1], 50)
    assert np.isnan(alone["demographic_parity"][0]) and alone["demographic_parity"][1] is None
