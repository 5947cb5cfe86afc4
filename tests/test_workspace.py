"""A folder of its own for a scheduled run: never half there, never in the way of another, kept or removed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import NAMED

from ml_core import workspace
from ml_core.tracking import lineage


@pytest.fixture
def origin(tmp_path):
    """A small repository with a recipe, composed by a stand-in of the code."""
    folder = tmp_path / "origin"
    (folder / "ml_core").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text(
        "[core]\n    remote = shared\n['remote \"shared\"']\n    url = /tmp/x\n"
    )
    (folder / "params.yaml").write_text("data: {path: ../beside/rows.csv}\n")
    main = (
        "import sys, pathlib\n"
        "words = sys.argv[1:]\n"
        "if 'model=ghost' in words: sys.exit('conf/model: no option ghost')\n"
        "pathlib.Path('composed.txt').write_text(' '.join(words))\n"
    )
    (folder / "ml_core/__main__.py").write_text(main)
    (folder / "ml_core/__init__.py").write_text("")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/rows.csv").write_text("a,y\n1,2\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run(["git", *NAMED, *words], cwd=folder, check=True, capture_output=True)
    return folder


def wanted(home, name="night-1", **more):
    return workspace.Order(name, home, home.parent / "workspaces", more.pop("origin", str(home)), **more)


def git(folder, *words):
    return subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_holds_the_commit_the_choices_the_data_and_the_cache(origin):
    found = workspace.opened(wanted(origin, overrides=("model=forest",)))
    folder = Path(found["folder"])
    assert found["commit"] == git(origin, "rev-parse", "HEAD") == git(folder, "rev-parse", "HEAD")
    assert git(folder, "symbolic-ref", "--short", "HEAD") == found["branch"] == "candidate/night-1"
    assert (folder / "composed.txt").read_text() == "compose --keep model=forest"
    assert (folder / "../beside/rows.csv").read_text() == "a,y\n1,2\n"
    assert workspace.cache(folder) == origin / ".dvc/cache" and workspace.remote(folder) == "shared"
    assert git(origin, "status", "--porcelain") == ""


def test_without_overrides_the_committed_choices_are_checked(origin):
    folder = Path(workspace.opened(wanted(origin))["folder"])
    assert (folder / "composed.txt").read_text() == "compose --check"


def test_opened_again_it_is_the_same_even_when_the_origin_has_moved_on(origin):
    first = workspace.opened(wanted(origin))
    (Path(first["folder"]) / "work.txt").write_text("kept")
    subprocess.run(["git", *NAMED, "commit", "-qm", "more", "--allow-empty"], cwd=origin, check=True)
    assert workspace.opened(wanted(origin)) == first
    assert (Path(first["folder"]) / "work.txt").exists()
    later = workspace.opened(wanted(origin, "night-2"))
    assert later["commit"] != first["commit"]
    assert workspace.opened(wanted(origin, "night-3", commit=first["commit"]))["commit"] == first["commit"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"overrides": ("model=ghost",)}, "no option ghost"),
        ({"commit": "0" * 40}, "0000"),
        ({"origin": "nowhere/at/all"}, "nowhere/at/all"),
    ],
    ids=str,
)
def test_what_cannot_be_opened_leaves_nothing(origin, more, says):
    with pytest.raises(ValueError, match=says):
        workspace.opened(wanted(origin, **more))
    assert not any((origin.parent / "workspaces").iterdir())


def test_a_host_that_is_away_may_be_tried_again(origin):
    with pytest.raises(workspace.Away) as told:
        workspace.opened(wanted(origin, origin="http://user:hunter2@127.0.0.1:9/none.git"))
    assert told.value.code == 75 and "hunter2" not in str(told.value)


def test_other_overrides_under_the_same_name_are_refused(origin):
    workspace.opened(wanted(origin))
    with pytest.raises(ValueError, match="was opened with no overrides, now seed=1 are asked for"):
        workspace.opened(wanted(origin, overrides=("seed=1",)))


def test_a_clone_cut_short_is_made_anew(origin):
    place = origin.parent / "workspaces"
    (place / ".night-1.123").mkdir(parents=True)
    (place / ".night-1.123/half").write_text("")
    assert Path(workspace.opened(wanted(origin))["folder"]).is_dir()


def test_published_twice_the_branch_is_there_once(origin):
    folder = Path(workspace.opened(wanted(origin))["folder"])
    (folder / "dvc.lock").write_text("schema: '2.0'\n")
    for _ in range(2):
        assert workspace.publish(folder, "Candidate") == "candidate/night-1"
    assert git(origin, "rev-list", "--count", "main..candidate/night-1") == "1"
    assert git(origin, "show", "candidate/night-1:dvc.lock") == "schema: '2.0'"
    assert git(origin, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert workspace.mark(folder)["state"] == "done"


def test_old_and_many_go_but_not_what_is_at_work(origin):
    place = origin.parent / "workspaces"
    for i in range(6):
        folder = Path(workspace.opened(wanted(origin, f"n{i}"))["folder"])
        workspace.write_mark(folder, workspace.mark(folder) | {"state": "done" if i < 5 else "open"})
        os.utime(folder / workspace.MARK, (1000 + i, 1000 + i))
    assert workspace.swept(place, age_days=1e6) == ["n1", "n0"]
    (place / "n2/.mlcore/run.lock").write_text("")
    with open(place / "n2/.mlcore/run.lock") as handle:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
        assert sorted(workspace.swept(place, age_days=1)) == ["n3", "n4", "n5"]
    assert sorted(path.name for path in place.iterdir()) == ["beside", "n2"]  # the data's link stays


def test_two_may_sweep_at_once_and_what_was_just_opened_stays(origin, monkeypatch):
    """One folder goes between the look and the removal; those of tasks that have just begun are many."""
    place = origin.parent / "workspaces"
    for i in range(5):
        folder = Path(workspace.opened(wanted(origin, f"n{i}"))["folder"])
        workspace.write_mark(folder, workspace.mark(folder) | {"state": "done"})
    assert workspace.swept(place) == []
    known = workspace._workspaces

    def meanwhile(place, now):
        found = list(known(place, now))
        shutil.rmtree(place / "n0")
        return found

    monkeypatch.setattr(workspace, "_workspaces", meanwhile)
    later = time.time() + 3600
    assert len(workspace.swept(place, now=later)) == 1
    assert len([path for path in place.glob("n*")]) == 3


def test_names_become_folders():
    assert (
        workspace.safe("retrain-manual__2026-11-27T16:00:00+00:00")
        == "retrain-manual__2026-11-27T16-00-00-00-00"
    )
    assert workspace.safe("../../etc") == "etc"
    with pytest.raises(ValueError, match="must have letters or digits"):
        workspace.safe("/../")


def test_tags_of_the_caller(monkeypatch):
    monkeypatch.setenv("MLCORE_TAGS", '{"airflow.dag": "retrain", "reason": ""}')
    assert lineage.caller() == {"airflow.dag": "retrain"}
    for text in ("", "[1]", "{"):
        monkeypatch.setenv("MLCORE_TAGS", text)
        assert lineage.caller() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="process groups as Linux has them")
def test_no_orphan_outlives_the_one_that_was_killed(tmp_path):
    """kill -9 of the process that leads takes along what it started, however deep."""
    alive = tmp_path / "alive"
    child = f"import time, pathlib\nwhile True: pathlib.Path({str(alive)!r}).touch(); time.sleep(.05)"
    leader = (
        "import subprocess, sys; from ml_core import lifeline; assert lifeline.hold()\n"
        f"subprocess.Popen(['sh', '-c', {sys.executable!r} + ' -c \"$0\"', {child!r}]).wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", leader], start_new_session=True)
    try:
        deadline = time.time() + 30
        while not alive.exists() and time.time() < deadline:
            time.sleep(0.05)
        assert alive.exists()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1)
        alive.unlink()
        time.sleep(0.5)
        assert not alive.exists()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_keep_puts_overrides_on_top_of_those_of_today(project):
    project.mlcore("compose", "model=forest", "search.folds.n=3")
    project.mlcore("compose", "--keep", "model=ridge", "seed=5")
    text = project.read("params.yaml")
    assert "Ridge" in text and "'n': 3" in text and "seed: 5" in text
