"""Metrics of two and of many classes. Each takes W (b, n), how often each row counts (see ranking.py).

Letters: n rows, b resamples, q classes.
"""

import numpy as np

from ml_core.measure.ranking import ranking, ratio


def loss_of_rows(p):
    """Minus the logarithm of the probability given to the truth, (n,); clipped as scikit-learn clips it."""
    eps = np.finfo(float).eps
    given = p.probability[np.arange(len(p)), p.truth]
    return -np.log(np.clip(given, eps, 1 - eps))


def binary(p):
    """Predictions -> a function of W (b, n) that returns {metric: (b,)}; nan where it has no meaning."""
    true, said = p.truth == p.positive, p.answer == p.positive
    cells = np.column_stack([true & said, ~true & said, true & ~said, ~true & ~said]).astype(float)
    rank = None if p.score is None or not len(p) else ranking(true, p.score[:, p.positive])
    loss = None
    if p.probability is not None:
        loss = np.column_stack([loss_of_rows(p), (p.probability[:, p.positive] - true) ** 2])

    def of(W):
        found, false, missed, rejected = (W @ cells).T
        rows = W.sum(axis=1)
        recall, specificity = ratio(found, found + missed), ratio(rejected, rejected + false)
        values = {}
        if rank is not None:
            values["auc"], precision = rank(W)
            # without a row to get wrong it is 1, whatever the model does
            values["average_precision"] = np.where(false + rejected > 0, precision, np.nan)
        if loss is not None:
            values["log_loss"], values["brier"] = ratio((W @ loss).T, rows)
        return values | {
            "accuracy": ratio(found + rejected, rows),
            "balanced_accuracy": (recall + specificity) / 2,
            "f1": ratio(2 * found, 2 * found + false + missed),
            "precision": ratio(found, found + false),
            "recall": recall,
        }

    return of


def multiclass(p):
    """Predictions -> a function of W (b, n) that returns {metric: (b,)}; means skip classes without rows."""
    q = len(p.classes)
    is_class = np.equal.outer(p.truth, np.arange(q)).astype(float)
    said = np.equal.outer(p.answer, np.arange(q)).astype(float)
    right = is_class * said
    loss = None if p.probability is None else loss_of_rows(p)
    ranks = []
    if p.score is not None and len(p):
        ranks = [ranking(p.truth == k, p.score[:, k], precision=False) for k in range(q)]

    def of(W):
        rows, there, claimed, hits = W.sum(axis=1), W @ is_class, W @ said, W @ right
        values = {
            "accuracy": ratio(hits.sum(axis=1), rows),
            "balanced_accuracy": _mean(ratio(hits, there)),
            "f1_macro": _mean(ratio(2 * hits, there + claimed)),
        }
        if loss is not None:
            values["log_loss"] = ratio(W @ loss, rows)
        if ranks:
            values["auc_ovr"] = _mean(np.column_stack([rank(W)[0] for rank in ranks]))
        return values

    return of


def _mean(parts):
    """Mean over the classes that are there, (b, q) -> (b,); nan where none is."""
    there = ~np.isnan(parts)
    return ratio(np.where(there, parts, 0.0).sum(axis=1), there.sum(axis=1))


def confusion(p):
    """Counts (q, q): row the truth, column the answer."""
    q = len(p.classes)
    return np.bincount(p.truth * q + p.answer, minlength=q * q).reshape(q, q)


def calibration(p, bins=10):
    """Predictions with probabilities -> reliability in bins of equal width, expected calibration error.

    Two classes: the probability of the positive one against how often it came. Many: the probability of the
    likeliest class against how often it was right.
    """
    if p.task == "binary":
        said, came = p.probability[:, p.positive], p.truth == p.positive
    else:
        said, came = p.probability.max(axis=1), p.probability.argmax(axis=1) == p.truth
    place = np.minimum((said * bins).astype(int), bins - 1)
    rows = np.bincount(place, minlength=bins)
    mean = ratio(np.bincount(place, said, bins), rows)
    share = ratio(np.bincount(place, came, bins), rows)
    filled = rows > 0
    low, high = wilson(share[filled], rows[filled])
    error = float((rows * np.abs(mean - share))[filled].sum() / max(len(p), 1))
    found = {
        "predicted": mean[filled],
        "observed": share[filled],
        "low": low,
        "high": high,
        "rows": rows[filled],
    }
    return found, error


def wilson(share, rows, z=1.959963984540054):
    """95 % interval of a share seen in so many rows (Wilson 1927): never leaves [0, 1]."""
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
