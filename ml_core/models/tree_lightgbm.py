"""LightGBM's models, served by our predict to the bit; and our boosting as LightGBM's.

Letters: m nodes of a tree, q columns of raw sums, k categories.
"""

from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels.trees import part
from ml_core.models.tree_imported import ImportedClassifier, ImportedRegressor, one_tree, served
from ml_core.models.tree_raw import UNKNOWN

LINKS = {  # LightGBM's objectives -> how raw sums become predictions
    "regression": "identity", "regression_l1": "identity", "huber": "identity", "fair": "identity",
    "quantile": "identity", "mape": "identity", "poisson": "exp", "gamma": "exp", "tweedie": "exp",
    "binary": "sigmoid", "multiclass": "softmax",
}  # fmt: skip
OBJECTIVES = {  # our losses -> LightGBM's
    "squared_error": "regression", "absolute_error": "regression_l1", "huber": "huber",
    "quantile": "quantile", "poisson": "poisson", "gamma": "gamma",
}  # fmt: skip
SET, LEFT, NAN = 1, 2, 8  # LightGBM's decision_type: a set of categories; missing goes left; nan is missing
WORD = 32  # bits of a category set's words


def from_lightgbm(model):
    """A booster, an LGBMClassifier or LGBMRegressor, or the path of a model file -> a model of ours.

    Its raw sums are the same bits. Refused: categories of a frame, or above 254; linear leaves, zero as
    missing, other objectives.
    """
    booster = model
    if isinstance(model, str | Path):
        import lightgbm

        if not Path(model).is_file():
            raise FileNotFoundError(
                f"{model}: there is no LightGBM model file; Booster.save_model writes one"
            )
        booster = lightgbm.Booster(model_file=str(model))
    booster = getattr(booster, "booster_", booster)
    told = booster.dump_model()
    objective, *rest = told.get("objective", "").split()
    link = LINKS.get(objective)
    settings = dict(one.split(":") for one in rest if ":" in one)
    if link is None or float(settings.get("sigmoid", 1)) != 1 or "sqrt" in rest:
        raise ValueError(f"objective {told.get('objective')!r} cannot be imported; {', '.join(LINKS)} can")
    if booster.pandas_categorical:
        raise ValueError("the model knows a frame's categories; fit it on their numbers to have it imported")
    q = told["num_tree_per_iteration"]
    found = []
    for i, one in enumerate(told["tree_info"]):
        arrays, rows = _from_structure(one["tree_structure"])
        tree, order = one_tree(arrays, i % q)
        found.append((tree, rows[order]))
    ours = ImportedRegressor(link) if link in ("identity", "exp") else ImportedClassifier(link)
    if hasattr(ours, "decision_function"):
        ours.classes_ = getattr(model, "classes_", np.arange(max(q, 2)))
    ours.n_features_in_ = told["max_feature_idx"] + 1
    parts = len(found) // q if told.get("average_output") else 1
    return served(ours, found, np.zeros(q), model, parts)


def _from_structure(root):
    """LightGBM's nested nodes -> arrays for ``one_tree``, and the training rows of the nodes (m,)."""
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
            rows.append((-1, -1, 0, 0.0, False, float(node["leaf_value"]), node.get("leaf_count", 1)))
            continue
        if node["missing_type"] == "Zero":
            raise ValueError("zero_as_missing cannot be imported: fit with zeros as they are")
        threshold, left = _question(node)
        rows.append(
            (
                node["left_child"]["_at"],
                node["right_child"]["_at"],
                node["split_feature"],
                threshold,
                left,
                0.0,
                node["internal_count"],
            )
        )
    names = ("left", "right", "column", "threshold", "missing_left", "value")
    *columns, counts = map(np.array, zip(*rows, strict=True))
    arrays = dict(zip(names, columns, strict=True))
    sets = {"sets": np.array([_set(node) for node in nodes]), "has_set": [_has_set(node) for node in nodes]}
    return arrays | sets | {"value": arrays["value"][:, None]}, counts.astype(np.int64)


def _has_set(node):
    return node.get("decision_type") == "=="


def _question(node):
    """A node's threshold, nan where it has a set, and whether missing values go left."""
    if _has_set(node):
        return np.nan, False
    threshold = float(node["threshold"])
    # without a missing type of its own, LightGBM reads nan as 0
    return threshold, node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0


def _set(node):
    """The categories that go left, as bits (4,) uint64; none of a node without a set."""
    bits = [0] * 4
    for value in map(int, str(node["threshold"]).split("||")) if _has_set(node) else ():
        if value >= UNKNOWN:
            raise ValueError(f"category {value} cannot be imported: numbers up to {UNKNOWN - 1} can")
        bits[value >> 6] |= 1 << (value & 63)
    return np.array(bits, np.uint64)


def to_lightgbm(model):
    """Our fitted boosting -> a ``lightgbm.Booster`` with the same bits of raw sums (``raw_score=True``).

    Its classes are numbered in the order of ``classes_``. Refused: columns of names, and categories that are
    not whole numbers from 0 on: LightGBM knows no others.
    """
    import lightgbm

    return lightgbm.Booster(model_str=model_text(model))


