"""Weights of rows and classes, checked."""

import numpy as np
from sklearn.utils.validation import _check_sample_weight


def row_weights(sample_weight, X):
    """None or float64 (n,), all >= 0 and not all 0."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any():
        row = int(np.argmin(weight))
        raise ValueError(f"sample_weight must be >= 0, got {weight[row]:g} in row {row}")
    if not weight.any():
        raise ValueError("sample_weight is zero for every row; at least one must be > 0")
    return weight


def weights_of_classes(class_weight, classes, y, **more):
    """A weight for each of classes (q,), as ``compute_class_weight``, whose imports cost more than a small
    fit.
    """
    if class_weight is None:
        return np.ones(len(classes))
    from sklearn.utils.class_weight import compute_class_weight

    return compute_class_weight(class_weight, classes=classes, y=y, **more)


def class_weights(class_weight, weight, y):
    """Row weights times the weight of the row's class; None where both are absent."""
    if class_weight is None:
        return weight
    from sklearn.utils.class_weight import compute_sample_weight

    by_class = compute_sample_weight(class_weight, y)
    return by_class if weight is None else by_class * weight


def balanced_weights(class_weight, weight, y):
    """Weights (n,) times the weight of the row's class, where "balanced" counts rows by their weights.

    scikit-learn does so for logistic regression, and counts plain rows for the ridge classifier.
    """
    if class_weight is None:
        return weight
    classes, codes = np.unique(y, return_inverse=True)
    return weight * weights_of_classes(class_weight, classes, y, sample_weight=weight)[codes]
