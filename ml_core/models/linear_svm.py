"""Linear support vector machines in the primal, one class against the rest.

Letters: n rows, d columns, q classes.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight

from ml_core.kernels import margin, threads
from ml_core.models import linear_grid, linear_machine
from ml_core.models.labels import encoded
from ml_core.models.weights import weights_of_classes


class LinearSVC(ClassifierMixin, BaseEstimator):
    """Linear support vector classification, a drop-in for scikit-learn's LinearSVC.

    Parameters, attributes and defaults are scikit-learn's. ``dual`` chooses a method there and nothing
    here, beyond the combinations it refuses. Not supported: ``penalty='l1'`` and
    ``multi_class='crammer_singer'``.
    """

    _parameter_constraints = {
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "dual": ["boolean", StrOptions({"auto"})],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [None, dict, StrOptions({"balanced"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        penalty="l2",
        loss="squared_hinge",
        *,
        dual="auto",
        tol=1e-4,
        C=1.0,
        multi_class="ovr",
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        verbose=0,
        random_state=None,
        max_iter=1000,
    ):
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter

    def _check(self):
        """Refuse what is not supported, and what scikit-learn refuses."""
        if self.penalty == "l1":
            raise ValueError(
                "penalty='l1' is not supported: use 'l2', or LogisticRegression with an l1 penalty"
            )
        if self.multi_class != "ovr":
            raise ValueError(f"multi_class={self.multi_class!r} is not supported: use 'ovr'")
        if self.loss == "hinge" and self.dual is False:
            raise ValueError(
                "Unsupported set of arguments: penalty='l2' and loss='hinge' need dual=True or dual='auto'"
            )

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """X (n, d) dense or CSR, y (n,).

        Sets coef_ (1 or q, d), intercept_ (1 or q,) or 0.0, classes_ (q,), n_iter_.
        """
        X, y = linear_machine.read(self, X, y)
        self.classes_, codes = self._classes(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        by_class = weights_of_classes(self.class_weight, self.classes_, y, sample_weight=sample_weight)
        alive = weight > 0
        if not alive.all():
            X, codes, weight = X[alive], codes[alive], weight[alive]
        ready = linear_machine.prepare(X, self)
        losses = self._losses(codes, weight, by_class)
        return self._store([linear_machine.best(ready, loss, self) for loss in losses])

    def _classes(self, y):
        """Classes (q,) and codes (n,) of checked labels."""
        classes, codes = encoded(y)
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {classes[0]!r}"
            )
        return classes, codes.astype(np.intp, copy=False)

    def _losses(self, codes, weight, by_class):
        """A Loss for each class against the rest; one, of the second class, where there are two."""
        two = len(by_class) == 2
        found = []
        for positive in [1] if two else range(len(by_class)):
            s = np.where(codes == positive, 1.0, -1.0)
            # against the rest, liblinear weighs the one class and leaves the rest at one
            a = weight * np.where(s > 0, by_class[positive], by_class[0] if two else 1.0)
            found.append(margin.Loss(a, s, -1.0, self.C))
        return found

    def _of_fold(self, y, train):
        """What a fit on rows ``train`` of y (n,) learns of the labels, and its losses on all n rows."""
        classes, _ = self._classes(y[train])
        by_class = weights_of_classes(self.class_weight, classes, y[train])
        times = np.bincount(train, minlength=len(y)).astype(np.float64)
        return {"classes_": classes}, self._losses(np.searchsorted(classes, y), times, by_class)

    def _store(self, found):
        return linear_machine.store(self, found)

    def _labels(self, decisions):
        """Decisions (n,), (n, 1) or (n, q) -> labels (n,)."""
        two = len(self.classes_) == 2
        return self.classes_[(decisions.ravel() > 0).astype(np.intp) if two else decisions.argmax(axis=1)]

    def decision_function(self, X):
        """X (n, d) -> (n,) for two classes, else (n, q)."""
        found = linear_machine.raw(self, X)
        return found[:, 0] if found.shape[1] == 1 else found

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        return self._labels(self.decision_function(X))

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; each C starts from the one before it."""
        return linear_grid.score_many(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LinearSVR(RegressorMixin, BaseEstimator):
    """Linear support vector regression, a drop-in for scikit-learn's LinearSVR.

    Parameters, attributes and defaults are scikit-learn's; ``dual`` as for LinearSVC.
    """

    _parameter_constraints = {
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "dual": ["boolean", StrOptions({"auto"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        epsilon=0.0,
        tol=1e-4,
        C=1.0,
        loss="epsilon_insensitive",
        fit_intercept=True,
        intercept_scaling=1.0,
        dual="auto",
        verbose=0,
        random_state=None,
        max_iter=1000,
    ):
        self.epsilon = epsilon
        self.tol = tol
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dual = dual
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter

    def _check(self):
        """Refuse what scikit-learn refuses."""
        if self.loss == "epsilon_insensitive" and self.dual is False:
            raise ValueError(
                "Unsupported set of arguments: loss='epsilon_insensitive' needs dual=True or dual='auto'"
            )

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """X (n, d) dense or CSR, y (n,) -> coef_ (d,), intercept_ (1,) or 0.0, n_iter_."""
        X, y = linear_machine.read(self, X, y, y_numeric=True)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        alive = weight > 0
        if not alive.all():
            X, y, weight = X[alive], y[alive], weight[alive]
        loss = margin.Loss(weight, np.asarray(y, np.float64), float(self.epsilon), self.C)
        return self._store([linear_machine.best(linear_machine.prepare(X, self), loss, self)])

    def _of_fold(self, y, train):
        """Nothing that a fit learns of y (n,) alone, and its loss on all n rows."""
        y = column_or_1d(y).astype(np.float64)
        assert_all_finite(y)
        times = np.bincount(train, minlength=len(y)).astype(np.float64)
        return {}, [margin.Loss(times, y, float(self.epsilon), self.C)]

    def _store(self, found):
        linear_machine.store(self, found)
        self.coef_ = self.coef_.ravel()
        return self

    def predict(self, X):
        """X (n, d) -> (n,)."""
        return linear_machine.raw(self, X)[:, 0]

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; each C starts from the one before it."""
        return linear_grid.score_many(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
