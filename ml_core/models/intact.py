"""Are the indices inside a loaded model within bounds? Compiled code follows them without asking."""

import numpy as np


def check(model):
    """ValueError when a tree or a search tree anywhere in ``model`` points outside of itself."""
    seen, waiting = set(), [model]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or thing is None or isinstance(thing, str | int | float):
            continue
        seen.add(id(thing))
        kind = type(thing).__name__
        if kind == "Tree":
            _tree(thing)
        elif kind in ("KDTree", "BallTree", "KDTree32", "BallTree32", "KDTree64", "BallTree64"):
            _neighbours(thing)
        elif isinstance(thing, dict):
            waiting += thing.values()
        elif isinstance(thing, list | tuple):
            waiting += thing
        elif isinstance(thing, np.ndarray):
            waiting += thing.ravel().tolist() if thing.dtype == object else []
        else:
            if hasattr(thing, "_predictors") and hasattr(thing, "_n_features"):
                _boosting(thing)
            if getattr(thing, "_tree", None) is not None and hasattr(thing, "_points"):
                _boxes(thing)
            waiting += getattr(thing, "__dict__", {}).values()


def _must(fine, what):
    if not np.all(fine):
        raise ValueError(f"{what} points outside of itself")


def _children(left, right, inner, n_nodes, what):
    """A child comes after its parent, so that a walk ends."""
    place = np.flatnonzero(inner)
    for child in (left[inner], right[inner]):
        _must((child > place) & (child < n_nodes), what)


def _tree(tree):
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != -1
    _children(left, right, inner, tree.node_count, "a decision tree")
    _must((feature[inner] >= 0) & (feature[inner] < tree.n_features), "a decision tree")


def _boosting(model):
    for predictor in (one for round_ in model._predictors for one in round_):
        nodes = predictor.nodes
        inner = nodes["is_leaf"] == 0
        what = "a boosted tree"
        _children(nodes["left"].astype(int), nodes["right"].astype(int), inner, len(nodes), what)
        _must((nodes["feature_idx"][inner] >= 0) & (nodes["feature_idx"][inner] < model._n_features), what)
        sets = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
        _must(sets < len(predictor.raw_left_cat_bitsets), what)


def _neighbours(tree):
    data, order, nodes, _ = (np.asarray(part) for part in tree.get_arrays())
    _must((order >= 0) & (order < len(data)), "a search tree")
    _must((nodes["idx_start"] >= 0) & (nodes["idx_end"] <= len(data)), "a search tree")


def _boxes(model):
    """Our own search tree: children are counted, not stored, so that the sizes have to fit each other."""
    low, high, least, points, member = model._tree
    leaves, (n, d) = len(points), model._points.shape
    boxes = low.shape == high.shape == (2 * leaves - 1, d) and len(least) == len(low)
    places = member.shape == (leaves, points.shape[-1]) and points.shape[:-1] == (leaves, d)
    _must(leaves & (leaves - 1) == 0 < leaves and boxes and places, "a search tree")
    _must((member >= -1) & (member < n), "a search tree")
