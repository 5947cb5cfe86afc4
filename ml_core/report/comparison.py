"""Two runs compared pair by pair on the same rows: what `mlcore compare` shows, writes and draws."""

from dataclasses import replace

from ml_core.gates.duel import Duel
from ml_core.gates.slices import NoSliceWorse
from ml_core.outcome import CheckFailed
from ml_core.report import versus
from ml_core.report.document import Document, Section, cell

LEFT_OUT = ("tracking.", "gate.")


def document(duel: Duel, slices: bool = True, resamples: int = 1000) -> Document:
    """A duel whose candidate is run A and whose champion is run B -> metrics, slices, params, charts.

    CheckFailed where they cannot be compared. ``markdown``, ``html``, ``terminal`` of document.py write it.
    """
    if duel.champion is None:
        raise CheckFailed("a comparison needs two runs; name both: mlcore compare RUN_A RUN_B")
    names = tuple(f"{one.run_id[:8] or one.name}" for one in (duel.candidate, duel.champion))
    if names[0] == names[1]:
        names = ("A", "B")
    a, b = (replace(one, name=name) for one, name in zip((duel.candidate, duel.champion), names, strict=True))
    duel = replace(duel, candidate=a, champion=b)
    if duel.task != "clustering":
        _ = duel.paired
    measured = versus.metrics(duel, resamples)
    sections = [measured]
    drawn = []
    if slices and duel.task != "clustering":
        found = NoSliceWorse(resamples=resamples)(duel)
        sections.append(_slices(found, names, duel.metric))
        drawn = versus.slices(found.rows)
    sections.append(versus.params(a.params, b.params, names, LEFT_OUT))
    sections.append(Section("Charts", charts=[*versus.charts(duel), *drawn]))
    sure = [row[0].text for row in measured.rows if row[3].tone]
    told = f"surely different in {', '.join(sure)}" if sure else "no metric differs surely"
    lead = f"{names[0]} against {names[1]} on {len(duel.fair)} rows that are new to both: {told}"
    return Document(f"{names[0]} against {names[1]}", lead, "", sections)


def _slices(found, names, metric):
    heads = ["column", "level", "n", "candidate", "champion", "gain", "low", "high", "p"]
    rows = [[cell(row.get(head)) for head in heads] for row in found.rows if "gain" in row]
    note = f"{metric} on parts of these rows; p says whether {names[0]} is worse there, corrected after Holm."
    return Section("Slices", note, [*heads[:3], *names, *heads[5:]], rows)
