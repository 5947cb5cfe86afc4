"""`data.types` for sources whose columns come with a type of their own (parquet, sql)."""

import polars as pl

from ml_core.data.guess import NAMES, first_misfits, read_as
from ml_core.data.rows import batches


def retype(frame: pl.LazyFrame, types: dict[str, str], where: str) -> pl.LazyFrame:
    """``frame`` with the columns in ``types`` read as it says; ValueError names a value that is not so."""
    schema = frame.collect_schema()
    texts = {name: kind for name, kind in types.items() if schema[name] == pl.String}
    wanted = {name: kind for name, kind in texts.items() if kind not in ("text", "categorical")}
    _check(frame, wanted, where)
    casts = [read_as(pl.col(name), kind) for name, kind in wanted.items()]
    casts += [_cast(name, kind, schema[name], where) for name, kind in types.items() if name not in texts]
    return frame.with_columns(casts)


def _check(frame, wanted, where):
    if not wanted:
        return
    row = 0
    for batch in batches(frame.select(list(wanted))):
        for name, (i, text) in first_misfits(batch, wanted).items():
            raise ValueError(
                f"{where}: column {name!r}, row {row + i + 1}: {text[:60]!r} is not "
                f"{NAMES.get(wanted[name], 'a date like ' + wanted[name])}; mend it, or change "
                f"data.types.{name}"
            )
        row += len(batch)


def _cast(name, kind, dtype, where):
    column = pl.col(name)
    if kind in ("text", "categorical"):
        return column.cast(pl.String)
    if kind in ("numeric", "integer") and (dtype == pl.Boolean or dtype.is_numeric()):
        return column.cast(pl.Int64) if kind == "integer" or dtype == pl.Boolean else column
    if kind == "boolean" and (dtype == pl.Boolean or dtype.is_integer()):
        return column.cast(pl.Boolean)
    if (kind == "date" or "%" in kind) and dtype.is_temporal():
        return column
    raise ValueError(
        f"{where}: column {name!r} holds {dtype}, which cannot be read as {kind}; change data.types.{name}"
    )
