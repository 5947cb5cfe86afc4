"""What the step `search` chooses: by several metrics, the simplest, within limits, over families, blended."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import searched
from laid_down import mixed, prepare
from searched import TREE, fresh, settled
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from ml_core.data.table import features_and_target, read
from ml_core.features.columns import Columns
from ml_core.outcome import CheckFailed
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.journal import take_best
from ml_core.search.settings import Settings
from ml_core.search.space import parse
from ml_core.steps.search import JOURNALS

here = searched.here
out = searched.out


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
