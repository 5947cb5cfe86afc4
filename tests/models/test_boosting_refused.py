"""What boosting refuses, and how it says so."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from toys import friedman

from ml_core.models.boosting import GradientBoostingClassifier, GradientBoostingRegressor

BOTH = (GradientBoostingClassifier, GradientBoostingRegressor)


def test_a_tampered_tree_is_refused_not_followed(tmp_path):
    from ml_core.models import file

    X, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(max_iter=3).fit(X, y)
    for name, value in (("left", 99), ("left", -1), ("column", 30), ("column", -1), ("output", 1)):
        broken = pickle.loads(pickle.dumps(model))
        getattr(broken._ensemble.trees, name)[0] = value
        file.save(broken, tmp_path / "model.skops")
        with pytest.raises(ValueError, match="points outside of itself"):
            file.load(tmp_path / "model.skops")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"learning_rate": 0}, r"'learning_rate' parameter .* in the range \(0.0, inf\). Got 0"),
        ({"max_iter": 0}, r"'max_iter' parameter .* in the range \[1, inf\). Got 0"),
        ({"max_leaf_nodes": 1}, r"'max_leaf_nodes' parameter .* in the range \[2, inf\) or None. Got 1"),
        ({"max_bins": 256}, r"'max_bins' parameter .* in the range \[2, 255\]. Got 256"),
        ({"subsample": 1.5}, r"'subsample' parameter .* in the range \(0.0, 1.0\]. Got 1.5"),
        ({"max_depth": "deep"}, "'max_depth' parameter .* Got 'deep'"),
        ({"early_stopping": "yes"}, "'early_stopping' parameter .* Got 'yes'"),
        ({"validation_fraction": 1.0, "early_stopping": True}, "'validation_fraction' parameter"),
        ({"interaction_cst": "some"}, "'interaction_cst' parameter .* Got 'some'"),
        ({"monotonic_cst": [1, 0]}, r"monotonic_cst has shape \(2,\), but must have shape \(6,\)"),
        ({"monotonic_cst": [2] * 6}, r"monotonic_cst must hold -1, 0 or 1 only, got \[2\]"),
        ({"monotonic_cst": [1] * 6, "categorical_features": [0]}, "must be 0 for categorical columns"),
        ({"categorical_features": [6]}, r"categorical_features has column 6, but must be in 0..5"),
        ({"categorical_features": ["x"]}, "categorical_features names 'x', but the columns are not named"),
        ({"categorical_features": [0.5]}, r"categorical_features has column 0.5, but must be in 0..5"),
        ({"categorical_features": [[0]]}, r"must be a mask, or a list of columns, got \[\[0\]\]"),
        ({"interaction_cst": [0, 1]}, r"interaction_cst must hold sets of columns.*, got \[0, 1\]"),
        ({"interaction_cst": [{0, 9}]}, r"interaction_cst has column 9, but must be in 0..5"),
        (
            {"validation_fraction": 60, "early_stopping": True},
            "validation_fraction=60 cannot be held out of 60 rows",
        ),
    ],
)
@pytest.mark.parametrize("model", BOTH)
def test_bad_parameters_are_named(model, chosen, message):
    X, y = friedman(60)
    with pytest.raises(ValueError, match=message):
        model(**chosen).fit(X, y > y.mean())


@pytest.mark.parametrize(
    ("chosen", "y", "message"),
    [
        ({"loss": "cubic"}, 1.0, "The 'loss' parameter .* Got 'cubic'"),
        ({"loss": "quantile"}, 1.0, r"quantile must be in \[0, 1\] for loss='quantile', got None"),
        ({"loss": "poisson"}, -1.0, "loss='poisson' needs y >= 0"),
        ({"loss": "gamma"}, 0.0, "loss='gamma' needs y > 0"),
    ],
)
def test_bad_targets_and_losses_are_named(chosen, y, message):
    with pytest.raises(ValueError, match=message):
        GradientBoostingRegressor(**chosen).fit(friedman(60)[0], np.full(60, y))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": 1}, "X_val and y_val must be given together"),
        ({"y_val": [0], "X_val": 1}, "X_val has 60 rows, but y_val has 1"),
        ({"y_val": np.full(60, np.nan), "X_val": 1}, "y_val must hold finite numbers"),
        ({"y_val": np.full(60, -1.0), "X_val": 1}, "loss='gamma' needs y_val > 0, got a minimum of -1"),
        ({"sample_weight_val": np.ones(60)}, "sample_weight_val is given without X_val and y_val"),
    ],
)
def test_bad_rows_to_stop_by_are_named(given, message):
    X, y = friedman(60)
    given = {name: X if name == "X_val" else value for name, value in given.items()}
    with pytest.raises(ValueError, match=message):
        GradientBoostingRegressor("gamma", max_iter=2).fit(X, y, **given)
