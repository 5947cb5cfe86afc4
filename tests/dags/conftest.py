"""One Airflow for all tests that need it standing, in an environment apart from the project's."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from mailbox import Mailbox
from pathlib import Path

import pytest
import yaml
from project import Project, copy_project
from standing import SECRET, patched, wait

ROWS = [
    (a, 104729 * i % 991, f"2026-01-0{1 + i % 3}", "yes" if (a > 500) != (i % 11 == 0) else "no")
    for i, a in ((i, 7919 * i % 997) for i in range(600))
]
LIGHT = ["model=gaussian_nb", "search=none"]
TABLE = ["data.target=y", *LIGHT]
QUERY = "data.query='select a, b, y from sales order by a, b'"
QUEUE = {"scheme": "redis+pubsub", "channels": ["rows"], "poll_interval": 0.5}
# file -> what differs from: by hand, one task for all, nothing promoted
SCHEDULES = {
    "whole": {"notify": ["team"]},
    "steps": {"granularity": "stage", "notify": ["team"]},
    "judged": {"overrides": LIGHT, "promote": True, "notify": ["team"]},
    "approved": {"approval": True, "promote": True},
    "late": {"approval": True, "promote": True, "deadline": "15s", "notify": ["team"]},
    "looks": {"stages": ["ingest"], "granularity": "stage", "announces": "fresh_rows"},
    "listens": {"when": {"asset": "fresh_rows"}, "stages": ["ingest"]},
    "arrives": {"when": {"file": "INBOX"}, "stages": ["ingest"]},
    "messaged": {"when": {"queue": QUEUE}, "stages": ["ingest"]},
    "hourly": {"when": "@hourly", "stages": ["ingest"]},
    "history": {
        "when": "@daily", "as_of": True, "promote": True,
        "overrides": ["data=csv", "data.path=rows.csv", "data.known_at=seen", *TABLE],
    },
    "secret": {
        "secrets": {"MLCORE_SQL_URL": "variable:warehouse", "TEAM_MAIL": "connection:post"},
        "overrides": ["data=sql", QUERY, *TABLE],
    },
    "no_ledger": {
        "secrets": {"MLFLOW_TRACKING_URI": "variable:ledger"}, "promote": True,
        "overrides": [*LIGHT, "seed=31"],
    },
    "no_remote": {"secrets": {"MLCORE_ORIGIN": "variable:far_origin"}, "retries": 1, "notify": ["team"]},
    "small_disk": {"secrets": {"MLCORE_WORKSPACES": "variable:small_disk"}, "notify": ["team"]},
    "impatient": {
        "timeout": "8s", "retries": 0, "notify": ["team"],
        "overrides": ["search=random", "search.strategy.tries=5000"],
    },
    "crowd": {"concurrency": 20, "pool": "two", "overrides": LIGHT},
}  # fmt: skip
USUAL = {"when": None, "granularity": "pipeline", "promote": False, "retry_delay": "1s"}
PIPELINE = ["dvc", "hydra", "mlflow", "numba", "omegaconf", "optuna", "polars", "sklearn"]
LACKING = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names}:
            raise ModuleNotFoundError(name + ' is not installed here', name=name)
sys.meta_path.insert(0, Nothing())
"""


@pytest.fixture(scope="session")
def told():
    """What the team's webhook was sent, and its address."""
    got = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Keep)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()


def apart(folder: Path) -> tuple[Path, Path]:
    """A PYTHONPATH under which the pipeline's libraries are missing, and a python that lacks Airflow."""
    theirs, own = folder / "theirs", folder / "own"
    theirs.mkdir(parents=True)
    (theirs / "sitecustomize.py").write_text(LACKING.format(names=PIPELINE))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", own], check=True)
    (site,) = own.glob("lib/python*/site-packages")
    (packages,) = Path(sys.prefix).glob("lib/python*/site-packages")
    (site / "there.pth").write_text(f"{packages}\n")
    (site / "sitecustomize.py").write_text(LACKING.format(names=["airflow"]))
    return theirs, own / "bin/python"


