"""Delimited text in batches of columns of text, with bounded memory; errors say file, line, next move."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

BLOCK = 1 << 22  # bytes parsed at a time
USUAL = {",": "','", ";": "';'", "\t": "'\\t'", "|": "'|'"}


@dataclass(frozen=True)
class Dialect:
    """How the text is written."""

    separator: str = ","
    quote: str | None = '"'
    encoding: str = "utf-8"


def header(path: Path, dialect: Dialect) -> tuple[list[str], int]:
    """Column names, and how many lines to skip before the first row; ValueError where they are none."""
    import pyarrow as pa

    quoting = {"quotechar": dialect.quote} if dialect.quote else {"quoting": csv.QUOTE_NONE}
    try:
        with io.TextIOWrapper(pa.input_stream(str(path)), _codec(dialect), newline="") as text:
            lines = enumerate(csv.reader(text, delimiter=dialect.separator, **quoting), 1)
            skipped, names = next(((i, line) for i, line in lines if line), (0, []))
    except UnicodeError:
        raise _undecodable(path, dialect) from None
    except (csv.Error, TypeError) as error:
        raise ValueError(f"{path}: no header can be read with {dialect}: {error}") from None
    except LookupError:
        raise ValueError(
            f"data.encoding: no such encoding {dialect.encoding!r}; try utf-8 or latin-1"
        ) from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    if not any(name.strip() for name in names):
        raise ValueError(f"{path}: the file is empty; it must start with a line of column names")
    _check_separator(path, names, dialect.separator)
    return [name.strip() or f"column_{i}" for i, name in enumerate(names, 1)], skipped


def _codec(dialect):
    # the byte order mark that spreadsheets put in front belongs to no column's name
    return (
        "utf-8-sig" if dialect.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else dialect.encoding
    )


def _check_separator(path, names, separator):
    held = [sign for sign in USUAL if len(names) == 1 and sign != separator and sign in names[0]]
    if held:
        sign = max(held, key=names[0].count)
        raise ValueError(
            f"{path}: with separator {separator!r} the header is one column, {names[0][:60]!r}; "
            f'set data.separator="{USUAL[sign]}"'
        )


def batches(path: Path, names: list[str], wanted: list[str], dialect: Dialect) -> Iterator[pl.DataFrame]:
    """The rows of ``path`` in order, the ``wanted`` columns as text; ``names`` are those of the header."""
    import pyarrow as pa

    skipped, bad, last = header(path, dialect)[1], [], None
    try:
        for part in _open(path, names, wanted, dialect, (skipped, bad)):
            last = pl.from_arrow(part)
            yield last
    except UnicodeError:
        raise _undecodable(path, dialect) from None
    except pa.ArrowInvalid as error:
        raise _explained(path, str(error), bad, dialect) from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    _check_quotes(path, last, dialect)


def _open(path, names, wanted, dialect, place):
    import pyarrow as pa
    from pyarrow import csv as arrow

    skipped, bad = place
    return arrow.open_csv(
        str(path),
        arrow.ReadOptions(
            use_threads=False,  # only then does a bad row come with its number
            block_size=max(BLOCK, 64 * len(names)),
            column_names=names,
            skip_rows_after_names=skipped,
            encoding=dialect.encoding,
        ),
        arrow.ParseOptions(
            delimiter=dialect.separator,
            quote_char=dialect.quote or False,
            newlines_in_values=bool(dialect.quote),
            invalid_row_handler=lambda row: bad.append(row) or "error",
        ),
        arrow.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=wanted,
            strings_can_be_null=False,
        ),
    )


def _explained(path, error, bad, dialect):
    if bad:
        row = bad[-1]
        return ValueError(
            f"{path}, line {row.number}: {row.actual_columns} fields, the header has {row.expected_columns}: "
            f"{row.text[:60]!r}; mend the line, or set data.separator or data.quote"
        )
    if "UTF8" in error:
        return _undecodable(path, dialect)
    if "straddling" in error:
        return ValueError(
            f"{path}: a row is longer than {BLOCK >> 20} MB, so a quote is probably never closed; close it, "
            "or set data.quote=null where quotes mean nothing"
        )
    return ValueError(f"{path}: cannot be read as delimited text: {error.splitlines()[0]}")


def _undecodable(path, dialect):
    """The error that names the first byte which is no character, and the encoding to try."""
    import codecs

    import pyarrow as pa

    lines = offset = 0
    decoder = codecs.getincrementaldecoder(dialect.encoding)()
    with pa.input_stream(str(path)) as raw:
        start = raw.read(2)
        if start in (b"\xff\xfe", b"\xfe\xff"):
            return ValueError(f"{path}: the file is UTF-16; set data.encoding=utf-16")
        chunk = start
        while chunk:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                # the decoder may have held back the start of a character from the chunk before
                place = error.start - (len(error.object) - len(chunk))
                lines += chunk[: max(place, 0)].count(b"\n")
                return ValueError(
                    f"{path}, line {lines + 1}: byte {error.object[error.start]:#04x} at offset "
                    f"{offset + place} "
                    f"is not {dialect.encoding}; set data.encoding=latin-1 or what the file is written in"
                )
            lines, offset = lines + chunk.count(b"\n"), offset + len(chunk)
            chunk = raw.read(BLOCK)
    return ValueError(
        f"{path}: not {dialect.encoding}; set data.encoding=latin-1 or what the file is written in"
    )


def _check_quotes(path, last, dialect):
    """A quote that is never closed swallows the rest of the file as one value: say so."""
    import pyarrow as pa

    if last is None or not dialect.quote or not any("\n" in (value or "") for value in last.row(-1)):
        return
    mark, quotes = dialect.quote.encode(dialect.encoding), 0
    with pa.input_stream(str(path)) as raw:
        while chunk := raw.read(BLOCK):
            quotes += chunk.count(mark)
    if quotes % 2:
        raise ValueError(
            f"{path}: a quote {dialect.quote} is opened in the last rows and never closed; close it, "
            "or set data.quote=null where quotes mean nothing"
        )
