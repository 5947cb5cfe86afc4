import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.base import clone

from ml_core.models.bayes import GaussianNB
from ml_core.models.cluster import KMeans
from ml_core.models.linear import LinearRegression, Ridge
from ml_core.models.minibatch import MiniBatchKMeans

MODELS = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    LinearRegression(positive=True),
    Ridge(),
    Ridge(alpha=0.0),
    Ridge(alpha=30.0, fit_intercept=False),
    Ridge(positive=True),
]


def rows(n=900, d=6, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 10 * rng.normal(size=d)
    return (
        X,
        X @ rng.normal(size=(d, t) if t else d) + rng.normal(size=(n, t) if t else n),
        rng.integers(0, 3, n),
    )


def agree(ours, whole, **near):
    near = near or {"rtol": 1e-9, "atol": 1e-10}
    assert ours.coef_.shape == whole.coef_.shape
    assert_allclose(ours.coef_, whole.coef_, **near)
    assert_allclose(ours.intercept_, whole.intercept_, **near)


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("t", [None, 1, 2])
def test_chunks_of_any_size_are_one_fit(model, t):
    X, y, weight = rows(t=t)
    for w in (None, weight):
        ours = clone(model)
        for cut in np.split(np.arange(len(y)), [9, 20, 700]):
            ours.partial_fit(X[cut], y[cut], None if w is None else w[cut])
        agree(ours, clone(model).fit(X, y, w))
        assert ours.n_samples_seen_ == len(y)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_parquet_file_read_in_batches_is_one_fit(model, tmp_path):
    X, y, _ = rows(2000)
    frame = {f"c{i}": column for i, column in enumerate(X.T)} | {"target": y}
    pq.write_table(pa.table(frame), tmp_path / "rows.parquet", row_group_size=300)
    ours = clone(model)
    for batch in pq.ParquetFile(tmp_path / "rows.parquet").iter_batches(batch_size=256):
        part = batch.to_pandas()
        ours.partial_fit(part.drop(columns="target").to_numpy(), part["target"].to_numpy())
    agree(ours, clone(model).fit(X, y))


def test_sparse_chunks():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(400, 30)) * (rng.random((400, 30)) < 0.05), rng.normal(size=400)
    for model in (Ridge(), LinearRegression()):
        ours = clone(model)
        for cut in np.split(np.arange(400), 4):
            ours.partial_fit(csr_array(X[cut]), y[cut])
        agree(ours, clone(model).fit(X, y))


def test_dependent_columns_take_the_shortest_answer():
    X, y, _ = rows()
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    for model in (LinearRegression(), Ridge(alpha=0.0)):
        ours = clone(model)
        for cut in np.split(np.arange(len(y)), 3):
            ours.partial_fit(X[cut], y[cut])
        agree(ours, clone(model).fit(X, y), rtol=1e-6, atol=1e-6)
    assert LinearRegression().partial_fit(X, y).rank_ == 6


def test_fit_starts_anew_and_so_does_the_next_chunk():
    X, y, _ = rows()
    model = Ridge().partial_fit(X, y).fit(X[:50], y[:50])
    assert not hasattr(model, "n_samples_seen_")
    agree(model.partial_fit(X[50:99], y[50:99]), Ridge().fit(X[50:99], y[50:99]))


def test_bad_chunks_leave_the_sums_alone():
    X, y, _ = rows()
    model = Ridge().partial_fit(X[:500], y[:500])
    spoilt = X[500:].copy()
    spoilt[3, 2] = np.nan
    for bad, target, message in [
        (spoilt, y[500:], "Input X contains NaN"),
        (X[500:, :2], y[500:], "expecting 6 features"),
        (X[500:], np.c_[y, y][500:], "2 targets, but the chunks before had 1"),
        (X[500:] * 1e200, y[500:], "overflow; scale"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(bad, target)
    agree(model.partial_fit(X[500:], y[500:]), Ridge().fit(X, y))


@pytest.mark.parametrize(
    "model", [LinearRegression(), Ridge(), GaussianNB(), MiniBatchKMeans(3, random_state=0)], ids=str
)
def test_a_file_larger_than_the_room_there_is_is_learned_a_part_at_a_time(model, tmp_path):
    """What learning holds at once does not grow with the file, a fiftieth of which is a batch."""
    n, d, path = 200_000, 8, tmp_path / "rows.parquet"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + 9 * rng.integers(0, 3, n)[:, None]
    y = (X[:, 0] > 9).astype(float)
    pq.write_table(pa.table({f"c{i}": column for i, column in enumerate(X.T)} | {"y": y}), path)
    ours, more = clone(model), {"classes": [0.0, 1.0]} if isinstance(model, GaussianNB) else {}
    tracemalloc.start()
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=n // 50):
            whole = np.column_stack([column.to_numpy() for column in batch.columns])
            ours.partial_fit(whole[:, :d], whole[:, d], **more)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < X.nbytes / 4
    if isinstance(model, MiniBatchKMeans):
        assert -ours.score(X) <= 1.01 * KMeans(3, random_state=0).fit(X).inertia_
    elif isinstance(model, GaussianNB):
        assert_allclose(ours.theta_, clone(model).fit(X, y).theta_, rtol=1e-9)
        assert_allclose(ours.var_, clone(model).fit(X, y).var_, rtol=1e-9)
    else:
        agree(ours, clone(model).fit(X, y))
