"""The rows that were known at a time: what a backfill learns from, whatever has come since."""

from datetime import UTC, date, datetime

import polars as pl

ALLOWED = "a date or a time such as 2026-01-31 or 2026-01-31T06:00:00+00:00"


def moment(as_of) -> datetime:
    """``as_of`` as a time in UTC without a zone; a day means its last moment. ValueError names it."""
    try:
        if isinstance(as_of, date) and not isinstance(as_of, datetime):
            return datetime(as_of.year, as_of.month, as_of.day, 23, 59, 59, 999999)
        text = str(as_of).strip()
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"data.as_of: got {as_of!r}, must be {ALLOWED}") from None
    if len(text) == len("2026-01-31"):
        return found.replace(hour=23, minute=59, second=59, microsecond=999999)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def until(frame: pl.LazyFrame, known_at: str, as_of, where: str) -> pl.LazyFrame:
    """The rows whose ``known_at`` (a date or time, in UTC) is not after ``as_of``; a missing one never is."""
    dtype = frame.collect_schema()[known_at]
    column = pl.col(known_at)
    if dtype not in (pl.Date, pl.Datetime):
        raise ValueError(
            f"{where}: data.known_at is {known_at!r}, which holds {dtype}, must hold dates or times; "
            f"set data.types.{known_at}=date or choose another column"
        )
    if dtype == pl.Datetime and getattr(dtype, "time_zone", None):
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return frame.filter(column.cast(pl.Datetime("us")) <= moment(as_of))
