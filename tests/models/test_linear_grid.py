"""A grid of linear machines along C against one fit at a time, in every shape that Newton takes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold

from ml_core.models import linear_grid, linear_machine
from ml_core.models.linear_svm import LinearSVC, LinearSVR

STRENGTHS = [{"C": C} for C in (10.0, 1e-3, 0.1, 1e3)]


def one_by_one(model, data, candidates, folds, scorer):
    X, y = data
    scores = np.full((len(candidates), len(folds)), np.nan)
    for i, j in np.ndindex(scores.shape):
        train, test = folds[j]
        fitted = clone(model).set_params(**candidates[i]).fit(X[train], y[train])
        scores[i, j] = check_scoring(fitted, scorer)(fitted, X[test], y[test])
    return scores


@pytest.fixture
def no_fit_alone(monkeypatch):
    """The grid must answer by itself."""

    def refuse(model, data, trials, scorer, scores):
        assert np.isfinite(scores).all()
        return scores

    monkeypatch.setattr(linear_grid.scoring, "score_rest", refuse)


@pytest.mark.parametrize("scorer", [None, "accuracy", "balanced_accuracy"])
@pytest.mark.parametrize(
    "options",
    [{}, {"class_weight": "balanced"}, {"fit_intercept": False}, {"class_weight": {"b": 3.0}}],
    ids=str,
)
def test_classes(scorer, options, no_fit_alone):
    X, y = load_iris(return_X_y=True)
    y = np.array(["a", "b", "c"])[y]
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    model = LinearSVC(intercept_scaling=2.0, **options)
    found = model.score_many(X, y, STRENGTHS, folds, scorer)
    assert_allclose(found, one_by_one(model, (X, y), STRENGTHS, folds, scorer), rtol=1e-9)


@pytest.mark.parametrize("shape", ["narrow", "wide", "sparse"])
def test_numbers_of_every_shape(shape, no_fit_alone):
    X, y = load_diabetes(return_X_y=True)
    X, y = 20 * X, y / 50
    if shape == "wide":
        X, y = np.tanh(X[:60] @ np.random.default_rng(0).normal(size=(10, 90))), y[:60]
    X = csr_matrix(X) if shape == "sparse" else X
    model = LinearSVR(loss="squared_epsilon_insensitive", max_iter=100)
    candidates = [c | {"epsilon": e} for c in STRENGTHS for e in (0.0, 0.5)]
    folds = list(ShuffleSplit(3, random_state=0).split(X))
    found = model.score_many(X, y, candidates, folds, "neg_mean_squared_error")
    alone = one_by_one(model, (X, y), candidates, folds, "neg_mean_squared_error")
    assert_allclose(found, alone, rtol=1e-7)


def test_a_row_drawn_twice_weighs_twice(no_fit_alone):
    X, y = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(0)
    folds = [(rng.integers(300, size=300), np.arange(300, 442)) for _ in range(2)]
    model = LinearSVR(loss="squared_epsilon_insensitive")
    found = model.score_many(X, y, STRENGTHS, folds, "r2")
    assert_allclose(found, one_by_one(model, (X, y), STRENGTHS, folds, "r2"), rtol=1e-7)


def test_other_losses_and_lone_classes_are_left_to_one_fit_at_a_time():
    X, y = load_iris(return_X_y=True)
    candidates = [{"loss": "hinge"}, {"C": 0.1}, {"C": -1.0}, {"penalty": "l1"}]
    folds = list(KFold(3).split(X))  # unshuffled: a fold holds out all of a class
    with pytest.warns(UserWarning, match="got no score"):
        found = LinearSVC().score_many(X, y, candidates, folds)
    assert_allclose(found[:2], one_by_one(LinearSVC(), (X, y), candidates[:2], folds, None))
    assert np.isnan(found[2:]).all()
    with pytest.warns(UserWarning, match="at least 2 classes"):
        assert np.isnan(LinearSVC().score_many(X, y, [{}], [(np.arange(50), np.arange(50, 90))])).all()


def test_what_is_prepared_serves_every_class_and_fold(monkeypatch):
    seen, prepare = [], linear_machine.prepare
    monkeypatch.setattr(linear_machine, "prepare", lambda *words: seen.append(1) or prepare(*words))
    X, y = load_iris(return_X_y=True)
    LinearSVC().score_many(X, y, STRENGTHS, list(StratifiedKFold(3).split(X, y)), "accuracy")
    assert len(seen) == 1
