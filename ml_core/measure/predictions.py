"""What a model says about n rows, beside the truth: the one thing every measure reads.

Letters: n rows, q classes or clusters.
"""

import json
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ml_core.data.table import ROW
from ml_core.outcome import CheckFailed

BLOCK = 1 << 17  # rows asked about at a time: what the features make of them is held at once


@dataclass(frozen=True)
class Predictions:
    """Answers of one model.

    Attributes
    ----------
    task : binary, multiclass, regression or clustering
    answer : codes 0..q-1 int (n,), or values float (n,)
    truth : the same for the target; None where clustering knows none
    classes : the q labels behind the codes; for clustering the clusters
    probability : (n, q), or None where the model gives none
    score : (n, q), what ranks the rows for each class: the probability, else the decision function; or None
    positive : code of the positive class, binary only
    truths : the labels behind the codes of ``truth``, clustering only
    """

    task: str
    answer: np.ndarray
    truth: np.ndarray | None = None
    classes: list = field(default_factory=list)
    probability: np.ndarray | None = None
    score: np.ndarray | None = None
    positive: int = 1
    truths: list = field(default_factory=list)

    def __len__(self):
        return len(self.answer)

    def take(self, rows):
        """The same for some ``rows`` (indices or mask)."""
        parts = {name: getattr(self, name) for name in ("answer", "truth", "probability", "score")}
        kept = {name: None if part is None else part[rows] for name, part in parts.items()}
        rest = {name: getattr(self, name) for name in ("task", "classes", "positive", "truths")}
        return Predictions(**kept, **rest)


def exact_task(task, classes):
    """classification -> binary or multiclass; any other task as it is."""
    if task != "classification":
        return task
    return "binary" if len(classes) == 2 else "multiclass"


def predict(model, X, y, table, positive=None):
    """Ask a fitted ``model`` about X (n, d) polars; y (n,) or None; ``table`` knows task and classes.

    The features are made once, though both the labels and the probabilities need them.
    """
    if not len(X):
        return _nothing(table, positive)
    features, model = halves(model)
    if len(X) > BLOCK:
        return ask(_InBlocks(features, model, X), X, y, table, positive)
    return ask(model, features(X), y, table, positive)


class _InBlocks:
    """A model's answers about the rows of one frame, made block by block: memory is that of a block."""

    def __init__(self, features, model, X):
        asked = [name for name in ("predict_proba", "decision_function") if hasattr(model, name)][:1]
        asked += ["predict"] * hasattr(model, "predict")
        parts = {name: [] for name in asked}
        for start in range(0, len(X), BLOCK):
            Z = features(X[start : start + BLOCK])
            for name in asked:
                parts[name].append(np.asarray(getattr(model, name)(Z)))
        for name, part in parts.items():
            whole = np.concatenate(part)
            setattr(self, name, lambda Z, whole=whole: whole)
        if hasattr(model, "classes_"):
            self.classes_ = model.classes_


def _nothing(table, positive):
    task, none = exact_task(table.task, table.classes), np.zeros(0)
    if task in ("regression", "clustering"):
        return Predictions(task, none, none if task == "regression" else None)
    codes = none.astype(int)
    return Predictions(task, codes, codes, list(table.classes), positive=_positive(table.classes, positive))


def ask(model, Z, y, table, positive=None):
    """The same for an estimator without its features: Z (n, p) is what they made."""
    if table.task == "clustering":
        return _clusters(model, Z, y)
    if table.task == "regression":
        answer = _finite("predicts", np.asarray(model.predict(Z), dtype=float).reshape(Z.shape[0]))
        return Predictions("regression", answer, None if y is None else np.asarray(y, dtype=float))
    return _classes(model, Z, y, table, positive)


def _classes(model, X, y, table, positive):
    learned = np.asarray(getattr(model, "classes_", table.classes)).tolist()
    classes = list(table.classes) or list(learned)
    truth = [] if y is None else np.asarray(y).tolist()
    # a class that only the test rows, or only the model, know still needs a code
    for late in (learned, truth):
        new = set(late) - set(classes)
        classes += sorted(new, key=str)
    code = {label: k for k, label in enumerate(classes)}
    place = np.array([code[label] for label in learned], dtype=int)
    score, is_probability = _scores(model, X, len(learned))
    spread = None
    if score is not None:
        # what the model never saw has probability 0, and a decision below every other one
        spread = np.full((X.shape[0], len(classes)), 0.0 if is_probability else score.min(initial=0.0) - 1.0)
        spread[:, place] = score
    answer = np.asarray(model.predict(X)).tolist()
    unknown = set(answer) - set(code)
    if unknown:
        shown = ", ".join(map(repr, sorted(unknown, key=str)[:5]))
        raise CheckFailed(f"the model predicts {shown}, but the classes are {', '.join(map(repr, classes))}")
    return Predictions(
        exact_task("classification", classes),
        np.array([code[label] for label in answer], dtype=int),
        None if y is None else np.array([code[label] for label in truth], dtype=int),
        classes,
        spread if is_probability else None,
        spread,
        _positive(classes, positive),
    )


