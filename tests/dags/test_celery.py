"""Airflow on several workers: CeleryExecutor on a real Redis and PostgreSQL, a worker killed as it trains."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from project import Project, copy_project
from standing import branch, ended, patched, running, start, wait

from ml_core.cli.standalone import Api

FOUND = [shutil.which("initdb"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))[::-1]]
POSTGRES = next(filter(None, FOUND), None)  # Debian keeps it off the PATH
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server: apt-get install redis"),
    pytest.mark.skipif(POSTGRES is None, reason="no initdb: apt-get install postgresql"),
]
pytest.importorskip(
    "airflow.providers.celery", reason="the extra airflow-many; make test-airflow installs it"
)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def started():
    """Start commands in groups of their own; all are ended by pid."""
    processes = []

    def start_one(*words, **options):
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
        processes.append(subprocess.Popen(words, start_new_session=True, **options))
        return processes[-1]

    yield start_one
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        time.sleep(3 if number == signal.SIGTERM else 0)


@pytest.fixture
def services(started, tmp_path):
    """A Redis and a PostgreSQL on 127.0.0.1; their ports."""
    redis, postgres = free_port(), free_port()
    started("redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    data, bin_ = tmp_path / "postgres", Path(POSTGRES).parent
    data.mkdir()
    by = []
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        by = ["runuser", "-u", "postgres", "--"]
        shutil.chown(data, "postgres")
        for folder in [tmp_path, *tmp_path.parents][:3]:
            folder.chmod(folder.stat().st_mode | 0o011)
    subprocess.run([*by, bin_ / "initdb", "-D", data, "-A", "trust", "-U", "airflow"], check=True, cwd="/",
                   stdout=subprocess.DEVNULL)  # fmt: skip
    started(
        *by,
        str(bin_ / "postgres"),
        "-D",
        str(data),
        "-p",
        str(postgres),
        "-h",
        "127.0.0.1",
        "-k",
        "",
        cwd="/",
    )
    ask = [bin_ / "pg_isready", "-h", "127.0.0.1", "-p", str(postgres), "-q"]
    wait(lambda: subprocess.run(ask, check=False).returncode == 0)
    subprocess.run(
        [bin_ / "createdb", "-h", "127.0.0.1", "-p", str(postgres), "-U", "airflow", "airflow"], check=True
    )
    return redis, postgres


def test_a_worker_killed_while_it_trains_is_replaced_by_the_other(
    services, started, tmp_path, finished, monkeypatch
):
    redis, postgres = services
    project = Project(copy_project(tmp_path / "many"))
    for path in (project.folder / "conf/schedule").glob("*.yaml"):
        path.unlink()
    project.write(
        "conf/schedule/steps.yaml", "# A task a stage.\nwhen: null\nretry_delay: 1s\npromote: false\n"
    )
    project.git("add", "-A")
    project.git("commit", "-qm", "A schedule")
    port, store = free_port(), f"airflow@127.0.0.1:{postgres}/airflow"
    project.environment |= {
        "AIRFLOW_HOME": str(project.folder / ".mlcore/airflow"),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__DAGS_FOLDER": str(project.folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{store}",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{store}",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    }
    here = {"cwd": project.folder, "env": project.environment}
    front = started("mlcore", "airflow", "--port", str(port), **here, stdout=subprocess.PIPE, text=True)
    assert f":{port}" in front.stdout.readline()
    workers = [
        started(
            sys.executable, "-m", "airflow", "celery", "worker", "--skip-serve-logs", "--concurrency", "1",
            "--celery-hostname", f"{name}@here", "--without-gossip", **here,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    monkeypatch.setenv("AIRFLOW_HOME", project.environment["AIRFLOW_HOME"])
    api = Api(f"http://127.0.0.1:{port}", patience=100)
    wait(lambda: len(api.get("dags")["dags"]) == 1)
    patched(api, "dags/steps", {"is_paused": False})
    run = start(api, "steps")
    wait(lambda: list(running(project, "ml_core run train")))
    busy = next(iter(running(project, "ml_core run train")))
    above = {process.pid for process in busy.parents()}
    (lost,) = [worker for worker in workers if worker.pid in above]
    for process in [*psutil.Process(lost.pid).children(recursive=True), psutil.Process(lost.pid)]:
        if process.pid != busy.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    wait(lambda: not psutil.pid_exists(busy.pid))
    state, tasks = ended(api, "steps", run)
    assert state == "success", tasks
    assert tasks["train"][1] >= 2, "the lost try counts"
    assert branch(project, "steps", run) == finished.read("dvc.lock")
