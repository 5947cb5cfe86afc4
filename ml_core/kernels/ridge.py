"""One ridge fit: the cheapest solver whose answer can be trusted.

Letters: X (n, d) dense or CSR, Y (n, t), weight (n,) or None, alpha (t,) penalties, W (d, t) coefficients.
Tall: Gram and Cholesky, refined from the rows when the condition asks for it; then QR of the rows and SVD.
Wide: the (n, n) system. Sparse and very wide: LSQR.
"""

import numpy as np
from scipy.sparse import issparse

from ml_core.kernels import gram, threads
from ml_core.kernels.leastsquares import PLAIN, REFINED, Factor, by_rows, by_triangle, nonnegative

WIDEST = 4000  # columns of a sparse X up to which the (d, d) Gram, 128 MB there, is the way
DENSE = 2e7  # cells up to which a wide sparse X is made dense


@threads.single
def ridge(X, Y, weight, fit_intercept, alpha, method="auto"):
    """Minimise |Y - X W|^2 + alpha |W|^2 -> W (d, t), offset (d + t,), solver's name.

    The intercept is offset_y - offset_x W. ``method``: auto, svd, lsqr, or nonnegative (W >= 0).
    """
    n, d = X.shape
    alpha = np.broadcast_to(np.asarray(alpha, np.float64), Y.shape[1])
    if issparse(X):
        if n < d and n * d <= DENSE:
            X = X.toarray()
        elif d > WIDEST or method == "lsqr":
            offset = _means(X, Y, weight) if fit_intercept else np.zeros(d + Y.shape[1])
            return _by_lsqr(X, Y, weight, offset, alpha), offset, "lsqr"
    if n < d:
        offset = _means(X, Y, weight) if fit_intercept else np.zeros(d + Y.shape[1])
        W = _wide(X, Y, weight, offset, alpha) if method in ("auto", "lsqr") and alpha.min() > 0 else None
    else:
        offset, G = gram.moments(X, Y, weight, fit_intercept)
        W = _tall(X, Y, weight, offset, (G, alpha)) if method in ("auto", "lsqr") else None
    if W is not None:
        return W, offset, "cholesky"
    R = gram.triangle(X, Y, weight, offset)
    if method == "nonnegative":
        return nonnegative(R, d, alpha), offset, "nnls"
    return by_triangle(R, d, alpha, np.finfo(float).eps * max(n, d))[0], offset, "svd"


def _tall(X, Y, weight, offset, problem):
    G, alpha = problem
    d = X.shape[1]
    W, rcond = np.empty((d, Y.shape[1])), np.ones(Y.shape[1])
    factors = {penalty: Factor(G[:d, :d], penalty) for penalty in np.unique(alpha)}
    if min(factor.rcond for factor in factors.values()) < REFINED:
        return None
    for j, penalty in enumerate(alpha):
        W[:, j], rcond[j] = factors[penalty].solve(G[:d, d + j]), factors[penalty].rcond
    if rcond.min() < PLAIN:
        slope = gram.residual_products(X, Y, weight, offset, W) - alpha * W
        for j, penalty in enumerate(alpha):
            W[:, j] += factors[penalty].solve(slope[:, j])
    return W


def _wide(X, Y, weight, offset, alpha):
    d = X.shape[1]
    Xc, Yc = X - offset[:d], Y - offset[d:]
    if weight is not None:
        root = np.sqrt(weight)[:, None]
        Xc, Yc = Xc * root, Yc * root
    W = np.empty((d, Y.shape[1]))
    for penalty in np.unique(alpha):
        these = alpha == penalty
        solved, rcond = by_rows(Xc, Yc[:, these], penalty)
        if not rcond:
            return None
        W[:, these] = solved
    return W


def _means(X, Y, weight):
    weight = np.ones(len(Y)) if weight is None else weight
    shift = gram.shift_of(X, Y)
    d = X.shape[1]
    away = X.T @ weight if issparse(X) else weight @ (X - shift[:d])
    if issparse(X):
        shift[:d] = 0
    return shift + np.concatenate([away, weight @ (Y - shift[d:])]) / weight.sum()


def _by_lsqr(X, Y, weight, offset, alpha):
    from scipy.sparse.linalg import LinearOperator, lsqr

    n, d = X.shape
    root = np.ones(n) if weight is None else np.sqrt(weight)
    mean = offset[:d]
    centred = LinearOperator(
        (n, d),
        matvec=lambda w: root * (X @ w - mean @ w),
        rmatvec=lambda r: X.T @ (root * r) - mean * (root @ r),
        dtype=np.float64,
    )
    targets = (Y - offset[d:]) * root[:, None]
    solved = [
        lsqr(centred, target, damp=np.sqrt(penalty), atol=1e-12, btol=1e-12, iter_lim=20 * (d + 100))[0]
        for target, penalty in zip(targets.T, alpha, strict=True)
    ]
    return np.column_stack(solved)
