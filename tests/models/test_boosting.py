"""What boosting learns, when it stops, and that nothing but the data and its parameters decides."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_score
from toys import friedman

from ml_core.models import boosting_grid, engine
from ml_core.models.boosting import GradientBoostingClassifier, GradientBoostingRegressor

BOTH = (GradientBoostingClassifier, GradientBoostingRegressor)


@pytest.mark.parametrize(
    ("load", "ours", "theirs", "scoring", "slack"),
    [
        (load_breast_cancer, BOTH[0], HistGradientBoostingClassifier, "neg_log_loss", 0.01),
        (load_digits, BOTH[0], HistGradientBoostingClassifier, "neg_log_loss", 0.01),
        (load_diabetes, BOTH[1], HistGradientBoostingRegressor, "r2", 0.01),
    ],
)
def test_as_good_as_scikit_learns(load, ours, theirs, scoring, slack):
    X, y = load(return_X_y=True)
    X, y = X[:400], y[:400]
    scores = [
        cross_val_score(model(max_iter=10), X, y, cv=2, scoring=scoring).mean() for model in (ours, theirs)
    ]
    assert scores[0] > scores[1] - slack


def test_squared_loss_without_ties_is_scikit_learns_to_six_digits():
    X, y = friedman()
    settings = {"max_iter": 10, "random_state": 0}
    ours, theirs = GradientBoostingRegressor(**settings), HistGradientBoostingRegressor(**settings)
    X = np.round(X, 2)  # fewer values than bins: both cut halfway between neighbours
    assert_allclose(ours.fit(X, y).predict(X), theirs.fit(X, y).predict(X), rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"])
def test_every_loss_is_minimized(loss):
    X, y = friedman(300)
    model = GradientBoostingRegressor(loss, quantile=0.8 if loss == "quantile" else None, max_iter=20)
    model.set_params(early_stopping=True, validation_fraction=None, tol=0.0, n_iter_no_change=20).fit(X, y)
    scores = np.array(model._scores)
    assert len(scores) == 21 and scores[-1] > scores[0] and (np.diff(scores) > -0.05 * np.ptp(scores)).all()
    if loss == "quantile":
        assert abs((y <= model.predict(X)).mean() - 0.8) < 0.08


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_first_tree_is_lightgbms_on_the_same_bins(task):
    """Whole numbers below 200 are bins of their own for both."""
    import lightgbm

    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, size=(4000, 8)).astype(float)
    X[rng.random(X.shape) < 0.05] = np.nan
    y = np.nan_to_num(X[:, 0] * X[:, 1]) / 4000 + np.sin(np.nan_to_num(X[:, 2]) / 20) + rng.normal(size=4000)
    same = {"verbose": -1, "n_jobs": 1, "min_data_in_bin": 1, "n_estimators": 1}
    if task == "regression":
        ours = GradientBoostingRegressor(max_iter=1).fit(X, y).predict(X)
        theirs = lightgbm.LGBMRegressor(**same).fit(X, y).predict(X)
    else:
        ours = GradientBoostingClassifier(max_iter=1).fit(X, y > 2).predict_proba(X)[:, 1]
        theirs = lightgbm.LGBMClassifier(**same).fit(X, y > 2).predict_proba(X)[:, 1]
    assert len(np.unique(ours)) == 31
    assert_allclose(ours, theirs, atol=1e-4 * np.std(y))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4))
def test_any_table_can_be_fitted(seed, n, d):
    """One row, constant columns, columns of nothing but missing values, categories: predictions are between
    the least and the largest target.
    """
    rng = np.random.default_rng(seed)
    X = rng.integers(0, rng.choice([1, 3, 50]), size=(n, d)).astype(rng.choice([np.float32, np.float64]))
    X[:, rng.random(d) < 0.2] = np.nan
    X[rng.random((n, d)) < 0.2] = np.nan
    y, kinds = rng.normal(size=n), np.flatnonzero(rng.random(d) < 0.4)
    model = GradientBoostingRegressor(max_iter=3, min_samples_leaf=1, categorical_features=kinds.tolist())
    found = model.fit(X, y).predict(np.vstack([X, X + 1000]))
    assert (found >= y.min() - 1e-9).all() and (found <= y.max() + 1e-9).all()


@pytest.mark.parametrize(("loss", "quantile"), [("absolute_error", 0.5), ("quantile", 0.8)])
def test_leaves_of_a_robust_loss_hold_quantiles_of_their_rows(loss, quantile):
    X, y = friedman(300)
    given = quantile if loss == "quantile" else None
    model = GradientBoostingRegressor(loss, quantile=given, max_iter=1, learning_rate=1.0).fit(X, y)
    leaf = model._ensemble.leaves(X)[:, 0]
    for one in np.unique(leaf):
        own = np.sort(y[leaf == one])
        assert_allclose(model.predict(X[leaf == one]), own[int(np.ceil(quantile * len(own))) - 1])


@pytest.mark.parametrize("seed", range(3))
def test_weight_two_is_as_good_as_a_row_twice(seed):
    X, y = friedman(150, seed)
    weights = np.random.default_rng(seed).integers(1, 3, len(y))
    settings = {"max_iter": 10, "min_samples_leaf": 1, "min_hessian": 4.5}
    weighted = GradientBoostingRegressor(**settings).fit(X, y, weights).predict(X)
    repeated = GradientBoostingRegressor(**settings).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert_allclose(weighted, repeated.predict(X), rtol=1e-5)


def test_class_weight_is_a_sample_weight():
    X, y = load_breast_cancer(return_X_y=True)
    ours = GradientBoostingClassifier(max_iter=5, class_weight={0: 3, 1: 1}).fit(X, y)
    theirs = GradientBoostingClassifier(max_iter=5).fit(X, y, np.where(y == 0, 3.0, 1.0))
    assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_the_order_of_rows_does_not_matter():
    X, y = friedman()
    order = np.random.default_rng(0).permutation(len(y))
    models = [
        GradientBoostingRegressor(max_iter=10).fit(X[rows], y[rows]) for rows in (np.arange(len(y)), order)
    ]
    assert_allclose(models[0].predict(X), models[1].predict(X), rtol=1e-6)


def test_a_warm_start_goes_on_as_if_never_stopped():
    X, y = friedman()
    settings = {"subsample": 0.7, "max_features": 0.5, "random_state": 3}
    warm = GradientBoostingRegressor(max_iter=5, warm_start=True, **settings).fit(X, y)
    warm.set_params(max_iter=12).fit(X, y)
    assert_array_equal(
        warm.predict(X), GradientBoostingRegressor(max_iter=12, **settings).fit(X, y).predict(X)
    )
    with pytest.raises(ValueError, match="max_iter=3 must be >= the 12 rounds"):
        warm.set_params(max_iter=3).fit(X, y)


def test_early_stopping_stops_and_watches_the_rows_it_is_given():
    X, y = friedman()
    noise = np.random.default_rng(0).normal(size=len(y))
    model = GradientBoostingRegressor(max_iter=100, early_stopping=True, n_iter_no_change=3, random_state=0)
    assert clone(model).fit(X, noise).n_iter_ < 30
    watched = clone(model).set_params(early_stopping="auto").fit(X, y, X_val=X[:50], y_val=y[:50])
    assert_allclose(watched._scores[-1], -((watched.predict(X[:50]) - y[:50]) ** 2).mean() / 2)
    by_scorer = clone(model).set_params(scoring="r2", validation_fraction=None, max_iter=10).fit(X, y)
    assert_allclose(by_scorer._scores[-1], by_scorer.score(X, y))


def test_stages_end_at_the_prediction():
    X, y = load_digits(return_X_y=True)
    X, y = X[:150], y[:150]
    model = GradientBoostingClassifier(max_iter=4).fit(X, y)
    stages = [stage.copy() for stage in model.staged_predict_proba(X)]
    assert len(stages) == 4
    assert_array_equal(stages[-1], model.predict_proba(X))
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert_array_equal(model.predict(X), model.classes_[model.decision_function(X).argmax(axis=1)])


def test_score_many_equals_one_fit_at_a_time():
    X, y = load_breast_cancer(return_X_y=True)
    folds = [(np.arange(300), np.arange(300, 569)), (np.arange(200, 569), np.arange(200))]
    candidates = [
        {"max_iter": 4}, {"max_iter": 8}, {"max_iter": 8, "learning_rate": 0.3},
        {"max_iter": 5, "max_bins": 20},
        {"max_iter": 6, "early_stopping": True, "subsample": 0.5},
        *({"max_iter": rounds, "early_stopping": True, "n_iter_no_change": 1, "learning_rate": 1.0}
          for rounds in (1, 50, 80)),
        {"max_iter": 5, "max_bins": 1},
    ]  # fmt: skip
    model, scorer = GradientBoostingClassifier(random_state=0), get_scorer("neg_log_loss")
    with pytest.warns(UserWarning, match="max_bins"):
        scores = model.score_many(X, y, candidates, folds, "neg_log_loss")
    assert np.isnan(scores[-1]).all()
    for row, candidate in zip(scores[:-1], candidates[:-1], strict=True):
        one = [scorer(clone(model).set_params(**candidate).fit(X[a], y[a]), X[b], y[b]) for a, b in folds]
        assert_array_equal(row, one)


@pytest.mark.parametrize(
    "watched", [{"validation_fraction": 0.2}, {"validation_fraction": None}, {"scoring": "r2"}]
)
def test_candidates_that_stop_by_other_rules_share_one_curve(watched, monkeypatch):
    X, y = friedman(160)
    folds = [(np.arange(100), np.arange(100, 160)), (np.arange(60, 160), np.arange(60))]
    candidates = [
        {"tol": tol, "n_iter_no_change": patience, "max_iter": most}
        for tol in (0.0, 0.02, 0.3)
        for patience in (1, 3)
        for most in (4, 30)
    ]
    model = GradientBoostingRegressor(
        early_stopping=True, learning_rate=0.4, max_leaf_nodes=6, random_state=0, **watched
    )
    fits, fit = [], boosting_grid.fit
    monkeypatch.setattr(boosting_grid, "fit", lambda *given: fits.append(fit(*given)))
    scores = model.score_many(X, y, candidates, folds, "r2")
    assert len(fits) == len(folds)
    stopped = []
    for row, candidate in zip(scores, candidates, strict=True):
        alone = [clone(model).set_params(**candidate).fit(X[a], y[a]) for a, _ in folds]
        assert_array_equal(row, [one.score(X[b], y[b]) for one, (_, b) in zip(alone, folds, strict=True)])
        stopped += [one.n_iter_ for one in alone]
    assert len(set(stopped)) > 3 and max(stopped) == max(one.n_iter_ for one in fits)


def test_labels_may_be_anything_and_pickles_predict_the_same():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["bad", "good"])[y]
    model = GradientBoostingClassifier(max_iter=3).fit(X, names)
    assert set(model.predict(X)) == {"bad", "good"}
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("model", BOTH)
def test_a_model_file_keeps_every_bit(model, tmp_path):
    from ml_core.models import file

    X, y = friedman(200)
    fitted = model(max_iter=3, random_state=0).fit(X, y if model is BOTH[1] else y > 14)
    file.save(fitted, tmp_path / "model.skops")
    assert_array_equal(file.load(tmp_path / "model.skops").predict(X), fitted.predict(X))


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("model", BOTH)
def test_compiled_and_plain_fits_are_the_same_to_the_bit(model, levels, monkeypatch):
    X, y = friedman(300)
    X[::7, 0], X[:, 1] = np.nan, np.round(5 * X[:, 1])
    y = y if model is GradientBoostingRegressor else np.digitize(y, [12, 16])
    found = []
    for patience in (np.inf, -1):
        with monkeypatch.context() as patch:
            patch.setattr(engine, "patience", lambda kernel, seconds=patience: seconds)
            patch.setattr(engine, "_spent", {"seconds": 0.0})
            patch.delitem(sys.modules, "ml_core.kernels.compiled", raising=False)
            chosen = {"categorical_features": [1], "max_features": 0.6, "quantized_levels": levels}
            fitted = model(max_iter=5, random_state=0, **chosen).fit(X, y)
            found.append((*fitted._ensemble.trees, fitted.predict(X)))
    for plain, compiled in zip(*found, strict=True):
        assert_array_equal(plain, compiled)


SCRIPT = """
import hashlib, sys, numpy as np
from sklearn.datasets import make_classification
from ml_core.models.boosting import GradientBoostingClassifier
X, y = make_classification(60_000, 12, n_informative=8, n_classes=3, random_state=0)
X[::9, 3], X[:, 4] = np.nan, np.round(X[:, 4] * 4)
chosen = {"subsample": float(sys.argv[1]), "categorical_features": [4], "random_state": 0}
model = GradientBoostingClassifier(max_iter=4, **chosen)
raw = model.fit(X, y, np.arange(len(y)) % 3 + 0.5).decision_function(X)
print(hashlib.sha256(raw.tobytes() + model._ensemble.trees.value.tobytes()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("subsample", ["1.0", "0.6"])
def test_threads_and_bounds_checks_change_no_bit(subsample):
    import os

    found = set()
    for more in ({"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}, {"NUMBA_BOUNDSCHECK": "1"}):
        environment = os.environ | {"NUMBA_NUM_THREADS": "2"} | more
        call = [sys.executable, "-c", SCRIPT, subsample]
        done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
