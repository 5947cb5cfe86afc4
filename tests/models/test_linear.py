from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud, load_wine
from sklearn.metrics import get_scorer, make_scorer, mean_squared_error
from sklearn.model_selection import KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

from ml_core.models.linear import LinearRegression, Ridge, RidgeClassifier
from ml_core.models.scoring import score_rest

TABLES = Path(__file__).parents[2] / "../shared/data"
REGRESSION = {"diabetes": load_diabetes(return_X_y=True), "linnerud": load_linnerud(return_X_y=True)}
CLASSES = {"wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def same_line(ours, other, rtol=1e-8):
    assert_allclose(ours.coef_, other.coef_, rtol=rtol, atol=rtol * np.abs(other.coef_).max())
    assert_allclose(
        ours.intercept_, other.intercept_, rtol=rtol, atol=rtol * (1 + np.abs(other.intercept_).max())
    )
    assert ours.coef_.shape == other.coef_.shape and np.shape(ours.intercept_) == np.shape(other.intercept_)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", REGRESSION)
def test_lines_are_scikit_learns(name, intercept):
    X, y = REGRESSION[name]
    ours, other = (
        module(fit_intercept=intercept).fit(X, y) for module in (LinearRegression, theirs.LinearRegression)
    )
    same_line(ours, other)
    assert ours.rank_ == other.rank_
    assert_allclose(ours.singular_, other.singular_, rtol=1e-8)
    for alpha in (1e-3, 1.0, 1e3):
        same_line(*(module(alpha, fit_intercept=intercept).fit(X, y) for module in (Ridge, theirs.Ridge)))


@pytest.mark.parametrize("name", CLASSES)
def test_classifiers_are_scikit_learns(name):
    X, y = CLASSES[name](return_X_y=True)
    for options in ({}, {"alpha": 100.0, "class_weight": "balanced"}, {"fit_intercept": False}):
        ours, other = RidgeClassifier(**options).fit(X, y), theirs.RidgeClassifier(**options).fit(X, y)
        same_line(ours, other, rtol=1e-6)
        assert_allclose(ours.decision_function(X), other.decision_function(X), rtol=1e-6, atol=1e-9)
        assert_array_equal(ours.predict(X), other.predict(X))
        assert_array_equal(ours.classes_, other.classes_)


@pytest.mark.skipif(not (TABLES / "abalone.csv").exists(), reason="../shared/data/abalone.csv is not here")
def test_abalone():
    import polars as pl

    frame = pl.read_csv(TABLES / "abalone.csv", infer_schema_length=None)
    numbers = frame.select(pl.selectors.numeric()).to_numpy()
    X, y = numbers[:, :-1], numbers[:, -1]
    same_line(LinearRegression().fit(X, y), theirs.LinearRegression().fit(X, y))
    same_line(Ridge().fit(X, y), theirs.Ridge().fit(X, y))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(3, 40), st.integers(1, 8), st.integers(-8, 8), st.booleans())
def test_any_shape_rank_and_scale(seed, n, d, power, weighted):
    """Predictions, since coefficients of dependent columns are a matter of taste."""
    rng = np.random.default_rng(seed)
    rank = rng.integers(1, d + 1)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))
    X = X * 10.0**power
    if d > 2:
        X[:, 0] = 7.0 * 10.0**power  # a constant column
    y, weight = rng.normal(size=n), rng.integers(1, 4, n).astype(float) if weighted else None
    ours = LinearRegression().fit(X, y, weight).predict(X)
    assert_allclose(ours, theirs.LinearRegression().fit(X, y, weight).predict(X), rtol=1e-6, atol=1e-6)
    alpha = 10.0 ** (2 * power)
    ours, other = Ridge(alpha).fit(X, y, weight), theirs.Ridge(alpha, solver="svd").fit(X, y, weight)
    assert_allclose(ours.predict(X), other.predict(X), rtol=1e-6, atol=1e-8)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([LinearRegression(), Ridge(), Ridge(solver="svd"), Ridge(0.0)]))
