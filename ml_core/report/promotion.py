"""The report of a promotion: what every gate said, and the two models side by side."""

import json

from ml_core.gates.duel import Contender, Duel
from ml_core.gates.judge import passed
from ml_core.gates.verdict import Verdict
from ml_core.kernels.threads import alone
from ml_core.report import versus
from ml_core.report.document import BAD, GOOD, Cell, Document, Section, cell

FACTS = ("git.sha", "git.dirty", "data", "data.md5", "dvc.lock", "model", "python")


def document(duel: Duel | None, verdicts: list[Verdict], resamples: int = 1000) -> Document:
    """Everything that the verdicts rest on; without a duel (the two cannot be compared) they stand alone."""
    yes = passed(verdicts)
    refused = [verdict.gate for verdict in verdicts if not verdict.passed]
    said = f"{len(verdicts) - len(refused)} of {len(verdicts)} gates passed"
    lead = f"Promoted: {said}" if yes else f"Refused by {', '.join(refused) or 'having no gate'}: {said}"
    tone = GOOD if yes else BAD
    if duel is None:
        return Document("Promotion", lead, tone, [_verdicts(verdicts)])
    known = {verdict.gate: verdict for verdict in verdicts}
    drawn = versus.slices(known["slices"].rows) if "slices" in known else []
    with alone():
        measured = versus.metrics(duel, resamples)
    sections = [
        _verdicts(verdicts),
        _contenders(duel),
        measured,
        *(_rows(verdict) for verdict in verdicts if verdict.rows),
        Section("Charts", "Both models on the same rows.", charts=[*versus.charts(duel), *drawn]),
    ]
    if duel.champion is not None:
        names = (duel.candidate.name, duel.champion.name)
        sections.insert(3, versus.params(duel.candidate.params, duel.champion.params, names))
    title = f"Promotion of {_title(duel.candidate)}" + (f" for {duel.target}" if duel.target else "")
    return Document(title, lead, tone, sections)


def _verdicts(verdicts):
    rows = []
    for one in verdicts:
        tone = BAD if not one.passed else GOOD if one.judged else ""
        said = "refused" if not one.passed else "passed" if one.judged else "nothing to judge"
        rows.append([Cell(one.gate), Cell(said, False, tone), Cell(one.reason)])
    return Section("Verdicts", "", ["gate", "verdict", "why"], rows)


def _contenders(duel):
    both = [one for one in (duel.candidate, duel.champion) if one is not None]
    facts = {"run": [one.run_id for one in both], "version": [one.version or "" for one in both]}
    facts |= {name: [str(one.tags.get(name, ""))[:40] for one in both] for name in FACTS}
    facts["learned from, rows"] = ["" if one.trained_on is None else len(one.trained_on) for one in both]
    rows = [[Cell(name), *map(cell, values)] for name, values in facts.items() if any(values)]
    return Section("The models", "", ["", *(one.name for one in both)], rows)


def _rows(verdict):
    """What a gate measured, as a table: one column for every key of its rows, in order."""
    heads = list(dict.fromkeys(key for row in verdict.rows for key in row))
    rows = [[cell(_plain(row.get(head))) for head in heads] for row in verdict.rows]
    return Section(f"Gate {verdict.gate}", verdict.reason, heads, rows)


def _plain(value):
    return json.dumps(value) if isinstance(value, dict | list) else value


def _title(one: Contender) -> str:
    return f"run {one.run_id[:8]}" if one.run_id else one.name
