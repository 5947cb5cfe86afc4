"""Random forests and extremely randomized trees, with scikit-learn's names.

Columns are binned once into at most 255 bins and one for missing values, and trees see nothing else: a cut
lies half way between two bins that a node has. Trees are spread over threads; any number of them gives the
same bits, and so does any order of the rows without bootstrap.

Letters: n rows, d columns, t trees, q classes.
"""

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ml_core.models import forest_methods as methods
from ml_core.models.forest_estimator import CLASSES, VALUES, fit_classes, fit_values
from ml_core.models.forest_grid import score_grid, score_out_of_bag
from ml_core.models.forest_quantiles import predict_or_quantiles
from ml_core.models.tree import trees_apart


class RandomForestClassifier(ClassifierMixin, BaseEstimator):
    """Trees on drawn rows and columns, whose mean probability decides.

    Parameters
    ----------
    n_estimators : int
        Trees.
    criterion : "gini", "entropy" or "log_loss"
        What a split lowers.
    max_depth, max_leaf_nodes : int or None
        Limits of a tree; None for none. With max_leaf_nodes the split that gains most comes first.
    min_samples_split, min_samples_leaf : int, or float for a share of the rows
    min_weight_fraction_leaf, min_impurity_decrease : float
        Share of the weight a leaf has at least; what a split must lower the impurity by.
    max_features : int, float, "sqrt", "log2" or None
        Columns each split looks at, drawn anew in each.
    bootstrap, max_samples : bool, int or float
        Whether a tree draws its rows, with replacement, and how many; None for as many as there are. Weights
        are chances of being drawn then.
    oob_score : bool or callable
        Judge each row by the trees that did not draw it.
    n_jobs : int or None
        Threads; None takes all this process may use.
    random_state : int, RandomState or None
    verbose : int
        Taken for scikit-learn's sake.
    warm_start : bool
        Add trees to those there are.
    class_weight : dict, "balanced", "balanced_subsample" or None
        Weights of classes; "balanced_subsample" balances them in each tree's own rows.
    ccp_alpha : float
        What a leaf must lower the impurity by, or it is pruned.
    monotonic_cst : array of -1, 0, 1 or None
        Columns in which the probability of the second class must not fall (1) or not rise (-1).
    max_bins : int
        Bins of a column.
    voting : "soft" or "hard"
        Whether trees give their probabilities, or one vote each.
    """

    _parameter_constraints = CLASSES
    feature_importances_ = property(methods.gains)
    estimators_ = property(trees_apart)
    apply = methods.apply
    predict = methods.predict_label
    predict_proba = methods.predict_proba
    predict_log_proba = methods.predict_log_proba
    score_many = score_grid
    score_out_of_bag = score_out_of_bag

    def __init__(
        self, n_estimators=100, *, criterion="gini", max_depth=None, min_samples_split=2,
        min_samples_leaf=1, min_weight_fraction_leaf=0.0, max_features="sqrt", max_leaf_nodes=None,
        min_impurity_decrease=0.0, bootstrap=True, oob_score=False, n_jobs=None, random_state=None,
        verbose=0, warm_start=False, class_weight=None, ccp_alpha=0.0, max_samples=None, monotonic_cst=None,
        max_bins=255, voting="soft",
    ):  # fmt: skip
        self.n_estimators = n_estimators
        self.criterion = criterion
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.max_features = max_features
        self.max_leaf_nodes = max_leaf_nodes
        self.min_impurity_decrease = min_impurity_decrease
        self.bootstrap = bootstrap
        self.oob_score = oob_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.class_weight = class_weight
        self.ccp_alpha = ccp_alpha
        self.max_samples = max_samples
        self.monotonic_cst = monotonic_cst
        self.max_bins = max_bins
        self.voting = voting

    def __sklearn_tags__(self):
        return methods.tagged(super().__sklearn_tags__())

    def fit(self, X, y, sample_weight=None):
        """X (n, d), nan for missing, y (n,) of any labels -> classes_ (q,) and the trees."""
        return fit_classes(self, X, y, sample_weight, False)


class RandomForestRegressor(RegressorMixin, BaseEstimator):
    """Trees on drawn rows and columns, averaged.

    Parameters
    ----------
    Those of ``RandomForestClassifier`` but for class_weight and voting; besides:

    criterion : "squared_error" or "poisson"
    keep_targets : bool
        Keep y by leaf, so that ``predict(X, quantiles=...)`` can tell quantiles (Meinshausen 2006, "Quantile
        regression forests").
    """

    _parameter_constraints = VALUES
    feature_importances_ = property(methods.gains)
    estimators_ = property(trees_apart)
    apply = methods.apply
    predict = predict_or_quantiles
    score_many = score_grid
    score_out_of_bag = score_out_of_bag

    def __init__(
        self, n_estimators=100, *, criterion="squared_error", max_depth=None, min_samples_split=2,
        min_samples_leaf=1, min_weight_fraction_leaf=0.0, max_features=1.0, max_leaf_nodes=None,
        min_impurity_decrease=0.0, bootstrap=True, oob_score=False, n_jobs=None, random_state=None,
        verbose=0, warm_start=False, ccp_alpha=0.0, max_samples=None, monotonic_cst=None, max_bins=255,
        keep_targets=False,
    ):  # fmt: skip
        self.n_estimators = n_estimators
        self.criterion = criterion
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.max_features = max_features
        self.max_leaf_nodes = max_leaf_nodes
        self.min_impurity_decrease = min_impurity_decrease
        self.bootstrap = bootstrap
        self.oob_score = oob_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.ccp_alpha = ccp_alpha
        self.max_samples = max_samples
        self.monotonic_cst = monotonic_cst
        self.max_bins = max_bins
        self.keep_targets = keep_targets

    def __sklearn_tags__(self):
        return methods.tagged(super().__sklearn_tags__())

    def fit(self, X, y, sample_weight=None):
        """X (n, d), nan for missing, y (n,) -> the trees."""
        return fit_values(self, X, y, sample_weight, False)
