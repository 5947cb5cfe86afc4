import numpy as np
import pytest
import sklearn.linear_model as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from ml_core.models.logistic import LogisticRegression, size_of
from ml_core.models.scoring import score_rest

LOADERS = {"iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def table(name):
    X, y = LOADERS[name](return_X_y=True)
    return (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-12), y


def objective(model, X, y, weight=None):
    loss = log_loss(y, model.predict_proba(X), sample_weight=weight, normalize=False)
    ratio, W = model.l1_ratio, model.coef_
    return model.C * loss + ratio * np.abs(W).sum() + (1 - ratio) / 2 * (W**2).sum()


def missed(model, X, y, weight):
    """How far the slopes of the mean loss are from what a minimum allows."""
    P = model.predict_proba(X)
    member = (y[:, None] == model.classes_).astype(float)
    size = 1 / (model.C * weight.sum())
    l1, l2 = size * model.l1_ratio, size * (1 - model.l1_ratio)
    error = (P - member) * (weight / weight.sum())[:, None]
    if P.shape[1] == 2:
        error = error[:, 1:]
    slope = (X.T @ error).T + l2 * model.coef_
    dead = model.coef_ == 0
    wrong = np.where(dead, np.maximum(np.abs(slope) - l1, 0), np.abs(slope + l1 * np.sign(model.coef_)))
    return max(wrong.max(), np.abs(error.sum(axis=0)).max() if model.fit_intercept else 0)


@pytest.mark.parametrize("ratio", [0.3, 1.0])
@pytest.mark.parametrize(
    "options", [{"C": 0.01}, {"C": 1.0, "class_weight": "balanced"}, {"fit_intercept": False}]
)
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_objective_is_never_worse_than_sagas(name, options, ratio):
    X, y = table(name)
    weight = None if "class_weight" in options else np.random.default_rng(0).uniform(0.5, 2, len(y))
    ours = LogisticRegression(l1_ratio=ratio, **options).fit(X, y, weight)
    other = theirs.LogisticRegression(l1_ratio=ratio, solver="saga", max_iter=300, **options)
    other.fit(X, y, weight)
    if weight is None:
        weight = len(y) / len(ours.classes_) / np.bincount(y)[y]
    assert objective(ours, X, y, weight) <= objective(other, X, y, weight) * (1 + 1e-9)
    assert missed(ours, X, y, weight) < 1e-7
    assert ours.coef_.shape == other.coef_.shape and ours.intercept_.shape == other.intercept_.shape


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_the_objective_is_never_worse_than_liblinears(C):
    X, y = table("breast_cancer")
    options = {"C": C, "l1_ratio": 1, "fit_intercept": False}
    ours = LogisticRegression(**options).fit(X, y)
    other = theirs.LogisticRegression(solver="liblinear", **options).fit(X, y)
    assert objective(ours, X, y) <= objective(other, X, y) * (1 + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("C", [1e-2, 1e2])
def test_digits_reach_the_optimum(C):
    X, y = table("digits")
    model = LogisticRegression(C=C, l1_ratio=1.0).fit(X, y)
    assert missed(model, X, y, np.ones(len(y))) < 1e-6 and (model.coef_ == 0).mean() > 0.3


def test_many_rows_start_from_a_sample_and_end_at_the_minimum():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 12))
    y = (rng.random(40_000) < 1 / (1 + np.exp(-X[:, 0] - 1))).astype(int)
    model = LogisticRegression(C=2e-3, l1_ratio=1.0).fit(X, y)
    assert missed(model, X, y, np.ones(len(y))) < 1e-8 and np.count_nonzero(model.coef_) < 12


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 3), st.sampled_from([0.2, 1.0]))
def test_laws(seed, q, ratio):
    rng = np.random.default_rng(seed)
    X, weight = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    y = np.r_[np.arange(q), rng.integers(0, q, 60 - q)]
    weight[:q] = 1
    again, order, columns = np.repeat(np.arange(60), weight), rng.permutation(60), rng.permutation(4)

    def coefficients(*rows):
        return LogisticRegression(C=0.5, l1_ratio=ratio).fit(*rows).coef_

    base = coefficients(X, y, weight)
    assert_allclose(coefficients(X[again], y[again]), base, atol=1e-6)
    assert_allclose(coefficients(X[order], y[order], weight[order]), base, atol=1e-6)
    assert_allclose(coefficients(X + 1e3, y, weight), base, atol=1e-6)
    assert_allclose(coefficients(X[:, columns], y, weight), base[:, columns], atol=1e-6)
    if q == 2:
        assert_allclose(coefficients(X, 1 - y, weight), -base, atol=1e-6)


