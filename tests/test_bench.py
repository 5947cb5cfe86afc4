"""The bench harness: quality first, no ratio without it, what is written where."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SUMS = """
import time

FLOOR, GOAL = {"slow": 2, "wrong": 2}, 4
SHORT = {"n": 1000}


def data(n=20_000):
    return list(range(n))


def ours(data):
    time.sleep(0.02)
    print("whatever a side prints is not an answer")
    return sum(data)


def slow(data):
    time.sleep(0.2)
    return sum(data)


def wrong(data):
    return -1


RIVALS = {"slow": slow, "wrong": wrong}


def equal(mine, theirs, data):
    return mine == theirs == sum(data)
"""
COMMANDS = """
import sys

ours = [sys.executable, "-c", "from pathlib import Path; Path('out').write_text(Path('in').read_text())"]
slower = "from pathlib import Path; Path('{work}/out').write_text('same'); sum(range(3 * 10**7))"
RIVALS = {"slower": [sys.executable, "-c", slower]}


def prepare(work):
    (work / "in").write_text("same")


def equal(mine, theirs, data):
    return (mine / "out").read_text() == (theirs / "out").read_text() == "same"
"""


def bench(folder, *words):
    where = ["--cases", folder / "cases", "--results", folder / "results.csv", "--docs", folder / "docs"]
    return subprocess.run(
        [sys.executable, BENCH / "run.py", *words, *where], capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases/sums.py").write_text(SUMS)
    (tmp_path / "cases/commands.py").write_text(COMMANDS)
    return tmp_path


def test_ratios_for_equal_quality_and_none_without_it(folder):
    done = bench(folder, "sums", "--json")
    slow, wrong = map(json.loads, done.stdout.splitlines())
    assert slow["equal"] and slow["pairs"] == 5 and 3 < slow["wall_ratio"] < 11 and slow["floor"] == 2
    assert slow["wall_least"] <= slow["wall_ratio"] <= slow["wall_most"] and slow["peak_ours"] > 1
    assert not wrong["equal"] and wrong["pairs"] == 0 and "wall_ratio" not in wrong
    assert done.returncode == 1
    text = (folder / "docs/numbers.md").read_text()
    assert text.count("NOT EQUAL |") == 2 and "n=20000" in text and "scikit-learn=" in text
    assert (folder / "docs/numbers.svg").read_text().count("<rect") == 1
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [row["equal"] for row in rows] == ["True", "False"] and rows[0]["commit"] and rows[0]["load"]


def test_rows_pile_up_and_the_tables_show_the_last_of_each(folder):
    for _ in range(2):
        assert "n=1000" in bench(folder, "sums", "--short").stdout
    assert len((folder / "results.csv").read_text().splitlines()) == 1 + 4
    text = (folder / "docs/numbers.md").read_text()
    assert text.count("| sums |") == 2 and "## Short form" in text and "## Full size" not in text


def test_commands_run_in_fresh_folders_and_threads_are_stated(folder):
    done = bench(folder, "commands", "--threads", "1,2", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["threads"] for row in rows] == [1, 2] and all(row["equal"] for row in rows)
    assert all(row["cpu_ratio"] > 1 for row in rows) and done.returncode == 0


def test_an_unknown_case_names_the_known_ones(folder):
    done = bench(folder, "sumz")
    assert done.returncode == 2 and "no case sumz; there are commands, sums" in done.stderr


def test_a_side_that_fails_is_not_a_result(folder):
    (folder / "cases/sums.py").write_text(SUMS.replace("time.sleep(0.02)", "1 / 0"))
    done = bench(folder, "sums")
    assert (
        done.returncode == 1 and "ZeroDivisionError" in done.stderr and not (folder / "results.csv").exists()
    )


@pytest.mark.parametrize("path", sorted((BENCH / "cases").glob("*.py")), ids=lambda path: path.stem)
def test_a_case_has_all_its_parts(path):
    sys.path.insert(0, str(BENCH))
    try:
        import side
    finally:
        sys.path.remove(str(BENCH))
    case = side.load(path)
    assert case.__doc__ and case.RIVALS and callable(case.equal)
    kinds = {
        type(side.function(case, name, rival)) is list for rival in case.RIVALS for name in ("ours", rival)
    }
    assert len(kinds) == 1, "either functions or commands"
    full, short = side.sizes(case, False), side.sizes(case, True)
    assert full.keys() == short.keys() and (not full or full != short)
