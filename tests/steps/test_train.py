import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from laid_down import mixed, prepare
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from ml_core.features.columns import Columns
from ml_core.models import file
from ml_core.steps.train import train

ROOT = Path(__file__).parents[2]
LOGISTIC = {"estimator": LogisticRegression(), "space": {"C": [1.0, 0.5]}}


def ready(work, params, target="income", task="classification"):
    frame, kinds = mixed()
    prepare(work, frame, target, task, kinds)
    (work / "search").mkdir()
    best = {"params": params, "metric": "roc_auc", "score": 0.9, "spread": 0.1, "trial": 0}
    (work / "search/best.json").write_text(json.dumps(best))
    (work / ".train").mkdir()
    return frame, work / ".train"


def test_one_pipeline_fitted_on_all_rows_with_the_best_parameters(tmp_path):
    frame, out = ready(tmp_path, {"C": 0.5})
    outcome = train(out, Columns(), LOGISTIC)
    assert (
        sorted(path.name for path in out.iterdir()) == ["model.json", "model.skops"] == sorted(outcome.files)
    )
    model = file.load(out / "model.skops")
    kinds = mixed()[1]
    twin = Pipeline([("f", Columns(kinds)), ("m", LogisticRegression(C=0.5, random_state=0))])
    twin.fit(frame, frame["income"].to_numpy())
    assert_array_equal(model.predict_proba(frame), twin.predict_proba(frame))
    assert set(model.predict(frame)) == {"<=50K", ">50K"}
    assert outcome.metrics == {"rows": 200, "features": len(twin["f"].get_feature_names_out())}


def test_model_json_says_what_it_is(tmp_path):
    _, out = ready(tmp_path, {"C": 0.5})
    train(out, Columns(), LOGISTIC)
    said = json.loads((out / "model.json").read_text())
    assert said["task"] == "classification" and said["target"] == "income"
    assert said["classes"] == ["<=50K", ">50K"]
    assert said["model"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert said["params"]["C"] == 0.5 and said["best"]["params"] == {"C": 0.5}
    assert said["features"]["class"] == "ml_core.features.columns.Columns"
    assert said["features"]["in"] == {"age": "numeric", "job": "categorical", "born": "date"}
    assert said["features"]["out"][:2] == ["age", "born.year"] and "job=smith" in said["features"]["out"]


def test_regression_and_clustering(tmp_path):
    frame, out = ready(tmp_path / "r", {"alpha": 2.0}, "price", "regression")
    train(out, Columns(), {"estimator": {"regression": Ridge()}})
    model = file.load(out / "model.skops")
    assert model["model"].alpha == 2.0 and model.predict(frame).dtype == float
    frame, out = ready(tmp_path / "c", {"n_clusters": 4}, None, "clustering")
    train(out, Columns(), {"estimator": KMeans(n_init=1)})
    assert set(file.load(out / "model.skops").predict(frame)) == {0, 1, 2, 3}
    assert json.loads((out / "model.json").read_text())["classes"] == []


def test_the_callers_objects_stay_as_they_were(tmp_path):
    _, out = ready(tmp_path, {"C": 0.5})
    features, estimator = Columns(), LogisticRegression()
    train(out, features, {"estimator": estimator})
    assert features.get_params() == Columns().get_params() and not hasattr(features, "columns_")
    assert estimator.C == 1.0 and not hasattr(estimator, "coef_") and clone(estimator)


def test_without_a_search_it_says_what_to_run(tmp_path):
    _, out = ready(tmp_path, {})
    (tmp_path / "search/best.json").unlink()
    with pytest.raises(FileNotFoundError, match="best.json: no best parameters; run `mlcore search` first"):
        train(out, Columns(), LOGISTIC)


def test_parameters_of_another_model_are_named(tmp_path):
    _, out = ready(tmp_path, {"alpha": 1.0})
    with pytest.raises(
        ValueError, match="best.json: params.alpha: LogisticRegression has no parameter 'alpha'"
    ):
        train(out, Columns(), LOGISTIC)


SCRIPT = """
import sys, hashlib
from pathlib import Path
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import *
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
import numpy as np, polars as pl
from ml_core.features.columns import Columns
from ml_core.search.folds import Folds
from ml_core.search.grid import Grid
from ml_core.search.settings import Settings
from ml_core.steps.search import search
from ml_core.steps import train as training
from ml_core.steps.train import train
from laid_down import prepare

training.MANY = 0       # whatever may have several threads has them

junk = [bytes(i) for i in range(int(sys.argv[2]) * 1000)]
tree = Columns(missing="keep", scale="none", categorical="ordinal")
models = {
    "logistic": (LogisticRegression(), {"C": [0.1, 1.0]}, Columns()),
    "forest": (RandomForestClassifier(8, n_jobs=-1), {"min_samples_leaf": [1, 3]}, tree),
    "boosting": (HistGradientBoostingClassifier(max_iter=10), {"learning_rate": [0.1, 0.2]}, tree),
    "kmeans": (KMeans(n_init=2), {"n_clusters": [2, 5]}, Columns()),
    "ridge": (Ridge(), {"alpha": [0.1, 1.0]}, Columns()),
    "knn": (KNeighborsClassifier(), {"n_neighbors": [3, 9]}, Columns()),
}
tables = {"ridge": ("regression", load_diabetes), "kmeans": ("clustering", load_breast_cancer)}
for name, (estimator, space, features) in models.items():
    task, load = tables.get(name, ("classification", load_breast_cancer))
    X, y = load(return_X_y=True)
    noise = np.random.default_rng(0).normal(size=(4 * len(X), X.shape[1]))
    X = np.tile(X, (4, 1)) + noise * X.std(axis=0) / 9
    frame = pl.DataFrame({f"x{j}": column for j, column in enumerate(X.T)})
    target = None if task == "clustering" else "y"
    if target:
        frame = frame.with_columns(y=pl.Series(np.tile(y, 4)))
    work = Path(sys.argv[1]) / name
    prepare(work, frame, target, task, {f"x{j}": "numeric" for j in range(X.shape[1])})
    for step, function, more in (
        ("search", search, {"search": Settings(Grid(2), Folds(n=2))}), ("train", train, {})
    ):
        out = work / step
        out.mkdir()
        function(out, features=features, model={"estimator": estimator, "space": space}, **more)
        for path in sorted(out.iterdir()):
            print(name, path.name, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_bytes_are_the_same_with_one_thread_and_with_two(tmp_path):
    said = []
    for threads in ("1", "2"):
        counts = {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")}
        more = {"OMP_WAIT_POLICY": "passive", "PYTHONHASHSEED": threads}
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests/steps")])
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / threads), threads],
            env=os.environ | counts | more | {"PYTHONPATH": path}, capture_output=True, text=True,
            cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.splitlines())
    assert len(said[0]) == 6 * 5  # six models; three files of the search, two of the training
    assert said[0] == said[1]


def test_text_and_levels_unseen_in_training_do_not_crash_the_model(tmp_path):
    frame, out = ready(tmp_path, {})
    train(out, Columns(), LOGISTIC)
    strange = pl.DataFrame({"age": [None, 3.0], "job": ["pilot", None], "born": [None, None]})
    assert np.isfinite(file.load(out / "model.skops").predict_proba(strange)).all()
