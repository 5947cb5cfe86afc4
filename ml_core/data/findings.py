"""What the data gate can find: one function for each part of a table, each a generator of findings."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ml_core.data import kinds, leakage, rows
from ml_core.data.survey import Facts, repeats
from ml_core.data.table import Table

EXAMPLES = 3
NAMED, NAMED_ROWS = 0.9, 50  # from this share of different values on, in this many rows, text names its row


@dataclass(frozen=True)
class Finding:
    """A rule, the column it speaks of ("" for the table), what it counts, and [row number, value] examples.

    ``level`` is broken (the gate fails), warning, or dropped (a warning; the column is left out of the
    features).
    """

    rule: str
    column: str
    says: str
    count: int = 0
    examples: list = field(default_factory=list)
    level: str = "broken"


def too_wide(table: Table, rules) -> list[Finding]:
    """The rule that is asked before anything else: the others cost time a column."""
    width = len(table.kinds)
    if rules.max_columns is None or width <= rules.max_columns:
        return []
    return [
        Finding("max_columns", "", f"{width:,} columns, at most {rules.max_columns:,} are allowed", width)
    ]


def of_rows(table: Table, facts: Facts, rules, lacking: np.ndarray) -> Iterator[Finding]:
    """Rules about the rows: enough of them, with targets (the rows at ``lacking`` have none), few copies."""
    if facts.rows < max(rules.min_rows or 1, 1):
        least = max(rules.min_rows or 1, 1)
        yield Finding("min_rows", "", f"{facts.rows} rows, at least {least} are needed", facts.rows)
    if len(lacking):
        share = len(lacking) / (len(lacking) + facts.rows)
        says = f"{len(lacking)} rows ({share:.1%}) have no target and are left out"
        bad = rules.max_unlabeled is not None and share > rules.max_unlabeled
        says += f", at most {rules.max_unlabeled:.0%} may" if bad else ""
        yield Finding("unlabeled", table.target, says, len(lacking), level="broken" if bad else "warning")
    if table.key and facts.copies:
        names = ", ".join(table.key)
        says = f"{facts.copies} rows repeat the key of an earlier row"
        yield Finding("key", names, says, facts.copies, _copied(table, facts))
    elif rules.max_duplicates is not None and facts.copies > rules.max_duplicates * facts.rows:
        says = f"{facts.copies} of {facts.rows} rows are copies, at most {rules.max_duplicates:.0%} may"
        yield Finding("duplicates", "", says, facts.copies, _copied(table, facts))


def _copied(table, facts):
    names = table.key or table.features[:EXAMPLES]
    places = repeats(facts.hashes, EXAMPLES)
    return [[i + 1, str(table.frame.select(names).slice(i, 1).collect().row(0))] for i in places]


def where(table: Table, column: str, condition: pl.Expr) -> list:
    """The first rows on which ``condition`` holds, as [row number, value]."""
    found = table.frame.select(column).with_row_index("_index").filter(condition).head(EXAMPLES)
    return [[i + 1, shown(value)] for i, value in found.collect(engine="streaming").iter_rows()]


def shown(value: object) -> object:
    """A value as an example of a report."""
    if isinstance(value, float) and math.isfinite(value):
        return value
    return value if value is None or isinstance(value, int | bool) else str(value)[:80]


def of_columns(table: Table, facts: Facts, rules) -> Iterator[Finding]:
    """Rules about each feature: something in it, not always the same, no mere name of the row."""
    for name in table.features:
        figures = facts.columns[name]
        if figures["missing"] == facts.rows:
            yield Finding("all_missing", name, "every value is missing; set data.drop", facts.rows)
        elif figures["missing"] == 0 and figures["min"] == figures["max"]:
            says = f"always {shown(figures['min'])!r}"
            yield Finding("constant", name, says, facts.rows, level="dropped")
        elif _names_rows(figures, facts.rows, table.kinds[name]):
            says = f"about {figures['distinct']} different values in {facts.rows} rows: it names rows"
            yield Finding("name", name, says, figures["distinct"], level="dropped")
    limits = {name: rules.max_missing for name in table.features}
    limits |= {
        n: w["max_missing"] for n, w in rules.columns.items() if "max_missing" in w and n in facts.columns
    }
    for name, most in limits.items():
        count = facts.columns[name]["missing"]
        if most is not None and most * facts.rows < count < facts.rows:
            says = f"{count / facts.rows:.0%} of the values are missing, at most {most:.0%} may"
            yield Finding("max_missing", name, says, count, where(table, name, pl.col(name).is_null()))


def _names_rows(figures, n_rows, kind):
    values = n_rows - figures["missing"]
    return kind == "categorical" and values >= NAMED_ROWS and figures["distinct"] >= NAMED * values


def of_target(table: Table, facts: Facts, rules, features: list[str]) -> Iterator[Finding]:
    """Rules about the target: classes of some size, no feature that gives it away."""
    target = table.target
    if table.task == "regression" and facts.columns[target]["min"] == facts.columns[target]["max"]:
        yield Finding("classes", target, "the target has one value only", facts.rows)
        return
    if table.task == "classification":
        yield from _classes(target, facts, rules)
    if target is None or rules.leakage is None or len(facts.classes) == 1:
        return
    sample = facts.sample.select([*features, target])
    for name, score in leakage.scores(sample, facts.sample_half, target, table.classes).items():
        if score >= rules.leakage:
            says = f"predicts the target by itself ({score:.4f}, allowed is less than {rules.leakage:g})"
            pairs = sample.select(name, target).unique(maintain_order=True).head(EXAMPLES).iter_rows()
            yield Finding("leakage", name, says, len(sample), [[None, f"{x} -> {y}"] for x, y in pairs])


def _classes(target, facts, rules):
    if len(facts.classes) < 2:
        yield Finding("classes", target, f"one class only: {next(iter(facts.classes), None)!r}", facts.rows)
        return
    for value, count in facts.classes.items():
        few = count < (rules.min_class_rows or 0)
        if few or count < (rules.min_class_share or 0) * facts.rows:
            least = f"{rules.min_class_rows} rows" if few else f"{rules.min_class_share:.1%}"
            says = f"class {value!r} has {count} rows ({count / facts.rows:.2%}), at least {least} are needed"
            yield Finding("classes", target, says, count)


def of_columns_there(table: Table, rules) -> Iterator[Finding]:
    """That every column which `prepare.rules.columns` requires is there, and of the kind it says."""
    schema = table.frame.collect_schema()
    for name, wanted in rules.columns.items():
        if name not in schema:
            if wanted.get("required", True):
                yield Finding("required", name, "the column is not there")
            continue
        kind = table.kinds.get(name) or kinds.of_type(schema[name]) or "categorical"
        if wanted.get("type", kind) != kind:
            yield Finding("type", name, f"is {kind}, {wanted['type']} is expected")
        if wanted.get("unique"):
            yield from _unique(table, name)


def _unique(table, name):
    hashes = np.concatenate([rows.values(batch[name]) for batch in rows.batches(table.frame.select(name))])
    count = len(hashes) - len(np.unique(hashes))
    if count:
        places = repeats(hashes, EXAMPLES)
        values = [shown(table.frame.select(name).slice(i, 1).collect().item()) for i in places]
        examples = [[i + 1, value] for i, value in zip(places, values, strict=True)]
        yield Finding("unique", name, f"{count} values stood in an earlier row", count, examples)
