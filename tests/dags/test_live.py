"""Scheduled runs in an Airflow as `mlcore airflow` starts it: asked by a person, killed, wrong, backwards."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

import psutil
import pytest
from standing import SECRET, answer, branch, ended, log_of, patched, running, start, tasks, wait, workspace

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")

CHROMIUM = shutil.which("chromium")


def notes(told, dag):
    """What the team was told of a schedule."""
    return [note for note in told[1] if note["dag"] == dag]


def test_it_listens_on_this_machine_only_and_lists_the_schedules(live):
    project, api, process = live
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    heard = {c.laddr.ip for one in family for c in one.net_connections("inet") if c.status == "LISTEN"}
    assert heard == {"127.0.0.1"}
    said = json.loads(project.mlcore("schedule", "--json").stdout)
    known = {path.stem for path in (project.folder / "conf/schedule").glob("*.yaml")}
    assert {row["schedule"] for row in said["schedules"]} == known
    assert said["airflow"] == "answers"


def test_an_override_that_does_not_compose_fails_at_once_without_retry_and_is_told(live, told):
    project, api, _ = live
    run = start(api, "whole", overrides=["model=gost"])
    state, found = ended(api, "whole", run, 120)
    assert state == "failed" and found["run"] == ("failed", 1)
    wait(lambda: notes(told, "whole"), 60)
    note = notes(told, "whole")[-1]
    assert "conf/model: no option 'gost'" in note["reason"] and note["stage"] == "run"
    assert (
        run in note["run"]
        and urllib.parse.quote(run) in note["link"]
        and note["workspace"].startswith("whole-")
    )
    last = [line for line in log_of(project, "whole", run, "run").splitlines() if "gost" in line]
    assert last, "why stands in the task's log"


def asks(api, dag, run):
    """Wait until a person is asked."""
    wait(lambda: tasks(api, dag, run)["approve"][0] in ("awaiting_input", "deferred"), 200)


def says(api, dag, run, word):
    """A person's word, by the API that the page uses."""
    path = f"dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
    patched(api, path, {"chosen_options": [word], "params_input": {}})


def test_a_person_approves_refuses_or_does_not_answer(live, told):
    """The first makes it champion, in that person's name; the second and nobody's word promote nothing."""
    project, api, _ = live
    late, run = start(api, "late"), start(api, "approved")
    asks(api, "approved", run)
    assert json.loads(project.mlcore("history", "--json").stdout)["entries"] == [], "not before the word"
    says(api, "approved", run, "Approve")
    state, found = ended(api, "approved", run)
    assert state == "success" and found["promote"] == ("success", 1), found
    (entry,) = json.loads(project.mlcore("history", "--json").stdout)["entries"]
    assert entry["evidence"]["approved_by"] == "admin"
    again = start(api, "approved")
    asks(api, "approved", again)
    says(api, "approved", again, "Reject")
    for dag, one in (("approved", again), ("late", late)):
        state, found = ended(api, dag, one, 120)
        assert state == "success" and found["promote"][0] == "skipped", found
    assert len(json.loads(project.mlcore("history", "--json").stdout)["entries"]) == 1
    wait(lambda: notes(told, "late"), 60)
    assert notes(told, "late")[0]["title"] == "late: not done by its deadline"


def test_a_gate_that_says_no_says_why_and_is_not_asked_again(live, told):
    project, api, _ = live
    run = start(api, "judged")
    state, found = ended(api, "judged", run)
    assert state == "failed" and found["run"] == ("success", 1) and found["promote"] == ("failed", 1), found
    wait(lambda: notes(told, "judged"), 60)
    note = notes(told, "judged")[0]
    assert note["stage"] == "promote" and "the check or the gate said no" in note["reason"]
    assert "REFUSED" in note["reason"] and "REFUSED" in log_of(project, "judged", run, "promote")
    again = start(api, "judged")
    state, found = ended(api, "judged", again)
    assert state == "success" and found["promote"][0] == "skipped", "nothing new: nobody is told twice"
    assert "judges it again" in log_of(project, "judged", again, "promote")


