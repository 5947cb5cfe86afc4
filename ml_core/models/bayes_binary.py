"""Naive Bayes of cells that are there or not: scikit-learn's names, sparse rows as they are.

Letters: n rows, d columns, q classes. Rows are counted as in ``bayes_counts``, a cell
above a threshold as 1.
"""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from ml_core.kernels import counts, threads
from ml_core.models import discrete
from ml_core.models.labels import known_classes


class BernoulliNB(ClassifierMixin, BaseEstimator):
    """Naive Bayes of cells that are there or not.

    Parameters
    ----------
    alpha : float or (d,)
        Added to every count, so that what was never seen is not impossible.
    force_alpha : bool
        Whether an alpha below 1e-10 is used as it is.
    fit_prior : bool
        Whether classes are as probable as they are frequent; else all alike.
    class_prior : (q,) or None
        Probabilities of the classes.
    binarize : float or None
        Cells above it count as 1; None takes them as they are.
    """

    _parameter_constraints = discrete.CONSTRAINTS | {
        "binarize": [None, Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, *, alpha=1.0, force_alpha=True, binarize=0.0, fit_prior=True, class_prior=None):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.binarize = binarize
        self.fit_prior = fit_prior
        self.class_prior = class_prior

    def fit(self, X, y, sample_weight=None):
        """X (n, d) dense or CSR, y (n,) -> classes_, class_count_, class_log_prior_ (q,), feature_count_,
        feature_log_prob_ (q, d).
        """
        self._validate_params()
        return self._learn(X, y, None, sample_weight, first=True)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn from more rows; ``classes`` names all classes there will ever be, at the first call."""
        self._validate_params()
        first = not hasattr(self, "classes_")
        return self._learn(X, y, known_classes(self, classes), sample_weight, first)

    @threads.single
    def _learn(self, X, y, classes, sample_weight, first):
        X, y = validate_data(self, X, y, accept_sparse="csr", reset=first)
        return discrete.learn(self, X, y, classes, sample_weight)

    def _set(self, sums):
        self.class_count_, self.feature_count_ = sums

    def _with(self, sums):
        return self.class_count_ + sums[0], self.feature_count_ + sums[1]

    def _read(self, X):
        return self._checked(validate_data(self, X, accept_sparse="csr", reset=False))

    def _checked(self, X):
        if issparse(X) and self.binarize is not None and self.binarize < 0:
            raise ValueError(
                f"Cannot binarize a sparse matrix with threshold < 0, got binarize={self.binarize!r}: its "
                "empty cells would count as 1"
            )
        return X

    def _counted(self, X, codes, q, weight):
        return counts.class_counts(self._checked(X), codes, q, weight, self.binarize)[:2]

    def _weights(self, sums, alpha):
        """feature_log_prob_ (q, d) of counts."""
        class_count, feature_count = sums
        smooth = np.reshape(class_count, (-1, 1)) + 2 * np.asarray(alpha)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(feature_count + alpha) - np.log(smooth)

    def _terms(self, log_prob, prior):
        """Table (d, q) and constant (q,) of the scores: a cell that is 0 tells as well as one that is 1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            absent = np.log1p(-np.exp(log_prob))
            return (log_prob - absent).T, prior + absent.sum(axis=1)

    def _product(self, X, table, log_prob):
        return counts.times(X, table, self.binarize)

    def predict_joint_log_proba(self, X):
        """X (n, d) -> log P(x, class) (n, q), up to a number a row."""
        return discrete.joint(self, X)

    def predict_log_proba(self, X):
        """X (n, d) -> log P(class | x) (n, q)."""
        return discrete.log_proba(discrete.joint(self, X))

    def predict_proba(self, X):
        """X (n, d) -> P(class | x) (n, q)."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        return discrete.labels(self, discrete.joint(self, X))

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; a fold's counts serve every alpha."""
        from ml_core.models.counts_path import score_counts

        return score_counts(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.poor_score = True
        return tags
