"""Read the source once; from here on the pipeline knows only parquet."""

from pathlib import Path

import polars as pl

from ml_core.data.rows import write
from ml_core.outcome import Outcome


def ingest(out: Path, data) -> Outcome:
    """Write the table of source ``data`` as table.parquet and table.json, in order, in bounded memory."""
    file = out / "table.parquet"
    try:
        table = data.read()
        write(table.frame, file)
    except pl.exceptions.PolarsError as error:  # a file that breaks off in the middle, for one
        told = str(error).splitlines()[0]
        raise ValueError(
            f"{data.path}: cannot be read to its end: {told}; mend or replace the file"
        ) from None
    table.describe(out)
    rows = pl.scan_parquet(file).select(pl.len()).collect().item()
    columns = len(pl.read_parquet_schema(file))
    return Outcome({"rows": float(rows), "columns": float(columns)}, ["table.json"])
