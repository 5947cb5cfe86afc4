"""The exam of every strategy: those in conf/search, and what sets each apart."""

import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml
from toy import SPACE, run, toy

from ml_core.search.asha import ASHA
from ml_core.search.automl import AutoML
from ml_core.search.bayes import Bayes
from ml_core.search.grid import Grid
from ml_core.search.halving import Halving
from ml_core.search.hyperband import Hyperband
from ml_core.search.random import Random
from ml_core.search.single import Single
from ml_core.search.space import Joint, parse

CONF = sorted((Path(__file__).parents[2] / "conf/search").glob("*.yaml"))

JOINT = Joint(
    {
        "line": parse({"c": {"low": 1e-3, "high": 1e3, "log": True}}),
        "tree": parse({"depth": {"low": 1, "high": 12, "int": True}, "kind": ["x", "y"]}),
        "near": parse({"k": [1, 2, 3, 5, 10]}),
        "plain": parse({}),
    },
    features={"line": ["standard"], "tree": ["standard", "codes"]},
    costs={"tree": 5, "near": 2, "plain": 0.1},
)


def built(path):
    """The strategy of a yaml, with no more than 24 tries: what holds for few holds for many."""
    node = yaml.safe_load(path.read_text())
    node = node.get("search", node)["strategy"]
    node |= {"tries": min(node["tries"], 24)} if "tries" in node else {}
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name)(
        **{key: 0 if value == "${seed}" else value for key, value in node.items()}
    )


def inside(candidate):
    return not candidate or (
        -2 <= candidate["a"] <= 2 and 1 <= candidate["b"] <= 64 and candidate["c"] in ("x", "y")
    )


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_a_strategy_is_seeded_stays_inside_stops_and_bears_failures(path):
    strategy = built(path)
    first, again = run(strategy, SPACE, toy), run(strategy, SPACE, toy)
    assert [batch[:2] for batch in first] == [batch[:2] for batch in again]
    assert sum(len(batch[0]) for batch in first) >= 1
    for candidates, share, _ in first:
        assert 0 < share <= 1 and all(inside(candidate) for candidate in candidates)
    assert run(strategy, SPACE, lambda candidate: np.nan)
    assert [batch[0] for batch in run(strategy, parse({}), lambda candidate: 1.0)] == [[{}]]
    assert hash(strategy) == hash(built(path))


def toy_of_families(candidate):
    """The best is a tree of depth 7 and kind y on codes: 1.0."""
    family = candidate["family"]
    if family == "tree":
        return (
            1
            - abs(candidate.get("tree.depth", 2) - 7) / 20
            - 0.05 * (candidate["features"] == "standard")
            - 0.05 * (candidate.get("tree.kind", "x") == "x")
        )
    return {"line": 0.5, "near": 0.3, "plain": 0.1}[family]


def inside_families(candidate):
    """Only axes of its own family, each with a value of its own."""
    space = JOINT.within(candidate["family"])
    known = {name: axis for name, axis in space.axes.items() if name in candidate}
    assert set(candidate) - {"family"} == set(known)
    for name, axis in known.items():
        value = candidate[name]
        assert value in axis.values if hasattr(axis, "values") else axis.low <= value <= axis.high
    return True


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_a_strategy_takes_a_joint_space_of_families(path):
    strategy = built(path)
    seen = run(strategy, JOINT, toy_of_families)
    assert [batch[:2] for batch in seen] == [batch[:2] for batch in run(strategy, JOINT, toy_of_families)]
    assert all(inside_families(candidate) for batch in seen for candidate in batch[0])
    assert run(strategy, JOINT, lambda candidate: np.nan)


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_a_strategy_bears_scores_that_fail_here_and_there_and_equal_ones(path):
    strategy = built(path)
    failing = run(strategy, SPACE, lambda c: np.nan if c and c["a"] < 0 else toy(c))
    assert all(inside(candidate) for batch in failing for candidate in batch[0])
    assert run(strategy, SPACE, lambda candidate: 0.0)
    assert run(strategy, parse({"c": ["x"]}), lambda candidate: 0.0)[-1][:2] == (
        [{}] if isinstance(strategy, Single) else [{"c": "x"}],
        1.0,
    )


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_shares_of_a_candidate_rise_and_some_are_judged_on_all_rows(path):
    strategy = built(path)
    seen, known = run(strategy, SPACE, toy), {}
    for candidates, share, _ in seen:
        for candidate in candidates:
            assert share > known.get(repr(candidate), 0.0)
            known[repr(candidate)] = share
    shares = [share for _, share, _ in seen]
    assert max(shares) == 1.0
    if not isinstance(strategy, ASHA):  # whose waves begin anew with few rows
        assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (Grid(5), 0.99),
        (Random(60), 0.3),
        (Halving(60), 0.3),
        (Hyperband(), 0.3),
        (ASHA(60), 0.3),
        (Bayes(60), 0.8),
        (Bayes(60, sampler="tpe"), 0.5),
        (AutoML(60), 0.8),
    ],
)
def test_a_toys_known_best_is_found(strategy, wanted):
    assert max(max(scores) for _, _, scores in run(strategy, SPACE, toy)) >= wanted


