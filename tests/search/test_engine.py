import warnings

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import Counting, Many, Sleepy, classification, frame_of, regression, search
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.search import engine, subject
from ml_core.search.asha import ASHA
from ml_core.search.folds import Folds
from ml_core.search.local import Local
from ml_core.search.problem import Problem, Result
from ml_core.search.space import parse
from ml_core.search.units import planned


@pytest.mark.parametrize("estimator", [Ridge(), Many()], ids=["one fit at a time", "score_many"])
@pytest.mark.parametrize("features", [Columns(), Passthrough()], ids=["columns", "passthrough"])
def test_scores_equal_scikit_learns_grid_search(estimator, features):
    problem = regression(estimator, features)
    trials = search(problem, {"alpha": [0.1, 1.0, 100.0]})
    whole = Pipeline([("features", features), ("model", Ridge())])
    twin = GridSearchCV(whole, {"model__alpha": [0.1, 1.0, 100.0]}, cv=problem.folds).fit(
        problem.X, problem.y
    )
    for j in range(3):
        assert_allclose(trials.scores[:, j], twin.cv_results_[f"split{j}_test_score"], rtol=1e-12)
    assert_allclose(trials.mean, twin.cv_results_["mean_test_score"], rtol=1e-12)
    assert_allclose(trials.spread, twin.cv_results_["std_test_score"], rtol=1e-10)
    assert trials.candidates[trials.best] == {"alpha": twin.best_params_["model__alpha"]}
    assert trials.seconds.min() > 0 and trials.errors == [None] * 3


def test_classes_keep_their_labels():
    problem = classification(LogisticRegression(max_iter=2000))
    trials = search(problem, {"C": [0.1, 10.0]})
    whole = Pipeline([("features", Columns()), ("model", problem.estimator)])
    twin = GridSearchCV(whole, {"model__C": [0.1, 10.0]}, cv=problem.folds, scoring="roc_auc")
    assert_allclose(trials.mean, twin.fit(problem.X, problem.y).cv_results_["mean_test_score"], rtol=1e-12)


def test_features_are_fitted_once_a_fold_and_share_in_however_many_waves():
    Counting.seen.clear()
    problem = regression(None)
    X = problem.X.with_columns(row=pl.int_range(len(problem.X)))
    problem = Problem(X, problem.y, Counting(), Ridge(), problem.folds, "r2")
    space = parse({"alpha": {"low": 0.1, "high": 100.0}})
    found = engine.search(problem, space, ASHA(12, wave=2, rungs=2, least=5))
    assert np.count_nonzero(np.diff(found.shares) < 0) > 2
    sizes = sorted(map(len, Counting.seen))
    assert sizes == [9] * 3 + [27] * 3 + [80] * 3


@pytest.mark.parametrize("estimator", [Many(), Many(broken=True)], ids=["nan", "raises"])
def test_a_candidate_that_fails_is_a_row_with_its_error(estimator):
    trials = search(regression(estimator), {"alpha": [13, 1]})
    assert np.isnan(trials.scores[0]).all() and np.isnan(trials.mean[0])
    assert trials.errors == ["ValueError: alpha is unlucky", None]
    assert trials.best == 1 and trials.failures() == [("ValueError: alpha is unlucky", 1)]


def sleepy(values, **more):
    problem = regression(Sleepy())
    problem = Problem(problem.X, problem.y, Columns(), Sleepy(), problem.folds, lambda m, X, y: m.value)
    return search(problem, {"value": values}, **more)


def test_the_first_of_equals_wins_and_nan_never():
    assert sleepy([1, 3, 3, 2]).best == 1
    trials = sleepy([float("-inf"), -2.0])
    assert trials.best == 1 and trials.errors[0] == "ValueError: the score is -inf"


def test_warnings_of_fits_stay_inside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sleepy([1.0, 2.0])


def test_an_unknown_parameter_is_refused_before_anything_is_fitted():
    with pytest.raises(
        ValueError, match="model.space.alhpa: Ridge has no parameter 'alhpa'; did you mean alpha"
    ):
        search(regression(Ridge()), {"alhpa": [1]})


def test_other_engines_fit_in():
    def elsewhere(problem, units):
        for unit in reversed(units):
            yield (
                unit,
                [
                    Result(i, j, float(c["alpha"] * (j + 1)), 0.5)
                    for i, c in zip(unit.places, unit.params, strict=True)
                    for j in unit.folds
                ],
            )

    trials = search(regression(Ridge()), {"alpha": [1, 5]}, engine=elsewhere)
    assert trials.scores.tolist() == [[1, 2, 3], [5, 10, 15]] and trials.best == 1
    assert trials.seconds.tolist() == [[0.5] * 3] * 2


