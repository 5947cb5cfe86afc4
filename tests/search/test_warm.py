"""An older run's best candidates come first, judged anew; those outside today's space do not."""

import json

import numpy as np
import pytest
from project import Project

from ml_core.search.random import Random
from ml_core.search.space import parse
from ml_core.search.warm import Warm, best_of, lies_in

SPACE = parse({"a": {"low": 0, "high": 1}, "b": [1, None], "c": {"low": 1, "high": 9, "int": True}})


def test_the_old_ones_come_first_and_the_strategy_goes_on_as_ever():
    old = [{"a": 0.5, "b": None, "c": 3}, {"a": 2.0, "b": 1, "c": 3}, {"a": 0.1, "b": 1, "c": 9}]
    batches = Warm(Random(5, seed=1), old).batches(SPACE, np.random.default_rng(1))
    assert next(batches) == ([old[0], old[2]], 1.0)
    alone = next(Random(5, seed=1).batches(SPACE, np.random.default_rng(1)))
    assert batches.send(np.zeros(2)) == alone
    with pytest.raises(StopIteration):
        batches.send(np.zeros(5))
    with pytest.raises(ValueError, match="search.warm_start: no candidate of run 7 lies in today's space"):
        next(Warm(Random(5), old[1:2], "7").batches(SPACE, None))


@pytest.mark.parametrize(
    ("change", "inside"),
    [
        ({}, True), ({"a": 1}, True), ({"a": 1.1}, False), ({"b": 2}, False), ({"c": 2.5}, False),
        ({"a": True}, False), ({"d": 1}, False),
    ],
)  # fmt: skip
def test_a_candidate_lies_in_the_space_or_not(change, inside):
    assert lies_in({"a": 0.5, "b": 1, "c": 2} | change, SPACE) == inside
    assert not lies_in({"a": 0.5, "b": 1}, SPACE)


def test_the_best_finished_ones_on_most_rows_are_taken():
    trials = [
        {"params": {"a": i}, "mean": mean, "share": share}
        for i, (mean, share) in enumerate([(0.9, 0.5), (0.1, 1.0), (None, 1.0), (0.3, 1.0)])
    ]
    assert best_of({"trials": [*trials, trials[3]]}, "x") == [{"a": 3}, {"a": 1}]
    with pytest.raises(ValueError, match="run x has no finished trial"):
        best_of({"trials": trials[2:3]}, "x")


@pytest.mark.slow
def test_a_run_warms_the_next_one(finished: Project):
    project = finished
    known = json.loads(project.mlcore("show", "--json").stdout)
    run = known[0]["run_id"]
    best = json.loads(project.read("out/search/best.json"))["params"]
    words = ["search=random", "search.strategy.tries=3", f"search.warm_start={run}"]
    project.mlcore("compose", *words)
    project.mlcore("run", "search")
    trials = json.loads(project.read("out/search/trials.json"))["trials"]
    assert trials[0]["params"] == best and len(trials) == 12
    project.mlcore("compose", "search.warm_start=nothing")
    said = project.mlcore("run", "search", code=2).stderr
    assert "nothing" in said and "Traceback" not in said
