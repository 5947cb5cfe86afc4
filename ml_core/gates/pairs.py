"""What several gates ask of a duel: one model's metric, both models' on the same rows, and whether the rows
are enough to say anything.
"""

import numpy as np

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import shown
from ml_core.measure.paired import Pair, compare
from ml_core.measure.predictions import Predictions
from ml_core.measure.score import METRICS, metrics_of
from ml_core.outcome import CheckFailed

RANKS = ("auc", "average_precision", "auc_ovr")  # metrics that need rows of several classes


def metric_for(duel: Duel, metric: str | None) -> str:
    """``metric``, or the duel's own; CheckFailed unless the task has it and pairs of answers give it."""
    metric = metric or duel.metric
    if duel.task == "clustering":
        raise CheckFailed(
            "clusters have no truth on which two models could be paired; judge them by `mlcore compose "
            "gate=clusters`"
        )
    if metric not in METRICS[duel.task]:
        known = ", ".join(METRICS[duel.task])
        raise CheckFailed(f"no metric {metric!r} of a {duel.task} model; there are {known}")
    return metric


def alone(p: Predictions, metric: str) -> float:
    """One model's metric on rows with truth; nan where it has no value there."""
    values = metrics_of(p)(np.ones((1, len(p))))
    return float(values[metric][0]) if metric in values else float("nan")


def smallest_class(p: Predictions) -> int:
    """Rows of the rarest of the classes; all rows where there are no classes."""
    if p.task not in ("binary", "multiclass"):
        return len(p)
    return int(np.bincount(p.truth, minlength=len(p.classes)).min())


def too_few(p: Predictions, metric: str, min_rows: int, min_class_rows: int) -> str:
    """Why these rows cannot be judged by ``metric``; "" where they can."""
    if len(p) < min_rows:
        return f"{len(p)} rows are too few, {min_rows} are needed"
    if metric in RANKS and smallest_class(p) < min_class_rows:
        return f"{smallest_class(p)} rows of the rarest class are too few, {min_class_rows} are needed"
    return ""


def pair_of(new: Predictions, old: Predictions, metric: str, resamples: int, seed: int) -> Pair:
    """Both models on the same rows; CheckFailed where they cannot be compared."""
    try:
        pair = compare(new, old, metric, resamples, seed)
    except (KeyError, ValueError) as error:
        raise CheckFailed(str(error.args[0])) from None
    for name, value in (("candidate", pair.new), ("champion", pair.old)):
        if not np.isfinite(value):
            raise CheckFailed(f"the {name} has no {metric} on these {pair.n} rows: {shown(value)}")
    return pair


def percent(share: float) -> str:
    """0.95 -> 95 %."""
    return f"{100 * share:.4g} %"
