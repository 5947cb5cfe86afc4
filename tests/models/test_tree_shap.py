"""Shapley values against their definition, and the two that must add up."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ml_core.models.extra_trees import ExtraTreesRegressor
from ml_core.models.forest import RandomForestClassifier
from ml_core.models.tree import DecisionTreeClassifier, DecisionTreeRegressor
from ml_core.models.tree_shap import shap_values


def expected(tree, x, known, node=0):
    """A tree's mean for a row of which only some columns are known."""
    if tree.feature[node] < 0:
        return tree.value[node, 0]
    left, right = tree.children_left[node], tree.children_right[node]
    if tree.feature[node] in known:
        return expected(tree, x, known, left if x[tree.feature[node]] <= tree.threshold[node] else right)
    weight = tree.weighted_n_node_samples
    parts = [weight[at] * expected(tree, x, known, at) for at in (left, right)]
    return (parts[0] + parts[1]) / weight[node]


def by_definition(tree, x, j, d):
    """The Shapley value of column j: its mean gain over all orders in which columns become known."""
    total, others = 0.0, [i for i in range(d) if i != j]
    for size in range(d):
        for known in combinations(others, size):
            weight = factorial(size) * factorial(d - size - 1) / factorial(d)
            total = total + weight * (expected(tree, x, {*known, j}) - expected(tree, x, set(known)))
    return total


@pytest.mark.parametrize("kind", [DecisionTreeClassifier, DecisionTreeRegressor])
def test_values_are_those_of_the_definition(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0) + (X[:, 3] > 1)
    model = kind(max_depth=5, random_state=0).fit(X, y)
    values, start = shap_values(model, X[:6])
    for i in range(6):
        for j in range(4):
            assert_allclose(np.ravel(values[i, j]), by_definition(model.tree_, X[i], j, 4), atol=1e-12)
    assert_allclose(np.ravel(start), expected(model.tree_, X[0], set()), atol=1e-12)


@pytest.mark.parametrize("deep", [3, None])
def test_they_add_up_to_the_prediction_with_gaps_in_the_rows(deep):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 8))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = np.nan_to_num(X[:, 0]) + rng.normal(size=200)
    values, start = shap_values(ExtraTreesRegressor(4, max_depth=deep, random_state=0).fit(X, y), X)
    model = ExtraTreesRegressor(4, max_depth=deep, random_state=0).fit(X, y)
    assert values.shape == (200, 8)
    assert_allclose(values.sum(axis=1) + start, model.predict(X), atol=1e-9)
    forest = RandomForestClassifier(4, max_depth=deep, random_state=0).fit(X, (y > 0).astype(int))
    values, start = shap_values(forest, X)
    assert_allclose(values.sum(axis=1) + start, forest.predict_proba(X), atol=1e-9)


def test_a_column_never_asked_gets_nothing_and_a_lone_leaf_its_value():
    X = np.column_stack([np.arange(20.0), np.zeros(20)])
    model = DecisionTreeRegressor(random_state=0).fit(X, X[:, 0])
    values, _ = shap_values(model, X)
    assert (values[:, 1] == 0).all()
    values, start = shap_values(DecisionTreeRegressor().fit(X, np.full(20, 3.0)), X)
    assert start == 3 and not values.any()


def test_what_has_no_trees_is_refused():
    from ml_core.models.linear import Ridge

    X = np.arange(6.0)[:, None]
    with pytest.raises(TypeError, match="Ridge has no trees"):
        shap_values(Ridge().fit(X, X[:, 0]), X)
