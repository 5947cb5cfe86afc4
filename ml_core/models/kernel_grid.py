"""Many kernel machines at the price of a few: one matrix of distances or products for all candidates and
folds.

Letters: n rows, c candidates, f folds, D (n, n) squared distances or P (n, n) products in float32.

Candidates of one kernel share its matrix on a fold, which every pair of classes and every C or nu then
reuses. Candidates that ask for something else (a callable kernel, probability) are fitted one at a time.
"""

import functools

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_X_y, compute_class_weight

from ml_core.kernels import similarity, threads, workers
from ml_core.models import kernel_machine, scoring

MOST = 16000  # rows of which a matrix is held: 1 GB of float32, and as much again for a fold


class Answers(ClassifierMixin, BaseEstimator):
    """A fitted model that knows its decisions on one set of rows already, for scorers to ask."""

    def __init__(self, model=None, decisions=None):
        self.model = model
        self.decisions = decisions
        self.classes_ = model.classes_

    def __sklearn_is_fitted__(self):
        return True

    def decision_function(self, X):
        """The decisions, whatever X is."""
        return self.model._shaped(self.decisions)

    def predict(self, X):
        """The labels, whatever X is."""
        self.model._check_ties()
        return self.model._labels(self.decisions)


def score_many(model, X, y, candidates, folds, scorer):
    """Scores (c, f), nan where a candidate fails; see docs/contracts.md."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    models = [_candidate(model, candidate) for candidate in candidates]
    try:
        values, _ = check_X_y(
            X, y, dtype=np.float64, accept_sparse="csr", order="C", accept_large_sparse=False
        )
    except ValueError:
        values = np.empty((0, 0))  # some folds may still be sound: one fit at a time will tell
    if 0 < values.shape[0] <= MOST:
        _together(models, values, np.asarray(y), folds, scorer, scores)
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


@threads.single
def _together(models, X, y, folds, scorer, scores):
    """Fill scores of all that share a matrix."""
    for matrix in ("distances", "products", "given"):
        members = [i for i, each in enumerate(models) if each is not None and _matrix(each) == matrix]
        if members:
            _share(matrix, models, members, (X, y), folds, scorer, scores)


def _candidate(model, candidate):
    """The model with the candidate's parameters, None where they are out of range."""
    try:
        model = clone(model).set_params(**candidate)
        model._validate_params()
    except (ValueError, TypeError):
        return None
    return model


def _matrix(model):
    """Which matrix serves this model, if any."""
    if callable(model.kernel) or model.probability is True:
        return None
    return {"rbf": "distances", "precomputed": "given"}.get(model.kernel, "products")


def _share(matrix, models, members, data, folds, scorer, scores):
    """Fill scores of the members from one matrix; of a fold's kernel matrices one at a time is held."""
    X, y = data
    if matrix == "given":
        if issparse(X) or X.shape[0] != X.shape[1]:
            return
        whole = X
    else:
        points = X - X.mean(axis=0) if matrix == "distances" and not issparse(X) else X
        linear = similarity.Kernel("linear")
        whole = similarity.matrix(linear, points, points, np.float32, matrix == "distances")
    for k, (train, test) in enumerate(folds):
        inner, outer = whole[np.ix_(train, train)], whole[np.ix_(test, train)]
        for kernel, some in _kernels(models, members, X[train]).items():
            K, T = _finished(kernel, inner), _finished(kernel, outer)
            for i in some:
                scores[i, k] = _score(models[i], (K, T), y[train], (X, y, test), scorer)


def _score(model, matrices, y, held, scorer):
    """Fit on y (n,) by the matrices, score on the held-out rows; nan where that raises."""
    X, y_all, test = held
    try:
        answers = _answers(model, *matrices, y)
        if scoring.name_of(scorer, "accuracy") == "accuracy":
            return np.mean(answers.predict(None) == y_all[test])
        return scoring.judge(answers, scorer)(answers, X[test], y_all[test])
    except ValueError:
        return np.nan


def _kernels(models, members, X):
    """Kernel -> the candidates (of members) that have it; gamma='scale' differs from fold to fold."""
    groups = {}
    for i in members:
        name, gamma = models[i].kernel, 1.0
        if name == "precomputed":
            name = "linear"  # nothing is left to do
        elif name != "linear":
            gamma = float(kernel_machine.gamma_of(models[i].gamma, X))
        kernel = similarity.Kernel(name, gamma, models[i].degree, float(models[i].coef0))
        groups.setdefault(kernel, []).append(i)
    return groups


def _finished(kernel, values):
    """Kernel values of distances or products, a copy."""
    out = values.copy()
    if kernel.name != "linear":
        workers.each(lambda rows: kernel.finish(out[rows]), workers.slices(len(out), 256), workers.count())
    return out


def _answers(model, K, T, y):
    """Fit on the kernel matrix K (n, n) of the training rows, decide on T (held out, n)."""
    model.classes_, codes = np.unique(y, return_inverse=True)
    q = len(model.classes_)
    if q < 2:
        raise ValueError("one class")
    model.class_weight_ = compute_class_weight(model.class_weight, classes=model.classes_, y=y)
    weight = model._weights(codes, np.ones(len(y)))
    machine = functools.partial(model._machine, compiled=True)
    found = kernel_machine.fit_pairs(similarity.Given(K), codes, weight, q, machine)
    decisions = np.column_stack([T[:, members] @ part.b + part.offset for members, part in found])
    if not np.isfinite(decisions).all():
        raise ValueError("not finite")
    kernel_machine.warn_unless_converged(model, [part for _, part in found])
    return Answers(model, decisions)
