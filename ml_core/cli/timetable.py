"""`mlcore schedule`: the schedules, when each is next, how it ended last, which model is champion."""

import os

from ml_core import schedule
from ml_core.cli.commands import print_error, print_json


def show_timetable(as_json: bool) -> int:
    """Print the table, or JSON; 2 when a schedule's file is wrong, else 0. Airflow may be away."""
    good, bad = schedule.read()
    known, away = _airflow()
    champion = _champion()
    rows = [
        {
            "schedule": one.name,
            "when": words(one),
            "next": known.get(one.name, {}).get("next"),
            "last": known.get(one.name, {}).get("last"),
            "paused": known.get(one.name, {}).get("paused"),
            "about": one.about,
        }
        for one in good
    ]
    if as_json:
        print_json({"schedules": rows, "broken": bad, "champion": champion, "airflow": away or "answers"})
    else:
        _table(rows, champion)
        if away:
            print_error(f"next and last are not known: {away}; `make airflow` starts it")
    for name, reason in bad.items():
        print_error(f"{name}: {reason}")
    return 2 if bad else 0


def words(one: schedule.Schedule) -> str:
    """When a schedule runs, for people."""
    if one.when is None:
        return "by hand"
    if isinstance(one.when, str):
        return f"{one.when} {one.timezone}"
    kind, target = next(iter(one.when.items()))
    if kind == "every":
        return f"every {target}"
    if kind == "queue":
        target = " ".join(str(value) for value in target.values())
    return f"{kind} {', '.join(target) if isinstance(target, tuple) else target}"


def _airflow():
    """Name -> {next, last, paused} as Airflow tells; and why it did not."""
    from ml_core.cli.standalone import Api

    api = Api(os.environ.get("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8080"))
    try:
        dags = api.get("dags?tags=mlcore&limit=200")["dags"]
        asked = {"dag_ids": [dag["dag_id"] for dag in dags], "order_by": "-run_after", "page_limit": 200}
        runs = api.get("dags/~/dagRuns/list", asked)["dag_runs"] if dags else []
    except (OSError, KeyError, ValueError) as error:
        return {}, f"Airflow does not answer at {api.address} ({error})"
    last = {
        run["dag_id"]: f"{run['state']} {str(run['end_date'] or run['run_after'])[:16]}" for run in runs[::-1]
    }
    return {
        dag["dag_id"]: {
            "next": str(dag.get("next_dagrun_run_after") or "")[:16] or None,
            "last": last.get(dag["dag_id"]),
            "paused": dag.get("is_paused"),
        }
        for dag in dags
    }, ""


def _champion():
    """The champion as the registry tells, such as "breast_cancer version 3"; None where it is not known."""
    from ml_core.cli.promote import the_registry

    try:
        registry = the_registry()
        version = registry.aliases().get("champion")
    except (OSError, ValueError, KeyError):
        return None
    return version and f"{registry.name} version {version}"


def _table(rows, champion):
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=f"champion: {champion or 'none yet'}", title_justify="left")
    for title in ("schedule", "when", "next (UTC)", "last", ""):
        table.add_column(title, no_wrap=title != "")
    for row in rows:
        paused = "paused" if row["paused"] else ""
        table.add_row(row["schedule"], row["when"], row["next"] or "", row["last"] or "", paused)
    Console().print(table)
