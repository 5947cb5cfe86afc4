"""LightGBM's models served to the bit, and our boosting as LightGBM's: raw sums, Shapley values, refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from ml_core.models import engine, file
from ml_core.models.boosting import GradientBoostingClassifier, GradientBoostingRegressor
from ml_core.models.forest import RandomForestRegressor
from ml_core.models.tree_lightgbm import from_lightgbm, to_lightgbm
from ml_core.models.tree_shap import shap_values

RNG = np.random.default_rng(0)


def rows(X):
    """Rows that were not fitted on, some cells lost."""
    Q = X[RNG.integers(0, len(X), 80)] + RNG.normal(size=(80, X.shape[1])) * X.std(axis=0)
    Q[RNG.random(Q.shape) < 0.1] = np.nan
    return Q


def as_lightgbm_lists(values, start):
    """Shapley values and what they start from, as ``pred_contrib=True`` lays them out."""
    if values.ndim == 2:
        return np.column_stack([values, np.full(len(values), start)])
    parts = [np.column_stack([values[:, :, k], np.full(len(values), start[k])]) for k in range(len(start))]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("objective", ["binary", "multiclass", "regression", "poisson"])
def test_lightgbm_sums_the_same_bits(objective, tmp_path):
    import lightgbm

    load = {"binary": load_breast_cancer, "multiclass": load_iris}.get(objective, load_diabetes)
    X, y = load(return_X_y=True)
    X[::9, 1] = np.nan
    more = {"num_class": 3} if objective == "multiclass" else {}
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, "seed": 0} | more
    model = lightgbm.train(settings, lightgbm.Dataset(X, y), 12)
    model.save_model(tmp_path / "model.txt")
    Q = rows(np.nan_to_num(X))
    for ours in (from_lightgbm(model), from_lightgbm(tmp_path / "model.txt")):
        told = as_lightgbm_lists(*shap_values(ours, Q))
        assert_allclose(told, model.predict(Q, pred_contrib=True), rtol=1e-9, atol=1e-9)
        if objective in ("binary", "multiclass"):
            assert_array_equal(ours.decision_function(Q), model.predict(Q, raw_score=True))
            share = ours.predict_proba(Q)
            assert_allclose(share[:, 1] if objective == "binary" else share, model.predict(Q), rtol=1e-12)
        else:
            assert_allclose(ours.predict(Q), model.predict(Q), rtol=0 if objective == "regression" else 1e-14)


def test_lightgbms_estimator_keeps_its_labels():
    import lightgbm

    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["bad", "good"])[y]
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(X, names)
    assert_array_equal(from_lightgbm(model).predict(X), model.predict(X))


def mixed(seed=0, lost=1.5):
    """X (400, 5) with gaps, columns of few and of many categories, one constant; y (400,), in which a missing
    category counts ``lost``, the others 0 or 1.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 5))
    X[:, 1], X[:, 3], X[:, 4] = rng.integers(0, 9, 400) * 7, rng.integers(0, 60, 400), 2.0
    X[rng.random(400) < 0.1, 0] = np.nan
    X[rng.random(400) < 0.2, 1] = np.nan
    effect = np.where(np.isnan(X[:, 1]), lost, np.isin(X[:, 1], (7, 28, 56)))
    return X, effect + np.nan_to_num(X[:, 0]) * X[:, 2] + 0.3 * (X[:, 3] % 3)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        *((GradientBoostingRegressor(loss), lambda y: y) for loss in ("squared_error", "huber")),
        *((GradientBoostingRegressor(loss), lambda y: np.exp(y) + 1) for loss in ("poisson", "gamma")),
        (GradientBoostingRegressor("quantile", quantile=0.7), lambda y: y),
        (GradientBoostingClassifier(), lambda y: y > 0.6),
        (GradientBoostingClassifier(subsample=0.7), lambda y: np.digitize(y, [0, 1])),
        (GradientBoostingClassifier(min_samples_leaf=300), lambda y: y > 0.6),
    ],
)
def test_ours_is_lightgbms_to_the_bit(model, target):
    X, y = mixed()
    chosen = {"categorical_features": [1, 3], "min_data_per_group": 8, "max_iter": 12, "random_state": 0}
    model.set_params(**chosen).fit(X, target(y))
    theirs, Q = to_lightgbm(model), mixed(1)[0]
    Q[::5, 1] = 64  # unknown
    raw = model.decision_function(Q) if hasattr(model, "classes_") else model.predict(Q)
    if model.get_params().get("loss") in ("poisson", "gamma"):
        assert_allclose(theirs.predict(Q), raw, rtol=1e-13)
    else:
        assert_array_equal(theirs.predict(Q, raw_score=True), raw)
    assert_allclose(
        as_lightgbm_lists(*shap_values(model, Q)), theirs.predict(Q, pred_contrib=True), atol=1e-12
    )


