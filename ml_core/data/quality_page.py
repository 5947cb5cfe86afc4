"""The data gate's report on disk: quality.json for machines, quality.html for people."""

import html
import json
from pathlib import Path

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .6rem 0 1.6rem; } td, th { padding: .25rem .8rem .25rem 0; }
th { text-align: left; border-bottom: 1px solid #999; }
td { border-bottom: 1px solid #e4e4e4; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; } .no { color: #a11; } .yes { color: #175; }
small { color: #666; }
"""


def write(out: Path, known: dict) -> None:
    """Leave both files in folder ``out``."""
    text = json.dumps(known, indent=1, ensure_ascii=False, default=str)
    (out / "quality.json").write_text(text + "\n", encoding="utf-8")
    (out / "quality.html").write_text(_page(known), encoding="utf-8")


def _page(known):
    verdict = '<span class="yes">passed</span>' if known["passed"] else '<span class="no">failed</span>'
    target = f", target {_said(known['target'])}" if known["target"] else ""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Data gate</title><style>{STYLE}</style>",
        f"<h1>Data gate: {verdict}</h1>",
        f"<p>{_said(known['source'])}<br>{_said(known['task'])}{target}, {_said(known['rows'])} rows",
        f", {known['copies']} of them copies</p>" if known["copies"] is not None else "</p>",
        _findings("Broken rules", known["broken"]),
        _findings("Warnings", known["warnings"]),
    ]
    if known["dropped"]:
        parts.append(f"<p>Left out of the features: {_said(', '.join(known['dropped']))}</p>")
    if known["classes"]:
        rows = [[value, count, f"{count / known['rows']:.1%}"] for value, count in known["classes"]]
        parts.append("<h2>Classes</h2>" + _table(["class", "rows", "share"], rows))
    if known["columns"]:
        names = ["column", "kind", "type", "missing", "infinite", "distinct", "min", "max"]
        rows = [[column.get(name, "") for name in names] for column in known["columns"]]
        parts.append("<h2>Columns</h2>" + _table(names, rows))
        parts.append("<p><small>distinct: exact up to 1023, then within about 3 %</small></p>")
    return "\n".join(parts) + "</html>\n"


def _findings(title, found):
    if not found:
        return ""
    rows = []
    for finding in found:
        examples = "; ".join(
            f"row {row}: {value}" if row else str(value) for row, value in finding["examples"]
        )
        rows.append([finding["column"] or "(table)", finding["rule"], finding["says"], examples])
    return f"<h2>{title}</h2>" + _table(["column", "rule", "what", "examples"], rows)


def _table(names, rows):
    head = "".join(f"<th>{_said(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value):
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"<td{' class=number' if number else ''}>{_said(value)}</td>"


def _said(value):
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return html.escape(text if len(text) <= 120 else text[:119] + "\N{HORIZONTAL ELLIPSIS}")
