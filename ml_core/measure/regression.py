"""Metrics of values. Each takes W (b, n), how often each row counts (see ranking.py).

Letters: n rows, b resamples.
"""

import numpy as np

from ml_core.measure.ranking import ratio


def regression(p):
    """Predictions -> a function of W (b, n) that returns {metric: (b,)}; nan where it has no meaning."""
    error = p.answer - p.truth
    size = np.abs(error)
    # around the mean: E[y^2] - E[y]^2 loses every digit when the mean dwarfs the spread
    y = p.truth - (p.truth.mean() if len(p) else 0.0)
    sums = np.column_stack([error**2, size, error, y, y**2])
    order = np.argsort(size, kind="stable")
    # a share of a target that is nearly 0 says nothing: then there is no mape at all
    floor = 1e-9 * np.abs(p.truth).max(initial=0.0)
    share = size / np.abs(p.truth) if np.all(np.abs(p.truth) > floor) else None

    def of(W):
        rows = W.sum(axis=1)
        squares, sizes, errors, level, spread = ratio((W @ sums).T, rows)
        variance = spread - level**2
        flat = variance <= 1e-14 * np.maximum(spread, 1e-300)
        values = {
            "r2": np.where(flat, np.nan, 1 - ratio(squares, variance)),
            "rmse": np.sqrt(squares),
            "mae": sizes,
            "median_absolute_error": _median(size[order], W[:, order], rows),
            "bias": errors,
        }
        return values if share is None else values | {"mape": ratio(W @ share, rows)}

    return of


def _median(values, W, rows):
    """Median of sorted ``values`` (n,), each counted W (b, n) times: the mean of the middle one or two."""
    if not len(values):
        return np.full(len(W), np.nan)
    upto = np.cumsum(W, axis=1)
    middle = [(upto <= k[:, None]).sum(axis=1) for k in ((rows - 1) // 2, rows // 2)]
    low, high = (values[np.minimum(place, len(values) - 1)] for place in middle)
    return np.where(rows > 0, (low + high) / 2, np.nan)


def calibration(p, bins=10):
    """``bins`` of equally many rows by prediction: mean prediction against mean truth and its interval."""
    order = np.argsort(p.answer, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)] if len(order) else []
    said = np.array([p.answer[part].mean() for part in parts])
    came = np.array([p.truth[part].mean() for part in parts])
    half = np.array(
        [1.96 * p.truth[part].std(ddof=1) / len(part) ** 0.5 if len(part) > 1 else 0.0 for part in parts]
    )
    rows = np.array([len(part) for part in parts], dtype=int)
    error = float((rows * np.abs(said - came)).sum() / max(len(p), 1))
    return {"predicted": said, "observed": came, "low": came - half, "high": came + half, "rows": rows}, error
