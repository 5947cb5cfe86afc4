"""Searches whose candidates are judged out of bag."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier as Theirs
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline

from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.models.extra_trees import ExtraTreesClassifier
from ml_core.models.forest import RandomForestClassifier
from ml_core.search import engine
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.halving import Halving
from ml_core.search.journal import Journal
from ml_core.search.nested import outer_problems
from ml_core.search.parts import some
from ml_core.search.problem import Problem
from ml_core.search.settings import Settings
from ml_core.search.space import Joint, parse

X, Y = make_classification(150, 5, flip_y=0.2, random_state=0)
FRAME = pl.DataFrame({f"x{j}": column for j, column in enumerate(X.T)})
FOREST = RandomForestClassifier(20, random_state=0)
SPACE = {"max_depth": [2, 5, None], "n_estimators": [15, 20]}


def problem(estimator=FOREST, features=None, **more):
    pairs = Folds("oob").pairs(len(Y))
    return Problem(FRAME, Y, features or Passthrough(), estimator, pairs, "roc_auc", more)


@pytest.mark.parametrize("features", [Passthrough(), Columns(scale="standard")])
def test_a_search_out_of_bag_is_score_out_of_bag_with_one_score_a_candidate(features):
    trials = engine.search(problem(features=features, accuracy="accuracy"), parse(SPACE), Grid())
    own = features.fit_transform(FRAME, Y)
    for scores, scorer in ((trials.scores, "roc_auc"), (trials.more["accuracy"], "accuracy")):
        assert_array_equal(scores[:, 0], FOREST.score_out_of_bag(own, Y, trials.candidates, scorer))
    assert trials.scores.shape == (6, 1) and trials.errors == [None] * 6


def test_who_fails_out_of_bag_is_a_row_with_its_error():
    trials = engine.search(problem(), parse({"n_estimators": [1, 20], "bootstrap": [True, False]}), Grid())
    assert_array_equal(np.isnan(trials.mean), [True, True, False, True])
    assert "drawn by all n_estimators=1 trees" in trials.errors[0]
    assert "bootstrap=False) has no out-of-bag rows" in trials.errors[3]


def test_a_share_of_the_rows_is_judged_on_that_share():
    trials = engine.search(problem(), parse(SPACE), Halving(tries=6, points=9, keep=2, rungs=1, least=20))
    rows = some(np.arange(len(Y)), 0.5)
    first = trials.shares == 0.5
    candidates = [candidate for candidate, few in zip(trials.candidates, first, strict=True) if few]
    assert first.sum() == 6
    assert_array_equal(trials.mean[first], FOREST.score_out_of_bag(X[rows], Y[rows], candidates, "roc_auc"))


def test_a_search_out_of_bag_goes_on_from_its_journal(tmp_path, monkeypatch):
    with Journal(tmp_path / "a.jsonl", {}) as kept:
        whole = engine.search(problem(), parse(SPACE), Grid(), record=kept)
    monkeypatch.setattr(RandomForestClassifier, "fit", None)  # nothing is fitted any more
    with Journal(tmp_path / "a.jsonl", {}) as kept:
        assert_array_equal(engine.search(problem(), parse(SPACE), Grid(), record=kept).scores, whole.scores)


def test_outer_folds_of_a_nested_search_are_folds():
    settings = Settings(Grid(), Folds("oob"), nested=3)
    outer = list(outer_problems(problem(), settings, "classification"))
    assert_array_equal(np.sort(np.concatenate([test for _, test in outer])), np.arange(len(Y)))
    for inner, test in outer:
        ((train, held),) = inner.folds
        assert held is None and len(train) == len(inner.X) == len(Y) - len(test)


def test_features_out_of_bag_do_not_learn_from_the_target():
    trials = engine.search(
        problem(features=make_pipeline(Passthrough(), SelectKBest(k=2))), parse({}), Grid()
    )
    assert np.isnan(trials.mean[0]) and "not told the target out of bag" in trials.errors[0]


def refused(estimator, features=None, space=()):
    return lambda: engine.search(problem(estimator, features), space or parse(SPACE), Grid())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (refused(Theirs()), "model is a RandomForestClassifier, which has no out-of-bag rows; set model=f"),
        (refused(ExtraTreesClassifier()), r"model is ExtraTreesClassifier\(bootstrap=False\), of which"),
        (
            refused({"a": FOREST, "b": Theirs()}, space=Joint({"a": parse({}), "b": parse({})})),
            r"model.families.b is a RandomForestClassifier, which has no .* set model.only=\[a\]",
        ),
        (lambda: Folds("oob", repeats=2), "search.folds.repeats: out of bag is one fit"),
        (lambda: Folds("oob", by="who"), "search.folds.by: got 'who', but trees draw rows, not groups"),
        (lambda: Settings(Grid(), Folds("oob"), blend=3), "search.blend: it compares folds"),
        (lambda: Settings(Grid(), Folds("oob"), choose="one_se"), "search.choose=best, or search.folds"),
    ],
)
def test_what_cannot_be_judged_out_of_bag_is_refused_with_the_way_out(make, message):
    with pytest.raises(ValueError, match=message):
        make()
