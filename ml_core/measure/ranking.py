"""Metrics that read the order of the scores only: area under the ROC curve, average precision.

Letters: n rows, b resamples. Every metric takes ``W`` (b, n), how often each row counts, and returns (b,):
a row of ones is the plain metric, a row of counts a bootstrap resample, a row of zeros and ones a slice.
"""

import numpy as np


def ratio(above, below):
    """above / below, nan where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def ranking(positive, score, precision=True):
    """positive bool (n,), score (n,) -> function of W (b, n): auc (b,), average precision (b,) or None.

    The rows are sorted here, once; a resample then costs two running sums. Equal scores form one group.
    The counts are whole numbers, so the sums are exact and the same for any number of threads.
    """
    order = np.argsort(-score, kind="stable")
    sorted_score, hit = score[order], positive[order].astype(np.int32)
    starts = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    tied = len(starts) < len(order)

    def of(W):
        # a running sum of integers takes a fifth of the time of one of floats
        W = W.astype(np.int32).take(order, axis=1)
        hits = W * hit
        if tied:
            W, hits = (np.add.reduceat(part, starts, axis=1) for part in (W, hits))
        found = np.cumsum(hits, axis=1, dtype=np.int32)
        positives, misses = found[:, -1].astype(float), W - hits
        # a miss is beaten by the hits above its group, and half by those beside it in the group; no copy as
        # float is made, since fresh memory costs more than the sums
        beaten = np.einsum("ij,ij->i", misses, 2 * found - hits, dtype=np.int64) / 2
        auc = ratio(beaten, positives * misses.sum(axis=1))
        if not precision:
            return auc, None
        rows = np.cumsum(W, axis=1, dtype=np.int32)
        share = np.divide(found, np.maximum(rows, 1, out=rows))
        return auc, ratio(np.einsum("ij,ij->i", hits, share), positives)

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
