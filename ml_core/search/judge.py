"""Do one unit of work: fit and score candidates on folds whose features are there. Runs anywhere."""

import time
from functools import cache

import numpy as np

from ml_core.models.twin import twin
from ml_core.search.parts import rows_of, words
from ml_core.search.problem import Result, Unit, estimator_of
from ml_core.search.subject import held, one_job

EXPLAINED = 10  # candidates without a score that are fitted once more to learn why


def run(problem, unit: Unit) -> list[Result]:
    """Results of a unit, its features made or found."""
    part, made = problem.kept.get(problem, unit)
    return judged(estimator_of(problem, unit.family), scorers(problem), unit, part, made)


def scorers(problem) -> list:
    """The scorer that decides, then the further ones."""
    return [problem.scorer, *problem.more.values()]


def judged(estimator, scorers, unit: Unit, part, seconds: float = 0.0) -> list[Result]:
    """Results of a unit on its Part, one a candidate and fold; ``seconds`` were spent on it before."""
    blank = (np.nan,) * (len(scorers) - 1)
    if part.error:
        return [Result(i, j, np.nan, 0.0, part.error, blank) for i in unit.places for j in unit.folds]
    if unit.together:
        found = _together(estimator, scorers, unit, part, seconds)
        if found is not None:
            return found
    each = seconds / (len(unit.places) * len(unit.folds))
    found = []
    for i, params in zip(unit.places, unit.params, strict=True):
        for j in unit.folds:
            scores, took, error = fit(estimator, scorers, params, part, j)
            found.append(Result(i, j, scores[0], took + each, error, tuple(scores[1:])))
    return found


def _together(estimator, scorers, unit, part, seconds):
    """Results by the estimator's own ``score_many``; None when it raises: what is wrong shows one by one."""
    started = time.perf_counter()
    try:
        with held(estimator):
            scores = [scored(estimator, scorer, [*unit.params], part, unit.folds) for scorer in scorers]
    except Exception:
        return None
    each = (time.perf_counter() - started + seconds) / scores[0].size
    found, explained = [], 0
    for row, i in enumerate(unit.places):
        for column, j in enumerate(unit.folds):
            values, error = [float(one[row, column]) for one in scores], None
            if not np.isfinite(values[0]):
                explained += 1
                again = explained <= EXPLAINED
                error = (
                    fit(estimator, scorers, unit.params[row], part, j)[2]
                    if again
                    else "no score, as others before"
                )
                values[0], error = np.nan, error or "ValueError: score_many gave no score, one fit alone did"
            found.append(Result(i, j, values[0], each, error, tuple(values[1:])))
    return found


def scored(estimator, scorer, params, part, numbers):
    """Scores (candidates, folds) as the estimator itself gives them for many candidates at once."""
    folds = [part.folds[j] for j in numbers]
    train, test = folds[0]
    if test is not None:
        found = estimator.score_many(part.X, part.y, params, folds, scorer)
    else:
        X, y = (part.X, part.y) if len(train) == part.X.shape[0] else _of(part, train)
        found = estimator.score_out_of_bag(X, y, params, scorer)
    return np.asarray(found, float).reshape(len(params), len(folds))


def fit(estimator, scorers, params, part, j):
    """(scores, seconds, error) of one candidate on fold j of a Part; all scores nan when it failed."""
    started = time.perf_counter()
    train, test = part.folds[j]
    try:
        if test is None:
            scores = [float(scored(estimator, scorer, [params], part, (j,))[0, 0]) for scorer in scorers]
        else:
            fitted = one_job(twin(estimator, params)).fit(*_of(part, train))  # the cores share candidates
            X, y = _of(part, test)
            scores = [float(_callable(scorer, fitted)(fitted, X, y)) for scorer in scorers]
        error = None if np.isfinite(scores[0]) else f"ValueError: the score is {scores[0]}"
    except Exception as failure:
        scores, error = [], words(failure)
    scores = [np.nan] * len(scorers) if error else scores
    return scores, time.perf_counter() - started, error


def _of(part, rows):
    return rows_of(part.X, rows), rows_of(part.y, rows)


def _callable(scorer, fitted):
    from sklearn.metrics import check_scoring

    if callable(scorer):
        return scorer
    return check_scoring(fitted, scorer) if scorer is None else _named(scorer)


@cache
def _named(name):
    from sklearn.metrics import get_scorer

    from ml_core.models import scoring

    return scoring.area if scoring.is_area(name) else get_scorer(name)
