"""What each gate refuses, and what it says then."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from rivals import duel, other, predictions
from threadpoolctl import threadpool_info

from ml_core.gates import budgets
from ml_core.gates.baseline import NoWorseThanBaselines
from ml_core.gates.better import Better
from ml_core.gates.budgets import WithinBudget
from ml_core.gates.calibration import Calibrated
from ml_core.gates.data import EnoughData
from ml_core.gates.fairness import Fair
from ml_core.gates.floors import AboveFloors
from ml_core.gates.sane import Sane
from ml_core.gates.slices import NoSliceWorse
from ml_core.measure.predictions import Predictions
from ml_core.outcome import CheckFailed

BROKEN = {"passed": False, "broken": [{"rule": "min_rows", "says": "too few"}]}


def ids(*numbers):
    return np.array(numbers, dtype=np.uint64)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quality": {}}, "runs without a report of prepare: 1, allowed at most 0"),
        ({"quality": BROKEN}, "broken rules in the report of prepare: 1, allowed at most 0 (too few)"),
        ({"golden": duel(n=60)}, ""),
    ],
)
def test_data_that_are_not_good_enough(changes, said):
    verdict = EnoughData()(duel(**changes))
    assert verdict.passed == (not said) and said in verdict.reason


def test_rows_on_both_sides_are_a_leak():
    one = duel()
    seen = np.r_[one.candidate.trained_on, ids(3, 4)]
    verdict = EnoughData()(other(one, trained_on=seen))
    assert not verdict.passed
    assert "test rows that the candidate learned from: 2, allowed at most 0" in verdict.reason
    champion = replace(one.champion, tested_on=np.r_[one.candidate.trained_on[:7], ids(1)])
    verdict = EnoughData()(replace(one, champion=champion))
    assert "the champion's test rows that the candidate learned from: 7, allowed at most 0" in verdict.reason
    assert EnoughData(leak=7)(replace(one, champion=champion)).passed
    golden = replace(duel(n=60), row=one.candidate.trained_on[:60])
    assert (
        "golden rows that the candidate learned from: 60" in EnoughData()(replace(one, golden=golden)).reason
    )
    assert "learned from: 1, allowed" in EnoughData()(other(one, trained_on=None)).reason


def test_test_rows_are_newer_where_time_matters():
    one = duel(n=100)
    frame, y, row = one.training()
    early, late = (pl.Series("at", np.arange(k, k + n)) for k, n in ((0, len(frame)), (len(frame) - 1, 100)))
    known = {"frame": one.frame.with_columns(late), "training": lambda: (frame.with_columns(early), y, row)}
    timed = replace(one, time="at", **known)
    assert EnoughData()(timed).passed
    old = replace(timed, frame=one.frame.with_columns(late - 5))
    verdict = EnoughData()(old)
    assert not verdict.passed and "test rows before the last training row: 5" in verdict.reason
    assert EnoughData(in_time=False)(old).passed
    with pytest.raises(CheckFailed, match="no such column"):
        EnoughData()(replace(timed, frame=one.frame))
    with pytest.raises(CheckFailed, match="are gone"):
        EnoughData()(replace(timed, training=None))


def test_better_asks_for_an_effect_or_bears_a_margin():
    one = duel(better=0.1)
    verdict = Better()(one)
    assert verdict.passed and verdict.numbers["p"] < 0.05 and verdict.numbers["low"] > 0
    assert not Better(effect=verdict.numbers["high"])(one).passed
    worse = replace(one, candidate=one.champion, champion=one.candidate)
    assert not Better(test="noninferior")(worse).passed
    assert Better(test="noninferior", margin=2 * verdict.numbers["high"])(worse).passed
    assert Better(metric="accuracy")(one).rows[0]["method"] == "McNemar"
    assert Better(metric="log_loss")(one).rows[0]["method"] == "bootstrap"


def test_better_refuses_a_test_set_that_shows_too_little():
    one = duel(n=200)
    near = duel(n=200, better=0.05)
    shown = Better()(near).numbers["detectable"]
    with pytest.raises(CheckFailed, match=r"find a gain of .*about (79\d|80\d) rows"):
        Better(detectable=shown / 2)(near)
    for p in ({"min_rows": 500}, {"min_class_rows": 150}):
        with pytest.raises(CheckFailed, match="200 rows are too few, 500|are too few, 150 are needed"):
            Better(**p)(one)
    with pytest.raises(CheckFailed, match="no metric 'rmse' of a binary model; there are auc"):
        Better(metric="rmse")(one)
    with pytest.raises(CheckFailed, match="gate=clusters"):
        Better()(replace(one, task="clustering"))


def test_better_loses_nothing_on_golden_rows():
    one, golden = duel(better=0.2), duel(better=0.2, n=300, seed=5)
    verdict = Better()(replace(one, golden=golden))
    assert verdict.passed and "on 300 golden rows" in verdict.reason and len(verdict.rows) == 2
    swapped = replace(golden, candidate=golden.champion, champion=golden.candidate)
    verdict = Better()(replace(one, golden=swapped))
    assert not verdict.passed and verdict.reason.endswith("surely a loss")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Better(test="x"), "better.test: got 'x', allowed are superior, noninferior"),
        (lambda: Better(margin=-1), "better.margin: got -1, allowed is 0 or more"),
        (lambda: Better(confidence=1), "better.confidence: got 1, allowed is"),
        (lambda: NoSliceWorse(margin=-0.1), "slices.margin"),
        (lambda: Calibrated(confidence=0.2), "calibration.confidence"),
        (lambda: WithinBudget(calls=0), "budgets.calls: got 0"),
        (lambda: AboveFloors({"auc": "high"}), "floors.limits.auc: got 'high', allowed is a number"),
        (lambda: NoWorseThanBaselines(margin=-1), "baseline.margin"),
    ],
)
def test_limits_that_make_no_sense(made, words):
    with pytest.raises(ValueError, match=words.split(":")[0].replace(".", r"\.")) as error:
        made()
    assert words in str(error.value)


def test_one_bad_slice_in_a_better_whole_is_found():
    one = duel(better=0.3, n=1500)
    south = (one.frame["region"] == "south").to_numpy()
    says = one.candidate.says
    score = says.score.copy()
    score[south] = 1 - score[south]
    bad = other(one, says=replace(says, score=score, probability=score))
    verdict = NoSliceWorse()(bad)
    assert not verdict.passed and "of 5 slices are surely worse" in verdict.reason
    assert "region = south" in verdict.reason and verdict.value < verdict.against
    regions = {row["level"]: bool(row["passed"]) for row in verdict.rows if row["column"] == "region"}
    assert regions == {"north": True, "south": False, "west": True}
    assert NoSliceWorse(columns=["sex"], margin=0.9)(bad).passed
    with pytest.raises(CheckFailed, match="no column 'colour'"):
        NoSliceWorse(columns=["colour"])(one)
    few = NoSliceWorse(min_rows=5000)(one)
    assert few.passed and not few.judged and "0 of 5 slices" in few.reason


def test_fair_slices_are_seldom_refused():
    """Holm's promise: of 100 equal models, tested in five slices each, about five are refused at most."""
    refused = 0
    for seed in range(100):
        one = duel(n=400, seed=seed)
        rng = np.random.default_rng(seed)
        signal = np.where(one.champion.says.truth == 1, 1.0, -1.0)
        says = [
            predictions("binary", one.champion.says.truth, signal + rng.normal(size=400), 0.9) for _ in "ab"
        ]
        pair = replace(one, candidate=replace(one.candidate, says=says[0]))
        refused += not NoSliceWorse()(replace(pair, champion=replace(one.champion, says=says[1]))).passed
    assert refused <= 10