@pytest.mark.parametrize("strategy", [Bayes(40), Bayes(40, sampler="tpe"), AutoML(40)], ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_the_best_family_is_found_and_tuned(strategy, seed):
    seen = run(strategy, JOINT, toy_of_families, seed)
    assert max(max(scores) for _, _, scores in seen) >= 0.95
    names = [candidate["family"] for batch in seen for candidate in batch[0]]
    assert set(names) == set(JOINT.families) and names[-12:].count("tree") >= 7


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_bayes_asks_for_no_candidate_twice_and_takes_all_of_a_small_space(sampler):
    seen = run(Bayes(60, sampler=sampler), SPACE, toy)
    candidates = [repr(candidate) for batch in seen for candidate in batch[0]]
    assert len(candidates) == 60 == len(set(candidates))
    small = parse({"a": [1, 2, 3], "b": {"low": 1, "high": 4, "int": True}})
    assert [batch[0] for batch in run(Bayes(12, sampler=sampler), small, lambda c: 0.0)] == [small.grid(4)]
    eleven = [repr(c) for batch in run(Bayes(11, sampler=sampler), small, lambda c: 0.0) for c in batch[0]]
    assert len(eleven) == 11 == len(set(eleven))


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_bayes_knows_values_of_every_kind_by_their_place(sampler):
    space = parse({"a": [1, True, "1", None, [1, 2], 1.0], "b": [0.1, 0.2, 0.4], "c": {"low": 0, "high": 1}})
    seen = run(Bayes(30, sampler=sampler), space, lambda c: c["b"] + (c["a"] == [1, 2]))
    tried = [candidate for batch in seen for candidate in batch[0]]
    assert {repr(candidate["a"]) for candidate in tried} <= {"1", "True", "'1'", "None", "[1, 2]", "1.0"}
    assert sum(candidate["a"] == [1, 2] for candidate in tried[10:]) > 6


def test_bayes_finds_more_than_draws_do_with_half_the_tries():
    def bowl(c):
        return -((np.log10(c["x"]) - 1) ** 2) - (c["y"] - 0.3) ** 2

    space = parse({"x": {"low": 1e-4, "high": 1e4, "log": True}, "y": {"low": -2, "high": 2}})
    gains = [
        max(max(s) for *_, s in run(Bayes(30), space, bowl, seed))
        - max(max(s) for *_, s in run(Random(60), space, bowl, seed))
        for seed in range(5)
    ]
    assert np.median(gains) > 0


def test_bayes_leaves_optunas_logs_as_they_were(caplog):
    from optuna import logging

    before = logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(Bayes(15, sampler="tpe"), JOINT, toy_of_families)
    assert logging.get_verbosity() == before and not caplog.records


def test_automl_drops_families_round_by_round_and_asks_the_cheap_ones_first():
    seen = run(AutoML(60, rungs=2), JOINT, toy_of_families)
    families = [list(dict.fromkeys(c["family"] for c in batch)) for batch, _, _ in seen]
    assert families[0] == ["plain", "line", "near", "tree"]
    assert families[1:3] == [["tree"], ["line"]]  # on all rows the best first, each family by itself
    assert seen[0][1] == 1 / 9 and all(share == 1.0 for _, share, _ in seen[1:])
    firsts = {c["family"]: c for c in reversed(seen[0][0])}
    assert firsts["line"] == {"family": "line", "features": "standard"} and firsts["near"] == {
        "family": "near"
    }
    assert sum(len(batch) for batch, _, _ in seen) == 60
    assert set().union(*families[3:]) <= {"line", "tree"}


def test_random_draws_different_candidates_and_takes_all_of_a_small_space():
    ((candidates, _, _),) = run(Random(60), SPACE, toy)
    assert len({repr(candidate) for candidate in candidates}) == 60
    small = parse({"a": [1, 2, 3], "b": {"low": 1, "high": 4, "int": True}})
    ((candidates, _, _),) = run(Random(12), small, lambda candidate: 0.0)
    assert sorted(map(repr, candidates)) == sorted(map(repr, small.grid(4)))
    ((candidates, _, _),) = run(Random(11), small, lambda candidate: 0.0)
    assert len({repr(candidate) for candidate in candidates}) == 11
    assert run(Random(60), SPACE, toy, seed=1) != run(Random(60), SPACE, toy, seed=2)


def test_single_tries_the_model_as_it_is():
    assert [batch[:2] for batch in run(Single(), SPACE, toy)] == [([{}], 1.0)]
    ((candidates, _, _),) = run(Single(), JOINT, toy_of_families)
    assert [candidate["family"] for candidate in candidates] == JOINT.families
    assert candidates[-1] == {"family": "tree", "features": "standard"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid(0), "points=0 and most=2000 must be 1 or more"),
        (lambda: Random(0), "search.strategy.tries: got 0, must be 1 or more"),
        (lambda: Halving(0), "search.strategy.tries: got 0, must be 1 or more"),
        (lambda: Halving(keep=1), "search.strategy.keep: got 1, must be 2 or more"),
        (lambda: Halving(points=0), "search.strategy.points: got 0, must be 1 or more, or null"),
        (
            lambda: run(Halving(20, points=5), SPACE, toy),
            "the grid has 50 candidates, the most allowed are tries=20; set ",
        ),
        (lambda: Hyperband(rungs=-1), "search.strategy.rungs: got -1, must be 0 or more"),
        (lambda: ASHA(wave=0), "search.strategy.wave: got 0, must be 1 or more"),
        (lambda: Bayes(tries=0), "search.strategy.tries: got 0, must be 1 or more"),
        (lambda: Bayes(batch=1.5), "search.strategy.batch: got 1.5, must be 1 or more"),
        (lambda: Bayes(sampler="cma"), "search.strategy.sampler: got 'cma', allowed are gp, tpe"),
        (lambda: AutoML(explore=2), "search.strategy.explore: got 2, must be from 0 to 1"),
        (lambda: AutoML(last=0), "search.strategy.last: got 0, must be 1 or more"),
        (lambda: Joint({}), "search.families: there is none; name one or more of conf/model"),
        (
            lambda: run(Grid(9, most=10), SPACE, toy),
            "the grid has 162 candidates, the most allowed are 10; set ",
        ),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
