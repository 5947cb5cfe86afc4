"""Models fitted by scikit-learn and LightGBM, served by our predict to the bit; and ours as scikit-learn's.

Letters: n rows, d columns, m nodes of a tree, q numbers of a leaf.
"""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels.trees import Trees, join, side_by_side
from ml_core.models import extra_trees, forest, tree
from ml_core.models.forest_methods import rows_of
from ml_core.models.tree_raw import RawEnsemble

OURS = {
    "DecisionTreeClassifier": tree.DecisionTreeClassifier,
    "DecisionTreeRegressor": tree.DecisionTreeRegressor,
    "RandomForestClassifier": forest.RandomForestClassifier,
    "RandomForestRegressor": forest.RandomForestRegressor,
    "ExtraTreesClassifier": extra_trees.ExtraTreesClassifier,
    "ExtraTreesRegressor": extra_trees.ExtraTreesRegressor,
}
LEARNED = ("classes_", "n_classes_", "n_features_in_", "feature_names_in_", "max_features_", "n_outputs_")
LINKS = {  # LightGBM's objectives -> how raw sums become predictions
    "regression": "identity", "regression_l1": "identity", "huber": "identity", "fair": "identity",
    "quantile": "identity", "mape": "identity", "poisson": "exp", "gamma": "exp", "tweedie": "exp",
    "binary": "sigmoid", "multiclass": "softmax",
}  # fmt: skip


def raw_sums(model, X):
    """Sums of the leaves' values (n, q) on top of what the model starts from."""
    X = rows_of(model, X)
    raw = np.tile(model._start, (len(X), 1))
    model._ensemble.add(X, raw)
    return raw / model._parts


class ImportedRegressor(RegressorMixin, BaseEstimator):
    """A boosted model for numbers that was fitted elsewhere. link: "identity" or "exp"."""

    def __init__(self, link="identity"):
        self.link = link

    def fit(self, X, y=None):
        """Refused: the model came fitted."""
        raise TypeError("an imported model is served as it came; fit GradientBoostingRegressor instead")

    def predict(self, X):
        """X (n, d) -> (n,)."""
        raw = raw_sums(self, X)[:, 0]
        return np.exp(raw) if self.link == "exp" else raw


class ImportedClassifier(ClassifierMixin, BaseEstimator):
    """A boosted classifier that was fitted elsewhere. link: "sigmoid" or "softmax"."""

    def __init__(self, link="sigmoid"):
        self.link = link

    def fit(self, X, y=None):
        """Refused: the model came fitted."""
        raise TypeError("an imported model is served as it came; fit GradientBoostingClassifier instead")

    def decision_function(self, X):
        """X (n, d) -> raw sums (n,), or (n, q) for more than two classes."""
        raw = raw_sums(self, X)
        return raw[:, 0] if self.link == "sigmoid" else raw

    def predict_proba(self, X):
        """X (n, d) -> probabilities (n, q)."""
        raw = self.decision_function(X)
        if self.link == "sigmoid":
            from scipy.special import expit

            share = expit(raw)
            return np.column_stack([1 - share, share])
        up = np.exp(raw - raw.max(axis=1, keepdims=True))
        return up / up.sum(axis=1, keepdims=True)

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        raw = self.decision_function(X)
        return self.classes_[(raw > 0).astype(int) if raw.ndim == 1 else raw.argmax(axis=1)]


def one_tree(arrays, output=0):
    """arrays: dict of left, right (-1 in leaves), column, threshold, missing_left (m,), value (m, q)."""
    order, left = side_by_side(np.asarray(arrays["left"]), np.asarray(arrays["right"]))
    m = len(order)
    if m != len(arrays["left"]):
        raise ValueError(f"the tree has {len(arrays['left'])} nodes, of which {m} can be reached")
    leaf = left == np.arange(m)
    return Trees(
        np.where(leaf, 0, np.asarray(arrays["column"])[order]).astype(np.int32),
        np.zeros(m, np.uint8),
        np.where(leaf, 0, np.asarray(arrays["threshold"], np.float64)[order]),
        left.astype(np.int32),
        np.asarray(arrays["missing_left"], bool)[order] & ~leaf,
        np.full(m, -1, np.int32),
        np.zeros((0, 4), np.uint64),
        np.ascontiguousarray(np.asarray(arrays["value"], np.float64)[order]),
        np.array([0, m]),
        np.array([output], np.int32),
    ), order


