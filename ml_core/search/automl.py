"""Which family of models, which features, which parameters: one search over all of them."""

from dataclasses import dataclass, replace

from ml_core.search.bayes import Bayes, check_sampler, climb, study_of
from ml_core.search.halving import check, leaders, rises
from ml_core.search.space import sample

ROWS = 3  # a round judges on so many times the rows of the round before


@dataclass(frozen=True)
class AutoML:
    """Rounds in which the better half of the families goes on, on more rows; then Bayes' way among the last.

    Each round spends as many candidates as the one before on half as many families: successive halving of
    Jamieson and Talwalkar 2016, over families as in Li et al. 2020, "Efficient automatic CASH via rising
    bandits". The first candidate of a family is its yaml as it stands, and cheap families come first, so that
    a search that is cut short has the most to show. A space without families goes Bayes' way at once.

    Parameters
    ----------
    tries : int
        Candidates in all, on whatever share of the rows.
    last : int
        Families that come through the rounds.
    explore : float
        Share of ``tries`` that the rounds spend.
    rungs : int
        Rises from the smallest share of the rows, ``3 ** -rungs``, to all.
    least : int
        Training rows a fold that the smallest share must have; there are fewer rungs where it has not.
    batch : int
        Candidates asked at once when the rounds are over.
    """

    tries: int = 100
    last: int = 2
    explore: float = 0.5
    rungs: int = 2
    least: int = 1000
    batch: int = 4
    seed: int = 0
    sampler: str = "gp"
    start: int = 10

    def __post_init__(self):
        check(self, tries=1, last=1, rungs=0, least=1, batch=1, start=1)
        check_sampler(self.sampler)
        if not 0 <= self.explore <= 1:
            raise ValueError(f"search.strategy.explore: got {self.explore!r}, must be from 0 to 1")

    def fitting(self, rows):
        """The same for folds of so many training rows: no round has fewer than ``least`` of them."""
        return replace(self, rungs=min(self.rungs, rises(rows, ROWS, self.least)))

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        if space.size() <= self.tries:
            yield space.grid(points=self.tries), 1.0
            return
        if len(getattr(space, "families", ())) <= self.last:
            whole = Bayes(self.tries, self.batch, self.start, self.sampler)
            yield from whole.batches(space, rng)
            return
        entrants, left = Entrants(space, rng, space.families), self.tries
        halvings = _halvings(len(space.families), self.last)
        for i, goes_on in enumerate(halvings):
            share = float(ROWS) ** -max(self.rungs - i, 0)
            asked = entrants.next(int(self.explore * self.tries / len(halvings)))[:left]
            entrants.learn(asked, (yield asked, share), goes_on)
            left -= len(asked)
        study = study_of(space.only(entrants.alive), rng, self.sampler, self.start)
        if share == 1:
            study.tell(*entrants.told(asked))
        for some in entrants.through() if share < 1 else ():
            some = some[:left]
            if some:
                study.tell(some, (yield some, 1.0))
                left -= len(some)
        yield from climb(study, left, self.batch)


class Entrants:
    """The families that are still in, and what each of them is tried with in the next round."""

    def __init__(self, space, rng, alive):
        self.space, self.rng, self.alive = space, rng, alive
        self._best, self._known = {}, {}

    def next(self, n):
        """``n`` candidates, as many of each family: those that came through, else its yaml, and draws."""
        each = max(1, n // len(self.alive))
        return [candidate for family in self.alive for candidate in self._of(family, each)]

    def learn(self, asked, scores, goes_on):
        """Keep the ``goes_on`` families whose best is best, and a third of the candidates of each."""
        self._known = {repr(candidate): score for candidate, score in zip(asked, scores, strict=True)}
        mine = {family: [one for one in asked if one["family"] == family] for family in self.alive}
        self._best = {family: self._sorted(ones) for family, ones in mine.items() if ones}
        tops = [self._score(ones[0]) for ones in self._best.values()]
        heads = leaders(list(self._best), tops, goes_on)
        self.alive = [family for family in self.alive if family in heads]

    def through(self):
        """The candidates that came through, a list a family, the best family first.

        One after the other: a search that is cut short, or has enough, need not wait for the others.
        """
        tops = [self._score(self._best[family][0]) for family in self.alive]
        return [self._through(family) for family in leaders(self.alive, tops, len(self.alive))]

    def told(self, asked):
        """(candidates, scores) of the families that are in."""
        still = [one for one in asked if one["family"] in self.alive]
        return still, [self._score(one) for one in still]

    def _of(self, family, n):
        found = self._through(family) or self.space.only([family]).plain()
        drawn = sample(self.space.only([family]), n, self.rng)
        return (found + [candidate for candidate in drawn if candidate not in found])[:n]

    def _through(self, family):
        best = self._best.get(family, [])
        return best[: -(-len(best) // 3)]

    def _sorted(self, candidates):
        return leaders(candidates, [self._score(one) for one in candidates], len(candidates))

    def _score(self, candidate):
        return self._known[repr(candidate)]


def _halvings(families, last):
    """How many families go on after each round, down to ``last``."""
    found = []
    while families > last:
        families = max(-(-families // 2), last)
        found.append(families)
    return found
