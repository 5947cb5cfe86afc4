"""The charts of an evaluation, by task."""

import numpy as np

from ml_core.measure import classification, regression
from ml_core.measure.clustering import centers
from ml_core.measure.ranking import precision_recall, ratio, roc
from ml_core.measure.score import sample
from ml_core.report.charts import Bars, Heat, Line, Lines, histogram, line, rounded, shown

DOTS = 400  # rows drawn one by one
CLASSES = 8  # classes with a curve of their own: as many as there are colours
CELLS = 20  # classes in a confusion matrix: beyond, the rarest ones share a row

DIAGONAL = Line([0.0, 1.0], [0.0, 1.0], "", "reference")


def charts(p, seed=0, Z=None, silhouettes=None):
    """Predictions with truth -> charts of what the task asks for; [] without rows. Clusters need Z (n, p)."""
    if not len(p):
        return []
    if p.task == "clustering":
        return _clusters(p, Z, silhouettes, seed)
    return {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[p.task](p, seed)


def _binary(p, seed):
    true, name = p.truth == p.positive, str(p.classes[p.positive])
    found = []
    both = 0 < true.sum() < len(p)
    if p.score is not None and both:
        score = p.score[:, p.positive]
        fpr, tpr, _ = roc(true, score)
        recall, precision, _ = precision_recall(true, score)
        base = Line([0.0, 1.0], rounded([true.mean()] * 2), "share of " + shown(name), "reference")
        curve = Lines(
            "roc", "ROC", "false positive rate", "true positive rate", [line(fpr, tpr), DIAGONAL], True
        )
        found.append(curve)
        lines = [line(recall, precision), base]
        found.append(Lines("precision_recall", "Precision and recall", "recall", "precision", lines, True))
    found += _calibration(p, f"probability of {shown(name)}", f"share of {shown(name)}")
    found.append(_confusion(p))
    if p.score is not None:
        score = p.score[:, p.positive]
        limits = (0.0, 1.0) if p.probability is not None else (score.min(), score.max() + 1e-9)
        lines = [histogram(score[p.truth == k], shown(c), 25, limits) for k, c in enumerate(p.classes)]
        what = "probability" if p.probability is not None else "decision function"
        found.append(
            Lines("scores", "Scores by class", f"{what} of {shown(name)}", "share of the class", lines)
        )
    return found


def _multiclass(p, seed):
    sizes = np.bincount(p.truth, minlength=len(p.classes))
    found = [_confusion(p)]
    right = np.bincount(p.truth[p.truth == p.answer], minlength=len(p.classes))
    there = np.flatnonzero(sizes)[np.argsort(-sizes[sizes > 0], kind="stable")]
    shares = right[there] / sizes[there]
    low, high = classification.wilson(shares, sizes[there])
    few = slice(0, CELLS)
    names = [shown(p.classes[k]) for k in there[few]]
    parts = [rounded(part[few]) for part in (shares, low, high)]
    found.append(Bars("recall", "Recall by class", "share found", names, *parts))
    if p.score is not None and len(there) > 1:
        curves = [(k, roc(p.truth == k, p.score[:, k])) for k in there]
        lines = (
            [line(c[0], c[1], shown(p.classes[k])) for k, c in curves[:CLASSES]]
            if len(there) <= CLASSES
            else []
        )
        lines = [_mean_roc([c for _, c in curves]), *lines, DIAGONAL]
        found.append(
            Lines(
                "roc", "ROC, each against the rest", "false positive rate", "true positive rate", lines, True
            )
        )
    return found + _calibration(p, "probability of the likeliest class", "share right")


def _mean_roc(curves):
    grid = np.linspace(0, 1, 201)
    heights = []
    for fpr, tpr, _ in curves:
        # at a jump of the curve the upper end counts: a rate reached is reached
        last = np.searchsorted(fpr, grid, side="right") - 1
        after = np.minimum(last + 1, len(fpr) - 1)
        part = np.nan_to_num(ratio(grid - fpr[last], fpr[after] - fpr[last]))
        heights.append(tpr[last] + part * (tpr[after] - tpr[last]))
    return line(np.r_[0.0, grid], np.r_[0.0, np.mean(heights, axis=0)], "mean")


def _calibration(p, x, y):
    if p.task != "regression" and p.probability is None:
        return []
    found, _ = (regression if p.task == "regression" else classification).calibration(p)
    reference = DIAGONAL
    if p.task == "regression":
        ends = rounded([found["predicted"].min(), found["predicted"].max()])
        reference = Line(ends, ends, "", "reference")
    lines = [line(found["predicted"], found["observed"], "", "dots", found["low"], found["high"]), reference]
    return [Lines("calibration", "Calibration", x, y, lines, p.task != "regression")]


def _confusion(p):
    table, names = classification.confusion(p), [shown(label, 16) for label in p.classes]
    if len(names) > CELLS:
        order = np.argsort(-table.sum(axis=1), kind="stable")
        place = np.full(len(names), CELLS - 1)
        place[order[: CELLS - 1]] = np.arange(CELLS - 1)
        small = np.zeros((CELLS, CELLS), dtype=int)
        np.add.at(small, (place[:, None], place[None, :]), table)
        table, names = small, [names[k] for k in order[: CELLS - 1]] + ["(the others)"]
    return Heat("confusion", "Confusion", "predicted", "true", names, names, table.tolist())


def _regression(p, seed):
    rows = sample(len(p), DOTS, seed)
    said, error = p.answer[rows], (p.truth - p.answer)[rows]
    ends = rounded([min(p.truth.min(), p.answer.min()), max(p.truth.max(), p.answer.max())])
    dots = [line(said, p.truth[rows], "", "dots"), Line(ends, ends, "", "reference")]
    flat = Line(rounded([p.answer.min(), p.answer.max()]), [0.0, 0.0], "", "reference")
    return [
        Lines("predicted", "Truth against prediction", "predicted", "true", dots),
        Lines(
            "residuals", "Residuals", "predicted", "true - predicted", [line(said, error, "", "dots"), flat]
        ),
        *_calibration(p, "mean prediction", "mean truth"),
        Lines(
            "errors",
            "Spread of the residuals",
            "true - predicted",
            "share of rows",
            [histogram(p.truth - p.answer)],
        ),
    ]


def _clusters(p, Z, silhouettes, seed):
    names = [str(label) for label in p.classes]
    size, center = centers(Z, p.answer)
    few = np.argsort(-size, kind="stable")[:CELLS]
    sizes = Bars(
        "sizes", "Size of the clusters", "share of rows", [names[k] for k in few], rounded(size[few] / len(p))
    )
    found = [sizes]
    if silhouettes is not None:
        labels, each = silhouettes
        lines = []
        for k in sorted(few[:CLASSES]):
            own = np.sort(each[labels == k])[::-1]
            if len(own):
                lines.append(line((np.arange(len(own)) + 0.5) / len(own), own, names[k]))
        zero = Line([0.0, 1.0], [0.0, 0.0], "", "reference")
        title = "Silhouettes by cluster"
        found.append(Lines("silhouettes", title, "share of the cluster", "silhouette", [*lines, zero]))
    if Z.shape[1] > 1 and len(p) > 2:
        found.append(_map(p, Z, sorted(few[:CLASSES]), names, seed))
    if p.truth is not None:
        table = np.zeros((len(p.truths), len(names)), dtype=int)
        np.add.at(table, (p.truth, p.answer), 1)
        kept = table[:CELLS][:, few]
        known = [shown(label, 16) for label in p.truths[:CELLS]]
        found.append(
            Heat(
                "confusion",
                "Clusters and target",
                "cluster",
                "true",
                [names[k] for k in few],
                known,
                kept.tolist(),
            )
        )
    return found


def _map(p, Z, few, names, seed):
    """The two directions of largest spread, rows coloured by cluster."""
    rows = sample(len(p), DOTS, seed)
    middle = Z[rows].mean(axis=0)
    _, _, directions = np.linalg.svd(Z[rows] - middle, full_matrices=False)
    axes = directions[:2]
    # a direction's sign is arbitrary: its largest entry points up
    axes = axes * np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
    place = (Z[rows] - middle) @ axes.T
    lines = [
        line(*place[p.answer[rows] == k].T, names[k], "dots") for k in few if (p.answer[rows] == k).any()
    ]
    return Lines("map", "Map of the clusters", "first component", "second component", lines)
