"""Kinds of columns: what a value means, decided from its type and, for text, from the first SAMPLE rows.

| kind | columns |
|---|---|
| numeric | integers, floats, decimals, durations (seconds) |
| boolean | true and false |
| date | dates, and dates with a time; a zone is turned into UTC and dropped |
| categorical | text that repeats or names: at most LEVELS different values, or short ones |
| text | prose: more than LEVELS different values of WORDS words or LETTERS letters on average |

`data.types` overrides. A categorical column in which nearly every row has a value of its own (an id, a name)
is found by prepare, which sees all rows and leaves it out of the features; `data.types.NAME=text` keeps it as
text.
"""

import polars as pl

from ml_core.data.rows import batches

TYPES = ("numeric", "integer", "boolean", "categorical", "text", "date")  # what data.types may ask for
ALIASES = {
    "int": "integer",
    "int64": "integer",
    "float": "numeric",
    "float64": "numeric",
    "number": "numeric",
}
ALIASES |= {"bool": "boolean", "str": "categorical", "string": "categorical", "category": "categorical"}
ALIASES |= {"datetime": "date"}
SAMPLE = 200_000
LEVELS = 50
WORDS = 3.0
LETTERS = 50.0


def named(types: dict) -> dict:
    """``types`` with the names that other libraries use, such as Int64 or str, replaced by ours."""
    return {name: ALIASES.get(str(kind).lower(), kind) for name, kind in types.items()}


def of_type(dtype: pl.DataType) -> str | None:
    """The kind of a column by its polars type; None where it takes the values to tell (text)."""
    if dtype.is_numeric():
        return "numeric"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_temporal():
        return "date"
    return "categorical" if dtype == pl.Null else None


class Prose:
    """Tells categorical columns from prose by their first SAMPLE rows, met a batch at a time."""

    def __init__(self):
        self.rows = self.values = self.words = self.letters = 0
        self.levels = set()

    @staticmethod
    def add_all(columns: dict[str, "Prose"], texts: pl.DataFrame) -> None:
        """Take the next rows of several columns into account."""
        asked = {name: prose for name, prose in columns.items() if prose.rows < SAMPLE}
        text = {name: pl.col(name).head(SAMPLE - prose.rows).drop_nulls() for name, prose in asked.items()}
        values = texts.select(t.len() for t in text.values())
        words = texts.select(t.str.count_matches(" ", literal=True).sum() for t in text.values())
        letters = texts.select(t.str.len_chars().sum() for t in text.values())
        few = [name for name, prose in asked.items() if len(prose.levels) <= LEVELS]
        levels = texts.select(text[name].unique().implode() for name in few)
        for name, prose in asked.items():
            prose.rows += len(texts)
            prose.values += values[name][0]
            prose.words += values[name][0] + words[name][0]
            prose.letters += letters[name][0]
        for name in few:
            asked[name].levels.update(levels[name][0].to_list())

    @property
    def kind(self) -> str:
        """Categorical, or text."""
        if len(self.levels) <= LEVELS:
            return "categorical"
        prose = self.words >= WORDS * self.values or self.letters >= LETTERS * self.values
        return "text" if prose else "categorical"


def of_frame(frame: pl.LazyFrame, types: dict[str, str]) -> dict[str, str]:
    """Kinds of all columns of a frame of plain types, in its order."""
    schema = frame.collect_schema()
    kinds = {name: declared(types.get(name)) or of_type(dtype) for name, dtype in schema.items()}
    unsure = {name: Prose() for name, kind in kinds.items() if kind is None}
    if unsure:
        for batch in batches(frame.select(list(unsure)).head(SAMPLE)):
            Prose.add_all(unsure, batch)
    return kinds | {name: prose.kind for name, prose in unsure.items()}


def declared(kind: str | None) -> str | None:
    """The kind that an entry of `data.types` asks for."""
    if kind is None or kind in ("numeric", "boolean", "categorical", "text", "date"):
        return kind
    return "numeric" if kind == "integer" else "date"


def plain(frame: pl.LazyFrame, where: str) -> pl.LazyFrame:
    """``frame`` with every column as number, boolean, text or date; nan becomes missing.

    ValueError names the columns that hold anything else, such as lists.
    """
    casts, odd = [], []
    for name, dtype in frame.collect_schema().items():
        column = pl.col(name)
        if dtype.is_float():
            casts.append(column.fill_nan(None))
        elif dtype.is_decimal() or dtype in (pl.Int128, pl.UInt128):
            casts.append(column.cast(pl.Float64))
        elif dtype == pl.Duration:
            casts.append(column.dt.total_microseconds() / 1e6)
        elif dtype == pl.Time:
            casts.append(column.cast(pl.Duration("us")).dt.total_microseconds() / 1e6)
        elif dtype == pl.Datetime:
            casts.append(_without_zone(column, dtype))
        elif dtype in (pl.Categorical, pl.Enum, pl.Null):
            casts.append(column.cast(pl.String))
        elif not (dtype.is_integer() or dtype in (pl.Boolean, pl.String, pl.Date)):
            odd.append(f"{name} ({dtype})")
    if odd:
        raise ValueError(
            f"{where}: columns must hold numbers, text, booleans or dates, got {', '.join(odd[:5])}; "
            "leave them out by data.drop=[...]"
        )
    return frame.with_columns(casts)


def _without_zone(column, dtype):
    if dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"))