def started_by_asset(api, dag, count):
    """The run that made it ``count`` runs, after its end."""
    wait(lambda: api.get(f"dags/{dag}/dagRuns")["total_entries"] == count, 120)
    run = api.get(f"dags/{dag}/dagRuns?order_by=-id")["dag_runs"][0]
    assert run["run_type"] == "asset_triggered"
    assert ended(api, dag, run["dag_run_id"])[0] == "success"


def test_new_rows_an_event_and_a_file_that_arrives_start_a_run(live):
    """Rows that ingest saw before are no news: a second look announces nothing."""
    project, api, _ = live
    for _ in range(2):
        assert ended(api, "looks", start(api, "looks"))[0] == "success"
    started_by_asset(api, "listens", 1)
    inbox = project.folder.parent / "inbox/rows.ready"
    inbox.write_text("rows are there\n")
    (asset,) = api.get("assets?name_pattern=fresh_rows")["assets"]
    api.get("assets/events", {"asset_id": asset["id"], "extra": {"from": "a test"}})
    started_by_asset(api, "listens", 2)
    started_by_asset(api, "arrives", 1)
    assert not inbox.exists(), "the file is taken away"


def test_two_years_of_missed_hours_are_one_run(live):
    _, api, _ = live
    patched(api, "dags/hourly", {"is_paused": False})
    wait(lambda: api.get("dags/hourly/dagRuns")["dag_runs"], 120)
    (run,) = api.get("dags/hourly/dagRuns")["dag_runs"]
    assert ended(api, "hourly", run["dag_run_id"])[0] == "success"
    assert api.get("dags/hourly/dagRuns")["total_entries"] <= 2, "an hour may have turned meanwhile"


def test_a_killed_task_is_tried_again_to_the_same_lock_and_leaves_no_orphan(live, finished):
    project, api, _ = live
    words = ["model=gaussian_nb", "search=random", "search.strategy.tries=60"]
    run = start(api, "whole", overrides=words)
    wait(lambda: list(running(project, "ml_core", "run", "--wait")), 120)
    step = next(iter(running(project, "ml_core", "run", "--wait")))
    time.sleep(1)
    step.parent().parent().kill()  # Airflow's process of the task; what it started must not go on
    wait(lambda: not step.is_running() or step.status() == psutil.STATUS_ZOMBIE, 10)
    finished.mlcore("compose", *words)
    finished.mlcore("run")
    state, found = ended(api, "whole", run)
    assert state == "success" and found["run"] == ("success", 2), found
    assert branch(project, "whole", run) == finished.read("dvc.lock")


def test_a_try_that_takes_too_long_ends_with_all_its_processes(live, told):
    project, api, _ = live
    run = start(api, "impatient")
    state, found = ended(api, "impatient", run, 120)
    assert state == "failed" and found["run"] == ("failed", 1), found
    assert list(running(project, f"impatient-{run[:10]}")) == []
    assert [one for one in running(project, "ml_core") if "impatient" in str(one.info["cwd"])] == []
    wait(lambda: notes(told, "impatient"), 60)
    assert "imeout" in notes(told, "impatient")[0]["reason"]


def everything(project):
    """Bytes of every file of the project, Airflow's and MLflow's among them, and of all that git knows."""
    for path in project.folder.rglob("*"):
        with contextlib.suppress(OSError):  # a folder, or gone meanwhile
            yield str(path), path.read_bytes()
    git = ["git", "log", "--all", "-p", "--text"]
    yield "git", subprocess.run(git, cwd=project.folder, capture_output=True, check=True).stdout


