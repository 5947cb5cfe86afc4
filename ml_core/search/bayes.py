"""Ask where the scores so far promise most: Optuna's samplers, told whole batches."""

import importlib.util
import warnings
from dataclasses import dataclass

import numpy as np

from ml_core.search.halving import check
from ml_core.search.space import Values, sample

SAMPLERS = ("tpe", "gp")
REPEATS = 5  # times that a candidate which is known already is asked for again, before one is drawn
GOOD = 4  # one in so many of the candidates so far is a good one


@dataclass(frozen=True)
class Bayes:
    """``tries`` candidates, ``batch`` at a time, each batch where a model of the scores so far promises most.

    Bergstra, Bardenet, Bengio and Kegl 2011, "Algorithms for hyper-parameter optimization" (tpe); Jones,
    Schonlau and Welch 1998, "Efficient global optimization" (gp). Within a batch a candidate that has no
    score yet is taken for a bad one (constant liar), so that the next is sought elsewhere. The same scores
    always give the same candidates.

    Parameters
    ----------
    tries : int
        Different candidates; all of them where the space has no more.
    batch : int
        How many are asked for at once. A larger one keeps more cores busy and learns less often.
    start : int
        Candidates spread over the space before the model speaks.
    sampler : "tpe" or "gp"
        gp needs the package torch; it pays where a fit is dear and all axes are ranges.
    """

    tries: int = 60
    batch: int = 4
    start: int = 10
    sampler: str = "tpe"
    seed: int = 0

    def __post_init__(self):
        check(self, tries=1, batch=1, start=1)
        if self.sampler not in SAMPLERS:
            raise ValueError(
                f"search.strategy.sampler: got {self.sampler!r}, allowed are {', '.join(SAMPLERS)}"
            )
        if self.sampler == "gp" and importlib.util.find_spec("torch") is None:
            raise ValueError(
                "search.strategy.sampler=gp needs the package torch, which is not installed; "
                "pip install torch, or set search.strategy.sampler=tpe"
            )

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        if space.size() <= self.tries:
            yield space.grid(points=self.tries), 1.0
            return
        study = study_of(space, rng, self.sampler, self.start)
        first = study.spread(min(self.start, self.tries))
        scores = yield [candidate for candidate, _ in first], 1.0
        study.tell(first, scores)
        yield from climb(study, self.tries - len(first), self.batch)


def climb(study, tries, batch):
    """Ask ``study`` for ``tries`` candidates in batches on all rows, and tell it what they scored."""
    while tries > 0 and (asked := study.ask(min(batch, tries))):
        scores = yield [candidate for candidate, _ in asked], 1.0
        study.tell(asked, scores)
        tries -= len(asked)


def study_of(space, rng, sampler="tpe", start=10):
    """A Study of a space; of families each their own."""
    if not hasattr(space, "families"):
        return Study(space, rng, sampler, start)
    each = {f: Study(space.within(f), rng, sampler, start) for f in space.families}
    return Families(each, rng)


class Study:
    """Optuna's study of a space: what was tried, and what to try next.

    What is asked for comes as [(candidate, trial)], and goes back as it is with its scores.
    """

    def __init__(self, space, rng, sampler, start):
        self.space, self.rng = space, rng
        self._known = set()
        self._study = silently(_made, sampler, start, int(rng.integers(2**31)))

    def spread(self, n):
        """``n`` candidates, of which each part of each axis, cut into n, holds one (a Latin hypercube)."""
        orders = {name: self.rng.permutation(n) for name in self.space.axes}

        def at(i, name, axis):
            return axis.at((orders[name][i] + self.rng.random()) / n)

        found = {}
        for i in range(n):
            candidate = self.space.walk(lambda name, axis, i=i: at(i, name, axis))
            found.setdefault(repr(candidate), candidate)
        return [self._fixed(candidate) for candidate in found.values()]

    def ask(self, n):
        """``n`` that were not asked for before; fewer where there are no more."""
        found = []
        while len(found) < n:
            one = self._fresh()
            if one is None:
                break
            found.append(one)
        return found

    def tell(self, asked, scores):
        """Scores of what was asked; one that failed counts as the worst of all so far."""
        from optuna.trial import TrialState

        scores = np.asarray(scores, float)
        known = [trial.value for trial in self._study.get_trials(False, (TrialState.COMPLETE,))]
        worst = min([*known, *scores[~np.isnan(scores)].tolist()], default=0.0)
        for (_, trial), score in zip(asked, scores.tolist(), strict=True):
            self._study.tell(trial, worst if score != score else score)

    def learn(self, candidates, scores):
        """Take over what was tried elsewhere; a candidate that leaves axes open teaches nothing."""
        whole = [i for i, candidate in enumerate(candidates) if candidate.keys() == self.space.axes.keys()]
        self._known |= {repr(candidate) for candidate in candidates}
        self.tell([self._fixed(candidates[i]) for i in whole], [scores[i] for i in whole])

    def _fresh(self):
        for _ in range(REPEATS if len(self._known) < self.space.size() else 0):
            trial = silently(self._study.ask)
            candidate = silently(self.space.walk, lambda name, axis, t=trial: _suggested(t, name, axis))
            if repr(candidate) not in self._known:
                self._known.add(repr(candidate))
                return candidate, trial
            silently(self._study.tell, trial, None, _failed())
        drawn = sample(self.space, len(self._known) + 1, self.rng)
        fresh = next((candidate for candidate in drawn if repr(candidate) not in self._known), None)
        return None if fresh is None else self._fixed(fresh)

    def _fixed(self, candidate):
        """(candidate, trial) for a candidate of one's own."""
        self._known.add(repr(candidate))
        axes = self.space.axes
        self._study.enqueue_trial({name: _inner(axes[name], value) for name, value in candidate.items()})
        trial = silently(self._study.ask)
        silently(self.space.walk, lambda name, axis: _suggested(trial, name, axis))
        return candidate, trial


