import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ml_core.kernels import lloyd, seeding
from ml_core.kernels import tiled as tiles
from ml_core.kernels.extent import extent, scale_of
from ml_core.kernels.tiled import Tiled
from ml_core.kernels.tiles import LANES


def held(X, weight, n_threads=1):
    return lloyd.Held(X, weight, extent(X).centre)


def tiled(X, weight, n_threads=1):
    return Tiled(X, weight, extent(X), n_threads)


HOLDERS = [held, tiled]


def label_slowly(X, C):
    """Nearest center by a loop over the columns; the first of equal ones."""
    total = np.zeros((len(X), len(C)))
    for c in range(X.shape[1]):
        total = total + np.subtract.outer(X[:, c].astype(np.float64), C[:, c]) ** 2
    return total.argmin(axis=1), total.min(axis=1)


def lloyd_slowly(X, weight, C, max_iter):
    """Lloyd's algorithm as it stands in the books."""
    C = C.copy()
    for _ in range(max_iter):
        label = label_slowly(X, C)[0]
        for j in range(len(C)):
            if weight[label == j].sum() > 0:
                C[j] = np.average(X[label == j].astype(np.float64), axis=0, weights=weight[label == j])
    return C, *label_slowly(X, C)


def data(seed, n, d, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) * rng.uniform(0.1, 3, size=d) + 7).astype(dtype)
    return X, rng.integers(0, 3, size=n).astype(np.float64) + (np.arange(n) == 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "k"), [(900, 5, 7), (257, 1, 2), (2500, 9, 70), (2000, 33, 20)])
@pytest.mark.parametrize("holder", HOLDERS)
def test_passes_equal_the_books(holder, n, d, k, dtype):
    X, weight = data(n, n, d, dtype)
    start = X[weight > 0][:k].astype(np.float64)
    run = lloyd.Run(start, max_iter=4)
    lloyd.lloyd(holder(X, weight, 1), [run])
    centers, label, far = lloyd_slowly(X, weight, start, 4)
    assert_allclose(run.centers, centers, rtol=1e-12 if dtype == np.float64 else 1e-6)
    if dtype == np.float64:
        assert_array_equal(run.label, label)
        assert_allclose(run.far, far, rtol=1e-9)


def test_labels_are_exact_where_float32_sees_nothing():
    """Two tight, far clusters, and centers that differ in the tenth digit."""
    rng = np.random.default_rng(0)
    X = np.concatenate([1e6 + 1e-3 * rng.normal(size=(700, 3)), -1e6 + 1e-3 * rng.normal(size=(700, 3))])
    C = np.concatenate([X[:5], X[700:705], X[:2]])  # the last two repeat the first two
    for holder in HOLDERS:
        run = lloyd.Run(C.copy())
        holder(X, np.ones(len(X)), 1).sweep([run])
        assert_array_equal(run.label, label_slowly(X, C)[0])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    levels=st.sampled_from([2, 4, 1000]),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@example(seed=3717, levels=2, scale=1e-8)  # centers that were equal a pass before
def test_one_pass_is_exact_whatever_ties(seed, levels, scale):
    """Few levels make ties; the second pass skips rows by their bounds."""
    rng = np.random.default_rng(seed)
    n, d, k = rng.integers([20, 1, 1], [700, 6, 9])
    X = scale * rng.integers(levels, size=(n, d)).astype(float)
    weight = rng.integers(0, 4, size=n) + 0.5
    starts = [X[rng.integers(n, size=k)]]
    starts += [starts[0] + scale * 1e-3 * rng.integers(-1, 2, size=(k, d)), X[rng.integers(n, size=k)]]
    for holder in HOLDERS:
        rows, run = holder(X, weight, 1), lloyd.Run(starts[0])
        for start in starts:
            run.centers = start
            ((sums, mass, _),) = rows.sweep([run])
            label = label_slowly(X, start)[0]
            assert_array_equal(run.label, label)
            assert_allclose(mass, np.bincount(label, weight, k), rtol=1e-12, atol=1e-12)
            means = [((X - rows.centre)[label == j] * weight[label == j, None]).sum(axis=0) for j in range(k)]
            assert_allclose(sums, means, rtol=1e-9, atol=1e-9 * scale * levels * n)


