"""Recorded runs without MLflow and DVC: a tracker over folders, and DVC's cache as it lies on disk."""

import hashlib
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from fitted import lay_out, table_of
from shelf import Shelf
from sklearn.linear_model import LogisticRegression

from ml_core.data.table import ROW, features_and_target, read
from ml_core.gates.packaged import Served
from ml_core.gates.verdict import Verdict
from ml_core.measure import predictions
from ml_core.models.file import load
from ml_core.promotion.policy import Policy
from ml_core.promotion.promote import Asked, promote
from ml_core.tracking import bundle
from ml_core.tracking.run import Model, Run


class InProcess:
    """Stands for the fresh process; counts how often it was asked."""

    def __init__(self):
        self.asked = []

    def compare(self, folder, rows, features, offline, model):
        self.asked.append(pl.read_parquet(rows).select(features))
        assert len(self.asked[-1]) == len(offline)
        return Served(len(offline))


def yes(duel):
    """A gate that lets everybody through."""
    return Verdict("yes", True, "everybody is welcome")


@dataclass
class World:
    """Runs in folders under ``root``, which is the checkout; their registry is a Shelf."""

    root: Path
    shelf: Shelf = field(default_factory=lambda: Shelf("toy"))
    kept: dict = field(default_factory=dict)
    told: list = field(default_factory=list)
    fresh: InProcess = field(default_factory=InProcess)

    def read(self, run_id):
        if run_id not in self.kept:
            raise KeyError(f"no runs are called {run_id!r}")
        return self.kept[run_id]

    def fetch(self, run_id, name, folder):
        return bundle.bring(self.root / "store" / run_id, name, folder)

    def run(self, name="one", task="classification", estimator=None, table=None, test=None, **changes):
        """A recorded run: half of ``table`` trained on, half (or ``test``) judged, as the steps would."""
        work = self.root / "work" / name
        table = table_of(task) if table is None else table
        lay_out(work, table, LogisticRegression() if estimator is None else estimator, test)
        self.evaluate(work, table)
        files = ("prepare/table.json", "prepare/quality.json", "evaluate/metrics.json")
        files += ("evaluate/predictions.parquet", "trained_on.parquet", "dvc.lock")
        pl.read_parquet(work / "prepare/train.parquet").select(pl.col(ROW).sort()).write_parquet(
            work / "trained_on.parquet"
        )
        lock = {
            "stages": {"prepare": {"outs": [{"path": "out/prepare", "md5": self.cache(work / "prepare")}]}}
        }
        (work / "dvc.lock").write_text(yaml.safe_dump(lock))
        store = self.root / "store" / name
        for file in files:
            (store / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(work / file, store / file)
        self.package(work / "train" / "model.skops", store / "model")
        known = {"tags": {"data": "toy", "task": table.task}, "model": Model(uri=f"models:/{name}")}
        self.kept[name] = Run(
            name * 3, name, **known, run_id=name,
            artifacts={file: store / file for file in files}, params={"split.method": "stratified"},
        )  # fmt: skip
        self.kept[name] = replace(self.kept[name], **changes)
        return self.kept[name]

    def evaluate(self, work, table):
        """What evaluate leaves, without plots and intervals."""
        rows = read(work / "prepare", "test")
        X, y, row = features_and_target(rows)
        p = predictions.predict(load(work / "train" / "model.skops"), X, y, table)
        (work / "evaluate").mkdir()
        predictions.to_frame(p, row).write_parquet(work / "evaluate" / "predictions.parquet")
        names = [] if p.score is None else predictions.columns(p.classes, p.probability is not None)
        about = {"task": p.task, "classes": p.classes, "scores": names}
        about |= {"probabilities": p.probability is not None}
        about |= {"positive": p.classes[1] if p.task == "binary" else None}
        about |= {"main": {"binary": "auc", "regression": "r2"}.get(p.task, "balanced_accuracy")}
        (work / "evaluate" / "metrics.json").write_text(json.dumps(about))

    def cache(self, folder):
        """Put a folder into DVC's cache; its digest."""
        listing = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            listing.append({"md5": self._object(path.read_bytes()), "relpath": str(path.relative_to(folder))})
        return self._object(json.dumps(listing).encode(), ".dir")

    def _object(self, content, ending=""):
        md5 = hashlib.md5(content).hexdigest() + ending
        place = self.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return md5

    def package(self, model, folder):
        """MLflow's folder around a model."""
        (folder / "data").mkdir(parents=True)
        shutil.copy(model, folder / "data" / "model.skops")
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        (folder / "MLmodel").write_text(yaml.safe_dump({"metadata": {"sha256": digest}}))

    def asked(self, run, gates=None, policy=None, **more):
        gates = {"yes": yes} if gates is None else gates
        return Asked(run, gates, policy or Policy(), "ann", self.fresh, str, tell=self.told.append, **more)

    def promote(self, run, gates=None, policy=None, **more):
        """One call of promote, its files in a place of its own."""
        place = self.root / "places" / str(len(list((self.root / "places").glob("*"))))
        place.mkdir(parents=True)
        return promote(self.asked(run, gates, policy, **more), self, self.shelf, place)


def half_of(table, more):
    """The table with every number of the target's column moved by ``more``: another truth, the same rows."""
    return replace(table, frame=table.frame.with_columns(pl.col(table.target) + more))


def rows_of(n, seed):
    """A table whose row ids no other seed shares."""
    table = table_of("classification", n, seed)
    ids = np.arange(n, dtype=np.uint64) + np.uint64(1_000_000 * (seed + 1))
    return replace(table, frame=table.frame.with_columns(pl.Series(ROW, ids)))