def test_unfair_differences_are_told_with_their_interval():
    one = duel()
    male = (one.frame["sex"] == "male").to_numpy()
    says = replace(one.candidate.says, answer=male.astype(int))
    verdict = Fair(columns=["sex", "region"])(other(one, says=says))
    assert not verdict.passed and verdict.value == 1.0 and verdict.against == 0.1
    assert "of sex: 1, allowed is 0.1" in verdict.reason
    assert all(row["low"] <= row["value"] <= row["high"] for row in verdict.rows if row["column"] == "region")
    assert Fair(columns=["sex"], demographic_parity=1.0, equalized_odds=None)(other(one, says=says)).passed
    assert "no column has two groups" in Fair(columns=["sex"], min_rows=5000)(one).reason
    with pytest.raises(CheckFailed, match="gate.fairness.columns: no column 'colour'"):
        Fair(columns=["colour"])(one)
    with pytest.raises(CheckFailed, match="the task is regression"):
        Fair(columns=["sex"])(duel("regression"))


def test_a_model_that_is_too_sure_is_not_calibrated():
    one = duel(n=1500)
    chance = one.candidate.says.probability
    sure = chance**4 / (chance**4).sum(axis=1, keepdims=True)
    bad = other(one, says=replace(one.candidate.says, probability=sure, score=sure))
    verdict = Calibrated()(bad)
    assert not verdict.passed and "surely above it by more than 0.01" in verdict.reason
    assert not Calibrated(most=0.01)(bad).passed and Calibrated(margin=0.5)(bad).passed
    mute = replace(one.candidate.says, probability=None)
    with pytest.raises(CheckFailed, match="the champion gives probabilities"):
        Calibrated()(other(one, says=mute))
    both = other(replace(one, champion=replace(one.champion, says=mute)), says=mute)
    assert not Calibrated()(both).judged


