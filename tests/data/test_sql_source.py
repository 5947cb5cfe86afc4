"""SQL: types across chunks, and no part of the address in anything that leaves the source."""

import gc
import sqlite3
import traceback
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml_core.data import sql
from ml_core.data.sql import Sql

SECRET = "postgresql://anna:hunter22@db.example.com:5432/payroll"


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.setenv("MLCORE_SQL_URL", f"sqlite:///{tmp_path}/rows.db")
    monkeypatch.setattr(sql, "CHUNK", 10)
    monkeypatch.setattr(sql.tempfile, "tempdir", str(tmp_path))
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("create table rows (id integer, late real, grows real, word text, y integer)")
        lines = [
            (i, i / 2 if i > 25 else None, i if i < 25 else i + 0.5, f"w{i % 3}", i % 2) for i in range(35)
        ]
        connection.executemany("insert into rows values (?, ?, ?, ?, ?)", lines)
        connection.execute("create table odd (a, y)")
        connection.executemany(
            "insert into odd values (?, 1)", [(i if i != 17 else "abc",) for i in range(20)]
        )
    return tmp_path


def test_types_are_the_widest_of_all_chunks(database):
    table = Sql("select *, 7 as whole from rows order by id", target="y", key=["id"]).read()
    frame = table.frame.collect()
    assert frame["id"].to_list() == list(range(35)) and frame["late"][30] == 15.0
    assert frame.schema == {
        "id": pl.Int64, "late": pl.Float64, "grows": pl.Float64, "word": pl.String, "y": pl.Int64,
        "whole": pl.Int64,
    }  # fmt: skip
    assert table.kinds == {"late": "numeric", "grows": "numeric", "word": "categorical", "whole": "numeric"}


def test_the_fetched_rows_are_gone_with_the_table(database):
    table = Sql("select * from rows", target="y").read()
    assert list(database.glob("mlcore-sql-*/*.parquet"))
    del table
    gc.collect()
    assert not list(database.glob("mlcore-sql-*"))


def test_a_failed_fetch_leaves_nothing(database):
    with pytest.raises(
        ValueError, match="column 'a' holds int and str, row 18: 'abc'; cast it in data.query"
    ):
        Sql("select * from odd", target="y").read()
    assert not list(database.glob("mlcore-sql-*"))


@pytest.mark.parametrize(
    "query, message",
    [
        ("select * from nowhere", "refused .OperationalError.: no such table: nowhere"),
        ("selekt", 'near "selekt": syntax error'),
        ("select * from rows where id < 0", "the query gives no rows"),
        ("create table more (a)", "must give rows; got a statement that gives none"),
        ("select id, id, y from rows", "got id more than once"),
        ("select id from rows", "no column 'y'; it has id"),
        ("select x'00ff' as a, 1 as y", r"got a \(Binary\)"),
    ],
)
def test_bad_queries(database, query, message):
    with pytest.raises((ValueError, KeyError), match=message) as caught:
        Sql(query, target="y").read()
    assert str(database) not in _everything(caught.value)


def test_no_address(monkeypatch):
    monkeypatch.delenv("MLCORE_SQL_URL", raising=False)
    with pytest.raises(ValueError, match="MLCORE_SQL_URL is not set; export MLCORE_SQL_URL=dialect://"):
        Sql("select 1", target="y").read()
    monkeypatch.setenv("OTHER", "hunter22 is no address")
    with pytest.raises(ValueError, match=r"\$OTHER is no address") as caught:
        Sql("select 1", url_env="OTHER").read()
    assert "hunter22" not in _everything(caught.value)


def test_the_address_is_told_to_nobody(monkeypatch):
    import sqlalchemy

    def refuse(url, **_):
        raise sqlalchemy.exc.OperationalError(
            "select", {}, Exception(f"cannot reach db.example.com as anna with hunter22 for payroll, {url}")
        )

    monkeypatch.setenv("MLCORE_SQL_URL", SECRET)
    monkeypatch.setattr(sqlalchemy, "create_engine", refuse)
    source = Sql("select 1", target="y")
    with pytest.raises(ValueError, match="refused") as caught:
        source.read()
    told = _everything(caught.value) + repr(source)
    assert not any(part in told for part in ("anna", "hunter22", "db.example.com", "payroll"))


def _everything(error):
    return "".join(traceback.format_exception(error))


def test_dates_as_text_take_a_type(database):
    table = Sql(
        "select '2024-01-0' || (1 + id % 3) as day, y from rows", target="y", types={"day": "date"}
    ).read()
    assert table.kinds == {"day": "date"} and table.frame.collect()["day"][1].date() == date(2024, 1, 2)


def test_nothing_of_the_environment_is_read_before_reading(monkeypatch):
    monkeypatch.delenv("MLCORE_SQL_URL", raising=False)
    assert (
        "MLCORE_SQL_URL" in repr(Sql("select 1")) and Path("conf/data/sql.yaml").name in Sql("select 1").path
    )
