"""A real run of the whole pipeline in the ledger: its model, its trace, the same run again."""

import json
import sys

import pytest

pytestmark = pytest.mark.slow

COMPARE = """
import json, mlflow, numpy as np, polars as pl
from ml_core.models.file import load
from ml_core.tracking.mlflow import Mlflow

run = Mlflow().runs(1)[0]
model = mlflow.pyfunc.load_model(run.model.uri)
ours = load("out/train/model.skops")
features = list(json.load(open("out/prepare/table.json"))["kinds"])
rows = pl.read_parquet("out/prepare/test.parquet").select(features)
assert np.array_equal(model.predict(rows.to_pandas()), ours.predict(rows))
both = model.predict(rows.to_pandas(), params={"method": "predict_proba"}), ours.predict_proba(rows)
assert np.array_equal(*both)
try:
    model.predict(rows.drop(rows.columns[0]).to_pandas())
except mlflow.exceptions.MlflowException as error:
    assert rows.columns[0] in str(error)
else:
    raise AssertionError("a missing column was taken")
example = model.input_example
assert len(model.predict(example)) == len(example) > 0
"""


def test_the_recorded_model_predicts_as_the_pipeline_bit_for_bit(finished):
    done = finished.call(sys.executable, "-W", "error::UserWarning:mlflow", "-c", COMPARE)
    assert "mismatch" not in done.stderr  # its requirements are the ones installed


def test_a_trace_of_a_model_is_the_trace_of_its_run(finished):
    (run,) = json.loads(finished.mlcore("show", "--last", "1", "--json").stdout)
    traces = [
        json.loads(finished.mlcore("trace", name, "--json").stdout)
        for name in (run["run_id"], run["model"]["uri"])
    ]
    assert traces[0] == traces[1]
    assert traces[0]["repeatable"] == "yes" and traces[0]["data"]["name"] == "breast_cancer"
    assert len(traces[0]["code"]["sha"]) == 40 and traces[0]["code"]["dirty"] == "false"
    assert {entry["step"] for entry in traces[0]["steps"]} >= {
        "ingest",
        "prepare",
        "search",
        "train",
        "evaluate",
        "explain",
    }


def test_a_run_is_bit_identical_when_it_is_run_again(finished):
    (run,) = json.loads(finished.mlcore("show", "--last", "1", "--json").stdout)
    done = finished.mlcore("reproduce", run["run_id"])
    assert done.stdout.startswith("bit-identical")
