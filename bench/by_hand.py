"""A promotion as one writes it by hand with MLflow: load both models, compare one number, move the alias.

``python by_hand.py MARGIN RUN_ID``, in a project after that run and a promotion: no gate, history or report.
"""

import json
import sys
from pathlib import Path

import mlflow
import polars as pl
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score

margin, run_id = float(sys.argv[1]), sys.argv[2]
mlflow.set_tracking_uri(f"sqlite:///{Path.cwd()}/mlflow.db")
client, table = MlflowClient(), json.loads(Path("out/prepare/table.json").read_text())
(name,) = [model.name for model in client.search_registered_models()]
rows = pl.read_parquet("out/prepare/test.parquet")
frame = rows.select(list(table["kinds"])).to_pandas()
model_id = client.get_run(run_id).outputs.model_outputs[-1].model_id
auc = {}
for uri in (f"models:/{name}@champion", f"models:/{model_id}"):
    says = mlflow.pyfunc.load_model(uri).predict(frame, params={"method": "predict_proba"})
    auc[uri] = roc_auc_score(rows[table["target"]], says[:, 1])
old, new = auc.values()
if new > old - margin:
    source = client.get_logged_model(model_id).artifact_location
    made = client.create_model_version(name, source, run_id, model_id=model_id)
    client.set_registered_model_alias(name, "champion", made.version)
