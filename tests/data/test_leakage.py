"""Leakage: found where one column gives the target away, silent where it only looks so."""

import numpy as np
import polars as pl
import pytest

from ml_core.data import leakage


def score(x, y, classes=()):
    frame = pl.DataFrame({"x": x, "y": y})
    half = np.random.default_rng(9).random(len(frame)) < 0.5
    return leakage.scores(frame, half, "y", list(classes)).get("x")


@pytest.mark.parametrize("n", [100, 5000])
def test_a_renamed_target_is_found(n):
    y = np.random.default_rng(0).integers(0, 3, n)
    text = [f"code {i}" for i in y]
    assert score(text, y, range(3)) == 1 and score(y * 10.0, y, range(3)) == 1
    assert score([None if i == 0 else "set" for i in y], y == 0, [False, True]) == 1


def test_a_threshold_is_found_though_no_value_comes_twice():
    x = np.random.default_rng(0).normal(size=5000)
    assert score(x, x > 0.3, [False, True]) > 0.999


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [60, 200, 2000])
def test_a_column_that_merely_differs_in_every_row_predicts_nothing(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    assert score(rng.permutation(n), y, [0, 1]) < 0.8
    assert score([f"id {i}" for i in range(n)], y, [0, 1]) <= 0.5
    assert score(rng.permutation(n), rng.normal(size=n)) < 0.6


def test_a_rare_class_counts_as_much_as_a_common_one():
    y = np.zeros(5000, int)
    y[:20] = 1
    assert score(np.zeros(5000), y, [0, 1]) == 0.5


def test_a_regression_is_found_as_a_line_a_curve_and_a_code():
    x = np.random.default_rng(0).normal(size=2000)
    assert score(x, 3 - 2 * x) == pytest.approx(1)
    assert score(x, np.abs(x)) > 0.999
    level = np.random.default_rng(1).integers(0, 9, 2000)
    assert score([f"l{i}" for i in level], level**2.0) == pytest.approx(1)
    assert score(x, x + np.random.default_rng(2).normal(size=2000)) < 0.8


def test_few_rows_prove_nothing():
    assert score([1, 2] * 10, [0, 1] * 10, [0, 1]) is None
