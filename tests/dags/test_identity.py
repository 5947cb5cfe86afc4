"""Five ways to run the recipe, one result: the promise that makes a timetable safe to add."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import urllib.parse
from pathlib import Path

import psutil
import pytest
from project import Project
from standing import answer, branch, ended, running, start, tasks, wait, workspace
from test_runner import results

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")

CHROMIUM = shutil.which("chromium")
STAGES = ["ingest", "prepare", "search", "train", "evaluate", "explain", "log"]


def by_turns(hosts):
    """Stages by turns on two hosts, handed over by the DVC remote; nothing runs twice. The last's folder."""
    commit, done = hosts[0].git("rev-parse", "HEAD").strip(), set()
    for host, last in zip([*hosts, hosts[0]], ["search", "evaluate", "log"], strict=True):
        words = ["work", "run-1", "--commit", commit, "--stage", last]
        told = json.loads(host.mlcore("workspace", *words).stdout.splitlines()[-1])
        ran = {stage for stage, what in told["stages"].items() if what == "ran"}
        assert ran and not ran & done, "each on one host"
        done |= ran
    assert done == set(STAGES)
    said = hosts[1].mlcore("workspace", "publish", "run-1", "--commit", commit).stdout.splitlines()[-1]
    shown = ["git", "show", f"{json.loads(said)['branch']}:dvc.lock"]
    origin = hosts[0].environment["MLCORE_ORIGIN"]
    lock = subprocess.run(shown, cwd=origin, capture_output=True, check=True)
    place = Project(hosts[1].folder / ".mlcore/workspaces/run-1")
    assert lock.stdout.decode() == place.read("dvc.lock")
    return place


@pytest.fixture(scope="module")
def killed(live):
    """A run in one task that lost its processes when it had trained half, and was tried again; its id."""
    project, api, _ = live
    run = start(api, "whole", reason="spring")
    wait((workspace(project, "whole", run) / "out/prepare.json").exists)
    step = next(iter(running(project, "ml_core", "run", "--wait")))
    step.parent().parent().kill()  # Airflow's process of the task; what it started must not go on
    wait(lambda: not step.is_running() or step.status() == psutil.STATUS_ZOMBIE)
    state, found = ended(api, "whole", run)
    assert state == "success" and found["run"] == ("success", 2), found
    assert answer(api, "whole", run, "run")["stages"]["train"] == "ran"
    return run


def test_a_killed_task_is_tried_again_to_the_same_lock_and_leaves_no_orphan(live, killed, finished):
    project, api, _ = live
    assert branch(project, "whole", killed) == finished.read("dvc.lock")
    tags = tags_of(project, answer(api, "whole", killed, "run")["run_id"])
    assert (tags["reason"], tags["airflow.try"]) == ("spring", "2")


def test_dvc_repro_mlcore_run_airflow_by_stage_airflow_in_one_and_two_hosts_agree(
    live, killed, finished, hosts, tmp_path
):
    project, api, _ = live
    commits = project.git("rev-parse", "HEAD")
    shutil.rmtree(project.folder / ".dvc/cache")  # else it would only restore
    run = start(api, "steps")
    repeated = Project(tmp_path / "repro")
    finished.git("clone", "-q", str(finished.folder), str(repeated.folder))
    repeated.dvc("repro")
    ways = {
        "mlcore run": results(finished),
        "dvc repro": results(repeated),
        "two hosts": results(by_turns(hosts)),
        "airflow, one task": results(Project(workspace(project, "whole", killed))),
    }
    state, found = ended(api, "steps", run)
    assert state == "success", found
    assert {name: found[name] for name in STAGES} == dict.fromkeys(STAGES, ("success", 1)), "each by its task"
    ways["airflow, a task a stage"] = results(Project(workspace(project, "steps", run)))
    wanted = ways.pop("mlcore run")
    assert {"lock", "out/evaluate.json", "out/train/model.skops"} <= set(wanted)
    for way, one in ways.items():
        assert {name for name in wanted | one if wanted.get(name) != one.get(name)} == set(), way
    assert branch(project, "steps", run) == branch(project, "whole", killed) == wanted["lock"]
    assert project.git("rev-parse", "HEAD") == commits and project.git("status", "--porcelain") == ""


def tags_of(project, run_id):
    """What MLflow's database says of a run."""
    with contextlib.closing(sqlite3.connect(project.folder / "mlflow.db")) as base:
        return dict(base.execute("select key, value from tags where run_uuid = ?", [run_id]))


@pytest.fixture(scope="module")
def again(live):
    """A run of each granularity when nothing is new; their ids."""
    return {dag: start(live[1], dag) for dag in ("steps", "whole")}


@pytest.mark.parametrize("dag", ["steps", "whole"])
def test_nothing_new_trains_nothing(live, again, dag):
    """By stage, what is known is brought back by the first task, and the stages' own are skipped."""
    project, api, _ = live
    run = again[dag]
    state, found = ended(api, dag, run)
    assert state == "success", found
    if dag == "steps":
        assert {name: found[name][0] for name in STAGES} == dict.fromkeys(STAGES, "skipped")
        assert answer(api, dag, run, "open")["restored"] == STAGES
        assert tasks(api, dag, run)["publish"] == ("success", 1)
    else:
        assert set(answer(api, dag, run, "run")["stages"].values()) == {"restored"}
    last = answer(api, dag, run, "publish" if dag == "steps" else "run")
    tags = tags_of(project, last["run_id"])
    assert tags["airflow.dag"] in ("steps", "whole") and int(tags["airflow.try"]) in (1, 2)
    assert tags["airflow.run"].startswith("manual__")
    assert urllib.parse.quote(tags["airflow.run"]) in tags["airflow.link"]
    links = api.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{'publish' if dag == 'steps' else 'run'}/links")
    assert all(last["run_id"] in links["extra_links"][name] for name in ("MLflow run", "Report"))
    assert branch(project, dag, run, "params.yaml") == project.read("params.yaml")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium")
def test_the_page_shows_the_graph_of_a_finished_run_and_the_form(live, tmp_path):
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
        first = api.get("dags/steps/dagRuns?order_by=id")["dag_runs"][0]["dag_run_id"]
        page.goto(f"{api.address}/dags/steps/runs/{urllib.parse.quote(first)}")
        page.get_by_text("publish", exact=True).first.wait_for()
        page.set_viewport_size({"width": 1500, "height": 620})
        page.keyboard.press("g")
        for name in ("open", *STAGES, "publish"):
            page.locator(".react-flow__node").get_by_text(name, exact=True).wait_for()
        page.screenshot(path=place / "airflow-run.png")
        page.set_viewport_size({"width": 1500, "height": 900})
        page.goto(f"{api.address}/dags/steps")
        page.get_by_role("button", name="Trigger").first.click()
        page.get_by_text("overrides").first.wait_for()
        page.screenshot(path=place / "airflow-form.png")
        browser.close()
    assert all((place / name).stat().st_size > 10_000 for name in ("airflow-run.png", "airflow-form.png"))
