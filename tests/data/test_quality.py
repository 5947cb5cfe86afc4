"""The data gate: every rule alone, with count, examples and the row numbers of the source."""

import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml_core.data import kinds, target
from ml_core.data.quality import Rules, judge
from ml_core.data.survey import Distinct, survey
from ml_core.data.table import Table
from ml_core.outcome import CheckFailed

N = 300


def clean():
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "a": rng.normal(size=N),
            "b": [i % 9 for i in range(N)],
            "c": ["u", "v", "w"] * (N // 3),
            "d": [date(2024, 1, 1) + timedelta(days=i) for i in range(N)],
            "y": rng.choice(["p", "q"], N).tolist(),
        }
    )


def judged(frame, rules=None, task="auto", goal="y", key=()):
    found = kinds.of_frame(frame.lazy(), {})
    features = {name: kind for name, kind in found.items() if name not in (goal, *key)}
    table, lacking = target.resolve(Table(frame.lazy(), goal, task, features, list(key)))
    facts = survey(table)
    return judge(table, facts, rules or Rules(), lacking), table, facts


def broken(frame, rules=None, **more):
    return {(f.rule, f.column): f for f in judged(frame, rules, **more)[0].broken}


def test_clean_data_pass_without_pandera(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandera.polars", None)  # its import would fail
    assert judged(clean())[0].findings == []


def worse(name, value, places):
    """The clean table with ``value`` in column ``name`` at some places."""
    column = clean()[name].to_list()
    for place in places:
        column[place] = value
    return clean().with_columns(pl.Series(name, column, strict=False))


DIRTY = worse("a", None, range(9, 200))
EIGHT = [0, 1.0, 2.5, 3, 4, 5, 6, 7, 8]
CASES = {
    "few rows": (clean().head(20), {}, ("min_rows", ""), 20, []),
    "missing": (DIRTY, {}, ("max_missing", "a"), 191, [[i, None] for i in (10, 11, 12)]),
    "all missing": (worse("c", None, range(N)), {}, ("all_missing", "c"), N, []),
    "infinite": (worse("a", float("inf"), [4, 8]), {}, ("infinite", "a"), 2, [[5, "inf"], [9, "inf"]]),
    "one class": (worse("y", "p", range(N)), {}, ("classes", "y"), N, []),
    "small class": (worse("y", "r", range(3)), {}, ("classes", "y"), 3, []),
    "no target": (worse("y", None, range(60)), {}, ("unlabeled", "y"), 60, [[1, None], [2, None], [3, None]]),
    "leak": (clean().with_columns(e=pl.col("y") + "!"), {}, ("leakage", "e"), N, None),
    "min": (clean(), {"b": {"min": 1}}, ("min", "b"), 34, [[1, 0], [10, 0], [19, 0]]),
    "max": (clean(), {"b": {"max": 7.5}}, ("max", "b"), 33, [[9, 8], [18, 8], [27, 8]]),
    "last day": (clean(), {"d": {"max": "2024-10-25"}}, ("max", "d"), 1, [[300, "2024-10-26"]]),
    "allowed": (clean(), {"c": {"allowed": ["u", "v"]}}, ("allowed", "c"), 100, None),
    "allowed numbers": (clean(), {"b": {"allowed": EIGHT}}, ("allowed", "b"), 34, None),
    "unique": (clean(), {"b": {"unique": True}}, ("unique", "b"), 291, [[10, 0], [11, 1], [12, 2]]),
    "type": (clean(), {"c": {"type": "numeric"}}, ("type", "c"), 0, []),
    "not there": (clean(), {"z": {}}, ("required", "z"), 0, []),
    "own share": (worse("a", None, [5]), {"a": {"max_missing": 0}}, ("max_missing", "a"), 1, [[6, None]]),
    "target's own": (clean(), {"y": {"allowed": ["p"]}}, ("allowed", "y"), None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_rule_alone(name):
    frame, columns, which, count, examples = CASES[name]
    found = broken(frame, Rules(columns=columns))
    assert list(found) == [which]
    assert count is None or found[which].count == count
    assert examples is None or found[which].examples == examples


def test_what_is_allowed_breaks_nothing():
    columns = {
        "a": {"type": "numeric", "max_missing": 0},
        "b": {"min": 0, "max": 8, "allowed": list(range(9)), "unique": False},
        "c": {"allowed": ["u", "v", "w"], "type": "categorical"},
        "d": {"min": "2024-01-01", "unique": True, "type": "date"},
        "z": {"required": False, "min": 3},
    }
    assert broken(clean(), Rules(columns=columns)) == {}
    off = Rules(None, None, None, None, None, None, None, None)
    worst = worse("y", None, range(100)).with_columns(a=pl.when(pl.col("b") == 1).then(1), e=pl.col("y"))
    assert broken(worst, off) == {}


def test_constants_and_names_are_dropped_with_a_warning():
    frame = clean().with_columns(e=pl.lit(3), f=pl.Series([f"id{i}" for i in range(N)]))
    report = judged(frame)[0]
    assert not report.broken and report.dropped == ["e", "f"]
    assert [f.rule for f in report.findings] == ["constant", "name"]
    half = clean().with_columns(e=pl.when(pl.col("b") > 3).then(3))
    assert judged(half)[0].dropped == []


def test_copies_and_keys():
    frame = pl.concat([clean().head(100)] * 3)
    found = broken(frame)["duplicates", ""]
    assert found.count == 200 and [row for row, _ in found.examples] == [101, 102, 103]
    assert ("duplicates", "") not in broken(frame, Rules(max_duplicates=0.7))
    found = broken(clean(), key=["b"])["key", "b"]
    assert found.count == 291 and found.examples[0] == [10, "(0,)"]
    assert broken(clean(), key=["b", "d"]) == {}
    relabelled = pl.concat([clean(), clean().with_columns(y=pl.lit("p"))])
    assert judged(relabelled)[2].copies == (clean()["y"] == "p").sum()


def test_row_numbers_are_those_of_the_source():
    frame = worse("y", None, [0, 5, 6]).with_columns(
        b=pl.Series(["b"] * 0 + [100 if i in (4, 7) else 1 for i in range(N)])
    )
    report = judged(frame, Rules(columns={"b": {"max": 50}}))[0]
    assert [f.examples for f in report.broken] == [[[5, 100], [8, 100]]]
    warning = report.findings[0]
    assert warning.level == "warning" and warning.examples == [[1, None], [6, None], [7, None]]


def test_many_batches_count_as_one_table(monkeypatch):
    monkeypatch.setattr(
        "ml_core.data.rows.batches", lambda frame, rows=7: iter(frame.collect().iter_slices(7))
    )
    frame = worse("a", float("inf"), [4, 8, 250, 260])
    found = broken(frame, Rules(columns={"b": {"max": 7}}))
    assert found["infinite", "a"].count == 4 and found["infinite", "a"].examples[2] == [251, "inf"]
    assert found["max", "b"].count == 33


def test_regression_with_a_constant_target():
    frame = clean().with_columns(y=pl.lit(0.5))
    assert list(broken(frame)) == [("classes", "y")]


def test_no_rows():
    assert list(broken(clean().clear(), Rules(min_rows=None))) == [("min_rows", "")]


def test_the_report_says_it_all_and_the_message_where_it_lies(tmp_path):
    frame = (
        clean()
        .with_columns(e=pl.lit("<b>"))
        .with_columns(
            a=pl.when(pl.col("b") > 3).then(pl.lit(float("inf"))).otherwise(pl.col("a")),
            c=pl.lit(None, dtype=pl.String),
        )
    )
    columns = {"b": {"max": 7}, "y": {"allowed": ["p"]}, "z": {}}
    report, table, facts = judged(frame, Rules(columns=columns))
    out = tmp_path / ".prepare"
    out.mkdir()
    report.write(out, table, facts, {"unlabeled": 0})
    with pytest.raises(CheckFailed) as caught:
        report.check(out)
    first, second = str(caught.value).splitlines()
    assert first.startswith("the data break 5 rules: z: the column is not there; ") and first.endswith(
        "and 2 more"
    )
    assert ".mlcore/failed/prepare/quality.html" in second
    known = json.loads((out / "quality.json").read_text(), parse_constant=pytest.fail)
    assert known["passed"] is False and len(known["broken"]) == 5 and known["dropped"] == ["e"]
    assert {"column", "rule", "says", "count", "examples"} <= set(known["broken"][0])
    page = (out / "quality.html").read_text()
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert all(f"<td>{finding['column']}</td>" in page for finding in known["broken"])


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"a": 3}, r"prepare.rules.columns.a: got 3, allowed is a mapping such as \{min: 0, max: 120\}"),
        ({"a": {"minimum": 3}}, "prepare.rules.columns.a: no rule 'minimum'; allowed are type, min"),
        ({"a": {"type": "int"}}, "prepare.rules.columns.a.type: got 'int', allowed are numeric"),
        ({"a": {"min": "three"}}, "prepare.rules.columns.a.min: got 'three', but the column holds Float64"),
        ({"c": {"allowed": "u"}}, "prepare.rules.columns.c.allowed: got 'u', allowed is a list"),
        ({"d": {"min": "soon"}}, "prepare.rules.columns.d.min: got 'soon', but the column holds Date"),
    ],
)
def test_rules_that_mean_nothing(columns, message):
    with pytest.raises(ValueError, match=message):
        judged(clean(), Rules(columns=columns))


@pytest.mark.parametrize("n", [0, 1, 1000, 1023, 5000, 200_000])
def test_distinct_counts(n):
    from ml_core.kernels import rowhash

    counter, values = Distinct(), rowhash.numbers(np.arange(n))
    for part in np.array_split(np.concatenate([values, values]), 7):
        counter.add(part)
    assert counter.count == n if n < Distinct.SIZE else abs(counter.count - n) < 0.12 * n
