"""What starts a run by itself, in an Airflow as `mlcore airflow` starts it."""

import json

import pytest
from standing import answer, ended, patched, start, wait, workspace

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")


def started_by_asset(api, dag, count):
    """The run that made it ``count`` runs, after its end."""
    wait(lambda: api.get(f"dags/{dag}/dagRuns")["total_entries"] == count)
    run = api.get(f"dags/{dag}/dagRuns?order_by=-id")["dag_runs"][0]
    assert run["run_type"] == "asset_triggered"
    assert ended(api, dag, run["dag_run_id"])[0] == "success"
    assert set(answer(api, dag, run["dag_run_id"], "run")["stages"]) == {"ingest"}, "the stages it names"


def test_new_rows_an_event_and_a_file_that_arrives_start_a_run(live):
    """Rows that ingest saw before are no news: a second look announces nothing."""
    project, api, _ = live
    for _ in range(2):
        assert ended(api, "looks", start(api, "looks"))[0] == "success"
    started_by_asset(api, "listens", 1)
    inbox = project.folder.parent / "inbox/rows.ready"
    inbox.write_text("rows are there\n")
    (asset,) = api.get("assets?name_pattern=fresh_rows")["assets"]
    wait(lambda: api.get("assets/events", {"asset_id": asset["id"], "extra": {"from": "a test"}}))
    started_by_asset(api, "listens", 2)
    started_by_asset(api, "arrives", 1)
    assert not inbox.exists(), "the file is taken away"


def test_a_message_starts_a_run_and_the_next_one_another(live, mailbox):
    """Through Airflow's provider for Redis, in the triggerer, from a queue that speaks its protocol."""
    _, api, _ = live
    wait(lambda: mailbox.asked)  # the triggerer listens
    asked = mailbox.asked
    assert mailbox.say("rows", "message 1")
    started_by_asset(api, "messaged", 1)
    wait(lambda: mailbox.asked > asked)  # and listens again
    assert mailbox.say("rows", "message 2")
    started_by_asset(api, "messaged", 2)
    (asset,) = api.get("assets?name_pattern=messaged_queue")["assets"]
    told = api.get(f"assets/events?asset_id={asset['id']}&order_by=timestamp")["asset_events"]
    assert [event["extra"]["payload"]["data"] for event in told] == ["message 1", "message 2"]


def test_two_years_of_missed_hours_are_one_run(live):
    _, api, _ = live
    patched(api, "dags/hourly", {"is_paused": False})
    wait(lambda: api.get("dags/hourly/dagRuns")["dag_runs"])
    (run,) = api.get("dags/hourly/dagRuns")["dag_runs"]
    assert ended(api, "hourly", run["dag_run_id"])[0] == "success"
    assert api.get("dags/hourly/dagRuns")["total_entries"] <= 2, "an hour may have turned meanwhile"


def test_a_backfill_trains_on_what_was_known_and_promotes_nothing(live):
    project, api, _ = live
    body = {
        "dag_id": "history", "from_date": "2026-01-02T00:00:00Z", "to_date": "2026-01-03T00:00:00Z",
        "run_backwards": False, "max_active_runs": 1, "reprocess_behavior": "none", "dag_run_conf": {},
    }  # fmt: skip
    patched(api, "dags/history", {"is_paused": False})
    wait(lambda: api.get("backfills", body))  # a sqlite that is busy says: database is locked

    def runs():
        known = api.get("dags/history/dagRuns?limit=50")["dag_runs"]
        return [run for run in known if run["run_type"] == "backfill"]

    wait(lambda: len(runs()) == 2 and all(run["state"] in ("success", "failed") for run in runs()), pace=1)
    rows, trained = [], set()
    for run in sorted(runs(), key=lambda run: run["logical_date"]):
        state, found = ended(api, "history", run["dag_run_id"])
        assert state == "success" and found["promote"][0] == "skipped", found
        folder = workspace(project, "history", run["dag_run_id"])
        rows.append(json.loads((folder / "out/ingest.json").read_text())["rows"])
        trained.add(answer(api, "history", run["dag_run_id"], "run")["run_id"])
    assert rows == [400, 600]  # of 600 rows, 200 were known each day
    known = json.loads(project.mlcore("history", "--json").stdout)["entries"]
    assert None not in trained and not trained & {entry["run_id"] for entry in known}, known
