"""A folder as prepare leaves it, made by hand."""

import numpy as np
import polars as pl

from ml_core.data.table import ROW, Table


def prepare(work, frame, target, task, kinds, **more):
    """Write ``frame`` as work/prepare/train.parquet with its table.json; return the folder."""
    folder = work / "prepare"
    folder.mkdir(parents=True)
    rows = pl.Series(ROW, np.arange(len(frame), dtype=np.uint64) * np.uint64(7919))
    frame = frame.with_columns(rows)
    frame.write_parquet(folder / "train.parquet")
    classes = frame[target].unique().sort().to_list() if task == "classification" else []
    Table(frame.lazy(), target, task, kinds, classes=classes, source="by hand", **more).describe(folder)
    return folder


def mixed(n=200, seed=0):
    """A table with numbers, levels and a date, and a target that they tell something about."""
    rng = np.random.default_rng(seed)
    age, job = rng.normal(40, 9, n), rng.choice(["smith", "clerk", "baker"], n)
    good = age + 12 * (job == "smith") + rng.normal(0, 6, n) > 44
    frame = pl.DataFrame(
        {"age": age, "job": job, "born": np.datetime64("2000-01-01") + rng.integers(0, 999, n)}
    )
    frame = frame.with_columns(
        age=pl.when(pl.int_range(n) % 17 == 0).then(None).otherwise(pl.col("age")),
        shop=pl.Series([f"s{i % 8}" for i in range(n)]),
        income=pl.Series(np.where(good, ">50K", "<=50K")),
        price=pl.Series(age * 2 + (job == "smith") * 9),
    )
    return frame, {"age": "numeric", "job": "categorical", "born": "date"}
