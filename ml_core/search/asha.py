"""Halving that does not wait for a full rung: whoever is good enough so far goes on in the next wave."""

from dataclasses import dataclass

import numpy as np

from ml_core.search.halving import check, fitting, leaders, rises
from ml_core.search.space import sample


@dataclass(frozen=True)
class ASHA:
    """Waves of ``wave`` candidates: those that may go on, from the top rung down, then fresh draws.

    Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar 2020, "A system for massively
    parallel hyperparameter tuning": a candidate goes on, to ``keep`` times the rows, as soon as it is among
    the best 1 / ``keep`` of those that were judged beside it so far. Their free worker is a slot of a wave
    here, so that who goes on depends on scores alone, never on how many workers there are or which of them is
    fast. Some go on that would not have, had all been judged first; in return there are candidates on all
    rows long before the last one is drawn.

    Parameters
    ----------
    tries : int
        Candidates drawn; all of them where the space has no more.
    wave : int
        Candidates judged before it is decided again who goes on; 1 learns most, more keep cores busy.
    keep : int
        One in so many goes on, to so many times the rows.
    rungs : int
        Rises from the smallest share, ``keep ** -rungs``, to all rows.
    least : int
        Training rows a fold that the smallest share must have; there are fewer rungs where it has not.
    """

    tries: int = 60
    wave: int = 8
    keep: int = 3
    rungs: int = 3
    least: int = 200
    seed: int = 0

    def __post_init__(self):
        check(self, tries=1, wave=1, keep=2, rungs=0, least=1)

    def fitting(self, rows):
        """The same for folds of so many training rows: no rung has fewer than ``least`` of them."""
        return fitting(self, rows)

    def batches(self, space, rng):
        """Yield (candidates, share of rows), a batch a share that a wave has; be sent their mean scores."""
        fresh = sample(space, self.tries, rng)
        rungs = min(self.rungs, rises(len(fresh), self.keep))  # fewer candidates need fewer rungs
        ladder = Ladder(fresh, rungs, self.keep)
        while wave := ladder.wave(self.wave):
            for rung, candidates in wave:
                ladder.learn(rung, candidates, (yield candidates, float(self.keep) ** (rung - rungs)))


class Ladder:
    """Who was judged on which rung, 0 for the fewest rows, and who went on from there."""

    def __init__(self, fresh, rungs, keep):
        self.waiting, self.keep = fresh[::-1], keep
        self.judged, self.scores = [[] for _ in range(rungs + 1)], [[] for _ in range(rungs + 1)]
        self.gone = [set() for _ in range(rungs + 1)]  # places of those that went on

    def wave(self, n):
        """[(rung, candidates for it)] of the next ``n`` slots, the lowest rung first; [] at the end."""
        found = []
        for rung in reversed(range(len(self.judged) - 1)):
            able = self._able(rung, len(self.judged[rung]) // self.keep)[:n]
            found.append((rung + 1, self._go(rung, able)))
            n -= len(able)
        found.append((0, [self.waiting.pop() for _ in range(min(n, len(self.waiting)))]))
        return [one for one in reversed(found) if one[1]] or self._last()

    def learn(self, rung, candidates, scores):
        """Take in what candidates of a wave scored on a rung."""
        self.judged[rung] += candidates
        self.scores[rung] += list(scores)

    def _able(self, rung, n):
        """Places on a rung of the best ``n`` without those that failed or went on, the best first."""
        places = leaders(range(len(self.judged[rung])), np.asarray(self.scores[rung], float), n)
        return [i for i in places if i not in self.gone[rung] and not np.isnan(self.scores[rung][i])]

    def _go(self, rung, places):
        self.gone[rung] |= set(places)
        return [self.judged[rung][i] for i in places]

    def _last(self):
        """The best there is for all rows, from as high as may be, where none has a score on them."""
        top = len(self.judged) - 1
        if not np.isnan(self.scores[top]).all():
            return []
        for rung in reversed(range(top)):
            if able := self._able(rung, len(self.judged[rung]))[:1]:
                return [(top, self._go(rung, able))]
        return []
