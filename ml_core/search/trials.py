"""Everything that was tried, and which of it is best."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Trials:
    """Everything that was tried, in the order of the strategy: k candidates, f folds.

    Attributes
    ----------
    candidates : k dicts; shares : (k,) of the training rows each was fitted on
    scores, seconds : (k, f); a failed fold is nan
    errors : k texts or None, of the first fold that failed
    more : {further metric: scores (k, f)}
    outrun : (k,) bool, whether racing stopped a trial before its last fold, whose scores are nan from there
    stopped : why the search ended before its strategy did; None when it did not
    """

    candidates: list
    shares: np.ndarray
    scores: np.ndarray
    seconds: np.ndarray
    errors: list
    more: dict = field(default_factory=dict)
    stopped: str | None = None
    outrun: np.ndarray | None = None

    def __post_init__(self):
        if self.outrun is None:
            object.__setattr__(self, "outrun", np.zeros(len(self.candidates), bool))

    @property
    def mean(self):
        """Mean scores (k,); nan when a fold failed."""
        return self.scores.mean(axis=1)

    @property
    def spread(self):
        """Standard deviations over folds (k,), as scikit-learn's std_test_score."""
        return self.scores.std(axis=1)

    @property
    def best(self):
        """The best mean among those fitted on most rows, the first of equals; None when all failed."""
        order = self.order()
        return order[0] if order else None

    def order(self):
        """Places of the finished trials on most rows, the best mean first, then the first of equals."""
        mean = self.mean
        able = np.flatnonzero(np.isfinite(mean) & (self.shares >= self.shares.max(initial=0.0)))
        return [int(i) for i in able[np.argsort(-mean[able], kind="stable")]]

    @property
    def expected(self):
        """Means (k,); of those that racing stopped, what they most likely would have been, at most the best.

        That is the best mean and the difference to it, on the same share of the rows and the same folds.
        """
        mean = self.mean
        for i in np.flatnonzero(self.outrun):
            mean[i] = self.mean[self._rival(i)] - max(0.0, self.behind(i))
        return mean

    def behind(self, i):
        """By how much trial i is behind the best on the same share of the rows, on the folds it got to."""
        known = np.isfinite(self.scores[i])
        return float((self.scores[self._rival(i)] - self.scores[i])[known].mean())

    def _rival(self, i):
        mean = self.mean
        return np.where((self.shares == self.shares[i]) & np.isfinite(mean), mean, -np.inf).argmax()

    def only(self, rows):
        """The trials at these places."""
        return replace(
            self,
            candidates=[self.candidates[i] for i in rows],
            **{name: getattr(self, name)[rows] for name in ("shares", "scores", "seconds", "outrun")},
            errors=[self.errors[i] for i in rows],
            more={name: scores[rows] for name, scores in self.more.items()},
        )

    def failures(self):
        """[(error, candidates it stopped)], the commonest first."""
        return Counter(error for error in self.errors if error is not None).most_common()


class Table:
    """Results of one batch as they come in: k candidates, f folds."""

    def __init__(self, problem, candidates, share):
        self.problem, self.candidates, self.share = problem, candidates, share
        shape = len(candidates), len(problem.folds)
        self.scores, self.seconds = np.full(shape, np.nan), np.zeros(shape)
        self.more = {name: np.full(shape, np.nan) for name in problem.more}
        self.known, self.errors = np.zeros(shape, bool), {}
        self.outrun = np.zeros(len(candidates), bool)

    def put(self, results):
        """Take Results in."""
        for result in results:
            place = result.candidate, result.fold
            self.scores[place], self.seconds[place] = result.score, result.seconds
            self.known[place] = True
            for name, value in zip(self.more, result.more, strict=True):
                self.more[name][place] = value
            if result.error is not None:
                self.errors.setdefault(result.candidate, {})[result.fold] = result.error

    def race(self, r, before, chance):
        """Stop those who will not be the best, by scores on the first r folds and ``before`` (k, f)."""
        from ml_core.models.racing import hopeless

        f = self.scores.shape[1]
        rows = np.flatnonzero(self.known[:, :r].all(axis=1) & ~self.outrun)
        out = hopeless(np.concatenate([self.scores[rows, :r], before[:, :r]]), f, chance)
        self.outrun[rows[out[: len(rows)]]] = True
        self.known[self.outrun] = True

    def finished(self):
        """Trials of the candidates that are known on every fold."""
        rows = np.flatnonzero(self.known.all(axis=1))
        errors = [self.errors.get(int(i)) for i in range(len(self.candidates))]
        whole = Trials(
            self.candidates,
            np.full(len(self.candidates), self.share),
            self.scores,
            self.seconds,
            [None if found is None else found[min(found)] for found in errors],
            self.more,
            outrun=self.outrun,
        )
        return whole if len(rows) == len(self.candidates) else whole.only(rows)


def joined(batches, problem, stopped=None):
    """Trials of all batches, one after the other."""
    none = Table(problem, [], 1.0).finished()
    arrays = {
        name: np.concatenate([getattr(batch, name) for batch in (none, *batches)])
        for name in ("shares", "scores", "seconds", "outrun")
    }
    return Trials(
        [candidate for batch in batches for candidate in batch.candidates],
        **arrays,
        errors=[error for batch in batches for error in batch.errors],
        more={name: np.concatenate([b.more[name] for b in (none, *batches)]) for name in problem.more},
        stopped=stopped,
    )