def with_schedules(folder: Path, inbox: Path) -> Project:
    """A project with the schedules above and a table of its own, committed."""
    project = Project(copy_project(folder))
    for path in (folder / "conf/schedule").glob("*.yaml"):
        path.unlink()
    for name, said in SCHEDULES.items():
        text = yaml.safe_dump(USUAL | said, sort_keys=False).replace("INBOX", str(inbox))
        project.write(f"conf/schedule/{name}.yaml", f"# {name.capitalize()}.\n{text}")
    lines = [",".join(map(str, row)) for row in [("a", "b", "seen", "y"), *ROWS]]
    project.write("rows.csv", "\n".join(lines) + "\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "Schedules")
    return project


def far_origin(project: Project, folder: Path) -> Path:
    """A clone whose DVC remote nobody answers for."""
    subprocess.run(["git", "clone", "-q", project.folder, folder], check=True)
    far = Project(folder)
    config = far.read(".dvc/config").replace("[core]\n", "[core]\n    remote = team\n")
    far.write(".dvc/config", config + "['remote \"team\"']\n    url = http://127.0.0.1:9/dvc\n")
    far.git("commit", "-qam", "A remote that is away")
    return folder


def warehouse(folder: Path) -> str:
    """The address of a database that holds a secret, as a password would be in it."""
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(folder / f"{SECRET}.db")) as base:
        base.execute("create table sales (a int, b int, seen text, y text)")
        base.executemany("insert into sales values (?, ?, ?, ?)", ROWS)
        base.commit()
    return f"sqlite:///{folder}/{SECRET}.db"


@pytest.fixture(scope="session")
def mailbox():
    """A message queue that the triggerer listens to."""
    with Mailbox() as queue:
        yield queue
        queue.shutdown()


@pytest.fixture(scope="session")
def live(tmp_path_factory, told, mailbox):
    """A project with schedules of its own, and Airflow running for it: (project, api, process)."""
    from ml_core.cli.standalone import Api

    place = tmp_path_factory.mktemp("live")
    project = with_schedules(place / "project", place / "inbox/rows.ready")
    theirs, python = apart(place / "environments")
    for name in ("inbox", "small"):
        (place / name).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project.environment |= {"AIRFLOW_HOME": str(project.folder / ".mlcore/airflow")}
    project.environment |= {"AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}"}
    settings = {
        "AIRFLOW__MLCORE__PYTHON": str(python),
        "PYTHONPATH": str(theirs),
        "AIRFLOW_CONN_TEAM": json.dumps({"conn_type": "http", "extra": {"url": told[0]}}),
        "AIRFLOW_CONN_POST": json.dumps({"conn_type": "smtp", "host": "mail", "password": SECRET}),
        "AIRFLOW_CONN_REDIS_DEFAULT": "redis://{}:{}".format(*mailbox.server_address),
        "AIRFLOW_VAR_WAREHOUSE": warehouse(place / "warehouse"),
        "AIRFLOW_VAR_LEDGER": "http://127.0.0.1:9",
        "AIRFLOW_VAR_FAR_ORIGIN": str(far_origin(project, place / "far")),
        "AIRFLOW_VAR_SMALL_DISK": str(place / "small"),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    }
    process = subprocess.Popen(
        ["mlcore", "airflow", "--port", str(port)], cwd=project.folder, env=project.environment | settings,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    patch = pytest.MonkeyPatch()
    try:
        first = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in first, first
        patch.setenv("AIRFLOW_HOME", project.environment["AIRFLOW_HOME"])
        api = Api(f"http://127.0.0.1:{port}", patience=100)
        wait(lambda: len(api.get("dags?limit=50")["dags"]) == len(SCHEDULES), 300)
        wait(lambda: api.get("pools", {"name": "two", "slots": 2}))
        for name in SCHEDULES:
            patched(api, f"dags/{name}", {"is_paused": name in ("history", "hourly")})
        yield project, api, process
    finally:
        patch.undo()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def hosts(finished, tmp_path):
    """Two checkouts that share git, MLflow and an S3-compatible DVC remote (moto) alone."""
    server = pytest.importorskip("moto.server", reason="needs moto, of the tests' own lock")
    boto3 = pytest.importorskip("boto3")
    s3 = server.ThreadedMotoServer("127.0.0.1", 0)
    s3.start()
    address = "http://{}:{}".format(*s3.get_host_and_port())
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="team")
    first = Project(tmp_path / "first")
    subprocess.run(["git", "clone", "-q", finished.folder, first.folder], check=True)
    config = first.read(".dvc/config").replace("[core]\n", "[core]\n    remote = team\n")
    first.write(
        ".dvc/config", f"{config}['remote \"team\"']\n    url = s3://team/dvc\n    endpointurl = {address}\n"
    )
    first.git("commit", "-qam", "Share outputs by S3")
    subprocess.run(["git", "clone", "-q", "--bare", first.folder, tmp_path / "git"], check=True)
    made = []
    for name in ("one", "two"):
        subprocess.run(["git", "clone", "-q", tmp_path / "git", tmp_path / name / "project"], check=True)
        made.append(Project(tmp_path / name / "project"))
        made[-1].environment |= {
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
            "MLCORE_ORIGIN": str(tmp_path / "git"), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        }  # fmt: skip
    yield made
    s3.stop()


@pytest.fixture
def small_disk(live):
    """A disk of a few megabytes where the schedule of that name works."""
    project, *_ = live
    place = project.folder.parent / "small"
    words = ["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield place
    subprocess.run(["umount", place], check=False)