def halves(model):
    """A fitted pipeline -> (features: frame -> matrix, estimator); a bare estimator keeps the frame."""
    steps = getattr(model, "steps", None)
    if not steps or len(steps) < 2:
        return (lambda X: X), model
    return model[:-1].transform, steps[-1][1]


def _scores(model, X, n_classes):
    if hasattr(model, "predict_proba"):
        return _finite("gives a probability of", np.asarray(model.predict_proba(X), dtype=float)), True
    if not hasattr(model, "decision_function"):
        return None, False
    score = _finite("gives a decision of", np.asarray(model.decision_function(X), dtype=float))
    if score.ndim == 1:
        return np.column_stack([-score, score]), False
    # one against one has a column for each pair of classes: it ranks the rows of no single class
    return (score, False) if score.shape[1] == n_classes else (None, False)


def _positive(classes, positive):
    if len(classes) != 2 or positive is None:
        return 1  # the last class in order, as scikit-learn takes it
    named = [str(label) for label in classes]
    if str(positive) not in named:
        raise ValueError(
            f"evaluate.positive is {positive!r}, but must be one of the classes {', '.join(named)};"
            " set evaluate.positive=..., or null for the last one"
        )
    return named.index(str(positive))


def _clusters(model, X, y):
    if not hasattr(model, "predict"):
        raise ValueError(
            f"{type(model).__name__} cannot place new rows in clusters (it has no predict), so it cannot be"
            " judged on test rows; choose a model that can, such as model=kmeans"
        )
    clusters, answer = np.unique(np.asarray(model.predict(X)), return_inverse=True)
    if y is None:
        return Predictions("clustering", answer, classes=clusters.tolist())
    truths, truth = np.unique(np.asarray(y).astype(str), return_inverse=True)
    return Predictions("clustering", answer, truth, clusters.tolist(), truths=truths.tolist())


def _finite(verb, values):
    bad = ~np.isfinite(values if values.ndim == 1 else values.sum(axis=1))
    if bad.any():
        first = int(np.argmax(bad))
        raise CheckFailed(
            f"the model {verb} nan or infinity for {bad.sum()} of {len(bad)} rows, first for row {first};"
            " impute in features=..., or choose another model"
        )
    return values


def columns(classes, has_probability=True):
    """Names of the columns that hold each class's probability or score, in the classes' order."""
    stem = "probability" if has_probability else "score"
    return [f"{stem}.{label}" for label in classes]


def to_frame(predictions, row):
    """Predictions and row ids uint64 (n,) -> polars frame: _row, y, prediction, a column for each class."""
    p = predictions
    data = {ROW: pl.Series(row, dtype=pl.UInt64)}
    if p.truth is not None:
        data["y"] = _labels(p.truth, p.truths or p.classes)
    data["prediction"] = _labels(p.answer, p.classes)
    if p.score is not None:
        names = columns(p.classes, p.probability is not None)
        data |= {name: p.score[:, k] for k, name in enumerate(names)}
    return pl.DataFrame(data)


def _labels(codes, classes):
    return pl.Series(classes).gather(codes) if classes else pl.Series(codes)


def from_folder(folder):
    """What evaluate left in ``folder`` -> Predictions, row ids (n,): for whoever compares two models."""
    about = json.loads((folder / "metrics.json").read_text())
    frame = pl.read_parquet(folder / "predictions.parquet")
    row, task, classes = frame[ROW].to_numpy(), about["task"], about["classes"]
    if task == "regression":
        return Predictions(task, frame["prediction"].to_numpy(), frame["y"].to_numpy()), row
    code = {label: k for k, label in enumerate(classes)}
    answer = np.array([code[label] for label in frame["prediction"].to_list()], dtype=int)
    if task == "clustering":
        if "y" not in frame.columns:
            return Predictions(task, answer, classes=classes), row
        truths, truth = np.unique(frame["y"].to_numpy().astype(str), return_inverse=True)
        return Predictions(task, answer, truth, classes, truths=truths.tolist()), row
    truth = np.array([code[label] for label in frame["y"].to_list()], dtype=int)
    score = frame.select(about["scores"]).to_numpy() if about["scores"] else None
    positive = classes.index(about["positive"]) if task == "binary" else 1
    return Predictions(
        task, answer, truth, classes, score if about["probabilities"] else None, score, positive
    ), row
