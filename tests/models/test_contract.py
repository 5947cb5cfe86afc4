"""The exam of every model on the menu: scikit-learn's checks, score_many, seeds, copies, a golden score."""

import json
import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from catalogue import options
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

GOLDEN = Path(__file__).with_name("golden.json")
OPTIONS = options()
BATCHED = [option for option in OPTIONS if hasattr(option.make(), "score_many")]
WEIGHTS = "scikit-learn's own: rows are drawn or binned, so that a weight of 2 is not a row twice"
LEAVES = "min_samples_leaf counts rows, whatever they weigh, as scikit-learn's does"
DRAWN = "rows are drawn by their weights, as scikit-learn does, so a weight of 2 is not a row twice"
STOPS = "stops within tol=1e-3, as libsvm does, from another side (scikit-learn excuses it too)"
# (class, check): why it cannot pass. Any other check that fails is a bug.
EXCUSES = {
    ("Ridge", "check_non_transformer_estimators_n_iter"): "no iterations: n_iter_ is None, as scikit-learn's",
    ("RidgeClassifier", "check_non_transformer_estimators_n_iter"): "no iterations, as for Ridge",
    ("CostThresholdClassifier", "check_classifiers_train"): "its threshold is not 0.5 (scikit-learn's too)",
    ("SVC", "check_sample_weight_equivalence_on_dense_data"): STOPS,
    ("SVC", "check_sample_weight_equivalence_on_sparse_data"): STOPS,
    ("RandomForestClassifier", "check_sample_weight_equivalence_on_dense_data"): DRAWN,
    ("RandomForestClassifier", "check_sample_weight_equivalence_on_sparse_data"): DRAWN,
    ("RandomForestRegressor", "check_sample_weight_equivalence_on_dense_data"): DRAWN,
    ("RandomForestRegressor", "check_sample_weight_equivalence_on_sparse_data"): DRAWN,
    ("GradientBoostingClassifier", "check_sample_weight_equivalence_on_dense_data"): LEAVES,
    ("KMeans", "check_sample_weight_equivalence_on_dense_data"): WEIGHTS,
    ("KMeans", "check_sample_weight_equivalence_on_sparse_data"): WEIGHTS,
}  # fmt: skip


def excuses(estimator):
    return {check: why for (name, check), why in EXCUSES.items() if name == type(estimator).__name__}


@parametrize_with_checks([o.make() for o in OPTIONS if o.ours], expected_failed_checks=excuses)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([o.make() for o in OPTIONS if not o.ours], expected_failed_checks=excuses)
def test_scikit_learns_checks_of_others(estimator, check):
    check(estimator)


def test_every_excuse_has_an_estimator_and_a_reason():
    names = {type(option.make()).__name__ for option in OPTIONS}
    assert {name for name, _ in EXCUSES} <= names and all(len(why) > 20 for why in EXCUSES.values())


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_point_of_the_space_is_a_parameter(option):
    assert option.space, "a model without a search space cannot be searched"
    for candidate in option.candidates():
        assert option.make().set_params(**candidate).get_params().items() >= candidate.items()


@pytest.fixture(autouse=True)
def one_openmp_thread():
    """scikit-learn's boosting spins on every core; on a busy machine that costs minutes."""
    with threadpool_limits(1, user_api="openmp"):
        yield


def one_at_a_time(model, X, y, candidates, folds, scorer):
    scores, scored = np.full((len(candidates), len(folds)), np.nan), check_scoring(model, scorer)
    for i, j in np.ndindex(scores.shape):
        train, test = folds[j]
        with suppress(ValueError):  # such as more neighbours than rows
            scores[i, j] = scored(
                clone(model).set_params(**candidates[i]).fit(X[train], y[train]), X[test], y[test]
            )
    return scores


@pytest.mark.parametrize("cv", [KFold(3), TimeSeriesSplit(3), ShuffleSplit(2, random_state=0)], ids=str)
@pytest.mark.parametrize("option", BATCHED, ids=str)
@pytest.mark.filterwarnings("ignore:.*got no score")
def test_score_many_is_one_fit_at_a_time(option, cv):
    X, y = option.data(150)
    model, candidates, folds = option.make(), option.candidates(4), list(cv.split(X, y))
    ask = ["accuracy"] if option.task == "classification" else ["r2", "neg_mean_absolute_error"]
    if hasattr(model, "predict_proba"):
        ask.append("neg_log_loss")
    for scorer in ask:
        together = model.score_many(X, y, candidates, folds, scorer)
        assert together.shape == (len(candidates), len(folds))
        alone = one_at_a_time(model, X, y, candidates, folds, scorer)
        assert np.isfinite(alone).any()
        assert_allclose(together, alone, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("option", BATCHED, ids=str)
@pytest.mark.filterwarnings("ignore:.*got no score")
def test_score_many_says_nan_where_a_fit_raises_and_leaves_the_estimator_alone(option):
    X, y = option.data(90)
    model, folds = option.make(), list(KFold(3).split(X))
    before = repr(model)
    scores = model.score_many(X, y, [{"no_such_parameter": 1}, option.candidates()[0]], folds, None)
    assert np.isnan(scores[0]).all() and np.isfinite(scores[1]).all()
    assert repr(model) == before and not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_the_same_seed_gives_the_same_bits(option):
    X, y = option.data(150)
    first, second = (option.make().fit(X, y).predict(X) for _ in range(2))
    assert_array_equal(first, second)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_copies_predict_alike(option):
    import skops.io

    X, y = option.data(120)
    model = option.make().fit(X, y)
    assert repr(clone(model).get_params()) == repr(model.get_params())  # models inside are copies too
    written = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=written)
    for copy in (pickle.loads(pickle.dumps(model)), skops.io.loads(written, trusted=trusted)):
        assert_array_equal(copy.predict(X), model.predict(X))


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("option", [o for o in OPTIONS if hasattr(o.make(), "set_output")], ids=str)
def test_set_output(option, container):
    X, _ = option.data(60)
    frame = option.make().set_output(transform=container).fit(X).transform(X)
    assert type(frame).__module__.startswith(container) and len(frame) == 60


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.task != "clustering"], ids=str)
def test_frames_give_what_arrays_give(option):
    import polars as pl

    X, y = option.data(120)
    frame = pl.DataFrame(X, schema=[f"c{i}" for i in range(X.shape[1])])
    fitted = option.make().fit(frame, y)
    assert_array_equal(fitted.predict(frame), option.make().fit(X, y).predict(np.asfortranarray(X)))
    assert list(fitted.feature_names_in_) == frame.columns


def test_golden_scores(rewrite):
    found = {}
    for option in OPTIONS:
        X, y = option.data()
        model = option.make().fit(X[::2], y[::2])
        found[str(option)] = float(model.score(X[1::2], y[1::2]))
    if rewrite:
        GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    golden = json.loads(GOLDEN.read_text())
    assert sorted(golden) == sorted(found), "the menu has changed: look, then pytest tests/models --golden"
    assert_allclose([found[name] for name in golden], list(golden.values()), rtol=1e-6)
