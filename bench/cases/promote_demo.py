"""`mlcore promote` on the demo against a champion, every default gate asked and passed, in wall seconds.

Beside it a script by hand, which loads both models by MLflow, compares one number and moves the alias.
Equal: both made the same run champion; at full size ours took SECONDS at most, the median of its runs.
"""

import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pipeline_full

SECONDS = 6.0
SHORT, MEMORY = {"runs": 1}, None
MARGIN = 0.2
MLCORE = [sys.executable, "-m", "ml_core"]


def data(runs=5):
    return runs


@functools.cache
def demo():
    """A project with a champion and another model's run, its database kept beside it; made once a process."""
    work = Path(tempfile.mkdtemp(prefix="promote-")) / "project"
    work.mkdir()
    pipeline_full.prepare(work)
    # a bytecode cache is what a second command finds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    easy = ["gate.better.test=noninferior", f"gate.better.margin={MARGIN}", "model=gaussian_nb"]
    for words in (["run"], ["promote"], ["compose", *easy], ["run"], ["promote", "--dry-run"]):
        subprocess.run([*MLCORE, *words], cwd=work, check=True, stdout=subprocess.DEVNULL)
    shutil.copy2(work / "mlflow.db", work / "kept.db")
    known = client(work).search_runs(["1"], order_by=["attributes.start_time DESC"], max_results=1)
    return work, known[0].info.run_id


def client(work):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{work}/mlflow.db")


def timed(runs, words):
    """Wall seconds of each run from the same state, and whether the run is champion then."""
    work, run_id = demo()
    seconds = []
    for _ in range(runs):
        shutil.copy2(work / "kept.db", work / "mlflow.db")
        began = time.perf_counter()
        subprocess.run([*words, run_id], cwd=work, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return seconds, client(work).get_model_version_by_alias("breast_cancer", "champion").run_id == run_id


def ours(runs):
    return timed(runs, [*MLCORE, "promote"])


def by_hand(runs):
    script = Path(__file__).parents[1] / "by_hand.py"
    return timed(runs, [sys.executable, str(script), str(MARGIN)])


RIVALS = {"a script by hand": by_hand}


def equal(mine, theirs, runs):
    return mine[1] and theirs[1] and (runs < 5 or statistics.median(mine[0]) <= SECONDS)


def figures(mine, theirs, runs):
    """Medians, for docs/numbers.md."""
    (own, _), (other, _) = mine, theirs
    median, spread = statistics.median(own), f"{min(own):.1f} to {max(own):.1f}"
    return (
        f"{median:.1f} s wall, the median of {len(own)} ({spread}), allowed {SECONDS:g}; by hand "
        f"{statistics.median(other):.1f} s"
    )
