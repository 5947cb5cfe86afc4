"""The rows that boosting is given, checked; and what its columns turned out to be worth.

Letters: n rows, d columns.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ml_core.models.boosting_shards import Shards
from ml_core.models.names import read
from ml_core.models.weights import row_weights


def checked(model, X, y, **checks):
    """X (n, d), y (n,) of a fit; the model learns their names unless a warm start goes on."""
    reset = not (model.warm_start and hasattr(model, "_ensemble"))
    if isinstance(X, Shards):
        return X.read_by(model, reset), y
    return read(model, X, y, reset=reset, **checks)


def held_out(model, X, y, weights):
    """Validation rows given to fit, checked: (X, y, weights), or None."""
    if X is None and y is None:
        if weights is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val; leave it out, or give them")
        return None
    if X is None or y is None:
        raise ValueError("X_val and y_val must be given together")
    if model.early_stopping is False:
        raise ValueError("X_val is given, but early_stopping=False would not look at it. Leave one out")
    X, y = read(model, X, reset=False), column_or_1d(y)
    if len(X) != len(y):
        raise ValueError(f"X_val has {len(X)} rows, but y_val has {len(y)}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("y_val must hold finite numbers, it holds nan or infinity")
    return X, y, weighed(weights, X)


def weighed(sample_weight, X):
    """Checked weights (n,), or an empty array where there are none."""
    weights = row_weights(sample_weight, X)
    return np.empty(0) if weights is None else weights


def gains(model):
    """Share of the gain of all splits that a column's splits have (d,)."""
    check_is_fitted(model)
    total = np.bincount(model._ensemble.trees.column, model._gain, minlength=model.n_features_in_)
    return total / total.sum() if total.sum() > 0 else total
