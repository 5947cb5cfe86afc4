"""The exam of every strategy: those in conf/search, and what sets each apart."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml

from ml_core.search.grid import Grid
from ml_core.search.random import Random
from ml_core.search.single import Single
from ml_core.search.space import parse

CONF = sorted((Path(__file__).parents[2] / "conf/search").glob("*.yaml"))
SPACE = parse(
    {"a": {"low": -2, "high": 2}, "b": {"low": 1, "high": 64, "log": True, "int": True}, "c": ["x", "y"]}
)


def built(path):
    node = yaml.safe_load(path.read_text())["strategy"]
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name)(
        **{key: 0 if value == "${seed}" else value for key, value in node.items()}
    )


def run(strategy, space, judge, seed=0):
    """All (candidates, share, scores) of a strategy."""
    batches, scores, seen = strategy.batches(space, np.random.default_rng(seed)), None, []
    while len(seen) < 1000:
        try:
            candidates, share = batches.send(scores)
        except StopIteration:
            return seen
        scores = np.array([judge(candidate) for candidate in candidates])
        seen.append((candidates, share, scores))
    pytest.fail("the strategy does not stop")


def toy(candidate):
    if not candidate:
        return -10.0
    return -((candidate["a"] - 1) ** 2) - abs(np.log2(candidate["b"]) - 3) + (candidate["c"] == "y")


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


@pytest.mark.parametrize(("strategy", "wanted"), [(Grid(5), 0.99), (Random(60), 0.3)])
def test_a_toys_known_best_is_found(strategy, wanted):
    assert max(max(scores) for _, _, scores in run(strategy, SPACE, toy)) >= wanted


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid(0), "points=0 and most=2000 must be 1 or more"),
        (lambda: Random(0), "search.strategy.tries: got 0, must be 1 or more"),
        (
            lambda: run(Grid(9, most=10), SPACE, toy),
            "the grid has 162 candidates, the most allowed are 10; set ",
        ),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
