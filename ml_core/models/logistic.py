"""Logistic regression, two classes or many, dense or sparse: scikit-learn's names on our kernels.

Letters: n rows, d columns, q classes. The objective is scikit-learn's, C * sum of losses + |w|^2 / 2,
written as mean of losses + penalty / 2 |w|^2 with penalty = 1 / (C * total weight).
"""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.validation import assert_all_finite

from ml_core.kernels import newton, softmax, threads
from ml_core.models.labels import encoded
from ml_core.models.line import line, tall, told
from ml_core.models.validate import validated
from ml_core.models.weights import balanced_weights, row_weights

SOLVERS = {"lbfgs", "newton-cg", "newton-cholesky", "sag", "saga", "liblinear"}
TALL = 1024  # columns up to which a Hessian (d, d) for two classes is cheaper than many products
THIN = 200  # the same for CSR, whose blocks are made dense


class LogisticRegression(ClassifierMixin, BaseEstimator):
    """Logistic regression with an l2, l1 or elastic-net penalty, or none.

    Parameters
    ----------
    penalty : "deprecated", "l1", "l2", "elasticnet" or None
        As in scikit-learn 1.9: leave it alone, and say l1_ratio, or C=inf for no penalty.
    C : float
        Inverse strength of the penalty, > 0; inf for none.
    l1_ratio : float in [0, 1]
        The penalty is l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2, with any solver. Above 0 coefficients that
        do not matter are exactly zero.
    tol : float
        Stop when the largest slope is below tol and the next step would move coefficients by less than tol
        / 1000 of the largest, so that two ways to the same minimum agree to six digits.
    fit_intercept : bool
    class_weight : dict, "balanced" or None
    solver : str
        Any of scikit-learn's names but "liblinear", which penalises the intercept. It changes nothing: two
        classes and up to 1024 columns take Newton steps, all else L-BFGS in the eigenvectors of a near
        Hessian; with l1_ratio > 0 each Newton step is an exact lasso.
    max_iter : int
    warm_start : bool
        Start from the last fit's coefficients.
    dual, intercept_scaling, random_state, verbose, n_jobs
        Taken for scikit-learn's sake; dual=True is refused.
    """

    _parameter_constraints = {
        "penalty": [StrOptions({"l1", "l2", "elasticnet"}), None, Hidden(StrOptions({"deprecated"}))],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions(SOLVERS)],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """Learn classes_ (q,), coef_ (1 or q, d), intercept_ (1 or q,), n_iter_ (1,)."""
        self._validate_params()
        size = size_of(self)
        later = tall(X) and newton.large(X) and X.shape[1] <= TALL and self.max_iter > 0
        checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": not later}
        X, y = validated(self, X, y, accept_sparse="csr", **checks)
        self.classes_, codes = encoded(y)
        codes = codes.astype(np.intp, copy=False)
        weight = row_weights(sample_weight, X)
        weight = np.ones(len(y)) if weight is None else weight
        check_classes(self.classes_, codes, weight)
        weight = balanced_weights(self.class_weight, weight, y)
        check_classes(self.classes_, codes, weight)
        start = self._start(X.shape[1])
        if later and (size[1] > 0 or len(self.classes_) > 2):
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        with told(self, X):
            W, b, n_iter, converged = fit_rows(self, (X, codes, weight), size, start)
        self.n_iter_ = np.array([n_iter], np.int32)
        self.coef_, self.intercept_ = W.astype(X.dtype, copy=False), b.astype(X.dtype, copy=False)
        if not converged:
            warn_unconverged(self)
        return self

    def _start(self, d):
        q = 1 if len(self.classes_) == 2 else len(self.classes_)
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        if self.coef_.shape != (q, d):
            raise ValueError(
                f"warm_start: coef_ of the last fit has shape {self.coef_.shape}, but must be {(q, d)} here; "
                "fit a clone, or set warm_start=False"
            )
        return np.column_stack([self.coef_, self.intercept_]).astype(np.float64)

    def decision_function(self, X):
        """X (n, d) -> log odds (n,) of the second class, or scores (n, q)."""
        score = line(self, X)
        return score[:, 0] if score.shape[1] == 1 else score

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        score = self.decision_function(X)
        return self.classes_[(score > 0).astype(int) if score.ndim == 1 else score.argmax(axis=1)]

    def predict_proba(self, X):
        """X (n, d) -> probabilities (n, q)."""
        from scipy.special import expit

        score = self.decision_function(X)
        if score.ndim == 1:
            right = expit(score)
            return np.column_stack([1 - right, right])
        score -= score.max(axis=1, keepdims=True)
        np.exp(score, out=score)
        score /= score.sum(axis=1, keepdims=True)
        return score

    def predict_log_proba(self, X):
        """X (n, d) -> logarithms of the probabilities (n, q), finite however sure the model is."""
        from scipy.special import log_expit, log_softmax

        score = self.decision_function(X)
        if score.ndim == 1:
            return np.column_stack([log_expit(-score), log_expit(score)])
        return log_softmax(score, axis=1)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; C and folds are columns of one product."""
        from ml_core.models.logistic_path import score_logistic

        return score_logistic(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def size_of(model):
    """C, or inf for no penalty, and the share of l1 in it, once everything we do not know is refused."""
    if model.dual:
        raise ValueError("dual=True is for the solver 'liblinear' only; set dual=False")
    if model.solver == "liblinear":
        raise ValueError(
            "solver='liblinear' penalises the intercept, which is not done here; leave solver at 'lbfgs', "
            "or use sklearn.linear_model.LogisticRegression"
        )
    if model.penalty == "elasticnet" and model.l1_ratio is None:
        raise ValueError("penalty='elasticnet' needs l1_ratio, a number from 0 to 1; got None")
    if model.penalty != "deprecated":
        warnings.warn(
            f"penalty={model.penalty!r} is deprecated, as in scikit-learn 1.8: leave it out; "
            "l1_ratio=1 is l1, C=inf is none",
            FutureWarning,
            stacklevel=3,
        )
    ratio = {"l1": 1.0, "l2": 0.0}.get(model.penalty, model.l1_ratio or 0.0)
    strength = np.inf if model.penalty is None else float(model.C)
    return strength, ratio if np.isfinite(strength) else 0.0


def check_classes(classes, codes, weight):
    """Refuse fewer than two classes, counting only rows that weigh something."""
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes[0]}; a classifier needs at least 2 classes. Check the target"
        )
    empty = np.bincount(codes, weight, len(classes)) == 0
    if empty.any():
        raise ValueError(
            f"every row of class {classes[empty.argmax()]} has weight 0; give it weight or drop its rows"
        )


def warn_unconverged(model):
    """ConvergenceWarning that says what to change."""
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"{type(model).__name__} stopped at max_iter={model.max_iter} without reaching tol={model.tol:g}: "
        "scale the columns, lower C, or raise max_iter",
        ConvergenceWarning,
        stacklevel=3,
    )


def by_newton(X, n_classes, n_rows):
    """Whether two classes of these rows are fitted by Newton steps with a Hessian."""
    d = X.shape[1]
    return n_classes == 2 and d <= n_rows and d <= (THIN if issparse(X) else TALL)


def fit_rows(model, rows, size, start):
    """One fit -> W (1 or q, d), b (1 or q,), steps, converged.

    ``rows`` is (X, codes, weight), ``size`` (C, l1_ratio), ``start`` (1 or q, d + 1) or None.
    """
    if size[1] > 0:
        from ml_core.models.logistic_sparse import fit_sparse

        return fit_sparse(model, rows, size, start)
    X, codes, weight = rows
    q = int(codes.max()) + 1
    penalty = 1 / (size[0] * weight.sum())
    if by_newton(X, q, X.shape[0]):
        rows, moved = newton.rows_for(X, codes == 1, weight[None], np.zeros(1, int), model.fit_intercept)
        middle = rows.centre + moved
        if start is None:
            begin = newton.first_answer(rows, np.array([penalty]), model.tol, model.max_iter)
        else:
            begin = newton.Lines(start[:, :-1], start[:, -1] + start[:, :-1] @ middle)
        found = newton.solve(rows, np.array([penalty]), begin, model.tol, model.max_iter)
        return found.W, found.b - found.W @ middle, int(found.n_iter[0]), bool(found.converged[0])
    q = 1 if q == 2 else q
    problem, moved = softmax.problem(X, codes, weight, q, model.fit_intercept)
    W = np.zeros((q, X.shape[1] + 1)) if start is None else start.copy()
    return descend(problem, moved, penalty, W, model)


def descend(problem, moved, penalty, W, model):
    """From W (q, d + 1) -> W (q, d), b (q,), steps, converged."""
    middle = problem.centre + moved
    W[:, -1] += W[:, :-1] @ middle
    W, n_iter, converged = softmax.descend(problem, penalty, W, model.tol, model.max_iter)
    return W[:, :-1], W[:, -1] - W[:, :-1] @ middle, max(n_iter, 1), converged
