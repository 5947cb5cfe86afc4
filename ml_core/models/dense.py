"""Rows for models that work on dense numbers, checked; a small sparse X is filled in."""

import numpy as np
from scipy.sparse import csr_array, issparse

from ml_core.models.validate import validated

MOST = 1 << 24  # numbers that a sparse X may fill: 128 MB in float64


def dense_rows(model, X, **checks):
    """X (n, d) as C-ordered float64 or float32; sparse as a CSR array where it is too large to fill in."""
    checks = {"dtype": [np.float64, np.float32], "order": "C", "accept_sparse": "csr"} | checks
    X = validated(model, X, accept_large_sparse=False, **checks)
    if not issparse(X):
        return X
    return X.toarray(order="C") if X.shape[0] * X.shape[1] <= MOST else csr_array(X)
