"""What trees and forests share between their estimators: parameters made limits, rows read, votes counted.

Letters: n rows, d columns, t trees, q classes.
"""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted

from ml_core.models.dense import MOST
from ml_core.models.forest_job import Limits
from ml_core.models.validate import validated

FEW = 64  # rows at most that skip scikit-learn's long check when nothing about them needs it
CLASS_CRITERIA, VALUE_CRITERIA = {"gini", "entropy", "log_loss"}, {"squared_error", "poisson"}
LIMITS = {
    "max_depth": [Interval(Integral, 1, None, closed="left"), None],
    "min_samples_split": [
        Interval(Integral, 2, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="right"),
    ],
    "min_samples_leaf": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="neither"),
    ],
    "min_weight_fraction_leaf": [Interval(Real, 0, 0.5, closed="both")],
    "max_features": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="right"),
        StrOptions({"sqrt", "log2"}),
        None,
    ],
    "random_state": ["random_state"],
    "max_leaf_nodes": [Interval(Integral, 2, None, closed="left"), None],
    "min_impurity_decrease": [Interval(Real, 0, None, closed="left")],
    "ccp_alpha": [Interval(Real, 0, None, closed="left")],
    "monotonic_cst": ["array-like", None],
    "max_bins": [Interval(Integral, 2, 255, closed="both")],
}
FOREST = LIMITS | {
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "bootstrap": ["boolean"],
    "oob_score": ["boolean", callable],
    "n_jobs": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
        None,
    ],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "max_samples": [
        None,
        Interval(RealNotInt, 0, 1, closed="right"),
        Interval(Integral, 1, None, closed="left"),
    ],
}


def refuse_criterion(model, known):
    """ValueError, with the way out, for a criterion that histograms cannot serve."""
    if model.criterion == "absolute_error":
        raise ValueError(
            "criterion='absolute_error' is not to be had: medians cannot be added up bin by bin. Take "
            "'squared_error', or GradientBoostingRegressor(loss='absolute_error')"
        )
    if model.criterion == "friedman_mse":
        raise ValueError("criterion='friedman_mse' always gave the trees of 'squared_error'; take that")
    if model.criterion not in known:
        raise ValueError(f"criterion must be one of {', '.join(sorted(known))}, got {model.criterion!r}")


def read(model, X, y="none", reset=True):
    """Checked X (n, d) float64 or float32, nan for missing, sparse rows filled in; with y if given."""
    checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan", "accept_sparse": "csr"}
    alone = isinstance(y, str)
    if alone:
        X = validated(model, X, reset=reset, **checks)
    else:
        X, y = validated(model, X, y, reset=reset, **checks)
    if issparse(X):
        if X.shape[0] * X.shape[1] > 16 * MOST:
            raise ValueError(
                f"X is sparse, {X.shape[0]} x {X.shape[1]}: filled in it would take over 2 GB, and trees "
                "look at cells one by one. Reduce its columns, or take a linear model"
            )
        X = X.toarray()
    return X if alone else (X, y)


def rows_of(model, X):
    """Checked X (n, d) of a fitted model; a few plain rows without scikit-learn's long check."""
    if "_ensemble" not in vars(model):  # its check costs a third of what a row costs
        check_is_fitted(model, "_ensemble")
    plain = type(X) is np.ndarray and X.dtype == np.float64 and X.ndim == 2 and 0 < len(X) <= FEW
    fits = plain and X.shape[1] == model.n_features_in_ and not hasattr(model, "feature_names_in_")
    return X if fits and not np.isinf(X).any() else read(model, X, reset=False)


def columns_looked_at(max_features, d):
    """How many columns each split looks at."""
    if max_features is None:
        return d
    if isinstance(max_features, str):
        return max(1, int(np.sqrt(d) if max_features == "sqrt" else np.log2(d)))
    if isinstance(max_features, Integral):
        if max_features > d:
            raise ValueError(f"max_features must be in 1..{d}, the number of columns, got {max_features}")
        return int(max_features)
    return max(1, int(max_features * d))


