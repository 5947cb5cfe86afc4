"""Intervals, slices, reasons: laws, and the loop over scikit-learn that the bootstrap replaces."""

import re

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from ml_core.measure import bootstrap, slices
from ml_core.measure.predictions import Predictions
from ml_core.measure.score import METRICS, grouping, main_metric, metrics_of, sample, score


def two_classes(seed, n=200, lift=0.3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    said = np.clip(rng.normal(0.4 + lift * truth, 0.3), 0.01, 0.99)
    spread = np.column_stack([1 - said, said])
    return Predictions("binary", (said > 0.5).astype(int), truth, ["no", "yes"], spread, spread)


def test_resamples_equal_a_loop_over_scikit_learn():
    p, n = two_classes(0), 200
    ours = bootstrap.resample({"m": metrics_of(p)}, n, 50, seed=3)["m"]["auc"]
    draws = np.random.default_rng(3).integers(n, size=(50, n))
    slow = [roc_auc_score(p.truth[rows], p.score[rows, 1]) for rows in draws]
    assert_allclose(ours, slow, atol=1e-12)


@pytest.mark.parametrize("cells", [1, 130, 7 * 13, 10_000])
def test_draws_do_not_depend_on_how_many_are_held(cells):
    whole = np.vstack(list(bootstrap.counts(13, 29, seed=5)))
    assert (np.vstack(list(bootstrap.counts(13, 29, seed=5, cells=cells))) == whole).all()
    assert (whole.sum(axis=1) == 13).all() and whole.shape == (29, 13)


def test_two_models_share_their_draws():
    """Of a model and itself the resampled difference is 0; with a twin it varies far less than unpaired."""
    p, q = two_classes(1), two_classes(1)
    drawn = bootstrap.resample({"a": metrics_of(p), "b": metrics_of(q)}, 200, 100, seed=0)
    alone = bootstrap.resample({"b": metrics_of(q)}, 200, 100, seed=0)
    assert (drawn["a"]["auc"] == drawn["b"]["auc"]).all()
    assert (drawn["b"]["auc"] == alone["b"]["auc"]).all()


def test_intervals_cover_as_often_as_they_say():
    """Accuracy of a fair coin over 200 tables: the 95 % interval misses one half about 5 times in 100."""
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth, answer = rng.integers(2, size=(2, 150))
        p = Predictions("binary", answer, truth, [0, 1])
        drawn = bootstrap.resample({"m": metrics_of(p)}, 150, 200, seed=seed)["m"]["accuracy"]
        low, high = bootstrap.interval(drawn)
        hits += low <= 0.5 <= high
    assert 0.89 <= hits / 200 <= 0.99


def test_interval_is_none_where_most_draws_are_undefined():
    assert bootstrap.interval(np.array([np.nan, np.nan, 1.0])) == (None, None)
    low, high = bootstrap.interval(np.array([np.nan, 1.0, 1.0]))
    assert low == high == 1.0


def test_a_slice_equals_the_model_on_its_rows():
    p = two_classes(2)
    frame = pl.DataFrame({"sex": np.where(np.arange(200) % 3 == 0, "f", "m")})
    cut = slices.cut(frame, ["sex"], {})
    _, _, listed = score(p, 40, 0, cut, min_rows=10)
    for one, part in zip(listed, cut, strict=True):
        alone, _, _ = score(p.take(part.rows), 0, 0)
        assert one["n"] == part.rows.sum()
        assert {m: v["value"] for m, v in one["metrics"].items()} == {m: v["value"] for m, v in alone.items()}
    assert [one["level"] for one in listed] == ["m", "f"]
    assert all(one["metrics"]["auc"]["low"] < one["metrics"]["auc"]["high"] for one in listed)


def test_a_small_slice_is_listed_but_not_scored():
    frame = pl.DataFrame({"c": ["rare"] * 5 + ["often"] * 195})
    _, _, listed = score(two_classes(0), 10, 0, slices.cut(frame, ["c"], {}), min_rows=30)
    rare = next(one for one in listed if one["level"] == "rare")
    assert rare["n"] == 5 and rare["metrics"] == {} and rare["note"] == "fewer than 30 rows"


def test_every_metric_is_there_or_says_why_not():
    p = two_classes(0)
    cases = [p, p.take(p.truth == 1), p.take(np.zeros(0, int)), p.take([0])]
    cases += [Predictions("binary", p.answer, p.truth, p.classes)]
    cases += [Predictions("regression", np.ones(3), np.zeros(3))]
    for case in cases:
        known, left_out, _ = score(case, 20, 0)
        assert set(known) | set(left_out) == set(METRICS[case.task])
        assert not set(known) & set(left_out)
        assert all(np.isfinite(one["value"]) for one in known.values())


@pytest.mark.parametrize(
    ("case", "metric", "words"),
    [
        (two_classes(0).take(two_classes(0).truth == 1), "auc", "several classes; all .* test rows are yes"),
        (two_classes(0).take(slice(0)), "auc", "no test rows"),
        (
            Predictions("binary", np.zeros(4, int), np.arange(4) % 2, ["n", "y"]),
            "precision",
            "predicted as y",
        ),
        (
            Predictions("binary", np.zeros(4, int), np.arange(4) % 2, ["n", "y"]),
            "auc",
            "neither predict_proba",
        ),
        (Predictions("binary", np.zeros(4, int), np.arange(4) % 2, ["n", "y"]), "brier", "no predict_proba"),
        (Predictions("regression", np.ones(3), np.zeros(3)), "r2", "same in all test rows"),
        (Predictions("regression", np.ones(3), np.zeros(3)), "mape", "at or near 0"),
    ],
)
def test_reasons(case, metric, words):
    assert re.search(words, score(case, 5, 0)[1][metric])


def test_the_main_metric_falls_back():
    assert main_metric({"auc": 1, "accuracy": 1}, "binary") == "auc"
    assert main_metric({"accuracy": 1, "f1": 1}, "binary") == "accuracy"
    assert main_metric({}, "regression") is None


def test_clusters_have_a_silhouette_with_an_interval_and_one_cluster_has_none():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(60, 2)) + np.repeat([[0, 0], [9, 9]], 30, axis=0)
    p = Predictions("clustering", np.repeat([0, 1], 30), np.repeat([1, 0], 30), [0, 1], truths=["a", "b"])
    known, left_out, _ = grouping(p, Z, 100, 0)
    assert known["adjusted_rand"]["value"] == 1 and left_out == {}
    one = known["silhouette"]
    assert 0.7 < one["low"] < one["value"] < one["high"] < 1
    known, left_out, _ = grouping(Predictions("clustering", np.zeros(9, int), classes=[0]), Z[:9], 10, 0)
    assert set(left_out) == {"silhouette", "davies_bouldin", "adjusted_rand"}
    assert "2 clusters" in left_out["silhouette"] and known["clusters"]["value"] == 1


