"""Trees and forests: laws, scikit-learn's word where it has one, bad input."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import ensemble, tree
from sklearn.datasets import load_breast_cancer, load_diabetes

from ml_core.kernels import workers
from ml_core.models import forest_fit
from ml_core.models.extra_trees import ExtraTreesClassifier, ExtraTreesRegressor
from ml_core.models.forest import RandomForestClassifier, RandomForestRegressor
from ml_core.models.tree import DecisionTreeClassifier, DecisionTreeRegressor

CLASSIFIERS = [DecisionTreeClassifier, RandomForestClassifier, ExtraTreesClassifier]
REGRESSORS = [DecisionTreeRegressor, RandomForestRegressor, ExtraTreesRegressor]


def few(kind, **params):
    """An estimator of five trees at most."""
    if "n_estimators" in kind().get_params():
        params = {"n_estimators": 5} | params
    return kind(**{"random_state": 0} | params)


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
def test_parameters_are_scikit_learns_with_its_defaults(kind):
    theirs = getattr(
        tree if "Tree" in kind.__name__ and "Extra" not in kind.__name__ else ensemble, kind.__name__
    )
    assert kind().get_params().items() >= theirs().get_params().items()


@pytest.mark.parametrize("kind", [DecisionTreeClassifier, DecisionTreeRegressor])
def test_a_tree_on_few_values_is_scikit_learns_tree(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > X[:, 2])
    ours = kind(max_depth=1, random_state=0).fit(X, y)
    theirs = getattr(tree, kind.__name__)(max_depth=1, random_state=0).fit(X, y)
    for name in ("children_left", "children_right", "feature", "n_node_samples", "n_leaves", "max_depth"):
        assert_array_equal(getattr(ours.tree_, name), getattr(theirs.tree_, name))
    assert_allclose(ours.tree_.threshold, theirs.tree_.threshold, rtol=1e-6)
    assert_allclose(ours.tree_.impurity, theirs.tree_.impurity)
    assert_allclose(ours.tree_.value, theirs.tree_.value)
    assert_allclose(ours.feature_importances_, theirs.feature_importances_)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_pruning_path_is_scikit_learns(task):
    if task == "regression":
        X, y = load_diabetes(return_X_y=True)
        kinds = DecisionTreeRegressor, tree.DecisionTreeRegressor
    else:
        X, y = load_breast_cancer(return_X_y=True)
        X, kinds = np.median(X, axis=0) < X, (DecisionTreeClassifier, tree.DecisionTreeClassifier)
    X = X.astype(float)
    ours, theirs = (kind(max_leaf_nodes=8, random_state=0) for kind in kinds)
    mine, other = (one.cost_complexity_pruning_path(X, y) for one in (ours, theirs))
    assert_allclose(mine.impurities[-1], other.impurities[-1])
    for alpha in mine.ccp_alphas[1::2]:
        counts = [one.set_params(ccp_alpha=alpha * 1.0001).fit(X, y).get_n_leaves() for one in (ours, theirs)]
        assert abs(counts[0] - counts[1]) <= 1


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
def test_one_and_two_threads_give_the_same_bits(kind, monkeypatch):
    X, y = load_diabetes(return_X_y=True)
    y = y if kind in REGRESSORS else (y > 140).astype(int)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(workers, "count", lambda _=None, threads=threads: threads)
        model = few(kind).fit(X, y)
        found.append([*model._ensemble.trees, model.predict(X)])
    for one, two in zip(*found, strict=True):
        assert_array_equal(one, two)


def test_a_large_single_tree_is_the_same_on_one_and_two_threads(monkeypatch):
    from ml_core.models import forest_fit

    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 5))
    y = (X[:, 0] * X[:, 1] + rng.normal(size=6000) > 0).astype(int)
    whole = DecisionTreeClassifier(random_state=0).fit(X, y)
    monkeypatch.setattr(forest_fit, "LARGE", 1000)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(workers, "count", lambda _=None, threads=threads: threads)
        found.append(DecisionTreeClassifier(random_state=0).fit(X, y))
    for one, two in zip(found[0]._ensemble.trees, found[1]._ensemble.trees, strict=True):
        assert_array_equal(one, two)
    assert_array_equal(found[0].predict_proba(X[:500] + 0.1), whole.predict_proba(X[:500] + 0.1))
    assert found[0].get_n_leaves() == whole.get_n_leaves()


@pytest.mark.parametrize("kind", [DecisionTreeClassifier, ExtraTreesClassifier, DecisionTreeRegressor])
def test_weights_rows_twice_and_the_order_of_rows(kind):
    rng = np.random.default_rng(1)
    X, twice = rng.normal(size=(200, 4)), rng.integers(1, 3, 200)
    y = rng.integers(0, 3, 200)
    plain = few(kind).fit(X, y, sample_weight=twice).predict(X)
    assert_array_equal(plain, few(kind).fit(np.repeat(X, twice, axis=0), np.repeat(y, twice)).predict(X))
    order = rng.permutation(200)
    assert_array_equal(plain, few(kind).fit(X[order], y[order], twice[order]).predict(X))


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
def test_a_rising_map_of_a_column_changes_edges_only(kind):
    X, y = load_diabetes(return_X_y=True)
    y = y if kind in REGRESSORS else (y > 140).astype(int)
    a, b = few(kind).fit(X, y), few(kind).fit(np.exp(9 * X), y)
    assert_array_equal(a._ensemble.trees.column, b._ensemble.trees.column)
    assert_array_equal(a._ensemble.trees.cut, b._ensemble.trees.cut)
    assert_array_equal(a.predict(X), b.predict(np.exp(9 * X)))


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
def test_a_monotone_column_is_never_disobeyed(kind):
    rng = np.random.default_rng(2)
    X = rng.uniform(size=(400, 3))
    y = X[:, 0] - X[:, 1] + rng.normal(size=400)
    y = y if kind in REGRESSORS else (y > 0).astype(int)
    model = few(kind, monotonic_cst=[1, -1, 0]).fit(X, y)
    told = (lambda X: model.predict_proba(X)[:, 1]) if kind in CLASSIFIERS else model.predict
    for column, sign in ((0, 1), (1, -1)):
        rows = np.repeat(X[:20], 40, axis=0)
        rows[:, column] = np.tile(np.linspace(0, 1, 40), 20)
        steps = np.diff(told(rows).reshape(20, 40), axis=1)
        assert (sign * steps >= -1e-12).all() and (steps != 0).any()


def test_full_depth_reproduces_the_targets_and_leaves_are_as_asked():
    X, y = load_diabetes(return_X_y=True)
    y = y + 1e6
    assert_allclose(few(ExtraTreesRegressor).fit(X, y).predict(X), y, rtol=1e-12)
    model = DecisionTreeRegressor(min_samples_leaf=7, max_depth=5, random_state=0).fit(X, y)
    assert np.bincount(model.apply(X))[np.unique(model.apply(X))].min() >= 7 and model.get_depth() <= 5
    assert DecisionTreeRegressor(max_leaf_nodes=6, random_state=0).fit(X, y).get_n_leaves() == 6
    leaf = model.apply(X)
    means = np.bincount(leaf, y) / np.maximum(np.bincount(leaf), 1)
    assert_allclose(model.predict(X), means[leaf], rtol=1e-12)


def test_warm_start_adds_the_trees_of_one_larger_fit():
    X, y = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(3, random_state=0, warm_start=True, oob_score=False).fit(X, y)
    model.set_params(n_estimators=8).fit(X, y)
    assert_array_equal(
        model.predict_proba(X), RandomForestClassifier(8, random_state=0).fit(X, y).predict_proba(X)
    )
    with pytest.raises(ValueError, match="n_estimators=2 is less than the 8 trees"):
        model.set_params(n_estimators=2).fit(X, y)
    with pytest.warns(UserWarning, match="grows no trees"):
        model.set_params(n_estimators=8).fit(X, y)


def test_out_of_bag_rows_are_judged_by_trees_that_never_saw_them():
    X, y = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(40, random_state=0, oob_score=True).fit(X, y)
    theirs = ensemble.RandomForestClassifier(40, random_state=0, oob_score=True).fit(X, y)
    assert abs(model.oob_score_ - theirs.oob_score_) < 0.02
    assert model.oob_decision_function_.shape == (569, 2)
    noise = np.random.default_rng(0).normal(size=(300, 5))
    labels = np.random.default_rng(1).integers(0, 2, 300)
    noisy = RandomForestClassifier(60, random_state=0, oob_score=True).fit(noise, labels)
    assert noisy.score(noise, labels) == 1 and abs(noisy.oob_score_ - 0.5) < 0.12
    for state in (None, np.random.RandomState(0)):  # draws that cannot be drawn again
        noisy.set_params(random_state=state).fit(noise, labels)
        assert abs(noisy.oob_score_ - 0.5) < 0.12
    noisy.set_params(warm_start=True, n_estimators=80).fit(noise, labels)
    assert abs(noisy.oob_score_ - 0.5) < 0.12
    values = RandomForestRegressor(40, random_state=0, oob_score=True).fit(*load_diabetes(return_X_y=True))
    assert 0.3 < values.oob_score_ < 0.5 and values.oob_prediction_.shape == (442,)


def test_quantiles_cover_what_they_say_and_one_tree_tells_its_leaf():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1200, 2))
    y = X[:, 0] + X[:, 0] * rng.normal(size=1200)
    model = RandomForestRegressor(50, min_samples_leaf=20, keep_targets=True, random_state=0).fit(
        X[:800], y[:800]
    )
    low, high = model.predict(X[800:], quantiles=[0.1, 0.9]).T
    assert 0.7 < ((y[800:] > low) & (y[800:] < high)).mean() < 0.9
    one = RandomForestRegressor(1, bootstrap=False, min_samples_leaf=30, keep_targets=True, random_state=0)
    one.fit(X, y)
    leaf = one.apply(X)[:, 0]
    half = one.predict(X[:50], quantiles=[0.5])[:, 0]
    own = [np.quantile(y[leaf == at], 0.5, method="inverted_cdf") for at in leaf[:50]]
    assert_array_equal(half, own)
    with pytest.raises(ValueError, match="keep_targets=True"):
        RandomForestRegressor(2).fit(X, y).predict(X, quantiles=[0.5])
    with pytest.raises(ValueError, match=r"quantiles must lie in \[0, 1\]"):
        one.predict(X, quantiles=[1.5])


def test_votes_are_counted_one_a_tree():
    X, y = load_breast_cancer(return_X_y=True)
    hard = RandomForestClassifier(7, voting="hard", max_depth=2, random_state=0).fit(X, y)
    soft = RandomForestClassifier(7, max_depth=2, random_state=0).fit(X, y)
    votes = np.mean([one.predict(X) for one in soft.estimators_], axis=0)
    assert_allclose(hard.predict_proba(X)[:, 1], votes)
    assert_allclose(
        soft.predict_proba(X), np.mean([one.predict_proba(X) for one in soft.estimators_], axis=0)
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 10_000), st.floats(0, 1), st.booleans())
def test_any_table_is_learned(n, d, seed, lost, constant):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, (n, d)).astype(float)
    X[rng.random((n, d)) < lost] = np.nan
    if constant:
        X[:, 0] = 1.0
    y = rng.integers(0, 3, n)
    for kind in CLASSIFIERS + REGRESSORS:
        model = few(kind).fit(X, y)
        assert np.isfinite(model.predict(X)).all()
        if kind in CLASSIFIERS:
            assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"criterion": "absolute_error"}, "medians cannot be added up"),
        ({"max_features": 99}, r"max_features must be in 1\.\.10"),
        ({"monotonic_cst": [1]}, "for each of the 10 columns"),
        ({"min_samples_leaf": 0}, "min_samples_leaf"),
        ({"max_samples": 10_000}, r"max_samples must be in 1\.\.442"),
        ({"oob_score": True, "bootstrap": False}, "oob_score needs bootstrap=True"),
        ({"max_bins": 256}, "max_bins"),
        ({"n_jobs": 0}, r"'n_jobs' parameter .* Got 0"),
    ],
)
def test_bad_parameters_are_named(params, message):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        RandomForestRegressor(2, **params).fit(X, y)


def test_a_limit_of_leaves_beyond_the_rows_is_none():
    X, y = load_diabetes(return_X_y=True)
    found = [DecisionTreeRegressor(max_leaf_nodes=most, random_state=0).fit(X, y) for most in (442, 10**12)]
    assert_array_equal(found[0].predict(X), found[1].predict(X))
    assert found[1].get_n_leaves() > 400


def test_bad_targets_are_named():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="needs y >= 0"):
        RandomForestRegressor(2, criterion="poisson").fit(X, y - 200)
    with pytest.raises(ValueError, match="needs two classes"):
        DecisionTreeClassifier(monotonic_cst=[1] * 10).fit(X, y // 100)


def test_a_class_weight_is_a_weight_of_its_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.integers(0, 2, 300)
    a = DecisionTreeClassifier(class_weight={0: 1, 1: 3}, max_depth=4, random_state=0).fit(X, y)
    b = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y, sample_weight=1 + 2 * y)
    assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given_weight in ("balanced", "balanced_subsample"):
            assert few(RandomForestClassifier, class_weight=given_weight).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("room", [1 << 26, 50_000, 0])
@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesRegressor])
def test_a_grid_that_shares_its_draws_equals_one_fit_at_a_time(kind, room, monkeypatch):
    monkeypatch.setattr(forest_fit, "KEPT", room)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(int) + (X[:, 1] > 1)
    criterion = "entropy" if kind is RandomForestClassifier else "poisson"
    candidates = [
        {"min_samples_leaf": 1, "max_depth": 3},
        {"min_samples_leaf": 5},
        {"max_features": 2, "n_estimators": 3},
        {"max_samples": 0.5, "bootstrap": True},
        {"min_samples_leaf": 2, "max_samples": 0.5, "bootstrap": True},
        {"criterion": criterion},
        {"criterion": criterion, "ccp_alpha": 0.01},
        {"random_state": 7, "max_leaf_nodes": 6},
    ]
    model, rows = few(kind), np.arange(200)
    folds = [(rows[:140], rows[140:]), (rows[60:], rows[:60])]
    found = model.score_many(X, y, candidates, folds, None)
    alone = [
        [kind(**model.get_params() | own).fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds]
        for own in candidates
    ]
    assert_array_equal(found, alone)
