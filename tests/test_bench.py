"""The bench harness: quality first, no ratio without it, what is written where."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SUMS = """
FLOOR, GOAL = {"slow": 2, "wrong": 2}, 4
SHORT = {"n": 1000}


def data(n=20_000):
    return list(range(n))


def ours(data):
    print("whatever a side prints is not an answer")
    return sum(data)


def slow(data):
    return [sum(data) for _ in range(20)][-1]


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


HUNGRY = """
GOAL, FLOOR = 100, 1e-9
SHORT = {"n": 1}


def data(n=2):
    return bytes(1_000_000)


def ours(data):
    return len(bytearray(120_000_000)) > 0


def frugal(data):
    return len(bytearray(60_000_000)) > 0


RIVALS = {"frugal": frugal}


def equal(mine, theirs, data):
    return mine == theirs
"""


def bench(folder, *words):
    where = ["--cases", folder / "cases", "--results", folder / "results.csv", "--docs", folder / "docs"]
    return subprocess.run(
        [sys.executable, BENCH / "run.py", *words, *where], capture_output=True, text=True, check=False
    )


RATE = """
SHORT = {"n": 10}


def data(n=100):
    return n


def ours(data):
    return 0.04


def theirs(data):
    return 0.05


RIVALS = {"theirs": theirs}


def equal(mine, theirs, data):
    return mine <= theirs


def figures(mine, theirs, data):
    return f"{mine:.0%} of {data}, theirs {theirs:.0%}"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases/sums.py").write_text(SUMS)
    (tmp_path / "cases/commands.py").write_text(COMMANDS)
    return tmp_path


def test_ratios_for_equal_quality_and_none_without_it(folder):
    done = bench(folder, "sums", "--json")
    slow, wrong = map(json.loads, done.stdout.splitlines())
    assert slow["equal"] and slow["pairs"] == 5 and slow["wall_ratio"] > 1 and slow["floor"] == 2
    assert slow["wall_least"] <= slow["wall_ratio"] <= slow["wall_most"] and slow["peak_ours"] > 1
    assert not wrong["equal"] and wrong["pairs"] == 0 and "wall_ratio" not in wrong
    assert done.returncode == 1
    text = (folder / "docs/numbers.md").read_text()
    assert text.count("NOT EQUAL |") == 3 and "n=20000" in text and "scikit-learn=" in text
    assert "| **goal** |" in text and "Of 2 claims 1 reach the goal, 0 the floor, 1 neither." in text
    assert (folder / "docs/numbers.svg").read_text().count("<rect") == 1
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [row["equal"] for row in rows] == ["True", "False"] and rows[0]["commit"] and rows[0]["load"]


def test_rows_pile_up_and_the_tables_show_the_last_of_each(folder):
    for _ in range(2):
        assert "n=1000" in bench(folder, "sums", "--short").stdout
    assert len((folder / "results.csv").read_text().splitlines()) == 1 + 4
    text = (folder / "docs/numbers.md").read_text()
    assert text.count("| sums |") == 2 and "## Short form" in text and "## Full size" not in text


def test_more_than_half_as_much_memory_again_is_a_miss_at_full_size(folder):
    (folder / "cases/hungry.py").write_text(HUNGRY)
    done = bench(folder, "hungry")
    assert done.returncode == 1 and re.search(r"memory 5\d / 11\d MB, OVER 1.5x THE MEMORY$", done.stdout)
    assert re.search(r"\| OVER 1.5x THE MEMORY \| 5\d / 11\d \|", (folder / "docs/numbers.md").read_text())
    assert bench(folder, "hungry", "--short").returncode == 0
    (folder / "cases/hungry.py").write_text(HUNGRY + "MEMORY = 2.5\n")
    assert bench(folder, "hungry").returncode == 0
    text = (folder / "docs/numbers.md").read_text()
    assert text.count("| hungry |") == 2 and "| *floor* |" in text  # one full, one short


def test_what_a_worker_process_takes_counts_as_well(folder):
    pool = "from concurrent.futures import ProcessPoolExecutor\n\nPOOL = ProcessPoolExecutor(1)\n"
    elsewhere = 'RIVALS = {"frugal": lambda data: POOL.submit(frugal, data).result()}'
    case = HUNGRY.replace('RIVALS = {"frugal": frugal}', elsewhere)
    (folder / "cases/hungry.py").write_text(pool + case)
    told = json.loads(bench(folder, "hungry", "--json").stdout)
    assert 55 < told["memory_rival"] < 75 and told["peak_rival"] < told["peak_ours"] - 80


def test_a_ratio_under_the_floor_is_a_miss(folder):
    (folder / "cases/sums.py").write_text(
        SUMS.replace('FLOOR, GOAL = {"slow": 2', 'FLOOR, GOAL = {"slow": 50')
    )
    done = bench(folder, "sums", "--threads", "2")
    assert done.returncode == 1 and "UNDER ITS FLOOR 50" in done.stdout
    assert "| UNDER ITS FLOOR 50 |" in (folder / "docs/numbers.md").read_text()


def test_when_the_time_is_up_pairs_and_then_rows_are_left_out(folder):
    done = bench(folder, "sums", "--short", "--seconds", "1e-3")
    first, late = done.stdout.splitlines()
    assert ", 1 pairs," in first and late.endswith("LEFT OUT, the time is up: name cases or raise --seconds")
    assert done.returncode == 1 and len((folder / "results.csv").read_text().splitlines()) == 1 + 1


def test_a_table_of_fewer_columns_is_filled_up_and_a_case_that_is_gone_is_not_shown(folder):
    bench(folder, "sums", "--short")
    path = folder / "results.csv"
    old = list(csv.DictReader(path.open()))
    names = [name for name in old[0] if name not in ("memory_ours", "memory_rival", "limit")]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows([*old, old[0] | {"case": "gone"}])
    bench(folder, "sums", "--short")
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 5 and rows[0]["memory_ours"] == "" and rows[-1]["memory_ours"]
    assert rows[0]["packages"] == rows[-1]["packages"] and rows[2]["case"] == "gone"
    assert "gone" not in (folder / "docs/numbers.md").read_text()


def test_commands_run_in_fresh_folders_and_threads_are_stated(folder):
    done = bench(folder, "commands", "--threads", "1,2", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["threads"] for row in rows] == [1, 2] and all(row["equal"] for row in rows)
    assert all(row["cpu_ratio"] > 1 for row in rows) and done.returncode == 0
    assert all(5 < row["peak_ours"] < 30 for row in rows)  # an interpreter's, not that of bench/run.py


def test_a_claim_that_is_no_time_has_a_table_of_its_own(folder):
    (folder / "cases/rate.py").write_text(RATE)
    assert "4% of 100, theirs 5%, cpu" in bench(folder, "rate").stdout
    text = (folder / "docs/numbers.md").read_text()
    assert (
        "| rate | n=100 | theirs | 4% of 100, theirs 5% | **holds** |" in text and text.count("| rate |") == 1
    )
    longer = RATE.replace("0.04", "0.060")  # bytecode of the same second and length would pass for its own
    (folder / "cases/rate.py").write_text(longer)
    assert bench(folder, "rate").returncode == 1
    assert "| 6% of 100, theirs 5% | FAILS |" in (folder / "docs/numbers.md").read_text()


def test_an_unknown_case_names_the_known_ones(folder):
    done = bench(folder, "sumz")
    assert done.returncode == 2 and "no case sumz; there are commands, sums" in done.stderr


def test_a_side_that_fails_is_not_a_result(folder):
    (folder / "cases/sums.py").write_text(SUMS.replace("[sum(data) for", "[1 / 0 for"))
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


def test_a_rival_can_be_named_alone(folder):
    done = bench(folder, "sums", "--short", "--rival", "wrong")
    assert [", wrong: NOT EQUAL" in line for line in done.stdout.splitlines()] == [True]
    strange = bench(folder, "sums", "--rival", "nobody")
    assert strange.returncode == 2
    assert "no rival nobody in these cases; there are slow, wrong" in strange.stderr