def test_a_secret_reaches_the_command_and_nothing_else(live):
    project, api, _ = live
    run = start(api, "secret")
    state, found = ended(api, "secret", run)
    assert state == "success", found
    told = json.loads((workspace(project, "secret", run) / "out/ingest.json").read_text())
    assert told["rows"] == 600, "the database was read by the address that only the variable holds"
    known = dict(everything(project))
    assert {"git", str(project.folder / "mlflow.db")} < set(known)
    assert [name for name, text in known.items() if SECRET.encode() in text] == []


def test_a_ledger_that_is_away_fails_no_run_and_gets_it_with_the_next(live):
    project, api, _ = live
    run = start(api, "no_ledger")
    state, found = ended(api, "no_ledger", run)
    assert state == "success" and found["promote"][0] == "skipped", found
    receipt = answer(api, "no_ledger", run, "run")["receipt"]
    assert (project.folder / ".mlcore/pending" / receipt / "run.json").exists()
    following = start(api, "crowd", overrides=["seed=40"])
    assert ended(api, "crowd", following)[0] == "success"
    assert list((project.folder / ".mlcore/pending").iterdir()) == []
    assert receipt in project.read(".mlcore/runs.jsonl")


def test_twenty_runs_at_once_in_a_pool_of_two_all_succeed(live):
    """Three of them new, the others the same again, all through one cache and one ledger."""
    project, api, _ = live
    runs = [start(api, "crowd", overrides=[f"seed={41 + i % 3}"]) for i in range(20)]
    for run in runs:
        state, found = ended(api, "crowd", run)
        assert state == "success" and found["run"] == ("success", 1), found
        assert "lock" not in log_of(project, "crowd", run, "run").lower().replace("dvc.lock", "")
    locks = {branch(project, "crowd", run) for run in runs}
    assert len(locks) == 3


def test_a_dvc_remote_that_is_away_is_tried_again_then_told(live, told):
    project, api, _ = live
    run = start(api, "no_remote")
    state, found = ended(api, "no_remote", run)
    assert state == "failed" and found["run"] == ("failed", 2), found
    wait(lambda: notes(told, "no_remote"), 60)
    assert "the DVC remote did not work" in notes(told, "no_remote")[0]["reason"]
    assert "is it reachable from here, are its credentials set?" in log_of(
        project, "no_remote", run, "run", 2
    )


def test_a_full_disk_is_told_and_not_tried_again(live, told, small_disk):
    project, api, _ = live
    run = start(api, "small_disk")
    state, found = ended(api, "small_disk", run)
    assert state == "failed" and found["run"] == ("failed", 1), found
    wait(lambda: notes(told, "small_disk"), 60)
    assert "No space left on device" in notes(told, "small_disk")[0]["reason"]


def test_a_backfill_trains_on_what_was_known_and_promotes_nothing(live):
    project, api, _ = live
    before = project.mlcore("history", "--json").stdout
    body = {
        "dag_id": "history", "from_date": "2026-01-02T00:00:00Z", "to_date": "2026-01-03T00:00:00Z",
        "run_backwards": False, "max_active_runs": 1, "reprocess_behavior": "none", "dag_run_conf": {},
    }  # fmt: skip
    patched(api, "dags/history", {"is_paused": False})
    wait(lambda: api.get("backfills", body), 60)  # a sqlite that is busy says: database is locked

    def runs():
        known = api.get("dags/history/dagRuns?limit=50")["dag_runs"]
        return [run for run in known if run["run_type"] == "backfill"]

    wait(lambda: len(runs()) == 2 and all(run["state"] in ("success", "failed") for run in runs()), 400)
    rows = []
    for run in sorted(runs(), key=lambda run: run["logical_date"]):
        state, found = ended(api, "history", run["dag_run_id"])
        assert state == "success" and found["promote"][0] == "skipped", found
        folder = workspace(project, "history", run["dag_run_id"])
        rows.append(json.loads((folder / "out/ingest.json").read_text())["rows"])
    assert rows == [400, 600]  # of 600 rows, 200 were known each day
    assert project.mlcore("history", "--json").stdout == before


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
