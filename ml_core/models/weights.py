"""Weights of rows and classes, checked."""

from numbers import Real

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


def refuse_class_weight(class_weight, classes):
    """ValueError for a dict whose weights cannot be weights, or that does not speak of these classes (q,)."""
    if not isinstance(class_weight, dict):
        return
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= weight < np.inf:
            raise ValueError(f"class_weight[{label!r}] must be a number in [0, inf), got {weight!r}")
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    if unknown and any(label not in class_weight for label in known):
        raise ValueError(
            f"class_weight has a weight for {unknown[0]!r}, but the classes of y are "
            f"{', '.join(map(repr, known))}"
        )
    if not any(class_weight.get(label, 1) for label in known):
        raise ValueError(f"class_weight must be > 0 for one class at least, got {class_weight!r}")


def weights_of_classes(class_weight, classes, y, **more):
    """A weight for each of classes (q,), as ``compute_class_weight``, whose imports cost more than a small
    fit.
    """
    if class_weight is None:
        return np.ones(len(classes))
    refuse_class_weight(class_weight, classes)
    from sklearn.utils.class_weight import compute_class_weight

    return compute_class_weight(class_weight, classes=classes, y=y, **more)


def class_weights(class_weight, weight, y):
    """Row weights times the weight of the row's class; None where both are absent."""
    if class_weight is None:
        return weight
    from sklearn.utils.class_weight import compute_sample_weight

    refuse_class_weight(class_weight, np.unique(y))
    return times(weight, compute_sample_weight(class_weight, y))


def times(weight, by_class):
    """Weights (n,), or None, of rows times those of their classes (n,); ValueError where nothing is left."""
    weight = by_class if weight is None else by_class * weight
    if not weight.any():
        raise ValueError("sample_weight times class_weight is zero for every row; one must be > 0")
    return weight


def balanced_weights(class_weight, weight, y):
    """Weights (n,) times the weight of the row's class, where "balanced" counts rows by their weights.

    scikit-learn does so for logistic regression, and counts plain rows for the ridge classifier.
    """
    if class_weight is None:
        return weight
    classes, codes = np.unique(y, return_inverse=True)
    return weight * weights_of_classes(class_weight, classes, y, sample_weight=weight)[codes]
