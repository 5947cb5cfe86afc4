import json
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from laid_down import mixed, prepare
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from ml_core.data.table import features_and_target, read
from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.outcome import CheckFailed
from ml_core.search.asha import ASHA
from ml_core.search.budget import Budget
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.journal import take_best
from ml_core.search.random import Random
from ml_core.search.settings import Settings
from ml_core.search.space import parse
from ml_core.steps.search import JOURNALS, search

LOGISTIC = {
    "estimator": {"classification": LogisticRegression(), "regression": Ridge()},
    "space": {"C": [0.01, 1.0]},
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Journals lie under the folder a step runs in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def out(tmp_path):
    frame, kinds = mixed()
    prepare(tmp_path, frame, "income", "classification", kinds)
    return fresh(tmp_path)


def fresh(work, name=".search"):
    (work / name).mkdir()
    return work / name


def run(out, model=None, features=None, strategy=None, folds=None, scoring="auto"):
    settings = Settings(strategy or Grid(3), folds or Folds(n=3), scoring)
    return search(out, features or Columns(), model or LOGISTIC, settings)


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


TREE = {"estimator": DecisionTreeClassifier(random_state=0), "space": {"max_depth": [1, 2, 3, 5, 9]}}


def settled(out, model=TREE, **more):
    """A run with settings beyond strategy and folds; best.json, trials.json and the outcome."""
    settings = Settings(**({"strategy": Grid(3), "folds": Folds(n=3)} | more))
    outcome = search(out, Columns(), model, settings)
    return json.loads((out / "best.json").read_text()), json.loads((out / "trials.json").read_text()), outcome


def test_several_metrics_and_their_front(out):
    names = ["balanced_accuracy", "roc_auc", "neg_log_loss"]
    best, whole, outcome = settled(out, scoring=names)
    assert whole["metrics"] == names and best["metric"] == "balanced_accuracy"
    points = np.array([[trial["mean"], *trial["metrics"].values()] for trial in whole["trials"]])
    for point, trial in zip(points, whole["trials"], strict=True):
        worse = [(other >= point).all() and (other > point).any() for other in points]
        assert trial["front"] == (not any(worse))
    assert best["trial"] == points[:, 0].argmax() and whole["trials"][best["trial"]]["front"]
    frame = pl.read_parquet(out / "trials.parquet")
    assert frame["metric.roc_auc"].to_list() == points[:, 1].tolist()
    assert frame["front"].to_list() == [trial["front"] for trial in whole["trials"]]
    assert outcome.metrics["score.roc_auc"] == points[best["trial"], 1]
    alone, _, _ = settled(fresh(out.parent, "alone"), scoring="roc_auc")
    assert alone["score"] == points[:, 1].max()


def test_the_simplest_within_one_standard_error(out):
    best, whole, _ = settled(out, TREE | {"simpler": {"max_depth": "low"}}, choose="one_se")
    scores = np.array([trial["scores"] for trial in whole["trials"]])
    top = scores[scores.mean(axis=1).argmax()]
    least = top.mean() - top.std(ddof=1) / np.sqrt(3)
    assert best["trial"] == np.flatnonzero(scores.mean(axis=1) >= least)[0]
    with pytest.raises(ValueError, match="choose=one_se must know what is simpler: add `simpler"):
        settled(fresh(out.parent, "x"), choose="one_se")
    with pytest.raises(ValueError, match="model.simpler.max_depth: got 'less', must be low or high"):
        settled(fresh(out.parent, "y"), TREE | {"simpler": {"max_depth": "less"}}, choose="one_se")


def test_a_model_within_its_limits(out):
    forest = {"estimator": RandomForestClassifier(random_state=0), "space": {"n_estimators": [12, 1, 6]}}
    free, whole, _ = settled(out, forest)
    sizes = settled(fresh(out.parent, "a"), forest, limits={"size_mb": 1e3})[2].notes["measured"]
    most = sizes[str(free["trial"])]["size_mb"] * 0.9
    best, _, outcome = settled(fresh(out.parent, "b"), forest, limits={"size_mb": most, "predict_ms": 1e4})
    assert best["limits"] == {
        "size_mb": most,
        "predict_ms": 1e4,
        "refused": {str(free["trial"]): ["size_mb"]},
    }
    assert best["trial"] != free["trial"] and outcome.notes["measured"][str(best["trial"])]["size_mb"] <= most
    ranked = sorted(whole["trials"], key=lambda trial: -trial["mean"])
    assert best["trial"] == ranked[1]["trial"]
    with pytest.raises(
        CheckFailed, match="none of 3 candidates keeps the limits; the best needs size_mb .*1e-06"
    ):
        settled(fresh(out.parent, "c"), forest, limits={"size_mb": 1e-6})
    with pytest.raises(ValueError, match="search.limits: got 'ram', allowed are predict_ms, size_mb"):
        Settings(Grid(), limits={"ram": 1})


def test_nested_folds_judge_the_whole_search(out):
    best, _, outcome = settled(out, nested=3)
    assert [set(fold) for fold in best["nested"]["folds"]] == [{"params", "score", "inner"}] * 3
    scores = [fold["score"] for fold in best["nested"]["folds"]]
    assert outcome.metrics["nested.score"] == best["nested"]["score"] == np.mean(scores)
    table = read(out.parent / "prepare", "train")
    X, y, _ = features_and_target(table)
    outer = Folds(n=3).pairs(len(X), y, "classification")
    for (train, test), fold in zip(outer, best["nested"]["folds"], strict=True):
        inner = Folds(n=3).pairs(len(train), y[train], "classification")
        whole = Pipeline(
            [("features", Columns(kinds=table.kinds, sparse=False)), ("model", TREE["estimator"])]
        )
        space = {"model__max_depth": TREE["space"]["max_depth"]}
        twin = GridSearchCV(whole, space, cv=inner, scoring="roc_auc").fit(X[train], y[train])
        assert fold["params"] == {"max_depth": twin.best_params_["model__max_depth"]}
        assert fold["inner"] == pytest.approx(twin.best_score_, rel=1e-12)
        assert fold["score"] == pytest.approx(twin.score(X[test], y[test]), rel=1e-12)


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


def test_features_and_families_are_searched_together(out):
    """A joint space, as strategies over families give it: scores equal those of each family alone."""
    from ml_core.search import engine, scoring
    from ml_core.search.problem import Problem

    table = read(out.parent / "prepare", "train")
    X, y, _ = features_and_target(table)
    pairs = Folds(n=3).pairs(len(X), y, "classification")
    families = {"tree": TREE["estimator"], "line": LogisticRegression()}
    settings = {
        "plain": Columns(kinds=table.kinds, sparse=False),
        "rank": Columns(kinds=table.kinds, scale="none"),
    }
    candidates = [
        {"family": "tree", "features": "rank", "tree.max_depth": 2},
        {"family": "line", "features": "plain", "line.C": 0.1},
        {"family": "tree", "features": "plain", "tree.max_depth": 2},
    ]

    class Given:
        def batches(self, space, rng):
            yield candidates, 1.0

    class Axes:
        axes = {"family": None, "features": None, "tree.max_depth": None, "line.C": None}

    scorers = scoring.chosen("auto", "classification", y, families)
    assert [*scorers] == ["roc_auc"]
    both = engine.search(Problem(X, y, settings, families, pairs, "roc_auc"), Axes(), Given())
    for i, (family, features, params) in enumerate(
        [
            ("tree", "rank", {"max_depth": 2}),
            ("line", "plain", {"C": 0.1}),
            ("tree", "plain", {"max_depth": 2}),
        ]
    ):
        problem = Problem(X, y, settings[features], families[family].set_params(**params), pairs, "roc_auc")
        alone = engine.search(problem, parse({}), Grid())
        assert alone.scores[0].tolist() == both.scores[i].tolist()
    Axes.axes = {"line.c": None}
    with pytest.raises(
        ValueError, match="model.families.line.space.c: LogisticRegression has no parameter 'c'"
    ):
        engine.search(Problem(X, y, settings, families, pairs, "roc_auc"), Axes(), Given())


def test_a_blend_is_taken_where_it_beats_the_best(out):
    trees = {
        "estimator": DecisionTreeClassifier(max_features=1),
        "space": {"random_state": [0, 1, 2, 3]},
    }
    names = ["roc_auc", "balanced_accuracy"]
    best, _, outcome = settled(out, trees, blend=4, scoring=names)
    single, _, _ = settled(fresh(out.parent, "single"), trees, scoring=names)
    rows = {row["family"]: row for row in best["leaderboard"]}
    assert set(rows) == {"alone", "blend"} and rows["alone"]["score"] == single["score"]
    assert rows["blend"]["score"] > single["score"] and best["leaderboard"][0] is not rows["alone"]
    assert best["params"] == rows["blend"]["params"] and best["trial"] is None
    assert outcome.metrics["best.blend"] == rows["blend"]["score"]
    further = rows["blend"]["metrics"]["balanced_accuracy"]
    assert outcome.metrics["score.balanced_accuracy"] == further
    small = settled(fresh(out.parent, "small"), trees, blend=4, limits={"size_mb": 0.08})
    assert small[0]["trial"] is not None and "over" in small[0]["leaderboard"][0]
    honest, _, _ = settled(fresh(out.parent, "nested"), trees, blend=4, nested=2)
    assert any("blend" in fold["params"] for fold in honest["nested"]["folds"])
    with pytest.raises(ValueError, match="search.blend: clusterings have no answers"):
        prepare(out.parent / "c", mixed()[0].select("age"), None, "clustering", {"age": "numeric"})
        settled(fresh(out.parent / "c"), {"estimator": KMeans()}, blend=2)


@dataclass(frozen=True)
class Cut:
    """Two candidates, then Ctrl-C, the first time."""

    times = [1]

    def batches(self, space, rng):
        yield [{"random_state": 0}, {"random_state": 1}], 1.0
        if self.times:
            self.times.pop()
            raise KeyboardInterrupt


def test_who_takes_the_best_so_far_waits_for_no_blend(out):
    trees = {"estimator": DecisionTreeClassifier(max_features=1), "space": {"random_state": [0, 1]}}
    with pytest.raises(KeyboardInterrupt):
        settled(out, trees, strategy=Cut(), blend=2)
    take_best(JOURNALS)
    best, whole, _ = settled(fresh(out.parent, "taken"), trees, strategy=Cut(), blend=2)
    assert best["trial"] is not None and "leaderboard" not in best and len(whole["trials"]) == 2
