"""The census and abalone tables: what other families learn from them is scikit-learn's.

Linear, logistic, neighbours and k-means meet them in files of their own.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model, naive_bayes, svm

from ml_core.models import bayes, bayes_counts, lasso, linear_svm
from ml_core.models import svm as machines

TABLES = Path(__file__).parents[3] / "shared/data"
needs_tables = pytest.mark.skipif(not TABLES.exists(), reason=f"needs the tables of {TABLES}")


def census(rows):
    """Numbers of the first rows, and who earns more."""
    import polars as pl

    frame = pl.read_csv(TABLES / "adult.csv", infer_schema_length=None, null_values="?").head(rows)
    y = frame[:, -1].to_numpy()
    return frame.select(pl.selectors.numeric()).to_numpy().astype(np.float64), y == y.max()


def abalone():
    """Measures and rings."""
    cells = np.genfromtxt(TABLES / "abalone.csv", delimiter=",", skip_header=1, usecols=range(1, 9))
    return cells[:, :7], cells[:, 7]


@needs_tables
def test_naive_bayes_of_the_census():
    X, y = census(10**6)
    ours, theirs = (kind().fit(X, y) for kind in (bayes.GaussianNB, naive_bayes.GaussianNB))
    assert_allclose((ours.theta_ - theirs.theta_) / X.std(axis=0), 0, atol=1e-12)
    assert_allclose(ours.var_, theirs.var_, rtol=1e-9)
    assert (ours.predict(X) == theirs.predict(X)).all()
    ours, theirs = (kind().fit(X, y) for kind in (bayes_counts.MultinomialNB, naive_bayes.MultinomialNB))
    assert_allclose(ours.feature_log_prob_, theirs.feature_log_prob_, rtol=1e-12)


@needs_tables
@pytest.mark.parametrize("alpha", [1e-3, 0.05, 1.0])
def test_lasso_of_abalone_is_no_worse_than_scikit_learns(alpha):
    X, y = abalone()
    X = (X - X.mean(axis=0)) / X.std(axis=0)

    def objective(model):
        return ((y - model.predict(X)) ** 2).mean() / 2 + alpha * np.abs(model.coef_).sum()

    ours, theirs = (kind(alpha).fit(X, y) for kind in (lasso.Lasso, linear_model.Lasso))
    assert objective(ours) <= objective(theirs) * (1 + 1e-12)
    assert_allclose(ours.predict(X), linear_model.Lasso(alpha, tol=1e-12).fit(X, y).predict(X), atol=1e-5)


@needs_tables
def test_machines_of_the_census_are_no_worse_than_scikit_learns():
    X, y = census(500)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    sign = np.where(y, 1.0, -1.0)

    def objective(model):
        line = np.append(model.coef_, model.intercept_)
        return line @ line / 2 + (np.maximum(1 - sign * model.decision_function(X), 0) ** 2).sum()

    ours, theirs = (kind(tol=1e-6).fit(X, y) for kind in (linear_svm.LinearSVC, svm.LinearSVC))
    assert objective(ours) <= objective(theirs) * (1 + 1e-9)
    ours, theirs = (kind(tol=1e-5).fit(X, y) for kind in (machines.SVC, svm.SVC))
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-3)
