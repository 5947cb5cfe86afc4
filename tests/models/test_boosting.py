import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_friedman1
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_score

from ml_core.models import boosting_grid, engine
from ml_core.models.boosting import GradientBoostingClassifier, GradientBoostingRegressor

BOTH = (GradientBoostingClassifier, GradientBoostingRegressor)


def friedman(n=200, seed=0):
    return make_friedman1(n, n_features=6, noise=0.5, random_state=seed)


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


@pytest.mark.parametrize("model", BOTH)
def test_shards_are_fitted_as_the_whole_table(model, tmp_path):
    import polars

    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3))
    y = X[:, 0] + (X[:, 2] > 0)
    X[::7, 1] = np.nan
    names = [("a", "b", None)[i] for i in rng.integers(0, 3, 900)]
    frame = polars.DataFrame(X, schema=["x", "y", "z"]).with_columns(name=polars.Series(names))
    whole = frame.with_columns(target=y if model is BOTH[1] else y > 0)
    for i, first in enumerate(range(0, 900, 400)):
        whole[first : first + 400].write_parquet(tmp_path / f"{i}.parquet")
    ours = model(max_iter=4, random_state=0, early_stopping=True).fit_parquet(tmp_path, "target")
    once = model(max_iter=4, random_state=0, early_stopping=True).fit(frame, whole["target"].to_numpy())
    assert_array_equal(ours.predict(frame), once.predict(frame))
    assert list(ours.feature_names_in_) == ["x", "y", "z", "name"]


def test_shards_that_do_not_fit_are_named(tmp_path):
    import polars

    frame = polars.DataFrame({"x": [1.0, float("inf")], "y": [1.0, 2.0]})
    with pytest.raises(FileNotFoundError, match="neither a parquet file nor a folder of them"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "y")
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(KeyError, match="no column 'z'; it has x, y"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "z")
    with pytest.raises(ValueError, match="x holds infinity"):
        GradientBoostingRegressor().fit_parquet(tmp_path / "a.parquet", "y")
    frame.rename({"x": "w"}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="its columns are not those of a.parquet: x, y"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "y")


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


def test_missing_values_tell_what_they_can():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 3)), rng.integers(2, size=500)
    X[y == 1, 1] = np.nan
    model = GradientBoostingClassifier(max_iter=5).fit(X, y)
    assert model.score(X, y) == 1 and model.feature_importances_.argmax() == 1


def test_missing_values_never_seen_in_fit_go_with_the_majority():
    X = np.r_[np.zeros(80), np.ones(30)][:, None]
    model = GradientBoostingRegressor(max_iter=1, learning_rate=1.0).fit(X, X[:, 0])
    assert_allclose(model.predict([[np.nan]]), model.predict([[0.0]]))


@pytest.mark.parametrize(("loss", "quantile"), [("absolute_error", 0.5), ("quantile", 0.8)])
def test_leaves_of_a_robust_loss_hold_quantiles_of_their_rows(loss, quantile):
    X, y = friedman(300)
    given = quantile if loss == "quantile" else None
    model = GradientBoostingRegressor(loss, quantile=given, max_iter=1, learning_rate=1.0).fit(X, y)
    leaf = model._ensemble.leaves(X)[:, 0]
    for one in np.unique(leaf):
        own = np.sort(y[leaf == one])
        assert_allclose(model.predict(X[leaf == one]), own[int(np.ceil(quantile * len(own))) - 1])


def categories(n=400):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 12, n)
    return codes, np.isin(codes, (1, 4, 7, 10)).astype(int), rng.normal(size=n)


def test_categories_are_parted_by_what_they_mean_not_by_their_order():
    codes, y, noise = categories()
    X = np.column_stack([codes, noise])
    settings = {"max_iter": 1, "max_leaf_nodes": 2, "learning_rate": 1.0}
    ordered, unordered = (
        GradientBoostingClassifier(**settings, categorical_features=kind).fit(X, y).score(X, y)
        for kind in (None, [0])
    )
    assert unordered == 1 > ordered


def test_an_unknown_category_counts_as_missing():
    codes, y, noise = categories()
    model = GradientBoostingClassifier(categorical_features=[0], max_iter=5).fit(
        np.column_stack([codes, noise]), y
    )
    assert_array_equal(*(model.predict_proba([[value, 0.1]]) for value in (99.0, np.nan)))


