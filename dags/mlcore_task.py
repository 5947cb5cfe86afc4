"""What a task of the timetable does: one call of `mlcore workspace`, in a process group that ends with it.

Airflow's configuration may hold a section [mlcore] (or variables AIRFLOW__MLCORE__*): python, the interpreter
of the project's environment; mlflow_ui, the address of MLflow's page. Where the workspaces lie and what is
cloned say MLCORE_WORKSPACES and MLCORE_ORIGIN.
"""

import contextlib
import copy
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from datetime import timedelta
from pathlib import Path

from airflow.sdk import (
    Asset,
    AssetAlias,
    BaseHook,
    BaseOperator,
    BaseOperatorLink,
    Variable,
    conf,
)
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = timedelta(days=7)  # for a person's approval, when the schedule has no deadline
FINAL = {1: "the check or the gate said no", 2: "a mistake that no retry mends"}
REFUSED = "REFUSED"  # as mlcore promote marks the gates that said no


def setting(name, default=""):
    """A setting of the section [mlcore]."""
    return conf.get("mlcore", name, fallback=default)


class Link(BaseOperatorLink):
    """A button on the task's page: an address that the task found."""

    def __init__(self, title, key):
        self.title, self.key = title, key

    @property
    def name(self):
        """Its text."""
        return self.title

    @property
    def xcom_key(self):
        """Where Airflow keeps the address."""
        return f"_link_mlcore_{self.key}"

    def get_link(self, operator, *, ti_key):
        """The address."""
        return operator.addresses.get(self.key, "")


