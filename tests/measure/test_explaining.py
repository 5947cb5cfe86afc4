"""Importance and dependence against scikit-learn's inspection, on the same shuffles and grids; laws."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

sys.path.insert(0, str(Path(__file__).parents[1] / "steps"))
from fitted import pipeline, table_of

from ml_core.data.table import features_and_target
from ml_core.measure import asking
from ml_core.measure.dependence import dependence, grid_of, numbers
from ml_core.measure.importance import importance, judge_of, orders


def fitted(task, estimator, classes=("no", "yes")):
    X, y, _ = features_and_target(table_of(task, 120, classes=classes))
    return pipeline(estimator).fit(X, y), X, y


def for_pandas(model):
    """The same fitted pipeline for scikit-learn's inspection, which cannot change polars frames."""
    return make_pipeline(FunctionTransformer(pl.from_pandas), *(step for _, step in model.steps))


def their_shuffles(m, repeats, seed):
    """The orders of permutation_importance for each column: it shuffles what it has shuffled before."""
    rng = np.random.RandomState(np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1))
    order, found = np.arange(m), [np.arange(m)]
    for _ in range(repeats):
        rng.shuffle(order)
        found.append(found[-1][order])
    return np.array(found[1:])


@pytest.mark.parametrize(
    ("task", "estimator", "scoring"),
    [
        ("binary", LogisticRegression(), "roc_auc"),
        ("multiclass", RandomForestClassifier(10, random_state=0), "balanced_accuracy"),
        ("regression", Ridge(), "r2"),
        ("binary", RidgeClassifier(), "roc_auc"),
    ],
)
def test_importance_equals_scikit_learn_on_the_same_shuffles(task, estimator, scoring):
    classes = ("a", "b", "c") if task == "multiclass" else ("no", "yes")
    model, X, y = fitted("regression" if task == "regression" else "classification", estimator, classes)
    truth = y if task == "regression" else np.searchsorted(classes, y)
    ask = asking.asked(model, X, task, [] if task == "regression" else list(classes))
    metric, judge = judge_of(task, truth, ask.names)
    base, ours = importance(ask, judge, their_shuffles(len(X), 4, 5), seed=0)
    theirs = permutation_importance(
        for_pandas(model), X.to_pandas(), y, scoring=scoring, n_repeats=4, random_state=5
    )
    assert metric in scoring or scoring == "roc_auc"
    for j, name in enumerate(X.columns):
        assert_allclose(ours[name]["repeats"], theirs.importances[j], atol=1e-9, err_msg=name)
        assert_allclose(ours[name]["value"], theirs.importances_mean[j], atol=1e-9)
        assert ours[name]["low"] <= ours[name]["value"] <= ours[name]["high"]
    assert base["low"] <= base["value"] <= base["high"]


@pytest.mark.parametrize("rows", [1, 130, 100_000])
def test_batches_do_not_matter(rows, monkeypatch):
    model, X, y = fitted("classification", LogisticRegression())
    ask, truth = asking.asked(model, X, "binary", ["no", "yes"]), np.searchsorted(["no", "yes"], y)
    _, judge = judge_of("binary", truth, ask.names)
    _, whole = importance(ask, judge, orders(len(X), 3, 0), seed=0)
    monkeypatch.setattr(asking, "CELLS", rows * 8)
    monkeypatch.setattr(asking, "ROWS", rows)
    again = asking.asked(model, X, "binary", ["no", "yes"])
    assert importance(again, judge, orders(len(X), 3, 0), seed=0)[1] == whole


def test_what_no_feature_follows_has_no_importance():
    """A column the pipeline drops, and one that is constant in the rows."""
    model, X, y = fitted("classification", LogisticRegression())
    X = X.with_columns(extra=pl.Series(np.arange(len(X))), flag=pl.lit(True))
    ask = asking.asked(model, X, "binary", ["no", "yes"])
    _, judge = judge_of("binary", np.searchsorted(["no", "yes"], y), ask.names)
    _, found = importance(ask, judge, orders(len(X), 3, 0), seed=0)
    for name in ("extra", "flag"):
        assert found[name]["value"] == found[name]["low"] == found[name]["high"] == 0
    assert found["age"]["low"] > 0


