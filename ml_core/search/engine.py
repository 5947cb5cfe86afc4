"""Drive a strategy over a problem: candidates out, scores back, and what came of all of them.

The strategy never sees data; where candidates are judged is the engine's business: ``local.evaluate`` here,
anything with its signature elsewhere. ``record`` hears of each Result first, so that a journal can keep it.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ml_core.progress import track
from ml_core.search import local
from ml_core.search.local import Problem
from ml_core.search.space import Space
from ml_core.search.subject import check_names


@dataclass(frozen=True)
class Trials:
    """Everything that was tried, in the order of the strategy: k candidates, f folds.

    Attributes
    ----------
    candidates : k dicts; shares : (k,) of the training rows each was fitted on
    scores, seconds : (k, f); a failed fold is nan
    errors : k texts or None, of the first fold that failed
    """

    candidates: list
    shares: np.ndarray
    scores: np.ndarray
    seconds: np.ndarray
    errors: list

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
        mean = np.where(np.isnan(self.mean), -np.inf, self.mean)
        mean[self.shares < self.shares.max()] = -np.inf
        return int(np.argmax(mean)) if np.isfinite(mean).any() else None

    def failures(self):
        """[(error, candidates it stopped)], the commonest first."""
        return Counter(error for error in self.errors if error is not None).most_common()


def search(
    problem: Problem,
    space: Space,
    strategy,
    engine: Callable = local.evaluate,
    record: Callable | None = None,
) -> Trials:
    """Ask ``strategy`` for candidates of ``space`` until it stops, and have ``engine`` judge them.

    ``record(candidate, share, result)`` is called for every Result as it comes in.
    """
    check_names(problem.estimator, space.axes)
    rng = np.random.default_rng(getattr(strategy, "seed", 0))
    batches = strategy.batches(space, rng)
    tried, means = [], None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # one warning a fit would bury what matters; failures are in the table
        while True:
            try:
                candidates, share = batches.send(means)
            except StopIteration:
                break
            batch = _judged(problem, candidates, share, engine, record)
            tried.append(batch)
            means = batch.mean
    if not sum(len(batch.candidates) for batch in tried):
        raise ValueError(f"search.strategy: {type(strategy).__name__} gave no candidate; check its settings")
    return Trials(
        [candidate for batch in tried for candidate in batch.candidates],
        *(np.concatenate([getattr(b, name) for b in tried]) for name in ("shares", "scores", "seconds")),
        [error for batch in tried for error in batch.errors],
    )


def _judged(problem, candidates, share, engine, record):
    """Trials of one batch."""
    shape = (len(candidates), len(problem.folds))
    scores, seconds, errors = np.full(shape, np.nan), np.zeros(shape), {}
    results = engine(problem, candidates, share) if candidates else ()
    for result in track(results, "search", total=shape[0] * shape[1]):
        if record is not None:
            record(candidates[result.candidate], share, result)
        place = result.candidate, result.fold
        scores[place], seconds[place] = result.score, result.seconds
        if result.error is not None:
            errors[place] = result.error
    first = [min((j for k, j in errors if k == i), default=None) for i in range(len(candidates))]
    texts = [None if j is None else errors[i, j] for i, j in enumerate(first)]
    return Trials(list(candidates), np.full(len(candidates), float(share)), scores, seconds, texts)
