"""A search ends when its budget does, and what is kept is what it would have been anyway."""

import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from test_journal import SPACE, problem

from ml_core.search import engine
from ml_core.search.budget import Budget
from ml_core.search.problem import Result
from ml_core.search.random import Random


def scored(problem, units):
    """Scores by the parameter; takes a moment where ``alpha`` says so."""
    for unit in units:
        time.sleep(0.002)
        yield unit, [Result(unit.places[0], unit.folds[0], -abs(np.log10(unit.params[0]["alpha"])), 0.1)]


def look(budget, tries=60):
    return engine.search(problem(None), SPACE, Random(tries), scored, budget=budget)


@pytest.fixture(autouse=True)
def any_estimator(monkeypatch):
    monkeypatch.setattr(engine, "check_space", lambda problem, space: None)


def test_so_many_trials():
    whole, some = look(None), look(Budget(trials=7))
    assert some.candidates == whole.candidates[:7] and some.stopped == "search.budget.trials=7 are done"
    assert_array_equal(some.scores, whole.scores[:7])
    assert whole.stopped is None and len(look(Budget(trials=60)).candidates) == 60
    assert look(Budget(trials=61)).stopped is None


def test_so_many_seconds():
    whole, some = look(None), look(Budget(seconds=0.1))
    assert 1 <= len(some.candidates) < 60 and some.stopped == "search.budget.seconds=0.1 are over"
    assert some.candidates == whole.candidates[: len(some.candidates)]
    assert_array_equal(some.scores, whole.scores[: len(some.candidates)])
    with pytest.raises(ValueError, match="are over before one trial was finished; allow more"):
        look(Budget(seconds=0.001))


@pytest.mark.parametrize("patience", [1, 3, 8])
def test_no_gain_for_so_many_trials(patience):
    whole, some = look(None), look(Budget(patience=patience))
    best, idle, end = -np.inf, 0, 60
    for i, mean in enumerate(whole.mean):
        best, idle = (mean, 0) if mean > best else (best, idle + 1)
        if idle == patience:
            end = i + 1
            break
    assert len(some.candidates) == end < 60 and "patience" in some.stopped
    assert_array_equal(some.scores, whole.scores[:end])
    assert some.best == end - 1 - patience


def test_failures_are_no_gain_and_a_larger_share_starts_anew():
    budget = Budget(patience=2)
    assert budget.lasts([np.nan, np.nan, 1.0], [1, 1, 1]) == 2
    assert budget.lasts([3.0, 1.0, 2.0, 1.5], [0.5, 0.5, 1, 1]) is None
    assert budget.lasts([3.0, 1.0, 2.0, 1.5, 1.5], [0.5, 0.5, 1, 1, 1]) == 5
    assert budget.lasts([], []) is None and Budget().lasts([1.0] * 99, [1] * 99) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "search.budget.trials: got 0, must be a whole number of 1 or more"),
        ({"trials": 2.5}, "search.budget.trials: got 2.5"),
        ({"patience": -1}, "search.budget.patience: got -1"),
        ({"seconds": 0}, "search.budget.seconds: got 0, must be above 0, or null"),
        ({"seconds": float("inf")}, "search.budget.seconds: got inf"),
    ],
)
def test_an_empty_budget_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Budget(**given)
