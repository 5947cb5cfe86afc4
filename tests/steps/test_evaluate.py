"""evaluate: its files for each task, what users get wrong, and the same bytes every time."""

import json

import numpy as np
import polars as pl
import pytest
from fitted import lay_out, loads, table_of
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score

from ml_core.data.table import ROW, Table
from ml_core.measure import predictions
from ml_core.outcome import CheckFailed
from ml_core.report import png
from ml_core.steps.evaluate import evaluate

TASKS = {
    "binary": ("classification", ("no", "yes"), LogisticRegression()),
    "multiclass": ("classification", ("a", "b", "c"), RandomForestClassifier(10, random_state=0)),
    "regression": ("regression", (), Ridge()),
    "clustering": ("clustering", (), KMeans(3, n_init=1, random_state=0)),
}


def laid_out(work, task, **more):
    kind, classes, estimator = TASKS[task]
    return lay_out(work, table_of(kind, classes=classes), estimator, **more)


def run(work, name="evaluate", **options):
    out = work / name
    out.mkdir()
    return evaluate(out, **{"bootstrap": 50, **options})


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("task", TASKS)
def test_every_task_leaves_the_same_kinds_of_files(task, tmp_path):
    laid_out(tmp_path, task)
    outcome = run(tmp_path)
    made = files_of(tmp_path / "evaluate")
    assert set(made) == set(outcome.files)
    fixed = {"metrics.json", "slices.json", "calibration.json", "charts.json", "predictions.parquet"}
    assert fixed <= set(made)
    assert any(name.startswith("plots/") for name in made)
    curves = [text.decode() for name, text in made.items() if name.startswith("curves/")]
    assert curves and all(text.startswith("x,y\n") and text.count("\n") > 1 for text in curves)
    about = json.loads(made["metrics.json"])
    assert about["task"] == task and about["n"] == 120
    assert next(iter(outcome.metrics)) == about["main"]
    assert all(isinstance(value, float) and np.isfinite(value) for value in outcome.metrics.values())
    for name, one in about["metrics"].items():
        assert outcome.metrics[name] == one["value"]
        assert one["low"] is None or outcome.metrics[f"{name}.low"] <= outcome.metrics[f"{name}.high"]


def test_the_main_numbers_equal_scikit_learn(tmp_path):
    model = laid_out(tmp_path / "a", "binary")
    metrics = run(tmp_path / "a").metrics
    test = pl.read_parquet(tmp_path / "a/prepare/test.parquet")
    assert metrics["auc"] == pytest.approx(
        roc_auc_score(test["y"], model.predict_proba(test)[:, 1]), abs=1e-9
    )
    model = laid_out(tmp_path / "b", "regression")
    test = pl.read_parquet(tmp_path / "b/prepare/test.parquet")
    assert run(tmp_path / "b").metrics["r2"] == pytest.approx(
        r2_score(test["y"], model.predict(test)), abs=1e-9
    )


def test_predictions_name_their_rows(tmp_path):
    laid_out(tmp_path, "binary")
    run(tmp_path)
    frame = pl.read_parquet(tmp_path / "evaluate/predictions.parquet")
    test = pl.read_parquet(tmp_path / "prepare/test.parquet")
    assert frame.columns == [ROW, "y", "prediction", "probability.no", "probability.yes"]
    assert frame[ROW].dtype == pl.UInt64 and frame[ROW].equals(test[ROW]) and frame["y"].equals(test["y"])
    p, row = predictions.from_folder(tmp_path / "evaluate")
    assert p.classes == ["no", "yes"] and (row == test[ROW].to_numpy()).all()


def test_same_bytes_again(tmp_path):
    """With two threads: see test_explain."""
    laid_out(tmp_path, "regression")
    run(tmp_path)
    run(tmp_path, "other")
    assert files_of(tmp_path / "evaluate") == files_of(tmp_path / "other")


