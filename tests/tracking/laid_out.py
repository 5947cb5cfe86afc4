"""A small project that looks as if the steps before `log` had run, and runs to record."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from ml_core.tracking.mlflow import Mlflow
from ml_core.tracking.run import Dataset, Model, Run

GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003"
    "8401805e3d4d380000000049454e44ae426082"
)
FIGURES = {
    "ingest": {"rows": 40, "columns": 4},
    "prepare": {"rows.train": 30, "rows.test": 10, "missing": 0.0},
    "search": {"score": 0.91, "spread": 0.02, "trials": 3, "failed": 0},
    "train": {"rows": 30, "features": 5},
    "evaluate": {"auc": 0.93, "auc.low": 0.9, "auc.high": 0.96, "logloss": 0.21},
    "explain": {},
}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An empty mlflow.db; making one takes a CPU second, copying it none."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    Mlflow(f"sqlite:///{file}").runs(1)
    return file


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No test sees the developer's store, nor leaves runs in the checkout."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "DVC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tracker(empty_store) -> Mlflow:
    """One with an empty store in the folder of the test."""
    shutil.copy(empty_store, "mlflow.db")
    return Mlflow()


@pytest.fixture
def client(tracker):
    """MLflow's own client of the same store."""
    from mlflow import MlflowClient

    return MlflowClient(tracker.address())


def all_runs(client):
    """The runs of every experiment."""
    return client.search_runs([one.experiment_id for one in client.search_experiments()])


@pytest.fixture
def make(tmp_path):
    """make(**changes): a finished run with one of everything, but for the changes."""
    return lambda **changes: make_run(tmp_path / "files", **changes)