def least_rows(model, n):
    """min_samples_leaf as a number of n rows."""
    leaf = model.min_samples_leaf
    return int(leaf) if isinstance(leaf, Integral) else int(np.ceil(leaf * n))


def limits_of(model, n, d, random):
    """The model's parameters as ``Limits`` for n rows of d columns."""
    split, leaf = model.min_samples_split, least_rows(model, n)
    leaves = min(model.max_leaf_nodes, max(2, n)) if model.max_leaf_nodes else 0  # room is made for all
    split = int(split) if isinstance(split, Integral) else max(2, int(np.ceil(split * n)))
    return Limits(
        model.criterion, columns_looked_at(model.max_features, d), int(model.max_depth or 0),
        max(split, 2 * leaf), leaf, int(leaves), float(model.min_weight_fraction_leaf),
        float(model.min_impurity_decrease), random,
    )  # fmt: skip


def monotone_of(model, d, q):
    """monotonic_cst as int8 (d,)."""
    if model.monotonic_cst is None:
        return np.zeros(d, np.int8)
    if q > 2:
        raise ValueError(f"monotonic_cst needs two classes or numbers to predict, y has {q} classes")
    given = np.asarray(model.monotonic_cst)
    if given.shape != (d,) or not np.isin(given, (-1, 0, 1)).all():
        raise ValueError(
            f"monotonic_cst must hold -1, 0 or 1 for each of the {d} columns, got {model.monotonic_cst!r}"
        )
    return given.astype(np.int8)


def seeds_of(random_state, t, done=0):
    """Seeds of trees done .. t - 1 (uint64), the same whether grown at once or one after another."""
    rng = check_random_state(random_state)
    return rng.randint(0, np.iinfo(np.int64).max, t, dtype=np.int64).astype(np.uint64)[done:]


def mean_of_trees(model, X, ensemble=None):
    """Mean of the leaves' values over the trees (n, q)."""
    if "_raw" in model.__dict__:  # told out of bag
        return model._raw
    X, ensemble = rows_of(model, X), ensemble or model._ensemble
    raw = np.zeros((len(X), ensemble.width))
    ensemble.add(X, raw)
    t = len(ensemble.trees.output)
    return raw if t == 1 else raw / t


def predict_proba(self, X):
    """X (n, d) -> probabilities (n, q), or shares of votes with voting="hard"."""
    return mean_of_trees(self, X)


def predict_log_proba(self, X):
    """X (n, d) -> logarithms of ``predict_proba`` (n, q)."""
    with np.errstate(divide="ignore"):
        return np.log(self.predict_proba(X))


def predict_label(self, X):
    """X (n, d) -> labels (n,): the class of the largest probability, the first of equals."""
    share = self.predict_proba(X)
    return self.classes_[share.argmax(axis=1)]


def predict_value(self, X):
    """X (n, d) -> (n,)."""
    return mean_of_trees(self, X)[:, 0]


# scikit-learn's scorers ask a method for its name
predict_label.__name__ = predict_value.__name__ = "predict"


def apply(self, X):
    """X (n, d) -> the leaf each row reaches in each tree (n, t)."""
    return self._ensemble.leaves(rows_of(self, X)).astype(np.int64)


def importances(trees, facts, d):
    """Each tree's share of gain per column, averaged over the trees that split at all (d,); sums to 1."""
    tree = np.repeat(np.arange(len(trees.output)), np.diff(trees.start))
    gain = np.zeros((len(trees.output), d))
    np.add.at(gain, (tree, trees.column), facts["gain"])
    total = gain.sum(axis=1, keepdims=True)
    gain = gain[total[:, 0] > 0] / total[total[:, 0] > 0]
    mean = gain.mean(axis=0) if len(gain) else np.zeros(d)
    return mean / mean.sum() if mean.sum() > 0 else mean


def gains(self):
    """What the splits on each column gained, as a share of all (d,)."""
    check_is_fitted(self, "_ensemble")
    return importances(self._ensemble.trees, self._facts, self.n_features_in_)


def tagged(tags):
    """scikit-learn's tags of trees: missing values are welcome, sparse rows are filled in."""
    tags.input_tags.allow_nan = True
    tags.input_tags.sparse = True
    return tags
