"""Reports of promotions and comparisons: whole, self-contained, escaped, equal for equal input."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rivals import duel, other

from ml_core.gates.baseline import NoWorseThanBaselines
from ml_core.gates.better import Better
from ml_core.gates.calibration import Calibrated
from ml_core.gates.data import EnoughData
from ml_core.gates.judge import judge
from ml_core.gates.sane import Sane
from ml_core.gates.slices import NoSliceWorse
from ml_core.outcome import CheckFailed
from ml_core.report import comparison, promotion
from ml_core.report.document import Cell, Document, Section, cell, html, markdown, terminal, write

GATES = {
    "data": EnoughData(),
    "sane": Sane(),
    "better": Better(),
    "slices": NoSliceWorse(resamples=100),
    "calibration": Calibrated(resamples=100),
}
EVIL = '<script>alert("x")</script> | [a](http://x) ![b](http://y) @all `c` *d* & #1'


def evil(one):
    """The same duel with names out of the data that would be markup."""
    frame = one.frame.with_columns(region=one.frame["sex"].replace_strict({"female": EVIL, "male": "m"}))
    return other(replace(one, frame=frame, target=EVIL), params={EVIL: EVIL}, tags={"data": EVIL})


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_promotion_leaves_all_its_files(task, tmp_path):
    one = duel(task, better=0.3)
    verdicts = judge(one, GATES)
    files = write(promotion.document(one, verdicts, 100), tmp_path / "report.md")
    assert {path.name for path in files} >= {"report.md", "report.html", "calibration.png"}
    assert all(path.stat().st_size > 50 for path in files)
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    for verdict in verdicts:
        assert verdict.gate in text and verdict.gate in page
    for picture in re.findall(r"\]\((report-plots/\w+\.png)\)", text):
        assert (tmp_path / picture).exists()
    assert page.count("<svg") == text.count("](report-plots/") == len(files) - 2 >= 3
    assert "Promoted: 5 of 5 gates passed" in text
    again = tmp_path / "again" / "report.md"
    write(promotion.document(one, judge(one, GATES), 100), again)
    for path in files:
        assert (again.parent / path.relative_to(tmp_path)).read_bytes() == path.read_bytes()


def test_a_report_is_markdown_or_a_page(tmp_path):
    said = promotion.document(None, judge(duel(), {"better": Better()}))
    assert [path.name for path in write(said, tmp_path / "a.html")] == ["a.html"]
    assert said.lead == "Refused by better: 0 of 1 gates passed" and len(said.sections) == 1
    with pytest.raises(ValueError, match=r"report\.pdf: a report ends with"):
        write(said, tmp_path / "report.pdf")


def test_a_page_loads_nothing_and_runs_nothing(tmp_path):
    one = evil(duel(better=0.2))
    write(promotion.document(one, judge(one, GATES), 100), tmp_path / "report.md")
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    assert "<script" not in page and "alert(&#34;x&#34;)" in page
    assert not re.search(r"(src|href)=\"(?!#)", page) and "url(" not in page and "@import" not in page
    assert "<script" not in text and "](http" not in text and "@all" not in text
    assert all(line.count("|") == 4 for line in text.splitlines() if line.startswith("| slices"))


def test_the_first_champion_has_a_report_of_its_own():
    one = duel(champion=None)
    text = markdown(promotion.document(one, judge(one, {"better": Better(), "slices": NoSliceWorse()})))
    assert text.count("nothing to judge") == 2 and "no champion yet" in text and "| AUC |" in text


def test_a_refusal_says_by_whom_and_why():
    one = duel()
    said = promotion.document(one, judge(one, {"better": Better(), "baseline": NoWorseThanBaselines()}), 100)
    assert said.lead == "Refused by better: 1 of 2 gates passed" and said.tone == "no"
    mute = other(one, says=None, trouble="it predicts nan")
    said = markdown(promotion.document(mute, judge(mute, GATES), 100))
    assert "it predicts nan" in said and "cannot judge" in said
    score = one.candidate.says.score * np.nan
    broken = other(one, says=replace(one.candidate.says, score=score, probability=score))
    assert "nan or infinite" in html(promotion.document(broken, judge(broken, GATES), 100))


def test_a_comparison_shows_both_runs_in_three_forms():
    one = duel(better=0.3)
    one = other(one, params={"model.C": "1", "gate.x": "2"}, run_id="aaaa1111bbbb")
    said = comparison.document(one, resamples=100)
    assert "aaaa1111 against champion on 600 rows" in said.lead and "surely different in AUC" in said.lead
    out = io.StringIO()
    from rich.console import Console

    terminal(said, Console(file=out, width=140))
    for text in (out.getvalue(), markdown(said), html(said)):
        assert "aaaa1111" in text and "DeLong" in text and "model.C" in text and "region" in text
        assert "gate.x" not in text
    with pytest.raises(CheckFailed, match="two runs"):
        comparison.document(duel(champion=None))


def test_a_comparison_of_a_run_with_itself_finds_no_difference():
    said = comparison.document(duel(), resamples=100)
    assert said.lead.endswith("no metric differs surely")
    assert {row[3].text for row in said.sections[0].rows} == {"+0"}


def test_cells():
    known = [cell(v).text for v in (None, float("nan"), True, 3, 2.0, 0.123456, "a\n b")]
    assert known == ["", "", "yes", "3", "2", "0.1235", "a b"]
    section = Section("t", "", ["a", "b"], [[Cell("", True), Cell("x")], [cell(1), cell(2)]])
    assert section.numeric == [True, False]
    assert markdown(Document("t", "l", "", [section])).count("|---:|---|") == 1
