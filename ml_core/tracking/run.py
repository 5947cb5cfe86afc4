"""A run: what one pass through the pipeline was, in words that every tracker understands."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

STATUSES = ("FINISHED", "FAILED", "KILLED")
HIDDEN = "***"
SECRET = re.compile(
    r"(?:^|[._/\- ])(?:password|passwd|pwd|secret|token|apikey|api_key|access_key|private_key|credentials?)$",
    re.I,
)
USERINFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
QUERY = re.compile(
    r"(?<=[?&;])((?:password|pwd|secret|token|api_?key|access_?key|sig|signature)=)[^&\s'\"]+", re.I
)


class TrackerDown(ConnectionError):
    """The tracker cannot take or give runs now: the reason in a sentence without a full stop."""


class RunRefused(TrackerDown):
    """The tracker works, but did not take this run."""


@dataclass(frozen=True)
class Dataset:
    """What the run learned from. ``md5`` is DVC's, of the source it watches, else of ingest's output."""

    name: str
    md5: str
    rows: int | None = None
    source: str = ""
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A fitted model's file, and what a caller hands it.

    Attributes
    ----------
    path : model.skops; None in a run read back, where ``fetch(run_id, "model.skops", folder)`` brings it
    inputs : column -> long, double, boolean, string or datetime, in the order of the table
    example : a few rows, column -> value
    output : type of a prediction, or "" when unknown
    requirements : name==version of every package in the lock
    uri : where the tracker keeps it, such as models:/m-1234; "" before it is recorded
    """

    path: Path | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    example: list[dict] = field(default_factory=list)
    output: str = ""
    requirements: list[str] = field(default_factory=list)
    uri: str = ""


@dataclass(frozen=True)
class Run:
    """One pass through the pipeline.

    Attributes
    ----------
    receipt : hex digest that names the content; two runs with one receipt are the same run
    name : for people
    status : FINISHED, FAILED or KILLED; ``message`` says why
    params, metrics, tags : flat; metrics by step, such as evaluate/auc
    artifacts : name in the store -> file here; in a run read back, the name a tracker's ``fetch`` takes
    journal : a dict a step: step, status, seconds, peak_mb, ...
    started, ended : milliseconds since 1970
    run_id : the tracker's name for it; None before it is recorded
    """

    receipt: str
    name: str = ""
    status: str = "FINISHED"
    message: str = ""
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    dataset: Dataset | None = None
    model: Model | None = None
    journal: list[dict] = field(default_factory=list)
    started: int = 0
    ended: int = 0
    run_id: str | None = None

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"a run's status must be one of {', '.join(STATUSES)}, got {self.status!r}")


def to_json(run: Run) -> str:
    """The whole run but the files' bytes; files by their names in the store."""
    known = asdict(run) | {"artifacts": sorted(run.artifacts)}
    if run.model is not None:
        known["model"]["path"] = None if run.model.path is None else "model.skops"
    return json.dumps(known, indent=1, ensure_ascii=False, default=str) + "\n"


def from_json(text: str, folder: Path) -> Run:
    """``to_json`` undone; the files are looked for under ``folder``."""
    known = json.loads(text)
    known["artifacts"] = {name: folder / name for name in known["artifacts"]}
    if known["dataset"] is not None:
        known["dataset"] = Dataset(**known["dataset"])
    if known["model"] is not None:
        path = known["model"]["path"]
        known["model"] = Model(**known["model"] | {"path": path and folder / path})
    return Run(**known)


def flat(nested: object, prefix: str = "") -> dict[str, str]:
    """Nested params -> one level: ``model.estimator.C``; lists and empty sections as JSON, secrets masked."""
    found = {}
    for name, value in nested.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            found |= flat(value, f"{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            found[key] = HIDDEN if _is_secret(key, value) else masked(text)
    return found


def masked(text: str) -> str:
    """``text`` without what a URL in it may hold: user and password before @, password=... in its query."""
    return QUERY.sub(rf"\g<1>{HIDDEN}", USERINFO.sub(f"{HIDDEN}@", str(text)))


def without_secrets(nested: object, key: str = "") -> object:
    """Params as they are, nested, with every secret masked."""
    if isinstance(nested, dict):
        return {name: without_secrets(value, f"{key}.{name}") for name, value in nested.items()}
    if _is_secret(key, nested):
        return HIDDEN
    if isinstance(nested, list):
        return [without_secrets(value, "") for value in nested]
    return masked(nested) if isinstance(nested, str) else nested


def digest(known: object) -> str:
    """32 hex digits that name a JSON-like value, whatever the order of its keys."""
    text = json.dumps(known, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_secret(key, value):
    """A name that says so; null and numbers hold none, and ${oc.env:X} names one without holding it."""
    return isinstance(value, str) and value != "" and not value.startswith("${") and bool(SECRET.search(key))
