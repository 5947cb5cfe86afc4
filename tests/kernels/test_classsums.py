import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ml_core.kernels import classsums, threads
from ml_core.models.bayes import constants


def rows(seed, n=50, d=3, q=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + 3, rng.integers(q, size=n), rng.integers(0, 3, n).astype(float)


@pytest.fixture(params=["numpy", "compiled"])
def path(request, monkeypatch):
    """Either path, whatever the size."""
    monkeypatch.setattr(classsums, "LARGE", np.inf if request.param == "numpy" else 0)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("seed", range(5))
def test_class_sums_equal_a_loop(seed):
    X, codes, weight = rows(seed)
    found = classsums.class_sums(X, codes, 5, weight, np.ones(3))  # class 4 is empty
    for k in range(5):
        members = [(w, x - 1) for w, x, code in zip(weight, X, codes, strict=True) if code == k]
        assert_allclose(found[0][k], sum(w for w, _ in members))
        assert_allclose(found[1][k], sum((w * x for w, x in members), np.zeros(3)), atol=1e-12)
        assert_allclose(found[2][k], sum((w * x * x for w, x in members), np.zeros(3)), atol=1e-12)


@pytest.mark.usefixtures("path")
def test_two_halves_add_up_and_merge():
    X, codes, _ = rows(0, n=5000)
    centre = X.mean(axis=0)
    whole = classsums.class_sums(X, codes, 4, None, centre)
    halves = [
        classsums.class_sums(X, codes, 4, None, centre, part) for part in np.split(np.arange(5000), [1234])
    ]
    for a, b, c in zip(whole, *halves, strict=True):
        assert_allclose(a, b + c, atol=1e-9)
    learned = [(half[0], *classsums.spreads(half, centre)[:2]) for half in halves]
    merged = classsums.merge(*learned)
    assert_allclose(merged[1], classsums.spreads(whole, centre)[0], atol=1e-12)
    assert_allclose(merged[2], classsums.spreads(whole, centre)[1], atol=1e-12)


def test_a_centre_a_class_makes_a_constant_class_exact():
    X, codes, _ = rows(1, n=900)
    X[codes == 2, 0] = 0.1
    centre = classsums.centres_of(X, codes, 4)
    mean, var, error = classsums.spreads(classsums.class_sums(X, codes, 4, None, centre), centre)
    assert mean[2, 0] == 0.1 and var[2, 0] == 0 and error[2, 0] == 0
    assert_allclose(var[1], X[codes == 1].var(axis=0))


def test_pooled_is_the_variance_of_all_rows():
    X, codes, _ = rows(2)
    sums = classsums.class_sums(X, codes, 4, None, np.zeros(3))
    mean, var, _ = classsums.spreads(sums, np.zeros(3))
    assert_allclose(classsums.pooled(sums[0], mean, var), X.var(axis=0))


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("far", [0.0, 10.0, 1e6])
def test_likelihoods_equal_scipys(far):
    from scipy.stats import norm

    X, _, _ = rows(3)
    mean, var = np.array([[0, 0, 0], [far, 1, 2.0]]), np.array([[1, 2, 3], [0.5, 1, 1.0]])
    prior = np.array([0.25, 0.75])
    slow = [
        [np.log(p) + norm.logpdf(x, m, np.sqrt(v)).sum() for p, m, v in zip(prior, mean, var, strict=True)]
        for x in X
    ]
    assert_allclose(classsums.likelihoods(X, constants(prior, var), mean, var), slow, rtol=1e-10)
    labels = classsums.likeliest(X, (constants(prior, var), mean, var), np.array(["no", "yes"]))
    assert_array_equal(labels, np.array(["no", "yes"])[np.argmax(slow, axis=1)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "q"), [(1, 1, 1), (7, 3, 2), (40_000, 5, 3), (300, 50, 7)])
def test_both_paths_agree_whatever_the_layout(n, d, q, dtype, monkeypatch):
    rng = np.random.default_rng(n)
    X, codes = (rng.normal(size=(n, d)) + 5).astype(dtype), rng.integers(q, size=n)
    few = np.sort(rng.permutation(n)[: n // 2])
    centre, prior = X.mean(axis=0).astype(float), np.zeros(q)
    mean, var = rng.normal(5, 1, (q, d)), rng.uniform(0.5, 2, (q, d))
    found = []
    for large in (np.inf, 0):
        monkeypatch.setattr(classsums, "LARGE", large)
        for data in (X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
            sums = classsums.class_sums(data, codes, q, None, centre)
            part = classsums.class_sums(data, codes, q, None, centre, few)
            likely = classsums.likelihoods(data, prior, mean, var)
            labels = classsums.likeliest(data, (prior, mean, var), np.arange(q))
            assert_array_equal(labels, likely.argmax(axis=1))
            found.append((*sums, *part, likely))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert_allclose(two, one, rtol=1e-11, atol=1e-9)


def test_one_and_two_threads_give_the_same_bits(monkeypatch):
    monkeypatch.setattr(classsums, "LARGE", 0)
    rng = np.random.default_rng(0)
    X, codes, weight = rng.normal(size=(70_000, 9)), rng.integers(3, size=70_000), rng.uniform(size=70_000)
    found = []
    for count in (1, 2):
        with threads.alone():
            monkeypatch.setitem(threads._inside, "threads", count)
            sums = [classsums.class_sums(X, codes, 3, w, np.zeros(9)) for w in (None, weight)]
            labels = classsums.likeliest(X, (np.zeros(3), np.eye(3, 9), np.ones((3, 9))), np.arange(3))
        found.append([*sums[0], *sums[1], labels])
    for one, two in zip(*found, strict=True):
        assert_array_equal(one, two)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("cell", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 3, 49])
def test_one_bad_cell_shows_in_the_sums(cell, row):
    X, codes, _ = rows(0)
    X[row, 1] = cell
    sums = classsums.class_sums(X, codes, 4, None, np.zeros(3))
    assert not np.isfinite(sums[1]).all()
    likely = np.zeros(4), np.zeros((4, 3)), np.ones((4, 3))
    assert classsums.likeliest(X, likely, np.arange(4)) is None
