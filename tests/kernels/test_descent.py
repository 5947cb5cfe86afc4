"""Coordinate descent and its exact finish against a slow twin."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ml_core.kernels import descent, descent_jit


def lasso_slowly(X, y, penalty, rounds=20_000):
    """Proximal gradient, from the definition."""
    w, size = np.zeros(X.shape[1]), 1 / (np.linalg.norm(X, 2) ** 2 + penalty.l2)
    for _ in range(rounds):
        z = w - size * (X.T @ (X @ w - y) + penalty.l2 * w)
        kept = np.maximum((z if penalty.positive else np.abs(z)) - size * penalty.l1, 0)
        w = np.sign(z) * kept
    return w


def grams(seed, n=60, d=12):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(n, 1))
    y = X[:, :3] @ np.array([1.0, -2, 0.5]) + rng.normal(size=n)
    return X, y, X.T @ X, X.T @ y, y @ y


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "penalty", [descent.Penalty(20.0), descent.Penalty(5.0, 8.0), descent.Penalty(5.0, 0.0, True)], ids=str
)
def test_solution_equals_the_slow_one(seed, penalty):
    X, y, G, q, yy = grams(seed)
    w, h, gap, _ = descent.solve(G, q, yy, np.zeros(12), penalty, 1e-4, 1000)
    assert_allclose(w, lasso_slowly(X, y, penalty), atol=1e-8)
    assert_allclose(h, q - G @ w)
    assert gap <= 1e-9 * yy


@pytest.mark.parametrize("seed", range(5))
def test_the_gap_bounds_the_distance_to_the_minimum(seed):
    X, y, G, q, yy = grams(seed)
    penalty = descent.Penalty(10.0, 2.0)

    def objective(w):
        return ((y - X @ w) ** 2).sum() / 2 + penalty.l1 * np.abs(w).sum() + penalty.l2 / 2 * w @ w

    best = objective(descent.solve(G, q, yy, np.zeros(12), penalty, 1e-4, 1000)[0])
    w = np.random.default_rng(seed).normal(size=12)
    assert descent.gap(yy, q, q - G @ w, w, penalty) >= objective(w) - best


def test_compiled_sweeps_are_the_plain_ones():
    _, _, G, q, _ = grams(0)
    first, second = np.zeros(12), np.zeros(12)
    h1, h2 = q.copy(), q.copy()
    for _ in range(5):
        descent.sweep(G, h1, first, np.arange(12), 3.0, 1.0, False)
        descent_jit.sweep(G, h2, second, np.arange(12), 3.0, 1.0, False)
    assert_allclose(first, second, rtol=1e-13)
    assert_array_equal(first == 0, second == 0)


def test_columns_that_repeat_share_one_solution():
    X, y, *_ = grams(0)
    X = np.hstack([X, X, X[:, :1]])
    penalty = descent.Penalty(5.0)
    w, h, gap, _ = descent.solve(X.T @ X, X.T @ y, y @ y, np.zeros(25), penalty, 1e-6, 1000)
    assert gap <= 1e-6 * (y @ y)
    assert (np.abs(h) <= 5.0 + 1e-6).all()


def test_known_slopes_change_nothing():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 12))
    G, q, yy = X.T @ X, X.T @ (y := rng.normal(size=40)), y @ y
    w, h, _, _ = descent.solve(G, q, yy, np.zeros(12), descent.Penalty(10.0), 1e-6, 100)
    fresh = descent.solve(G, q, yy, w, descent.Penalty(5.0), 1e-6, 100)
    known = descent.solve(G, q, yy, w, descent.Penalty(5.0), 1e-6, 100, h)
    for one, other in zip(fresh, known, strict=True):
        assert_array_equal(one, other)
    assert np.abs(h - (q - G @ w)).max() <= 1e-10 * np.abs(q).max()
