"""What a source's options say about the columns, checked against the columns there are."""

import difflib

import polars as pl

from ml_core.data import known
from ml_core.data.kinds import TYPES
from ml_core.data.table import ROW, TASKS, Table

NEXT = {
    "target": "data.target=...",
    "key": "data.key=[...]",
    "drop": "data.drop=[...]",
    "types": "data.types",
    "known_at": "data.known_at=...",
}


MOST = 200_000  # columns a source reads at all: a minute of CPU; the rule is prepare.rules.max_columns


def check(about, names: list[str], where: str) -> None:
    """KeyError or ValueError unless ``about`` (the source) fits the columns ``names``.

    A source calls this as soon as it knows its columns' names, before it reads any rows.
    """
    _check_names(names, where)
    wanted = [("target", about.target)] if about.target is not None else []
    wanted += [(option, name) for option in ("key", "drop", "types") for name in getattr(about, option)]
    wanted += [("known_at", about.known_at)] if getattr(about, "known_at", None) else []
    for option, name in wanted:
        if name not in set(names):
            raise KeyError(f"{where}: no column {name!r}{_near(name, names)}. Set {NEXT[option]}")
    for name, kind in about.types.items():
        if kind not in TYPES and "%" not in str(kind):
            raise ValueError(
                f"data.types.{name}: got {kind!r}, allowed are {', '.join(TYPES)} "
                "or a date's format such as %d.%m.%Y"
            )
    if about.task not in ("auto", *TASKS):
        raise ValueError(f"data.task: got {about.task!r}, allowed are auto, {', '.join(TASKS)}")
    if about.target is None and about.task not in ("auto", "clustering"):
        raise ValueError(f"{where}: {about.task} needs a target; set data.target=... or data.task=clustering")
    if getattr(about, "as_of", None) and getattr(about, "known_at", None):
        known.moment(about.as_of)
    both = {about.target, *about.key, getattr(about, "known_at", None)} & set(about.drop)
    if both:
        raise ValueError(
            f"{where}: {', '.join(sorted(both))} is dropped and yet the target, the key or known_at; "
            "mend data.drop"
        )
    if not set(names) - {about.target, *about.key, *about.drop}:
        raise ValueError(f"{where}: no column is left to learn from beside the target, key and dropped ones")


def _check_names(names, where):
    if len(names) > MOST:
        raise ValueError(
            f"{where}: {len(names):,} columns, at most {MOST:,} are read; "
            "is it transposed, or data.separator wrong"
        )
    if ROW in names:
        raise ValueError(f"{where}: the column name {ROW} is ours; rename the column")
    if len(set(names)) < len(names):
        seen = set()
        twice = list(dict.fromkeys(name for name in names if name in seen or seen.add(name)))
        raise ValueError(
            f"{where}: column names must differ, got {', '.join(twice[:5])} more than once; rename one"
        )


def _near(name, names):
    near = difflib.get_close_matches(name, names, 1, cutoff=0.6)
    some = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"; did you mean {near[0]!r}? It has {some}" if near else f"; it has {some}"


def table(about, frame: pl.LazyFrame, kinds: dict[str, str], source: str) -> Table:
    """The table of a source: ``kinds`` of all columns, less those that are no features.

    Dropped columns are gone before anything is written. The key, the column that tells when a row was known,
    and the target of a clustering stay in the frame for slices, but are no features.
    """
    frame = frame.drop(about.drop, strict=False)
    known_at, as_of = getattr(about, "known_at", None), getattr(about, "as_of", None)
    if known_at and as_of:
        frame = known.until(frame, known_at, as_of, source)
    aside = {about.target, *about.key, *about.drop, known_at}
    return Table(
        frame=frame,
        target=None if about.task == "clustering" else about.target,
        task="clustering" if about.target is None else about.task,
        kinds={name: kind for name, kind in kinds.items() if name not in aside},
        key=list(about.key),
        source=source,
    )
