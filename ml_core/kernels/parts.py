"""Cut rows into the largest parts that every fold takes or leaves whole, so that a fold is a sum of parts."""

import numpy as np

FOLDS_AT_ONCE = 16  # two bits a fold beside a 32-bit label fit in one 64-bit key


def _codes(folds, n_rows):
    """(folds, n_rows) uint8: 1 where a fold trains on a row, 2 where it tests; None if one occurs twice."""
    codes = np.zeros((len(folds), n_rows), np.uint8)
    for code, (train, test) in zip(codes, folds, strict=True):
        code[train] += 1
        code[test] += 2
        if np.count_nonzero(code == 1) != len(train) or np.count_nonzero(code == 2) != len(test):
            return None
    return codes


def parts_of(folds, n_rows, most):
    """folds [(train, test)] -> parts [rows], train and test [[part]] of each fold; None if over ``most``.

    Also None when a fold draws a row twice (bootstrap): such folds are no sums of parts.
    """
    codes = _codes(folds, n_rows)
    if codes is None:
        return None
    label = np.zeros(n_rows, np.uint64)
    for first in range(0, len(folds), FOLDS_AT_ONCE):
        key = label
        for code in codes[first : first + FOLDS_AT_ONCE]:
            key = key << np.uint64(2) | code
        values, label = np.unique(key, return_inverse=True)
        if len(values) > most:
            return None
        label = label.astype(np.uint64)
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    head = codes[:, [rows[0] for rows in parts]]
    train = [np.flatnonzero(code == 1).tolist() for code in head]
    test = [np.flatnonzero(code == 2).tolist() for code in head]
    return parts, train, test


def fold_sums(add, n_rows, trains, most):
    """Yield the sums of each fold's training rows; ``add(rows)`` gives a tuple of arrays, which add up.

    A row is added once for all folds where they cut the rows into ``most`` parts or fewer.
    """
    nothing = np.zeros(0, int)
    cut = parts_of([(train, nothing) for train in trains], n_rows, int(min(16 + 4 * len(trains), most)))
    if cut is None:
        yield from map(add, trains)
        return
    sums = [add(rows) for rows in cut[0]]
    for train in cut[1]:
        yield tuple(sum(sums[k][i] for k in train) for i in range(len(sums[0])))
