"""The stability law for every method, shares, and what cannot be split."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ml_core.data import rows
from ml_core.data.split import METHODS, Split
from ml_core.data.table import Table

SPLITS = {
    "random": Split("random", test=0.3, seed=1),
    "stratified": Split("stratified", test=0.3, seed=1),
    "group": Split("group", test=0.3, seed=1, by="who"),
    "time": Split("time", by="when", cutoff="2024-03-01"),
}


def frame(n, seed=0):
    rng = np.random.default_rng(seed)
    days = [date(2024, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 120, n)]
    who = [f"p{i}" if i else None for i in rng.integers(0, 40, n)]
    y = [f"c{i}" for i in rng.integers(0, 2, n)]
    return pl.DataFrame({"x": rng.integers(0, 10**6, n), "who": who, "when": days, "y": y})


def sides(split, table, task="classification"):
    made = Table(table.lazy(), "y", task, classes=sorted(table["y"].unique()))
    return split.sides(made, rows.hashes(table, ["x", "who", "when"]))


@pytest.mark.parametrize("method", METHODS)
@given(some.integers(0, 2**32), some.integers(50, 400), some.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_more_rows_never_move_an_old_row(method, seed, n_old, n_new):
    old, new = frame(n_old, seed), frame(n_new, seed + 1)
    both = pl.concat([old, new]).with_row_index("i").sample(fraction=1, shuffle=True, seed=seed % 1000)
    before = sides(SPLITS[method], old)
    after = sides(SPLITS[method], both.drop("i"))
    at = {int(i): bool(side) for i, side in zip(both["i"], after, strict=True)}
    assert [at[i] for i in range(n_old)] == before.tolist()


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_the_share_is_met_up_to_chance(method):
    tested = sides(Split(method, test=0.2), frame(20_000))
    assert abs(tested.mean() - 0.2) < 4 * (0.16 / 20_000) ** 0.5


def test_a_larger_share_keeps_the_rows_that_were_tested_on():
    table = frame(500)
    small, large = (sides(Split(test=share), table) for share in (0.2, 0.4))
    assert not (small & ~large).any() and large.sum() > small.sum()


def test_another_seed_draws_anew():
    first, second = (sides(Split(seed=seed), frame(5000)) for seed in (0, 1))
    assert abs((first & second).mean() - 0.04) < 0.02


def test_equal_rows_lie_on_one_side_whatever_their_label():
    table = frame(200)
    twins = pl.concat([table, table.with_columns(y=pl.lit("c0"))])
    for method in METHODS:
        first, second = np.split(sides(SPLITS[method], twins), 2)
        assert (first == second).all()


def test_a_group_lies_on_one_side_and_a_row_without_group_stands_for_itself():
    table = frame(4000)
    found = (
        table.with_columns(tested=pl.Series(sides(SPLITS["group"], table)))
        .group_by("who")
        .agg(pl.col("tested").n_unique())
    )
    assert dict(found.iter_rows())[None] == 2
    assert all(n == 1 for who, n in found.iter_rows() if who is not None)


def test_time_tests_on_what_comes_at_or_after_the_cutoff():
    table = frame(300)
    assert (sides(SPLITS["time"], table) == (table["when"] >= date(2024, 3, 1)).to_numpy()).all()
    assert (sides(Split("time", by="x", cutoff=500_000), table) == (table["x"] >= 500_000).to_numpy()).all()
    moments = table.with_columns(when=pl.col("when").cast(pl.Datetime("us")))
    by_hour = sides(Split("time", by="when", cutoff="2024-03-01T12:30"), moments)
    assert (by_hour == (table["when"] > date(2024, 3, 1)).to_numpy()).all()


def test_time_without_a_cutoff_proposes_one_that_gives_the_share():
    with pytest.raises(ValueError, match=r"split.cutoff=(2024-\d\d-\d\d) tests on about 20%") as caught:
        sides(Split("time", by="when"), frame(1000))
    cutoff = str(caught.value).split("split.cutoff=")[1].split()[0]
    assert abs(sides(Split("time", by="when", cutoff=cutoff), frame(1000)).mean() - 0.2) < 0.02
    with pytest.raises(ValueError, match=r"the first number of the test rows; split.cutoff=\d+ tests"):
        sides(Split("time", by="x"), frame(1000))


def test_a_class_missing_on_one_side_is_told_with_a_seed_that_helps():
    table = frame(300).with_columns(y=pl.Series(["rare"] * 3 + ["common"] * 297))
    failed = 0
    for seed in range(20):
        try:
            sides(Split("stratified", seed=seed), table)
        except ValueError as error:
            failed += 1
            assert "class 'rare' (3 rows) has none to" in str(error)
            better = int(str(error).split("set split.seed=")[1].split(",")[0])
            tested = sides(Split("stratified", seed=better), table)
            assert 0 < tested[:3].sum() < 3
    assert failed > 3
    assert sides(Split("random"), table).any()


def test_a_regression_has_no_strata():
    table = frame(300)
    drawn = sides(Split("stratified"), table, task="regression")
    assert (drawn == sides(Split("random"), table)).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"method": "strata"}, "split.method: got 'strata', allowed are random"),
        ({"test": 1.0}, "split.test: got 1.0, allowed is a share"),
        ({"method": "group"}, "split.by: group needs a column"),
        ({"method": "time", "by": ["x"]}, r"time takes one column, got \['x'\]"),
        ({"method": "group", "by": "whom"}, "split.by: no column 'whom'; the table has x, who"),
        ({"method": "group", "by": "y"}, "split.by: 'y' is the target"),
        ({"method": "time", "by": "who"}, "'who' holds String, allowed are dates and numbers"),
        ({"method": "time", "by": "when", "cutoff": "March"}, "got 'March', allowed is a date such as"),
        ({"method": "time", "by": "x", "cutoff": "2024-01-01"}, "but 'x' holds numbers; set a number"),
        ({"method": "time", "by": "when", "cutoff": "2030-01-01"}, "no row is left to test on"),
        ({"method": "time", "by": "when", "cutoff": "2000-01-01"}, "no row is left to train on"),
    ],
)
def test_what_cannot_be_split(options, message):
    with pytest.raises((ValueError, KeyError), match=message):
        sides(Split(**options), frame(100))


def test_rows_without_a_time_are_told():
    table = frame(100).with_columns(when=pl.when(pl.col("x") > 500_000).then(pl.col("when")))
    with pytest.raises(ValueError, match=r"'when' is missing in \d+ rows"):
        sides(SPLITS["time"], table)
