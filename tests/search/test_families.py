import numpy as np
import pytest
from closure import ROOT
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.search import families
from ml_core.search.trials import Trials

KINDS = {"a": "numeric", "b": "numeric"}


class Table:
    """As much of a table as families read."""

    def __init__(self, task="classification", target="y"):
        self.task, self.target, self.kinds = task, target, KINDS


def model(**more):
    return {
        "families": {
            "line": {"estimator": LogisticRegression(), "space": {"C": [0.1, 1.0]}, "features": ["scaled"]},
            "near": {"estimator": {"classification": KNeighborsClassifier()}, "space": {}, "cost": 3},
            "numbers": {"estimator": {"regression": Ridge()}, "space": {"alpha": [1.0]}},
            "off": None,
        },
        "features": {"scaled": Columns(), "plain": Passthrough()},
    } | more


TWO = np.resize([0, 1], 30)


def test_families_that_fit_the_task_become_one_space():
    estimator, features, space, scorers = families.stated(model(), None, Table(), TWO, "auto")
    assert list(estimator) == ["line", "near"] and sorted(features) == ["plain", "scaled"]
    assert features["scaled"].kinds == KINDS
    assert space.families == ["line", "near"] and list(scorers) == ["roc_auc"]
    assert list(space.within("line").axes) == ["features", "line.C"]
    assert space.within("near").axes["features"].values == ("scaled", "plain")
    estimator, _, space, scorers = families.stated(model(), None, Table("regression"), TWO * 1.0, "auto")
    assert list(estimator) == space.families == ["numbers"] and list(scorers) == ["r2"]


def test_without_families_it_is_the_one_model():
    given = {"estimator": LogisticRegression(), "space": {"C": [1.0]}}
    estimator, features, space, scorers = families.stated(given, Columns(), Table(), TWO, ["accuracy"])
    assert type(estimator) is LogisticRegression and features.kinds == KINDS
    assert list(space.axes) == ["C"] and list(scorers) == ["accuracy"]


def test_a_family_that_the_metric_cannot_judge_is_left_out():
    three = np.resize([0, 1, 2], 30)
    given = model(families={"line": {"estimator": LogisticRegression()}, "svm": {"estimator": LinearSVC()}})
    estimator, _, space, scorers = families.stated(given, None, Table(), three, "auto")
    assert list(estimator) == space.families == ["line"] and list(scorers) == ["neg_log_loss"]
    estimator, _, _, scorers = families.stated(given, None, Table(), three, "accuracy")
    assert list(estimator) == ["line", "svm"] and list(scorers) == ["accuracy"]


def test_settings_are_made_fit_for_all_families_that_use_them():
    given = model(families={"line": {"estimator": LogisticRegression()}, "forest": {"estimator": Dense()}})
    _, features, _, _ = families.stated(given, None, Table(), TWO, "auto")
    assert features["scaled"].sparse is False
    _, features, _, _ = families.stated(given | {"features": None}, Columns(), Table(), TWO, "auto")
    assert isinstance(features, Columns) and features.sparse is False


class Dense(RandomForestClassifier):
    """Takes no sparse rows."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def test_a_candidate_becomes_an_estimator_and_features_again():
    params = {"family": "line", "features": "scaled", "line.C": 0.1}
    estimator, features = families.settled(model(), None, Table(), params, "best.json")
    assert type(estimator) is LogisticRegression and estimator.C == 0.1 and features.kinds == KINDS
    estimator, features = families.settled(
        model(), None, Table(), {"family": "near", "features": "plain"}, "best.json"
    )
    assert isinstance(estimator, KNeighborsClassifier) and isinstance(features, Passthrough)
    alone = {"estimator": LogisticRegression()}
    assert families.settled(alone, Columns(), Table(), {"C": 3.0}, "best.json")[0].C == 3.0


def test_the_leaderboard_has_a_row_a_family_on_most_rows_first():
    candidates = [{"family": "a", "a.x": 1}, {"family": "b"}, {"family": "c"}, {"family": "a", "a.x": 2}]
    scores = np.array([[0.9, 0.9], [0.5, 0.7], [np.nan, np.nan], [0.7, 0.8]])
    shares = np.array([1 / 9, 1 / 9, 1 / 9, 1.0])
    board = families.leaderboard(Trials(candidates, shares, scores, scores * 0, [None] * 4))
    assert [row["family"] for row in board] == ["a", "b", "c"]
    assert board[0] == {
        "family": "a", "trials": 2, "score": 0.75, "spread": pytest.approx(0.05), "share": 1.0,
        "params": {"a.x": 2},
    }  # fmt: skip
    assert board[2] == {"family": "c", "trials": 1}
    assert families.leaderboard(Trials([{"C": 1}], shares[:1], scores[:1], scores[:1], [None])) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"only": ["nearr"]},
            "model.only: there is no family 'nearr'; did you mean near. there are line, near",
        ),
        ({"only": ["numbers"]}, "model.families: none of numbers fits classification; name others"),
        (
            {"features": {"plain": Passthrough()}},
            "model.families.line.features: there is no setting 'scaled'; model.features has plain",
        ),
        (
            {"families": {"line": {"estimator": LogisticRegression(), "space": {"c": [1]}}}},
            "model.families.line.space.c: LogisticRegression has no parameter 'c'; it has C",
        ),
        (
            {
                "families": {
                    "line": {"estimator": LogisticRegression(), "space": {"C": {"low": 2, "high": 1}}}
                }
            },
            "model.families.line.space.C: low is 2, must be below high",
        ),
        ({"families": {"line": 3}}, "model.families.line: got 3, must have an estimator"),
    ],
)
def test_what_no_search_over_families_can_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        families.stated(model(**change), None, Table(), TWO, "auto")


def test_a_metric_that_no_family_takes_is_refused():
    with pytest.raises(ValueError, match="r2 is not defined for 2 classes"):
        families.stated(model(), None, Table(), TWO, "r2")
    with pytest.raises(
        ValueError, match="best.json: model.families has no 'tree'; run `mlcore search` again"
    ):
        families.settled(model(), None, Table(), {"family": "tree"}, "best.json")


def test_the_menus_search_over_families_composes_from_the_files_of_conf_model():
    import yaml

    from ml_core.cli.build import allowed_packages, build
    from ml_core.cli.compose import compose

    params = yaml.safe_load(compose(["search=automl", "model.families.knn=null"], "config", ROOT))
    known = params["model"]["families"]
    assert (
        known["knn"] is None
        and known["logistic"]["space"]
        == yaml.safe_load((ROOT / "conf/model/logistic.yaml").read_text())["space"]
    )
    built = build(params["model"], allowed_packages(ROOT), "model")
    for task, y in (("classification", TWO), ("regression", TWO * 1.0)):
        estimator, features, space, _ = families.stated(built, None, Table(task), y, "auto")
        assert len(estimator) > 1 and set(space.families) == set(estimator)
        assert set().union(*space.features.values()) == set(features)
    with pytest.raises(ValueError, match="conf/model: no option 'lightgbm'"):
        compose(["search=automl", "+model@model.families.lightgbm=lightgbm"], "config", ROOT)
