"""Metrics that read the order of the scores only: area under the ROC curve, average precision.

Letters: n rows, b resamples. Every metric takes ``W`` (b, n), how often each row counts, and returns (b,):
a row of ones is the plain metric, a row of counts a bootstrap resample, a row of zeros and ones a slice.
"""

import numpy as np


def ratio(above, below):
    """above / below, nan where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def ranking(positive, score):
    """positive bool (n,), score (n,) -> a function of W (b, n) that returns auc (b,), average precision (b,).

    The rows are sorted here, once; a resample then costs two running sums. Equal scores form one group.
    The counts are whole numbers, so the sums are exact and the same for any number of threads.
    """
    order = np.argsort(-score, kind="stable")
    sorted_score, hit = score[order], positive[order].astype(float)
    starts = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    tied = len(starts) < len(order)

    def of(W):
        W = W[:, order]
        hits = W * hit
        if tied:
            W, hits = (np.add.reduceat(part, starts, axis=1) for part in (W, hits))
        rows, found = np.cumsum(W, axis=1), np.cumsum(hits, axis=1)
        positives, total = found[:, -1], rows[:, -1]
        misses = W - hits
        # each miss in a group has beneath it the hits not yet found, and beside it half of its own group's
        beaten = np.einsum("ij,ij->i", misses, found - 0.5 * hits)
        auc = ratio(beaten, positives * (total - positives))
        precision = np.divide(found, rows, out=rows, where=rows > 0)
        average = ratio(np.einsum("ij,ij->i", hits, precision), positives)
        return auc, average

    return of


def roc(positive, score):
    """positive bool (n,), score (n,) -> false and true positive rates, thresholds, from (0, 0) to (1, 1)."""
    misses, hits, threshold = _steps(positive, score)
    return (
        np.r_[0.0, ratio(misses, misses[-1])],
        np.r_[0.0, ratio(hits, hits[-1])],
        np.r_[np.inf, threshold],
    )


def precision_recall(positive, score):
    """positive bool (n,), score (n,) -> recall, precision, thresholds, from the highest threshold down."""
    misses, hits, threshold = _steps(positive, score)
    return ratio(hits, hits[-1]), ratio(hits, hits + misses), threshold


def _steps(positive, score):
    order = np.argsort(-score, kind="stable")
    hit, ranked = positive[order], score[order]
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    hits = np.cumsum(hit)[last]
    return (last + 1 - hits).astype(float), hits.astype(float), ranked[last]
