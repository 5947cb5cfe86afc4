"""Linear support vector machines in the primal, one class against the rest.

Letters: n rows, d columns, q classes, k = d + 1 with the bias.

Squared losses: finite Newton on the Gram matrix of the active rows, or with conjugate gradients where X is
sparse or has many columns. Hinge and insensitive losses: an interior point, or compiled sweeps over the
dual where both n and d are large or X is large and sparse. Only those sweeps import numba.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data

from ml_core.kernels import box, gram, margin, threads

NARROW = 1500  # columns up to which a Gram matrix of them is worth its d^2
SMALL = 20_000_000  # cells up to which sparse X may be made dense


def best(X, y, c, width, model):
    """Weights (k,) of one problem; y (n,) holds signs where width < 0 -> w, iterations, converged."""
    alive = c > 0
    if not alive.all():
        X, y, c = X[alive], y[alive], c[alive]
    design = margin.Design(X, float(model.intercept_scaling) if model.fit_intercept else 0.0)
    squared = model.loss.startswith("squared")
    n, d = X.shape
    direct = min(n, d) <= NARROW and (not issparse(X) or (n * d <= SMALL and not (squared and d > NARROW)))
    if not direct:
        if squared and n >= d:
            return margin.conjugate(design, margin.Loss(c, y, width), model.tol / 10, model.max_iter)
        return _sweeps(design, y, c, width, model)
    back = None
    design.X = X.toarray() if issparse(X) else X
    if d > n:
        back, R = np.linalg.qr(_with_bias(design).T)  # w lies in the span of the rows: n unknowns serve
        design = margin.Design(np.ascontiguousarray(R.T), 0.0)
    if squared:
        w, iterations, converged = margin.newton(design, margin.Loss(c, y, width), model.tol, model.max_iter)
    else:
        signs, p = _box(y, width)
        w, iterations, converged = box.solve(design, signs, p, c, model.tol * 1e-3, model.max_iter)
    return (w if back is None else back @ w), iterations, converged


def _with_bias(design):
    """[X, bias] (n, k), dense."""
    X = design.X
    return np.column_stack([X, np.full(len(X), design.bias)]) if design.bias > 0 else X


def _box(y, width):
    """Signs and linear terms of the dual: (1, n) for the hinge, (2, n) for the insensitive loss."""
    if width < 0:
        return y[None], np.ones((1, len(y)))
    return np.array([np.ones(len(y)), -np.ones(len(y))]), np.array([y - width, -y - width])


def _sweeps(design, y, c, width, model):
    """The dual, where Gram matrices are too large."""
    from ml_core.kernels import ascent

    design.X = csr_array(design.X)
    squared = model.loss.startswith("squared")
    most, extra = (np.full(len(c), np.inf), 0.5 / c) if squared else (c, np.zeros(len(c)))
    if width < 0:
        bounds = (np.where(y > 0, 0.0, -most), np.where(y > 0, most, 0.0), y, 0.0, extra)
    else:
        bounds = (-most, most, y, float(width), extra)

    def cost(f):
        excess = np.maximum(1 - y * f if width < 0 else np.abs(y - f) - width, 0)
        return c @ (excess**2 if squared else excess)

    rng = check_random_state(model.random_state)
    return ascent.solve(design, bounds, cost, rng, model.tol, model.max_iter)


def store(model, found):
    """coef_ (problems, d), intercept_ (problems,) and n_iter_ from [(w, iterations, converged)]."""
    W = np.array([w for w, _, _ in found])
    if not np.isfinite(W).all():
        raise ValueError(
            f"{type(model).__name__}: the weights are not finite; X holds values too large to square. "
            "Scale the columns"
        )
    model.coef_, model.intercept_ = W, 0.0
    if model.fit_intercept:
        model.coef_, model.intercept_ = W[:, :-1].copy(), model.intercept_scaling * W[:, -1]
    model.n_iter_ = max(iterations for _, iterations, _ in found)
    if not all(converged for _, _, converged in found):
        warnings.warn(
            f"{type(model).__name__} did not reach tol={model.tol:g} in max_iter={model.max_iter} "
            "iterations. "
            "Scale the columns (StandardScaler), raise max_iter or tol, or lower C",
            ConvergenceWarning,
            stacklevel=4,
        )
    return model


def _read(model, X, y, **more):
    """Checked X and y."""
    model._validate_params()
    return validate_data(
        model, X, y, accept_sparse="csr", dtype=np.float64, order="C", accept_large_sparse=False, **more
    )


def _raw(model, X):
    """(n, problems): X coef' + intercept, checked."""
    check_is_fitted(model)
    X = validate_data(model, X, accept_sparse="csr", dtype=np.float64, reset=False)
    return gram.times(X, np.atleast_2d(model.coef_).T) + model.intercept_


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
        """X (n, d) dense or CSR, y (n,) -> coef_ (1 or q, d), intercept_ (1 or q,), classes_ (q,),
        n_iter_.
        """
        X, y = _read(self, X, y)
        self._check()
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {self.classes_[0]!r}"
            )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        by_class = compute_class_weight(
            self.class_weight, classes=self.classes_, y=y, sample_weight=sample_weight
        )
        c = self.C * weight
        positives = range(len(self.classes_)) if len(self.classes_) > 2 else [1]
        found = []
        for positive in positives:
            s = np.where(codes == positive, 1.0, -1.0)
            # against the rest, liblinear weighs the one class and leaves the rest at one
            rest = by_class[0] if len(self.classes_) == 2 else 1.0
            cost = c * np.where(s > 0, by_class[positive], rest)
            found.append(best(X, s, cost, -1.0, self))
        return store(self, found)

    def decision_function(self, X):
        """X (n, d) -> (n,) for two classes, else (n, q)."""
        raw = _raw(self, X)
        return raw[:, 0] if raw.shape[1] == 1 else raw

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        raw = self.decision_function(X)
        return self.classes_[(raw > 0).astype(np.intp) if raw.ndim == 1 else raw.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LinearSVR(RegressorMixin, BaseEstimator):
    """Linear support vector regression, a drop-in for scikit-learn's LinearSVR."""

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

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """X (n, d) dense or CSR, y (n,) -> coef_ (d,), intercept_ (1,) or 0.0, n_iter_."""
        X, y = _read(self, X, y, y_numeric=True)
        if self.loss == "epsilon_insensitive" and self.dual is False:
            raise ValueError(
                "Unsupported set of arguments: loss='epsilon_insensitive' needs dual=True or dual='auto'"
            )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        found = best(X, np.asarray(y, np.float64), self.C * weight, float(self.epsilon), self)
        store(self, [found])
        self.coef_ = self.coef_.ravel()
        return self

    def predict(self, X):
        """X (n, d) -> (n,)."""
        return _raw(self, X)[:, 0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
