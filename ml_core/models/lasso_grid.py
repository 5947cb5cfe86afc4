"""All penalties and folds of Lasso and ElasticNet at the price of one pass over the rows.

Letters: n rows, d columns, t targets, a penalties; shares and shift as in ``kernels.gram``.
"""

import numpy as np
from sklearn.utils.validation import check_array

from ml_core.kernels import gram, threads
from ml_core.models import scoring
from ml_core.models.line import read_whole, set_line
from ml_core.models.ridge_path import fold_shares, quadratic


@threads.single
def score_many(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds); see docs/contracts.md."""
    from ml_core.models.lasso import WHOLE

    scores = np.full((len(candidates), len(folds)), np.nan)
    name = scoring.name_of(scorer, "r2")
    read = read_whole(X)
    try:
        Y = check_array(y, ensure_2d=False, dtype=np.float64)
    except ValueError:  # a missing target somewhere: one fit at a time says on which fold
        read = None
    if read is not None and read.shape[1] <= WHOLE:
        plan = scoring.groups(model, candidates, "alpha", lambda trial: trial.alpha > 0)
        one, Y = Y.ndim == 1, Y.reshape(len(Y), -1)
        shift = gram.shift_of(read, Y)
        for j, (train, test) in enumerate(fold_shares(read, Y, None, shift, folds)):
            held = scoring.Held(X, y, folds[j][1], scorer)
            for trial, indices, alphas in plan:
                indices = np.array(indices)
                lines = _path(trial, train, shift, np.array(alphas), read.shape[1])
                scores[indices, j] = quadratic(test, shift, lines, name)
                for k in np.flatnonzero(np.isnan(scores[indices, j]) & lines[2]):
                    fitted = scoring.dressed(model, candidates[indices[k]], read, {})
                    scores[indices[k], j] = held.score(
                        _dress(fitted, lines[0][k], lines[1][k], one, read.dtype)
                    )
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _dress(fitted, W, offset, one, dtype):
    """Coefficients in the shapes of a fit."""
    return set_line(fitted, W, offset, one, dtype)


def _path(trial, train, shift, alphas, d):
    """Training share -> W (a, d, t), offset (a, d + t), trusted (a,): whether the share is finite and has
    converged.
    """
    from ml_core.models.lasso import path_of, wholes

    sums, n = train[-1, :-1], train[-1, -1]
    if trial.fit_intercept:
        mean, G, lost = gram.centre(train)
        offset = shift + mean
        gram.silence(G, offset, n)
    else:
        G, lost, offset = train[:-1, :-1] + np.outer(shift, sums), 1.0, np.zeros(len(shift))
        G += np.outer(sums, shift) + n * np.outer(shift, shift)
    W = np.zeros((len(alphas), d, len(shift) - d))
    trusted = np.full(len(alphas), bool(np.isfinite(G).all()) and lost < 1e7 and n > 0)
    if trusted.any():
        ratio, most = getattr(trial, "l1_ratio", 1.0), trial.max_iter or 1000
        for j, source in enumerate(wholes(G, d, n)):
            W[:, :, j], gaps, _ = path_of(source, alphas, ratio, trial.positive, trial.tol, most)
            trusted &= gaps <= max(trial.tol, 1e-12) * source.yy
    return W, np.broadcast_to(offset, (len(alphas), len(offset))), trusted
