import numpy as np
import pytest
from numpy.testing import assert_allclose

from ml_core.kernels import gram
from ml_core.kernels.leastsquares import Factor, Spectrum, by_rows, by_triangle, nonnegative
from ml_core.kernels.ridge import ridge


def problem(seed=0, n=50, d=6, t=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, t))


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 10.0])
def test_factor_spectrum_triangle_and_rows_agree(alpha):
    X, Y = problem()
    C, b = X.T @ X, X.T @ Y
    exact = np.linalg.solve(C + alpha * np.eye(6), b)
    assert_allclose(Factor(C, alpha).solve(b), exact, atol=1e-12)
    assert_allclose(Spectrum(C, b).solve([alpha])[0], exact, atol=1e-12)
    R = np.linalg.qr(np.hstack([X, Y]), mode="r")
    assert_allclose(by_triangle(R, 6, alpha, 1e-12)[0], exact, atol=1e-12)
    if alpha:
        W, rcond = by_rows(X, Y, alpha)
        assert rcond == 0 or np.allclose(W, exact)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scales_of_columns_do_not_matter_to_a_factor(scale):
    X, Y = problem()
    stretch = np.array([1, scale, 1, 1 / scale, 1, 1])
    plain, wide = Factor(X.T @ X), Factor((X * stretch).T @ (X * stretch))
    assert_allclose(wide.rcond, plain.rcond, rtol=1e-6)
    assert_allclose(wide.solve((X * stretch).T @ Y) * stretch[:, None], plain.solve(X.T @ Y), rtol=1e-9)


def test_a_factor_knows_when_it_cannot_be_trusted():
    X, _ = problem()
    X[:, 3] = X[:, 1] + X[:, 2]
    assert Factor(X.T @ X).rcond < 1e-14
    assert Factor(np.full((2, 2), np.inf)).rcond == 0


def test_nonnegative_meets_the_conditions_of_an_optimum():
    X, Y = problem(3)
    R = np.linalg.qr(np.hstack([X, Y]), mode="r")
    W = nonnegative(R, 6, np.array([0.0, 2.0]))
    slope = X.T @ (X @ W - Y) + W * np.array([0.0, 2.0])
    assert (W >= 0).all() and (slope > -1e-9).all() and np.abs(slope * W).max() < 1e-9


@pytest.mark.parametrize("power", [0, 2, 4, 6, 7])
def test_ridge_is_as_accurate_as_lapack_however_bad_the_condition(power):
    """Singular values from 1 to 10**-power; the truth is known since Y has no noise."""
    rng = np.random.default_rng(power)
    U, V = (np.linalg.qr(rng.normal(size=shape))[0] for shape in [(400, 8), (8, 8)])
    X = (U * np.logspace(0, -power, 8)) @ V.T
    truth = rng.normal(size=(8, 1))
    W = ridge(X, X @ truth, None, False, 0.0)[0]
    lapack = np.linalg.lstsq(X, X @ truth, rcond=None)[0]
    assert np.abs(W - truth).max() <= 100 * max(np.abs(lapack - truth).max(), 1e-14)


def test_the_solver_follows_the_condition():
    X, Y = problem(n=200)
    assert ridge(X, Y, None, True, 1.0)[2] == "cholesky"
    X[:, 3] = X[:, 1] + X[:, 2]
    assert ridge(X, Y, None, True, 0.0)[2] == "svd"
    assert ridge(X * 1e200, Y, None, True, 0.0)[2] == "svd"  # squares overflow, the rows do not
    assert ridge(X[:4], Y[:4], None, True, 1.0)[2] == "cholesky"


def test_refinement_reads_the_rows():
    X, Y = problem(5)
    mean, G = gram.moments(X, Y, None)
    W = np.ones((6, 2))
    Xc, Yc = X - mean[:6], Y - mean[6:]
    assert_allclose(gram.residual_products(X, Y, None, mean, W), Xc.T @ (Yc - Xc @ W), atol=1e-11)
