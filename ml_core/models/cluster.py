"""k-means: scikit-learn's KMeans on exact Lloyd passes, with several starts at once and a trimmed variant.

Letters: X (n, d), k centers.
Up to 1e6 rows times centers (of all starts) NumPy alone works, and no compiler is waited for; beyond,
kernels that Numba compiles once a machine. Labels are exact on both paths, and all results the same bits at
any number of threads.
"""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import threads
from ml_core.kernels.distance import across
from ml_core.models.dense import dense_rows
from ml_core.models.kmeans_runs import CONSTRAINTS, bic, distances, fit_together
from ml_core.models.weights import row_weights


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Centers that minimise the sum of squared distances of the rows to the nearest of them.

    Parameters
    ----------
    n_clusters : int
    init : {"k-means++", "random"}, (k, d) or callable(X, n_clusters, random_state)
        k-means++ is greedy, as scikit-learn's.
    n_init : "auto" or int
        Starts, all run together; the best is kept. "auto" is 1 for k-means++ and given centers, 10 for the
        others; with ``trim`` 5 for k-means++, whose landscape is rougher. max_iter : int tol : float Stop
        when the centers together moved less than this share of the mean variance. verbose, copy_x Taken for
        scikit-learn's sake: nothing is printed and X is never changed. random_state : int, RandomState or
        None algorithm : {"lloyd", "elkan"} Both mean the same passes: rows whose bounds say that they
        cannot have changed are skipped. trim : float Share of the rows' weight, the farthest from their
        centers, that the centers do not follow and that neither seeds nor inertia count, so that outliers
        draw no center away. Labels are given to all rows.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), inertia_, n_iter_, n_features_in_
    outliers_ (n,) bool
        With ``trim`` > 0: the rows left out.
    """

    _parameter_constraints = CONSTRAINTS | {
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
        "trim": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        n_init="auto",
        max_iter=300,
        tol=1e-4,
        verbose=0,
        random_state=None,
        copy_x=True,
        algorithm="lloyd",
        trim=0.0,
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.trim = trim

    @threads.single
    def fit(self, X, y=None, sample_weight=None):
        """Learn cluster_centers_ (k, d), labels_ (n,), inertia_, n_iter_."""
        self._validate_params()
        X = dense_rows(self, X)
        fit_together([self], X, row_weights(sample_weight, X))
        return self

    def fit_predict(self, X, y=None, sample_weight=None):
        """Labels (n,) of the rows fitted on."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(self, X, y=None, sample_weight=None):
        """Distances (n, k) of the rows fitted on."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    @threads.single
    def predict(self, X):
        """X (n, d) -> index of the nearest center (n,); of equally near ones the first."""
        check_is_fitted(self)
        return distances(dense_rows(self, X, reset=False), self.cluster_centers_)[0]

    @threads.single
    def transform(self, X):
        """X (n, d) -> distance to each center (n, k)."""
        check_is_fitted(self)
        X = dense_rows(self, X, reset=False)
        return across(X, self.cluster_centers_).astype(X.dtype, copy=False)

    @threads.single
    def score_samples(self, X):
        """X (n, d) -> minus the distance to the nearest center (n,): the lower, the more of an anomaly."""
        check_is_fitted(self)
        return -np.sqrt(distances(dense_rows(self, X, reset=False), self.cluster_centers_)[1])

    @threads.single
    def score(self, X, y=None, sample_weight=None):
        """Minus the inertia of X (n, d)."""
        check_is_fitted(self)
        X = dense_rows(self, X, reset=False)
        weight = row_weights(sample_weight, X)
        far = distances(X, self.cluster_centers_)[1]
        return -float(far.sum() if weight is None else far @ weight)

    @threads.single
    def bic(self, X):
        """Bayes' information criterion of X (n, d) under round clusters of one size, as X-means; lower is
        better."""
        check_is_fitted(self)
        return bic(dense_rows(self, X, reset=False), self.cluster_centers_)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; all k and starts of a fold share their
        passes."""
        from ml_core.models.kmeans_path import score_all

        return score_all(self, X, y, candidates, folds, scorer)

    @property
    def _n_features_out(self):
        return len(self.cluster_centers_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
