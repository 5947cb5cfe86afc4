import pickle
from pathlib import Path

import numpy as np
import pytest
import sklearn.cluster as peer
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from ml_core.kernels import lloyd
from ml_core.models.cluster import KMeans, TrimmedKMeans
from ml_core.models.minibatch import MiniBatchKMeans

ROOT = Path(__file__).parents[2]
ABALONE = ROOT / "../shared/data/abalone.csv"
WEIGHTS = "rows are drawn: a weight of 2 is not a row twice (scikit-learn excuses its own)"


@pytest.fixture(params=["numpy", "compiled"])
def path(request, monkeypatch):
    """Both ways to hold the rows."""
    monkeypatch.setattr(lloyd, "LARGE", {"numpy": np.inf, "compiled": -1}[request.param])


@pytest.mark.parametrize("model", [TrimmedKMeans(trim=0.1), MiniBatchKMeans()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_own_checks(model):
    names = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]
    check_estimator(model, on_skip=None, expected_failed_checks=dict.fromkeys(names, WEIGHTS))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_from_the_same_start_it_ends_where_scikit_learn_does(load, dtype, path):
    X = load().data.astype(dtype)
    X = X + np.random.default_rng(0).uniform(size=X.shape).astype(dtype) * 1e-2
    weight = np.random.default_rng(1).uniform(0, 2, size=len(X))
    start = X[:: len(X) // 9][:9]
    for more in ({}, {"tol": 0.0}, {"max_iter": 3}):
        ours, theirs = (
            made(9, init=start, n_init=1, **more).fit(X, sample_weight=weight)
            for made in (KMeans, peer.KMeans)
        )
        near = {"rtol": 1e-9 if dtype == np.float64 else 1e-4}
        assert_allclose(ours.inertia_, theirs.inertia_, **near)
        assert ours.cluster_centers_.dtype == dtype
        if dtype == np.float64:
            assert_array_equal(ours.labels_, theirs.labels_)
            assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-9, atol=1e-9)
            assert ours.n_iter_ == theirs.n_iter_
        assert_array_equal(ours.predict(X), ours.labels_)
        assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-4)
        assert_allclose(ours.score(X, sample_weight=weight), -ours.inertia_, rtol=1e-9)
        assert_allclose(-ours.score_samples(X), ours.transform(X).min(axis=1), rtol=1e-5)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_starts_of_its_own_are_no_worse_than_scikit_learns(init, path):
    X = make_blobs(700, 4, centers=12, cluster_std=2.0, random_state=0)[0]
    ours, theirs = (
        [made(12, init=init, n_init=2, random_state=seed).fit(X).inertia_ for seed in range(25)]
        for made in (KMeans, peer.KMeans)
    )
    noise = np.hypot(np.std(ours), np.std(theirs)) / 5
    assert np.mean(ours) <= np.mean(theirs) + 2.5 * noise


@pytest.mark.skipif(not ABALONE.exists(), reason="../shared/data/abalone.csv is not here")
def test_abalone_equals_scikit_learn():
    X = np.genfromtxt(ABALONE, delimiter=",", skip_header=1, usecols=range(1, 8))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    ours, theirs = (made(6, init=X[:6], n_init=1, tol=0).fit(X) for made in (KMeans, peer.KMeans))
    assert_allclose(ours.inertia_, theirs.inertia_, rtol=1e-9)


def test_weights_are_repetition_and_nought_is_absence(path):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(400, 3)), rng.integers(0, 4, size=400)
    start = X[weight > 0][:5]
    weighted = KMeans(5, init=start).fit(X, sample_weight=weight)
    repeated = KMeans(5, init=start).fit(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.inertia_, repeated.inertia_, rtol=1e-2)
    exact = [
        KMeans(5, init=start, tol=0).fit(*rows)
        for rows in ((X, None, weight), (np.repeat(X, weight, axis=0),))
    ]
    assert_allclose(exact[0].cluster_centers_, exact[1].cluster_centers_, rtol=1e-9)


def test_order_shift_and_scale_do_not_matter(path):
    rng = np.random.default_rng(0)
    X, start = rng.normal(size=(600, 3)), rng.normal(size=(4, 3))
    plain = KMeans(4, init=start).fit(X)
    order = rng.permutation(600)
    turned = KMeans(4, init=start[:, ::-1]).fit(X[order, ::-1])
    assert_array_equal(turned.labels_, plain.labels_[order])
    moved = KMeans(4, init=8 * start + 100).fit(8 * X + 100)
    assert_array_equal(moved.labels_, plain.labels_)
    assert_allclose(moved.inertia_, 64 * plain.inertia_, rtol=1e-9)


