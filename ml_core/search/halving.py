"""Many candidates on few rows, then the better ones on more."""

from dataclasses import dataclass, replace

import numpy as np

from ml_core.search.space import sample


@dataclass(frozen=True)
class Halving:
    """Judge all candidates on a small share of the rows, the best 1 / ``keep`` on ``keep`` times as many, ...

    Jamieson and Talwalkar 2016, "Non-stochastic best arm identification".

    Parameters
    ----------
    tries : int
        Candidates drawn; all of them where the space has no more.
    points : int or None
        Instead of draws every combination, a range as so many points; no more than ``tries`` of them, or it
        is refused.
    keep : int
        One in so many goes on, to so many times the rows.
    rungs : int
        Rises from the smallest share, ``keep ** -rungs``, to all rows.
    least : int
        Training rows a fold that the smallest share must have; there are fewer rungs where it has not.
    """

    tries: int = 60
    points: int | None = None
    keep: int = 3
    rungs: int = 3
    least: int = 200
    seed: int = 0

    def __post_init__(self):
        check(self, tries=1, keep=2, rungs=0, least=1)
        if self.points is not None and self.points < 1:
            raise ValueError(f"search.strategy.points: got {self.points}, must be 1 or more, or null")

    def fitting(self, rows):
        """The same for folds of so many training rows: no rung has fewer than ``least`` of them."""
        return fitting(self, rows)

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        alive = self._first(space, rng)
        rungs = min(self.rungs, rises(len(alive), self.keep))  # fewer candidates need fewer rungs
        for rung in range(rungs, -1, -1):
            scores = yield alive, float(self.keep) ** -rung
            alive = leaders(alive, scores, -(-len(alive) // self.keep))

    def _first(self, space, rng):
        if self.points is None:
            return sample(space, self.tries, rng)
        size = space.grid_size(self.points)
        if size > self.tries:
            raise ValueError(
                f"search.strategy: the grid has {size} candidates, the most allowed are tries={self.tries}; "
                "set search.strategy.points lower, search.strategy.tries higher, or points=null for draws"
            )
        return space.grid(self.points)


def fitting(strategy, rows):
    """A strategy whose smallest share of so many training rows has ``least`` of them, by fewer rungs."""
    return replace(strategy, rungs=min(strategy.rungs, rises(rows, strategy.keep, strategy.least)))


def leaders(candidates, scores, n):
    """The ``n`` candidates with the best scores, the earlier of equals first; those that failed come last."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    return [candidates[i] for i in np.argsort(-scores, kind="stable")[:n]]


def rises(count, keep, least=1):
    """How often ``count`` can be divided by ``keep`` without falling below ``least``."""
    found = 0
    while count // keep >= least:
        count, found = count // keep, found + 1
    return found


def check(strategy, **least):
    """ValueError for the first setting of a strategy that is below its least value."""
    for name, bound in least.items():
        value = getattr(strategy, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < bound:
            raise ValueError(f"search.strategy.{name}: got {value!r}, must be {bound} or more")
