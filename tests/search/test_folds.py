import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ml_core.search.folds import Folds


def rows(pairs):
    return [(train.tolist(), test.tolist()) for train, test in pairs]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(12, 60), st.integers(0, 9))
def test_every_row_is_held_out_once(n, n_rows, seed):
    rng = np.random.default_rng(seed)
    y = np.resize(np.array(["a", "b"], dtype=object), n_rows)
    groups = np.resize(np.arange(7), n_rows)
    for folds in (Folds(n=n, seed=seed), Folds("kfold", n, seed=seed), Folds("group", min(n, 6), by="g")):
        pairs = folds.pairs(n_rows, y, "classification", rng.permutation(groups))
        assert len(pairs) == folds.n
        assert_array_equal(np.sort(np.concatenate([test for _, test in pairs])), np.arange(n_rows))
        for train, test in pairs:
            assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n_rows))
            assert np.all(np.diff(train) > 0) and np.all(np.diff(test) > 0)


def test_auto_keeps_classes_in_proportion():
    y = np.array(["a"] * 80 + ["b"] * 20, dtype=object)
    for _, test in Folds().pairs(100, y, "classification"):
        assert (y[test] == "b").sum() == 4
    assert rows(Folds().pairs(100, None, "regression")) == rows(Folds("kfold").pairs(100))


def test_folds_are_the_same_each_time_and_others_for_another_seed():
    assert rows(Folds(seed=3).pairs(50)) == rows(Folds(seed=3).pairs(50)) != rows(Folds(seed=4).pairs(50))


def test_groups_stay_together():
    by = np.resize(np.array(["x", "y", "z", "w"], dtype=object), 40)
    for train, test in Folds("group", 4, by="who").pairs(40, by=by):
        assert not set(by[train]) & set(by[test])


def test_time_folds_train_on_the_past_whatever_the_order_of_rows():
    rng = np.random.default_rng(0)
    when = np.datetime64("2024-01-01") + rng.permutation(60).astype("timedelta64[D]")
    for by in (
        when,
        rng.permutation(60).astype(float),
        np.array([dt.date(2024, 1, 1 + i) for i in range(30)] * 2),
    ):
        for train, test in Folds("time", 3, by="when").pairs(60, by=by):
            assert by[train].max() <= by[test].min() and len(test)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Folds("loo"),
            "search.folds.method: got 'loo', allowed are auto, kfold, stratified, group, time",
        ),
        (lambda: Folds(n=1), "search.folds.n: got 1, must be a whole number of 2 or more"),
        (lambda: Folds(n=2.5), "search.folds.n: got 2.5"),
        (lambda: Folds("group"), "search.folds.method=group needs a column: set search.folds.by=COLUMN"),
        (lambda: Folds("time"), "search.folds.method=time needs a column"),
        (
            lambda: Folds("time", 3, by="t").pairs(20, by=np.arange(20) % 3),
            "search.folds.n: got 3, but column 't' has 3 values, and there must be more of them",
        ),
        (lambda: Folds(n=5).pairs(4), "search.folds.n: got 5, but there are 4 rows"),
        (
            lambda: Folds(n=5).pairs(20, np.array(["a"] * 17 + ["b"] * 3, dtype=object), "classification"),
            "got 5, but class 'b' has 3 rows for training; set search.folds.n=3",
        ),
        (
            lambda: Folds("stratified").pairs(20, np.zeros(20)),
            "stratified needs classes, but the task is regression",
        ),
        (
            lambda: Folds("group", by="g").pairs(20, by=np.resize(["a", "b"], 20)),
            "got 5, but column 'g' has 2 values",
        ),
        (lambda: Folds("group", by="g").pairs(20), "needs the values of column 'g'"),
        (
            lambda: Folds("time", by="t").pairs(20, by=np.array([1.0] * 19 + [np.nan])),
            "column 't' is null in 1 rows, the first is row 19",
        ),
        (
            lambda: Folds("group", by="g").pairs(
                6, by=np.array(["a", None, "b", "c", "d", None], dtype=object)
            ),
            "column 'g' is null in 2 rows, the first is row 1",
        ),
        (
            lambda: Folds("time", 2, by="t").pairs(
                3, by=np.array(["2024-01-01", "NaT", "2024-01-02"], "datetime64[D]")
            ),
            "column 't' is null in 1 rows, the first is row 1",
        ),
        (
            lambda: Folds("time", 5, by="t").pairs(5, by=np.arange(5)),
            "time needs more rows than that, there are 5",
        ),
    ],
)
def test_wrong_folds_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