class Families:
    """A study a family; which one is asked is drawn as often as it is among the good candidates so far."""

    def __init__(self, each, rng):
        self.each, self.rng = each, rng
        self._told = []  # (score, family)

    def spread(self, n):
        """``n`` candidates, as many of one family as of another."""
        counts = dict.fromkeys(self.each, 0)
        for i in range(n):
            counts[list(self.each)[i % len(self.each)]] += 1
        return [_named(f, one) for f, count in counts.items() for one in self.each[f].spread(count)]

    def ask(self, n):
        """``n`` that were not asked for before; fewer where there are no more."""
        found = []
        while len(found) < n and self.each:
            family = self._next()
            one = self.each[family].ask(1)
            found += [_named(family, *one)] if one else []
            if not one:
                del self.each[family]
        return found

    def tell(self, asked, scores):
        """Scores of what was asked; one that failed counts as the worst of its family so far."""
        self._learned(asked, scores, "tell", lambda one: (_rest(one[0]), one[1]), lambda one: one[0])

    def learn(self, candidates, scores):
        """Take over what was tried elsewhere; a candidate that leaves axes open teaches nothing."""
        self._learned(candidates, scores, "learn", _rest, lambda one: one)

    def _learned(self, asked, scores, how, inner, candidate):
        families = [candidate(one)["family"] for one in asked]
        self._told += [(-np.inf if s != s else s, f) for s, f in zip(scores, families, strict=True)]
        for family in dict.fromkeys(families):
            mine = [i for i, name in enumerate(families) if name == family and family in self.each]
            if mine:
                getattr(self.each[family], how)([inner(asked[i]) for i in mine], [scores[i] for i in mine])

    def _next(self):
        names = list(self.each)
        good = sorted(self._told, key=lambda pair: -pair[0])[: -(-len(self._told) // GOOD)]
        weights = np.array([1 / len(names) + sum(f == name for _, f in good) for name in names])
        return names[int(np.searchsorted(np.cumsum(weights / weights.sum()), self.rng.random()))]


def _named(family, one):
    return {"family": family} | one[0], one[1]


def _rest(candidate):
    return {name: value for name, value in candidate.items() if name != "family"}


def _failed():
    from optuna.trial import TrialState

    return TrialState.FAIL


def _made(sampler, start, seed):
    import optuna

    if sampler == "gp":
        sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=start)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=start, multivariate=True)
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=optuna.pruners.NopPruner())


def silently(call, *arguments):
    """What ``call`` returns; Optuna says neither that a study began nor that a setting is new."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*arguments)
    finally:
        logging.set_verbosity(before)


def _suggested(trial, name, axis):
    """A value of the axis; lists go by place: Optuna takes neither lists in lists nor 1 beside true."""
    if isinstance(axis, Values):
        last = len(axis.values) - 1
        if axis.ascends:
            return axis.values[trial.suggest_int(name, 0, last)]
        return axis.values[trial.suggest_categorical(name, range(last + 1))]
    if axis.whole:
        return trial.suggest_int(name, axis.low, axis.high, log=axis.log)
    return axis.near(trial.suggest_float(name, axis.low, axis.high, log=axis.log))


def _inner(axis, value):
    """What Optuna knows a value by."""
    if not isinstance(axis, Values):
        return value
    return next(i for i, known in enumerate(axis.values) if known == value and type(known) is type(value))
