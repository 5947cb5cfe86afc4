"""Extremely randomized trees, with scikit-learn's names: cuts are drawn, not looked for.

Letters: n rows, d columns, q classes.
"""

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ml_core.models import forest_methods as methods
from ml_core.models.forest_estimator import CLASSES, VALUES, fit_classes, fit_values
from ml_core.models.forest_grid import score_grid, score_out_of_bag
from ml_core.models.forest_quantiles import predict_or_quantiles
from ml_core.models.tree import trees_apart


class ExtraTreesClassifier(ClassifierMixin, BaseEstimator):
    """Trees whose cuts are drawn at random, whose mean probability decides.

    Each column a split looks at gets one cut, drawn between the node's least and largest bin: Geurts, Ernst
    and Wehenkel 2006, "Extremely randomized trees". Parameters as in ``RandomForestClassifier``.
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
        min_impurity_decrease=0.0, bootstrap=False, oob_score=False, n_jobs=None, random_state=None,
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
        return fit_classes(self, X, y, sample_weight, True)


class ExtraTreesRegressor(RegressorMixin, BaseEstimator):
    """Trees whose cuts are drawn at random, averaged.

    Each column a split looks at gets one cut, drawn between the node's least and largest bin: Geurts, Ernst
    and Wehenkel 2006, "Extremely randomized trees". Parameters as in ``RandomForestRegressor``.
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
        min_impurity_decrease=0.0, bootstrap=False, oob_score=False, n_jobs=None, random_state=None,
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
        return fit_values(self, X, y, sample_weight, True)
