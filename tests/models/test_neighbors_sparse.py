import pickle

import numpy as np
import pytest
import sklearn.neighbors as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix, random_array, vstack
from sklearn.model_selection import KFold

from ml_core.models import neighborhood
from ml_core.models.neighbors import KNeighborsClassifier, KNeighborsRegressor


@pytest.fixture(params=["as it is", "filled in"])
def room(request, monkeypatch):
    """Whether a sparse X is too large to fill in."""
    if request.param == "as it is":
        monkeypatch.setattr(neighborhood, "FILL", 500)


def rows(n, dtype=np.float64, seed=0):
    X = random_array((n, 60), density=0.1, format="csr", rng=seed + n, dtype=dtype)
    return X, np.asarray(X.sum(axis=1)).ravel() + np.random.default_rng(n).normal(size=n)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "l2", "minkowski", "manhattan", "cosine"])
def test_sparse_rows_give_what_scikit_learns_brute_force_gives(metric, weights, dtype, room):
    X, y = rows(400, dtype)
    Q, _ = rows(70, dtype)
    X, Q = X[np.diff(X.indptr) > 0], Q[np.diff(Q.indptr) > 0]
    y = y[: X.shape[0]]
    for made, target in ((KNeighborsRegressor, y), (KNeighborsClassifier, y > 3)):
        ours = made(4, metric=metric, weights=weights).fit(X, target)
        twin = getattr(peer, made.__name__)
        theirs = twin(4, metric=metric, weights=weights, algorithm="brute").fit(X, target)
        for found, expected in zip(ours.kneighbors(Q), theirs.kneighbors(Q), strict=True):
            assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-9)
        assert_allclose(ours.predict(Q), theirs.predict(Q), rtol=1e-5 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
@pytest.mark.parametrize("kind", [csr_array, csr_matrix, lambda X: X.tocsc(), lambda X: X.tocoo()])
def test_every_mix_of_sparse_and_filled_in_rows_gives_the_same_bits(metric, kind, room):
    (X, y), (Q, _) = rows(300), rows(50)
    model = KNeighborsRegressor(5, metric=metric, weights="distance")
    truth = model.fit(X.toarray(), y).kneighbors(Q.toarray())
    itself = model.kneighbors()
    for points in (X.toarray(), kind(X)):
        model.fit(points, y)
        for queries in (Q.toarray(), kind(Q)):
            for found, expected in zip(model.kneighbors(queries), truth, strict=True):
                assert_array_equal(found, expected)
        for found, expected in zip(model.kneighbors(), itself, strict=True):
            assert_array_equal(found, expected)


def test_equal_rows_come_in_order_and_empty_rows_count(room):
    X = csr_array(np.tile(np.eye(3, 40), (30, 1)))
    model = KNeighborsRegressor(3).fit(X, np.arange(90.0))
    assert_array_equal(model.kneighbors(X[[1]], return_distance=False), [[1, 4, 7]])
    assert_allclose(model.predict(csr_array((1, 40))), [1])


def test_empty_rows_have_no_direction(room):
    (X, y), empty = rows(50), csr_array((1, 60))
    X = vstack([X, empty], format="csr")
    ours, theirs = (
        made(51, metric="cosine", algorithm="brute").fit(X, np.append(y, 0))
        for made in (KNeighborsRegressor, peer.KNeighborsRegressor)
    )
    Q = vstack([rows(9)[0], empty], format="csr")
    found = ours.kneighbors(Q)
    assert_allclose(found[0], theirs.kneighbors(Q)[0], atol=1e-15)
    assert_array_equal(found[0][-1], np.ones(51))
    assert_array_equal(found[1][-1], np.arange(51))


def test_a_graph_of_distances():
    (X, y), (Q, _) = rows(80), rows(9)
    searched = peer.NearestNeighbors(n_neighbors=20).fit(X.toarray())
    graph = searched.kneighbors_graph(X.toarray(), mode="distance")
    asked = searched.kneighbors_graph(Q.toarray(), mode="distance")
    ours, theirs = (
        made(5, metric="precomputed").fit(graph, y)
        for made in (KNeighborsRegressor, peer.KNeighborsRegressor)
    )
    assert_allclose(ours.predict(asked), theirs.predict(asked))
    assert_allclose(ours.predict(None), theirs.predict(None))
    with pytest.raises(ValueError, match="21 neighbors per samples are required"):
        ours.kneighbors(asked, 21)
    with pytest.raises(ValueError, match="Negative values"):
        ours.predict(-asked)


def test_a_grid_of_sparse_rows_equals_one_fit_at_a_time(room):
    X, y = rows(150)
    folds = list(KFold(3).split(y))
    grid = [{"n_neighbors": k, "weights": w} for k in (1, 6) for w in ("uniform", "distance")]
    grid += [{"p": 1}]
    for found, candidate in zip(KNeighborsRegressor().score_many(X, y, grid, folds), grid, strict=True):
        for score, (train, test) in zip(found, folds, strict=True):
            alone = KNeighborsRegressor(**candidate).fit(X[train], y[train])
            assert score == alone.score(X[test], y[test])


def test_a_tree_is_refused_kindly_and_copies_predict_alike(room):
    from skops.io import dumps, get_untrusted_types, loads

    (X, y), (Q, _) = rows(100), rows(20)
    with pytest.warns(UserWarning, match="cannot use tree with sparse input"):
        model = KNeighborsRegressor(algorithm="kd_tree").fit(X, y)
    assert model._fit_method == "brute"
    text = dumps(model)
    for copy in (pickle.loads(pickle.dumps(model)), loads(text, trusted=get_untrusted_types(data=text))):
        assert_array_equal(copy.predict(Q), model.predict(Q))


def test_bad_cells_of_sparse_rows_are_refused():
    X, y = rows(30)
    bad = X.copy()
    bad.data[3] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        KNeighborsRegressor().fit(bad, y)
    with pytest.raises(ValueError, match="contains NaN"):
        KNeighborsRegressor().fit(X, y).predict(bad)
    with pytest.raises(ValueError, match="n_neighbors = 31, n_samples_fit = 30, n_samples = 30"):
        KNeighborsRegressor().fit(X, y).kneighbors(X, 31)