class Task(BaseOperator):
    """One step of a scheduled run; its process and whatever that starts end with the task.

    Exit codes 1 and 2 are final; anything else, such as a kill or a host that is away, is tried again.
    """

    operator_extra_links = (Link("MLflow run", "run"), Link("Report", "report"))

    def __init__(self, *, planned, does, stage=None, announces=None, restores=(), **options):
        super().__init__(outlets=_outlets(announces), **options)
        self.does, self.stage, self.announces, self.restores = does, stage, announces, tuple(restores)
        self.overrides, self.as_of, self.secrets = planned.overrides, planned.as_of, planned.secrets
        self.notify, self.only = planned.notify, planned.stages or ()
        self.alone = planned.granularity == "pipeline" and not self.only
        self.addresses, self.process, self.code, self.judging = {}, None, None, None

    def like(self, task_id, announces=None, **own):
        """A task of the same DAG that differs in ``own`` and has no edges yet.

        A copy: Airflow takes ten times as long to check the same arguments once more. By test it is what
        Airflow's own constructor makes.
        """
        task = copy.copy(self)
        fresh = {
            "upstream_task_ids": set(),
            "downstream_task_ids": set(),
            "task_group": None,
            "addresses": {},
        }
        fresh |= {"restores": (), "announces": announces, "outlets": _outlets(announces)}
        vars(task).update(fresh, task_id=task_id, **own)
        self.dag.add_task(task)
        return task

    def execute(self, context):
        """Run it; what its last line told is the task's result."""
        run = context["dag_run"]
        if self.does == "promote" and str(run.run_type) in ("backfill", "DagRunType.BACKFILL"):
            raise AirflowSkipException("a backfill trains models and changes no champion")
        try:
            told = json.loads(self._called(self._words(context), context) or "{}")
        finally:
            if self.judging and self.code in (0, 1):
                context["ti"].xcom_push(key="judged", value=self.judging)
        self._point_to(told or self._earlier(context))
        if self.announces and "data" in told:
            self._announce(context, told["data"])
        if told.get("restored"):
            context["ti"].xcom_push(key="return_value", value=told)
            raise DownstreamTasksSkipped(tasks=[task_of(stage) for stage in told["restored"]])
        return told

    def _words(self, context):
        """The call of `mlcore workspace` for this run."""
        run, does = context["dag_run"], self.does
        params = asked(context)
        words = [f"{run.dag_id}-{run.run_id}"]
        overrides = [*self.overrides, *([f"model={params['model']}"] if params.get("model") else [])]
        overrides += params.get("overrides") or []
        as_of = params.get("as_of")
        if as_of is None and self.as_of:
            end = context.get("data_interval_end") or context.get("logical_date") or run.run_after
            as_of = end.isoformat()
        overrides += [f"data.as_of='{as_of}'"] if as_of else []
        for override in overrides:
            words += ["--override", override]
        earlier = self._earlier(context)
        if earlier.get("commit"):
            words += ["--commit", earlier["commit"]]
        if does == "work":
            for stage in [self.stage] if self.stage else self.only:
                words += ["--stage", stage]
            words += ["--publish"] if self.alone else []
        for stage in self.restores:
            words += ["--restore", stage]
        if does == "promote":
            does = "do"
            if not earlier.get("run_id"):
                raise AirflowSkipException("MLflow has not taken the run yet; promote it when it has")
            self.judging = [earlier["run_id"], earlier.get("commit"), overrides]
            if self._judged_before(context):
                raise AirflowSkipException(
                    f"an earlier run had it judged, and nothing is new; `mlcore promote {earlier['run_id']}` "
                    "judges it again"
                )
            said = context["ti"].xcom_pull(task_ids="approve") if self.dag.has_task("approve") else None
            by = ["--approve-by", approver(said)] if said else []
            words += ["--", "promote", earlier["run_id"], *by]
        return [does, *words]

    def _judged_before(self, context):
        """Whether this schedule has had the same run judged under the same choices, with nobody to ask."""
        if self.dag.has_task("approve"):
            return False
        before = context["ti"].xcom_pull(task_ids=self.task_id, key="judged", include_prior_dates=True)
        return before == self.judging

    def _earlier(self, context):
        """What the tasks before this one told, the last of them first."""
        told = {}
        for name in ("open", "publish", "run"):
            if name != self.task_id and name in self.dag.task_dict:
                told |= context["ti"].xcom_pull(task_ids=name) or {}
        return told

    def _called(self, words, context):
        """What the command printed last; its messages go to the task's log as they come."""
        command = [setting("python", sys.executable), "-m", "ml_core", "workspace", *words]
        said = deque(maxlen=50)
        with tempfile.TemporaryFile("w+") as answer:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(context),
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
            try:
                for line in self.process.stderr:
                    self.log.info(line.rstrip())
                    said.append(line.strip())
                code = self.code = self.process.wait()
            finally:
                self.on_kill()
            answer.seek(0)
            lines = answer.read().strip().splitlines()
        why = " ".join([line for line in said if REFUSED in line] or list(said)[-3:]) or "it said nothing"
        if code in FINAL:
            raise AirflowFailException(f"{self.task_id}: {FINAL[code]}: {why}")
        if code:
            raise AirflowException(f"{self.task_id} ended with {code}: {why}")
        return lines[-1] if lines and lines[-1].startswith("{") else ""

    def on_kill(self):
        """End the whole group, as for a timeout or a task cleared in the page."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _environment(self, context):
        """The project's code and secrets, and what the ledger is to say of this run."""
        run, ti = context["dag_run"], context["ti"]
        tags = {"airflow.dag": run.dag_id, "airflow.run": run.run_id, "airflow.try": str(ti.try_number)}
        tags["airflow.link"] = str(getattr(ti, "log_url", "") or "")
        reason = asked(context).get("reason")
        tags |= {"reason": str(reason)} if reason else {}
        known = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        known |= {"MLCORE_TAGS": json.dumps(tags), "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
        return known | {name: secret(source) for name, source in self.secrets}

    def _point_to(self, told):
        page = setting("mlflow_ui", "http://127.0.0.1:5000").rstrip("/")
        if told.get("run_id"):
            self.addresses["run"] = f"{page}/#/runs/{told['run_id']}"
            self.addresses["report"] = f"{page}/get-artifact?path=report.html&run_uuid={told['run_id']}"

    def _announce(self, context, digest):
        """An event of the data asset, when the data is not what the last run of this task saw."""
        ti = context["ti"]
        before = ti.xcom_pull(task_ids=self.task_id, key="announced", include_prior_dates=True)
        if before != digest:
            context["outlet_events"][AssetAlias(self.announces)].add(Asset(self.announces), {"md5": digest})
        ti.xcom_push(key="announced", value=digest)


def _outlets(announces):
    return [AssetAlias(announces)] if announces else []


def link(before, after):
    """An edge, as ``before >> after`` sets it, which would look at the whole DAG for each."""
    before.downstream_task_ids.add(after.task_id)
    after.upstream_task_ids.add(before.task_id)


def asked(context):
    """What the form, or --conf, says: model, overrides, as_of, reason."""
    return {**context["params"], **(context["dag_run"].conf or {})}


def die_with_parent():
    """Between fork and exec: a task killed by -9 takes its process along (Linux's prctl PR_SET_PDEATHSIG)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def secret(source):
    """connection:ID or variable:NAME of Airflow's, as text for an environment."""
    kind, _, name = source.partition(":")
    return BaseHook.get_connection(name).get_uri() if kind == "connection" else Variable.get(name)


def task_of(stage):
    """The task's name for a stage; what Airflow does not take, such as the @ of a foreach, is a dot."""
    return re.sub(r"[^\w.-]", ".", stage)[:250]


def approval(planned):
    """A person's word between candidate and promotion; who said it stands in the champion's history.

    Nobody's word by the deadline is a no, so that the next run is not kept waiting for ever.
    """
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    about = "Run {{ (ti.xcom_pull(task_ids='publish') or ti.xcom_pull(task_ids='run') or {}).get('run_id') }}"
    return ApprovalOperator(
        task_id="approve",
        subject="Promote this candidate?",
        body=about,
        defaults=[ApprovalOperator.REJECT],
        response_timeout=planned.deadline or PATIENCE,
        execution_timeout=None,
        doc_md="A person approves the candidate, or refuses it, under Required Actions.",
    )


def approver(said):
    """Who approved, as Airflow tells it."""
    user = said.get("responded_by_user") or {}
    return str(user.get("name") or user.get("id") or "somebody")
