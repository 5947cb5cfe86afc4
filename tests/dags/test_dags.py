"""dags/ builds a DAG for each schedule, with the recipe's tasks and edges, lightly, each by itself."""

import importlib.util
import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from closure import ROOT

pytestmark = pytest.mark.airflow
pytest.importorskip("airflow.sdk", reason="the extra airflow is not installed; make test-airflow does")

from ml_core import plan, schedule  # noqa: E402

NAMES = sorted(path.stem for path in (ROOT / "conf/schedule").glob("*.yaml"))


@pytest.fixture(scope="module", autouse=True)
def airflow_home(tmp_path_factory):
    """Airflow's settings for these tests alone, before it is imported."""
    patch = pytest.MonkeyPatch()
    patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
    patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def recipes():
    spec = importlib.util.spec_from_file_location("recipes", ROOT / "dags/recipes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dags(module):
    from airflow.sdk import DAG

    return {dag.dag_id: dag for dag in vars(module).values() if isinstance(dag, DAG)}


def test_every_schedule_has_its_dag(recipes):
    assert sorted(dags(recipes)) == NAMES


def test_a_task_builds_its_own_dag_alone(recipes, monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "nightly")
    assert list(recipes.load()) == ["nightly"]


@pytest.mark.parametrize("name", NAMES)
def test_edges_are_those_of_the_recipe(recipes, name):
    planned = schedule.parse(ROOT / f"conf/schedule/{name}.yaml")
    dag, stages = dags(recipes)[name], schedule.chosen(planned, plan.read(ROOT))
    if planned.granularity == "pipeline":
        assert dag.task_ids == ["run", "promote"]
        return
    known = {stage.name for stage in stages}
    found = {task.task_id: task.upstream_task_ids & known for task in dag.tasks if task.task_id in known}
    assert found == {stage.name: set(stage.after) for stage in stages}
    firsts = {stage.name for stage in stages if not stage.after}
    assert dag.get_task("open").downstream_task_ids == firsts
    assert dag.has_task("publish") == (planned.stages is None)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_stored_as_airflow_stores_it_and_its_form_opens_valid(recipes, name):
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dags(recipes)[name]
    told = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert {task["__var"]["task_id"] for task in told["dag"]["tasks"]} == set(dag.task_ids)
    dag.params.validate()
    assert dag.catchup is False and all(task.doc_md for task in dag.tasks)
    assert all(task.execution_timeout and task.retries >= 0 for task in dag.tasks)


def test_what_a_schedule_says_reaches_the_dag(recipes):
    planned = schedule.Schedule(
        "x", when={"every": timedelta(hours=6)}, retries=5, pool="gpu", concurrency=3, approval=True,
        deadline=timedelta(hours=1), notify=("team",),
    )  # fmt: skip
    dag = recipes.build(planned, plan.read(ROOT))
    assert dag.max_active_runs == 3 and dag.deadline
    task = dag.get_task("train")
    assert (task.retries, task.pool, task.notify) == (5, "gpu", ("team",))
    assert dag.get_task("approve").upstream_task_ids == {"publish"}
    assert dag.get_task("promote").upstream_task_ids == {"publish", "approve"}
    zoned = recipes.build(schedule.Schedule("y", when="0 3 * * *", timezone="Europe/Berlin"), plan.read(ROOT))
    assert "Europe/Berlin" in str(zoned.schedule)


def runs(timetable, now, catchup=False, last=None, count=3):
    """When Airflow would start the next runs, were it ``now`` (a text), after a run at ``last``."""
    import pendulum
    from airflow.timetables.base import DagRunInfo, TimeRestriction

    found = []
    with pytest.MonkeyPatch.context() as patch:
        for module in ("airflow.timetables.trigger", "airflow.timetables.interval"):
            patch.setattr(f"{module}.utcnow", lambda: pendulum.parse(now))
        before = DagRunInfo.exact(pendulum.parse(last)) if last else None
        for _ in range(count):
            restriction = TimeRestriction(pendulum.datetime(2025, 1, 1), None, catchup)
            before = timetable.next_dagrun_info_v2(last_dagrun_info=before, restriction=restriction)
            found.append(before.run_after.in_timezone("UTC").format("YYYY-MM-DD HH:mm"))
    return found


def stored(recipes, planned):
    """The timetable as Airflow's scheduler has it, of a schedule."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = recipes.build(planned, plan.read(ROOT))
    return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag)))).timetable


@pytest.mark.parametrize(
    ("cron", "now", "expected"),
    [
        ("0 3 * * *", "2026-03-27 12:00", ["2026-03-28 02:00", "2026-03-29 01:00", "2026-03-30 01:00"]),
        ("30 2 * * *", "2026-03-28 12:00", ["2026-03-29 01:30", "2026-03-30 00:30", "2026-03-31 00:30"]),
        ("0 3 * * *", "2026-10-23 12:00", ["2026-10-24 01:00", "2026-10-25 02:00", "2026-10-26 02:00"]),
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25 01:30", "2026-10-26 01:30", "2026-10-27 01:30"]),
    ],
    ids=["three, spring", "an hour that is not", "three, autumn", "an hour that comes twice"],
)
def test_a_night_runs_once_whatever_the_clock_does(recipes, cron, now, expected):
    """Berlin's clock goes forward on 29 March 2026 at 2 and back on 25 October at 3."""
    found = stored(recipes, schedule.Schedule("x", when=cron, timezone="Europe/Berlin"))
    last = f"{now[:10]} {'02:00' if now[5:7] == '03' else '01:00'}"
    assert runs(found, now, last=last) == expected


@pytest.mark.parametrize("when", ["0 * * * *", {"every": timedelta(hours=1)}], ids=["cron", "every"])
def test_a_week_of_missed_hours_is_one_run(recipes, when):
    found = stored(recipes, schedule.Schedule("x", when=when))
    due = [at for at in runs(found, "2026-11-27 12:20", last="2026-11-20 12:00") if at <= "2026-11-27 12:20"]
    assert len(due) == 1, due
    assert len(runs(found, "2026-11-27 12:20", True, "2026-11-20 12:00", 168)) == 168, (
        "what catch-up would do"
    )


def test_a_queue_and_a_file_are_watched(recipes):
    """The provider of messages is in the extra airflow-many, with Redis's; without it the DAG says so."""
    dag = recipes.build(schedule.Schedule("x", when={"file": "/inbox/rows.ready"}), plan.read(ROOT))
    (watcher,) = watchers(dag)
    assert watcher.trigger.serialize()[1]["filepath"] == "/inbox/rows.ready"
    pytest.importorskip("airflow.providers.common.messaging", reason="the extra airflow-many")
    queue = {"scheme": "redis+pubsub", "channels": ["rows"]}
    dag = recipes.build(schedule.Schedule("y", when={"queue": queue}), plan.read(ROOT))
    (watcher,) = watchers(dag)
    assert watcher.trigger.serialize()[1]["channels"] == ["rows"]
    for wrong, says in (({"scheme": "pigeon"}, "got 'pigeon', no installed"), (queue | {"x": 1}, "'x'")):
        with pytest.raises(ValueError, match=f"when.queue.*{says}"):
            recipes.build(schedule.Schedule("z", when={"queue": wrong}), plan.read(ROOT))


def watchers(dag):
    """What waits for a DAG's events."""
    return [watcher for asset in dag.schedule for watcher in asset.watchers]


def test_an_approval_waits_until_the_deadline_and_nobodys_word_is_a_no(recipes):
    for deadline, seconds in ((timedelta(hours=1), 3600), (None, 7 * 86400)):
        planned = schedule.Schedule("x", approval=True, deadline=deadline)
        task = recipes.build(planned, plan.read(ROOT)).get_task("approve")
        assert task.response_timeout.total_seconds() == seconds
        assert task.defaults == ["Reject"] and task.execution_timeout is None


def copy(folder: Path) -> Path:
    """dags/, the recipe and what they import, in a project of their own."""
    for name in ("dags", "conf/schedule", "conf/model"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ml_core").mkdir()
    for name in ("__init__.py", "plan.py", "schedule.py"):
        shutil.copy(ROOT / "ml_core" / name, folder / "ml_core")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def loaded(recipes, monkeypatch):
    """name -> (tasks, description) of a project's DAGs, as whoever imports dags/recipes.py has them."""

    def of(folder):
        monkeypatch.setattr(recipes, "ROOT", folder)
        return {name: (dag.task_ids, dag.description) for name, dag in recipes.load().items()}

    return of


def many(folder: Path, granularity: str) -> Path:
    """20 schedules and 30 stages in a row."""
    for path in (folder / "conf/schedule").glob("*.yaml"):
        path.unlink()
    said = f"# About.\nwhen: 0 3 * * *\ngranularity: {granularity}\n"
    for i in range(20):
        (folder / f"conf/schedule/s{i}.yaml").write_text(said)
    stages = "".join(f"  s{i}:\n    cmd: x\n    outs: [o{i}]\n    deps: [o{i - 1}]\n" for i in range(30))
    (folder / "dvc.yaml").write_text(f"stages:\n{stages}")
    return folder


def test_a_parse_is_lighter_than_making_bare_tasks_and_imports_nothing_heavy(tmp_path):
    """660 tasks with edges in less time than 660 of Airflow's own without any, by turns."""
    folder = many(copy(tmp_path), "stage")
    words = [sys.executable, ROOT / "tests/dags/parse.py"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["dags"]) == 20 and all(len(ids) == 33 for ids, _ in told["dags"].values())
    heavy = {"mlflow", "dvc", "sklearn", "hydra", "omegaconf", "polars", "numpy", "numba", "matplotlib"}
    assert not heavy & set(told["new"]), "imported while parsing"
    assert told["again"] < told["bare"]


@pytest.mark.parametrize("asked", [{}, {"granularity": "pipeline"}, {"approval": True}, {"when": None},
                                   {"stages": ("ingest",), "announces": "rows"}])  # fmt: skip
def test_tasks_made_lightly_are_those_that_airflow_makes(recipes, monkeypatch, asked):
    """The slow twin: Airflow's own constructor and edges for each."""
    from airflow.serialization.serialized_objects import DagSerialization

    planned = schedule.Schedule("x", **{"when": "@daily", "retries": 5, "notify": ("team",)} | asked)
    light = recipes.build(planned, plan.read(ROOT))
    task = recipes.tasks.Task
    monkeypatch.setattr(task, "like", lambda self, name, **own: task(task_id=name, planned=planned, **own))
    monkeypatch.setattr(recipes.tasks, "link", lambda before, after: before >> after)
    slow = recipes.build(planned, plan.read(ROOT))
    assert json.dumps(DagSerialization.to_dict(light)) == json.dumps(DagSerialization.to_dict(slow))
    apart = ("_dag", "_BaseOperator__init_kwargs", "task_group")
    for one, other in zip(light.tasks, slow.tasks, strict=True):
        assert one.dag is light and one.task_group.dag is light
        mine, theirs = ({k: v for k, v in vars(t).items() if k not in apart} for t in (one, other))
        assert mine == theirs


def test_a_name_that_is_no_tasks_is_made_one_and_two_that_meet_break_the_dag(loaded, tmp_path):
    folder = copy(tmp_path)
    many = "stages:\n  a:\n    foreach: [%s]\n    do: {cmd: 'x ${item}', outs: ['o/${item}']}\n"
    (folder / "dvc.yaml").write_text(many % "b c, d")
    assert loaded(folder)["nightly"][0] == ["open", "a.b.c", "a.d", "publish", "promote"]
    (folder / "dvc.yaml").write_text(many % "b c, b.c")
    ids, about = loaded(folder)["nightly"]
    assert ids == ["broken"] and "a.b.c" in about


def test_a_schedule_that_is_wrong_is_a_dag_that_says_so(loaded, tmp_path):
    folder = copy(tmp_path)
    (folder / "conf/schedule/odd.yaml").write_text("when: 0 25 * * *\n")
    (folder / "conf/schedule/gone.yaml").write_text("stages: [tune]\npromote: false\n")
    told = loaded(folder)
    assert told["odd"][0] == told["gone"][0] == ["broken"]
    assert "hour is '25'; allowed are 0 to 23" in told["odd"][1]
    assert "dvc.yaml has no stage 'tune'; it has ingest" in told["gone"][1]
    assert set(NAMES) <= set(told) and told["retrain"][0] != ["broken"]


def test_a_recipe_that_is_wrong_breaks_every_dag_with_its_reason(loaded, tmp_path):
    folder = copy(tmp_path)
    (folder / "dvc.yaml").write_text(
        "stages:\n  a: {cmd: x, deps: [b], outs: [b]}\n  b: {cmd: x, outs: [b]}\n"
    )
    told = loaded(folder)
    assert all(one[0] == ["broken"] and "b is made by both a and b" in one[1] for one in told.values())
