"""Naive Bayes of categories: scikit-learn's names on one table for the categories of all columns.

Letters: n rows, d columns, q classes; cells are integers >= 0, a column's categories 0..n_categories_ - 1.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_non_negative, validate_data

from ml_core.kernels import categories, threads
from ml_core.models import discrete
from ml_core.models.labels import known_classes


class CategoricalNB(ClassifierMixin, BaseEstimator):
    """Naive Bayes of categories, each column with a distribution of its own in each class.

    Parameters
    ----------
    alpha : float
        Added to every count, so that what was never seen is not impossible.
    force_alpha : bool
        Whether an alpha below 1e-10 is used as it is.
    fit_prior : bool
        Whether classes are as probable as they are frequent; else all alike.
    class_prior : (q,) or None
        Probabilities of the classes.
    min_categories : int, (d,) or None
        Categories that a column has at least, seen or not; a category beyond them cannot be predicted from.
    """

    _parameter_constraints = discrete.CONSTRAINTS | {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "min_categories": [None, "array-like", Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, alpha=1.0, force_alpha=True, fit_prior=True, class_prior=None, min_categories=None):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.fit_prior = fit_prior
        self.class_prior = class_prior
        self.min_categories = min_categories

    def fit(self, X, y, sample_weight=None):
        """X (n, d), y (n,) -> classes_, class_count_, class_log_prior_ (q,), n_categories_ (d,), and a (q,
        n_categories_[j]) for each column in the lists category_count_ and feature_log_prob_.
        """
        self._validate_params()
        return self._learn(X, y, None, sample_weight, first=True)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn from more rows, which may bring new categories; the first call names all ``classes``."""
        self._validate_params()
        first = not hasattr(self, "classes_")
        return self._learn(X, y, known_classes(self, classes), sample_weight, first)

    @threads.single
    def _learn(self, X, y, classes, sample_weight, first):
        X, y = validate_data(self, X, y, dtype="int", reset=first)
        check_non_negative(X, "CategoricalNB (input X)")
        return discrete.learn(self, X, y, classes, sample_weight)

    def _read(self, X):
        X = validate_data(self, X, dtype="int", reset=False)
        check_non_negative(X, "CategoricalNB (input X)")
        check_known(X, [part.shape[1] for part in self.feature_log_prob_])
        return X

    def _set(self, sums):
        self.class_count_, self.category_count_ = sums
        self.n_categories_ = np.array([count.shape[1] for count in self.category_count_])

    def _with(self, sums):
        pairs = [sorted(pair, key=np.size) for pair in zip(self.category_count_, sums[1], strict=True)]
        return self.class_count_ + sums[0], [large + widened(small, large.shape[1]) for small, large in pairs]

    def _counted(self, X, codes, q, weight):
        sizes = n_categories(X.max(axis=0) + 1, self.min_categories)
        return np.bincount(codes, weight, q).astype(float), tables(X, codes, weight, sizes, q)

    def _weights(self, sums, alpha):
        """feature_log_prob_, a list of (q, categories), of counts."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return [
                np.log(count + alpha) - np.log((count + alpha).sum(axis=1, keepdims=True))
                for count in sums[1]
            ]

    def _terms(self, log_prob, prior):
        """Table (m, q) of all columns' categories and constant (q,) of the scores."""
        return np.concatenate([part.T for part in log_prob]), prior

    def _product(self, X, table, log_prob):
        return categories.sums(X, starts([part.shape[1] for part in log_prob]), table)

    def predict_joint_log_proba(self, X):
        """X (n, d) -> log P(x, class) (n, q)."""
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
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        tags.classifier_tags.poor_score = True
        return tags


def n_categories(found, least):
    """Categories of each column (d,), ``least`` of them at least: None, a number, or one a column."""
    if least is None:
        return found
    least = np.asarray(least)
    if not np.issubdtype(least.dtype, np.signedinteger):
        raise ValueError(f"'min_categories' should have integral type. Got {least.dtype} instead.")
    if least.ndim and least.shape != found.shape:
        raise ValueError(
            f"'min_categories' should have shape ({len(found)},) when an array-like is provided. Got "
            f"{least.shape} instead."
        )
    return np.maximum(found, least)


def check_known(X, sizes):
    """Refuse a category that the tables do not hold; ``sizes`` (d,) are theirs."""
    row, column = np.unravel_index((X - np.asarray(sizes)).argmax(), X.shape)
    if X[row, column] >= sizes[column]:
        raise IndexError(
            f"index {X[row, column]} is out of bounds: column {column} has category {X[row, column]} in row "
            f"{row}, but fit knew 0..{sizes[column] - 1}. Set min_categories"
        )


def widened(count, size):
    """Counts (q, categories) with room for ``size`` categories."""
    return np.pad(count, [(0, 0), (0, size - count.shape[1])])


def starts(sizes):
    """Where each column's categories begin in one table of all."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)


def tables(X, codes, weight, sizes, q):
    """Counts of categories by class: a (q, sizes[j]) for each column."""
    first = starts(sizes)
    found = categories.category_counts(X, codes, weight, first, (int(np.sum(sizes)), q))
    return [part.T.copy() for part in np.split(found, first[1:])]
