"""MLflow's words and ours: names it takes, its runs as our Run, its errors as our reasons."""

import getpass
import json
import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ml_core.tracking.bundle import store_name
from ml_core.tracking.run import Dataset, Model, Run, RunRefused, TrackerDown, digest, masked

RECEIPT, INCOMPLETE, NOTE = "mlcore.receipt", "mlcore.incomplete", "mlflow.note.content"
BESIDE = (
    "seconds/",
    "peak_mb/",
)  # metrics of MLflow's that are the journal of ours: metrics proper are equal in equal runs
TYPES = {
    "numeric": "double",
    "boolean": "boolean",
    "date": "datetime",
}  # kind of a column -> MLflow's type; else string
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else MLflow's page opens on language models
NAME = re.compile(r"[^\w\-. :/]")  # what MLflow takes in a name of a param, metric or tag
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")


def names(values: dict) -> dict:
    """The same under names that MLflow takes, each its own: other signs become _, long ones are cut."""
    taken = {}
    for name, value in values.items():
        plain = re.sub(r"/{2,}", "/", NAME.sub("_", name)).strip("/")[:240] or "_"
        unique, i = plain, 2
        while unique in taken:
            unique, i = f"{plain}_{i}", i + 1
        taken[unique] = value
    return taken


def measures(run: Run) -> dict[str, float]:
    """Metrics as MLflow charts them, grouped by what stands before the slash: evaluate/auc, seconds/train."""
    found = {name: value for name, value in run.metrics.items() if isinstance(value, int | float)}
    for entry in run.journal:
        for part in ("seconds", "peak_mb"):
            if isinstance(entry.get(part), int | float):
                found[f"{part}/{entry['step']}"] = entry[part]
    return names(found)


def brief(found) -> Run:
    """MLflow's run as ours, with what one query knows of it."""
    tags, metrics = found.data.tags, found.data.metrics
    steps = {name.partition("/")[2]: {} for name in metrics if name.startswith(BESIDE)}
    for name, value in metrics.items():
        if name.startswith(BESIDE):
            part, _, step = name.partition("/")
            steps[step] |= {"step": step, part: value}
    status = found.info.status if found.info.status in ("FINISHED", "FAILED", "RUNNING") else "KILLED"
    if INCOMPLETE in tags and status == "RUNNING":
        status = "KILLED"
    outputs = found.outputs.model_outputs if found.outputs else []
    return Run(
        receipt=tags.get(RECEIPT, ""),
        name=found.info.run_name or "",
        status=status,
        message=tags.get(NOTE, ""),
        params=dict(found.data.params),
        metrics={name: value for name, value in metrics.items() if not name.startswith(BESIDE)},
        tags={name: value for name, value in tags.items() if not name.startswith(("mlflow.", "mlcore."))},
        dataset=_dataset(found.inputs.dataset_inputs if found.inputs else []),
        model=Model(uri=f"models:/{outputs[-1].model_id}") if outputs else None,
        journal=list(steps.values()),
        started=found.info.start_time or 0,
        ended=found.info.end_time or 0,
        run_id=found.info.run_id,
    )


def schema(columns: dict[str, str]) -> str | None:
    """Kinds of columns in the form MLflow shows; None beyond what it stores."""
    spec = [
        {"type": TYPES.get(kind, "string"), "name": name, "required": True} for name, kind in columns.items()
    ]
    text = json.dumps({"mlflow_colspec": spec})
    return text if len(text) < 60_000 else None


def local_folder(uri: str) -> Path | None:
    """The folder behind an artifact URI of this machine."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def is_absent(error: Exception) -> bool:
    """Whether the store said that there is no such thing."""
    if isinstance(error, FileNotFoundError | IsADirectoryError):
        return True
    return (
        getattr(error, "error_code", "") in ABSENT or "No such artifact" in str(error) or "404" in str(error)
    )


def reason(error: Exception, uri: str) -> TrackerDown | None:
    """What an error of MLflow's (or of what it stands on) means; None for one that is none of theirs."""
    text = masked(
        next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    )[:300]
    if isinstance(error, OSError) and type(error).__module__ == "builtins":
        where = f" ({error.filename})" if error.filename else ""
        return TrackerDown(f"MLflow's store cannot be used: {error.strerror or text}{where}")
    library = type(error).__module__.partition(".")[0]
    if library in ("requests", "urllib3") or "API request to" in text or "Max retries exceeded" in text:
        return TrackerDown(f"MLflow is unreachable ({_cause(str(error))} at {masked(uri)})")
    if library == "mlflow" and getattr(error, "error_code", "") in (
        "TEMPORARILY_UNAVAILABLE",
        "REQUEST_LIMIT_EXCEEDED",
    ):
        return TrackerDown(f"MLflow is busy ({text})")
    if library == "mlflow" and any(
        code in str(error) for code in ("401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED")
    ):
        return TrackerDown(
            f"MLflow at {masked(uri)} wants a user it knows; set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD"
        )
    if library in ("mlflow", "sqlalchemy", "sqlite3", "alembic"):
        return RunRefused(f"MLflow refused ({text})")
    return None


