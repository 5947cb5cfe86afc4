"""kill -9 at any moment, then the same command: the same lock, the same numbers, nothing half-written."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from project import Project
from test_runner import results


def ended_within(project, seconds, words):
    """Start a command in a process group of its own; kill the group, and say False, if it runs longer."""
    process = subprocess.Popen(
        words, cwd=project.folder, env=project.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(timeout=seconds)
        return True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def forget(project):
    """As if it had never run, but for what a killed run may leave: no outputs, no lock, no cache."""
    for name in ("out", ".mlcore", ".dvc/cache", ".dvc/tmp", "mlruns"):
        shutil.rmtree(project.folder / name, ignore_errors=True)
    for path in [project.folder / "dvc.lock", *project.folder.glob("mlflow.db*")]:
        path.unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("words", "kills"), [(("mlcore", "run"), 10), (("dvc", "repro"), 3)], ids=str)
def test_a_killed_run_goes_on_to_the_same_end(finished, words, kills):
    reference = results(finished)
    forget(finished)
    began = time.monotonic()
    finished.call(*words)
    whole = time.monotonic() - began
    assert results(finished) == reference
    rng = random.Random(0)
    for _ in range(kills):
        forget(finished)
        while ended_within(finished, seconds := rng.uniform(0.3, whole), words):
            whole = seconds  # the machine has become faster: draw from the shorter time
            forget(finished)
        again = finished.call(*words, code=None)
        if words[0] == "dvc" and "RWLock" in again.stderr:  # DVC's own torn file, which `mlcore run` drops
            finished.mlcore("run")
        elif again.returncode:
            pytest.fail(again.stderr)
        assert results(finished) == reference
        left = [path.name for path in (finished.folder / "out").rglob(".*") if path.name != ".gitignore"]
        assert left == []
        assert running(finished) == [], "MLflow shows a run as RUNNING for ever"
        assert finished_runs(finished) == 1


def running(project):
    return query(project, "select run_uuid from runs where status = 'RUNNING'")


def finished_runs(project):
    return len(
        query(project, "select run_uuid from runs where status = 'FINISHED' and lifecycle_stage = 'active'")
    )


def query(project, words):
    with sqlite3.connect(project.folder / "mlflow.db") as connection:
        return connection.execute(words).fetchall()


@pytest.mark.slow
def test_ctrl_c_leaves_what_was_finished(project):
    process = subprocess.Popen(
        ["mlcore", "run"], cwd=project.folder, env=project.environment, stderr=subprocess.PIPE, text=True
    )
    lock = project.folder / "dvc.lock"
    deadline = time.monotonic() + 120
    while not (lock.exists() and "prepare" in lock.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "goes on from there" in said and "Traceback" not in said
    assert Project(project.folder).mlcore("run").returncode == 0
