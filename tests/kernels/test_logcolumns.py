import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from ml_core.kernels import newton, threads
from ml_core.kernels.logloss import evaluate

K, FOLDS, N = 12, 3, 3000


def problems(kind, same):
    """Rows of three folds, each of which leaves a third out, and the lines of twelve problems in no order."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4)) + 1
    weight = np.ones((FOLDS, N))
    if kind == "weights":
        weight = rng.uniform(0.5, 2, (FOLDS, N))
    if kind != "all":
        for fold in range(FOLDS):
            weight[fold, fold * N // FOLDS : (fold + 1) * N // FOLDS] = 0
    of = rng.permutation(np.repeat(np.arange(FOLDS), K // FOLDS))
    W, b = rng.normal(size=(K, 4)), rng.normal(size=K)
    if same:
        W, b = np.tile(W[:3], (4, 1)), np.tile(b[:3], 4)
    rows, _ = newton.rows_for(X, rng.random(N) < 0.5, weight, of, True)
    return rows, W, b


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("kind", ["ones", "weights", "all"])
def test_many_problems_equal_one_at_a_time(kind, same):
    rows, W, b = problems(kind, same)
    wanted = [7, 2]
    loss, slope, curves = evaluate(rows, W, b, wanted)
    for i in range(K):
        one = evaluate(rows.only([i]), W[i : i + 1], b[i : i + 1], [0])
        assert_allclose(loss[i], one[0][0], rtol=1e-12)
        assert_allclose(slope[i], one[1][0], atol=1e-12)
        if i in wanted:
            assert_allclose(curves[wanted.index(i)], one[2][0], atol=1e-12)


@pytest.mark.parametrize("kind", ["ones", "weights"])
def test_rounded_rows_give_the_slopes_in_float32(kind):
    rows, W, b = problems(kind, False)
    exact, rough, known = (
        evaluate(part, W, b, (), precision)
        for part, precision in ((rows, np.float64), (rows, np.float32), (rows.rounded(), np.float32))
    )
    for one, two, three in zip(exact[:2], rough[:2], known[:2], strict=True):
        assert_allclose(two, one, atol=1e-5)
        assert_array_equal(three, two)


def test_sparse_rows_are_dense_ones():
    rows, W, b = problems("ones", False)
    sparse, _ = newton.rows_for(csr_array(rows.X), rows.sign > 0, rows.weight, rows.of, True)
    assert sparse.rounded() is sparse
    for one, two in zip(evaluate(rows, W, b)[:2], evaluate(sparse, W, b)[:2], strict=True):
        assert_allclose(two, one, atol=1e-12)


def test_one_and_two_threads_give_the_same_bits(monkeypatch):
    rows, W, b = problems("weights", False)
    found = []
    for count in (1, 2):
        with threads.alone():
            monkeypatch.setitem(threads._inside, "threads", count)
            found.append(evaluate(rows, W, b, [1]))
    for one, two in zip(*found, strict=True):
        assert_array_equal(one, two)
