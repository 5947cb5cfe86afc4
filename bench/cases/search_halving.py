"""Halving against the whole grid, on five tables with the grid of a model each: how far below is its pick?

Equal: on every table the mean score of what halving picked, on all rows and folds, is within one standard
error of the mean of the best. The figures are how many errors it is below, and the rows that were fitted.
"""

import numpy as np
from search_bayes import adult

SHORT, MEMORY = {"rows": 600}, None
SPAN = {"low": 1e-2, "high": 1e3, "log": True}
TREE = {"max_depth": [1, 2, 3, 5, 8, 12], "min_samples_leaf": [1, 3, 10, 30, 100]}
POINTS = 6


def data(rows=6000):
    """{table: (Problem, Space)}: tables of so many rows at most."""
    from sklearn import datasets
    from sklearn.preprocessing import FunctionTransformer, scale

    from ml_core.models.lasso import Lasso
    from ml_core.models.neighbors import KNeighborsClassifier
    from ml_core.models.svm import SVC
    from ml_core.models.tree import DecisionTreeClassifier
    from ml_core.search.folds import Folds
    from ml_core.search.problem import Problem
    from ml_core.search.space import parse

    svm = {"C": SPAN, "gamma": {"low": 1e-4, "high": 1.0, "log": True}}
    near = {"n_neighbors": [1, 2, 3, 5, 9, 15, 25, 40], "weights": ["uniform", "distance"]}
    found = {}
    for name, load, estimator, axes, metric in (
        ("breast_cancer", datasets.load_breast_cancer, SVC(), svm, "roc_auc"),
        ("digits", datasets.load_digits, SVC(), svm, "accuracy"),
        ("wine", datasets.load_wine, KNeighborsClassifier(), near, "accuracy"),
        ("diabetes", datasets.load_diabetes, Lasso(), {"alpha": {**SPAN, "low": 1e-3}}, "r2"),
        ("adult", lambda return_X_y: adult(rows), DecisionTreeClassifier(random_state=0), TREE, "roc_auc"),
    ):
        X, y = load(return_X_y=True)
        chosen = np.random.default_rng(0).permutation(len(y))[:rows]
        X, y = scale(X[chosen]), y[chosen]
        folds = Folds(n=5).pairs(len(y), y, "regression" if metric == "r2" else "classification")
        found[name] = Problem(X, y, FunctionTransformer(), estimator, folds, metric), parse(axes)
    return found


def _searched(data, strategy):
    """{table: (fold scores of the pick (5,), rows that were fitted)}."""
    from ml_core.search import engine

    found = {}
    for name, (problem, space) in data.items():
        trials = engine.search(problem, space, strategy)
        rows = sum(len(train) for train, _ in problem.folds) * float(trials.shares.sum())
        found[name] = trials.scores[trials.best], rows
    return found


def ours(data):
    from ml_core.search.halving import Halving

    # the smallest tables have 140 training rows a fold
    return _searched(data, Halving(tries=100, points=POINTS, least=40))


def whole_grid(data):
    from ml_core.search.grid import Grid

    return _searched(data, Grid(points=POINTS))


RIVALS = {"the whole grid": whole_grid}


def below(mine, theirs):
    """{table: standard errors by which halving's pick is below the grid's best}."""
    found = {}
    for name, (scores, _) in theirs.items():
        error = scores.std(ddof=1) / np.sqrt(len(scores))
        found[name] = float((scores.mean() - mine[name][0].mean()) / error)
    return found


def figures(mine, theirs, data):
    """The text for docs/numbers.md."""
    short = ", ".join(f"{name} {errors:.2f}" for name, errors in below(mine, theirs).items())
    rows = sum(one for _, one in mine.values()) / sum(one for _, one in theirs.values())
    return f"{short} errors below, with {rows:.0%} of the rows"


def equal(mine, theirs, data):
    return max(below(mine, theirs).values()) <= 1
