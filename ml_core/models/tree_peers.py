"""Models fitted by scikit-learn, served by our predict to the bit; and ours as scikit-learn's.

Letters: n rows, d columns, m nodes of a tree, q numbers of a leaf.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels.trees import join
from ml_core.models import extra_trees, forest, tree
from ml_core.models.tree_imported import ImportedClassifier, ImportedRegressor, one_tree, served
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
            made, order = one_tree(arrays, k)
            found.append((made, nodes["count"][order].astype(np.int64)))
    start = np.ravel(model._baseline_prediction).astype(np.float64)
    if hasattr(model, "classes_"):
        ours = ImportedClassifier("sigmoid" if len(start) == 1 else "softmax")
        ours.classes_ = model.classes_
    else:
        ours = ImportedRegressor("exp" if model.loss in ("poisson", "gamma") else "identity")
    return served(ours, found, start, model)


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
