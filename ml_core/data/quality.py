"""The data gate: are there enough good data? Every broken rule at once, with column, count and example rows.

| rule | broken when |
|---|---|
| min_rows, max_columns | too few rows with a target, too many columns |
| unlabeled | more than this share of rows lacks the target; fewer are left out, with a warning |
| all_missing, max_missing | a column holds nothing, or too little |
| infinite | a number is infinite (nan counts as missing) |
| duplicates, key | too many rows repeat an earlier one, or any row repeats an earlier key |
| classes | one class only, too few rows or too small a share of a class; a constant target |
| leakage | one column predicts the target this well, on rows it was not learned from |
| columns | what `prepare.rules.columns` says of a column does not hold |

Two findings only warn, and leave the column out of the features: `constant`, and `name`, text with a value of
its own in nearly every row, which says nothing of a new row (`data.types.NAME=text` keeps it).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from ml_core.data import findings, quality_page, rows
from ml_core.data.findings import EXAMPLES, Finding
from ml_core.data.survey import Facts
from ml_core.data.table import KINDS, Table
from ml_core.outcome import CheckFailed

EXPECTATIONS = ("type", "min", "max", "allowed", "unique", "max_missing", "required")


@dataclass(frozen=True)
class Rules:
    """What the data must be like; a limit of null switches its rule off. ``columns``: name -> "
    "EXPECTATIONS."""

    min_rows: int | None = 50
    max_missing: float | None = 0.5
    max_duplicates: float | None = 0.5
    min_class_rows: int | None = 8
    min_class_share: float | None = 0.01
    max_columns: int | None = 20000
    leakage: float | None = 0.999
    max_unlabeled: float | None = 0.1
    columns: dict = field(default_factory=dict)

    def __post_init__(self):
        for name, wanted in self.columns.items():
            where = f"prepare.rules.columns.{name}"
            if not isinstance(wanted, dict):
                raise ValueError(
                    f"{where}: got {wanted!r}, allowed is a mapping such as {{min: 0, max: 120}}"
                )
            for word in wanted:
                if word not in EXPECTATIONS:
                    raise ValueError(f"{where}: no rule {word!r}; allowed are {', '.join(EXPECTATIONS)}")
            if wanted.get("type", KINDS[0]) not in KINDS:
                raise ValueError(f"{where}.type: got {wanted['type']!r}, allowed are {', '.join(KINDS)}")


