"""Frame -> row hashes: the columns' values as the arrays that kernels/rowhash.py takes."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from ml_core.kernels import rowhash

BATCH = 65_536  # rows held at a time
ROW_GROUP = 65_536  # rows of a parquet row group: what a reader must hold at least


def batches(frame: pl.LazyFrame, rows: int = BATCH) -> Iterator[pl.DataFrame]:
    """The frame's rows in order, about ``rows`` at a time; memory stays bounded by the batch."""
    yield from frame.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")


def lazy(make: Callable[[list[str]], Iterable[pl.DataFrame]], schema: dict) -> pl.LazyFrame:
    """A frame whose rows ``make(columns)`` gives in batches, anew each time that it is collected."""

    def source(columns, predicate, n_rows, _batch_size):
        for batch in make(
            list(schema) if columns is None else [name for name in schema if name in set(columns)]
        ):
            batch = batch if n_rows is None else batch.head(n_rows)
            n_rows = None if n_rows is None else n_rows - len(batch)
            yield batch if predicate is None else batch.filter(predicate)
            if n_rows == 0:
                return

    return register_io_source(source, schema=schema)


def write(frame: pl.LazyFrame, file: Path) -> None:
    """Stream the frame's rows, in order, into a parquet file; the same bytes at any number of threads.

    OSError where the disk is full or the folder read-only, which polars tells by an error of its own.
    """
    try:
        frame.sink_parquet(file, row_group_size=ROW_GROUP, maintain_order=True, engine="streaming")
    except pl.exceptions.PolarsError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(file)) from None


def values(column: pl.Series) -> np.ndarray:
    """Hashes uint64 (n,) of a column's values; equal values hash equal in any type that can hold them."""
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).to_physical()
    if column.dtype == pl.Null:
        return np.full(len(column), rowhash.MISSING)
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        hashed = rowhash.numbers(column.fill_null(strategy="zero").to_numpy())
    else:
        hashed = _texts(column.cast(pl.String).fill_null(""))
    if column.null_count():
        hashed[column.is_null().to_numpy()] = rowhash.MISSING
    return hashed


def _texts(column):
    # joined in one go by polars: a Python string a value would cost 20 times as much
    whole = column.str.join("").item().encode()
    lengths = column.str.len_bytes().to_numpy().astype(np.int64)
    return rowhash.strings(np.frombuffer(whole, np.uint8), lengths)


def hashes(frame: pl.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """Row hashes uint64 (n,) from the named columns' content, whatever the order of ``columns``."""
    return rowhash.combine([(name, values(frame[name])) for name in columns], len(frame))
