"""Promotion from two recorded runs to the moved alias: what it keeps, and every way to be refused."""

import json
import shutil
from dataclasses import replace

import judged
import pytest
from judged import NONINFERIOR, break_model, refusal
from shelf import Shelf
from sklearn.linear_model import LogisticRegression
from world import rows_of

from ml_core.gates.asked import Approved, Reproducible
from ml_core.gates.packaged import Packaged, Served
from ml_core.models import file
from ml_core.outcome import CheckFailed
from ml_core.promotion import contenders, history
from ml_core.promotion.policy import Policy
from ml_core.promotion.promote import promote
from ml_core.promotion.rollback import roll_back

world = judged.world


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
