"""Any frame -> polars columns of one dtype per kind: polars and pandas then give the same bits.

numeric and boolean: Float64; categorical and text: String; date: Datetime in microseconds, UTC. Null, None,
NaN, NaT and pandas' NA are all null. Extra columns are ignored and the order does not matter.
"""

import datetime
import numbers
from decimal import Decimal

import polars as pl

KINDS = ("numeric", "boolean", "categorical", "text", "date")
MANY_WORDS = 4  # a column of strings with this many words in the middle row, and hardly a repeat, is text


def names_of(frame):
    """Column names of a polars or pandas frame; ValueError for anything else."""
    if isinstance(frame, pl.DataFrame):
        return frame.columns
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):
        return list(frame.columns)
    raise ValueError(
        f"features take a polars or pandas DataFrame with named columns, got {type(frame).__name__}"
    )


def typed(frame, kinds):
    """frame, kinds {column: kind} -> polars.DataFrame of these columns only, in the order of kinds."""
    has = names_of(frame)
    missing = [name for name in kinds if name not in has]
    if missing:
        named = ", ".join(repr(name) for name in missing[:5]) + (" and more" if len(missing) > 5 else "")
        shown = ", ".join(str(name) for name in has[:20]) + (", ..." if len(has) > 20 else "")
        raise ValueError(f"features: the table has no column {named}; it has {shown or 'none'}")
    return pl.DataFrame({name: _TO[kind](column(frame, name)) for name, kind in kinds.items()})


def inferred(frame):
    """frame -> {column: kind} from the dtypes; strings are text when they are sentences and hardly repeat."""
    return {str(name): _kind(column(frame, name)) for name in names_of(frame)}


def _kind(values):
    if values.dtype == pl.Boolean:
        return "boolean"
    if values.dtype.is_numeric() or values.dtype == pl.Null:
        return "numeric"
    if values.dtype in (pl.Date, pl.Datetime):
        return "date"
    if values.dtype == pl.String and values.n_unique() > len(values) / 2:
        words = values.str.count_matches(r"\S+").median()
        return "text" if words is not None and words >= MANY_WORDS else "categorical"
    return "categorical"


def column(frame, name):
    """One column of a polars or pandas frame as a polars.Series, whatever pandas stored it in."""
    values = frame[name]
    if isinstance(values, pl.Series):
        return values
    if hasattr(values, "columns"):
        raise ValueError(f"features: the table has several columns called {name!r}; rename all but one")
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if hasattr(values.dtype, "newbyteorder"):  # a dtype of numpy's: pandas' own have no byte order
        if values.dtype.kind in "fiub":
            return pl.Series(name, values.to_numpy())
        if values.dtype.kind == "M":
            return pl.Series(name, values.to_numpy().astype("datetime64[us]"))
    return _from_objects(name, values)


def _from_objects(name, values):
    gaps = values.isna().tolist()
    items = [None if gap else item for item, gap in zip(values.astype(object).tolist(), gaps, strict=True)]
    types = {type(item) for item in items if item is not None}
    if not types:
        return pl.Series(name, items, dtype=pl.Null)
    if all(issubclass(t, str) for t in types):
        return pl.Series(name, items, dtype=pl.String)
    if all(t.__name__ in ("bool", "bool_") for t in types):
        return pl.Series(name, [None if item is None else bool(item) for item in items], dtype=pl.Boolean)
    if all(issubclass(t, numbers.Number | Decimal) or t.__name__ in ("bool", "bool_") for t in types):
        return pl.Series(name, [None if item is None else float(item) for item in items], dtype=pl.Float64)
    if all(issubclass(t, datetime.date) for t in types):
        return pl.Series(name, [_naive(item) for item in items], dtype=pl.Datetime("us"))
    return pl.Series(name, [None if item is None else str(item) for item in items], dtype=pl.String)


def _naive(day):
    if day is None:
        return None
    if not isinstance(day, datetime.datetime):
        return datetime.datetime(day.year, day.month, day.day)
    return day.astimezone(datetime.UTC).replace(tzinfo=None) if day.tzinfo else day


def _numeric(values):
    if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)):
        rest = values.drop_nulls()
        if len(rest):
            raise ValueError(
                f"features: column {values.name!r} must hold numbers, got {values.dtype} such as {rest[0]!r}"
            )
        values = pl.Series(values.name, [None] * len(values))
    values = values.cast(pl.Float64)
    if values.is_infinite().any():
        row = values.is_infinite().arg_max()
        raise ValueError(
            f"features: column {values.name!r} holds {values[row]} in row {row}; "
            "allowed are finite numbers and null"
        )
    return values


def _string(values):
    if values.dtype == pl.Boolean or values.dtype.is_numeric():
        # pandas turns whole numbers beside a null into floats: 1, 1.0 and "1" must be one level
        numbers_ = values.cast(pl.Float64).fill_nan(None)
        return numbers_.cast(pl.String).str.strip_suffix(".0")
    return values.cast(pl.String)


def _date(values):
    if values.dtype == pl.String:
        return pl.Series(
            values.name, [_parsed(text, values.name) for text in values], dtype=pl.Datetime("us")
        )
    if values.dtype == pl.Null or values.dtype == pl.Date:
        return values.cast(pl.Datetime("us"))
    if values.dtype != pl.Datetime:
        rest = values.drop_nulls()
        if len(rest):
            raise ValueError(
                f"features: column {values.name!r} must hold dates, got {values.dtype} such as {rest[0]!r}"
            )
        return pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
    if values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us"))


def _parsed(text, name):
    """ISO text -> naive datetime in UTC; each value by itself, where polars would judge by its neighbours."""
    try:
        return None if text is None else _naive(datetime.datetime.fromisoformat(text))
    except ValueError:
        raise ValueError(
            f"features: column {name!r} must hold dates, got text such as {text!r}; "
            "write them as 2024-12-31 or 2024-12-31T23:59:59"
        ) from None


_TO = {"numeric": _numeric, "boolean": _numeric, "categorical": _string, "text": _string, "date": _date}
