"""Least squares, ridge regression and the ridge classifier: scikit-learn's names on Gram kernels.

Letters: X (n, d) dense or CSR, y (n,) or (n, t), W (d, t).
"""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from ml_core.kernels import gram, leastsquares, threads
from ml_core.kernels.ridge import WIDEST, ridge
from ml_core.models import chunks
from ml_core.models.line import line, method, penalties, read_rows, set_classes, set_line, signs, tall, told
from ml_core.models.validate import validated
from ml_core.models.weights import class_weights, row_weights

SOLVERS = {"auto", "cholesky", "svd", "lsqr", "sparse_cg", "lbfgs"}


class LinearRegression(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ordinary least squares.

    Parameters
    ----------
    fit_intercept : bool
    copy_X : bool
        Taken for scikit-learn's sake; X is never changed.
    tol : float
        Singular values of X below ``tol`` times the largest count as zero, as in scikit-learn 1.9.
    n_jobs : int or None
        Taken for scikit-learn's sake; all targets are solved at once, on as many threads as BLAS has.
    positive : bool
        Coefficients >= 0, found exactly.
    """

    _parameter_constraints = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
    }

    def __init__(self, *, fit_intercept=True, copy_X=True, tol=1e-6, n_jobs=None, positive=False):
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """Learn coef_ (d,) or (t, d), intercept_, and for dense X rank_ and singular_."""
        self._validate_params()
        chunks.forget(self)
        X, Y, one = read_rows(self, X, y)
        weight = row_weights(sample_weight, X)
        if self.positive or (issparse(X) and X.shape[1] > WIDEST):
            way = "nonnegative" if self.positive else "lsqr"
            with told(self, X):
                W, offset, _ = ridge(X, Y, weight, self.fit_intercept, 0.0, way)
        else:
            with told(self, X):
                W, offset, singular = self._solve(X, Y, weight)
            self.singular_ = singular.astype(X.dtype, copy=False)
            self.rank_ = int((singular > self.tol * singular.max(initial=0)).sum())
        return set_line(self, W, offset, one, X.dtype)

    def _solve(self, X, Y, weight):
        d = X.shape[1]
        offset, G = gram.moments(X, Y, weight, self.fit_intercept)
        if np.isfinite(G).all() and len(Y) > d:
            values = np.linalg.eigvalsh(G[:d, :d])
            # the Gram tells no small singular value from zero; where one may lie near tol, factor the rows
            if values[0] > max(1e-10, (2 * self.tol) ** 2) * values[-1]:
                factor = leastsquares.Factor(G[:d, :d])
                W = factor.solve(G[:d, d:])
                if factor.rcond < leastsquares.PLAIN:
                    W += factor.solve(gram.residual_products(X, Y, weight, offset, W))
                return W, offset, np.sqrt(values[::-1])
        R = gram.triangle(X, Y, weight, offset)
        W, singular = leastsquares.by_triangle(R, d, 0.0, self.tol)
        return W, offset, singular

    @threads.single
    def partial_fit(self, X, y, sample_weight=None):
        """Add a chunk of rows: after the last one this is ``fit`` on all of them, and memory holds (d, d).

        Nearly dependent columns keep fewer digits than by ``fit``, which can go back to the rows.
        """
        self._validate_params()
        return chunks.solve_line(self, chunks.take(self, X, y, sample_weight))

    def predict(self, X):
        """X (n, d) -> (n,) or (n, t)."""
        return line(self, X)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; candidates may differ in fit_intercept."""
        from ml_core.models.ridge_path import score_regressors

        return score_regressors(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Ridge(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Least squares with an l2 penalty: minimises |y - X w|^2 + alpha |w|^2.

    Parameters
    ----------
    alpha : float or (t,)
        Penalty, one for all targets or one a target. 0 is allowed, and as accurate as LAPACK's least squares.
    fit_intercept : bool
    copy_X, max_iter, tol, random_state
        Taken for scikit-learn's sake: X is never changed and nothing here stops early.
    solver : {"auto", "cholesky", "svd", "lsqr", "sparse_cg", "lbfgs"}
        "auto" and "cholesky" take the Gram matrix and fall back to "svd" when its condition asks for it;
        "lsqr" and "sparse_cg" iterate to full precision on a sparse X and are "auto" on a dense one.
        "sag" and "saga" are refused: they reach the same coefficients, later.
    positive : bool
        Coefficients >= 0, found exactly.
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(SOLVERS)],
        "positive": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """Learn coef_ (d,) or (t, d), intercept_, solver_."""
        self._validate_params()
        chunks.forget(self)
        X, Y, one = read_rows(self, X, y)
        weight, alpha, way = row_weights(sample_weight, X), penalties(self, Y.shape[1]), method(self)
        with told(self, X):
            W, offset, self.solver_ = ridge(X, Y, weight, self.fit_intercept, alpha, way)
        self.n_iter_ = None
        return set_line(self, W, offset, one, X.dtype)

    @threads.single
    def partial_fit(self, X, y, sample_weight=None):
        """Add a chunk of rows: after the last one this is ``fit`` on all of them, and memory holds (d, d).

        Nearly dependent columns keep fewer digits than by ``fit``, which can go back to the rows.
        """
        self._validate_params()
        one = chunks.take(self, X, y, sample_weight)
        method(self)
        self.solver_, self.n_iter_ = "cholesky", None
        return chunks.solve_ridge(self, one)

    def predict(self, X):
        """X (n, d) -> (n,) or (n, t)."""
        return line(self, X)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; one Gram a fold serves every alpha."""
        from ml_core.models.ridge_path import score_regressors

        return score_regressors(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class RidgeClassifier(ClassifierMixin, BaseEstimator):
    """Ridge regression on targets of -1 and 1, one column a class (one in all for two classes).

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weights of the classes, multiplied with sample_weight.
    alpha, fit_intercept, copy_X, max_iter, tol, solver, positive, random_state
        As for Ridge.
    """

    _parameter_constraints = Ridge._parameter_constraints | {
        "class_weight": [dict, StrOptions({"balanced"}), None]
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        class_weight=None,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """Learn classes_ (q,), coef_ (q, d), intercept_ (q,); for two classes (d,) and (1,)."""
        self._validate_params()
        X, y = validated(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite=not tall(X),
            multi_output=True,
        )
        self.classes_, Y = signs(y)
        weight = class_weights(self.class_weight, row_weights(sample_weight, X), y)
        alpha, way = penalties(self, Y.shape[1]), method(self)
        with told(self, X):
            W, offset, self.solver_ = ridge(X, Y, weight, self.fit_intercept, alpha, way)
        self.n_iter_ = None
        self._multilabel = y.ndim == 2 and y.shape[1] > 1
        return set_classes(self, W, offset, X.dtype)

    def decision_function(self, X):
        """X (n, d) -> (n,) for two classes, else (n, q)."""
        return line(self, X)

    def predict(self, X):
        """X (n, d) -> labels (n,), or (n, q) of 0 and 1 for multilabel targets."""
        return self._decide(self.decision_function(X))

    def _decide(self, score):
        if self._multilabel:
            return (score > 0).astype(int)
        return self.classes_[(score > 0).astype(int) if score.ndim == 1 else score.argmax(axis=1)]

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; one Gram a fold serves every alpha."""
        from ml_core.models.ridge_path import score_classifiers

        return score_classifiers(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags
