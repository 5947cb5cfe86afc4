"""Problems on tables of scikit-learn, and a model that counts how it is asked."""

import warnings

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import Ridge

from ml_core.features.columns import Columns
from ml_core.search import engine
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.problem import Problem
from ml_core.search.space import parse


class Many(Ridge):
    """Ridge with a score_many that counts its calls; ``broken`` says how it fails."""

    calls = []

    def __init__(self, alpha=1.0, broken=None):
        super().__init__(alpha=alpha)
        self.broken = broken

    def fit(self, X, y):
        if self.alpha == 13:
            raise ValueError("alpha is unlucky")
        return super().fit(X, y)

    def score_many(self, X, y, candidates, folds, scorer):
        Many.calls.append((len(candidates), len(folds)))
        if self.broken:
            raise RuntimeError("cannot")
        scores = np.full((len(candidates), len(folds)), np.nan)
        for i, candidate in enumerate(candidates):
            for j, (train, test) in enumerate(folds):
                if candidate.get("alpha") != 13:
                    one = Ridge(**candidate).fit(X[train], y[train])
                    scores[i, j] = one.score(X[test], y[test])
        return scores


class Sleepy(RegressorMixin, BaseEstimator):
    """Scores what it is told; warns."""

    def __init__(self, value=0.0):
        self.value = value

    def fit(self, X, y):
        warnings.warn("tired", UserWarning, stacklevel=1)
        return self

    def score(self, X, y):
        return self.value


def frame_of(X):
    return pl.DataFrame({f"x{j}": X[:, j] for j in range(X.shape[1])})


def regression(estimator, features=None, n=120):
    X, y = load_diabetes(return_X_y=True)
    X, y = frame_of(X[:n]), y[:n]
    return Problem(X, y, features or Columns(), estimator, Folds("kfold", 3).pairs(n), "r2")


def classification(estimator, n=150, scorer="roc_auc"):
    X, y = load_breast_cancer(return_X_y=True)
    X, y = frame_of(X[:n, :6]), np.array(["bad", "good"], dtype=object)[y[:n]]
    pairs = Folds(n=3).pairs(n, y, "classification")
    return Problem(X, y, Columns(), estimator, pairs, scorer)


def search(problem, space, **more):
    return engine.search(problem, parse(space), Grid(5), **more)


class Counting(TransformerMixin, BaseEstimator):
    """Remembers which rows it was fitted on."""

    seen = []

    def fit(self, X, y=None):
        Counting.seen.append(X["row"].to_list())
        return self

    def transform(self, X):
        return X.to_numpy().astype(float)