def _cause(text):
    """The short word for why a request failed."""
    known = {
        "timed out": "no answer in time",
        "Connection refused": "Connection refused",
        "resolve": "no such host",
    }
    return next((word for sign, word in known.items() if sign in text), "the connection broke")


def _dataset(inputs):
    if not inputs:
        return None
    known = inputs[0].dataset
    tags = {tag.key: tag.value for tag in inputs[0].tags}
    profile, spec = json.loads(known.profile or "{}"), json.loads(known.schema or "{}")
    kinds = {kind: name for name, kind in TYPES.items()}
    columns = {
        column["name"]: kinds.get(column["type"], "categorical") for column in spec.get("mlflow_colspec", [])
    }
    try:
        source = json.loads(known.source).get("uri", "")
    except (ValueError, AttributeError):
        source = known.source or ""
    return Dataset(known.name, tags.get("dvc.md5", known.digest), profile.get("num_rows"), source, columns)


def find(client, experiment: str, name: str):
    """MLflow's run behind an id, the start of one, a receipt, or a model: models:/NAME@ALIAS, m-ID.

    Only an id is looked for beyond what was recorded as ``experiment``.
    """
    try:
        if name.startswith(("models:/", "m-")):
            name = _run_of_model(client, name.removeprefix("models:/"))
        return client.get_run(name)
    except Exception as error:
        if not is_absent(error):
            raise
    places, order = experiments(client, experiment), ["attributes.start_time DESC"]
    known = client.search_runs(places, max_results=1000, order_by=order)
    found = [
        run
        for run in known
        if name and (run.info.run_id.startswith(name) or run.data.tags.get(RECEIPT) == name)
    ]
    if len(found) != 1:
        last = ", ".join(run.info.run_id for run in known[:3]) or "none"
        raise KeyError(
            f"{len(found) or 'no'} runs in MLflow are called {name!r}; the last are {last}. See `mlcore show`"
        )
    return found[0]


def own_experiment(client, name: str, root: Path | None) -> str:
    """Id of the experiment to record into, made if need be; its files under ``root``, or where a server says.

    MLflow fixes an experiment's folder for ever, so a moved or copied checkout gets an experiment of its own.
    """
    tries = [name] if root is None else [name, f"{name} ({root.parent.name} {digest(str(root))[:6]})"]
    for title in tries:
        place = None if root is None else (root / store_name(title)).as_uri()
        known = client.get_experiment_by_name(title)
        if known is None:
            return client.create_experiment(title, artifact_location=place, tags=KIND)
        if known.lifecycle_stage == "deleted":
            raise TrackerDown(
                f"MLflow's experiment {title!r} was deleted; restore it with `mlflow experiments restore -x "
                f"{known.experiment_id}`, or compose with tracking.experiment=NAME"
            )
        if place is None or known.artifact_location == place or local_folder(known.artifact_location) is None:
            break
    return known.experiment_id


def experiments(client, name: str) -> list[str]:
    """Ids of the experiments that ``own_experiment`` may have used for ``name``."""
    known = client.search_experiments()
    return [one.experiment_id for one in known if one.name == name or one.name.startswith(f"{name} (")]


def text(files, name: str) -> str | None:
    """A small text among the ``files`` of a run (registry.files); None where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(files.download_artifacts(name, folder)).read_text(encoding="utf-8")
        except Exception as error:
            if is_absent(error):
                return None
            raise


def _run_of_model(client, name):
    """Id of the run that made a model: m-ID, NAME@ALIAS or NAME/VERSION."""
    if name.startswith("m-"):
        return client.get_logged_model(name).source_run_id
    if "@" in name:
        return client.get_model_version_by_alias(*name.rsplit("@", 1)).run_id
    return client.get_model_version(*name.rsplit("/", 1)).run_id


def open_run(client, experiment, run):
    """A new run, KILLED from its first millisecond on."""
    tags = {
        RECEIPT: run.receipt,
        INCOMPLETE: "true",
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": "mlcore run",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": run.tags.get("git.sha", ""),
    }
    known = client.create_run(experiment, run.started or None, tags, run.name or None)
    client.set_terminated(known.info.run_id, "KILLED")
    return known
