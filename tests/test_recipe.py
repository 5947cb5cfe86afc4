"""dvc.yaml = conf/ = plan = steps: one recipe, whoever reads it."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
import yaml
from closure import ROOT, files_under, needed

from ml_core import plan

RECIPE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
ORDER = ["ingest", "prepare", "search", "train", "evaluate", "explain", "log"]


def own_deps(name):
    return [dep for dep in RECIPE[name]["deps"] if dep.startswith("ml_core")]


def test_a_step_has_one_name_everywhere():
    steps = {path.stem for path in (ROOT / "ml_core/steps").glob("*.py")} - {"__init__"}
    assert [stage.name for stage in plan.read(ROOT)] == ORDER
    assert steps == set(RECIPE) == set(ORDER)
    assert all(RECIPE[name]["cmd"] == f"mlcore {name}" for name in RECIPE)


@pytest.mark.parametrize("name", RECIPE)
def test_a_stage_lists_the_sections_its_step_takes(name):
    function = getattr(import_module(f"ml_core.steps.{name}"), name)
    takes = list(inspect.signature(function).parameters)[1:]
    gives = []
    for section in RECIPE[name].get("params", []):
        assert section in PARAMS, f"conf/ composes no section {section}"
        spread = section == name and "_target_" not in PARAMS[section]
        gives += list(PARAMS[section]) if spread else [section]
    required = [
        p.name
        for p in list(inspect.signature(function).parameters.values())[1:]
        if p.default is inspect.Parameter.empty
    ]
    assert set(required) <= set(gives) <= set(takes)


@pytest.mark.parametrize("name", RECIPE)
def test_a_stage_depends_on_the_whole_import_closure_of_its_step(name):
    wanted = needed(name, RECIPE[name].get("params", []))
    has = set().union(*(files_under(dep) for dep in own_deps(name)))
    missing = sorted(str(path.relative_to(ROOT)) for path in wanted - has)
    assert not missing, f"dvc.yaml: stage {name} would be stale after a change in {', '.join(missing)}"


@pytest.mark.parametrize("name", RECIPE)
def test_a_stage_depends_on_no_file_that_cannot_matter(name):
    """Folders may hold more than is reached (one rerun too many at worst); a single file may not."""
    wanted = needed(name, RECIPE[name].get("params", []))
    idle = [dep for dep in own_deps(name) if not files_under(dep) & wanted]
    assert not idle, f"stage {name} reruns for nothing after a change in {', '.join(idle)}"


@pytest.mark.parametrize("name", RECIPE)
def test_a_stage_depends_on_the_lock_and_on_your_own_code(name):
    assert "requirements.lock" in RECIPE[name]["deps"]
    assert "${code}" in RECIPE[name]["deps"] or name == "log"


def test_every_output_is_cached_so_that_another_host_can_go_on():
    for body in RECIPE.values():
        for part in ("outs", "metrics", "plots"):
            assert all(isinstance(out, str) for out in body.get(part, []))


def test_the_plan_has_dvcs_edges():
    script = (
        "from dvc.repo import Repo\n"
        "with Repo() as repo:\n"
        "    for a, b in repo.index.graph.edges: print('edge', a.addressing, b.addressing)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    theirs = {tuple(line.split()[1:]) for line in said.splitlines() if line.startswith("edge ")}
    assert theirs == {(stage.name, before) for stage in plan.read(ROOT) for before in stage.after}
    assert len(theirs) >= len(ORDER) - 1


def test_params_yaml_is_what_conf_gives():
    subprocess.run([sys.executable, "-m", "ml_core", "compose", "--check"], cwd=ROOT, check=True)
