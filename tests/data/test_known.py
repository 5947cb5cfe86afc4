"""as_of: the rows known at a time, from every source that can tell."""

import sqlite3
from datetime import date, datetime

import polars as pl
import pytest

from ml_core.data.csv import Csv
from ml_core.data.known import moment
from ml_core.data.parquet import Parquet
from ml_core.data.sql import Sql

ROWS = pl.DataFrame(
    {
        "a": [1.0, 2.0, 3.0, 4.0],
        "seen": [datetime(2026, 1, 1, 5), datetime(2026, 1, 2, 5), datetime(2026, 1, 3, 5), None],
        "y": [0.5, 1.5, 2.5, 3.5],
    }
)


@pytest.fixture(params=["csv", "parquet", "sql"])
def make(request, tmp_path, monkeypatch):
    def source(**options):
        options = {"target": "y", "known_at": "seen"} | options
        if request.param == "csv":
            ROWS.write_csv(tmp_path / "rows.csv")
            return Csv(str(tmp_path / "rows.csv"), **options)
        ROWS.write_parquet(tmp_path / "rows.parquet")
        if request.param == "parquet":
            return Parquet(str(tmp_path / "rows.parquet"), **options)
        with sqlite3.connect(tmp_path / "rows.db") as database:
            database.execute("create table if not exists rows (a real, seen text, y real)")
            texts = ROWS.with_columns(pl.col("seen").cast(pl.String))
            database.executemany("insert into rows values (?, ?, ?)", texts.rows())
        monkeypatch.setenv("MLCORE_SQL_URL", f"sqlite:///{tmp_path}/rows.db")
        return Sql("select * from rows", types={"seen": "%Y-%m-%d %H:%M:%S%.f"}, **options)

    return source


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        (None, 4),
        ("2026-01-02", 2),
        ("2026-01-02T04:59:59", 1),
        ("2026-01-02T06:00:00+01:00", 2),
        ("2030-01-01", 3),
    ],
)
def test_rows_known_by_then(make, as_of, known):
    table = make(as_of=as_of).read()
    frame = table.frame.collect()
    assert sorted(frame["a"]) == [1.0, 2.0, 3.0, 4.0][:known]
    assert list(table.kinds) == ["a"], "when a row was known is no feature"


def test_a_later_time_never_loses_a_row(make):
    tables = [make(as_of=day).read() for day in ("2026-01-01", "2026-01-02", "2026-01-03")]
    seen = [set(table.frame.collect()["a"]) for table in tables]
    assert seen[0] < seen[1] < seen[2]


def test_what_cannot_be(make):
    with pytest.raises(KeyError, match=r"no column 'sen'; did you mean 'seen'"):
        make(known_at="sen").read()
    with pytest.raises(ValueError, match=r"data.as_of: got 'yesterday', must be a date"):
        make(as_of="yesterday").read()
    with pytest.raises(ValueError, match=r"data.known_at is 'a', which holds Float64, must hold dates"):
        make(known_at="a", as_of="2026-01-02").read().frame.collect()
    with pytest.raises(ValueError, match="dropped and yet"):
        make(drop=["seen"]).read()


def test_a_day_lasts_until_its_end():
    assert moment("2026-01-31") == moment(date(2026, 1, 31)) > moment("2026-01-31T23:59:59")
