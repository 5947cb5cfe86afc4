"""One compiled pass of logistic regression against a loop over the rows and against the blocks in NumPy."""

from dataclasses import replace
from math import exp, log1p

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from ml_core.kernels import gram_jit, logpass, newton
from ml_core.kernels.logloss import evaluate

ROWS = [1, 7, logpass.EIGHT, logpass.ROWS - 1, 2 * logpass.ROWS + 9]


def table(n, d, kind=float, seed=0):
    rng = np.random.default_rng(seed)
    X, sign = rng.normal(size=(n, d)).astype(kind), np.where(rng.random(n) < 0.4, 1.0, -1.0)
    return X, sign, rng.integers(0, 3, n) * rng.random(n), rng.normal(size=d), rng.normal()


def passed(X, sign, share, w, lift, curved=True):
    d = X.shape[1]
    line, slope = np.zeros(gram_jit.padded(d)), np.zeros(gram_jit.padded(d) + 1)
    line[:d] = w
    curvature = np.full(len(X) if curved else 0, np.nan)
    loss = logpass.add(X, (sign, share), (line, lift), (slope, curvature))
    return loss, np.append(slope[:d], slope[-1]), curvature


def passed_slowly(X, sign, share, w, lift):
    loss, slope, curvature = 0.0, np.zeros(X.shape[1] + 1), []
    for x, s, a in zip(X.astype(float), sign, share, strict=True):
        margin = s * (x @ w + lift)
        u = exp(-abs(margin))
        loss += a * (max(-margin, 0) + log1p(u))
        slope -= s * a * (u if margin > 0 else 1) / (1 + u) * np.append(x, 1)
        curvature.append(a * u / (1 + u) ** 2)
    return loss, slope, curvature


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 3, gram_jit.LANES, 13])
@pytest.mark.parametrize("n", ROWS)
def test_a_pass_equals_a_loop(n, d, kind):
    X, *rest = table(n, d, kind, seed=n + d)
    for ours, slow in zip(passed(X, *rest), passed_slowly(X, *rest), strict=True):
        assert_allclose(ours, slow, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 20, 600, 1e5, 1e200])
def test_margins_of_any_size_keep_their_digits(scale):
    X, one = scale * np.linspace(-1, 1.5, 101)[:, None], np.ones(101)
    for ours, slow in zip(passed(X, one, one, [1], 0), passed_slowly(X, one, one, [1], 0), strict=True):
        assert_allclose(ours, slow, rtol=1e-12, atol=1e-290)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_cell_that_is_no_number_shows_in_the_slope(bad, share):
    X, sign, _, w, lift = table(150, 5)
    X[149, 4] = bad
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(passed(X, sign, np.full(150, share), w, lift)[1]).all()


def test_a_cell_that_is_no_number_touches_its_row_and_the_one_above_only():
    X, *rest = table(150, 5)
    before = passed(X, *rest)[2]
    X[70, 0] = np.nan
    after = passed(X, *rest)[2]
    assert_array_equal(np.delete(before, [69, 70]), np.delete(after, [69, 70]))


@pytest.mark.parametrize("d", [1, 9, 30])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, csr_array])
def test_compiled_passes_equal_blocks_in_numpy(form, d):
    X, sign, share, _, _ = table(3000, d)
    rng = np.random.default_rng(d)
    rows = newton.rows_for(form(X + 1), sign > 0, np.array([share, share[::-1]]), np.array([0, 1, 0]), True)[
        0
    ]
    W, b = rng.normal(size=(3, d)), rng.normal(size=3)
    ours = evaluate(replace(rows, compiled=True), W, b, [0, 2])
    for one, other in zip(ours, evaluate(replace(rows, compiled=False), W, b, [0, 2]), strict=True):
        assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_one_and_two_threads_give_the_same_bits():
    X, sign, share, w, lift = table(40_000, 20)
    rows = newton.rows_for(X, sign > 0, share[None], np.zeros(1, int), True)[0]
    found = []
    for count in (1, 2):
        with threadpool_limits(count, user_api="blas"):
            found.append(evaluate(replace(rows, compiled=True), w[None], np.array([lift]), [0]))
    for one, two in zip(*found, strict=True):
        assert_array_equal(one, two)


def test_many_rows_are_fitted_by_compiled_passes_to_the_same_minimum():
    X, sign, share, w, _ = table(60_000, 4)
    sign = np.where(np.random.default_rng(1).random(60_000) < 1 / (1 + np.exp(-X @ w)), 1.0, -1.0)
    rows = newton.rows_for(X, sign > 0, share[None], np.zeros(1, int), True)[0]
    found = []
    for compiled in (False, True):
        some = replace(rows, compiled=compiled)
        start = newton.first_answer(some, np.array([1e-4]), 1e-4, 100)
        found.append(newton.solve(some, np.array([1e-4]), start, 1e-4, 100))
    assert found[1].converged.all()
    assert_allclose(found[0].W, found[1].W, rtol=1e-6)
    assert_allclose(found[0].b, found[1].b, rtol=1e-6)
