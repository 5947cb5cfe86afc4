"""Scheduled runs in an Airflow as `mlcore airflow` starts it: asked by a person, killed, wrong, backwards."""

import contextlib
import json
import subprocess
import urllib.parse

import psutil
import pytest
from standing import SECRET, ended, log_of, patch, running, start, tasks, wait, workspace

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")


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
    state, found = ended(api, "whole", run)
    assert state == "failed" and found["run"] == ("failed", 1)
    wait(lambda: notes(told, "whole"))
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
    wait(lambda: tasks(api, dag, run)["approve"][0] in ("awaiting_input", "deferred"))


def says(api, dag, run, word):
    """A person's word, by the API that the page uses; again where Airflow asks again.

    It does when the answer comes before the scheduler has seen that the task waits, which no person is quick
    enough for.
    """
    path = f"dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"

    def taken():
        state = tasks(api, dag, run)["approve"][0]
        if state in ("awaiting_input", "deferred"):
            with contextlib.suppress(OSError):  # it has an answer already
                patch(api, path, {"chosen_options": [word], "params_input": {}})
        return state == "success"

    wait(taken, pace=1)


def test_a_person_approves_refuses_or_does_not_answer(live, told):
    """The first makes it champion, in that person's name; the second and nobody's word promote nothing."""
    project, api, _ = live
    run = start(api, "approved")
    asks(api, "approved", run)
    late = start(api, "late")  # what the first has computed is restored
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
        state, found = ended(api, dag, one)
        assert state == "success" and found["promote"][0] == "skipped", found
    assert len(json.loads(project.mlcore("history", "--json").stdout)["entries"]) == 1
    wait(lambda: notes(told, "late"))
    assert notes(told, "late")[0]["title"] == "late: not done by its deadline"


def test_a_gate_that_says_no_says_why_and_is_not_asked_again(live, told):
    project, api, _ = live
    run = start(api, "judged")
    state, found = ended(api, "judged", run)
    assert state == "failed" and found["run"] == ("success", 1) and found["promote"] == ("failed", 1), found
    wait(lambda: notes(told, "judged"))
    note = notes(told, "judged")[0]
    assert note["stage"] == "promote" and "the check or the gate said no" in note["reason"]
    assert "REFUSED" in note["reason"] and "REFUSED" in log_of(project, "judged", run, "promote")
    again = start(api, "judged")
    state, found = ended(api, "judged", again)
    assert state == "success" and found["promote"][0] == "skipped", "nothing new: nobody is told twice"
    assert "judges it again" in log_of(project, "judged", again, "promote")


def test_a_try_that_takes_too_long_ends_with_all_its_processes(live, told):
    project, api, _ = live
    run = start(api, "impatient")
    state, found = ended(api, "impatient", run)
    assert state == "failed" and found["run"] == ("failed", 1), found
    assert list(running(project, f"impatient-{run[:10]}")) == []
    assert [one for one in running(project, "ml_core") if "impatient" in str(one.info["cwd"])] == []
    wait(lambda: notes(told, "impatient"))
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


def test_a_dvc_remote_that_is_away_is_tried_again_then_told(live, told):
    project, api, _ = live
    run = start(api, "no_remote")
    state, found = ended(api, "no_remote", run)
    assert state == "failed" and found["run"] == ("failed", 2), found
    wait(lambda: notes(told, "no_remote"))
    assert "the DVC remote did not work" in notes(told, "no_remote")[0]["reason"]
    assert "is it reachable from here, are its credentials set?" in log_of(
        project, "no_remote", run, "run", 2
    )


def test_a_full_disk_is_told_and_not_tried_again(live, told, small_disk):
    project, api, _ = live
    run = start(api, "small_disk")
    state, found = ended(api, "small_disk", run)
    assert state == "failed" and found["run"] == ("failed", 1), found
    wait(lambda: notes(told, "small_disk"))
    assert "No space left on device" in notes(told, "small_disk")[0]["reason"]
