"""Verdicts, duels and how gates are asked."""

import numpy as np
import polars as pl
import pytest

from ml_core.gates.duel import Contender, Duel
from ml_core.gates.judge import judge, named, passed
from ml_core.gates.verdict import Verdict, from_json, shown
from ml_core.measure.predictions import Predictions
from ml_core.outcome import CheckFailed


def contender(name, n=6, **known):
    says = Predictions("regression", np.arange(n, dtype=float), np.zeros(n))
    return Contender(**{"name": name, "says": says, "run_id": name} | known)


def duel(candidate=None, champion=None, n=6, **known):
    frame = pl.DataFrame({"x": np.arange(n, dtype=float)})
    row = np.arange(n, dtype=np.uint64)
    candidate = candidate or contender("candidate", n)
    return Duel(
        "regression", "y", "rmse", frame, {"x": "numeric"}, np.zeros(n), row, candidate, champion, **known
    )


def yes(duel):
    return Verdict("yes", True, "1 against 0", 1.0, 0.0)


def no(duel):
    raise CheckFailed("5 rows are too few")


def test_a_verdict_comes_back_from_json():
    verdict = Verdict(
        "better", False, "0.91 against 0.9", 0.91, 0.9, True, {"p": 0.2}, [{"level": "a", "n": 3}]
    )
    assert from_json(verdict.to_json()) == verdict


def test_numbers_of_numpy_and_those_that_are_none_have_json():
    verdict = Verdict(
        "x", True, "2 rows", np.int64(2), None, True, {"p": np.float64("nan")}, [{"n": np.int32(3)}]
    )
    back = from_json(verdict.to_json())
    assert back.numbers == {"p": None} and back.value == 2 and back.rows == [{"n": 3}]


@pytest.mark.parametrize(("value", "against"), [(0.5, None), (None, 0.25), (0.5, 0.25)])
def test_a_reason_without_its_numbers_is_refused(value, against):
    with pytest.raises(ValueError, match="the reason must hold"):
        Verdict("x", True, "better", value, against)


@pytest.mark.parametrize(
    ("number", "text"), [(3.0, "3"), (0.912345678, "0.91235"), (12345678, "12345678"), (float("nan"), "nan")]
)
def test_shown(number, text):
    assert shown(number) == text


def test_every_gate_is_asked_and_a_refusal_is_a_no():
    verdicts = judge(duel(), {"first": no, "second": yes})
    assert [(v.gate, v.passed) for v in verdicts] == [("first", False), ("second", True)]
    assert verdicts[0].reason == "cannot judge: 5 rows are too few"
    assert not passed(verdicts) and passed(verdicts[1:]) and not passed([])


def test_the_section_gate_is_one_gate_or_gates_by_name():
    assert named({"a": yes, "b": None}) == {"a": yes}
    assert list(named(yes)) == ["function"]
    for wrong in ({"a": 3}, {"a": None}, {}, "better"):
        with pytest.raises(ValueError, match=r"^gate"):
            named(wrong)


def test_rows_that_a_contender_learned_from_are_left_out_of_the_comparison():
    champion = contender("champion", trained_on=np.array([1, 4, 99], dtype=np.uint64))
    candidate = contender("candidate", trained_on=np.array([0], dtype=np.uint64))
    one = duel(candidate, champion)
    assert one.fair.tolist() == [2, 3, 5]
    assert [p.answer.tolist() for p in one.paired] == [[2.0, 3.0, 5.0]] * 2


def test_what_cannot_be_compared_is_a_refusal_with_numbers():
    with pytest.raises(CheckFailed, match="no champion"):
        _ = duel().paired
    all_seen = contender("champion", trained_on=np.arange(6, dtype=np.uint64))
    with pytest.raises(CheckFailed, match="of 6 test rows 0 are left"):
        _ = duel(None, all_seen).paired
    mute = contender("candidate", says=None, trouble="it predicts nan")
    with pytest.raises(CheckFailed, match="the candidate gives no predictions: it predicts nan"):
        _ = duel(mute, contender("champion")).paired


def test_a_model_is_loaded_once_and_only_when_asked():
    calls = []
    one = contender("candidate", load=lambda: calls.append(1) or "model")
    assert not calls and one.model == one.model == "model" and calls == [1]
    with pytest.raises(CheckFailed, match="cannot be loaded"):
        _ = contender("candidate").model
