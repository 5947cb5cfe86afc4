"""Which task a target asks for."""

import polars as pl
import pytest

from ml_core.data.table import Table
from ml_core.data.target import resolve


def resolved(values, task="auto"):
    frame = pl.DataFrame({"x": range(len(values)), "y": values}, strict=False)
    table, lacking = resolve(Table(frame.lazy(), "y", task, {"x": "numeric"}))
    return table, lacking.tolist()


@pytest.mark.parametrize(
    "values, task, classes",
    [
        (["b", "a", "b"] * 9, "classification", ["a", "b"]),
        ([True, False] * 9, "classification", [False, True]),
        ([3, 1, 2] * 20, "classification", [1, 2, 3]),
        ([0.0, 1.0] * 9, "classification", [0, 1]),
        ([0.5, 1.5] * 9, "regression", []),
        (list(range(29)) * 20, "regression", []),
        (list(range(15)) * 2, "regression", []),
        ([1.0, 2.0, 3.0] * 20, "regression", []),
    ],
)
def test_auto(values, task, classes):
    table, lacking = resolved(values)
    assert (table.task, table.classes, lacking) == (task, classes, [])


def test_told():
    assert resolved([1, 2] * 9, "regression")[0].classes == []
    assert resolved(list(range(40)), "classification")[0].classes == list(range(40))
    assert resolved([1.0, 2.0, 3.0], "classification")[0].frame.collect()["y"].to_list() == [1, 2, 3]


def test_rows_without_a_target_are_left_out():
    table, lacking = resolved(["a", None, "b", None])
    assert lacking == [1, 3] and table.frame.collect()["x"].to_list() == [0, 2]


def test_no_target_is_a_clustering():
    table, _ = resolve(Table(pl.LazyFrame({"x": [1]}), None, "auto", {"x": "numeric"}))
    assert table.task == "clustering"


@pytest.mark.parametrize(
    "values, task, message",
    [
        (["a", "b"], "regression", "holds text, regression takes numbers; set data.task=classification"),
        ([True, False], "regression", "holds booleans, regression takes numbers"),
        ([0.5, 1.0, 2.0], "classification", "holds fractions, classification takes text"),
        ([float("inf"), 1.0], "classification", "holds fractions"),
        (pl.Series(["2024-01-01"]).str.to_date(), "auto", "holds dates, allowed are text"),
    ],
)
def test_a_target_that_does_not_suit_its_task(values, task, message):
    with pytest.raises(ValueError, match=f"target 'y' {message}"):
        resolved(values, task)
