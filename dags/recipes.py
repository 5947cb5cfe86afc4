"""The timetable for Airflow: a DAG for each conf/schedule/*.yaml, its tasks and edges those of dvc.yaml.

Nothing is generated and nothing drifts: both files are read whenever Airflow parses this one.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for folder in (str(ROOT), str(ROOT / "dags")):
    if folder not in sys.path:
        sys.path.append(folder)

import mlcore_page as page  # noqa: E402
import mlcore_task as tasks  # noqa: E402
import mlcore_tell as tell  # noqa: E402
from airflow.sdk import (  # noqa: E402
    DAG,
    Asset,
    AssetWatcher,
    CronTriggerTimetable,
    Param,
    TriggerRule,
    get_parsing_context,
)
from airflow.sdk.exceptions import AirflowException  # noqa: E402

from ml_core import plan, schedule  # noqa: E402

START = datetime(2025, 1, 1, tzinfo=UTC)
MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))


def when(planned):
    """What Airflow calls a schedule: a timetable, a time span, assets, or None for by hand."""
    if planned.when is None:
        return None
    if isinstance(planned.when, str):
        return CronTriggerTimetable(planned.when, timezone=planned.timezone)
    kind, target = next(iter(planned.when.items()))
    if kind == "every":
        return target
    if kind == "asset":
        return [Asset(name) for name in target]
    name = f"{planned.name}_{kind}"
    return [Asset(name, watchers=[AssetWatcher(name, trigger=_trigger(kind, target))])]


def _trigger(kind, target):
    if kind == "file":
        from airflow.providers.standard.triggers.file import FileDeleteTrigger

        return FileDeleteTrigger(target)
    try:
        from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
    except ImportError:
        needed = "apache-airflow-providers-common-messaging and the provider of the queue"
        raise ValueError(f"when.queue needs {needed}; install them beside Airflow") from None
    found = MessageQueueTrigger(**target)
    try:
        found.serialize()
    except TypeError as error:
        raise ValueError(f"when.queue: {error}; see the provider of {target['scheme']}") from None
    except ValueError:
        needed = "no installed Airflow provider has it; pip install one that has"
        raise ValueError(f"when.queue.scheme: got {target['scheme']!r}, {needed}") from None
    return found


def form():
    """The form of a schedule by hand, valid as it opens: it adds to what the schedule's file says.

    Any other takes the same as JSON: `airflow dags trigger NAME --conf`.
    """
    text = ["null", "string"]
    return {
        "model": Param(
            None, type=text, enum=[None, *MODELS], description="A file of conf/model; none: today's."
        ),
        "overrides": Param(
            [], type="array", items={"type": "string"}, description="As for mlcore compose, one a line."
        ),
        "as_of": Param(None, type=text, description="Version of the data: data.as_of of the source."),
        "reason": Param(None, type=text, description="Why, for those who read the run later."),
    }


def build(planned, recipe):
    """The DAG of a schedule."""
    stages = schedule.chosen(planned, recipe)
    dag = DAG(
        planned.name,
        description=planned.about,
        doc_md=page.about_schedule(planned),
        schedule=when(planned),
        start_date=START,
        catchup=False,
        max_active_runs=planned.concurrency,
        params=form() if planned.when is None else None,  # checking a form costs more than all the rest
        tags={"mlcore", planned.granularity},
        deadline=tell.deadline(planned),
        default_args={
            "owner": "mlcore",
            "pool": planned.pool,
            "retries": planned.retries,
            "retry_delay": planned.retry_delay,
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": planned.max_retry_delay,
            "execution_timeout": planned.timeout,
            "on_failure_callback": tell.tell_of_failure,
        },
    )
    with dag:
        last = _by_stage(planned, stages) if planned.granularity == "stage" else _whole(planned)
        if planned.stages is None and planned.promote:
            rule = TriggerRule.ALL_SUCCESS
            promote = last.like("promote", does="promote", trigger_rule=rule, doc_md=page.PROMOTE)
            tasks.link(last, promote)
            if planned.approval:
                last >> tasks.approval(planned) >> promote
    return dag


def _by_stage(planned, stages):
    """open, a task a stage with the recipe's edges, publish, which is returned."""
    tells = "ingest" if planned.announces else None  # what announces looks each time
    restores = tuple(stage.name for stage in stages if stage.name != tells)
    first = tasks.Task(task_id="open", planned=planned, does="open", restores=restores, doc_md=page.OPEN)
    rule = TriggerRule.NONE_FAILED  # those restored by open are skipped
    made = {}
    for stage in stages:
        made[stage.name] = task = first.like(
            tasks.task_of(stage.name),
            announces=planned.announces if stage.name == tells else None,
            does="work",
            stage=stage.name,
            trigger_rule=rule,
            doc_md=page.about_stage(stage),
        )
        for before in [made[name] for name in stage.after] or [first]:
            tasks.link(before, task)
    if planned.stages is not None:
        return None
    last = first.like("publish", does="publish", trigger_rule=rule, doc_md=page.PUBLISH)
    for task in made.values():
        if not task.downstream_task_ids:
            tasks.link(task, last)
    return last


def _whole(planned):
    """One task for all of it."""
    return tasks.Task(
        task_id="run", planned=planned, does="work", announces=planned.announces, doc_md=page.WHOLE
    )


def load():
    """name -> DAG; a file that is wrong becomes a DAG that says so, and harms no other.

    In a task's own process its DAG alone.
    """
    wanted = get_parsing_context().dag_id
    try:
        recipe, fault = plan.read(ROOT), None
    except (ValueError, OSError) as error:
        recipe, fault = [], str(error)
    good, bad = schedule.read(ROOT / "conf/schedule")
    found = {}
    for planned in good:
        if wanted not in (None, planned.name):
            continue
        try:
            if fault:
                raise ValueError(fault)
            found[planned.name] = build(planned, recipe)
        except (ValueError, AirflowException) as error:
            bad[planned.name] = str(error)
    return found | {name: page.broken(name, reason, START) for name, reason in bad.items()}


globals().update(load())
