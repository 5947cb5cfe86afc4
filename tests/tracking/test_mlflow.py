"""What only the MLflow tracker has: its store, its page and its models."""

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import laid_out
import pytest

from ml_core.tracking.mlflow import Mlflow

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make
tracker, client = laid_out.tracker, laid_out.client

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


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
    children = [one for one in laid_out.all_runs(client) if one.data.tags.get("mlflow.parentRunId") == run_id]
    assert sorted((one.data.params["C"], one.data.metrics["mean"]) for one in children) == [
        ("2", 0.2),
        ("3", 0.3),
    ]
    assert all(one.info.status == "FINISHED" for one in children)
    assert [one.run_id for one in tracker.runs()] == [run_id]
    with pytest.raises(ValueError, match="tracking.children: got 51, must be 0 to 50 runs"):
        Mlflow(children=51)
