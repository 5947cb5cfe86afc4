import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import check_grad, minimize
from scipy.sparse import csr_array

from ml_core.kernels import newton, softmax


def problem(seed=0, n=80, d=3, q=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 2
    codes = ((X - 2) @ rng.normal(size=(d, q)) + rng.gumbel(size=(n, q))).argmax(axis=1)
    return X, codes, rng.uniform(0.5, 2, n)


def loss_slowly(w, X, codes, weight, penalty):
    """Mean of log(1 + exp(-margin)), a row at a time; w holds the intercept last."""
    total = 0.0
    for x, code, share in zip(X, codes, weight, strict=True):
        margin = (1 if code else -1) * (x @ w[:-1] + w[-1])
        total += share * np.log1p(np.exp(-margin))
    return total / weight.sum() + penalty / 2 * (w[:-1] @ w[:-1])


def rows_of(X, codes, weight):
    return newton.rows_for(X, codes == 1, weight[None], np.zeros(1, int), True)[0]


@pytest.mark.parametrize("seed", range(3))
def test_loss_slope_and_hessian_equal_a_loop_and_its_differences(seed):
    X, codes, weight = problem(seed)
    rows = rows_of(X, codes, weight)

    def value(w):
        return newton.evaluate(rows, w[None, :-1], w[-1:] + w[:-1] @ rows.centre, [0])

    def slope(w):
        g = value(w)[1][0]
        return np.append(g[:-1] + g[-1] * rows.centre, g[-1])

    w = np.random.default_rng(seed).normal(size=4)
    assert_allclose(value(w)[0][0], loss_slowly(w, X, codes, weight, 0.0))
    assert check_grad(lambda w: loss_slowly(w, X, codes, weight, 0.0), slope, w) < 1e-6
    ones = np.hstack([X - rows.centre, np.ones((len(X), 1))])
    p = 1 / (1 + np.exp(-(X @ w[:-1] + w[-1])))
    assert_allclose(value(w)[2][0], (ones.T * (weight * p * (1 - p))) @ ones / weight.sum(), atol=1e-12)


@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 1.0])
def test_newton_finds_the_minimum(penalty):
    X, codes, weight = problem(1)
    rows = rows_of(X, codes, weight)
    start = newton.first_answer(rows, np.array([penalty]), 1e-4, 100)
    found = newton.solve(rows, np.array([penalty]), start, 1e-4, 100)
    w = np.append(found.W[0], found.b[0] - found.W[0] @ rows.centre)
    other = minimize(loss_slowly, np.zeros(4), (X, codes, weight, penalty), tol=1e-12)
    assert found.converged.all()
    assert loss_slowly(w, X, codes, weight, penalty) <= other.fun + 1e-13
    assert_allclose(w, other.x, atol=1e-5)


