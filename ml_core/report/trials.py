"""Charts of a search: the best over time, parallel coordinates, what each parameter alone explains."""

import numpy as np

from ml_core.report.charts import Bars, Line, Lines, line, rounded, shown

MARKED = 5  # trials that stand out in the parallel coordinates, the best of them
MOST = 200  # others behind them: a screen shows no more
BINS = 5  # of a parameter with many values


def charts(document):
    """What trials.json holds -> charts; [] where fewer than two trials were finished or nothing varies."""
    trials = [trial for trial in document["trials"] if trial["mean"] is not None]
    if len(trials) < 2:
        return []
    scores, metric = np.array([trial["mean"] for trial in trials]), document["metric"]
    found = [_rise(trials, scores, metric)]
    columns = varied(trials)
    if columns:
        found.append(_parallel(columns, scores, metric))
        found.append(_shares(columns, scores, metric))
    return found


def varied(trials):
    """{parameter: places (k,) of each trial's value among all values, in order} for those that vary."""
    names = dict.fromkeys(name for trial in trials for name in trial["params"])
    found = {}
    for name in names:
        values = [trial["params"].get(name) for trial in trials]
        order = sorted({_key(value) for value in values})
        if len(order) > 1:
            place = {key: i for i, key in enumerate(order)}
            found[name] = np.array([place[_key(value)] for value in values])
    return found


def explained(places, scores):
    """Share of the scores' variance that lies between a parameter's values, less what chance would give.

    Values are taken in BINS equal groups where there are more. Hays 1963, omega squared, at least 0.
    """
    groups = places
    if places.max() >= BINS:
        ranks = np.argsort(np.argsort(places, kind="stable"), kind="stable")
        groups = ranks * BINS // len(ranks)
    known = np.unique(groups)
    total, within = ((scores - scores.mean()) ** 2).sum(), 0.0
    for group in known:
        part = scores[groups == group]
        within += ((part - part.mean()) ** 2).sum()
    rest = len(scores) - len(known)
    if total <= 0 or rest < 1:
        return 0.0
    noise = within / rest
    return float(max(0.0, (total - within - (len(known) - 1) * noise) / (total + noise)))


def _key(value):
    """Sorts values of any kinds: numbers first, then text, null last."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (2, "", 0.0) if value is None else (1, str(value), 0.0)
    return 0, "", float(value)


def _rise(trials, scores, metric):
    """Scores as dots and the best so far as a line; only trials on most rows can be best."""
    most = max(trial["share"] for trial in trials)
    whole = np.array([trial["share"] == most for trial in trials])
    at = np.array([trial["trial"] for trial in trials])
    best = line(at[whole], np.maximum.accumulate(scores[whole]), "best so far", "step")
    return Lines("search_rise", "Trials", "trial", metric, [line(at, scores, "", "dots"), best])


def _parallel(columns, scores, metric):
    """A line a trial over the parameters' axes, each from its lowest to its highest value, to its score."""
    axes = [places / places.max() for places in columns.values()]
    spread = scores.max() - scores.min()
    axes.append((scores - scores.min()) / spread if spread > 0 else np.zeros(len(scores)))
    points, order = np.column_stack(axes), np.argsort(-scores, kind="stable")
    at = list(map(float, range(points.shape[1])))
    behind = order[MARKED:][:: -(-max(len(order) - MARKED, 1) // MOST)]
    lines = [Line(at, rounded(points[i]), "", "faint") for i in behind]
    lines += [Line(at, rounded(points[i]), f"{scores[i]:.4g}") for i in order[:MARKED]]
    names = [shown(name, 14) for name in columns] + [metric]
    return Lines(
        "search_parallel", "Parallel coordinates", "", "lowest to highest value", lines, levels=names
    )


def _shares(columns, scores, metric):
    shares = {name: explained(places, scores) for name, places in columns.items()}
    names = sorted(shares, key=lambda name: -shares[name])
    values = rounded([shares[name] for name in names])
    what = f"share of the variance of {metric}"
    return Bars(
        "search_importance", "What each parameter alone explains", what, list(map(shown, names)), values
    )