def model_text(model):
    """Our fitted boosting as the text of a LightGBM model file."""
    from ml_core.models.boosting import GradientBoostingClassifier, GradientBoostingRegressor

    if type(model) not in (GradientBoostingClassifier, GradientBoostingRegressor):
        raise TypeError(f"{type(model).__name__} cannot be exported; our gradient boosting can")
    check_is_fitted(model, "_ensemble")
    known = _categories(model)
    ensemble, q, trees = model._ensemble, len(model._start), []
    for i in range(len(ensemble.trees.output)):
        own = part(ensemble.trees, i, i + 1)
        rows = model._rows[ensemble.trees.start[i] : ensemble.trees.start[i + 1]]
        start = model._start[own.output[0]] if i < q else 0.0
        trees.append(f"Tree={i}\n{_lines(_tree_fields(own, rows, start, known))}\n\n")
    names = getattr(model, "feature_names_in_", [f"Column_{j}" for j in range(model.n_features_in_)])
    if hasattr(model, "classes_"):
        objective = "binary sigmoid:1" if q == 1 else f"multiclass num_class:{q}"
    else:
        objective = OBJECTIVES[model.loss]
    head = {
        "version": "v4", "num_class": q, "num_tree_per_iteration": q, "label_index": 0,
        "max_feature_idx": model.n_features_in_ - 1, "objective": objective,
        "feature_names": " ".join("_".join(str(name).split()) for name in names),
        "feature_infos": " ".join(map(_info, ensemble.bins.edges, known)),
        "tree_sizes": " ".join(str(len(text)) for text in trees),
    }  # fmt: skip
    end = "end of trees\n\nparameters:\nend of parameters\n\npandas_categorical:null\n"
    return f"tree\n{_lines(head)}\n\n{''.join(trees)}{end}"


def _lines(fields):
    return "\n".join(f"{name}={_told(value)}" for name, value in fields.items())


def _told(value):
    """Numbers with all their bits, side by side."""
    return " ".join(map(repr, np.asarray(value).tolist())) if isinstance(value, np.ndarray) else str(value)


def _info(edges, known):
    """What LightGBM says of a column: its categories, or its range."""
    if known is not None:
        return ":".join(map(str, known)) or "none"
    return f"[{float(edges[0])!r}:{float(edges[-1])!r}]" if len(edges) else "none"


def _categories(model):
    """Known values of each column as whole numbers (k,), None of a numeric one; [d]."""
    bins, found = model._ensemble.bins, []
    if model._names.known:
        raise ValueError(
            f"{', '.join(model._names.known)} hold names, which LightGBM's file cannot; fit on their numbers"
        )
    for j, (edges, kind) in enumerate(zip(bins.edges, bins.categorical, strict=True)):
        if kind and not ((edges >= 0) & (edges == np.floor(edges)) & (edges < 2**31)).all():
            raise ValueError(f"the categories of column {j} are {edges[:5]}, but must be whole numbers >= 0")
        found.append(edges.astype(np.int64) if kind else None)
    return found


def _tree_fields(tree, rows, start, known):
    """The lines of a tree; start: added to its leaves."""
    place = np.arange(len(tree.left))
    leaf = tree.left == place
    # LightGBM counts inner nodes and leaves apart, and writes leaf i as ~i
    number = np.where(leaf, ~(np.cumsum(leaf) - 1), np.cumsum(~leaf) - 1)
    value = tree.value[:, 0] + start
    inner = np.flatnonzero(~leaf)
    if not len(inner):
        return {"num_leaves": 1, "num_cat": 0, "leaf_value": value, "is_linear": 0, "shrinkage": 1}
    children = np.stack([number[tree.left[inner]], number[tree.left[inner] + 1]])
    threshold = np.minimum(tree.threshold[inner], np.finfo(np.float64).max)
    kind = np.where(tree.missing_left[inner], NAN | LEFT, NAN)
    words, ends = [], [0]
    for i in np.flatnonzero(tree.set_of[inner] >= 0):
        set_, values = tree.sets[tree.set_of[inner[i]]], known[tree.column[inner[i]]]
        left, missing = _bits(set_, len(values))
        if missing:  # LightGBM sends nan and unknown categories right
            left, children[:, i] = ~left, children[::-1, i]
        threshold[i], kind[i] = len(ends) - 1, NAN | SET
        words += _words(values[left])
        ends.append(len(words))
    sets = {"cat_boundaries": np.array(ends), "cat_threshold": np.array(words)} if len(ends) > 1 else {}
    return {
        "num_leaves": int(leaf.sum()), "num_cat": len(ends) - 1, "split_feature": tree.column[inner],
        "split_gain": np.zeros(len(inner)), "threshold": threshold, "decision_type": kind,
        "left_child": children[0], "right_child": children[1], "leaf_value": value[leaf],
        "leaf_weight": rows[leaf].astype(np.float64), "leaf_count": rows[leaf],
        "internal_value": np.zeros(len(inner)), "internal_weight": rows[inner].astype(np.float64),
        "internal_count": rows[inner], **sets, "is_linear": 0, "shrinkage": 1,
    }  # fmt: skip


def _bits(set_, n):
    """A set's words (4,) -> whether codes 0 .. n - 1 are in it (n,), and whether n, missing, is."""
    code = np.arange(n + 1)
    inside = set_[code >> 6] >> (code & 63).astype(np.uint64) & np.uint64(1) == 1
    return inside[:-1], inside[-1]


def _words(values):
    """Categories (k,) as words of bits; one of none, since a set must have a word."""
    words = [0] * (int(values.max(initial=0)) // WORD + 1)
    for value in values.tolist():
        words[value // WORD] |= 1 << value % WORD
    return words
