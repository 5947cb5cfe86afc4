"""Whom the timetable tells when a run went wrong or is late: Airflow connections that its schedule names."""

import sys

from airflow.sdk import BaseHook, DeadlineAlert, DeadlineReference, SyncCallback


def tell_of_failure(context):
    """Tell those whom the schedule names of a task that failed for good: where, why, what to look at."""
    task, run, ti = context["task"], context["dag_run"], context["ti"]
    from ml_core.workspace import safe

    why = [line for line in str(context.get("exception") or "").splitlines() if line.strip()][:5]
    note = {
        "title": f"{run.dag_id}: {task.task_id} failed",
        "dag": run.dag_id,
        "run": run.run_id,
        "stage": getattr(task, "stage", None) or task.task_id,
        "reason": " ".join(why) or "killed, or the worker was lost",
        "link": str(getattr(ti, "log_url", "") or ""),
        "workspace": safe(f"{run.dag_id}-{run.run_id}"),
    }
    _deliver(getattr(task, "notify", ()), note)


def tell_of_deadline(notify, dag, context=None):
    """Tell that a run was not done by its deadline."""
    run = (context or {}).get("dag_run") or {}
    run_id = run.get("dag_run_id", "") if isinstance(run, dict) else run.run_id
    _deliver(notify, {"title": f"{dag}: not done by its deadline", "dag": dag, "run": run_id})


def _deliver(names, note):
    from ml_core import notify

    for name in names:
        known = BaseHook.get_connection(name)
        try:
            notify.deliver(known.conn_type, known.get_uri(), known.extra_dejson, note)
        except (OSError, ValueError) as error:
            print(f"{name} was not told: {error}", file=sys.stderr)  # noqa: T201


def deadline(planned):
    """Airflow's alert for a run that is not done in time."""
    if planned.deadline is None:
        return None
    told = {"notify": list(planned.notify), "dag": planned.name}
    return DeadlineAlert(
        DeadlineReference.DAGRUN_QUEUED_AT,
        planned.deadline,
        SyncCallback("mlcore_tell.tell_of_deadline", told),
    )
