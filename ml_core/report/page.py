"""report.html: one page that holds everything about a model and needs nothing from elsewhere.

It reads what the earlier steps left; what a step did not leave is left out. Same files, same bytes.
"""

import json
from pathlib import Path

from ml_core.measure.score import LOWER_IS_BETTER, METRICS
from ml_core.report import svg
from ml_core.report.charts import from_json

TOP = 10  # trials shown
ROWS = 100  # rows of a table of findings
SLICED = {
    "binary": ["auc", "log_loss", "accuracy", "precision", "recall"],
    "multiclass": ["balanced_accuracy", "accuracy", "f1_macro"],
    "regression": ["r2", "rmse", "mae", "bias"],
    "clustering": [],
}
NAMES = {
    "auc": "AUC",
    "auc_ovr": "AUC, each against the rest",
    "f1": "F1",
    "f1_macro": "F1, mean of the classes",
    "r2": "R\u00b2",
    "rmse": "RMSE",
    "mae": "MAE",
    "mape": "MAPE",
    "davies_bouldin": "Davies-Bouldin",
    "adjusted_rand": "adjusted Rand",
    "brier": "Brier score",
}
KNOWS_NOTHING = {"auc": 0.5, "r2": 0.0, "silhouette": 0.0, "adjusted_rand": 0.0}


def render(work: Path, explained: Path) -> str:
    """``work``: folder with every step's output; ``explained``: the one that explain fills -> the page."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": number, "named": named, "short": short, "share": share}
    text = Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8")
    about = _json(work / "evaluate" / "metrics.json", {})
    draw = lambda chart, width=svg.WIDTH: Markup(svg.draw(chart, width))  # noqa: E731  svg.draw escapes every text from the data
    return environment.from_string(text).render(
        **_head(work, about),
        charts=_charts(work / "evaluate" / "charts.json"),
        reasons=_charts(explained / "charts.json"),
        importance=_json(explained / "importance.json", {}),
        dependence=_json(explained / "dependence.json", {}),
        calibration=_json(work / "evaluate" / "calibration.json", {}).get("error"),
        slices=_slices(work, about),
        search=_search(work),
        data=_data(work),
        draw=draw,
        css=style(),
    )


def style():
    """The colours and shapes of every page we write, ready for its <style>."""
    from markupsafe import Markup

    return Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))


def number(value) -> str:
    """A number for people: four significant digits, thousands apart; a dash where there is none."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    text = f"{value:#.4g}" if abs(value) >= 1e-3 else f"{value:.2e}"
    return text.removesuffix(".").replace("-", "\u2212", value < 0)


def share(value) -> str:
    """0.1234 -> 12.3 %."""
    return "\u2013" if value is None else f"{value:.1%}".replace("%", "\u202f%")


def named(metric) -> str:
    """A metric's name as people write it."""
    return NAMES.get(metric, str(metric).replace("_", " "))


def short(value, most=60) -> str:
    """A value of a parameter or cell in one line."""
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = f"{value:.5g}" if isinstance(value, float) else number(value)
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def _head(work, about):
    trained = _json(work / "train" / "model.json", {})
    known, task = about.get("metrics", {}), about.get("task", "")
    main = about.get("main")
    nothing = KNOWS_NOTHING.get(main)
    if main == "balanced_accuracy" and about.get("classes"):
        nothing = 1 / len(about["classes"])
    return {
        "about": about | {"metrics": known, "task": task, "left_out": about.get("left_out", {})},
        "model": str(trained.get("model", "model")).rsplit(".", 1)[-1],
        "main": main,
        "nothing": nothing,
        "lower": LOWER_IS_BETTER,
        "metrics": [name for name in METRICS.get(task, known) if name in known],
    }


def _slices(work, about):
    """Rows of the table of slices, each with the metrics shown, and whether it differs from the whole."""
    listed = _json(work / "evaluate" / "slices.json", [])
    task, main, known = about.get("task", ""), about.get("main"), about.get("metrics", {})
    shown = [name for name in SLICED.get(task, []) if name in known]
    for one in listed:
        mine = one["metrics"].get(main)
        if mine and mine["low"] is not None:
            whole, lower = known[main]["value"], main in LOWER_IS_BETTER
            above, below = mine["low"] > whole, mine["high"] < whole
            one["differs"] = "worse" if (above if lower else below) else "better" if above or below else ""
    scale = [v for one in listed for v in _ends(one["metrics"].get(main))]
    low, high = (min(scale), max(scale)) if scale else (0.0, 1.0)
    whole = known.get(main, {}).get("value")
    return {"rows": listed, "shown": shown, "low": low, "spread": (high - low) or 1.0, "whole": whole}


def _ends(one):
    return [v for v in (one["low"], one["high"], one["value"]) if v is not None] if one else []


def _search(work):
    best, found = _json(work / "search" / "best.json", {}), _json(work / "search" / "trials.json", [])
    best = best if isinstance(best, dict) else {}
    trials = found.get("trials", []) if isinstance(found, dict) else found
    trials = [one for one in trials if isinstance(one, dict)]
    scored = [one for one in trials if isinstance(one.get("mean"), int | float)]
    # a score on a part of the rows is no rival of one on all of them
    whole = max((one.get("share", 1.0) for one in scored), default=1.0)
    ranked = [one for one in scored if one.get("share", 1.0) == whole]
    ranked.sort(key=lambda one: one["mean"], reverse=True)
    errors = dict.fromkeys(str(one["error"]) for one in trials if one.get("error"))
    return {
        "params": best.get("params", {}),
        "metric": best.get("metric", "score"),
        "trials": len(trials),
        "failed": len(
            [one for one in trials if not (isinstance(one.get("mean"), int | float) or one.get("note"))]
        ),
        "outrun": len([one for one in trials if one.get("note")]),
        "errors": list(errors)[:3],
        "names": list(dict.fromkeys(name for one in ranked[:TOP] for name in one.get("params", {}))),
        "top": ranked[:TOP],
    }


def _data(work):
    """What prepare said of the data: counts, and every list of findings as a table."""
    quality, table = _json(work / "prepare" / "quality.json", {}), _json(work / "prepare" / "table.json", {})
    facts, tables = {}, {}
    for name, value in quality.items() if isinstance(quality, dict) else []:
        if isinstance(value, int | float | str):
            facts[name] = value
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            heads = list(dict.fromkeys(key for row in value for key in row))
            rows = [[row.get(key, "") for key in heads] for row in value[:ROWS]]
            tables[name] = {"heads": heads, "rows": rows, "all": len(value)}
        elif isinstance(value, list) and value:
            facts[name] = ", ".join(_pair(one) for one in value[:30])
    kinds = list(table.get("kinds", {}).values())
    facts |= {f"{kind} columns": kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return {"facts": facts, "tables": tables}


def _pair(one):
    return " ".join(map(str, one)) if isinstance(one, list) else str(one)


def _charts(path):
    return [from_json(known) for known in _json(path, [])]


def _json(path, without):
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else without
