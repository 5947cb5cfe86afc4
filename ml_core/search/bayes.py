"""Ask where a model of the scores so far promises most, and tell it whole batches."""

from dataclasses import dataclass

import numpy as np

from ml_core.search.gaussian import Gaussian
from ml_core.search.halving import check
from ml_core.search.space import sample
from ml_core.search.tpe import Parzen

SAMPLERS = {"gp": Gaussian, "tpe": Parzen}
REPEATS = 5  # times that a candidate which is known already is asked for again, before one is drawn
GOOD = 4  # one in so many of the candidates so far is a good one


@dataclass(frozen=True)
class Bayes:
    """``tries`` candidates, ``batch`` at a time, each batch where a model of the scores so far promises most.

    The same scores always give the same candidates, so that a search that was cut short goes on as it would.

    Parameters
    ----------
    tries : int
        Different candidates; all of them where the space has no more.
    batch : int
        How many are asked for at once. A larger one keeps more cores busy and learns less often.
    start : int
        Candidates spread over the space before the model speaks.
    sampler : "gp" or "tpe"
        A Gaussian process (``ml_core/search/gaussian.py``), or Optuna's tree of Parzen estimators, which
        costs less to ask where there are hundreds of candidates or dozens of axes.
    """

    tries: int = 60
    batch: int = 4
    start: int = 10
    sampler: str = "gp"
    seed: int = 0

    def __post_init__(self):
        check(self, tries=1, batch=1, start=1)
        check_sampler(self.sampler)

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        if space.size() <= self.tries:
            yield space.grid(points=self.tries), 1.0
            return
        study = study_of(space, rng, self.sampler, self.start)
        first = study.spread(min(self.start, self.tries))
        scores = yield first, 1.0
        study.tell(first, scores)
        yield from climb(study, self.tries - len(first), self.batch)


def check_sampler(name):
    """ValueError unless there is such a sampler."""
    if name not in SAMPLERS:
        raise ValueError(f"search.strategy.sampler: got {name!r}, allowed are {', '.join(SAMPLERS)}")


def climb(study, tries, batch):
    """Ask ``study`` for ``tries`` candidates in batches on all rows, and tell it what they scored."""
    while tries > 0 and (asked := study.ask(min(batch, tries))):
        scores = yield asked, 1.0
        study.tell(asked, scores)
        tries -= len(asked)


def study_of(space, rng, sampler="gp", start=10):
    """A Study of a space; of families each their own."""
    if not hasattr(space, "families"):
        return Study(space, rng, sampler, start)
    return Families({f: Study(space.within(f), rng, sampler, start) for f in space.families}, rng)


class Study:
    """What was tried of a Space, and a model that says what to try next."""

    def __init__(self, space, rng, sampler="gp", start=10):
        self.space, self.rng = space, rng
        self._model = SAMPLERS[sampler](space, rng, start)
        self._known, self._worst = set(), np.inf

    def spread(self, n):
        """``n`` candidates, of which each part of each axis, cut into n, holds one (a Latin hypercube)."""
        orders = {name: self.rng.permutation(n) for name in self.space.axes}

        def at(i, name, axis):
            return axis.at((orders[name][i] + self.rng.random()) / n)

        found = [self.space.walk(lambda name, axis, i=i: at(i, name, axis)) for i in range(n)]
        return self._noted({repr(candidate): candidate for candidate in found}.values())

    def ask(self, n):
        """``n`` candidates that were not asked for before; fewer where there are no more."""
        found = []
        while len(found) < n and (fresh := self._fresh()) is not None:
            found += self._noted([fresh])
        return found

    def tell(self, candidates, scores):
        """What candidates scored, asked for here or not; a failure counts as the worst score so far.

        One that leaves an axis open teaches nothing.
        """
        self._noted(candidates)
        whole = [i for i, candidate in enumerate(candidates) if candidate.keys() == self.space.axes.keys()]
        told = np.asarray(scores, float)[whole]
        self._worst = min([self._worst, *told[~np.isnan(told)].tolist()])
        filled = np.where(np.isnan(told), self._worst if np.isfinite(self._worst) else 0.0, told)
        self._model.learn([candidates[i] for i in whole], filled.tolist())

    def _noted(self, candidates):
        self._known |= {repr(candidate) for candidate in candidates}
        return list(candidates)

    def _fresh(self):
        """A candidate that was not asked for yet; None where there is none, or it is too rare to be drawn."""
        for _ in range(REPEATS if len(self._known) < self.space.size() else 0):
            candidate = self._model.propose(self._known)
            if repr(candidate) not in self._known:
                return candidate
        drawn = sample(self.space, len(self._known) + 1, self.rng)
        return next((candidate for candidate in drawn if repr(candidate) not in self._known), None)


class Families:
    """A Study a family; which one is asked is drawn as often as it is among the good candidates so far."""

    def __init__(self, each, rng):
        self.each, self.rng = each, rng
        self._told = []  # (score, family)

    def spread(self, n):
        """``n`` candidates, as many of one family as of another."""
        counts = {family: len(range(i, n, len(self.each))) for i, family in enumerate(self.each)}
        return [_named(f, one) for f, count in counts.items() for one in self.each[f].spread(count)]

    def ask(self, n):
        """``n`` candidates that were not asked for before; fewer where there are no more."""
        found = []
        while len(found) < n and self.each:
            family = self._next()
            one = self.each[family].ask(1)
            found += [_named(family, candidate) for candidate in one]
            if not one:
                del self.each[family]
        return found

    def tell(self, candidates, scores):
        """What candidates scored; a failure counts as the worst score of its family so far."""
        names = [candidate["family"] for candidate in candidates]
        self._told += [(-np.inf if s != s else s, f) for s, f in zip(scores, names, strict=True)]
        for family, study in self.each.items():
            mine = [i for i, name in enumerate(names) if name == family]
            study.tell([_own(candidates[i]) for i in mine], [scores[i] for i in mine])

    def _next(self):
        names = list(self.each)
        good = sorted(self._told, key=lambda pair: -pair[0])[: -(-len(self._told) // GOOD)]
        weights = np.array([1 / len(names) + sum(f == name for _, f in good) for name in names])
        return names[int(np.searchsorted(np.cumsum(weights / weights.sum()), self.rng.random()))]


def _named(family, candidate):
    return {"family": family} | candidate


def _own(candidate):
    return {name: value for name, value in candidate.items() if name != "family"}
