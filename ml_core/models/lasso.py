"""Lasso and elastic net, single fits, paths of penalties, and grids over folds.

Letters: n rows, d columns, t targets, a penalties, W (d, t) coefficients.

One pass over the rows makes a Gram matrix, from which every penalty is solved (kernels/descent.py); of many
columns only those that come to matter are taken (kernels/working.py). Below 256 columns nothing is compiled
and numba not imported.
"""

import warnings
from numbers import Integral, Number, Real

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array

from ml_core.kernels import descent, threads
from ml_core.kernels.working import sources, wide
from ml_core.models.lasso_grid import score_many
from ml_core.models.line import line, read_rows, set_line, told
from ml_core.models.weights import row_weights

RULES = {
    "alpha": [Interval(Real, 0, None, closed="left")],
    "fit_intercept": ["boolean"],
    "precompute": ["boolean", "array-like"],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "copy_X": ["boolean"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "positive": ["boolean"],
    "random_state": ["random_state"],
    "selection": [StrOptions({"cyclic", "random"})],
}


def penalty(source, alpha, l1_ratio, positive):
    """scikit-learn's alpha is a penalty a row."""
    return descent.Penalty(alpha * l1_ratio * source.total, alpha * (1 - l1_ratio) * source.total, positive)


def path_of(source, alphas, kind, stop):
    """Penalties (a,) -> W (a, d), gaps (a,), sweeps (a,); ``kind`` is (l1_ratio, positive), ``stop`` (tol,
    max_iter).

    The largest comes first, and each starts where the one before ended.
    """
    (l1_ratio, positive), (tol, most) = kind, stop
    W, gaps, sweeps = (
        np.zeros((len(alphas), len(source.q))),
        np.zeros(len(alphas)),
        np.zeros(len(alphas), int),
    )
    w = np.zeros(len(source.q))
    for i in np.argsort(-np.asarray(alphas), kind="stable"):
        w, gaps[i], sweeps[i] = source.solve(w, penalty(source, alphas[i], l1_ratio, positive), tol, most)
        W[i] = w
    return W, gaps, sweeps


def alphas_of(source, l1_ratio, eps, count, positive=False):
    """From the least alpha at which all is zero down to eps of it, in equal ratios (count,)."""
    if l1_ratio == 0:
        raise ValueError("l1_ratio=0 has no largest alpha: pass alphas, or l1_ratio > 0")
    top = descent.top(source.q, l1_ratio, positive) / source.total
    if not top > 0:
        return np.full(count, np.finfo(float).resolution)
    return np.geomspace(top, top * eps, count)


@threads.single
def enet_path(X, y, *, l1_ratio=0.5, eps=1e-3, alphas=100, positive=False, tol=1e-4, max_iter=1000):
    """alphas (a,) falling, coefs (d, a), gaps (a,), as scikit-learn's ``enet_path``: no intercept, y of
    one column.
    """
    X = check_array(X, accept_sparse=("csr", "csc"), dtype=np.float64)
    if issparse(X) and not wide(*X.shape):
        X = X.tocsr()
    y = check_array(y, ensure_2d=False, dtype=np.float64).reshape(X.shape[0], -1)
    if y.shape[1] != 1:
        raise ValueError(f"a path is of one target, got {y.shape[1]}: call it once a column of y")
    (source,), _ = sources(X, y, None, False)
    if isinstance(alphas, Number):
        alphas = alphas_of(source, l1_ratio, eps, int(alphas), positive)
    alphas = np.sort(np.asarray(alphas, np.float64))[::-1]
    W, gaps, sweeps = path_of(source, alphas, (l1_ratio, positive), (tol, max_iter))
    _warn(gaps.max(initial=0), source, tol, max_iter, sweeps.max(initial=0))
    return alphas, W.T, gaps / source.total


def lasso_path(X, y, **options):
    """``enet_path`` with l1_ratio=1."""
    return enet_path(X, y, l1_ratio=1.0, **options)


def _warn(gap, source, tol, most, sweeps):
    """Say what to change where the gap is not small enough."""
    if sweeps >= most and gap > max(tol, 1e-12) * source.yy:
        warnings.warn(
            f"Objective did not converge: duality gap {gap / source.total:.3g}, tolerance "
            f"{tol * source.yy / source.total:.3g} after max_iter={most} sweeps. Scale the columns "
            "(StandardScaler), or raise max_iter, alpha or tol",
            ConvergenceWarning,
            stacklevel=4,
        )


class ElasticNet(RegressorMixin, MultiOutputMixin, BaseEstimator):
    """Least squares with l1 and l2 penalties, a drop-in for scikit-learn's ElasticNet.

    Parameters, attributes and defaults are scikit-learn's. ``precompute``, ``copy_X``, ``selection`` and
    ``random_state`` are accepted and change nothing: X is never written to, and descent goes round in order.
    ``n_iter_`` counts sweeps. The answer is exact to rounding on its support, whatever ``tol``.
    """

    _parameter_constraints = {**RULES, "l1_ratio": [Interval(Real, 0, 1, closed="both")]}

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """X (n, d) dense or CSR, y (n,) or (n, t) -> coef_ (d,) or (t, d), intercept_, dual_gap_, n_iter_."""
        self._validate_params()
        X, Y, one = read_rows(self, X, y)
        weight = row_weights(None if isinstance(sample_weight, Number) else sample_weight, X)
        if self.alpha == 0:
            warnings.warn(
                "With alpha=0, this algorithm does not converge well. Use LinearRegression instead",
                stacklevel=3,
            )
        with np.errstate(over="ignore", invalid="ignore"), told(self, X):
            found, offset = sources(X, Y, weight, self.fit_intercept)
        ratio = getattr(self, "l1_ratio", 1.0)
        most = self.max_iter or 1000
        start = np.zeros((Y.shape[1], X.shape[1]))
        if self.warm_start and hasattr(self, "coef_"):
            start = np.asarray(self.coef_, np.float64).reshape(start.shape)
        solved = []
        for source, begin in zip(found, start, strict=True):
            if not source.finite:
                raise ValueError(
                    "Coordinate descent iterations resulted in non-finite parameter values: "
                    "the input data may contain large values. Scale the columns"
                )
            if self.positive:
                begin = np.maximum(begin, 0)
            solved.append(
                source.solve(begin, penalty(source, self.alpha, ratio, self.positive), self.tol, most)
            )
            _warn(solved[-1][1], source, self.tol, most, solved[-1][2])
        set_line(self, np.array([w for w, _, _ in solved]).T, offset, False, X.dtype)
        self.dual_gap_ = np.array([gap / found[0].total for _, gap, _ in solved], dtype=X.dtype)
        self.n_iter_ = [sweeps for _, _, sweeps in solved]
        if Y.shape[1] == 1:
            self.coef_, self.dual_gap_, self.n_iter_ = self.coef_[0], self.dual_gap_[0], self.n_iter_[0]
            if one and self.fit_intercept:
                self.intercept_ = self.intercept_[0]
        return self

    def predict(self, X):
        """X (n, d) -> (n,) or (n, t)."""
        return line(self, X)

    @property
    def sparse_coef_(self):
        """coef_ as CSR."""
        return csr_array(np.atleast_2d(self.coef_))

    def __sklearn_tags__(self):
        tags = RegressorMixin.__sklearn_tags__(self)
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags

    def score_many(self, X, y, candidates, folds, scorer):
        """Scores (n_candidates, n_folds): Gram shares of the folds, then a path of penalties on each."""
        return score_many(self, X, y, candidates, folds, scorer)


class Lasso(RegressorMixin, MultiOutputMixin, BaseEstimator):
    """Least squares with an l1 penalty, a drop-in for scikit-learn's Lasso; see ElasticNet."""

    _parameter_constraints = RULES

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    fit = ElasticNet.fit
    predict = ElasticNet.predict
    sparse_coef_ = ElasticNet.sparse_coef_
    __sklearn_tags__ = ElasticNet.__sklearn_tags__
    score_many = ElasticNet.score_many
