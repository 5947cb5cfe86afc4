"""Killed at any moment, the same search goes on: nothing twice, the same end."""

import errno
import os
import time

import cut_short
import numpy as np
import pytest
from cut_short import SPACE, Counting, look, problem, same
from sklearn.linear_model import Ridge

from ml_core.search import engine
from ml_core.search.asha import ASHA
from ml_core.search.budget import Budget
from ml_core.search.grid import Grid
from ml_core.search.journal import Journal, opened
from ml_core.search.problem import Result
from ml_core.search.random import Random

forgotten = cut_short.forgotten


class Together(Counting):
    """All at once; the scores of a call depend on its company, as a path's last digits may."""

    def score_many(self, X, y, candidates, folds, scorer):
        Counting.fits.append(([c["alpha"] for c in candidates], len(folds)))
        if Counting.until is not None and len(Counting.fits) > Counting.until:
            raise KeyboardInterrupt
        company = sum(c["alpha"] for c in candidates)
        return np.array([[c["alpha"] / company + len(train) for train, _ in folds] for c in candidates])


@pytest.mark.parametrize("until", [0, 1, 7, 20, 35])
def test_a_search_that_was_cut_goes_on_and_ends_the_same(tmp_path, until):
    whole = look(Counting())
    assert len(Counting.fits) == 36
    Counting.until = until
    with pytest.raises(KeyboardInterrupt), opened(tmp_path, {"a": "1"}) as journal:
        look(Counting(), journal)
    Counting.until = None
    with opened(tmp_path, {"a": "1"}) as journal:
        assert journal.resumed <= until
        kept = journal.resumed
        same(look(Counting(), journal), whole)
        assert len(Counting.fits) == 36 - kept and kept >= until - 4  # two threads, two more on their way
    with opened(tmp_path, {"a": "1"}) as journal:
        same(look(Counting(), journal), whole)
        assert Counting.fits == []


@pytest.mark.parametrize("until", [5, 40])
def test_asha_is_resumed_within_a_wave(tmp_path, until):
    strategy = ASHA(12, wave=4, rungs=1, least=4, seed=3)
    whole = look(Counting(), strategy=strategy)
    fits = len(Counting.fits)
    assert fits == 48 and (np.diff(whole.shares) < 0).any() and set(whole.shares) == {1 / 3, 1.0}
    Counting.until = until
    with pytest.raises(KeyboardInterrupt), opened(tmp_path, {"a": "1"}) as journal:
        look(Counting(), journal, strategy)
    Counting.until = None
    with opened(tmp_path, {"a": "1"}) as journal:
        same(look(Counting(), journal, strategy), whole)
        assert len(Counting.fits) == fits - journal.resumed > 0


def test_score_many_is_resumed_in_the_same_company(tmp_path):
    estimator = Together()
    whole = look(estimator, strategy=Grid(6))
    calls = list(Counting.fits)
    assert calls == [(calls[0][0], 3)]  # features that learn nothing: one call for all
    with opened(tmp_path, {}) as journal:
        same(look(estimator, journal, Grid(6)), whole)
    with opened(tmp_path, {}) as journal:
        same(look(estimator, journal, Grid(6)), whole)
        assert Counting.fits == []
        # another budget asks in other company, so that nothing of the old one is taken
        fewer = look(estimator, journal, Grid(6), Budget(trials=3))
        same(fewer, look(estimator, None, Grid(6), Budget(trials=3)))


def test_a_torn_line_and_a_changed_one_are_dropped(tmp_path):
    with opened(tmp_path, {}) as journal:
        whole = look(Counting(), journal)
    (path,) = tmp_path.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b'"rows"', b'"tows"')
    path.write_bytes(b"".join(lines)[:-20])
    with opened(tmp_path, {}) as journal:
        assert journal.said[0] == "2 torn lines of the journal dropped" and journal.resumed == 34
        same(look(Counting(), journal), whole)
        assert len(Counting.fits) == 2
    with opened(tmp_path, {}) as journal:
        assert journal.resumed == 36


