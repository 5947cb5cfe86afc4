"""The charts of an explanation: importance and dependence."""

from ml_core.report.charts import Bars, Line, Lines, shown

MOST = 25  # columns in the chart of importance
LEVELS = 12  # the most frequent of a column
CLASSES = 6  # classes with a curve of their own

METRIC = {
    "auc": "AUC",
    "r2": "R\u00b2",
    "balanced_accuracy": "balanced accuracy",
    "kept": "share of rows kept",
}


def importance_chart(found):
    """importance.json -> Bars of the most important columns."""
    top = found["columns"][:MOST]
    ends = [[one[end] for one in top] for end in ("low", "high")]
    what = METRIC.get(found["metric"], found["metric"])
    names, values = [shown(one["column"]) for one in top], [one["value"] for one in top]
    return Bars("importance", "Importance", f"loss of {what} when shuffled", names, values, *ends)


def dependence_charts(found):
    """dependence.json -> one chart a column: lines where values have an order, bars or dots for levels."""
    return [_one(k, found, one) for k, one in enumerate(found["columns"])]


def _one(k, found, one):
    name, title, many = f"dependence_{k:02d}", shown(one["column"], 32), len(found["output"]) > 1
    what = _what(found)
    if one["values"] and isinstance(one["values"][0], str):
        names = [shown(value, 16) for value in one["values"]][:LEVELS]
        if not many:
            return Bars(name, title, what, names, one["mean"][0][:LEVELS])
        place = [float(i) for i in range(len(names))]
        dots = [
            Line(place, mean[:LEVELS], shown(label), "dots")
            for label, mean in zip(found["output"][:CLASSES], one["mean"], strict=False)
        ]
        return Lines(name, title, "", what, dots, levels=names)
    singles = [Line(one["values"], line, "", "faint") for line in one["single"]] if not many else []
    means = [
        Line(one["values"], mean, shown(label) if many else "")
        for label, mean in zip(found["output"][:CLASSES], one["mean"], strict=False)
    ]
    return Lines(name, title, "", what, [*singles, *means], dates=one["dates"])


def _what(found):
    one = found["what"] in ("probability", "score") and len(found["output"]) == 1
    return f"{found['what']} of {shown(found['output'][0], 16)}" if one else found["what"]
