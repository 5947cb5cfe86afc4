"""Rows that k-means gets: refused, sparse, in batches, of a file; and what the machine may not change."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs

from ml_core.models import dense
from ml_core.models.cluster import KMeans, TrimmedKMeans
from ml_core.models.minibatch import MiniBatchKMeans

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "'n_clusters' parameter of KMeans must be an int in the range"),
        ({"init": "best"}, "'init' parameter"),
        ({"init": np.zeros((3, 3))}, r"shape of the initial centers \(3, 3\) does not match"),
        ({"n_init": 0}, "'n_init' parameter"),
        ({"algorithm": "full"}, "'algorithm' parameter"),
        ({"n_clusters": 151}, "n_samples=150 should be >= n_clusters=151"),
    ],
)
def test_parameters_that_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        KMeans(**parameters).fit(load_iris().data)


@pytest.mark.parametrize("model", [KMeans(3), MiniBatchKMeans(3)])
def test_input_that_is_refused(model):
    X = load_iris().data
    for bad, message in (
        (np.nan, "NaN"),
        (np.inf, "infinity"),
        (1e200, "squares overflow: scale"),
    ):
        spoilt = X.copy()
        spoilt[3, 2] = bad
        with pytest.raises(ValueError, match=message):
            clone(model).fit(spoilt)
    with pytest.raises(ValueError, match="could not convert string to float"):
        clone(model).fit([["a"], ["b"]])
    with pytest.raises(ValueError, match=r"sample_weight must be >= 0, got -1 in row 0"):
        clone(model).fit(X, sample_weight=-np.ones(150))
    with pytest.raises(ValueError, match="at least one non-zero number|zero for every row"):
        clone(model).fit(X, sample_weight=np.zeros(150))
    with pytest.raises(Exception, match="not fitted yet"):
        clone(model).predict(X)
    with pytest.raises(ValueError, match="X has 3 features, but"):
        clone(model).fit(X).predict(X[:, :3])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_rows_too_many_to_fill_in_give_what_dense_ones_give(dtype, monkeypatch):
    X = make_blobs(500, 30, centers=5, cluster_std=3, random_state=0)[0].astype(dtype)
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.5] = 0
    weight, near = np.random.default_rng(1).uniform(0, 2, size=500), {"rtol": 1e-4, "atol": 1e-4}
    for model in (
        KMeans(5, random_state=0),
        KMeans(5, init="random", random_state=0),
        KMeans(5, init=X[:5] + np.arange(5)[:, None] * dtype(1e3), max_iter=3),
        TrimmedKMeans(4, random_state=0),
        MiniBatchKMeans(4, random_state=0, batch_size=100),
    ):
        monkeypatch.setattr(dense, "MOST", 0)
        thin = clone(model).fit(csr_matrix(X), sample_weight=weight)
        told = [
            getattr(thin, name)(csr_matrix(X)) for name in ("predict", "transform", "score_samples", "bic")
        ]
        parts = MiniBatchKMeans(3, random_state=0).partial_fit(csr_matrix(X[:250])).partial_fit(csr_matrix(X))
        assert parts.n_steps_ == 2 and np.isfinite(parts.inertia_)
        monkeypatch.setattr(dense, "MOST", 1 << 24)
        full = model.fit(X, sample_weight=weight)
        assert_allclose(thin.cluster_centers_, full.cluster_centers_, **near)
        assert_allclose(thin.inertia_, full.inertia_, rtol=1e-4)
        assert thin.cluster_centers_.dtype == dtype and thin.n_iter_ == full.n_iter_
        for mine, name in zip(told, ("predict", "transform", "score_samples", "bic"), strict=True):
            assert_allclose(mine, getattr(full, name)(X), **near)


def test_batches_reach_what_all_rows_reach():
    X = make_blobs(6000, 4, centers=6, random_state=1)[0]
    whole = KMeans(6, n_init=3, random_state=0).fit(X)
    batches = MiniBatchKMeans(6, n_init=3, batch_size=500, random_state=0).fit(X)
    assert batches.inertia_ <= 1.05 * whole.inertia_
    assert_array_equal(batches.predict(X), batches.labels_)
    parts = MiniBatchKMeans(6, random_state=0)
    for _ in range(3):
        for part in np.array_split(X, 12):
            parts.partial_fit(part)
    assert parts.n_steps_ == 36
    assert -parts.score(X) <= 1.1 * whole.inertia_
    again = pickle.loads(pickle.dumps(parts)).partial_fit(X[:500])
    assert_array_equal(again.cluster_centers_, parts.partial_fit(X[:500]).cluster_centers_)


def test_batches_from_a_file_that_is_never_read_whole(tmp_path):
    import tracemalloc

    import polars as pl
    import pyarrow.parquet as pq

    X = make_blobs(60_000, 10, centers=6, random_state=2)[0]
    pl.DataFrame(X).write_parquet(tmp_path / "rows.parquet", row_group_size=4000)
    table, parts = pq.ParquetFile(tmp_path / "rows.parquet"), MiniBatchKMeans(6, random_state=0)
    parts.partial_fit(X[:4000])
    tracemalloc.start()
    for batch in table.iter_batches(batch_size=4000):
        parts.partial_fit(np.column_stack([column.to_numpy() for column in batch]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert parts.n_steps_ == 16 and peak < X.nbytes / 2
    whole = KMeans(6, n_init=5, random_state=0).fit(X)
    far = sum(
        -parts.score(np.column_stack([column.to_numpy() for column in batch]))
        for batch in table.iter_batches(batch_size=4000)
    )
    assert far <= 1.02 * whole.inertia_


def test_the_mean_of_all_batches_is_the_center_of_one_cluster():
    X, weight = np.random.default_rng(0).normal(size=(90, 3)) + 5, np.arange(90) + 1.0
    model = MiniBatchKMeans(1, random_state=0)
    for rows in np.array_split(np.arange(90), 4):
        model.partial_fit(X[rows], sample_weight=weight[rows])
    assert_allclose(model.cluster_centers_[0], np.average(X, axis=0, weights=weight), rtol=1e-12)
    assert MiniBatchKMeans(1, compute_labels=False, tol=0.5).fit(X).n_steps_ < 100


SCRIPT = """
import hashlib
import numpy as np
from ml_core.kernels import lloyd
from ml_core.models import dense
from ml_core.models.cluster import KMeans, TrimmedKMeans
from ml_core.models.minibatch import MiniBatchKMeans
X = np.random.default_rng(0).normal(size=(40000, 6))
digest = hashlib.sha256()
for large, rows in ((-1, X), (1e12, X[:9000])):
    lloyd.LARGE = large
    for model in (KMeans(7, n_init=2), TrimmedKMeans(5, trim=0.05, max_iter=9), MiniBatchKMeans(5)):
        model.set_params(random_state=0)
        model.fit(rows)
        for part in (model.cluster_centers_, model.labels_, model.transform(rows), model.score_samples(rows)):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update(str(model.inertia_).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
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
        "import sys; from sklearn.datasets import load_digits as load;"
        "from ml_core.models.cluster import KMeans as K;"
        "K(random_state=0).fit_predict(load().data); print('numba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
