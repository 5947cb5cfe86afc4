"""DeLong's variance of the difference of two AUCs on the same rows, in the time of a sort.

DeLong, DeLong and Clarke-Pearson 1988; the ranks instead of all pairs after Sun and Xu 2014, "Fast
implementation of DeLong's algorithm". Letters: m positive rows, k negative ones, n = m + k.
"""

import numpy as np


def places(positive, score):
    """positive bool (n,), score (n,) -> auc, won (m,), lost (k,).

    ``won`` is the share of negatives that a positive row beats, ties half; ``lost`` the share of positives
    that beat a negative row. Both average to the AUC, and their spread is its variance. Needs m, k >= 1.
    """
    order = np.argsort(score, kind="stable")
    ranked, hit = score[order], positive[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))
    hits = np.add.reduceat(hit.astype(np.int64), starts)
    misses = np.diff(np.r_[starts, len(order)]) - hits
    below, above = np.cumsum(misses) - misses / 2, hits.sum() - np.cumsum(hits) + hits / 2
    won, lost = np.empty(len(order)), np.empty(len(order))
    won[order], lost[order] = (below / misses.sum())[group], (above / hits.sum())[group]
    won, lost = won[positive], lost[~positive]
    return float(won.mean()), won, lost


def delong(positive, new, old):
    """positive bool (n,), scores (n,) of two models -> AUC of new, of old, standard error of new - old.

    The error is nan with fewer than two rows of a side.
    """
    auc_new, won, lost = places(positive, new)
    auc_old, won_old, lost_old = places(positive, old)
    if len(won) < 2 or len(lost) < 2:
        return auc_new, auc_old, float("nan")
    variance = np.var(won - won_old, ddof=1) / len(won) + np.var(lost - lost_old, ddof=1) / len(lost)
    return auc_new, auc_old, float(variance**0.5)
