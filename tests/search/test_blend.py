import json

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from test_engine import classification, regression

from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.models import file
from ml_core.search import blend
from ml_core.search.families import settled
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.nested import fitted
from ml_core.search.problem import Problem
from ml_core.search.settings import Settings
from ml_core.search.trials import Trials

LINE, TREE = {"family": "line"}, {"family": "tree", "tree.max_depth": 3}


def families(problem, **estimators):
    given = (problem.X, problem.y, problem.features, estimators, problem.folds, problem.scorer)
    return Problem(*given)


def trials(candidates, folds=3, scores=None, shares=None):
    k = len(candidates)
    scores = np.linspace(0.9, 0.8, k) if scores is None else np.array(scores)
    table = np.repeat(scores[:, None], folds, axis=1)
    return Trials(
        candidates, np.ones(k) if shares is None else np.array(shares), table, table * 0, [None] * k
    )


def two(problem, tree, line):
    return families(problem, line=line, tree=tree)


def greedily(answers, y, judge, folds):
    """Weights by adding, one after the other, what helps most: slowly, and as one list."""

    def worth(members):
        return np.mean([judge(y[j], np.mean([answers[i][j] for i in members], axis=0)) for j in folds])

    members = [max(range(len(answers)), key=lambda i: worth([i]))]
    best = worth(members), list(members)
    for _ in range(blend.STEPS - 1):
        members.append(max(range(len(answers)), key=lambda i: worth([*members, i])))
        if worth(members) > best[0] + 1e-12:
            best = worth(members), list(members)
    return np.bincount(best[1], minlength=len(answers)) / len(best[1])


def test_weights_and_scores_equal_a_slow_twins():
    problem = two(regression(Ridge(), n=200), DecisionTreeRegressor(random_state=0), Ridge())
    candidates = [LINE, TREE, {"family": "line", "line.alpha": 100.0}]
    found = blend.blended(problem, trials(candidates), 3)
    y, answers = problem.y, []
    for candidate in candidates:
        own = {n.partition(".")[2]: value for n, value in candidate.items() if n != "family"}
        models = [
            make_pipeline(Columns(), type(problem.estimator[candidate["family"]])(**own))
            for _ in problem.folds
        ]
        if candidate is TREE:
            models = [model.set_params(decisiontreeregressor__random_state=0) for model in models]
        answers.append(
            [
                model.fit(problem.X[train], y[train]).predict(problem.X[test])
                for model, (train, test) in zip(models, problem.folds, strict=True)
            ]
        )
    truth, whole = [y[test] for _, test in problem.folds], range(3)
    weights = greedily(answers, truth, r2_score, whole)
    assert found.params == {
        "blend": [
            {"weight": weights[i], "params": candidates[i]}
            for i in np.argsort(-weights, kind="stable")
            if weights[i]
        ]
    }
    for j in whole:  # each fold by weights of the other two
        own = greedily(answers, truth, r2_score, [k for k in whole if k != j])
        mixed = sum(weight * one[j] for weight, one in zip(own, answers, strict=True))
        assert found.scores[j] == pytest.approx(r2_score(truth[j], mixed), rel=1e-12)
    alone = [np.mean([r2_score(t, a) for t, a in zip(truth, one, strict=True)]) for one in answers]
    assert found.alone == pytest.approx(max(alone), rel=1e-12)
    assert found.better == (found.scores.mean() > max(alone))


