"""What depends on a change reruns, what cannot does not: under `mlcore run` and under `dvc repro`."""

import json
import re

import pytest
import yaml
from closure import ROOT, files_under

RECIPE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
AFTER_INGEST = ["prepare", "search", "train", "evaluate", "explain", "log"]


def ran_by_mlcore(project):
    said = json.loads(project.mlcore("run", "--json").stdout)
    return [name for name, entry in said["stages"].items() if entry["what"] == "ran"]


def ran_by_dvc(project):
    return re.findall(r"Running stage '(\w+)'", project.dvc("repro").stdout)


RUNNERS = {"mlcore run": ran_by_mlcore, "dvc repro": ran_by_dvc}


@pytest.fixture(params=RUNNERS)
def ran(request):
    return RUNNERS[request.param]


def remark(name):
    """A change of a file's bytes that changes no result."""
    return lambda project: project.write(name, project.read(name) + "# a remark\n")


def compose(*overrides):
    return lambda project: project.mlcore("compose", *overrides)


def newer_package(project):
    text = project.read("requirements.lock")
    project.write("requirements.lock", re.sub(r"scipy==(\d+)\.(\d+)", r"scipy==\1.99", text))


CHANGES = [
    # the change, what must rerun; later stages follow only where bytes really changed
    (remark("ml_core/steps/evaluate.py"), ["evaluate"]),
    (remark("ml_core/search/folds.py"), ["search"]),
    (remark("ml_core/data/split.py"), ["ingest", "prepare"]),
    (remark("ml_core/tracking/mlflow.py"), ["log"]),
    (remark("ml_core/cli/run.py"), []),
    (remark("README.md"), []),
    (compose("prepare.rules.min_rows=40"), ["prepare"]),
    (compose("evaluate.seed=5"), ["evaluate", "explain", "log"]),
    (compose("explain.repeats=3"), ["explain", "log"]),
    (compose("split.seed=3"), ["prepare", "search", "train", "evaluate", "explain", "log"]),
    (newer_package, ["ingest", "prepare", "search", "train", "evaluate", "explain", "log"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_exactly_what_depends_on_a_change_reruns(finished, change, expected):
    change(finished)
    assert ran_by_mlcore(finished) == expected
    assert ran_by_mlcore(finished) == []


@pytest.mark.slow
@pytest.mark.parametrize(("change", "expected"), [CHANGES[0], CHANGES[4], CHANGES[6]])
def test_dvc_by_itself_reruns_the_same(finished, change, expected):
    """Both runners let DVC tell what is stale; code, what is no step's, and params show that they agree."""
    change(finished)
    assert ran_by_dvc(finished) == expected
    assert ran_by_dvc(finished) == []


@pytest.mark.slow
def test_new_rows_reach_every_stage(project, ran):
    rows = [f"{i},{i % 7},{'abc'[i % 3]},{'yes' if (i * 7) % 11 > 4 else 'no'}" for i in range(400)]
    project.write("table.csv", "\n".join(["x,z,c,y", *rows]) + "\n")
    project.mlcore("compose", "data=csv", "data.path=table.csv", "data.target=y", "split=random")
    ran(project)
    project.write("table.csv", project.read("table.csv") + "400,3,a,yes\n401,1,b,no\n")
    assert ran(project)[:2] == ["ingest", "prepare"]


@pytest.mark.slow
def test_a_changed_helper_changes_the_result(finished, ran, tmp_path):
    """Not only rerun: the numbers are those of the changed code, and going back restores the old ones."""
    before = finished.read("out/evaluate.json")
    path = "ml_core/steps/evaluate.py"
    old = finished.read(path)
    finished.write(
        path,
        old + "\n\n_honest = evaluate\n\n\ndef evaluate(out, **options):\n"
        "    outcome = _honest(out, **options)\n    return Outcome({'changed': 1.0} | outcome.metrics)\n",
    )
    assert "evaluate" in ran(finished)
    assert json.loads(finished.read("out/evaluate.json"))["changed"] == 1.0
    finished.write(path, old)
    ran(finished)
    assert finished.read("out/evaluate.json") == before


@pytest.mark.slow
def test_no_part_of_ml_core_can_change_unseen(finished, monkeypatch):
    """A file of each dependency in turn gets a remark: every stage that names it is stale in DVC's eyes.

    That the dependencies hold every file a stage's result can reach is tests/test_recipe.py's.
    """
    from dvc.repo import Repo

    monkeypatch.chdir(finished.folder)
    wanted = {}
    for stage, body in RECIPE.items():
        for name in filter(lambda name: name.startswith("ml_core"), body["deps"]):
            wanted.setdefault(name, set()).add(stage)
    assert len(wanted) > 20
    for name, stages in wanted.items():
        path = finished.folder / max(files_under(name)).relative_to(ROOT)
        text = path.read_text()
        path.write_text(text + "# a remark\n")
        with Repo() as repo:
            stale = set(repo.status())
        path.write_text(text)
        assert stages <= stale, f"after a change in {path}: {stages - stale} would be stale"
