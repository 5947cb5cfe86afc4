"""What boosting makes of columns: gaps, categories, constraints, and tables in shards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from toys import friedman

from ml_core.models.boosting import GradientBoostingClassifier, GradientBoostingRegressor

BOTH = (GradientBoostingClassifier, GradientBoostingRegressor)


@pytest.mark.parametrize("model", BOTH)
def test_shards_are_fitted_as_the_whole_table(model, tmp_path):
    import polars

    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3))
    y = X[:, 0] + (X[:, 2] > 0)
    X[::7, 1] = np.nan
    names = [("a", "b", None)[i] for i in rng.integers(0, 3, 900)]
    frame = polars.DataFrame(X, schema=["x", "y", "z"]).with_columns(name=polars.Series(names))
    whole = frame.with_columns(target=y if model is BOTH[1] else y > 0, weight=rng.integers(1, 4, 900))
    for i, first in enumerate(range(0, 900, 400)):
        whole[first : first + 400].write_parquet(tmp_path / f"{i}.parquet")
    settings = {"max_iter": 4, "random_state": 0, "early_stopping": True}
    ours = model(**settings).fit_parquet(tmp_path, "target", sample_weight="weight")
    once = model(**settings).fit(frame, whole["target"].to_numpy(), whole["weight"].to_numpy())
    assert_array_equal(ours.predict(frame), once.predict(frame))
    assert list(ours.feature_names_in_) == ["x", "y", "z", "name"]
    without = model(**settings).fit_parquet(tmp_path, "target")
    assert list(without.feature_names_in_) == ["x", "y", "z", "name", "weight"]


def test_shards_that_do_not_fit_are_named(tmp_path):
    import polars

    frame = polars.DataFrame({"x": [1.0, float("inf")], "y": [1.0, 2.0]})
    with pytest.raises(FileNotFoundError, match="neither a parquet file nor a folder of them"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "y")
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(KeyError, match="no column 'z'; it has x, y"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "z")
    with pytest.raises(KeyError, match="no column 'w'; it has x, y"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "y", "w")
    with pytest.raises(ValueError, match="sample_weight is 'y', the target"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "y", "y")
    with pytest.raises(ValueError, match="x holds infinity"):
        GradientBoostingRegressor().fit_parquet(tmp_path / "a.parquet", "y")
    polars.DataFrame({"x": [1.0, 2], "y": [1.0, 2], "w": [1, 0]}).write_parquet(tmp_path / "weighed.parquet")
    with pytest.raises(ValueError, match="w is 0 in row 1; weights must be > 0"):
        GradientBoostingRegressor().fit_parquet(tmp_path / "weighed.parquet", "y", "w")
    with pytest.raises(ValueError, match="no column is left to learn from"):
        GradientBoostingRegressor().fit_parquet(tmp_path / "a.parquet", "y", "x")
    polars.DataFrame({"x": [1.0, 2], "y": [1.0, 2], "w": ["a", "b"]}).write_parquet(
        tmp_path / "weighed.parquet"
    )
    with pytest.raises(ValueError, match="w holds object; weights must be numbers"):
        GradientBoostingRegressor().fit_parquet(tmp_path / "weighed.parquet", "y", "w")
    (tmp_path / "weighed.parquet").unlink()
    frame.rename({"x": "w"}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="its columns are not those of a.parquet: x, y"):
        GradientBoostingRegressor().fit_parquet(tmp_path, "y")


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
