"""Permutation importance: how much the main metric loses when one raw column is shuffled, with an interval.

Breiman 2001, "Random forests"; on held-out rows and the whole pipeline, as scikit-learn's inspection has it.

Letters: m rows, b resamples, k numbers said of a row.
"""

import numpy as np

from ml_core.measure.asking import permuted
from ml_core.measure.bootstrap import counts
from ml_core.measure.ranking import ranking, ratio
from ml_core.measure.score import digits

RESAMPLES = 100  # for a standard error; a percentile would need ten times as many


def judge_of(task, truth, names, positive=1):
    """Name of the metric, and a function of said (m, k), W (b, m) -> (b,); higher is better.

    truth: codes into ``names``, or values; for clusters those the rows are in, which are to stay.
    """
    if task == "regression":
        return "r2", lambda said, W: _r2(truth, said[:, 0], W)
    if task == "binary" and len(np.unique(truth)) == 2:
        true = truth == positive
        return "auc", lambda said, W: ranking(true, said[:, positive], precision=False)(W)[0]
    if task in ("binary", "multiclass"):
        present, codes = np.unique(truth, return_inverse=True)
        member = np.equal.outer(codes, np.arange(len(present))).astype(float)

        def recall(said, W):
            hit = (said.argmax(axis=1) == truth)[:, None] * member
            shares = ratio(W @ hit, W @ member)
            there = ~np.isnan(shares)
            return ratio(np.where(there, shares, 0.0).sum(axis=1), there.sum(axis=1))

        return "balanced_accuracy" if len(present) > 1 else "accuracy", recall
    return "kept", lambda said, W: ratio(W @ (said.argmax(axis=1) == truth), W.sum(axis=1))


def _r2(truth, said, W):
    y, error = truth - truth.mean(), said - truth
    rows = W.sum(axis=1)
    spread = W @ y**2 - (W @ y) ** 2 / rows
    return 1 - ratio(W @ error**2, np.where(spread > 1e-14 * (y**2).sum(), spread, 0.0))


def orders(m, repeats, seed):
    """``repeats`` shuffles (repeats, m), the same for every column: their luck cancels in comparisons."""
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(m) for _ in range(repeats)])


def importance(asked, judge, shuffles, seed):
    """Asked, judge (said, W) -> (b,), shuffles (repeats, m) -> base {value, low, high}, {column: ...}.

    The interval holds both what other test rows would change (bootstrap, the same resamples with and without
    the shuffle) and what other shuffles would.
    """
    m, repeats = len(asked.X), len(shuffles)
    W = np.vstack([np.ones((1, m)), *counts(m, RESAMPLES, seed)])
    before = judge(asked.base(), W)
    after = {name: np.empty((repeats, RESAMPLES + 1)) for name in asked.X.columns}
    moving = [name for name in asked.X.columns if asked.own[name] is None or len(asked.own[name])]
    for name in set(asked.X.columns) - set(moving):
        after[name][:] = before  # no feature follows this column, so no prediction does
    for name, r, said in permuted(asked, moving, shuffles):
        after[name][r] = judge(said, W)
    return _between(before[0], np.nanstd(before[1:])), {
        name: _loss(before, scores) for name, scores in after.items()
    }


def _loss(before, after):
    loss = before - after
    over_rows = np.nanstd(loss[:, 1:].mean(axis=0)) if not np.isnan(loss[:, 1:]).all() else np.nan
    over_shuffles = loss[:, 0].std(ddof=1) / len(loss) ** 0.5 if len(loss) > 1 else 0.0
    each = [digits(value) for value in loss[:, 0]]
    return _between(loss[:, 0].mean(), np.hypot(over_rows, over_shuffles)) | {"repeats": each}


def _between(value, deviation):
    half = 1.959963984540054 * deviation
    return {"value": digits(value), "low": digits(value - half), "high": digits(value + half)}
