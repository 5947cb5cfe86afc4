"""Whatever a user gets wrong: one or two lines, the right exit code, no traceback, nothing lost."""

import json
import os
import re
import shutil
import subprocess

import pytest

GOOD = [
    "a,b,c,y",
    *(f"{i * 37 % 101},{i % 13 / 7},{'rgb'[i % 3]},{'no' if i * 53 % 17 < 8 else 'yes'}" for i in range(300)),
]


def rows(change):
    """The good table with ``change`` applied to its lines."""
    lines = list(GOOD)
    change(lines)
    return ("\n".join(lines) + "\n").encode()


def cell(line, column, value):
    """Set one cell."""

    def change(lines):
        cells = lines[line].split(",")
        cells[column] = value
        lines[line] = ",".join(cells)

    return change


def column(index, values):
    """Set a whole column; ``values`` is called with the row's number."""

    def change(lines):
        for i in range(1, len(lines)):
            cell(i, index, values(i))(lines)

    return change


def header(text):
    """Set the header."""
    return lambda lines: lines.__setitem__(0, text)


MANY = ",".join(f"c{i}" for i in range(100_000))
# name: bytes of table.csv (None: no file), overrides beyond the usual, exit code, words in the message
TABLES = {
    "missing file": (None, [], 2, "table.csv"),
    "empty file": (b"", [], 2, "empty|no rows|no header"),
    "header only": (b"a,b,c,y\n", [], 2, "header|no rows"),
    "wrong delimiter": (("\n".join(GOOD).replace(",", ";") + "\n").encode(), [], 2, "separator"),
    "missing target": (rows(header("a,b,c,z")), [], 2, "no column 'y'"),
    "target all one class": (rows(column(3, lambda i: "yes")), [], 1, "class"),
    "one row in a class": (rows(cell(5, 3, "maybe")), [], 1, "class|maybe"),
    "all-missing column": (rows(column(1, lambda i: "")), [], 1, "b"),
    "duplicate column names": (rows(header("a,a,c,y")), [], 2, "twice|duplicate|once"),
    "text in a numeric column": (rows(cell(7, 0, "seven")), ["+data.types.a=integer"], 2, "seven"),
    "mixed types": (rows(cell(200, 0, "many")), [], 2, "'a'.*row 200: 'many'"),
    "infinities": (rows(cell(7, 1, "inf")), [], 1, "b"),
    "not utf-8": (rows(lambda lines: None).replace(b"no\n", b"n\xf6\n", 1), [], 2, "UTF-8|utf-8|utf8"),
    "100,000 columns": ((MANY + ",y\n" + ("1," * 100_000 + "yes\n") * 3).encode(), [], 1, "100.?00"),
    "one row": (("\n".join(GOOD[:2]) + "\n").encode(), [], 1, "rows"),
    "duplicate keys": (rows(column(0, lambda i: str(i // 2))), ["data.key=[a]"], 1, "a"),
    "a leak": (rows(column(2, lambda i: "p" if (i - 1) * 53 % 17 < 8 else "q")), [], 1, "c|leak"),
    "ragged rows": (rows(lambda lines: lines.__setitem__(9, "1,2,3,4,5,6")), [], 2, "table.csv"),
}  # fmt: skip
SAID = r"Traceback|Error\b.*line \d+, in"


def usual(project, *overrides):
    project.mlcore(
        "compose",
        "data=csv",
        "data.path=table.csv",
        "data.target=y",
        "split=random",
        "tracking=memory",
        *overrides,
    )


def short(done):
    """What the user reads, held to two lines without a traceback."""
    said = done.stderr.strip()
    assert 1 <= len(said.splitlines()) <= 2, done.stderr
    assert not re.search(SAID, said), done.stderr
    return said


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_bad_tables(project, name):
    text, overrides, code, words = TABLES[name]
    usual(project, *overrides)
    if text is not None:
        (project.folder / "table.csv").write_bytes(text)
    else:
        (project.folder / "table.csv").unlink(missing_ok=True)
    said = short(project.mlcore("run", "prepare", code=code))
    assert re.search(words, said), said
    assert not (project.folder / "out/prepare").exists()
    if code == 1:
        assert (project.folder / ".mlcore/failed/prepare/quality.html").exists(), "the report stays"
    # mended, the same command goes on
    (project.folder / "table.csv").write_bytes(rows(lambda lines: None))
    usual(project)
    project.mlcore("run", "prepare")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["bom", "nan"])
def test_odd_but_fine_tables(project, change):
    made = {
        "bom": b"\xef\xbb\xbf" + rows(lambda lines: None),
        "nan": rows(column(1, lambda i: "nan" if i % 10 == 0 else str(i * 31 % 47))),
    }
    (project.folder / "table.csv").write_bytes(made[change])
    usual(project)
    project.mlcore("run", "prepare")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compose", "model=forrest"], "did you mean model=forest"),
        (["compose", "modle=forest"], "modle"),
        (["compose", "model.spaze=1"], "spaze"),
        (["compose", "data=csv"], "data.path has no value yet"),
        (["run", "trian"], "no stage 'trian'"),
        (["trace", "0123456789abcdef0123456789abcdef"], "0123456789abcdef"),
    ],
)
def test_bad_words(project, words, message):
    before = project.read("params.yaml")
    assert re.search(message, short(project.mlcore(*words, code=2)))
    assert project.read("params.yaml") == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.folds.n=many", "search.folds.n: got 'many'.*whole number"),
        ("+model.estimator.classification.depth=3", "takes no 'depth'"),
        ("model.estimator.classification._target_=os.system", "not in an allowed package"),
        ("prepare.rules.min_rows=lots", "prepare.rules.min_rows"),
        ("data.name=brest_cancer", "breast_cancer"),
    ],
)
@pytest.mark.slow
def test_wrong_values_in_conf(project, override, message):
    project.mlcore("compose", "tracking=memory", override)
    assert re.search(message, short(project.mlcore("run", code=2)))


