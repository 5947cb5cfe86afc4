"""Paired tests against slow twins that can be checked by eye, and laws: symmetry, size, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm
from sklearn.metrics import mean_absolute_error, roc_auc_score

from ml_core.measure import mcnemar, paired
from ml_core.measure.delong import delong
from ml_core.measure.families import holm
from ml_core.measure.paired import compare, compare_all, compare_parts
from ml_core.measure.predictions import Predictions


def scores(seed, n=60, tied=False, gain=0.0):
    rng = np.random.default_rng(seed)
    truth = np.r_[rng.integers(2, size=n - 4), 0, 0, 1, 1]
    shared = rng.normal(size=n)
    new, old = (truth * (0.8 + more) + shared + 0.7 * rng.normal(size=n) for more in (gain, 0.0))
    return truth == 1, *(np.round(score, 0 if tied else 12) for score in (new, old))


def binary(positive, score):
    spread = np.column_stack([-score, score])
    return Predictions("binary", (score > 0.4).astype(int), positive.astype(int), ["no", "yes"], None, spread)


def delong_slowly(positive, new, old):
    """All pairs of a positive and a negative row, as the paper writes it."""
    won = []
    for score in (new, old):
        X, Y = score[positive], score[~positive]
        won.append(np.array([[(x > y) + 0.5 * (x == y) for y in Y] for x in X], dtype=float))
    gain = won[0] - won[1]
    V10, V01 = gain.mean(axis=1), gain.mean(axis=0)
    error = (V10.var(ddof=1) / len(V10) + V01.var(ddof=1) / len(V01)) ** 0.5
    return won[0].mean(), won[1].mean(), error


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_delong_equals_all_pairs(seed, tied):
    positive, new, old = scores(seed, tied=tied)
    assert_allclose(delong(positive, new, old), delong_slowly(positive, new, old), rtol=0, atol=1e-12)
    assert_allclose(delong(positive, new, old)[0], roc_auc_score(positive, new), atol=1e-12)


def test_delong_is_blind_to_the_order_of_rows_and_to_the_scale():
    positive, new, old = scores(3, tied=True)
    order = np.random.default_rng(0).permutation(len(new))
    wanted = delong(positive, new, old)
    assert_allclose(delong(positive[order], np.exp(new[order]), old[order] * 3 + 1), wanted, atol=1e-14)


def test_delong_knows_when_there_is_no_spread():
    positive, new, _ = scores(0)
    assert delong(positive, new, new)[2] == 0.0
    assert np.isnan(delong(np.array([True, False, False]), np.arange(3.0), np.arange(3.0))[2])


@pytest.mark.parametrize("metric", ["auc", "accuracy", "balanced_accuracy"])
def test_swapping_the_models_mirrors_everything(metric):
    positive, new, old = scores(1, 300)
    one, other = (
        compare(binary(positive, a), binary(positive, b), metric) for a, b in ((new, old), (old, new))
    )
    assert one.gain == -other.gain and one.error == pytest.approx(other.error, rel=1e-9)
    assert_allclose(one.interval(), [-end for end in other.interval()[::-1]], atol=1e-9)
    for margin in (0.0, 0.02):
        assert one.above(margin) == pytest.approx(other.below(-margin), abs=1e-9)
        assert one.below(margin) == pytest.approx(other.above(-margin), abs=1e-9)


@pytest.mark.parametrize("metric", ["auc", "accuracy", "brier", "f1"])
def test_a_model_is_no_better_than_itself(metric):
    positive, new, _ = scores(1, 200)
    score = 1 / (1 + np.exp(-new))
    p = binary(positive, score)
    p = Predictions(
        "binary", p.answer, p.truth, p.classes, p.score * 0 + np.column_stack([1 - score, score]), p.score
    )
    pair = compare(p, p, metric)
    assert pair.gain == 0 and pair.above() >= 0.5 and pair.below() >= 0.5
    assert pair.error == 0 and pair.detectable() == 0 and pair.interval()[0] <= 0 <= pair.interval()[1]


def test_mcnemar_equals_scipys_binomial_test():
    for won, lost in [(0, 0), (5, 0), (0, 5), (12, 7), (40, 41)]:
        n = max(won + lost, 1)
        wanted = binomtest(won, n, alternative="greater").pvalue if won + lost else 1.0
        assert mcnemar.exact(won, lost) == pytest.approx(wanted)
        assert mcnemar.mid(won, lost) < mcnemar.exact(won, lost)
    # by hand: 4 of 5 discordant rows: (5 + 1) / 32, and without half of P(4) = 5 / 32
    assert mcnemar.exact(4, 1) == pytest.approx(6 / 32) and mcnemar.mid(4, 1) == pytest.approx(3.5 / 32)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 100))
def test_winning_one_more_row_never_weakens_the_case(won, lost, rest):
    n = won + lost + rest
    for margin in (0.0, 0.01, -0.05):
        p = mcnemar.above(won, lost, n, margin)
        assert mcnemar.above(won + 1, lost, n, margin) <= p + 1e-12
        if lost:
            assert mcnemar.above(won, lost - 1, n, margin) <= p + 1e-12


def tango_slowly(won, lost, n, difference):
    """The likeliest shares given the difference, by search; then the plain score statistic."""

    def unlikely(share):
        parts = (share + difference, share, 1 - 2 * share - difference)
        counts = (won, lost, n - won - lost)
        return -sum(c * np.log(max(p, 1e-300)) for c, p in zip(counts, parts, strict=True) if c)

    ends = (max(0.0, -difference), (1 - difference) / 2)
    share = minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    return (won - lost - n * difference) / (n * (2 * share + difference - difference**2)) ** 0.5


@pytest.mark.parametrize(
    "case", [(12, 4, 100, 0.05), (4, 12, 100, -0.02), (3, 9, 40, 0.1), (30, 30, 80, -0.15)]
)
def test_tangos_statistic_equals_a_search(case):
    assert mcnemar.score(*case) == pytest.approx(tango_slowly(*case), abs=1e-5)


def test_tangos_interval_is_where_the_statistic_is_z_and_covers():
    low, high = mcnemar.interval(20, 9, 200)
    z = norm.ppf(0.975)
    assert mcnemar.score(20, 9, 200, low) == pytest.approx(z, abs=1e-6)
    assert mcnemar.score(20, 9, 200, high) == pytest.approx(-z, abs=1e-6)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(80, [0.12, 0.06, 0.82], size=700)
    ends = np.array([mcnemar.interval(won, lost, 80) for won, lost, _ in draws])
    assert 0.93 < ((ends[:, 0] <= 0.06) & (ends[:, 1] >= 0.06)).mean() < 0.97


def test_the_bootstrap_gives_the_draws_of_a_loop():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=40)
    new, old = (Predictions("regression", truth + rng.normal(size=40) * s, truth) for s in (0.8, 1.0))
    pair = compare(new, old, "mae", resamples=50, seed=3)
    rows = np.random.default_rng(3).integers(40, size=(50, 40))
    wanted = [
        mean_absolute_error(truth[r], old.answer[r]) - mean_absolute_error(truth[r], new.answer[r])
        for r in rows
    ]
    assert_allclose(pair.drawn, wanted, atol=1e-12)
    assert pair.error == pytest.approx(np.std(wanted, ddof=1)) and pair.gain > 0


def test_parts_are_compared_as_parts_of_the_whole():
    positive, new, old = scores(5, 300)
    new, old = binary(positive, new), binary(positive, old)
    places = {None: np.arange(300), "half": np.arange(0, 300, 2)}
    for metric in ("auc", "accuracy", "f1"):
        found = compare_parts(new, old, places, metric)
        half = compare(new.take(places["half"]), old.take(places["half"]), metric)
        assert found["half"].gain == pytest.approx(half.gain, abs=1e-12) and found["half"].n == 150
        assert found[None].gain == compare(new, old, metric).gain
        assert found["half"].error == pytest.approx(half.error, rel=0.15)


def test_all_metrics_at_once_are_those_one_by_one():
    positive, new, old = scores(5, 200)
    new, old = binary(positive, new), binary(positive, old)
    pairs = compare_all(new, old, resamples=50)
    assert [pair.metric for pair in pairs][:3] == ["auc", "average_precision", "accuracy"]
    for pair in pairs:
        one = compare(new, old, pair.metric, resamples=50)
        assert (pair.gain, pair.error, pair.method) == (one.gain, one.error, one.method)


@pytest.mark.parametrize("metric", ["auc", "accuracy", "balanced_accuracy"])
def test_one_in_twenty_equal_pairs_seems_better_and_the_detectable_gain_is_found(metric):
    rng = np.random.default_rng(7)
    said, errors = [], []
    for _ in range(300):
        truth = rng.integers(2, size=400)
        a, b = (truth + rng.normal(size=400) for _ in range(2))
        pair = compare(*(binary(truth == 1, score) for score in (a, b)), metric, resamples=200)
        said.append(pair.above() < 0.05)
        errors.append([pair.gain, pair.error])
    assert 0.02 <= np.mean(said) <= 0.085
    gains, error = np.array(errors).T
    assert error.mean() == pytest.approx(gains.std(), rel=0.12)
    # a true gain of this size is found with power .8: it lies (z + z) errors away
    assert pair.detectable() == pytest.approx((1.6449 + 0.8416) * pair.error, rel=1e-3)
    assert pair.rows_for(pair.detectable() / 2) == pytest.approx(4 * pair.n, abs=1)


@pytest.mark.parametrize("metric", ["rmse", "r2", "median_absolute_error"])
def test_blocks_of_very_many_rows_spread_as_the_bootstrap_does(metric, monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=8000)
    new, old = (Predictions("regression", truth + s * rng.normal(size=8000), truth) for s in (0.9, 1.0))
    halves = {None: np.arange(8000), "first": np.arange(2000)}
    plain = compare_parts(new, old, halves, metric, 300)
    monkeypatch.setattr(paired, "MANY", 4000)
    found = compare_parts(new, old, halves, metric, 300)
    assert found[None].method == "blocks" and found["first"].method == "bootstrap"
    for name, pair in found.items():
        assert pair.gain == plain[name].gain
        assert pair.error == pytest.approx(plain[name].error, rel=0.25)
    assert found[None].drawn is None and found[None].above() < 1e-6


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_its_definition(p):
    wanted = np.empty(len(p))
    order, largest = sorted(range(len(p)), key=lambda i: p[i]), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, (len(p) - rank) * p[i])
        wanted[i] = min(largest, 1.0)
    adjusted = holm(p)
    assert_allclose(adjusted, wanted)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-12).all()


def test_holm_leaves_out_tests_that_were_not_made():
    assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    assert len(holm([])) == 0


def test_models_of_other_rows_are_told():
    positive, new, old = scores(0)
    one, other = binary(positive, new), binary(~positive, old)
    with pytest.raises(ValueError, match="truth"):
        compare(one, other, "auc")
    with pytest.raises(ValueError, match="binary of 59 with"):
        compare(one, one.take(np.arange(59)), "auc")
    with pytest.raises(KeyError, match="no rmse here; there are auc"):
        compare(one, one, "rmse")
    with pytest.raises(KeyError, match="rows of one class"):
        compare(*[one.take(positive)] * 2, "auc")
