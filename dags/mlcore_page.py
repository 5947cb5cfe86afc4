"""What Airflow's page says of a schedule, its tasks, and of a schedule that is wrong."""

import re

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

OPEN = (
    "Clones the commit into a folder of its own, composes params.yaml, removes workspaces that are too old. "
    "Stages whose outputs are known already are brought back here, and skipped."
)
WHOLE = "`mlcore run` in a workspace, then `mlcore workspace publish`: the whole recipe in one task."
PUBLISH = "Pushes the outputs to the DVC remote, params.yaml and dvc.lock to the branch candidate/RUN."
PROMOTE = "`mlcore promote` judges the candidate against the champion. A backfill promotes nothing."


def broken(name, reason, start):
    """A DAG that says what is wrong with its schedule; it never runs by itself."""
    known = name if re.fullmatch(r"[A-Za-z0-9_.-]+", name) else re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
    with DAG(known, description=f"broken: {reason}", doc_md=f"**Broken**: {reason}", start_date=start) as dag:
        Broken(task_id="broken", reason=reason)
    return dag


class Broken(BaseOperator):
    """Says what is wrong with a schedule."""

    def __init__(self, *, reason, **options):
        super().__init__(**options)
        self.reason = reason

    def execute(self, context):
        """Fail with the reason."""
        raise AirflowFailException(self.reason)


def about_schedule(planned):
    """The DAG's page."""
    words = " ".join(planned.overrides) or "none"
    return f"{planned.about}\n\nconf/schedule/{planned.name}.yaml; overrides: {words}"


def about_stage(stage):
    """The task's page: what the stage runs, reads and makes."""
    reads, makes = (
        ", ".join(f"`{path}`" for path in paths) or "nothing" for paths in (stage.deps, stage.outs)
    )
    return f"Stage **{stage.name}** of dvc.yaml: `{stage.cmd}`\n\nreads {reads}\n\nmakes {makes}"
