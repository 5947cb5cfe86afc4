"""What linear models share: targets in, a line out.

Letters: n rows, d columns, t targets, q classes; W (d, t), offset (d + t,); intercept offset_y - offset_x W.
"""

from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    assert_all_finite,
    check_array,
    check_is_fitted,
    column_or_1d,
)

from ml_core.kernels import gram
from ml_core.kernels.ridge import WIDEST
from ml_core.models.validate import validated


def read_rows(model, X, y, reset=True):
    """Checked X, float64 targets (n, t) and whether y was one column.

    Cells of a tall dense X are not looked at: sums taken anyway tell (``told``), and spare a pass.
    """
    X, y = validated(
        model,
        X,
        y,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_all_finite=not tall(X),
        multi_output=True,
        y_numeric=True,
        reset=reset,
    )
    y = np.asarray(y, np.float64)
    return X, y.reshape(len(y), -1), y.ndim == 1


def tall(X):
    """Whether X is dense, of numbers, and of no fewer rows than columns."""
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind == "f" and X.shape[0] >= X.shape[1]


@contextmanager
def told(model, X):
    """Turn a kernel's FloatingPointError about a cell of X into scikit-learn's ValueError."""
    try:
        yield
    except FloatingPointError:
        assert_all_finite(X, estimator_name=type(model).__name__, input_name="X")
        raise


def read_whole(X):
    """X as floats; None where no sums can be taken of all of it: a bad cell, or sparse and very wide."""
    try:
        X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
    except ValueError:
        return None
    return None if issparse(X) and X.shape[1] > WIDEST else X


def set_line(model, W, offset, one, dtype):
    """Store coef_ and intercept_ of W (d, t) about offset (d + t,) in the shapes scikit-learn gives them."""
    d = len(W)
    model.coef_ = np.ascontiguousarray(W.T.astype(dtype, copy=False))
    model.intercept_ = (offset[d:] - offset[:d] @ W).astype(dtype, copy=False)
    if one:
        model.coef_, model.intercept_ = model.coef_[0], model.intercept_[0]
    if not model.fit_intercept:
        model.intercept_ = 0.0
    return model


def set_classes(model, W, offset, dtype):
    """As ``set_line`` for the ridge classifier: coef_ (d,) and intercept_ (1,) for two classes."""
    set_line(model, W, offset, False, dtype)
    if len(model.coef_) == 1:
        model.coef_ = model.coef_[0]
    return model


def line(model, X):
    """X @ coef_ + intercept_, checked: (n,) or (n, t)."""
    check_is_fitted(model)
    known = isinstance(X, np.ndarray) and X.dtype.kind == "f"
    X = validated(
        model,
        X,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        reset=False,
        ensure_all_finite=not known,
    )
    with np.errstate(invalid="ignore" if known else "warn"):
        score = gram.times(X, model.coef_.T) + model.intercept_
    with told(model, X):
        if known:
            gram.refuse(X, score)  # a bad cell spoils its row's score, also by a coefficient of 0
    return score


def signs(y):
    """Labels (n,) or multilabel (n, q) -> classes (q,), targets of -1 and 1 (n, q), (n, 1) for two."""
    check_classification_targets(y)
    if type_of_target(y) == "multilabel-indicator":
        y = y.toarray() if issparse(y) else np.asarray(y)
        return np.arange(y.shape[1]), np.where(y > 0, 1.0, -1.0)
    y = column_or_1d(y, warn=True)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes[0]}; a classifier needs at least 2. Check the target"
        )
    member = codes[:, None] == (np.arange(len(classes)) if len(classes) > 2 else np.array([1]))
    return classes, np.where(member, 1.0, -1.0)


def penalties(model, n_targets):
    """Checked alpha as (t,)."""
    alpha = np.ravel(np.asarray(model.alpha, np.float64))
    if len(alpha) not in (1, n_targets):
        raise ValueError(
            f"alpha has {len(alpha)} values, but must be one number or one for each of {n_targets} targets"
        )
    if not (alpha >= 0).all():
        raise ValueError(f"alpha must be >= 0, got {model.alpha!r}")
    return np.broadcast_to(alpha, n_targets)


def method(model):
    """The kernel's method for the parameters solver and positive."""
    if model.positive:
        if model.solver not in ("auto", "lbfgs"):
            raise ValueError(
                f"solver={model.solver!r} keeps no coefficients positive; use 'auto', or set positive=False"
            )
        return "nonnegative"
    if model.solver == "lbfgs":
        raise ValueError("solver='lbfgs' is for positive=True only; use 'auto', or set positive=True")
    return {"svd": "svd", "lsqr": "lsqr", "sparse_cg": "lsqr"}.get(model.solver, "auto")
