"""A fitted decision tree to read: as text, and as a picture (SVG) that needs no library.

Letters: m nodes.
"""

from html import escape

import numpy as np
from sklearn.utils.validation import check_is_fitted

ROW, WIDE, TALL = 62, 128, 46  # of a level, of a box


def tree_of(model):
    """A fitted decision tree's ``tree_``; TypeError for what is more than one tree."""
    check_is_fitted(model)
    if not hasattr(model, "tree_"):
        way = "take one of its estimators_" if hasattr(model, "estimators_") else "take a DecisionTree"
        raise TypeError(f"{type(model).__name__} is not a single decision tree; {way}")
    return model.tree_


def names_of(model, feature_names):
    """Names of the columns, as given, as seen in fit, or feature_0, feature_1, ..."""
    given = feature_names if feature_names is not None else getattr(model, "feature_names_in_", None)
    if given is None:
        return [f"feature_{j}" for j in range(model.n_features_in_)]
    if len(given) != model.n_features_in_:
        raise ValueError(f"feature_names has {len(given)} names, the tree has {model.n_features_in_} columns")
    return [str(name) for name in given]


def labels_of(model, class_names):
    """Names of the classes, as given or as fitted; None for values."""
    if not hasattr(model, "classes_"):
        return None
    given = model.classes_ if class_names is None else class_names
    if len(given) != len(model.classes_):
        raise ValueError(f"class_names has {len(given)} names, the tree knows {len(model.classes_)} classes")
    return [str(name) for name in given]


def export_text(model, *, feature_names=None, class_names=None, max_depth=10, spacing=3, decimals=2,
                show_weights=False):  # fmt: skip
    """The rules of a fitted decision tree, one a line, as scikit-learn's ``export_text`` writes them.

    Branches below max_depth are cut off, and say so.
    """
    tree, names, labels = tree_of(model), names_of(model, feature_names), labels_of(model, class_names)
    lines, waiting = [], [(0, 1, None)]
    while waiting:
        node, depth, rule = waiting.pop()
        indent = ("|" + " " * spacing) * (depth - 2) + "|" + "-" * spacing
        if rule is not None:
            lines.append(f"{indent} {rule}")
        indent = ("|" + " " * spacing) * (depth - 1) + "|" + "-" * spacing
        if tree.feature[node] < 0 or depth > max_depth + 1:
            lines.append(indent + _leaf(tree, node, labels, decimals, show_weights, depth > max_depth + 1))
            continue
        name, cut = names[tree.feature[node]], f"{tree.threshold[node]:.{decimals}f}"
        waiting.append((tree.children_right[node], depth + 1, f"{name} >  {cut}"))
        waiting.append((tree.children_left[node], depth + 1, f"{name} <= {cut}"))
    return "\n".join(lines) + "\n"


def _leaf(tree, node, labels, decimals, show_weights, cut):
    if cut and tree.feature[node] >= 0:
        depth = _depth_below(tree, node)
        return f" truncated branch of depth {depth}"
    value = tree.value[node, 0]
    if labels is None:
        return f" value: [{value[0]:.{decimals}f}]"
    weights = ""
    if show_weights:
        weights = ", ".join(f"{w:.{decimals}f}" for w in value * tree.weighted_n_node_samples[node])
        weights = f" weights: [{weights}]"
    return f"{weights} class: {labels[value.argmax()]}"


def _depth_below(tree, node):
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        at, depth = waiting.pop()
        deepest = max(deepest, depth)
        if tree.feature[at] >= 0:
            waiting += [(tree.children_left[at], depth + 1), (tree.children_right[at], depth + 1)]
    return deepest


def plot_tree(model, *, feature_names=None, class_names=None, max_depth=4, decimals=3):
    """A fitted decision tree as an SVG document (str), nodes below max_depth left out.

    A box says what is asked, how many rows it holds, and its class or value; the left branch is where the
    answer is yes. Boxes of a classifier are the darker the surer they are.
    """
    tree, names, labels = tree_of(model), names_of(model, feature_names), labels_of(model, class_names)
    place, width = _places(tree, max_depth)
    shapes = []
    for node, (x, y) in place.items():
        for child in (tree.children_left[node], tree.children_right[node]):
            if child in place:
                to = place[child]
                shapes.append(f'<path d="M{x:.1f} {y + TALL}L{to[0]:.1f} {to[1]}" stroke="#888"/>')
        words = [f"{tree.n_node_samples[node]} rows"]
        value = tree.value[node, 0]
        words.append(f"{value[0]:.{decimals}g}" if labels is None else labels[value.argmax()])
        if tree.feature[node] >= 0:
            words.insert(0, f"{names[tree.feature[node]]} ≤ {tree.threshold[node]:.{decimals}g}")
        sure = 0.35 if labels is None else (value.max() - 1 / len(value)) / max(1 - 1 / len(value), 1e-9)
        shade = int(250 - 90 * sure)
        shapes.append(
            f'<rect x="{x - WIDE / 2:.1f}" y="{y}" width="{WIDE}" height="{TALL}" rx="5" '
            f'fill="rgb({shade},{shade + 3},250)" stroke="#555"/>'
        )
        first = y + TALL / 2 + 4 - 7 * (len(words) - 1)
        for i, word in enumerate(words):
            shapes.append(f'<text x="{x:.1f}" y="{first + 14 * i:.1f}">{escape(word)}</text>')
    height = max(y for _, y in place.values()) + TALL + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="sans-serif" font-size="11" text-anchor="middle">' + "".join(shapes) + "</svg>\n"
    )


def _places(tree, max_depth):
    """Where each node stands, {node: (x, y)}: leaves side by side, parents between their children."""
    place, x, waiting = {}, WIDE / 2 + 8, [(0, 0, False)]
    while waiting:
        node, depth, done = waiting.pop()
        inner = tree.feature[node] >= 0 and depth < max_depth
        if not inner:
            place[node] = (x, 8 + depth * (ROW + TALL - 30))
            x += WIDE + 12
        elif done:
            ends = [place[child][0] for child in (tree.children_left[node], tree.children_right[node])]
            place[node] = (float(np.mean(ends)), 8 + depth * (ROW + TALL - 30))
        else:
            waiting.append((node, depth, True))
            waiting.append((tree.children_right[node], depth + 1, False))
            waiting.append((tree.children_left[node], depth + 1, False))
    return place, x - WIDE / 2
