"""Percentile intervals by resampling rows; the same draws for whoever asks with the same n and seed.

Letters: n rows, b resamples.
"""

import numpy as np

from ml_core.progress import track

CELLS = 1 << 15  # counts held at once: beyond 256 KB every pass waits for memory (twice the time at 8 MB)


def counts(n, resamples, seed, cells=CELLS):
    """Yield W (some, n) float64 until ``resamples`` rows have come: how often each resample drew each row.

    The draws are those of ``default_rng(seed).integers(n, size=(resamples, n))``, whatever ``cells`` is.
    """
    rng, step = np.random.default_rng(seed), max(1, cells // max(n, 1))
    for start in range(0, resamples, step):
        b = min(step, resamples - start)
        drawn = rng.integers(n, size=(b, n))
        drawn += np.arange(b)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n).astype(float)


def resample(metrics, n, resamples, seed):
    """{name: function of W that returns {metric: (b,)}} -> {name: {metric: (resamples,)}}, on the same draws.

    Two models on the same rows, given as two names, are therefore compared in pairs; a slice is a function
    that reads its own columns of W.
    """
    drawn = {name: {} for name in metrics}
    steps = -(-resamples // max(1, CELLS // max(n, 1)))
    for W in track(counts(n, resamples, seed), "bootstrap", total=steps):
        for name, of in metrics.items():
            for metric, values in of(W).items():
                drawn[name].setdefault(metric, []).append(values)
    return {name: {m: np.concatenate(parts) for m, parts in found.items()} for name, found in drawn.items()}


def interval(drawn, confidence=0.95):
    """Percentile interval of resampled values (b,); None, None when under half of them are defined."""
    good = drawn[~np.isnan(drawn)]
    if not len(drawn) or len(good) < len(drawn) / 2:
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(good, [tail, 1 - tail])
    return float(low), float(high)
