"""Charts as SVG that takes its colours from the page (``--c0`` .. ``--c7``, currentColor), dark or light.

Every text from the data goes through ``escape``; hovering shows the numbers.
"""

from html import escape

from ml_core.report.charts import Bars, Heat
from ml_core.report.ticks import along, limits, named, reach, ticks

WIDTH = 380  # of the drawing, about what a card has on the screen: letters keep their size
COLOURS = 8
LETTER = 6.3  # mean width of a letter at 11 px


def draw(chart, width=WIDTH):
    """Chart -> one <svg> element, made for ``width`` pixels."""
    if isinstance(chart, Bars):
        return _bars(chart, width)
    return _heat(chart, width) if isinstance(chart, Heat) else _lines(chart, width, 40 + 0.63 * width)


def _frame(parts, chart, width, height):
    label = escape(chart.title, quote=True)
    head = f'<svg class="chart" viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{label}">'
    return head + "".join(parts) + "</svg>"


def _n(value):
    return f"{value:.1f}".removesuffix(".0")


def _text(x, y, words, css="", more=""):
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{css}"{more}>{escape(str(words))}</text>'


def _tip(words):
    return f"<title>{escape(words)}</title>"


def _g(value):
    return "-" if value is None else f"{value:.4g}"


def _lines(chart, width, height):
    (x0, x1), (y0, y1) = limits(chart)
    y_ticks = ticks(y0, y1)
    y_names = named(y_ticks)
    left = 30 + LETTER * max(map(len, y_names))
    right, top, bottom = width - 12, 10, height - (44 if chart.x else 28)

    def px(v):
        return left + (v - x0) / (x1 - x0) * (right - left)

    def py(v):
        return bottom - (v - y0) / (y1 - y0) * (bottom - top)

    parts = []
    for v, name in zip(y_ticks, y_names, strict=True):
        parts.append(f'<path class="grid" d="M{_n(left)} {_n(py(v))}H{_n(right)}"/>')
        parts.append(_text(left - 6, py(v) + 4, name, "tick end"))
    parts += _below(chart, x0, x1, px, top, bottom)
    parts.append(_text((left + right) / 2, height - 8, chart.x, "axis middle"))
    turn = f' transform="rotate(-90 13 {_n((top + bottom) / 2)})"'
    parts.append(_text(13, (top + bottom) / 2, chart.y, "axis middle", turn))
    colour = 0
    radius = 2.6 if sum(len(one.x) for one in chart.lines if one.style == "dots") > 60 else 4
    for one in chart.lines:
        parts.append(_line(one, colour, px, py, radius))
        colour += one.style in ("line", "step", "dots")
    return _frame(parts, chart, width, height) + _legend(chart)


def _below(chart, x0, x1, px, top, bottom):
    """Ticks of the x axis; names too long to stand side by side are slanted."""
    at, names = along(chart, x0, x1)
    step = abs(px(at[1]) - px(at[0])) if len(at) > 1 else px(x1)
    slanted = max((len(name) for name in names), default=0) * LETTER > step
    parts = []
    for v, name in zip(at, names, strict=True):
        x = px(v)
        parts.append(f'<path class="grid" d="M{_n(x)} {top}V{_n(bottom)}"/>')
        turn = f' transform="rotate(-30 {_n(x)} {_n(bottom + 12)})"' if slanted else ""
        place = (x, bottom + 12) if slanted else (x, bottom + 16)
        parts.append(_text(*place, name, "tick end" if slanted else "tick middle", turn))
    return parts


def _line(one, colour, px, py, radius):
    css = {"reference": "reference", "faint": "faint"}.get(one.style, f"k{colour % COLOURS}")
    known = [k for k in range(len(one.x)) if one.y[k] is not None and one.x[k] is not None]
    points = [(px(one.x[k]), py(one.y[k])) for k in known]
    parts = []
    if one.low and one.style != "dots":
        up = [f"{_n(px(one.x[k]))} {_n(py(one.high[k]))}" for k in known]
        down = [f"{_n(px(one.x[k]))} {_n(py(one.low[k]))}" for k in reversed(known)]
        parts.append(f'<path class="band {css}" d="M{"L".join(up + down)}Z"/>')
    if one.style == "dots":
        for k, (x, y) in zip(known, points, strict=True):
            tip = _tip(f"{one.name + ': ' if one.name else ''}{_g(one.x[k])}, {_g(one.y[k])}")
            if one.low:
                bar = f"M{_n(x)} {_n(py(one.low[k]))}V{_n(py(one.high[k]))}"
                parts.append(f'<path class="line {css}" d="{bar}"/>')
            place = f'cx="{_n(x)}" cy="{_n(y)}" r="{radius}"'
            parts.append(f'<circle class="dot {css}" {place}>{tip}</circle>')
        return "".join(parts)
    if points:
        way = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        parts.append(f'<path class="line {css}" d="M{way}">{_tip(one.name) if one.name else ""}</path>')
    return "".join(parts)


