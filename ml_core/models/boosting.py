"""Gradient boosting on histograms, with scikit-learn's HistGradientBoosting names.

Letters: n rows, d columns, q columns of raw (one, or one a class where there are more than two).
"""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from ml_core.models.boosting_fit import Problem, fit, raw_of, stages
from ml_core.models.boosting_grid import score_grid
from ml_core.models.boosting_loss import LOG_LINK, LOSSES, Loss
from ml_core.models.boosting_rows import checked, gains, held_out, weighed
from ml_core.models.boosting_rules import CONSTRAINTS
from ml_core.models.boosting_shards import Shards
from ml_core.models.labels import coded, encoded
from ml_core.models.weights import class_weights, row_weights


class GradientBoostingRegressor(RegressorMixin, BaseEstimator):
    """Trees added up to minimize a loss.

    Columns are binned once; nan is a value of its own, sent in each split to the side that gains.

    Parameters
    ----------
    loss : "squared_error", "absolute_error", "huber", "quantile", "poisson" or "gamma"
    quantile : float
        Which quantile loss="quantile" aims at; for "huber", the quantile of absolute residuals beyond which
        they count linearly (0.9 unless given).
    learning_rate : float
        Factor on every leaf's value.
    max_iter : int
        Rounds of one tree each.
    max_leaf_nodes, max_depth : int or None
        Limits of a tree; None for no limit. Leaves are split in the order of what they gain.
    min_samples_leaf : int
        Rows a leaf has at least, whatever their weights.
    l2_regularization, l1_regularization : float
        Penalties on leaf values.
    min_gain, min_hessian : float
        What a split must bring, and the sum of hessians a leaf must have.
    max_features, subsample : float
        Shares of columns looked at in each split, and of rows used in each round.
    quantized_levels : int or None
        Round gradients to so many levels either side of 0, by chance, and find leaf values exactly: noise
        that can help large trees. None for 2**31 / n levels of a typical row.
    max_bins : int
        Bins of a column, 2 to 255, besides the one for missing values.
    categorical_features : mask, indexes, names, None or "from_dtype"
        Columns whose values have no order; a frame's columns of names and categories always are. Values
        beyond the max_bins most frequent ones, and values not seen in fit, count as missing.
    cat_smooth, cat_l2, max_cat_threshold, min_data_per_group : float, float, int, int
        As LightGBM's, for columns of more than four categories: added to the hessians that categories are
        ordered by, and rows a category has at least; penalty on a set of them, and its largest size; rows
        that come together before a set is tried, and that stay on the other side.
    monotonic_cst : array or dict of -1, 0, 1
        Columns in which predictions must not rise or must not fall.
    interaction_cst : "pairwise", "no_interactions" or a sequence of sets of columns
        Columns that may meet on a path; those in no set may meet each other only.
    warm_start : bool
        Go on from the trees there are, with the bins they have.
    early_stopping, scoring, validation_fraction, n_iter_no_change, tol
        Stop when none of n_iter_no_change rounds beats the score before them by tol, on validation_fraction
        of the rows, on X_val given to fit, or (None) on the training rows. "auto": above 10,000 rows.
        scoring: "loss" or a scorer.
    random_state : int, RandomState or None
        Of sampled rows and columns, of the rows that edges are found from, of the validation rows.
    """

    _parameter_constraints = CONSTRAINTS | {
        "loss": [StrOptions(set(LOSSES))],
        "quantile": [Interval(Real, 0, 1, closed="both"), None],
    }

    def __init__(
        self, loss="squared_error", *, quantile=None, learning_rate=0.1, max_iter=100, max_leaf_nodes=31,
        max_depth=None, min_samples_leaf=20, l2_regularization=0.0, l1_regularization=0.0, min_gain=0.0,
        min_hessian=1e-3, max_features=1.0, subsample=1.0, quantized_levels=None, max_bins=255,
        categorical_features="from_dtype", cat_smooth=10.0, cat_l2=10.0, max_cat_threshold=32,
        min_data_per_group=100, monotonic_cst=None, interaction_cst=None, warm_start=False,
        early_stopping="auto", scoring="loss", validation_fraction=0.1, n_iter_no_change=10,
        tol=1e-7, random_state=None,
    ):  # fmt: skip
        self.loss = loss
        self.quantile = quantile
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.l1_regularization = l1_regularization
        self.min_gain = min_gain
        self.min_hessian = min_hessian
        self.max_features = max_features
        self.subsample = subsample
        self.quantized_levels = quantized_levels
        self.max_bins = max_bins
        self.categorical_features = categorical_features
        self.cat_smooth = cat_smooth
        self.cat_l2 = cat_l2
        self.max_cat_threshold = max_cat_threshold
        self.min_data_per_group = min_data_per_group
        self.monotonic_cst = monotonic_cst
        self.interaction_cst = interaction_cst
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state

    def __sklearn_tags__(self):
        """Missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _problem(self, X, y, sample_weight=None, held=(None, None, None)):
        """What a fit on these rows is asked, checked."""
        self._validate_params()
        at = 0.9 if self.loss == "huber" and self.quantile is None else self.quantile
        if self.loss in ("huber", "quantile") and at is None:
            raise ValueError(f"quantile must be in [0, 1] for loss={self.loss!r}, got None")
        X, y = checked(self, X, y, y_numeric=True)
        loss = Loss(self.loss, at=float(at or 0))
        return Problem(X, y.astype(np.float64), weighed(sample_weight, X), loss, held_out(self, *held))

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """X (n, d), y (n,); rows to stop by may be given as X_val, y_val."""
        return fit(self, self._problem(X, y, sample_weight, (X_val, y_val, sample_weight_val)))

    def fit_parquet(self, path, target, sample_weight=None):
        """Fit on a parquet file, or a folder of them, larger than memory: what stays is a byte a cell.

        path: the file or folder; target: its column to predict; sample_weight: its column of weights > 0, or
        None. All others are X. The model is that of ``fit`` on the whole table.
        """
        shards = Shards.of(path, target, sample_weight)
        return fit(self, self._problem(shards, shards.target(), shards.weights()))

    def _mean(self, raw):
        """raw (n, 1) -> predictions (n,)."""
        return np.exp(raw[:, 0]) if self.loss in LOG_LINK else raw[:, 0].copy()

    def predict(self, X):
        """X (n, d) -> (n,)."""
        return self._mean(raw_of(self, X))

    def staged_predict(self, X):
        """Yield ``predict(X)`` after each round."""
        yield from map(self._mean, stages(self, X))

    @property
    def feature_importances_(self):
        """Share of all splits' gain per column (d,)."""
        return gains(self)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds): a fold is binned once; those that differ in their end are one fit."""
        return score_grid(self, (X, y), candidates, folds, scorer)


class GradientBoostingClassifier(ClassifierMixin, BaseEstimator):
    """Trees added up to minimize the log loss; for more than two classes, a tree a class in every round.

    Parameters as in ``GradientBoostingRegressor``, but for ``loss`` and ``quantile``; besides:

    class_weight : None, "balanced" or dict
        Factors on the classes' rows.
    """

    _parameter_constraints = CONSTRAINTS | {"class_weight": [dict, StrOptions({"balanced"}), None]}

    def __init__(
        self, *, learning_rate=0.1, max_iter=100, max_leaf_nodes=31, max_depth=None, min_samples_leaf=20,
        l2_regularization=0.0, l1_regularization=0.0, min_gain=0.0, min_hessian=1e-3, max_features=1.0,
        subsample=1.0, quantized_levels=None, max_bins=255, categorical_features="from_dtype",
        cat_smooth=10.0, cat_l2=10.0, max_cat_threshold=32, min_data_per_group=100,
        monotonic_cst=None, interaction_cst=None, warm_start=False, early_stopping="auto",
        scoring="loss", validation_fraction=0.1, n_iter_no_change=10,
        tol=1e-7, class_weight=None, random_state=None,
    ):  # fmt: skip
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.l1_regularization = l1_regularization
        self.min_gain = min_gain
        self.min_hessian = min_hessian
        self.max_features = max_features
        self.subsample = subsample
        self.quantized_levels = quantized_levels
        self.max_bins = max_bins
        self.categorical_features = categorical_features
        self.cat_smooth = cat_smooth
        self.cat_l2 = cat_l2
        self.max_cat_threshold = max_cat_threshold
        self.min_data_per_group = min_data_per_group
        self.monotonic_cst = monotonic_cst
        self.interaction_cst = interaction_cst
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.random_state = random_state

    def __sklearn_tags__(self):
        """Missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _problem(self, X, y, sample_weight=None, held=(None, None, None)):
        """What a fit on these rows is asked, checked."""
        self._validate_params()
        going_on = self.warm_start and hasattr(self, "_ensemble")
        X, y = checked(self, X, y)
        if going_on:
            codes = coded(y, self.classes_)
        else:
            self.classes_, codes = encoded(y)
        q = len(self.classes_)
        if q < 2:
            only = self.classes_[0]
            raise ValueError(f"y holds one class only, {only}; a classifier needs at least 2 classes")
        if q > 2 and self.monotonic_cst is not None:
            raise ValueError(f"monotonic_cst needs two classes, got {q}")
        weights = row_weights(sample_weight, X)
        weights = class_weights(self.class_weight, weights, y)
        given = held_out(self, *held)
        if given:
            given = (given[0], coded(given[1], self.classes_, "y_val").astype(np.float64), given[2])
        weights = np.empty(0) if weights is None else weights
        return Problem(X, codes.astype(np.float64), weights, Loss("log_loss", 1 if q == 2 else q), given)

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """X (n, d), y (n,) of any labels; rows to stop by may be given as X_val, y_val."""
        return fit(self, self._problem(X, y, sample_weight, (X_val, y_val, sample_weight_val)))

    def fit_parquet(self, path, target, sample_weight=None):
        """Fit on a parquet file, or a folder of them, larger than memory: what stays is a byte a cell.

        path: the file or folder; target: its column to predict; sample_weight: its column of weights > 0, or
        None. All others are X. The model is that of ``fit`` on the whole table.
        """
        shards = Shards.of(path, target, sample_weight)
        return fit(self, self._problem(shards, shards.target(), shards.weights()))

    def _shares(self, raw):
        """raw (n, q) -> probabilities (n, classes)."""
        if raw.shape[1] > 1:
            up = np.exp(raw - raw.max(axis=1, keepdims=True))
            return up / up.sum(axis=1, keepdims=True)
        shares = np.empty((len(raw), 2))
        shares[:, 1] = 1 / (1 + np.exp(-np.minimum(np.maximum(raw[:, 0], -700), 700)))
        shares[:, 0] = 1 - shares[:, 1]
        return shares

    def decision_function(self, X):
        """Raw predictions (n,), or (n, classes) for more than two."""
        raw = raw_of(self, X)
        return raw[:, 0].copy() if raw.shape[1] == 1 else raw

    def predict_proba(self, X):
        """X (n, d) -> probabilities (n, classes)."""
        return self._shares(raw_of(self, X))

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        raw = raw_of(self, X)
        return self.classes_[(raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)]

    def staged_predict_proba(self, X):
        """Yield ``predict_proba(X)`` after each round."""
        yield from map(self._shares, stages(self, X))

    @property
    def feature_importances_(self):
        """Share of all splits' gain per column (d,)."""
        return gains(self)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds): a fold is binned once; those that differ in their end are one fit."""
        return score_grid(self, (X, y), candidates, folds, scorer)
