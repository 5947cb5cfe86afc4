"""A query's rows, through SQLAlchemy, fetched in chunks.

The address of the database, which holds a password, is read from the environment variable that ``url_env``
names, at the moment of reading. It is never stored, and no message shows any part of it.
"""

import os
import re
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ml_core.data import columns, kinds
from ml_core.data.retype import retype
from ml_core.data.table import Table

CHUNK = 50_000  # rows fetched at a time


@dataclass(frozen=True)
class Sql:
    """The rows of ``query``. A new ``as_of`` (any text) fetches anew, since nobody sees a database change;
    with ``known_at``, the column that tells when a row was known, only the rows known by then count.

    The rows lie in a temporary folder from the one fetch on, until the table is forgotten: a second query
    could give other rows. Order them (``order by``) where two fetches shall give the same bytes.
    """

    query: str
    path: str = "conf/data/sql.yaml"
    url_env: str = "MLCORE_SQL_URL"
    as_of: str | None = None
    known_at: str | None = None
    target: str | None = None
    task: str = "auto"
    key: list = field(default_factory=list)
    drop: list = field(default_factory=list)
    types: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "types", kinds.named(self.types))

    def read(self) -> Table:
        """The table, fetched once."""
        folder = tempfile.TemporaryDirectory(prefix="mlcore-sql-")
        try:
            frame = self._fetch(Path(folder.name))
        except BaseException:
            folder.cleanup()
            raise
        types = {name: kind for name, kind in self.types.items() if name not in set(self.drop)}
        frame = retype(kinds.plain(frame, "sql"), types, "sql")
        table = columns.table(self, frame, kinds.of_frame(frame, types), f"sql ${self.url_env}: {self.query}")
        weakref.finalize(table, folder.cleanup)
        return table

    def _fetch(self, folder):
        import sqlalchemy

        url = os.environ.get(self.url_env)
        if not url:
            raise ValueError(
                f"sql: the environment variable {self.url_env} is not set; export "
                f"{self.url_env}=dialect://user:password@host/name"
            )
        failed = None
        try:
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
            with engine.connect().execution_options(stream_results=True, max_row_buffer=CHUNK) as connection:
                result = connection.exec_driver_sql(self.query)
                names = self._names(result)
                parts = [_part(rows, names, folder, i) for i, rows in enumerate(result.partitions(CHUNK))]
        except ModuleNotFoundError as error:
            failed = f"the driver {error.name} is not installed; pip install {error.name}"
        except sqlalchemy.exc.ArgumentError:
            failed = f"${self.url_env} is no address such as dialect://user:password@host/name"
        except sqlalchemy.exc.SQLAlchemyError as error:
            failed = _told(error, url)
        # raised out here, or the driver's own error, which may show the address, would hang on as its context
        if failed:
            raise ValueError(f"sql: {failed}")
        if not parts:
            raise ValueError(
                "sql: the query gives no rows; there is nothing to learn from. Set data.query=..."
            )
        return _joined(parts, [name for name in names if name not in set(self.drop)])

    def _names(self, result):
        if not result.returns_rows:
            raise ValueError("sql: data.query must give rows; got a statement that gives none")
        names = list(result.keys())
        columns.check(self, names, "sql")
        return names


def _told(error, url):
    """The driver's first line with every part of the address struck out."""
    from sqlalchemy.engine import make_url

    said = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    address = make_url(url)
    password = address.password or ""
    secrets = {
        url,
        str(password),
        address.username,
        address.host,
        address.database,
        address.query.get("password"),
    }
    line = said[0][:300]
    for secret in sorted(filter(None, map(str, filter(None, secrets))), key=len, reverse=True):
        line = re.sub(
            rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < 4 else re.escape(secret), "***", line
        )
    return f"the database refused ({type(error).__name__}): {line}; see data.query and the address"


def _part(rows, names, folder, i):
    """Write one chunk with the types its values have; where it lies."""
    series = []
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        try:
            series.append(_numbers_alike(pl.Series(name, values, strict=True)))
        except (TypeError, pl.exceptions.PolarsError):
            series.append(_mixed(name, values, i * CHUNK))
    file = folder / f"{i:06}.parquet"
    pl.DataFrame(series).write_parquet(file)
    return file


def _numbers_alike(column):
    if column.dtype == pl.Object:
        raise TypeError
    return column.cast(pl.Float64) if column.dtype.is_decimal() else column


def _mixed(name, values, row):
    """Numbers of several types as floats; ValueError where a column holds text and numbers."""
    from decimal import Decimal

    types = {type(value) for value in values if value is not None}
    if types <= {int, float, bool, Decimal}:
        return pl.Series(
            name, [None if value is None else float(value) for value in values], dtype=pl.Float64
        )
    first = type(next(value for value in values if value is not None))
    odd = next((i for i, value in enumerate(values) if value is not None and type(value) is not first), 0)
    told = " and ".join(sorted(kind.__name__ for kind in types))
    raise ValueError(
        f"sql: column {name!r} holds {told}, row {row + odd + 1}: {values[odd]!r:.60}; cast it in data.query"
    )


def _joined(parts, wanted):
    """One lazy frame over all chunks; a column's type is the widest that its chunks have."""
    schemas = [pl.read_parquet_schema(part) for part in parts]
    types = {name: {schema[name] for schema in schemas} - {pl.Null} for name in wanted}
    casts = {name: _widest(name, found) for name, found in types.items()}
    return pl.concat(
        [pl.scan_parquet(part).select(pl.col(n).cast(casts[n]) for n in wanted) for part in parts]
    )


def _widest(name, found):
    if len(found) <= 1:
        return next(iter(found), pl.String())
    if all(dtype.is_numeric() or dtype == pl.Boolean for dtype in found):
        return pl.Float64() if any(dtype.is_float() for dtype in found) else pl.Int64()
    if all(dtype in (pl.Date, pl.Datetime) for dtype in found):
        return pl.Datetime("us")
    raise ValueError(
        f"sql: column {name!r} holds {' and '.join(sorted(map(str, found)))}; cast it in data.query"
    )
