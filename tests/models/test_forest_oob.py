"""Candidates judged out of bag, without folds."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

from ml_core.models.extra_trees import ExtraTreesClassifier, ExtraTreesRegressor
from ml_core.models.forest import RandomForestClassifier, RandomForestRegressor
from ml_core.models.forest_learn import draws_of
from ml_core.models.forest_methods import seeds_of

X, LABELS = make_classification(160, 6, n_informative=4, n_classes=2, flip_y=0.2, random_state=0)
VALUES = make_regression(160, 6, noise=20, random_state=1)[1]
GRID = [
    {"n_estimators": t, "max_depth": depth, "min_samples_leaf": leaf}
    for t in (25, 18)
    for depth in (3, None)
    for leaf in (1, 5)
]


def told_slowly(model, X, y):
    """What the trees that did not draw a row say of it, tree after tree and row after row."""
    fitted = clone(model).fit(X, y)
    n, weight = len(X), None
    if getattr(model, "class_weight", None) == "balanced":
        weight = len(y) / (len(np.unique(y)) * np.bincount(y)[y])
    said = [[] for _ in range(n)]
    for seed, tree in zip(seeds_of(model.random_state, model.n_estimators), fitted.estimators_, strict=True):
        rng, count = np.random.default_rng(int(seed)), draws_of(model, n, weight)
        if weight is None:
            drawn = rng.integers(0, n, count)
        else:
            reached = np.cumsum(weight)
            drawn = np.searchsorted(reached, rng.random(count) * reached[-1], side="right")
        answers = tree.predict_proba(X) if hasattr(tree, "predict_proba") else tree.predict(X)
        for i in set(range(n)) - set(drawn.tolist()):
            said[i].append(answers[i])
    return np.array([np.mean(one, axis=0) for one in said])


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(random_state=0, class_weight="balanced"),
        RandomForestClassifier(random_state=3, voting="hard", max_samples=0.5),
        ExtraTreesClassifier(random_state=1, bootstrap=True),
        RandomForestClassifier(random_state=2, class_weight="balanced_subsample"),
    ],
)
def test_classes_out_of_bag_are_told_by_the_trees_that_did_not_draw_a_row(model):
    found = model.score_out_of_bag(X, LABELS, GRID, "roc_auc")
    for candidate, score in zip(GRID, found, strict=True):
        fitted = clone(model).set_params(**candidate, oob_score=True).fit(X, LABELS)
        alone = fitted.oob_decision_function_
        assert_allclose(score, roc_auc_score(LABELS, alone[:, 1]), rtol=1e-13)
        assert model.score_out_of_bag(X, LABELS, [candidate], "roc_auc")[0] == score
    slow = told_slowly(clone(model).set_params(**candidate), X, LABELS)
    assert_allclose(alone, slow, atol=1e-12)
    for scorer, judge, answers in [
        ("neg_log_loss", lambda y, p: -log_loss(y, p), slow),
        (None, accuracy_score, slow.argmax(axis=1)),
    ]:
        one = model.score_out_of_bag(X, LABELS, [candidate], scorer)[0]
        assert_allclose(one, judge(LABELS, answers), rtol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(random_state=0, ccp_alpha=3.0),
        ExtraTreesRegressor(random_state=0, bootstrap=True, keep_targets=True),
    ],
)
def test_values_out_of_bag_are_told_by_the_trees_that_did_not_draw_a_row(model):
    found = model.score_out_of_bag(X, VALUES, GRID)
    for candidate, score in zip(GRID, found, strict=True):
        fitted = clone(model).set_params(**candidate, oob_score=True).fit(X, VALUES)
        assert score == r2_score(VALUES, fitted.oob_prediction_)
    slow = told_slowly(clone(model).set_params(**candidate), X, VALUES)
    assert_allclose(score, r2_score(VALUES, slow), rtol=1e-12)


def test_a_forest_is_grown_once_for_all_that_share_it(monkeypatch):
    grown, fit = [], RandomForestClassifier.fit
    monkeypatch.setattr(
        RandomForestClassifier, "fit", lambda self, *data: grown.append(1) or fit(self, *data)
    )
    model, depths = RandomForestClassifier(random_state=0), [2, 4, None]
    candidates = [
        {"n_estimators": t, "max_depth": depth, "max_features": share}
        for t in (12, 20)
        for depth in depths
        for share in (0.5, 1.0)
    ]
    assert np.isfinite(model.score_out_of_bag(X, LABELS, candidates)).all()
    assert len(grown) == 2  # 12 candidates, two of max_features


def test_a_random_state_that_is_no_number_draws_as_one_fit_alone_does():
    model = RandomForestClassifier(20, random_state=np.random.RandomState(5))
    alone = clone(model).set_params(oob_score=True).fit(X, LABELS)
    found = model.score_out_of_bag(X, LABELS, [{}, {}], "accuracy")
    assert_array_equal(found, [alone.oob_score_] * 2)


def test_one_and_two_threads_tell_the_same():
    scores = [
        RandomForestRegressor(random_state=0, n_jobs=jobs).score_out_of_bag(X, VALUES, GRID[:4])
        for jobs in (1, 2)
    ]
    assert_array_equal(*scores)


def test_who_cannot_be_judged_out_of_bag_is_named():
    model = RandomForestClassifier(25, random_state=0)
    candidates = [{}, {"n_estimators": 2}, {"bootstrap": False}, {"max_features": 99}, {"max_depth": -1}]
    with pytest.warns(UserWarning) as heard:
        found = model.score_out_of_bag(X, LABELS, candidates, "roc_auc")
    assert_array_equal(np.isnan(found), [False, True, True, True, True])
    said = [str(one.message) for one in heard]
    for words, text in zip(
        [
            "rows were drawn by all n_estimators=2 trees, so nobody can judge them out of bag",
            "RandomForestClassifier(bootstrap=False) has no out-of-bag rows",
            "max_features must be in 1..6",
            "max_depth",
        ],
        said,
        strict=True,
    ):
        assert words in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.score_out_of_bag(X, LABELS, []).shape == (0,)
        with pytest.raises(ValueError, match="set bootstrap=True, or score on folds"):
            ExtraTreesClassifier().score_out_of_bag(X, LABELS, [{}, {"max_depth": 2}])