def test_a_blend_of_classes_is_a_vote_that_is_kept_as_a_file(tmp_path):
    trees = [DecisionTreeClassifier(max_features=1, random_state=seed) for seed in (0, 1)]
    problem = two(classification(Ridge()), *trees)
    found = blend.blended(problem, trials([LINE, TREE]), 2)
    parts = found.params["blend"]
    assert sum(part["weight"] for part in parts) == pytest.approx(1) and len(parts) == 2
    assert json.loads(json.dumps(found.params)) == found.params
    features, model = fitted(problem, found.params)
    assert (
        isinstance(model, VotingClassifier) and features.get_feature_names_out().tolist() == problem.X.columns
    )
    slow = 0
    for part in parts:
        one, own = fitted(problem, part["params"])
        slow = slow + part["weight"] * own.predict_proba(one.transform(problem.X))
    said = model.predict_proba(features.transform(problem.X))
    np.testing.assert_allclose(said, slow, rtol=1e-12)
    assert set(model.predict(features.transform(problem.X))) == {"bad", "good"}
    whole = make_pipeline(features, model)
    (
        file.save(whole, tmp_path / "one"),
        file.save(make_pipeline(*fitted(problem, found.params)), tmp_path / "two"),
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    again = file.load(tmp_path / "one")
    assert np.array_equal(again.predict_proba(problem.X.to_pandas()), said)
    with pytest.raises(ValueError, match="the table has no column 'x3'"):
        again.predict(problem.X.drop("x3"))


def test_train_makes_the_blend_that_search_judged():
    problem = two(
        classification(LogisticRegression()),
        DecisionTreeClassifier(random_state=0),
        LogisticRegression(C=1e-3),
    )

    class Table:
        task, target, kinds = "classification", "y", dict.fromkeys(problem.X.columns, "numeric")

    model = {"families": {name: {"estimator": one} for name, one in problem.estimator.items()}}
    params = {"blend": [{"weight": 0.75, "params": LINE}, {"weight": 0.25, "params": TREE}]}
    estimator, features = settled(model, Columns(), Table(), params, "best.json")
    trained = make_pipeline(features, estimator).fit(problem.X, problem.y)
    judged = make_pipeline(*fitted(problem, params))
    assert np.array_equal(trained.predict_proba(problem.X), judged.predict_proba(problem.X))
    with pytest.raises(ValueError, match="best.json: model.families has no 'gone'"):
        settled(
            model, Columns(), Table(), {"blend": [{"weight": 1, "params": {"family": "gone"}}]}, "best.json"
        )


def test_the_library_has_each_familys_best_first():
    candidates = [{"family": f, "x": x} for f, x in (("a", 1), ("a", 2), ("b", 1), ("a", 1), ("c", 9))]
    scores, shares = [0.8, 0.9, 0.5, 0.7, np.nan], [1, 1, 1 / 9, 1 / 9, 1]
    found = blend.library(trials(candidates, 3, scores, shares), 9)
    assert found == [candidates[1], candidates[2], candidates[0]]
    assert blend.library(trials(candidates, 3, scores, shares), 2) == found[:2]


def test_who_cannot_take_part_is_left_out_and_named():
    problem = classification(LogisticRegression())
    problem = families(
        problem,
        line=LogisticRegression(class_weight={"bad": 2}),
        svm=LinearSVC(),
        tree=DecisionTreeClassifier(),
    )
    found = blend.blended(problem, trials([LINE, {"family": "svm"}, {"family": "tree"}]), 3)
    assert found.params is None and not found.better
    assert [one.partition("}: ")[0] for one in found.left] == ["{'family': 'line'", "{'family': 'svm'"]
    assert found.left[1].endswith("ValueError: LinearSVC gives no probabilities")


def test_rows_that_were_held_out_twice_choose_no_weights_for_themselves(monkeypatch):
    problem = two(regression(Ridge(), Passthrough()), DecisionTreeRegressor(random_state=0), Ridge())
    pairs = Folds("kfold", 3, repeats=2).pairs(len(problem.y))
    problem = Problem(problem.X, problem.y, problem.features, problem.estimator, pairs, "r2")
    asked, chosen = [], blend.chosen
    monkeypatch.setattr(blend, "chosen", lambda folds, scorer: asked.append(folds) or chosen(folds, scorer))
    blend.blended(problem, trials([LINE, TREE], 6), 2)
    assert [len(folds) for folds in asked] == [6] + [2] * 6
    for j, folds in enumerate(asked[1:]):
        rows = np.concatenate([fold.held for fold in folds])
        assert not np.isin(rows, problem.folds[j][1]).any()


def test_settings_that_cannot_be():
    for value in (1, True):
        with pytest.raises(ValueError, match=f"search.blend: got {value}, must be 2 or more trials"):
            Settings(Grid(), blend=value)
    with pytest.raises(ValueError, match="search.blend: a blend is never the simplest, .*one_se"):
        Settings(Grid(), blend=3, choose="one_se")
