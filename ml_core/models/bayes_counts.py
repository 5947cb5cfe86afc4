"""Naive Bayes of counts: multinomial and complement; scikit-learn's names, sparse rows as they are.

Letters: n rows, d columns, q classes. What is learned of the rows is class_count_ (q,) and feature_count_
(q, d), sums that add up over batches; feature_log_prob_ (q, d) and class_log_prior_ (q,) follow from them.
Scores of rows are linear: X @ table + constant, which ``_terms`` gives.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import validate_data

from ml_core.kernels import counts, threads
from ml_core.models import discrete
from ml_core.models.labels import known_classes


class MultinomialNB(ClassifierMixin, BaseEstimator):
    """Naive Bayes of counts, such as of words: a class is a distribution over the columns.

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
    """

    _parameter_constraints = discrete.CONSTRAINTS

    def __init__(self, *, alpha=1.0, force_alpha=True, fit_prior=True, class_prior=None):
        self.alpha = alpha
        self.force_alpha = force_alpha
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
        X, y = validate_data(self, X, y, accept_sparse="csr", ensure_all_finite=False, reset=first)
        return discrete.learn(self, X, y, classes, sample_weight)

    def _set(self, sums):
        self.class_count_, self.feature_count_ = sums

    def _with(self, sums):
        return self.class_count_ + sums[0], self.feature_count_ + sums[1]

    def _read(self, X):
        return validate_data(self, X, accept_sparse="csr", ensure_all_finite=False, reset=False)

    def _counted(self, X, codes, q, weight):
        rows, found, least = counts.class_counts(X, codes, q, weight)
        discrete.check_counts(self, X, found, least)
        return rows, found

    def _weights(self, sums, alpha):
        """feature_log_prob_ (q, d) of counts."""
        smooth = sums[1] + alpha
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(smooth) - np.log(smooth.sum(axis=1, keepdims=True))

    def _terms(self, log_prob, prior):
        """Table (d, q) and constant (q,) of the scores."""
        return log_prob.T, prior

    def _product(self, X, table, log_prob):
        return counts.times(X, table)

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
        tags.input_tags.positive_only = True
        tags.classifier_tags.poor_score = True
        return tags


class ComplementNB(ClassifierMixin, BaseEstimator):
    """Naive Bayes of counts that knows a class by what the others hold (Rennie et al. 2003).

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
    norm : bool
        Whether the weights of a class are divided by their sum.
    """

    _parameter_constraints = discrete.CONSTRAINTS | {"norm": ["boolean"]}

    def __init__(self, *, alpha=1.0, force_alpha=True, fit_prior=True, class_prior=None, norm=False):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.fit_prior = fit_prior
        self.class_prior = class_prior
        self.norm = norm

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
        X, y = validate_data(self, X, y, accept_sparse="csr", ensure_all_finite=False, reset=first)
        return discrete.learn(self, X, y, classes, sample_weight)

    def _set(self, sums):
        self.class_count_, self.feature_count_ = sums
        self.feature_all_ = self.feature_count_.sum(axis=0)

    def _with(self, sums):
        return self.class_count_ + sums[0], self.feature_count_ + sums[1]

    def _read(self, X):
        return validate_data(self, X, accept_sparse="csr", ensure_all_finite=False, reset=False)

    def _counted(self, X, codes, q, weight):
        rows, found, least = counts.class_counts(X, codes, q, weight)
        discrete.check_counts(self, X, found, least)
        return rows, found

    def _weights(self, sums, alpha):
        """feature_log_prob_ (q, d) of counts: of what the other classes hold."""
        rest = sums[1].sum(axis=0) + alpha - sums[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            logged = np.log(rest / rest.sum(axis=1, keepdims=True))
            return logged / logged.sum(axis=1, keepdims=True) if self.norm else -logged

    def _terms(self, log_prob, prior):
        """Table (d, q) and constant (q,) of the scores."""
        return log_prob.T, prior if len(prior) == 1 else np.zeros(len(prior))

    def _product(self, X, table, log_prob):
        return counts.times(X, table)

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
        tags.input_tags.positive_only = True
        tags.classifier_tags.poor_score = True
        return tags
