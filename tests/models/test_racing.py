"""Candidates that are too far behind are not scored on the folds to come, and the winner stays the winner."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import t as student
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.model_selection import KFold, ParameterGrid

from ml_core.models.boosting import GradientBoostingRegressor
from ml_core.models.forest import RandomForestRegressor
from ml_core.models.racing import hopeless, raced, stages

ROOT = Path(__file__).parents[2]


def hopeless_slowly(scores, f, chance):
    """One candidate after the other, in words of the docstring."""
    r, k = scores.shape[1], len(scores)
    leader = max(range(k), key=lambda i: (scores[i].mean(), -i))
    # the mean variance of the differences of any two: twice the residual of a two-way table
    typical = np.mean([np.var(scores[a] - scores[b], ddof=1) for a in range(k) for b in range(a)])
    found = []
    for i in range(k):
        if i == leader:
            found.append(False)
            continue
        variance = max(np.var(scores[i] - scores[leader], ddof=1), typical)
        error = np.sqrt(variance * (f - r) / (f * r))
        gap = (scores[leader] - scores[i]).mean()
        found.append(error > 0 and student.sf(gap / error, (r - 1) * (k - 1)) < chance)
    return found


def drawn(seed, k=12, f=5, noise=0.01):
    """Scores (k, f) of candidates of different worth on folds of different difficulty."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(k, 1)) * 0.03 + rng.normal(size=f) * 0.1 + rng.normal(size=(k, f)) * noise


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("r", [2, 3, 4])
def test_who_is_hopeless_is_told_by_students_distribution(seed, r):
    scores = drawn(seed)[:, :r]
    for chance in (1e-4, 0.05):
        assert_array_equal(hopeless(scores, 5, chance), hopeless_slowly(scores, 5, chance))
    assert hopeless(scores, 5, 0.05).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_race_knows_no_order_no_scale_and_no_easy_folds(seed):
    rng = np.random.default_rng(seed)
    scores, order = drawn(seed)[:, :3], rng.permutation(12)
    out = hopeless(scores, 5, 0.01)
    assert_array_equal(hopeless(scores[order], 5, 0.01), out[order])
    assert_array_equal(hopeless(7 * scores + rng.normal(size=3), 5, 0.01), out)
    assert_array_equal(hopeless(scores[:, ::-1], 5, 0.01), out)
    assert out.sum() >= hopeless(scores, 5, 0.001).sum()  # a smaller chance stops fewer
    failed = np.insert(scores, 4, [np.nan, 9.0, 9.0], axis=0)
    assert_array_equal(np.delete(hopeless(failed, 5, 0.01), 4), out)
    assert not hopeless(failed, 5, 0.01)[4]


def test_where_little_is_known_nobody_is_stopped():
    scores = drawn(0)
    assert not hopeless(scores[:, :1], 5, 0.4).any()  # one difference has no spread
    assert not hopeless(scores, 5, 0.4).any()  # the race is over
    assert not hopeless(np.array([[0.9, 0.91], [0.8, 0.805]]), 5).any()  # two differences of two candidates
    assert not hopeless(np.array([[0.9, 0.6], [0.8, 0.5], [0.7, 0.4]] * 9), 5).any()  # nor where equal
    assert not hopeless(np.full((4, 2), np.nan), 5).any() and hopeless(np.empty((0, 2)), 5).shape == (0,)
    assert stages(5) == [(0, 1), (2,), (3,), (4,)] and stages(1) == [(0,)]
    with pytest.raises(ValueError, match="chance must lie between 0 and 0.5, got 0"):
        hopeless(scores, 5, 0)


def test_a_winner_is_lost_about_as_seldom_as_the_chance_says():
    lost, chance = 0, 0.01
    for seed in range(1000):
        scores, running = np.random.default_rng(seed).normal(size=(8, 5)), np.arange(8)  # nobody is better
        for r in (2, 3, 4):
            running = running[~hopeless(scores[running, :r], 5, chance)]
        lost += scores.mean(axis=1).argmax() not in running
    assert 0 < lost < 1000 * chance * 3  # three looks, each with the chance


class Told:
    """Scores that are known; counts who is asked about on which fold."""

    def __init__(self, candidates, scores):
        self.candidates, self.scores, self.asked = candidates, scores, []

    def score_many(self, X, y, candidates, folds, scorer):
        rows = [self.candidates.index(one) for one in candidates]
        self.asked += [(self.candidates[i], j) for i in rows for j in folds]
        return self.scores[np.ix_(rows, folds)]


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (GradientBoostingRegressor(random_state=0), {"max_iter": [1, 4, 12], "learning_rate": [0.05, 0.3]}),
        (RandomForestRegressor(random_state=0), {"n_estimators": [2, 12], "max_depth": [1, 3, None]}),
    ],
)
def test_scores_are_those_of_score_many_on_the_folds_before_a_stop_and_nan_from_there(model, grid):
    X, y = make_friedman1(150, noise=0.5, random_state=0)
    candidates, folds = list(ParameterGrid(grid)), list(KFold(5).split(X))
    candidates.append({"min_samples_leaf": -1})  # a failure stays one
    whole = model.score_many(X, y, candidates, folds, "r2")
    some = raced(model, (X, y), (candidates, folds), "r2", 0.01)
    known = np.isfinite(some)
    assert_array_equal(some[known], whole[known])
    assert (np.diff(known[:-1].astype(int)) <= 0).all() and known[:-1, :2].all() and not known[-1].any()
    told = Told(candidates, whole)
    assert_array_equal(raced(told, (X, y), (candidates, list(range(5))), "r2", 0.01), some)
    assert len(told.asked) == known.sum() + 5 < 5 * len(candidates)
    means = some[:-1].mean(axis=1)
    assert np.nanargmax(means) == whole[:-1].mean(axis=1).argmax()


def test_a_linear_model_can_be_raced_too():
    from ml_core.models.linear import Ridge

    X, y = load_diabetes(return_X_y=True)
    candidates, folds = [{"alpha": a} for a in np.geomspace(1e-2, 1e3, 12)], list(KFold(8).split(X))
    whole = Ridge().score_many(X, y, candidates, folds, "r2").mean(axis=1)
    means = raced(Ridge(), (X, y), (candidates, folds), "r2").mean(axis=1)
    assert np.nanargmax(means) == whole.argmax() and np.isnan(means).any()


def rounds(asked):
    """Rounds of boosting that such questions cost: the longest curve of those that share one on a fold."""
    longest = {}
    for candidate, j in asked:
        rest = tuple(sorted((n, v) for n, v in candidate.items() if n != "max_iter"))
        longest[j, rest] = max(longest.get((j, rest), 0), candidate["max_iter"])
    return sum(longest.values())


@pytest.mark.slow
def test_the_bench_grid_keeps_its_winner_for_fewer_rounds(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench" / "cases"))
    import boosting_grid
    from boosting_fit import events

    spared, candidates = [], list(ParameterGrid(boosting_grid.GRID))
    for seed in range(4):
        data = events(boosting_grid.SHORT["n"], seed)
        whole = boosting_grid.whole(data)
        told = Told(candidates, whole)
        some = raced(told, data, (candidates, list(range(5))), "roc_auc")
        assert np.nanargmax(some.mean(axis=1)) == whole.mean(axis=1).argmax()
        spared.append(1 - rounds(told.asked) / rounds([(c, j) for c in candidates for j in range(5)]))
    assert np.mean(spared) > 0.1, spared
    sys.modules.pop("boosting_grid"), sys.modules.pop("boosting_fit")
