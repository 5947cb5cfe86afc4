"""Our metrics against scikit-learn's, plain and resampled; laws of ranks, calibration and clusters."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.calibration import calibration_curve

from ml_core.measure import classification, clustering, ranking, regression
from ml_core.measure.predictions import Predictions
from ml_core.measure.score import metrics_of


def two_classes(seed, n=60, tied=False):
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    score = np.clip(rng.normal(0.4 + 0.3 * truth, 0.3), 0.01, 0.99)
    score = np.round(score, 1) if tied else score
    spread = np.column_stack([1 - score, score])
    return Predictions("binary", (score > 0.5).astype(int), truth, ["no", "yes"], spread, spread)


def many_classes(seed, n=90, q=4):
    rng = np.random.default_rng(seed)
    truth = rng.integers(q, size=n)
    spread = rng.dirichlet(np.ones(q), size=n) + np.eye(q)[truth] * 0.5
    spread /= spread.sum(axis=1, keepdims=True)
    return Predictions("multiclass", spread.argmax(axis=1), truth, list("abcd"[:q]), spread, spread)


def values(seed, n=51):
    rng = np.random.default_rng(seed)
    truth = rng.normal(1e4, 3, size=n)
    return Predictions("regression", truth + rng.normal(size=n), truth)


def binary_slowly(p):
    y, said, score = p.truth, p.answer, p.score[:, 1]
    return {
        "auc": theirs.roc_auc_score(y, score),
        "average_precision": theirs.average_precision_score(y, score),
        "log_loss": theirs.log_loss(y, p.probability, labels=[0, 1]),
        "brier": theirs.brier_score_loss(y, score),
        "accuracy": theirs.accuracy_score(y, said),
        "balanced_accuracy": theirs.balanced_accuracy_score(y, said),
        "f1": theirs.f1_score(y, said),
        "precision": theirs.precision_score(y, said),
        "recall": theirs.recall_score(y, said),
    }


def multiclass_slowly(p):
    y, said = p.truth, p.answer
    return {
        "accuracy": theirs.accuracy_score(y, said),
        "balanced_accuracy": theirs.balanced_accuracy_score(y, said),
        "f1_macro": theirs.f1_score(y, said, average="macro"),
        "log_loss": theirs.log_loss(y, p.probability, labels=range(len(p.classes))),
        "auc_ovr": theirs.roc_auc_score(y, p.probability, multi_class="ovr"),
    }


def regression_slowly(p):
    y, said = p.truth, p.answer
    return {
        "r2": theirs.r2_score(y, said),
        "rmse": theirs.root_mean_squared_error(y, said),
        "mae": theirs.mean_absolute_error(y, said),
        "median_absolute_error": theirs.median_absolute_error(y, said),
        "bias": np.mean(said - y),
        "mape": theirs.mean_absolute_percentage_error(y, said),
    }


CASES = [
    pytest.param(two_classes, binary_slowly, id="binary"),
    pytest.param(lambda seed: two_classes(seed, tied=True), binary_slowly, id="binary with ties"),
    pytest.param(many_classes, multiclass_slowly, id="multiclass"),
    pytest.param(values, regression_slowly, id="regression, odd"),
    pytest.param(lambda seed: values(seed, 50), regression_slowly, id="regression, even"),
]


@pytest.mark.parametrize(("make", "slowly"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_metrics_equal_scikit_learn(make, slowly, seed):
    p = make(seed)
    ours = metrics_of(p)(np.ones((1, len(p))))
    expected = slowly(p)
    assert set(ours) == set(expected)
    for name, value in expected.items():
        assert_allclose(ours[name], value, rtol=1e-11, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("make", "slowly"), CASES)
def test_a_count_of_rows_equals_repeated_rows(make, slowly):
    p = make(7)
    W = np.random.default_rng(7).multinomial(len(p), np.full(len(p), 1 / len(p)), size=4).astype(float)
    ours = metrics_of(p)(W)
    for b, w in enumerate(W):
        for name, value in slowly(p.take(np.repeat(np.arange(len(p)), w.astype(int)))).items():
            assert_allclose(ours[name][b], value, rtol=1e-10, err_msg=name)


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_auc_is_the_share_of_pairs_in_order(rows):
    y, s = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    auc, _ = ranking.ranking(y, s)(np.ones((1, len(y))))
    pairs = [(a > b) + 0.5 * (a == b) for a in s[y] for b in s[~y]]
    assert_allclose(auc[0], np.mean(pairs) if pairs else np.nan)
    turned, _ = ranking.ranking(~y, -s)(np.ones((1, len(y))))
    assert_allclose(turned[0], auc[0])


def test_curves_equal_scikit_learn():
    p = two_classes(3, n=80, tied=True)
    fpr, tpr, _ = ranking.roc(p.truth == 1, p.score[:, 1])
    theirs_fpr, theirs_tpr, _ = theirs.roc_curve(p.truth, p.score[:, 1], drop_intermediate=False)
    assert_allclose(fpr, theirs_fpr)
    assert_allclose(tpr, theirs_tpr)
    recall, precision, _ = ranking.precision_recall(p.truth == 1, p.score[:, 1])
    their_precision, their_recall, _ = theirs.precision_recall_curve(p.truth, p.score[:, 1])
    assert_allclose(recall, their_recall[::-1][1:])
    assert_allclose(precision, their_precision[::-1][1:])
    assert_allclose(np.trapezoid(tpr, fpr), theirs.roc_auc_score(p.truth, p.score[:, 1]))


def test_confusion_equals_scikit_learn():
    p = many_classes(1)
    assert (classification.confusion(p) == theirs.confusion_matrix(p.truth, p.answer)).all()


def test_calibration_equals_scikit_learn():
    p = two_classes(5, n=400)
    found, error = classification.calibration(p)
    observed, predicted = calibration_curve(p.truth, p.score[:, 1], n_bins=10)
    assert_allclose(found["observed"], observed)
    assert_allclose(found["predicted"], predicted)
    assert found["rows"].sum() == 400
    assert_allclose(error, np.average(np.abs(observed - predicted), weights=found["rows"]))
    assert np.all(found["low"] <= found["observed"]) and np.all(found["observed"] <= found["high"])


def test_a_calibrated_model_has_little_calibration_error():
    rng = np.random.default_rng(0)
    said = rng.uniform(size=20_000)
    spread = np.column_stack([1 - said, said])
    p = Predictions("binary", (said > 0.5) + 0, (rng.uniform(size=20_000) < said) + 0, [0, 1], spread, spread)
    assert classification.calibration(p)[1] < 0.02
    wrong = Predictions("binary", p.answer, p.truth, [0, 1], spread[:, ::-1], spread)
    assert classification.calibration(wrong)[1] > 0.4


def test_regression_calibration_keeps_every_row():
    p = values(0, 53)
    found, _ = regression.calibration(p)
    assert found["rows"].sum() == 53
    assert np.all(np.diff(found["predicted"]) > 0)
    assert_allclose(np.average(found["observed"], weights=found["rows"]), p.truth.mean())


def test_one_class_leaves_auc_undefined_but_not_accuracy():
    p = two_classes(0).take(np.flatnonzero(two_classes(0).truth == 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = metrics_of(p)(np.ones((1, len(p))))
    assert np.isnan(ours["auc"]) and np.isnan(ours["balanced_accuracy"])
    assert 0 <= ours["accuracy"] <= 1


def test_a_constant_model_has_auc_one_half_and_no_precision():
    spread = np.full((10, 2), 0.5)
    p = Predictions("binary", np.zeros(10, int), np.arange(10) % 2, [0, 1], spread, spread)
    ours = metrics_of(p)(np.ones((1, 10)))
    assert ours["auc"] == 0.5 and np.isnan(ours["precision"]) and ours["recall"] == 0


def test_a_class_no_test_row_has_counts_in_no_mean():
    p = many_classes(2)
    there = p.take(p.truth != 3)
    ours = metrics_of(there)(np.ones((1, len(there))))
    parts = [theirs.roc_auc_score(there.truth == k, there.score[:, k]) for k in range(3)]
    assert_allclose(ours["auc_ovr"], np.mean(parts))


def test_r2_of_a_constant_target_is_undefined():
    p = Predictions("regression", np.arange(5.0), np.full(5, 3.0))
    assert np.isnan(metrics_of(p)(np.ones((1, 5)))["r2"])


def test_mape_is_left_out_near_zero():
    p = Predictions("regression", np.arange(5.0), np.arange(5.0) + 0.5)
    assert "mape" in metrics_of(p)(np.ones((1, 5)))
    zero = Predictions("regression", np.arange(5.0), np.arange(5.0))
    assert "mape" not in metrics_of(zero)(np.ones((1, 5)))


@pytest.mark.parametrize("seed", range(3))
def test_clusters_equal_scikit_learn(seed, monkeypatch):
    monkeypatch.setattr(clustering, "BLOCK", 700)  # several blocks, the last one short
    rng = np.random.default_rng(seed)
    Z, labels = rng.normal(size=(100, 3)), rng.integers(4, size=100)
    labels[labels == 3] = 2
    labels[0] = 3  # alone
    assert_allclose(clustering.silhouettes(Z, labels), theirs.silhouette_samples(Z, labels), atol=1e-7)
    assert_allclose(clustering.davies_bouldin(Z, labels), theirs.davies_bouldin_score(Z, labels))
    truth = rng.integers(3, size=100)
    assert_allclose(clustering.adjusted_rand(truth, labels), theirs.adjusted_rand_score(truth, labels))
    assert clustering.adjusted_rand(labels, labels) == 1
    found = clustering.clustering(Z, labels, truth)
    assert_allclose(found["largest_share"], np.bincount(labels).max() / 100)
    assert_allclose(
        found["inertia"],
        sum(((Z[labels == k] - Z[labels == k].mean(axis=0)) ** 2).sum() for k in range(4)) / 100,
    )
