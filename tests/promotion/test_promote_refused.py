"""What is refused before a champion is replaced: other questions, broken ones, leaks, too few rows."""

import re
from dataclasses import replace

import judged
import numpy as np
import polars as pl
import pytest
from judged import NONINFERIOR, break_model, refusal
from sklearn.linear_model import LogisticRegression, Ridge
from world import rows_of, table_of

from ml_core.gates.data import EnoughData
from ml_core.promotion import history
from ml_core.promotion.policy import Policy

world = judged.world


NOTHING = [
    ({"status": "FAILED", "message": "train: no"}, r"run two failed \(train: no\)"),
    ({"model": None}, "run two has no model"),
]


@pytest.mark.parametrize(("changes", "said"), NOTHING)
def test_a_run_with_nothing_to_judge_is_a_mistake(world, changes, said):
    with pytest.raises(ValueError, match=said):
        world.promote(world.run("two", **changes))
    assert not world.shelf.kept


def more(table):
    kinds = table.kinds | {"extra": "numeric"}
    return replace(table, kinds=kinds, frame=table.frame.with_columns(extra=pl.col("age")))


def fewer(table):
    return replace(table, kinds={name: kind for name, kind in table.kinds.items() if name != "noise"})


QUESTIONS = {
    "task": (lambda t: table_of("regression"), "task is regression, the champion's classification"),
    "target": (
        lambda t: replace(t, target="z", frame=t.frame.rename({"y": "z"})),
        "target is z, the champion's y",
    ),
    "classes": (
        lambda t: table_of("classification", classes=("no", "yes", "maybe")),
        "classes are no, yes, maybe, the champion's no, yes",
    ),
    "more": (more, "it needs also extra; once callers know: promote.new_features=true"),
    "fewer": (fewer, "it lacks noise"),
    "kind": (
        lambda t: replace(t, kinds=t.kinds | {"flag": "numeric"}),
        r"it takes otherwise flag \(numeric, was boolean\)",
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_another_question_is_refused(world, name):
    change, said = QUESTIONS[name]
    estimator = Ridge() if name == "task" else None
    world.promote(world.run("one"))
    decision = world.promote(world.run("two", table=change(table_of("classification")), estimator=estimator))
    reason = refusal(world, decision)
    assert decision.verdicts[0].gate == "comparable" and decision.duel is None
    assert re.search(said, reason), reason
    assert (decision.folder / "report.md").exists(), "a report, however early it was refused"


def test_new_features_may_be_allowed(world):
    world.promote(world.run("one"))
    two = world.run("two", table=more(table_of("classification")))
    assert world.promote(two, policy=Policy(new_features=True)).what == "promoted"


def break_version(world):
    world.shelf.drop("1")


def break_run(world):
    del world.kept["one"]


def break_bytes(world):
    path = world.root / "store/one/model/data/model.skops"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def break_both(world):
    """Model and MLmodel changed alike: only the history knows."""
    other = world.run("other", estimator=LogisticRegression(C=9))
    (world.root / "store/one/model").rename(world.root / "away")
    (world.root / f"store/{other.run_id}/model").rename(world.root / "store/one/model")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (break_version, "version 1 of toy, the champion, was deleted from the registry"),
        (break_run, "run one of the champion, version 1, is gone"),
        (break_model, "the champion's model was deleted or is incomplete"),
        (break_bytes, "the champion's model was changed since it was recorded.*MLmodel says"),
        (break_both, "the champion's model was changed since it was recorded.*the history says"),
    ],
)
def test_a_champion_that_is_not_whole_is_not_replaced_behind_its_back(world, harm, said):
    world.promote(world.run("one"))
    two = world.run("two", estimator=LogisticRegression(C=0.5))
    harm(world)
    decision = world.promote(two)
    assert not decision.good and re.search(said, decision.verdicts[0].reason)
    assert history.read(world.shelf).head.version == "1"


def test_a_leak_is_refused_but_not_where_rows_are_split_by_time(world):
    whole = table_of("classification")
    world.promote(world.run("one", table=whole))
    frame = whole.frame.collect()
    swapped = replace(whole, frame=pl.concat([frame[120:], frame[:120]]).lazy())
    gates = {"data": EnoughData(), "better": NONINFERIOR}
    decision = world.promote(world.run("two", table=swapped), gates)
    failed = {verdict.gate: verdict.reason for verdict in decision.verdicts if not verdict.passed}
    assert (
        "the champion's test rows that the candidate learned from: 120, allowed at most 0" in failed["data"]
    )
    assert "of 120 test rows 0 are left" in failed["better"]
    later = rows_of(300, 7)
    late = replace(later, frame=pl.concat([frame, later.frame.collect()]).lazy())
    by_time = world.run("three", table=late, params={"split.method": "time", "split.by": "age"})
    assert world.promote(by_time, {"data": EnoughData(in_time=False)}).what == "promoted"


def test_five_rows_and_no_common_row_are_too_few(world):
    world.promote(world.run("one"))
    few = table_of("classification").frame.collect()[120:125]
    decision = world.promote(world.run("two", test=few), {"data": EnoughData()})
    assert "test rows: 5, allowed at least 50" in refusal(world, decision)


def test_a_champion_that_says_nan_is_refused_in_words(world, monkeypatch):
    world.promote(world.run("one"))
    two = world.run("two", estimator=LogisticRegression(C=0.5))
    monkeypatch.setattr(LogisticRegression, "predict_proba", lambda self, X: np.full((X.shape[0], 2), np.nan))
    reason = refusal(world, world.promote(two, {"better": NONINFERIOR}))
    assert "the champion gives no predictions: the model gives a probability of nan" in reason


def test_rows_that_nobody_has_any_more_are_told(world, monkeypatch):
    run = world.run("one")
    (world.root / ".dvc" / "cache").rename(world.root / "gone")
    monkeypatch.setattr("ml_core.promotion.rows._fetched", lambda run, tracking, step, folder: world.root)
    with pytest.raises(FileNotFoundError, match="neither in DVC's cache nor in its remote"):
        world.promote(run)


def test_a_metric_that_is_none_is_a_mistake(world):
    with pytest.raises(ValueError, match="promote.metric: got 'rmse', allowed for binary are auc"):
        world.promote(world.run("one"), policy=Policy(metric="rmse"))
