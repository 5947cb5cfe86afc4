"""Hinge and insensitive losses, plain or squared, on wide sparse rows: one dual variable at a time, compiled.

Letters: n rows of CSR (data, indices, indptr), bias (0: none), w (k,) = X' b, b (n,) in [lo, hi], y (n,)
targets: min 1/2 w'w + sum extra b^2 / 2 - y'b + width |b|. Hinge: y = s, width = 0, b between 0 and s c;
squared: no upper bound, extra = 1 / (2 c) (Hsieh et al. 2008).
"""

import numpy as np

from ml_core.kernels.jit import jit


@jit()
def once(X, bias, lengths, box, w, b, order):  # noqa: PLR0913
    """One sweep in the given order; w and b change in place.

    X is (data, indices, indptr), box is (lo, hi, y, width, extra).
    """
    data, indices, indptr = X
    lo, hi, y, width, extra = box
    last = len(w) - 1
    for i in order:
        if lengths[i] == 0.0:
            continue
        f = bias * w[last] if bias > 0 else 0.0
        for t in range(indptr[i], indptr[i + 1]):
            f += data[t] * w[indices[t]]
        curve = lengths[i] + extra[i]
        wish = b[i] - (f + extra[i] * b[i] - y[i]) / curve
        shrunk = max(abs(wish) - width / curve, 0.0)
        new = min(max(shrunk if wish > 0 else -shrunk, lo[i]), hi[i])
        change = new - b[i]
        if change != 0.0:
            b[i] = new
            for t in range(indptr[i], indptr[i + 1]):
                w[indices[t]] += change * data[t]
            if bias > 0:
                w[last] += change * bias


def solve(design, box, cost, rng, tol, most):
    """-> w (k,), sweeps in random orders, converged: gap <= tol times the primal.

    ``cost(f)`` is the summed loss, ``design`` as in margin.py.
    """
    X, bias = design.X, float(design.bias)
    _, _, y, width, extra = box
    lengths = np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).ravel() + bias**2
    b, w = np.zeros(X.shape[0]), np.zeros(design.width)
    parts = (X.data, X.indices, X.indptr)
    for done in range(1, most + 1):
        once(parts, bias, lengths, box, w, b, rng.permutation(len(b)))
        if done % 5 == 0 or done == most:
            primal = w @ w / 2 + cost(design.times(w))
            dual = y @ b - width * np.abs(b).sum() - (w @ w + extra @ b**2) / 2
            if primal - dual <= tol * max(primal, 1e-300):
                return w, done, True
    return w, most, False
