"""Read the source once; from here on the pipeline knows only parquet."""

from pathlib import Path

import polars as pl

from ml_core.data.rows import ROW_GROUP
from ml_core.outcome import Outcome


def ingest(out: Path, data) -> Outcome:
    """Write the table of source ``data`` as table.parquet and table.json, in order, in bounded memory."""
    table = data.read()
    file = out / "table.parquet"
    table.frame.sink_parquet(file, row_group_size=ROW_GROUP, maintain_order=True, engine="streaming")
    table.describe(out)
    rows = pl.scan_parquet(file).select(pl.len()).collect().item()
    columns = len(pl.read_parquet_schema(file))
    return Outcome({"rows": float(rows), "columns": float(columns)}, ["table.json"])
