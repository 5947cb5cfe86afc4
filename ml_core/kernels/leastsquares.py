"""Ridge and least squares from a Gram matrix, from a triangle, or from the few rows of a wide table.

Letters: n rows, d columns, t targets, C (d, d) centred Gram of X, b (d, t) its products with Y.
Every solver says how far it may be trusted: ``rcond`` is the reciprocal condition after scaling the
diagonal to one, since Cholesky is indifferent to the scales of the columns.
"""

import numpy as np
from scipy.linalg import lapack

PLAIN = 1e-4  # rcond from which Cholesky alone is good to some 12 digits
REFINED = (
    1e-10  # rcond from which one refinement from the rows restores them; below it the rows must be factored
)


class Factor:
    """Cholesky factor of C + alpha I; ``rcond`` is 0 where it is not positive definite.

    A column that is exactly zero gets the coefficient zero.
    """

    def __init__(self, C, alpha=0.0):
        self.rcond = 0.0
        diagonal = np.diag(C) + alpha
        self.alive = np.isfinite(diagonal) & (diagonal > 0)
        self.scale = np.where(self.alive, 1 / np.sqrt(np.where(self.alive, diagonal, 1)), 0.0)
        if not np.isfinite(C).all():
            return
        scaled = C * self.scale * self.scale[:, None]
        scaled[np.diag_indices(len(C))] = 1.0
        norm = np.abs(scaled).sum(axis=0).max(initial=0)
        self.L, failed = lapack.dpotrf(scaled, lower=1, overwrite_a=1)
        if not failed:
            self.rcond = lapack.dpocon(self.L, norm, uplo="L")[0] if len(C) else 1.0

    def solve(self, b):
        """(C + alpha I)^-1 b, b (d,) or (d, t)."""
        scale = self.scale if b.ndim == 1 else self.scale[:, None]
        return lapack.dpotrs(self.L, b * scale, lower=1)[0].reshape(b.shape) * scale


def by_triangle(R, d, alpha, cut):
    """R (m, d + t) from ``gram.triangle`` -> W (d, t), singular values.

    Those below ``cut`` times the largest count as zero.
    """
    U, s, Vt = np.linalg.svd(R[:, :d], full_matrices=False)
    keep = s > cut * s.max(initial=0)
    weight = np.zeros((len(s), np.size(alpha)))
    with np.errstate(over="ignore"):  # s / (s^2 + alpha) without the square, which may overflow
        weight[keep] = 1 / (s[keep, None] + np.ravel(alpha) / s[keep, None])
    return Vt.T @ (weight * (U.T @ R[:, d:])), s


def nonnegative(R, d, alpha):
    """R (m, d + t) from ``gram.triangle``, alpha (t,) -> W (d, t) >= 0, exactly the constrained minimum."""
    from scipy.optimize import nnls

    W = np.empty((d, R.shape[1] - d))
    for j, penalty in enumerate(np.broadcast_to(alpha, W.shape[1])):
        A, target = R[:, :d], R[:, d + j]
        if penalty > 0:
            A = np.vstack([A, np.sqrt(penalty) * np.eye(d)])
            target = np.concatenate([target, np.zeros(d)])
        W[:, j] = nnls(A, target, maxiter=max(1000, 30 * d))[0]
    return W


def by_rows(Xc, Yc, alpha):
    """Xc (n, d), Yc (n, t), n < d, alpha > 0 -> W (d, t), rcond: the (n, n) system is the smaller one."""
    factor = Factor(Xc @ Xc.T, alpha)
    if not factor.alive.all() or factor.rcond < PLAIN:
        return None, 0.0
    return Xc.T @ factor.solve(Yc), factor.rcond


class Spectrum:
    """Eigenvectors of C, which serve every penalty."""

    def __init__(self, C, b):
        self.values, self.vectors = np.linalg.eigh(C)
        self.b = self.vectors.T @ b

    def rcond(self, alpha):
        """Reciprocal condition of C + alpha I."""
        top = self.values[-1] + alpha
        return max(self.values[0] + alpha, 0.0) / top if top > 0 else 0.0

    def solve(self, alphas):
        """(a,) penalties -> W (a, d, t)."""
        weights = 1 / (self.values + np.asarray(alphas)[:, None])
        return self.vectors @ (weights[:, :, None] * self.b)
