"""MLflow's registry as promotion needs it: versions, aliases, tags, and a list that can only grow.

MLflow keeps no history, and its aliases and tags are overwritten by whoever comes last. What it never
overwrites is a run's param: logged again with another value, it is refused. So the history of a model lives
in the params of a run of its own, and appending to it is a compare-and-swap that works the same in a database
and over HTTP. That run is found through an experiment of the model's: names of experiments are unique.
"""

import contextlib
import re
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from ml_core.tracking import ledger, store

PLACE = "promotions"  # experiment of the runs that hold a history; "promotions of NAME" leads to one of them
POINTER = "mlcore.history"
LONGEST = 5000  # signs of an entry; MLflow would cut a param at 6000
NAME = re.compile(r"[\w\-. ]{1,200}")


@dataclass(frozen=True)
class Version:
    """One version of a registered model; ``created`` in milliseconds since 1970 by the store's clock."""

    version: str
    run_id: str
    created: int
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Registry:
    """The registered model ``name`` in the store of ``tracker`` (tracking/mlflow.py's)."""

    tracker: object
    name: str

    def __post_init__(self):
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"promote.model: got {self.name!r}, allowed are up to 200 letters, digits, spaces and . _ -"
            )

    @property
    def wait(self) -> float:
        """Seconds to let another machine finish its move; no other one reaches a database that is a file."""
        return 0.0 if store.sqlite_file(self.tracker.address()) else 2 * self.tracker.patience

    @contextlib.contextmanager
    def held(self) -> Generator[None, None, None]:
        """One process of this checkout at a time; freed by the kernel, however the process ends."""
        with store.held(self.tracker.lock(), 12 * self.tracker.patience):
            yield

    def entries(self) -> dict[str, str]:
        """Everything ever appended, key -> text."""
        with self.tracker.client() as client:
            run_id = _history(client, self.name)
            return dict(client.get_run(run_id).data.params) if run_id else {}

    def append(self, key: str, text: str) -> bool:
        """Write ``text`` under ``key`` for ever; False if something else stands there already."""
        if len(text) > LONGEST:
            raise ValueError(f"an entry of the history is {len(text)} signs long, allowed are {LONGEST}")
        with self.tracker.client() as client:
            run_id = _history(client, self.name) or self._begin(client)
            _revive(client, run_id)
            try:
                client.log_param(run_id, key, text)
            except Exception as error:
                stands = client.get_run(run_id).data.params.get(key)
                if stands is None:
                    raise
                if stands != text:
                    return False
                if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                    raise
            return True

    def aliases(self) -> dict[str, str]:
        """Alias -> version, as MLflow has them now."""
        with self.tracker.client() as client:
            found = _model(client, self.name)
            return {name: str(version) for name, version in found.aliases.items()} if found else {}

    def point(self, alias: str, version: str | None) -> None:
        """Let ``alias`` lead to ``version``; None takes it away."""
        with self.tracker.client() as client:
            if version is None:
                client.delete_registered_model_alias(self.name, alias)
            else:
                client.set_registered_model_alias(self.name, alias, version)

    def versions(self) -> list[Version]:
        """Every version that was not deleted, oldest first."""
        with self.tracker.client() as client:
            return _versions(client, self.name)

    def register(self, run_id: str, tags: dict[str, str]) -> Version:
        """The run's version, made if it has none yet; two at once end up with the same one."""
        with self.tracker.client() as client:
            found = [one for one in _versions(client, self.name) if one.run_id == run_id]
            if not found:
                with _unless_taken():
                    client.create_registered_model(self.name)
                run = client.get_run(run_id)
                model = client.get_logged_model(run.outputs.model_outputs[-1].model_id)
                words = {name: str(value)[:4000] for name, value in tags.items()}
                made = client.create_model_version(
                    self.name, model.artifact_location, run_id, tags=words, model_id=model.model_id
                )
                found = [one for one in _versions(client, self.name) if one.run_id == run_id]
                if str(made.version) != found[0].version:
                    client.delete_model_version(self.name, made.version)
            return found[0]

    def tag(self, version: str | None, tags: dict[str, str]) -> None:
        """Set tags of a version; None: of the registered model."""
        with self.tracker.client() as client:
            for name, value in tags.items():
                if version is None:
                    client.set_registered_model_tag(self.name, name, value[:4000])
                else:
                    client.set_model_version_tag(self.name, version, name, value[:4000])

    def attach(self, run_id: str, folder: Path, place: str, tags: dict[str, str]) -> None:
        """Send the files of ``folder`` to the run, under ``place``, and then ``tags``."""
        with self.tracker.client() as client:
            client.log_artifacts(run_id, str(folder), place)
            for name, value in tags.items():
                client.set_tag(run_id, name, value)

    def drop(self, version: str) -> None:
        """Delete a version; its run stays."""
        with self.tracker.client() as client:
            client.delete_model_version(self.name, version)

    def shed(self, run_id: str) -> None:
        """Remove the files of a run and its model; its params, metrics and tags stay."""
        with self.tracker.client() as client:
            run = client.get_run(run_id)
            outputs = run.outputs.model_outputs if run.outputs else []
            models = [client.get_logged_model(output.model_id) for output in outputs]
            for place in [*(model.artifact_location for model in models), run.info.artifact_uri]:
                files(client, place).delete_artifacts()
            for model in models:
                client.delete_logged_model(model.model_id)
            client.set_tag(run_id, "files.removed", "by mlcore gc")

    def _begin(self, client):
        """A fresh history run, unless another process was quicker."""
        root = self.tracker.root()

        def experiment(title, tags):
            known = client.get_experiment_by_name(title)
            if known is not None:
                return known.experiment_id
            place = None if root is None else (root / title).as_uri()
            with _unless_taken():
                return client.create_experiment(title, place, tags)
            return client.get_experiment_by_name(title).experiment_id

        note = (
            f"The history of the registered model {self.name!r}, an entry a param. `mlcore history` reads it."
        )
        about = {POINTER: self.name, ledger.NOTE: note, "mlflow.source.name": "mlcore promote"}
        run = client.create_run(experiment(PLACE, ledger.KIND), tags=about, run_name=self.name)
        client.set_terminated(run.info.run_id)
        experiment(f"{PLACE} of {self.name}", {POINTER: run.info.run_id} | ledger.KIND)
        chosen = _history(client, self.name)
        if chosen != run.info.run_id:
            client.delete_run(run.info.run_id)
        return chosen


def files(client, place: str):
    """MLflow's files at the address ``place``; asked by a run's id, its client looks the run up once more."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place, tracking_uri=client.tracking_uri)


def _history(client, name):
    """Id of the run that holds the history of ``name``; None before there is one."""
    known = client.get_experiment_by_name(f"{PLACE} of {name}")
    return None if known is None else known.tags[POINTER]


def _revive(client, run_id):
    """Somebody may have deleted the run, or its experiment: MLflow keeps both until it is told to purge."""
    info = client.get_run(run_id).info
    if info.lifecycle_stage == "deleted":
        if client.get_experiment(info.experiment_id).lifecycle_stage == "deleted":
            client.restore_experiment(info.experiment_id)
        client.restore_run(run_id)


def _model(client, name):
    """MLflow's registered model; None where there is none."""
    try:
        return client.get_registered_model(name)
    except Exception as error:
        if ledger.is_absent(error):
            return None
        raise


def _versions(client, name):
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        found += [
            Version(str(one.version), one.run_id or "", one.creation_timestamp, dict(one.tags))
            for one in page
        ]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: int(one.version))


@contextlib.contextmanager
def _unless_taken():
    """A name that is taken already is no error."""
    try:
        yield
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
            raise
