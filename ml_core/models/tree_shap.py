"""Exact Shapley values of trees: what each column adds to a prediction.

Letters: n rows, d columns, m nodes, q numbers of a leaf, k columns asked on the way to a leaf, g points.

The game is TreeSHAP's (Lundberg and others 2020): a column not known sends a row both ways, by the weight
of the training rows. On the way to a leaf of value v, a column j lets the share z[j] of the weight pass, and
of a row all of it or nothing, o[j]. Its Shapley value is v (o[j] - z[j]) times the integral over x in 0..1 of
the product over the other columns i of z[i] (1 - x) + o[i] x: the weights s! (k - 1 - s)! / k! of coalitions
are integrals of x**s (1 - x)**(k - 1 - s). Gauss's rule with k / 2 points integrates that polynomial exactly,
all rows at once.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels.trees import part
from ml_core.models.forest_methods import rows_of
from ml_core.models.tree_raw import goes_left


def shap_values(model, X):
    """X (n, d) -> Shapley values (n, d), or (n, d, q) of each class; what they start from, a number or (q,).

    Both add up to ``predict`` of a regressor, to ``predict_proba`` of a classifier.
    """
    check_is_fitted(model, "_ensemble")
    X, ensemble = rows_of(model, X), model._ensemble
    if getattr(ensemble, "single", False):
        X = X.astype(np.float32)
    trees, t = ensemble.trees, len(ensemble.trees.output)
    values = np.zeros((*X.shape, ensemble.width))
    start = np.zeros(ensemble.width)
    for i in range(t):
        weight = model._facts["weight"][trees.start[i] : trees.start[i + 1]]
        add_tree(part(trees, i, i + 1), weight, X, values, start)
    values, start = values / t, start / t
    if ensemble.width == 1 and not hasattr(model, "classes_"):
        return values[:, :, 0], float(start[0])
    return values, start


def add_tree(tree, weight, X, values, start):
    """values (n, d, q) += a tree's Shapley values for X (n, d), start (q,) += its mean."""
    m = len(tree.left)
    inner = np.flatnonzero(tree.left != np.arange(m))
    goes = np.zeros((m, len(X)), bool)
    for node in inner:
        goes[node] = goes_left(tree, node, X[:, tree.column[node]])
    waiting = [(0, {}, {})]
    while waiting:
        node, share, follows = waiting.pop()
        left = tree.left[node]
        if left == node:
            start += tree.value[node] * (weight[node] / weight[0])
            _add_leaf(tree.value[node], share, follows, values)
            continue
        j = int(tree.column[node])
        for child, through in ((left, goes[node]), (left + 1, ~goes[node])):
            known = follows[j] & through if j in follows else through
            passed = share.get(j, 1.0) * (weight[child] / weight[node])
            waiting.append((child, share | {j: passed}, follows | {j: known}))


def _add_leaf(value, share, follows, values):
    """values (n, d, q) += what the columns on the way to a leaf owe to its value (q,)."""
    columns = list(share)
    if not columns:
        return
    k = len(columns)
    o = np.stack([follows[j] for j in columns], axis=1)
    patterns, which = _patterns(o)
    z = np.array([share[j] for j in columns])
    x, weight = np.polynomial.legendre.leggauss(k // 2 + 1)
    x = (x[:, None, None] + 1) / 2
    terms = z * (1 - x) + patterns * x  # (g, rows, k), never 0: every branch has weight
    whole = terms.prod(axis=2, keepdims=True)
    integral = np.einsum("g,grk->rk", weight / 2, whole / terms)
    owed = (patterns - z) * integral
    values[:, columns] += owed[which][:, :, None] * value


def _patterns(o):
    """o (n, k) bool -> its distinct rows as numbers, and which of them each row is (n,)."""
    if o.shape[1] > 62:
        return o.astype(np.float64), np.arange(len(o))
    code = o @ (np.int64(1) << np.arange(o.shape[1]))
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return o[first].astype(np.float64), which.ravel()