def make_run(folder, **changes):
    """As ``make``, for a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plot.png").write_bytes(PNG)
    (folder / "report.html").write_text("<h1>report</h1>\n")
    (folder / "trials.json").write_text(json.dumps({"columns": ["C", "score"], "data": [[1, 0.9], [2, 0.8]]}))
    (folder / "model.skops").write_bytes(b"not a model, but bytes all the same")
    known = {
        "receipt": "a" * 32,
        "name": "LogisticRegression aaaaaaa",
        "params": {"model.estimator.C": "1.0", "seed": "0"},
        "metrics": {"evaluate/auc": 0.93, "evaluate/logloss": 0.21, "prepare/rows.train": 30.0},
        "tags": {"git.sha": "0" * 40, "git.dirty": "false", "model": "LogisticRegression"},
        "artifacts": {
            "evaluate/plots/roc.png": folder / "plot.png",
            "report.html": folder / "report.html",
            "trials.json": folder / "trials.json",
        },
        "dataset": Dataset("toy", "d4" * 16, 40, "csv toy.csv", {"a": "numeric", "b": "categorical"}),
        "model": Model(
            folder / "model.skops",
            {"a": "double", "b": "string"},
            [{"a": 1.5, "b": "x"}, {"a": None, "b": "y"}],
            "long",
            ["numpy==2.4.0", "polars==2.1.0"],
        ),
        "journal": [{"step": "train", "seconds": 1.5, "peak_mb": 80.0, "status": "FINISHED"}],
        "started": 1_700_000_000_000,
        "ended": 1_700_000_005_000,
    }  # fmt: skip
    return Run(**known | changes)


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Path:
    """A repository with params, lock, journal and the outputs of every step before log; we are in it."""
    folder = tmp_path / "Übung mit Leerzeichen"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_params(folder)
    (folder / "requirements.lock").write_text("numpy==2.4.0 \\\n    --hash=sha256:00\npolars==2.1.0\n")
    (folder / "code.py").write_text("print('hello')\n")
    (folder / ".gitignore").write_text("/.mlcore/\n/out/\n/mlruns/\n/mlflow.db*\n")
    write_outputs(folder / "out")
    write_lock(folder)
    journal = folder / ".mlcore" / "journal"
    journal.mkdir(parents=True)
    for i, step in enumerate(FIGURES):
        entry = {
            "step": step,
            "status": "FINISHED",
            "seconds": 0.5 + i,
            "peak_mb": 90.0 + i,
            "started": 1e9 + i,
        }
        (journal / f"{step}.json").write_text(json.dumps(entry))
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*GIT, *words], cwd=folder, check=True)
    return folder


def write_params(folder: Path, **changes) -> None:
    """params.yaml as `mlcore compose` would write it, in small."""
    params = {
        "data": {"_target_": "ml_core.data.csv.Csv", "path": "../toy.csv", "target": "y"},
        "model": {"estimator": {"_target_": "ml_core.models.l.Logistic", "C": 1.0}, "space": {"C": [1]}},
        "search": {"folds": {"n_splits": 5}, "scoring": None},
        "tracking": {"_target_": "ml_core.tracking.memory.Memory"},
        "seed": 0,
    }  # fmt: skip
    (folder / "params.yaml").write_text(yaml.safe_dump(params | changes, sort_keys=False))


def write_outputs(out: Path) -> None:
    """What the steps leave, with the names that docs/contracts.md gives."""
    for step, numbers in FIGURES.items():
        (out / step).mkdir(parents=True, exist_ok=True)
        (out / f"{step}.json").write_text(json.dumps(numbers))
    rows = pl.DataFrame(
        {
            "age": [31, 42, 53, 64, 75],
            "income": [1.5, 2.5, None, 4.5, 5.5],
            "city": ["a", "b", None, "a", "ü"],
            "member": [True, False, True, None, True],
            "gaps": [1, None, 3, 4, 5],
            "since": pl.Series(np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]")),
            "y": ["no", "yes", "no", "yes", "no"],
            "_row": pl.Series([1, 2, 3, 4, 5], dtype=pl.UInt64),
        }
    )
    kinds = {
        "age": "numeric",
        "income": "numeric",
        "city": "categorical",
        "member": "boolean",
        "gaps": "numeric",
    }
    table = {
        "target": "y",
        "task": "classification",
        "kinds": kinds | {"since": "date"},
        "key": [],
        "classes": ["no", "yes"],
    }
    for name, step in (("table", "ingest"), ("train", "prepare"), ("test", "prepare")):
        rows.write_parquet(out / step / f"{name}.parquet")
        (out / step / "table.json").write_text(json.dumps(table | {"source": "csv ../toy.csv"}))
    (out / "prepare" / "quality.html").write_text("<h1>quality</h1>")
    trials = pl.DataFrame({"C": [1, 2], "score": [0.9, float("nan")], "folds": [[0.8, 1.0], [0.7, 0.9]]})
    trials.write_parquet(out / "search" / "trials.parquet")
    (out / "search" / "best.json").write_text(json.dumps({"params": {"C": 1}, "score": 0.9}))
    (out / "train" / "model.skops").write_bytes(b"model bytes")
    (out / "train" / "model.json").write_text("{}")
    for name in ("evaluate/plots/roc.png", "explain/plots/age?.png"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(PNG)
    (out / "evaluate" / "metrics.json").write_text(json.dumps(FIGURES["evaluate"]))
    (out / "explain" / "report.html").write_text("<h1>report</h1>")


def write_lock(folder: Path, md5: str = "c1") -> None:
    """dvc.lock as DVC has it while `log` runs: every stage before it, and what log left the last time."""
    stages = {
        "ingest": {"cmd": "mlcore ingest", "deps": [{"path": "../toy.csv", "md5": md5 * 16, "size": 9}]}
        | {"outs": [{"path": "out/ingest", "md5": "aa" * 16 + ".dir"}]},
        "train": {"cmd": "mlcore train", "outs": [{"path": "out/train", "md5": "bb" * 16 + ".dir"}]},
        "log": {"cmd": "mlcore log", "outs": [{"path": "out/log", "md5": os.urandom(16).hex()}]},
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))
