"""Runs of one schedule that share a ledger: one that is away, and twenty at once."""

import pytest
from standing import answer, branch, ended, log_of, start

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")


def test_a_ledger_that_is_away_fails_no_run_and_gets_it_with_the_next(live):
    project, api, _ = live
    run = start(api, "no_ledger")
    state, found = ended(api, "no_ledger", run)
    assert state == "success" and found["promote"][0] == "skipped", found
    receipt = answer(api, "no_ledger", run, "run")["receipt"]
    assert (project.folder / ".mlcore/pending" / receipt / "run.json").exists()
    following = start(api, "crowd", overrides=["seed=31"])
    assert ended(api, "crowd", following)[0] == "success"
    told = answer(api, "crowd", following, "run")
    assert set(told["stages"].values()) == {"restored"} and told["run_id"], "sent by a run without news"
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
