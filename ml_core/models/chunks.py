"""Least squares on data larger than memory: the Gram shares of chunks add up, and any order gives the fit.

Letters: n rows, d columns, t targets; share (d + t + 1,)^2 and shift (d + t,) as in ``kernels.gram``.
The shift is that of the first chunk and stays, so that shares can be added.
"""

import numpy as np

from ml_core.kernels import gram
from ml_core.kernels.leastsquares import REFINED, Factor, by_triangle, nonnegative
from ml_core.models.line import penalties, read_rows, set_line, told
from ml_core.models.weights import row_weights

ROOT = 1e-7  # share of the largest singular value that a Gram matrix in float64 tells from zero


def take(model, X, y, sample_weight):
    """Add a chunk to the model's sums -> whether y was one column."""
    first = not hasattr(model, "_share")
    X, Y, one = read_rows(model, X, y, reset=first)
    if first:
        model._shift = gram.anchor(X, Y)
    t = len(model._shift) - X.shape[1]
    if Y.shape[1] != t:
        raise ValueError(f"y has {Y.shape[1]} targets, but the chunks before had {t}; fit a clone")
    share = gram.share(X, Y, row_weights(sample_weight, X), model._shift)
    with told(model, X):
        gram.refuse(X, share)
    if not np.isfinite(share).all():
        raise ValueError("X or y is so large that sums of its squares overflow; scale the columns")
    model._share = share if first else model._share + share
    model.n_samples_seen_ = X.shape[0] + (0 if first else model.n_samples_seen_)
    return one


def forget(model):
    """Drop the sums, so that the next chunk is the first."""
    for name in ("_share", "_shift", "n_samples_seen_"):
        model.__dict__.pop(name, None)


def _root(G):
    """R (p, p) with R'R = G (p, p), to half of its digits."""
    values, vectors = np.linalg.eigh(G)
    return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T


def solve_ridge(model, one):
    """Set coef_ and intercept_ of Ridge from the sums."""
    offset, G, _ = gram.about(model._share, model._shift, model.fit_intercept)
    t = len(G) - model.n_features_in_
    d, alpha = len(G) - t, penalties(model, t)
    if model.positive:
        W = nonnegative(_root(G), d, alpha)
    else:
        W = np.column_stack([_one(G, d, j, penalty) for j, penalty in enumerate(alpha)])
    return set_line(model, W, offset, one, np.float64)


def _one(G, d, j, penalty):
    factor = Factor(G[:d, :d], penalty)
    if factor.rcond >= REFINED:
        return factor.solve(G[:d, d + j])
    keep = np.append(np.arange(d), d + j)
    return by_triangle(_root(G[np.ix_(keep, keep)]), d, penalty, ROOT)[0][:, 0]


def solve_line(model, one):
    """Set coef_, intercept_, singular_ and rank_ of LinearRegression from the sums."""
    offset, G, _ = gram.about(model._share, model._shift, model.fit_intercept)
    d, cut = model.n_features_in_, max(model.tol, ROOT)
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(G[:d, :d])[::-1], 0))
    factor = Factor(G[:d, :d])
    if model.positive:
        W = nonnegative(_root(G), d, 0.0)
    elif factor.rcond >= REFINED and singular[-1] > 2 * max(cut, REFINED**0.5) * singular[0]:
        W = factor.solve(G[:d, d:])
    else:
        W, _ = by_triangle(_root(G), d, 0.0, cut)
    model.singular_ = singular
    model.rank_ = int((singular > cut * singular.max(initial=0)).sum())
    return set_line(model, W, offset, one, np.float64)
