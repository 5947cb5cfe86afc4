"""Runs, models and stores that a killed process left half-made, and four processes at once."""

import os
import subprocess
import sys
from pathlib import Path

import laid_out
import pytest

from ml_core.tracking import bundle
from ml_core.tracking.mlflow import Mlflow

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make
tracker, client = laid_out.tracker, laid_out.client

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def test_a_run_cut_short_is_killed_and_completed_by_the_next(tracker, client, make, monkeypatch):
    def gone(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bundle, "stage", gone)
        with pytest.raises(KeyboardInterrupt):
            tracker.record(make())
    (cut,) = laid_out.all_runs(client)
    assert cut.info.status == "KILLED" and tracker.runs()[0].status == "KILLED"
    assert tracker.record(make(ended=1_700_000_009_000)) == cut.info.run_id
    (whole,) = laid_out.all_runs(client)
    assert whole.info.status == "FINISHED"
    assert len(client.get_metric_history(whole.info.run_id, "evaluate/auc")) == 1
    assert len(whole.outputs.model_outputs) == 1
    assert len(client.search_logged_models([whole.info.experiment_id])) == 1


def test_a_model_cut_short_is_replaced(tracker, client, make, monkeypatch):
    from mlflow import MlflowClient

    with monkeypatch.context() as patched:
        patched.setattr(
            MlflowClient, "log_model_artifacts", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            tracker.record(make())
    (pending,) = client.search_logged_models([laid_out.all_runs(client)[0].info.experiment_id])
    run_id = tracker.record(make())
    (model,) = client.search_logged_models([laid_out.all_runs(client)[0].info.experiment_id])
    assert model.model_id != pending.model_id and str(model.status) == "READY"
    assert tracker.read(run_id).model.uri == f"models:/{model.model_id}"


def test_a_run_killed_in_its_first_millisecond_is_put_right(tracker, client, make):
    tracker.record(make())
    experiment = laid_out.all_runs(client)[0].info.experiment_id
    client.create_run(experiment, tags={"mlcore.receipt": "b" * 32, "mlcore.incomplete": "true"})
    assert sorted(run.status for run in tracker.runs()) == ["FINISHED", "KILLED"]
    tracker.record(make(receipt="c" * 32))
    assert sorted(run.info.status for run in laid_out.all_runs(client)) == ["FINISHED", "FINISHED", "KILLED"]


def test_what_a_killed_maker_of_the_store_left_is_cleared_away(make):
    Path("mlflow.db").touch()
    Path("mlflow.db.new").write_bytes(b"half a database")
    Path("mlflow.db.new-journal").write_bytes(b"and its journal")
    run_id = Mlflow().record(make())
    assert [run.run_id for run in Mlflow().runs()] == [run_id]
    assert not list(Path().glob("mlflow.db.new*"))


def test_a_journal_of_a_killed_writer_is_rolled_back(tracker, make):
    run_id = tracker.record(make())
    code = (
        "import os, sqlite3; base = sqlite3.connect('mlflow.db', isolation_level=None)\n"
        "base.execute('pragma cache_size = 1'); base.execute('begin')\n"
        "rows = 'with recursive n(i) as (select 1 union all select i+1 from n limit 9999) select * from n'\n"
        "base.execute(f'create table filler as {rows}'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code])
    assert Path("mlflow.db-journal").stat().st_size > 0
    assert tracker.record(make()) == run_id
    assert not Path("mlflow.db-journal").exists()


RECORD = """
import sys, laid_out
from pathlib import Path
from ml_core.tracking.mlflow import Mlflow
number = sys.argv[1]
print("ready", flush=True)
run = laid_out.make_run(Path("files" + number), receipt=number * 32)
Mlflow(patience=20).record(run)
"""


def start(number, **more):
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", RECORD, number], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)  # fmt: skip


@pytest.mark.slow
def test_four_processes_on_a_fresh_store(make):
    processes = [start(number) for number in "1234"]
    for process in processes:
        said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, ("ready\n", ""))
    assert sorted(run.receipt[0] for run in Mlflow().runs()) == ["1", "2", "3", "4"]
    assert not list(Path().glob("*.new*"))


KILLS = """
import os, signal, sys, time, laid_out
from pathlib import Path
from ml_core.tracking.mlflow import Mlflow

tracker = Mlflow(patience=20)
tracker.runs(1)  # MLflow is imported once, here; children are forks, each killed a little later

def run(number):
    return laid_out.make_run(Path("files"), receipt=str(number) * 32)

def killed_after(seconds, number):
    child = os.fork()
    if child == 0:
        tracker.record(run(number))
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

for number, kills, fresh in (("a", 4, True), ("b", 24, False)):
    began = time.monotonic()
    if fresh:
        Path("mlflow.db").unlink()
    tracker.record(run(number))
    whole = time.monotonic() - began
    for i in range(kills):
        if fresh:
            Path("mlflow.db").unlink(missing_ok=True)
        killed_after(1.2 * whole * i / kills, i // 5)
        if Path("mlflow.db").exists():
            tracker.runs(1)  # readable at any moment
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_whole_runs_and_none_that_seems_to_run(tracker, make):
    """28 kills, the first 4 while the store itself is being made; each run is hit five times."""
    from mlflow import MlflowClient

    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", KILLS], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    client = MlflowClient(tracker.address())
    assert len(laid_out.all_runs(client)) > 3
    receipts = {run.data.tags["mlcore.receipt"] for run in laid_out.all_runs(client)}
    for receipt in receipts:
        tracker.record(make(receipt=receipt))
    ended = laid_out.all_runs(client)
    assert {run.info.status for run in ended} == {"FINISHED"} and len(ended) == len(receipts)
    for run in ended:
        assert len(client.get_metric_history(run.info.run_id, "evaluate/auc")) == 1
        assert len(run.outputs.model_outputs) == 1
    assert len(client.search_logged_models([ended[0].info.experiment_id])) == len(receipts)
    assert not list(Path().glob("mlflow.db.new*"))
