import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV, cross_val_predict

from ml_core.kernels.cuts import costs_of_cuts
from ml_core.models.bayes import GaussianNB
from ml_core.models.logistic import LogisticRegression
from ml_core.models.threshold import CostThresholdClassifier

COSTS = np.array([[-1.0, 3.0], [10.0, 0.0]])


def mean_cost(y, answer, weight, costs):
    return (confusion_matrix(y, answer, labels=[0, 1], sample_weight=weight) * costs).sum() / weight.sum()


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return (
        X,
        (rng.random(n) < 1 / (1 + np.exp(-X[:, 0] + 1))).astype(int),
        rng.integers(1, 4, n).astype(float),
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 8))
def test_every_cut_costs_what_a_confusion_matrix_says(seed, n, levels):
    rng = np.random.default_rng(seed)
    y, score, weight = rng.integers(0, 2, n), rng.integers(0, levels, n) / 7, rng.random(n) + 0.1
    cuts, mean = costs_of_cuts(y == 1, score, weight, COSTS)
    assert len(cuts) == len(np.unique(score)) + 1 and (np.diff(cuts) < 0).all()
    for cut, cost in zip(cuts, mean, strict=True):
        assert_allclose(cost, mean_cost(y, (score >= cut).astype(int), weight, COSTS), atol=1e-12)


def test_neighbours_in_floating_point_are_told_apart():
    score = np.array([1.0, np.nextafter(1.0, 2)])
    cuts, _ = costs_of_cuts(np.array([False, True]), score, np.ones(2), COSTS)
    assert [(score >= cut).sum() for cut in cuts] == [0, 1, 2]


@pytest.mark.parametrize("estimator", [LogisticRegression(), GaussianNB(), RidgeClassifier()], ids=str)
@pytest.mark.parametrize("costs", [COSTS, ((0, 1), (1, 0)), ((0, 5), (1, 0))])
def test_no_threshold_costs_less_on_the_rows_held_out(estimator, costs):
    X, y, _ = rows()
    model = CostThresholdClassifier(estimator, costs=costs, cv=4, store_cv_results=True).fit(X, y)
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "decision_function"
    score = cross_val_predict(clone(estimator), X, y, cv=StratifiedKFold(4), method=method)
    score = score[:, 1] if score.ndim == 2 else score
    tried = [
        mean_cost(y, (score >= cut).astype(int), np.ones(len(y)), costs) for cut in np.append(score, np.inf)
    ]
    assert_allclose(-model.best_score_, min(tried), atol=1e-12)
    assert_allclose(
        mean_cost(y, (score >= model.best_threshold_).astype(int), np.ones(len(y)), costs),
        min(tried),
        atol=1e-12,
    )
    assert model.cv_results_["scores"].max() == model.best_score_
    assert_allclose(model.estimator_.predict(X), clone(estimator).fit(X, y).predict(X))


def test_it_costs_no_more_than_scikit_learns_choice():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)

    def gain(truth, answer):
        return -mean_cost(truth, answer, np.ones(len(truth)), COSTS)

    from sklearn.metrics import make_scorer

    theirs = TunedThresholdClassifierCV(LogisticRegression(), scoring=make_scorer(gain)).fit(X, y)
    ours = CostThresholdClassifier(LogisticRegression(), costs=COSTS).fit(X, y)
    score = cross_val_predict(LogisticRegression(), X, y, cv=5, method="predict_proba")[:, 1]
    cost = [gain(y, (score >= model.best_threshold_).astype(int)) for model in (ours, theirs)]
    assert cost[0] >= cost[1]


def test_a_weight_is_a_repetition():
    X, y, weight = rows(200)
    again = np.repeat(np.arange(200), weight.astype(int))
    one = LogisticRegression().fit(X, y, weight)
    weighted = CostThresholdClassifier(one, costs=COSTS, cv="prefit").fit(X, y, weight)
    repeated = CostThresholdClassifier(one, costs=COSTS, cv="prefit").fit(X[again], y[again])
    assert weighted.best_threshold_ == repeated.best_threshold_
    assert_allclose(weighted.best_score_, repeated.best_score_)
    assert weighted.estimator_ is one
    folded = CostThresholdClassifier(LogisticRegression(), costs=COSTS).fit(X, y, weight)
    assert_allclose(folded.estimator_.coef_, one.coef_)


def test_dear_mistakes_are_avoided_altogether():
    X, y, _ = rows()
    never = CostThresholdClassifier(LogisticRegression(), costs=((0, 1e9), (1, 0))).fit(X, y)
    always = CostThresholdClassifier(LogisticRegression(), costs=((0, 1), (1e9, 0))).fit(X, y)
    assert never.predict(X).mean() < 0.02 and always.predict(X).mean() > 0.9


def test_one_part_held_out_words_and_sparse_rows():
    X, y, _ = rows()
    words = np.where(y == 1, "yes", "no")
    kept = CostThresholdClassifier(LogisticRegression(), cv=0.3, refit=False, random_state=0).fit(X, words)
    assert set(kept.predict(X)) == {"no", "yes"} and list(kept.classes_) == ["no", "yes"]
    assert_array_equal(kept.predict_proba(X), kept.estimator_.predict_proba(X))
    dense, sparse = (CostThresholdClassifier(LogisticRegression()).fit(Z, y) for Z in (X, csr_array(X)))
    assert_array_equal(dense.predict(X), sparse.predict(csr_array(X)))
    twice = CostThresholdClassifier(LogisticRegression(), n_jobs=2).fit(X, y)
    assert twice.best_threshold_ == dense.best_threshold_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"costs": [[0, 1]]}, r"costs must be \(2, 2\) finite numbers.*got \[\[0, 1\]\]"),
        ({"costs": [[0, np.nan], [1, 0]]}, "finite numbers"),
        ({"refit": False}, r"refit=False needs a cv of one fold.*has 5"),
        ({"cv": 1.5}, "'cv' parameter"),
        ({"estimator": RidgeClassifier(), "response_method": "predict_proba"}, "has no predict_proba"),
    ],
)
def test_bad_parameters_are_named(options, message):
    X, y, _ = rows(60)
    with pytest.raises(ValueError, match=message):
        CostThresholdClassifier(**({"estimator": LogisticRegression()} | options)).fit(X, y)


def test_bad_targets():
    X, y = load_iris(return_X_y=True)
    model = CostThresholdClassifier(LogisticRegression())
    with pytest.raises(ValueError, match="Only binary classification"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="one class only, 0"):
        model.fit(X, y * 0)
    with pytest.raises(NotFittedError):
        CostThresholdClassifier(LogisticRegression(), cv="prefit").fit(X, y > 1)
