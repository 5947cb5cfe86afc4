"""Rows for models that work on dense numbers: checked, and filled in where they come sparse."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

MOST = 1 << 28  # numbers that a sparse X may fill: 2 GB in float64


def dense_rows(model, X, y="none", **checks):
    """X (n, d) as C-ordered float64 or float32, and y unless there is none."""
    checks = {"dtype": [np.float64, np.float32], "order": "C", "accept_sparse": "csr"} | checks
    if isinstance(y, str) and y == "none":
        return filled(model, validate_data(model, X, **checks))
    X, y = validate_data(model, X, y, **checks)
    return filled(model, X), y


def filled(model, X):
    """A dense copy of a sparse X, unless it would not fit."""
    if not issparse(X):
        return X
    if X.shape[0] * X.shape[1] > MOST:
        raise ValueError(
            f"X is sparse with {X.shape[0]} rows and {X.shape[1]} columns; {type(model).__name__} works on "
            f"dense rows and fills in at most {MOST} numbers. Reduce the columns first, by TruncatedSVD say"
        )
    return X.toarray(order="C")
