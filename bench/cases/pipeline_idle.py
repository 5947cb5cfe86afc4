"""Nothing is stale: `mlcore run` against `dvc repro`. Goal: 1.0 CPU s, and no slower than DVC.

Equal: neither changes the lock.
"""

import shutil
import subprocess
import sys

import pipeline_full

FLOOR = GOAL = 1.0
ours = [sys.executable, "-m", "ml_core", "run"]
RIVALS = {"dvc repro": [sys.executable, "-m", "dvc", "repro", "-q"]}


def prepare(work):
    """A checkout after one run, moved as it is: times of change and inodes stay."""
    kept = work.parent / "settled"
    if not kept.exists():
        kept.mkdir()
        pipeline_full.prepare(kept)
        subprocess.run(ours, cwd=kept, check=True, stdout=subprocess.DEVNULL)
    work.rmdir()
    shutil.copytree(kept, work, symlinks=True)
    # inodes are new in a copy: each side looks once before it is timed
    for words in (ours, RIVALS["dvc repro"]):
        subprocess.run(words, cwd=work, check=True, stdout=subprocess.DEVNULL)


def equal(mine, theirs, data):
    return (mine / "dvc.lock").read_text() == (theirs / "dvc.lock").read_text()
