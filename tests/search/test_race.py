"""A search that stops candidates before their last fold says so, and finds what it would have found."""

import json

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes

from ml_core.features.columns import Columns
from ml_core.features.passthrough import Passthrough
from ml_core.models.linear import Ridge
from ml_core.models.racing import raced
from ml_core.report import page
from ml_core.search import engine, record
from ml_core.search.budget import Budget
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.journal import Journal
from ml_core.search.local import Local
from ml_core.search.problem import Problem
from ml_core.search.random import Random
from ml_core.search.settings import Settings
from ml_core.search.space import parse

X, Y = load_diabetes(return_X_y=True)
FRAME = pl.DataFrame({f"x{j}": column for j, column in enumerate(X.T)})
SPACE = parse({"alpha": [1e-2, 1.0, 10.0, 100.0, 1e3, -1.0]})
RACE = Budget(race=1e-3)


class Worth(RegressorMixin, BaseEstimator):
    """As good as ``alpha`` says, but for the luck of its rows."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        if self.alpha < 0:
            raise ValueError("alpha is below 0")
        return self

    def score(self, X, y):
        luck = np.random.default_rng([int(abs(X[0, 0]) * 1e9), int(self.alpha * 1e6)]).normal()
        return -abs(np.log10(self.alpha)) + 0.01 * luck


class Counting(Local):
    """Counts the folds that candidates are asked about."""

    asked = 0

    def __call__(self, problem, units):
        Counting.asked += sum(len(unit.places) * len(unit.folds) for unit in units)
        return super().__call__(problem, units)


def problem(estimator=None, features=None):
    folds = Folds(n=4, repeats=2).pairs(len(Y))
    scorer = (lambda m, X, y: m.score(X, y)) if isinstance(estimator, Worth) else "r2"
    return Problem(FRAME, Y, features or Passthrough(), estimator or Ridge(), folds, scorer)


@pytest.mark.parametrize("estimator", [Ridge(), Worth()], ids=["score_many", "one fit at a time"])
@pytest.mark.parametrize("features", [Passthrough(), Columns()], ids=["whole", "learned"])
def test_a_race_finds_the_same_winner_with_fewer_scores(estimator, features):
    whole = engine.search(problem(estimator, features), SPACE, Grid())
    Counting.asked = 0
    some = engine.search(problem(estimator, features), SPACE, Grid(), Counting(), budget=RACE)
    known = np.isfinite(some.scores)
    assert_allclose(some.scores[known], whole.scores[known], rtol=1e-9)
    assert some.best == whole.best and not some.outrun[some.best]
    assert Counting.asked == known.sum() + 8 < whole.scores.size  # the failure is tried on all 8 folds
    assert_array_equal(some.outrun, ~known.all(axis=1) & known.any(axis=1))
    assert some.outrun.any() and some.failures() == whole.failures() and len(some.failures()) == 1
    assert_array_equal(known.sum(axis=1)[some.outrun] >= 2, True)


def test_a_search_races_as_raced_does():
    given, candidates = problem(), SPACE.grid(1)
    some = engine.search(given, SPACE, Grid(), budget=RACE)
    with pytest.warns(UserWarning, match="alpha"):
        scores = raced(Ridge(), (X, Y), (candidates, given.folds), "r2", RACE.race)
    assert_array_equal(np.isnan(some.scores), np.isnan(scores))
    assert_allclose(some.scores, scores, rtol=1e-9)


def test_a_strategy_hears_what_a_stopped_candidate_would_have_got():
    told = []

    class Ear(Grid):
        def batches(self, space, rng):
            told.append((yield space.grid(1), 1.0))

    some = engine.search(problem(Worth()), SPACE, Ear(), budget=RACE)
    whole = engine.search(problem(Worth()), SPACE, Grid())
    assert_array_equal(np.isnan(told[0]), np.isnan(whole.mean))
    finite = np.isfinite(whole.mean)
    assert_allclose(told[0][finite], whole.mean[finite], atol=0.03)
    assert np.isnan(some.mean[some.outrun]).all() and (told[0][some.outrun] <= some.mean[some.best]).all()


def test_later_candidates_race_against_the_best_so_far():
    alone = engine.search(
        problem(Worth()), parse({"alpha": {"low": 1.0, "high": 100.0, "log": True}}), OneByOne()
    )
    some = engine.search(
        problem(Worth()), parse({"alpha": {"low": 1.0, "high": 100.0, "log": True}}), OneByOne(), budget=RACE
    )
    assert some.best == alone.best and some.outrun[4:].any() and not some.outrun[0]


class OneByOne(Random):
    def batches(self, space, rng):
        for candidate in space.grid(12)[::5] + space.grid(12):
            yield [candidate], 1.0


def test_a_race_cut_short_goes_on_from_its_journal(tmp_path):
    whole = engine.search(problem(Worth()), SPACE, Grid(), budget=RACE)

    class Cut(Local):
        left = 17

        def __call__(self, problem, units):
            for pair in super().__call__(problem, units):
                Cut.left -= 1
                if Cut.left < 0:
                    raise RuntimeError("cut")
                yield pair

    with Journal(tmp_path / "a.jsonl", {}) as kept, pytest.raises(RuntimeError, match="cut"):
        engine.search(problem(Worth()), SPACE, Grid(), Cut(jobs=1), kept, RACE)
    Counting.asked = 0
    with Journal(tmp_path / "a.jsonl", {}) as kept:
        again = engine.search(problem(Worth()), SPACE, Grid(), Counting(jobs=2), kept, RACE)
    assert_array_equal(again.scores, whole.scores)
    assert_array_equal(again.outrun, whole.outrun)
    assert Counting.asked == np.isfinite(whole.scores).sum() + 8 - 17


def test_a_stopped_trial_is_a_row_that_says_so(tmp_path):
    some = engine.search(problem(Worth()), SPACE, Grid(), budget=RACE)
    (tmp_path / "search").mkdir()
    record.write(tmp_path / "search", some, ["r2"], "regression")
    told = page._search(tmp_path)  # what the page of a run says of its search
    assert (told["trials"], told["outrun"], told["failed"]) == (6, some.outrun.sum(), 1)
    record.write(tmp_path, some, ["r2"], "regression")
    rows = json.loads((tmp_path / "trials.json").read_text())["trials"]
    table = pl.read_parquet(tmp_path / "trials.parquet")
    for i, row in enumerate(rows):
        assert table["note"][i] == row["note"]
        if some.outrun[i]:
            done = 8 - row["scores"].count(None)
            assert (
                row["note"]
                == f"stopped after {done} of 8 folds, {some.behind(i):.4g} behind the best on them"
            )
            assert row["mean"] is None and row["error"] is None and some.behind(i) > 0
        else:
            assert row["note"] is None
    record.write(tmp_path, engine.search(problem(Worth()), SPACE, Grid()), ["r2"], "regression")
    assert "note" not in json.loads((tmp_path / "trials.json").read_text())["trials"][0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(race=0), "search.budget.race: got 0, must be a chance above 0"),
        (lambda: Budget(race=0.5), "search.budget.race: got 0.5"),
        (lambda: Settings(Grid(), budget=RACE, choose="one_se"), "search.choose=one_se: it may want a trial"),
        (lambda: Settings(Grid(), budget=RACE, blend=2), "search.blend: it may want"),
        (lambda: Settings(Grid(), budget=RACE, limits={"size_mb": 1}), "search.limits: it may want"),
        (lambda: Settings(Grid(), Folds(n=2), budget=RACE), "needs 3 or more of them"),
        (lambda: Settings(Grid(), Folds("oob"), budget=RACE), "needs 3 or more of them"),
    ],
)
def test_a_race_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_race_goes_with_what_asks_for_the_best():
    Settings(Grid(), Folds(n=2, repeats=2), budget=RACE, limits={"size_mb": None}, nested=3)
