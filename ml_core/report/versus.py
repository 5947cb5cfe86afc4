"""Two models side by side: charts and tables of a duel."""

import contextlib

import numpy as np

from ml_core.gates.duel import Duel
from ml_core.gates.pairs import alone
from ml_core.measure import classification, regression
from ml_core.measure.paired import compare_all
from ml_core.measure.predictions import Predictions
from ml_core.measure.ranking import precision_recall, roc
from ml_core.measure.score import LOWER_IS_BETTER, METRICS
from ml_core.outcome import CheckFailed
from ml_core.report.charts import Bars, Line, Lines, histogram, line, rounded, shown
from ml_core.report.document import BAD, GOOD, Cell, Section, cell
from ml_core.report.page import named
from ml_core.report.results import DIAGONAL

BARS = 24  # slices drawn; the table has them all
SURE = 0.95


def sides(duel: Duel) -> dict[str, Predictions]:
    """Name -> answers on the fair rows; a contender that gives none, or nan, is missing."""
    known = {}
    for one in (duel.candidate, duel.champion):
        if one is not None:
            with contextlib.suppress(CheckFailed):
                known[one.name] = one.answers.take(duel.fair)
    return known


def metrics(duel: Duel, resamples: int = 1000) -> Section:
    """Every metric of both models, with the gain, its 95 % interval and how it was found."""
    both, title = sides(duel), "Metrics"
    if duel.task == "clustering" or not len(duel.fair) or len(both) == 0:
        return Section(title, note="There is nothing to pair these models on.")
    names = list(both)
    if len(both) < 2:
        values = {m: alone(both[names[0]], m) for m in METRICS[duel.task]}
        rows = [[Cell(named(m)), cell(v)] for m, v in values.items() if v == v]
        return Section(title, f"On {len(duel.fair)} rows.", ["metric", names[0]], rows)
    rows = []
    for pair in compare_all(*both.values(), resamples, duel.seed):
        low, high = pair.interval(SURE)
        tone = GOOD if low > 0 else BAD if high < 0 else ""
        better = (
            "lower" if pair.metric in LOWER_IS_BETTER else "nearer 0" if pair.metric == "bias" else "higher"
        )
        ends = f"{low:.3g} to {high:.3g}" if low == low else ""
        cells = [Cell(named(pair.metric)), cell(pair.new), cell(pair.old)]
        cells += [Cell(f"{pair.gain:+.3g}", True, "" if pair.metric == "bias" else tone), Cell(ends)]
        rows.append([*cells, Cell(pair.method), Cell(better)])
    note = (
        f"Pair by pair on {len(duel.fair)} rows that neither model has learned from; a gain is positive "
        f"where {names[0]} is better, and coloured where its 95 % interval leaves out 0."
    )
    heads = ["metric", *names, "gain", "95 % interval", "by", "better is"]
    return Section(title, note, heads, rows)


def params(one: dict, other: dict, names: tuple[str, str], left_out: tuple = ()) -> Section:
    """Params that are not the same in both runs."""
    keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    keys = [key for key in keys if not key.startswith(left_out)]
    rows = [[Cell(key), *(Cell(str(known.get(key, ""))[:80]) for known in (one, other))] for key in keys]
    return Section("Params that differ", "", ["param", *names], rows)


def charts(duel: Duel) -> list:
    """What the task has to show of both models on the same rows."""
    both = sides(duel)
    if duel.task == "clustering" or not len(duel.fair) or not both:
        return []
    drawn = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[duel.task](both)
    return drawn + _calibration(both) + (_difference(*both.values()) if len(both) == 2 else [])


def _binary(both):
    found = {name: p for name, p in both.items() if p.score is not None}
    truths = [(p.truth == p.positive).sum() for p in found.values()]
    if not found or not 0 < truths[0] < len(next(iter(found.values()))):
        return []
    curves, shares = [], []
    for name, p in found.items():
        true, score = p.truth == p.positive, p.score[:, p.positive]
        curves.append(line(*roc(true, score)[:2], name))
        shares.append(line(*precision_recall(true, score)[:2], name))
    base = Line(
        [0.0, 1.0], rounded([truths[0] / len(p)] * 2), "share of " + shown(p.classes[p.positive]), "reference"
    )
    return [
        Lines("roc", "ROC", "false positive rate", "true positive rate", [*curves, DIAGONAL], True),
        Lines("precision_recall", "Precision and recall", "recall", "precision", [*shares, base], True),
    ]


def _multiclass(both):
    p = next(iter(both.values()))
    sizes = np.bincount(p.truth, minlength=len(p.classes))
    there = np.flatnonzero(sizes)[:BARS]
    levels = [shown(p.classes[k], 12) for k in there]
    lines = []
    for name, one in both.items():
        right = np.bincount(one.truth[one.truth == one.answer], minlength=len(one.classes))[there]
        ends = classification.wilson(right / sizes[there], sizes[there])
        lines.append(line(np.arange(len(there)), right / sizes[there], name, "dots", *ends))
    return [Lines("recall", "Recall by class", "", "share found", lines, levels=levels)]


def _regression(both):
    lines = []
    for name, p in both.items():
        size = np.sort(np.abs(p.answer - p.truth))
        lines.append(line(size, (np.arange(len(size)) + 1) / len(size), name))
    return [Lines("errors", "Rows within an error", "size of the error", "share of rows", lines)]


def _calibration(both):
    lines, unit = [], True
    for name, p in both.items():
        if p.task != "regression" and p.probability is None:
            continue
        unit = p.task != "regression"
        found, _ = (classification if unit else regression).calibration(p)
        lines.append(line(found["predicted"], found["observed"], name, "dots", found["low"], found["high"]))
    if not lines:
        return []
    ends = [v for one in lines for v in (one.x[0], one.x[-1])]
    reference = DIAGONAL if unit else Line([min(ends), max(ends)], [min(ends), max(ends)], "", "reference")
    return [Lines("calibration", "Calibration", "predicted", "observed", [*lines, reference], unit)]


def _difference(new, old):
    """By how much the models answer differently, by class: to the right of 0 the candidate says more."""
    if new.task == "regression":
        values = {"all rows": new.answer - old.answer}
        what = "difference of the predictions"
    elif new.score is None or old.score is None:
        return []
    else:
        places = np.arange(len(new))
        said = [p.score[places, p.truth] for p in (new, old)]
        values = {shown(c): (said[0] - said[1])[new.truth == k] for k, c in enumerate(new.classes[:8])}
        what = "difference of the scores of the true class"
    known = np.concatenate([part for part in values.values() if len(part)])
    ends = (known.min(), known.max()) if np.ptp(known) > 0 else (known.min() - 0.5, known.max() + 0.5)
    lines = [histogram(part, name, 30, ends) for name, part in values.items() if len(part)]
    return [Lines("differences", "How the answers moved", what, "share of rows", lines)]


def slices(rows: list[dict]) -> list:
    """The table of the gate of slices -> its gains as bars with intervals."""
    known = [row for row in rows if row.get("gain") is not None and "level" in row][:BARS]
    if not known:
        return []
    names = [shown(f"{row['column']} = {row['level']}", 30) for row in known]
    parts = [rounded([row[end] for row in known]) for end in ("gain", "low", "high")]
    return [Bars("slices", "Gain in each slice", "gain, with its interval", names, *parts)]
