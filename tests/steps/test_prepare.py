"""Prepare: gate, split and what it leaves for the later steps."""

import json
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml_core.data.csv import Csv
from ml_core.data.embedded import TARGETS, Embedded
from ml_core.data.quality import Rules
from ml_core.data.split import Split
from ml_core.data.table import ROW, Table, features_and_target, read
from ml_core.outcome import CheckFailed
from ml_core.steps.ingest import ingest
from ml_core.steps.prepare import prepare

DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture
def run(tmp_path):
    """Ingest and prepare a source; the outcome."""

    def both(source, rules=None, split=None, name=""):
        for step in ("ingest", "prepare"):
            (tmp_path / name / step).mkdir(parents=True)
        ingest(tmp_path / name / "ingest", source)
        return prepare(tmp_path / name / "prepare", rules or Rules(), split or Split("stratified"))

    return both


@pytest.mark.parametrize("name", TARGETS)
def test_embedded_tables_pass_by_default(run, tmp_path, name):
    outcome = run(Embedded(name, target=TARGETS[name]))
    train, test = (read(tmp_path / "prepare", part) for part in ("train", "test"))
    assert train.task == ("regression" if name == "diabetes" else "classification")
    assert len(train.classes) == {"breast_cancer": 2, "wine": 3, "digits": 10, "diabetes": 0}[name]
    X, y, row = features_and_target(train)
    assert X.shape == (outcome.metrics["rows.train"], outcome.metrics["columns"]) and row.dtype == np.uint64
    assert X.columns == train.features and len(y) == len(row)
    assert not set(row) & set(test.frame.collect()[ROW])
    assert outcome.metrics["columns"] == (61 if name == "digits" else len(read(tmp_path / "ingest").kinds))


@pytest.mark.parametrize(
    "name, target, task", [("adult", "income", "classification"), ("abalone", "rings", "regression")]
)
def test_real_tables_pass_by_default(run, tmp_path, name, target, task):
    if not (DATA / f"{name}.csv").exists():
        pytest.skip("the real tables do not lie beside the project")
    outcome = run(Csv(str(DATA / f"{name}.csv"), target=target))
    assert read(tmp_path / "prepare", "train").task == task
    assert set(outcome.files) < {file.name for file in (tmp_path / "prepare").iterdir()}
    known = json.loads((tmp_path / "prepare/quality.json").read_text())
    assert known["passed"] and known["train"] + known["test"] == known["rows"] == len_of(tmp_path / "ingest")
    total = outcome.metrics["rows.train"] + outcome.metrics["rows.test"]
    assert abs(outcome.metrics["rows.test"] / total - 0.2) < 4 * (0.16 / total) ** 0.5


def len_of(folder):
    return read(folder).frame.select(pl.len()).collect().item()


def test_parts_keep_order_columns_and_every_row(run, tmp_path):
    run(Embedded("wine", target="cultivar"))
    whole = read(tmp_path / "ingest").frame.collect().with_row_index("i")
    found = []
    for part in ("train", "test"):
        frame = read(tmp_path / "prepare", part).frame.collect()
        assert frame.columns == [*whole.columns[1:], ROW] and frame.schema[ROW] == pl.UInt64
        places = frame.join(whole, on=whole.columns[1:], how="left", maintain_order="left")["i"].to_list()
        assert places == sorted(places)
        found += places
    assert sorted(found) == list(range(178))


