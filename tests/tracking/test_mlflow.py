"""What only the MLflow tracker has: its store, its page, its models, and the ways it can be away."""

import gc
import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import laid_out
import pytest

from ml_core.tracking import bundle, store
from ml_core.tracking.mlflow import Mlflow
from ml_core.tracking.run import RunRefused, TrackerDown

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def tracker(empty_store) -> Mlflow:
    shutil.copy(empty_store, "mlflow.db")
    return Mlflow()


@pytest.fixture
def client(tracker):
    from mlflow import MlflowClient

    return MlflowClient(tracker.address())


def all_runs(client):
    return client.search_runs([one.experiment_id for one in client.search_experiments()])


def test_the_store_lies_where_a_plain_mlflow_ui_looks(make):
    from mlflow.store.tracking import DEFAULT_TRACKING_URI

    Mlflow().record(make())
    assert Mlflow().address() == DEFAULT_TRACKING_URI.replace("///", f"///{Path.cwd()}/")
    assert sorted(os.listdir()) == ["files", "mlflow.db", "mlflow.db.lock", "mlruns"]


def test_a_queued_experiment_records_into_the_checkout_it_came_from(make, empty_store, tmp_path, monkeypatch):
    home, copy = tmp_path / "checkout ü", tmp_path / "tmp1"
    home.mkdir()
    copy.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(home))
    run_id = Mlflow().record(make())
    assert os.listdir(copy) == []
    files = Mlflow().read(run_id).artifacts
    assert files["report.html"].is_relative_to(home / "mlruns") and files["report.html"].exists()


def test_the_variable_wins_over_the_default_and_the_uri_over_both(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///there.db")
    assert Mlflow().address() == f"sqlite:///{tmp_path}/there.db"
    assert Mlflow("sqlite:////x/here.db").address() == "sqlite:////x/here.db"


def test_the_process_is_left_as_it_was_and_nothing_is_printed(tracker, make, capfd):
    environment, levels = (
        dict(os.environ),
        [logging.getLogger(name).level for name in ("", "mlflow", "alembic")],
    )
    handlers = list(logging.getLogger().handlers)
    tracker.record(make())
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == environment and gc.isenabled()
    assert [logging.getLogger(name).level for name in ("", "mlflow", "alembic")] == levels
    assert logging.getLogger().handlers == handlers
    opened = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name.isdigit()
              if os.path.exists(f"/proc/self/fd/{name}")]  # fmt: skip
    assert not [path for path in opened if "mlflow" in path]


def test_telemetry_is_off_and_scikit_learn_is_not_imported(make, tmp_path):
    code = (
        "import sys, laid_out; from pathlib import Path; from ml_core.tracking.mlflow import Mlflow\n"
        "Mlflow().record(laid_out.make_run(Path('files')))\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
        "found = [name for name in ('sklearn', 'matplotlib', 'numba', 'pandera') if name in sys.modules]\n"
        "assert not found, found\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_CURRENT_TEST")
    }
    environment |= {"PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_mlflow_itself_sees_what_we_recorded(tracker, client, make):
    run_id = tracker.record(make())
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics["evaluate/auc"] == 0.93
    assert found.data.metrics["seconds/train"] == 1.5 and found.data.metrics["peak_mb/train"] == 80
    assert json.loads(found.data.tags["mlflow.loggedArtifacts"]) == [{"path": "trials.json", "type": "table"}]
    assert found.data.tags["mlflow.source.git.commit"] == "0" * 40
    (known,) = found.inputs.dataset_inputs
    assert (known.dataset.name, known.dataset.digest) == ("toy", "d4" * 16)
    assert {tag.key: tag.value for tag in known.tags}["dvc.md5"] == "d4" * 16
    (output,) = found.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert str(model.status) == "READY" and model.source_run_id == run_id
    assert {metric.key: metric.value for metric in model.metrics}["evaluate/auc"] == 0.93
    assert model.params["model.estimator.C"] == "1.0"


class Length:
    """A model that says how long each row's b is."""

    def __init__(self, path):
        self.more = len(Path(path).read_bytes())

    def predict(self, rows):
        return [self.more + len(value or "") for value in rows["b"]]


def test_the_model_loads_as_a_pyfunc_and_checks_its_input(tracker, make, monkeypatch):
    import mlflow
    import pandas as pd

    fake = types.ModuleType("ml_core.models.file")
    fake._load_pyfunc = Length
    monkeypatch.setitem(sys.modules, "ml_core.models.file", fake)
    run = make()
    run_id = tracker.record(run)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.address())
    model = mlflow.pyfunc.load_model(tracker.read(run_id).model.uri)
    rows = pd.DataFrame(run.model.example)
    assert list(model.predict(rows)) == Length(run.model.path).predict(rows)
    assert [column.name for column in model.metadata.signature.inputs] == ["a", "b"]
    assert model.input_example["b"].tolist() == ["x", "y"]
    with pytest.raises(Exception, match="missing inputs.*a"):
        model.predict(rows[["b"]])
    with pytest.raises(Exception, match="Incompatible input types"):
        model.predict(rows.assign(a="text"))
    folder = tracker.fetch(run_id, "model", Path("got"))
    assert {"numpy==2.4.0", "polars==2.1.0"} <= set((folder / "requirements.txt").read_text().split())
    assert model.metadata.metadata["sha256"] and model.metadata.metadata["receipt"] == run.receipt


