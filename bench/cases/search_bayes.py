"""In how many candidates Bayes reaches the best of 60 draws: five tables, ten seeds.

Equal: on every table, the median over the seeds is 30 candidates at most, half as many as were drawn.
"""

from pathlib import Path

import numpy as np

SHORT, MEMORY = {"rows": 150, "seeds": 3}, None
DRAWS = 60
ADULT = Path(__file__).parents[2].parent / "shared/data/adult.csv"


def data(rows=300, seeds=10):
    """({table: (Problem, Space)}, seeds): tables of so many rows at most."""
    from sklearn import datasets
    from sklearn.preprocessing import FunctionTransformer, scale

    from ml_core.models.lasso import ElasticNet
    from ml_core.models.svm import SVC
    from ml_core.search.folds import Folds
    from ml_core.search.problem import Problem
    from ml_core.search.space import parse

    svm = {"C": {"low": 1e-2, "high": 1e3, "log": True}, "gamma": {"low": 1e-4, "high": 10.0, "log": True}}
    net = {"alpha": {"low": 1e-4, "high": 10.0, "log": True}, "l1_ratio": {"low": 0.05, "high": 1.0}}
    found = {}
    for name, load, estimator, axes, metric in (
        ("breast_cancer", datasets.load_breast_cancer, SVC(), svm, "roc_auc"),
        ("digits", datasets.load_digits, SVC(), svm, "accuracy"),
        ("wine", datasets.load_wine, SVC(), svm, "accuracy"),
        ("diabetes", datasets.load_diabetes, ElasticNet(), net, "r2"),
        ("adult", lambda return_X_y: adult(2000), SVC(), svm, "roc_auc"),
    ):
        X, y = load(return_X_y=True)
        chosen = np.random.default_rng(0).permutation(len(y))[:rows]
        X, y = scale(X[chosen]), y[chosen]
        folds = Folds(n=5).pairs(len(y), y, "regression" if metric == "r2" else "classification")
        found[name] = Problem(X, y, FunctionTransformer(), estimator, folds, metric), parse(axes)
    return found, seeds


def adult(rows):
    """The census's six columns of numbers, so many rows of the table that lies beside the checkout."""
    import polars as pl

    table = pl.read_csv(ADULT, null_values=["?", " ?"]).sample(rows, seed=0)
    y = table["income"].str.contains(">50K").to_numpy().astype(int)
    return table.select(pl.selectors.numeric()).to_numpy().astype(float), y


def _curves(data, strategy):
    """{table: (seeds, candidates) best mean so far}."""
    from ml_core.search import engine

    made, seeds = data
    return {
        name: np.array(
            [
                np.maximum.accumulate(engine.search(problem, space, strategy(seed)).mean)
                for seed in range(seeds)
            ]
        )
        for name, (problem, space) in made.items()
    }


def ours(data):
    from ml_core.search.bayes import Bayes

    return _curves(data, lambda seed: Bayes(DRAWS // 2, seed=seed))


def draws(data):
    from ml_core.search.random import Random

    return _curves(data, lambda seed: Random(DRAWS, seed=seed))


RIVALS = {"60 draws": draws}


def needed(mine, theirs):
    """{table: median over the seeds of the candidates after which Bayes has the draws' best}; inf: never."""
    found = {}
    for name, curves in mine.items():
        reached = curves >= theirs[name][:, -1:]
        when = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
        found[name] = float(np.median(when))
    return found


def figures(mine, theirs, data):
    """The text for docs/numbers.md."""
    return ", ".join(f"{name} {count:g}" for name, count in needed(mine, theirs).items()) + " candidates"


def equal(mine, theirs, data):
    return max(needed(mine, theirs).values()) <= DRAWS / 2
