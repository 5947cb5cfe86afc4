"""Delimited text files: types found by reading all of it, values read again in batches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ml_core.data import columns, delimited, files, kinds, rows
from ml_core.data.guess import NAMES, Guess, dtype_of, first_misfits, narrow, read_as
from ml_core.data.table import Table

UNREAD = ("text", "categorical")  # kinds whose values stay as they are written
MISSING = ["", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None"]


@dataclass(frozen=True)
class Csv:
    """One file, or the files of folder ``path`` that match ``pattern`` (.gz, .bz2, .zst and .lz4 as well).

    Spaces around values and names mean nothing. ``types`` maps a column to one of kinds.TYPES or to a date's
    format; ``missing`` lists what stands for a missing value; ``decimal`` is the sign before the fraction.
    With ``known_at`` and ``as_of`` only the rows known by then are read.
    """

    path: str
    pattern: str = "*.csv"
    separator: str = ","
    quote: str | None = '"'
    encoding: str = "utf-8"
    decimal: str = "."
    missing: list = field(default_factory=lambda: list(MISSING))
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
        """The table; its frame reads the files anew, a batch at a time, whenever it is collected."""
        if len(self.separator) != 1:
            raise ValueError(f"data.separator: got {self.separator!r}, allowed is one character, such as ';'")
        found = files.find(self.path, self.pattern)
        names = {file: delimited.header(file, self._dialect)[0] for file in found}
        columns.check(self, names[found[0]], str(found[0]))
        files.same_columns(names)
        where = files.name_of(found, self.path)
        guesses = self._look(names, where)
        reading = {name: self._reading(name, guess) for name, guess in guesses.items()}

        def typed(wanted):
            return self._typed(names, {name: reading[name] for name in wanted})

        frame = rows.lazy(typed, {name: dtype_of(kind) for name, kind in reading.items()})
        return columns.table(self, frame, {n: self._kind(n, g) for n, g in guesses.items()}, f"csv {where}")

    @property
    def _dialect(self):
        return delimited.Dialect(self.separator, self.quote, self.encoding)

    def _texts(self, file: Path, names: list[str], wanted: list[str]) -> Iterator[pl.DataFrame]:
        """Batches of stripped text; null for what stands for missing, a point before each fraction."""
        every, missing = pl.all().str.strip_chars(), [str(token) for token in self.missing]
        if self.decimal != ".":
            every = every.str.replace(rf"^([+-]?\d*){re.escape(self.decimal)}(\d+)$", "$1.$2")
        for batch in delimited.batches(file, names, wanted, self._dialect):
            batch = batch.select(every)
            yield batch.select(pl.when(~pl.all().is_in(missing)).then(pl.all()))

    def _look(self, names, where):
        """Guesses of all columns after one pass over all files."""
        wanted = [name for name in next(iter(names.values())) if name not in set(self.drop)]
        guesses, total = {name: Guess() for name in wanted}, 0
        told = {name: kind for name, kind in self.types.items() if name in guesses and kind not in UNREAD}
        free = {name: guess for name, guess in guesses.items() if name not in told}
        for file, header in names.items():
            row = 0
            for batch in self._texts(file, header, wanted):
                narrow(free, batch.select(list(free)), row)
                self._hold(told, batch, (file, row))
                row += len(batch)
            total += row
        if total == 0:
            raise ValueError(f"{where}: a header and no rows; there is nothing to learn from")
        self._refuse({name: guess for name, guess in free.items() if name not in self.types}, where)
        return guesses

    def _hold(self, told, batch, place):
        """ValueError for the first value that is not what data.types says of its column."""
        for name, (i, text) in first_misfits(batch, told).items():
            raise ValueError(
                f"{place[0]}: column {name!r}, row {place[1] + i + 1}: {text[:60]!r} is not "
                f"{NAMES.get(told[name], 'a date like ' + told[name])}; mend it, add it to data.missing, "
                f"or change data.types.{name}"
            )

    def _refuse(self, free, where):
        """ValueError for columns that are numbers but for a few values, or dates that may mean two days."""
        dirty = [name for name, guess in free.items() if guess.dirty]
        if dirty:
            told = [f"{n!r} (row {free[n].misfit[0]}: {free[n].misfit[1][:40]!r})" for n in dirty[:3]]
            more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
            raise ValueError(
                f"{where}: text among the numbers of column {', '.join(told)}{more}; mend it, add it to "
                "data.missing, "
                f"or set +data.types.{dirty[0]}=categorical"
            )
        for name, guess in free.items():
            if guess.ambiguous:
                raise ValueError(
                    f"{where}: the dates of column {name!r} may have the day or the month first; "
                    f"set +data.types.{name}='%d/%m/%Y' or '%m/%d/%Y'"
                )

    def _reading(self, name, guess):
        declared = self.types.get(name)
        if declared in UNREAD:
            return "text"
        return declared or guess.kind

    def _kind(self, name, guess):
        declared = kinds.declared(self.types.get(name))
        return declared or kinds.of_type(dtype_of(guess.kind)) or guess.prose.kind

    def _typed(self, names, reading):
        for file, header in names.items():
            for batch in self._texts(file, header, list(reading)):
                yield batch.select(read_as(pl.col(name), kind) for name, kind in reading.items())