def test_a_registered_model_leads_back_to_its_run(tracker, client, make):
    run_id = tracker.record(make())
    uri = tracker.read(run_id).model.uri
    client.create_registered_model("churn")
    model = client.get_logged_model(uri.removeprefix("models:/"))
    version = client.create_model_version("churn", model.artifact_location, run_id, model_id=model.model_id)
    client.set_registered_model_alias("churn", "champion", version.version)
    assert tracker.champion("churn") == run_id
    for name in ("models:/churn@champion", f"models:/churn/{version.version}", uri, run_id[:8], "a" * 32):
        assert tracker.read(name).run_id == run_id, name
    with pytest.raises(KeyError, match="no runs in MLflow are called 'models:/churn@nobody'"):
        tracker.read("models:/churn@nobody")


def test_a_run_cut_short_is_killed_and_completed_by_the_next(tracker, client, make, monkeypatch):
    def gone(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bundle, "stage", gone)
        with pytest.raises(KeyboardInterrupt):
            tracker.record(make())
    (cut,) = all_runs(client)
    assert cut.info.status == "KILLED" and tracker.runs()[0].status == "KILLED"
    assert tracker.record(make(ended=1_700_000_009_000)) == cut.info.run_id
    (whole,) = all_runs(client)
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
    (pending,) = client.search_logged_models([all_runs(client)[0].info.experiment_id])
    run_id = tracker.record(make())
    (model,) = client.search_logged_models([all_runs(client)[0].info.experiment_id])
    assert model.model_id != pending.model_id and str(model.status) == "READY"
    assert tracker.read(run_id).model.uri == f"models:/{model.model_id}"


def test_a_run_killed_in_its_first_millisecond_is_put_right(tracker, client, make):
    tracker.record(make())
    experiment = all_runs(client)[0].info.experiment_id
    client.create_run(experiment, tags={"mlcore.receipt": "b" * 32, "mlcore.incomplete": "true"})
    assert sorted(run.status for run in tracker.runs()) == ["FINISHED", "KILLED"]
    tracker.record(make(receipt="c" * 32))
    assert sorted(run.info.status for run in all_runs(client)) == ["FINISHED", "FINISHED", "KILLED"]


def test_a_copied_checkout_keeps_its_files_to_itself(tracker, make, tmp_path, monkeypatch):
    old = tracker.record(make())
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy("mlflow.db", moved)
    monkeypatch.chdir(moved)
    new = tracker.record(make(receipt="b" * 32, started=1_700_000_009_000))
    assert tracker.read(new).artifacts["report.html"].is_relative_to(moved)
    assert [run.run_id for run in tracker.runs()] == [new, old]
    assert tracker.record(make(receipt="b" * 32)) == new


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
    assert len(all_runs(client)) > 3
    receipts = {run.data.tags["mlcore.receipt"] for run in all_runs(client)}
    for receipt in receipts:
        tracker.record(make(receipt=receipt))
    ended = all_runs(client)
    assert {run.info.status for run in ended} == {"FINISHED"} and len(ended) == len(receipts)
    for run in ended:
        assert len(client.get_metric_history(run.info.run_id, "evaluate/auc")) == 1
        assert len(run.outputs.model_outputs) == 1
    assert len(client.search_logged_models([ended[0].info.experiment_id])) == len(receipts)
    assert not list(Path().glob("mlflow.db.new*"))


def test_the_best_trials_become_child_runs_once(tracker, client, make, tmp_path):
    from dataclasses import replace

    trials = [{"trial": i, "params": {"C": i}, "mean": i / 10, "spread": 0.1, "share": 1.0} for i in range(4)]
    trials += [{"trial": 4, "params": {"C": 9}, "mean": None, "spread": None, "share": 1.0}]
    trials += [{"trial": 5, "params": {"C": 8}, "mean": 5.0, "spread": 0.1, "share": 0.3}]
    path = tmp_path / "exact.json"
    path.write_text(json.dumps({"metric": "r2", "trials": trials}))
    run = make()
    run = replace(run, artifacts=run.artifacts | {"search/trials.json": path})
    tracker = replace(tracker, children=2)
    run_id = tracker.record(run)
    assert tracker.record(run) == run_id
    children = [one for one in all_runs(client) if one.data.tags.get("mlflow.parentRunId") == run_id]
    assert sorted((one.data.params["C"], one.data.metrics["mean"]) for one in children) == [
        ("2", 0.2),
        ("3", 0.3),
    ]
    assert all(one.info.status == "FINISHED" for one in children)
    assert [one.run_id for one in tracker.runs()] == [run_id]
    with pytest.raises(ValueError, match="tracking.children: got 51, must be 0 to 50 runs"):
        Mlflow(children=51)
