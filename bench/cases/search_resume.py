"""A search of 1,000 trials x 5 folds that was killed at its end, taken up again: nothing is left to fit.

The rival does the fits anew, as a search without a journal must. Equal: the scores, bit for bit, and the
1,000 trials are there within 1 s of CPU.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

FLOOR, GOAL = 2.0, 5.0
SHORT = {"trials": 200}
MOST = 1.0  # seconds


def data(trials=1000):
    from ml_core.search.journal import Journal, opened

    folder = tempfile.TemporaryDirectory()
    with opened(Path(folder.name), {}) as journal:
        _search(trials, journal)
    return folder, trials, Journal


def _search(trials, journal):
    from ml_core.features.passthrough import Passthrough
    from ml_core.search import engine
    from ml_core.search.folds import Folds
    from ml_core.search.problem import Problem
    from ml_core.search.random import Random
    from ml_core.search.space import parse

    X, y = load_diabetes(return_X_y=True)
    frame = pl.DataFrame({f"x{j}": column for j, column in enumerate(X.T)})
    problem = Problem(frame, y, Passthrough(), Ridge(), Folds("kfold", 5).pairs(len(y)), "r2")
    space = parse({"alpha": {"low": 1e-4, "high": 1e4, "log": True}})
    return engine.search(problem, space, Random(trials), record=journal).scores


def ours(data):
    from ml_core.search.journal import opened

    folder, trials, _ = data
    began = time.process_time()
    with opened(Path(folder.name), {}) as journal:
        scores = _search(trials, journal)
    return scores, time.process_time() - began


def from_scratch(data):
    return _search(data[1], data[2]()), 0.0


RIVALS = {"the fits anew": from_scratch}


def equal(mine, theirs, data):
    return np.array_equal(mine[0], theirs[0]) and mine[1] <= MOST
