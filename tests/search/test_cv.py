"""Our searches beside scikit-learn's: the same attributes, the same results."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform, norm, randint, uniform
from sklearn import linear_model, model_selection
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import make_scorer, mean_pinball_loss
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from ml_core.models.linear import Ridge, RidgeClassifier
from ml_core.models.logistic import LogisticRegression
from ml_core.models.neighbors import KNeighborsClassifier
from ml_core.search import cv
from ml_core.search.space import Range, Values

X, Y = load_diabetes(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
CANCER = CANCER[0][::3, :8], CANCER[1][::3]


def same(ours, theirs):
    """All that a fitted search says is equal, but for the seconds."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, wanted in theirs.cv_results_.items():
        got = ours.cv_results_[name]
        if name.endswith(("fit_time", "score_time")):
            assert got.shape == wanted.shape and (got >= 0).all()
        elif name == "params":
            assert got == wanted
        elif name.startswith("param_"):
            assert_array_equal(got.mask, wanted.mask)
            assert got.dtype == wanted.dtype and [*got] == [*wanted]
        elif name.startswith("rank_"):
            assert got.dtype == wanted.dtype and got.shape == wanted.shape
        else:
            assert got.dtype == wanted.dtype
            assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)
    for name in ("best_index_", "best_params_", "n_splits_", "multimetric_", "n_features_in_"):
        assert hasattr(ours, name) == hasattr(theirs, name)
        assert getattr(ours, name, None) == getattr(theirs, name, None), name
    assert hasattr(ours, "best_score_") == hasattr(theirs, "best_score_")
    assert_allclose(getattr(ours, "best_score_", 0), getattr(theirs, "best_score_", 0), rtol=1e-8)
    assert type(ours.scorer_) is type(theirs.scorer_)
    assert hasattr(ours, "refit_time_") == hasattr(theirs, "refit_time_")


def both(name, estimator, space, data=(X, Y), fit=None, **more):
    """(ours, scikit-learn's), fitted alike."""
    pair = [getattr(where, name)(estimator, space, **more) for where in (cv, model_selection)]
    return [one.fit(*data, **(fit or {})) for one in pair]


@pytest.fixture
def shared(monkeypatch):
    """Fails a test whose search was left to scikit-learn's own code."""
    known = cv.sharing.fitted

    def watched(search, alone, X, y, params):
        def never(*_, **__):
            pytest.fail("the candidates did not share their work")

        return known(search, never, X, y, params)

    monkeypatch.setattr(cv.sharing, "fitted", watched)


GRID = {"alpha": [0.01, 0.1, 1.0], "fit_intercept": [True, False]}


@pytest.mark.parametrize("scoring", [None, "r2", "neg_mean_absolute_error", make_scorer(mean_pinball_loss)])
def test_a_grid_equals_scikit_learns(shared, scoring):
    same(*both("GridSearchCV", Ridge(), GRID, scoring=scoring, cv=4))


@pytest.mark.parametrize(
    ("scoring", "refit"),
    [
        (["r2", "neg_mean_squared_error"], "r2"),
        ({"a": "r2", "b": "neg_median_absolute_error"}, "b"),
        (("r2", "neg_max_error"), False),
        (["r2", "neg_max_error"], lambda results: int(np.argmax(results["mean_test_neg_max_error"]))),
    ],
)
def test_several_metrics_equal_scikit_learns(shared, scoring, refit):
    ours, theirs = both("GridSearchCV", Ridge(), GRID, scoring=scoring, refit=refit, cv=3)
    same(ours, theirs)
    assert ours.multimetric_ and set(ours.scorer_) == set(theirs.scorer_)
    if refit:
        assert_allclose(ours.predict(X), theirs.predict(X))
        if isinstance(refit, str):
            assert_allclose(ours.score(X, Y), theirs.score(X, Y))


