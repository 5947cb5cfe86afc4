"""What a change of code or conf/ does to the numbers: what evaluate left before it and after it."""

import json
from pathlib import Path

import numpy as np
import yaml

from ml_core.measure.paired import compare_all
from ml_core.measure.predictions import from_folder
from ml_core.measure.score import LOWER_IS_BETTER
from ml_core.report import versus
from ml_core.report.document import BAD, GOOD, Cell, Document, Section, cell
from ml_core.report.page import named

SAME = "no metric changes"


def document(base: Path, head: Path, names: tuple[str, str]) -> Document:
    """Two checkouts, run up to evaluate -> metrics before and after, stages and params that differ."""
    about = [json.loads((folder / "out/evaluate/metrics.json").read_text()) for folder in (base, head)]
    measured = _metrics(*about, names)
    changed = [row for row in measured.rows if row[3].text]
    lead = SAME if not changed else f"{len(changed)} of {len(measured.rows)} metrics change"
    sections = [measured]
    if (pairs := _paired(base, head, about)) is not None:
        sections.append(pairs)
        sure = [row[0].text for row in pairs.rows if row[1].tone]
        lead += f"; surely, on the rows both test on: {', '.join(sure)}" if sure else "; none of them surely"
    sections.append(_stages(base, head))
    sections.append(versus.params(*(_params(folder) for folder in (base, head)), names))
    return Document(f"What changes from {names[0]} to {names[1]}", lead, "", sections)


def _metrics(before, after, names):
    rows = []
    for metric in dict.fromkeys([*before["metrics"], *after["metrics"]]):
        old, new = (about["metrics"].get(metric, {}).get("value") for about in (before, after))
        known = old is not None and new is not None
        change = "new" if old is None else "gone" if new is None else ""
        change = f"{new - old:+.4g}" if known and new != old else change
        rows.append([Cell(named(metric)), cell(old, 6), cell(new, 6), Cell(change, True)])
    note = f"On the test rows of each: {before['n']} and {after['n']}."
    return Section("Metrics", note, ["metric", *names, "change"], rows)


def _paired(base, head, about):
    """Gains on the rows that both tested on; None where the two answer different questions."""
    keys = ("task", "target", "classes")
    if any(about[0][key] != about[1][key] for key in keys) or about[0]["task"] == "clustering":
        return None
    (old, old_row), (new, new_row) = (from_folder(folder / "out/evaluate") for folder in (base, head))
    shared, at_old, at_new = np.intersect1d(old_row, new_row, return_indices=True)
    old, new = old.take(at_old), new.take(at_new)
    if not len(shared) or not np.array_equal(old.truth, new.truth):
        return None
    rows = []
    for pair in compare_all(new, old):
        low, high = pair.interval()
        tone = "" if pair.metric == "bias" else GOOD if low > 0 else BAD if high < 0 else ""
        better = "lower" if pair.metric in LOWER_IS_BETTER else "higher"
        ends = Cell(f"{low:.3g} to {high:.3g}" if low == low else "")
        rows.append([Cell(named(pair.metric)), Cell(f"{pair.gain:+.3g}", True, tone), ends, Cell(better)])
    note = f"Pair by pair on the {len(shared)} rows that both test on; a positive gain is for the better."
    return Section("Gains", note, ["metric", "gain", "95 % interval", "better is"], rows)


def _stages(base, head):
    """Stages whose outputs differ, by DVC's digests."""
    old, new = (yaml.safe_load((folder / "dvc.lock").read_text())["stages"] for folder in (base, head))
    rows = []
    for name in dict.fromkeys([*old, *new]):
        outs = [(one.get(name) or {}).get("outs", []) for one in (old, new)]
        made = [{out["path"]: out.get("md5") for out in some} for some in outs]
        if not all(made):
            rows.append([Cell(name), Cell("only after" if made[1] else "only before")])
        else:
            rows.append([Cell(name), Cell("same bits" if made[0] == made[1] else "differs")])
    return Section("Outputs of the stages", "", ["stage", ""], rows)


def _params(folder):
    """params.yaml, one level deep: model.estimator.C."""
    found, waiting = {}, [("", yaml.safe_load((folder / "params.yaml").read_text()))]
    while waiting:
        prefix, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{prefix}.{name}" if prefix else str(name), part) for name, part in value.items()]
        else:
            found[prefix] = json.dumps(value, default=str)
    return found