def test_laws(seed, model):
    rng = np.random.default_rng(seed)
    X, y, weight = rng.normal(size=(40, 3)), rng.normal(size=40), rng.integers(0, 3, 40)
    again = np.repeat(np.arange(40), weight)
    base = model.fit(X, y, weight).coef_.copy()
    assert_allclose(model.fit(X[again], y[again]).coef_, base, atol=1e-9)  # a weight is a repetition
    order, columns = rng.permutation(40), rng.permutation(3)
    assert_allclose(model.fit(X[order], y[order], weight[order]).coef_, base, atol=1e-9)  # the order of rows
    assert_allclose(model.fit(X[:, columns], y, weight).coef_, base[columns], atol=1e-9)  # and of columns
    moved = model.fit(X + 1e6, y - 1e3, weight)  # translation moves the intercept only
    assert_allclose(moved.coef_, base, atol=1e-8)


def test_large_means_lose_no_digits():
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(2000, 4)) * 1024) / 1024
    y = X @ [1.0, 2.0, 3.0, 4.0]
    for model in (LinearRegression(), Ridge(1e-9)):
        assert_allclose(model.fit(X + 2.0**27, y + 2.0**30).coef_, [1, 2, 3, 4], rtol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(200, 20), (50, 500), (30, 6000)])
def test_sparse_rows_give_the_line_of_dense_ones(n, d):
    X = random_array((n, d), density=0.1, rng=np.random.default_rng(0), format="csr")
    y = np.random.default_rng(1).normal(size=(n, 2))
    weight = np.random.default_rng(2).uniform(size=n)
    dense = Ridge(0.5).fit(X.toarray(), y, weight)
    for solver in ("auto", "lsqr"):
        same_line(Ridge(0.5, solver=solver).fit(X, y, weight), dense, rtol=1e-7)
    assert_allclose(dense.predict(csr_array(X)), dense.predict(X.toarray()))


def test_positive_is_the_constrained_minimum():
    X, y = REGRESSION["diabetes"]
    same_line(LinearRegression(positive=True).fit(X, y), theirs.LinearRegression(positive=True).fit(X, y))
    ours, other = (module(0.1, positive=True, tol=1e-12).fit(X, y) for module in (Ridge, theirs.Ridge))
    assert_allclose(ours.coef_, other.coef_, atol=1e-2)
    assert (ours.coef_ >= 0).all()


def test_a_penalty_for_each_target():
    X, Y = REGRESSION["linnerud"]
    ours, other = (module([0.1, 1.0, 10.0]).fit(X, Y) for module in (Ridge, theirs.Ridge))
    same_line(ours, other)


def test_multilabel_targets():
    X, y = load_wine(return_X_y=True)
    Y = np.column_stack([y > 0, y > 1]).astype(int)
    assert_array_equal(RidgeClassifier().fit(X, Y).predict(X), theirs.RidgeClassifier().fit(X, Y).predict(X))


SPLITS = [
    KFold(5), KFold(4, shuffle=True, random_state=0), TimeSeriesSplit(4), ShuffleSplit(3, random_state=0),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=0), LeaveOneOut(),
]  # fmt: skip
SCORERS = ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error", None]


def slowly(model, X, y, candidates, folds, scorer):
    empty = np.full((len(candidates), len(folds)), np.nan)
    return score_rest(model, (X, y), (candidates, folds), scorer, empty)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10**6),
    st.sampled_from(SPLITS),
    st.sampled_from(SCORERS),
    st.integers(1, 3),
    st.integers(1, 12),
)
@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_score_many_equals_scikit_learn_one_fit_at_a_time(seed, cv, scorer, t, d):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rng.integers(12, 50), d)) + 10 * rng.normal(size=d)
    Y = X @ rng.normal(size=(d, t)) + rng.normal(size=(len(X), t))
    y = Y[:, 0] if t == 1 else Y
    alphas = np.geomspace(1e-2, 1e4, rng.choice([3, 26]))  # one by one, and by eigenvectors
    candidates = [{"alpha": a, "fit_intercept": bool(rng.integers(2))} for a in alphas]
    folds = list(cv.split(X))[:6]
    ours = Ridge().score_many(X, y, candidates, folds, scorer)
    assert_allclose(ours, slowly(theirs.Ridge(), X, y, candidates, folds, scorer), rtol=1e-8, atol=1e-9)


