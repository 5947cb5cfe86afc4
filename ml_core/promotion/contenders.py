"""From two recorded runs to a duel: models from the registry, rows from DVC, predictions side by side."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from ml_core.data.rows import hashes
from ml_core.data.table import ROW, Table, features_and_target, read
from ml_core.gates.duel import Contender, Duel
from ml_core.kernels.threads import alone
from ml_core.measure import predictions
from ml_core.measure.score import METRICS
from ml_core.models import file
from ml_core.outcome import CheckFailed
from ml_core.promotion import rows
from ml_core.tracking.lineage import digest_of
from ml_core.tracking.run import Run


@dataclass(eq=False)
class Recorded:
    """One run and what was fetched of it into ``folder``: nothing is fetched before it is asked for.

    Attributes
    ----------
    name : candidate or champion
    version : in the registry; None before it has one
    sha256 : of the model's file as the history has it; "" where it says nothing
    """

    name: str
    run: Run
    tracking: object
    folder: Path
    version: str | None = None
    sha256: str = ""

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._golden = None

    @cached_property
    def table(self) -> dict:
        """prepare's table.json."""
        return self._json("prepare/table.json")

    @cached_property
    def judged(self) -> dict:
        """evaluate's metrics.json."""
        return self._json("evaluate/metrics.json")

    @cached_property
    def served(self) -> Path:
        """MLflow's folder of the model; CheckFailed where it is gone, or other bytes than were recorded."""
        try:
            folder = self.tracking.fetch(self.run.run_id, "model", self.folder / "served")
            known = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
            digest = digest_of(folder / "data" / "model.skops")
        except (KeyError, FileNotFoundError) as error:
            said = error.args[0] if error.args else error
            raise CheckFailed(
                f"the {self.name}'s model was deleted or is incomplete in the store ({said}); put it back "
                "from a backup, or go back to a whole version: mlcore rollback --to VERSION --reason ..."
            ) from error
        for source, expected in (
            ("the store's MLmodel", (known.get("metadata") or {}).get("sha256", digest)),
            ("the history", self.sha256 or digest),
        ):
            if digest != expected:
                raise CheckFailed(
                    f"the {self.name}'s model was changed since it was recorded: its sha256 is "
                    f"{digest[:12]}..., {source} says {expected[:12]}...; put back the file of run "
                    f"{self.run.run_id}"
                )
        return folder

    @cached_property
    def path(self) -> Path:
        """The model's file."""
        return self.served / "data" / "model.skops"

    @cached_property
    def model(self):
        """The fitted pipeline."""
        try:
            return file.load(self.path)
        except ValueError as error:
            raise CheckFailed(f"the {self.name}'s model: {error}") from error

    @cached_property
    def trained_on(self) -> np.ndarray:
        """Ids of the training rows."""
        return rows.trained_on(self.run, self.tracking, self.folder)

    @cached_property
    def tested_on(self) -> np.ndarray:
        """Ids of the test rows."""
        return rows.tested_on(self.run, self.tracking, self.folder)

    def part(self, name: str) -> Table:
        """The run's rows: train or test."""
        return read(rows.lay(self.run, self.tracking, "prepare", self.folder), name)

    @cached_property
    def quality(self) -> dict:
        """prepare's report; {} where the run has none."""
        name = "prepare/quality.json"
        return self._json(name) if name in self.run.artifacts else {}

    @cached_property
    def answers(self) -> tuple[predictions.Predictions, np.ndarray]:
        """What evaluate wrote: predictions and the ids of their rows."""
        for name in ("evaluate/metrics.json", "evaluate/predictions.parquet"):
            self.tracking.fetch(self.run.run_id, name, self.folder)
        return predictions.from_folder(self.folder / "evaluate")

    def golden_answers(self, X, y, table: Table, says) -> predictions.Predictions:
        """What the candidate's file says offline of the golden rows; asked once."""
        if self._golden is None:
            positive = says.classes[says.positive] if says.task == "binary" else None
            with alone():
                self._golden = predictions.predict(self.model, X, y, table, positive)
        return self._golden

    def contender(self, says, trouble="", tested=True) -> Contender:
        """As the gates see it; ``tested``: whether its test rows must be new to the other one."""
        run = self.run
        path = None if trouble else self.path
        more = {"params": dict(run.params), "tags": dict(run.tags), "metrics": dict(run.metrics)}
        more |= {"trained_on": self.trained_on, "tested_on": self.tested_on if tested else None}
        return Contender(
            self.name, says, trouble, run.run_id, self.version, **more, path=path, load=lambda: self.model
        )

    def _json(self, name):
        try:
            text = self.tracking.fetch(self.run.run_id, name, self.folder).read_text(encoding="utf-8")
        except KeyError as error:
            raise ValueError(
                f"run {self.run.run_id} has no {name}, so it cannot be judged: {error.args[0]}"
            ) from error
        return json.loads(text)


