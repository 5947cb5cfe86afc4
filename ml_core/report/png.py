"""Charts as PNG, for the ledger and for ``dvc plots``: the same bytes on every run of one machine."""

import warnings

from ml_core.report.charts import Bars, Heat
from ml_core.report.ticks import along, limits, named, reach, ticks

PALETTE = ("#3b6fd4", "#d9772b", "#2e9b6b", "#b44fb0", "#c9a227", "#d1495b", "#4aa3b8", "#7a6a5a")
GREY = "#8a8f98"
SIZE, DPI = (5.2, 3.9), 110
LETTER = 0.075  # inches of a letter of an axis
STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 10.5,
    "axes.grid": True,
    "grid.color": "#e4e6ea",
    "text.parse_math": False,  # a column called $x$ is called so
    "savefig.dpi": DPI,
    "figure.dpi": DPI,
}


def save(charts, folder):
    """Draw each chart as ``folder``/NAME.png; return the names in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for chart in charts:
        _save([chart], folder / f"{chart.name}.png", SIZE, 1)
    return [f"{chart.name}.png" for chart in charts]


def save_grid(charts, path, across=4):
    """Draw many charts as one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(charts, path, (3.4, 2.7), min(across, len(charts)))


def _save(charts, path, size, across):
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wide, tall = size[0] * across, size[1] * -(-len(charts) // across)
    # a person's own matplotlibrc changes no byte, and nothing stays changed behind us
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters the font lacks become boxes
        matplotlib.rcParams.update(matplotlib.rcParamsDefault | {"backend": "agg"} | STYLE)
        figure = Figure(figsize=(wide, tall))
        FigureCanvasAgg(figure)
        for k, chart in enumerate(charts):
            left, bottom = _margins(chart)
            x, y = size[0] * (k % across), tall - size[1] * (k // across + 1)
            box = (x + left, y + bottom, size[0] - left - 0.15, size[1] - bottom - 0.35)
            _draw(figure.add_axes([box[0] / wide, box[1] / tall, box[2] / wide, box[3] / tall]), chart)
        figure.savefig(path, metadata={"Software": None})


def _margins(chart):
    """Inches left and below for ticks and labels; matplotlib would draw everything twice to find them."""
    if isinstance(chart, Bars):
        return 0.15 + LETTER * max([len(name) for name in chart.names], default=0), 0.55
    if isinstance(chart, Heat):
        long = max([len(name) for name in chart.columns], default=0) if _long(chart.columns) else 0
        return 0.45 + LETTER * max([len(name) for name in chart.rows], default=0), 0.55 + 0.65 * LETTER * long
    (x0, x1), (y0, y1) = limits(chart)
    longest = max(len(name) for name in named(ticks(y0, y1)))
    names = along(chart, x0, x1)[1]
    slanted = 0.5 * LETTER * max(map(len, names)) if _long(names) else 0.0
    return 0.4 + LETTER * longest, (0.5 if chart.x else 0.3) + slanted


def _long(names):
    """Whether these names need more room than there is side by side."""
    return sum(map(len, names)) > 45


def _draw(axes, chart):
    axes.set_title(chart.title)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    if isinstance(chart, Bars):
        _bars(axes, chart)
    elif isinstance(chart, Heat):
        _heat(axes, chart)
    else:
        _lines(axes, chart)


def _numbers(values):
    return [float("nan") if v is None else v for v in values]


def _lines(axes, chart):
    colour = 0
    size = 3 if sum(len(one.x) for one in chart.lines if one.style == "dots") > 60 else 6
    for one in chart.lines:
        x, y = _numbers(one.x), _numbers(one.y)
        if one.style == "reference":
            axes.plot(x, y, color=GREY, linestyle="--", linewidth=1, label=one.name or None)
        elif one.style == "faint":
            axes.plot(x, y, color=GREY, linewidth=0.7, alpha=0.5)
        else:
            _series(axes, one, x, y, PALETTE[colour % len(PALETTE)], size)
            colour += 1
    (x0, x1), (y0, y1) = limits(chart)
    room = 0.01 if chart.unit else 0.0
    axes.set_xlim(x0 - room, x1 + room)
    axes.set_ylim(y0 - room, y1 + room)
    at, names = along(chart, x0, x1)
    long = _long(names)
    axes.set_xticks(at, names, rotation=30 if long else 0, ha="right" if long else "center")
    up = ticks(y0, y1)
    axes.set_yticks(up, named(up))
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    if any(one.name for one in chart.lines):
        axes.legend(frameon=False, fontsize=8)


def _series(axes, one, x, y, colour, size):
    label = one.name or None
    if one.style == "dots" and one.low:
        spread = [[b - a for a, b in zip(_numbers(one.low), y, strict=True)]]
        spread += [[b - a for a, b in zip(y, _numbers(one.high), strict=True)]]
        spread = [[max(v, 0.0) for v in part] for part in spread]
        axes.errorbar(x, y, yerr=spread, fmt="o", color=colour, markersize=4, linewidth=1, label=label)
    elif one.style == "dots":
        axes.plot(
            x,
            y,
            "o",
            color=colour,
            markersize=size,
            alpha=0.7,
            markeredgewidth=0,
            label=label,
        )
    else:
        axes.plot(x, y, color=colour, linewidth=1.6, label=label)
        if one.low:
            axes.fill_between(x, _numbers(one.low), _numbers(one.high), color=colour, alpha=0.15, linewidth=0)


def _bars(axes, chart):
    place = range(len(chart.names))
    values = _numbers(chart.values)
    axes.barh(place, values, color=PALETTE[0], height=0.65)
    if chart.low:
        for k in place:
            if chart.low[k] is not None:
                axes.plot([chart.low[k], chart.high[k]], [k, k], color="#20242c", linewidth=1)
    axes.set_yticks(place, chart.names, fontsize=9 if len(chart.names) <= 15 else 7)
    axes.invert_yaxis()
    axes.set_xlim(*reach(chart))
    axes.grid(False, axis="y")
    axes.set_xlabel(chart.x)


def _heat(axes, chart):
    totals = [max(sum(row), 1) for row in chart.counts]
    shares = [[count / total for count in row] for row, total in zip(chart.counts, totals, strict=True)]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if len(chart.columns) <= 12:
        for i, row in enumerate(chart.counts):
            for j, count in enumerate(row):
                ink = "white" if shares[i][j] > 0.5 else "#20242c"
                axes.text(j, i, str(count), ha="center", va="center", color=ink, fontsize=9)
    long = _long(chart.columns)
    axes.set_xticks(
        range(len(chart.columns)), chart.columns, rotation=40 if long else 0, ha="right" if long else "center"
    )
    axes.set_yticks(range(len(chart.rows)), chart.rows)
    axes.grid(False)
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