def test_frames_of_names_need_no_encoding():
    import pandas
    import polars

    codes, y, noise = categories()
    names = np.array([f"c{code:02}" for code in codes], dtype=object)
    names[:7] = None
    numbers = np.where(names == None, np.nan, codes)  # noqa: E711
    plain = GradientBoostingClassifier(categorical_features=[0], max_iter=5)
    plain = plain.fit(np.column_stack([numbers, noise]), y).predict_proba(np.column_stack([numbers, noise]))
    for frame in (
        pandas.DataFrame({"name": names, "noise": noise}),
        pandas.DataFrame({"name": pandas.Categorical(names), "noise": noise}),
        polars.DataFrame({"name": names.tolist(), "noise": noise}),
        polars.DataFrame({"name": polars.Series(names.tolist(), dtype=polars.Categorical), "noise": noise}),
    ):
        assert_array_equal(GradientBoostingClassifier(max_iter=5).fit(frame, y).predict_proba(frame), plain)


def test_more_categories_than_bins_keep_the_frequent_ones():
    X = np.r_[np.repeat(np.arange(10), 30), np.arange(10, 400)][:, None].astype(float)
    model = GradientBoostingRegressor(categorical_features=[0], max_bins=10, max_iter=3).fit(X, X[:, 0] % 2)
    assert model._ensemble.bins.edges[0].tolist() == list(range(10))


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


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([-1, 1]), st.sampled_from(["squared_error", "absolute_error"]))
def test_monotone_constraints_are_never_violated(seed, sign, loss):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 3))
    X[rng.random(X.shape) < 0.05] = np.nan
    y = rng.normal(size=200) + np.nan_to_num(np.sin(3 * X[:, 0]))
    model = GradientBoostingRegressor(loss, monotonic_cst=[sign, 0, 0], max_iter=10, min_samples_leaf=3).fit(
        X, y
    )
    rows = np.repeat(rng.normal(size=(5, 3)), 50, axis=0)
    rows[:, 0] = np.tile(np.linspace(-3, 3, 50), 5)
    assert (sign * np.diff(model.predict(rows).reshape(5, 50), axis=1) >= 0).all()


@pytest.mark.parametrize("given", ["no_interactions", [{0}, {1}, {2, 3}]])
def test_columns_that_may_not_meet_do_not(given):
    X, y = friedman()
    model = GradientBoostingRegressor(interaction_cst=given, max_iter=10).fit(X, y)
    rng = np.random.default_rng(0)
    a, b = rng.uniform(size=(2, 50, 6))
    mixed = a.copy(), b.copy()
    mixed[0][:, 0], mixed[1][:, 0] = (
        b[:, 0],
        a[:, 0],
    )  # f(a) + f(b) is unchanged when a group's columns change places
    assert_allclose(model.predict(a) + model.predict(b), model.predict(mixed[0]) + model.predict(mixed[1]))
    free = GradientBoostingRegressor(max_iter=10).fit(X, y)
    assert (
        abs(free.predict(a) + free.predict(b) - free.predict(mixed[0]) - free.predict(mixed[1])).max() > 0.1
    )


def test_a_monotone_transform_of_a_column_changes_nothing():
    X, y = friedman()
    models = [
        GradientBoostingRegressor(max_iter=10).fit(Z, y).predict(Z) for Z in (X, np.exp(3 * X), 5 * X - 1)
    ]
    assert_array_equal(models[0], models[1])
    assert_array_equal(models[0], models[2])


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


def test_a_tampered_tree_is_refused_not_followed(tmp_path):
    from ml_core.models import file

    X, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(max_iter=3).fit(X, y)
    for name, value in (("left", 99), ("left", -1), ("column", 30), ("column", -1), ("output", 1)):
        broken = pickle.loads(pickle.dumps(model))
        getattr(broken._ensemble.trees, name)[0] = value
        file.save(broken, tmp_path / "model.skops")
        with pytest.raises(ValueError, match="points outside of itself"):
            file.load(tmp_path / "model.skops")


