"""k-means a batch at a time: for rows that come in parts, or more than memory holds.

Letters: X (n, d), k centers. NumPy alone works on batches of up to 1e6 rows times centers; larger ones, and
the labels of many rows at the end of ``fit``, run compiled code.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from ml_core.kernels import lloyd, threads, workers
from ml_core.models import centers
from ml_core.models.dense import dense_rows
from ml_core.models.kmeans_runs import CONSTRAINTS, checked_extent, first_centers, starts_of
from ml_core.models.weights import row_weights


class MiniBatchKMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Centers that follow the mean of all batches seen so far (Sculley 2010).

    Parameters
    ----------
    n_clusters, init, verbose, random_state
        As for KMeans.
    max_iter : int
        Passes over the rows at most, in ``fit``.
    batch_size : int
    compute_labels : bool
        Whether ``fit`` ends with labels_ and inertia_ of all rows; else inertia_ is the smoothed one.
    tol : float
        Stop when the centers moved less than this share of the mean variance; 0 looks at the inertia only.
    max_no_improvement : int or None
        Batches without a better smoothed inertia after which to stop.
    init_size : int or None
        Rows that the first centers are chosen from; None takes three batches.
    n_init : "auto" or int
        Starts tried on as many rows; "auto" is 1 for k-means++ and given centers, 3 for the others.
    reassignment_ratio : float
        Centers with less than this share of the largest count start anew at a row of the batch.
    """

    _parameter_constraints = CONSTRAINTS | {
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "compute_labels": ["boolean"],
        "max_no_improvement": [Interval(Integral, 0, None, closed="left"), None],
        "init_size": [Interval(Integral, 1, None, closed="left"), None],
        "reassignment_ratio": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        max_iter=100,
        batch_size=1024,
        verbose=0,
        compute_labels=True,
        random_state=None,
        tol=0.0,
        max_no_improvement=10,
        init_size=None,
        n_init="auto",
        reassignment_ratio=0.01,
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.n_init = n_init
        self.reassignment_ratio = reassignment_ratio

    @threads.single
    def fit(self, X, y=None, sample_weight=None):
        """Learn cluster_centers_ (k, d), n_iter_, n_steps_, labels_ (n,) and inertia_."""
        self._validate_params()
        X = dense_rows(self, X)
        found = checked_extent([self], X)
        weight = row_weights(sample_weight, X)
        weight = np.ones(X.shape[0]) if weight is None else weight
        rng = check_random_state(self.random_state)
        batch = min(self.batch_size, X.shape[0])
        self.cluster_centers_ = self._best_start(X, weight, rng)
        self._counts, self._since = np.zeros(self.n_clusters), 0
        tolerance = self.tol * found.variance.mean() if self.tol > 0 else -1.0
        watch, along = (
            _Watch(min(1.0, 2 * batch / (X.shape[0] + 1)), self.max_no_improvement),
            np.cumsum(weight),
        )
        steps = max(1, self.max_iter * X.shape[0] // batch)
        for step in range(1, steps + 1):
            picked = np.searchsorted(along, rng.uniform(size=batch) * along[-1], side="right")
            before = self.cluster_centers_
            part = X[np.minimum(picked, X.shape[0] - 1)]
            mean = self._step(lloyd.hold(part, np.ones(batch), found, False, 1), rng) / batch
            moved = ((self.cluster_centers_ - before) ** 2).sum()
            if step > 1 and (moved <= tolerance or watch.tired(mean)):
                break
        self.n_steps_, self.n_iter_ = step, -(-step * batch // X.shape[0])
        if self.compute_labels:
            self._label(X, weight)
        else:
            self.inertia_ = watch.smooth * weight.sum() if watch.smooth is not None else mean * weight.sum()
        return self

    @threads.single
    def partial_fit(self, X, y=None, sample_weight=None):
        """Follow one more batch X (n, d); the first one must have at least n_clusters rows."""
        started = hasattr(self, "cluster_centers_")
        if not started:
            self._validate_params()
        X = dense_rows(self, X, reset=not started)
        weight = row_weights(sample_weight, X)
        weight = np.ones(X.shape[0]) if weight is None else weight
        found = checked_extent([] if started else [self], X)
        if not started:
            self._random_state = check_random_state(self.random_state)
            self.cluster_centers_ = self._start(X, weight, self._random_state)
            self._counts, self._since, self.n_steps_ = np.zeros(self.n_clusters), 0, 0
        elif not hasattr(self, "_random_state"):
            self._random_state = check_random_state(self.random_state)
        large = X.shape[0] * self.n_clusters > lloyd.LARGE
        self._step(lloyd.hold(X, weight, found, large, workers.count()), self._random_state)
        self.n_steps_ += 1
        if self.compute_labels:
            self._label(X, weight)
        return self

    def _best_start(self, X, weight, rng):
        """First centers: the best of n_init starts, judged on rows of their own."""
        held = self._some(X, rng)
        found = []
        for _ in range(starts_of(self, 3)):
            start = self._start(X, weight, rng)
            found.append((float(centers.near(X[held], start)[1] @ weight[held]), start))
        return min(found, key=lambda pair: pair[0])[1]

    def _some(self, X, rng):
        size = self.init_size or max(3 * min(self.batch_size, X.shape[0]), 3 * self.n_clusters)
        if size < self.n_clusters:
            warnings.warn(
                f"init_size={size} should be >= n_clusters={self.n_clusters}: {3 * self.n_clusters} taken",
                RuntimeWarning,
                stacklevel=5,
            )
            size = 3 * self.n_clusters
        return rng.randint(0, X.shape[0], min(size, X.shape[0]))

    def _start(self, X, weight, rng):
        """Centers (k, d) chosen from init_size rows."""
        rows = self._some(X, rng)
        if np.count_nonzero(weight[rows]) < self.n_clusters or len(rows) >= X.shape[0]:
            rows = np.arange(X.shape[0])
        seed = rng.randint(np.iinfo(np.int32).max)
        part = X[rows] if isinstance(self.init, str) else X
        weight = weight[rows] if isinstance(self.init, str) else weight
        return first_centers(self, part, weight, seed).astype(X.dtype)

    def _step(self, rows, rng):
        """Move the centers by one batch of rows; its inertia before."""
        moved = self.cluster_centers_.astype(np.float64)
        run = lloyd.Run(moved)
        sums, mass, _ = rows.sweep([run])[0]
        inertia = float(rows.own_distance(run.label, moved) @ rows.weight)
        seen = mass > 0
        total = self._counts + mass
        kept = moved[seen] * self._counts[seen, None] + sums[seen] + mass[seen, None] * rows.centre
        moved[seen] = kept / total[seen, None]
        self._counts = total
        self._since += len(rows.weight)
        if (total == 0).any() or self._since >= 10 * self.n_clusters:
            self._since = 0
            self._reassign(rows, moved, rng)
        self.cluster_centers_ = moved.astype(rows.X.dtype)
        return inertia

    def _reassign(self, rows, moved, rng):
        """Start centers that hardly any row has joined anew, at rows of the batch: at most half as many as
        those."""
        n, poor = len(rows.weight), self._counts < self.reassignment_ratio * self._counts.max()
        if poor.sum() > 0.5 * n:
            poor[np.argsort(self._counts, kind="stable")[int(0.5 * n) :]] = False
        poor[np.argmax(self._counts)] = False
        if poor.any():
            moved[poor] = rows.dense(rng.choice(n, int(poor.sum()), replace=False))
            self._counts[poor] = self._counts[~poor].min()  # not so few that they start anew at once

    def _label(self, X, weight):
        self.labels_, far = centers.near(X, self.cluster_centers_)
        self.inertia_ = float(far @ weight)

    fit_predict, fit_transform = centers.fit_predict, centers.fit_transform
    predict, transform = centers.predict, centers.transform
    score, score_samples, bic = centers.score, centers.score_samples, centers.bic
    _n_features_out = property(centers.n_features_out)

    def __sklearn_tags__(self):
        return centers.tagged(super().__sklearn_tags__())


class _Watch:
    """The smoothed inertia of the batches, and for how long it has not improved."""

    def __init__(self, share, patience):
        self.share, self.patience = share, patience
        self.smooth, self.least, self.waited = None, np.inf, 0

    def tired(self, inertia):
        """Take in one more batch; whether it is time to stop."""
        before = inertia if self.smooth is None else self.smooth
        self.smooth = before * (1 - self.share) + inertia * self.share
        self.waited = 0 if self.smooth < self.least else self.waited + 1
        self.least = min(self.least, self.smooth)
        return self.patience is not None and self.waited >= self.patience
