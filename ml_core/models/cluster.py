"""k-means: scikit-learn's KMeans on exact Lloyd passes with several starts at once, and a trimmed variant.

Letters: X (n, d), k centers.
Up to 1e6 rows times centers (of all starts) NumPy alone works, and no compiler is waited for; beyond,
kernels that Numba compiles once a machine. Labels are exact on both paths, and all results the same bits at
any number of threads.
"""

from numbers import Real

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from ml_core.kernels import threads
from ml_core.models import centers
from ml_core.models.dense import dense_rows
from ml_core.models.kmeans_path import score_all
from ml_core.models.kmeans_runs import CONSTRAINTS, fit_together
from ml_core.models.weights import row_weights


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Centers that minimise the sum of squared distances of the rows to the nearest of them.

    Parameters
    ----------
    n_clusters : int
    init : {"k-means++", "random"}, (k, d) or callable(X, n_clusters, random_state)
        k-means++ is greedy, as scikit-learn's.
    n_init : "auto" or int
        Starts, all run together; the best is kept. "auto" is 1 for k-means++ and given centers, else 10.
    max_iter : int
    tol : float
        Stop when the centers together moved less than this share of the mean variance.
    verbose, copy_x
        Taken for scikit-learn's sake: nothing is printed and X is never changed.
    random_state : int, RandomState or None
    algorithm : {"lloyd", "elkan"}
        Both mean the same passes: rows whose bounds say that they cannot have changed are skipped.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), inertia_, n_iter_, n_features_in_
    """

    _parameter_constraints = CONSTRAINTS | {
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
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

    @threads.single
    def fit(self, X, y=None, sample_weight=None):
        """Learn cluster_centers_ (k, d), labels_ (n,), inertia_, n_iter_."""
        return _fit(self, X, sample_weight)

    fit_predict, fit_transform = centers.fit_predict, centers.fit_transform
    predict, transform = centers.predict, centers.transform
    score, score_samples, bic = centers.score, centers.score_samples, centers.bic
    score_many = score_all
    _n_features_out = property(centers.n_features_out)

    def __sklearn_tags__(self):
        return centers.tagged(super().__sklearn_tags__())


class TrimmedKMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means of all rows but the farthest, chosen along with the centers, so that outliers draw none away.

    Cuesta-Albertos, Gordaliza and Matran 1997, "Trimmed k-means: an attempt to robustify quantizers".

    Parameters
    ----------
    n_clusters : int
    trim : float in [0, 1)
        Share of the rows' weight to leave out, no less than that of the outliers. Labels are given to all.
    init, max_iter, tol, random_state
        As for KMeans; seeds of k-means++ avoid the farthest rows, too.
    n_init : "auto" or int
        As for KMeans; "auto" is 5 for k-means++, since trimming makes the landscape rougher.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), n_iter_, n_features_in_
    inertia_ : float
        Of the rows that were kept.
    outliers_ (n,) bool
        The rows left out.
    offset_ : float
        ``score_samples`` of the farthest row that was kept: rows below are outliers.
    """

    _parameter_constraints = CONSTRAINTS | {"trim": [Interval(Real, 0, 1, closed="left")]}
    del _parameter_constraints["verbose"]

    def __init__(
        self,
        n_clusters=8,
        *,
        trim=0.05,
        init="k-means++",
        n_init="auto",
        max_iter=300,
        tol=1e-4,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.trim = trim
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @threads.single
    def fit(self, X, y=None, sample_weight=None):
        """Learn cluster_centers_ (k, d), labels_ (n,), outliers_ (n,), offset_, inertia_, n_iter_."""
        return _fit(self, X, sample_weight)

    fit_predict, fit_transform = centers.fit_predict, centers.fit_transform
    predict, transform = centers.predict, centers.transform
    score, score_samples, bic = centers.score, centers.score_samples, centers.bic
    score_many = score_all
    _n_features_out = property(centers.n_features_out)

    def __sklearn_tags__(self):
        return centers.tagged(super().__sklearn_tags__())


def _fit(model, X, sample_weight):
    model._validate_params()
    X = dense_rows(model, X)
    fit_together([model], X, row_weights(sample_weight, X))
    return model
