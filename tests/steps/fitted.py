"""A folder as train leaves it, with a real pipeline, for the tests of the steps that read it."""

import json

import numpy as np
import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ml_core.data.table import ROW, Table


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
    """Impute, scale, one-hot, then the estimator: it takes polars frames."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, ["age", "income", "noise"]), (levels, ["colour"]), ("passthrough", ["flag"])
    )
    return make_pipeline(columns, estimator)


def lay_out(work, table, estimator, monkeypatch, test=None):
    """Write prepare/ and train/ into ``work``, fit, and let models.file.load return the fitted pipeline."""
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
    loads(model, monkeypatch)
    return model


def loads(model, monkeypatch):
    """``ml_core.models.file.load`` returns ``model``, whatever the path."""
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "ml_core.models.file", SimpleNamespace(load=lambda path: model))
