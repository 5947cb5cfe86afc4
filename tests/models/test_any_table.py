"""Neighbours, vector machines and k-means on tables of any shape, scale and rank: laws, and slow twins."""

import numpy as np
import pytest
import sklearn.svm as peer
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ml_core.models.cluster import KMeans
from ml_core.models.neighbors import KNeighborsClassifier, KNeighborsRegressor
from ml_core.models.svm import SVC

SEEDS, SCALES = st.integers(0, 2**20), st.sampled_from([1e-8, 1.0, 1e8])


def table(seed, scale, least=4):
    """X (n, d), now and then with dependent or constant columns or rows that repeat, and a generator."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers([least, 1], [50, 6])
    X = rng.normal(size=(n, d))
    if d > 2 and rng.random() < 0.3:
        X[:, 0] = X[:, 1] + X[:, 2]
    if rng.random() < 0.3:
        X[:, -1] = 3.0
    if rng.random() < 0.3:
        X[n // 2 :] = X[: n - n // 2]
    return X * scale, rng


@settings(max_examples=40, deadline=None)
@given(SEEDS, SCALES, st.sampled_from(["uniform", "distance"]))
def test_neighbours_are_the_nearest_and_answer_with_their_targets(seed, scale, weights):
    X, rng = table(seed, scale)
    Q = X[::2] + 0.1 * scale * rng.normal(size=X[::2].shape)
    y, k = rng.normal(size=len(X)), int(rng.integers(1, 4))
    model = KNeighborsRegressor(k, weights=weights).fit(X, y)
    distance, index = model.kneighbors(Q)
    far = np.sqrt(((Q[:, None] - X) ** 2).sum(axis=2))
    assert_allclose(distance, np.sort(far, axis=1)[:, :k], rtol=1e-9)
    assert_allclose(np.take_along_axis(far, index, axis=1), distance, rtol=1e-9)
    share = np.ones_like(distance) if weights == "uniform" else 1 / np.maximum(distance, 1e-300)
    assert_allclose(
        model.predict(Q), (share * y[index]).sum(axis=1) / share.sum(axis=1), rtol=1e-9, atol=1e-12
    )
    labels = np.arange(len(X)) % 3
    votes = KNeighborsClassifier(k, weights=weights).fit(X, labels).predict_proba(Q)
    assert_allclose(votes.sum(axis=1), 1)
    wanted = np.stack([(share * (labels[index] == c)).sum(axis=1) for c in range(3)], axis=1)
    assert_allclose(votes, wanted / share.sum(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SCALES)
def test_clusters_are_of_the_nearest_center_and_follow_the_scale(seed, scale):
    X, rng = table(seed, scale)
    distinct = len(np.unique(X, axis=0))
    k = int(rng.integers(1, min(4, distinct) + 1))
    first = X[np.sort(np.unique(X, axis=0, return_index=True)[1])[:k]]
    weight = rng.integers(0, 3, len(X)).astype(float)
    weight[:k] = 1
    model = KMeans(k, init=first, n_init=1, tol=0.0).fit(X, sample_weight=weight)
    far = ((X[:, None] - model.cluster_centers_) ** 2).sum(axis=2)
    own = np.take_along_axis(far, model.labels_[:, None], axis=1)[:, 0]
    assert_allclose(own, far.min(axis=1), rtol=1e-9, atol=1e-12 * scale**2)
    assert_allclose(model.inertia_, own @ weight, rtol=1e-9, atol=1e-12 * scale**2)
    for j in np.unique(model.labels_[weight > 0]):
        some = model.labels_ == j
        mean = weight[some] @ X[some] / weight[some].sum()
        assert_allclose(model.cluster_centers_[j], mean, rtol=1e-7, atol=1e-9 * scale)
    twice = KMeans(k, init=2 * first, n_init=1, tol=0.0).fit(2 * X, sample_weight=weight)
    assert_array_equal(twice.labels_, model.labels_)
    assert_allclose(twice.cluster_centers_, 2 * model.cluster_centers_, rtol=1e-12)


def dual(model, X):
    """What a fitted binary machine has maximized: the sum of |a| less half of a K a."""
    support, a = X[model.support_], model.dual_coef_[0]
    gamma = 1 / (X.shape[1] * X.var()) if X.var() > 0 else 1.0
    K = np.exp(-gamma * ((support[:, None] - support) ** 2).sum(axis=2))
    return np.abs(a).sum() - a @ K @ a / 2


@settings(max_examples=40, deadline=None)
@given(SEEDS, SCALES, st.sampled_from([0.1, 1.0, 30.0]))
def test_a_machine_is_feasible_and_no_worse_than_scikit_learns(seed, scale, C):
    X, rng = table(seed, scale, least=8)
    y = (X[:, 0] + 0.5 * scale * rng.normal(size=len(X)) > np.median(X[:, 0])).astype(int)
    y[:2] = 0, 1
    ours, theirs = (kind(C=C, tol=1e-5).fit(X, y) for kind in (SVC, peer.SVC))
    a = ours.dual_coef_[0]
    assert np.abs(a).max() <= C * (1 + 1e-9) and abs(a.sum()) <= 1e-9 * C * len(a)
    best = dual(theirs, X)
    assert dual(ours, X) >= best - 1e-4 * (1 + abs(best))
    weight = np.where(np.arange(len(X)) % 5 == 4, 0.0, 1.0)
    some = weight > 0
    if len(np.unique(y[some])) == 2:
        left_out = SVC(C=C, tol=1e-5).fit(X, y, sample_weight=weight)
        assert set(left_out.support_) <= set(np.flatnonzero(some)), "a row of weight 0 supports nothing"


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="class"):
        SVC().fit(np.arange(6.0)[:, None], np.ones(6))