def from_sklearn(model):
    """A fitted tree, forest or histogram boosting of scikit-learn -> a model of ours with the same bits.

    Refused: several outputs, categories in boosting.
    """
    check_is_fitted(model)
    name = type(model).__name__
    if name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        return _from_hist(model)
    if name not in OURS:
        raise TypeError(f"{name} cannot be imported; {', '.join(OURS)} and HistGradientBoosting can")
    if model.n_outputs_ != 1:
        raise ValueError(f"the model predicts {model.n_outputs_} outputs at once; only one can be imported")
    params = {k: v for k, v in model.get_params().items() if k in OURS[name]().get_params()}
    ours = OURS[name](**params)
    vars(ours).update({one: getattr(model, one) for one in LEARNED if hasattr(model, one)})
    found, facts = [], []
    for one in [part.tree_ for part in model.estimators_] if hasattr(model, "estimators_") else [model.tree_]:
        made, fact = _from_tree(one)
        found.append(made)
        facts.append(fact)
    trees = join(found, found[0].value.shape[1])
    ours._ensemble = RawEnsemble(None, trees, trees.value.shape[1], True, model.n_features_in_)
    ours._ensemble.check()
    ours._facts = {k: np.concatenate([fact[k] for fact in facts]) for k in facts[0]}
    return ours


def _from_tree(one):
    arrays = {
        "left": one.children_left, "right": one.children_right, "column": one.feature,
        "threshold": one.threshold, "missing_left": one.missing_go_to_left, "value": one.value[:, 0, :],
    }  # fmt: skip
    made, order = one_tree(arrays)
    weight, impurity = one.weighted_n_node_samples, one.impurity
    inner = one.children_left >= 0
    gain = weight * impurity
    for child in (one.children_left, one.children_right):
        gain = gain - np.where(inner, (weight * impurity)[child], 0)
    gain = np.where(inner, gain, 0)
    known = {"gain": gain, "weight": weight, "rows": one.n_node_samples, "impurity": impurity}
    return made, {name: value[order] for name, value in known.items()}


def _from_hist(model):
    if getattr(model, "is_categorical_", None) is not None and np.any(model.is_categorical_):
        raise ValueError("the model splits on categories; only numeric columns can be imported")
    found = []
    for round_ in model._predictors:
        for k, predictor in enumerate(round_):
            nodes, leaf = predictor.nodes, predictor.nodes["is_leaf"] != 0
            arrays = {
                "left": np.where(leaf, -1, nodes["left"].astype(np.int64)),
                "right": np.where(leaf, -1, nodes["right"].astype(np.int64)),
                "column": nodes["feature_idx"], "threshold": nodes["num_threshold"],
                "missing_left": nodes["missing_go_to_left"] != 0, "value": nodes["value"][:, None],
            }  # fmt: skip
            found.append(one_tree(arrays, k)[0])
    start = np.ravel(model._baseline_prediction).astype(np.float64)
    if hasattr(model, "classes_"):
        ours = ImportedClassifier("sigmoid" if len(start) == 1 else "softmax")
        ours.classes_ = model.classes_
    else:
        ours = ImportedRegressor("exp" if model.loss in ("poisson", "gamma") else "identity")
    return _served(ours, found, start, model)


def _served(ours, found, start, model, parts=1):
    vars(ours).update({one: getattr(model, one) for one in LEARNED[2:4] if hasattr(model, one)})
    ours._start, ours._parts = start, parts
    ours._ensemble = RawEnsemble(None, join(found), len(start), False, ours.n_features_in_)
    ours._ensemble.check()
    return ours


