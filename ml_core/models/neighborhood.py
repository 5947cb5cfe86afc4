"""What both neighbour models share: reading the points, finding the nearest, weighing them."""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import nearest, nearest_sparse, workers
from ml_core.kernels.distance import LARGEST, POWERS, SQUARES, SUMS, unit_rows
from ml_core.models.validate import validated

METRICS = {
    "euclidean": (SQUARES, 2.0),
    "l2": (SQUARES, 2.0),
    "manhattan": (SUMS, 1.0),
    "cityblock": (SUMS, 1.0),
    "l1": (SUMS, 1.0),
    "chebyshev": (LARGEST, np.inf),
    "cosine": (SQUARES, 2.0),
}
FILL = 1 << 24  # numbers that a sparse X may fill: 128 MB in float64
PLANT = 100_000  # rows from which a tree grown at fit pays; below, NumPy may be all that is ever needed
CONSTRAINTS = {
    "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    "weights": [StrOptions({"uniform", "distance"}), callable, None],
    "algorithm": [StrOptions({"auto", "ball_tree", "kd_tree", "brute"})],
    "leaf_size": [Interval(Integral, 1, None, closed="left")],
    "p": [Interval(Real, 0, None, closed="neither"), None],
    "metric": [StrOptions({"minkowski", "precomputed", *METRICS})],
    "metric_params": [dict, None],
    "n_jobs": [Integral, None],
}


def measure_of(model):
    """Name of the metric in force, and what it adds up as (kind, p)."""
    extra = model.metric_params or {}
    if extra.keys() - {"p"} or (extra and model.metric != "minkowski"):
        raise ValueError(
            f"metric_params={extra!r} is not supported with metric={model.metric!r}: only {{'p': ...}} with "
            "'minkowski' is. Scale the columns instead of weighting them"
        )
    if model.metric != "minkowski":
        return model.metric, METRICS.get(model.metric)
    p = extra.get("p", model.p)
    if p is None or not p > 0:
        raise ValueError(f"p must be > 0, got {p!r}")
    name = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}.get(p, "minkowski")
    return name, METRICS.get(name, (POWERS, float(p)))


def remember(model, X):
    """Keep the checked points of ``fit`` in the model, and a tree where many queries will thank for it."""
    model.effective_metric_, measure = measure_of(model)
    model.effective_metric_params_ = {"p": measure[1]} if model.effective_metric_ == "minkowski" else {}
    model.n_samples_fit_ = X.shape[0]
    asked = model.algorithm in ("kd_tree", "ball_tree")
    if issparse(X):
        if asked:
            warnings.warn("cannot use tree with sparse input: using brute force", stacklevel=3)
        asked, X = False, _filled(X, model.metric)
    model._fit_X = X
    model._points, model._tree, model._fit_method = X, None, "brute"
    if model.metric == "precomputed":
        if X.shape[0] != X.shape[1]:
            raise ValueError(f"a precomputed matrix of distances must be square, got {X.shape}")
        not_negative(X)
        return
    if model.metric == "cosine":
        model._points = _unit(X)
    if issparse(X):
        return
    tried = model.algorithm == "auto" and len(X) >= PLANT
    if asked or (tried and (measure[0] != SQUARES or X.shape[1] <= nearest.FEW)):
        model._tree = nearest.planted(
            model._points, model.n_neighbors, measure, workers.count(model.n_jobs), asked
        )
        model._fit_method = "brute" if model._tree is None else "kd_tree"


def _filled(X, metric):
    """CSR X, filled in where that is about as small, or small enough and faster; distances stay sparse."""
    cells = X.shape[0] * X.shape[1]
    faster = cells <= FILL and (16 * X.nnz >= cells or X.shape[1] <= nearest.FEW)
    if metric != "precomputed" and (faster or 3 * X.nnz >= cells):
        return X.toarray(order="C")
    return csr_array(X)


def _unit(X):
    return nearest_sparse.unit_rows(X) if issparse(X) else unit_rows(X)


def not_negative(X):
    """Refuse negative distances."""
    least = X.data.min(initial=0) if issparse(X) else X.min(initial=0)
    if least < 0:
        raise ValueError(f"Negative values in data: a distance must be >= 0, got {least:g}")


def read_queries(model, X):
    """X (m, d) checked against the points of fit."""
    X = validated(model, X, dtype=[np.float64, np.float32], order="C", accept_sparse="csr", reset=False)
    if model.metric == "precomputed":
        not_negative(X)
    return X


