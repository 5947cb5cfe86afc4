"""What may go and what never does, with a checkout, a cache and a registry made for it."""

import os
import subprocess
import time
from dataclasses import replace

import pytest
from shelf import Shelf
from world import World

from ml_core.promotion import retention
from ml_core.tracking.run import Run

OLD = time.time() - 90 * 86_400
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Six old runs with a version each: champion, previous, pinned, a pinned run, two that nothing needs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    world = World(tmp_path, Shelf("toy"))
    for i, name in enumerate("abcdef"):
        lock = tmp_path / "store" / name / "dvc.lock"
        lock.parent.mkdir(parents=True)
        (tmp_path / "rows").mkdir(exist_ok=True)
        (tmp_path / "rows" / "train.parquet").write_text(name)
        md5 = world.cache(tmp_path / "rows")
        lock.write_text(f"stages: {{prepare: {{outs: [{{path: out/prepare,\n    md5: {md5}}}]}}}}\n")
        world.kept[name] = retention_run(name, lock, int(OLD * 1000))
        world.shelf.register(name, {})
        assert world.shelf.kept[str(i + 1)].run_id == name
    world.shelf.alias = {"champion": "1", "previous": "2"}
    world.shelf.kept["3"].tags["pinned"] = "true"
    world.kept["d"] = replace(world.kept["d"], tags={"pinned": "true"})
    for path in (tmp_path / ".dvc" / "cache").rglob("*"):
        os.utime(path, (OLD, OLD))
    return world


def retention_run(name, lock, ended):
    return Run(name, run_id=name, ended=ended, artifacts={"dvc.lock": lock})


@pytest.fixture
def tracking(world):
    world.runs = lambda limit: list(world.kept.values())
    return world


def objects(world):
    return {path for path in (world.root / ".dvc" / "cache" / "files" / "md5").glob("??/*")}


def test_only_what_nothing_needs_is_found_and_removed(world, tracking):
    found = retention.find(world.shelf, tracking, 30, world.root)
    assert (found.versions, found.runs) == (["5", "6"], ["e", "f"])
    assert len(found.objects) == 4 and found.bytes > 0, "a listing and a file of two runs"
    before = objects(world)
    assert retention.find(world.shelf, tracking, 30, world.root) == found, "looking removes nothing"
    retention.remove(found, world.shelf, tracking)
    assert sorted(world.shelf.kept) == ["1", "2", "3", "4"]
    assert [sent[0] for sent in world.shelf.sent] == ["e", "f"]
    assert len(before - objects(world)) == 4
    assert "2 versions of the model: 5, 6" in found.lines()[0]


def test_what_is_young_stays(world, tracking):
    found = retention.find(world.shelf, tracking, 365, world.root)
    assert (found.runs, found.objects) == ([], [])
    world.kept["e"] = replace(world.kept["e"], ended=int(time.time() * 1000))
    assert retention.find(world.shelf, tracking, 30, world.root).runs == ["f"]


def test_what_became_champion_since_then_stays(world, tracking):
    found = retention.find(world.shelf, tracking, 30, world.root)
    world.shelf.alias["champion"] = "5"
    retention.remove(found, world.shelf, tracking)
    assert "5" in world.shelf.kept and [sent[0] for sent in world.shelf.sent] == ["f"]


def test_what_a_branch_names_stays(world, tracking):
    lock = (world.root / "store" / "f" / "dvc.lock").read_text()
    (world.root / "dvc.lock").write_text(lock)
    for words in (["init", "-q"], ["add", "dvc.lock"], ["commit", "-qm", "x"], ["branch", "keep"]):
        subprocess.run([*GIT, *words], cwd=world.root, check=True)
    (world.root / "dvc.lock").unlink()
    found = retention.find(world.shelf, tracking, 30, world.root)
    assert found.runs == ["e", "f"] and len(found.objects) == 2, "the run's files go, the branch's rows stay"


def test_a_cache_of_others_is_left_alone(world, tracking):
    (world.root / ".dvc" / "config").write_text("[cache]\n    dir = /somewhere/else\n")
    found = retention.find(world.shelf, tracking, 30, world.root)
    assert found.objects == [] and "shared with others" in found.note