def test_slices_named_found_and_none(tmp_path):
    laid_out(tmp_path, "binary")
    run(tmp_path, "found", min_rows=10)
    found = json.loads((tmp_path / "found/slices.json").read_text())
    assert {one["column"] for one in found} == {"colour", "flag"}
    run(tmp_path, "named", slices=["age"], min_rows=10)
    named = json.loads((tmp_path / "named/slices.json").read_text())
    assert len(named) == 4 and sum(one["n"] for one in named) == 120
    assert all(one["metrics"]["auc"]["value"] > 0.5 for one in named)
    run(tmp_path, "none", slices=[])
    assert json.loads((tmp_path / "none/slices.json").read_text()) == []


def test_a_slice_column_that_does_not_exist(tmp_path):
    laid_out(tmp_path, "binary")
    with pytest.raises(KeyError, match="no column 'gender' in the test rows; they have age, income"):
        run(tmp_path, slices=["gender"])


@pytest.mark.parametrize(
    ("options", "words"), [({"bootstrap": -1}, "bootstrap"), ({"min_rows": 0}, "min_rows")]
)
def test_options_out_of_range(options, words, tmp_path):
    laid_out(tmp_path, "binary")
    with pytest.raises(ValueError, match=f"evaluate.{words} must be"):
        run(tmp_path, **options)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_tiny_test_set_is_judged_as_far_as_it_goes(task, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(
        png, "_save", lambda charts, path, *rest: path.touch()
    )  # drawing takes most of the time
    kind, classes, _ = TASKS[task]
    test = table_of(kind, classes=classes).frame.collect().head(rows)
    laid_out(tmp_path, task, test=test)
    outcome = run(tmp_path)
    about = json.loads((tmp_path / "evaluate/metrics.json").read_text())
    assert about["n"] == rows and len(pl.read_parquet(tmp_path / "evaluate/predictions.parquet")) == rows
    if rows == 0:
        assert outcome.metrics == {} and set(about["left_out"].values()) == {"there are no test rows"}


def test_one_class_in_the_test_rows(tmp_path):
    rows = table_of("classification").frame.collect().filter(pl.col("y") == "yes")
    laid_out(tmp_path, "binary", test=rows)
    metrics = run(tmp_path).metrics
    about = json.loads((tmp_path / "evaluate/metrics.json").read_text())
    assert "auc" not in metrics and 0 < metrics["accuracy"] <= 1
    assert "all" in about["left_out"]["auc"] and about["main"] == "log_loss"


def test_a_model_that_predicts_constants(tmp_path):
    lay_out(tmp_path, table_of("classification"), DummyClassifier(strategy="constant", constant="no"))
    assert run(tmp_path).metrics["auc"] == 0.5
    left_out = json.loads((tmp_path / "evaluate/metrics.json").read_text())["left_out"]
    assert left_out == {"precision": "no row was predicted as yes"}


def test_a_model_that_predicts_nan(tmp_path, monkeypatch):
    laid_out(tmp_path, "regression")

    class Broken:
        def predict(self, X):
            return np.where(np.arange(len(X)) == 3, np.nan, 1.0)

    loads(Broken(), monkeypatch)
    with pytest.raises(CheckFailed, match="nan or infinity for 1 of 120 rows, first for row 3"):
        run(tmp_path)


def test_names_that_are_markup_or_formulas(tmp_path):
    table = table_of("classification", classes=("<b>$x_", "y&\u4e2d"))
    frame = table.frame.rename({"colour": "<script>$\\frac"})
    kinds = {"<script>$\\frac" if name == "colour" else name: kind for name, kind in table.kinds.items()}
    lay_out(tmp_path, Table(frame, "y", "classification", kinds, classes=table.classes), LogisticRegression())
    run(tmp_path)
    assert json.loads((tmp_path / "evaluate/slices.json").read_text())[0]["column"] == "<script>$\\frac"
