"""What every ``score_many`` needs around its kernel: which scorer, which candidates go together."""

import warnings
from functools import cache

import numpy as np
from sklearn.base import clone

from ml_core.kernels import roc
from ml_core.models.twin import twin

QUICK = {  # scikit-learn's function -> the scorers' names we know a shorter way to, with their sign
    ("r2_score", 1): "r2",
    ("mean_squared_error", -1): "neg_mean_squared_error",
    ("root_mean_squared_error", -1): "neg_root_mean_squared_error",
    ("accuracy_score", 1): "accuracy",
}


def name_of(scorer, default):
    """Name of a scorer (a name, scikit-learn's, None for the estimator's own) if in QUICK, else None."""
    if scorer is None:
        return default
    if isinstance(scorer, str):
        return scorer if scorer in QUICK.values() else None
    if getattr(scorer, "_kwargs", None) or not hasattr(scorer, "_score_func"):
        return None
    function = scorer._score_func
    if not getattr(function, "__module__", "").startswith("sklearn."):
        return None
    return QUICK.get((function.__name__, scorer._sign))


def rows_of(X, rows):
    """Rows of an array, a CSR matrix or a frame."""
    from sklearn.utils import _safe_indexing

    return _safe_indexing(X, rows)


def judge(model, scorer):
    """The callable (fitted, X, y) -> number of a scorer's name, a scorer, or None."""
    from sklearn.metrics import check_scoring

    return area if is_area(scorer) else check_scoring(model, scorer)


def is_area(scorer):
    """Whether a scorer, or its name, is scikit-learn's roc_auc as it comes."""
    if isinstance(scorer, str):
        return scorer == "roc_auc"
    return scorer is not None and scorer == _roc_auc()


@cache
def _roc_auc():
    from sklearn.metrics import get_scorer

    return get_scorer("roc_auc")


def area(fitted, X, y):
    """scikit-learn's roc_auc; where two classes are two classes, by one sort and without its checks."""
    labels, classes = np.asarray(y), getattr(fitted, "classes_", ())
    if len(classes) != 2 or labels.ndim != 1 or labels.dtype != np.asarray(classes).dtype:
        return _roc_auc()(fitted, X, y)
    positive = labels == classes[1]
    score = fitted.decision_function(X) if hasattr(fitted, "decision_function") else None
    score = fitted.predict_proba(X)[:, 1] if score is None else score
    known = (
        np.shape(score) == positive.shape and np.isfinite(score).all() and 0 < positive.sum() < len(positive)
    )
    if not (known and (positive | (labels == classes[0])).all()):
        return _roc_auc()(fitted, X, y)
    return roc.area(positive, score)


def score_rest(model, data, trials, scorer, scores):
    """Fill what is still nan in scores (candidates, folds) by one fit at a time; nan stays where that raises.

    ``data`` is (X, y), ``trials`` is (candidates, folds).
    """
    (X, y), (candidates, folds) = data, trials
    todo = np.isnan(scores)
    scored = judge(model, scorer)
    for j in np.flatnonzero(todo.any(axis=0)):
        train, test = folds[j]
        parts = [rows_of(part, rows) for rows in (train, test) for part in (X, y)]
        for i in np.flatnonzero(todo[:, j]):
            try:
                fitted = clone(model).set_params(**candidates[i]).fit(parts[0], parts[1])
                scores[i, j] = scored(fitted, parts[2], parts[3])
            except Exception as error:
                warnings.warn(f"{candidates[i]} on fold {j} got no score: {error}", stacklevel=3)
    return scores


def groups(model, candidates, fast, allowed):
    """Candidates that can share work -> [(a model with their common parameters, [index], [values of fast])].

    ``fast`` names the parameter that may vary inside a group; ``allowed(model)`` says whether the kernel
    knows the model. A candidate that is refused or unknown is left out, for one fit at a time to judge.
    """
    found = {}
    for i, candidate in enumerate(candidates):
        try:
            trial = twin(model, candidate)
            trial._validate_params()
            if not allowed(trial):
                continue
        except (ValueError, TypeError):
            continue
        rest = {name: value for name, value in trial.get_params().items() if name != fast}
        _, indices, values = found.setdefault(repr(sorted(rest.items())), (trial, [], []))
        indices.append(i)
        values.append(getattr(trial, fast) if fast else None)
    return list(found.values())


def dressed(model, candidate, X, learned):
    """A clone with candidate's parameters and learned attributes, as if fitted on rows like X."""
    fitted = twin(model, candidate)
    fitted.n_features_in_ = X.shape[1]
    for name, value in learned.items():
        setattr(fitted, name, value)
    return fitted


class Held:
    """The held-out rows of one fold, read only when a score needs them."""

    def __init__(self, X, y, rows, scorer):
        self.rows, self.scorer = rows, scorer
        self._whole, self._part = (X, y), None

    def score(self, fitted):
        """Score of a fitted model; nan where that raises."""
        if self._part is None:
            self._part = [rows_of(whole, self.rows) for whole in self._whole]
        try:
            return float(judge(fitted, self.scorer)(fitted, *self._part))
        except Exception:  # one fit at a time will raise it again, and say so
            return np.nan