def from_lightgbm(model):
    """A booster, an LGBMClassifier or LGBMRegressor, or the path of a model file -> a model of ours.

    Its raw sums are the same bits. Refused: categories, linear leaves, zero as missing, other objectives.
    """
    booster = model
    if isinstance(model, str | Path):
        import lightgbm

        booster = lightgbm.Booster(model_file=str(model))
    booster = getattr(booster, "booster_", booster)
    told = booster.dump_model()
    objective, *rest = told.get("objective", "").split()
    link = LINKS.get(objective)
    settings = dict(one.split(":") for one in rest if ":" in one)
    if link is None or float(settings.get("sigmoid", 1)) != 1 or "sqrt" in rest:
        raise ValueError(f"objective {told.get('objective')!r} cannot be imported; {', '.join(LINKS)} can")
    q = told["num_tree_per_iteration"]
    found = [
        one_tree(_from_structure(one["tree_structure"]), i % q)[0] for i, one in enumerate(told["tree_info"])
    ]
    ours = ImportedRegressor(link) if link in ("identity", "exp") else ImportedClassifier(link)
    if hasattr(ours, "decision_function"):
        ours.classes_ = getattr(model, "classes_", np.arange(max(q, 2)))
    ours.n_features_in_ = told["max_feature_idx"] + 1
    parts = len(found) // q if told.get("average_output") else 1
    return _served(ours, found, np.zeros(q), model, parts)


def _from_structure(root):
    """LightGBM's nested nodes -> arrays for ``one_tree``."""
    nodes, waiting, rows = [], [root], []
    while waiting:
        node = waiting.pop()
        node["_at"] = len(nodes)
        nodes.append(node)
        waiting += [node[name] for name in ("left_child", "right_child") if name in node]
    for node in nodes:
        if "leaf_value" in node and "split_index" not in node:
            if node.get("leaf_coeff"):
                raise ValueError("linear leaves cannot be imported")
            rows.append((-1, -1, 0, 0.0, False, float(node["leaf_value"])))
            continue
        if node["decision_type"] != "<=":
            raise ValueError("a split on categories cannot be imported; only numeric columns can")
        if node["missing_type"] == "Zero":
            raise ValueError("zero_as_missing cannot be imported: fit with zeros as they are")
        threshold = float(node["threshold"])
        # without a missing type of its own, LightGBM reads nan as 0
        left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
        rows.append(
            (
                node["left_child"]["_at"],
                node["right_child"]["_at"],
                node["split_feature"],
                threshold,
                left,
                0.0,
            )
        )
    names = ("left", "right", "column", "threshold", "missing_left", "value")
    arrays = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    return arrays | {"value": arrays["value"][:, None]}


def to_sklearn(model):
    """A tree or forest of ours -> scikit-learn's, whose predictions for float32 rows are the same bits."""
    from sklearn import ensemble as their_ensemble
    from sklearn import tree as their_tree

    check_is_fitted(model, "_ensemble")
    name = type(model).__name__
    if OURS.get(name) is not type(model):
        raise TypeError(f"{name} cannot be exported; {', '.join(OURS)} can")
    kind = getattr(their_tree if name.startswith("DecisionTree") else their_ensemble, name)
    theirs = kind(**{k: v for k, v in model.get_params().items() if k in kind().get_params()})
    vars(theirs).update({one: getattr(model, one) for one in LEARNED if hasattr(model, one)})
    if hasattr(model, "estimators_"):
        theirs.estimators_ = [to_sklearn(one) for one in model.estimators_]
        theirs.estimator_ = type(theirs.estimators_[0])()
        return theirs
    theirs.tree_ = _their_tree(model)
    return theirs


def _their_tree(model):
    from sklearn.tree._tree import NODE_DTYPE, Tree

    arrays = model.tree_
    nodes = np.zeros(arrays.node_count, NODE_DTYPE)
    nodes["left_child"], nodes["right_child"] = arrays.children_left, arrays.children_right
    nodes["feature"], nodes["threshold"] = arrays.feature, arrays.threshold
    nodes["impurity"], nodes["n_node_samples"] = np.nan_to_num(arrays.impurity), arrays.n_node_samples
    nodes["weighted_n_node_samples"] = arrays.weighted_n_node_samples
    nodes["missing_go_to_left"] = arrays.missing_go_to_left
    q = arrays.value.shape[2]
    made = Tree(model.n_features_in_, np.array([q if hasattr(model, "classes_") else 1], np.intp), 1)
    state = {"max_depth": arrays.max_depth, "node_count": arrays.node_count, "nodes": nodes}
    made.__setstate__(state | {"values": np.ascontiguousarray(arrays.value)})
    return made
