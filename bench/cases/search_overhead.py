"""What the search itself costs a trial: 300 candidates x 5 folds of a model whose fit does nothing.

Ours keeps its journal on disk; Optuna keeps its study in memory and takes the mean of five fits, as its
users write it. Equal: as many finished trials, and ours under 1 ms of CPU for each.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV, KFold

FLOOR = {"GridSearchCV": 1.5, "Optuna in memory": 1.0}
GOAL = {"GridSearchCV": 3.0, "Optuna in memory": 1.5}
SHORT = {"trials": 100}
MOST = 1e-3  # seconds a trial


class Nothing(ClassifierMixin, BaseEstimator):
    """Learns nothing."""

    def __init__(self, a=0.0):
        self.a = a

    def fit(self, X, y):
        """Two classes, whatever X and y are."""
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        """Always the first."""
        return np.zeros(len(X), int)


def constant(model, X, y):
    return model.a


def data(trials=300):
    X = np.zeros((20, 2))
    return X, np.resize([0, 1], 20), list(KFold(5).split(X)), trials


def ours(data):
    from ml_core.features.passthrough import Passthrough
    from ml_core.search import engine
    from ml_core.search.grid import Grid
    from ml_core.search.journal import opened
    from ml_core.search.local import Local
    from ml_core.search.problem import Problem
    from ml_core.search.space import parse

    X, y, folds, trials = data
    frame = pl.DataFrame(X, schema=["a", "b"])
    problem = Problem(frame, y, Passthrough(), Nothing(), folds, constant)
    space = parse({"a": np.linspace(0, 1, trials).tolist()})
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), {}) as journal:
        began = time.process_time()
        found = engine.search(problem, space, Grid(most=trials), Local(1), journal)
        seconds = time.process_time() - began
    return len(found.candidates), seconds / trials


def optuna_in_memory(data):
    import optuna

    X, y, folds, trials = data
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        model, scores = Nothing(trial.suggest_float("a", 0.0, 1.0)), []
        for train, test in folds:
            scores.append(constant(clone(model).fit(X[train], y[train]), X[test], y[test]))
        return float(np.mean(scores))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=trials)
    return len(study.trials), 0.0


def grid_search(data):
    X, y, folds, trials = data
    grid = {"a": np.linspace(0, 1, trials).tolist()}
    found = GridSearchCV(Nothing(), grid, cv=folds, scoring=constant, refit=False).fit(X, y)
    return len(found.cv_results_["params"]), 0.0


RIVALS = {"GridSearchCV": grid_search, "Optuna in memory": optuna_in_memory}


def equal(mine, theirs, data):
    return mine[0] == theirs[0] and mine[1] <= MOST