def test_a_strategy_without_candidates_is_refused():
    class Nothing:
        def batches(self, space, rng):
            yield [], 1.0

    with pytest.raises(ValueError, match="Nothing gave no candidate"):
        engine.search(regression(Ridge()), parse({}), Nothing())


def test_the_number_of_threads_changes_no_score(monkeypatch):
    problem = classification(RandomForestClassifier(5, random_state=0))
    runs = []
    for jobs in ("1", "2", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", jobs)
        trials = search(problem, {"max_depth": [2, None], "max_features": [1, 2]})
        runs.append(trials.scores)
    assert_array_equal(runs[0], runs[1])
    assert_array_equal(runs[1], runs[2])


class Counted(ClassifierMixin, BaseEstimator):
    """Notes how many OpenMP and BLAS threads its fit may use."""

    threads = []

    def __init__(self, a=0):
        self.a = a

    def fit(self, X, y):
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
        from threadpoolctl import threadpool_info

        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        Counted.threads.append(max([_openmp_effective_n_threads(), *blas]))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_fit_has_one_thread_so_that_sums_do_not_depend_on_it(jobs, monkeypatch):
    Counted.threads.clear()
    monkeypatch.setenv("OMP_NUM_THREADS", jobs)
    search(classification(Counted()), {"a": [1, 2]})
    assert Counted.threads == [1] * 6


def test_clustering_needs_no_target():
    X = frame_of(load_breast_cancer(return_X_y=True)[0][:90, :3])
    from sklearn.metrics import silhouette_score

    problem = Problem(
        X, None, Columns(), KMeans(n_init=1, random_state=0), Folds("kfold", 2).pairs(90),
        lambda model, X, y=None: silhouette_score(X, model.predict(X)),
    )  # fmt: skip
    trials = search(problem, {"n_clusters": [2, 3]})
    assert np.isfinite(trials.scores).all()


def test_the_model_is_picked_by_task_and_its_mismatch_explained():
    both = {"estimator": {"classification": LogisticRegression(), "regression": Ridge()}}
    assert type(subject.pick(both, "regression", "y")[0]) is Ridge
    with pytest.raises(
        ValueError, match="fits classification and regression, but a table without a target is for clust"
    ):
        subject.pick(both, "clustering")
    with pytest.raises(
        ValueError, match="Ridge fits regression, but target 'y' makes this a classification; choose"
    ):
        subject.pick({"estimator": Ridge()}, "classification", "y")
    with pytest.raises(ValueError, match="model.estimator: got str, must be an estimator"):
        subject.pick({"estimator": "ridge"}, "regression", "y")
    with pytest.raises(ValueError, match="model: got 3, must have an estimator and a space"):
        subject.pick(3, "regression", "y")
    spaces = both | {"space": {"classification": {"C": [1]}, "regression": {"alpha": [1]}}}
    assert list(subject.pick(spaces, "regression", "y")[1].axes) == ["alpha"]


def test_open_seeds_are_closed_and_given_ones_kept():
    forest = subject.seeded(RandomForestClassifier())
    assert forest.random_state == 0
    assert subject.seeded(RandomForestClassifier(random_state=7)).random_state == 7
    nested = Pipeline([("model", RandomForestClassifier())])
    assert subject.seeded(nested)["model"].random_state == 0 and nested["model"].random_state is None


def test_a_problem_of_one_candidate_and_no_space_works():
    trials = search(regression(Ridge()), {})
    assert trials.candidates == [{}] and trials.best == 0


@pytest.mark.parametrize("estimator", [Ridge(), Many()], ids=["one fit at a time", "score_many"])
def test_units_hold_every_candidate_and_fold_once(estimator):
    problem = regression(estimator)
    units = planned(problem, [{"alpha": 1}, {"alpha": 2}], 1.0)
    results = [result for _, found in Local()(problem, units) for result in found]
    assert sorted((r.candidate, r.fold) for r in results) == [(i, j) for i in range(2) for j in range(3)]
    assert sorted((i, j) for unit in units for i in unit.places for j in unit.folds) == sorted(
        (r.candidate, r.fold) for r in results
    )
