"""Exact Shapley values of trees: what each column adds to a prediction.

Letters: n rows, d columns, m nodes, q numbers of a leaf, k columns asked on the way to a leaf, g points.

The game is TreeSHAP's (Lundberg and others 2020): a column not known sends a row both ways, by the weight
of the training rows. On the way to a leaf of value v, a column j lets the share z[j] of the weight pass, and
of a row all of it or nothing, o[j]. Its Shapley value is v (o[j] - z[j]) times the integral over x in 0..1 of
the product over the other columns i of z[i] (1 - x) + o[i] x: the weights s! (k - 1 - s)! / k! of coalitions
are integrals of x**s (1 - x)**(k - 1 - s). Gauss's rule with k / 2 points integrates that polynomial exactly,
all rows at once.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import trees as flat
from ml_core.models import names, tree_raw
from ml_core.models.forest_methods import rows_of


def shap_values(model, X):
    """X (n, d) -> Shapley values (n, d), or (n, d, q) of each class; what they start from, a number or (q,).

    Of trees and forests both add up to ``predict`` of a regressor, to ``predict_proba`` of a classifier; of
    boosting to the raw sums: the ``decision_function`` of a classifier, the logarithm of what is predicted
    for loss="poisson" and "gamma", else ``predict``. Branches weigh as many training rows as went through
    them, in trees and forests by their weights.
    """
    check_is_fitted(model)
    if not hasattr(model, "_ensemble"):
        raise TypeError(
            f"{type(model).__name__} has no trees; shap_values reads our trees, forests and boosting"
        )
    X = names.read(model, X, reset=False) if hasattr(model, "_names") else rows_of(model, X)
    ensemble, weight, parts = model._ensemble, weights_of(model), parts_of(model)
    trees, asked = ensemble.trees, Asked.of(ensemble, X)
    values, start = np.zeros((*X.shape, ensemble.width)), np.zeros(ensemble.width)
    width = trees.value.shape[1]
    for i, column in enumerate(trees.output):
        own = weight[trees.start[i] : trees.start[i + 1]]
        some = slice(column, column + width)
        add_tree(flat.part(trees, i, i + 1), own, asked, values[:, :, some], start[some])
    values, start = values / parts, start / parts + getattr(model, "_start", 0.0)
    if ensemble.width == 1 and (not hasattr(model, "classes_") or hasattr(model, "_start")):
        return values[:, :, 0], float(start[0])
    return values, start


def weights_of(model):
    """Training rows, or their weights, in each node (m,) of a fitted model; ValueError where one has none."""
    weight = model._facts["weight"] if hasattr(model, "_facts") else model._rows
    if not (weight > 0).all():
        raise ValueError("Shapley values need training rows in every branch; some of this model's have none")
    return weight


def parts_of(model):
    """What the sum of all trees is divided by: boosting adds them up, forests take the mean."""
    return getattr(model, "_parts", 1) if hasattr(model, "_start") else len(model._ensemble.trees.output)


@dataclass
class Asked:
    """Rows as a model's trees ask about them: codes (n, d) of bins (d,); for None numbers (n, d) as well."""

    codes: np.ndarray
    bins: np.ndarray | None
    numbers: np.ndarray | None = None

    @classmethod
    def of(cls, ensemble, X):
        """X (n, d) for the trees of an Ensemble or RawEnsemble."""
        if ensemble.bins is None:
            return cls(ensemble.codes(X), None, X.astype(np.float32) if ensemble.single else X)
        with ensemble.kernels(len(X)) as (kernels, _):
            return cls(ensemble.bins.codes(X, kernels), ensemble.bins.counts)

    def goes_left(self, tree, node):
        """Whether each row goes left at a node (n,) bool."""
        at, column = np.full(len(self.codes), node), tree.column[node]
        if self.bins is None:
            return tree_raw.goes_left(tree, at, self.numbers[:, column], self.codes[:, column])
        return flat.goes_left(tree, at, self.codes[:, column], self.bins)


def add_tree(tree, weight, asked, values, start):
    """values (n, d, q) += a tree's Shapley values for rows ``asked``, start (q,) += its mean."""
    m = len(tree.left)
    inner = np.flatnonzero(tree.left != np.arange(m))
    goes = np.zeros((m, len(values)), bool)
    for node in inner:
        goes[node] = asked.goes_left(tree, node)
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