def test_every_cut_of_the_file_leaves_a_journal(tmp_path):
    with opened(tmp_path, {}) as journal:
        look(Counting(), journal, Random(2))
    (path,) = tmp_path.glob("*.jsonl")
    content, counts = path.read_bytes(), set()
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        with opened(tmp_path, {}) as journal:
            counts.add(journal.resumed)
    assert counts == set(range(6))
    for other in tmp_path.glob("*.old"):
        other.unlink()


def test_a_full_disk_costs_the_journal_and_not_the_search(tmp_path, monkeypatch):
    whole, write = look(Counting()), os.write
    with opened(tmp_path, {}) as journal:
        monkeypatch.setattr(os, "write", full_after(4, write, journal.file))
        same(look(Counting(), journal), whole)
        monkeypatch.undo()
        assert "No space left on device" in journal.said[0] and "went on without" in journal.said[0]
    with opened(tmp_path, {}) as journal:
        assert journal.resumed == 4
        same(look(Counting(), journal), whole)


def full_after(lines, write, file):
    """os.write on a disk with room for so many lines, and half of the next."""
    left = [lines]

    def limited(descriptor, content):
        if descriptor != file:
            return write(descriptor, content)
        left[0] -= 1
        if left[0] == -1:
            return write(descriptor, content[: len(content) // 2])
        if left[0] < -1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    return limited


def test_a_folder_that_cannot_be_written_costs_the_journal_only(tmp_path):
    (tmp_path / "file").write_text("")
    with opened(tmp_path / "file", {}) as journal:
        assert len(look(Counting(), journal).candidates) == 12
    assert "could not be written (" in journal.said[0]


def test_two_searches_of_the_same_thing_do_not_share_a_journal(tmp_path):
    with (
        opened(tmp_path, {}),
        pytest.raises(ValueError, match="another search of the same space and data is"),
    ):
        opened(tmp_path, {})


def test_what_was_ended_early_is_found_once_more(tmp_path):
    Counting.until = 20
    with pytest.raises(KeyboardInterrupt), opened(tmp_path, {}) as journal:
        look(Counting(), journal)
    Counting.until = None
    for left in (True, False):
        with opened(tmp_path, {}) as journal:
            journal.note("closed", True)
            journal.closed = True
            trials = look(Counting(), journal)
            assert Counting.fits == [] and 0 < len(trials.candidates) < 12
            assert trials.stopped == "the best of what was done is taken"
            journal.retire()
        assert journal.path.exists() == left


def test_the_time_of_a_killed_search_counts(tmp_path):
    Counting.until = 20
    with pytest.raises(KeyboardInterrupt), opened(tmp_path, {}) as journal:
        journal.before = 100.0
        look(Counting(), journal)
    Counting.until = None
    with opened(tmp_path, {}) as journal:
        assert journal.spent > 100
        trials = look(Counting(), journal, budget=Budget(seconds=50))
        assert Counting.fits == [] and trials.stopped == "search.budget.seconds=50 are over"
        assert 4 <= len(trials.candidates) <= 6


def scored(problem, units):
    """An engine that fits nothing."""
    for unit in units:
        yield unit, [Result(unit.places[0], unit.folds[0], unit.params[0]["alpha"], 0.1)]


def test_a_thousand_trials_are_there_again_within_a_second(tmp_path):
    def go():
        with opened(tmp_path, {}) as journal:
            began = time.process_time()
            found = engine.search(problem(Ridge()), SPACE, Random(1000), scored, journal)
            return found, time.process_time() - began, journal.resumed

    (whole, _, none), (again, seconds, resumed) = go(), go()
    same(whole, again)
    assert (none, resumed, len(again.candidates)) == (0, 3000, 1000) and seconds < 1.0


def test_without_a_path_nothing_is_kept():
    journal = Journal()
    assert len(look(Counting(), journal).candidates) == 12 and journal.known == {}
