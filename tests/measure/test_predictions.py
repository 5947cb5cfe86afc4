"""What a model says, however it says it; and what cannot be judged is refused in words."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.cluster import DBSCAN, KMeans
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from ml_core.data.table import Table
from ml_core.measure import predictions
from ml_core.outcome import CheckFailed

rng = np.random.default_rng(0)
X = pl.DataFrame(rng.normal(size=(60, 2)), schema=["a", "b"])
Y = np.where(X["a"] > 0, "yes", "no")


def table(task="classification", classes=("no", "yes")):
    return Table(X.lazy(), "y", task, {"a": "numeric", "b": "numeric"}, classes=list(classes))


class Saying:
    """A model that says what it is told to."""

    def __init__(self, says, classes=("no", "yes"), **more):
        self.says, self.classes_ = says, np.array(classes)
        for name, value in more.items():
            setattr(self, name, lambda X, value=value: np.asarray(value))

    def predict(self, X):
        return np.asarray(self.says)


def test_a_pipeline_answers_as_its_own_predict_does():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    p = predictions.predict(model, X, Y, table())
    assert p.task == "binary" and p.positive == 1 and p.classes == ["no", "yes"]
    assert (np.array(p.classes)[p.answer] == model.predict(X)).all()
    assert (p.probability == model.predict_proba(X)).all()
    assert (np.array(p.classes)[p.truth] == Y).all()


def test_features_are_made_once():
    calls = []

    class Counting(StandardScaler):
        def transform(self, X):
            calls.append(len(X))
            return super().transform(X)

    model = make_pipeline(Counting(), LogisticRegression()).fit(X, Y)
    calls.clear()
    predictions.predict(model, X, Y, table())
    assert calls == [60]


def test_a_decision_function_ranks_where_there_is_no_probability():
    p = predictions.predict(RidgeClassifier().fit(X.to_numpy(), Y), X.to_numpy(), Y, table())
    assert p.probability is None
    assert_allclose(p.score[:, 1], -p.score[:, 0])
    many = np.array(["a", "b", "c"])[rng.integers(3, size=60)]
    pairs = SVC(decision_function_shape="ovo").fit(X.to_numpy(), np.append(many[:59], "d"))
    q = predictions.predict(pairs, X.to_numpy(), many, table(classes="abcd"))
    assert q.score is None  # six columns for four classes rank nothing


def test_classes_the_model_never_saw_have_no_probability():
    model = LogisticRegression().fit(X.to_numpy(), Y)
    truth = np.append(Y[:59], "maybe")
    p = predictions.predict(model, X.to_numpy(), truth, table(classes=["maybe", "no", "yes"]))
    assert p.task == "multiclass" and (p.probability[:, 0] == 0).all()
    assert_allclose(p.probability.sum(axis=1), 1)
    late = predictions.predict(model, X.to_numpy(), truth, table())
    assert late.classes == ["no", "yes", "maybe"]


@pytest.mark.parametrize(
    ("model", "task", "words"),
    [
        (Saying([np.nan] * 60), "regression", "nan or infinity for 60 of 60 rows, first for row 0"),
        (Saying(["no"] * 60, predict_proba=np.full((60, 2), np.nan)), "classification", "probability of nan"),
        (Saying(["perhaps"] * 60), "classification", "predicts 'perhaps', but the classes are 'no', 'yes'"),
    ],
)
def test_answers_that_mean_nothing_are_refused(model, task, words):
    with pytest.raises(CheckFailed, match=words):
        predictions.predict(model, X, np.zeros(60) if task == "regression" else Y, table(task))


def test_the_positive_class_by_name():
    model = LogisticRegression().fit(X.to_numpy(), Y)
    assert predictions.predict(model, X.to_numpy(), Y, table(), "no").positive == 0
    with pytest.raises(
        ValueError, match=r"evaluate.positive is 'ja', but must be one of the classes no, yes"
    ):
        predictions.predict(model, X.to_numpy(), Y, table(), "ja")
    flags = Table(X.lazy(), "y", "classification", {"a": "numeric"}, classes=[False, True])
    model = LogisticRegression().fit(X.to_numpy(), Y == "yes")
    assert predictions.predict(model, X.to_numpy(), Y == "yes", flags, False).positive == 0


def test_a_clusterer_that_places_no_new_rows_is_refused():
    with pytest.raises(ValueError, match="DBSCAN cannot place new rows.*model=kmeans"):
        predictions.predict(DBSCAN().fit(X.to_numpy()), X, None, table("clustering"))


@pytest.mark.parametrize(
    "task", ["binary", "no scores", "numbers", "regression", "clusters", "clusters, target"]
)
def test_what_is_written_is_read_back(task, tmp_path):
    import json

    kind, y, known = "classification", Y, table()
    model = LogisticRegression().fit(X.to_numpy(), Y)
    if task == "no scores":
        model = Saying(Y)
    if task == "numbers":
        y, known = (Y == "yes") * 3, table(classes=[0, 3])
        model = LogisticRegression().fit(X.to_numpy(), y)
    if task == "regression":
        kind, y, known, model = "regression", X["a"].to_numpy(), table("regression"), Saying(X["b"])
    if task.startswith("clusters"):
        known, model = table("clustering"), KMeans(3, n_init=1, random_state=0).fit(X.to_numpy())
        y = Y if task.endswith("target") else None
    p = predictions.predict(model, X.to_numpy(), y, known)
    row = rng.integers(2**63, size=60, dtype=np.uint64) * np.uint64(2)
    predictions.to_frame(p, row).write_parquet(tmp_path / "predictions.parquet")
    about = {"task": p.task, "classes": p.classes, "positive": p.classes[p.positive] if p.classes else None}
    names = predictions.columns(p.classes, p.probability is not None) if p.score is not None else []
    about |= {"scores": names, "probabilities": p.probability is not None}
    (tmp_path / "metrics.json").write_text(json.dumps(about))
    again, rows = predictions.from_folder(tmp_path)
    assert (rows == row).all() and again.task == p.task and again.classes == p.classes
    for name in ("answer", "truth", "probability", "score"):
        ours, theirs = getattr(p, name), getattr(again, name)
        assert (ours is None) == (theirs is None) and (ours is None or (ours == theirs).all()), (kind, name)


def test_many_rows_are_asked_in_blocks_and_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    X = pl.DataFrame(rng.normal(size=(100, 3)), schema=["a", "b", "c"])
    y, sizes = (X["a"].to_numpy() > 0).astype(int), []

    def seen(Z):
        sizes.append(len(Z))
        return np.asarray(Z) * 1.0

    model = make_pipeline(FunctionTransformer(seen), LogisticRegression()).fit(X, y)
    table = Table(X.lazy(), "y", "classification", dict.fromkeys("abc", "numeric"), classes=[0, 1])
    whole = predictions.predict(model, X, y, table)
    sizes.clear()
    monkeypatch.setattr(predictions, "BLOCK", 32)
    parts = predictions.predict(model, X, y, table)
    assert sizes == [32, 32, 32, 4], "each block's features are made once"
    for name in ("answer", "probability", "score", "truth"):
        assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-14)
