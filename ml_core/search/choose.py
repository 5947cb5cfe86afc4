"""Which of the trials is taken: the best, or the simplest about as good, within what a model may need."""

import tempfile
import time
from pathlib import Path

import numpy as np

ROUNDS, ONE = 7, 5  # rounds of so many predictions of one row; the fastest round counts
NEAR = 0.25  # of a limit: a time this near to it may be judged otherwise on another day


def taken(trials, settings, simpler, measure):
    """(place of the trial that is taken or None, {place: verdict} of the trials that were measured).

    ``simpler`` {parameter: "low", "high" or a list of values} says which of two candidates is simpler.
    ``measure(place)`` -> {"predict_ms": ..., "size_mb": ...} is asked in the order of preference, until
    one keeps the limits.
    """
    order = trials.order()
    if order and settings.choose == "one_se":
        order = one_se(trials, simpler)
    limits = {name: most for name, most in (settings.limits or {}).items() if most is not None}
    if not limits:
        return (order[0] if order else None), {}
    verdicts = {}
    for place in order:
        verdicts[place] = verdict(measure(place), limits)
        if not verdicts[place]["over"]:
            return place, verdicts
    return None, verdicts


def one_se(trials, simpler):
    """Places in order of preference: those within one standard error of the best, the simplest first.

    Breiman, Friedman, Olshen and Stone 1984, 3.4.3. The error is that of the best one's mean over its folds.
    """
    if not simpler:
        raise ValueError(
            "search.choose=one_se must know what is simpler: add `simpler: {PARAMETER: low}`, or high, to "
            "the model's yaml, what matters most first"
        )
    order = trials.order()
    best = trials.scores[order[0]]
    error = best.std(ddof=1) / np.sqrt(len(best))
    least = trials.mean[order[0]] - error
    near = [place for place in order if trials.mean[place] >= least]
    near.sort(key=lambda place: simplicity(trials.candidates[place], simpler))
    return near + order[len(near) :]


def simplicity(candidate, simpler):
    """A key that sorts the simplest first; null has no bound; what a candidate lacks tells nothing."""
    found = []
    for name, end in simpler.items():
        value = candidate.get(name, 0.0)
        if isinstance(end, list | tuple):
            found.append(float(list(end).index(value)) if value in end else float(len(end)))
        elif end in ("low", "high") and not isinstance(value, str):
            number = np.inf if value is None else float(value)
            found.append(number if end == "low" else -number)
        else:
            raise ValueError(
                f"model.simpler.{name}: got {end!r}, must be low or high for numbers, or the list of the "
                "values, the simplest first"
            )
    return found


def verdict(measured, limits):
    """{"over": {limit: most} that the measured values break, "near": limits that they come near}."""
    over = {name: most for name, most in limits.items() if measured[name] > most}
    near = [name for name, most in limits.items() if abs(measured[name] - most) < NEAR * most]
    return {"over": over, "near": [name for name in near if name == "predict_ms"]}


def front(trials):
    """(k,) whether no other trial on most rows is at least as good in every metric and better in one."""
    columns = [trials.mean, *(scores.mean(axis=1) for scores in trials.more.values())]
    points = np.column_stack(columns)
    able = np.isfinite(points).all(axis=1) & (trials.shares >= trials.shares.max(initial=0.0))
    found = np.zeros(len(points), bool)
    for i in np.flatnonzero(able):
        others = points[able]
        dominated = ((others >= points[i]).all(axis=1) & (others > points[i]).any(axis=1)).any()
        found[i] = not dominated
    return found


def measured(features, model, X):
    """{"predict_ms": of one row, from the table's own to the answer, "size_mb": of the model's file}."""
    from sklearn.pipeline import Pipeline

    from ml_core.models import file

    pipeline, row = Pipeline([("features", features), ("model", model)]), X[:1]
    fastest = np.inf
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(ONE):
            pipeline.predict(row)
        fastest = min(fastest, (time.perf_counter() - started) / ONE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        file.save(pipeline, path)
        size = path.stat().st_size
    return {"predict_ms": 1000 * fastest, "size_mb": size / 1e6}
