"""The data gate and the split: from here on every row is typed, checked, named and on its side for ever."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from ml_core.data import quality, rows, target
from ml_core.data.findings import too_wide
from ml_core.data.split import Split
from ml_core.data.survey import Facts, survey
from ml_core.data.table import ROW, Table, read
from ml_core.outcome import Outcome


def prepare(out: Path, rules: quality.Rules, split: Split) -> Outcome:
    """Write train and test parquet with table.json, and the gate's report; CheckFailed where rules are "
    "broken."""
    table = read(out.parent / "ingest")
    wide = quality.Report(too_wide(table, rules))
    if wide.broken:
        wide.write(out, table, None, {})
        wide.check(out)
    split.check(table)
    table, lacking = target.resolve(table)
    facts = survey(table)
    report = quality.judge(table, facts, rules, lacking)
    more = {"unlabeled": len(lacking)}
    if report.broken:
        report.write(out, table, facts, more)
        report.check(out)
    aside = {*report.dropped, *split.aside}
    kinds = {name: kind for name, kind in table.kinds.items() if name not in aside}
    if not kinds:
        raise ValueError(
            "prepare: no feature is left; every column is constant, names its row or names the split's group"
        )
    tested = split.sides(table, facts.hashes)
    more |= {"train": int((~tested).sum()), "test": int(tested.sum()), "split": split.method}
    report.write(out, table, facts, more)
    table = replace(table, kinds=kinds)
    for part, chosen in (("train", ~tested), ("test", tested)):
        _write(out / f"{part}.parquet", table, facts.hashes, chosen)
    table.describe(out)
    return _outcome(table, facts, tested)


def _write(file: Path, table: Table, hashes: np.ndarray, chosen: np.ndarray) -> None:
    """The chosen rows in the frame's order, their names in column ROW."""

    def make(columns):
        start = 0
        for batch in rows.batches(table.frame):
            part = slice(start, start + len(batch))
            start = part.stop
            yield batch.with_columns(pl.Series(ROW, hashes[part])).filter(chosen[part]).select(columns)

    frame = rows.lazy(make, {**table.frame.collect_schema(), ROW: pl.UInt64})
    rows.write(frame, file)


def _outcome(table: Table, facts: Facts, tested: np.ndarray) -> Outcome:
    cells = facts.rows * max(len(table.features), 1)
    missing = sum(facts.columns[name]["missing"] for name in table.features)
    metrics = {
        "rows.train": float((~tested).sum()),
        "rows.test": float(tested.sum()),
        "columns": float(len(table.features)),
        "missing": missing / cells,
        "duplicates": facts.copies / facts.rows,
    }
    return Outcome(metrics, ["quality.json", "quality.html", "table.json"])
