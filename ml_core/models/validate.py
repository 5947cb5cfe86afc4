"""Rows for a model, checked as scikit-learn does; small plain arrays without asking what else they may be.

scikit-learn asks of every X and y whether any installed library calls it a frame. The first question of a
process reads the metadata of all installed packages, which takes longer than many a small fit.
"""

import numpy as np
from sklearn.utils.validation import validate_data

FEW = 1 << 20  # numbers; beside work on more the question costs nothing
FLOATS = [np.float64, np.float32]
KNOWN = {
    "dtype", "order", "ensure_all_finite", "accept_sparse", "accept_large_sparse", "multi_output",
    "y_numeric",
}  # fmt: skip


def validated(model, X, y="no_validation", reset=True, **checks):
    """X, or X and y, as ``validate_data`` returns them; it says what is wrong with any that are not plain."""
    alone = isinstance(y, str)
    if not plain(model, X, reset, checks) or not (alone or plain_target(y, len(X))):
        return validate_data(model, X, y, reset=reset, **checks)
    if reset:
        model.n_features_in_ = X.shape[1]
    return X if alone else (X, y)


def plain(model, X, reset, checks):
    """Whether X is an array that would pass the checks as it is, and has no names to compare."""
    wanted, known = checks.get("dtype", FLOATS), vars(model)
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and 0 < X.size <= FEW
        and checks.keys() <= KNOWN
        and X.dtype in (wanted if isinstance(wanted, (list, tuple)) else [wanted])
        and (X.flags.c_contiguous or checks.get("order") is None)
        and "feature_names_in_" not in known
        and (reset or known.get("n_features_in_") == X.shape[1])
        and finite(X, checks.get("ensure_all_finite", True))
    )


def plain_target(y, n):
    """Whether y is an array of n numbers."""
    fits = type(y) is np.ndarray and y.shape == (n,)
    return fits and (y.dtype.kind in "biu" or (y.dtype in FLOATS and finite(y, True)))


def finite(X, asked):
    """Whether X holds what ensure_all_finite allows: True, False or "allow-nan"."""
    if asked is True:
        return bool(np.isfinite(X).all())
    return not asked or not np.isinf(X).any()
