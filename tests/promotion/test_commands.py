"""The commands about the champion as a user types them, one after the other, in a project after one run."""

import json
import shutil

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
# what a row costs depends on what else this machine does; a person is asked in place of the numbers
EASY = (
    "gate.budgets=null",
    "gate.better.test=noninferior",
    "gate.better.margin=0.2",
    "gate.approved.needed=true",
)
REMOTE = """[core]
    remote = store
['remote "store"']
    url = {}
"""


def champion(project):
    """Aliases and entries as `mlcore history --json` tells them."""
    known = json.loads(project.mlcore("history", "--json").stdout)
    return known["aliases"], known["entries"]


def test_a_first_champion_a_refusal_a_second_one_the_way_back_and_the_garbage(finished, tmp_path):
    project, lock = finished, finished.read("dvc.lock")
    project.mlcore("compose", *EASY)
    said = project.mlcore("promote", "--approve-by", "Ada").stdout
    assert "no champion yet" in said and "version 1, run " in said and "promoted (no champion before)" in said
    project.mlcore("compose", *EASY, "model=gaussian_nb")
    project.mlcore("run")
    judged_from_the_remote(project, tmp_path / "store")
    assert "0 persons said yes, 1 needed: --approve-by NAME" in project.mlcore("promote", code=1).stdout
    assert champion(project)[0] == {"champion": "1", "challenger": "2"}
    assert "version 2, run " in project.mlcore("promote", "--approve-by", "Eve").stdout
    back = project.mlcore("rollback", "--reason", "complaints from the north").stdout
    assert "back from version 2 to version 1; it loads, and says of 103 rows what it said" in back
    aliases, entries = champion(project)
    assert aliases == {"champion": "1"}
    assert [(one["what"], one["version"], one["before"]) for one in entries] == [
        ("promoted", "1", ""),
        ("promoted", "2", "1"),
        ("rolled back", "1", "2"),
    ]
    assert entries[1]["evidence"]["approved_by"] == "Eve" and entries[2]["why"] == "complaints from the north"
    one, two = entries[0]["run_id"], entries[1]["run_id"]
    compared = project.mlcore("compare", two[:8], one[:8], "--report", "build/c.md").stdout
    assert "DeLong" in compared and "the report lies in build/c.md" in compared
    assert "<svg" in project.read("build/c.html") and "| AUC |" in project.read("build/c.md")
    project.write("dvc.lock", lock)  # as before the second model
    collected(project, one, two)


def judged_from_the_remote(project, store):
    """With rows that only DVC's remote has; then with rows that nobody has any more."""
    project.write(".dvc/config.local", REMOTE.format(store))
    project.dvc("push", "-q")
    cache = project.folder / ".dvc" / "cache"
    cache.rename(project.folder / "kept")
    said = project.mlcore("promote", "--dry-run", "--report", "build/r.md", code=1).stdout
    assert "REFUSED" in said and "show a true gain of" in said and "with power 80 %" in said
    assert "refused (version 1)\nthe report lies in build/r.md" in said
    assert (project.folder / "build/r.html").exists() and list(
        (project.folder / "build/r-plots").glob("*.png")
    )
    assert list(cache.rglob("*.dir")), "fetched into the cache of this checkout"
    shutil.rmtree(cache)
    shutil.rmtree(store)
    told = project.mlcore("promote", "--dry-run", code=2).stderr
    assert "neither in DVC's cache nor in its remote; `dvc push` it" in told and "Traceback" not in told
    shutil.rmtree(cache, ignore_errors=True)
    (project.folder / "kept").rename(cache)


def collected(project, one, two):
    """`mlcore gc` looks, `--apply` removes: all of the second run's, and nothing of the champion's."""
    found = json.loads(project.mlcore("gc", "--days", "0", "--json").stdout)
    assert found["versions"] == ["2"] and found["runs"] == [two] and found["objects"] and not found["removed"]
    removed = json.loads(project.mlcore("gc", "--days", "0", "--apply", "--json").stdout)
    assert removed == found | {"removed": True}
    assert "nothing that is older than 0 days can go" in project.mlcore("gc", "--days", "0").stdout
    assert "champion already" in project.mlcore("promote", one).stdout
    project.mlcore("compare", one, one)
    assert "no runs in MLflow are called '0123abcd'" in project.mlcore("promote", "0123abcd", code=2).stderr
