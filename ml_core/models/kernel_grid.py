"""Many kernel machines at the price of a few: one matrix of distances or products for all of them.

Letters: n rows, c candidates, f folds, D (n, n) squared distances or P (n, n) products in float32.

Candidates of one kernel share its matrix on a fold, which every pair of classes and every C or nu then
reuses. Candidates that ask for something else (a callable kernel, probability) are fitted one at a time.
"""

import functools

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_X_y

from ml_core.kernels import similarity, threads, workers
from ml_core.models import kernel_machine, scoring
from ml_core.models.weights import weights_of_classes

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
        train = train[np.argsort(y[train], kind="stable")]  # machines take their points class by class
        fold = _Fold(X, y, train, test, scorer)
        inner, outer = whole[np.ix_(train, train)], whole[np.ix_(test, train)]
        for kernel, some in _kernels(models, members, X[train]).items() if fold.sound else []:
            K, T = _finished(kernel, inner), _finished(kernel, outer)
            K = similarity.Given(K, keep=True, single=K.dtype == np.float32)
            fitted = {}
            for path in _paths(models, some):
                fitted |= fold.fit_path({i: models[i] for i in path}, K)
            for i, decisions in _decided(fitted, T):
                scores[i, k] = fold.score(models[i], decisions)


class _Fold:
    """One fold: what its candidates have in common."""

    def __init__(self, X, y, train, test, scorer):
        self.X, self.y, self.test, self.scorer = X, y, test, scorer
        self.labels = y[train]
        self.classes, self.codes = np.unique(self.labels, return_inverse=True)
        self.sound = len(self.classes) > 1
        self.weights = {}

    def fit_path(self, models, K):
        """Machines of {candidate: model}, each from the two before it -> {candidate: machines}."""
        found = {}
        for i, model in models.items():
            # a machine that stops early depends on where it starts
            earlier = list(found.values())[-2:] if model.max_iter == -1 else ()
            made = self._fit(model, K, earlier)
            if made is not None:
                found[i] = made
        return found

    def _fit(self, model, K, earlier):
        """Machines of a candidate on the kernel matrix of the training rows; None where it cannot be."""
        model.classes_ = self.classes
        try:
            key = repr(model.class_weight)
            if key not in self.weights:
                self.weights[key] = weights_of_classes(model.class_weight, self.classes, self.labels)
            model.class_weight_ = self.weights[key]
            weight = model._weights(self.codes, np.ones(len(self.codes)))
        except ValueError:
            return None
        machine = functools.partial(model._machine, compiled=True)
        found = kernel_machine.fit_pairs(K, self.codes, weight, len(self.classes), machine, earlier)
        kernel_machine.warn_unless_converged(model, [part for _, part in found])
        return found

    def score(self, model, decisions):
        """Score on the held-out rows; nan where that raises."""
        if not np.isfinite(decisions).all():
            return np.nan
        answers, right = Answers(model, decisions), self.y[self.test]
        try:
            if scoring.name_of(self.scorer, "accuracy") == "accuracy":
                return np.mean(answers.predict(None) == right)
            return scoring.judge(answers, self.scorer)(answers, self.X[self.test], right)
        except ValueError:
            return np.nan


def _paths(models, some):
    """Candidates that differ in C or nu alone, the least first."""
    paths = {}
    for i in some:
        model = models[i]
        paths.setdefault((model.tol, model.max_iter, repr(model.class_weight)), []).append(i)
    name = "nu" if hasattr(models[some[0]], "nu") else "C"
    return [sorted(path, key=lambda i: getattr(models[i], name)) for path in paths.values()]


def _decided(fitted, T):
    """Yield (candidate, decisions (held out, m)) of {candidate: machines}, all by one product with T."""
    parts = [(members, part) for found in fitted.values() for members, part in found]
    B = np.zeros((len(parts), T.shape[1]))
    for row, (members, part) in enumerate(parts):
        B[row, members] = part.b
    with np.errstate(invalid="ignore"):
        decisions = T.astype(np.float64, copy=False) @ B.T + [part.offset for _, part in parts]
    first = 0
    for i, found in fitted.items():
        yield i, decisions[:, first : first + len(found)]
        first += len(found)


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
