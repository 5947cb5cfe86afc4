"""The timetable as plain data: conf/schedule/*.yaml -> [Schedule], checked, with nothing but yaml imported.

A scheduler parses its files every few seconds; so no Airflow, no Hydra and no DVC here.
"""

import difflib
import re
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

from ml_core.plan import load

GRANULARITIES = ("stage", "pipeline")
RESERVED = ("open", "run", "publish", "approve", "promote")  # tasks that are no stages
PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
DURATION = re.compile(r"(\d+)\s*(s|m|h|d)")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
MONTHS, DAYS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", "SUN MON TUE WED THU FRI SAT"
NAMES = {
    name: str(i) for names, first in ((MONTHS, 1), (DAYS, 0)) for i, name in enumerate(names.split(), first)
}
TRIGGERS = {
    "every": "a time span such as 6h",
    "asset": "the name of a data asset, or a list of them",
    "file": "the absolute path of a file whose arrival starts a run; it is taken away",
    "queue": "a mapping with scheme, such as kafka, and what its Airflow provider asks for, such as topics",
}


@dataclass(frozen=True)
class Schedule:
    """When the recipe runs by itself, and how.

    Attributes
    ----------
    name : the file's, and the DAG's; about : the comment the file starts with
    when : cron text, {every | asset | file | queue: ...}, or None for by hand
    timezone : of the cron text; a change of the clock moves it as people expect
    overrides : handed to `mlcore compose`, on top of the choices of today
    granularity : stage (a task a stage) or pipeline (one task for all)
    stages : run only these and what they need, and publish nothing; None for the whole recipe
    as_of : hand data.as_of, the end of the run's interval, to the source
    retries, retry_delay, max_retry_delay : of a task that was killed or could not reach something
    timeout : of one try of one task; deadline : of a whole run, None for none
    pool, concurrency : Airflow's pool, and runs at once
    announces : data asset that tells of new rows; None for none
    approval : a person approves before promotion; promote : judge the candidate at the end
    notify : Airflow connections told of a failure; secrets : variable -> connection:ID or variable:NAME
    """

    name: str
    about: str = ""
    when: str | dict | None = None
    timezone: str = "UTC"
    overrides: tuple[str, ...] = ()
    granularity: str = "stage"
    stages: tuple[str, ...] | None = None
    as_of: bool = False
    retries: int = 2
    retry_delay: timedelta = timedelta(seconds=30)
    max_retry_delay: timedelta = timedelta(minutes=10)
    timeout: timedelta = timedelta(hours=2)
    deadline: timedelta | None = None
    pool: str = "default_pool"
    concurrency: int = 1
    announces: str | None = None
    approval: bool = False
    promote: bool = True
    notify: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()


def read(folder: Path = Path("conf/schedule")) -> tuple[list[Schedule], dict[str, str]]:
    """Every schedule that is whole, and name -> what is wrong of those that are not."""
    good, bad = [], {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            good.append(parse(path))
        except (ValueError, OSError) as error:
            bad[path.stem] = str(error)
    return good, bad


def parse(path: Path) -> Schedule:
    """One file; ValueError names the file, the key, what was got and what is allowed."""
    text = path.read_text(encoding="utf-8")
    given, where = load(path), f"{path.parent.name}/{path.name}"
    known = {field.name: field for field in fields(Schedule) if field.name not in ("name", "about")}
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}" if near else f"there is {', '.join(known)}"
            raise ValueError(f"{where}: unknown key {key!r}; {hint}")
    if not re.fullmatch(r"[A-Za-z0-9_]+", path.stem):
        raise ValueError(f"{where}: a schedule's name has letters, digits and _ only, since it names a DAG")
    checked = {key: _checked(key, value, f"{where}: {key}") for key, value in given.items()}
    about = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    found = Schedule(path.stem, about, **checked)
    if found.stages and (found.approval or given.get("promote")):
        raise ValueError(f"{where}: stages runs a part of the recipe, of which nothing can be promoted")
    return found


def _checked(key, value, where):
    check = CHECKS.get(key)
    return check(value, where) if check else value


def _when(value, where):
    if value is None:
        return None
    if isinstance(value, str):
        return cron(value, where)
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in TRIGGERS:
        kind, target = next(iter(value.items()))
        if kind == "every":
            return {kind: duration(target, f"{where}.every")}
        if kind == "asset":
            return {kind: _texts(target if isinstance(target, list) else [target], f"{where}.asset")}
        text = target.get("scheme") if kind == "queue" and isinstance(target, dict) else target
        if not isinstance(text, str) or not text or (kind == "queue") != isinstance(target, dict):
            raise ValueError(f"{where}.{kind}: got {target!r}, must be {TRIGGERS[kind]}")
        return {kind: target}
    allowed = "; ".join(f"{{{name}: {about}}}" for name, about in TRIGGERS.items())
    raise ValueError(f"{where}: got {value!r}; allowed are null, a cron text, {allowed}")


