"""Charts as data, their two drawings, and the numbers on their axes."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_core.report import png, svg
from ml_core.report.charts import Bars, Heat, Line, Lines, from_json, histogram, line, rounded, shown, to_json
from ml_core.report.page import number, share, short
from ml_core.report.ticks import named, ticks

EVIL = "<script>$\\frac{&\"'"
CHARTS = [
    Lines(
        "l", EVIL, EVIL, EVIL, [Line([0.0, 1.0], [0.0, None], EVIL, "step"), Line([0.5], [1.0], EVIL, "dots")]
    ),
    Lines(
        "u", "t", "", "y", [line(np.arange(9), np.arange(9), "a", "dots", np.arange(9) - 1, np.arange(9) + 1)]
    ),
    Lines("d", "t", "x", "y", [Line([0.0, 86400.0 * 9], [1.0, 1.0], "", "faint")], dates=True),
    Lines(
        "v", "t", "x", "y", [Line([0.0, 1.0], [1.0, 2.0], "k", "dots")], levels=[EVIL, "a long level's name"]
    ),
    Lines("n", "t", "x", "y", []),
    Bars("b", "t", EVIL, [EVIL, "b"], [0.5, -1.0], [0.4, None], [0.6, None]),
    Bars("z", "t", "x", [], []),
    Bars("c", "t", "x", ["a"], [None]),
    Heat("h", "t", EVIL, "y", [EVIL, "b"], ["a", EVIL], [[1, 2], [0, 0]]),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_survives_json_and_is_drawn_twice(chart, tmp_path):
    assert from_json(json.loads(json.dumps(to_json(chart)))) == chart
    drawn = svg.draw(chart)
    ElementTree.fromstring(f"<div>{drawn}</div>")  # well-formed: nothing from the data broke out
    assert "<script" not in drawn and "nan" not in drawn
    png.save([chart], tmp_path)
    first = (tmp_path / f"{chart.name}.png").read_bytes()
    png.save([chart], tmp_path)
    assert (tmp_path / f"{chart.name}.png").read_bytes() == first
    assert b"Software" not in first and b"Creation" not in first


def test_drawing_leaves_matplotlib_as_it_was(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    matplotlib.rcParams["lines.linewidth"] = 7  # somebody's own taste
    png.save([CHARTS[1]], tmp_path)
    mine = (tmp_path / "u.png").read_bytes()
    assert matplotlib.rcParams["lines.linewidth"] == 7
    matplotlib.rcParams["lines.linewidth"] = before["lines.linewidth"]
    png.save([CHARTS[1]], tmp_path)
    assert (tmp_path / "u.png").read_bytes() == mine and dict(matplotlib.rcParams) == before


def test_many_charts_in_one_picture(tmp_path):
    png.save_grid([replace(CHARTS[1], name=str(k)) for k in range(5)], tmp_path / "new" / "all.png")
    assert (tmp_path / "new" / "all.png").stat().st_size > 10_000


def test_bars_are_as_long_as_their_values():
    drawn = ElementTree.fromstring(svg.draw(Bars("b", "t", "x", ["a", "b"], [1.0, 0.5])))
    widths = [float(rect.get("width")) for rect in drawn.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9))
@settings(max_examples=80, deadline=None)
def test_ticks_are_round_few_and_inside(low, size):
    high = low + size
    found = ticks(low, high)
    assert len(found) <= 8
    assert all(low - 1e-6 * size <= v <= high + 1e-6 * size for v in found)
    assert len(found) >= 2
    gaps = np.diff(found)
    assert len(gaps) == 0 or np.allclose(gaps, gaps[0], rtol=1e-3)


def test_tick_names_are_short_and_differ():
    assert named([0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert named([0.0, 20.0, 40.0]) == ["0", "20", "40"]
    assert named([0.0, 2e6]) == ["0", "2e+06"]
    assert named([0.0, 86400.0 * 30], dates=True) == ["1970-01-01", "1970-01-31"]
    assert named([0.0, 43200.0], dates=True) == ["01-01 00:00", "01-01 12:00"]
    assert ticks(3.0, 3.0) == [3.0]


def test_long_curves_are_thinned_and_keep_their_ends():
    found = line(np.arange(10_001), np.arange(10_001))
    assert len(found.x) == 400 and found.x[0] == 0 and found.x[-1] == 10_000


def test_a_histogram_holds_every_row():
    found = histogram(np.r_[np.zeros(30), np.ones(10)], bins=4)
    assert found.y[0] == found.y[-1] == 0 and max(found.y) == 0.75
    assert sum(found.y) / 2 == pytest.approx(1)


def test_numbers_for_people():
    assert number(0.98) == "0.9800" and number(1234567) == "1\u202f234\u202f567" and number(None) == "\u2013"
    assert (
        number(-0.5) == "\u22120.5000"
        and number(0.00001234) == "1.23e-05"
        and number(-2e-5) == "\u22122.00e-05"
    )
    assert number(True) == "True" and number(123456.7) == "1.235e+05"
    assert share(0.123) == "12.3\u202f%" and share(None) == "\u2013"
    assert (
        short(0.1) == "0.1" and short({"a": [1]}) == '{"a": [1]}' and short("x" * 99, 9) == "x" * 8 + "\u2026"
    )
    assert shown("a\n b") == "a b" and rounded([np.nan, 1 / 3]) == [None, 0.333333]
