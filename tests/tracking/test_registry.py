"""MLflow's registry as promotion uses it: a list that only grows, a version a run, what survives what."""

import shutil
import threading
from pathlib import Path

import laid_out
import pytest

from ml_core.promotion import history
from ml_core.tracking.mlflow import Mlflow

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make


@pytest.fixture
def tracker(empty_store):
    shutil.copy(empty_store, "mlflow.db")
    return Mlflow()


def test_what_is_appended_stays(tracker):
    registry = tracker.registry("churn")
    assert registry.entries() == {} and registry.aliases() == {} and registry.versions() == []
    assert registry.append("000001", "one") and registry.append("000001", "one")
    assert not registry.append("000001", "another")
    assert registry.entries() == {"000001": "one"}
    with pytest.raises(ValueError, match="allowed are 5000"):
        registry.append("000002", "x" * 5001)
    with pytest.raises(ValueError, match="promote.model: got 'a/b'"):
        tracker.registry("a/b")


def test_of_many_writers_of_one_number_one_wins(tracker):
    won, go = [], threading.Barrier(4)

    def write(i):
        go.wait()
        if tracker.registry("churn").append("000001", f"by {i}"):
            won.append(f"by {i}")

    writers = [threading.Thread(target=write, args=[i]) for i in range(4)]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    assert len(won) == 1 and tracker.registry("churn").entries() == {"000001": won[0]}


def test_the_history_outlives_alias_version_model_run_and_experiment(tracker, make):
    registry = tracker.registry("churn")
    version = registry.register(tracker.record(make()), {"git.sha": "0" * 40})
    entry = history.next_entry(
        history.read(registry), history.PROMOTED, version.version, version.run_id, by="a", why="w"
    )
    assert history.commit(registry, entry, "a")
    assert registry.aliases() == {"champion": "1"} and tracker.champion("churn") == version.run_id
    with tracker.client() as client:
        assert client.get_model_version("churn", "1").tags["git.sha"] == "0" * 40
        assert "promoted to version 1" in client.get_registered_model("churn").tags["history"]
        client.delete_registered_model("churn")
        client.delete_experiment(client.get_experiment_by_name("promotions").experiment_id)
    assert history.read(registry).head.version == "1"
    assert registry.append("000002", "goes on")
    assert len([key for key in registry.entries() if key.isdigit()]) == 2


def test_a_run_has_one_version_and_shed_it_keeps_its_numbers(tracker, make):
    registry, run_id = tracker.registry("churn"), tracker.record(make())
    assert registry.register(run_id, {}) == registry.register(run_id, {})
    registry.drop("1")
    assert registry.versions() == []
    registry.shed(run_id)
    run = tracker.read(run_id)
    assert run.metrics["evaluate/auc"] == 0.93 and run.tags["files.removed"]
    with pytest.raises(KeyError):
        tracker.fetch(run_id, "report.html", Path("got"))