def test_passes_with_skipped_rows_give_the_bits_of_plain_ones():
    for dtype, n, trim in ((np.float64, 40000, 0.0), (np.float32, 6000, 0.0), (np.float64, 6000, 0.1)):
        X, weight = data(3, n, 8, dtype)
        runs = [lloyd.Run(X[weight > 0][:12].astype(float), max_iter=40, trim=trim) for _ in HOLDERS]
        for holder, run in zip(HOLDERS, runs, strict=True):
            lloyd.lloyd(holder(X, weight, 1), [run])
        assert runs[0].n_iter == runs[1].n_iter > 15
        for name in ("label", "centers", "far"):
            assert_array_equal(getattr(runs[0], name), getattr(runs[1], name))  # to the last bit


@pytest.mark.parametrize(("tol", "most"), [(0.0, 300), (1e-3, 300), (0.0, 7), (0.0, 1)])
def test_passes_walked_without_a_way_back_end_where_single_ones_do(tol, most):
    X, weight = data(5, 3000, 2)
    start = np.vstack([X[weight > 0][:9], [X.max(axis=0) + [5, 0], X.max(axis=0) + [5.1, 0]]])  # one starves
    runs = [lloyd.Run(start.copy(), most, tol) for _ in range(2)]
    walked, single = tiled(X, weight), tiled(X, weight)
    single.walk = single.sweep
    for rows, run in zip((walked, single), runs, strict=True):
        lloyd.lloyd(rows, [run])
    assert runs[0].n_iter == runs[1].n_iter and (most == 300) == (runs[0].n_iter < most)
    for name in ("label", "centers", "far"):
        assert_array_equal(getattr(runs[0], name), getattr(runs[1], name))


def test_slabs_are_whole_blocks_and_cover_all_rows():
    for n in (1, 255, 40000, 10**6, 3 * 10**7 + 5):
        cuts = lloyd.slabs(n)
        assert len(cuts) <= lloyd.SLABS + 1 and cuts[-1].stop == n
        assert all(cut.start % LANES == 0 for cut in cuts)


@pytest.mark.parametrize("holder", HOLDERS)
def test_runs_together_equal_runs_alone(holder):
    X, weight = data(4, 1500, 4)
    sizes = (2, 9, 5)
    together = [lloyd.Run(X[weight > 0][:k].copy(), max_iter=20) for k in sizes]
    rows = holder(X, weight, 2)
    lloyd.lloyd(rows, together)
    for k, run in zip(sizes, together, strict=True):
        alone = lloyd.Run(X[weight > 0][:k].copy(), max_iter=20)
        lloyd.lloyd(holder(X, weight, 1), [alone])
        assert_array_equal(run.centers, alone.centers)
        assert_array_equal(run.label, alone.label)


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_empty_cluster_takes_the_farthest_row(holder):
    X = np.array([[0.0], [1.0], [2.0], [50.0], [9.0]])
    run = lloyd.Run(np.array([[1.0], [1e9]]), max_iter=1)
    lloyd.lloyd(holder(X, np.ones(5), 1), [run])
    assert_array_equal(np.sort(run.centers[:, 0]), [3.0, 50.0])
    unweighted = lloyd.Run(np.array([[1.0], [1e9]]), max_iter=1)
    lloyd.lloyd(holder(X, np.array([1.0, 1, 1, 0, 1]), 1), [unweighted])
    assert_array_equal(np.sort(unweighted.centers[:, 0]), [1.0, 9.0])


@pytest.mark.parametrize("holder", HOLDERS)
def test_more_centers_than_points_leave_the_rest_alone(holder):
    X = np.repeat([[1.0, 2.0], [3.0, 4.0]], 300, axis=0)
    run = lloyd.Run(np.array([[1.0, 2], [3, 4], [3, 4], [8, 8]]), max_iter=9)
    lloyd.lloyd(holder(X, np.ones(600), 1), [run])
    assert_array_equal(run.far, 0)
    assert set(run.label) == {0, 1}


def test_the_farthest_are_told_by_weight_and_later_rows_first():
    far = np.array([5.0, 1, 5, 5, 0])
    assert_array_equal(np.flatnonzero(lloyd.farthest(far, np.ones(5), 0.4)), [2, 3])
    assert_array_equal(np.flatnonzero(lloyd.farthest(far, np.array([1.0, 1, 1, 2, 5]), 0.3)), [2, 3])
    assert not lloyd.farthest(far, np.ones(5), 0.19).any()