def test_columns_that_meet_in_one_feature_are_asked_as_frames():
    """A product of two columns: moving one alone says nothing of the feature, so whole frames are asked."""
    rng = np.random.default_rng(0)
    X = pl.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80), "c": rng.normal(size=80)})
    y = (X["a"] * X["b"] + X["c"]).to_numpy()
    model = make_pipeline(FunctionTransformer(lambda F: F.to_numpy()), PolynomialFeatures(2), Ridge()).fit(
        X, y
    )
    ask = asking.asked(model, X, "regression")
    assert ask.own == {"a": None, "b": None, "c": None}
    _, judge = judge_of("regression", y, ask.names)
    _, ours = importance(ask, judge, their_shuffles(80, 3, 1), seed=0)
    numpy_model = make_pipeline(model[1], model[2])
    theirs = permutation_importance(numpy_model, X.to_numpy(), y, n_repeats=3, random_state=1)
    assert_allclose([ours[name]["value"] for name in "abc"], theirs.importances_mean, atol=1e-9)
    grid = dependence(ask, dict.fromkeys("abc", "numeric"), ["a"], 5, 0)["a"]
    theirs = partial_dependence(numpy_model, X.to_numpy(), [0], custom_values={0: grid["values"].to_numpy()})
    assert_allclose(grid["mean"][:, 0], theirs["average"][0], atol=1e-12)


def test_sparse_features_are_asked_as_frames():
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    _, X, y = fitted("classification", LogisticRegression())
    X = X.select("colour", "age")
    levels = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["colour", "age"]), sparse_threshold=1.0
    )
    model = make_pipeline(levels, LogisticRegression()).fit(X, y)
    ask = asking.asked(model, X, "binary", ["no", "yes"])
    assert ask.Z is None
    _, judge = judge_of("binary", np.searchsorted(["no", "yes"], y), ask.names)
    _, ours = importance(ask, judge, their_shuffles(len(X), 3, 5), seed=0)
    theirs = permutation_importance(
        for_pandas(model), X.to_pandas(), y, scoring="roc_auc", n_repeats=3, random_state=5
    )
    assert_allclose([ours[name]["value"] for name in X.columns], theirs.importances_mean, atol=1e-9)


@pytest.mark.parametrize("column", ["age", "income", "colour", "flag"])
def test_dependence_equals_scikit_learn_on_the_same_grid(column):
    model, X, _ = fitted("classification", RandomForestClassifier(10, random_state=0), ("a", "b", "c"))
    ask = asking.asked(model, X, "multiclass", ["a", "b", "c"])
    assert all(own is not None for own in ask.own.values())
    kinds = dict(age="numeric", income="numeric", noise="numeric", colour="categorical", flag="boolean")
    found = dependence(ask, kinds, [column], 6, 0)[column]
    model, frame, values = for_pandas(model), X.to_pandas(), found["values"].to_list()
    for i, value in enumerate(values):
        each = model.predict_proba(frame.assign(**{column: value}))
        assert_allclose(found["mean"][i], each.mean(axis=0), atol=1e-12)
        assert all(np.abs(each - one).max(axis=1).min() < 1e-12 for one in found["single"][i])
    if column in ("age", "income"):
        theirs = partial_dependence(
            model, frame, [column], kind="average", custom_values={column: np.array(values)}
        )
        assert_allclose(found["mean"].T, theirs["average"], atol=1e-12)


