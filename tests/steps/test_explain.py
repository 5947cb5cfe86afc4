"""explain: importance, dependence and the page for each task; escaping; the same bytes every time."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from fitted import lay_out, loads, table_of
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

from ml_core.data.table import Table
from ml_core.steps.evaluate import evaluate
from ml_core.steps.explain import explain

TASKS = {
    "binary": ("classification", ("no", "yes"), LogisticRegression()),
    "scores": ("classification", ("no", "yes"), RidgeClassifier()),
    "multiclass": ("classification", ("a", "b", "c"), RandomForestClassifier(10, random_state=0)),
    "regression": ("regression", (), Ridge()),
    "clustering": ("clustering", (), KMeans(3, n_init=1, random_state=0)),
}


def run(work, table, estimator, test=None, **options):
    model = lay_out(work, table, estimator, test=test)
    for name in ("evaluate", "explain"):
        (work / name).mkdir()
    evaluate(work / "evaluate", bootstrap=20)
    return model, explain(work / "explain", **{"repeats": 3, "grid": 6, **options})


def read(work, name):
    return json.loads((work / "explain" / name).read_text())


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_explained(task, tmp_path):
    kind, classes, estimator = TASKS[task]
    _, outcome = run(tmp_path, table_of(kind, classes=classes), estimator)
    folder = tmp_path / "explain"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(outcome.files)
    assert outcome.metrics == {}
    found = read(tmp_path, "importance.json")
    names = [one["column"] for one in found["columns"]]
    assert sorted(names) == ["age", "colour", "flag", "income", "noise"]
    if task != "clustering":
        assert names.index("noise") >= 3 and {"age", "income"} <= set(names[:3])
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == page.count("</svg>") > 6
    for word in names:
        assert word in page
    outside = re.findall(r"(?:src|href)=\"([^\"#][^\"]*)\"|url\(|@import|<script", page)
    assert outside == []


def test_only_the_most_important_columns_get_a_curve(tmp_path):
    run(tmp_path, table_of("regression"), Ridge(), columns=2)
    wanted = [one["column"] for one in read(tmp_path, "importance.json")["columns"][:2]]
    assert [one["column"] for one in read(tmp_path, "dependence.json")["columns"]] == wanted
    for one in read(tmp_path, "dependence.json")["columns"]:
        assert len(one["values"]) == len(one["mean"][0]) <= 6 and len(one["single"]) == 12


def test_dependence_of_the_positive_class(tmp_path):
    run(tmp_path, table_of("classification"), LogisticRegression())
    found = read(tmp_path, "dependence.json")
    assert found["output"] == ["yes"] and found["what"] == "probability"
    age = next(one for one in found["columns"] if one["column"] == "age")
    assert age["mean"][0] == sorted(age["mean"][0])
    colour = next(one for one in found["columns"] if one["column"] == "colour")
    highest = max(zip(colour["mean"][0], colour["values"], strict=True))
    assert highest[1] == "red"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"repeats": 0}, "repeats must be at least 1, got 0"), ({"grid": 1}, "grid must be at least 2, got 1")],
)
def test_options_out_of_range(options, words, tmp_path):
    with pytest.raises(ValueError, match=f"explain.{words}"):
        explain(tmp_path, **options)


@pytest.mark.parametrize(("task", "rows"), [(task, 1) for task in TASKS] + [("binary", 0), ("regression", 5)])
def test_a_tiny_test_set_still_has_its_page(task, rows, tmp_path):
    kind, classes, estimator = TASKS[task]
    table = table_of(kind, classes=classes)
    run(tmp_path, table, estimator, test=table.frame.collect().head(rows))
    assert "</html>" in (tmp_path / "explain/report.html").read_text()


def test_names_from_the_data_do_no_harm(tmp_path):
    evil = "<script>alert(1)</script>\"'>"
    table = table_of("classification", classes=("<img src=x>", "b"))
    frame = table.frame.rename({"colour": evil, "y": "<b>y"})
    kinds = {evil if name == "colour" else name: kind for name, kind in table.kinds.items()}
    hostile = Table(frame, "<b>y", "classification", kinds, classes=table.classes, source="csv <i>x")
    work = tmp_path
    lay_out(work, hostile, LogisticRegression())
    (work / "search").mkdir()
    best = {"params": {"<u>": "<u>"}, "metric": "<u>"}
    (work / "search/best.json").write_text(json.dumps(best))
    trials = {"trials": [{"params": {"<u>": "<u>"}, "mean": 0.5, "spread": 0.1}, {"error": "<u>"}]}
    (work / "search/trials.json").write_text(json.dumps(trials))
    (work / "prepare/quality.json").write_text(json.dumps({"<u>": 1, "rules": [{"<u>": "<u>"}]}))
    for name in ("evaluate", "explain"):
        (work / name).mkdir()
    evaluate(work / "evaluate", bootstrap=20, min_rows=5)
    explain(work / "explain", repeats=2, grid=3)
    page = (work / "explain/report.html").read_text()
    for tag in ("<script", "<img", "<u>", "<b>y", "<i>x"):
        assert tag not in page
    assert "&lt;script&gt;" in page and "&lt;img src=x&gt;" in page and "&lt;u&gt;" in page


def test_same_bytes_again_and_with_two_threads(tmp_path):
    run(tmp_path, table_of("classification"), LogisticRegression())
    other = tmp_path / "other"
    code = (
        "import sys; from pathlib import Path\n"
        "from ml_core.steps.evaluate import evaluate; from ml_core.steps.explain import explain\n"
        "out = Path(sys.argv[1]); (out / 'evaluate').mkdir(); evaluate(out / 'evaluate', bootstrap=20)\n"
        "(out / 'explain').mkdir(); explain(out / 'explain', repeats=3, grid=6)"
    )
    for name in ("prepare", "train"):
        shutil.copytree(tmp_path / name, other / name)
    env = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PATH": "", "POLARS_MAX_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code, other], check=True, env=env)
    made = [path for name in ("evaluate", "explain") for path in sorted((tmp_path / name).rglob("*.*"))]
    assert len(made) == 20
    for path in made:
        assert path.read_bytes() == (other / path.relative_to(tmp_path)).read_bytes(), path


def test_many_columns_and_repeats_take_few_calls(tmp_path, monkeypatch):
    """Five columns, ten shuffles each and their grids: the estimator is asked four times, not hundreds."""
    model, _ = run(tmp_path, table_of("classification"), LogisticRegression())
    calls, estimator = [], model[-1]
    asked = estimator.predict_proba
    monkeypatch.setattr(estimator, "predict_proba", lambda Z: calls.append(len(Z)) or asked(Z), raising=False)
    loads(model, monkeypatch)
    (tmp_path / "again").mkdir()
    explain(tmp_path / "again", repeats=10, grid=20)
    assert len(calls) <= 4 and sum(calls) > 5 * 10 * 120