FRAME = pl.DataFrame(
    {
        "colour": ["red", "blue", None, "red"] * 25,
        "flag": [True, False] * 50,
        "age": [float(k) for k in range(99)] + [None],
        "id": [str(k) for k in range(100)],
        "few": [1, 2, 10, 2] * 25,
        "count": ["x"] * 100,
    }
)
KINDS = dict(
    colour="categorical", flag="boolean", age="numeric", id="categorical", few="numeric", count="categorical"
)


def test_slices_are_found_without_names():
    assert slices.found(FRAME, KINDS) == ["colour", "flag"]
    assert slices.found(FRAME, {"age": "numeric", "id": "text", "few": "numeric"}) == ["age", "few"]
    assert slices.cut(FRAME.clear(), None, KINDS) == []


@pytest.mark.parametrize("column", FRAME.columns)
def test_slices_of_a_column_part_the_rows(column):
    parts = slices.cut(FRAME, [column], KINDS)
    assert (np.sum([part.rows for part in parts], axis=0) == 1).all()
    assert len({part.level for part in parts}) == len(parts)
    assert len(parts) <= 31


def test_numeric_slices_say_their_bounds():
    assert [part.level for part in slices.cut(FRAME, ["age"], KINDS)] == [
        "[0, 24)",
        "[24, 49)",
        "[49, 74)",
        "[74, 98]",
        "(missing)",
    ]
    assert [part.level for part in slices.cut(FRAME, ["few"], KINDS)] == ["1", "2", "10"]


def test_dates_are_cut_by_quantile():
    frame = pl.DataFrame({"day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 9), eager=True)})
    parts = slices.cut(frame, ["day"], {})
    assert (np.sum([part.rows for part in parts], axis=0) == 1).all()
    assert parts[0].level.startswith("[2020-01-01, 2020-01-")


def test_an_unknown_slice_names_the_columns():
    with pytest.raises(KeyError, match=r"evaluate.slices: no column 'gender'.*they have colour, flag, age"):
        slices.cut(FRAME, ["gender"], KINDS)


def test_a_sample_is_sorted_seeded_and_never_larger_than_asked():
    rows = sample(100, 10, 0)
    assert len(set(rows)) == 10 and (np.diff(rows) > 0).all() and (rows == sample(100, 10, 0)).all()
    assert (sample(5, 10, 0) == np.arange(5)).all()
