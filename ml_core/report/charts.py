"""Charts as data: what evaluate and explain found, ready to be drawn (png.py, svg.py) or stored (as json).

A chart is one of Lines, Bars, Heat; numbers are plain floats, rounded, so that its json is small and stable.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

POINTS = 400  # points of one curve: more than that no screen shows


@dataclass(frozen=True)
class Line:
    """One line or dots; ``style`` is line, step, dots, faint or reference; low and high are y's interval."""

    x: list
    y: list
    name: str = ""
    style: str = "line"
    low: list | None = None
    high: list | None = None


@dataclass(frozen=True)
class Lines:
    """Lines in one pair of axes.

    ``unit``: both axes are 0..1; ``dates``: x counts seconds since 1970; ``levels``: names of x = 0, 1, ...
    """

    name: str
    title: str
    x: str
    y: str
    lines: list[Line]
    unit: bool = False
    dates: bool = False
    levels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bars:
    """Horizontal bars, the first on top, with intervals where known."""

    name: str
    title: str
    x: str
    names: list[str]
    values: list
    low: list = field(default_factory=list)
    high: list = field(default_factory=list)


@dataclass(frozen=True)
class Heat:
    """A table of counts, coloured by the share of its row."""

    name: str
    title: str
    x: str
    y: str
    columns: list[str]
    rows: list[str]
    counts: list[list]


CHARTS = {"lines": Lines, "bars": Bars, "heat": Heat}


def to_json(chart):
    """Chart -> dict that ``from_json`` understands."""
    return {"chart": type(chart).__name__.lower()} | asdict(chart)


def from_json(known):
    """dict -> chart."""
    known = dict(known)
    kind = CHARTS[known.pop("chart")]
    if kind is Lines:
        known["lines"] = [Line(**line) for line in known["lines"]]
    return kind(**known)


def rounded(values, digits=6):
    """Array -> list of floats with so many significant digits; what is no number becomes None."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in np.asarray(values, dtype=float)]


def line(x, y, name="", style="line", low=None, high=None):
    """Arrays -> Line, thinned to POINTS points: the ends stay."""
    keep = np.unique(np.linspace(0, len(x) - 1, POINTS).astype(int)) if len(x) > POINTS else np.arange(len(x))
    ends = [None if part is None else rounded(np.asarray(part)[keep]) for part in (low, high)]
    return Line(rounded(np.asarray(x)[keep]), rounded(np.asarray(y)[keep]), name, style, *ends)


def histogram(values, name="", bins=30, limits=None):
    """values (n,) -> Line of steps: share of the rows in each of ``bins`` bins, closed at both ends."""
    share, edges = np.histogram(values, bins=bins, range=limits)
    share = share / max(len(values), 1)
    x = np.repeat(edges, 2)
    y = np.r_[0.0, np.repeat(share, 2), 0.0]
    return line(x, y, name, "step")


def shown(label, most=24):
    """A label short enough for an axis."""
    label = " ".join(str(label).split())
    return label if len(label) <= most else label[: most - 1] + "\u2026"
