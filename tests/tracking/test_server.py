"""The MLflow tracker against a server of its own, over HTTP."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import laid_out
import pytest

from ml_core.tracking.mlflow import Mlflow
from ml_core.tracking.run import TrackerDown

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_store):
    """(address, process) of `mlflow server` with a store and files of its own; ended by its id."""
    place, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copy(empty_store, place / "mlflow.db")
    words = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1"}
    with open(place / "said", "w") as said:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=place,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=2)
            break
        except OSError:
            time.sleep(0.2)
    else:
        pytest.fail((place / "said").read_text()[-2000:])
    yield address, process
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


def test_a_server_takes_gives_and_may_go_away(server, make, tmp_path):
    address, process = server
    tracker, run = Mlflow(address, patience=30), make()
    run_id = tracker.record(run)
    assert tracker.record(run) == run_id
    back = tracker.read(run_id)
    assert (back.params, back.metrics, back.journal) == (run.params, run.metrics, run.journal)
    assert back.model.uri and tracker.champion("churn") is None
    for name, path in {**run.artifacts, "model.skops": run.model.path}.items():
        assert tracker.fetch(run_id, name, tmp_path / "got").read_bytes() == path.read_bytes()
    with pytest.raises(KeyError, match="no file 'nothing'"):
        tracker.fetch(run_id, "nothing", tmp_path / "got")
    assert [found.run_id for found in tracker.runs(5)] == [run_id]
    assert not Path("mlruns").exists() and not Path("mlflow.db").exists()
    os.killpg(process.pid, signal.SIGSTOP)  # there, but mute
    began = time.monotonic()
    with pytest.raises(TrackerDown, match="unreachable"):
        Mlflow(address, patience=1).record(make(receipt="b" * 32))
    assert time.monotonic() - began < 5
    os.killpg(process.pid, signal.SIGCONT)


def test_a_server_that_falls_silent_in_the_middle_is_given_up_and_completed_later(server, make, monkeypatch):
    from ml_core.tracking import bundle

    address, process = server
    real = bundle.stage

    def mute(*words, **more):
        os.killpg(process.pid, signal.SIGSTOP)
        return real(*words, **more)

    monkeypatch.setattr(bundle, "stage", mute)
    began = time.monotonic()
    with pytest.raises(TrackerDown, match=r"unreachable \(no answer in time at http://127"):
        Mlflow(address, "another", patience=5).record(make())
    assert time.monotonic() - began < 60
    monkeypatch.undo()
    os.killpg(process.pid, signal.SIGCONT)
    tracker = Mlflow(address, "another", patience=30)
    assert tracker.runs(5)[0].status == "KILLED"
    run_id = tracker.record(make())
    assert [(run.run_id, run.status) for run in tracker.runs(5)] == [(run_id, "FINISHED")]