def cron(text: str, where: str = "when") -> str:
    """A cron text of five fields or a preset, as it is; ValueError names the field that cannot be."""
    if text.startswith("@"):
        if text not in PRESETS:
            raise ValueError(f"{where}: got {text!r}; there is {', '.join(PRESETS)}, or five fields of cron")
        return text
    parts = text.split()
    if len(parts) != len(FIELDS):
        names = " ".join(name for name, *_ in FIELDS)
        raise ValueError(f"{where}: got {text!r} with {len(parts)} fields; cron has five: {names}")
    for part, (name, low, high) in zip(parts, FIELDS, strict=True):
        for piece in part.split(","):
            if not _piece(piece, low, high):
                raise ValueError(
                    f"{where}: {name} is {part!r}; allowed are {low} to {high}, * and a-b, */n, a,b"
                )
    return text


def _piece(piece, low, high):
    """Whether a piece of a field, such as 1-5/2 or MON, lies within its bounds."""
    body, slash, step = piece.partition("/")
    if slash and not (step.isdigit() and int(step) > 0):
        return False
    if body == "*":
        return True
    ends = [NAMES.get(end.upper(), end) for end in body.split("-")]
    return (
        len(ends) <= 2
        and all(end.isdigit() and low <= int(end) <= high for end in ends)
        and int(ends[0]) <= int(ends[-1])
    )


def duration(value, where: str) -> timedelta:
    """30s, 15m, 2h or 1d as a timedelta > 0; ValueError names ``where`` for anything else."""
    match = DURATION.fullmatch(str(value).strip())
    if not match or int(match[1]) == 0:
        raise ValueError(f"{where}: got {value!r}, must be a number with s, m, h or d, such as 30s or 2h")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _optional(check):
    return lambda value, where: None if value is None else check(value, where)


def _texts(value, where):
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{where}: got {value!r}, must be a list of texts")
    return tuple(value)


def _text(value, where):
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: got {value!r}, must be a text")
    return value


def _switch(value, where):
    if not isinstance(value, bool):
        raise ValueError(f"{where}: got {value!r}, must be true or false")
    return value


def _whole(least):
    def check(value, where):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{where}: got {value!r}, must be a whole number, {least} or more")
        return value

    return check


def _granularity(value, where):
    if value not in GRANULARITIES:
        raise ValueError(f"{where}: got {value!r}, must be {' or '.join(GRANULARITIES)}")
    return value


def _timezone(value, where):
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError(f"{where}: got {value!r}, must be a time zone such as Europe/Berlin") from None
    return value


def _secrets(value, where):
    if not isinstance(value, dict):
        raise ValueError(
            f"{where}: got {value!r}, must be a mapping of environment variables to their sources"
        )
    for name, source in value.items():
        if not re.fullmatch(r"(connection|variable):\S+", str(source)):
            raise ValueError(
                f"{where}.{name}: must be connection:ID or variable:NAME, where Airflow keeps the secret; "
                "the secret itself has no place in a file"
            )
    return tuple((str(name), source) for name, source in value.items())


CHECKS = {
    "when": _when,
    "timezone": _timezone,
    "overrides": _texts,
    "granularity": _granularity,
    "stages": _optional(_texts),
    "as_of": _switch,
    "retries": _whole(0),
    "retry_delay": duration,
    "max_retry_delay": duration,
    "timeout": duration,
    "deadline": _optional(duration),
    "pool": _text,
    "concurrency": _whole(1),
    "announces": _optional(_text),
    "approval": _switch,
    "promote": _switch,
    "notify": _texts,
    "secrets": _secrets,
}


def chosen(schedule: Schedule, stages: list) -> list:
    """The plan's stages that a schedule runs: those it names and what they need, or all; in order."""
    names = [stage.name for stage in stages]
    for name in schedule.stages or ():
        if name not in names:
            where = f"schedule/{schedule.name}.yaml: stages"
            raise ValueError(f"{where}: dvc.yaml has no stage {name!r}; it has {', '.join(names)}")
    taken = next((name for name in names if name in RESERVED), None)
    if taken and schedule.granularity == "stage":
        raise ValueError(f"dvc.yaml: a stage called {taken} cannot be a task; a DAG has its own task {taken}")
    wanted = set(schedule.stages or names)
    for stage in reversed(stages):
        wanted |= set(stage.after) if stage.name in wanted else set()
    return [stage for stage in stages if stage.name in wanted]
