import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.neighbors as peer
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.estimator_checks import check_estimator

from ml_core.kernels import nearest
from ml_core.models.neighbors import KNeighborsClassifier, KNeighborsRegressor, weighted_median

ROOT = Path(__file__).parents[2]
ABALONE = ROOT / "../shared/data/abalone.csv"


@pytest.mark.parametrize(
    "model", [KNeighborsClassifier(), KNeighborsRegressor(aggregate="median", weights="distance")]
)
def test_scikit_learns_own_checks(model):
    check_estimator(model, on_skip=None)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_digits])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_classifier_equals_scikit_learns(load, weights):
    X, y = load(return_X_y=True)
    X = (
        X + np.random.default_rng(0).uniform(size=X.shape) * 1e-3
    )  # no ties: scikit-learn breaks them its own way
    train, test = next(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    ours = KNeighborsClassifier(7, weights=weights).fit(X[train], y[train])
    theirs = peer.KNeighborsClassifier(7, weights=weights).fit(X[train], y[train])
    for mine, other in zip(ours.kneighbors(X[test]), theirs.kneighbors(X[test]), strict=True):
        assert_allclose(mine, other, rtol=1e-7)
    assert_array_equal(ours.predict(X[test]), theirs.predict(X[test]))
    assert_allclose(ours.predict_proba(X[test]), theirs.predict_proba(X[test]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "cosine", "minkowski"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_regressor_equals_scikit_learns_in_every_metric(metric, weights):
    X, y = load_diabetes(return_X_y=True)
    X = X + np.random.default_rng(0).uniform(size=X.shape) * 1e-3  # no ties
    p = 3 if metric == "minkowski" else 2
    ours = KNeighborsRegressor(4, weights=weights, metric=metric, p=p).fit(X[:300], y[:300])
    theirs = peer.KNeighborsRegressor(4, weights=weights, metric=metric, p=p).fit(X[:300], y[:300])
    assert_allclose(ours.predict(X[300:]), theirs.predict(X[300:]), rtol=1e-9)
    assert_allclose(ours.kneighbors(X[300:])[0], theirs.kneighbors(X[300:])[0], rtol=1e-9)


@pytest.mark.skipif(not ABALONE.exists(), reason="../shared/data/abalone.csv is not here")
def test_abalone_equals_scikit_learn():
    X = np.genfromtxt(ABALONE, delimiter=",", skip_header=1, usecols=range(1, 9))
    X, y = X[:, :7] + np.random.default_rng(0).uniform(size=(len(X), 7)) * 1e-6, X[:, 7]
    ours, theirs = (
        made(8).fit(X[:3000], y[:3000]) for made in (KNeighborsRegressor, peer.KNeighborsRegressor)
    )
    assert_allclose(ours.predict(X[3000:]), theirs.predict(X[3000:]))


def test_zero_rows_have_no_direction():
    X = np.array([[0.0, 0], [1, 0], [0, 2], [3, 3]])
    ours, theirs = (
        made(4, metric="cosine", algorithm="brute").fit(X, X[:, 0])
        for made in (KNeighborsRegressor, peer.KNeighborsRegressor)
    )
    Q = np.array([[0.0, 0], [5, 0], [1, 1.5]])
    assert_allclose(ours.kneighbors(Q)[0], theirs.kneighbors(Q)[0], atol=1e-15)


def test_precomputed_distances():
    X, y = load_iris(return_X_y=True)
    D = np.abs(X[:, None] - X[None]).sum(axis=2)
    ours = KNeighborsClassifier(3, metric="precomputed").fit(D[::2, ::2], y[::2])
    plain = KNeighborsClassifier(3, metric="manhattan").fit(X[::2], y[::2])
    assert_array_equal(ours.predict(D[1::2, ::2]), plain.predict(X[1::2]))
    with pytest.raises(ValueError, match="Negative values"):
        ours.predict(-D[:, ::2])
    with pytest.raises(ValueError, match="must be square"):
        ours.fit(D[:9, :5], y[:9])


def test_neighbours_of_the_points_themselves_leave_each_out():
    X = np.array([[0.0], [0], [0], [1], [5]])
    model = KNeighborsRegressor(2).fit(X, X[:, 0])
    assert_array_equal(model.kneighbors(return_distance=False), [[1, 2], [0, 2], [0, 1], [0, 1], [3, 0]])
    assert_array_equal(model.kneighbors_graph(mode="distance").toarray()[4], [5, 0, 0, 4, 0])
    assert model.kneighbors_graph(X, 1).sum() == 5
    assert_allclose(model.predict(None), [0, 0, 0, 0, 0.5])


def test_several_targets():
    X, y = load_iris(return_X_y=True)
    Y = np.column_stack([y, y == 1, X[:, 0] > 5])
    ours, theirs = (
        made(5, weights="distance").fit(X[::2], Y[::2])
        for made in (KNeighborsClassifier, peer.KNeighborsClassifier)
    )
    assert_array_equal(ours.predict(X[1::2]), theirs.predict(X[1::2]))
    for mine, other in zip(ours.predict_proba(X[1::2]), theirs.predict_proba(X[1::2]), strict=True):
        assert_allclose(mine, other)
    line = KNeighborsRegressor(4, aggregate="median", weights="distance").fit(X[::2], X[::2])
    each = [clone(line).fit(X[::2], column).predict(X[1::2]) for column in X[::2].T]
    assert_array_equal(line.predict(X[1::2]), np.column_stack(each))


def test_the_median_survives_an_outlier_and_the_mean_does_not():
    X = np.arange(50.0)[:, None]
    y = X[:, 0].copy()
    y[20] = 1e6
    mean, median = (
        KNeighborsRegressor(5, aggregate=name).fit(X, y).predict([[20.0]])[0] for name in ("mean", "median")
    )
    assert mean > 1e5 and median == 21


@pytest.mark.parametrize("k", [1, 2, 5, 6])
@pytest.mark.parametrize("weight", [0.1, 1.0, 1 / 3])
def test_equal_weights_give_the_plain_median(k, weight):
    values = np.random.default_rng(k).normal(size=(40, k))
    assert_allclose(weighted_median(values, np.full((40, k), weight)), np.median(values, axis=1), rtol=1e-14)


def test_weights_are_repetition_for_the_median():
    values = np.array([[3.0, 1, 2]])
    assert weighted_median(values, np.array([[3.0, 1, 1]])) == np.median([3, 3, 3, 1, 2])
    assert weighted_median(values, np.array([[2.0, 1, 1]])) == np.median([3, 3, 1, 2])


def test_order_of_columns_rows_and_shifts_do_not_matter():
    rng = np.random.default_rng(0)
    X, y, Q = rng.normal(size=(80, 4)), rng.normal(size=80), rng.normal(size=(20, 4))
    predict = KNeighborsRegressor(3, aggregate="median").fit(X, y).predict(Q)
    order = rng.permutation(80)
    assert_array_equal(KNeighborsRegressor(3, aggregate="median").fit(X[order], y[order]).predict(Q), predict)
    columns = [2, 0, 3, 1]
    turned = KNeighborsRegressor(3, aggregate="median").fit(X[:, columns], y).predict(Q[:, columns])
    assert_array_equal(turned, predict)
    moved = KNeighborsRegressor(3, aggregate="median").fit(4 * X + 1, y).predict(4 * Q + 1)
    assert_array_equal(moved, predict)


GRID = [
    {"n_neighbors": k, "weights": weights, "p": p}
    for k in (1, 3, 10)
    for weights in ("uniform", "distance")
    for p in (1, 2)
]


@pytest.mark.parametrize("scorer", [None, "accuracy", "neg_log_loss", "roc_auc_ovr"])
def test_a_grid_equals_one_fit_at_a_time(scorer):
    X, y = load_iris(return_X_y=True)
    folds = list(StratifiedKFold(4).split(X, y))
    one_by_one(KNeighborsClassifier(), X, y, GRID, folds, scorer)


@pytest.mark.parametrize("scorer", ["r2", "neg_median_absolute_error"])
def test_a_grid_of_regressors_equals_one_fit_at_a_time(scorer):
    X, y = load_diabetes(return_X_y=True)
    grid = [candidate | {"aggregate": name} for candidate in GRID for name in ("mean", "median")]
    one_by_one(KNeighborsRegressor(), X, y, grid, list(KFold(3).split(X)), scorer)


def one_by_one(model, X, y, grid, folds, scorer):
    from sklearn.metrics import check_scoring

    many = model.score_many(X, y, grid, folds, scorer)
    for row, candidate in zip(many, grid, strict=True):
        for score, (train, test) in zip(row, folds, strict=True):
            single = clone(model).set_params(**candidate).fit(X[train], y[train])
            assert score == check_scoring(single, scorer)(single, X[test], y[test])


def test_a_candidate_that_cannot_fit_is_nan_and_the_others_stand():
    X, y = load_iris(return_X_y=True)
    folds = list(StratifiedKFold(3).split(X, y))
    with pytest.warns(UserWarning, match="n_neighbors"):
        scores = KNeighborsClassifier().score_many(X, y, [{"n_neighbors": 5}, {"n_neighbors": 101}], folds)
    assert np.isfinite(scores[0]).all() and np.isnan(scores[1]).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_neighbors": 0}, "'n_neighbors' parameter of KNeighborsRegressor must be an int in the range"),
        ({"weights": "far"}, "'weights' parameter"),
        ({"metric": "nan_euclidean"}, "'metric' parameter"),
        ({"metric": lambda a, b: 0.0}, "'metric' parameter"),
        ({"metric_params": {"w": [1, 2, 3, 4]}}, "metric_params=.*not supported"),
        ({"p": -1}, "'p' parameter"),
        ({"aggregate": "mode"}, "'aggregate' parameter"),
    ],
)
def test_parameters_that_are_refused(parameters, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        KNeighborsRegressor(**parameters).fit(X, y)


def test_input_that_is_refused():
    X, y = load_iris(return_X_y=True)
    model = KNeighborsClassifier(5).fit(X, y)
    with pytest.raises(ValueError, match="n_neighbors = 151, n_samples_fit = 150"):
        model.kneighbors(X, 151)
    with pytest.raises(ValueError, match="Expected n_neighbors < n_samples_fit, but n_neighbors = 150"):
        model.kneighbors(n_neighbors=150)
    with pytest.raises(ValueError, match="X has 3 features, but KNeighborsClassifier is expecting 4"):
        model.predict(X[:, :3])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="contains (NaN|infinity)"):
            model.predict(np.where(X[3, 2] == X, bad, X))
    with pytest.raises(ValueError, match="could not convert string to float"):
        KNeighborsClassifier().fit(np.array([["a"], ["b"]]), [0, 1])
    with pytest.raises(Exception, match="not fitted yet"):
        KNeighborsClassifier().predict(X)
    with pytest.raises(ValueError, match="Unknown label type"):
        KNeighborsClassifier().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="zero weights"):
        KNeighborsClassifier(weights=lambda distance: 0 * distance).fit(X, y).predict(X)
    with pytest.raises(ValueError, match="'connectivity' or 'distance'"):
        model.kneighbors_graph(X, mode="near")


