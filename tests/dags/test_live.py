"""Airflow as `mlcore airflow` starts it, and scheduled runs in it: right, killed, wrong, again, backwards."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
from project import Project, copy_project

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")

from ml_core.cli.standalone import Api  # noqa: E402
from ml_core.workspace import safe  # noqa: E402

CHROMIUM = shutil.which("chromium")
ROWS = "".join(
    f"{7919 * i % 997},{104729 * i % 991},2026-01-0{1 + i % 3},"
    f"{'yes' if (7919 * i % 997 > 500) != (i % 11 == 0) else 'no'}\n"
    for i in range(600)
)
SCHEDULES = {
    # the whole recipe in one task, told of failures
    "whole": (
        "# One task.\nwhen: null\ngranularity: pipeline\npromote: false\nnotify: [team]\nretry_delay: 1s\n"
    ),
    "steps": "# A task a stage.\nwhen: null\nretry_delay: 1s\nnotify: [team]\n",
    "history": (
        "# Backwards.\nwhen: '@daily'\ngranularity: pipeline\nas_of: true\nretry_delay: 1s\n"
        "overrides: [data=csv, data.path=rows.csv, data.target=y, data.known_at=seen, model=gaussian_nb]\n"
    ),
}


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def live(tmp_path_factory, told):
    """A project with schedules of its own, and Airflow running for it."""
    folder = copy_project(tmp_path_factory.mktemp("live") / "project")
    project = Project(folder)
    for path in (folder / "conf/schedule").glob("*.yaml"):
        path.unlink()
    for name, text in SCHEDULES.items():
        project.write(f"conf/schedule/{name}.yaml", text)
    project.write("rows.csv", "a,b,seen,y\n" + ROWS)
    project.git("add", "-A")
    project.git("commit", "-qm", "Schedules")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project.environment |= {
        "AIRFLOW_HOME": str(folder / ".mlcore/airflow"),
        "AIRFLOW_CONN_TEAM": json.dumps({"conn_type": "http", "extra": {"url": told[0]}}),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    }
    process = subprocess.Popen(
        ["mlcore", "airflow", "--port", str(port)], cwd=folder, env=project.environment,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        first = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in first, first
        patch = pytest.MonkeyPatch()
        patch.setenv("AIRFLOW_HOME", project.environment["AIRFLOW_HOME"])
        api = Api(f"http://127.0.0.1:{port}")
        wait(lambda: len(api.get("dags?limit=50")["dags"]) == len(SCHEDULES), 120)
        for name in SCHEDULES:
            patched(api, f"dags/{name}", {"is_paused": name == "history"})
        yield project, api, process
        patch.undo()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def patched(api, path, body):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {api.token()}"}
    asked = urllib.request.Request(
        f"{api.address}/api/v2/{path}", json.dumps(body).encode(), headers, method="PATCH"
    )
    urllib.request.urlopen(asked, timeout=30).read()


def wait(true, seconds):
    until = time.time() + seconds
    while time.time() < until:
        with contextlib.suppress(OSError):
            if true():
                return
        time.sleep(0.5)
    pytest.fail(f"not within {seconds} s")


def start(api, dag, **conf):
    """Trigger a DAG as its form does; the run's id."""
    return api.get(f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]


def ended(api, dag, run, seconds=400):
    """Wait for a run: (its state, task -> (state, tries))."""
    wait(lambda: api.get(f"dags/{dag}/dagRuns/{run}")["state"] in ("success", "failed"), seconds)
    tasks = api.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
    return api.get(f"dags/{dag}/dagRuns/{run}")["state"], {
        t["task_id"]: (t["state"], t["try_number"]) for t in tasks
    }


def branch(project, dag, run):
    """dvc.lock on the branch of a run."""
    return project.git("show", f"candidate/{safe(f'{dag}-{run}')}:dvc.lock")


