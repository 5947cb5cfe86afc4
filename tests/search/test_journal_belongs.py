"""What a journal belongs to: who may go on from it, and who starts anew."""

import json
import os
from dataclasses import replace

import cut_short
import numpy as np
import pytest
from cut_short import SPACE, SPREAD, Counting, look, problem
from sklearn.linear_model import Ridge

from ml_core.search import identity
from ml_core.search.budget import Budget
from ml_core.search.folds import Folds
from ml_core.search.journal import opened, take_best
from ml_core.search.random import Random
from ml_core.search.settings import Settings
from ml_core.search.space import parse

forgotten = cut_short.forgotten


def test_something_else_starts_a_new_journal_and_says_what_changed(tmp_path):
    with opened(tmp_path, {"space": "1", "data": "2"}) as journal:
        look(Counting(), journal)
    with opened(tmp_path, {"space": "1", "data": "3"}) as journal:
        assert journal.resumed == 0
        assert "data changed since the search that was cut short: a new journal" in journal.said[0]
    with opened(tmp_path, {"space": "1", "data": "2"}) as journal:
        assert journal.resumed == 36  # the old one is still there for who goes back
        os.utime(journal.path, (1, 1))
    with opened(tmp_path, {"space": "1", "data": "3"}) as journal:
        journal.retire()
    with opened(tmp_path, {"space": "1", "data": "4"}) as journal:
        assert journal.said == []  # another search went to its end since: it is no news


def test_a_journal_of_another_version_is_set_aside(tmp_path):
    with opened(tmp_path, {}) as journal:
        path = journal.path
    for content in (b'00000000 {"journal": 0}\n', b"SQLite format 3\x00\n"):
        path.write_bytes(content)
        with opened(tmp_path, {}) as journal:
            assert "made by another version" in journal.said[0] and journal.resumed == 0
            assert len(look(Counting(), journal).candidates) == 12
        assert content in [old.read_bytes() for old in tmp_path.glob("*.old")]
        with opened(tmp_path, {}) as journal:
            assert journal.resumed == 36


def test_the_best_of_another_search_is_not_taken(tmp_path):
    Counting.until = 20
    with pytest.raises(KeyboardInterrupt), opened(tmp_path, {"space": "1"}) as journal:
        look(Counting(), journal)
    Counting.until = None
    take_best(tmp_path)
    with pytest.raises(ValueError, match="space changed since .* whose best was to be taken; compose its"):
        opened(tmp_path, {"space": "2"})
    take_best(tmp_path)  # and back to the old choices
    with opened(tmp_path, {"space": "1"}) as journal:
        assert look(Counting(), journal).stopped == "the best of what was done is taken"
    take_best(tmp_path)
    with pytest.raises(ValueError, match="space changed"):
        opened(tmp_path, {"space": "2"})
    with opened(tmp_path, {"space": "2"}) as journal:  # asked for nothing, it is a search like any other
        whole = look(Counting(), journal)
        assert len(whole.candidates) == 12 and whole.stopped is None
        journal.retire()
    with pytest.raises(ValueError, match="no search was cut short here"):
        take_best(tmp_path)


def test_identity_holds_what_decides_a_score(tmp_path):
    file = tmp_path / "train.parquet"
    file.write_bytes(b"1")
    settings = Settings(SPREAD)
    first = identity.parts(problem(Ridge()), SPACE, settings, [file])
    assert first == identity.parts(
        problem(Ridge()), SPACE, replace(settings, budget=Budget(trials=5)), [file]
    )
    json.dumps(first)

    def changed(**parts):
        given = {"problem": problem(Ridge()), "space": SPACE, "settings": settings, "data": [file]} | parts
        other = identity.parts(*given.values())
        return {name for name in first if first[name] != other[name]}

    assert changed(space=parse({"alpha": [1.0]})) == {"space"}
    assert changed(problem=problem(Ridge(fit_intercept=False))) == {"model"}
    assert changed(problem=problem(Counting())) == {"model", "code"}
    assert changed(problem=replace(problem(Ridge()), scorer="neg_mean_squared_error")) == {"scoring"}
    assert changed(problem=replace(problem(Ridge()), folds=Folds("kfold", 4).pairs(60))) == {"folds"}
    assert changed(settings=Settings(Random(12, seed=4))) == {"strategy"}
    assert changed(settings=replace(settings, trial_timeout=3.0)) == {"trial_timeout"}
    start, other = np.zeros(5000), np.zeros(5000)
    other[2500] = 1
    assert identity.described(start) != identity.described(other)
    file.write_bytes(b"2")
    assert changed() == {"data"}
