"""All penalties and folds of Lasso and ElasticNet at the price of one pass over the rows.

Letters: n rows, d columns, t targets, a penalties; shares and shift as in ``kernels.gram``.
"""

import numpy as np
from sklearn.utils.validation import check_array

from ml_core.kernels import gram, threads
from ml_core.kernels.working import WHOLE, wholes
from ml_core.models import scoring
from ml_core.models.line import read_whole, set_line
from ml_core.models.ridge_path import fold_shares, quadratic

LOST = 1e7  # digits a mean far from zero may cost a share, as a factor, before the rows are asked instead


@threads.single
def score_many(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds); see docs/contracts.md."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    read = read_whole(X)
    try:
        Y = check_array(y, ensure_2d=False, dtype=np.float64)
    except ValueError:  # a missing target somewhere: one fit at a time says on which fold
        read = None
    if read is not None and read.shape[1] <= WHOLE:
        plan = scoring.groups(model, candidates, "alpha", lambda trial: trial.alpha > 0)
        lines = _Lines(Y.ndim == 1, read, plan)
        Y = Y.reshape(len(Y), -1)
        shift = gram.anchor(read, Y)
        for j, shares in enumerate(fold_shares(read, Y, None, shift, folds)):
            held = scoring.Held(X, y, folds[j][1], scorer)
            scores[:, j] = lines.scores(model, candidates, (shares, shift), held)
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


class _Lines:
    """The candidates in groups of one path each, and what they are fitted on."""

    def __init__(self, one, read, plan):
        self.one, self.read, self.plan = one, read, plan

    def scores(self, model, candidates, given, held):
        """Scores (candidates,) on one fold; nan where the shares cannot tell."""
        (train, test), shift = given
        name = scoring.name_of(held.scorer, "r2")
        found = np.full(len(candidates), np.nan)
        for trial, indices, alphas in self.plan:
            W, offset, trusted = _path(trial, train, shift, np.array(alphas), self.read.shape[1])
            found[indices] = quadratic(test, shift, (W, offset, trusted), name)
            for k in np.flatnonzero(np.isnan(found[indices]) & trusted):
                fitted = scoring.dressed(model, candidates[indices[k]], self.read, {})
                found[indices[k]] = held.score(set_line(fitted, W[k], offset[k], self.one, self.read.dtype))
        return found


def _path(trial, train, shift, alphas, d):
    """Training share -> W (a, d, t), offset (a, d + t), trusted (a,): share is finite, path has converged."""
    from ml_core.models.lasso import path_of

    n = train[-1, -1]
    offset, G, lost = gram.about(train, shift, trial.fit_intercept)
    W = np.zeros((len(alphas), d, len(shift) - d))
    trusted = np.full(len(alphas), bool(np.isfinite(G).all()) and lost < LOST and n > 0)
    if trusted.any():
        ratio, most = getattr(trial, "l1_ratio", 1.0), trial.max_iter or 1000
        for j, source in enumerate(wholes(G, d, n)):
            W[:, :, j], gaps, _ = path_of(source, alphas, (ratio, trial.positive), (trial.tol, most))
            trusted &= gaps <= max(trial.tol, 1e-12) * source.yy
    return W, np.broadcast_to(offset, (len(alphas), len(offset))), trusted
