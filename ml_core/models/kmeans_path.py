"""A grid of k-means: all candidates of a fold run together over one copy of its rows."""

import warnings

import numpy as np
from sklearn.base import clone

from ml_core.kernels import threads
from ml_core.models import scoring
from ml_core.models.dense import dense_rows
from ml_core.models.kmeans_runs import fit_together, starts_of

ROOM = 2e8  # bytes that labels and bounds of the runs may take at once, and
TIMES = 2  # of the rows' own bytes at most


@threads.single
def score_all(model, X, y, candidates, folds, scorer=None):
    """Scores (candidates, folds), equal to one fit at a time; all k and starts of a fold share their passes.

    nan where a fit or its score raises.
    """
    scores = np.full((len(candidates), len(folds)), np.nan)
    judge = scoring.judge(model, scorer)
    for j, (train, test) in enumerate(folds):
        held = scoring.rows_of(X, test), None if y is None else scoring.rows_of(y, test)
        for i, fitted in _fitted(model, candidates, scoring.rows_of(X, train), j):
            try:
                scores[i, j] = judge(fitted, *held)
            except Exception as error:
                _warn(candidates[i], j, error)
    return scores


def _warn(candidate, j, error):
    warnings.warn(f"{candidate} on fold {j} got no score: {error}", stacklevel=4)


def _fitted(model, candidates, X, j):
    """Yield (index, fitted model) of every candidate that can be fitted on X."""
    trials = []
    for i, candidate in enumerate(candidates):
        try:
            trial = clone(model).set_params(**candidate)
            trial._validate_params()
            rows = dense_rows(trial, X)
            trials.append((i, trial))
        except (ValueError, TypeError) as error:
            _warn(candidate, j, error)
    trials.sort(key=lambda trial: -trial[1].n_clusters)  # the longest chains of first centers hold the others
    chains = {}
    while trials:
        some = _batch(trials, rows)
        yield from _together(trials[:some], (rows, chains), candidates, j)
        trials = trials[some:]


def _together(trials, rows, candidates, j):
    """Fit trials at once, or, where one of them cannot be fitted, one after another."""
    X, chains = rows
    try:
        fit_together([trial for _, trial in trials], X, None, chains)
    except ValueError as error:
        if len(trials) == 1:
            _warn(candidates[trials[0][0]], j, error)
            return
        for single in trials:
            yield from _together([single], rows, candidates, j)
        return
    yield from trials


def _batch(trials, rows):
    """How many of the trials have room together; one at least."""
    sizes = np.cumsum([24 * rows.shape[0] * starts_of(trial) for _, trial in trials])
    room = min(ROOM, TIMES * 8 * rows.shape[0] * rows.shape[1])
    return max(1, int(np.searchsorted(sizes, room, side="right")))