def _legend(chart):
    items, colour = [], 0
    for one in chart.lines:
        main = one.style in ("line", "step", "dots")
        css = f"k{colour % COLOURS}" if main else "reference"
        if one.name:
            items.append(f'<span><i class="{css}"></i>{escape(one.name)}</span>')
        colour += main
    return f'<p class="legend">{"".join(items)}</p>' if items else ""


def _bars(chart, width):
    low, high = reach(chart)
    longest = max((len(name) for name in chart.names), default=0)
    left, right, top, step = 14 + LETTER * min(max(longest, 4), 26), width - 52, 4, 22
    bottom = top + step * max(len(chart.names), 1)

    def px(v):
        return left + (v - low) / (high - low) * (right - left)

    parts = []
    at = ticks(low, high, 5)
    for v, name in zip(at, named(at), strict=True):
        parts.append(f'<path class="grid" d="M{_n(px(v))} {top}V{_n(bottom)}"/>')
        parts.append(_text(px(v), bottom + 15, name, "tick middle"))
    for k, (name, value) in enumerate(zip(chart.names, chart.values, strict=True)):
        y = top + step * k
        ends = f" [{_g(chart.low[k])}, {_g(chart.high[k])}]" if chart.low else ""
        a, b = sorted((px(0.0), px(value or 0.0)))
        parts.append(_text(left - 6, y + 15, name, "tick end"))
        box = f'x="{_n(a)}" y="{y + 4}" width="{_n(max(b - a, 0.8))}" height="{step - 8}"'
        parts.append(f'<rect class="bar k0" rx="2" {box}>{_tip(f"{name}: {_g(value)}{ends}")}</rect>')
        edge = b
        if chart.low and chart.low[k] is not None:
            way = f"M{_n(px(chart.low[k]))} {y + step / 2}H{_n(px(chart.high[k]))}"
            parts.append(f'<path class="whisker" d="{way}"/>')
            edge = max(b, px(chart.high[k]))
        parts.append(_text(edge + 5, y + 15, f"{_g(value) if value is None else f'{value:.3g}'}", "value"))
    parts.append(_text((left + right) / 2, bottom + 33, chart.x, "axis middle"))
    return _frame(parts, chart, width, bottom + 42)


def _heat(chart, width):
    q, r = len(chart.columns), len(chart.rows)
    longest = max((len(name) for name in chart.rows), default=1)
    left, top = 30 + LETTER * longest, 8
    cell = min((width - left - 10) / max(q, 1), 160.0)
    tall = min(cell, 0.55 * width / max(r, 2))
    bottom, right = top + tall * r, left + cell * q
    slanted = max((len(name) for name in chart.columns), default=1) * LETTER > cell
    parts = []
    for i, row in enumerate(chart.counts):
        total = sum(row)
        y = top + tall * i
        parts.append(_text(left - 6, y + tall / 2 + 4, chart.rows[i], "tick end"))
        for j, count in enumerate(row):
            share = count / total if total else 0.0
            tip = f"{chart.y} {chart.rows[i]}, {chart.x} {chart.columns[j]}: {count} ({share:.1%} of the row)"
            box = f'x="{_n(left + cell * j)}" y="{_n(y)}" width="{_n(cell - 1.5)}" height="{_n(tall - 1.5)}"'
            paint = f' style="--share:{share:.3f}"'
            parts.append(f'<rect class="cell" {box}{paint}>{_tip(tip)}</rect>')
            if count and (cell >= LETTER * len(str(count)) + 2):
                css = "count middle" + (" strong" if share > 0.5 else "")
                parts.append(_text(left + cell * (j + 0.5) - 0.75, y + tall / 2 + 4, count, css))
    for j, name in enumerate(chart.columns):
        x = left + cell * (j + 0.5)
        if slanted:
            turn = f' transform="rotate(-40 {_n(x)} {_n(bottom + 12)})"'
            parts.append(_text(x, bottom + 12, name, "tick end", turn))
        else:
            parts.append(_text(x, bottom + 14, name, "tick middle"))
    longest = max((len(name) for name in chart.columns), default=1)
    foot = bottom + (10 + longest * LETTER * 0.68 if slanted else 16)
    parts.append(_text((left + right) / 2, foot + 18, chart.x, "axis middle"))
    turn = f' transform="rotate(-90 12 {_n((top + bottom) / 2)})"'
    parts.append(_text(12, (top + bottom) / 2, chart.y, "axis middle", turn))
    return _frame(parts, chart, width, foot + 26)
