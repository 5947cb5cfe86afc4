"""Types of columns that come as text: what every value can be read as, found in one pass over all of them.

A column is boolean (true/false), whole numbers, numbers or dates of one format only if every value that is
not missing is; else it stays text. So a late text value in a column of numbers never surprises the second
pass, which only casts. Numbers with leading zeros (007) and whole numbers beyond 64 bits are codes and stay
text. Everything is asked of all columns at once: polars then works in parallel, and a wide table costs no
call a column.
"""

from dataclasses import dataclass, field

import polars as pl

from ml_core.data.kinds import Prose

MIXED = 0.9  # from this share of numbers on, a text column is a column of numbers with dirt in it
ISO, DAY_FIRST, MONTH_FIRST = "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y"
DAYS = (ISO, "%Y/%m/%d", "%d.%m.%Y", DAY_FIRST, MONTH_FIRST)
TIMES = ("", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %H:%M", "T%H:%M", "T%H:%M:%S%.f%#z", " %H:%M:%S%.f%#z")
DATES = [day + time for day in DAYS for time in TIMES]
TRUE, FALSE = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")
DTYPES = {"boolean": pl.Boolean, "said": pl.Boolean, "integer": pl.Int64, "numeric": pl.Float64}
NAMES = {"boolean": "true or false", "integer": "a whole number", "numeric": "a number", "date": "a date"}


def read_as(text: pl.Expr, kind: str) -> pl.Expr:
    """``text`` as ``kind``; null where it is nothing of that kind.

    ``kind`` is integer, numeric, boolean (true, yes, y, t, 1 and their opposites), said (true and false
    alone), date (year-month-day with or without a time), a date's format, or text. A date with a zone is
    turned into UTC.
    """
    if kind in ("boolean", "said"):
        words = {word: word in TRUE for word in TRUE + FALSE if kind == "boolean" or len(word) > 3}
        return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    if kind in ("integer", "numeric"):
        return text.cast(DTYPES[kind], strict=False)
    if kind == "date":
        return pl.coalesce([read_as(text, ISO + time) for time in TIMES])
    if "%" not in kind:
        return text
    date = text.str.to_datetime(kind, time_unit="us", strict=False)
    return date.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if "z" in kind else date


def dtype_of(kind: str):
    """The polars type that ``read_as`` gives."""
    return pl.Datetime("us") if "%" in kind or kind == "date" else DTYPES.get(kind, pl.String)


def first_misfits(texts: pl.DataFrame, kinds: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Column -> place and text of its first value that is nothing of the kind ``kinds`` asks for."""
    odd = {
        name: read_as(pl.col(name), kind).is_null() & pl.col(name).is_not_null()
        for name, kind in kinds.items()
    }
    found = texts.select(mask.any().alias(name) for name, mask in odd.items())
    odd = {name: mask for name, mask in odd.items() if found[name][0]}
    places = texts.select(mask.arg_max().alias(name) for name, mask in odd.items())
    return {name: (places[name][0], texts[name][places[name][0]]) for name in odd}


@dataclass
class Guess:
    """What one column can still be read as, after the rows seen so far."""

    alive: list[str] = field(default_factory=lambda: ["said", "integer", "numeric", *DATES])
    values: int = 0
    numbers: int = 0
    coded: bool = False  # holds numbers that are codes
    misfit: tuple[int, str] | None = None  # row (from 1) and text of the first value that is no number
    prose: Prose = field(default_factory=Prose)

    @property
    def kind(self) -> str:
        """What to read the column as; text where nothing else fits every value."""
        return self.alive[0] if self.alive and self.values else "text"

    @property
    def dirty(self) -> bool:
        """Numbers but for a few values: reading them as text would hide a mistake in the file."""
        return self.kind == "text" and not self.coded and MIXED * self.values <= self.numbers < self.values

    @property
    def ambiguous(self) -> bool:
        """Every date in it may have the day first or the month first."""
        days = {kind[:8] for kind in self.alive if "%" in kind}
        return self.values > 0 and {DAY_FIRST, MONTH_FIRST} <= days

    @property
    def counting(self) -> bool:
        """Whether the share of numbers still matters."""
        return not self.coded and 2 * self.numbers >= self.values


def narrow(guesses: dict[str, Guess], texts: pl.DataFrame, row: int) -> None:
    """Take the next batch into account; ``row`` is how many rows of the file came before."""
    values = _told(texts.select(pl.all().count()))
    full = {name: guess for name, guess in guesses.items() if values[name]}
    for kind in ("integer", "numeric"):
        # whole numbers are numbers: the second question is only for those where the first fails
        asked = [
            n for n, g in full.items() if kind in g.alive and not (kind == "numeric" and "integer" in g.alive)
        ]
        _keep(guesses, texts, asked, kind)
    rest = {name: guess for name, guess in full.items() if "numeric" not in guess.alive}
    _count(rest, texts, row)
    for name, guess in full.items():
        guess.values += values[name]
        if "numeric" in guess.alive:
            guess.numbers += values[name]
            guess.alive = [kind for kind in guess.alive if kind in ("integer", "numeric")]
    _find_codes({name: guess for name, guess in full.items() if guess.numbers and not guess.coded}, texts)
    for kind in ("said", *DATES):
        _keep(guesses, texts, [name for name, guess in rest.items() if kind in guess.alive], kind)
    Prose.add_all(
        {name: guess.prose for name, guess in guesses.items() if "numeric" not in guess.alive}, texts
    )


def _keep(guesses, texts, asked, kind):
    """Strike ``kind`` from the asked columns of which some value is nothing of it: a few first, then all."""
    for few in (True, False) if len(texts) > 100 else (False,):
        if not asked:
            return
        values = pl.col(asked).drop_nulls().head(20) if few else pl.col(asked).drop_nulls()
        odd = _told(texts.select(read_as(values, kind).null_count()))
        dead = {kind, "integer"} if kind == "numeric" else {kind}
        for name in asked:
            if odd[name]:
                guesses[name].alive = [other for other in guesses[name].alive if other not in dead]
        asked = [name for name in asked if not odd[name]]


def _told(answers):
    """A frame of one row as a mapping; a lookup in it costs nothing, one in a wide frame does."""
    return dict(zip(answers.columns, answers.row(0), strict=True)) if answers.width else {}


def _count(rest, texts, row):
    """How many values of columns that are not all numbers are numbers, and the first that is not."""
    counted = {name: guess for name, guess in rest.items() if guess.counting}
    numbers = _told(texts.select(read_as(pl.col(list(counted)), "numeric").count())) if counted else {}
    for name, guess in counted.items():
        guess.numbers += numbers[name]
    fresh = {name: "numeric" for name, guess in counted.items() if guess.misfit is None and guess.numbers}
    for name, (place, text) in first_misfits(texts, fresh).items():
        guess = counted[name]
        guess.misfit = row + place + 1, text


def _find_codes(guesses, texts):
    """Mark columns with a number that has leading zeros, or that is whole and too large for 64 bits."""
    if not guesses:
        return
    text = pl.col(list(guesses))
    padded = _told(texts.select((text.str.starts_with("0") & (text.str.len_bytes() > 1)).any()))
    longest = _told(texts.select(text.str.len_bytes().max()))
    asked = {
        name: r"^0\d" if padded[name] else r"^[+-]?\d{19,}$"
        for name, guess in guesses.items()
        if padded[name] or ((longest[name] or 0) > 18 and "integer" not in guess.alive)
    }
    coded = texts.select(pl.col(name).str.contains(pattern).any() for name, pattern in asked.items())
    for name, found in _told(coded).items():
        if found:
            guesses[name].coded = True
            guesses[name].alive = []