@pytest.mark.parametrize(("d", "q"), [(30, 2), (30, 3), pytest.param(4500, 2, marks=pytest.mark.slow)])
def test_sparse_rows_give_the_coefficients_of_dense_ones(d, q):
    X = random_array((300, d), density=0.1, rng=np.random.default_rng(0), format="csr")
    y = (X[:, :q].toarray() + 0.1 * np.random.default_rng(1).random((300, q))).argmax(axis=1)
    model = LogisticRegression(C=0.5, l1_ratio=0.8)
    dense, sparse = model.fit(X.toarray(), y).coef_, LogisticRegression(C=0.5, l1_ratio=0.8).fit(X, y)
    assert_allclose(sparse.coef_, dense, atol=1e-6)
    assert_allclose(sparse.decision_function(csr_array(X)), model.decision_function(X.toarray()), atol=1e-5)
    assert 0 < np.count_nonzero(dense) < dense.size / 2


@pytest.mark.parametrize("name", ["iris", pytest.param("breast_cancer", marks=pytest.mark.slow)])
def test_score_many_equals_one_fit_at_a_time(name):
    X, y = table(name)
    order = np.random.default_rng(0).permutation(len(y))
    X, y, model = X[order], y[order], LogisticRegression(l1_ratio=0.7, class_weight="balanced")
    folds = [*StratifiedKFold(2).split(X, y), next(KFold(3).split(X))]
    candidates = [{"C": 1.0}, {"C": 0.05}, {"C": 0.1, "l1_ratio": 1.0}, {"C": 0.1, "l1_ratio": 0.0}]
    for scorer in ("accuracy", "neg_log_loss"):
        empty = np.full((len(candidates), len(folds)), np.nan)
        alone = score_rest(model, (X, y), (candidates, folds), scorer, empty)
        assert_allclose(model.score_many(X, y, candidates, folds, scorer), alone, rtol=1e-6)


def test_the_deprecated_words_still_work():
    X, y = table("wine")
    plain = LogisticRegression(C=0.5, l1_ratio=1.0).fit(X, y).coef_
    with pytest.warns(FutureWarning, match="l1_ratio=1 is l1"):
        assert_array_equal(LogisticRegression(C=0.5, penalty="l1").fit(X, y).coef_, plain)
    mixed = LogisticRegression(C=0.5, l1_ratio=0.4).fit(X, y).coef_
    with pytest.warns(FutureWarning, match="C=inf is none"):
        assert_array_equal(
            LogisticRegression(C=0.5, penalty="elasticnet", l1_ratio=0.4).fit(X, y).coef_, mixed
        )
    assert size_of(LogisticRegression(C=np.inf, l1_ratio=0.4)) == (np.inf, 0.0)
    assert size_of(LogisticRegression(C=2.0, l1_ratio=None)) == (2.0, 0.0)


def test_float32_and_warm_starts():
    X, y = table("breast_cancer")
    single = LogisticRegression(l1_ratio=1.0, warm_start=True).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, LogisticRegression(l1_ratio=1.0).fit(X, y).coef_, atol=1e-3)
    assert single.fit(X, y).n_iter_[0] <= 3


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 6))
    for y in ((X[:, 0] > 0).astype(int), X[:, :3].argmax(axis=1)):
        found = []
        for count in (1, 2):
            with threadpool_limits(count, user_api="blas"):
                found.append(LogisticRegression(C=0.01, l1_ratio=0.5).fit(X, y).coef_)
        assert_array_equal(*found)
