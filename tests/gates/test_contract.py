"""The exam of every gate: tests/gates/test_contract.py lists conf/gate/*.yaml; nothing else names them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from closure import ROOT
from rivals import duel, other

from ml_core.cli.build import allowed_packages, build
from ml_core.cli.compose import compose
from ml_core.gates.judge import judge, named, passed
from ml_core.gates.verdict import from_json, shown

ALLOWED = allowed_packages(ROOT)
FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "conf/gate").glob("*.yaml"))}
SINGLE = {name: node for name, node in FILES.items() if "_target_" in node}
TASKS = ("binary", "multiclass", "regression")
# gates that ask for more than "no worse", and what makes them ask for no more
STRICT = {"better": {"test": "noninferior", "margin": 0.01}}
CLOCKS = {"budgets"}  # what they measure differs from call to call; what they say does not
UNSEEN = {
    "budgets",
    "packaged",
    "reproducible",
    "approved",
}  # gates that never look at what the model answers


def gate(name, **changes):
    """The gate of conf/gate/NAME.yaml."""
    return build(FILES[name] | changes, ALLOWED, f"gate.{name}")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", SINGLE)
def test_an_equal_model_passes_where_no_more_is_meant(name, task):
    verdict = gate(name, **STRICT.get(name, {}))(duel(task))
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("name", STRICT)
def test_an_equal_model_is_refused_where_more_is_meant(name):
    assert not gate(name)(duel()).passed


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", SINGLE)
def test_better_never_turns_pass_into_fail(name, task):
    """Every row's answer moves towards the truth, step by step."""
    for seed in range(3):
        steps = [gate(name)(duel(task, seed=seed, better=b, n=300)) for b in (0.0, 0.15, 0.4, 0.9)]
        said = [verdict.passed for verdict in steps]
        assert said == sorted(said), [verdict.reason for verdict in steps]
        assert said[-1], steps[-1].reason


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", SINGLE)
def test_the_reason_holds_both_numbers(name, task):
    verdict = gate(name)(duel(task))
    if verdict.judged:
        assert verdict.value is not None and verdict.against is not None
        assert shown(verdict.value) in verdict.reason and shown(verdict.against) in verdict.reason
    assert verdict.gate == name and from_json(verdict.to_json()).reason == verdict.reason


@pytest.mark.parametrize("name", SINGLE)
def test_a_gate_is_seeded(name):
    one, again = (gate(name)(duel()) for _ in range(2))
    assert (one.passed, one.judged) == (again.passed, again.judged)
    if name not in CLOCKS:
        assert one.to_json() == again.to_json()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", SINGLE)
def test_the_first_champion_passes_as_such_and_says_so(name, task):
    verdict = gate(name)(duel(task, champion=None))
    assert verdict.passed, verdict.reason
    against = gate(name)(duel(task))
    if against.judged and not verdict.judged:
        assert "no champion yet" in verdict.reason


@pytest.mark.parametrize("name", SINGLE)
def test_an_unknown_key_and_a_wrong_type_are_refused(name):
    with pytest.raises(ValueError, match=rf"gate\.{name}\.strange: \w+ takes no 'strange'"):
        gate(name, strange=1)
    for key in [key for key, value in FILES[name].items() if isinstance(value, int | float)]:
        with pytest.raises(ValueError, match=rf"gate\.{name}\.{key}: got 'many'"):
            gate(name, **{key: "many"})


@pytest.mark.parametrize("name", sorted(set(SINGLE) - UNSEEN))
def test_nan_and_silence_never_pass(name):
    one = duel()
    score = one.candidate.says.score.copy()
    score[3] = np.nan
    broken = replace(one.candidate.says, score=score, probability=score)
    chosen = {"sane": gate("sane"), name: gate(name)}
    for bad in (other(one, says=broken), other(one, says=None, trouble="it predicts nan")):
        assert not passed(judge(bad, chosen))
        verdict = judge(bad, chosen)[0]
        assert "nan" in verdict.reason


@pytest.mark.parametrize("name", sorted(set(FILES) - set(SINGLE)))
def test_a_composed_list_names_gates_that_are_there(name):
    section = yaml.safe_load(compose([f"gate={name}"], "config", ROOT))["gate"]
    assert section and all(section[one] == SINGLE[one] for one in section)
    assert list(named(build(section, ALLOWED, "gate"))) == list(section)


def composed(name="default"):
    """The gates of a composed list, in its order."""
    return {
        one.split("@")[0]: gate(one.split("@")[0])
        for one in (part if isinstance(part, str) else next(iter(part)) for part in FILES[name]["defaults"])
    }


@pytest.mark.parametrize("task", TASKS)
def test_by_default_a_surely_better_model_is_promoted_and_an_equal_one_is_not(task):
    verdicts = judge(duel(task, better=0.4), composed())
    assert passed(verdicts), [v.reason for v in verdicts if not v.passed]
    equal = judge(duel(task), composed())
    assert [v.gate for v in equal if not v.passed] == ["better"]
    assert passed(judge(duel(task, champion=None), composed()))


def test_a_test_set_of_five_rows_is_refused_with_both_numbers():
    verdicts = {v.gate: v for v in judge(duel(n=5), composed())}
    assert not verdicts["data"].passed and "test rows: 5, allowed at least 50" in verdicts["data"].reason
    assert verdicts["better"].reason == "cannot judge: 5 rows are too few, 50 are needed"


def test_a_constant_is_refused():
    one = duel()
    says = one.candidate.says
    flat = replace(says, answer=says.answer * 0, score=says.score * 0 + 0.5, probability=says.score * 0 + 0.5)
    verdicts = {v.gate: v for v in judge(other(one, says=flat), composed())}
    assert verdicts["sane"].reason == "1 different answers in 600 rows, at least 2 expected"
    assert not any(verdicts[name].passed for name in ("sane", "better", "baseline"))


def test_verdicts_are_json():
    for verdict in judge(duel(), composed()):
        assert json.loads(verdict.to_json())["gate"] == verdict.gate
