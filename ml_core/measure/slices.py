"""Parts of the test rows that a mean over all of them may hide.

Letters: n rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

LEVELS = 10  # more levels than this are no slices: each would have too few rows to be judged
FOUND = 8  # columns taken when nobody names any
BINS = 4  # quantile bins of a numeric column
MISSING = "(missing)"


@dataclass(frozen=True)
class Slice:
    """Rows (n,) bool where ``column`` has ``level``."""

    column: str
    level: str
    rows: np.ndarray


def cut(frame, columns, kinds):
    """polars frame (n rows), ``columns`` or None -> [Slice], in the columns' order, then the levels'.

    Without ``columns``: the first FOUND categorical and boolean ones with at most LEVELS levels; where there
    are none, the first numeric ones by quantile. A numeric column of few values is cut by value.
    """
    if columns is None:
        columns = found(frame, kinds)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        shown = ", ".join(frame.columns[:30]) + (", ..." if len(frame.columns) > 30 else "")
        raise KeyError(
            f"evaluate.slices: no column {', '.join(map(repr, missing))} in the test rows; they have {shown}."
            " Set evaluate.slices=[...], or null to have them found"
        )
    return [part for name in columns for part in _levels(frame[name])] if len(frame) else []


def found(frame, kinds):
    """Columns worth slicing by, when nobody names any."""
    few = [
        name
        for name, kind in kinds.items()
        if kind in ("categorical", "boolean") and 1 < frame[name].n_unique() <= LEVELS
    ]
    numeric = [name for name, kind in kinds.items() if kind == "numeric" and frame[name].n_unique() > 1]
    return few[:FOUND] or numeric[: FOUND // 2]


def _levels(values):
    if values.dtype.is_numeric() and values.n_unique() > LEVELS:
        return _bins(values)
    if values.dtype.is_temporal() and values.n_unique() > LEVELS:
        return _bins(values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values)
    text = values.cast(pl.String).fill_null(MISSING).alias("level")
    counts = text.value_counts(sort=False).sort(["count", "level"], descending=[True, False])
    kept = counts["level"].to_list()
    shown, rest = kept[: 3 * LEVELS], kept[3 * LEVELS :]
    if values.dtype.is_numeric():
        shown.sort(key=lambda level: (level == MISSING, float(level) if level != MISSING else 0.0))
    named = text.to_numpy()
    parts = [Slice(values.name, level, named == level) for level in shown]
    if rest:
        parts.append(Slice(values.name, f"(the other {len(rest)})", np.isin(named, rest)))
    return parts


def _bins(values):
    number = values.to_physical().cast(pl.Float64).to_numpy()
    known = np.isfinite(number)
    edges = np.unique(np.quantile(number[known], np.linspace(0, 1, BINS + 1), method="nearest"))
    names = _edge_names(edges, values.dtype)
    place = np.clip(np.searchsorted(edges, number, side="right") - 1, 0, len(edges) - 2)
    parts = []
    for k in range(len(edges) - 1):
        closing = "]" if k == len(edges) - 2 else ")"
        level = f"[{names[k]}, {names[k + 1]}{closing}"
        parts.append(Slice(values.name, level, known & (place == k)))
    if not known.all():
        parts.append(Slice(values.name, MISSING, ~known))
    return parts


def _edge_names(edges, dtype):
    if dtype.is_temporal():
        return [str(edge).removesuffix(" 00:00:00") for edge in pl.Series(edges).cast(pl.Int64).cast(dtype)]
    for digits in (4, 6, 9, 17):
        names = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(names)) == len(names):
            break
    return names
