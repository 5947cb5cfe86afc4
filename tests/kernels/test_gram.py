import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, random_array
from threadpoolctl import threadpool_limits

from ml_core.kernels import gram


def rows(seed, n=60, d=4, t=2, mean=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + mean, rng.normal(size=(n, t)), rng.integers(0, 4, n).astype(float)


def moments_slowly(X, Y, weight):
    Z = np.hstack([X, Y])
    mean = sum(w * z for w, z in zip(weight, Z, strict=True)) / weight.sum()
    return mean, sum(w * np.outer(z - mean, z - mean) for w, z in zip(weight, Z, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_moments_equal_a_loop(seed):
    X, Y, weight = rows(seed)
    for ours, slow in zip(gram.moments(X, Y, weight), moments_slowly(X, Y, weight), strict=True):
        assert_allclose(ours, slow, atol=1e-11)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 3000))
def test_shares_of_two_halves_add_up(seed, cut):
    X, Y, weight = rows(seed, n=3001)
    shift = gram.shift_of(X, Y)
    order = np.random.default_rng(seed).permutation(len(X))
    whole = gram.share(X, Y, weight, shift)
    halves = [gram.share(X, Y, weight, shift, part) for part in (order[:cut], order[cut:])]
    assert_allclose(whole, halves[0] + halves[1], atol=1e-9)


def test_a_weight_is_a_repetition():
    X, Y, weight = rows(0)
    again = np.repeat(np.arange(len(X)), weight.astype(int))
    for ours, repeated in zip(
        gram.moments(X, Y, weight), gram.moments(X[again], Y[again], None), strict=True
    ):
        assert_allclose(ours, repeated, atol=1e-11)


@pytest.mark.parametrize("mean", [1e3, 1e8, -1e12])
def test_large_means_cost_no_digits(mean):
    X, Y, _ = rows(1, n=5000)
    moved = X + mean
    exact = moved - mean  # what the addition left of X; subtracting a float near it is exact
    assert_allclose(gram.moments(moved, Y, None)[1], gram.moments(exact, Y, None)[1], rtol=1e-9, atol=1e-9)


def test_rows_in_a_period_do_not_mislead_the_shift():
    X = np.zeros((2048 * 4, 1))
    X[::8] = 1e6  # every row that the shift looks at
    mean, G = gram.moments(X, np.zeros((len(X), 0)), None)
    assert_allclose(mean, X.mean(axis=0))
    assert_allclose(G, [[((X - X.mean()) ** 2).sum()]])


def test_weights_of_zero_do_not_mislead_it_either():
    X = np.vstack([np.full((4000, 1), 1e9), np.random.default_rng(0).normal(size=(100, 1))])
    weight = np.r_[np.zeros(4000), np.ones(100)]
    assert_allclose(gram.moments(X, np.zeros((4100, 0)), weight)[1][0, 0], 100 * X[4000:].var(), rtol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8, -3.3e-7])
def test_a_constant_column_is_exactly_zero(constant):
    X, Y, weight = rows(2, n=777)
    X[:, 1] = constant
    for w in (None, weight):
        G = gram.moments(X, Y, w)[1]
        assert_array_equal(G[1], 0)


@pytest.mark.parametrize("density", [0.02, 0.6])
def test_sparse_rows_equal_dense_ones(density):
    X = random_array((400, 30), density=density, rng=np.random.default_rng(0), format="csr")
    Y = np.random.default_rng(1).normal(size=(400, 2)) + 5
    weight = np.random.default_rng(2).uniform(size=400)
    for part in (csr_array(X), X.toarray()):
        for ours, slow in zip(
            gram.moments(part, Y, weight), moments_slowly(X.toarray(), Y, weight), strict=True
        ):
            assert_allclose(ours, slow, atol=1e-11)


def test_a_triangle_is_a_root_of_the_gram():
    X, Y, weight = rows(3, n=4000)
    mean, G = gram.moments(X, Y, weight)
    R = gram.triangle(X, Y, weight, mean)
    assert R.shape == (6, 6) and np.allclose(R, np.triu(R))
    assert_allclose(R.T @ R, G, atol=1e-9)


def test_layout_does_not_change_a_bit():
    X, Y, weight = rows(4, n=3000, mean=7.0)
    for ours, other in zip(
        gram.moments(X, Y, weight), gram.moments(np.asfortranarray(X), Y, weight), strict=True
    ):
        assert_array_equal(ours, other)
    assert_array_equal(gram.times(X, np.ones(4)), gram.times(np.asfortranarray(X), np.ones(4)))


@pytest.mark.parametrize("d", [8, 13, 24, 40, 57, 96, 100])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_tiles_sum_what_blas_sums(d, dtype):
    rng = np.random.default_rng(d)
    for m, e in ((1, 1), (2, 0), (129, 2), (300, 3)):
        blocks = [(rng.normal(size=(m, d)).astype(dtype), rng.normal(size=(m, e))) for _ in range(2)]
        tiles, plain = gram._by_tiles(blocks, d, e), gram._by_blas(blocks, d, e)
        assert_allclose(np.triu(tiles[0]), np.triu(plain[0]), rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(tiles[1:], plain[1:], strict=True):
            assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mean", [0.0, 4.0, 100.0])
def test_moments_are_the_same_by_tiles_and_by_blas(mean, monkeypatch):
    X, Y, weight = rows(3, n=4000, d=11, mean=mean)
    for w in (None, weight):
        plain = gram.moments(X, Y, w)
        monkeypatch.setattr(gram, "COMPILED", 0)
        for ours, theirs in zip(gram.moments(X, Y, w), plain, strict=True):
            assert_allclose(ours, theirs, rtol=1e-11, atol=1e-9)
        monkeypatch.undo()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_bad_cell_is_told_from_an_overflow(bad, intercept):
    X, Y, weight = rows(5, n=50)
    X[7, 2] = bad
    for w in (None, weight + 1, (np.arange(50) != 7).astype(float)):
        with pytest.raises(FloatingPointError):
            gram.moments(X, Y, w, intercept)
    X[7, 2] = 1e200
    assert not np.isfinite(gram.moments(X, Y, None, intercept)[1]).all()


@pytest.mark.parametrize("compiled", [0, np.inf])
def test_threads_do_not_change_a_bit(compiled, monkeypatch):
    monkeypatch.setattr(gram, "COMPILED", compiled)
    X, Y, weight = rows(6, n=30_000, d=12)
    for w in (None, weight):
        found = []
        for count in (1, 2):
            with threadpool_limits(count, user_api="blas"):
                found.append(gram.moments(X, Y, w))
        for one, two in zip(*found, strict=True):
            assert_array_equal(one, two)
