"""The MLflow tracker: one MLflow run a pipeline run, its model as a LoggedModel."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from ml_core.tracking import bundle, ledger, lineage, registry, store, trials
from ml_core.tracking.ledger import INCOMPLETE, NOTE, RECEIPT
from ml_core.tracking.run import Run, TrackerDown, from_json, masked

TABLES = ("trials.json",)  # artifacts that MLflow's page shows as tables
MODEL_FILE = "model.skops"


@dataclass(frozen=True)
class Mlflow:
    """Records into the store at ``uri``; null: MLFLOW_TRACKING_URI, else mlflow.db in the checkout.

    A server gets ``patience`` seconds for each answer, and six times that for a run plus a second a MB.
    The best ``children`` trials of a search become child runs.
    """

    uri: str | None = None
    experiment: str = "ml_core"
    patience: float = 5.0
    children: int = 0

    def __post_init__(self):
        if self.uri and masked(self.uri) != self.uri:
            raise ValueError(
                f"tracking.uri holds a password ({masked(self.uri)}), and params.yaml is committed; set "
                "MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and _PASSWORD, in the environment"
            )
        if not self.patience > 0:
            raise ValueError(f"tracking.patience must be > 0 seconds, got {self.patience!r}")
        trials.check(self.children)

    def record(self, run: Run) -> str:
        """Send the whole run; its run id. A run recorded before stays as it is, one cut short is completed.

        Until all is in, the run stands as KILLED: killed at any moment, we leave none that seems to run.
        """
        with self.client() as client, store.held(self.lock(), 12 * self.patience):
            experiment = ledger.own_experiment(client, self.experiment, self.root())
            cut_short = f"attributes.status = 'RUNNING' and tags.`{INCOMPLETE}` = 'true'"
            for lost in client.search_runs([experiment], cut_short):
                client.set_terminated(lost.info.run_id, "KILLED")
            known = next(iter(client.search_runs([experiment], f"tags.`{RECEIPT}` = '{run.receipt}'")), None)
            if known is not None and INCOMPLETE not in known.data.tags:
                return known.info.run_id
            known = known or ledger.open_run(client, experiment, run)
            run_id = known.info.run_id
            self._fill(client, known, replace(run, run_id=run_id))
            trials.keep_children(client, experiment, replace(run, run_id=run_id), self.children)
            client.set_terminated(run_id, run.status, run.ended or None)
            client.delete_tag(run_id, INCOMPLETE)
            return run_id

    def read(self, run_id: str) -> Run:
        """A run by its id, the first letters of it, its receipt or a model of it (models:/NAME@ALIAS)."""
        with self.client() as client:
            found = ledger.find(client, self.experiment, run_id)
            run, place = ledger.brief(found), ledger.local_folder(found.info.artifact_uri)
            text = ledger.text(registry.files(client, found.info.artifact_uri), "run.json")
            if text is None:
                return run
            whole = from_json(text, place or Path())
            model = whole.model and replace(whole.model, path=None, uri=run.model.uri if run.model else "")
            now = {"run_id": run.run_id, "status": run.status, "message": run.message, "ended": run.ended}
            return replace(whole, **now, tags=whole.tags | run.tags, model=model)

    def runs(self, limit: int = 100) -> list[Run]:
        """The last ``limit`` runs, newest first, as one query knows them: ``read`` knows more."""
        with self.client() as client:
            order, most = ["attributes.start_time DESC"], max(1, limit * (1 + self.children))
            known = ledger.experiments(client, self.experiment)
            found = client.search_runs(known, max_results=most, order_by=order)
            return [ledger.brief(one) for one in found if trials.PARENT not in one.data.tags][:limit]

    def fetch(self, run_id: str, name: str, folder: Path) -> Path:
        """Copy the file ``name`` of a run into ``folder``; model.skops is its model, model MLflow's."""
        place = bundle.inside(Path(folder), name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self.client() as client, tempfile.TemporaryDirectory(dir=folder) as fresh:
            found = ledger.find(client, self.experiment, run_id)
            run = ledger.brief(found)
            try:
                if name in (MODEL_FILE, "model") and run.model is not None:
                    got = _fetch_model(client, run.model.uri, name, fresh)
                else:
                    got = registry.files(client, found.info.artifact_uri).download_artifacts(name, fresh)
                return Path(got).replace(place)
            except Exception as error:
                if not ledger.is_absent(error):
                    raise
                names = [file.path for file in client.list_artifacts(run.run_id)]
                raise KeyError(
                    f"run {run.run_id} has no file {name!r}; it has {', '.join(names) or 'none'}"
                ) from error

    def champion(self, name: str) -> str | None:
        """The run whose model stands as ``name``@champion in the registry; None where there is none."""
        with self.client() as client:
            try:
                return client.get_model_version_by_alias(name, "champion").run_id
            except Exception as error:
                if ledger.is_absent(error):
                    return None
                raise

    def registry(self, name: str):
        """The registry of the model ``name`` in this store."""
        return registry.Registry(self, name)

    def address(self) -> str:
        """The store's URI, absolute."""
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        file = store.sqlite_file(uri)
        if file is not None and not file.is_absolute():
            uri = uri.replace(f":///{file}", f":///{lineage.home() / file}", 1)
        return uri

    @contextlib.contextmanager
    def client(self) -> Generator:
        """MLflow's client, imported and used quietly; whatever goes wrong with the store is a TrackerDown."""
        uri = self.address()
        store.check(uri, self.patience)
        try:
            with store.quiet(self.patience):
                from mlflow import MlflowClient

                file = store.sqlite_file(uri)
                if file is not None and not store.has_content(file):
                    _make_store(uri, file)
                yield MlflowClient(tracking_uri=uri, registry_uri=uri)
        except (TrackerDown, KeyError, ValueError):
            raise
        except Exception as error:
            said = ledger.reason(error, uri)
            if said is None:
                raise
            raise said from error

    def lock(self) -> Path:
        """Held by whoever changes the store from here."""
        file = store.sqlite_file(self.address()) or lineage.home() / ".mlcore" / "mlflow"
        return Path(f"{file}.lock")

    def root(self) -> Path | None:
        """Where artifacts go beside a database; None where a server decides."""
        uri = self.address()
        if uri.startswith(("http:", "https:", "databricks")):
            return None
        file = store.sqlite_file(uri)
        return (file.parent if file else lineage.home()) / "mlruns"

    def _fill(self, client, known, run):
        """Everything a run holds, the model first: its metrics hang on it."""
        files = [*run.artifacts.values(), *([run.model.path] if run.model and run.model.path else [])]
        until = time.monotonic() + 6 * self.patience + sum(Path(file).stat().st_size for file in files) / 1e6
        with tempfile.TemporaryDirectory() as folder:
            model_id = _keep_model(client, known, run, Path(folder) / "model")
            _describe(client, known, run, model_id)
            here = Path(folder) / "files"
            here.mkdir()
            for name in bundle.stage(run, here):
                if time.monotonic() > until and self.address().startswith("http"):
                    raise TrackerDown(
                        f"MLflow is too slow (over {6 * self.patience:g} s at {masked(self.address())})"
                    )
                client.log_artifact(
                    run.run_id, str(here / name), str(Path(name).parent) if "/" in name else None
                )


def _make_store(uri, file):
    """A fresh database, put in place whole: several processes that migrate one at once crash."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with store.held(Path(f"{file}.lock"), 120):
        if store.has_content(file):
            return
        fresh = file.with_name(f"{file.name}.new")
        for left in (fresh, Path(f"{fresh}-journal")):
            left.unlink(missing_ok=True)
        SqlAlchemyStore(uri.replace(f":///{file}", f":///{fresh}", 1), (file.parent / "mlruns").as_uri())
        fresh.replace(file)


def _describe(client, known, run, model_id):
    """Params, tags, dataset and metrics; what an earlier try left is passed over."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    data, now = run.dataset, run.ended or int(time.time() * 1000)
    about = {} if data is None else {"dataset_name": data.name[:500], "dataset_digest": data.md5[:36]}
    if data is not None:
        kept = Dataset(
            data.name[:500],
            data.md5[:36],
            "local",
            json.dumps({"uri": data.source}),
            ledger.schema(data.columns),
            json.dumps({"num_rows": data.rows, "num_columns": len(data.columns)}),
        )
        tags = [InputTag("mlflow.data.context", "training"), InputTag("dvc.md5", data.md5)]
        client.log_inputs(run.run_id, [DatasetInput(kept, tags)])
    tables = [{"path": name, "type": "table"} for name in TABLES if name in run.artifacts]
    tags = ledger.names(run.tags) | ({"mlflow.loggedArtifacts": json.dumps(tables)} if tables else {})
    tags |= {NOTE: run.message} if run.message else {}
    measured = [
        Metric(name, float(value), now, 0, model_id, run_id=run.run_id, **about if model_id else {})
        for name, value in ledger.measures(run).items()
        if name not in known.data.metrics
    ]
    params = [
        Param(name, value)
        for name, value in ledger.names(run.params).items()
        if name not in known.data.params
    ]
    tags = [RunTag(name, str(value)[:8000]) for name, value in tags.items()]
    for i in range(0, max(len(measured) // 10, len(params), len(tags)), 100):
        client.log_batch(run.run_id, measured[10 * i : 10 * i + 1000], params[i : i + 100], tags[i : i + 100])


def _keep_model(client, known, run, folder):
    """The run's LoggedModel, made where there is none yet; its id, or None for a run without a model."""
    if run.model is None or run.model.path is None:
        return None
    from mlflow.entities import LoggedModelOutput

    experiment, kept = known.info.experiment_id, None
    for other in client.search_logged_models([experiment], f"tags.receipt = '{run.receipt}'"):
        if str(other.status) == "READY":
            kept = other.model_id
        else:  # cut short while its files were on their way
            client.delete_logged_model(other.model_id)
    if kept is None:
        name = run.tags.get("model", "model")
        params = {key: value for key, value in run.params.items() if key.startswith(("model.", "best."))}
        tags = {"receipt": run.receipt, "git.sha": run.tags.get("git.sha", "")}
        made = client.create_logged_model(experiment, name, run.run_id, tags, ledger.names(params), "ml_core")
        kept = made.model_id
        _save_model(run, made, folder)
        client.log_model_artifacts(kept, str(folder))
        client.finalize_logged_model(kept, "READY")
    if kept not in [output.model_id for output in (known.outputs.model_outputs if known.outputs else [])]:
        client.log_outputs(run.run_id, [LoggedModelOutput(kept, step=0)])
    return kept


def _save_model(run, made, folder):
    """MLflow's folder around model.skops: signature, example, requirements. Nothing is predicted."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    inputs = Schema([ColSpec(DataType[kind], name) for name, kind in run.model.inputs.items()])
    outputs = Schema([ColSpec(DataType[run.model.output])]) if run.model.output else None
    example = pd.DataFrame(run.model.example, columns=list(run.model.inputs))
    for name, kind in run.model.inputs.items():
        example[name] = pd.to_datetime(example[name]) if kind == "datetime" else example[name]
    mlflow.pyfunc.save_model(
        path=str(folder),
        loader_module="ml_core.models.file",
        data_path=str(run.model.path),
        signature=ModelSignature(
            inputs, outputs, ParamSchema([ParamSpec("method", DataType.string, "predict")])
        ),
        input_example=example if len(example) else None,
        pip_requirements=run.model.requirements,
        metadata={"receipt": run.receipt, "sha256": lineage.digest_of(run.model.path)},
        mlflow_model=Model(run_id=run.run_id, model_uuid=made.model_id, model_id=made.model_id),
    )


def _fetch_model(client, uri, name, folder):
    """A LoggedModel's folder, or the one file in it that counts."""
    from mlflow.artifacts import download_artifacts

    path = client.get_logged_model(uri.removeprefix("models:/")).artifact_location
    path = path if name == "model" else f"{path}/data/{MODEL_FILE}"
    return download_artifacts(artifact_uri=path, dst_path=folder, tracking_uri=client.tracking_uri)
