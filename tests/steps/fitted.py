"""A folder as train leaves it, with a real pipeline, for the tests of the steps that read it."""

import json

import numpy as np
import polars as pl
from sklearn.pipeline import make_pipeline

from ml_core.data.table import ROW, Table
from ml_core.features.columns import Columns
from ml_core.models.file import save


def table_of(task, n=240, seed=0, classes=("no", "yes")):
    """Two numbers, a colour with gaps and a flag decide; a third number is noise."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "age": rng.normal(40, 10, n).round(1),
            "income": rng.lognormal(size=n),
            "noise": rng.normal(size=n),
            "colour": pl.Series(
                rng.choice(["red", "green", "blue", None], n, p=[0.5, 0.3, 0.15, 0.05]).tolist()
            ),
            "flag": rng.integers(2, size=n).astype(bool),
        }
    )
    level = (
        (frame["age"].to_numpy() - 40) / 10 + np.log(frame["income"].to_numpy()) + frame["flag"].to_numpy()
    )
    level = level + (frame["colour"] == "red").fill_null(False).to_numpy() + 0.5 * rng.normal(size=n)
    kinds = dict(age="numeric", income="numeric", noise="numeric", colour="categorical", flag="boolean")
    row = pl.Series(ROW, rng.permutation(n).astype(np.uint64) * np.uint64(7919), dtype=pl.UInt64)
    frame = frame.with_columns(row)
    if task == "regression":
        return Table(frame.with_columns(y=level).lazy(), "y", task, kinds, source="made up")
    if task == "clustering":
        return Table(frame.lazy(), None, task, kinds, source="made up")
    place = np.searchsorted(np.quantile(level, np.linspace(0, 1, len(classes) + 1)[1:-1]), level)
    known = frame.with_columns(y=pl.Series(list(classes)).gather(place))
    return Table(known.lazy(), "y", task, kinds, classes=list(classes), source="made up")


def pipeline(estimator):
    """Our features, then the estimator: it takes polars frames."""
    return make_pipeline(Columns(min_frequency=2), estimator)


def lay_out(work, table, estimator, test=None):
    """Write prepare/ and train/ into ``work``: half of the rows to fit on, half (or ``test``) to judge."""
    frame = table.frame.collect()
    half = len(frame) // 2
    held_out = frame[half:] if test is None else test
    folder = work / "prepare"
    folder.mkdir(parents=True)
    (work / "train").mkdir()
    frame[:half].write_parquet(folder / "train.parquet")
    held_out.write_parquet(folder / "test.parquet")
    table.describe(folder)
    (folder / "quality.json").write_text(json.dumps({"rules": []}))
    model = pipeline(estimator)
    model.fit(
        frame[:half].select(table.features), frame[:half][table.target].to_numpy() if table.target else None
    )
    save(model, work / "train" / "model.skops")
    return model


def loads(model, monkeypatch):
    """``ml_core.models.file.load`` returns ``model``, whatever the path: for models no file can hold."""
    monkeypatch.setattr("ml_core.models.file.load", lambda path: model)
