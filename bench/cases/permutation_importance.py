"""Importance of 30 raw columns, 10 shuffles each, 2000 rows, logistic pipeline; equal: the same losses.

Ours makes the features once and finds standard errors over rows besides.
"""

import numpy as np
import polars as pl
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ml_core.features.columns import Columns
from ml_core.measure.asking import asked
from ml_core.measure.importance import importance, judge_of

FLOOR, GOAL = 3.0, 5.0
REPEATS = 10


def data(n=2000):
    rng = np.random.default_rng(0)
    X = pl.DataFrame(
        {f"x{k}": rng.normal(size=n) for k in range(24)}
        | {f"c{k}": rng.choice(list("abcdef"), n).tolist() for k in range(6)}
    )
    y = (X["x0"].to_numpy() + X["x1"].to_numpy() + rng.normal(size=n) > 0).astype(int)
    return make_pipeline(Columns(), LogisticRegression()).fit(X, y), X, X.to_pandas(), y


def ours(data):
    model, X, _, y = data
    ask = asked(model, X, "binary", [0, 1])
    _, judge = judge_of("binary", y, ask.names)
    _, found = importance(ask, judge, _their_shuffles(len(X)), seed=0)
    return np.array([found[name]["repeats"] for name in X.columns])


def scikit_learn(data):
    model, _, X, y = data
    return permutation_importance(
        model, X, y, scoring="roc_auc", n_repeats=REPEATS, random_state=0
    ).importances


def _their_shuffles(n):
    """scikit-learn shuffles each column anew by the same draws, what it has shuffled before."""
    rng = np.random.RandomState(np.random.RandomState(0).randint(np.iinfo(np.int32).max + 1))
    order, found = np.arange(n), [np.arange(n)]
    for _ in range(REPEATS):
        rng.shuffle(order)
        found.append(found[-1][order])
    return np.array(found[1:])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.allclose(mine, theirs, rtol=0, atol=1e-9)
