"""Five ways to run the recipe, one result: the promise that makes a timetable safe to add."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import urllib.parse

import pytest
from project import Project
from standing import answer, branch, ended, start, tasks, workspace
from test_runner import results

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")

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


def test_dvc_repro_mlcore_run_airflow_by_stage_airflow_in_one_and_two_hosts_agree(
    live, finished, hosts, tmp_path
):
    project, api, _ = live
    commits = project.git("rev-parse", "HEAD")
    run = start(api, "steps", reason="spring")
    repeated = Project(tmp_path / "repro")
    finished.git("clone", "-q", str(finished.folder), str(repeated.folder))
    repeated.dvc("repro")
    state, found = ended(api, "steps", run)
    assert state == "success", found
    assert {name: found[name] for name in STAGES} == dict.fromkeys(STAGES, ("success", 1)), "each by its task"
    shutil.rmtree(project.folder / ".dvc/cache")  # else the other way would only restore
    other = start(api, "whole")
    ways = {
        "mlcore run": results(finished),
        "dvc repro": results(repeated),
        "two hosts": results(by_turns(hosts)),
        "airflow, a task a stage": results(Project(workspace(project, "steps", run))),
    }
    state, found = ended(api, "whole", other)
    assert state == "success", found
    assert set(answer(api, "whole", other, "run")["stages"].values()) == {"ran"}
    ways["airflow, one task"] = results(Project(workspace(project, "whole", other)))
    wanted = ways.pop("mlcore run")
    assert {"lock", "out/evaluate.json", "out/train/model.skops"} <= set(wanted)
    for way, one in ways.items():
        assert {name for name in wanted | one if wanted.get(name) != one.get(name)} == set(), way
    assert tags_of(project, answer(api, "steps", run, "publish")["run_id"])["reason"] == "spring"
    assert branch(project, "steps", run) == branch(project, "whole", other) == wanted["lock"]
    assert project.git("rev-parse", "HEAD") == commits and project.git("status", "--porcelain") == ""


def tags_of(project, run_id):
    """What MLflow's database says of a run."""
    with contextlib.closing(sqlite3.connect(project.folder / "mlflow.db")) as base:
        return dict(base.execute("select key, value from tags where run_uuid = ?", [run_id]))


@pytest.mark.parametrize("dag", ["steps", "whole"])
def test_nothing_new_trains_nothing(live, dag):
    """By stage, what is known is brought back by the first task, and the stages' own are skipped."""
    project, api, _ = live
    run = start(api, dag)
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
    assert tags["airflow.dag"] in ("steps", "whole") and tags["airflow.try"] == "1"
    assert tags["airflow.run"].startswith("manual__")
    assert urllib.parse.quote(tags["airflow.run"]) in tags["airflow.link"]
    links = api.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{'publish' if dag == 'steps' else 'run'}/links")
    assert all(last["run_id"] in links["extra_links"][name] for name in ("MLflow run", "Report"))
    assert branch(project, dag, run, "params.yaml") == project.read("params.yaml")