def fit(run: Run) -> Run:
    """The run, if there is anything to judge about it."""
    if run.status != "FINISHED":
        raise ValueError(
            f"run {run.run_id} {run.status.lower()} ({run.message or 'no reason given'}); only a finished "
            "run can be judged"
        )
    if run.model is None or not run.model.uri:
        raise ValueError(f"run {run.run_id} has no model; only a run of the whole recipe can be judged")
    return run


def duel(
    candidate: Recorded, champion: Recorded | None, metric: str | None, evidence: dict, golden: Table | None
) -> Duel:
    """Both on the candidate's test rows; a champion that cannot answer is there with its trouble.

    ``metric`` decides (None: the task's main one); ``evidence`` goes to the gates; ``golden`` are rows asked
    about beside the test rows.
    """
    table = candidate.part("test")
    X, y, row = features_and_target(table)
    says, own = candidate.answers
    if not np.array_equal(row, own):
        raise ValueError(
            f"run {candidate.run.run_id}: evaluate judged other rows than prepare left; `mlcore run` again"
        )
    metric = metric or candidate.judged["main"]
    if metric not in METRICS[says.task]:
        raise ValueError(
            f"promote.metric: got {metric!r}, allowed for {says.task} are {', '.join(METRICS[says.task])}"
        )
    params = candidate.run.params
    by_time = params.get("split.method") == "time"
    one = Duel(
        says.task,
        table.target,
        metric,
        table.frame.collect(),
        dict(table.kinds),
        y,
        row,
        candidate.contender(says),
        None if champion is None else _on_the_same(champion, X, y, table, says, by_time),
        classes=says.classes,
        quality=candidate.quality,
        slices=_list(params.get("evaluate.slices")),
        time=params.get("split.by") if by_time else None,
        training=lambda: _training(candidate),
        evidence=evidence,
    )
    return one if golden is None else replace(one, golden=_golden(one, golden, candidate, champion, by_time))


def golden_rows(path: str, candidate: Recorded) -> Table:
    """The frozen rows of a csv or parquet file, typed and named as the candidate's test rows are."""
    like = candidate.part("test")
    schema = like.frame.collect_schema()
    wanted = [name for name in schema if name in (*like.features, *like.key, like.target)]
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"promote.golden: there is no file {path}")
    read_file = pl.scan_parquet if file.suffix == ".parquet" else pl.scan_csv
    frame = read_file(file)
    missing = [name for name in wanted if name not in frame.collect_schema()]
    if missing:
        raise ValueError(f"promote.golden: {path} has no column {', '.join(missing)}")
    try:
        frame = frame.select(pl.col(name).cast(schema[name]) for name in wanted).collect()
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"promote.golden: {path}: {str(error).splitlines()[0]}") from error
    frame = frame.with_columns(pl.Series(ROW, hashes(frame, like.key or like.features)))
    return replace(like, frame=frame.lazy())


def _golden(one, golden, candidate, champion, by_time):
    """The same contenders on the golden rows."""
    X, y, row = features_and_target(golden)
    says = candidate.golden_answers(X, y, golden, one.candidate.says)
    other = None if champion is None else _on_the_same(champion, X, y, golden, says, by_time)
    frame = golden.frame.collect()
    return replace(
        one, frame=frame, y=y, row=row, candidate=candidate.contender(says), champion=other, evidence={}
    )


def _list(text):
    """A param of a run that was a list or null."""
    return json.loads(text) if text and text[:1] in "[n" else None


def _training(candidate):
    table = candidate.part("train")
    _, y, row = features_and_target(table)
    return table.frame.collect(), y, row


def _on_the_same(champion, X, y, table, says, by_time):
    """The champion's answers about the candidate's test rows.

    Split by time, yesterday's test rows are today's past: that the candidate learned from them is no leak.
    """
    positive = says.classes[says.positive] if says.task == "binary" else None
    try:
        missing = [name for name in champion.table["kinds"] if name not in X.columns]
        if missing:
            raise CheckFailed(f"the champion needs {', '.join(missing)}, which the candidate's rows lack")
        with alone():
            X = X.select(list(champion.table["kinds"]))
            answer = predictions.predict(champion.model, X, y, table, positive)
    except CheckFailed as refusal:
        return champion.contender(None, str(refusal), not by_time)
    return champion.contender(answer, "", not by_time)