def test_trimmed_centers_survive_outliers(path):
    rng = np.random.default_rng(0)
    X, y = make_blobs(900, 3, centers=4, cluster_std=0.8, random_state=3)
    bad = np.concatenate([X, rng.uniform(-1, 1, size=(60, 3)) * 1e3])
    plain, trimmed = (
        model.fit(bad)
        for model in (KMeans(4, n_init=5, random_state=0), TrimmedKMeans(4, trim=0.07, random_state=0))
    )
    assert adjusted_rand_score(y, plain.labels_[:900]) < 0.7
    assert adjusted_rand_score(y, trimmed.labels_[:900]) > 0.98
    assert trimmed.outliers_[900:].all() and trimmed.outliers_.sum() == int(0.07 * 960)
    kept = trimmed.transform(bad).min(axis=1)[~trimmed.outliers_]
    assert_allclose(trimmed.inertia_, (kept**2).sum(), rtol=1e-9)
    truth = np.arange(960) >= 900
    assert roc_auc_score(truth, -trimmed.score_samples(bad)) > 0.999
    assert_array_equal(trimmed.score_samples(bad) < trimmed.offset_, trimmed.outliers_)
    assert_allclose(trimmed.score(bad), -trimmed.inertia_, rtol=1e-9)
    assert not hasattr(plain, "outliers_")


def test_a_trim_of_nothing_changes_nothing(path):
    X = make_blobs(300, 2, centers=3, random_state=0)[0]
    start = X[:3]
    whole = KMeans(3, init=start).fit(X)
    none, tiny = (TrimmedKMeans(3, init=start, trim=trim).fit(X) for trim in (0.0, 1e-9))
    assert_array_equal(none.cluster_centers_, whole.cluster_centers_)
    assert_allclose(tiny.cluster_centers_, none.cluster_centers_, rtol=1e-12)
    assert not tiny.outliers_.any()


GRID = [
    {"n_clusters": k, "init": init, "n_init": n}
    for k in (2, 3, 7)
    for init in ("k-means++", "random")
    for n in (1, 3)
]


GRID += [{"n_clusters": 3, "random_state": 5}, {"n_clusters": 5, "tol": 0.0}, {"max_iter": 2}]


@pytest.mark.parametrize("scorer", [None, "silhouette"])
def test_a_grid_equals_one_fit_at_a_time_bit_for_bit(scorer, path):
    from sklearn.metrics import silhouette_score

    if scorer:

        def scorer(fitted, X, y=None):
            return silhouette_score(X, fitted.predict(X))

    X = load_digits().data[:700, 8:40]
    folds, model = list(KFold(3).split(X)), KMeans(random_state=0)
    many = model.score_many(X, None, GRID, folds, scorer)
    for row, candidate in zip(many, GRID, strict=True):
        for score, (train, test) in zip(row, folds, strict=True):
            single = clone(model).set_params(**candidate).fit(X[train])
            assert score == (scorer or (lambda fitted, X: fitted.score(X)))(single, X[test])


def test_a_candidate_that_cannot_fit_is_nan_and_the_others_stand():
    X = load_iris().data
    grid = [{"n_clusters": 101}, {"n_clusters": 4}, {"n_clusters": -1}]
    with pytest.warns(UserWarning, match=r"n_clusters': 101.*n_samples=100 should be >= n_clusters=101"):
        scores = KMeans(random_state=0).score_many(X, None, grid, list(KFold(3).split(X)))
    assert np.isfinite(scores[1]).all() and np.isnan(scores[[0, 2]]).all()


def test_bic_finds_the_number_of_clusters():
    X = make_blobs(1200, 3, centers=5, cluster_std=0.7, random_state=4)[0]
    found = {k: KMeans(k, n_init=5, random_state=0).fit(X).bic(X) for k in range(2, 10)}
    assert min(found, key=found.get) == 5


def test_equal_points_warn_and_do_not_fail(path):
    X = np.repeat([[1.0, 2], [3, 4]], 20, axis=0)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(2\) found smaller"):
        model = KMeans(4, random_state=0).fit(X)
    assert model.inertia_ == 0
    with pytest.warns(RuntimeWarning, match="performing only one init"):
        KMeans(2, init=X[[0, -1]], n_init=3).fit(X)


def test_names_copies_and_files():
    from skops.io import dumps, get_untrusted_types, loads

    X = load_iris().data
    model = KMeans(3, random_state=0).set_output(transform="pandas").fit(X)
    assert list(model.get_feature_names_out()) == ["kmeans0", "kmeans1", "kmeans2"]
    assert list(model.transform(X).columns) == ["kmeans0", "kmeans1", "kmeans2"]
    text = dumps(model)
    for again in (pickle.loads(pickle.dumps(model)), loads(text, trusted=get_untrusted_types(data=text))):
        assert_array_equal(again.predict(X), model.labels_)


def test_a_grid_that_has_little_room_is_fitted_in_parts_and_scores_the_same(monkeypatch):
    from ml_core.models import kmeans_path

    X = np.random.default_rng(0).normal(size=(300, 4))
    folds = list(KFold(3).split(X))
    candidates = [{"n_clusters": k, "n_init": 2} for k in range(2, 9)]
    monkeypatch.setattr(kmeans_path, "TIMES", 100)
    whole, sizes = KMeans(random_state=0).score_many(X, None, candidates, folds), []
    together = kmeans_path.fit_together
    monkeypatch.setattr(kmeans_path, "ROOM", 3 * 2 * 24 * 200)  # three candidates of two starts on 200 rows

    def seen(models, *rest):
        sizes.append(len(models))
        return together(models, *rest)

    monkeypatch.setattr(kmeans_path, "fit_together", seen)
    assert_array_equal(KMeans(random_state=0).score_many(X, None, candidates, folds), whole)
    assert sizes == 3 * [3, 3, 1]
