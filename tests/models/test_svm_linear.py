"""LinearSVC and LinearSVR, which solve the primal."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn import svm as sklearn_svm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from toys import scaled

from ml_core.models.linear_svm import LinearSVC, LinearSVR


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    "options", [{}, {"C": 0.01, "intercept_scaling": 3.0}, {"class_weight": "balanced"}], ids=str
)
def test_linear_svc_objective_is_no_worse(load, loss, options):
    X, y = scaled(load)
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    weight[:9] = 0
    theirs = sklearn_svm.LinearSVC(loss=loss, tol=1e-8, max_iter=20_000, **options)
    with np.errstate(all="ignore"):
        theirs.fit(X, y, weight)
    for rows in (X, csr_matrix(X)):
        ours = LinearSVC(loss=loss, **options).fit(rows, y, weight)
        assert_allclose(ours.coef_, theirs.coef_, atol=2e-3)
        assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-3)
        assert_array_equal(ours.predict(rows), theirs.predict(X))


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_linear_svr_is_scikit_learns(loss):
    X, y = load_diabetes(return_X_y=True)
    X = 20 * X
    options = {"loss": loss, "epsilon": 5.0}
    ours = LinearSVR(**options).fit(X, y)
    theirs = sklearn_svm.LinearSVR(tol=1e-7, max_iter=1_000_000, random_state=0, **options).fit(X, y)

    def objective(model):
        over = np.maximum(np.abs(y - model.predict(X)) - 5.0, 0)
        power = 2 if loss.startswith("squared") else 1
        return (model.coef_ @ model.coef_ + model.intercept_.item() ** 2) / 2 + (over**power).sum()

    assert objective(ours) <= objective(theirs) * (1 + 1e-9)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-2)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-2)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-3)


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("shape", [(60, 400), (400, 60)])
def test_every_way_of_linear_svc_agrees(loss, shape, monkeypatch):
    from ml_core.models import linear_machine

    rng = np.random.default_rng(0)
    X = np.where(rng.uniform(size=shape) < 0.2, rng.normal(size=shape), 0)
    y = X @ rng.normal(size=shape[1]) > 0.1
    first = LinearSVC(loss=loss, tol=1e-6).fit(X, y)
    monkeypatch.setattr(linear_machine, "NARROW", 1)  # conjugate gradients, or sweeps over the dual
    for rows in (X, csr_matrix(X)):
        other = LinearSVC(loss=loss, tol=1e-6, max_iter=20_000, random_state=0).fit(rows, y)
        assert_allclose(first.coef_, other.coef_, atol=2e-3)


def test_weight_is_repetition_for_linear_svc():
    X, y = scaled(load_wine)
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    one = LinearSVC().fit(X, y, weight)
    two = LinearSVC().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(one.coef_, two.coef_, atol=1e-7)
