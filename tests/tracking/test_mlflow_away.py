"""Stores that are away, of another MLflow or none at all, and what MLflow refuses."""

import socket
import sqlite3
import threading
import time
from pathlib import Path

import laid_out
import pytest

from ml_core.tracking import bundle, store
from ml_core.tracking.mlflow import Mlflow
from ml_core.tracking.run import RunRefused, TrackerDown

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make
tracker, client = laid_out.tracker, laid_out.client


def test_a_deleted_experiment_is_named_with_the_way_back(tracker, client, make):
    tracker.record(make())
    known = client.get_experiment_by_name("ml_core").experiment_id
    client.delete_experiment(known)
    with pytest.raises(TrackerDown, match=f"'ml_core' was deleted.*mlflow experiments restore -x {known}"):
        tracker.record(make(receipt="b" * 32))


@pytest.mark.parametrize(
    ("revision", "said"),
    [("bda7b8c39065", r"form of an older MLflow\nback it up, then type `mlflow db upgrade 'sqlite:///.*mlflow.db'`"),
     ("ffffffffffff", "written by a newer MLflow than the installed")],
)  # fmt: skip
def test_a_store_of_another_mlflow_is_told_and_left_alone(tracker, make, revision, said):
    assert revision in store.revisions()[1] or revision == "f" * 12
    with sqlite3.connect("mlflow.db") as base:
        base.execute("update alembic_version set version_num = ?", [revision])
    base.close()
    before = Path("mlflow.db").read_bytes()
    with pytest.raises(TrackerDown, match=said) as caught:
        tracker.record(make())
    assert str(caught.value).count("\n") <= 1
    assert Path("mlflow.db").read_bytes() == before


def test_what_is_no_store_at_all_is_told_and_left_alone(make):
    Path("mlflow.db").write_bytes(b"no database" * 999)
    with pytest.raises(TrackerDown, match=r"mlflow\.db cannot be read \(file is not a database\)"):
        Mlflow().record(make())
    assert Path("mlflow.db").read_bytes() == b"no database" * 999
    Path("mlflow.db").unlink()
    with sqlite3.connect("mlflow.db") as base:
        base.execute("create table mine (x)")
    base.close()
    with pytest.raises(TrackerDown, match="older MLflow\nmove it away, and a new one is made"):
        Mlflow().record(make())


def test_the_newest_revision_we_read_is_the_one_mlflow_knows():
    from mlflow.store.db.utils import _get_latest_schema_revision

    assert store.revisions()[0] == _get_latest_schema_revision()


def test_a_folder_that_cannot_be_written_is_a_reason(tracker, make, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/x/mlruns")

    monkeypatch.setattr(bundle, "stage", full)
    with pytest.raises(TrackerDown, match=r"store cannot be used: No space left on device \(/x/mlruns\)"):
        tracker.record(make())


def test_a_dead_port_costs_milliseconds_and_names_no_password(make, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:geheim@127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(TrackerDown) as caught:
        Mlflow().record(make())
    assert time.monotonic() - began < 1
    assert str(caught.value) == "MLflow is unreachable (Connection refused at http://***@127.0.0.1:9)"


@pytest.mark.parametrize("uri", ["http://{}", "postgresql://me:x@{}/base"])
def test_a_server_that_never_answers_is_given_up(make, uri, monkeypatch):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(0)
        where = "{}:{}".format(*mute.getsockname())
        others = [socket.socket() for _ in range(3)]  # a full backlog drops further callers
        for other in others:
            other.setblocking(False)
            other.connect_ex(mute.getsockname())
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(where))
        began = time.monotonic()
        with pytest.raises(TrackerDown, match="unreachable"):
            Mlflow(patience=0.5).record(make())
        assert time.monotonic() - began < 3
        for other in others:
            other.close()


def test_a_name_that_takes_for_ever_to_resolve_is_given_up(make, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] if done.wait(20) else [])
    began = time.monotonic()
    with pytest.raises(TrackerDown, match=r"no answer in 0\.3 s at http://nowhere\.example"):
        Mlflow("http://nowhere.example", patience=0.3).record(make())
    assert time.monotonic() - began < 2
    done.set()


def test_a_password_in_params_is_refused():
    with pytest.raises(
        ValueError, match=r"holds a password \(http://\*\*\*@host:5000\).*MLFLOW_TRACKING_URI"
    ):
        Mlflow("http://me:geheim@host:5000")
    with pytest.raises(ValueError, match="patience must be > 0 seconds, got 0"):
        Mlflow(patience=0)


def test_what_mlflow_refuses_is_another_thing_than_mlflow_away(tracker, make, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def no(*_, **__):
        raise MlflowException("no such thing as sqlite://me:geheim@x\nmore", error_code=3)

    monkeypatch.setattr(MlflowClient, "log_batch", no)
    with pytest.raises(RunRefused, match=r"^MLflow refused \(no such thing as sqlite://\*\*\*@x\)$"):
        tracker.record(make())