def test_draws_halving_and_groups_equal_scikit_learns(shared):
    draws = {"alpha": loguniform(1e-3, 1e3), "fit_intercept": [True, False]}
    quick = {"return_train_score": False}  # which is True by default in halving alone
    same(*both("RandomizedSearchCV", Ridge(), draws, n_iter=9, random_state=3))
    same(*both("HalvingGridSearchCV", Ridge(), GRID, random_state=0, min_resources=40, **quick))
    ours, theirs = both("HalvingRandomSearchCV", Ridge(), draws, random_state=1, min_resources=50, **quick)
    same(ours, theirs)
    for name in ("n_resources_", "n_candidates_", "n_iterations_", "min_resources_", "max_resources_"):
        assert getattr(ours, name) == getattr(theirs, name)
    groups = np.arange(len(Y)) % 7
    same(*both("GridSearchCV", Ridge(), GRID, cv=GroupKFold(3), fit={"groups": groups}))


def test_a_pipeline_fits_its_features_once_a_fold_and_setting(shared):
    fits = []

    class Counting(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            fits.append(self.with_mean)
            return super().fit(X, y)

    pipeline = make_pipeline(Counting(), RidgeClassifier())
    grid = {"ridgeclassifier__alpha": [0.1, 1.0, 10.0], "counting__with_mean": [True, False]}
    ours = cv.GridSearchCV(pipeline, grid, cv=4, scoring="roc_auc").fit(*CANCER)
    assert sorted(fits) == [False] * 4 + [True] * 5  # and once for the best on all rows
    same(ours, model_selection.GridSearchCV(pipeline, grid, cv=4, scoring="roc_auc").fit(*CANCER))
    steps = make_pipeline(StandardScaler(), KNeighborsClassifier())
    swapped = {
        "standardscaler": [StandardScaler(), PolynomialFeatures(2)],
        "kneighborsclassifier__n_neighbors": [1, 5],
    }
    same(*both("GridSearchCV", steps, swapped, CANCER, cv=3))
    last = {"kneighborsclassifier": [KNeighborsClassifier(3), RidgeClassifier()]}
    same(*both("GridSearchCV", steps, last, CANCER, cv=3))


@pytest.mark.parametrize(
    "more",
    [
        {"return_train_score": True},
        {"scoring": lambda model, X, y: float(model.predict(X).mean())},
        {"scoring": lambda model, X, y: {"a": 1.0, "b": float(len(y))}, "refit": "a"},
    ],
)
def test_what_cannot_be_shared_is_scikit_learns_own(more):
    same(*both("GridSearchCV", Ridge(), GRID, cv=3, **more))
    same(*both("GridSearchCV", linear_model.Ridge(), GRID, cv=3, **more))


def test_failures_are_scikit_learns(recwarn):
    broken = {"alpha": [1.0, -1.0]}
    for value in (np.nan, -7.0):
        same(*both("GridSearchCV", Ridge(), broken, cv=3, error_score=value))
    with pytest.raises(ValueError, match="alpha"):
        cv.GridSearchCV(Ridge(), broken, cv=3, error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        cv.GridSearchCV(Ridge(), {"alpha": [-2.0, -1.0]}, cv=3).fit(X, Y)


def test_predictions_go_to_the_best(shared):
    ours, theirs = both("GridSearchCV", LogisticRegression(), {"C": [0.1, 1.0]}, CANCER, cv=3)
    assert_array_equal(ours.classes_, theirs.classes_)
    for name in ("predict", "predict_proba", "decision_function", "predict_log_proba"):
        assert_allclose(getattr(ours, name)(CANCER[0]), getattr(theirs, name)(CANCER[0]))
    assert_allclose(ours.score(*CANCER), theirs.score(*CANCER))


def test_names_of_columns_are_kept(shared):
    frame = load_diabetes(as_frame=True)
    ours, theirs = both("GridSearchCV", Ridge(), GRID, (frame.data, frame.target), cv=3)
    same(ours, theirs)
    assert [*ours.feature_names_in_] == [*theirs.feature_names_in_] == [*frame.data]


@pytest.mark.parametrize("estimator", [Ridge(), linear_model.Ridge()])
def test_bayes_comes_near_the_best_of_a_fine_grid(estimator):
    space = {"alpha": {"low": 1e-4, "high": 1e3, "log": True}, "fit_intercept": [True, False]}
    folds = KFold(4, shuffle=True, random_state=0)
    found = cv.BayesSearchCV(estimator, space, n_iter=16, cv=folds, random_state=0).fit(X, Y)
    fine = {"alpha": np.geomspace(1e-4, 1e3, 60), "fit_intercept": [True, False]}
    best = cv.GridSearchCV(Ridge(), fine, cv=folds).fit(X, Y).best_score_
    assert best - 1e-3 < found.best_score_ and len(found.cv_results_["params"]) == 16
    again = cv.BayesSearchCV(estimator, space, n_iter=16, cv=folds, random_state=0).fit(X, Y)
    assert again.cv_results_["params"] == found.cv_results_["params"]
    several = cv.BayesSearchCV(
        estimator, space, n_iter=6, cv=3, scoring=["neg_max_error", "r2"], refit="r2", random_state=1
    ).fit(X, Y)
    assert several.best_index_ == np.argmax(several.cv_results_["mean_test_r2"])


def test_a_space_of_bayes_takes_scipys_distributions_and_refuses_what_it_does_not_know():
    space = cv.space_of({"a": uniform(1, 4), "b": loguniform(1e-3, 10), "c": randint(2, 9), "d": ["x", None]})
    assert space.axes == {
        "a": Range(1.0, 5.0), "b": Range(1e-3, 10.0, log=True), "c": Range(2, 8, whole=True),
        "d": Values(("x", None)),
    }  # fmt: skip
    for given, message in (
        ({"a": norm(0, 1)}, "search_spaces.a: got scipy's norm, allowed are uniform"),
        ({"a": []}, "search_spaces.a: the list is empty"),
        ({"a": (0.1, 9.0, "log-uniform")}, "search_spaces.a: got .0.1, 9.0, 'log-uniform'., must be a list"),
        ({"a": "gini"}, "search_spaces.a: got 'gini', must be a list of values, {low, high"),
        ({"a": 3}, "search_spaces.a: got 3, must be a list of values, {low, high"),
        ({"a": {"low": 0, "high": 1, "log": True}}, "search_spaces.a: low is 0, must be above 0 for log"),
    ):
        with pytest.raises(ValueError, match=message):
            cv.BayesSearchCV(Ridge(), given).fit(X, Y)
    with pytest.raises(ValueError, match="Invalid parameter 'alhpa'"):
        cv.GridSearchCV(Ridge(), {"alhpa": [1]}).fit(X, Y)
    with pytest.raises(ValueError, match="search.strategy.tries: got 0, must be 1 or more"):
        cv.BayesSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, n_iter=0).fit(X, Y)


@pytest.mark.slow
@pytest.mark.parametrize(
    "search",
    [
        cv.GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
        cv.GridSearchCV(linear_model.Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
        cv.GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
        cv.RandomizedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
        cv.HalvingGridSearchCV(
            Ridge(), {"alpha": [0.1, 1.0]}, cv=2, min_resources="smallest", random_state=0
        ),
        cv.BayesSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
    ],
    ids=lambda search: f"{type(search).__name__}-{type(search.estimator).__module__}",
)
def test_scikit_learns_checks_of_estimators(search):
    theirs = getattr(model_selection, type(search).__name__, model_selection.GridSearchCV)
    params = search.get_params(deep=False)
    known = theirs.__init__.__code__.co_varnames
    twin = theirs(
        **{n: v for n, v in params.items() if n in known}
        | ({"param_grid": {"alpha": [0.1, 1.0]}} if "search_spaces" in params else {})
    )
    wanted = {one["check_name"] for one in check_estimator(twin, on_fail=None) if one["status"] == "failed"}
    failed = {one["check_name"] for one in check_estimator(search, on_fail=None) if one["status"] == "failed"}
    assert failed <= wanted
