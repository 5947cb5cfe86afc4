"""Say why: importance of the raw columns, how the answer depends on them; and one page that holds it all."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from ml_core.data.table import features_and_target, read
from ml_core.kernels.threads import alone
from ml_core.measure.asking import affordable, asked
from ml_core.measure.dependence import dependence, numbers
from ml_core.measure.importance import importance, judge_of, orders
from ml_core.measure.score import digits, sample
from ml_core.outcome import Outcome
from ml_core.report import page, png
from ml_core.report.charts import rounded, to_json
from ml_core.report.reasons import dependence_charts, importance_chart

FEW = 500  # rows over which dependence is averaged: its curves move by less than a line's width beyond
DRAWN = 8  # columns whose dependence is drawn as PNG, a tenth of a second each; the report has them all


def explain(
    out: Path, columns: int = 20, repeats: int = 10, rows: int = 2000, grid: int = 20, seed: int = 0
) -> Outcome:
    """Shuffle and set the columns of up to ``rows`` test rows; write importance, dependence and report.html.

    ``columns`` most important ones get a curve of at most ``grid`` points; ``repeats`` shuffles a column.
    Of a very wide table fewer rows and shuffles are taken, as importance.json then says.
    """
    _check(columns=(columns, 0), repeats=(repeats, 1), rows=(rows, 1), grid=(grid, 2))
    about = json.loads((out.parent / "evaluate" / "metrics.json").read_text(encoding="utf-8"))
    table = read(out.parent / "prepare", "test")
    X, y, _ = features_and_target(table)
    charts, found, curves = [], {"metric": None, "base": None, "columns": []}, {"output": [], "columns": []}
    if len(X) > 1:
        from ml_core.models.file import load

        model = load(out.parent / "train" / "model.skops")
        with alone():
            rows, repeats = affordable(model, X, min(rows, len(X)), repeats)
            kept = sample(len(X), rows, seed)
            ask = asked(model, X[kept], about["task"], about["classes"])
            found = _importance(ask, about, None if y is None else y[kept], table.kinds, repeats, seed)
            wanted = [one["column"] for one in found["columns"][:columns]]
            curves = _dependence(ask, about, table.kinds, wanted, grid, seed)
        charts = [importance_chart(found)] + dependence_charts(curves)
    _write(out / "importance.json", found)
    _write(out / "dependence.json", curves)
    _write(out / "charts.json", [to_json(chart) for chart in charts])
    files = ["importance.json", "dependence.json", "charts.json"]
    if charts:
        files += [f"plots/{name}" for name in png.save(charts[:1], out / "plots")]
    if charts[1:]:
        png.save_grid(charts[1 : 1 + DRAWN], out / "plots" / "dependence.png")
        files.append("plots/dependence.png")
    (out / "report.html").write_text(page.render(out.parent, out), encoding="utf-8")
    return Outcome(files=[*files, "report.html"])


def _check(**bounds):
    for name, (got, least) in bounds.items():
        if got < least:
            raise ValueError(f"explain.{name} must be at least {least}, got {got}")


def _importance(ask, about, y, kinds, repeats, seed):
    task, positive = about["task"], 1
    if task == "regression":
        truth = np.asarray(y, dtype=float)
    elif task == "clustering":
        truth = ask.base().argmax(axis=1)
    else:
        positive = ask.names.index(about["positive"]) if task == "binary" else 1
        code = {label: k for k, label in enumerate(ask.names)}
        truth = np.array([code[label] for label in np.asarray(y).tolist()])
    metric, judge = judge_of(task, truth, ask.names, positive)
    base, each = importance(ask, judge, orders(len(ask.X), repeats, seed), seed)
    listed = [{"column": name, "kind": kinds.get(name, "")} | one for name, one in each.items()]
    # what has no value (a constant target) goes last; equal ones keep the table's order
    listed.sort(key=lambda one: -np.inf if one["value"] is None else one["value"], reverse=True)
    return {"metric": metric, "base": base, "rows": len(ask.X), "shuffles": repeats, "columns": listed}


def _dependence(ask, about, kinds, wanted, grid, seed):
    few = ask.some(sample(len(ask.X), FEW, seed))
    each = dependence(few, kinds, wanted, grid, seed)
    shown = list(range(len(ask.names)))
    if about["task"] == "binary":
        shown = [ask.names.index(about["positive"])]
    listed = [
        {
            "column": name,
            "kind": kinds[name],
            "dates": one["values"].dtype.is_temporal(),
            "values": _plain(one["values"]),
            "mean": [rounded(one["mean"][:, k], 10) for k in shown],
            "single": [rounded(line, 6) for line in one["single"][:, :, shown[0]].T],
        }
        for name, one in each.items()
    ]
    what = {"regression": "prediction", "clustering": "share of rows"}.get(about["task"])
    what = what or ("probability" if about["probabilities"] else "score")
    names = [ask.names[k] for k in shown]
    return {"output": names, "what": what, "rows": len(few.X), "columns": listed}


def _plain(values: pl.Series) -> list:
    return [v if isinstance(v, str) else digits(v, 15) for v in numbers(values)]


def _write(path, content):
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