def test_score_many_of_ridge_to_nine_digits():
    X, y = REGRESSION["diabetes"]
    candidates, folds = [{"alpha": a} for a in np.geomspace(1e-4, 1e3, 40)], list(KFold(5).split(X))
    for scorer in SCORERS[:3]:
        slow = slowly(theirs.Ridge(), X, y, candidates, folds, scorer)
        assert_allclose(Ridge().score_many(X, y, candidates, folds, scorer), slow, rtol=1e-9)
        named = Ridge().score_many(X, y, candidates, folds, get_scorer(scorer))
        assert_array_equal(named, Ridge().score_many(X, y, candidates, folds, scorer))


def test_a_scorer_of_ones_own_sees_a_fitted_model():
    X, y = REGRESSION["diabetes"]
    candidates, folds = [{"alpha": 0.1}, {"alpha": 10.0}], list(KFold(3).split(X))
    asymmetric = make_scorer(
        lambda y, p: np.mean(np.where(p > y, 2, 1) * np.abs(p - y)), greater_is_better=False
    )
    weighted = make_scorer(mean_squared_error, greater_is_better=False, multioutput="raw_values")
    for scorer in (asymmetric, lambda model, A, b: model.coef_[0] + model.score(A, b)):
        slow = slowly(theirs.Ridge(), X, y, candidates, folds, scorer)
        assert_allclose(Ridge().score_many(X, y, candidates, folds, scorer), slow, rtol=1e-9)
    with pytest.warns(UserWarning, match="got no score"):  # a list is no score
        assert np.isnan(Ridge().score_many(X, y, candidates, folds, weighted)).all()


@pytest.mark.filterwarnings("ignore:.*got no score")
def test_score_many_of_mixed_candidates():
    X, y = REGRESSION["diabetes"]
    folds = list(KFold(3).split(X))
    candidates = [
        {"alpha": 1.0}, {"alpha": -1.0}, {"alpha": 0.0}, {"alpha": 2.0, "solver": "svd"},
        {"alpha": 3, "positive": True}, {"alpha": [1.0, 2.0]}, {"alpha": "much"}, {"solver": "sag"},
    ]  # fmt: skip
    scores = Ridge().score_many(X, y, candidates, folds, "r2")
    assert np.isnan(scores).all(axis=1).tolist() == [False, True, False, False, False, True, True, True]
    assert_allclose(
        scores[:5], slowly(Ridge(), X, y, candidates[:1] + candidates[1:5], folds, "r2"), rtol=1e-9
    )


def test_score_many_where_the_sums_cannot_tell():
    """A perfect fit, dependent columns at alpha 0, an outlier held out, a constant fold."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[:, 3] = X[:, 0] + X[:, 1]
    y = X @ [1.0, 2.0, 3.0, 0.0]
    y[40:] = 5.0
    X[59, 2] = 1e9
    folds, candidates = list(KFold(3).split(X)), [{"alpha": a} for a in (0.0, 1e-12, 1.0)]
    for scorer in ("r2", "neg_mean_squared_error"):
        ours = Ridge().score_many(X, y, candidates, folds, scorer)
        assert_allclose(ours, slowly(Ridge(), X, y, candidates, folds, scorer), rtol=1e-7)


@pytest.mark.parametrize("weight", [None, "balanced", {0: 1, 1: 5, 2: 0.5}])
def test_score_many_of_classifiers(weight):
    X, y = load_wine(return_X_y=True)
    candidates = [{"alpha": a} for a in np.geomspace(1e-2, 1e4, 5)]
    for cv in (KFold(3), KFold(4, shuffle=True, random_state=1)):  # in the first, folds lack classes
        folds = list(cv.split(X))
        for scorer in ("accuracy", "f1_macro", None):
            ours = RidgeClassifier(class_weight=weight).score_many(X, y, candidates, folds, scorer)
            slow = slowly(theirs.RidgeClassifier(class_weight=weight), X, y, candidates, folds, scorer)
            assert_allclose(ours, slow, atol=1e-12)


def test_no_compiler_is_waited_for():
    """Small data, and this import, need no Numba."""
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from ml_core.models.linear import Ridge;"
        "from ml_core.models.bayes import GaussianNB; from ml_core.models.logistic import LogisticRegression;"
        "X = np.random.default_rng(0).normal(size=(569, 30));"
        "[m().fit(X, X[:, 0] > 0) for m in (Ridge, GaussianNB, LogisticRegression)];"
        "assert 'numba' not in sys.modules and 'sklearn.linear_model' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
