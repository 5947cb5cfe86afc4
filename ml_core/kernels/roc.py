"""Area under the ROC curve by whole numbers: equal orders give equal bits, whatever the scores are."""

import numpy as np


def area(positive, score):
    """positive bool (n,), score (n,) -> share of (positive, negative) pairs in the right order, ties half.

    Both kinds of rows must be there; n up to 2e9.
    """
    order = np.argsort(score)  # the order of equal scores does not matter: they share their places
    ranked, hits = score[order], positive[order]
    n, n_hits = len(order), int(np.count_nonzero(hits))
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    if len(starts) == n:
        twice = 2 * int(np.flatnonzero(hits).sum())  # places from 0 of the positive rows
    else:
        ends = np.r_[starts[1:], n]
        twice = int((np.add.reduceat(hits.astype(np.int64), starts) * (starts + ends - 1)).sum())
    right = twice - n_hits * (n_hits - 1)  # two for a pair in order, one for a tie
    return right / (2 * n_hits * (n - n_hits))
