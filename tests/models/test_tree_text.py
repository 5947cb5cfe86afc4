"""A tree as text and as a picture."""

import xml.etree.ElementTree as xml

import numpy as np
import pytest
from sklearn import tree

from ml_core.models.boosting import GradientBoostingClassifier
from ml_core.models.forest import RandomForestClassifier
from ml_core.models.tree import DecisionTreeClassifier, DecisionTreeRegressor
from ml_core.models.tree_text import export_text, plot_tree

X = np.random.default_rng(0).normal(size=(60, 2))


@pytest.mark.parametrize(
    "given", [{}, {"max_depth": 1}, {"decimals": 4, "spacing": 2}, {"show_weights": True}]
)
@pytest.mark.parametrize("kind", [DecisionTreeClassifier, DecisionTreeRegressor])
def test_the_text_is_scikit_learns(kind, given):
    y = (X[:, 0] > 0.2).astype(int) if kind is DecisionTreeClassifier else np.where(X[:, 0] > 0.2, 3.25, 1.5)
    y = np.where((X[:, 1] > 1) & (X[:, 0] > 0.2), 7, y)
    mine = kind(random_state=0).fit(X, y)
    theirs = getattr(tree, kind.__name__)(random_state=0).fit(X.astype(np.float32).astype(float), y)
    ours, other = export_text(mine, **given), tree.export_text(theirs, **given)
    # cuts lie between bins, not between rows: compare all but the digits of cuts
    assert [line.split("=")[0].split(">")[0] for line in ours.splitlines()] == [
        line.split("=")[0].split(">")[0] for line in other.splitlines()
    ]


def test_names_are_used_and_counted():
    model = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, np.where(X[:, 1] > 0, "yes", "no"))
    text = export_text(model, feature_names=["age", "size"], class_names=["never", "always"])
    assert "size <=" in text and "class: always" in text
    with pytest.raises(ValueError, match="feature_names has 1 names, the tree has 2 columns"):
        export_text(model, feature_names=["age"])
    with pytest.raises(ValueError, match="class_names has 1 names"):
        plot_tree(model, class_names=["never"])


def test_the_picture_has_a_box_a_node_and_escapes_names():
    model = DecisionTreeRegressor(max_depth=2, min_samples_leaf=9, random_state=0).fit(X, X[:, 0] + X[:, 1])
    picture = plot_tree(model, feature_names=["<a>", "b & c"])
    root = xml.fromstring(picture)
    boxes = [one for one in root if one.tag.endswith("rect")]
    assert len(boxes) == model.tree_.node_count == 7 and "&lt;a&gt;" in picture
    assert sum(one.tag.endswith("path") for one in root) == 6
    assert (
        len([one for one in xml.fromstring(plot_tree(model, max_depth=0)) if one.tag.endswith("rect")]) == 1
    )


def test_what_is_more_than_one_tree_is_refused():
    y = np.arange(60) % 2
    forest = RandomForestClassifier(2, random_state=0).fit(X, y)
    for told in (export_text, plot_tree):
        with pytest.raises(
            TypeError, match="RandomForestClassifier is not a single decision tree; take one of"
        ):
            told(forest)
        with pytest.raises(
            TypeError, match="GradientBoostingClassifier is not a single .*; take a DecisionTree"
        ):
            told(GradientBoostingClassifier(max_iter=1).fit(X, y))
    assert "class" in export_text(forest.estimators_[0])
