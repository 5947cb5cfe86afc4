import json

import numpy as np
import polars as pl
import pytest
import searched
from laid_down import mixed, prepare
from searched import LOGISTIC, fresh, run, settled
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from ml_core.features.passthrough import Passthrough
from ml_core.outcome import CheckFailed
from ml_core.search.asha import ASHA
from ml_core.search.budget import Budget
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.random import Random

here = searched.here
out = searched.out


def test_trials_best_and_metrics(out):
    outcome = run(out)
    assert sorted(path.name for path in out.iterdir()) == sorted(outcome.files)
    best = json.loads((out / "best.json").read_text())
    whole = json.loads((out / "trials.json").read_text())
    assert whole["metric"] == best["metric"] == "roc_auc" and whole["folds"] == 3
    assert [trial["params"] for trial in whole["trials"]] == [{"C": 0.01}, {"C": 1.0}]
    means = [trial["mean"] for trial in whole["trials"]]
    assert best["trial"] == int(np.argmax(means)) and best["score"] == max(means) > 0.8
    assert best["params"] == whole["trials"][best["trial"]]["params"]
    scores = whole["trials"][best["trial"]]["scores"]
    assert best["score"] == np.mean(scores) and best["spread"] == np.std(scores)
    assert outcome.metrics == {"score": best["score"], "spread": best["spread"], "trials": 2, "failed": 0}
    assert len(outcome.notes["seconds"]) == 2 and min(outcome.notes["seconds"]) > 0
    frame = pl.read_parquet(out / "trials.parquet")
    assert frame.columns == [
        "trial",
        "param.C",
        "mean",
        "spread",
        "share",
        "fold.0",
        "fold.1",
        "fold.2",
        "error",
    ]
    assert frame["mean"].to_list() == means


def test_a_second_run_leaves_the_same_bytes(out):
    run(out, strategy=Random(2, seed=1))
    again = fresh(out.parent, "again")
    run(again, strategy=Random(2, seed=1))
    for path in out.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_params_of_several_types_become_columns(out):
    space = {
        "max_depth": [2, None],
        "max_features": ["sqrt", 0.5],
        "criterion": ["gini"],
        "splitter": ["best"],
    }
    run(out, {"estimator": DecisionTreeClassifier(random_state=0), "space": space})
    frame = pl.read_parquet(out / "trials.parquet")
    assert frame["param.max_depth"].to_list() == [2, 2, None, None]
    assert frame["param.max_features"].to_list() == ['"sqrt"', "0.5"] * 2
    assert frame["param.criterion"].to_list() == ["gini"] * 4


def test_a_failed_trial_is_a_row(out):
    model = {"estimator": LogisticRegression(), "space": {"C": [1.0, -1.0]}}
    outcome = run(out, model)
    assert outcome.metrics["failed"] == 1 and outcome.metrics["trials"] == 2
    failed = json.loads((out / "trials.json").read_text())["trials"][1]
    assert failed["mean"] is None and failed["scores"] == [None] * 3
    assert failed["error"].startswith("InvalidParameterError: The 'C' parameter")


def test_when_all_fail_the_commonest_error_comes_first_and_the_table_stays(out):
    model = {"estimator": LogisticRegression(), "space": {"C": [-1.0, -2.0], "l1_ratio": [0.0, 2.0]}}
    with pytest.raises(
        CheckFailed, match="all 4 candidates failed: 2 x InvalidParameterError: .*trials.json"
    ):
        run(out, model)
    assert (out / "trials.json").exists() and not (out / "best.json").exists()


