"""The exam of every source in conf/data, and what is special about the embedded tables and parquet."""

import os
import pickle
import sqlite3
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from ml_core import plan
from ml_core.cli.build import build
from ml_core.data.embedded import LABELS, TARGETS, Embedded
from ml_core.data.parquet import Parquet
from ml_core.data.table import KINDS, ROW

ROOT = Path(__file__).parents[2]
NAMES = sorted(file.stem for file in (ROOT / "conf/data").glob("*.yaml"))
ROWS = pl.DataFrame({"id": [1, 2, 3], "a": [0.5, None, 2.0], "b": ["u", "v", "u"], "y": [1.0, 2.0, 4.0]})


@pytest.fixture
def source(tmp_path, monkeypatch):
    """What `mlcore compose data=NAME ...` and the door make of conf/data/NAME.yaml."""
    with sqlite3.connect(tmp_path / "rows.db") as database:
        database.execute("create table rows (id integer, a real, b text, y real)")
        database.executemany("insert into rows values (?, ?, ?, ?)", ROWS.rows())
    monkeypatch.setenv("MLCORE_SQL_URL", f"sqlite:///{tmp_path}/rows.db")
    ROWS.write_csv(tmp_path / "rows.csv")
    ROWS.write_parquet(tmp_path / "rows.parquet")

    def make(name, **options):
        node = plan.load(ROOT / "conf/data" / f"{name}.yaml")
        here = {"path": str(tmp_path / f"rows.{name}"), "query": "select * from rows", "target": "y"}
        node |= {option: here[option] for option in here if node.get(option) == "???"}
        return build(node | options, ("ml_core",), "data")

    return make


@pytest.mark.parametrize("name", NAMES)
def test_two_reads_are_equal_and_the_table_keeps_its_contract(source, name):
    first, second = source(name).read(), source(name).read()
    assert first.frame.collect().equals(second.frame.collect())
    assert first.kinds == second.kinds and set(first.kinds.values()) <= set(KINDS)
    names = first.frame.collect_schema().names()
    assert first.target in names and first.target not in first.kinds and ROW not in names
    assert list(first.kinds) == [name for name in names if name != first.target]
    assert name.split("_")[0] in first.source and os.environ["MLCORE_SQL_URL"] not in first.source


@pytest.mark.parametrize("name", NAMES)
def test_key_drop_and_types_take_columns_aside(source, name):
    columns = list(source(name).read().kinds)
    table = source(name, key=columns[:1], drop=columns[1:2], types={columns[2]: "text"}).read()
    assert table.key == columns[:1] and columns[1] not in table.frame.collect_schema()
    assert list(table.kinds) == columns[2:] and table.kinds[columns[2]] == "text"
    assert table.frame.collect_schema()[columns[2]] == pl.String


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_not_there_is_named_with_its_neighbours(source, name):
    for option in ({"target": "yy"}, {"key": ["yy"]}, {"drop": ["yy"]}, {"types": {"yy": "text"}}):
        with pytest.raises(KeyError, match=r"no column 'yy'.* Set data\." + next(iter(option))):
            source(name, **option).read()


@pytest.mark.parametrize("name", NAMES)
def test_a_clustering_has_no_target_among_its_features(source, name):
    target = source(name).target
    for options in ({"task": "clustering"}, {"target": None}):
        table = source(name, **options).read()
        assert table.target is None and table.task == "clustering"
        if "task" in options or name in TARGETS:
            assert target not in table.kinds


@pytest.mark.parametrize("name", TARGETS)
def test_embedded_tables_are_those_of_scikit_learn(name):
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(datasets, f"load_{name}")(**options)
    frame = Embedded(name, target=TARGETS[name]).read().frame.collect()
    assert (frame.drop(TARGETS[name]).to_numpy() == theirs.data).all()
    y = theirs.target if name == "diabetes" else [LABELS[name][i] for i in theirs.target]
    assert frame[TARGETS[name]].to_list() == list(y)
    if name != "digits":
        assert len(set(frame.columns)) == theirs.data.shape[1] + 1
    if name in ("breast_cancer", "wine"):
        assert [str(label) for label in theirs.target_names] == LABELS[name]


