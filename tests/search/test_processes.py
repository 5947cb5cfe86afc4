"""Processes: the scores of the local engine; a fit that hangs or dies costs its own row."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeClassifier
from test_engine import Many, classification, regression, search

from ml_core.search import engine
from ml_core.search.asha import ASHA
from ml_core.search.engine import Local
from ml_core.search.parts import Parts
from ml_core.search.processes import SCRATCH, Processes, _Pool, timed
from ml_core.search.settings import Settings
from ml_core.search.single import Single
from ml_core.search.space import parse


class Unruly(DecisionTreeClassifier):
    """A tree that hangs, dies or finds no memory when told so."""

    def __init__(self, how="well"):
        super().__init__(random_state=0)
        self.how = how

    def fit(self, X, y):
        if self.how == "killed":
            os.kill(os.getpid(), 9)
        if self.how == "gone":
            os._exit(3)
        if self.how == "hangs":
            time.sleep(60)
        if self.how == "full":
            raise MemoryError("no room")
        return super().fit(X, y)


WORDS = {
    "well": None,
    "killed": "MemoryError: the process of this fit was killed, most likely for want of memory",
    "gone": "ChildProcessError: the process of this fit ended with 3",
    "full": "MemoryError: no room",
    "hangs": "TimeoutError: over search.trial_timeout=3 s",
}


def few(problem):
    """One fold of it."""
    return replace(problem, folds=problem.folds[:1])


def test_scores_are_the_local_engines_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / f"{SCRATCH}999999-killed").mkdir()
    problem = classification(DecisionTreeClassifier(random_state=0))
    space = {"max_depth": [1, 2, 3]}
    here, there = search(problem, space), search(problem, space, engine=Processes(1))
    assert_array_equal(here.scores, there.scores)
    assert np.isfinite(there.scores).all() and there.seconds.min() > 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_of_features_that_are_forgotten_is_removed(monkeypatch):
    there = []

    def give(pool, unit):
        given(pool, unit)
        there.append((len(list(pool.folder.iterdir())), len(pool.places)))

    given = _Pool.give
    monkeypatch.setattr(_Pool, "give", give)
    problem = classification(DecisionTreeClassifier(random_state=0))
    strategy, space = (
        ASHA(12, wave=2, rungs=1, least=30),
        parse({"max_depth": {"low": 1, "high": 99, "int": True}}),
    )
    few = replace(problem, kept=Parts(most=1))  # one Part at most is kept
    found = engine.search(few, space, strategy, engine=Processes(1))
    assert max(there) <= (2, 2) < (6, 6)  # one that is made, one that a process was sent
    assert_array_equal(found.scores, engine.search(problem, space, strategy).scores)


@pytest.mark.slow
def test_a_fit_that_hangs_or_dies_is_a_row_with_its_error():
    problem, space = few(classification(Unruly())), {"how": list(WORDS)}
    trials = search(problem, space, engine=timed(Local(), 3.0))
    assert trials.errors == list(WORDS.values())
    assert np.isfinite(trials.mean).tolist() == [True, False, False, False, False] and trials.best == 0


class Deadly(Many):
    """Its score_many takes the process with it; one fit alone does only at one alpha."""

    def fit(self, X, y):
        if self.alpha == 7:
            os._exit(1)
        return super().fit(X, y)

    def score_many(self, X, y, candidates, folds, scorer):
        os._exit(1)


@pytest.mark.slow
def test_a_grid_that_dies_is_done_one_fit_at_a_time():
    trials = search(few(regression(Deadly())), {"alpha": [1.0, 7.0]}, engine=Processes(1))
    alone = search(few(regression(Many())), {"alpha": [1.0]})
    assert_array_equal(trials.scores[0], alone.scores[0])
    assert trials.errors == [None, "ChildProcessError: the process of this fit ended with 1"]


def test_a_time_limit_needs_processes():
    assert timed(Local(3), None) == Local(3)
    assert timed(Local(3), 5) == Processes(3, 5.0)
    assert timed(Processes(2), 5) == Processes(2, 5.0)
    with pytest.raises(ValueError, match="search.trial_timeout: got 0, must be above 0 seconds"):
        Settings(Single(), trial_timeout=0)
    with pytest.raises(ValueError, match="search.engine.jobs: got 0, must be a whole number of 1 or more"):
        Processes(0)
