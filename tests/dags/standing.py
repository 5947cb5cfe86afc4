"""What tests ask of a standing Airflow: start a run, wait for its end, look at what it left."""

import contextlib
import json
import secrets
import time
import urllib.request
from datetime import UTC, datetime

import psutil
import pytest

from ml_core.workspace import safe

OVER = ("success", "failed")
SECRET = f"hunter2-{secrets.token_hex(8)}"  # a schedule hands it to its command, and nobody else may see it


def wait(true, seconds=300, pace=0.3):
    """Until ``true()``, asked every ``pace`` seconds; an OSError on the way counts as no.

    The bound is for what will never be: no test is about how long something takes.
    """
    until = time.time() + seconds
    while time.time() < until:
        with contextlib.suppress(OSError):
            if true():
                return
        time.sleep(pace)
    pytest.fail(f"not within {seconds} s")


def patch(api, path, body):
    """The answer to PATCH /api/v2/``path``."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {api.token()}"}
    asked = urllib.request.Request(
        f"{api.address}/api/v2/{path}", json.dumps(body).encode(), headers, method="PATCH"
    )
    with urllib.request.urlopen(asked, timeout=api.patience) as answer:
        return json.loads(answer.read() or "{}")


def patched(api, path, body):
    """The same, asked until there is an answer: a sqlite that is busy gives none."""
    wait(lambda: patch(api, path, body))


def start(api, dag, **conf):
    """Trigger a DAG as its form does; the run's id, by which asking again starts no second one."""
    run = f"manual__{datetime.now(UTC).isoformat()}"

    def started():
        with contextlib.suppress(OSError):  # a sqlite that is busy, or it is there already
            api.get(f"dags/{dag}/dagRuns", {"dag_run_id": run, "logical_date": None, "conf": conf})
        return api.get(f"dags/{dag}/dagRuns/{run}")

    wait(started)
    return run


def ended(api, dag, run, seconds=600):
    """Wait for a run: (its state, task -> (state, tries))."""
    said = []

    def over():
        said[:] = [api.get(f"dags/{dag}/dagRuns/{run}")["state"]]
        return said[0] in OVER

    wait(over, seconds, pace=1)  # asking costs the same cores
    return said[0], tasks(api, dag, run)


def tasks(api, dag, run):
    """Task -> (state, tries) of a run."""
    known = api.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
    return {task["task_id"]: (task["state"], task["try_number"]) for task in known}


def answer(api, dag, run, task):
    """What a task told: its return value."""
    value = api.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value")["value"]
    return json.loads(value) if isinstance(value, str) else value


def log_of(project, dag, run, task, tries=1):
    """Text of a task's log."""
    logs = project.folder / ".mlcore/airflow/logs"
    return (logs / f"dag_id={dag}/run_id={run}/task_id={task}/attempt={tries}.log").read_text()


def workspace(project, dag, run):
    """The run's folder."""
    return project.folder / ".mlcore/workspaces" / safe(f"{dag}-{run}")


def branch(project, dag, run, name="dvc.lock"):
    """A file on the branch of a run."""
    return project.git("show", f"candidate/{safe(f'{dag}-{run}')}:{name}")


def running(project, *words):
    """Processes whose command holds all the words and the project's folder."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if all(word in line for word in words) and str(project.folder) in f"{process.info['cwd']}":
            yield process