def test_unknown_embedded_table():
    with pytest.raises(ValueError, match="data.name: got 'iris', allowed are breast_cancer, wine"):
        Embedded("iris").read()


def test_parquet_types_become_plain(tmp_path):
    frame = pl.DataFrame(
        {
            "whole": pl.Series([1, 2], dtype=pl.UInt8),
            "nan": [float("nan"), 1.0],
            "money": [Decimal("1.50"), None],
            "span": [timedelta(seconds=90), None],
            "clock": [time(0, 1), None],
            "day": [date(2024, 1, 1), None],
            "zoned": pl.Series([datetime(2024, 1, 1, 12), None]).dt.replace_time_zone("Europe/Berlin"),
            "level": pl.Series(["u", "v"], dtype=pl.Categorical),
            "nothing": pl.Series([None, None]),
            "y": [True, False],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    table = Parquet(str(tmp_path / "t.parquet"), target="y").read()
    row = table.frame.collect().row(0)
    assert row == (1, None, 1.5, 90.0, 60.0, date(2024, 1, 1), datetime(2024, 1, 1, 11), "u", None, True)
    kinds = ["numeric"] * 5 + ["date"] * 2 + ["categorical"] * 2
    assert list(table.kinds.values()) == kinds


def test_parquet_types_override(tmp_path):
    frame = pl.DataFrame({"a": ["1", "2"], "b": [0, 1], "c": ["2024-01-01", None], "d": [1, 2], "y": [1, 2]})
    frame.write_parquet(tmp_path / "t.parquet")
    types = {"a": "integer", "b": "boolean", "c": "date", "d": "categorical"}
    table = Parquet(str(tmp_path / "t.parquet"), target="y", types=types).read()
    assert table.frame.collect().row(0) == (1, False, datetime(2024, 1, 1), "1", 1)
    assert table.kinds == types | {"a": "numeric"}
    with pytest.raises(ValueError, match="column 'c', row 1: '2024-01-01' is not a number"):
        Parquet(str(tmp_path / "t.parquet"), target="y", types={"c": "numeric"}).read()
    with pytest.raises(ValueError, match="column 'b' holds Int64, which cannot be read as date"):
        Parquet(str(tmp_path / "t.parquet"), target="y", types={"b": "date"}).read()


def test_bad_parquet(tmp_path):
    (tmp_path / "1.parquet").write_bytes(b"a,y\n1,2\n")
    with pytest.raises(ValueError, match=r"1.parquet: not a parquet file"):
        Parquet(str(tmp_path / "1.parquet")).read()
    pl.DataFrame({"a": [[1]], "y": [1]}).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(ValueError, match=r"got a \(List\(Int64\)\); leave them out by data.drop"):
        Parquet(str(tmp_path / "1.parquet"), target="y").read()
    pl.DataFrame({"a": [1], "y": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": ["1"], "y": [1]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(
        ValueError, match=r"2.parquet: column 'a' holds String, in .*1.parquet it holds Int64"
    ):
        Parquet(str(tmp_path), target="y").read()
    pl.DataFrame({"a": [1], "y": [1]}).clear().write_parquet(tmp_path / "3.parquet")
    with pytest.raises(ValueError, match="columns and no rows"):
        Parquet(str(tmp_path / "3.parquet"), target="y").read()


def test_parquet_files_may_order_their_columns_as_they_like(tmp_path):
    pl.DataFrame({"a": [1], "y": [2]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"y": [4], "a": [3]}).write_parquet(tmp_path / "2.parquet")
    assert Parquet(str(tmp_path), target="y").read().frame.collect().rows() == [(1, 2), (3, 4)]


@pytest.mark.parametrize("name", NAMES)
def test_a_source_is_a_value(source, name):
    assert source(name) == source(name) == pickle.loads(pickle.dumps(source(name)))
