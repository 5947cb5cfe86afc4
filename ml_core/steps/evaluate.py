"""Judge the fitted model on the test rows: metrics with intervals, slices, calibration, curves and plots."""

import csv
import json
from pathlib import Path

import numpy as np

from ml_core.data.table import features_and_target, read
from ml_core.kernels.threads import alone
from ml_core.measure import classification, predictions, regression
from ml_core.measure import slices as parts
from ml_core.measure.score import METRICS, digits, grouping, main_metric, score
from ml_core.outcome import Outcome
from ml_core.progress import track
from ml_core.report import png, results
from ml_core.report.charts import Bars, Lines, rounded, to_json


def evaluate(
    out: Path,
    slices: list[str] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    positive: str | int | bool | None = None,
    min_rows: int = 30,
) -> Outcome:
    """Score ``train/model.skops`` on ``prepare/test.parquet``.

    Writes metrics.json, slices.json, calibration.json, charts.json, predictions.parquet, plots/*.png,
    curves/*.csv.
    """
    _check(bootstrap, min_rows)
    from ml_core.models.file import load

    table = read(out.parent / "prepare", "test")
    X, y, row = features_and_target(table)
    cuts = parts.cut(table.frame.collect(), slices, table.kinds) if table.task != "clustering" else []
    model = load(out.parent / "train" / "model.skops")
    with alone():
        p = predictions.predict(model, X, y, table, positive)
        if p.task == "clustering":
            features, _ = predictions.halves(model)
            Z = matrix(features(X)) if len(p) else np.zeros((0, 1))
            known, left_out, each = grouping(p, Z, bootstrap, seed)
            charts, listed = results.charts(p, seed, Z, each), []
        else:
            known, left_out, listed = score(p, bootstrap, seed, cuts, min_rows)
            charts = results.charts(p, seed)
    known = {name: known[name] for name in METRICS[p.task] if name in known}
    predictions.to_frame(p, row).write_parquet(out / "predictions.parquet")
    _write(out / "metrics.json", _about(p, table, known, left_out, {"resamples": bootstrap, "seed": seed}))
    _write(out / "slices.json", listed)
    _write(out / "calibration.json", _calibration(p))
    _write(out / "charts.json", [to_json(chart) for chart in charts])
    drawn = [name for chart in track(charts, "plots") for name in png.save([chart], out / "plots")]
    written = _curves(charts, out / "curves")
    files = ["metrics.json", "slices.json", "calibration.json", "charts.json", "predictions.parquet"]
    files += [f"plots/{name}" for name in drawn] + [f"curves/{name}" for name in written]
    return Outcome(_flat(known), files)


def _check(bootstrap, min_rows):
    if bootstrap < 0:
        raise ValueError(f"evaluate.bootstrap must be 0 or more resamples, got {bootstrap}")
    if min_rows < 1:
        raise ValueError(f"evaluate.min_rows must be at least 1, got {min_rows}")


def matrix(Z) -> np.ndarray:
    """What the features made, dense: frame, sparse or array -> float (n, p)."""
    if hasattr(Z, "to_numpy"):
        Z = Z.to_numpy()
    return np.asarray(Z.toarray() if hasattr(Z, "toarray") else Z, dtype=float)


def _about(p, table, known, left_out, bootstrap):
    """metrics.json: enough beside predictions.parquet to judge again (``predictions.from_folder``)."""
    names = [] if p.score is None else predictions.columns(p.classes, p.probability is not None)
    return {
        "task": p.task,
        "target": table.target,
        "source": table.source,
        "n": len(p),
        "classes": p.classes,
        "positive": p.classes[p.positive] if p.task == "binary" else None,
        "scores": names,
        "probabilities": p.probability is not None,
        "main": main_metric(known, p.task),
        "metrics": known,
        "left_out": left_out,
        "bootstrap": bootstrap | {"confidence": 0.95},
    }


def _calibration(p):
    if p.task == "clustering" or not len(p):
        return {"bins": {}, "error": None}
    if p.task != "regression" and p.probability is None:
        return {"bins": {}, "error": None}
    found, error = (regression if p.task == "regression" else classification).calibration(p)
    return {"bins": {name: rounded(values, 10) for name, values in found.items()}, "error": digits(error)}


def _curves(charts, folder):
    """One csv with x, y a chart: DVC draws a folder of files with the same columns, whatever the task."""
    curves = {}
    for chart in charts:
        if isinstance(chart, Lines) and chart.lines[0].style in ("line", "step", "dots"):
            main = chart.lines[0]
            if main.style != "dots" or main.low:
                curves[chart.name] = (main.x, main.y)
        elif isinstance(chart, Bars):
            curves[chart.name] = (range(len(chart.names)), chart.values)
    if charts and not curves:  # a classifier without scores has its confusion only
        heat = charts[0]
        shares = [row[k] / max(sum(row), 1) for k, row in enumerate(heat.counts)]
        curves["recall"] = (range(len(shares)), rounded(shares))
    folder.mkdir(exist_ok=True)
    for name, (x, y) in curves.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["x", "y"])
            writer.writerows(zip(x, y, strict=True))
    return [f"{name}.csv" for name in curves]


def _flat(known):
    flat = {}
    for name, one in known.items():
        flat[name] = one["value"]
        flat |= {f"{name}.{end}": one[end] for end in ("low", "high") if one[end] is not None}
    return flat


def _write(path, content):
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
