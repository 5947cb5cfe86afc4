"""Promotion from two recorded runs to the moved alias: what it keeps, and every way to be refused."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from shelf import Shelf
from sklearn.linear_model import LogisticRegression, Ridge
from world import World, rows_of, table_of

from ml_core.gates.asked import Approved, Reproducible
from ml_core.gates.better import Better
from ml_core.gates.data import EnoughData
from ml_core.gates.packaged import Packaged, Served
from ml_core.models import file
from ml_core.outcome import CheckFailed
from ml_core.promotion import contenders, history
from ml_core.promotion.policy import Policy
from ml_core.promotion.promote import promote
from ml_core.promotion.rollback import roll_back
from ml_core.report import document

NONINFERIOR = Better(test="noninferior", margin=0.05)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A checkout of its own; reports are not drawn, for they have tests of theirs."""
    monkeypatch.chdir(tmp_path)

    def plain(made, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.lead)
        path.with_suffix(".html").write_text(made.lead)

    monkeypatch.setattr(document, "write", plain)
    return World(tmp_path)


def refusal(world, decision):
    """The reason of the one gate that said no; nothing moved."""
    assert decision.what == "refused" and not decision.good
    assert world.shelf.alias["champion"] == "1" and len(history.read(world.shelf).entries) == 1
    assert world.shelf.alias.get("challenger") == decision.version
    (failed,) = [verdict for verdict in decision.verdicts if not verdict.passed]
    return failed.reason


def test_the_first_the_same_again_and_the_next(world):
    first = world.promote(world.run("one"), {"better": NONINFERIOR, "packaged": Packaged()})
    assert (first.what, first.version, first.champion) == ("promoted", "1", None)
    assert [v.judged for v in first.verdicts] == [False, False, True]
    again = world.promote(world.kept["one"])
    assert again.what == "champion already" and again.good and len(world.shelf.params) == 2
    second = world.promote(world.run("two", estimator=LogisticRegression(C=0.5)), {"better": NONINFERIOR})
    assert (second.what, second.version, second.champion) == ("promoted", "2", "1")
    assert world.shelf.alias == {"champion": "2", "previous": "1"}
    entry = history.read(world.shelf).head
    assert (entry.run_id, entry.before_run, entry.by) == ("two", "one", "ann")
    assert entry.evidence["sha256"] and entry.evidence["gates"] == "comparable:passed better:passed"
    (_, where, names, tags) = world.shelf.sent[-1]
    assert entry.evidence["files"] == where and tags["promotion"] == "promoted"
    assert {"report.md", "verdicts/better.json", "decision.json", "sample/rows.parquet"} <= set(names)
    assert world.shelf.kept["2"].tags["gate.better"].startswith("passed: auc")
    assert world.shelf.kept["2"].tags["run"] == "two"


def test_a_dry_run_changes_nothing(world):
    world.promote(world.run("one"))
    before = (dict(world.shelf.params), dict(world.shelf.alias), len(world.shelf.kept), len(world.shelf.sent))
    decision = world.promote(world.run("two", estimator=LogisticRegression(C=0.5)), dry_run=True)
    assert (decision.what, decision.version) == ("would be promoted", None)
    assert (decision.folder / "report.md").exists()
    now = (dict(world.shelf.params), dict(world.shelf.alias), len(world.shelf.kept), len(world.shelf.sent))
    assert now == before


def test_whoever_comes_second_is_told_and_judged_again(world):
    world.promote(world.run("one"))
    two, three = (
        world.run(name, estimator=LogisticRegression(C=c)) for name, c in (("two", 0.5), ("three", 2))
    )
    seen = []

    def gate(duel):
        seen.append(duel.champion.version)
        if len(seen) == 1:  # while we look, another candidate becomes champion
            world.promote(three)
        return Packaged()(duel)

    decision = world.promote(two, {"packaged": gate})
    assert seen == ["1", "3"]
    assert decision.what == "promoted" and decision.champion == seen[1]
    assert world.told[0].startswith(f"version {seen[1]} became champion meanwhile, by ann")
    assert len(world.fresh.asked) == 1, "what does not depend on the champion is asked once"
    assert [entry.run_id for entry in history.read(world.shelf).entries] == ["one", "three", "two"]


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_a_server_that_goes_away_in_the_middle_leaves_the_old_or_the_new_champion(world, number):
    world.promote(world.run("one"))
    two, left = world.run("two", estimator=LogisticRegression(C=0.5)), [number]

    def step(_):
        left[0] -= 1
        if left[0] == 0:
            raise ConnectionError("MLflow is unreachable")

    world.shelf.step = step
    try:
        decision = world.promote(two)
        assert decision.what == "promoted"
    except ConnectionError:
        pass
    world.shelf.step = Shelf.step
    assert world.shelf.alias["champion"] in ("1", "2")
    assert world.promote(two).good
    assert world.shelf.alias == {"champion": "2", "previous": "1"}
    assert len(history.read(world.shelf).entries) == 2


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


def break_model(world):
    (world.root / "store/one/model/data/model.skops").unlink()


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