@pytest.mark.parametrize("holder", HOLDERS)
def test_distances_to_seeds_and_their_draw(holder):
    X, weight = data(5, 1000, 6)
    rows, points = holder(X, weight, 1), np.array([3, 500, 999])
    closest = np.full(len(X), np.inf)
    (nearer, shares), (again, _) = rows.closer([(closest, points), (closest, points[:1])])
    exact = np.array([((X - X[p]) ** 2).sum(axis=1) for p in points]) * getattr(rows, "scale", 1.0) ** 2
    assert_allclose(nearer, exact, rtol=1e-5, atol=1e-5)
    assert_allclose(shares.sum(axis=1), exact @ weight, rtol=1e-5)
    assert_allclose(again[0], nearer[0], rtol=1e-12, atol=1e-12)
    nearest, _ = rows.closer([(nearer[0], points[1:2])])[0]
    assert_allclose(nearest[0], exact[:2].min(axis=0), rtol=1e-5, atol=1e-5)
    places = np.linspace(0, 1 - 1e-12, 200)
    mass = weight * nearer[0]
    drawn = rows.draw(nearer[0], shares[0], places)
    assert_array_equal(drawn, seeding.draw(mass, places)) if holder is held else None
    assert (mass[drawn] > 0).all() and (np.diff(drawn) >= 0).all()
    share = np.searchsorted(np.cumsum(mass), places * mass.sum())
    assert np.abs(drawn - share).max() <= 2


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_shorter_chain_of_seeds_is_the_start_of_a_longer_one(holder):
    X, weight = data(6, 1200, 3)
    rows = holder(X, weight, 1)
    long, other = seeding.chains(rows, 20, [np.random.default_rng(s) for s in (0, 1)])
    (short,) = seeding.chains(rows, 7, [np.random.default_rng(0)])
    assert_array_equal(long[:7], short)
    assert len(set(long)) == 20 and (weight[long] > 0).all() and set(other) != set(long)


@pytest.mark.parametrize("holder", HOLDERS)
def test_trimmed_seeds_avoid_outliers(holder):
    rng = np.random.default_rng(0)
    X = np.concatenate(
        [rng.normal(size=(950, 2)) + np.repeat([[0, 0], [9, 9]], 475, axis=0), rng.normal(size=(20, 2)) * 1e4]
    )
    rows = holder(X, np.ones(len(X)), 1)
    plain = np.concatenate(seeding.chains(rows, 4, [np.random.default_rng(s) for s in range(9)]))
    safe = np.concatenate(seeding.chains(rows, 4, [np.random.default_rng(s) for s in range(9)], 0.05))
    assert (plain >= 950).sum() > 15 and (safe >= 950).sum() == 0


def test_blocks_that_are_not_full():
    for n in (1, LANES - 1, LANES, LANES + 1):
        X = np.random.default_rng(n).normal(size=(n, 3))
        run = lloyd.Run(X[:1].copy(), max_iter=3)
        lloyd.lloyd(tiled(X, np.ones(n)), [run])
        assert_allclose(run.centers[0], X.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (700, 3, 5), (1000, 40, 66)])
def test_labels_read_once_are_those_of_a_pass(n, d, k, dtype):
    X, weight = data(n, n, d, dtype)
    C = np.random.default_rng(k).normal(7, 2, size=(k, d))
    C[-1] = C[0]
    label, far = label_slowly(X, C)
    for n_threads in (1, 2):
        assert_array_equal(tiles.assign(X, C, n_threads), label)
        assert_array_equal(tiles.own_distance(X, C, label, n_threads), far)
    assert_array_equal(lloyd.assign(X, C, 1), label)


def test_labels_of_rows_far_beyond_what_float32_holds():
    X = np.random.default_rng(0).normal(size=(600, 3)) * np.geomspace(1, 1e60, 600)[:, None]
    C = np.random.default_rng(1).normal(size=(9, 3))
    assert_array_equal(tiles.assign(X, C, 1), label_slowly(X, C)[0])


@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_the_extent_is_what_whole_arrays_say(shift):
    X = np.random.default_rng(0).normal(size=(5000, 7)) + shift
    found, again = extent(X), extent(X, 2)
    assert_allclose(found.mean, X.mean(axis=0), rtol=1e-12, atol=1e-12)
    assert_allclose(found.variance, X.var(axis=0), rtol=1e-6)
    assert found.reach == np.abs(X - found.centre).max() and found.reach * scale_of(found.reach) <= 1
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    assert not np.isfinite(extent(np.array([[1e300], [-1e300], [1e308]])).variance).all()
    assert scale_of(0.0) == 1 and np.isfinite(scale_of(1e-310))