def test_regression_and_folds_by_a_column_that_is_no_feature(tmp_path):
    frame, kinds = mixed()
    prepare(
        tmp_path,
        frame.with_columns(price=pl.col("price").round().cast(pl.Int64)),
        "price",
        "regression",
        kinds,
    )
    model = LOGISTIC | {"space": {"alpha": [0.1, 10.0]}}
    outcome = run(fresh(tmp_path), model, folds=Folds("group", 4, by="shop"))
    assert 0.5 < outcome.metrics["score"] < 1
    run(fresh(tmp_path, "time"), model, folds=Folds("time", 3, by="born"))
    with pytest.raises(ValueError, match="search.folds.by: the table has no column 'town'; it has age, job"):
        run(fresh(tmp_path, "x"), model, folds=Folds("group", 4, by="town"))


def test_many_classes_and_clusters(tmp_path):
    X, y = load_iris(return_X_y=True)
    frame = pl.DataFrame(X, schema=list("abcd")).with_columns(y=pl.Series(y))
    kinds = dict.fromkeys("abcd", "numeric")
    prepare(tmp_path, frame, "y", "classification", kinds)
    outcome = run(fresh(tmp_path), {"estimator": LogisticRegression(max_iter=500)})
    assert -0.3 < outcome.metrics["score"] < 0
    prepare(tmp_path / "b", frame.drop("y"), None, "clustering", kinds)
    model = {"estimator": {"clustering": KMeans(n_init=2)}, "space": {"n_clusters": [2, 3]}}
    outcome = run(fresh(tmp_path / "b"), model, features=Passthrough())
    assert json.loads((tmp_path / "b/.search/best.json").read_text())["params"] == {"n_clusters": 2}
    assert outcome.metrics["score"] > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model": {"estimator": {"regression": Ridge()}}},
            "model: it fits regression, but target 'income' makes this",
        ),
        (
            {"model": LOGISTIC | {"space": {"alpha": [1]}}},
            "model.space.alpha: LogisticRegression has no parameter",
        ),
        (
            {"model": LOGISTIC | {"space": {"C": {"low": 0.0, "high": 1.0, "log": True}}}},
            "must be above 0 for log",
        ),
        (
            {"model": LOGISTIC | {"space": {"C": [1.0, "much"]}}},
            "model.space.C: The 'C' parameter of LogisticRegression must be a float .* Got 'much' instead",
        ),
        ({"scoring": "r2"}, "search.scoring: r2 is not defined for 2 classes"),
        ({"folds": Folds(n=150)}, "search.folds.n: got 150, but class '.*' has "),
        ({"strategy": Grid(9, most=1)}, "the grid has 2 candidates, the most allowed are 1"),
    ],
)
def test_mistakes_are_told_before_anything_is_fitted(out, change, message):
    with pytest.raises(ValueError, match=message):
        run(out, **change)
    assert not list(out.iterdir())


def test_repeated_folds_and_a_budget(out):
    best, whole, outcome = settled(out, folds=Folds(n=3, repeats=2), budget=Budget(trials=4))
    assert whole["folds"] == 6 and len(whole["trials"]) == outcome.metrics["trials"] == 4
    assert whole["stopped"] == "search.budget.trials=4 are done" and "stopped: " in outcome.notes["message"]
    once, _, _ = settled(fresh(out.parent, "once"), budget=Budget(trials=4))
    first = whole["trials"][once["trial"]]["scores"][:3]
    assert np.mean(first) == once["score"]


def test_a_budget_that_ends_before_all_rows_says_what_is_taken(out):
    best, whole, outcome = settled(out, strategy=ASHA(5, rungs=1, least=9), budget=Budget(trials=6))
    assert {trial["share"] for trial in whole["trials"]} == {1 / 3, 1.0}
    assert whole["trials"][best["trial"]]["share"] == 1.0 and "all rows" not in outcome.notes["message"]
    out = fresh(out.parent, "fewer")
    best, whole, outcome = settled(out, strategy=ASHA(5, rungs=1, least=9), budget=Budget(trials=5))
    assert best["score"] == max(trial["mean"] for trial in whole["trials"])
    assert "nobody was judged on all rows: the best on 33% of them is taken" in outcome.notes["message"]