def test_floors_hold_whatever_the_champion_is():
    one = duel()
    assert AboveFloors({"auc": 0.7, "log_loss": 0.7})(one).passed
    verdict = AboveFloors({"auc": 0.7, "log_loss": 0.01})(one)
    assert (
        not verdict.passed
        and verdict.against == 0.01
        and "1 of 2 floors are missed: log_loss" in verdict.reason
    )
    with pytest.raises(CheckFailed, match="no metric 'rmse'"):
        AboveFloors({"rmse": 1.0})(one)
    clusters = replace(other(one, metrics={"evaluate/silhouette": 0.4}), task="clustering")
    assert AboveFloors({"silhouette": 0.3})(clusters).passed
    assert not AboveFloors({"silhouette": 0.5})(clusters).passed


def test_a_model_that_guesses_is_worse_than_its_baselines():
    for task, trivial in (("binary", "trivial"), ("regression", "trivial")):
        one = duel(task)
        rng = np.random.default_rng(0)
        says = predictions(task, one.candidate.says.truth, rng.normal(size=600), 0.9)
        verdict = NoWorseThanBaselines()(other(one, says=says))
        assert not verdict.passed and [row["model"] for row in verdict.rows] == [trivial, "simple"]
        assert verdict.value < verdict.against
    assert NoWorseThanBaselines(rows=100)(duel()).rows[1]["value"] > 0.8
    with pytest.raises(CheckFailed, match="training rows are gone"):
        NoWorseThanBaselines()(duel(training=None))


def test_a_budget_that_is_exceeded_is_told():
    one = duel()
    verdict = WithinBudget(p99_ms=1e-6)(one)
    assert not verdict.passed and "1 of 3 budgets are exceeded" in verdict.reason and verdict.against == 1e-6
    assert not WithinBudget(rows_per_second=1e15)(one).passed and not WithinBudget(disk_mb=1e-6)(one).passed
    free = WithinBudget(None, None, None, None)(one)
    assert free.passed and not free.judged and len(free.rows) >= 3
    with pytest.raises(CheckFailed, match="no model file here to hold against 500 MB"):
        WithinBudget()(other(one, path=None))


def test_a_row_that_waited_for_another_process_is_asked_again(monkeypatch):
    """Ten rows at 1 ms: one of them is held up once, or every time."""
    for held_up, passed in (([0.5, 0.001], True), ([0.5, 0.5, 0.5], False)):
        took = [0.001] * 4 + held_up + [0.001] * 20
        monkeypatch.setattr(budgets, "_seconds", lambda ask, X, took=took: took.pop(0))
        verdict = WithinBudget(p99_ms=100, calls=10)(duel())
        row = next(row for row in verdict.rows if row["cost"] == "p99 of one row, ms")
        assert row["passed"] == verdict.passed == passed and len(took) == 12
        assert (row["value"] == pytest.approx(1.0)) == passed


class Alone:
    """A model that looks how many threads it is asked with."""

    seen = set()

    def predict(self, X):
        if len(X) == 1:
            self.seen.add(max(pool["num_threads"] for pool in threadpool_info()))
        return X["age"].to_numpy()


def test_one_row_is_asked_on_one_thread():
    WithinBudget(calls=3)(other(duel(), load=Alone))
    assert Alone.seen == {1}


class Hungry:
    """A model that holds 80 MB while it answers."""

    def predict(self, X):
        return np.ones((10_000_000,))[: len(X)]


def test_memory_while_answering_is_measured():
    one = duel()
    if not any(row["cost"].startswith("memory") for row in WithinBudget()(one).rows):
        pytest.skip("peak memory is known on Linux only")
    verdict = WithinBudget(memory_mb=20, calls=3, batch=100)(other(one, load=Hungry))
    row = next(row for row in verdict.rows if row["cost"].startswith("memory"))
    assert not verdict.passed and 60 < row["value"] < 120


def test_answers_that_are_none_are_told():
    one = duel()
    says = one.candidate.says
    for broken, said in (
        (replace(says, answer=says.answer * np.nan), "answer is nan or infinite in 600 of 600 rows"),
        (replace(says, probability=says.probability * 2), "do not sum to 1 in 600 of 600 rows"),
    ):
        verdict = Sane()(other(one, says=broken))
        assert not verdict.passed and said in verdict.reason
    alone = Predictions("binary", np.zeros(3, int), np.zeros(3, int), ["no", "yes"])
    assert Sane()(other(one, says=alone)).passed, "rows of one class may be answered with it alone"
