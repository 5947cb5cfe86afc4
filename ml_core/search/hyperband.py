"""Halving at several paces at once, for when nobody knows how much few rows tell."""

from dataclasses import dataclass, replace

import numpy as np

from ml_core.search.halving import check, fitting, leaders, rises
from ml_core.search.space import sample


@dataclass(frozen=True)
class Hyperband:
    """Brackets of halving: the first starts with many candidates on few rows, the last with few on all.

    Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar 2018, "Hyperband: A novel bandit-based approach to
    hyperparameter optimization". A bracket that is at a share of the rows is asked together with all others
    that are, so that one batch a share is all there is to wait for. ``ASHA`` does not wait
    for that one either.

    Parameters
    ----------
    keep : int
        One in so many goes on, to so many times the rows.
    rungs : int
        Rises from the smallest share, ``keep ** -rungs``, to all rows; there are ``rungs + 1`` brackets.
    least : int
        Training rows a fold that the smallest share must have; there are fewer rungs where it has not.
    brackets : int or None
        Rungs that say how many candidates there are, on however many they are judged; None: ``rungs``.
    """

    keep: int = 3
    rungs: int = 3
    least: int = 200
    brackets: int | None = None
    seed: int = 0

    def __post_init__(self):
        check(self, keep=2, rungs=0, least=1)

    def fitting(self, rows):
        """The same for folds of so many training rows: no rung has fewer than ``least`` of them."""
        return replace(fitting(self, rows), brackets=self._brackets())

    def sizes(self):
        """How many start with 0, 1, ..., ``rungs`` rungs to climb; who would with more does with those."""
        most = self._brackets()
        sizes = [-(-(most + 1) * self.keep**s // (s + 1)) for s in range(most + 1)]
        return [*sizes[: self.rungs], sum(sizes[self.rungs :])]

    def _brackets(self):
        return self.rungs if self.brackets is None else max(self.brackets, self.rungs)

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        waiting = sample(space, sum(self.sizes()), rng)[::-1]
        fits = replace(self, rungs=min(self.rungs, rises(len(waiting), self.keep)), brackets=self._brackets())
        brackets = []
        for rung in range(fits.rungs, -1, -1):
            fresh = [waiting.pop() for _ in range(min(fits.sizes()[rung], len(waiting)))]
            brackets = [one for one in [*brackets, fresh] if one]
            scores = yield (
                [candidate for bracket in brackets for candidate in bracket],
                float(self.keep) ** -rung,
            )
            brackets = self._climbing(brackets, scores)

    def _climbing(self, brackets, scores):
        """The best of each bracket, whose scores stand one after the other."""
        ends = np.cumsum([len(bracket) for bracket in brackets])[:-1]
        return [
            leaders(bracket, told, -(-len(bracket) // self.keep))
            for bracket, told in zip(brackets, np.split(np.asarray(scores), ends), strict=True)
        ]
