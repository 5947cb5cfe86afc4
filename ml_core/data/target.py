"""What the target asks for: its task and classes, once all its values are seen.

| values | task "auto" becomes |
|---|---|
| text, true and false | classification |
| whole numbers, at most MOST_CLASSES different ones, each ten times on average | classification |
| two different numbers, both whole, such as 0.0 and 1.0 | classification |
| other numbers | regression |
| no target | clustering |
"""

from dataclasses import replace

import numpy as np
import polars as pl

from ml_core.data.table import Table

MOST_CLASSES = 20


def resolve(table: Table) -> tuple[Table, np.ndarray]:
    """``table`` with its task and classes known and without rows that lack a target, and the places of those.

    ValueError where the target does not suit the task that was asked for.
    """
    if table.target is None:
        return replace(table, task="clustering"), np.empty(0, np.int64)
    target = pl.col(table.target)
    dtype = table.frame.collect_schema()[table.target]
    if dtype.is_temporal():
        raise ValueError(
            f"target {table.target!r} holds dates, allowed are text, booleans and numbers; "
            f"set data.target, or +data.types.{table.target}=categorical"
        )
    missing, rows, levels, whole = _counts(table, target, dtype)
    frame = table.frame.filter(target.is_not_null()) if missing else table.frame
    lacking = _lacking(table, target) if missing else np.empty(0, np.int64)
    task = table.task if table.task != "auto" else _task(dtype, rows, levels, whole)
    if task == "regression":
        if not dtype.is_numeric():
            raise ValueError(
                f"target {table.target!r} holds {'booleans' if dtype == pl.Boolean else 'text'}, "
                f"regression takes numbers; set data.task=classification or data.types.{table.target}=numeric"
            )
        return replace(table, frame=frame, task=task), lacking
    if dtype.is_float():
        if not whole:
            raise ValueError(
                f"target {table.target!r} holds fractions, classification takes text, booleans or whole "
                "numbers; "
                f"set data.task=regression or +data.types.{table.target}=categorical"
            )
        frame = frame.with_columns(target.cast(pl.Int64))
    classes = frame.select(target.unique()).collect(engine="streaming").to_series().sort().to_list()
    return replace(table, frame=frame, task=task, classes=classes), lacking


def _lacking(table, target):
    places = table.frame.select(target).with_row_index("_index").filter(target.is_null()).select("_index")
    return places.collect(engine="streaming").to_series().to_numpy().astype(np.int64)


def _counts(table, target, dtype):
    """Rows without a target, with one, different values, and whether all of them are whole numbers."""
    whole = (target.is_finite() & (target == target.floor())).all() if dtype.is_float() else pl.lit(True)
    asked = [target.null_count(), target.count(), target.drop_nulls().n_unique(), whole]
    return table.frame.select(e.alias(str(i)) for i, e in enumerate(asked)).collect(engine="streaming").row(0)


def _task(dtype, rows, levels, whole):
    if not dtype.is_numeric() or (levels == 2 and whole):
        return "classification"
    few = levels <= min(MOST_CLASSES, max(2, rows // 10))
    return "classification" if dtype.is_integer() and few else "regression"
