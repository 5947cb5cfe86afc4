"""The whole step `search`, features included: 60 C x 5 folds of logistic regression on mixed columns.

The rival is GridSearchCV over a Pipeline of the same features and scikit-learn's model, as people write it.
Equal: mean AUCs within 0.0005 of the rival's, and within 0.000001 of those at the exact minima, which are
found by Newton's method down to slopes of 1e-10 for every tenth C and the one with our best. (The rival's
L-BFGS stops at slopes of 1e-4, some pairs of rows beside the minimum: its best may be too high by chance.)
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

FLOOR, GOAL = 10, 20
SHORT = {"n": 2000}
STRENGTHS = np.geomspace(1e-3, 1e3, 60).tolist()


def data(n=20_000):
    """Six numbers with gaps, four columns of levels; what decides is spread over both."""
    from ml_core.data.table import ROW, Table

    rng = np.random.default_rng(0)
    X, levels = rng.normal(size=(n, 6)), rng.integers(12, size=(n, 4))
    level = X @ rng.normal(size=6) / 2 + rng.normal(size=(4, 12))[np.arange(4), levels].sum(axis=1)
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-level)), "yes", "no")
    X[rng.random(X.shape) < 0.05] = np.nan
    columns = {f"x{j}": X[:, j] for j in range(6)} | {f"l{j}": levels[:, j].astype(str) for j in range(4)}
    frame = pl.DataFrame(columns).with_columns(pl.col("^x.*$").fill_nan(None), y=pl.Series(y))
    frame = frame.with_columns(pl.Series(ROW, np.arange(n, dtype=np.uint64)))
    kinds = {name: "numeric" if name[0] == "x" else "categorical" for name in columns}
    folder = tempfile.TemporaryDirectory()
    place = Path(folder.name) / "out" / "prepare"
    place.mkdir(parents=True)
    frame.write_parquet(place / "train.parquet")
    Table(frame.lazy(), "y", "classification", kinds, classes=["no", "yes"]).describe(place)
    return folder, frame, kinds, y


def ours(data):
    from ml_core.features.columns import Columns
    from ml_core.models.logistic import LogisticRegression as Ours
    from ml_core.search.folds import Folds
    from ml_core.search.grid import Grid
    from ml_core.search.settings import Settings
    from ml_core.steps.search import search

    before = Path.cwd()
    os.chdir(data[0].name)
    try:
        with tempfile.TemporaryDirectory(dir="out") as out:
            model = {"estimator": {"classification": Ours()}, "space": {"C": STRENGTHS}}
            search(Path(out), Columns(), model, Settings(Grid(), Folds(n=5)))
            trials = json.loads((Path(out) / "trials.json").read_text())["trials"]
    finally:
        os.chdir(before)
    return [trial["mean"] for trial in trials]


def grid_search(data):
    from ml_core.features.columns import Columns

    _, frame, kinds, y = data
    whole = Pipeline([("features", Columns(kinds=kinds)), ("model", LogisticRegression(max_iter=1000))])
    search = GridSearchCV(
        whole,
        {"model__C": STRENGTHS},
        cv=list(StratifiedKFold(5, shuffle=True, random_state=0).split(np.zeros(len(y)), y)),
        scoring="roc_auc",
        refit=False,
        n_jobs=int(os.environ["OMP_NUM_THREADS"]),
    ).fit(frame.select(list(kinds)), y)
    return search.cv_results_["mean_test_score"].tolist()


RIVALS = {"GridSearchCV over a Pipeline": grid_search}


def equal(mine, theirs, data):
    mine, theirs = np.array(mine), np.array(theirs)
    looked = np.union1d(np.arange(0, len(mine), 10), [mine.argmax()])
    return np.abs(mine - theirs).max() < 5e-4 and np.abs(mine[looked] - _exact(data, looked)).max() < 1e-6


def _exact(data, looked):
    """Mean AUCs of the exact minima for some of STRENGTHS."""
    from sklearn.metrics import roc_auc_score

    from ml_core.features.columns import Columns

    _, frame, kinds, y = data
    X, found = frame.select(list(kinds)), []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        features = Columns(kinds=kinds)
        rows, held = features.fit_transform(X[train]), features.transform(X[test])
        for place in looked:
            model = LogisticRegression(
                C=STRENGTHS[place], solver="newton-cholesky", tol=1e-10, max_iter=1000
            ).fit(rows, y[train])
            found.append(roc_auc_score(y[test], model.decision_function(held)))
    return np.reshape(found, (5, -1)).mean(axis=0)
