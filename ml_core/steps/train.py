"""Fit features and model, with the best parameters, on all training rows."""

import json
from pathlib import Path

from ml_core.data.table import Table, features_and_target, read
from ml_core.outcome import Outcome

MANY = (
    5_000_000  # numbers from which more OpenMP threads pay; below, on busy cores, they mostly wait and burn
)


def train(out: Path, features, model: dict) -> Outcome:
    """Leave one fitted pipeline, and what it is made of; predictions are in the target's own labels."""
    from sklearn.pipeline import Pipeline

    from ml_core.models import file
    from ml_core.search import families, subject

    table = read(out.parent / "prepare", "train")
    best = found(out.parent / "search" / "best.json")
    X, y, _ = features_and_target(table)
    if table.task == "regression":
        y = y.astype(float)
    where = f"{out.parent / 'search' / 'best.json'}: params"
    estimator, features = families.settled(model, features, table, best["params"], where)
    with subject.held(features):
        numbers = features.fit_transform(X, y)
    with subject.held(estimator, freely=numbers.shape[0] * numbers.shape[1] > MANY):
        estimator.fit(numbers, *([] if y is None else [y]))
    subject.one_job(estimator)
    file.save(Pipeline([("features", features), ("model", estimator)]), out / "model.skops")
    described = describe(table, features, estimator, best)
    text = json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False)
    (out / "model.json").write_text(text + "\n", encoding="utf-8")
    return Outcome({"rows": len(X), "features": numbers.shape[1]}, ["model.skops", "model.json"])


def found(path: Path) -> dict:
    """What search left in best.json."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no best parameters; run `mlcore search` first")
    return json.loads(path.read_text(encoding="utf-8"))


def describe(table: Table, features, estimator, best: dict) -> dict:
    """What model.json holds: names, parameters, features in and out, task and classes."""
    classes = [plain(value) for value in getattr(estimator, "classes_", ())]
    return {
        "task": table.task,
        "target": table.target,
        "classes": classes if table.task == "classification" else [],
        "model": class_of(estimator),
        "params": {name: plain(value) for name, value in estimator.get_params().items()},
        "best": best,
        "features": {
            "class": class_of(features),
            "params": {n: plain(v) for n, v in features.get_params(deep=False).items() if n != "kinds"},
            "in": dict(table.kinds),
            "out": [str(name) for name in features.get_feature_names_out()],
        },
    }


def class_of(thing) -> str:
    """Where a thing's class was defined."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def plain(value):
    """A value that json can hold; anything else as the name of its class."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # json knows neither nan nor infinity
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    return class_of(value)
