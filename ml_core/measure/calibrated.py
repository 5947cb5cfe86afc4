"""Do probabilities mean what they say: calibration error, the parts of the Brier score, a test, two models.

Two classes: the probability of the positive one. Many: that of the likeliest one, and whether it was right.
Values: predictions and truths in units of the truth's spread. Letters: n rows, b resamples, k bins.
"""

import numpy as np
from scipy.special import ndtr

from ml_core.measure.bootstrap import resample
from ml_core.measure.ranking import ratio


def said_and_came(p):
    """Predictions -> what was said (n,), what came (n,), bin of each row; KeyError without probabilities."""
    if p.task == "regression":
        spread = p.truth.std() or 1.0
        rank = np.argsort(np.argsort(p.answer, kind="stable"), kind="stable")
        return p.answer / spread, p.truth / spread, lambda bins: rank * bins // max(len(p), 1)
    if p.task not in ("binary", "multiclass") or p.probability is None:
        raise KeyError(f"a {p.task} model without probabilities has no calibration")
    if p.task == "binary":
        said, came = p.probability[:, p.positive], p.truth == p.positive
    else:
        said, came = p.probability.max(axis=1), p.probability.argmax(axis=1) == p.truth
    return said, came.astype(float), lambda bins: np.minimum((said * bins).astype(int), bins - 1)


def calibration_error(p, bins=10):
    """Predictions -> a function of W (b, n) that returns {error, reliability, resolution, uncertainty}: (b,).

    ``error`` is the expected calibration error: the mean over rows of how far their bin is off. The Brier
    score is reliability - resolution + uncertainty (Murphy 1973), but for the spread within bins.
    """
    said, came, binned = said_and_came(p)
    place = binned(bins)

    def of(W):
        at = (
            place + bins * np.arange(len(W))[:, None]
        ).ravel()  # counting costs a tenth of (n, 3 k) products
        sums = [np.bincount(at, (W * part).ravel(), bins * len(W)) for part in (1.0, said, came)]
        rows, expected, seen = (part.reshape(len(W), bins) for part in sums)
        n = rows.sum(axis=1)
        rate = ratio(seen.sum(axis=1), n)
        off = np.where(rows > 0, ratio((expected - seen) ** 2, rows), 0.0)
        apart = np.where(rows > 0, rows * (ratio(seen, rows) - rate[:, None]) ** 2, 0.0)
        return {
            "error": ratio(np.abs(expected - seen).sum(axis=1), n),
            "reliability": ratio(off.sum(axis=1), n),
            "resolution": ratio(apart.sum(axis=1), n),
            "uncertainty": rate * (1 - rate),
        }

    return of


def compare_errors(new, old, bins=10, resamples=1000, seed=0):
    """Calibration errors of two models on the same rows -> new, old, (b,) resampled new - old."""
    both = {"new": calibration_error(new, bins), "old": calibration_error(old, bins)}
    plain = {name: float(of(np.ones((1, len(new))))["error"][0]) for name, of in both.items()}
    only = {name: (lambda W, of=of: {"error": of(W)["error"]}) for name, of in both.items()}
    drawn = resample(only, len(new), resamples, seed)
    return plain["new"], plain["old"], drawn["new"]["error"] - drawn["old"]["error"]


def spiegelhalter(p):
    """Two-sided p-value for "the probabilities are the chances"; nan where all of them are 0, 1/2 or 1.

    Spiegelhalter 1986: the Brier score is about normal around what calibrated probabilities would give.
    """
    said, came, _ = said_and_came(p)
    variance = ((1 - 2 * said) ** 2 * said * (1 - said)).sum()
    if not variance > 0:
        return float("nan")
    return float(2 * ndtr(-abs(((came - said) * (1 - 2 * said)).sum()) / variance**0.5))