def test_a_tree_grown_at_fit_travels_with_the_model(monkeypatch):
    monkeypatch.setattr(nearest, "SMALL_LOADED", 0)
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(3000, 3)).astype(np.float32), rng.normal(size=(50, 3))
    model = KNeighborsRegressor(4, algorithm="kd_tree").fit(X, X[:, 0])
    assert model._fit_method == "kd_tree"
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(Q), KNeighborsRegressor(4, algorithm="brute").fit(X, X[:, 0]).predict(Q))


def test_skops_keeps_it():
    from skops.io import dumps, get_untrusted_types, loads

    X, y = load_iris(return_X_y=True)
    model = KNeighborsClassifier().fit(X, y)
    text = dumps(model)
    trusted = get_untrusted_types(data=text)
    assert all(name.startswith("ml_core.models.") for name in trusted)
    assert_array_equal(loads(text, trusted=trusted).predict(X), model.predict(X))


SCRIPT = """
import sys, hashlib
import numpy as np
from ml_core.kernels import nearest
from ml_core.models.neighbors import KNeighborsRegressor
digest = hashlib.sha256()
rng = np.random.default_rng(0)
for d, limit in ((3, 0), (20, 0), (20, 1e12)):
    nearest.SMALL = nearest.SMALL_LOADED = limit
    X = rng.normal(size=(6000, d))
    model = KNeighborsRegressor(5, weights="distance").fit(X, X[:, 0])
    for part in (*model.kneighbors(X[:5000] + 0.1), model.predict(X[:5000] + 0.1)):
        digest.update(part.tobytes())
print(digest.hexdigest())
"""


def test_the_same_bits_at_one_and_two_threads():
    seen = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, env=os.environ | dict.fromkeys(names, threads),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        seen.add(done.stdout)
    assert len(seen) == 1


def test_small_input_waits_for_no_compiler():
    script = (
        "import sys; from sklearn.datasets import load_breast_cancer as load;"
        "from ml_core.models.neighbors import KNeighborsClassifier as K;"
        "X, y = load(return_X_y=True); K().fit(X, y).predict(X); print('numba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