def test_more_rows_never_move_an_old_one(run, tmp_path):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"a": rng.normal(size=400), "b": rng.integers(0, 5, 400), "y": rng.integers(0, 2, 400)}
    )
    sides = []
    for n in (200, 400):
        # the new rows turn b into fractions, and both orders differ
        rows = frame.with_columns(
            b=pl.when(pl.col("a").rank() > 0).then(pl.col("b") + (0.0 if n == 200 else 0.0))
        )
        extra = rows.head(n) if n == 200 else rows.with_columns(
            b=pl.when(pl.int_range(400) < 200).then("b").otherwise(pl.col("b") + 0.5)
        ).select("b", "y", "a").reverse()  # fmt: skip
        extra.write_csv(tmp_path / f"{n}.csv")
        run(Csv(str(tmp_path / f"{n}.csv"), target="y", task="classification"), name=str(n))
        parts = {
            part: read(tmp_path / str(n) / "prepare", part).frame.collect() for part in ("train", "test")
        }
        sides.append({part: set(found[ROW]) for part, found in parts.items()})
    assert sides[0]["train"] < sides[1]["train"] and sides[0]["test"] < sides[1]["test"]


def test_the_groups_column_is_no_feature(run, tmp_path):
    run(
        Embedded("wine", target="cultivar", types={"magnesium": "categorical"}),
        split=Split("group", by="magnesium"),
    )
    table = read(tmp_path / "prepare", "train")
    assert "magnesium" not in table.kinds and "magnesium" in table.frame.collect_schema()


def test_a_clustering_goes_through(run, tmp_path):
    run(Embedded("wine", target="cultivar", task="clustering"))
    table = read(tmp_path / "prepare", "train")
    assert table.task == "clustering" and table.target is None and "cultivar" not in table.features


def csv(folder, text, **options):
    (folder / "t.csv").write_text(text)
    return Csv(str(folder / "t.csv"), **{"target": "y"} | options)


LINES = [f"{i * 37 % 101},{i % 7},{'pq'[i % 2]}\n" for i in range(100)]


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("a,b,y\n1,2,p\n", {}, "2 rules: 1 rows, at least 50 are needed; y: one class only: 'p'"),
        ("a,b,y\n" + "".join(line.replace("q", "p") for line in LINES), {}, "one class only: 'p'"),
        ("a,b,y\n" + "".join(LINES) + "1,2,r\n", {}, r"class 'r' has 1 rows \(0.99%\), at least 8 rows"),
        ("a,b,c,y\n" + "".join("?," + line for line in LINES), {}, "a: every value is missing"),
        ("a,b,y\n" + "".join(LINES), {"key": ["b"]}, "b: 93 rows repeat the key of an earlier row"),
        ("a,b,y\n" + "".join(LINES) + "inf,2,p\n", {}, "a: 1 values are infinite"),
        ("a,b,y\n" + "".join(LINES), {"drop": ["a"], "key": ["b"]}, None),
    ],
)
def test_bad_data_fail_the_gate_with_a_report(run, tmp_path, text, options, message):
    error = ValueError if message is None else CheckFailed
    with pytest.raises(error, match=message or "no column is left to learn from"):
        run(csv(tmp_path, text, **options))
    left = {file.name for file in (tmp_path / "prepare").iterdir()}
    assert left == (set() if message is None else {"quality.json", "quality.html"})


def test_too_many_columns_are_refused_before_anything_else(tmp_path):
    for step in ("ingest", "prepare"):
        (tmp_path / step).mkdir()
    kinds = {f"c{i}": "numeric" for i in range(100_000)}
    Table(pl.LazyFrame(), "y", "auto", kinds).describe(tmp_path / "ingest")
    pl.DataFrame({"y": [1]}).write_parquet(tmp_path / "ingest/table.parquet")
    start = time.process_time()
    with pytest.raises(CheckFailed, match="100,000 columns, at most 20,000 are allowed"):
        prepare(tmp_path / "prepare", Rules(), Split())
    assert time.process_time() - start < 2 and (tmp_path / "prepare/quality.html").exists()


def test_every_column_dropped(run, tmp_path):
    text = "a,y\n" + "".join(f"1,{'pq'[i % 2]}\n" for i in range(100))
    with pytest.raises(ValueError, match="no feature is left"):
        run(csv(tmp_path, text), rules=Rules(max_duplicates=None))
