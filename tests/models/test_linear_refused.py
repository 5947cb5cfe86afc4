"""What the linear models refuse: parameters, weights, rows and cells."""

import numpy as np
import pytest
from sklearn.base import clone

from ml_core.models.linear import LinearRegression, Ridge, RidgeClassifier

X2, Y2 = np.eye(4), np.arange(4.0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Ridge(alpha=-1), r"'alpha' parameter of Ridge .*\[0\.0, inf\).*Got -1"),
        (Ridge(alpha=[1.0, 2.0]), "alpha has 2 values, but must be one number or one for each of 1 targets"),
        (Ridge(alpha=[-1.0]), "alpha must be >= 0"),
        (Ridge(solver="sag"), "'solver' parameter of Ridge must be a str among .* Got 'sag'"),
        (Ridge(solver="lbfgs"), "set positive=True"),
        (Ridge(solver="svd", positive=True), "solver='svd' keeps no coefficients positive"),
        (LinearRegression(tol=-1), "'tol' parameter of LinearRegression"),
        (RidgeClassifier(), "y holds one class only, 0.0"),
    ],
)
def test_bad_parameters_are_named_with_what_is_allowed(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X2, np.zeros(4) if isinstance(model, RidgeClassifier) else Y2)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, -2, 1], "sample_weight must be >= 0, got -2 in row 2"),
        ([0, 0, 0, 0], "zero"),
        ([1, 1], "shape"),
    ],
)
def test_bad_weights(weight, message):
    for model in (Ridge(), LinearRegression()):
        with pytest.raises(ValueError, match=message):
            model.fit(X2, Y2, weight)


def test_bad_rows():
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="Input X contains"):
            Ridge().fit(np.where(X2 == 1, bad, X2), Y2)
    with pytest.raises(ValueError, match="expecting 4 features"):
        Ridge().fit(X2, Y2).predict(X2[:, :2])
    assert np.isfinite(LinearRegression().fit(X2 * 1e200, Y2).predict(X2 * 1e200)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    "model", [LinearRegression(), Ridge(), Ridge(solver="svd"), RidgeClassifier()], ids=str
)
def test_bad_cells_are_named_as_scikit_learn_names_them(model, bad):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    fitted, spoilt = clone(model).fit(X, y), X.copy()
    spoilt[5, 1] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        model.fit(spoilt, y)
    fitted.coef_ = np.zeros_like(fitted.coef_)
    with pytest.raises(ValueError, match="Input X contains"):
        fitted.predict(spoilt)
