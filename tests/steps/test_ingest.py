"""Ingest: a source's rows as parquet, the same bytes at any number of threads, in bounded memory."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from ml_core.data.csv import Csv
from ml_core.data.embedded import Embedded
from ml_core.data.parquet import Parquet
from ml_core.data.rows import write
from ml_core.data.table import read
from ml_core.steps.ingest import ingest

DATA = Path(__file__).parents[2] / "../shared/data"


def test_the_table_comes_back_as_the_source_gave_it(tmp_path):
    source = Embedded("wine", target="cultivar")
    outcome = ingest(tmp_path, source)
    assert outcome.metrics == {"rows": 178, "columns": 14} and outcome.files == ["table.json"]
    table, theirs = read(tmp_path), source.read()
    assert table.frame.collect().equals(theirs.frame.collect())
    assert (table.kinds, table.target, table.task) == (theirs.kinds, "cultivar", "auto")


def test_adult(tmp_path):
    if not (DATA / "adult.csv").exists():
        pytest.skip("the real tables do not lie beside the project")
    assert ingest(tmp_path, Csv(str(DATA / "adult.csv"), target="income")).metrics == {
        "rows": 48842,
        "columns": 15,
    }
    table = read(tmp_path)
    assert [name for name, kind in table.kinds.items() if kind == "numeric"] == [
        "age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week",
    ]  # fmt: skip
    assert set(table.kinds.values()) == {"numeric", "categorical"}
    assert table.frame.select(pl.col("workclass", "occupation").null_count()).collect().row(0) == (2799, 2809)


SCRIPT = """
import sys, hashlib, pathlib
from ml_core.data.csv import Csv
from ml_core.data.quality import Rules
from ml_core.data.split import Split
from ml_core.steps.ingest import ingest
from ml_core.steps.prepare import prepare
out = pathlib.Path(sys.argv[2])
for name in ("ingest", "prepare"):
    (out / name).mkdir(parents=True)
ingest(out / "ingest", Csv(sys.argv[1], target="y"))
prepare(out / "prepare", Rules(), Split("stratified"))
for file in sorted(out.glob("*/*")):
    print(file.relative_to(out), hashlib.md5(file.read_bytes()).hexdigest())
print(*sorted(set(sys.modules) & {"sklearn", "pandera", "mlflow", "pandas", "matplotlib", "hydra"}))
"""


def test_same_bytes_at_one_and_two_threads_and_no_heavy_import(tmp_path):
    lines = [f"{i * 7919 % 100_003},{i % 1013 / 7},word {i % 97},{'uv'[i % 3 % 2]}" for i in range(150_000)]
    (tmp_path / "t.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    told = []
    for threads in ("1", "2"):
        words = [sys.executable, "-c", SCRIPT, str(tmp_path / "t.csv"), str(tmp_path / threads)]
        done = subprocess.run(words, capture_output=True, text=True, env={"POLARS_MAX_THREADS": threads})
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.splitlines())
    assert told[0] == told[1] and len(told[0]) == 8 and told[0][-1] == ""


def test_parquet_statistics_and_row_groups(tmp_path):
    from pyarrow.parquet import ParquetFile

    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(70_000)))
    ingest(tmp_path, Csv(str(tmp_path / "t.csv"), target="y"))
    known = ParquetFile(tmp_path / "table.parquet").metadata
    assert [known.row_group(i).num_rows for i in range(known.num_row_groups)] == [65_536, 4464]
    assert known.row_group(1).column(0).statistics.min == 65_536


def test_a_parquet_file_with_a_broken_page(tmp_path):
    texts = [f"text {i * 7919 % 10007}" for i in range(9000)]
    pl.DataFrame({"a": texts, "y": range(9000)}).write_parquet(tmp_path / "t.parquet")
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[2000:4000] = bytes(2000)
    (tmp_path / "t.parquet").write_bytes(data)
    with pytest.raises(ValueError, match="t.parquet: cannot be read to its end: ") as caught:
        ingest(tmp_path, Parquet(str(tmp_path / "t.parquet"), target="y"))
    assert len(str(caught.value).splitlines()) == 1


def test_a_full_disk_is_an_error_of_the_system(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        write(pl.LazyFrame({"a": range(10**6)}), Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    """Ten times the rows may cost at most a fifth more memory than the bytes kept a row (16)."""
    peaks = []
    for rows in (200_000, 2_000_000):
        with open(tmp_path / "t.csv", "w") as file:
            file.write("a,b,c,y\n")
            file.writelines(
                f"{i / 7},{i % 1000},a line of prose number {i} here,{i * 53 % 17 < 8}\n" for i in range(rows)
            )
        out = tmp_path / str(rows)
        script = SCRIPT + "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "t.csv"), str(out)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]) * 1024)
    assert peaks[1] < 1.5 * peaks[0] + 16 * 2_000_000
    assert json.loads((out / "prepare/table.json").read_text())["kinds"]["c"] == "text"
