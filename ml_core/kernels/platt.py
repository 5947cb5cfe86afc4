"""Probabilities from decision values: Platt's sigmoid for two classes, pairwise coupling for more.

Letters: n points, f (n,) decision values, y (n,) True where positive, q classes, R (n, q, q) pairwise
probabilities.
"""

import numpy as np


def sigmoid(f, y, weight):
    """A and B of P(y | f) = 1 / (1 + exp(A f + B)), by Newton on Platt's softened targets.

    Lin, Lin and Weng 2007, "A note on Platt's probabilistic outputs".
    """
    positive, negative = weight[y].sum(), weight[~y].sum()
    target = np.where(y, (positive + 1) / (positive + 2), 1 / (negative + 2))
    x = np.array([0.0, np.log((negative + 1) / (positive + 1))])
    value, gradient, hessian = _logistic(x, f, target, weight)
    for _ in range(100):
        if np.abs(gradient).max() < 1e-5:
            break
        step = np.linalg.solve(hessian, -gradient)
        size, slope = 1.0, gradient @ step
        while size > 1e-10:
            new, *rest = _logistic(x + size * step, f, target, weight)
            if new < value + 1e-4 * size * slope:
                break
            size /= 2
        else:
            break
        x, value, (gradient, hessian) = x + size * step, new, rest
    return x


def _logistic(x, f, target, weight):
    """Loss, gradient and Hessian of Platt's cross entropy at x = (A, B)."""
    z = x[0] * f + x[1]
    p = 1 / (1 + np.exp(np.clip(z, -700, 700)))
    loss = weight @ (np.logaddexp(0, z) - (1 - target) * z)
    rest, curve = weight * (target - p), weight * p * (1 - p)
    cross = curve @ f
    return (
        loss,
        np.array([rest @ f, rest.sum()]),
        np.array([[curve @ f**2, cross], [cross, curve.sum()]]) + 1e-12 * np.eye(2),
    )


def couple(R):
    """R (n, q, q), R[:, i, j] = P(i | i or j) -> P (n, q).

    Wu, Lin and Weng 2004, second method, solved exactly.
    """
    n, q, _ = R.shape
    Q = -np.transpose(R, (0, 2, 1)) * R
    diagonal = np.arange(q)
    Q[:, diagonal, diagonal] = (np.transpose(R, (0, 2, 1)) ** 2).sum(axis=2) - R[:, diagonal, diagonal] ** 2
    system = np.zeros((n, q + 1, q + 1))
    system[:, :q, :q] = Q
    system[:, :q, q] = system[:, q, :q] = 1
    right = np.zeros((n, q + 1, 1))
    right[:, q] = 1
    P = np.clip(np.linalg.solve(system, right)[:, :q, 0], 0, None)
    return P / P.sum(axis=1, keepdims=True)
