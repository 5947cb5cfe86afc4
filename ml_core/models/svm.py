"""Kernel support vector classifiers: C-SVC and nu-SVC, one machine a pair of classes.

Letters: n rows, d columns, q classes, m = q (q - 1) / 2 pairs, v support vectors.

A pair of up to 1500 rows is solved in plain NumPy, no compiler waited for; numba is imported when that
takes over 6000 steps, above 1500 rows, and by ``score_many``.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _ovr_decision_function
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import support, threads
from ml_core.models import kernel_grid, kernel_machine

RULES = {
    "kernel": [StrOptions({"linear", "poly", "rbf", "sigmoid", "precomputed"}), callable],
    "degree": [Interval(Integral, 0, None, closed="left")],
    "gamma": [StrOptions({"scale", "auto"}), Interval(Real, 0.0, None, closed="left")],
    "coef0": [Interval(Real, None, None, closed="neither")],
    "tol": [Interval(Real, 0.0, None, closed="neither")],
    "shrinking": ["boolean"],
    "probability": ["boolean", Hidden(StrOptions({"deprecated"}))],
    "cache_size": [Interval(Real, 0, None, closed="neither")],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "verbose": ["verbose"],
    "max_iter": [Interval(Integral, -1, None, closed="left")],
    "decision_function_shape": [StrOptions({"ovr", "ovo"})],
    "break_ties": ["boolean"],
    "random_state": ["random_state"],
}


def _calibrated(model):
    """Whether predict_proba exists; the error says how to get it."""
    if model.probability is not True:
        raise AttributeError(
            "predict_proba is not available when probability=False: set probability=True and fit"
        )
    return True


class SVC(ClassifierMixin, BaseEstimator):
    """C-support vector classification, a drop-in for scikit-learn's SVC.

    Parameters, attributes and defaults are scikit-learn's. ``shrinking`` and ``verbose`` are accepted and
    change nothing. ``cache_size`` (MB) bounds the rows of the kernel matrix held at once.
    ``probability=True`` fits Platt's sigmoids on decisions of five folds. ``n_iter_`` counts steps, one
    entry a pair of classes.
    """

    _parameter_constraints = {**RULES, "C": [Interval(Real, 0.0, None, closed="right")]}

    def __init__(
        self,
        *,
        C=1.0,
        kernel="rbf",
        degree=3,
        gamma="scale",
        coef0=0.0,
        shrinking=True,
        probability="deprecated",
        tol=1e-3,
        cache_size=200,
        class_weight=None,
        verbose=False,
        max_iter=-1,
        decision_function_shape="ovr",
        break_ties=False,
        random_state=None,
    ):
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.probability = probability
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state

    def _weights(self, codes, weight):
        """Upper bounds (n,) before C: row weights times class weights."""
        return weight * self.class_weight_[codes]

    def _machine(self, rows, s, weight, compiled=None, path=()):
        """Two classes s (n,) of +1 and -1."""
        most = kernel_machine.most_steps(self, len(s))
        return support.c_machine(rows, s, self.C * weight, self.tol, most, compiled, path)

    @threads.single
    def fit(self, X, y, sample_weight=None):
        """X (n, d) dense or CSR, or the kernel matrix (n, n).

        Sets support_, dual_coef_ (q - 1, v), intercept_ (m,).
        """
        X, codes, weight = kernel_machine.check_input(self, X, y, sample_weight)
        weight = self._weights(codes, weight)
        q = len(self.classes_)
        source = kernel_machine.source_of(self, X, kernel_machine.set_kernel(self, X))
        found = kernel_machine.fit_pairs(source, codes, weight, q, self._machine)
        kernel_machine.set_solution(self, X, codes, found)
        self._probA = self._probB = np.empty(0)
        if self.probability is True:
            self._probA, self._probB = kernel_machine.sigmoids(
                source, codes, weight, q, self._machine, self.random_state
            )
        return self

    def decision_function(self, X):
        """X -> (n,) for two classes.

        Else (n, q) votes refined by confidence, or (n, m) where the shape is ``ovo``.
        """
        return self._shaped(kernel_machine.pair_decisions(self, X))

    def _shaped(self, decisions):
        """(n, m) pair decisions as decision_function returns them."""
        q = len(self.classes_)
        if q == 2:
            return decisions[:, 0]
        if self.decision_function_shape == "ovo":
            return decisions
        return _ovr_decision_function(decisions < 0, -decisions, q)

    def predict(self, X):
        """X -> labels (n,)."""
        self._check_ties()
        return self._labels(kernel_machine.pair_decisions(self, X))

    def _check_ties(self):
        """break_ties needs one column a class."""
        if self.break_ties and self.decision_function_shape == "ovo":
            raise ValueError("break_ties must be False when decision_function_shape is 'ovo'")

    def _labels(self, decisions):
        """(n, m) pair decisions -> labels (n,)."""
        q = len(self.classes_)
        if self.break_ties and q > 2:
            return self.classes_[np.argmax(self._shaped(decisions), axis=1)]
        return self.classes_[kernel_machine.votes(decisions, q)]

    @available_if(_calibrated)
    def predict_proba(self, X):
        """X -> class probabilities (n, q)."""
        check_is_fitted(self)
        if not len(self._probA):
            raise AttributeError("predict_proba needs probability=True at fit: fit again")
        return kernel_machine.probabilities(self, kernel_machine.pair_decisions(self, X))

    @available_if(_calibrated)
    def predict_log_proba(self, X):
        """X -> logarithms of class probabilities (n, q)."""
        return np.log(self.predict_proba(X))

    @property
    def n_support_(self):
        """Support vectors a class (q,)."""
        if not hasattr(self, "_n_support"):
            raise AttributeError(f"n_support_: fit this {type(self).__name__} first")
        return self._n_support

    @property
    def coef_(self):
        """Weights (m, d) of a linear kernel, read-only."""
        if self.kernel != "linear":
            raise AttributeError("coef_ is only available when using a linear kernel")
        check_is_fitted(self)
        coef = kernel_machine.pair_weights(self).T @ self.support_vectors_
        if isinstance(coef, np.ndarray):
            coef.flags.writeable = False
        return coef

    @property
    def probA_(self):
        """Platt's slope, a pair."""
        return self._probA

    @property
    def probB_(self):
        """Platt's constant, a pair."""
        return self._probB

    def __sklearn_tags__(self):
        tags = ClassifierMixin.__sklearn_tags__(self)
        tags.input_tags.pairwise = self.kernel == "precomputed"
        tags.input_tags.sparse = self.kernel != "precomputed"
        return tags

    def score_many(self, X, y, candidates, folds, scorer):
        """Scores (n_candidates, n_folds): one matrix of distances or products serves all of them."""
        return kernel_grid.score_many(self, X, y, candidates, folds, scorer)


