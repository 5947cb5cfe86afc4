"""The exact Hessian of many classes in the few directions of the rows that their scores depend on.

Letters: m rows (a sample), d columns, q classes, r directions, e = r + 1 with the intercepts, else r.
Probabilities vary with a row's scores only, so that it is along the span of the coefficients that the Hessian
departs from S x G, the classes' mean covariance (q, q) times the Gram (d, d); across it the two are near.
"""

import numpy as np

LEAST = 1e-7  # directions that bend less than this share of the most bent are left as they are
BLEND = 0.02  # share of S x G in the Hessian of the sample, which may miss a class


def directions(W, spread, gram, most):
    """Main directions of W (q, d), spread S (q, q) -> (d, r), orthonormal under the Gram; r <= ``most``.

    ``gram`` is the Gram as (eigenvalues (d,), eigenvectors (d, d) or None for unit vectors).
    """
    values, basis = gram
    sizes, classes = np.linalg.eigh(spread)
    lines = (classes * np.sqrt(np.maximum(sizes, 0))).T @ W
    lines = (lines if basis is None else lines @ basis) * np.sqrt(values)
    _, sizes, found = np.linalg.svd(lines, full_matrices=False)
    found = found[: min(most, np.count_nonzero(sizes > 1e-3 * sizes[0]))]
    alive = values > 1e-10 * values.max()
    found = (found * np.divide(1, np.sqrt(values), out=np.zeros_like(values), where=alive)).T
    return found if basis is None else basis @ found


def curvature(T, P, weight):
    """Hessian (q e, q e) of the mean loss, class after class: T (m, e), P (q, m), weight (m,) of sum 1."""
    q, e = len(P), T.shape[1]
    if q == 1:
        M = T * np.sqrt(P[0] * (1 - P[0]) * weight)[:, None]
        return M.T @ M
    M = ((P * np.sqrt(weight)).T[:, :, None] * T[:, None, :]).reshape(len(T), q * e)
    H = -(M.T @ M)
    blocks = H.reshape(q, e, q, e)
    for k in range(q):
        blocks[k, :, k, :] += (T * (P[k] * weight)[:, None]).T @ T
    return H


def correction(H, spread, ridge):
    """What to add, in these directions, to the inverse of S x I + ridge: (q e, q e), H the exact Hessian.

    ``ridge`` (e, e) is the penalty's. The sum is positive definite where that inverse is.
    """
    q, e = len(spread), len(ridge)
    near = np.kron(spread, np.eye(e)) + np.kron(np.eye(q), ridge)
    sizes, axes = np.linalg.eigh(near)
    axes = axes[:, sizes > LEAST * sizes[-1]] / np.sqrt(sizes[sizes > LEAST * sizes[-1]])
    exact = axes.T @ (H + np.kron(np.eye(q), ridge)) @ axes
    one = np.eye(len(exact))
    return axes @ (np.linalg.inv((1 - BLEND) * exact + BLEND * one) - one) @ axes.T
