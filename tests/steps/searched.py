"""The step `search` run on a small table."""

import json

import pytest
from laid_down import mixed, prepare
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from ml_core.features.columns import Columns
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.settings import Settings
from ml_core.steps.search import search

LOGISTIC = {
    "estimator": {"classification": LogisticRegression(), "regression": Ridge()},
    "space": {"C": [0.01, 1.0]},
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Journals lie under the folder a step runs in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def out(tmp_path):
    frame, kinds = mixed()
    prepare(tmp_path, frame, "income", "classification", kinds)
    return fresh(tmp_path)


def fresh(work, name=".search"):
    (work / name).mkdir()
    return work / name


def run(out, model=None, features=None, strategy=None, folds=None, scoring="auto"):
    settings = Settings(strategy or Grid(3), folds or Folds(n=3), scoring)
    return search(out, features or Columns(), model or LOGISTIC, settings)


TREE = {"estimator": DecisionTreeClassifier(random_state=0), "space": {"max_depth": [1, 2, 3, 5, 9]}}


def settled(out, model=TREE, **more):
    """A run with settings beyond strategy and folds; best.json, trials.json and the outcome."""
    settings = Settings(**({"strategy": Grid(3), "folds": Folds(n=3)} | more))
    outcome = search(out, Columns(), model, settings)
    return json.loads((out / "best.json").read_text()), json.loads((out / "trials.json").read_text()), outcome