def test_broken_params_and_recipe(project):
    whole = project.read("params.yaml")
    project.write("params.yaml", "a: [1\n")
    assert "mlcore compose" in short(project.mlcore("run", code=2))
    project.mlcore("compose")
    assert project.read("params.yaml") == whole
    recipe = project.read("dvc.yaml")
    project.write("dvc.yaml", recipe.replace("- ${data.path}\n", "- ${data.path}\n      - out/log\n"))
    assert "cycle: ingest" in short(project.mlcore("run", code=2))
    project.write("dvc.yaml", "stages: [")
    assert "dvc.yaml is no valid yaml" in short(project.mlcore("run", code=2))


def test_no_git_repository(project, tmp_path):
    shutil.rmtree(project.folder / ".git")
    assert "git init" in short(project.mlcore("run", code=2))


@pytest.mark.slow
def test_detached_head(finished):
    finished.git("checkout", "-q", "--detach")
    finished.mlcore("compose", "evaluate.seed=5")
    finished.mlcore("run")
    newest = json.loads(finished.mlcore("show", "--json").stdout)[0]
    assert "git.branch" not in newest["tags"] and len(newest["tags"]["git.sha"]) == 40


@pytest.mark.slow
def test_unreachable_server_delays_nothing_and_loses_nothing(project):
    done = project.mlcore("run", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert "mlcore log" in done.stderr and len(list((project.folder / ".mlcore/pending").iterdir())) == 1
    project.mlcore("log")
    assert not list((project.folder / ".mlcore/pending").iterdir())
    assert (project.folder / "mlflow.db").exists()


@pytest.mark.slow
def test_a_failed_run_is_in_the_ledger(project):
    project.mlcore("compose", "prepare.rules.min_rows=100000")
    said = short(project.mlcore("run", code=1))
    assert "rows" in said
    runs = project.mlcore("show", "--json").stdout
    assert '"FAILED"' in runs and "100000" in runs


@pytest.mark.slow
def test_a_store_of_an_older_mlflow_is_not_touched(finished):
    import sqlite3

    with sqlite3.connect(finished.folder / "mlflow.db") as store:
        store.execute("update alembic_version set version_num = '0a8213491aaa'")
    before = (finished.folder / "mlflow.db").read_bytes()
    done = finished.mlcore("run", "--force")
    assert "mlflow db upgrade" in done.stderr
    assert (finished.folder / "mlflow.db").read_bytes() == before


@pytest.mark.slow
def test_full_disk(project, tmp_path):
    """A small tmpfs as out/: the step says so, and goes on once there is room."""
    place = project.folder / "out"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        assert re.search("No space left|space", short(project.mlcore("run", code=2)))
    finally:
        subprocess.run(["umount", str(place)], check=True)
    project.mlcore("run", "prepare")


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere; run as a user"
)
def test_read_only_folder(project):
    project.folder.chmod(0o555)
    try:
        assert "ermission" in short(project.mlcore("run", code=2))
    finally:
        project.folder.chmod(0o755)