@dataclass
class Report:
    """What the gate found: ``broken`` fails it, the rest warns; ``dropped`` columns are no features."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def broken(self) -> list[Finding]:
        """Findings that fail the gate."""
        return [finding for finding in self.findings if finding.level == "broken"]

    @property
    def dropped(self) -> list[str]:
        """Columns to leave out of the features."""
        return [finding.column for finding in self.findings if finding.level == "dropped"]

    def write(self, out: Path, table: Table, facts: Facts | None, more: dict) -> None:
        """Leave quality.json and quality.html in ``out``."""
        known = {
            "passed": not self.broken,
            "source": table.source,
            "task": table.task,
            "target": table.target,
            "rows": facts.rows if facts else None,
            **more,
            "copies": facts.copies if facts else None,
            "classes": [[value, count] for value, count in facts.classes.items()] if facts else [],
            "broken": [asdict(finding) for finding in self.broken],
            "warnings": [asdict(finding) for finding in self.findings if finding.level != "broken"],
            "dropped": self.dropped,
            "columns": _listed(table, facts) if facts else [],
        }
        quality_page.write(out, known)

    def check(self, out: Path) -> None:
        """CheckFailed with the first few broken rules and where the report lies, if any is broken."""
        if not self.broken:
            return
        first = "; ".join(f"{f.column + ': ' if f.column else ''}{f.says}" for f in self.broken[:EXAMPLES])
        more = f"; and {len(self.broken) - EXAMPLES} more" if len(self.broken) > EXAMPLES else ""
        rules = "rule" if len(self.broken) == 1 else "rules"
        raise CheckFailed(
            f"the data break {len(self.broken)} {rules}: {first}{more}\n"
            f"all of it with example rows: .mlcore/failed/{out.name.lstrip('.')}/quality.html (and .json); "
            "limits: prepare.rules"
        )


def _listed(table, facts):
    schema = table.frame.collect_schema()
    return [
        {
            "column": name,
            "kind": "target" if name == table.target else table.kinds.get(name, "no feature"),
            "type": str(schema[name]),
            **{what: findings.shown(value) for what, value in figures.items()},
        }
        for name, figures in facts.columns.items()
    ]


def judge(table: Table, facts: Facts, rules: Rules, lacking: np.ndarray) -> Report:
    """Ask every rule; the rows at the places ``lacking`` had no target and are no longer in ``table``."""
    report = Report([*findings.of_rows(table, facts, rules, lacking)])
    report.findings += findings.of_columns_there(table, rules)
    if facts.rows:
        report.findings += findings.of_columns(table, facts, rules)
        features = [name for name in table.features if name not in report.dropped]
        report.findings += findings.of_target(table, facts, rules, features)
        report.findings += _of_values(table, facts, rules)
    for finding in report.findings:  # row numbers are those of the source, the left out rows counted
        finding.examples[:] = [[_numbered(row, lacking), value] for row, value in finding.examples]
        if finding.rule == "unlabeled":
            finding.examples[:] = [[int(place) + 1, None] for place in lacking[:EXAMPLES]]
    return report


def _numbered(row, lacking):
    before = lacking - np.arange(len(lacking))
    return None if row is None else row + int(np.searchsorted(before, row - 1, side="right"))


def _of_values(table, facts, rules) -> Iterator[Finding]:
    """Rules about single values (min, max, allowed, finite), by a pandera schema on each batch."""
    schema = table.frame.collect_schema()
    checks = {name: _limits(name, rules.columns.get(name, {}), schema[name]) for name in schema}
    for name, figures in facts.columns.items():
        if figures["infinite"]:
            checks[name].append(("infinite", "is infinite"))
    checks = {name: asked for name, asked in checks.items() if asked}
    if not checks:  # most tables: then nobody waits for pandera's import, 2.7 seconds of CPU
        return
    counts, examples, start = {}, {}, 0
    for batch in rows.batches(table.frame.select(list(checks))):
        for (name, rule), places in _failures(batch, checks).items():
            counts[name, rule] = counts.get((name, rule), 0) + len(places)
            known = examples.setdefault((name, rule), [])
            known += [
                [start + i + 1, findings.shown(batch[name][i])] for i in places[: EXAMPLES - len(known)]
            ]
        start += len(batch)
    for (name, rule), count in sorted(counts.items()):
        wanted = "infinite" if rule == "infinite" else f"outside {rule} {str(rules.columns[name][rule]):.60}"
        yield Finding(rule, name, f"{count} values are {wanted}", count, examples[name, rule])


def _limits(name, expected, dtype):
    """(rule, limit) pairs; the limits as values of the column's own type."""
    limits = [(rule, expected[rule]) for rule in ("min", "max", "allowed") if expected.get(rule) is not None]
    return [(rule, _as_type(name, rule, limit, dtype)) for rule, limit in limits]


def _as_type(name, rule, limit, dtype):
    where = f"prepare.rules.columns.{name}.{rule}"
    many = isinstance(limit, list)
    if (rule == "allowed") != many:
        raise ValueError(
            f"{where}: got {limit!r}, allowed is {'a list' if rule == 'allowed' else 'one value'}"
        )
    values = limit if many else [limit]
    try:
        if dtype.is_temporal():
            values = [
                value if isinstance(value, date) else date.fromisoformat(str(value)[:10]) for value in values
            ]
        if dtype == pl.String:
            values = [str(value) for value in values]
        if dtype.is_numeric():
            values = [float(value) for value in values]
        else:
            values = pl.Series(values, strict=True).cast(dtype).to_list()
        if dtype.is_integer() and many:  # polars finds no float in a column of integers
            values = [int(value) for value in values if value == int(value)]
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        raise ValueError(f"{where}: got {limit!r}, but the column holds {dtype}") from None
    return values if many else values[0]


def _failures(batch, checks):
    """(column, rule) -> places in the batch that fail, by one lazy validation."""
    import pandera.polars as pa

    made = {
        "min": pa.Check.ge,
        "max": pa.Check.le,
        "allowed": pa.Check.isin,
        "infinite": lambda _: pa.Check(lambda data: data.lazyframe.select(~pl.col(data.key).is_infinite())),
    }
    columns = {
        name: pa.Column(checks=[made[rule](limit) for rule, limit in asked], nullable=True)
        for name, asked in checks.items()
    }
    try:
        pa.DataFrameSchema(columns).validate(batch, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        if cases["index"].null_count():  # a check that could not be asked, not a value that failed it
            raise RuntimeError(f"pandera: {cases.row(0)}") from errors
        found = cases.group_by("column", "check_number").agg(pl.col("index").sort())
        return {(name, checks[name][number][0]): places for name, number, places in found.iter_rows()}
    return {}
