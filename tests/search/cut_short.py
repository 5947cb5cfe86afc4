"""A small search whose fits are counted and may be cut short, as a kill would."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from ml_core.features.passthrough import Passthrough
from ml_core.search import engine
from ml_core.search.folds import Folds
from ml_core.search.problem import Problem
from ml_core.search.random import Random
from ml_core.search.space import parse

SPACE = parse({"alpha": {"low": 0.01, "high": 100.0, "log": True}})
SPREAD = Random(12, seed=3)


class Counting(Ridge):
    """Counts its fits; stops the search at one of them, as a kill would."""

    fits, until = [], None

    def fit(self, X, y):
        Counting.fits.append((self.alpha, len(X)))
        if Counting.until is not None and len(Counting.fits) > Counting.until:
            raise KeyboardInterrupt
        if self.alpha < 0.02:
            raise ValueError("too little")
        return super().fit(X, y)


@pytest.fixture(autouse=True)
def forgotten():
    Counting.fits.clear()
    Counting.until = None
    yield
    Counting.until = None


def problem(estimator, n=60):
    X, y = load_diabetes(return_X_y=True)
    X = pl.DataFrame({f"x{j}": column for j, column in enumerate(X[:n].T)})
    return Problem(X, y[:n], Passthrough(), estimator, Folds("kfold", 3).pairs(n), "r2")


def look(estimator, journal=None, strategy=SPREAD, budget=None):
    Counting.fits.clear()
    return engine.search(problem(estimator), SPACE, strategy, record=journal, budget=budget)


def same(one, other):
    assert np.isfinite(one.scores).any()
    assert one.candidates == other.candidates and one.errors == other.errors
    assert_array_equal(one.scores, other.scores)