def find(model, X, k):
    """Distances (m, k) and indices (m, k) of the k nearest points of rows X, or of the points (None).

    A point is not its own neighbour. What ``_known`` holds was found before.
    """
    check_is_fitted(model)
    known = getattr(model, "_known", None)
    if known is not None and X is known[0] and k <= known[1].shape[1]:
        return known[1][:, :k], known[2][:, :k]
    n = model.n_samples_fit_
    most = n if X is not None else n - 1
    if not isinstance(k, Integral) or isinstance(k, bool):
        raise TypeError(f"n_neighbors does not take {type(k)} value, enter integer value")
    if k < 1:
        raise ValueError(f"Expected n_neighbors > 0. Got {k}")
    if k > most:
        sign, rows = ("<=", X.shape[0] if issparse(X) else len(X)) if X is not None else ("<", n)
        raise ValueError(
            f"Expected n_neighbors {sign} n_samples_fit, but n_neighbors = {k}, n_samples_fit = {n}, "
            f"n_samples = {rows}. Lower n_neighbors or fit on more rows"
        )
    if X is not None:
        return _search(model, read_queries(model, X), k)
    distance, index = _search(model, model._fit_X, k + 1)
    other = index != np.arange(n)[:, None]
    other[other.all(axis=1), -1] = False  # more equal points than places: itself comes later
    return distance[other].reshape(n, k), index[other].reshape(n, k)


def _search(model, X, k):
    if model.metric == "precomputed":
        return nearest_sparse.of_graph(X, k) if issparse(X) else _nearest_of_row(X, k)
    if issparse(X) and not issparse(model._points):
        return _search_filled(model, X, k)
    if issparse(model._points):
        X = csr_array(X)
    Q = _unit(X) if model.metric == "cosine" else X
    if Q.dtype != model._points.dtype:
        Q = Q.astype(np.float64)
    distance, index = _measured(model, Q, k)
    if model.metric == "cosine":
        distance = distance**2 / 2
        # a zero row has no direction: its distance is 1 to everything, as 1 - 0
        if _blank(model._points) or _blank(Q):
            return _cosine_with_blanks(model, Q, k)
    return distance, index


def _measured(model, Q, k):
    measure, n_threads = measure_of(model)[1], workers.count(model.n_jobs)
    if issparse(Q):
        return nearest_sparse.search(model._points, Q, k, measure, n_threads)
    return nearest.search(model._points, Q, k, measure, model._tree, n_threads)


def _search_filled(model, X, k):
    """Sparse queries among filled-in points, FILL numbers at a time."""
    cuts = workers.slices(X.shape[0], max(1, FILL // X.shape[1]))
    parts = [_search(model, X[cut].toarray(order="C"), k) for cut in cuts]
    return tuple(np.vstack(part) for part in zip(*parts, strict=True))


def _blank(X):
    """Whether some row is zero."""
    if not issparse(X):
        return not X.any(axis=1).all()
    return bool((nearest_sparse.row_by_row(np.maximum, np.abs(X.data), X.indptr) == 0).any())


def _nearest_of_row(D, k):
    """k smallest of each row of D (m, n), the earlier of equal ones first."""
    rows, columns = nearest.first(D, k)
    return nearest.merge(nearest.heaps(len(D), k), rows, columns, D[rows, columns])


def _cosine_with_blanks(model, Q, k):
    """Neighbours by cosine where some row is zero, a few queries at a time."""

    across = csr_array(model._points.T) if issparse(Q) else model._points.T

    def work(rows):
        product = Q[rows] @ across
        return _nearest_of_row(np.clip(1 - (product.toarray() if issparse(Q) else product), 0, 2), k)

    cuts = workers.slices(Q.shape[0], max(1, (1 << 22) // model.n_samples_fit_))
    parts = workers.each(work, cuts, workers.count(model.n_jobs))
    return tuple(np.vstack(part) for part in zip(*parts, strict=True))


def weigh(model, distance):
    """None for equal weights, else weights (m, k)."""
    if model.weights in ("uniform", None):
        return None
    if callable(model.weights):
        weight = np.asarray(model.weights(distance))
        if weight.shape != distance.shape:
            raise ValueError(
                f"weights(distances) must return an array of the shape it was given, {distance.shape}; "
                f"got {weight.shape}"
            )
    else:
        with np.errstate(divide="ignore"):
            weight = 1.0 / distance
        met = np.isinf(weight)  # at distance zero only those at distance zero count
        rows = met.any(axis=1)
        weight[rows] = met[rows]
    if (~weight.any(axis=1)).any():
        raise ValueError(
            "All neighbors of some sample is getting zero weights. Please modify 'weights' to avoid this case"
        )
    return weight


def graph(model, X, k, mode):
    """CSR (m, n): 1 or the distance at the k nearest points of each row."""
    from scipy.sparse import csr_matrix

    distance, index = find(model, X, k)
    if mode == "connectivity":
        values = np.ones(index.size)
    elif mode == "distance":
        values = distance.ravel()
    else:
        raise ValueError(f"mode must be 'connectivity' or 'distance', got {mode!r}")
    m = len(index)
    return csr_matrix((values, index.ravel(), np.arange(m + 1) * k), shape=(m, model.n_samples_fit_))