@pytest.mark.parametrize("lost", [0.5, 1.5])
def test_a_set_may_hold_missing_values_or_not(lost):
    X, y = mixed(lost=lost)
    model = GradientBoostingRegressor(categorical_features=[1], min_data_per_group=8, max_iter=4).fit(X, y)
    trees = model._ensemble.trees
    sets, missing = trees.sets[trees.set_of[trees.set_of >= 0]], np.uint64(model._ensemble.bins.counts[1])
    held = sets[:, 0] >> missing & np.uint64(1) == 1
    assert held.all() if lost == 1.5 else not held.all()  # LightGBM's hold them never
    Q = np.column_stack([np.zeros((10, 1)), [*range(0, 63, 7), np.nan], np.zeros((10, 3))])
    assert_array_equal(to_lightgbm(model).predict(Q), model.predict(Q))


def test_there_and_back_is_the_same_model(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    Q = rows(X)
    X[::7, 2] = np.nan
    model = GradientBoostingRegressor(max_iter=10).fit(X, y)
    to_lightgbm(model).save_model(tmp_path / "model.txt")
    assert_array_equal(from_lightgbm(tmp_path / "model.txt").predict(Q), model.predict(Q))


@pytest.mark.parametrize("plain", [True, False])
def test_lightgbms_categories_are_served_to_the_bit(plain, monkeypatch):
    import lightgbm

    X, y = mixed()
    settings = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_per_group": 8}
    theirs = lightgbm.train(settings, lightgbm.Dataset(X, y, categorical_feature=[1]), 12)
    ours, Q = from_lightgbm(theirs), mixed(1)[0]
    assert ours._ensemble.categorical == (1,)
    Q[::5, 1], Q[1::5, 1], Q[2::5, 1], Q[3::5, 1] = 64, -3, 1e9, 28.7
    if plain:
        raw = np.zeros((len(Q), 1))
        ours._ensemble._add_plainly(Q, raw)
        assert_array_equal(raw[:, 0], theirs.predict(Q))
        return
    monkeypatch.setattr(engine, "patience", lambda kernel, seconds=-1: seconds)
    assert_array_equal(ours.predict(Q), theirs.predict(Q))
    assert_array_equal(file.loads(file.dumps(ours)).predict(Q), theirs.predict(Q))
    assert_allclose(
        as_lightgbm_lists(*shap_values(ours, Q)), theirs.predict(Q, pred_contrib=True), atol=1e-12
    )


def test_categories_that_codes_cannot_hold_are_refused():
    import lightgbm
    import pandas

    X, y = mixed()
    settings = {"objective": "regression", "verbose": -1, "min_data_per_group": 8}
    X[:, 1] += 250
    large = lightgbm.train(settings, lightgbm.Dataset(X, y, categorical_feature=[1]), 3)
    with pytest.raises(ValueError, match=r"category \d+ cannot be imported: numbers up to 254 can"):
        from_lightgbm(large)
    frame = pandas.DataFrame({"a": pandas.Categorical(np.where(y > 0.6, "yes", "no"))})
    with pytest.raises(ValueError, match="the model knows a frame's categories"):
        from_lightgbm(lightgbm.train(settings, lightgbm.Dataset(frame, y), 2))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no LightGBM model file"):
        from_lightgbm(tmp_path / "model.txt")


def test_what_lightgbm_cannot_hold_is_refused():
    import pandas

    X, y = mixed()
    with pytest.raises(TypeError, match="RandomForestRegressor cannot be exported"):
        to_lightgbm(RandomForestRegressor(2).fit(np.nan_to_num(X), y))
    X[:, 1] -= 7
    with pytest.raises(ValueError, match=r"the categories of column 1 are \[-7.*must be whole numbers >= 0"):
        to_lightgbm(GradientBoostingRegressor(max_iter=2, categorical_features=[1]).fit(X, y))
    frame = pandas.DataFrame({"a": X[:, 2], "b": np.where(y > 0.6, "yes", "no")})
    with pytest.raises(ValueError, match="b hold names, which LightGBM's file cannot"):
        to_lightgbm(GradientBoostingRegressor(max_iter=2).fit(frame, y))
