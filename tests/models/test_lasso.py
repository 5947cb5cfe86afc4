"""Lasso and elastic net against scikit-learn's, by their optimality conditions, and by what they refuse."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn import linear_model
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from ml_core.kernels import working
from ml_core.models.lasso import ElasticNet, Lasso, enet_path, lasso_path

PAIRS = [(Lasso, linear_model.Lasso), (ElasticNet, linear_model.ElasticNet)]


@pytest.mark.parametrize("kind", [Lasso, ElasticNet])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(kind):
    check_estimator(kind(), on_skip=None)


@pytest.mark.parametrize("ours, theirs", PAIRS)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("whole", [2000, 3], ids=["gram", "working set"])
@pytest.mark.parametrize(
    "options",
    [{"alpha": 0.05}, {"alpha": 0.5, "positive": True}, {"alpha": 0.02, "fit_intercept": False}],
    ids=str,
)
def test_coefficients_are_scikit_learns(ours, theirs, sparse, whole, options, monkeypatch):
    monkeypatch.setattr(working, "WHOLE", whole)
    X, y = load_diabetes(return_X_y=True)
    X = 20 * np.where(np.abs(X) > 0.02, X, 0)
    X = X[:250]
    y = y[:250]
    rows = csr_matrix(X) if sparse else X
    for weight in (None, np.random.default_rng(0).integers(0, 3, len(y)).astype(float)):
        a = ours(**options).fit(rows, y, weight)
        b = theirs(tol=1e-12, max_iter=100_000, **options).fit(rows, y, weight)
        assert_allclose(a.coef_, b.coef_, atol=1e-5)
        assert_allclose(a.intercept_, b.intercept_, atol=1e-5)
        assert_allclose(a.predict(rows), b.predict(rows), atol=1e-4)
        assert a.dual_gap_ <= 1e-8 * y.var()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 40),
    d=st.integers(1, 60),
    log_scale=st.integers(-8, 8),
    log_alpha=st.floats(-3, 0),
    ratio=st.sampled_from([0.3, 0.9, 1.0]),
)
def test_the_optimality_conditions_hold(seed, n, d, log_scale, log_alpha, ratio):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0**log_scale
    X[:, rng.integers(d)] = 1.0  # a constant column
    y = X[:, 0] * 10.0**-log_scale + rng.normal(size=n)
    top = np.abs((X - X.mean(0)).T @ (y - y.mean())).max() / n
    if top < 1e-12:
        return
    alpha = top * 10**log_alpha
    model = ElasticNet(alpha=alpha, l1_ratio=ratio).fit(X, y)
    slope = X.T @ (y - model.predict(X)) / n - alpha * (1 - ratio) * model.coef_
    live = model.coef_ != 0
    room = 1e-6 * top + np.finfo(float).eps * np.abs(X).max() * np.abs(y).max()  # the products' own rounding
    assert (np.abs(slope) <= alpha * ratio + room).all()
    assert_allclose(slope[live], alpha * ratio * np.sign(model.coef_[live]), atol=room)


def test_a_path_is_its_fits_and_scikit_learns():
    X, y = load_diabetes(return_X_y=True)
    X, y = 20 * (X - X.mean(axis=0)), y - y.mean()
    alphas, coefs, gaps = lasso_path(X, y, alphas=30)
    theirs = linear_model.lasso_path(X, y, alphas=30, tol=1e-10, max_iter=100_000)
    assert_allclose(alphas, theirs[0])
    assert_allclose(coefs, theirs[1], atol=1e-4)
    assert (gaps <= 1e-9 * y.var()).all()
    for k in (0, 10, 29):
        assert_allclose(Lasso(alphas[k], fit_intercept=False).fit(X, y).coef_, coefs[:, k], atol=1e-8)
    assert_allclose(enet_path(X, y, l1_ratio=1.0, alphas=alphas[:3])[1], coefs[:, :3])


def test_a_wide_path_on_working_sets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2500))
    y = X[:, :5].sum(axis=1) + 0.1 * rng.normal(size=80)
    alphas, coefs, _ = lasso_path(X, y, alphas=8, eps=0.05)
    theirs = linear_model.lasso_path(X, y, alphas=alphas, tol=1e-10, max_iter=10_000)
    assert_allclose(coefs, theirs[1], atol=1e-5)


@pytest.mark.parametrize("kind", [Lasso, ElasticNet])
@pytest.mark.parametrize("scorer", ["r2", "neg_root_mean_squared_error", "neg_median_absolute_error"])
def test_score_many_is_one_fit_at_a_time(kind, scorer):
    from sklearn.metrics import get_scorer

    X, y = load_diabetes(return_X_y=True)
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    candidates = [{"alpha": a} for a in (0.001, 0.03, 1.0)] + [
        {"alpha": 0.1, "positive": True},
        {"alpha": -1.0},
    ]
    with pytest.warns(UserWarning, match="got no score"):
        found = kind().score_many(X, y, candidates, folds, scorer)
    assert np.isnan(found[-1]).all()
    for i, candidate in enumerate(candidates[:-1]):
        for j, (train, test) in enumerate(folds):
            fitted = clone(kind()).set_params(**candidate).fit(X[train], y[train])
            assert_allclose(found[i, j], get_scorer(scorer)(fitted, X[test], y[test]), rtol=1e-7)


def test_laws():
    X, y = load_diabetes(return_X_y=True)
    X = 20 * X
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    one = Lasso(0.5).fit(X, y, weight)
    two = Lasso(0.5).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(one.coef_, two.coef_, atol=1e-8)
    moved = Lasso(0.5).fit(X + 1000, y - 70)
    assert_allclose(moved.coef_, Lasso(0.5).fit(X, y).coef_, atol=1e-6)
    back = Lasso(0.5).fit(X[:, ::-1], y)
    assert_allclose(back.coef_[::-1], Lasso(0.5).fit(X, y).coef_, atol=1e-8)


def test_targets_and_types():
    X, y = load_diabetes(return_X_y=True)
    Y = np.column_stack([y, -2 * y])
    both = Lasso(0.1).fit(X, Y)
    assert both.coef_.shape == (2, 10) and both.intercept_.shape == (2,) and len(both.n_iter_) == 2
    assert_allclose(both.coef_[0], Lasso(0.1).fit(X, y).coef_)
    assert Lasso(0.1).fit(X.astype(np.float32), y.astype(np.float32)).coef_.dtype == np.float32
    assert_array_equal(both.sparse_coef_.toarray(), both.coef_)
    zero = Lasso(1e6).fit(X, y)
    assert not zero.coef_.any() and np.isclose(zero.intercept_, y.mean())


def test_warm_start_begins_where_it_ended():
    X, y = load_diabetes(return_X_y=True)
    model = Lasso(0.01, warm_start=True).fit(X, y)
    before = model.n_iter_
    assert model.fit(X, y).n_iter_ <= before
    assert_allclose(model.coef_, Lasso(0.01).fit(X, y).coef_)


@pytest.mark.parametrize(
    "model, message",
    [
        (Lasso(-1.0), "alpha"),
        (ElasticNet(l1_ratio=2.0), "l1_ratio"),
        (Lasso(max_iter=0), "max_iter"),
        (Lasso(tol=-1.0), "tol"),
    ],
    ids=str,
)
def test_bad_parameters(model, message):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_bad_rows():
    X, y = load_diabetes(return_X_y=True)
    for bad, message in ((np.nan, "NaN"), (np.inf, "infinity")):
        broken = X.copy()
        broken[3, 2] = bad
        with pytest.raises(ValueError, match=message):
            Lasso().fit(broken, y)
    with pytest.raises(ValueError, match="could not convert"):
        Lasso().fit(np.full((5, 2), "text"), np.arange(5))
    with pytest.raises(ValueError, match="must be >= 0, got -1 in row 0"):
        Lasso().fit(X, y, np.where(np.arange(len(y)) == 0, -1.0, 1.0))
    with pytest.raises(NotFittedError):
        Lasso().predict(X)
    with pytest.raises(ValueError, match="features"):
        Lasso().fit(X, y).predict(X[:, :-1])
    with pytest.raises(ValueError, match="large values"):
        Lasso().fit(X * 1e300, y)
    with pytest.raises(ValueError, match="one target, got 2"):
        lasso_path(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="pass alphas"):
        enet_path(X, y, l1_ratio=0.0)


def test_an_early_stop_says_what_to_change():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 1)) + 1e-3 * rng.normal(size=(30, 60))
    y = rng.normal(size=30)
    with pytest.warns(ConvergenceWarning, match=r"StandardScaler.*raise max_iter, alpha or tol"):
        Lasso(1e-9, max_iter=1, tol=1e-14).fit(X, y)
    with pytest.warns(UserWarning, match="LinearRegression"):
        Lasso(0.0).fit(X[:, :2], y)


SCRIPT = """
import hashlib
import numpy as np
from ml_core.models.lasso import Lasso
rng = np.random.default_rng(0)
parts = []
for shape in ((9000, 60), (60, 2600)):
    X = rng.normal(size=shape); y = X[:, :5].sum(axis=1) + rng.normal(size=len(X))
    parts.append(Lasso(0.05).fit(X, y).coef_)
print(hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest())
"""


def test_same_bits_at_one_and_two_threads():
    found = set()
    for count in "12":
        threads = {name: count for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | threads,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1
