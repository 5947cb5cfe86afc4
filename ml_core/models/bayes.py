"""Gaussian naive Bayes: scikit-learn's names on class-wise sums.

Letters: n rows, d columns, q classes.
"""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import classsums, gram, threads
from ml_core.models.cells import check_cells
from ml_core.models.labels import coded, encoded, known_classes
from ml_core.models.validate import validated
from ml_core.models.weights import row_weights

EXACT = 1e-9  # relative error of a variance from which the rows are read again, about their class's mean


class GaussianNB(ClassifierMixin, BaseEstimator):
    """Naive Bayes with one normal curve per class and column.

    Parameters
    ----------
    priors : (q,) or None
        Probabilities of the classes; None takes their shares of the rows.
    var_smoothing : float
        Share of the largest column variance added to every variance, so that constant columns do no harm.
    """

    _parameter_constraints = {
        "priors": ["array-like", None],
        "var_smoothing": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, *, priors=None, var_smoothing=1e-9):
        self.priors = priors
        self.var_smoothing = var_smoothing

    def fit(self, X, y, sample_weight=None):
        """Learn classes_ (q,), class_prior_, class_count_ (q,), theta_, var_ (q, d) and epsilon_."""
        self._validate_params()
        return self._learn(X, y, None, sample_weight, first=True)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn from more rows; ``classes`` names all classes there will ever be, at the first call."""
        self._validate_params()
        first = not hasattr(self, "classes_")
        return self._learn(X, y, known_classes(self, classes), sample_weight, first)

    @threads.single
    def _learn(self, X, y, classes, sample_weight, first):
        X, y = validated(self, X, y, dtype=[np.float64, np.float32], ensure_all_finite=False, reset=first)
        classes, codes = encoded(y) if classes is None else (classes, coded(y, classes))
        weight = row_weights(sample_weight, X)
        prior = self._prior(len(classes))
        new, total = read(self, X, (codes, len(classes), weight))
        if first:
            self.classes_ = classes
        else:
            new = classsums.merge((self.class_count_, self.theta_, self.var_ - self.epsilon_), new)
        self.epsilon_ = self.var_smoothing * total.max()
        self.class_count_, self.theta_ = new[0], new[1]
        self.var_ = np.maximum(new[2], 0) + self.epsilon_
        self.class_prior_ = self.class_count_ / self.class_count_.sum() if prior is None else prior
        return self

    def _prior(self, q):
        if self.priors is None:
            return None
        prior = np.asarray(self.priors, np.float64)
        if prior.shape != (q,):
            raise ValueError(
                f"Number of priors must match number of classes: got {prior.size}, but there are {q}"
            )
        if (prior < 0).any():
            raise ValueError(f"Priors must be non-negative, got {self.priors!r}")
        if not np.isclose(prior.sum(), 1.0):
            raise ValueError(f"The sum of the priors should be 1, got {prior.sum():g}")
        return prior

    def _rows(self, X):
        """Checked X, cells aside, and what the likelihoods are made of."""
        check_is_fitted(self)
        X = validated(self, X, dtype=[np.float64, np.float32], ensure_all_finite=False, reset=False)
        return X, (constants(self.class_prior_, self.var_), self.theta_, self.var_)

    @threads.single
    def predict_joint_log_proba(self, X):
        """X (n, d) -> log P(x, class) (n, q)."""
        X, learned = self._rows(X)
        found = classsums.likelihoods(X, *learned)
        if not np.isfinite(found).all():
            check_cells(self, X)
        return found

    def predict_log_proba(self, X):
        """X (n, d) -> log P(class | x) (n, q)."""
        from scipy.special import log_softmax

        return log_softmax(self.predict_joint_log_proba(X), axis=1)

    def predict_proba(self, X):
        """X (n, d) -> P(class | x) (n, q)."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        X, learned = self._rows(X)
        with threads.alone():
            labels = classsums.likeliest(X, learned, self.classes_)
            if labels is None:
                check_cells(self, X)
                labels = self.classes_[classsums.likelihoods(X, *learned).argmax(axis=1)]
        return labels

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; a fold's sums serve every var_smoothing."""
        from ml_core.models.bayes_path import score_bayes

        return score_bayes(self, X, y, candidates, folds, scorer)


def read(model, X, members):
    """Rows -> (class weights (q,), means, variances (q, d)), variance of the columns (d,) over all rows.

    ``members`` is (codes, q, weight or None). The latter variance counts every row alike, as scikit-learn
    does, whatever the rows weigh.
    """
    codes, q, weight = members
    centre = gram.shift_of(X, np.zeros((len(X), 0)))
    sums = classsums.class_sums(X, codes, q, weight, centre)
    if not all(np.isfinite(part).all() for part in sums):
        check_cells(model, X)
    mean, var, error = classsums.spreads(sums, centre)
    plain = sums[0], mean, var
    if weight is not None:
        equal = classsums.class_sums(X, codes, q, None, centre)
        plain = (equal[0], *classsums.spreads(equal, centre)[:2])
    total = classsums.pooled(*plain)
    if (error > EXACT * (var + model.var_smoothing * total.max())).any():
        sums = classsums.class_sums(X, codes, q, weight, mean)
        mean, var, _ = classsums.spreads(sums, mean)
        total = classsums.pooled(sums[0], mean, var) if weight is None else total
    return (sums[0], mean, var), total


def constants(prior, var):
    """The part of the log likelihood without x: (..., q) from prior (q,) and var (..., q, d)."""
    with np.errstate(divide="ignore"):
        return np.log(prior) - 0.5 * np.log(2 * np.pi * var).sum(axis=-1)
