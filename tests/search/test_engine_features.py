"""Features within a search: fitted once a fold on its own rows, kept while needed, failing alone."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from problems import Counting, Many, Sleepy, regression, search
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge

from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.search import engine, subject
from ml_core.search.budget import Budget
from ml_core.search.problem import Problem
from ml_core.search.space import parse


def test_score_many_is_asked_once_a_fold_and_once_in_all_where_features_learn_nothing():
    Many.calls.clear()
    search(regression(Many()), {"alpha": [1, 2]})
    assert Many.calls == [(2, 1)] * 3
    Many.calls.clear()
    search(regression(Many(), Passthrough()), {"alpha": [1, 2]})
    assert Many.calls == [(2, 3)]


@pytest.mark.parametrize("estimator", [Ridge(), Many()])
def test_features_are_fitted_once_a_fold_on_its_training_rows(estimator):
    Counting.seen.clear()
    problem = regression(estimator)
    X = problem.X.with_columns(row=pl.int_range(len(problem.X)))
    problem = Problem(X, problem.y, Counting(), estimator, problem.folds, "r2")
    search(problem, {"alpha": [1, 2, 3]})
    assert sorted(Counting.seen) == sorted(train.tolist() for train, _ in problem.folds)


@pytest.mark.parametrize(("budget", "kept"), [(None, 0), (Budget(patience=90), 3)])
def test_features_are_kept_only_where_a_second_batch_may_need_them(budget, kept):
    Counting.seen.clear()
    problem = regression(Many())
    X = problem.X.with_columns(row=pl.int_range(len(problem.X)))
    problem = Problem(X, problem.y, Counting(), Many(), problem.folds, "r2")
    trials = search(problem, {"alpha": [*range(14, 60)]}, budget=budget)  # over two pieces of a budget
    assert len(trials.candidates) == 46 and len(Counting.seen) == 3 and len(problem.kept.made) == kept


class Fragile(TransformerMixin, BaseEstimator):
    """Cannot be fitted on rows that lack the first one."""

    def fit(self, X, y=None):
        if X["row"].min() > 0:
            raise KeyError("the first row")
        return self

    def transform(self, X):
        return X.to_numpy().astype(float)


@pytest.mark.parametrize("estimator", [Ridge(), Many()])
def test_features_that_fail_on_a_fold_fail_that_fold_only(estimator):
    problem = regression(estimator)
    X = problem.X.with_columns(row=pl.int_range(len(problem.X)))
    problem = Problem(X, problem.y, Fragile(), estimator, problem.folds, "r2")
    trials = search(problem, {"alpha": [1, 2]})
    broken = [0 in test for _, test in problem.folds]
    assert_array_equal(np.isnan(trials.scores), [broken, broken])
    assert trials.best is None and trials.errors == ["KeyError: 'the first row'"] * 2


class Narrowing:
    """Two batches: both on half of the rows, then the better one on all."""

    def batches(self, space, rng):
        candidates = space.grid(2)
        scores = yield candidates, 0.5
        yield [candidates[int(np.argmax(scores))]], 1.0


def test_a_strategy_may_ask_for_a_share_of_the_rows():
    Counting.seen.clear()
    problem = regression(Ridge())
    X = problem.X.with_columns(row=pl.int_range(len(problem.X)))
    problem = Problem(X, problem.y, Counting(), Ridge(), problem.folds, "r2")
    trials = engine.search(problem, parse({"alpha": [0.1, 1e6]}), Narrowing())
    assert trials.shares.tolist() == [0.5, 0.5, 1.0] and trials.best == 2
    assert trials.candidates[2] == {"alpha": 0.1}
    assert [len(rows) for rows in Counting.seen] == [40] * 3 + [80] * 3
    for few in Counting.seen[:3]:
        assert sum(set(few) < set(train.tolist()) for train, _ in problem.folds) == 1


def test_features_are_made_ready_for_table_and_model():
    kinds = {"x": "numeric"}
    features = Columns()
    assert subject.ready(features, kinds, Ridge()).get_params()["sparse"] == "auto"
    assert subject.ready(features, kinds, Sleepy()).get_params()["sparse"] is False
    assert subject.ready(features, kinds, Ridge()).kinds == kinds and features.kinds is None
    assert isinstance(subject.ready("passthrough", kinds, Ridge()), Passthrough)
    with pytest.raises(ValueError, match="features: got int, must be a transformer"):
        subject.ready(3, kinds, Ridge())