class NuSVC(ClassifierMixin, BaseEstimator):
    """nu-support vector classification, a drop-in for scikit-learn's NuSVC.

    nu bounds the share of margin errors from above and the share of support vectors from below.
    ``class_weight`` has no effect, as in scikit-learn, where it scales C, which nu-SVC has not; a warning
    says so. Else as SVC.
    """

    _parameter_constraints = {**RULES, "nu": [Interval(Real, 0.0, 1.0, closed="right")]}

    def __init__(
        self,
        *,
        nu=0.5,
        kernel="rbf",
        degree=3,
        gamma="scale",
        coef0=0.0,
        shrinking=True,
        probability="deprecated",
        tol=1e-3,
        cache_size=200,
        class_weight=None,
        verbose=False,
        max_iter=-1,
        decision_function_shape="ovr",
        break_ties=False,
        random_state=None,
    ):
        self.nu = nu
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.probability = probability
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state

    def _weights(self, codes, weight):
        """Row weights alone; refuses a nu that some pair of classes cannot hold."""
        if self.class_weight is not None:
            warnings.warn(
                "NuSVC: class_weight has no effect on nu-SVC; pass sample_weight to fit, or use SVC",
                UserWarning,
                stacklevel=3,
            )
        mass = np.bincount(codes, weights=np.maximum(weight, 0), minlength=len(self.classes_))
        for i, j in kernel_machine.pairs_of(len(mass)):
            least = min(mass[i], mass[j])
            if least > 0 and self.nu * (mass[i] + mass[j]) / 2 > least * (1 + 1e-12):
                raise ValueError(
                    f"specified nu is infeasible: nu={self.nu}, but classes {self.classes_[i]!r} and "
                    f"{self.classes_[j]!r} weigh {mass[i]:g} and {mass[j]:g}, which allows at most "
                    f"{2 * least / (mass[i] + mass[j]):.4g}"
                )
        return weight

    def _machine(self, rows, s, weight, compiled=None, path=()):
        """Two classes s (n,) of +1 and -1."""
        most = kernel_machine.most_steps(self, len(s))
        bound = support.infeasible(s, weight, self.nu)  # a fold of the calibration may hold fewer of a class
        nu = self.nu if bound is None else bound
        return support.nu_machine(rows, s, weight, nu, self.tol, most, compiled, path)

    fit = SVC.fit
    decision_function = SVC.decision_function
    _shaped = SVC._shaped
    predict = SVC.predict
    _check_ties = SVC._check_ties
    _labels = SVC._labels
    predict_proba = SVC.__dict__["predict_proba"]
    predict_log_proba = SVC.__dict__["predict_log_proba"]
    n_support_ = SVC.n_support_
    coef_ = SVC.coef_
    probA_ = SVC.probA_
    probB_ = SVC.probB_
    __sklearn_tags__ = SVC.__sklearn_tags__
    score_many = SVC.score_many
