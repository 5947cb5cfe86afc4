"""A whole grid of neighbour models from one search a fold: k nearest are the first k of the most asked."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone, is_classifier

from ml_core.kernels import nearest
from ml_core.models import scoring

FREE = {"n_neighbors", "weights", "aggregate"}  # what may vary without another search


def score_all(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds)."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    plan = _plan(model, candidates)
    judge = _judge(model, scorer)
    if not issparse(X):
        nearest.expect(len(plan) * sum(len(train) * len(test) for train, test in folds))
    for j, (train, test) in enumerate(folds if plan else []):
        parts = [scoring.rows_of(whole, rows) for rows in (train, test) for whole in (X, y)]
        for members in plan:
            for i, score in _score_group(members, parts, judge):
                scores[i, j] = score
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _judge(model, scorer):
    """The callable (fitted, X, y) -> score; accuracy without scikit-learn's look at every label."""
    slowly = scoring.judge(model, scorer)
    if not is_classifier(model) or scoring.name_of(scorer, "accuracy") != "accuracy":
        return slowly

    def share(fitted, X, y):
        labels = np.asarray(y)
        known = labels.ndim == 1 and not fitted.outputs_2d_ and labels.dtype == fitted.classes_.dtype
        return np.mean(fitted.predict(X) == labels) if known else slowly(fitted, X, y)

    return share


def _plan(model, candidates):
    """Groups of (index, trial) that share their search."""
    found = {}
    for i, candidate in enumerate(candidates):
        try:
            trial = clone(model).set_params(**candidate)
            trial._validate_params()
        except (ValueError, TypeError):
            continue
        if trial.metric != "precomputed":
            rest = {name: value for name, value in trial.get_params().items() if name not in FREE}
            found.setdefault(repr(sorted(rest.items())), []).append((i, trial))
    return list(found.values())


def _score_group(members, parts, judge):
    """Yield (index, score) of those members whose search and score succeed."""
    X, y, held, truth = parts
    fitting = [(i, trial) for i, trial in members if trial.n_neighbors <= len(y)]
    if not fitting:
        return
    most = max(trial.n_neighbors for _, trial in fitting)
    try:
        first = clone(fitting[0][1]).set_params(n_neighbors=most).fit(X, y)
        known = (held, *first.kneighbors(held))
    except ValueError:
        return  # one fit at a time says why
    learned = {name: value for name, value in vars(first).items() if name not in first.get_params()}
    for i, trial in fitting:
        vars(trial).update(learned, _known=known)
        try:
            yield i, judge(trial, held, truth)
        except ValueError:
            continue
