"""Parse the DAGs of the project in this folder; print CPU seconds, modules and DAGs as a json.

A script, for a parse counts in a process that has just begun: `python tests/dags/parse.py`.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import airflow.sdk.exceptions  # noqa: F401
import airflow.timetables.base  # noqa: F401  Airflow brings it with the first timetable
from airflow.sdk import DAG, BaseOperator

START = datetime(2025, 1, 1, tzinfo=UTC)


class Bare(BaseOperator):
    """A task that does nothing."""

    def execute(self, context):
        """Nothing."""


def seconds(call, *words):
    """CPU seconds of a call."""
    start = time.process_time()
    call(*words)
    return time.process_time() - start


def bare(sizes):
    """DAGs of so many tasks each, as Airflow makes them, without edges."""
    for i, size in enumerate(sizes):
        with DAG(f"bare{i}", schedule="0 3 * * *", start_date=START):
            for k in range(size):
                Bare(task_id=f"t{k}")


def main():
    """A first parse with all its imports, then three more and as many bare DAGs by turns."""
    sys.path.insert(0, str(Path.cwd() / "dags"))
    before, start = set(sys.modules), time.process_time()
    import recipes

    told = {"first": time.process_time() - start}
    told["new"] = sorted({name.split(".")[0] for name in set(sys.modules) - before})
    found = [dag for dag in vars(recipes).values() if isinstance(dag, DAG)]
    told["dags"] = {dag.dag_id: [dag.task_ids, dag.description] for dag in found}
    sizes = [len(dag.task_ids) for dag in found]
    pairs = [(seconds(recipes.load), seconds(bare, sizes)) for _ in range(3)]
    told["again"], told["bare"] = (min(column) for column in zip(*pairs, strict=True))
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
