"""What the four forests check and fit alike.

Letters: n rows, d columns, q classes.
"""

from sklearn.utils._param_validation import StrOptions

from ml_core.models import forest_methods as methods
from ml_core.models.forest_learn import by_class, learn_forest, read_classes, read_values
from ml_core.models.forest_quantiles import remember_targets

CLASSES = methods.FOREST | {
    "criterion": [StrOptions(methods.CLASS_CRITERIA | {"absolute_error"})],
    "class_weight": [StrOptions({"balanced", "balanced_subsample"}), dict, None],
    "voting": [StrOptions({"soft", "hard"})],
}
VALUES = methods.FOREST | {
    "criterion": [StrOptions(methods.VALUE_CRITERIA | {"absolute_error", "friedman_mse"})],
    "keep_targets": ["boolean"],
}


def fit_classes(model, X, y, sample_weight, random):
    """Learn classes_ and the trees from X (n, d), y (n,) of any labels."""
    model._validate_params()
    X, codes, weight = read_classes(model, X, y, sample_weight, methods.CLASS_CRITERIA)
    return learn_forest(model, (X, codes, by_class(model, codes, weight)), random)


def fit_values(model, X, y, sample_weight, random):
    """Learn the trees from X (n, d), y (n,)."""
    model._validate_params()
    X, y, weight = read_values(model, X, y, sample_weight, methods.VALUE_CRITERIA)
    learn_forest(model, (X, y, weight), random)
    return remember_targets(model, X, y, weight)
