"""Judge candidates on this machine: shared work where the estimator can, else one fit at a time on all cores.

Letters: n rows, k candidates, f folds.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ml_core.search.subject import held, is_ours, one_job

EXPLAINED = 10  # candidates without a score that are fitted once more to learn why


@dataclass(frozen=True)
class Problem:
    """What stays the same for all candidates.

    Attributes
    ----------
    X : frame or array of n rows; y : (n,) or None
    features, estimator : scikit-learn's kind, not fitted; only clones of them are
    folds : [(train rows, held-out rows)], f of them
    scorer : a scikit-learn scorer, or its name
    """

    X: object
    y: object
    features: object
    estimator: object
    folds: list
    scorer: object


@dataclass(frozen=True)
class Result:
    """One candidate on one fold: score (nan when it failed, and then why), seconds it took."""

    candidate: int
    fold: int
    score: float
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Part:
    """A fold with its features: all rows of both sides, and which are which; or why there are none."""

    folds: dict
    X: object = None
    y: object = None
    seconds: float = 0.0
    error: str | None = None


def evaluate(problem: Problem, candidates: list[dict], share: float = 1.0) -> Iterator[Result]:
    """Yield a Result for every candidate on every fold, as soon as it is known, in no promised order."""
    folds = [(_some(train, share), test) for train, test in problem.folds]
    parts = _prepared(problem, folds)
    if hasattr(problem.estimator, "score_many"):
        for part in parts:
            yield from _together(problem, candidates, part)
    else:
        yield from _one_by_one(problem, candidates, parts)


def _some(train, share):
    """A share of the training rows: the same ones whenever the share is the same."""
    if share >= 1:
        return train
    keep = max(2, round(share * len(train)))
    return np.sort(np.random.default_rng(len(train)).permutation(train)[:keep])


def rows_of(X, rows):
    """Rows of a frame, an array or a CSR matrix; None stays None."""
    from sklearn.utils import _safe_indexing

    return None if X is None else _safe_indexing(X, rows)


def _prepared(problem, folds):
    """Yield Parts: one for all folds where features learn nothing from the rows, else one a fold."""
    from sklearn.base import clone
    from sklearn.utils import get_tags

    started = time.perf_counter()
    if not get_tags(problem.features).requires_fit:
        try:
            with held(problem.features):
                X = clone(problem.features).fit_transform(problem.X)
        except Exception as error:
            yield Part(dict(enumerate(folds)), error=_words(error))
            return
        yield Part(dict(enumerate(folds)), X, problem.y, time.perf_counter() - started)
        return
    for j, (train, test) in enumerate(folds):
        yield _fitted_on(problem, j, train, test)


def _fitted_on(problem, j, train, test):
    from sklearn.base import clone

    started = time.perf_counter()
    y = problem.y
    try:
        with held(problem.features):
            features = clone(problem.features)
            first = features.fit_transform(rows_of(problem.X, train), rows_of(y, train))
            second = features.transform(rows_of(problem.X, test))
    except Exception as error:
        return Part({j: (train, test)}, error=_words(error))
    X = _stacked(first, second)
    here = (np.arange(len(train)), np.arange(len(train), len(train) + len(test)))
    return Part({j: here}, X, rows_of(y, np.concatenate([train, test])), time.perf_counter() - started)


def _stacked(first, second):
    if hasattr(first, "tocsr"):
        from scipy import sparse

        return sparse.vstack([first, second], format="csr")
    return np.concatenate([first, second])


def _failed(candidates, part):
    for j in part.folds:
        for i in range(len(candidates)):
            yield Result(i, j, np.nan, error=part.error)


def _together(problem, candidates, part):
    """Results of all candidates on a part by the estimator's own ``score_many``."""
    if part.error:
        yield from _failed(candidates, part)
        return
    started = time.perf_counter()
    try:
        with held(problem.estimator):
            scores = problem.estimator.score_many(
                part.X, part.y, candidates, list(part.folds.values()), problem.scorer
            )
        scores = np.asarray(scores, float).reshape(len(candidates), len(part.folds))
    except Exception:  # what is wrong shows for each candidate alone
        yield from _one_by_one(problem, candidates, [part])
        return
    each = (time.perf_counter() - started + part.seconds) / scores.size
    explained = 0
    for i in range(len(candidates)):
        for place, j in enumerate(part.folds):
            score, error = scores[i, place], None
            if not np.isfinite(score):
                explained += 1
                again = explained <= EXPLAINED
                error = _fit(problem, candidates[i], part, j)[2] if again else "no score, as others before"
                score, error = np.nan, error or "ValueError: score_many gave no score, one fit alone did"
            yield Result(i, j, float(score), each, error)


def _one_by_one(problem, candidates, parts):
    """Results by one fit at a time, on as many threads as there are cores; compiled fits let go of Python's
    lock, and a process more costs the import of scikit-learn.
    """
    from joblib import Parallel, delayed
    from threadpoolctl import ThreadpoolController

    from ml_core.kernels.workers import count

    jobs = 1 if is_ours(problem.estimator) else count()  # ours use all threads themselves
    openmp = ThreadpoolController().select(
        user_api="openmp"
    )  # its limit holds in one thread only, unlike BLAS's

    def tasks():
        for part in parts:
            for j in part.folds:
                for i in range(len(candidates)):
                    yield i, j, part

    def work(i, j, part):
        if part.error:
            return Result(i, j, np.nan, error=part.error)
        with openmp.limit(limits=1 if jobs > 1 else None):
            score, seconds, error = _fit(problem, candidates[i], part, j)
        return Result(i, j, score, seconds + part.seconds / (len(candidates) * len(part.folds)), error)

    with held(problem.estimator):
        if jobs == 1:
            yield from (work(*task) for task in tasks())
            return
        pool = Parallel(jobs, backend="threading", return_as="generator_unordered", pre_dispatch=2 * jobs)
        yield from pool(delayed(work)(*task) for task in tasks())


def _fit(problem, candidate, part, j):
    """(score, seconds, error) of one candidate on fold j of a part."""
    from sklearn.base import clone
    from sklearn.metrics import check_scoring

    started = time.perf_counter()
    train, test = part.folds[j]
    try:
        fitted = one_job(clone(problem.estimator).set_params(**candidate))  # the cores share candidates
        fitted.fit(rows_of(part.X, train), rows_of(part.y, train))
        scorer = problem.scorer if callable(problem.scorer) else check_scoring(fitted, problem.scorer)
        score = float(scorer(fitted, rows_of(part.X, test), rows_of(part.y, test)))
        error = None if np.isfinite(score) else f"ValueError: the score is {score}"
    except Exception as failure:
        score, error = np.nan, _words(failure)
    return score if error is None else np.nan, time.perf_counter() - started, error


def _words(error):
    """The first line of what went wrong."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
