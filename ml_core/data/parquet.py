"""Parquet files: read lazily by polars, never whole."""

from dataclasses import dataclass, field

import polars as pl

from ml_core.data import columns, files, kinds
from ml_core.data.retype import retype
from ml_core.data.table import Table


@dataclass(frozen=True)
class Parquet:
    """One file, or the files of folder ``path`` that match ``pattern``; nan counts as missing.

    With ``known_at`` and ``as_of`` only the rows known by then are read.
    """

    path: str
    pattern: str = "*.parquet"
    target: str | None = None
    task: str = "auto"
    key: list = field(default_factory=list)
    drop: list = field(default_factory=list)
    known_at: str | None = None
    as_of: str | None = None
    types: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "types", kinds.named(self.types))

    def read(self) -> Table:
        """The table; its frame reads the files whenever it is collected."""
        found = files.find(self.path, self.pattern)
        schemas = {file: _schema(file) for file in found}
        names = {file: list(schema) for file, schema in schemas.items()}
        where = files.name_of(found, self.path)
        columns.check(self, names[found[0]], str(found[0]))
        files.same_columns(names)
        _check_types(schemas, self.drop)
        frame = pl.scan_parquet(found, glob=False, hive_partitioning=False)
        wanted = [name for name in names[found[0]] if name not in set(self.drop)]
        frame = retype(kinds.plain(frame.select(wanted), where), self._types, where)
        if frame.select(pl.len()).collect(engine="streaming").item() == 0:
            raise ValueError(f"{where}: columns and no rows; there is nothing to learn from")
        return columns.table(self, frame, kinds.of_frame(frame, self._types), f"parquet {where}")

    @property
    def _types(self):
        return {name: kind for name, kind in self.types.items() if name not in set(self.drop)}


def _schema(file):
    try:
        return pl.read_parquet_schema(file)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{file}: not a parquet file: {str(error).splitlines()[0]}") from None


def _check_types(schemas, dropped):
    """ValueError that names the first file in which a column has another type than in the first file."""
    first, *others = schemas
    for other in others:
        for name, dtype in schemas[first].items():
            if name not in dropped and schemas[other][name] != dtype:
                raise ValueError(
                    f"{other}: column {name!r} holds {schemas[other][name]}, in {first} it holds {dtype}; "
                    "write the files alike, or leave one out by data.pattern"
                )
