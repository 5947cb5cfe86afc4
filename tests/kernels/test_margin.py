"""Linear machines in the primal against a general minimiser."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from ml_core.kernels import ascent, box, margin, platt


def problem(seed, n=80, d=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = X[:, 0] + 0.5 * rng.normal(size=n)
    return X, y, rng.uniform(0.1, 3, size=n)


def squared_slowly(X, bias, loss):
    Z = np.column_stack([X, np.full(len(X), bias)])
    return minimize(lambda w: w @ w / 2 + loss.value(Z @ w), np.zeros(Z.shape[1]), tol=1e-12, method="BFGS").x


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [-1.0, 0.0, 0.3])
def test_newton_finds_the_minimum(seed, width):
    X, y, c = problem(seed)
    loss = margin.Loss(c, np.sign(y) if width < 0 else y, width)
    slow = squared_slowly(X, 2.0, loss)
    stand, _, converged = margin.newton(margin.Design(X, 2.0), loss, 1e-6, 100)
    w = stand.w
    assert converged
    assert_allclose(w, slow, atol=1e-4)
    for rows in (X, csr_matrix(X)):
        other, _, converged = margin.conjugate(margin.Design(rows, 2.0), loss, 1e-8, 100)
        assert converged
        assert_allclose(other, w, atol=1e-6)


@pytest.mark.parametrize("width", [-1.0, 0.3])
def test_newton_along_c_is_newton_from_nothing(width):
    X, y, a = problem(1, n=300)
    y, design, stand = np.sign(y) if width < 0 else y, margin.Design(X, 1.0), None
    for C in (1e-3, 0.01, 0.1, 1.0, 100.0):
        loss = margin.Loss(a, y, width, C)
        stand, _, converged = margin.newton(design, loss, 1e-6, 100, stand)
        fresh, _, _ = margin.newton(design, loss, 1e-6, 100)
        assert converged
        assert_allclose(stand.w, fresh.w, rtol=1e-9, atol=1e-12)
        assert_allclose(stand.f, design.times(fresh.w), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("width", [-1.0, 0.0, 0.3])
def test_interior_point_and_sweeps_agree(width):
    X, y, c = problem(0)
    if width < 0:
        y = np.sign(y)
        sign, p, lo, hi = y[None], np.ones((1, len(y))), np.where(y > 0, 0, -c), np.where(y > 0, c, 0)
    else:
        sign = np.array([np.ones(len(y)), -np.ones(len(y))])
        p, lo, hi = np.array([y - width, -y - width]), -c, c

    def cost(f):
        return c @ np.maximum(1 - y * f if width < 0 else np.abs(y - f) - width, 0)

    w, _, converged = box.solve(margin.Design(X, 1.0), sign, p, c, 1e-10, 100)
    assert converged
    design = margin.Design(csr_matrix(X), 1.0)
    bounds = (lo, hi, y, max(width, 0.0), np.zeros(len(y)))
    other, _, converged = ascent.solve(design, bounds, cost, np.random.default_rng(0), 1e-9, 50_000)
    assert converged
    assert_allclose(w, other, atol=1e-3)
    least = w @ w / 2 + cost(design.times(w))
    for step in np.random.default_rng(1).normal(size=(200, len(w))) * 1e-3:
        assert (w + step) @ (w + step) / 2 + cost(design.times(w + step)) >= least - 1e-8


def test_gram_of_halves_adds_up():
    X, y, c = problem(0)
    design, rows = margin.Design(X, 1.0), np.arange(80)
    G, h = design.gram(c, y, rows)
    left, right = design.gram(c[:30], y[:30], rows[:30]), design.gram(c[30:], y[30:], rows[30:])
    assert_allclose(G, left[0] + right[0])
    assert_allclose(h, left[1] + right[1])
    Z = np.column_stack([X, np.ones(80)])
    assert_allclose(G, (Z.T * c) @ Z)


def test_sigmoid_is_the_maximum_of_its_likelihood():
    rng = np.random.default_rng(0)
    f = rng.normal(size=300)
    y = f + rng.normal(size=300) > 0.2
    A, B = platt.sigmoid(f, y, np.ones(300))
    t = np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))

    def loss(x):
        z = x[0] * f + x[1]
        return (np.logaddexp(0, z) - (1 - t) * z).sum()

    assert_allclose([A, B], minimize(loss, [0, 0], tol=1e-10).x, atol=1e-4)


def test_coupling_gives_back_consistent_pairs():
    P = np.random.default_rng(0).dirichlet(np.ones(4), size=20)
    R = P[:, :, None] / (P[:, :, None] + P[:, None, :])
    R[:, np.arange(4), np.arange(4)] = 0
    assert_allclose(platt.couple(R), P, atol=1e-10)
