"""Round numbers for an axis, and their names."""

from datetime import UTC, datetime

import numpy as np

DAY = 86400.0


def ticks(low, high, most=6):
    """Round values within [low, high], about ``most`` of them and at most one more."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= rough * (1 - 1e-9))
    first = np.ceil(low / step - 1e-9) * step
    values = first + step * np.arange(int((high - first) / step + 1e-9) + 1)
    return [float(v) for v in np.where(np.abs(values) < step * 1e-9, 0.0, values)]


def along(chart, low, high):
    """Lines -> places and names of the ticks of its x axis."""
    if chart.levels:
        return [float(k) for k in range(len(chart.levels))], chart.levels
    at = ticks(low, high)
    return at, named(at, chart.dates)


def named(values, dates=False):
    """Ticks -> texts as short as tells them apart."""
    if dates:
        return [_date(v, values) for v in values]
    largest = max((abs(v) for v in values), default=0.0)
    if largest >= 1e5 or 0 < largest < 1e-3:
        return [f"{v:.3g}" for v in values]
    texts = [f"{v:.4g}" for v in values]
    for decimals in range(6):
        texts = [f"{v:.{decimals}f}" for v in values]
        if all(abs(float(t) - v) <= 1e-6 * max(largest, 1e-12) for t, v in zip(texts, values, strict=True)):
            break
    return texts


def _date(seconds, values):
    day = datetime.fromtimestamp(seconds, UTC)
    return day.strftime(
        "%Y-%m-%d" if max(values) - min(values) > 4 * DAY or len(values) == 1 else "%m-%d %H:%M"
    )


def limits(chart):
    """Lines -> (x low, x high), (y low, y high) with a little room; both 0..1 where the chart says so."""
    if chart.unit:
        return (0.0, 1.0), (0.0, 1.0)
    xs = [v for one in chart.lines for v in one.x if v is not None]
    ys = [
        v
        for one in chart.lines
        for part in (one.y, one.low or [], one.high or [])
        for v in part
        if v is not None
    ]
    across = (-0.5, len(chart.levels) - 0.5) if chart.levels else _room(xs)
    return across, _room(ys)


def _room(values):
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        low, high = low - (abs(low) or 1.0) * 0.5, high + (abs(high) or 1.0) * 0.5
    spare = 0.04 * (high - low)
    return low - (spare if low != 0 else 0.0), high + spare


def reach(bars):
    """Bars -> (low, high) of the value axis: 0 is always on it."""
    parts = (bars.values, bars.low, bars.high)
    values = [v for part in parts for v in part if v is not None]
    low, high = min([0.0, *values]), max([0.0, *values])
    return (low, high + 0.02 * (high - low)) if high > low else (0.0, 1.0)
