"""The threshold at which a classifier of two classes costs least, found on rows that it was not fitted on.

Letters: n rows, m thresholds. Every threshold that makes a difference is tried, not a grid of them.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedShuffleSplit, check_cv
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, indexable

from ml_core.kernels.cuts import costs_of_cuts
from ml_core.models.scoring import rows_of
from ml_core.models.weights import row_weights

NAMES = ("predict_proba", "decision_function")


def _has(name):
    return available_if(lambda model: hasattr(getattr(model, "estimator_", model.estimator), name))


class CostThresholdClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier of two classes that says yes from the threshold on at which mistakes cost least.

    Elkan 2001, "The foundations of cost-sensitive learning", with the threshold taken from out-of-fold
    scores, so that it holds for scores that are no probabilities. scikit-learn's TunedThresholdClassifierCV
    averages interpolated curves of a metric instead.

    Parameters
    ----------
    estimator : classifier
        Any with predict_proba or decision_function.
    costs : (2, 2) numbers
        costs[truth][answer] for classes_[0] and classes_[1], as a confusion matrix stands: ((0, 1), (5, 0))
        makes a missed classes_[1] five times as dear as a false alarm. Gains are negative costs.
    response_method : {"auto", "predict_proba", "decision_function"}
    cv : None, int, float, splitter, folds or "prefit"
        None is five stratified folds; a float is one stratified part of that size; "prefit" takes all rows
        and leaves the estimator as it is.
    refit : bool
        Fit the estimator on all rows in the end; False, with one fold only, keeps it as it was scored.
    n_jobs : int or None
        Folds fitted at once.
    random_state : int, RandomState or None
        For a float ``cv``.
    store_cv_results : bool
        Keep cv_results_, all thresholds and their scores.
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"]), HasMethods(["fit", "decision_function"])],
        "costs": ["array-like"],
        "response_method": [StrOptions({"auto", *NAMES})],
        "cv": ["cv_object", StrOptions({"prefit"}), Interval(RealNotInt, 0, 1, closed="neither")],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "store_cv_results": ["boolean"],
    }

    def __init__(
        self,
        estimator,
        *,
        costs=((0, 1), (1, 0)),
        response_method="auto",
        cv=None,
        refit=True,
        n_jobs=None,
        random_state=None,
        store_cv_results=False,
    ):
        self.estimator = estimator
        self.costs = costs
        self.response_method = response_method
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.store_cv_results = store_cv_results

    def fit(self, X, y, sample_weight=None):
        """Learn estimator_, best_threshold_ and best_score_, minus the mean cost of a held-out row."""
        self._validate_params()
        costs = self._costs()
        X, y = indexable(X, y)
        y = column_or_1d(y, warn=True)
        classes = _two(y)
        weight = row_weights(sample_weight, X)
        if self.cv == "prefit":
            check_is_fitted(self.estimator, "classes_")
            self.estimator_ = self.estimator
            rows, score = np.arange(len(y)), self._scores(self.estimator, X)
        else:
            rows, score = self._held_out(X, y, weight)
        counted = np.ones(len(y)) if weight is None else weight
        cuts, mean = costs_of_cuts(y[rows] == classes[1], score, counted[rows], costs)
        best = int(np.argmin(mean))
        self.best_threshold_, self.best_score_ = float(cuts[best]), -float(mean[best])
        if self.store_cv_results:
            self.cv_results_ = {"thresholds": cuts, "scores": -mean}
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _costs(self):
        costs = np.asarray(self.costs, np.float64)
        if costs.shape != (2, 2) or not np.isfinite(costs).all():
            raise ValueError(
                f"costs must be (2, 2) finite numbers, of truth by answer such as ((0, 1), (5, 0)); "
                f"got {self.costs!r}"
            )
        return costs

    def _held_out(self, X, y, weight):
        """Rows (m,) of all folds and their scores by a fit without them; sets estimator_."""
        from joblib import Parallel, delayed

        folds = list(self._splitter(y).split(X, y))
        if not self.refit and len(folds) > 1:
            raise ValueError(
                f"refit=False needs a cv of one fold, such as cv=0.2; cv={self.cv!r} has {len(folds)}"
            )
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit)(self.estimator, X, y, weight, train) for train, _ in folds
        )
        self.estimator_ = _fit(self.estimator, X, y, weight, None) if self.refit else fitted[0]
        scores = [
            self._scores(model, rows_of(X, test)) for model, (_, test) in zip(fitted, folds, strict=True)
        ]
        return np.concatenate([test for _, test in folds]), np.concatenate(scores)

    def _splitter(self, y):
        if isinstance(self.cv, Real) and not isinstance(self.cv, Integral):
            return StratifiedShuffleSplit(1, test_size=self.cv, random_state=self.random_state)
        return check_cv(self.cv, y=y, classifier=True)

    def _scores(self, model, X):
        """How much each row (n,) looks like classes_[1]."""
        names = NAMES if self.response_method == "auto" else (self.response_method,)
        name = next((name for name in names if hasattr(model, name)), None)
        if name is None:
            raise ValueError(
                f"{type(model).__name__} has no {self.response_method}; use response_method='auto'"
            )
        score = np.asarray(getattr(model, name)(X))
        return score[:, 1] if score.ndim == 2 else score

    @property
    def classes_(self):
        """Labels (2,)."""
        return self.estimator_.classes_

    def predict(self, X):
        """X (n, d) -> labels (n,): classes_[1] from best_threshold_ on."""
        check_is_fitted(self, "best_threshold_")
        yes = self._scores(self.estimator_, X) >= self.best_threshold_
        return self.classes_[yes.astype(int)]

    @_has("predict_proba")
    def predict_proba(self, X):
        """The estimator's probabilities (n, 2)."""
        check_is_fitted(self, "best_threshold_")
        return self.estimator_.predict_proba(X)

    @_has("predict_log_proba")
    def predict_log_proba(self, X):
        """The estimator's logarithms of them (n, 2)."""
        check_is_fitted(self, "best_threshold_")
        return self.estimator_.predict_log_proba(X)

    @_has("decision_function")
    def decision_function(self, X):
        """The estimator's scores (n,)."""
        check_is_fitted(self, "best_threshold_")
        return self.estimator_.decision_function(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags


def _two(y):
    """The two classes of labels (n,)."""
    if not len(y):
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required")
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind != "binary":
        raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes[0]}; a threshold needs both classes. Check the target"
        )
    return classes


def _fit(estimator, X, y, weight, rows):
    """A clone fitted on some rows, or on all of them (None)."""
    if rows is not None:
        X, y, weight = rows_of(X, rows), y[rows], None if weight is None else weight[rows]
    more = {} if weight is None else {"sample_weight": weight}
    return clone(estimator).fit(X, y, **more)