def test_golden_rows_are_asked_about_every_time(world):
    golden = rows_of(80, 3).frame.collect()
    golden.drop("_row").write_csv(world.root / "golden.csv")
    policy = Policy(golden="golden.csv")
    gates = {"packaged": Packaged(), "better": NONINFERIOR}
    first = world.promote(world.run("one"), gates, policy)
    assert first.verdicts[1].numbers == {"rows": 200} and len(world.fresh.asked[1]) == 80
    second = world.promote(world.run("two", estimator=LogisticRegression(C=0.5)), gates, policy)
    assert second.duel.golden.champion.says is not None and len(second.duel.golden.row) == 80
    with pytest.raises(FileNotFoundError, match="promote.golden: there is no file nothing.csv"):
        world.promote(world.run("three"), gates, Policy(golden="nothing.csv"))
    golden.drop("age", "_row").write_parquet(world.root / "less.parquet")
    with pytest.raises(ValueError, match="less.parquet has no column age"):
        world.promote(world.kept["three"], gates, Policy(golden="less.parquet"))


class Noted:
    """A fresh process that notes what was trusted when it was asked, and may refuse."""

    def __init__(self, refusal=""):
        self.trusted, self.refusal = [], refusal

    def compare(self, folder, rows, features, offline, model):
        self.trusted.append(file._trusted.get())
        if self.refusal:
            raise CheckFailed(self.refusal)
        return Served(len(offline))


def test_the_fresh_process_is_asked_ahead_by_the_gate_alone_and_with_what_is_trusted_here(world):
    world.fresh = Noted()
    world.promote(world.run("one"))
    assert world.fresh.trusted == [], "no gate asks"
    with file.trusting(("mine",)):
        world.promote(world.run("two", estimator=LogisticRegression(C=0.5)), {"packaged": Packaged()})
    assert world.fresh.trusted == [("mine",)]
    world.fresh = Noted("it does not load")
    three = world.run("three", estimator=LogisticRegression(C=2))
    decision = world.promote(three, {"packaged": Packaged()})
    assert not decision.good and decision.verdicts[-1].reason == "cannot judge: it does not load"


def test_a_person_and_a_rerun_are_asked_where_that_is_wanted(world):
    gates = {"reproducible": Reproducible(always=True), "approved": Approved(needed=True)}
    world.promote(world.run("one"))
    two = world.run("two", estimator=LogisticRegression(C=0.5))
    assert "0 persons said yes, 1 needed: --approve-by NAME" in refusal(world, world.promote(two, gates))
    asked = replace(world.asked(two, gates, approved_by="Eve"), reproduce=lambda: "stage train: differs")
    assert "the first: stage train: differs" in refusal(
        world, promote(asked, world, world.shelf, world.root / "p")
    )
    assert world.promote(two, gates, approved_by="Eve").what == "promoted"
    assert history.read(world.shelf).head.evidence["approved_by"] == "Eve"


def back(world, to=None, why="because", force=False, served=None):
    place = world.root / "places" / f"back{len(list((world.root / 'places').glob('*')))}"
    place.mkdir(parents=True)
    fresh = world.fresh if served is None else type("Says", (), {"compare": lambda *_: served})()
    return roll_back(world.shelf, world, fresh, place, to=to, why=why, who="bob", force=force)


def keep_files(world):
    """What was attached lies in the store, as the tracker's fetch expects."""
    real = world.shelf.attach

    def attach(run_id, folder, place, tags):
        shutil.copytree(folder, world.root / "store" / run_id / place)
        real(run_id, folder, place, tags)

    world.shelf.attach = attach


def test_back_says_what_it_checked_and_refuses_what_changed(world):
    keep_files(world)
    with pytest.raises(ValueError, match="no champion yet"):
        back(world)
    world.promote(world.run("one"))
    with pytest.raises(ValueError, match="no champion came before version 1"):
        back(world)
    world.promote(world.run("two", estimator=LogisticRegression(C=0.5)))
    for to, said in (("2", "champion already"), ("9", "no such version; there is 1, 2")):
        with pytest.raises(ValueError, match=said):
            back(world, to)
    with pytest.raises(ValueError, match="needs a reason"):
        back(world, why=" ")
    changed = Served(120, 3, 0.25, "row 7: predict no against yes")
    with pytest.raises(
        CheckFailed, match=r"3 of 120 rows differ, by up to 0.25 \(row 7: .* the same: --force"
    ):
        back(world, served=changed)
    assert world.shelf.alias["champion"] == "2"
    made = back(world)
    assert (made.version, made.before) == ("1", "2")
    assert made.checked == "it loads, and says of 120 rows what it said when it was promoted, bit for bit"
    assert world.shelf.alias == {"champion": "1"}
    assert history.read(world.shelf).head.why == "because"
    forced = back(world, "2", force=True, served=changed)
    assert forced.checked == "it loads; 3 of 120 rows differ, by up to 0.25, forced"
    break_model(world)
    with pytest.raises(CheckFailed, match="version 1's model was deleted or is incomplete"):
        back(world, "1")


def test_a_list_in_a_run_s_params():
    assert contenders._list("null") is None and contenders._list(None) is None
    assert contenders._list('["a", "b"]') == json.loads('["a", "b"]')