def running(project, *words):
    """Processes whose command holds all the words and the project's folder."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if all(word in line for word in words) and str(project.folder) in f"{process.info['cwd']}":
            yield process


def test_it_listens_on_this_machine_only_and_lists_the_schedules(live):
    project, api, process = live
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    heard = {c.laddr.ip for one in family for c in one.net_connections("inet") if c.status == "LISTEN"}
    assert heard == {"127.0.0.1"}
    said = json.loads(project.mlcore("schedule", "--json").stdout)
    assert {row["schedule"] for row in said["schedules"]} == set(SCHEDULES)
    assert said["airflow"] == "answers"


def test_stages_and_the_pipeline_give_what_a_shell_gives_and_again_trains_nothing(live, finished):
    project, api, _ = live
    commits = project.git("rev-parse", "HEAD")
    run = start(api, "steps", reason="spring")
    state, tasks = ended(api, "steps", run)
    assert state == "success", tasks
    assert {name for name in tasks if name not in ("open", "publish", "promote")} == {
        "ingest", "prepare", "search", "train", "evaluate", "explain", "log",
    }  # fmt: skip
    assert tasks["promote"] == ("success", 1)
    assert json.loads(project.mlcore("history", "--json").stdout), "the first champion"
    again = start(api, "whole")
    state, tasks = ended(api, "whole", again)
    assert state == "success", tasks
    shell = finished.read("dvc.lock")
    assert branch(project, "steps", run) == branch(project, "whole", again) == shell
    result = api.get(f"dags/whole/dagRuns/{again}/taskInstances/run/xcomEntries/return_value")["value"]
    result = json.loads(result) if isinstance(result, str) else result
    assert set(result["stages"].values()) == {"restored"}, "nothing new: nothing ran"
    tags = json.loads(project.mlcore("trace", result["run_id"], "--json").stdout)
    assert "steps" in json.dumps(tags)
    assert project.git("rev-parse", "HEAD") == commits and project.git("status", "--porcelain") == ""
    links = api.get(f"dags/whole/dagRuns/{again}/taskInstances/run/links")["extra_links"]
    assert result["run_id"] in links["MLflow run"] and result["run_id"] in links["Report"]


def test_an_override_that_does_not_compose_fails_at_once_without_retry_and_is_told(live, told):
    project, api, _ = live
    run = start(api, "whole", overrides=["model=gost"])
    state, tasks = ended(api, "whole", run, 120)
    assert state == "failed" and tasks["run"] == ("failed", 1)
    wait(lambda: told[1], 60)
    note = told[1][-1]
    assert note["dag"] == "whole" and "conf/model: no option 'gost'" in note["reason"]
    assert run in note["run"] and note["workspace"].startswith("whole-")


def test_a_killed_task_is_tried_again_to_the_same_lock_and_leaves_no_orphan(live, finished):
    project, api, _ = live
    run = start(api, "whole", overrides=["search=random", "search.strategy.tries=200"])
    wait(lambda: list(running(project, "ml_core", "run", "--wait")), 120)
    step = next(iter(running(project, "ml_core", "run", "--wait")))
    time.sleep(2)
    leader = step.parent()
    leader.kill()
    wait(lambda: not step.is_running() or step.status() == psutil.STATUS_ZOMBIE, 10)
    state, tasks = ended(api, "whole", run)
    assert state == "success" and tasks["run"] == ("success", 2), tasks
    finished.mlcore("compose", "search=random", "search.strategy.tries=200")
    finished.mlcore("run")
    assert branch(project, "whole", run) == finished.read("dvc.lock")


def test_a_backfill_trains_on_what_was_known_and_promotes_nothing(live):
    project, api, _ = live
    body = {
        "dag_id": "history", "from_date": "2026-01-02T00:00:00Z", "to_date": "2026-01-03T00:00:00Z",
        "run_backwards": False, "max_active_runs": 1, "reprocess_behavior": "none", "dag_run_conf": {},
    }  # fmt: skip
    patched(api, "dags/history", {"is_paused": False})
    api.get("backfills", body)

    def runs():
        known = api.get("dags/history/dagRuns?limit=50")["dag_runs"]
        return [run for run in known if run["run_type"] == "backfill"]

    wait(lambda: len(runs()) == 2 and all(run["state"] in ("success", "failed") for run in runs()), 400)
    rows = []
    for run in sorted(runs(), key=lambda run: run["logical_date"]):
        state, tasks = ended(api, "history", run["dag_run_id"])
        assert state == "success" and tasks["promote"][0] == "skipped", tasks
        folder = project.folder / ".mlcore/workspaces" / safe(f"history-{run['dag_run_id']}")
        rows.append(json.loads((folder / "out/ingest.json").read_text())["rows"])
    assert rows == [400, 600]  # of 600 rows, 200 were known each day


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium")
def test_the_page_shows_the_graph_the_form_and_a_finished_run(live, tmp_path):
    """Pictures for docs/schedules.md are made with MLCORE_PICTURES=docs/images."""
    from playwright.sync_api import sync_playwright

    project, api, _ = live
    known = json.loads(
        (project.folder / ".mlcore/airflow/simple_auth_manager_passwords.json.generated").read_text()
    )
    user, word = next(iter(known.items()))
    place = Path(os.environ.get("MLCORE_PICTURES", tmp_path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"{api.address}/auth/login")
        page.locator("input[name=username]").fill(user)
        page.locator("input[name=password]").fill(word)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"{api.address}/dags/steps?graph=true")
        for name in ("open", "ingest", "prepare", "search", "train", "evaluate", "explain", "log", "publish"):
            page.get_by_text(name, exact=True).first.wait_for()
        page.screenshot(path=place / "airflow-run.png")
        page.get_by_role("button", name="Trigger").first.click()
        page.get_by_text("overrides").first.wait_for()
        page.screenshot(path=place / "airflow-form.png")
        browser.close()
    assert all((place / name).stat().st_size > 10_000 for name in ("airflow-run.png", "airflow-form.png"))
