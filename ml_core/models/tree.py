"""Decision trees with scikit-learn's names, grown on binned columns.

Columns are binned once into at most 255 bins and one for missing values; a cut lies half way between two bins
that a node has. Missing values go to the side that gains, in each split anew.

Letters: n rows, d columns, m nodes, q classes.
"""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels.trees import part
from ml_core.models import forest_methods as methods
from ml_core.models.forest_fit import Draw
from ml_core.models.forest_grid import score_grid
from ml_core.models.forest_learn import by_class, learn, path_of, read_classes, read_values

TREE = methods.LIMITS | {"splitter": [StrOptions({"best", "random"})]}
CLASSES = TREE | {
    "criterion": [StrOptions(methods.CLASS_CRITERIA | {"absolute_error"})],
    "class_weight": [StrOptions({"balanced"}), dict, None],
}
VALUES = TREE | {"criterion": [StrOptions(methods.VALUE_CRITERIA | {"absolute_error", "friedman_mse"})]}


@dataclass
class TreeArrays:
    """A tree under scikit-learn's names. Children are -1 and features -2 in leaves; value (m, 1, q)."""

    children_left: np.ndarray
    children_right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_go_to_left: np.ndarray
    value: np.ndarray
    impurity: np.ndarray
    n_node_samples: np.ndarray
    weighted_n_node_samples: np.ndarray
    n_features: int

    @property
    def node_count(self):
        """Number of nodes."""
        return len(self.feature)

    @property
    def n_leaves(self):
        """Number of leaves."""
        return int((self.feature < 0).sum())

    @property
    def max_depth(self):
        """Splits on the longest way from the root to a leaf."""
        depth = np.zeros(len(self.feature), np.int64)
        for node in np.flatnonzero(self.feature >= 0):  # children stand behind their parents
            depth[self.children_left[node]] = depth[self.children_right[node]] = depth[node] + 1
        return int(depth.max())


def arrays_of(self):
    """A fitted tree as ``TreeArrays``."""
    check_is_fitted(self, "_ensemble")
    trees, facts = self._ensemble.trees, self._facts
    leaf = trees.left == np.arange(len(trees.left))
    return TreeArrays(
        np.where(leaf, -1, trees.left),
        np.where(leaf, -1, trees.left + 1),
        np.where(leaf, -2, trees.column),
        np.where(leaf, -2.0, trees.threshold),
        trees.missing_left,
        trees.value[:, None, :],
        facts.get("impurity", np.full(len(leaf), np.nan)),
        facts["rows"],
        facts["weight"],
        self.n_features_in_,
    )


def trees_apart(self):
    """A forest's trees as fitted decision trees, [t]."""
    check_is_fitted(self, "_ensemble")
    kind = DecisionTreeClassifier if hasattr(self, "classes_") else DecisionTreeRegressor
    names = set(kind().get_params())
    shared = {name: value for name, value in self.get_params().items() if name in names}
    if shared.get("class_weight") == "balanced_subsample":
        shared["class_weight"] = None
    learned = ("classes_", "n_classes_", "n_outputs_", "n_features_in_", "feature_names_in_", "max_features_")
    found, trees = [], self._ensemble.trees
    for i in range(len(trees.output)):
        tree, nodes = kind(**shared), slice(trees.start[i], trees.start[i + 1])
        vars(tree).update({name: getattr(self, name) for name in learned if hasattr(self, name)})
        tree._ensemble = replace(self._ensemble, trees=part(trees, i, i + 1))
        tree._facts = {name: fact[nodes] for name, fact in self._facts.items()}
        found.append(tree)
    return found


def grow(model, data):
    """Learn the tree from data: (X (n, d), codes or values (n,), weights (n,) or None)."""
    X, y, weight = data
    seeds = methods.seeds_of(model.random_state, 1)
    _, ground = learn(model, (X, y), Draw(len(X), weight), seeds, model.splitter == "random")
    model.max_features_ = ground.limits.columns
    return model


def depth(self):
    """Splits on the longest way from the root to a leaf."""
    return arrays_of(self).max_depth


def leaf_count(self):
    """Number of leaves."""
    return arrays_of(self).n_leaves


def leaf_of(self, X):
    """X (n, d) -> the leaf each row reaches (n,)."""
    return methods.apply(self, X)[:, 0]


def pruning_path(self, X, y, sample_weight=None):
    """Fit, and tell at which ccp_alphas the pruned tree changes, with its impurities: a Bunch of both."""
    from sklearn.base import clone

    alphas, impurities = path_of(clone(self).set_params(ccp_alpha=0.0).fit(X, y, sample_weight))
    return Bunch(ccp_alphas=alphas, impurities=impurities)


