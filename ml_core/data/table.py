"""A table: polars frame, target, kinds of columns; and its form on disk between the steps.

On disk a table is a folder: one parquet file a part (``table`` after ingest; ``train`` and ``test`` after
prepare) beside ``table.json``, which holds everything else.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl

ROW = "_row"  # uint64 hash of the row's key: names a row for ever, whatever is added before or after it
KINDS = ("numeric", "boolean", "categorical", "text", "date")
TASKS = ("classification", "regression", "clustering")


@dataclass(frozen=True)
class Table:
    """A lazy frame and what is known about it.

    Attributes
    ----------
    frame : polars.LazyFrame, n rows; never collected before the rows are known to fit
    target : name of the column to predict; None for clustering
    task : one of TASKS, or "auto" until prepare has seen the target
    kinds : feature column -> one of KINDS; a column that is no feature (target, key, dropped) is missing here
    key : columns that name a row; empty: the row's content does
    classes : the target's values in order, classification only, once prepare has seen them
    source : for people and lineage, such as "csv ../adult.csv"; never holds a secret
    """

    frame: pl.LazyFrame
    target: str | None = None
    task: str = "auto"
    kinds: dict[str, str] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)
    classes: list = field(default_factory=list)
    source: str = ""

    @property
    def features(self) -> list[str]:
        """Names of the feature columns, in the frame's order."""
        return list(self.kinds)

    def describe(self, folder: Path) -> None:
        """Write table.json: everything but the rows."""
        known = {name: value for name, value in asdict(replace(self, frame=None)).items() if name != "frame"}
        (folder / "table.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path, part: str = "table") -> Table:
    """The table that a step left in ``folder``; ``part`` is table, train or test."""
    known = json.loads((folder / "table.json").read_text())
    return Table(frame=pl.scan_parquet(folder / f"{part}.parquet"), **known)


def features_and_target(table: Table):
    """Table -> X polars.DataFrame (n, d) of the features, y numpy (n,) or None, row uint64 (n,)."""
    frame = table.frame.collect()
    y = None if table.target is None else frame[table.target].to_numpy()
    return frame.select(table.features), y, frame[ROW].to_numpy()