def test_problems_side_by_side_do_not_touch_each_other():
    X, codes, weight = problem(2, n=300)
    folds = np.array([weight * (np.arange(300) % 3 != fold) for fold in range(3)])
    of, penalty = np.array([0, 0, 1, 2]), np.array([1e-3, 1.0, 1e-2, 1e-1])
    rows = newton.rows_for(X, codes == 1, folds, of, True)[0]
    start = newton.Lines(np.zeros((4, 3)), np.zeros(4), hessian=[None] * 4)
    together = newton.solve(rows, penalty, start, 1e-6, 100)
    for k in range(4):
        alone = newton.rows_for(X, codes == 1, folds[of[k]][None], np.zeros(1, int), True)[0]
        begin = newton.Lines(np.zeros((1, 3)), np.zeros(1), hessian=[None])
        found = newton.solve(alone, penalty[[k]], begin, 1e-6, 100)
        assert_allclose(together.W[k], found.W[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("q", [2, 3, 5])
def test_softmax_slope_equals_differences_and_its_spread_a_loop(q):
    X, codes, weight = problem(q, q=q)
    classes = 1 if q == 2 else q
    p, moved = softmax.problem(X, codes, weight, classes, True)
    assert not moved.any()
    W = np.random.default_rng(q).normal(size=(classes, 4))

    def value(w):
        return softmax.evaluate(p, w.reshape(W.shape))

    assert check_grad(lambda w: value(w)[0], lambda w: value(w)[1].ravel(), W.ravel()) < 1e-6
    if q > 2:
        Z = (X - p.centre) @ W[:, :-1].T + W[:, -1]
        P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        slow = sum(
            w * (np.diag(row) - np.outer(row, row)) for w, row in zip(weight / weight.sum(), P, strict=True)
        )
        assert_allclose(value(W.ravel())[2], slow, atol=1e-12)


@pytest.mark.parametrize("q", [2, 3])
def test_newton_and_softmax_agree_dense_and_sparse(q):
    X, codes, weight = problem(7, n=200, q=q)
    W = []
    for rows in (X, csr_array(X)):
        p, moved = softmax.problem(rows, codes, weight, 1 if q == 2 else q, True)
        found, _, converged = softmax.descend(p, 1e-3, np.zeros((p.q, 4)), 1e-6, 200)
        assert converged
        W.append(found[:, :-1])
    assert_allclose(W[0], W[1], atol=1e-7)
    if q == 2:
        rows = rows_of(X, codes, weight)
        start = newton.first_answer(rows, np.array([1e-3]), 1e-6, 100)
        assert_allclose(newton.solve(rows, np.array([1e-3]), start, 1e-6, 100).W, W[0], atol=1e-7)


def test_the_exact_hessian_is_the_inverse_of_differences_of_slopes():
    X, codes, weight = problem(3, q=3)
    p, _ = softmax.problem(X, codes, weight, 3, True)
    W, penalty = np.random.default_rng(0).normal(size=(3, 4)) / 5, 1e-2
    W -= W.mean(axis=0)
    inverse = softmax._exact_inverse(p, W, penalty)
    step = np.random.default_rng(1).normal(size=(3, 4))
    step -= step.mean(axis=0)  # moving all classes alike changes nothing
    slopes = [softmax.evaluate(p, W + h * step)[1] for h in (-1e-5, 1e-5)]
    curved = (slopes[1] - slopes[0]) / 2e-5
    curved[:, :-1] += penalty * step[:, :-1]
    assert_allclose(inverse(curved), step, atol=1e-6)


@pytest.mark.parametrize(("q", "fit_intercept"), [(1, True), (3, True), (3, False)])
def test_along_the_span_of_the_lines_the_near_inverse_is_exact(q, fit_intercept):
    rng = np.random.default_rng(q)
    X, W = rng.normal(size=(9000, 12)) + fit_intercept, rng.normal(size=(q, 13)) / 2
    W[:, -1] *= fit_intercept
    W -= W.mean(axis=0) * (q > 1)
    codes = rng.integers(0, max(2, q), len(X))
    p, _ = softmax.problem(X, codes, np.ones(len(X)), q, fit_intercept)
    inverse = softmax._along(p, W, softmax.evaluate(p, W)[2], 1e-2)
    slopes = [softmax.evaluate(p, W + h * W)[1] for h in (-1e-5, 1e-5)]
    curved = (slopes[1] - slopes[0]) / 2e-5
    curved[:, :-1] += 1e-2 * W[:, :-1]
    near = softmax._near_inverse(p, softmax.evaluate(p, W)[2], 1e-2)
    right, wrong = (np.abs(found(curved) - W).max() / np.abs(W).max() for found in (inverse, near))
    assert right < 0.1 < wrong
    tried = rng.normal(size=(50, q, 13))
    tried[..., -1] *= fit_intercept
    tried -= tried.mean(axis=1, keepdims=True) * (q > 1)
    assert min((R * inverse(R)).sum() for R in tried) > 0


def test_a_span_too_costly_for_its_rows_is_left_alone():
    X, codes, weight = problem(4, n=60, q=3)
    p, _ = softmax.problem(X, codes, weight, 3, True)
    W = np.random.default_rng(0).normal(size=(3, 4))
    spread = softmax.evaluate(p, W)[2]
    assert softmax._along(p, W, spread, 1e-2) is None
    assert softmax._along(p, np.zeros((3, 4)), spread, 1e-2) is None


def test_many_problems_at_once_are_evaluated_as_one_by_one():
    rng = np.random.default_rng(0)
    X, positive = rng.normal(size=(700, 5)) + 1, rng.random(700) < 0.4
    weight = rng.integers(0, 3, (3, 700)).astype(float)
    of = np.repeat([0, 2, 1], 4)
    rows, _ = newton.rows_for(X, positive, weight, of, True)
    W, b = 3 * rng.normal(size=(12, 5)), rng.normal(size=12)
    W[5] *= 1e4
    many = newton.evaluate(rows, W, b, [2, 9])
    for k in range(12):
        one = newton.evaluate(rows.only([k]), W[[k]], b[[k]], [0])
        for ours, alone in zip(many[:2], one[:2], strict=True):
            assert_allclose(ours[k], alone[0], rtol=1e-9, atol=1e-12)
        if k in (2, 9):
            assert_allclose(many[2][[2, 9].index(k)], one[2][0], rtol=1e-9, atol=1e-12)


def test_rough_rounds_end_at_the_exact_minimum():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4000, 6)) * 10.0 ** np.arange(-3, 3)
    positive = rng.random(4000) < 1 / (1 + np.exp(-X[:, 3] - X[:, 4] / 10))
    strengths, of = np.geomspace(1e-6, 1e2, 12), np.zeros(12, int)
    rows, _ = newton.rows_for(X, positive, np.ones((1, 4000)), of, True)
    nothing = newton.Lines(np.zeros((12, 6)), np.zeros(12), hessian=[None] * 12)
    together = newton.solve(rows, strengths, nothing, 1e-4, 100)
    assert together.converged.all()
    for k in range(12):
        begin = newton.Lines(np.zeros((1, 6)), np.zeros(1), hessian=[None])
        alone = newton.solve(rows.only([k]), strengths[[k]], begin, 1e-4, 100)
        assert_allclose(together.W[k], alone.W[0], rtol=1e-6, atol=1e-7 * np.abs(alone.W).max())
    low = newton.evaluate(rows, together.W, together.b, [3], np.float32)
    for ours, exact in zip(low, newton.evaluate(rows, together.W, together.b, [3]), strict=True):
        assert_allclose(ours, exact, rtol=1e-4, atol=1e-4 * np.abs(exact).max())