class DecisionTreeClassifier(ClassifierMixin, BaseEstimator):
    """A tree of cuts, each column's value against a number, whose leaves hold shares of classes.

    Parameters
    ----------
    criterion : "gini", "entropy" or "log_loss"
        What a split lowers.
    splitter : "best" or "random"
        Whether each column's best cut is looked for, or one is drawn.
    max_depth, max_leaf_nodes : int or None
        Limits; None for none. With max_leaf_nodes the split that gains most comes first.
    min_samples_split, min_samples_leaf : int, or float for a share of the rows
    min_weight_fraction_leaf, min_impurity_decrease : float
        Share of the weight a leaf has at least; what a split must lower the impurity by.
    max_features : int, float, "sqrt", "log2" or None
        Columns each split looks at.
    random_state : int, RandomState or None
        Of columns drawn, and of which of equally good ones is taken.
    class_weight : dict, "balanced" or None
    ccp_alpha : float
        What a leaf must lower the impurity by, or it is pruned.
    monotonic_cst : array of -1, 0, 1 or None
        Columns in which the probability of the second class must not fall (1) or not rise (-1).
    max_bins : int
        Bins of a column.
    """

    _parameter_constraints = CLASSES
    feature_importances_ = property(methods.gains)
    tree_ = property(arrays_of)
    apply = leaf_of
    get_depth = depth
    get_n_leaves = leaf_count
    cost_complexity_pruning_path = pruning_path
    predict = methods.predict_label
    predict_proba = methods.predict_proba
    predict_log_proba = methods.predict_log_proba
    score_many = score_grid

    def __init__(
        self, *, criterion="gini", splitter="best", max_depth=None, min_samples_split=2, min_samples_leaf=1,
        min_weight_fraction_leaf=0.0, max_features=None, random_state=None, max_leaf_nodes=None,
        min_impurity_decrease=0.0, class_weight=None, ccp_alpha=0.0, monotonic_cst=None, max_bins=255,
    ):  # fmt: skip
        self.criterion = criterion
        self.splitter = splitter
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.max_features = max_features
        self.random_state = random_state
        self.max_leaf_nodes = max_leaf_nodes
        self.min_impurity_decrease = min_impurity_decrease
        self.class_weight = class_weight
        self.ccp_alpha = ccp_alpha
        self.monotonic_cst = monotonic_cst
        self.max_bins = max_bins

    def __sklearn_tags__(self):
        return methods.tagged(super().__sklearn_tags__())

    def fit(self, X, y, sample_weight=None):
        """X (n, d), nan for missing, y (n,) of any labels -> classes_ (q,) and the tree."""
        self._validate_params()
        X, codes, weight = read_classes(self, X, y, sample_weight, methods.CLASS_CRITERIA)
        return grow(self, (X, codes, by_class(self, codes, weight)))


class DecisionTreeRegressor(RegressorMixin, BaseEstimator):
    """A tree of cuts, each column's value against a number, whose leaves hold means.

    Parameters
    ----------
    criterion : "squared_error" or "poisson"
        What a split lowers. "absolute_error" is refused: medians cannot be added up bin by bin.

    The others as in ``DecisionTreeClassifier``, but for class_weight.
    """

    _parameter_constraints = VALUES
    feature_importances_ = property(methods.gains)
    tree_ = property(arrays_of)
    apply = leaf_of
    get_depth = depth
    get_n_leaves = leaf_count
    cost_complexity_pruning_path = pruning_path
    predict = methods.predict_value
    score_many = score_grid

    def __init__(
        self, *, criterion="squared_error", splitter="best", max_depth=None, min_samples_split=2,
        min_samples_leaf=1, min_weight_fraction_leaf=0.0, max_features=None, random_state=None,
        max_leaf_nodes=None, min_impurity_decrease=0.0, ccp_alpha=0.0, monotonic_cst=None, max_bins=255,
    ):  # fmt: skip
        self.criterion = criterion
        self.splitter = splitter
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.max_features = max_features
        self.random_state = random_state
        self.max_leaf_nodes = max_leaf_nodes
        self.min_impurity_decrease = min_impurity_decrease
        self.ccp_alpha = ccp_alpha
        self.monotonic_cst = monotonic_cst
        self.max_bins = max_bins

    def __sklearn_tags__(self):
        return methods.tagged(super().__sklearn_tags__())

    def fit(self, X, y, sample_weight=None):
        """X (n, d), nan for missing, y (n,) -> the tree."""
        self._validate_params()
        return grow(self, read_values(self, X, y, sample_weight, methods.VALUE_CRITERIA))