def test_clusters_depend_on_what_they_were_made_of():
    model, X, _ = fitted("clustering", KMeans(3, random_state=0, n_init=2))
    ask = asking.asked(model, X, "clustering")
    found = dependence(ask, {"age": "numeric"}, ["age"], 5, 0)["age"]
    assert_allclose(found["mean"].sum(axis=1), 1)
    metric, judge = judge_of("clustering", ask.base().argmax(axis=1), ask.names)
    base, ours = importance(ask, judge, orders(len(X), 3, 0), seed=0)
    assert metric == "kept" and base["value"] == 1 and ours["age"]["value"] > 0


def test_one_class_is_judged_by_accuracy():
    metric, judge = judge_of("binary", np.ones(5, int), ["no", "yes"])
    said = np.array([[0.1, 0.9]] * 4 + [[0.9, 0.1]])
    assert metric == "accuracy" and judge(said, np.ones((1, 5)))[0] == 0.8


def test_grids():
    series = pl.Series("x", [1.0, 2.0, None, float("nan"), float("inf"), 3.0])
    assert grid_of(series, "numeric", 9).to_list() == [1.0, 2.0, 3.0]
    many = pl.Series("x", np.arange(1000.0))
    grid = grid_of(many, "numeric", 20)
    assert len(grid) == 20 and grid.is_sorted() and grid.is_in(many.to_list()).all()
    levels = pl.Series("c", ["b"] * 3 + ["a"] * 3 + ["z"] * 9 + [None])
    assert grid_of(levels, "categorical", 2).to_list() == ["z", "a"]
    assert grid_of(pl.Series("c", ["a", "b"]), "text", 5) is None
    assert grid_of(pl.Series("c", [1, 1, None]), "numeric", 5) is None
    assert grid_of(pl.Series("c", [None, None]), "numeric", 5) is None
    days = pl.Series("d", pl.date_range(pl.date(1970, 1, 1), pl.date(1970, 1, 3), eager=True))
    assert numbers(grid_of(days, "date", 5)) == [0.0, 86400.0, 172800.0]
    assert numbers(pl.Series([True, None])) == ["true", "(missing)"]


def test_wide_tables_are_asked_less():
    """Ten columns cost nothing; ten thousand give up rows first, then shuffles."""
    few, many = (pl.DataFrame(np.zeros((2, d))) for d in (10, 10_000))
    model = make_pipeline(FunctionTransformer(lambda F: F.to_numpy()), Ridge())
    model = model.fit(few, [0.0, 1.0])
    assert asking.affordable(model, few, 2000, 10) == (2000, 10)
    assert asking.affordable(model, few, 7, 10) == (7, 10)
    assert asking.affordable(model, many, 2000, 10) == (100, 1)
    assert asking.affordable(model, many, 50, 10) == (50, 1)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9])
def test_who_decides_a_feature_is_found(d):
    """Features in any order, some twice, one constant; a product of two columns makes both unknown."""
    rng = np.random.default_rng(d)
    X = pl.DataFrame(rng.normal(size=(20, d)), schema=[f"c{k}" for k in range(d)])
    takes = rng.integers(d, size=12)

    def single(F):
        return np.column_stack([F.to_numpy()[:, takes], np.ones(len(F))])

    def mixed(F):
        return np.column_stack([single(F), F.to_numpy()[:, 0] * F.to_numpy()[:, -1]])

    found = asking._own_columns(single, X, single(X))
    assert [found[f"c{k}"].tolist() for k in range(d)] == [
        np.flatnonzero(takes == k).tolist() for k in range(d)
    ]
    if d == 1:
        return
    found = asking._own_columns(mixed, X, mixed(X))
    assert found["c0"] is None and found[f"c{d - 1}"] is None
    known = {k: found[f"c{k}"] for k in range(d) if found[f"c{k}"] is not None}
    assert all(own.tolist() == np.flatnonzero(takes == k).tolist() for k, own in known.items())
    assert known or d in (2, 8)  # 0 and 7 differ in every bit: then nobody is beyond suspicion
