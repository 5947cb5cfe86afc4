"""What LinearSVC and LinearSVR share: rows in, the method that suits their shape, weights out.

Letters: n rows, d columns, k = d + 1 with the bias.

Squared losses: finite Newton on the Gram matrix of the active rows, or with conjugate gradients where X is
sparse or has many columns. Hinge and insensitive losses: an interior point, or compiled sweeps over the
dual where both n and d are large or X is large and sparse. Only those sweeps import numba.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, check_random_state

from ml_core.kernels import box, gram, margin
from ml_core.models.validate import validated

NARROW = 1500  # columns up to which a Gram matrix of them is worth its d^2
SMALL = 20_000_000  # cells up to which sparse X may be made dense


class Ready(NamedTuple):
    """Rows as the method of choice takes them; what it finds is w, or ``back`` @ it is."""

    method: str
    design: margin.Design
    back: np.ndarray | None = None


class Found(NamedTuple):
    """Weights w (k,), how many iterations they took, whether they converged; the Stand that Newton left."""

    w: np.ndarray
    iterations: int
    converged: bool
    stand: margin.Stand | None = None


def read(model, X, y, **more):
    """Checked parameters, X and y."""
    model._validate_params()
    model._check()
    return validated(
        model, X, y, accept_sparse="csr", dtype=np.float64, order="C", accept_large_sparse=False, **more
    )


def prepare(X, model):
    """X (n, d) -> Ready, which every problem on these rows shares."""
    design = margin.Design(X, float(model.intercept_scaling) if model.fit_intercept else 0.0)
    squared = model.loss.startswith("squared")
    n, d = X.shape
    direct = min(n, d) <= NARROW and (not issparse(X) or (n * d <= SMALL and not (squared and d > NARROW)))
    if not direct:
        return Ready("conjugate" if squared and n >= d else "sweeps", design)
    design.X = X.toarray() if issparse(X) else X
    method = "newton" if squared else "box"
    if d <= n:
        return Ready(method, design)
    back, R = np.linalg.qr(_with_bias(design).T)  # w lies in the span of the rows: n unknowns serve
    return Ready(method, margin.Design(np.ascontiguousarray(R.T), 0.0), back)


def best(ready, loss, model, stand=None):
    """Found for one problem; Newton goes on from the ``stand`` of another C, which it changes."""
    tol, most = model.tol, model.max_iter
    if ready.method == "newton":
        stand, iterations, converged = margin.newton(ready.design, loss, tol, most, stand)
        return Found(_wide(ready, stand.w), iterations, converged, stand)
    if ready.method == "conjugate":
        return Found(*margin.conjugate(ready.design, loss, tol / 10, most))
    alive = loss.a > 0
    design = ready.design if alive.all() else ready.design.part(alive)
    loss = loss if alive.all() else loss.part(alive)
    if ready.method == "sweeps":
        return Found(*_sweeps(design, loss, model))
    signs, p = _box(loss)
    w, iterations, converged = box.solve(design, signs, p, loss.costs, tol * 1e-3, most)
    return Found(_wide(ready, w), iterations, converged)


def _wide(ready, w):
    return w if ready.back is None else ready.back @ w


def _with_bias(design):
    """[X, bias] (n, k), dense."""
    X = design.X
    return np.column_stack([X, np.full(len(X), design.bias)]) if design.bias > 0 else X


def _box(loss):
    """Signs and linear terms of the dual: (1, n) for the hinge, (2, n) for the insensitive loss."""
    y, width = loss.y, loss.width
    if width < 0:
        return y[None], np.ones((1, len(y)))
    return np.array([np.ones(len(y)), -np.ones(len(y))]), np.array([y - width, -y - width])


def _sweeps(design, loss, model):
    """The dual, where Gram matrices are too large."""
    from ml_core.kernels import ascent

    design = margin.Design(csr_array(design.X), design.bias)
    squared = model.loss.startswith("squared")
    y, c, width = loss.y, loss.costs, loss.width
    most, extra = (np.full(len(c), np.inf), 0.5 / c) if squared else (c, np.zeros(len(c)))
    if width < 0:
        bounds = (np.where(y > 0, 0.0, -most), np.where(y > 0, most, 0.0), y, 0.0, extra)
    else:
        bounds = (-most, most, y, float(width), extra)

    def cost(f):
        excess = np.maximum(1 - y * f if width < 0 else np.abs(y - f) - width, 0)
        return c @ (excess**2 if squared else excess)

    rng = check_random_state(model.random_state)
    return ascent.solve(design, bounds, cost, rng, model.tol, model.max_iter)


def store(model, found):
    """Set coef_ (problems, d), intercept_ (problems,) or 0.0, and n_iter_ from [Found]."""
    W = np.array([each.w for each in found])
    if not np.isfinite(W).all():
        raise ValueError(
            f"{type(model).__name__}: the weights are not finite; X holds values too large to square. "
            "Scale the columns"
        )
    model.coef_, model.intercept_ = W, 0.0
    if model.fit_intercept:
        model.coef_, model.intercept_ = W[:, :-1].copy(), model.intercept_scaling * W[:, -1]
    model.n_iter_ = max(each.iterations for each in found)
    if not all(each.converged for each in found):
        warnings.warn(
            f"{type(model).__name__} did not reach tol={model.tol:g} in max_iter={model.max_iter} "
            "iterations. Scale the columns (StandardScaler), raise max_iter or tol, or lower C",
            ConvergenceWarning,
            stacklevel=5,
        )
    return model


def raw(model, X):
    """X coef' + intercept (n, problems), checked."""
    check_is_fitted(model)
    X = validated(model, X, accept_sparse="csr", dtype=np.float64, reset=False)
    return gram.times(X, np.atleast_2d(model.coef_).T) + model.intercept_
