"""The default pipeline, everything to do: `mlcore run` against one bare script of the same steps.

Equal: the same metrics, bit for bit. Both record one run in MLflow. Goal: at most 1.5 times the script's CPU
seconds; pipeline_processes.py has `dvc repro`, a process a stage.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOOR = GOAL = 1 / 1.5
ours = [sys.executable, "-m", "ml_core", "run"]
RIVALS = {"one bare script": [sys.executable, str(ROOT / "bench" / "bare.py"), "out"]}


def prepare(work):
    """A checkout with nothing run, and MLflow's database there: a first migration is no cost of a run."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, work / name)
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "b"],
    ):
        subprocess.run(["git", *words], cwd=work, check=True)
    store = work.parent / "store.db"
    if not store.exists():
        fresh = f"import mlflow; mlflow.MlflowClient('sqlite:///{store}').search_experiments()"
        subprocess.run([sys.executable, "-c", fresh], check=True, capture_output=True)
    shutil.copy2(store, work / "mlflow.db")
    os.environ["PYTHONPATH"] = str(ROOT)


def equal(mine, theirs, data):
    """The numbers of every step are the same text."""
    steps = ("ingest", "prepare", "search", "train", "evaluate")
    return all(
        (mine / f"out/{s}.json").read_text().split() == _normal(theirs / f"out/{s}.json") for s in steps
    )


def _normal(path):
    import json

    return json.dumps(json.loads(path.read_text()), indent=1, ensure_ascii=False).split()
