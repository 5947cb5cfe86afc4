"""Halving, Hyperband and ASHA: few rows first, and who goes on to more."""

from itertools import pairwise

import numpy as np
import pytest
from toy import SPACE, run, toy

from ml_core.search.asha import ASHA
from ml_core.search.automl import AutoML
from ml_core.search.halving import Halving
from ml_core.search.hyperband import Hyperband
from ml_core.search.space import sample


def test_halving_keeps_the_best_third_on_three_times_the_rows():
    seen = run(Halving(27, rungs=2), SPACE, toy)
    assert [(len(batch), share) for batch, share, _ in seen] == [(27, 1 / 9), (9, 1 / 3), (3, 1.0)]
    for (before, _, scores), (after, _, _) in pairwise(seen):
        best = sorted(zip(scores, range(len(before)), strict=True), key=lambda pair: (-pair[0], pair[1]))
        assert after == [before[i] for _, i in best[: len(after)]]


def test_halving_never_carries_a_failure_past_a_score_and_takes_a_grid():
    seen = run(Halving(27, rungs=2), SPACE, lambda c: np.nan if c["c"] == "x" else toy(c))
    assert {candidate["c"] for candidate in seen[-1][0]} == {"y"}
    grid = run(Halving(60, points=3), SPACE, toy)
    assert grid[0][0] == SPACE.grid(3) and grid[-1][1] == 1.0


@pytest.mark.parametrize("make", [Halving, Hyperband, ASHA, AutoML])
@pytest.mark.parametrize(("rows", "rungs"), [(50, 0), (599, 0), (600, 1), (5399, 2), (10**7, 3)])
def test_no_rung_has_fewer_rows_than_asked(make, rows, rungs):
    more = {"sampler": "tpe", "tries": 20} if make is AutoML else {}
    fits = make(least=200, rungs=3, **more).fitting(rows)
    assert fits.rungs == rungs
    assert all(share * rows >= min(200, rows) - 1 for _, share, _ in run(fits, SPACE, toy))


def test_hyperband_starts_brackets_later_with_fewer_candidates_and_asks_a_share_once():
    seen = run(Hyperband(keep=3, rungs=2), SPACE, toy)
    assert [share for _, share, _ in seen] == [1 / 9, 1 / 3, 1.0]
    assert [len(batch) for batch, _, _ in seen] == [9, 3 + 5, 1 + 2 + 3]
    first, second, third = (batch for batch, _, _ in seen)
    assert sum(candidate in first for candidate in second) == 3
    assert sum(candidate in first or candidate in second for candidate in third) == 3


def asha_slowly(tries, wave, keep, rungs, judge, rng):
    """[(candidate, rung)] slot by slot, as in Li et al. 2020; ranks are looked up in every slot."""
    fresh, judged, gone, seen = sample(SPACE, tries, rng), {k: {} for k in range(rungs + 1)}, set(), []

    def job():
        for k in reversed(range(rungs)):
            ranked = sorted(judged[k], key=lambda i: (-judged[k][i][0], judged[k][i][1]))
            for i in ranked[: len(ranked) // keep]:
                if (i, k) not in gone and judged[k][i][0] > -np.inf:
                    gone.add((i, k))
                    return i, k + 1
        left = [i for i in range(tries) if (i, -1) not in gone]
        gone.update((i, -1) for i in left[:1])
        return (left[0], 0) if left else None

    while jobs := [one for one in (job() for _ in range(wave)) if one is not None]:
        for i, k in sorted(jobs, key=lambda one: one[1]):
            score = judge(fresh[i])
            judged[k][i] = (-np.inf if np.isnan(score) else score, len(judged[k]))
            seen.append((fresh[i], k))
    return seen


def test_hyperband_tries_as_many_where_the_table_is_too_small_for_all_rungs():
    known = {rows: Hyperband().fitting(rows).sizes() for rows in (300, 700, 2000, 10**6)}
    assert known == {300: [49], 700: [4, 45], 2000: [4, 6, 39], 10**6: [4, 6, 12, 27]}
    ((candidates, share, _),) = run(Hyperband().fitting(300), SPACE, toy)
    assert len(candidates) == 49 and share == 1.0


@pytest.mark.parametrize(("wave", "keep", "rungs"), [(1, 3, 2), (1, 2, 4), (4, 3, 3), (8, 2, 3), (100, 3, 2)])
@pytest.mark.parametrize("judge", [toy, lambda c: np.nan if c["a"] > 1 else toy(c)], ids=["all", "some fail"])
def test_asha_is_that_of_its_paper_slot_by_slot(wave, keep, rungs, judge):
    strategy = ASHA(54, wave=wave, keep=keep, rungs=rungs)
    ours = [(c, share) for batch, share, _ in run(strategy, SPACE, judge) for c in batch]
    slow = asha_slowly(54, wave, keep, rungs, judge, np.random.default_rng(0))
    assert ours == [(candidate, float(keep) ** (k - rungs)) for candidate, k in slow]


def test_asha_has_some_on_all_rows_long_before_its_end_and_halving_has_not():
    def before(strategy):
        seen = run(strategy, SPACE, toy)
        first = next(i for i, batch in enumerate(seen) if batch[1] == 1.0)
        return sum(len(batch[0]) for batch in seen[:first]) / sum(len(batch[0]) for batch in seen)

    assert before(ASHA(60)) < 0.8 < before(Halving(60))
    assert before(ASHA(60, wave=1)) < 0.5


def test_asha_takes_the_best_there_is_to_all_rows_when_hardly_any_does_not_fail():
    best = run(ASHA(27, rungs=2), SPACE, toy)[0][0][3]
    seen = run(ASHA(27, rungs=2), SPACE, lambda c: toy(c) if c == best else np.nan)
    assert seen[-1][:2] == ([best], 1.0) and sum(share == 1.0 for _, share, _ in seen) == 1
    only_on_few = run(ASHA(27, rungs=2), SPACE, lambda c: np.nan)
    assert {share for _, share, _ in only_on_few} == {1 / 9}  # failures do not go on
