"""Forests of a larger min_samples_leaf that take what they may from those of a smaller one."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.metrics import get_scorer

from ml_core.kernels import forest_grow
from ml_core.kernels import forest_records as records
from ml_core.models import forest_fit, forest_learn
from ml_core.models.extra_trees import ExtraTreesClassifier, ExtraTreesRegressor
from ml_core.models.forest import RandomForestClassifier, RandomForestRegressor
from ml_core.models.forest_methods import seeds_of
from ml_core.models.tree import DecisionTreeClassifier, DecisionTreeRegressor

KINDS = {
    "two classes": RandomForestClassifier(class_weight="balanced"),
    "three classes, entropy": RandomForestClassifier(criterion="entropy"),
    "all columns, monotone": RandomForestClassifier(max_features=None, monotonic_cst=[1, 0, -1, 0, 0]),
    "values": RandomForestRegressor(min_weight_fraction_leaf=0.004),
    "counts": RandomForestRegressor(criterion="poisson", bootstrap=False, max_features=2),
    "cuts at random": ExtraTreesRegressor(max_depth=9),
    "cuts of classes at random": ExtraTreesClassifier(max_features=0.5),
}
LEAVES = [1, 2, 4, 15, 60]


def table(n, classes):
    """X (n, 5) with missing values, ties and a column of noise, y (n,) >= 0 or of so many classes."""
    rng = np.random.default_rng(n)
    X = np.column_stack([rng.normal(size=(n, 3)), rng.integers(0, 4, n), rng.integers(0, 40, n)])
    X[rng.random(X.shape) < 0.1] = np.nan
    level = np.nan_to_num(X[:, 0] - X[:, 2]) + (X[:, 3] > 1) + rng.normal(size=n)
    return X, np.floor(np.exp(level)) if not classes else np.digitize(level, [0, 1][: classes - 1])


@pytest.mark.parametrize("n", [700, 9000])  # more than COMPACT: codes are copied below what was followed
@pytest.mark.parametrize("name", KINDS)
def test_a_guided_tree_is_the_one_that_looks_everywhere(name, n):
    model = clone(KINDS[name]).set_params(random_state=0, n_estimators=2)
    model._keep_grown = True
    classes = (3 if "three" in name else 2) if hasattr(model, "predict_proba") else 0
    model.fit(*table(n, classes))
    (_, ground), seeds, guides, followed, looked = model._grown, model._seeds, (), 0, 0
    for leaf in LEAVES:
        ground.limits = replace(ground.limits, leaf=leaf, split=2 * leaf)
        alone = forest_fit.grow_all(ground, seeds, 1, forest_grow.grow)
        guided = forest_fit.grow_all(ground, seeds, 1, forest_grow.grow, guides)
        for one, other in zip(alone, guided, strict=True):
            assert_array_equal(one.sums, other.sums)
            for field in set(records.NODE.names) - {"guide", "local", "slot", "start"}:
                assert_array_equal(one.nodes[field], other.nodes[field], err_msg=field)
            inner = other.nodes["left"] >= 0
            followed += int((inner & (other.nodes["guide"] >= 0)).sum())
            looked += int((inner & (other.nodes["guide"] < 0)).sum()) if guides else 0
        guides = guided
    assert followed > 0 and looked > 0


def test_a_large_single_tree_is_guided_below_its_top_too(monkeypatch):
    monkeypatch.setattr(forest_fit, "LARGE", 1000)
    model = DecisionTreeRegressor(random_state=0)
    model._keep_grown = True
    model.fit(*table(9000, 0))
    (grown, ground), seeds = model._grown, seeds_of(0, 1)
    ground.limits = replace(ground.limits, leaf=5, split=10)
    (alone,) = forest_fit.grow_all(ground, seeds, 1, forest_grow.grow)
    (guided,) = forest_fit.grow_all(ground, seeds, 2, forest_grow.grow, grown)
    for field in ("column", "cut", "left", "gain", "spread", "missing_left", "key"):
        assert_array_equal(alone.nodes[field], guided.nodes[field], err_msg=field)


@pytest.mark.parametrize("kind", [DecisionTreeClassifier, RandomForestClassifier, ExtraTreesClassifier])
def test_a_grid_of_leaves_and_stops_equals_one_fit_at_a_time(kind, monkeypatch):
    monkeypatch.setattr(forest_learn, "SECONDS", 1.0)  # compiled, however few the rows
    X, y = table(600, 3)
    model = kind(random_state=0)
    few = {"n_estimators": 4} if hasattr(model, "n_estimators") else {}
    candidates = [
        few | {"min_samples_leaf": 5, "max_depth": 12},
        few | {"min_samples_leaf": 1, "max_depth": 3},
        few | {"min_samples_leaf": 20, "max_depth": 4, "min_impurity_decrease": 1e-3},
        few | {"min_samples_leaf": 5, "ccp_alpha": 1e-3},
        few | {"min_samples_leaf": 0.02, "min_samples_split": 40},
        few | {"min_samples_leaf": 9, "max_leaf_nodes": 12},
    ]
    if few:
        candidates.append({"min_samples_leaf": 12, "n_estimators": 7})
    folds = [(np.arange(200, 600), np.arange(200)), (np.arange(300), np.arange(300, 600))]
    found = model.score_many(X, y, candidates, folds, "neg_log_loss")
    judge = get_scorer("neg_log_loss")
    for i, candidate in enumerate(candidates):
        for j, (train, test) in enumerate(folds):
            alone = clone(model).set_params(**candidate).fit(X[train], y[train])
            assert found[i, j] == judge(alone, X[test], y[test])
