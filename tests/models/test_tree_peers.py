"""Models of scikit-learn, served to the bit; ours as scikit-learn's; what is refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import ensemble, tree
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from ml_core.models import extra_trees, file, forest
from ml_core.models import tree as own
from ml_core.models.tree_lightgbm import from_lightgbm
from ml_core.models.tree_peers import from_sklearn, to_sklearn
from ml_core.models.tree_shap import shap_values

RNG = np.random.default_rng(0)


def rows(X, gaps=False):
    """Rows that were not fitted on, some cells lost."""
    Q = X[RNG.integers(0, len(X), 80)] + RNG.normal(size=(80, X.shape[1])) * X.std(axis=0)
    if gaps:
        Q[RNG.random(Q.shape) < 0.1] = np.nan
    return Q


@pytest.mark.parametrize(
    "model",
    [
        tree.DecisionTreeClassifier(random_state=0),
        ensemble.RandomForestClassifier(7, random_state=0),
        ensemble.ExtraTreesClassifier(7, random_state=0),
        tree.DecisionTreeRegressor(random_state=0),
        ensemble.RandomForestRegressor(7, random_state=0),
        ensemble.ExtraTreesRegressor(7, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_tree_or_forest_of_scikit_learn_predicts_its_bits(model):
    X, y = load_iris(return_X_y=True) if hasattr(model, "predict_proba") else load_diabetes(return_X_y=True)
    X = X.copy()
    X[RNG.random(X.shape) < 0.05] = np.nan
    model.fit(X, y)
    ours, Q = from_sklearn(model), rows(np.nan_to_num(X), gaps=True)
    assert_array_equal(ours.predict(Q), model.predict(Q))
    if hasattr(model, "predict_proba"):
        assert_array_equal(ours.predict_proba(Q), model.predict_proba(Q))
    assert_allclose(ours.feature_importances_, model.feature_importances_, atol=1e-9)
    values, start = shap_values(ours, Q[:5])
    told = ours.predict_proba(Q[:5]) if hasattr(model, "predict_proba") else ours.predict(Q[:5])
    assert_allclose(values.sum(axis=1) + start, told, atol=1e-9)
    assert_array_equal(file.loads(file.dumps(ours)).predict(Q), model.predict(Q))


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_histogram_boosting_for_numbers_predicts_its_bits(loss):
    X, y = load_diabetes(return_X_y=True)
    X[::7, 2] = np.nan
    model = ensemble.HistGradientBoostingRegressor(loss=loss, max_iter=15, random_state=0).fit(X, y)
    ours, Q = from_sklearn(model), rows(X, gaps=True)
    assert_array_equal(ours.predict(Q), model.predict(Q))
    values, start = shap_values(ours, Q)  # of an imported model, too, they add up to its raw sums
    assert_allclose(
        values.sum(axis=1) + start, np.log(model.predict(Q)) if loss == "poisson" else ours.predict(Q)
    )
    assert np.isclose(start, ours._start[0], rtol=0.02)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
def test_histogram_boosting_for_classes_sums_the_same_bits(load):
    X, y = load(return_X_y=True)
    model = ensemble.HistGradientBoostingClassifier(max_iter=15, random_state=0).fit(X, y)
    ours, Q = from_sklearn(model), rows(X, gaps=True)
    assert_array_equal(ours.decision_function(Q), model.decision_function(Q))
    assert_allclose(ours.predict_proba(Q), model.predict_proba(Q), rtol=1e-12)
    assert_array_equal(ours.predict(Q), model.predict(Q))


@pytest.mark.parametrize(
    "model",
    [
        own.DecisionTreeClassifier(random_state=0),
        forest.RandomForestClassifier(5, random_state=0),
        extra_trees.ExtraTreesRegressor(5, random_state=0),
        own.DecisionTreeRegressor(max_leaf_nodes=9, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_ours_is_scikit_learns_to_the_bit(model):
    X, y = load_breast_cancer(return_X_y=True)
    X[::5, 3] = np.nan
    model.fit(X, y)
    theirs, Q = to_sklearn(model), rows(np.nan_to_num(X), gaps=True).astype(np.float32)
    assert_array_equal(theirs.predict(Q), model.predict(Q))
    if hasattr(model, "predict_proba"):
        assert_array_equal(theirs.predict_proba(Q), model.predict_proba(Q))
    assert_array_equal(pickle.loads(pickle.dumps(theirs)).predict(Q), model.predict(Q))
    assert_array_equal(from_sklearn(theirs).predict(Q), model.predict(Q))


def test_what_cannot_be_told_is_refused():
    import lightgbm

    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(TypeError, match="GradientBoostingRegressor cannot be imported"):
        from_sklearn(ensemble.GradientBoostingRegressor(n_estimators=2).fit(X, y))
    with pytest.raises(ValueError, match="2 outputs at once"):
        from_sklearn(tree.DecisionTreeRegressor().fit(X, np.column_stack([y, y])))
    codes = RNG.integers(0, 5, (442, 1)).astype(float)
    hist = ensemble.HistGradientBoostingRegressor(categorical_features=[0], max_iter=3).fit(codes, y)
    with pytest.raises(ValueError, match="splits on categories"):
        from_sklearn(hist)
    settings = {"verbose": -1, "objective": "regression"}
    zeros = lightgbm.train(settings | {"zero_as_missing": True}, lightgbm.Dataset(X, y), 2)
    with pytest.raises(ValueError, match="zero_as_missing"):
        from_lightgbm(zeros)
    with pytest.raises(TypeError, match="served as it came"):
        from_lightgbm(lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), 2)).fit(X, y)


def test_a_tampered_import_is_refused():
    X, y = load_diabetes(return_X_y=True)
    ours = from_sklearn(tree.DecisionTreeRegressor(max_depth=2).fit(X, y))
    left = ours._ensemble.trees.left.copy()
    left[0] = 99
    ours._ensemble.trees = ours._ensemble.trees._replace(left=left)
    with pytest.raises(ValueError, match="points outside of itself"):
        pickle.loads(pickle.dumps(ours))
