"""Nested cross-validation: what the whole search, its choice included, is worth on rows it never saw.

The best mean of many candidates is too good by what chance added to it; here each outer fold's rows take no
part in the search that they judge. Cawley and Talbot 2010, "On over-fitting in model selection".
"""

from dataclasses import dataclass, replace

import numpy as np

from ml_core.search.blend import blended
from ml_core.search.choose import taken
from ml_core.search.parts import Parts, features_of, rows_of
from ml_core.search.problem import Problem, estimator_of, resolved
from ml_core.search.subject import held
from ml_core.search.vote import NAME, voting


@dataclass(frozen=True)
class Outer:
    """One outer fold: what was chosen without it (None when all failed), and the score it then got."""

    params: dict | None
    score: float
    inner: float


def outer_problems(problem: Problem, settings, task, by=None):
    """Yield (Problem of the outer training rows, held-out rows) for each outer fold."""
    method = settings.folds.method
    method = "auto" if method == "oob" else method  # what was searched out of bag is judged on folds
    outside = replace(settings.folds, method=method, n=settings.nested, repeats=1)
    for train, test in outside.pairs(len(problem.X), problem.y, task, by):
        X, y = rows_of(problem.X, train), rows_of(problem.y, train)
        inside = settings.folds.pairs(len(X), y, task, rows_of(by, train))
        yield replace(problem, X=X, y=y, folds=inside, kept=Parts()), test


def estimate(problem: Problem, outer, settings, simpler, look) -> list[Outer]:
    """Search within each outer fold by ``look(problem, j) -> Trials``, and judge what it chose."""
    found, settings = [], replace(settings, limits=None)
    for j, (inner, test) in enumerate(outer):
        trials = look(inner, j)
        place, _ = taken(trials, settings, simpler, None)
        if place is None:
            found.append(Outer(None, np.nan, np.nan))
            continue
        candidate, mean = trials.candidates[place], float(trials.mean[place])
        if settings.blend:
            mixed = blended(inner, trials, settings.blend)
            if mixed.better:
                candidate, mean = mixed.params, float(mixed.scores.mean())
        features, estimator = fitted(inner, candidate)
        held_out = features.transform(rows_of(problem.X, test))
        score = _scorer(problem.scorer, estimator)(estimator, held_out, rows_of(problem.y, test))
        found.append(Outer(candidate, float(score), mean))
    return found


def fitted(problem: Problem, candidate):
    """(features, estimator) of a candidate, or of a blend, fitted on all rows of the problem."""
    features, estimator = made(problem, candidate)
    with held(features):
        numbers = features.fit_transform(problem.X, problem.y)
    with held(estimator):
        estimator.fit(numbers, *([] if problem.y is None else [problem.y]))
    return features, estimator


def made(problem, candidate):
    """The same, not fitted."""
    from sklearn.base import clone

    if NAME in candidate:
        members = [(one["weight"], *made(problem, one["params"])) for one in candidate[NAME]]
        return voting(members)
    family, setting, params = resolved(problem, candidate)
    estimator = clone(estimator_of(problem, family)).set_params(**params)
    return clone(features_of(problem, setting)), estimator


def _scorer(scorer, estimator):
    from sklearn.metrics import check_scoring

    return scorer if callable(scorer) else check_scoring(estimator, scorer)