@pytest.mark.parametrize("model", BOTH)
def test_a_model_file_keeps_every_bit(model, tmp_path):
    from ml_core.models import file

    X, y = friedman(200)
    fitted = model(max_iter=3, random_state=0).fit(X, y if model is BOTH[1] else y > 14)
    file.save(fitted, tmp_path / "model.skops")
    assert_array_equal(file.load(tmp_path / "model.skops").predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"learning_rate": 0}, r"'learning_rate' parameter .* in the range \(0.0, inf\). Got 0"),
        ({"max_iter": 0}, r"'max_iter' parameter .* in the range \[1, inf\). Got 0"),
        ({"max_leaf_nodes": 1}, r"'max_leaf_nodes' parameter .* in the range \[2, inf\) or None. Got 1"),
        ({"max_bins": 256}, r"'max_bins' parameter .* in the range \[2, 255\]. Got 256"),
        ({"subsample": 1.5}, r"'subsample' parameter .* in the range \(0.0, 1.0\]. Got 1.5"),
        ({"max_depth": "deep"}, "'max_depth' parameter .* Got 'deep'"),
        ({"early_stopping": "yes"}, "'early_stopping' parameter .* Got 'yes'"),
        ({"validation_fraction": 1.0, "early_stopping": True}, "'validation_fraction' parameter"),
        ({"interaction_cst": "some"}, "'interaction_cst' parameter .* Got 'some'"),
        ({"monotonic_cst": [1, 0]}, r"monotonic_cst has shape \(2,\), but must have shape \(6,\)"),
        ({"monotonic_cst": [2] * 6}, r"monotonic_cst must hold -1, 0 or 1 only, got \[2\]"),
        ({"monotonic_cst": [1] * 6, "categorical_features": [0]}, "must be 0 for categorical columns"),
        ({"categorical_features": [6]}, r"categorical_features has column 6, but must be in 0..5"),
        ({"categorical_features": ["x"]}, "categorical_features names 'x', but the columns are not named"),
        ({"categorical_features": [0.5]}, r"categorical_features has column 0.5, but must be in 0..5"),
        ({"categorical_features": [[0]]}, r"must be a mask, or a list of columns, got \[\[0\]\]"),
        ({"interaction_cst": [0, 1]}, r"interaction_cst must hold sets of columns.*, got \[0, 1\]"),
        ({"interaction_cst": [{0, 9}]}, r"interaction_cst has column 9, but must be in 0..5"),
        (
            {"validation_fraction": 60, "early_stopping": True},
            "validation_fraction=60 cannot be held out of 60 rows",
        ),
    ],
)
@pytest.mark.parametrize("model", BOTH)
def test_bad_parameters_are_named(model, chosen, message):
    X, y = friedman(60)
    with pytest.raises(ValueError, match=message):
        model(**chosen).fit(X, y > y.mean())


@pytest.mark.parametrize(
    ("chosen", "y", "message"),
    [
        ({"loss": "cubic"}, 1.0, "The 'loss' parameter .* Got 'cubic'"),
        ({"loss": "quantile"}, 1.0, r"quantile must be in \[0, 1\] for loss='quantile', got None"),
        ({"loss": "poisson"}, -1.0, "loss='poisson' needs y >= 0"),
        ({"loss": "gamma"}, 0.0, "loss='gamma' needs y > 0"),
    ],
)
def test_bad_targets_and_losses_are_named(chosen, y, message):
    with pytest.raises(ValueError, match=message):
        GradientBoostingRegressor(**chosen).fit(friedman(60)[0], np.full(60, y))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": 1}, "X_val and y_val must be given together"),
        ({"y_val": [0], "X_val": 1}, "X_val has 60 rows, but y_val has 1"),
        ({"y_val": np.full(60, np.nan), "X_val": 1}, "y_val must hold finite numbers"),
        ({"y_val": np.full(60, -1.0), "X_val": 1}, "loss='gamma' needs y_val > 0, got a minimum of -1"),
        ({"sample_weight_val": np.ones(60)}, "sample_weight_val is given without X_val and y_val"),
    ],
)
def test_bad_rows_to_stop_by_are_named(given, message):
    X, y = friedman(60)
    given = {name: X if name == "X_val" else value for name, value in given.items()}
    with pytest.raises(ValueError, match=message):
        GradientBoostingRegressor("gamma", max_iter=2).fit(X, y, **given)


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
