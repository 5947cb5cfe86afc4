"""Racing: a candidate that is too far behind on the first folds is not scored on the rest.

Fold by fold the same rows judge all candidates, so their differences tell far more than their scores do:
Moore and Lee 1994, "Efficient algorithms for minimizing cross validation error" (they block on the rows).
Who is stopped depends on scores alone, never on time; and between folds only: within a fold's learning curve
an oracle would spare 6 % of the rounds that a race takes (a grid of boosting, mean of six tables), and slow
learners, far behind at first, win in the end. Letters: k candidates, f folds, r of them done.
"""

import numpy as np
from scipy.special import stdtrit

FIRST = 2  # folds before anyone is stopped: one difference has no spread
CHANCE = 1e-4


def raced(model, data, trials, scorer=None, chance=CHANCE):
    """Scores (k, f) by ``model.score_many``, asked fold after fold about those who still may win.

    nan on the folds that a candidate was stopped before, so that its mean is nan and no candidate that was
    stopped can be taken for the best. data: (X, y); trials: (candidates, folds); chance: as ``hopeless``.
    """
    (X, y), (candidates, folds) = data, trials
    scores, running = np.full((len(candidates), len(folds)), np.nan), np.arange(len(candidates))
    for some in stages(len(folds)):
        asked = [candidates[i] for i in running]
        found = model.score_many(X, y, asked, [folds[j] for j in some], scorer)
        scores[np.ix_(running, some)] = found
        out = hopeless(scores[running, : some[-1] + 1], len(folds), chance)
        running = running[~out]
    return scores


def stages(f):
    """Folds that are scored between two looks: [(0, 1), (2,), ...]."""
    return [tuple(range(min(FIRST, f))), *((j,) for j in range(FIRST, f))]


def hopeless(scores, f, chance=CHANCE):
    """(k,) bool: who will not have the best mean over f folds, by scores (k, r) on the first r of them.

    Until the last fold, a candidate's mean difference to the leader moves by an error of variance
    s^2 (f - r) / (f r). s^2 is the variance of its differences, or, where that is larger, that of any two
    candidates': twice what neither candidate nor fold explains of the scores. It is stopped where making up
    for the whole difference has a probability below ``chance`` in Student's distribution of (r - 1) (k - 1)
    degrees: few candidates on few folds stop nobody. Rows with a nan, failures, are left out, never stopped.
    """
    if not 0 < chance < 0.5:
        raise ValueError(f"chance must lie between 0 and 0.5, got {chance!r}; take {CHANCE:g}")
    out, known = np.zeros(len(scores), bool), np.flatnonzero(np.isfinite(scores).all(axis=1))
    r = scores.shape[1]
    if len(known) < 2 or not FIRST <= r < f:
        return out
    some, degrees = scores[known], (r - 1) * (len(known) - 1)
    rest = some - some.mean(axis=1, keepdims=True) - some.mean(axis=0) + some.mean()
    gaps = some - some[some.mean(axis=1).argmax()]
    spread = np.maximum(gaps.var(axis=1, ddof=1), 2 * (rest**2).sum() / degrees)
    error = np.sqrt(spread * (f - r) / (f * r))
    told = error > 1e-9 * np.abs(some).max()  # differences that are all equal tell no spread
    out[known] = told & (gaps.mean(axis=1) < stdtrit(degrees, chance) * error)
    return out
