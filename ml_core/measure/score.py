"""All metrics of one model with their intervals, for all rows and for every slice; and why some are left out.

Letters: n rows, b resamples.
"""

import numpy as np

from ml_core.measure.bootstrap import interval, resample
from ml_core.measure.classification import binary, multiclass
from ml_core.measure.clustering import clustering, silhouettes
from ml_core.measure.ranking import ratio
from ml_core.measure.regression import regression

# the first is the task's main metric
METRICS = {
    "binary": "auc average_precision log_loss brier accuracy balanced_accuracy f1 precision recall",
    "multiclass": "balanced_accuracy accuracy f1_macro auc_ovr log_loss",
    "regression": "r2 rmse mae median_absolute_error mape bias",
    "clustering": "silhouette davies_bouldin inertia clusters smallest_share largest_share adjusted_rand",
}
METRICS = {task: names.split() for task, names in METRICS.items()}
LOWER_IS_BETTER = {
    "log_loss",
    "brier",
    "rmse",
    "mae",
    "median_absolute_error",
    "mape",
    "davies_bouldin",
    "inertia",
}
SAMPLE = 2000  # rows whose silhouettes are taken: they cost the square of their number


def main_metric(metrics, task):
    """Name of the first of the task's metrics that has a value; None when none has."""
    return next((name for name in METRICS[task] if name in metrics), None)


def digits(value, keep=10):
    """Rounded to ``keep`` significant digits: what is beyond them differs between machines."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.{keep}g}")


def metrics_of(p):
    """Predictions -> a function of W (b, n) that returns {metric: (b,)}; for clusters see ``grouping``."""
    return {"binary": binary, "multiclass": multiclass, "regression": regression}[p.task](p)


def score(p, resamples, seed, slices=(), min_rows=30):
    """Predictions with truth -> {metric: {value, low, high, n}}, {metric: why it is left out}, [slice].

    Slices and whole share their draws. One of under ``min_rows`` rows is listed, but not scored.
    """
    if not len(p):
        return {}, {name: "there are no test rows" for name in METRICS[p.task]}, []
    rows = {k: np.flatnonzero(s.rows) for k, s in enumerate(slices) if s.rows.sum() >= min_rows}
    whole = {None: p} | {k: p.take(some) for k, some in rows.items()}
    scorers = {k: metrics_of(part) for k, part in whole.items()}

    def columns_of(k):
        return scorers[k] if k is None else lambda W: scorers[k](W.take(rows[k], axis=1))

    drawn = resample({k: columns_of(k) for k in whole}, len(p), resamples, seed)
    values = {k: _with_intervals(scorers[k], drawn[k], len(part)) for k, part in whole.items()}
    left_out = {name: _why(name, p) for name in METRICS[p.task] if name not in values[None]}
    listed = []
    for k, s in enumerate(slices):
        n = int(s.rows.sum())
        one = {"column": s.column, "level": s.level, "n": n, "share": digits(n / len(p))}
        note = None if k in values else f"fewer than {min_rows} rows"
        listed.append(one | {"metrics": values.get(k, {}), "note": note})
    return values[None], left_out, listed


def _with_intervals(of, drawn, n):
    plain = {name: float(value[0]) for name, value in of(np.ones((1, n))).items()}
    known = {}
    for name, value in plain.items():
        if np.isfinite(value):
            low, high = interval(drawn.get(name, np.zeros(0)))
            known[name] = {"value": digits(value), "low": digits(low), "high": digits(high), "n": n}
    return known


def grouping(p, Z, resamples, seed):
    """Clusters of rows Z (n, p) -> metrics, reasons, silhouettes of a sample (only they have an interval)."""
    if not len(p):
        return {}, {name: "there are no test rows" for name in METRICS["clustering"]}, None
    values = {name: digits(value) for name, value in clustering(Z, p.answer, p.truth).items()}
    known = {
        m: {"value": v, "low": None, "high": None, "n": len(p)} for m, v in values.items() if v is not None
    }
    rows = sample(len(p), SAMPLE, seed)
    labels, each = p.answer[rows], None
    if 1 < len(np.unique(labels)) < len(rows):
        each = silhouettes(Z[rows], np.unique(labels, return_inverse=True)[1])

        def mean(W):
            return {"silhouette": ratio(W @ each, W.sum(axis=1))}

        drawn = resample({None: mean}, len(rows), resamples, seed)[None]
        known |= _with_intervals(mean, drawn, len(rows))
    left_out = {name: _why(name, p) for name in METRICS["clustering"] if name not in known}
    return known, left_out, None if each is None else (labels, each)


def sample(n, most, seed):
    """Sorted indices of at most ``most`` of n rows."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _why(name, p):
    """Why a metric has no value, for the reader of metrics.json."""
    if name in ("auc", "average_precision", "auc_ovr") and p.score is None:
        return "the model has neither predict_proba nor decision_function"
    if name in ("log_loss", "brier") and p.probability is None:
        return "the model has no predict_proba"
    if p.task == "binary" and name == "precision" and (p.truth == p.positive).any():
        return f"no row was predicted as {p.classes[p.positive]}"
    if p.task in ("binary", "multiclass"):
        there = sorted({str(p.classes[k]) for k in p.truth})
        return f"needs rows of several classes; all {len(p)} test rows are {', '.join(there)}"
    reasons = {
        "r2": "the target is the same in all test rows",
        "mape": "the target has values at or near 0",
        "adjusted_rand": "no target is known",
    }
    return reasons.get(
        name, f"needs at least 2 clusters and fewer than rows; got {len(p.classes)} in {len(p)} rows"
    )
