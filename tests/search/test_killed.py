"""kill -9 in the midst of a search, then the same command: nothing fitted twice, the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from laid_down import mixed, prepare

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys, time
from pathlib import Path
from sklearn.tree import DecisionTreeClassifier
from ml_core.features.columns import Columns
from ml_core.search.folds import Folds
from ml_core.search.random import Random
from ml_core.search.settings import Settings
from ml_core.steps.search import search

class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        time.sleep(0.04)
        with open("fits", "a") as file:
            file.write(f"{self.max_depth} {self.min_samples_leaf} {float(X.sum())!r}\\n")
        return super().fit(X, y)

out = Path("out/search")
out.mkdir()
space = {"max_depth": {"low": 1, "high": 9, "int": True}}
space |= {"min_samples_leaf": {"low": 1, "high": 40, "int": True}}
model = {"estimator": Slow(random_state=0), "space": space}
print(search(out, Columns(), model, Settings(Random(30, seed=2), Folds(n=3))).notes["message"])
"""


def laid_out(folder):
    frame, kinds = mixed()
    prepare(folder / "out", frame, "income", "classification", kinds)
    (folder / "look.py").write_text(SCRIPT)
    return folder


def started(folder):
    for path in (folder / "out/search").glob("*"):
        path.unlink()
    if (folder / "out/search").exists():
        (folder / "out/search").rmdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    return subprocess.Popen(
        [sys.executable, "look.py"], cwd=folder, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "out/search").iterdir())}


def fits(folder):
    return (folder / "fits").read_text().splitlines() if (folder / "fits").exists() else []


@pytest.mark.slow
def test_a_search_killed_again_and_again_ends_as_if_it_never_was(tmp_path):
    whole, cut = laid_out(tmp_path / "whole"), laid_out(tmp_path / "cut")
    process = started(whole)
    said, wrong = process.communicate(timeout=200)
    assert process.returncode == 0, wrong
    assert len(fits(whole)) == 90 == len(set(fits(whole)))
    rng, kills = random.Random(1), 0
    for more in (25, 40):
        process, target = started(cut), len(fits(cut)) + more
        while process.poll() is None and len(fits(cut)) < target:
            time.sleep(rng.uniform(0.001, 0.01))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills == 2
    process = started(cut)
    again, wrong = process.communicate(timeout=200)
    assert process.returncode == 0, wrong
    assert bytes_of(cut) == bytes_of(whole)
    assert set(fits(cut)) == set(fits(whole))
    assert len(fits(cut)) <= 90 + 2 * kills  # what two threads were at when the kill came
    assert "goes on from .mlcore/search/" in again and "goes on" not in said
